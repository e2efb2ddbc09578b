"""The story of a connection, and of the requests that come on it.

    1    a request head        `Client.read_head`
    2-5  head to decision      `Admission.admit`, the one caller of `judge.gate.judge`
    6    refused               `_refuse`: our answer, then the next head or the end
    7    allowed               `Exchange.run`: upstream, body, answer
    8    hijacked              there too; else the next head

One task serves a connection. A second one exists only while a request body that did not
come with its head is relayed, or a tunnel is open. This file knows no rule and parses
nothing: what may pass is the verdict's word alone.
"""

from contextlib import suppress
from time import perf_counter

import trio

from trioproxy.config import Level
from trioproxy.errors import (
    BadRequest,
    ClientLost,
    HeadEvicted,
    TrioProxyError,
    UpstreamError,
    leaf_of,
)
from trioproxy.http.framing import NO_BODY
from trioproxy.http.request import RequestHead
from trioproxy.judge.gate import Verdict, judge_again
from trioproxy.judge.outcome import Moment, Outcome
from trioproxy.judge.rules import Reason
from trioproxy.proxy import replies
from trioproxy.proxy.admission import Admission, Admitted, Unresolved
from trioproxy.proxy.bodies import Reading, in_turns, parse
from trioproxy.proxy.client import Client
from trioproxy.proxy.engine import Engine
from trioproxy.proxy.exchange import LINGER, NEXT, Exchange, Sides
from trioproxy.proxy.shared import Shared
from trioproxy.proxy.watch import Hangup


