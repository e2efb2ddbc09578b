"""What was seen, as evidence: routes with counts, merged by union.

An observation is a `Shape`, never a URL: names, ids, query values and bodies do not get
this far. Nothing here knows a clock or a file; `learning.evidencefile` has the lines.

Merging is a union of facts, because nobody coordinates it. A learner reads its own file
back at each save, with what other learners appended to it meanwhile; a line is appended
again when its shape ends in a new way; a person merges the files of many hosts, in any
order, and later merges the result with one of its parts. So `merge` has three properties,
and each field has the operation that keeps them:

- *Idempotent*: what is merged twice counts once. Counts are not added up but kept under
  the run that counted. A run has one writer, which only counts up, so of two counts for
  one run and result the larger is the later state of the same counter. Added up instead,
  a learner would double its own counts at each save.
- *Commutative and associative*: neither order nor grouping shows in the result. Dates
  take the minimum and maximum, a result the smallest id of a run (ids sort by time), and
  a set that is full keeps its smallest members: the smallest of a union are among the
  smallest of its parts. Keeping those that came first instead, two hosts would write two
  files from the same facts, and a review would see changes where nothing happened.

A union has no removal. What a person takes out of the env file therefore stays in
`granted`; that it is there and not in the env file is what makes it declined.

One thing depends on who merges: a learner keeps the counts of the run that it is in
(`keep`), however many newer runs others add, because its tallies still count there.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TypeVar

from trioproxy.learning.shape import (
    AGENT,
    CLIENT,
    REFUSED,
    UNKNOWN,
    VERSION,
    Shape,
    Who,
    is_use,
)

RUNS_KEPT = 100
"""Newest runs whose counts a shape keeps. What was seen is kept for ever."""
RUNS_LISTED = 1_000
"""Newest runs the evidence knows dates of."""
AGENTS_KEPT = 8
CLIENTS_KEPT = 64
VERSIONS_KEPT = 32
_WHO_SEEN = 64

_Value = TypeVar("_Value")


@dataclass(slots=True)
class Span:
    """From when to when something was seen, in seconds since the epoch."""

    first: int
    last: int

    def widen(self, at: int) -> None:
        """Know that it was seen then, too."""
        self.first, self.last = min(at, self.first), max(at, self.last)

    def cover(self, other: "Span") -> None:
        """Reach over another span as well."""
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


@dataclass(slots=True)
class Record(Span):
    """What is known about one shape."""

    results: dict[str, str] = field(default_factory=dict)
    """Each final status ever seen (or `unrouted`, `refused`), and the earliest run."""
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    """Counts by run and result."""
    agents: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    _seen: set[Who] = field(default_factory=set, compare=False, repr=False)

    def note(self, who: Who) -> None:
        """Remember who asked; one look-up for those already known."""
        if who in self._seen:
            return
        if len(self._seen) >= _WHO_SEEN:
            self._seen.clear()
        self._seen.add(who)
        self._unite(
            set(filter(AGENT.fullmatch, who.agent.split())),
            set(filter(CLIENT.fullmatch, [who.client])),
            set(filter(VERSION.fullmatch, [who.version])),
        )

    def merge(self, other: "Record", keep: str = "") -> None:
        """Unite with what another record of the same shape knows.

        Counts of old runs are dropped, but not those of `keep`.
        """
        self.cover(other)
        for result, run in other.results.items():
            self.results[result] = min(run, self.results.get(result, run))
        for run, counts in other.runs.items():
            mine = self.runs.setdefault(run, {})
            for result, count in counts.items():
                mine[result] = max(count, mine.get(result, 0))
        self.runs = _newest(self.runs, RUNS_KEPT, keep=keep)
        self._unite(other.agents, other.clients, other.versions)

    def _unite(self, agents: set[str], clients: set[str], versions: set[str]) -> None:
        self.agents = _smallest(self.agents | agents, AGENTS_KEPT)
        self.clients = _smallest(self.clients | clients, CLIENTS_KEPT)
        self.versions = _smallest(self.versions | versions, VERSIONS_KEPT)

    def count(self, *results: str) -> int:
        """How often it was seen, over the runs that are kept; by result, if given."""
        return sum(
            count
            for counts in self.runs.values()
            for result, count in counts.items()
            if not results or result in results
        )


@dataclass(slots=True)
class Run(Span):
    """One learner's time of watching."""

    dropped: int = 0
    """What had no room. Earlier versions had such a bound, and their files say so."""

    def merge(self, other: "Run") -> None:
        """Unite with what another file says about the same run."""
        self.cover(other)
        self.dropped = max(self.dropped, other.dropped)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """How far the evidence can be trusted to be all there is."""

    runs: int
    first: int
    last: int
    seconds: int
    """Time watched, overlaps counted once."""
    newest_run: int
    """In which run, counted from 1, the last new operation was used; 0 for none."""
    newest_at: int
    """When it was first used, or the beginning of that run."""
    quiet: int
    """Seconds watched since then."""

    @property
    def quiet_runs(self) -> int:
        """Later runs, in which nothing was new."""
        return self.runs - self.newest_run if self.newest_run else 0


