"""An answer of which not all is shown: read, judged element by element, and written anew.

    begin   the first bytes for the client: the whole answer if it is short, or a head
            and what of the body is known by then
    rest    what follows, in chunks or up to the close

Until `begin` returns the client has no byte: what cannot be read so far becomes a 502. After
that it is the break of the connection that says so, for the last chunk never goes out.

What an element alone does not tell is asked on a connection of our own, which is opened
when it is needed first: the one that carries the answer is in the middle of it. An answer
of any length is read through a buffer of one element, and others have their turn on the way.
Events ask what there is when they begin, for of what goes they tell an id alone.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from sys import getsizeof
from typing import Final

import trio

from trioproxy.api.answers import Shape, Tells
from trioproxy.api.families import Kind
from trioproxy.errors import TooMuch
from trioproxy.http import jsonbody
from trioproxy.http.elements import (
    CLOSE,
    ELEMENT,
    LONG,
    OPEN,
    TURN,
    VALUE,
    Elements,
    Piece,
    parse,
    parsing,
    unreadable,
)
from trioproxy.http.response import (
    Expectation,
    ResponseHead,
    closing,
    is_packed,
    with_body,
)
from trioproxy.judge.outcome import Narrowed
from trioproxy.judge.showing import (
    HIDDEN,
    Looking,
    NeedContainers,
    NeedKnown,
    NeedOfAnswer,
    NeedSum,
    NeedUsers,
    NeedWhole,
    Showing,
    Shown,
)
from trioproxy.judge.sums import SUMMED, Sum
from trioproxy.limits.things import Thing, listed
from trioproxy.proxy.bodies import Reading, in_turns
from trioproxy.proxy.engine import Content
from trioproxy.proxy.inquiry import LISTS, QUESTIONS_SECONDS, Take, Turns, look_through
from trioproxy.proxy.relay import LAST_CHUNK
from trioproxy.proxy.resolve import Resolver
from trioproxy.proxy.shared import Sides
from trioproxy.proxy.wire import Wire

SHORT: Final = 64 * 1024
"""Up to here an answer is held until it is whole, and goes with its length."""

ONE_BY_ONE: Final = 8
"""Volumes without names about which the Engine is asked one by one."""

MOST_KNOWN: Final = 16_384
"""Things that one stream of events remembers."""

A_THING: Final = 512
"""Bytes that each of them takes besides its texts."""

FREE: Final = 16 * 1024
"""Bytes of them that have room in any case: some twenty. More has it beside what is judged
(`Bodies`), for a client that has two thousand may watch by a thousand streams."""


class Narrowing:
    """One answer. Closing: `close`, whatever happened."""

    def __init__(self, showing: Showing, response: ResponseHead, sides: Sides) -> None:
        self._showing = showing
        self._wire = sides.engine.wire
        self._buffer = sides.shared.buffer
        self._asking = _Asking(showing, sides)
        self._elements = Elements(showing.answer.shape)
        self._writer = _Writer(showing.answer.shape)
        self._framing = response.framing
        self._content = Content(self._wire, self._framing, b"")
        self._left = showing.limit
        has_sums = showing.narrows and Tells.USAGE in showing.answer.parts.values()
        self._sums: dict[Tells, Sum] | None = {} if has_sums else None
        self._turns = Turns()
        self._is_chunked = False
        self._is_read = False
        self.is_over = False
        """Whether the client has all of it."""
        self.is_framed = True
        """Whether the client can tell where it ends before the connection does."""
        self.sent = 0
        """Bytes of the body for the client."""
        self.hidden = 0

    @property
    def narrowed(self) -> Narrowed:
        """By how much it was narrowed up to now."""
        return Narrowed(self.hidden)

    @property
    def surplus(self) -> bytes:
        """What came behind the answer."""
        return self._content.surplus

    def close(self) -> None:
        """Ask nothing any more."""
        self._asking.close()

    async def begin(self, head: bytes, data: bytes, expected: Expectation) -> bytes:
        """Give the first bytes for the client: all of them, if it `is_over` then.

        `head`: as the client would get it else; `data` came behind it. Raises
        `UpstreamError`.
        """
        self._content = Content(self._wire, self._framing, data)
        if expected.is_head:
            self.is_over = True
            return with_body(head)  # its length would tell how much there is of others'
        if is_packed(head):
            raise unreadable("it comes packed")
        out = bytearray()
        await self._asking.know(self._showing.follows)
        is_live = self._showing.answer.shape is Shape.LINES
        while not is_live and len(out) <= SHORT:
            piece = await self._next()
            if piece is None:
                self.is_over = True
                self.sent = len(out)
                return with_body(head, length=len(out)) + out
            out = out + piece if out else piece  # which may be long
        self._is_chunked = expected.version == b"1.1" and head.startswith(b"HTTP/1.1 ")
        if not self._is_chunked:
            self.is_framed = False
            head = closing(head)
        self._weigh(len(out))
        return self._framed(out, with_body(head, is_chunked=self._is_chunked))

    async def rest(self, client: Wire) -> None:
        """Send what follows, up to the end.

        Raises `UpstreamError`, `ClientLost` and `TooManyBodies`.
        """
        self._weigh(0)
        while (piece := await self._next()) is not None:
            data = self._framed(piece)
            del piece
            self._weigh(len(data))
            self._buffer.hold(len(data))
            try:
                await client.send_all(data)
            finally:
                self._buffer.hold(-len(data))
            self._weigh(0)
        if self._is_chunked:
            await client.send_all(LAST_CHUNK)
        self.is_over = True

    def _weigh(self, count: int) -> None:
        """Say that so many bytes of the answer are held. Of an element that is long there is but
        one, and in a thousand answers that nobody reads a thousand. Raises `TooManyBodies`."""
        self._asking.hold_of_answer(count if count > LONG else 0)

    def _framed(self, piece: bytearray, before: bytes = b"") -> bytes:
        """Make a chunk of it; of nothing none, for that would be the last."""
        self.sent += len(piece)
        if not piece or not self._is_chunked:
            return before + piece
        return b"".join((before, b"%x\r\n" % len(piece), piece, b"\r\n"))

    async def _next(self) -> bytearray | None:
        """Give what is shown of the next bytes of the Engine's answer; None at its end."""
        if self._is_read:
            return None
        out = bytearray()
        if content := await self._read():
            self._weigh(self._elements.held)
            for piece in self._elements.feed(content):
                if self._turns.are_due(piece):
                    await self._wire.let_others()
                for part in await self._shown(piece):
                    out += part
            self._asking.let_go()
            return out
        if not self._elements.is_whole:
            raise unreadable("it is cut off")
        self._is_read = True
        out += self._writer.end()
        return out

    async def _read(self) -> bytes | bytearray:
        """Read some of the answer. One object is read at once, if it is short: nothing of it can be
        shown before its last byte has come."""
        content = await self._content.read()
        if self._showing.answer.shape is not Shape.ONE:
            return content
        gathered = bytearray()
        while content:
            gathered += content
            if len(gathered) > SHORT:
                break
            content = await self._content.read()
        return gathered

    async def _shown(self, piece: Piece) -> Iterable[bytes]:
        tells = self._showing.answer.parts.get(piece.key)
        if tells is None or piece.mark is TURN:
            return ()
        if piece.mark is ELEMENT:
            raw = await self._element(piece)
            return self._writer.element(raw) if raw else ()
        if piece.mark is OPEN and tells is Tells.USAGE:
            raise unreadable("what should be a sum is a list")
        if piece.mark is VALUE and tells is Tells.USAGE and piece.raw != b"null":
            raw = await self._element(piece)
            return self._writer.other(piece._replace(raw=raw)) if raw else ()
        if piece.mark is OPEN and self._sums is not None and tells in SUMMED:
            self._sums.setdefault(tells, Sum(tells))  # of nothing, too
        if piece.mark is VALUE:
            value = await self._parse(piece.raw)
            # A number may stand beside lists; of all else no reader would have looked inside.
            is_number = tells is Tells.NOBODY and isinstance(value, int | float)
            if value is not None and not is_number:
                raise unreadable("what should be a list is something else")
        return self._writer.other(piece)

    async def _element(self, piece: Piece) -> bytes:
        """Judge an element; give it as it is shown, empty if it is not."""
        try:
            value = piece.value
            if value is None:
                value = await self._parse(piece.raw)
            if self._showing.limit and not self._left:
                return b""
            shown = await self._look(self._showing.element(piece.key, value))
        except TooMuch:
            if piece.mark is VALUE or self._showing.answer.shape is Shape.ONE:
                raise
            self.hidden += 1  # it, or what it is judged by, is nothing that can be read
            return b""
        self.hidden += shown.hidden
        if shown.value is HIDDEN:
            return b""
        self._left -= 1
        if self._sums is not None:
            tells = self._showing.answer.parts[piece.key]
            if tells in SUMMED:  # which comes behind its list, and without one
                self._sums.setdefault(tells, Sum(tells)).add(shown.value)
        if shown.value is value:
            return piece.raw
        if len(piece.raw) <= LONG:
            return jsonbody.rewritten(piece.raw, value, shown.value)
        await self._wire.let_others()
        return await in_turns(self._wire, jsonbody.rendering(shown.value))

    async def _look(self, looking: Looking) -> Shown:
        asking = self._asking
        answer: object = None
        try:
            while True:
                need = looking.send(answer)
                if isinstance(need, NeedSum):
                    answer = (self._sums or {}).get(need.told)
                else:
                    answer = asking.at_once(need) or await asking.answer(need)
        except StopIteration as over:
            shown: Shown = over.value
            return shown

    async def _parse(self, raw: bytes) -> jsonbody.Json:
        """Read an element, with turns of others in between."""
        if len(raw) <= LONG:
            return parse(raw)
        self._weigh(jsonbody.weight(raw))
        return await in_turns(self._wire, parsing(raw))


