"""Requests to evidence: what is kept, what is counted, what wakes the writer."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import corpus
from tests.deciding import Door, asked
from tests.depth import by_depth
from tests.evidence.test_seen import EVIDENCE, content
from tests.judge import within
from tests.judge.judging import judged, outcome_of
from trioproxy.evidence import recorder as recorder_module
from trioproxy.evidence import seen as observe_module
from trioproxy.evidence.evidencefile import dump, load
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import REFUSED, Sight, Who, result_of, route
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Moment, Narrowed, Outcome
from trioproxy.judge.rules import Policy, Reason
from trioproxy.learning.wording import describe_hidden
from trioproxy.limits.objects import OWNER_LABEL, own_alone


class Learner:
    """A recorder behind a gate, with a clock that the test sets."""

    def __init__(
        self,
        ceiling: Policy | None = None,
        only: Callable[[str], bool] | None = None,
    ) -> None:
        self.time = 100.0
        self.woken = 0
        self.evidence = Evidence()
        self.evidence.begin("2026", 100)
        self.recorder = Recorder(
            self.evidence,
            now=lambda: self.time,
            wake=self.wake,
            only=only,
            clock=lambda: self.time,
        )
        self.gate: Gate = Gate.learning(ceiling)

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
        unfit: str = "",
    ) -> None:
        """One request from its head to its answer."""
        verdict = judged(self.gate, method, target, agent, is_read=True)
        outcome = outcome_of(verdict, status, unrouted=unrouted, peer=peer)
        self.recorder.note(replace(outcome, ended=self.time, unfit=unfit))


@pytest.mark.deep
def test_what_is_recorded_beside_any_file_is_read_back() -> None:
    """Whatever passes and whatever is refused, by its route, by what it asks for, by what it
    names or by what that has, is evidence that the next start can read."""
    chance, refused = random.Random(25), 0
    names = sorted(within.REQUESTS)
    for _ in range(by_depth(20, 400)):
        policy = parse_policy(corpus.by_chance(chance))[0]
        learner, door = Learner(), Door(gate=Gate.enforcing(policy), own=corpus.OWN)
        for name in chance.sample(names, 40):
            trio.run(door.ask, within.REQUESTS[name], corpus.WORLD)
            if door.verdict is not None:
                refused += not door.verdict.decision.allowed
                learner.recorder.note(outcome_of(door.verdict.in_words(), 201))
        dumped = dump(learner.evidence)
        assert dump(load(dumped.encode(), name="live").evidence) == dumped
    assert refused > 100


def test_what_is_reached_into_is_no_name_in_another_list() -> None:
    """A container with a capability that is not listed is what is refused, and no capability is named."""
    lists = {"CREATE_BINDS": "", "ONLY_CONTAINERS": "*", "ONLY_OWNER": "app"}
    policy = parse_policy({"ALLOW_OPERATIONS": "ContainerStart", **lists})[0]
    door, learner = Door(gate=Gate.enforcing(policy)), Learner()
    answer = asked(door, "POST /containers/nodes/start", None, corpus.WORLD)
    assert answer.rule == "CREATE_CAPS"
    assert door.verdict is not None
    learner.recorder.note(outcome_of(door.verdict.in_words(), 403))
    assert {one.variable for one in learner.evidence.facts} == {
        "ALLOW_OPERATIONS",
        "ONLY_CONTAINERS",
    }
    assert "CREATE_CAPS=NET_ADMIN" in {one.has for one in learner.evidence.facts}


def test_what_a_strangers_container_leads_to() -> None:
    """What it mounts, and whose processes it sees, counts by what that has, and needs no list."""
    seen = "2" * 64
    theirs: dict[str, Any] = {"Name": "/c", "Image": corpus.PLAIN, "Config": {}}
    host = {"CapDrop": ["MKNOD"], "PidMode": f"container:{seen}"}
    mounts = [{"Type": "volume", "Name": "folder"}]
    options = {"type": "none", "o": "bind", "device": "/etc"}
    here = {
        "/containers/c/json": {**theirs, "Id": "1" * 64, "HostConfig": host, "Mounts": mounts},
        f"/containers/{seen}/json": {**theirs, "Id": seen, "Name": "/d", "HostConfig": {}},
        f"/images/{corpus.PLAIN}/json": {"Id": corpus.PLAIN, "Config": {}},
        "/volumes/folder": {"Name": "folder", "Driver": "local", "Options": options},
        "/info": {"DefaultRuntime": "runc"},
    }  # fmt: skip
    learner, objects = Learner(), own_alone("app")
    door = Door(gate=Gate.learning(objects=objects))
    assert asked(door, "POST /containers/c/exec", {}, here).allowed
    assert door.verdict is not None
    learner.recorder.note(outcome_of(door.verdict.in_words(), 201))
    seen_of = learner.evidence.objects
    assert {one.item for one in seen_of if one.item and not one.has} == {"c"}
    assert {(one.item, one.has) for one in seen_of if one.has} >= {
        ("c", "CREATE_NAMESPACES=pid:container"),
        ("d", "CREATE_NODES="),
        ("folder", "CREATE_BINDS=/etc"),
    }


def test_what_its_own_container_leads_to() -> None:
    """A volume of its own container, and whose processes that sees, lists must hold."""
    seen = "2" * 64
    mine = {"Config": {"Labels": {OWNER_LABEL: "app"}}, "Image": corpus.PLAIN}
    here = {
        "/containers/c/json": {
            **mine,
            "Id": "1" * 64,
            "Name": "/c",
            "HostConfig": {"PidMode": f"container:{seen}"},
            "Mounts": [{"Type": "volume", "Name": "folder"}],
        },
        f"/containers/{seen}/json": {"Id": seen, "Name": "/d", "Image": corpus.PLAIN, "Config": {}, "HostConfig": {}},
        f"/images/{corpus.PLAIN}/json": {"Id": corpus.PLAIN, "Config": {}},
        "/volumes/folder": {"Name": "folder", "Driver": "local"},
    }  # fmt: skip
    learner = Learner()
    door = Door(gate=Gate.learning(objects=own_alone("app")))
    assert asked(door, "POST /containers/c/exec", {}, here).allowed
    assert door.verdict is not None
    learner.recorder.note(outcome_of(door.verdict.in_words(), 201))
    named = {one.item for one in learner.evidence.objects if one.item and not one.has}
    assert named == {"@own", "d", "folder"}


def test_a_request_becomes_evidence() -> None:
    """A request leaves its shape, the result, the time, and who sent it."""
    learner = Learner()
    learner.time = 123
    target = b"/v1.45/containers/my-db/json?size=1"
    learner.serve("GET", target, 200, agent="docker/26")
    shape = route("ContainerInspect", "GET", "CONTAINERS")
    record = learner.evidence.facts[shape]
    assert (record.first, record.count()) == (123, 1)
    assert (set(record.users.agents), set(record.users.versions)) == (
        {"docker/26"},
        {"1.45"},
    )


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
    (record,) = learner.evidence.routes.values()
    assert record.users.clients == {client}
    assert record.users.versions == {"unversioned"}


def test_what_a_file_may_refuse_by_its_query_is_kept() -> None:
    """A request that repeats but for its query is looked at; what failed shows no need."""
    learner = Learner()
    copy, top = b"/containers/web/archive?path=/", b"/containers/web/top"
    for status, more in ((200, b""), (404, b"&copyUIDGID=1"), (200, b"&copyUIDGID=0")):
        learner.serve("PUT", copy + more, status)
    learner.serve("GET", top + b"?ps_args=-ef", 200)
    assert not learner.recorder.asked_more
    learner.serve("PUT", copy + b"&copyUIDGID=1", 200)
    learner.serve("GET", top + b"?ps_args=axe", 200)
    learner.serve("DELETE", b"/networks/x?force=true", 204)
    assert [*learner.recorder.asked_more] == [
        "PutContainerArchive", "ContainerTop", "NetworkDelete",
    ]  # fmt: skip
    for status, unfit in ((200, ""), (400, "cut"), (200, "packed"), (200, "packed")):
        learner.serve("PUT", copy, status, unfit=unfit)
    assert learner.recorder.unfit == {"packed": 2}


def test_each_section_has_its_own_options() -> None:
    """The Engine answers them on every path: of two sections they are two, however soon they come."""
    learner = Learner()
    for section in (b"containers", b"images", b"containers"):
        learner.serve("OPTIONS", b"/%b/json" % section, 200)
    counts = {one.section: facts.count() for one, facts in learner.evidence.facts.items()}  # fmt: skip
    assert counts == {"CONTAINERS": 2, "IMAGES": 1}


def test_only_news_wakes_the_writer() -> None:
    """The second request of a kind is counted and disturbs nobody."""
    learner = Learner()
    for target in (b"/containers/a/json", b"/containers/b/json", b"/v1.45/info"):
        learner.serve("GET", target, 200)
    assert learner.woken == 2


Kind = tuple[bytes, int, bool, str, str]
"""Target, status, whether the route is missing, client, agent."""

Steps = list[tuple[Kind, float] | Evidence]

_KINDS: st.SearchStrategy[Kind] = st.tuples(
    st.sampled_from([b"/containers/json", b"/v1.45/containers/json", b"/secrets"]),
    st.sampled_from([200, 304, 404, 500]),
    st.booleans(),
    st.sampled_from(["10.0.0.5:1", "10.0.0.5:2", "[::1]:1", "unix:7"]),
    st.sampled_from(["", "docker/27 go/1.22", "curl/8"]),
)


def _steps(one: Kind, other: Kind, field: int) -> st.SearchStrategy[Steps]:
    """Requests that differ in one field only, and merges."""
    variant = cast(Kind, (*one[:field], other[field], *one[field + 1 :]))
    asked = st.tuples(st.sampled_from([one, variant]), st.floats(0, 3))
    return st.lists(asked | asked | EVIDENCE, min_size=2, max_size=20)


@pytest.mark.deep
@pytest.mark.parametrize("field", range(5))
@settings(max_examples=by_depth(30, 100))
@given(st.data(), st.integers(1, 3), st.integers(1, 3))
def test_a_tally_counts_as_looking_each_time_does(
    field: int, data: st.DataObject, tallies: int, runs: int
) -> None:
    """Repeats are counted without looking, whatever is merged in between."""
    steps = data.draw(
        st.tuples(_KINDS, _KINDS).flatmap(lambda kinds: _steps(*kinds, field))
    )
    ceiling, _ = parse_policy({"CONTAINERS": "1"})
    learner = Learner(ceiling)
    plain = Evidence()
    plain.begin("2026", 100)
    news = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder_module, "TALLIES_KEPT", tallies)
        patch.setattr(observe_module, "RUNS_KEPT", runs)
        for step in steps:
            if isinstance(step, Evidence):
                learner.evidence.merge(step)
                plain.merge(step)
                continue
            (target, status, unrouted, peer, agent), seconds = step
            learner.time += seconds
            learner.serve(
                "GET", target, status, unrouted=unrouted, peer=peer, agent=agent
            )
            verdict = judged(learner.gate, "GET", target, agent)
            result = result_of(status, unrouted=unrouted)
            client = peer if peer == "unix:7" else peer.rpartition(":")[0].strip("[]")
            news += plain.observe(
                Sight.of(verdict.request),
                result if verdict.decision.allowed else REFUSED,
                When(int(learner.time), int(learner.time - 100)),
                Who(verdict.agent, client, verdict.request.target.named_version),
            )
    assert content(learner.evidence) == content(plain)
    assert learner.evidence.changes == plain.changes
    assert learner.woken == news


def test_tallies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that comes from ever new ports costs no memory."""
    monkeypatch.setattr(recorder_module, "TALLIES_KEPT", 4)
    learner = Learner()
    for port in range(50):
        learner.serve("GET", b"/info", 200, peer=f"10.0.0.5:{port}")
    assert 1 <= len(learner.recorder._tallies) <= 4
    (record,) = learner.evidence.routes.values()
    assert record.count() == 50


