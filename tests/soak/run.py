"""One soak: starts the Engine's container, the proxy and the clients, breaks things, and judges."""

import json
import random
import re
import statistics
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from tests.engine import ScratchEngine
from tests.soak.account import Account
from tests.soak.clients import BOX, Place, keep_playing

SAMPLE_SECONDS = 2
QUIET_SECONDS = 20
"""For the proxy to let go of everything, when all clients have gone."""

RESTART_SECONDS = (20, 40)
ALLOWED_GROWTH = 3 << 20
"""Of memory, from the second quarter of a soak to its last."""

LOGGED = re.compile(r" path=(\S+) status=404 by=engine ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long, how many, and with which random numbers."""

    seconds: float
    clients: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the proxy holds at one time."""

    connections: int
    tasks: int
    descriptors: int
    rss: int


@dataclass(kw_only=True)
class Result:
    """What came of a soak."""

    plan: Plan
    account: Account
    start: Held
    end: Held
    samples: list[Held] = field(default_factory=list)
    log_lines: Counter[str] = field(default_factory=Counter)

    def growth(self) -> float:
        """Bytes by which memory grew from the second quarter to the last."""
        quarter = len(self.samples) // 4
        if not quarter:
            return 0.0
        middle = statistics.median(
            one.rss for one in self.samples[quarter : 2 * quarter]
        )
        return statistics.median(one.rss for one in self.samples[-quarter:]) - middle

    def faults(self) -> list[str]:
        """Everything that must not be."""
        found = self.account.wrong[:20]
        for name in ("connections", "tasks", "descriptors"):
            before, after = getattr(self.start, name), getattr(self.end, name)
            if after > before:
                found.append(f"{name}: {after} at the end, {before} at the start")
        if self.growth() > ALLOWED_GROWTH:
            found.append(f"memory grew by {self.growth():,.0f} bytes")
        found += [
            f"{path}: {self.log_lines[path]} log lines"
            for path in sorted(self.account.probes)
            if self.log_lines[path] != 1
        ]
        return found

    def report(self) -> str:
        """The figures, as Markdown."""
        most = max((one.connections for one in self.samples), default=0)
        rss = [one.rss / 1e6 for one in self.samples] or [self.end.rss / 1e6]
        lines = [
            f"{self.plan.seconds / 60:.3g} minutes, {self.plan.clients} clients at a time,"
            f" seed {self.plan.seed}: {self.account.sessions:,} sessions,"
            f" {self.account.bytes_moved / 1e9:.1f} GB through tunnels and bodies,"
            f" {len(self.account.outages)} restarts of the Engine.",
            "",
            self.account.table(),
            "",
            "|of the proxy|at the start|most|at the end|",
            "|---|--:|--:|--:|",
            f"|connections|{self.start.connections}|{most}|{self.end.connections}|",
            f"|descriptors|{self.start.descriptors}|{max(one.descriptors for one in self.samples)}|{self.end.descriptors}|",
            f"|tasks|{self.start.tasks}|{max(one.tasks for one in self.samples)}|{self.end.tasks}|",
            f"|memory (RSS, MB)|{self.start.rss / 1e6:.1f}|{max(rss):.1f}|{self.end.rss / 1e6:.1f}|",
            "",
            f"Memory from the second quarter to the last: {self.growth() / 1e6:+.1f} MB."
            f" {len(self.account.probes):,} answers were looked up in the log: one line each.",
        ]
        return "\n".join(lines)


class RunningProxy:
    """The proxy's process, which can be asked what it holds."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._stdin = process.stdin
        self._stdout = process.stdout

    async def line(self) -> bytes:
        """One line of what it says."""
        data = b""
        while not data.endswith(b"\n"):
            more = await self._stdout.receive_some()
            if not more:
                raise AssertionError("the proxy has died")
            data += more
        return data

    async def held(self) -> Held:
        """What it holds now."""
        await self._stdin.send_all(b"\n")
        return Held(**json.loads(await self.line()))

    async def is_quiet(self, start: Held) -> Held:
        """What it holds once all clients have gone, or after a while."""
        held = await self.held()
        with trio.move_on_after(QUIET_SECONDS):
            while held.connections > 0 or held.descriptors > start.descriptors:
                await trio.sleep(0.2)
                held = await self.held()
        return held

    async def stop(self) -> None:
        """End it as its operator does."""
        await self._stdin.aclose()
        await self.process.wait()


async def soak(engine: ScratchEngine, folder: Path, plan: Plan) -> Result:
    """Run one soak on an Engine of its own."""
    start_container(engine)
    log_file = folder / "proxy.log"
    listen = ["tcp://127.0.0.1:0", f"unix://{folder}/proxy.sock"]
    command = [
        sys.executable,
        "-m",
        "tests.soak.proxy",
        str(engine.socket),
        str(log_file),
    ]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            partial(
                trio.run_process,
                [*command, *listen],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        proxy = RunningProxy(process)
        place = Place(
            addresses=json.loads(await proxy.line()),
            environ=engine.environment(),
            account=Account(),
            random=random.Random(plan.seed),
        )
        result = await play_and_watch(engine, proxy, place, plan)
        await proxy.stop()
    result.log_lines = Counter(LOGGED.findall(log_file.read_text()))
    return result


async def play_and_watch(
    engine: ScratchEngine, proxy: RunningProxy, place: Place, plan: Plan
) -> Result:
    """Let clients play while the Engine comes and goes; then let all become quiet."""
    start = await proxy.held()
    samples: list[Held] = []
    with trio.move_on_after(plan.seconds):
        async with trio.open_nursery() as playing:
            playing.start_soon(sample, proxy, samples)
            playing.start_soon(restart_now_and_then, engine, place)
            for _ in range(plan.clients):
                playing.start_soon(keep_playing, place)
    return Result(
        plan=plan,
        account=place.account,
        start=start,
        end=await proxy.is_quiet(start),
        samples=samples,
    )


async def sample(proxy: RunningProxy, samples: list[Held]) -> None:
    """Look at the proxy every few seconds; the last answer is not cut off."""
    while True:
        await trio.sleep(SAMPLE_SECONDS)
        with trio.CancelScope(shield=True):
            samples.append(await proxy.held())


async def restart_now_and_then(engine: ScratchEngine, place: Place) -> None:
    """Restart the Engine, with a goodbye or without; an outage ends with its container."""
    while True:
        await trio.sleep(place.random.uniform(*RESTART_SECONDS))
        outage = place.account.start_outage()
        end = engine.kill if place.random.random() < 0.5 else engine.stop
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(end)
            await trio.to_thread.run_sync(engine.start)
            await trio.to_thread.run_sync(await_container, engine)
        outage.end = trio.current_time()


def start_container(engine: ScratchEngine) -> None:
    """Start the container that all clients use."""
    engine.docker(
        *("run", "-d", "--init", "--name", BOX, "--restart", "always", "busybox"),
        *("sh", "-c", "while sleep 1; do date; done"),
    )


def await_container(engine: ScratchEngine) -> None:
    """Wait until an Engine that came back has its container running again."""
    engine.docker("start", BOX)
    engine.docker("exec", BOX, "true")
