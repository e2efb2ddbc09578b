"""Word or hole: whether names that differ were chosen, or made up by a rule.

`config-prod` and `config-staging` are two words, and a list has both. `tmpab12cd34` and
`tmpx9_81kq0` come from one maker, and no list of those that were seen fits the next one. So
what stands in one place is looked at as a set: what differs gets a hole of its class
(`limits.varying`) if it is made up, and stays as it is if it is a word.

A name is cut at all that is no letter, digit or `_`; a UUID and a date are whole. Of a piece
a beginning stays that others have too, up to a `_`, up to their digits or up to eight letters
as Python's tempfile makes them, and an end from a `_` on. What is left between them is

- `{num}`, of digits alone; but no version: behind a `v`, or beside a dot with digits, and
  in images no year. A time has nine digits and more, and what stands behind a date is one;
- `{hexN}`, of seven at least, with a digit in each;
- `{randN}`, of six at least and one length, none of them in two runs;
- `{hex4}`, in a folder that is another digest or UUID each time;

and none of `{hexN}` and `{randN}` where they differ in less than five places (`tenant_a`,
`mp3files` and `mp4files`), or where all are of the shape of words, or read like some: in
English names one letter follows another in 250 ways out of 676, and whoever draws lots hits
these half as often. What a person chose is so nearly never opened; a maker whose names look
like words is missed, and they are listed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, pairwise, product, zip_longest
from operator import or_
from types import MappingProxyType
from typing import Final, NamedTuple

from trioproxy.api import normal

_DAY: Final = r"(?<![0-9])(?:19|20)[0-9]{2}%s(?:0[1-9]|1[0-2])%s(?:0[1-9]|[12][0-9]|3[01])(?![0-9A-SU-Za-z])"
_DATE: Final = f"{_DAY % ('-', '-')}|{_DAY % ('', '')}"
_UUID: Final = r"(?<![0-9A-Za-z])%(x)s{8}-(?:%(x)s{4}-){3}%(x)s{12}(?![0-9A-Za-z])"
_SMALL: Final = _UUID % {"x": "[0-9a-f]"}
_CAPITALS: Final = _UUID % {"x": "[0-9A-F]"}
_TOKEN: Final = re.compile(
    rf"(?P<uuid>{_SMALL})|(?P<UUID>{_CAPITALS})|(?P<date>{_DATE})"
    rf"|(?P<piece>(?:(?!{_SMALL}|{_CAPITALS}|{_DATE})[A-Za-z0-9_])+)|(?P<mark>.)",
    re.DOTALL,
)
# Each letter is read in one way: clients choose what is matched here.
_PART: Final = r"(?:[A-Z]*+[a-z]{2,}+|[A-Z]{2,}+)++[0-9]*+"
_WORDS: Final = re.compile(rf"{_PART}(?:_(?:{_PART}|[0-9]+))*")
_COMMON: Final = frozenset(
    re.findall(
        "[a-z0-9_]+",
        "backup branch builds client config current custom debian default deploy "
        "develop docker edge feature fedora hotfix latest legacy master nightly "
        "oracle preview private prod production project public python release "
        "runner server service shared snapshot stable staging static target testing "
        "unstable ubuntu upload volume volumes worker aarch64 arm32v7 arm64v8 "
        "armv7l ppc64le riscv64 x86_64",
    )
)
"""Words that stand where an id may stand too, as `app:release` beside `app:3fa8b21`."""
_USUAL: Final = frozenset(
    one[0] + second
    for one in re.findall(
        "[a-z]+",
        "abcdfgiklmnprstuvwy baeilorsu caehikloprstu dabdeijkorsu eabcdefglmnoprstvwx "
        "faeilor gaeiloru haeiot iabcdefglmnoprstvxz jas kaei ladeilopstuy mabceilmopsu "
        "nacdefgiknostuv oabcdgiklmnoprstuvwx paehiloprstuy qu racdeiklmnoprstuvy "
        "sacdehiklmopstuy tacehiloprstuy uabcdegilmnprst vaei waeios xpt ynpst ze",
    )
    for second in one[1:]
)
"""Two letters that stand side by side in names: a letter, and those that may follow."""
_LEAST_PLACES: Final = 5
"""Places in which names differ that were made up whole."""
_NUMBER: Final = re.compile(
    r"(?<![0-9])(?:[0-9]+(?=_|Z?\Z)|[0-9]{9,}(?![0-9]))", re.ASCII
)
_TIME: Final = re.compile(r"(?:.*[^0-9])?[0-9]{9,}", re.DOTALL)
_YEAR: Final = re.compile("(?:19|20)[0-9]{2}")
_DESCRIBED: Final = re.compile("g[0-9a-f]{7,40}")
"""A commit, as `git describe` names it."""
_HEX: Final = re.compile(r"(?=.*[0-9])[0-9a-f]{7,64}")
_SHORT: Final = re.compile(r"[0-9a-f]{4}")
_RAND: Final = re.compile(r"[A-Za-z0-9_]{6,64}")
_VERSION: Final = re.compile(r"(?:.*[^A-Za-z])?[vV](?:[0-9_]*|[0-9]+[a-z]+)")
_OF_PYTHON: Final = re.compile(r"([A-Za-z0-9]{3,})[a-z0-9_]{8}")
_LONGEST: Final = 255
"""Characters of a piece that is compared: as many as the name of a file has."""
_MOST_CUTS: Final = 8
"""Places in which a piece is cut, from either end; and numbers that are looked for in it."""
_LEAST_OF_IMAGES: Final = 3
"""Digits of a number in the name of an image; of fewer it is a version."""


WHOLE: Final = MappingProxyType(
    {
        "uuid": "{uuid}",
        "UUID": "{rand8}-{rand4}-{rand4}-{rand4}-{rand12}",  # of macOS: no `{uuid}`
        "date": "{date}",
    }
)
"""Kinds that are one hole or literal, never cut."""


class Token(NamedTuple):
    """A part of a name."""

    kind: str
    """`piece`, or a kind of `WHOLE`, where a hole may be; `mark` for a character between two
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


