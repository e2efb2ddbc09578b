"""What the lists of objects of a file should hold: which objects its requests may name.

A client that named nothing but what it had made itself gets `@own`, which needs no list
of names and holds for objects that are yet to be made. Strangers that it names in every
run are listed by their names: `docker logs db`, a backup's volume. Where the names are
others from run to run, or it goes by ids that it found, or by whatever comes, the kind stays open beside the
others, as `*`: a list would refuse tomorrow's. Where all that was named is open, nothing
is limited.

What is proposed is a function of what was seen and of what the file says, never of the
order in which requests came: whatever is written meanwhile, the end of a run writes the
same. That needs to be told apart which lists a person took out of the file, and which
learning itself left out: the file says which, and `learnedfile.says_left_open` reads it.

As with the lists of arguments, a list that is in the file already is extended and never
cut, and what a person took out of it stays out.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from trioproxy.api.answers import ANSWERS
from trioproxy.api.families import OBJECTS, OWNER_VARIABLE, PROXY_VARIABLE, Kind
from trioproxy.api.routes import kinds_of
from trioproxy.evidence.sight import Sight
from trioproxy.learning.lists import with_room
from trioproxy.learning.wish import Basis, Strangers
from trioproxy.learning.wording import some
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY, parse_limits
from trioproxy.limits.objects import (
    NETWORKS_OF_ALL,
    OF_PROJECT,
    OWN,
    is_listed,
    item_of_project,
)
from trioproxy.limits.things import BUILT_IN
from trioproxy.values import value_class

NAMES_SHOWN: Final = 5
ITEMS_SHOWN: Final = 16

NONE_STAYS: Final = (
    "it names others' by names that do not stay, and makes none of its own"
)

_FOLLOWS: Final = "SystemEvents"
"""Who asks for it goes by whatever comes."""

ORDER: Final = (*OBJECTS, OWNER_VARIABLE)
"""In which order the lines are written."""

OBJECT_VARIABLES: Final = frozenset(ORDER)


_BY_LEARNING: Final = frozenset({OWN, ANY, *BUILT_IN})
"""Items that learning finds out anew each time; names stay, for it may have been told them."""


@value_class
class ObjectLists:
    """The lists of objects of a file, and why they are as they are."""

    values: Mapping[str, str] = field(default_factory=dict)
    """All lines, by variable, in the order in which they are written."""
    added: frozenset[Grant] = frozenset()
    """What the existing file does not list."""
    declined: frozenset[Grant] = frozenset()
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
    is_taken_out: bool = False
    """Whether there are none because a person took them out of the file."""
    marks: frozenset[Grant] = frozenset()
    """What to remember, once the file is written: what it lists, an owner that things are
    labelled with, and `*` of a kind that a person wants listed by names."""


NO_OBJECT_LISTS: Final = ObjectLists()


@dataclass(slots=True, kw_only=True)
class _Kind:
    """What is known of one kind of objects."""

    is_own: bool = False
    """Whether some of them were the client's own."""
    all_of: set[str] = field(default_factory=set)
    """Operations that named all of the kind, or what no list can hold."""
    names: dict[str, set[str]] = field(default_factory=dict)
    """Those of others by name, each with the projects that it was seen in."""
    named: set[str] = field(default_factory=set)
    """Those of them that were named by their names."""
    told: dict[str, set[str]] = field(default_factory=dict)
    """Those of others that answers told of, and that were only looked at, likewise."""
    why_any: str = ""
    """Why names would not hold those of others; empty: they would."""
    built_in: set[str] = field(default_factory=set)
    """Networks that each Engine has."""

    @property
    def is_touched(self) -> bool:
        """Whether any was named, or made, that not every Engine has."""
        return bool(self.is_own or self.names or self.all_of)


