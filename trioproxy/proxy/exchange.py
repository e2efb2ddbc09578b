"""One request that may pass, and its answer: steps 7 and 8 of the story.

    the head, and what of the body came with it   `Engine.send_request`
    the rest of the body                          `_upload`, a task beside the answer
    the answer                                    `_respond`: a head, then body or tunnel

The Engine may answer before it has read the body, and close: Go's server does so when
more than 256 KiB of a body are unread. So the answer and the rest of the body are in
flight together, two tasks in the nursery of `_respond_beside_upload`, and each may find
the other's socket in any state. What keeps this simple is who closes: nobody in that
nursery. The Engine's connection is dropped in `run`, when the nursery is over, and the
client's is closed by its `Connection`. An upload that the Engine no longer reads is
cancelled after the last byte of the answer has gone out, never before.

A failure travels in one way, as an exception, and becomes an answer in one place, `run`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from time import perf_counter
from typing import Final

import trio

from trioproxy.errors import BadRequest, UpstreamError, UpstreamLost, leaf_of
from trioproxy.http.framing import (
    NO_BODY,
    NOTHING,
    UNTIL_CLOSE,
    Boundary,
    boundary_of,
    content_of,
    until_close,
)
from trioproxy.http.hearing import Hearing
from trioproxy.http.response import ResponseHead, with_body, with_close
from trioproxy.http.tar import Looker, Rewriter
from trioproxy.judge.fills import CREATION
from trioproxy.judge.outcome import FAILED, WHOLE, Moment, Outcome, Verdict
from trioproxy.proxy import replies
from trioproxy.proxy.admission import Admitted
from trioproxy.proxy.client import DRAIN_SECONDS
from trioproxy.proxy.concealing import concealed
from trioproxy.proxy.counting import Counting
from trioproxy.proxy.engine import Content
from trioproxy.proxy.narrowing import Narrowing
from trioproxy.proxy.relay import SMALL_SIZE, relay, relay_rewritten
from trioproxy.proxy.shared import Sides
from trioproxy.proxy.tunnel import tunnel
from trioproxy.proxy.watch import HUNG_UP, RESET
from trioproxy.values import ordered_class

HALF_CLOSE_SECONDS: Final = 5.0
"""After the client's end of data, until a response that goes on is cut."""

GATEWAYS: Final = frozenset({502, 503, 504})
"""By these what stands between says that it gave up; the Engine may still be at it."""

REDIRECTED: Final = 300
"""From this status on an answer shows no object, but says why there is none."""

NO_CONTENT: Final = 204
"""This one has no body, and so no last chunk: what is written behind it is the next answer."""


ENGINE_LOST: Final = "engine-lost"
"""How an answer ends that the Engine cut in the middle."""


class After(Enum):
    """What the connection is good for when an exchange is over."""

    NEXT = "next"
    """Both sides are fit for another request."""
    LINGER = "linger"
    """To be closed; the client may still send, and must be able to read its answer."""
    CLOSE = "close"


NEXT: Final = After.NEXT
LINGER: Final = After.LINGER
CLOSE: Final = After.CLOSE
"""Looked up once: a member of an enumeration costs a call."""


@ordered_class
class Uploading:
    """The task that relays the rest of a request's body."""

    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    over: trio.Event = field(default_factory=trio.Event)
    tar: Rewriter | None = None
    """What reads the body, where that is a tar and read as it passes."""


def _rewriter_of(verdict: Verdict) -> Rewriter | None:
    if not verdict.reads_tar:
        return None
    return Rewriter() if verdict.unpacks else Looker()


