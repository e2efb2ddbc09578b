"""Shared by the tests of the policy: judge a request as the gate does."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from trioproxy.api.decoding import Json
from trioproxy.api.matched import Request
from trioproxy.api.routes import ENDPOINTS, OPERATIONS, Endpoint
from trioproxy.file.incumbents import examples_of
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import (
    Found,
    Gate,
    NeedBody,
    NeedListed,
    NeedMade,
    NeedRaw,
    NeedReserved,
    NeedThings,
    ParsedBody,
    Passes,
    Refused,
    go_on,
    judging,
)
from trioproxy.judge.outcome import Moment, Outcome, Verdict
from trioproxy.judge.pruning import Listed
from trioproxy.judge.rules import Decision, Policy, Reason
from trioproxy.limits.things import Known


def request(method: str, raw: str) -> Request:
    return Request.parse(method, raw.encode("ascii"))


REACHABLE = sorted(n for n, rows in OPERATIONS.items() if rows[0].is_reachable)
"""The operations that a request can mean."""


def of_endpoint(endpoint: Endpoint) -> list[Request]:
    """Requests that mean an endpoint; none if none ever reaches it."""
    return [request(method, path) for method, path in examples_of(endpoint)]


def of_table(*, podman: bool = True) -> Iterator[Request]:
    """A request or more for each endpoint of the table; `podman`: and for its own."""
    for endpoint in ENDPOINTS:
        if podman or not endpoint.is_podmans:
            yield from of_endpoint(endpoint)


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


def found_of(
    gate: Gate,
    method: str,
    raw: bytes,
    *,
    body: Json = None,
    is_read: bool = False,
    known: Known | None = None,
) -> Found | NeedBody | NeedThings:
    """Judge a request as far as `body`, if it is read, and `known` tell what is needed."""
    request = Request.parse(method, raw)
    one = judging(gate, request, has_body=True)
    answer: Any = None
    while True:
        match found := go_on(one, answer):
            case NeedBody() if not is_read:
                return found
            case NeedBody():
                answer = ParsedBody(copy.deepcopy(body)) if body is not None else None
            case NeedThings() if known is None:
                return found
            case NeedThings() | NeedMade():
                answer = known
            case NeedListed():
                answer = Listed(found.prune)
            case NeedReserved() | NeedRaw() | None:
                answer = None
            case Passes() | Refused():
                return found
            case _:
                assert_never(found)


def judged(
    gate: Gate,
    method: str,
    raw: bytes,
    agent: str = "",
    *,
    body: Json = None,
    is_read: bool = False,
    known: Known | None = None,
) -> Verdict:
    """Judge a request of which nothing more is needed than what is given."""
    found = found_of(gate, method, raw, body=body, is_read=is_read, known=known)
    assert isinstance(found, Passes | Refused), found
    return Verdict.of(gate, Request.parse(method, raw), found, agent)
