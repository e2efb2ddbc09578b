"""`trioproxy drift`: a file beside what really happens."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import click

from trioproxy.commands.evidence import read_evidence
from trioproxy.commands.policyfile import PolicyFile
from trioproxy.learning.evidence import Completeness
from trioproxy.learning.strictjson import iso
from trioproxy.learning.wording import count, span
from trioproxy.policy.endpoints import OPERATIONS
from trioproxy.review.drift import Drift, drift

DRIFTED = 1
DAY = 86_400

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
    """Show what FILE refuses that clients send, and grants that nobody uses.

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
        click.echo("\n".join(_lines(file, evidence, found, facts, days)))
    return DRIFTED if found.refused else 0


def _lines(
    file: str, evidence: str, found: Drift, facts: Completeness, days: int
) -> Iterator[str]:
    yield (
        f"{evidence}: {count(facts.runs, 'run')}, watched for {span(facts.seconds)},"
        f" until {iso(facts.last)}"
    )
    if not found.refused:
        yield f"{file} refuses nothing that was sent"
    else:
        yield f"{file} refuses:"
        for one in found.refused:
            yield f"  {one.count}x {one.message}, last {iso(one.last)[:10]}"
    if found.line:
        yield "this line would allow it (review it first):"
        yield f"  {found.line}"
    if found.unused:
        yield f"granted, and not used for {count(days, 'day')}:"
        for unused in found.unused:
            endpoint = OPERATIONS[unused.operation][0]
            last = f"last {iso(unused.last)[:10]}" if unused.last else "never seen"
            route = f"{endpoint.method} {endpoint.template}"
            yield f"  {unused.operation} ({route}), {last}"
        if facts.seconds < days * DAY:
            yield f"  (only {span(facts.seconds)} were watched: that proves little)"


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
            }
            for one in found.refused
        ],
        "line": found.line,
        "unused": [
            {"operation": one.operation, "last": iso(one.last) if one.last else None}
            for one in found.unused
        ],
    }
