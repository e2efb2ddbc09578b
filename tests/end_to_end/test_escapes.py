"""Ways to the host, tried on a real Engine behind a proxy that limits what is created.

Each line of `tests/data/escapes.jsonl` is a request that asks for what the file does not
list, or that hides it: by case, folded letters, names given twice, nulls, old places,
bytes behind the body, encodings, framings. The proxy grants every operation of the table
and limits it to one folder and one image. What counts is not the answer but what the
Engine then has: it is looked at after each attempt.
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests.depth import IS_DEEP
from tests.end_to_end.proxies import enforcing
from tests.engine import Engine
from tests.patience import PATIENCE
from trioproxy.api.fields import ARGUED

ATTEMPTS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "escapes.jsonl")
    .read_text()
    .splitlines()
]
SOUGHT = {"log driver in capitals", "volume with a driver"}
ALLOWED = "/srv/app"
VARIABLES = {
    "ALLOW_OPERATIONS": ",".join(sorted(ARGUED)),
    "CREATE_BINDS": ALLOWED,
    "CREATE_IMAGES": "busybox",
    "EXEC_PRIVILEGED": "0",
    "PULL_IMAGES": "",
    "BUILD_OPTIONS": "",
}
JSON = "Content-Type: application/json"
FIELDS = {
    "untyped": [],
    "text": ["Content-Type: text/plain"],
    "gzip": [JSON, "Content-Encoding: gzip"],
    "charset": [f"{JSON}; charset=utf-16"],
    "capitals": ["CONTENT-TYPE: Application/JSON; x"],
    "plus-json": ["Content-Type: application/vnd.docker+json"],
    "twice-typed": ["Content-Type: text/plain", JSON],
    "form": ["Content-Type: application/x-www-form-urlencoded; x"],
    "multipart": ["Content-Type: multipart/form-data; boundary=x"],
    "grpc": ["Content-Type: application/grpc"],
    "override": [JSON, "X-HTTP-Method-Override: GET", "X-Method-Override: GET"],
    "h2c": [JSON, "Connection: Upgrade", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"],
    "expect": [JSON, "Expect: 100-continue"],
    "expected": [JSON, "Expect: 200-ok"],
    "te-gzip": [JSON, "Transfer-Encoding: gzip, chunked"],
    "te-twice": [JSON, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    "te-and-length": [JSON, "Content-Length: 2", "Transfer-Encoding: chunked"],
    "length-twice": [JSON, "Content-Length: 2"],
    "trailer": [JSON, "Trailer: Content-Type", "Transfer-Encoding: chunked"],
}
BY_QUERY = ("/build", "/images/create", "/commit?")
"""What is asked for there leaves nothing that could be looked at: it is refused."""
FRAMED = {"te-gzip", "te-twice", "te-and-length", "trailer"}
"""Transports whose fields say how the body comes: in chunks."""


def ask(path: str, raw: bytes, method: str = "POST") -> tuple[int, bytes]:
    """Send a request as bytes; give status and body of the answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        sock.sendall(raw)
        answer = HTTPResponse(sock, method=method)
        answer.begin()
        return answer.status, answer.read()


