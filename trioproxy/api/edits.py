"""Edits: what the proxy changes of a request, as values.

A request is read once, and stays as it was read: whoever judges it looks at the same body,
in whatever order. What has to go on otherwise than it came - the mark, the ids of what was
judged, the proxy's socket in place of an Engine's, what the Engine must not do - is noted
as an edit: a place, and what shall stand there. They are applied once, when all was judged,
and what comes of that is sent. So nothing is judged in one form and sent in another because
somebody was called too late. An edit asks for nothing: to ask what goes on again gives the
same arguments, but for the names that were pinned.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, NamedTuple

from trioproxy.api import query

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
"""A value of JSON."""

Keys = tuple[str | int, ...]
"""A place in a body: names of structs and maps, indexes of lists."""


class Part(Enum):
    """The part of a request that an edit changes."""

    BODY = "body"
    QUERY = "query"
    """The values of a key that is there."""
    FRONT = "front"
    """One more pair, in front of the query."""
    PATH = "path"
    """The first parameter of the path; there are no keys."""


class Gone(Enum):
    """What stands where nothing shall be."""

    GONE = "gone"


GONE: Final = Gone.GONE


class Edit(NamedTuple):
    """What shall stand at a place; what holds it is made, if it is not there."""

    keys: Keys
    value: Json | Gone
    part: Part = Part.BODY


class Sent(NamedTuple):
    """What goes on in place of what came."""

    parameter: str
    """The id for the path; empty: what is there stays."""
    query: bytes
    body: dict[str, Json] | None
    """None: it is content and goes on as it came, or there is none."""


def apply(
    edits: Iterable[Edit], raw_query: bytes, body: dict[str, Json] | None
) -> Sent:
    """Give what goes on: a copy, which shares with the body what no edit changes.

    Of two edits of a place the later one counts.
    """
    structs: list[Edit] = []
    front: list[Edit] = []
    values: dict[str, str] = {}
    parameter = ""
    for edit in edits:
        match edit.part:
            case Part.BODY:
                structs.append(edit)
            case Part.QUERY:
                values[str(edit.keys[0])] = str(edit.value)
            case Part.FRONT:
                front.append(edit)
            case Part.PATH:
                parameter = str(edit.value)
    if values:
        pairs = query.parse(raw_query)
        raw_query = query.render((key, values.get(key, one)) for key, one in pairs)
    # In front, for of a key that is there twice most handlers take the first value.
    for edit in front:
        pair = query.render([(str(edit.keys[0]), str(edit.value))])
        raw_query = b"&".join(filter(None, (pair, raw_query)))
    changed = _edited(body, structs)
    return Sent(parameter, raw_query, changed if isinstance(changed, dict) else None)


def _edited(value: Json, edits: Iterable[Edit]) -> Json | Gone:
    """Copy what is on the way to a place, once for all edits below it."""
    # Edits are parted by their first key, and each part goes down with the rest of its keys: an
    # edit without keys is meant for this very value. So a struct is copied once, however many
    # of its fields change, and what no edit leads through is the very object that was judged.
    # What is edited as a whole is changed before what lies in it. An index of a list is a
    # place in what came: all are applied before what is `GONE` is left out, or the second of
    # two that go would be the third.
    changed: Json | Gone = value
    below: dict[str | int, list[Edit]] = {}
    for keys, new, _ in edits:
        if keys:
            below.setdefault(keys[0], []).append(Edit(keys[1:], new))
        else:
            changed = new
    if not below:
        return changed
    held: Any = changed or {}
    is_list = isinstance(held, list)
    items: dict[Any, Any] = dict(enumerate(held) if is_list else held)
    for key, inner in below.items():
        items[key] = _edited(items.get(key), inner)
    kept = {key: one for key, one in items.items() if one is not GONE}
    return list(kept.values()) if is_list else kept
