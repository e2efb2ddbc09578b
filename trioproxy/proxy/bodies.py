"""Bodies that are read whole before anything goes upstream, because they are judged.

Only requests whose arguments are limited come here; all other bodies pass as they are.
What a client may make us hold is bounded three times: one body by its size, all of them
together by what they have room for, and each by the time that it may take. Room is taken
as bytes arrive, so that a length that is only announced takes none. A long head takes room
as well, in any policy: a stream of weeks has it for weeks.

A body that is whole takes more: it becomes text, values, and bytes again. So it is weighed
before that, and its room is given back when its last byte has gone on to the Engine,
however long others have to be waited for: the Engine itself, and volumes that others have
reserved. What is left then are words, which are weighed too until the answer is over.
While a body comes it goes for others; from when it is whole it stays, and who finds no
room is answered 503.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import trio

from trioproxy.errors import (
    BadRequest,
    BodyTooLarge,
    RequestTooSlow,
    TooManyBodies,
    UpstreamLost,
)
from trioproxy.http import jsonbody
from trioproxy.http.framing import CHUNKED, Framing
from trioproxy.http.request import HeaderFields
from trioproxy.proxy.client import Budget, Client
from trioproxy.proxy.engine import Content
from trioproxy.proxy.wire import Wire
from trioproxy.quoting import in_quotes
from trioproxy.steps import Result, Steps

BODY_SECONDS: Final = 30.0
"""From a head to the last byte of its body."""

BODIES: Final = 12
"""How many bodies of the largest size have room at once, while they come."""

LEAST_ROOM: Final = 48 * 1024 * 1024
"""Bytes that have room, however small the largest body is."""

SHARE: Final = 3
"""Who has this part of the room gets no more: there is some left for others."""

HEARD: Final = 64 * 1024
"""Bytes that the Engine may say of what a request names before they are weighed: ten times
the description of a container."""

MOST_CHUNKS: Final = 4_096
"""Chunks of one body: each is work, also one of a single byte."""

LONG: Final = 8 * 1024
"""From this size on, a body is read in steps between which others have their turn.

The docker CLI sends half of it. Of the shortest structs 2,700 have room there.
"""

WAITED_LONGEST: Final = (
    "too many request bodies at once, and this one waited longest: try again"
)
NO_ROOM: Final = (
    "no room for this request beside those that are judged, or wait for the Docker Engine:"
    " try again when it has answered some"
)

LONG_HEAD: Final = 4 * 1024
"""Bytes from which on a head has its room here: those of nearly all clients are shorter."""

HEAD_WEIGHS: Final = 4
"""What a byte of a head takes: as it came, its target as it was read, and what goes on."""

HEARD_WEIGHS: Final = 4
"""What a byte of the Engine's takes as a part of a value."""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Bodies:
    """What all connections of a server hold of bodies that are read."""

    def __init__(self, most: int) -> None:
        self.most = most
        """Bytes of one body."""
        self.room = max(BODIES * most, LEAST_ROOM)
        self.held = Budget(self.room, Reading.evict)
        self.kept_of = Counter[str]()
        """What of it each client has that goes for nobody."""
        self.turn = trio.Lock()
        """Whose long body is parsed and judged: with one at a time the others are bytes."""


