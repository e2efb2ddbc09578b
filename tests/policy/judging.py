"""Shared by the tests of the policy: judge a request as the gate does."""

from collections.abc import Mapping

from trioproxy.policy.endpoints import match
from trioproxy.policy.permissions import parse_policy
from trioproxy.policy.request import Request
from trioproxy.policy.rules import Decision, Policy
from trioproxy.policy.target import Target


def request(method: str, raw: str) -> Request:
    target = Target.parse(raw.encode("ascii"))
    return Request(method=method, target=target, endpoint=match(method, target))


def judge(variables: Mapping[str, str], method: str, raw: str) -> Decision:
    policy, _ = parse_policy(variables)
    return policy.decide(request(method, raw))


def passes(policy: Policy, method: str, raw: str) -> bool:
    return policy.decide(request(method, raw)).allowed
