"""Which client somebody is, by what the Engine says of who has his address.

An address is nobody's for long, and anybody's who gets there: so a container is a client by
its address only where that says one thing. It is on a network that the proxy is on, and it
alone; it had that before the connection was made; and what it is called was said by who
made it: no label of its image counts, and no container counts that was made through any
policy (each has our mark), or a client that may make containers would make itself another.

Told is what would help, for whoever is refused reads it and wonders.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from trioproxy.api.arguments import list_of, map_of, text_of, texts_of
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.api.form import PROJECT_LABEL
from trioproxy.errors import BadBody, Nobody, Untold
from trioproxy.limits.marks import OWNER_LABEL
from trioproxy.limits.objects import NUMBER_LABEL
from trioproxy.limits.things import BUILT_IN, FULL_ID, Thing, part_of

POLICY_LABEL: Final = "trioproxy.policy"
SERVICE: Final = "com.docker.compose.service"
SWARMS: Final = "com.docker.swarm.service.name"
JUDGED_LABELS: Final = frozenset({POLICY_LABEL, NUMBER_LABEL})
"""Those of which it counts whether the image has them."""

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
"""How a client is called that has a policy of its own: no path, and no case that two share."""


@dataclass(slots=True, kw_only=True, eq=False)
class Running:
    """A container as the Engine lists those that run."""

    thing: Thing
    addresses: Mapping[str, Mapping[str, str]]
    """Those that it has, each with the ids of its networks, and of its ends there: the Engine
    gives a new one whenever it comes to a network."""
    networks: Mapping[str, str]
    """What it is on, but for those that every Engine has: ids, and names."""
    service: str = ""
    """That of a swarm of which it is a task, which is only told."""
    names: Sequence[str] = ()
    """Those of policies that it may choose (`names_for`), from when its image is known too: that
    follows from what it is, and an image has the same labels for good."""


class OnNetwork(NamedTuple):
    """Who is on a network."""

    id: str
    name: str
    end: str
    """The Engine gives a new one whenever it comes; empty: it tells none."""


def members_of(described: Json, own: str) -> dict[str, list[OnNetwork]]:
    """Read who is on a network, by address, as the Engine describes that: as it is now, and
    whatever labels they have. Nobody, where the proxy is not on it. Raises `Untold`."""
    found = dict[str, list[OnNetwork]]()
    try:
        there = map_of(map_of(described).get("Containers"))
        for full, each in there.items() if own in there else ():
            one = map_of(each)
            name, end = text_of(one.get("Name")), text_of(one.get("EndpointID"))
            for written in (one.get("IPv4Address"), one.get("IPv6Address")):
                if address := text_of(written).partition("/")[0]:
                    found.setdefault(address, []).append(OnNetwork(full, name, end))
    except BadBody:
        raise Untold("the Engine's description of a network is not complete") from None
    return found


def read_list(value: Json) -> list[Running]:
    """Read a list of containers. Raises `Untold`."""
    try:
        return [_read(map_of(one)) for one in list_of(value)]
    except BadBody:
        raise Untold(_INCOMPLETE) from None


_INCOMPLETE: Final = "the Engine's list of containers is not complete"


def _read(one: Mapping[str, Json]) -> Running:
    full, labels = text_of(one.get("Id")), map_of(one.get("Labels"))
    names = [name.removeprefix("/") for name in texts_of(one.get("Names"))]
    # Further names have a slash in them: by links of others.
    own = [name for name in names if "/" not in name]
    if not FULL_ID.fullmatch(full) or len(own) != 1:
        raise Untold(_INCOMPLETE)
    thing = Thing(
        Kind.CONTAINER,
        full,
        tuple(own),
        {key: text_of(text) for key, text in labels.items()},
        text_of(one.get("ImageID")),
        part=part_of(one),
    )
    service = thing.labels.get(SWARMS, "")
    return Running(
        # What its image has counts of some alone.
        thing=thing if needs_image(thing) else thing._replace(inherited={}),
        addresses=_addresses(one),
        networks=networks_of(one),
        service=service if NAME.fullmatch(service) else "",
    )


def _addresses(one: Mapping[str, Json]) -> dict[str, dict[str, str]]:
    """The addresses of a container, each with the ids of its networks and of its ends there."""
    found = dict[str, dict[str, str]]()
    for each in map_of(map_of(one.get("NetworkSettings")).get("Networks")).values():
        endpoint = map_of(each)
        network, end = (text_of(endpoint.get(k)) for k in ("NetworkID", "EndpointID"))
        for address in (endpoint.get("IPAddress"), endpoint.get("GlobalIPv6Address")):
            if address:
                found.setdefault(text_of(address), {})[network] = end
    return found


PODMANS: Final = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9"
"""The network that every Podman has, where what names no other comes to be. There it is called
`podman`, of which this is the hash, and in its list of networks `bridge`."""


def networks_of(described: Mapping[str, Json]) -> dict[str, str]:
    """The networks of a container that somebody made, by id, with their names."""
    networks = map_of(map_of(described.get("NetworkSettings")).get("Networks"))
    return {
        full: name
        for name, endpoint in networks.items()
        if name not in BUILT_IN
        and (full := text_of(map_of(endpoint).get("NetworkID"))) not in {"", PODMANS}
    }


def who_have(address: str, listed: list[Running], own: str) -> list[Running]:
    """Find the containers that have an address beside the proxy, but for the proxy."""
    ours = next((one.networks for one in listed if one.thing.id == own), {})
    found = [
        one
        for one in listed
        if not ours.keys().isdisjoint(one.addresses.get(address, ()))
    ]
    return [one for one in found if one.thing.id != own or len(found) > 1]


def unmarked(one: Running) -> Running:
    """Give it back if no client made it. Raises `Nobody`."""
    if OWNER_LABEL in one.thing.labels:
        raise Nobody(
            f"the container {one.thing.names[0]} was made through a proxy, and chooses no policy:"
            " let who may write the policies make it"
        )
    return one


def needs_image(thing: Thing) -> bool:
    """Whether it counts which of its labels are its image's."""
    return not JUDGED_LABELS.isdisjoint(thing.labels)


