"""Bodies of JSON, read as the Engine's decoder reads them, or refused.

The decoder (Go's `encoding/json`) compares the names of a struct without case, the long s as an `s`
and the Kelvin sign as a `k`, and *merges* what is given twice: `{"HostConfig": {"Privileged":
true}, "hostconfig": {}}` is privileged. So a name at a struct's level must be ASCII and
come once, whatever its case. What is left has one reading, and what goes on is written
from that: canonical names, nothing that was not looked at. `null` for a field is the same
as no field, and is left out; `null` in a list is refused, for it can revive old elements.

Here are values only: bytes become values in `http.jsonbody`.
"""

from collections.abc import Callable, ItemsView, Mapping
from types import NoneType
from typing import Final, NamedTuple

from trioproxy.api.edits import Json as Json
from trioproxy.api.edits import Keys, Part
from trioproxy.api.fields import (
    HOST_CONFIG,
    WITH_PARENT,
    Field,
    JsonKind,
    Operation,
    Struct,
)
from trioproxy.errors import BadBody
from trioproxy.steps import Steps

_SHOWN: Final = 64
_A_STEP: Final = 512
"""Structs and names that are read without a turn for others."""


class Spot(NamedTuple):
    """Where a value stands in a body."""

    path: str
    """Names alone: `HostConfig.Mounts.Source`."""
    shown: str
    """For people, with indexes: `HostConfig.Mounts[0].Source`."""
    keys: Keys = ()
    """For an edit: `("HostConfig", "Mounts", 0, "Source")`."""

    def below(self, name: str) -> "Spot":
        """Where a name of it stands."""
        keys = (*self.keys, name)
        if not self.path:
            return Spot(name, name, keys)
        return Spot(f"{self.path}.{name}", f"{self.shown}.{name}", keys)

    def at(self, index: int | str) -> "Spot":
        """Where an element of it stands."""
        shown = index if isinstance(index, int) else show(index)
        return Spot(self.path, f"{self.shown}[{shown}]", (*self.keys, index))


TOP: Final = Spot("", "")


class Finding(NamedTuple):
    """A value that asks for something: `readers` has who tells it."""

    reader: str
    place: Spot
    value: Json
    parent: Mapping[str, Json]
    """The struct that holds it."""


class Mention(NamedTuple):
    """A value that names something the Engine has: `references` has who tells it."""

    finder: str
    place: Spot
    value: Json
    part: Part = Part.BODY


class Unknown(NamedTuple):
    """A field that the table does not know, and that is not empty."""

    place: Spot
    is_legacy: bool
    """Read by Engines before 27 as a field of `HostConfig`: never passed on."""


class Body(NamedTuple):
    """A body in its one reading."""

    value: dict[str, Json]
    """What goes on to the Engine."""
    found: list[Finding]
    unknown: list[Unknown]
    named: list[Mention]
    """What names images, containers, networks or volumes."""


def reading(operation: Operation, value: Json) -> Steps[Body]:
    """Read the body of an operation, in steps.

    Raises `BadBody` where it has no one reading.
    """
    if not isinstance(value, Mapping):
        raise BadBody("the body must be a JSON object")
    reader = _Reader()
    canonical = yield from reader.read_struct(operation.body, value, TOP)
    if operation.name == "ContainerCreate":
        # Engines before 27 read HostConfig's fields at the top where this is missing.
        canonical.setdefault(HOST_CONFIG.name, {})
    return Body(canonical, reader.found, reader.unknown, reader.named)


def show(text: str) -> str:
    """Cut and escape what a client wrote."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    if cut.isascii() and cut.isprintable():
        return cut
    return cut.encode("ascii", "backslashreplace").decode("ascii").translate(_CONTROL)


_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


def is_empty(value: Json) -> bool:
    """Whether a value is the zero of its type, as is each field that nobody set."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            todo.extend(one.values())
        elif one:
            return False
    return True


