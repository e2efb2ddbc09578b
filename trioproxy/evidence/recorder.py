"""Turns outcomes into evidence.

Learning does this for every request that is served, so what repeats must cost next to
nothing. A *kind* is all that evidence could tell apart about a request: verdict, result
and client. The first request of a kind is observed in full (sight, who asked), and leaves
a `Tally`: the next ones in the same second are found by their kind and add one, which reads
no clock and takes a fifth of the time. At most `TALLIES_KEPT` kinds have one; when there are
more, all are dropped and made anew as requests come: dropping one loses no count.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from trioproxy.api.answers import ANSWERS
from trioproxy.api.arguments import Argument
from trioproxy.api.families import (
    BUILT,
    FAMILIES,
    NOWHERE,
    OBJECTS,
    PROXY,
    Family,
    Kind,
    Places,
)
from trioproxy.api.matched import Request
from trioproxy.api.reading import Asked
from trioproxy.api.routes import ENDPOINTS, LIMITED, OPTIONS
from trioproxy.evidence.keeping import as_moving, kept, kept_name
from trioproxy.evidence.seen import CLIENTS_KEPT, VALUES_KEPT, Evidence, When
from trioproxy.evidence.sight import REFUSED, UNKNOWN, Sight, Who, looked_at, result_of
from trioproxy.evidence.touched import Touched, touched
from trioproxy.evidence.unknown import UnknownRoutes
from trioproxy.judge.outcome import CLOSED, FAILED, Outcome, Verdict, host_of_client
from trioproxy.judge.references import Named
from trioproxy.judge.rules import Reason, asks_more
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import PROJECT_NAME
from trioproxy.limits.marks import MARKED
from trioproxy.limits.sorts import NOT_KEPT

TALLIES_KEPT = 1_024
"""Kinds of requests, each from one connection, that are counted without being looked at."""

UNMARKED_KEPT: Final = 256
"""Creations that would have been refused, of which the newest are known."""

REASONS_KEPT: Final = 16
"""Reasons that are told apart: the texts hold what clients sent."""

OTHER_REASONS: Final = "other reasons"

_TELLING: Final = frozenset(
    one
    for one in ENDPOINTS
    if one.shows_all and not one.inspects and one.section != "IMAGES"
)
"""What tells of everybody's objects, and of their ids; a network that is named tells of its own,
an image how many use it, and by whom only to who asks for its platforms."""
_NAMING: Final = (b"%22name%22", b"%22id%22", b"%22container%22", b"%22label%22")
"""Filters by which a client asks for what it knows already, as all clients escape them."""
_OK: Final = 200


class Reasons(Counter[str]):
    """How many requests could not be read, by the reason."""

    def note(self, reason: str) -> None:
        """Count one more."""
        if reason not in self and len(self) >= REASONS_KEPT:
            reason = OTHER_REASONS
        self[reason] += 1


class Tally(NamedTuple):
    """What a kind of request is counted as."""

    sight: Sight
    result: str
    until: float
    """When the next second begins, by the clock of outcomes: dates change then."""


@dataclass(slots=True, eq=False)
class Recorder:
    """Turns requests into evidence, and wakes who writes it down when there is news.

    All of it is for the run that the evidence is in, which begins now.
    """

    evidence: Evidence
    now: Callable[[], float] = field(kw_only=True)
    """Tells the wall's time."""
    wake: Callable[[], None] = field(kw_only=True)
    only: Callable[[str], bool] | None = field(default=None, kw_only=True)
    clock: Callable[[], float] = field(default=time.perf_counter, kw_only=True)
    """Tells the same time as outcomes are stamped with."""
    places: Places = field(default=NOWHERE, kw_only=True)
    """What lies in these, as they stand in lists, is learned as `{base}/...`."""
    proxy_socket: str = field(default="", kw_only=True)
    """What was bound in place of the Engine's is learned as `@proxy`."""
    passed_over: int = 0
    """Requests of clients that are none of ours to learn from."""
    unanswered: int = 0
    """Requests that might pass, and that the Engine gave no answer to."""
    unread: Reasons = field(default_factory=Reasons)
    """For which requests were answered with 400 and the like."""
    clients: set[str] = field(default_factory=set)
    """Who was learned from in this run."""
    unknown: UnknownRoutes | None = field(default=None, kw_only=True)
    """Where routes that the table does not have are kept, if somebody shows them."""
    unfit: Reasons = field(default_factory=Reasons)
    """For which tars passed that are refused where creations are limited."""
    asked_more: dict[str, Request] = field(default_factory=dict)
    """What passed and did something that a file may refuse though it lists the operation: one
    of each."""
    _has_project: bool = False
    _origin: float = field(init=False)
    _unmarked: deque[tuple[float, float]] = field(
        default_factory=lambda: deque(maxlen=UNMARKED_KEPT)
    )
    """When creations were answered that a policy would have refused, in wall time."""
    _tallies: dict[Hashable, Tally] = field(default_factory=dict)
    _own: dict[tuple[str, bool], set[str]] = field(default_factory=dict)
    _told: dict[tuple[str, Kind | None], str] = field(default_factory=dict)
    """By which operation a client was told of all that there is, by kind."""

    def __post_init__(self) -> None:
        self._origin = self.clock()

    def end(self, status: int | None = None) -> None:
        """End the run now; `status` is how its COMMAND ended, if it had one."""
        self.evidence.end(self._when(self.clock()), status)

    def elapsed(self) -> int:
        """Seconds since the run began."""
        return self._when(self.clock()).after

    def note(self, outcome: Outcome) -> None:
        """Add a request to the evidence: one that was answered, or refused by a policy.

        A stream is noted when it opens: it may outlive us.
        """
        verdict, host = outcome.verdict, host_of_client(outcome.peer)
        if verdict is None:
            if self._learns_from(host):
                self.unread.note(outcome.ending)
            return
        if outcome.narrowed is not None:
            self._note_hidden(verdict.operation, outcome.narrowed.hidden, host)
        if outcome.moment is CLOSED:
            return
        decision = verdict.decision
        if verdict.form.objects and verdict.request.endpoint in _TELLING:
            self._note_told(verdict, outcome, host)
        is_unresolved = decision.reason is Reason.UNRESOLVED
        # Of 0 its client left before.
        if outcome.status == 0 or (
            outcome.is_ours and (decision.allowed or is_unresolved)
        ):
            self.unanswered += 1
        else:
            self._count(verdict, outcome, host)

    def _count(self, verdict: Verdict, outcome: Outcome, host: str) -> None:
        kind = _kind(verdict, outcome)
        tally = self._tallies.get(kind)
        if (
            tally is not None
            and outcome.ended < tally.until
            and self.evidence.count(tally.sight, tally.result)
        ):
            return
        if not self._learns_from(host):
            return
        tally = self._observe(verdict, outcome, host)
        # One sight has many unknown routes, so each of their requests is looked at.
        if kind is not None and (
            self.unknown is None or tally.sight.operation != UNKNOWN
        ):
            if len(self._tallies) >= TALLIES_KEPT:
                self._tallies.clear()
            self._tallies[kind] = tally

    def _observe(self, verdict: Verdict, outcome: Outcome, host: str) -> Tally:
        sight = Sight.of(verdict.request)
        result = result_of(outcome.status, unrouted=outcome.unrouted)
        decision = verdict.decision
        # What names nothing was answered by the Engine, if to a question of ours.
        if not decision.allowed and decision.reason is not Reason.MISSING:
            result = REFUSED
        who = Who(verdict.agent, host, verdict.request.target.named_version)
        now, after = self.now(), max(0.0, outcome.ended - self._origin)
        when = When(int(now), int(after))
        is_new = self.evidence.observe(sight, result, when, who)
        if len(self.clients) < CLIENTS_KEPT:
            self.clients.add(host)
        if self.unknown is not None and sight.operation == UNKNOWN:
            is_new |= self.unknown.add(verdict.request)
        self._look_back(verdict, outcome)
        if verdict.asked is not None:
            is_new |= self._observe_asked(verdict, verdict.asked, result, when)
        if verdict.named is not None:
            is_new |= self._observe_named(verdict, verdict.named, result, when, host)
        if is_new:
            self.wake()
        # Until one of the two clocks shows another second.
        until = outcome.ended + min(1.0 - now % 1.0, 1.0 - after % 1.0)
        return Tally(sight, result, until)

    def _look_back(self, verdict: Verdict, outcome: Outcome) -> None:
        """Keep what passed, and a file may refuse, or would have."""
        if outcome.status < FAILED and asks_more(verdict.request):
            self.asked_more.setdefault(verdict.operation, verdict.request)
        if outcome.status < FAILED and outcome.unfit:
            self.unfit.note(outcome.unfit)
        if verdict.decision.would_refuse and verdict.operation in MARKED:
            took = outcome.ended - outcome.began
            self._unmarked.append((self.now() - took, self.now()))

    def _observe_asked(
        self, verdict: Verdict, asked: Asked, result: str, when: When
    ) -> bool:
        """Observe what a request asked for, as far as it may be kept."""
        if not asked.is_whole:
            return False
        if not self._has_project and PROJECT_NAME.fullmatch(asked.project):
            # Of the first thing that Compose makes, which is the client's: it knows better than
            # who only looked at its folder.
            self._has_project = True
            self.places = self.places._replace(project=asked.project)
        operation = verdict.operation
        family = LIMITED[operation][0]
        names = self._names(verdict)
        values = {looked_at(operation)}
        defaults = verdict.named.defaults if verdict.named else frozenset[object]()
        for one in asked.arguments:
            if one in defaults:
                continue  # it would have been given anyway
            item = names[one] if one in names else kept(one)
            value = self._as_moving(one.variable, item)
            values.add(Sight(one.variable, value, operation))
        if asked.never or asked.claims:  # no list can hold it
            values.add(Sight(family.options, NOT_KEPT, operation))
        return self._observe_all(values, result, when)

    def _note_told(self, verdict: Verdict, outcome: Outcome, host: str) -> None:
        """Note that a client was told of what there is, whatever it is called.

        Who filters by a name or an id asked for that by itself.
        """
        query = verdict.request.target.query
        is_ok = outcome.status == _OK and not any(map(query.__contains__, _NAMING))
        for kind in ANSWERS[verdict.operation].kinds if is_ok else ():
            if len(self._told) < CLIENTS_KEPT:
                self._told.setdefault((host, kind), verdict.operation)

    def _note_hidden(self, operation: str, hidden: int, host: str) -> None:
        """Note how many strangers an answer left out, or would have; a stream's when it ends."""
        run = self.evidence.runs[self.evidence.run]
        is_learned = self.only is None or self.only(host)
        if is_learned and hidden > run.hidden.get(operation, 0):
            run.hidden = {**run.hidden, operation: hidden}
            self.wake()

    def _observe_named(
        self, verdict: Verdict, named: Named, result: str, when: When, host: str
    ) -> bool:
        """Observe which objects a request named or made."""
        if not verdict.form.objects:
            return False
        sights = set[Sight]()
        endpoint = verdict.request.endpoint
        told_by = ""
        if endpoint is not None and endpoint.inspects:
            told_by = self._told.get((host, endpoint.kind), "")
        decision = verdict.decision
        for one in touched(verdict.operation, named, verdict.form.objects):
            sights.update(self._needs(one, told_by, is_allowed=decision.allowed))
        if (name := decision.unlisted_name) and not decision.allowed:
            # What it would have made, which nobody looks up.
            told = {(one.variable, one.item) for one in sights}
            if (decision.rule, name) not in told:
                sights.add(Sight(decision.rule, name, verdict.operation, is_named=True))
        return self._observe_all(sights, result, when)

    def _needs(
        self, one: "Touched", told_by: str, *, is_allowed: bool
    ) -> Iterator[Sight]:
        """What an object shows of a need; `told_by` told of all that there is."""
        if not one.is_marked and self._follows_refusal(one.made):
            return
        if told_by and one.sight.is_by_id:
            yield one.sight._replace(operation=told_by)
            return
        if one.is_judged:
            yield one.sight
        is_left = False
        if one.own_id:
            is_left = 0 < one.made < self.evidence.runs[self.evidence.run].first
            self._count_own(OBJECTS[one.sight.variable], one.own_id, is_left)
        # What its own earlier runs left there has shows no need of this one, but where it is
        # refused for that.
        for variable, item in () if is_left and is_allowed else one.has:
            value = self._as_moving(variable, item)
            # What nobody was seen to ask for.
            if not self._was_asked_for(variable, value, is_own=bool(one.own_id)):
                yield one.sight._replace(has=str(Grant(variable, value)))

    def _follows_refusal(self, made: float) -> bool:
        """Whether something was made when a policy that is only tried out would have refused
        to make such a thing: without its label, so that whatever names it would be refused as
        well. That is a consequence, and no need of the client."""
        return any(begin - 1 <= made <= end + 1 for begin, end in self._unmarked)

    def _observe_all(self, sights: set[Sight], result: str, when: When) -> bool:
        # In order: what is announced of them is the same each time.
        news = [self.evidence.observe(one, result, when) for one in sorted(sights)]
        return any(news)

    def _was_asked_for(self, variable: str, value: str, *, is_own: bool) -> bool:
        """Whether who made it asked for it, and is seen: what is had is no news then."""
        if variable in FAMILIES[Family.EXEC]:
            return Sight(variable, value, "ContainerExec") in self.evidence.facts
        return (
            is_own
            and bool(value)
            and any(
                Sight(variable, value, operation) in self.evidence.facts
                for operation in ("ContainerCreate", "VolumeCreate", "ContainerUpdate")
            )
        )

    def _count_own(self, kind: str, full_id: str, is_left: bool) -> None:
        known = self._own.setdefault((kind, is_left), set())
        if full_id in known or len(known) >= VALUES_KEPT:
            return
        known.add(full_id)
        run = self.evidence.runs[self.evidence.run]
        if is_left:
            run.left = {**run.left, kind: len(known)}
        else:
            run.own = {**run.own, kind: len(known)}

    def _names(self, verdict: Verdict) -> dict[Argument, str]:
        """The names of images that were asked for by an id."""
        things = verdict.named.things() if verdict.named else ()
        given = [(one, thing) for one, thing in things if thing.kind is Kind.IMAGE]
        if not given:
            return {}
        known = {one.item for one in self.evidence.arguments}
        return {
            argument: kept_name(one.names, known)
            or (BUILT if one.is_built else NOT_KEPT)
            for argument, one in given
        }

    def _as_moving(self, variable: str, value: str) -> str:
        path = value.partition(":")[0]
        if variable == "CREATE_BINDS" and path == self.proxy_socket != "":
            return PROXY
        item = as_moving(variable, value, self.places)
        if item != value:
            run = self.evidence.runs[self.evidence.run]
            for name, one in self.places.used_in([item]).items():
                run.places = Places.of({name: one}, run.places)
        return item

    def _learns_from(self, host: str) -> bool:
        if self.only is None or self.only(host):
            return True
        self.passed_over += 1
        return False

    def _when(self, ended: float) -> When:
        return When(int(self.now()), max(0, int(ended - self._origin)))


def _kind(verdict: Verdict, outcome: Outcome) -> Hashable:
    """All that evidence tells apart about a request; None: of this one it has more, that was
    read or looked up, and it is observed each time: such requests are few."""
    request, endpoint = verdict.request, verdict.request.endpoint
    if verdict.asked is not None or verdict.named is not None or outcome.unfit:
        return None
    if asks_more(request):
        return None
    return (
        endpoint,
        request.method,
        # A row says where it is, but for the one of all paths.
        request.section if endpoint is None or endpoint is OPTIONS else "",
        verdict.agent,
        request.target.version,
        verdict.decision.allowed,
        outcome.status,
        outcome.unrouted,
        outcome.peer,
    )