@dataclass(slots=True, eq=False)
class Exchange:
    """One request and its answer. Made per request."""

    # All slots, all set when it is made: to look a default up in the class costs more than
    # to set it.
    _sides: Sides
    admitted: Admitted
    _began: float
    status: int = 0
    """Of the final answer; 0 until one has begun."""
    is_ours: bool = False
    """The answer is ours, as the Engine gave none."""
    head_sent: bool = False
    """A byte of the final answer may have gone to the client."""
    upward: Boundary = NOTHING
    """Where the request's body ends, and how much of it has passed."""
    downward: Boundary = NOTHING
    """The same for the answer."""
    ending: str = ""
    """Why it did not end as planned."""
    serial: int = 0
    """The number of our own answer; 0 while there is none."""
    _moment: Moment = WHOLE
    _unrouted: bool = False
    _is_uploaded: bool = True
    _uploading: Uploading | None = None
    _is_responding: bool = False
    _is_tunnel: bool = False
    _is_engine_fit: bool = False
    _sent_at_once: int = 0
    _narrowing: Narrowing | None = None

    @property
    def is_sent(self) -> bool:
        """Whether all of the request is at the Engine."""
        is_held = self._sides.reading is not None and self.admitted.upstream != b""
        return self._is_uploaded and not is_held

    def _forget_body(self) -> None:
        """Hold no more than words, for the body has gone on."""
        if (reading := self._sides.reading) is not None:
            if not self.admitted.traits.is_repeatable:
                self.admitted = replace(self.admitted, upstream=b"")
            reading.keep(self.admitted.verdict.size)

    def outcome(self, ending: str) -> Outcome:
        """What is told of it when it is over; `ending` is why, where it knows no better."""
        # In their order: for each request one is made.
        narrowing, uploading = self._narrowing, self._uploading
        return Outcome(
            self._moment,
            self._sides.client.peer,
            self.admitted.verdict,
            self.status,
            self.is_ours,
            self._unrouted,
            self._began,
            perf_counter(),
            self.ending or ending,
            self.serial,
            self._sides.engine.waits,
            self.upward.passed,
            self._sent_at_once + self.downward.passed
            if narrowing is None
            else narrowing.sent,
            None if narrowing is None else narrowing.narrowed,
            "" if uploading is None or uploading.tar is None else uploading.tar.fault,
        )

    # -- the client hangs up -------------------------------------------------------

    def client_hung_up(self) -> None:
        """React to an event of the client's socket: its EOF, or both directions over."""
        if self._is_tunnel:
            wire = self._sides.client.wire
            # What a client sent before it went is still passed on.
            if wire.heard & RESET or (wire.gone and wire.ended):
                self._sides.client.scope.cancel()
        elif self._is_responding:
            self._react_to_hangup()

    def _react_to_hangup(self) -> None:
        """Cancel a response that nobody reads; pass an EOF on as the Engine would see it."""
        client = self._sides.client
        if client.wire.gone:
            self._sides.client.scope.cancel()
        elif (
            self._is_uploaded
            and not client.early
            and not self.admitted.traits.is_tunnel
            and client.wire.has_ended()
        ):
            self._pass_eof()

    def _pass_eof(self) -> None:
        self._sides.engine.send_eof()
        self._sides.client.scope.deadline = trio.current_time() + HALF_CLOSE_SECONDS

    # -- request, answer -----------------------------------------------------------

    async def run(self) -> After:
        """Serve it. Raises `ClientLost`; any other failure becomes the client's answer.

        Closing: the Engine's connection is dropped here unless it can take another
        request. Nobody uses it any more: every nursery below is over.
        """
        engine = self._sides.engine
        try:
            try:
                head = self.admitted.upstream
                if self.admitted.framing is not NO_BODY:
                    head += self._take_early_body()
                await engine.send_request(head)
                del head  # there may be a body in it
                if self._sides.reading is not None:
                    self._forget_body()
                if self._is_uploaded:
                    keep = await self._respond()
                else:
                    keep = await self._respond_beside_upload()
            except UpstreamLost:
                if not self._may_repeat():
                    raise
                engine.drop()
                await engine.send_request(self.admitted.upstream)
                keep = await self._respond()
        except (UpstreamError, BadRequest) as error:
            engine.drop()
            self._sides.release()
            return await self._fail(error)
        if not self._is_engine_fit:
            engine.drop()
        if not self._is_uploaded:
            return LINGER
        return NEXT if keep else CLOSE

    async def outlast(self) -> None:
        """Wait until the Engine has done what nobody waits for any more.

        It sees the client's end, and goes on all the same. Raises `UpstreamError` where
        it closes, or answers what is no HTTP.
        """
        engine = self._sides.engine
        self._forget_body()
        engine.send_eof()
        response, data = await engine.read_head(self.admitted.expected)
        while response.is_interim:
            response, data = await engine.read_head(self.admitted.expected, data)
        self._sides.release(is_answered=response.status not in GATEWAYS)

    def _may_repeat(self) -> bool:
        """Whether the request may be sent again: no answer to it can be on its way."""
        admitted = self.admitted
        return (
            self._sides.engine.may_be_asked_again
            and admitted.traits.is_repeatable
            and admitted.framing is NO_BODY
            and admitted.verdict.request.method in {"GET", "HEAD"}
        )

    def _take_early_body(self) -> bytes:
        """Take what came of a body with its head."""
        client, framing = self._sides.client, self.admitted.framing
        if self.admitted.verdict.reads_tar:
            # None of it goes with the head, for none of it goes on as it came.
            self.upward = content_of(framing)
            self._is_uploaded = False
            return b""
        most = self._sides.shared.bodies.most
        if self.admitted.traits.takes_content:
            self.upward = boundary_of(framing)
        else:
            self.upward = boundary_of(framing, most=most)
        early = client.early
        body = client.take_early(self.upward.feed(early, 0, len(early)))
        self._is_uploaded = self.upward.done
        return body

    async def _respond_beside_upload(self) -> bool:
        """Relay the answer beside the rest of the body."""
        keep = False
        tar = _rewriter_of(self.admitted.verdict)
        uploading = self._uploading = Uploading(tar=tar)
        self._sides.engine.expect_more()
        is_raw = self.admitted.traits.has_raw_body
        upload = self._upload_before_stream if is_raw else self._upload
        try:
            async with trio.open_nursery() as nursery:
                self._sides.shared.watch.start_soon(nursery, upload, uploading)
                keep = await self._respond()
                # The answer is out. If the Engine keeps the connection, it reads the rest
                # of the body, and only then can the next request follow.
                if keep:
                    with trio.move_on_after(DRAIN_SECONDS):
                        await uploading.over.wait()
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            # The nursery wraps whatever ended it. Cancelled belongs to the scope around us;
            # beside a failure it may go, for the next checkpoint raises it again.
            failures = group.subgroup(lambda one: not isinstance(one, trio.Cancelled))
            if failures is None:
                raise
            raise leaf_of(failures) from None
        return keep

    async def _upload(self, uploading: Uploading) -> None:
        """Relay the rest of the body; whatever breaks it ends the answer too."""
        client, engine = self._sides.client, self._sides.engine
        move: Callable[..., Awaitable[bytes | None]] = relay
        if uploading.tar is not None:
            move = partial(relay_rewritten, rewriter=uploading.tar)
        early, buffer = client.take_early(len(client.early)), self._sides.shared.buffer
        try:
            surplus = await move(client.wire, engine.wire, self.upward, buffer, early)
        except UpstreamLost:
            # The Engine reads no more; its answer, if there is one, is on its way.
            uploading.over.set()
            return
        if surplus is None:
            # The client ended in mid-body: the Engine sees the same, and answers it.
            self._pass_eof()
        else:
            client.put_back(surplus)
            self._is_uploaded = True
        uploading.over.set()

    async def _upload_before_stream(self, uploading: Uploading) -> None:
        """Relay a body that the Engine reads only where it opens no stream.

        Go's server reads what was announced before it answers with an error. Where a stream
        opens, all that is still here belongs to that: `_tunnel` cancels this task and goes
        on behind the last byte that the kernel took. So bytes wait in `Client.early`, also
        those that the boundary has seen.
        """
        client, engine = self._sides.client, self._sides.engine
        seen, wire = 0, engine.wire  # that one, and none that is opened later
        try:
            with uploading.scope:
                while not self.upward.done:
                    if client.early:
                        await client.wire.let_others()
                    elif data := await client.wire.recv(SMALL_SIZE):
                        client.put_back(data)
                    else:
                        engine.send_eof()
                        return
                    seen = self.upward.feed(client.early, 0, len(client.early))
                    while seen:
                        sent = wire.send_now(client.early[:seen])
                        client.take_early(sent)
                        if seen := seen - sent:
                            await wire.watch.writable(wire)
                self._is_uploaded = True
        except UpstreamLost:
            return  # its answer, if there is one, is on its way
        finally:
            self.upward.passed -= seen
            uploading.over.set()

    async def _respond(self) -> bool:
        """Wait for the answer and pass it on; True if the client may go on."""
        client, engine = self._sides.client, self._sides.engine
        admitted = self.admitted
        # From here on a hang-up may cancel us. Before, the request has to go out: what the
        # client wanted is done even if it does not wait for the answer, as without us.
        self._is_responding = True
        if client.wire.heard & HUNG_UP:
            self._react_to_hangup()
        response, data = await engine.read_head(admitted.expected)
        while response.is_interim:
            await client.wire.send_all(response.client)
            response, data = await engine.read_head(admitted.expected, data)
        if self._sides.reservation is not None:
            is_creation = admitted.verdict.operation == CREATION
            is_no = FAILED <= response.status < 500  # by 502 another proxy may say it
            may_use = is_creation and not is_no
            is_answered = response.status not in GATEWAYS
            self._sides.release(may_use=may_use, is_answered=is_answered)
        self.status = response.status
        self._unrouted = response.unrouted
        if response.switches:
            await self._tunnel(response, data)
            return False
        keep = (
            admitted.keep_alive
            and response.keep_alive
            and not self._sides.shared.is_draining
        )
        # The Engine's own words go through. Only where it would keep the connection and we
        # will not, while draining, the client must be told.
        says_close = keep or not response.keep_alive or not admitted.keep_alive
        head = response.client if says_close else with_close(response.client)
        if admitted.may_be_read and (pass_on := self._reader_of(response.status)):
            return await pass_on(response, head, data) and keep
        self._begin_to_answer()
        surplus: bytes | None = b""
        # Most answers come whole with their head: one send, and no boundary.
        if response.framing.length == len(data):
            self._sent_at_once = len(data)
            head += data
            if (sent := client.wire.send_now(head)) < len(head):
                await client.wire.send_rest(head, sent)
        else:
            surplus = await self._relay_body(response, head, data)
        # Bytes behind the answer belong to no request: they would be read as the next one's.
        self._is_engine_fit = response.keep_alive and not surplus
        if admitted.traits.is_tunnel and (
            client.early
            or (admitted.traits.has_raw_body and admitted.framing is not NO_BODY)
        ):
            # The client's next bytes belong to a stream that was not opened.
            return False
        return keep

    def _reader_of(
        self, status: int
    ) -> Callable[[ResponseHead, bytes, bytes], Awaitable[bool]] | None:
        """Say by what an answer is read on its way; None: it goes on as it comes."""
        admitted, verdict = self.admitted, self.admitted.verdict
        has_body = not admitted.expected.is_head
        if status >= REDIRECTED or status == NO_CONTENT:
            conceals = status >= FAILED and verdict.form.conceals and has_body
            return self._conceal if conceals else None
        if verdict.showing is not None or (verdict.tried is not None and has_body):
            return self._narrow
        hears = admitted.traits.makes_images and self._sides.admission.gate.knows_built
        return self._hear if hears else None

    async def _narrow(self, response: ResponseHead, head: bytes, data: bytes) -> bool:
        """Pass on what may be shown of an answer, or all of it, and count what would not be
        shown; True if the client knows where it ends."""
        client, verdict = self._sides.client, self.admitted.verdict
        one_kind = Counting if verdict.showing is None else Narrowing
        showing = verdict.showing or verdict.tried
        assert showing is not None  # noqa: S101  who calls has looked
        narrowing = self._narrowing = one_kind(showing, response, self._sides)
        try:
            first = await narrowing.begin(head, data, self.admitted.expected)
            self._begin_to_answer()
            await client.wire.send_all(first)
            if not narrowing.is_over:
                await narrowing.rest(client.wire)
        finally:
            narrowing.close()
        self._is_engine_fit = response.keep_alive and not narrowing.surplus
        return narrowing.is_framed

    async def _hear(self, response: ResponseHead, head: bytes, data: bytes) -> bool:
        """Pass an answer on as it comes, and know which image was made; True if the client
        knows where it ends.

        It is known before the client has the bytes that tell it, for the next request of the
        client may name it.
        """
        self._begin_to_answer()
        hearing = Hearing(response.framing, self._sides.admission.built.add)
        surplus = await self._relay_body(response, head, data, hearing)
        self._is_engine_fit = response.keep_alive and not surplus
        return True

    async def _conceal(self, response: ResponseHead, head: bytes, data: bytes) -> bool:
        """Pass on an error without what it tells of strangers; True if the client may go on."""
        sides, asked = self._sides, self.admitted.verdict.request.target.path.encode()
        content = Content(sides.engine.wire, response.framing, data)
        message = await concealed(sides, response, content, asked)
        self._begin_to_answer()
        self._sent_at_once = len(message)
        await sides.client.wire.send_all(with_body(head, length=len(message)) + message)
        self._is_engine_fit = response.keep_alive and not content.surplus
        return not self.admitted.traits.is_tunnel

    async def _relay_body(
        self,
        response: ResponseHead,
        head: bytes,
        data: bytes,
        boundary: Boundary | None = None,
    ) -> bytes | None:
        """Pass on a head with the body bytes that came with it, then the rest."""
        client, engine = self._sides.client, self._sides.engine
        buffer = self._sides.shared.buffer
        self.downward = boundary or boundary_of(response.framing, UpstreamError)
        used = self.downward.feed(data, 0, len(data))
        await client.wire.send_all(head + data[:used])
        if self.downward.done:
            return data[used:]
        surplus = await relay(
            engine.wire, client.wire, self.downward, buffer, data[used:]
        )
        if surplus is None and response.framing is not UNTIL_CLOSE:
            raise UpstreamLost("the Engine closed the connection in mid-body")
        return surplus

    def _begin_to_answer(self) -> None:
        """Know that the answer goes out from here on; tell of it now, if it is a stream: it
        may last for weeks."""
        if not self.admitted.traits.is_finite and self.status < FAILED:
            self._moment = Moment.OPENED
            self._sides.admission.tell(self.outcome(""))
            self._moment = Moment.CLOSED
        self.head_sent = True

    # -- 8: hijacked ---------------------------------------------------------------

    async def _tunnel(self, response: ResponseHead, data: bytes) -> None:
        """Pass the head on, then the client's early bytes, then everything both ways."""
        if not self._is_uploaded:
            if not self.admitted.traits.has_raw_body or self._uploading is None:
                raise UpstreamError(
                    "the Engine opened a stream before the request was whole"
                )
            self._uploading.scope.cancel()
            await self._uploading.over.wait()
            self._is_uploaded = True
        client, engine = self._sides.client, self._sides.engine
        self._is_tunnel = True
        self._begin_to_answer()
        await client.wire.send_all(response.client + data)
        upward, downward = until_close(), until_close()
        upward.skip(self.upward.passed)
        downward.skip(len(data))
        self.upward, self.downward = upward, downward
        early = client.take_early(len(client.early))
        engine.expect_more()
        await tunnel(
            (client.wire, upward), (engine.wire, downward), early, self._sides.shared
        )

    # -- failed --------------------------------------------------------------------

    async def _fail(self, error: UpstreamError | BadRequest) -> After:
        """Answer for an Engine that cannot, as long as no answer has begun."""
        if self.head_sent:
            is_lost = isinstance(error, UpstreamError)
            self.ending = ENGINE_LOST if is_lost else str(error)
            return CLOSE
        if isinstance(error, UpstreamLost):
            error = UpstreamLost(
                "the Docker Engine closed the connection before it answered:"
                " the request may have run"
            )
        self.status = error.status
        self.is_ours = True
        self.ending = str(error)
        is_head = self.admitted.expected.is_head
        self.serial = next(self._sides.shared.serials)
        answer = replies.with_id(replies.error(error, head_only=is_head), self.serial)
        await self._sides.client.wire.send_all(answer)
        return LINGER
