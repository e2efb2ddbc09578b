"""Listeners, a task per connection, limits and the way to an orderly end."""

import errno
import os
import resource
import socket
from collections.abc import Callable, Iterable
from typing import Final

import trio

from trioproxy.config import Config, Level
from trioproxy.errors import ClientLost
from trioproxy.policy.gate import Gate
from trioproxy.policy.outcome import Observer
from trioproxy.proxy import listeners, replies
from trioproxy.proxy.admission import Admission
from trioproxy.proxy.client import Client
from trioproxy.proxy.connection import Connection
from trioproxy.proxy.health import Health
from trioproxy.proxy.log import Log
from trioproxy.proxy.shared import Shared
from trioproxy.proxy.watch import Watch, Watched
from trioproxy.proxy.wire import Wire

IDLE_SECONDS: Final = 600.0
"""An idle keep-alive connection is closed after this time, as the incumbent does."""

REAP_EVERY: Final = 30.0
EXHAUSTED_PAUSE: Final = 0.1
"""Seconds to wait for a descriptor when there is none to accept a client with."""

TURNED_AWAY_LIMIT: Final = 128
"""Clients over the limit that are waited for until they read their 503."""

TURNED_AWAY_SECONDS: Final = 1.0
TOO_MANY: Final = replies.message(
    503, "too many connections: raise MAX_CONNECTIONS or the descriptor limit"
)

SPARE_DESCRIPTORS: Final = 64


def raise_descriptor_limit() -> int:
    """Raise the soft descriptor limit to the hard one; returns what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        # Some kernels refuse an unlimited soft limit: what we have must do.
        return soft
    return hard


def connection_limit(wanted: int, descriptors: int) -> int:
    """How many clients fit: each needs two descriptors, its own and the Engine's."""
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (descriptors - SPARE_DESCRIPTORS) // 2))