_SLASH: Final = Token("fixed", "/")
_EDGE: Final = (Token("fixed", ""),) * 2
"""What stands around a whole name."""


class Slot(NamedTuple):
    """Where pieces stand."""

    is_image: bool
    is_behind_dot: bool
    """Whether a dot is in front of it, and a digit in front of that."""
    is_before_dot: bool
    """Whether a dot follows, and a digit."""
    is_time: bool
    """Whether a date is in front of it, or a commit behind it, as `git describe` has one."""
    is_inside: bool
    """Whether it is below a folder that is a digest or a UUID, and another one in each name."""


Pieces = Mapping[str, frozenset[str]]
"""What stands in one place, each with the runs in which it does."""


def slot_of(names: Sequence[Sequence[Token]], at: int, *, is_image: bool) -> Slot:
    """Say what stands around a token of names that are alike: two in front, and two behind."""
    near = [(*_EDGE, *name, *_EDGE)[at : at + 5] for name in names]
    dotted = [one for one, mark, *_ in near if (one.kind, mark.text) == ("piece", ".")]
    ends = [(mark.text, one.text) for *_, mark, one in near]
    described = [mark == "-" and bool(_DESCRIBED.fullmatch(one)) for mark, one in ends]
    dated = [any(one.kind == "date" for one in name[:at]) for name in names]
    folders = names[0][:at]
    end = max((n for n, one in enumerate(folders) if one == _SLASH), default=0)
    above = [[name[n] for name in names] for n in range(end)]
    return Slot(
        is_image=is_image,
        is_behind_dot=any(
            one.text[-1].isdigit() and not _TIME.fullmatch(one.text) for one in dotted
        ),
        is_before_dot=any(mark == "." and one[:1].isdigit() for mark, one in ends),
        is_time=all(map(or_, dated, described)),
        is_inside=not is_image
        and any(len({*one}) > 1 and all(map(_is_drawn, one)) for one in above),
    )


def _is_drawn(token: Token) -> bool:
    return token.kind == "uuid" or bool(_HEX.fullmatch(token.text))


class Made(NamedTuple):
    """Pieces that were made up."""

    hole: str
    """What fits them, as in a list."""
    pieces: frozenset[str]


def made_up(pieces: Pieces, place: Slot) -> Iterator[Made]:
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
        makers = chain(_makers(left, place), _inside(left, place))
        found = sorted(makers, key=_weight, reverse=True)
        taken = set[str]()
        for one in found:  # what has lost a piece to another is looked at again
            if taken.isdisjoint(one.pieces):
                yield one
                taken |= one.pieces
        if not found:
            return
        left = {one: left[one] for one in left.keys() - taken}


def _weight(one: Made) -> tuple[int, bool, int, bool, str]:
    fixed = re.sub("{[a-z]+[0-9]*}", "", one.hole)
    is_hex = "{hex" in one.hole
    return len(one.pieces), "{num}" in one.hole, len(fixed), is_hex, one.hole


def _makers(pieces: Pieces, place: Slot) -> Iterator[Made]:
    """All holes that fit two pieces or more, with what they have in common around them."""
    numbers = dict[tuple[str, ...], dict[str, list[str]]]()
    others = dict[tuple[str, int, str], set[str]]()
    for piece in sorted(pieces):
        for around, digits in _numbers(piece, place):
            numbers.setdefault(around, {})[piece] = digits
        for front, back in _around(piece):
            middle = piece[len(front) : len(piece) - len(back)]
            if _RAND.fullmatch(middle) and middle not in _COMMON:
                others.setdefault((front, len(middle), back), set()).add(piece)
    for around, of in numbers.items():
        columns = [frozenset(column) for column in zip(*of.values(), strict=True)]
        is_version = place.is_image and any(map(_are_years, columns))
        if len(of) > 1 and not is_version:
            holes = ["{num}" if len(one) > 1 else min(one) for one in columns]
            text = "".join(chain(*zip_longest(around, holes, fillvalue="")))
            yield Made(text, frozenset(of))
    for (front, size, back), members in others.items():
        middles = {one: one[len(front) : len(front) + size] for one in members}
        of_maker = place.is_time or front == "tmp"
        for kind, several in _kinds(middles, pieces, of_maker=of_maker):
            is_file = kind == "rand" and not place.is_image
            word = _prefix(middles[one] for one in several) if is_file else ""
            hole = f"{{{kind}{size - len(word)}}}"
            yield Made(f"{front}{word}{hole}{back}", frozenset(several))


