"""What a file means, as one value: what it opens, what it limits, and whether that is root.

Whoever shows a file (explain, a diff, a report) renders this value and asks no policy of
its own. "Root" means root on the host, by a way that is known: an operation that no
variable limits, a listed value that gives it, or another container that has it.

A way is what a client can go by itself on a host as it is found. What takes another
person's later act (somebody runs an image that was replaced), or luck with what is there
(a volume that is a host folder), is a condition: it stands beside "no known way".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trioproxy.arguments import places, root
from trioproxy.arguments.families import FAMILIES, Family, Kind
from trioproxy.arguments.limits import Limits
from trioproxy.arguments.objects import Objects
from trioproxy.arguments.patterns import places_of
from trioproxy.arguments.table import OPERATIONS as ARGUED
from trioproxy.arguments.table import READERS
from trioproxy.policy import samples
from trioproxy.policy.endpoints import (
    LIBPOD_SECTIONS,
    OPERATIONS,
    SECTIONS,
    Endpoint,
    Risk,
)
from trioproxy.policy.rules import CONFINED, READING, Policy
from trioproxy.policy.variables import SWITCHES

_ANY_CONTAINER = "reaches into any container, whatever it was given"
_ANY_FILE = "copies files out of any container, and of what the host shares with it"
REACHING: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ContainerExec": _ANY_CONTAINER,
        "ExecStart": _ANY_CONTAINER,
        "ContainerAttach": _ANY_CONTAINER,
        "ContainerAttachWebsocket": _ANY_CONTAINER,
        "ContainerArchive": _ANY_FILE,
        "LibpodArtifactAddLocal": "reads any file of the host",
        "LibpodContainerArchive": _ANY_FILE,
    }
)
"""Operations that reach into containers, whoever created them, or into the host's files."""

_OF_OTHERS = frozenset({"pid:container", "volumes:container"})
"""What is another container's, and harmless where that is within the limits."""

