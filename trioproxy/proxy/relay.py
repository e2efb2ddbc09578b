"""Bodies across, by their framing. Bytes pass as they are; only their end is looked for."""

import re
import socket
import sys
from typing import Final, Protocol

from trioproxy.errors import BadRequest, UpstreamError
from trioproxy.proxy.http import Body, Framing
from trioproxy.proxy.pipe import CannotSplice, Pipe
from trioproxy.proxy.wire import Wire

BUFFER_SIZE: Final = 256 * 1024
BULK: Final = 32 * 1024
"""A piece from which on it is cheaper to move pages than to copy bytes."""

SLOW_SIZE: Final = 64 * 1024
"""Read at a time while the other side is slower than we: what it leaves is a copy."""

CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
NEXT_CHUNK: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})\r\n")
"""The end of one chunk and the size of the next, where both have come."""
TRAILER: Final = re.compile(
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n"
)
LINE_LIMIT: Final = 16 * 1024
TRAILERS_LIMIT: Final = 64 * 1024


class Boundary(Protocol):
    """Finds the end of one body in the bytes as they pass."""

    done: bool
    unseen: int
    """How many of the next bytes are body whatever they are: nobody needs to see them."""

    def feed(self, data: bytes | bytearray, end: int) -> int:
        """Look at `data[:end]`; return how many of these bytes belong to the body."""
        ...

    def skip(self, count: int) -> None:
        """Know that so many of the unseen bytes passed."""
        ...


class Sized:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self.unseen = length
        self.done = length == 0

    def feed(self, data: bytes | bytearray, end: int) -> int:
        """Count."""
        used = min(self.unseen, end)
        self.skip(used)
        return used

    def skip(self, count: int) -> None:
        """Count."""
        self.unseen -= count
        self.done = self.unseen == 0


NOTHING: Final = Sized(0)
"""The boundary of what has no body: one for all, for it has no state that changes."""


class UntilClose:
    """A body that ends with its connection."""

    done = False
    unseen = sys.maxsize

    def feed(self, data: bytes | bytearray, end: int) -> int:
        """Take everything."""
        return end

    def skip(self, count: int) -> None:
        """Take everything."""


class Chunked:
    """A chunked body (RFC 9112 section 7.1), scanned strictly.

    Refused, as readers differ about them: chunk extensions, line ends without CR,
    anything but hex digits in a size. Trailers pass if they are header lines.
    """

    def __init__(self, failure: type[BadRequest] | type[UpstreamError]) -> None:
        self.done = False
        self._failure = failure
        self.unseen = 0
        self._line = b""
        self._trailers = 0
        # Unbound, for a bound method would tie a body into a reference cycle.
        self._expect = Chunked._size

    def feed(self, data: bytes | bytearray, end: int) -> int:
        """Walk over the chunks. A bad line raises before its end is sent."""
        at = 0
        while at < end and not self.done:
            if self.unseen:
                step = min(self.unseen, end - at)
                self.unseen -= step
                at += step
            elif found := self._find_next(data, at, end):
                self._begin(found[1])
                at = found.end()
            else:
                at = self._take_line(data, at, end)
        return at

    def skip(self, count: int) -> None:
        """Walk on within a chunk."""
        self.unseen -= count

    def _find_next(
        self, data: bytes | bytearray, at: int, end: int
    ) -> re.Match[bytes] | None:
        """Find the next chunk in one look; what is cut or odd is taken line by line."""
        if self._line or self._expect is not Chunked._data_end:
            return None
        return NEXT_CHUNK.match(data, at, end)

    def _take_line(self, data: bytes | bytearray, at: int, end: int) -> int:
        stop = data.find(b"\n", at, min(end, at + LINE_LIMIT)) + 1
        line = self._line + data[at : stop or min(end, at + LINE_LIMIT)]
        if not stop:
            if len(line) >= LINE_LIMIT:
                raise self._failure("a line of the chunked body is too long")
            self._line = line
            return end
        self._line = b""
        self._expect(self, line)
        return stop

    def _size(self, line: bytes) -> None:
        found = CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise self._failure(f"bad chunk size {line[:32]!r}")
        self._begin(found[1])

    def _begin(self, size: bytes) -> None:
        self.unseen = int(size, 16)
        self._expect = Chunked._data_end if self.unseen else Chunked._trailer

    def _data_end(self, line: bytes) -> None:
        if line != b"\r\n":
            raise self._failure(f"bad end of a chunk {line[:32]!r}")
        self._expect = Chunked._size

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if line == b"\r\n":
            self.done = True
        elif not TRAILER.fullmatch(line) or self._trailers > TRAILERS_LIMIT:
            raise self._failure(f"bad trailer {line[:32]!r}")


def boundary_of(
    framing: Framing, failure: type[BadRequest] | type[UpstreamError] = BadRequest
) -> Boundary:
    """Make the boundary of one body; `failure` is what a bad chunk raises."""
    match framing.body:
        case Body.NONE:
            return NOTHING
        case Body.SIZED:
            return Sized(framing.length)
        case Body.CHUNKED:
            return Chunked(failure)
        case Body.UNTIL_CLOSE:
            return UntilClose()


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
