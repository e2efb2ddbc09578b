"""Lookup: whether one of many items fits a value, without trying all of them.

A list may have thousands of items and a request ask for a thousand values, and judging
is done in one go: an item tried for each value would be work for millions, while nobody
else is served. So items are kept by what can be looked up. What an item fits word for
word is in one set. Of ports, those of one address and protocol are sorted: a range is
within one of them if of all that begin no later the one that ends last does not end
before it. What has a star is kept by the text in front of the star, which the value must
begin with; only items with that very beginning are tried.

Nothing is decided otherwise than by the items one by one, and a test holds the two to
each other.
"""

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from trioproxy.limits.languages import beginning
from trioproxy.limits.patterns import Pattern, Ports, Words, parse_ports

ALL_ADDRESSES: Final = ""
"""How a list says that the address of a port does not matter."""


class Lookup:
    """The items of a list, by what can be looked up."""

    __slots__ = ("_lengths", "_ports", "_starred", "_texts")

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        texts = set[str]()
        ports = defaultdict[tuple[str, str], list[Ports]](list)
        starred = defaultdict[str, list[Pattern]](list)
        for pattern in patterns:
            means = pattern.means
            if isinstance(means, Ports):
                ports[means.address, means.protocol].append(means)
            elif (fixed := _fixed(means)) is not None:
                texts.update(fixed)
            else:
                starred[_beginning(means)].append(pattern)
        self._texts = frozenset(texts)
        self._ports = {key: _Ranges(listed) for key, listed in ports.items()}
        self._starred = dict(starred)
        self._lengths = sorted({len(beginning) for beginning in starred})

    def fits(self, value: str) -> bool:
        """Whether one of the items fits a value in normal form."""
        if value in self._texts:
            return True
        if self._ports:
            return self._has_ports(value)
        return any(pattern.fits(value) for pattern in self.candidates(value))

    def candidates(self, value: str) -> Iterator[Pattern]:
        """The items with a star that are tried for a value."""
        for length in self._lengths:
            yield from self._starred.get(value[:length], ())

    def _has_ports(self, value: str) -> bool:
        asked = parse_ports(value)
        if asked is None:
            return False
        found = (
            self._ports.get((address, asked.protocol))
            for address in {ALL_ADDRESSES, asked.address}
        )
        return any(listed is not None and listed.include(asked) for listed in found)


class _Ranges:
    """Ports of one address and protocol."""

    __slots__ = ("_firsts", "_lasts", "_random")

    def __init__(self, listed: list[Ports]) -> None:
        listed.sort(key=lambda one: one.first)
        self._firsts = [one.first for one in listed]
        self._lasts = list(accumulate((one.last for one in listed), max))
        self._random = next((one for one in listed if not one.first), None)

    def include(self, asked: Ports) -> bool:
        if self._random is not None and self._random.includes(asked):
            return True
        count = bisect_right(self._firsts, asked.first)
        return (
            count > 0
            and asked.first <= asked.last
            and asked.last <= self._lasts[count - 1]
        )


def _fixed(means: Words) -> list[str] | None:
    """All that an item fits, if that can be said word for word."""
    texts = [
        "".join(part for part in word if isinstance(part, str))
        for word in means.language
        if all(isinstance(part, str) for part in word)
    ]
    return texts if len(texts) == len(means.language) else None


def _beginning(means: Words) -> str:
    """What everything that an item fits begins with."""
    texts = list(map(beginning, means.language))
    return os.path.commonprefix(texts)  # noqa: RUF071  by characters is what is meant
