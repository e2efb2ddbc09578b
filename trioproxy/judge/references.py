"""References: every place where a request names something that the Engine has.

A name is no proof of what is meant: it may be an id, the beginning of one, or be given to
something else a moment later. So the Engine is asked what it has under it; that is
judged, and its id goes on in place of what the client wrote (it is *pinned*). Containers
and networks have ids. A network's stands beside its name, as `NetworkID` of the endpoint:
the Engine joins that one or none, also when the container is started later.

The places in bodies and queries are marked in `api.fields`, those in paths are columns of
`api.routes`. Nothing is asked here: see `proxy.resolve`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final, NamedTuple

from trioproxy.api import fields, normal, query
from trioproxy.api.arguments import Argument, map_of, structs_of, text_of, texts_of
from trioproxy.api.decoding import Mention, Spot, show
from trioproxy.api.edits import GONE, Edit, Json, Keys, Part
from trioproxy.api.families import NETWORK_VARIABLE, Kind
from trioproxy.api.fields import ARGUED
from trioproxy.api.matched import Request
from trioproxy.api.reading import Asked
from trioproxy.api.routes import Endpoint, Touch
from trioproxy.errors import BadBody, BadTarget, BodyTooLarge
from trioproxy.judge import fills
from trioproxy.limits.objects import Objects
from trioproxy.limits.things import BRIDGE, ENGINE, Known, Missing, Thing

RENAMING: Final = "ContainerRename"
"""Which container that is counts without lists, too (`guard`)."""

MOST_REFERENCES: Final = 256
"""Names in the body and query of one request: each may be a question to the Engine."""


class Pin(NamedTuple):
    """Where the id of what was judged goes on in place of what the client wrote."""

    keys: Keys
    before: str = ""
    behind: str = ""
    """What stands around the id."""
    part: Part = Part.BODY
    is_below_name: bool = False
    """Whether it stands in a map, by the name that the thing has."""

    def edit(self, thing: Thing) -> Edit:
        """Put an id there."""
        value = f"{self.before}{thing.id}{self.behind}"
        keys = self.keys
        if self.is_below_name:
            keys = (*keys[:-1], thing.names[0], keys[-1])
        return Edit(keys, value, self.part)


class Reference(NamedTuple):
    """A place where a request names something."""

    kind: Kind
    text: str
    """As the client wrote it."""
    place: str
    """Where it stands, for people; empty: in the path."""
    pins: tuple[Pin, ...] = ()
    """Empty: it means nothing else later, or nothing at all."""
    argument: Argument | None = None
    """What is asked for by it, where a list of names decides: an image; or the Engine, by
    what it gives by default."""
    reaches: bool = False
    """Whether the request gets what the container has."""
    starts: bool = False
    """Whether the container joins its networks by it."""
    makes: Mapping[str, Json] | None = None
    """How a volume is made that is not there: the body of its creation."""
    fills: bool = False
    """Whether the Engine may fill a volume by it, and is asked who has that."""
    is_filter: bool = False
    """Whether a list is filtered by it: of what is not shown there is none, then."""
    may_miss: bool = False
    """Whether there may be nothing under the name, for it is only made now."""
    renamed: str | None = None
    """The name that the object shall have."""
    thing: Thing | None = None
    """What it means, where that is known without asking."""

    def leads_to(self, thing: Thing, known: Known) -> Iterator[tuple[Thing, Kind, str]]:
        """What a request gets by way of a container, as a kind and a name in `known`, behind that
        container: volumes of one that it reaches into, networks that one joins which it starts,
        and what one joined itself, with the volumes of that. `known` may grow meanwhile."""
        if self.reaches:
            yield from ((thing, Kind.VOLUME, name) for name in thing.volumes)
        if self.starts:
            yield from ((thing, Kind.NETWORK, name) for name in thing.unpinned)
        met, reached = {"", thing.id}, [thing] * self.reaches
        for one in reached:
            for joined in one.joined.values():
                if joined in met:
                    continue
                met.add(joined)
                yield one, Kind.CONTAINER, joined
                there = known.get((Kind.CONTAINER, joined))
                # By a name, which the Engine keeps where nothing had it, one may have joined itself.
                if isinstance(there, Thing) and there.id == joined:
                    reached.append(there)
                    yield from ((there, Kind.VOLUME, name) for name in there.volumes)


class Named(NamedTuple):
    """What a request names, and what the Engine has under these names."""

    # A request is read once, and may be judged twice: after a reload what is under way is
    # judged by the policy of now, and its body is gone then. So all that it names is kept as
    # `candidates`, also what the policy of then did not ask about, and the gate of now chooses
    # its `references` among them (`gate._need`). What it chooses and finds in `known` is judged
    # by what the Engine said when the request went on, for that is what it got. What it chooses
    # and does not find there was never asked about, and is refused (`UNRESOLVED`): no name is
    # looked up anew for what has already happened.

    candidates: tuple[Reference, ...]
    """All of them."""
    references: tuple[Reference, ...] = ()
    """Those that matter for the policy of now."""
    known: Known = MappingProxyType({})
    """What the Engine was asked about, and what it said."""
    has_objects: bool = False
    """Whether objects were looked for, and not images alone."""
    edits: tuple[Edit, ...] = ()
    """What goes on otherwise, whatever the Engine says."""

    @property
    def arguments(self) -> frozenset[Argument]:
        """What is asked for by an id: it is judged by what the Engine has under it."""
        return frozenset(one.argument for one in self.references if one.argument)

    def thing_of(self, one: Reference) -> Thing | Missing | None:
        """What a name means; None: the Engine was not asked."""
        return one.thing or self.known.get((one.kind, one.text))

    @property
    def defaults(self) -> frozenset[Argument]:
        """What is asked for and would have been given anyway."""
        return frozenset(one for one, thing in self.things() if thing.gives(one))

    def pairs(self) -> Iterator[tuple[Reference, Thing | Missing | None]]:
        """Each reference with what it means."""
        return ((one, self.thing_of(one)) for one in self.references)

    def things(self) -> Iterator[tuple[Argument, Thing]]:
        """What is asked for by an id, with what the Engine has under it."""
        for one, thing in self.pairs():
            if one.argument is not None and isinstance(thing, Thing):
                yield one.argument, thing

    def in_words(self) -> "Named":
        """The same without what goes on, and with less of what was answered."""
        return self._replace(
            candidates=tuple(one._replace(makes=None) for one in self.candidates),
            references=tuple(one._replace(makes=None) for one in self.references),
            known={
                key: one.in_words() if isinstance(one, Thing) else one
                for key, one in self.known.items()
            },
            edits=(),
        )

    def pinned(self) -> Iterator[Edit]:
        """Put the ids of what was judged in place of what the client wrote."""
        yield from self.edits
        for one, thing in self.pairs():
            if isinstance(thing, Thing):
                yield from (pin.edit(thing) for pin in one.pins)


def find(
    request: Request, asked: Asked | None, objects: Objects, *, filled: bool = False
) -> Named:
    """Tell what a request names: images, and if there are lists of objects, these too.

    `filled`: whether it counts which volumes may be filled. Raises `BadBody` or `BadTarget`
    where something is not clear.
    """
    candidates: list[Reference] = []
    edits: list[Edit] = []
    operation, row = request.operation, request.endpoint
    counts = bool(objects) or operation == RENAMING
    if counts and row and row.kind and row.touch is Touch.NAMES:
        candidates.append(_in_path(request, row, row.kind, asked))
    if asked is not None:
        # First: what is remembered of the Engine for others must not do for these.
        candidates += [
            Reference(*ENGINE, argument.place, argument=argument)
            for argument in asked.of_defaults
        ]
        is_filled = filled and operation == fills.CREATION
        names: frozenset[str] = fills.filled(asked.body) if is_filled else frozenset()
        most = len(candidates) + MOST_REFERENCES
        # Of a volume that is made it counts later that it was not there before.
        is_made = filled and operation == "VolumeCreate"
        of_volumes = OF_VOLUMES if names or is_made else set[str]()
        # Without lists of objects that alone is looked for which limits or fills need: images that may be named by an
        # id, and volumes of which it counts who has them. What limits neither asks the Engine nothing.
        finders = FINDERS if objects else OF_IMAGES | of_volumes
        found = _in_what_is_asked(operation, asked, finders, objects=bool(objects))
        if objects.network and operation in _REPLACED:
            others = (one for one in found if not _is_built_in(one))
            found = chain(others, _REPLACED[operation](asked, objects.network))
        for one in found:
            if isinstance(one, Edit):
                edits.append(one)
            elif len(candidates) == most:
                raise BodyTooLarge(f"{one.place} names more than is looked up at once")
            else:
                is_named = one.kind is Kind.VOLUME and one.text in names
                candidates.append(one._replace(fills=is_named or is_made))
    return Named(tuple(candidates), has_objects=bool(objects), edits=tuple(edits))


def _in_what_is_asked(
    operation: str, asked: Asked, finders: Collection[str], *, objects: bool
) -> Iterator[Reference | Edit]:
    for found in asked.named:
        if found.finder in finders:
            yield from FINDERS[found.finder](asked, found)
    if not objects:
        return
    known = ARGUED[operation]
    for key, value in query.parse(asked.query):
        # Podman reads `Container`, too, and of two spellings either.
        if value and (finder := known.finders.get(key.casefold())):
            place = Spot(key, show(key), (key,))
            mention = Mention(finder, place, value, Part.QUERY)
            yield from FINDERS[finder](asked, mention)
    if operation == "ContainerCreate" and not _host(asked).get("NetworkMode"):
        yield _bridge("default", "HostConfig.NetworkMode")
    if operation == "ImageBuild" and not asked.has("networkmode"):
        yield _bridge("default", "networkmode")


def _in_path(
    request: Request, row: Endpoint, kind: Kind, asked: Asked | None
) -> Reference:
    pins = [Pin((), part=Part.PATH)] * (kind in {Kind.CONTAINER, Kind.NETWORK})
    if row.operation == "NetworkConnect" and asked and asked.body is not None:
        pins.append(Pin(("EndpointConfig", "NetworkID")))
    is_renamed = row.operation == RENAMING
    renamed = new_name(request.target.query) if is_renamed else None
    one = Reference(kind, request.parameter, "", tuple(pins), renamed=renamed)
    return one._replace(reaches=row.reaches, starts=row.joins)


def new_name(raw_query: bytes) -> str:
    """The name that a rename gives. Raises `BadTarget` where that is not one."""
    names = query.values_of(query.parse(raw_query), "name")
    if len(names) != 1:
        raise BadTarget("a rename needs one new name in its query")
    return names[0].removeprefix("/")


# --- Bodies and queries -----------------------------------------------------------


# How what was judged is what is meant, by kind. A container goes on by its full id, which no other one ever gets. A
# network's name is the key of a map and what inspect shows, so it stays, and the id stands beside it (`NetworkID`): the
# Engine joins that one or none. An image is judged by its name, without asking: whatever has that name when the Engine
# looks is what the file lists. An id says nothing that a file could list, so the Engine is asked for its names, and the
# id goes on in full. A volume has no id. Its name stays, and what is under it is held in other ways: one that a
# creation needs is made before it (`NeedMade`), others wait for its end (`proxy.reservations`), and what a container
# has mounted stays the volume that it was.
_CONTAINER_MODE: Final = "container:"


def _host(asked: Asked) -> Mapping[str, Json]:
    return map_of((asked.body or {}).get("HostConfig"))


def _joined_networks(asked: Asked) -> Mapping[str, Json]:
    networking = map_of((asked.body or {}).get(_ENDPOINTS[0]))
    return map_of(networking.get(_ENDPOINTS[1]))


def _container(_: Asked, found: Mention) -> Iterator[Reference]:
    text, place = text_of(found.value), found.place
    is_commit = found.part is Part.QUERY
    pin = Pin(place.keys, part=found.part)
    yield Reference(Kind.CONTAINER, text, place.shown, (pin,), reaches=is_commit)


def _joined(_: Asked, found: Mention) -> Iterator[Reference]:
    """The container of a mode that joins one."""
    text = text_of(found.value)
    if text.startswith(_CONTAINER_MODE):
        name = text.removeprefix(_CONTAINER_MODE)
        pins = (Pin(found.place.keys, _CONTAINER_MODE, part=found.part),)
        yield Reference(Kind.CONTAINER, name, found.place.shown, pins, reaches=True)


def _volumes_from(_: Asked, found: Mention) -> Iterator[Reference]:
    for index, text in enumerate(texts_of(found.value)):
        name, mark, mode = text.partition(":")
        place = found.place.at(index)
        pins = (Pin(place.keys, behind=mark + mode),)
        yield Reference(Kind.CONTAINER, name, place.shown, pins, reaches=True)


def link(text: str) -> tuple[str, str]:
    """Split a link as the Engine does: `NAME`, `NAME:ALIAS`, `/NAME:/ME/ALIAS`."""
    name, mark, alias = text.partition(":")
    if not mark:
        return name, name.removeprefix("/")
    return name, alias.rpartition("/")[2] if name.startswith("/") else alias


GIVES_NAME: Final = "gives another container a name"


def gives_name(alias: str) -> bool:
    """Whether a link names the container that it leads to, for all: the Engine joins the alias to
    the name of who links, and `../web` is a plain name then."""
    return "/" in alias or alias == ".."


def _links(_: Asked, found: Mention) -> Iterator[Reference]:
    for index, text in enumerate(texts_of(found.value)):
        name, alias = link(text)
        place = found.place.at(index)
        if gives_name(alias):
            raise BadBody(f"{place.shown} {GIVES_NAME}: {show(text)}")
        pins = (Pin(place.keys, behind=f":{alias}"),)
        yield Reference(Kind.CONTAINER, name, place.shown, pins)


def _aliases(_: Asked, found: Mention) -> Iterator[Reference]:
    """Links of an endpoint: other names, for what is on the same network anyway."""
    for index, text in enumerate(texts_of(found.value)):
        yield Reference(Kind.CONTAINER, link(text)[0], found.place.at(index).shown)


def _pinned(_: Asked, found: Mention) -> Iterator[Edit]:
    """The id of an endpoint's network: the Engine joins that, whatever the name says."""
    yield Edit(found.place.keys, GONE)