def propose_objects(known: Basis, lists: Mapping[str, str]) -> ObjectLists:
    """Say what the lists of objects should hold.

    `lists`: what the file will let requests ask for.
    """
    strangers = known.wish.objects if known.wish.arguments else None
    if strangers is None:
        return _kept(known)
    return _Proposing(known, lists, strangers).lists()


def _kept(known: Basis) -> ObjectLists:
    """The lists that the file has."""
    old = known.old(OBJECTS) or {}
    values = {name: old[name] for name in ORDER if name in old}
    return ObjectLists(values=values, is_taken_out=known.is_taken_out, is_kept=True)


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _some(names: Iterable[str]) -> str:
    return some(sorted(names), NAMES_SHOWN)


def _items_of_strangers(kind: _Kind, how: Strangers) -> list[str]:
    if how is not Strangers.PROJECTS:
        return sorted(kind.names)
    items = set[str]()
    for name, projects in kind.names.items():
        items |= {item_of_project(one) if one else name for one in projects}
    return sorted(items)


def _some_of(items: list[str]) -> str:
    """Write a list that is only proposed: nobody reads hundreds of names."""
    more = [f"...{len(items) - ITEMS_SHOWN}-more"] * (len(items) > ITEMS_SHOWN)
    return ",".join([*items[:ITEMS_SHOWN], *more])


