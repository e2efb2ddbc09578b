"""What the lists of a file should hold: the limits on what requests may ask for.

A family (`CREATE_*`, ...) that was used at all is closed: its lists hold what was asked
for, and where that was nothing beyond what is harmless, one of them stands there empty.
It is left open where nothing is known of what an operation asks for, because its
arguments were never read, and where a person took all of its lists out of the file.

A list that is in the file already is extended and never cut: what a person wrote into it
stays, and what a person took out of it stays out. Only what learning wrote is replaced,
by an item that fits it and more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Final

from trioproxy.api.families import FAMILIES, LIMITS, MOVING, VARIABLES, Family, Places
from trioproxy.api.fields import ARGUED
from trioproxy.api.routes import of_family
from trioproxy.errors import ConfigError
from trioproxy.evidence.sight import Sight, looked_at
from trioproxy.file.envfile import LONGEST_LINE
from trioproxy.judge.more import reached
from trioproxy.learning.holes import Item, Value, items_of
from trioproxy.learning.wish import Basis
from trioproxy.limits.grant import Grant, grants_in
from trioproxy.limits.inclusion import ListItems
from trioproxy.limits.inspected import STARTED
from trioproxy.limits.limit import ANY, Limit
from trioproxy.limits.lookup import Lookup
from trioproxy.limits.patterns import Pattern
from trioproxy.limits.sorts import parse_pattern
from trioproxy.limits.varying import HOLE
from trioproxy.values import value_class

_EMPTY: Final[Mapping[Family, str]] = {
    Family.CREATE: "CREATE_BINDS",
    Family.EXEC: "EXEC_PRIVILEGED",
    Family.PULL: "PULL_IMAGES",
    Family.BUILD: "BUILD_OPTIONS",
}
"""The list that stands there empty where nothing of a family was asked for."""


@value_class
class Lists:
    """The lists of a file, and why they are as they are."""

    values: Mapping[str, str] = field(default_factory=dict)
    """All lines, by variable, in the order in which they are written."""
    added: frozenset[Grant] = frozenset()
    """What the existing file does not list."""
    declined: frozenset[Grant] = frozenset()
    """What a person took out of the file."""
    capped: frozenset[Grant] = frozenset()
    """What the ceiling refuses now."""
    failed: frozenset[Grant] = frozenset()
    """What was asked for, and never worked."""
    refused: frozenset[Grant] = frozenset()
    """What was asked for, and never let pass."""
    by_hand: frozenset[Grant] = frozenset()
    """What a person wrote into the file, and no run asked for."""
    unlisted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Variables of which something was asked for that no list holds, and by whom."""
    open: Mapping[Family, str] = field(default_factory=dict)
    """Families that were used and are left open, and why."""
    holes: frozenset[Grant] = frozenset()
    """Items that fit more than what was seen."""
    marks: frozenset[Grant] = frozenset()
    """What to remember as listed, once the file is written."""

    @property
    def closed(self) -> frozenset[Family]:
        """The families that the file limits."""
        return frozenset(
            family for family in Family if self.values.keys() & set(FAMILIES[family])
        )

    def items(self) -> Iterator[Grant]:
        """All items, each with its variable in front."""
        return grants_in(self.values, LIMITS)


NO_LISTS: Final = Lists()


def propose_lists(known: Basis) -> Lists:
    """Say what the lists should hold; where arguments are not learned, what they hold."""
    if not known.wish.arguments:
        old = known.variables
        return Lists(values={name: old[name] for name in ORDER if name in old})
    return _Proposing(known).lists()


ORDER: Final = (
    *MOVING.values(),
    *(name for names in FAMILIES.values() for name in names),
)
"""In which order the lists of a file are written."""


