"""Shared by the tests of the policy: judge a request as the gate does."""

from collections.abc import Mapping

from trioproxy.api.matched import Request
from trioproxy.api.routes import match
from trioproxy.api.target import Target
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Verdict
from trioproxy.judge.outcome import Moment, Outcome
from trioproxy.judge.rules import Decision, Policy, Reason


def request(method: str, raw: str) -> Request:
    target = Target.parse(raw.encode("ascii"))
    return Request(method=method, target=target, endpoint=match(method, target))


def judge(variables: Mapping[str, str], method: str, raw: str) -> Decision:
    policy, _ = parse_policy(variables)
    return policy.decide(request(method, raw))


def passes(policy: Policy, method: str, raw: str) -> bool:
    return policy.decide(request(method, raw)).allowed


def outcome_of(
    verdict: Verdict,
    status: int,
    *,
    unrouted: bool = False,
    peer: str = "10.0.0.5:4711",
    moment: Moment = Moment.WHOLE,
) -> Outcome:
    """What is told of a request that ended this way."""
    decision = verdict.decision
    is_ours = not decision.allowed and decision.reason is not Reason.MISSING
    status = status if decision.allowed else decision.status
    return Outcome(moment, peer, verdict, status, is_ours, unrouted)
