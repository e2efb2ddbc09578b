"""What became of a request: the one value that all who look at ends are given.

The log writes a line of it, the recorder makes evidence of it, and neither knows the
other. Who keeps one keeps it short (`Outcome.short`): a head alone may have 127 KB, and
whoever sends it says how many are told of.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from trioproxy.api.form import Asked
from trioproxy.api.matched import Request
from trioproxy.judge.gate import Form, Found, Gate, Passes
from trioproxy.judge.references import Named
from trioproxy.judge.rules import Decision
from trioproxy.quoting import quote
from trioproxy.values import ordered_class

if TYPE_CHECKING:
    from trioproxy.judge.pruning import Removals
    from trioproxy.judge.showing import Showing

_USUAL: Final = {
    method: f" method={method} path="
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE")
}
"""How the words of most requests begin: nothing in them is to be quoted."""

FAILED: Final = 400
"""From this status on an answer says why nothing was done, and opens no stream."""

LONGEST_WORD: Final = 1_024
"""Characters of one: more than any line has of it."""


@ordered_class
class Verdict:
    """What is told of a request that was judged, and by what it can be judged again.

    A verdict is reused for every head with the same bytes.
    """

    request: Request
    decision: Decision
    agent: str
    """Product tokens of the client's user agent."""
    operation: str
    """The Engine's name for it, or `unknown`."""
    words: str
    """The request as words of a log line, each with a space before it."""
    form: Form
    """What of the gate decided how it goes on, and its answer."""
    asked: Asked | None = None
    """What it asks for, where that is limited or learned."""
    named: Named | None = None
    """What it names, where the Engine has to be asked what that is."""
    showing: "Showing | None" = None
    """What of its answer is shown; None: the answer goes on as it comes."""
    tried: "Showing | None" = None
    """What of it would be shown by a policy that is only tried out; None: all of it."""
    removals: "Removals | None" = None
    """What is removed in place of a prune."""

    @classmethod
    def of(cls, gate: Gate, request: Request, found: Found, agent: str) -> "Verdict":
        """Say of a request what came of it."""
        method, path = request.method, request.target.shown
        asked = _USUAL.get(method) or f" method={quote(method)} path="
        showing = removals = None
        if isinstance(found, Passes):
            showing, removals = found.showing, found.removals
        operation, decision = request.operation, found.decision
        tried = None if decision.would_refuse else gate.tried.get(operation)
        # In their order: one is made for each head that was not seen before.
        return cls(
            request,
            decision,
            agent,
            operation,
            asked + quote(path),
            gate.form,
            found.asked,
            found.named,
            showing,
            tried,
            removals,
        )

    @property
    def unpacks(self) -> bool:
        """Whether its body is a tar that is read, and written anew, as it passes."""
        return self.form.unpacks(self.operation)

    @property
    def reads_tar(self) -> bool:
        """Whether its body is a tar that is read as it passes."""
        return self.form.reads_tar(self.operation)

    def in_words(self) -> "Verdict":
        """The same without its body, and with less of what the Engine said.

        By what is left it can be judged again, and told of. Of what is under way, for
        weeks maybe, that is all that is held.
        """
        return replace(
            self,
            asked=self.asked and self.asked.in_words(),
            named=self.named and self.named.in_words(),
        )

    def is_short(self, longest: int) -> bool:
        """Whether it is words alone, none of more characters than that."""
        return (
            self.asked is None
            and self.named is None
            and self.removals is None
            and len(self.request.target.raw) <= longest
            and len(self.request.method) <= longest
            and len(self.decision.message) <= longest
            and len(self.agent) <= longest
        )

    def short(self, longest: int) -> "Verdict":
        """What can be told of it, no word of it longer; it cannot be judged again."""
        one, decision = self.request, self.decision
        request = Request(one.method[:longest], one.target.short(), one.endpoint)
        decision = replace(decision, message=decision.message[:longest])
        said = replace(self, request=request, decision=decision)
        agent = self.agent[:longest]
        return replace(said, agent=agent, asked=None, named=None, removals=None)

    @property
    def size(self) -> int:
        """Bytes that the words of its arguments take, and rather more."""
        asked = self.asked
        arguments = (*asked.arguments, *asked.told) if asked is not None else ()
        removed = self.removals.size if self.removals is not None else 0
        # Four bytes a character, for one outside of the first 65,536 has Python keep its whole text so; and 512 for the
        # objects that hold them.
        return removed + sum(
            512 + 4 * (len(one.value) + len(one.place) + len(one.shown))
            for one in arguments
        )


class Waits:
    """How long the Engine was waited for, where that is measured.

    One for each connection to it: `seconds` grow until whoever reads them sets them to 0.
    """

    __slots__ = ("seconds", "until")

    def __init__(self) -> None:
        self.seconds = 0.0
        """From each head that was sent to the head of its answer."""
        self.until = 0.0
        """When the last of these came, on the clock of `Outcome.began`."""


class Narrowed(NamedTuple):
    """By how much an answer was narrowed."""

    hidden: int = 0
    """Strangers that were left out."""
    is_tried: bool = False
    """Whether they would have been, by a policy that is only tried out."""


class Moment(Enum):
    """When an outcome is told."""

    WHOLE = "whole"
    """The request is over, and this is all that is told of it."""
    OPENED = "opened"
    """A stream or tunnel has begun, which may last for weeks."""
    CLOSED = "closed"
    """A stream or tunnel is over, whose beginning was told."""


WHOLE: Final = Moment.WHOLE
OPENED: Final = Moment.OPENED
CLOSED: Final = Moment.CLOSED
"""Looked up once: a member of an enumeration costs a call."""


@ordered_class
class Outcome:
    """A request, what was decided, how it was answered, and what moved."""

    moment: Moment
    peer: str
    """The client's address: `host:port`, or `unix:uid=N`; behind a name of its own and an `@`."""
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
    ending: str = ""
    """Why it did not end as planned; empty if it did."""
    serial: int = 0
    """The number of an answer of ours, as its client was told; 0 if it is not ours."""
    waits: Waits | None = None
    """How long the Engine was waited for; None: that is not measured."""
    received: int = 0
    """Bytes of the client's body, or of its side of a tunnel, that went upstream."""
    sent: int = 0
    """Bytes of the body, or of the Engine's side of a tunnel, for the client."""
    narrowed: Narrowed | None = None
    """What is not shown of the Engine's answer; None: it went on as it came."""
    unfit: str = ""
    """Why its tar, which passed to be learned from, is refused where creations are limited."""

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
    """What a client is known by: its address without the port, or its user id.

    Where it has a name that stands before it: `traefik@10.1.2.3`.
    """
    return peer if "unix:" in peer else peer.rpartition(":")[0]


def host_of_client(peer: str) -> str:
    """The same as `--only-from` has it: an IPv6 address without brackets."""
    return name_of_client(peer).replace("[", "").replace("]", "")


Observer = Callable[[Outcome], None]
"""Somebody who looks at ends. It must not raise, wait or keep what it need not."""
