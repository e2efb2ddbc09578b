"""The proxy in this process, between a scripted Engine and raw clients."""

import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from tests.fakes import (
    Client,
    EngineConnection,
    FakeEngine,
    answer_always,
    connect,
    open_descriptors,
    settle,
)
from tests.patience import PATIENCE
from trioproxy.api.routes import SECTIONS
from trioproxy.config import (
    ANYBODY,
    DEFAULT_MAX_CONNECTIONS,
    Address,
    Config,
    Entry,
    Level,
    TcpAddress,
    UnixAddress,
)
from trioproxy.file.permissions import parse_policy
from trioproxy.file.widening import widened
from trioproxy.judge.gate import Gate
from trioproxy.proxy.asking import Asking
from trioproxy.proxy.hours import Hours
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

OPEN: Mapping[str, str] = dict.fromkeys([*SECTIONS, "POST"], "1")
"""Variables that allow every known operation of a section."""


def flush(log: Log) -> None:
    """Write as much as the reader takes at once."""
    while log._entries and log._write_some():
        pass


class Hung(Exception):
    """A test waits for something that does not come."""


def waiting() -> list[str]:
    """Where every task of this run waits, as far as it is in our code."""
    lines: list[str] = []
    root = trio.lowlevel.current_root_task()
    tasks = [root] if root is not None else []
    while tasks:
        task = tasks.pop()
        tasks += [
            child for nursery in task.child_nurseries for child in nursery.child_tasks
        ]
        ours = [
            f"{Path(frame.f_code.co_filename).name}:{number} {frame.f_code.co_name}"
            for frame, number in task.iter_await_frames()
            if "/tests/" in frame.f_code.co_filename
            or "/trioproxy/" in frame.f_code.co_filename
        ]
        lines += [" > ".join(ours)] if ours else []
    return lines


