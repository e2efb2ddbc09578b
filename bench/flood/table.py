"""The floods, as data: what is sent, how often, and whether answers are read."""

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Final

ALL_OPEN: Final = dict.fromkeys(
    ("BUILD", "CONTAINERS", "EVENTS", "IMAGES", "PING", "POST", "VERSION"), "1"
)
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
SHORT_CHUNKS: Final = b"1\r\na\r\n" * 40_000
HUNDRED_KB: Final = 100 * 1024
HEAD_OF_127_KB: Final = 127 * 1024
LONGEST_BODY: Final = 4 * 1024 * 1024
LISTED: Final = 5_000
ASKED: Final = 1_000
LIMITED: Final = ALL_OPEN | {"CREATE_BINDS": "/srv/app", "CREATE_OPTIONS": "*"}
LONG_LISTS: Final = ALL_OPEN | {
    "CREATE_BINDS": ",".join(f"/srv/{number}:ro" for number in range(LISTED)),
    "CREATE_PORTS": ",".join(str(1024 + number) for number in range(LISTED)),
}

NARROWED: Final = ALL_OPEN | {
    "SYSTEM": "1",
    "VOLUMES": "1",
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "flooded",
    "REDACT": "env",
}

UNPACKING: Final = {
    "ALLOW_OPERATIONS": "ContainerList,PutContainerArchive,SystemEvents,SystemPing,SystemVersion",
    "CREATE_BINDS": "",
}
LARGEST: Final = b"Content-Length: 9999999999999\r\n"
"""Of a body that goes on for ever."""

Variables = tuple[tuple[str, str], ...]


def head(line: str, fields: bytes = b"") -> bytes:
    """A head with its empty line."""
    return line.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n" + fields + b"\r\n"


def unfinished(size: int, line: bytes = b"X-Filler: %s\r\n" % (b"f" * 4000)) -> bytes:
    """The beginning of a head, so many bytes of it."""
    start = b"GET /_ping HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    return (start + line * (size // len(line) + 1))[:size]


def creation(size: int = 0, **host: object) -> bytes:
    """A request to create a container, with a body that is filled up to a size."""
    value = {"HostConfig": host, "Env": ["x" * max(0, size - 999)]}
    body = json.dumps(value).encode()
    fields = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body)
    return head("POST /containers/create", fields) + body


def entries(count: int) -> bytes:
    """A part of an archive: empty files whose names stand in headers of their own."""
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for number in range(count):
                tar.addfile(tarfile.TarInfo(f"{'n' * 200}{number:03}"))
            size = tar.offset
        return file.getvalue()[:size]


