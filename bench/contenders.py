"""Who is measured: no proxy, HAProxy twice, trioproxy three times, mere copying, peers."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import BenchError, Child, python_program
from bench.upstreams import Reach
from bench.wire import free_port

DIRECT = "direct"
INCUMBENT = "haproxy"
REUSING = "haproxy-reuse"
SECTIONS = "trio-sections"
EXACT = "trio-exact"
LEARNING = "trio-learn"
OWN = "trio-own"
"""Judges which container is meant: it asks the Engine first."""
METERED = "trio-metrics"
"""With METRICS, which nobody scrapes meanwhile: the cost of counting."""

HOME = "trio-home"
"""Its tasks never stay off Trio's loop."""
OVER_TCP = "trio-tcp"
HOME_OVER_TCP = "trio-tcp-home"
BARE = "trio-bare"
THREADS = "threads-bare"

GRANTED = ("CONTAINERS", "EVENTS", "IMAGES", "PING", "POST", "VERSION")
"""The section variables at 1, for whoever reads them."""

EXCEPTIONS = ("ALLOW_ATTACH", "ALLOW_EXPORT")
"""What HAProxy's rules need on top, as the incumbent closes these in an open section."""

OPERATIONS = (
    "ContainerAttach", "ContainerExport", "ContainerInspect", "ContainerList",
    "ImageList", "ImageLoad", "SystemEvents", "SystemPing",
)  # fmt: skip
"""The same work as operations, for exact mode."""

OWNER = "bench"
"""Whose containers the real Engine has."""

_RULED = (
    "auth", "build", "commit", "configs", "containers", "distribution", "events", "exec", "grpc", "images", "info",
    "networks", "nodes", "_ping", "plugins", "secrets", "services", "session", "swarm", "system", "tasks", "version",
    "volumes",
)  # fmt: skip

_DENIED = ("exec", "kill", "attach", "archive", "export", "logs")
_VERBS = {
    "RESTARTS": "((stop)|(restart)|(kill))",
    "START": "start", "STOP": "stop", "PAUSE": "pause", "UNPAUSE": "unpause",
}  # fmt: skip

# Written from what the incumbent (tecnativa 0.5) documents and does: each variable is one
# case-insensitive regular expression on the decoded path. First come the methods, then
# what stays refused in an open section, then the verbs, then the sections in
# alphabetical order; /events has a backend of its own.
_HAPROXY = """
global
    log stdout format raw daemon info
    maxconn {connections}
defaults
    mode http
    log global
    option httplog
    option dontlognull
    {reuse}
    option redispatch
    retries 3
    timeout connect 10s
    timeout client 10m
    timeout server 10m
    timeout http-request 10s
    timeout http-keep-alive {keep}
    maxconn {connections}
frontend proxy
    bind 127.0.0.1:{port}
    http-request deny unless METH_GET || METH_POST {{ env(POST) -m bool }}
{rules}
    http-request deny
    use_backend events if {events}
    default_backend engine
backend events
    timeout server 0
    server engine unix@{socket}
backend engine
    server engine unix@{socket}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a command line is made from."""

    port: int
    socket: Path
    folder: Path
    connections: int
    """How many clients at once it must hold."""
    upstream_port: int
    """Where the upstream listens on TCP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One column of the tables."""

    name: str
    command: Callable[[Start], list[str]] | None = None
    """The program, or None when there is nothing to start."""
    port: int | None = None
    """Where it listens already, in front of the fast upstream."""
    exceptions: tuple[str, ...] = ()
    """Variables that it alone needs at 1."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Other variables of its own."""
    refuses: bool = True
    """Whether it refuses what it was not told to allow."""
    only: str = "*"
    """A pattern of the scenarios that it is made for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a contender is reached, and which process it is."""

    port: int
    child: Child | None = None
    ready: float = 0.0
    """Seconds from exec to listening."""
    prefix: tuple[str, ...] = ()

    @property
    def process(self) -> Child:
        """The program itself."""
        if self.child is None:
            raise BenchError("there is no process to look at")
        return self.child

    @property
    def pid(self) -> int:
        """The process whose memory and time count."""
        return self.process.pid


AT_HOME = {"TRIOPROXY_STAY": "0"}
WITH_METRICS = {"METRICS": "tcp://127.0.0.1:0"}

DEFAULT_CONNECTIONS = 4000
"""What both incumbent and trioproxy hold by default."""


_CONTAINER = "/containers/[a-zA-Z0-9_.-]+/"


def _rules() -> Iterator[str]:
    for word in _DENIED:
        yield f"deny if {_path(_CONTAINER + word)} !{_is_set(f'ALLOW_{word.upper()}')}"
    for name, words in _VERBS.items():
        yield f"allow if {_path(_CONTAINER + words)} {_is_set(f'ALLOW_{name}')}"
    for section in _RULED:
        variable = section.strip("_").upper()
        yield f"allow if {_path(f'/{section}')} {_is_set(variable)}"


def _path(start: str) -> str:
    return rf"{{ path,url_dec -m reg -i ^(/v[\d\.]+)?{start} }}"


def _is_set(variable: str) -> str:
    return f"{{ env({variable}) -m bool }}"


