"""What no client may do where others are known by their containers, whatever its policy."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.deciding import Answer, Door, World, asked
from trioproxy.errors import BadBody
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.guard import JOINING, Guard, refuses_body
from trioproxy.judge.rules import Reason
from trioproxy.limits.marks import OWNER_LABEL

ID = "ab" * 32
OF_A_SWARM = "w8klx393ei2fp60d57oescl7x"
PROXY = "ef" * 32
BRIDGE = "com.docker.network.bridge.name"
ALL = {
    **dict.fromkeys(("POST", "CONTAINERS", "NETWORKS", "BUILD", "SERVICES"), "1"),
    **dict.fromkeys(("IMAGES", "VOLUMES", "PING", "EXEC", "LIBPOD_NETWORKS"), "1"),
}
OURS = Guard(
    names=frozenset({"web", "worker"}),
    networks=frozenset({"front", ID, "9f", "over", OF_A_SWARM}),
    container=frozenset({"proxy", PROXY}),
)
UNKNOWN = Guard(names=frozenset(), networks=None)
SAYS = "is refused in every policy here: clients are known by their containers"


def becomes(
    line: str,
    body: object = None,
    guard: Guard | None = OURS,
    world: World | None = None,
) -> Answer:
    gate = replace(Gate.enforcing(parse_policy(ALL)[0]), guard=guard)
    return asked(Door(gate=gate), line, body, world)


CREATE, CONNECT = "POST /containers/create", "POST /networks/other/connect"
BUILD, RENAME = "POST /build", "POST /containers/c/rename"


def mode(text: str) -> dict[str, Any]:
    return {"HostConfig": {"NetworkMode": text}}


def endpoint(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"NetworkingConfig": {"EndpointsConfig": {name: more}}}


JOINS: dict[str, tuple[str, object]] = {
    "a mode": (CREATE, mode("front")),
    "a mode in another case": (CREATE, {"hostconfig": {"networkmode": "front"}}),
    "a mode at the top, as Engines before 27 read it": (CREATE, {"NetworkMode": "front"}),
    "an endpoint": (CREATE, endpoint("front")),
    "an endpoint without anything": (CREATE, {"NetworkingConfig": {"EndpointsConfig": {"front": None}}}),
    "an endpoint by its id": (CREATE, endpoint("other", NetworkID=ID)),
    "the beginning of an id": (CREATE, mode("abab")),
    "that in capitals": (CREATE, mode("ABAB")),
    "the beginning of the shorter id of a swarm's network": (CREATE, mode("w8klx3")),
    "a container's": (CREATE, mode("container:c")),
    "a container's by its path, as Podman has it": (CREATE, mode("ns:/run/netns/netns-1")),
    "one with options, as Podman has it": (CREATE, mode("front:alias=x")),
    "two, as Podman has it": (CREATE, mode("other,front")),
    "a connect": ("POST /networks/front/connect", {"Container": "c"}),
    "a connect by the beginning of an id": ("POST /networks/ababab/connect", {"Container": "c"}),
    "a connect to another one, with the id of ours": (CONNECT, {"Container": "c", "EndpointConfig": {"NetworkID": ID}}),
    "a build": (f"{BUILD}?networkmode=front", None),
    "a build in another case": (f"{BUILD}?NetworkMode=front", None),
    "a build with two": (f"{BUILD}?networkmode=other&networkmode=front", None),
    "a build as Podman has it": (f'{BUILD}?nsoptions=[{{"Name":"network","Path":"front"}}]', None),
    "that with a long s": (f'{BUILD}?n%C5%BFoptions=[{{"Name":"network","Path":"front"}}]', None),
    "a build in a container's": (f"{BUILD}?networkmode=container:c", None),
}  # fmt: skip


@pytest.mark.parametrize(("line", "body"), JOINS.values(), ids=JOINS)
def test_nobody_joins_a_network_of_the_proxys(line: str, body: object) -> None:
    """Who is on it can send with a client's address; without a guard it is a request like others."""
    answer = becomes(line, body)
    assert (answer.allowed, answer.status) == (False, 403)
    assert answer.message.endswith(SAYS)
    assert becomes(line, body, None).allowed


