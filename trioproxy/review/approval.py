"""What was refused, or would be, as questions to a person: may this pass from now on?

A question is about one name in one line of the file: an operation of `ALLOW_OPERATIONS`,
or an item of a list. It says all that is needed for an answer: what it does at worst, who
asked for it, since when and how often, and what the file grants of the kind already.

Whether an answer gives root is asked of the policy that it would make: two answers may
give together what neither gives alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from trioproxy.api.families import OBJECTS, OPERATIONS_VARIABLE
from trioproxy.api.routes import OPERATIONS, Endpoint, Risk
from trioproxy.evidence.keeping import below_base
from trioproxy.evidence.seen import Askers, Evidence, Facts
from trioproxy.evidence.shape import UNKNOWN
from trioproxy.judge.rules import Policy
from trioproxy.learning.wording import root_note
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY
from trioproxy.review.adding import Adding
from trioproxy.review.reality import (
    Refused,
    RefusedValue,
    drift,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing that was refused, and that one name in the file would allow."""

    grant: Grant
    """What would be added, and to which line."""
    message: str
    """As the refusal says it."""
    risk: str
    """At worst, for people: `secret-leak: lists volumes ...`."""
    root: str
    """Why it gives root on the host, alone; empty if no way is known."""
    count: int
    first: int
    last: int
    """Seconds since the epoch, as `first`."""
    askers: Askers
    granted: tuple[str, ...]
    """What the file grants of the kind: operations of the section, items of the list."""

    @property
    def name(self) -> str:
        """An operation, or `VARIABLE=item`."""
        variable, item = self.grant
        return item if variable == OPERATIONS_VARIABLE else str(self.grant)


def questions(
    policy: Policy, evidence: Evidence, declined: Iterable[str] = ()
) -> list[Question]:
    """Ask about all that a file refuses and evidence shows; what gives root comes last.

    `declined`: what a person said no to for good, and is not asked again.
    """
    found = drift(policy, evidence, since=0)
    asked = dict[str, Question]()
    for refused in found.refused:
        if refused.shape.operation != UNKNOWN:
            question = _about_operation(policy, evidence, refused)
            asked.setdefault(question.name, question)
    for value in found.refused_values:
        if value.argument.variable in OBJECTS and value.argument.value == ANY:
            continue  # no name would allow what names none
        question = _about_value(policy, evidence, value)
        asked.setdefault(question.name, question)
    left = [one for name, one in asked.items() if name not in frozenset(declined)]
    adding = Adding(policy)
    judged = (replace(one, root=one.root or adding.opens(one.grant)) for one in left)
    return sorted(judged, key=lambda one: (bool(one.root), _rank(one), one.name))


def _rank(question: Question) -> int:
    """Values stand behind operations of which nothing worse is known."""
    endpoints = OPERATIONS.get(question.name)
    return -list(Risk).index(endpoints[0].risk) if endpoints else 1


def _about_operation(policy: Policy, evidence: Evidence, refused: Refused) -> Question:
    name = refused.shape.operation
    endpoint = OPERATIONS[name][0]
    shapes = [one for one in evidence.records if one.operation == name]
    records = [evidence.records[one] for one in shapes]
    return Question(
        grant=Grant(OPERATIONS_VARIABLE, name),
        message=refused.message,
        risk=_risk(endpoint),
        root="",
        count=sum(one.count() for one in records),
        first=min(one.first for one in records),
        last=max(one.last for one in records),
        askers=_united(
            [one.triers for one in records] + [one.users for one in records]
        ),
        granted=tuple(sorted(_of_section(policy, endpoint))),
    )


def _risk(endpoint: Endpoint) -> str:
    return endpoint.note or f"risk {endpoint.risk}: {endpoint.summary}"


def _of_section(policy: Policy, endpoint: Endpoint) -> Iterator[str]:
    for name in policy.opened_operations:
        if OPERATIONS[name][0].section == endpoint.section:
            yield name


def _about_value(policy: Policy, evidence: Evidence, refused: RefusedValue) -> Question:
    argument, facts = refused.argument, refused.facts
    item = below_base(argument.variable, argument.value, policy.limits.base)
    return Question(
        grant=Grant(argument.variable, item),
        message=refused.message,
        risk=root_note(refused.root) or "no known way to root",
        root=refused.root,
        count=facts.count(),
        first=facts.first,
        last=facts.last,
        askers=_askers_of(evidence, argument.operation, facts),
        granted=tuple(_listed(policy, argument.variable)),
    )


def _listed(policy: Policy, variable: str) -> Iterator[str]:
    if variable in OBJECTS:
        yield from policy.objects.by_kind[OBJECTS[variable]].items
    elif limit := policy.limits.by_variable.get(variable):
        yield from (one.text for one in limit.patterns)


def _askers_of(evidence: Evidence, operation: str, facts: Facts) -> Askers:
    """Who asked for the operation in the runs in which the value came up."""
    return _united(
        askers
        for shape, record in evidence.records.items()
        if shape.operation == operation and record.runs.keys() & facts.runs.keys()
        for askers in (record.triers, record.users)
    )


def _united(parts: Iterable[Askers]) -> Askers:
    whole = Askers()
    for one in parts:
        whole.unite(one)
    return whole
