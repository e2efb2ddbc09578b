"""The story of a connection, and of the requests that come on it.

    1    a request head        `Client.read_head`
    2-5  head to decision      `Admission.admit`, the one caller of `judge.gate.judging`
    5a   more is needed        `_look_closer`: a body, what the Engine has under a name
    6    refused               `_refuse`: our answer, then the next head or the end
    7    allowed               `Exchange.run`: upstream, body, answer
    8    hijacked              there too; else the next head

One task serves a connection. A second one exists only while a request body that did not
come with its head is relayed, or much moves in a tunnel. This file knows no rule and parses
nothing: what may pass is the verdict's word alone.
"""

from collections.abc import Callable, Coroutine
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING, Final, assert_never

import trio

from trioproxy.config import Level
from trioproxy.errors import (
    BadRequest,
    ClientLost,
    HeadEvicted,
    UpstreamError,
    leaf_of,
)
from trioproxy.http.framing import NO_BODY
from trioproxy.judge.gate import (
    Answer,
    Found,
    Need,
    NeedBody,
    NeedListed,
    NeedMade,
    NeedRaw,
    NeedReserved,
    NeedThings,
    ParsedBody,
    Passes,
    Refused,
    go_on,
)
from trioproxy.judge.outcome import WHOLE, Outcome, Verdict
from trioproxy.judge.replay import replay
from trioproxy.judge.rules import UNJUDGED, UNRESOLVED, Reason
from trioproxy.proxy import replies
from trioproxy.proxy.admission import Admitted, Parsed, Pending
from trioproxy.proxy.bodies import LONG, LONG_HEAD, Reading, parse
from trioproxy.proxy.client import DRAIN_SECONDS
from trioproxy.proxy.condition import Probe
from trioproxy.proxy.exchange import HALF_CLOSE_SECONDS, LINGER, NEXT, Exchange
from trioproxy.proxy.removing import Removing
from trioproxy.proxy.resolve import Resolver, under_way
from trioproxy.proxy.shared import Sides
from trioproxy.proxy.watch import HUNG_UP
from trioproxy.steps import Result

if TYPE_CHECKING:
    from trioproxy.proxy.asking import Asking

MISSING: Final = Reason.MISSING
"""Looked up once, as `WHOLE` is."""


