"""Listeners, a task per connection, and the way to an orderly end."""

import select
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import trio

from trioproxy.api.routes import compile_dockers
from trioproxy.config import ANYBODY, Config, Level, Listened
from trioproxy.errors import ClientLost, TrioProxyError, leaf_of
from trioproxy.hostpath import Own
from trioproxy.http.hearing import Built
from trioproxy.http.hosts import Reach, Site
from trioproxy.judge.gate import Gate
from trioproxy.judge.guard import Guard
from trioproxy.judge.outcome import Observer, host_of_client, name_of_client
from trioproxy.proxy import listeners, replies
from trioproxy.proxy.admission import Admission
from trioproxy.proxy.bodies import Bodies
from trioproxy.proxy.capacity import (
    TOO_MANY,
    Capacity,
    raise_descriptor_limit,
    wait_for_room,
)
from trioproxy.proxy.client import Client
from trioproxy.proxy.condition import LONGEST_PROBE, Health, probe_of
from trioproxy.proxy.listeners import Listener
from trioproxy.proxy.log import Log
from trioproxy.proxy.memory import give_back_what_is_free, give_back_what_lies_between
from trioproxy.proxy.shared import Remembered, Shared
from trioproxy.proxy.turnedaway import TurnedAway
from trioproxy.proxy.watch import Watch, Watched
from trioproxy.proxy.wire import Wire

if TYPE_CHECKING:
    from trioproxy.proxy.asking import Asking
    from trioproxy.proxy.connection import Connection
    from trioproxy.proxy.containers import Containers
    from trioproxy.proxy.engine import Engine
    from trioproxy.proxy.metrics import Metrics

IDLE_SECONDS: Final = 600.0
"""An idle keep-alive connection is closed after this time, as the incumbent does."""

REAP_EVERY: Final = 30.0
ACCEPTS: Final = 16
"""Clients accepted in one go, after which those that are here have their turn."""

ABOUT_TO_ASK: Final = 0.1
"""Seconds that idle connections have for one more request, when all shall end."""

TELLS_WITHIN: Final = 0.1
"""Seconds in which who is cut tells how that ended; some stay for longer (`Connection._outlast`)."""

LEFT_OVER: Final = (
    "the service manager hands over a socket called {!r:.80}, and no --listen names it:"
    " who connects to it waits for ever"
)
NO_OBSERVERS: Final[Mapping[str, Iterable[Observer]]] = MappingProxyType({})

SPEAKS_WITHIN: Final = 0.025
"""Seconds in which who asks for health has said so, and is answered whoever that is."""


