"""What a prune may remove: filters as the Engine reads them, and what is listed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.judge.judging import outcome_of, request
from trioproxy.api.families import Kind
from trioproxy.errors import BadTarget, Untold
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, NeedListed, Passes, Refused, go_on, judging
from trioproxy.judge.outcome import Verdict
from trioproxy.judge.pruning import Listed, Prune, prune_of
from trioproxy.judge.replay import replay
from trioproxy.limits.objects import own_alone, parse_objects
from trioproxy.limits.things import Missing, Thing

ID = "a1" * 32
OTHER = "b2" * 32
OWN = {"trioproxy.owner": "app"}
LISTS = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}
PRUNES = {"ALLOW_OPERATIONS": "ContainerPrune,NetworkPrune,VolumePrune", **LISTS}
NOW = {"SystemTime": "2026-01-01T12:00:00.5+01:00"}


def prune(
    kind: Kind, filters: object = None, version: str = "/v1.45", **lists: str
) -> Prune:
    text = filters if isinstance(filters, str) else json.dumps(filters)
    raw = b"" if filters is None else f"filters={quote(text)}".encode()
    return prune_of(kind, version, raw, parse_objects(lists or LISTS, source="x"))


def container(labels: object = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    given = {"Id": ID, "Names": ["/web"], "ImageID": "sha256:x", "Labels": OWN if labels is None else labels}  # fmt: skip
    return {**given, "State": "exited", "Created": 1_767_000_000, **more}


def network(**more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"Id": ID, "Name": "front", "Labels": OWN, "Created": "2026-01-01T10:00:00.5Z", **more}  # fmt: skip


ANONYMOUS = {**OWN, "com.docker.volume.anonymous": ""}


def volume(**more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"Name": "data", "Driver": "local", "Labels": OWN, "Options": None, **more}


STATES = {"created": True, "exited": True, "dead": True, "stopped": True, "configured": True, "running": False, "paused": False, "restarting": False, "removing": False, "stopping": False, "": False}  # fmt: skip


@pytest.mark.parametrize(("state", "is_taken"), STATES.items(), ids=STATES)
def test_states(state: str, is_taken: bool) -> None:
    """Only what is known not to run is pruned; a state of a newer Engine is none of these."""
    found = prune(Kind.CONTAINER).takes(container(State=state))
    assert (found is not None) is is_taken


KEPT = [
    (Kind.NETWORK, network(ConfigOnly=True)),
    (Kind.NETWORK, network(Ingress=True)),
    (Kind.NETWORK, network(Name="bridge")),
    (Kind.NETWORK, network(Labels={})),
    (Kind.VOLUME, volume()),
    (Kind.VOLUME, volume(Labels=ANONYMOUS, Driver="nfs")),
    (Kind.VOLUME, volume(Labels=ANONYMOUS, Options={"type": "none"})),
    (Kind.CONTAINER, container({})),
]


@pytest.mark.parametrize(("kind", "value"), KEPT)
def test_what_no_prune_takes(kind: Kind, value: dict[str, Any]) -> None:
    """What the Engine leaves alone stays, and what is not listed; a volume with a name as well."""
    assert prune(kind).takes(value) is None


VALUES = {
    "label": "a",
    "label!": "a",
    "until": "10m",
    "all": "true",
    "dangling": "true",
    "": "x",
}
TAKEN = {
    Kind.CONTAINER: {"label", "label!", "until"},
    Kind.NETWORK: {"label", "label!", "until"},
    Kind.VOLUME: {"label", "label!", "all"},
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("kind", TAKEN)
def test_the_filters_of_each_kind(kind: Kind, name: str) -> None:
    """What the Engine takes, and what it answers with 400: an unknown one would count for nothing."""
    filters = {name: [VALUES[name]]}
    if name in TAKEN[kind]:
        assert prune(kind, filters).filters[name] == {VALUES[name]}
    else:
        with pytest.raises(BadTarget, match="invalid filter"):
            prune(kind, filters)


def test_named_volumes() -> None:
    """They go with `all`, and for clients from before 1.42, whose prune means that."""
    assert prune(Kind.VOLUME).takes(volume(Labels=ANONYMOUS))
    assert prune(Kind.VOLUME, {"all": ["true"]}).takes(volume())
    assert prune(Kind.VOLUME, {"all": {"1": True}}).takes(volume())
    assert prune(Kind.VOLUME, {"all": ["false"]}).takes(volume()) is None
    assert prune(Kind.VOLUME, version="/v1.41").takes(volume())
    assert prune(Kind.VOLUME, version="/v1.42").takes(volume()) is None
    assert prune(Kind.VOLUME, version="").takes(volume()) is None
    assert prune(Kind.CONTAINER, version="/v1.41").takes(container())
    for yes, no in zip(["1", "t", "T", "TRUE", "true", "True"], ["0", "f", "F", "FALSE", "false", "False"], strict=True):  # fmt: skip
        assert prune(Kind.VOLUME, {"all": [yes]}).takes(volume())
        assert prune(Kind.VOLUME, {"all": [no]}).takes(volume()) is None
    for other in ("", "yes", "2", "tRUE"):
        with pytest.raises(BadTarget, match="it takes true or false"):
            prune(Kind.VOLUME, {"all": [other]})
    with pytest.raises(BadTarget, match="filter all"):
        prune(Kind.VOLUME, {"all": ["false"]}, version="/v1.41")


LABELS = [
    ({"label": ["a"]}, True),
    ({"label": ["a=1"]}, True),
    ({"label": ["a=2"]}, False),
    ({"label": ["a", "c"]}, False),
    ({"label": ["b="]}, True),
    ({"label": []}, True),
    ({"label!": ["a"]}, False),
    ({"label!": ["a=2"]}, True),
    ({"label!": ["a", "c"]}, True),
    ({"label!": []}, False),
    ({"label": {"a": True, "b": False}}, True),
]


@pytest.mark.parametrize(("filters", "is_taken"), LABELS, ids=str)
def test_labels(filters: object, is_taken: bool) -> None:
    """All of `label`, and not all of `label!`, as the Engine has it."""
    value = container({**OWN, "a": "1", "b": ""})
    assert (prune(Kind.CONTAINER, filters).takes(value) is not None) is is_taken


UNCLEAR = {
    "no JSON": "{",
    "a list": "[]",
    "null": "null",
    "a null in it": '{"label":null}',
    "a number in it": '{"label":[1]}',
    "a name twice": '{"label":["a"],"label":["b"]}',
    "both shapes": '{"label":["a"],"until":{"1h":true}}',
    "a text": '{"label":"a"}',
    "another filter": '{"name":["a"]}',
    "of volumes": '{"all":["true"]}',
    "two times": '{"until":["1h","2h"]}',
    "no time": '{"until":["soon"]}',
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("filters", UNCLEAR.values(), ids=UNCLEAR)
def test_filters_that_are_not_clear(filters: str) -> None:
    """A filter that is not understood would remove more: it is refused."""
    with pytest.raises(BadTarget):
        prune(Kind.CONTAINER, filters)


def test_filters_given_twice() -> None:
    """The Engine takes one of them, and another reader the other."""
    objects = parse_objects(LISTS, source="x")
    with pytest.raises(BadTarget, match="twice"):
        prune_of(Kind.CONTAINER, "", b"filters={}&filters={}", objects)


def test_until() -> None:
    """By the Engine's clock: what was made later stays, and what does not say when."""
    asked = prune(Kind.NETWORK, {"until": ["30m"]})
    assert asked.takes(network()) is None
    asked = asked.at(NOW["SystemTime"])  # 11:00:00.5 UTC, and whole seconds of that
    assert asked.takes(network(Created="2026-01-01T10:30:00Z"))
    assert asked.takes(network(Created="2026-01-01T11:30:00.0+01:00"))
    assert asked.takes(network(Created="2026-01-01T10:30:00.000000001Z")) is None
    assert asked.takes(network(Created=None)) is None
    assert asked.takes(network(Created="soon")) is None


