"""A block of lines at the end of a terminal's text that is drawn anew in place.

Between two calls the cursor rests where the block begins, and nothing is below the block.
So it is put away by one command, "erase from the cursor on", however many rows a resize
has made of its lines: terminals move the cursor along with the text that they reflow, and
those that do not reflow leave both where they are. A cursor below the block would have to
go up by a number of rows that nobody knows.

Keys that are typed meanwhile move the cursor: Enter leads it into the block. Thus its place
is saved in the terminal (DECSC) as well, and good until the size changes.

Nothing here waits for the terminal. One that takes no output - Ctrl-S, a connection that is
stuck - gets no frames until it does (`log.opened_anew`).
"""

import os
from collections.abc import Callable, Sequence
from typing import Final, ParamSpec, Self, TypeVar

from trioproxy.proxy.log import opened_anew
from trioproxy.quoting import visible

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")

SAVE, RESTORE = "\x1b7", "\x1b8"
"""DECSC and DECRC: the cursor's place."""
ERASE_LINE: Final = "\x1b[K"
ERASE_BELOW: Final = "\x1b[J"
"""From the cursor on: the rest of the line, of the screen."""
DOWN: Final = "\x1b[B"
"""A row, and not beyond the last."""
CLIP, WRAP = "\x1b[?7l", "\x1b[?7h"
"""DECAWM: a character beyond the right edge is lost, or begins a line."""

LEAST_COLUMNS: Final = 20
MORE: Final = "..."


class Block:
    """Draws lines, puts them away, and lets others write above them."""

    def __init__(self, fd: int) -> None:
        """`fd` is a terminal that does not block; it is closed here."""
        self._fd = fd
        self._wanted: Sequence[str] = ()
        self._shown: Sequence[str] = ()
        """The lines that are on the screen; none: it is put away."""
        self._size = os.terminal_size((0, 0))
        """Of the terminal, when they were drawn."""
        self._unsent = b""
        self._is_gone = False

    @classmethod
    def on(cls, fd: int) -> Self | None:
        """Make one for the terminal that `fd` is; None where none can be drawn."""
        is_dumb = os.environ.get("TERM", "dumb") == "dumb"
        new = None if is_dumb else opened_anew(fd)
        return None if new is None else cls(new)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was, whatever happened."""
        self.put_away()
        os.close(self._fd)

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines in place of those that are there."""
        self._wanted = lines
        if not self._has_room() or not self._is_in_foreground():
            return
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            return
        rows = [_clipped(line, size.columns) for line in lines[: size.lines - 1]]
        if size.columns < LEAST_COLUMNS or not rows:
            self.put_away()
        elif (rows, size) != (self._shown, self._size):
            text = f"{ERASE_LINE}\r\n".join(rows)
            up = f"\x1b[{len(rows) - 1}A" * (len(rows) > 1)
            top = self._to_top(size)
            self._send(f"{top}{CLIP}{text}{ERASE_BELOW}{WRAP}{up}\r{SAVE}")
            self._shown, self._size = rows, size

    def put_away(self) -> None:
        """Erase the block; the cursor stands where it began, at the start of a line."""
        if not self._shown:
            return
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            size = self._size
        # The first row by itself: who is told to erase the whole screen, as tmux, scrolls it away.
        erase = f"{SAVE}{ERASE_LINE}{DOWN}{ERASE_BELOW}{RESTORE}"
        self._send(f"{self._to_top(size)}{erase}")
        self._shown = ()

    def above(self, function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
        """Make of a function that writes whole lines one that writes them above."""

        def call(*args: _Args.args, **options: _Args.kwargs) -> _Result:
            was_shown = bool(self._shown)
            self.put_away()
            try:
                return function(*args, **options)
            finally:
                if was_shown:
                    self.draw(self._wanted)

        return call

    def _to_top(self, size: os.terminal_size) -> str:
        return RESTORE if self._shown and size == self._size else "\r"

    def _is_in_foreground(self) -> bool:
        """Whether the terminal is ours to draw on, and no shell's that waits for input."""
        try:
            is_ours = os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return True  # a terminal that controls nobody
        if not is_ours:
            self._shown = ()  # whoever has it now has written over it
        return is_ours

    def _has_room(self) -> bool:
        """Whether all that was sent is out."""
        self._send("")
        return not self._unsent and not self._is_gone

    def _send(self, text: str) -> None:
        data = self._unsent + text.encode("ascii")
        try:
            self._unsent = data[os.write(self._fd, data) :] if data else b""
        except BlockingIOError:
            self._unsent = data
        except OSError:  # it was hung up
            self._unsent, self._is_gone = b"", True


def _clipped(line: str, columns: int) -> str:
    """Cut a line between words, so that it ends before the last column.

    A character that may be wider than one column is shown as its escape.
    """
    line = visible(line).encode("ascii", "backslashreplace").decode()
    if len(line) < columns:
        return line
    head = line[: columns - len(MORE) - 1]
    return f"{head[: head.rfind(' ') + 1].rstrip() or head}{MORE}"
