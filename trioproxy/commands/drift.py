"""`trioproxy drift`: a file beside what really happens."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import click

from trioproxy.api.routes import OPERATIONS
from trioproxy.commands.observed import read_evidence
from trioproxy.commands.policyfile import PolicyFile
from trioproxy.commands.terminal import show
from trioproxy.evidence.seen import Completeness
from trioproxy.evidence.strictjson import iso
from trioproxy.learning.wording import count, some, span
from trioproxy.review.reality import Drift, drift

DRIFTED = 1
DAY = 86_400
CLIENTS_SHOWN = 5

EPILOG = """\b
Examples:
  trioproxy enforce --env-file learned/app.env --record live.jsonl
  trioproxy drift learned/app.env --evidence live.jsonl

Exit status: 0 nothing refused, 1 something was refused, 2 bad input.
"""


@click.command(name="drift", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.option(
    "--evidence",
    required=True,
    metavar="LIVE.jsonl",
    help="What enforce --record or --shadow --record kept.",
)
@click.option(
    "--days",
    default=30,
    show_default=True,
    type=click.IntRange(min=0, max=36_500),
    metavar="N",
    help="Granted and not used for so long is reported.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, file: str, evidence: str, days: int, as_json: bool) -> int:
    """Show what clients send and FILE refuses, and what FILE grants and nobody uses.

    For what is refused the line is shown that would allow it. What is unused is only
    reported: rare jobs look unused for a long time.
    """
    policy = PolicyFile.read(file).policy
    live = read_evidence(Path(evidence))
    found = drift(policy, live, since=int(time.time()) - days * DAY)
    facts = live.completeness()
    if as_json:
        click.echo(json.dumps(_data(file, evidence, found, facts), indent=2))
    else:
        show(*_lines(file, evidence, found, facts, days))
    return DRIFTED if found.refused or found.refused_values else 0


def _lines(
    file: str, evidence: str, found: Drift, facts: Completeness, days: int
) -> Iterator[str]:
    yield (
        f"{evidence}: {count(facts.runs, 'run')}, watched for {span(facts.seconds)},"
        f" until {iso(facts.last)}"
    )
    if not found.refused and not found.refused_values:
        yield f"{file} refuses nothing that was sent"
    else:
        yield f"{file} refuses:"
        yield from _refused(found)
    lines = [found.line] if found.line else []
    lines += [f"{name}={value}" for name, value in found.lines.items()]
    # A line that is pasted without a look allows nothing that gives root.
    roots = tuple(f"{name}=" for name in found.root)
    lines = [f"# root: {one}" if one.startswith(roots) else one for one in lines]
    if lines:
        what = "this line" if len(lines) == 1 else "these lines"
        yield f"{what} would allow it (review it first):"
        yield from (f"  {line}" for line in lines)
    unused = list(_unused(found, days))
    yield from unused
    if unused and facts.seconds < days * DAY:
        yield f"  (only {span(facts.seconds)} were watched: that proves little)"


def _refused(found: Drift) -> Iterator[str]:
    for one in found.refused:
        who = f", by {some(one.clients, CLIENTS_SHOWN)}" if one.clients else ""
        yield f"  {one.count}x {one.message}, last {iso(one.last)[:10]}{who}"
    for value in found.refused_values:
        seen = value.facts
        yield f"  {seen.count()}x {value.message}, last {iso(seen.last)[:10]}"
        if value.root:
            yield f"     that gives root on the host: it {value.root}"


def _unused(found: Drift, days: int) -> Iterator[str]:
    if found.unused:
        yield f"granted, and not used for {count(days, 'day')}:"
    for one in found.unused:
        endpoint = OPERATIONS[one.operation][0]
        route = f"{endpoint.method} {endpoint.template}"
        yield f"  {one.operation} ({route}), {_last(one.last)}"
    if found.unused_values:
        yield f"listed, and not asked for since {count(days, 'day')}:"
    for item in found.unused_values:
        yield f"  {item.variable}={item.item}, {_last(item.last)}"


def _last(date: int) -> str:
    return f"last {iso(date)[:10]}" if date else "never seen"


def _data(
    file: str, evidence: str, found: Drift, facts: Completeness
) -> dict[str, object]:
    return {
        "file": file,
        "evidence": evidence,
        "watched_seconds": facts.seconds,
        "refused": [
            {
                "operation": one.shape.operation,
                "method": one.shape.method,
                "section": one.shape.section,
                "count": one.count,
                "first": iso(one.first),
                "last": iso(one.last),
                "message": one.message,
                "clients": list(one.clients),
            }
            for one in found.refused
        ],
        "line": found.line,
        "refused_values": [
            {
                "variable": one.argument.variable,
                "value": one.argument.value,
                "operation": one.argument.operation,
                "count": one.facts.count(),
                "first": iso(one.facts.first),
                "last": iso(one.facts.last),
                "message": one.message,
                "root": one.root,
            }
            for one in found.refused_values
        ],
        "lines": dict(found.lines),
        "unused": [
            {"operation": one.operation, "last": iso(one.last) if one.last else None}
            for one in found.unused
        ],
        "unused_values": [
            {
                "variable": one.variable,
                "item": one.item,
                "last": iso(one.last) if one.last else None,
            }
            for one in found.unused_values
        ],
        "values_watched": found.has_values,
    }
