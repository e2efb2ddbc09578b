"""The gate: may this request pass, and in which form?

`judging` takes one request from its route to a verdict, once. It is a generator that
needs nothing but values: what it cannot know it asks for, by yielding a need, and is sent
the answer. So it knows of no socket, file or clock, and whoever drives it does what has
to be waited for. In this order:

    the route              refused here: nothing else is read
    `NeedRaw`              where answers are redacted, and what was must not be written back
    `NeedBody`             where what it asks for is judged, or it is marked
    what it asks for       refused here: nobody is asked
    `NeedReserved`         where the Engine fills volumes by it
    `NeedThings`           where it names what the Engine alone can tell
    what it names
    `NeedMade`             where it makes volumes on the way
    `NeedListed`           where it prunes: what of that it could have named is removed
    the form that goes on  with the ids and labels of what was judged

It ends in `Passes` or `Refused`. There is no verdict that is half done, and nothing that
could take one for a refusal, or send it on. What is under way is judged by a policy of
now in the same way, with answers that were kept (`judge.replay`).
"""

from collections.abc import Generator, Mapping
from dataclasses import field, replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from trioproxy.api.arguments import Argument, Given, minor
from trioproxy.api.decoding import Json
from trioproxy.api.edits import Edit, Sent
from trioproxy.api.families import REDACT_VARIABLE, Kind
from trioproxy.api.fields import ARGUED
from trioproxy.api.form import Asked
from trioproxy.api.matched import Request
from trioproxy.api.reading import asking
from trioproxy.api.redaction import MARKER, holds_marker
from trioproxy.api.routes import ENDPOINTS, LIMITED, Effect, Files, Touch, row_of
from trioproxy.errors import BadRequest
from trioproxy.judge import fills
from trioproxy.judge.guard import JOINING, Guard, refuses_body, refuses_route
from trioproxy.judge.naming import Judge, by_list, not_there
from trioproxy.judge.pruning import Listed, Prune, Removal, Removals, prune_of
from trioproxy.judge.references import RENAMING, Named, Reference, find
from trioproxy.judge.rules import BY_LISTS, UNRESOLVED, Decision, Policy, Reason, refuse
from trioproxy.judge.showing import Showing, showings
from trioproxy.limits.inspected import REACHED
from trioproxy.limits.limit import NO_LIMITS, Limits, open_families
from trioproxy.limits.marks import BODIES, MARKED, mark, read
from trioproxy.limits.objects import NO_OBJECTS, Objects, of_owner
from trioproxy.limits.sorts import listable
from trioproxy.limits.things import Known, Missing, Thing
from trioproxy.values import ordered_class, settle, value_class

# --- What is needed, and what comes of it -----------------------------------------


@ordered_class
class NeedBody:
    """The body: a `ParsedBody`, or None where there turns out to be none."""


@ordered_class
class NeedRaw:
    """The body as it came: bytes, or None where there turns out to be none, or no more."""


@ordered_class
class NeedReserved:
    """These volumes, for nobody else until the Engine has answered: None."""

    volumes: frozenset[str]


@ordered_class
class NeedThings:
    """What the Engine has under these names: `Known`."""

    references: tuple[Reference, ...]


@ordered_class
class NeedMade:
    """The volumes that are not there yet, as the client's own: `Known`, all of it."""


@ordered_class
class NeedListed:
    """What the Engine has of what a prune may remove: `Listed`, or `Missing`."""

    prune: Prune


class ParsedBody(NamedTuple):
    """A body as parsed."""

    value: Json


class Kept(NamedTuple):
    """What is left of a body that was judged, and went on."""

    asked: Asked
    named: Named | None


@ordered_class
class Refused:
    """It goes nowhere."""

    decision: Decision
    asked: Asked | None = None
    """What it asks for, if that was read."""
    named: Named | None = None
    """What it names, where that counts."""


