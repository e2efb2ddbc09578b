"""One flood against one proxy, and against nobody: the figures of a row."""

import json
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.flood.table import Flood
from bench.processes import (
    REPOSITORY,
    BenchError,
    Child,
    cpu_seconds,
    python_program,
)
from bench.wire import free_port

GOAL_P95_MS: Final = 25.0
LIMIT_P95_MS: Final = 60.0
LIMIT_MIB: Final = 96.0
MANY: Final = ("MAX_CONNECTIONS_PER_CLIENT", "4000")
"""With which one client stands for many."""
QUIET_SECONDS: Final = 1.0
SETTLE_SECONDS: Final = 0.3
SAMPLE_SECONDS: Final = 0.05
AFTER_SECONDS: Final = 1.0
PATIENCE: Final = 60.0
PAGE: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A checkout with its own environment in `.venv`."""

    name: str
    path: Path

    def command(
        self, port: int, listen: Path, upstream: Path, descriptors: int
    ) -> list[str]:
        """Its `enforce`, with a descriptor limit where one is asked for."""
        program = self.path / ".venv" / "bin" / "trioproxy"
        if not program.exists():
            raise BenchError(f"{program} is not there: run make run in {self.path}")
        command = [str(program), "enforce", "--listen", f"tcp://127.0.0.1:{port}"]
        command += ["--listen", f"unix://{listen}", "--upstream", f"unix://{upstream}"]
        if not descriptors:
            return command
        limited = f'ulimit -n {descriptors}; exec "$@"'
        return ["sh", "-c", limited, "sh", *command]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pings:
    """What another client saw, in milliseconds."""

    median: float
    p95: float
    p99: float
    worst: float
    lost: int
    """Pings without a 200: turned away, refused or timed out."""
    health: tuple[bool, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether the health route answered throughout."""
        return bool(self.health) and all(self.health)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One flood on one tree."""

    flood: Flood
    tree: str
    quiet: Pings
    """Before the flood."""
    pings: Pings
    """Beside it."""
    cpu: float
    """The share of one core that the proxy used."""
    before: float
    peak: float
    after: float
    """Resident memory, MiB."""
    opened: int
    """Connections that the flood opened, one after the other."""
    held: int
    """Those that it had at its end."""
    engine: int
    """Connections to the Engine that the flood and all others caused."""

    def faults(self) -> list[str]:
        """What is over a limit."""
        found = []
        if self.pings.p95 > LIMIT_P95_MS:
            found.append(f"p95 {self.pings.p95:.0f} ms > {LIMIT_P95_MS:.0f} ms")
        if self.peak - self.before > LIMIT_MIB:
            found.append(
                f"memory +{self.peak - self.before:.0f} MiB > {LIMIT_MIB:.0f} MiB"
            )
        if self.pings.lost:
            found.append(f"{self.pings.lost} pings without an answer")
        if not self.pings.is_healthy:
            found.append("health did not answer")
        return [f"{self.flood.name}: {one}" for one in found]


@dataclass(kw_only=True)
class Rss:
    """Samples the resident memory of a process beside all else."""

    pid: int
    samples: list[float] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def now(self) -> float:
        """MiB at this moment."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * PAGE / 2**20

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Sample until the block ends."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            try:
                self.samples.append(self.now())
            except (FileNotFoundError, IndexError):
                return  # it died: whoever pings it will say so


