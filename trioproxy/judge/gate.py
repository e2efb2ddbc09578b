"""The gate: may this request pass, and why?

`judge` takes a method, a raw target and, where what requests ask for is limited, a body
to a verdict; nothing else decides. It knows
nothing of sockets, files or clocks, and keeps nothing: what became of a request is told
to others (`judge.outcome`).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from trioproxy.api.edits import Edit, Sent
from trioproxy.api.form import Asked
from trioproxy.api.matched import Request
from trioproxy.api.routes import ENDPOINTS, LIMITED, Files, match
from trioproxy.api.target import Target
from trioproxy.errors import BadRequest
from trioproxy.judge.rules import UNRESOLVED, Decision, Policy, Reason
from trioproxy.limits.limit import NO_LIMITS, Limits, open_families
from trioproxy.limits.marks import BODIES, MARKED, read
from trioproxy.limits.objects import NO_OBJECTS, Objects
from trioproxy.quoting import quote
from trioproxy.steps import Steps, finish
from trioproxy.values import value_class

if TYPE_CHECKING:
    from trioproxy.api.arguments import Argument
    from trioproxy.api.decoding import Json
    from trioproxy.api.fields import Operation
    from trioproxy.judge.references import Named, Reference
    from trioproxy.limits.things import Known


@value_class
class Verdict:
    """A request as judged. A verdict is reused for every head with the same bytes."""

    request: Request
    decision: Decision
    operation: str
    """The Engine's name for it, or `unknown`."""
    section: str
    """The section variable that covers it; empty if none does."""
    agent: str
    """Product tokens of the client's user agent."""
    version: str
    """The API version that it names, or `unversioned`."""
    request_words: str
    """The request as words of a log line, each with a space before it."""
    decision_words: str
    """The decision in the same way."""
    asked: Asked | None = None
    """What it asks for, where that is limited or learned."""
    named: "Named | None" = None
    """What it names, where the Engine has to be asked what that is."""
    objects: Objects = NO_OBJECTS
    """By which objects were looked for in that."""
    volumes: frozenset[str] | None = None
    """What it relies on until it is answered, and is reserved; None: nothing is."""
    sent: Sent | None = None
    """What goes on, where it was read: with all edits. None: it goes on as it came."""
    unpacks: bool = False
    """Whether its body is a tar that is read, and written anew, as it passes."""

    def in_words(self) -> "Verdict":
        """The same without its body, and with less of what the Engine said.

        By what is left it can be judged again, and told of. Of what is under way, for
        weeks maybe, that is all that is held.
        """
        return replace(
            self,
            asked=self.asked and self.asked.in_words(),
            named=self.named and self.named.in_words(),
            volumes=None,
            sent=None,
        )

    def is_short(self, longest: int) -> bool:
        """Whether it is words alone, none of more characters than that."""
        return (
            self.asked is None
            and self.named is None
            and len(self.request.target.raw) <= longest
            and len(self.request.method) <= longest
            and len(self.decision.message) <= longest
            and len(self.agent) <= longest
        )

    def short(self, longest: int) -> "Verdict":
        """What can be told of it, no word of it longer; it cannot be judged again."""
        request, decision = self.request, self.decision
        return replace(
            self,
            request=Request(
                request.method[:longest], request.target.short(), request.endpoint
            ),
            decision=replace(decision, message=decision.message[:longest]),
            agent=self.agent[:longest],
            asked=None,
            named=None,
            volumes=None,
            sent=None,
        )

    @property
    def size(self) -> int:
        """Bytes that the words of its arguments take, and rather more."""
        arguments = self.asked.arguments if self.asked is not None else ()
        return sum(
            512 + 4 * (len(one.value) + len(one.place) + len(one.shown))
            for one in arguments
        )

    @property
    def is_unread(self) -> bool:
        """Whether its body has to be read before it can be decided."""
        return self.decision.reason is Reason.UNREAD

    @property
    def is_unresolved(self) -> bool:
        """Whether the Engine has to be asked what it names before it can be decided."""
        return self.decision.reason is Reason.UNRESOLVED

    @property
    def goes_on_as_judged(self) -> bool:
        """Whether it passes, and with the ids and labels of what was judged.

        What is only tried out changes nothing of what passes in spite of it.
        """
        return self.decision.allowed and not self.decision.would_refuse

    @property
    def needed(self) -> "tuple[Reference, ...]":
        """The names that the Engine has to be asked about."""
        return self.named.references if self.named is not None else ()


