"""Those who are not served: for want of a place, or as they may not come in.

Each is answered, and read no further than its first bytes: by these a health check is known,
which has a place whoever took all others.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Final, TypeVarTuple

import trio

from trioproxy.config import UID, Level
from trioproxy.errors import ClientLost, TrioProxyError
from trioproxy.judge.outcome import name_of_client
from trioproxy.proxy import listeners, replies
from trioproxy.proxy.capacity import Capacity
from trioproxy.proxy.condition import probe_of
from trioproxy.proxy.listeners import Listener
from trioproxy.proxy.shared import Shared
from trioproxy.proxy.wire import Wire

AT_ONCE: Final = 32
"""Whose first bytes are waited for."""

MOST: Final = 48
"""Who has one of the spare descriptors: those, and others who are about to be answered."""

FIRST_BYTES_SECONDS: Final = 1.0
TOLD_EVERY: Final = 1.0
"""Seconds between two lines about clients that were turned away."""

NOT_ADMITTED: Final = "{who} may not connect here: {name} of this listener has it not"
NO_PLACE: Final = 503
KEPT_OUT: Final = 403
OURSELVES: Final = f"{UID}{os.geteuid()}"

_Args = TypeVarTuple("_Args")


class TurnedAway:
    """Answers them, and counts them for the log."""

    def __init__(self, shared: Shared, capacity: Capacity) -> None:
        self._shared = shared
        self._capacity = capacity
        self._waiting: dict[trio.CancelScope, None] = {}
        """The waits for first bytes, the longest first."""
        self._open = set[Wire]()
        self._one_closed = trio.Event()
        self._untold = 0
        """How many, since the log has told of them."""
        self._has_untold = trio.Event()

    def begin(
        self,
        nursery: trio.Nursery,
        answer: Callable[[Wire, *_Args], Awaitable[object]],
        wire: Wire,
        *args: *_Args,
    ) -> None:
        """Start to answer who was just accepted. It counts before its first step: tasks that are
        about to begin, or to end, hold descriptors too."""
        self._open.add(wire)
        self._shared.watch.start_soon(nursery, answer, wire, *args)

    async def room(self) -> None:
        """Wait while they have all descriptors that are theirs; then nobody is accepted."""
        while len(self._open) >= MOST:
            await self._one_closed.wait()

    async def keep_out(self, wire: Wire, peer: str, listener: Listener) -> None:
        """Answer 403 to whoever may not come in here; nothing that was sent is looked at.

        But for a health check of this very machine, or user: it is ours.
        """
        is_ours = listeners.group_of(peer) == listeners.LOOPBACK or peer == OURSELVES
        log, client = self._shared.log, listener.entry.client
        name = "uids=" if peer.startswith(UID) else "allow="
        why = NOT_ADMITTED.format(who=name_of_client(peer), name=name)
        if not await self.answer(wire, why, client, KEPT_OUT, is_ours=is_ours):
            log.refused("kept-out", peer, KEPT_OUT, why, listener=listener.name)

    async def refuse(self, wire: Wire, peer: str, error: TrioProxyError) -> None:
        """Answer whoever is nobody, and log why."""
        if not isinstance(error, ClientLost):
            log, status = self._shared.log, error.status
            log.refused("nobody", peer, status, str(error), error=error)
        await self.answer(wire, str(error), status=error.status)

    async def answer(
        self,
        wire: Wire,
        why: str,
        client: str = "",
        status: int = NO_PLACE,
        *,
        is_ours: bool = True,
    ) -> bool:
        """Say why, or answer a health check if it `is_ours`; `client` names its policy.

        True if that was one, which is not turned away.
        """
        probe = None
        try:
            head = await self._first_bytes(wire)
            probe = probe_of(head) if is_ours else None
            if probe:
                health = self._shared.health
                reply = await health.answer(probe, close=True, client=client)
            else:
                reply = replies.message(status, why)
                self._shared.turned_away[status] += 1
                if status == NO_PLACE:  # all others have lines of their own
                    self._untold += 1
                    self._has_untold.set()
            wire.send_now(reply)
            wire.finish()
        except ClientLost:
            pass
        finally:
            wire.close()
            self._open.discard(wire)
            self._one_closed.set()
            self._one_closed = trio.Event()
        return bool(probe)

    async def _first_bytes(self, wire: Wire) -> bytes:
        """Wait for a client's first bytes; b"" if none come, or too many newer ones wait."""
        with trio.move_on_after(FIRST_BYTES_SECONDS) as scope:
            # A flood of silent clients pushes itself out; one that asks for health speaks at
            # once.
            if len(self._waiting) >= AT_ONCE:
                longest = next(iter(self._waiting))
                del self._waiting[longest]
                longest.cancel()
            self._waiting[scope] = None
            try:
                return await wire.recv(4096)
            finally:
                self._waiting.pop(scope, None)
        return b""

    async def tell(self) -> None:
        """Say in the log how many there were, once a second at most."""
        while True:
            await self._has_untold.wait()
            self._has_untold = trio.Event()
            log, untold, of_all = self._shared.log, self._untold, self._capacity
            limits = {"limit": of_all.limit, "limit_of_one": of_all.limit_of_one}
            log.line(Level.WARNING, "turned-away", clients=untold, **limits)
            self._untold = 0
            await trio.sleep(TOLD_EVERY)
