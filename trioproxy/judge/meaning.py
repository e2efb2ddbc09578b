"""What a file means, as one value: what it opens, what it limits, and whether that is root.

Whoever shows a file (explain, a diff, a report) renders this value and its policy, and asks
nothing of its own. "Root" means root on the host, by a way that is known: an operation that no
variable limits, a listed value that gives it, or another container that has it.

A way is what a client can go by itself on a host as it is found. What takes another
person's later act (somebody runs an image that was replaced), or luck with what is there
(a volume that is a host folder), is a condition: it stands beside "no known way". So does
what must be true of the host: nobody there runs what a client writes, and the Engine's
own programs have no known hole (`judge.escapes`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from trioproxy.api.families import (
    FAMILIES,
    LIMITS,
    NETWORK_VARIABLE,
    OBJECTS,
    PROXY,
    REDACT_VARIABLE,
    VARIABLES,
    Family,
    Kind,
)
from trioproxy.api.fields import ARGUED, variables_of
from trioproxy.api.routes import (
    ALL_SECTIONS,
    ENDPOINTS,
    LETTERS,
    OPERATIONS,
    Endpoint,
    Files,
    Risk,
)
from trioproxy.judge.rules import READING, Policy
from trioproxy.limits import places, root
from trioproxy.limits.grant import Grant, grants_in
from trioproxy.limits.limit import BINDS, BY_ITSELF, Limits
from trioproxy.limits.objects import OF_LABEL, Objects
from trioproxy.limits.patterns import Pattern, lists_repositories, places_of
from trioproxy.limits.sorts import MAYBE_CONSOLES, OWN_IMAGES, line_of, why_root
from trioproxy.limits.things import ANONYMOUS
from trioproxy.values import value_class

_REACHING: Final[Mapping[str, str]] = {
    "e": "reaches into any container, whatever it was given",
    "a": "copies files out of any container, and of what the host shares with it",
    "t": "copies the files of any container out, and what its nodes are",
    "l": "reads any file of the host, by a link in the container's way",
    "h": "reads any file of the host",
}
"""Why an operation gives root where it may reach into containers of anybody, by its letter."""
if _REACHING.keys() ^ LETTERS.reach != {"r"}:
    raise AssertionError("a letter for reaching has no reason, or a reason no letter")

_INTERFACES: Final = frozenset(
    f"NetworkCreate:Options.{one}"
    for one in ("com.docker.network.bridge.name", "parent")
)
_OF_OTHERS = frozenset(f"{kind}:container" for kind in ("ipc", "net", "pid", "volumes"))
"""What is another container's, and harmless where that is within the limits."""


@value_class
class Way:
    """A known way to root on the host."""

    operation: str
    grant: Grant | None = None
    """The listed value that gives it; None: the operation does by itself."""
    why: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.grant or self.why}"

    @property
    def where(self) -> str:
        """By what it goes: the operation, and the value if there is one."""
        return f"{self.operation}, {self.grant}" if self.grant else self.operation


@value_class
class Limited:
    """A variable of a family that is limited."""

    variable: str
    value: str
    """As in the file; empty: harmless values only."""
    line: str
    """What it limits, and that nobody set it, if something is listed all the same."""


ONE_PROXY: Final = (
    "as long as no second proxy serves such clients at the same Engine: neither knows"
    " which volumes the other has the Engine fill"
)
"""What volumes rely on; see `proxy.reservations`."""


