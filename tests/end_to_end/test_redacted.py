"""Secrets planted wherever a real Engine keeps any, and every read operation of the table asked
through a proxy that redacts: nothing of them arrives; and nothing of strangers where one lists."""

import http.client
import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests import tars
from tests.end_to_end.proxies import enforcing
from tests.engine import Engine, scratch_engine
from tests.patience import PATIENCE
from trioproxy.api.matched import with_segments
from trioproxy.api.redaction import MARKER
from trioproxy.api.routes import ENDPOINTS, Effect, Endpoint

DOCKERS = [one for one in ENDPOINTS if not one.is_podmans and one.is_reachable]
EVERY_READ = [
    one
    for one in DOCKERS
    if one.effect is Effect.READ and one.method in {"GET", "HEAD"}
]
READS = [one for one in EVERY_READ if not one.shows_what_is_hidden]
"""What is asked: all but what passes as it is, which `explain` names."""
SHOWN = "plain-text"
"""What is no secret, and stands beside one."""
FINITE = {"ContainerStats": "?stream=0&one-shot=1", "SystemEvents": "?since=0&until={}"}
"""What would not end else, or what would be empty."""
LIMITS = {"DebugPprofProfile": "?seconds=1", "DebugPprofTrace": "?seconds=1"}


class ByUnix(http.client.HTTPConnection):
    """A connection of Python's own client to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


def ask(path: str, method: str, target: str, body: object = None) -> tuple[int, bytes]:
    """Ask, with a body as JSON or as it is."""
    connection = ByUnix(path)
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    kind = "application/x-tar" if isinstance(body, bytes) else "application/json"
    try:
        connection.request(method, target, raw, {"Content-Type": kind} if raw else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@dataclass
class Stage:
    """An Engine with secrets, and the names of what it has, by section."""

    raw: str
    engine: Engine
    names: dict[str, list[str]] = field(default_factory=dict)

    def make(self, target: str, body: object, section: str = "") -> str:
        """Make something; give its id."""
        status, answer = ask(self.raw, "POST", target, body)
        assert status < 300, (target, status, answer)
        made = json.loads(answer) if b"{" in answer[:1] else {}
        name = str(made.get("Id") or made.get("ID") or made.get("Name") or "")
        self.names.setdefault(section, []).append(name)
        return name

    def plant(self) -> None:
        """Have each kind of secret in each place where the Engine keeps one."""
        self._plant_containers()
        self._plant_images()
        self._plant_swarm()
        self._plant_plugin()

    def _plant_containers(self) -> None:
        container = {
            "Image": "busybox",
            "Cmd": ["sh", "-c", "sleep 900; : command-1-secret"],
            "Env": ["TOKEN=env-1-secret", f"TZ={SHOWN}"],
            "Labels": {
                "plain": "labels-1-secret",
                "com.docker.compose.config-hash": "env-2-secret",
            },
            "Healthcheck": {"Test": ["CMD-SHELL", "true || command-2-secret"]},
        }
        one = self.make("/containers/create?name=planted", container, "CONTAINERS")
        self.make(f"/containers/{one}/start", None)
        run = {"Cmd": ["sh", "-c", ": event-1-secret"], "Env": ["A=env-4-secret"]}
        command = self.make(f"/containers/{one}/exec", run, "EXEC")
        self.make(f"/exec/{command}/start", {"Detach": True})
        labels = {"Labels": {"plain": "labels-2-secret"}}
        self.make("/networks/create", {"Name": "planted", **labels}, "NETWORKS")
        self.make("/volumes/create", {"Name": "planted", **labels}, "VOLUMES")

    def _plant_images(self) -> None:
        changes = "&changes=" + quote("ENV COMMITTED=env-5-secret")
        made = self.make(f"/commit?container=planted&repo=planted{changes}", {})
        self.names["IMAGES"] = [made, "planted:latest"]
        steps = b"FROM busybox\nARG ARGUED\nENV BUILT=env-6-secret\nRUN : $ARGUED\n"
        steps += b"ONBUILD ENV LATER=env-7-secret\nLABEL a=labels-3-secret\n"
        given = quote(json.dumps({"ARGUED": "env-8-secret"}))
        status, answer = ask(
            self.raw,
            "POST",
            f"/build?t=built&rm=0&version=1&buildargs={given}",
            tars.file(steps, b"Dockerfile") + tars.END,
        )
        assert status == 200, answer
        assert b"Successfully built" in answer
        self.names["IMAGES"].append("built:latest")
        left = json.loads(ask(self.raw, "GET", "/containers/json?all=1")[1])
        self.names["CONTAINERS"] += [one["Id"] for one in left]

    def _plant_swarm(self) -> None:
        self.make(
            "/swarm/init",
            {"ListenAddr": "127.0.0.1:2377", "AdvertiseAddr": "127.0.0.1"},
        )
        data = "ZW52LTktc2VjcmV0"  # env-9-secret
        labels = {"Labels": {"plain": "labels-4-secret"}}
        self.make("/configs/create", {"Name": "c", "Data": data, **labels}, "CONFIGS")
        self.make("/secrets/create", {"Name": "s", "Data": data, **labels}, "SECRETS")

        def service(number: int) -> dict[str, Any]:
            runs = {
                "Image": "busybox",
                "Env": [f"TOKEN=env-1{number}-secret"],
                "Command": ["sleep", "900"],
                "Args": [f"command-{number}-secret"],
                **labels,
            }
            # Its command fails, and of tasks that begin again the Swarm forgets the oldest.
            once = {"RestartPolicy": {"Condition": "none"}}
            return {"Name": "s", "TaskTemplate": {"ContainerSpec": runs, **once}, **labels}  # fmt: skip

        one = self.make("/services/create", service(3), "SERVICES")
        version = json.loads(ask(self.raw, "GET", f"/services/{one}")[1])["Version"]
        self.make(f"/services/{one}/update?version={version['Index']}", service(4))
        deadline = time.monotonic() + PATIENCE
        while b"env-14-secret" not in (tasks := ask(self.raw, "GET", "/tasks")[1]):
            assert time.monotonic() < deadline  # a task before that one may go
        self.names["TASKS"] = [one["ID"] for one in json.loads(tasks) if "env-14-secret" in str(one)]  # fmt: skip
        nodes = json.loads(ask(self.raw, "GET", "/nodes")[1])
        self.names["NODES"] = [node["ID"] for node in nodes]

    def _plant_plugin(self) -> None:
        config = {
            "Description": "planted",
            "Entrypoint": ["/x", "command-5-secret"],
            "Interface": {"Types": ["docker.volumedriver/1.0"], "Socket": "x.sock"},
            "Env": [
                {"Name": "A", "Value": "env-15-secret", "Settable": ["value"]},
            ],
            "Args": {"Name": "a", "Value": ["command-6-secret"]},
            "Network": {"Type": "none"},
            "Linux": {"Capabilities": []},
        }
        raw = json.dumps(config).encode()
        folder = tars.header(b"rootfs", b"5", patches=((100, b"0000755"),))
        files = tars.file(raw, b"config.json") + folder + tars.END
        status, answer = ask(
            self.raw, "POST", "/plugins/create?name=planted:latest", files
        )
        assert status == 204, answer
        self.names["PLUGINS"] = ["planted:latest"]

    def of_two(self) -> set[str]:
        """Have the same of the client's and of a stranger's; give the stranger's ids."""
        ids = dict[str, set[str]]()
        for who in ("ours", "stranger"):
            kept = {"Labels": {"trioproxy.owner": who, "plain": f"{who}-label"}}
            network = self.make("/networks/create", {"Name": f"{who}-net", **kept}, "NETWORKS")  # fmt: skip
            self.make("/volumes/create", {"Name": f"{who}-vol", **kept}, "VOLUMES")
            container = {
                "Image": "busybox",
                "Hostname": f"{who}-host",
                "Cmd": ["sh", "-c", f"echo {who}-said; sleep 900; : {who}-runs"],
                "Env": [f"{who}=env-20-secret"],
                "HostConfig": {"Binds": [f"{who}-vol:/v"]},
                **kept,
            }
            one = self.make(f"/containers/create?name={who}", container, "CONTAINERS")
            self.make(f"/containers/{one}/start", None)
            self.make(f"/networks/{network}/connect", {"Container": one})
            run = {"Cmd": ["echo", f"{who}-ran"], "Env": [f"{who}=env-21-secret"]}
            command = self.make(f"/containers/{one}/exec", run, "EXEC")
            self.make(f"/exec/{command}/start", {"Detach": True})
            ids[who] = {one, network, command}
            log, deadline = (
                f"/containers/{one}/logs?stdout=1",
                time.monotonic() + PATIENCE,
            )
            while f"{who}-said".encode() not in ask(self.raw, "GET", log)[1]:
                assert time.monotonic() < deadline
        return ids["stranger"]

    def targets(self, endpoint: Endpoint) -> Iterator[str]:
        """Every target of an operation that tells of anything that is there."""
        query = FINITE.get(endpoint.operation, LIMITS.get(endpoint.operation, ""))
        query = query.format(int(time.time()) + 1)
        if "{" not in endpoint.template:
            yield f"{endpoint.template}{query}"
            return
        for name in dict.fromkeys(self.names.get(endpoint.section, ["busybox"])):
            path = with_segments(endpoint.template, quote(name))
            yield f"{path}{query or '?path=/bin&stdout=1&verbose=1&manifests=1'}"


