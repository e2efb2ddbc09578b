"""What one policy grants beyond another, one thing after the other and each by its name."""

import pytest

from trioproxy.file.permissions import parse_policy
from trioproxy.judge.more import more, open_sections
from trioproxy.judge.rules import Policy

Variables = dict[str, str]

CREATE: Variables = {"ALLOW_OPERATIONS": "ContainerCreate"}
EXEC: Variables = {"ALLOW_OPERATIONS": "ContainerExec"}
RUN: Variables = {"ALLOW_OPERATIONS": "ContainerExec,ExecStart"}
BEGIN: Variables = {"ALLOW_OPERATIONS": "ExecStart"}
LIST: Variables = {"ALLOW_OPERATIONS": "ContainerList"}
START: Variables = {"ALLOW_OPERATIONS": "ContainerStart"}
CONNECT: Variables = {"ALLOW_OPERATIONS": "NetworkConnect"}
CLOSED: Variables = {"CREATE_BINDS": ""}
OWN: Variables = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "a"}
JOIN: Variables = CREATE | OWN | {"ONLY_NETWORKS": "bridge,web"}

# Before, after, and what is granted by that.
TABLE: dict[str, tuple[Variables, Variables, list[str]]] = {
    "nothing": (LIST, LIST, []),
    "less": ({"ALLOW_OPERATIONS": "ContainerList,VolumeList"}, LIST, []),
    "an operation": (LIST, {"ALLOW_OPERATIONS": "ContainerList,VolumeList"}, ["ALLOW_OPERATIONS=VolumeList"]),
    "an operation with two routes": (
        LIST, {"ALLOW_OPERATIONS": "ContainerList,NetworkList"}, ["ALLOW_OPERATIONS=NetworkList"]),
    "a route that is named": (
        LIST, {"ALLOW_OPERATIONS": "ContainerList,GET:/frob/{id}"}, ["ALLOW_OPERATIONS=GET:/frob/{id}"]),
    "a route by another parameter": (
        {"ALLOW_OPERATIONS": "GET:/frob/{id}"}, {"ALLOW_OPERATIONS": "GET:/frob/{name}"}, []),
    "a route that another one has in it": (
        {"ALLOW_OPERATIONS": "GET:/frob/x"}, {"ALLOW_OPERATIONS": "GET:/frob/{id}"}, ["ALLOW_OPERATIONS=GET:/frob/{id}"]),
    "a route that lies in another one": (
        {"ALLOW_OPERATIONS": "GET:/frob/{id}"}, {"ALLOW_OPERATIONS": "GET:/frob/x"}, []),
    "an open family": (CREATE | CLOSED, CREATE, ["CREATE_*=*"]),
    "an open variable": (CREATE | CLOSED, CREATE | {"CREATE_BINDS": "*"}, ["CREATE_BINDS=*"]),
    "an item": (CREATE | CLOSED, CREATE | {"CREATE_BINDS": "/a"}, ["CREATE_BINDS=/a"]),
    "an item that lies in another one": (
        CREATE | {"CREATE_BINDS": "/a,/a/*"}, CREATE | {"CREATE_BINDS": "/a/b"}, []),
    "an item of what no operation asks for": (LIST | CLOSED, LIST | {"CREATE_BINDS": "/a"}, []),
    "an item beside lists, where nothing is reached into": (
        LIST | OWN | CLOSED, LIST | OWN | {"CREATE_BINDS": "/a"}, []),
    "an operation with its items": (
        LIST | CLOSED, CREATE | {"CREATE_BINDS": "/a"}, ["ALLOW_OPERATIONS=ContainerCreate", "CREATE_BINDS=/a", "CREATE_IMAGES=*"]),
    "items that only another operation could ask for": (
        EXEC | {"CREATE_BINDS": "/a", "EXEC_USERS": "1"}, CREATE | {"CREATE_BINDS": "/a", "EXEC_USERS": "1"},
        ["ALLOW_OPERATIONS=ContainerCreate", "CREATE_BINDS=/a", "CREATE_IMAGES=*"]),
    "what is reached into beside lists": (
        EXEC | OWN | CLOSED, EXEC | OWN | {"CREATE_BINDS": "/a"}, ["CREATE_BINDS=/a"]),
    "images, of which reaching into asks for none": (
        EXEC | OWN | CLOSED | {"CREATE_IMAGES": "a"}, EXEC | OWN | CLOSED, []),
    "what is reached into without": (EXEC | CLOSED, EXEC | {"CREATE_BINDS": "/a"}, []),
    "what is reached into as nothing limits it": (EXEC | OWN | CLOSED, EXEC | OWN, ["CREATE_*=*"]),
    "what is reached into as no list of objects is there": (
        EXEC | CLOSED | {"ONLY_CONTAINERS": "*", "ONLY_OWNER": "a"}, EXEC | CLOSED, ["CREATE_*=*"]),
    "what execs of others do as no list of objects is there": (
        BEGIN | OWN | {"EXEC_COMMANDS": "echo"}, BEGIN | {"EXEC_COMMANDS": "echo"}, ["ONLY_CONTAINERS=*"]),
    "what execs of others do as a list of all is there no more": (
        BEGIN | {"ONLY_CONTAINERS": "*", "ONLY_OWNER": "a", "EXEC_COMMANDS": "echo"}, BEGIN | {"EXEC_COMMANDS": "echo"}, ["EXEC_*=*"]),
    "an exec of somebody else that is started beside lists": (
        RUN | OWN | {"EXEC_COMMANDS": "echo"}, BEGIN | OWN | {"EXEC_PRIVILEGED": ""}, ["EXEC_COMMANDS=*"]),
    "an exec of somebody else that is started without": (
        RUN | {"EXEC_COMMANDS": "echo"}, BEGIN | {"EXEC_PRIVILEGED": ""}, []),
    "a name": (START | OWN, START | OWN | {"ONLY_CONTAINERS": "@own,web"}, ["ONLY_CONTAINERS=web"]),
    "a name that a star fits": (
        START | OWN | {"ONLY_CONTAINERS": "web-*"}, START | OWN | {"ONLY_CONTAINERS": "web-1"}, []),
    "any container": (START | OWN, START | OWN | {"ONLY_CONTAINERS": "*"}, ["ONLY_CONTAINERS=*"]),
    "no lists": (START | OWN, START, ["ONLY_CONTAINERS=*"]),
    "lists where nothing names anything": (
        {"ALLOW_OPERATIONS": "SystemPing"} | OWN, {"ALLOW_OPERATIONS": "SystemPing"}, []),
    "no lists where answers tell of all": (
        LIST | OWN, LIST, ["ONLY_CONTAINERS=*"]),
    "no lists where events tell of all": (
        {"ALLOW_OPERATIONS": "SystemEvents"} | OWN, {"ALLOW_OPERATIONS": "SystemEvents"},
        ["ONLY_CONTAINERS=*", "ONLY_NETWORKS=*", "ONLY_VOLUMES=*"]),
    "another network where networks are only told of": (
        {"ALLOW_OPERATIONS": "NetworkList"} | OWN | {"CREATE_NETWORK": "web"}, {"ALLOW_OPERATIONS": "NetworkList"} | OWN, []),
    "another owner": (
        START | OWN, START | OWN | {"ONLY_OWNER": "b"}, ["ONLY_CONTAINERS=@own by ONLY_OWNER=b"]),
    "the bridge, which another network stands for": (
        JOIN | {"CREATE_NETWORK": "web"}, JOIN, ["CREATE_NETWORK=bridge"]),
    "the bridge, on which nothing is made": (
        START | OWN | {"ONLY_NETWORKS": "bridge,web", "CREATE_NETWORK": "web"}, CONNECT | OWN | {"ONLY_NETWORKS": "bridge,web"},
        ["ALLOW_OPERATIONS=NetworkConnect"]),
    "the bridge, where no list is left that it could be on": (
        JOIN | {"CREATE_NETWORK": "web"}, CREATE,
        ["ONLY_CONTAINERS=*", "ONLY_NETWORKS=*", "ONLY_VOLUMES=*", "CREATE_NETWORK=bridge"]),
    "another network, where the bridge is none of the list's": (
        JOIN | {"CREATE_NETWORK": "web"}, JOIN | {"ONLY_NETWORKS": "web"}, []),
    "answers that tell": (
        LIST | {"REDACT": "env,commands"}, LIST | {"REDACT": "commands"}, ["REDACT=answers with environments"]),
    "answers that tell all": (
        {"ALLOW_OPERATIONS": "ContainerInspect", "REDACT": "env,commands,labels"}, {"ALLOW_OPERATIONS": "ContainerInspect"},
        [f"REDACT=answers with {one}" for one in ("commands", "environments", "labels")]),
    "answers of nothing that has any": (
        {"ALLOW_OPERATIONS": "SystemPing", "REDACT": "env"}, {"ALLOW_OPERATIONS": "SystemPing"}, []),
}  # fmt: skip