class Gate(Protocol):
    """What a connection asks before a request goes upstream."""

    @property
    def read_operations(self) -> frozenset[str]:
        """The operations whose arguments are read: those of all others never are."""
        ...

    def goes_by_names(self, argument: "Argument") -> bool:
        """Whether what may be an id, or a default, counts by what the Engine says of it."""
        ...

    @property
    def objects(self) -> Objects:
        """What requests may name; where nothing is limited, the Engine is asked nothing."""
        ...

    @property
    def looks_inside(self) -> bool:
        """Whether it counts what an object has, beside whose it is."""
        ...

    @property
    def limits_fills(self) -> bool:
        """Whether the Engine may fill no volumes but those that nobody else can have."""
        ...

    @property
    def unpacking(self) -> frozenset[str]:
        """The operations by which the Engine unpacks a tar, where no node may be in it."""
        ...

    @property
    def proxy_socket(self) -> str:
        """What goes on in place of an Engine's socket in binds; empty: nothing does."""
        ...

    @property
    def drops_nodes(self) -> bool:
        """Whether containers go on without the capability for device nodes."""
        ...

    @property
    def asks_to_learn(self) -> bool:
        """Whether the Engine is asked only to learn: what it does not tell passes, too."""
        ...

    @property
    def only_tries(self) -> bool:
        """Whether what the policy refuses passes all the same."""
        ...

    def decide(self, request: Request) -> Decision:
        """May this request pass by its route, and why?"""
        ...

    def limit(
        self, request: Request, asked: Asked | None, named: "Named | None"
    ) -> Decision | None:
        """Refuse a request, whose route may pass, by what it asks for and names."""
        ...

    def describe(self) -> str:
        """Name the mode and how much it opens, as words of the start line."""
        ...


UNREAD = Decision(
    allowed=False,
    reason=Reason.UNREAD,
    rule="",
    message="what it asks for is limited, and was not read",
)
"""Until its body is read, a limited request is refused."""


def judge(  # noqa: PLR0913  all that may be known of one request
    gate: Gate,
    method: str,
    raw_target: bytes,
    agent: str = "",
    *,
    body: "Json" = None,
    is_read: bool = False,
    asked: Asked | None = None,
) -> Verdict:
    """Judge one request; it goes upstream in the form judged here.

    `body`: as parsed, None if there is none. `is_read`: whether that is known; while it
    is not, and where it matters, the verdict refuses and is to be asked for again.
    `asked`: what `asking` said of them, if somebody has asked it already.
    Raises `BadRequest` where the Engine might read target or body otherwise.
    """
    target = Target.parse(raw_target)
    request = Request(method, target, match(method, target))
    decision, named = gate.decide(request), None
    operation = request.operation
    if decision.allowed and _is_looked_at(gate, operation, decision):
        if _has_body(gate, operation) and not is_read:
            decision = UNREAD
        else:
            if asked is None and _is_read(gate, operation):
                asked = finish(_asking(gate, operation, target, body))
            if asked is not None:
                asked = gate.objects.label(operation, asked)
            named = _name(gate, request, asked)
            decision = gate.limit(request, asked, named) or decision
    return Verdict(
        request=request,
        decision=decision,
        operation=operation,
        section=request.section or "",
        agent=agent,
        version=target.version.removeprefix("/v") or "unversioned",
        request_words=f" method={quote(method)} path={quote(target.shown)}",
        decision_words=_words(request, decision),
        asked=asked,
        named=named,
        objects=gate.objects,
        volumes=_reserved(gate, operation, asked, decision),
        sent=_sent(gate, request, decision, asked, named),
        unpacks=operation in gate.unpacking,
    )