@value_class
class Meaning:
    """What a file means."""

    policy: Policy
    limits: tuple[Limited, ...]
    """What requests may ask for."""
    objects: tuple[Limited, ...]
    """Which objects they may name."""
    ways: tuple[Way, ...]
    """The known ways to root on the host; empty: none is known."""
    only_for: str
    """Who may become root all the same, on the host itself; empty: nobody by what is listed."""
    conditions: tuple[str, ...]
    """What must be true of a client for that to hold."""
    surroundings: tuple[str, ...]
    """What must be true of the host, each as `where ...` or `on ...`."""

    @property
    def is_root(self) -> bool:
        """Whether root on the host can be reached in a known way."""
        return bool(self.ways)

    @property
    def relies_on(self) -> str:
        """What "no known way" relies on beside client and host; empty: on nothing."""
        makes = self.policy.opens("ContainerCreate")
        return ONE_PROXY if makes and not self.ways else ""

    @property
    def beside_objects(self) -> tuple[str, ...]:
        """What else follows from lists of objects, a sentence each."""
        shown = ", ".join(self.policy.shows_listed)
        network, bound = self.policy.objects.network, ", ".join(self._interfaces())
        told = {
            f"what is not listed is left out of the answers of {shown}": shown,
            f"what names no network joins this one: {NETWORK_VARIABLE}={network}": network,
            f"by an interface, a network reaches all that is on it, listed or not: {bound}": bound,
        }
        return tuple(sentence for sentence, is_so in told.items() if is_so)

    def _interfaces(self) -> Iterator[str]:
        """What lets a network lie on an interface of the host, as a bridge of others is one."""
        policy = self.policy
        if policy.objects.limits(Kind.NETWORK) and policy.opens("NetworkCreate"):
            for one in policy.limits.patterns_of("CREATE_OPTIONS"):
                if one.text.partition("=")[0] in _INTERFACES:
                    yield one.text

    @property
    def redacted(self) -> tuple[str, ...]:
        """What is hidden in answers, and what shows it all the same, a sentence each."""
        words, shown = self.policy.hidden_words, ", ".join(self.policy.still_shows)
        told = {
            f"answers have a marker in place of values: {REDACT_VARIABLE}={words}": words,
            f"passes as it is, and can show secrets: {shown}": shown,
        }
        return tuple(sentence for sentence, is_so in told.items() if is_so)

    @property
    def answer(self) -> str:
        """The answer to "root or not" in one sentence."""
        if self.ways:
            more = f", and {len(self.ways) - 1} more" if len(self.ways) > 1 else ""
            return f"root on the host: yes, by {self.ways[0]}{more}"
        parts = ["root on the host: no known way"]
        if self.only_for:
            parts.append(f"except for {self.only_for}")
        if self.conditions:
            parts.append(f"for a client that {listed(self.conditions)}")
        return ", ".join((*parts, *self.surroundings))


def meaning_of(policy: Policy) -> Meaning:
    """Say what a policy means."""
    return Meaning(
        policy=policy,
        limits=tuple(_limits(policy.limits)),
        objects=tuple(_objects(policy.objects)),
        ways=ways_of(policy),
        only_for=_only_for(policy),
        conditions=tuple(_conditions(policy)),
        surroundings=tuple(_surroundings(policy)),
    )


def what_of(variable: str, item: str = "") -> str:
    """Say what a variable lists, or what an item of it is; empty if it lists none."""
    if variable in OBJECTS:
        return f"{OBJECTS[variable]}s that requests may name"
    return line_of(variable, item) if variable in VARIABLES else ""


def listed(parts: Sequence[str]) -> str:
    """Write some things as a sentence lists them: `a, b and c`."""
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _limits(limits: Limits) -> Iterator[Limited]:
    for family in Family:
        for name in FAMILIES[family] if family in limits.families else ():
            limit = limits.limit_of(name)
            if limit is not None:
                line = what_of(name, limit.value)
                yield Limited(variable=name, value=limit.value, line=line)


def _objects(objects: Objects) -> Iterator[Limited]:
    for only in objects.by_kind.values():
        line = what_of(only.variable)
        if only.variable not in objects.set_variables:
            line = f"{line}, as the variable is not set"
        yield Limited(variable=only.variable, value=only.value, line=line)


def gives_what_it_reaches(endpoint: Endpoint) -> bool:
    """Whether a client has by it what the container was given that it reaches into."""
    return endpoint.powers.reach in _REACHING


def limits_power_of(policy: Policy, operation: str) -> bool:
    """Whether an operation can do less than its risk says: what it asks for is limited, or
    it reaches into listed containers alone, which are within the limits."""
    known = OPERATIONS.get(operation, ())
    is_root = any(one.risk is Risk.HOST_ROOT for one in known)
    holds = any(one.is_held_by_objects for one in known)
    gives = any(map(gives_what_it_reaches, known))
    reaches = (gives or holds) and operation not in ARGUED
    is_limited = policy.limits.limits_power_of(operation) or (
        is_root and reaches and policy.is_confined
    )
    return is_limited and not any(_by_files(policy, one) for one in known)