def _bridge(name: str, place: str) -> Reference:
    """The bridge, which every Engine has, and creations call `default`."""
    thing = Thing(Kind.NETWORK, name, BRIDGE)
    return Reference(Kind.NETWORK, name, place, thing=thing)


NOT_JOINED: Final = frozenset({"host", "none"})
"""No network of objects: the host's is asked for by `CREATE_NAMESPACES`."""


def _endpoints(_: Asked, found: Mention) -> Iterator[Reference]:
    for name in map_of(found.value):
        place = found.place.at(name)
        if name in BRIDGE:
            yield _bridge(name, place.shown)
        elif name not in NOT_JOINED:
            pins = (Pin(place.below("NetworkID").keys),)
            yield Reference(Kind.NETWORK, name, place.shown, pins)


def _network_mode(asked: Asked, found: Mention) -> Iterator[Reference]:
    """A mode of networks, of a container or of a build, which has it in its query."""
    text, place = text_of(found.value), found.place
    if text in BRIDGE:
        yield _bridge(text, place.shown)
    elif text.startswith(_CONTAINER_MODE):
        yield from _joined(asked, found)
    elif text and text not in NOT_JOINED:
        pins: tuple[Pin, ...] = ()
        if found.part is Part.QUERY:
            pins = (Pin(place.keys, part=found.part),)
        # What stands among the endpoints is joined, and has its own pin; the mode is not then.
        elif not _joined_networks(asked):
            pins = (Pin((*_ENDPOINTS, "NetworkID"), is_below_name=True),)
        yield Reference(Kind.NETWORK, text, place.shown, pins)