def judge_resolved(gate: Gate, verdict: Verdict, known: "Known") -> Verdict:
    """Judge a request by what the Engine has under the names in it.

    What goes on holds the ids of what was judged in place of what the client wrote.
    """
    assert verdict.named is not None  # noqa: S101  that it is unresolved says so
    named = verdict.named._replace(known=known)
    verdict = replace(verdict, named=named)
    decision = judge_again(gate, verdict)
    words = _words(verdict.request, decision)
    return replace(
        verdict,
        decision=decision,
        decision_words=words,
        sent=_sent(gate, verdict.request, decision, verdict.asked, named),
    )


def judge_again(gate: Gate, verdict: Verdict, *, is_sent: bool = True) -> Decision:
    """Judge what is under way by a gate of now, by all that is known of it.

    `is_sent`: whether its whole body is at the Engine. A body that was not read, as
    nothing limited it then, is not here to be read: what of it is still to come could be
    anything, so such a request is refused. So is one that was read for its labels alone
    and is not here any more.
    """
    request, operation = verdict.request, verdict.operation
    decision = gate.decide(request)
    if decision.allowed and operation in gate.unpacking and not verdict.unpacks:
        return UNREAD
    if not decision.allowed or not _is_limited(gate, operation):
        return decision
    asked = verdict.asked
    if operation in gate.read_operations and (asked is None or not asked.is_whole):
        is_gone = asked is None or asked.is_told
        if is_gone and _has_body(gate, operation):
            return _unread(gate) if gate.objects or not is_sent else decision
        body = asked.body if asked is not None else None
        try:
            asked = finish(_asking(gate, operation, request.target, body))
        except BadRequest:
            return _unread(gate)  # it was read for its labels alone, and less strictly
    named = verdict.named and _need(gate, verdict.named)
    if gate.objects and (named is None or not named.has_objects):
        if asked is not None and asked.is_told:
            return _unread(gate)  # which objects its body names is not known any more
        named = _name(gate, request, asked)
    return gate.limit(request, asked, named) or decision


def _is_limited(gate: Gate, operation: str) -> bool:
    return operation in gate.read_operations or operation in gate.objects.operations


def _is_read(gate: Gate, operation: str) -> bool:
    """Whether more of it is read than its path: what it asks for, or its labels."""
    return operation in MARKED or operation in gate.read_operations


def _is_looked_at(gate: Gate, operation: str, decision: Decision) -> bool:
    """Whether there is more to it than its route.

    A creation that nothing limits is read to be marked. What is only tried out and would
    be refused goes on as it came, so that there is nothing to mark.
    """
    if operation in MARKED and not decision.would_refuse:
        return True
    return _is_limited(gate, operation)


def _has_body(gate: Gate, operation: str) -> bool:
    """Whether it has a body that is read."""
    if operation in MARKED:
        return operation in BODIES
    return operation in gate.read_operations and _row(operation).has_body


def _row(operation: str) -> "Operation":
    # Here, for most policies limit nothing, and who serves them need not carry the table.
    from trioproxy.api.fields import OPERATIONS

    return OPERATIONS[operation]


def asking(gate: Gate, method: str, raw_target: bytes, body: "Json") -> Steps[Asked]:
    """Tell what a request of a limited operation asks for, in steps.

    For `judge`, where a body is long. Raises `BadRequest` as that does.
    """
    target = Target.parse(raw_target)
    operation = Request(method, target, match(method, target)).operation
    # The Engine's decoder makes nothing of a null; the Ruby client commits with one, and
    # the Engine makes an image of that otherwise than of an empty object.
    if body is None and operation != "ImageCommit":
        body = {}
    return _asking(gate, operation, target, body)


def _asking(gate: Gate, operation: str, target: Target, body: "Json") -> Steps[Asked]:
    """Tell what it asks for; where nothing limits that, give the labels alone."""
    if operation not in gate.read_operations:
        return read(operation, target.query, body)
    # Here, for most policies limit nothing, and who serves them need not carry it.
    from trioproxy.api.arguments import Given, minor
    from trioproxy.api.reading import asking

    return (
        yield from asking(
            Given(
                operation=_row(operation),
                path=target.path,
                query=target.query,
                body=body,
                proxy_socket=gate.proxy_socket,
                drops_nodes=gate.drops_nodes,
                version=minor(target.version),
            )
        )
    )


