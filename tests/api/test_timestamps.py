"""Points in time as the Engine reads and writes them."""

from datetime import datetime
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.timestamps import SECOND, Instant, parse, read
from trioproxy.errors import BadTarget

HOUR = 3_600 * SECOND
NOON = 1_767_268_800 * SECOND
"""2026-01-01T12:00:00Z."""
NOW = Instant(NOON + 7 * SECOND + 5)

READ = [
    ("0", 0),
    ("1767268800", NOON),
    ("1767268800.5", NOON + SECOND // 2),
    ("1767268800.000000001", NOON + 1),
    ("2026-01-01T12:00:00Z", NOON),
    ("2026-01-01T12:00:00.25Z", NOON + SECOND // 4),
    ("2026-01-01T14:00:00+02:00", NOON),
    ("2026-01-01T06:30-05:30", NOON),
    ("2026-01-01T12Z", NOON),
    ("2026-01-02T11:59+23:59", NOON),
    ("2025-12-31T12:01-23:59", NOON),
    ("2026-01-01Z", NOON - 12 * HOUR),
    ("2026-01-01T14:00:00", NOON),
    ("2026-01-01T14:00", NOON),
    ("2026-01-01T14", NOON),
    ("2026-01-01", NOON - 14 * HOUR),
    ("24h", NOON + 7 * SECOND - 24 * HOUR),
    ("1h30m", NOON + 7 * SECOND - 3 * HOUR // 2),
    ("1.5h", NOON + 7 * SECOND - 3 * HOUR // 2),
    ("-1h", NOON + 7 * SECOND + HOUR),
    ("0.01s", NOON + 6 * SECOND),
    ("0.000000003s", NOON + 7 * SECOND),
    ("0.000000005s", NOON + 7 * SECOND),
    ("0.000000006s", NOON + 6 * SECOND),
    ("0.000002s", NOON + 6 * SECOND),
    ("7s", NOON),
    ("0s", NOON + 7 * SECOND),
]


@pytest.mark.parametrize(("text", "at"), READ, ids=[text for text, _ in READ])
def test_what_a_filter_means(text: str, at: int) -> None:
    """Each form is read as the Engine reads it, by its clock and in its zone, two hours east."""
    assert parse(text).at(NOW, 2 * HOUR) == at


REFUSED = ["", " ", "10ms", "2us", "2\u00b5s", "3ns", "h", "1d", "yesterday", "2026-02-30", "2026-13-01", "0000-01-01", "2026-01-01T24", "2026-01-01T5:00", "2026-01-01 12:00", "2026-01-01T12:00:60", "2026-01-01T12:00z", "2026-01-01T12:00:00+25:00", "2026-01-01T12:00+24:00", "2026-01-01T12:00-01:60", "1e3", "+5", "\N{ARABIC-INDIC DIGIT ONE}", "1h ", "1h1"]  # fmt: skip


def test_a_day_has_no_hour_24(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused as the Engine does, also by a Python that reads it as the next day (3.14)."""

    class Later(datetime):
        @classmethod
        def fromisoformat(cls, text: str) -> Self:
            return super().fromisoformat(text.replace("T24", "T00"))

    monkeypatch.setattr("datetime.datetime", Later)
    for text in ("2026-01-01T24", "2026-01-01T24:00", "2026-01-01T24:00:00Z"):
        with pytest.raises(BadTarget):
            parse(text)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_point_in_time(text: str) -> None:
    """What is not quite clear is refused: a filter that is not understood would remove more."""
    with pytest.raises(BadTarget, match="no point in time"):
        parse(text)


@given(st.integers(0, 4_102_444_800), st.integers(0, SECOND - 1), st.integers(-12 * 60, 14 * 60))  # fmt: skip
def test_what_an_engine_writes(seconds: int, fraction: int, east: int) -> None:
    """What is written in any zone is read as the same point in time, to the nanosecond."""
    import datetime as dt

    zone = dt.timezone(dt.timedelta(minutes=east))
    written = dt.datetime.fromtimestamp(seconds, zone)
    offset = written.strftime("%z")
    text = f"{written:%Y-%m-%dT%H:%M:%S}.{fraction:09d}{offset[:3]}:{offset[3:]}"
    assert read(text) == (Instant(seconds * SECOND + fraction), east * 60 * SECOND)


def test_what_no_engine_writes() -> None:
    """A time without a zone, or of another shape, tells nothing."""
    assert read("2026-01-01T12:00:00") is None
    assert read("now") is None
