"""Heads: bytes to what follows from them, judged once and remembered.

h11 reads heads and nothing else; the framing of bodies is decided here from its event.
What h11 lets through but the Engine reads otherwise is refused (RFC 9112; the Engine's
net/http). A head goes on rebuilt: judged method and target, one `Host`, one framing
header, the remaining headers as they came, hop-by-hop ones aside.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, Generic, TypeVar

import h11

from trioproxy.errors import BadRequest, CrossSite, HeadTooLarge, UpstreamError
from trioproxy.policy.endpoints import Stream
from trioproxy.policy.gate import Gate, Verdict, judge
from trioproxy.proxy import replies
from trioproxy.proxy.log import quote
from trioproxy.values import value_class

HEAD_LIMIT: Final = 128 * 1024
"""Bytes of a head, each way. The docker CLI sends 60 KB of X-Registry-Config."""

HEAD_END: Final = b"\r\n\r\n"
HEALTH_TARGET: Final = b"/_trioproxy/health"

HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization"
    b" te upgrade http2-settings".split()
)
"""RFC 9110 section 7.6.1. `Trailer` stays: trailers pass as they are."""

NEVER_FORWARDED: Final = frozenset({b"PRI", b"CONNECT", b"TRACE"})
FORM_TYPES: Final = frozenset(
    {b"application/x-www-form-urlencoded", b"multipart/form-data"}
)
FRAMING_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})
ONCE_HEADERS: Final = frozenset(
    {b"content-type", b"expect", b"upgrade", b"origin", b"sec-fetch-site"}
)
"""Headers that the judgement reads: a second one would be read by somebody else."""
CREDENTIALS: Final = frozenset(
    {b"authorization", b"cookie", b"x-registry-auth", b"x-registry-config"}
)

PLAIN_LINE: Final = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) (/[!-~]*) HTTP/1\.1")
"""A request line that every reader reads alike."""

HOST: Final = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
LENGTH: Final = re.compile(rb"[0-9]{1,18}")
LISTED_LENGTH: Final = re.compile(rb"(?i)\ncontent-length:[^\r]*,")
CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Bytes that h11 lets through in a value, and the Engine does not (RFC 9110, 5.5)."""
AGENT_TOKEN: Final = re.compile(rb"[A-Za-z0-9._/-]{1,64}")
AGENT_COMMENT: Final = re.compile(rb"\([^()]*\)")
AGENT_TOKENS: Final = 8
AGENT_LIMIT: Final = 1024

TUNNELLED: Final = frozenset({Stream.HIJACK, Stream.H2C, Stream.WEBSOCKET})

Headers = list[tuple[bytes, bytes, bytes]]
"""Name as sent, name in lower case, value."""


UNKNOWN_LENGTH: Final = -1


class Body(Enum):
    """How the end of a body is found."""

    NONE = "none"
    SIZED = "sized"
    CHUNKED = "chunked"
    UNTIL_CLOSE = "until close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The framing of one body."""

    body: Body
    length: int = UNKNOWN_LENGTH


