"""What evidence keeps of a request: grants that it showed, a result, and who asked.

A `Sight` is a grant that a request would need, beside the operation that showed it: an
operation itself, a value that it asked for, an object that it named. All that a client can
choose freely beyond that - ids, queries, made-up methods - ends here.
"""

import re
from typing import Final, NamedTuple

from trioproxy.api.families import OBJECTS, OPERATIONS_VARIABLE, Kind
from trioproxy.api.matched import Request
from trioproxy.api.nodes import HAD_BY_DEFAULT
from trioproxy.api.routes import LIMITED, OPERATIONS, Endpoint, kinds_of
from trioproxy.limits.grant import Grant
from trioproxy.limits.objects import OWN

UNKNOWN = "unknown"
"""The operation of a route that the table does not have."""

ANY = "ANY"
"""The section of OPTIONS, which the Engine answers on every path."""

UNROUTED = "unrouted"
"""The result of a 404 that means "page not found": the Engine has no such route."""

REFUSED = "refused"
"""The result of a request that a policy refused: the Engine never saw it."""

BAD_REQUEST = "400"
"""The result of a request that the Engine would not read; also of one too old for it."""

UNPROVEN = "unproven"
"""The result of a request in a log that does not say how it was answered."""

OTHER = "OTHER"
"""Stands for every method token that HTTP does not name: clients make them up."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})

RUN = re.compile(r"[0-9A-Za-z:.-]{1,64}", re.ASCII)
AGENT = re.compile(r"[A-Za-z0-9._/-]{1,64}", re.ASCII)
CLIENT = re.compile(r"[A-Za-z0-9._:%=@-]{1,129}", re.ASCII)
VERSION = re.compile(
    r"1\.[1-9][0-9]{1,3}|[0-9]{1,2}\.[0-9]{1,3}\.[0-9]{1,3}|unversioned", re.ASCII
)
"""What may be kept of a run's id and of a client; all else is left out."""

NODES: Final = Grant("CREATE_NODES", "")
"""No variable of a file. What a container of others has that nobody took the capability for nodes from: not asked for,
it counts where the Engine packs files alone (`api.nodes`)."""

BY_NODES: Final = Grant(HAD_BY_DEFAULT.variable, HAD_BY_DEFAULT.value)
"""What a file lists that lets it have these."""


class Sight(NamedTuple):
    """A grant that a request showed a need for, and how; hashed for each that is observed.

    Beside each value and each object there is a sight without an item, for the operation
    that showed it: of a whole family, `CREATE`, or of a kind of objects. It says that what
    the operation asks for, or names, was looked at, and so in which runs another item of it
    did *not* come up.
    """

    variable: str
    """The list that the grant is an item of: `ALLOW_OPERATIONS`, `CREATE_BINDS`,
    `ONLY_CONTAINERS`; or a family alone."""
    item: str
    """As in the list. Empty: of the value nothing may be kept, or the sight has no item.
    Of an object its name; `@own` for what was made by the client itself, `*` for all of the
    kind, and for one that no list can hold."""
    operation: str
    """Of the request, whatever it showed."""
    method: str = ""
    """Of an operation that was seen: by which method."""
    section: str = ""
    """Of an operation that was seen: in which section its path was."""
    project: str = ""
    """Of an object: the Compose project that it belongs to. Empty: none, or it is `@own`."""
    has: str = ""
    """Of an object that was reached into: what it has beyond the harmless, as
    `CREATE_BINDS=/srv`: a sight for each, beside the one of the object itself.
    `CREATE_BINDS=`: what may not be kept, or no list holds."""
    is_named: bool = False
    """Of an object of others: whether the request had its name. An id only an answer of the
    Engine tells: who goes by those takes whatever is there."""

    @classmethod
    def of(cls, request: Request) -> "Sight":
        """The operation that a judged request is."""
        method = request.method if request.method in METHODS else OTHER
        endpoint = request.endpoint
        if endpoint is None:
            return route(UNKNOWN, method, request.section or "")
        section = endpoint.section
        if section == ANY:
            section = request.section or ""
        return route(endpoint.operation, method, section)

    @property
    def grant(self) -> Grant:
        """What would allow it."""
        return Grant(self.variable, self.item)

    @property
    def is_by_id(self) -> bool:
        """Of an object: whether it is somebody else's, and an id stood for its name."""
        return self.item not in {"", OWN} and not self.is_named

    @property
    def is_told(self) -> bool:
        """Of an object: whether it was named by nothing but what an answer had told of it, and
        only to be looked at. `operation` is the one that told it, which names none itself."""
        return self.variable in OBJECTS and not kinds_of(self.operation)

    @property
    def kind(self) -> Kind | None:
        """Of an object: what it is."""
        return OBJECTS.get(self.variable)

    @property
    def is_route(self) -> bool:
        """Whether it is an operation that was seen."""
        return self.variable == OPERATIONS_VARIABLE

    @property
    def is_consistent(self) -> bool:
        """Whether the table has such an operation with this method and section."""
        if self.operation == UNKNOWN:
            return self.method in METHODS or self.method == OTHER
        sections = {endpoint.section for endpoint in self.endpoints}
        return self.section in sections or ANY in sections

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The rows of the table that this operation may have met."""
        rows = OPERATIONS.get(self.operation, ())
        exact = tuple(row for row in rows if row.method == self.method)
        return exact or tuple(
            row
            for row in rows
            if row.method == "ANY" or (self.method, row.method) == ("HEAD", "GET")
        )


def route(operation: str, method: str, section: str) -> Sight:
    """The sight of an operation, by its method and the section of its path."""
    return Sight(OPERATIONS_VARIABLE, operation, operation, method, section)


def route_of(operation: str) -> Sight:
    """The same, of an operation that has one route: of all whose arguments are read."""
    endpoint = OPERATIONS[operation][0]
    return route(operation, endpoint.method, endpoint.section)


def looked_at(operation: str) -> Sight:
    """The sight that says that what an operation asks for was read."""
    return Sight(LIMITED[operation][0].value, "", operation)


class Who(NamedTuple):
    """Where a request came from: product tokens, address, API version."""

    agent: str = ""
    client: str = ""
    version: str = ""


def result_of(status: int, *, unrouted: bool = False) -> str:
    """Name a final status; the 404 of a route the Engine does not have stands apart."""
    return UNROUTED if unrouted else str(status)
