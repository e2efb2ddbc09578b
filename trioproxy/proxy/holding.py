"""A refused request that is held: what would let it pass, the question, and what becomes of it.

    what was allowed for an hour   it is judged with that, and passes
    its body is read, whole        what is not read whole is not asked about
    what would let it pass         judged again with what was refused added, until it passes
    the question                   `Asking`; nothing was reserved, made or sent for it
    the answer                     judged once more, with all that is answered now

The last step is what counts. It judges the very bytes that were read before the question was
put, by the policy of now and with what the person allowed, and the form that comes of that
must be the one that was shown: same path, same query, same body, same ids. If the Engine has
something else under a name by now, the request stays refused.

Whatever goes wrong on the way, the refusal stands, in the words that it had. A reload in the
middle begins all of it anew, by the new policy and within the same time.
"""

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import trio

from trioproxy.api.edits import Json
from trioproxy.api.families import LIMITS, OPERATIONS_VARIABLE
from trioproxy.api.routes import OPERATIONS, Endpoint, Files, Stream
from trioproxy.errors import BadRequest, ClientLost, ConfigError, UpstreamError
from trioproxy.http.framing import NO_BODY
from trioproxy.http.hosts import marks_browser
from trioproxy.judge.gate import ASKED_ABOUT, Gate, Passes, Refused
from trioproxy.judge.rules import Decision, Mode, Reason
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY, NOTHING
from trioproxy.limits.sorts import NOT_KEPT, listable
from trioproxy.proxy.admission import Admission, Admitted
from trioproxy.proxy.asking import (
    MOST_HELD,
    MOST_OF_CLIENT,
    NOES,
    Asking,
    Outlined,
    Question,
    Said,
)
from trioproxy.proxy.bodies import parse
from trioproxy.proxy.hours import Allowed, Whose
from trioproxy.proxy.readable import LONGEST_TOLD, told_of

if TYPE_CHECKING:
    from trioproxy.proxy.connection import Connection

MOST_GRANTS: Final = 16
"""What one question may add to a file: more than that nobody reads."""

STREAMED: Final = frozenset(
    {Stream.UPLOAD, Stream.UPLOAD_FOLLOW, Stream.H2C, Stream.WEBSOCKET}
)
"""What follows such a head is not read whole."""


