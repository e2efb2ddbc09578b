"""The table at the end of `learn` and `merge`: what the file grants, and how far to trust it.

All of it goes to stderr; nothing here decides anything.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Final

from trioproxy.api.families import (
    OBJECTS,
    OPERATIONS_VARIABLE,
    OWNER_VARIABLE,
    VARIABLES,
)
from trioproxy.api.matched import Request
from trioproxy.api.mounts import is_engines
from trioproxy.apiversion import too_old
from trioproxy.commands import ours, tell
from trioproxy.config import Address
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import UNFINISHED, Evidence
from trioproxy.evidence.sight import REFUSED, UNKNOWN, UNPROVEN
from trioproxy.file.permissions import parse_policy_file
from trioproxy.files import read_text
from trioproxy.judge.gate import Gate
from trioproxy.judge.power import Powers
from trioproxy.learning.flows import half_granted, unseen_states
from trioproxy.learning.learnedfile import in_tecnativa, policy_of
from trioproxy.learning.lists import Lists
from trioproxy.learning.only import ObjectLists
from trioproxy.learning.proposal import Proposal, Quiet, facts_for_ready
from trioproxy.learning.store import Store, Written
from trioproxy.learning.wording import (
    count,
    describe_groups,
    describe_hidden,
    describe_watch,
    some,
)
from trioproxy.limits.grant import Grant
from trioproxy.quoting import argument
from trioproxy.values import value_class

BEYOND: Final = 1
"""The exit status where a file that was written goes beyond its ceiling."""
FAILED: Final = "(learn --include-failed)"
DECLINED: Final = "(learn --restore NAME)"
NAMES_SHOWN: Final = 8
"""Programs that are named; each sight keeps as many, and clients choose their names."""


@value_class
class Closing:
    """What the end of a call has to tell of."""

    store: Store
    run: str = ""
    """The run that ends; none where files are merged."""
    until: Quiet | None = None
    never: frozenset[str] = frozenset()
    """States of the Engine that do not come up for this client."""
    unread: Mapping[str, int] = field(default_factory=dict)
    """Requests that we could not read, by the reason."""
    unknown: Sequence[str] = ()
    """Routes of this run that the table does not have."""
    asked_more: Sequence[Request] = ()
    """What passed in this run and may be refused all the same."""
    unfit: Mapping[str, int] = field(default_factory=dict)
    """Tars that passed, by the reason for which they are refused beside limits."""
    engine: Address | None = None
    """Where the Engine was; None where none was needed."""

    def show(self, saved: Written, *, is_written: bool = True) -> None:
        """Sum up what the file grants, what it does not, and how far to trust it."""
        for line in (*self._granted(saved, is_written), *self._trust(saved)):
            tell.say(line)
        if is_written:
            self._say_how_to_go_on()
        else:
            file, proposal = self.store.wish.file, saved.proposal
            tell.say(f"{file} could not be written; what was learned is this:")
            for name, value in proposal.values.items():
                tell.say(f"{name}={value}")
            tell.say(f"{OPERATIONS_VARIABLE}={','.join(sorted(proposal.granted))}")

    def _say_how_to_go_on(self) -> None:
        """Say how to use the file, and what has to be done before."""
        file = self.store.wish.file
        # Where it cannot be read, by a line of somebody else's, `enforce` has the words.
        with suppress(ConfigError):
            policy, _ = parse_policy_file(read_text(Path(file)), name=file)
            own = [ours.Ours(path=file)]
            for line in ours.hindrances(policy, own, ours.engine(self.engine)):
                tell.say(line)
        command = f"trioproxy enforce --env-file {argument(file)}"
        if os.environ.get("POLICIES"):  # beside which one file would judge nobody
            folder = os.path.dirname(file) or "."
            command = f"POLICIES={argument(folder)} trioproxy enforce"
        tell.say_command(f"review {file} before you use it:", command)

    def _granted(self, saved: Written, is_written: bool) -> Iterator[str]:
        evidence, proposal = saved.evidence, saved.proposal
        granted, listed = sorted(proposal.granted), self.store.listed
        new = proposal.granted - {one.item for one in listed if one.is_operation}
        lists = "lists" if is_written else "would list"
        operations = count(len(granted), "operation")
        yield f"trioproxy: {self.store.wish.file} {lists} {operations}, {len(new)} of them new"
        marks = dict.fromkeys(new, "new") | dict.fromkeys(proposal.by_hand, "by hand")
        powers = tell.powers_of(proposal)
        yield from _table(granted, evidence, marks, powers)
        yield from _asked(proposal.lists, evidence, listed, powers)
        yield from _named(proposal.objects, listed)
        if self.run:
            routes = evidence.routes.items()
            seen = {one.operation for one, facts in routes if self.run in facts.runs}
            unseen = new - seen - self.store.wish.restored
            title = "new, but not used in this run: the evidence file says that it was"
            yield from _names(title, unseen)

    def _refused(self, proposal: Proposal) -> Iterator[str]:
        """What passed in this run, and is refused with the file, whatever it lists."""
        gate = Gate.enforcing(policy_of(proposal.granted, proposal.values))
        unpacks = any(map(gate.form.unpacks, proposal.granted))
        faults = [tell.plain(one) for one in self.unfit if unpacks]
        for request in self.asked_more:
            found = gate.decide(request)
            if request.operation in proposal.granted and not found.allowed:
                faults.append(found.message)
        for fault in faults:
            yield f"passed, but {self.store.wish.file} refuses it: {fault}"

    def _unknown_routes(self, evidence: Evidence) -> Iterator[str]:
        """Those of this run, and method and section of those that earlier ones saw."""
        yield from sorted(self.unknown)
        for sight in evidence.unknown():
            if self.run not in evidence.facts[sight].runs:
                yield f"{sight.method} in {sight.section or '?'}"

    def _trust(self, saved: Written) -> Iterator[str]:
        evidence, proposal = saved.evidence, saved.proposal
        yield describe_watch(evidence.completeness())
        yield from describe_hidden(evidence.hidden)
        yield from _names("last new", describe_groups(evidence), "; ")
        run = evidence.runs.get(self.run)
        if run and not run.is_proof and run.status != UNFINISHED:
            yield (
                f"the command failed (status {run.status}): what it used is granted, but such a"
                " run does not show that nothing is missing"
            )
        askers = [facts.users for facts in evidence.routes.values()]
        yield from _names("clients", set[str]().union(*(one.clients for one in askers)))
        if programs := set[str]().union(*(one.agents for one in askers)):
            yield f"programs: {some(sorted(programs), NAMES_SHOWN)}"
        yield in_tecnativa(proposal.granted)
        failed = evidence.failed_operations() - proposal.granted - proposal.declined
        unproven = failed & {one.operation for one in evidence.ended(UNPROVEN)}
        outdated = evidence.outdated_operations() & failed
        refused = {one.operation for one in evidence.ended(REFUSED)} - {UNKNOWN}
        logged = f"in a log that does not say how they ended, not granted {FAILED}"
        for title, names in (
            (too_old(evidence.oldest_api), outdated),
            (f"only ever failed, not granted {FAILED}", failed - unproven - outdated),
            (logged, unproven),
            (f"declined, not granted {DECLINED}", proposal.declined),
            ("refused, not granted", refused - proposal.granted - proposal.declined),
        ):
            yield from _names(title, names)
        yield from self._refused(proposal)
        yield from _names("used before, but beyond the ceiling", proposal.capped)
        yield from _names("unknown routes, not granted", self._unknown_routes(evidence))
        yield from tell.unread_lines(self.unread)
        yield from map(str, half_granted(proposal.granted))
        if dropped := evidence.dropped():
            yield f"incomplete: {count(dropped, 'value')} had no room in the evidence"
        states = unseen_states(evidence, proposal.granted, self.never)
        yield from map(str, states)
        if self.until is not None:
            yield self.until.describe(facts_for_ready(evidence), states)


def _asked(
    lists: Lists, evidence: Evidence, known: frozenset[Grant], powers: Powers
) -> Iterator[str]:
    """What requests may ask for, and what of it is not listed."""
    items = list(lists.items())
    if lists.values:
        yield "requests may ask for what is harmless, and for:"
    for grant in items:
        root = powers.of(grant).root_note
        words = ["new"] if grant not in known else []
        words += ["by hand"] if grant in lists.by_hand else []
        words += ["it varies"] if grant in lists.holes else []
        words += [root] if root else []
        yield f"  {grant}{'  ' * bool(words)}{', '.join(words)}"
    for family in sorted(lists.closed - {VARIABLES[name].family for name, _ in items}):
        yield f"  nothing of {family}_*"
    for family, why in sorted(lists.open.items()):
        yield f"left open: {family}_*: {why}"
    for title, names in (
        (f"declined, not listed {DECLINED}", lists.declined),
        ("asked for, but beyond the ceiling", lists.capped),
        (f"asked for in vain, not listed {FAILED}", lists.failed),
        ("refused, not listed", lists.refused),
        ("no list can hold what was asked for of", lists.unlisted),
    ):
        yield from _names(title, names)
    if any(v == "CREATE_BINDS" and is_engines(item) for v, item in items):
        yield (
            "what gets the Engine's socket has no limits: write PROXY_SOCKET=/path, where the"
            " proxy will listen, into the file and learn again: it gets the proxy's then"
        )
    if items and evidence.completeness().runs == 1:
        yield "one run does not show which values vary: learn a second one"


def _named(objects: ObjectLists, known: frozenset[Grant]) -> Iterator[str]:
    """Which objects requests may name, and whose those were that they named."""
    if objects.values:
        before = "; what is there already is not its own"
        is_own = OWNER_VARIABLE in objects.values
        yield f"they may name these alone{before * is_own}:"
    for variable, value in objects.values.items():
        listed = [Grant(variable, item) for item in value.split(",") if item]
        is_new = variable in OBJECTS and not known.issuperset(listed)
        words = ["new"] if is_new else []
        words += [objects.counted[variable]] if variable in objects.counted else []
        yield f"  {variable}={value}{'  ' * bool(words)}{', '.join(words)}"
    if objects.open:
        yield f"left open: which objects they name: {objects.open}"
        yield from (f"  {n}: {told}" for n, told in sorted(objects.counted.items()))
    if objects.refused:
        yield f"refused by these lists all the same: {objects.refused}"
    for how, line in objects.proposed:
        yield f"  learn --learn {how}: {line}"
    yield from _names(f"declined, not listed {DECLINED}", objects.declined)


def _table(
    granted: Sequence[str], evidence: Evidence, marks: Mapping[str, str], powers: Powers
) -> Iterator[str]:
    """A line for each operation."""
    counts = dict.fromkeys(granted, 0)
    for sight, record in evidence.routes.items():
        if sight.operation in counts:
            counts[sight.operation] += record.count()
    rows = [
        (name, tell.route_text(name), f"{counts[name]}x", marks.get(name, ""))
        for name in granted
    ]
    columns = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    for name, row in zip(granted, rows, strict=True):
        cells = zip(row, columns, strict=True)
        shown = "  ".join(cell.ljust(most) for cell, most in cells if most)
        yield f"  {shown}  {tell.risk_of(name, powers)}".rstrip()


def say_beyond(store: Store) -> int:
    """Say what the written file grants beyond its ceiling; the exit status for that."""
    names = store.beyond()
    for line in _names(f"beyond {store.wish.within}: {store.wish.file} grants", names):
        tell.say(line)
    return BEYOND if names else 0


def _names(
    title: str, names: Iterable[str | Grant], separator: str = ", "
) -> Iterator[str]:
    is_ordered = isinstance(names, Iterator | Sequence)
    listed = [*map(str, names)] if is_ordered else sorted(map(str, names))
    if listed:
        yield f"{title}: {separator.join(listed)}"
