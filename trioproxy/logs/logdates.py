"""Dates as logs write them, to seconds since the epoch; what is no date is None."""

import re
from datetime import datetime
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
    if text[3:6] not in _MONTHS:
        return None
    month = _MONTHS.index(text[3:6]) + 1
    return rfc3339(b"%b-%02d-%bT%bZ" % (text[7:11], month, text[:2], text[12:]))


_RFC3339: Final = re.compile(
    rb"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)"
)


def rfc3339(text: bytes) -> float | None:
    """A date of RFC 3339, with up to nine digits behind the point; a space for the T too."""
    found = _RFC3339.fullmatch(text)
    if not found:
        return None
    second, fraction, zone = found.groups()
    try:
        at = datetime.fromisoformat((second + zone).decode())
    except ValueError:  # no month has such a day, or no day such an hour
        return None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        return None
    return at.timestamp() + float(b"0." + (fraction or b"0"))
