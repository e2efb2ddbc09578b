"""The gate: what a connection asks before a request goes upstream, and tells afterwards.

`judge` takes a method and a raw target to a verdict; nothing else decides. It knows
nothing of sockets, files or clocks: `record` only updates values in memory.
"""

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Protocol

from trioproxy.learning.evidence import Evidence, Tally
from trioproxy.learning.shape import REFUSED, Shape, Who, result_of
from trioproxy.policy.endpoints import match
from trioproxy.policy.request import Request
from trioproxy.policy.rules import Decision, Policy, Reason
from trioproxy.policy.target import Target
from trioproxy.values import value_class

SHADOW_KEPT = 1_000
"""Different refusals that a shadow counts by name."""

TALLIES_KEPT = 1_024
"""Kinds of requests, each from one connection, that are counted without look-ups."""


@value_class
class Verdict:
    """A request as judged. A verdict is reused for every head with the same bytes."""

    request: Request
    decision: Decision
    agent: str
    """Product tokens of the client's user agent, for the evidence."""
    version: str
    """The API version that it names, for the evidence."""
    shape: Shape
    """What the evidence keeps of it."""


class Gate(Protocol):
    """What a connection asks: `decide` before a request, `record` after its answer."""

    def decide(self, request: Request) -> Decision:
        """May this request pass, and why?"""
        ...

    def record(
        self, verdict: Verdict, status: int, *, unrouted: bool, peer: str
    ) -> None:
        """Take note of a request and its final status.

        `unrouted`: the Engine has no such route. `peer`: the client's address.
        """
        ...

    def describe(self) -> str:
        """Name the mode and how much it opens, as fields of the start line."""
        ...


def judge(gate: Gate, method: str, raw_target: bytes, agent: str = "") -> Verdict:
    """Judge one request; the target goes upstream in the form judged here.

    Raises `BadTarget` where the Engine might read the target otherwise.
    """
    target = Target.parse(raw_target)
    endpoint = match(method, target)
    request = Request(method=method, target=target, endpoint=endpoint)
    return Verdict(
        request=request,
        decision=gate.decide(request),
        agent=agent,
        version=target.version.removeprefix("/v") or "unversioned",
        shape=Shape.of(request),
    )


class EnforceGate:
    """Lets pass what the policy allows."""

    def __init__(self, policy: Policy, *, source: str = "environment") -> None:
        self.policy = policy
        self.source = source

    def decide(self, request: Request) -> Decision:
        """Answer as the policy does."""
        return self.policy.decide(request)

    def record(
        self, verdict: Verdict, status: int, *, unrouted: bool, peer: str
    ) -> None:
        """Keep nothing: enforcing has no memory."""

    def describe(self) -> str:
        """Mode and number of open operations."""
        count = self.policy.operations_count
        return f"mode={self.policy.mode} operations={count} source={self.source}"


class Recorder:
    """Turns requests into evidence, and wakes who writes it down when there is news.

    All of it is for the run that the evidence is in.
    """

    def __init__(
        self,
        evidence: Evidence,
        *,
        now: Callable[[], float],
        wake: Callable[[], None],
        only: Callable[[str], bool] | None = None,
    ) -> None:
        self.evidence = evidence
        self.passed_over = 0
        """Requests of clients that are none of ours to learn from."""
        self._now = now
        self._wake = wake
        self._only = only
        self._tallies: dict[tuple[Hashable, ...], Tally] = {}

    def note(self, verdict: Verdict, status: int, *, unrouted: bool, peer: str) -> None:
        """Add a request to the evidence, with its final status."""
        kind = (
            verdict.shape,
            verdict.agent,
            verdict.version,
            verdict.decision.allowed,
            status,
            unrouted,
            peer,
        )
        tally = self._tallies.get(kind)
        if tally is not None:
            tally.add(self._now())
        elif tally := self._begin(verdict, status, unrouted=unrouted, peer=peer):
            if len(self._tallies) >= TALLIES_KEPT:
                self._tallies.clear()
            self._tallies[kind] = tally

    def _begin(
        self, verdict: Verdict, status: int, *, unrouted: bool, peer: str
    ) -> Tally | None:
        """Observe what this client, on this connection, did not do before."""
        # Without its port, which is another each time.
        host = peer if peer.startswith("unix:") else peer.rpartition(":")[0].strip("[]")
        if self._only is not None and not self._only(host):
            self.passed_over += 1
            return None
        result = result_of(status, unrouted=unrouted)
        if not verdict.decision.allowed:
            result = REFUSED
        who = Who(verdict.agent, host, verdict.version)
        if self.evidence.observe(verdict.shape, result, int(self._now()), who):
            self._wake()
        return self.evidence.tally(verdict.shape, result)


class LearnGate:
    """Lets everything pass that a ceiling, if there is one, allows; and takes note."""

    def __init__(self, recorder: Recorder, ceiling: Policy | None = None) -> None:
        self.recorder = recorder
        self.ceiling = ceiling
        self.record = recorder.note

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
        self.allowed = 0
        self.would_refuse: dict[str, int] = {}
        """How often, by the text of the refusal."""

    def decide(self, request: Request) -> Decision:
        """Allow it, with the policy's own answer attached."""
        decision = self.policy.decide(request)
        if decision.allowed:
            return decision
        return replace(decision, allowed=True, would_refuse=True)

    def record(
        self, verdict: Verdict, status: int, *, unrouted: bool, peer: str
    ) -> None:
        """Count it, under what would have been answered."""
        decision = verdict.decision
        if not decision.would_refuse:
            self.allowed += 1
            return
        message = decision.message
        if message not in self.would_refuse and len(self.would_refuse) >= SHADOW_KEPT:
            message = "and others"
        self.would_refuse[message] = self.would_refuse.get(message, 0) + 1

    def describe(self) -> str:
        """Mode, and how much the policy would leave open."""
        count = self.policy.operations_count
        return f"mode=shadow operations={count} source={self.source}"


class RecordGate:
    """Keeps evidence of what another gate decides."""

    def __init__(self, gate: Gate, recorder: Recorder) -> None:
        self.gate = gate
        self.recorder = recorder

    def decide(self, request: Request) -> Decision:
        """Answer as the other gate does."""
        return self.gate.decide(request)

    def record(
        self, verdict: Verdict, status: int, *, unrouted: bool, peer: str
    ) -> None:
        """Take note, here and there."""
        self.recorder.note(verdict, status, unrouted=unrouted, peer=peer)
        self.gate.record(verdict, status, unrouted=unrouted, peer=peer)

    def describe(self) -> str:
        """What the other gate says of itself."""
        return self.gate.describe()
