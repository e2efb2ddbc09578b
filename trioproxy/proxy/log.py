"""Log lines: an event and its fields, on stderr, without ever stalling the proxy.

Entries are gathered, and made lines and written by a task of their own a few times a
second: a request does not wait for its line. A full pipe is never waited for: entries
beyond the bound are dropped, counted, and the count is said.
"""

import os
import select
import time
import traceback
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import trio

from trioproxy.config import Level
from trioproxy.policy.outcome import Moment, Outcome
from trioproxy.quoting import quote

PIPE_ATOM: Final = 4096
"""A pipe that poll(2) calls writable takes this much without blocking (PIPE_BUF)."""

MAX_PENDING: Final = 16 * 1024
"""Entries kept while the reader of the log does not read."""

FLUSH_EVERY: Final = 0.05
"""Seconds between writes: cheap under load, and soon enough for a person."""

FIRST_RETRY: Final = 0.001
"""Seconds until a full pipe is tried again, doubled up to `FLUSH_EVERY`."""


class Log:
    """Gathers entries of the wanted level and writes them."""

    def __init__(self, level: Level, fd: int = 2) -> None:
        self.level = level
        self.shows_requests = level >= Level.INFO
        self.dropped = 0
        self._fd = fd
        self._entries: deque[tuple[float, Callable[[Any], str], object]] = deque()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._filled = trio.Event()
        self._stamped = 0
        self._time = ""

    def line(self, level: Level, event: str, **fields: object) -> None:
        """Log one event, if its level is wanted."""
        if level <= self.level:
            words = [f"{name}={quote(str(value))}" for name, value in fields.items()]
            self._add(str, " ".join([level.name.lower(), event, *words]))

    def request(self, outcome: Outcome) -> None:
        """Log a request that is over; its line is made when it is written."""
        if self.shows_requests and outcome.moment is not Moment.OPENED:
            self._add(_request_line, outcome)

    def crash(self, peer: str, error: BaseException) -> None:
        """Log a failure that is nobody's plan, with the innermost place of our code."""
        self.line(Level.ERR, "crash", client=peer, error=repr(error), at=_place(error))

    def _add(self, render: Callable[[Any], str], value: object) -> None:
        """Add an entry, whatever its level; `render(value)` is its line, made later."""
        if len(self._entries) >= MAX_PENDING:
            self.dropped += 1
            return
        if not self._entries:
            self._filled.set()
        self._entries.append((time.time(), render, value))

    async def run(self) -> None:
        """Write what is gathered until cancelled; others have their turn in between."""
        while True:
            await self._filled.wait()
            await trio.sleep(FLUSH_EVERY)
            pause = FIRST_RETRY
            while self._entries:
                if self._write_some():
                    pause = FIRST_RETRY
                    await trio.lowlevel.checkpoint()
                else:
                    # A full pipe: its reader is at work, or has stopped.
                    await trio.sleep(pause)
                    pause = min(2 * pause, FLUSH_EVERY)
            # An event is set once: the next entry sets a new one.
            self._filled = trio.Event()

    def flush(self) -> None:
        """Write as much as the reader takes at once."""
        while self._entries and self._write_some():
            pass

    def _write_some(self) -> bool:
        """Write what fits in one write; says whether the reader takes any."""
        # The descriptor is shared with other processes, so it cannot be made non-blocking.
        # A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)).
        if not self._poll.poll(0):
            return False
        self._write(self._chunk())
        if self.dropped and not self._entries:
            count, self.dropped = self.dropped, 0
            self.line(Level.WARNING, "log-lines-dropped", count=count)
        return True

    def _chunk(self) -> bytes:
        """Make lines of what fits in one write, at least one."""
        lines: list[str] = []
        size = 0
        while self._entries:
            when, render, value = self._entries[0]
            line = f"{self._stamp(int(when))} {render(value)}\n"
            size += len(line)
            if lines and size > PIPE_ATOM:
                break
            lines.append(line)
            self._entries.popleft()
        # Values are quoted; whatever slipped through must not make it longer.
        return "".join(lines).encode("ascii", "replace")

    def _stamp(self, second: int) -> str:
        if second != self._stamped:
            self._stamped = second
            self._time = datetime.fromtimestamp(second, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            )
        return self._time

    def _write(self, chunk: bytes) -> None:
        try:
            os.write(self._fd, chunk)
        except OSError:
            # The reader of the log is gone: the proxy serves on, its log does not.
            self._entries.clear()
            self.dropped = 0


def _request_line(outcome: Outcome) -> str:
    """Write what was asked and decided, the answer and whose it was, how it ended."""
    if outcome.verdict is None:
        words, end = f"decision=rejected reason={quote(outcome.ending)}", ""
    else:
        words = outcome.verdict.words
        end = f" end={quote(outcome.ending)}" if outcome.ending else ""
    by = "trioproxy" if outcome.is_ours else "engine"
    return (
        f"info request {words} status={outcome.status or '-'} by={by}"
        f" ms={outcome.seconds * 1000:.1f} client={outcome.peer}{end}"
    )


def _place(error: BaseException) -> str:
    """Name file and line of the innermost frame that is ours, else of the innermost."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if one.filename.startswith(PACKAGE)] or frames
    return f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else "?"


PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""Where our own code is."""
