"""The one caller of `judging`: from the bytes of a request head to what may be done with it.

Three steps with values between them. *Parse*: `http.request` says what the head asks
for, and its target and route are told once. *Judge*: the gate says whether that may pass,
and in which form. *Render*: that form is written for the Engine, or our refusal for the
client. No byte of the client's head goes upstream that was not parsed and judged first.
Where more is needed to judge it than its head (a body, what the Engine has under a name),
it is `Pending`: whoever drives the judging gets that, and has the end of it rendered.

The same head, byte for byte, gets the same answer from the same gate; a memo keeps it, or
for what is pending what was parsed. Gate, memos and observers are one value, an
`Admission`: a memo must never outlive the gate that filled it, and a second policy, or a
listener that is reached in another way, is one more of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final, assert_never

from trioproxy.api.edits import Sent
from trioproxy.api.matched import Request
from trioproxy.api.routes import ENDPOINTS, Effect, Stream
from trioproxy.apiversion import is_older, too_old
from trioproxy.errors import BadRequest
from trioproxy.http import jsonbody
from trioproxy.http.framing import NO_BODY, Framing
from trioproxy.http.hearing import Built
from trioproxy.http.hosts import UNIX, Site
from trioproxy.http.memo import Memo
from trioproxy.http.request import (
    HeaderMemo,
    RequestHead,
    parse_request,
    render_chunked,
    render_request,
    render_whole,
    uncompressed,
)
from trioproxy.http.response import Expectation
from trioproxy.judge.gate import (
    Found,
    Gate,
    Judging,
    Need,
    Passes,
    Refused,
    go_on,
    judging,
)
from trioproxy.judge.outcome import Observer, Outcome, Verdict
from trioproxy.judge.rules import Decision, Reason
from trioproxy.proxy import replies
from trioproxy.proxy.condition import PROBES, Probe
from trioproxy.values import ordered_class

if TYPE_CHECKING:
    from trioproxy.proxy.hours import Allowed

TUNNELLED: Final = frozenset({Stream.HIJACK, Stream.H2C, Stream.WEBSOCKET})
"""The Engine may take the connection over."""

FINITE: Final = frozenset({Stream.NONE, Stream.DOWNLOAD, Stream.UPLOAD})
"""The answer ends by itself."""

CONTENT: Final = frozenset({Stream.UPLOAD, Stream.UPLOAD_FOLLOW})
"""A body is content."""

RAW_BODY_OPERATIONS: Final = frozenset(
    {
        "BuildKitControl",
        "ContainerAttach",
        "ContainerAttachWebsocket",
        "LibpodContainerAttach",
        "Session",
    }
)
"""The Engine reads a framed body here only before an error; where it opens the stream, what
follows the head belongs to that."""


WITH_WORDS_OF_THEIR_OWN: Final = frozenset(
    {Reason.UNREAD, Reason.UNRESOLVED, Reason.MISSING}
)
"""Refusals that are no policy's last word."""


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What of an exchange follows from its endpoint alone; one for each, in a table."""

    may_hijack: bool
    """The Engine may take the stream over by a 200 without a length."""
    is_tunnel: bool
    """The Engine may take the connection over, in whatever way."""
    is_finite: bool
    """The answer ends by itself."""
    is_repeatable: bool
    """Asking twice does nothing that asking once does not."""
    makes_images: bool
    """Its answer may tell the id of an image that it made."""
    takes_content: bool
    """A body is content, which the Engine reads as it comes; others, JSON, it holds as a
    whole, and makes more of it in its memory."""
    has_raw_body: bool
    """A framed body goes on as it comes until the answer begins; from then on all bytes
    belong to the stream, if that is what it begins."""


@cache
def _traits(
    effect: Effect, stream: Stream, makes_images: bool, has_raw_body: bool
) -> Traits:
    """Many rows have the same: they share one value."""
    return Traits(
        may_hijack=stream is Stream.HIJACK,
        is_tunnel=stream in TUNNELLED,
        is_finite=stream in FINITE,
        is_repeatable=effect is Effect.READ and stream is Stream.NONE,
        makes_images=makes_images,
        takes_content=has_raw_body or stream in CONTENT,
        has_raw_body=has_raw_body,
    )


UNKNOWN: Final = _traits(Effect.WRITE, Stream.UPLOAD, False, False)
"""Of a route that the table does not have."""

TRAITS: Final = {
    id(one): _traits(
        one.effect, one.stream, one.makes_images, one.operation in RAW_BODY_OPERATIONS
    )
    for one in ENDPOINTS
}
"""By the identity of the row, which is never made anew: hashing it would cost more."""


@ordered_class
class Admitted:
    """A request head as read and judged, and what is rendered from that."""

    verdict: Verdict
    upstream: bytes
    """The head that goes upstream if the verdict allows it; else empty."""
    refusal: bytes
    """Our answer if the verdict refuses it; else empty."""
    framing: Framing
    """Of the request's body."""
    keep_alive: bool
    """Whether the client wants the connection for another request."""
    expected: Expectation
    """How the answer is to be read."""
    traits: Traits
    probe: Probe | None
    """What asks the proxy itself is neither judged by the gate nor told to anybody."""
    may_be_read: bool
    """Whether its answer may have to be read on its way, and not only moved."""
    allowed: "Allowed | None" = None
    """By what a person let it pass; None: nobody was asked."""

    def in_words(self) -> "Admitted":
        """The same, once it is decided, without what it was judged by but for words."""
        return replace(self, verdict=self.verdict.in_words())


