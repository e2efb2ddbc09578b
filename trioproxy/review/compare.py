"""What one policy grants more or less than another (`judge.more`), and whether it is root.

Root on the host is told apart from both, for it may come from two values of which neither
is new.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from trioproxy.judge.meaning import Way, meaning_of
from trioproxy.judge.more import Grant as Grant
from trioproxy.judge.more import more
from trioproxy.judge.rules import Policy
from trioproxy.learning.wording import count


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
    was, now = meaning_of(old), meaning_of(new)
    known = frozenset(was.ways)
    return Comparison(
        more=_sorted(more(old, new)),
        less=_sorted(more(new, old)),
        was_root=was.is_root,
        is_root=now.is_root,
        ways=tuple(way for way in now.ways if way not in known),
    )


def _sorted(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    return tuple(sorted(set(grants), key=lambda one: one.rank))