def _network(_: Asked, found: Mention) -> Iterator[Reference]:
    if text := text_of(found.value):
        pins = (Pin(found.place.keys),)
        yield Reference(Kind.NETWORK, text, found.place.shown, pins)


_ENDPOINTS: Final = ("NetworkingConfig", "EndpointsConfig")
USUAL: Final = frozenset({"", *BRIDGE})
"""Modes by which a container is on the bridge that every Engine has."""


def _is_built_in(one: Reference | Edit) -> bool:
    """Whether it is that bridge, or changes something of it."""
    if isinstance(one, Reference):
        return one.thing is not None  # of nothing else that is known without asking
    return one.keys[2] in USUAL  # of a creation, `_pinned` changes endpoints alone


def _network_instead(asked: Asked, network: str) -> Iterator[Reference | Edit]:
    """Have a container join the network that the file names in place of the bridge.

    Under the name that it is listed by, beside which stands the id of what was judged.
    """
    given = _joined_networks(asked)
    # Clients say the bridge in many ways: `docker` as `NetworkMode: default` and as an endpoint called `default` as
    # well, others once, or not at all. The Engine takes both places together. So each that means the bridge is changed,
    # and what an endpoint of it says (aliases, an address) goes to the network that takes its place.
    usual = [name for name in given if name in USUAL]
    is_usual = text_of(_host(asked).get("NetworkMode")) in USUAL
    if not is_usual and not usual:
        return
    if is_usual:
        yield Edit(("HostConfig", "NetworkMode"), network)
    for name in usual:
        yield Edit((*_ENDPOINTS, name), GONE)
    if usual and network not in given:
        yield Edit((*_ENDPOINTS, network), given[usual[0]])
    pins = (Pin((*_ENDPOINTS, network, "NetworkID")),)
    yield Reference(Kind.NETWORK, network, NETWORK_VARIABLE, pins)


