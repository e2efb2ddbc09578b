"""From the values that were asked for to the items that list them.

Most values are the same in every run, and stay as they are. Some are made up anew each
time: folders of `mktemp`, names with a process id, tags with a digest. A list of those
that were seen fits no third run, so what *varied* becomes one item with a hole in it:
`/tmp/tmpab12cd34` and `/tmp/tmpx9_81kq0` become `/tmp/tmp{rand8}`.

A value varied if some run that asked for such things did without it. Varied values of two
runs at least are laid side by side, token by token: those that have the same marks in the
same places and whose differences were all made up (`learning.made`) are one item. A hole
stands in any segment of a path but the first, in the name and the tag of an image but not
in whose it is, in the value of an option; never where an item may hold none, and never
where it would reach what is root on the host. Where one run is all that there is, each
value counts as seen by itself, and a number needs more of them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Final, NamedTuple

from trioproxy.api import normal
from trioproxy.api.families import ANYWHERE, BASE, PROJECT, TMP, Places
from trioproxy.learning.made import WHOLE, Made, Token, made_up, slot_of, tokens_of
from trioproxy.limits.patterns import EPHEMERAL
from trioproxy.limits.sorts import Varies, is_listable, parse_pattern, sort_of, why_root
from trioproxy.values import ordered_class

_PORT: Final = re.compile(r"((?:[^/]*:)?)([0-9]+)((?:/[a-z]+)?)")
_USER: Final = re.compile(r"([0-9]{4,5})(?:%3A([0-9]{1,5}))?")
_PERSONS: Final = range(1000, 60_000)
_FEW_PORTS: Final = 100
"""Ports that lie no further apart are a range."""
_LEAST_PORT: Final = 1024
_LEAST_NUMBERS: Final = 8
"""Numbers of one run that are a counter; fewer may be the parts of one thing."""
_HOUR: Final = re.compile("([T_]?)[0-9]{2}Z?")
"""Of a time with marks: hour, minute or second."""
_MOST_TOKENS: Final = 200
"""Parts of a name that is compared with others."""
_SUBNET: Final = "NetworkCreate:IPAM.Config.Subnet"
_IN_SUBNET: Final = re.compile(r"(?:(?<=\.)|(?<=%3A))[0-9a-f]+")
"""What varies in one: all behind the first number, but for its length."""


class Value(NamedTuple):
    """A value, and where it was seen."""

    value: str
    runs: frozenset[str]
    """The runs in which it was asked for."""
    missed: bool
    """Whether some run asked for such things, and not for it."""


@ordered_class
class Item:
    """What a list should hold, and the values that it stands for."""

    text: str
    values: frozenset[str]

    @property
    def is_hole(self) -> bool:
        """Whether it fits more than what was seen."""
        return self.values != {self.text}


def items_of(
    variable: str,
    seen: Iterable[Value],
    *,
    places: Places = ANYWHERE,
    is_one_run: bool = False,
) -> list[Item]:
    """Make the items of a variable, in order. `places`: what `{base}` and the like stand for.

    `is_one_run`: a value varied if it was not asked for each time.
    """
    values = {one.value: one for one in seen}
    varied = {name: one for name, one in values.items() if one.missed}
    if is_one_run:
        varied = {n: one._replace(runs=frozenset({n})) for n, one in varied.items()}
    items = list[Item]()
    known = Places(*(one or any_ for one, any_ in zip(places, ANYWHERE, strict=True)))
    for item in _holes(variable, varied):
        is_counter = is_one_run and "{num}" in item.text
        is_few = is_counter and len(item.values) < _LEAST_NUMBERS
        if not is_few and is_listable(variable, item.text):
            fits = parse_pattern(variable, item.text, places=known).fits
            of_it = frozenset(one for one in values if fits(known.meant(one)))
            is_whole = of_it >= item.values  # an Engine's socket fits no hole
            if is_whole and not _opens_root(variable, item, places):
                items.append(Item(item.text, of_it))
    literal = values.keys() - {value for item in items for value in item.values}
    items += [Item(value, frozenset({value})) for value in literal]
    return sorted(items, key=lambda item: item.text)


def _opens_root(variable: str, item: Item, places: Places) -> bool:
    """Whether it would reach what is root. A checkout that lies there as a whole is told as
    that, and what varies in it is like what varies in any other."""
    if not why_root(variable, item.text, places=places):
        return False
    place = next((one for one in (BASE, TMP) if item.text.startswith(f"{one}/")), "")
    return not (place and why_root(variable, f"{place}/a/b", places=places))


def _holes(variable: str, varied: Mapping[str, Value]) -> Iterator[Item]:
    """What fits values that varied alike: two of them at least, of two runs."""
    for text, members in _alike(variable, varied):
        runs = frozenset[str]().union(*(one.runs for one in members))
        if text and len(members) > 1 and len(runs) > 1:
            yield Item(text, frozenset(one.value for one in members))


_Alike = Iterable[tuple[str, list[Value]]]
"""An item for values that are alike, and these; empty: none fits them."""


def _alike(variable: str, varied: Mapping[str, Value]) -> _Alike:
    match sort_of(variable).varies:
        case Varies.PORT:
            return _ports(varied)
        case Varies.USER:
            return _users(varied)
        case Varies.PATH | Varies.IMAGE | Varies.VALUE as varies:
            names = _of_names(varied, varies, is_pulled=variable == "PULL_IMAGES")
            return chain(_subnets(varied), names)
        case Varies.NEVER:
            return ()


# --- Ports, users, subnets ----------------------------------------------------------


def _ports(varied: Mapping[str, Value]) -> _Alike:
    """Ports that clients find by themselves: the address stays, the number does not."""
    groups = defaultdict[tuple[str, str, bool], list[tuple[int, Value]]](list)
    for value, one in varied.items():
        found = _PORT.fullmatch(value)
        if found and (port := int(found[2])) >= _LEAST_PORT:
            groups[found[1], found[3], port in EPHEMERAL].append((port, one))
    for (address, protocol, is_free), members in groups.items():
        for near in [members] if is_free else _neighbours(members):
            first, last = near[0][0], near[-1][0]
            ports = "random" if is_free else f"{first}-{last}"
            yield f"{address}{ports}{protocol}", [one for _, one in near]


def _neighbours(members: list[tuple[int, Value]]) -> Iterator[list[tuple[int, Value]]]:
    """Ports from one range that a client goes through."""
    members.sort()
    near = members[:1]
    for one in members[1:]:
        if one[0] - near[0][0] >= _FEW_PORTS:
            yield near
            near = []
        near.append(one)
    yield near


def _users(varied: Mapping[str, Value]) -> _Alike:
    """Persons, by `id -u` and `id -g`: another one runs it next time. Never root."""
    groups = defaultdict[str, list[Value]](list)
    for value, one in varied.items():
        found = _USER.fullmatch(value)
        if found and int(found[1]) in _PERSONS:
            group = found[2] or ""
            own = "{uid}" if group and int(group) in _PERSONS else group
            mark = "%3A" if group else ""
            groups[f"{{uid}}{mark}{own}"].append(one)
    return groups.items()


def _subnets(varied: Mapping[str, Value]) -> _Alike:
    """Addresses that were free: the next ones begin alike."""
    groups = defaultdict[str, list[Value]](list)
    for value, one in varied.items():
        if _SUBNET in value:
            groups[_IN_SUBNET.sub("*", value)].append(one)
    return groups.items()


# --- Names --------------------------------------------------------------------------


class _Name(NamedTuple):
    """A value, cut into what is compared."""

    tokens: tuple[Token, ...]
    seen: Value
    is_image: bool

    @property
    def shape(self) -> tuple[Token, ...]:
        """What values have in common that are laid side by side."""
        return tuple(
            one if one.kind in {"mark", "fixed"} else Token(one.kind, "")
            for one in self.tokens
        )


def _of_names(
    varied: Mapping[str, Value], varies: Varies, *, is_pulled: bool
) -> _Alike:
    cut = {Varies.PATH: _cut_path, Varies.VALUE: _cut_value}.get(varies)
    alike = defaultdict[tuple[Token, ...], list[_Name]](list)
    for value, one in varied.items():
        tokens = tuple(cut(value) if cut else _cut_image(value, is_pulled=is_pulled))
        if 0 < len(tokens) <= _MOST_TOKENS:
            name = _Name(tokens, one, varies is Varies.IMAGE)
            alike[name.shape].append(name)
    for names in alike.values():
        for several in _together(names, 0):
            yield _written(several), [one.seen for one in several]


def _cut_path(value: str) -> Iterator[Token]:
    path, mark, mode = value.partition(":")
    *folders, last = path.split("/")
    fixed = 2 if folders[:1] == [""] else 1
    if len(folders) < fixed or folders[0] not in {BASE, TMP, ""}:
        return
    yield Token("fixed", "/".join(folders[:fixed]))
    yield from _cut_segments([*folders[fixed:], last])
    yield Token("fixed", f"{mark}{mode}")


def _cut_segments(segments: Iterable[str]) -> Iterator[Token]:
    for segment in segments:
        yield Token("fixed", "/")
        before, mark, after = segment.partition(PROJECT)
        yield from tokens_of(normal.unquote(before))
        if mark:
            yield Token("fixed", mark)
            yield from tokens_of(normal.unquote(after))


def _cut_image(value: str, *, is_pulled: bool) -> Iterator[Token]:
    """Whose it is stays, and of what is not pulled the registry."""
    repo, colon, tag = value.rpartition(":")
    if not colon or "@" in value or "/" in tag or value.startswith(("src:", "sha256:")):
        return
    *owners, name = repo.split("/")
    fixed = len(owners) if is_pulled else min(1, len(owners))
    yield Token("fixed", "/".join(owners[:fixed]))
    yield from list(_cut_segments([*owners[fixed:], name]))[not fixed :]
    yield Token("fixed", ":")
    yield from tokens_of(tag)


def _cut_value(value: str) -> Iterator[Token]:
    item, mark, text = value.partition("=")
    if mark and item != _SUBNET:
        yield Token("fixed", f"{item}=")
        yield from tokens_of(normal.unquote(text))


def _together(names: Sequence[_Name], at: int) -> Iterator[Sequence[_Name]]:
    """Split names into sets that have the same words, and elsewhere what one maker made."""
    while at < len(names[0].tokens) and not _differ(names, at):
        at += 1
    if at == len(names[0].tokens):
        yield names
        return
    sets = [one.pieces for one in _made_up(names, at)]
    words = _pieces(names, at).keys() - frozenset[str]().union(*sets)
    for one in (*sets, *(frozenset({word}) for word in sorted(words))):
        inside = [name for name in names if name.tokens[at].text in one]
        yield from _together(inside, at + 1)


def _written(names: Sequence[_Name]) -> str:
    """The item that fits them all; empty if what is left of them was not made up."""
    text = ""
    tokens = names[0].tokens
    varies = {at for at in range(len(tokens)) if len({one.tokens[at].text for one in names}) > 1}  # fmt: skip
    of_day = _of_the_day(tokens, varies)
    for at, token in enumerate(tokens):
        if at not in varies:
            text += of_day.get(at, token.written)
        elif token.kind in WHOLE:
            text += WHOLE[token.kind]
        else:
            made = next(_made_up(names, at), None)
            if made is None or made.pieces != _pieces(names, at).keys():
                return ""
            text += made.hole
    return text


def _of_the_day(tokens: Sequence[Token], varies: set[int]) -> dict[int, str]:
    """Of what was the same in all names that which is another tomorrow: the date in front of
    what varies, in one segment or a folder of its own; and an hour in front of what does."""
    found = dict[int, str]()
    fixed = [at for at, one in enumerate(tokens) if one.kind == "fixed"]
    for start, end in pairwise([*fixed, len(tokens)]):
        days = [at for at in range(start, end) if tokens[at].kind == "date"]
        if not days:
            continue
        day, last = days[0], max((at for at in varies if at < end), default=0)
        is_folder = end - start == 2 and max(varies, default=0) > day
        if last > day or is_folder:
            found[day] = "{date}"
        if last > day and _HOUR.fullmatch(tokens[last].text):
            hours = ((at, _HOUR.fullmatch(tokens[at].text)) for at in range(day, last))
            found |= {at: f"{one[1]}{{num}}" for at, one in hours if one}
    return found


def _differ(names: Sequence[_Name], at: int) -> bool:
    """Whether pieces differ in a place; what is whole is of one class there."""
    is_piece = names[0].tokens[at].kind == "piece"
    return is_piece and len({name.tokens[at].text for name in names}) > 1


def _pieces(names: Sequence[_Name], at: int) -> dict[str, frozenset[str]]:
    found = defaultdict[str, frozenset[str]](frozenset)
    for name in names:
        found[name.tokens[at].text] |= name.seen.runs
    return found


def _made_up(names: Sequence[_Name], at: int) -> Iterator[Made]:
    """What of a place was made up, by one maker each."""
    tokens = [name.tokens for name in names]
    place = slot_of(tokens, at, is_image=names[0].is_image)
    return made_up(_pieces(names, at), place)
