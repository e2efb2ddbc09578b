"""Questions of ours to the Engine: what does it have under the names in a request?

Asked on the connection that will carry the request itself, which nobody uses meanwhile:
so a question costs one round trip, and neither a socket nor a connection. An answer has
a deadline and a size, and is read strictly; where any of that fails, so does the request.
"""

from typing import Final

import trio

from trioproxy import percent
from trioproxy.arguments.families import Kind
from trioproxy.arguments.references import Named
from trioproxy.arguments.things import Known, Missing, Thing, describe
from trioproxy.errors import BadRequest, EngineTooSlow, UpstreamError, UpstreamLost
from trioproxy.http import jsonbody
from trioproxy.http.framing import (
    CHUNKED,
    NO_BODY,
    UNTIL_CLOSE,
    Dechunked,
    Framing,
)
from trioproxy.http.response import ResponseHead, expect
from trioproxy.proxy.engine import Engine

QUESTION_SECONDS: Final = 10.0
"""From a question to the last byte of its answer: 504."""

MOST_OF_AN_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of an answer: 502."""

PIECE: Final = 64 * 1024

_TEMPLATES: Final = {Kind.IMAGE: "/images/%s/json"}
"""Where the Engine describes what it has under a name."""

_KEPT: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~.:"
)
_HAS_IT: Final = 200
_HAS_NONE: Final = frozenset({400, 404, 409})
"""No such thing, a name that can be none, or one that is the beginning of two."""

_EXPECTED: Final = expect(
    is_head=False, version=b"1.1", may_hijack=False, upgrades=False
)


async def resolve(engine: Engine, named: Named) -> Known:
    """Ask what the Engine has under each name. Raises `UpstreamError`.

    Closing: the connection is dropped unless its last answer came whole.
    """
    known = dict[tuple[Kind, str], Thing | Missing]()
    for one in named.references:
        if (one.kind, one.text) not in known:
            known[one.kind, one.text] = await _look_up(engine, one.kind, one.text)
    return known


async def _look_up(engine: Engine, kind: Kind, text: str) -> Thing | Missing:
    status, raw = await _ask(engine, _TEMPLATES[kind] % _escape(kind, text))
    if status == _HAS_IT:
        return describe(kind, _parse(raw))
    if status in _HAS_NONE:
        value = _parse(raw)
        message = value.get("message") if isinstance(value, dict) else None
        return Missing(status, message if isinstance(message, str) else "")
    raise UpstreamError(
        f"the Docker Engine answers {status} to the question what {kind} {text[:64]!a} is"
    )


def _parse(raw: bytes) -> jsonbody.Json:
    try:
        return jsonbody.parse(raw)
    except BadRequest as error:
        raise UpstreamError(
            f"the Docker Engine's answer to a question is no JSON: {error}"
        ) from error


def _escape(kind: Kind, text: str) -> str:
    """Write a name so that it is one segment, whatever is in it."""
    name = text.removeprefix("/")
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        raise BadRequest(f"{text[:64]!a} is no name of a {kind}")
    return percent.encode(name.encode("utf-8", "surrogateescape"), _KEPT)


async def _ask(engine: Engine, target: str) -> tuple[int, bytes]:
    """Send a question; give status and body of its answer."""
    is_whole = False
    try:
        with trio.move_on_after(QUESTION_SECONDS):
            head, raw = await _exchange(engine, target)
            is_whole = head.keep_alive
            return head.status, raw
    finally:
        if not is_whole:
            engine.drop()
    raise EngineTooSlow(
        "the Docker Engine does not say what the request names"
        f" ({QUESTION_SECONDS:.0f} s): is it overloaded or hung?"
    )


async def _exchange(engine: Engine, target: str) -> tuple[ResponseHead, bytes]:
    question = f"GET {target} HTTP/1.1\r\nHost: docker\r\n\r\n".encode()
    await engine.send_request(question)
    try:
        head, data = await engine.read_head(_EXPECTED)
    except UpstreamLost:
        if not engine.is_reused or engine.has_answered:
            raise
        # The Engine closed a kept connection just as we used it (RFC 9112, 9.3.1).
        engine.drop()
        await engine.send_request(question)
        head, data = await engine.read_head(_EXPECTED)
    if head.is_interim or head.switches:
        raise UpstreamError(f"the Engine answers {head.status} to a question")
    return head, await _read_body(engine, head.framing, data)


async def _read_body(engine: Engine, framing: Framing, data: bytes) -> bytes:
    """Read the body of an answer whole; bytes behind it are none of an answer's."""
    if framing is CHUNKED:
        return await _read_chunked(engine, data)
    length = MOST_OF_AN_ANSWER if framing is UNTIL_CLOSE else framing.length
    _check_size(length if framing is not NO_BODY else 0)
    pieces, left = [data], length - len(data)
    while left > 0 and (piece := await engine.wire.recv(min(left, PIECE))):
        pieces.append(piece)
        left -= len(piece)
    if left and framing is not UNTIL_CLOSE:
        raise UpstreamLost("the Engine's answer to a question does not end as it says")
    return b"".join(pieces)


async def _read_chunked(engine: Engine, data: bytes) -> bytes:
    chunks = Dechunked(UpstreamError)
    at = 0
    while True:
        at = chunks.feed(data, at, len(data))
        _check_size(chunks.passed)
        if chunks.done:
            if at < len(data):
                raise UpstreamError("the Engine sent bytes behind its answer")
            return b"".join(chunks.content)
        if at == len(data):
            data, at = await engine.wire.recv(PIECE), 0
            if not data:
                raise UpstreamLost("the Engine closed the connection in mid-answer")


def _check_size(count: int) -> None:
    if count > MOST_OF_AN_ANSWER:
        raise UpstreamError(
            f"the Engine's answer to a question is longer than {MOST_OF_AN_ANSWER} bytes"
        )
