"""Non-blocking socket calls that wait only when the kernel is not ready.

A wire is one connected socket and has one owner, who closes it. It knows no HTTP.
Failures become the error of its side, so that a caller sees who is gone.
"""

import select
import socket
from typing import Final, Protocol

from trioproxy.errors import ClientLost, UpstreamLost
from trioproxy.proxy.pipe import Pipe
from trioproxy.proxy.watch import GONE, READABLE, Watch, Watched

FAIR_SHARE: Final = 128 * 1024
"""Bytes moved without waiting after which others get their turn, and cancels theirs."""

MOST_DROPPED: Final = 1024 * 1024
"""Rather more than the kernel holds of a client that was hardly read."""

EMPTIED: Final = ~select.EPOLLIN
"""A read that brought less than asked has emptied the socket (epoll(7))."""


def find_unplugged(sock: socket.socket) -> None:
    """Have the kernel ask a TCP peer that is silent, and end what is gone in two minutes; as it comes,
    that takes two hours."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)


class Room(Protocol):
    """Where a wire puts what it receives."""

    most: int
    """Bytes that it takes at a time."""
    takes_all: bool
    """Whether it had room for all that was asked for: then less means no more was there."""

    def fill(self, sock: socket.socket, size: int) -> int:
        """Put up to `size` bytes of a socket there; 0 is its end of data."""
        ...


class Wire(Watched):
    """One connected socket, made non-blocking."""

    __slots__ = ("_credit", "_poll", "ended", "lost")

    def __init__(
        self, sock: socket.socket, lost: type[ClientLost | UpstreamLost], watch: Watch
    ) -> None:
        if sock.gettimeout() != 0:
            sock.setblocking(False)
        super().__init__(sock, watch)
        self.lost = lost
        self.ended = False
        """A tunnel has read the peer's end of data and passed all before it on."""
        self._credit = FAIR_SHARE
        self._poll: select.poll | None = None
        """For `has_ended_or_bytes`, from its first call on: to make one costs as much
        as to ask it."""

    @property
    def gone(self) -> bool:
        """The peer has closed both directions: what we send reaches nobody."""
        return self.heard & GONE != 0

    def recv_now(self, size: int, flags: int = 0) -> bytes | None:
        """Take what is there: `b""` at the end of data, None where nothing is yet."""
        try:
            data = self.sock.recv(size, flags)
        except (BlockingIOError, InterruptedError):
            self.heard &= EMPTIED
            return None
        except OSError as error:
            raise self.lost(str(error)) from error
        if len(data) < size and not flags:
            self.heard &= EMPTIED
        return data

    def peek_now(self, size: int) -> bytes | None:
        """Look at what is there, as `recv_now` does, and leave it."""
        return self.recv_now(size, socket.MSG_PEEK)

    async def recv(self, size: int) -> bytes:
        """Wait for bytes; `b""` is the end of data."""
        # The call first, the wait only if it says EAGAIN: under load it rarely does. Having
        # waited is having let others run, so the credit is full again.
        if self._credit <= 0:
            await self.let_others()
        while (data := self.recv_now(size)) is None:
            self._credit = FAIR_SHARE
            if not self.watch.stay(self, READABLE):
                await self.watch.park_reader(self)
        self._credit -= len(data)
        return data

    async def recv_later(self, size: int) -> bytes:
        """Wait for bytes that are hardly there yet: an answer to what was just sent.

        Saves the call that would say so; measured, it is a tenth of a small request.
        """
        self._credit = FAIR_SHARE
        # What `Watch.readable` does, without a coroutine where the task stays.
        if not (self.heard & READABLE or self.watch.stay(self, READABLE)):
            await self.watch.park_reader(self)
        while (data := self.recv_now(size)) is None:
            await self.watch.readable(self)
        return data

    async def recv_into(self, room: Room, size: int) -> int:
        """Wait for bytes and put up to `size` into `room`; 0 is the end of data.

        Nothing is awaited between the kernel's answer and the return, so that a
        room shared by all connections can be used until the next await. Raises also
        what `room` raises on its own account.
        """
        if self._credit <= 0:
            await self.let_others()
        while (count := self._recv_into_now(room, size)) is None:
            # Not in the `except` clause: a parked stream would hold its exception.
            self._credit = FAIR_SHARE
            if not self.watch.stay(self, READABLE):
                await self.watch.park_reader(self)
        self._credit -= count
        return count

    def _recv_into_now(self, room: Room, size: int) -> int | None:
        # Asked now, and not before the wait: meanwhile others may have come to hold much.
        size = min(size, room.most)
        try:
            count = room.fill(self.sock, size)
        except (BlockingIOError, InterruptedError):
            self.heard &= EMPTIED
            return None
        except OSError as error:
            raise self.lost(str(error)) from error
        if count < size and room.takes_all:
            self.heard &= EMPTIED
        return count

    def splice_from(self, pipe: Pipe, count: int) -> bytes:
        """Give the kernel what it takes at once of the pipe's bytes; returns the rest."""
        try:
            return pipe.empty_into(self.fd, count)
        except OSError as error:
            raise self.lost(str(error)) from error

    def send_now(self, data: bytes | memoryview) -> int:
        """Give the kernel what it takes at once; returns how much that was."""
        try:
            return self.sock.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise self.lost(str(error)) from error

    async def send_all(self, data: bytes | memoryview) -> None:
        """Send everything, of what does not change while it waits: no memory that is shared."""
        if (sent := self.send_now(data)) < len(data):
            await self.send_rest(data, sent)

    async def send_rest(self, data: bytes | memoryview, sent: int) -> None:
        """Send what is left when `send_now` took the first `sent` bytes, and not all.

        Apart from `send_all` for who sends small things all the time: a coroutine that
        awaits nothing costs as much as another half of the call."""
        rest = memoryview(data)[sent:]
        # A socket that took less than all has no room now; the watch hears when it has.
        while rest:
            self._credit = FAIR_SHARE
            await self.watch.writable(self)
            rest = rest[self.send_now(rest) :]

    async def let_others(self) -> None:
        """Let others have their turn."""
        self._credit = FAIR_SHARE
        await self.watch.others()

    def has_ended_or_bytes(self) -> bool:
        """Look without taking: an end, an error or any byte says True.

        By poll(2), for the usual answer is no, and MSG_PEEK says that by an exception.
        """
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.fd, select.POLLIN)
        return bool(self._poll.poll(0))

    def has_ended(self) -> bool:
        """Look without taking: has the peer ended its data, with nothing left to read?"""
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return False

    def finish(self) -> None:
        """Say that no more comes, and take what is here: closing with unread bytes would
        reset the connection, and an answer on its way with it. Once, for a client may send
        faster than that."""
        self.send_eof()
        self.recv_now(MOST_DROPPED)

    def send_eof(self) -> None:
        """Tell the peer that no more bytes come; the other direction stays open."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            # The peer is gone already: reading will say so.
            return
