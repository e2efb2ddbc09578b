"""A policy beside what really happens: refused, and granted but unused.

Additions are proposed, as the line that would allow them. Removals are only reported:
what happens once a quarter looks unused for three months.
"""

from dataclasses import dataclass

from trioproxy.learning.evidence import Evidence
from trioproxy.learning.proposal import replay
from trioproxy.learning.shape import UNKNOWN, Shape
from trioproxy.policy import samples
from trioproxy.policy.rules import Mode, Policy
from trioproxy.policy.variables import OPERATIONS_VARIABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A kind of request that the policy refuses, and that clients send."""

    shape: Shape
    count: int
    first: int
    last: int
    message: str
    """What is refused, and what would allow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused:
    """An operation that the policy opens and that nobody used lately."""

    operation: str
    last: int
    """When it was last used; 0 for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far policy and evidence are apart."""

    refused: tuple[Refused, ...]
    unused: tuple[Unused, ...]
    line: str
    """The line that would allow what was refused; empty if no single line would."""


def drift(policy: Policy, evidence: Evidence, *, since: int) -> Drift:
    """Compare; `since`: what was last used before counts as unused."""
    refused = tuple(
        Refused(
            shape=shape,
            count=record.count(),
            first=record.first,
            last=record.last,
            message=message,
        )
        for shape, record in sorted(evidence.records.items(), key=lambda item: item[0])
        if (message := _refusal(policy, shape))
    )
    return Drift(
        refused=refused,
        unused=_unused(policy, evidence, since),
        line=_line(policy, refused),
    )


def _refusal(policy: Policy, shape: Shape) -> str:
    if shape.operation == UNKNOWN:
        request = samples.of_unknown(shape.method, shape.section)
        if request is None or policy.decide(request).allowed:
            return ""
        place = shape.section or "no section"
        return (
            f"an unknown route, {shape.method} in {place}, is not allowed:"
            f" find it in the log and name it as {shape.method}:/path/{{x}}"
        )
    decisions = (policy.decide(request) for request in replay(shape))
    return next((one.message for one in decisions if not one.allowed), "")


def _unused(policy: Policy, evidence: Evidence, since: int) -> tuple[Unused, ...]:
    last = dict.fromkeys(policy.opened_operations, 0)
    for shape in evidence.used():
        if shape.operation in last:
            seen = evidence.records[shape].last
            last[shape.operation] = max(seen, last[shape.operation])
    return tuple(
        Unused(operation=name, last=seen)
        for name, seen in sorted(last.items())
        if seen < since
    )


def _line(policy: Policy, refused: tuple[Refused, ...]) -> str:
    names = {one.shape.operation for one in refused} - {UNKNOWN}
    if policy.mode is not Mode.EXACT or not names:
        return ""
    routes = {str(route) for route in policy.routes}
    return (
        f"{OPERATIONS_VARIABLE}={','.join(sorted(policy.operations | routes | names))}"
    )
