"""A terminal as people have one: tmux, with a shell in it, seen as it shows it."""

import os
import pty
import re
import shlex
import signal
import subprocess
import tempfile
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.commands.running import environment
from tests.patience import PATIENCE

PROMPT = "ready> "
LOOK_EVERY = 0.05
HELD_BACK = 0.3
"""Seconds, a little more than tmux waits until it tells a program of another size."""


def read_all(terminal: int) -> bytes:
    """What is written into a terminal until its last writer is gone."""
    text = b""
    while True:
        try:
            more = os.read(terminal, 65_536)
        except OSError:
            return text
        text += more


async def on_pty(*command: str, columns: int = 80) -> bytes:
    """All that a command writes to a terminal without colours."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    process = await trio.lowlevel.open_process(
        command,
        env=environment({"TERM": "xterm", "NO_COLOR": "1"}),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    text = await trio.to_thread.run_sync(read_all, ours)
    await process.wait()
    os.close(ours)
    return text


@dataclass(kw_only=True)
class Screen:
    """A window of tmux in which a shell waits for what is typed."""

    socket: str
    folder: Path

    async def tmux(self, *args: str) -> str:
        """Run a command of tmux; what it says."""
        done = await trio.run_process(
            ["tmux", "-f", "/dev/null", "-S", self.socket, *args], capture_stdout=True
        )
        return done.stdout.decode()

    async def run(self, *command: str) -> None:
        """Type a command; what it is stands in a script, so that the line is short."""
        script = self.folder / "go"
        script.write_text(f"exec {shlex.join(command)}\n")
        await self.type("clear; sh go", "Enter")

    async def signal(self, name: str) -> None:
        """Send a signal to what was run."""
        shell = int(await self.tmux("display-message", "-p", "#{pane_pid}"))
        children = trio.Path(f"/proc/{shell}/task/{shell}/children")
        (child,) = map(int, (await children.read_text()).split())
        os.kill(child, signal.Signals[f"SIG{name}"])

    async def type(self, *keys: str) -> None:
        """Type keys, by their names in tmux."""
        await self.tmux("send-keys", *keys)

    async def resize(self, columns: int, rows: int = 24) -> None:
        """Give the terminal another size, and wait until its programs can know.

        tmux breaks the lines anew at once and tells of a size at once, but not of two within
        250 ms: what any program draws meanwhile is drawn for the size before.
        """
        await self.tmux("resize-window", "-x", str(columns), "-y", str(rows))
        terminal = await self.tmux("display-message", "-p", "#{pane_tty}")
        opened = os.open(terminal.strip(), os.O_RDONLY | os.O_NOCTTY)
        try:
            with trio.fail_after(PATIENCE):
                while True:
                    if os.get_terminal_size(opened) == (columns, rows):
                        break
                    await trio.sleep(LOOK_EVERY)
        finally:
            os.close(opened)
        await trio.sleep(HELD_BACK)

    async def text(self, *, whole_lines: bool = False, colours: bool = False) -> str:
        """All that it shows, with what has scrolled out of it.

        `whole_lines`: as they were written, not as the terminal had to break them.
        """
        options = ["-J"] * whole_lines + ["-e"] * colours
        text = await self.tmux("capture-pane", "-p", "-S", "-", *options)
        lines = [line.rstrip() for line in text.split("\n")]
        return "\n".join(lines).rstrip("\n")

    async def until(self, pattern: str, *, colours: bool = False) -> str:
        """Wait until it shows something; all that it shows then."""
        text = ""
        with trio.move_on_after(PATIENCE):
            while True:
                text = await self.text(colours=colours)
                if re.search(pattern, text, re.MULTILINE):
                    return text
                await trio.sleep(LOOK_EVERY)
        raise AssertionError(f"no {pattern!r} in:\n{text}")


@asynccontextmanager
async def screen(
    folder: Path, columns: int, variables: Mapping[str, str] | None = None
) -> AsyncIterator[Screen]:
    """Open a terminal of 24 lines in a folder."""
    with tempfile.TemporaryDirectory(prefix="screen-") as private:
        shown = Screen(socket=os.path.join(private, "tmux"), folder=folder)
        shell = ["env", "-i"]
        kept = environment({"PS1": PROMPT, "TERM": "screen", **(variables or {})})
        shell += [f"{name}={value}" for name, value in kept.items()]
        size = ("-x", str(columns), "-y", "24")
        await shown.tmux(
            *("new-session", "-d", *size, "-c", str(folder)),
            *(*shell, "bash", "--norc", "--noprofile", "-i"),
        )
        try:
            await shown.until(PROMPT.strip())
            yield shown
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(PATIENCE):
                await shown.tmux("kill-server")
