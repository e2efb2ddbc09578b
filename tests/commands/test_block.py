"""The block itself, on a terminal that nobody reads, or that is gone."""

import os
import pty
import termios
from collections.abc import Iterator

import pytest

from trioproxy.commands.block import LEAST_COLUMNS, Block

SIZE = (24, 80)
FRAMES = 2_000
"""Far more than a terminal holds that nobody reads."""


AWAY = "\x1b8\x1b7\x1b[K\x1b[B\x1b[J\x1b8"
"""What takes a block away: its first row, and all below, with the cursor back at its top."""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Both ends of a terminal: what is read of it, and what is written to."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, SIZE)
    os.set_blocking(ours, False)
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def read(terminal: int) -> str:
    """All that was written and not read."""
    text = b""
    try:
        while more := os.read(terminal, 65_536):
            text += more
    except BlockingIOError:
        pass
    return text.decode()


def block_on(terminal: int) -> Block:
    """A block on a terminal that can have one."""
    block = Block.on(terminal)
    assert block is not None
    return block


def test_a_terminal_that_is_stuck_is_not_waited_for(terminal: tuple[int, int]) -> None:
    """Frames that nobody takes are left out; the next that is taken is whole."""
    ours, theirs = terminal
    with block_on(theirs) as block:
        for number in range(FRAMES):
            block.draw([f"{number} {'x' * 70}"] * 6)
        stuck = read(ours)
        block.draw(["last", "frame"])
        assert f"{FRAMES - 1} x" not in stuck
        shown = read(ours).replace("\r\r", "\r")
        assert shown.endswith("last\x1b[K\r\nframe\x1b[J\x1b[?7h\x1b[1A\r\x1b7")
    # All that was begun came to its end: nothing is clipped for ever.
    assert (stuck + shown).count("\x1b[?7l") == (stuck + shown).count("\x1b[?7h")
    assert read(ours) == AWAY


def test_what_has_not_changed_is_not_drawn(terminal: tuple[int, int]) -> None:
    """A block at rest sends nothing, so nothing flickers."""
    ours, theirs = terminal
    with block_on(theirs) as block:
        block.draw(["one", "two"])
        assert "one" in read(ours)
        block.draw(["one", "two"])
        assert read(ours) == ""


def test_a_terminal_that_is_hung_up(terminal: tuple[int, int]) -> None:
    """Drawing on what is gone is no error: learning goes on, and writes its files."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, SIZE)
    with block_on(theirs) as block:
        block.draw(["one"])
        os.close(ours)
        block.draw(["two"])
        block.above(lambda: None)()
        block.draw(["three"])
    os.close(theirs)


def test_others_write_above_and_their_failure_is_theirs(
    terminal: tuple[int, int],
) -> None:
    """The block is away while others write, and back afterwards, whatever they did."""
    ours, theirs = terminal

    def fails(text: str) -> None:
        os.write(theirs, text.encode())
        raise KeyError(text)

    with block_on(theirs) as block:
        block.draw(["one"])
        read(ours)
        with pytest.raises(KeyError):
            block.above(fails)("said\n")
        back = "\r\x1b[?7lone\x1b[J\x1b[?7h\r\x1b7"
        assert read(ours) == f"{AWAY}said\r\n{back}"


def test_a_line_ends_before_the_last_column(terminal: tuple[int, int]) -> None:
    """It is cut between words, or within one that is too long; on fewer columns nothing is drawn."""
    ours, theirs = terminal
    termios.tcsetwinsize(theirs, (24, LEAST_COLUMNS))
    with block_on(theirs) as block:
        block.draw(["x" * 19, "x" * 20, "a word " * 9])
        lines = ["x" * 19, "x" * 16 + "...", "a word a word a..."]
        assert "\x1b[K\r\r\n".join(lines) in read(ours)
        termios.tcsetwinsize(theirs, (24, LEAST_COLUMNS - 1))
        block.draw(["y"])
        assert "y" not in read(ours)


def test_hostile_text_moves_no_cursor(terminal: tuple[int, int]) -> None:
    """Control characters and wide ones are shown as escapes, and count as such."""
    ours, theirs = terminal
    with block_on(theirs) as block:
        block.draw(["\x1b[2J\x07\x9b2J\u202e\u4e2d" + " y" * 80])
        shown = read(ours)
    row = shown.removeprefix("\r\x1b[?7l").partition("\x1b")[0]
    assert row.startswith(r"\x1b[2J\x07\x9b2J\u202e\u4e2d y")
    assert len(row) < SIZE[1]
    assert row.endswith(" y...")


@pytest.mark.parametrize("term", ["dumb", None])
def test_a_terminal_that_cannot(
    terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch, term: str | None
) -> None:
    """Where no control sequences are understood, and on what is no terminal, is no block."""
    theirs = terminal[1]
    with open(os.devnull, "w") as null:
        assert Block.on(null.fileno()) is None
    if term is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", term)
    assert Block.on(theirs) is None
