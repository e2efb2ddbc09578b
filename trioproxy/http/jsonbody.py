"""JSON bodies: bytes to values, strictly, and values to bytes.

Stricter than the Engine's decoder wherever that would take something in a way of its own:
UTF-8 alone and no byte order mark, nothing behind the value, no `NaN`, no number too
large for a float, no lone surrogate, and no name twice in one object (which the decoder
would merge). What names mean is not known here; `api.decoding` knows.

Bounded, so that a body does not hold up others: C code parses it in one go, and no other
task runs meanwhile. What takes time is less the bytes than the values, the escapes and
the digits, so there is a bound for each, and who parses a long body takes a step at a
time (`parsing`) and lets others run between. The values are first guessed from above (a
comma in a text counts too), and counted only where the guess is too high.
"""

import json
import math
import re
from collections import Counter
from itertools import chain
from typing import Final

from trioproxy.errors import BadBody, BodyTooLarge
from trioproxy.steps import Steps, finish

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

MOST_VALUES: Final = 20_000
"""Values in a body. The docker CLI sends about 200."""
MOST_ESCAPES: Final = 100_000
"""Backslashes in a body: a profile of seccomp, as text in text, has 2,000."""
DEEPEST: Final = 100
"""Objects and lists in one another: who walks them, walks no deeper. Clients send 8."""
BYTES_OF_A_VALUE: Final = 512
"""Rather more than a value takes besides its text, with what is made to judge it."""
LONGEST_NUMBER: Final = 32
"""Characters of a number. What does not fit in 64 bits the Engine refuses."""

