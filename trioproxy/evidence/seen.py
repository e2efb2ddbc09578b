"""What was seen, as evidence: one dict of facts, by what they are about, merged by union.

What is observed is a `Sight`, never a URL: ids, query values and bodies do not get this
far. Nothing here knows a clock or a file; `evidence.evidencefile` has the lines.

Merging is a union of facts, because nobody coordinates it. A learner reads its own file
back at each save, with what other learners appended to it meanwhile; a line is appended
again when its sight ends in a new way; a person merges the files of many hosts, in any
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
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from heapq import nsmallest
from typing import Final, NamedTuple, TypeVar

from trioproxy.api.families import NOWHERE, Places
from trioproxy.apiversion import is_older
from trioproxy.evidence.needs import is_need
from trioproxy.evidence.sight import (
    AGENT,
    BAD_REQUEST,
    CLIENT,
    REFUSED,
    UNKNOWN,
    VERSION,
    Sight,
    Who,
)
from trioproxy.limits.grant import Grant
from trioproxy.values import value_class

RUNS_KEPT = 100
"""Newest runs whose counts are kept of a sight. What was seen is kept for ever."""
RUNS_LISTED = 1_000
"""Newest runs the evidence knows dates of."""
AGENTS_KEPT = 8
CLIENTS_KEPT = 64
VERSIONS_KEPT = 32
FILES_KEPT = 64
VALUES_KEPT = 1_000
"""Sights of one list. A client that makes up more than that has none to be learned."""

UNFINISHED: Final = -1
"""The status of a run whose COMMAND has not ended, or whose learner was killed."""

_NO_FAILURE: Final = {None, 0, UNFINISHED}

OWN: Final = ""
"""The runs that were not merged from another file."""

_Value = TypeVar("_Value")


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

    def cover(self, other: "Span") -> None:
        """Reach over another span as well."""
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)


class Askers(NamedTuple):
    """Who sent requests. Each set has a bound: clients choose what is in it."""

    agents: frozenset[str] = frozenset()
    clients: frozenset[str] = frozenset()
    versions: frozenset[str] = frozenset()

    def unite(self, other: "Askers") -> "Askers":
        """Both, within the bounds."""
        if other in (self, NOBODY):
            return self
        return Askers(
            _smallest(self.agents | other.agents, AGENTS_KEPT),
            _smallest(self.clients | other.clients, CLIENTS_KEPT),
            _smallest(self.versions | other.versions, VERSIONS_KEPT),
        )


NOBODY: Final = Askers()


@lru_cache(maxsize=64)
def _asker(who: Who) -> Askers:
    """What of a client is plain enough to be kept; they are few, and ask often."""
    return Askers(
        frozenset(filter(AGENT.fullmatch, who.agent.split())),
        frozenset(filter(CLIENT.fullmatch, [who.client])),
        frozenset(filter(VERSION.fullmatch, [who.version])),
    )


@dataclass(slots=True)
class Facts(Span):
    """When something was seen, how it ended, how often, and who asked for it.

    Those who used it and those who only tried stand apart, each within its own bounds: a
    client that is always refused pushes none of the others out. Of values and objects
    nobody is kept who asked.
    """

    results: dict[str, First] = field(default_factory=dict)
    """Each final status ever seen (or `unrouted`, `refused`), and when it was first."""
    runs: dict[str, dict[str, int]] = field(default_factory=dict)
    """Counts by run and result."""
    users: Askers = NOBODY
    triers: Askers = NOBODY
    """Who was refused, or got no answer that shows a need."""

    def note(self, who: Who, *, is_use: bool) -> None:
        """Remember who asked."""
        if is_use:
            self.users = self.users.unite(_asker(who))
        else:
            self.triers = self.triers.unite(_asker(who))

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
        self.users = self.users.unite(other.users)
        self.triers = self.triers.unite(other.triers)
        self.runs = _newest(self.runs, RUNS_KEPT, keep=keep)

    def copy(self) -> "Facts":
        """The same, that shares nothing with this."""
        runs = {run: dict(counts) for run, counts in self.runs.items()}
        return replace(self, results=dict(self.results), runs=runs)

    def count(self) -> int:
        """How often it was seen, over the runs that are kept."""
        return sum(sum(counts.values()) for counts in self.runs.values())


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
    files: frozenset[str] = frozenset()
    """The files that it was merged from."""
    dropped: int = 0
    """Values that had no room."""
    places: Places = NOWHERE
    """What `{base}` and the like stand for in values of this run, where any has them."""
    oldest_api: str = ""
    """The oldest version of its API that the Engine took; empty: nobody asked."""
    own: dict[str, int] = field(default_factory=dict)
    """How many objects of each kind were named or made that were the client's own."""
    left: dict[str, int] = field(default_factory=dict)
    """How many of each kind were its own, and there before the run began."""
    hidden: dict[str, int] = field(default_factory=dict)
    """How many strangers one answer left out, or would have, at most, by its operation."""
    never: frozenset[str] = frozenset()
    """States of the Engine that do not come up for its client, as whoever learned it said."""
    news: int | None = None
    """How far into it, in seconds, the env file got something last that it had never had: an
    operation, an argument, an object; None: it would have passed the file before it."""

    def reach(self, when: When) -> None:
        """Watch until then at least."""
        self.last = max(self.last, when.date)
        self.seconds = max(self.seconds, when.after)

    def merge(self, other: "Run") -> None:
        """Unite with what another file says about the same run."""
        self.cover(other)
        self.seconds = max(self.seconds, other.seconds)
        self.status = max((self.status, other.status), key=_known)
        self.source = min(self.source, other.source)
        self.files = _smallest(self.files | other.files, FILES_KEPT)
        self.dropped = max(self.dropped, other.dropped)
        self.places = Places(*map(max, self.places, other.places))
        self.oldest_api = max(self.oldest_api, other.oldest_api)
        self.own = _most(self.own, other.own)
        self.left = _most(self.left, other.left)
        self.hidden = _most(self.hidden, other.hidden)
        self.never |= other.never
        self.news = max((self.news, other.news), key=_known)

    @property
    def groups(self) -> frozenset[str]:
        """The files that it was merged from, or `OWN`."""
        return self.files or frozenset({OWN})

    @property
    def is_proof(self) -> bool:
        """Whether nothing new in it says something: its COMMAND went well, or it had none.

        A client that stopped in the middle has not shown the rest of what it needs.
        """
        return self.status in {None, 0}

    @property
    def passes(self) -> bool:
        """Whether its COMMAND, if it had one, would have passed the file before it."""
        return self.news is None or self.status is None