def test_what_is_passed_over_is_counted_each_time() -> None:
    """There is no tally for a client that nobody learns from."""
    learner = Learner(only=lambda client: client == "10.0.0.5")
    for _ in range(3):
        learner.serve("GET", b"/info", 200, peer="10.0.0.6:1")
    assert learner.recorder.passed_over == 3
    assert not learner.evidence.routes


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
    decision = judged(learner.gate, "POST", b"/containers/create").decision
    assert (decision.allowed, decision.reason) == (False, Reason.CEILING)
    assert "ALLOW_CREATE=1" in decision.message
    assert learner.evidence.used_operations() == {"ContainerList"}
    assert [shape.operation for shape in learner.evidence.ended("refused")] == [
        "ContainerCreate"
    ]


def test_others_may_pass_without_being_learned_from() -> None:
    """A neighbour on a shared listener is served, counted, and leaves no evidence."""
    learner = Learner(only=lambda client: client == "10.0.0.5")
    learner.serve("GET", b"/info", 200, peer="10.0.0.5:1")
    learner.serve("POST", b"/containers/create", 201, peer="10.0.0.6:1")
    assert learner.evidence.used_operations() == {"SystemInfo"}
    assert learner.recorder.passed_over == 1


def test_refusals_of_a_policy_are_evidence() -> None:
    """What a gate refuses is kept as refused, what it lets pass with its status."""
    learner = Learner()
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerList"})
    for gate, results in (
        (Gate.enforcing(policy), {"refused"}),
        (Gate.learning(), {"refused", "200"}),
    ):
        learner.gate = gate
        learner.serve("GET", b"/images/json", 200)
        record = learner.evidence.facts[route("ImageList", "GET", "IMAGES")]
        assert record.results.keys() == results


