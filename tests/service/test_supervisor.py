"""What whoever supervises the proxy is told: sd_notify(3), on a path or an abstract name."""

import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.commands.running import Running, running
from tests.fakes import FakeEngine
from tests.patience import PATIENCE
from trioproxy.commands import supervisor
from trioproxy.config import Level
from trioproxy.proxy.log import Log

KIND = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK


@asynccontextmanager
async def supervised(
    name: str, *args: str, **variables: str
) -> AsyncIterator[tuple[Running, trio.socket.SocketType]]:
    """Run `trioproxy ARGS` with a socket of this name to tell it all to."""
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        await sock.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        told = {"NOTIFY_SOCKET": name, "CONTAINERS": "1", **variables}
        async with running(*args, variables=told) as proxy:
            yield proxy, sock


async def hear(sock: trio.socket.SocketType) -> list[str]:
    """The next that is told, a line each."""
    with trio.fail_after(PATIENCE):
        return (await sock.recv(4096)).decode().splitlines()


@pytest.mark.parametrize("kind", ["path", "abstract"])
async def test_each_state_is_told(kind: str, fake: FakeEngine, tmp_path: Path) -> None:
    """READY once the listener is there, RELOADING with the time of the clock and READY when the policies are read, STOPPING before those here have finished."""
    name = f"@tp-{os.urandom(8).hex()}" if kind == "abstract" else f"{tmp_path}/n"
    path = tmp_path / "p.sock"
    args = (
        "enforce",
        "--listen",
        f"unix://{path}",
        "--upstream",
        f"unix://{fake.path}",
    )
    async with supervised(name, *args) as (proxy, sock):
        assert await hear(sock) == ["READY=1"]
        assert path.is_socket()
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        proxy.process.send_signal(signal.SIGHUP)
        *reloading, at = await hear(sock)
        assert reloading == ["RELOADING=1"]
        assert (
            before <= int(at.removeprefix("MONOTONIC_USEC=")) <= before + PATIENCE * 1e6
        )
        assert await hear(sock) == ["READY=1"]
        proxy.process.send_signal(signal.SIGTERM)
        assert (await hear(sock))[0] == "STOPPING=1"
        assert await proxy.end() == 0


async def test_a_refused_policy_is_told(fake: FakeEngine, tmp_path: Path) -> None:
    """Where a newer policy was refused it is ready again, by the old one."""
    file = tmp_path / "app.env"
    file.write_text("ALLOW_OPERATIONS=ContainerList\n")
    url = f"unix://{tmp_path}/p.sock?policy={file}"
    args = ("enforce", "--listen", url, "--upstream", f"unix://{fake.path}")
    async with supervised(f"{tmp_path}/n", *args) as (proxy, sock):
        await hear(sock)
        file.write_text("broken")
        proxy.process.send_signal(signal.SIGHUP)
        await hear(sock)
        assert await hear(sock) == ["READY=1"]


async def test_learning_tells_too(fake: FakeEngine, tmp_path: Path) -> None:
    """A unit may learn for a while in the place of enforcing: it is ready, and stops, in the same words."""
    args = ("learn", "-o", f"{tmp_path}/x.env", "--listen", f"unix://{tmp_path}/l.sock")
    upstream = ("--upstream", f"unix://{fake.path}")
    async with supervised(f"{tmp_path}/n", *args, *upstream) as (proxy, sock):
        assert (await hear(sock))[0] == "READY=1"
        proxy.process.send_signal(signal.SIGTERM)
        assert (await hear(sock))[0] == "STOPPING=1"


async def test_a_command_does_not_speak_for_us(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """What learn runs is not told of the supervisor: READY of that would be taken as ours."""
    script = 'test -z "$NOTIFY_SOCKET"'
    args = ("learn", "-o", f"{tmp_path}/x.env", "--upstream", f"unix://{fake.path}")
    async with supervised(f"{tmp_path}/n", *args, "--", "sh", "-c", script) as (
        proxy,
        _,
    ):
        assert await proxy.end() == 0


@pytest.mark.parametrize("command", ["enforce", "learn"])
async def test_the_watchdog_hears_that_the_loop_turns(
    command: str, fake: FakeEngine, tmp_path: Path
) -> None:
    """Twice in the time that `WatchdogSec=` gives, where it is this process that is watched; a unit that learns for a while is watched as well."""
    output = ("-o", f"{tmp_path}/x.env") if command == "learn" else ()
    args = (command, *output, "--listen", f"unix://{tmp_path}/p.sock")
    upstream = ("--upstream", f"unix://{fake.path}")
    asked = {"WATCHDOG_USEC": "100000"}
    async with supervised(f"{tmp_path}/n", *args, *upstream, **asked) as (_, sock):
        told = [await hear(sock) for _ in range(5)]
        assert told.count(["WATCHDOG=1"]) == 4
    for at, more in enumerate(({"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "0"})):
        name, none = f"{tmp_path}/{at}", asked | more
        async with supervised(name, *args, *upstream, **none) as (proxy, sock):
            assert (await hear(sock))[0] == "READY=1"
            proxy.process.send_signal(signal.SIGTERM)
            assert (await hear(sock))[0] == "STOPPING=1"


@pytest.mark.parametrize(
    ("name", "why"),
    [("vsock:2:1234", "neither a path nor @NAME"), ("/nowhere/n", "No such file")],
    ids=["vsock", "missing"],
)
async def test_nobody_hears(
    name: str, why: str, fake: FakeEngine, tmp_path: Path
) -> None:
    """Who is not there to be told keeps nobody from being served; the log says so."""
    args = ("enforce", "--listen", f"unix://{tmp_path}/p.sock")
    upstream = ("--upstream", f"unix://{fake.path}")
    told = {"NOTIFY_SOCKET": name, "CONTAINERS": "1"}
    async with running(*args, *upstream, variables=told) as proxy:
        await proxy.line(" start ")
        assert why in await proxy.line(" supervisor-lost ")


async def test_who_does_not_read_holds_up_no_reload(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A supervisor whose queue is full is not waited for before the policies are read, nor at the end; that they are it hears when it reads again."""
    monkeypatch.setenv("NOTIFY_SOCKET", f"{tmp_path}/n")
    file = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    log, before = Log(Level.DEBUG, file), trio.current_time()
    with socket.socket(socket.AF_UNIX, KIND) as sock:
        sock.bind(f"{tmp_path}/n")
        with suppress(BlockingIOError):
            while True:  # one each: what a socket has sent has a bound, too
                with socket.socket(socket.AF_UNIX, KIND) as one:
                    one.sendto(b"x", f"{tmp_path}/n")
        for state in (supervisor.RELOADING, supervisor.STOPPING):
            await supervisor.tell(log, state)
        assert trio.current_time() == before
        log.finish()
        assert (tmp_path / "log").read_text().count("it does not read what it is") == 2
        with trio.move_on_after(1):  # as at the end, when nobody is served any more
            await supervisor.tell(log, supervisor.READY)
        assert trio.current_time() == before + 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(supervisor.tell, log, supervisor.READY)
            await trio.testing.wait_all_tasks_blocked()
            with suppress(BlockingIOError):
                while (said := sock.recv(99)) == b"x":
                    pass
                pytest.fail(f"it was said without room: {said!r}")
        assert sock.recv(99) == b"READY=1"
    os.close(file)
