"""From the values that were asked for to the items that list them.

Most values are the same in every run, and stay as they are. Some are made up anew each
time: folders of `mktemp`, names with a process id, tags with a digest. A list of those
that were seen fits no third run, so what *varied* becomes one item with a hole in it:
`/tmp/tmpab12cd34` and `/tmp/tmpx9_81kq0` become `/tmp/tmp*{8}`.

A value varied if some run that asked for such things did without it. Varied values of two
runs at least, which differ in one segment only, make a hole there:

- in the last segment of a path, a name or a tag, never in front of it;
- behind what they have in common (`stem`), four characters at least, from the beginning;
- for letters, digits, `_` and `-`; for as many as were seen, if that was always the same
  number and no counter;
- never where it would reach what is root on the host.

What two random names have in common may be chance: of `tmpab12cd34` and `tmpa9_81kq0`
the `a`. So the stem ends at a separator where no more than two characters follow it, and
never in a digit. What was asked for in one run alone makes no
hole: nothing shows yet what of it varies.

Adding runs never makes an item fit less: a value that varied goes on to vary, and more
values only make a stem shorter, a length open, or a cluster larger.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple

from trioproxy.limits.patterns import EPHEMERAL
from trioproxy.limits.sorts import Varies, sort_of, why_root

LEAST_FRONT: Final = 4
"""Characters in front of a hole."""

_LONGEST_COUNT: Final = 99
_CHANCE: Final = 2
"""Characters behind a separator that two random names may have in common by chance."""

_LETTERS: Final = re.compile(r"[A-Za-z0-9_-]+")
_TAG_LETTERS: Final = re.compile(r"[A-Za-z0-9_.-]+")
_NUMBER: Final = re.compile(r"[0-9]{1,6}")
_PYTHONS: Final = re.compile(r"tmp[a-z0-9_]{8}")
"""What Python's `tempfile` makes: the one common name without a separator."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
_PORT: Final = re.compile(r"((?:[^/]*:)?)([0-9]+)((?:/[a-z]+)?)")


class Seen(NamedTuple):
    """A value, and where it was seen."""

    value: str
    runs: frozenset[str]
    """The runs in which it was asked for."""
    missed: bool
    """Whether some run asked for such things, and not for it."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a list should hold, and the values that it stands for."""

    text: str
    values: frozenset[str]

    @property
    def is_hole(self) -> bool:
        """Whether it fits more than what was seen."""
        return self.values != {self.text}


def items_of(variable: str, seen: Iterable[Seen], *, base: str = "") -> list[Item]:
    """Make the items of a variable, in order. `base`: what `{base}` stands for."""
    values = {one.value: one for one in seen}
    varied = {name: one for name, one in values.items() if one.missed}
    items = list[Item]()
    for item in _holes(variable, varied):
        is_root = bool(why_root(variable, item.text, base=base))
        if is_root or not item.values & varied.keys():
            continue
        items.append(item)
        for value in item.values:
            varied.pop(value, None)
    literal = values.keys() - {value for item in items for value in item.values}
    items += [Item(value, frozenset({value})) for value in literal]
    return sorted(items, key=lambda item: item.text)


def _holes(variable: str, varied: Mapping[str, Seen]) -> Iterator[Item]:
    varies = sort_of(variable).varies
    if varies is Varies.PORT:
        yield from _random_ports(varied)
    elif varies is Varies.PATH:
        yield from _of_segments(varied, _split_path, _LETTERS, least_stem=1)
    elif varies is Varies.IMAGE:
        yield from _of_segments(varied, _split_tag, _TAG_LETTERS, least_stem=0)
        yield from _of_segments(varied, _split_name, _LETTERS, least_stem=1)


def _random_ports(varied: Mapping[str, Seen]) -> Iterator[Item]:
    """Ports that clients find by themselves: the address stays, the number does not."""
    groups = dict[tuple[str, str], list[Seen]]()
    for value, one in varied.items():
        found = _PORT.fullmatch(value)
        if found and int(found[2]) in EPHEMERAL:
            groups.setdefault((found[1], found[3]), []).append(one)
    for (address, protocol), members in groups.items():
        if _span_runs(members):
            values = frozenset(one.value for one in members)
            yield Item(f"{address}random{protocol}", values)


# --- Segments -----------------------------------------------------------------------


class _Part(NamedTuple):
    """A value, cut around the segment that may vary."""

    front: str
    segment: str
    back: str