def test_what_is_refused_is_kept_whatever_its_query() -> None:
    """Of a query that nobody reads the connection crashed behind its 403, and nothing was recorded."""
    learner = Learner()
    learner.gate = Gate.enforcing(parse_policy({"ALLOW_OPERATIONS": "SystemPing"})[0])
    for target in (b"create?a=%zz", b"x/start?a=%zz", b"x/rename?name=%ff"):
        learner.serve("POST", b"/containers/" + target, 403)
    refused = {one.operation for one in learner.evidence.ended("refused")}
    assert refused == {"ContainerCreate", "ContainerStart", "ContainerRename"}


def test_a_stream_is_noted_once_and_at_its_beginning() -> None:
    """A learner that is killed has seen the streams that were open."""
    learner = Learner()
    verdict = judged(learner.gate, "GET", b"/events")
    learner.recorder.note(outcome_of(verdict, 200, moment=Moment.OPENED))
    assert learner.evidence.used_operations() == {"SystemEvents"}
    learner.recorder.note(outcome_of(verdict, 200, moment=Moment.CLOSED))
    (record,) = learner.evidence.routes.values()
    assert record.count() == 1


def test_what_had_no_answer_is_no_evidence() -> None:
    """A client that left, an Engine that is down, a head that cannot be read; of the first two is told that they came."""
    learner = Learner()
    verdict = judged(learner.gate, "GET", b"/info")
    for outcome in (
        Outcome(Moment.WHOLE, "10.0.0.5:1", verdict, 0, is_ours=False),
        Outcome(Moment.WHOLE, "10.0.0.5:1", verdict, 502, is_ours=True),
        Outcome(Moment.WHOLE, "10.0.0.5:1", None, 400, is_ours=True),
    ):
        learner.recorder.note(outcome)
    assert not learner.evidence.routes
    assert learner.recorder.unanswered == 2


