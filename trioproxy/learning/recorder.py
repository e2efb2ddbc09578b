"""Turns outcomes into evidence.

Learning does this for every request that is served, so what repeats must cost next to
nothing. A *kind* is all that evidence could tell apart about a request: verdict, result
and client. The first request of a kind is observed in full (shape, result, who asked);
it leaves a `Tally`, which points right at the counters that the observation has made.
The next of its kind finds the tally by its kind and adds one. At most `TALLIES_KEPT`
kinds have one; when there are more, all are dropped and made anew as requests come: a
tally is a short cut, and dropping it loses no count.
"""

from collections.abc import Callable, Hashable

from trioproxy.learning.evidence import Evidence, Tally
from trioproxy.learning.shape import REFUSED, Shape, Who, result_of
from trioproxy.policy.gate import Verdict
from trioproxy.policy.outcome import Moment, Outcome

TALLIES_KEPT = 1_024
"""Kinds of requests, each from one connection, that are counted without look-ups."""


class Recorder:
    """Turns requests into evidence, and wakes who writes it down when there is news.

    All of it is for the run that the evidence is in.
    """

    def __init__(
        self,
        evidence: Evidence,
        *,
        now: Callable[[], float],
        wake: Callable[[], None],
        only: Callable[[str], bool] | None = None,
    ) -> None:
        self.evidence = evidence
        self.passed_over = 0
        """Requests of clients that are none of ours to learn from."""
        self._now = now
        self._wake = wake
        self._only = only
        self._tallies: dict[tuple[Hashable, ...], Tally] = {}

    def note(self, outcome: Outcome) -> None:
        """Add a request to the evidence: one that was answered, or refused by a policy.

        A stream is noted when it opens: it may outlive us.
        """
        moment, peer, verdict, status, is_ours, unrouted, *_ = outcome
        if verdict is None or status == 0 or moment is Moment.CLOSED:
            return
        allowed = verdict.decision.allowed
        if is_ours and allowed:
            return  # the Engine gave no answer
        kind = (
            verdict.operation,
            verdict.request.method,
            verdict.section,
            verdict.agent,
            verdict.version,
            allowed,
            status,
            unrouted,
            peer,
        )
        tally = self._tallies.get(kind)
        if tally is not None:
            tally.add(self._now())
        elif tally := self._observe(verdict, status, unrouted=unrouted, peer=peer):
            if len(self._tallies) >= TALLIES_KEPT:
                self._tallies.clear()
            self._tallies[kind] = tally

    def _observe(
        self, verdict: Verdict, status: int, *, unrouted: bool, peer: str
    ) -> Tally | None:
        """Observe what this client, on this connection, did not do before."""
        # Without its port, which is another each time.
        host = peer if peer.startswith("unix:") else peer.rpartition(":")[0].strip("[]")
        if self._only is not None and not self._only(host):
            self.passed_over += 1
            return None
        shape = Shape.of(verdict.request)
        result = result_of(status, unrouted=unrouted)
        if not verdict.decision.allowed:
            result = REFUSED
        who = Who(verdict.agent, host, verdict.version)
        if self.evidence.observe(shape, result, int(self._now()), who):
            self._wake()
        return self.evidence.tally(shape, result)
