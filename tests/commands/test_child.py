"""The command that `learn` runs."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.patience import PATIENCE
from trioproxy.commands import child

ENV = {"PATH": os.environ["PATH"]}

# A signal that comes between two lines of a loop with `signal.pause` is slept through: its
# handler runs when the next one wakes us. What is written to a pipe for it is not.
AWAITS = """
import os, signal
awake, wake = os.pipe2(os.O_NONBLOCK)
os.set_blocking(awake, True)
signal.set_wakeup_fd(wake)
"""

TELLS = """
import sys
signals = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT]
for number in signals:
    signal.signal(number, lambda number, frame: sys.exit(number))
with open(sys.argv[1], "w") as told:
    told.write("ready")
os.read(awake, 1)
"""
"""A command that says when it is ready and exits with the number of its first signal."""

DRIVER = """
import fcntl, os, sys, termios, trio
from trioproxy.commands import child
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
sys.exit(trio.run(child.run, sys.argv[1:], dict(os.environ)))
"""
"""Runs a command as the leader of a terminal's foreground group."""

COUNTS = """
count = 0
def add(number, frame):
    global count
    count += 1
signal.signal(signal.SIGINT, add)
signal.signal(signal.SIGTERM, lambda number, frame: os._exit(40 + count))
os.write(1, b"ready\\n")
while True:
    os.read(awake, 1)
"""


async def ready(fifo: Path) -> None:
    """Wait until the command says that it can take signals."""
    with trio.fail_after(PATIENCE):
        assert await trio.Path(fifo).read_text() == "ready"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param("exit 0", 0, id="well"),
        pytest.param("exit 3", 3, id="failed"),
        pytest.param("kill -KILL $$", 137, id="killed"),
        pytest.param("kill -TERM $$", 143, id="terminated"),
    ],
)
async def test_exit_status_is_the_commands(script: str, status: int) -> None:
    """The status is what a shell would give, 128 and the signal's number if killed."""
    assert await child.run(["sh", "-c", script], ENV) == status


async def test_missing_command(tmp_path: Path) -> None:
    """A command that does not exist is named, with the shell's status 127."""
    with pytest.raises(child.CommandError, match="no-such-thing") as caught:
        await child.run([str(tmp_path / "no-such-thing")], ENV)
    assert caught.value.status == 127


@pytest.mark.parametrize("mode", [0o644, 0o755], ids=["no-right", "no-program"])
async def test_command_that_cannot_be_executed(tmp_path: Path, mode: int) -> None:
    """A file without the right to run, or that is no program, gives 126."""
    path = tmp_path / "thing"
    path.write_bytes(b"\x7fnothing\n")
    path.chmod(mode)
    with pytest.raises(child.CommandError) as caught:
        await child.run([str(path)], ENV)
    assert caught.value.status == 126


async def test_command_gets_the_environment(tmp_path: Path) -> None:
    """The command finds our listener in DOCKER_HOST, and nothing that overrides it."""
    before = ENV | {
        "DOCKER_HOST": "tcp://10.0.0.1:2375",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": "/certs",
        "DOCKER_CONTEXT": "prod",
        "DOCKER_CONFIG": "/config",
    }
    env = child.environment(before, "unix:///run/x.sock")
    told = tmp_path / "told"
    await child.run(["sh", "-c", f"env | grep ^DOCKER | sort > {told}"], env)
    assert told.read_text() == "DOCKER_CONFIG=/config\nDOCKER_HOST=unix:///run/x.sock\n"
    assert before["DOCKER_CONTEXT"] == "prod"


@pytest.mark.parametrize(
    "number", child.PASSED_ON, ids=[one.name for one in child.PASSED_ON]
)
async def test_signals_are_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Without a terminal each of the four signals reaches the command."""
    monkeypatch.setattr(child, "in_foreground", lambda: False)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-c", AWAITS + TELLS, str(fifo)]
    statuses = []

    async def run() -> None:
        statuses.append(await child.run(command, ENV))

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await ready(fifo)
            os.kill(os.getpid(), number)
    assert statuses == [number]


async def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """Under nohup a hang-up reaches neither us nor the command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told = tmp_path / "told"
    script = f'kill -HUP $PPID; trap "" TERM; kill -HUP $$; echo alive > {told}'
    try:
        assert await child.run(["sh", "-c", script], ENV) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told.read_text() == "alive\n"


async def test_cancelled_it_ends_the_command(tmp_path: Path) -> None:
    """A command does not outlive the proxy that it talks to."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    done = tmp_path / "done"
    script = (
        f"trap 'echo ended > {done}; exit' TERM; printf ready > {fifo}; read x < {fifo}"
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child.run, ["sh", "-c", script], ENV)
        await ready(fifo)
        nursery.cancel_scope.cancel()
    assert done.read_text() == "ended\n"


def test_a_terminal_interrupts_the_command_once() -> None:
    """Control-C comes from the terminal to the command; we do not send it a second time."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", DRIVER, sys.executable, "-c", AWAITS + COUNTS]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            assert b"ready" in os.read(ours, 100)
            os.write(ours, b"\x03")
            shown = b""
            while b"^C" not in shown:  # the end of the line may come by itself
                shown += os.read(ours, 100)
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=PATIENCE)
        finally:
            process.kill()  # else the `with` waits for it
    os.close(ours)
    assert status == 41
