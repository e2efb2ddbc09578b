"""`trioproxy explain`: what a file grants, how risky it is, and where it differs."""

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict

import click

from trioproxy.api.routes import (
    CONNECTS,
    MEANINGS,
    OPERATIONS,
    Effect,
    Endpoint,
    Risk,
)
from trioproxy.apiversion import too_old
from trioproxy.commands.observed import evidence_next_to, read_evidence
from trioproxy.commands.policyfile import PolicyFile, as_code, as_data, describe
from trioproxy.commands.terminal import show, write
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import Evidence
from trioproxy.file.incumbents import INCUMBENTS, TECNATIVA
from trioproxy.judge.meaning import Meaning, limits_power_of, meaning_of, open_sections
from trioproxy.judge.rules import Mode, Policy
from trioproxy.learning.flows import half_granted
from trioproxy.learning.learnedfile import elsewhere
from trioproxy.learning.minimize import Price, price, price_of
from trioproxy.learning.wording import root_note
from trioproxy.limits.limit import ANY
from trioproxy.limits.objects import OWN
from trioproxy.limits.sorts import why_root
from trioproxy.quoting import visible
from trioproxy.review.differences import Matter, matters
from trioproxy.review.sightings import NEVER, Uses, of_operation

WIDTH = 80
ONE_PROXY = (
    "as long as no second proxy serves such clients at the same Engine: neither knows"
    " which volumes the other has the Engine fill"
)
"""What "no known way" relies on; see `proxy.reservations`."""

EPILOG = """\b
Examples:
  trioproxy explain learned/app.env
  trioproxy explain learned/app.env --json | jq .price
"""


