"""What of an answer is shown: what requests may name, and nothing of strangers.

A `Showing` is made when the policy is, one for each operation of the table of answers, and
the verdict has it. It judges an element at a time, by the very lists that decide what may
be named, in a generator: what cannot be told from the element alone it asks for, by
yielding that, and is sent the answer. So it knows of no socket, as the gate does not.

What is asked for is little. A container counts as the client's own by a label that its
image does not have, so images are asked about, once each. Who is on a network, or has a
volume that nobody named, stands in other answers. And events tell an object's id and name
alone, sometimes when it is gone: then what was known of it before counts.
"""

import re
from collections.abc import Collection, Generator, Mapping
from dataclasses import field, replace
from enum import Enum
from typing import Any, Final, NamedTuple, assert_never

from trioproxy.api import query
from trioproxy.api.answers import (
    ANSWERS,
    ITEMS,
    KINDS,
    KINDS_OF_EVENTS,
    NOBODYS_EVENTS,
    Answer,
    Shape,
    Tells,
)
from trioproxy.api.arguments import list_of, map_of, text_of, texts_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import Hides, Kind
from trioproxy.api.redaction import Redaction
from trioproxy.api.routes import row_of
from trioproxy.errors import BadBody, BadTarget, Untold
from trioproxy.judge.references import MOST_REFERENCES, Named, Reference
from trioproxy.judge.sums import Sum, sum_of
from trioproxy.limits.objects import Objects
from trioproxy.limits.things import FULL_ID, Thing, listed
from trioproxy.values import ordered_class, settle, value_class

# --- What is needed, and what comes of it -----------------------------------------


@ordered_class
class NeedWhole:
    """A thing, with what other answers say of it: a `Thing`."""

    thing: Thing


@ordered_class
class NeedContainers:
    """Those of some containers that there are: a map of `Thing` by id."""

    ids: tuple[str, ...]


@ordered_class
class NeedUsers:
    """How many containers of an image are shown: a number."""

    image: str


@ordered_class
class NeedKnown:
    """What is or was known by an id: a `Thing`, or None."""

    kind: Kind
    id: str
    is_over: bool
    """Whether nothing will be heard of it any more."""
    is_new: bool = False
    """Whether it was made just now, so that what was known by its name was another one."""


@ordered_class
class NeedSum:
    """What was shown of a list that came before: a `Sum`, or None where there was none."""

    told: Tells


NeedOfAnswer = NeedWhole | NeedContainers | NeedUsers | NeedKnown | NeedSum


class Hidden(Enum):
    """What is shown of an element that is a stranger's."""

    HIDDEN = "hidden"


HIDDEN: Final = Hidden.HIDDEN


class Shown(NamedTuple):
    """What is shown of an element."""

    value: Json | Hidden
    """The very value that was judged, if all of it is shown."""
    hidden: int = 0
    """How many strangers are left out."""


Looking = Generator[NeedOfAnswer, Any, Shown]
"""One element that is being judged."""


_LEFT_OUT: Final = Shown(HIDDEN, 1)
_LIMIT: Final = re.compile(r"\+?0*([0-9]{1,18})")
"""What the Engine takes for a number above zero, up to what is as good as none."""
_OVER: Final = frozenset({"destroy", "remove"})


# --- Showing ----------------------------------------------------------------------


