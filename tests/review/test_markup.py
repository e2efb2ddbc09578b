"""Markup: text never becomes any, wherever it is put."""

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.review.markup import Markup, element, joined, visible


class _Reader(HTMLParser):
    """What a browser would find: elements with their attributes, and the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements = list[tuple[str, dict[str, str | None]]]()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(markup: Markup) -> _Reader:
    reader = _Reader()
    reader.feed(markup.text)
    reader.close()
    return reader


@given(text=st.text(), value=st.text())
def test_any_text_stays_text(text: str, value: str) -> None:
    """Whatever text and value are, a parser finds one element with just these."""
    found = read(element("p", text, title=value))
    assert found.elements == [("p", {"title": visible(value)})]
    assert found.text == visible(text)


def test_markup_is_put_in_as_it_is() -> None:
    """Markup within markup is not escaped again; nothing at all leaves nothing."""
    inner = element("b", "<1>")
    assert element("p", [inner, None, 2], "&").text == "<p><b>&lt;1&gt;</b>2&amp;</p>"
    assert joined("a", [["b"], [None]]).text == "ab"


def test_attributes() -> None:
    """Names get their hyphens; what is False or None is left out."""
    made = element("rect", class_="a b", stroke_width=1.50, open=True, x=None, y=False)
    assert made.text == '<rect class="a b" stroke-width="1.5" open/>'


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/srv/\u202egpj.exe", "/srv/\\u202egpj.exe", id="override"),
        pytest.param("ngi\u200bnx", "ngi\\u200bnx", id="zero width"),
        pytest.param("a\nb\x00\x1b[31m", "a\\u000ab\\u0000\\u001b[31m", id="control"),
        pytest.param("\udcff", "\\udcff", id="no UTF-8"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag"),
        pytest.param("Grüße, 世界", "Grüße, 世界", id="plain"),
    ],
)
def test_what_has_no_glyph_is_shown(text: str, shown: str) -> None:
    """Characters that hide or reorder others are shown by their code."""
    assert visible(text) == shown
