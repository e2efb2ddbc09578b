"""What one policy grants more or less than another: as the two decide, not as they read.

Both are asked about a request for each route of the table, about every route that one of
them names itself, and about routes of newer engines, which open sections let through.
What requests may ask for is compared by proof (`arguments.inclusion`): more, unless the
old file is proven to allow it. Root on the host is told apart from both, for it may come
from two values of which neither is new.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from trioproxy.arguments import root
from trioproxy.arguments.families import (
    FAMILIES,
    LIMITED,
    OBJECTS,
    OWNER_VARIABLE,
    Family,
)
from trioproxy.arguments.inclusion import beyond
from trioproxy.arguments.limits import ANY, Limit, Limits
from trioproxy.arguments.objects import OWN, PRUNING
from trioproxy.arguments.references import KINDS
from trioproxy.arguments.table import OPERATIONS as ARGUED
from trioproxy.learning.wording import count
from trioproxy.policy import samples
from trioproxy.policy.endpoints import (
    LIBPOD_SECTIONS,
    MEANINGS,
    OPERATIONS,
    SECTIONS,
    Endpoint,
    Risk,
)
from trioproxy.policy.meaning import Way, limits_power_of, meaning_of
from trioproxy.policy.request import Request, Route
from trioproxy.policy.rules import DENIED_WORDS, Policy, Reason


@dataclass(frozen=True, slots=True)
class Grant:
    """Something that a policy lets pass."""

    name: str
    """An operation, a `METHOD:/path/{template}`, a `VARIABLE=item` of a limit, or in words
    what has none of these."""
    is_limited: bool = field(default=False, compare=False)
    """Whether variables limit what an operation may ask for."""
    root: str = field(default="", compare=False)
    """Why it gives root on the host by itself, where it is no operation; else empty."""

    @property
    def endpoint(self) -> Endpoint | None:
        """The row of the table, for an operation."""
        rows = OPERATIONS.get(self.name)
        return rows[0] if rows else None

    @property
    def marks(self) -> str:
        """How it is to be read, for people; empty where nothing is known of it."""
        if self.root:
            return Risk.HOST_ROOT.shown
        if self.is_limited:
            return "limited"
        return self.endpoint.marks if self.endpoint else ""

    @property
    def line(self) -> str:
        """What it does, or why it is root."""
        return self.endpoint.summary if self.endpoint else self.root

    @property
    def rank(self) -> tuple[int, str]:
        """Sorts the worst first; what nothing is known of stands behind what is root."""
        endpoint = self.endpoint
        if self.root:
            return 0, self.name
        if endpoint is not None and not self.is_limited:
            return _RANKS[endpoint.risk], self.name
        if self.name.startswith(_READS):
            return _RANKS[Risk.SECRET_LEAK], self.name
        return 1, self.name


_READS: Final = ("unknown reading", "GET:", "HEAD:")
"""How routes begin of which no more is known than that they are meant to read."""


_RANKS: Final[Mapping[Risk, int]] = MappingProxyType(
    {risk: 2 * place for place, risk in enumerate(MEANINGS)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The difference between two policies, each side with the worst first."""

    more: tuple[Grant, ...]
    less: tuple[Grant, ...]
    was_root: bool
    """Whether the old one gives root on the host in a known way."""
    is_root: bool
    """Whether the new one does."""
    ways: tuple[Way, ...]
    """The ways to root that the new one has and the old one has not."""

    @property
    def is_root_new(self) -> bool:
        """Whether root on the host is new."""
        return self.is_root and not self.was_root

    @property
    def root(self) -> str:
        """Say whether root on the host is new."""
        if not self.is_root:
            return "no known way any more" if self.was_root else "no known way"
        if not self.was_root:
            return "new"
        more = f", and in {count(len(self.ways), 'new way')}" if self.ways else ""
        return f"yes, as before{more}"

    @property
    def extent(self) -> str:
        """Say how much more and less it is; empty: neither."""
        sides = ((self.more, "more"), (self.less, "less"))
        return " and ".join(f"{len(side)} {word}" for side, word in sides if side)


