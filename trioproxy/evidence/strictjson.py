"""JSON that is taken as it should be, or not at all: each check raises `ValueError`."""

import json
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

_LAST: Final = 253_402_300_799
"""The last second of the year 9999, in seconds since the epoch."""
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class NoJsonError(ValueError):
    """A line that is not even JSON."""


def iso(seconds: int) -> str:
    """Write a time as `2026-11-24T10:15:00Z`; what is later than any date as the last one."""
    date = datetime.fromtimestamp(min(seconds, _LAST), UTC).replace(tzinfo=None)
    return f"{date.isoformat()}Z"  # %Y of strftime has no four digits before 1000


def parse(line: bytes) -> dict[str, Any]:
    """Read a line that holds one JSON object."""
    try:
        data = json.loads(line.decode())
    except UnicodeDecodeError:
        raise NoJsonError("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise NoJsonError(f"no JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(data, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004  one kind for a bad line
    return data


def expect_keys(
    data: dict[str, Any],
    needed: AbstractSet[str],
    optional: AbstractSet[str] = frozenset(),
) -> None:
    """Take these keys and no others."""
    if missing := needed - data.keys():
        raise ValueError(f"{min(missing)!r} is missing")
    if unknown := data.keys() - needed - optional:
        raise ValueError(f"unknown key {min(unknown)!r:.80}")


def string(value: object, pattern: re.Pattern[str]) -> str:
    """A string of this form."""
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    raise ValueError(f"bad value {value!r:.80}")


def strings(value: object, pattern: re.Pattern[str]) -> Iterator[str]:
    """A list of strings of this form."""
    return (string(item, pattern) for item in items(value))


def items(value: object) -> list[Any]:
    """A list."""
    if isinstance(value, list):
        return value
    raise ValueError(f"expected a list, not {value!r:.80}")


def pairs(value: object) -> Iterator[tuple[str, Any]]:
    """An object, as pairs of key and value."""
    if isinstance(value, dict):
        return iter(value.items())
    raise ValueError(f"expected an object, not {value!r:.80}")


def count(value: object, *, least: int = 0) -> int:
    """A whole number that counts something."""
    if type(value) is int and least <= value < 2**63:
        return value
    raise ValueError(f"bad count {value!r:.80}")


def seconds(value: object) -> int:
    """A time as `iso` writes it."""
    return _seconds(string(value, _DATE))


@lru_cache(maxsize=1_024)
def _seconds(date: str) -> int:
    # Thousands of lines have dates in common.
    return int(datetime.fromisoformat(date).timestamp())
