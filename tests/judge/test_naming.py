"""What a request names, judged by what the Engine has: in front of a scripted Engine."""

import re
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.corpus import OWN, OWNER, PLAIN
from tests.deciding import Answer, asked, decide, door, written
from tests.judge.judging import found_of
from trioproxy.api.families import Kind
from trioproxy.api.routes import ENDPOINTS, Touch
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, NeedThings, Refused
from trioproxy.judge.rules import UNRESOLVED
from trioproxy.limits.things import Known, Thing, listed

ID = "1" * 64
OPERATIONS = {
    "ALLOW_OPERATIONS": "ContainerCreate,ContainerExec,ContainerInspect,ContainerRename,"
    "ContainerStart,ContainerRestart,ContainerDelete,VolumeCreate,VolumeDelete,"
    "VolumeInspect,NetworkConnect,NetworkInspect,ImageCommit,ContainerArchive"
}
LISTED = {**OPERATIONS, "ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}
CONFINED = {**LISTED, "CREATE_BINDS": "/srv/app"}
HOST: dict[str, Any] = {"CapDrop": ["MKNOD"]}
EXEC, START, INSPECT = (
    "POST /containers/c/exec",
    "POST /containers/c/start",
    "GET /containers/c/json",
)


def container(labels: object = OWNER, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    value = {"Id": ID, "Name": "/c", "Image": PLAIN, "Config": {"Labels": labels}}
    return {**value, "HostConfig": HOST, **more}


def world(one: object = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    """An Engine with a container, two volumes and two networks of two people."""
    found: dict[str, Any] = {
        "/containers/c/json": one or container(),
        f"/images/{PLAIN}/json": {"Id": PLAIN, "Config": {}},
        "/info": {"DefaultRuntime": "runc"},
    }
    for name, labels in (("mine", OWNER), ("theirs", None)):
        found[f"/volumes/{name}"] = {"Name": name, "Driver": "local", "Labels": labels}
        found[f"/networks/{name}"] = {"Name": name, "Id": name * 10, "Labels": labels}
    folder = {"Options": {"type": "none", "o": "bind", "device": "/etc"}}
    found["/volumes/folder"] = {"Name": "folder", "Driver": "local", "Labels": OWNER, **folder}  # fmt: skip
    return found | more


@pytest.mark.parametrize(
    "command",
    [
        ["/bin/sh", "-c", "#(nop) ", "LABEL trioproxy.owner=app"],
        ["/bin/sh", "-c", "#(nop) LABEL trioproxy.owner=app"],
        ["/of/a/SHELL", "#(nop) ", "LABEL x=y"],
    ],
)
def test_a_container_of_a_build_is_nobodys(command: list[str]) -> None:
    """What the classic builder makes for a `LABEL` has the label, and its image has not: no list finds it by that."""
    for only in ("@own", "@label:a=b"):
        lists = {**LISTED, "ONLY_CONTAINERS": only}
        for cmd, allowed in ((["sleep", "9"], True), (command, False)):
            config = {"Labels": {**OWNER, "a": "b"}, "Cmd": cmd}
            here = world(container(Config=config))
            for line in (START, INSPECT):
                assert decide(lists, line, None, here).allowed is allowed, (only, cmd)
    shown: dict[str, Any] = {"Id": ID, "Names": ["/c"], "Labels": OWNER}
    shown["ImageID"] = PLAIN
    assert listed(Kind.CONTAINER, {**shown, "Command": "sleep 9"}).labels == OWNER
    step = {"Labels": OWNER, "Cmd": ["/bin/sh", "-c", "make"]}
    for test, log, allowed in (("NONE", "none", False), ("CMD", "none", True), ("NONE", "local", True)):  # fmt: skip
        config = {**step, "Healthcheck": {"Test": [test]}}
        here = world(container(Config=config, HostConfig={**HOST, "LogConfig": {"Type": log}}))  # fmt: skip
        assert decide(LISTED, START, None, here).allowed is allowed
    text = "/bin/sh -c '#(nop) ' 'LABEL x=y'"
    assert listed(Kind.CONTAINER, {**shown, "Command": text}).labels == {}


def mounts(*names: str) -> list[dict[str, str]]:
    return [{"Type": "volume", "Name": name} for name in names]


def networks(**pins: str) -> dict[str, Any]:
    return {"Networks": {name: {"NetworkID": pin} for name, pin in pins.items()}}


def because(answer: Answer) -> str:
    """What of a refusal stands behind the operation."""
    assert not answer.allowed
    return answer.message.partition(" ")[2]


@pytest.mark.parametrize("line", [EXEC, START])
def test_an_own_container_with_a_strangers_volume(line: str) -> None:
    """Whoever reaches into a container has its volumes: they are judged as if named."""
    ours = world(container(Mounts=mounts("mine")))
    assert decide(LISTED, line, {} if line == EXEC else None, ours).allowed
    theirs = world(container(Mounts=mounts("mine", "theirs")))
    answer = decide(LISTED, line, {} if line == EXEC else None, theirs)
    assert because(answer) == "names volume theirs in container c, which ONLY_VOLUMES does not list"  # fmt: skip
    assert decide(LISTED, INSPECT, None, theirs).allowed


def test_a_listed_container_of_somebody_else_has_what_it_has() -> None:
    """Whose volumes it mounts counts for the client's own containers alone."""
    by_name = {**LISTED, "ONLY_CONTAINERS": "c"}
    theirs = world(container(None, Mounts=mounts("theirs")))
    assert decide(by_name, EXEC, {}, theirs).allowed
    ours = world(container(Mounts=mounts("theirs")))
    assert not decide(by_name, EXEC, {}, ours).allowed


MODES = {"PidMode": True, "IpcMode": False, "NetworkMode": False}
"""By which field one joins another, and whether that is over when the other one is gone."""
MAY_JOIN = {
    **CONFINED,
    "CREATE_NAMESPACES": "pid:container,ipc:container,net:container",
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("line", [EXEC, START])
def test_whom_a_container_joined(line: str, mode: str) -> None:
    """Who reaches into a container has what the one has whose processes, memory or network that has, be it by way of another one."""
    policy = MAY_JOIN
    body: object = {} if line == EXEC else None
    ids = ["1" * 64, "2" * 64, "3" * 64]

    def seen(*others: dict[str, Any], **lists: str) -> Answer:
        here = dict[str, Any]()
        for at, one in enumerate((container(), *others)):
            joined = f"container:{ids[at + 1]}" if at < len(others) else ""
            host = {mode: joined, **one["HostConfig"]}
            here[f"/containers/{ids[at] if at else 'c'}/json"] = {**one, "Id": ids[at], "HostConfig": host}  # fmt: skip
        return decide({**policy, **lists}, line, body, world() | here)

    bound = container(HostConfig={**HOST, "Binds": ["/etc:/x"]})
    assert seen(container()).allowed
    assert seen(container(), container()).allowed
    for others in ((bound,), (container(), bound)):
        assert because(seen(*others)) == (
            f"reaches into container {ids[len(others)]}, which has HostConfig.Binds[0]=/etc, and CREATE_BINDS does not list that"
        )
    volume = container(Mounts=mounts("theirs"))
    assert because(seen(container(), volume)) == "names volume theirs in container c, which ONLY_VOLUMES does not list"  # fmt: skip
    stranger = container(None)
    assert (
        because(seen(stranger))
        == f"names container {ids[1]} in container c, which ONLY_CONTAINERS does not list"
    )
    # What somebody else's container was joined to is his affair, and what that has is not.
    assert not seen(bound, ONLY_CONTAINERS="c").allowed
    gone = world(container(HostConfig={**HOST, mode: f"container:{ids[1]}"}))
    assert decide(policy, line, body, gone).allowed is MODES[mode]


def test_whom_a_container_joined_by_several_ways() -> None:
    """Each is looked at: one whose processes it sees, and another whose network it has, behind which may be the host's."""
    ids = ["1" * 64, "2" * 64, "3" * 64, "4" * 64]

    def decided(last: str) -> Answer:
        modes = [
            {"PidMode": f"container:{ids[1]}", "NetworkMode": f"container:{ids[2]}"},
            {},
            {"IpcMode": "shareable", "NetworkMode": f"container:{ids[3]}"},
            {"NetworkMode": last},
        ]
        here = world()
        for at, one in enumerate(modes):
            name = ids[at] if at else "c"
            value = container(Id=ids[at], HostConfig={**HOST, **one})
            here[f"/containers/{name}/json"] = value
        return decide(MAY_JOIN, EXEC, {}, here)

    assert decided("none").allowed
    assert because(decided("host")) == (
        f"reaches into container {ids[3]}, which has HostConfig.NetworkMode=host, and CREATE_NAMESPACES does not list that"
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("line", [EXEC, START])
def test_a_container_that_joined_a_name(line: str, mode: str) -> None:
    """The Engine keeps a name as it is where nothing has it, beside `label=disable` or privileged. What has it by now is another one, or the container itself."""
    body: object = {} if line == EXEC else None
    for name in ("c", "d", "f" * 64):
        one = container(HostConfig={**HOST, mode: f"container:{name}"})
        here = world(one) | {f"/containers/{name}/json": one}
        assert decide(MAY_JOIN, line, body, here).message == UNRESOLVED.message, name
    gone = world(container(HostConfig={**HOST, mode: "container:d"}))
    assert not decide(MAY_JOIN, line, body, gone).allowed


@pytest.mark.parametrize("line", [EXEC, START])
def test_containers_that_joined_in_a_ring(line: str) -> None:
    """Each is looked at once: whatever an Engine tells, no request keeps all others waiting."""
    here, ids = world(), ["1" * 64, "2" * 64, "3" * 64]
    for at, name in enumerate(("c", *ids[1:])):
        host = {**HOST, "PidMode": f"container:{ids[(at + 1) % 3]}"}
        here[f"/containers/{name}/json"] = container(Id=ids[at], HostConfig=host)
    assert decide(MAY_JOIN, line, {} if line == EXEC else None, here).allowed
    # It may have joined its own id as well.
    here["/containers/c/json"] = container(Id=ids[0], HostConfig={**HOST, "PidMode": f"container:{ids[0]}"})  # fmt: skip
    assert decide(MAY_JOIN, line, {} if line == EXEC else None, here).allowed


GETTING: dict[str, tuple[str, dict[str, Any]]] = {
    "processes": ("POST /containers/create", {"HostConfig": {"PidMode": "container:c"}}),
    "memory": ("POST /containers/create", {"HostConfig": {"IpcMode": "container:c"}}),
    "network": ("POST /containers/create", {"HostConfig": {"NetworkMode": "container:c"}}),
    "volumes": ("POST /containers/create", {"HostConfig": {"VolumesFrom": ["c:ro"]}}),
    "commit": ("POST /commit?container=c", {}),
}  # fmt: skip


@pytest.mark.parametrize(("line", "body"), GETTING.values(), ids=GETTING)
def test_what_gets_what_a_container_has(line: str, body: dict[str, Any]) -> None:
    """Who joins a container, or makes an image of it, has what it has: that is judged as if it were asked for."""
    joined = "pid:container,ipc:container,net:container,volumes:container"
    variables = {**CONFINED, "CREATE_NAMESPACES": joined, "CREATE_TAGS": "*"}
    assert decide(variables, line, body, world()).allowed
    bound = world(container(HostConfig={**HOST, "Binds": ["/etc:/x"]}))
    answer = decide(variables, line, body, bound)
    assert because(answer) == "reaches into container c, which has HostConfig.Binds[0]=/etc, and CREATE_BINDS does not list that"  # fmt: skip
    theirs = world(container(Mounts=mounts("theirs")))
    answer = decide(variables, line, body, theirs)
    assert because(answer) == "names volume theirs in container c, which ONLY_VOLUMES does not list"  # fmt: skip
    # A link is a name on a network, and no more.
    linked = {"HostConfig": {"Links": ["c:x"]}}
    variables |= {"CREATE_NAMESPACES": "links"}
    assert decide(variables, "POST /containers/create", linked, bound).allowed


@pytest.mark.parametrize(
    ("runs", "has"),
    [
        ({"entrypoint": "id", "user": "app"}, ""),
        ({"entrypoint": "id", "user": "me"}, ""),
        ({"entrypoint": "id", "privileged": True}, "Privileged=true, and EXEC_PRIVILEGED"),
        ({"entrypoint": "sh"}, "Cmd[0]=sh, and EXEC_COMMANDS"),
        ({"entrypoint": "id", "user": "root"}, "User=root, and EXEC_USERS"),
    ],
)  # fmt: skip
def test_an_exec_of_somebody_else(runs: dict[str, Any], has: str) -> None:
    """Who starts an exec, which another may have made, gets no more than its own could ask for."""
    policy = {**LISTED, "EXEC_USERS": "me", "EXEC_COMMANDS": "id"}
    policy |= {"ALLOW_OPERATIONS": "ExecInspect,ExecStart"}
    config = {"Labels": OWNER, "User": "app"}
    here = world() | {
        "/exec/e/json": {"ID": "e" * 64, "ContainerID": ID, "ProcessConfig": runs},
        f"/containers/{ID}/json": {**container(), "Config": config},
    }
    assert decide(policy, "GET /exec/e/json", None, here).allowed
    answer = decide(policy, "POST /exec/e/start", {}, here)
    assert has in answer.message
    assert answer.allowed == (not has)
    assert (
        answer.allowed or "ExecStart reaches into exec e, which has " in answer.message
    )
    others = here | {f"/containers/{ID}/json": {**container(), "Config": {}}}
    assert because(decide(policy, "POST /exec/e/start", {}, others)) == (
        "names exec e, whose container ONLY_CONTAINERS does not list"
    )


def test_a_volume_of_a_folder() -> None:
    """A volume may be a folder of the host: that counts wherever creations are limited."""
    ours = world(container(Mounts=mounts("folder")))
    answer = decide(CONFINED, EXEC, {}, ours)
    assert because(answer) == "reaches into volume folder, which has DriverOpts.device=/etc, and CREATE_BINDS does not list that"  # fmt: skip
    assert decide(LISTED, EXEC, {}, ours).allowed
    by_name = {**CONFINED, "ONLY_CONTAINERS": "c"}
    theirs = world(container(None, Mounts=mounts("folder")))
    assert not decide(by_name, EXEC, {}, theirs).allowed
    assert decide(CONFINED, "GET /volumes/mine", None, ours).allowed
    assert not decide(CONFINED, "DELETE /volumes/folder", None, ours).allowed


def test_a_volume_that_is_gone() -> None:
    """What a container mounts and the Engine has not is answered as the Engine does."""
    answer = decide(LISTED, EXEC, {}, world(container(Mounts=mounts("gone"))))
    assert (answer.status, answer.message) == (404, "no such thing: /volumes/gone")


@pytest.mark.parametrize("line", [START, "POST /containers/c/restart"])
def test_a_start_that_joins_a_network_by_name(line: str) -> None:
    """A name may mean another network by now: it is looked up, and has to be listed."""
    ours = world(container(NetworkSettings=networks(mine="", bridge="")))
    answer = decide(LISTED, line, None, ours)
    assert answer.allowed
    assert "/networks/mine" in answer.questions
    theirs = world(container(NetworkSettings=networks(mine="", theirs="")))
    answer = decide(LISTED, line, None, theirs)
    assert because(answer) == "names network theirs in container c, which ONLY_NETWORKS does not list"  # fmt: skip
    anothers = world(container(None, NetworkSettings=networks(theirs="")))
    assert "names network theirs in container c" in because(
        decide({**LISTED, "ONLY_CONTAINERS": "c"}, line, None, anothers)
    )
    for free in (EXEC, INSPECT):
        assert decide(LISTED, free, {} if free == EXEC else None, theirs).allowed
    pinned = world(container(NetworkSettings=networks(theirs="9" * 64)))
    assert decide(LISTED, line, None, pinned).allowed
    any_network = {**LISTED, "ONLY_NETWORKS": "*"}
    assert decide(any_network, line, None, theirs).allowed
    gone = world(container(NetworkSettings=networks(gone="")))
    assert decide(LISTED, line, None, gone).status == 404


def test_what_is_the_proxys_own() -> None:
    """Its container, networks and volumes are nobody's, whatever lists hold them."""
    every = {**OPERATIONS, "ONLY_CONTAINERS": "*", "ONLY_NETWORKS": "*", "ONLY_VOLUMES": "*"}  # fmt: skip
    here = world(
        {**container(), "Id": OWN.id},
        **{
            "/networks/n": {"Name": "n", "Id": "n" * 25, "Containers": {OWN.id: {}}},
            "/volumes/proxys": {"Name": "proxys", "Driver": "local"},
        },
    )
    for line in (INSPECT, "GET /networks/n", "GET /volumes/proxys"):
        answer = decide(every, line, None, here, OWN)
        assert because(answer).endswith("which is this proxy's own")
        assert decide(every, line, None, here).allowed
    mounting = world(container(Mounts=mounts("proxys"))) | {
        "/volumes/proxys": {"Name": "proxys", "Driver": "local", "Labels": OWNER}
    }
    assert not decide(LISTED, EXEC, {}, mounting, OWN).allowed
    assert decide(LISTED, EXEC, {}, mounting).allowed
    for line in ("GET /networks/mine", "GET /volumes/mine"):
        assert decide(every, line, None, here, OWN).allowed


NAMING = [one for one in ENDPOINTS if (one.kind, one.touch) == (Kind.CONTAINER, Touch.NAMES)]  # fmt: skip
BY_BODY: dict[str, object] = {
    "POST /networks/mine/connect": {"Container": "c"},
    "POST /networks/mine/disconnect": {"Container": "c", "Force": True},
    "POST /commit?container=c": {},
    "POST /containers/create": {"Image": "i", "HostConfig": {"NetworkMode": "container:c"}},
}  # fmt: skip


def test_no_operation_reaches_the_proxys_own_container() -> None:
    """To stop, rename, update, move it to other networks or copy out of it: whatever is listed, by each route that names a container."""
    lines = dict(BY_BODY)
    for row in NAMING:
        more = {"ContainerRename": "?name=n", "PutContainerArchive": "?path=/"}
        target = re.sub(r"\{.*?\}", "c", row.template) + more.get(row.operation, "")
        lines[f"{row.method} {target}"] = {} if row.method == "POST" else None
    opened = {one.operation for one in NAMING} | {"NetworkConnect", "NetworkDisconnect", "ImageCommit", "ContainerCreate"}  # fmt: skip
    every = dict.fromkeys(("ONLY_CONTAINERS", "ONLY_NETWORKS", "ONLY_VOLUMES"), "*")
    every["ALLOW_OPERATIONS"] = ",".join(sorted(opened))
    here = world({**container(), "Id": OWN.id})
    for line, body in lines.items():
        assert decide(every, line, body, here).allowed, line
        answer = decide(every, line, body, here, OWN)
        assert because(answer).endswith("which is this proxy's own"), line


@pytest.mark.parametrize("mode", ["UTSMode", "UsernsMode", "CgroupnsMode"])
def test_a_mode_by_which_podman_alone_joins(mode: str) -> None:
    """Who is joined starts with who joins, so he is judged as everywhere."""
    here = world() | {"/containers/d/json": container(None, Name="/d")}
    line, body = "POST /containers/create", {"HostConfig": {mode: "container:d"}}
    assert decide({**LISTED, "ONLY_CONTAINERS": "d,@own"}, line, body, here).allowed
    answer = decide(LISTED, line, body, here)
    assert "names container d in" in because(answer)


@pytest.mark.parametrize("query", ["Container=c", "container=d&CONTAINER=c"])
def test_a_name_by_another_spelling_of_its_key(query: str) -> None:
    """Podman reads the keys of a query in any case, so what they name is judged in any."""
    listed = {**LISTED, "ONLY_CONTAINERS": "d", "ALLOW_OPERATIONS": "ImageCommit"}
    here = world() | {"/containers/d/json": container(None, Name="/d")}
    assert decide(listed, "POST /commit?container=d", {}, here).allowed
    answer = decide(listed, f"POST /commit?{query}", {}, here)
    assert "names container c in" in because(answer)


RENAMES = {
    "web-1": "",
    "x": "names container x in the new name, which ONLY_CONTAINERS does not list",
    "web-0123456789ab": "",
}


def test_two_names() -> None:
    """Of a name in two spellings Podman takes either: a creation goes on with the one that was judged."""
    line = "POST /containers/create?name=web-1&Name=db"
    lists = {**LISTED, "ONLY_CONTAINERS": "web-*"}
    answer = decide(lists, line, {"Image": "app"}, world())
    assert answer.line == "POST /containers/create?name=web-1"


@pytest.mark.parametrize(("name", "why"), RENAMES.items(), ids=RENAMES)
def test_a_new_name(name: str, why: str) -> None:
    """Who may name `web-*` makes nothing else of one."""
    listed = {**LISTED, "ONLY_CONTAINERS": "c,web-*"}
    answer = decide(listed, f"POST /containers/c/rename?name={name}", None, world())
    assert answer.allowed is not bool(why)
    if why:
        assert because(answer) == why
    answer = decide(
        listed, f"POST /containers/c/rename?name=/{'ab' * 6}", None, world()
    )
    assert "may be taken for the beginning of another one's id" in answer.message
    answer = decide(listed, "POST /containers/c/rename?Name=x", None, world())
    assert "in the new name" in because(answer)
    theirs = world(container(None, Name="/d"))
    answer = decide(listed, "POST /containers/c/rename?name=web-1", None, theirs)
    assert because(answer) == "names container c, which ONLY_CONTAINERS does not list"


def test_a_new_name_of_ones_own_is_no_lists() -> None:
    """What is listed by its name and is one's own may get a name that no list has: it stays that."""
    rename = "POST /containers/c/rename?name=x"
    for names in ("c,@own", "@own"):
        listed = {**LISTED, "ONLY_CONTAINERS": names}
        assert decide(listed, rename, None, world()).allowed
        assert not decide(listed, rename, None, world(container(None))).allowed
    of_image = world() | {f"/images/{PLAIN}/json": {"Id": PLAIN, "Config": {"Labels": OWNER}}}  # fmt: skip
    listed = {**LISTED, "ONLY_CONTAINERS": "c,@own"}
    assert not decide(listed, rename, None, of_image).allowed


def test_what_is_missing() -> None:
    """404 to what names it in a path; 400 to a creation, which a client would pull for."""
    body = {"Image": "x", "HostConfig": {"NetworkMode": "gone"}}
    answer = decide(LISTED, "POST /containers/create", body, world())
    assert (answer.status, answer.message) == (400, "no such thing: /networks/gone")
    answer = decide(LISTED, "DELETE /containers/gone", None, world())
    assert (answer.status, answer.word) == (404, "allowed")
    listed = {**LISTED, "CREATE_IMAGES": "app"}
    answer = decide(listed, "POST /containers/create", {"Image": "aaaa"}, world())
    assert (answer.status, answer.message) == (404, "no such thing: /images/aaaa/json")


def test_options_of_a_volume_are_listed_by_either_way_to_give_them() -> None:
    """What a mount may ask for as it makes a volume, that volume may have when it is there."""
    asked = {"type": "nfs", "device": ":/x"}
    mount = {"Type": "volume", "Source": "mine", "Target": "/x", "VolumeOptions": {"DriverConfig": {"Options": asked}}}  # fmt: skip
    line, body = "POST /containers/create", {"HostConfig": {"Mounts": [mount]}}
    here = world()
    here["/volumes/mine"] |= {"Options": asked}
    for way in ("HostConfig.Mounts.VolumeOptions.DriverConfig.Options", "x"):
        listed = [f"ContainerCreate:{way}.type=nfs", f"ContainerCreate:{way}.device"]
        lists = {**CONFINED, "CREATE_OPTIONS": ",".join(listed)}
        assert decide(lists, line, body, here).allowed is (way != "x")


def test_a_filter_by_what_is_not_listed() -> None:
    """A list before a stranger's container is answered as if there were none, and no name is refused."""
    lists = {**LISTED, "ALLOW_OPERATIONS": "ContainerList"}
    line = "GET /containers/json?filters=%7B%22before%22%3A%5B%22c%22%5D%7D"
    assert decide(lists, line, None, world()).allowed
    answer = decide(lists, line, None, world(container(None)))
    assert (answer.allowed, answer.status, answer.word) == (False, 404, "allowed")
    assert answer.message == "No such container: c"


def test_a_volume_that_is_made_may_be_missing() -> None:
    """A creation names what is not there yet; what is there has to be listed."""
    line = "POST /volumes/create"
    assert decide(LISTED, line, {"Name": "new"}, world()).allowed
    assert decide(LISTED, line, {"Name": "mine"}, world()).allowed
    answer = decide(LISTED, line, {"Name": "theirs"}, world())
    assert because(answer) == "names volume theirs in Name, which ONLY_VOLUMES does not list"  # fmt: skip
    answer = decide(CONFINED, line, {"Name": "folder"}, world())
    assert because(answer).startswith(
        "reaches into volume folder, which has DriverOpts"
    )


def test_without_lists_nobodys_volume_counts() -> None:
    """Where only creations are limited, the Engine is asked whether a volume may be filled."""
    limited = {**OPERATIONS, "CREATE_BINDS": "/srv/app"}
    body: Any = {"HostConfig": {"Binds": ["theirs:/x", "folder:/y", "gone:/z"]}}
    answer = decide(limited, "POST /containers/create", body, world())
    assert answer.allowed
    assert answer.body["HostConfig"]["Binds"][1:] == ["folder:/y:nocopy", "gone:/z"]
    # In each place that a creation mounts it in: who is not asked about might be anybody's.
    volume = {"Type": "volume", "Source": "gone", "Target": "/x"}
    body = {"HostConfig": {"Mounts": [volume]}}
    (sent,) = decide(limited, "POST /containers/create", body, world()).body["HostConfig"]["Mounts"]  # fmt: skip
    assert "NoCopy" not in sent["VolumeOptions"]
    body = {"Volumes": {"gone:/x": {}, "folder:/y": {}}}
    answer = decide(limited, "POST /containers/create", body, world())
    assert answer.body["Volumes"] == {"gone:/x": {}, "folder:/y:nocopy": {}}


NODES = "the capability MKNOD"


def test_what_makes_nodes_by_default() -> None:
    """A container from before is told how to lose the capability that new ones lack."""
    able = world(container(HostConfig={}))
    answer = decide(CONFINED, EXEC, {}, able)
    assert because(answer) == f"reaches into container c, which has {NODES}, and CREATE_CAPS does not list that: make it anew through this file, which takes that away"  # fmt: skip
    assert decide({**CONFINED, "CREATE_CAPS": "MKNOD"}, EXEC, {}, able).allowed
    assert decide(CONFINED, EXEC, {}, world()).allowed


def test_what_an_engine_gives_by_default() -> None:
    """A runtime that is the Engine's own was asked for by nobody."""
    for runtime, default, passes in (
        ("runsc", "runsc", True),
        ("runsc", "runc", False),
        ("runc", "runc", True),
        ("runc", "runsc", False),
    ):
        host = {**HOST, "Runtime": runtime}
        here = world(container(HostConfig=host)) | {
            "/info": {"DefaultRuntime": default}
        }
        answer = decide(CONFINED, EXEC, {}, here)
        assert answer.allowed is passes
        assert "/info" in answer.questions
        if not passes:
            assert (
                f"has HostConfig.Runtime={runtime}, and CREATE_RUNTIMES"
                in answer.message
            )


def test_nothing_passes_unasked() -> None:
    """What the Engine was not asked about is judged by nothing: such a request is refused."""
    gate = Gate.enforcing(parse_policy(CONFINED)[0])
    volumes, labels = ("unasked",), {"trioproxy.owner": "app"}
    there = Thing(Kind.CONTAINER, ID, ("c",), labels, inherited={}, volumes=volumes)
    there = there._replace(value={"HostConfig": HOST})
    knowns: dict[str, Known] = {
        "GET /containers/c/json": {},
        "GET /containers/c/archive": {(Kind.CONTAINER, "c"): there},
    }
    for line, known in knowns.items():
        method, _, target = line.partition(" ")
        found = found_of(gate, method, target.encode())
        assert isinstance(found, NeedThings)
        found = found_of(gate, method, target.encode(), known=known)
        assert isinstance(found, Refused)
        assert found.decision == UNRESOLVED


# --- All of it at once ------------------------------------------------------------

LABELS = st.sampled_from([OWNER, None, {"trioproxy.owner": "other"}])
EXTRAS: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": ("", {}),
    "a folder that is listed": ("", {"Binds": ["/srv/app:/x"]}),
    "a folder": ("CREATE_BINDS", {"Binds": ["/etc:/x"]}),
    "all": ("CREATE_PRIVILEGED", {"Privileged": True}),
    "a capability": ("CREATE_CAPS", {"CapAdd": ["SYS_ADMIN"]}),
    "processes": ("CREATE_NAMESPACES", {"PidMode": "host"}),
}
VOLUMES = st.lists(
    st.sampled_from(["mine", "theirs", "folder"]), max_size=2, unique=True
)
JOINED = st.dictionaries(st.sampled_from(["mine", "theirs", "bridge"]), st.sampled_from(["", "9" * 64]))  # fmt: skip


@given(
    labels=LABELS,
    gives=st.booleans(),
    extra=st.sampled_from(sorted(EXTRAS)),
    volumes=VOLUMES,
    joined=JOINED,
    is_limited=st.booleans(),
    is_proxys=st.booleans(),
    line=st.sampled_from([EXEC, START, INSPECT]),
)
def test_each_container_to_each_request(
    *,
    labels: object,
    gives: bool,
    extra: str,
    volumes: list[str],
    joined: dict[str, str],
    is_limited: bool,
    is_proxys: bool,
    line: str,
) -> None:
    """It passes if the container is the client's own, and all that it gets by it is, too."""
    variable, host = EXTRAS[extra]
    one = container(
        labels,
        HostConfig={**HOST, **host},
        Mounts=mounts(*volumes),
        NetworkSettings=networks(**joined),
        Id=OWN.id if is_proxys else ID,
    )
    here = world(one)
    here[f"/images/{PLAIN}/json"]["Config"] = {"Labels": OWNER if gives else {}}
    policy = CONFINED if is_limited else LISTED
    answer = decide(policy, line, {} if line == EXEC else None, here, OWN)
    own = labels == OWNER and not gives and not is_proxys
    beyond = is_limited and (variable or "folder" in volumes)
    joins = [name for name, pin in joined.items() if not pin]
    reaches = line != INSPECT
    expected = (
        own
        and not (reaches and (beyond or "theirs" in volumes))
        and not (line == START and "theirs" in joins)
    )
    assert answer.allowed is bool(expected), answer.message
    if answer.allowed:
        assert f"/containers/{ID}/" in answer.line
    else:
        assert answer.status == 403


def test_a_door_remembers_nothing_of_names() -> None:
    """The same head is asked about each time, as the name may mean another thing by then."""
    at = door(LISTED)
    assert asked(at, INSPECT, None, world()).allowed
    assert not asked(at, INSPECT, None, world(container(None))).allowed
    assert trio.run(at.ask, written(INSPECT), world()).allowed
