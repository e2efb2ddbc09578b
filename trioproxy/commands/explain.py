"""`trioproxy explain`: what a file grants, how risky it is, and what was seen of it."""

from collections.abc import Iterable, Iterator

import click

from trioproxy.api.families import LIMITS
from trioproxy.api.routes import CONNECTS, OPERATIONS
from trioproxy.apiversion import too_old
from trioproxy.commands import observed
from trioproxy.commands.beside import Drifted
from trioproxy.commands.catalogue import READ
from trioproxy.commands.sheetlines import line_data, way_data
from trioproxy.commands.shown import as_code, route_line, wrapped
from trioproxy.commands.terminal import show, write, write_data
from trioproxy.commands.views import View, refuse_output, viewed, write_page
from trioproxy.evidence.seen import Evidence
from trioproxy.file.policyfile import PolicyFile
from trioproxy.judge.meaning import Limited
from trioproxy.judge.more import open_sections
from trioproxy.judge.power import LIMITED, WORDS, Power
from trioproxy.learning.flows import half_granted, unseen_states
from trioproxy.learning.proposal import describe_ready
from trioproxy.learning.wording import describe_learning, some
from trioproxy.limits.limit import ANY
from trioproxy.review.sheet import Line, Sheet, sheet_of, split_news
from trioproxy.review.translate import elsewhere

NAMES_SHOWN = 6
"""Of what came up on one day."""

UNSEEN = "read in the client's source, and never seen at work"
"""Of a file that nobody learned."""

EPILOG = """\b
Examples:
  trioproxy explain learned/app.env
  trioproxy explain learned:glances --as html -o glances.html
"""


@click.command(name="explain", epilog=EPILOG)
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--evidence",
    "live",
    metavar="LIVE.jsonl",
    help="What enforce --record kept: also show what FILE refuses of it.",
)
@viewed
def command(
    *, file: str | None, live: str | None, form: View, output: str | None
) -> None:
    """Show what a policy file grants, how risky it is, and what it opens elsewhere.

    Whether it gives root on the host comes first; then what it opens, by risk. With its
    evidence next to it: how often, in how many of the runs, when and by which programs.

    Without FILE: what there is, which is the policies that come with the program, each
    of them FILE as learned:NAME or documented:NAME, and the operations that the Engine has.
    """
    refuse_output(form, output)
    if file is None:
        _show_inventory(form, live)
        return
    if form is View.HTML:
        write_page(file, output, live=live)
        return
    policy_file = observed.read_policy_file(file)
    learned = observed.evidence_next_to(file)
    evidence = observed.read_evidence(learned) if learned else None
    sheet = sheet_of(policy_file.policy, evidence)
    drifted = Drifted(policy_file, live) if live else None
    if form is View.JSON:
        beside = {"live": drifted.data()} if drifted else {}
        write_data(data(policy_file, sheet) | beside)
    elif form is View.MARKDOWN:
        more = ("", *drifted.markdown()) if drifted else ()
        write([*markdown_lines(policy_file.path, sheet), *more])
    else:
        more = ("", *drifted.lines()) if drifted else ()
        show(*text_lines(policy_file, sheet, evidence), *more)


def _show_inventory(form: View, live: str | None) -> None:
    # Here, for who explains a file reads none of it.
    from trioproxy.commands import inventory

    if live is not None or form not in {View.TEXT, View.JSON}:
        raise click.UsageError("without FILE there is --as text or json, and no more")
    if form is View.JSON:
        write_data(inventory.data())
    else:
        show(*inventory.lines())


# --- Text ---------------------------------------------------------------------------


def text_lines(
    file: PolicyFile, sheet: Sheet, evidence: Evidence | None
) -> Iterator[str]:
    """Say it to a person at a terminal."""
    policy, meaning = sheet.policy, sheet.meaning
    yield from _answer(file.path, sheet)
    if file.path.startswith(READ):
        yield UNSEEN
    yield from _lists(sheet)
    if policy.gone_around:
        yield ""
        yield from wrapped(policy.gone_around)
    if meaning.limits or meaning.objects or meaning.redacted:
        yield ""
    yield from wrapped(
        f"mode {policy.mode}, opens {len(policy.opened)} of"
        f" {len(OPERATIONS)} operations, {sheet.writes} of them writes"
    )
    yield from _learning(sheet, evidence)
    # The worst first: who reads only the beginning has read what matters.
    for level, title in titles().items():
        members = [one for one in sheet.operations if one.power.level == level]
        if members:
            yield ""
            yield f"{title}:"
            yield from (text for one in members for text in _operation(one))
    if policy.routes:
        yield ""
        yield "routes that this version does not know:"
        yield from (f"  {route}" for route in policy.routes)
    told = []
    if sections := open_sections(policy):
        names = ", ".join(sections)
        told.append(f"routes that this version does not know pass too, in: {names}")
    told.append(elsewhere(policy, file.variables))
    if evidence and (outdated := evidence.outdated_operations()):
        told.append(f"{', '.join(sorted(outdated))}: {too_old(evidence.oldest_api)}")
    told += map(str, half_granted(policy.opened_operations))
    for text in told:
        yield ""
        yield from wrapped(text)


def titles() -> dict[str, str]:
    """What the levels of operations are called, the worst first."""
    return {
        level: f"{Power(level).shown}{' ' if level == LIMITED else ', '}{words}"
        for level, words in WORDS.items()
    }


