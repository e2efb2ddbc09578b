"""An answer that goes on as it comes, and is looked at: how much of it would not be shown.

So a policy that is only tried out says what its lists would leave out. What the client gets is
the Engine's, byte for byte, whatever is made of it here: what cannot be read, or asked about, is
counted no further, and disturbs nobody.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from trioproxy.errors import BadRequest, UpstreamError, UpstreamLost
from trioproxy.http.elements import Elements
from trioproxy.http.framing import UNTIL_CLOSE, Dechunked, content_of
from trioproxy.http.response import Expectation, is_packed
from trioproxy.judge.outcome import Narrowed
from trioproxy.proxy.engine import PIECE
from trioproxy.proxy.narrowing import Narrowing
from trioproxy.proxy.wire import Wire


class Counting(Narrowing):
    """One answer. Closing: `close`, whatever happened."""

    _is_given_up = False
    _head, _data, _behind = b"", b"", b""

    @property
    def narrowed(self) -> Narrowed:
        """By how much it would have been narrowed, as far as it could be read."""
        return Narrowed(self.hidden, is_tried=True)

    @property
    def surplus(self) -> bytes:
        """What came behind the answer."""
        return self._behind

    async def begin(self, head: bytes, data: bytes, expected: Expectation) -> bytes:
        """Give nothing yet: the head goes on with what came behind it."""
        self._is_given_up = is_packed(head)
        self._head, self._data = head, data
        return b""

    async def rest(self, client: Wire) -> None:
        """Send all of it. Raises `UpstreamLost` and `ClientLost`."""
        head, data, follows = self._head, self._data, self._showing.follows
        boundary = content_of(self._framing, UpstreamError)
        while True:
            at = 0
            while at < len(data) and not boundary.done:
                at = boundary.feed(data, at, len(data))
                await self._wire.let_others()
            self.sent = boundary.passed
            await client.send_all(head + data[:at])
            if head:
                await self._try(partial(self._asking.know, follows))
            content = boundary.take() if isinstance(boundary, Dechunked) else data[:at]
            await self._try(partial(self._look_at, content))
            if boundary.done:
                self._behind = data[at:]
                return
            head, data = b"", await self._wire.recv(PIECE)
            if not data:
                if self._framing is UNTIL_CLOSE:
                    return
                raise UpstreamLost("the Engine closed the connection in mid-body")

    async def _look_at(self, content: bytes) -> None:
        for piece in self._elements.feed(content):
            if self._turns.are_due(piece):
                await self._wire.let_others()
            await self._shown(piece)
        self._weigh(self._elements.held)
        self._asking.let_go()

    async def _try(self, look: Callable[[], Awaitable[None]]) -> None:
        if not self._is_given_up:
            try:
                await look()
            except (UpstreamError, BadRequest):
                self._is_given_up = True
                # Nothing that was held for it is held any more.
                self._elements = Elements(self._showing.answer.shape)
                self._asking.close()