def compare(old: Policy, new: Policy) -> Comparison:
    """Say what `new` grants more and less than `old`."""
    more, less = set[Grant](), set[Grant]()
    for name, request in _requests(old, new):
        before, after = _allows(old, name, request), _allows(new, name, request)
        if after and not before:
            more.add(Grant(name, is_limited=limits_power_of(new, name)))
        elif before and not after:
            less.add(Grant(name, is_limited=limits_power_of(old, name)))
    more |= {*_asked_beyond(old, new), *_named_beyond(old, new)}
    less |= {*_asked_beyond(new, old), *_named_beyond(new, old)}
    was, now = meaning_of(old), meaning_of(new)
    return Comparison(
        more=tuple(sorted(more, key=lambda one: one.rank)),
        less=tuple(sorted(less, key=lambda one: one.rank)),
        was_root=was.is_root,
        is_root=now.is_root,
        ways=tuple(way for way in now.ways if way not in was.ways),
    )


def _allows(policy: Policy, name: str, request: Request) -> bool:
    """Whether a policy grants this; of newer routes all, not one that it names itself."""
    decision = policy.decide(request)
    if name.startswith(_NEWER):
        return decision.allowed and decision.reason is Reason.UNKNOWN_ROUTE
    return decision.allowed


_NEWER = "unknown "


def _asked_beyond(narrow: Policy, wide: Policy) -> Iterator[Grant]:
    """What requests may ask for under one policy, and not under the other."""
    opened = wide.opened_operations & LIMITED.keys()
    for family in Family:
        if not any(family in LIMITED[name] for name in opened):
            continue
        if family in wide.limits.families:
            yield from _listed_beyond(family, narrow, wide)
        elif family in narrow.limits.families:
            own = [name for name in opened if LIMITED[name][0] is family]
            is_root = any(OPERATIONS[n][0].risk is Risk.HOST_ROOT for n in own)
            why = "nothing limits what is asked for" * is_root
            yield Grant(f"anything that {family}_* would limit", root=why)


def _listed_beyond(family: Family, narrow: Policy, wide: Policy) -> Iterator[Grant]:
    before = _variables(narrow)
    for name in sorted(_variables(wide) & set(FAMILIES[family])):
        known = narrow.limits
        if name not in before:  # no operation there can ask for it at all
            known = Limits(by_variable={name: Limit(variable=name)})
        for one in beyond(known, wide.limits, [name]):
            why = root.of_item(name, one.item)
            yield Grant(f"{name}={one.item}", root=why)


def _named_beyond(narrow: Policy, wide: Policy) -> Iterator[Grant]:
    """Which objects requests may name under one policy, and not under the other.

    More, unless it is proven to be none: by the same words, or by a name that fits. What
    is one owner's own is nothing of another's.
    """
    opened = wide.opened_operations
    named = {kind for op in opened for kind in KINDS.get(op, ())}
    named |= {PRUNING[op] for op in opened & PRUNING.keys()}
    for variable, kind in OBJECTS.items():
        if kind not in named or not narrow.objects.limits(kind):
            continue
        if not wide.objects.limits(kind):
            yield Grant(f"{variable}={ANY}" if wide.objects else f"any {kind}")
            continue
        before, after = narrow.objects.by_kind[kind], wide.objects.by_kind[kind]
        is_same_owner = narrow.objects.owner == wide.objects.owner
        for item in after.items:
            if item == OWN and OWN in before.items and not is_same_owner:
                yield Grant(
                    f"{variable}={OWN} by {OWNER_VARIABLE}={wide.objects.owner}"
                )
            elif not before.lists(item):
                yield Grant(f"{variable}={item}")


def _variables(policy: Policy) -> frozenset[str]:
    """The variables that limit what the operations can ask for that a policy opens."""
    opened = policy.opened_operations & ARGUED.keys()
    return frozenset[str]().union(*(ARGUED[name].variables for name in opened))


def _requests(*policies: Policy) -> Iterator[tuple[str, Request]]:
    """All that either of them can be asked: the table, newer routes, and those they name."""
    for request in samples.of_table():
        yield request.operation, request
    for section in (*SECTIONS, *LIBPOD_SECTIONS):
        for method, kind in (("GET", "reading"), ("POST", "writing")):
            unknown = samples.of_unknown(method, section)
            if unknown is not None:
                yield f"{_NEWER}{kind} routes in {section}", unknown
    routes = sorted({route for one in policies for route in one.routes}, key=str)
    for route in routes:
        for parameter in _parameters(routes):
            request = samples.of_route(route, parameter)
            if request.endpoint is None:
                yield str(route), request


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
