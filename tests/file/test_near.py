"""Words that were probably meant."""

import sys

import pytest

from trioproxy.file.near import near

WORDS = ["volumes", "networks", "nodes"]


def test_the_word_that_is_most_like_another() -> None:
    """One at most, of several that are like it the one that is so most."""
    assert near("nodess", WORDS) == "nodes"
    assert near("netwroks", WORDS) == "networks"
    assert near("qqq", WORDS) == near("x", []) == ""
    assert near("no", WORDS) == ""
    assert near("nod", WORDS, cutoff=0.75) == "nodes"


@pytest.mark.parametrize("word", ["seonvs", "nodxyzt"])
def test_what_is_like_none_loads_nothing(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that serves has no word to guess: it never compares them letter by letter."""
    monkeypatch.delitem(sys.modules, "difflib", raising=False)
    assert near(word, WORDS, cutoff=0.75) == ""
    assert "difflib" not in sys.modules
