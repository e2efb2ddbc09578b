"""What is counted for Prometheus, and how it is written.

Loaded where `METRICS` names a listener, and nowhere else. Whoever serves adds to integers:
`Counts.note` is one of those who look at ends. At a scrape a collector reads them, and
what is known without counting, from those who are connected and from the log.

There is a series for what came, and never for what a client chose: it is labelled by the
name of its policy, and by words of our tables.
"""

import re
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import accumulate
from math import inf
from typing import Final

import trio

from trioproxy import __version__
from trioproxy.api.routes import Stream
from trioproxy.errors import ConfigError
from trioproxy.judge.outcome import CLOSED, OPENED, Observer, Outcome, Verdict, Waits
from trioproxy.judge.rules import Reason
from trioproxy.proxy.connection import Connection
from trioproxy.proxy.exchange import ENGINE_LOST
from trioproxy.proxy.shared import Shared
from trioproxy.threads import in_thread

try:
    from prometheus_client import ProcessCollector, generate_latest
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
        Metric,
    )
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ConfigError(
        "METRICS needs the package prometheus_client, which is not installed here",
        hint="pip install prometheus_client, or unset METRICS",
    ) from error

SCRAPED_FOR: Final = 1.0
"""Seconds for which one text serves all who ask: at least, and nine times what it took."""

NO_NAME: Final = "-"
"""The clients of the process's own policy, in place of a name: an empty label is none."""

FOLDER: Final = "POLICIES"
"""In place of a client: the folder itself could not be read. No client has capitals."""

SHORTEST: Final = (
    "0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5"
)
BOUNDS: Final = (*map(float, SHORTEST.split()), 1.0, 2.5, 10.0, 60.0)
"""Seconds, the upper ends of what is counted together: judging a head takes less than the
first, and a build waits longer than the last."""

TABLE: Final = """
counter trioproxy_requests_total client operation decision status
    Requests that were answered, and streams that began. decision: allowed, refused, would-refuse, rejected for what
    cannot be read in exactly one way, or none for what ended before; status: 2xx, or none where no answer began.
counter trioproxy_refusals_total client operation decision reason variable
    Those of them that the policy refuses, or would in --shadow, and those that cannot be read.
    variable: the list that an argument or object is not on.
histogram trioproxy_own_seconds operation
    From a whole request head to its answer's, less what the Engine took. A body that is judged is read in this time,
    and a person asked; the relay of bodies is not in it. Without uploads.
histogram trioproxy_engine_seconds operation
    How long the Engine was waited for: from each head that it was sent, of the request and of our questions about it,
    to its answer's. Without uploads.
counter trioproxy_engine_errors_total client kind
    Requests that the Engine failed: unreachable, or no HTTP (failed), not in time (too-slow), or cut in the middle of
    an answer (cut).
gauge trioproxy_engine_up
    1 if the Engine answers a ping, as health says; else 0.
counter trioproxy_received_bytes_total client
    Of bodies and tunnels, from clients to the Engine, but for bodies that are judged.
counter trioproxy_sent_bytes_total client
    Of bodies and tunnels, from the Engine to clients.
gauge trioproxy_connections client
    Clients that are connected.
counter trioproxy_accepted_total
    Clients that were given a place.
counter trioproxy_turned_away_total status
    Clients that were given none: 503 for want of places, 403 who may not come in or is nobody, 502 and 504 where the
    Engine does not say who it is; 500 who can have no file to be learned in, or by a bug of the proxy.
gauge trioproxy_streams client
    Requests under way whose answer may never end, without tunnels.
gauge trioproxy_tunnels client
    Requests under way that take the connection over.
counter trioproxy_log_lines_dropped_total
    Lines that the reader of the log did not take in time.
gauge trioproxy_policy_info client hash
    1, for the policy in force: its hash as the log has it.
gauge trioproxy_policy_loaded_timestamp_seconds client
    When it was read: time() less this is its age.
gauge trioproxy_policy_stale client
    1 where a newer one could not be read, and the old one stays; else 0. client="POLICIES": the folder, once that was so.
counter trioproxy_reload_failures_total client
    How often that was so; of client="POLICIES", how often the folder could not be read.
gauge trioproxy_last_new_operation_timestamp_seconds client
    When somebody asked for an operation for the first time since the start.
gauge trioproxy_build_info version
    1, for this version.
"""
"""All there are, but for `process_*`, which `prometheus_client` has of every program: kind,
name and labels of each, and what it tells."""

