"""How learning goes on: what a person who waits for it wants to know, as one value.

    watching = Watching(recorder, until)
    watching.look().rows(file)      for a block on a terminal

All of it is counted from the evidence when somebody looks, so a request pays for none.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from trioproxy.commands.tell import route_text
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence, First
from trioproxy.learning.proposal import Quiet, facts_for_ready
from trioproxy.learning.wording import count, some, span
from trioproxy.values import value_class

RATE_OVER: Final = 5.0
"""Seconds over which requests a second are counted."""

NAMES_SHOWN: Final = 8

_LABEL: Final = 10


@value_class
class Status:
    """What was seen in this run, and what the evidence has in all."""

    seconds: int
    """Watched in this run."""
    requests: int
    """Learned from in this run."""
    rate: float
    """Requests a second, lately."""
    unread: int
    """Requests that could not be read, and were refused."""
    operations: int
    """Used, in any run."""
    newest: str
    """What came up for the first time last, and is no value that fits what is listed;
    empty: nothing in this run."""
    ago: int
    """Seconds since then, or since the run began."""
    quiet: str
    """How long nothing was new, against what was asked for; empty: nothing was."""
    clients: tuple[str, ...]
    """Who asked in this run."""

    def rows(self, file: str) -> list[str]:
        """Lines for a block on a terminal."""
        rows = [("learning", f"{file} for {span(self.seconds)}"), *self._rows()]
        return [f"  {label:<{_LABEL}}  {text}" for label, text in rows]

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "requests", ", ".join(self._requests())
        yield "operations", f"{self.operations or 'none yet'}"
        yield "last new", self._newest
        if self.quiet:
            yield "quiet", self.quiet
        if self.clients:
            yield "clients", some(self.clients, NAMES_SHOWN)

    def _requests(self) -> list[str]:
        if not self.requests and not self.unread:
            return ["none yet"]
        rate = f"{self.rate:.1f}" if self.rate < 10 else f"{self.rate:.0f}"
        parts = [str(self.requests), f"{rate} a second"]
        return [*parts, f"{self.unread} not understood"] if self.unread else parts

    @property
    def _newest(self) -> str:
        if not self.newest:
            return "none in this run"
        said = route_text(self.newest)
        return f"{self.newest}, {span(self.ago)} ago{f' ({said})' * bool(said)}"


class Watching:
    """Looks at what a recorder has seen so far."""

    def __init__(
        self,
        recorder: Recorder,
        until: Quiet | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._recorder = recorder
        self._until = until
        self._clock = clock
        self._looks = deque([(clock(), 0)])
        """When was looked, and how many requests there were."""
        self._seen: tuple[int, int | None] = (0, None)
        """How many different results all sights have, of which none ever goes, and when the
        file last got something new: what was used is found anew where either changed."""
        self._operations = frozenset[str]()
        self._newest = (0, "")

    def look(self) -> Status:
        """Say how it stands now."""
        requests = _requests(self._recorder.evidence)
        elapsed = self._recorder.elapsed()
        self._find_uses()
        after, newest = self._newest
        ago = elapsed - after
        return Status(
            seconds=elapsed,
            requests=requests,
            rate=self._rate(requests),
            unread=sum(self._recorder.unread.values()),
            operations=len(self._operations),
            newest=newest,
            ago=ago,
            quiet=self._quiet(ago, is_empty=not self._operations),
            clients=tuple(sorted(self._recorder.clients)),
        )

    def _find_uses(self) -> None:
        evidence = self._recorder.evidence
        results = sum(len(record.results) for record in evidence.facts.values())
        seen = (results, evidence.runs[evidence.run].news)
        if seen != self._seen:
            self._seen = seen
            self._operations = evidence.used_operations()
            self._newest = _newest(evidence)

    def _rate(self, requests: int) -> float:
        now = self._clock()
        self._looks.append((now, requests))
        while len(self._looks) > 2 and now - self._looks[1][0] >= RATE_OVER:
            self._looks.popleft()
        then, before = self._looks[0]
        return (requests - before) / (now - then) if now > then else 0.0

    def _quiet(self, seconds: int, *, is_empty: bool) -> str:
        until = self._until
        if until is None:
            return ""
        if is_empty:
            return "nothing was used yet"
        if until.seconds:
            return f"{span(seconds)} of {span(until.seconds)}"
        quiet = facts_for_ready(self._recorder.evidence).quiet_runs
        return f"{quiet} of {count(until.runs, 'run')}"


def _requests(evidence: Evidence) -> int:
    run = evidence.run
    return sum(
        count
        for record in evidence.routes.values()
        for count in record.runs.get(run, {}).values()
    )


def _newest(evidence: Evidence) -> tuple[int, str]:
    """How far into this run something last was new, and what; 0: nothing was.

    A value that came up after the file was written last fitted what is in it.
    """
    births = dict[str, First]()
    news = evidence.runs[evidence.run].news
    for sight, record in evidence.facts.items():
        name = sight.operation if sight.is_route else str(sight.grant)
        for result, first in record.results.items():
            is_news = sight.is_route or (
                sight.item != "" and news is not None and first.after <= news
            )
            if is_news and is_need(sight, result):
                births[name] = min(first, births.get(name, first))
    newest = (0, "")
    for name, first in births.items():
        # Of those within a second it is the one that was observed last.
        if first.run == evidence.run and first.after >= newest[0]:
            newest = (first.after, name)
    return newest