def rejected(reason: str, peer: str = "10.0.0.5:1") -> Outcome:
    """What is told of a request that could not be read."""
    return Outcome(Moment.WHOLE, peer, None, 400, is_ours=True, ending=reason)


def test_what_could_not_be_read_is_counted_by_its_reason() -> None:
    """Reasons are told at the end, and never get into the evidence."""
    learner = Learner(only=lambda client: client == "10.0.0.5")
    for _ in range(3):
        learner.recorder.note(rejected("bad Host 'a b'"))
    learner.recorder.note(rejected("bad Host 'a b'", peer="10.0.0.6:1"))
    assert learner.recorder.unread == {"bad Host 'a b'": 3}
    assert not learner.evidence.routes


def test_reasons_are_bounded() -> None:
    """A client that sends ever new nonsense fills no memory."""
    learner = Learner()
    for number in range(1_000):
        learner.recorder.note(rejected(f"bad path {number}"))
    unread = learner.recorder.unread
    assert len(unread) == recorder_module.REASONS_KEPT + 1
    assert sum(unread.values()) == 1_000


def test_repeats_read_the_clocks_once_a_second() -> None:
    """What is counted thousands of times a second asks nobody for the time."""
    learner = Learner()
    learner.time = 100.25
    asked = 0

    def now() -> float:
        nonlocal asked
        asked += 1
        return learner.time

    learner.recorder.now = now
    for step in range(100):
        learner.time = 100.25 + step / 64
        learner.serve("GET", b"/info", 200)
    (record,) = learner.evidence.routes.values()
    assert (record.count(), record.first, record.last) == (100, 100, 101)
    assert asked <= 4


def test_what_was_hidden_is_counted() -> None:
    """Of an operation the most that one answer left out, or would have, whoever asked; of a stream
    when it is over. It is merged and written like all that is known of a run."""
    learner = Learner(only=lambda host: host != "10.0.0.9")
    verdict = judged(learner.gate, "GET", b"/containers/json", is_read=True)
    most = list[int]()
    for hidden, moment, peer in (
        (1, Moment.WHOLE, "10.0.0.5:1"),
        (0, Moment.WHOLE, "10.0.0.5:1"),
        (2, Moment.WHOLE, "10.0.0.5:1"),
        (3, Moment.CLOSED, "10.0.0.5:1"),
        (1, Moment.WHOLE, "10.0.0.5:1"),
        (9, Moment.WHOLE, "10.0.0.9:1"),
    ):
        one = outcome_of(verdict, 200, moment=moment, peer=peer)
        learner.recorder.note(replace(one, narrowed=Narrowed(hidden, is_tried=True)))
        most.append(learner.evidence.hidden.get("ContainerList", 0))
    assert most == [1, 1, 2, 3, 3, 3]
    assert learner.evidence.hidden == {"ContainerList": 3}
    again = load(dump(learner.evidence).encode(), name="x").evidence
    assert again.hidden == {"ContainerList": 3}
    again.runs["2026"].hidden = {"ContainerList": 1, "SystemEvents": 5}
    again.merge(learner.evidence)
    assert list(describe_hidden(again.hidden)) == [
        "strangers that lists of objects leave out, in one answer at most: ContainerList 3, SystemEvents 5"
    ]
