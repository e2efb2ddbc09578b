"""What evidence knows of what a file grants: how often, in which runs, by which programs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from trioproxy.api.families import BASE, PROXY, Kind
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.seen import (
    Argument,
    Askers,
    Evidence,
    Facts,
    Record,
    Thing,
)
from trioproxy.evidence.shape import Shape, shape_of
from trioproxy.learning.wording import count, days, some
from trioproxy.limits.ends import Ends
from trioproxy.limits.limit import ANY, Limits
from trioproxy.limits.lookup import Lookup
from trioproxy.limits.objects import NETWORKS_OF_ALL, is_listed
from trioproxy.limits.patterns import Pattern

NEVER: Final = "NEVER SEEN: added by hand"
PROGRAMS_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """That something was used, and by whom."""

    count: int
    """Over the runs that are still counted one by one."""
    runs: int
    """In how many of these."""
    of_runs: int
    first: int
    last: int
    """Seconds since the epoch, as `first`."""
    programs: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say it in one line."""
        since = days(self.first, self.last)
        runs = count(self.of_runs, "run")
        by = f", by {some(self.programs, PROGRAMS_SHOWN)}" if self.programs else ""
        return f"seen {self.count}x in {self.runs} of {runs}, {since}{by}"


def of_operation(evidence: Evidence, operation: str) -> Sighting | None:
    """Say how an operation was used; None: nobody ever did."""
    records = list(_of_operation(evidence, operation))
    askers = Askers()
    for _, record in records:
        askers.unite(record.users)
    return _sighting(evidence, records, tuple(sorted(askers.agents)))


def runs_of_operation(evidence: Evidence, operation: str) -> dict[str, int]:
    """Say how often an operation was used in each run that is counted by itself."""
    return _by_run(_of_operation(evidence, operation))


class Uses:
    """The values and objects that were used, by the items of the lists of a file.

    There may be thousands of items, and as many values: which items fit a value is looked
    up, and no item is tried for each value.
    """

    def __init__(self, evidence: Evidence, limits: Limits, base: str = "") -> None:
        """`base`: what `{base}` is in values, where the file does not say it."""
        self._evidence = evidence
        self._values = defaultdict[tuple[str, str], dict[Argument, None]](dict)
        lookups = {n: Lookup(one.patterns) for n, one in limits.by_variable.items()}
        for one in filter(evidence.was_used, evidence.arguments):
            if one.value and one.variable in lookups:
                value = one.value.replace(BASE, limits.base or base)
                value = limits.proxy_socket or value if value == PROXY else value
                fitting = lookups[one.variable].fitting(value)
                for text in (one.value, *(pattern.text for pattern in fitting)):
                    self._values[one.variable, text][one] = None
        things = defaultdict[str, list[Thing]](list)
        for thing in filter(evidence.was_used, evidence.things):
            if thing.name and not thing.has:
                things[thing.kind].append(thing)
        self._things = {
            kind: (several, Ends((one.name, one.name, one) for one in several))
            for kind, several in things.items()
        }

    def values(self, variable: str, item: Pattern) -> list[Argument]:
        """The values that an item fits, or that are written as it is."""
        return list(self._values.get((variable, item.text), ()))

    def things(self, kind: Kind, item: str) -> list[Thing]:
        """The objects that an item holds, as far as their names tell."""
        if kind not in self._things:
            return []
        tried, by_name = self._things[kind]
        if item != ANY and not item.startswith("@") and item not in NETWORKS_OF_ALL:
            begins, ends = item.partition(ANY)[0], item.rpartition(ANY)[2]
            tried = by_name.near(begins, ends, is_whole=ANY not in item)
        return [o for o in tried if is_listed([item], kind, o.name, o.project)]

    def sighting(self, found: Iterable[Argument | Thing]) -> Sighting | None:
        """Say how such were asked for or named; None: there are none."""
        return _sighting(self._evidence, self._facts(found))

    def runs(self, found: Iterable[Argument | Thing]) -> dict[str, int]:
        """Say how often in each run that is counted by itself."""
        return _by_run(self._facts(found))

    def last(self, found: Iterable[Argument | Thing]) -> int:
        """When one of them was used last, in seconds since the epoch; 0: there are none."""
        return max((facts.last for _, facts in self._facts(found)), default=0)

    def _facts(
        self, found: Iterable[Argument | Thing]
    ) -> Iterator[tuple[Shape, Facts]]:
        for one in found:
            known = (
                self._evidence.arguments[one]
                if isinstance(one, Argument)
                else self._evidence.things[one]
            )
            yield shape_of(one.operation), known


def _of_operation(evidence: Evidence, operation: str) -> Iterator[tuple[Shape, Record]]:
    for shape, record in evidence.records.items():
        if shape.operation == operation and evidence.is_used(shape):
            yield shape, record


def _by_run(found: Iterable[tuple[Shape, Facts]]) -> dict[str, int]:
    """Count the uses in each run; what only failed does not count."""
    counted = Counter[str]()
    for shape, facts in found:
        for run, counts in facts.runs.items():
            counted[run] += sum(n for end, n in counts.items() if is_need(shape, end))
    return {run: number for run, number in counted.items() if number}


def _sighting(
    evidence: Evidence,
    found: Iterable[tuple[Shape, Facts]],
    programs: tuple[str, ...] = (),
) -> Sighting | None:
    """Unite what is known; what only failed does not count."""
    parts = list(found)
    if not parts:
        return None
    runs = _by_run(parts)
    return Sighting(
        count=sum(runs.values()),
        runs=len(runs),
        of_runs=len(evidence.runs),
        first=min(facts.first for _, facts in parts),
        last=max(facts.last for _, facts in parts),
        programs=programs,
    )
