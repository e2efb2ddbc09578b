"""Volumes that the Engine fills from the image, and the words that keep it from that.

At a creation the Engine copies what the image has at a path into the empty volume that is
mounted there: as root, by names of the host, following links. Whoever runs in the same
volume meanwhile plants links, and what the image has lands where they lead. So only that
is filled which nobody else can have while it is: a plain volume of the driver `local`,
without options and mounted whole, that no container has. What else a creation mounts goes
on with `nocopy` behind its bind, or `NoCopy` in its mount. Whether a volume is plain is
said twice, by the creation (which makes it, if it is not there) and by the Engine; the
Engine alone knows who has it. That nobody gets it between these words and the end of the
copy is what `proxy.reservations` is for.

Nothing can be said behind an anonymous volume of `Volumes` or of an image. It is local
unless `VolumeDriver` says otherwise, and a file that lists such a driver gives root.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from trioproxy.api.arguments import list_of, map_of, structs_of, text_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.api.fields import HOST_CONFIG
from trioproxy.limits.things import Known, Missing, Thing

CREATION: Final = "ContainerCreate"
NOCOPY: Final = "nocopy"
_PLAIN: Final = frozenset({"", "local"})
_PATHS: Final = ("/", ".")
"""How a source begins that is no name of a volume."""

_NOT_THERE: Final = 404


class Mounted(NamedTuple):
    """A place of a creation that may have the Engine fill a volume."""

    name: str
    """Empty: nobody named it."""
    is_plain: bool
    """Whether it is local, without options and mounted whole, as far as the body says."""
    is_kept: bool
    """Whether the Engine is told to leave it as it is."""
    keep: Callable[[], None]
    """Tells the Engine so."""


def mounted(body: dict[str, Json]) -> Iterator[Mounted]:
    """List the volumes of a creation behind which something can be said."""
    host = map_of(body.get(HOST_CONFIG.name))
    driver = text_of(host.get("VolumeDriver"))
    binds, volumes = list_of(host.get("Binds")), map_of(body.get("Volumes"))
    for index, text in enumerate(binds):
        yield from _bind(binds, index, text_of(text), driver)
    for name in list(volumes):
        yield from _of_podman(volumes, name, driver)
    for mount in structs_of(host.get("Mounts")):
        if mount.get("Type") == "volume":
            yield from _mount(mount, driver)


def _bind(binds: list[Json], index: int, text: str, driver: str) -> Iterator[Mounted]:
    def keep() -> None:
        binds[index] = _with_nocopy(text)

    if name := _name(text):
        yield Mounted(name, driver in _PLAIN, _has_nocopy(text), keep)


def _of_podman(volumes: dict[str, Json], text: str, driver: str) -> Iterator[Mounted]:
    """Tell of a name in `Volumes`, which Podman reads as it reads `Binds`."""

    def keep() -> None:
        volumes[_with_nocopy(text)] = volumes.pop(text)

    if name := _name(text):
        yield Mounted(name, driver in _PLAIN, _has_nocopy(text), keep)


def _mount(mount: dict[str, Json], driver: str) -> Iterator[Mounted]:
    def keep() -> None:
        mount["VolumeOptions"] = {**map_of(mount.get("VolumeOptions")), "NoCopy": True}

    options = map_of(mount.get("VolumeOptions"))
    config = map_of(options.get("DriverConfig"))
    driver = text_of(config.get("Name")) or driver
    is_plain = (
        driver in _PLAIN and not config.get("Options") and not options.get("Subpath")
    )
    source = text_of(mount.get("Source"))
    if not source.startswith(_PATHS):
        yield Mounted(source, is_plain, options.get("NoCopy") is True, keep)


def _name(text: str) -> str:
    """The volume of a bind; empty for a path, and for a volume that nobody named."""
    source, mark, _rest = text.partition(":")
    return source if mark and not source.startswith(_PATHS) else ""


def _has_nocopy(text: str) -> bool:
    return NOCOPY in ",".join(text.split(":")[2:]).split(",")


def _with_nocopy(text: str) -> str:
    source, target, *modes = text.split(":")
    return ":".join((source, target, ",".join((*filter(None, modes), NOCOPY))))


def filled(body: Json) -> frozenset[str]:
    """Name the volumes that a creation may have the Engine fill."""
    places = mounted(body) if isinstance(body, dict) else ()
    return frozenset(one.name for one in places if one.name and not one.is_kept)


def keep_unfilled(body: Json, known: Known | None = None) -> None:
    """Tell the Engine to leave all volumes as they are that it may not fill.

    `known`: what it has under their names; None while it was not asked, when only that is
    told which follows from the body itself.
    """
    places = tuple(mounted(body)) if isinstance(body, dict) else ()
    # What one place says of a volume holds for all: the first of them makes it.
    others = {one.name for one in places if one.name and not one.is_plain}
    for one in places:
        may_fill = one.is_plain and one.name not in others
        if may_fill and one.name and known is not None:
            may_fill = _is_free(known.get((Kind.VOLUME, one.name)))
        if not may_fill and not one.is_kept:
            one.keep()


def _is_free(thing: Thing | Missing | None) -> bool:
    """Whether a volume is plain, and nobody's; what is not known is neither."""
    if isinstance(thing, Missing):
        return thing.status == _NOT_THERE
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