_LINES = {
    "ONLY_CONTAINERS": "containers that requests may name",
    "ONLY_NETWORKS": "networks",
    "ONLY_VOLUMES": "volumes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A known way to root on the host."""

    operation: str
    argument: str = ""
    """`VARIABLE=item`, where a listed value gives it."""
    why: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.argument or self.why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """A variable of a family that is limited."""

    variable: str
    value: str
    """As in the file; empty: harmless values only."""
    is_set: bool
    line: str
    """What it limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a file means."""

    operations: tuple[Endpoint, ...]
    """What it opens."""
    limits: tuple[Limited, ...]
    """What requests may ask for."""
    objects: tuple[Limited, ...]
    """Which objects they may name."""
    shows_all: tuple[str, ...]
    """Operations of it that show objects which are not listed."""
    ways: tuple[Way, ...]
    """The known ways to root on the host; empty: none is known."""
    conditions: tuple[str, ...]
    """What must be true of a client for that to hold."""

    @property
    def is_root(self) -> bool:
        """Whether root on the host can be reached in a known way."""
        return bool(self.ways)

    @property
    def answer(self) -> str:
        """The answer to "root or not" in one sentence."""
        if self.ways:
            more = f", and {len(self.ways) - 1} more" if len(self.ways) > 1 else ""
            return f"root on the host: yes, by {self.ways[0]}{more}"
        if not self.conditions:
            return "root on the host: no known way"
        return f"root on the host: no known way, for a client that {_list(self.conditions)}"


def meaning_of(policy: Policy) -> Meaning:
    """Say what a policy means."""
    opened = tuple(OPERATIONS[name][0] for name in sorted(policy.opened_operations))
    return Meaning(
        operations=opened,
        limits=tuple(_limits(policy.limits)),
        objects=tuple(_objects(policy.objects)),
        shows_all=policy.shows_all,
        ways=tuple(_ways(policy, opened)),
        conditions=tuple(_conditions(policy)),
    )


def open_sections(policy: Policy) -> tuple[str, ...]:
    """The sections in which routes pass, too, that this version does not know."""
    names = (name for name in SWITCHES if name != "POST")
    return tuple(name for name in names if policy.switches.get(name))


def _list(parts: tuple[str, ...]) -> str:
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _limits(limits: Limits) -> Iterator[Limited]:
    lines = dict[str, str]()
    for source in READERS.values():
        lines.setdefault(source.variable, source.line)
    for family in Family:
        for name in FAMILIES[family] if family in limits.families else ():
            limit = limits.limit_of(name)
            if limit is not None:
                yield Limited(
                    variable=name,
                    value=limit.value,
                    is_set=name in limits.by_variable,
                    line=lines.get(name, "anything else"),
                )


def _objects(objects: Objects) -> Iterator[Limited]:
    for only in objects.by_kind.values():
        yield Limited(
            variable=only.variable,
            value=only.value,
            is_set=only.variable in objects.set_variables,
            line=_LINES[only.variable],
        )


def limits_power_of(policy: Policy, operation: str) -> bool:
    """Whether an operation can do less than its risk says: what it asks for is limited, or
    it reaches into listed containers alone, which are within the limits."""
    if policy.limits.limits_power_of(operation):
        return True
    is_root = any(one.risk is Risk.HOST_ROOT for one in OPERATIONS.get(operation, ()))
    reaches = operation in {*REACHING, *CONFINED} - ARGUED.keys()
    return is_root and reaches and _is_confined(policy)


def _is_confined(policy: Policy) -> bool:
    """Whether containers that are reached into are listed, and within the limits."""
    return policy.objects.limits(Kind.CONTAINER) and policy.limits.limits_creation


def _ways(policy: Policy, opened: tuple[Endpoint, ...]) -> Iterator[Way]:
    confined = CONFINED if _is_confined(policy) else frozenset[str]()
    for endpoint in opened:
        is_door = endpoint.risk is Risk.HOST_ROOT or endpoint.is_unlimitable
        if is_door and endpoint.operation not in {*REACHING, *confined}:
            yield from _open_way(policy, endpoint)
    for endpoint in opened:
        if endpoint.operation in REACHING:
            yield from _reaching_way(policy, endpoint)
    for name, limit in policy.limits.by_variable.items():
        operations = [e.operation for e in opened if _can_ask(e, name)]
        for item in limit.value.split(",") if operations and limit.value else ():
            why = root.of_item(name, item, base=policy.limits.base)
            if why and not (confined and item in _OF_OTHERS):
                yield Way(operation=operations[0], argument=f"{name}={item}", why=why)
    yield from _planted(policy, opened)


def _reaching_way(policy: Policy, endpoint: Endpoint) -> Iterator[Way]:
    if endpoint.is_podmans or not policy.objects.limits(Kind.CONTAINER):
        yield Way(operation=endpoint.operation, why=REACHING[endpoint.operation])
    elif not policy.limits.limits_creation:
        why = "reaches into each container that is listed, whatever it was given"
        yield Way(operation=endpoint.operation, why=why)
    elif endpoint.operation in ARGUED:
        # Privileged, a command has more than its container.
        yield from _open_way(policy, endpoint)


def _open_way(policy: Policy, endpoint: Endpoint) -> Iterator[Way]:
    argued = ARGUED.get(endpoint.operation)
    if argued is None:
        yield Way(operation=endpoint.operation, why=endpoint.summary)
    elif argued.family not in policy.limits.families:
        why = "nothing limits what it asks for"
        yield Way(operation=endpoint.operation, why=why)


def _can_ask(endpoint: Endpoint, variable: str) -> bool:
    argued = ARGUED.get(endpoint.operation)
    return argued is not None and variable in argued.variables


def _planted(policy: Policy, opened: tuple[Endpoint, ...]) -> Iterator[Way]:
    """Ways by a link that a container leaves in one bind, below which another one lies."""
    binds = policy.limits.by_variable.get("CREATE_BINDS")
    creates = [e.operation for e in opened if _can_ask(e, "CREATE_BINDS")]
    if binds is None or binds.is_any or not creates:
        return
    bound = [
        name
        for item in binds.patterns
        for place, _ in places_of(item)
        for name in places.names(place)
    ]
    for item in binds.patterns:
        written = [place for place, is_read_only in places_of(item) if not is_read_only]
        below = [one for place in written for one in places.names(place.inside)]
        if any(one.meets(other) for one in below for other in bound):
            why = "a link planted in one of its folders leads anywhere when it is bound"
            argument = f"CREATE_BINDS={item.text}"
            yield Way(operation=creates[0], argument=argument, why=why)


def _conditions(policy: Policy) -> Iterator[str]:
    opened = policy.opened_operations
    if "ContainerCreate" in opened:
        yield "runs nothing on the host itself"
        binds = policy.limits.by_variable.get("CREATE_BINDS")
        if binds and binds.patterns:
            yield "cannot write the parents of its binds"
        if not (
            policy.objects.limits(Kind.VOLUME) and policy.objects.limits(Kind.NETWORK)
        ):
            yield "finds no volume or network of others that leads to the host"
    elif opened & {"LibpodVolumeExport", "LibpodVolumeImport"}:
        yield "finds no volume that leads to the host"
    if any(_replaces_images(policy, name) for name in opened):
        yield "replaces no image that others run"
    if _passes_unknown_writes(policy):
        yield "sends nothing that this version does not know"


def _replaces_images(policy: Policy, operation: str) -> bool:
    """Whether an operation may give any image any name, one that others run too."""
    if operation == "LibpodImageTag":
        return True
    if operation == "ImagePush" or not _can_write_tags(operation):
        return False
    limits = policy.limits
    if operation == "ImageCreate" and (pulls := limits.limit_of("PULL_IMAGES")):
        imports = any(one.text.startswith("src:") for one in pulls.patterns)
        if not pulls.is_any and not imports:
            return False
    tags = limits.limit_of("CREATE_TAGS")
    return tags is None or tags.is_any


def _can_write_tags(operation: str) -> bool:
    argued = ARGUED.get(operation)
    return argued is not None and "CREATE_TAGS" in argued.variables


def _passes_unknown_writes(policy: Policy) -> bool:
    if any(route.method not in READING for route in policy.routes):
        return True
    unknown = (
        samples.of_unknown("POST", section) for section in (*SECTIONS, *LIBPOD_SECTIONS)
    )
    return any(one is not None and policy.decide(one).allowed for one in unknown)
