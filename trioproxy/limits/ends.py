"""Ends: of many things, those that may fit something that another one fits too.

Whether two words have a value in common is a question for automata. But nearly all are
told apart by how what they fit begins and ends: where neither beginning is how the other
one begins, or neither ending how the other one ends, no value is in both. So things are
kept by both, sorted. What is found here may have something in common with what is asked
for; what is not found has nothing.

Beginnings tell most apart, and nothing else is looked at while they leave a few. Of many
that begin alike, as the tags of one image do, the endings tell.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import Final, Generic, Self, TypeVar

from trioproxy.limits.languages import Word, beginning, ending, is_literal

FEW: Final = 8
"""So many are tried sooner than told apart by their endings."""

_Thing = TypeVar("_Thing")


class Ends(Generic[_Thing]):
    """Things by the beginning and the ending of all that they fit, each as often as given."""

    def __init__(self, several: Iterable[tuple[str, str, _Thing]]) -> None:
        kept = list(several)
        self._things = [thing for _, _, thing in kept]
        self._begins = _Sorted([begins for begins, _, _ in kept])
        self._backwards = [ends[::-1] for _, ends, _ in kept]

    @classmethod
    def of_words(cls, several: Iterable[tuple[Word, _Thing]]) -> Self:
        """Things by the words that they fit."""
        return cls((beginning(word), ending(word), thing) for word, thing in several)

    def near_word(self, word: Word) -> list[_Thing]:
        """What may have a value in common with a word."""
        return self.near(beginning(word), ending(word), is_whole=is_literal(word))

    @cached_property
    def _ends(self) -> "_Sorted":
        return _Sorted(self._backwards)

    def near(self, begins: str, ends: str, *, is_whole: bool = False) -> list[_Thing]:
        """What may fit something that begins and ends so; `is_whole`: this text alone."""
        begun = self._begins.alike(begins, is_whole=is_whole)
        numbers = self._begins.numbers(begun)
        if _count(begun) > FEW:
            ended = self._ends.alike(ends[::-1], is_whole=is_whole)
            # The longer of the two is never gone through.
            if _count(ended) < _count(begun):
                rest, text, numbers = self._begins, begins, self._ends.numbers(ended)
            else:
                rest, text = self._ends, ends[::-1]
            numbers = (n for n in numbers if rest.is_alike(n, text, is_whole=is_whole))
        return [self._things[number] for number in numbers]


def _count(spans: Iterable[range]) -> int:
    return sum(map(len, spans))


class _Sorted:
    """Texts by their numbers, of which those are looked up that begin as another one does."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._order = sorted(range(len(texts)), key=texts.__getitem__)
        self._sorted = [texts[number] for number in self._order]
        self._spans = dict[str, range]()
        for text, group in groupby(range(len(texts)), key=self._sorted.__getitem__):
            first, *more = group
            self._spans[text] = range(first, first + 1 + len(more))
        self._lengths = sorted(set(map(len, self._spans)))

    def alike(self, text: str, *, is_whole: bool) -> list[range]:
        """Where those are that a text begins with, and those that begin with it.

        `is_whole`: nothing follows it, so that what goes on is another one.
        """
        parts = (text[:length] for length in self._lengths if length <= len(text))
        spans = [self._spans[one] for one in parts if one in self._spans]
        if not is_whole:
            first = bisect_left(self._sorted, text) + len(self._spans.get(text, ()))
            last = bisect_left(
                self._sorted, 1, lo=first, key=lambda one: not one.startswith(text)
            )
            spans.append(range(first, last))
        return spans

    def is_alike(self, number: int, text: str, *, is_whole: bool) -> bool:
        """Whether one of them is there."""
        known = self._texts[number]
        return text.startswith(known) or (not is_whole and known.startswith(text))

    def numbers(self, spans: Iterable[range]) -> Iterator[int]:
        """The numbers of those that are there."""
        return (self._order[at] for at in chain.from_iterable(spans))
