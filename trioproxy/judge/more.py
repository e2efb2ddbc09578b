"""What one policy grants beyond another: as the two decide, not as they read.

Both are asked about a request for each route of the table, about every route that one of
them names itself, and about routes of newer engines, which open sections let through.
What requests may ask for is compared by proof (`limits.inclusion`): more, unless the
old file is proven to allow it. `review.compare` shows it; a proxy that reads its file again
says it, and refuses what is opened without a word.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from trioproxy.api.families import (
    FAMILIES,
    OBJECTS,
    OWNER_VARIABLE,
    VARIABLES,
    Family,
    Kind,
)
from trioproxy.api.fields import OPERATIONS as ARGUED
from trioproxy.api.matched import Request, Route
from trioproxy.api.routes import (
    LIBPOD_SECTIONS,
    LIMITED,
    MEANINGS,
    OPERATIONS,
    SECTIONS,
    Endpoint,
    Risk,
    kinds_of,
)
from trioproxy.errors import ConfigError
from trioproxy.file import samples
from trioproxy.file.envfile import CUT
from trioproxy.judge import power
from trioproxy.judge.meaning import limits_power_of
from trioproxy.judge.rules import DENIED_WORDS, Policy, Reason
from trioproxy.limits.inclusion import beyond
from trioproxy.limits.limit import ANY, Limit, Limits
from trioproxy.limits.objects import OWN


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


def more(old: Policy, new: Policy) -> Iterator[Grant]:
    """Say what `new` grants and `old` does not, one after the other as it is found."""
    for name, request in _requests(old, new):
        if _allows(new, name, request) and not _allows(old, name, request):
            yield Grant(name, is_limited=limits_power_of(new, name))
    yield from _asked_beyond(old, new)
    yield from _named_beyond(old, new)


def refuse_opening(old: Policy, new: Policy, source: str) -> None:
    """Stop where `new` does not speak any more of something that `old` limits.

    Nobody takes a limit away by leaving its line out and means it: more likely the file
    was cut, or half of it is written. Who does mean it writes `=*`. What no granted
    operation can ask for is not opened. Raises `ConfigError`.
    """
    if opened := list(_opened(old, new)):
        names = " and ".join(name for name, _ in opened)
        written = " and ".join(f"{example}={ANY}" for _, example in opened)
        raise ConfigError(
            f"{names}: no line of {source} limits this any more",
            hint=f"{CUT}; if it is meant to be open, write {written}",
        )


def _opened(old: Policy, new: Policy) -> Iterator[tuple[str, str]]:
    """What is opened without a word, each with a variable that says so."""
    asked = _variables(new)
    for family, names in FAMILIES.items():
        if family in new.limits.families or family not in old.limits.families:
            continue
        if open_to := [name for name in names if name in asked]:
            was = [name for name in open_to if name in old.limits.by_variable]
            yield f"{family}_*", (was or open_to)[0]
    limited = {name for name, one in old.limits.by_variable.items() if not one.is_any}
    for name in sorted(asked & limited - new.limits.by_variable.keys()):
        row = VARIABLES[name]
        if row.only_when_set and row.family in new.limits.families:
            yield name, name
    names_some = bool(new.opened_operations & old.objects.operations)
    if names_some and not new.objects and any(map(old.objects.limits, Kind)):
        yield "ONLY_*", min(old.objects.set_variables)


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
            why = power.of_item(name, one.item)
            yield Grant(f"{name}={one.item}", root=why)


def _named_beyond(narrow: Policy, wide: Policy) -> Iterator[Grant]:
    """Which objects requests may name under one policy, and not under the other.

    More, unless it is proven to be none: by the same words, or by a name that fits. What
    is one owner's own is nothing of another's.
    """
    opened = wide.opened_operations
    named = {kind for operation in opened for kind in kinds_of(operation)}
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
