"""Dates as logs write them, to seconds since the epoch; what is no date is None.

Lines come by the million and mostly in the same minute, so a minute is read once.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 9000
"""A date outside of these is none: a clock that was never set says 1970."""

STAMP: Final = (
    rb"(?P<stamp>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d))"
)
"""A date as RFC 3339 has it, as part of a pattern."""

_MONTHS: Final = (
    b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # as HAProxy writes them
)


def httplog_date(text: bytes) -> float | None:
    """A date of HAProxy's log, 25/Nov/2026:19:38:27.747, in the time of its container.

    That is UTC, unless the container was told otherwise.
    """
    minute = _httplog_minute(text[:17])
    return None if minute is None else minute + float(text[18:])


@lru_cache(maxsize=64)
def _httplog_minute(text: bytes) -> float | None:
    if text[3:6] not in _MONTHS:
        return None
    month = _MONTHS.index(text[3:6]) + 1
    day, year, hour = int(text[:2]), int(text[7:11]), int(text[12:14])
    return _epoch(year, month, day, hour, int(text[15:]))


_RFC3339: Final = re.compile(
    rb"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)"
)


def rfc3339(text: bytes) -> float | None:
    """A date of RFC 3339, with up to nine digits behind the point; a space for the T too."""
    found = _RFC3339.fullmatch(text)
    if not found:
        return None
    day, minute, second, fraction, zone = found.groups()
    begun = _rfc3339_minute(day, minute, zone)
    if begun is None:
        return None
    return begun + int(second) + float(b"0." + (fraction or b"0"))


@lru_cache(maxsize=64)
def _rfc3339_minute(day: bytes, minute: bytes, zone: bytes) -> float | None:
    begun = _epoch(*map(int, [*day.split(b"-"), *minute.split(b":")]))
    if begun is None or zone == b"Z":
        return begun
    digits = zone[1:].replace(b":", b"")
    ahead = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return begun - ahead if zone[:1] == b"+" else begun + ahead


def _epoch(year: int, month: int, day: int, hour: int, minute: int) -> float | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()
    except ValueError:
        return None
