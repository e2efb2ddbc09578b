"""Sections of a report: what a file grants, to whom, and what that costs elsewhere."""

from collections.abc import Iterator

from trioproxy.api.routes import CONNECTS, Effect
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.judge.rules import Mode
from trioproxy.learning.wording import count
from trioproxy.review.facts import (
    Group,
    Operation,
    Report,
    Watch,
)
from trioproxy.review.listing import HOLE, Item, Listing
from trioproxy.review.markup import Children, element
from trioproxy.review.parts import (
    PROGRAMS_SHOWN,
    Section,
    badge,
    bullets,
    code,
    para,
    root_of,
    seen_of,
    some,
    table,
    under,
)
from trioproxy.review.picture import NARROW, WIDE, Use, bar, draw


def show_operations(report: Report) -> Section:
    """What it may do: the operations, by risk."""
    watch = report.watch
    told = para(
        "There is no evidence next to the file: how often and by whom these are used is"
        " not known.",
        class_="note",
    )
    if watch:
        newest = f"the newest {len(watch.runs)}" if len(watch.runs) > 1 else "one run"
        told = para(
            f"A dot is a run, {newest}: full where the operation was used, a ring where"
            " not, a square where the run failed.",
            class_="note",
        )
    unknown = [element("li", one) for one in map(code, report.unknown)]
    return Section(
        "operations",
        "What it may do",
        told,
        [_group(group, watch) for group in report.groups]
        or para("Nothing: no operation is open."),
        [
            element("h3", "Routes that this version does not know"),
            para("They pass, too:"),
            element("ul", unknown),
        ]
        if unknown
        else None,
    )


def _group(group: Group, watch: Watch | None) -> list[Children]:
    heads = ["Operation", "What it does"]
    if watch:
        heads += ["Seen", "By"]
    number = count(len(group.operations), "operation")
    rows = [_operation_row(one, watch) for one in group.operations]
    return [
        element("h3", badge(group.level, group.title), f" {group.meaning}"),
        table(f"{number}, {group.title}", heads, rows, class_="operations"),
    ]


def _operation_row(one: Operation, watch: Watch | None) -> list[Children]:
    endpoint = one.endpoint
    marks = ["writes" if endpoint.effect is Effect.WRITE else "reads"]
    marks += [CONNECTS] if endpoint.connects else []
    route = f"{endpoint.method} {endpoint.template}"
    row: list[Children] = [
        [
            element("strong", code(endpoint.operation)),
            [[" ", element("span", one, class_="effect")] for one in marks],
            under(route),
        ],
        endpoint.summary,
    ]
    if watch:
        row.append(seen_of(one.seen, one.uses, watch))
        row.append(some(one.askers, PROGRAMS_SHOWN) if one.seen else "nobody")
    return row


def show_arguments(report: Report) -> Section:
    """What its requests may ask for: the lists, item by item."""
    listed = [one for one in report.listings if one.items]
    anything = [one for one in report.listings if one.is_any]
    closed = [one for one in report.listings if not one.items and not one.is_any]
    has_values = bool(report.watch and any(i.seen for one in listed for i in one.items))
    return Section(
        "arguments",
        "What its requests may ask for",
        para(
            "What is harmless may always be asked for. Beyond that, what is listed here;"
            " each item may come with any other."
        ),
        [_listing(one, report.watch if has_values else None) for one in listed],
        [
            element("h3", "Anything at all"),
            bullets([code(one.variable), f": {one.line}"] for one in anything),
        ]
        if anything
        else None,
        [
            element("h3", "Nothing beyond the harmless"),
            para("of ", some([one.variable for one in closed], len(closed)), "."),
        ]
        if closed
        else None,
    )


def _listing(listing: Listing, watch: Watch | None) -> list[Children]:
    heads = ["Granted", "What that is"]
    if watch:
        heads += ["Seen"]
    number = count(len(listing.items), "item")
    rows = [_item_row(one, watch) for one in listing.items]
    return [
        element("h3", code(listing.variable), f" {listing.line}"),
        table(f"{number} of {listing.variable}", heads, rows, class_="items"),
    ]


