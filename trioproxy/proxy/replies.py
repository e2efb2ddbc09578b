"""Our own answers, in the Engine's own shape: JSON with one `message`.

They carry `Server: trioproxy`, so that an answer of ours is told from the Engine's.
"""

import json
from collections.abc import Mapping
from typing import Final

from trioproxy.errors import TrioProxyError
from trioproxy.judge.rules import Decision, Reason

PREFIX: Final = "trioproxy: "
SERVER: Final = "trioproxy"

CRASHED: Final = TrioProxyError(
    "this is a bug of the proxy, and its log has the place: please report it"
)
"""What a crash is to its client: 500."""

PHRASES: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
"""The statuses of our answers; the standard library's table is 60 times as large."""


def message(status: int, text: str, *, head_only: bool = False) -> bytes:
    """Write an answer of ours, in the Engine's JSON; we close after it."""
    body = _as_json({"message": PREFIX + text})
    return reply(status, body, head_only=head_only)


def refusal(decision: Decision, *, close: bool, head_only: bool) -> bytes:
    """Write the answer to what is refused; the Engine's own words stay as they are."""
    text = decision.message
    if decision.reason is not Reason.MISSING:
        text = PREFIX + text
    body = _as_json({"message": text})
    return reply(decision.status, body, close=close, head_only=head_only)


def error(failure: TrioProxyError, *, head_only: bool = False) -> bytes:
    """Write the answer to a failure: its status and its words; we close after it."""
    return message(failure.status, str(failure), head_only=head_only)


def health(standing: Mapping[str, object], *, is_well: bool, close: bool) -> bytes:
    """Write the answer to a probe: words on how things stand, and no more."""
    status = 200 if is_well else 503
    return reply(status, _as_json(standing), close=close)


def with_id(reply: bytes, serial: int) -> bytes:
    """Put the number of its request into an answer that many requests may share."""
    line, _, rest = reply.partition(b"\r\n")
    return b"%s\r\nX-Request-Id: %012x\r\n%s" % (line, serial, rest)


def _as_json(words: Mapping[str, object]) -> bytes:
    # Without a space, as the Engine writes it: there are clients that show all of it.
    return json.dumps(words, separators=(",", ":")).encode() + b"\n"


def reply(
    status: int,
    body: bytes,
    *,
    close: bool = True,
    head_only: bool = False,
    content_type: str = "application/json",
) -> bytes:
    """Write an answer of ours, of any kind."""
    # Always HTTP/1.1 and a length: every client reads that, whichever version it asked in.
    lines = [
        f"HTTP/1.1 {status} {PHRASES[status]}",
        f"Server: {SERVER}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
    ]
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head if head_only else head + body
