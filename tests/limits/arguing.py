"""Shared by the tests of arguments: what a body or a query asks for, and who allows it."""

from collections.abc import Mapping

from trioproxy.api.arguments import Given, minor
from trioproxy.api.decoding import Json
from trioproxy.api.fields import ARGUED
from trioproxy.api.reading import Asked, ask
from trioproxy.limits.limit import Limits, Refusal, parse_limits

Variables = Mapping[str, str]


def asked(
    operation: str,
    body: Json = None,
    query: str = "",
    version: str = "",
    path: str = "",
) -> Asked:
    request = Given(
        operation=ARGUED[operation],
        path=path,
        query=query.encode(),
        body=body,
        version=minor(version),
    )
    found = ask(request)
    # Every test proves this by the way: the table says what an operation can ask for.
    assert {one.variable for one in found.arguments} <= request.operation.variables
    assert all(one.place for one in found.arguments)
    return found


def values(found: Asked) -> list[tuple[str, str]]:
    """All but that a creation names no image, as hardly one here does."""
    return [
        (one.variable, one.value) for one in found.arguments if one.place != "no image"
    ]


def create(host: Json = None, version: str = "", **others: Json) -> Asked:
    body: dict[str, Json] = {"HostConfig": host, **others}
    return asked("ContainerCreate", body, version=version)


def limits(variables: Variables) -> Limits:
    return parse_limits(variables, source="test")


def refusal(
    variables: Variables, operation: str, body: Json = None, query: str = ""
) -> Refusal | None:
    return limits(variables).refuses(operation, asked(operation, body, query))