@pytest.fixture
async def guard() -> AsyncIterator[None]:
    """End a test that hangs, by the real clock."""
    late = trio.Event()
    token = trio.lowlevel.current_trio_token()
    timer = threading.Timer(PATIENCE, token.run_sync_soon, [late.set])
    timer.daemon = True

    async def watch() -> None:
        await late.wait()
        raise Hung("\n".join(waiting()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        timer.start()
        yield
        timer.cancel()
        timer.join()
        nursery.cancel_scope.cancel()


@pytest.fixture
async def fake(guard: None, tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """The Engine: listening, and silent until the test speaks for it."""
    fake = FakeEngine(path=tmp_path / "engine.sock")
    fake.listen()
    yield fake
    fake.die()


@dataclass(kw_only=True)
class Proxy:
    """A proxy that runs in this process, and the clients that a test opened to it."""

    server: Server
    scope: trio.CancelScope
    """Cancels the server, and nothing else."""
    log_file: Path
    log: Log
    clients: list[Client] = field(default_factory=list)
    fake: FakeEngine
    nursery: trio.Nursery
    _idle: tuple[int, int] = (0, 0)

    async def connect(self, *, tcp: bool = False) -> Client:
        """A new client, on the Unix listener or on the TCP one."""
        scheme = "tcp" if tcp else "unix"
        (address,) = [url for url in self.server.addresses if url.startswith(scheme)]
        client = await connect(address, self.fake.journal)
        self.clients.append(client)
        return client

    async def ask(
        self,
        method: str = "GET",
        target: str = "/_ping",
        *fields: str,
        body: bytes = b"",
    ) -> tuple[Client, EngineConnection]:
        """A new client that sends one request, and the Engine's side of it, not yet read."""
        client = await self.connect()
        await client.ask(method, target, *fields, body=body)
        return client, await self.fake.accept()

    @property
    def unix_path(self) -> str:
        """The path of the Unix listener."""
        (url,) = [url for url in self.server.addresses if url.startswith("unix")]
        return url.removeprefix("unix://")

    async def serve(self) -> None:
        """Let the Engine answer everything from now on (see `answer_always`)."""
        self.nursery.start_soon(self.fake.serve, answer_always)
        self._idle = (self._idle[0], self._idle[1] + 1)

    def lines(self) -> list[str]:
        """The log so far."""
        flush(self.log)
        return self.log_file.read_text().splitlines()

    def lines_of(self, word: str) -> list[str]:
        """Those of its lines that hold a word."""
        return [line for line in self.lines() if word in line]

    def open_connections(self) -> int:
        """How many client connections the server counts."""
        return len(self.server.connections)

    def count(self) -> tuple[int, int]:
        """Descriptors of this process and tasks of this run."""
        return open_descriptors(), trio.lowlevel.current_statistics().tasks_living

    def mark(self) -> None:
        """Remember the idle state, for `assert_clean`."""
        self._idle = self.count()

    async def assert_clean(self) -> None:
        """Close what the test opened: the proxy holds no connection, descriptor or task then."""
        await settle()  # the fake may not have seen yet what the proxy has closed
        for end in (*self.clients, *self.fake.connections):
            end.close()
        await settle()
        assert self.open_connections() == 0
        clients = self.server._shared.clients
        assert [*clients.idle, *clients.in_head] == []
        assert clients.early.held == clients.unfinished.held == 0
        assert self.count() == self._idle


def asking_at(path: Path, log: Log, seconds: float, *, hour: float = 3_600.0) -> Asking:
    """Ask this very user about what app.env refuses."""
    return Asking(
        address=UnixAddress(path=str(path)),
        uid=os.geteuid(),
        log=log,
        hours=Hours(widened, log, hour),
        files=lambda: {"": "/etc/app.env"},
        seconds=seconds,
    )


LogAt = Callable[[Path], Log]


@pytest.fixture
def log_at() -> Iterator[LogAt]:
    """Make a log that writes all into a file, which is closed when all tasks are over."""
    with ExitStack() as stack:

        def log_at(path: Path) -> Log:
            file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
            stack.callback(os.close, file)
            return Log(Level.DEBUG, file)

        yield log_at


Start = Callable[..., Awaitable[Proxy]]


@pytest.fixture
async def start(
    fake: FakeEngine, nursery: trio.Nursery, log_at: LogAt, tmp_path: Path
) -> AsyncIterator[Start]:
    """Start a proxy in front of the fake: `await start(policy={...}, max_connections=2)`.

    `ask`: for how many seconds what is refused is held. `beside`: a policy of its own for
    who comes by TCP.
    """
    proxies: list[Proxy] = []

    async def start(
        policy: Mapping[str, str] = OPEN,
        *,
        gate: Gate | None = None,
        upstream: Address | None = None,
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        max_connections_per_client: int | None = None,
        ask: float | None = None,
        metrics: Address | None = None,
        beside: Gate | None = None,
    ) -> Proxy:
        name = f"proxy{len(proxies)}"
        entry = Entry(policy="beside.env") if beside else ANYBODY
        config = Config(
            listen=(
                TcpAddress(host="127.0.0.1", port=0, entry=entry),
                UnixAddress(path=str(tmp_path / f"{name}.sock")),
            ),
            upstream=upstream or UnixAddress(path=str(fake.path)),
            max_connections=max_connections,
            max_connections_per_client=max_connections_per_client,
            metrics=metrics,
        )
        log_file = tmp_path / f"{name}.log"
        log = log_at(log_file)
        gate = gate or Gate.enforcing(parse_policy(policy)[0])
        asking = asking_at(tmp_path / f"{name}.ask", log, ask) if ask else None
        server = Server(
            config=config,
            gates={"": gate, **({"beside": beside} if beside else {})},
            log=log,
            asking=asking,
        )
        # No process before it has sent what the scripted Engine is at.
        server._shared.reservations._others = frozenset()
        scope = trio.CancelScope()

        async def run(task_status: trio.TaskStatus[None]) -> None:
            with scope:
                await server.run(task_status=task_status)

        await nursery.start(run)
        proxies.append(
            Proxy(
                server=server,
                scope=scope,
                log_file=log_file,
                log=log,
                fake=fake,
                nursery=nursery,
            )
        )
        proxies[-1].mark()
        return proxies[-1]

    yield start
    nursery.cancel_scope.cancel()
    for proxy in proxies:
        for client in proxy.clients:
            client.close()


@pytest.fixture
async def proxy(start: Start) -> Proxy:
    """A proxy that allows every known operation."""
    return await start()
