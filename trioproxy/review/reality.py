"""A policy beside what really happens: refused, and granted but unused.

Additions are proposed, as the line that would allow them. Removals are only reported:
what happens once a quarter looks unused for three months. Both are said of operations,
and of the values that requests asked for, where the evidence has them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from trioproxy.api.families import (
    BASE,
    LIMITS,
    OBJECTS,
    OPERATIONS_VARIABLE,
)
from trioproxy.api.routes import row_of
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import Evidence, Facts
from trioproxy.evidence.sight import REFUSED, UNKNOWN, Sight
from trioproxy.judge.rules import Mode, Policy
from trioproxy.learning.proposal import replay
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY, Limit
from trioproxy.limits.objects import OF_LABEL, Only
from trioproxy.limits.patterns import Pattern
from trioproxy.limits.sorts import parse_pattern, why_root
from trioproxy.review.adding import Adding
from trioproxy.review.sightings import Uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A kind of request that the policy refuses, and that clients send."""

    sight: Sight
    count: int
    first: int
    last: int
    message: str
    """What is refused, and what would allow it."""
    clients: tuple[str, ...]
    """Who asked for it: addresses, or user ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """An operation that the policy opens and that nobody used lately."""

    operation: str
    last: int
    """When it was last used; 0 for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedValue:
    """A value that the policy refuses, and that requests of an open operation ask for."""

    argument: Sight
    facts: Facts
    root: str
    """Why it is root on the host; empty if no way is known."""
    reached: str = ""
    """What was reached into and has it, as `container db`; empty: it was asked for."""

    @property
    def message(self) -> str:
        """What is refused, and by which variable."""
        one = self.argument
        if self.reached:
            what = f"reaches into {self.reached}, which has {one.item}, and"
            return f"{one.operation} {what} {one.variable} does not list that"
        if one.variable in OBJECTS:
            kind = OBJECTS[one.variable]
            named = f"any {kind}" if one.item == ANY else f"{kind} {one.item}"
            what = f"names {named}, which"
        else:
            what = f"asks for {one.item}, which"
        return f"{one.operation} {what} {one.variable} does not list"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedValue:
    """An item of a list that nobody asked for lately."""

    variable: str
    item: str
    last: int
    """When it was last asked for; 0 for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far policy and evidence are apart."""

    refused: tuple[Refused, ...]
    unused: tuple[Unused, ...]
    line: str
    """The line that would allow what was refused; empty if no single line would."""
    refused_values: tuple[RefusedValue, ...]
    unused_values: tuple[UnusedValue, ...]
    lines: Mapping[str, str]
    """By variable, the value that would allow the refused values; none where a value
    can be on no list."""
    root: Mapping[str, str]
    """By variable, why its line gives root on the host, beside those that do not."""
    has_values: bool
    """Whether the evidence knows what requests asked for; if not, no value is unused."""


def drift(policy: Policy, evidence: Evidence, *, since: int) -> Drift:
    """Compare; `since`: what was last used before counts as unused."""
    refused = tuple(
        Refused(
            sight=sight,
            count=record.count(),
            first=record.first,
            last=record.last,
            message=message,
            clients=tuple(sorted(record.triers.clients | record.users.clients)),
        )
        for sight, record in sorted(evidence.routes.items(), key=lambda item: item[0])
        if (message := _refusal(policy, sight))
    )
    values = tuple(refused_values(policy, evidence))
    has_values = bool(evidence.arguments)
    unused_values = tuple(_unused_values(policy, evidence, since)) if has_values else ()
    if evidence.objects:
        unused_values += tuple(_unused_objects(policy, evidence, since))
    line, lines = _line(policy, refused), _lines(policy, values)
    proposed = {OPERATIONS_VARIABLE: line.partition("=")[2]} if line else {}
    return Drift(
        refused=refused,
        unused=_unused(policy, evidence, since),
        line=line,
        refused_values=values,
        unused_values=unused_values,
        lines=lines,
        root=dict(_root_lines(policy, proposed | lines, values)),
        has_values=has_values,
    )


def refused_values(
    policy: Policy, evidence: Evidence, *, used_only: bool = False
) -> Iterator[RefusedValue]:
    """Judge what requests asked for, where their operation is open.

    `used_only`: what the Engine refused itself is left out.
    """
    opened = policy.opened_operations
    for argument, facts in sorted(evidence.arguments.items()):
        if argument.operation not in opened or (
            used_only and not evidence.is_used(argument)
        ):
            continue
        one = _whole(argument, policy, evidence)
        if one is not None and not _may_be_listed(policy, one):
            why = why_root(one.variable, one.item)
            yield RefusedValue(argument=one, facts=facts, root=why)
    if policy.objects:
        yield from _refused_objects(policy, evidence, used_only=used_only)


def _refused_objects(
    policy: Policy, evidence: Evidence, *, used_only: bool
) -> Iterator[RefusedValue]:
    """Judge which objects requests named, and what those have that were reached into."""
    opened = policy.opened_operations
    for thing, facts in sorted(evidence.objects.items()):
        if thing.operation not in opened or (used_only and not evidence.is_used(thing)):
            continue
        kind = OBJECTS[thing.variable]
        only, name = policy.objects.by_kind[kind], thing.item
        if thing.has:
            variable, item = Grant.parse(thing.has)
            one = _whole(Sight(variable, item, thing.operation), policy, evidence)
            if one is not None and not policy.limits.lists(variable, one.item):
                why = why_root(variable, one.item)
                reached = f"{kind} {name}"
                yield RefusedValue(argument=one, facts=facts, root=why, reached=reached)
        elif name and not _may_be_named(only, thing, facts):
            one = Sight(only.variable, name, thing.operation)
            yield RefusedValue(argument=one, facts=facts, root=_reached(policy, thing))


