"""What the sections of a report are made of: headings, tables, marks, dates."""

from collections.abc import Iterable, Sequence
from typing import Final

from trioproxy.evidence.strictjson import iso
from trioproxy.judge.meaning import Way
from trioproxy.learning.wording import count, describe_runs, span
from trioproxy.review.facts import NOBODY, Watch
from trioproxy.review.markup import Children, Markup, element
from trioproxy.review.picture import dots
from trioproxy.review.sightings import NEVER, Sighting

NO_WAY: Final = "no known way to root"
PROGRAMS_SHOWN: Final = 6
CLIENTS_SHOWN: Final = 12


class Section:
    """A section with a heading, and a place to be found at."""

    def __init__(self, place: str, title: str, *content: Children) -> None:
        self.place = place
        self.title = title
        self.markup = element(
            "section",
            element("h2", title, id=place),
            *content,
            aria_labelledby=place,
        )


def para(*content: Children, class_: str | None = None) -> Markup:
    """Make a paragraph."""
    return element("p", *content, class_=class_)


def code(text: str) -> Markup:
    """Show a name as it is written."""
    return element("code", text)


def bullets(items: Iterable[Children], class_: str | None = None) -> Markup | None:
    """Make a list; None of nothing."""
    made = [element("li", one) for one in items]
    return element("ul", made, class_=class_) if made else None


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Children]],
    class_: str | None = None,
) -> Markup:
    """Make a table whose rows become blocks where there is no room for columns.

    A browser takes an element that is shown as a block for no part of a table any more,
    so its role is said; and the head of each cell is written in front of it.
    """
    head = [element("th", one, scope="col", role="columnheader") for one in heads]
    body = [
        element(
            "tr",
            [
                element(
                    "td" if at else "th",
                    element("span", name, class_="label", aria_hidden="true"),
                    element("div", cell),
                    role="cell" if at else "rowheader",
                    scope=None if at else "row",
                )
                for at, (name, cell) in enumerate(zip(heads, row, strict=True))
            ],
            role="row",
        )
        for row in rows
    ]
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", head, role="row"), role="rowgroup"),
        element("tbody", body, role="rowgroup"),
        role="table",
        class_=class_,
    )


def badge(level: str, text: str) -> Markup:
    """Mark something with its risk: a word, in the colour of its level."""
    return element("span", text, class_=f"badge k-{level}")


def under(*content: Children) -> Markup:
    """Write a line below the first one of a cell."""
    return element("div", *content, class_="under")


def some(names: Sequence[str], shown: int) -> list[Children]:
    """Name the first few, and say how many more there are."""
    more = len(names) - shown
    parts: list[Children] = []
    for name in names[:shown]:
        parts += [", " if parts else None, code(name) if name != NOBODY else name]
    return [*parts, f" and {more} more" if more > 0 else None]


def root_of(why: str) -> Children:
    """Say why a value gives root on the host, or that no way is known."""
    return [badge("host-root", "HOST-ROOT"), f" {why}"] if why else NO_WAY


def way_of(way: Way) -> list[Children]:
    """Say a way to root."""
    argument: list[Children] = [", ", code(str(way.grant))] if way.grant else []
    return [code(way.operation), *argument, f": {way.why}"]


def day(seconds: int) -> str:
    """The day of a time, as `2026-11-24`."""
    return iso(seconds)[:10]


def date(text: str) -> Markup:
    """Show a day."""
    return element("time", text, datetime=text)


def often(number: int, last: int) -> list[Children]:
    """Say how often, and when last."""
    return [f"{number}\u00d7", under("last ", date(day(last)))]


def seen_of(seen: Sighting | None, uses: Sequence[int], watch: Watch) -> list[Children]:
    """Say how often, in which runs and when something was used."""
    strip = dots(uses, [run.failed for run in watch.runs]) if watch.runs else None
    if seen is None:
        return [element("em", NEVER.lower(), class_="never")]
    dates = [date(one) for one in dict.fromkeys(map(day, (seen.first, seen.last)))]
    return [
        element("strong", f"{seen.count}\u00d7"),
        f" in {seen.runs} of {count(seen.of_runs, 'run')}",
        element("div", strip),
        under([[" to " if at else None, one] for at, one in enumerate(dates)]),
    ]


def watched(watch: Watch) -> str:
    """Say how much was watched."""
    facts = watch.facts
    logs = f", {watch.from_logs} of them from logs" if watch.from_logs else ""
    return (
        f"{describe_runs(facts)}{logs}, {day(facts.first)} to {day(facts.last)},"
        f" watched for {span(facts.seconds)}"
    )
