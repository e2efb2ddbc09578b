"""Answers cut into elements, as they come: a list of any length is never held as a whole.

What is cut here is read by `parse`, as strictly as a body that is judged (`jsonbody`), and
with the same bounds for each element; so what two readers would read in two ways is no
element. The cutting itself looks for the end of each: brackets outside of texts. Every
byte is looked at once, however small the pieces are in which they come.

What cannot be read raises `UpstreamError`, of which no word is the answer's: whoever may
not see it must not read it in an error. But one element of many that is beyond the bounds
ends nothing: who makes a container says how long its labels are, and nobody else's lists and
events may end by them. Such an element is passed over: it has no bytes here, or `parse` raises
`TooMuch` for it.
"""

import re
from codecs import utf_8_decode
from collections.abc import Callable, Generator, Iterator
from typing import Final, Literal, NamedTuple

from trioproxy.errors import BadBody, BodyTooLarge, TooMuch, UpstreamError
from trioproxy.http import jsonbody
from trioproxy.http.jsonbody import Json
from trioproxy.steps import Steps, finish

MOST_OF_AN_ELEMENT: Final = 4 * 1024 * 1024
"""Bytes of one element: 502. A container's description has 10 KB."""

LONG: Final = 64 * 1024
"""From here on an element is read in steps."""

AHEAD: Final = 16 * 1024
"""Of several, this much is looked at at once: ten containers."""

_TOO_LONG: Final = f"a part of it is longer than {MOST_OF_AN_ELEMENT} bytes"

MOST_LISTS: Final = 256
"""Names in an object of lists: the Engine's have eleven."""

MOST_BRACKETS: Final = 500
"""Looked at one by one, between two turns of others: a third of a millisecond."""


Mark = Literal["open", "element", "close", "value", "turn"]
"""What was found."""

OPEN: Final = "open"
"""A list begins."""
ELEMENT: Final = "element"
CLOSE: Final = "close"
"""It is over."""
VALUE: Final = "value"
"""What stands where a list might, and is none."""
TURN: Final = "turn"
"""Nothing: others may have a turn, for something long is looked at."""


class Piece(NamedTuple):
    """A piece of an answer."""

    mark: Mark
    key: str = ""
    """The name of its list; empty where there is but one."""
    raw: bytes = b""
    """An element or value as it came; an element without any is too long."""
    value: Json = None
    """An element that was read already."""


_SOMETHING: Final = re.compile(rb"[^ \t\r\n]")
_AN_EVENT: Final = re.compile(rb"[^ \t\r\n\x1e]")
"""What `application/json-seq` puts in front of each is no part of it (RFC 7464)."""
_PLAIN: Final = re.compile(
    rb'(?:[^"{}\[\]]*+"[^"\\]*+(?:\\.[^"\\]*+)*+")*+[^"{}\[\]]*+', re.DOTALL
)
"""As far as it goes without a bracket, over whole texts."""
_IN_TEXT: Final = re.compile(rb"(?:[^\"\\]++|\\.)*+", re.DOTALL)
_WORD: Final = re.compile(rb"[-+.0-9A-Za-z]*+")

Reading = Generator[Piece | None, None, None]
"""None: more bytes are needed."""
Found = Generator[Piece | None, None, bytes]


def unreadable(why: str) -> UpstreamError:
    """Tell of an answer that cannot be judged."""
    return UpstreamError(
        f"the Docker Engine's answer is judged and cannot be read: {why}"
    )