@ordered_class
class Passes:
    """It goes on, in this form and no other."""

    decision: Decision
    sent: Sent | None = None
    """With all edits; None: it was not read, or changes nothing, and goes on as it came."""
    asked: Asked | None = None
    named: Named | None = None
    showing: Showing | None = None
    """What of the answer is shown; None: it goes on as it comes."""
    removals: Removals | None = None
    """A prune goes on as these deletes, and not as it came."""


Need = NeedBody | NeedRaw | NeedReserved | NeedThings | NeedMade | NeedListed
Answer: TypeAlias = "ParsedBody | Kept | Known | Listed | Missing | bytes | None"
Found = Passes | Refused
Judging = Generator[Need | None, Any, Found]
"""One request that is being judged. None: others may have a turn."""


def go_on(judging: Judging, answer: Answer = None) -> Need | Found | None:
    """Judge on, with the answer to what was needed, up to the next need or the end.

    Raises `BadRequest` where the Engine might read something otherwise.
    """
    try:
        return judging.send(answer)
    except StopIteration as over:
        found: Found = over.value
        return found


# --- The gate ---------------------------------------------------------------------


@ordered_class
class Form:
    """What a gate decides of how requests go on, and their answers, whatever is in them."""

    # A verdict keeps the form in which its request went on. After a reload a creation whose body is still on its way
    # passes only if the gate of now would send it in the same form (`replay._goes_on_as_now`): one that is half sent
    # with `MKNOD`, or with another owner's label, cannot be called back. Lists are not compared, for what they say is
    # judged anew.
    drops_nodes: bool
    """Whether containers go on without the capability for device nodes."""
    limits_fills: bool
    """Whether the Engine may fill no volumes but those that nobody else can have, and
    unpack no nodes. What is only tried out changes nothing, and keeps nobody waiting."""
    proxy_socket: str
    """What goes on in place of an Engine's socket in binds; empty: nothing does."""
    owner: str
    network: str
    objects: Objects = field(compare=False)
    """By which objects were looked for in requests."""
    conceals: bool = field(compare=False)
    """Whether errors of the Engine tell nothing of what is not listed."""
    looks_at_tars: bool = field(compare=False)
    """Whether what is unpacked is looked at, to learn, and goes on as it came."""

    def unpacks(self, operation: str) -> bool:
        """Whether a body is a tar that is read, and written anew, as it passes."""
        return self.limits_fills and operation in UNPACKING

    def reads_tar(self, operation: str) -> bool:
        """Whether a body is a tar that is read as it passes."""
        is_looked_at = self.limits_fills or self.looks_at_tars
        return is_looked_at and operation in UNPACKING


NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_AT_ONCE: Final = 64
"""Things that are judged between two turns of others."""

UNPACKING: Final = frozenset(
    one.operation
    for one in ENDPOINTS
    if one.files is Files.UNPACKS and not one.is_podmans
)
"""By what the Engine unpacks a tar into a container: as root, and makes the nodes in it."""


