"""The Engine's side of a connection: opened when needed, kept; heads and bodies of its bytes.

One upstream connection belongs to one client connection and serves its requests one after
the other. Before it is used again it is looked at: an end or any byte discards it.
"""

import socket
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from trioproxy.config import Address, UnixAddress
from trioproxy.errors import BadRequest, UpstreamError, UpstreamLost
from trioproxy.http.framing import (
    PIECE_OF_CHUNKS,
    UNTIL_CLOSE,
    Boundary,
    Dechunked,
    Framing,
    content_of,
)
from trioproxy.http.memo import Memo
from trioproxy.http.request import resume_at
from trioproxy.http.response import (
    Expectation,
    ResponseHead,
    find_response_end,
    parse_response,
)
from trioproxy.judge.outcome import Waits
from trioproxy.proxy.upstream import open_upstream
from trioproxy.proxy.watch import Watch
from trioproxy.proxy.wire import Wire

RESPONSE_READ: Final = 16 * 1024

PIECE: Final = 64 * 1024
"""Read at a time of the body of an answer that we look at."""

SEND_BUFFER: Final = 1024 * 1024
"""For uploads: a Unix socket takes 208 KiB by default, and the kernel caps what we ask."""

ResponseMemo = Memo[tuple[bytes, Expectation], ResponseHead]


@dataclass(slots=True, eq=False)
class Engine:
    """The Engine's wire, while there is one."""

    _address: Address
    _responses: ResponseMemo
    _watch: Watch
    _wire: Wire | None = None
    waits: Waits | None = None
    """How long it was waited for; None: that is not measured."""
    has_answered: bool = False
    """Whether a byte came since the last request was sent."""
    is_reused: bool = False
    """Whether that went out on a connection that had served another."""

    @property
    def wire(self) -> Wire:
        """The wire. Raises `UpstreamLost` where it was dropped."""
        if self._wire is None:
            raise UpstreamLost("the upstream connection is closed")
        return self._wire

    @property
    def may_be_asked_again(self) -> bool:
        """Whether it may have closed a kept connection just as that was used (RFC 9112, 9.3.1)."""
        return self.is_reused and not self.has_answered

    async def send_request(self, data: bytes) -> None:
        """Send a head, and what of its body came with it.

        On the connection that served a request before, if it is fit for the next, or
        on a new one. Raises `UpstreamError` (502) or `ConnectTimeout` (504).
        """
        # Between two requests the Engine owes us nothing: an EOF, or a byte that nobody
        # asked for, would be taken for the next answer.
        self.has_answered = False
        if self.waits is not None:
            self.waits.until = perf_counter()
        if self._wire is not None and self._wire.has_ended_or_bytes():
            self.drop()
        wire = self._wire
        self.is_reused = wire is not None
        if wire is None:
            wire = self._wire = await open_upstream(self._address, self._watch)
        if (sent := wire.send_now(data)) < len(data):
            self.expect_more()
            await wire.send_rest(data, sent)

    def expect_more(self) -> None:
        """Have room for much that goes up. Most requests are a head, and need none."""
        if self._wire is not None and isinstance(self._address, UnixAddress):
            size = socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER
            self._wire.sock.setsockopt(*size)

    async def read_head(
        self, expected: Expectation, data: bytes = b"", size: int = RESPONSE_READ
    ) -> tuple[ResponseHead, bytes]:
        """Wait for a response head: final, or an interim one (1xx) before it.

        `data` came behind the head before. Returns also what came behind this one, where
        `size` bytes are read at once.
        Raises `UpstreamLost` at the end of data, `UpstreamError` for what is no answer.
        """
        # Nearly always one read and one look. There is no deadline: a wait for a container
        # may last for weeks.
        start = 0
        while not data or (end := find_response_end(data, start)) < 0:
            start = resume_at(data) if data else 0
            more = await self.wire.recv_later(size)
            if not more:
                raise UpstreamLost("the Engine closed the connection")
            self.has_answered = True
            data += more
            if (waits := self.waits) is not None:
                now = perf_counter()
                waits.seconds += now - waits.until
                waits.until = now
        # The Engine polls too: its heads to the same question differ by their date, which
        # is the same for a second.
        raw = data[:end]
        key = raw, expected
        response = self._responses.get(key)
        if response is None:
            response = parse_response(raw, expected)
            self._responses.keep(key, raw, response)
        return response, data[end:]

    def send_eof(self) -> None:
        """Pass the client's end of data on."""
        if self._wire is not None:
            self._wire.send_eof()

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class Content:
    """The body of an answer, or of a request, without its framing."""

    def __init__(
        self,
        wire: Wire,
        framing: Framing,
        data: bytes,
        failure: type[BadRequest] | type[UpstreamError] = UpstreamError,
    ) -> None:
        """`data` came with its head; `failure`: what a bad chunk raises."""
        self._wire = wire
        self._may_close = framing is UNTIL_CLOSE
        self._boundary = content_of(framing, failure)
        self.pieces = 0
        """In how many chunks, or parts of such, it came up to here."""
        self._data, self._at = data, 0

    @property
    def surplus(self) -> bytes:
        """What came behind its end."""
        return self._data[self._at :]

    async def read(self) -> bytes:
        """Give some more of it; nothing at its end. Raises `UpstreamLost`."""
        boundary = self._boundary
        while not boundary.done:
            if self._at == len(self._data):
                self._data, self._at = await self._wire.recv(PIECE), 0
                if not self._data:
                    if self._may_close:
                        return b""
                    raise UpstreamLost("the Engine closed the connection in mid-body")
            if content := await self._take(boundary):
                return content
        return b""

    async def whole(self, most: int) -> bytes | None:
        """Give all of it; None if it is more than so many bytes. Raises `UpstreamLost`."""
        pieces, left = list[bytes](), most
        while piece := await self.read():
            pieces.append(piece)
            left -= len(piece)
            if left < 0:
                return None
        return b"".join(pieces)

    async def _take(self, boundary: Boundary) -> bytes:
        """Take what is here, all of it unless it comes in very small chunks."""
        end, pieces = len(self._data), list[bytes]()
        while self._at < end and not boundary.done:
            begin = self._at
            self._at = boundary.feed(self._data, begin, end)
            if isinstance(boundary, Dechunked):
                self.pieces += len(boundary.content)
                pieces.append(boundary.take())
            else:
                pieces.append(self._data[begin : self._at])
            if self._at < end and self._at - begin < PIECE_OF_CHUNKS:
                await self._wire.let_others()
                break
        return b"".join(pieces)
