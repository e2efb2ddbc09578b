"""What a container or volume has, as arguments: as if its creation asked for it now.

Reaching into a container is having what it has. So the Engine's own description of it is
read as a creation, with three exceptions: what an Engine gives by default to containers
that ask for nothing (its log driver, and the host's view of control groups) says nothing
of what was asked for; and the image gives nothing on the host.
"""

from collections.abc import Iterator, Mapping

from trioproxy.arguments import nodes
from trioproxy.arguments.asked import Argument, Request, text_of
from trioproxy.arguments.asking import ask
from trioproxy.arguments.bodies import Json
from trioproxy.arguments.families import Kind
from trioproxy.arguments.table import OPERATIONS
from trioproxy.arguments.things import Thing

_BY_DEFAULT = frozenset({"CgroupnsMode", "LogConfig"})


def arguments_of(thing: Thing, *, with_nodes: bool = False) -> Iterator[Argument]:
    """Tell what a container or volume has beyond what is harmless.

    `with_nodes`: also whether it can make device nodes, as it can by default.
    """
    if thing.kind is Kind.CONTAINER:
        yield from _of_container(thing.value)
        host = thing.value.get("HostConfig")
        if with_nodes and nodes.has_by_default(
            host if isinstance(host, Mapping) else {}
        ):
            yield nodes.HAD_BY_DEFAULT
    elif thing.kind is Kind.VOLUME:
        body: dict[str, Json] = {
            "Driver": thing.value.get("Driver"),
            "DriverOpts": thing.value.get("Options"),
        }
        yield from _asked("VolumeCreate", body)


def _of_container(value: Mapping[str, Json]) -> Iterator[Argument]:
    given = value.get("HostConfig")
    given = given if isinstance(given, Mapping) else {}
    host: dict[str, Json] = {
        name: one for name, one in given.items() if name not in _BY_DEFAULT
    }
    if given.get("VolumesFrom"):
        # What it has from another container stands among its mounts alone.
        mounts = given.get("Mounts")
        kept = mounts if isinstance(mounts, list) else []
        host["Mounts"] = [*kept, *_bound(value.get("Mounts"))]
    yield from _asked("ContainerCreate", {"HostConfig": host})


def _bound(mounts: Json) -> Iterator[Json]:
    for one in mounts if isinstance(mounts, list) else []:
        if isinstance(one, Mapping) and one.get("Type") == "bind":
            yield {
                "Type": "bind",
                "Source": text_of(one.get("Source")),
                "ReadOnly": not one.get("RW", True),
            }


def _asked(operation: str, body: Json) -> Iterator[Argument]:
    known = OPERATIONS[operation]
    asked = ask(Request(operation=known, path="", body=body))
    yield from (one for one in asked.arguments if one.variable != "CREATE_IMAGES")
