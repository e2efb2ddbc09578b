"""The corpus of the record of decisions: files, requests, and the Engine they are about.

Whatever a request names is there twice, as the client's own and as somebody else's, and
each variable has a value inside of what a file lists and one outside.
"""

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trioproxy.api.families import LIMITS
from trioproxy.file.variables import (
    LIBPOD_VARIABLES,
    METHOD_SWITCHES,
    SWITCHES,
    VERBS,
)
from trioproxy.hostpath import Own

ROUTES = Path(__file__).parent / "data" / "routes.tsv"
OWNER = {"trioproxy.owner": "app"}
COMPOSE = "com.docker.compose."
_DIGITS = iter(f"{number:064x}" for number in range(0xA0_00, 0xFF_FF))
OWN = Own(id="f" * 64, volumes=frozenset({"proxys"}))
PLAIN, GIVING, GONE, TAGGED = (f"sha256:{digit * 64}" for digit in "abcd")
RUNC = {"DefaultRuntime": "runc", "Runtimes": {"runc": {"path": "runc"}}}


def _container(
    labels: object = None, image: str = PLAIN, host: object = None, **more: object
) -> dict[str, Any]:
    value = {"Id": next(_DIGITS), "Image": image, "Config": {"Labels": labels}}
    return {**value, "HostConfig": host or {"CapDrop": ["MKNOD"]}, **more}


def _mounted(name: str) -> dict[str, Any]:
    return {"Mounts": [{"Type": "volume", "Name": name}]}


def _joining(network: str, pinned: str = "") -> dict[str, Any]:
    return {"NetworkSettings": {"Networks": {network: {"NetworkID": pinned}}}}


CONTAINERS: Mapping[str, dict[str, Any]] = {
    "mine": _container(OWNER),
    "theirs": _container({"trioproxy.owner": "other"}),
    "web": _container(),
    "imaged": _container(OWNER, GIVING),
    "gone-image": _container(OWNER, GONE),
    "project": _container(
        {f"{COMPOSE}project": "shop", f"{COMPOSE}container-number": "1"}
    ),
    "tier": _container({"tier": "front end"}),
    "wide": _container(OWNER, host={"Privileged": True, "CapDrop": ["MKNOD"]}),
    "bound": _container(OWNER, host={"Binds": ["/etc:/x"], "CapDrop": ["MKNOD"]}),
    "nodes": _container(OWNER, host={"CapAdd": ["NET_ADMIN"]}),
    "runsc": _container(OWNER, host={"Runtime": "runsc", "CapDrop": ["ALL"]}),
    "runc": _container(OWNER, host={"Runtime": "runc", "CapDrop": ["ALL"]}),
    "has-own-volume": _container(OWNER, **_mounted("mine")),
    "has-volume": _container(OWNER, **_mounted("theirs")),
    "has-folder": _container(OWNER, **_mounted("folder")),
    "has-network": _container(OWNER, **_joining("theirs")),
    "has-own-network": _container(OWNER, **_joining("mine")),
    "has-lost-network": _container(OWNER, **_joining("nowhere")),
    "has-pinned-network": _container(OWNER, **_joining("theirs", "a" * 64)),
    "from": _container(
        OWNER,
        host={"VolumesFrom": ["x"], "CapDrop": ["MKNOD"]},
        Mounts=[{"Type": "bind", "Source": "/etc", "RW": False}],
    ),
    "proxy": {**_container(OWNER), "Id": OWN.id},
    "half": _container({"trioproxy.owner": 1}),
}
NETWORKS: Mapping[str, dict[str, Any]] = {
    "mine": {"Labels": OWNER},
    "theirs": {"Labels": {}},
    "web": {"Labels": None, "Containers": {CONTAINERS["web"]["Id"]: {}}},
    "proxys": {"Labels": OWNER, "Containers": {OWN.id: {}}},
    "half": {"Labels": {"trioproxy.owner": None}},
}
VOLUMES: Mapping[str, dict[str, Any]] = {
    "mine": {"Labels": OWNER},
    "theirs": {"Labels": None},
    "web": {"Labels": {}},
    "folder": {"Labels": OWNER, "Options": {"o": "bind", "device": "/etc"}},
    "proxys": {"Labels": OWNER},
    "anonymous": {"Labels": {"com.docker.volume.anonymous": ""}},
    "unnamed": {"Labels": {"com.docker.volume.anonymous": ""}},
}