MADE: Final = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


def described() -> Iterator[tuple[str, str, list[str], str]]:
    """Read the table: kind, name, labels, and what is told."""
    for row in re.split(r"\n(?=\w)", TABLE.strip()):
        head, *lines = row.splitlines()
        kind, name, *labels = head.split()
        yield kind, name, labels, " ".join(map(str.strip, lines))


FAILED_BY_ENGINE: Final = {502: "failed", 504: "too-slow"}
REFUSED: Final = frozenset({"refused", "would-refuse", "rejected"})
UNREAD: Final = "unread"
"""In place of an operation."""
NOT_JUDGED: Final = frozenset({Reason.UNRESOLVED, Reason.UNJUDGED})
"""What is counted, and its time is not: it went on waiting, for the Engine or for nobody."""

MOST_FRESH: Final = 2 * 128
"""Times of requests that wait to be added up, of each tally: 8 KB."""


class Times:
    """How long something took, as often as it was done."""

    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        """How often it took no longer than each bound, and longer than the one before."""
        self.seconds = 0.0
        """All together."""

    def add(self, times: Iterable[float]) -> None:
        """Count some; sorted, for that is the least work for many."""
        fresh, before = sorted(times), 0
        self.seconds += sum(fresh)
        for at, bound in enumerate((*BOUNDS, inf)):
            upto = bisect_right(fresh, bound, before)
            self.buckets[at] += upto - before
            before = upto

    def cumulative(self) -> list[tuple[str, int]]:
        """How often it took no longer than each bound, as Prometheus has it."""
        names = (*map(str, BOUNDS), "+Inf")
        return list(zip(names, accumulate(list(self.buckets)), strict=True))


Sample = tuple[str, tuple[str, ...], float | Times]
"""The name of a metric, the values of its labels, and its own."""


class EndCount:
    """Requests that came to the same end."""

    def __init__(
        self, verdict: Verdict | None, status: int, both: tuple[Times, Times]
    ) -> None:
        operation, decision, reason, variable = UNREAD, "rejected", "rejected", ""
        endpoint = None
        if verdict is not None:
            operation, decision = verdict.operation, verdict.decision.word
            reason = str(verdict.decision.reason)
            if verdict.decision.reason in {Reason.ARGUMENT, Reason.OBJECT}:
                variable = verdict.decision.rule
            endpoint = verdict.request.endpoint
        self.words = (operation, decision, f"{status // 100}xx" if status else "none")
        self.refusal = (operation, decision, reason, variable)
        self.fresh: list[float] = []
        """Of each request that was not added up yet: our time, and the Engine's."""
        self.count = 0
        # Of an upload the client's pace would be measured.
        is_upload = endpoint is not None and endpoint.stream is Stream.UPLOAD
        self._is_timed = status != 0 and verdict is not None and not is_upload
        self._own, self._took = both

    def fold(self) -> None:
        """Add up what is fresh: for many at once that is a third of the work."""
        fresh, self.fresh = self.fresh, []
        self.count += len(fresh) // 2
        if self._is_timed:
            self._own.add(fresh[0::2])
            self._took.add(filter(None, fresh[1::2]))


