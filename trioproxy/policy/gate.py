"""The gate: may this request pass, and why?

`judge` takes a method and a raw target to a verdict; nothing else decides. It knows
nothing of sockets, files or clocks, and keeps nothing: what became of a request is told
to others (`policy.outcome`).
"""

from dataclasses import replace
from typing import Protocol

from trioproxy.policy.endpoints import match
from trioproxy.policy.request import Request
from trioproxy.policy.rules import Decision, Policy, Reason
from trioproxy.policy.target import Target
from trioproxy.quoting import quote
from trioproxy.values import value_class


@value_class
class Verdict:
    """A request as judged. A verdict is reused for every head with the same bytes."""

    request: Request
    decision: Decision
    operation: str
    """The Engine's name for it, or `unknown`."""
    section: str
    """The section variable that covers it; empty if none does."""
    agent: str
    """Product tokens of the client's user agent."""
    version: str
    """The API version that it names, or `unversioned`."""
    words: str
    """The request and the decision as words of a log line."""


class Gate(Protocol):
    """What a connection asks before a request goes upstream."""

    def decide(self, request: Request) -> Decision:
        """May this request pass, and why?"""
        ...

    def describe(self) -> str:
        """Name the mode and how much it opens, as words of the start line."""
        ...


def judge(gate: Gate, method: str, raw_target: bytes, agent: str = "") -> Verdict:
    """Judge one request; the target goes upstream in the form judged here.

    Raises `BadTarget` where the Engine might read the target otherwise.
    """
    target = Target.parse(raw_target)
    request = Request(method=method, target=target, endpoint=match(method, target))
    decision = gate.decide(request)
    operation = request.operation
    return Verdict(
        request=request,
        decision=decision,
        operation=operation,
        section=request.section or "",
        agent=agent,
        version=target.version.removeprefix("/v") or "unversioned",
        words=f"method={quote(method)} path={quote(target.shown)} operation={operation}"
        f" decision={decision.word} reason={decision.reason}",
    )


class EnforceGate:
    """Lets pass what the policy allows."""

    def __init__(self, policy: Policy, *, source: str = "environment") -> None:
        self.policy = policy
        self.source = source

    def decide(self, request: Request) -> Decision:
        """Answer as the policy does."""
        return self.policy.decide(request)

    def describe(self) -> str:
        """Mode and number of open operations."""
        count = self.policy.operations_count
        return f"mode={self.policy.mode} operations={count} source={self.source}"


class LearnGate:
    """Lets everything pass that a ceiling, if there is one, allows."""

    def __init__(self, ceiling: Policy | None = None) -> None:
        self.ceiling = ceiling

    def decide(self, request: Request) -> Decision:
        """Refuse only what the ceiling refuses."""
        if self.ceiling is not None:
            decision = self.ceiling.decide(request)
            if not decision.allowed:
                return replace(decision, reason=Reason.CEILING)
        return Decision(allowed=True, reason=Reason.LEARNING, rule="learn")

    def describe(self) -> str:
        """Mode, and how much may be learned at most."""
        if self.ceiling is None:
            return "mode=learn within=everything"
        return f"mode=learn within={self.ceiling.operations_count} operations"


class ShadowGate:
    """Lets everything pass, and says what the policy would refuse.

    Only refusals of the policy are lifted: what is ambiguous was refused before.
    """

    def __init__(self, policy: Policy, *, source: str = "environment") -> None:
        self.policy = policy
        self.source = source

    def decide(self, request: Request) -> Decision:
        """Allow it, with the policy's own answer attached."""
        decision = self.policy.decide(request)
        if decision.allowed:
            return decision
        return replace(decision, allowed=True, would_refuse=True)

    def describe(self) -> str:
        """Mode, and how much the policy would leave open."""
        count = self.policy.operations_count
        return f"mode=shadow operations={count} source={self.source}"