def ways_of(policy: Policy) -> tuple[Way, ...]:
    """The known ways to root on the host that a policy opens, in three parts.

    None of them is closed by an item more, so `review.adding` asks each of what is added.
    """
    opened, limits = policy.opened, policy.limits
    lists = {name: limit.value for name, limit in limits.by_variable.items()}
    return (
        *ways_by_operation(policy, opened),
        *ways_by_item(policy, opened, grants_in(lists, LIMITS)),
        *ways_by_link(policy, opened, Planted(limits.binds)),
    )


# Three kinds, for they depend on different things. An operation is a way by itself, whatever is listed, where nothing
# limits what it asks for or what it reaches. An item is one where an open operation can ask for it, or reaches into who
# has it: that is said of each item alone. And binds are one in pairs: a client leaves a link in the one and has the
# other bound. Whoever adds an item asks the second of it, and the third of it beside all others (`Planted.leading`),
# and need not judge the file anew; so an item that could close a way would make `review.adding` lie.
def ways_by_operation(policy: Policy, opened: tuple[Endpoint, ...]) -> Iterator[Way]:
    """The ways that operations are by themselves, one each; of what is listed it counts
    whether there is such an item at all."""
    doors = [one for one in _doors(opened) if not gives_what_it_reaches(one)]
    for one in (*doors, *filter(gives_what_it_reaches, opened)):
        explain = _why_reaching if gives_what_it_reaches(one) else _why_open
        if why := explain(policy, one):
            yield Way(operation=one.operation, why=why)


def _doors(opened: Iterable[Endpoint]) -> list[Endpoint]:
    """Those that may be root; what is none of them is root by no list either."""
    return [one for one in opened if one.risk is Risk.HOST_ROOT or one.is_unlimitable]


def ways_by_item(
    policy: Policy, opened: tuple[Endpoint, ...], items: Iterable[Grant]
) -> Iterator[Way]:
    """The ways that listed values are, each alone."""
    doors = _doors(opened)
    asking = dict[str, str | None]()
    for grant in items:
        if grant.variable not in asking:
            asking[grant.variable] = _asking(doors, grant.variable) or _reaching(
                policy, opened, grant.variable
            )
        if not (operation := asking[grant.variable]):
            continue
        if grant.item == PROXY:
            why = root.of_proxy(policy.limits.proxy_socket)
        else:
            why = why_root(*grant, places=policy.limits.places)
        if why and not (policy.is_confined and grant.item in _OF_OTHERS):
            yield Way(operation=operation, grant=grant, why=why)


def ways_by_link(
    policy: Policy,
    opened: tuple[Endpoint, ...],
    planted: "Planted",
    new: Sequence[Pattern] = (),
) -> Iterator[Way]:
    """The ways by a link that a container leaves in one bind, below which another lies."""
    if operation := _asking(opened, BINDS) or _entering(policy, opened):
        why = "a link planted in one of its folders leads anywhere when it is bound"
        for item in planted.leading(new):
            yield Way(operation=operation, grant=Grant(BINDS, item.text), why=why)


def _why_reaching(policy: Policy, endpoint: Endpoint) -> str:
    if endpoint.is_podmans or not policy.objects.limits(Kind.CONTAINER):
        return _REACHING[endpoint.powers.reach]
    if not policy.limits.limits_creation:
        return "reaches into each container that is listed, whatever it was given"
    if endpoint.operation in ARGUED:
        # Privileged, a command has more than its container.
        return _why_open(policy, endpoint)
    return _by_files(policy, endpoint)


def _why_open(policy: Policy, endpoint: Endpoint) -> str:
    argued = ARGUED.get(endpoint.operation)
    if argued is not None and argued.family not in policy.limits.families:
        return "nothing limits what it asks for"
    is_held = policy.is_confined and endpoint.is_held_by_objects
    if argued is None and not is_held:
        return endpoint.summary
    return _by_files(policy, endpoint)


# --- What the Engine does on files ------------------------------------------------