def _haproxy(reuse: str, keep: str) -> Callable[[Start], list[str]]:
    def command(start: Start) -> list[str]:
        rules = "\n".join(f"    http-request {rule}" for rule in _rules())
        config = start.folder / f"haproxy-{start.port}.cfg"
        config.write_text(
            _HAPROXY.format(
                connections=start.connections,
                reuse=reuse,
                keep=keep,
                port=start.port,
                socket=start.socket,
                events=_path("/events"),
                rules=rules,
            )
        )
        return ["haproxy", "-db", "-f", str(config)]

    return command


def _enforce(start: Start) -> list[str]:
    listen, upstream = f"tcp://127.0.0.1:{start.port}", f"unix://{start.socket}"
    return python_program(
        "trioproxy", "enforce", "--listen", listen, "--upstream", upstream
    )


def _enforce_over_tcp(start: Start) -> list[str]:
    listen = f"tcp://127.0.0.1:{start.port}"
    upstream = f"tcp://127.0.0.1:{start.upstream_port}"
    return python_program(
        "trioproxy", "enforce", "--listen", listen, "--upstream", upstream
    )


def _exact(start: Start) -> list[str]:
    file = start.folder / f"exact-{start.port}.env"
    file.write_text(f"ALLOW_OPERATIONS={','.join(OPERATIONS)}\n")
    return [*_enforce(start), "--env-file", str(file)]


def _own(start: Start) -> list[str]:
    file = start.folder / f"own-{start.port}.env"
    lines = ("ONLY_CONTAINERS=@own", f"ONLY_OWNER={OWNER}")
    file.write_text("\n".join((*lines, f"ALLOW_OPERATIONS={','.join(OPERATIONS)}", "")))
    return [*_enforce(start), "--env-file", str(file)]


def _learn(start: Start) -> list[str]:
    listen, upstream = f"tcp://127.0.0.1:{start.port}", f"unix://{start.socket}"
    out = start.folder / f"learned-{start.port}.env"
    return python_program(
        "trioproxy", "learn", "-o", str(out), "--listen", listen, "--upstream", upstream
    )


def _bare(how: str) -> Callable[[Start], list[str]]:
    def command(start: Start) -> list[str]:
        return python_program("bench.bare", how, str(start.port), str(start.socket))

    return command


def peer(text: str) -> Contender:
    """Read NAME=PORT, which runs already, or NAME=COMMAND, which we start."""
    name, equals, what = text.partition("=")
    if not (name and equals and what):
        raise BenchError(f"expected NAME=PORT or NAME=COMMAND, got {text!r}")
    if what.isdigit():
        return Contender(name=name, port=int(what))

    def command(start: Start) -> list[str]:
        return [
            word.format(port=start.port, socket=start.socket) for word in what.split()
        ]

    return Contender(name=name, command=command)


def contenders() -> list[Contender]:
    """The columns that are always there."""
    return [
        Contender(name=DIRECT, refuses=False),
        Contender(
            name=INCUMBENT,
            command=_haproxy("option http-server-close", "10s"),
            exceptions=EXCEPTIONS,
        ),
        Contender(
            name=REUSING,
            command=_haproxy("http-reuse always", "1m"),
            exceptions=EXCEPTIONS,
        ),
        Contender(name=SECTIONS, command=_enforce),
        Contender(name=EXACT, command=_exact),
        Contender(name=OWN, command=_own, only="engine-inspect-*"),
        Contender(name=METERED, command=_enforce, settings=WITH_METRICS, only="list-*"),
        Contender(name=HOME, command=_enforce, settings=AT_HOME, only="late-body"),
        Contender(name=OVER_TCP, command=_enforce_over_tcp, only="fresh-tcp"),
        Contender(
            name=HOME_OVER_TCP,
            command=_enforce_over_tcp,
            settings=AT_HOME,
            only="fresh-tcp",
        ),
        Contender(name=LEARNING, command=_learn, refuses=False),
        Contender(name=BARE, command=_bare("trio"), refuses=False),
        Contender(name=THREADS, command=_bare("threads"), refuses=False, only="list-*"),
    ]


def start(
    contender: Contender,
    reach: Reach,
    folder: Path,
    connections: int = DEFAULT_CONNECTIONS,
    *,
    whole_log: bool = False,
) -> Place:
    """Start a contender in front of an upstream, or say where it is."""
    if contender.command is None:
        port = contender.port or reach.port
        return Place(port=port, prefix=() if contender.port else reach.prefix)
    wish = Start(
        port=free_port(),
        socket=reach.socket,
        folder=folder,
        connections=connections,
        upstream_port=reach.port,
    )
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if name in {"PATH", "HOME", "LANG", "PYTHONPATH"}
        },
        **dict.fromkeys((*GRANTED, *contender.exceptions), "1"),
        "MAX_CONNECTIONS": str(connections),
        "MAX_CONNECTIONS_PER_CLIENT": str(connections),
        "LOG_LEVEL": "info",
        **contender.settings,
    }
    log = folder / f"{contender.name}-{wish.port}.log"
    command = contender.command(wish)
    child = Child(contender.name, command, log, environment, whole_log=whole_log)
    try:
        ready = child.wait_listening(wish.port)
    except BaseException:
        child.stop()
        raise
    return Place(port=wish.port, child=child, ready=ready)
