"""Request heads: bytes to values, and values to the bytes that go upstream.

h11 reads heads and nothing else; the framing of bodies is decided here from its event.
h11 is built for clients and servers that mean well: it takes some heads that the Engine
(Go's net/http) refuses or reads otherwise. A proxy that judges one reading while the
Engine acts on another is no guard, so whatever readers differ about is refused. Each
check below says what it stops; what a live Engine does with it is a row of
`tests/data/evasions.tsv`.

`parse_request` says what a head is, `render_request` writes the head that goes upstream
from what was judged: method and canonical target, one `Host`, one framing header, the
remaining fields as they came, hop-by-hop ones left out. Between the two, somebody
judges; nothing here knows a rule.
"""

import re
from dataclasses import replace
from typing import Final

import h11

from trioproxy.errors import BadRequest, HeadTooLarge
from trioproxy.http.framing import CHUNKED, NO_BODY, Framing, sized
from trioproxy.http.hosts import UNIX, Site, check_site
from trioproxy.http.memo import Memo
from trioproxy.quoting import in_quotes
from trioproxy.values import ordered_class, value_class

HEAD_LIMIT: Final = 128 * 1024
"""Bytes of a head, each way. The docker CLI sends 60 KB of X-Registry-Config."""

MOST_LINES: Final = 256
"""Of a request head, the request line among them. Clients send 10 to 20."""

MOST_TOKENS: Final = 64
"""Fields that `Connection` may name. Clients name one or two; each is work for us."""

HEAD_END: Final = b"\r\n\r\n"

HOP_BY_HOP: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization"
    b" te upgrade http2-settings".split()
)
"""RFC 9110 section 7.6.1. `Trailer` stays: trailers pass as they are."""

NEVER_FORWARDED: Final = frozenset({b"PRI", b"CONNECT", b"TRACE"})
"""`PRI` begins HTTP/2, `CONNECT` asks for a tunnel, `TRACE` repeats credentials."""

FORM_TYPES: Final = frozenset(
    {b"application/x-www-form-urlencoded", b"multipart/form-data"}
)
FRAMING_FIELDS: Final = frozenset({b"content-length", b"transfer-encoding"})
BODY_FIELDS: Final = FRAMING_FIELDS | {b"trailer"}
"""Fields that say how a body comes, and nothing of another one."""
ONCE_FIELDS: Final = frozenset(
    {
        *(b"content-type", b"expect", b"upgrade"),
        *(b"origin", b"referer", b"sec-fetch-site"),
    }
)
"""Fields that the judgement reads: of two, the Engine may read the other one."""

CREDENTIALS: Final = frozenset(
    {b"authorization", b"cookie", b"x-registry-auth", b"x-registry-config"}
)
"""Fields that are never kept in a memo."""

PLAIN_LINE: Final = re.compile(rb"(GET|HEAD|POST|PUT|DELETE) (/[!-~]*) HTTP/1\.1")
"""A request line that every reader reads alike."""

ABSOLUTE: Final = re.compile(rb"(?i:http):(?://([^/?#]+)|(?=/(?!/)))(.*)", re.DOTALL)
"""A target in absolute form, as for a proxy that forwards: its authority and the rest. None, as
`http:/containers/json`, where there is no `Host` either: so systeminformation (npm) asks."""

HOST: Final = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
LISTED_LENGTH: Final = re.compile(rb"(?i)\ncontent-length:[^\r]*,")
"""h11 folds `5, 5` to one length before we see it; Go refuses it (RFC 9110, 8.6)."""

NO_CONTROL: Final = bytes({*range(256)} - {*range(32), 127} | {*b"\t\n\r"})
"""All but the bytes that h11 lets through in a value, and the Engine does not (RFC 9110,
5.5)."""

AGENT_TOKEN: Final = re.compile(rb"[A-Za-z0-9._/-]{1,64}")
AGENT_COMMENT: Final = re.compile(
    rb"\([^()]*\)|(?<!\S)(?:darwin|freebsd|linux|windows)/\w+(?!\S)"
)
"""The Engine's own client in Go writes `moby-client/v0.5.0 linux/amd64`, without brackets."""
AGENT_TOKENS: Final = 8
AGENT_LIMIT: Final = 1024

Pairs = list[tuple[bytes, bytes, bytes]]
"""The field lines of a head: name as sent, name in lower case, value."""


@value_class
class HeaderFields:
    """All that follows from the field lines of a request, whatever its request line."""

    version: bytes
    framing: Framing
    keep_alive: bool
    """Whether the client wants the connection for another request."""
    agent: str
    """Product tokens of the user agent."""
    upgrade: bytes
    """The lines that ask for an upgrade, if the client does."""
    expects: bytes
    """What the client waits for before it sends its body; usually `100-continue`."""
    is_grpc: bool
    lines: bytes
    """The lines that go upstream."""
    has_credentials: bool


