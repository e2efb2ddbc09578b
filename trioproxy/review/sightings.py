"""What evidence knows of what a file grants: how often, in which runs, by which programs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from trioproxy.api.families import BASE, OBJECTS, PROXY, Kind
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.seen import NOBODY, Evidence, Facts
from trioproxy.evidence.sight import Sight
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
    found = list(_of_operation(evidence, operation))
    askers = NOBODY
    for _, facts in found:
        askers = askers.unite(facts.users)
    return _sighting(evidence, found, tuple(sorted(askers.agents)))


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
        self._values = defaultdict[tuple[str, str], dict[Sight, None]](dict)
        lookups = {n: Lookup(one.patterns) for n, one in limits.by_variable.items()}
        for one in filter(evidence.is_used, evidence.arguments):
            if one.item and one.variable in lookups:
                value = one.item.replace(BASE, limits.base or base)
                value = limits.proxy_socket or value if value == PROXY else value
                fitting = lookups[one.variable].fitting(value)
                for text in (one.item, *(pattern.text for pattern in fitting)):
                    self._values[one.variable, text][one] = None
        things = defaultdict[Kind, list[Sight]](list)
        for thing in filter(evidence.is_used, evidence.objects):
            if thing.item and not thing.has:
                things[OBJECTS[thing.variable]].append(thing)
        self._things = {
            kind: (several, Ends((one.item, one.item, one) for one in several))
            for kind, several in things.items()
        }

    def values(self, variable: str, item: Pattern) -> list[Sight]:
        """The values that an item fits, or that are written as it is."""
        return list(self._values.get((variable, item.text), ()))

    def things(self, kind: Kind, item: str) -> list[Sight]:
        """The objects that an item holds, as far as their names tell."""
        if kind not in self._things:
            return []
        tried, by_name = self._things[kind]
        if item != ANY and not item.startswith("@") and item not in NETWORKS_OF_ALL:
            begins, ends = item.partition(ANY)[0], item.rpartition(ANY)[2]
            tried = by_name.near(begins, ends, is_whole=ANY not in item)
        return [o for o in tried if is_listed([item], kind, o.item, o.project)]

    def sighting(self, found: Iterable[Sight]) -> Sighting | None:
        """Say how such were asked for or named; None: there are none."""
        return _sighting(self._evidence, self._facts(found))

    def runs(self, found: Iterable[Sight]) -> dict[str, int]:
        """Say how often in each run that is counted by itself."""
        return _by_run(self._facts(found))

    def last(self, found: Iterable[Sight]) -> int:
        """When one of them was used last, in seconds since the epoch; 0: there are none."""
        return max((facts.last for _, facts in self._facts(found)), default=0)

    def _facts(self, found: Iterable[Sight]) -> Iterator[tuple[Sight, Facts]]:
        return ((one, self._evidence.facts[one]) for one in found)


def _of_operation(evidence: Evidence, operation: str) -> Iterator[tuple[Sight, Facts]]:
    for sight, facts in evidence.routes.items():
        if sight.operation == operation and evidence.is_used(sight):
            yield sight, facts


def _by_run(found: Iterable[tuple[Sight, Facts]]) -> dict[str, int]:
    """Count the uses in each run; what only failed does not count."""
    counted = Counter[str]()
    for sight, facts in found:
        for run, counts in facts.runs.items():
            counted[run] += sum(n for end, n in counts.items() if is_need(sight, end))
    return {run: number for run, number in counted.items() if number}


def _sighting(
    evidence: Evidence,
    found: Iterable[tuple[Sight, Facts]],
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
