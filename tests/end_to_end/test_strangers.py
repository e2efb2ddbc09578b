"""Ways to other people's containers, networks and volumes, tried on a real Engine.

Each line of `tests/data/strangers.jsonl` is a request that names, or reaches in another
way, what a client must not: by name, id, digits, link, exec, in bodies and queries, by
labels that came with an image, by what was made under a wider file. The proxy grants all
operations. What counts is not the answer but what is true of the Engine afterwards, and
whether a secret of a stranger is in what came back.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import tars
from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_escapes import ask, get
from tests.engine import Engine
from trioproxy.api.routes import OPERATIONS

ATTEMPTS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "strangers.jsonl")
    .read_text()
    .splitlines()
]
SECRET = "hunter2"
EVERYTHING = ",".join(
    name
    for name, endpoints in OPERATIONS.items()
    if not endpoints[0].is_podmans and name != "BuildKitGrpc"
)
LIMITS = {
    "ALLOW_OPERATIONS": EVERYTHING,
    "CREATE_BINDS": "/srv/app",
    "CREATE_NAMESPACES": "net:container,pid:container,ipc:container,volumes:container,links",
    "CREATE_OPTIONS": "ContainerCreate:HostConfig.Cgroup,NetworkCreate:ConfigFrom",
    "CREATE_TAGS": "*",
}
POLICIES = {
    "own": {**LIMITS, "ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"},
    "named": {
        **LIMITS,
        "ONLY_CONTAINERS": "web-*",
        "ONLY_NETWORKS": "bridge",
        "ONLY_VOLUMES": "",
    },
    "project": {
        **LIMITS,
        "ONLY_CONTAINERS": "@project:mine",
        "ONLY_NETWORKS": "@project:mine,bridge",
        "ONLY_VOLUMES": "@project:mine",
    },
}
OWN: dict[str, Any] = {"Labels": {"trioproxy.owner": "app"}}
NUMBERED = {
    "com.docker.compose.project": "mine",
    "com.docker.compose.container-number": "1",
}


def tar() -> bytes:
    """An archive of one file, that is also a build."""
    names = (b"planted", b"Dockerfile")
    return b"".join(tars.file(b"FROM busybox\n", name) for name in names) + tars.END


@dataclass
class Stage:
    """An Engine with strangers on it, and what is true of them."""

    engine: Engine
    ids: dict[str, str] = field(default_factory=dict)
    """By the words of the attempts, without braces."""
    strangers: list[str] = field(default_factory=list)
    """Their containers, by id."""
    seen: dict[str, Any] = field(default_factory=dict)
    """What was true of them last."""

    @property
    def path(self) -> str:
        return str(self.engine.socket)

    def send(
        self, method: str, target: str, body: object = None, path: str = ""
    ) -> tuple[int, bytes]:
        raw = body if isinstance(body, bytes) else b""
        kind = "application/x-tar"
        if body is not None and not isinstance(body, bytes):
            raw, kind = json.dumps(body).encode(), "application/json"
        lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close"]
        if body is not None:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(raw)}"]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return ask(path or self.path, head + raw, method)

    def make(self, target: str, body: Mapping[str, Any]) -> str:
        status, answer = self.send("POST", target, body)
        assert status == 201, (target, answer)
        made = json.loads(answer)
        return str(made.get("Id") or made["Name"])

    def container(self, name: str, *, run: bool = False, **body: Any) -> str:  # noqa: ANN401  JSON
        """A container that prints and holds a secret."""
        given = {
            "Image": "secretive",
            "Cmd": ["sh", "-c", f"echo {SECRET}; exec sleep 900"],
            "Env": [f"PASSWORD={SECRET}"],
            **body,
        }
        made = self.make(f"/containers/create?name={name}", given)
        if run:
            assert self.send("POST", f"/containers/{made}/start")[0] == 204
        self.ids[name], self.ids[f"{name}.id"] = name, made
        self.ids[f"{name}.short"], self.ids[f"{name}.digits"] = made[:12], made[:6]
        self.strangers.append(made)
        return made

    def fill(self) -> None:
        """Put strangers on it, and what the client made itself."""
        (Path("/srv/app")).mkdir(parents=True, exist_ok=True)
        engine = self.engine
        base = engine.docker("create", "busybox", "true").text
        self.send("PUT", f"/containers/{base}/archive?path=/", secret_file())
        engine.docker("commit", base, "secretive")
        engine.docker("rm", base)
        for name, labels in (("labelled", OWN["Labels"]), ("numbered", NUMBERED)):
            changes = [f"--change=LABEL {k}={v}" for k, v in labels.items()]
            other = engine.docker("create", "secretive", "true").text
            engine.docker("commit", *changes, other, name)
            engine.docker("rm", other)
        for name, more in (("vnet", {"Labels": {"x": SECRET}}), ("ownnet", OWN)):
            made = self.make("/networks/create", {"Name": name, **more})
            self.ids |= {name: name, f"{name}.id": made, f"{name}.short": made[:12]}
        self.make("/volumes/create", {"Name": "vvol", "Labels": {"x": SECRET}})
        bad = {"type": "none", "o": "bind", "device": "/etc"}
        self.make("/volumes/create", {"Name": "badvol", "DriverOpts": bad, **OWN})
        self.ids |= {"vvol": "vvol", "badvol": "badvol"}
        mounts = [
            {"Type": "volume", "Source": "vvol", "Target": "/v"},
            {"Type": "volume", "Target": "/anonymous"},
        ]
        host = {"Mounts": mounts}
        vic = self.container("vic", run=True, HostConfig=host)
        assert self.send("POST", "/networks/vnet/connect", {"Container": vic})[0] == 200
        self.container("vic2", run=True)
        self.container("par", run=True, HostConfig={"Links": ["vic2:x"]})
        self.container("lab", run=True, Image="labelled")
        self.container("faked", run=True, Image="numbered")
        self.container("other", run=True, Labels={"trioproxy.owner": "other"})
        # The client's own, made under a wider file.
        self.container("wide", run=True, HostConfig={"Privileged": True}, **OWN)
        binds = {"Binds": ["/etc:/e"]}
        self.container("bound", run=True, HostConfig=binds, **OWN)
        binds = {"Binds": ["badvol:/e"]}
        self.container("hostvol", run=True, HostConfig=binds, **OWN)
        own = self.container("own", run=True, **OWN)
        engine.docker("commit", own, "fromown")
        self.container("fromown", run=True, Image="fromown")
        self.container("ownstopped", HostConfig={"NetworkMode": "ownnet"}, **OWN)
        self.container("web-1", run=True)
        seen = get(self.path, f"/containers/{vic}/json")["Mounts"]
        self.ids["anon"] = next(
            m["Name"] for m in seen if m["Destination"] == "/anonymous"
        )
        command = {"Cmd": ["sh", "-c", f"echo {SECRET}"], "AttachStdout": True}
        self.ids["exec"] = self.make(f"/containers/{vic}/exec", command)

    def state(self) -> dict[str, Any]:
        """What is true of the strangers, and of what the client made under a wider file."""
        found: dict[str, Any] = {}
        for one in self.strangers:
            status, body = self.send("GET", f"/containers/{one}/json")
            seen = json.loads(body)
            if status != 200:
                found[one] = None
                continue
            state = seen["State"]
            found[one] = (
                seen["Name"],
                state["Status"],
                state["StartedAt"],
                seen["ExecIDs"],
                seen["HostConfig"]["Memory"],
                sorted(
                    (n, e["NetworkID"], e["Links"])
                    for n, e in seen["NetworkSettings"]["Networks"].items()
                ),
            )
        for name in ("vnet", "ownnet"):
            status, body = self.send("GET", f"/networks/{name}")
            seen = json.loads(body)
            found[name] = sorted(seen["Containers"]) if status == 200 else None
        for name in ("vvol", self.ids["anon"]):
            found[name] = self.send("GET", f"/volumes/{name}")[0]
        status, body = self.send("GET", f"/exec/{self.ids['exec']}/json")
        found["exec"] = json.loads(body)["ExitCode"] if status == 200 else None
        found["stolen"] = self.send("GET", "/images/stolen/json")[0]
        return found

    def try_out(self, attempt: Mapping[str, Any], path: str) -> list[str]:
        """Make an attempt; say what it has reached."""
        before, there = self.seen or self.state(), self.containers()
        text = json.dumps(attempt)
        for word, meaning in self.ids.items():
            text = text.replace(f"{{{word}}}", meaning)
        made = json.loads(text)
        body = tar() if made.get("tar") else made.get("body")
        status, answer = self.send(made["method"], made["target"], body, path)
        found = ["secret"] if SECRET.encode() in answer else []
        if path != self.path and status >= 500:
            found.append(f"status {status} {answer!r}")  # fails closed, and should not
        for one in self.containers() - there:
            found += self.reached_by(one)
            self.send("DELETE", f"/containers/{one}?force=1&v=1")
        after = self.seen = self.state()
        if made.get("tar"):
            found += [one for one in self.strangers if self.has_planted(one)]
        found += [
            f"{k}: {before[k]} {after[k]}" for k in before if before[k] != after[k]
        ]
        for kind in ("networks", "volumes"):
            for name in ("fake", "copied"):
                if self.send("DELETE", f"/{kind}/{name}")[0] == 204:
                    found.append(f"{kind} {name}")
        return found

    def has_planted(self, one: str) -> bool:
        path = f"/containers/{one}/archive?path=/planted"
        return self.send("HEAD", path)[0] == 200

    def containers(self) -> set[str]:
        return {one["Id"] for one in get(self.path, "/containers/json?all=1")}

    def reached_by(self, made: str) -> list[str]:
        """What a new container has of others, once it has been started."""
        self.send("POST", f"/containers/{made}/start")
        seen = get(self.path, f"/containers/{made}/json")
        host, theirs = seen["HostConfig"], ("vic", self.ids["vic.id"])
        joined = {e["NetworkID"] for e in seen["NetworkSettings"]["Networks"].values()}
        found = ["network"] * (self.ids["vnet.id"] in joined)
        found += [
            mount["Source"]
            for mount in seen["Mounts"]
            if mount.get("Name") in {"vvol", "badvol", self.ids["anon"]}
            or mount["Type"] == "bind"
        ]
        words = [host[key] for key in ("NetworkMode", "PidMode", "IpcMode", "Cgroup")]
        words += [*(host["VolumesFrom"] or []), *(host["Links"] or [])]
        found += [w for w in words if any(t in w for t in theirs) or w == "notyet"]
        for name in seen["NetworkSettings"]["Networks"].values():
            found += [w for w in name["Links"] or [] if "vic" in w]
        labels = seen["Config"]["Labels"].get("trioproxy.owner", "app")
        names = {"web-3", "elsewhere"}
        found += [labels] * (labels != "app")
        return found + ["name"] * (seen["Name"].strip("/") in names)


def secret_file() -> bytes:
    return tars.file(SECRET.encode(), b"secret") + tars.END


@pytest.fixture
def stage(engine: Engine) -> Iterator[Stage]:
    """An Engine with strangers on it; nothing of them stays."""
    stage = Stage(engine)
    there = stage.containers()
    try:
        stage.fill()
        yield stage
    finally:
        for one in stage.containers() - there:
            stage.send("DELETE", f"/containers/{one}?force=1&v=1")
        for name in ("vnet", "ownnet"):
            stage.send("DELETE", f"/networks/{name}")
        for name in ("vvol", "badvol"):
            stage.send("DELETE", f"/volumes/{name}?force=1")
        for name in ("secretive", "labelled", "numbered", "fromown", "stolen"):
            stage.send("DELETE", f"/images/{name}?force=1")
        stage.send("POST", "/images/prune")


@pytest.mark.engine
@pytest.mark.slow
def test_no_attempt_reaches_a_stranger(stage: Stage, tmp_path: Path) -> None:
    """Behind lists of objects, no attempt changes or shows what is not listed."""
    names = [attempt["name"] for attempt in ATTEMPTS]
    assert len(set(names)) == len(names) >= 100
    reached: dict[str, list[str]] = {}
    for policy, variables in POLICIES.items():
        listen = f"{tmp_path}/{policy}.sock"
        with enforcing(stage.engine, listen=f"unix://{listen}", variables=variables):
            for attempt in ATTEMPTS:
                if attempt.get("policy", "own") == policy and (
                    found := stage.try_out(attempt, listen)
                ):
                    reached[attempt["name"]] = found
    assert reached == {}


@pytest.mark.engine
@pytest.mark.slow
def test_attempts_work_without_lists(stage: Stage) -> None:
    """On the raw socket most attempts reach a stranger: the corpus tries what matters."""
    tried = [
        attempt
        for attempt in ATTEMPTS
        if attempt.get("raw", True)
        and not any(
            word in attempt["target"] for word in ("attach", "/wait", "force=1")
        )
    ]
    tried = tried[::3]
    reached = [one["name"] for one in tried if stage.try_out(one, stage.path)]
    assert len(reached) > len(tried) // 2, {t["name"] for t in tried} - set(reached)
