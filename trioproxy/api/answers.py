"""The answers: what the Engine tells in them, one row for each operation that is narrowed.

A table: `judge.showing` tells by it what of an answer is shown, `http.elements` cuts
an answer by its shape. An operation that shows everybody's objects and has no row does not
import. Facts are from the Engine's sources and API documents, 1.24 to 1.56.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from trioproxy.api.families import Kind
from trioproxy.api.routes import ENDPOINTS, Endpoint, Stream


class Shape(StrEnum):
    """How an answer is cut into elements, which are read and judged one by one."""

    ONE = "one"
    """It is one element."""
    LIST = "list"
    LISTS = "lists"
    """An object of lists, by their names."""
    LINES = "lines"
    """Elements one behind the other, as they happen."""


class Tells(StrEnum):
    """What an element tells of: that says where its id, names and labels stand."""

    CONTAINER = "container"
    NETWORK = "network"
    """And which containers are on it."""
    MEMBERS = "members"
    """The containers on a network, which was judged by its name."""
    VOLUME = "volume"
    IMAGE = "image"
    """An image is nobody's; which containers use it is told."""
    USAGE = "usage"
    """A list, and sums of what is in it, in the place of a list: `items` has of what."""
    EVENT = "event"
    """What happened to an object of any kind."""
    NOBODY = "-"
    """Nothing that is anybody's: it is shown."""


class Answer(NamedTuple):
    """What an operation's answer tells."""

    operation: str
    shape: Shape
    parts: Mapping[str, Tells]
    """What the elements tell of, by the name of their list; by an empty one if there is
    but one. Lists and values that no row names are left out."""
    hidden: frozenset[str] = frozenset()
    """Fields of an element that tell of what no list holds: they are left out."""
    is_cut: bool = False
    """Whether a `limit` in its query counts the elements."""
    names: frozenset[str] = frozenset()
    """Filters in its query that name a container, of which there is none for the Engine if
    it is not shown."""

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of the objects that it tells of."""
        return frozenset().union(*(KINDS[tells] for tells in self.parts.values()))


KINDS: Final[Mapping[Tells, Iterable[Kind]]] = {
    Tells.CONTAINER: {Kind.CONTAINER},
    Tells.NETWORK: {Kind.CONTAINER, Kind.NETWORK},
    Tells.MEMBERS: {Kind.CONTAINER, Kind.NETWORK},
    Tells.VOLUME: {Kind.VOLUME},
    Tells.IMAGE: {Kind.CONTAINER},
    Tells.USAGE: {Kind.CONTAINER, Kind.VOLUME},
    Tells.EVENT: {Kind.CONTAINER, Kind.NETWORK, Kind.VOLUME},
    Tells.NOBODY: set(),
}

ITEMS: Final[Mapping[str, Tells]] = {
    "BuildCacheUsage": Tells.NOBODY,
    "ContainerUsage": Tells.CONTAINER,
    "ImageUsage": Tells.IMAGE,
    "VolumeUsage": Tells.VOLUME,
}
"""What the lists in sums tell of, by the name of the sum."""

KINDS_OF_EVENTS: Final = {str(kind): kind for kind in KINDS[Tells.EVENT]}
"""Types of events that are judged by their object."""

NOBODYS_EVENTS: Final = frozenset({"builder", "daemon", "image", "plugin"})
"""Types of events that are shown: of what no list holds, and anybody may ask for. Those of
all others (a swarm's services and secrets, and what newer Engines add) are not."""

# `Peers`, `Services` and `Status` of a network tell of a swarm's nodes and tasks and of addresses in use, in which
# strangers can be counted: no list of containers says what of it is whose, so none of it is shown.
_OF_SWARM: Final = frozenset({"Peers", "Services", "Status"})
_NAMING: Final = frozenset({"before", "since"})
_VOLUMES: Final = {"Volumes": Tells.VOLUME, "Warnings": Tells.NOBODY}
# The lists, and from 1.52 of the API on the sums.
_DISK: Final = {
    "Images": Tells.IMAGE,
    "Containers": Tells.CONTAINER,
    "Volumes": Tells.VOLUME,
    **dict.fromkeys(("BuildCache", "LayersSize", "BuilderSize"), Tells.NOBODY),
    **dict.fromkeys(ITEMS, Tells.USAGE),
}


def _of_nobody(row: Endpoint) -> Answer:
    """The answer of what tells of nobody, and is here for `REDACT`."""
    is_list = row.operation.endswith(("List", "History", "Attestations"))
    shape = Shape.LIST if is_list else Shape.ONE
    shape = Shape.LINES if row.stream is Stream.FOLLOW else shape
    return Answer(row.operation, shape, {"": Tells.NOBODY})


# Where secrets stand is found by their names (`redaction`).
_ROWS: Final = (
    *(_of_nobody(row) for row in ENDPOINTS if row.is_redacted),
    Answer(
        "ContainerList", Shape.LIST, {"": Tells.CONTAINER}, names=_NAMING, is_cut=True
    ),
    Answer("ImageInspect", Shape.ONE, {"": Tells.IMAGE}),
    Answer("ImageList", Shape.LIST, {"": Tells.IMAGE}),
    Answer("NetworkInspect", Shape.ONE, {"": Tells.MEMBERS}, _OF_SWARM),
    Answer("NetworkList", Shape.LIST, {"": Tells.NETWORK}, _OF_SWARM),
    Answer("SystemDataUsage", Shape.LISTS, _DISK),
    Answer("SystemEvents", Shape.LINES, {"": Tells.EVENT}),
    Answer("VolumeList", Shape.LISTS, _VOLUMES),
)
ANSWERS: Final[Mapping[str, Answer]] = {one.operation: one for one in _ROWS}
"""The rows, by operation: what the table has, and all that is redacted."""

NARROWED: Final = frozenset(
    name
    for name, one in ANSWERS.items()
    if any(tells is not Tells.NOBODY for tells in one.parts.values())
)
"""The operations that show what is listed, where anything is."""

if missing := {one.operation for one in ENDPOINTS if one.shows_all} ^ NARROWED:
    raise AssertionError(f"one table says otherwise than the other: {sorted(missing)}")
