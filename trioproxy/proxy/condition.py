"""The proxy's own round trip to the Engine, and what it says to probes."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import trio

from trioproxy.config import Address
from trioproxy.errors import UpstreamError
from trioproxy.proxy import replies
from trioproxy.proxy.upstream import open_upstream
from trioproxy.proxy.watch import Watch

FRESH_FOR: Final = 1.0
"""Seconds for which one answer serves all who ask."""

DEADLINE: Final = 3.0
PING: Final = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"


class Probe(StrEnum):
    """What is asked of the proxy itself."""

    HEALTH = "health"
    """Does the Engine answer?"""
    LIVE = "live"
    """Does the proxy? No Engine is asked, for another proxy would not mend that."""
    READY = "ready"
    """Would a request be served now?"""


PROBES: Final = {(b"GET", f"/_trioproxy/{one}".encode()): one for one in Probe}
"""By method and target."""
LONGEST_PROBE: Final = max(len(b"GET %b HTTP/1." % target) for _, target in PROBES)
"""Bytes by which a probe is known."""


def probe_of(said: bytes) -> Probe | None:
    """What is asked of the proxy itself, by how a head begins."""
    line, version, _ = said.partition(b" HTTP/1.")
    method, _, target = line.partition(b" ")
    return PROBES.get((method, target)) if version else None


@dataclass(slots=True)
class InForce:
    """A policy that is in force."""

    fingerprint: str = ""
    is_stale: bool = False
    """Whether a newer one was refused."""
    since: float = 0.0
    """When it was read, in seconds since the epoch."""
    failures: int = 0
    """How often a newer one was refused."""

    @property
    def words(self) -> dict[str, str]:
        """What whoever asks for health is told: a word or two."""
        newer = {"newer": "refused"} if self.is_stale else {}
        return {"policy": self.fingerprint, **newer}


class Health:
    """Knows whether the Engine answers, and asks again when that is a second old."""

    def __init__(
        self, upstream: Address, watch: Watch, hindrance: Callable[[], str]
    ) -> None:
        """`hindrance` says why nobody is served now, whatever the Engine does; "" for no
        reason."""
        self.standings = dict[str, InForce]()
        """Of each policy, by what its clients are called."""
        self.folder_failures = 0
        """How often `POLICIES` could not be read again."""
        self.is_folder_stale = False
        """Whether it could not be read the last time."""
        self._upstream = upstream
        self._watch = watch
        self.hindrance = hindrance
        self._is_up = False
        self._asked = float("-inf")
        self._answered: trio.Event | None = None
        """Set when the round trip that is under way is over; None while none is."""

    def tell_policy(
        self, fingerprint: str, *, is_stale: bool, client: str = ""
    ) -> None:
        """Say from now on which policy is in force, and whether a newer one was refused.

        `client`: whose it is.
        """
        one = self.standings.setdefault(client, InForce())
        one.fingerprint, one.is_stale = fingerprint, is_stale
        if is_stale:
            one.failures += 1
        else:
            one.since = time.time()

    def tell_folder(self, *, is_stale: bool) -> None:
        """Say from now on whether `POLICIES` could not be read again."""
        self.is_folder_stale = is_stale
        self.folder_failures += is_stale

    async def answer(self, probe: Probe, *, close: bool, client: str = "") -> bytes:
        """Write the answer to a probe, from a round trip that may be a second old.

        The policy of who asks comes first, and all of them behind it if there are several.
        """
        if probe is Probe.LIVE:
            return replies.health({"proxy": "up"}, is_well=True, close=close)
        is_well = is_up = await self.is_up()
        standing: dict[str, object] = {"engine": "up" if is_up else "down"}
        if probe is Probe.READY and (why := self.hindrance()):
            is_well, standing["hindrance"] = False, why
        words = {name: one.words for name, one in self.standings.items()}
        standing |= words.get(client, {})
        if self.is_folder_stale:
            standing["newer"] = "refused"
        if words.keys() - {""}:
            standing["policies"] = words
        return replies.health(standing, is_well=is_well, close=close)

    async def is_up(self) -> bool:
        """Whether the Engine answers a ping within the deadline.

        One round trip serves all who ask while it lasts. If who began it leaves, its
        task is cancelled and the round trip with it; the next one who waits begins anew.
        """
        while trio.current_time() - self._asked >= FRESH_FOR:
            # Single flight: 400 checks at once were 400 connections to the Engine.
            if self._answered is not None:
                await self._answered.wait()
                continue
            self._answered = trio.Event()
            try:
                self._is_up = await self._ping()
                self._asked = trio.current_time()
            finally:
                self._answered.set()
                self._answered = None
        return self._is_up

    async def _ping(self) -> bool:
        with trio.move_on_after(DEADLINE), suppress(UpstreamError):
            wire = await open_upstream(self._upstream, self._watch)
            try:
                await wire.send_all(PING)
                answer = b""
                # To its end: closing earlier would show the Engine a reset.
                while data := await wire.recv(4096):
                    answer = (answer + data)[:12]
                return answer.startswith(b"HTTP/1.1 200")
            finally:
                wire.close()
        return False
