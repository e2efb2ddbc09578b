"""What no client may do where others are known by their containers, whatever its policy.

Whoever comes to be called as somebody else is judged by that one's policy, and whoever gets
onto the network between the proxy and its clients can send with their addresses. So no
client renames a container to what a policy is called or may be tomorrow, or has a link name
one beside its own name; none joins a network of the proxy's, or a container's network (which
may be on one), or brings the proxy onto another one, or off one; none makes a network that
lies on the same bridge, or containers of which nobody knows what they are (a swarm's, and
Podman's own).
A label of ours is refused in every creation anyway (`limits.marks`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api import query
from trioproxy.api.arguments import map_of, text_of, texts_of
from trioproxy.api.decoding import Json, show
from trioproxy.api.matched import Request
from trioproxy.api.routes import Effect
from trioproxy.judge.references import GIVES_NAME, RENAMING, gives_name, link, new_name
from trioproxy.judge.rules import READING, Decision, Reason, refuse
from trioproxy.limits.marks import OWNER_LABEL, below, key_of
from trioproxy.limits.things import BUILT_IN, Thing
from trioproxy.values import value_class

JOINING: Final = frozenset(
    {"ContainerCreate", "NetworkConnect", "NetworkCreate", "NetworkDisconnect"}
)
"""The operations whose body names a network that a container joins, or comes to join, or who
leaves one: what the proxy has left, anybody may join until somebody puts it back."""

APART: Final = frozenset({"", "bridge"})
"""Drivers whose networks lie on nothing that another one lies on: the Engine gives no bridge
to two of them. With `macvlan` and `parent=br-...` a container is on the proxy's own."""

ON_BRIDGE: Final = "com.docker.network.bridge.name"
DOCKERS: Final = "com.docker.network."
"""How the Engine's own options begin. By others of its own (`vlan`, `mode=unmanaged`) Podman
gives a bridge to two networks, in versions after 5.4."""


_ID: Final = re.compile(r"[0-9a-f]{64}|[0-9a-z]{25}", re.ASCII)
"""An id as the Engine gives them, or a swarm to its networks."""


@value_class
class Guard:
    """What is guarded."""

    names: frozenset[str]
    """What policies are called."""
    networks: frozenset[str] | None
    """Names and ids of the networks that the proxy is on; None: that is not known yet."""
    container: frozenset[str] = frozenset()
    """The proxy's own container: its id and its name."""

    def is_ours(self, text: str) -> bool:
        """Whether what stands for a network may be one of the proxy's, or begins its id."""
        return self.networks is None or _means(text, self.networks)

    def is_proxy(self, text: str) -> bool:
        """Whether what stands for a container may be the proxy's own: its name, what begins its id,
        or a link's (`other/alias`), which may be any container's."""
        name = text.removeprefix("/")
        return bool(text) and ("/" in name or _means(name, self.container))

    def refuses_renaming(self, thing: Thing) -> Decision | None:
        """Say why a container may not be renamed: it may be a client, by the name that it has
        then. The file that is called so may come tomorrow, or come back."""
        joined = map_of(map_of(thing.value.get("NetworkSettings")).get("Networks"))
        for name, endpoint in joined.items():
            both = name, text_of(map_of(endpoint).get("NetworkID")) or name
            if name not in BUILT_IN and any(map(self.is_ours, both)):
                is_marked = OWNER_LABEL in thing.labels
                return None if is_marked else _refuse("to rename what may be a client")
        return None


def _means(text: str, ours: frozenset[str]) -> bool:
    # Of a name the Engine takes no beginning: `web` is not `web-socket`.
    return text in ours or any(
        _ID.fullmatch(one) and one.startswith(text.lower()) for one in ours
    )