@value_class
class Showing:
    """How the answer to one operation is shown."""

    answer: Answer
    objects: Objects
    limit: int = 0
    """How many elements at most; 0: all."""
    redaction: Redaction | None = None
    """What is hidden in each of them; None: nothing."""
    is_brief: bool = False
    """Whether sums go on without the lists that they are made of."""
    narrows: bool = field(init=False, compare=False)
    """Whether elements are judged: there may be strangers among them."""

    def __post_init__(self) -> None:
        settle(self, narrows=any(map(self.objects.limits, self.answer.kinds)))

    def asked(self, raw_query: bytes) -> tuple["Showing", bytes]:
        """Take the limit out of a query; give what goes on in its place.

        The Engine would count what is hidden then. A limit shows what is stopped, too. And
        sums are told with what they are made of, or nothing could be taken out of them.
        Raises `BadTarget` where handlers may read the query in two ways, and where it asks by
        guesses for what is hidden.
        """
        if self.redaction is not None and self.answer.shape is Shape.LINES:
            for text in query.filters(raw_query).get("event", ()):
                # Beside `exec_start` the Engine shows whatever begins with any of these: so a
                # command line would be found out, letter by letter.
                told: Json = {"Action": text}
                if self.redaction(told) is not told:
                    raise BadTarget("filters in the query guess at a command line")
        if self.narrows and Tells.USAGE in self.answer.parts.values():
            return self._itemised(raw_query)
        if not self.answer.is_cut or not self.narrows:
            return self, raw_query
        pairs = query.parse(raw_query)
        found = _LIMIT.fullmatch(query.value_of(pairs, "limit"))
        limit = int(found[1]) if found else 0
        if not limit:
            return self, raw_query
        kept = [pair for pair in pairs if pair[0].casefold() not in {"all", "limit"}]
        return replace(self, limit=limit), query.render([("all", "1"), *kept])

    def _itemised(self, raw_query: bytes) -> tuple["Showing", bytes]:
        """Have sums told with their lists, which go no further where nobody wants them.

        From 1.52 of the API on the Engine tells sums alone if `verbose` is false, and with
        lists in them if it is true. Where nothing is said it has the lists of before beside
        the sums, and engines of before know nothing else.
        """
        pairs = query.parse(raw_query)
        if query.value_of(pairs, "verbose") not in query.FALSE:
            return self, raw_query
        kept = [pair for pair in pairs if pair[0].casefold() != "verbose"]
        with_lists = query.render([*kept, ("verbose", "1")])
        return replace(self, is_brief=True), with_lists

    def names(self, raw_query: bytes) -> Named | None:
        """Tell what the filters in a query name; None: nothing. Raises `BadTarget`."""
        if not self.answer.names or not self.narrows or not raw_query:
            return None
        found = tuple(
            Reference(Kind.CONTAINER, text, f"filters.{name}", is_filter=True)
            for name, texts in sorted(query.filters(raw_query).items())
            if name in self.answer.names
            for text in sorted(texts)
            if text
        )
        if len(found) > MOST_REFERENCES:
            raise BadTarget("filters name more than is looked up at once")
        return Named(found, found, has_objects=True) if found else None

    def element(self, key: str, value: Json) -> Looking:
        """Judge an element of the list that is called `key`. Raises `UpstreamError`."""
        hidden = 0
        shown: Json | Hidden = value
        if self.narrows:
            try:
                told = self._told(self.answer.parts[key], key, value)
                shown, hidden = yield from told
            except BadBody:
                raise Untold("a part of the Engine's answer is not complete") from None
        if self.redaction is not None and shown is not HIDDEN:
            shown = self.redaction(shown)
        return Shown(shown, hidden)

    def _told(self, told: Tells, key: str, value: Json) -> Looking:
        match told:
            case Tells.CONTAINER | Tells.NETWORK | Tells.VOLUME:
                whole = yield NeedWhole(listed(KINDS_OF_EVENTS[told], value))
                shown = Shown(value) if self.objects.shows(whole) else _LEFT_OUT
                if shown.value is not HIDDEN and told is Tells.NETWORK:
                    shown = yield from self._members(map_of(value))
            case Tells.MEMBERS:
                shown = yield from self._members(map_of(value))
            case Tells.IMAGE:
                shown = yield from self._image(map_of(value))
            case Tells.USAGE:
                shown = yield from self._usage(key, map_of(value))
            case Tells.EVENT:
                shown = yield from self._event(map_of(value))
            case Tells.NOBODY:
                shown = Shown(value)
            case _:
                assert_never(told)
        return shown

    def _members(self, value: dict[str, Json]) -> Looking:
        """Take out of a network who is on it and a stranger, and what no list holds."""
        shown = value
        if not self.answer.hidden.isdisjoint(value):
            shown = {k: v for k, v in value.items() if k not in self.answer.hidden}
        members = map_of(value.get("Containers"))
        if not members or not self.objects.limits(Kind.CONTAINER):
            return Shown(shown)
        inside = yield from self._inside(members)
        if len(inside) < len(members):
            there = {one: it for one, it in members.items() if one in inside}
            shown = {**shown, "Containers": there}
        return Shown(shown, len(members) - len(inside))

    def _inside(
        self, ids: Collection[str]
    ) -> Generator[NeedContainers, Mapping[str, Thing], frozenset[str]]:
        """Those of some containers that there are, and that are listed."""
        there = yield NeedContainers(tuple(ids))
        found = (one for one in ids if one in there)
        return frozenset(one for one in found if self.objects.holds(there[one]))

    def _image(self, value: dict[str, Json]) -> Looking:
        """Count of the containers of an image those that are shown, and tell no other's id."""
        shown, hidden = value, 0
        if not self.objects.limits(Kind.CONTAINER):
            return Shown(value)
        count = value.get("Containers")
        if isinstance(count, int) and count > 0:  # -1: it was not counted
            users: int = yield NeedUsers(text_of(value.get("Id")))
            shown = {**shown, "Containers": min(users, count)}
            hidden = count - min(users, count)
        manifests = list_of(value.get("Manifests"))
        if any(map(_users_of, manifests)):
            ids = tuple(one for each in manifests for one in _users_of(each))
            inside = yield from self._inside(ids)
            hidden = max(hidden, len(ids) - len(inside))
            if len(inside) < len(ids):
                told = [_with_users(one, inside) for one in manifests]
                shown = {**shown, "Manifests": told}
        return Shown(shown if hidden else value, hidden)

    def _usage(self, key: str, value: dict[str, Json]) -> Looking:
        """A sum of what is shown, as the Engine would make it of that; without its list none."""
        told, items, hidden = ITEMS[key], list[Json](), 0
        if not any(map(self.objects.limits, KINDS[told])):
            return Shown(self._in_brief(value))
        if value.get("TotalCount") and "Items" not in value:
            before: Sum | None = yield NeedSum(told)
            if before is None:  # nobody can tell what of it is a stranger's
                return Shown(HIDDEN)
            return Shown(before.told(value.get("TotalSize")))
        for item in list_of(value.get("Items")):
            shown = yield from self._told(told, key, item)
            hidden += shown.hidden
            if shown.value is not HIDDEN:
                items.append(shown.value)
        told_of = sum_of(told, items, value.get("TotalSize"))
        return Shown(self._in_brief(told_of), hidden)

    def _in_brief(self, value: dict[str, Json]) -> dict[str, Json]:
        if not self.is_brief or "Items" not in value:
            return value
        return {name: one for name, one in value.items() if name != "Items"}

    def _event(self, value: dict[str, Json]) -> Looking:
        """An event of what is inside; one that tells of two objects, if both are."""
        what = text_of(value.get("Type"))
        if what in NOBODYS_EVENTS:
            return Shown(value)
        if (kind := KINDS_OF_EVENTS.get(what)) is None:
            return _LEFT_OUT
        actor = map_of(value.get("Actor"))
        attributes = map_of(actor.get("Attributes"))
        # The labels of a container stand among an event's attributes, its own and its image's, and nothing says which
        # are which: so nothing is judged by them. The name counts as it was when it happened, for a rename tells two.
        told = text_of(actor.get("ID"))
        name = told if kind is Kind.VOLUME else text_of(attributes.get("name"))
        action = text_of(value.get("Action"))
        need = NeedKnown(kind, told, action in _OVER, action == "create")
        is_inside = yield from self._is_inside(need, name)
        container = text_of(attributes.get("container"))
        if is_inside and container and kind is not Kind.CONTAINER:
            user = NeedKnown(Kind.CONTAINER, container, is_over=False)
            is_inside = yield from self._is_inside(user)
        return Shown(value) if is_inside else _LEFT_OUT

    def _is_inside(
        self, need: NeedKnown, name: str = ""
    ) -> Generator[NeedKnown, Thing | None, bool]:
        kind, told = need.kind, need.id
        if not self.objects.limits(kind):
            return True
        if not told or (kind is Kind.CONTAINER and not FULL_ID.fullmatch(told)):
            return False  # a prune is nobody's
        called = (name.removeprefix("/"),) if name else ()
        if self.objects.shows(Thing(kind, told, called)):
            return True  # by its name, as it is called then
        thing = yield need
        if thing is None:
            return False
        return self.objects.shows(thing._replace(names=called or thing.names))

    @property
    def follows(self) -> tuple[Kind, ...]:
        """The kinds of which has to be known what there is, for it may go."""
        if self.answer.shape is not Shape.LINES:
            return ()
        return tuple(filter(self.objects.limits, sorted(self.answer.kinds)))


# --- What uses an image ------------------------------------------------------------


def _users_of(manifest: Json) -> list[str]:
    """The containers of one of an image's manifests, by id."""
    data = map_of(map_of(manifest).get("ImageData"))
    return texts_of(data.get("Containers"))


def _with_users(manifest: Json, inside: Collection[str]) -> Json:
    one, data = map_of(manifest), map_of(map_of(manifest).get("ImageData"))
    if not data.get("Containers"):
        return manifest
    kept: list[Json] = [user for user in _users_of(manifest) if user in inside]
    return {**one, "ImageData": {**data, "Containers": kept}}


def showings(objects: Objects, hides: frozenset[Hides]) -> Mapping[str, Showing]:
    """Say of each operation how its answer is shown, where that is not as it comes."""
    redaction = None
    if hides:
        redaction = Redaction(hides)
    found = dict[str, Showing]()
    for operation, answer in ANSWERS.items():
        row = row_of(operation)
        own = redaction if row and row.is_redacted else None
        one = Showing(answer=answer, objects=objects, redaction=own)
        if one.narrows or own is not None:
            found[operation] = one
    return found
