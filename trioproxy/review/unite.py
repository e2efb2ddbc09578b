"""Lists of many files as the lists of one: nothing is lost, nothing widens in silence.

What a file lists, it lists for the operations that it grants itself. So of each variable
those files count that grant an operation which can ask for it, or which reaches into what
is judged as if it asked for that, and then:

- all of them list values: the union. What one of them took out stays out, whoever lists
  it, as with operations; only what the output lists itself stays.
- one of them limits nothing of the family: it was open there, so it is open in the union,
  and this is told. Where only the tags that a build writes are concerned, they are `*`.
- one of them does not set a variable that counts only when it is set: likewise.

A list of a file that grants nothing which could ask for it is left out, and told of.

Where `{base}` stands for another folder than in most files, it is written out; a path that
`{base}` says as well is listed once, with it. A list that is longer than a line may be holds
what there is room for, as where it is learned, and this is told.

Lists of objects are united in the same way: the union, where all files have some that
grant an operation which names objects. Of many owners one is left: what was made under
another one is nobody's own then, which is told. And what names no network joins the bridge
if it does in one of the files.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from trioproxy.api.answers import ANSWERS
from trioproxy.api.families import (
    FAMILIES,
    MOVING,
    NETWORK_VARIABLE,
    OBJECTS,
    OWNER_VARIABLE,
    PROXY_VARIABLE,
    REDACT_VARIABLE,
    Family,
    Hides,
    Kind,
    Places,
)
from trioproxy.api.fields import variables_of
from trioproxy.api.nodes import MAKE_IT_ANEW
from trioproxy.api.routes import kinds_of, of_family, packing
from trioproxy.file.envfile import LONGEST_LINE
from trioproxy.judge.more import reached
from trioproxy.judge.references import NAMES_BRIDGE
from trioproxy.learning.lists import with_room
from trioproxy.limits.grant import Grant, grants_in
from trioproxy.limits.inclusion import taken_out
from trioproxy.limits.limit import ANY, NO_LIMITS, NOTHING, Limits
from trioproxy.limits.objects import NO_OBJECTS, OWN, Objects
from trioproxy.values import value_class


@value_class
class Member:
    """A file that is united with others."""

    name: str
    operations: frozenset[str]
    """What it grants."""
    limits: Limits = NO_LIMITS
    objects: Objects = NO_OBJECTS
    proxy_socket: str = ""
    """As it is written there, whether or not `@proxy` is listed yet."""
    hides: frozenset[Hides] = frozenset()
    """What answers do not tell."""
    once_listed: frozenset[Grant] = frozenset()
    """What learning ever wrote into its lists."""
    unread: frozenset[Family] = frozenset()
    """Without an env file: families that were used, and nothing is known of what was
    asked for."""
    is_env: bool = True
    """Whether it is an env file; else evidence alone, which decides nothing."""
    is_output: bool = False
    is_left_open: bool = False
    """Whether it says that learning itself wrote no lists of objects into it."""

    def can_ask(self, variable: str) -> bool:
        """Whether an operation that it grants can ask for a variable."""
        return variable in variables_of(self.operations)

    def reaches(self, variable: str) -> bool:
        """Whether that decides which of the listed containers and volumes it reaches into."""
        return bool(self.objects) and variable in reached(self.operations)

    @property
    def is_on_bridge(self) -> bool:
        """Whether what it lets be made joins Docker's bridge, where no network is named."""
        if self.objects.network or self.operations.isdisjoint(NAMES_BRIDGE):
            return False
        return self.objects.by_kind[Kind.NETWORK].lists("bridge")

    def opens(self, family: Family) -> bool:
        """Whether it grants an operation of a family and limits nothing of it."""
        if not self.is_env:
            return family in self.unread
        is_limited = family in self.limits.families
        return not is_limited and bool(of_family(family, self.operations))

    @property
    def names_objects(self) -> bool:
        """Whether it grants an operation that names objects; evidence alone decides nothing."""
        return self.is_env and any(map(kinds_of, self.operations))

    @property
    def is_told_of(self) -> frozenset[Kind]:
        """The kinds of which answers tell that it may have; evidence alone decides nothing."""
        told = self.operations & ANSWERS.keys() if self.is_env else ()
        return frozenset[Kind]().union(*(ANSWERS[one].kinds for one in told))

    def declined(self) -> Iterator[Grant]:
        """What a person took out of its lists."""
        yield from taken_out(self.limits, self.once_listed)
        yield from self.objects.taken_out(self.once_listed)


@value_class
class United:
    """The lists of many files together."""

    values: Mapping[str, str]
    """The lists, by variable, with `CREATE_BASE` where they have `{base}`."""
    open: frozenset[str]
    """Families, and variables that count only when set, which must not be closed."""
    declined: frozenset[Grant]
    """What was taken out of one of them, and is listed by none that counts."""
    notes: tuple[str, ...]
    """What widens, and what is left out, in words."""