def _build_network_instead(asked: Asked, network: str) -> Iterator[Reference | Edit]:
    """The same for a build of the classic builder: the id stands in its query."""
    modes = [value for key, value in query.parse(asked.query) if key == _MODE_OF_BUILD]
    if all(mode in USUAL for mode in modes):
        part = Part.QUERY if modes else Part.FRONT
        pins = (Pin((_MODE_OF_BUILD,), part=part),)
        yield Reference(Kind.NETWORK, network, NETWORK_VARIABLE, pins)


_MODE_OF_BUILD: Final = "networkmode"
_REPLACED: Final[Mapping[str, Callable[[Asked, str], Iterator[Reference | Edit]]]] = {
    "ContainerCreate": _network_instead,
    "ImageBuild": _build_network_instead,
}
"""What names the bridge by naming no network."""
NAMES_BRIDGE: Final = frozenset(_REPLACED)


def _volume(_: Asked, found: Mention) -> Iterator[Reference]:
    """The name of a volume that is made: if it is there, its creation describes it."""
    if text := text_of(found.value):
        yield Reference(Kind.VOLUME, text, found.place.shown, may_miss=True)


def _binds(asked: Asked, found: Mention) -> Iterator[Reference]:
    for index, text in enumerate(texts_of(found.value)):
        source, mark, _rest = text.partition(":")
        if mark and not source.startswith("/"):
            driver = text_of(_host(asked).get("VolumeDriver"))
            makes: dict[str, Json] = {"Name": source, "Driver": driver, "Labels": {}}
            place = found.place.at(index).shown
            yield Reference(Kind.VOLUME, source, place, makes=makes)