FREE: dict[str, tuple[str, object]] = {
    "nothing": (CREATE, {}),
    "the bridge": (CREATE, mode("bridge")),
    "none": (CREATE, mode("none")),
    "another network": (CREATE, mode("other")),
    "a name that begins as one of ours": (CREATE, mode("fron")),
    "a name that goes on": (CREATE, mode("frontend")),
    "the beginning of a short name": (CREATE, mode("9")),
    "another endpoint": (CREATE, endpoint("other", NetworkID="cd" * 32)),
    "an alias that is called so": (CREATE, endpoint("other", Aliases=["front"])),
    "links": (CREATE, {"HostConfig": {"Links": ["proxy", "db:x", "/db:/c/.x"]}}),
    "no links": (CREATE, {"HostConfig": {"Links": None}}),
    "a connect to another one": (CONNECT, {"Container": "front"}),
    "another build": (f"{BUILD}?networkmode=other&t=front&target=container:c", None),
    "a connect of one whose name goes on": (CONNECT, {"Container": "proxy2"}),
    "a connect of the beginning of a name": (CONNECT, {"Container": "prox"}),
    "a disconnect of another one": (
        "POST /networks/front/disconnect",
        {"Container": "c", "Force": True},
    ),
    "a name that no policy has": (f"{RENAME}?name=webs", None),
    "a bridge": ("POST /networks/create", {"Name": "n", "Driver": "bridge"}),
    "a network of no driver": ("POST /networks/create", {"Name": "n"}),
    "a bridge by its name": (
        "POST /networks/create",
        {"Options": {BRIDGE: "br0", "com.docker.network.driver.mtu": "1400"}},
    ),
    "a bridge with an option": ("POST /networks/create", {"Options": {"vlan": "5"}}),
    "a read": ("GET /networks/front", None),
    "a read of the swarm": ("GET /services", None),
    "a start": ("POST /containers/c/start", None),
    "a read that no row has": ("GET /containers/x/frob", None),
    "a head that no row has": ("HEAD /containers/x/frob", None),
}


@pytest.mark.parametrize(("line", "body"), FREE.values(), ids=FREE)
def test_all_else_passes(line: str, body: object) -> None:
    """What is guarded keeps nobody from anything else."""
    answer = becomes(line, body)
    assert answer.allowed, answer.message


REFUSED: dict[str, tuple[str, object, str]] = {
    "a name that a policy has": (f"{RENAME}?name=web", None, "to call a container web, as a policy is, "),
    "that with a slash": (f"{RENAME}?name=/worker", None, "to call a container worker, as a policy is, "),
    "the proxy's own container": ("POST /containers/proxy/rename?name=n", None, "to rename what may be this proxy's own container "),
    "that by the beginning of its id": ("POST /containers/efef/rename?name=n", None, "to rename what may be this proxy's own container "),
    "a connect of it": (CONNECT, {"Container": "proxy"}, "NetworkConnect of proxy, which may be this proxy's own container, "),
    "a connect of it with a slash": (CONNECT, {"container": "/proxy"}, "NetworkConnect of /proxy, which may be this proxy's own container, "),
    "a connect of it by its id": (CONNECT, {"Container": PROXY}, f"NetworkConnect of {PROXY}, which may be this proxy's own container, "),
    "a connect of it by the beginning of that": (CONNECT, {"Container": "ef"}, "NetworkConnect of ef, which may be this proxy's own container, "),
    "a connect of it to the bridge": ("POST /networks/bridge/connect", {"Container": "proxy"}, "NetworkConnect of proxy, which may be this proxy's own container, "),
    "a disconnect of it": ("POST /networks/front/disconnect", {"Container": "proxy"}, "NetworkDisconnect of proxy, which may be this proxy's own container, "),
    "a connect of it by a link to it": (CONNECT, {"Container": "c/alias"}, "NetworkConnect of c/alias, which may be this proxy's own container, "),
    "a rename of it by a link to it": ("POST /containers/c/alias/rename?name=n", None, "to rename what may be this proxy's own container "),
    "that with an escape": ("POST /containers/c%2Falias/rename?name=n", None, "to rename what may be this proxy's own container "),
    **{
        f"a plain name by the link {text}": (
            CREATE, body, f"ContainerCreate with the link {text}, which gives another container a name, ")
        for text, body in {
            "proxy:../n": {"HostConfig": {"Links": ["db", "proxy:../n"]}},
            "db:x/../../n": {"hostconfig": {"links": ["db:x/../../n"]}},
            "/db:/c/..": {"Links": ["/db:/c/.."]},
        }.items()
    },
    "a connect of it by Podman's own route": ("POST /libpod/networks/other/connect", {"container": "proxy"}, "LibpodNetworkConnect, which may make containers that have no mark, "),
    "a driver that lies on another network": (
        "POST /networks/create", {"Name": "n", "Driver": "macvlan"},
        "NetworkCreate with the driver macvlan, which may lie on one of this proxy's networks, "),
    "a bridge that Podman may give to two": (
        "POST /networks/create", {"Name": "n", "Driver": "bridge", "options": {BRIDGE: "podman1", "mode": "unmanaged"}},
        "NetworkCreate on a bridge that it names, with options that are not Docker's, which may lie on one of this proxy's networks, "),
    "a service of a swarm": ("POST /services/create", {}, "ServiceCreate, which may make containers that have no mark, "),
    "a write that no row has": ("POST /containers/x/frob", None, "POST of a route that is not known "),
}  # fmt: skip


@pytest.mark.parametrize(("line", "body", "what"), REFUSED.values(), ids=REFUSED)
def test_nobody_becomes_another_one(line: str, body: object, what: str) -> None:
    """A policy's name, a network beside the proxy's, and containers that nobody can mark."""
    answer = becomes(line, body)
    assert not answer.allowed
    assert answer.message == f"{what}{SAYS}"
    assert becomes(line, body, None).allowed


