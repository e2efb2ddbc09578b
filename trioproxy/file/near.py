"""Words that were probably meant."""

from collections import Counter
from collections.abc import Iterable


def near(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The word that is most like another one; empty if none is. `cutoff`: how like, to 1."""
    letters = Counter(word)
    # Two words have no more in common than the letters of both, in whatever order.
    likely = [
        one
        for one in words
        if 2 * (letters & Counter(one)).total() >= cutoff * (len(word) + len(one))
    ]
    if not likely:
        return ""
    # Here, for a process that serves has no word to guess in most lives.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, likely, n=1, cutoff=cutoff)), "")