@pytest.mark.parametrize("now", [None, "", "12:00", 5, {}])
def test_an_engine_without_a_clock(now: Any) -> None:  # noqa: ANN401  JSON
    """Where it does not say what time it is, nothing is removed."""
    with pytest.raises(Untold):
        prune(Kind.NETWORK, {"until": ["30m"]}).at(now)


def judged(variables: Mapping[str, str], target: str, *things: Thing, tries: bool = False) -> Passes | Refused:  # fmt: skip
    policy, _ = parse_policy(variables)
    one = judging(Gate(policy=policy, objects=policy.objects, only_tries=tries), request("POST", target), has_body=False)  # fmt: skip
    found = go_on(one)
    if isinstance(found, NeedListed):
        found = go_on(one, Listed(found.prune, things))
    assert isinstance(found, Passes | Refused)
    return found


def test_a_label_of_an_image_removes_nothing() -> None:
    """What a container has from its image is nobody's, and of an image that is gone all is."""
    mine = Thing(Kind.CONTAINER, ID, ("a",), OWN, inherited={})
    planted = Thing(Kind.CONTAINER, OTHER, ("b",), OWN, inherited=OWN)
    gone = Thing(Kind.CONTAINER, "c3" * 32, ("c",), OWN)
    ours = mine._replace(id="d4" * 32, is_proxys=True)
    found = judged(PRUNES, "/containers/prune", mine, planted, gone, ours)
    assert isinstance(found, Passes)
    assert found.removals is not None
    assert [one.id for one in found.removals.each] == [ID]


