"""Policies with lists of objects: what they decide by the route, and what they warn about."""

import pytest

from tests.judge.judging import found_of, judged, request
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import SWITCHES
from trioproxy.judge.gate import Gate, NeedThings
from trioproxy.judge.outcome import Verdict
from trioproxy.judge.replay import replay
from trioproxy.judge.rules import Policy, Reason
from trioproxy.limits.things import Missing, Thing

OPEN = dict.fromkeys(SWITCHES, "1")
OWN = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}


def policy(**variables: str) -> Policy:
    return parse_policy(variables)[0]


CONFINED = [
    ("GET", "/containers/x/json"), ("POST", "/containers/x/exec"), ("DELETE", "/volumes/x"),
    ("PUT", "/containers/x/archive"), ("GET", "/containers/json"), ("GET", "/events"), ("POST", "/images/create"),
    ("GET", "/system/df"),
]  # fmt: skip
BEYOND = [
    ("GET", "/services"), ("GET", "/tasks/x"), ("GET", "/nodes"), ("GET", "/swarm"),
    ("GET", "/configs"), ("GET", "/secrets"), ("GET", "/containers/x/new"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CONFINED + BEYOND)
def test_sections_beside_lists(method: str, path: str) -> None:
    """Sections open what names objects that are looked up, and nothing that reaches others."""
    asked = request(method, path)
    assert policy(**OPEN).decide(asked).allowed
    decision = policy(**OPEN, **OWN).decide(asked)
    assert decision.allowed is ((method, path) in CONFINED)
    if not decision.allowed:
        assert decision.reason is Reason.UNCONFINED


def test_by_name_it_passes() -> None:
    """What is named in a list of operations is what somebody wants, and is warned about."""
    listed = {"ALLOW_OPERATIONS": "NodeList,ContainerList", **OWN}
    asked = request("GET", "/nodes")
    assert policy(**listed).decide(asked).allowed
    assert not policy(**OPEN, **OWN).decide(asked).allowed


def test_what_is_warned_about() -> None:
    """What reaches others, and that no wall stands without CREATE_*."""
    listed = {
        "ALLOW_OPERATIONS": "ContainerCreate,ContainerList,ServiceList,GET:/containers/{id}/new"
    }
    _, warnings = parse_policy({**listed, **OWN})
    assert "no ONLY_* variable limits ServiceList and GET:/containers/{id}/new" in warnings  # fmt: skip
    assert any(one.startswith("ONLY_* holds for a client that") for one in warnings)
    _, warnings = parse_policy({**listed, **OWN, "CREATE_BINDS": ""})
    assert not any(one.startswith("ONLY_* holds for a client that") for one in warnings)
    assert not any("ONLY_" in one for one in parse_policy(listed)[1])


def test_a_fingerprint_tells_lists_apart() -> None:
    """A file that lists other objects is another policy."""
    names = {
        policy(**OPEN).fingerprint,
        policy(**OPEN, **OWN).fingerprint,
        policy(**OPEN, ONLY_CONTAINERS="@own", ONLY_OWNER="other").fingerprint,
        policy(**OPEN, ONLY_CONTAINERS="db", ONLY_OWNER="app").fingerprint,
    }
    assert len(names) == 4


def test_each_gate_waits_for_the_engine() -> None:
    """Nothing that names an object passes before the Engine was asked, in no mode."""
    lists = policy(**OPEN, **OWN)
    for gate in (Gate.enforcing(lists), Gate.trying(lists), Gate.learning(lists)):
        found = found_of(gate, "POST", b"/v1.45/containers/x/stop")
        assert isinstance(found, NeedThings)
        assert [(one.text, one.place) for one in found.references] == [("x", "")]
    verdict = judged(Gate.learning(), "POST", b"/containers/x/stop")
    assert verdict.decision.allowed


def test_labels_that_count_since_a_reload() -> None:
    """Of an image's labels those were read that counted when a stream was opened: of those that
    count now all may be the image's, by which nobody is known; what counted then still counts."""
    labels = {"team": "web", "tier": "front"}
    there = Thing(Kind.CONTAINER, "f" * 64, ("x",), labels, inherited={})

    def listing(*labels: str) -> Gate:
        lists = ",".join(f"@label:{one}" for one in labels)
        return Gate.enforcing(policy(**OPEN, ONLY_CONTAINERS=lists, ONLY_OWNER="app"))

    before = judged(
        listing("team=web"),
        "GET",
        b"/containers/x/logs",
        known={(Kind.CONTAINER, "x"): there},
    )
    assert before.decision.allowed
    assert replay(listing("team=web", "tier=no"), before).allowed
    assert not replay(listing("team=no", "tier=front"), before).allowed


def test_what_was_open_before_a_reload_is_cut() -> None:
    """A stream that was opened without lists was not looked up: with lists it ends. So do events
    that are shown otherwise now; what is shown as before goes on."""
    before = judged(Gate.enforcing(policy(**OPEN)), "GET", b"/containers/x/logs")
    assert before.decision.allowed
    after = Gate.enforcing(policy(**OPEN, **OWN))
    assert not replay(after, before).allowed
    assert replay(Gate.enforcing(policy(**OPEN)), before).allowed
    events = judged(Gate.enforcing(policy(**OPEN)), "GET", b"/events")
    assert not replay(after, events).allowed
    hiding = Gate.enforcing(policy(**OPEN, REDACT="env"))
    assert not replay(hiding, events).allowed
    events = judged(hiding, "GET", b"/events")
    again = Gate.enforcing(policy(**{**OPEN, "VERSION": "0"}, REDACT="env"))
    assert replay(again, events).allowed


def test_what_is_made_without_a_body_is_nobodys() -> None:
    """There is nothing that a label could stand in, so it is not the client's own."""
    listed = {"ALLOW_OPERATIONS": "ContainerCreate,NetworkCreate,VolumeCreate", **OWN}
    gate = Gate.enforcing(policy(**listed))
    for target in (b"/containers/create?name=new", b"/networks/create"):
        found = judged(gate, "POST", target, is_read=True).decision
        assert not found.allowed
        assert "does not list" in found.message
    assert judged(gate, "POST", b"/volumes/create", is_read=True).decision.allowed


GONE = Missing(404, "no such thing")


def tried(gate: Gate, method: str, target: bytes, body: Json = None) -> Verdict:
    """A request that names what the Engine has not."""
    found = found_of(gate, method, target, body=body, is_read=True)
    assert isinstance(found, NeedThings)
    known = {(one.kind, one.text): GONE for one in found.references}
    return judged(gate, method, target, body=body, is_read=True, known=known)


def test_what_is_tried_out_refuses_nothing_that_is_missing() -> None:
    """In shadow the Engine says itself that it has nothing under a name; and a creation
    that names what is missing passes as it came, and is told as what would be refused."""
    lists = policy(**OPEN, **OWN)
    shadow = Gate.trying(lists)
    asked = tried(shadow, "GET", b"/v1.45/containers/gone/json")
    assert asked.decision.allowed
    assert not asked.decision.would_refuse
    body: Json = {"Image": "x", "HostConfig": {"NetworkMode": "gone"}}
    made = tried(shadow, "POST", b"/v1.45/containers/create", body)
    assert (made.decision.allowed, made.decision.would_refuse) == (True, True)
    enforced = tried(Gate.enforcing(lists), "GET", b"/v1.45/containers/gone/json")
    assert (enforced.decision.allowed, enforced.decision.word) == (False, "allowed")
    assert enforced.decision.is_answered
