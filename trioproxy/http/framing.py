"""Where a body ends: its framing, and the scanners that find the end as bytes pass.

A proxy must find the end of each body exactly where the next reader finds it; whoever
disagrees about it reads part of a body as the next request (request smuggling). So a
framing that readers differ about is refused, here and in the reading of heads, and the
bytes of a body pass unchanged.

A `Boundary` is fed the bytes of one body in pieces, as they come from a socket, and
says how many of them belong to it. Pieces may be cut anywhere, also within a line of a
chunked body. `unseen` is what makes large bodies cheap: so many of the next bytes are
body whatever they are, and may go through the kernel without being looked at.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

from trioproxy.errors import BadRequest, BodyTooLarge, UpstreamError
from trioproxy.quoting import in_quotes
from trioproxy.values import value_class

LENGTH: Final = re.compile(rb"[0-9]{1,18}")
"""Digits alone: `+5`, `0x5` and `5, 5` are lengths to some readers (RFC 9112, 6.3)."""


@value_class
class Framing:
    """The framing of one body: its length, or one of the two below."""

    length: int


NO_BODY: Final = Framing(length=0)
CHUNKED: Final = Framing(length=-1)
"""Its last chunk ends it."""
UNTIL_CLOSE: Final = Framing(length=-2)
"""Its connection ends with it."""


def sized(length: bytes | None) -> Framing:
    """Read a `Content-Length`; a length of 0 is no body. Raises `BadRequest`."""
    if length is None:
        return NO_BODY
    if not LENGTH.fullmatch(length):
        raise BadRequest(f"bad Content-Length {in_quotes(length, 32)}")
    count = int(length)
    return Framing(length=count) if count else NO_BODY


CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
NEXT_CHUNK: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,16})\r\n")
"""The end of one chunk and the size of the next, where both have come."""

RUN: Final = 256
"""Short chunks that are walked over in one call."""

SHORT: Final = 15
"""Bytes of such a chunk, at most. Behind a longer one none is looked for."""


STEPS_OF_A_RUN: Final = 32
"""Lines that take as long, at least."""

SHORT_CHUNKS: Final = re.compile(
    rb"(?:\r\n0{0,8}+(?:%b)){0,%d}+"
    % (b"|".join(rb"%x\r\n.{%d}" % (n, n) for n in range(1, SHORT + 1)), RUN),
    re.DOTALL | re.IGNORECASE,
)
"""Ends of chunks with the whole next one behind each, of up to 15 bytes: in one call, not
one for each. Nobody sends such to be fast, and 40,000 of them came in 240 KB."""

TRAILER: Final = re.compile(
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n"
)
LINE_LIMIT: Final = 16 * 1024
"""Bytes of a line of a chunked body."""

MOST_STEPS: Final = 512
"""Lines of a chunked body in one go. Chunks of one byte are six bytes of data: 256 KiB of
them are 43,000 lines and took 40 to 80 ms, in which nobody else was served."""

TRAILERS_LIMIT: Final = 64 * 1024
"""Bytes of all trailers of one body."""


class Boundary(Protocol):
    """Finds the end of one body in the bytes as they pass."""

    done: bool
    """True once the last byte of the body has passed."""
    unseen: int
    """How many of the next bytes are body whatever they are."""
    passed: int
    """How many bytes of the body have passed, its chunk lines included."""

    def feed(self, data: bytes | bytearray, at: int, end: int) -> int:
        """Look at `data[at:end]`; return the index up to which bytes may go on.

        That is `end`, or where the body ends (`done`), or where so much work is done
        that others must have their turn first: then feed it the rest.
        """
        ...

    def skip(self, count: int) -> None:
        """Count so many of the unseen bytes as passed."""
        ...


class Sized:
    """A body of a known length."""

    __slots__ = ("done", "passed", "unseen")

    def __init__(self, length: int) -> None:
        self.unseen = length
        self.done = length == 0
        self.passed = 0

    def feed(self, data: bytes | bytearray, at: int, end: int) -> int:
        """Take what is left of the length."""
        used = min(self.unseen, end - at)
        self.skip(used)
        return at + used

    def skip(self, count: int) -> None:
        """Count so many bytes as passed."""
        self.unseen -= count
        self.passed += count
        self.done = self.unseen == 0


NOTHING: Final = Sized(0)
"""The boundary of what has no body: one for all, for it has no state that changes."""


def until_close() -> Sized:
    """The boundary of what ends with its connection: every byte belongs to it."""
    return Sized(sys.maxsize)


@dataclass(slots=True, eq=False)
class Chunked:
    """A chunked body (RFC 9112 section 7.1), scanned strictly.

    Refused, as readers differ about them: chunk extensions, line ends without CR,
    anything but hex digits in a size. Trailers pass if they are header lines.

    The scanner is a state machine over lines and chunk data: `_expect` is the reader of
    the next line, and `unseen` counts down the data of a chunk. A line that is cut off
    at the end of a piece is kept in `_line` until its rest comes.
    """

    PIECE: ClassVar = sys.maxsize
    """Bytes that are walked over in one go, at most."""
    _failure: type[BadRequest] | type[UpstreamError] = BadRequest
    _most: int = sys.maxsize
    content: list[bytes] | None = None
    """What was in the chunks, in pieces, where that is kept."""
    done: bool = False
    unseen: int = 0
    passed: int = 0
    _line: bytes = b""
    _is_short: bool = False
    _trailers: int = 0
    # Unbound, for a bound method would tie a body into a reference cycle.
    _expect: "Callable[[Chunked, bytes], None]" = field(
        default_factory=lambda: Chunked._size
    )

    def feed(self, data: bytes | bytearray, at: int, end: int) -> int:
        """Walk over at most `MOST_STEPS` lines. A bad line raises before its end is sent."""
        start, steps = at, 0
        stop = min(end, at + self.PIECE)
        while at < stop and not self.done and steps < MOST_STEPS:
            if self.unseen:
                step = min(self.unseen, end - at)
                if self.content is not None:
                    self.content.append(bytes(data[at : at + step]))
                self.unseen -= step
                at += step
                continue
            # Whether a chunk ends here; what is cut or odd is taken line by line.
            is_end = self._expect is Chunked._data_end and not self._line
            if is_end and self._is_short:
                # Whole chunks of a few bytes each: behind them all is as before them.
                found = SHORT_CHUNKS.match(data, at, end)
                if found and found.end() > at:
                    at = found.end()
                    steps += STEPS_OF_A_RUN
                    continue
            # The end of a chunk and the size of the next are one match as long as both are
            # here and well formed: two thirds of the work of a body of short chunks.
            steps += 1
            if is_end and (found := NEXT_CHUNK.match(data, at, end)):
                self._begin(found[1])
                at = found.end()
            else:
                at = self._take_line(data, at, end)
        self.passed += at - start
        if self.passed + self.unseen > self._most:
            raise too_large(self._most)
        return at

    def skip(self, count: int) -> None:
        """Walk on within a chunk."""
        self.unseen -= count
        self.passed += count

    def _take_line(self, data: bytes | bytearray, at: int, end: int) -> int:
        # A line may be cut anywhere, also between CR and LF: it is looked at when it is
        # whole, and never sent before, so that no bad line reaches the other side.
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
        if (found := CHUNK_SIZE.fullmatch(line)) is None:
            # Behind a wrong size it may be any line of the body, with a password in it.
            raise self._failure("bad chunk size")
        self._begin(found[1])

    def _begin(self, size: bytes) -> None:
        self.unseen = int(size, 16)
        # What is kept is never walked over.
        self._is_short = 0 < self.unseen <= SHORT and self.content is None
        self._expect = Chunked._data_end if self.unseen else Chunked._trailer

    def _data_end(self, line: bytes) -> None:
        if line != b"\r\n":
            raise self._failure("bad chunk size")
        self._expect = Chunked._size

    def _trailer(self, line: bytes) -> None:
        self._trailers += len(line)
        if line == b"\r\n":
            self.done = True
        elif not TRAILER.fullmatch(line) or self._trailers > TRAILERS_LIMIT:
            raise self._failure("bad trailer")


PIECE_OF_CHUNKS: Final = 16 * 1024
"""Bytes after which whoever feeds a body that is kept may let others have their turn."""


@dataclass(slots=True, eq=False)
class Dechunked(Chunked):
    """A chunked body whose content is kept as it passes."""

    PIECE: ClassVar = PIECE_OF_CHUNKS
    _most: int = 1 << 65
    """Above what any size says: whoever keeps it has a bound of its own, and other words."""
    content: list[bytes] = field(default_factory=list)

    def take(self) -> bytes:
        """Take what was kept so far, of a body that goes on as it passes."""
        content = b"".join(self.content)
        self.content.clear()
        return content


_BEHIND_ONE_CHUNK: Final = b"\r\n0\r\n\r\n"


def left_of_one_chunk(data: bytes) -> int:
    """Say how many bytes of a chunked body are still to come, if it is the chunk that begins
    here; of one that goes on there are as many at least."""
    found = CHUNK_SIZE.match(data)
    if found is None or not (size := int(found[1], 16)):
        return 0
    return found.end() + size + len(_BEHIND_ONE_CHUNK) - len(data)


def one_chunk(data: bytes) -> bytes | None:
    """Give the content of a chunked body if it is all there is, whole and in one chunk, as
    nearly all answers to questions come; None: its lines have to be walked over."""
    found = CHUNK_SIZE.match(data)
    if found is None or not data.endswith(_BEHIND_ONE_CHUNK):
        return None
    # Only if its size says just that: else this is the end of another chunk, or of none.
    content = data[found.end() : -len(_BEHIND_ONE_CHUNK)]
    return content if len(content) == int(found[1], 16) != 0 else None


def too_large(most: int) -> BodyTooLarge:
    """What is said of a body that the Engine would have in its memory as a whole."""
    return BodyTooLarge(
        f"the request body is longer than {most} bytes, and the Engine would hold it as a whole: raise MAX_BODY"
    )


def boundary_of(
    framing: Framing,
    failure: type[BadRequest] | type[UpstreamError] = BadRequest,
    most: int = sys.maxsize,
) -> Boundary:
    """Make the boundary of one body; `failure` is what a bad chunk raises, and of more than
    `most` bytes it is `BodyTooLarge`."""
    if framing is CHUNKED:
        return Chunked(failure, most)
    if framing is UNTIL_CLOSE:
        return until_close()
    if framing.length > most:
        raise too_large(most)
    return Sized(framing.length) if framing.length else NOTHING


def content_of(
    framing: Framing, failure: type[BadRequest] | type[UpstreamError] = BadRequest
) -> Boundary:
    """Make the boundary of one body that is looked at: of a chunked one its content is kept."""
    if framing is CHUNKED:
        return Dechunked(failure)
    return boundary_of(framing, failure)
