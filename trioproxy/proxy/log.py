"""Log lines: an event and its fields, on stderr, without ever stalling the proxy.

Lines are gathered and written by a task of their own a few times a second. A full pipe
is never waited for: lines beyond the bound are dropped, counted, and the count is said.
"""

import os
import re
import select
import time
import traceback
from collections import deque
from datetime import UTC, datetime
from typing import Final

import trio

from trioproxy.config import Level

PIPE_ATOM: Final = 4096
"""A pipe that poll(2) calls writable takes this much without blocking (PIPE_BUF)."""

MAX_PENDING: Final = 16 * 1024
"""Lines kept while the reader of the log does not read."""

FLUSH_EVERY: Final = 0.05
"""Seconds between writes: cheap under load, and soon enough for a person."""

FIRST_RETRY: Final = 0.001
"""Seconds until a full pipe is tried again, doubled up to `FLUSH_EVERY`."""

UNPRINTABLE: Final = str.maketrans(
    {code: f"\\x{code:02x}" for code in (*range(32), 127)}
)


SHOWN_LIMIT: Final = 256
PLAIN: Final = re.compile(r"[!#-<>-~]+")
"""Visible ASCII without what quoting is for: most values."""


def quote(text: str) -> str:
    """Make a value safe for one line of `name=value` fields; cut at 256 characters."""
    if len(text) <= SHOWN_LIMIT and PLAIN.fullmatch(text):
        return text
    shown = text[:SHOWN_LIMIT].translate(UNPRINTABLE)
    if shown and not any(char in shown for char in ' "='):
        return shown
    return '"' + shown.replace('"', "'") + '"'


class Log:
    """Gathers lines of the wanted level and writes them."""

    def __init__(self, level: Level, fd: int = 2) -> None:
        self.level = level
        self.shows_requests = level >= Level.INFO
        self.dropped = 0
        self._fd = fd
        self._lines: deque[bytes] = deque()
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._filled = trio.Event()
        self._second = 0
        self._stamp = ""

    def line(self, level: Level, event: str, **fields: object) -> None:
        """Log one event, if its level is wanted."""
        if level <= self.level:
            words = [f"{name}={quote(str(value))}" for name, value in fields.items()]
            self.add(" ".join([level.name.lower(), event, *words]))

    def request(
        self,
        peer: str,
        fields: str,
        status: int,
        by: str,
        seconds: float = 0.0,
        ending: str = "",
    ) -> None:
        """Log one request; `fields` are ready-made, `by` tells our answers from the Engine's."""
        end = f" end={quote(ending)}" if ending else ""
        self.add(
            f"info request {fields} status={status or '-'} by={by}"
            f" ms={seconds * 1000:.1f} client={peer}{end}"
        )

    def crash(self, peer: str, error: BaseException) -> None:
        """Log a failure that is nobody's plan, with the line where it happened."""
        where = traceback.extract_tb(error.__traceback__)[-1:]
        place = (
            f"{os.path.basename(where[0].filename)}:{where[0].lineno}" if where else "?"
        )
        self.line(Level.ERR, "crash", client=peer, error=repr(error), at=place)

    def add(self, text: str) -> None:
        """Add a line that is formatted already, the level first."""
        if len(self._lines) >= MAX_PENDING:
            self.dropped += 1
            return
        if not self._lines:
            self._filled.set()
        self._lines.append(
            f"{self._now()} {text}\n".encode("ascii", "backslashreplace")
        )

    def _now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._stamp = datetime.fromtimestamp(second, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            )
        return self._stamp

    async def run(self) -> None:
        """Write what is gathered until cancelled."""
        while True:
            await self._filled.wait()
            await trio.sleep(FLUSH_EVERY)
            self.flush()
            pause = FIRST_RETRY
            while left := len(self._lines):
                # A full pipe: its reader is at work, or has stopped.
                await trio.sleep(pause)
                self.flush()
                is_read = len(self._lines) < left
                pause = FIRST_RETRY if is_read else min(2 * pause, FLUSH_EVERY)
            self._filled = trio.Event()

    def flush(self) -> None:
        """Write as much as the reader takes at once."""
        while self._lines and self._poll.poll(0):
            if not self._write(self._chunk()):
                return
        if self.dropped and not self._lines:
            count, self.dropped = self.dropped, 0
            self.line(Level.WARNING, "log-lines-dropped", count=count)

    def _chunk(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while self._lines and (not parts or size + len(self._lines[0]) <= PIPE_ATOM):
            parts.append(self._lines.popleft())
            size += len(parts[-1])
        return b"".join(parts)

    def _write(self, chunk: bytes) -> bool:
        try:
            os.write(self._fd, chunk)
        except OSError:
            # The reader of the log is gone: the proxy serves on, its log does not.
            self._lines.clear()
            return False
        return True