def _name(gate: Gate, request: Request, asked: Asked | None) -> "Named | None":
    """Tell what a request names; None for nothing that could ever matter."""
    if not gate.objects and not (asked and (asked.named or asked.of_defaults)):
        return None
    from trioproxy.judge.references import find

    found = find(
        request.operation,
        request.parameter,
        request.target.query,
        asked,
        objects=bool(gate.objects),
        filled=gate.limits_fills,
    )
    return _need(gate, found)


def _unread(gate: Gate) -> Decision:
    if gate.only_tries:
        return replace(UNREAD, allowed=True, would_refuse=True)
    return UNREAD


def _need(gate: Gate, named: "Named") -> "Named":
    """Tell which of the names the Engine has to be asked about."""
    return named._replace(
        references=tuple(
            one
            for one in named.candidates
            if (
                gate.goes_by_names(one.argument)
                if one.argument
                else gate.objects or (one.fills and gate.limits_fills)
            )
        )
    )


def _sent(
    gate: Gate,
    request: Request,
    decision: Decision,
    asked: Asked | None,
    named: "Named | None",
) -> Sent | None:
    """Apply all edits to what was judged and passes; None: it goes on as it came.

    What is only tried out changes nothing of what passes in spite of it. And learning
    lets pass what no list can allow, which has no form to be written in.
    """
    if not decision.allowed or decision.would_refuse or not (asked or named):
        return None
    asked = asked or Asked((), never="", body=None, query=request.target.query)
    if asked.never:
        return None
    edits = list[Edit]()
    if gate.limits_fills and asked.body is not None:
        from trioproxy.judge import fills

        if request.operation == fills.CREATION:
            edits += fills.keep_unfilled(asked.body, named.known if named else {})
    return asked.sent((*edits, *(named.pinned() if named else ())))


def _reserved(
    gate: Gate, operation: str, asked: Asked | None, decision: Decision
) -> frozenset[str] | None:
    """Name the volumes that are reserved for a request which may pass."""
    may_pass = decision.allowed or decision.reason is Reason.UNRESOLVED
    if asked is None or not gate.limits_fills or not may_pass:
        return None
    from trioproxy.judge import fills

    return fills.reserved(operation, asked.body)


def _words(request: Request, decision: Decision) -> str:
    words = (
        f" operation={request.operation}"
        f" decision={decision.word} reason={decision.reason}"
    )
    if decision.reason in {Reason.ARGUMENT, Reason.OBJECT}:
        words += f" variable={decision.rule or 'none'}"
    return words


UNPACKING = frozenset(
    one.operation
    for one in ENDPOINTS
    if one.files is Files.UNPACKS and not one.is_podmans
)
"""By what the Engine unpacks a tar into a container: as root, and makes the nodes in it."""


def _unpacking(limits: Limits) -> frozenset[str]:
    # A container that lacks MKNOD and devices would have the disk by a node that is sent.
    return UNPACKING if limits.limits_creation else frozenset()


def _extent(policy: Policy) -> str:
    """How much a policy opens, and the families of which requests may ask for anything."""
    opened = policy.opened_operations
    families = ",".join(open_families(policy.limits, opened))
    return f"operations={len(opened)}{' unlimited=' * bool(families)}{families}"


class _GateOfPolicy:
    """What all gates share that ask one policy."""

    only_tries = False

    def __init__(self, policy: Policy, *, source: str = "environment") -> None:
        self.policy = policy
        self.source = source
        # Looked up here once, and not with each request: a policy does not change.
        self.read_operations = policy.read_operations
        self.objects = policy.objects
        self.looks_inside = policy.limits.limits_creation
        # What is only tried out keeps nobody waiting, and fills what is filled without it.
        self.limits_fills = policy.limits.limits_creation and not self.only_tries
        self.proxy_socket = policy.limits.proxy_socket
        self.drops_nodes = policy.drops_nodes
        self.asks_to_learn = False
        self.unpacking = _unpacking(NO_LIMITS if self.only_tries else policy.limits)

    def goes_by_names(self, argument: "Argument") -> bool:
        """Answer as the policy does."""
        return self.policy.limits.goes_by_names(argument)


