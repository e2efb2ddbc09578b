"""The page of a report: one HTML file that needs nothing else, and runs nothing.

It shows the lines of the sheet in tables, the worst first, and what is known around them.
Each section is a function from values to markup, in the order in which they are read.
They are written in Python and not in the language of a template engine, for three
reasons: `review.markup` escapes by type, so that mypy sees a text that would not be; the
program needs no package more; and a reader finds the value's name and the element's side
by side. The style has a file of its own, `page.css`, as a stylesheet is written. No file of
anybody's is opened, and no clock is read: the same files make the same page.

**What the page may do.** A Content-Security-Policy in its head forbids everything but one
style, by its hash: no script, no picture, no font, no connection, no form. Were there a
way to get markup into the page, it could neither run nor tell anybody.
"""

import hashlib
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from itertools import chain
from typing import Final

from trioproxy import __version__
from trioproxy.api.routes import CONNECTS, OPERATIONS, Effect
from trioproxy.evidence.seen import Evidence
from trioproxy.file.policyfile import PolicyFile
from trioproxy.judge.meaning import Limited
from trioproxy.judge.more import open_sections
from trioproxy.judge.power import WORDS, Power
from trioproxy.judge.rules import Policy
from trioproxy.learning.flows import Flow, half_granted
from trioproxy.learning.proposal import describe_ready
from trioproxy.learning.wording import count, day, days, describe_watch, from_logs
from trioproxy.limits.limit import ANY
from trioproxy.limits.objects import OWN
from trioproxy.quoting import argument
from trioproxy.review.attacking import try_all
from trioproxy.review.compare import Comparison, compare
from trioproxy.review.markup import Children, Markup, element
from trioproxy.review.parts import (
    Section,
    badge,
    bullets,
    code,
    headed,
    para,
    seen_of,
    sentence,
    some_codes,
    table,
    under,
    way_of,
)
from trioproxy.review.readings import HOLE, reading
from trioproxy.review.sheet import (
    DAY,
    UNUSED_DAYS,
    Line,
    Sheet,
    Standing,
    flips_of,
    sheet_of,
    split_news,
    unused_for,
)
from trioproxy.review.translate import elsewhere
from trioproxy.values import value_class

BEGINNING: Final = "<!doctype html>\n<!-- a report of trioproxy -->\n"
"""By which a file is known to be one of ours, that the next report may replace."""
HARMLESS: Final = (
    "What is harmless, as it gives no power over the host, may always be asked for: a"
    " container's command, user, environment, labels and resources, volumes by name,"
    " networks of its own."
)
NEWS_SHOWN: Final = 12
"""Of what came up on one day."""
VALUES_SHOWN: Final = 4
"""Of the values that one item fits."""


@value_class
class Record:
    """An evidence file that was read."""

    path: str
    digest: str
    """SHA-256 of its bytes, in hexadecimal."""
    evidence: Evidence


def page(
    file: PolicyFile,
    learned: Record | None = None,
    *,
    old: PolicyFile | None = None,
    live: Record | None = None,
) -> str:
    """Write the page.

    `learned`: the evidence next to the file; `old`: what to compare it with; `live`: what
    really happens.
    """
    sheet = sheet_of(file.policy, learned.evidence if learned else None)
    found = compare(old.policy, file.policy) if old else None
    sections = list(_sections(file, sheet, live))
    if learned and sheet.news:
        sections.insert(0, _news(sheet, learned))
    if old and found:
        sections.insert(0, _changes(old, file, found, learned, sheet))
    sections.append(_provenance(file, learned, old, live))
    was_safe = old.path if old and found and found.is_root_new else ""
    body = element(
        "body",
        element("a", "Skip to the answer", href="#answer", class_="skip"),
        element(
            "header",
            element("p", "What may this client do to the Engine?", class_="kicker"),
            element("h1", code(file.path)),
        ),
        element(
            "main",
            _answer(sheet, sections, learned, was_safe),
            [one.markup for one in sections],
        ),
        element("footer", para(f"Written by trioproxy {__version__}.")),
    )
    title = f"{file.path}: {sheet.meaning.answer}"
    html = element("html", _head(title), body, lang="en")
    return f"{BEGINNING}{html}\n"


def _head(title: str) -> Markup:
    style = resources.files("trioproxy.review").joinpath("page.css").read_text("utf-8")
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


