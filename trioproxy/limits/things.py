"""Things of the Engine, as its answers to our questions describe them.

What a request names is judged by what the Engine has under that name, and by nothing
that the client says of it. An answer of which a part that counts is missing describes
nothing: it raises, and the request is refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from trioproxy.api import normal, query
from trioproxy.api.arguments import (
    Argument,
    entries,
    list_of,
    map_of,
    structs_of,
    text_of,
    texts_of,
)
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.errors import BadBody, Untold

if TYPE_CHECKING:
    from trioproxy.api.form import Asked

ANONYMOUS: Final = "com.docker.volume.anonymous"
"""The label of volumes that nobody named."""

FULL_ID: Final = re.compile(r"[0-9a-f]{64}")
"""The id of a container or an exec, and the name of a volume that nobody named."""

CONTAINER: Final = Kind.CONTAINER
"""Looked up once: a member of an enumeration costs a call."""

PROCESS: Final = "ProcessConfig"
"""What an exec runs; of a container that is named by one."""
_KEPT: Final = {
    Kind.CONTAINER: ("HostConfig", "Mounts", PROCESS, "Created"),
    Kind.NETWORK: ("Created",),
    Kind.VOLUME: ("Driver", "Options", "CreatedAt"),
}
"""What of a description tells what a thing has (`inspected`): by a later policy as well; and
when it was made, by which evidence knows what an earlier run left."""
Labels = Mapping[str, str]


class Thing(NamedTuple):
    """What the Engine has under a name."""

    kind: Kind
    id: str
    """In full; the name of a volume, which has no id."""
    names: tuple[str, ...] = ()
    """Without the slash in front; of an image in normal form; what an Engine gives by
    default as `VARIABLE=value`."""
    labels: Labels = MappingProxyType({})
    image: str = ""
    """The id of a container's image."""
    inherited: Labels | None = None
    """The labels of that image; None: it is gone, or was not asked about."""
    unpinned: tuple[str, ...] = ()
    """Networks that a container joins by their names when it starts."""
    volumes: tuple[str, ...] = ()
    """The volumes of a container, by name."""
    joined: Labels = MappingProxyType({})
    """The containers whose processes, memory or network a container has, by the field that says
    so: their ids. Of processes that it sees each has its files in `/proc`."""
    users: "tuple[Thing, ...]" = ()
    """The containers that use a volume which nobody named."""
    members: frozenset[str] = frozenset()
    """The containers on a network, by id."""
    is_proxys: bool = False
    """Whether it is this proxy's own container, or a network or volume of that."""
    is_built: bool = False
    """Whether it is an image that was made through the policy of whoever names it."""
    is_unused: bool = False
    """Whether no container has a volume, and none ever had it, as far as can be known."""
    makes: Mapping[str, Json] | None = None
    """A volume that is not there yet: the body by which it will be made."""
    value: Mapping[str, Json] = MappingProxyType({})
    """All that the Engine says of it."""
    part: tuple[str, Json] = "", None
    """Of an image that has one for each platform, which a container was made of: its digest,
    and the platform."""

    def in_words(self) -> "Thing":
        """The same without what nobody asks of it once it was judged."""
        kept = _KEPT.get(self.kind, ())
        return self._replace(
            users=tuple(one.in_words() for one in self.users),
            members=frozenset(),
            makes=None,
            value={key: self.value[key] for key in kept if key in self.value},
        )

    def running(self, config: Mapping[str, Json]) -> "Thing":
        """The same container as an exec names it, with what that runs. The Engine gives it the
        container's own user where it names none: that is not told."""
        own = map_of(self.value.get("Config")).get("User")
        user = None if config.get("user") == own else config.get("user")
        return self._replace(value={**self.value, PROCESS: {**config, "user": user}})

    def inheriting(self, labels: Labels) -> "Thing":
        """The same with the labels of its image. Field by field: of a long list each is asked."""
        return Thing(
            self.kind, self.id, self.names, self.labels, self.image, labels, *self[6:]
        )

    def inheriting_too(self, keys: frozenset[str]) -> "Thing":
        """The same where it, and who uses it, has all labels of these keys from its image."""
        had = {key: self.labels[key] for key in keys & self.labels.keys()}
        return self._replace(
            inherited=None if self.inherited is None else {**self.inherited, **had},
            users=tuple(one.inheriting_too(keys) for one in self.users),
        )

    @property
    def is_anonymous(self) -> bool:
        """Whether it is a volume that nobody named."""
        return self.kind is Kind.VOLUME and ANONYMOUS in self.labels

    @property
    def is_podmans(self) -> bool:
        """Whether it is a container as Podman describes it, unless a runtime has that name."""
        return map_of(self.value.get("HostConfig")).get("Runtime") == _OF_PODMAN

    @property
    def is_plain(self) -> bool:
        """Whether it is a volume of the Engine's own disk, and nothing but that."""
        return self.value.get("Driver") == "local" and not self.value.get("Options")

    def outlives(self, joined: str) -> bool:
        """Whether a container has something of one that it joined and that is gone: of each but
        its processes, which end with it."""
        return any(
            name == joined
            for field, name in self.joined.items()
            if field != OF_PROCESSES
        )

    def gives(self, argument: Argument) -> bool:
        """Whether it is an Engine that gives by default what is asked for."""
        is_engine = self.kind is Kind.ENGINE and argument.unless_default
        return is_engine and f"{argument.variable}={argument.value}" in self.names

    def own_label(self, key: str) -> str | None:
        """The value of a label that it was given, and has not from its image.

        Whoever may commit or build makes images with any label, and waits for somebody
        to run them. Of an image that is gone nobody knows what labels it had.
        """
        if self.kind is not CONTAINER:
            return self.labels.get(key)
        if self.inherited is None or key not in self.labels:
            return None
        own = self.labels[key]
        return None if self.inherited.get(key) == own else own


