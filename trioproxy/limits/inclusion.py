"""Inclusion: does one file let requests ask for anything that another one does not?

Answered by proof or not at all: a list is within another one if each value that its items
fit is fitted there, over all values that there can be. What cannot be proven, or would
take too long, is not within. Whoever decides by the answer errs on the side of "more".

**How.** The words of an item are an automaton (`limits.automata`). All pairs are walked
that some value leads to: one place in the inner words, and all places of the outer words in
which the same value may be. Where the inner word ends and no outer one does, there is a
value that only the inner list fits.

Lists may be long, and a proxy compares two when it reads its file again. So what both have
is passed over, a single value is looked up, and of the outer words only those are walked
that may share a value with the inner ones, which is looked up as well (`limits.ends`).
"""

from collections.abc import Iterable, Iterator
from functools import cached_property

from trioproxy.api.families import LIMITS
from trioproxy.errors import ConfigError
from trioproxy.limits.automata import is_included
from trioproxy.limits.ends import Ends
from trioproxy.limits.grant import Grant
from trioproxy.limits.languages import Word
from trioproxy.limits.limit import ANY, Limit, Limits
from trioproxy.limits.patterns import Pattern, Ports, Words
from trioproxy.limits.sorts import parse_pattern


def beyond(narrow: Limits, wide: Limits, variables: Iterable[str]) -> Iterator[Grant]:
    """Say what `wide` lists in some variables and `narrow` is not proven to.

    With what `{base}` stands for; `*` for anything.
    """
    for name in sorted(variables):
        for item in _items_beyond(narrow.limit_of(name), wide.limit_of(name)):
            yield Grant(name, wide.places.meant(item))


def taken_out(limits: Limits, once_listed: Iterable[Grant]) -> Iterator[Grant]:
    """Say what once was in lists and no item of them fits now.

    A list that is not there any more, or holds anything, has nothing taken out.
    """
    lists = dict[str, ListItems]()
    for mark in sorted(once_listed):
        variable, text = mark
        # A file may name what no version of ours knows; without an item, a mark says
        # that there was a list.
        limit = limits.limit_of(variable) if text and variable in LIMITS else None
        if limit is not None and not limit.is_any:
            if variable not in lists:
                lists[variable] = ListItems(limit)
            if lists[variable].have(text):
                continue
            try:
                item = parse_pattern(variable, text, places=limits.places)
            except ConfigError:  # it speaks of a base that is not there any more
                yield mark
                continue
            if not lists[variable].fit_all_of(item):
                yield mark


def _items_beyond(narrow: Limit | None, wide: Limit | None) -> Iterator[str]:
    if narrow is None or narrow.is_any:
        return
    if wide is None or wide.is_any:
        yield ANY
        return
    listed = ListItems(narrow)
    yield from (one.text for one in wide.patterns if not listed.fit_all_of(one))


class ListItems:
    """The items of a list together.

    Of a long list nearly all stands in the other one too, or is looked up. A proof walks
    only words that may begin as the item does: no other fits any of its values. So two
    lists of 1,000 take the time of 1,000 look-ups, and not that of a million proofs.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._by_text = {one.text: one.means for one in limit.patterns}

    def have(self, text: str) -> bool:
        """Whether one of them is written so."""
        return text in self._by_text

    def fit_all_of(self, item: Pattern) -> bool:
        """Whether they are proven to fit all that another item fits."""
        means, same = item.means, self._by_text.get(item.text)
        if isinstance(means, Ports):
            return self._limit.lists(item.text)
        if isinstance(same, Words) and same.language == means.language:
            return True
        if (values := means.values()) is not None:
            # A value or two: no proof is needed, and sockets are looked at.
            return all(map(self._limit.lists, values))
        near = {n for word in means.language for n in self._ends.near_word(word)}
        words = (self._words[number] for number in sorted(near))
        outer = [w for w, spares in words if means.spares_sockets or not spares]
        return is_included(means.language, tuple(outer))

    @cached_property
    def _words(self) -> list[tuple[Word, bool]]:
        """All words, and whether each leaves sockets out."""
        listed = (one for one in self._by_text.values() if isinstance(one, Words))
        return [(word, one.spares_sockets) for one in listed for word in one.language]

    @cached_property
    def _ends(self) -> Ends[int]:
        """Their numbers: of another word those that may have a value in common with it."""
        return Ends.of_words((word, n) for n, (word, _) in enumerate(self._words))