class Elements:
    """One answer, as its bytes come."""

    __slots__ = ("_at", "_data", "_is_long", "_reading", "is_whole")

    def __init__(self, shape: str) -> None:
        """`shape`: `one`, `list`, `lists` or `lines`."""
        self._data = bytearray()
        self._at = 0
        """Where what is not told yet begins."""
        self.is_whole = False
        """Whether it may end here."""
        self._is_long = False
        """Whether what is looked at is too long, and its begin dropped."""
        self._reading = self._read(shape)
        next(self._reading)  # up to the first byte: some may end before it

    def feed(self, data: bytes | bytearray) -> Iterator[Piece]:
        """Take more bytes, and tell all that is whole by now."""
        self._data += data
        for piece in self._reading:
            if piece is None:
                break
            yield piece
        del self._data[: self._at]
        self._at = 0

    @property
    def held(self) -> int:
        """Bytes of what is not whole yet."""
        return len(self._data)

    def _read(self, shape: str) -> Reading:
        match shape:
            case "lines":
                while True:
                    self.is_whole = True
                    yield from self._next(_AN_EVENT)
                    self.is_whole = False
                    yield from self._struct(self._value, "\n{")
            case "one":
                self.is_whole = True  # where nothing is said
                yield from self._next()
                self.is_whole = False
                yield from self._struct(self._short)
            case "list":
                yield from self._next()
                yield from self._list_or_value("")
            case "lists":
                yield from self._lists()
            case _:
                raise AssertionError(f"no shape is called {shape}")
        self.is_whole = True
        yield from self._next()
        raise unreadable("there are bytes behind its end")

    # -- parts of it: each stands at its first byte, and leaves off behind its last one

    def _lists(self) -> Reading:
        if (yield from self._next()) != b"{":
            raise unreadable("it is no object")
        self._at += 1
        names = set[str]()
        byte = yield from self._next()
        while byte != b"}":
            if byte != b'"':
                raise unreadable("a name is missing")
            name = str(parse((yield from self._short())))
            if name in names:
                raise unreadable("a name is given twice in one object")
            names.add(name)
            if len(names) > MOST_LISTS:
                raise unreadable(f"it has more than {MOST_LISTS} names")
            if (yield from self._next()) != b":":
                raise unreadable("a name has no value")
            self._at += 1
            yield from self._next()
            yield from self._list_or_value(name)
            byte = yield from self._after(b"}")
        self._at += 1

    def _list_or_value(self, key: str) -> Reading:
        if self._data[self._at] != ord("["):
            yield Piece(VALUE, key, (yield from self._short()))
            return
        self._at += 1
        yield Piece(OPEN, key)
        byte = yield from self._next()
        while byte != b"]":
            if byte != b"{" or not (yield from self._objects(key, ",{")):
                yield Piece(ELEMENT, key, (yield from self._value()))
            byte = yield from self._after(b"]")
        self._at += 1
        yield Piece(CLOSE, key)

    def _objects(self, key: str, between: str | None) -> Generator[Piece, None, bool]:
        """Tell this object, and those behind it, as long as they are written as the Engine
        does, without a space; False: the next one is to be looked at closely.

        `between`: the end of this one and the begin of the next; None: there is but one."""
        most = LONG if between is None else AHEAD
        text, at = self._ahead(most), 0
        while True:
            try:
                # Its end need not be looked for before, for no object is the beginning of another one.
                value, end = jsonbody.begin(text, at)
                raw = text[at:end].encode()
                jsonbody.check(raw, value)
            except (BadBody, BodyTooLarge):
                # It is not whole, or so many values, or wrong, which looking closely will tell.
                if not at:
                    return False
                text, at = self._ahead(most), 0  # it may go on behind the text
                continue
            self._at += len(raw)
            yield Piece(ELEMENT, key, raw, value)
            if text[end : end + 2] != between:
                return True
            self._at += 1
            at = end + 1
            if len(text) - at < len(raw):  # the next one is hardly whole in it
                text, at = self._ahead(most), 0

    def _ahead(self, most: int) -> str:
        """Give so many of the next bytes as text; nothing if that is none."""
        with memoryview(self._data)[self._at : self._at + most] as piece:
            try:  # it may end within a letter
                return utf_8_decode(piece, "strict", False)[0]
            except UnicodeDecodeError:
                return ""

    def _after(self, end: bytes) -> Generator[None, None, bytes]:
        """Give the end, or what follows the comma; an end behind a comma is none."""
        byte = yield from self._next()
        if byte == end:
            return byte
        if byte != b",":
            raise unreadable("a comma is missing")
        self._at += 1
        byte = yield from self._next()
        if byte == end:
            raise unreadable("there is nothing behind a comma")
        return byte

    def _next(
        self, something: re.Pattern[bytes] = _SOMETHING
    ) -> Generator[None, None, bytes]:
        """Wait for the next byte that is no space, and stop in front of it."""
        while (found := something.search(self._data, self._at)) is None:
            self._at = len(self._data)
            yield None
        self._at = found.start()
        return found[0]

    def _struct(self, read: Callable[[], Found], between: str | None = None) -> Reading:
        if self._data[self._at] not in b"{[":
            raise unreadable("it is no object")
        if not (yield from self._objects("", between)):
            yield Piece(ELEMENT, "", (yield from read()))

    def _short(self) -> Found:
        """Read what has no other beside it: it must not be too long."""
        raw = yield from self._value()
        if not raw:
            raise unreadable(_TOO_LONG)
        return raw

    def _value(self) -> Found:
        """Read a value; nothing of one that is too long."""
        self._is_long = False
        first = self._data[self._at]
        if first == ord('"'):
            size = yield from self._text(1)
        elif first in b"{[":
            size = yield from self._bracketed()
        else:
            size = 0
            while True:
                found = _WORD.match(self._data, self._at + size)
                assert found is not None  # noqa: S101  it fits everything
                size = found.end() - self._at
                if found.end() < len(self._data):
                    break
                size = yield from self._more(size)
            if not size and not self._is_long:
                raise unreadable("a value is missing")
        begin, self._at = self._at, self._at + size
        if self._is_long or size > MOST_OF_AN_ELEMENT:
            return b""
        return bytes(memoryview(self._data)[begin : self._at])

    def _bracketed(self) -> Generator[Piece | None, None, int]:
        """Find how long a list or object is."""
        size = depth = brackets = 0
        while True:
            found = _PLAIN.match(self._data, self._at + size)
            assert found is not None  # noqa: S101  it fits everything
            size = found.end() - self._at
            if found.end() == len(self._data):
                size = yield from self._more(size)
                continue
            byte = self._data[found.end()]
            size += 1
            brackets += 1
            if not brackets % MOST_BRACKETS:
                yield Piece(TURN)
            if byte == ord('"'):
                size = yield from self._text(size)
            elif byte in b"{[":
                depth += 1
                if depth > jsonbody.DEEPEST:
                    raise unreadable(f"it is deeper than {jsonbody.DEEPEST} levels")
            else:
                depth -= 1
                if not depth:
                    return size

    def _text(self, size: int) -> Generator[None, None, int]:
        """Find the end of a text, which may come in pieces, on from inside of it."""
        while True:
            found = _IN_TEXT.match(self._data, self._at + size)
            assert found is not None  # noqa: S101  it fits everything
            size = found.end() - self._at
            # A backslash at the end of the data waits for what it escapes.
            if found.end() < len(self._data) and self._data[found.end()] == ord('"'):
                return size + 1
            size = yield from self._more(size)

    def _more(self, size: int) -> Generator[None, None, int]:
        """Wait for more than so many bytes; say how many of them are still here."""
        if size > MOST_OF_AN_ELEMENT:
            self._is_long = True
            self._at, size = self._at + size, 0
        yield None
        return size


# --- Elements to values -----------------------------------------------------------


def parse(raw: bytes) -> Json:
    """Read an element strictly. Raises `UpstreamError`: `TooMuch`, if it is beyond the bounds."""
    return finish(parsing(raw))


def parsing(raw: bytes) -> Steps[Json]:
    """Read a long one, in steps of a few milliseconds."""
    if not raw:
        raise TooMuch(str(unreadable(_TOO_LONG)))
    try:
        return (yield from jsonbody.parsing(raw))
    except BodyTooLarge as error:
        why = "a part of it has too many values or escapes"
        raise TooMuch(str(unreadable(why))) from error
    except BadBody as error:
        raise unreadable("it is no strict JSON") from error
