"""The page of a report: one HTML file that needs nothing else, and runs nothing.

Each section is a function from values to markup, in the order in which they are read.
They are written in Python and not in the language of a template engine, for three
reasons: `review.markup` escapes by type, so that mypy sees a text that would not be; the
program needs no package more; and a reader finds the value's name and the element's side
by side. The style has a file of its own, `page.css`, as a stylesheet is written.

**What the page may do.** A Content-Security-Policy in its head forbids everything but one
style, by its hash: no script, no picture, no font, no connection, no form. Were there a
way to get markup into the page, it could neither run nor tell anybody.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from importlib import resources
from typing import Final

from trioproxy import __version__
from trioproxy.api.routes import OPERATIONS
from trioproxy.learning.wording import count
from trioproxy.review.beside import show_changes, show_drift, show_left_out
from trioproxy.review.facts import (
    Report,
)
from trioproxy.review.granted import (
    show_arguments,
    show_objects,
    show_operations,
    show_price,
    show_who,
    uses_of,
)
from trioproxy.review.markup import Children, Markup, element
from trioproxy.review.parts import (
    CLIENTS_SHOWN,
    Section,
    bullets,
    code,
    para,
    some,
    watched,
    way_of,
)

BEGINNING: Final = "<!doctype html>\n<!-- a report of trioproxy -->\n"
"""By which a file is known to be one of ours, that the next report may replace."""


def page(report: Report) -> str:
    """Write the page."""
    style = resources.files("trioproxy.review").joinpath("page.css").read_text("utf-8")
    name = report.file.name
    sections = list(_sections(report))
    body = element(
        "body",
        element("a", "Skip to the answer", href="#answer", class_="skip"),
        element(
            "header",
            element("p", "What may this client do to the Engine?", class_="kicker"),
            element("h1", element("code", name)),
        ),
        element("main", _answer(report, sections), [one.markup for one in sections]),
        element("footer", element("p", f"Written by trioproxy {__version__}.")),
    )
    html = element("html", _head(f"{name}: {_verdict(report)}", style), body, lang="en")
    return f"{BEGINNING}{html}\n"


def _head(title: str, style: str) -> Markup:
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none';"
        " form-action 'none'"
    )
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        # Ours, and as it is: what is in a style element is no markup to be escaped.
        element("style", Markup(style)),
    )


def _verdict(report: Report) -> str:
    ways = len(report.meaning.ways)
    if ways:
        return f"root on the host, in {count(ways, 'known way')}"
    return "no known way to root on the host"


def _answer(report: Report, sections: list[Section]) -> Markup:
    meaning = report.meaning
    ways = meaning.ways
    word = f"Yes, in {count(len(ways), 'known way')}." if ways else "No known way."
    conditions = meaning.conditions if not ways else ()
    surroundings = meaning.surroundings if not ways else ()
    return element(
        "section",
        element("h2", "Can it become root on the host?", id="answer"),
        para(word, class_="verdict"),
        element("ol", [element("li", way_of(one)) for one in ways]) if ways else None,
        _newness(report),
        para(f"Only for {meaning.only_for}.")
        if not ways and meaning.only_for
        else None,
        para("That holds for a client that") if conditions else None,
        bullets(conditions),
        para("It holds") if surroundings else None,
        bullets(surroundings),
        _facts(report),
        element(
            "nav",
            element(
                "ul",
                [
                    element("li", element("a", one.title, href=f"#{one.place}"))
                    for one in sections
                ],
                role="list",
            ),
            aria_label="On this page",
        ),
        aria_labelledby="answer",
        class_=f"answer {'yes' if ways else 'no'}",
    )


def _newness(report: Report) -> Markup | None:
    if report.changes is None or not report.changes.found.is_root_new:
        return None
    old = code(report.changes.name)
    return para("That is new: ", old, " gave no known way.", class_="worse")


def _facts(report: Report) -> Markup:
    facts = [
        (f"{report.price.granted}", f"of {len(OPERATIONS)} operations are open"),
        (f"{report.writes}", "of them write"),
    ]
    if report.watch:
        facts.append((f"{report.price.used}", "of them were seen in use"))
    if report.changes:
        found = report.changes.found
        facts.append(
            (f"+{len(found.more)} \u2212{len(found.less)}", "since the old file")
        )
    return element(
        "ul",
        [
            element("li", element("strong", number), " ", words)
            for number, words in facts
        ],
        class_="facts",
        role="list",
    )


def _sections(report: Report) -> Iterator[Section]:
    """Make those for which there is something to say, in the order of the page."""
    yield show_operations(report)
    if report.listings:
        yield show_arguments(report)
    if report.objects:
        yield show_objects(report)
    if report.watch and (uses := list(uses_of(report))):
        yield show_who(report, uses)
    yield show_price(report)
    if report.left_out or report.flows or report.unseen or report.unlisted:
        yield show_left_out(report)
    if report.changes:
        yield show_changes(report.changes)
    if report.drifted:
        yield show_drift(report.drifted)
    yield _provenance(report)


def _provenance(report: Report) -> Section:
    rows: list[tuple[str, Children]] = [
        ("File", _source(report.file.name, report.file.digest))
    ]
    if watch := report.watch:
        rows += [
            ("Evidence", _source(watch.name, watch.digest)),
            (
                "Watched",
                f"{watched(watch)}; the last new operation came up in run"
                f" {watch.facts.newest_run}",
            ),
            ("Programs", some(watch.programs, CLIENTS_SHOWN) or "none"),
            ("Clients", some(watch.clients, CLIENTS_SHOWN) or "none"),
            ("API versions", some(watch.versions, CLIENTS_SHOWN) or "none"),
        ]
        if watch.groups:
            rows.append(("Merged from", bullets(watch.groups)))
        if watch.dropped:
            rows.append(("Without room", count(watch.dropped, "value")))
    if report.changes:
        old = report.changes
        rows.append(("Compared with", _source(old.name, old.digest)))
    if report.drifted:
        live = report.drifted.watch
        rows.append(("Beside", _source(live.name, live.digest)))
    if report.file.warnings:
        rows.append(("Warnings", bullets(report.file.warnings)))
    pairs = [
        element("div", element("dt", name), element("dd", value))
        for name, value in rows
    ]
    return Section("provenance", "Where this comes from", element("dl", pairs))


def _source(name: str, digest: str) -> list[Children]:
    return [code(name), element("span", f"SHA-256 {digest}", class_="digest")]
