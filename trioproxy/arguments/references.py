"""References: every place where a request names something that the Engine has.

A name is no proof of what is meant: it may be an id, the beginning of one, or be given to
something else a moment later. So the Engine is asked what it has under it; that is
judged, and its id goes on in place of what the client wrote (it is *pinned*).

Nothing is asked here: see `proxy.resolve`.
"""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final, NamedTuple

from trioproxy.arguments import normal
from trioproxy.arguments.asked import Argument, structs_of, text_of
from trioproxy.arguments.asking import Asked
from trioproxy.arguments.bodies import Found, Json, show
from trioproxy.arguments.families import Kind
from trioproxy.arguments.things import Known, Missing, Thing

Pin = Callable[[Thing], None]
"""Puts the id of what was judged in place of what the client wrote."""


class Reference(NamedTuple):
    """A place where a request names something."""

    kind: Kind
    text: str
    """As the client wrote it."""
    place: str
    """Where it stands, for people."""
    pin: Pin
    argument: Argument | None = None
    """What is asked for by it, where a list of names decides: an image."""


class Named(NamedTuple):
    """What a request names, and what the Engine has under these names."""

    candidates: tuple[Reference, ...]
    """All of them."""
    references: tuple[Reference, ...] = ()
    """Those that matter for the policy of now."""
    known: Known = MappingProxyType({})
    """What the Engine was asked about, and what it said."""

    @property
    def arguments(self) -> frozenset[Argument]:
        """What is asked for by an id: it is judged by what the Engine has under it."""
        return frozenset(one.argument for one in self.references if one.argument)

    def pairs(self) -> Iterator[tuple[Reference, Thing | Missing | None]]:
        """Each reference with what it means; None: the Engine was not asked."""
        for one in self.references:
            yield one, self.known.get((one.kind, one.text))

    def things(self) -> Iterator[tuple[Argument, Thing]]:
        """What is asked for by an id, with what the Engine has under it."""
        for one, thing in self.pairs():
            if one.argument is not None and isinstance(thing, Thing):
                yield one.argument, thing

    def pin(self) -> None:
        """Put the ids of what was judged in place of what the client wrote."""
        for one, thing in self.pairs():
            if isinstance(thing, Thing):
                one.pin(thing)


def find(asked: Asked) -> Iterator[Reference]:
    """Tell what a request names that has to be looked up at the Engine."""
    for found in asked.named:
        yield from READERS[found.reader](found)


def _pin(parent: dict[str, Json], name: str) -> Pin:
    def pin(thing: Thing) -> None:
        parent[name] = thing.id

    return pin


def _image(found: Found) -> Iterator[Reference]:
    yield from _images(found.parent, "Image", found.place.shown)


def _mounts(found: Found) -> Iterator[Reference]:
    for index, mount in enumerate(structs_of(found.value)):
        place = found.place.at(index).below("Source").shown
        if mount.get("Type") == "image" and isinstance(mount, dict):
            yield from _images(mount, "Source", place)


def _images(parent: dict[str, Json], name: str, place: str) -> Iterator[Reference]:
    """An image by its id, or by what may be one; others are judged by their names."""
    text = text_of(parent.get(name))
    value = normal.image(text)
    if normal.is_image_id(value):
        argument = Argument("CREATE_IMAGES", value, place, show(value))
        yield Reference(Kind.IMAGE, text, place, _pin(parent, name), argument)


READERS: Final[dict[str, Callable[[Found], Iterator[Reference]]]] = {
    "image": _image,
    "mounts": _mounts,
}
