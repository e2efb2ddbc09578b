"""Words that were probably meant."""

from collections.abc import Iterable


def near(word: str, words: Iterable[str], *, cutoff: float = 0.6) -> list[str]:
    """The word that is most like another one, if any is; `cutoff` says how like, to 1."""
    # Here, for a process that serves has no word to guess in most lives.
    from difflib import get_close_matches

    return get_close_matches(word, list(words), n=1, cutoff=cutoff)