def _listed(name: str, volume: str) -> dict[str, Any]:
    one = CONTAINERS[name]
    labels = one["Config"]["Labels"]
    users = {"Id": one["Id"], "Names": [f"/{name}"], "ImageID": one["Image"]}
    return {**users, "Labels": labels, "Mounts": [{"Type": "volume", "Name": volume}]}


def _users(volume: str, *names: str) -> tuple[str, list[dict[str, Any]]]:
    question = f"/containers/json?all=1&filters=%7B%22volume%22:%5B%22{volume}%22%5D%7D"
    return question, [_listed(name, volume) for name in names]


WORLD: Mapping[str, Any] = {
    "/info": RUNC,
    **{
        f"/containers/{name}/json": {"Name": f"/{name}", **value}
        for name, value in CONTAINERS.items()
    },
    **{
        f"/exec/{name}/json": {
            "ID": "e" * 64,
            "ContainerID": CONTAINERS[name]["Id"],
            "ProcessConfig": {"entrypoint": "sh", "privileged": False},
        }
        for name in ("mine", "theirs")
    },
    **{
        f"/containers/{CONTAINERS[name]['Id']}/json": {
            "Name": f"/{name}",
            **CONTAINERS[name],
        }
        for name in ("mine", "theirs")
    },
    **{
        f"/networks/{name}": {"Name": name, "Id": next(_DIGITS), **value}
        for name, value in NETWORKS.items()
    },
    **{
        f"/volumes/{name}": {"Name": name, "Driver": "local", **value}
        for name, value in VOLUMES.items()
    },
    **dict(
        _users(name, *users)
        for name, *users in (
            ("mine",), ("theirs", "theirs"), ("web",), ("proxys",),
            ("anonymous", "mine"), ("unnamed", "mine", "theirs"),
        )
    ),
    f"/images/{PLAIN}/json": {"Id": PLAIN, "Config": {"Labels": {"a": "b"}}},
    f"/images/{GIVING}/json": {"Id": GIVING, "Config": {"Labels": OWNER}},
    **{
        f"/images/{name}/json": {"Id": full, "RepoTags": [tag]}
        for name, full, tag in (
            (TAGGED, TAGGED, "app:1"), ("dddd", TAGGED, "app:1"),
            ("bbbb", GIVING, "evil:1"),
        )
    },
}  # fmt: skip
"""What the Engine answers to each question."""


# --- Files ------------------------------------------------------------------------

ITEMS: Mapping[str, tuple[str, ...]] = {
    "CREATE_BINDS": ("/srv/app", "/srv/app/*", "{base}/x:ro", "/data*:ro", "@proxy"),
    "CREATE_CAPS": ("NET_ADMIN", "MKNOD", "ALL"),
    "CREATE_DEVICES": ("/dev/fuse", "gpu", "rule", "driver:nvidia"),
    "CREATE_DRIVERS": ("log:syslog", "volume:nfs", "network:macvlan", "ipam:x"),
    "CREATE_IMAGES": ("app:1", "app:*", "nginx", f"{TAGGED}"),
    "CREATE_NAMESPACES": ("net:host", "pid:host", "links", "volumes:container", "net:container"),
    "CREATE_OPTIONS": (
        "ContainerCreate:HostConfig.CgroupParent", "ContainerCreate:HostConfig.Annotations.a",
        "ContainerCreate:HostConfig.Sysctls.net.x=2", "NetworkCreate:Attachable",
    ),
    "CREATE_PORTS": ("127.0.0.1:8080", "random", "9000-9010", "53/udp"),
    "CREATE_PRIVILEGED": ("1", "0"),
    "CREATE_RUNTIMES": ("runsc", "run*"),
    "CREATE_SECURITY": ("seccomp:unconfined", "label:disable", "paths:unmasked"),
    "CREATE_TAGS": ("app:1", "reg.example/app:*"),
    "EXEC_COMMANDS": ("ls", "sh"),
    "EXEC_OPTIONS": ("ContainerExec:New", "ContainerExec:Env.PATH"),
    "EXEC_PRIVILEGED": ("1", "0"),
    "EXEC_USERS": ("root", "@default", "10*"),
    "PULL_IMAGES": ("app:1", "app:*", "src:https%3A//x.example/*"),
    "PULL_OPTIONS": ("ImageCreate:new",),
    "BUILD_OPTIONS": ("ImageBuild:networkmode=host", "ImageBuild:remote"),
    "ONLY_CONTAINERS": ("@own", "web", "@project:shop", "@label:tier=front%20end", "ha*"),
    "ONLY_NETWORKS": ("@own", "web", "bridge,default,none", "ne*"),
    "ONLY_VOLUMES": ("@own", "web", "v*"),
}  # fmt: skip
"""Items of which random files are made, by variable; the first is the one asked for."""