_SPACES: Final = " \t\n\r"
"""Those of JSON, and no others."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse(raw: bytes) -> Json:
    """Read a body. Raises `BadBody`, and `BodyTooLarge` for what takes too long to read."""
    return finish(parsing(raw))


def begin(text: str, at: int) -> tuple[Json, int]:
    """Read the value that stands there, and say where it ends. Raises `BadBody`.

    Only what is no longer than a step may be read so, and it is not read before `check`.
    """
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise _no_json(error.msg, error.pos) from None
    except RecursionError:
        raise BadBody(_TOO_DEEP) from None


def check(raw: bytes, value: Json) -> None:
    """Look for what the decoder takes all the same. Raises `BadBody`, and `BodyTooLarge`
    where it takes longer to say whether there are too many values."""
    if len(raw) > MOST_VALUES and _how_many(raw, b",[{") > MOST_VALUES:
        raise BodyTooLarge(_TOO_MANY_VALUES)
    if not _is_plain(raw):
        finish(_checking(raw, value))


def parsing(raw: bytes) -> Steps[Json]:
    """Read it in steps of a few milliseconds."""
    # Fewer bytes than may be escapes, or values, are no more of them.
    if len(raw) > MOST_ESCAPES and _how_many(raw, b"\\") > MOST_ESCAPES:
        raise BodyTooLarge(f"the body has more than {MOST_ESCAPES:,} escapes")
    yield
    may_be_many = len(raw) > MOST_VALUES and _how_many(raw, b",[{") > MOST_VALUES
    if may_be_many and (yield from _count(raw)) > MOST_VALUES:
        raise BodyTooLarge(_TOO_MANY_VALUES)
    yield
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise BadBody(f"the body is not UTF-8 at byte {error.start}") from None
    yield
    value, end = begin(text, len(text) - len(text.lstrip(_SPACES)))
    if behind := text[end:].lstrip(_SPACES):
        raise _no_json("Extra data", len(text) - len(behind))
    yield
    if not _is_plain(raw):
        yield from _checking(raw, value)
    return value


def _is_plain(raw: bytes) -> bool:
    """Whether it is too flat, and has too few escapes, for what `_checking` looks for."""
    # For one byte that is rare C looks faster than for two.
    may_have_halves = b"\\" in raw and b"\\u" in raw
    # And of one that is rare `replace` takes a third of what `count` does.
    flat = raw.replace(b"{", b"", DEEPEST).replace(b"[", b"", DEEPEST)
    return not may_have_halves and len(raw) - len(flat) < DEEPEST


def _no_json(why: str, at: int) -> BadBody:
    return BadBody(f"the body is not JSON: {why} at {at}")


def _checking(raw: bytes, value: Json) -> Steps[None]:
    """Look for what the decoder takes all the same."""
    if raw.count(b"{") + raw.count(b"[") > DEEPEST:
        _check_depth(value)
        yield
    if b"\\u" in raw and _SURROGATE.search(raw):
        _check_surrogates(value)


def weight(raw: bytes) -> int:
    """Bytes that are held while a body is read, judged and written anew, at most.

    That is its own, those of its text and of what is written; and with a letter that is
    not ASCII a text has four bytes for each of its letters, as have the values in it.
    """
    values = min(_how_many(raw, b",[{"), MOST_VALUES)
    return len(raw) * (3 if raw.isascii() else 9) + values * BYTES_OF_A_VALUE


def render(value: object) -> bytes:
    """Write a body: no space, UTF-8, names in the order in which they came."""
    return _ENCODER.encode(value).encode()


def rewritten(raw: bytes, value: Json, other: Json) -> bytes:
    """Write what was read from `raw` as another value: it stays as it came, but for the part in
    which they differ."""
    text, name, part = raw.decode(), "", other
    while isinstance(value, dict) and isinstance(part, dict):
        if value.keys() != part.keys():
            break
        differing = [key for key, one in part.items() if one is not value[key]]
        if len(differing) != 1:
            break
        (name,) = differing
        value, part = value[name], part[name]
    # A name that no escapes spell stands there as it is, and a text like it is it where it is the only one.
    before, mark, behind = text.partition(f'"{name}":')
    if (
        not _PLAIN.fullmatch(name)
        or ("\\" in text and _SPELLED.search(text))
        or f'"{name}"' in before
        or f'"{name}"' in behind
        or behind[:1] in _SPACES
    ):
        return render(other)
    _, end = begin(behind, 0)
    return f"{before}{mark}{_ENCODER.encode(part)}{behind[end:]}".encode()


_PLAIN: Final = re.compile(r"[A-Za-z0-9_./-]+")
_SPELLED: Final = re.compile(r"\\(?:/|u00[2-7])")
"""What such a name may be spelled with."""


def rendering(value: object) -> Steps[bytes]:
    """Write a long one, in steps; it takes four times as long."""
    parts = list[str]()
    for part in _ENCODER.iterencode(value):
        parts.append(part)
        if not len(parts) % _PARTS:
            yield
    yield
    return "".join(parts).encode()


_PARTS: Final = 2_000
"""Of what is written in a step: a name is one, and a value."""
_TOO_MANY_VALUES: Final = f"the body has more than {MOST_VALUES:,} values"
_TOO_DEEP: Final = f"the body is nested deeper than {DEEPEST} levels"


def _check_depth(value: Json) -> None:
    level = [value]
    for _ in range(DEEPEST + 1):
        lists = [one for one in level if isinstance(one, list)]
        objects = [one.values() for one in level if isinstance(one, dict)]
        if not lists and not objects:
            return
        level = [*chain(*lists), *chain(*objects)]
    raise BadBody(_TOO_DEEP)


def _how_many(raw: bytes, wanted: bytes) -> int:
    # One pass at the same speed whatever is there; `count` slows down where much is found.
    return len(raw) - len(raw.translate(None, wanted))


def _count(raw: bytes) -> Steps[int]:
    """Count values outside of texts; some more than the bound where there may be too many.

    Whole passes in C again: what is escaped goes first, and then each second piece between
    quotes is outside of texts. Up to where a body is no JSON, and is read no further, that
    is right.
    """
    yield
    plain = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    # A value has at most a name beside it, and each of both two quotes.
    if _how_many(plain, b'"') > 4 * (MOST_VALUES + 1):
        return MOST_VALUES + 1
    yield
    return _how_many(b"".join(plain.split(b'"')[::2]), b",[{")


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
_ENCODER: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=False
)
"""Made once. What was read has no circle in it, nor has what is made of that."""
