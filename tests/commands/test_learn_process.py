"""`learn` and the processes around it: what passes by, what goes on, when it ends."""

import fcntl
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio
import trio.testing

from tests.commands.running import environment, run, running
from tests.commands.screen import on_pty, read_all
from tests.commands.test_learn import (
    INFO,
    LIST,
    STREAMS,
    Learning,
    client_sending,
)
from tests.depth import by_depth
from tests.fakes import FakeEngine, connect
from tests.patience import PATIENCE
from trioproxy.commands import capture
from trioproxy.evidence.evidencefile import load

LIBFAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))

FIXED = """
import socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.sendall(b"GET /info HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    while sock.recv(4096):
        pass
"""
"""A client that asks the socket that it is told, whatever DOCKER_HOST says."""

LATER = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]], stdout=-3, stderr=-3)
"""
"""Leaves a process behind, and ends before it."""


@pytest.fixture
def learn(fake: FakeEngine, tmp_path: Path) -> Learning:
    return Learning(fake, tmp_path)


def fixed(path: Path) -> tuple[str, ...]:
    """A command that asks the Engine's own socket."""
    return (sys.executable, "-c", FIXED, str(path))


@pytest.mark.slow
async def test_capture_sees_a_client_with_a_fixed_socket(
    learn: Learning, fake: FakeEngine
) -> None:
    """In COMMAND's own view of the files our socket is where the Engine's is."""
    done = await learn("--", *fixed(fake.path))
    assert "--capture" in done.err
    assert not learn.file.exists()
    done = await learn("--capture", "--", *fixed(fake.path))
    assert (done.status, learn.granted) == (0, {"SystemInfo"}), done.err
    done = await learn("--", *fixed(fake.path))
    assert "nothing seen" in done.err


async def test_capture_changes_nothing_else_for_the_command(
    learn: Learning, fake: FakeEngine
) -> None:
    """User, group, streams, status and DOCKER_HOST are as without it, and a script ends whose reader has left: SIGPIPE was ignored in it."""
    script = (
        'id -u; id -g; grep SigIgn /proc/self/status; echo "$DOCKER_HOST"; cat; exit 7'
    )
    done = await learn("--capture", "--", "sh", "-c", script)
    user, group, ignored, host = done.out.splitlines()
    assert not int(ignored.split()[1], 16) >> signal.SIGPIPE - 1 & 1
    assert (done.status, int(user), int(group)) == (7, os.geteuid(), os.getegid())
    assert host.startswith("unix://")


async def test_capture_of_a_command_that_is_not_there(learn: Learning) -> None:
    """The status is a shell's, and one line says why."""
    done = await learn("--capture", "--", "/no/such/command")
    assert done.status == 127
    assert "cannot run '/no/such/command': No such file or directory" in done.err
    assert "nothing seen" not in done.err


async def test_capture_is_for_a_command(learn: Learning) -> None:
    """Clients that we do not start cannot be given a view of their own."""
    done = await learn("--capture")
    assert (done.status, "is for a COMMAND that we start" in done.err) == (2, True)