class _Proposing:
    """One proposal while it is made: variable by variable, family by family."""

    def __init__(self, known: Basis) -> None:
        self._known = known
        evidence = known.evidence
        self._old = known.old(LIMITS)
        self._listed = known.listed(LIMITS)
        self._marks = evidence.listed
        self._restored = {one.variable for one in known.wish.restore}
        self._once_listed = {one.variable for one in self._marks}
        self._places = Places.of(self._old or {}, evidence.newest_places)
        failed = known.wish.include_failed
        self._operations = known.granted & evidence.used_operations(
            include_failed=failed
        )
        used = evidence.used_arguments(include_failed=failed)
        self._used = {
            one: r for one, r in used.items() if one.operation in known.granted
        }
        # Beside a ceiling's lists of objects the file has some, and by these what is reached
        # into is held to the lists of values, as if it were asked for.
        self._reached = reached(known.granted) if known.wish.nameable else frozenset()
        self._had = [has for _, has in known.had() if has.variable in self._reached]
        self._values = dict[str, str]()
        self._notes: dict[str, set[Grant]] = {
            name: set()
            for name in ("added", "declined", "capped", "by_hand", "holes", "marks")
        }
        self._unlisted = dict[str, frozenset[str]]()
        self._open = dict[Family, str]()

    def lists(self) -> Lists:
        """Go through the families."""
        for family in Family:
            self._propose_family(family)
        old = self._old or {}
        # A place is said for what a literal item fits, too.
        left = self._notes["declined"] | self._notes["capped"]
        used = [
            one.item
            for one in self._used
            if one.variable in self._values and one.grant not in left
        ]
        self._values |= self._places.used_in([*self._values.values(), *used])
        self._values |= {name: old[name] for name in MOVING.values() if name in old}
        evidence = self._known.evidence
        asked = self._grants(evidence.arguments) - self._grants(self._used)
        asked -= set(grants_in(self._values, LIMITS))
        if self._old is not None:  # also what nobody was ever let have
            taken = asked & self._marks - self._known.wish.restore
            self._notes["declined"] |= taken
            asked -= taken
        failed = asked & self._grants(evidence.used_arguments(include_failed=True))
        return Lists(
            values={name: self._values[name] for name in ORDER if name in self._values},
            **{name: frozenset(found) for name, found in self._notes.items()},
            failed=failed,
            refused=asked - failed,
            unlisted=self._unlisted,
            open=self._open,
        )

    def _grants(self, sights: Iterable[Sight]) -> frozenset[Grant]:
        """The values of operations that are granted."""
        granted = self._known.granted
        return frozenset(s.grant for s in sights if s.item and s.operation in granted)

    def _propose_family(self, family: Family) -> None:
        names = frozenset(FAMILIES[family])
        arguments = {one: r for one, r in self._used.items() if one.variable in names}
        used = frozenset(of_family(family, self._operations))
        if not self._listed.keys() & names:
            if why := self._why_open(family, used):
                self._open[family] = why
            is_held = family in self._known.wish.limits.families
            is_held &= not names.isdisjoint(self._reached)
            if why or not (used or arguments or self._restored & names or is_held):
                return
        for variable in FAMILIES[family]:
            of_it = {one: r for one, r in arguments.items() if one.variable == variable}
            self._propose_variable(variable, of_it)
        empty = _EMPTY[family]
        if not self._values.keys() & names:
            self._values[empty] = ""
        elif (
            self._values.get(empty) == ""
            and Grant(empty, "") in self._marks
            and self._values.keys() & names != {empty}
        ):
            # It closed the family before there was anything to list. Now others do.
            del self._values[empty]
        # An empty line that a person wrote is no mark of ours, or the next run would take it out.
        is_by_hand = (
            self._listed.get(empty) == [] and Grant(empty, "") not in self._marks
        )
        marked = family.options if is_by_hand else empty
        self._notes["marks"].add(Grant(marked, ""))

    def _why_open(self, family: Family, used: frozenset[str]) -> str:
        """Say why a family that the file does not limit stays open; empty: it does not."""
        if self._restored & set(FAMILIES[family]):
            return ""
        if self._old is not None and self._once_listed & set(FAMILIES[family]):
            is_granted = of_family(family, self._known.granted)
            line = f"{_EMPTY[family]}="
            told = f"the file has none of its lists; to close it, add {line}"
            return told if is_granted else ""
        read = {one.operation for one in self._used}
        # Who can ask for nothing but fields that none of us knows was read, whatever was looked at.
        unread = [
            name
            for name in sorted(used - read)
            if ARGUED[name].variables != {family.options}
        ]
        names = " and ".join(unread)
        return f"nothing is known of what {names} asked for" if unread else ""

    def _propose_variable(
        self, variable: str, arguments: Mapping[Sight, frozenset[str]]
    ) -> None:
        listed = self._listed.get(variable)
        if Grant(variable, "") in self._had:  # of which no more is known
            self._hold_to_ceiling(variable)
            return
        asking = frozenset(one.operation for one in arguments if not one.item)
        if asking:
            self._unlisted[variable] = asking
        if listed is None and VARIABLES[variable].only_when_set:
            # Any value is harmless: a list must not refuse what was used, and one that
            # a person took out is not begun anew.
            is_out = self._old is not None and variable in self._once_listed
            if variable not in self._restored and (asking or is_out or not arguments):
                # Which execs of others were started nobody noted before this version.
                if variable in STARTED & self._reached:
                    self._hold_to_ceiling(variable)
                return
        if listed == [ANY]:
            self._values[variable] = ANY
            return
        before = len(self._notes["capped"])
        items = self._joined(variable, listed or [], self._wanted(variable, arguments))
        is_capped = len(self._notes["capped"]) > before
        if items or listed is not None or is_capped:
            self._values[variable] = ",".join(items)

    def _hold_to_ceiling(self, variable: str) -> None:
        """List what the ceiling does, if that is limited at all."""
        limit = self._known.wish.limits.limit_of(variable)
        if limit is not None:
            self._values[variable] = limit.value

    def _wanted(
        self, variable: str, arguments: Mapping[Sight, frozenset[str]]
    ) -> list[Item]:
        """The items for what was asked for and neither declined nor beyond the ceiling."""
        seen, is_one_run = self._seen(arguments)
        declined = self._declined(variable)
        wanted = [
            one
            for name, item in self._known.wish.restore
            if name == variable and item
            for one in self._capped(variable, Item(item, frozenset({item})))
        ]
        items = items_of(variable, seen, places=self._places, is_one_run=is_one_run)
        had = (has.item for has in self._had if has.variable == variable)
        items += (Item(one, frozenset({one})) for one in had)
        for item in items:
            if refused := self._refused(declined, item):
                self._notes["declined"] |= {Grant(variable, one) for one in refused}
            elif self._is_within(variable, item):
                wanted.append(item)
                if item.is_hole:
                    self._notes["holes"].add(Grant(variable, item.text))
            else:
                wanted += self._capped(variable, item)
        return wanted

    def _seen(
        self, arguments: Mapping[Sight, frozenset[str]]
    ) -> tuple[list[Value], bool]:
        """The values, whichever operations asked for them, and whether in one run alone.

        There, what was not asked for each time is told apart by how often it was.
        """
        runs, read = (defaultdict[str, set[str]](set) for _ in range(2))
        for one, found in arguments.items():
            if one.item:
                runs[one.item] |= found
                read[one.item] |= self._used.get(looked_at(one.operation), frozenset())
        over = {self._known.going_on}
        is_one_run = len(set[str]().union(*read.values()) - over) == 1
        rare = {
            one.item
            for one, found in arguments.items()
            for run in found - over
            if self._count(one, run) < self._count(looked_at(one.operation), run)
        }
        seen = list[Value]()
        for value, of_it in runs.items():
            is_missed = bool(read[value] - of_it - over)
            is_rare = is_one_run and value in rare
            seen.append(Value(value, frozenset(of_it - over), is_missed or is_rare))
        return seen, is_one_run

    def _count(self, one: Sight, run: str) -> int:
        known = self._known.evidence.facts.get(one)
        return sum(known.runs.get(run, {}).values()) if known else 0

    def _capped(self, variable: str, item: Item) -> Iterator[Item]:
        """The values of an item that are not beyond the ceiling."""
        for value in item.values:
            one = Item(value, frozenset({value}))
            if self._is_within(variable, one):
                yield one
            else:
                self._notes["capped"].add(Grant(variable, value))

    def _is_within(self, variable: str, item: Item) -> bool:
        limit = self._known.wish.limits.limit_of(variable)
        if limit is None or limit.is_any:
            return True
        meant = self._places.meant(item.text)
        is_there = self._known.wish.limits.places.meant(item.text) == meant
        if is_there and any(one.text == item.text for one in limit.patterns):
            return True
        return not item.is_hole and limit.allows(meant)

    def _declined(self, variable: str) -> list[Pattern]:
        """The items that learning once wrote and that a person took out."""
        if self._old is None:
            return []
        listed = self._listed.get(variable, [])
        patterns = _listed(self._patterns(variable, listed))
        found = list[Pattern]()
        for name, item in self._marks - self._known.wish.restore:
            if name == variable and item and item not in listed:
                for pattern in self._patterns(variable, [item]):
                    if not patterns.fit_all_of(pattern):
                        found.append(pattern)
        return found

    def _refused(self, declined: list[Pattern], item: Item) -> set[str]:
        """The declined items that fit this one; of those that fit each other, the wider."""
        values = set(map(self._places.meant, item.values))
        return {
            one.text
            for one in declined
            if (one.text == item.text or any(map(one.fits, values)))
            and not any(
                other is not one and _listed([other]).fit_all_of(one)
                for other in declined
            )
        }

    def _patterns(self, variable: str, items: Iterable[str]) -> Iterator[Pattern]:
        for item in items:
            try:
                yield parse_pattern(variable, item, places=self._places)
            except ConfigError:  # the file's own reader names what is wrong with it
                continue

    def _joined(
        self, variable: str, listed: list[str], wanted: list[Item]
    ) -> list[str]:
        """Put together what the file lists and what is wanted, each once."""
        there = Lookup(self._patterns(variable, listed))
        by_learning = {one for one in listed if Grant(variable, one) in self._marks}
        items, seen, before = dict.fromkeys(listed), set[str](), frozenset(listed)
        for item in wanted:
            values = set(map(self._places.meant, item.values))
            seen |= item.values | {item.text}
            fitting = [{one.text for one in there.fitting(value)} for value in values]
            if of_all := set[str].intersection(*fitting):
                seen |= of_all
                continue
            if item.is_hole or HOLE.search(item.text):
                wide = _listed(self._patterns(variable, [item.text]))
                for one in self._patterns(variable, by_learning):
                    if wide.fit_all_of(one):
                        items.pop(one.text, None)
            items[item.text] = None
        self._notes["by_hand"] |= {
            Grant(variable, one) for one in items.keys() - by_learning - seen
        }
        # What the file has stays; what finds no room was never in it, and nobody took it out.
        kept = with_room(variable, sorted(items, key=lambda it: (it not in before, it)))
        if len(kept) < len(items):
            self._unlisted[variable] = frozenset({"too many to be listed"})
        added = {Grant(variable, one) for one in kept if one not in before}
        self._notes["added"] |= added
        self._notes["marks"] |= added
        return sorted(kept)


def with_room(variable: str, items: Iterable[str]) -> list[str]:
    """Of the items of a list those that a line has room for, the first of them."""
    room, kept = LONGEST_LINE - len(variable), list[str]()
    for item in items:
        room -= len(item) + 1  # with the = or the comma in front of it
        if room < 0:
            break
        kept.append(item)
    return kept


def _listed(patterns: Iterable[Pattern]) -> ListItems:
    """These items together."""
    return ListItems(Limit(variable="", patterns=tuple(patterns)))
