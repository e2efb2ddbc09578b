"""What a request asks for: the arguments of a body and a query, in normal forms.

Each reader of `arguments` is a function here, from a value to what it asks for beyond
what is harmless. Nothing is allowed or refused here; `limits` does that.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api import nodes, normal, query
from trioproxy.api.arguments import (
    DEFAULT_USER,
    PRIVATE_CGROUP,
    PRIVATE_IPC,
    Argument,
    Request,
    unknown_option,
)
from trioproxy.api.decoding import Body, Found, Json, Place, reading, show
from trioproxy.api.fields import HOST_CONFIG, WITH_PARENT, Operation
from trioproxy.api.form import Asked as Asked
from trioproxy.api.mounts import to_proxy
from trioproxy.api.readers import READERS
from trioproxy.errors import BadTarget, BodyTooLarge
from trioproxy.steps import Steps, finish

MOST_ARGUMENTS: Final = 128 * 1024
"""Characters of all that one request asks for, with the places."""


_A_STEP: Final = 512
"""Readers that are called, and arguments, without a turn for others."""


def ask(request: Request) -> Asked:
    """Tell what a request asks for. Raises `BadBody` or `BadTarget` if it cannot be read."""
    return finish(asking(request))


def asking(request: Request) -> Steps[Asked]:
    """Tell it in steps."""
    pairs = query.parse(request.query)
    body = None
    if request.operation.has_body and request.body is not None:
        body = yield from reading(request.operation, request.body)
        if request.proxy_socket:
            to_proxy(body.value, request.proxy_socket)
        if request.drops_nodes and request.operation.name == "ContainerCreate":
            nodes.drop(body.value)
        _write_defaults(request, body.value)
    legacy = [one.place.shown for one in body.unknown if one.is_legacy] if body else []
    kept = [pair for pair in pairs if _goes_on(request.operation, *pair)]
    return Asked(
        arguments=(yield from _bounded(_arguments(request, pairs, body))),
        never=legacy[0] if legacy else "",
        body=body.value if body else None,
        query=query.render(kept),
        named=tuple(body.named) if body else (),
    )


def _arguments(
    request: Request, pairs: list[tuple[str, str]], body: Body | None
) -> Iterator[Argument | None]:
    """Give each argument, and `None` for each reader that was called."""
    yield from _ask_query(request, pairs)
    if body is not None:
        for one in body.found:
            yield from READERS[one.reader](request, one)
            yield None
        for unknown in body.unknown:
            if not unknown.is_legacy:
                yield unknown_option(request, unknown.place)
    yield from _always(request, body.value if body else {}, dict(reversed(pairs)))


def _bounded(
    arguments: Iterator[Argument | None],
) -> Steps[tuple[Argument, ...]]:
    """Keep each argument once. Raises `BodyTooLarge` before they are work for others."""
    kept = dict[Argument, None]()
    room = MOST_ARGUMENTS
    for count, argument in enumerate(arguments, 1):
        if count % _A_STEP == 0:
            yield
        if argument is None:
            continue
        room -= len(argument.value) + len(argument.place)
        if room < 0:
            raise BodyTooLarge(f"{argument.place} asks for more than is read at once")
        kept[argument] = None
    return tuple(kept)


def _write_defaults(request: Request, body: dict[str, Json]) -> None:
    """Old API versions have defaults that give more: write out what newer ones mean."""
    host = body.get(HOST_CONFIG.name)
    if not isinstance(host, dict):
        return
    if request.is_below(PRIVATE_IPC) and not host.get("IpcMode"):
        host["IpcMode"] = "private"
    if request.is_below(PRIVATE_CGROUP) and not host.get("CgroupnsMode"):
        host["CgroupnsMode"] = "private"


def _always(
    request: Request, body: Mapping[str, Json], values: Mapping[str, str]
) -> Iterator[Argument]:
    """What is asked for without a word: a default user, the name in a path."""
    if request.operation.name == "ContainerExec" and not body.get("User"):
        yield Argument("EXEC_USERS", DEFAULT_USER, "User", DEFAULT_USER)
    if request.operation.name == "ImagePush":
        name = request.path.removeprefix("/images/").removesuffix("/push")
        name = name.encode("latin-1").decode("utf-8", "surrogateescape")
        pushed = normal.tagged(name, values.get("tag", ""), every=True)
        yield Argument("CREATE_TAGS", pushed, "the name", show(pushed))


def _ask_query(request: Request, pairs: list[tuple[str, str]]) -> Iterator[Argument]:
    operation = request.operation
    values = dict[str, Json]()
    for key, value in pairs:
        if key in values and key in operation.query and key not in operation.many:
            raise BadTarget(f"{show(key)} is in the query twice")
        values.setdefault(key, value)
    for key, value in pairs:
        place = Place(normal.quote(key), show(key))
        reader = operation.query.get(key)
        if reader is None:
            if _goes_on(operation, key, value):
                yield unknown_option(request, place)
        elif reader and reader != WITH_PARENT and value:
            yield from READERS[reader](request, Found(reader, place, value, values))


def _goes_on(operation: Operation, key: str, value: str) -> bool:
    """Whether a pair of the query goes on: it is read, or might be.

    Two clients repeat their whole body in the query, where the Engine never looks.
    """
    if key in operation.query:
        return True
    names = operation.body.fields
    if key.lower() in names:
        return False
    return bool(value) and not (names and key.lower() in HOST_CONFIG.fields)
