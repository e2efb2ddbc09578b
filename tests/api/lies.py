"""What the rows of a table must not say, as they belie themselves or one another.

A row is believed: what its columns leave out nobody else looks for. So each of these is two
columns that cannot both be true, of which the worse may be. A process that serves asks none of
it: only an edit of the source can answer otherwise than the tests have heard.

A table may be a copy that a test has edited, with words of its own: they are compared as texts.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from types import ModuleType

from trioproxy.api.families import VARIABLES, Kind
from trioproxy.api.fields import WITH_PARENT, Struct, rows
from trioproxy.api.routes import ENDPOINTS, Bound, Effect, Endpoint, Risk, Touch

KINDS = {"CONTAINERS", "EXEC", "NETWORKS", "VOLUMES"}
"""The sections of what lists of objects hold."""


def lies_of_routes(endpoints: Iterable[Endpoint]) -> Iterator[str]:
    """What the table of routes says that cannot be true."""
    endpoints = tuple(endpoints)
    said = dict[str, tuple[object, ...]]()
    roaming = {one.section for one in endpoints if one.touch == Touch.ANY}
    for one in endpoints:
        for lie in chain(_lies_of_objects(one), _lies_of_power(one)):
            yield f"{one.method} {one.template} {lie}"
        if one.section in roaming and one.touch != Touch.ANY:
            yield f"{one.section}: others reach any objects"
        # A file grants operations, and some have several routes. These columns are read off the first of them
        # (`row_of`), so they must be true of each; whoever may use one of the routes may use all.
        columns = (one.touch, one.names, one.bound, one.powers)
        if said.setdefault(one.operation, columns) != columns:
            yield f"{one.operation}: one row says otherwise than another"


def _lies_of_objects(one: Endpoint) -> Iterator[str]:
    is_named = one.touch == Touch.NAMES
    if one.touch not in {Touch.NONE, Touch.ANY} and one.section not in KINDS:
        yield "has no objects that it could name, make or prune"
    if one.section in KINDS and is_named != ("{" in one.template):
        yield "names just what stands in its path"
    if one.is_podmans and one.touch != Touch.ANY:
        yield "is Podman's, whose objects nobody looks up"
    if one.touch == Touch.MAKES and one.powers.labels != "b":
        yield "makes what is not marked"
    if one.names and not one.families:
        yield "names objects in what is not read"


def _lies_of_power(one: Endpoint) -> Iterator[str]:
    # A letter of `reach` that is missing would let who is limited into a container that has more than his limits; `-`
    # for what tells secrets would pass them beside `REDACT`; a root without a bound would stay open beside lists.
    reach, by_get = one.powers.reach, one.method in {"GET", "HEAD"}
    has_container = Kind.CONTAINER in one.kinds
    if reach not in {"-", "h"} and not has_container and not one.is_podmans:
        yield "reaches into a container, and names none"
    if reach == "-" and one.touches_containers:
        yield "touches files of a container, and does not reach into it"
    if one.powers.runs != "-" and not has_container:
        yield "lets a container run, and names none"
    if one.needs_post and not by_get:
        yield "needs POST by its method"
    if by_get and one.effect == Effect.WRITE and not one.needs_post:
        yield "writes by a method that passes without POST"
    if one.risk == Risk.SECRET_LEAK and one.method == "GET" and one.powers.tells == "-":
        yield "reads secrets, and says nothing of its answer"
    if one.risk == Risk.HOST_ROOT and one.bound == Bound.NONE and reach in {"-", "r"}:
        yield "is root, and says neither what limits that nor that nothing does"


def lies_of_fields(table: ModuleType) -> Iterator[str]:
    """What the table of fields says that cannot be true: each route must say what is read of it."""
    for name, operation in table.ARGUED.items():
        yield from _untold(name, operation.body, is_told=False)
    for row in ENDPOINTS:
        known = table.ARGUED.get(row.operation)
        limited = {VARIABLES[one].family for one in known.variables} if known else set()
        if limited != set(row.families):
            yield f"{row.operation} is limited as its route does not say"
        fields = (one for _, one in rows(known)) if known else ()
        finders = known.finders if known else {}
        if (finders or any(one.finder for one in fields)) and not row.names:
            yield f"{row.operation}: its route says that it names nothing"


def _untold(name: str, struct: Struct, *, is_told: bool) -> Iterator[str]:
    """What is told with what holds it, where nobody reads that."""
    for one in struct.fields.values():
        if one.reader == WITH_PARENT and not is_told:
            yield f"{name}: nobody reads what holds {one.name}"
        is_read = one.reader not in {"", WITH_PARENT}
        yield from _untold(name, one.struct, is_told=is_told or is_read)