@dataclass(slots=True, eq=False)
class Reading:
    """What one request makes us hold: a long head, its body, and what the Engine says of its names.

    Closing: whoever makes one releases it.
    """

    _bodies: Bodies
    _owner: str
    """The client that asks."""
    _head: int = 0
    """Bytes of its head, if that is a long one."""
    _taken: int = 0
    _kept: int = 0
    _heard: int = 0
    _evicted: bool = False
    _has_turn: bool = False
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def evict(self) -> None:
        """End the wait for the rest of a body: others need the memory."""
        self._evicted = True
        self._scope.cancel()

    def keep(self, count: int) -> None:
        """Hold so many bytes from now on, whoever comes.

        Raises `TooManyBodies` where there is no room for more, or where the client's
        other requests have its share.
        """
        heard = max(0, self._heard - HEARD)
        weight = HEAD_WEIGHS * self._head + count + HEARD_WEIGHS * heard
        others = self._bodies.kept_of[self._owner] - self._kept
        if weight > self._kept and others > self._bodies.room // SHARE:
            raise TooManyBodies(NO_ROOM)
        self._taken = count
        self._count(weight)
        self._bodies.held.keep(self, weight)
        self._check_room(NO_ROOM)

    def hear(self, count: int) -> None:
        """Hold so many bytes more of what the Engine says. Raises `TooManyBodies`."""
        self._heard += count
        self.keep(self._taken)

    def release(self) -> None:
        """Hold nothing any more."""
        self.pass_turn()
        self._count(0)
        self._bodies.held.release(self)

    def pass_turn(self) -> None:
        """Let others have the turn, if this one has it: it was judged."""
        if self._has_turn:
            self._has_turn = False
            self._bodies.turn.release()

    def _count(self, weight: int) -> None:
        kept_of = self._bodies.kept_of
        kept_of[self._owner] += weight - self._kept
        self._kept = weight
        if not kept_of[self._owner]:
            del kept_of[self._owner]

    async def read(self, client: Client, fields: HeaderFields) -> bytes:
        """Read a body to its end, and wait for its turn if it is long.

        Raises `BadRequest`, and `ClientLost` where the client is gone.
        """
        framing = fields.framing
        if framing.length > self._bodies.most:
            raise self._too_large()
        await self._answer_expect(client, fields)
        if framing is not CHUNKED and framing.length <= min(LONG, len(client.early)):
            # It came with its head, as most do: there is nothing to wait for.
            self._take(framing.length)
            return client.take_early(framing.length)
        self._scope.deadline = trio.current_time() + BODY_SECONDS
        with self._scope:
            raw = await self._gather(client, framing)
            if len(raw) > LONG:
                await self._bodies.turn.acquire()
                self._has_turn = True
            return raw
        self._check_room(WAITED_LONGEST)
        raise RequestTooSlow(f"the request body took longer than {BODY_SECONDS:.0f} s")

    async def _answer_expect(self, client: Client, fields: HeaderFields) -> None:
        """Let a client go on that waits for a word before it sends its body."""
        if not fields.expects or fields.version == b"1.0":
            return
        if fields.expects != b"100-continue":
            raise BadRequest(
                f"Expect {in_quotes(fields.expects, 32)} is not known here"
            )
        if not client.early:
            await client.wire.send_all(CONTINUE)

    async def _gather(self, client: Client, framing: Framing) -> bytes:
        # In one place that grows: pieces of hundreds of bodies would lie between others.
        early, body = client.take_early(len(client.early)), bytearray()
        content = Content(client.wire, framing, early, BadRequest)
        try:
            while piece := await content.read():
                if content.pieces > MOST_CHUNKS:
                    raise BodyTooLarge(
                        f"the body comes in more than {MOST_CHUNKS:,} pieces"
                    )
                self._take(len(piece))
                body += piece
        except UpstreamLost:
            raise BadRequest("the client ended its request in mid-body") from None
        client.put_back(content.surplus)
        return bytes(body)

    def _take(self, count: int) -> None:
        self._taken += count
        if self._taken > self._bodies.most:
            raise self._too_large()
        self._bodies.held.hold(self, self._taken)
        self._check_room(NO_ROOM)  # all others are whole

    def _check_room(self, why: str) -> None:
        if self._evicted:
            raise TooManyBodies(why)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"the request body is longer than {self._bodies.most} bytes,"
            " and it is read to be judged and marked: raise MAX_BODY"
        )


async def parse(client: Client, raw: bytes, reading: Reading) -> jsonbody.Json:
    """Parse a body; a long one in steps, between which others have their turn.

    Raises `BadRequest`, and where there is no room for what is made of it.
    """
    reading.keep(jsonbody.weight(raw))
    if len(raw) <= LONG:
        return jsonbody.parse(raw)
    return await in_turns(client.wire, jsonbody.parsing(raw))


async def in_turns(wire: Wire, steps: Steps[Result]) -> Result:
    """Do long work on what came by a socket, between turns of others."""
    try:
        while True:
            next(steps)
            await wire.let_others()
    except StopIteration as done:
        result: Result = done.value
        await wire.let_others()  # what is done with the result is work as well
        return result
