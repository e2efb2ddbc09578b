"""The power of a grant: what whoever has it can do at worst in a policy, and why.

Computed here for all who tell it: the file's comments, `explain`, the catalogue, a diff, the
page, the questions of `approve`. What a grant gives depends on the rest of the policy: an
operation that can be a way to root is none where lists hold it, and a value is one only where
an operation asks for it. So a grant is root where a known way (`judge.meaning`) goes by it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from trioproxy.api.families import OBJECTS, REDACT_VARIABLE, Family, Hides, Kind
from trioproxy.api.routes import LIMITED as LIMITED_BY
from trioproxy.api.routes import MEANINGS, OPERATIONS, Endpoint, Risk
from trioproxy.judge.meaning import (
    Way,
    gives_what_it_reaches,
    limits_power_of,
    ways_by_item,
    ways_of,
)
from trioproxy.judge.rules import Policy
from trioproxy.limits.grant import Grant
from trioproxy.values import ordered_class

LIMITED: Final = "limited"
"""The level of an operation whose power the lists of the file limit."""
WORDS: Final[Mapping[str, str]] = {
    Risk.HOST_ROOT: MEANINGS[Risk.HOST_ROOT],
    LIMITED: "to what is harmless or in the lists",
    **{risk: means for risk, means in MEANINGS.items() if risk is not Risk.HOST_ROOT},
}
"""What each level says, the worst first: in the file, in `explain`, and on the page."""
LEVELS: Final = (*WORDS, "")
"""All levels, the worst first; of what has the last one nothing bad is known."""


ROOT_WORD: Final = "root"
"""What a person types to allow what gives root on the host."""

_FAMILIES: Final = {f"{family}_*": family for family in Family}
"""How a family is called that nothing limits."""
_MILD: Final = frozenset({LIMITED, Risk.INFO_LEAK, Risk.LOW, ""})


@ordered_class
class Power:
    """What a grant gives."""

    level: str = ""
    """A `Risk`, or `LIMITED`; empty for a value that gives no root in a known way."""
    why: str = ""
    """Why it is root; of an operation that is not, what it does."""

    @property
    def is_root(self) -> bool:
        """Whether it gives root on the host in a known way."""
        return self.level == Risk.HOST_ROOT

    def needs_no_word(self, endpoint: Endpoint | None) -> bool:
        """Whether a reviewer need not read of it: of a route, where it connects nowhere either."""
        is_plain = self.level in {Risk.INFO_LEAK, Risk.LOW}
        return is_plain and not (endpoint and endpoint.connects)

    @property
    def shown(self) -> str:
        """The level for people: `HOST-ROOT`, `limited`, `secret-leak`; or empty."""
        return next((r.shown for r in Risk if r == self.level), self.level)

    @property
    def root_note(self) -> str:
        """Say loudly that it is root, and why; empty if it is not."""
        return f"{self.shown}: {self.why}" if self.is_root else ""

    @property
    def rank(self) -> int:
        """Sorts the worst first."""
        return LEVELS.index(self.level)


def _told(endpoint: Endpoint, policy: Policy, does: str) -> Power:
    """Say what an operation gives whose answer may not tell all of it."""
    hides, hiding = policy.hides or frozenset(), endpoint.hiding
    if endpoint.risk is not Risk.SECRET_LEAK or not hides & hiding:
        return Power(endpoint.risk, does)
    if hiding <= hides:
        return Power(Risk.INFO_LEAK, f"shows all but what {REDACT_VARIABLE} hides")
    told = " and ".join(one.shown for one in Hides if one in hiding - hides)
    hidden = " and ".join(one.shown for one in Hides if one in hides & hiding)
    why = f"shows {told}, where secrets may stand, too; {hidden} are redacted"
    return Power(Risk.SECRET_LEAK, why)


def weigh(
    old: Policy, new: Policy, grants: Iterable[Grant]
) -> tuple[tuple[Power, ...], str]:
    """Say what each of some grants gives that one policy has beside another; and why they
    are root together, or alone; empty if no way is known."""
    before, after = Powers(old), Powers(new)
    powers = tuple(map(after.of, grants))
    alone = (one.why for one in powers if one.is_root)
    return powers, next(alone, "") or next(map(str, before.new_of(after.ways)), "")


class Powers:
    """The powers of the grants of one policy."""

    def __init__(self, policy: Policy, ways: tuple[Way, ...] | None = None) -> None:
        """`ways`: those of the policy, where they are known already."""
        self.ways = ways_of(policy) if ways is None else ways
        """The known ways to root on the host that it opens."""
        self._known = frozenset(self.ways)
        self._policy = policy
        self._shows_listed = frozenset(policy.shows_listed)
        self._opened = policy.opened
        self._doors = {w.operation: w.why for w in self.ways if w.grant is None}
        # Backwards: of several ways by one item the first is told, as in the verdict.
        self._items = {w.grant: w.why for w in self.ways[::-1] if w.grant is not None}

    def new_of(self, ways: Iterable[Way]) -> Iterator[Way]:
        """Those of some ways to root that the policy does not open."""
        for way in ways:
            # An operation that is a way by itself is none more for another reason.
            if way not in self._known and (
                way.grant or way.operation not in self._doors
            ):
                yield way

    def of(self, grant: Grant) -> Power:
        """Say what a grant gives, be it in the policy or one of its lists' next items."""
        if grant.is_operation:
            return self._of_operation(grant.item)
        if grant.variable == REDACT_VARIABLE:
            return Power(Risk.SECRET_LEAK, MEANINGS[Risk.SECRET_LEAK])
        if why := self._items.get(grant) or self._alone(grant):
            return Power(Risk.HOST_ROOT, why)
        return Power()

    def worst(self, grants: Iterable[Grant]) -> Power:
        """The worst of some powers, in one word: lists do not limit what else is open."""
        found = [self.of(one) for one in grants]
        unlimited = [one for one in found if one.level not in _MILD]
        return min(unlimited or found, key=lambda one: one.rank, default=Power())

    def _of_operation(self, name: str) -> Power:
        if name not in OPERATIONS:  # a route that a person named
            return Power()
        endpoint = OPERATIONS[name][0]
        if why := self._doors.get(name):
            return Power(Risk.HOST_ROOT, why)
        if limits_power_of(self._policy, name):
            return Power(LIMITED, endpoint.held)
        is_held = name in self._shows_listed
        does = endpoint.held if is_held else endpoint.summary
        return _told(endpoint, self._policy, does)

    def _alone(self, grant: Grant) -> str:
        """Why an item is root whatever else is listed; empty if it is not."""
        if grant.variable in OBJECTS:
            is_container = OBJECTS[grant.variable] is Kind.CONTAINER
            is_bare = is_container and not self._policy.limits.limits_creation
            is_root = is_bare and any(map(gives_what_it_reaches, self._opened))
            return "is reached into, whatever it was given" if is_root else ""
        if grant.variable in _FAMILIES:
            family, doors = _FAMILIES[grant.variable], self._doors.items()
            own = (why for n, why in doors if family in LIMITED_BY.get(n, ())[:1])
            return next(own, "")
        ways = ways_by_item(self._policy, self._opened, [grant])
        return next((way.why for way in ways), "")
