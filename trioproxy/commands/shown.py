"""Routes, lists and names as they are shown: in 80 columns, in Markdown, to a program."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Final

from trioproxy.api.routes import CONNECTS, Endpoint
from trioproxy.judge.power import Power
from trioproxy.quoting import visible

WIDTH: Final = 80
SOFT: Final = "\v"
"""Where a list may be broken: white space to `textwrap`, and nothing in a line."""


def route_line(endpoint: Endpoint) -> str:
    """Show an endpoint in a line of at most 80 columns."""
    route = f"  {endpoint.operation:<24} {endpoint.method:<7} {endpoint.template}"
    return route if len(route) <= WIDTH else f"  {' '.join(route.split())}"


def risk_text(power: Power, endpoint: Endpoint | None) -> str:
    """Show what something gives at worst, and whether it opens a connection beside."""
    connects = f", {CONNECTS}" if endpoint and endpoint.connects else ""
    return f"{power.shown}{connects}"


def wrapped(text: str, indent: str = "") -> list[str]:
    """Break a line of ours after `WIDTH` columns, wherever it goes: between words, and
    between the items of a list."""
    lines = textwrap.wrap(
        re.sub(r",(?=\S)", f",{SOFT}", visible(text.strip(" "))),
        width=WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return [line.replace(SOFT, "") for line in lines]


def as_code(text: str) -> str:
    """Show text as code in Markdown, whatever is in it."""
    return f"`{visible(text).replace('`', '').replace('|', '')}`"


def fenced(lines: Iterable[str]) -> Iterator[str]:
    """Show lines in Markdown as they are on a terminal."""
    yield "```text"
    yield from lines
    yield "```"


FIELDS: Final = "operation method template section effect stream files risk summary"
"""What a program is told of an endpoint, as text."""


def as_data(endpoint: Endpoint) -> dict[str, object]:
    """Show an endpoint to a program."""
    told = {name: str(getattr(endpoint, name)) for name in FIELDS.split()}
    return told | {"connects": endpoint.connects}