CLIENT = "12" * 32


def renamed(
    networks: dict[str, Any], labels: object = None, guard: Guard = OURS
) -> Answer:
    """What becomes of a rename of a container that is on these networks."""
    value = {"Id": CLIENT, "Name": "/c", "Config": {"Labels": labels}, "HostConfig": {}}
    settings = {"NetworkSettings": {"Networks": networks}}
    world = {"/containers/c/json": {**value, **settings}}
    return becomes(f"{RENAME}?name=webs", None, guard, world)


@pytest.mark.parametrize("name", ["front", "other"], ids=["by name", "by id"])
def test_nobody_takes_a_name_before_its_policy_comes(name: str) -> None:
    """A client that may rename calls no client otherwise, itself neither: the file that is called so may come tomorrow."""
    networks = {"bridge": {"NetworkID": "cd" * 32}, name: {"NetworkID": ID}}
    answer = renamed(networks)
    assert not answer.allowed
    assert answer.message == f"to rename what may be a client {SAYS}"
    if name == "front":  # made, and never started
        assert not renamed({name: {}}).allowed


def test_who_can_be_no_client_is_renamed() -> None:
    """What a client made, what is on other networks, and what is not there at all; and it is renamed by the id of what was looked at."""
    ours, others = {"front": {"NetworkID": ID}}, {"x": {"NetworkID": "cd" * 32}}
    for answer in (
        renamed(ours, {OWNER_LABEL: ""}),
        renamed(others),
        renamed({"bridge": {"NetworkID": "cd" * 32}}, None, UNKNOWN),
    ):
        assert answer.allowed, answer.message
        assert answer.line == f"POST /containers/{CLIENT}/rename?name=webs"
    assert not renamed(others, None, UNKNOWN).allowed


def test_until_it_is_known_which_are_ours_nothing_is_joined() -> None:
    """And the message says why; what every Engine has is joined all the same."""
    answer = becomes(CREATE, mode("other"), UNKNOWN)
    assert "for nobody knows yet which are this proxy's" in answer.message
    assert "as one of this proxy's may be" in becomes(CREATE, mode("front")).message
    assert becomes(CREATE, mode("bridge"), UNKNOWN).allowed
    assert becomes(CREATE, {}, UNKNOWN).allowed


NAMES = st.text("abcdef0129-", min_size=1, max_size=70)


@given(
    text=NAMES
    | st.integers(1, 64).map(lambda n: ID[:n])
    | st.integers(1, 25).map(lambda n: OF_A_SWARM[:n]),
    others=st.sets(NAMES),
)
def test_what_may_be_ours(text: str, others: set[str]) -> None:
    """A name as it is, and an id by its beginning: the Engine takes no beginning of a name."""
    names = frozenset(one for one in others if len(one) not in {25, *range(64, 71)})
    guard = Guard(names=frozenset(), networks=names | {ID, OF_A_SWARM})
    begins = any(one.startswith(text.lower()) for one in (ID, OF_A_SWARM))
    assert guard.is_ours(text) is (text in names or begins)


@pytest.mark.parametrize("operation", sorted(JOINING))
def test_a_body_that_cannot_be_read_is_refused(operation: str) -> None:
    """What stands where a network should is no text: nobody knows what that joins."""
    bodies: dict[str, list[dict[str, Any]]] = {
        "ContainerCreate": [
            mode(7), {"HostConfig": []}, {"NetworkingConfig": 7},  # type: ignore[arg-type]
            {"HostConfig": {}, "hostconfig": {}}, endpoint("other", NetworkID=7),
        ],
        "NetworkConnect": [{"EndpointConfig": 7}, {"EndpointConfig": {"NetworkID": []}}],
        "NetworkDisconnect": [{"Container": 7}, {"Container": "c", "container": "proxy"}],
        "NetworkCreate": [{"Driver": 7}, {"Options": 7}, {"Driver": "", "driver": "macvlan"}],
    }  # fmt: skip
    for body in bodies[operation]:
        with pytest.raises(BadBody):
            refuses_body(OURS, operation, body)
    assert refuses_body(OURS, operation, None) is None
    assert refuses_body(OURS, "VolumeCreate", mode("front")) is None


def test_a_guard_is_no_rule_that_a_person_is_asked_about() -> None:
    """Nothing in a file would allow it, so the refusal names no command that does."""
    gate = Gate.enforcing(parse_policy(ALL)[0], approve="trioproxy approve x y")
    at = Door(gate=replace(gate, guard=OURS))
    answer = asked(at, f"{RENAME}?name=web")
    assert "approve" not in answer.message
    found = refuses_body(OURS, "NetworkCreate", {"Driver": "ipvlan"})
    assert found is not None
    assert (found.reason, found.rule, found.status) == (Reason.GUARDED, "", 403)
