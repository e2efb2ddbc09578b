"""Which client somebody is, by what the Engine says of who has his address."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.families import Kind
from trioproxy.errors import Nobody, Untold
from trioproxy.judge.identity import (
    OnNetwork,
    choose,
    members_of,
    names_for,
    needs_image,
    networks_of,
    read_list,
    unmarked,
    who_have,
)
from trioproxy.limits.things import Thing

PROXY, CLIENT, OTHER = "f0" * 32, "a1" * 32, "b2" * 32
FRONT, BACK = "1" * 64, "2" * 64
AT = "172.20.0.3"
COMPOSE = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.service": "web",
    "com.docker.compose.container-number": "1",
}


def on(**each: str) -> dict[str, Any]:
    """Networks, each with the address there: `front` and `back` are made, `bridge` and `podman` are not."""
    ids = {"front": FRONT, "back": BACK, "bridge": "3" * 64}
    ids["podman"] = hashlib.sha256(b"podman").hexdigest()
    return {
        "Networks": {n: {"IPAddress": a, "NetworkID": ids[n]} for n, a in each.items()}
    }


def container(full: str = CLIENT, name: str = "/web", **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    networks = on(front=AT)
    value = {"Id": full, "Names": [name], "ImageID": "sha256:x", "Labels": {}}
    return {**value, "Status": "Up 3 seconds", "NetworkSettings": networks, **more}


def proxy(**each: str) -> dict[str, Any]:
    return container(PROXY, "/proxy", NetworkSettings=on(**each or {"front": "172.20.0.2"}))  # fmt: skip


def found(*listed: dict[str, Any], address: str = AT) -> list[str]:
    """The names of who have an address, among these and the proxy."""
    those = who_have(address, read_list([*listed]), PROXY)
    return [one.thing.names[0] for one in those]


def test_who_has_an_address_beside_the_proxy() -> None:
    """The one container on a network that the proxy is on, by its address there."""
    assert found(proxy(), container()) == ["web"]
    six = {"Networks": {"front": {"IPAddress": "172.20.0.9", "GlobalIPv6Address": "fd00::3", "NetworkID": FRONT}}}  # fmt: skip
    assert found(proxy(), container(NetworkSettings=six), address="fd00::3") == ["web"]
    linked = container(Names=["/web", "/other/alias"])
    assert found(proxy(), linked) == ["web"]


def test_who_is_nobody() -> None:
    """An address on another network, on the bridge, of the proxy, or that nobody has."""
    elsewhere = container(NetworkSettings=on(back=AT))
    assert found(proxy(), elsewhere) == []
    assert found(proxy(front="172.20.0.2", back="172.21.0.2"), elsewhere) == ["web"]
    on_bridge = container(NetworkSettings=on(bridge=AT))
    assert found(proxy(front="172.20.0.2", bridge="172.17.0.2"), on_bridge) == []
    assert found(proxy(front=AT)) == []
    assert found(proxy(), address="172.20.0.77") == []
    assert found(container()) == [], "the proxy is not in the list"


def test_an_address_of_two_is_nobodys() -> None:
    """Be the other one the proxy; and so is that of a container which a client made."""
    assert found(proxy(), container(), container(OTHER, "/db")) == ["web", "db"]
    assert found(proxy(front=AT), container()) == ["proxy", "web"]
    made = container(Labels={"trioproxy.owner": ""})
    [one] = who_have(AT, read_list([proxy(), made]), PROXY)
    with pytest.raises(Nobody, match="web was made through a proxy, and chooses no"):
        unmarked(one)


HALVES: list[dict[str, Any]] = [
    container("a1"), container("A1" * 32), container(Names=[]), container(Names=["/a", "/b"]),
    container(Names="/web"), container(Labels=["x"]), container(Labels={"x": 1}), container(Id=None),
]  # fmt: skip


@pytest.mark.parametrize("half", HALVES, ids=range(len(HALVES)))
def test_half_a_description_is_nobody(half: dict[str, Any]) -> None:
    """Where the Engine's list is not what it should be nobody is chosen by it."""
    with pytest.raises(Untold, match="list of containers is not complete"):
        read_list([container(OTHER), half])


END = "e" * 64
JOINED: dict[str, Any] = {
    PROXY: {"Name": "proxy", "EndpointID": "p", "IPv4Address": "172.20.0.2/16"},
    CLIENT: {
        "Name": "web", "EndpointID": END, "IPv4Address": f"{AT}/16", "IPv6Address": "fd00::3/64",
    },
}  # fmt: skip