class _Proposing:
    """One proposal while it is made: kind by kind."""

    def __init__(
        self, known: Basis, lists: Mapping[str, str], strangers: Strangers
    ) -> None:
        variables = known.variables
        self._known = known
        self._wish = known.wish
        self._evidence = known.evidence
        self._strangers = strangers
        self._limits = parse_limits(
            {**lists, PROXY_VARIABLE: variables.get(PROXY_VARIABLE, "")},
            source=known.wish.file,
        )
        self._owner = known.wish.owner_for(known.evidence, variables)
        self._old = known.old(OBJECTS)
        self._listed = known.listed(OBJECTS)
        self._before = {
            Grant(name, item)
            for name, items in self._listed.items()
            for item in items or [""]
        }
        # Of lists that learning left out itself nobody took anything.
        marks = known.evidence.listed if self._listed or known.is_taken_out else ()
        self._marks = {one for one in marks if one.variable in OBJECTS}
        used = known.evidence.used_objects(include_failed=known.wish.include_failed)
        self._used = {
            one: r for one, r in used.items() if one.operation in known.granted
        }
        self._kinds = {kind: self._know(kind) for kind in OBJECTS.values()}
        for kind, of_it in self._kinds.items():
            if not self._is_maker:  # then it is about others, and would see nothing
                of_it.names, of_it.told = {**of_it.told, **of_it.names}, {}
            of_it.why_any = self._why_any(kind, of_it) if of_it.names else ""
        self._declined = set[Grant]()

    def lists(self) -> ObjectLists:
        """Begin lists, or go on with those of the file."""
        is_by_hand = not self._before <= self._marks
        refused = self._reached_beyond()
        is_limited = any(map(self._wish.nameable.limits, Kind))
        ceilings = {name: self._within(name, [ANY]) for name in OBJECTS}
        if not is_by_hand:
            # A yes goes into lists that are there, though all that was seen was refused.
            restored = {one.variable for one in self._wish.restore}
            is_told = self._listed and OBJECTS.keys() & restored
            if not is_told and not any(one.is_touched for one in self._kinds.values()):
                granted = self._known.granted
                names_any = any(one in ANSWERS or kinds_of(one) for one in granted)
                if is_limited and names_any and not self._known.is_taken_out:
                    # The ceiling's: without any, answers would tell of more than it lists. Not
                    # after a mere ping, for what a list has stays, and it may name one of these.
                    return self._written(ceilings, refused)
                return _kept(self._known)
            is_out = self._known.is_taken_out and not self._wish.restore & self._marks
            if is_out:
                why = (
                    "the file has none of these lists; to learn them, add ONLY_CONTAINERS=@own"
                    f" and {OWNER_VARIABLE}={self._owner}"
                )
                return self._nothing(why, is_out=True)
            if why := refused or self._unread():
                # Without any it would go beyond its ceiling. Where that lists all containers,
                # what makes nodes is reached into.
                refused = "" if ceilings["ONLY_CONTAINERS"] == [ANY] else refused
                return (
                    self._written(ceilings, refused)
                    if is_limited
                    else self._nothing(why)
                )
        items = {name: self._items(name, is_by_hand=is_by_hand) for name in OBJECTS}
        if not is_by_hand and not is_limited and self._is_all_open(items):
            return self._nothing(NONE_STAYS)
        return self._written(items, refused)

    def _is_all_open(self, items: Mapping[str, list[str]]) -> bool:
        """Whether lists would hold nothing that could be named: what it never touched is
        within reach of its creations alone."""
        return all(
            items[variable] == [ANY]
            for variable, kind in OBJECTS.items()
            if self._is_maker or self._kinds[kind].is_touched
        )

    def _nothing(self, why: str, *, is_out: bool = False) -> ObjectLists:
        proposed = tuple(self._proposed()) if why == NONE_STAYS else ()
        return ObjectLists(
            open=why,
            proposed=proposed,
            counted=self._counted({}),
            is_taken_out=is_out,
            marks=self._owner_mark(),
        )

    def _owner_mark(self) -> frozenset[Grant]:
        owner = Grant(OWNER_VARIABLE, self._owner)
        return frozenset({owner} if self._is_maker else ())

    def _know(self, kind: Kind) -> _Kind:
        known = _Kind()
        for one in self._of(kind):
            if one.item == OWN:
                known.is_own = True
            elif one.item == ANY:
                known.all_of.add(one.operation)
            elif kind is Kind.NETWORK and one.item in BUILT_IN:
                known.built_in.add(one.item)
            elif one.is_told:
                known.told.setdefault(one.item, set()).add(one.project)
            else:
                known.names.setdefault(one.item, set()).add(one.project)
                known.named |= {one.item} if one.is_named else set()
        return known

    def _why_any(self, kind: Kind, known: _Kind) -> str:
        """Say why the strangers of a kind may be others tomorrow; empty: they stay."""
        if _FOLLOWS in self._evidence.used_operations():
            return "it follows events, and so others may come"
        if known.names.keys() - known.named:
            return "by their ids, which it found"
        # The runs that show what a client does without.
        runs_known = self._evidence.runs.items()
        over = {name for name, run in runs_known if run.is_proof}
        over -= {self._known.going_on}
        runs = dict.fromkeys(known.names, frozenset[str]())
        looked = dict.fromkeys(known.names, frozenset[str]())
        for one in self._of(kind):
            if one.item in runs and not one.is_told:
                runs[one.item] |= self._used[one]
                whole = Sight(one.variable, "", one.operation)
                looked[one.item] |= self._used.get(whole, frozenset()) & over
        has_varied = any(looked[name] - runs[name] for name in runs)
        return "others in other runs" if has_varied else ""

    def _of(self, kind: Kind) -> Iterator[Sight]:
        return (
            one for one in self._used if one.kind == kind and one.item and not one.has
        )

    # --- Whether there are lists ------------------------------------------------------

    def _unread(self) -> str:
        """Say which operations were used and of which objects were never looked at."""
        if self._listed:
            return ""
        include_failed = self._wish.include_failed
        used = self._evidence.used_operations(include_failed=include_failed)
        looked_at = {one.operation for one in self._evidence.objects}
        named = filter(kinds_of, used & self._known.granted)
        unread = sorted({*named} - looked_at)
        named_by = " and ".join(unread)
        return f"nothing is known of which objects {named_by} named" if unread else ""

    def _reached_beyond(self) -> str:
        """Say what was reached into and has more than the file lets be asked for.

        Beside lists of objects that is refused, whoever made it (`judge.naming`), and
        with a list that refuses what was used nobody is served.
        """
        limits = self._limits
        for one, has in self._known.had():
            variable, item = has
            is_open = limits.limit_of(variable) is None
            is_listed_had = item and limits.lists_had(variable, limits.meaning_of(item))
            if not is_open and not is_listed_had:
                what = f"a {one.kind} of its own" if one.item == OWN else one.item
                return f"{one.operation} reached into {what}, which has {has}, and {variable} does not list that"
        return ""

    # --- What is in them --------------------------------------------------------------

    def _items(self, variable: str, *, is_by_hand: bool) -> list[str]:
        """The items of a list; what a person wrote stays, and what he took out stays out."""
        of = OBJECTS[variable]
        listed = self._listed.get(variable)
        written = listed or []
        if listed is None and self._listed:  # beside others it means these
            written = [OWN, *(NETWORKS_OF_ALL if of is Kind.NETWORK else ())]
        kept = [*written] if is_by_hand else [one for one in listed or () if one != ANY]
        restored = sorted(self._wish.restore)
        kept += [item for name, item in restored if name == variable]
        items = list(dict.fromkeys(kept))
        for item in self._wanted(variable, items):
            mark = Grant(variable, item)
            if is_listed(items, of, item):
                continue
            if mark in self._marks and not is_listed(written, of, item):
                self._declined.add(mark)
            else:
                items.append(item)
        if not is_by_hand:
            is_out = listed is not None and not is_listed(listed, of, OWN)
            is_out &= Grant(variable, OWN) in self._marks - self._wish.restore
            if self._is_maker and not is_out and not is_listed(items, of, OWN):
                items.append(OWN)  # for what it is going to make of this kind as well
            items.sort(key=lambda one: (one != OWN, one not in BUILT_IN, one))
        return self._within(variable, [ANY] if ANY in items else items)

    def _wanted(self, variable: str, listed: Collection[str]) -> list[str]:
        """The items for all that was named of a kind."""
        kind = self._kinds[OBJECTS[variable]]
        how = self._strangers_of(variable, listed)
        is_any = how is Strangers.SAME and kind.why_any
        wanted = [*([OWN] if kind.is_own else []), *sorted(kind.built_in)]
        if kind.all_of or is_any:
            return [*wanted, ANY]
        return [*wanted, *_items_of_strangers(kind, how)]

    def _strangers_of(self, variable: str, listed: Collection[str]) -> Strangers:
        """How strangers of a kind are listed: as is wished, or else as the list has them.

        A `*` that is remembered and not listed was not wanted.
        """
        if self._strangers is not Strangers.SAME:
            return self._strangers
        all_items = {one for items in self._listed.values() for one in items}
        if any(one.startswith(OF_PROJECT) for one in all_items):
            return Strangers.PROJECTS
        names = {Grant(variable, one) for one in listed if one not in _BY_LEARNING}
        is_narrowed = variable in self._listed and (
            Grant(variable, ANY) in self._marks and ANY not in self._listed[variable]
        )
        return Strangers.NAMES if is_narrowed or names - self._marks else Strangers.SAME

    @property
    def _is_maker(self) -> bool:
        """Whether the client makes objects, of whatever kind: what it made is seen, or was by
        who wrote the file, be its evidence there or not."""
        is_said = any(OWN in items for items in self._listed.values())
        return is_said or any(one.is_own for one in self._kinds.values())

    def _within(self, variable: str, items: list[str]) -> list[str]:
        """Of what the ceiling does not list, what it does list takes the place."""
        ceiling, of = self._wish.nameable, OBJECTS[variable]
        if not ceiling.limits(of):
            return items
        allowed = ceiling.by_kind[of].items
        if all(is_listed(allowed, of, one) for one in items):
            return items
        return list(allowed)

    def _written(self, items: Mapping[str, list[str]], refused: str) -> ObjectLists:
        old = self._old or {}
        values = dict[str, str]()
        for name, listed in items.items():
            # What the file has stays, and is never made to be all that there are.
            there = self._listed.get(name, ())
            kept = with_room(name, sorted(listed, key=lambda one: one not in there))
            if len(kept) == len(listed):
                kept = listed
            elif name not in self._listed:
                kept = [ANY]
            else:
                refused = refused or f"what has no room in {name}"
            values[name] = ",".join(kept)
        is_own = any(OWN in one.split(",") for one in values.values())
        if is_own or OWNER_VARIABLE in old or self._wish.nameable.owner:
            values[OWNER_VARIABLE] = self._owner
        now = {Grant(name, one) for name in OBJECTS for one in values[name].split(",")}
        added = frozenset(now - self._before)
        return ObjectLists(
            values={name: values[name] for name in ORDER if name in values},
            added=added,
            marks=added | self._owner_mark() | {*self._not_wanted(values)},
            declined=frozenset(self._declined),
            counted=self._counted(values),
            refused=refused,
            proposed=tuple(self._proposed(values)),
        )

    def _not_wanted(self, values: Mapping[str, str]) -> Iterator[Grant]:
        """The `*` of each kind that is listed by names because somebody wished it."""
        if self._strangers is not Strangers.SAME:
            for variable, kind in OBJECTS.items():
                if self._kinds[kind].names and values[variable] != ANY:
                    yield Grant(variable, ANY)

    # --- In words ---------------------------------------------------------------------

    def _counted(self, values: Mapping[str, str]) -> dict[str, str]:
        said = {
            variable: self._count(kind, is_any=values.get(variable, ANY) == ANY)
            for variable, kind in OBJECTS.items()
        }
        return {variable: words for variable, words in said.items() if words}

    def _count(self, kind: Kind, *, is_any: bool) -> str:
        """Say whose the objects were, and why names would not do: `4 of 5 were its own; db was
        not; others in other runs`."""
        known = self._kinds[kind]
        runs = self._evidence.runs
        left = runs[max(runs)].left.get(kind, 0) if runs else 0
        said = [
            self._whose(kind, known),
            known.why_any,
            f"it looked at {_some(known.told)} because a list told of them, which will not"
            if known.told and not is_any
            else "",
            f"{left} {_were(left)} left by an earlier run" if left else "",
        ]
        return "; ".join(filter(None, said))

    def _whose(self, kind: Kind, known: _Kind) -> str:
        if known.all_of:
            who = " and ".join(sorted(known.all_of))
            return f"{who} names none of them, and may mean any"
        if not known.names:
            besides = _some(known.built_in)
            said = "all that were named were its own" if known.is_own else ""
            return f"{said}, but for {besides}" if said and besides else said
        found = [
            (run, one.item)
            for one in self._of(kind)
            if one.item in known.names and not one.is_told
            for run in self._used[one]
        ]
        newest = max((run for run, _ in found), default="")
        others = {item for run, item in found if run == newest}
        run = self._evidence.runs.get(newest)
        own = run.own.get(kind, 0) if run else 0
        were_not = f"{_some(others)} {_were(len(others))} not"
        if not own:
            return f"{were_not} its own"
        return f"{own} of {own + len(others)} {_were(own)} its own; {were_not}"

    def _proposed(
        self, values: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Strangers, str]]:
        """The lines that would list what stays open."""
        for variable, of in OBJECTS.items():
            kind = self._kinds[of]
            is_open = values is None or values.get(variable) == ANY
            if not is_open or not kind.names or kind.all_of:
                continue
            listed = [*([OWN] if kind.is_own else []), *sorted(kind.built_in)]
            hows = [Strangers.NAMES]
            if all("" not in projects for projects in kind.names.values()):
                hows.append(Strangers.PROJECTS)
            for how in hows:
                items = [*listed, *_items_of_strangers(kind, how)]
                yield how, f"{variable}={_some_of(items)}"