def _volumes(_: Asked, found: Mention) -> Iterator[Reference]:
    """Anonymous volumes; Podman reads their names as it reads `Binds`."""
    for text in map_of(found.value):
        source, mark, _rest = text.partition(":")
        if mark and not source.startswith("/"):
            yield Reference(Kind.VOLUME, source, found.place.at(text).shown)


def _mounts(asked: Asked, found: Mention) -> Iterator[Reference]:
    for index, mount in enumerate(structs_of(found.value)):
        at = found.place.at(index)
        kind, place = mount.get("Type"), at.below("Source")
        if kind == "image":
            yield from _images(mount.get("Source"), place)
        elif kind in {"volume", "cluster"} and (source := text_of(mount.get("Source"))):
            makes = _volume_of(asked, at, mount, source)
            yield Reference(Kind.VOLUME, source, place.shown, makes=makes)


def _volume_of(
    asked: Asked, place: Spot, mount: Mapping[str, Json], name: str
) -> dict[str, Json]:
    options = map_of(mount.get("VolumeOptions"))
    driver = map_of(options.get("DriverConfig"))
    keys = (*place.keys, "VolumeOptions", "DriverConfig", "Options")
    # As they go on: what was judged is a clean path, and not what was written.
    edited: dict[str, Json] = {
        str(one.keys[-1]): one.value
        for one in asked.edits
        if one.keys[:-1] == keys and one.value is not GONE
    }
    return {
        "Name": name,
        "Driver": driver.get("Name") or _host(asked).get("VolumeDriver") or "",
        "DriverOpts": {**map_of(driver.get("Options")), **edited},
        "Labels": dict(map_of(options.get("Labels"))),
    }


def _image(_: Asked, found: Mention) -> Iterator[Reference]:
    yield from _images(found.value, found.place)


def _images(given: Json, place: Spot) -> Iterator[Reference]:
    """An image by its id, or by what may be one; others are judged by their names."""
    text = text_of(given)
    value = normal.image(text)
    if normal.is_image_id(value):
        argument = Argument("CREATE_IMAGES", value, place.shown, show(value))
        yield Reference(Kind.IMAGE, text, place.shown, (Pin(place.keys),), argument)


OF_IMAGES: Final = frozenset({"image", "mounts"})
"""Finders in places that may have an image; the second one tells volumes as well."""

OF_VOLUMES: Final = frozenset({"binds", "mounts", "volume", "volumes"})
"""Finders in places that may have a volume which a creation makes or mounts."""

_Finder = Callable[[Asked, Mention], Iterator[Reference | Edit]]

FINDERS: Final[Mapping[str, _Finder]] = {
    "aliases": _aliases,
    "binds": _binds,
    "build-network": _network_mode,
    "container": _container,
    "endpoints": _endpoints,
    "image": _image,
    "links": _links,
    "mounts": _mounts,
    "namespace": _joined,
    "network": _network,
    "network-mode": _network_mode,
    "pinned": _pinned,
    "volume": _volume,
    "volumes": _volumes,
    "volumes-from": _volumes_from,
}
if missing := FINDERS.keys() ^ fields.FINDER_NAMES:
    raise AssertionError(f"table or code does not know {sorted(missing)}")
