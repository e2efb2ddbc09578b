"""What is measured: each scenario takes one contender and gives back its figures."""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from bench.client import TRANSFERS
from bench.contenders import DEFAULT_CONNECTIONS, Contender, Place, start
from bench.processes import LastingClient, cpu_seconds, memory, run_client
from bench.upstreams import DOWNLOAD_SIZE, Reach, Upstream
from bench.wrk import Load, shoot

Figures = dict[str, float]

UNITS = {
    "rate": "req/s",
    "p50": "ms",
    "p99": "ms",
    "cpu": "CPU s",
    "throughput": "MB/s",
    "rss": "MiB RSS",
    "pss": "MiB PSS",
    "ms": "ms",
    "imports": "ms",
    "times": "x",
    "kept": "%",
}
"""Unit of each figure, by its name."""

HIGHER_IS_BETTER = frozenset({"rate", "throughput", "kept"})

MANY = 5000
"""Connections that are kept open, where memory is what counts."""

STARTS = 5
SETTLE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long and how large."""

    seconds: int
    size: int
    """Bytes of one transfer."""
    folder: Path


class Stage:
    """One contender in front of one upstream; started when first asked for, and kept."""

    def __init__(self, contender: Contender, reach: Reach, options: Options) -> None:
        self.contender = contender
        self.options = options
        self._reach = reach
        self._place: Place | None = None

    @property
    def place(self) -> Place:
        """The running contender."""
        if self._place is None:
            self._place = start(self.contender, self._reach, self.options.folder)
        return self._place

    @contextmanager
    def fresh(
        self, connections: int = DEFAULT_CONNECTIONS, *, whole_log: bool = False
    ) -> Iterator[Place]:
        """A contender of its own, ended with the block."""
        place = start(
            self.contender,
            self._reach,
            self.options.folder,
            connections,
            whole_log=whole_log,
        )
        try:
            yield place
        finally:
            if place.child is not None:
                place.child.stop()

    def stop(self) -> None:
        """End what is running."""
        if self._place is not None and self._place.child is not None:
            self._place.child.stop()
        self._place = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row of the tables."""

    name: str
    title: str
    upstream: Upstream
    measure: Callable[[Stage], Figures]
    needs_process: bool = False
    """Whether it looks at the program, not only at what it answers."""
    needs_refusal: bool = False
    """Whether it asks for what was not allowed."""
    rounds: int = 1000
    """At most so many rounds: what hardly varies need not be repeated."""

    def takes(self, contender: Contender) -> bool:
        """Whether a contender can be measured here."""
        if contender.port is not None and self.upstream is not Upstream.FAST:
            return False
        if self.needs_process and contender.command is None:
            return False
        if self.needs_refusal and not contender.refuses:
            return False
        return fnmatch(self.name, contender.only)


def _requests(load: Load) -> Callable[[Stage], Figures]:
    def measure(stage: Stage) -> Figures:
        place, options = stage.place, stage.options
        before = cpu_seconds(place.pid) if place.child else 0.0
        shot = shoot(load, place.port, options.seconds, options.folder, place.prefix)
        figures = {
            "rate": shot.rate,
            "p50": shot.p50,
            "p99": shot.p99,
            "lost": float(shot.lost),
        }
        if place.child:
            figures["cpu"] = (cpu_seconds(place.pid) - before) / shot.requests * 10_000
        return figures

    return measure


def _transfer(task: str) -> Callable[[Stage], Figures]:
    def measure(stage: Stage) -> Figures:
        place, size = stage.place, stage.options.size
        before = cpu_seconds(place.pid) if place.child else 0.0
        seconds = run_client(task, place.port, size)["seconds"]
        figures = {"throughput": size / seconds / 1e6}
        if place.child:
            figures["cpu"] = (cpu_seconds(place.pid) - before) / size * (1 << 30)
        return figures

    return measure


def _neighbour(stage: Stage) -> Figures:
    place, options = stage.place, stage.options
    with LastingClient("busy", place.port, DOWNLOAD_SIZE) as busy:
        shot = shoot(
            Load(connections=1),
            place.port,
            options.seconds,
            options.folder,
            place.prefix,
        )
        busy.check_alive()
    return {"p50": shot.p50, "p99": shot.p99, "rate": shot.rate}


def _logged(stage: Stage) -> Figures:
    """Load it, end it, and count how many requests its log tells of."""
    load = Load(connections=32)
    options = stage.options
    with stage.fresh(whole_log=True) as place:
        shot = shoot(load, place.port, options.seconds, options.folder, place.prefix)
        log = place.process.log
    with log.open("rb") as file:
        lines = sum(load.target.encode() in line for line in file)
    log.unlink()
    return {"kept": 100 * lines / shot.requests}


def _beside_a_poller(task: str) -> Callable[[Stage], Figures]:
    def measure(stage: Stage) -> Figures:
        port = stage.place.port
        with LastingClient("poll", port, 1) as poller:
            figures = run_client(task, port, 300)
            poller.check_alive()
        return figures

    return measure


def _first_event(stage: Stage) -> Figures:
    return {"ms": run_client("first-events", stage.place.port, 10)["seconds"] * 1000}


def _idle(stage: Stage) -> Figures:
    with stage.fresh() as place:
        time.sleep(SETTLE)
        used = memory(place.pid)
    return {"rss": used.rss, "pss": used.pss}


