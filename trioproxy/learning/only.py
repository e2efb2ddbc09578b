"""What the lists of objects of a file should hold: which objects its requests may name.

A client that named nothing but what it had made itself gets `@own`, which needs no list
of names and holds for objects that are yet to be made. A kind of which that is not true
stays open beside the others, as `*`, for whoever names strangers by names that change
would be refused tomorrow; names or projects are written where a person wishes it. Where
it is true of no kind, nothing is limited: the kinds then have nothing that tells the
client's objects from others.

As with the lists of arguments, a list that is in the file already is extended and never
cut, and what a person took out of it stays out.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from trioproxy.api.families import OBJECTS, OWNER_VARIABLE, Kind
from trioproxy.api.routes import kinds_of
from trioproxy.evidence.seen import Evidence
from trioproxy.evidence.sight import Sight
from trioproxy.learning.lists import LONGEST_LINE
from trioproxy.learning.wording import some
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY, NO_LIMITS, Limits
from trioproxy.limits.objects import (
    NETWORKS_OF_ALL,
    NO_OBJECTS,
    OF_PROJECT,
    OWN,
    Objects,
    is_listed,
    item_of_project,
)
from trioproxy.limits.things import BUILT_IN
from trioproxy.values import value_class

NAMES_SHOWN: Final = 5
ITEMS_SHOWN: Final = 16

TAKEN_OUT: Final = (
    "the lists were taken out of the file; to learn them again, add ONLY_CONTAINERS=@own"
    " and ONLY_OWNER={owner}"
)
UNREAD: Final = "nothing is known of which objects {names} named"
REACHED: Final = "{operation} reached into {what}, which has {has}, and {variable} does not list that"
NOT_OWN: Final = "there is no kind of which all that were named are its own"

ORDER: Final = (*OBJECTS, OWNER_VARIABLE)
"""In which order the lines are written."""

OBJECT_VARIABLES: Final = frozenset(ORDER)


_BY_LEARNING: Final = frozenset({OWN, ANY, *BUILT_IN})
"""Items that learning finds out anew each time; names stay, for it may have been told them."""


class Strangers(StrEnum):
    """How objects are listed that are not the client's own."""

    ANY = "any"
    """By `*`: the kind stays open."""
    NAMES = "names"
    PROJECTS = "projects"
    """By their Compose projects; by their names where they have none."""


@value_class
class ObjectLists:
    """The lists of objects of a file, and why they are as they are."""

    values: Mapping[str, str] = field(default_factory=dict)
    """All lines, by variable, in the order in which they are written."""
    added: frozenset[str] = frozenset()
    """What the existing file does not list, as `ONLY_CONTAINERS=db`."""
    declined: frozenset[str] = frozenset()
    """What a person took out of the file, and was named again."""
    counted: Mapping[str, str] = field(default_factory=dict)
    """By variable: whose the objects were, with numbers of the last run in which others'
    were named."""
    open: str = ""
    """Why nothing is limited; empty: something is, or nothing was ever named."""
    proposed: tuple[tuple[Strangers, str], ...] = ()
    """Lines that a person may wish for in place of what stays open, and how to wish for each."""
    refused: str = ""
    """What was reached into and is refused by these lists all the same, in words."""
    is_kept: bool = False
    """Whether they are as a person left them, whatever was named."""

    def items(self) -> Iterator[tuple[str, str]]:
        """All items, each with its variable in front."""
        for variable in (name for name in self.values if name in OBJECTS):
            for item in filter(None, self.values[variable].split(",")):
                yield variable, item


NO_OBJECT_LISTS: Final = ObjectLists()


@value_class
class Named:
    """What lists of objects are made of."""

    evidence: Evidence
    old: Mapping[str, str] | None
    """The variables of the existing file; None if there is none, or it is begun anew."""
    granted: frozenset[str]
    """The operations that the file will grant."""
    limits: Limits = NO_LIMITS
    """What the file will let requests ask for."""
    ceiling: Objects = NO_OBJECTS
    owner: str
    """The owner where the file names none yet."""
    strangers: Strangers = Strangers.ANY
    include_failed: bool = False
    restore: frozenset[str] = frozenset()
    """Declined items to list again."""


