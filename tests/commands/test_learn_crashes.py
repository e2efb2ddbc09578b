"""`trioproxy learn` killed at any moment: what was announced is never lost.

The learner runs as its own process. Some moments are chosen from outside, by what the
Engine and the client have seen; the others are all the calls by which it works on its
files, in front of each of which it is killed once, and in the middle of each write.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

from tests.commands.running import Running, environment, run, running
from tests.commands.test_learn import client_sending
from tests.depth import by_depth
from tests.fakes import EngineConnection, FakeEngine, connect, response
from tests.patience import PATIENCE
from trioproxy.evidence.evidencefile import load
from trioproxy.evidence.seen import Evidence
from trioproxy.file.envfile import parse
from trioproxy.learning.proposal import listed_operations

DIES = """
import atexit, fcntl, os, pathlib, signal, sys, threading
from trioproxy.evidence import disk

first = left = int(sys.argv.pop(1))
atexit.register(lambda: print(f"steps: {first - left}", file=sys.stderr))

def dies_before(function, half=None):
    def call(*args):
        global left
        if threading.current_thread() is not threading.main_thread():
            left -= 1
            if left == 0:
                if half is not None:
                    half(*args)
                os.kill(os.getpid(), signal.SIGKILL)
        return function(*args)
    return call

write = os.write
os.write = dies_before(write, lambda fd, data: write(fd, data[: len(data) // 2]))
for name in ("fsync", "fchmod", "rename"):
    setattr(os, name, dies_before(getattr(os, name)))
fcntl.flock = dies_before(fcntl.flock)

from trioproxy.cli import main
main()
"""
"""The program, killed in front of one of the calls that it makes for its files."""

ASKED = ("GET /containers/json", "GET /info", "POST /containers/create", "GET /version")
OPERATIONS = {"ContainerCreate", "ContainerList", "SystemInfo", "SystemVersion"}
CALLS = 54
"""As many as four new operations take, if each comes by itself, and the end of a run."""


def announced(text: str) -> set[str]:
    """The operations that were told to be on disk."""
    lines = [line for line in text.splitlines() if line.startswith("trioproxy: new: ")]
    return {line.split()[2] for line in lines}


def evidence_of(file: Path) -> Evidence:
    """The evidence that a killed learner left, which must be readable."""
    path = file.with_suffix(".jsonl")
    return load(path.read_bytes() if path.exists() else b"", name=str(path)).evidence


def granted(file: Path) -> set[str]:
    """What the env file that a killed learner left grants; it must be whole."""
    if not file.exists():
        return set()
    parse(file.read_text(), name=str(file))
    return set(listed_operations(file.read_text(), str(file)) or ())


async def die(
    fake: FakeEngine, file: Path, moment: int
) -> subprocess.CompletedProcess[str]:
    """Learn the requests, and be killed at the given step."""
    options = ("learn", "--upstream", str(fake.path), "-o", str(file), "--")
    client = client_sending(*ASKED)
    with TemporaryDirectory() as left:  # the folder of its socket, which nobody removes
        return await trio.to_thread.run_sync(
            lambda: subprocess.run(
                [sys.executable, "-c", DIES, str(moment), *options, *client],
                env=environment({"TMPDIR": left}, ours={}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        )


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.parametrize("moment", range(1, CALLS + 1, by_depth(5, 1)))
async def test_killed_at_each_step_of_writing(
    fake: FakeEngine, tmp_path: Path, moment: int
) -> None:
    """Before, between and in the middle of writes: evidence loads, nothing told is lost."""
    file = tmp_path / "app.env"
    done = await die(fake, file, moment)
    assert done.returncode in {-signal.SIGKILL, 0}, done.stderr
    told = announced(done.stderr)
    assert told <= evidence_of(file).used_operations()
    assert told <= granted(file)
    options = ("learn", "--upstream", str(fake.path), "-o", str(file), "--")
    again = await trio.to_thread.run_sync(
        lambda: run(*options, *client_sending(*ASKED))
    )
    assert again.status == 0, again.err
    assert granted(file) == OPERATIONS
    assert "declined" not in again.err
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".new")]


async def test_the_steps_of_writing_are_all_of_them(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A run that is never killed takes many steps, and not more than were tried."""
    done = await die(fake, tmp_path / "app.env", 10_000)
    assert done.returncode == 0
    steps = int(done.stderr.rpartition("steps: ")[2])
    assert 20 <= steps <= CALLS


async def accept_request(engine: FakeEngine) -> EngineConnection:
    """The connection of the next request; those that only look are passed over."""
    while True:
        connection = await engine.accept()
        if await connection.has_more():
            await connection.read_request()
            return connection


async def rest_of(learner: Running) -> str:
    """Kill a learner; all that it had said and nobody had read."""
    learner.process.kill()
    await learner.end()
    assert learner.process.stderr is not None
    async for more in learner.process.stderr:
        learner.text += more.decode()
    return learner.text


@pytest.mark.parametrize(
    "moment", ["head-came", "answer-came-in-part", "answer-came", "told"]
)
async def test_killed_between_a_request_and_its_record(
    tmp_path: Path, moment: str
) -> None:
    """Before the answer nothing was learned; from the announcement on it is never lost."""
    engine = FakeEngine(path=tmp_path / "engine.sock")
    engine.listen()
    file, url = tmp_path / "app.env", f"unix://{tmp_path}/learn.sock"
    options = ("--upstream", str(engine.path), "-o", str(file), "--listen", url)
    async with running("learn", *options) as learner:
        await learner.line("listening on")
        client = await connect(url)
        await client.ask("GET", "/info")
        connection = await accept_request(engine)
        if moment == "answer-came-in-part":
            await connection.send(b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nConte")
        elif moment != "head-came":
            await connection.send(response("200 OK", "Api-Version: 1.45"))
            await client.read_response()
        if moment == "told":
            assert announced(await learner.line("new: ") + "\n") == {"SystemInfo"}
        told = announced(await rest_of(learner))
        client.close()
    if moment == "told":
        told.add("SystemInfo")
    assert told <= evidence_of(file).used_operations()
    assert told <= granted(file)
    if moment in {"head-came", "answer-came-in-part"}:
        assert evidence_of(file).used_operations() == frozenset()
    engine.die()
