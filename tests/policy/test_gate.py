"""What a connection asks, and tells afterwards."""

import pytest

from trioproxy.policy.gate import LearnGate, judge
from trioproxy.policy.observe import Evidence, Shape
from trioproxy.policy.permissions import parse_policy
from trioproxy.policy.rules import Policy, Reason


class Learner:
    """A gate that learns, with a clock that the test sets."""

    def __init__(self, ceiling: Policy | None = None) -> None:
        self.time = 100
        self.woken = 0
        self.evidence = Evidence()
        self.evidence.begin("2026", 100)
        self.gate = LearnGate(
            self.evidence, now=lambda: self.time, wake=self.wake, ceiling=ceiling
        )

    def wake(self) -> None:
        self.woken += 1

    def serve(
        self,
        method: str,
        target: bytes,
        status: int,
        *,
        unrouted: bool = False,
        peer: str = "10.0.0.5:4711",
        agent: str = "",
    ) -> None:
        """One request from its head to its answer."""
        verdict = judge(self.gate, method, target, agent)
        status = status if verdict.decision.allowed else 403
        self.gate.record(verdict, status, unrouted=unrouted, peer=peer)


def test_learning_lets_everything_pass() -> None:
    """Without a ceiling even what the table does not know goes to the Engine."""
    gate = Learner().gate
    for method, target in [("POST", b"/containers/create"), ("PATCH", b"/new/thing")]:
        decision = judge(gate, method, target).decision
        assert (decision.allowed, decision.reason) == (True, Reason.LEARNING)


def test_a_request_becomes_evidence() -> None:
    """A request leaves its shape, the result, the time, and who sent it."""
    learner = Learner()
    learner.time = 123
    target = b"/v1.45/containers/my-db/json?size=1"
    learner.serve("GET", target, 200, agent="docker/26")
    shape = Shape("ContainerInspect", "GET", "CONTAINERS")
    record = learner.evidence.records[shape]
    assert (record.first, record.count("200")) == (123, 1)
    assert (record.agents, record.versions) == ({"docker/26"}, {"1.45"})


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        pytest.param("10.0.0.5:4711", "10.0.0.5", id="ipv4"),
        pytest.param("[fd00::5]:4711", "fd00::5", id="ipv6"),
        pytest.param("unix:uid=1000", "unix:uid=1000", id="unix"),
    ],
)
def test_clients_are_known_by_address(peer: str, client: str) -> None:
    """A client's port is another each time, and is not kept."""
    learner = Learner()
    learner.serve("GET", b"/info", 200, peer=peer)
    (record,) = learner.evidence.records.values()
    assert record.clients == {client}
    assert record.versions == {"unversioned"}


def test_only_news_wakes_the_writer() -> None:
    """The second request of a kind is counted and disturbs nobody."""
    learner = Learner()
    for target in (b"/containers/a/json", b"/containers/b/json", b"/v1.45/info"):
        learner.serve("GET", target, 200)
    assert learner.woken == 2


def test_a_missing_route_is_told_from_a_missing_thing() -> None:
    """A probe for a network is use; a probe for a route the Engine lacks is none."""
    learner = Learner()
    learner.serve("GET", b"/networks/x", 404)
    learner.serve("GET", b"/images/x/attestations", 404, unrouted=True)
    assert learner.evidence.used_operations() == {"NetworkInspect"}


def test_a_ceiling_refuses_while_learning() -> None:
    """What the ceiling refuses never reaches the Engine, and is noted as refused."""
    ceiling, _ = parse_policy({"CONTAINERS": "1"})
    learner = Learner(ceiling)
    learner.serve("GET", b"/containers/json", 200)
    learner.serve("POST", b"/containers/create", 201)
    decision = judge(learner.gate, "POST", b"/containers/create").decision
    assert (decision.allowed, decision.reason) == (False, Reason.CEILING)
    assert "POST=1" in decision.message
    assert learner.evidence.used_operations() == {"ContainerList"}
    assert [shape.operation for shape in learner.evidence.refused()] == [
        "ContainerCreate"
    ]


def test_a_gate_says_how_much_may_be_learned() -> None:
    """The start line names the mode and the ceiling."""
    ceiling, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerList,ImageList"})
    assert Learner().gate.describe() == "mode=learn within=everything"
    assert Learner(ceiling).gate.describe() == "mode=learn within=2 operations"
