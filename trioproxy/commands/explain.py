"""`trioproxy explain`: what a file grants, how risky it is, and where it differs."""

import json
import textwrap
from collections.abc import Iterator

import click

from trioproxy.commands.policyfile import PolicyFile, as_data, describe
from trioproxy.commands.terminal import show
from trioproxy.learning.flows import half_granted
from trioproxy.learning.learnedfile import elsewhere
from trioproxy.learning.minimize import price
from trioproxy.policy.endpoints import CONNECTS, MEANINGS, OPERATIONS, Effect, Endpoint
from trioproxy.policy.rules import Mode, Policy
from trioproxy.policy.variables import SWITCHES
from trioproxy.review.differences import Matter, matters
from trioproxy.review.meaning import Meaning, meaning_of

WIDTH = 80

EPILOG = """\b
Examples:
  trioproxy explain learned/app.env
  trioproxy explain learned/app.env --json | jq .price
"""


@click.command(name="explain", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, file: str, as_json: bool) -> None:
    """Show what a policy file grants, how risky it is, and what it opens elsewhere.

    Also: flows that are granted by half, and where tecnativa/docker-socket-proxy or
    linuxserver/socket-proxy would decide otherwise by the same file.
    """
    policy_file = PolicyFile.read(file)
    if as_json:
        click.echo(json.dumps(_data(policy_file), indent=2))
    else:
        show(*_lines(policy_file))


def _writes(endpoints: list[Endpoint]) -> int:
    return sum(endpoint.effect is Effect.WRITE for endpoint in endpoints)


def _lines(file: PolicyFile) -> Iterator[str]:
    policy = file.policy
    meaning = meaning_of(policy)
    opened = list(meaning.operations)
    yield from _wrap(f"{file.path}: {meaning.answer}")
    for way in meaning.ways:
        where = f"{way.operation}, {way.argument}" if way.argument else way.operation
        yield from _wrap(f"{where}: {way.why}", indent="  ")
    yield from _limits(meaning)
    yield (
        f"{file.path}: mode {policy.mode}, opens {len(opened)} of"
        f" {len(OPERATIONS)} operations, {_writes(opened)} of them writes"
    )
    limited = [one for one in opened if one.operation in policy.limits.operations]
    if limited:
        yield "\nlimited in what they ask for:"
        for endpoint in limited:
            yield from describe(endpoint)
    # The worst first: who reads only the beginning has read what matters.
    for risk, words in MEANINGS.items():
        members = [one for one in opened if one.risk is risk and one not in limited]
        if members:
            yield f"\n{risk.shown}, {words}:"
            for endpoint in members:
                route, summary = describe(endpoint)
                yield route
                yield f"{summary} [{CONNECTS}]" if endpoint.connects else summary
    yield from _unknown_routes(policy)
    yield from _elsewhere(file)
    for flow in half_granted(policy.opened_operations):
        yield from _wrap(f"\nhalf granted: {flow.has} without {flow.lacks}: {flow.why}")
    for matter in matters(policy, file.variables):
        yield from _difference(matter)


def _limits(meaning: Meaning) -> Iterator[str]:
    if meaning.limits:
        yield "\nrequests may ask for what is harmless, and for:"
        for one in meaning.limits:
            if one.value:
                yield from _wrap(f"{one.variable}={one.value}: {one.line}", indent="  ")
        closed = [one.variable for one in meaning.limits if not one.value]
        if closed:
            yield from _wrap(f"nothing of {', '.join(closed)}", indent="  ")
        yield ""


def _unknown_routes(policy: Policy) -> Iterator[str]:
    if policy.routes:
        yield "\nroutes that this version does not know:"
        yield from (f"  {route}" for route in policy.routes)
    open_sections = _open_sections(policy)
    if open_sections:
        names = ", ".join(open_sections)
        yield from _wrap(
            f"\nroutes that this version does not know pass too, in: {names}"
        )


def _open_sections(policy: Policy) -> list[str]:
    return [name for name in SWITCHES if name != "POST" and policy.switches.get(name)]


def _elsewhere(file: PolicyFile) -> Iterator[str]:
    what = f"in the other proxies this file opens {price(file.variables)}"
    if file.policy.mode is Mode.EXACT:
        what = elsewhere(file.variables)
    yield from _wrap(f"\n{what}")


def _difference(matter: Matter) -> Iterator[str]:
    row = matter.difference
    image = f"{matter.incumbent.image} {matter.incumbent.version}"
    yield from _wrap(
        f"\ndiffers from {image}: {row.name}{', wider here' * row.is_wider}"
    )
    yield from _wrap(f"there: {row.there}", indent="  ")
    yield from _wrap(f"here: {row.here}", indent="  ")
    yield from _wrap(f"concerns {', '.join(matter.operations)}", indent="  ")


def _wrap(text: str, indent: str = "") -> list[str]:
    lead = "\n" if text.startswith("\n") else ""
    lines = textwrap.wrap(
        text.strip(),
        width=WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"{lead}{lines[0]}", *lines[1:]]


def _data(file: PolicyFile) -> dict[str, object]:
    policy = file.policy
    meaning = meaning_of(policy)
    opened = list(meaning.operations)
    cost = price(file.variables)
    return {
        "file": file.path,
        "root": {
            "known": meaning.is_root,
            "answer": meaning.answer,
            "ways": [
                {"operation": way.operation, "argument": way.argument, "why": way.why}
                for way in meaning.ways
            ],
            "conditions": meaning.conditions,
        },
        "limits": {one.variable: one.value for one in meaning.limits},
        "mode": policy.mode,
        "operations": [as_data(endpoint) for endpoint in opened],
        "routes": [str(route) for route in policy.routes],
        "unknown_routes_in": _open_sections(policy),
        "total": len(OPERATIONS),
        "writes": _writes(opened),
        "price": {"operations": cost.operations, "writes": cost.writes},
        "half_granted": [
            {"has": flow.has, "lacks": flow.lacks, "why": flow.why}
            for flow in half_granted(policy.opened_operations)
        ],
        "differences": [
            {
                "incumbent": matter.incumbent.image,
                "version": matter.incumbent.version,
                "name": matter.difference.name,
                "wider": matter.difference.is_wider,
                "there": matter.difference.there,
                "here": matter.difference.here,
                "reason": matter.difference.reason,
                "operations": matter.operations,
            }
            for matter in matters(policy, file.variables)
        ],
        "warnings": file.warnings,
    }