HeaderMemo = Memo[bytes, HeaderFields]
"""By the block of field lines, byte for byte."""


@ordered_class
class RequestHead:
    """What a request head says; nothing of it is judged yet."""

    method: bytes
    target: bytes
    """As it was sent; in origin form where it came in absolute form."""
    fields: HeaderFields


def resume_at(data: bytes | bytearray) -> int:
    """Where to search on when more bytes follow `data`, which holds no end."""
    return max(0, len(data) - len(HEAD_END) + 1)


class UnfinishedHead:
    """A head that comes in pieces. Each byte is looked at once, however small they are.

    A client that sends a head byte by byte must pay for that itself: searching or
    copying all that has come so far for each byte would be our work, and grow with the
    square of the length.
    """

    __slots__ = ("_lines", "data")

    def __init__(self) -> None:
        self.data = bytearray()
        """All bytes so far."""
        self._lines = 0

    def feed(self, piece: bytes) -> int:
        """Add bytes. The index where the head ends, or -1 while it is incomplete.

        Raises `HeadTooLarge` past a limit and `BadRequest` for a bare LF, which some
        readers take for a line end.
        """
        data = self.data
        # An end, and a line end, may have begun in the bytes before.
        start, line_start = resume_at(data), max(0, len(data) - 1)
        data += piece
        end = data.find(HEAD_END, start, HEAD_LIMIT)
        if end >= 0:
            return end + len(HEAD_END)
        if len(data) >= HEAD_LIMIT:
            raise HeadTooLarge(f"the request head is longer than {HEAD_LIMIT} bytes")
        line_ends = piece.count(b"\n")
        if line_ends != data.count(b"\r\n", line_start):
            raise BadRequest("a line of the request head ends in LF without CR")
        self._lines += line_ends
        _check_lines(self._lines)
        return -1


def _check_lines(count: int) -> None:
    # Parsing costs by the line: 30,000 of them fit into 128 KiB, and took 53 ms.
    if count > MOST_LINES:
        raise HeadTooLarge(f"the request head has more than {MOST_LINES} lines")


def parse_request(
    raw: bytes, site: Site = UNIX, seen: HeaderMemo | None = None
) -> RequestHead:
    """Parse one request head, as cut at the first CRLFCRLF. Raises `BadRequest`.

    Clients say the same of themselves in every request: field lines in `seen` are not
    read again, where the request line can be read in one way only. `seen` belongs to
    one `site`, for the same lines may come from a stranger's page elsewhere.
    """
    # The first CRLF ends the request line for every reader. Only a line that matches
    # PLAIN_LINE skips h11: anything odd in it goes through all checks, block and all.
    line, _, block = raw.partition(b"\r\n")
    plain = PLAIN_LINE.fullmatch(line)
    if plain and seen is not None and (fields := seen.get(block)):
        return RequestHead(plain[1], plain[2], fields)
    _check_bytes(raw)
    event = _run_h11(raw)
    fields = _read_fields(raw, event, site)
    target = _origin_form(event)
    # Credentials are not kept: a memory dump would have those of clients long gone.
    if plain and seen is not None and not fields.has_credentials:
        seen.keep(block, block, fields)
    return RequestHead(method=event.method, target=target, fields=fields)


def render_request(head: RequestHead, target: bytes, *, upgrades: bool) -> bytes:
    """Write the head that goes upstream, with the target as it was judged.

    `upgrades`: what asks the Engine to switch protocols goes along.
    """
    # `Connection` is between two hops (RFC 9110, 7.6.1): the client's was dropped with
    # the lines, and this one is ours. It says what the client's version does not imply.
    fields = head.fields
    connection = b""
    if upgrades:
        connection = fields.upgrade
    elif not fields.keep_alive and fields.version == b"1.1":
        connection = b"Connection: close\r\n"
    elif fields.keep_alive and fields.version == b"1.0":
        connection = b"Connection: keep-alive\r\n"
    parts = head.method, target, fields.version, fields.lines, connection
    return b"%s %s HTTP/%s\r\n%s%s\r\n" % parts


def render_whole(
    head: RequestHead, target: bytes, body: bytes, *, upgrades: bool
) -> bytes:
    """Write a request whose body was read and written anew: one length, nothing to wait for."""
    dropped, ours = BODY_FIELDS | {b"expect"}, b"Content-Length: %d\r\n" % len(body)
    if body and head.fields.framing is NO_BODY:  # the client sent none, and no type
        dropped |= {b"content-type"}
        ours += b"Content-Type: application/json\r\n"
    written = _with_others(head, dropped, ours)
    return render_request(written, target, upgrades=upgrades) + body


