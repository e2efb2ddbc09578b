"""Readers of mounts and volumes: every way to a path of the host.

Paths are cleaned as text, as the Engine does it; where it does not (the device of a local
volume, and `readers` of devices) they go on cleaned, for behind a planted link `..` leads
anywhere. Links are not followed: they are on the Engine's disk, and may be others by the
time that it mounts them.

Podman answers the same routes and makes options of its command line of the same fields,
so some say more to it: a volume named `../etc` is a path, what stands in `Volumes` is
split at its colons, and a comma in a mount begins its next option. Each is read here in
the way that gives more.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api import normal
from trioproxy.api.arguments import (
    RECURSIVE_READ_ONLY,
    Argument,
    Given,
    entries,
    few,
    map_of,
    option,
    structs_of,
    text_of,
    texts_of,
)
from trioproxy.api.decoding import Finding, Json, Spot, show
from trioproxy.api.edits import Edit
from trioproxy.api.options import (
    PRIVATE,
    is_memory_option,
    keyed,
    keyed_options,
    shared,
)
from trioproxy.errors import BadBody

SHARED = frozenset({"shared", "rshared", "slave", "rslave"})
_RELABEL = frozenset({"z", "Z"})
_BIND_MODES = frozenset(
    {"", "ro", "rw", "nocopy", "consistent", "cached", "delegated"}
    | _RELABEL | PRIVATE | SHARED
)  # fmt: skip
PATHS: Final = ("/", ".")
"""How a source begins that is no name of a volume; the Engine refuses those with a dot."""
_LONGEST_BIND = 3 * normal.LONGEST
_SPLITS = frozenset(',"\r\n')
"""What ends a value, where values are written one behind the other as CSV."""


def _bind(
    given: Given, place: str, source: str, *, read_only: bool = False
) -> Argument:
    if "\0" in source:
        raise BadBody(f"{place} holds a NUL byte")
    # To older clients the Engine mounts read-only without what is mounted below: that can be written.
    mode = ":ro" if read_only and not given.is_below(RECURSIVE_READ_ONLY) else ""
    value = f"{normal.quote(normal.path(source))}{mode}"
    return Argument("CREATE_BINDS", value, place, show(value))


def binds(given: Given, found: Finding) -> Iterator[Argument | Edit]:
    """`SOURCE:TARGET[:MODES]`; without a slash in front, the source is a volume."""
    for index, text in enumerate(texts_of(few(found))):
        source, mark, rest = text.partition(":")
        if not mark:
            continue  # an anonymous volume
        place = found.place.at(index)
        if _is_replaced(given, source):
            text = f"{given.proxy_socket}{mark}{rest}"
            yield Edit(place.keys, text)
        yield from _split_bind(given, place, text)


def volumes(given: Given, found: Finding) -> Iterator[Argument]:
    """`Volumes`, whose names are anonymous volumes; Podman reads them as it reads `Binds`."""
    for text in map_of(few(found)):
        if ":" in text:
            yield from _split_bind(given, found.place.at(text), text)


def _split_bind(given: Given, place: Spot, text: str) -> Iterator[Argument]:
    parts = text.split(":") if len(text) < _LONGEST_BIND else []
    modes = frozenset(parts[2].split(",")) if len(parts) == 3 else frozenset()
    # Podman tells of each bind how it is mounted, `rw,rprivate,nosuid,nodev,rbind`: who has that asked for no more.
    if len(parts) not in {2, 3} or not (given.is_there or modes <= _BIND_MODES):
        raise BadBody(f"{place.shown} is no SOURCE:TARGET[:MODE]")
    for mode in sorted(modes & SHARED):
        yield shared(given, place, mode)
    if parts[0].startswith(PATHS):
        # A relabelled path is written to, whatever its mode says.
        read_only = "ro" in modes and not modes & _RELABEL
        yield _bind(given, place.shown, parts[0], read_only=read_only)


def mounts(given: Given, found: Finding) -> Iterator[Argument | Edit]:
    """`Mounts`: binds, and what else has a source."""
    for index, mount in enumerate(structs_of(few(found))):
        place = found.place.at(index)
        kind, source = text_of(mount.get("Type")), text_of(mount.get("Source"))
        shown = place.below("Source").shown
        if kind == "bind" and _is_replaced(given, source):
            source = given.proxy_socket
            yield Edit(place.below("Source").keys, source)
        yield from _listed_texts(given, place, mount)
        if kind == "bind":
            partial = map_of(mount.get("BindOptions")).get("ReadOnlyNonRecursive")
            read_only = bool(mount.get("ReadOnly")) and not partial
            yield _bind(given, shown, source, read_only=read_only)
        elif kind == "image":
            if normal.is_of_host(source):
                yield option(given, place.below("Source"), source)
            image = normal.image(source)
            yield Argument("CREATE_IMAGES", image, shown, show(image))
        # `cluster`, `npipe` and what newer Engines have: by its type alone, so that who lists it means all of it.
        elif kind not in {"volume", "tmpfs"}:
            yield option(given, place.below("Type"), kind or "none")
        elif source.startswith(PATHS):
            # No name of a volume. Podman makes the folder on the host before it says so.
            yield _bind(given, shown, source)


def _listed_texts(
    given: Given, place: Spot, mount: Mapping[str, Json]
) -> Iterator[Argument]:
    """Ask for what Podman, which writes a mount as one line of options, would split; and for
    a part of a volume or image, which the Engine looks for on its host, along links: by its
    word on that anybody finds out what the host has, and where its processes are."""
    for name in ("Source", "Target", "Consistency"):
        text = text_of(mount.get(name))
        if not _SPLITS.isdisjoint(text):
            yield option(given, place.below(name), text)
    for name in ("VolumeOptions", "ImageOptions"):
        if path := text_of(map_of(mount.get(name)).get("Subpath")):
            yield option(given, place.below(name).below("Subpath"), path)


def driver_options(given: Given, found: Finding) -> Iterator[Argument | Edit]:
    """Options of a volume. Those of `local` are arguments of mount(2), which root calls.

    Where `o` says bind the type decides nothing on Docker: `type=tmpfs,o=bind,device=/` binds.
    Podman calls mount(8), which binds by `bind=recursive`, too, and finds out what a disk is that
    has no type; `--fstab=FILE` for a device mounts what that file says. Where the device is
    missing, Podman takes the type for it.
    """
    options = dict(entries(found.value))
    driver = found.parent.get("Driver" if found.place.path == "DriverOpts" else "Name")
    if driver not in {None, "", "local"}:
        yield from keyed_options(given, found)
        return
    flags = frozenset(normal.bounded(options.get("o", "")).split(","))
    is_bind = any(one.partition("=")[0] in {"bind", "rbind"} for one in flags)
    device = options.get("device")
    if device is not None and ("type" not in options or device.startswith("-")):
        options["type"] = ""
    for key, value in options.items():
        place = found.place.below(show(key))
        if is_bind and key == "device":
            if (cleaned := normal.path(value)) != value:
                yield Edit(place.keys, cleaned)
            yield _bind(given, place.shown, value)
        elif is_bind and key == "o":
            if not flags <= {"bind", "rbind", "ro", "rw", ""} | PRIVATE:
                yield keyed(given, found, key, value)
        elif (
            (is_bind and key == "type" and value in _NO_TYPES)
            or key == "size"
            or (given.is_there and key in _IN_O)
            or _is_memory(key, value, options.get("type"))
        ):
            continue
        else:
            # What a network file system takes as `o` may hold a password.
            yield keyed(given, found, key, "" if key == "o" else value)


_IN_O: Final = frozenset({"GID", "INODES", "NOQUOTA", "SIZE", "UID"})
"""How Podman tells of a volume what stood in its `o`."""
_NO_TYPES: Final = frozenset({"", "none", "bind"})
"""What clients write for the type of a bind."""


def _is_memory(key: str, value: str, kind: str | None) -> bool:
    """Whether an option is one of a file system in memory, and harmless."""
    if kind != "tmpfs":
        return False
    if key == "o":
        return is_memory_option(value)
    return key in {"device", "type"}


_ENGINES: Final = re.compile(r".*/(?:docker|podman)\.sock")
"""Sockets by which clients find an Engine."""


def _is_replaced(given: Given, source: str) -> bool:
    """Whether this proxy's own socket goes on in place of what is bound: of an Engine's.

    So what the client starts, and what speaks to an Engine from there, has its policy.
    """
    return bool(given.proxy_socket) and source.startswith("/") and is_engines(source)


def is_engines(source: str) -> bool:
    """Whether a path is one at which clients look for an Engine's socket."""
    return _ENGINES.fullmatch(normal.path(source)) is not None
