"""What a policy that is only tried out would have refused."""

from dataclasses import replace

import pytest

from tests.judge.judging import judged, outcome_of
from trioproxy.file.permissions import parse_policy
from trioproxy.judge import shadow
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Moment, Narrowed, Outcome
from trioproxy.judge.shadow import ShadowTally

READING, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerList"})
GATE = Gate.trying(READING)


def test_what_would_be_refused_is_counted_by_its_refusal() -> None:
    """What passes anyway is one number; a refusal is counted under its text."""
    tally = ShadowTally()
    allowed = judged(GATE, "GET", b"/containers/json")
    other = judged(GATE, "GET", b"/images/json")
    for verdict in (allowed, other, other):
        tally.note(outcome_of(verdict, 200))
    refusal = READING.decide(other.request).message
    assert (tally.allowed, tally.would_refuse) == (1, {refusal: 2})


def test_a_stream_counts_once_and_what_had_no_answer_does_not() -> None:
    """A tunnel is told of twice; a client that left and a bad head have no answer."""
    tally = ShadowTally()
    verdict = judged(GATE, "GET", b"/events")
    for moment in (Moment.OPENED, Moment.CLOSED):
        tally.note(outcome_of(verdict, 200, moment=moment))
    tally.note(Outcome(Moment.WHOLE, "10.0.0.5:1", verdict, 0, is_ours=False))
    tally.note(Outcome(Moment.WHOLE, "10.0.0.5:1", verdict, 502, is_ours=True))
    tally.note(Outcome(Moment.WHOLE, "10.0.0.5:1", None, 400, is_ours=True))
    assert list(tally.would_refuse.values()) == [1]


def test_a_shadow_counts_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that asks for ever new paths fills no memory."""
    monkeypatch.setattr(shadow, "KEPT", 2)
    tally = ShadowTally()
    for number in range(5):
        verdict = judged(GATE, "GET", b"/new/%d" % number)
        tally.note(outcome_of(verdict, 404, unrouted=True))
    assert list(tally.would_refuse.values()) == [1, 1, 3]


def test_a_shadow_counts_what_it_would_hide() -> None:
    """Of each operation the most that one answer tells of strangers, also at the end of a stream."""
    tally = ShadowTally()
    verdict = judged(GATE, "GET", b"/containers/json")
    for hidden, moment in ((0, Moment.WHOLE), (4, Moment.CLOSED), (2, Moment.WHOLE)):
        told = outcome_of(verdict, 200, moment=moment)
        tally.note(replace(told, narrowed=Narrowed(hidden, is_tried=True)))
    assert tally.would_hide == {"ContainerList": 4}


def test_what_is_hidden_is_not_only_tried() -> None:
    """How many strangers an answer lacks is told, and of a shadow how many it would lack."""
    assert (
        Narrowed(3) == Narrowed(hidden=3, is_tried=False) != Narrowed(3, is_tried=True)
    )
