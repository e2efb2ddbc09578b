"""What was seen, as evidence: routes with counts, merged by union.

An observation is a `Shape`, never a URL: names, ids, query values and bodies do not get
this far. Nothing here knows a clock or a file; `evidence.evidencefile` has the lines.

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
  take the minimum and maximum, a result the smallest id of a run (ids sort by time) and
  the smallest offset in it, and a set that is full keeps its smallest members: the
  smallest of a union are among the smallest of its parts. Keeping those that came first instead, two hosts would write two
  files from the same facts, and a review would see changes where nothing happened.

A union has no removal. What a person takes out of the env file therefore stays in
`granted`; that it is there and not in the env file is what makes it declined.

One thing depends on who merges: a learner keeps the counts of the run that it is in
(`keep`), however many newer runs others add, because its tallies still count there.

**Two clocks.** A date is the wall's: people read it. How long something took is counted
by a clock that only goes forward, from the beginning of its run, because a wall clock is
set: an hour forward within six seconds would be an hour in which nothing was new. So a
run has a date at which it began and a length, and what was seen in it an offset.
Runs are laid out one beside the other by the dates of their beginnings, so that what ran
at the same time is counted once; a wall clock that is set between two runs can only
make that sum smaller.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Final, NamedTuple, TypeVar

from trioproxy.apiversion import is_older
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.shape import (
    AGENT,
    BAD_REQUEST,
    CLIENT,
    REFUSED,
    UNKNOWN,
    UNPROVEN,
    VERSION,
    Shape,
    Who,
    shape_of,
)

RUNS_KEPT = 100
"""Newest runs whose counts a shape keeps. What was seen is kept for ever."""
RUNS_LISTED = 1_000
"""Newest runs the evidence knows dates of."""
AGENTS_KEPT = 8
CLIENTS_KEPT = 64
VERSIONS_KEPT = 32
FILES_KEPT = 64
VALUES_KEPT = 1_000
"""Values of one variable, and objects of one kind. A client that makes up more than that has
no list to be learned."""
_WHO_SEEN = 64

UNFINISHED: Final = -1
"""The status of a run whose COMMAND has not ended, or whose learner was killed."""

OWN: Final = ""
"""The runs that were not merged from another file."""

_Value = TypeVar("_Value")
_Seen = TypeVar("_Seen", "Argument", "Thing")


class When(NamedTuple):
    """A moment: a date, and how long its run had gone on by then."""

    date: int
    """Seconds since the epoch, by the wall."""
    after: int = 0
    """Seconds since the run began, by a clock that only goes forward."""


class First(NamedTuple):
    """When a result was seen first: the run, and how far into it."""

    run: str
    after: int = 0


@dataclass(slots=True)
class Span:
    """From when to when something was seen, in seconds since the epoch."""

    first: int
    last: int

    def widen(self, date: int) -> None:
        """Know that it was seen then, too."""
        self.first, self.last = min(date, self.first), max(date, self.last)

    def cover(self, other: "Span") -> None:
        """Reach over another span as well."""
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


@dataclass(slots=True)
class Askers:
    """Who sent requests. Each set has a bound: clients choose what is in it."""

    agents: set[str] = field(default_factory=set)
    clients: set[str] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)

    def add(self, who: Who) -> None:
        """Add what of a client is plain enough to be kept."""
        self.unite(
            Askers(
                set(filter(AGENT.fullmatch, who.agent.split())),
                set(filter(CLIENT.fullmatch, [who.client])),
                set(filter(VERSION.fullmatch, [who.version])),
            )
        )

    def unite(self, other: "Askers") -> None:
        """Unite within the bounds."""
        self.agents = _smallest(self.agents | other.agents, AGENTS_KEPT)
        self.clients = _smallest(self.clients | other.clients, CLIENTS_KEPT)
        self.versions = _smallest(self.versions | other.versions, VERSIONS_KEPT)


@dataclass(slots=True)
class Facts(Span):
    """When something was seen, how it ended, and how often."""

    results: dict[str, First] = field(default_factory=dict)
    """Each final status ever seen (or `unrouted`, `refused`), and when it was first."""
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    """Counts by run and result."""

    def merge(self, other: "Facts", keep: str = "") -> None:
        """Unite with other facts about the same.

        Counts of old runs are dropped, but not those of `keep`.
        """
        self.cover(other)
        for result, first in other.results.items():
            self.results[result] = min(first, self.results.get(result, first))
        for run, counts in other.runs.items():
            mine = self.runs.setdefault(run, {})
            for result, count in counts.items():
                mine[result] = max(count, mine.get(result, 0))
        self.runs = _newest(self.runs, RUNS_KEPT, keep=keep)

    def count(self, *results: str) -> int:
        """How often it was seen, over the runs that are kept; by result, if given."""
        return sum(
            count
            for counts in self.runs.values()
            for result, count in counts.items()
            if not results or result in results
        )


@dataclass(slots=True)
class Record(Facts):
    """What is known about one shape.

    Those who used it and those who only tried stand apart, each within its own bounds: a
    client that is always refused pushes none of the others out.
    """

    users: Askers = field(default_factory=Askers)
    triers: Askers = field(default_factory=Askers)
    """Who was refused, or got no answer that shows a need."""
    files: set[str] = field(default_factory=set)
    """The files that it was merged from."""
    _seen: set[tuple[Who, bool]] = field(default_factory=set, compare=False, repr=False)

    def note(self, who: Who, *, is_use: bool) -> None:
        """Remember who asked; one look-up for those already known."""
        if (who, is_use) in self._seen:
            return
        if len(self._seen) >= _WHO_SEEN:
            self._seen.clear()
        self._seen.add((who, is_use))
        (self.users if is_use else self.triers).add(who)

    def unite(self, other: "Record", keep: str = "") -> None:
        """Unite with what another record of the same shape knows."""
        self.merge(other, keep)
        self.users.unite(other.users)
        self.triers.unite(other.triers)
        self.files = _smallest(self.files | other.files, FILES_KEPT)


class Argument(NamedTuple):
    """A value that requests asked for.

    There is one besides for each operation whose arguments were read, whatever they were:
    its variable is the family alone, `CREATE`, and its value is empty. By it we know in
    which runs a value did *not* come up.
    """

    variable: str
    """The variable that limits it, `CREATE_BINDS`."""
    value: str
    """As an item of that variable; empty where nothing of it may be kept."""
    operation: str


class Thing(NamedTuple):
    """An object that requests named or made.

    There is one besides for each operation of which objects were looked up, whatever they
    were: its name is empty. By it we know that nothing is missing here.
    """

    kind: str
    """`container`, `network` or `volume`."""
    name: str
    """Its name; `@own` for what was made by the client itself, `*` for all of the kind, and
    for one that no list can hold."""
    project: str
    """The Compose project that it belongs to; empty: to none, or it is `@own`."""
    operation: str
    has: str = ""
    """What it has beyond the harmless and was reached into with, as `CREATE_BINDS=/srv`: a
    line for each, beside the one of the object itself. `CREATE_BINDS=`: what may not be
    kept, or no list holds."""


New = Shape | Argument | Thing
"""What can be observed for the first time."""


@dataclass(slots=True)
class Run(Span):
    """One learner's time of watching. It began at `first`; a clock that is set back
    meanwhile does not change that."""

    seconds: int = 0
    """How long it watched, by a clock that only goes forward."""
    status: int | None = None
    """How its COMMAND ended; None if it had none."""
    source: str = "live"
    """Where the requests came from: `live`, or `log` for the log of another proxy."""
    files: set[str] = field(default_factory=set)
    """The files that it was merged from."""
    dropped: int = 0
    """Values that had no room."""
    base: str = ""
    """The folder that `{base}` stands for in values of this run; empty: none has it."""
    oldest_api: str = ""
    """The oldest version of its API that the Engine took; empty: nobody asked."""
    own: dict[str, int] = field(default_factory=dict)
    """How many objects of each kind were named or made that were the client's own."""

    def reach(self, when: When) -> None:
        """Watch until then at least."""
        self.last = max(self.last, when.date)
        self.seconds = max(self.seconds, when.after)

    def merge(self, other: "Run") -> None:
        """Unite with what another file says about the same run."""
        self.cover(other)
        self.seconds = max(self.seconds, other.seconds)
        self.status = max((self.status, other.status), key=_known_status)
        self.source = min(self.source, other.source)
        self.files = _smallest(self.files | other.files, FILES_KEPT)
        self.dropped = max(self.dropped, other.dropped)
        self.base = max(self.base, other.base)
        self.oldest_api = max(self.oldest_api, other.oldest_api)
        self.own = {
            kind: max(self.own.get(kind, 0), other.own.get(kind, 0))
            for kind in self.own.keys() | other.own.keys()
        }

    @property
    def is_proof(self) -> bool:
        """Whether nothing new in it says something: its COMMAND went well, or it had none.

        A client that stopped in the middle has not shown the rest of what it needs.
        """
        return self.status in {None, 0}

    def belongs_to(self, group: str) -> bool:
        """Whether it is one of the runs of a file, or of our own."""
        return group in self.files or (group == OWN and not self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """How far the evidence can be trusted to be all there is."""

    runs: int
    first: int
    last: int
    seconds: int
    """Time watched, overlaps counted once."""
    failed_runs: int
    """Runs whose COMMAND failed, or never ended. They prove nothing."""
    newest_run: int
    """In which run, counted from 1, the last new operation was used; 0 for none."""
    quiet: int
    """Seconds watched since then."""
    quiet_runs: int
    """Later runs that went well, and in which nothing was new."""


class Evidence:
    """All that learners saw. Run ids must sort by the time their run began."""

    def __init__(self) -> None:
        self.records: dict[Shape, Record] = {}
        self.arguments: dict[Argument, Facts] = {}
        self.things: dict[Thing, Facts] = {}
        self.runs: dict[str, Run] = {}
        self.granted: set[str] = set()
        """Operations that were once written into the env file."""
        self.listed: set[str] = set()
        """Items of lists that were, as `CREATE_BINDS=/srv/app`."""
        self.changes = 0
        """Grows with every observation and every merge."""
        self.run = ""
        """The run that `observe` counts for."""
        self._new: dict[New, None] = {}
        self._values: Counter[str] | None = None
        """How many values each variable has, and objects each kind; counted anew after
        a merge."""

    @property
    def newest_base(self) -> str:
        """The folder that `{base}` stood for in the newest run that had one."""
        bases = [run.base for _, run in sorted(self.runs.items()) if run.base]
        return bases[-1] if bases else ""

    @property
    def oldest_api(self) -> str:
        """The oldest version of its API that the Engine took when it was asked last."""
        said = [run.oldest_api for _, run in sorted(self.runs.items())]
        return next(filter(None, reversed(said)), "")

    def begin(self, run: str, date: int, *, has_command: bool = False) -> None:
        """Begin a run; `observe` counts for it from now on."""
        self.run = run
        status = UNFINISHED if has_command else None
        self.runs.setdefault(run, Run(first=date, last=date, status=status))

    def end(self, when: When, status: int | None = None) -> None:
        """Say until when the run watched, and how its COMMAND ended."""
        self.runs[self.run].reach(when)
        if status is not None:
            self.runs[self.run].status = status

    def observe(self, shape: Shape, result: str, when: When, who: Who) -> bool:
        """Count one request; whether its shape ended this way for the first time."""
        run = self.runs[self.run]
        record = self.records.get(shape)
        if record is None:
            record = self.records[shape] = Record(first=when.date, last=when.date)
        self.changes += 1
        record.widen(when.date)
        run.reach(when)
        counts = record.runs.get(self.run)
        if counts is None:
            counts = record.runs[self.run] = {}
        counts[result] = counts.get(result, 0) + 1
        record.note(who, is_use=is_need(shape, result))
        if result in record.results:
            return False
        record.results[result] = First(self.run, when.after)
        self._new[shape] = None
        return True

    def observe_argument(self, argument: Argument, result: str, when: When) -> bool:
        """Count a value that was asked for; whether it ended this way for the first time."""
        known, bound = self.arguments, argument.variable
        return self._observe(known, argument, bound, result, when)

    def observe_thing(self, thing: Thing, result: str, when: When) -> bool:
        """Count an object that was named; whether it ended this way for the first time."""
        return self._observe(self.things, thing, thing.kind, result, when)

    def _observe(
        self, known: dict[_Seen, Facts], one: _Seen, bound: str, result: str, when: When
    ) -> bool:
        facts = known.get(one)
        if facts is None:
            if not self._has_room(bound):
                return False
            facts = known[one] = Facts(first=when.date, last=when.date)
        self.changes += 1
        facts.widen(when.date)
        counts = facts.runs.setdefault(self.run, {})
        counts[result] = counts.get(result, 0) + 1
        if result in facts.results:
            return False
        facts.results[result] = First(self.run, when.after)
        self._new[one] = None
        return True

    def _has_room(self, bound: str) -> bool:
        """Whether one more of a variable or kind may be kept; if so it is counted."""
        if self._values is None:
            self._values = Counter(one.variable for one in self.arguments)
            self._values.update(one.kind for one in self.things)
        if self._values[bound] >= VALUES_KEPT:
            self.runs[self.run].dropped += 1
            return False
        self._values[bound] += 1
        return True

    def tally(self, shape: Shape, result: str) -> "Tally":
        """Make what counts more of what was observed."""
        return Tally(self, self.records[shape], result)

    def take_new(self) -> "tuple[New, ...]":
        """Hand over, once, what was observed for the first time."""
        new = tuple(self._new)
        self._new.clear()
        return new

    def merge(self, other: "Evidence") -> None:
        """Unite with `other`, which stays as it is."""
        self.unite(other)
        self.bound()

    def unite(self, other: "Evidence") -> None:
        """Do the same with one of many: values beyond the bound stay until `bound` is called."""
        self.changes += 1
        for shape, theirs in other.records.items():
            if shape not in self.records:
                self.records[shape] = Record(first=theirs.first, last=theirs.last)
            self.records[shape].unite(theirs, keep=self.run)
        _merge_facts(self.arguments, other.arguments, keep=self.run)
        _merge_facts(self.things, other.things, keep=self.run)
        self._values = None
        for run, span in other.runs.items():
            if run not in self.runs:
                self.runs[run] = copy.copy(span)
            self.runs[run].merge(span)
        self.runs = _newest(self.runs, RUNS_LISTED, keep=self.run)
        self.granted |= other.granted
        self.listed |= other.listed

    def bound(self) -> None:
        """Keep as many values and objects as there is room for."""
        self.arguments = _bounded(self.arguments, lambda one: one.variable)
        self.things = _bounded(self.things, lambda one: one.kind)
        self._values = None

    def copy(self) -> "Evidence":
        """Make evidence of the same content that shares nothing with this."""
        twin = Evidence()
        twin.run = self.run
        twin.merge(self)
        return twin

    def come_from(self, file: str) -> None:
        """Remember the file of all that was not merged from another one before."""
        for run in self.runs.values():
            run.files = run.files or {file}
        for record in self.records.values():
            record.files = record.files or {file}

    def used(self) -> Iterator[Shape]:
        """The shapes that did something for their client, in order."""
        return (shape for shape in sorted(self.records) if self.is_used(shape))

    def used_operations(self, *, include_failed: bool = False) -> frozenset[str]:
        """The operations that did something for their client.

        `include_failed`: those that reached the Engine and never worked as well; of
        values and objects it means the same.
        """
        used = frozenset(shape.operation for shape in self.used())
        return used | self.failed_operations() if include_failed else used

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

    def outdated_operations(self) -> frozenset[str]:
        """Those of them that the Engine refused because their clients are too old for it."""
        oldest = self.oldest_api
        outdated, others = set[str](), set[str]()
        for shape in self.failed():
            record = self.records[shape]
            asked = record.triers.versions
            is_outdated = record.results.keys() <= {BAD_REQUEST, REFUSED} and all(
                is_older(version, oldest) for version in asked or {""}
            )
            (outdated if is_outdated else others).add(shape.operation)
        return frozenset(outdated - others)

    def unproven_operations(self) -> frozenset[str]:
        """Those of them that a log speaks of without saying how they ended."""
        return frozenset(
            shape.operation
            for shape in self.failed()
            if UNPROVEN in self.records[shape].results
        )

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

    def used_arguments(
        self, *, include_failed: bool = False
    ) -> dict[Argument, frozenset[str]]:
        """The values that did something for their client, each with the runs of it.

        A run that is no longer counted by itself is known only where it was the first.
        """
        return _used(self.arguments, include_failed=include_failed)

    def used_things(
        self, *, include_failed: bool = False
    ) -> dict[Thing, frozenset[str]]:
        """The objects that requests named to some effect, each with the runs of it."""
        return _used(self.things, include_failed=include_failed)

    def was_used(self, one: Argument | Thing) -> bool:
        """Whether a value or an object is one of these, where only that is asked."""
        known = (
            self.arguments.get(one)
            if isinstance(one, Argument)
            else self.things.get(one)
        )
        return known is not None and bool(_runs_of_use(one.operation, known))

    def is_used(self, shape: Shape) -> bool:
        """Whether any result of this shape shows a need."""
        return any(is_need(shape, result) for result in self.records[shape].results)

    def has_result(self, operation: str, *results: str) -> bool:
        """Whether an operation ever ended in one of these ways."""
        return any(
            result in record.results
            for shape, record in self.records.items()
            if shape.operation == operation
            for result in results
        )

    def groups(self) -> list[str]:
        """The files that runs were merged from, and `OWN` for those that were not."""
        named = {name for run in self.runs.values() for name in run.files}
        own = {OWN} if any(not run.files for run in self.runs.values()) else set()
        return sorted(named | own)

    def completeness(self, group: str | None = None) -> Completeness:
        """Say how long was watched, and when something new last came up.

        Of one group, because what is new for one client was known from another.
        """
        runs = {
            name: run
            for name, run in sorted(self.runs.items())
            if group is None or run.belongs_to(group)
        }
        births = self._births(None if group is None else runs.keys())
        newest = max((first.run for first in births), default="")
        proofs = {name: run for name, run in runs.items() if run.is_proof}
        return Completeness(
            runs=len(runs),
            first=min((run.first for run in runs.values()), default=0),
            last=max((run.last for run in runs.values()), default=0),
            seconds=_covered(runs.values()),
            failed_runs=len(runs) - len(proofs),
            # A run that is no longer listed is older than all that are.
            newest_run=sum(name <= newest for name in runs) or min(len(births), 1),
            quiet=min((self._quiet(first, proofs) for first in births), default=0),
            quiet_runs=sum(name > newest for name in proofs) if births else 0,
        )

    def last_birth(self) -> int | None:
        """How far into this run the last new operation was used; None: never any.

        0 where all of them are older than this run.
        """
        births = self._births(None)
        mine = [first.after for first in births if first.run == self.run]
        return max(mine, default=0) if births else None

    def forget_run(self) -> None:
        """Drop the run that was begun: one that saw nothing proves nothing."""
        self.runs.pop(self.run, None)

    def saw_anything(self) -> bool:
        """Whether this run had a request at all."""
        return any(self.run in record.runs for record in self.records.values())

    def dropped(self) -> int:
        """How much had no room."""
        return sum(span.dropped for span in self.runs.values())

    def _births(self, runs: Iterable[str] | None) -> set[First]:
        """When each operation was first used: ever, or in some of the runs."""
        chosen = None if runs is None else frozenset(runs)
        births = dict[str, First]()
        for shape in self.used():
            for first in self._uses(shape, chosen):
                births[shape.operation] = min(first, births.get(shape.operation, first))
        return set(births.values())

    def _uses(self, shape: Shape, runs: frozenset[str] | None) -> Iterator[First]:
        record = self.records[shape]
        for result, first in record.results.items():
            if is_need(shape, result) and (runs is None or first.run in runs):
                yield first
        if runs is None:
            return
        for run in runs & record.runs.keys():
            if any(is_need(shape, result) for result in record.runs[run]):
                # When in this run is known of its first run alone: at the end, then.
                yield First(run, self.runs[run].seconds)

    def _quiet(self, birth: First, proofs: dict[str, Run]) -> int:
        """Seconds watched since then, in runs that began no earlier than that one."""
        run = self.runs.get(birth.run)
        since = run.first + birth.after if run else 0
        later = (span for name, span in proofs.items() if name >= birth.run)
        return _covered(later, since=since)


class Tally:
    """Counts requests that are known in every respect but their time.

    Learning does this for every request, so it looks nothing up. What it holds stays
    part of the evidence, whatever that is merged with.
    """

    __slots__ = ("_counts", "_evidence", "_record", "_result", "_run", "stale_at")

    def __init__(self, evidence: Evidence, record: Record, result: str) -> None:
        self._evidence = evidence
        self._record = record
        self._run = evidence.runs[evidence.run]
        self._counts = record.runs[evidence.run]
        self._result = result
        self.stale_at = 0.0
        """Up to this time, of whoever counts here, there is no date to change."""

    def add(self) -> None:
        """Count one."""
        self._counts[self._result] += 1
        self._evidence.changes += 1

    def reach(self, when: When) -> None:
        """Say when it was counted."""
        self._record.widen(when.date)
        self._run.reach(when)


def _used(
    known: Mapping[_Seen, Facts], *, include_failed: bool
) -> dict[_Seen, frozenset[str]]:
    used = {
        one: runs
        for one, facts in known.items()
        if (runs := _runs_of_use(one.operation, facts))
    }
    if include_failed:
        used |= {
            one: frozenset(facts.runs)
            for one, facts in known.items()
            if one not in used and facts.results.keys() != {REFUSED}
        }
    return used


def _runs_of_use(operation: str, facts: Facts) -> frozenset[str]:
    shape = shape_of(operation)
    first = {
        first.run for result, first in facts.results.items() if is_need(shape, result)
    }
    counted = {
        run
        for run, counts in facts.runs.items()
        if any(is_need(shape, result) for result in counts)
    }
    return frozenset(first | counted)


def _merge_facts(
    mine: dict[_Value, Facts], theirs: dict[_Value, Facts], keep: str
) -> None:
    for key, facts in theirs.items():
        if key not in mine:
            mine[key] = Facts(first=facts.first, last=facts.last)
        mine[key].merge(facts, keep)


def _bounded(
    facts: dict[_Seen, Facts], bound: Callable[[_Seen], str]
) -> dict[_Seen, Facts]:
    """Keep the smallest of each variable or kind: so no order of merging shows."""
    if len(facts) <= VALUES_KEPT:
        return facts
    counts = Counter[str]()
    kept = dict[_Seen, Facts]()
    for one in sorted(facts):
        counts[bound(one)] += 1
        if counts[bound(one)] <= VALUES_KEPT:
            kept[one] = facts[one]
    return kept


def _known_status(status: int | None) -> int:
    return UNFINISHED - 1 if status is None else status


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
    reached = since
    for span in sorted(spans, key=lambda span: span.first):
        end = span.first + span.seconds
        total += max(0, end - max(span.first, reached))
        reached = max(reached, end)
    return total