@value_class
class Gate:
    """A policy at work, and how: enforced, tried out, or as the ceiling of learning."""

    # A gate has lists of objects in three places, which are the same where it enforces.
    # `policy.objects` refuses: it is the only one by which a request ends. `objects` says what is
    # looked for in requests, so that there is something to judge, to learn or to mark: while
    # learning without a ceiling that has lists, these are the client's own, and nothing is
    # refused by them. `narrows` says what prunes remove and errors tell, as `showings`, which
    # are made of the same lists, do of other answers: of a policy that is only tried out that
    # is all, while a client that learns as if it were alone has its own without any list. To
    # take one for another fails open, or changes what a shadow must leave as it is.

    policy: Policy | None
    """None: there is no ceiling, and all passes."""
    source: str = "environment"
    ending: str = ""
    """Of what is refused: the command that asks a person about it, or whose list it is."""
    only_tries: bool = False
    """Whether what the policy refuses passes all the same. What is ambiguous does not."""
    learns: bool = False
    learns_arguments: bool = False
    objects: Objects = NO_OBJECTS
    """What is looked for in requests; where it is nothing, the Engine is asked nothing."""
    is_alone: bool = False
    """Whether answers show the client its own while it is learned, and nothing of others."""
    proxy_socket: str = ""
    """What goes on in place of an Engine's socket in binds, unless the policy says that."""
    audits: bool = False
    """Whether creations are read for the log, too, where nothing limits what they ask for."""
    guard: Guard | None = None
    """What no client may do where others are known by their containers; None: they are not."""
    read_operations: frozenset[str] = field(init=False)
    """The operations whose arguments are read: those of all others never are."""
    limits: Limits = field(init=False)
    hides: bool = field(init=False)
    """Whether answers are redacted."""
    narrows: Objects = field(init=False)
    """What prunes remove, and errors tell, and nothing else."""
    knows_built: bool = field(init=False)
    """Whether it counts which images were built: answers of builds are read for that."""
    asks_to_learn: bool = field(init=False)
    """Whether the Engine is asked only to learn: what it does not tell passes, too."""
    showings: Mapping[str, Showing] = field(init=False)
    """How answers are shown, by operation."""
    tried: Mapping[str, Showing] = field(init=False)
    """How they would be, by a policy that is only tried out, where that may hide strangers."""
    form: Form = field(init=False)

    def __post_init__(self) -> None:
        policy = self.policy
        limits = policy.limits if policy else NO_LIMITS
        read_operations = policy.read_operations if policy else frozenset[str]()
        if self.learns_arguments:
            read_operations |= frozenset(LIMITED)
        # Looked up here once, and not with each request: a policy does not change.
        narrows, showings, tried = self._narrowing()
        settle(
            self,
            read_operations=read_operations | self.objects.reads,
            limits=limits,
            hides=bool(policy and policy.hides),
            knows_built=self.learns_arguments or limits.lists_built,
            showings=showings,
            tried=tried,
            narrows=narrows,
            asks_to_learn=self.learns and not (policy and policy.objects),
            form=Form(
                drops_nodes=policy is not None and policy.drops_nodes,
                limits_fills=limits.limits_creation and not self.only_tries,
                proxy_socket=limits.proxy_socket or self.proxy_socket,
                owner=self.objects.owner,
                network=self.objects.network,
                objects=self.objects,
                conceals=any(map(narrows.limits, (Kind.CONTAINER, Kind.NETWORK))),
                looks_at_tars=self.learns_arguments,
            ),
        )

    def _narrowing(
        self,
    ) -> "tuple[Objects, Mapping[str, Showing], Mapping[str, Showing]]":
        """What `narrows`, how answers are shown, and how they would be if they were."""
        policy = self.policy
        if self.is_alone and not (policy and policy.objects):
            own, hides = of_owner(self.objects.owner), policy.hides if policy else None
            return own, showings(own, hides or frozenset()), NOTHING
        if policy is None:
            return NO_OBJECTS, NOTHING, NOTHING
        if not self.only_tries:
            return policy.objects, policy.showings, NOTHING
        told = ((name, one) for name, one in policy.showings.items() if one.narrows)
        tried = {name: replace(one, redaction=None) for name, one in told}
        return NO_OBJECTS, NOTHING, tried

    @classmethod
    def enforcing(
        cls, policy: Policy, *, source: str = "environment", approve: str = ""
    ) -> "Gate":
        """Let pass what the policy allows."""
        asks = f"; {approve} # asks about it" if approve else ""
        return cls(policy=policy, source=source, ending=asks, objects=policy.objects)

    @classmethod
    def trying(cls, policy: Policy, *, source: str = "environment") -> "Gate":
        """Let everything pass, and say what the policy would refuse."""
        return cls(
            policy=policy, source=source, objects=policy.objects, only_tries=True
        )

    @classmethod
    def learning(
        cls,
        ceiling: Policy | None = None,
        *,
        learns_arguments: bool = True,
        objects: Objects = NO_OBJECTS,
        proxy_socket: str = "",
        is_alone: bool = False,
    ) -> "Gate":
        """Let everything pass that a ceiling, if there is one, allows.

        `objects`: how objects are looked at while they are learned. What is the client's
        own is known by its label, so what it makes meanwhile is labelled as it will be
        later. `proxy_socket`: what goes on in place of an Engine's socket, likewise.
        `is_alone`: lists and events show it nothing else meanwhile.
        """
        return cls(
            policy=ceiling,
            ending="; so says the ceiling (--within)",
            learns=True,
            learns_arguments=learns_arguments,
            objects=ceiling.objects if ceiling and ceiling.objects else objects,
            proxy_socket=proxy_socket,
            is_alone=is_alone,
        )

    def decide(self, request: Request) -> Decision:
        """May this request pass by its route, and why?"""
        if self.policy is None:
            return _LEARNS
        decision = self.policy.decide(request)
        if self.learns:
            if decision.allowed:
                return _LEARNS
            message = decision.message + self.ending
            return replace(decision, reason=Reason.CEILING, message=message)
        if decision.allowed:
            guarded = refuses_route(self.guard, request) if self.guard else None
            return self.says(guarded) if guarded else decision
        # Of a route that no table has nothing is kept by which it could be listed.
        return self.says(decision, is_known=request.endpoint is not None)

    def says(self, refusal: Decision, *, is_known: bool = True) -> Decision:
        """What becomes of what the policy refuses: it is refused, or told of."""
        if self.only_tries:
            return replace(refusal, allowed=True, would_refuse=True)
        if self.ending and is_known and refusal.rule and _is_asked_about(refusal):
            return replace(refusal, message=refusal.message + self.ending)
        return refusal

    def looks_at(self, operation: str, decision: Decision) -> bool:
        """Whether there is more to a request than its route.

        A creation that nothing limits is read to be marked. What is only tried out and
        would be refused goes on as it came, so that there is nothing to mark.
        """
        if operation in MARKED and not decision.would_refuse:
            return True
        if self.guards(operation) or (self.guard and operation == RENAMING):
            return True
        return operation in self.read_operations or operation in self.objects.operations

    def guards(self, operation: str) -> bool:
        """Whether a body is read to see which networks it joins."""
        return self.guard is not None and operation in JOINING

    def goes_by_names(self, argument: Argument) -> bool:
        """Whether what may be an id, or a default, counts by what the Engine says of it.

        Each does, if arguments are learned: ids are others on each machine.
        """
        return self.learns_arguments or self.limits.goes_by_names(argument)

    def needs(self, one: Reference) -> bool:
        """Whether the Engine is asked what something is that a request names."""
        if one.argument is not None:
            return self.goes_by_names(one.argument)
        is_filled = one.fills and self.form.limits_fills
        return bool(self.objects) or is_filled or one.renamed is not None

    def prunes(self, operation: str) -> Kind | None:
        """The kind of what a prune removes of which not all is listed.

        What is only tried out changes nothing: then a prune goes on as it came.
        """
        row = row_of(operation)
        if row is None or row.touch is not Touch.PRUNES or row.kind is None:
            return None
        return row.kind if self.narrows.limits(row.kind) else None

    def describe(self) -> str:
        """Name the mode and how much it opens, as words of the start line."""
        policy = self.policy
        assert policy is not None  # noqa: S101  who learns has no such line
        opened = policy.opened_operations
        families = ",".join(open_families(policy.limits, opened))
        unlimited = f" unlimited={families}" if families else ""
        mode = "shadow" if self.only_tries else policy.mode
        return f"mode={mode} operations={len(opened)}{unlimited} source={self.source}"


