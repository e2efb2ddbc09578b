"""`trioproxy drift`: a file beside what really happens."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from trioproxy.commands.observed import read_evidence
from trioproxy.commands.policyfile import PolicyFile
from trioproxy.commands.sheetlines import line_data, refused_text
from trioproxy.commands.terminal import show
from trioproxy.evidence.strictjson import iso
from trioproxy.learning.wording import count, span
from trioproxy.review.sheet import Line, Sheet, additions, sheet_of

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
    """Show what clients send and FILE refuses, and what FILE grants and nobody uses.

    For what is refused the line is shown that would allow it. What is unused is only
    reported: rare jobs look unused for a long time.
    """
    policy = PolicyFile.read(file).policy
    live = read_evidence(Path(evidence))
    sheet = sheet_of(policy, live)
    unused = sheet.unused(int(time.time()) - days * DAY)
    facts = live.completeness()
    if as_json:
        data = {
            "file": file,
            "evidence": evidence,
            "watched_seconds": facts.seconds,
            "refused": list(map(line_data, sheet.refused)),
            "lines": [
                {"line": str(one.grant), "root": one.root} for one in additions(sheet)
            ],
            "unused": list(map(line_data, unused)),
            "values_watched": sheet.knows_values,
        }
        click.echo(json.dumps(data, indent=2))
    else:
        show(
            f"{evidence}: {count(facts.runs, 'run')}, watched for {span(facts.seconds)},"
            f" until {iso(facts.last)}",
            *(
                _refused(file, sheet)
                if sheet.refused
                else [f"{file} refuses nothing that was sent"]
            ),
            *_unused(unused, facts.seconds, days),
        )
    return DRIFTED if sheet.refused else 0


def _refused(file: str, sheet: Sheet) -> Iterator[str]:
    yield f"{file} refuses:"
    for one in sheet.refused:
        yield from refused_text(one)
    # A line that is pasted without a look allows nothing that gives root.
    lines = [f"{'# root: ' * bool(one.root)}{one.grant}" for one in additions(sheet)]
    if lines:
        what = "this line" if len(lines) == 1 else "these lines"
        yield f"{what} would allow it (review it first):"
        yield from (f"  {line}" for line in lines)


def _unused(lines: Sequence[Line], seconds: int, days: int) -> Iterator[str]:
    if lines:
        yield f"granted, and not used for {count(days, 'day')}:"
    for one in lines:
        last = one.seen.last if one.seen else 0
        yield f"  {one.grant.name}, {f'last {iso(last)[:10]}' if last else 'never seen'}"
    if lines and seconds < days * DAY:
        yield f"  (only {span(seconds)} were watched: that proves little)"
