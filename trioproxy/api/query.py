"""Queries as pairs, in the one reading that all of the Engine's handlers share.

Some handlers refuse a semicolon or a broken escape and others pass over that pair alone:
here both are refused. Keys are told apart by case.
"""

from collections.abc import Iterable
from typing import Final

from trioproxy import percent
from trioproxy.errors import BadTarget

MOST_PAIRS: Final = 1_000
"""Two clients repeat their whole body here, some 60 fields. A head has room for 60,000."""

_KEPT: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)


def parse(query: bytes) -> list[tuple[str, str]]:
    """Split a query. Raises `BadTarget` where handlers would read it in two ways."""
    if query.count(b"&") >= MOST_PAIRS:
        raise BadTarget(f"more than {MOST_PAIRS:,} parameters in the query")
    pairs = list[tuple[str, str]]()
    for pair in query.split(b"&"):
        if b";" in pair:
            raise BadTarget("a semicolon in the query: write %3B")
        key, _, value = pair.partition(b"=")
        if pair:
            pairs.append((_decode(key), _decode(value)))
    return pairs


def render(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Write pairs in one way; `parse` gives them back."""
    return "&".join(f"{_encode(key)}={_encode(value)}" for key, value in pairs).encode()


def _decode(raw: bytes) -> str:
    if not percent.is_whole(raw):
        raise BadTarget("a % without two hex digits behind it in the query")
    try:
        return percent.decode(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise BadTarget("the query is not UTF-8") from None


def _encode(text: str) -> str:
    return percent.encode(text.encode(), _KEPT)
