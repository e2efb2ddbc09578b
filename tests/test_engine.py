"""The scratch Engine keeps its promises: other tests build on them."""

import os
from pathlib import Path

import pytest

from tests.engine import Engine, ScratchEngine, scratch_engine

pytestmark = pytest.mark.engine


def test_containers_run(engine: Engine) -> None:
    """The Engine of the tests runs a container of the image made here."""
    assert engine.docker("run", "--rm", "busybox", "echo", "hi").text == "hi"


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