def _by_files(policy: Policy, endpoint: Endpoint) -> str:
    """Why the Engine can be led astray on files by what is limited, or confined.

    A commit goes by paths outside of the container, whose process makes a link of a folder
    on its way: no list limits that. The classic builder commits its own containers, while
    who may start any, or one of a name that the Engine makes up, can have one run again; and
    it fills volumes without a name, which wait for nobody, so that who may name any can be in
    them meanwhile. Archives and exports are led to a device node; who makes none himself may
    get one with an image, or from a server of files.
    """
    if endpoint.powers.reach == "l":
        return _REACHING["l"]
    if endpoint.operation == "ImageBuild":
        running = " and ".join(policy.opens(*_RUNNING)[:1])
        only = policy.objects.by_kind.get(Kind.CONTAINER)
        if only is None or only.is_any:
            return running and f"commits containers of its own, and {running} runs them"
        if running and (named := next(filter(_may_be_made_up, only.items), "")):
            return f"commits containers of its own, which {only.variable}={named} may name, and {running} runs them"
        volumes = policy.objects.by_kind.get(Kind.VOLUME)
        is_any = volumes is None or any(map(_may_be_anonymous, volumes.items))
        is_filled = is_any and policy.opens("ContainerCreate")
        return "has volumes filled that ONLY_VOLUMES lists" if is_filled else ""
    return _by_nodes(policy) if endpoint.touches_containers else ""


_MADE_UP: Final = re.compile(r"[a-z]*_?[a-z]*[0-9]?")
_HEX: Final = re.compile(r"[0-9a-f]*")
_OF_ANONYMOUS: Final = f"{OF_LABEL}{ANONYMOUS}"


def _may_be_made_up(item: str) -> bool:
    """Whether a star may be what the Engine calls containers without a name, as those of
    its builder: `admiring_curie`, `admiring_curie1`."""
    return _has_star_of(item, _MADE_UP)


def _may_be_anonymous(item: str) -> bool:
    """Whether it may be a volume that nobody named: by 64 hex digits, or by its label."""
    return item.startswith(_OF_ANONYMOUS) or _has_star_of(item, _HEX)


def _has_star_of(item: str, literal: re.Pattern[str]) -> bool:
    return "*" in item and literal.fullmatch(item.replace("*", "")) is not None


_RUNNING: Final = tuple(
    one.operation
    for one in sorted(
        (one for one in ENDPOINTS if one.powers.runs != "-"),
        key=lambda one: (not one.joins, one.powers.chooses == "-"),
    )
)
"""What lets a container run, or something in it; first what starts one."""


def _by_nodes(policy: Policy) -> str:
    """Where a client has device nodes from that it does not make; empty if from nowhere."""
    limits = policy.limits
    for variable, value in _MAKING_NODES:
        if limits.lists(variable, value):
            return f"{_NODES}: {variable} lists {value}"
    if any(limits.lists_had("CREATE_OPTIONS", one) for one in _OF_NETWORKS):
        return f"{_NODES}, as a volume of a network holds: CREATE_OPTIONS lists such"
    if policy.opens("ContainerCreate") and (why := _own_images(policy)):
        return f"{_NODES}, as an image holds: {why}"
    return ""


# A container may make a node of the host's disk, by a capability that all have by default, and cannot open it; the
# Engine, which is root and not confined, opens it as it packs the container's files (`api.nodes`). With that capability
# taken away, a node can come from three other places: a list that gives the capability back, a file system of a
# network, on which is what its server says, and an image of which the client chooses what is in it.
_NODES: Final = "opens nodes of the host's disks"
_MAKING_NODES: Final = (
    *(("CREATE_CAPS", "MKNOD"), ("CREATE_CAPS", "ALL")),
    ("CREATE_PRIVILEGED", "1"),
)
_OF_NETWORKS: Final = tuple(
    f"{BY_ITSELF}type={kind}" for kind in ("nfs", "nfs4", "cifs", "smb3")
)


def _own_images(policy: Policy) -> str:
    """Why a client chooses what is in its images; empty if all are listed one by one."""
    for operation in policy.opens("ImageBuild", "ImageCommit", "ImageLoad"):
        return f"{operation} makes any"
    pulls = policy.opens("ImageCreate")
    for variable in ("CREATE_IMAGES", *["PULL_IMAGES"] * len(pulls)):
        limit = policy.limits.limit_of(variable)
        if limit is None or limit.is_any:
            return f"{variable} lists any"
        for one in limit.patterns:
            is_own = one.text in OWN_IMAGES
            if is_own or one.text.startswith("src:") or lists_repositories(one.text):
                return f"{variable} lists {one.text}"
            if variable != "CREATE_IMAGES" and _may_serve(policy.limits, one.text):
                return f"{variable} lists {one.text}, and CREATE_PORTS lets the client be that registry"
    return ""


