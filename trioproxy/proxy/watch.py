"""Knows which sockets are ready, and tells connections that their client hung up.

One epoll instance watches all sockets of a server. It is edge-triggered and has each
socket registered once, so that waiting for one costs no system call of its own. No
connection needs a second task to notice that its client left.

Who waits while no other task could run looks at the sockets on the spot, all of them, and
goes on if its own is ready: Trio's loop is spared, which costs a small request as much
as all else that is done for it. Only what Trio alone knows of - timers, signals, threads
- has to wait then: for `AWAY_SECONDS` until everybody parks, and one wait more.
"""

import select
import socket
from collections.abc import Callable
from enum import Enum
from time import perf_counter
from typing import Any, Final

import trio
from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    current_task,
    reschedule,
    wait_readable,
    wait_task_rescheduled,
)

AWAY_SECONDS: Final = 0.01
"""How long tasks may go on without Trio's loop, and each of their waits may take. Under a
tick of the kernel (4 ms) each wait would program a timer: dearer than the loop is."""

MOST_EVENTS: Final = 64
"""Taken at once. Their memory is asked for at each look: over 1 KiB that takes longer."""

HUNG_UP: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
READABLE: Final = select.EPOLLIN | HUNG_UP
WRITABLE: Final = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
READS: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
"""What is watched always; room to write only while somebody waits for it."""


class _Woken:
    """What a task gets that is woken: nothing.

    One for all: the outcome that `reschedule` makes where it is given none can be looked
    at only once, and is a quarter of what it costs to park a task and wake it.
    """

    __slots__ = ()

    def unwrap(self) -> None:
        """Let the task go on."""


WOKEN: Final[Any] = _Woken()


class Hangup(Enum):
    """How a client hung up."""

    END = "end of data"
    """It sends no more, and may still read."""
    GONE = "gone"
    """Both directions are over; what it sent may still be waiting here."""
    RESET = "reset"
    """Both are over, and what waits here is lost."""


class Watched:
    """A socket under watch, and the tasks that wait for it: one to read, one to write."""

    __slots__ = ("fd", "heard", "on_hangup", "reader", "sock", "watch", "writer")

    def __init__(self, sock: socket.socket, watch: "Watch") -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.heard = 0
        """Events since the socket was last found empty; a hang-up stays."""
        self.on_hangup: Callable[[Hangup], None] | None = None
        self.reader: Task | None = None
        self.writer: Task | None = None
        self.watch = watch
        watch.add(self)

    def close(self) -> None:
        """Close the socket; tasks still parked on it wake with an error."""
        if self.fd != -1:
            self.watch.remove(self)
            self.sock.close()
            self.fd = -1

    def stop_reading(self, _raise_cancel: RaiseCancelT) -> Abort:
        """Let a cancelled task go that waits for bytes."""
        self.reader = None
        self.watch.expect()
        return Abort.SUCCEEDED

    def stop_writing(self, _raise_cancel: RaiseCancelT) -> Abort:
        """Let a cancelled task go that waits for room."""
        self.writer = None
        self.watch.expect()
        return Abort.SUCCEEDED


class Watch:
    """Watches sockets. A socket's owner adds it, and removes it before closing."""

    def __init__(self, *, away: float = 0.0) -> None:
        """`away`: seconds without Trio's loop; 0 where it serves others than us too."""
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}
        self._away = away
        self._home_by = 0.0
        self._runnable = 0
        """Tasks that could run now, besides the one that does."""
        self.is_fresh = False
        """Whether the running task looked at all sockets when it last waited for bytes."""

    def add(self, watched: Watched) -> None:
        """Watch a socket from now on."""
        self._watched[watched.fd] = watched
        self._epoll.register(watched.fd, READS)

    def remove(self, watched: Watched) -> None:
        """Forget a socket, before it is closed and its number means another one."""
        del self._watched[watched.fd]
        self._epoll.unregister(watched.fd)
        watched.on_hangup = None
        self._wake_up(watched, READABLE | WRITABLE)

    def close(self) -> None:
        """Let go of the epoll instance, when no socket is left."""
        self._epoll.close()

    async def run(self) -> None:
        """Wake tasks whose sockets are ready until cancelled; they were all parked."""
        while True:
            await wait_readable(self._epoll.fileno())
            self._home_by = perf_counter() + self._away
            self._deliver(0)
            self.is_fresh = False  # those it woke run later

    # -- waiting -------------------------------------------------------------------

    async def readable(self, watched: Watched) -> None:
        """Wait until there is something to read, or an end. The socket was found empty."""
        if self._can_stay():
            self._deliver(self._away)
            if watched.heard & READABLE:
                return
        if watched.reader is not None:
            raise trio.BusyResourceError("another task reads this socket")
        watched.reader = current_task()
        await self._park(watched, watched.stop_reading)

    async def writable(self, watched: Watched) -> None:
        """Wait until the kernel takes bytes again. It just did not."""
        watched.heard &= ~select.EPOLLOUT
        self._epoll.modify(watched.fd, READS | select.EPOLLOUT)
        try:
            await self._room(watched)
        finally:
            if watched.fd != -1:
                self._epoll.modify(watched.fd, READS)

    async def _room(self, watched: Watched) -> None:
        if self._can_stay():
            self._deliver(self._away)
            if watched.heard & WRITABLE:
                return
        if watched.writer is not None:
            raise trio.BusyResourceError("another task writes to this socket")
        watched.writer = current_task()
        await self._park(watched, watched.stop_writing)

    async def others(self) -> None:
        """Let the others have their turn, if there are any."""
        self._deliver(0)
        if self._can_stay():
            return
        self.expect()
        try:
            await trio.lowlevel.checkpoint()
        finally:
            self.begin()

    def _can_stay(self) -> bool:
        """Whether no other task can run, and Trio's loop can do without us."""
        return not self._runnable and perf_counter() < self._home_by

    async def _park(
        self, watched: Watched, abort: Callable[[RaiseCancelT], Abort]
    ) -> None:
        try:
            await wait_task_rescheduled(abort)
        finally:
            self.begin()
        if watched.fd == -1:
            raise trio.ClosedResourceError("another task closed this socket")

    # -- which tasks can run -------------------------------------------------------

    def expect(self) -> None:
        """Know that a task will run soon: it was started, or woken."""
        self._runnable += 1

    def begin(self) -> None:
        """Know that a task which was expected runs."""
        self._runnable -= 1
        self.is_fresh = False

    # -- events --------------------------------------------------------------------

    def _deliver(self, seconds: float) -> None:
        """Wait so long for events, and wake who waits for them."""
        found = self._epoll.poll(seconds, MOST_EVENTS)
        self.is_fresh = len(found) < MOST_EVENTS
        for fd, events in found:
            watched = self._watched.get(fd)
            if watched is None:
                continue  # removed on account of an event before this one
            news = events & ~watched.heard
            watched.heard |= events
            if watched.reader is not None or watched.writer is not None:
                self._wake_up(watched, events)
            if news & HUNG_UP and watched.on_hangup is not None:
                watched.on_hangup(_kind(events))

    def _wake_up(self, watched: Watched, events: int) -> None:
        if watched.reader is not None and events & READABLE:
            self.expect()
            reschedule(watched.reader, WOKEN)
            watched.reader = None
        if watched.writer is not None and events & WRITABLE:
            self.expect()
            reschedule(watched.writer, WOKEN)
            watched.writer = None


def _kind(events: int) -> Hangup:
    if events & select.EPOLLERR:
        return Hangup.RESET
    return Hangup.GONE if events & select.EPOLLHUP else Hangup.END
