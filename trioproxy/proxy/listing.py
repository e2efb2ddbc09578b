"""Questions of ours that are answered by lists: read element by element, at any length.

Nothing of an answer is held but the element that is looked at, and others have their turn
on the way. Whoever asks keeps what counts, and bounds that.
"""

from collections.abc import Callable
from typing import Final

from trioproxy.errors import TooMuch
from trioproxy.http.elements import (
    ELEMENT,
    TURN,
    VALUE,
    Elements,
    Piece,
    parse,
    unreadable,
)
from trioproxy.http.framing import Framing
from trioproxy.http.jsonbody import Json
from trioproxy.proxy.engine import Content, Engine

STEP: Final = 32 * 1024
"""Of elements, between two turns of others: ten containers, and half a millisecond."""

OF_EACH: Final = 1024
"""What an element costs whatever is in it, as bytes."""

_KEYS: Final = frozenset({"", "Volumes", "VolumeUsage"})
"""What these lists are called, where they are called anything."""

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


async def take_each(
    engine: Engine, framing: Framing, data: bytes, shape: str, take: Take
) -> None:
    """Give each element of the lists in an answer to `take`, and what stands in the place of
    such a list, unless that is null. An element that is too much to be read is passed over.

    `data`: what came behind the head of the answer. Raises `UpstreamError`. Closing: the
    connection is dropped where more came than the answer.
    """
    content = Content(engine.wire, framing, data)
    elements, turns = Elements(shape), Turns()
    while more := await content.read():
        for piece in elements.feed(more):
            if turns.are_due(piece):
                await engine.wire.let_others()
            is_told = piece.mark is ELEMENT or (
                piece.mark is VALUE and piece.raw != b"null"
            )
            if is_told and piece.key in _KEYS:
                try:
                    value = piece.value or parse(piece.raw)
                except TooMuch:
                    continue
                take(value)
    if not elements.is_whole:
        raise unreadable("it is cut off")
    if content.surplus:
        engine.drop()