def _may_be_named(only: Only, thing: Sight, facts: Facts) -> bool:
    """Whether an object is listed; by a label it may be, unless it was refused."""
    if only.lists(thing.item, thing.project):
        return True
    return only.has_labels and REFUSED not in facts.results


def _reached(policy: Policy, thing: Sight) -> str:
    """Why it is root on the host to reach into an object; empty if no way is known."""
    row = row_of(thing.operation)
    if row is None or not row.reaches or policy.limits.limits_creation:
        return ""
    return "reaches into it, whatever it was given"


def _may_be_listed(policy: Policy, argument: Sight) -> bool:
    """Whether a value is listed; of an option kept without its value, whether any is."""
    variable, value = argument.variable, argument.item
    if policy.limits.lists(variable, value):
        return True
    limit = policy.limits.limit_of(variable)
    items = limit.patterns if limit and variable.endswith("_OPTIONS") else ()
    return any(one.text.startswith(f"{value}=") for one in items)


def _whole(argument: Sight, policy: Policy, evidence: Evidence) -> Sight | None:
    """A value with its base in front; None for what only says that there was one."""
    if argument.variable not in LIMITS or not argument.item:
        return None
    base = policy.limits.base or evidence.newest_base
    value = policy.limits.meaning_of(argument.item.replace(BASE, base))
    return argument._replace(item=value)


def _unused_values(
    policy: Policy, evidence: Evidence, since: int
) -> Iterator[UnusedValue]:
    uses = Uses(evidence, policy.limits, evidence.newest_base)
    for name, limit in policy.limits.by_variable.items():
        for item in limit.patterns:
            last = uses.last(uses.values(name, item))
            if last < since and not _lists_nothing(item):
                yield UnusedValue(variable=name, item=item.text, last=last)


def _unused_objects(
    policy: Policy, evidence: Evidence, since: int
) -> Iterator[UnusedValue]:
    uses = Uses(evidence, policy.limits)
    for kind, only in policy.objects.by_kind.items():
        for item in only.items if only.variable in policy.objects.set_variables else ():
            last = uses.last(uses.things(kind, item))
            # What has a label evidence does not know.
            if last < since and not item.startswith(OF_LABEL):
                yield UnusedValue(variable=only.variable, item=item, last=last)


def _lists_nothing(item: Pattern) -> bool:
    return item.text == "0"


def _lines(policy: Policy, refused: tuple[RefusedValue, ...]) -> dict[str, str]:
    lines = dict[str, str]()
    for name in dict.fromkeys(one.argument.variable for one in refused):
        values = {one.argument.item for one in refused if one.argument.variable == name}
        if name in OBJECTS:
            if ANY not in values:
                only = policy.objects.by_kind[OBJECTS[name]]
                lines[name] = ",".join([*only.items, *sorted(values)])
        elif all(_can_be_listed(name, value) for value in values):
            limit = policy.limits.limit_of(name) or Limit(variable=name)
            listed = [one.text for one in limit.patterns if not _lists_nothing(one)]
            lines[name] = ",".join([*listed, *sorted(values)])
    return lines


def _root_lines(
    policy: Policy, lines: Mapping[str, str], refused: tuple[RefusedValue, ...]
) -> Iterator[tuple[str, str]]:
    """Which lines give root, and why: by an item, or with the lines before them."""
    adding = Adding(policy)
    for name, value in lines.items():
        items = (one.root for one in refused if one.argument.variable == name)
        grants = [Grant(name, item) for item in value.split(",")]
        if why := next(filter(None, items), "") or adding.opens(*grants):
            yield name, why
        else:
            adding.add(*grants)


def _can_be_listed(variable: str, value: str) -> bool:
    try:
        return parse_pattern(variable, value).fits(value)
    except ConfigError:
        return False


def _refusal(policy: Policy, sight: Sight) -> str:
    if sight.operation == UNKNOWN:
        decision = policy.decide_unlisted(sight.method, sight.section)
        if decision is None or decision.allowed:
            return ""
        place = sight.section or "no section"
        return (
            f"an unknown route, {sight.method} in {place}, is not allowed:"
            f" find it in the log and name it as {sight.method}:/path/{{x}}"
        )
    decisions = replay(policy, sight)
    return next((one.message for one in decisions if not one.allowed), "")


def _unused(policy: Policy, evidence: Evidence, since: int) -> tuple[Unused, ...]:
    last = dict.fromkeys(policy.opened_operations, 0)
    for sight in evidence.used():
        if sight.operation in last:
            seen = evidence.facts[sight].last
            last[sight.operation] = max(seen, last[sight.operation])
    return tuple(
        Unused(operation=name, last=seen)
        for name, seen in sorted(last.items())
        if seen < since
    )


def _line(policy: Policy, refused: tuple[Refused, ...]) -> str:
    names = {one.sight.operation for one in refused} - {UNKNOWN}
    if policy.mode is not Mode.EXACT or not names:
        return ""
    routes = {str(route) for route in policy.routes}
    return (
        f"{OPERATIONS_VARIABLE}={','.join(sorted(policy.operations | routes | names))}"
    )
