"""When is it enough: nothing at all was new, and the newest run would have passed the file before it."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from tests.judge.judging import judged, outcome_of
from tests.learning.test_lists import WISH, bind, execute
from trioproxy.api.decoding import Json
from trioproxy.evidence import evidencefile
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence
from trioproxy.judge.gate import Gate
from trioproxy.learning.proposal import Quiet, describe_ready
from trioproxy.learning.store import Store, Written

TWICE = Quiet(runs=2)


class Learning:
    """Runs of one client, each a learner of its own that saves as it goes on."""

    def __init__(self, folder: Path, *, has_command: bool = True) -> None:
        self.env = folder / "app.env"
        self.has_command = has_command
        self.runs = 0

    def run(self, *requests: tuple[str, Json], status: int = 0) -> Written:
        """Ask one thing a second, save after each, end."""
        self.runs += 1
        store = Store(self.env, replace(WISH, file=str(self.env)))
        evidence = store.begin().evidence
        evidence.begin(f"2026-{self.runs:04}", 1_000 * self.runs, has_command=self.has_command)  # fmt: skip
        seconds = 0.0
        recorder = Recorder(
            evidence,
            now=lambda: 1_000 * self.runs + seconds,
            wake=lambda: None,
            clock=lambda: seconds,
        )
        gate = Gate.learning()
        for target, body in requests:
            seconds += 1
            method = "GET" if body is None else "POST"
            verdict = judged(gate, method, target.encode(), body=body, is_read=True)
            outcome = outcome_of(verdict, 200)
            recorder.note(replace(outcome, ended=seconds))
            store.save(deepcopy(evidence), evidence.take_new())
        seconds = 60.0
        recorder.end(status if self.has_command else None)
        return store.save(deepcopy(evidence), is_final=True)


def quiet_runs(saved: Written) -> tuple[int, int]:
    """In which run something last was new, and how many proved nothing more since."""
    facts = saved.evidence.completeness()
    return facts.newest_run, facts.quiet_runs


LIST: tuple[str, Json] = ("/v1.45/containers/json", None)


def test_an_argument_is_news(tmp_path: Path) -> None:
    """The same operations with another bind each time are never ready."""
    learning = Learning(tmp_path)
    for number, word in enumerate(("alpha", "beta", "gamma"), start=1):
        saved = learning.run(bind(f"/srv/{word}"))
        assert quiet_runs(saved) == (number, 0)
        said = TWICE.describe(saved.evidence.completeness())
        assert said.startswith("not ready: ")
    saved = learning.run(bind("/srv/beta"))
    assert quiet_runs(saved) == (3, 1)
    saved = learning.run(bind("/srv/alpha"))
    assert TWICE.is_reached(saved.evidence.completeness())


def test_what_fits_a_hole_is_no_news(tmp_path: Path) -> None:
    """Two runs make a hole; from the third on its values are as good as known."""
    learning = Learning(tmp_path)
    made = ("Ab12Cd34Ef", "Zz98Yy76Xx", "Qq55Ww66Ee", "Aa11Bb22Cc")
    seen = [quiet_runs(learning.run(bind(f"/tmp/tmp.{one}"))) for one in made]
    assert seen == [(1, 0), (2, 0), (2, 1), (2, 2)]
    assert "CREATE_BINDS=/tmp/tmp.{rand10}\n" in learning.env.read_text()
    # Of another length it is news.
    assert quiet_runs(learning.run(bind("/tmp/tmp.Ab12"))) == (5, 0)


def test_news_outlive_their_learner(tmp_path: Path) -> None:
    """When a file got something new is read back, united by the later, and torn with nothing."""
    learning = Learning(tmp_path)
    learning.run(LIST)
    saved = learning.run(LIST, bind("/srv/a"), LIST)
    assert saved.evidence.runs["2026-0002"].news == 2
    again = evidencefile.load(
        (tmp_path / "app.jsonl").read_bytes(), name="app.jsonl"
    ).evidence
    assert again.runs == saved.evidence.runs
    both = Evidence()
    for one in (again, saved.evidence, again):
        both.merge(one)
    assert both.runs == again.runs


def test_the_newest_run_must_pass(tmp_path: Path) -> None:
    """However long a run went on behind its last news: the next must bring none at all."""
    learning = Learning(tmp_path)
    short = Quiet(seconds=30)
    saved = learning.run(LIST, bind("/srv/a"))  # and 58 seconds of nothing
    facts = saved.evidence.completeness()
    assert facts.quiet >= 30
    assert not short.is_reached(facts)
    assert "the last run brought something new" in short.describe(facts)
    saved = learning.run(LIST, bind("/srv/a"))
    assert short.is_reached(saved.evidence.completeness())


def test_who_listens_is_ready_by_time(tmp_path: Path) -> None:
    """Without a COMMAND there is no session to pass: what counts is how long nothing came."""
    saved = Learning(tmp_path, has_command=False).run(LIST, bind("/srv/a"))
    facts = saved.evidence.completeness()
    assert Quiet(seconds=50).is_reached(facts)
    assert not Quiet(seconds=59).is_reached(facts)
    assert facts.newest_run == 1


@pytest.mark.parametrize("line", ["CREATE_BINDS=/srv/*", "EXEC_COMMANDS=*"])
def test_what_a_person_listed_is_no_news(tmp_path: Path, line: str) -> None:
    """A value that fits what somebody wrote by hand passes the file before it."""
    learning = Learning(tmp_path)
    learning.run(bind("/srv/a"), execute("true"))
    text = learning.env.read_text()
    variable = line.partition("=")[0]
    old = next(one for one in text.split("\n") if one.startswith(f"{variable}="))
    learning.env.write_text(text.replace(old, line))
    saved = learning.run(bind("/srv/a"), execute("true"))
    assert quiet_runs(saved) == (1, 1)
    other = bind("/srv/other") if variable == "CREATE_BINDS" else execute("false")
    assert quiet_runs(learning.run(other)) == (1, 2)


@pytest.mark.parametrize("has_command", [True, False], ids=["command", "listening"])
def test_a_reader_learns_since_when(tmp_path: Path, *, has_command: bool) -> None:
    """Who asked for no number is told the day of what was new last, and whether that is all."""
    learning = Learning(tmp_path, has_command=has_command)
    said = [told(learning.run(LIST)), told(learning.run(LIST))]
    if has_command:
        assert said == [
            "not ready: the last run brought something new (last new on 1970-01-01)",
            "ready: nothing new in 1 run (last new on 1970-01-01)",
        ]
        learning.run(LIST, status=1)
        assert told(learning.run(LIST, bind("/srv/a"))).startswith(
            "not ready: the last"
        )
    else:
        only = "not ready: nothing new in {} only (last new on 1970-01-01)"
        assert said == [only.format("59 s"), only.format("1 min")]


def told(saved: Written) -> str:
    """What `explain` and the page say of it."""
    return describe_ready(saved.evidence, saved.proposal.granted)


def test_of_a_client_that_used_nothing_nothing_is_said() -> None:
    """Neither that it is ready nor when something was new last: nothing ever was."""
    evidence = Evidence()
    evidence.begin("2026", 100, has_command=True)
    assert evidence.completeness().newest == 0
    assert describe_ready(evidence, ()) == ""