_ON_LOOPBACK: Final = re.compile(
    r"(?i:[a-z0-9.-]*localhost|(127\.[0-9.]+))(?::0*([0-9]+))?/[^@]*(?:@.*\*.*)?"
)
"""Images of registries there, but for those of which a digest says what is in them."""


def _may_serve(limits: Limits, image: str) -> bool:
    """Whether a container may publish the very port where the Engine looks for an image: with a
    registry on its own host it speaks without TLS, so that whoever answers is that registry."""
    if not (found := _ON_LOOPBACK.fullmatch(image)):
        return False
    address, port = found.groups()
    hosts = (address,) if address else ("127.0.0.1", "[::1]")
    ports = (port,) if port else ("80", "443")
    asked = (f"{host}:{one}" for host in hosts for one in ports)
    return any(limits.lists("CREATE_PORTS", one) for one in asked)


_WITH_PORT: Final = re.compile(r"([^/:]+):0*([0-9]+)/[^@]*(?:@.*\*.*)?")
"""Images of registries at any port, but for those of which a digest says what is in them."""


def _registries(policy: Policy) -> Iterator[str]:
    """Hosts that would be on the loopback too, if they were this one: so its own name is in many
    a `/etc/hosts`."""
    pulls = policy.opens("ImageCreate") and policy.limits.patterns_of("PULL_IMAGES")
    if any(one.touches_containers for one in policy.opened):
        for image in pulls or ():
            found = _WITH_PORT.fullmatch(image.text)
            if found and policy.limits.lists("CREATE_PORTS", f"127.0.0.1:{found[2]}"):
                yield found[1]


# --- Values, and links ------------------------------------------------------------


def _reaching(
    policy: Policy, opened: tuple[Endpoint, ...], variable: str
) -> str | None:
    """What reaches into containers that may have a value, which nobody has to ask for: what
    enters one, or copies out of it where the value is a folder."""
    if variable not in FAMILIES[Family.CREATE]:
        return None
    return _entering(policy, opened, "ea" if variable == BINDS else "e")


def _entering(
    policy: Policy, opened: tuple[Endpoint, ...], letters: str = "e"
) -> str | None:
    """What writes in containers that are there, and in their binds, and may have it run: by
    commands, or by copying. The Engine looks for binds anew at each start, which who runs a
    command brings about, and at each copy."""
    if not policy.is_confined:
        return None
    found = (e for e in opened if e.powers.reach in letters or e.files is Files.UNPACKS)
    return next((e.operation for e in found), None)


def _asking(endpoints: Iterable[Endpoint], variable: str) -> str | None:
    names = (one.operation for one in endpoints)
    return next((name for name in names if variable in variables_of([name])), None)


class Planted:
    """Binds of a list, among which those are found that hold another one.

    Who may write a folder leaves a link in it, and below that the Engine binds what the
    link leads to. So a bind that lies in what another one may write is a way to root; a
    bind may be both at once, as `/srv/*` is. By the names of `places`, each place by all
    of its own.
    """

    def __init__(self, items: Sequence[Pattern]) -> None:
        self._items = items
        self._bound = places.Tree(chain(*map(_bound, items)))
        self._written = places.Tree(chain(*map(_written_in, items)))

    def leading(self, new: Sequence[Pattern] = ()) -> Iterator[Pattern]:
        """The binds that hold another one. With some that are new: all that hold one of
        those, and those of them that hold any; in the order of a list."""
        places_of_new = [*chain(*map(_bound, new))]
        added = places.Tree(places_of_new)
        if not new:
            yield from (one for one in self._items if _holds(one, self._bound))
        elif any(map(self._written.meets, places_of_new)):
            yield from (one for one in self._items if _holds(one, added))
        yield from (one for one in new if _holds(one, self._bound, added))


def _bound(item: Pattern) -> Iterator[places.Place]:
    return chain.from_iterable(places.names(place) for place, _ in places_of(item))


def _written_in(item: Pattern) -> Iterator[places.Place]:
    written = (place for place, is_read_only in places_of(item) if not is_read_only)
    return chain.from_iterable(places.names(place.inside) for place in written)


