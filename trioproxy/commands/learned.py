"""`trioproxy learned`: the policy files that come with the program."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from trioproxy.commands.catalogue import LIST, PREFIX, folder, locate
from trioproxy.commands.terminal import show
from trioproxy.file.permissions import parse_policy_file
from trioproxy.files import read_text
from trioproxy.judge.power import Power, Powers
from trioproxy.review.sheet import grants_of

EPILOG = """\b
Examples:
  trioproxy learned
  trioproxy explain learned:glances
  trioproxy enforce --env-file learned:glances
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, what it was learned from, and how risky it is."""

    name: str
    client: str
    version: str
    learned: str
    """The last day of learning, `2026-11-25`."""
    missing: str
    """What of the client could not be exercised; such a file is partial."""
    point: str
    """How the client is pointed at the proxy, in Markdown."""
    power: str
    """The worst that one of its grants gives: a risk, or `limited`."""
    root: bool
    """Whether root on the host can be reached through it, by a way that is known."""
    operations: list[str]


@click.command(name="learned", epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> None:
    """List the policies that were learned from real clients and come with the program.

    Each has its client, the version, the day, and the worst that it grants. Wherever
    a policy file is named, learned:NAME is one of these. A partial one lacks something
    that the client can do.
    """
    entries = list(_entries())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in entries], indent=2))
    else:
        show(*_lines(entries))


def _entries() -> Iterator[Entry]:
    for one in json.loads(read_text(folder() / LIST)):
        name = f"{PREFIX}{one['name']}"
        policy, _ = parse_policy_file(read_text(locate(name)), name=name)
        power = Powers(policy).worst(grants_of(policy))
        yield Entry(
            **one,
            power=power.level,
            root=power.is_root,
            operations=sorted(policy.opened_operations),
        )


def _lines(entries: list[Entry]) -> Iterator[str]:
    width = max(len(one.name) for one in entries)
    for one in entries:
        partial = ", partial" if one.missing else ""
        yield f"{one.name:<{width}}  {one.learned}  {Power(one.power).shown}"
        yield f"    {one.client} {one.version}{partial}"
