"""learn's COMMAND: its environment, the signals it gets, and how it ended.

It keeps our standard streams and our process group, as if it had been started without us.
What it does, and through which socket, is not known here.
"""

import ctypes
import os
import resource
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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


@contextmanager
def received(
    numbers: Iterable[signal.Signals], *, is_last: bool = False
) -> Iterator[AsyncIterator[int]]:
    """Receive signals, but for those that whoever started us ignores: that may be all.

    `is_last`: from here on they do nothing else, also behind the end of this.
    """
    heeded = [one for one in numbers if signal.getsignal(one) != signal.SIG_IGN]
    if not heeded:
        never, signals = trio.open_memory_channel[int](0)
        with never:
            yield signals
        return
    for one in heeded if is_last else ():
        signal.signal(one, signal.SIG_IGN)
    with trio.open_signal_receiver(*heeded) as receiver:
        yield receiver


async def run(
    command: Sequence[str],
    env: Mapping[str, str],
    descriptors: tuple[int, int] | None = None,
) -> int:
    """Run a command to its end and return its exit status as a shell gives it.

    `descriptors`: how many it may have, where we may have more by now: there are programs that
    close as many as there may be, one by one, or use select(2).

    `CommandError`: it could not be started. Closing: cancelled, it ends the command.
    """
    # What we were started to ignore (nohup), the command shall ignore too.
    with received(PASSED_ON) as signals:
        raised = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, descriptors or raised)
        try:
            process = await trio.lowlevel.open_process(list(command), env=env)
        except OSError as error:
            raise CommandError(command[0], error) from error
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, raised)
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


def have_endings_told() -> None:
    """Have the kernel keep how a process of ours ended until we ask: where whoever started us
    ignores SIGCHLD it keeps nothing, and for Python each ends with 0."""
    if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


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