class _Writer:
    """What stands around the elements, written as the Engine does."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._is_first_list = True
        self._is_first = True

    def element(self, raw: bytes) -> tuple[bytes, bytes]:
        """Write an element."""
        if self._shape is Shape.LINES:
            return raw, b"\n"
        comma = b"" if self._is_first else b","
        self._is_first = False
        return comma, raw

    def other(self, piece: Piece) -> tuple[bytes, ...]:
        """Write the begin or end of a list, or what stands in the place of one."""
        if piece.mark is CLOSE:
            return (b"]",)
        begin = b""
        if self._shape is Shape.LISTS:
            begin = b"{" if self._is_first_list else b","
            begin += jsonbody.render(piece.key) + b":"
        self._is_first_list, self._is_first = False, True
        return begin, b"[" if piece.mark is OPEN else piece.raw

    def end(self) -> bytes:
        """Write the end of the answer."""
        match self._shape:
            case Shape.LINES:
                return b""
            case Shape.LISTS:
                return b"{}\n" if self._is_first_list else b"}\n"
            case Shape.ONE if self._is_first:
                return b""
            case Shape.LIST | Shape.ONE:
                return b"\n"


# --- What an element does not tell ------------------------------------------------


class _Asking:
    """Questions about one answer, on a connection of our own."""

    def __init__(self, showing: Showing, sides: Sides) -> None:
        shared, gate = sides.shared, sides.admission.gate
        self._objects = showing.objects
        self._engine = sides.another_engine()
        self._resolver = Resolver(self._engine, gate, shared.remembered)
        self._resolver.go_by(showing.objects)
        self._reading = Reading(shared.bodies, sides.client.group)
        self._weight, self._of_answer = -FREE, 0
        self._known = dict[tuple[Kind, str], Thing]()
        """What was said before; the oldest first."""
        self._turns, self._watch = Turns(), shared.watch
        self._asked_of = 0
        """Volumes without names."""
        self._users: dict[str, tuple[Thing, ...]] | None = None
        """Of all volumes, by name, once many were asked about."""
        self._of_images: Counter[str] | None = None
        """How many containers are shown, by their images."""

    def close(self) -> None:
        """Close the connection, if there is one, and hold nothing any more."""
        self.let_go()
        self._reading.release()

    def let_go(self) -> None:
        """Close the connection until more is asked. Its client may read nothing, or nothing happen,
        for weeks, and what `MAX_CONNECTIONS` counts has two descriptors each and not three."""
        self._engine.drop()

    def hold_of_answer(self, count: int) -> None:
        """Say how much of the answer itself is held. Raises `TooManyBodies`."""
        if count or self._of_answer:
            self._of_answer = count
            self._reading.keep(max(self._weight, 0) + count)

    def _hold(self, thing: Thing, sign: int = 1) -> None:
        """Say that a thing is kept, or with -1 that it is not any more. Raises `TooManyBodies`."""
        texts = (thing.id, *thing.names, thing.image, *thing.volumes)
        texts += (*thing.labels.values(), *(thing.inherited or {}).values())
        self._weight += sign * (A_THING + sum(map(getsizeof, texts)))
        if self._weight > 0 or sign < 0:
            self._reading.keep(max(self._weight, 0) + self._of_answer)

    def at_once(self, need: NeedOfAnswer) -> Thing | None:
        """Give what is known already, as it is of most containers."""
        if isinstance(need, NeedWhole):
            return self._resolver.at_once(need.thing)
        return None

    async def answer(self, need: NeedOfAnswer) -> object:
        """Get what is needed to judge an element. Raises `UpstreamError`."""
        resolver = self._resolver
        resolver.begin_anew()
        match need:
            case NeedWhole():
                if need.thing.is_anonymous:
                    return await self._with_users(need.thing)
                return await resolver.complete(need.thing)
            case NeedContainers():
                return await resolver.containers(need.ids)
            case NeedUsers():
                if (users := self._of_images) is None:
                    shown = list[str]()
                    await self._inside(
                        Kind.CONTAINER, lambda one: shown.append(one.image)
                    )
                    users = self._of_images = Counter(shown)
                return users[need.image]
            case NeedKnown():
                return await self._recall(need)
            case NeedSum():
                return None  # `Narrowing` has it

    async def _with_users(self, volume: Thing) -> Thing:
        """Say who has a volume that nobody named.

        For each of a few of them the Engine looks through its containers; of many, which a
        machine for tests may have by thousands, all containers are looked through once.
        """
        self._asked_of += 1
        if self._asked_of <= ONE_BY_ONE:
            return await self._resolver.complete(volume)
        if self._users is None:
            self._users = await self._all_users()
        users = self._users.get(volume.id, ())
        return await self._resolver.with_what_counts(volume._replace(users=users))

    async def _all_users(self) -> dict[str, tuple[Thing, ...]]:
        """Of each volume a container that is not listed, if there is one, else one that is."""
        found, users = list[Thing](), dict[str, tuple[Thing, ...]]()

        def take(value: jsonbody.Json) -> None:
            thing = listed(Kind.CONTAINER, value)
            if thing.volumes:
                volumes = thing.volumes
                user = self._objects.remembered(thing)._replace(volumes=volumes)
                self._hold(user)
                found.append(user)

        await self._list(Kind.CONTAINER, take)
        for thing in found:
            user = await self._complete(thing)
            is_listed = self._objects.holds(user)
            for name in thing.volumes:
                if name not in users or not is_listed:
                    users[name] = (user,)
        return users

    async def _recall(self, need: NeedKnown) -> Thing | None:
        key = need.kind, need.id
        # Who filters events does not hear of all that goes, and the name of a volume comes again.
        thing = None if need.is_new else self._known.get(key)
        if thing is None:
            self._forget(key)
            thing = await self._resolver.find(need.kind, need.id)
            # A volume that nobody named gets its users only later; where its label lists it, they do not count.
            if thing and (not thing.is_anonymous or self._objects.holds(thing)):
                self._remember(thing)
        if need.is_over:
            self._forget(key)
        return thing

    def _remember(self, thing: Thing) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._forget(next(iter(self._known)))
        self._forget((thing.kind, thing.id))
        self._known[thing.kind, thing.id] = known = self._objects.remembered(thing)
        self._hold(known)

    def _forget(self, key: tuple[Kind, str]) -> None:
        if (known := self._known.pop(key, None)) is not None:
            self._hold(known, -1)

    async def know(self, kinds: Iterable[Kind]) -> None:
        """Know what is inside: of what goes there may be nothing to be asked any more."""
        for kind in kinds:
            await self._inside(kind, self._remember)
        self.let_go()

    async def _inside(self, kind: Kind, take: Callable[[Thing], None]) -> None:
        """Give all of a kind that is inside to `take`."""
        found = list[Thing]()

        def look(value: jsonbody.Json) -> None:
            thing = listed(kind, value)
            if self._objects.may_show(thing):
                found.append(self._objects.remembered(thing))
                self._hold(found[-1])

        await self._list(kind, look)
        for thing in found:
            whole = await self._complete(thing)
            if self._objects.shows(whole):
                take(whole)
            self._hold(thing, -1)

    async def _complete(self, thing: Thing) -> Thing:
        """Describe one of many, with turns of others in between."""
        if self._turns.are_due_after():
            await self._watch.others()
        self._resolver.begin_anew()
        try:
            return await self._resolver.complete(thing)
        except TooMuch:
            return thing  # what is not read of it does not count

    async def _list(self, kind: Kind, take: Take) -> None:
        """Look at all of a kind, at any length."""
        deadline = trio.current_time() + QUESTIONS_SECONDS
        await look_through(self._engine, kind, LISTS[kind], take, deadline)