NOT_FOUND: Final = 404


class Missing(NamedTuple):
    """What the Engine answers where it has nothing under a name, or more than one."""

    status: int
    message: str


Known = Mapping[tuple[Kind, str], Thing | Missing]
"""What the Engine has under the names of a request, by kind and what the client wrote."""


ENGINE: Final = (Kind.ENGINE, "/info")
"""Under which the Engine itself is known."""


def describe(kind: Kind, value: Json) -> Thing:
    """Read the Engine's description of a thing. Raises `Untold` for none."""
    return _read(_DESCRIBERS[kind], kind, value)


def listed(kind: Kind, value: Json) -> Thing:
    """Read a thing as a list shows it: a container stands there otherwise. Raises `Untold`."""
    how = _listed if kind is CONTAINER else _DESCRIBERS[kind]
    return _read(how, kind, value)


def _read(how: Callable[[Mapping[str, Json]], Thing], kind: Kind, value: Json) -> Thing:
    try:  # what `_whole` does, without its cost: there are thousands of them
        return how(map_of(value))
    except BadBody:
        raise _incomplete(kind) from None


def made(kind: Kind, asked: "Asked") -> Thing:
    """Describe what a creation makes, as the Engine will: by the name and labels that go on."""
    body = asked.sent().body or {}
    name = text_of(body.get("Name"))
    if kind is Kind.CONTAINER:
        name = query.value_of(query.parse(asked.query), "name").removeprefix("/")
    return Thing(kind, "", (name,), dict(entries(body.get("Labels"))), inherited={})


def users_of(value: Json) -> tuple[Thing, ...]:
    """Read a list of containers."""
    if value is None:
        raise _incomplete(Kind.CONTAINER)
    with _whole(Kind.CONTAINER):
        return tuple(map(_listed, structs_of(value)))


def container_of_exec(value: Json) -> tuple[dict[str, Json], str]:
    """Read what an exec runs, and the id of its container."""
    with _whole(Kind.EXEC):
        one, other = (text_of(map_of(value).get(key)) for key in ("ID", "ContainerID"))
        config = map_of(map_of(value).get(PROCESS))
    if not config or not FULL_ID.fullmatch(one) or not FULL_ID.fullmatch(other):
        raise _incomplete(Kind.EXEC)
    return config, other


def part_of(value: Mapping[str, Json]) -> tuple[str, Json]:
    """Read of which part of an image a container is. Engines from 28 on say so, where containerd
    keeps images, but for lists to older clients. Raises `BadBody`."""
    descriptor = map_of(value.get("ImageManifestDescriptor"))
    return text_of(descriptor.get("digest")), descriptor.get("platform")


_OF_PARTS: Final = ("index.v1+json", "list.v2+json")
"""How the media type of an image ends that has a part for each platform."""