def render_chunked(head: RequestHead, target: bytes) -> bytes:
    """Write the head of a request whose body is written anew as it passes, in chunks.

    Raises `BadRequest` where such a body can be neither read nor written.
    """
    if head.fields.version == b"1.0":
        raise BadRequest("a tar is read as it passes, and goes on in HTTP/1.1 alone")
    for line in head.fields.lines.splitlines():
        name, _, coding = line.partition(b":")
        if name.lower() == b"content-encoding" and coding.strip() != b"identity":
            raise BadRequest(
                f"the tar is packed ({in_quotes(coding.strip(), 32)}): send it plain"
            )
    written = _with_others(head, BODY_FIELDS, b"Transfer-Encoding: chunked\r\n")
    return render_request(written, target, upgrades=False)


def uncompressed(head: RequestHead) -> RequestHead:
    """The same head, which asks for an answer that can be read."""
    return _with_others(head, frozenset({b"accept-encoding"}))


def _with_others(
    head: RequestHead, dropped: frozenset[bytes], ours: bytes = b""
) -> RequestHead:
    """The same head without some fields, and with lines of ours behind the others."""
    lines = head.fields.lines.splitlines(keepends=True)
    kept = b"".join(one for one in lines if name_of(one) not in dropped)
    return replace(head, fields=replace(head.fields, lines=kept + ours))


def name_of(line: bytes) -> bytes:
    """The name of a field by its line, in lower case."""
    return line.partition(b":")[0].lower()


def _read_fields(raw: bytes, event: h11.Request, site: Site) -> HeaderFields:
    """Read the header fields, and refuse what others would read otherwise."""
    pairs = pairs_of(event)
    _check_request(raw, event, pairs)
    values = {lower: value for _, lower, value in pairs}
    is_chunked = b"transfer-encoding" in values
    framing = CHUNKED if is_chunked else sized(values.get(b"content-length"))
    media_type = _media_type(values)
    _check_meaning(values, media_type, framing)
    check_site(values, site)
    tokens = connection_tokens(pairs)
    version_1_1 = event.http_version == b"1.1"
    return HeaderFields(
        version=event.http_version,
        framing=framing,
        agent=agent_tokens(values.get(b"user-agent")),
        keep_alive=b"close" not in tokens and (version_1_1 or b"keep-alive" in tokens),
        upgrade=b"Connection: Upgrade\r\nUpgrade: %s\r\n" % values[b"upgrade"]
        if b"upgrade" in values
        else b"",
        expects=values.get(b"expect", b"").strip().lower(),
        is_grpc=media_type.startswith(b"application/grpc"),
        lines=forwarded(pairs, HOP_BY_HOP | tokens),
        has_credentials=not values.keys().isdisjoint(CREDENTIALS),
    )


def _check_bytes(raw: bytes) -> None:
    # A bare LF ends a line for Go and h11, and not for other readers (RFC 9112, 2.2):
    # a field could be smuggled in the value of another.
    lines = raw.count(b"\n")
    if lines != raw.count(b"\r\n"):
        raise BadRequest("a line of the request head ends in LF without CR")
    _check_lines(lines - 1)  # the last one ends the head
    # h11 and Go join folded lines; other readers refuse them, or see two fields.
    if b"\n " in raw or b"\n\t" in raw:
        raise BadRequest("the request head has a folded header line (RFC 9112, 5.2)")
    if found := raw.translate(None, NO_CONTROL):
        raise BadRequest(
            f"the request head holds the control byte {in_quotes(found, 1)}"
        )
    _check_tokens(raw)


def _check_tokens(raw: bytes) -> None:
    # Before h11, which splits them too: 60,000 fit into 128 KiB, and take it 5 ms.
    if raw.count(b",") < MOST_TOKENS:
        return
    lines = raw.split(b"\r\n")
    named = (line for line in lines if name_of(line) == b"connection")
    if sum(line.count(b",") for line in named) >= MOST_TOKENS:
        raise BadRequest(f"Connection names more than {MOST_TOKENS} fields")


def _run_h11(raw: bytes) -> h11.Request:
    # A parser for each head: h11's state is that of a whole connection, with bodies, and
    # bodies are not its business here. To make one costs less than to reset one.
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
    parser.receive_data(raw)
    try:
        event = parser.next_event()
    except h11.RemoteProtocolError as error:
        # What follows a colon is the client's line, with a query or credentials in it.
        what = str(error).partition(":")[0]
        raise BadRequest(f"bad request head: {what}") from error
    # Bytes left over mean that h11 found the end of the head somewhere else than we.
    if not isinstance(event, h11.Request) or parser.trailing_data[0]:
        raise BadRequest("the request head does not end where it seems to")
    return event


