"""Tells connections that their client hung up, while they wait for the Engine.

One epoll instance watches all clients, edge-triggered, for hang-ups only; one task
reads it. So a connection that waits for an answer, or streams one for weeks, needs no
second task to notice that nobody listens, and bytes the client sent are left alone.
"""

import select
from collections.abc import Callable
from enum import Enum
from typing import Final

import trio

EVENTS: Final = select.EPOLLRDHUP | select.EPOLLET


class Hangup(Enum):
    """How a client hung up."""

    END = "end of data"
    """It sends no more, and may still read."""
    GONE = "gone"
    """Both directions are over; what it sent may still be waiting here."""
    RESET = "reset"
    """Both are over, and what waits here is lost."""


class HangupWatch:
    """Watches clients. A socket's owner adds it, and removes it before closing."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[Hangup], None]] = {}

    def add(self, fd: int, callback: Callable[[Hangup], None]) -> None:
        """Call back when the peer of `fd` ends its data, and when it is gone."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, EVENTS)

    def remove(self, fd: int) -> None:
        """Forget `fd`, before it is closed and its number means another socket."""
        self._callbacks.pop(fd, None)
        self._epoll.unregister(fd)

    async def run(self) -> None:
        """Pass hang-ups on until cancelled."""
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            self._deliver()

    def close(self) -> None:
        """Let go of the epoll instance, when no connection is left."""
        self._epoll.close()

    def _deliver(self) -> None:
        for fd, events in self._epoll.poll(0):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback(_kind(events))


def _kind(events: int) -> Hangup:
    if events & select.EPOLLERR:
        return Hangup.RESET
    return Hangup.GONE if events & select.EPOLLHUP else Hangup.END
