"""The story of a request, and of the connection it came on.

    1    the request head      `Client.read_head`; `http.read_request`, or the memo
    2-5  target to decision    `policy.gate.judge`
    6    refused               `_refuse`: our answer, then the next head or the end
    7    allowed               `_forward`: upstream, body, response
    8    hijacked              `tunnel`; else the next cycle

One task serves a connection. A second one exists only while a request body that did not
come with its head is relayed, or a tunnel is open. This file knows no rule and parses
nothing: what may pass is the gate's word alone.
"""

import time
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import trio

from trioproxy.config import Address
from trioproxy.errors import (
    BadRequest,
    ClientLost,
    TrioProxyError,
    UpstreamError,
    UpstreamLost,
)
from trioproxy.policy.endpoints import Effect, Stream
from trioproxy.policy.gate import Gate
from trioproxy.proxy import replies
from trioproxy.proxy.client import DRAIN_SECONDS, Client
from trioproxy.proxy.engine import Engine, ResponseMemo
from trioproxy.proxy.health import Health
from trioproxy.proxy.http import (
    NO_BODY,
    UNTIL_CLOSE,
    Fields,
    Memo,
    RequestHead,
    ResponseHead,
    read_request,
    with_close,
)
from trioproxy.proxy.log import Log, quote
from trioproxy.proxy.relay import NOTHING, Boundary, Buffer, boundary_of, relay
from trioproxy.proxy.tunnel import tunnel
from trioproxy.proxy.watch import Hangup, Watch

HALF_CLOSE_SECONDS: Final = 5.0
"""After the client's end of data, until a response that goes on is cut."""

FINITE: Final = frozenset({Stream.NONE, Stream.DOWNLOAD, Stream.UPLOAD})


class Phase(Enum):
    """Where a connection is, for those who look at it from outside its task."""

    REQUEST = "request"
    RESPONDING = "responding"
    TUNNEL = "tunnel"


@dataclass(slots=True, kw_only=True)
class Shared:
    """What all connections of a server share."""

    upstream: Address
    gate: Gate
    log: Log
    watch: Watch
    health: Health
    requests: Memo[bytes, RequestHead] = field(default_factory=Memo)
    fields: Memo[bytes, Fields] = field(default_factory=Memo)
    responses: ResponseMemo = field(default_factory=Memo)
    buffer: Buffer = field(default_factory=Buffer)
    is_draining: bool = False

    def use_gate(self, gate: Gate) -> None:
        """Judge by another gate from now on; a memo belongs to one gate."""
        self.gate = gate
        self.requests = Memo()


@dataclass(slots=True, kw_only=True)
class Upload:
    """The rest of a request body, on its way beside the response."""

    boundary: Boundary
    ended: trio.Event = field(default_factory=trio.Event)
    failure: TrioProxyError | None = None


