"""Which sockets are ready, who waits for them, and who may wait off Trio's loop.

**One epoll instance, edge-triggered.** All sockets of a server are registered once, when
they are added, and never again for a wait: `EPOLLET` reports an event when something
*changes*, not while it is so. That is cheap and has one price: an edge that was reported
is not reported again, so it must be remembered until it is used up. `Watched.heard` is
that memory. `_deliver` sets bits in it; a bit is cleared in one place only, where a call
on the socket proved it stale: `EPOLLIN` when a read found nothing (`EAGAIN`) or brought
less than was asked for, so that the socket was *emptied* (epoll(7)); `EPOLLOUT` when a
write found no room. A hang-up stays for good. If a bit were cleared without that proof,
a task would wait for an edge that has passed, for ever; if it were never cleared, a task
would only try a call in vain.

**Parking and waking.** A task that finds its socket not ready parks: it puts itself into
`reader` or `writer` of the socket and leaves Trio's run queue
(`wait_task_rescheduled`). `_deliver` finds it there when the event comes and hands it
back to Trio (`reschedule`). Cancelling takes it out of the slot again. There is one slot
for each direction, so a second task that waits for the same is an error.

**Staying.** A pass of Trio's loop costs a small request as much as all else that is done
for it. So a task that would park first looks at the sockets itself, all of them, waiting
in epoll for at most `away` seconds; if its own is ready it goes on at once, and the loop
is spared. That is right only while nobody else could run, for whoever could would wait
for this task's socket. The watch knows that without asking Trio: it counts the tasks
that serve clients (`start_soon`) and takes out of the count those that are parked here.
A task may stay only while that count is one - itself. Every counted task that is
anywhere else, in a nursery's end, an event, a sleep, a thread or a TCP connect, is in
the count and so forbids staying; what is not known is safe. A task that was not started
through the watch may never stay. What Trio alone knows of - timers, signals, threads,
tasks of others - waits while somebody stays: at most `AWAY_SECONDS` from the last pass of
Trio's loop, and one wait more.

**Turns.** A task that has more to do than is fair gives way (`others`). Trio would run it
again in its next pass, beside all others that gave way: 4,000 of them, each with a tenth
of a millisecond of work, are a pass of 400 ms for a client that only wants a ping. So
those that give way queue up, and `TURNS` of them go on in each pass. A pass is short then
however many there are, and what they do takes as long in all as it did before.
"""

import select
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, TypeVarTuple

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

TURNS: Final = 4
"""Tasks that go on in one pass of Trio's loop, of those that have given way."""

RESET: Final = select.EPOLLERR
"""Both directions are over, and what waits here is lost."""

GONE: Final = select.EPOLLHUP | RESET
"""Both directions are over; what the peer sent may still be waiting here."""

HUNG_UP: Final = select.EPOLLRDHUP | GONE
"""It sends no more, and may still read, or is gone. Each stays once it was heard."""

READABLE: Final = select.EPOLLIN | HUNG_UP
WRITABLE: Final = select.EPOLLOUT | GONE
READS: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
"""What is watched always; room to write only while somebody waits for it."""

_Args = TypeVarTuple("_Args")


class _Woken:
    """What a task gets that is woken: nothing.

    One for all: the outcome that `reschedule` makes where it is given none can be looked
    at only once, and is a quarter of what it costs to park a task and wake it.
    """

    def unwrap(self) -> None:
        """Let the task go on."""


class _Closed(_Woken):
    """What a task gets whose socket was closed."""

    def unwrap(self) -> None:
        """End the wait."""
        raise trio.ClosedResourceError("another task closed this socket")


WOKEN: Final[Any] = _Woken()
CLOSED: Final[Any] = _Closed()


