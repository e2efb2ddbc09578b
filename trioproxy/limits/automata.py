"""Languages as automata: whether two share a value, and whether one is within the other.

The words of a language are an automaton: a state is a place in a word, and a character
leads to the next place, or stays at a part that takes more of its kind. Characters that
no text has and no kind tells apart are alike for every word: one is tried for all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Final, TypeVar

from trioproxy.limits.languages import Language, Some, Word

MOST_STEPS: Final = 200_000
"""Steps of a proof. Lists of people take a few thousand; one made to be hard gets none."""

Step = str | Some
Place = tuple[int, int]
"""A word, and how many of its steps are behind."""
_Pair = tuple[Place, frozenset[Place]]
"""A place in the words of one language, and all of another one in which the same value may be."""
_One = TypeVar("_One")


class Automaton:
    """Words, a step a character or a `Some`."""

    # A place is (word, n): n steps of that word are behind. A text is cut into its characters,
    # a step each, and so is `Some` with a number into as many steps that take one character.
    # `Some` without a number takes one or more: it is one step, and whoever stands right behind
    # it may stay there for each further character of its kind, beside going on by the next
    # step. So a place can lead to two: `a*` behind "ab" is at its end, and still there after
    # another "b". Nothing leads back and nothing is skipped (what may be missing is a second
    # word), so the values of a word are those that lead from its first place to its last.

    def __init__(self, language: Language) -> None:
        self.words = tuple(tuple(_steps(word)) for word in language)
        self.starts = frozenset((number, 0) for number in range(len(self.words)))

    def is_end(self, place: Place) -> bool:
        """Whether a value may end here."""
        return place[1] == len(self.words[place[0]])

    def after(self, place: Place, char: str) -> Iterator[Place]:
        """The places to which a character leads."""
        number, done = place
        steps = self.words[number]
        if done < len(steps) and _takes(steps[done], char):
            yield number, done + 1
        last = steps[done - 1] if done else ""
        if isinstance(last, Some) and not last.number and last.has(char):
            yield place

    def ahead(self, place: Place, alphabet: Sequence[str]) -> Sequence[str]:
        """The characters of an alphabet that may lead on: one, within a text."""
        number, done = place
        steps = self.words[number]
        if done and isinstance(steps[done - 1], Some):
            return alphabet
        step = steps[done] if done < len(steps) else ""
        return alphabet if isinstance(step, Some) else step


def _steps(word: Word) -> Iterator[Step]:
    for part in word:
        if isinstance(part, Some):
            yield from (part._replace(number=1),) * part.number or (part,)
        else:
            yield from part


def _takes(step: Step, char: str) -> bool:
    return step.has(char) if isinstance(step, Some) else step == char


def alphabet_of(*automata: Automaton) -> list[str]:
    """The characters of texts, and of all others one of each that no step tells apart."""
    steps = {step for one in automata for word in one.words for step in word}
    kinds = [step for step in steps if isinstance(step, Some)]
    texts = {step for step in steps if isinstance(step, str)}
    named = texts.union(*(kind.chars for kind in kinds))
    other = next(char for code in range(0x10FFFF) if (char := chr(code)) not in named)
    alike = {
        tuple(kind.has(char) for kind in kinds): char
        for char in (*sorted(named - texts), other)
    }
    return [*sorted(texts), *alike.values()]


def reached(
    starts: Iterable[_One], after: Callable[[_One], Iterable[_One]]
) -> Iterator[_One]:
    """All that is reached from some starts by going on `after` each of them, once each."""
    found = set(starts)
    following = [*found]
    while following:
        one = following.pop()
        yield one
        new = {*after(one)} - found
        found |= new
        following.extend(new)


def have_common(one: Language, other: Language) -> bool:
    """Whether some value is in both languages; taken to be so where that takes too long."""
    first, second = Automaton(one), Automaton(other)
    alphabet = alphabet_of(first, second)

    def after(pair: tuple[Place, Place]) -> Iterator[tuple[Place, Place]]:
        for char in first.ahead(pair[0], alphabet):
            yield from product(first.after(pair[0], char), second.after(pair[1], char))

    pairs = reached(product(first.starts, second.starts), after)
    return any(
        steps > MOST_STEPS or (first.is_end(a) and second.is_end(b))
        for steps, (a, b) in enumerate(pairs)
    )


def is_included(inner: Language, outer: Language) -> bool:
    """Whether each value of `inner` is proven to be one of `outer`."""
    narrow, wide = Automaton(inner), Automaton(outer)
    alphabet = alphabet_of(narrow, wide)
    steps = 0

    def after(pair: _Pair) -> Iterator[_Pair]:
        nonlocal steps
        place, others = pair
        for char in narrow.ahead(place, alphabet):
            if following := list(narrow.after(place, char)):
                # By the work: each outer place that is followed counts, so that the bound is one of time.
                steps += 1 + len(others)
                there = frozenset(x for one in others for x in wide.after(one, char))
                yield from ((one, there) for one in following)

    for place, others in reached(product(narrow.starts, [wide.starts]), after):
        is_short = narrow.is_end(place) and not any(map(wide.is_end, others))
        if is_short or steps > MOST_STEPS:
            return False
    return True