@dataclass(slots=True, kw_only=True)
class _Kind:
    """What is known of one kind of objects."""

    is_own: bool = False
    """Whether some of them were the client's own."""
    all_of: set[str] = field(default_factory=set)
    """Operations that named all of the kind, or what no list can hold."""
    names: dict[str, set[str]] = field(default_factory=dict)
    """Those of others by name, each with the projects that it was seen in."""
    built_in: set[str] = field(default_factory=set)
    """Networks that each Engine has."""

    @property
    def is_touched(self) -> bool:
        """Whether any was named, or made, that not every Engine has."""
        return bool(self.is_own or self.names or self.all_of)

    @property
    def is_all_own(self) -> bool:
        """Whether no stranger was named."""
        return not self.names and not self.all_of


def propose_objects(named: Named) -> ObjectLists:
    """Say what the lists of objects should hold."""
    return _Proposing(named).lists()


def keep_objects(old: Mapping[str, str]) -> ObjectLists:
    """The lists that a file has, where objects are not learned."""
    values = {name: old[name] for name in ORDER if name in old}
    return ObjectLists(values=values, is_kept=True)


def owner_of(name: str) -> str:
    """The owner that a file of this name gets: letters, digits, dots, - and _."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:128] or "client"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _were_not(names: Collection[str]) -> str:
    return f"{some(sorted(names), NAMES_SHOWN)} {_were(len(names))} not"


def _some_of(items: list[str]) -> str:
    """Write a list that is only proposed: nobody reads hundreds of names."""
    more = [f"...{len(items) - ITEMS_SHOWN}-more"] * (len(items) > ITEMS_SHOWN)
    return ",".join([*items[:ITEMS_SHOWN], *more])


def _as_listed(lists: Iterable[Iterable[str]]) -> Strangers:
    """How the lists of a file hold strangers."""
    items = {item for one in lists for item in one}
    if any(one.startswith(OF_PROJECT) for one in items):
        return Strangers.PROJECTS
    return Strangers.NAMES if items - _BY_LEARNING else Strangers.ANY


class _Proposing:
    """One proposal while it is made: kind by kind."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._evidence = named.evidence
        old = named.old or {}
        self._listed = {
            name: [item for item in old[name].split(",") if item]
            for name in old.keys() & OBJECTS.keys()
        }
        marks = named.evidence.listed if named.old is not None else frozenset[str]()
        self._marks = {one for one in marks if Grant.parse(one).variable in OBJECTS}
        self._strangers = named.strangers
        if named.strangers is Strangers.ANY:
            self._strangers = _as_listed(self._listed.values())
        self._used = self._used_objects()
        self._kinds = {kind: self._know(kind) for kind in OBJECTS.values()}
        self._declined = set[str]()

    def lists(self) -> ObjectLists:
        """Begin lists, or go on with those of the file."""
        named = self._named
        is_by_hand = any(
            f"{name}={item}" not in self._marks
            for name, items in self._listed.items()
            for item in items or [""]
        )
        refused = self._reached_beyond()
        if not is_by_hand:
            if not any(one.is_touched for one in self._kinds.values()):
                return keep_objects(named.old or {})
            is_out = (
                not self._listed and self._marks and not named.restore & self._marks
            )
            why = (
                refused
                or self._why_open()
                or (TAKEN_OUT.format(owner=named.owner) if is_out else "")
            )
            if why:
                return self._nothing(why)
        items = {name: self._items(name, is_by_hand=is_by_hand) for name in OBJECTS}
        return self._written(items, refused)

    def _nothing(self, why: str) -> ObjectLists:
        proposed = tuple(self._proposed()) if why == NOT_OWN else ()
        return ObjectLists(
            open=why,
            proposed=proposed,
            counted=self._words(self._count),
        )

    def _used_objects(self) -> dict[Sight, frozenset[str]]:
        include_failed, granted = self._named.include_failed, self._named.granted
        used = self._evidence.used_objects(include_failed=include_failed)
        return {one: runs for one, runs in used.items() if one.operation in granted}

    def _know(self, kind: Kind) -> _Kind:
        known = _Kind()
        for one in self._of(kind):
            if one.item == OWN:
                known.is_own = True
            elif one.item == ANY:
                known.all_of.add(one.operation)
            elif kind is Kind.NETWORK and one.item in BUILT_IN:
                known.built_in.add(one.item)
            else:
                known.names.setdefault(one.item, set()).add(one.project)
        return known

    def _of(self, kind: Kind) -> Iterator[Sight]:
        return (
            one for one in self._used if one.kind == kind and one.item and not one.has
        )

    # --- Whether there are lists ------------------------------------------------------

    def _why_open(self) -> str:
        """Say why nothing should be limited; empty: something should."""
        if not self._listed and (unread := self._unread()):
            return UNREAD.format(names=" and ".join(unread))
        kinds = self._kinds.values()
        is_any_own = any(one.is_own and one.is_all_own for one in kinds)
        if self._strangers is Strangers.ANY and not is_any_own:
            return NOT_OWN
        return ""

    def _unread(self) -> list[str]:
        """Operations that were used and of which objects were never looked at."""
        include_failed = self._named.include_failed
        used = self._evidence.used_operations(include_failed=include_failed)
        looked_at = {one.operation for one in self._evidence.objects}
        named = filter(kinds_of, used & self._named.granted)
        return sorted({*named} - looked_at)

    def _reached_beyond(self) -> str:
        """Say what was reached into and has more than the file lets a creation ask for.

        Beside lists of objects that is refused, whoever made it (`judge.naming`), and
        with a list that refuses what was used nobody is served.
        """
        limits = self._named.limits
        reached = sorted(one for one in self._used if one.has)
        for one in reached if limits.limits_creation else ():
            variable, item = Grant.parse(one.has)
            if not item or not limits.lists(variable, limits.meaning_of(item)):
                what = f"a {one.kind} of its own" if one.item == OWN else one.item
                return REACHED.format(
                    operation=one.operation, what=what, has=one.has, variable=variable
                )
        return ""

    # --- What is in them --------------------------------------------------------------

    def _items(self, variable: str, *, is_by_hand: bool) -> list[str]:
        """The items of a list; what a person wrote stays, and what he took out stays out."""
        kind, of = self._kinds[OBJECTS[variable]], OBJECTS[variable]
        listed = self._listed.get(variable)
        written = listed or []
        if listed is None and is_by_hand:
            written = [OWN, *(NETWORKS_OF_ALL if of is Kind.NETWORK else ())]
        kept = [one for one in written if is_by_hand or one not in _BY_LEARNING]
        restored = map(Grant.parse, sorted(self._named.restore))
        kept += [item for name, item in restored if name == variable]
        items = list(dict.fromkeys(kept))
        for item in self._wanted(kind, items):
            mark = f"{variable}={item}"
            if is_listed(items, of, item):
                continue
            if mark in self._marks and not is_listed(written, of, item):
                self._declined.add(mark)
            else:
                items.append(item)
        if not is_by_hand:
            if self._is_maker and not is_listed(items, of, OWN):
                items.append(OWN)  # for what it is going to make of this kind as well
            items.sort(key=lambda one: (one != OWN, one not in BUILT_IN, one))
        return self._within(variable, [ANY] if ANY in items else items)

    def _wanted(self, kind: _Kind, listed: Iterable[str]) -> list[str]:
        """The items for all that was named of a kind."""
        by_name = self._strangers is not Strangers.ANY or any(
            one not in _BY_LEARNING for one in listed
        )
        own = [OWN] if kind.is_own else []
        if kind.all_of or (kind.names and not by_name):
            return [*own, *sorted(kind.built_in), ANY]
        strangers = self._items_of_strangers(kind) if kind.names else []
        return [*own, *sorted(kind.built_in), *strangers]

    @property
    def _is_maker(self) -> bool:
        """Whether the client makes objects, of whatever kind."""
        return any(one.is_own for one in self._kinds.values())

    def _items_of_strangers(self, kind: _Kind) -> list[str]:
        if self._strangers is not Strangers.PROJECTS:
            return sorted(kind.names)
        items = set[str]()
        for name, projects in kind.names.items():
            items |= {item_of_project(one) if one else name for one in projects}
        return sorted(items)

    def _within(self, variable: str, items: list[str]) -> list[str]:
        """Of what the ceiling does not list, what it does list takes the place."""
        ceiling, of = self._named.ceiling, OBJECTS[variable]
        if not ceiling.limits(of):
            return items
        allowed = ceiling.by_kind[of].items
        if all(is_listed(allowed, of, one) for one in items):
            return items
        return list(allowed)

    def _written(self, items: Mapping[str, list[str]], refused: str) -> ObjectLists:
        old = self._named.old or {}
        values = dict[str, str]()
        for name, listed in items.items():
            line = ",".join(listed)
            values[name] = line if len(name) + 1 + len(line) <= LONGEST_LINE else ANY
        owner = old.get(OWNER_VARIABLE) or self._named.ceiling.owner
        if owner or any(OWN in one.split(",") for one in values.values()):
            values[OWNER_VARIABLE] = owner or self._named.owner
        now = {f"{n}={item}" for n in OBJECTS for item in values[n].split(",")}
        before = {
            f"{name}={item}"
            for name, known in self._listed.items()
            for item in known or [""]
        }
        return ObjectLists(
            values={name: values[name] for name in ORDER if name in values},
            added=frozenset(now - before),
            declined=frozenset(self._declined),
            counted=self._words(self._count),
            refused=refused,
            proposed=tuple(self._proposed(values)),
        )

    # --- In words ---------------------------------------------------------------------

    def _words(self, say: Callable[[Kind], str]) -> dict[str, str]:
        said = {variable: say(kind) for variable, kind in OBJECTS.items()}
        return {variable: words for variable, words in said.items() if words}

    def _note(self, kind: Kind) -> str:
        """Say whose the objects were: `db was not its own`."""
        known = self._kinds[kind]
        if known.all_of:
            who = " and ".join(sorted(known.all_of))
            return f"{who} names none of them, and may mean any"
        if not known.names:
            return "all that were named were its own" if known.is_own else ""
        return f"{_were_not(known.names)} its own"

    def _count(self, kind: Kind) -> str:
        """Say it with numbers: `4 of 5 were its own; db was not`."""
        known = self._kinds[kind]
        if known.all_of or not known.names:
            return self._note(kind)
        newest = max(
            (
                run
                for one in self._of(kind)
                if one.item in known.names
                for run in self._used[one]
            ),
            default="",
        )
        run = self._named.evidence.runs.get(newest)
        own = run.own.get(kind, 0) if run else 0
        others = {
            one.item
            for one in self._of(kind)
            if one.item in known.names and newest in self._used[one]
        }
        if not own:
            return f"{_were_not(others)} its own"
        return f"{own} of {own + len(others)} {_were(own)} its own; {_were_not(others)}"

    def _proposed(
        self, values: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Strangers, str]]:
        """The lines that would list what stays open."""
        for variable, of in OBJECTS.items():
            kind = self._kinds[of]
            is_open = values is None or values.get(variable) == ANY
            if not is_open or not kind.names or kind.all_of:
                continue
            own = [OWN] if kind.is_own else []
            listed = [*own, *sorted(kind.built_in)]
            items = [*listed, *sorted(kind.names)]
            yield Strangers.NAMES, f"{variable}={_some_of(items)}"
            projects = frozenset[str]().union(*kind.names.values())
            if projects and "" not in projects:
                items = [*listed, *map(item_of_project, sorted(projects))]
                yield Strangers.PROJECTS, f"{variable}={_some_of(items)}"
