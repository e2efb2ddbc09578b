"""`trioproxy operations`: the table of the Engine's operations."""

import json
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import groupby

import click

from trioproxy.api.routes import ENDPOINTS, Effect, Endpoint
from trioproxy.commands.policyfile import as_data, describe
from trioproxy.commands.terminal import show
from trioproxy.errors import ConfigError

# Beside the section variables: routes that no variable opens, and OPTIONS on any path.
SECTIONS = tuple(sorted({endpoint.section for endpoint in ENDPOINTS}))

EPILOG = """\b
Examples:
  trioproxy operations
  trioproxy operations --section volumes
  trioproxy operations --json | jq '.[] | select(.risk == "host-root")'
"""


@click.command(name="operations", epilog=EPILOG)
@click.option("--section", metavar="SECTION", help="Only this section, such as IMAGES.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, section: str | None, as_json: bool) -> None:
    """List the Engine's operations: name, route, effect and risk.

    The names are those that ALLOW_OPERATIONS takes.
    """
    endpoints = _select(section)
    if as_json:
        click.echo(json.dumps([as_data(endpoint) for endpoint in endpoints], indent=2))
    else:
        show(*_lines(endpoints))


def _select(section: str | None) -> list[Endpoint]:
    if section is None:
        return list(ENDPOINTS)
    name = section.upper()
    if name not in SECTIONS:
        near = get_close_matches(name, SECTIONS, n=1)
        raise ConfigError(
            f"there is no section {section[:64]!r}",
            hint=f"did you mean {near[0]}?"
            if near
            else f"one of {', '.join(SECTIONS)}",
        )
    return [endpoint for endpoint in ENDPOINTS if endpoint.section == name]


def _lines(endpoints: list[Endpoint]) -> Iterator[str]:
    for section, members in groupby(endpoints, key=lambda one: one.section):
        yield section
        for endpoint in members:
            route, summary = describe(endpoint)
            mark = "writes, " if endpoint.effect is Effect.WRITE else ""
            yield route
            yield f"{summary} [{mark}{endpoint.marks}]"
