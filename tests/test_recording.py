"""The picture of `make run` shows what it writes now, and harms nobody."""

import re
from xml.etree import ElementTree as ET

import pytest

from tests.recording import (
    COLUMNS,
    COMMAND,
    PICTURE,
    ROWS,
    draw,
    plain,
    record,
    settled,
    told,
)

SVG = "{http://www.w3.org/2000/svg}"


def test_picture_is_current() -> None:
    """What `make run` writes now is what the picture shows, row by row."""
    recorded = record()
    picture = PICTURE.read_text(encoding="utf-8")
    shown = [COMMAND, *map(plain, recorded)]
    while not shown[-1]:  # a row without text is nothing to be drawn
        shown.pop()
    assert told(picture) == shown, "make run writes something else: make recording"
    assert draw(recorded) == picture, "it is drawn in another way: make recording"


def test_picture_runs_and_loads_nothing() -> None:
    """There is text, shapes and one style in it; no script, no link and no address."""
    picture = PICTURE.read_text(encoding="utf-8")
    names = {one.tag.removeprefix(SVG) for one in ET.fromstring(picture).iter()}
    assert names == {"svg", "title", "style", "rect", "g", "text", "tspan"}
    loads = r"\bon\w+=|href|url\(|@import|@font-face"
    assert not re.search(loads, re.sub(r"<text.*?</text>", "", picture))
    assert len(picture) < 20_000


def test_picture_stands_still_where_nothing_may_move() -> None:
    """Without its animation it is the last screen; it moves only where people let it."""
    picture = PICTURE.read_text(encoding="utf-8")
    rows = draw([f"row {number}" for number in range(ROWS + 5)])
    assert 'id="rows" transform="translate(0 -108)"' in rows  # with the command, 6 up
    rules = picture.partition("@media (prefers-reduced-motion:no-preference){")
    assert all(rules)
    assert "animation:" not in rules[0]


def test_hostile_text_is_text() -> None:
    """What looks like markup is drawn as it was written."""
    rows = ["</text><script>alert(1)</script>", 'a & b "]]>', "\x1b[31m<b>\x1b[0m  c"]
    assert told(draw(rows)) == [COMMAND, *map(plain, rows)]


def test_escapes_other_than_colours() -> None:
    """A demonstration that moves the cursor is not recorded as if it did not."""
    with pytest.raises(AssertionError):
        draw(["\x1b[2Aup"])


def test_what_differs_is_settled() -> None:
    """Two runs at other times, ports and speeds, and in another order, are one."""
    start = "   2026-11-25T12:{}Z warning request method=GET path=/v1.45/images/json"
    one = [
        "   trioproxy: new: A asks for Z=1",
        "   trioproxy: new: A asks for B=2 which is",
        "       a long line",
        "   hi",
        "   trioproxy: new: C, risk low",
        start.format("00:01.001"),
        "       status=403 ms=0.9 client=127.0.0.1:1 id=ab12 text=refused",
    ]
    other = [
        "   trioproxy: new: A asks for B=2 which is",
        "       a long line",
        "   trioproxy: new: A asks for Z=1",
        "   trioproxy: new: C, risk low",
        "   hi",
        start.format("59:59.999"),
        "       status=403 ms=1234.5 client=127.0.0.1:60999",
        "       id=0123456789ab text=refused",
    ]
    assert settled(one) == settled(other)
    assert settled([one[3], *one[:3], *one[4:]]) == settled(one)
    assert max(map(len, settled(one))) <= COLUMNS
