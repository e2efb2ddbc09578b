"""Word or hole: whether names that differ were chosen, or made up by a rule.

`config-prod` and `config-staging` are two words, and a list has both. `tmpab12cd34` and
`tmpx9_81kq0` come from one maker, and no list of those that were seen fits the next one. So
what stands in one place is looked at as a set: what differs gets a hole of its class
(`limits.varying`) if it is made up, and stays as it is if it is a word.

A name is cut at all that is no letter, digit or `_`; a UUID and a date are whole. Of a piece
a beginning stays that others have too, up to a `_` or up to their digits, and an end from a
`_` on. What is left between them is

- `{num}`, of digits alone; but no version: behind a `v`, or beside a dot with digits;
- `{hexN}`, of seven at least, with a digit in each;
- `{randN}`, of six at least and one length, none of them in two runs;

and none of the last two where all are of the shape of words. What a person chose is so
nearly never opened; a maker whose names look like words is missed, and they are listed.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from trioproxy.api import normal

_DAY: Final = r"(?<![0-9])(?:19|20)[0-9]{2}%s(?:0[1-9]|1[0-2])%s(?:0[1-9]|[12][0-9]|3[01])(?![0-9A-SU-Za-z])"
_DATE: Final = f"{_DAY % ('-', '-')}|{_DAY % ('', '')}"
_UUID: Final = (
    r"(?<![0-9A-Za-z])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9A-Za-z])"
)
_TOKEN: Final = re.compile(
    rf"(?P<uuid>{_UUID})|(?P<date>{_DATE})"
    rf"|(?P<piece>(?:(?!{_UUID}|{_DATE})[A-Za-z0-9_])+)|(?P<mark>.)",
    re.DOTALL,
)
# Each letter is read in one way: clients choose what is matched here.
_PART: Final = r"(?:[A-Z]*+[a-z]{2,}+|[A-Z]{2,}+)++[0-9]*+"
_WORDS: Final = re.compile(rf"{_PART}(?:_(?:{_PART}|[0-9]+))*")
_COMMON: Final = frozenset(
    [
        "backup",
        "branch",
        "builds",
        "client",
        "config",
        "current",
        "custom",
        "debian",
        "default",
        "deploy",
        "develop",
        "docker",
        "edge",
        "feature",
        "fedora",
        "hotfix",
        "latest",
        "legacy",
        "master",
        "nightly",
        "oracle",
        "preview",
        "private",
        "prod",
        "production",
        "project",
        "public",
        "python",
        "release",
        "runner",
        "server",
        "service",
        "shared",
        "snapshot",
        "stable",
        "staging",
        "static",
        "target",
        "testing",
        "unstable",
        "ubuntu",
        "upload",
        "volume",
        "volumes",
        "worker",
    ]
)
"""Words that stand where an id may stand too, as `app:release` beside `app:3fa8b21`."""
_NUMBER: Final = re.compile(r"(?<![0-9])[0-9]+(?=_|\Z)")
_HEX: Final = re.compile(r"(?=.*[0-9])[0-9a-f]{7,64}")
_RAND: Final = re.compile(r"[A-Za-z0-9_]{6,64}")
_VERSION: Final = re.compile(r"(?:.*[^A-Za-z])?[vV]")
_LONGEST: Final = 255
"""Characters of a piece that is compared: as many as the name of a file has."""
_MOST_CUTS: Final = 8
"""Places in which a piece is cut, from either end; and numbers that are looked for in it."""
_LEAST_OF_IMAGES: Final = 3
"""Digits of a number in the name of an image; of fewer it is a version."""


class Token(NamedTuple):
    """A part of a name."""

    kind: str
    """`piece`, `uuid` or `date`, where a hole may be; `mark` for a character between two
    of them; `fixed` for what is written as it is."""
    text: str

    @property
    def written(self) -> str:
        """As in a list."""
        return self.text if self.kind == "fixed" else normal.quote(self.text)


def tokens_of(text: str) -> Iterator[Token]:
    """Cut a name, as it is and not as lists write it."""
    for one in _TOKEN.finditer(text):
        yield Token(str(one.lastgroup), one[0])


class Place(NamedTuple):
    """Where pieces stand."""

    is_image: bool = False
    is_behind_dot: bool = False
    """Whether a dot is in front of it, and a digit in front of that."""
    is_before_dot: bool = False
    """Whether a dot follows, and a digit."""


Pieces = Mapping[str, frozenset[str]]
"""What stands in one place, each with the runs in which it does."""


class Made(NamedTuple):
    """Pieces that were made up."""

    hole: str
    """What fits them, as in a list."""
    pieces: frozenset[str]


def made_up(pieces: Pieces, place: Place) -> Iterator[Made]:
    """Say which pieces of a place were made up, by one maker each; the others are words.

    What explains the most comes first, then a number, then what leaves least open. What stands
    there in every run is not what varies, though what stands beside it may.
    """
    every = frozenset[str]().union(*pieces.values())
    left = {
        one: runs
        for one, runs in pieces.items()
        if len(one) <= _LONGEST and (runs != every or len(every) < 2)
    }
    while len(left) > 1:
        found = sorted(_makers(left, place), key=_weight, reverse=True)
        taken = set[str]()
        for one in found:  # what has lost a piece to another is looked at again
            if taken.isdisjoint(one.pieces):
                yield one
                taken |= one.pieces
        if not found:
            return
        left = {one: left[one] for one in left.keys() - taken}


def _weight(one: Made) -> tuple[int, bool, int, str]:
    return len(one.pieces), "{num}" in one.hole, len(one.hole), one.hole


def _makers(pieces: Pieces, place: Place) -> Iterator[Made]:
    """All holes that fit two pieces or more, with what they have in common around them."""
    numbers = dict[tuple[str, str], set[str]]()
    others = dict[tuple[str, int, str], set[str]]()
    for piece in sorted(pieces):
        for one in islice(_NUMBER.finditer(piece), _MOST_CUTS):
            around = piece[: one.start()], piece[one.end() :]
            if _is_number(one[0], *around, place):
                numbers.setdefault(around, set()).add(piece)
        for front, back in _around(piece):
            middle = piece[len(front) : len(piece) - len(back)]
            if _RAND.fullmatch(middle) and middle not in _COMMON:
                others.setdefault((front, len(middle), back), set()).add(piece)
    for (front, back), members in numbers.items():
        if len(members) > 1:
            yield Made(f"{front}{{num}}{back}", frozenset(members))
    for (front, size, back), members in others.items():
        middles = {one: one[len(front) : len(front) + size] for one in members}
        for kind, several in _kinds(middles, pieces):
            yield Made(f"{front}{{{kind}{size}}}{back}", frozenset(several))


def _kinds(
    middles: Mapping[str, str], pieces: Pieces
) -> Iterator[tuple[str, set[str]]]:
    """Say which of the pieces a hole of one length fits, by what is made up of each."""
    hexes = {one for one, middle in middles.items() if _HEX.fullmatch(middle)}
    once = {one for one in middles if len(pieces[one]) == 1}
    for kind, several in (("hex", hexes), ("rand", once if once - hexes else set())):
        is_made = not all(_WORDS.fullmatch(middles[one]) for one in several)
        if len(several) > 1 and is_made:
            yield kind, several


def _is_number(digits: str, front: str, back: str, place: Place) -> bool:
    if _VERSION.fullmatch(front):
        return False
    if (not front and place.is_behind_dot) or (not back and place.is_before_dot):
        return False
    is_behind_letter = front[-1:].isalpha()
    is_short = len(digits) < _LEAST_OF_IMAGES
    return not place.is_image or not (is_behind_letter or is_short)


def _around(piece: str) -> Iterator[tuple[str, str]]:
    """What may be fixed of a piece, in front and behind."""
    cuts = [one.start() for one in re.finditer("_", piece)]
    fronts = ["", *(piece[: at + 1] for at in cuts[:_MOST_CUTS])]
    if piece.startswith("tmp"):  # of Python, and of Rust: no separator stands behind it
        fronts.append("tmp")
    backs = ["", *(piece[at:] for at in cuts[-_MOST_CUTS:])]
    for front in fronts:
        for back in backs:
            if len(front) + len(back) < len(piece):
                yield front, back