@ordered_class
class Parsed:
    """A request head as read, and the route that it means."""

    head: RequestHead
    request: Request


@ordered_class
class Pending:
    """A request whose head alone does not say whether it may pass."""

    parsed: Parsed
    judging: Judging
    """It stands at `need`."""
    need: Need | Found
    gate: Gate
    """By which it is judged."""


class Admission:
    """One policy at work: its gate, what it has said so far, and who looks at ends."""

    def __init__(
        self,
        gate: Gate,
        site: Site = UNIX,
        client: str = "",
        built: Built | None = None,
        oldest: str = "",
    ) -> None:
        """`site`: where the listener is reached, for what web pages may ask there.

        `client`: whose policy it is; empty: of all who have none of their own.
        `built`: the images made through it, which a reload forgets as little as whose they are.
        """
        self.client = client
        self.built = Built() if built is None else built
        self._site = site
        self._oldest = oldest
        self._header_memo: HeaderMemo = Memo()
        self.reload(gate, ())

    def reload(self, gate: Gate, observers: Iterable[Observer] | None = None) -> None:
        """Judge by another gate from now on; what the old one said is forgotten.

        `observers`: who is told of it; None: the same as before."""
        self.gate = gate
        if observers is not None:
            self._observers = tuple(observers)
        # Nearly always the log is the only one.
        self.tell: Observer = self._tell_all
        if len(self._observers) == 1:
            self.tell = self._observers[0]
        """Tells all who look at ends."""
        self._memo = Memo[bytes, Admitted | Parsed]()

    def know_oldest(self, oldest: str) -> None:
        """Know the oldest version of its API that the Engine takes; empty: not known.

        Who is refused and asks for an older one is told so, and not what would allow it.
        """
        if oldest != self._oldest:
            self._oldest = oldest
            self.reload(self.gate)

    def admit(self, raw: bytes) -> Admitted | Pending:
        """Read and judge one request head; `verdict.decision` says whether it may pass.

        Raises `BadRequest` for what cannot be read in exactly one way.
        """
        # Bytes are compared whole here, so two heads share a verdict only if they are equal.
        known = self._memo.get(raw)
        if isinstance(known, Admitted):
            return known
        parsed = known or self.parse(raw)
        pending = self.judge(parsed)
        if isinstance(pending.need, Found):
            found: Admitted | Pending = self.render(parsed, pending.need)
        else:
            found = pending
        # A head that raised is judged again each time: who sends such has no right to speed.
        if known is None and not parsed.head.fields.has_credentials:
            kept = found if isinstance(found, Admitted) else parsed
            self._memo.keep(raw, raw, kept)
        return found

    def judge(self, parsed: Parsed) -> Pending:
        """Judge a request by the gate of now, up to what more is needed for that."""
        has_body = parsed.head.fields.framing is not NO_BODY
        one = judging(self.gate, parsed.request, has_body=has_body)
        need = go_on(one)
        while need is None:  # what a head alone asks for is little
            need = go_on(one)
        return Pending(parsed, one, need, self.gate)

    def render(
        self, parsed: Parsed, found: Found, body: bytes | None = None
    ) -> Admitted:
        """Write what goes upstream, or our refusal; `body`: as it came, if it was read."""
        head, request = parsed.head, parsed.request
        if isinstance(found, Refused) and self._oldest:
            found = replace(found, decision=self._reworded(request, found.decision))
        verdict = Verdict.of(self.gate, request, found, head.fields.agent)
        return _render(head, verdict, found, body)

    def parse(self, raw: bytes) -> Parsed:
        """Read a request head, and tell its route. Raises `BadRequest`."""
        head = parse_request(raw, self._site, self._header_memo)
        request = Request.parse(head.method.decode(), head.target)
        # With this media type the Engine's server hands the request to its gRPC services
        # before any route is looked at; on /grpc itself it is what the route is for.
        if head.fields.is_grpc and request.target.path != "/grpc":
            raise BadRequest("gRPC bypasses the Engine's routes and is never forwarded")
        return Parsed(head, request)

    def _reworded(self, request: Request, refusal: Decision) -> Decision:
        """Tell whoever is too old for the Engine that nothing which is granted would help.

        Unless they may not ask which version to name: then they name an old one anyway.
        """
        if (
            is_older(request.target.version, self._oldest)
            and refusal.reason not in WITH_WORDS_OF_THEIR_OWN
            and self.gate.decide(Request.parse("HEAD", b"/_ping")).allowed
        ):
            return replace(refusal, message=too_old(self._oldest))
        return refusal

    def _tell_all(self, outcome: Outcome) -> None:
        for observer in self._observers:
            observer(outcome)


