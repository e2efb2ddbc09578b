"""What one policy grants more or less than another: as the two decide, not as they read.

Both are asked about a request for each route of the table, about every route that one of
them names itself, and about routes of newer engines, which open sections let through.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from trioproxy.arguments.families import FAMILIES, LIMITED
from trioproxy.arguments.limits import ANY, Limits
from trioproxy.arguments.table import OPERATIONS as ARGUED
from trioproxy.policy import samples
from trioproxy.policy.endpoints import (
    LIBPOD_SECTIONS,
    OPERATIONS,
    SECTIONS,
    Endpoint,
)
from trioproxy.policy.request import Request, Route
from trioproxy.policy.rules import DENIED_WORDS, Policy, Reason


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """Something that a policy lets pass."""

    name: str
    """An operation, a `METHOD:/path/{template}`, a `VARIABLE=item` of a limit, or in words
    what has none of these."""

    @property
    def endpoint(self) -> Endpoint | None:
        """The row of the table, for an operation."""
        rows = OPERATIONS.get(self.name)
        return rows[0] if rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The difference between two policies, each side sorted."""

    more: tuple[Grant, ...]
    less: tuple[Grant, ...]


def compare(old: Policy, new: Policy) -> Comparison:
    """Say what `new` grants more and less than `old`."""
    more, less = set[Grant](), set[Grant]()
    for grant, request in _requests(old, new):
        before, after = _allows(old, grant, request), _allows(new, grant, request)
        if after and not before:
            more.add(grant)
        elif before and not after:
            less.add(grant)
    more |= set(_listed_beyond(old, new))
    less |= set(_listed_beyond(new, old))
    return Comparison(more=tuple(sorted(more)), less=tuple(sorted(less)))


def _allows(policy: Policy, grant: Grant, request: Request) -> bool:
    """Whether a policy grants this; of newer routes all, not one that it names itself."""
    decision = policy.decide(request)
    if grant.name.startswith(_NEWER):
        return decision.allowed and decision.reason is Reason.UNKNOWN_ROUTE
    return decision.allowed


_NEWER = "unknown "


def _listed_beyond(narrow: Policy, wide: Policy) -> Iterator[Grant]:
    """What requests may ask for under one policy, and not under the other."""
    opened = wide.opened_operations & ARGUED.keys()
    for family, names in FAMILIES.items():
        if not any(family in LIMITED[name] for name in opened):
            continue
        if family not in wide.limits.families:
            if family in narrow.limits.families:
                yield Grant(f"anything that {family}_* would limit")
            continue
        if family in narrow.limits.families:
            for name in names:
                yield from _items_beyond(name, narrow.limits, wide.limits)


def _items_beyond(name: str, narrow: Limits, wide: Limits) -> Iterator[Grant]:
    before, after = narrow.limit_of(name), wide.limit_of(name)
    if before is None or before.is_any:
        return
    if after is None or after.is_any:
        yield Grant(f"{name}={ANY}")
        return
    known = {one.text.replace("{base}", narrow.base) for one in before.patterns}
    for one in after.patterns:
        item = one.text.replace("{base}", wide.base)
        if item not in known and not before.allows(item):
            yield Grant(f"{name}={item}")


def _requests(*policies: Policy) -> Iterator[tuple[Grant, Request]]:
    """All that either of them can be asked: the table, newer routes, and those they name."""
    for request in samples.of_table():
        yield Grant(request.operation), request
    for section in (*SECTIONS, *LIBPOD_SECTIONS):
        for method, kind in (("GET", "reading"), ("POST", "writing")):
            unknown = samples.of_unknown(method, section)
            if unknown is not None:
                yield Grant(f"{_NEWER}{kind} routes in {section}"), unknown
    routes = sorted({route for one in policies for route in one.routes}, key=str)
    for route in routes:
        for parameter in _parameters(routes):
            request = samples.of_route(route, parameter)
            if request.endpoint is None:
                yield Grant(str(route)), request


def _parameters(routes: Iterable[Route]) -> Iterator[str]:
    """Segments that stand for all that a parameter may be.

    One that no route has as it is written: another route allows it by a parameter in
    the same place only, and then allows them all. And one that begins like each word by
    which a verb at 0 refuses.
    """
    written = {segment for route in routes for segment in route.template.split("/")}
    other = "x"
    while any(segment.endswith(other) for segment in written):
        other += "x"
    yield other
    yield from (f"{word}-{other}" for word in DENIED_WORDS.values())