ASKED_ABOUT: Final = BY_LISTS | {
    *(Reason.OPERATION, Reason.UNCONFINED, Reason.UNLIMITABLE)
}
"""Of what is refused for these reasons a person is asked whether the file should list it."""


def _is_asked_about(refusal: Decision) -> bool:
    if refusal.reason not in BY_LISTS:
        return refusal.reason in ASKED_ABOUT
    # Of what no list can hold (a namespace that is none, what has no name) nothing is kept to ask about, nor of what
    # has no item (what a container lacks that is made anew), or of what an exec of somebody else runs.
    if refusal.reason is Reason.OBJECT and refusal.rule not in REACHED:
        return refusal.unlisted_name != ""
    return listable(refusal.rule, refusal.item) != ""


_LEARNS: Final = Decision(allowed=True, reason=Reason.LEARNING, rule="learn")


# --- The judging ------------------------------------------------------------------


# The order is part of what is decided. A refusal by the route reads no body, and one by what is asked for asks the
# Engine nothing: so nobody learns of a stranger's container by asking for more than he may have, and who is refused is
# no work for the Engine. Volumes are reserved before the Engine is asked about them, and until it has answered the
# request: between its word that no container has one and the end of the copy nobody else may get it (`fills`). What is
# made on the way is made last, when nothing but the answer to that can refuse. And nothing is changed before `_form`:
# each step looks at the request as it was read, so that their order can let nothing pass that was not judged.
def judging(gate: Gate, request: Request, *, has_body: bool) -> Judging:
    """Judge one request. `has_body`: whether its head announces one.

    Raises `BadRequest` where the Engine might read it otherwise.
    """
    operation, decision = request.operation, gate.decide(request)
    decision = (
        (yield from _unmarked(gate, request, decision, has_body))
        if gate.hides
        else decision
    )
    if not decision.allowed:
        return Refused(decision)
    showing = gate.showings.get(operation)
    if gate.looks_at(operation, decision):
        asked, named = yield from _read(gate, request, has_body=has_body)
    else:
        asked = None
        named = showing.names(request.target.query) if showing is not None else None
        if named is None:
            return _to_be_shown(showing, request, Passes(decision))
    refusal = _by_what_it_asks(gate, operation, asked, named)
    if refusal is None and asked is not None and gate.form.limits_fills:
        volumes = fills.reserved(operation, asked.body)
        if volumes is not None:
            yield NeedReserved(volumes)
    if refusal is None and named is not None:
        makes = not decision.would_refuse
        named, refusal = yield from _by_what_it_names(gate, operation, named, makes)
    removals = None
    if refusal is None and (kind := gate.prunes(operation)):
        removals, refusal = yield from _by_what_there_is(gate, request, kind)
    # What the Engine does not have, it tells the client of a shadow itself.
    if refusal is not None and not (gate.only_tries and refusal.is_answered):
        decision = gate.says(refusal)
    if not decision.allowed:
        return Refused(decision, asked, named)
    form = _form(gate, request, decision, asked, named)
    passes = Passes(decision, form, asked, named, removals=removals)
    return _to_be_shown(showing, request, passes)


