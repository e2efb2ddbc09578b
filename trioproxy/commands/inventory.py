"""What there is to be explained: the policy files that come with the program, and the
operations that the Engine has."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby

from trioproxy.api.routes import ENDPOINTS, Effect
from trioproxy.commands.catalogue import LIST, PREFIX, READ, below, documented, locate
from trioproxy.commands.policyfile import as_data, describe, wrapped
from trioproxy.file.permissions import parse_policy_file
from trioproxy.files import read_text
from trioproxy.judge.power import Power, Powers
from trioproxy.review.sheet import grants_of
from trioproxy.values import value_class


@value_class
class Entry:
    """A file, what it was learned from, and how risky it is."""

    name: str
    client: str
    version: str
    learned: str
    """The last day of learning, `2026-11-25`; empty: it was read, and `version` says in what."""
    missing: str
    """What of the client could not be exercised, or is not granted; such a file is partial."""
    point: str
    """How the client is pointed at the proxy, in Markdown."""
    power: str
    """The worst that one of its grants gives: a risk, or `limited`."""
    root: bool
    """Whether root on the host can be reached through it, by a way that is known."""
    operations: list[str]


def lines() -> Iterator[str]:
    """Say it to a person; the names of operations are those of ALLOW_OPERATIONS."""
    yield f"policies that were learned, each as {PREFIX}NAME:"
    for one in _entries(PREFIX):
        partial = ", partial" if one.missing else ""
        yield f"  {one.name:<24} {one.learned}  {Power(one.power).shown}"
        yield f"      {one.client} {one.version}{partial}"
    yield ""
    yield f"policies that were read, not seen at work, each as {READ}NAME:"
    for one in _entries(READ):
        yield f"  {one.name:<24} {Power(one.power).shown}"
        yield from wrapped(f"{one.client}: {one.version}", indent="      ")
    yield ""
    yield "known from documentation, and told of by the same name:"
    yield from wrapped("; ".join(documented()), indent="  ")
    for section, members in groupby(ENDPOINTS, key=lambda one: one.section):
        yield ""
        yield f"operations, {section}:"
        for endpoint in members:
            route, summary = describe(endpoint)
            mark = "writes, " if endpoint.effect is Effect.WRITE else ""
            yield route
            yield f"{summary} [{mark}{endpoint.marks}]"


def data() -> dict[str, object]:
    """Say it to a program."""
    return {
        "learned": [asdict(one) for one in _entries(PREFIX)],
        "documented": [asdict(one) for one in _entries(READ)],
        "operations": [as_data(endpoint) for endpoint in ENDPOINTS],
    }


def _entries(prefix: str) -> Iterator[Entry]:
    for one in json.loads(read_text(below(prefix) / LIST)):
        name = f"{prefix}{one['name']}"
        policy, _ = parse_policy_file(read_text(locate(name)), name=name)
        power = Powers(policy).worst(grants_of(policy))
        yield Entry(
            **one,
            power=power.level,
            root=power.is_root,
            operations=sorted(policy.opened_operations),
        )