@pytest.fixture(scope="module")
def stage(may_start_engines: None) -> Iterator[Stage]:
    """An Engine of its own, for a swarm is made of it."""
    with scratch_engine() as engine:
        one = Stage(str(engine.socket), engine)
        one.plant()
        yield one


def policy(redact: str) -> Mapping[str, str]:
    """Grant all that there is."""
    operations = sorted({one.operation for one in DOCKERS})
    return {"ALLOW_OPERATIONS": ",".join(operations), "REDACT": redact}


WITH_ENVIRONMENTS = {
    *("ConfigInspect", "ConfigList", "ContainerInspect", "ContainerList"),
    *("ImageHistory", "ImageInspect", "PluginInspect", "PluginList"),
    *("ServiceInspect", "ServiceList", "SystemEvents", "TaskInspect", "TaskList"),
    *("SystemDataUsage",),
}
"""What shows one on the raw socket: otherwise nothing would be shown here."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redact", "words"),
    [
        ("env", ("env-",)),
        ("env,labels", ("env-", "labels-")),
        ("env,commands,labels", ("env-", "command-", "event-", "labels-")),
    ],
)
def test_no_secret_arrives_by_any_read(
    stage: Stage, tmp_path: Path, redact: str, words: tuple[str, ...]
) -> None:
    """Of each thing that there is each read operation is asked, on the raw socket and through the
    proxy: what the words name is on the one, and not on the other, and what they do not name is
    on both."""
    listen = str(tmp_path / "p.sock")
    showing, kept = set[str](), 0
    with enforcing(stage.engine, listen=f"unix://{listen}", variables=policy(redact)):
        for endpoint in READS:
            for target in stage.targets(endpoint):
                status, raw = ask(stage.raw, endpoint.method, target)
                again, told = ask(listen, endpoint.method, target)
                assert again == status, (target, raw, told)
                is_event = endpoint.operation == "SystemEvents"
                for word in (*words, "event-") if is_event else words:
                    found = secrets_in(told, word)
                    assert not found, (endpoint.operation, target, found)
                if secrets_in(raw, "env-"):
                    showing.add(endpoint.operation)
                    assert MARKER.encode() in told or b"cmVkYWN0ZWQ" in told
                kept += SHOWN.encode() in told
                if is_event:
                    assert secrets_in(raw, "event-")
    assert showing >= WITH_ENVIRONMENTS
    assert kept


def test_no_command_line_is_guessed_at(stage: Stage, tmp_path: Path) -> None:
    """The Engine tells by the filters of its events whether the command line of an exec begins with a
    text; beside `REDACT` it is not asked that, and asked all else."""
    listen = str(tmp_path / "p.sock")
    _, raw = ask(stage.raw, "GET", f"/events?since=0&until={int(time.time())}")
    actions = (json.loads(line)["Action"] for line in raw.splitlines())
    line = next(one for one in actions if one.startswith("exec_create: "))
    target = f"/events?since=0&until={int(time.time())}&filters="
    right, wrong, plain = (
        f"{target}{quote(json.dumps({'event': ['exec_start', text]}))}"
        for text in (line[:-1], f"{line[:-1]}!", "exec_create")
    )
    assert line.encode() in ask(stage.raw, "GET", right)[1]
    assert b"exec_create" not in ask(stage.raw, "GET", wrong)[1]
    with enforcing(stage.engine, listen=f"unix://{listen}", variables=policy("env")):
        assert [ask(listen, "GET", one)[0] for one in (right, wrong)] == [400, 400]
        status, told = ask(listen, "GET", plain)
    assert status == 200
    assert b"exec_create: " + MARKER.encode() in told


SHOWING_BOTH = {
    *("ContainerInspect", "ContainerList", "ContainerLogs", "ContainerTop"),
    *("ExecInspect", "NetworkInspect", "NetworkList", "SystemDataUsage"),
    *("SystemEvents", "VolumeInspect", "VolumeList"),
}
"""What tells of each on the raw socket, and of the client's own through the proxy."""


