"""Device nodes: whether a container can make them, and taking that away.

A container may make nodes of the host's disks and may not open them. The Engine may, and
does: it walks a container's files to pack them, and opens what a process there has put in
the place of a file meanwhile. So where a policy confines a client and lets it pack, what
it creates lacks the capability for nodes, which every Engine gives by default, and what
it reaches into must lack it too. Who asks for that capability is judged by `CREATE_CAPS`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api import normal
from trioproxy.api.arguments import Argument, map_of, texts_of
from trioproxy.api.decoding import Json
from trioproxy.api.edits import Edit
from trioproxy.api.fields import HOST_CONFIG

MKNOD: Final = "MKNOD"
HAD_BY_DEFAULT: Final = Argument("CREATE_CAPS", MKNOD, f"the capability {MKNOD}")
"""What a container has that nobody took it from: as if its creation asked for it."""

MAKE_IT_ANEW: Final = "make it anew through this file, which takes that away"

_GIVEN: Final = frozenset({MKNOD, "ALL"})
_TAKEN: Final = frozenset({MKNOD, f"CAP_{MKNOD}", "ALL"})


def has_by_default(host: Mapping[str, Json]) -> bool:
    """Whether a container makes nodes though its `HostConfig` does not ask for it.

    What is added wins over what is dropped, and is asked for. `Capabilities` is the field
    of Engines 19.03 for all that a container has; what it leaves out others give.
    """
    added = (*texts_of(host.get("CapAdd")), *texts_of(host.get("Capabilities")))
    dropped = {text.upper() for text in texts_of(host.get("CapDrop"))}
    is_asked = not _GIVEN.isdisjoint(map(normal.capability, added))
    return not (is_asked or host.get("Privileged")) and _TAKEN.isdisjoint(dropped)


def drop(body: Mapping[str, Json]) -> Iterator[Edit]:
    """Take it from what a creation makes, unless that asks for it."""
    host = map_of(body.get(HOST_CONFIG.name))
    if has_by_default(host):
        dropped: list[Json] = [*texts_of(host.get("CapDrop")), MKNOD]
        yield Edit((HOST_CONFIG.name, "CapDrop"), dropped)
