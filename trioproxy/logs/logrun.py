"""Turns the lines of a log into evidence, as a recorder turns outcomes into it.

What a line says is known in `logs.loglines`; whether an answer shows a need, in
`evidence.needs`, as for what was seen live. A log is one run, and what is special about
it follows from its being there to be read again:

- *Its id comes from its first request*: the date of that line, and a digest of it. So a
  log that is read twice counts once, and one that has grown since takes the place of
  what was read of it before, for a run only counts up (`evidence.seen`). A log whose
  beginning was cut off or rotated away is another run.
- *Its dates are those of the lines*, and its length is counted along them: a date that
  goes back adds nothing, and no two lines more than `MOST_SILENCE` apart prove that the
  proxy ran in between.
- *Clients may be told apart*: each is then a run of its own, which was watched for as
  long as the whole log was, for it could have asked at any time.

Memory is bounded by the table of operations: neither targets nor lines are kept.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from trioproxy.api.matched import Request
from trioproxy.api.routes import match
from trioproxy.api.target import Target
from trioproxy.errors import BadTarget
from trioproxy.evidence.recorder import Reasons
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import REFUSED, UNPROVEN, Sight, Who
from trioproxy.evidence.unknown import ROUTES_KEPT, guess
from trioproxy.logs.logformats import LogEntry
from trioproxy.logs.loglines import read_line

MOST_SILENCE: Final = 86_400
"""Seconds between two lines that still count as watched."""

CLIENTS_TOLD_APART: Final = 64
"""Clients that may have a file each, and that are named."""

NO_HEAD: Final = "its head could not be read by the proxy that wrote the log"
TARGETS_KEPT: Final = 512
"""Paths whose meaning is remembered, as clients ask for the same again and again."""

_RESULT: Final = re.compile(f"[1-5][0-9]{{2}}|{REFUSED}|{UNPROVEN}")
"""What a sight may have ended in, as evidence has it."""

EVERYBODY: Final = ""
"""Who is learned from where clients are not told apart."""


class RouteMeaning(NamedTuple):
    """What a method and a path mean: a sight and a version, or why they mean nothing."""

    sight: Sight | None
    version: str = ""
    fault: str = ""
    unknown: str = ""
    """Its route, where the table has none for it."""


@dataclass(kw_only=True)
class LogFile:
    """One log, line by line."""

    includes: Callable[[str], bool] | None = None
    """Whether a client is learned from; None: all are."""
    selection: str = ""
    """In words, whom `includes` lets through: another choice is another run."""
    apart: bool = False
    """Whether each client has evidence of its own."""

    evidence: dict[str, Evidence] = field(default_factory=dict)
    """What was seen, by client, or of `EVERYBODY`."""
    forms: Counter[str] = field(default_factory=Counter)
    """Requests that the log tells of, by the program that wrote the line."""
    others: int = 0
    """Lines that tell of no request, or have a form that is not known."""
    first_other: bytes = b""
    cut: int = 0
    """Requests whose path is not whole."""
    unanswered: int = 0
    """Requests that never reached the Engine, or that it gave no answer to."""
    undated: int = 0
    passed_over: int = 0
    """Requests of clients that are not learned from, or not known."""
    unread: Reasons = field(default_factory=Reasons)
    """For which requests could not be read in exactly one way."""
    unknown: dict[str, None] = field(default_factory=dict)
    """Routes that the table does not have, in the order in which they came."""
    clients: set[str] = field(default_factory=set)
    """Who asked, learned from or not; at most one more than is told apart."""

    _name: str = ""
    """The run, without who is learned from in it."""
    _begun: int = 0
    _newest: float = 0.0
    _watched: float = 0.0

    def feed(self, line: bytes) -> None:
        """Take a line without its end."""
        entry = read_line(line)
        if entry is None:
            if line.strip():
                self.others += 1
                self.first_other = self.first_other or line
            return
        self.forms[entry.form] += 1
        if entry.date is None:
            self.undated += 1
            return
        self._pass_time(entry, entry.date)
        if len(self.clients) <= CLIENTS_TOLD_APART:
            self.clients.add(entry.client)
        is_learned = self.includes is None or self.includes(entry.client)
        if is_learned and (entry.client or not self.apart):
            self._learn(entry, entry.date)
        else:
            self.passed_over += 1

    def end(self) -> None:
        """Say of each run how long it was watched: all of the log."""
        for evidence in self.evidence.values():
            evidence.end(self._when(self._newest))

    @property
    def requests(self) -> int:
        """Of how many requests the log tells."""
        return self.forms.total()

    @property
    def results(self) -> set[str]:
        """All results that were seen."""
        return {
            result
            for evidence in self.evidence.values()
            for record in evidence.routes.values()
            for result in record.results
        }

    def _pass_time(self, entry: LogEntry, date: float) -> None:
        if not self._name:
            at = datetime.fromtimestamp(date, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            # Of what it says, not of the line: `docker logs -t` shows the same log.
            self._name = f"{at}-{_digest(repr(entry))}"
            self._begun, self._newest = int(date), date
        # A request is logged when it is over, with the date at which it began.
        if date > self._newest:
            self._watched += min(date - self._newest, MOST_SILENCE)
            self._newest = date

    def _learn(self, entry: LogEntry, date: float) -> None:
        if not entry.is_whole:
            self.cut += 1
            return
        if not entry.method:
            self.unread.note(NO_HEAD)
            return
        meaning = _read(entry.method, _origin_form(entry.target.partition(b"?")[0]))
        if meaning.sight is None:
            self.unread.note(meaning.fault)
        elif not entry.result:
            self.unanswered += 1
        elif not _RESULT.fullmatch(entry.result):
            self.unread.note("it has no status of HTTP")
        else:
            who = Who(entry.agent, entry.client, meaning.version)
            evidence = self._evidence_of(entry.client if self.apart else EVERYBODY)
            if evidence is not None:
                evidence.observe(meaning.sight, entry.result, self._when(date), who)
            if meaning.unknown and len(self.unknown) < ROUTES_KEPT:
                self.unknown[meaning.unknown] = None

    def _evidence_of(self, client: str) -> Evidence | None:
        evidence = self.evidence.get(client)
        if evidence is None:
            if len(self.evidence) > CLIENTS_TOLD_APART:
                return None  # there are too many, which whoever asked is told
            evidence = self.evidence[client] = Evidence()
            begun, _, digest = self._name.rpartition("-")
            whom = client if self.apart else self.selection
            own = _digest(f"{digest} {whom}")[:8]
            evidence.begin(f"{begun}-{own}", self._begun)
            evidence.runs[evidence.run].source = "log"
        return evidence

    def _when(self, date: float) -> When:
        return When(int(date), int(self._watched))


def united(logs: Iterable[LogFile]) -> dict[str, Evidence]:
    """What several logs saw, by client."""
    whole = dict[str, Evidence]()
    for log in logs:
        for client, evidence in log.evidence.items():
            whole.setdefault(client, Evidence()).merge(evidence)
    return whole


@lru_cache(TARGETS_KEPT)
def _read(method: str, path: bytes) -> RouteMeaning:
    try:
        target = Target.parse(path)
        request = Request(method=method, target=target, endpoint=match(method, target))
    except BadTarget as error:
        return RouteMeaning(None, fault=str(error))
    version = target.version.removeprefix("/v") or "unversioned"
    unknown = "" if request.endpoint else guess(request)
    return RouteMeaning(Sight.of(request), version, unknown=unknown)


def _origin_form(target: bytes) -> bytes:
    """Without scheme and host, which some clients of proxies send."""
    if not target.startswith(b"http://"):
        return target
    _, slash, path = target.removeprefix(b"http://").partition(b"/")
    return slash + path


def _digest(text: str) -> str:
    # Here, for it brings libcrypto along, and learning from clients reads no log.
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()