def test_capture_covers_the_usual_path_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients look at the usual path, wherever the Engine is, and at its own."""
    usual, own = str(tmp_path / "docker.sock"), str(tmp_path / "own.sock")
    monkeypatch.setattr(capture, "USUAL", usual)
    assert capture.paths_of_engine("") == [usual]
    assert capture.paths_of_engine(own) == [usual]
    Path(own).touch()
    assert capture.paths_of_engine(own) == [own, usual]


LOOK = "ls -A /run; stat -c %a /run; cat /run/*/* 2>/dev/null | cksum"


@pytest.mark.skipif(os.path.exists(capture.USUAL), reason="there is an Engine's socket")
async def test_capture_makes_the_usual_path(learn: Learning, fake: FakeEngine) -> None:
    """COMMAND finds our socket where clients look, and all else beside it as it was."""
    done = await learn("--capture", "--", *fixed(Path(capture.USUAL)))
    assert (done.status, learn.granted) == (0, {"SystemInfo"}), done.err
    assert not await trio.Path(capture.USUAL).exists()
    look = partial(trio.run_process, ["sh", "-c", LOOK], capture_stdout=True)
    before = await look()
    done = await learn("--capture", "--", "sh", "-c", LOOK)
    shown = [line for line in done.out.splitlines() if line != "docker.sock"]
    outside = [before, await look()]  # other programs may work there meanwhile
    assert shown in [one.stdout.decode().splitlines() for one in outside]


def test_a_system_without_namespaces_is_told(tmp_path: Path) -> None:
    """What failed, and why, is what the error repeats."""
    missing = tmp_path / "missing"
    why = capture.why_not([str(missing / "docker.sock")])
    assert why == f"{missing}: No such file or directory"


async def test_what_the_command_leaves_behind_is_learned(
    learn: Learning, tmp_path: Path
) -> None:
    """A process that goes on in the background keeps its socket until it ends."""
    sign = tmp_path / "sign"
    os.mkfifo(sign)
    late = f"open({str(sign)!r}).read()\n{client_sending()[2]}"
    command = (sys.executable, "-c", LATER, late, LIST, INFO)
    async with running("learn", *learn.options, "--", *command) as learner:
        await learner.line("the command has ended, but left 1 process (")
        await trio.Path(sign).write_text("now")  # opened once the process reads
        rest = learner.text.encode() + b"".join([one async for one in learner.stream])
        assert await learner.end() == 0
    assert b"left without" not in rest
    assert learn.granted == {"ContainerList", "SystemInfo"}


async def test_a_daemon_is_not_waited_for_for_ever(learn: Learning) -> None:
    """Who never asks again is left after a while, by name."""
    daemon = f"import time\n{client_sending()[2]}\nos.write(1, b'.')\ntime.sleep(100)"
    # It has asked before the command ends, however long it took to begin.
    starts = LATER.replace("stdout=-3", "stdout=-1").strip() + ".stdout.read(1)"
    command = (sys.executable, "-c", starts, daemon, LIST)
    done = await learn("--", *command, lingering=1)
    assert done.status == 0
    assert "left without a Docker socket: 1 process" in done.err
    assert learn.granted == {"ContainerList"}


async def test_a_signal_ends_the_waiting(learn: Learning) -> None:
    """Ctrl-C while a process in the background is waited for ends and writes."""
    async with running(
        "learn", *learn.options, "--", sys.executable, "-c", STREAMS
    ) as learner:
        await learner.line("the command has ended")
        learner.process.terminate()
        assert await learner.end() == 0
    assert learn.granted == {"SystemEvents"}


@pytest.mark.slow
async def test_a_second_sigterm_ends_a_command_that_ignores_it(
    learn: Learning,
) -> None:
    """The status is that of a killed command, and what it used is written."""
    ignores = f"{client_sending()[2]}\nimport signal, time\n"
    ignores += "told = lambda *args: os.write(2, b'ignored\\n')\n"
    ignores += "signal.signal(signal.SIGTERM, told)\n"
    ignores += "os.write(2, b'ready\\n')\n"
    ignores += "while True: time.sleep(100)"
    args = ("learn", *learn.options, "--", sys.executable, "-c", ignores, LIST)
    async with running(*args) as learner:
        await learner.line("ready")
        learner.process.send_signal(signal.SIGTERM)
        await learner.line("ignored")
        learner.process.send_signal(signal.SIGTERM)
        assert await learner.end() == 128 + signal.SIGKILL
    assert learn.granted == {"ContainerList"}


@pytest.mark.parametrize(
    "sent", [signal.SIGINT, signal.SIGTERM], ids=["interrupt", "terminate"]
)
async def test_a_signal_behind_the_command_ends_nothing(
    learn: Learning, sent: signal.Signals
) -> None:
    """As of `kill 0` in its trap, or Ctrl-C once more: it had `interrupted` for the command's status, or was killed, with its folder left behind."""
    path = learn.file.with_suffix(".jsonl")
    path.parent.mkdir()
    goes_on = path.with_name("goes-on")
    os.mkfifo(goes_on)
    code = 'read said < "$0"; "$@"; exit 3'  # its socket lives until somebody saw it
    ends = ("sh", "-c", code, str(goes_on), *client_sending(LIST))
    with TemporaryDirectory(dir="/tmp") as short, path.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # what it used cannot be written yet
        args = ("learn", *learn.options, "--", *ends)
        async with running(*args, variables={"TMPDIR": short}) as learner:
            sockets = partial(Path(short).glob, "*/docker.sock")
            with trio.fail_after(PATIENCE):
                for is_there in (True, False):
                    while any(sockets()) is not is_there:
                        await trio.testing.wait_all_tasks_blocked(0.01)
                    if is_there:
                        await trio.to_thread.run_sync(goes_on.write_text, "go\n")
            for _ in range(20):
                learner.process.send_signal(sent)
                await trio.testing.wait_all_tasks_blocked(0.02)
            fcntl.flock(held, fcntl.LOCK_UN)
            assert await learner.end() == 3
        assert os.listdir(short) == []
    assert learn.granted == {"ContainerList"}