@dataclass(slots=True, eq=False)
class Watched:
    """A socket under watch, and the tasks that wait for it: one to read, one to write.

    To make one raises `OSError` where the kernel watches no more sockets; it stays open."""

    sock: socket.socket
    watch: "Watch"
    fd: int = -1
    heard: int = 0
    """Events that were reported and not yet proved stale."""
    on_hangup: Callable[[], None] | None = None
    """Called for each news of `HUNG_UP`, by whichever task looks at the events; it must not
    raise."""
    reader: Task | None = None
    writer: Task | None = None
    twin: "Watched | None" = None
    """Another one whose `reader` is the same task: that waits for either."""

    def __post_init__(self) -> None:
        self.fd = self.sock.fileno()
        self.watch.add(self)

    def close(self) -> None:
        """Close the socket; tasks still parked on it wake with an error."""
        if self.fd != -1:
            # The kernel forgets it too: it is the one descriptor of this socket (epoll(7)).
            self.watch.forget(self)
            self.sock.close()
            self.fd = -1

    def stop_reading(self, _raise_cancel: RaiseCancelT) -> Abort:
        """Unpark a cancelled task that waits for bytes."""
        if self.reader is not None:
            self.watch.unpark(self.reader)
            self.reader = None
            self.part()
        return Abort.SUCCEEDED

    def part(self) -> None:
        """Let no event of the other one wake the task again, which is woken once."""
        if self.twin is not None:
            self.twin.reader = self.twin.twin = None
            self.twin = None

    def stop_writing(self, _raise_cancel: RaiseCancelT) -> Abort:
        """Unpark a cancelled task that waits for room."""
        if self.writer is not None:
            self.watch.unpark(self.writer)
            self.writer = None
        return Abort.SUCCEEDED