class Evidence:
    """All that learners saw. Run ids must sort by the time their run began."""

    def __init__(self) -> None:
        self.records: dict[Shape, Record] = {}
        self.runs: dict[str, Run] = {}
        self.granted: set[str] = set()
        """Operations that were once written into the env file."""
        self.changes = 0
        """Grows with every observation and every merge."""
        self.run = ""
        """The run that `observe` counts for."""
        self._new: dict[Shape, None] = {}

    def begin(self, run: str, at: int) -> None:
        """Begin a run; `observe` counts for it from now on."""
        self.run = run
        self.runs.setdefault(run, Run(first=at, last=at))

    def end(self, at: int) -> None:
        """Say until when the run watched."""
        self.runs[self.run].last = max(at, self.runs[self.run].last)

    def observe(self, shape: Shape, result: str, at: int, who: Who) -> bool:
        """Count one request; whether its shape ended this way for the first time."""
        run = self.runs[self.run]
        record = self.records.get(shape)
        if record is None:
            record = self.records[shape] = Record(first=at, last=at)
        self.changes += 1
        record.widen(at)
        run.widen(at)
        counts = record.runs.get(self.run)
        if counts is None:
            counts = record.runs[self.run] = {}
        counts[result] = counts.get(result, 0) + 1
        record.note(who)
        if result in record.results:
            return False
        record.results[result] = self.run
        self._new[shape] = None
        return True

    def tally(self, shape: Shape, result: str) -> "Tally":
        """Make what counts more of what was observed."""
        return Tally(self, self.records[shape], result)

    def take_new(self) -> tuple[Shape, ...]:
        """Hand over, once, the shapes for which `observe` said yes."""
        new = tuple(self._new)
        self._new.clear()
        return new

    def merge(self, other: "Evidence") -> None:
        """Unite with `other`, which stays as it is."""
        self.changes += 1
        for shape, theirs in other.records.items():
            if shape not in self.records:
                self.records[shape] = Record(first=theirs.first, last=theirs.last)
            self.records[shape].merge(theirs, keep=self.run)
        for run, span in other.runs.items():
            self.runs.setdefault(run, copy.copy(span)).merge(span)
        self.runs = _newest(self.runs, RUNS_LISTED, keep=self.run)
        self.granted |= other.granted

    def copy(self) -> "Evidence":
        """Make evidence of the same content that shares nothing with this."""
        twin = Evidence()
        twin.run = self.run
        twin.merge(self)
        return twin

    def used(self) -> Iterator[Shape]:
        """The shapes that did something for their client, in order."""
        return (shape for shape in sorted(self.records) if self.is_used(shape))

    def used_operations(self) -> frozenset[str]:
        """The operations that did something for their client."""
        return frozenset(shape.operation for shape in self.used())

    def failed(self) -> Iterator[Shape]:
        """The known shapes that reached the Engine, whose operation is never used."""
        used = self.used_operations()
        return (
            shape
            for shape in sorted(self.records)
            if shape.operation not in {*used, UNKNOWN}
            and self.records[shape].results.keys() != {REFUSED}
        )

    def failed_operations(self) -> frozenset[str]:
        """The operations that were tried and never worked."""
        return frozenset(shape.operation for shape in self.failed())

    def refused(self) -> Iterator[Shape]:
        """The shapes that some policy refused at least once."""
        return (
            shape
            for shape in sorted(self.records)
            if REFUSED in self.records[shape].results
        )

    def unknown(self) -> Iterator[Shape]:
        """The shapes of routes that the table does not have."""
        return (shape for shape in sorted(self.records) if shape.operation == UNKNOWN)

    def is_used(self, shape: Shape) -> bool:
        """Whether any result of this shape counts as use."""
        return any(is_use(shape, result) for result in self.records[shape].results)

    def completeness(self) -> Completeness:
        """Say how long was watched, and when something new last came up."""
        births = dict[str, tuple[str, int]]()
        for shape in self.used():
            birth = self._first_use(shape)
            births[shape.operation] = min(birth, births.get(shape.operation, birth))
        run, at = max(births.values(), default=("", 0))
        return Completeness(
            runs=len(self.runs),
            first=min((span.first for span in self.runs.values()), default=0),
            last=max((span.last for span in self.runs.values()), default=0),
            seconds=_covered(self.runs.values()),
            quiet=_covered(self.runs.values(), since=at) if births else 0,
            # A run that is no longer listed is older than all that are.
            newest_run=sum(known <= run for known in self.runs) or min(len(births), 1),
            newest_at=at,
        )

    def forget_run(self) -> None:
        """Drop the run that was begun: one that saw nothing proves nothing."""
        self.runs.pop(self.run, None)

    def saw_anything(self) -> bool:
        """Whether this run had a request at all."""
        return any(self.run in record.runs for record in self.records.values())

    def dropped(self) -> int:
        """How much had no room."""
        return sum(span.dropped for span in self.runs.values())

    def _first_use(self, shape: Shape) -> tuple[str, int]:
        record = self.records[shape]
        run = min(
            run for result, run in record.results.items() if is_use(shape, result)
        )
        begun = self.runs[run].first if run in self.runs else 0
        return run, max(record.first, begun)