def labels_of_image(value: Json) -> tuple[Labels, str, bool]:
    """Read the labels that an image gives to its containers, its id, and whether it has parts."""
    with _whole(Kind.IMAGE):
        whole = map_of(value)
        config, descriptor = (
            map_of(whole.get("Config")),
            map_of(whole.get("Descriptor")),
        )
        kind, full = text_of(descriptor.get("mediaType")), text_of(whole.get("Id"))
    return _labels(config.get("Labels"), Kind.IMAGE), full, kind.endswith(_OF_PARTS)


@contextmanager
def _whole(kind: Kind) -> Iterator[None]:
    """Tell of a part of another kind than the Engine's own as of one that is missing."""
    try:
        yield
    except BadBody:
        raise _incomplete(kind) from None


def _incomplete(kind: Kind) -> Untold:
    what = "itself" if kind is Kind.ENGINE else f"a {kind}"
    return Untold(f"the Engine's description of {what} is not complete")


def _labels(value: Json, kind: Kind) -> Labels:
    if value is None:
        return {}
    if not isinstance(value, dict) or not {*map(type, value.values())} <= {str}:
        raise _incomplete(kind)
    labels: dict[str, Any] = value
    return labels


def _id(value: Mapping[str, Json]) -> str:
    full = text_of(value.get("Id"))
    if not FULL_ID.fullmatch(full):
        raise _incomplete(CONTAINER)
    return full


def _image(value: Mapping[str, Json]) -> Thing:
    full = text_of(value.get("Id"))
    if not full.startswith("sha256:"):
        raise _incomplete(Kind.IMAGE)
    written = (*texts_of(value.get("RepoTags")), *texts_of(value.get("RepoDigests")))
    return Thing(Kind.IMAGE, full, tuple(map(normal.image, written)))


def _container(value: Mapping[str, Json]) -> Thing:
    name = text_of(value.get("Name"))
    parts = value.get("Config"), value.get("HostConfig")
    config, host = map(map_of, parts)
    if not name or None in parts:
        raise _incomplete(Kind.CONTAINER)
    command = " ".join(map(str, list_of(config.get("Cmd"))))
    # What a step of the classic builder runs in: of an image for several platforms it has the
    # labels of one, and the Engine says another's.
    is_step = (
        map_of(config.get("Healthcheck")).get("Test") == ["NONE"]
        and map_of(host.get("LogConfig")).get("Type") == "none"
    )
    return Thing(
        Kind.CONTAINER,
        _id(value),
        (name.removeprefix("/"),),
        {} if is_step else _given(config.get("Labels"), command),
        text_of(value.get("Image")),
        unpinned=tuple(_unpinned(map_of(value.get("NetworkSettings")))),
        volumes=_volumes(value.get("Mounts")),
        joined=dict(_joined(host)),
        value=value,
        part=part_of(value),
    )


OF_PROCESSES: Final = "PidMode"
_JOINING: Final = (OF_PROCESSES, "IpcMode", "NetworkMode")


