"""Bodies of JSON, read as the Engine's decoder reads them, or refused.

The decoder (Go's `encoding/json`) compares the names of a struct without case, the long s as an `s`
and the Kelvin sign as a `k`, and *merges* what is given twice: `{"HostConfig": {"Privileged":
true}, "hostconfig": {}}` is privileged. So a name at a struct's level must be ASCII and
come once, whatever its case. What is left has one reading, and what goes on is written
from that: canonical names, nothing that was not looked at. `null` for a field is the same
as no field, and is left out; `null` in a list is refused, for it can revive old elements.

Here are values only: bytes become values in `http.jsonbody`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from trioproxy.arguments.table import (
    HOST_CONFIG,
    WITH_PARENT,
    Field,
    Kind,
    Operation,
    Struct,
)
from trioproxy.errors import BadBody

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""A value of JSON."""

_SHOWN: Final = 64


class Place(NamedTuple):
    """Where a value stands in a body."""

    path: str
    """Names alone: `HostConfig.Mounts.Source`."""
    shown: str
    """For people, with indexes: `HostConfig.Mounts[0].Source`."""

    def below(self, name: str) -> "Place":
        """Where a name of it stands."""
        if not self.path:
            return Place(name, name)
        return Place(f"{self.path}.{name}", f"{self.shown}.{name}")

    def at(self, index: int | str) -> "Place":
        """Where an element of it stands."""
        return Place(self.path, f"{self.shown}[{show(str(index))}]")


TOP: Final = Place("", "")


class Found(NamedTuple):
    """A value that has a reader."""

    reader: str
    place: Place
    value: Json
    parent: dict[str, Json]
    """The struct that holds it, which goes on to the Engine."""


class Unknown(NamedTuple):
    """A field that the table does not know, and that is not empty."""

    place: Place
    is_legacy: bool
    """Read by Engines before 27 as a field of `HostConfig`: never passed on."""


class Body(NamedTuple):
    """A body in its one reading."""

    value: dict[str, Json]
    """What goes on to the Engine."""
    found: list[Found]
    unknown: list[Unknown]
    named: list[Found]
    """What names images, containers, networks or volumes."""


def read_body(operation: Operation, value: Json) -> Body:
    """Read the body of an operation. Raises `BadBody` where it has no one reading."""
    if not isinstance(value, Mapping):
        raise BadBody("the body must be a JSON object")
    reader = _Reader()
    canonical = reader.read_struct(operation.body, value, TOP)
    if operation.name == "ContainerCreate":
        # Engines before 27 read HostConfig's fields at the top where this is missing.
        canonical.setdefault(HOST_CONFIG.name, {})
    return Body(canonical, reader.found, reader.unknown, reader.named)


def show(text: str) -> str:
    """Cut and escape what a client wrote."""
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return cut.encode("ascii", "backslashreplace").decode("ascii").translate(_CONTROL)


_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


def is_empty(value: Json) -> bool:
    """Whether a value is the zero of its type, as is each field that nobody set."""
    if isinstance(value, Mapping):
        return all(is_empty(one) for one in value.values())
    return not value


class _Reader:
    """Walks a body by the table, and keeps what somebody has to look at."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.unknown: list[Unknown] = []
        self.named: list[Found] = []

    def read_struct(self, struct: Struct, value: Json, place: Place) -> dict[str, Json]:
        """Give the fields that are set, by their canonical names."""
        if not isinstance(value, Mapping):
            raise _mismatch(place, "an object")
        canonical = dict[str, Json]()
        for name, item in _told_apart(value, place):
            field = struct.fields.get(name.lower())
            if item is None:
                continue
            if field is None:
                self._read_unknown(struct, name, item, place, canonical)
            elif field.kind is not Kind.UNREAD:
                value = self._read_field(field, item, place)
                canonical[field.name] = value
                if field.reader or field.refers:
                    self._keep(field, place.below(field.name), value, canonical)
        return canonical

    def _keep(
        self, field: Field, place: Place, value: Json, parent: dict[str, Json]
    ) -> None:
        if field.reader and field.reader != WITH_PARENT:
            self.found.append(Found(field.reader, place, value, parent))
        if field.refers:
            self.named.append(Found(field.refers, place, value, parent))

    def _read_unknown(
        self,
        struct: Struct,
        name: str,
        item: Json,
        place: Place,
        canonical: dict[str, Json],
    ) -> None:
        if struct.drops_others or is_empty(item):
            return
        legacy = HOST_CONFIG.fields.get(name.lower()) if not place.path else None
        is_legacy = struct.name == "ContainerCreate" and legacy is not None
        shown = legacy.name if is_legacy and legacy else show(name)
        self.unknown.append(Unknown(place.below(shown), is_legacy))
        if not is_legacy:
            canonical[name] = item

    def _read_field(self, field: Field, item: Json, parent: Place) -> Json:
        place = parent.below(field.name)
        return _KINDS[field.kind](self, field, item, place)

    def read_structs(self, field: Field, item: Json, place: Place) -> list[Json]:
        """Give the elements of a list of structs, each as `read_struct` does."""
        return [
            self.read_struct(field.struct, one, place.at(index))
            for index, one in enumerate(_list(item, place))
        ]


_Check = Callable[[_Reader, Field, Json, Place], Json]


def _name(place: Place) -> str:
    return place.shown or "the body"


def _mismatch(place: Place, wanted: str) -> BadBody:
    return BadBody(f"{_name(place)} is not {wanted}")


def _list(item: Json, place: Place) -> list[Json]:
    if not isinstance(item, list):
        raise _mismatch(place, "a list")
    return item


def _map(item: Json, place: Place) -> Iterator[tuple[str, Json]]:
    if not isinstance(item, Mapping):
        raise _mismatch(place, "an object")
    yield from item.items()


def _told_apart(value: Mapping[str, Json], place: Place) -> Iterator[tuple[str, Json]]:
    """Give the names of a struct, none of which may be another one's for the Engine."""
    seen = set[str]()
    for name, item in value.items():
        if not name.isascii():
            raise BadBody(f"a name in {_name(place)} is not ASCII: {show(name)}")
        folded = name.lower()
        if folded in seen:
            raise BadBody(f"{_name(place.below(show(name)))} is given twice")
        seen.add(folded)
        yield name, item


