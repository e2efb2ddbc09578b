"""What became of a request: the one value that all who look at ends are given.

The log writes a line of it, the recorder makes evidence of it, and neither knows the
other. Who keeps something of it keeps words and numbers (`Told`): a head alone may have
127 KB, and whoever sends it says how many are told of.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Final, NamedTuple

from trioproxy.policy.gate import Verdict
from trioproxy.policy.rules import Decision
from trioproxy.values import ordered_class

LONGEST_WORD: Final = 1_024
"""Characters of one: more than any line has of it."""


class Moment(Enum):
    """When an outcome is told."""

    WHOLE = "whole"
    """The request is over, and this is all that is told of it."""
    OPENED = "opened"
    """A stream or tunnel has begun, which may last for weeks."""
    CLOSED = "closed"
    """A stream or tunnel is over, whose beginning was told."""


@ordered_class
class Outcome:
    """A request, what was decided, how it was answered, and what moved."""

    moment: Moment
    peer: str
    """The client's address: `host:port`, or `unix:uid=N`."""
    verdict: Verdict | None
    """None: the request could not be read in exactly one way, and was refused."""
    status: int
    """Of the final answer; 0 if none has begun."""
    is_ours: bool
    """The answer is ours: the Engine never saw the request, or gave no answer."""
    unrouted: bool = False
    """The Engine has no such route (a 404 of its router)."""
    began: float = 0.0
    """When the whole head was here, in seconds of a clock that only goes forward."""
    ended: float = 0.0
    """When this was told, on the same clock."""
    received: int = 0
    """Bytes of the client's body, or of its side of a tunnel, that went upstream."""
    sent: int = 0
    """Bytes of the body, or of the Engine's side of a tunnel, for the client."""
    ending: str = ""
    """Why it did not end as planned; empty if it did."""
    serial: int = 0
    """The number of an answer of ours, as its client was told; 0 if it is not ours."""


class Told(NamedTuple):
    """An outcome in words and numbers, none of them long: what may be kept of it."""

    moment: Moment
    peer: str
    status: int
    is_ours: bool
    ending: str
    seconds: float
    received: int
    sent: int
    serial: int
    decision: Decision | None
    """None: the request could not be read, and the other words are empty."""
    operation: str
    method: str
    path: str
    request_words: str
    decision_words: str
    version: str
    agent: str

    @classmethod
    def of(cls, outcome: Outcome) -> "Told":
        """Take the words of an outcome."""
        verdict, decision = outcome.verdict, None
        words = ("",) * 7
        if verdict is not None:
            request, decision = verdict.request, verdict.decision
            if len(decision.message) > LONGEST_WORD:  # the Engine's own, for example
                decision = replace(decision, message=decision.message[:LONGEST_WORD])
            words = (
                verdict.operation,
                request.method[:LONGEST_WORD],
                request.target.shown,
                verdict.request_words,
                verdict.decision_words,
                verdict.version,
                verdict.agent[:LONGEST_WORD],
            )
        return cls(
            outcome.moment,
            outcome.peer,
            outcome.status,
            outcome.is_ours,
            outcome.ending[:LONGEST_WORD],
            outcome.ended - outcome.began,
            outcome.received,
            outcome.sent,
            outcome.serial,
            decision,
            *words,
        )

    @property
    def client(self) -> str:
        """The client without its port."""
        return name_of_client(self.peer)

    @property
    def request_id(self) -> str:
        """The serial number as `X-Request-Id` has it."""
        return f"{self.serial:012x}"


def name_of_client(peer: str) -> str:
    """What a client is known by: its address without the port, or its user id."""
    return peer if peer.startswith("unix:") else peer.rpartition(":")[0]


Observer = Callable[[Outcome], None]
"""Somebody who looks at ends. It must not raise, wait or keep what it need not."""