def _answer(
    sheet: Sheet, sections: Iterable[Section], learned: Record | None, was_safe: str
) -> Markup:
    """The verdict, what it holds for, and links; `was_safe`: an older file that gave no way."""
    meaning = sheet.meaning
    ways = meaning.ways
    word = f"Yes, in {count(len(ways), 'known way')}." if ways else "No known way."
    used = [one for one in sheet.operations if one.seen and one.seen.last]
    facts: list[Children] = [
        _number(len(sheet.operations), f"of {len(OPERATIONS)} operations are open"),
        _number(sheet.writes, "of them write"),
    ]
    if learned:
        facts.append(_number(len(used), f"of them were used in {learned.path}"))
    links = [element("a", one.title, href=f"#{one.place}") for one in sections]
    return element(
        "section",
        element("h2", "Can it become root on the host?", id="answer"),
        para(word, class_="verdict"),
        bullets(map(way_of, ways), "ol") or sentence(meaning.answer),
        para("That is new: ", code(was_safe), " gave no known way.", class_="worse")
        if was_safe
        else None,
        para(f"It holds {meaning.relies_on}.") if meaning.relies_on else None,
        bullets(facts, class_="facts", role="list"),
        element("nav", bullets(links, role="list"), aria_label="On this page"),
        aria_labelledby="answer",
        class_=f"answer {'yes' if ways else 'no'}",
    )


def _number(number: int, words: str) -> list[Children]:
    return [element("strong", number), f" {words}"]


def _sections(file: PolicyFile, sheet: Sheet, live: Record | None) -> Iterator[Section]:
    """Make those for which there is something to say, in the order of the page."""
    meaning = sheet.meaning
    if meaning.limits:
        told = f"{HARMLESS} Beyond that, what is listed here; each item may come with any other."
        lists = _lists(sheet, meaning.limits)
        yield Section("arguments", "What its requests may ask for", para(told), lists)
    if meaning.objects:
        yield Section(
            "objects",
            "Which objects they may name",
            para("The objects that are listed here, and no others."),
            _lists(sheet, meaning.objects),
            map(sentence, meaning.beside_objects),
        )
    if meaning.redacted:
        hidden = map(sentence, meaning.redacted)
        yield Section("answers", "What answers do not tell", hidden)
    yield _operations(file, sheet)
    yield _attacks(file)
    others = [one for one in sheet.lines if one.standing is not Standing.GRANTED]
    flows = half_granted(sheet.policy.opened_operations)
    if others or flows:
        yield _others(others, flows)
    if live:
        yield _drift(file, live)


def _operations(file: PolicyFile, sheet: Sheet) -> Section:
    """What it may do: the operations, by power; who used them; and the price elsewhere."""
    policy = sheet.policy
    unknown = [*policy.routes, *(f"all of {name}" for name in open_sections(policy))]
    by_level = defaultdict[str, list[Line]](list)
    for one in sorted(sheet.operations, key=lambda one: one.power.rank):
        by_level[one.power.level].append(one)
    tables = list[Children]()
    for level, lines in by_level.items():
        caption = f"{count(len(lines), 'operation')}, {Power(level).shown}"
        title = [badge(Power(level)), f" {WORDS[level]}"]
        tables.append(headed(title, _granted(sheet, lines, caption)))
    return Section(
        "operations",
        "What it may do",
        tables or para("Nothing: no operation is open."),
        headed(
            "Routes that this version does not know pass, too",
            bullets(code(str(one)) for one in unknown),
        ),
        para(f"Elsewhere: {elsewhere(policy, file.variables)}."),
    )


def _granted(sheet: Sheet, lines: Sequence[Line], caption: str) -> Markup | None:
    """A table of what is granted; without evidence there are no columns for it.

    Of a value it is not known who asked for it.
    """
    heads = ["Granted", "What that is"]
    if any(one.seen for one in lines):
        is_known = any(one.endpoint for one in lines)
        heads += ["Seen", "By"] if is_known else ["Seen"]
    rows = [
        [_name(one), _told(one, sheet.policy), seen_of(one.seen), _who(one)]
        for one in lines
    ]
    shown = [one[: len(heads)] for one in rows]
    return table(caption, heads, shown, class_="granted")


def _name(line: Line) -> Children:
    endpoint = line.endpoint
    if endpoint is None:
        # What stands for more than itself is marked.
        parts = enumerate(HOLE.split(line.grant.item))
        item = [element("mark", one) if at % 2 else one for at, one in parts]
        return element("code", item)
    marks = ["writes"] * (endpoint.effect is Effect.WRITE)
    marks += [CONNECTS] * endpoint.connects
    return [
        element("strong", code(line.grant.item)),
        [[" ", element("span", one, class_="effect")] for one in marks],
        under(line.route),
    ]