class Counts:
    """What the clients of one policy did."""

    def __init__(self, times: dict[str, tuple[Times, Times]], log: Observer) -> None:
        """`log`: who is told first; one observer of ends costs less than two."""
        self.tallies = dict[tuple[str, str, int], EndCount]()
        """By operation, words of a decision, and status: there are as many as tables have."""
        self.errors = dict.fromkeys((*FAILED_BY_ENGINE.values(), "cut"), 0)
        self.received = self.sent = 0
        """Bytes each way; of streams and tunnels when they are over."""
        self.newest = 0.0
        """When an operation came for the first time, in seconds since the epoch."""
        self._known = set[str]()
        self._times = times
        self._log = log

    def note(self, outcome: Outcome) -> None:
        """Log a request, and count it when it is over, or when its stream begins.

        Called for each: all that can be done for many at once is left to `EndCount.fold`.
        """
        self._log(outcome)
        if outcome.moment is not OPENED:
            self.received += outcome.received
            self.sent += outcome.sent
        if outcome.moment is CLOSED:
            self._failed(outcome, Waits())
            return
        verdict, status, end = outcome.verdict, outcome.status, outcome.ended
        key = UNREAD, "", status
        if verdict is not None:
            key = verdict.operation, verdict.decision.words, status
        tally = self.tallies.get(key) or self._begin(key, verdict)
        waits, waited = outcome.waits, 0.0
        if waits is not None:
            waited, waits.seconds = waits.seconds, 0.0
        if outcome.ending:
            waited += self._failed(outcome, waits or Waits())
            if verdict is None or verdict.decision.reason in NOT_JUDGED:
                tally.count += 1
                return
        elif waits and waited and outcome.narrowed is None and not outcome.is_ours:
            # What is relayed as it comes is over when its head is here; of what follows
            # the slower side says how long it takes.
            end = waits.until
        tally.fresh += (end - outcome.began - waited, waited)
        if len(tally.fresh) >= MOST_FRESH:
            tally.fold()

    def fold(self) -> None:
        """Add up what is fresh. Nothing, added up for each tally, takes 60 ms of 256 policies."""
        for one in self.tallies.values():
            if one.fresh:
                one.fold()

    def _failed(self, outcome: Outcome, waits: Waits) -> float:
        """Count what the Engine failed; how long it was waited for in vain."""
        if outcome.ending == ENGINE_LOST:
            self.errors["cut"] += 1
        elif outcome.is_ours and outcome.status in FAILED_BY_ENGINE:
            self.errors[FAILED_BY_ENGINE[outcome.status]] += 1
            return max(0.0, outcome.ended - waits.until)
        return 0.0

    def _begin(self, key: tuple[str, str, int], verdict: Verdict | None) -> EndCount:
        operation, _, status = key
        if operation not in self._known:
            self._known.add(operation)
            self.newest = time.time()
        both = self._times.setdefault(operation, (Times(), Times()))
        one = self.tallies[key] = EndCount(verdict, status, both)
        return one


