"""What a container or volume has, as arguments: as if its creation asked for it now.

Reaching into a container is having what it has. So the Engine's own description of it is
read as a creation, with these exceptions. What an Engine gives by default to containers
that ask for nothing says nothing of what was asked for: its log driver, the host's view of
control groups, shared memory that others may join (who does asks for that itself). Its
runtime does not either, and `/info` says which that is: so that is told as what may be the
default. What the Engine derives from something else is told with that alone: a privileged
container, or one with the host's processes or shared memory, has no label of SELinux. And
the image gives nothing on the host: nor does the environment, most of which is the image's.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api import nodes
from trioproxy.api.arguments import (
    DEFAULT_USER,
    Argument,
    Given,
    list_of,
    map_of,
    structs_of,
    text_of,
)
from trioproxy.api.decoding import Json
from trioproxy.api.families import Family, Kind
from trioproxy.api.fields import ARGUED, variables_of
from trioproxy.api.reading import ask
from trioproxy.limits.things import PROCESS, Thing

_BY_DEFAULT = frozenset({"CgroupnsMode", "LogConfig"})
_LEFT_ASIDE: Final = "CREATE_IMAGES"
REACHED: Final = variables_of(["ContainerCreate", "VolumeCreate"]) - {_LEFT_ASIDE}
"""The variables that limit what is reached into beside lists of objects."""
STARTED: Final = variables_of(["ContainerExec"]) - {Family.EXEC.options}
"""Those that limit there which execs are started, whoever made them."""


def arguments_of(thing: Thing, *, with_nodes: bool = False) -> Iterator[Argument]:
    """Tell what a container or volume has beyond what is harmless.

    `with_nodes`: also whether it can make device nodes, as it can by default.
    """
    if thing.kind is Kind.CONTAINER:
        yield from _of_container(thing.value)
        host = thing.value.get("HostConfig")
        if with_nodes and nodes.has_by_default(map_of(host)):
            yield nodes.HAD_BY_DEFAULT
    elif thing.kind is Kind.VOLUME:
        body: dict[str, Json] = {
            "Driver": thing.value.get("Driver"),
            "DriverOpts": thing.value.get("Options"),
        }
        yield from _asked("VolumeCreate", body)


def arguments_of_exec(thing: Thing) -> Iterator[Argument]:
    """Tell what an exec asked for by which a container is named: who starts it may be another."""
    config = map_of(thing.value.get(PROCESS))
    body: dict[str, Json] = {
        "Privileged": config.get("privileged"),
        "Cmd": [config.get("entrypoint")],
        "User": config.get("user"),
    }
    found = _asked("ContainerExec", body) if config else ()  # named by itself
    yield from (one for one in found if one.value != DEFAULT_USER)


def _of_container(value: Mapping[str, Json]) -> Iterator[Argument]:
    given = map_of(value.get("HostConfig"))
    host: dict[str, Json] = {
        name: one for name, one in given.items() if name not in _BY_DEFAULT
    }
    if host.get("IpcMode") == "shareable":
        del host["IpcMode"]
    if given.get("VolumesFrom"):
        # What it has from another container stands among its mounts alone.
        kept = list_of(given.get("Mounts"))
        host["Mounts"] = [*kept, *_bound(value.get("Mounts"))]
    # Asked for by itself it takes a protection off, and is refused where it is not listed. Derived, it is told already
    # by what it follows from, and a container that was made within a file would not be within it.
    derived = frozenset({"label:disable"} if _is_unlabelled(given) else ())
    for one in _asked("ContainerCreate", {"HostConfig": host}):
        if one.variable != "CREATE_SECURITY" or one.value not in derived:
            yield one


def _is_unlabelled(host: Mapping[str, Json]) -> bool:
    """Whether the Engine itself takes a container's label of SELinux away."""
    is_hosts = "host" in (host.get("PidMode"), host.get("IpcMode"))
    return is_hosts or host.get("Privileged") is True


def _bound(mounts: Json) -> Iterator[Json]:
    for one in structs_of(mounts):
        if one.get("Type") == "bind":
            yield {
                "Type": "bind",
                "Source": text_of(one.get("Source")),
                "ReadOnly": not one.get("RW", True),
            }


def _asked(operation: str, body: Json) -> Iterator[Argument]:
    asked = ask(Given(operation=ARGUED[operation], path="", body=body, is_there=True))
    yield from (one for one in asked.arguments if one.variable != _LEFT_ASIDE)
