"""What a reviewer's page says, as values: the facts of all other rooms in one place.

No markup is known here (`review.page` has that), no file is opened, and no clock is read:
the same files make the same page, at any time and on any machine.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from trioproxy.api.routes import MEANINGS, OPERATIONS, Effect, Endpoint, Risk
from trioproxy.apiversion import too_old
from trioproxy.evidence.seen import Completeness, Evidence
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.judge.meaning import Meaning, limits_power_of, meaning_of, open_sections
from trioproxy.judge.rules import Mode, Policy
from trioproxy.learning.flows import Flow, Unseen, half_granted, unseen_states
from trioproxy.learning.minimize import opened_operations, smallest_sections
from trioproxy.learning.wording import describe_groups
from trioproxy.limits.inclusion import taken_out
from trioproxy.limits.sorts import why_root
from trioproxy.review.compare import Comparison, compare
from trioproxy.review.listing import (
    Listing,
    listings,
    object_listings,
)
from trioproxy.review.reality import Drift, RefusedValue, drift, refused_values
from trioproxy.review.sightings import (
    Sighting,
    Uses,
    of_operation,
    runs_of_operation,
)

RUNS_SHOWN: Final = 24
"""The newest runs, each a dot."""
UNUSED_DAYS: Final = 30
DAY: Final = 86_400
LIMITED: Final = "limited"
"""The level of an operation whose power the lists of the file limit."""
NOBODY: Final = "not told"
"""Stands for whoever asked, where evidence has neither a program nor an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A policy file that was read."""

    name: str
    digest: str
    """SHA-256 of its bytes, in hexadecimal."""
    variables: Mapping[str, str]
    policy: Policy
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An evidence file that was read."""

    name: str
    digest: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation that the file opens."""

    endpoint: Endpoint
    level: str
    """A risk, or `limited`."""
    seen: Sighting | None
    """None: never, or there is no evidence."""
    uses: tuple[int, ...]
    """How often in each of the runs that are shown."""
    askers: tuple[str, ...]
    """Programs that used it, or where none said its name, addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The operations of one level."""

    level: str
    title: str
    meaning: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDot:
    """A run, as the strips of dots have it."""

    name: str
    date: int
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What the same client has in tecnativa: by the file's variables, or for a list by
    those that it takes there."""

    granted: int
    """Operations that the file opens here."""
    used: int
    """Of these, those that evidence shows in use."""
    beyond: int
    """Operations that are opened there and not here."""
    opened: int
    """All that are opened there."""
    writes: int
    """How many of these change something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that came up and that the file does not grant."""

    name: str
    """An operation, or `VARIABLE=item`."""
    why: str
    count: int = 0
    """How often it was asked for; 0: not known."""
    root: str = ""
    """Why a value gives root on the host; empty: no way is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Evidence: how long was watched, whom, and of which runs the strips are."""

    name: str
    digest: str
    facts: Completeness
    runs: tuple[RunDot, ...]
    """The newest ones, the oldest of them first."""
    from_logs: int
    programs: tuple[str, ...]
    clients: tuple[str, ...]
    versions: tuple[str, ...]
    groups: tuple[str, ...]
    """What is said of the files that it was merged from."""
    dropped: int
    """Values that had no room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is different from another file."""

    name: str
    digest: str
    found: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """The file beside what really happened."""

    watch: Watch
    found: Drift
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page says."""

    file: File
    meaning: Meaning
    writes: int
    groups: tuple[Group, ...]
    """What is root first, then what is limited, then the others by risk."""
    unknown: tuple[str, ...]
    """What passes besides, of routes that this version does not know."""
    listings: tuple[Listing, ...]
    objects: tuple[Listing, ...]
    """Which objects requests may name; empty: any."""
    unlisted: tuple[RefusedValue, ...]
    """Values that were in use and that no list has."""
    price: Price
    left_out: tuple[LeftOut, ...]
    flows: tuple[Flow, ...]
    unseen: tuple[Unseen, ...]
    watch: Watch | None
    """None: there is no evidence."""
    changes: Changes | None
    drifted: Drifted | None


def report_of(
    file: File,
    learned: Record | None,
    *,
    old: File | None = None,
    live: Record | None = None,
) -> Report:
    """Put together what is known of a file.

    `learned`: the evidence next to it; `old`: what to compare it with; `live`: what
    really happens.
    """
    policy = file.policy
    meaning = meaning_of(policy)
    evidence = learned.evidence if learned else None
    uses = Uses(evidence, policy.limits) if evidence else None
    watch = _watch(learned) if learned else None
    runs = tuple(one.name for one in watch.runs) if watch else ()
    opened = policy.opened_operations
    left_out = tuple(_left_out(policy, evidence)) if evidence else ()
    declined = {one.name for one in left_out if one.why == DECLINED}
    return Report(
        file=file,
        meaning=meaning,
        writes=sum(one.effect is Effect.WRITE for one in meaning.operations),
        groups=tuple(_groups(policy, meaning, evidence, runs)),
        unknown=(
            *(str(route) for route in policy.routes),
            *(f"all of {name}" for name in open_sections(policy)),
        ),
        listings=tuple(listings(policy, meaning.limits, uses, runs)),
        objects=tuple(object_listings(meaning.objects, uses, runs)),
        unlisted=tuple(_unlisted(policy, evidence, left_out)) if evidence else (),
        price=_price(file, evidence),
        left_out=left_out,
        flows=half_granted(opened),
        unseen=unseen_states(evidence, opened | declined) if evidence else (),
        watch=watch,
        changes=_changes(old, file) if old else None,
        drifted=_drifted(file, live) if live else None,
    )


def _groups(
    policy: Policy,
    meaning: Meaning,
    evidence: Evidence | None,
    runs: tuple[str, ...],
) -> Iterator[Group]:
    doors = frozenset(way.operation for way in meaning.ways if not way.grant)
    shown = [
        _operation(_level(policy, one, doors), one, evidence, runs)
        for one in meaning.operations
    ]
    levels = [(str(risk), risk.shown, words) for risk, words in MEANINGS.items()]
    levels.insert(1, (LIMITED, LIMITED, "may ask for what is listed, and no more"))
    for level, title, words in levels:
        members = tuple(one for one in shown if one.level == level)
        if members:
            yield Group(level=level, title=title, meaning=words, operations=members)


def _level(policy: Policy, endpoint: Endpoint, doors: frozenset[str]) -> str:
    """Say how an operation is to be read: what is a way to root is nothing less."""
    if endpoint.operation in doors:
        return Risk.HOST_ROOT
    is_limited = limits_power_of(policy, endpoint.operation)
    return LIMITED if is_limited else endpoint.risk


def _operation(
    level: str, endpoint: Endpoint, evidence: Evidence | None, runs: tuple[str, ...]
) -> Operation:
    name = endpoint.operation
    used = runs_of_operation(evidence, name) if evidence else {}
    return Operation(
        endpoint=endpoint,
        level=str(level),
        seen=of_operation(evidence, name) if evidence else None,
        uses=tuple(used.get(run, 0) for run in runs),
        askers=_askers(evidence, name) if evidence else (),
    )


def _askers(evidence: Evidence, operation: str) -> tuple[str, ...]:
    users = [
        record.users
        for sight, record in evidence.routes.items()
        if sight.operation == operation and evidence.is_used(sight)
    ]
    agents = {name for one in users for name in one.agents}
    clients = {name for one in users for name in one.clients}
    return tuple(sorted(agents or clients)) or (NOBODY,)


def _price(file: File, evidence: Evidence | None) -> Price:
    policy, variables = file.policy, file.variables
    if policy.mode is Mode.EXACT:
        variables = smallest_sections(policy.granted, TECNATIVA)
    granted = policy.opened_operations
    there = opened_operations(variables, [TECNATIVA])
    return Price(
        granted=len(granted),
        used=len(granted & evidence.used_operations()) if evidence else 0,
        beyond=len(there - granted),
        opened=len(there),
        writes=sum(OPERATIONS[name][0].effect is Effect.WRITE for name in there),
    )


# --- What is not granted ------------------------------------------------------------

DECLINED: Final = "declined: a reviewer took it out of the file"
FAILED: Final = "it only ever failed"
UNPROVEN: Final = "a log tells of it, and not how it ended"
REFUSED: Final = "refused while it was learned"
UNKNOWN: Final = "a route that this version does not know"


def _left_out(policy: Policy, evidence: Evidence) -> Iterator[LeftOut]:
    opened = policy.opened_operations
    reasons = dict[str, str]()
    if policy.mode is Mode.EXACT:
        reasons |= dict.fromkeys(evidence.granted_operations, DECLINED)
    unproven = evidence.unproven_operations()
    for name in evidence.outdated_operations():
        reasons.setdefault(name, too_old(evidence.oldest_api))
    for name in evidence.failed_operations():
        reasons.setdefault(name, UNPROVEN if name in unproven else FAILED)
    for sight in evidence.refused():
        reasons.setdefault(sight.operation, REFUSED)
    for name, why in sorted(reasons.items()):
        if name in OPERATIONS and name not in opened:
            yield LeftOut(name=name, why=why, count=_count(evidence, name))
    for grant in taken_out(policy.limits, evidence.listed):
        why = why_root(*grant, base=policy.limits.base)
        yield LeftOut(name=str(grant), why=DECLINED, root=why)
    for sight in evidence.unknown():
        place = f"{sight.method} in {sight.section or 'no section'}"
        count = evidence.facts[sight].count()
        yield LeftOut(name=place, why=UNKNOWN, count=count)


def _unlisted(
    policy: Policy, evidence: Evidence, left_out: tuple[LeftOut, ...]
) -> Iterator[RefusedValue]:
    """Values in use that no list has, but for those that were declined."""
    known = {one.name for one in left_out}
    for one in refused_values(policy, evidence, used_only=True):
        if f"{one.argument.variable}={one.argument.item}" not in known:
            yield one


def _count(evidence: Evidence, operation: str) -> int:
    records = evidence.routes.items()
    return sum(one.count() for sight, one in records if sight.operation == operation)


# --- Beside other files -------------------------------------------------------------


def _changes(old: File, new: File) -> Changes:
    found = compare(old.policy, new.policy)
    return Changes(name=old.name, digest=old.digest, found=found)


def _drifted(file: File, live: Record) -> Drifted:
    """Unused is what was not used in the last days that were watched."""
    watch = _watch(live)
    since = watch.facts.last - UNUSED_DAYS * DAY
    found = drift(file.policy, live.evidence, since=since)
    return Drifted(watch=watch, found=found, days=UNUSED_DAYS)


def _watch(record: Record) -> Watch:
    evidence = record.evidence
    newest = sorted(evidence.runs.items())[-RUNS_SHOWN:]
    users = [one.users for one in evidence.routes.values()]
    return Watch(
        name=record.name,
        digest=record.digest,
        facts=evidence.completeness(),
        runs=tuple(
            RunDot(name=name, date=run.first, failed=not run.is_proof)
            for name, run in newest
        ),
        from_logs=sum(run.source == "log" for run in evidence.runs.values()),
        programs=tuple(sorted({name for one in users for name in one.agents})),
        clients=tuple(sorted({name for one in users for name in one.clients})),
        versions=tuple(sorted({name for one in users for name in one.versions})),
        groups=tuple(describe_groups(evidence)),
        dropped=evidence.dropped(),
    )