def refuses_route(guard: Guard, request: Request) -> Decision | None:
    """Say why a request may not pass, by what its head tells."""
    endpoint, operation = request.endpoint, request.operation
    if endpoint is None:
        if request.method in READING:
            return None
        return _refuse(f"{request.method} of a route that is not known")
    if endpoint.is_unconfined and endpoint.effect is Effect.WRITE:
        return _refuse(f"{operation}, which may make containers that have no mark,")
    if operation == RENAMING:
        if guard.is_proxy(request.parameter):
            return _refuse("to rename what may be this proxy's own container")
        name = new_name(request.target.query)
        if name in guard.names:
            return _refuse(f"to call a container {show(name)}, as a policy is,")
    # A connect has the network in its path and the container in its body, a creation has networks in its body, and a
    # build of the classic builder has one in its query. What stands there may be a name, an id or the beginning of one,
    # and nobody has asked the Engine yet: so what may be ours is refused, and not what is.
    texts = [request.parameter] if operation == "NetworkConnect" else []
    if operation == "ImageBuild":
        pairs = query.parse(request.target.query)
        # By `nsoptions`, a JSON list, Podman's joins a network or, by its path, a container's.
        joins = {"networkmode", "nsoptions"}
        texts = [text for key, text in pairs if key.casefold() in joins]
    return _refuses_joining(guard, operation, texts)


def refuses_body(guard: Guard, operation: str, body: Json) -> Decision | None:
    """Say why a request may not pass, by its body. Raises `BadBody`."""
    if operation not in JOINING or not isinstance(body, dict):
        return None
    if operation == "NetworkCreate":
        return _refuses_network(operation, body)
    if operation == "ContainerCreate":
        for one in _links(body):
            if gives_name(link(one)[1]):
                what = f"{operation} with the link {show(one)}"
                return _refuse(f"{what}, which {GIVES_NAME},")
        return _refuses_joining(guard, operation, list(_joined(body)))
    name = text_of(body.get(key_of(body, "Container")))
    if guard.is_proxy(name):
        what = f"{operation} of {show(name)}"
        return _refuse(f"{what}, which may be this proxy's own container,")
    endpoint = below(((), body), "EndpointConfig")[1]
    return _refuses_joining(guard, operation, list(_of_endpoint(endpoint)))


def _refuses_network(operation: str, body: Mapping[str, Json]) -> Decision | None:
    driver = text_of(body.get(key_of(body, "Driver")))
    options = map_of(body.get(key_of(body, "Options")))
    what = f"with the driver {show(driver)}"
    if driver in APART:
        if ON_BRIDGE not in options or all(one.startswith(DOCKERS) for one in options):
            return None
        what = "on a bridge that it names, with options that are not Docker's"
    why = "which may lie on one of this proxy's networks"
    return _refuse(f"{operation} {what}, {why},")


def _links(body: Mapping[str, Json]) -> Iterator[str]:
    for holder in _hosts(body):
        yield from texts_of(holder.get(key_of(holder, "Links")))


def _hosts(body: Mapping[str, Json]) -> tuple[Mapping[str, Json], ...]:
    """Engines before 27 read HostConfig's fields at the top, too."""
    return body, below(((), body), "HostConfig")[1]


def _joined(body: Mapping[str, Json]) -> Iterator[str]:
    """What stands for a network in a creation, wherever the Engine looks for one."""
    for holder in _hosts(body):
        yield text_of(holder.get(key_of(holder, "NetworkMode")))
    networking = below(((), body), "NetworkingConfig")
    for name, endpoint in below(networking, "EndpointsConfig")[1].items():
        yield name
        yield from _of_endpoint(map_of(endpoint))


def _of_endpoint(endpoint: Mapping[str, Json]) -> Iterator[str]:
    """The Engine joins the id of an endpoint, whatever its name says."""
    yield text_of(endpoint.get(key_of(endpoint, "NetworkID")))


def _refuses_joining(guard: Guard, operation: str, texts: list[str]) -> Decision | None:
    for text in texts:
        # No network's name has these. With a colon it is a container's, which Podman knows by
        # its path, too (`ns:/run/netns/...`), or has options behind it; with a comma it is two.
        if ":" in text or "," in text:
            why = "where it may have another container's address"
            return _refuse(f"{operation} with the network {show(text)}, {why},")
        if text not in BUILT_IN and guard.is_ours(text):
            why = "as one of this proxy's may be" if guard.networks else UNKNOWN_YET
            return _refuse(f"{operation} with the network {show(text)}, {why},")
    return None


UNKNOWN_YET: Final = "for nobody knows yet which are this proxy's"


def _refuse(what: str) -> Decision:
    message = (
        f"{what} is refused in every policy here: clients are known by their containers"
    )
    return refuse(Reason.GUARDED, "", message)
