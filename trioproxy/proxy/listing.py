"""Questions of ours that are answered by lists: read element by element, at any length.

Nothing of an answer is held but the element that is looked at, and others have their turn
on the way. Whoever asks keeps what counts, and bounds that.
"""

from collections.abc import Callable, Collection
from typing import Final

from trioproxy.errors import TooMuch, UpstreamError, UpstreamLost
from trioproxy.http.elements import (
    ELEMENT,
    TURN,
    VALUE,
    Elements,
    Piece,
    parse,
    unreadable,
)
from trioproxy.http.framing import (
    PIECE_OF_CHUNKS,
    UNTIL_CLOSE,
    Boundary,
    Dechunked,
    Framing,
    content_of,
)
from trioproxy.http.jsonbody import Json
from trioproxy.proxy.engine import Engine
from trioproxy.proxy.wire import Wire

PIECE: Final = 64 * 1024
"""Read at a time."""

STEP: Final = 32 * 1024
"""Of elements, between two turns of others: ten containers, and half a millisecond."""

OF_EACH: Final = 1024
"""What an element costs whatever is in it, as bytes."""

Take = Callable[[Json], None]


class Turns:
    """When others are due, by how much was done since they were."""

    __slots__ = ("_done",)

    def __init__(self) -> None:
        self._done = 0

    def are_due(self, piece: Piece) -> bool:
        """Whether others should have a turn before a piece is looked at."""
        return self.are_due_after(STEP if piece.mark is TURN else len(piece.raw))

    def are_due_after(self, count: int = 0) -> bool:
        """Whether they should, with something done that is worth so many bytes."""
        self._done += count + OF_EACH
        is_due = self._done > STEP
        if is_due:
            self._done = 0
        return is_due


class Content:
    """The body of an answer, without its framing."""

    def __init__(self, wire: Wire, framing: Framing) -> None:
        self._wire = wire
        self._may_close = framing is UNTIL_CLOSE
        self._boundary = content_of(framing, UpstreamError)
        self._data = b""
        self._at = 0

    @property
    def surplus(self) -> bytes:
        """What came behind its end."""
        return self._data[self._at :]

    def put(self, data: bytes) -> None:
        """Take what came with its head."""
        self._data = data

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

    async def _take(self, boundary: Boundary) -> bytes:
        """Take what is here, all of it unless it comes in very small chunks."""
        end, pieces = len(self._data), list[bytes]()
        while self._at < end and not boundary.done:
            begin = self._at
            self._at = boundary.feed(self._data, begin, end)
            if isinstance(boundary, Dechunked):
                pieces.append(boundary.take())
            else:
                pieces.append(self._data[begin : self._at])
            if self._at < end and self._at - begin < PIECE_OF_CHUNKS:
                await self._wire.let_others()
                break
        return b"".join(pieces)


async def elements_of(wire: Wire, raw: bytes, wanted: Collection[bytes]) -> list[Json]:
    """Read those elements of a list in which one of these texts is. Raises `UpstreamError`."""
    elements, turns, found = Elements("list"), Turns(), list[Json]()
    for at in range(0, len(raw), PIECE):
        for piece in elements.feed(raw[at : at + PIECE]):
            if turns.are_due(piece):
                await wire.let_others()
            if piece.mark is ELEMENT and any(one in piece.raw for one in wanted):
                found.append(parse(piece.raw))
    if not elements.is_whole:
        raise unreadable("it is cut off")
    return found


async def take_each(
    engine: Engine,
    framing: Framing,
    data: bytes,
    shape: str,
    keys: Collection[str],
    take: Take,
) -> None:
    """Give each element of the lists that are called `keys` to `take`, and what stands in the
    place of such a list, unless that is null. An element that is too much to be read is
    passed over.

    `data`: what came behind the head of the answer. Raises `UpstreamError`. Closing: the
    connection is dropped where more came than the answer.
    """
    content, elements, turns = Content(engine.wire, framing), Elements(shape), Turns()
    content.put(data)
    while more := await content.read():
        for piece in elements.feed(more):
            if turns.are_due(piece):
                await engine.wire.let_others()
            is_told = piece.mark is ELEMENT or (
                piece.mark is VALUE and piece.raw != b"null"
            )
            if is_told and piece.key in keys:
                try:
                    value = piece.value or parse(piece.raw)
                except TooMuch:
                    continue
                take(value)
    if not elements.is_whole:
        raise unreadable("it is cut off")
    if content.surplus:
        engine.drop()