def _origin_form(event: h11.Request) -> bytes:
    """Take the authority off a target in absolute form (RFC 9112, 3.2.2).

    The Engine prefers it to `Host`, and ignores the scheme. Here the two must agree, or
    what is judged by one name would be served under another; other schemes are refused
    by who parses the target.
    """
    found = ABSOLUTE.fullmatch(event.target)
    if found is None:
        return event.target
    host = b"".join(value for name, value in event.headers if name == b"host")
    named = found[1] or b""
    if named.lower() != host.lower():
        raise BadRequest(
            f"the target names {in_quotes(re.sub(b'.*@', b'...@', named))}, and the Host is {in_quotes(host)}:"
            " one request cannot ask two hosts"
        )
    return found[2] or b"/"


def pairs_of(event: h11.Request | h11.Response | h11.InformationalResponse) -> Pairs:
    """The field lines of a head, in their order."""
    return [(name, name.lower(), value) for name, value in event.headers.raw_items()]


def _check_request(raw: bytes, event: h11.Request, pairs: Pairs) -> None:
    """Refuse what h11 accepts and the Engine reads otherwise."""
    # h11 takes any HTTP/1.x; what the Engine makes of 1.2 is not written anywhere.
    if event.http_version not in {b"1.0", b"1.1"}:
        version = event.http_version.decode("latin-1")
        raise BadRequest(f"HTTP/{version} is not spoken here: use HTTP/1.1")
    if event.method in NEVER_FORWARDED:
        raise BadRequest(f"the method {event.method.decode()} is never forwarded")
    if LISTED_LENGTH.search(raw):
        raise BadRequest("Content-Length is a list")
    # h11 refuses a second Host and folds equal lengths; of these it keeps both, and Go
    # reads the first.
    names = [lower for _, lower, _ in pairs]
    for name in ONCE_FIELDS:
        if names.count(name) > 1:
            raise BadRequest(f"more than one {name.decode()} header")
    _check_framing(event, pairs, frozenset(names))


def _check_framing(event: h11.Request, pairs: Pairs, names: frozenset[bytes]) -> None:
    # Two framings, or chunks that an older reader does not know, are the classic way to
    # smuggle a request (RFC 9112, 6.1 and 11.2). h11 lets the chunks win, as Go does; a
    # reader in between may not.
    if b"transfer-encoding" in names:
        if event.http_version == b"1.0":
            raise BadRequest("Transfer-Encoding in an HTTP/1.0 request")
        if b"content-length" in names:
            raise BadRequest("both Content-Length and Transfer-Encoding")
    # Who honours `Connection: content-length` drops the length and reads another body.
    if framing := connection_tokens(pairs) & {b"host", *FRAMING_FIELDS}:
        name = min(framing).decode()
        raise BadRequest(f"Connection names {name}, which would drop it on the way")


def connection_tokens(pairs: Pairs) -> frozenset[bytes]:
    """What the `Connection` fields name, in lower case (RFC 9110, 7.6.1)."""
    return frozenset(
        token.strip().lower()
        for _, lower, value in pairs
        if lower == b"connection"
        for token in value.split(b",")
    )


def _media_type(values: dict[bytes, bytes]) -> bytes:
    content_type = values.get(b"content-type", b"")
    if not content_type.isascii():
        # Go folds some of these characters into ASCII letters and spaces.
        raise BadRequest(f"Content-Type {in_quotes(content_type)} is not ASCII")
    return content_type.split(b";")[0].strip().lower()


def _check_meaning(
    values: dict[bytes, bytes], media_type: bytes, framing: Framing
) -> None:
    """Refuse pairs that change what a request means for the Engine or a browser."""
    # Go answers 400 to a Host with other characters; h11 passes it on.
    host = values.get(b"host", b"")
    if not HOST.fullmatch(host):
        raise BadRequest(f"bad Host {in_quotes(host)}")
    if media_type in FORM_TYPES and framing is not NO_BODY:
        # The Engine merges form fields into the parameters, and lets them win.
        raise BadRequest(
            f"a body of type {media_type.decode()} could override the query:"
            " send the parameters in the query"
        )


def agent_tokens(agent: bytes | None) -> str:
    """Reduce a user agent to its product tokens: never comments, never anything else."""
    # Comments name operating systems, machines and sometimes people; tokens name programs.
    words = AGENT_COMMENT.sub(b" ", agent[:AGENT_LIMIT]).split() if agent else []
    tokens = [found[0].decode() for found in map(AGENT_TOKEN.match, words) if found]
    return " ".join(tokens[:AGENT_TOKENS])


def forwarded(pairs: Pairs, dropped: frozenset[bytes]) -> bytes:
    """Write the fields that go on."""
    return b"".join(
        b"%s: %s\r\n" % (name, value)
        for name, lower, value in pairs
        if lower not in dropped
    )
