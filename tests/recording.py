"""`python -m tests.recording` (`make recording`) records `make run` as `docs/make-run.svg`.

`make run` is run in a terminal of 80 columns, and what it writes there is drawn as a
picture that moves: each row comes in its turn, and the rows above it scroll away. What is
in the picture is what was written, but for two things. The run is the one that every
machine can have, with the stand-in Engine. And what differs between two runs is settled
(`settled`), so that the picture changes when the demonstration does, and at no other time:
`tests/test_recording.py` runs it again and compares.

A run takes less than two seconds, which nobody can read. The picture gives each row a
fifth of a second, and more where a paragraph ends. It plays once and ends with the last
screen; where nothing may move, or can, that screen is all that is shown.
"""

import os
import pty
import re
import shutil
import subprocess
import sys
import termios
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from demo.stage import INDENT, fold
from tests.commands.screen import read_all

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "make-run.svg"
COMMAND = "$ make run"
COLUMNS, ROWS = 80, 24

Row = str
"""A row of the terminal, with the colours as they were written."""

# -- the run ----------------------------------------------------------------------


def record() -> list[Row]:
    """Run `make run` in a terminal, where there is no docker command; what it writes."""
    with TemporaryDirectory() as folder:
        # Somewhere else than the folder of the run, whose name has a length of its own.
        os.symlink("/bin/sh", os.path.join(folder, "sh"))
        variables = {"PATH": folder, "TERM": "xterm", "LANG": "C.UTF-8"}
        status, written = _on_terminal(variables)
    assert status == 0, written
    return settled(written.splitlines())


def _on_terminal(variables: dict[str, str]) -> tuple[int, str]:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    make = shutil.which("make")
    assert make is not None
    # This Python has the packages: nothing is to be installed for it.
    process = subprocess.Popen(
        [make, "-s", "-o.venv/installed", f"PYTHON={sys.executable}", "run"],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = read_all(ours).decode()
    os.close(ours)
    return process.wait(), written


# -- what differs between two runs -------------------------------------------------

SETTLED: Final = (
    (r"tcp://127\.0\.0\.1:\d+", "tcp://127.0.0.1:2375"),
    (r"unix:uid=\d+", "unix:uid=1000"),
    (r"watched for \d+ s", "watched for 0 s"),
    (r"^(   )[\d-]+T[\d:.]+Z ", r"\g<1>2026-11-25T12:00:00.000Z "),
    (r" client=127\.0\.0\.1:\d+", " client=127.0.0.1:40000"),
    (r" ms=[\d.]+", " ms=1.0"),
    (r" id=[0-9a-f]+", " id=48fc241e3b6a"),
)
ANNOUNCED: Final = f"{INDENT}trioproxy: new: "
CONTINUED: Final = f"{INDENT}    "


def settled(rows: Sequence[Row]) -> list[Row]:
    """Rows as each run has them.

    Times, ports, ids and the user get one value. And a client and the learner beside it
    write at the same time: here what was announced comes first, then the client's output.
    """
    result = list[Row]()
    for line in _in_order(list(_lines(rows))):
        one = line
        for pattern, value in SETTLED:
            one = re.sub(pattern, value, one)
        # Where a log line is broken depends on how long its values were.
        is_log = one != line and re.match(rf"{INDENT}\d{{4}}-", one)
        result += fold(one[len(INDENT) :]) if is_log else one.split("\n")
    return result


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """Lines as they were before the demonstration broke them: those of a log whole."""
    line: str | None = None
    for row in rows:
        if line is not None and row.startswith(CONTINUED):
            is_log = re.match(rf"{INDENT}\d{{4}}-", line)
            line += " " + row.strip() if is_log else "\n" + row
            continue
        if line is not None:
            yield line
        line = row
    if line is not None:
        yield line


def _in_order(lines: list[str]) -> list[str]:
    places = [at for at, line in enumerate(lines) if line.startswith(ANNOUNCED)]
    if not places:
        return lines
    first, after = places[0], places[-1] + 1
    while first and lines[first - 1].startswith(
        INDENT
    ):  # a command is bold, and is none
        first -= 1
    news = [lines[at] for at in places]
    # What one request asks for is announced in any order.
    runs = groupby(news, key=lambda line: " asks for " in line)
    told = [line for asks, run in runs for line in (sorted(run) if asks else run)]
    others = [line for line in lines[first:after] if not line.startswith(ANNOUNCED)]
    return [*lines[:first], *told, *others, *lines[after:]]


# -- the picture ------------------------------------------------------------------

WIDE, HIGH, EDGE = 8.4, 18, 16
"""A letter, a row, and what is around them, in pixels."""
STYLES: Final = {"1": "b", "1;31": "r", "31": "o", "33": "y"}
"""What a terminal is sent for a colour, and the class that has it here."""

STYLE: Final = """
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#d0d7de}
.b{font-weight:bold;fill:#fff}.r{font-weight:bold;fill:#ff8b82}.o{fill:#ff8b82}.y{fill:#e3b341}
"""
MOVING: Final = """
@media (prefers-reduced-motion:no-preference){
text{animation:come 1ms backwards}#rows{animation:scroll %ss step-end}
}
@keyframes come{from{opacity:0}}
@keyframes scroll{%s}
"""

ROW_SECONDS, PARAGRAPH_SECONDS, COMMAND_SECONDS = 0.2, 0.5, 0.6


def draw(rows: Sequence[Row]) -> str:
    """The picture of rows: text, and when it comes."""
    seconds = accumulate(map(_seconds_before, rows), initial=0.0)
    times = [round(second, 2) for second in seconds]
    rows = [COMMAND, *rows]
    scrolled = max(len(rows) - ROWS, 0)
    width, height = round(COLUMNS * WIDE) + 2 * EDGE, ROWS * HIGH + 2 * EDGE
    inside = (width - 2 * EDGE, ROWS * HIGH)
    moving = MOVING % (f"{times[-1]:g}", "".join(_scroll(times)))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="title">',
        "<title id=\"title\">What 'make run' shows on a terminal</title>",
        f"<style>{STYLE.strip()}{moving.rstrip()}\n</style>",
        f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="8" fill="#0d1117" stroke="#57606a"/>',
        f'<svg x="{EDGE}" y="{EDGE}" width="{inside[0]}" height="{inside[1]}">',
        f'<g id="rows" transform="translate(0 -{scrolled * HIGH})">',
        *(_text(row, at, times[at]) for at, row in enumerate(rows) if row),
        "</g></svg></svg>",
    ]
    return "\n".join(lines) + "\n"