class Connection:
    """One client and, while it has requests, its one upstream connection."""

    __slots__ = ("_admission", "_crash", "_shared", "_sides", "client", "exchange")

    def __init__(self, client: Client, admission: Admission, shared: Shared) -> None:
        self.client = client
        self.exchange: Exchange | None = None
        """The request that is being served; None between two."""
        self._admission = admission
        self._shared = shared
        self._crash: Exception | None = None
        self._sides = Sides(
            client=client,
            engine=Engine(shared.upstream, shared.response_memo, shared.watch),
            admission=admission,
            shared=shared,
            scope=client.scope,
        )
        client.wire.on_hangup = self.hung_up

    # -- called from outside its task ----------------------------------------------

    @property
    def streams(self) -> bool:
        """Whether it serves what may never end."""
        return self.exchange is not None and not self.exchange.admitted.traits.is_finite

    def judge_again(self) -> None:
        """Cut what is being served if the policy of now refuses it.

        It is judged by all that it was judged by at its start; what is still unread of
        a head, and every later request, meets the new policy anyway.
        """
        exchange = self.exchange
        if exchange is None:
            return
        verdict = exchange.admitted.verdict
        decision = judge_again(self._admission.gate, verdict, is_sent=exchange.is_sent)
        if not decision.allowed:
            self._shared.log.line(
                Level.NOTICE,
                "revoked",
                client=self.client.peer,
                operation=verdict.operation,
                text=decision.message,
            )
            exchange.ending = "revoked"
            self.client.scope.cancel()

    def hung_up(self, how: Hangup) -> None:
        """React to an event of the client's socket, told by the watch.

        The task that happens to look at the events runs this, not the connection's own:
        a failure here must end this connection and not that task's.
        """
        if how is not Hangup.END:
            self.client.wire.gone = True
        if self.exchange is None:
            return
        try:
            self.exchange.client_hung_up(how)
        except Exception as error:  # noqa: BLE001  see above
            self._crash = error
            self.client.scope.cancel()

    # -- the life of a connection --------------------------------------------------

    async def serve(self) -> None:
        """Serve requests one after the other until either side is done.

        Closing: both sockets are closed here, whatever happened. Any failure that is
        nobody's plan is logged and ends this connection only.
        """
        ending = "client-left"
        try:
            try:
                with self.client.scope:
                    while await self._serve_one():
                        if self._sides.reading is not None:
                            self._sides.let_go()
            except ClientLost:
                pass
            except Exception as error:  # noqa: BLE001  the edge: a crash ends one connection
                self._crash = error
            if self._crash is not None:
                self._sides.let_go()  # others may wait for its turn
                ending = await self._report(self._crash)
            await self._outlast(ending)
        finally:
            self._end(ending)
            self._sides.release()
            self._sides.let_go()
            self._sides.engine.drop()

    async def _outlast(self, ending: str) -> None:
        """Keep what is reserved until the Engine has answered, though the client is gone.

        A creation goes on by itself: what others did with its volumes now, they would do
        while the Engine fills them. There is no deadline, for whoever fills a volume
        chooses how long that takes. The end of the server cuts it.
        """
        exchange = self.exchange
        if exchange is None or self._sides.reservation is None or self._shared.is_over:
            return
        self._end(ending)
        # A new scope, for the other one is cancelled. What the Engine answers is not read:
        # whatever it is, and if it closes, it has done what it does.
        with trio.CancelScope() as self.client.scope, suppress(UpstreamError):
            await exchange.outlast()

    def _end(self, ending: str) -> None:
        """Tell of an exchange that did not come to its end, and close the client's socket."""
        if self.client.evicted:
            ending = "evicted"
        self._tell("shutdown" if self._shared.is_draining else ending)
        self.client.close()

    async def _serve_one(self) -> bool:
        """Serve one request; True if the connection can take another."""
        verdict = None
        try:
            raw = await self.client.read_head()
            if raw is None:
                return False
            began = perf_counter()
            admitted = self._admission.admit(raw)
            verdict = admitted.verdict
            if admitted.unread is not None or admitted.unresolved is not None:
                admitted = await self._look_closer(admitted)
        except (BadRequest, UpstreamError) as error:
            # Its frames hold the whole head, and answering it may take seconds.
            error.__traceback__ = error.__cause__ = error.__context__ = None
            self._sides.release()
            self._sides.let_go()
            return await self._reject(error, verdict)
        if admitted.is_health:
            return await self._answer_health(admitted)
        if not admitted.verdict.decision.allowed:
            self._sides.release()
            return await self._refuse(admitted, began)
        self.exchange = exchange = Exchange(self._sides, admitted, began)
        del admitted  # it has a body, which is held until it is sent, and no longer
        after = await exchange.run()
        self.exchange = None
        self._admission.tell(exchange.outcome(""))
        if after is NEXT:
            return True
        if after is LINGER:
            await self.client.linger()
        return False

    async def _look_closer(self, admitted: Admitted) -> Admitted:
        """Have a request judged by its body too, and by what it names.

        Raises `BadRequest` and `ClientLost` for its body, `UpstreamError` for an Engine
        that does not say what the names mean.
        """
        reading = Reading(self._shared.bodies, self.client.group)
        self._sides.reading = reading
        if admitted.unread is not None:
            admitted = await self._read_body(admitted.unread, reading)
        if admitted.unresolved is not None:
            admitted = await self._resolve(admitted, admitted.unresolved, reading)
        # What was judged has been written: the body is held once from here on.
        admitted = admitted.in_words()
        reading.keep(len(admitted.upstream) + admitted.verdict.size)
        return admitted

    async def _read_body(self, head: RequestHead, reading: Reading) -> Admitted:
        """Read a body whole and have it judged."""
        raw = await reading.read(self.client, head.fields)
        asked = None
        if raw:
            value = await parse(self.client, raw, reading)
            steps = self._admission.asking(head, value)
            asked = await in_turns(self.client, raw, steps)
        gate = self._admission.gate
        admitted = self._admission.admit_body(head, raw, asked)
        reading.pass_turn()
        if admitted.verdict.volumes is not None:
            names = admitted.verdict.volumes
            self._sides.reservation = await self._shared.reservations.take(names)
            if self._admission.gate is not gate:
                # Others were waited for, and meanwhile the policy became another one.
                admitted = self._admission.admit_body(head, raw, asked)
        return admitted

    async def _resolve(
        self, admitted: Admitted, unresolved: Unresolved, reading: Reading
    ) -> Admitted:
        """Ask the Engine what it has under the names in a request, and judge by that."""
        # Here, for most policies ask nothing.
        from trioproxy.proxy.resolve import Resolver

        verdict, admit = admitted.verdict, self._admission.admit_named
        resolver = Resolver(
            self._sides.engine,
            self._admission.gate,
            self._shared.remembered,
            reading.hear,
        )
        known = await resolver.resolve(verdict.needed)
        admitted = admit(unresolved, verdict, known)
        if admitted.verdict.goes_on_as_judged and resolver.has_to_make:
            known = await resolver.make()
            admitted = admit(unresolved, verdict, known)
        return admitted

    # -- 1: what cannot be read ----------------------------------------------------

    async def _reject(
        self, error: BadRequest | UpstreamError, verdict: Verdict | None
    ) -> bool:
        """Answer what cannot be read in exactly one way, or not be looked up, and close."""
        serial = next(self._shared.serials)
        self._admission.tell(
            Outcome(
                Moment.WHOLE,
                self.client.peer,
                verdict if isinstance(error, UpstreamError) else None,
                error.status,
                is_ours=True,
                ending=str(error),
                serial=serial,
            )
        )
        await self.client.wire.send_all(replies.with_id(replies.error(error), serial))
        if not isinstance(error, HeadEvicted):  # that one had its time
            await self.client.linger()
        return False

    # -- 6: refused ----------------------------------------------------------------

    async def _refuse(self, admitted: Admitted, began: float) -> bool:
        """Answer a refusal. A body is read and dropped, within bounds."""
        serial = next(self._shared.serials)
        decision = admitted.verdict.decision
        try:
            answer = replies.with_id(admitted.refusal, serial)
            await self.client.wire.send_all(answer)
        finally:
            self._admission.tell(
                Outcome(
                    Moment.WHOLE,
                    self.client.peer,
                    admitted.verdict,
                    decision.status,
                    is_ours=decision.reason is not Reason.MISSING,
                    began=began,
                    ended=perf_counter(),
                    serial=serial,
                )
            )
        return await self._go_on(admitted)

    async def _answer_health(self, admitted: Admitted) -> bool:
        """Say whether the Engine answers. Neither recorded nor logged: it is asked for ever."""
        close = not admitted.keep_alive or admitted.framing is not NO_BODY
        reply = await self._shared.health.answer(close=close)
        await self.client.wire.send_all(reply)
        return await self._go_on(admitted)

    async def _go_on(self, admitted: Admitted) -> bool:
        """After an answer of ours: the next request, or an orderly end."""
        has_body = admitted.framing is not NO_BODY
        if admitted.keep_alive and not has_body and not self._shared.is_draining:
            return True
        await self.client.linger()
        return False

    # -- ends ----------------------------------------------------------------------

    def _tell(self, ending: str) -> None:
        """Tell all who look at ends of the exchange, if there is one; `ending`: why."""
        if self.exchange is not None:
            outcome = self.exchange.outcome(ending)
            self.exchange = None
            self._admission.tell(outcome)

    async def _report(self, error: Exception) -> str:
        """Log a crash, and answer 500 where no answer has begun; says how it ended."""
        leaf = leaf_of(error)
        self._shared.log.crash(self.client.peer, leaf)
        if self._sides.reservation is None:
            self._sides.engine.drop()
        # Bytes of an answer that are out cannot be taken back: the break is all we can say.
        exchange = self.exchange
        if exchange is None or not exchange.head_sent:
            answer = replies.error(CRASHED)
            if exchange is not None:
                exchange.status, exchange.is_ours = 500, True
                exchange.serial = next(self._shared.serials)
                answer = replies.with_id(answer, exchange.serial)
            try:
                await self.client.wire.send_all(answer)
                await self.client.linger()
            except ClientLost:
                pass
        return f"crash:{type(leaf).__name__}"


CRASHED = TrioProxyError(
    "this is a bug of the proxy, and its log has the place: please report it"
)
