"""learn's COMMAND: its environment, the signals it gets, and how it ended.

It keeps our standard streams and our process group, as if it had been started without us.
What it does, and through which socket, is not known here.
"""

import ctypes
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import trio

from trioproxy.commands.capture import status_of

PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
FROM_TERMINAL: Final = frozenset({signal.SIGINT, signal.SIGQUIT})
"""What a terminal sends to its whole foreground group."""

KILLED_BY: Final = 128
"""To which the shell adds a signal's number, for a status; the others are `capture`'s."""

END_SECONDS: Final = 5.0
"""From our SIGTERM to our SIGKILL, where we have to end before the command does."""


SET_CHILD_SUBREAPER: Final = 36
"""From Linux' prctl.h."""


class CommandError(Exception):
    """The command cannot be started; `status` is what a shell would exit with."""

    def __init__(self, name: str, error: OSError) -> None:
        super().__init__(f"cannot run {name!r}: {error.strerror or error}")
        self.status = status_of(error)


def environment(environ: Mapping[str, str], docker_host: str) -> dict[str, str]:
    """Point every Docker client at `docker_host`, whatever was set before."""
    overriding = {
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "DOCKER_CERT_PATH",
        "DOCKER_CONTEXT",
        "NOTIFY_SOCKET",  # what it would say there would be said of us
    }
    kept = {name: value for name, value in environ.items() if name not in overriding}
    return kept | {"DOCKER_HOST": docker_host}


async def run(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit status as a shell gives it.

    `CommandError`: it could not be started. Closing: cancelled, it ends the command.
    """
    # What we were started to ignore (nohup), the command shall ignore too.
    heeded = [one for one in PASSED_ON if signal.getsignal(one) != signal.SIG_IGN]
    with trio.open_signal_receiver(*heeded) as signals:
        try:
            process = await trio.lowlevel.open_process(list(command), env=env)
        except OSError as error:
            raise CommandError(command[0], error) from error
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_pass_on, signals, process, nursery)
            try:
                status = await process.wait()
            finally:
                await _end(process)
            nursery.cancel_scope.cancel()
    return KILLED_BY - status if status < 0 else status


async def _pass_on(
    signals: AsyncIterator[int], process: trio.Process, nursery: trio.Nursery
) -> None:
    terminated = 0
    async for number in signals:
        if number in FROM_TERMINAL and in_foreground():
            continue  # the terminal has sent it to the command as well
        process.send_signal(signal.Signals(number))
        if number == signal.SIGTERM:
            terminated += 1
            if terminated == 2:
                nursery.start_soon(_end, process)


async def _end(process: trio.Process) -> None:
    """Leave no command behind whose proxy is gone."""
    if process.returncode is not None:
        return
    process.terminate()
    with trio.move_on_after(END_SECONDS, shield=True):
        await process.wait()
    process.kill()


def adopt_orphans() -> None:
    """Have the kernel give us the processes that the command leaves behind.

    Without it they are the first process's, and whether there are any cannot be known.
    Only `fork` without `exec` escapes that, and what was started by somebody else.
    """
    with suppress(AttributeError, OSError):  # another kernel: then nobody is waited for
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def orphans() -> tuple[str, ...]:
    """Names of the processes that the command, which has ended, left behind.

    Those that have ended are reaped here: we are their parent, and nobody else will.
    """
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
        return tuple(_names_of_children()) or ("?",)
    return ()


def _names_of_children() -> Iterator[str]:
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):
            for pid in children.read_text().split():
                with suppress(OSError):
                    yield Path("/proc", pid, "comm").read_text().rstrip("\n")


def in_foreground() -> bool:
    """Whether this process is in the foreground group of its terminal."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False  # no terminal, so nobody else sends signals for it
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
