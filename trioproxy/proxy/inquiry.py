"""Questions of ours to the Engine: how one is written, sent, and its answer read.

What is short is held whole (`ask`); a list of any length is read element by element
(`ask_each`). Of that nothing is held but the element that is looked at, and others have
their turn on the way: whoever asks keeps what counts, and bounds that.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import trio

from trioproxy import percent
from trioproxy.api.families import Kind
from trioproxy.errors import (
    BadRequest,
    BodyTooLarge,
    EngineTooSlow,
    TooMuch,
    Untold,
    UpstreamError,
    UpstreamLost,
)
from trioproxy.http import jsonbody
from trioproxy.http.elements import (
    ELEMENT,
    TURN,
    VALUE,
    Elements,
    Piece,
    parse,
    unreadable,
)
from trioproxy.http.framing import CHUNKED, Framing, left_of_one_chunk, one_chunk
from trioproxy.http.response import Expectation, ResponseHead
from trioproxy.proxy.engine import PIECE, Content, Engine

QUESTIONS_SECONDS: Final = 50.0
"""From the first question about a request to the last byte of the last answer: 504.

The Engine tells nothing of a container into which it copies, for as long as that takes, and a
client without us waits. Most give up after 60 s: by then they have read why."""

MOST_OF_AN_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of an answer: 502."""

LISTS: Final = {
    Kind.CONTAINER: "/containers/json?all=1",
    Kind.NETWORK: "/networks",
    Kind.VOLUME: "/volumes",
}
"""Where it lists what it has."""

_KEPT: Final = percent.UNRESERVED | frozenset(b":")
OK: Final = 200
HAS_IT: Final = frozenset({OK, 201})

ANSWER: Final = Expectation(False, b"1.1", False, False)
"""How the answer to a question is read."""

STEP: Final = 32 * 1024
"""Of elements, between two turns of others: ten containers, and half a millisecond."""

OF_EACH: Final = 1024
"""What an element costs whatever is in it, as bytes."""

_KEYS: Final = frozenset({"", "Volumes", "VolumeUsage"})
"""What these lists are called, where they are called anything."""

Take = Callable[[jsonbody.Json], None]


def ask(
    engine: Engine, method: str, target: str, body: object = None
) -> Awaitable[tuple[int, bytes]]:
    """Send a request of ours; give status and body of its answer.

    Without a body it may go out again on a new connection, if it is not answered on one
    that was kept. Raises `UpstreamError`. Closing: the connection is dropped unless the
    answer came whole.
    """
    request = written(method, target, body)
    return _asked(engine, request, body is None, partial(_read_body, engine))


async def ask_each(
    engine: Engine, target: str, shape: str, take: Take, deadline: float
) -> tuple[int, bytes]:
    """Ask for lists, and give each of their elements to `take` (`take_each`).

    Gives the status, and the body of what is no list. Raises `UpstreamError`. Closing: as `ask`.
    """

    async def read(head: ResponseHead, data: bytes) -> bytes:
        if head.status not in HAS_IT:
            return await _read_body(engine, head, data)
        await take_each(engine, head.framing, data, shape, take)
        return b""

    with trio.move_on_at(deadline):
        return await _asked(engine, written("GET", target), True, read)
    raise too_slow()


async def look_through(
    engine: Engine, kind: Kind, target: str, take: Take, deadline: float
) -> None:
    """Give each that the Engine lists of a kind to `take`. Raises `UpstreamError`. Closing: as
    `ask`."""
    status, _ = await ask_each(engine, target, shape_of(kind), take, deadline)
    check_told(status, f"which {kind}s it has")


Read = Callable[[ResponseHead, bytes], Awaitable[bytes]]
"""Reads the body of an answer, of which some came with its head."""


async def _asked(
    engine: Engine, request: bytes, is_repeatable: bool, read: Read
) -> tuple[int, bytes]:
    """Send a request of ours, and have its answer read; the connection is kept if that came
    whole."""
    is_whole = False
    try:
        head, data = await _begin(engine, request, is_repeatable)
        raw = await read(head, data)
        is_whole = head.keep_alive
        return head.status, raw
    finally:
        if not is_whole:
            engine.drop()


