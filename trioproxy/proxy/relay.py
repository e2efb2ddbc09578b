"""Bodies across, by their framing. Bytes pass as they are; only their end is looked for."""

import socket
from typing import Final

from trioproxy.http.framing import Boundary
from trioproxy.proxy.pipe import CannotSplice, Pipe
from trioproxy.proxy.wire import Wire

BUFFER_SIZE: Final = 256 * 1024
BULK: Final = 32 * 1024
"""A piece from which on it is cheaper to move pages than to copy bytes."""

SLOW_SIZE: Final = 64 * 1024
"""Read at a time while the other side is slower than we: what it leaves is a copy."""


class Buffer:
    """Where bytes rest between two sockets: one for all connections of a server.

    What must outlive an await is copied. A parked connection holds nothing of it.
    """

    __slots__ = ("memory", "pipe", "view")

    takes_all = True

    def __init__(self) -> None:
        self.memory = bytearray(BUFFER_SIZE)
        self.view = memoryview(self.memory)
        self.pipe = Pipe()

    def fill(self, sock: socket.socket, size: int) -> int:
        """Read up to `size` bytes from a socket into the memory."""
        return sock.recv_into(self.memory, size)

    def close(self) -> None:
        """Let go of the pipe, when no connection is left."""
        self.pipe.close()


async def relay(
    source: Wire, sink: Wire, boundary: Boundary, buffer: Buffer
) -> bytes | None:
    """Relay one body. Returns the surplus that came behind it.

    None: `source` ended first, which is the end of a body without another, and a loss
    for every other.
    """
    size = BUFFER_SIZE
    count = 0
    while not boundary.done:
        # What comes in large pieces and need not be seen is not copied.
        is_bulk = buffer.pipe.works and min(count, boundary.unseen) >= BULK
        move = _splice if is_bulk else _copy
        count, rest, surplus = await move(source, sink, boundary, buffer, size)
        if not count:
            return None
        if rest:
            await sink.send_all(rest)
            size = SLOW_SIZE
        else:
            size = min(2 * size, BUFFER_SIZE)
        if surplus:
            return surplus
    return b""


Moved = tuple[int, bytes | memoryview, bytes]
"""How much came, what of it is still to be sent, and what lies behind the body."""


async def _copy(
    source: Wire, sink: Wire, boundary: Boundary, buffer: Buffer, size: int
) -> Moved:
    count = await source.recv_into(buffer, size)
    if not count:
        return 0, b"", b""
    used = boundary.feed(buffer.memory, count)
    surplus = bytes(buffer.view[used:count])
    sent = sink.send_now(buffer.view[:used])
    return count, buffer.view[sent:used], surplus


async def _splice(
    source: Wire, sink: Wire, boundary: Boundary, buffer: Buffer, size: int
) -> Moved:
    try:
        count = await source.recv_into(buffer.pipe, min(size, boundary.unseen))
    except CannotSplice:
        return await _copy(source, sink, boundary, buffer, size)
    boundary.skip(count)
    return count, sink.splice_from(buffer.pipe, count), b""