async def test_the_status_is_the_commands_whoever_ignores_endings(
    learn: Learning,
) -> None:
    """Started by what ignores SIGCHLD, as some that run jobs do, a suite that fails had 0 for its status, and its run counted as a good one."""
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execvp(sys.argv[1], sys.argv[1:])"
    ends = ("sh", "-c", '"$@"; exit 3', "sh", *client_sending(LIST))
    args = ("learn", *learn.options, "--", *ends)
    async with running(*args, inside=(sys.executable, "-c", ignoring)) as learner:
        assert await learner.end() == 3
    assert [one.status for one in learn.evidence.runs.values()] == [3]


async def test_the_command_may_have_as_many_descriptors_as_before(
    learn: Learning,
) -> None:
    """It had as many as the system gives to who asks for more: a million in a container, which some programs close one by one as they start."""
    few = ("sh", "-c", 'ulimit -Sn 99; exec "$@"', "sh")
    told = ("sh", "-c", 'ulimit -Sn; exec "$@"', "sh")
    args = ("learn", *learn.options, "--", *told, *client_sending(LIST))
    async with running(*args, inside=few, log="stdout") as learner:
        assert await learner.line("99") == "99"
        assert await learner.end() == 0


async def test_who_may_be_ended_by_no_signal(learn: Learning) -> None:
    """In a script with `trap "" INT TERM HUP` it learns, and no TypeError of ours is told."""
    trap = ("sh", "-c", 'trap "" INT TERM HUP QUIT; exec "$@"', "sh")
    args = ("learn", *learn.options, "--", *client_sending(LIST))
    async with running(*args, inside=trap) as learner:
        assert await learner.end() == 0
    assert learn.granted == {"ContainerList"}


@pytest.mark.parametrize("name", ["a%b", "a%41b", "a b", "a#b"])
async def test_a_folder_for_temporary_files_with_an_odd_name(
    learn: Learning, name: str
) -> None:
    """The private socket is in another folder, since clients read such paths differently."""
    with TemporaryDirectory(dir="/tmp") as short:  # a long one is not taken anyway
        odd = os.path.join(short, name)
        os.mkdir(odd)
        told = ("sh", "-c", 'echo "$DOCKER_HOST"; exec "$@"', "sh")
        command = (*told, *client_sending(LIST))
        done = await learn("--", *command, variables={"TMPDIR": odd})
    assert re.fullmatch(r"unix:///[A-Za-z0-9/_.-]+\n", done.out)
    assert (done.status, learn.granted) == (0, {"ContainerList"}), done.err


