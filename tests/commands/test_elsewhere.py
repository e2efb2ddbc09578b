"""The commands that open no socket, on systems without what serving is built on.

Another system is played by taking away from this one what that one does not have, in a
process of its own, before anything of trioproxy is imported.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.running import Finished, run
from tests.patience import PATIENCE
from trioproxy.cli import COMMANDS, SERVING
from trioproxy.evidence.evidencefile import dump
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Who, route

MACOS = """
import os, select, socket
for name in [name for name in vars(select) if name.lower().startswith("epoll")]:
    delattr(select, name)
del os.splice, socket.SO_PEERCRED
"""
WINDOWS = f"""{MACOS}
import signal, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
del os.O_CLOEXEC, os.O_DIRECTORY, os.O_NOFOLLOW, os.fchown, os.geteuid
del signal.SIGHUP, signal.SIGQUIT, socket.AF_UNIX
"""
THERE = [pytest.param(MACOS, id="macos"), pytest.param(WINDOWS, id="windows")]
START = """
from trioproxy.cli import main
main()
"""

TOLD = """
import atexit, sys
def tell():
    print(sorted({'trio', 'trioproxy.proxy'} & sys.modules.keys()), file=sys.stderr)
atexit.register(tell)
"""

LOOKING = {
    "check": ("check", "app.env", "GET", "/images/json"),
    "explain": ("explain", "app.env"),
    "report": ("explain", "app.env", "--evidence", "app.jsonl", "--as", "html"),
    "report-to-file": ("explain", "app.env", "--as", "html", "-o", "report.html"),
    "diff": ("diff", "app.env", "old.env"),
    "diff-evidence": ("diff", "app.env", "app.jsonl"),
    "approve": ("approve", "app.env", "app.jsonl", "--json"),
    "export": ("export", "app.env", "--to", "tecnativa"),
    "what-there-is": ("explain",),
    "health": ("health", "tcp://127.0.0.1:1"),
    "merge-to-nowhere": ("merge", "app.jsonl", "-o", "no/folder.jsonl/x.jsonl"),
}
"""A call of each command that only looks."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A learned file with its evidence, and an older one."""
    (tmp_path / "app.env").write_text("ALLOW_OPERATIONS=ContainerList\nCONTAINERS=1\n")
    (tmp_path / "old.env").write_text("CONTAINERS=1\n")
    evidence = Evidence()
    evidence.begin("2026-11-24T10:00:00Z-1", 1_000)
    evidence.observe(
        route("ContainerList", "GET", "CONTAINERS"), "200", When(1_000), Who()
    )
    evidence.observe(route("ImageList", "GET", "IMAGES"), "200", When(1_000), Who())
    (tmp_path / "app.jsonl").write_text(dump(evidence))
    (tmp_path / "no").write_text("a file, and no folder")
    return tmp_path


def run_there(system: str, folder: Path, *args: str) -> Finished:
    """Run `trioproxy ARGS` to its end, as on that system."""
    done = subprocess.run(
        [sys.executable, "-c", system + START, *args],
        env=os.environ | {"PYTHONWARNINGS": "error"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Finished(status=done.returncode, out=done.stdout, err=done.stderr)


def test_each_command_is_tried() -> None:
    """Whatever is no server is among the calls."""
    assert {args[0] for args in LOOKING.values()} == COMMANDS.keys() - SERVING


@pytest.mark.slow
@pytest.mark.parametrize("system", THERE)
@pytest.mark.parametrize("args", LOOKING.values(), ids=LOOKING)
def test_looking_works_everywhere(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    system: str,
    args: tuple[str, ...],
) -> None:
    """Without epoll, splice and SO_PEERCRED a command that looks says the same as here."""
    monkeypatch.chdir(folder)
    there = run_there(system, folder, *args)
    assert "Traceback" not in there.err
    here = run(*args)
    if args[0] == "merge":
        assert (there.status, here.status) == (2, 2)
    elif args[0] == "approve" and system is WINDOWS:
        # It looks whether it can write before it asks anything.
        assert there.status == 2
        assert "files are not locked on Windows" in there.err
    else:
        assert there == here


def test_merge_works_on_macos(folder: Path) -> None:
    """Where files can be locked, learned files are united as on Linux."""
    done = run_there(MACOS, folder, "merge", "app.jsonl", "-o", "all.env")
    assert done.status == 0, done.err
    assert "ContainerList" in (folder / "all.env").read_text()


def test_merge_says_why_not_on_windows(folder: Path) -> None:
    """Where files cannot be locked, nothing is written, and one line says where it can."""
    done = run_there(WINDOWS, folder, "merge", "app.jsonl", "-o", "all.env")
    assert done.status == 2
    assert done.err.splitlines() == [
        "trioproxy: cannot write all.env: files are not locked on Windows",
        "hint: write it in WSL, or by the image; reading works everywhere",
    ]
    assert not (folder / "all.env").exists()


@pytest.mark.parametrize("system", THERE)
@pytest.mark.parametrize("command", sorted(SERVING))
def test_serving_says_what_to_do(folder: Path, system: str, command: str) -> None:
    """A command that serves says that it needs Linux, and where to read on."""
    done = run_there(system, folder, command)
    assert done.status == 2
    assert done.err.splitlines() == [
        f"trioproxy: {command} runs on Linux only: this system has no epoll",
        "hint: run the image, which works in Docker Desktop, or use WSL:"
        " docs/engines.md has the commands",
    ]


@pytest.fixture
def log(folder: Path) -> tuple[str, ...]:
    """A call that learns from a log."""
    line = (
        "10.0.0.1:5 [25/Nov/2026:19:38:27.747] proxy docker/socket 0/0/0/3/3 200 12"
        ' - - ---- 1/1/0/0/0 0/0 "GET /info HTTP/1.1"\n'
    )
    (folder / "proxy.log").write_text(line)
    return ("learn", "-o", "new.env", "--from-log", "proxy.log")


def test_logs_are_read_on_macos(folder: Path, log: tuple[str, ...]) -> None:
    """A log teaches wherever files can be locked: the other proxy runs in Docker Desktop."""
    done = run_there(MACOS, folder, *log)
    assert done.status == 0, done.err
    assert "SystemInfo" in (folder / "new.env").read_text()


def test_logs_are_not_read_on_windows(folder: Path, log: tuple[str, ...]) -> None:
    """Where files cannot be locked, one line says where they can."""
    done = run_there(WINDOWS, folder, *log)
    assert done.status == 2
    assert "files are not locked on Windows" in done.err


def test_reading_a_log_imports_no_server(folder: Path, log: tuple[str, ...]) -> None:
    """Learning from a log imports neither Trio nor anything of `proxy/`."""
    assert run_there(TOLD, folder, *log).err.splitlines()[-1] == "[]"


@pytest.mark.parametrize("args", LOOKING.values(), ids=LOOKING)
def test_looking_imports_no_server(folder: Path, args: tuple[str, ...]) -> None:
    """A command that looks imports neither Trio nor anything of `proxy/`."""
    assert run_there(TOLD, folder, *args).err.splitlines()[-1] == "[]"