class Connection:
    """One client and, while it has requests, its one upstream connection."""

    __slots__ = (
        "_engine",
        "_head",
        "_head_sent",
        "_hung_up",
        "_shared",
        "_started",
        "_status",
        "_upload_done",
        "client",
        "phase",
        "scope",
    )

    def __init__(self, client: Client, shared: Shared) -> None:
        self.client = client
        self.scope = trio.CancelScope()
        self.phase = Phase.REQUEST
        self._shared = shared
        self._engine = Engine(shared.upstream, shared.responses, shared.watch)
        self._head: RequestHead | None = None
        self._status = 0
        self._started = 0.0
        self._head_sent = False
        self._hung_up = False
        self._upload_done = True
        client.wire.on_hangup = self.hung_up

    # -- seen from outside ---------------------------------------------------------

    @property
    def streams(self) -> bool:
        """Whether it serves what may never end."""
        return self._head is not None and self._head.stream not in FINITE

    def hung_up(self, how: Hangup) -> None:
        """Hear from the watch that the client ended its data, or is gone altogether."""
        self._hung_up = True
        if how is not Hangup.END:
            self.client.wire.gone = True
        if self.phase is Phase.RESPONDING:
            self._react_to_hangup()
        elif self.phase is Phase.TUNNEL and self._is_tunnel_over(how):
            self.scope.cancel()

    def _is_tunnel_over(self, how: Hangup) -> bool:
        """Whether nothing is left to pass on; what a client sent before it went is."""
        return how is Hangup.RESET or (self.client.wire.gone and self.client.wire.ended)

    def _react_to_hangup(self) -> None:
        """End a response nobody reads; pass an end of data on as the Engine would see it."""
        if self.client.wire.gone:
            self.scope.cancel()
        elif self._can_pass_eof() and self.client.wire.has_ended():
            self._pass_eof()

    def _can_pass_eof(self) -> bool:
        return (
            self._upload_done
            and not self.client.early
            and self._head is not None
            and not self._head.is_tunnel
        )

    def _pass_eof(self) -> None:
        self._engine.send_eof()
        self.scope.deadline = trio.current_time() + HALF_CLOSE_SECONDS

    # -- the life of a connection --------------------------------------------------

    async def serve(self) -> None:
        """Serve requests one after the other until either side is done.

        Closing: both sockets are closed here, whatever happened. Any failure that is
        nobody's plan is logged and ends this connection only.
        """
        self._shared.watch.begin()
        ending = "client-left"
        try:
            with self.scope:
                while await self._cycle():
                    pass
        except ClientLost:
            pass
        except Exception as error:  # noqa: BLE001  the one edge: a crash ends one connection
            ending = f"crash:{type(error).__name__}"
            self._shared.log.crash(self.client.peer, error)
        finally:
            self._log_request("shutdown" if self._shared.is_draining else ending)
            self._engine.drop()
            self.client.wire.close()

    async def _cycle(self) -> bool:
        """Serve one request; says whether the connection can take another."""
        self.phase = Phase.REQUEST
        try:
            raw = await self.client.read_head()
            if raw is None:
                return False
            self._started = time.perf_counter()
            head = self._shared.requests.get(raw) or self._read_request(raw)
        except BadRequest as error:
            await self._reject(error)
            return False
        self._head = head
        self._status = 0
        if head.is_health:
            return await self._answer_health(head)
        if head.refusal:
            return await self._refuse(head)
        return await self._forward(head)

    # -- 1 to 5: the request head, judged ------------------------------------------

    def _read_request(self, raw: bytes) -> RequestHead:
        head = read_request(raw, self._shared.gate, self._shared.fields)
        if head.remember:
            self._shared.requests.keep(raw, raw, head)
        return head

    async def _reject(self, error: BadRequest) -> None:
        """Answer what cannot be read in exactly one way, and close."""
        if self._shared.log.shows_requests:
            fields = f"decision=rejected reason={quote(str(error))}"
            self._shared.log.request(
                self.client.peer, fields, error.status, "trioproxy"
            )
        await self.client.wire.send_all(replies.error(error))
        await self.client.linger()

    # -- 6: refused ----------------------------------------------------------------

    async def _refuse(self, head: RequestHead) -> bool:
        """Answer a refusal. A body is read and dropped, within bounds."""
        await self._answer(head, 403, head.refusal)
        if head.framing is NO_BODY and head.keep_alive and not self._shared.is_draining:
            return True
        await self.client.linger()
        return False

    async def _answer_health(self, head: RequestHead) -> bool:
        """Say whether the Engine answers: neither recorded nor logged, it is asked for ever."""
        is_up = await self._shared.health.is_up()
        keep = head.keep_alive and head.framing is NO_BODY
        await self.client.wire.send_all(replies.health(is_up=is_up, close=not keep))
        self._head = None
        return keep

    async def _answer(self, head: RequestHead, status: int, reply: bytes) -> None:
        """Send an answer of ours."""
        self._status = status
        self._shared.gate.record(
            head.verdict, status, unrouted=False, peer=self.client.peer
        )
        await self.client.wire.send_all(reply)
        self._log_request("", by="trioproxy")

    # -- 7: allowed ----------------------------------------------------------------

    async def _forward(self, head: RequestHead) -> bool:
        """Send a request that may pass upstream, and its response back."""
        self._head_sent = False
        boundary: Boundary = NOTHING
        body = b""
        try:
            if head.framing is not NO_BODY:
                boundary = boundary_of(head.framing)
                body = self._take_body(boundary)
            if head.raw_body:
                # dockerode sends its options along as a body, for the Engine to lose.
                boundary = NOTHING
            try:
                await self._engine.send_request(head.upstream + body)
                self._upload_done = boundary.done
                if boundary.done:
                    return await self._respond(head)
                return await self._respond_while_uploading(head, boundary)
            except UpstreamLost:
                if not self._may_repeat(head):
                    raise
            # The Engine closed a kept connection just as we used it (RFC 9112, 9.3.1).
            self._engine.drop()
            await self._engine.send_request(head.upstream)
            return await self._respond(head)
        except (UpstreamError, BadRequest) as error:
            return await self._fail(head, error)

    def _take_body(self, boundary: Boundary) -> bytes:
        """Take what came of a body with its head."""
        early = self.client.early
        return self.client.take_early(boundary.feed(early, len(early)))

    def _may_repeat(self, head: RequestHead) -> bool:
        endpoint = head.verdict.request.endpoint
        return (
            self._engine.is_reused
            and not self._engine.has_answered
            and endpoint is not None
            and endpoint.effect is Effect.READ
            and endpoint.stream is Stream.NONE
            and head.verdict.request.method in {"GET", "HEAD"}
            and head.framing is NO_BODY
        )

    async def _respond_while_uploading(
        self, head: RequestHead, boundary: Boundary
    ) -> bool:
        """Relay the rest of the body beside the response; the Engine may answer early."""
        upload = Upload(boundary=boundary)
        keep: bool | TrioProxyError = False
        async with trio.open_nursery() as nursery:
            self._shared.watch.expect()
            nursery.start_soon(self._upload, upload, nursery.cancel_scope)
            keep = await self._outcome(head)
            if keep is True:
                with trio.move_on_after(DRAIN_SECONDS):
                    await upload.ended.wait()
            nursery.cancel_scope.cancel()
        if upload.failure is not None:
            raise upload.failure
        if isinstance(keep, TrioProxyError):
            raise keep
        if not self._upload_done:
            await self.client.linger()
        return keep and self._upload_done

    async def _outcome(self, head: RequestHead) -> bool | TrioProxyError:
        """Respond; a failure is a value here, for a nursery would wrap it."""
        try:
            return await self._respond(head)
        except TrioProxyError as error:
            return error

    async def _upload(self, upload: Upload, scope: trio.CancelScope) -> None:
        """Relay a request body; what breaks it ends the response too."""
        self._shared.watch.begin()
        try:
            surplus = await relay(
                self.client.wire,
                self._engine.wire,
                upload.boundary,
                self._shared.buffer,
            )
        except UpstreamLost:
            # The Engine reads no more; its answer, if there is one, is on its way.
            return
        except (ClientLost, BadRequest) as error:
            upload.failure = error
            scope.cancel()
            return
        if surplus is None:
            self._pass_eof()
            return
        self.client.early = surplus
        self._upload_done = True
        upload.ended.set()

    async def _respond(self, head: RequestHead) -> bool:
        """Wait for the response and pass it on; says whether both sides stay open."""
        self.phase = Phase.RESPONDING
        if self._hung_up:
            self._react_to_hangup()
        response, data = await self._engine.read_head(head)
        while response.is_interim:
            await self.client.wire.send_all(response.client)
            response, data = await self._engine.read_head(head, data)
        self._status = response.status
        self._shared.gate.record(
            head.verdict,
            response.status,
            unrouted=response.unrouted,
            peer=self.client.peer,
        )
        if response.switches:
            await self._tunnel(response, data)
            return False
        keep = head.keep_alive and response.keep_alive and not self._shared.is_draining
        says_close = keep or not response.keep_alive or not head.keep_alive
        client_head = response.client if says_close else with_close(response.client)
        self._head_sent = True
        surplus: bytes | None = b""
        if response.framing.length == len(data):
            await self.client.wire.send_all(client_head + data)
        else:
            surplus = await self._relay_body(response, client_head, data)
        self._log_request("")
        if surplus or not response.keep_alive:
            self._engine.drop()
        return keep and not self._owes_a_body(head)

    def _owes_a_body(self, head: RequestHead) -> bool:
        """Whether what follows is no next request, but meant for a stream that did not open."""
        announced = head.raw_body and head.framing is not NO_BODY
        return head.is_tunnel and (announced or bool(self.client.early))

    async def _relay_body(
        self, response: ResponseHead, client_head: bytes, data: bytes
    ) -> bytes | None:
        """Pass on a head with the body bytes that came with it, then the rest."""
        boundary = boundary_of(response.framing, UpstreamError)
        used = boundary.feed(data, len(data))
        await self.client.wire.send_all(client_head + data[:used])
        if boundary.done:
            return data[used:]
        surplus = await relay(
            self._engine.wire, self.client.wire, boundary, self._shared.buffer
        )
        if surplus is None and response.framing is not UNTIL_CLOSE:
            raise UpstreamLost("the Engine closed the connection in mid-body")
        return surplus

    async def _fail(self, head: RequestHead, error: TrioProxyError) -> bool:
        """Answer for an Engine that cannot, as long as no answer has begun."""
        self._engine.drop()
        if self._head_sent:
            self._log_request("engine-lost")
            return False
        if isinstance(error, UpstreamLost):
            error = UpstreamLost(
                "the Docker Engine closed the connection before it answered:"
                " the request may have run"
            )
        self._status = error.status
        reply = replies.error(error, head_only=head.verdict.request.method == "HEAD")
        await self.client.wire.send_all(reply)
        self._log_request(str(error), by="trioproxy")
        await self.client.linger()
        return False

    # -- 8: hijacked ---------------------------------------------------------------

    async def _tunnel(self, response: ResponseHead, data: bytes) -> None:
        """Pass the head on, then the client's early bytes, then everything."""
        if not self._upload_done:
            raise UpstreamError(
                "the Engine opened a stream before the request was whole"
            )
        self.phase = Phase.TUNNEL
        self._head_sent = True
        await self.client.wire.send_all(response.client + data)
        early = self.client.take_early(len(self.client.early))
        await tunnel(self.client.wire, self._engine.wire, early, self._shared.buffer)
        self._log_request("")

    # -- ends ----------------------------------------------------------------------

    def _log_request(self, ending: str, *, by: str = "engine") -> None:
        """One line a request, at its end."""
        head, log = self._head, self._shared.log
        self._head = None
        if head is None or not log.shows_requests:
            return
        elapsed = time.perf_counter() - self._started
        log.request(self.client.peer, head.fields, self._status, by, elapsed, ending)
