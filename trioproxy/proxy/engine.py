"""The Engine's side of a connection: opened when needed, kept, and heads out of its bytes.

One upstream connection belongs to one client connection and serves its requests one after
the other. Before it is used again it is looked at: an end or any byte discards it.
"""

from typing import Final

from trioproxy.config import Address
from trioproxy.errors import UpstreamLost
from trioproxy.proxy.http import (
    Memo,
    RequestHead,
    ResponseHead,
    find_response_end,
    read_response,
)
from trioproxy.proxy.upstream import open_upstream
from trioproxy.proxy.wire import Wire

RESPONSE_READ: Final = 16 * 1024

ResponseMemo = Memo[tuple[bytes, bytes], ResponseHead]


class Engine:
    """The Engine's wire, while there is one."""

    __slots__ = ("_address", "_responses", "_wire", "has_answered")

    def __init__(self, address: Address, responses: ResponseMemo) -> None:
        self._address = address
        self._responses = responses
        self._wire: Wire | None = None
        self.has_answered = False
        """Whether a byte came since the last request was sent."""

    @property
    def wire(self) -> Wire:
        """The wire. Raises `UpstreamLost` where it was dropped."""
        if self._wire is None:
            raise UpstreamLost("the upstream connection is closed")
        return self._wire

    def can_take_another(self) -> bool:
        """Whether the connection that served a request before is fit for the next."""
        if self._wire is None:
            return False
        if self._wire.has_ended_or_bytes():
            self.drop()
            return False
        return True

    async def connect(self) -> None:
        """Open a new connection. Raises `UpstreamError` (502) or `ConnectTimeout` (504)."""
        self.drop()
        self._wire = await open_upstream(self._address)

    async def send_request(self, data: bytes) -> None:
        """Send a head, and what of its body came with it."""
        self.has_answered = False
        await self.wire.send_all(data)

    async def read_head(
        self, request: RequestHead, data: bytes = b""
    ) -> tuple[ResponseHead, bytes]:
        """Wait for a response head: final, or an interim one (1xx) before it.

        `data` came behind the head before. Returns also what came behind this one.
        Raises `UpstreamLost` at the end of data, `UpstreamError` for what is no answer.
        """
        searched = 0
        while not data or (end := find_response_end(data, searched=searched)) < 0:
            searched = len(data)
            more = await self.wire.recv_later(RESPONSE_READ)
            if not more:
                raise UpstreamLost("the Engine closed the connection")
            self.has_answered = True
            data += more
        return self._read_response(data[:end], request), data[end:]

    def _read_response(self, raw: bytes, request: RequestHead) -> ResponseHead:
        key = raw, request.asked
        response = self._responses.get(key)
        if response is None:
            response = read_response(raw, request)
            self._responses.keep(key, raw, response)
        return response

    def send_eof(self) -> None:
        """Pass the client's end of data on."""
        if self._wire is not None:
            self._wire.send_eof()

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None
