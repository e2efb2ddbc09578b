"""What the page is made of: headings, tables, marks, dates."""

from collections.abc import Iterable, Sequence
from typing import Final

from trioproxy.judge.meaning import Way
from trioproxy.judge.power import Power
from trioproxy.learning.wording import count, day
from trioproxy.review.markup import Children, Markup, element
from trioproxy.review.sheet import NO_WAY, Seen

NOBODY: Final = "not told"
"""Stands for whoever asked, where evidence has neither a program nor an address."""
SHOWN: Final = 6
"""Names of a kind that are shown."""


class Section:
    """A section with a heading, and a place to be found at."""

    def __init__(self, place: str, title: str, *content: Children) -> None:
        self.place = place
        self.title = title
        heading = element("h2", title, id=place)
        self.markup = element("section", heading, *content, aria_labelledby=place)


def para(*content: Children, class_: str | None = None) -> Markup:
    """Make a paragraph."""
    return element("p", *content, class_=class_)


def sentence(text: str) -> Markup:
    """Make a paragraph of words that are no sentence yet."""
    return para(f"{text[:1].upper()}{text[1:]}.")


def headed(title: Children, *content: Children) -> Children:
    """Put a heading above something; None above nothing."""
    return [element("h3", title), *content] if any(content) else None


def code(text: str) -> Markup:
    """Show a name as it is written."""
    return element("code", text)


def bullets(
    items: Iterable[Children], tag: str = "ul", **attributes: str
) -> Markup | None:
    """Make a list; None of nothing."""
    made = [element("li", one) for one in items]
    return element(tag, made, **attributes) if made else None


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Children]],
    class_: str | None = None,
) -> Markup | None:
    """Make a table, None of no rows, whose rows become blocks where there is no room for columns.

    A browser takes an element that is shown as a block for no part of a table any more,
    so its role is said; and the head of each cell is written in front of it.
    """
    head = [element("th", one, scope="col", role="columnheader") for one in heads]
    body = list[Markup]()
    for row in rows:
        first, *others = zip(heads, row, strict=True)
        cells = [_cell(*first, tag="th", role="rowheader", scope="row")]
        cells += [_cell(*one, tag="td", role="cell") for one in others]
        body.append(element("tr", cells, role="row"))
    if not body:
        return None
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", head, role="row"), role="rowgroup"),
        element("tbody", body, role="rowgroup"),
        role="table",
        class_=class_,
    )


def _cell(
    name: str, content: Children, *, tag: str, role: str, scope: str | None = None
) -> Markup:
    label = element("span", name, class_="label", aria_hidden="true")
    return element(tag, label, element("div", content), role=role, scope=scope)


def badge(power: Power) -> Children:
    """Mark something with its level: a word, in its colour."""
    if not power.level:
        return NO_WAY
    return element("span", power.shown, class_=f"badge k-{power.level}")


def under(*content: Children) -> Markup:
    """Write a line below the first one of a cell."""
    return element("div", *content, class_="under")


def some_codes(names: Sequence[str], most: int = SHOWN) -> Children:
    """Name the first few, and say how many more there are."""
    more = len(names) - most
    parts = [[", " if at else None, code(name)] for at, name in enumerate(names[:most])]
    return [parts or NOBODY, f" and {more} more" if more > 0 else None]


def way_of(way: Way) -> list[Children]:
    """Say a way to root."""
    argument: list[Children] = [", ", code(str(way.grant))] if way.grant else []
    return [code(way.operation), *argument, f": {way.why}"]


def seen_of(seen: Seen | None) -> Children:
    """Say how often, in how many runs and when something was seen."""
    if seen is None:
        return "the evidence cannot tell"
    if not seen.last:
        return element("em", "never", class_="never")
    dates = dict.fromkeys(map(day, (seen.first, seen.last)))
    times = [element("time", one, datetime=one) for one in dates]
    return [
        element("strong", f"{seen.count}\u00d7"),
        f" in {len(seen.runs)} of {count(seen.of_runs, 'run')}",
        under([[" to " if at else None, one] for at, one in enumerate(times)]),
    ]
