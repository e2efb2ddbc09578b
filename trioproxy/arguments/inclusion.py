"""Inclusion: does one file let requests ask for anything that another one does not?

Answered by proof or not at all: a list is within another one if each value that its items
fit is fitted there, over all values that there can be. What cannot be proven, or would
take too long, is not within. Whoever decides by the answer errs on the side of "more".

**How.** The words of an item are an automaton: a state is a place in a word, and a
character leads to the next place, or stays at a part that takes more of its kind. All
pairs are walked that some value leads to: one place in the inner words, and all places
of the outer words in which the same value may be. Where the inner word ends and no outer
one does, there is a value that only the inner list fits. Characters that no word names
are alike for every word, so one of them is tried for all.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from trioproxy.arguments.families import FAMILIES, LIMITS
from trioproxy.arguments.languages import Language, Some, Word
from trioproxy.arguments.limits import ANY, Limit, Limits
from trioproxy.arguments.patterns import Pattern, Ports, Words, parse_pattern
from trioproxy.errors import ConfigError

MOST_STEPS: Final = 200_000
"""Steps of a proof. Lists of people take a few thousand; one made to be hard gets none."""


class Beyond(NamedTuple):
    """Something that one file lets requests ask for, and another one may not."""

    variable: str
    item: str
    """As in the file, with what `{base}` stands for; `*` for anything."""


def beyond(narrow: Limits, wide: Limits, variables: Iterable[str]) -> Iterator[Beyond]:
    """Say what `wide` lists in some variables and `narrow` is not proven to."""
    for name in sorted(variables):
        for item in _items_beyond(narrow.limit_of(name), wide.limit_of(name)):
            yield Beyond(name, item.replace("{base}", wide.base))


def taken_out(limits: Limits, once_listed: Iterable[str]) -> Iterator[str]:
    """Say what once was in lists, as `VARIABLE=item`, and no item of them fits now.

    A list that is not there any more, or holds anything, has nothing taken out.
    """
    for mark in sorted(once_listed):
        variable, _, text = mark.partition("=")
        # A file may name what no version of ours knows; without an item, a mark says
        # that there was a list.
        limit = limits.limit_of(variable) if text and variable in LIMITS else None
        if limit is not None and not limit.is_any:
            try:
                item = parse_pattern(variable, text, base=limits.base)
            except ConfigError:  # it speaks of a base that is not there any more
                yield mark
                continue
            if not Listed(limit).fit_all_of(item):
                yield mark


def is_within(inner: Limits, outer: Limits) -> bool:
    """Whether `outer` is proven to allow all that `inner` does, whatever is granted."""
    families = outer.families
    names = [name for family in families for name in FAMILIES[family]]
    return families <= inner.families and not any(beyond(outer, inner, names))


def _items_beyond(narrow: Limit | None, wide: Limit | None) -> Iterator[str]:
    if narrow is None or narrow.is_any:
        return
    if wide is None or wide.is_any:
        yield ANY
        return
    listed = Listed(narrow)
    yield from (one.text for one in wide.patterns if not listed.fit_all_of(one))


class Listed:
    """The items of a list together."""

    def __init__(self, limit: Limit) -> None:
        listed = [one.means for one in limit.patterns]
        self._ports = [one for one in listed if isinstance(one, Ports)]
        self._words = [one for one in listed if isinstance(one, Words)]

    def fit_all_of(self, item: Pattern) -> bool:
        """Whether they are proven to fit all that another item fits."""
        means = item.means
        if isinstance(means, Ports):
            return any(one.includes(means) for one in self._ports)
        if not any(isinstance(part, Some) for word in means.language for part in word):
            # A value or two: no proof is needed, and sockets are looked at.
            values = ("".join(map(str, word)) for word in means.language)
            return all(any(one.fits(value) for one in self._words) for value in values)
        outer = self._all if means.spares_sockets else self._without_exceptions
        return _is_included(_Automaton(means.language), outer)

    @cached_property
    def _all(self) -> "_Automaton":
        return _automaton(self._words)

    @cached_property
    def _without_exceptions(self) -> "_Automaton":
        return _automaton(one for one in self._words if not one.spares_sockets)


# --- Automata -----------------------------------------------------------------------

_Step = str | Some
_Place = tuple[int, int]
"""A word, and how many of its steps are behind."""


class _Automaton:
    """Words, a step a character or a `Some`."""

    def __init__(self, language: Language) -> None:
        self.words = tuple(tuple(_steps(word)) for word in language)
        self.starts = frozenset((number, 0) for number in range(len(self.words)))

    def is_end(self, place: _Place) -> bool:
        """Whether a value may end here."""
        return place[1] == len(self.words[place[0]])

    def after(self, place: _Place, char: str) -> Iterator[_Place]:
        """The places to which a character leads."""
        number, done = place
        steps = self.words[number]
        if done < len(steps) and _takes(steps[done], char):
            yield number, done + 1
        last = steps[done - 1] if done else ""
        if isinstance(last, Some) and not last.number and last.has(char):
            yield place

    def ahead(self, place: _Place, alphabet: Sequence[str]) -> Sequence[str]:
        """The characters of an alphabet that may lead on: one, within a text."""
        number, done = place
        steps = self.words[number]
        if done and isinstance(steps[done - 1], Some):
            return alphabet
        step = steps[done] if done < len(steps) else ""
        return alphabet if isinstance(step, Some) else step

    def chars(self) -> set[str]:
        """The characters that are named."""
        steps = {step for steps in self.words for step in steps}
        return {
            char
            for step in steps
            for char in (step.chars if isinstance(step, Some) else step)
        }


def _automaton(words: Iterable[Words]) -> _Automaton:
    return _Automaton(tuple(word for one in words for word in one.language))


def _steps(word: Word) -> Iterator[_Step]:
    for part in word:
        if isinstance(part, Some):
            yield from (part._replace(number=1),) * part.number or (part,)
        else:
            yield from part


def _takes(step: _Step, char: str) -> bool:
    return step.has(char) if isinstance(step, Some) else step == char


def _alphabet(*automata: _Automaton) -> list[str]:
    named = set[str]().union(*(one.chars() for one in automata))
    other = next(char for code in range(0x10FFFF) if (char := chr(code)) not in named)
    return [*sorted(named), other]


def is_included(inner: Language, outer: Language) -> bool:
    """Whether each value of `inner` is proven to be one of `outer`."""
    return _is_included(_Automaton(inner), _Automaton(outer))


def _is_included(narrow: _Automaton, wide: _Automaton) -> bool:
    alphabet = _alphabet(narrow, wide)
    found = {(place, wide.starts) for place in narrow.starts}
    open_pairs = list(found)
    steps = 0
    while open_pairs:
        place, others = open_pairs.pop()
        if narrow.is_end(place) and not any(map(wide.is_end, others)):
            return False
        for char in narrow.ahead(place, alphabet):
            following = list(narrow.after(place, char))
            if not following:
                continue
            steps += 1 + len(others)
            if steps > MOST_STEPS:
                return False
            there = frozenset(
                one for other in others for one in wide.after(other, char)
            )
            new = {(one, there) for one in following} - found
            found |= new
            open_pairs.extend(new)
    return True


def have_common(one: Language, other: Language) -> bool:
    """Whether some value is in both languages; taken to be so where that takes too long."""
    first, second = _Automaton(one), _Automaton(other)
    alphabet = _alphabet(first, second)
    found = {(a, b) for a in first.starts for b in second.starts}
    open_pairs = list(found)
    while open_pairs:
        a, b = open_pairs.pop()
        if first.is_end(a) and second.is_end(b):
            return True
        if len(found) > MOST_STEPS:
            return True
        new = {
            (x, y)
            for char in first.ahead(a, alphabet)
            for x in first.after(a, char)
            for y in second.after(b, char)
        } - found
        found |= new
        open_pairs.extend(new)
    return False