class Server:
    """Serves clients from `run` until `drain` has let them go."""

    def __init__(
        self,
        *,
        config: Config,
        gate: Gate,
        log: Log,
        observers: Iterable[Observer] = (),
        away: float = 0.0,
    ) -> None:
        """`observers` are told what became of each request, besides the log.

        `away`: see `Watch`; only where this run of Trio serves nobody else.
        """
        self.config = config
        self.log = log
        self.addresses: tuple[str, ...] = ()
        self.connections: set[Connection] = set()
        self._watch = Watch(away=away)
        self._shared = Shared(
            upstream=config.upstream,
            log=log,
            watch=self._watch,
            health=Health(config.upstream, self._watch),
        )
        self._admission = Admission(gate, self._shared.header_memo)
        self.reload(gate, observers)
        self._limit = config.max_connections
        self._turned_away = 0
        self._accepting = trio.CancelScope()
        self._one_ended = trio.Event()

    @property
    def gate(self) -> Gate:
        """What new requests are judged by."""
        return self._admission.gate

    @property
    def is_draining(self) -> bool:
        """Whether no more clients are taken, and those here finish."""
        return self._shared.is_draining

    def reload(self, gate: Gate, observers: Iterable[Observer] = ()) -> None:
        """Judge new requests by another gate, and tell these observers of them."""
        self._admission.reload(gate, (self.log.request, *observers))

    async def run(
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen, and serve until drained or cancelled.

        Started when the listeners are bound; `addresses` then names them. Closing: the
        listeners and Unix socket files are removed here.
        """
        self._raise_limits()
        sockets = self._bind()
        try:
            self.addresses = tuple(listeners.name_of(sock) for sock in sockets)
            async with trio.open_nursery() as background:
                background.start_soon(self._watch.run)
                background.start_soon(self.log.run)
                background.start_soon(self._reap)
                task_status.started()
                await self._accept_all(sockets)
                background.cancel_scope.cancel()
        finally:
            self._close(sockets)
            self._watch.close()
            self._shared.buffer.close()
            self.log.flush()

    def _bind(self) -> list[socket.socket]:
        sockets: list[socket.socket] = []
        try:
            for address in self.config.listen:
                sockets += listeners.bind(address)
        except BaseException:
            self._close(sockets)
            raise
        return sockets

    def _close(self, sockets: list[socket.socket]) -> None:
        for sock in sockets:
            if sock.family == socket.AF_UNIX:
                _unlink_quietly(sock.getsockname())
            sock.close()

    def _raise_limits(self) -> None:
        descriptors = raise_descriptor_limit()
        self._limit = connection_limit(self.config.max_connections, descriptors)
        if self._limit < self.config.max_connections:
            self.log.line(
                Level.NOTICE,
                "max-connections",
                wanted=self.config.max_connections,
                taken=self._limit,
                descriptors=descriptors,
            )

    # -- accepting -----------------------------------------------------------------

    async def _accept_all(self, sockets: list[socket.socket]) -> None:
        async with trio.open_nursery() as serving:
            with self._accepting:
                async with trio.open_nursery() as accepting:
                    for sock in sockets:
                        sock.setblocking(False)
                        self._watch.start_soon(accepting, self._accept, sock, serving)

    async def _accept(self, sock: socket.socket, nursery: trio.Nursery) -> None:
        listener = Watched(sock, self._watch)
        try:
            await self._accept_from(listener, nursery)
        finally:
            self._watch.remove(listener)

    async def _accept_from(self, listener: Watched, nursery: trio.Nursery) -> None:
        """Accept clients for ever; out of descriptors, those who are here go on."""
        is_exhausted = False
        while True:
            await trio.lowlevel.checkpoint_if_cancelled()
            try:
                sock, address = listener.sock.accept()
            except BlockingIOError:
                listener.heard = 0
                await self._watch.readable(listener)
            except OSError as error:
                if error.errno not in {
                    errno.EMFILE,
                    errno.ENFILE,
                    errno.ENOMEM,
                    errno.ENOBUFS,
                }:
                    continue  # the client left before it was accepted
                if not is_exhausted:
                    is_exhausted = True
                    self.log.line(Level.ERR, "out-of-descriptors", error=error)
                await trio.sleep(EXHAUSTED_PAUSE)
            else:
                is_exhausted = False
                self._take(sock, address, nursery)

    def _take(
        self, sock: socket.socket, address: object, nursery: trio.Nursery
    ) -> None:
        """Start serving an accepted client; one that cannot be watched is let go."""
        try:
            peer = listeners.peer_of(sock, address)
            wire = Wire(sock, ClientLost, self._watch)
        except OSError as error:
            sock.close()
            self.log.line(Level.ERR, "cannot-watch", error=error)
            return
        if len(self.connections) >= self._limit:
            self._watch.start_soon(nursery, self._turn_away, wire)
            return
        connection = Connection(Client(wire, peer), self._admission, self._shared)
        self.connections.add(connection)
        self._watch.start_soon(nursery, self._serve, connection)

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.serve()
        finally:
            self.connections.discard(connection)
            self._one_ended.set()

    async def _turn_away(self, wire: Wire) -> None:
        """Answer 503 at once; wait a moment for it to be read, while there is room."""
        self._turned_away += 1
        try:
            with trio.move_on_after(TURNED_AWAY_SECONDS):
                await wire.send_all(TOO_MANY)
                wire.send_eof()
                if self._turned_away <= TURNED_AWAY_LIMIT:
                    while await wire.recv(4096):
                        pass
        except ClientLost:
            pass
        finally:
            self._turned_away -= 1
            wire.close()

    # -- ending --------------------------------------------------------------------

    async def _reap(self) -> None:
        """Close connections that were idle for long, from either side's neglect."""
        while True:
            await trio.sleep(REAP_EVERY)
            now = trio.current_time()
            for connection in self.connections:
                if connection.client.idle_for(now) >= IDLE_SECONDS:
                    connection.scope.cancel()

    async def drain(self, *, finite: float = 8.0, streams: float = 0.0) -> None:
        """Take no more clients and let those here finish; then `run` returns.

        `finite` seconds for requests that end, `streams` for those that may never.
        """
        self._shared.is_draining = True
        self.log.line(Level.NOTICE, "draining", connections=len(self.connections))
        self._accepting.cancel()
        for connection in self.connections:
            if connection.client.is_idle:
                connection.scope.cancel()
        await self._wait_until(lambda: not self._streaming(), streams)
        for connection in self._streaming():
            connection.scope.cancel()
        await self._wait_until(lambda: not self.connections, finite)
        for connection in self.connections:
            connection.scope.cancel()

    def _streaming(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.streams]

    async def _wait_until(self, is_done: Callable[[], bool], seconds: float) -> None:
        with trio.move_on_after(seconds):
            while not is_done():
                self._one_ended = trio.Event()
                await self._one_ended.wait()


def _unlink_quietly(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        # Somebody removed it before us, which is what we want.
        return