def _told(line: Line, policy: Policy) -> Children:
    """What it is; of an item, what its parts stand for and what was asked for."""
    if line.endpoint:
        return line.power.why
    told: list[Children] = (
        [[badge(line.power), f": {line.power.why}"]] if line.power.is_root else []
    )
    told += [[code(part), f": {words}"] for part, words in reading(line.grant, policy)]
    if values := line.seen.values if line.seen else ():
        told.append(["asked for: ", some_codes(values, VALUES_SHOWN)])
    return [element("div", one) for one in told] or "exactly this"


def _who(line: Line) -> Children:
    seen = line.seen
    if seen is None or not seen.last:
        return "nobody"
    names = seen.programs or seen.clients
    return [line.among(names), some_codes(names)]


def _lists(sheet: Sheet, limits: Sequence[Limited]) -> list[Children]:
    """Each list, item by item; then what is open, and what is closed."""
    shown = list[Children]()
    for one in limits:
        items = sheet.items(one.variable)
        caption = f"{count(len(items), 'item')} of {one.variable}"
        of_it = _granted(sheet, items, caption)
        shown.append(headed([code(one.variable), f" {one.line}"], of_it))
    for words, names in (
        ("Anything at all of ", [one.variable for one in limits if one.value == ANY]),
        ("Nothing of ", [one.variable for one in limits if not one.value]),
    ):
        if names:
            shown.append(para(words, some_codes(names, len(names)), "."))
    return shown


def _attacks(file: PolicyFile) -> Section:
    """Which known attacks it shuts, and what would shut the others."""
    trials = try_all(file.variables, file.policy)
    rows = list[list[Children]]()
    for one in chain(*trials.groups):
        gives = badge(Power(one.attack.gives))
        remedy = code(one.remedy) if one.remedy else "no line"
        rows.append([one.attack.name, gives, remedy, one.attack.source])
    heads = ("Attack", "It gives", "What would shut it", "Known from")
    return Section(
        "attacks",
        "Which known attacks it shuts",
        para(f"{trials}. Each of their requests was judged as a client's is."),
        table(f"Open: {len(rows)}", heads, rows),
    )


def _others(lines: Iterable[Line], flows: Iterable[Flow]) -> Section:
    """What came up and is not granted, and where a client may stop half-way."""
    halves: list[Children] = [
        [code(one.has), " without ", code(one.lacks), f": {one.why}"] for one in flows
    ]
    rows = list[list[Children]]()
    for one in lines:
        why = one.note or str(one.standing)
        asked = f"{one.seen.count}\u00d7" if one.seen and one.seen.count else "never"
        rows.append([code(one.grant.name), badge(one.power), why, asked])
    heads = ("Operation or value", "Risk", "Why it is not granted", "Asked for")
    return Section(
        "left-out",
        "What it may not do",
        table("What came up, or usually does", heads, rows, class_="left-out"),
        headed("Where the client may stop half-way", bullets(halves)),
    )


def _news(sheet: Sheet, learned: Record) -> Section:
    """What came up when, and whether that is all."""
    told = describe_ready(learned.evidence, sheet.policy.opened_operations, sheet.news)
    newest, before = split_news(sheet.news)
    days: list[Children] = [
        [element("time", when, datetime=when), ": ", some_codes(names, NEWS_SHOWN)]
        for when, names in newest.items()
    ]
    return Section(
        "news",
        "What is new since when",
        sentence(told) if told else None,
        bullets([*days, f"{before}."]),
    )


# --- Beside other files -------------------------------------------------------------


def _until(lines: Iterable[Line]) -> str:
    """The last day on which something of these came up; empty: that is not known.

    Objects of its own are listed before there are any.
    """
    firsts = [
        one.seen.first
        for one in lines
        if one.seen and one.seen.last and one.grant.item != OWN
    ]
    return day(max(firsts)) if firsts else ""


