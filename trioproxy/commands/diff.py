"""`trioproxy diff`: what one file grants more or less than another."""

import json
from collections.abc import Iterator

import click

from trioproxy.commands.policyfile import PolicyFile, as_code, as_data
from trioproxy.commands.terminal import show, write
from trioproxy.judge.meaning import Way
from trioproxy.learning.wording import count
from trioproxy.review.compare import Comparison, Grant, compare

MORE = 1
"""Exit status where the new file grants more: a gate for CI."""

EPILOG = """\b
Examples:
  trioproxy diff learned/app.env candidate.env
  trioproxy diff --markdown old.env new.env >> "$GITHUB_STEP_SUMMARY"

Exit status: 0 nothing more, 1 NEW grants more, 2 bad input.
"""


@click.command(name="diff", epilog=EPILOG)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
def command(*, old: str, new: str, as_json: bool, markdown: bool) -> int:
    """Show what the policy file NEW grants more and less than OLD.

    The two are compared by what they decide, so a list can be compared with section
    variables. Use it as a gate: the exit status is 1 when NEW grants more.
    """
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other")
    before, after = PolicyFile.read(old), PolicyFile.read(new)
    found = compare(before.policy, after.policy)
    if as_json:
        click.echo(json.dumps(_data(old, new, found), indent=2))
    elif markdown:
        write(_markdown(old, new, found))
    else:
        show(*_text(old, new, found))
    return MORE if found.more or found.is_root_new else 0


def _data(old: str, new: str, found: Comparison) -> dict[str, object]:
    return {
        "old": old,
        "new": new,
        "root": {
            "before": found.was_root,
            "after": found.is_root,
            "new": found.is_root_new,
            "new_ways": [
                {
                    "operation": way.operation,
                    "argument": str(way.grant or ""),
                    "why": way.why,
                }
                for way in found.ways
            ],
        },
        "more": [_grant_data(grant) for grant in found.more],
        "less": [_grant_data(grant) for grant in found.less],
    }


def _grant_data(grant: Grant) -> dict[str, object]:
    data: dict[str, object] = {"name": grant.name}
    if grant.endpoint is None:
        return {**data, "root": grant.root}
    return {**data, **as_data(grant.endpoint), "limited": grant.is_limited}


def _text(old: str, new: str, found: Comparison) -> Iterator[str]:
    if not found.more and not found.less:
        yield f"{new} grants what {old} grants"
        return
    yield f"{new} grants {found.extent} than {old}; root on the host: {found.root}"
    for way in found.ways:
        yield f"  ! {_way(way)}"
    for sign, grants in (("+", found.more), ("-", found.less)):
        for grant in grants:
            yield f"  {sign} {_describe(grant)}".rstrip()


def _way(way: Way) -> str:
    where = f"{way.operation}, {way.grant}" if way.grant else way.operation
    return f"{where}: {way.why}"


def _describe(grant: Grant) -> str:
    endpoint = grant.endpoint
    if endpoint is None:
        return (
            f"{grant.name}  {grant.marks}: {grant.line}" if grant.root else grant.name
        )
    route = f"{endpoint.method} {endpoint.template}"
    return f"{grant.name:<24} {route}  {grant.marks}: {grant.line}"


def _markdown(old: str, new: str, found: Comparison) -> Iterator[str]:
    if not found.more and not found.less:
        yield f"**{as_code(new)} grants what {as_code(old)} grants.**"
        return
    yield f"**{as_code(new)} grants {found.extent} than {as_code(old)}; root on the host: {found.root}**"
    yield ""
    if found.ways:
        for way in found.ways:
            where = f"{way.operation}, {way.grant}" if way.grant else way.operation
            yield f"- {as_code(where)}: {way.why}"
        yield ""
    yield "| | operation | route | risk | |"
    yield "|---|---|---|---|---|"
    for sign, grants in (("**+**", found.more), ("\u2212", found.less)):
        for grant in grants:
            yield f"| {sign} | {' | '.join(_cells(grant))} |"
    if found.more:
        yield ""
        yield f"{count(len(found.more), 'grant')} to review before this is merged."


def _cells(grant: Grant) -> list[str]:
    endpoint = grant.endpoint
    route = as_code(f"{endpoint.method} {endpoint.template}") if endpoint else ""
    marks = grant.marks
    is_loud = bool(marks) and marks.partition(",")[0].isupper()
    return [
        as_code(grant.name),
        route,
        f"**{marks}**" if is_loud else marks,
        grant.line,
    ]