class _Reader:
    """Walks a body by the table, and keeps what somebody has to look at."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.unknown: list[Unknown] = []
        self.named: list[Mention] = []
        self._left = _A_STEP

    def read_struct(
        self, struct: Struct, value: Json, place: Spot
    ) -> Steps[dict[str, Json]]:
        """Give the fields that are set, by their canonical names."""
        # Not `dict[str, Json]()`, which makes that type anew each time, for longer than this.
        canonical: dict[str, Json] = {}
        seen: set[str] = set()
        if self._is_long():
            yield
        for name, item in _map(value, place):
            self._left -= 1
            if not self._left:  # as `_is_long`, without a call for each name
                self._left = _A_STEP
                yield
            # Lower case will do: the two letters beside ASCII that Go's comparison folds are refused with all others.
            folded = name.lower()
            if folded in seen or not name.isascii():
                raise _not_apart(name, place)
            seen.add(folded)
            if item is None:
                continue
            field = struct.fields.get(folded)
            if field is None:
                self._read_unknown(struct, name, item, place, canonical)
            elif type(item) is field.plain:  # nobody asks where it stands
                canonical[field.name] = item
            elif field.kind is not _UNREAD:
                where = place.below(field.name)
                if check := _KINDS.get(field.kind):
                    item = check(item, where)
                else:
                    read = self._read_structs(field.kind, field.struct, item, where)
                    item = yield from read
                canonical[field.name] = item
                self._keep(field, where, item, canonical)
        return canonical

    def _keep(
        self, field: Field, place: Spot, value: Json, parent: dict[str, Json]
    ) -> None:
        if field.reader and field.reader != WITH_PARENT:
            self.found.append(Finding(field.reader, place, value, parent))
        if field.finder:
            self.named.append(Mention(field.finder, place, value))

    def _is_long(self) -> bool:
        """Whether others should have their turn, by what was read since they had one."""
        self._left = self._left - 1 or _A_STEP
        return self._left == _A_STEP

    # A name that no row has is one of a newer Engine, or nobody's. It goes on where a list names it, and asks for a
    # listing otherwise: dropped, it would let a client believe in a protection that it never got. But two are settled
    # here. What is empty asks for nothing, as the dozens of fields that clients send unset. And a field of `HostConfig`
    # at the top of a creation is obeyed by Engines before 27 and ignored by newer ones: nobody can say which will read
    # it, and no list allows it.
    def _read_unknown(
        self,
        struct: Struct,
        name: str,
        item: Json,
        place: Spot,
        canonical: dict[str, Json],
    ) -> None:
        if struct.drops_others or is_empty(item):
            return
        is_create = struct.name == "ContainerCreate"
        legacy = HOST_CONFIG.fields.get(name.lower()) if is_create else None
        shown = legacy.name if legacy else show(name)
        self.unknown.append(Unknown(place.below(shown), legacy is not None))
        if legacy is None:
            canonical[name] = item

    def _read_structs(
        self, kind: JsonKind, struct: Struct, item: Json, place: Spot
    ) -> Steps[Json]:
        if kind is _STRUCT:
            return (yield from self.read_struct(struct, item, place))
        if kind is _STRUCTS:
            listed: list[Json] = []
            for index, one in enumerate(_list(item, place)):
                where = place.at(index)
                listed.append((yield from self.read_struct(struct, one, where)))
            return listed
        of_each = _STRUCTS if kind is JsonKind.STRUCT_LISTS else _STRUCT
        named: dict[str, Json] = {}
        for name, one in _map(item, place):
            # A null is of ports a list that is empty. As an endpoint the name joins all the same: to Podman null is
            # `{}`; Docker answers 400, and to a client before API 1.44 nothing, for its handler crashes, alone.
            where = place.at(name)
            read = self._read_structs(of_each, struct, one, where)
            named[name] = None if one is None else (yield from read)
        return named


_Check = Callable[[Json, Spot], Json]


def _name(place: Spot) -> str:
    return place.shown or "the body"


def _mismatch(place: Spot, wanted: str) -> BadBody:
    return BadBody(f"{_name(place)} is not {wanted}")


def _list(item: Json, place: Spot) -> list[Json]:
    if not isinstance(item, list):
        raise _mismatch(place, "a list")
    return item


def _map(item: Json, place: Spot) -> ItemsView[str, Json]:
    if not isinstance(item, dict):
        raise _mismatch(place, "an object")
    return item.items()


def _not_apart(name: str, place: Spot) -> BadBody:
    """Say why a name of a struct may be another one's for the Engine."""
    if not name.isascii():
        return BadBody(f"a name in {_name(place)} is not ASCII: {show(name)}")
    return BadBody(f"{_name(place.below(show(name)))} is given twice")


def _plain(kind: type, wanted: str) -> _Check:
    def check(item: Json, place: Spot) -> Json:
        if type(item) is not kind:
            raise _mismatch(place, wanted)
        return item

    return check


def _all(kind: type, wanted: str) -> _Check:
    def check(item: Json, place: Spot) -> Json:
        if not set(map(type, _list(item, place))) <= {kind}:
            raise _mismatch(place, wanted)
        return item

    return check


_texts: Final = _all(str, "a list of texts")


def _words(item: Json, place: Spot) -> Json:
    return item if isinstance(item, str) else _texts(item, place)


def _lists(item: Json, place: Spot) -> Json:
    for one in _list(item, place):
        _texts(one, place)
    return item


def _text_map(item: Json, place: Spot) -> Json:
    # The decoder makes an empty text of a null, and so do we.
    entries: dict[str, Json] = {
        name: "" if one is None else one for name, one in _map(item, place)
    }
    if not set(map(type, entries.values())) <= {str}:
        raise _mismatch(place, "an object of texts")
    return entries


def _keys(item: Json, place: Spot) -> Json:
    # What stands in the empty structs, the Engine does not read.
    entries = dict(_map(item, place))
    if not set(map(type, entries.values())) <= {dict, NoneType}:
        raise _mismatch(place, "an object of empty objects")
    return {name: {} for name in entries}


_STRUCT: Final = JsonKind.STRUCT
_STRUCTS: Final = JsonKind.STRUCTS
_UNREAD: Final = JsonKind.UNREAD
"""Looked up once: a member of an enumeration costs a call."""

_KINDS: Final[Mapping[JsonKind, _Check]] = {
    JsonKind.TEXT: _plain(str, "a text"),
    JsonKind.FLAG: _plain(bool, "true or false"),
    JsonKind.NUMBER: _plain(int, "a whole number"),
    JsonKind.NUMBERS: _all(int, "a whole number"),
    JsonKind.TEXTS: _texts,
    JsonKind.WORDS: _words,
    JsonKind.LISTS: _lists,
    JsonKind.MAP: _text_map,
    JsonKind.KEYS: _keys,
    JsonKind.ANY: lambda item, _: item,
}