async def _begin(
    engine: Engine, question: bytes, is_repeatable: bool
) -> tuple[ResponseHead, bytes]:
    await engine.send_request(question)
    try:
        head, data = await engine.read_head(ANSWER, size=PIECE)
    except UpstreamLost:
        if not (is_repeatable and engine.may_be_asked_again):
            raise
        engine.drop()
        await engine.send_request(question)
        head, data = await engine.read_head(ANSWER, size=PIECE)
    if head.is_interim:
        raise UpstreamError(f"the Engine answers {head.status} to a question")
    return head, data


async def _read_body(engine: Engine, head: ResponseHead, data: bytes) -> bytes:
    """Read the body of an answer whole; bytes behind it are none of an answer's."""
    if head.framing is CHUNKED:
        # The Engine writes it in one chunk, and that comes in pieces.
        pieces, left = [data], left_of_one_chunk(data)
        while 0 < left <= MOST_OF_AN_ANSWER and (
            piece := await engine.wire.recv(min(left, PIECE))
        ):
            pieces.append(piece)
            left -= len(piece)
        data = b"".join(pieces)
        if (raw := one_chunk(data)) is not None:
            return raw
    elif len(data) == head.framing.length:
        return data
    content, raw = Content(engine.wire, head.framing, data), None
    if head.framing.length <= MOST_OF_AN_ANSWER:
        raw = await content.whole(MOST_OF_AN_ANSWER)
    if raw is None:
        raise TooMuch(
            f"the Engine's answer to a question is longer than {MOST_OF_AN_ANSWER} bytes"
        )
    if content.surplus:
        raise UpstreamError("the Engine sent bytes behind its answer")
    return raw


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


def too_slow() -> EngineTooSlow:
    """Tell of an Engine that has not answered in time."""
    return EngineTooSlow(
        "the Docker Engine does not say what the request names"
        f" ({QUESTIONS_SECONDS:.0f} s): is it overloaded or hung?"
    )


# -- words of an inquiry, and of its answer -----------------------------------------


def written(method: str, target: str, body: object = None) -> bytes:
    """Write a request of ours."""
    head, raw = f"{method} {target} HTTP/1.1\r\nHost: docker\r\n", b""
    if body is not None:
        raw = jsonbody.render(body)
        head += f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
    return f"{head}\r\n".encode() + raw


def with_filters(path: str, filters: Mapping[str, jsonbody.Json]) -> str:
    """Write filters behind the path of a list."""
    return f"{path}{'&' if '?' in path else '?'}filters={escaped(jsonbody.render(filters))}"


def segment(kind: Kind, text: str) -> str:
    """Write a name so that it is one segment, whatever is in it. Raises `BadRequest` for none."""
    name = text.removeprefix("/")
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise BadRequest(f"{text[:64]!a} is no name of a {kind}")
    return escaped(name.encode("utf-8", "surrogateescape"))


def escaped(raw: bytes) -> str:
    """Write what may hold any byte as a part of a target."""
    return percent.encode(raw, _KEPT)


def shape_of(kind: Kind) -> str:
    """How such a list is cut (`http.elements`)."""
    return "lists" if kind is Kind.VOLUME else "list"


def parse_answer(raw: bytes) -> jsonbody.Json:
    """Read an answer to a question strictly. Raises `Untold`."""
    try:
        return jsonbody.parse(raw)
    except BadRequest as error:
        kind = TooMuch if isinstance(error, BodyTooLarge) else Untold
        raise kind(
            f"the Docker Engine's answer to a question is no JSON: {error}"
        ) from error


def check_told(status: int, what: str) -> None:
    """Raise `Untold` where the Engine does not say what it is asked."""
    if status not in HAS_IT:
        raise Untold(f"the Docker Engine answers {status} to the question {what}")
