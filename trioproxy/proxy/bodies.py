"""Bodies that are read whole before anything goes upstream, because they are judged.

Only requests whose arguments are limited come here; all other bodies pass as they are.
What a client may make us hold is bounded three times: one body by its size, all of them
together by what they have room for, and each by the time that it may take. Room is taken
as bytes arrive, so that a length that is only announced takes none.
"""

from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import trio

from trioproxy.errors import (
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    ClientLost,
    TooManyBodies,
)
from trioproxy.http.framing import CHUNKED, Dechunked, Framing
from trioproxy.http.request import HeaderFields
from trioproxy.proxy.budget import Budget
from trioproxy.proxy.client import Client
from trioproxy.steps import Result, Steps, finish

if TYPE_CHECKING:
    from trioproxy.http.jsonbody import Json

BODY_SECONDS: Final = 30.0
"""From a head to the last byte of its body."""

BODIES: Final = 16
"""How many bodies of the largest size have room at once."""

PIECE: Final = 64 * 1024
LONG: Final = 8 * 1024
"""From this size on, a body is read in steps between which others have their turn.

The docker CLI sends half of it. Of the shortest structs 2,700 have room there.
"""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bodies:
    """What all connections of a server hold of bodies that are read."""

    def __init__(self, most: int) -> None:
        self.most = most
        """Bytes of one body."""
        self.held = Budget(BODIES * most, Reading.evict)

    def reading(self) -> "Reading":
        """Begin to read one; what it holds is given back at the end of a `with`."""
        return Reading(self)


class Reading:
    """One body while it is read, parsed and judged."""

    __slots__ = ("_bodies", "_evicted", "_scope", "_taken")

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self._taken = 0
        self._evicted = False
        self._scope = trio.CancelScope()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._bodies.held.release(self)

    def evict(self) -> None:
        """End the wait for the rest of a body: others need the memory."""
        self._evicted = True
        self._scope.cancel()

    async def read(self, client: Client, fields: HeaderFields) -> bytes:
        """Read a body to its end. Raises `BadRequest` or `ClientLost`."""
        framing = fields.framing
        if framing.length > self._bodies.most:
            raise self._too_large()
        await self._answer_expect(client, fields)
        self._scope.deadline = trio.current_time() + BODY_SECONDS
        with self._scope:
            if framing is CHUNKED:
                return await self._read_chunked(client)
            return await self._read_sized(client, framing)
        if self._evicted:
            raise TooManyBodies(
                "too many request bodies at once, and this one waited longest: try again"
            )
        raise BodyTooSlow(f"the request body took longer than {BODY_SECONDS:.0f} s")

    async def _answer_expect(self, client: Client, fields: HeaderFields) -> None:
        """Let a client go on that waits for a word before it sends its body."""
        if not fields.expects or fields.version == b"1.0":
            return
        if fields.expects != b"100-continue":
            raise BadRequest(f"Expect {fields.expects[:32]!r} is not known here")
        if not client.early:
            await client.wire.send_all(CONTINUE)

    async def _read_sized(self, client: Client, framing: Framing) -> bytes:
        pieces = [client.take_early(framing.length)]
        left = framing.length - len(pieces[0])
        self._take(len(pieces[0]))
        while left:
            piece = await client.wire.recv(min(left, PIECE))
            self._take(len(piece) or self._lost())
            left -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    async def _read_chunked(self, client: Client) -> bytes:
        chunks = Dechunked()
        data = client.take_early(len(client.early))
        at = 0
        while True:
            before = len(chunks.content)
            at = chunks.feed(data, at, len(data))
            self._take(sum(map(len, chunks.content[before:])))
            if chunks.done:
                client.put_back(data[at:])
                return b"".join(chunks.content)
            if at < len(data):
                await client.wire.let_others()
                continue
            data, at = await client.wire.recv(PIECE), 0
            if not data:
                self._lost()

    def _take(self, count: int) -> None:
        self._taken += count
        if self._taken > self._bodies.most:
            raise self._too_large()
        self._bodies.held.hold(self, self._taken)

    def _lost(self) -> int:
        raise ClientLost("the client ended its request in mid-body")

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"the request body is longer than {self._bodies.most} bytes,"
            " and it is read to be judged and marked: raise MAX_BODY"
        )


async def parse(client: Client, raw: bytes) -> "Json":
    """Parse a body; a long one in steps, between which others have their turn."""
    from trioproxy.http import jsonbody  # here, for most policies limit nothing

    return await in_turns(client, raw, jsonbody.parsing(raw))


async def in_turns(client: Client, raw: bytes, steps: Steps[Result]) -> Result:
    """Do what is to be done with a body; if that is long, others have their turns."""
    if len(raw) <= LONG:
        return finish(steps)
    try:
        while True:
            next(steps)
            await client.wire.let_others()
    except StopIteration as done:
        result: Result = done.value
        await client.wire.let_others()  # what is done with the result is work as well
        return result
