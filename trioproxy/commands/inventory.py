"""What there is to be explained: the policy files that come with the program, and the
operations that the Engine has."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from trioproxy.api.routes import ENDPOINTS, Effect
from trioproxy.commands import catalogue
from trioproxy.commands.shown import as_data, route_line, wrapped
from trioproxy.file.permissions import parse_policy_file
from trioproxy.files import read_text
from trioproxy.judge.power import Power, Powers
from trioproxy.review.sheet import grants_of


def lines() -> Iterator[str]:
    """Say it to a person; the names of operations are those of ALLOW_OPERATIONS."""
    yield f"policies that were learned, each as {catalogue.PREFIX}NAME:"
    for one in _entries(catalogue.PREFIX):
        partial = ", partial" if one["missing"] else ""
        yield f"  {one['name']:<24} {one['learned']}  {Power(one['power']).shown}"
        yield f"      {one['client']} {one['version']}{partial}"
    yield ""
    yield f"policies that were read, not seen at work, each as {catalogue.READ}NAME:"
    for one in _entries(catalogue.READ):
        yield f"  {one['name']:<24} {Power(one['power']).shown}"
        yield from wrapped(f"{one['client']}: {one['version']}", indent="      ")
    yield ""
    yield "known from documentation, and told of by the same name:"
    yield from wrapped("; ".join(catalogue.documented()), indent="  ")
    for section, members in groupby(ENDPOINTS, key=lambda one: one.section):
        yield ""
        yield f"operations, {section}:"
        for endpoint in members:
            mark = "writes, " if endpoint.effect is Effect.WRITE else ""
            yield route_line(endpoint)
            yield f"      {endpoint.summary} [{mark}{endpoint.marks}]"


def data() -> dict[str, object]:
    """Say it to a program."""
    return {
        "learned": list(_entries(catalogue.PREFIX)),
        "documented": list(_entries(catalogue.READ)),
        "operations": [as_data(endpoint) for endpoint in ENDPOINTS],
    }


def _entries(prefix: str) -> Iterator[dict[str, Any]]:
    """The rows of a catalogue, each with the worst that a grant of its file gives (a risk, or
    `limited`), whether that is root, and what it opens."""
    for one in catalogue.rows(prefix):
        name = f"{prefix}{one['name']}"
        policy, _ = parse_policy_file(read_text(catalogue.locate(name)), name=name)
        power = Powers(policy).worst(grants_of(policy))
        yield one | {
            "power": power.level,
            "root": power.is_root,
            "operations": sorted(policy.opened_operations),
        }