def _text(_: _Reader, __: Field, item: Json, place: Place) -> Json:
    if not isinstance(item, str):
        raise _mismatch(place, "a text")
    return item


def _flag(_: _Reader, __: Field, item: Json, place: Place) -> Json:
    if not isinstance(item, bool):
        raise _mismatch(place, "true or false")
    return item


def _number(_: _Reader, __: Field, item: Json, place: Place) -> Json:
    if not isinstance(item, int) or isinstance(item, bool):
        raise _mismatch(place, "a whole number")
    return item


def _texts(_: _Reader, __: Field, item: Json, place: Place) -> Json:
    if not all(isinstance(one, str) for one in _list(item, place)):
        raise _mismatch(place, "a list of texts")
    return item


def _words(reader: _Reader, field: Field, item: Json, place: Place) -> Json:
    return item if isinstance(item, str) else _texts(reader, field, item, place)


def _numbers(reader: _Reader, field: Field, item: Json, place: Place) -> Json:
    for one in _list(item, place):
        _number(reader, field, one, place)
    return item


def _lists(reader: _Reader, field: Field, item: Json, place: Place) -> Json:
    for one in _list(item, place):
        _texts(reader, field, one, place)
    return item


def _text_map(_: _Reader, __: Field, item: Json, place: Place) -> Json:
    # The decoder makes an empty text of a null, and so do we.
    entries: dict[str, Json] = {
        name: "" if one is None else one for name, one in _map(item, place)
    }
    if not all(isinstance(one, str) for one in entries.values()):
        raise _mismatch(place, "an object of texts")
    return entries


def _keys(_: _Reader, __: Field, item: Json, place: Place) -> Json:
    # What stands in the empty structs, the Engine does not read.
    entries = dict(_map(item, place))
    if not all(one is None or isinstance(one, Mapping) for one in entries.values()):
        raise _mismatch(place, "an object of empty objects")
    return {name: {} for name in entries}


def _any(_: _Reader, __: Field, item: Json, ___: Place) -> Json:
    return item


def _struct(reader: _Reader, field: Field, item: Json, place: Place) -> Json:
    return reader.read_struct(field.struct, item, place)


def _structs(reader: _Reader, field: Field, item: Json, place: Place) -> Json:
    return reader.read_structs(field, item, place)


def _struct_map(reader: _Reader, field: Field, item: Json, place: Place) -> Json:
    return {
        name: None
        if one is None
        else reader.read_struct(field.struct, one, place.at(name))
        for name, one in _map(item, place)
    }


def _struct_lists(reader: _Reader, field: Field, item: Json, place: Place) -> Json:
    return {
        name: None if one is None else reader.read_structs(field, one, place.at(name))
        for name, one in _map(item, place)
    }


_KINDS: Final[Mapping[Kind, _Check]] = {
    Kind.TEXT: _text,
    Kind.FLAG: _flag,
    Kind.NUMBER: _number,
    Kind.NUMBERS: _numbers,
    Kind.TEXTS: _texts,
    Kind.WORDS: _words,
    Kind.LISTS: _lists,
    Kind.MAP: _text_map,
    Kind.KEYS: _keys,
    Kind.ANY: _any,
    Kind.STRUCT: _struct,
    Kind.STRUCTS: _structs,
    Kind.STRUCT_MAP: _struct_map,
    Kind.STRUCT_LISTS: _struct_lists,
}
