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
    Given,
    option,
)
from trioproxy.api.decoding import Body, Finding, Json, Spot, reading, show
from trioproxy.api.edits import Edit
from trioproxy.api.fields import HOST_CONFIG, WITH_PARENT, Operation
from trioproxy.api.form import Asked as Asked
from trioproxy.api.readers import READERS
from trioproxy.errors import BadTarget, BodyTooLarge
from trioproxy.steps import Steps, finish

MOST_ARGUMENTS: Final = 128 * 1024
"""Characters of all that one request asks for, with the places."""


_A_STEP: Final = 512
"""Readers that are called, and arguments, without a turn for others."""


def ask(given: Given) -> Asked:
    """Tell what a request asks for. Raises `BadBody` or `BadTarget` if it cannot be read."""
    return finish(asking(given))


def asking(given: Given) -> Steps[Asked]:
    """Tell it in steps."""
    pairs = query.parse(given.query)
    body = None
    if given.operation.has_body and given.body is not None:
        body = yield from reading(given.operation, given.body)
    legacy = [one.place.shown for one in body.unknown if one.is_legacy] if body else []
    kept = [pair for pair in pairs if _goes_on(given.operation, *pair)]
    arguments, edits = yield from _bounded(_found(given, pairs, body))
    return Asked(
        arguments=arguments,
        never=legacy[0] if legacy else "",
        body=body.value if body else None,
        query=query.render(kept),
        named=tuple(body.named) if body else (),
        edits=edits,
    )


def _found(
    given: Given, pairs: list[tuple[str, str]], body: Body | None
) -> Iterator[Argument | Edit | None]:
    """Give each argument and edit, and `None` for each reader that was called."""
    yield from _ask_query(given, pairs)
    if body is not None:
        for one in body.found:
            yield from READERS[one.reader](given, one)
            yield None
        for unknown in body.unknown:
            if not unknown.is_legacy:
                yield option(given, unknown.place)
        yield from _own_edits(given, body.value)
    yield from _always(given, body.value if body else {}, dict(reversed(pairs)))


def _bounded(
    found: Iterator[Argument | Edit | None],
) -> Steps[tuple[tuple[Argument, ...], tuple[Edit, ...]]]:
    """Keep each argument once. Raises `BodyTooLarge` before they are work for others."""
    kept: dict[Argument, None] = {}
    edits: list[Edit] = []
    room = MOST_ARGUMENTS
    for count, one in enumerate(found, 1):
        if count % _A_STEP == 0:
            yield
        if isinstance(one, Edit):
            edits.append(one)
        elif one is not None:
            room -= len(one.value) + len(one.place)
            if room < 0:
                raise BodyTooLarge(f"{one.place} asks for more than is read at once")
            kept[one] = None
    return tuple(kept), tuple(edits)


def _own_edits(given: Given, body: Mapping[str, Json]) -> Iterator[Edit]:
    """What containers go on with, or without, though nobody asks for it."""
    if given.drops_nodes and given.operation.name == "ContainerCreate":
        yield from nodes.drop(body)
    # Old API versions have defaults that give more: write out what newer ones mean.
    if isinstance(host := body.get(HOST_CONFIG.name), dict):
        for name, version in (
            ("IpcMode", PRIVATE_IPC),
            ("CgroupnsMode", PRIVATE_CGROUP),
        ):
            if given.is_below(version) and not host.get(name):
                yield Edit((HOST_CONFIG.name, name), "private")


def _always(
    given: Given, body: Mapping[str, Json], values: Mapping[str, str]
) -> Iterator[Argument]:
    """What is asked for without a word: a default user, the name in a path."""
    # Who names no user gets the container's, which mostly is root: saying nothing asks for something here.
    if given.operation.name == "ContainerExec" and not body.get("User"):
        yield Argument("EXEC_USERS", DEFAULT_USER, "User", DEFAULT_USER)
    # Docker makes a container of no image, too: with nothing in it, and its client fills it.
    if given.operation.name == "ContainerCreate" and not body.get("Image"):
        yield Argument("CREATE_IMAGES", "", "no image")
    if given.operation.name == "ImagePush":
        name = given.path.removeprefix("/images/").removesuffix("/push")
        name = name.encode("latin-1").decode("utf-8", "surrogateescape")
        pushed = normal.tagged(name, values.get("tag", ""), every=True)
        yield Argument("CREATE_TAGS", pushed, "the name", show(pushed))


def _ask_query(given: Given, pairs: list[tuple[str, str]]) -> Iterator[Argument | Edit]:
    operation = given.operation
    values: dict[str, Json] = {}
    for key, value in pairs:
        # Of a key that is there twice the Engine takes the first value, here and there all of them; a form of reading
        # it wrong would be an image that was judged and another that is pulled.
        if key in values and key in operation.query and key not in operation.many:
            raise BadTarget(f"{show(key)} is in the query twice")
        values.setdefault(key, value)
    for key, value in pairs:
        place = Spot(key, show(key))
        reader = operation.query.get(key)
        if reader is None:
            if _goes_on(operation, key, value):
                yield option(given, place)
        elif reader and reader != WITH_PARENT and value:
            yield from READERS[reader](given, Finding(reader, place, value, values))


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
