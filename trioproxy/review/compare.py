"""What one policy grants more or less than another (`judge.more`), and whether it is root.

Root on the host is told apart from both, for it may come from two values of which neither
is new.
"""

from collections.abc import Iterable, Iterator

from trioproxy.api.families import OPERATIONS_VARIABLE
from trioproxy.api.routes import packing
from trioproxy.judge.meaning import Way, listed, meaning_of
from trioproxy.judge.more import more, reached
from trioproxy.judge.power import Powers
from trioproxy.judge.rules import Policy
from trioproxy.learning.wording import count
from trioproxy.limits.grant import Grant
from trioproxy.review.sheet import Line, Standing
from trioproxy.values import value_class


@value_class
class Comparison:
    """The difference between two policies, each side with the worst first."""

    more: tuple[Line, ...]
    less: tuple[Line, ...]
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
    was, now = meaning_of(old), meaning_of(new)
    lost = [*more(new, old), *_nodes_lost(old, new)]
    known = frozenset(was.ways)
    return Comparison(
        more=_lines(Powers(new, now.ways), more(old, new)),
        less=_lines(Powers(old, was.ways), lost),
        was_root=was.is_root,
        is_root=now.is_root,
        ways=tuple(way for way in now.ways if way not in known),
    )


def _nodes_lost(old: Policy, new: Policy) -> Iterator[Grant]:
    """What `new` refuses, and takes from what it makes, beside operations that pack files. Where
    it is `new` that has none of these, it is no more that could do harm."""
    left_them = old.is_confined and not (old.limits.lists_nodes or old.drops_nodes)
    if left_them and new.drops_nodes and reached(old.opened_operations):
        beside = listed(packing(new.opened_operations))
        words = f"containers that can make device nodes, beside {beside}"
        yield Grant(OPERATIONS_VARIABLE, words)


def _lines(powers: Powers, grants: Iterable[Grant]) -> tuple[Line, ...]:
    """A line for each grant, with the power that it has where it is granted."""
    lines = (
        Line(grant=one, standing=Standing.GRANTED, power=powers.of(one))
        for one in set(grants)
    )
    return tuple(sorted(lines, key=_rank))


def _rank(line: Line) -> tuple[bool, bool, int, Grant]:
    """What is root first; then items, and routes of which nothing is known."""
    is_known = bool(line.grant.is_operation and line.power.level)
    return not line.power.is_root, is_known, line.power.rank, line.grant
