"""JSON bodies: bytes to values, strictly, and values to bytes.

Stricter than the Engine's decoder wherever that would take something in a way of its own:
UTF-8 alone and no byte order mark, nothing behind the value, no `NaN`, no number too
large for a float, no lone surrogate, and no name twice in one object (which the decoder
would merge). What names mean is not known here; `arguments.bodies` knows.

Bounded, so that a body does not hold up others: C code parses it in one go, and no other
task runs meanwhile. What takes time is less the bytes than the values, the escapes and
the digits, so there is a bound for each, and who parses a long body takes a step at a
time (`steps`) and lets others run between. The values are first guessed from above (a
comma in a text counts too), and counted only where the guess is too high.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from trioproxy.errors import BadBody, BodyTooLarge

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

MOST_VALUES: Final = 20_000
"""Values in a body. The docker CLI sends about 200."""
MOST_ESCAPES: Final = 100_000
"""Backslashes in a body: a profile of seccomp, as text in text, has 2,000."""
LONGEST_NUMBER: Final = 32
"""Characters of a number. What does not fit in 64 bits the Engine refuses."""

_STEP = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[,\[{]|[^",\[{]++', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(raw: bytes) -> Json:
    """Read a body. Raises `BadBody`, and `BodyTooLarge` for what takes too long to read."""
    value: Json = None
    for value in steps(raw):  # noqa: B007  the last one counts
        pass
    return value


def steps(raw: bytes) -> Iterator[Json]:
    """Read a body in steps of a few milliseconds; what comes last is its value."""
    if _how_many(raw, b"\\") > MOST_ESCAPES:
        raise BodyTooLarge(f"the body has more than {MOST_ESCAPES:,} escapes")
    yield None
    if _how_many(raw, b",[{") > MOST_VALUES and _count(raw) > MOST_VALUES:
        raise BodyTooLarge(f"the body has more than {MOST_VALUES:,} values")
    yield None
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadBody(f"the body is not UTF-8 at byte {error.start}") from None
    yield None
    try:
        value: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise BadBody(f"the body is not JSON: {error.msg} at {error.pos}") from None
    except RecursionError:
        raise BadBody("the body is nested too deeply") from None
    yield None
    if _SURROGATE.search(raw):
        _check_surrogates(value)
    yield value


def render(value: object) -> bytes:
    """Write a body: no space, UTF-8, names in the order in which they came."""
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, separators=(",", ":")
    ).encode()


def _how_many(raw: bytes, wanted: bytes) -> int:
    # One pass at the same speed whatever is there; `count` slows down where much is found.
    return len(raw) - len(raw.translate(None, wanted))


def _count(raw: bytes) -> int:
    """Count values outside of texts, up to the bound and one."""
    count = 0
    for found in _STEP.finditer(raw):
        count += found[0] in {b",", b"[", b"{"}
        if count > MOST_VALUES:
            break
    return count


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        ((name, _),) = counts.most_common(1)
        raise BadBody(f"the name {name[:64]!a} is given twice in one object")
    return found


def _int(text: str) -> int:
    # Thousands of digits take Python a time that grows with their square.
    if len(text) > LONGEST_NUMBER:
        raise BadBody(f"the number {text[:LONGEST_NUMBER]}... is too large")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadBody(f"the number {text[:LONGEST_NUMBER]} is too large")
    return number


def _constant(text: str) -> Json:
    raise BadBody(f"{text} is no JSON")


def _check_surrogates(value: Json) -> None:
    try:
        render(value)
    except UnicodeEncodeError:
        raise BadBody("half of a surrogate pair in a text") from None


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_once,
    parse_float=_float,
    parse_int=_int,
    parse_constant=_constant,
)