def _split_path(value: str) -> _Part | None:
    path, mark, mode = value.partition(":")
    front, slash, segment = path.rpartition("/")
    return _Part(f"{front}{slash}", segment, f"{mark}{mode}")


def _split_tag(value: str) -> _Part | None:
    name, colon, tag = value.rpartition(":")
    if not colon or "@" in value or "/" in tag or value.startswith(("src:", "sha256:")):
        return None
    return _Part(f"{name}:", tag, "")


def _split_name(value: str) -> _Part | None:
    part = _split_tag(value)
    if part is None:
        return None
    front, slash, name = part.front.removesuffix(":").rpartition("/")
    return _Part(f"{front}{slash}", name, f":{part.segment}")


def _of_segments(
    varied: Mapping[str, Seen],
    split: Callable[[str], _Part | None],
    letters: re.Pattern[str],
    *,
    least_stem: int,
) -> Iterator[Item]:
    groups = dict[tuple[str, str], dict[str, Seen]]()
    for value, one in varied.items():
        part = split(value)
        if part is not None:
            members = groups.setdefault((part.front, part.back), {})
            members[part.segment] = one
    for (front, back), members in sorted(groups.items(), key=lambda item: item[0]):
        least = max(least_stem, LEAST_FRONT - len(front))
        for hole, segments in _clusters(members, sorted(members), letters, least):
            values = frozenset(members[segment].value for segment in segments)
            yield Item(f"{front}{hole}{back}", values)


def _clusters(
    members: Mapping[str, Seen],
    segments: list[str],
    letters: re.Pattern[str],
    least: int,
) -> Iterator[tuple[str, list[str]]]:
    """Find the largest sets of segments that one hole explains.

    Those that do not fit into it are looked at by themselves, split by the character in
    which they differ first.
    """
    if not _span_runs([members[one] for one in segments]):
        return
    stem = _stem(segments)
    left = segments
    if len(stem) >= least:
        for end, inside in _by_end(stem, segments, letters).items():
            if _span_runs([members[one] for one in inside]):
                parts = [one[len(stem) : len(one) - len(end)] for one in inside]
                yield f"{stem}{_star(parts)}{end}", inside
                left = [one for one in left if one not in inside]
    at = len(_common(left)) if left else 0
    groups = [list(group) for _, group in groupby(left, lambda one: one[at : at + 1])]
    if len(groups) > 1:
        for group in groups:
            yield from _clusters(members, group, letters, least)


def _stem(segments: list[str]) -> str:
    """What they have in common at the beginning, and not by chance."""
    if all(map(_PYTHONS.fullmatch, segments)):
        return "tmp"
    prefix = _common(segments).rstrip("0123456789")
    for found in _UUID.finditer(segments[0]):
        if found.start() < len(prefix) < found.end():  # some begin with the time
            prefix = prefix[: found.start()]
    kept = max(prefix.rfind(separator) for separator in "-_.") + 1
    return prefix[:kept] if len(prefix) - kept <= _CHANCE else prefix


def _common(segments: list[str]) -> str:
    """The characters with which all of them begin."""
    first, last = min(segments), max(segments)
    at = 0
    while at < len(first) and first[at : at + 1] == last[at : at + 1]:
        at += 1
    return first[:at]


def _by_end(
    stem: str, segments: list[str], letters: re.Pattern[str]
) -> dict[str, list[str]]:
    """Sort segments by what follows what varies, from a dot on; those that fit no hole
    are left out."""
    found = dict[str, list[str]]()
    for one in segments:
        rest = one[len(stem) :]
        if letters.fullmatch(rest):
            found.setdefault("", []).append(one)
            continue
        varied, dot, end = rest.partition(".")
        if varied and letters.fullmatch(varied):
            found.setdefault(f"{dot}{end}", []).append(one)
    return found


def _star(parts: list[str]) -> str:
    lengths = set(map(len, parts))
    if len(lengths) > 1 or max(lengths) > _LONGEST_COUNT:
        return "*"
    # The next number may have a digit more.
    return "*" if any(map(_NUMBER.fullmatch, parts)) else f"*{{{lengths.pop()}}}"


def _span_runs(members: list[Seen]) -> bool:
    """Whether there are two values at least, and two runs."""
    runs = frozenset[str]().union(*(one.runs for one in members))
    return len(members) > 1 and len(runs) > 1