class Metrics(Collector):
    """All that is counted; the collector that a scrape reads."""

    def __init__(self, shared: Shared, connections: Collection[Connection]) -> None:
        self._shared = shared
        self._connections = connections
        self._counts = dict[str, Counts]()
        self._times = dict[str, tuple[Times, Times]]()
        """Of ours and of the Engine, by operation."""
        self._process = ProcessCollector(registry=None)
        self._turn = trio.Lock()
        self._text = b""
        self._fresh_until = float("-inf")
        self._seen: list[Sample] = []
        """What was read on Trio's thread, for it changes while others have a turn."""

    def of(self, client: str) -> Counts:
        """Count for the clients of a policy; "": of the process's own."""
        log = self._shared.log.request
        return self._counts.setdefault(client, Counts(self._times, log))

    def forget(self, client: str) -> None:
        """Tell of a policy no more: it is gone."""
        self._counts.pop(client, None)

    async def text(self) -> bytes:
        """What Prometheus reads, made anew if it is a second old.

        Written in a thread: of 256 policies it is seconds of work, for whoever asks.
        """
        async with self._turn:
            began = trio.current_time()
            if began >= self._fresh_until:
                is_up = await self._shared.health.is_up()
                began = trio.current_time()
                self._seen = [("trioproxy_engine_up", (), is_up), *self._look()]
                self._text = await in_thread(generate_latest, self, may_leave=False)
                now = trio.current_time()
                self._fresh_until = now + max(SCRAPED_FOR, 9 * (now - began))
            return self._text

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, as they are now."""
        families = {
            name: MADE[kind](name, told, labels=labels)
            for kind, name, labels, told in described()
        }
        for name, labels, value in (*self._seen, *self._told()):
            family = families[name]
            if isinstance(family, HistogramMetricFamily):
                assert isinstance(value, Times)  # noqa: S101  as the table has it
                family.add_metric(labels, value.cumulative(), value.seconds)
            else:
                assert not isinstance(value, Times)  # noqa: S101
                family.add_metric(labels, value)
        yield from families.values()
        yield from self._process.collect()

    def _look(self) -> Iterator[Sample]:
        """What those do who are connected, with what is over: bytes are told while they
        flow, and a tunnel may flow for weeks."""
        connected, streams, tunnels = Counter[str](), Counter[str](), Counter[str]()
        received, sent = Counter[str](), Counter[str]()
        for client, counts in self._counts.items():
            received[client], sent[client] = counts.received, counts.sent
            counts.fold()
        for one in self._connections:
            client = one.admission.client
            connected[client] += 1
            if (exchange := one.exchange) is None:
                continue
            so_far = exchange.outcome("")
            received[client] += so_far.received
            sent[client] += so_far.sent
            is_tunnel = exchange.admitted.traits.is_tunnel
            if one.streams:
                (tunnels if is_tunnel else streams)[client] += 1
        for client in self._counts:
            name = (client or NO_NAME,)
            yield "trioproxy_connections", name, connected[client]
            yield "trioproxy_streams", name, streams[client]
            yield "trioproxy_tunnels", name, tunnels[client]
            yield "trioproxy_received_bytes_total", name, received[client]
            yield "trioproxy_sent_bytes_total", name, sent[client]

    def _told(self) -> Iterator[Sample]:
        """What was counted; dicts are copied, for clients are served meanwhile."""
        shared = self._shared
        yield "trioproxy_build_info", (__version__,), 1
        yield "trioproxy_accepted_total", (), shared.accepted
        for status, count in list(shared.turned_away.items()):
            yield "trioproxy_turned_away_total", (str(status),), count
        dropped = shared.log.dropped + shared.log.dropped_before
        yield "trioproxy_log_lines_dropped_total", (), dropped
        for operation, (own, took) in list(self._times.items()):
            yield "trioproxy_own_seconds", (operation,), own
            yield "trioproxy_engine_seconds", (operation,), took
        for client, counts in list(self._counts.items()):
            yield from _of_client(client or NO_NAME, counts)
        yield from self._of_policies()

    def _of_policies(self) -> Iterator[Sample]:
        health = self._shared.health
        for client, one in list(health.standings.items()):
            name = client or NO_NAME
            if one.fingerprint:  # else its first file was refused, and none is in force
                yield "trioproxy_policy_info", (name, one.fingerprint), 1
                yield "trioproxy_policy_loaded_timestamp_seconds", (name,), one.since
            yield "trioproxy_policy_stale", (name,), one.is_stale
            yield "trioproxy_reload_failures_total", (name,), one.failures
        if health.folder_failures:
            failures = health.folder_failures
            yield "trioproxy_reload_failures_total", (FOLDER,), failures
            yield "trioproxy_policy_stale", (FOLDER,), health.is_folder_stale


def _of_client(name: str, counts: Counts) -> Iterator[Sample]:
    requests = Counter[tuple[str, ...]]()
    refusals = Counter[tuple[str, ...]]()
    for one in list(counts.tallies.values()):
        requests[one.words] += one.count
        if one.words[1] in REFUSED:
            refusals[one.refusal] += one.count
    for words, count in requests.items():
        yield "trioproxy_requests_total", (name, *words), count
    for words, count in refusals.items():
        yield "trioproxy_refusals_total", (name, *words), count
    for kind, count in list(counts.errors.items()):
        yield "trioproxy_engine_errors_total", (name, kind), count
    newest = "trioproxy_last_new_operation_timestamp_seconds"
    if counts.newest:
        yield newest, (name,), counts.newest
