"""Volumes that the Engine fills from the image, and the words that keep it from that.

At a creation the Engine copies what the image has at a path into the empty volume that is
mounted there: as root, by names of the host, following links. Whoever runs in the same
volume meanwhile plants links, and what the image has lands where they lead. So only that
is filled which nobody else can have while it is: a plain volume of the driver `local`,
without options and mounted whole, that no container has or ever had: a process keeps a
folder of it open when its container is gone. What else a creation mounts goes on with
`nocopy` behind its bind, or `NoCopy` in its mount. Whether a volume is plain is said twice,
by the creation (which makes it, if it is not there) and by the Engine; the Engine alone
knows who has it. Who ever had it, and that nobody gets it between these words and the end
of the copy, is what `proxy.reservations` is for.

Nothing can be said behind an anonymous volume of `Volumes` or of an image. It is local
unless `VolumeDriver` says otherwise, and a file that lists such a driver gives root.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from trioproxy.api.arguments import map_of, structs_of, text_of, texts_of
from trioproxy.api.edits import GONE, Edit, Json, Keys
from trioproxy.api.families import Kind
from trioproxy.api.fields import HOST_CONFIG
from trioproxy.api.mounts import PATHS
from trioproxy.limits.things import NOT_FOUND, Known, Missing, Thing

CREATION: Final = "ContainerCreate"
NOCOPY: Final = "nocopy"
_PLAIN: Final = frozenset({"", "local"})


class Mounted(NamedTuple):
    """A place of a creation that may have the Engine fill a volume."""

    name: str
    """Empty: nobody named it."""
    is_plain: bool
    """Whether it is local, without options and mounted whole, wherever the body names it."""
    edits: tuple[Edit, ...]
    """Tell the Engine to leave it as it is; empty: it is told so already."""


def mounted(body: Json) -> list[Mounted]:
    """List the volumes of a creation behind which something can be said."""
    places = list(_mounted(body)) if isinstance(body, dict) else []
    # What one place says of a volume holds for all: the first of them makes it.
    others = {one.name for one in places if one.name and not one.is_plain}
    return [
        one._replace(is_plain=False) if one.name in others else one for one in places
    ]


def _mounted(body: Mapping[str, Json]) -> Iterator[Mounted]:
    host = map_of(body.get(HOST_CONFIG.name))
    driver = text_of(host.get("VolumeDriver"))
    for index, text in enumerate(texts_of(host.get("Binds"))):
        yield from _bind(text, driver, (HOST_CONFIG.name, "Binds", index))
    for text in map_of(body.get("Volumes")):  # Podman reads these as it reads binds
        yield from _bind(text, driver, ("Volumes", text))
    for index, mount in enumerate(structs_of(host.get("Mounts"))):
        if mount.get("Type") == "volume":
            yield from _mount((HOST_CONFIG.name, "Mounts", index), mount, driver)


def _bind(text: str, driver: str, keys: Keys) -> Iterator[Mounted]:
    source, mark, rest = text.partition(":")
    if not mark or source.startswith(PATHS):
        return  # a path, or a volume that nobody named
    target, *modes = rest.split(":")
    kept = ":".join((source, target, ",".join((*filter(None, modes), NOCOPY))))
    edits: tuple[Edit, ...] = (Edit(keys, kept),)
    if keys[-1] == text:  # the name itself, in a map
        edits = Edit(keys, GONE), Edit((*keys[:-1], kept), {})
    is_kept = NOCOPY in ",".join(modes).split(",")
    yield Mounted(source, driver in _PLAIN, () if is_kept else edits)


def _mount(keys: Keys, mount: Mapping[str, Json], driver: str) -> Iterator[Mounted]:
    options = map_of(mount.get("VolumeOptions"))
    config = map_of(options.get("DriverConfig"))
    driver = text_of(config.get("Name")) or driver
    is_plain = (
        driver in _PLAIN and not config.get("Options") and not options.get("Subpath")
    )
    source, is_kept = text_of(mount.get("Source")), options.get("NoCopy") is True
    if not source.startswith(PATHS):
        edits = () if is_kept else (Edit((*keys, "VolumeOptions", "NoCopy"), True),)
        yield Mounted(source, is_plain, edits)


def filled(body: Json) -> frozenset[str]:
    """Name the volumes that a creation lets the Engine fill."""
    return frozenset(
        one.name for one in mounted(body) if one.name and one.is_plain and one.edits
    )


def keep_unfilled(body: Json, known: Known) -> Iterator[Edit]:
    """Tell the Engine to leave all volumes as they are that it may not fill.

    `known`: what it has under their names. What it was not asked about may be anybody's.
    """
    for one in mounted(body):
        is_free = not one.name or _is_free(known.get((Kind.VOLUME, one.name)))
        if not (one.is_plain and is_free):
            yield from one.edits


def _is_free(thing: Thing | Missing | None) -> bool:
    """Whether a volume is plain, and nobody's; what is not known is neither."""
    if isinstance(thing, Missing):
        return thing.status == NOT_FOUND
    if thing is None:
        return False
    return thing.makes is not None or (thing.is_plain and thing.is_unused)


def reserved(operation: str, body: Json) -> frozenset[str] | None:
    """Name the volumes that a request relies on until it is answered; None: on nothing.

    A creation of a container relies on all that it mounts, also where nothing is filled:
    it may be what runs in a volume while that is filled. One without a name is a creation
    none the less, for the image may have volumes.
    """
    if not isinstance(body, dict):
        return None
    if operation == CREATION:
        return frozenset(one.name for one in mounted(body) if one.name)
    if operation == "VolumeCreate" and (name := text_of(body.get("Name"))):
        return frozenset({name})
    return None
