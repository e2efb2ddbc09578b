"""Where the demonstration's commands run, and how they look on a terminal."""

import os
import re
import shlex
import socket
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import trio

from trioproxy.commands.terminal import has_colours, painted

WIDTH: Final = 80
INDENT: Final = "   "
KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "DOCKER_CONFIG")
"""What the commands get of our environment: no setting of trioproxy is among it."""
INSTALLED: Final = "DEMO_OF"
"""Names an installed program, of which the commands are then, in place of this checkout's."""
START_SECONDS: Final = 120
TRIES: Final = 3
"""Starts of the proxy: another demonstration may take the port that was free."""
BOLD: Final = "\x1b[1m{}\x1b[0m"


class Failed(Exception):
    """The demonstration did not show what it should."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A scratch folder in which the words that are shown are programs."""

    folder: Path
    environment: dict[str, str]

    @classmethod
    def build(cls, folder: Path, engine: str) -> "Stage":
        """Put our programs on the PATH of the commands, and name the Engine."""
        ours = [sys.executable, "-m", "trioproxy"]
        programs = {
            "trioproxy": [os.environ[INSTALLED]] if INSTALLED in os.environ else ours,
            "client": [sys.executable, "-m", "demo.guest"],
        }
        for name, words in programs.items():
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            program.chmod(0o755)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        kept["PATH"] = f"{folder / 'bin'}:{kept.get('PATH', os.defpath)}"
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        kept["SOCKET_PATH"] = engine
        return cls(folder=folder, environment=kept)

    async def run(self, command: str, *, check: bool = True, **variables: str) -> str:
        """Show a command, run it, show and return what it writes.

        It must end well; with `check=False` it must not.
        """
        show(f"$ {command}")
        done = await trio.run_process(
            ["sh", "-c", command],
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=self.folder,
            env=self.environment | variables,
        )
        text = done.stdout.decode(errors="replace")
        show(text)
        if (done.returncode == 0) != check:
            raise Failed(f"{command!r} ended with status {done.returncode}")
        return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A running `trioproxy enforce`, and what it has logged."""

    url: str
    log: list[str] = field(default_factory=list)
    started: trio.Event = field(default_factory=trio.Event)

    async def read_log(self, stream: trio.abc.ReceiveStream) -> None:
        """Collect the log until it ends."""
        buffer = b""
        async for data in stream:
            *lines, buffer = (buffer + data).split(b"\n")
            self.log.extend(line.decode(errors="replace") for line in lines)
            if self.has_started:
                self.started.set()
        self.started.set()  # or it never will be: its log says why

    @property
    def has_started(self) -> bool:
        """Whether its log says so."""
        return any("start" in line.split() for line in self.log)


@asynccontextmanager
async def enforcing(stage: Stage) -> AsyncIterator[Proxy]:
    """Run `trioproxy enforce` while the block runs; then end it politely."""
    async with trio.open_nursery() as nursery:
        proxy, process = await _start(stage, nursery)
        yield proxy
        process.terminate()


async def _start(stage: Stage, nursery: trio.Nursery) -> tuple[Proxy, trio.Process]:
    """Start it on a free port; on another one where somebody has taken that meanwhile."""
    said = ""
    for _ in range(TRIES):
        proxy = Proxy(url=f"tcp://127.0.0.1:{free_port()}")
        command = f"trioproxy enforce --env-file app.env --listen {proxy.url}"
        program = partial(
            trio.run_process,
            ["sh", "-c", f"exec {command}"],
            stderr=subprocess.PIPE,
            check=False,
            cwd=stage.folder,
            env=stage.environment,
        )
        process: trio.Process = await nursery.start(program)
        assert process.stderr is not None  # noqa: S101  it was asked for above
        nursery.start_soon(proxy.read_log, process.stderr)
        with trio.fail_after(START_SECONDS):
            await proxy.started.wait()
        if proxy.has_started:
            show(f"$ {command} &")
            return proxy, process
        said = " ".join(proxy.log)
    raise Failed(f"the proxy does not start: {said}")


def free_port() -> int:
    """The proxy's usual port, or another one where that is taken."""
    for port in (2375, 0):
        with socket.socket() as sock, suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            return int(sock.getsockname()[1])
    raise Failed("no TCP port is free on 127.0.0.1")


def say(text: str) -> None:
    """Print a paragraph of the story; on a terminal its title stands out."""
    # A path with a hyphen in it stays whole: people copy it.
    told = textwrap.fill(text, WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)
    if on_colours():
        told = re.sub(r"^\d\. .+?[.:]", lambda title: BOLD.format(title[0]), told)
    print("\n" + told + "\n")


def show(text: str) -> None:
    """Print what a command is, or wrote, within the width of a terminal."""
    for line in text.splitlines():
        rows = list(fold(line.expandtabs()))
        if on_colours():
            is_command = line.startswith("$ ")
            rows = [BOLD.format(row) if is_command else painted(row) for row in rows]
        print("\n".join(rows))


def on_colours() -> bool:
    """Whether what is printed goes to a terminal that may be sent colours."""
    return sys.stdout.isatty() and has_colours(os.environ)


def fold(line: str) -> Iterator[str]:
    """Break a line after blanks and commas; never within a word."""
    row = INDENT
    for piece in re.findall(r"[^ ,]+[ ,]*|[ ,]+", line):
        if len(row + piece.rstrip()) > WIDTH and row.strip():
            yield row.rstrip()
            row = INDENT + "    "
        row += piece
    yield row.rstrip()


def show_env_file(text: str) -> None:
    """Print an env file without its comments."""
    lines = text.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    show(f"... {len(comments)} lines of comments: what the file means")
    show("\n".join(line for line in lines if line not in comments))