def _to_be_shown(showing: Showing | None, request: Request, passes: Passes) -> Passes:
    """Have an answer narrowed, without a limit, by which the Engine counts strangers too."""
    if showing is None:
        return passes
    sent = passes.sent or Sent("", request.target.query, None)
    showing, query = showing.asked(sent.query)
    if query != sent.query:
        passes = replace(passes, sent=sent._replace(query=query))
    return replace(passes, showing=showing)


def _unmarked(
    gate: Gate, request: Request, decision: Decision, has_body: bool
) -> Generator[NeedRaw, bytes | None, Decision]:
    """Refuse what was made of an answer that was redacted, and would pass."""
    endpoint = request.endpoint
    if not decision.allowed or decision.would_refuse:
        return decision
    if endpoint is None or endpoint.effect is not Effect.WRITE:
        return decision
    # The bytes as they came, before any table reads them: a service or a config, of which no table here knows the
    # fields, can be written back with the marker in it as well as a container can.
    is_held = holds_marker(request.target.query)
    if not is_held and has_body and endpoint.takes_definitions:
        raw = yield NeedRaw()
        is_held = raw is not None and holds_marker(raw)
    if not is_held:
        return decision
    message = f"{request.operation} has {MARKER} in it, which stands for what {REDACT_VARIABLE} hides: it would be written in place of that, so send the value itself"
    return gate.says(refuse(Reason.REDACTED, REDACT_VARIABLE, message))


