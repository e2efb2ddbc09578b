"""Requests that stand for a grant: what a policy is asked where no client is there.

A policy answers requests and nothing else, so whoever wants to know what a file grants
asks it about made-up requests. They are made up here, once: for a row of the table, for
a listed item, for a route that a person named, and for routes that no table has. A
parameter of a template is the one segment `x`, where nobody says otherwise.
"""

import re
from collections.abc import Iterator
from functools import cache

from trioproxy.api.matched import Request, Route
from trioproxy.api.routes import ENDPOINTS, OPERATIONS, SECTIONS, Endpoint, match
from trioproxy.api.target import Target
from trioproxy.file.variables import section_prefix

PARAMETER = re.compile(r"\{[^}]*\}")


@cache  # the table never changes, and is asked for with each question about a grant
def of_endpoint(endpoint: Endpoint) -> tuple[Request, ...]:
    """Make up the requests that stand for an endpoint; none if none ever reaches it.

    `OPTIONS`, which has no path of its own, gets one for each section.
    """
    method = "POST" if endpoint.method == "ANY" else endpoint.method
    paths = [PARAMETER.sub("x", endpoint.template)]
    if endpoint.operation == "SystemOptions":
        paths = [section_prefix(section) for section in SECTIONS]
    requests = [_request(method, path) for path in paths]
    return tuple(one for one in requests if one.endpoint is endpoint)


def of_table(*, podman: bool = True) -> Iterator[Request]:
    """Make up a request or more for each endpoint of the table; `podman`: and of its own."""
    for endpoint in ENDPOINTS:
        if podman or not endpoint.is_podmans:
            yield from of_endpoint(endpoint)


def of_item(item: str) -> Iterator[Request]:
    """Make up the requests for an item of `ALLOW_OPERATIONS`; none for unknown names."""
    method, mark, template = item.partition(":")
    if mark:
        yield _request(method, PARAMETER.sub("x", template))
    for endpoint in OPERATIONS.get(item, ()):
        yield from of_endpoint(endpoint)


def of_route(route: Route, parameter: str = "x") -> Request:
    """Make up a request that a named route fits. Raises `BadTarget` where none can."""
    return _request(route.method, PARAMETER.sub(parameter, route.template))


def of_unknown(method: str, section: str) -> Request | None:
    """Make up a request for a route that no table has; None where every path has one."""
    prefix = section_prefix(section) if section else "/nowhere"
    request = _request(method, f"{prefix}/x/no-such-route")
    return None if request.endpoint else request


def _request(method: str, path: str) -> Request:
    target = Target.parse(path.encode("ascii"))
    return Request(method=method, target=target, endpoint=match(method, target))