def get(path: str, target: str) -> Any:  # noqa: ANN401  JSON
    """What the Engine says of something."""
    status, body = ask(
        path, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    assert status == 200, (target, body)
    return json.loads(body)


def written(attempt: dict[str, str]) -> bytes:
    """An attempt as bytes."""
    body = (
        bytes.fromhex(attempt["hex"]) if "hex" in attempt else attempt["body"].encode()
    )
    how = attempt["transport"]
    fields = FIELDS.get(how, [JSON] if body else [])
    method = {"get": "GET", "put": "PUT"}.get(how, "POST")
    version = "1.0" if how == "1.0" else "1.1"
    lines = [
        f"{method} {attempt['target']} HTTP/{version}",
        "Host: x",
        "Connection: close",
        *fields,
    ]
    pieces = [body]
    if how == "chunks":
        pieces = [body[at : at + 1] for at in range(len(body))]
    elif how == "split":
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]
    if how in {"chunked", "chunks", "split"}:
        lines.append("Transfer-Encoding: chunked")
    if how in FRAMED | {"chunked", "chunks", "split"}:
        body = (
            b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"
        )
    elif body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Watcher:
    """Looks at what the Engine has, tells what is dangerous, and takes away what is new.

    What an Engine gives every container counts as harmless: with the first version of
    control groups, that is the host's view of them.
    """

    path: str
    engine: Engine
    seen: dict[str, set[str]] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)
    """The `HostConfig` of a container that asked for nothing."""
    image: str = ""
    """The id of the image that is listed. Each import gives another one, and one of 16 begins as
    an attempt names it: that goes on by the whole id."""

    def things(self) -> dict[str, set[str]]:
        """Everything that the Engine has, by kind."""
        volumes = get(self.path, "/volumes")["Volumes"] or []
        images = get(self.path, "/images/json?all=1")
        return {
            "containers": {
                one["Id"] for one in get(self.path, "/containers/json?all=1")
            },
            "volumes": {one["Name"] for one in volumes},
            "networks": {one["Id"] for one in get(self.path, "/networks")},
            "images": {tag for one in images for tag in one["RepoTags"] or []},
        }

    def dangers(self, status: int, body: bytes, target: str) -> list[str]:
        """What is new and gives what was not listed."""
        now = self.things()
        new = {kind: names - self.seen[kind] for kind, names in now.items()}
        found = [f"image {tag}" for tag in new["images"]]
        for one in new["containers"]:
            made = get(self.path, f"/containers/{one}/json")
            found += container(made, self.given, self.image)
        for one in new["volumes"]:
            found += volume(get(self.path, f"/volumes/{one}"))
        for one in new["networks"]:
            found += network(get(self.path, f"/networks/{one}"))
        if target.endswith("/exec") and status == 201:
            made = get(self.path, f"/exec/{json.loads(body)['Id']}/json")
            found += ["exec"] * made["ProcessConfig"]["privileged"]
        self.remove(new)
        return found

    def remove(self, new: dict[str, set[str]]) -> None:
        """Take away what an attempt has left."""
        for kind, names in new.items():
            for one in names:
                raw = f"DELETE /{kind}/{one}?force=1&v=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                ask(self.path, raw.encode())


HARMLESS: dict[str, Any] = {
    "Privileged": [False],
    "CapAdd": [None, []],
    "Devices": [None, []],
    "DeviceRequests": [None, []],
    "DeviceCgroupRules": [None, []],
    "SecurityOpt": [None, []],
    "PidMode": [""],
    "IpcMode": ["", "private"],
    "UTSMode": [""],
    "UsernsMode": [""],
    "CgroupnsMode": ["", "private"],
    "NetworkMode": ["default", "bridge"],
    "VolumesFrom": [None, []],
    "Links": [None, []],
    "CgroupParent": [""],
    "Runtime": ["runc"],
    "PortBindings": [None, {}],
    "PublishAllPorts": [False],
    "VolumeDriver": [""],
    "Annotations": [None, {}],
    "StorageOpt": [None, {}],
    "Cgroup": [""],
    "Sysctls": [None, {}],
    "Tmpfs": [None, {}],
    "Capabilities": [None, []],
}