ENTRIES: Final = entries(128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """One flood; a connection that is closed is opened again."""

    name: str
    title: str
    """As it stands in the table."""
    connections: int
    first: bytes
    """Sent once a connection, as fast as it is taken."""
    then: bytes = b""
    """Sent after that, again and again."""
    piece: int = 65536
    """Bytes of `then` in one send."""
    rate: float = 0.0
    """At most so many sends of `then` a second, over all connections."""
    again: bool = False
    """Send `first` once more after each answer."""
    bursts: bool = False
    """Send `first` on all connections at once, once a second."""
    reads: bool = True
    """Read answers; else the window of the connection fills."""
    restless: bool = False
    """Open a connection anew where nothing moved for a while."""
    openings: float = 2000.0
    """At most so many new connections a second."""
    is_one_client: bool = False
    """Whether it has no more than the places of one; else it stands for many."""
    variables: Variables = tuple(ALL_OPEN.items())
    newcomers: bool = True
    """Pings come on new connections too; where all places are rightly taken, they would
    be turned away, and the client that has one is looked at alone."""
    descriptors: int = 0
    """The descriptor limit that the proxy starts with; 0 leaves it alone."""


FLOODS: Final = (
    Flood(
        name="drip",
        title="heads byte by byte, 100 connections",
        connections=100,
        first=unfinished(HUNDRED_KB, b"a: b\r\n"),
        then=b"c",
        piece=1,
        rate=5000,
    ),
    Flood(
        name="lines",
        title="heads of 30,000 lines, 8 clients",
        connections=8,
        first=head("GET /_ping", b"a:\r\n" * 30_000),
        again=True,
    ),
    Flood(
        name="unfinished",
        title="3,900 unfinished heads of 127 KB",
        connections=3900,
        first=unfinished(HEAD_OF_127_KB),
    ),
    Flood(
        name="slow-readers",
        title="600 slow readers of chunked answers",
        connections=600,
        first=head("GET /containers/x/export"),
        reads=False,
    ),
    Flood(
        name="chunks-unwanted",
        title="one-byte chunks to GET /events, 8 clients",
        connections=8,
        first=head("GET /events", CHUNKED),
        then=SHORT_CHUNKS,
        restless=True,
        variables=(),
    ),
    Flood(
        name="chunks-up",
        title="one-byte chunks in uploads, 8 clients",
        connections=8,
        first=head("POST /build?t=x", CHUNKED),
        then=SHORT_CHUNKS,
    ),
    Flood(
        name="chunks-down",
        title="answers of one-byte chunks, 8 clients",
        connections=8,
        first=head("GET /images/json"),
    ),
    Flood(
        name="slots",
        title="one client takes every slot, silent",
        connections=4200,
        first=b"",
        is_one_client=True,
    ),
    Flood(
        name="slots-busy",
        title="one client takes every slot, streams",
        connections=4200,
        first=head("GET /events"),
        is_one_client=True,
    ),
    Flood(
        name="turned-away",
        title="400 clients, ulimit -n 256",
        connections=400,
        first=head("GET /events"),
        reads=False,
        openings=1000,
        newcomers=False,
        descriptors=256,
    ),
    Flood(
        name="health",
        title="400 health requests at once",
        connections=400,
        first=head("GET /_trioproxy/health"),
        bursts=True,
    ),
    # Those of a second one.
    Flood(
        name="refused-large",
        title="refused creations of 4 MiB, 100 clients",
        connections=100,
        first=creation(LONGEST_BODY, Binds=["/etc:/e"]),
        again=True,
        variables=tuple(LIMITED.items()),
    ),
    Flood(
        name="waiting",
        title="creations of 4 MiB that wait for a volume, 60 clients",
        connections=60,
        first=creation(LONGEST_BODY, Binds=["v:/v"]),
        variables=tuple(LIMITED.items()),
    ),
    Flood(
        name="slow-engine",
        title="creations of 4 MiB, an Engine that never answers, 80 clients",
        connections=80,
        first=creation(LONGEST_BODY, Binds=["/srv/app:/a"]),
        variables=tuple(LIMITED.items()),
    ),
    Flood(
        name="half-heads",
        title="one client takes every slot, half a head each",
        connections=4200,
        first=b"GET /_pi",
        is_one_client=True,
    ),
    Flood(
        name="long-lists",
        title="1,000 binds against a list of 5,000, 8 clients",
        connections=8,
        first=creation(
            Binds=[*(f"/srv/{number}:/a:ro" for number in range(ASKED)), "/etc:/e"]
        ),
        again=True,
        variables=tuple(LONG_LISTS.items()),
    ),
    Flood(
        name="long-lists-ports",
        title="1,000 ports against a list of 5,000, 8 clients",
        connections=8,
        first=creation(
            PortBindings={
                f"{port}/tcp": [{"HostPort": str(port)}]
                for port in (*range(1024, 1024 + ASKED), 80)
            }
        ),
        again=True,
        variables=tuple(LONG_LISTS.items()),
    ),
    Flood(
        name="escapes",
        title="paths of 40,000 escapes, 8 clients",
        connections=8,
        first=head(f"GET /containers/{'%41' * 40_000}/json"),
    ),
    Flood(
        name="tokens",
        title="60,000 tokens of Connection, 8 clients",
        connections=8,
        first=head("GET /_ping", b"Connection: %b\r\n" % b",".join([b"a"] * 60_000)),
    ),
    # Brothers of these.
    Flood(
        name="long-heads",
        title="streams with heads of 120 KB, 400 clients",
        connections=400,
        first=head(f"GET /events?filters={'%7B' * 40_000}"),
        openings=200,
        is_one_client=True,
    ),
    Flood(
        name="pipelined",
        title="requests in a pipeline, 8 clients",
        connections=8,
        first=b"",
        then=head("GET /_ping") * 200,
    ),
    Flood(
        name="pipelined-unread",
        title="a pipeline and no answer read, 200 clients",
        connections=200,
        first=head("GET /_ping") * 2000,
        reads=False,
    ),
    Flood(
        name="refused-bodies",
        title="refused, with endless bodies, 8 clients",
        connections=8,
        first=head("POST /volumes/create", CHUNKED),
        then=SHORT_CHUNKS,
    ),
    Flood(
        name="refused-small",
        title="refused, a new connection each, 16 clients",
        connections=16,
        first=head("POST /volumes/create", b"Content-Length: 2\r\n") + b"{}",
    ),
    Flood(
        name="prefaces",
        title="HTTP/2 prefaces, 16 clients",
        connections=16,
        first=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ),
    Flood(
        name="tunnels",
        title="200 tunnels whose output nobody reads",
        connections=200,
        first=head(
            "POST /containers/x/attach?stream=1",
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n",
        ),
        reads=False,
    ),
    Flood(
        name="trailers",
        title="long trailers byte by byte, 100 clients",
        connections=100,
        first=head("POST /build?t=x", CHUNKED) + b"0\r\n" + b"a: b\r\n" * 2000,
        then=b"a: b\r\n",
        piece=1,
        rate=5000,
    ),
    Flood(
        name="continue",
        title="Expect: 100-continue and no body, 400 clients",
        connections=400,
        first=head(
            "POST /build?t=x", b"Expect: 100-continue\r\nContent-Length: 1000\r\n"
        ),
    ),
    Flood(
        name="answer-drip",
        title="answer heads byte by byte, 50 clients",
        connections=50,
        first=head("GET /containers/x/json"),
    ),
    *(
        Flood(
            name=f"answers-{name}",
            title=f"judged answers of {what}, 8 clients",
            connections=8,
            first=head(f"GET {target}"),
            again=True,
            variables=tuple(NARROWED.items()),
        )
        for name, target, what in (
            ("brackets", "/containers/json", "brackets, as long as one may be"),
            ("numbers", "/system/df", "numbers without an end"),
            ("volumes", "/volumes", "small volumes without an end"),
        )
    ),
    Flood(
        name="archives",
        title="archives of empty files with long names, 8 clients",
        connections=8,
        first=head("PUT /containers/x/archive?path=/", LARGEST),
        then=ENTRIES,
        variables=tuple(UNPACKING.items()),
    ),
)
"""The first eleven are those of a review that broke an earlier version."""
