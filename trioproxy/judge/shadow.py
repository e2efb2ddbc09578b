"""What a policy that is only tried out would have refused, counted."""

from trioproxy.judge.outcome import CLOSED, Outcome

KEPT = 1_000
"""Different refusals that are counted by name; all others share one name."""


class ShadowTally:
    """Counts what passed, and what would not have."""

    def __init__(self) -> None:
        self.allowed = 0
        self.would_refuse: dict[str, int] = {}
        """How often, by the text of the refusal."""
        self.would_hide: dict[str, int] = {}
        """How many strangers one answer told of, at most, by the operation."""

    def note(self, outcome: Outcome) -> None:
        """Count a request that was answered, under what would have been answered."""
        narrowed, verdict = outcome.narrowed, outcome.verdict
        if verdict is None:
            return
        if narrowed is not None and narrowed.hidden:
            before = self.would_hide.get(verdict.operation, 0)
            self.would_hide[verdict.operation] = max(before, narrowed.hidden)
        if outcome.moment is CLOSED or outcome.is_ours or outcome.status == 0:
            return
        if not verdict.decision.would_refuse:
            self.allowed += 1
            return
        message = verdict.decision.message
        if message not in self.would_refuse and len(self.would_refuse) >= KEPT:
            message = "and others"
        self.would_refuse[message] = self.would_refuse.get(message, 0) + 1
