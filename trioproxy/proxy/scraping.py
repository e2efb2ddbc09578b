"""Who reads metrics: `GET /metrics`, one request a connection, and nothing else.

Whoever can reach this listener may be anybody. What is held of them is bounded: so many at
once, of whom a newcomer pushes the longest out, a short head, and seconds for all of it.
None of it takes a place, or memory, that the proxy's clients have.
"""

import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final

import trio

from trioproxy.config import Entry
from trioproxy.errors import BadRequest, ClientLost, HeadTooLarge, leaf_of
from trioproxy.http.hosts import Site
from trioproxy.http.request import HEAD_END, parse_request
from trioproxy.judge.outcome import name_of_client
from trioproxy.proxy import listeners, replies
from trioproxy.proxy.shared import Shared
from trioproxy.proxy.wire import Wire

SCRAPES: Final = 8
"""Who is answered at once; one more ends the longest."""

SCRAPE_SECONDS: Final = 10.0
"""From the accept to the last byte, as Prometheus itself waits."""

MOST_SCRAPES: Final = 50
"""Scrapes of one address in a second; one more is closed at once, so that it keeps no other
waiting in the queue of the kernel."""

ALL_SCRAPES: Final = 100
"""Scrapes in a second, behind which an address has one."""

SCRAPE_PAUSE: Final = 0.001
"""Seconds between 16 accepts and the next: a flood of them takes no client's turn."""

SCRAPE_HEAD: Final = 8 * 1024
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
ALONE: Final = "here is GET /metrics alone"


@dataclass(slots=True, eq=False)
class Scraping:
    """One listener's."""

    _shared: Shared
    _text: Callable[[], Awaitable[bytes]]
    """What there is to read."""
    _entry: Entry
    """Who may."""
    _site: Site
    """Where this is reached."""
    _nursery: trio.Nursery
    _scopes: dict[trio.CancelScope, str] = field(default_factory=dict)
    """Around those who are here, the longest first, and who counts as one of them."""
    _came: Counter[str] = field(default_factory=Counter)
    """How often each came in this second."""
    _taken: int = 0
    """How many of them were let in."""
    _second: float = -inf

    def take(self, sock: socket.socket, address: object) -> None:
        """Answer an accepted client, in a task of its own."""
        try:
            peer = listeners.peer_of(sock, address)
            is_flood = self._is_flood(group := listeners.group_of(peer))
            if is_flood or not self._entry.admits(name_of_client(peer)):
                sock.close()
                return
            wire = Wire(sock, ClientLost, self._shared.watch)
        except OSError:  # gone already, or no descriptor is left to watch it
            sock.close()
            return
        if len(self._scopes) >= SCRAPES:
            # Of whoever has the most: one who floods pushes out nobody but himself.
            (most, _), *_ = Counter(self._scopes.values()).most_common(1)
            longest = next(one for one, group in self._scopes.items() if group == most)
            del self._scopes[longest]
            longest.cancel()
        scope = trio.CancelScope(deadline=trio.current_time() + SCRAPE_SECONDS)
        self._scopes[scope] = group
        self._shared.watch.start_soon(self._nursery, self._answer, wire, peer, scope)

    def _is_flood(self, group: str) -> bool:
        """Whether somebody has come too often in this second."""
        if (now := trio.current_time()) >= self._second + 1:
            self._second, self._taken = now, 0
            self._came.clear()
        self._came[group] += 1
        most = MOST_SCRAPES if self._taken < ALL_SCRAPES else 1
        is_flood = self._came[group] > most
        self._taken += not is_flood
        return is_flood

    async def _answer(self, wire: Wire, peer: str, scope: trio.CancelScope) -> None:
        """Answer, and close."""
        try:
            with scope:
                await wire.send_all(await self._reply(wire))
                wire.finish()
        except ClientLost:
            pass
        except Exception as error:  # noqa: BLE001  the edge: a bug of metrics ends no client
            self._shared.log.crash(peer, leaf_of(error))
        finally:
            self._scopes.pop(scope, None)
            wire.close()

    async def _reply(self, wire: Wire) -> bytes:
        data = b""
        try:
            while HEAD_END not in data:
                if len(data) > SCRAPE_HEAD:
                    raise HeadTooLarge("the request head is too long")
                if not (more := await wire.recv(4096)):
                    raise ClientLost("it ended in its head")
                data += more
            raw = data[: data.index(HEAD_END) + len(HEAD_END)]
            head = parse_request(raw, self._site)
        except BadRequest as error:
            return replies.error(error)
        if head.method != b"GET" or head.target.partition(b"?")[0] != b"/metrics":
            return replies.message(404, ALONE)
        return replies.reply(200, await self._text(), content_type=CONTENT_TYPE)
