"""Text of unknown origin stays in its word."""

import shlex

import pytest

from trioproxy.quoting import argument, quote, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/containers/json", "/containers/json", id="plain"),
        pytest.param("a b", '"a b"', id="space"),
        pytest.param("a=b", '"a=b"', id="equals"),
        pytest.param('a"b', "a\\x22b", id="quote"),
        pytest.param("a \"b' c", '"a \\x22b\' c"', id="quotes"),
        pytest.param("", '""', id="empty"),
        pytest.param("a\nb\x1b[0m", "a\\x0ab\\x1b[0m", id="control"),
        pytest.param("x" * 300, "x" * 256, id="long"),
    ],
)
def test_quote_keeps_a_value_in_its_field(text: str, shown: str) -> None:
    """No value, whoever gave it, ends its field or its line."""
    assert quote(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/srv/\u202egpj.exe", "/srv/\\u202egpj.exe", id="override"),
        pytest.param("ngi\u200bnx", "ngi\\u200bnx", id="zero-width"),
        pytest.param("a\nb\x00\x1b[31m", "a\\x0ab\\x00\\x1b[31m", id="control"),
        pytest.param("a\x9b31mb", "a\\x9b31mb", id="control-of-8-bits"),
        pytest.param("a\u2028b\u2029c", "a\\u2028b\\u2029c", id="line-separators"),
        pytest.param("a\u00a0b", "a\\xa0b", id="looks-like-a-space"),
        pytest.param("\udcff", "\\xff", id="no-utf-8"),
        pytest.param("\udd00", "\\udd00", id="no-byte"),
        pytest.param("\ud800", "\\ud800", id="half-a-character"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag"),
        pytest.param("ngi\u3164nx", "ngi\\u3164nx", id="filler-among-the-letters"),
        pytest.param("nginx\ufe0e", "nginx\\ufe0e", id="variation"),
        pytest.param("ngi\u034fnx", "ngi\\u034fnx", id="joiner-among-the-marks"),
        pytest.param("ngi\u2800nx", "ngi\\u2800nx", id="blank-among-the-symbols"),
        pytest.param("n\U000e0101", "n\\U000e0101", id="variation-of-another-plane"),
        pytest.param("Grüße, 世界", "Grüße, 世界", id="plain"),
    ],
)
def test_what_has_no_glyph_is_shown(text: str, shown: str) -> None:
    """Characters that hide, reorder or end others are shown by their code, in a log too."""
    assert visible(text) == shown
    assert quote(text).isprintable()


@pytest.mark.parametrize("path", ["it's/a b.env", "'", "''x", "-x's.env", "a b", "$x"])
def test_a_command_can_be_pasted_from_the_log(path: str) -> None:
    """A file name in an advice is one word of a shell, in a line of the log too."""
    (word,) = shlex.split(argument(path))
    assert word.removeprefix("./") == path
    line = quote(f"{argument(path)} # asks")
    assert line == f'"{argument(path)} # asks"'
