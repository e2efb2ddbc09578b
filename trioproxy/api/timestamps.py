"""Points in time as the Engine reads them in a filter, and as it writes them.

A filter has a duration before now, a date with or without a zone, or seconds since 1970. What
is before now, or has no zone, is by the Engine's clock and in its zone. What its reader takes in
a way of its own (an hour of one digit, a fraction of ten), or nobody writes who prunes (`10ms`),
is refused. All are whole nanoseconds, as the Engine compares them: a float would not hold them.
"""

import re
from typing import Final, NamedTuple

from trioproxy.errors import BadTarget

SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * SECOND
_UNITS: Final = {"s": SECOND, "m": _MINUTE, "h": 60 * _MINUTE}
_PART: Final = re.compile(r"(\d{1,18})(?:\.(\d{1,9}))?([smh])", re.ASCII)
_DURATION: Final = re.compile(rf"([+-]?)((?:{_PART.pattern})+)", re.ASCII)
_DATE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d(?:T(?:[01]\d|2[0-3])(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?)"
    r"(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)?",
    re.ASCII,
)
_UNIX: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII)


class Instant(NamedTuple):
    """A point in time, so far as its text says it."""

    nanoseconds: int
    """Since 1970; or before now."""
    is_before_now: bool = False
    is_local: bool = False

    def at(self, now: "Instant", zone: int) -> int:
        """Say when that is, by an Engine's clock and zone, in nanoseconds since 1970."""
        if self.is_before_now:
            # The Engine cuts what is left of a second off (before 29.2).
            return (now.nanoseconds - self.nanoseconds) // SECOND * SECOND
        return self.nanoseconds - (zone if self.is_local else 0)


def parse(text: str) -> Instant:
    """Read what a filter says. Raises `BadTarget`."""
    if found := _DURATION.fullmatch(text):
        sign = -1 if found[1] == "-" else 1
        ago = sum(
            int(whole) * _UNITS[unit] + _fraction(fraction) * _UNITS[unit] // SECOND
            for whole, fraction, unit in _PART.findall(found[2])
        )
        return Instant(sign * ago, is_before_now=True)
    if found := _UNIX.fullmatch(text):
        return Instant(int(found[1]) * SECOND + _fraction(found[2]))
    written = _written(text)
    if written is None:
        raise BadTarget(
            f"{text[:64]!a} is no point in time: write 24h or 2026-01-31T12:00:00Z"
        )
    return written[0]


def read(text: str) -> tuple[Instant, int] | None:
    """Read what an Engine writes, and its zone, in nanoseconds east; None for anything else."""
    written = _written(text)
    return None if written is None or written[0].is_local else written


def _written(text: str) -> tuple[Instant, int] | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    # Here: only prunes with `until` need a calendar.
    from datetime import UTC, datetime, time

    written, _, fraction = found[1].partition(".")
    try:
        moment = datetime.fromisoformat(written).replace(tzinfo=UTC)
    except ValueError:  # no month has such a day, or no hour such a minute
        return None
    east = time.fromisoformat(f"00:00{found[2] or 'Z'}").utcoffset()
    zone = int(east.total_seconds()) * SECOND if east else 0
    at = int(moment.timestamp()) * SECOND + _fraction(fraction) - zone
    return Instant(at, is_local=found[2] is None), zone


def _fraction(digits: str | None) -> int:
    return int((digits or "").ljust(9, "0"))