def _answer(path: str, sheet: Sheet) -> Iterator[str]:
    """Root or not, by what, and what that stands on."""
    meaning = sheet.meaning
    yield from wrapped(f"{path}: {meaning.answer}")
    for way in meaning.ways:
        yield from wrapped(f"{way.where}: {way.why}", indent="  ")
    if meaning.relies_on:
        yield from wrapped(f"  {meaning.relies_on}", indent="  ")


def _learning(sheet: Sheet, evidence: Evidence | None) -> Iterator[str]:
    """From what it was learned, whether that is all, and what came up when."""
    if evidence is None:
        return
    opened = sheet.policy.opened_operations
    ready = describe_ready(evidence, opened, sheet.news)
    states = unseen_states(evidence, opened)
    for line in filter(None, (*describe_learning(evidence), ready, *map(str, states))):
        yield from wrapped(line)
    newest, before = split_news(sheet.news)
    for when, names in newest.items():
        yield from wrapped(f"new on {when}: {some(names, NAMES_SHOWN)}")
    if newest:
        yield f"before that: {before}"


def _lists(sheet: Sheet) -> Iterator[str]:
    """What requests may ask for and name, item by item."""
    meaning = sheet.meaning
    asked = "requests may ask for what is harmless, and for:"
    named = "requests may name these objects, and no others:"
    for title, of_it, none in (
        (asked, meaning.limits, "nothing of"),
        (named, meaning.objects, "none of"),
    ):
        if not of_it:
            continue
        yield ""
        yield title
        for one in of_it:
            yield from _list(one, sheet.items(one.variable))
        listed = [one for one in sheet.granted if one.grant.variable in LIMITS]
        if of_it is meaning.limits and len(listed) > 1:
            yield "  values combine: each of them may be asked for with any other"
        if closed := [one.variable for one in of_it if not one.value]:
            yield from wrapped(f"{none} {', '.join(closed)}", indent="  ")
    for text in meaning.beside_objects:
        yield from wrapped(text, indent="  ")
    yield from [""] * bool(meaning.redacted)
    for text in meaning.redacted:
        yield from wrapped(text)


def _list(limited: Limited, lines: Iterable[Line]) -> Iterator[str]:
    if limited.value:
        told = f"{limited.variable}={limited.value}: {limited.line}"
        yield from wrapped(told, indent="  ")
    for one in lines:
        if told := ". ".join(filter(None, (one.power.root_note, one.sighting))):
            yield from wrapped(f"{one.grant.item}: {told}", indent="    ")


def _operation(line: Line) -> Iterator[str]:
    if line.endpoint:
        yield route_line(line.endpoint)
        connects = f" [{CONNECTS}]" if line.endpoint.connects else ""
        yield from wrapped(f"{line.power.why}{connects}", indent="      ")
        if line.sighting:
            yield from wrapped(line.sighting, indent="      ")


# --- Markdown -----------------------------------------------------------------------


def markdown_lines(path: str, sheet: Sheet) -> Iterator[str]:
    """The same, as a person reads it beside the change that it belongs to."""
    meaning = sheet.meaning
    relies = f" It holds {meaning.relies_on}." if meaning.relies_on else ""
    yield f"**{as_code(path)}: {meaning.answer}.**{relies}"
    yield ""
    yield "| risk | what is granted | | seen |"
    yield "|---|---|---|---|"
    for one in sorted(sheet.granted, key=lambda one: one.power.rank):
        route = f" {as_code(one.route)}" if one.route else ""
        seen = one.sighting.removeprefix("seen ")
        yield f"| {one.power.shown} | {as_code(one.grant.name)}{route} | {one.power.why} | {seen} |"
    for text in (*meaning.beside_objects, *meaning.redacted):
        yield ""
        yield f"{text[0].upper()}{text[1:]}."
    limits = (*meaning.limits, *meaning.objects)
    anything = [one.variable for one in limits if one.value == ANY]
    closed = [one.variable for one in limits if not one.value]
    for words, names in (("Anything", anything), ("Nothing", closed)):
        if names:
            yield ""
            yield f"{words} of {', '.join(map(as_code, names))}."


# --- Data ---------------------------------------------------------------------------


def data(file: PolicyFile, sheet: Sheet) -> dict[str, object]:
    """Say it to a program."""
    policy, meaning = sheet.policy, sheet.meaning
    return {
        "file": file.path,
        "mode": policy.mode,
        "root": {
            "known": meaning.is_root,
            "answer": meaning.answer,
            "ways": list(map(way_data, meaning.ways)),
            "only_for": meaning.only_for,
            "conditions": meaning.conditions,
            "surroundings": meaning.surroundings,
            "relies_on": meaning.relies_on,
        },
        "lines": list(map(line_data, sheet.lines)),
        "limits": {one.variable: one.value for one in meaning.limits},
        "objects": {one.variable: one.value for one in meaning.objects},
        "joins": policy.objects.network,
        "shows_listed": policy.shows_listed,
        "hides": policy.hidden_words.split(",") if policy.hidden_words else [],
        "still_shows": policy.still_shows,
        "gone_around": policy.gone_around,
        "unknown_routes_in": open_sections(policy),
        "total": len(OPERATIONS),
        "writes": sheet.writes,
        "elsewhere": elsewhere(policy, file.variables),
        "half_granted": [
            {"has": flow.has, "lacks": flow.lacks, "why": flow.why}
            for flow in half_granted(policy.opened_operations)
        ],
        "warnings": file.warnings,
    }
