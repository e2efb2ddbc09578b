"""Languages: the values that an item of a list fits, in a form that can be compared.

A regular expression answers whether it fits one value. Whether one list allows all that
another one does is a question about all values, and no number of tried values answers
it. So an item is kept as words of which both follow: the expression that judges, and the
answers of `inclusion`, which are proofs.

A word is a sequence of parts: a text, which stands for itself, and `Some`, one character
or more of a kind. A language is a choice of words. Nothing else is needed: what may be
missing is a second word.
"""

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

STAR: Final = re.compile(r"\*(?:\{([1-9][0-9]?)\})?")
"""What in an item stands for characters, and for how many if that is said."""


class Some(NamedTuple):
    """Characters of a kind: one or more, or a number of them."""

    chars: frozenset[str]
    is_others: bool = False
    """Whether it is all characters but these."""
    number: int = 0
    """How many; 0: one or more."""

    def has(self, char: str) -> bool:
        """Whether a character is of the kind."""
        return (char in self.chars) is not self.is_others


Part = str | Some
Word = tuple[Part, ...]
Language = tuple[Word, ...]

NAME: Final = Some(frozenset(string.ascii_letters + string.digits + "_-"))
"""What a star stands for in a name."""
TAG: Final = Some(NAME.chars | {"."})
"""What it stands for in the names of tags, and wherever a dot separates nothing."""
REST: Final = Some(frozenset("\n"), is_others=True)
"""All that may follow."""


def others(chars: str) -> Some:
    """Characters other than these, one or more."""
    return Some(frozenset(chars), is_others=True)


def is_literal(word: Word) -> bool:
    """Whether it is one value, and no other."""
    return all(isinstance(part, str) for part in word)


def beginning(word: Iterable[Part]) -> str:
    """What every value of a word begins with."""
    return "".join(_texts(word))


def ending(word: Sequence[Part]) -> str:
    """What every value of a word ends with."""
    return "".join([*_texts(reversed(word))][::-1])


def _texts(parts: Iterable[Part]) -> Iterator[str]:
    """The texts in front of what is none."""
    for part in parts:
        if isinstance(part, Some):
            return
        yield part


def expression(language: Iterable[Word]) -> str:
    """Write a language as a regular expression for `fullmatch`."""
    return "|".join("".join(map(_part, word)) for word in language)


def _part(part: Part) -> str:
    if isinstance(part, str):
        return re.escape(part)
    chars = "".join(map(re.escape, sorted(part.chars)))
    return (
        f"[{'^' * part.is_others}{chars}]{f'{{{part.number}}}' if part.number else '+'}"
    )