@dataclass(slots=True, eq=False)
class Connection(Sides):
    """One client and, while it has requests, its one upstream connection."""

    exchange: Exchange | None = None
    """The request that is being served; None between two."""
    _judged: Parsed | None = None
    """The request for which more is needed to judge it, until it is judged."""
    _began: float = 0.0
    """When its head was whole."""
    _crash: Exception | None = None
    _body: bytes | None = None
    """Of what was refused and may be asked about, if it was read."""
    _waits: trio.CancelScope | None = None
    """What ends with the client while others are waited for, to judge a request: the Engine,
    reservations, a person."""

    def __post_init__(self) -> None:
        if self.engine.waits is not None:  # it may have been asked who this is
            self.engine.waits.seconds = 0.0
        self.client.wire.on_hangup = self.hung_up

    # -- called from outside its task ----------------------------------------------

    @property
    def streams(self) -> bool:
        """Whether it serves what may never end."""
        return self.exchange is not None and not self.exchange.admitted.traits.is_finite

    def judge_again(self) -> None:
        """Cut what is being served if the policy of now refuses it.

        It is judged by all that it was judged by at its start; what is still unread of
        a head, or not judged yet, and every later request meets the new policy anyway.
        """
        exchange = self.exchange
        if exchange is None:
            return
        verdict, gate = exchange.admitted.verdict, self.admission.gate
        allowed, asking = exchange.admitted.allowed, self.shared.asking
        if allowed is not None and asking is not None:
            gate = asking.hours.gate_of(gate, allowed)
        decision = replay(gate, verdict, is_sent=exchange.is_sent)
        if not decision.allowed:
            what = {"client": self.client.peer, "operation": verdict.operation}
            log = self.shared.log
            log.line(Level.NOTICE, "revoked", **what, text=decision.message)
            self.cut("revoked")

    def cut(self, ending: str) -> None:
        """End it now, and with it what is being served. A container that dies is told of
        twice: what outlasts its client by then goes on."""
        if self.exchange is not None:
            self.exchange.ending = ending
        if self.client.wire.fd != -1:
            self.client.end()

    def hung_up(self) -> None:
        """React to an event of the client's socket, told by the watch.

        The task that happens to look at the events runs this, not the connection's own:
        a failure here must end this connection and not that task's.
        """
        if self._waits is not None:
            self._leave(self._waits)
        if self.exchange is None:
            return
        try:
            self.exchange.client_hung_up()
        except Exception as error:  # noqa: BLE001  see above
            self._crash = error
            self.client.scope.cancel()

    # -- the life of a connection --------------------------------------------------

    async def serve(self, ended: Callable[["Connection"], None]) -> None:
        """Serve requests one after the other until either side is done.

        It is a task of its own (`Watch.start_soon`).

        Closing: both sockets are closed here, whatever happened, and `ended` is told. Any
        failure that is nobody's plan is logged and ends this connection only.
        """
        ending = "client-left"
        try:
            try:
                with self.client.scope:
                    await trio.lowlevel.checkpoint_if_cancelled()
                    while await self._serve_one():
                        if self.reading is not None:
                            self.let_go()
            except ClientLost:
                pass
            except Exception as error:  # noqa: BLE001  the edge: a crash ends one connection
                self._crash = error
            if self._crash is not None:
                self.let_go()  # others may wait for its turn
                ending = await self._report(self._crash)
            if self.reservation is not None:
                await self._outlast(ending)
        finally:
            ended(self)  # first, for nothing below is waited for
            self._end(ending)
            self.release()
            self.let_go()
            self.engine.drop()

    async def _outlast(self, ending: str) -> None:
        """Keep what is reserved until the Engine has answered, though the client is gone.

        A creation goes on by itself: what others did with its volumes now, they would do
        while the Engine fills them. There is no deadline, for whoever fills a volume
        chooses how long that takes. The end of the server cuts it.
        """
        exchange = self.exchange
        if exchange is None or self.shared.is_over:
            return
        self._end(ending)
        # A new scope, for the other one is cancelled. What the Engine answers is not read:
        # whatever it is, and if it closes, it has done what it does.
        with trio.CancelScope() as self.client.scope, suppress(UpstreamError):
            await exchange.outlast()

    def _end(self, ending: str) -> None:
        """Tell of a request that did not come to its end, and close the client's socket."""
        if self.shared.is_draining:
            ending = "shutdown"
        elif self.client.evicted:
            ending = "evicted"
        if self.exchange is not None:
            outcome = self.exchange.outcome(ending)
            self.exchange = None
            self.admission.tell(outcome)
        elif self._judged is not None:
            status = replies.CRASHED.status if self._crash is not None else 0
            self._tell_unresolved(self._judged, status, ending, 0, self._began)
        self.client.close()

    async def _serve_one(self) -> bool:
        """Serve one request; True if the connection can take another."""
        try:
            raw = await self.client.read_head()
            if raw is None:
                return False
            began = perf_counter()
            if len(raw) > LONG_HEAD:
                self.hold(len(raw)).keep(0)
            admitted = self.admission.admit(raw)
            if isinstance(admitted, Pending):
                self._judged, self._began = admitted.parsed, began
                admitted = await self._look_closer(admitted)
                self._judged = None
        except (BadRequest, UpstreamError) as error:
            parsed, self._judged = self._judged, None
            # Its frames hold the whole head, and answering it may take seconds.
            error.__traceback__ = error.__cause__ = error.__context__ = raw = None
            self.release(may_use=False)
            self.let_go()
            return await self._reject(error, parsed)
        if admitted.probe is not None:
            return await self._answer_probe(admitted, admitted.probe)
        if not admitted.verdict.decision.allowed:
            self.release(may_use=False)
            if self.shared.asking is not None:
                admitted = await self._ask(admitted, began, self.shared.asking, raw)
            if admitted.refusal:
                return await self._refuse(admitted, began)
        kind = Exchange if admitted.verdict.removals is None else Removing
        self.exchange = exchange = kind(self, admitted, began)
        # What has a body, or is long, is held until it is sent, and no longer.
        del admitted, raw
        after = await exchange.run()
        self.exchange = None
        self.admission.tell(exchange.outcome(""))
        if after is LINGER:
            await self.client.linger(self.shared.buffer)
        return after is NEXT

    def hold(self, head: int = 0) -> Reading:
        """Say from now on, until the request is over, what it makes us hold; `head`: bytes of a
        long one."""
        reading = Reading(self.shared.bodies, self.client.group, head)
        self.reading = reading
        return reading

    async def _ask(
        self, refused: Admitted, began: float, asking: "Asking", head: bytes
    ) -> Admitted:
        """Ask a person about what is refused, where somebody is there to be asked."""
        body, self._body = self._body, None
        # Loaded with what asks: most ask nobody.
        from trioproxy.proxy.holding import Held

        held = Held(self, asking, refused, body)
        try:
            return await held.run(head)
        except (ClientLost, trio.Cancelled):
            self._tell_refused(refused, began, next(self.shared.serials))
            raise

    async def _look_closer(self, pending: Pending) -> Admitted:
        """Have a request judged by its body too, and by what it names.

        Raises `BadRequest` and `ClientLost` for its body, `UpstreamError` for an Engine
        that does not say what the names mean.
        """
        admission = self.admission
        reading = self.reading or self.hold()
        raw: bytes | None = None
        while True:
            gate = admission.gate
            # Where that fails, nothing of the body stays in what was not judged.
            with closing(pending.judging):
                found, raw = await self.answer(pending, reading, raw)
            if admission.gate is gate:
                break
            # Others were waited for, and meanwhile the policy became another one.
            pending = admission.judge(pending.parsed)
        admitted = admission.render(pending.parsed, found, raw)
        if self.shared.asking is not None and isinstance(found, Refused):
            self._body = raw
        # What was judged has been written: the body is held once from here on.
        admitted = admitted.in_words()
        reading.pass_turn()
        held = len(self._body or b"")
        reading.keep(len(admitted.upstream) + admitted.verdict.size + held)
        return admitted

    async def answer(
        self,
        pending: Pending,
        reading: Reading,
        raw: bytes | None,
        *,
        is_trial: bool = False,
    ) -> tuple[Found, bytes | None]:
        """Get what is needed to judge a request, until it is judged.

        `raw`: its body as it came, if it was read already. `is_trial`: it does not go on by
        this, so that nothing is reserved for it, or made.
        """
        client, resolver = self.client, None
        found: Need | Found | None = pending.need
        answer: Answer = None
        while True:
            match found:
                case None:
                    if raw and len(raw) > LONG:
                        await client.wire.let_others()
                    answer = None
                case NeedBody() | NeedRaw():
                    fields = pending.parsed.head.fields
                    raw = await reading.read(client, fields) if raw is None else raw
                    answer = raw or None
                    if raw and isinstance(found, NeedBody):
                        answer = ParsedBody(await parse(client, raw, reading))
                case NeedReserved():
                    reserving = self._reserve(found.volumes, is_trial=is_trial)
                    answer = await self.alone(reserving, reading)
                case NeedThings() | NeedListed():
                    reserved = self.reservation
                    resolver = Resolver(
                        self.engine,
                        pending.gate,
                        self.shared.remembered,
                        reading.hear,
                        self.admission.built,
                        reserved.unused if reserved is not None else None,
                    )
                    asked = resolver.answer(found)
                    answer = await self.alone(asked, reading)
                case NeedMade():
                    assert resolver is not None  # noqa: S101  what is made was looked up
                    made = resolver.make(is_trial=is_trial)
                    answer = await self.alone(made, reading)
                case Passes() | Refused():
                    return found, raw
                case _:
                    assert_never(found)
            found = go_on(pending.judging, answer)

    async def _reserve(self, volumes: frozenset[str], *, is_trial: bool) -> None:
        if self.reservation is None and not is_trial:
            ask = partial(under_way, self.engine)
            self.reservation = await self.shared.reservations.take(volumes, ask)

    async def alone(
        self,
        waiting: Coroutine[object, object, Result],
        reading: Reading,
        scope: trio.CancelScope | None = None,
    ) -> Result:
        """Wait for others, while nothing else is at work for the client.

        If it leaves, that ends here: nobody would have the answer. `scope`: around what ends
        alone, and is answered, where it may still read.
        """
        reading.pass_turn()
        self._waits = scope or self.client.scope
        if self.client.wire.heard & HUNG_UP:
            self._leave(self._waits)
        try:
            return await waiting
        finally:
            self._waits = None
            self.client.scope.deadline = inf

    def _leave(self, scope: trio.CancelScope) -> None:
        """End what is waited for if the client is gone; if it may still read, in a while."""
        wire = self.client.wire
        if wire.gone:
            self.client.scope.cancel()
        elif not self.client.early and wire.has_ended():
            scope.deadline = trio.current_time() + HALF_CLOSE_SECONDS

    # -- 1: what cannot be read ----------------------------------------------------

    async def _reject(
        self, error: BadRequest | UpstreamError, parsed: Parsed | None
    ) -> bool:
        """Answer what cannot be read in exactly one way, or not be looked up, and close."""
        serial = next(self.shared.serials)
        named = parsed if isinstance(error, UpstreamError) else None
        began = self._began if parsed is not None else 0.0
        self._tell_unresolved(named, error.status, str(error), serial, began)
        await self.client.wire.send_all(replies.with_id(replies.error(error), serial))
        if not isinstance(error, HeadEvicted):  # that one had its time
            await self.client.linger(self.shared.buffer)
        return False

    def _tell_unresolved(
        self,
        parsed: Parsed | None,
        status: int,
        ending: str,
        serial: int,
        began: float,
    ) -> None:
        """Tell of a request that nobody judged; None: it could not be read."""
        verdict = None
        when = (began, perf_counter() if began else 0.0)
        if parsed is not None:
            gate, agent = self.admission.gate, parsed.head.fields.agent
            found = Refused(UNRESOLVED if status else UNJUDGED)
            verdict = Verdict.of(gate, parsed.request, found, agent)
        self._tell(verdict, status, status != 0, ending, serial, when)

    # -- 6: refused ----------------------------------------------------------------

    async def _refuse(self, admitted: Admitted, began: float) -> bool:
        """Answer a refusal. A body is read and dropped, within bounds."""
        serial, wire = next(self.shared.serials), self.client.wire
        try:
            answer = replies.with_id(admitted.refusal, serial)
            if (sent := wire.send_now(answer)) < len(answer):
                await wire.send_rest(answer, sent)
        finally:
            self._tell_refused(admitted, began, serial)
        return await self._go_on(admitted)

    def _tell_refused(self, admitted: Admitted, began: float, serial: int) -> None:
        """Tell of a refusal, also where its client does not wait for it."""
        verdict, when = admitted.verdict, (began, perf_counter())
        decision = verdict.decision
        is_ours = decision.reason is not MISSING
        self._tell(verdict, decision.status, is_ours, "", serial, when)

    def _tell(
        self,
        verdict: Verdict | None,
        status: int,
        is_ours: bool,
        ending: str,
        serial: int,
        when: tuple[float, float],
    ) -> None:
        """Tell of a request that did not go on."""
        peer, waits = self.client.peer, self.engine.waits
        # In their order: who is refused asks again.
        outcome = Outcome(
            WHOLE, peer, verdict, status, is_ours, False, *when, ending, serial, waits
        )
        self.admission.tell(outcome)

    async def _answer_probe(self, admitted: Admitted, probe: Probe) -> bool:
        """Say how things stand. Neither recorded nor logged: it is asked for ever."""
        close = not admitted.keep_alive or admitted.framing is not NO_BODY
        reply = await self.shared.health.answer(
            probe, close=close, client=self.admission.client
        )
        await self.client.wire.send_all(reply)
        return await self._go_on(admitted)

    async def _go_on(self, admitted: Admitted) -> bool:
        """After an answer of ours: the next request, or an orderly end."""
        has_body = admitted.framing is not NO_BODY
        if admitted.keep_alive and not has_body and not self.shared.is_draining:
            return True
        await self.client.linger(self.shared.buffer)
        return False

    # -- ends ----------------------------------------------------------------------

    async def _report(self, error: Exception) -> str:
        """Log a crash, and answer 500 where no answer has begun; says how it ended."""
        leaf = leaf_of(error)
        self.shared.log.crash(self.client.peer, leaf)
        if self.reservation is None:
            self.engine.drop()
        # Bytes of an answer that are out cannot be taken back: the break is all we can say.
        exchange = self.exchange
        if exchange is None or not exchange.head_sent:
            answer = replies.error(replies.CRASHED)
            if exchange is not None:
                exchange.status, exchange.is_ours = 500, True
                exchange.serial = next(self.shared.serials)
                answer = replies.with_id(answer, exchange.serial)
            # A new scope, for the other one is over: `end` has to end this too.
            with trio.move_on_after(DRAIN_SECONDS) as self.client.scope:
                with suppress(ClientLost):
                    await self.client.wire.send_all(answer)
                    await self.client.linger(self.shared.buffer)
        return f"crash:{type(leaf).__name__}"