def policy(variables: Variables) -> Policy:
    return parse_policy(variables)[0]


@pytest.mark.parametrize(("old", "new", "granted"), TABLE.values(), ids=TABLE)
def test_what_is_more(old: Variables, new: Variables, granted: list[str]) -> None:
    """Each grant by the variable and the item that a reviewer can strike out."""
    assert list(map(str, more(policy(old), policy(new)))) == granted
    assert not list(more(policy(new), policy(new)))


def test_a_section_opens_what_nobody_knows_yet() -> None:
    """Beside the operations of the table, newer ones: reading ones, and with `POST` writing ones."""
    closed, reading = {"IMAGES": "0"}, {"IMAGES": "1"}
    found = [one.item for one in more(policy(closed), policy(reading))]
    assert [one for one in found if one.startswith("unknown")] == ["unknown reading routes in IMAGES"]  # fmt: skip
    assert "ImageList" in found
    assert "ImageDelete" not in found
    found = [one.item for one in more(policy(reading), policy({**reading, "POST": "1"}))]  # fmt: skip
    assert "unknown writing routes in IMAGES" in found
    assert "ImageDelete" in found
    assert "ImageList" not in found


def test_a_word_that_refuses_is_a_word_less() -> None:
    """A route that is named may pass by another word than that which a section refuses."""
    shut = {"CONTAINERS": "1", "ALLOW_LOGS": "0"}
    found = [one.item for one in more(policy(shut), policy({"CONTAINERS": "1"}))]
    assert found == ["ContainerLogs"]


@pytest.mark.parametrize(
    ("beside", "sections"),
    [
        ({}, "CONTAINERS EVENTS PING VERSION"),
        ({"REDACT": "env"}, ""),
        ({"ONLY_CONTAINERS": "web", "ONLY_OWNER": "a"}, ""),
        (
            {"CONTAINERS": "0", "EVENTS": "0", "LIBPOD_PODS": "1"},
            "PING VERSION LIBPOD_PING LIBPOD_PODS LIBPOD_VERSION",
        ),
    ],
    ids=["sections", "redacted", "confined", "podman"],
)
def test_where_unknown_routes_pass(beside: dict[str, str], sections: str) -> None:
    """What is told to be open is where one passes: not beside what shuts it, and Podman's too."""
    policy, _ = parse_policy({"CONTAINERS": "1", **beside})
    assert open_sections(policy) == tuple(sections.split())
