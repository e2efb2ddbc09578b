"""Holes: what in an item stands for something that varies, and for how much of it.

A `*` is any letters, a `*{8}` eight of them. The others name what makes the values, so that
they fit what it makes and nothing else: no hole fits a `/`, a `.`, or a text of another
length, but for `{num}`, which has as many digits as it likes.

A hole is parts of words, as a star is, and nothing that reads words knows of it: what is
root, what a planted link reaches, what is included, all walk the words that it stands for.
"""

import re
import string
from collections.abc import Mapping
from itertools import chain, product
from typing import Final

from trioproxy.limits.languages import NAME, Language, Some

HOLE: Final = re.compile(
    r"\*(?:\{[1-9][0-9]?\})?"
    r"|\{(?:num|uuid|date|uid|(?:hex|rand)(?:[4-9]|[1-5][0-9]|6[0-4]))\}"
)
"""A star, or a hole that names what it stands for."""
NAMES: Final = "{num}, {hex12}, {rand8} (4 to 64), {uuid}, {date}, {uid}"
"""All of these, for people."""


def with_holes(text: str, letters: Some = NAME) -> Language:
    """Read a text in which holes stand, stars too, as the words that it may be."""
    parts, at = list[Language](), 0
    for hole in HOLE.finditer(text):
        parts += [((text[at : hole.start()],),), _meant(hole[0], letters)]
        at = hole.end()
    return joined(*parts, ((text[at:],),))


def end_of_literal(text: str) -> int:
    """Where in a text its first hole begins."""
    hole = HOLE.search(text)
    return hole.start() if hole else len(text)


def joined(*several: Language) -> Language:
    """Put each word of the first in front of each word of the next, and so on."""
    return tuple(tuple(chain(*words)) for words in product(*several))


def kind_of(hole: str) -> str:
    """The name of a hole without its number; none for a star."""
    return hole.strip("*{}0123456789")


def _meant(hole: str, letters: Some) -> Language:
    kind = kind_of(hole)
    some = letters if hole.startswith("*") else _OF_LENGTH.get(kind)
    if some is None:
        return _WORDS[kind]
    return ((some._replace(number=int(re.sub("[^0-9]", "", hole) or 0)),),)


def _some(chars: str, number: int = 1) -> Some:
    return Some(frozenset(chars), number=number)


_HEX: Final = "0123456789abcdef"
_OF_LENGTH: Final[Mapping[str, Some]] = {
    "hex": _some(_HEX),
    "rand": _some(string.ascii_letters + string.digits + "_"),
}

_YEAR: Final = _some(string.digits, 4)
_MONTH: Final = (_some("01"), _some(string.digits))
_DAY: Final = (_some("0123"), _some(string.digits))
_WORDS: Final[Mapping[str, Language]] = {
    "num": ((_some(string.digits, 0),),),
    "uuid": ((*(_some(_HEX, 8), "-"), *(_some(_HEX, 4), "-") * 3, _some(_HEX, 12)),),
    "date": ((_YEAR, "-", *_MONTH, "-", *_DAY), (_YEAR, *_MONTH, *_DAY)),
    # No user of a system, whose ids end at 999.
    "uid": (
        (_some("123456789"), _some(string.digits, 3)),
        (_some("12345"), _some(string.digits, 4)),
    ),
}
