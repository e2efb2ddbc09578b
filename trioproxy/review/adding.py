"""What grants would open that a policy does not have: ways to root, asked one after another.

Two grants may give together what neither gives alone, so each is asked of the policy with
all that was added before. A policy has many items and is asked about many more, so what it
means is computed once. Of an item that is asked about only what is new is looked at: whether it
is a way itself, whether an operation becomes one because such an item is listed at all, and
whether it lies in another bind or holds one (`judge.meaning.ways_of` has these three). No
item takes a way away. An operation changes everything, and there are few of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain

from trioproxy.api.families import LIMITS, OPERATIONS_VARIABLE
from trioproxy.api.routes import OPERATIONS, Risk
from trioproxy.errors import ConfigError
from trioproxy.file.exact import exact_policy
from trioproxy.judge.meaning import (
    Planted,
    Way,
    ways_by_item,
    ways_by_link,
    ways_by_operation,
    ways_of,
)
from trioproxy.judge.power import Power, Powers
from trioproxy.judge.rules import Confines, Mode, Policy
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY, BINDS
from trioproxy.limits.patterns import Pattern

_Items = dict[str, tuple[Pattern, ...]]
"""The items of grants, by variable."""


class Adding:
    """A policy, asked what grants would open that it does not have.

    Lists of objects stay as they are: by which of them root is reached is told with each
    object. What no list can hold adds nothing.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._opened_rows = policy.opened

    @cached_property
    def _powers(self) -> Powers:
        return Powers(self._policy)

    @cached_property
    def _planted(self) -> Planted:
        return Planted(self._policy.limits.binds)

    def opens(self, *grants: Grant) -> str:
        """Say which way to root on the host they open; empty if none that is known."""
        return next(map(str, self._opened(grants)), "")

    def power(self, grant: Grant) -> Power:
        """Say what a grant would give."""
        if grant.is_operation:
            powers = Powers(self._changed([grant], {}))
            ways = self._powers.new_of(powers.ways)
        else:
            powers, ways = self._powers, self._opened([grant])
        way = next(ways, None)
        if way is None:
            return powers.of(grant)
        is_own = grant in {way.grant, Grant(OPERATIONS_VARIABLE, way.operation)}
        return Power(Risk.HOST_ROOT, way.why if is_own else str(way))

    def with_more(self, *grants: Grant) -> "Adding":
        """The policy with grants added, whatever they open."""
        return Adding(self._changed(grants, self._items(grants)))

    def _opened(self, grants: Sequence[Grant]) -> Iterator[Way]:
        items = self._items(grants)
        has_lists = all(map(self._policy.limits.limit_of, items))
        if has_lists and not _operations(grants):
            ways = self._opened_by_items(items)
        else:
            ways = iter(ways_of(self._changed(grants, items)))
        yield from self._powers.new_of(chain(self._by_any(grants), ways))

    def _by_any(self, grants: Iterable[Grant]) -> Iterator[Way]:
        """The ways that `*` is: no item of a list, but the list of all of them."""
        lists = [g for g in grants if g.item == ANY and self._takes(g.variable)]
        yield from ways_by_item(self._policy, self._opened_rows, lists)

    def _takes(self, variable: str) -> bool:
        """Whether a variable has a list that does not hold everything yet."""
        limit = self._policy.limits.by_variable.get(variable)
        return variable in LIMITS and not (limit and limit.is_any)

    def _opened_by_items(self, items: _Items) -> Iterator[Way]:
        policy, opened = self._policy, self._opened_rows
        alone = replace(policy, limits=policy.limits.with_lists(items))
        yield from ways_by_operation(alone, opened)
        grants = (Grant(name, one.text) for name in items for one in items[name])
        yield from ways_by_item(policy, opened, grants)
        if binds := items.get(BINDS):
            yield from ways_by_link(policy, opened, self._planted, binds)

    def _items(self, grants: Iterable[Grant]) -> _Items:
        limits, found = self._policy.limits, dict[str, tuple[Pattern, ...]]()
        for variable, item in grants:
            if self._takes(variable):
                try:
                    pattern = limits.item(variable, item)
                except ConfigError:
                    continue  # no line that could be written
                found[variable] = (*found.get(variable, ()), pattern)
        return found

    def _changed(self, grants: Iterable[Grant], items: _Items) -> Policy:
        policy = self._policy
        operations = policy.operations | _operations(grants)
        limits = policy.limits.with_more(items)
        if policy.mode is Mode.EXACT:
            confines = Confines(limits, policy.objects, policy.hides)
            return exact_policy(operations, policy.routes, confines)
        return replace(policy, limits=limits)


def _operations(grants: Iterable[Grant]) -> frozenset[str]:
    names = {one.item for one in grants if one.variable == OPERATIONS_VARIABLE}
    return frozenset(names & OPERATIONS.keys())
