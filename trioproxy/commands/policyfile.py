"""What the commands that only look at a policy file share."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from trioproxy.api.routes import Endpoint
from trioproxy.commands.catalogue import locate
from trioproxy.commands.terminal import show
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy_file
from trioproxy.files import read_text
from trioproxy.judge.rules import Policy
from trioproxy.quoting import visible
from trioproxy.values import value_class


@value_class
class PolicyFile:
    """A file as it was read."""

    path: str
    variables: Mapping[str, str]
    policy: Policy
    warnings: tuple[str, ...]

    @classmethod
    def read(cls, path: str) -> "PolicyFile":
        """Read a file, and warn on stderr; `ConfigError` says what is wrong with it."""
        file = cls.of(read_text(locate(path)), path)
        for warning in file.warnings:
            show(f"trioproxy: {path}: {warning}", err=True)
        return file

    @classmethod
    def of(cls, text: str, path: str) -> "PolicyFile":
        """A file of this text."""
        policy, warnings = parse_policy_file(text, name=path)
        variables = envfile.parse(text, name=path)
        return cls(path=path, variables=variables, policy=policy, warnings=warnings)


WIDTH: Final = 80
SOFT: Final = "\v"
"""Where a list may be broken: white space to `textwrap`, and nothing in a line."""


def describe(endpoint: Endpoint) -> Iterator[str]:
    """Show an endpoint in lines of at most 80 columns."""
    route = f"  {endpoint.operation:<24} {endpoint.method:<7} {endpoint.template}"
    yield route if len(route) <= WIDTH else f"  {' '.join(route.split())}"
    yield f"      {endpoint.summary}"


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


def as_data(endpoint: Endpoint) -> dict[str, object]:
    """Show an endpoint to a program."""
    return {
        "operation": endpoint.operation,
        "method": endpoint.method,
        "template": endpoint.template,
        "section": endpoint.section,
        "effect": str(endpoint.effect),
        "stream": str(endpoint.stream),
        "files": str(endpoint.files),
        "risk": str(endpoint.risk),
        "connects": endpoint.connects,
        "summary": endpoint.summary,
    }