BASE = {"CREATE_BASE": "/srv/base", "PROXY_SOCKET": "/run/us/docker.sock"}
EVERYTHING = {"ALLOW_OPERATIONS": "@all"}
"""`@all` stands for every operation of the table, in a file that a corpus has."""
OPEN = {**dict.fromkeys(SWITCHES, "1")}

Variables = dict[str, str]


def policies(chance: random.Random) -> Iterator[tuple[str, Variables]]:
    """Files by name: one for each variable, section and verb; then those made by chance."""
    for name in sorted(LIMITS):
        yield f"one/{name}", {**EVERYTHING, name: ITEMS[name][0]}
        yield f"empty/{name}", {**EVERYTHING, name: ""}
    owner = {"ONLY_OWNER": "app"}
    for item in ITEMS["ONLY_CONTAINERS"]:
        yield f"only/{item}", {**EVERYTHING, **owner, "ONLY_CONTAINERS": item}
    yield "only/networks", {**EVERYTHING, **owner, "ONLY_NETWORKS": "web,bridge"}
    yield "only/volumes", {**EVERYTHING, **owner, "ONLY_VOLUMES": "web"}
    listed = {**owner, "ONLY_CONTAINERS": "@own", "CREATE_BINDS": "/srv/app"}
    yield "only/and-limits", {**EVERYTHING, **listed}
    yield "only/sections", {**OPEN, **listed}
    yield "sections/all", OPEN
    yield "sections/all-limited", {**OPEN, "CREATE_BINDS": "/srv/app", "EXEC_USERS": "root"}  # fmt: skip
    yield "sections/linuxserver", {**OPEN, "COMPAT": "linuxserver", "ALLOW_LOGS": "0"}
    for name in SWITCHES:
        yield f"sections/{name}", {name: "1", "EVENTS": "0", "PING": "0", "VERSION": "0"} | {"POST": "1"}  # fmt: skip
    for name in METHOD_SWITCHES:
        yield f"sections/no-{name}", {**OPEN, name: "0"}
    for name in sorted(VERBS):
        yield f"verbs/{name}", {name: "1", "CONTAINERS": "1"}
        yield f"verbs/no-{name}", {**OPEN, name: "0"}
    for name in sorted(LIBPOD_VARIABLES):
        yield f"podman/{name}", {name: "1", "POST": "1"}
    for number in range(60):
        yield f"random/{number:02}", by_chance(chance)


def by_chance(chance: random.Random) -> Variables:
    """A file that opens and limits something."""
    routes = operations()
    if chance.random() < 0.6:
        some = chance.sample(routes, chance.randint(5, 60))
        some += [one for one in _BODIES if chance.random() < 0.7]
        found = {"ALLOW_OPERATIONS": ",".join(sorted(set(some)))}
    else:
        found = {name: chance.choice("011") for name in chance.sample(SWITCHES, 12)}
        found["POST"] = chance.choice("0111")
        found["CONTAINERS"] = "1"
        found |= {name: chance.choice("01") for name in chance.sample(sorted(VERBS), 4)}
    for name in sorted(ITEMS):
        if chance.random() < 0.25:
            some = chance.sample(
                ITEMS[name], chance.randint(1, min(2, len(ITEMS[name])))
            )
            if name.endswith("_PRIVILEGED"):
                some = some[:1]
            found[name] = chance.choice([",".join(some), ",".join(some), "*", ""])
    found |= BASE
    if any(name.startswith("ONLY_") for name in found):
        found["ONLY_OWNER"] = "app"
    return found


# --- Requests ---------------------------------------------------------------------

Asking = tuple[str, str, object]
"""Name, method and target, body."""


def rows() -> list[list[str]]:
    """The rows of the table."""
    text = ROUTES.read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in text if not line.startswith("#")]