class Tally:
    """Counts requests that are known in every respect but their time.

    Learning does this for every request, so it looks nothing up. What it holds stays
    part of the evidence, whatever that is merged with.
    """

    __slots__ = (
        "_counts",
        "_evidence",
        "_record",
        "_result",
        "_run",
        "_since",
        "_until",
    )

    def __init__(self, evidence: Evidence, record: Record, result: str) -> None:
        self._evidence = evidence
        self._record = record
        self._run = evidence.runs[evidence.run]
        self._counts = record.runs[evidence.run]
        self._result = result
        self._since = self._until = 0
        """Within these seconds there is no date to change."""

    def add(self, at: float) -> None:
        """Count one, seen so many seconds after the epoch."""
        self._counts[self._result] += 1
        self._evidence.changes += 1
        if not self._since <= at < self._until:
            self._widen(int(at))

    def _widen(self, at: int) -> None:
        self._record.widen(at)
        self._run.widen(at)
        self._since, self._until = at, at + 1


def _smallest(values: set[str], limit: int) -> set[str]:
    # The smallest of a union do not depend on the order in which it was made.
    return values if len(values) <= limit else set(nsmallest(limit, values))


def _newest(runs: dict[str, _Value], limit: int, keep: str = "") -> dict[str, _Value]:
    if len(runs) <= limit:
        return runs
    newest = sorted(runs)[-limit:]
    return {run: runs[run] for run in {*newest, keep} & runs.keys()}


def _covered(spans: Iterable[Run], since: int = 0) -> int:
    total = 0
    end = since
    for span in sorted(spans, key=lambda span: span.first):
        total += max(0, span.last - max(span.first, end))
        end = max(end, span.last)
    return total
