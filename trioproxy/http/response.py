"""Response heads: bytes to values, and to the bytes that the client gets.

The Engine is trusted more than a client, and still not believed: what it sends goes to
clients that read heads in their own ways, and a response whose end two readers find in
different places poisons the connection for the next one.
"""

from typing import Final, NamedTuple

import h11

from trioproxy.errors import BadRequest, UpstreamError
from trioproxy.http.framing import CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, sized
from trioproxy.http.request import (
    BODY_FIELDS,
    FRAMING_FIELDS,
    HEAD_END,
    HEAD_LIMIT,
    HOP_BY_HOP,
    Pairs,
    connection_tokens,
    forwarded,
    name_of,
    pairs_of,
)
from trioproxy.quoting import in_quotes
from trioproxy.values import value_class


class Expectation(NamedTuple):
    """What the reading of a response depends on, besides its bytes."""

    is_head: bool
    """The request was a HEAD: whatever the fields say, no body follows."""
    version: bytes
    """Of the request: an HTTP/1.0 client cannot read chunks."""
    may_hijack: bool
    """The Engine may take the stream over by a 200 without a length."""
    upgrades: bool
    """An `Upgrade` went upstream, so a 101 is a right answer."""


@value_class
class ResponseHead:
    """All that follows from the bytes of a response head."""

    status: int
    client: bytes
    """The head as the client gets it."""
    framing: Framing
    keep_alive: bool
    """Whether the Engine keeps the connection open for another request."""
    is_interim: bool
    switches: bool
    """From here on the connection is a tunnel."""
    unrouted: bool
    """A 404 of the Engine's router: there is no such route."""


def find_response_end(data: bytes, start: int) -> int:
    """Find where the Engine's head ends, or -1; `UpstreamError` past the limit."""
    end = data.find(HEAD_END, start, HEAD_LIMIT)
    if end >= 0:
        return end + len(HEAD_END)
    if len(data) >= HEAD_LIMIT:
        raise UpstreamError(f"the Engine's response head exceeds {HEAD_LIMIT} bytes")
    if not b"HTTP/1.".startswith(data[:7]):
        raise UpstreamError(f"the Engine's answer is not HTTP/1: {in_quotes(data, 32)}")
    return -1


def parse_response(raw: bytes, expected: Expectation) -> ResponseHead:
    """Parse one response head as `expected`; raises `UpstreamError` for what is no answer."""
    # The same head may be read in 16 ways, by what was asked: see `Expectation`.
    event = _run_h11(raw, expected)
    pairs = pairs_of(event)
    names = [lower for _, lower, _ in pairs]
    status = event.status_code
    framing = _response_framing(event, expected, pairs)
    # The old form of a hijack is 200 without a length, then raw bytes.
    is_raw = status == 200 and expected.may_hijack and FRAMING_FIELDS.isdisjoint(names)
    switches = status == 101 or is_raw
    tokens = connection_tokens(pairs)
    keep_alive = (
        not switches
        and framing is not UNTIL_CLOSE
        and b"close" not in tokens
        and (event.http_version == b"1.1" or b"keep-alive" in tokens)
    )
    return ResponseHead(
        status=status,
        client=_client_head(event, pairs, tokens),
        framing=framing,
        keep_alive=keep_alive,
        is_interim=100 <= status < 200 and status != 101,
        switches=switches,
        # Every handler of the Engine sets Api-Version; its router's own 404 has none.
        unrouted=status == 404 and b"api-version" not in names,
    )


def _run_h11(
    raw: bytes, expected: Expectation
) -> h11.Response | h11.InformationalResponse:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
    # h11 reads an answer only after a request; what was asked matters to it for 101 alone. One that
    # nobody asked for would make a tunnel of a connection on which the client goes on to speak HTTP,
    # and nothing it sends would be judged any more: h11 refuses it.
    parser.send(_ASKED_FOR_UPGRADE if expected.upgrades else _ASKED)
    parser.receive_data(raw)
    try:
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise UpstreamError(f"the Engine's response head is bad: {error}") from error
    if not isinstance(event, h11.Response | h11.InformationalResponse):
        raise UpstreamError("the Engine's response head is incomplete")
    if event.http_version not in {b"1.0", b"1.1"}:
        raise UpstreamError(f"the Engine's answer is not HTTP/1: {in_quotes(raw, 32)}")
    if b"\n " in raw or b"\n\t" in raw or raw.count(b"\n") != raw.count(b"\r\n"):
        raise UpstreamError("the Engine's response head has odd line ends")
    return event


_ASKED: Final = h11.Request(method="GET", target="/", headers=[("Host", "docker")])
_ASKED_FOR_UPGRADE: Final = h11.Request(
    method="POST",
    target="/",
    headers=[("Host", "docker"), ("Connection", "Upgrade"), ("Upgrade", "tcp")],
)


def _response_framing(
    event: h11.Response | h11.InformationalResponse, expected: Expectation, pairs: Pairs
) -> Framing:
    # In this order: RFC 9112, 6.3. What has no body has none whatever its fields say.
    status = event.status_code
    values = {lower: value for _, lower, value in pairs}
    if expected.is_head or status < 200 or status in {204, 304}:
        return NO_BODY
    if b"transfer-encoding" in values:
        if expected.version == b"1.0" or b"content-length" in values:
            raise UpstreamError("the Engine's response has a framing that is ambiguous")
        return CHUNKED
    if b"content-length" not in values:
        return UNTIL_CLOSE
    try:
        return sized(values[b"content-length"])
    except BadRequest as error:
        raise UpstreamError(f"the Engine's response has a {error}") from error


def _client_head(
    event: h11.Response | h11.InformationalResponse,
    pairs: Pairs,
    tokens: frozenset[bytes],
) -> bytes:
    """Write the head as the Engine did; of hop-by-hop pairs only its `Connection`."""
    # `Connection` stays: the client must hear that the Engine closes, for so do we.
    dropped = (HOP_BY_HOP | tokens) - {b"connection"}
    if event.status_code == 101:
        dropped -= {b"upgrade"}
    first = event.http_version, event.status_code, bytes(event.reason)
    return b"HTTP/%s %d %s\r\n%s\r\n" % (*first, forwarded(pairs, dropped))


def with_body(
    head: bytes, *, length: int | None = None, is_chunked: bool = False
) -> bytes:
    """Frame another body in place of the one that a head for the client announces.

    Neither: it has none, or ends with the connection.
    """
    head = _without(head, BODY_FIELDS)
    if length is not None:
        return head[:-2] + b"Content-Length: %d\r\n\r\n" % length
    return head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n" if is_chunked else head


def _without(head: bytes, names: frozenset[bytes]) -> bytes:
    """The same head without some fields."""
    lines = head.removesuffix(HEAD_END).split(b"\r\n")
    return b"\r\n".join(one for one in lines if name_of(one) not in names) + HEAD_END


def is_packed(head: bytes) -> bool:
    """Whether the body behind a head is not as it will be read, whoever asked for that."""
    return b"content-encoding" in map(name_of, head.split(b"\r\n"))


def closing(head: bytes) -> bytes:
    """Say `Connection: close` in a head, whatever it says."""
    return with_close(_without(head, frozenset({b"connection"})))


def with_close(head: bytes) -> bytes:
    """Add `Connection: close` to a response head that does not say so."""
    return head[:-2] + b"Connection: close\r\n\r\n"