def _read(
    gate: Gate, request: Request, *, has_body: bool
) -> Generator[
    NeedBody | None, ParsedBody | Kept | None, tuple[Asked | None, Named | None]
]:
    """Read what a request asks for, and what it names.

    Where nothing limits what it asks for, its labels alone are looked at.
    """
    operation, target = request.operation, request.target
    # Two strictnesses. What is limited or learned is read by the tables as a whole: what they do not know is asked for
    # by its name, and what has no one reading is refused. A creation that nothing limits is read for its labels alone,
    # and all else in it goes on as it came: no request fails for a field of which no list speaks.
    is_judged = operation in gate.read_operations
    is_read = operation in BODIES or gate.guards(operation)
    if not is_judged and operation not in MARKED and not is_read:
        return None, _name(gate, request, None)
    row, body = ARGUED[operation], None
    if has_body and (row.has_body if is_judged else is_read):
        answer = yield NeedBody()
        if isinstance(answer, Kept):
            named = answer.named and _need(gate, answer.named)
            return answer.asked, named or _name(gate, request, answer.asked)
        # The Engine's decoder makes nothing of a null; the Ruby client commits with one,
        # and the Engine makes an image of that otherwise than of an empty object.
        is_null = answer is not None and answer.value is None
        body = {} if is_null and operation != "ImageCommit" else answer and answer.value
    given = Given(
        operation=row,
        path=target.path,
        query=target.query,
        body=body,
        proxy_socket=gate.form.proxy_socket,
        drops_nodes=gate.form.drops_nodes,
        version=minor(target.version),
    )
    if is_judged:
        asked = yield from asking(given)
    else:
        asked = read(target.query, body)
        if gate.audits and operation in MARKED:
            asked = asked._replace(told=(yield from _told(given)))
    yield None
    asked = mark(operation, asked, gate.objects.owner)
    return asked, _name(gate, request, asked)


def _told(given: Given) -> Generator[None, Any, tuple[Argument, ...]]:
    """What a creation asks for; of what cannot be read nothing, for it is not judged."""
    try:
        asked = yield from asking(given)
    except BadRequest:
        return ()
    return asked.arguments


def _name(gate: Gate, request: Request, asked: Asked | None) -> Named | None:
    """Tell what a request names; None for nothing that could ever matter."""
    is_naming = asked and (asked.named or asked.of_defaults)
    is_guarded = gate.guard and request.operation == RENAMING
    if not (gate.objects or is_guarded or is_naming):
        return None
    found = find(request, asked, gate.objects, filled=gate.form.limits_fills)
    return _need(gate, found)


def _need(gate: Gate, named: Named) -> Named:
    """Tell which of the names the Engine has to be asked about."""
    return named._replace(references=tuple(filter(gate.needs, named.candidates)))


def _by_what_it_asks(
    gate: Gate, operation: str, asked: Asked | None, named: Named | None
) -> Decision | None:
    """Refuse a request that asks for, or makes, what is not listed, or is guarded."""
    policy, refusal = gate.policy, None
    if gate.guard is not None and asked is not None:
        refusal = refuses_body(gate.guard, operation, asked.body)
    if refusal is not None or policy is None:
        return refusal
    if asked is not None:
        # By an id nothing is asked for: that is what the Engine has under it.
        by_id: frozenset[Argument] = named.arguments if named else frozenset()
        one = policy.limits.refuses(operation, asked, by_id)
        if one is not None:
            return by_list(one, Reason.ARGUMENT)
        if asked.claims:
            return refuse(Reason.OBJECT, "", f"{operation} gives {asked.claims}")
    if operation in policy.objects.operations:
        return by_list(policy.objects.refuses_making(operation, asked))
    return None