def _item_row(item: Item, watch: Watch | None) -> list[Children]:
    values: list[Children] = []
    if item.values:
        values = [element("span", "asked for:", class_="quiet"), " "]
        values += some(item.values, len(item.values))
        values.append(f" and {item.more_values} more" if item.more_values else None)
    told: list[Children] = [
        root_of(item.root) if item.root else None,
        values or None,
    ]
    told[1:1] = [[code(part), f": {words}"] for part, words in item.reading]
    says = [element("div", one) for one in told if one]
    row: list[Children] = [
        element("code", _with_holes(item.text)),
        says or "as it stands",
    ]
    return [*row, seen_of(item.seen, item.uses, watch)] if watch else row


def _with_holes(text: str) -> list[Children]:
    """Mark what stands for more than itself."""
    parts = HOLE.split(text)
    return [element("mark", one) if at % 2 else one for at, one in enumerate(parts)]


def show_objects(report: Report) -> Section:
    """Which objects its requests may name."""
    listed = [one for one in report.objects if one.items]
    others = [one for one in report.objects if not one.items]
    has_seen = bool(report.watch and any(i.seen for one in listed for i in one.items))
    shown = report.meaning.shows_all
    return Section(
        "objects",
        "Which objects they may name",
        para("The objects that are listed here, and no others."),
        [_listing(one, report.watch if has_seen else None) for one in listed],
        bullets(
            [code(one.variable), f" {one.line}: ", "any" if one.is_any else "none"]
            for one in others
        ),
        para("Still shown, listed or not, by ", some(shown, len(shown)), ".")
        if shown
        else None,
    )


def uses_of(report: Report) -> Iterator[Use]:
    """Take from a report what the picture shows: the operations that were used."""
    for group in report.groups:
        for one in group.operations:
            if one.seen:
                yield Use(
                    operation=one.endpoint.operation,
                    section=one.endpoint.section,
                    level=one.level,
                    count=one.seen.count,
                    askers=one.askers,
                )


def show_who(report: Report, uses: list[Use]) -> Section:
    """Who asks for what: the picture, and the same as a table."""
    levels = {group.level: group.title for group in report.groups}
    drawn = {one.level for one in uses}
    legend = [badge(level, title) for level, title in levels.items() if level in drawn]
    unused = report.price.granted - len(uses)
    undrawn = f" Not drawn: {count(unused, 'operation')}, never seen." * bool(unused)
    rows: list[list[Children]] = [
        [
            code(one.operation),
            one.section,
            levels[one.level],
            f"{one.count}\u00d7",
            some(one.askers, PROGRAMS_SHOWN),
        ]
        for one in sorted(uses, key=lambda one: (one.section, one.operation))
    ]
    return Section(
        "who",
        "Who asks for what",
        element(
            "figure",
            [draw(uses, frame) for frame in (WIDE, NARROW)],
            element(
                "figcaption",
                element(
                    "ul",
                    [element("li", one) for one in legend],
                    class_="legend",
                    role="list",
                ),
                para(
                    "A wider band is more use, by the logarithm of the count. Where several"
                    " programs used an operation, its band is shared by all of them alike."
                    f"{undrawn}"
                ),
            ),
        ),
        element(
            "details",
            element("summary", "The picture as a table"),
            table(
                "What was used, by section",
                ("Operation", "Section", "Risk", "Seen", "By"),
                rows,
            ),
        ),
    )


def show_price(report: Report) -> Section:
    """What the same client would have in another proxy, as a bar."""
    price = report.price
    is_list = report.file.policy.mode is Mode.EXACT
    why = ": that proxy knows sections, and no lists" * is_list
    unused = price.granted - price.used if report.watch else price.granted
    parts = [("used", price.used), ("open", unused), ("beyond", price.beyond)]
    legend: list[Children] = [
        [element("strong", price.used), " open here and seen in use"]
        if report.watch
        else None,
        [
            element("strong", unused),
            " open here",
            ", never seen" if report.watch else None,
        ]
        if unused
        else None,
        [
            element("strong", price.beyond),
            f" more open in {TECNATIVA.image}",
        ],
    ]
    items = [
        element("li", one, class_=kind)
        for (kind, _), one in zip(parts, legend, strict=True)
        if one
    ]
    return Section(
        "price",
        "What it would cost elsewhere",
        bar(parts),
        element("ul", items, class_="key", role="list"),
        para(
            f"There the same client has {count(price.opened, 'operation')},"
            f" {price.writes} of them writes{why}."
        ),
    )
