"""States of the Engine that a client has not met."""

import pytest

from trioproxy.api.routes import OPERATIONS
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Who, route_of
from trioproxy.learning.flows import FLOWS, STATES, parse_states, unseen_states


def evidence_of(*sights: tuple[str, str]) -> Evidence:
    """Evidence of operations and how they ended."""
    evidence = Evidence()
    evidence.begin("r1", 0)
    for operation, result in sights:
        evidence.observe(route_of(operation), result, When(1), Who())
    return evidence


CREATED = ("ContainerCreate", "201")
LOOKED = (("NetworkInspect", "200"), ("VolumeInspect", "200"))


def names(*sights: tuple[str, str], decided: tuple[str, ...] = ()) -> list[str]:
    """The states that were not seen."""
    evidence = evidence_of(*sights)
    granted = evidence.used_operations() | set(decided)
    return [one.state.name for one in unseen_states(evidence, granted)]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
def test_each_state_is_unseen_until_it_is_met(state: object) -> None:
    """It comes up for who uses what it concerns, and each sight of it ends that."""
    assert isinstance(state, type(STATES[0]))
    before = (CREATED, *LOOKED)
    assert state.name in names(*before)
    for sight in state.seen_by:
        assert state.name not in names(*before, sight)
    assert state.name not in names(*before, decided=state.goes_with)


def test_a_client_that_only_looks_meets_none() -> None:
    """Nobody is told of pulls who makes no containers."""
    assert names(("ContainerList", "200"), *LOOKED) == []


def test_who_may_create_no_more_meets_none() -> None:
    """Where a person took creating out, no run can show a pull, and none is to be granted."""
    evidence = evidence_of(CREATED, ("ContainerList", "200"))
    assert unseen_states(evidence, {"ContainerList"}) == ()


def test_a_state_that_does_not_come_up_is_left_out() -> None:
    """A person may say that a client never meets it."""
    evidence = evidence_of(CREATED)
    left = unseen_states(evidence, evidence.used_operations(), {"missing-image"})
    assert [one.state.name for one in left] == ["taken-name"]
    # Of the newest run it is kept: whoever explains the file is told the same.
    newest = max(evidence.runs)
    evidence.runs[newest].never = frozenset({"missing-image"})
    assert unseen_states(evidence, evidence.used_operations()) == left
    evidence.begin(f"{newest}-later", 0)
    assert len(unseen_states(evidence, evidence.used_operations())) == 2
    said = "or learn with --never taken-name, which counts for that run alone"
    assert str(left[0]).endswith(said)


def test_names_of_states_are_checked() -> None:
    """A misspelt one is an error that lists the others."""
    assert parse_states(["taken-name"]) == {"taken-name"}
    with pytest.raises(ConfigError, match="no state 'no-image'") as caught:
        parse_states(["no-image"])
    assert "missing-image" in caught.value.hint


def test_tables_name_operations() -> None:
    """What a flow or a state speaks of is in the table of operations."""
    for flow in FLOWS:
        assert {flow.has, flow.lacks} <= OPERATIONS.keys()
    for state in STATES:
        named = {*state.concerns, *state.goes_with, *dict(state.seen_by)}
        assert named <= OPERATIONS.keys()
