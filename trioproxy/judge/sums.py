"""Sums of what is on the Engine's disk, made anew of what is shown of that.

From 1.52 of the API on, `/system/df` has how many there are of each, how many are used, what
they take and what could be had back, beside the list that this is made of. All of it would
tell of strangers. Made as the Engine makes them (`daemon/disk_usage.go`), which leaves zeros out.
"""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from trioproxy.api.answers import Tells
from trioproxy.api.arguments import map_of
from trioproxy.api.decoding import Json

_ACTIVE: Final = frozenset({"paused", "restarting", "running"})


class _Part(NamedTuple):
    size: int
    """What it takes; 0 where the Engine does not know it."""
    is_free: bool
    """Whether that could be had back."""


def _container(one: Mapping[str, Json]) -> _Part:
    return _Part(size_of(one.get("SizeRw")), one.get("State") not in _ACTIVE)


def _volume(one: Mapping[str, Json]) -> _Part:
    usage = map_of(one.get("UsageData"))
    is_known = usage.get("Size", -1) != -1
    return _Part(size_of(usage.get("Size")), is_known and not usage.get("RefCount"))


def _image(one: Mapping[str, Json]) -> _Part:
    size, shared = one.get("Size"), one.get("SharedSize", -1)
    own = 0 if -1 in {size, shared} else size_of(size) - size_of(shared)
    return _Part(own, one.get("Containers") == 0)


def size_of(value: Json) -> int:
    """Bytes, as the Engine tells them; what it does not know is 0."""
    return max(value, 0) if isinstance(value, int) else 0


_PARTS: Final[Mapping[Tells, Callable[[Mapping[str, Json]], _Part]]] = {
    Tells.CONTAINER: _container,
    Tells.IMAGE: _image,
    Tells.VOLUME: _volume,
}


SUMMED: Final = _PARTS.keys()
"""What there are sums of that may tell of strangers."""


class Sum:
    """A sum of what is shown, as its elements come."""

    __slots__ = ("_told", "active", "count", "free", "size")

    def __init__(self, told: Tells) -> None:
        self._told = told
        self.count = self.active = self.size = self.free = 0

    def add(self, item: Json) -> None:
        """Count one more."""
        one = _PARTS[self._told](map_of(item))
        self.count += 1
        self.active += not one.is_free
        self.size += one.size
        self.free += one.size * one.is_free

    def told(self, layers: Json, **items: Json) -> dict[str, Json]:
        """Tell it. `layers`: what images take together, which is nobody's."""
        found: dict[str, Json] = {
            "ActiveCount": self.active,
            **items,
            "Reclaimable": self.free,
            "TotalCount": self.count,
            "TotalSize": layers if self._told is Tells.IMAGE else self.size,
        }
        return {name: value for name, value in found.items() if value}


def sum_of(told: Tells, items: list[Json], layers: Json) -> dict[str, Json]:
    """Sum up what is shown, with that. `layers`: as `Sum.told`."""
    found = Sum(told)
    for one in items:
        found.add(one)
    return found.told(layers, Items=items)
