"""What evidence knows of what a file grants: how often, in which runs, by which programs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from trioproxy.arguments.families import BASE
from trioproxy.arguments.patterns import Pattern
from trioproxy.learning.evidence import Askers, Evidence, Facts
from trioproxy.learning.needs import is_need
from trioproxy.learning.shape import Shape, shape_of
from trioproxy.learning.strictjson import iso
from trioproxy.learning.wording import count

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
        first, last = iso(self.first)[:10], iso(self.last)[:10]
        since = first if first == last else f"{first} to {last}"
        more = len(self.programs) - PROGRAMS_SHOWN
        by = ", ".join(self.programs[:PROGRAMS_SHOWN])
        by += f" and {more} more" if more > 0 else ""
        runs = count(self.of_runs, "run")
        return f"seen {self.count}x in {self.runs} of {runs}, {since}{f', by {by}' if by else ''}"


def of_operation(evidence: Evidence, operation: str) -> Sighting | None:
    """Say how an operation was used; None: nobody ever did."""
    records = {
        shape: record
        for shape, record in evidence.records.items()
        if shape.operation == operation and evidence.is_used(shape)
    }
    askers = Askers()
    for record in records.values():
        askers.unite(record.users)
    return _sighting(evidence, records.items(), tuple(sorted(askers.agents)))


def of_item(
    evidence: Evidence, variable: str, item: Pattern, base: str = ""
) -> Sighting | None:
    """Say how the values that an item fits were asked for; `base`: what `{base}` is."""
    used = evidence.used_arguments()
    return _sighting(
        evidence,
        (
            (shape_of(one.operation), evidence.arguments[one])
            for one in used
            if one.variable == variable
            and one.value
            and item.fits(one.value.replace(BASE, base))
        ),
    )


def _sighting(
    evidence: Evidence,
    found: Iterable[tuple[Shape, Facts]],
    programs: tuple[str, ...] = (),
) -> Sighting | None:
    """Unite what is known; what only failed does not count."""
    parts = list(found)
    if not parts:
        return None
    number, runs = 0, set[str]()
    for shape, facts in parts:
        for run, counts in facts.runs.items():
            used = sum(n for result, n in counts.items() if is_need(shape, result))
            number += used
            if used:
                runs.add(run)
    return Sighting(
        count=number,
        runs=len(runs),
        of_runs=len(evidence.runs),
        first=min(facts.first for _, facts in parts),
        last=max(facts.last for _, facts in parts),
        programs=programs,
    )
