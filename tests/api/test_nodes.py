"""Device nodes: who can make them, and from whom that is taken."""

from collections.abc import Mapping

import pytest

from tests.limits.arguing import asked, create, refusal, values
from trioproxy.api.arguments import Given
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.api.fields import ARGUED
from trioproxy.api.nodes import HAD_BY_DEFAULT, has_by_default
from trioproxy.api.reading import Asked, ask
from trioproxy.limits.inspected import arguments_of
from trioproxy.limits.things import Thing

UNASKED: list[dict[str, Json]] = [
    {},
    {"CapAdd": None, "CapDrop": None},
    {"CapDrop": ["NET_RAW", "MKNODE", "CAP_CAP_MKNOD", "CAP_ALL", " MKNOD"]},
    {"CapAdd": ["NET_RAW"], "CapDrop": []},
    {"Capabilities": ["CHOWN"]},
    {"Privileged": False},
]
LACKING: list[dict[str, Json]] = [
    {"CapDrop": ["MKNOD"]},
    {"CapDrop": ["NET_RAW", "cap_mknod"]},
    {"CapDrop": ["CAP_MKNOD"]},
    {"CapDrop": ["all"]},
    {"CapDrop": ["ALL"], "CapAdd": ["CHOWN"]},
]
ASKING: list[dict[str, Json]] = [
    {"CapAdd": ["MKNOD"]},
    {"CapAdd": ["cap_mknod"]},
    {"CapAdd": ["Cap_MkNod"], "CapDrop": ["MKNOD"]},
    {"CapAdd": ["MKNOD"], "CapDrop": ["ALL"]},
    {"CapAdd": ["all"]},
    {"CapAdd": ["ALL"], "CapDrop": ["MKNOD"]},
    {"Capabilities": ["MKNOD"]},
    {"Privileged": True},
    {"Privileged": True, "CapDrop": ["ALL"]},
]


@pytest.mark.parametrize("host", UNASKED, ids=map(str, UNASKED))
def test_a_container_makes_nodes_by_default(host: dict[str, Json]) -> None:
    """Whatever does not drop the capability, as the Engine reads it, has it: unasked."""
    assert has_by_default(host)
    assert not values(create(host))


@pytest.mark.parametrize("host", LACKING, ids=map(str, LACKING))
def test_what_drops_it_lacks_it(host: dict[str, Json]) -> None:
    """By its name in any case, with the prefix or without, or with all."""
    assert not has_by_default(host)
    assert not values(create(host))


@pytest.mark.parametrize("host", ASKING, ids=map(str, ASKING))
def test_what_asks_for_it_is_judged_by_the_lists(host: dict[str, Json]) -> None:
    """Adding wins over dropping, and is an argument: harmless it is nowhere."""
    assert not has_by_default(host)
    assert values(create(host))
    assert refusal({"CREATE_BINDS": ""}, "ContainerCreate", {"HostConfig": host})


def test_a_list_holds_it() -> None:
    """Who lists the capability lets it be asked for."""
    body: Json = {"HostConfig": {"CapAdd": ["CAP_MKNOD"]}}
    assert refusal({"CREATE_CAPS": "MKNOD"}, "ContainerCreate", body) is None


def dropping(body: Json, operation: str = "ContainerCreate") -> Asked:
    known = ARGUED[operation]
    return ask(Given(operation=known, path="", body=body, drops_nodes=True))


def host_of(found: Asked) -> Mapping[str, Json]:
    body = found.sent().body
    assert body is not None
    host = body["HostConfig"]
    assert isinstance(host, dict)
    return host


DROPPED: list[tuple[Json, Json]] = [
    ({}, ["MKNOD"]),
    ({"HostConfig": None}, ["MKNOD"]),
    ({"hostconfig": {"capdrop": ["NET_RAW"]}}, ["NET_RAW", "MKNOD"]),
    ({"HostConfig": {"Capabilities": ["CHOWN"]}}, ["MKNOD"]),
]
DROPPED += [
    ({"HostConfig": {**host}}, host.get("CapDrop")) for host in LACKING + ASKING
]


@pytest.mark.parametrize(("body", "dropped"), DROPPED, ids=[str(d[0]) for d in DROPPED])
def test_a_creation_goes_on_without_it(body: Json, dropped: Json) -> None:
    """It is dropped where nobody asks for it, whatever the names look like, and else not."""
    assert host_of(dropping(body)).get("CapDrop") == dropped
    assert dropping(body).arguments == asked("ContainerCreate", body).arguments


def test_other_bodies_are_as_they_were() -> None:
    """What makes no container has no capabilities to drop."""
    assert dropping({"Memory": 1}, "ContainerUpdate").sent().body == {"Memory": 1}
    assert dropping({}, "VolumeCreate").sent().body == {}


@pytest.mark.parametrize("host", [*UNASKED, *LACKING], ids=map(str, UNASKED + LACKING))
def test_what_is_reached_into_is_looked_at(host: dict[str, Json]) -> None:
    """A container that makes nodes has asked for that, where somebody wants to know."""
    thing = Thing(Kind.CONTAINER, "f" * 64, ("x",), value={"HostConfig": host})
    found = list(arguments_of(thing, with_nodes=True))
    assert (HAD_BY_DEFAULT in found) is (host in UNASKED)
    assert HAD_BY_DEFAULT not in list(arguments_of(thing))