def test_who_is_on_a_network() -> None:
    """By each address, with its name and end; nobody where the proxy is not on it, or nobody at all."""
    web = [OnNetwork(CLIENT, "web", END)]
    there = members_of({"Containers": JOINED}, PROXY)
    assert there == {"172.20.0.2": [OnNetwork(PROXY, "proxy", "p")], AT: web, "fd00::3": web}  # fmt: skip
    two = members_of({"Containers": {**JOINED, OTHER: {"IPv4Address": AT}}}, PROXY)
    assert two[AT] == [*web, OnNetwork(OTHER, "", "")]
    assert members_of({"Containers": {CLIENT: JOINED[CLIENT]}}, PROXY) == {}
    assert members_of({"Containers": None}, PROXY) == {}
    halves: list[Any] = [
        [],
        {**JOINED, OTHER: []},
        {**JOINED, OTHER: {"IPv4Address": 1}},
    ]
    for half in halves:
        with pytest.raises(Untold, match="description of a network is not complete"):
            members_of({"Containers": half}, PROXY)


def test_the_networks_that_somebody_made() -> None:
    """By their ids, with their names; what has none, and what each Engine has, is none."""
    described = container(
        NetworkSettings=on(front=AT, bridge="172.17.0.9", podman="10.88.0.9")
    )
    assert networks_of(described) == {FRONT: "front"}
    none: dict[str, Any] = {"Networks": {"front": {"NetworkID": ""}, "back": None}}
    assert networks_of({"NetworkSettings": none}) == {}


def thing(labels: dict[str, str], inherited: dict[str, str] | None = None) -> Thing:
    return Thing(Kind.CONTAINER, CLIENT, ("shop-web-1",), labels, inherited=inherited)


LABEL = {"trioproxy.policy": "ci"}
NAMES: list[tuple[dict[str, str], dict[str, str], list[str]]] = [
    ({}, {}, ["shop-web-1"]),
    (LABEL, {}, ["ci"]),
    (LABEL | COMPOSE, {}, ["ci"]),
    (COMPOSE, {}, ["shop.web", "web", "shop-web-1"]),
    # `container_name` may be what the service is called: one file, and told once.
    (
        COMPOSE | {"com.docker.compose.service": "shop-web-1"},
        {},
        ["shop.shop-web-1", "shop-web-1"],
    ),
    # What it has from its image it has not chosen.
    (LABEL, LABEL, ["shop-web-1"]),
    (LABEL, {"trioproxy.policy": "other"}, ["ci"]),
    (COMPOSE, COMPOSE, ["shop-web-1"]),
    ({k: v for k, v in COMPOSE.items() if "number" not in k}, {}, ["shop-web-1"]),
    ({k: v for k, v in COMPOSE.items() if "service" not in k}, {}, ["shop-web-1"]),
    ({k: v for k, v in COMPOSE.items() if "project" not in k}, {}, ["shop-web-1"]),
    # A label chooses also where it names no policy that there could be.
    ({"trioproxy.policy": ""}, {}, []),
    ({"trioproxy.policy": "../x"}, {}, []),
    ({"trioproxy.policy": "CI"}, {}, []),
]


@pytest.mark.parametrize(("labels", "inherited", "names"), NAMES, ids=str)
def test_what_a_container_may_choose(
    labels: dict[str, str], inherited: dict[str, str], names: list[str]
) -> None:
    """Its label, else what Compose calls it, else its name."""
    found = names_for(thing(labels, inherited))
    assert found == names
    (one,) = read_list([container(name="/shop-web-1")])
    one.names = found
    for known in names:
        assert choose(one, {known: True, "else": True})[-1] == known
    assert not names or choose(one, dict.fromkeys(names, True)) == names[:1]
    with pytest.raises(Nobody) as caught:
        choose(one, {"else": True})
    files = " or ".join(f"{name}.env" for name in names) or "no file"
    assert f"has no policy here: {files} in POLICIES" in str(caught.value)
    # The same label once more, beside the image's, would count for nothing.
    assert str(caught.value).endswith("in lower case, not as its image has it")


def test_an_image_that_is_gone() -> None:
    """Nobody knows which labels came from it: who has one of those that choose is nobody."""
    for labels in (LABEL, COMPOSE):
        assert needs_image(thing(labels))
        with pytest.raises(Nobody, match="the image of the container shop-web-1 is gone"):  # fmt: skip
            names_for(thing(labels))
    assert not needs_image(thing({"x": "y"}))
    assert names_for(thing({"x": "y"})) == ["shop-web-1"]


@given(name=st.text("aZ0._-/", min_size=1, max_size=66))
def test_a_name_of_a_file(name: str) -> None:
    """What names a policy is a file in one folder: no path, no capitals, no hidden file."""
    is_name = name[0] not in "._-" and not set(name) & {"/", "Z"} and len(name) <= 64
    assert names_for(thing({"trioproxy.policy": name}, {})) == [name] * is_name
