"""Markup: text never becomes any, wherever it is put."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from trioproxy.quoting import visible
from trioproxy.review.markup import Markup, element, joined


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
    """Names get their hyphens; what is None is left out."""
    made = element("meta", class_="a b", aria_label="1", x=None)
    assert made.text == '<meta class="a b" aria-label="1"/>'