def measure(flood: Flood, tree: Tree, folder: Path, seconds: float) -> Result:
    """Start an Engine and a proxy, ping alone, then beside the flood."""
    name = f"{flood.name}-{tree.name}"
    upstream, listen = folder / f"{name}.sock", folder / f"{name}-proxy.sock"
    port, own_port = free_port(), free_port()
    environment = {"PATH": "/usr/bin:/bin", **dict(flood.variables)}
    if not flood.is_one_client:
        environment |= [MANY]
    with (
        _engine(folder / f"{name}-engine.log", upstream, own_port),
        Child(
            f"trioproxy of {tree.name}",
            tree.command(port, listen, upstream, flood.descriptors),
            folder / f"{name}.log",
            environment,
        ) as proxy,
    ):
        proxy.wait_listening(port)
        with _pinging(listen, QUIET_SECONDS) as ping:
            quiet = ping()
        rss = Rss(pid=proxy.pid)
        before = rss.now()
        with (
            _pinging(listen, seconds, newcomers=flood.newcomers) as ping,
            rss.sampling(),
            _attack(flood, port, seconds + 2 * SETTLE_SECONDS) as connections,
        ):
            time.sleep(SETTLE_SECONDS)
            began, spent = time.perf_counter(), cpu_seconds(proxy.pid)
            pings = ping()
            spent = cpu_seconds(proxy.pid) - spent
            took = time.perf_counter() - began
        proxy.check_alive()
        time.sleep(AFTER_SECONDS)
        return Result(
            flood=flood,
            tree=tree.name,
            quiet=quiet,
            pings=pings,
            cpu=spent / took,
            before=before,
            peak=max([before, *rss.samples]),
            after=rss.now(),
            opened=connections[0],
            held=connections[1],
            engine=_accepted(own_port),
        )


def floor(flood: Flood, folder: Path, seconds: float) -> Pings:
    """Ping an Engine directly beside a flood that goes to a sink: what the machine does."""
    upstream, unused_socket = folder / "floor.sock", folder / "sink.sock"
    port, unused, sink = free_port(), free_port(), free_port()
    with (
        _engine(folder / f"{flood.name}-engine.log", upstream, port),
        _engine(folder / f"{flood.name}-sink.log", unused_socket, unused, sink),
        _pinging(upstream, seconds) as ping,
        _attack(flood, sink, seconds + 2 * SETTLE_SECONDS),
    ):
        time.sleep(SETTLE_SECONDS)
        return ping()


@contextmanager
def _engine(log: Path, path: Path, *ports: int) -> Iterator[None]:
    numbers = [str(port) for port in ports]
    command = python_program("bench.flood.engine", str(path), *numbers)
    path.unlink(missing_ok=True)
    with Child("the stand-in Engine", command, log) as engine:
        engine.wait_listening(ports[-1])
        yield


@contextmanager
def _attack(flood: Flood, port: int, seconds: float) -> Iterator[list[int]]:
    """Run an attack beside the block, and wait for its end: it ends by itself.

    Yields an empty list, which has the figures of `Attack` after the block.
    """
    figures: list[int] = []
    command = python_program("bench.flood.attack", flood.name, str(port), str(seconds))
    attack = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield figures
        said, errors = attack.communicate(timeout=PATIENCE)
    finally:
        attack.kill()
        attack.wait()
    if attack.returncode:
        raise BenchError(f"the attack {flood.name} failed: {errors.strip()[-500:]}")
    figures += map(int, said.split())


NEW_EVERY: Final = 10


@contextmanager
def _pinging(
    path: Path, seconds: float, *, newcomers: bool = True
) -> Iterator[Callable[[], Pings]]:
    """Have the other client served once; what is yielded pings, and gives its figures."""
    every = str(NEW_EVERY if newcomers else 0)
    client = subprocess.Popen(
        python_program("bench.flood.ping", str(path), str(seconds), every),
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert client.stdout is not None

    def ping() -> Pings:
        out, errors = client.communicate("go\n", timeout=seconds + PATIENCE)
        if client.returncode:
            raise BenchError(f"the pinging client failed: {errors.strip()[-500:]}")
        return _figures(json.loads(out))

    try:
        client.stdout.readline()
        yield ping
    finally:
        client.kill()
        client.communicate()


def _figures(said: dict[str, Any]) -> Pings:
    taken = sorted(1000 * one for one in said["seconds"]) or [float("inf")]
    return Pings(
        median=statistics.median(taken),
        p95=taken[min(len(taken) - 1, int(len(taken) * 0.95))],
        p99=taken[min(len(taken) - 1, int(len(taken) * 0.99))],
        worst=taken[-1],
        lost=said["lost"],
        health=tuple(said["health"]),
    )


def _accepted(port: int) -> int:
    """How many connections the stand-in has accepted from the proxy."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(b"GET /_accepted HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        return int(sock.recv(4096).rpartition(b"\r\n")[2])