def container(made: dict[str, Any], given: dict[str, Any], image: str) -> list[str]:
    """What a container was given that no list has."""
    host = made["HostConfig"]
    found = [
        f"{name}={host[name]}"
        for name, values in HARMLESS.items()
        if name in host and host[name] not in [*values, given.get(name)]
    ]
    found += [
        f"bind {one}"
        for one in host["Binds"] or []
        if one.split(":")[:2] != [ALLOWED, "/h"] or "share" in one or "slave" in one
    ]
    found += [
        f"mount {one}"
        for one in made["Mounts"]
        if one["Type"] == "bind"
        and (one["Source"] != ALLOWED or one["Propagation"] not in {"", "rprivate"})
    ]
    for one in host.get("Mounts") or []:
        if one["Type"] == "bind" and one["Source"] != ALLOWED:
            found.append(f"mount {one}")
        if one.get("VolumeOptions", {}).get("DriverConfig", {}).get("Options"):
            found.append(f"volume {one}")
    if host["LogConfig"] != {"Type": "json-file", "Config": {}}:
        found.append("log")
    for name, one in made["NetworkSettings"]["Networks"].items():
        if name == "host" or one["DriverOpts"] or one["Links"]:
            found.append(f"network {name}")
    if any(":" in one for one in made["Config"]["Volumes"] or {}):
        found.append("volumes")
    if (
        not host["MaskedPaths"]
        or not host["ReadonlyPaths"]
        or "/proc/sys" not in host["ReadonlyPaths"]
    ):
        found.append("paths")
    if made["Config"]["Image"] not in {"busybox", "busybox:latest", image}:
        found.append(f"image {made['Config']['Image']}")
    return found


def volume(made: dict[str, Any]) -> list[str]:
    """What a volume mounts that is no folder of its own."""
    options = made["Options"] or {}
    return (
        [f"volume {options}"]
        if options.get("device", "tmpfs") != "tmpfs" or "bind" in options.get("o", "")
        else []
    )


def network(made: dict[str, Any]) -> list[str]:
    """What a network has that reaches beyond it."""
    options = made["Options"] or {}
    ours = made["Driver"] == "bridge" and not options and not made["ConfigOnly"]
    is_asked = made["IPAM"]["Config"] and made["IPAM"]["Config"][0][
        "Subnet"
    ].startswith("10.99.")
    return [] if ours and not is_asked else [f"network {made['Driver']} {options}"]


@pytest.fixture(scope="module")
def watcher(engine: Engine) -> Iterator[Watcher]:
    """The Engine with a container to misuse and an image that nobody lists."""
    engine.docker("run", "-d", "--name", "victim", "busybox", "sleep", "900")
    engine.docker("commit", "victim", "evil")
    path = str(engine.socket)
    watcher = Watcher(path, engine)
    watcher.seen = watcher.things()
    victim = get(path, "/containers/victim/json")
    watcher.given, watcher.image = victim["HostConfig"], victim["Image"]
    yield watcher
    engine.docker("rm", "-f", "victim")
    engine.docker("rmi", "evil")


@pytest.mark.engine
@pytest.mark.slow
def test_no_attempt_has_an_effect(watcher: Watcher, tmp_path: Path) -> None:
    """Behind limits, no attempt leaves anything that the file does not list."""
    names = [attempt["name"] for attempt in ATTEMPTS]
    assert len(set(names)) == len(names) >= 250
    victim = get(watcher.path, "/containers/victim/json")
    listen = f"unix://{tmp_path}/proxy.sock"
    reached: dict[str, list[str]] = {}
    with enforcing(watcher.engine, listen=listen, variables=VARIABLES):
        for attempt in ATTEMPTS:
            status, body = ask(f"{tmp_path}/proxy.sock", written(attempt))
            assert b"a bug of the proxy" not in body, attempt["name"]
            if attempt["target"].startswith(BY_QUERY):
                assert status >= 400, attempt["name"]
            if found := watcher.dangers(status, body, attempt["target"]):
                reached[attempt["name"]] = found
    assert reached == {}
    after = get(watcher.path, "/containers/victim/json")
    assert after["HostConfig"] == victim["HostConfig"]
    assert after["NetworkSettings"]["Networks"] == victim["NetworkSettings"]["Networks"]


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.deep
def test_attempts_work_without_limits(watcher: Watcher) -> None:
    """On the raw socket most attempts have their effect: the corpus tries what matters."""
    creating = [a for a in ATTEMPTS if a["target"].endswith(("/create", "/exec"))]
    if not IS_DEEP:  # it looks 15 s for the plugin of a driver that nobody has
        creating = [a for a in creating if a["name"] not in SOUGHT][::3]
    reached = [
        attempt["name"]
        for attempt in creating
        if watcher.dangers(*ask(watcher.path, written(attempt)), attempt["target"])
    ]
    assert len(reached) > len(creating) // 3