def unite(parts: Sequence[Member]) -> United:
    """Unite the lists of files; their order does not matter."""
    return _Uniting(sorted(parts, key=lambda one: one.name)).united()


class _Uniting:
    """One union while it is made."""

    def __init__(self, parts: Sequence[Member]) -> None:
        self._parts = parts
        # What `{base}` stands for in most of them, it does in the result.
        uses = {
            hole: Counter(part.limits.places[at] for part in parts if _has(part, hole))
            for at, hole in enumerate(MOVING)
        }
        counts = uses.values()
        most = (max(sorted(one), key=one.__getitem__, default="") for one in counts)
        self._places = Places(*most)
        self._differ = [hole for hole, one in uses.items() if len(one) > 1]
        self._output_first = sorted(parts, key=lambda one: not one.is_output)
        self._declined = {
            Grant(name, self._written(item, part.limits.places))
            for part in parts
            for name, item in part.declined()
        }
        self._values = dict[str, str]()
        self._open = set[str]()
        self._notes = list[str]()

    def united(self) -> United:
        """Go through the families."""
        for family in Family:
            self._unite_family(family)
        self._unite_objects()
        self._values |= self._places.used_in(self._values.values())
        self._unite_socket()
        self._unite_hides()
        for hole in self._differ:
            value = self._places.meant(hole)
            self._notes.append(
                f"{MOVING[hole]} is {value}: where it differs, what {hole} stood"
                " for is written out"
            )
        listed = grants_in(self._values, self._values)
        return United(
            values=self._values,
            open=frozenset(self._open),
            declined=frozenset(self._declined.difference(listed)),
            notes=tuple(self._notes),
        )

    def _unite_one(self, variable: str, values: Iterable[str]) -> str:
        """Of a value of which there can be one have the first; the others, which are told of."""
        found = list(filter(None, values))
        if found:
            self._values[variable] = found[0]
        if others := ", ".join(sorted({*found} - {*found[:1]})):
            self._notes.append(f"{variable} is {found[0]}, and in other files {others}")
        return others

    def _unite_socket(self) -> None:
        """Where some list `@proxy`, what it is for the others counts in the output alone."""
        listing = [part for part in self._output_first if part.limits.proxy_socket]
        counted = [p for p in self._output_first if p.is_output or p in listing]
        parts = counted if listing else self._output_first
        self._unite_one(PROXY_VARIABLE, [part.proxy_socket for part in parts])

    def _tell_of_lost(self, why: str, losing: Sequence[Member]) -> None:
        """Say what of the lists of some is not in the result, if they have any."""
        if losing:
            names = _names(losing)
            self._notes.append(f"{why}: what {names} lists is not in the result")

    def _unite_hides(self) -> None:
        """Hide what each of the files hides: what one of them shows is shown."""
        files = [part for part in self._parts if part.is_env]
        every = frozenset(Hides).intersection(*(one.hides for one in files))
        if files and every:
            words = ",".join(one for one in Hides if one in every)
            self._values[REDACT_VARIABLE] = words
        for word in Hides:
            hiding = [one for one in files if word in one.hides]
            if hiding and word not in every:
                self._notes.append(
                    f"{REDACT_VARIABLE}={word} is in {_names(hiding)} alone: the result shows"
                    " what the others do"
                )

    def _unite_family(self, family: Family) -> None:
        limiting = [p for p in self._parts if family in p.limits.families]
        opening = [p for p in self._parts if p.opens(family)]
        if opening:
            self._open.add(family)
            operations = frozenset[str]().union(*(one.operations for one in opening))
            granted = " and ".join(of_family(family, operations))
            why = f"{_names(opening)} grants {granted} and limits nothing of it"
            self._tell_of_lost(f"{family}_* is open, because {why}", limiting)
            return
        if not limiting:
            return
        for name in FAMILIES[family]:
            self._unite_variable(name, limiting)
        if family is Family.CREATE:
            self._tell_of_nodes(limiting)
        bound = [p for p in self._parts if p.reaches(family.options)]
        if free := [part for part in bound if part not in limiting]:
            self._notes.append(
                f"{family}_* now limits what {_names(free)} reaches into: give it a file"
                " of its own, or list what those containers have"
            )
        if self._values.keys().isdisjoint(FAMILIES[family]):
            self._values[family.options] = ""

    def _tell_of_nodes(self, limiting: Sequence[Member]) -> None:
        """Beside what packs files nothing is reached into that can make device nodes."""
        confined = [p for p in limiting if p.objects.limits(Kind.CONTAINER)]
        beside = [part for part in confined if packing(part.operations)]
        free = [
            part
            for part in confined
            if part not in beside
            and part.reaches(Family.CREATE.options)
            and not part.limits.lists_nodes
        ]
        if free and beside and len(confined) == len(self._parts):
            self._notes.append(
                f"what can make device nodes is refused where {_names(free)} reaches into it,"
                f" because {_names(beside)} packs files: {MAKE_IT_ANEW}"
            )

    def _unite_objects(self) -> None:
        """Unite which objects may be named; the items of a kind, or any."""
        limiting = [p for p in self._parts if p.objects]
        opening = [p for p in self._parts if p.names_objects and not p.objects]
        if opening:
            if limiting or not all(part.is_left_open for part in opening):
                # A person's choice, which the union keeps: learning begins no lists there.
                self._open |= OBJECTS.keys()
            why = f"{_names(opening)} does not say which objects may be named"
            self._tell_of_lost(f"ONLY_* is open, because {why}", limiting)
            return
        for variable, kind in OBJECTS.items() if limiting else ():
            if any(not part.objects.limits(kind) for part in limiting):
                self._values[variable] = ANY
            else:
                self._list(variable, self._objects_of(variable, kind, limiting))
        narrowed = {
            kind
            for variable, kind in OBJECTS.items()
            if self._values.get(variable, ANY) != ANY
        }
        told = [p for p in self._parts if not p.objects and narrowed & p.is_told_of]
        if told:
            self._notes.append(
                f"ONLY_* now narrows what answers tell {_names(told)}: give it a file of its"
                " own, or list what it looks for"
            )
        setting = [part for part in limiting if part.objects.network]
        if unset := [part for part in limiting if part.is_on_bridge]:
            self._tell_of_lost(_not_set(NETWORK_VARIABLE, unset), setting)
        else:
            networks = [part.objects.network for part in self._output_first]
            self._unite_one(NETWORK_VARIABLE, networks)
        owners = [part.objects.owner for part in self._output_first]
        if strange := self._unite_one(OWNER_VARIABLE, owners):
            note = f"what was made by {strange} is not its own in the result"
            self._notes.append(note)

    def _objects_of(
        self, variable: str, kind: Kind, parts: Sequence[Member]
    ) -> list[str]:
        kept = {
            item
            for part in parts
            for item in part.objects.by_kind[kind].items
            if part.is_output or Grant(variable, item) not in self._declined
        }
        return sorted(kept, key=lambda one: (one != OWN, one))

    def _unite_variable(self, name: str, limiting: Sequence[Member]) -> None:
        asking = [p for p in self._parts if p.is_env and p.can_ask(name)]
        counted = [p for p in limiting if p in asking or p.reaches(name)] or limiting
        self._tell_of_idle([p for p in limiting if p not in counted], name)
        limits = [(part, part.limits.limit_of(name)) for part in counted]
        unset = [part for part, limit in limits if limit is None]
        free = [part for part in asking if part not in limiting]
        if unset:
            self._open.add(name)
            setting = [part for part, limit in limits if limit is not None]
            self._tell_of_lost(_not_set(name, unset), setting)
            return
        if free or any(limit.is_any for _, limit in limits if limit):
            self._values[name] = ANY
            if free:
                self._notes.append(
                    f"{name} is {ANY}, because {_names(free)} limits nothing of it"
                )
        elif any(name in part.limits.by_variable for part in counted):
            self._list(name, self._items(name, counted))

    def _list(self, name: str, items: Sequence[str]) -> None:
        """Have a list of items, or of those that a line has room for."""
        kept = with_room(name, items)
        self._values[name] = ",".join(kept)
        if len(kept) < len(items):
            self._notes.append(
                f"{name} has room for {len(kept)} of {len(items)} items: a line may"
                f" have {LONGEST_LINE} characters; write a pattern for the others"
            )

    def _items(self, name: str, parts: Sequence[Member]) -> list[str]:
        kept = set[str]()
        for part in parts:
            for one in part.limits.patterns_of(name):
                item = self._written(one.text, part.limits.places)
                if part.is_output or Grant(name, item) not in self._declined:
                    kept.add(item)
        # What is written out says the same.
        meant = [(one, self._places.meant(one)) for one in kept]
        kept -= {whole for one, whole in meant if whole != one}
        return sorted(kept - {NOTHING} or kept)

    def _written(self, item: str, places: Places) -> str:
        """An item as the union has it: `{base}` only where it means the same in all."""
        both = zip(places, self._places, strict=True)
        others = Places(*(mine if mine != all_ else "" for mine, all_ in both))
        return others.meant(item)

    def _tell_of_idle(self, idle: Sequence[Member], name: str) -> None:
        for part in idle:
            limit = part.limits.limit_of(name)
            if limit is not None and limit.value not in {"", NOTHING}:
                self._notes.append(
                    f"{name}={limit.value} of {part.name} is left out: nothing that it"
                    " grants can ask for it"
                )


def _has(part: Member, hole: str) -> bool:
    return any(hole in one.value for one in part.limits.by_variable.values())


def _names(parts: Sequence[Member]) -> str:
    return " and ".join(part.name for part in parts)


def _not_set(name: str, unset: Sequence[Member]) -> str:
    return f"{name} is not set, because {_names(unset)} does not set it"
