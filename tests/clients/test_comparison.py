"""What two runs need not have in common has one name, whenever they are."""

import pytest

from tests.clients.comparison import named


@pytest.mark.parametrize(
    ("shown", "later"),
    [
        ("Up Less than a second", "Up About a minute"),
        ("59 seconds ago", "About a minute ago"),
        ("59 minutes ago", "About an hour ago"),
        ("About an hour ago", "2 hours ago"),
    ],
)
def test_an_age(shown: str, later: str) -> None:
    """How old something is has the same name a moment later."""
    assert named(shown) == named(later)
