"""The stand-in for Ryuk, on the raw socket: it does reap, and no more than it was told."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.clients.comparison import emptied
from tests.engine import ScratchEngine
from tests.ryuk.image import import_reaper

pytestmark = [pytest.mark.engine, pytest.mark.clients]

RYUK = "testcontainers/ryuk:stand-in"
SOCKET = "--volume=/var/run/docker.sock:/var/run/docker.sock"
LISTS = (
    ("ps", "-a", "--format={{.Names}}"),
    ("network", "ls", "--format={{.Name}}"),
    ("volume", "ls", "-q"),
    ("images", "--format={{.Repository}}"),
)


@pytest.fixture
def ryuk(scratch: ScratchEngine) -> Iterator[int]:
    """A reaper that waits for a second; its port, in the Engine's network."""
    with emptied(scratch):
        import_reaper(scratch, RYUK)
        options = ("--detach", "--name=ryuk", "--publish=8080", SOCKET)
        seconds = "--env=RYUK_RECONNECTION_TIMEOUT=1s"
        scratch.docker("run", *options, seconds, RYUK)
        await_line(scratch, "Started")
        yield int(scratch.docker("port", "ryuk", "8080").text.split(":")[1].split()[0])


def await_line(engine: ScratchEngine, wanted: str) -> None:
    """Follow the reaper's log up to a line."""
    command = ["docker", "logs", "--follow", "ryuk"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=engine.environment()
    ) as log:
        assert log.stdout is not None
        assert any(wanted in line for line in log.stdout)
        log.terminate()


@contextmanager
def client(engine: ScratchEngine, port: int) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """A connection to the reaper, which ends as that of a process that is killed."""
    command = engine.inside("busybox", "nc", "127.0.0.1", str(port))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdin, process.stdout
        process.kill()


def make(engine: ScratchEngine, name: str, *labels: str) -> None:
    """One of each kind."""
    given = [f"--label={label}" for label in labels]
    engine.docker("network", "create", *given, name)
    engine.docker("volume", "create", *given, name)
    changes = [f"--change=LABEL {label}" for label in labels]
    base = engine.docker("create", "busybox", "true").text
    engine.docker("commit", *changes, base, name)
    engine.docker("rm", base)
    engine.docker("run", "-d", f"--name={name}", *given, "busybox", "sleep", "600")


def test_it_reaps(scratch: ScratchEngine, ryuk: int) -> None:
    """When its last client is gone, what has all labels of one filter goes, of each kind."""
    make(scratch, "both", "a=1", "b=2")
    make(scratch, "one", "a=1")
    make(scratch, "other", "c=3")
    with client(scratch, ryuk) as (lines, answers):
        lines.write(b"label=a=1&label=b=2\r\n\nlabel=c=3\r\n")
        assert [answers.readline() for _ in range(2)] == [b"ACK\n", b"ACK\n"]
        # A second one comes and goes: it has waited for none but the last.
        with client(scratch, ryuk) as (more, answers):
            more.write(b"label=d=4\n")
            assert answers.readline() == b"ACK\n"
        await_line(scratch, "client disconnected")
        assert len(scratch.docker("ps", "-q").text.split()) == 4
    assert scratch.docker("wait", "ryuk").text == "0"
    for listed in LISTS:
        names = scratch.docker(*listed).text.split()
        assert "one" in names
        assert not {"both", "other"} & set(names)


def test_it_tells_what_it_could_not_remove(scratch: ScratchEngine, ryuk: int) -> None:
    """What the Engine refuses to remove stays, and the rest goes."""
    make(scratch, "held", "a=1")
    scratch.docker("run", "-d", "--volume=held:/v", "busybox", "sleep", "600")
    with client(scratch, ryuk) as (lines, answers):
        lines.write(b"label=a=1\n")
        assert answers.readline() == b"ACK\n"
    assert scratch.docker("wait", "ryuk").text == "0"
    assert "volume is in use" in scratch.docker("logs", "ryuk").text
    left = [scratch.docker(*listed).text.split() for listed in LISTS]
    assert ["held" in names for names in left] == [False, False, True, False]