def _changes(
    old: PolicyFile,
    file: PolicyFile,
    found: Comparison,
    learned: Record | None,
    sheet: Sheet,
) -> Section:
    """What is different from another file, root first; and for whom, where that is known."""
    more, less = ({one.grant for one in side} for side in (found.more, found.less))
    others = [one for one in sheet.lines if one.grant in less]
    known = _until([*others, *(o for o in sheet.granted if o.grant not in more)])
    was, now = code(old.path), code(file.path)
    said = para(
        f"It grants {found.extent} than ",
        was,
        f". Root on the host: {found.root}.",
        class_="worse" if found.is_root_new else None,
    )
    return Section(
        "changes",
        "What changed",
        said if found.extent else para("It grants what ", was, " grants."),
        para(
            *("The newest of what ", was, f" grants came up on {known}, of what "),
            *(now, f" grants on {_until(sheet.granted)}."),
        )
        if known
        else None,
        headed("New ways to root on the host", bullets(map(way_of, found.ways))),
        headed("More", _grants(found.more)),
        headed("Less", _grants(found.less)),
        _flipped(old, file, learned.evidence) if learned else None,
    )


def _grants(lines: Sequence[Line]) -> Markup | None:
    rows = [[code(one.grant.name), badge(one.power), one.does] for one in lines]
    heads = ("Grant", "Risk", "What that is")
    return table(count(len(lines), "grant"), heads, rows, class_="grants")


def _flipped(old: PolicyFile, file: PolicyFile, evidence: Evidence) -> Children:
    """What was observed and one of the files alone allows."""
    flips = flips_of(old.policy, file.policy, evidence)
    rows: list[list[Children]] = [
        [code(one.grant.name), code(by.path), seen_of(one.seen), _who(one)]
        for by, lines in ((old, flips.refused), (file, flips.allowed))
        for one in lines
    ]
    caption = f"{flips.number} of {flips.recorded} operations, values and objects"
    return headed(
        "What was observed and only one of the two files allows",
        rows and para(f"The last on {day(flips.last)}."),
        table(caption, ("What", "Allowed by", "Seen", "By"), rows),
    )


def _drift(file: PolicyFile, live: Record) -> Section:
    """What really happens: refused, and granted without need."""
    sheet = sheet_of(file.policy, live.evidence)
    facts = live.evidence.completeness()
    # Unused is what was not used in the last days that were watched.
    unused = sheet.unused(facts.last - UNUSED_DAYS * DAY)
    refused = list[list[Children]]()
    for one in sheet.refused:
        root = under(badge(one.power), f": {one.power.why}")
        why: Children = [one.told, root if one.power.is_root else None]
        if seen := one.seen:
            asked: Children = [f"{seen.count}\u00d7", under(f"last {day(seen.last)}")]
            refused.append([code(one.grant.name), why, asked, _who(one)])
    heads = ("What", "Why", "Asked for", "By")
    none = "It refuses nothing that was sent."
    if not live.evidence.facts:
        none = "Nothing is recorded there."
    return Section(
        "drift",
        "What really happens",
        para(code(live.path), f": {_watched(live.evidence)}."),
        table("Refused, or would be", heads, refused, class_="refused") or para(none),
        headed(
            f"Granted, and not used {unused_for(facts.seconds)}",
            bullets([code(one.grant.name), one.last_used] for one in unused),
        ),
    )


def _watched(evidence: Evidence) -> str:
    """Say how much was watched."""
    facts = evidence.completeness()
    when = days(facts.first, facts.last)
    return f"{when}, {describe_watch(facts)}{from_logs(evidence)}"


def _provenance(
    file: PolicyFile,
    learned: Record | None,
    old: PolicyFile | None,
    live: Record | None,
) -> Section:
    dropped = learned.evidence.dropped() if learned else 0
    name = argument(file.path)
    compare_with = f"trioproxy diff OLD.env {name} --as html -o PAGE.html"
    rows: dict[str, Children] = {
        "File": _source(file),
        "Evidence": _source(learned) if learned else None,
        "Watched": _watched(learned.evidence) if learned else None,
        "Without room": count(dropped, "value") if dropped else None,
        "Compared with": _source(old)
        if old
        else ["nothing; what is new since an older file shows ", code(compare_with)],
        "Beside": _source(live) if live else None,
        "Warnings": bullets(file.warnings),
    }
    pairs = [
        element("div", element("dt", name), element("dd", value))
        for name, value in rows.items()
        if value
    ]
    return Section("provenance", "Where this comes from", element("dl", pairs))


def _source(one: PolicyFile | Record) -> list[Children]:
    digest = element("span", f"SHA-256 {one.digest}", class_="digest")
    return [code(one.path), digest]