def _held(kind: str, count: int) -> Callable[[Stage], Figures]:
    def measure(stage: Stage) -> Figures:
        with (
            stage.fresh(max(count + 50, DEFAULT_CONNECTIONS)) as place,
            LastingClient(f"hold-{kind}", place.port, count) as holder,
        ):
            time.sleep(SETTLE)
            used = memory(place.pid)
            holder.check_alive()
        return {"rss": used.rss, "pss": used.pss}

    return measure


def _start(stage: Stage) -> Figures:
    ready, imports = [], []
    for _ in range(STARTS):
        imports.append(_time_imports())
        with stage.fresh() as place:
            ready.append(place.ready)
    taken, reference = statistics.median(ready), statistics.median(imports)
    return {"ms": taken * 1000, "imports": reference * 1000, "times": taken / reference}


def _time_imports() -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import trio, h11, click"], check=True)
    return time.perf_counter() - begin


def most_streams() -> int:
    """How many event streams the descriptor limit lets a proxy hold, at two each."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(10_000, (hard - 200) // 2)


def _request_scenarios() -> list[Scenario]:
    loads = {
        **{
            f"{name}-{count}": (
                f"{title}, {count} connection{'s' * (count > 1)}",
                Load(target=target, connections=count),
            )
            for name, title, target in (
                ("ping", "_ping", "/_ping"),
                ("list", "2 KB list", "/containers/json"),
            )
            for count in (1, 32, 128, 1000)
        },
        "chunked-32": (
            "2 KB list, chunked, 32 connections",
            Load(target="/images/json", connections=32),
        ),
        "unique-32": (
            "every head different, 32 connections",
            Load(connections=32, unique=True),
        ),
        "unique-1": (
            "every head different, 1 connection",
            Load(connections=1, unique=True),
        ),
        "refused-32": (
            "refusals, 32 connections",
            Load(target="/secrets", connections=32, refused=True),
        ),
        "close-32": (
            "a new connection per request, 32 at once",
            Load(connections=32, close=True),
        ),
    }
    return [
        Scenario(
            name=name,
            title=title,
            upstream=Upstream.FAST,
            measure=_requests(load),
            needs_refusal=load.refused,
        )
        for name, (title, load) in loads.items()
    ]


def _engine_scenarios() -> list[Scenario]:
    listed = "/containers/json?all=1"
    inspected = "/containers/project-service-0/json"
    loads = {
        "engine-ping-1": (
            "real Engine: _ping, 1 connection",
            Load(target="/_ping", connections=1),
        ),
        "engine-list-1": (
            "real Engine: list, 1 connection",
            Load(target=listed, connections=1),
        ),
        "engine-ping-32": (
            "real Engine: _ping, 32 connections",
            Load(target="/_ping", connections=32),
        ),
        "engine-list-32": (
            "real Engine: list, 32 connections",
            Load(target=listed, connections=32),
        ),
        "engine-inspect-1": (
            "real Engine: one container, 1 connection",
            Load(target=inspected, connections=1),
        ),
        "engine-inspect-32": (
            "real Engine: one container, 32 connections",
            Load(target=inspected, connections=32),
        ),
    }
    return [
        Scenario(
            name=name, title=title, upstream=Upstream.ENGINE, measure=_requests(load)
        )
        for name, (title, load) in loads.items()
    ]


def scenarios() -> list[Scenario]:
    """All rows, in the order of the tables."""
    most = most_streams()
    return [
        *_request_scenarios(),
        Scenario(
            name="logged-32",
            title="requests that the log tells of, 32 connections",
            upstream=Upstream.FAST,
            measure=_logged,
            needs_process=True,
            rounds=3,
        ),
        Scenario(
            name="neighbour",
            title="a polling client beside a download at full speed",
            upstream=Upstream.FAST,
            measure=_neighbour,
        ),
        *(
            Scenario(
                name=task,
                title=task.replace("-", ", "),
                upstream=Upstream.BULK,
                measure=_transfer(task),
            )
            for task in TRANSFERS
        ),
        Scenario(
            name="first-event",
            title="from the request to its first event",
            upstream=Upstream.BULK,
            measure=_first_event,
        ),
        Scenario(
            name="late-body",
            title="a body 1 ms behind its head, beside a polling client",
            upstream=Upstream.BULK,
            measure=_beside_a_poller("late-bodies"),
        ),
        Scenario(
            name="fresh-tcp",
            title="new connections to a TCP upstream, beside a polling client",
            upstream=Upstream.BULK,
            measure=_beside_a_poller("fresh-connections"),
        ),
        Scenario(
            name="idle",
            title="idle",
            upstream=Upstream.BULK,
            measure=_idle,
            needs_process=True,
            rounds=3,
        ),
        Scenario(
            name="streams-1000",
            title="1,000 event streams",
            upstream=Upstream.BULK,
            measure=_held("streams", 1000),
            needs_process=True,
            rounds=3,
        ),
        Scenario(
            name="streams-most",
            title=f"{most:,} event streams",
            upstream=Upstream.BULK,
            measure=_held("streams", most),
            needs_process=True,
            rounds=2,
        ),
        *(
            Scenario(
                name=f"{kind}-{MANY}",
                title=f"{MANY:,} {title}",
                upstream=Upstream.BULK,
                measure=_held(kind, min(most, MANY)),
                needs_process=True,
                rounds=2,
            )
            for kind, title in {
                "streams": "event streams",
                "idle": "idle connections",
                "tunnels": "tunnels",
            }.items()
        ),
        Scenario(
            name="start",
            title="exec to listening",
            upstream=Upstream.BULK,
            measure=_start,
            needs_process=True,
            rounds=3,
        ),
        *_engine_scenarios(),
    ]