@value_class
class Completeness:
    """How far the evidence can be trusted to be all there is."""

    runs: int
    first: int
    last: int
    seconds: int
    """Time watched, overlaps counted once."""
    failed_runs: tuple[int, ...]
    """Which runs, counted from 1, had a COMMAND that failed: they prove nothing."""
    open_runs: tuple[int, ...]
    """Nor do these, which have not ended: they are under way, or their learner was killed."""
    newest_run: int
    """In which run, counted from 1, something last was new; 0 for none."""
    newest: int
    """When that was at the latest, in seconds since the epoch; 0 for never."""
    quiet: int
    """Seconds watched since then."""
    quiet_runs: int
    """Later runs that went well, and in which nothing was new."""
    passes: bool
    """Whether the newest run, if it had a COMMAND, would have passed the file before it."""


class Evidence:
    """All that learners saw. Run ids must sort by the time their run began."""

    def __init__(self) -> None:
        self.facts: dict[Sight, Facts] = {}
        self.runs: dict[str, Run] = {}
        self.granted: set[Grant] = set()
        """What was once written into the env file."""
        self.changes = 0
        """Grows with every observation."""
        self.run = ""
        """The run that `observe` counts for."""
        self._new: dict[Sight, None] = {}
        self.unsaved: set[Sight] = set()
        """What was observed since `part` was asked for."""
        self._values = Counter[str]()
        """How many sights each list has."""

    @property
    def routes(self) -> dict[Sight, Facts]:
        """What is known of operations."""
        return {one: facts for one, facts in self.facts.items() if one.is_route}

    @property
    def arguments(self) -> dict[Sight, Facts]:
        """What is known of values that requests asked for."""
        return {
            one: facts
            for one, facts in self.facts.items()
            if not one.is_route and one.kind is None
        }

    @property
    def objects(self) -> dict[Sight, Facts]:
        """What is known of objects that requests named."""
        return {one: facts for one, facts in self.facts.items() if one.kind is not None}

    @property
    def granted_operations(self) -> frozenset[str]:
        """The operations that were once written into the env file."""
        return frozenset(one.item for one in self.granted if one.is_operation)

    @property
    def newest_places(self) -> Places:
        """What `{base}` and the like stood for, each in the newest run that had it."""
        runs = [run.places for _, run in sorted(self.runs.items(), reverse=True)]
        known = zip(*runs, strict=True) if runs else ()
        return Places(*(next(filter(None, one), "") for one in known))

    @property
    def hidden(self) -> dict[str, int]:
        """How many strangers one answer left out, or would have, at most, by its operation."""
        found = dict[str, int]()
        for run in self.runs.values():
            found = _most(found, run.hidden)
        return found

    @property
    def oldest_api(self) -> str:
        """The oldest version of its API that the Engine took when it was asked last."""
        said = [run.oldest_api for _, run in sorted(self.runs.items())]
        return next(filter(None, reversed(said)), "")

    @property
    def never(self) -> frozenset[str]:
        """The states that do not come up, as was said of the newest run."""
        return self.runs[max(self.runs)].never if self.runs else frozenset()

    @property
    def listed(self) -> frozenset[Grant]:
        """The items of other lists that were."""
        return frozenset(one for one in self.granted if not one.is_operation)

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

    def observe(
        self, sight: Sight, result: str, when: When, who: Who | None = None
    ) -> bool:
        """Count one request that showed it; whether it ended this way for the first time."""
        facts = self.facts.get(sight)
        if facts is None:
            # Of routes there are as many as the table has, and few that it does not know.
            if self._values[sight.variable] >= VALUES_KEPT and not sight.is_route:
                self.runs[self.run].dropped += 1
                return False
            self._values[sight.variable] += 1
            facts = self.facts[sight] = Facts(first=when.date, last=when.date)
        self.changes += 1
        facts.first, facts.last = (
            min(when.date, facts.first),
            max(when.date, facts.last),
        )
        self.runs[self.run].reach(when)
        counts = facts.runs.setdefault(self.run, {})
        counts[result] = counts.get(result, 0) + 1
        if who is not None:
            facts.note(who, is_use=is_need(sight, result))
        self.unsaved.add(sight)
        if result in facts.results:
            return False
        facts.results[result] = First(self.run, when.after)
        self._new[sight] = None
        return True

    def count(self, sight: Sight, result: str) -> bool:
        """Count what was observed before, of the same client, in this second; False: of this
        run nothing is known of it, for there was no room."""
        facts = self.facts.get(sight)
        counts = facts.runs.get(self.run) if facts else None
        if not counts:
            return False
        counts[result] = counts.get(result, 0) + 1
        self.changes += 1
        self.unsaved.add(sight)
        return True

    def take_new(self) -> tuple[Sight, ...]:
        """Hand over, once, what was observed for the first time."""
        new = tuple(self._new)
        self._new.clear()
        return new

    def merge(self, other: "Evidence") -> None:
        """Unite with `other`, which stays as it is."""
        for sight, theirs in other.facts.items():
            if sight not in self.facts:
                self.facts[sight] = theirs.copy()
            self.facts[sight].merge(theirs, keep=self.run)
        for name, run in other.runs.items():
            self.runs.setdefault(name, copy.copy(run)).merge(run)
        self.runs = _newest(self.runs, RUNS_LISTED, keep=self.run)
        self.granted |= other.granted
        self.bound()

    def bound(self) -> None:
        """Keep as many sights of each list as there is room for, the smallest: so no order
        of merging shows."""
        self._values = counts = Counter(
            one.variable for one in self.facts if not one.is_route
        )
        for variable in [one for one in counts if counts[one] > VALUES_KEPT]:
            of_it = sorted(one for one in self.facts if one.variable == variable)
            for one in of_it[VALUES_KEPT:]:
                del self.facts[one]
            counts[variable] = VALUES_KEPT

    def part(self) -> "Evidence":
        """All that may have changed since this was asked last, as evidence that is to be
        merged with what was known then."""
        part = self.about(self.unsaved & self.facts.keys())
        part.run, part.granted = self.run, set(self.granted)
        part.runs = {name: copy.copy(run) for name, run in self.runs.items()}
        self.unsaved.clear()
        return part

    def about(self, sights: Iterable[Sight]) -> "Evidence":
        """What is known of some sights alone: in no run of it is known what else was seen, or
        that nothing was, so none is told of."""
        part = Evidence()
        part.facts = {one: self.facts[one].copy() for one in sights}
        return part

    def come_from(self, file: str) -> None:
        """Remember the file of the runs that were not merged from another one before."""
        for run in self.runs.values():
            run.files = run.files or frozenset({file})

    def used(self) -> Iterator[Sight]:
        """The routes that did something for their client, in order."""
        return filter(self.is_used, sorted(self.routes))

    def used_operations(self, *, include_failed: bool = False) -> frozenset[str]:
        """The operations that did something for their client.

        `include_failed`: those that reached the Engine and never worked as well; of
        values and objects it means the same.
        """
        used = frozenset(one.operation for one in self.used())
        return used | self.failed_operations() if include_failed else used

    def failed(self) -> Iterator[Sight]:
        """The known routes that reached the Engine, whose operation is never used."""
        used = self.used_operations()
        return (
            sight
            for sight in sorted(self.routes)
            if sight.operation not in {*used, UNKNOWN}
            and self.facts[sight].results.keys() != {REFUSED}
        )

    def failed_operations(self) -> frozenset[str]:
        """The operations that were tried and never worked."""
        return frozenset(one.operation for one in self.failed())

    def outdated_operations(self) -> frozenset[str]:
        """Those of them that the Engine refused because their clients are too old for it."""
        oldest = self.oldest_api
        outdated, others = set[str](), set[str]()
        for sight in self.failed():
            facts = self.facts[sight]
            asked = facts.triers.versions
            is_outdated = facts.results.keys() <= {BAD_REQUEST, REFUSED} and all(
                is_older(version, oldest) for version in asked or {""}
            )
            (outdated if is_outdated else others).add(sight.operation)
        return frozenset(outdated - others)

    def ended(self, result: str) -> list[Sight]:
        """The routes that ended so at least once, in order."""
        return sorted(one for one, of in self.routes.items() if result in of.results)

    def unknown(self) -> Iterator[Sight]:
        """The routes that the table does not have."""
        return (one for one in sorted(self.routes) if one.operation == UNKNOWN)

    def used_arguments(
        self, *, include_failed: bool = False
    ) -> dict[Sight, frozenset[str]]:
        """The values that did something for their client, each with the runs of it.

        A run that is no longer counted by itself is known only where it was the first.
        """
        return _used(self.arguments, include_failed=include_failed)

    def used_objects(
        self, *, include_failed: bool = False
    ) -> dict[Sight, frozenset[str]]:
        """The objects that requests named to some effect, each with the runs of it."""
        return _used(self.objects, include_failed=include_failed)

    def is_used(self, sight: Sight) -> bool:
        """Whether it was ever seen, with a result that shows a need."""
        facts = self.facts.get(sight)
        return facts is not None and any(
            is_need(sight, result) for result in facts.results
        )

    def groups(self) -> list[str]:
        """The files that runs were merged from, and `OWN` for those that were not."""
        return sorted(set[str]().union(*(run.groups for run in self.runs.values())))

    def completeness(self, group: str | None = None) -> Completeness:
        """Say how long was watched, and when something new last came up.

        Of one group, because what is new for one client was known from another.
        """
        runs = {
            name: run
            for name, run in sorted(self.runs.items())
            if group is None or group in run.groups
        }
        births = self._births(None if group is None else runs.keys())
        last = max(births, default=None)
        newest, born = (last.run, runs.get(last.run)) if last else ("", None)
        first = min((run.first for run in runs.values()), default=0)
        proofs = {name: run for name, run in runs.items() if run.is_proof}
        ends = [(at, run.status) for at, run in enumerate(runs.values(), start=1)]
        return Completeness(
            runs=len(runs),
            first=first,
            last=max((run.last for run in runs.values()), default=0),
            seconds=_covered(runs.values()),
            failed_runs=tuple(at for at, status in ends if status not in _NO_FAILURE),
            open_runs=tuple(at for at, status in ends if status == UNFINISHED),
            # A run that is no longer listed is older than all that are.
            newest_run=sum(name <= newest for name in runs) or min(len(births), 1),
            newest=(born.first + last.after if born else first) if last else 0,
            quiet=min((self._quiet(first, proofs) for first in births), default=0),
            quiet_runs=sum(name > newest for name in proofs) if births else 0,
            passes=not runs or runs[max(runs)].passes,
        )

    def last_birth(self) -> int | None:
        """How far into this run something last was new; None: nothing ever was.

        0 where all of it is older than this run.
        """
        births = self._births(None)
        mine = [first.after for first in births if first.run == self.run]
        return max(mine, default=0) if births else None

    def saw_anything(self) -> bool:
        """Whether this run had a request at all."""
        return any(self.run in facts.runs for facts in self.facts.values())

    def dropped(self) -> int:
        """How much had no room."""
        return sum(span.dropped for span in self.runs.values())

    def _births(self, runs: Collection[str] | None) -> set[First]:
        """When each operation was first used: ever, or in some of the runs; and when the
        file last got something new in each.

        A value that fits what is listed is no news, as new as it may be: else a client that
        makes up names would never be known.
        """
        births = dict[str, First]()
        for sight in self.used():
            facts = self.facts[sight]
            results = facts.results.items()
            firsts = {first for result, first in results if is_need(sight, result)}
            if runs is not None:
                # When in a run is known of its first run alone: at the end of others, then.
                here = _runs_of_use(sight, facts).intersection(runs)
                firsts = {first for first in firsts if first.run in here}
                firsts |= {First(run, self.runs[run].seconds) for run in here}
            for first in firsts:
                births[sight.operation] = min(first, births.get(sight.operation, first))
        news = {
            First(name, run.news)
            for name, run in self.runs.items()
            if run.news is not None and (runs is None or name in runs)
        }
        return news.union(births.values())

    def _quiet(self, birth: First, proofs: dict[str, Run]) -> int:
        """Seconds watched since then, in runs that began no earlier than that one."""
        run = self.runs.get(birth.run)
        since = run.first + birth.after if run else 0
        later = (span for name, span in proofs.items() if name >= birth.run)
        return _covered(later, since=since)


def _used(
    known: dict[Sight, Facts], *, include_failed: bool
) -> dict[Sight, frozenset[str]]:
    used = {
        one: runs for one, facts in known.items() if (runs := _runs_of_use(one, facts))
    }
    if include_failed:
        used |= {
            one: frozenset(facts.runs)
            for one, facts in known.items()
            if one not in used and facts.results.keys() != {REFUSED}
        }
    return used


def _runs_of_use(sight: Sight, facts: Facts) -> frozenset[str]:
    needed = {result for result in facts.results if is_need(sight, result)}
    first = {facts.results[result].run for result in needed}
    counted = {
        run for run, counts in facts.runs.items() if not needed.isdisjoint(counts)
    }
    return frozenset(first | counted)


def _most(mine: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
    return {one: max(mine.get(one, 0), theirs.get(one, 0)) for one in {*mine, *theirs}}


def _known(number: int | None) -> int:
    return UNFINISHED - 1 if number is None else number


def _smallest(values: frozenset[str], limit: int) -> frozenset[str]:
    # The smallest of a union do not depend on the order in which it was made.
    return values if len(values) <= limit else frozenset(nsmallest(limit, values))


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