def test_no_writable_folder_at_all(tmp_path: Path) -> None:
    """On a read-only root one clear line says what to give, and no traceback."""
    script = (
        "import sys, tempfile, pathlib\n"
        "from trioproxy.commands import learn\n"
        "def none(): raise FileNotFoundError('no usable temporary directory')\n"
        "learn.tempfile.gettempdir = none\n"
        "def refuse(**kwargs): raise OSError(30, 'Read-only file system')\n"
        "learn.TemporaryDirectory = refuse\n"
        "from trioproxy.cli import main\n"
        "main()\n"
    )
    engine = socket.socket(socket.AF_UNIX)
    with engine:
        engine.bind(str(tmp_path / "e.sock"))
        engine.listen()
        done = subprocess.run(
            [sys.executable, "-c", script, "learn", "--upstream",
             f"unix://{tmp_path}/e.sock", "-o", str(tmp_path / "x.env"), "--", "true"],
            env=environment({}),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "there is no folder to make a private socket in" in done.stderr
    assert "TMPDIR" in done.stderr
    assert "Traceback" not in done.stderr


async def test_announcements_into_a_raw_terminal_begin_their_lines(
    learn: Learning,
) -> None:
    """Each line has a CR of its own where the terminal adds none."""
    ours, theirs = pty.openpty()
    code = f"import tty, sys\ntty.setraw(2)\n{client_sending()[2]}"
    command = ("learn", *learn.options, "--", sys.executable, "-c", code, LIST)
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "trioproxy", *command],
        env=environment({}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    text = await trio.to_thread.run_sync(read_all, ours)
    await process.wait()
    os.close(ours)
    lines = text.split(b"\n")
    assert len(lines) > 5
    assert all(line.endswith(b"\r") for line in lines[:-1])


async def test_what_a_command_wrote_last_stays_on_the_screen(learn: Learning) -> None:
    """Whose last line has no end had it written over by ours: of `printf 42` nobody saw the 42."""
    text = await on_pty(
        *(sys.executable, "-m", "trioproxy", "learn", *learn.options),
        *("--", "printf", "42"),
    )
    assert text.startswith(b"42trioproxy: nothing seen")


async def test_a_clock_that_is_set_forward_is_no_watching(
    learn: Learning, tmp_path: Path
) -> None:
    """An hour that the wall clock skips within a run makes nothing ready."""
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    asks = f"""
import os, sys, time
{client_sending()[2]}
with open({str(clock) + ".new"!r}, "w") as new:
    new.write("+1h\\n")
os.replace({str(clock) + ".new"!r}, {str(clock)!r})
del sys.argv[1:-1]
"""
    again = client_sending()[2]
    code = f"{asks}\n{again}"
    variables = {
        "LD_PRELOAD": str(LIBFAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    options = ("--until-quiet", "30m", "--")
    done = await learn(*options, sys.executable, "-c", code, LIST, variables=variables)
    assert "not ready: the last run brought something new" in done.err
    (one,) = learn.evidence.runs.values()
    assert one.last - one.first >= 3_600
    assert one.seconds < 60


@pytest.mark.slow
async def test_a_clock_that_is_set_back_makes_no_old_run(learn: Learning) -> None:
    """What a later run needed for the first time is new in it, whatever the date says."""
    await learn("--", *client_sending(LIST))
    path = learn.file.with_suffix(".jsonl")
    (name,) = learn.evidence.runs
    future = name.replace(name[:4], "2099", 1)
    path.write_text(path.read_text().replace(name, future))
    command = ("--until-quiet", "1run", "--", *client_sending(LIST, INFO))
    done = await learn(*command)
    assert "not ready: the last run brought something new" in done.err
    done = await learn(*command)
    assert "ready: nothing new in 1 run (asked: 1 run)" in done.err
    assert "last new in run 2" in done.err


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.parametrize("moment", range(0, 40, by_depth(5, 2)))
async def test_killed_at_any_moment(
    fake: FakeEngine, tmp_path: Path, moment: int
) -> None:
    """Whatever it was doing: what it told is kept, and such a run is no quiet one."""
    file = tmp_path / "app.env"
    url = f"unix://{tmp_path}/l.sock"
    options = ("--upstream", str(fake.path), "-o", str(file), "--listen", url)
    told = set[str]()
    async with running("learn", *options) as learner:
        await learner.line("listening on")
        client = await connect(url)
        for target in (
            f"/containers/{moment}/json",
            "/info",
            "/version",
            "/images/json",
        ):
            await client.ask("GET", target)
            await client.read_response()
        for _ in range(moment % 5):
            told.add((await learner.line("new: ")).partition("new: ")[2].split()[0])
        with trio.move_on_after(moment / 4000):
            await trio.sleep_forever()
        learner.process.kill()
        await learner.end()
        client.close()
    path = file.with_suffix(".jsonl")
    seen = load(path.read_bytes() if path.exists() else b"", name="x").evidence
    assert told <= seen.used_operations()
    command = ("learn", *options[:4], "--", *client_sending(LIST))
    again = await trio.to_thread.run_sync(lambda: run(*command))
    assert again.status == 0, again.err
    assert "declined" not in again.err