class Watch:
    """Watches sockets. A socket's owner adds it, and removes it before closing."""

    def __init__(self, *, away: float = 0.0) -> None:
        """`away`: seconds without Trio's loop; 0 where it serves others than us too."""
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}
        self._away = away
        self._home_by = 0.0
        self._counted: set[Task] = set()
        """The tasks that serve clients and have begun."""
        self._unparked = 0
        """How many tasks that serve clients are not parked here; one is about to run,
        runs, or waits for something that the watch does not know."""
        self._queue: deque[Task] = deque()
        """The tasks that have given way, the longest-waiting first."""
        self._has_queue = trio.Event()

    def add(self, watched: Watched) -> None:
        """Watch a socket from now on."""
        self._epoll.register(watched.fd, READS)
        self._watched[watched.fd] = watched

    def remove(self, watched: Watched) -> None:
        """Watch a socket no more that stays open, here or with whoever lent it."""
        self._epoll.unregister(watched.fd)
        self.forget(watched)

    def forget(self, watched: Watched) -> None:
        """Forget a socket, before it is closed and its number means another one."""
        del self._watched[watched.fd]
        watched.on_hangup = None
        self._wake(watched, READABLE | WRITABLE, CLOSED)

    def close(self) -> None:
        """Let go of the epoll instance, when no socket is left."""
        self._epoll.close()

    async def run(self) -> None:
        """Wake tasks whose sockets are ready until cancelled; they were all parked."""
        while True:
            await wait_readable(self._epoll.fileno())
            self._home_by = perf_counter() + self._away
            self._deliver(0)

    async def give_turns(self) -> None:
        """Let tasks go on that have given way, some in each pass; until cancelled."""
        while True:
            await self._has_queue.wait()
            self._has_queue = trio.Event()
            while self._queue:
                for _ in range(min(TURNS, len(self._queue))):
                    reschedule(self._queue.popleft(), WOKEN)
                await trio.lowlevel.checkpoint()

    # -- tasks that serve clients --------------------------------------------------

    def start_soon(
        self,
        nursery: trio.Nursery,
        function: Callable[[*_Args], Awaitable[object]],
        *args: *_Args,
    ) -> None:
        """Start a task that serves clients; only such tasks may stay off Trio's loop.

        It counts from now on, before its first step, until it has returned.
        """
        # Before its first step: between now and then it could run, so nobody may stay.
        self._unparked += 1
        # By a name that is there: Trio would write one for each task, and keep it.
        name = function.__qualname__
        nursery.start_soon(self._count, function, *args, name=name)

    async def _count(
        self, function: Callable[[*_Args], Awaitable[object]], *args: *_Args
    ) -> None:
        task = current_task()
        self._counted.add(task)
        try:
            await function(*args)
        finally:
            self._counted.discard(task)
            self._unparked -= 1

    @contextmanager
    def nobody_stays(self) -> Iterator[None]:
        """Keep all tasks on Trio's loop within the block: a task that serves no client
        has work there, for some passes.

        It would get on anyway, for nobody stays for long. But then it had a pass only
        where somebody else needs one, who would wait for each of its pieces.
        """
        # As a task that is never parked.
        self._unparked += 1
        try:
            yield
        finally:
            self._unparked -= 1

    def _can_stay(self) -> bool:
        """Whether all other tasks that serve clients are parked here, and Trio can wait.

        The running task is never parked: if one is left, and it is counted, it is that.
        """
        return (
            self._unparked == 1
            and perf_counter() < self._home_by
            and current_task() in self._counted
        )

    # -- waiting -------------------------------------------------------------------

    async def readable(self, watched: Watched) -> None:
        """Wait until there is something to read, or an EOF. The socket was found empty."""
        if not self.stay(watched, READABLE):
            await self.park_reader(watched)

    def stay(self, watched: Watched, wanted: int) -> bool:
        """Wait for events of a socket off Trio's loop, if that is right and as long as it
        is; True if one of those that are `wanted` has come. If not, the caller parks."""
        # Where many are served the count alone says no, and without a call.
        if self._unparked != 1 or not self._can_stay():
            return False
        self._deliver(self._away)
        return watched.heard & wanted != 0

    def park_reader(self, watched: Watched) -> Awaitable[None]:
        """Wait in Trio's loop until there is something to read, or an EOF: to be awaited
        at once. No coroutine: each is 200 bytes of a connection that waits."""
        if watched.reader is not None:
            raise trio.BusyResourceError("another task reads this socket")
        # Out of the count: it is parked.
        task = watched.reader = current_task()
        self._unparked -= task in self._counted
        return wait_task_rescheduled(watched.stop_reading)  # noqa: ASYNC105  who calls does

    def park_between(self, one: Watched, other: Watched) -> Awaitable[None]:
        """The same for two sockets at once: whichever can be read first ends the wait."""
        if other.reader is not None:
            raise trio.BusyResourceError("another task reads this socket")
        parked = self.park_reader(one)
        other.reader, one.twin, other.twin = one.reader, other, one
        return parked

    async def writable(self, watched: Watched) -> None:
        """Wait until the kernel takes bytes again. It just did not."""
        watched.heard &= ~select.EPOLLOUT
        # EPOLLOUT is registered for a wait only: else each acknowledgement that frees room
        # would be an event that nobody wants.
        self._epoll.modify(watched.fd, READS | select.EPOLLOUT)
        try:
            if self.stay(watched, WRITABLE):
                return
            if watched.writer is not None:
                raise trio.BusyResourceError("another task writes to this socket")
            task = watched.writer = current_task()
            self._unparked -= task in self._counted
            await wait_task_rescheduled(watched.stop_writing)
        finally:
            if watched.fd != -1:
                self._epoll.modify(watched.fd, READS)

    def look(self) -> None:
        """Wake the tasks whose sockets are ready, without waiting."""
        self._deliver(0)

    async def others(self) -> None:
        """Let the others have their turn, if there are any."""
        self._deliver(0)
        if self._can_stay():
            return
        task = current_task()

        def leave_queue(_raise_cancel: RaiseCancelT) -> Abort:
            self._queue.remove(task)
            return Abort.SUCCEEDED

        # Whoever is first wakes the one who gives turns; it goes on until none is left.
        if not self._queue:
            self._has_queue.set()
        self._queue.append(task)
        await wait_task_rescheduled(leave_queue)

    def unpark(self, task: Task) -> None:
        """Count a parked task again, from the moment it is woken or cancelled."""
        if task in self._counted:
            self._unparked += 1

    # -- events --------------------------------------------------------------------

    def _deliver(self, seconds: float) -> None:
        """Wait so long for events, and wake the tasks that wait for them."""
        for fd, events in self._epoll.poll(seconds, MOST_EVENTS):
            watched = self._watched.get(fd)
            if watched is None:
                continue  # removed on account of an event before this one
            # A hang-up is news once: its bit stays, and edges repeat it with other events.
            news = events & ~watched.heard
            watched.heard |= events
            if watched.reader is not None or watched.writer is not None:
                self._wake(watched, events)
            if news & HUNG_UP and watched.on_hangup is not None:
                watched.on_hangup()

    def _wake(
        self,
        watched: Watched,
        events: int,
        outcome: Any = WOKEN,  # noqa: ANN401  as `WOKEN` is
    ) -> None:
        # A task is counted from when it is woken, not from when it runs: in between it
        # could run, and whoever woke it must not stay.
        if watched.reader is not None and events & READABLE:
            self._unparked += watched.reader in self._counted
            reschedule(watched.reader, outcome)
            watched.reader = None
            if watched.twin is not None:
                watched.part()
        if watched.writer is not None and events & WRITABLE:
            self._unparked += watched.writer in self._counted
            reschedule(watched.writer, outcome)
            watched.writer = None