class EnforceGate(_GateOfPolicy):
    """Lets pass what the policy allows."""

    def decide(self, request: Request) -> Decision:
        """Answer as the policy does."""
        return self.policy.decide(request)

    def limit(
        self, request: Request, asked: Asked | None, named: "Named | None"
    ) -> Decision | None:
        """Answer as the policy does."""
        return self.policy.limit(request, asked, named)

    def describe(self) -> str:
        """Mode, number of open operations, and what of them nothing limits."""
        return f"mode={self.policy.mode} {_extent(self.policy)} source={self.source}"


class LearnGate:
    """Lets everything pass that a ceiling, if there is one, allows.

    `objects`: how objects are looked at while they are learned. What is the client's own
    is known by its label, so what it makes meanwhile is labelled as it will be later.
    `proxy_socket`: what goes on in place of an Engine's socket in binds, likewise.
    """

    only_tries = False

    def __init__(
        self,
        ceiling: Policy | None = None,
        *,
        learns_arguments: bool = True,
        objects: Objects = NO_OBJECTS,
        proxy_socket: str = "",
    ) -> None:
        self.ceiling = ceiling
        self.read_operations = ceiling.read_operations if ceiling else frozenset[str]()
        """Those that can be limited; only those of the ceiling if routes alone are learned."""
        if learns_arguments:
            self.read_operations |= frozenset(LIMITED)
        limits = ceiling.limits if ceiling else NO_LIMITS
        self.objects = ceiling.objects if ceiling and ceiling.objects else objects
        self.read_operations |= self.objects.reads
        self.asks_to_learn = not (ceiling and ceiling.objects)
        self.looks_inside = limits.limits_creation
        self.limits_fills = limits.limits_creation
        self.unpacking = _unpacking(limits)
        self.proxy_socket = limits.proxy_socket or proxy_socket
        self.drops_nodes = ceiling is not None and ceiling.drops_nodes
        self._learns_arguments = learns_arguments

    def decide(self, request: Request) -> Decision:
        """Refuse only what the ceiling refuses."""
        if self.ceiling is not None:
            decision = self.ceiling.decide(request)
            if not decision.allowed:
                return replace(decision, reason=Reason.CEILING)
        return Decision(allowed=True, reason=Reason.LEARNING, rule="learn")

    def limit(
        self, request: Request, asked: Asked | None, named: "Named | None"
    ) -> Decision | None:
        """Refuse only what the ceiling refuses, and what has not been looked up yet."""
        if self.ceiling is not None:
            judged = named if self.ceiling.objects or not named else named.of_images
            refusal = self.ceiling.limit(request, asked, judged)
            if refusal is not None:
                return refusal
        return UNRESOLVED if named and named.is_unresolved else None

    def goes_by_names(self, argument: "Argument") -> bool:
        """Each id does, if arguments are learned: ids are others on each machine."""
        if self._learns_arguments or self.ceiling is None:
            return self._learns_arguments
        return self.ceiling.limits.goes_by_names(argument)

    def describe(self) -> str:
        """Mode, and how much may be learned at most."""
        if self.ceiling is None:
            return "mode=learn within=everything"
        return f"mode=learn within={self.ceiling.operations_count} operations"


class ShadowGate(_GateOfPolicy):
    """Lets everything pass, and says what the policy would refuse.

    Only refusals of the policy are lifted: what is ambiguous was refused before.
    """

    only_tries = True

    def decide(self, request: Request) -> Decision:
        """Allow it, with the policy's own answer attached."""
        decision = self.policy.decide(request)
        if decision.allowed:
            return decision
        return replace(decision, allowed=True, would_refuse=True)

    def limit(
        self, request: Request, asked: Asked | None, named: "Named | None"
    ) -> Decision | None:
        """Allow it, with the policy's own answer attached."""
        refusal = self.policy.limit(request, asked, named)
        if refusal is None or refusal.reason is Reason.UNRESOLVED:
            return refusal
        if refusal.is_answered:
            return None  # the Engine says that itself
        return replace(refusal, allowed=True, would_refuse=True)

    def describe(self) -> str:
        """Mode, and how much the policy would leave open."""
        return f"mode=shadow {_extent(self.policy)} source={self.source}"
