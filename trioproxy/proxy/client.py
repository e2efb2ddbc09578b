"""The client's side of a connection: heads out of its bytes, and an end it can read."""

import select
from typing import Final

import trio

from trioproxy.errors import HeadTooSlow
from trioproxy.http.request import find_head_end, resume_at
from trioproxy.proxy.wire import Wire

HEAD_SECONDS: Final = 10.0
"""From the first byte of a head to its last."""

DRAIN_SECONDS: Final = 5.0
DRAIN_BYTES: Final = 64 * 1024 * 1024
"""What is read and dropped of a body nobody wants, so that its sender reads our answer."""

FIRST_READ: Final = 8 * 1024
DRAIN_READ: Final = 64 * 1024


class Client:
    """A client's wire, and the bytes it sent ahead of what was asked of it."""

    __slots__ = ("early", "idle_since", "is_idle", "peer", "wire")

    def __init__(self, wire: Wire, peer: str) -> None:
        self.wire = wire
        # Most have spoken before they are accepted: look, rather than wait to be told.
        wire.heard |= select.EPOLLIN
        self.peer = peer
        self.early = b""
        self.is_idle = True
        """Between two requests, with not a byte of the next one here."""
        self.idle_since: float | None = None
        """When the reaper first saw it idle: a clock read for each request costs more."""

    def idle_for(self, now: float) -> float:
        """Say how long it has been idle, as far as was asked before."""
        if not self.is_idle:
            return 0.0
        if self.idle_since is None:
            self.idle_since = now
        return now - self.idle_since

    async def read_head(self) -> bytes | None:
        """Wait for a request head; None where the client has no more.

        Raises `BadRequest` for what can be no head, `HeadTooSlow` past the deadline.
        """
        data = self.early
        if data:
            # A client that sends ahead must not keep the others waiting.
            await self.wire.let_others()
        else:
            self.is_idle = True
            self.idle_since = None
            data = await self.wire.recv_later(FIRST_READ)
            if not data:
                return None
        self.is_idle = False
        end = find_head_end(data)
        if end < 0:
            data, end = await self._rest_of_head(data)
            if end < 0:
                return None
        self.early = data[end:]
        return data[:end]

    async def _rest_of_head(self, data: bytes) -> tuple[bytes, int]:
        """Collect a head that came in pieces; the end is -1 where it never came whole."""
        with trio.move_on_after(HEAD_SECONDS):
            while more := await self.wire.recv(FIRST_READ):
                start = resume_at(data)
                data += more
                end = find_head_end(data, start)
                if end >= 0:
                    return data, end
            return data, -1
        raise HeadTooSlow(f"the request head took longer than {HEAD_SECONDS:.0f} s")

    def take_early(self, count: int) -> bytes:
        """Take the first bytes that came ahead."""
        taken, self.early = self.early[:count], self.early[count:]
        return taken

    async def linger(self) -> None:
        """Let the client read our answer before it finds the connection closed.

        Closing with unread bytes makes the kernel reset the connection, and an answer
        on its way is lost (RFC 9112 section 9.6).
        """
        self.wire.send_eof()
        left = DRAIN_BYTES
        with trio.move_on_after(DRAIN_SECONDS):
            while left > 0 and (data := await self.wire.recv(DRAIN_READ)):
                left -= len(data)