def operations() -> list[str]:
    """Every operation of the table that can be listed."""
    return sorted({row[2] for row in rows()} - {"BuildKitGrpc"})


def _targets() -> Iterator[Asking]:
    for method, template, operation, *_ in rows():
        for name in ("mine", "theirs"):
            path = template
            for parameter in ("id", "name", "name:.*", "destination:.*"):
                path = path.replace(f"{{{parameter}}}", name)
            path = path.replace("{", "").replace("}", "").replace(":.*", "")
            verb = "POST" if method == "ANY" else method
            has_body = operation in _BODIES and operation != "ImageCommit"
            body: object = {} if has_body else None
            yield f"{template} {verb} {operation} {name}", f"{verb} {path}", body
            if path == template or template.startswith("/libpod/"):
                break


_BODIES = (
    "ContainerCreate", "ContainerExec", "ContainerUpdate", "ExecStart", "ImageCommit",
    "NetworkConnect", "NetworkCreate", "NetworkDisconnect", "VolumeCreate",
)  # fmt: skip

HOSTS: tuple[dict[str, Any], ...] = (
    {"Binds": ["/srv/app:/x"]}, {"Binds": ["/srv/app/y:/x:ro"]}, {"Binds": ["/etc:/x"]},
    {"Binds": ["/srv/base/x:/x:ro", "/data1:/d:ro"]}, {"Binds": ["/var/run/docker.sock:/s"]},
    {"Binds": ["mine:/x", "new:/y:ro"]}, {"Binds": ["theirs:/x"]}, {"Binds": ["proxys:/x"]},
    {"Binds": ["folder:/x"]}, {"Binds": ["anonymous:/x"]}, {"Binds": ["unnamed:/x"]},
    {"Binds": ["web:/x:nocopy"]}, {"Binds": ["a/b/c"]}, {"Binds": "x"},
    {"CapAdd": ["NET_ADMIN"]}, {"CapAdd": ["SYS_ADMIN"]}, {"CapAdd": ["mknod"]},
    {"CapDrop": ["ALL"]}, {"Devices": [{"PathOnHost": "/dev/fuse"}]},
    {"Devices": [{"PathOnHost": "/dev/sda"}]}, {"DeviceRequests": [{"Driver": "nvidia"}]},
    {"DeviceCgroupRules": ["a *:* rwm"]}, {"LogConfig": {"Type": "syslog"}},
    {"LogConfig": {"Type": "fluentd", "Config": {"a": "b"}}}, {"VolumeDriver": "nfs"},
    {"NetworkMode": "host"}, {"NetworkMode": "container:mine"}, {"NetworkMode": "web"},
    {"NetworkMode": "container:theirs"}, {"NetworkMode": "mine"}, {"NetworkMode": "theirs"},
    {"NetworkMode": "none"}, {"NetworkMode": "bridge"}, {"NetworkMode": "proxys"},
    {"PidMode": "host"}, {"PidMode": "container:mine"}, {"PidMode": "container:theirs"},
    {"IpcMode": "shareable"}, {"IpcMode": "container:wide"}, {"UTSMode": "host"},
    {"UsernsMode": "host"}, {"CgroupnsMode": "host"}, {"Cgroup": "container:mine"},
    {"Links": ["mine:a"]}, {"Links": ["/theirs:/me/b"]}, {"VolumesFrom": ["mine:ro"]},
    {"VolumesFrom": ["has-volume"]}, {"VolumesFrom": ["theirs"]}, {"VolumesFrom": ["bound"]},
    {"Sysctls": {"kernel.sem": "1"}}, {"Sysctls": {"net.x": "2"}}, {"CgroupParent": "/x"},
    {"Annotations": {"a": "b"}}, {"StorageOpt": {"size": "1"}}, {"Tmpfs": {"/t": "exec"}},
    {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}},
    {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}, {"PublishAllPorts": True},
    {"PortBindings": {"53/udp": [{"HostPort": "53"}]}}, {"Privileged": True},
    {"Runtime": "runsc"}, {"Runtime": "runc"}, {"Runtime": "kata"},
    {"SecurityOpt": ["seccomp=unconfined"]}, {"SecurityOpt": ["label=disable"]},
    {"SecurityOpt": ["seccomp=builtin"]}, {"MaskedPaths": []}, {"ReadonlyPaths": []},
    {"Mounts": [{"Type": "bind", "Source": "/srv/app", "Target": "/x"}]},
    {"Mounts": [{"Type": "bind", "Source": "/etc", "Target": "/x", "ReadOnly": True}]},
    {"Mounts": [{"Type": "volume", "Source": "mine", "Target": "/x"}]},
    {"Mounts": [{"Type": "volume", "Source": "theirs", "Target": "/x"}]},
    {"Mounts": [{"Type": "volume", "Source": "new", "Target": "/x",
                 "VolumeOptions": {"Subpath": "s", "Labels": {"a": "b"}}}]},
    {"Mounts": [{"Type": "volume", "Target": "/x", "VolumeOptions": {"DriverConfig":
                 {"Name": "local", "Options": {"o": "bind", "device": "/etc"}}}}]},
    {"Mounts": [{"Type": "image", "Source": "dddd", "Target": "/x"}]},
    {"Mounts": [{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"Options": [["exec"]]}}]},
    {"New": 1}, {"Memory": 1, "RestartPolicy": {"Name": "always"}}, {"Memory": "1"},
)  # fmt: skip