def _holds(item: Pattern, *several: places.Tree) -> bool:
    """Whether some of several places lie in what a bind may write."""
    return any(bound.meets(one) for one in _written_in(item) for bound in several)


_SHARED: Final[Mapping[str, places.Place]] = {
    path: places.place((path,)).inside
    for path in ("/tmp", "/var/tmp")  # noqa: S108  names
}
"""Folders in which everybody on the host may write. Whoever does leaves a link there under a
name that is listed, and who may bind it gets what the link leads to."""


def _shared_by(item: Pattern) -> Iterator[str]:
    """The folders of everybody in which a bind lies."""
    bound = tuple(_bound(item))
    yield from (one for one in _SHARED if any(map(_SHARED[one].meets, bound)))


def _only_for(policy: Policy) -> str:
    if not policy.opens("ContainerCreate"):
        return ""
    shared = {one for item in policy.limits.binds for one in _shared_by(item)}
    found = tuple(one for one in _SHARED if one in shared)
    return f"who may write to {listed(found)} on the host" if found else ""


def _conditions(policy: Policy) -> Iterator[str]:
    opened = policy.opened_operations
    if "ContainerCreate" in opened:
        # What no file can say: where the client itself runs, who may write above its binds, what volumes and networks
        # of others lead to. These stand beside the verdict and never count in it: a reviewer knows them, and we do not.
        yield "runs only in containers or elsewhere"
        if not all(any(_shared_by(item)) for item in policy.limits.binds):
            yield "cannot write the parents of its binds"
        if not all(map(policy.objects.limits, (Kind.VOLUME, Kind.NETWORK))):
            yield "finds no volume or network of others that leads to the host"
    elif "LibpodVolumeExport" in opened:
        yield "finds no volume that leads to the host"
    if any(_replaces_images(policy, name) for name in opened):
        yield "replaces no image that others run"
    if _passes_unknown_writes(policy):
        yield "sends nothing that this version does not know"


MOST_PLACES: Final = 3
"""Folders that a verdict names; of more it says how many."""


def _surroundings(policy: Policy) -> Iterator[str]:
    writes = policy.opens("ContainerCreate") or _entering(policy, policy.opened)
    if writes and (written := _written(policy.limits)):
        first, more = written[:MOST_PLACES], len(written) - MOST_PLACES
        shown = (*first, f"{more} more") if more > 0 else first
        yield f"where nobody on the host runs what it writes in {listed(shown)}"
    devices = [one.text for one in policy.limits.patterns_of("CREATE_DEVICES")]
    if typing := [one for one in devices if MAYBE_CONSOLES.fullmatch(one)]:
        yield f"where no console or keyboard of the host is at {listed(typing)}"
    if others := tuple(dict.fromkeys(_registries(policy))):
        yield f"where the host itself is not called {' or '.join(others)}"
    if any(one.powers.chooses != "-" for one in policy.opened):
        # A Dockerfile names its images itself, and to Podman's build they may be of its host.
        engine = "a Docker Engine" if policy.opens("ImageBuild") else "an Engine"
        yield f"on {engine} without known escapes"


def _written(limits: Limits) -> tuple[str, ...]:
    """The folders and files of the host that a client may write, as paths."""
    return tuple(
        limits.meaning_of(item.text)
        for item in limits.binds
        if item.text != PROXY and not all(is_ro for _, is_ro in places_of(item))
    )


def _replaces_images(policy: Policy, operation: str) -> bool:
    """Whether an operation may give any image any name, one that others run too."""
    if operation == "LibpodImageTag":
        return True
    if operation == "ImagePush" or "CREATE_TAGS" not in variables_of([operation]):
        return False
    limits = policy.limits
    if operation == "ImageCreate" and (pulls := limits.limit_of("PULL_IMAGES")):
        imports = any(one.text.startswith("src:") for one in pulls.patterns)
        if not pulls.is_any and not imports:
            return False
    return not limits.limits("CREATE_TAGS")


def _passes_unknown_writes(policy: Policy) -> bool:
    if any(route.method not in READING for route in policy.routes):
        return True
    unlisted = (policy.decide_unlisted("POST", section) for section in ALL_SECTIONS)
    return any(one is not None and one.allowed for one in unlisted)