def _joined(host: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for field in _JOINING:
        mode, _, name = text_of(host.get(field)).partition(":")
        if mode == "container":
            yield field, name


_OF_BUILDS: Final = "#(nop) "


def _given(labels: Json, command: str) -> Labels:
    """The labels of a container, or none: the classic builder makes a container for each
    `LABEL` of a Dockerfile, which has it and whose image has not, and commits that once its
    client reads on. Its command says what it is; whoever writes so himself owns nothing."""
    return {} if _OF_BUILDS in command else _labels(labels, CONTAINER)


BRIDGE: Final = ("bridge", "default")
"""One network, which every Engine has: creations call it by the second name."""
BUILT_IN: Final = frozenset({"", *BRIDGE, "host", "none"})
"""Networks that every Engine has, and that nobody can make or remove."""


def _unpinned(settings: Mapping[str, Json]) -> list[str]:
    # An endpoint that has an id joins that network or none. One that has a name alone, as containers have that were
    # made around the proxy and not started yet, joins whatever is called so at its start: that is judged when somebody
    # starts it.
    networks = map_of(settings.get("Networks"))
    return [
        name
        for name, endpoint in networks.items()
        if name not in BUILT_IN and not text_of(map_of(endpoint).get("NetworkID"))
    ]


def _volumes(mounts: Json) -> tuple[str, ...]:
    volumes = [one for one in structs_of(mounts) if one.get("Type") == "volume"]
    return tuple([text_of(one.get("Name")) for one in volumes])


def _listed(value: Mapping[str, Json]) -> Thing:
    return Thing(
        CONTAINER,
        _id(value),
        tuple([name.removeprefix("/") for name in texts_of(value.get("Names"))]),
        _given(value.get("Labels"), text_of(value.get("Command"))),
        text_of(value.get("ImageID")),
        volumes=_volumes(value.get("Mounts")),
        part=part_of(value),
    )


def _network(value: Mapping[str, Json]) -> Thing:
    # On a swarm ids of networks are shorter, and of other letters.
    full, name = text_of(value.get("Id")), text_of(value.get("Name"))
    if not re.fullmatch(r"[0-9a-z]{20,64}", full) or not name:
        raise _incomplete(Kind.NETWORK)
    members = frozenset(map_of(value.get("Containers")))
    labels = _labels(value.get("Labels"), Kind.NETWORK)
    return Thing(Kind.NETWORK, full, (name,), labels, members=members, value=value)


def _volume(value: Mapping[str, Json]) -> Thing:
    name = text_of(value.get("Name"))
    if not name:
        raise _incomplete(Kind.VOLUME)
    labels = _labels(value.get("Labels"), Kind.VOLUME)
    return Thing(Kind.VOLUME, name, (name,), labels, value=value)


# --- The Engine itself ------------------------------------------------------------
#
# A daemon may run with a stricter default than most have: another runtime
# (`--default-runtime runsc`), a seccomp profile of its own. There `Runtime: "runc"` and
# `seccomp=builtin` *leave* it. And inspect shows the default runtime of a container that
# asked for none. So neither is harmless by its name: it is where `/info` has the same.
#
# A default changes with a SIGHUP or a restart of the daemon. So each creation that names
# one has it asked for anew. Whoever reaches into a container asks for nothing by that:
# there the answer is remembered for a few seconds (see `proxy.resolve`). Where it cannot be
# had, the request is refused: what is not known to be the default is not harmless.

_RUNC: Final = frozenset({"io.containerd.runc.v2", "runc"})
"""Two names of one runtime; Docker lets nobody give them to another."""
_OF_PODMAN: Final = "oci"
"""What Podman writes into each description of a container, whatever its runtime is."""
_BUILTIN: Final = frozenset({"builtin", "default"})
"""The Engine's own profile of seccomp: now, and before 23.0 and with Podman."""
_GIVES_DEVICES: Final = re.compile(r"nvidia|nvproxy|\bamd\b|habana")
"""Where it stands in a runtime's name, path or arguments, that reads `NVIDIA_*` or the like."""


def _engine(value: Mapping[str, Json]) -> Thing:
    runtime = text_of(value.get("DefaultRuntime"))
    if not runtime:
        raise _incomplete(Kind.ENGINE)
    runtimes = map_of(value.get("Runtimes"))
    same = _RUNC if runtime in _RUNC else {runtime}
    same |= {_OF_PODMAN} - runtimes.keys()
    given = [f"CREATE_RUNTIMES={normal.quote(name)}" for name in sorted(same)]
    if not _BUILTIN.isdisjoint(_seccomp(texts_of(value.get("SecurityOptions")))):
        given.append("CREATE_SECURITY=seccomp:builtin")
    parts = {k: v for k, v in map_of(runtimes.get(runtime)).items() if k != "status"}
    if not _GIVES_DEVICES.search(f"{runtime} {parts}"):
        # That is, names alone give none.
        given += ("CREATE_DEVICES=gpu", "CREATE_DEVICES=driver:cdi")
    # To a name without a value Podman, which alone has that field, gives the value that it has itself.
    harmless = () if "BuildahVersion" in value else ("ContainerCreate", "ImageCommit")
    given += [f"CREATE_OPTIONS={one}:Env" for one in harmless]
    return Thing(Kind.ENGINE, "", tuple(given), value=value)


def _seccomp(options: list[str]) -> Iterator[str]:
    for option in options:
        # `name=seccomp,profile=builtin`. An Engine without seccomp has no such line, and so no such default.
        name, *words = option.split(",")
        if name == "name=seccomp":
            yield from (w.removeprefix("profile=") for w in words)


_DESCRIBERS = {
    Kind.CONTAINER: _container,
    Kind.ENGINE: _engine,
    Kind.IMAGE: _image,
    Kind.NETWORK: _network,
    Kind.VOLUME: _volume,
}