CREATIONS: tuple[dict[str, Any], ...] = (
    {"Image": "app:1"}, {"Image": "app"}, {"Image": "evil"}, {"Image": "nginx:latest"},
    {"Image": TAGGED}, {"Image": "dddd"}, {"Image": "bbbb"}, {"Image": "0123"},
    {"Labels": OWNER}, {"Labels": {"trioproxy.owner": "other"}}, {"labels": {"trioproxy.x": ""}},
    {"Labels": {"a": "b"}, "Env": ["NVIDIA_VISIBLE_DEVICES=all"]}, {"Env": ["A=b"]},
    {"Volumes": {"/v": {}}}, {"Volumes": {"theirs:/v": {}}}, {"Privileged": True},
    {"Binds": ["/etc:/x"]}, {"New": 1}, {"HostConfig": {}, "hostconfig": {}},
    {"NetworkingConfig": {"EndpointsConfig": {"mine": None, "bridge": {}}}},
    {"NetworkingConfig": {"EndpointsConfig": {"theirs": {"Links": ["web:x"]}}}},
    {"NetworkingConfig": {"EndpointsConfig": {"mine": {"NetworkID": "b" * 64}}}},
)  # fmt: skip

EXECS: tuple[dict[str, Any], ...] = (
    {"Cmd": ["ls", "-l"]}, {"Cmd": ["rm"]}, {"User": "root"}, {"User": "1000:1"},
    {"Privileged": True}, {"Env": ["PATH=/x"]}, {"Env": ["A=b"]}, {"New": 1},
)  # fmt: skip

