"""Lookup: whether one of many items fits a value, without trying all of them.

A list may have thousands of items and a request ask for a thousand values, and judging
is done in one go: an item tried for each value would be work for millions, while nobody
else is served. So items are kept by what can be looked up. What an item fits word for
word is in one set. Of ports, those of one address and protocol are sorted: a range is within
one of them if of all that begin no later the one that ends last does not end before it. A word
with a star is kept by the texts in front of it and behind (`limits.ends`), and only items are
tried that begin as the value does.

Nothing is decided otherwise than by the items one by one, and a test holds the two to
each other.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from trioproxy.limits.ends import Ends
from trioproxy.limits.languages import Word, is_literal
from trioproxy.limits.patterns import Pattern, Ports, parse_ports

ALL_ADDRESSES: Final = ""
"""How a list says that the address of a port does not matter."""


class Lookup:
    """The items of a list, by what can be looked up."""

    __slots__ = ("_ports", "_starred", "_texts")

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        texts = defaultdict[str, tuple[Pattern, ...]](tuple)
        ports = defaultdict[tuple[str, str], list[tuple[Ports, Pattern]]](list)
        starred = list[tuple[Word, Pattern]]()
        for pattern in patterns:
            means = pattern.means
            if isinstance(means, Ports):
                ports[means.address, means.protocol].append((means, pattern))
                continue
            for word in means.language:
                if is_literal(word):
                    texts["".join(map(str, word))] += (pattern,)
                else:
                    starred.append((word, pattern))
        self._texts = dict(texts)
        self._ports = {key: _Ranges(listed) for key, listed in ports.items()}
        self._starred = Ends.of_words(starred)

    def fits(self, value: str) -> bool:
        """Whether one of the items fits a value in normal form."""
        if value in self._texts:
            return True
        if self._ports:
            return any(ranges.include(asked) for ranges, asked in self._asked(value))
        return any(pattern.fits(value) for pattern in self.candidates(value))

    def fitting(self, value: str) -> Iterator[Pattern]:
        """All the items that fit a value in normal form."""
        yield from self._texts.get(value, ())
        for ranges, asked in self._asked(value):
            yield from ranges.including(asked)
        yield from (one for one in {*self.candidates(value)} if one.fits(value))

    def candidates(self, value: str) -> list[Pattern]:
        """The items with a star that are tried for a value; one may be there twice."""
        return self._starred.near(value, value, is_whole=True)

    def _asked(self, value: str) -> "Iterator[tuple[_Ranges, Ports]]":
        """The ports that may be what a value asks for, and what that is."""
        asked = parse_ports(value) if self._ports else None
        if asked is not None:
            for address in {ALL_ADDRESSES, asked.address}:
                if ranges := self._ports.get((address, asked.protocol)):
                    yield ranges, asked


class _Ranges:
    """Ports of one address and protocol."""

    __slots__ = ("_firsts", "_lasts", "_listed")

    def __init__(self, listed: list[tuple[Ports, Pattern]]) -> None:
        self._listed = sorted(listed, key=lambda one: one[0].first)
        self._firsts = [ports.first for ports, _ in self._listed]
        # The latest end so far: whether one of all that begin no later ends late enough is one comparison.
        self._lasts = list(accumulate((ports.last for ports, _ in self._listed), max))

    def include(self, asked: Ports) -> bool:
        """Whether one of them includes others, without trying each."""
        at = bisect_right(self._firsts, asked.first)
        is_within = at > 0 and asked.first <= asked.last <= self._lasts[at - 1]
        return is_within or self._listed[0][0].includes(asked)

    def including(self, asked: Ports) -> Iterator[Pattern]:
        """All of them that include others."""
        at = bisect_right(self._firsts, asked.first)
        # Where none up to here ends so late, nothing further down does, but for what the Engine chooses: that is the
        # first, as it has no number.
        while at > 1 and self._lasts[at - 1] >= asked.last:
            at -= 1
            ports, pattern = self._listed[at]
            if ports.includes(asked):
                yield pattern
        ports, pattern = self._listed[0]
        if ports.includes(asked):
            yield pattern
