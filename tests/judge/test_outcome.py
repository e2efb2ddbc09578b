"""What is told of a request: how long its words are, and what they take."""

from dataclasses import replace
from typing import Any

import pytest

from tests.judge.judging import request
from trioproxy.api.arguments import Argument
from trioproxy.api.families import Kind
from trioproxy.api.form import Asked
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, Passes
from trioproxy.judge.outcome import (
    LONGEST_WORD,
    Moment,
    Narrowed,
    Outcome,
    Verdict,
    host_of_client,
)
from trioproxy.judge.pruning import Prune, Removal, Removals
from trioproxy.judge.references import Named
from trioproxy.judge.rules import Decision, Mode, Reason
from trioproxy.limits.objects import NO_OBJECTS

GATE = Gate.enforcing(parse_policy({"CONTAINERS": "1"})[0])
ASKED = Asked((), never="", body=None, query=b"")
REMOVALS = Removals(Prune(Kind.VOLUME, "", {}, None, NO_OBJECTS), (Removal("ab", "abc"),))  # fmt: skip


def verdict(
    path: str = "/containers/json",
    method: str = "GET",
    agent: str = "curl/8",
    message: str = "",
    **found: Any,  # noqa: ANN401  what passes
) -> Verdict:
    decision = Decision(True, Reason.SECTION, "CONTAINERS", message)
    return Verdict.of(GATE, request(method, path), Passes(decision, **found), agent)


def outcome(told: Verdict | None, ending: str = "") -> Outcome:
    return Outcome(Moment.WHOLE, "tcp@10.1.2.3:41", told, 200, False, ending=ending)


LONG: dict[str, dict[str, Any]] = {
    "path": {"path": "/containers/"},
    "method": {"method": "G"},
    "agent": {"agent": "a"},
    "message": {"message": "m"},
}


@pytest.mark.parametrize("given", LONG.values(), ids=LONG)
def test_a_word_is_as_long_as_it_may_be_and_no_longer(given: dict[str, str]) -> None:
    """What is longer is cut to that, and the rest is told as it is."""
    ((name, begin),) = given.items()
    assert LONGEST_WORD == 1_024
    just = verdict(**{name: begin.ljust(LONGEST_WORD, "A")})
    assert outcome(just).short().verdict is just
    told = (
        outcome(verdict(**{name: begin.ljust(LONGEST_WORD + 1, "A")})).short().verdict
    )
    assert told is not None
    assert told.is_short(LONGEST_WORD)
    assert len(told.request.method) <= LONGEST_WORD
    usual = verdict()
    assert told.operation == (usual.operation if name in {"agent", "message"} else "unknown")  # fmt: skip
    assert (told.decision.allowed, told.decision.reason) == (True, Reason.SECTION)


@pytest.mark.parametrize(
    "found",
    [{"asked": ASKED}, {"named": Named(())}, {"removals": REMOVALS}],
    ids="".join,
)
def test_what_it_asks_for_is_no_word(found: dict[str, Any]) -> None:
    """Of what is kept short nothing is left by which it could be judged again."""
    told = outcome(verdict(**found)).short().verdict
    assert told is not None
    assert (told.asked, told.named, told.removals) == (None, None, None)


def test_an_ending_is_a_word() -> None:
    """Beside a verdict that is short, one that is not, and none."""
    for told in (None, verdict(), verdict(agent="a" * 2_000)):
        found = outcome(told, "e" * 2_000).short()
        assert found.ending == "e" * LONGEST_WORD
        short = outcome(verdict(), "e")
        assert short.short() is short


def test_what_the_words_of_arguments_take() -> None:
    """Four bytes a character and 512 each: what is asked for, told for the log, and removed."""
    one = Argument("CREATE_BINDS", "/srv", "Binds[0]", "/srv!")
    asked = ASKED._replace(arguments=(one,), told=(one._replace(shown=""),))
    assert verdict().size == 0
    assert verdict(asked=asked).size == 2 * 512 + 4 * (4 + 8 + 5) + 4 * (4 + 8)
    assert verdict(removals=REMOVALS).size == 512 + 4 * 5


def test_who_it_was_and_how_long_it_took() -> None:
    """Without the port, for that is another one each time."""
    found = replace(outcome(None), began=1.5, ended=4.0, serial=255)
    assert (found.seconds, found.client) == (2.5, "tcp@10.1.2.3")
    assert found.request_id == "0000000000ff"
    assert replace(found, peer="ci@unix:uid=7").client == "ci@unix:uid=7"
    assert Narrowed() == (0, False)


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("10.1.2.3:5", "10.1.2.3"),
        ("[fd00::1]:5", "fd00::1"),
        ("ci@[fd00::1]:5", "ci@fd00::1"),
        ("unix:uid=7", "unix:uid=7"),
    ],
)
def test_its_host_has_no_brackets(peer: str, host: str) -> None:
    """Nor has that of a client with a name, of which one of two stayed."""
    assert host_of_client(peer) == host


@pytest.mark.parametrize("one", [*Reason, *Mode], ids=str)
def test_a_reason_is_called_as_its_word(one: Reason | Mode) -> None:
    """Logs and metrics have its value, and people look for that."""
    assert one.value == one.name.lower().replace("_", "-")