def names_for(thing: Thing) -> list[str]:
    """The names of policies that a container may choose, first the one that counts first.

    Raises `Nobody` where an image that is gone would have to tell whose a label is.
    """
    if needs_image(thing) and thing.inherited is None:
        raise Nobody(
            f"the image of the container {thing.names[0]} is gone, and nobody knows which labels"
            " came from it: make the container anew"
        )
    return [one for one in dict.fromkeys(_names(thing)) if NAME.fullmatch(one)]


def _names(thing: Thing) -> Iterator[str]:
    if (label := thing.own_label(POLICY_LABEL)) is not None:
        yield label  # be it empty: it chooses, and has no policy then
        return
    # Of images that Compose builds project and service are labels, too, and the number that
    # each of its containers has is on none.
    project, service = thing.labels.get(PROJECT_LABEL), thing.labels.get(SERVICE)
    if project and service and thing.own_label(NUMBER_LABEL) is not None:
        yield f"{project}.{service}"
        yield service
    yield thing.names[0]


def choose(one: Running, is_in_force: Mapping[str, bool]) -> Sequence[str]:
    """Say which policy a container has, behind those that would come before it and are not
    there. `is_in_force`: those that are there, each of which may be unreadable.

    Raises `Nobody`, and says what would give it one.
    """
    called = one.thing.names[0]
    for at, name in enumerate(one.names, 1):
        if is_in_force.get(name):
            return one.names[:at]
        if name in is_in_force:
            raise Nobody(
                f"{name}.env of POLICIES is the policy of the container {called}, and could"
                " not be read: the log of the proxy says why"
            )
    if one.service and [*one.names] == [*one.thing.names]:
        raise Nobody(
            f"the container {called} has no policy here, and is called otherwise at each start:"
            f" with the container label {POLICY_LABEL}={one.service} all tasks of its service"
            f" have {one.service}.env in POLICIES"
        )
    files = " or ".join(f"{name}.env" for name in one.names) or "no file"
    raise Nobody(
        f"the container {called} has no policy here: {files} in POLICIES would be"
        f" its own, and the label {POLICY_LABEL}=NAME names another: in lower case, not as its image has it"
    )