def test_nothing_of_strangers_arrives_by_any_read(stage: Stage, tmp_path: Path) -> None:
    """With `@own` and `REDACT` each read operation is asked of each thing that there is: a
    stranger's ids, names, labels, words and output are on the raw socket, and arrive by none; of
    its own all of these arrive, and no value of an environment."""
    strangers, listen = stage.of_two(), str(tmp_path / "p.sock")
    lists = dict.fromkeys(("ONLY_CONTAINERS", "ONLY_NETWORKS", "ONLY_VOLUMES"), "@own")
    variables = {**policy("env"), **lists, "ONLY_OWNER": "ours"}
    told_raw, told_own = set[str](), set[str]()
    with enforcing(stage.engine, listen=f"unix://{listen}", variables=variables):
        for endpoint in (one for one in EVERY_READ if one.operation not in LIMITS):
            for target in stage.targets(endpoint):
                status, told = ask(listen, endpoint.method, target)
                for one in ("stranger-vol", *strangers):
                    if one in target:  # an error says again what was asked for
                        assert status in {403, 404}, target
                        told = told.replace(one.encode(), b"")
                found = [
                    one for one in ("stranger", *strangers) if one.encode() in told
                ]
                assert not found, (target, told)
                assert endpoint.shows_what_is_hidden or not secrets_in(told, "env-2")
                if b"ours" in told:
                    assert status == 200, target
                    told_own.add(endpoint.operation)
                if endpoint.operation in SHOWING_BOTH:
                    raw = ask(stage.raw, endpoint.method, target)[1]
                    told_raw |= {endpoint.operation} if b"stranger" in raw else set()
    assert told_raw >= SHOWING_BOTH, SHOWING_BOTH - told_raw
    assert told_own >= SHOWING_BOTH, SHOWING_BOTH - told_own


def secrets_in(answer: bytes, word: str) -> list[bytes]:
    """The secrets of one kind in an answer, as they are and as bytes are written."""
    plain = answer.replace(b"ZW52LTktc2VjcmV0", b"env-9-secret")
    return [
        one
        for one in plain.replace(b'"', b" ").replace(b"=", b" ").split()
        if word.encode() in one and b"-secret" in one
    ]


def test_nothing_is_written_back_without_its_secrets(
    stage: Stage, tmp_path: Path
) -> None:
    """A service that was read through the proxy and is written back as it was told is refused, and
    keeps what it has."""
    listen = str(tmp_path / "p.sock")
    (one,) = stage.names["SERVICES"]
    with enforcing(stage.engine, listen=f"unix://{listen}", variables=policy("env")):
        told = json.loads(ask(listen, "GET", f"/services/{one}")[1])
        target = f"/services/{one}/update?version={told['Version']['Index']}"
        status, answer = ask(listen, "POST", target, told["Spec"])
    assert status == 403
    assert MARKER.encode() in answer
    assert b"env-14-secret" in ask(stage.raw, "GET", f"/services/{one}")[1]
