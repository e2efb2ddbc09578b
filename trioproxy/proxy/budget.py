"""Bytes that clients make us hold, bounded for all of them together.

A bound for each connection is none for a flood of connections: 4,000 clients with a head
of 127 KB each, none of them finished, are half a gigabyte, and none has broken a rule. So
what may be held for unfinished business has one budget for all. Whoever has been holding
for the longest goes first when it is spent: an honest client is done in milliseconds, and
a flood only pushes itself out. What is whole, and waits for others, stays: then who comes
finds no room.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

Holder = TypeVar("Holder")


class Budget(Generic[Holder]):
    """Who holds how many bytes, the longest-holding first."""

    def __init__(self, limit: int, evict: Callable[[Holder], None]) -> None:
        """`evict` ends what a holder holds for; it must neither wait nor raise."""
        self.held = 0
        self._limit = limit
        self._evict = evict
        # A dict keeps the order in which its keys came; a new value leaves it as it is.
        self._holders: dict[Holder, int] = {}
        self._kept: dict[Holder, int] = {}
        """Those who do not have to go for others."""

    def keep(self, holder: Holder, count: int) -> None:
        """Say that a holder has `count` bytes now and goes for nobody any more.

        Where others that have to go make no room, it goes itself, once.
        """
        self.release(holder)
        self.hold(holder, count)
        if holder in self._holders:
            self._kept[holder] = self._holders.pop(holder)

    def hold(self, holder: Holder, count: int) -> None:
        """Say that a holder has `count` bytes now; beyond the limit others have to go,
        and the holder itself where all others stay."""
        self.held += count - self._holders.get(holder, 0)
        self._holders[holder] = count
        while self.held > self._limit:
            longest = next(iter(self._holders))
            self.release(longest)
            self._evict(longest)

    def release(self, holder: Holder) -> None:
        """Say that a holder has nothing any more; it need not have had anything."""
        self.held -= self._holders.pop(holder, 0) + self._kept.pop(holder, 0)
