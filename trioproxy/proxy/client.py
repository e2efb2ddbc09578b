"""The client's side of a connection: heads out of its bytes, and an end it can read.

Bytes that clients make us hold are bounded for all of them together. A bound for each
connection is none for a flood of connections: 4,000 clients with a head of 127 KB each,
none of them finished, are half a gigabyte, and none has broken a rule. So what may be held
for unfinished business has one `Budget` for all. Whoever has been holding for the longest
goes first when it is spent: an honest client is done in milliseconds, and a flood only
pushes itself out. What is whole, and waits for others, stays: then who comes finds no room.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import trio

from trioproxy.errors import ClientLost, HeadEvicted, RequestTooSlow
from trioproxy.http.request import HEAD_END, HEAD_LIMIT, UnfinishedHead
from trioproxy.proxy.relay import Buffer
from trioproxy.proxy.wire import Wire

HEAD_SECONDS: Final = 10.0
"""From the first byte of a head to its last."""

UNFINISHED_BYTES: Final = 16 * 1024 * 1024
"""Of all unfinished heads together: room for 130 of the longest."""

EARLY_BYTES: Final = 16 * 1024 * 1024
"""Of all that clients sent ahead of what is done with it."""

DRAIN_SECONDS: Final = 5.0
DRAIN_BYTES: Final = 64 * 1024 * 1024
"""What is read and dropped of a body nobody wants, so that its sender reads our answer."""

FIRST_READ: Final = 8 * 1024
DRAIN_READ: Final = 64 * 1024


Holder = TypeVar("Holder")


class Budget(Generic[Holder]):
    """Who holds how many bytes, the longest-holding first."""

    def __init__(self, limit: int, evict: Callable[[Holder], None]) -> None:
        """`evict` ends what a holder holds for; it must neither wait nor raise."""
        self.held = 0
        self._limit = limit
        self._evict = evict
        # A dict keeps the order in which its keys came; a new value leaves it as it is.
        self._holders: dict[Holder, int] = {}
        self._kept: dict[Holder, int] = {}
        """Those who do not have to go for others."""

    def keep(self, holder: Holder, count: int) -> None:
        """Say that a holder has `count` bytes now and goes for nobody any more.

        Where others that have to go make no room, it goes itself, once.
        """
        self.release(holder)
        self.hold(holder, count)
        if holder in self._holders:
            self._kept[holder] = self._holders.pop(holder)

    def hold(self, holder: Holder, count: int) -> None:
        """Say that a holder has `count` bytes now; beyond the limit others have to go,
        and the holder itself where all others stay."""
        self.held += count - self._holders.get(holder, 0)
        self._holders[holder] = count
        while self.held > self._limit:
            longest = next(iter(self._holders))
            self.release(longest)
            self._evict(longest)

    def release(self, holder: Holder) -> None:
        """Say that a holder has nothing any more; it need not have had anything."""
        self.held -= self._holders.pop(holder, 0) + self._kept.pop(holder, 0)


class Clients:
    """What is known of all clients together: who is idle, and what they make us hold."""

    def __init__(self) -> None:
        self.idle: dict[Client, None] = {}
        """Those between two requests, the longest idle first. An ordered set: a client
        is taken out with its first byte and put at the end when it waits again, which
        costs less than to read a clock for each request."""
        self.in_head: dict[Client, None] = {}
        """Those of whose head a part is here, the longest first: they have a place, and
        nothing is done for them yet."""
        self.unfinished = Budget(UNFINISHED_BYTES, Client.evict_head)
        self.early = Budget(EARLY_BYTES, Client.evict_early)


@dataclass(eq=False, slots=True)
class Client:
    """A client's wire, and the bytes it sent ahead of what was asked of it."""

    wire: Wire
    peer: str
    group: str
    """Whose places, and room for bodies, it takes (`listeners.group_of`)."""
    clients: Clients
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Around all that its connection does."""
    early: bytes = b""
    """What came behind the last head or body, and was not asked for yet."""
    idle_since: float | None = None
    """When the reaper first saw it idle."""
    is_counted: bool = True
    """It has one of the places that are limited."""
    container: str = ""
    """The id of the container that it is; empty: it is known by its listener."""
    before: Sequence[str] = ()
    """The policies that it would have if there were one of them."""
    evicted: bool = False
    """It held too much for too long, and had to go."""
    _head_scope: trio.CancelScope | None = None

    def __post_init__(self) -> None:
        self.clients.idle[self] = None

    @property
    def is_idle(self) -> bool:
        """Between two requests, with not a byte of the next one read."""
        return self in self.clients.idle

    def has_spoken(self) -> bool:
        """Whether bytes wait to be read."""
        try:
            return bool(self.wire.peek_now(1))
        except ClientLost:
            return False

    def idle_for(self, now: float) -> float:
        """How long an idle one has been so, as far as was asked before."""
        if self.idle_since is None:
            self.idle_since = now
        return now - self.idle_since

    def end(self) -> None:
        """End its connection now, and what is being served."""
        self.scope.cancel()

    def end_silent(self) -> None:
        """End an idle one, unless its next request is here: ended before that is read, the client
        would find a reset, and not know whether it ran."""
        if not self.has_spoken():
            self.end()

    async def read_head(self) -> bytes | None:
        """Wait for a request head; None where the client has no more.

        Raises `BadRequest` for what can be no head, `RequestTooSlow` past the deadline.
        """
        data = self.early
        if data:
            # A client that sends ahead must not keep the others waiting.
            await self.wire.let_others()
        else:
            self.clients.idle[self] = None
            self.idle_since = None
            data = await self.wire.recv_later(FIRST_READ)
            if not data:
                return None
        self.clients.idle.pop(self, None)
        end = data.find(HEAD_END, 0, HEAD_LIMIT) + len(HEAD_END)
        if end < len(HEAD_END):
            # Moved, not copied: of thousands that wait for the rest each holds it once.
            self.early, data = data, b""
            data, end = await self._rest_of_head()
            if end < 0:
                return None
        if self.early or end < len(data):
            self.put_back(data[end:])
        return data[:end]

    async def _rest_of_head(self) -> tuple[bytes, int]:
        """Collect a head that came in pieces; the end is -1 where it never came whole.

        Others have a turn after each piece: thousands may do this at the same time.
        """
        head = UnfinishedHead()
        self.clients.in_head[self] = None
        data = self.early
        self.put_back(b"")
        try:
            with trio.move_on_after(HEAD_SECONDS) as self._head_scope:
                while data:
                    end = head.feed(data)
                    if end >= 0:
                        return bytes(head.data), end
                    data = b""  # what waits holds its head once
                    self.clients.unfinished.hold(self, len(head.data))
                    await self.wire.let_others()
                    data = await self.wire.recv(FIRST_READ)
                return b"", -1
        finally:
            self.clients.in_head.pop(self, None)
            self.clients.unfinished.release(self)
            self._head_scope = None
            # An exception holds this frame for as long as its client is answered.
            head.data.clear()
        if self.evicted:
            raise HeadEvicted(
                "too many unfinished request heads, and this one waited longest:"
                " send it again, in one piece"
            )
        raise RequestTooSlow(f"the request head took longer than {HEAD_SECONDS:.0f} s")

    def evict_head(self) -> None:
        """End the wait for the rest of a head: others need the memory."""
        self.evicted = True
        if self._head_scope is not None:
            self._head_scope.cancel()

    def evict_early(self) -> None:
        """End the connection: it sent too far ahead, and others need the memory."""
        self.evicted = True
        self.early = b""
        self.end()

    def put_back(self, data: bytes) -> None:
        """Hold bytes that came ahead until somebody asks for them."""
        self.early = data
        if data:
            self.clients.early.hold(self, len(data))
        else:
            self.clients.early.release(self)

    def take_early(self, count: int) -> bytes:
        """Take the first bytes that came ahead."""
        taken = self.early[:count]
        if taken:
            self.put_back(self.early[count:])
        return taken

    async def linger(self, buffer: Buffer) -> None:
        """Let the client read our answer before it finds the connection closed.

        Closing with unread bytes makes the kernel reset the connection, and an answer
        on its way is lost (RFC 9112 section 9.6). What comes is read into the memory
        that all share: thousands may be left at once, and none holds what it dropped.
        """
        self.wire.send_eof()
        left = DRAIN_BYTES
        with trio.move_on_after(DRAIN_SECONDS):
            while left > 0 and (count := await self.wire.recv_into(buffer, DRAIN_READ)):
                left -= count
                await self.wire.let_others()

    def close(self) -> None:
        """Close the socket, and hold nothing any more."""
        self.clients.idle.pop(self, None)
        self.clients.early.release(self)
        self.wire.close()
