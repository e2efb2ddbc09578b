"""What became of a request: the one value that all who look at ends are given.

The log writes a line of it, the recorder makes evidence of it, and neither knows the
other. Who keeps one keeps it short (`Outcome.short`): a head alone may have 127 KB, and
whoever sends it says how many are told of.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Final

from trioproxy.judge.gate import Verdict
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

    def short(self) -> "Outcome":
        """The same as words, none of them long; itself, if it is that."""
        verdict, ending = self.verdict, self.ending[:LONGEST_WORD]
        if verdict is None or verdict.is_short(LONGEST_WORD):
            return self if ending == self.ending else replace(self, ending=ending)
        return replace(self, verdict=verdict.short(LONGEST_WORD), ending=ending)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ended - self.began

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
