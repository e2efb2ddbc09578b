"""The smallest set of variables that lets a list of operations pass in both incumbents.

Smallest means: fewest writes opened, then fewest reads, then fewest variables at 1, then
by name; and what is opened is what either of the two lets pass. A write needs `POST=1`,
because without it no verb does anything in tecnativa. A granted item is the name of an
operation or a `METHOD:/path/{template}`, as in `ALLOW_OPERATIONS`. Ids are taken to be of
one segment. `learning.learnedfile` writes the result down.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, combinations
from typing import NamedTuple

from trioproxy.policy import samples
from trioproxy.policy.endpoints import OPERATIONS, Effect
from trioproxy.policy.incumbents import INCUMBENTS, VARIABLES, Incumbent
from trioproxy.policy.variables import SWITCHES, speaks_of_podman

Names = tuple[str, ...]
BOTH: Names = tuple(one.name for one in INCUMBENTS)
"""The incumbents that are meant, by name, where nobody says otherwise."""


class Use(NamedTuple):
    """A request that must pass."""

    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What variables open, in the laxer of the incumbents."""

    operations: int
    writes: int
    """How many of these change something."""

    def __str__(self) -> str:
        noun = "operation" if self.operations == 1 else "operations"
        return f"{self.operations} {noun}, {self.writes} of them writes"


def smallest_sections(granted: Iterable[str], names: Names = BOTH) -> dict[str, str]:
    """Set each section variable and `POST` to 0 or 1, and the verbs that are needed to 1."""
    uses = [use for item in granted for use in uses_of(item) if is_openable(use, names)]
    needed = frozenset[str]().union(*(_needed(use, names) for use in uses))
    ones = min(_enough(uses, needed, names), key=partial(_cost, names=names))
    values = {name: "1" if name in ones else "0" for name in SWITCHES}
    return {**values, **dict.fromkeys(sorted(ones - values.keys()), "1")}


def unopenable(granted: Iterable[str], names: Names = BOTH) -> tuple[str, ...]:
    """The items that no variable of the incumbents opens, sorted."""
    return tuple(
        sorted(
            item
            for item in granted
            if not any(is_openable(use, names) for use in uses_of(item))
        )
    )


def price(variables: Mapping[str, str], names: Names = BOTH) -> Price:
    """Count the operations that the variables open in the incumbents."""
    opened = opened_operations(variables, names)
    writes = sum(OPERATIONS[name][0].effect is Effect.WRITE for name in opened)
    return Price(operations=len(opened), writes=writes)


def opened_operations(
    variables: Mapping[str, str], names: Names = BOTH
) -> frozenset[str]:
    """The operations of the table that one of the incumbents lets pass.

    Podman's own count where the variables speak of Podman: no other Engine has them.
    """
    return frozenset(
        request.operation
        for request in samples.of_table(podman=speaks_of_podman(variables))
        if any(
            one.allows(variables, request.method, request.target.path)
            for one in _called(names)
        )
    )


def uses_of(item: str) -> Iterator[Use]:
    """The requests that stand for a granted item; none for `OPTIONS`, of any path."""
    if item != "SystemOptions":
        for request in samples.of_item(item):
            yield Use(request.method, request.target.path)


def is_openable(use: Use, names: Names = BOTH) -> bool:
    """Whether some variables let it pass in each of the incumbents."""
    return _let_pass([use], frozenset(VARIABLES), names)


def _called(names: Names) -> list[Incumbent]:
    return [one for one in INCUMBENTS if one.name in names]


@lru_cache(maxsize=1024)  # the table's requests, asked for again with each new one
def _needed(use: Use, names: Names) -> frozenset[str]:
    """The variables without which one of them refuses it."""
    return frozenset[str]().union(*(one.needs(*use) for one in _called(names)))


def _let_pass(uses: Iterable[Use], ones: frozenset[str], names: Names) -> bool:
    values = {name: str(int(name in ones)) for name in VARIABLES}
    return all(one.allows(values, *use) for one in _called(names) for use in uses)


def _enough(
    uses: list[Use], needed: frozenset[str], names: Names
) -> Iterator[frozenset[str]]:
    """All sets that suffice and would not if one variable less were 1."""
    pending = [use for use in uses if not _let_pass([use], needed, names)]
    found = list[frozenset[str]]()
    for more in map(frozenset, _subsets(_helpful(pending, names) - needed)):
        if any(less <= more for less in found):
            continue
        if not _let_pass(pending, needed | more, names):
            continue
        found.append(more)
        yield needed | more


def _helpful(uses: list[Use], names: Names) -> frozenset[str]:
    """The variables with a rule about one of these requests."""
    return frozenset(
        rule.variable
        for incumbent in _called(names)
        for rule in incumbent.rules
        if any(rule.fits(*use) for use in uses)
    )


def _subsets(names: frozenset[str]) -> Iterator[tuple[str, ...]]:
    ordered = sorted(names)
    return chain.from_iterable(
        combinations(ordered, size) for size in range(len(ordered) + 1)
    )


def _cost(ones: frozenset[str], names: Names) -> tuple[int, int, int, list[str]]:
    values = {name: str(int(name in ones)) for name in VARIABLES}
    opened = price(values, names)
    return opened.writes, opened.operations - opened.writes, len(ones), sorted(ones)
