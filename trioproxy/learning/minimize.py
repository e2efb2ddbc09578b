"""The smallest set of variables that lets a list of operations pass in another proxy.

Smallest means: fewest writes opened, then fewest reads, then fewest variables at 1, then
by name. A granted item is the name of an operation or a `METHOD:/path/{template}`, as in
`ALLOW_OPERATIONS`. Ids are taken to be of one segment. `learning.learnedfile` says the
result in a comment, `review.translate` writes it for that proxy.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import combinations

from trioproxy.api.matched import with_segments
from trioproxy.api.routes import ENDPOINTS, OPERATIONS, OPTIONS, Effect
from trioproxy.file.incumbents import ALL_ONES, VARIABLES, Incumbent, examples_of
from trioproxy.file.variables import speaks_of_podman
from trioproxy.values import value_class

Needed = tuple[str, str]
"""A request that must pass: its method and path."""


@value_class
class Price:
    """What variables open, in the laxest of the incumbents that are meant."""

    operations: int
    writes: int
    """How many of these change something."""

    def __str__(self) -> str:
        noun = "operation" if self.operations == 1 else "operations"
        return f"{self.operations} {noun}, {self.writes} of them writes"


def smallest_sections(granted: Iterable[str], incumbent: Incumbent) -> dict[str, str]:
    """Set each variable that an incumbent reads to 0 or 1."""
    uses = [u for item in granted for u in uses_of(item) if incumbent.can_allow(*u)]
    needed = frozenset[str]().union(*(_needed(use, incumbent) for use in uses))
    cost = partial(_cost, incumbent=incumbent)
    ones = min(_enough(uses, needed, incumbent), key=cost)
    return {name: str(int(name in ones)) for name in incumbent.variables()}


def unopenable(granted: Iterable[str], incumbent: Incumbent) -> tuple[str, ...]:
    """The items that no variable of an incumbent opens, sorted."""
    closed = {
        item
        for item in granted
        if not any(incumbent.can_allow(*use) for use in uses_of(item))
    }
    return tuple(sorted(closed))


def price(variables: Mapping[str, str], incumbents: Sequence[Incumbent]) -> Price:
    """Count the operations that the variables open in the incumbents."""
    opened = opened_operations(variables, incumbents)
    writes = sum(OPERATIONS[name][0].effect is Effect.WRITE for name in opened)
    return Price(operations=len(opened), writes=writes)


def price_of(granted: Iterable[str], incumbent: Incumbent) -> Price:
    """Count the operations that are open in an incumbent where all of a list passes."""
    return price(smallest_sections(granted, incumbent), [incumbent])


def opened_operations(
    variables: Mapping[str, str], incumbents: Sequence[Incumbent]
) -> frozenset[str]:
    """The operations of the table that one of the incumbents lets pass.

    Podman's own count where the variables speak of Podman: no other Engine has them.
    """
    podman = speaks_of_podman(variables)
    return frozenset(
        endpoint.operation
        for endpoint in ENDPOINTS
        if podman or not endpoint.is_podmans
        for use in examples_of(endpoint)
        if any(one.allows(variables, *use) for one in incumbents)
    )


def uses_of(item: str) -> Iterator[Needed]:
    """The requests that stand for a granted item; none for `OPTIONS`, of any path."""
    method, mark, template = item.partition(":")
    if mark:
        yield method, with_segments(template, "x")
    elif item != OPTIONS.operation:
        for endpoint in OPERATIONS.get(item, ()):
            yield from examples_of(endpoint)


@lru_cache(maxsize=1024)  # the table's requests, asked for again with each new one
def _needed(use: Needed, incumbent: Incumbent) -> frozenset[str]:
    """The variables without which a request is refused that could pass."""
    return frozenset(
        name
        for name in VARIABLES
        if not incumbent.allows({**ALL_ONES, name: "0"}, *use)
    )


def _let_pass(
    uses: Iterable[Needed], ones: frozenset[str], incumbent: Incumbent
) -> bool:
    values = {name: str(int(name in ones)) for name in VARIABLES}
    return all(incumbent.allows(values, *use) for use in uses)


def _enough(
    uses: list[Needed], needed: frozenset[str], incumbent: Incumbent
) -> Iterator[frozenset[str]]:
    """All sets that suffice and would not if one variable less were 1."""
    pending = [use for use in uses if not _let_pass([use], needed, incumbent)]
    with_rules = {
        rule.variable
        for rule in incumbent.rules
        if any(rule.fits(*use) for use in pending)
    }
    helpful, found = with_rules - needed, list[frozenset[str]]()
    for size in range(len(helpful) + 1):
        for more in map(frozenset, combinations(helpful, size)):
            is_new = not any(less <= more for less in found)
            if is_new and _let_pass(pending, needed | more, incumbent):
                found.append(more)
                yield needed | more


def _cost(
    ones: frozenset[str], incumbent: Incumbent
) -> tuple[int, int, int, list[str]]:
    values = {name: str(int(name in ones)) for name in VARIABLES}
    opened = price(values, [incumbent])
    return opened.writes, opened.operations - opened.writes, len(ones), sorted(ones)