OTHERS: tuple[tuple[str, object], ...] = (
    ("POST /volumes/create", {"Name": "mine"}), ("POST /volumes/create", {"Name": "theirs"}),
    ("POST /volumes/create", {"Name": "v1", "Driver": "nfs"}), ("POST /volumes/create", None),
    ("POST /volumes/create", {"DriverOpts": {"o": "bind", "type": "none", "device": "/srv/app"}}),
    ("POST /volumes/create", {"DriverOpts": {"o": "bind", "type": "none", "device": "/etc"}}),
    ("POST /volumes/create", {"Name": "v1", "Labels": {"trioproxy.owner": "x"}}),
    ("POST /networks/create", {"Name": "new", "Driver": "macvlan"}),
    ("POST /networks/create", {"Name": "new", "Driver": "ipvlan", "Options": {"parent": "eth0"}}),
    ("POST /networks/create", {"Name": "web", "Attachable": True, "IPAM": {"Driver": "x"}}),
    ("POST /networks/create", {"Name": "x", "ConfigFrom": {"Network": "theirs"}}),
    ("POST /networks/mine/connect", {"Container": "mine", "EndpointConfig": {"NetworkID": "x"}}),
    ("POST /networks/mine/connect", {"Container": "theirs"}),
    ("POST /networks/theirs/connect", {"Container": "mine"}),
    ("POST /networks/proxys/connect", {"Container": "mine"}),
    ("POST /networks/host/connect", {"Container": "mine"}),
    ("POST /networks/half/disconnect", {"Container": "web", "Force": True}),
    ("POST /commit?container=mine&repo=app&tag=1", {}), ("POST /commit?container=theirs", None),
    ("POST /commit?container=mine&repo=other", None),
    ("POST /commit?container=mine&changes=LABEL%20trioproxy.owner=x", None),
    ("POST /containers/create?name=web", {"Image": "app:1"}),
    ("POST /containers/create?name=0123456789ab", {"Image": "app:1"}),
    ("POST /containers/create?name=/v1&platform=x", {"Image": "app:1", "HostConfig": None}),
    ("POST /containers/create?new=1", {}), ("POST /containers/create", []),
    ("POST /v1.24/containers/create", {"Image": "app:1", "HostConfig": {"Memory": 1}}),
    ("POST /v1.48/containers/create", {"Image": "app:1", "HostConfig": {"MaskedPaths": None}}),
    ("POST /containers/mine/update", {"Memory": 1, "CgroupParent": "/x"}),
    ("POST /containers/mine/update", {"Devices": [{"PathOnHost": "/dev/sda"}]}),
    ("POST /containers/mine/rename?name=web", None), ("POST /containers/mine/rename?name=x", None),
    ("POST /containers/mine/rename?name=0123456789abcdef", None),
    ("POST /containers/mine/rename", None), ("POST /containers/web/rename?name=y", None),
    ("POST /containers/mine/start?checkpoint=c", None),
    ("POST /images/create?fromImage=app&tag=1", None), ("POST /images/create?fromImage=evil", None),
    ("POST /images/create?fromSrc=https://x.example/y&repo=app&tag=1", None),
    ("POST /images/create?fromSrc=-&repo=other", None), ("POST /images/create?new=1", None), ("POST /images/create?other=1", None),
    ("POST /images/app/tag?repo=app&tag=1", None), ("POST /images/app/tag?repo=evil", None),
    ("POST /images/app/push?tag=1", None), ("POST /images/evil/push", None),
    ("POST /images/reg.example/app/push?tag=x", None),
    ("POST /build?networkmode=host&t=app:1", None), ("POST /build?networkmode=theirs", None),
    ("POST /build?networkmode=container:mine", None), ("POST /build?remote=http://x&t=evil", None),
    ("POST /build?t=app:1&t=other&labels={%22trioproxy.owner%22:%22x%22}", None),
    ("POST /build?version=2&session=x", None), ("POST /build?networkmode=mine", None),
    ("POST /exec/mine/start", {"Detach": True}), ("POST /exec/mine/start", {"New": 1}),
    ("PUT /containers/mine/archive?path=/x", b"tar"), ("PUT /containers/bound/archive", b"tar"),
    ("HEAD /containers/mine/json", None), ("GET /v1.45/containers/mine/json?size=1", None),
    ("GET /containers/mine/nothing", None), ("PATCH /containers/json", None),
    ("GET /nowhere/x", None), ("GET /v1.45/libpod/nowhere", None), ("GET /containers//json", None),
    ("GET /v1.23/info", None), ("DELETE /networks/web", None), ("DELETE /volumes/web", None),
    ("DELETE /volumes/proxys", None), ("GET /networks/half", None), ("DELETE /volumes/unnamed", None),
    ("DELETE /volumes/anonymous", None), ("GET /volumes/folder", None), ("GET /volumes/none", None),
)  # fmt: skip


def requests() -> Iterator[Asking]:
    """All requests, each under a name of its own."""
    yield from _targets()
    start = "POST /containers/create"
    for number, host in enumerate(HOSTS):
        body = {"Image": "app:1", "HostConfig": host}
        yield f"host-{number} {'+'.join(host)}", start, body
    for number, body in enumerate(CREATIONS):
        yield f"create-{number} {'+'.join(body)}", start, {"HostConfig": {}, **body}
    for number, body in enumerate(EXECS):
        yield f"exec-{number} {'+'.join(body)}", "POST /containers/mine/exec", body
    for name in CONTAINERS:
        yield f"inspect-{name}", f"GET /containers/{name}/json", None
        yield f"start-{name}", f"POST /containers/{name}/start", None
        yield f"exec-in-{name}", f"POST /containers/{name}/exec", {"Cmd": ["ls"]}
    for number, (line, one) in enumerate(OTHERS):
        given = one.decode() if isinstance(one, bytes) else one
        yield f"other-{number} {line}", line, given