class Held:
    """One refused request."""

    def __init__(
        self,
        connection: "Connection",
        asking: Asking,
        refused: Admitted,
        body: bytes | None,
    ) -> None:
        """`body`: as it came, if it was read already."""
        self._connection = connection
        self._asking = asking
        self._hours = asking.hours
        self._refused = refused
        self._body = body
        self._admission = connection.admission
        self._gate = connection.admission.gate
        """By which it was refused."""
        self._who = Whose.of(connection.admission.client, connection.client)

    async def run(self, head: bytes) -> Admitted:
        """Have it pass, or stay refused. Raises `ClientLost`."""
        hours, refused = self._hours.of(self._who), self._refused
        is_asked = self._is_askable() and self._asking.is_attached(self._who.policy)
        if not hours and not is_asked:
            return refused
        connection = self._connection
        self._reading = connection.reading or connection.hold()
        self._parsed = self._admission.parse(head)
        try:
            if hours:
                passing, _ = await self._try(hours)
                if passing is not None:
                    return passing
            if not is_asked or not self._may_be_shown():
                return refused
            with self._asking.place(connection.client.group) as has_room:
                if has_room:
                    return await self._ask()
                return self._stays(_NO_ROOM)
        except (BadRequest, UpstreamError, ConfigError) as error:
            error.__traceback__ = error.__cause__ = error.__context__ = None
            connection.release(may_use=False)
            return refused

    # -- whether -------------------------------------------------------------------

    def _is_askable(self) -> bool:
        """Whether a name in the file would let it pass."""
        verdict = self._refused.verdict
        decision, endpoint = verdict.decision, verdict.request.endpoint
        policy = self._admission.gate.policy
        return (
            endpoint is not None
            and policy is not None
            and policy.mode is Mode.EXACT
            and endpoint.is_reachable
            and endpoint.stream not in _NEVER_SHOWN
            and wanted(decision, endpoint) is not None
        )

    def _may_be_shown(self) -> bool:
        """Whether all of it can be shown, to a person, for a client that is no browser."""
        parsed = self._parsed
        fields, endpoint = parsed.head.fields, parsed.request.endpoint
        has_body = fields.framing is not NO_BODY
        if endpoint is None or marks_browser(fields.lines):
            return False
        if self._connection.client.wire.has_ended():
            return False  # it waits for nobody
        is_stream = endpoint.stream in STREAMED
        if is_stream and (has_body or endpoint.files is not Files.NONE):
            return False
        return fields.framing.length <= self._connection.shared.bodies.most

    # -- the question --------------------------------------------------------------

    async def _ask(self) -> Admitted:
        deadline = trio.current_time() + self._asking.seconds
        parsed, reading, refused = self._parsed, self._reading, self._refused
        if parsed.head.fields.framing is not NO_BODY and self._body is None:
            self._body = await reading.read(self._connection.client, parsed.head.fields)
        gate, decision = self._gate, refused.verdict.decision
        while trio.current_time() < deadline:
            hours = self._hours.of(self._who)
            if hours or gate is not self._admission.gate:
                # Another policy than the one that refused it, or more for an hour by now.
                gate = self._admission.gate
                passing, decision = await self._try(hours)
                if passing is not None:
                    return passing
            outlined = await self._outline(gate, hours, decision)
            if self._admission.gate is not gate:
                continue
            if outlined is None or self._hours.is_declined(self._who, outlined.grants):
                return refused
            reading.pass_turn()
            reading.keep(len(self._body or b"") + LONGEST_TOLD)
            question = await self._asking.put(self._who, gate, outlined, deadline)
            waiting = self._asking.wait(question)
            with trio.CancelScope() as patience:
                await self._connection.alone(waiting, reading, patience)
            if patience.cancelled_caught:
                return refused
            if question.is_withdrawn:
                continue
            return await self._after(question, outlined)
        return refused

    async def _try(self, grants: tuple[Grant, ...]) -> tuple[Admitted | None, Decision]:
        """Judge it with more in the lists; what passes is what goes on, as any other does."""
        parsed, reading = self._parsed, self._reading
        while True:
            gate = self._admission.gate
            wide = await self._hours.gate_made(gate, grants)
            beside = Admission(wide)
            found, self._body = await self._connection.answer(
                beside.judge(parsed), reading, self._body
            )
            if self._admission.gate is gate:
                break
        if isinstance(found, Refused):
            self._connection.release(may_use=False)
            return None, found.decision
        if grants:
            asked = replace(found.decision, reason=Reason.ASKED)
            found = replace(found, decision=asked)
        admitted = beside.render(parsed, found, self._body).in_words()
        if grants:
            allowed = Allowed((), grants, self._who)
            admitted = replace(admitted, allowed=allowed)
        reading.pass_turn()
        reading.keep(len(admitted.upstream) + admitted.verdict.size)
        return admitted, found.decision

    async def _outline(
        self, gate: Gate, hours: tuple[Grant, ...], decision: Decision
    ) -> Outlined | None:
        """Say what would let it pass; None: no names in a file would."""
        parsed, reading = self._parsed, self._reading
        endpoint = parsed.request.endpoint
        assert endpoint is not None  # noqa: S101  what no table has is not asked about
        value: Json = None
        if self._body:
            value = await parse(self._connection.client, self._body, reading)
        # Whoever is asked is told no command that asks.
        message = decision.message.removesuffix(gate.ending)
        refusal, grants = replace(decision, message=message), tuple[Grant, ...]()
        while len(grants) < MOST_GRANTS:
            more = wanted(decision, endpoint)
            if more is None or more in grants:
                return None
            grants = (*grants, more)
            more_of_all = tuple(dict.fromkeys((*hours, *grants)))
            wide = await self._hours.gate_made(gate, more_of_all)
            beside = Admission(wide)
            found, _ = await self._connection.answer(
                beside.judge(parsed), reading, self._body, is_trial=True
            )
            if isinstance(found, Passes):
                form, content = _form(beside.render(parsed, found, self._body))
                told = told_of(self._who, parsed, refusal, found, value)
                return Outlined(grants, told, form, content)
            decision = found.decision
        return None

    async def _after(self, question: Question, outlined: Outlined) -> Admitted:
        """Do what a person said."""
        said = question.said
        if said is None or said in NOES:
            why = question.why or NOES[said or Said.NO]
            return self._stays(why)
        hours = self._hours.of(self._who)
        grants = tuple(dict.fromkeys((*hours, *outlined.grants)))
        try:
            passing, _ = await self._try(grants)
        except (BadRequest, UpstreamError, ConfigError) as error:
            self._asking.done(question, passed=False, why=str(error))
            raise
        except (ClientLost, trio.Cancelled):
            self._asking.done(question, passed=False, why="its client left")
            raise
        if passing is None:
            why = "it was allowed, and is refused by the policy of now"
        elif _form(passing)[0] != outlined.form:
            self._connection.release(may_use=False)
            passing = None
            why = (
                "it was allowed, and means something else now than what was asked about"
            )
        else:
            self._asking.done(question, passed=True)
            once = () if said is Said.HOUR else outlined.grants
            return replace(passing, allowed=Allowed(once, hours, self._who))
        self._asking.done(question, passed=False, why=why)
        return self._stays(why)

    def _stays(self, why: str) -> Admitted:
        verdict = self._refused.verdict
        told = replace(verdict.decision, message=f"{verdict.decision.message}; {why}")
        found = Refused(told, verdict.asked, verdict.named)
        return self._admission.render(self._parsed, found, self._body).in_words()


_NO_ROOM: Final = f"nobody was asked, for {MOST_OF_CLIENT} of a client wait already, or {MOST_HELD} of all"
_NEVER_SHOWN: Final = frozenset({Stream.H2C, Stream.WEBSOCKET})


def wanted(decision: Decision, endpoint: Endpoint) -> Grant | None:
    """What a file would have to list, by what it refuses; None: no list can hold that."""
    variable = decision.rule
    if decision.reason not in ASKED_ABOUT:
        return None
    if variable == OPERATIONS_VARIABLE:
        name = endpoint.operation
        return Grant.of_operation(name) if name in OPERATIONS else None
    item = listable(variable, decision.item) if variable in LIMITS else decision.item
    if not variable or item in {NOT_KEPT, ANY, NOTHING}:
        return None
    return Grant(variable, item)


def _form(admitted: Admitted) -> tuple[bytes, bytes]:
    """All that goes to the Engine, and the same without header fields, as digests."""
    head, _, body = admitted.upstream.partition(b"\r\n\r\n")
    removals = admitted.verdict.removals
    ids = [one.id for one in removals.each] if removals is not None else []
    rest = hashlib.sha256(repr(ids).encode()).digest()
    request = admitted.verdict.request
    line = (
        head.partition(b"\r\n")[0]
        or f"{request.method} {request.target.shown}".encode()
    )
    content = hashlib.sha256(line + b"\0" + body + rest).digest()
    return hashlib.sha256(admitted.upstream + rest).digest(), content
