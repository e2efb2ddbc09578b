"""Which container a client is: asked of the Engine after each accept, and never remembered.

One question tells it, on the connection that carries the client's requests then: who is on
the network where somebody had this address before. It is answered from what the Engine has
given away, while its list of containers goes on to have those whose volumes are put away.
Where it names the same container, by the same end and name, it is the one that was asked
about before: its labels and its image are for good. Of whoever else has the address what it
is is asked, and since when it is there. So what is remembered grants nothing: the Engine has
to say again whose the address is.

A client is cut when its container goes, or is called otherwise: a stream of events tells of
that. While there is no such stream nobody is chosen, and when it breaks all who were chosen
are cut: nobody knows who has their addresses now.
"""

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from math import inf
from typing import Final

import trio

from trioproxy.api import timestamps
from trioproxy.api.arguments import map_of, text_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.config import Level
from trioproxy.errors import (
    BadBody,
    EngineTooSlow,
    Nobody,
    TooMuch,
    Untold,
    UpstreamError,
)
from trioproxy.http.framing import CHUNKED
from trioproxy.judge import identity
from trioproxy.limits.things import Thing
from trioproxy.proxy.engine import Content, Engine
from trioproxy.proxy.inquiry import (
    ANSWER,
    OK,
    ask,
    check_told,
    parse_answer,
    with_filters,
    written,
)
from trioproxy.proxy.resolve import inherited
from trioproxy.proxy.shared import Shared

CHOOSE_SECONDS: Final = 5.0
"""From an accept until the Engine has said who that is: 504."""

PAUSES: Final = (0.1, 0.3, 0.6)
"""Seconds until it is asked again who has an address that nobody seems to have."""

NOTED_LATE: Final = 0.05
"""Seconds by which the start of a container may be noted late, where the Engine does not tell
that it came. To start another one at an address that becomes free takes it longer."""

AT_ONCE: Final = 8
"""Connections from one address of which the Engine is asked at once: who makes more of them waits
for his own, and nobody else does."""

LISTEN_AGAIN: Final = 1.0
"""Seconds until a stream of events that broke is asked for again."""

MOST_ENDS: Final = 4096
"""Containers whose ends on the proxy's networks are remembered, before all are forgotten; and these networks."""

LONGEST_EVENT: Final = 1024 * 1024
"""Bytes of an event that are read: it has a container's labels in it."""

_UNHEARD: Final = "nobody is known by a container: the Engine tells of no events"
_SILENT: Final = "the Docker Engine does not say which container this is"
_FORGOTTEN: Final = "the Engine tells no more who had this address when this connection was made: connect again"
_FULL_ID: Final = re.compile(rb'"([0-9a-f]{64})"')
"""By itself, for an image may have one in its name (`x/ID`), which stands between these."""

EVENTS: Final = with_filters(
    "/events",
    {
        "type": ["container", "network"],
        "event": ["connect", "die", "disconnect", "rename"],
    },
)


