"""What evidence keeps of a request: a route, a result, and who asked; never a URL.

All that a client can choose freely - names, ids, queries, made-up methods - ends here.
"""

import re
from typing import NamedTuple

from trioproxy.api.matched import Request
from trioproxy.api.routes import OPERATIONS, Endpoint

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
CLIENT = re.compile(r"[A-Za-z0-9._:%=-]{1,64}", re.ASCII)
VERSION = re.compile(
    r"1\.[1-9][0-9]{1,3}|[0-9]{1,2}\.[0-9]{1,3}\.[0-9]{1,3}|unversioned", re.ASCII
)
"""What may be kept of a run's id and of a client; all else is left out."""


class Shape(NamedTuple):
    """One kind of request; a tuple, because it is hashed once per request."""

    operation: str
    method: str
    section: str

    @classmethod
    def of(cls, request: Request) -> "Shape":
        """Reduce a judged request to its shape."""
        method = request.method if request.method in METHODS else OTHER
        endpoint = request.endpoint
        if endpoint is None:
            return cls(UNKNOWN, method, request.section or "")
        section = endpoint.section
        if section == ANY:
            section = request.section or ""
        return cls(endpoint.operation, method, section)

    @property
    def is_consistent(self) -> bool:
        """Whether the table has such an operation with this method and section."""
        if self.operation == UNKNOWN:
            return self.method in METHODS or self.method == OTHER
        sections = {endpoint.section for endpoint in self.endpoints}
        return self.section in sections or ANY in sections

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The rows of the table that this shape may have met."""
        rows = OPERATIONS.get(self.operation, ())
        exact = tuple(row for row in rows if row.method == self.method)
        return exact or tuple(
            row
            for row in rows
            if row.method == "ANY" or (self.method, row.method) == ("HEAD", "GET")
        )


def shape_of(operation: str) -> Shape:
    """The shape of an operation that has one route: of all whose arguments are read."""
    endpoint = OPERATIONS[operation][0]
    return Shape(operation, endpoint.method, endpoint.section)


class Who(NamedTuple):
    """Where a request came from: product tokens, address, API version."""

    agent: str = ""
    client: str = ""
    version: str = ""


def result_of(status: int, *, unrouted: bool = False) -> str:
    """Name a final status; the 404 of a route the Engine does not have stands apart."""
    return UNROUTED if unrouted else str(status)