NO_BODY: Final = Framing(body=Body.NONE, length=0)
CHUNKED: Final = Framing(body=Body.CHUNKED)
UNTIL_CLOSE: Final = Framing(body=Body.UNTIL_CLOSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """All that follows from the header fields of a request, whatever its target."""

    version: bytes
    framing: Framing
    agent: str
    """Product tokens of the user agent."""
    keep_alive: bool
    expects_continue: bool
    upgrade: bytes
    """The lines that ask for an upgrade, if the client does."""
    is_grpc: bool
    lines: bytes
    """The lines that go upstream."""
    remember: bool
    """No credentials are among them."""


@value_class
class RequestHead:
    """All that follows from the bytes of a request head."""

    verdict: Verdict
    upstream: bytes
    """The rebuilt head."""
    framing: Framing
    version: bytes
    keep_alive: bool
    """Whether the client wants the connection for another request."""
    expects_continue: bool
    stream: Stream
    upgrades: bool
    """An `Upgrade` goes upstream, so a 101 is a right answer."""
    raw_body: bool
    """The Engine reads no body here: what of it comes with the head goes with the head,
    as from the client; all other bytes belong to the stream."""
    refusal: bytes
    """Our answer where the gate refuses; empty where it lets the request through."""
    fields: str
    """What the log line of every such request says."""
    is_tunnel: bool
    """Whether the Engine may take the connection over."""
    is_health: bool
    remember: bool
    asked: bytes
    """What the reading of a response depends on, in one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
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


Key = TypeVar("Key")
Head = TypeVar("Head")


class Memo(Generic[Key, Head]):
    """What followed from heads seen before, bounded in entries and bytes.

    A head is kept when it comes for the second time. A client that never says the same
    twice pushes no other's heads out, and does not pay for keeping its own.
    """

    MAX_ENTRIES: Final = 512
    MAX_HEAD: Final = 4 * 1024

    def __init__(self) -> None:
        self._heads: dict[Key, Head] = {}
        self._came_once: set[int] = set()
        self.get = self._heads.get

    def keep(self, key: Key, raw: bytes, head: Head) -> None:
        """Remember a head from its second time on; the oldest one makes room.

        Over 4 KiB none is kept.
        """
        if len(raw) > self.MAX_HEAD or self._is_new(key):
            return
        if len(self._heads) >= self.MAX_ENTRIES:
            del self._heads[next(iter(self._heads))]
        self._heads[key] = head

    def _is_new(self, key: Key) -> bool:
        """Whether this head did not come lately, as far as a hash tells heads apart."""
        mark = hash(key)
        if mark in self._came_once:
            return False
        if len(self._came_once) >= self.MAX_ENTRIES:
            self._came_once.clear()
        self._came_once.add(mark)
        return True

    def __len__(self) -> int:
        return len(self._heads)


def resume_at(data: bytes) -> int:
    """Where to search on when more bytes follow `data`, which holds no end."""
    return max(0, len(data) - len(HEAD_END) + 1)


def find_head_end(data: bytes, start: int = 0) -> int:
    """Find where the head in `data` ends: an index, or -1 while it is incomplete.

    None begins before `start` (see `resume_at`). Raises `HeadTooLarge` past the limit
    and `BadRequest` for a bare LF, which some readers take for a line end.
    """
    end = data.find(HEAD_END, start, HEAD_LIMIT)
    if end >= 0:
        return end + len(HEAD_END)
    if len(data) >= HEAD_LIMIT:
        raise HeadTooLarge(f"the request head is longer than {HEAD_LIMIT} bytes")
    if data.count(b"\n") != data.count(b"\r\n"):
        raise BadRequest("a line of the request head ends in LF without CR")
    return -1


def read_request(
    raw: bytes, gate: Gate, fields: "Memo[bytes, Fields] | None" = None
) -> RequestHead:
    """Parse and judge one request head, as cut at the first CRLFCRLF.

    Clients say the same of themselves in every request: header fields seen before are
    not read again, where the request line can be read in one way only.
    """
    line, _, block = raw.partition(b"\r\n")
    plain = PLAIN_LINE.fullmatch(line)
    known = fields.get(block) if plain and fields is not None else None
    if plain and known:
        return _judge(plain[1], plain[2], known, gate)
    _check_lines(raw)
    event = _parse_request(raw)
    read = _read_fields(raw, event)
    if plain and fields is not None and read.remember:
        fields.keep(block, block, read)
    return _judge(event.method, event.target, read, gate)


def _read_fields(raw: bytes, event: h11.Request) -> Fields:
    """Read the header fields, and refuse what others would read otherwise."""
    headers = _headers(event)
    _check_request(raw, event, headers)
    values = {lower: value for _, lower, value in headers}
    framing = _request_framing(values)
    media_type = _media_type(values)
    _check_meaning(values, media_type, framing)
    tokens = _connection_tokens(headers)
    version_1_1 = event.http_version == b"1.1"
    return Fields(
        version=event.http_version,
        framing=framing,
        agent=agent_tokens(values.get(b"user-agent")),
        keep_alive=b"close" not in tokens and (version_1_1 or b"keep-alive" in tokens),
        expects_continue=values.get(b"expect", b"").lower() == b"100-continue",
        upgrade=_upgrade_line(headers),
        is_grpc=media_type.startswith(b"application/grpc"),
        lines=_forwarded(headers, HOP_BY_HOP | tokens),
        remember=values.keys().isdisjoint(CREDENTIALS),
    )


def _judge(method: bytes, target: bytes, fields: Fields, gate: Gate) -> RequestHead:
    verdict = judge(gate, method.decode(), target, fields.agent)
    request = verdict.request
    if fields.is_grpc and request.target.path != "/grpc":
        raise BadRequest("gRPC bypasses the Engine's routes and is never forwarded")
    stream = request.endpoint.stream if request.endpoint else Stream.NONE
    is_tunnel = stream in TUNNELLED
    upgrades = is_tunnel and fields.upgrade != b""
    return RequestHead(
        verdict=verdict,
        upstream=_rebuild(method, request.target.canonical, fields, upgrades=upgrades),
        framing=fields.framing,
        version=fields.version,
        keep_alive=fields.keep_alive,
        expects_continue=fields.expects_continue,
        stream=stream,
        upgrades=upgrades,
        raw_body=request.operation in RAW_BODY_OPERATIONS,
        refusal=_refusal(verdict, fields.framing, keep_alive=fields.keep_alive),
        fields=_log_fields(verdict),
        is_tunnel=is_tunnel,
        is_health=method == b"GET" and target == HEALTH_TARGET,
        remember=fields.remember,
        asked=_asked(method, fields.version, stream, upgrades=upgrades),
    )


def _asked(method: bytes, version: bytes, stream: Stream, *, upgrades: bool) -> bytes:
    head = b"HEAD" if method == b"HEAD" else b""
    return b"%s %s %s %d" % (head, version, stream.encode(), upgrades)


def _refusal(verdict: Verdict, framing: Framing, *, keep_alive: bool) -> bytes:
    if verdict.decision.allowed:
        return b""
    return replies.message(
        403,
        verdict.decision.message,
        close=not keep_alive or framing is not NO_BODY,
        head_only=verdict.request.method == "HEAD",
    )


def _log_fields(verdict: Verdict) -> str:
    request, decision = verdict.request, verdict.decision
    return (
        f"method={quote(request.method)} path={quote(request.target.shown)}"
        f" operation={request.operation}"
        f" decision={decision.word} reason={decision.reason}"
    )


RAW_BODY_OPERATIONS: Final = frozenset(
    {"ContainerAttach", "ContainerAttachWebsocket", "Session", "BuildKitControl"}
)
"""The Engine never reads a framed body here: what follows the head is the stream."""


def _check_lines(raw: bytes) -> None:
    if raw.count(b"\n") != raw.count(b"\r\n"):
        raise BadRequest("a line of the request head ends in LF without CR")
    if b"\n " in raw or b"\n\t" in raw:
        raise BadRequest("the request head has a folded header line (RFC 9112, 5.2)")
    if found := CONTROL.search(raw):
        raise BadRequest(f"the request head holds the control byte {found[0]!r}")


def _parse_request(raw: bytes) -> h11.Request:
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
    parser.receive_data(raw)
    try:
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise BadRequest(f"bad request head: {error}") from error
    if not isinstance(event, h11.Request) or parser.trailing_data[0]:
        raise BadRequest("the request head does not end where it seems to")
    return event


def _headers(event: h11.Request | h11.Response | h11.InformationalResponse) -> Headers:
    return [(name, name.lower(), value) for name, value in event.headers.raw_items()]


def _check_request(raw: bytes, event: h11.Request, headers: Headers) -> None:
    """Refuse what h11 accepts and the Engine reads otherwise."""
    if event.http_version not in {b"1.0", b"1.1"}:
        version = event.http_version.decode("latin-1")
        raise BadRequest(f"HTTP/{version} is not spoken here: use HTTP/1.1")
    if event.method in NEVER_FORWARDED:
        raise BadRequest(f"the method {event.method.decode()} is never forwarded")
    if LISTED_LENGTH.search(raw):
        raise BadRequest("Content-Length is a list")
    names = [lower for _, lower, _ in headers]
    for name in ONCE_HEADERS:
        if names.count(name) > 1:
            raise BadRequest(f"more than one {name.decode()} header")
    _check_framing(event, headers, frozenset(names))


def _check_framing(
    event: h11.Request, headers: Headers, names: frozenset[bytes]
) -> None:
    if b"transfer-encoding" in names:
        if event.http_version == b"1.0":
            raise BadRequest("Transfer-Encoding in an HTTP/1.0 request")
        if b"content-length" in names:
            raise BadRequest("both Content-Length and Transfer-Encoding")
    if named := _connection_tokens(headers) & {b"host", *FRAMING_HEADERS}:
        name = min(named).decode()
        raise BadRequest(f"Connection names {name}, which would drop it on the way")


def _connection_tokens(headers: Headers) -> frozenset[bytes]:
    return frozenset(
        token.strip().lower()
        for _, lower, value in headers
        if lower == b"connection"
        for token in value.split(b",")
    )


def _request_framing(values: dict[bytes, bytes]) -> Framing:
    if b"transfer-encoding" in values:
        return CHUNKED
    return _sized(values.get(b"content-length"))


def _sized(length: bytes | None) -> Framing:
    if length is None:
        return NO_BODY
    if not LENGTH.fullmatch(length):
        raise BadRequest(f"bad Content-Length {length[:32]!r}")
    count = int(length)
    return Framing(body=Body.SIZED, length=count) if count else NO_BODY


def _media_type(values: dict[bytes, bytes]) -> bytes:
    content_type = values.get(b"content-type", b"")
    if not content_type.isascii():
        # Go folds some of these characters into ASCII letters and spaces.
        raise BadRequest(f"Content-Type {content_type[:64]!r} is not ASCII")
    return content_type.split(b";")[0].strip().lower()


def _check_meaning(
    values: dict[bytes, bytes], media_type: bytes, framing: Framing
) -> None:
    """Refuse headers that change what a request means for the Engine or a browser."""
    host = values.get(b"host", b"")
    if not HOST.fullmatch(host):
        raise BadRequest(f"bad Host {host[:64]!r}")
    if media_type in FORM_TYPES and framing is not NO_BODY:
        # The Engine merges form fields into the parameters, and lets them win.
        raise BadRequest(
            f"a body of type {media_type.decode()} could override the query:"
            " send the parameters in the query"
        )
    _check_site(host, values)


def _check_site(host: bytes, values: dict[bytes, bytes]) -> None:
    origin = values.get(b"origin")
    site = values.get(b"sec-fetch-site", b"").strip().lower()
    foreign = origin is not None and _site_of(origin) != host.lower()
    if foreign or site == b"cross-site":
        raise CrossSite(
            "a web page of another site sent this request: the Origin is not the Host"
        )


def _site_of(origin: bytes) -> bytes | None:
    """Host and port of an `Origin`; None for `null`, which no host is."""
    _, separator, site = origin.strip().lower().partition(b"://")
    return site if separator and site else None


def agent_tokens(agent: bytes | None) -> str:
    """Reduce a user agent to its product tokens: never comments, never anything else."""
    words = AGENT_COMMENT.sub(b" ", agent[:AGENT_LIMIT]).split() if agent else []
    tokens = [found[0].decode() for found in map(AGENT_TOKEN.match, words) if found]
    return " ".join(tokens[:AGENT_TOKENS])


def _forwarded(headers: Headers, dropped: frozenset[bytes]) -> bytes:
    """Write the fields that go upstream."""
    return b"".join(
        b"%s: %s\r\n" % (name, value)
        for name, lower, value in headers
        if lower not in dropped
    )


def _upgrade_line(headers: Headers) -> bytes:
    """Write what asks the Engine to switch, where it may be asked."""
    for name, lower, value in headers:
        if lower == b"upgrade":
            return b"Connection: Upgrade\r\n%s: %s\r\n" % (name, value)
    return b""


def _rebuild(method: bytes, target: bytes, fields: Fields, *, upgrades: bool) -> bytes:
    """Write the head that goes upstream."""
    connection = b""
    if upgrades:
        connection = fields.upgrade
    elif not fields.keep_alive and fields.version == b"1.1":
        connection = b"Connection: close\r\n"
    elif fields.keep_alive and fields.version == b"1.0":
        connection = b"Connection: keep-alive\r\n"
    parts = method, target, fields.version, fields.lines, connection
    return b"%s %s HTTP/%s\r\n%s%s\r\n" % parts


def find_response_end(data: bytes, start: int = 0) -> int:
    """Find where the Engine's head ends, or -1; `UpstreamError` past the limit."""
    end = data.find(HEAD_END, start, HEAD_LIMIT)
    if end >= 0:
        return end + len(HEAD_END)
    if len(data) >= HEAD_LIMIT:
        raise UpstreamError(f"the Engine's response head exceeds {HEAD_LIMIT} bytes")
    if not b"HTTP/1.".startswith(data[:7]):
        raise UpstreamError(f"the Engine's answer is not HTTP/1: {data[:32]!r}")
    return -1


def read_response(raw: bytes, request: RequestHead) -> ResponseHead:
    """Parse one response head to `request`; `UpstreamError` for what is no answer."""
    event = _parse_response(raw, request)
    headers = _headers(event)
    names = [lower for _, lower, _ in headers]
    status = event.status_code
    framing = _response_framing(event, request, headers)
    switches = status == 101 or _is_raw_stream(status, request, names)
    if status == 101 and not request.upgrades:
        raise UpstreamError("the Engine switched protocols where nobody asked for it")
    tokens = _connection_tokens(headers)
    keep_alive = (
        not switches
        and framing is not UNTIL_CLOSE
        and b"close" not in tokens
        and (event.http_version == b"1.1" or b"keep-alive" in tokens)
    )
    return ResponseHead(
        status=status,
        client=_client_head(event, headers, tokens),
        framing=framing,
        keep_alive=keep_alive,
        is_interim=100 <= status < 200 and status != 101,
        switches=switches,
        unrouted=status == 404 and b"api-version" not in names,
    )


def _parse_response(
    raw: bytes, request: RequestHead
) -> h11.Response | h11.InformationalResponse:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
    parser.send(_ASKED_FOR_UPGRADE if request.upgrades else _ASKED)
    parser.receive_data(raw)
    try:
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        raise UpstreamError(f"the Engine's response head is bad: {error}") from error
    if not isinstance(event, h11.Response | h11.InformationalResponse):
        raise UpstreamError("the Engine's response head is incomplete")
    if event.http_version not in {b"1.0", b"1.1"}:
        raise UpstreamError(f"the Engine's answer is not HTTP/1: {raw[:32]!r}")
    if b"\n " in raw or b"\n\t" in raw or raw.count(b"\n") != raw.count(b"\r\n"):
        raise UpstreamError("the Engine's response head has odd line ends")
    return event


_ASKED: Final = h11.Request(method="GET", target="/", headers=[("Host", "docker")])
_ASKED_FOR_UPGRADE: Final = h11.Request(
    method="POST",
    target="/",
    headers=[("Host", "docker"), ("Connection", "Upgrade"), ("Upgrade", "tcp")],
)


def _is_raw_stream(status: int, request: RequestHead, names: list[bytes]) -> bool:
    """Tell the old form of a hijack: 200 without a length, then raw bytes."""
    return (
        status == 200
        and request.stream is Stream.HIJACK
        and FRAMING_HEADERS.isdisjoint(names)
    )


def _response_framing(
    event: h11.Response | h11.InformationalResponse,
    request: RequestHead,
    headers: Headers,
) -> Framing:
    status = event.status_code
    values = {lower: value for _, lower, value in headers}
    if request.verdict.request.method == "HEAD" or status < 200 or status in {204, 304}:
        return NO_BODY
    if b"transfer-encoding" in values:
        if request.version == b"1.0" or b"content-length" in values:
            raise UpstreamError("the Engine's response has a framing that is ambiguous")
        return CHUNKED
    if b"content-length" not in values:
        return UNTIL_CLOSE
    try:
        return _sized(values[b"content-length"])
    except BadRequest as error:
        raise UpstreamError(f"the Engine's response has a {error}") from error


def _client_head(
    event: h11.Response | h11.InformationalResponse,
    headers: Headers,
    tokens: frozenset[bytes],
) -> bytes:
    """Write the head as the Engine did; of hop-by-hop headers only its `Connection`."""
    lines = [
        b"HTTP/%s %d %s" % (event.http_version, event.status_code, bytes(event.reason))
    ]
    dropped = (HOP_BY_HOP | tokens) - {b"connection"}
    if event.status_code == 101:
        dropped -= {b"upgrade"}
    lines += [
        b"%s: %s" % (name, value)
        for name, lower, value in headers
        if lower not in dropped
    ]
    return b"\r\n".join(lines) + HEAD_END


def with_close(head: bytes) -> bytes:
    """Add `Connection: close` to a response head that does not say so."""
    return head[:-2] + b"Connection: close\r\n\r\n"
