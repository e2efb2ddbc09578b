"""Who has a place: how many connections there may be, of all clients and of each."""

import errno
import itertools
import resource
from collections import Counter
from typing import Final

import trio

from trioproxy.config import Config, Level, client_limit
from trioproxy.proxy.client import Client, Clients
from trioproxy.proxy.log import Log

SPARE_DESCRIPTORS: Final = 96
"""For log and files, for those who are turned away, and for a health check."""

EXHAUSTED: Final = dict.fromkeys((errno.EMFILE, errno.ENFILE), "out-of-descriptors")
EXHAUSTED_PAUSE: Final = 0.1
"""Seconds to wait where nobody can be accepted, most of the time for a descriptor."""

MOST_LOOKED_AT: Final = 16
"""Idle connections that one newcomer has looked at: each is a call of the system."""

TOO_MANY: Final = "too many connections: raise MAX_CONNECTIONS or the descriptor limit"
TOO_MANY_OF_ONE: Final = (
    "too many connections of this client: raise MAX_CONNECTIONS_PER_CLIENT"
)


async def wait_for_room(log: Log, error: OSError, *, is_told: bool) -> None:
    """Wait where nobody can be accepted, and say so, unless that `is_told` already."""
    if not is_told:
        event = EXHAUSTED.get(error.errno or 0, "cannot-accept")
        log.line(Level.ERR, event, error=error)
    await trio.sleep(EXHAUSTED_PAUSE)


def raise_descriptor_limit() -> int:
    """Raise the soft descriptor limit to the hard one; returns what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):
        # Some kernels refuse an unlimited soft limit: what we have must do.
        return soft
    return hard


def connection_limit(wanted: int, descriptors: int, listening: int) -> int:
    """How many clients fit: each needs two descriptors, its own and the Engine's. `listening`:
    how many the listeners have."""
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, (descriptors - listening - SPARE_DESCRIPTORS) // 2))


class Capacity:
    """The places of a server. A client is one of a group, such as all of one address."""

    def __init__(self, clients: Clients) -> None:
        self.limit = 0
        self.limit_of_one = 0
        self.taken = 0
        """Of all: those that have a place, and not those that make room."""
        self._taken_of = Counter[str]()
        self._clients = clients

    def fit(self, config: Config, descriptors: int, listening: int) -> None:
        """Have as many places as are wanted, or as there are descriptors for."""
        self.limit = connection_limit(config.max_connections, descriptors, listening)
        self.limit_of_one = client_limit(config.max_connections_per_client, self.limit)

    def take(self, group: str) -> None:
        """Count one more."""
        self.taken += 1
        self._taken_of[group] += 1

    def leave(self, group: str) -> None:
        """Count one less."""
        self.taken -= 1
        self._taken_of[group] -= 1
        if not self._taken_of[group]:
            del self._taken_of[group]

    def forget(self, client: Client) -> None:
        """Count a connection no more, from when it ends or makes room."""
        if client.is_counted:
            client.is_counted = False
            self.leave(client.group)

    def make_room(self, group: str) -> str:
        """Make room for one more connection of a client, or say what to answer it.

        What is being served makes room for nobody. Of the others, the connection that
        has been idle longest goes: one of several of the client's own, or one of a
        client that has more than it. So who has many displaces its own, and never the
        only one of a client that asks now and then.
        """
        mine = self._taken_of[group]
        if mine >= self.limit_of_one:
            return "" if self._end_idle(group, most=self.limit) else TOO_MANY_OF_ONE
        if self.taken >= self.limit:
            return "" if self._end_idle(group, most=mine) else TOO_MANY
        return ""

    def _end_idle(self, group: str, *, most: int) -> bool:
        """End the connection that has been idle longest, of a client or of one that has
        more than `most`; of those that are in the middle of a head, if none is idle.

        Whose next request has come, and was not read yet, is idle no more: ended now, it would
        find a reset, and not know whether that request ran.
        """
        clients, looked_at = self._clients, 0
        for client in itertools.chain(clients.idle, clients.in_head):
            other = client.group
            count = self._taken_of[other]
            if count > most or (other == group and (count > 1 or most >= self.limit)):
                if client.is_idle and client.has_spoken():
                    looked_at += 1
                    if looked_at == MOST_LOOKED_AT:
                        break
                    continue
                # Its task closes the socket, soon; its place is free from now on.
                clients.idle.pop(client, None)
                clients.in_head.pop(client, None)
                self.forget(client)
                client.end()
                return True
        return False
