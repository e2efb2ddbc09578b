"""What evidence knows of what a file grants: how often, in which runs, by which programs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from trioproxy.api.families import BASE, Kind
from trioproxy.learning.evidence import (
    Argument,
    Askers,
    Evidence,
    Facts,
    Record,
    Thing,
)
from trioproxy.learning.needs import is_need
from trioproxy.learning.shape import Shape, shape_of
from trioproxy.learning.wording import count, days, some
from trioproxy.limits.objects import is_listed
from trioproxy.limits.patterns import Pattern

NEVER: Final = "NEVER SEEN: added by hand"
PROGRAMS_SHOWN: Final = 3

_Seen = TypeVar("_Seen", Argument, Thing)


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


def of_item(
    evidence: Evidence, variable: str, item: Pattern, base: str = ""
) -> Sighting | None:
    """Say how the values that an item fits were asked for; `base`: what `{base}` is."""
    found = _facts(evidence.arguments, values_of_item(evidence, variable, item, base))
    return _sighting(evidence, found)


def of_object(evidence: Evidence, kind: Kind, item: str) -> Sighting | None:
    """Say how the objects that an item holds were named."""
    found = _facts(evidence.things, things_of_item(evidence, kind, item))
    return _sighting(evidence, found)


def runs_of_object(evidence: Evidence, kind: Kind, item: str) -> dict[str, int]:
    """Say how often in each run that is counted by itself."""
    return _by_run(_facts(evidence.things, things_of_item(evidence, kind, item)))


def values_of_item(
    evidence: Evidence, variable: str, item: Pattern, base: str = ""
) -> Iterator[Argument]:
    """The values that were used and that an item fits; `base`: what `{base}` is."""
    for one in evidence.arguments:
        if (
            one.variable == variable
            and one.value
            and (one.value == item.text or item.fits(one.value.replace(BASE, base)))
            and evidence.was_used(one)
        ):
            yield one


def things_of_item(evidence: Evidence, kind: Kind, item: str) -> Iterator[Thing]:
    """The objects that were named to some effect and that an item holds."""
    for one in evidence.things:
        if is_of_item(kind, item, one) and evidence.was_used(one):
            yield one


def is_of_item(kind: Kind, item: str, thing: Thing) -> bool:
    """Whether an object of the evidence is what an item holds."""
    return (
        thing.kind == kind
        and bool(thing.name)
        and not thing.has
        and is_listed([item], kind, thing.name, thing.project)
    )


def runs_of_operation(evidence: Evidence, operation: str) -> dict[str, int]:
    """Say how often an operation was used in each run that is counted by itself."""
    return _by_run(_of_operation(evidence, operation))


def runs_of_item(
    evidence: Evidence, variable: str, item: Pattern, base: str = ""
) -> dict[str, int]:
    """Say the same of the values that an item fits."""
    found = values_of_item(evidence, variable, item, base)
    return _by_run(_facts(evidence.arguments, found))


def _of_operation(evidence: Evidence, operation: str) -> Iterator[tuple[Shape, Record]]:
    for shape, record in evidence.records.items():
        if shape.operation == operation and evidence.is_used(shape):
            yield shape, record


def _facts(
    known: Mapping[_Seen, Facts], found: Iterable[_Seen]
) -> Iterator[tuple[Shape, Facts]]:
    for one in found:
        yield shape_of(one.operation), known[one]


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
