"""Queries as pairs, in the one reading that all of the Engine's handlers share.

Some handlers refuse a semicolon or a broken escape and others pass over that pair alone:
here both are refused. Keys are told apart by case, but where `value_of` looks for one.
"""

import json
import re
from collections.abc import Iterable
from math import prod
from typing import Any, Final

from trioproxy import percent
from trioproxy.errors import BadTarget

MOST_PAIRS: Final = 1_000
"""Two clients repeat their whole body here, some 60 fields. A head has room for 60,000."""

TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
"""What the Engine takes for yes, and for no."""


# The Engine merges a body of type form into these parameters, and lets the body win. Such bodies are refused with the
# head (`http.request`), so what is read here is all that a handler will see.
def parse(query: bytes) -> list[tuple[str, str]]:
    """Split a query. Raises `BadTarget` where handlers would read it in two ways."""
    if query.count(b"&") >= MOST_PAIRS:
        raise BadTarget(f"more than {MOST_PAIRS:,} parameters in the query")
    pairs: list[tuple[str, str]] = []
    for pair in query.split(b"&"):
        if b";" in pair:
            raise BadTarget("a semicolon in the query: write %3B")
        key, _, value = pair.partition(b"=")
        if pair:
            pairs.append((_decode(key), _decode(value)))
    return pairs


def values_of(pairs: Iterable[tuple[str, str]], key: str) -> list[str]:
    """The values of a key, in any case, as Podman reads it: also of one with a long s."""
    return [value for name, value in pairs if name.casefold() == key]


def value_of(pairs: Iterable[tuple[str, str]], key: str) -> str:
    """The only one of them; empty where there is none. Raises `BadTarget` for two."""
    values = values_of(pairs, key)
    if len(values) > 1:
        raise BadTarget(f"{key} is in the query twice")
    return values[0] if values else ""


def filters(query: bytes) -> dict[str, frozenset[str]]:
    """Read filters: lists of values, or as others write them, values as names of a map.

    Raises `BadTarget` for what the Engine refuses, or may read otherwise.
    """
    if not (text := value_of(parse(query), "filters")):
        return {}
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        value = None
    given: dict[str, Any] = value if isinstance(value, dict) else {"": None}
    if not (all(map(_is_list, given.values())) or all(map(_is_map, given.values()))):
        raise BadTarget("filters in the query is no JSON object of lists of texts")
    return {name: frozenset(values) for name, values in given.items()}


def check_filters(query: bytes) -> None:
    """Raise `BadTarget` for filters that the Engine would be at for minutes, with a gigabyte.

    It compiles a name's expression anew for each container, and repeats and classes of
    letters make of a few bytes millions of steps.
    """
    if not _MAY_REPEAT(query):  # most do not, and are not decoded for it
        return
    if any(map(_repeats_too_much, values_of(parse(query), "filters"))):
        raise BadTarget("filters in the query repeat too much in an expression")


def as_text(query: bytes) -> str:
    """A query in which no letter is escaped, to look for a word: by JSON neither, as in filters."""
    raw = percent.decode(query.replace(b"+", b" "))
    return _unescaped(raw.decode("latin-1"))


def _unescaped(filters: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), filters)


def _repeats_too_much(filters: str) -> bool:
    text = _unescaped(filters)
    repeats = _REPEAT.findall(text)
    if len(repeats) > _MOST_REPEATS:
        return True
    # `{0}` and `{1}` repeat nothing; of more than six digits any six are too many.
    counts = [max(1, int(few[:6]), int(most[:6] or "1")) for few, most in repeats]
    # What stands in an expression once is a step. Repeats beside each other add up, and those of a group multiply.
    times = prod(counts) if ")" in text else sum(counts)
    steps = (len(text) + _STEPS_OF_A_CLASS * len(_CLASS.findall(text))) * max(times, 1)
    return steps > max(len(text), MOST_STEPS)


MOST_STEPS: Final = 20_000
_MOST_REPEATS: Final = 8
_STEPS_OF_A_CLASS: Final = 1_000
_MAY_REPEAT: Final = re.compile(rb'\\|%5[cC]|(?:\{|%7[bB])(?!["}]|%22|%7[dD])').search
_ESCAPED: Final = re.compile(r"\\u00([0-7][0-9A-Fa-f])")
_REPEAT: Final = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_CLASS: Final = re.compile(r"\\[pP]")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict[str, object]()
    for name, value in pairs:
        if name in found:
            raise BadTarget(f"the name {name[:64]!a} is given twice in one object")
        found[name] = value
    return found


def _is_list(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(o, bool) for o in value.values())


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
    return percent.encode(text.encode(), percent.UNRESERVED)
