"""Every session of a client has an outcome, and every bad one needs an excuse."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import trio


class Outcome(StrEnum):
    """How the session of one client ended."""

    DONE = "as asked"
    LEFT = "left by the client on purpose"
    REFUSED = "refused, as it should be"
    TOLD = "told of the outage (502)"
    CUT = "cut by the outage"
    WRONG = "wrong"


@dataclass(kw_only=True)
class Outage:
    """A time without an Engine; it has no end yet while it lasts."""

    start: float
    end: float = float("inf")


@dataclass(kw_only=True)
class Account:
    """What all clients of a soak saw."""

    counts: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    outages: list[Outage] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    probes: set[str] = field(default_factory=set)
    """Paths asked for once each, and answered: each must have one log line."""
    bytes_moved: int = 0

    def settle(self, kind: str, outcome: Outcome, *, began: float, why: str) -> None:
        """Enter a session; what only an outage excuses is wrong without one."""
        needs_excuse = outcome in {Outcome.TOLD, Outcome.CUT}
        if needs_excuse and not any(outage.end >= began for outage in self.outages):
            outcome = Outcome.WRONG
        if outcome is Outcome.WRONG:
            self.wrong.append(f"{kind} at {began:.1f} s: {why}")
        self.counts[kind, outcome] += 1

    def start_outage(self) -> Outage:
        """The Engine goes away now."""
        self.outages.append(Outage(start=trio.current_time()))
        return self.outages[-1]

    @property
    def sessions(self) -> int:
        """How many sessions there were."""
        return sum(self.counts.values())

    def table(self) -> str:
        """Kinds against outcomes, as Markdown."""
        outcomes = [one for one in Outcome if any(o is one for _, o in self.counts)]
        rows = [["client", *outcomes], ["---", *("--:" for _ in outcomes)]]
        rows += [
            [kind, *(f"{self.counts[kind, one]:,}" for one in outcomes)]
            for kind in sorted({kind for kind, _ in self.counts})
        ]
        return "\n".join(f"|{'|'.join(row)}|" for row in rows)