def _by_what_it_names(
    gate: Gate, operation: str, named: Named, makes: bool
) -> Generator[NeedThings | NeedMade, Known, tuple[Named, Decision | None]]:
    """Refuse a request that names what is not listed, by what the Engine has there.

    The Engine is asked about all of them at once, when the first has to be known.
    `makes`: whether volumes are made that are not there. Only then it says whose they
    are, for somebody else may have made them meanwhile: so they are judged once more.
    """
    # In the order of the references, up to the first that is refused: the same request gets the same message each time.
    # A name that the request itself explains (`bridge`) costs no question, and all others together cost one.
    judge = None
    if policy := gate.policy:
        judge = Judge(policy.limits, policy.objects, operation, policy.drops_nodes)
    for one in named.references:
        thing = named.thing_of(one)
        if thing is None:
            named = named._replace(known=(yield NeedThings(named.references)))
            thing = named.thing_of(one)
            if thing is None:
                return named, UNRESOLVED
        refusal = judge.refuses(one, thing, named.known) if judge else None
        if not refusal and gate.guard and one.renamed and isinstance(thing, Thing):
            refusal = gate.guard.refuses_renaming(thing)
        if refusal is not None:
            return named, refusal
    # Only what passed has volumes made: a refusal leaves nothing behind. The Engine gives back what it has under a
    # name, whatever options a creation sends, so a volume that somebody else made meanwhile comes back as his, and is
    # refused.
    there = named.known.values()
    if makes and any(isinstance(one, Thing) and one.makes is not None for one in there):
        named = named._replace(known=(yield NeedMade()))
        return (yield from _by_what_it_names(gate, operation, named, makes=False))
    return named, None


def _by_what_there_is(
    gate: Gate, request: Request, kind: Kind
) -> Generator[
    NeedListed | None, Listed | Missing, tuple[Removals | None, Decision | None]
]:
    """Tell what a prune removes: of what there is what the request could have named.

    Raises `BadTarget` for a filter that is not clear.
    """
    target, operation = request.target, request.operation
    prune = prune_of(kind, target.version, target.query, gate.narrows)
    listed = yield NeedListed(prune)
    if isinstance(listed, Missing):
        return None, not_there(listed)
    judge = Judge(gate.limits, gate.narrows, operation, gate.form.drops_nodes)
    each = list[Removal]()
    for number, thing in enumerate(listed.things, start=1):
        if not number % _AT_ONCE:
            yield None
        if judge.refuses(Reference(kind, thing.id, ""), thing, {}) is None:
            each.append(listed.prune.removal(thing))
    return Removals(listed.prune, tuple(each)), None


def _form(
    gate: Gate,
    request: Request,
    decision: Decision,
    asked: Asked | None,
    named: Named | None,
) -> Sent | None:
    """Apply all edits to what was judged and passes; None: it goes on as it came.

    What is only tried out changes nothing of what passes in spite of it; and learning
    lets pass what no list can allow, which has no form to be written in.
    """
    if decision.would_refuse or not (asked or named):
        return None
    asked = asked or Asked((), never="", body=None, query=request.target.query)
    if asked.never:
        return None
    edits: list[Edit] = []
    is_creation = request.operation == fills.CREATION and asked.body is not None
    if gate.form.limits_fills and is_creation:
        edits += fills.keep_unfilled(asked.body, named.known if named else {})
    return asked.sent((*edits, *(named.pinned() if named else ())))