def _render(
    head: RequestHead, verdict: Verdict, found: Found, body: bytes | None
) -> Admitted:
    request, fields = verdict.request, head.fields
    framing = fields.framing if body is None else NO_BODY
    traits = TRAITS[id(request.endpoint)] if request.endpoint else UNKNOWN
    upgrades = traits.is_tunnel and fields.upgrade != b""
    # Of the two only one is ever made: what is refused has no head that could be sent.
    upstream = refusal = b""
    match found:
        case Passes() if found.removals is not None:
            pass  # what it removes goes on, and not the prune
        case Passes():
            target = _target(request, found.sent)
            if found.showing is not None:
                head = uncompressed(head)
            written = body
            if found.sent is not None and found.sent.body is not None:
                written = jsonbody.render(found.sent.body)
            if framing is not NO_BODY and verdict.reads_tar:
                upstream = render_chunked(head, target)
            elif written is None:
                upstream = render_request(head, target, upgrades=upgrades)
            else:
                upstream = render_whole(head, target, written, upgrades=upgrades)
        case Refused():
            refusal = replies.refusal(
                found.decision,
                close=not fields.keep_alive or framing is not NO_BODY,
                head_only=request.method == "HEAD",
            )
        case _:
            assert_never(found)
    is_head = head.method == b"HEAD"
    return Admitted(
        verdict,
        upstream,
        refusal,
        framing,
        fields.keep_alive,
        Expectation(is_head, fields.version, traits.may_hijack, upgrades),
        traits,
        PROBES.get((head.method, head.target)),
        verdict.showing is not None
        or verdict.tried is not None
        or traits.makes_images
        or verdict.form.conceals,
    )


def _target(request: Request, sent: Sent | None) -> bytes:
    """The target as it was judged, with the query as it was read where it was."""
    target = request.target
    if sent is None:
        return target.canonical
    path = request.with_parameter(sent.parameter) or target.quoted
    has_query = sent.query or (target.has_query and sent.query == target.query)
    return path.encode("ascii") + b"?" * bool(has_query) + sent.query