def _seconds_before(row: Row) -> float:
    if not row:
        return PARAGRAPH_SECONDS
    return COMMAND_SECONDS if plain(row).lstrip().startswith("$ ") else ROW_SECONDS


def _scroll(times: Sequence[float]) -> Iterator[str]:
    """Move all rows up by one whenever one comes that has no room below."""
    yield "from{transform:none}"
    for at, time in enumerate(times[ROWS:-1], 1):
        yield f"{100 * time / times[-1]:.2f}%{{transform:translateY(-{at * HIGH}px)}}"


def _text(row: Row, at: int, time: float) -> str:
    spans = "".join(
        f'<tspan class="{style}">{escape(text)}</tspan>' if style else escape(text)
        for style, text in _spans(row)
    )
    # Whatever font there is, a row is as long as its letters.
    length = f"{len(plain(row)) * WIDE:g}"
    where = f'y="{at * HIGH + 13}" textLength="{length}"'
    return f'<text xml:space="preserve" {where} style="animation-delay:{time:g}s">{spans}</text>'


def _spans(row: Row) -> Iterator[tuple[str, str]]:
    """The parts of a row, with the class of each; escapes other than colours fail."""
    parts = re.split(r"\x1b\[([\d;]*)m", row)
    for style, text in zip(["0", *parts[1::2]], parts[::2], strict=True):
        assert "\x1b" not in text, row
        if text:
            yield (STYLES[style] if style != "0" else ""), text


def plain(row: Row) -> str:
    """A row without its colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", row)


# -- what is in it ----------------------------------------------------------------


def told(picture: str) -> list[str]:
    """The rows that a picture shows, in order, without colours."""
    rows = list[str]()
    for text in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text"):
        at = (int(text.attrib["y"]) - 13) // HIGH
        rows += [""] * (at - len(rows))
        rows.append("".join(text.itertext()))
    return rows


if __name__ == "__main__":
    PICTURE.write_text(draw(record()), encoding="utf-8")
