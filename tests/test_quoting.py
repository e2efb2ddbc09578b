"""Text of unknown origin stays in its word."""

import pytest

from trioproxy.quoting import quote


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/containers/json", "/containers/json", id="plain"),
        pytest.param("a b", '"a b"', id="space"),
        pytest.param("a=b", '"a=b"', id="equals"),
        pytest.param('a"b', '"a\'b"', id="quote"),
        pytest.param("", '""', id="empty"),
        pytest.param("a\nb\x1b[0m", "a\\x0ab\\x1b[0m", id="control"),
        pytest.param("x" * 300, "x" * 256, id="long"),
    ],
)
def test_quote_keeps_a_value_in_its_field(text: str, shown: str) -> None:
    """No value, whoever gave it, ends its field or its line."""
    assert quote(text) == shown
