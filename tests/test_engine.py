"""The scratch Engine keeps its promises: other tests build on them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.engine import (
    LOCK,
    LOST,
    PREFIX,
    Engine,
    ScratchEngine,
    first_child,
    remove_left_behind,
    scratch_engine,
)
from tests.markdown import ROOT

pytestmark = pytest.mark.engine


def test_containers_run(engine: Engine) -> None:
    """The Engine of the tests runs a container of the image made here."""
    assert engine.docker("run", "--rm", "busybox", "echo", "hi").text == "hi"


@pytest.mark.parametrize(
    ("said", "status", "runs"),
    [
        pytest.param(LOST.decode(), 0, 2, id="lost"),
        pytest.param("ignoring event", 0, 1, id="not-by-the-engine"),
        pytest.param(LOST.decode(), 127, 1, id="not-started"),
    ],
)
def test_output_that_an_engine_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, status: int, runs: int
) -> None:
    """Of a program whose output the Engine says it has lost there is a second run; of no other."""
    counted = f"echo run >>{tmp_path}/runs; test $(wc -l <{tmp_path}/runs) = 1"
    first = f"{{ echo {said} >>{tmp_path}/engine.log; exit {status}; }}"
    (tmp_path / "docker").write_text(f"#!/bin/sh\n{counted} && {first}\necho hi\n")
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "engine.log").write_bytes(LOST)  # long ago
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    engine = Engine("unix:///nonexistent", tmp_path)
    ran = engine.docker("run", "--rm", "busybox", "echo", "hi", check=False)
    assert (tmp_path / "runs").read_text() == runs * "run\n"
    assert ran.text == (runs == 2) * "hi"


def test_the_machine_keeps_its_network(scratch: ScratchEngine) -> None:
    """The scratch Engine's bridge is not among the machine's interfaces."""
    listed = "/proc/net/dev"
    before = Path(listed).read_text()
    assert "docker0" in scratch.docker("network", "inspect", "bridge").text
    assert before.count("docker0") == Path(listed).read_text().count("docker0")


def test_restart_is_another_socket(scratch: ScratchEngine) -> None:
    """A restarted Engine answers, on a socket that is another file."""
    before = scratch.socket.stat().st_ctime_ns  # its number may be given out again
    scratch.restart()
    assert scratch.socket.stat().st_ctime_ns != before
    assert scratch.docker("ps").status == 0


@pytest.mark.slow
def test_nothing_is_left(scratch: ScratchEngine) -> None:
    """A scratch Engine that was closed left no file, mount or control group."""
    with scratch_engine() as another:
        another.docker("run", "-d", "busybox", "sleep", "1000")
        folder = another.folder
    assert folder != scratch.folder
    assert not folder.exists()
    assert str(folder) not in Path("/proc/self/mounts").read_text()
    # Others' groups go meanwhile, which a walk passes over.
    groups = (name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names)
    assert folder.name not in groups


HOLDS = """
import sys
from pathlib import Path
from tests.engine import ScratchEngine
ScratchEngine(Path(sys.argv[1]))
print(flush=True)
sys.stdin.read()
"""


def test_what_a_killed_run_left_is_removed(
    scratch: ScratchEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later run removes it; nothing that a process holds, and nothing that has no lock."""
    # Elsewhere: of two that look at once the other one may be about to remove it.
    monkeypatch.setattr("tests.engine.FOLDERS", (tmp_path,))
    left, strange = (Path(tempfile.mkdtemp(prefix=PREFIX, dir=tmp_path)) for _ in "ab")
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(left)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline()
        remove_left_behind()
        assert left.exists()
        run.kill()
    remove_left_behind()
    assert not left.exists()
    assert strange.exists()
    assert scratch.docker("ps").status == 0


def test_an_engine_holds_its_folder(scratch: ScratchEngine) -> None:
    """Of a run that was killed nothing is removed before its Engine has ended."""
    assert scratch._process is not None
    engine = first_child(scratch._process.pid) or scratch._process.pid
    held = [path.readlink() for path in Path(f"/proc/{engine}/fd").iterdir()]
    assert scratch.folder / LOCK in held