@dataclass(slots=True, eq=False)
class Containers:
    """Knows who is who, for as long as it takes to say so."""

    _shared: Shared
    _policies: Mapping[str, bool]
    """What those are called that containers have, and whether each is in force."""
    welcome: Callable[[list[str]], Awaitable[str]] | None = field(kw_only=True)
    """Begins one for whoever has none, by the names that it may have."""
    on_networks: Callable[..., None] = field(kw_only=True)
    """Told which the proxy is on, and what stands for its container."""
    cut: Callable[[str], None] = field(kw_only=True)
    """Told that a container is gone, or that all are that were chosen ("")."""
    _networks: dict[str, str] = field(default_factory=dict)
    _were_ours: set[str] = field(default_factory=set)
    """The ids of all networks that the proxy was seen on."""
    _has_moved: bool = False
    """Whether the proxy's container was told to be on other networks, or called otherwise."""
    _ends: dict[str, dict[str, float]] = field(default_factory=dict)
    """By containers, the ids of their ends on the proxy's networks, and when, by Trio's clock,
    they were there; until one of a container's goes."""
    _came: dict[str, float] = field(default_factory=dict)
    """When a container came to a network, by the stream of events and Trio's clock: the last
    ones, by id."""
    _before: dict[str, identity.Running] = field(default_factory=dict)
    """Who had an address, without its labels."""
    _read: dict[str, tuple[bytes, Mapping[str, Sequence[identity.OnNetwork]]]] = field(
        default_factory=dict
    )
    """What the Engine said of each network, and as that reads."""
    _listening: trio.Event = field(default_factory=trio.Event)
    _heard_since: float = inf
    """When this stream of events began, by Trio's clock."""
    _turns: dict[str, trio.Semaphore] = field(default_factory=dict)
    """Of each address that is asked about."""
    _asking: dict[int, set[str]] = field(default_factory=dict)
    """What went away since, of each question that is under way, by the set's identity."""

    @property
    def _own(self) -> str:
        return self._shared.remembered.own.id

    @property
    def is_listening(self) -> bool:
        """Whether the Engine tells of who goes: without that nobody is chosen."""
        return self._listening.is_set()

    # -- who somebody is -----------------------------------------------------------

    async def choose(
        self, engine: Engine, address: str, age: float
    ) -> tuple[Sequence[str], str]:
        """Say which policy a client has, behind those that it has not but would have if
        they were there, and the id of its container.

        `age`: seconds since the connection was made. Raises `Nobody` and `UpstreamError`.
        """
        now, gone = trio.current_time(), set[str]()
        self._asking[id(gone)] = gone
        try:
            with trio.move_on_at(now + CHOOSE_SECONDS):
                if not self.is_listening:  # else to wait would be a pass of Trio's loop
                    await self._listening.wait()
                turns = self._turns.setdefault(address, trio.Semaphore(AT_ONCE))
                # Mostly there is one: a scope for nothing costs a pass of Trio's loop.
                if turns.value:
                    turns.acquire_nowait()
                else:
                    await turns.acquire()
                try:
                    found, is_late = await self._look_up(engine, address, now - age)
                finally:
                    turns.release()
                    if turns.value == AT_ONCE:
                        del self._turns[address]
                full, name = found.thing.id, found.thing.names[0]
                is_here = not is_late and gone.isdisjoint({full, ""})
                if self.welcome and is_here:
                    await self.welcome([*found.names])
                if full in gone:
                    raise Nobody(f"the container {name} has gone, left, or was renamed")
                if "" in gone:
                    raise EngineTooSlow(_UNHEARD)
                # Who came too late as well: the next connection is known by this, whatever the
                # clock of the machine says by then.
                self._know(found, address)
                if is_late:
                    raise Nobody(
                        f"the container {name} came to {address} after this connection was made:"
                        " connect again"
                    )
                return identity.choose(found, self._policies), full
        finally:
            del self._asking[id(gone)]
        raise EngineTooSlow(_SILENT if self.is_listening else _UNHEARD)

    async def _look_up(
        self, engine: Engine, address: str, made_at: float
    ) -> tuple[identity.Running, bool]:
        """Find who has an address, and whether he came there after a connection was made."""
        before = await self._as_before(engine, address)
        found = before or await self._find(engine, address)
        full = found.thing.id
        for network, end in found.addresses[address].items():
            if self._ends.get(full, {}).get(end, inf) < made_at:
                continue
            made = made_at + time.time() - trio.current_time()
            # The stream tells that too: in Trio's clock, for the machine's may be set, and of all
            # events together the Engine keeps a few, so that who makes many hides that one.
            if self._came.get(full, -inf) >= made_at:
                return found, True
            is_told = bool(end) and made_at >= self._heard_since
            if await self._since(engine, full, network, made, is_told) >= made:
                return found, True
        if not found.names:
            thing = await self._with_image(engine, found.thing)
            found.names = identity.names_for(thing)
        return found, False

    async def _as_before(self, engine: Engine, address: str) -> identity.Running | None:
        """Ask whether who had an address has it still, by the same ends and name; None: all has to
        be asked. What else counts of a container was said by who made it, and for good."""
        one = self._before.get(address)
        # What was a network of the proxy's may be none at all by now.
        if one is None or not one.addresses[address].keys() <= self._networks.keys():
            return None
        for network, end in one.addresses[address].items():
            known = identity.OnNetwork(one.thing.id, one.thing.names[0], end)
            there = await self._members(engine, network)
            if there.get(address) != [known]:
                return None
        return one

    def _know(self, one: identity.Running, address: str) -> None:
        """Remember that a container has its ends of networks, and which policies it may choose."""
        for remembered in (self._ends, self._before):
            if len(remembered) >= MOST_ENDS:
                remembered.clear()
        ends = one.addresses[address].values()
        known = self._ends.setdefault(one.thing.id, {})
        for end in filter(None, ends):  # of Podman's none has an id
            known.setdefault(end, trio.current_time())
        if one.names and all(ends) and one is not self._before.get(address):
            # Its labels may be long, and have been read.
            self._before[address] = replace(one, thing=one.thing._replace(labels={}))

    async def _find(self, engine: Engine, address: str) -> identity.Running:
        """Find who has an address. A program may connect before the Engine lists it."""
        found = list[identity.Running]()
        for pause in (*PAUSES, 0):
            found = await self._who_have(engine, address)
            if len(found) == 1:
                return identity.unmarked(found[0])
            await trio.sleep(pause)
        if found:
            raise Nobody(
                f"{address} is the address of {len(found)} containers: docker network inspect names them, make one anew"
            )
        raise Nobody(
            f"{address} is the address of no container on a network of this proxy:"
            " who asks from the host, another one, or through a gateway has no policy here"
        )

    async def _who_have(self, engine: Engine, address: str) -> list[identity.Running]:
        """List who has an address beside the proxy. The networks say who that is: the list has
        them as before until their volumes are put away, and others not yet. But it says what
        they are, and which networks the proxy is on: where these are others than before, all is
        asked once more."""
        ours = list[Mapping[str, str]]()
        for _ in range(2):
            if not self._networks:
                await self._find_networks(engine)
            there = {self._own}
            for network in self._networks:
                members = await self._members(engine, network)
                there |= {one.id for one in members.get(address, ())}
            listed = await self._list(engine, address, there)
            ours = [one.networks for one in listed if one.thing.id == self._own]
            if ours and ours[0] == self._networks:
                found = identity.who_have(address, listed, self._own)
                return [one for one in found if one.thing.id in there]
            self._networks = {}
        if not ours:
            raise Nobody(
                "this proxy is on no network of its own: it has that of its pod, or of another"
                " container; put it on one with its clients"
            )
        raise Untold(
            "the networks of this proxy change while the Engine is asked for them"
        )

    async def _list(
        self, engine: Engine, address: str, ids: Iterable[str]
    ) -> list[identity.Running]:
        """List some containers. Who makes one says how long that is, and nobody else pays for it."""
        ours = list[Json](sorted(self._networks))
        only: Mapping[str, Json] = {"id": list[Json](sorted(ids)), "network": ours}
        question = with_filters("/containers/json", only)
        try:
            raw = await self._get(engine, question)
            return identity.read_list(parse_answer(raw))
        except TooMuch:
            raise Nobody(
                f"the Engine says more of who has {address} than is read: fewer or shorter"
                " labels would help"
            ) from None

    async def _members(
        self, engine: Engine, network: str
    ) -> Mapping[str, Sequence[identity.OnNetwork]]:
        """Ask who is on a network, by address. What is the very same as before, byte for byte,
        reads the same."""
        raw = await self._get(engine, f"/networks/{network}")
        before, members = self._read.get(network, (b"", {}))
        if raw != before:
            members = identity.members_of(parse_answer(raw), self._own)
            self._read[network] = raw, members
        return members

    async def _find_networks(self, engine: Engine) -> None:
        raw = await self._get(engine, f"/containers/{self._own}/json")
        value = map_of(parse_answer(raw))
        self._networks = identity.networks_of(value)
        if len(self._were_ours) >= MOST_ENDS:
            self._were_ours.clear()
            self._gone("")  # who leaves one of those would stay who he is
        self._were_ours.update(self._networks)
        if not self._networks:
            raise Nobody(
                "this proxy is on no network of its own: on one that every Engine has,"
                " an address says nothing; put it on one with its clients"
            )
        self._read = {}
        container = frozenset({self._own, text_of(value.get("Name")).removeprefix("/")})
        networks = frozenset({*self._networks, *self._networks.values()})
        self.on_networks(networks=networks, container=container)

    async def _since(
        self, engine: Engine, container: str, network: str, made: float, is_told: bool
    ) -> float:
        """Since when a container surely has its address on a network; `made`: when a connection was
        made from there, however long it has waited; `is_told`: a stream told by then who comes.

        The Engine notes that it was started once its program runs, which may have connected by
        then: on a busy machine a tenth of a second before; and says that of none while somebody
        copies into it. That it came to the network is told before its program is begun, and after
        whoever had the address has lost that.
        """
        # Of this network alone: how long the names of others are is said by who makes them.
        only: Mapping[str, Json] = {"event": ["connect"], "network": [network]}
        question = with_filters("/events", {"type": ["network"], **only})
        status, raw = await ask(
            engine, "GET", f"{question}&since=0&until={time.time():.6f}"
        )
        # Podman does not know the filter, and tells nothing.
        for line in reversed(raw.split(b"\n") if status == OK else ()):
            if container.encode() in line:
                who, at = _read_event(map_of(parse_answer(line)))
                if at and who == (network, container):
                    return at
        if status == OK:
            # It keeps its last 256 events. Where one of them is older than the connection, and the
            # stream has told since before that too, the container did not come meanwhile. Who was
            # moved there before the stream, where none of them is older, may be forgotten.
            older = b"more than is read"
            with suppress(TooMuch):
                status, older = await ask(
                    engine, "GET", f"/events?since=0&until={made:.6f}"
                )
            if status == OK and older.strip():
                if is_told:
                    return -inf
            elif not is_told:
                raise Nobody(_FORGOTTEN)
        return await self._started(engine, container)

    async def _started(self, engine: Engine, container: str) -> float:
        raw = await self._get(engine, f"/containers/{container}/json")
        state, began = map_of(map_of(parse_answer(raw)).get("State")), None
        with suppress(BadBody):
            began = timestamps.read(text_of(state.get("StartedAt")))
        if began is None:
            raise Untold("the Engine does not say when a container was started")
        return began[0].nanoseconds / timestamps.SECOND - NOTED_LATE

    async def _with_image(self, engine: Engine, thing: Thing) -> Thing:
        if thing.inherited is not None:  # it does not count
            return thing
        remembered, ask_for = self._shared.remembered, partial(ask, engine, "GET")
        judged = identity.JUDGED_LABELS
        _, labels = await inherited(ask_for, remembered, thing, judged)
        return thing if labels is None else thing._replace(inherited=labels)

    async def _get(self, engine: Engine, target: str) -> bytes:
        status, raw = await ask(engine, "GET", target)
        if status != OK:
            self._networks = {}
        check_told(status, "who this is")
        return raw

    # -- who goes ------------------------------------------------------------------

    async def listen(self) -> None:
        """Follow the Engine's events for ever."""
        told = ""
        while True:
            shared = self._shared
            engine = shared.engine()
            why = "it ended"
            try:
                await self._follow(engine)
            except (UpstreamError, BadBody) as error:
                why = str(error)
            finally:
                engine.drop()
            if self._listening.is_set() or why != told:
                shared.log.line(Level.WARNING, "events-lost", error=why)
            told = why
            if self._listening.is_set():
                self._listening = trio.Event()
                self._gone("")
            await trio.sleep(LISTEN_AGAIN)

    async def _follow(self, engine: Engine) -> None:
        # The Engine sends the head before it listens itself: what happens in between it tells
        # to who asks since when, and to nobody else.
        since, self._heard_since = f"&since={time.time():.6f}", trio.current_time()
        await engine.send_request(written("GET", EVENTS + since))
        head, data = await engine.read_head(ANSWER)
        if head.status != OK or head.framing is not CHUNKED:
            raise Untold(
                f"the Docker Engine answers {head.status} to a wait for events"
            )
        # Before anybody is chosen, the guard has to know what it guards.
        await self._know_networks()
        self._listening.set()
        content, rest = Content(engine.wire, head.framing, data), b""
        while more := await content.read():
            *lines, rest = (rest + more).split(b"\n")
            for line in filter(bytes.strip, lines):
                self._heed(line)
            rest = rest[:LONGEST_EVENT]
            if self._has_moved:
                # At once, for who is connected already asks no more who he is.
                self._has_moved, self._networks = False, {}
                await self._know_networks()

    async def _know_networks(self) -> None:
        shared = self._shared
        engine = shared.engine()
        try:
            with trio.move_on_after(CHOOSE_SECONDS):
                await self._find_networks(engine)
                return
        except Nobody as error:
            shared.log.line(Level.ERR, "no-network", error=error)
            return
        finally:
            engine.drop()
        raise EngineTooSlow("the Docker Engine does not say which networks are ours")

    def _heed(self, line: bytes) -> None:
        """Tell whose event it is. Who makes a container says how long its labels are, and the event
        may be more than is read; but what the Engine says of itself, and with that the ids of the
        container and network, stands in front of all that anybody says."""
        with suppress(TooMuch):
            if len(line) < LONGEST_EVENT:
                event = map_of(parse_answer(line))
                (network, container), _ = who = _read_event(event)
                if event.get("Action") == "connect":
                    self._note_came(*who)
                # Who leaves another network than one that has been ours stays who he is.
                elif not network or network in self._were_ours:
                    self._gone(container)
                return
        ids = list(islice(_FULL_ID.finditer(line), 2))
        if not ids:
            raise Untold("an event of the Engine does not end")
        for one in ids:
            self._gone(one[1].decode())

    def _note_came(self, who: tuple[str, str], at: float) -> None:
        self._has_moved |= self._own in who
        network, container = who
        # Which are the proxy's own is not known again when it has just come to one.
        ours = {} if self._has_moved else self._networks
        if network and ours and network not in ours:
            return
        self._came.pop(container, None)
        if len(self._came) >= MOST_ENDS:
            del self._came[next(iter(self._came))]
        self._came[container] = at - time.time() + trio.current_time()

    def _gone(self, container: str) -> None:
        self._has_moved |= container == self._own
        for one in self._asking.values():
            one.add(container)
        if container:
            self._ends.pop(container, None)
        else:
            self._ends.clear()
        self.cut(container)


def _read_event(event: Mapping[str, Json]) -> tuple[tuple[str, str], float]:
    """A network, the container that came to it or left it or else is told of, and when that was,
    in seconds since the epoch; 0: that is not told.

    To Podman who comes or leaves is the actor, and of the network it tells the name alone.
    """
    actor, at = map_of(event.get("Actor")), event.get("timeNano")
    full, who = text_of(actor.get("ID")), ""
    if event.get("Type") == Kind.NETWORK:  # a container has its labels there
        who = text_of(map_of(actor.get("Attributes")).get("container"))
    seconds = at / timestamps.SECOND if isinstance(at, int) else 0.0
    return (full, who) if who else ("", full), seconds
