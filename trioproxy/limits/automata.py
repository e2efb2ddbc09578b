"""Languages as automata, and whether two of them share a value.

The words of a language are an automaton: a state is a place in a word, and a character
leads to the next place, or stays at a part that takes more of its kind. Characters that
no text has and no kind tells apart are alike for every word: one is tried for all of them.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from trioproxy.limits.languages import Language, Some, Word

MOST_STEPS: Final = 200_000
"""Steps of a proof. Lists of people take a few thousand; one made to be hard gets none."""

Step = str | Some
Place = tuple[int, int]
"""A word, and how many of its steps are behind."""


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


def have_common(one: Language, other: Language) -> bool:
    """Whether some value is in both languages; taken to be so where that takes too long."""
    first, second = Automaton(one), Automaton(other)
    alphabet = alphabet_of(first, second)
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