class Server:
    """Serves clients from `run` until `drain` has let them go."""

    def __init__(  # noqa: PLR0913  settings of one server, each by its name
        self,
        *,
        config: Config,
        gates: Mapping[str, Gate],
        of_containers: Iterable[str] = (),
        containers: bool = False,
        welcome: Callable[..., Awaitable[str]] | None = None,
        log: Log,
        observers: Mapping[str, Iterable[Observer]] = NO_OBSERVERS,
        away: float = 0.0,
        own: Own | None = None,
        asking: "Asking | None" = None,
    ) -> None:
        """`containers`: whether who comes by TCP, and has no policy by the listener, is known
        by the container. `welcome`: begins a policy for whoever has none, of the names that
        he may have; its name. Raises `ConfigError` and `Nobody`.

        `observers` are told what became of each request, besides the log.

        Theirs and `gates`: by what the clients of a policy are called, "" of all who have none
        of their own. `of_containers`: which of these names containers have.

        `away`: see `Watch`; only where this run of Trio serves nobody else. `own`: the
        container of this process. `asking`: who is asked about what is refused.
        """
        self.config = config
        self.log = log
        self.addresses: tuple[str, ...] = ()
        self.connections: set[Connection] = set()
        self.asking = asking
        self._watch = Watch(away=away)
        self.health = Health(config.upstream, self._watch, self._hindrance)
        self._shared = Shared(
            upstream=config.upstream,
            log=log,
            watch=self._watch,
            health=self.health,
            bodies=Bodies(config.max_body),
            remembered=Remembered(own=own or Own()),
            asking=asking,
        )
        self._admissions = dict[tuple[str, Reach], Admission]()
        """Of each policy, by the name of its clients, and where they reach it."""
        self._oldest = ""
        self._guard: Guard | None = None
        # All at once: to guard each name by itself takes a second of 256 policies.
        self._of_containers = dict.fromkeys(of_containers, True)
        """The names of the policies that containers have, and whether each is in force."""
        self._containers: Containers | None = None
        self._welcome = welcome
        self._metrics = self._measure() if config.metrics else None
        self.metrics_address = ""
        if containers:
            self._containers = self._know_containers()
        for client, gate in gates.items():
            is_containers = client in self._of_containers
            told = observers.get(client, ())
            self.reload(gate, told, client, is_containers=is_containers)
        self._capacity = Capacity(self._shared.clients)
        self._turned_away = TurnedAway(self._shared, self._capacity)
        self._accepting = trio.CancelScope()
        self._one_ended = trio.Event()

    @property
    def gates(self) -> dict[str, Gate]:
        """What new requests are judged by, by the name of the clients."""
        of_all = self._admissions.items()
        return {client: one.gate for (client, _), one in of_all}

    @property
    def is_draining(self) -> bool:
        """Whether no more clients are taken, and those here finish."""
        return self._shared.is_draining

    @property
    def has_turned_away(self) -> bool:
        """Whether a client was given no place, or is nobody."""
        return self._shared.turned_away.total() > 0

    def _hindrance(self) -> str:
        """Say why nobody is served now, whatever the Engine does."""
        if self.is_draining:
            return "draining"
        if self._containers is not None and not self._containers.is_listening:
            return "nobody is known by a container: the Engine tells of no events"
        return ""

    def know_oldest(self, oldest: str) -> None:
        """Know the oldest version of its API that the Engine takes; empty: not known."""
        self._oldest = oldest
        for admission in self._admissions.values():
            admission.know_oldest(oldest)

    def reload(
        self,
        gate: Gate,
        observers: Iterable[Observer] = (),
        client: str = "",
        *,
        is_containers: bool = False,
    ) -> None:
        """Judge by another gate, and tell these observers: all at once.

        What is being served is judged again, and cut where the new gate refuses it: of
        the clients that have this policy, and of no others. `is_containers`: whether a
        container may have it.
        """
        gate.limits.make_ready()
        if gate.audits:  # loaded with the first: most logs are text
            from trioproxy.evidence import keeping  # noqa: F401

        log = self._metrics.of(client).note if self._metrics else self.log.request
        observers = (log, *observers)
        if is_containers:
            self.expect(client, is_in_force=True)
        gate = replace(gate, guard=self._guard) if self._guard else gate
        old, built = self._admissions.get((client, Reach.UNIX)), Built()
        before = old.gate if old else None
        for reach in Reach:
            site = Site(reach=reach, allowed_hosts=self.config.allowed_hosts)
            fresh = Admission(gate, site, client, built, self._oldest)
            self._admissions.setdefault((client, reach), fresh).reload(gate, observers)
        if self.asking is not None:
            self.asking.reloaded(client, gate, before)
        for connection in self.connections:
            if connection.admission.client == client:
                connection.judge_again()

    @property
    def unread(self) -> set[str]:
        """The names of the policies that containers have, and that are not in force."""
        found = self._of_containers.items()
        return {client for client, is_in_force in found if not is_in_force}

    def expect(self, *clients: str, is_in_force: bool = False) -> None:
        """Know that containers have such policies. Who had another one for want of it is cut;
        until it is in force they are nobody, for that one would let them do more than is meant."""
        known = self._of_containers
        new = {one for one in clients if known.get(one, not is_in_force) != is_in_force}
        if new:
            known.update(dict.fromkeys(new, is_in_force))
            self._guard_anew(names=frozenset(known))
        self.cut("policy-came", lambda one: not new.isdisjoint(one.client.before))

    def forget(self, *clients: str) -> None:
        """Judge by policies of containers no more: they are gone, and their clients are cut."""
        for client in clients:
            self._of_containers.pop(client, None)
            for reach in Reach:
                self._admissions.pop((client, reach), None)
            self.health.standings.pop(client, None)
            if self.asking is not None:
                self.asking.forget(client)
            if self._metrics is not None:
                self._metrics.forget(client)
        self._guard_anew(names=frozenset(self._of_containers))
        self.cut("policy-gone", lambda one: one.admission.client in clients)

    def cut(self, why: str, is_meant: "Callable[[Connection], object]") -> None:
        """End the connections that are meant."""
        for connection in list(self.connections):
            if is_meant(connection):
                connection.cut(why)

    async def have_told(self, client: str) -> None:
        """Wait until who was cut with a policy has told how that ended."""
        await self._wait_until(
            lambda: all(one.admission.client != client for one in self.connections),
            TELLS_WITHIN,
        )

    def _measure(self) -> "Metrics":
        # Here, for most proxies are asked for no metrics.
        from trioproxy.proxy.metrics import Metrics

        self._shared.is_measured = True
        return Metrics(self._shared, self.connections)

    # -- who is known by a container -----------------------------------------------

    def _know_containers(self) -> "Containers":
        # Here, for most proxies know their clients by listeners.
        from trioproxy.proxy.containers import Containers

        if self._welcome is None:  # who learns keeps nobody from anything
            names = frozenset(self._of_containers)
            self._guard = Guard(names=names, networks=None)
        return Containers(
            self._shared,
            self._of_containers,
            welcome=self._welcome and partial(self._welcome, is_container=True),
            on_networks=self._guard_anew,
            cut=self._cut_container,
        )

    def _guard_anew(self, **changed: frozenset[str]) -> None:
        """Guard other names or networks from now on, in every policy."""
        if self._guard and (guard := replace(self._guard, **changed)) != self._guard:
            self._guard = guard
            for admission in self._admissions.values():
                admission.reload(replace(admission.gate, guard=guard))

    def _cut_container(self, container: str) -> None:
        """Cut the clients of a container that is gone, or of all ("")."""
        of_all = {one.client.container for one in self.connections} - {""}
        gone = {container} if container else of_all
        self.cut("container-gone", lambda one: one.client.container in gone)

    async def _choose(
        self, engine: "Engine", wire: Wire, peer: str, listener: Listener
    ) -> tuple[Sequence[str], str]:
        """See `Containers.choose`; who is none of a container's is called as he is welcomed."""
        if self._containers is not None and listener.reach is not Reach.UNIX:
            age, host = listeners.age_of(wire.sock), host_of_client(peer)
            return await self._containers.choose(engine, host, age)
        assert self._welcome is not None  # noqa: S101  else the listener has a policy
        return [await self._welcome([listeners.client_name_of(peer)])], ""

    async def _serve_container(
        self, wire: Wire, peer: str, group: str, listener: Listener
    ) -> None:
        """Serve a client by the policy of its container, or by what it is welcomed as, in the
        task that asks for that.

        Closing: the sockets of who is nobody, and was answered, are closed here.
        """
        shared, capacity, turned_away = self._shared, self._capacity, self._turned_away
        engine, connection = shared.engine(), None
        try:
            if await _asks_for_health(wire):
                await turned_away.answer(wire, TOO_MANY)  # which answers that
                return
            (*before, name), container = await self._choose(
                engine, wire, peer, listener
            )
            if shared.is_over:
                return
            # From here on it counts by what it is, whichever of its addresses it came from.
            capacity.leave(group)
            group = container or f"{name}@{group}"
            refusal = capacity.make_room(group)
            capacity.take(group)
            if refusal:
                await turned_away.answer(wire, refusal)
                return
            admission = self._admissions[name, listener.reach]
            client = Client(wire, f"{name}@{peer}", group, shared.clients)
            client.container, client.before = container, before
            connection = self._begin(client, admission, engine)
        except TrioProxyError as error:
            engine.drop()
            await turned_away.refuse(wire, peer, error)
        except Exception as error:  # noqa: BLE001  the edge, as of a connection: it ends one client
            self.log.crash(peer, leaf_of(error))
            await turned_away.answer(
                wire, str(replies.CRASHED), status=replies.CRASHED.status
            )
        finally:
            if connection is None:
                engine.drop()
                wire.close()
                capacity.leave(group)
                self._one_ended.set()
        if connection is not None:
            await connection.serve(self._ended)

    async def run(
        self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen, and serve until drained or cancelled.

        Started when the listeners are bound; `addresses` then names them. Closing: the
        listeners and Unix socket files are removed here, with the beginning of a drain.
        """
        give_back_what_is_free()
        descriptors = raise_descriptor_limit()
        bound, scraped = list[Listener](), list[Listener]()
        try:
            bound = self._bind(self.config.listen)
            self.addresses = tuple(one.name for one in bound)
            for name in listeners.left_over(self.config.all_listened):
                self.log.line(Level.WARNING, "warning", text=LEFT_OVER.format(name))
            if self.asking is not None:
                self.asking.bind()
            if self.config.metrics:
                scraped = self._bind((self.config.metrics,))
                self.metrics_address = ",".join(one.name for one in scraped)
            self._set_limits(descriptors, (*bound, *scraped))
            # Two nurseries: those who serve end first, and what they need - the watch, the
            # log - is cancelled when the last of them is gone.
            async with trio.open_nursery() as background:
                background.start_soon(self._watch.run)
                background.start_soon(self._watch.give_turns)
                background.start_soon(
                    self.log.run, self._watch.look, self._watch.nobody_stays
                )
                background.start_soon(self.log.run_counts)
                background.start_soon(self._reap)
                if self.asking is not None:
                    from trioproxy.proxy import holding  # noqa: F401  before it is needed

                    background.start_soon(self.asking.run)
                if self._containers is not None:
                    self._watch.start_soon(background, self._containers.listen)
                background.start_soon(self._turned_away.tell)
                # Behind the listeners, so that nobody waits for it, and before anybody comes, so that
                # no request is the first to need what another program on disk may have by then.
                from trioproxy.proxy.connection import Connection

                self._connect = Connection
                compile_dockers()
                task_status.started()
                await self._accept_all(bound, scraped, background)
                background.cancel_scope.cancel()
        finally:
            _close((*bound, *scraped))
            if self.asking is not None:
                self.asking.close()
            self._watch.close()
            self._shared.buffer.close()
            self.log.finish()

    def _bind(self, addresses: Iterable[Listened]) -> list[Listener]:
        bound: list[Listener] = []
        try:
            for address in addresses:
                bound += listeners.bind(address)
        except BaseException:
            _close(bound)
            raise
        return bound

    def _set_limits(self, descriptors: int, listening: Iterable[Listener]) -> None:
        wanted = self.config.max_connections
        # Of what was lent there is a copy: both are open.
        open_by_now = sum(1 + one.is_lent for one in listening)
        self._capacity.fit(self.config, descriptors, open_by_now)
        if (taken := self._capacity.limit) < wanted:
            found = {"taken": taken, "descriptors": descriptors}
            self.log.line(Level.NOTICE, "max-connections", wanted=wanted, **found)

    # -- accepting -----------------------------------------------------------------

    async def _accept_all(
        self, bound: list[Listener], scraped: list[Listener], background: trio.Nursery
    ) -> None:
        """Accept and serve. Closing: the listeners, before those here have finished.

        Whoever comes after that is refused at once and finds a successor, which can bind;
        a client that had already connected, and waits in the backlog, is still served.
        `scraped`: those of who reads metrics, answered in `background`: nobody waits for them.
        """
        async with trio.open_nursery() as serving:
            with self._accepting:
                async with trio.open_nursery() as accepting:
                    for one in bound:
                        admission = self._admission_of(one)
                        take = partial(self._take, one, admission, serving)
                        self._watch.start_soon(accepting, self._accept_from, one, take)
                    for one in scraped:
                        self._watch.start_soon(
                            accepting, self._answer_scrapes, one, background
                        )
            _close(scraped)
            scraped.clear()
            while bound:
                one = bound[-1]
                one.remove()
                if not one.is_lent:
                    await self._take_the_last(one, serving)
                bound.pop().sock.close()

    async def _take_the_last(self, listener: Listener, nursery: trio.Nursery) -> None:
        """Accept those who have asked and wait in a backlog: closing it would reset them.

        Who has not asked for anything yet finds an end, and asks a successor.
        """
        admission = self._admission_of(listener)
        for _ in range(listeners.BACKLOG):
            try:
                client, address = listener.sock.accept()
            except OSError:  # empty, or no descriptor is left: these find a reset
                return
            try:
                client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except OSError:
                client.close()
            else:
                self._take(listener, admission, nursery, client, address)
                await self._turned_away.room()

    def _admission_of(self, listener: Listener) -> Admission | None:
        """Whose policy judges, and where it is reached; None: each client's own, by its
        container, or as whoever welcomes it calls it."""
        is_unix = listener.reach is Reach.UNIX
        is_known = listener.entry.client or (is_unix and not self._welcome)
        if not is_known and (self._containers or self._welcome):
            return None
        return self._admissions[listener.entry.client, listener.reach]

    async def _answer_scrapes(
        self, listener: Listener, background: trio.Nursery
    ) -> None:
        """Accept who reads metrics, in places of their own."""
        from trioproxy.proxy.scraping import SCRAPE_PAUSE, Scraping

        assert self._metrics is not None  # noqa: S101  the listener is theirs
        hosts = self.config.allowed_hosts
        site = Site(reach=listener.reach, allowed_hosts=hosts)
        scraping = Scraping(
            self._shared, self._metrics.text, listener.entry, site, background
        )
        await self._accept_from(listener, scraping.take, SCRAPE_PAUSE)

    async def _accept_from(
        self,
        listener: Listener,
        take: Callable[[socket.socket, object], None],
        pause: float = 0.0,
    ) -> None:
        """Accept clients until cancelled. Without a descriptor for a new one it waits for
        one; the clients that are served are not concerned."""
        listener.sock.setblocking(False)
        watched, is_exhausted, accepted = Watched(listener.sock, self._watch), False, 0
        try:
            while True:
                await trio.lowlevel.checkpoint_if_cancelled()
                try:
                    sock, address = watched.sock.accept()
                except BlockingIOError:
                    # EAGAIN is the proof that the backlog is empty; the next edge is new.
                    watched.heard = 0
                    await self._watch.readable(watched)
                except ConnectionAbortedError:
                    pass  # the client left before it was accepted
                except OSError as error:
                    # Of some there is no end, as of a listener that another process shuts
                    # down.
                    await wait_for_room(self.log, error, is_told=is_exhausted)
                    is_exhausted = True
                else:
                    is_exhausted = False
                    take(sock, address)
                    await self._turned_away.room()
                    accepted += 1
                    if accepted % ACCEPTS == 0:
                        # Not in the queue of those who give way: a newcomer would wait
                        # behind all of a flood that is here already.
                        await trio.sleep(pause)
        finally:
            self._watch.remove(watched)

    def _take(
        self,
        listener: Listener,
        admission: Admission | None,
        nursery: trio.Nursery,
        sock: socket.socket,
        address: object,
    ) -> None:
        """Start serving an accepted client; one that cannot be watched is let go."""
        is_tcp = listener.reach is not Reach.UNIX
        is_asked = is_tcp and admission is None and self._containers is not None
        try:
            peer = listeners.peer_of(sock, address)
            # Until the Engine has said who that is, an address is one client, be it of IPv6: each
            # of its neighbours is another container. Of elsewhere whoever has one may have a /64.
            is_one = is_asked and listeners.is_near(peer)
            wire = Wire(sock, ClientLost, self._watch)
        except OSError as error:
            sock.close()
            self.log.line(Level.ERR, "cannot-watch", error=error)
            return
        name = name_of_client(peer) if is_one else listeners.group_of(peer)
        entry, turned_away = listener.entry, self._turned_away
        if entry is not ANYBODY:
            if not entry.admits(name_of_client(peer)):
                turned_away.begin(nursery, turned_away.keep_out, wire, peer, listener)
                return
            if entry.client:
                # Who has a policy of its own is another client than who has another one.
                peer, name = f"{entry.client}@{peer}", f"{entry.client}@{name}"
        refusal = self._capacity.make_room(name)
        if refusal:
            turned_away.begin(nursery, turned_away.answer, wire, refusal, entry.client)
            return
        self._capacity.take(name)
        if admission is None:
            serve = self._serve_container
            self._watch.start_soon(nursery, serve, wire, peer, name, listener)
            return
        client = Client(wire, peer, name, self._shared.clients)
        connection = self._begin(client, admission, self._shared.engine())
        # Most have spoken by now: look, rather than wait to be told.
        wire.heard |= select.EPOLLIN
        self._watch.start_soon(nursery, connection.serve, self._ended)

    def _begin(
        self, client: Client, admission: Admission, engine: "Engine"
    ) -> "Connection":
        connection = self._connect(client, admission, self._shared, engine)
        self.connections.add(connection)
        self._shared.accepted += 1
        return connection

    def _ended(self, connection: "Connection") -> None:
        self.connections.discard(connection)
        self._capacity.forget(connection.client)
        self._one_ended.set()

    # -- ending --------------------------------------------------------------------

    async def _reap(self) -> None:
        """Close connections that were idle for long, from either side's neglect, and give
        back what others took and hold no more."""
        while True:
            await trio.sleep(REAP_EVERY)
            give_back_what_lies_between()
            now = trio.current_time()
            for client in tuple(self._shared.clients.idle):
                if client.idle_for(now) >= IDLE_SECONDS:
                    client.end_silent()

    async def drain(self, *, finite: float = 8.0, streams: float = 0.0) -> None:
        """Take no more clients and let those here finish; then `run` returns.

        `finite` seconds for requests that end, `streams` for those that may never.
        """
        # Idle connections end, so that their clients come back to whoever is next; those in
        # mid-request end by themselves, as `is_draining` makes each its last. Who has only
        # just connected is about to ask, and would not know whether it may ask again.
        self._shared.is_draining = True
        self.log.line(Level.NOTICE, "draining", connections=len(self.connections))
        self._accepting.cancel()
        if self.asking is not None:
            self.asking.stop()
        idle = self._shared.clients.idle
        await self._wait_until(lambda: not idle, ABOUT_TO_ASK)
        for client in tuple(idle):
            client.end_silent()
        await self._wait_until(lambda: not self._streaming(), streams)
        for connection in self._streaming():
            connection.client.end()
        await self._wait_until(
            lambda: not (self.connections or self._capacity.taken), finite
        )
        self._shared.is_over = True
        for connection in self.connections:
            connection.client.end()

    def _streaming(self) -> "list[Connection]":
        return [connection for connection in self.connections if connection.streams]

    async def _wait_until(self, is_done: Callable[[], bool], seconds: float) -> None:
        with trio.move_on_after(seconds):
            while not is_done():
                if self._one_ended.is_set():  # else somebody else waits for it
                    self._one_ended = trio.Event()
                await self._one_ended.wait()


async def _asks_for_health(wire: Wire) -> bool:
    """Whether a client asks the proxy itself, so that it does not matter who that is.

    What came is looked at, and stays where it is; who asks for health speaks at once.
    """
    said = wire.peek_now(LONGEST_PROBE)
    if said is None:  # most have spoken: a scope for nothing costs an accept
        with trio.move_on_after(SPEAKS_WITHIN):
            while said is None:
                await wire.watch.readable(wire)
                said = wire.peek_now(LONGEST_PROBE)
    return said is not None and probe_of(said) is not None


def _close(bound: Iterable[Listener]) -> None:
    for one in bound:
        one.remove()
        one.sock.close()
