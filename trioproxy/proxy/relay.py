"""Bodies across, by their framing. Bytes pass as they are; only their end is looked for.

A piece is read into a buffer that all connections share, its boundary says how much of
it may go on, and the sink takes as much as the kernel has room for. Nothing is awaited in
between, so the buffer is free again when another task runs. Only what is left then is
copied and held: bytes the sink had no room for, and bytes that are not looked at yet,
because so many short chunks are work in which others must have their turn.

What slow readers leave with us is bounded for all of them together: while much is held,
smaller pieces are read, and the kernel's own buffers make the sender wait.
"""

import socket
from typing import TYPE_CHECKING, Final

from trioproxy.http.framing import Boundary, Dechunked
from trioproxy.proxy.pipe import CannotSplice, Pipe
from trioproxy.proxy.wire import Wire

if TYPE_CHECKING:
    from trioproxy.http.tar import Rewriter

BUFFER_SIZE: Final = 256 * 1024
"""Read at most at a time; a body begins with a quarter of it and doubles."""

BULK: Final = 32 * 1024
"""A piece from which on it is cheaper to move pages than to copy bytes."""

SLOW_SIZE: Final = 64 * 1024
"""Read at a time while the sink is slower than the source: what it leaves is a copy."""

HELD_MUCH: Final = 6 * 1024 * 1024
"""Bytes that wait for slow sinks, of all connections; from here on pieces are small."""

SMALL_SIZE: Final = 16 * 1024


TAR_SIZE: Final = 64 * 1024
"""Read at a time of a body that is written anew."""

STEP: Final = 16 * 1024
"""Of such a body, between two turns of others: at most 32 headers."""

LAST_CHUNK: Final = b"0\r\n\r\n"


class Buffer:
    """Where bytes rest between two sockets: one for all connections of a server."""

    __slots__ = ("_held", "memory", "most", "pipe", "view")

    takes_all = True

    def __init__(self) -> None:
        self.memory = bytearray(BUFFER_SIZE)
        self.view = memoryview(self.memory)
        self.pipe = Pipe()
        self.most = BUFFER_SIZE
        """Bytes that are read at a time, by whichever connection."""
        self._held = 0

    def hold(self, count: int) -> None:
        """Know that so many bytes more, or less, were copied out of it and wait for a sink."""
        self._held += count
        self.most = SMALL_SIZE if self._held > HELD_MUCH else BUFFER_SIZE
        self.pipe.most = self.most

    def fill(self, sock: socket.socket, size: int) -> int:
        """Read up to `size` bytes from a socket into the memory."""
        return sock.recv_into(self.memory, size)

    def close(self) -> None:
        """Let go of the pipe, when no connection is left."""
        self.pipe.close()


async def relay(
    source: Wire, sink: Wire, boundary: Boundary, buffer: Buffer, early: bytes = b""
) -> bytes | None:
    """Relay one body; `early` of it is here already. Returns the surplus behind it.

    None: `source` ended first, which is the end of a body without another, and a loss
    for every other.
    """
    surplus = b""
    if early:
        surplus = await _pass_on(early, 0, source, sink, boundary, buffer)
    size = BUFFER_SIZE // 4
    count = 0
    while not boundary.done:
        # What comes in large pieces and need not be seen is not copied.
        is_bulk = buffer.pipe.works and min(count, boundary.unseen) >= BULK
        try:
            # Waited for here, and in no frame below: a stream does so for weeks.
            if is_bulk:
                # Never more than is body whatever it is: the next byte may have to be
                # looked at.
                most = min(size, boundary.unseen)
                count = await source.recv_into(buffer.pipe, most)
            else:
                count = await source.recv_into(buffer, size)
        except CannotSplice:
            continue
        if not count:
            return None
        used, rest = (_splice if is_bulk else _copy)(sink, boundary, buffer, count)
        # Doubling while the sink keeps up; a slow one leaves less to copy next time.
        if not rest:
            size = min(2 * size, BUFFER_SIZE)
            continue
        if used:
            size = SLOW_SIZE
        surplus = await _pass_on(rest, used, source, sink, boundary, buffer)
    return surplus


async def relay_rewritten(
    source: Wire,
    sink: Wire,
    boundary: Boundary,
    buffer: Buffer,
    early: bytes,
    rewriter: "Rewriter",
) -> bytes | None:
    """Relay one body, of any framing, in chunks of what `rewriter` makes of its content.

    Returns as `relay`. What is refused raises before a byte of its piece is sent, and
    then the last chunk never goes out: the sink has no whole body.
    """
    data, at = early, 0
    while not boundary.done:
        if at == len(data):
            data, at = await source.recv(min(TAR_SIZE, buffer.most)), 0
            if not data:
                return None
        # What are contents costs nothing; a header is work, and thousands may come at once.
        end = min(len(data), at + max(rewriter.skips, STEP))
        begin, at = at, boundary.feed(data, at, end)
        content: bytes | memoryview = memoryview(data)[begin:at]
        if isinstance(boundary, Dechunked):
            content = boundary.take()
        for piece in rewriter.unpacked(content):
            await _send_chunk(sink, rewriter.feed(piece), buffer)
            await source.let_others()
    await _send_chunk(sink, [rewriter.end()], buffer)
    await sink.send_all(LAST_CHUNK)
    return data[at:]


async def _send_chunk(
    sink: Wire, pieces: "list[bytes | memoryview]", buffer: Buffer
) -> None:
    """Send one chunk; of nothing none, for that would be the last."""
    if size := sum(map(len, pieces)):
        data = b"".join((b"%x\r\n" % size, *pieces, b"\r\n"))
        buffer.hold(size)
        try:
            await sink.send_all(data)
        finally:
            buffer.hold(-size)


async def _pass_on(
    data: bytes, used: int, source: Wire, sink: Wire, boundary: Boundary, buffer: Buffer
) -> bytes:
    """Send `data`, of which the boundary has seen the first `used` bytes, and look at
    the others in slices, with a turn for everybody in between. Returns the surplus."""
    buffer.hold(len(data))
    try:
        at = 0
        while True:
            if used > at:
                await sink.send_all(memoryview(data)[at:used])
            at = used
            if boundary.done or at == len(data):
                return data[at:]
            used = boundary.feed(data, at, len(data))
            if used < len(data) and not boundary.done:
                await source.let_others()
    finally:
        buffer.hold(-len(data))


Left = tuple[int, bytes]
"""Of what the sink did not take, and what is behind the end: how many bytes the boundary
has seen; a copy of them all."""


def _copy(sink: Wire, boundary: Boundary, buffer: Buffer, count: int) -> Left:
    # What the boundary refuses raises here, before a byte of this piece is sent.
    used = boundary.feed(buffer.memory, 0, count)
    sent = sink.send_now(buffer.view[:used])
    return used - sent, bytes(buffer.view[sent:count])


def _splice(sink: Wire, boundary: Boundary, buffer: Buffer, count: int) -> Left:
    boundary.skip(count)
    rest = sink.splice_from(buffer.pipe, count)
    return len(rest), rest