def test_what_is_answered_by_name() -> None:
    """Networks are removed by their ids and told by their names."""
    thing = Thing(Kind.NETWORK, ID, ("front",), OWN)
    found = judged(PRUNES, "/networks/prune", thing)
    assert isinstance(found, Passes)
    assert found.removals is not None
    assert found.removals.each == ((ID, "front"),)
    # What is kept of it while it is under way is weighed, by the names in it.
    gate = Gate.enforcing(parse_policy(PRUNES)[0])
    verdict = Verdict.of(gate, request("POST", "/networks/prune"), found, "")
    assert verdict.size == 512 + 4 * len(f"{ID}front")
    told = outcome_of(verdict, 200)
    assert replace(told, began=2.0, ended=5.5).seconds == 3.5


def test_others_have_their_turn_between_many() -> None:
    """A prune of thousands keeps nobody waiting: each 64 things somebody else may go on."""
    policy, _ = parse_policy(PRUNES)
    one = judging(Gate.enforcing(policy), request("POST", "/networks/prune"), has_body=False)  # fmt: skip
    found = go_on(one)
    assert isinstance(found, NeedListed)
    things = tuple(Thing(Kind.NETWORK, f"{n:064x}", (f"n{n}",), OWN) for n in range(192))  # fmt: skip
    found, turns = go_on(one, Listed(found.prune, things)), 0
    while found is None:
        found, turns = go_on(one), turns + 1
    assert isinstance(found, Passes)
    assert found.removals is not None
    assert (len(found.removals.each), turns) == (192, 3)


def test_where_nothing_is_narrowed() -> None:
    """Where all of a kind is listed, or it is only tried out, a prune goes on as it came."""
    every = {**PRUNES, "ONLY_CONTAINERS": "*"}
    for found in (
        judged(every, "/containers/prune"),
        judged({"ALLOW_OPERATIONS": "ContainerPrune"}, "/containers/prune"),
        judged(PRUNES, "/containers/prune", tries=True),
    ):
        assert isinstance(found, Passes)
        assert found.removals is None
        assert not found.decision.would_refuse


def test_what_the_engine_says_of_the_question() -> None:
    """A version that it does not take is answered with its own words."""
    policy, _ = parse_policy(PRUNES)
    one = judging(Gate.enforcing(policy), request("POST", "/v1.99/containers/prune"), has_body=False)  # fmt: skip
    assert isinstance(go_on(one), NeedListed)
    found = go_on(one, Missing(400, "client version 1.99 is too new"))
    assert isinstance(found, Refused)
    assert (found.decision.status, found.decision.message) == (400, "client version 1.99 is too new")  # fmt: skip


def test_a_reload_with_other_lists_ends_a_prune() -> None:
    """Of what goes ids are left, by which nothing can be judged: with the same lists it goes on."""
    policy, _ = parse_policy(PRUNES)
    gate, asked = Gate.enforcing(policy), request("POST", "/containers/prune")
    verdict = Verdict.of(gate, asked, judged(PRUNES, "/containers/prune"), "")
    assert replay(gate, verdict).allowed
    wider, _ = parse_policy({**PRUNES, "ONLY_CONTAINERS": "@own,web"})
    assert not replay(Gate.enforcing(wider), verdict).allowed
    open_, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerPrune"})
    assert replay(Gate.enforcing(open_), verdict).allowed


@pytest.mark.deep
@settings(max_examples=by_depth(30, 100))
@given(
    st.dictionaries(st.sampled_from("ab"), st.sampled_from(["", "1"])),
    st.lists(st.sampled_from(["a", "b", "a=1", "b=", "c"]), max_size=2),
)
def test_a_filter_only_takes_less(labels: dict[str, str], wanted: list[str]) -> None:
    """Whatever a client filters by, what goes is what would have gone without."""
    value = container({**labels, **OWN})
    for name in ("label", "label!"):
        if prune(Kind.CONTAINER, {name: wanted}).takes(value):
            assert prune(Kind.CONTAINER).takes(value)


def test_who_learns_as_if_alone_prunes_its_own() -> None:
    """What is learned so meets no stranger, and removes none either."""
    gate = Gate.learning(objects=own_alone("app"), is_alone=True)
    one = judging(gate, request("POST", "/containers/prune"), has_body=False)
    need = go_on(one)
    assert isinstance(need, NeedListed)
    things = (Thing(Kind.CONTAINER, ID, ("a",), OWN, inherited={}), Thing(Kind.CONTAINER, OTHER, ("b",), OWN, inherited=OWN))  # fmt: skip
    found = go_on(one, Listed(need.prune, things))
    assert isinstance(found, Passes)
    assert found.removals is not None
    assert [each.id for each in found.removals.each] == [ID]
    beside = judging(Gate.learning(objects=own_alone("app")), request("POST", "/containers/prune"), has_body=False)  # fmt: skip
    passed = go_on(beside)
    assert isinstance(passed, Passes)
    assert passed.removals is None
