"""What `learn` shows while it waits: how it goes on, as a block of lines on a terminal.

All of it is counted from the evidence when somebody looks, some times a second, so a request
pays for none. The tasks here serve no client.
"""

import math
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import trio

from trioproxy.commands.block import Block
from trioproxy.commands.tell import route_text
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence, First
from trioproxy.learning.proposal import Quiet, facts_for_ready
from trioproxy.learning.wording import count, some, span
from trioproxy.limits.grant import Grant

RATE_OVER: Final = 5.0
"""Seconds over which requests a second are counted."""

NAMES_SHOWN: Final = 8

_LABEL: Final = 10

DRAW_EVERY: Final = 0.25
"""Seconds; what has not changed is not drawn again."""

LEAVING: Final = (signal.SIGTSTP, signal.SIGQUIT)
"""Ctrl-Z and Ctrl-\\, by which a process leaves the terminal at once, to a shell."""


@dataclass(slots=True, eq=False)
class Watching:
    """Looks at what a recorder has seen so far."""

    _recorder: Recorder
    _until: Quiet | None
    clock: Callable[[], float] = time.perf_counter
    _looks: deque[tuple[float, int]] = field(init=False)
    """When was looked, and how many requests there were."""

    def __post_init__(self) -> None:
        self._looks = deque([(self.clock(), 0)])

    def rows(self, file: str) -> list[str]:
        """Say how it stands now, in lines for a block on a terminal."""
        elapsed = self._recorder.elapsed()
        rows = [("learning", f"{file} for {span(elapsed)}"), *self._rows(elapsed)]
        return [f"  {label:<{_LABEL}}  {text}" for label, text in rows]

    def _rows(self, elapsed: int) -> Iterator[tuple[str, str]]:
        yield "requests", ", ".join(self._requests())
        evidence = self._recorder.evidence
        used = len(evidence.used_operations())
        yield "operations", f"{used or 'none yet'}"
        after, newest = _newest(evidence)
        ago, said = elapsed - after, route_text(newest)
        told = f"{newest}, {span(ago)} ago{f' ({said})' * bool(said)}"
        yield "last new", told if newest else "none in this run"
        if self._until is not None:
            quiet = self._quiet(self._until, ago) if used else "nothing was used yet"
            yield "quiet", quiet
        if clients := sorted(self._recorder.clients):
            yield "clients", some(clients, NAMES_SHOWN)

    def _requests(self) -> list[str]:
        """How many of this run were learned from, and lately in a second; and how many could
        not be read, and were refused."""
        requests = _requests(self._recorder.evidence)
        rate, unread = self._rate(requests), self._recorder.unread.total()
        if not requests and not unread:
            return ["none yet"]
        shown = f"{rate:.1f}" if rate < 10 else f"{rate:.0f}"
        parts = [str(requests), f"{shown} a second"]
        return [*parts, f"{unread} not understood"] if unread else parts

    def _rate(self, requests: int) -> float:
        now = self.clock()
        self._looks.append((now, requests))
        while len(self._looks) > 2 and now - self._looks[1][0] >= RATE_OVER:
            self._looks.popleft()
        then, before = self._looks[0]
        return (requests - before) / (now - then) if now > then else 0.0

    def _quiet(self, until: Quiet, seconds: int) -> str:
        """How long nothing was new, against what was asked for."""
        if until.seconds:
            return f"{span(seconds)} of {span(until.seconds)}"
        quiet = facts_for_ready(self._recorder.evidence).quiet_runs
        return f"{quiet} of {count(until.runs, 'run')}"


def _requests(evidence: Evidence) -> int:
    counts = (one.runs.get(evidence.run, {}) for one in evidence.routes.values())
    return sum(sum(one.values()) for one in counts)


def _newest(evidence: Evidence) -> tuple[int, str]:
    """How far into this run something last was new, and what; 0: nothing was.

    A value that came up after the file was written last fitted what is in it.
    """
    births = dict[Grant, First]()
    news = evidence.runs[evidence.run].news
    for sight, record in evidence.facts.items():
        until = math.inf if sight.is_route else news
        if until is None or not sight.item:
            continue
        grant = sight.grant
        for result, first in record.results.items():
            if first.after <= until and is_need(sight, result):
                births[grant] = min(first, births.get(grant, first))
    after, newest = 0, Grant.of_operation("")
    for grant, first in births.items():
        # Of those within a second it is the one that was observed last.
        if first.run == evidence.run and first.after >= after:
            after, newest = first.after, grant
    return after, newest.name


async def draw(block: Block, watching: Watching, file: str) -> None:
    """Draw how learning goes on until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_leave, block)
        try:
            while True:
                block.draw(watching.rows(file))
                await trio.sleep(DRAW_EVERY)
        finally:
            block.put_away()


async def _leave(block: Block) -> None:
    """Put the block away before a signal does what it does to any process."""
    heeded = [one for one in LEAVING if signal.getsignal(one) == signal.SIG_DFL]
    if not heeded:
        return  # whoever started us wants them ignored
    with trio.open_signal_receiver(*heeded) as leaving:
        async for number in leaving:
            block.put_away()
            ours = signal.signal(number, signal.SIG_DFL)
            # To this very thread: when it returns, a stop has happened and is over.
            signal.raise_signal(number)
            signal.signal(number, ours)
