"""Sections of a report: what is not granted, what changed, and what really happens."""

from collections.abc import Iterator

from trioproxy.api.routes import OPERATIONS
from trioproxy.learning.wording import count, span
from trioproxy.review.compare import Comparison, Grant
from trioproxy.review.facts import (
    LIMITED,
    NOBODY,
    Changes,
    Drifted,
    LeftOut,
    Report,
)
from trioproxy.review.markup import Children, Markup, element
from trioproxy.review.parts import (
    NO_WAY,
    PROGRAMS_SHOWN,
    Section,
    badge,
    bullets,
    code,
    day,
    often,
    para,
    root_of,
    some,
    table,
    under,
    watched,
    way_of,
)


def show_left_out(report: Report) -> Section:
    """What came up and is not granted, and where a client may stop half-way."""
    refused: list[list[Children]] = [
        [
            code(one.name),
            _risk_of(one),
            one.why,
            f"{one.count}\u00d7" if one.count else "not counted",
        ]
        for one in report.left_out
    ]
    unlisted: list[list[Children]] = [
        [
            code(f"{one.argument.variable}={one.argument.item}"),
            root_of(one.root),
        ]
        for one in report.unlisted
    ]
    flows: list[Children] = [
        [code(one.has), " without ", code(one.lacks), f": {one.why}"]
        for one in report.flows
    ]
    flows += [
        [
            f"a {one.state.shown} was never met, and what usually goes with it is not"
            " granted: ",
            some(one.lacks, 9),
        ]
        for one in report.unseen
    ]
    return Section(
        "left-out",
        "What it may not do",
        table(
            "What came up, and is refused",
            ("Operation or value", "Risk", "Why", "Asked for"),
            refused,
            class_="left-out",
        )
        if refused
        else None,
        table(
            "What was in use, and is on no list",
            ("Value", "Root on the host"),
            unlisted,
        )
        if unlisted
        else None,
        [element("h3", "Where the client may stop half-way"), bullets(flows)]
        if flows
        else None,
    )


def _risk_of(left_out: LeftOut) -> Children:
    endpoints = OPERATIONS.get(left_out.name)
    if not endpoints:
        return root_of(left_out.root)
    return badge(str(endpoints[0].risk), endpoints[0].risk.shown)


def show_changes(changes: Changes) -> Section:
    """What is different from another file, root first."""
    found, old = changes.found, changes.name
    title = "What changed"
    said = para(
        f"It grants {found.extent} than ",
        code(old),
        f". Root on the host: {found.root}.",
        class_="worse" if found.is_root_new else None,
    )
    if not found.extent:
        said = para("It grants what ", code(old), " grants.")
    return Section(
        "changes",
        title,
        said,
        element("h3", "New ways to root on the host") if found.ways else None,
        bullets(way_of(one) for one in found.ways),
        *_grants(found),
    )


def _grants(found: Comparison) -> Iterator[Markup]:
    for title, side in (("More", found.more), ("Less", found.less)):
        if side:
            heads = ("Grant", "Risk", "What it does")
            rows = [_grant_row(one) for one in side]
            yield element("h3", title)
            yield table(count(len(side), "grant"), heads, rows, class_="grants")


def _grant_row(grant: Grant) -> list[Children]:
    endpoint = grant.endpoint
    name: list[Children] = [element("strong", code(grant.name))]
    if endpoint:
        route = f"{endpoint.method} {endpoint.template}"
        name.append(under(route))
    level = "host-root" if grant.root else LIMITED
    if endpoint and not grant.is_limited:
        level = str(endpoint.risk)
    risk = badge(level, grant.marks) if grant.marks else NO_WAY
    return [name, risk, grant.line or "requests may ask for more"]


def show_drift(drifted: Drifted) -> Section:
    """What really happens: refused, and granted without need."""
    found, watch = drifted.found, drifted.watch
    refused: list[list[Children]] = [
        [
            code(one.sight.operation),
            one.message,
            often(one.count, one.last),
            some(one.clients, PROGRAMS_SHOWN) if one.clients else NOBODY,
        ]
        for one in found.refused
    ]
    refused += [
        [
            code(f"{one.argument.variable}={one.argument.item}"),
            [
                one.message,
                [" ", root_of(one.root)] if one.root else None,
            ],
            often(one.facts.count(), one.facts.last),
            NOBODY,
        ]
        for one in found.refused_values
    ]
    unused: list[Children] = [
        [code(one.operation), f", {_last(one.last)}"] for one in found.unused
    ]
    unused += [
        [code(f"{one.variable}={one.item}"), f", {_last(one.last)}"]
        for one in found.unused_values
    ]
    return Section(
        "drift",
        "What really happens",
        para(code(watch.name), f": {watched(watch)}."),
        table(
            "Refused, or would be",
            ("What", "Why", "Asked for", "By"),
            refused,
            class_="refused",
        )
        if refused
        else para("It refuses nothing that was sent."),
        [
            element(
                "h3", f"Open, and not used in the last {drifted.days} days of that time"
            ),
            bullets(unused),
            para(
                f"Only {span(watch.facts.seconds)} were watched: that proves little.",
                class_="note",
            )
            if watch.facts.seconds < drifted.days * 86_400
            else None,
        ]
        if unused
        else None,
    )


def _last(date: int) -> str:
    return f"last {day(date)}" if date else "never seen"