def _inside(pieces: Pieces, place: Slot) -> Iterator[Made]:
    """What a program makes of few digits in a folder of its own, as Toil for each job."""
    several = frozenset(filter(_SHORT.fullmatch, pieces))
    if place.is_inside and len(several) > 1 and not all(map(str.isalpha, several)):
        yield Made("{hex4}", several)


def _prefix(names: Iterable[str]) -> str:
    """What a program had Python's `tempfile` set in front of eight letters; empty: not that.

    Three letters or more: what is drawn by lot begins with the same once in 46,656.
    """
    fronts = {one[1] if (one := _OF_PYTHON.fullmatch(name)) else "" for name in names}
    return fronts.pop() if len(fronts) == 1 else ""


def _numbers(piece: str, place: Slot) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """What stands around each number of a piece, and around all of them."""
    spans = [
        one.span()
        for one in islice(_NUMBER.finditer(piece), _MOST_CUTS)
        if _is_number(one[0], piece[: one.start()], piece[one.end() :], place)
    ]
    for several in {*((one,) for one in spans), tuple(spans)} - {()}:
        ends = [0, *chain(*several), len(piece)]
        texts = [piece[start:end] for start, end in pairwise(ends)]
        yield tuple(texts[::2]), texts[1::2]


def _are_years(numbers: frozenset[str]) -> bool:
    """Whether they vary, and name what came out in a year."""
    return len(numbers) > 1 and all(map(_YEAR.fullmatch, numbers))


def _kinds(
    middles: Mapping[str, str], pieces: Pieces, *, of_maker: bool
) -> Iterator[tuple[str, set[str]]]:
    """Say which of the pieces a hole of one length fits, by what is made up of each."""
    hexes = {one for one, middle in middles.items() if _HEX.fullmatch(middle)}
    once = {one for one in middles if len(pieces[one]) == 1}
    for kind, several in (("hex", hexes), ("rand", once if once - hexes else set())):
        if not _are_words([middles[one] for one in several], of_maker=of_maker):
            yield kind, several


def _are_words(names: Sequence[str], *, of_maker: bool) -> bool:
    """Whether names of one length were chosen, by where they differ and how they read.

    `of_maker`: their place is one of made names, and words have both their shape and sound.
    """
    differ = [len(set(column)) > 1 for column in zip(*names, strict=True)]
    if sum(differ) < _LEAST_PLACES:
        return True
    inner = slice(differ.index(True), len(differ) - differ[::-1].index(True))
    parts = [name[inner] for name in names]
    pairs = list(chain(*map(pairwise, parts)))
    letters = [one + other for one, other in pairs if (one + other).isalpha()]
    usual = sum(
        pair.lower() in _USUAL and not (pair[0].islower() and pair[1].isupper())
        for pair in letters
    )
    read = 2 * usual >= len(pairs) and 3 * (len(letters) - usual) <= usual
    are = any(all(map(_WORDS.fullmatch, several)) for several in (names, parts))
    return (are and read) if of_maker else (are or read)


def _is_number(digits: str, front: str, back: str, place: Slot) -> bool:
    is_in_dots = (not front and place.is_behind_dot) or (
        not back and place.is_before_dot
    )
    is_version = front.endswith(("v", "V")) or is_in_dots
    if _VERSION.fullmatch(front) or (is_version and not _TIME.fullmatch(digits)):
        return False
    is_behind_letter = front[-1:].isalpha()
    is_short = len(digits) < _LEAST_OF_IMAGES and not place.is_time
    return not place.is_image or not (is_behind_letter or is_short)


def _around(piece: str) -> Iterator[tuple[str, str]]:
    """What may be fixed of a piece, in front and behind."""
    cuts = [one.start() for one in re.finditer("_", piece)]
    fronts = ["", *(piece[: at + 1] for at in cuts[:_MOST_CUTS])]
    if piece.startswith("tmp"):  # of Python, and of Rust: no separator stands behind it
        fronts.append("tmp")
    if _DESCRIBED.fullmatch(piece):
        fronts.append("g")
    backs = ["", *(piece[at:] for at in cuts[-_MOST_CUTS:])]
    return product(fronts, backs)