@click.command(name="explain", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print a table for a pull request.")
def command(*, file: str, as_json: bool, markdown: bool) -> None:
    """Show what a policy file grants, how risky it is, and what it opens elsewhere.

    With its evidence next to it: how often, in how many of the runs, when and by
    which programs. Also: flows that are granted by half, and where
    tecnativa/docker-socket-proxy or linuxserver/socket-proxy would decide otherwise by the
    same file.
    """
    if as_json and markdown:
        raise ConfigError("--json and --markdown exclude each other", hint="choose one")
    policy_file = PolicyFile.read(file)
    learned = evidence_next_to(file)
    evidence = read_evidence(learned) if learned else None
    if as_json:
        click.echo(json.dumps(_data(policy_file, evidence), indent=2))
    elif markdown:
        write(_markdown(policy_file, evidence))
    else:
        show(*_lines(policy_file, evidence))


def _seen(evidence: Evidence | None, operation: str) -> str:
    if evidence is None:
        return ""
    return str(of_operation(evidence, operation) or NEVER)


def _described(endpoint: Endpoint, evidence: Evidence | None) -> Iterator[str]:
    route, summary = describe(endpoint)
    yield route
    yield f"{summary} [{CONNECTS}]" if endpoint.connects else summary
    if seen := _seen(evidence, endpoint.operation):
        yield f"      {seen}"


def _writes(endpoints: list[Endpoint]) -> int:
    return sum(endpoint.effect is Effect.WRITE for endpoint in endpoints)


def _lines(file: PolicyFile, evidence: Evidence | None) -> Iterator[str]:
    policy = file.policy
    meaning = meaning_of(policy)
    opened = list(meaning.operations)
    yield from _answer(file, meaning)
    yield from _limits(meaning)
    yield from _values(policy, evidence)
    yield from _objects(meaning)
    yield from _named(policy, evidence)
    if meaning.gone_around:
        yield from _wrap(meaning.gone_around)
        yield ""
    yield (
        f"{file.path}: mode {policy.mode}, opens {len(opened)} of"
        f" {len(OPERATIONS)} operations, {_writes(opened)} of them writes"
    )
    limited = [o for o in opened if limits_power_of(policy, o.operation)]
    if limited:
        yield ""
        yield "limited in what they ask for or reach:"
        for endpoint in limited:
            yield from _described(endpoint, evidence)
    # The worst first: who reads only the beginning has read what matters.
    for risk, words in MEANINGS.items():
        members = [one for one in opened if one.risk is risk and one not in limited]
        if members:
            yield ""
            yield f"{risk.shown}, {words}:"
            for endpoint in members:
                yield from _described(endpoint, evidence)
    yield from _unknown_routes(policy)
    yield from _elsewhere(file)
    if evidence and (outdated := evidence.outdated_operations()):
        yield ""
        names = ", ".join(sorted(outdated))
        yield from _wrap(f"{names}: {too_old(evidence.oldest_api)}")
    for flow in half_granted(policy.opened_operations):
        yield ""
        yield from _wrap(f"half granted: {flow.has} without {flow.lacks}: {flow.why}")
    for matter in matters(policy, file.variables):
        yield from _difference(matter)


def _answer(file: PolicyFile, meaning: Meaning) -> Iterator[str]:
    """Root or not, by what, and what that stands on."""
    yield from _wrap(f"{file.path}: {meaning.answer}")
    for way in meaning.ways:
        where = f"{way.operation}, {way.grant}" if way.grant else way.operation
        yield from _wrap(f"{where}: {way.why}", indent="  ")
    creates = any(one.operation == "ContainerCreate" for one in meaning.operations)
    if creates and not meaning.is_root:
        yield from _wrap(f"  {ONE_PROXY}", indent="  ")


def _limits(meaning: Meaning) -> Iterator[str]:
    if meaning.limits:
        yield ""
        yield "requests may ask for what is harmless, and for:"
        for one in meaning.limits:
            if one.value:
                yield from _wrap(f"{one.variable}={one.value}: {one.line}", indent="  ")
        listed = [one.value for one in meaning.limits if one.value]
        if len(",".join(listed).split(",")) > 1:
            yield "  values combine: each of them may be asked for with any other"
        closed = [one.variable for one in meaning.limits if not one.value]
        if closed:
            yield from _wrap(f"nothing of {', '.join(closed)}", indent="  ")
        yield ""


def _values(policy: Policy, evidence: Evidence | None) -> Iterator[str]:
    """How often each item was asked for, where evidence knows of any."""
    if evidence is None or not evidence.arguments or not policy.limits:
        return
    yield "what was asked for:"
    uses = Uses(evidence, policy.limits)
    for name, limit in policy.limits.by_variable.items():
        for item in limit.patterns:
            seen = uses.sighting(uses.values(name, item))
            yield from _wrap(f"{name}={item.text}: {seen or NEVER}", indent="  ")
    yield ""


def _named(policy: Policy, evidence: Evidence | None) -> Iterator[str]:
    """How often what each item of a list of objects holds was named."""
    if evidence is None or not evidence.things or not policy.objects:
        return
    yield "what was named:"
    for variable, item, seen in _named_items(policy, evidence):
        yield from _wrap(f"{variable}={item}: {seen}", indent="  ")
    yield ""


def _named_items(
    policy: Policy, evidence: Evidence | None
) -> Iterator[tuple[str, str, str]]:
    """Each item of the lists of objects, and whether any of it was seen."""
    uses = Uses(evidence, policy.limits) if evidence else None
    for kind, only in policy.objects.by_kind.items():
        for item in only.items if only.variable in policy.objects.set_variables else ():
            found = uses.sighting(uses.things(kind, item)) if uses else None
            # Nobody adds what is the client's own by hand, before there is any.
            never = "not seen so far" if item == OWN else NEVER
            yield only.variable, item, str(found or never)


def _markdown(file: PolicyFile, evidence: Evidence | None) -> Iterator[str]:
    """The same, as a person reads it beside the change that it belongs to."""
    meaning = meaning_of(file.policy)
    yield f"**{as_code(file.path)}: {meaning.answer}.**"
    yield ""
    for way in meaning.ways:
        argument = f" {as_code(str(way.grant))}" if way.grant else ""
        yield f"- {as_code(way.operation)}{argument}: {way.why}"
    if meaning.ways:
        yield ""
    yield "| risk | operation | route | | seen |"
    yield "|---|---|---|---|---|"
    worst_first = sorted(meaning.operations, key=lambda one: list(Risk).index(one.risk), reverse=True)  # fmt: skip
    for one in worst_first:
        seen = _seen(evidence, one.operation).removeprefix("seen ")
        is_limited = limits_power_of(file.policy, one.operation)
        risk = "limited" if is_limited else one.risk.shown
        yield f"| {risk} | `{one.operation}` | `{one.method} {one.template}` | {one.summary} | {seen} |"
    items = [(n, p) for n, limit in file.policy.limits.by_variable.items() for p in limit.patterns]  # fmt: skip
    if items:
        yield ""
        yield "| requests may ask for | | seen |"
        yield "|---|---|---|"
    base = file.policy.limits.base
    uses = Uses(evidence, file.policy.limits) if evidence else None
    for name, item in items:
        why = why_root(name, item.text, base=base)
        risk = root_note(why)
        found = uses.sighting(uses.values(name, item)) if uses else None
        told = str(found or NEVER).removeprefix("seen ") if uses else ""
        yield f"| {as_code(f'{name}={item.text}')} | {risk} | {told} |"
    named = list(_named_items(file.policy, evidence))
    if named:
        yield ""
        yield "| requests may name | seen |"
        yield "|---|---|"
    for variable, text, told in named:
        shown = told.removeprefix("seen ") if evidence else ""
        yield f"| {as_code(f'{variable}={text}')} | {shown} |"
    anything = [one.variable for one in meaning.limits if one.value == ANY]
    closed = [one.variable for one in meaning.limits if not one.value]
    for words, names in (("Anything", anything), ("Nothing", closed)):
        if names:
            yield ""
            yield f"{words} of {', '.join(map(as_code, names))}."


def _objects(meaning: Meaning) -> Iterator[str]:
    if not meaning.objects:
        return
    yield "requests may name these objects, and no others:"
    for one in meaning.objects:
        how = "" if one.is_set else ", as the variable is not set"
        value = one.value or "nothing"
        yield from _wrap(f"{one.variable}={value}: {one.line}{how}", indent="  ")
    if meaning.shows_all:
        names = ", ".join(meaning.shows_all)
        yield from _wrap(f"still shown, listed or not, by {names}", indent="  ")
    yield ""


def _unknown_routes(policy: Policy) -> Iterator[str]:
    if policy.routes:
        yield ""
        yield "routes that this version does not know:"
        yield from (f"  {route}" for route in policy.routes)
    if sections := open_sections(policy):
        names = ", ".join(sections)
        yield ""
        yield from _wrap(
            f"routes that this version does not know pass too, in: {names}"
        )


def _elsewhere(file: PolicyFile) -> Iterator[str]:
    what = f"in the other proxies this file opens {_price(file)}"
    if file.policy.mode is Mode.EXACT:
        what = elsewhere(file.policy.granted)
    yield ""
    yield from _wrap(what)


def _price(file: PolicyFile) -> Price:
    if file.policy.mode is Mode.EXACT:
        return price_of(file.policy.granted, TECNATIVA)
    return price(file.variables, INCUMBENTS)


def _difference(matter: Matter) -> Iterator[str]:
    row = matter.difference
    image = f"{matter.incumbent.image} {matter.incumbent.version}"
    yield ""
    yield from _wrap(f"differs from {image}: {row.name}{', wider here' * row.is_wider}")
    yield from _wrap(f"there: {row.there}", indent="  ")
    yield from _wrap(f"here: {row.here}", indent="  ")
    yield from _wrap(f"concerns {', '.join(matter.operations)}", indent="  ")


def _wrap(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        visible(text.strip(" ")),
        width=WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sighting(evidence: Evidence | None, operation: str) -> dict[str, object]:
    if evidence is None:
        return {}
    found = of_operation(evidence, operation)
    return {"seen": asdict(found) if found else None}


def _data(file: PolicyFile, evidence: Evidence | None) -> dict[str, object]:
    policy = file.policy
    meaning = meaning_of(policy)
    opened = list(meaning.operations)
    cost = _price(file)
    return {
        "file": file.path,
        "root": {
            "known": meaning.is_root,
            "answer": meaning.answer,
            "ways": [
                {
                    "operation": way.operation,
                    "argument": str(way.grant or ""),
                    "why": way.why,
                }
                for way in meaning.ways
            ],
            "conditions": meaning.conditions,
            "surroundings": meaning.surroundings,
        },
        "limits": {one.variable: one.value for one in meaning.limits},
        "objects": {one.variable: one.value for one in meaning.objects},
        "shows_all": meaning.shows_all,
        "gone_around": meaning.gone_around,
        "mode": policy.mode,
        "operations": [
            as_data(endpoint) | _sighting(evidence, endpoint.operation)
            for endpoint in opened
        ],
        "routes": [str(route) for route in policy.routes],
        "unknown_routes_in": open_sections(policy),
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
