"""What clients are shown by lists of objects: what the raw socket shows, without strangers.

Each of them asks the same questions of the Engine and of four proxies, which list the same
things in four ways: as one's own, by a project, by names, by a label.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.clients.comparison import SECONDS, emptied
from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_answers import still, with_members
from tests.end_to_end.test_races import send
from tests.engine import ScratchEngine
from trioproxy.api.routes import OPERATIONS

PROGRAMS = Path(__file__).parent / "programs"
pytestmark = [pytest.mark.engine, pytest.mark.clients]

LISTS = {"own": "@own", "project": "@project:a", "names": "in-*", "label": "@label:team=x"}  # fmt: skip
INSIDE = {
    "trioproxy.owner": "shown",
    "com.docker.compose.project": "a",
    "com.docker.compose.service": "web",
    "com.docker.compose.container-number": "1",
    "com.docker.compose.oneoff": "False",
    "team": "x",
    "app": "y",
}
OUTSIDE = {**INSIDE, "trioproxy.owner": "other", "com.docker.compose.project": "b", "team": "z"}  # fmt: skip

Question = tuple[str, dict[str, Any]]

NONE: dict[str, list[str]] = {}
FILTERS: list[dict[str, list[str]]] = [
    {"label": ["app"]},
    {"label": ["app=y"], "status": ["running"]},
    {"status": ["created", "exited"]},
    {"name": ["in", "out"]},
    {"network": ["out-net"]},
    {"volume": ["in-vol"]},
]


def questions() -> Iterator[Question]:
    """Lists by every filter, with and without those that are stopped."""
    for filters in (NONE, *FILTERS):
        for shows_all in (True, False):
            yield "summaries", {"all": shows_all, "filters": filters}
    yield "containers", {"all": True}
    for filters in ({}, {"label": ["app=y"]}, {"name": ["net"]}, {"driver": ["bridge"]}):  # fmt: skip
        yield "networks", {"filters": filters}
    for filters in ({}, {"label": ["app=y"]}, {"dangling": ["false"]}):
        yield "volumes", {"filters": filters}


@dataclass(kw_only=True)
class Stage:
    """An Engine with some of everything, by four proxies."""

    raw: str
    proxies: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    """By what they are called."""
    since: int = 0
    filled: float = 0.0
    """When all was there, and nothing else yet: other tests make things of such names."""

    @property
    def inside(self) -> set[str]:
        return {one for name, one in self.ids.items() if name.startswith("in-")}

    def post(self, target: str, **body: object) -> dict[str, Any]:
        status, made = send(self.raw, "POST", target, body or None)
        assert status < 300, (target, made)
        return made if isinstance(made, dict) else {}

    def fill(self) -> None:
        """Make the same twice, once listed."""
        self.since = int(time.time())
        for who, labels in (("in", INSIDE), ("out", OUTSIDE)):
            made = self.post("/networks/create", Name=f"{who}-net", Labels=labels)
            self.ids[f"{who}-net"] = made["Id"]
            self.post("/volumes/create", Name=f"{who}-vol", Labels=labels)
            self.ids[f"{who}-vol"] = f"{who}-vol"
            host = {"NetworkMode": f"{who}-net", "Binds": [f"{who}-vol:/v"]}
            for number in range(3):
                body = {"Image": "busybox", "Cmd": ["sleep", "900"], "Labels": labels}
                name = f"{who}-{number}"
                made = self.post(f"/containers/create?name={name}", HostConfig=host, **body)  # fmt: skip
                self.ids[name] = made["Id"]
                if number != 1:
                    self.post(f"/containers/{made['Id']}/start")
        for one in ("in-2", "out-2"):
            for network in ("in-net", "out-net"):
                if network[:2] != one[:2]:
                    self.post(f"/networks/{network}/connect", Container=self.ids[one])
        self.filled = time.time()

    def narrowed(self, what: str, told: Any) -> Any:  # noqa: ANN401  JSON
        """An answer without strangers."""
        match what:
            case "summaries" | "containers" | "networks" | "volumes" | "events":
                listed = list(filter(self._is_inside, told))
                if what == "networks":
                    return [self.narrowed("network", one) for one in listed]
                if what == "volumes":
                    listed.sort(key=lambda one: str(one["Name"]))
                return still(listed) if what == "summaries" else listed
            case "network":
                return with_members(told, self.inside)
            case _:
                return told

    def _is_inside(self, one: Mapping[str, Any]) -> bool:
        """Whether all that it tells of is listed: a container and a network, of some events."""
        actor = one.get("Actor", {})
        of = actor.get("Attributes", {}).get("container") or next(iter(self.inside))
        told = one.get("Id") or actor.get("ID") or one["Name"]
        return {told, of} <= self.inside


@pytest.fixture(scope="module")
def stage(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The stage; nothing of it stays."""
    folder = tmp_path_factory.mktemp("shown")
    everything = ",".join(sorted(OPERATIONS.keys() - {"BuildKitGrpc"}))
    stage = Stage(raw=str(scratch.socket))
    with ExitStack() as stack:
        stack.enter_context(emptied(scratch))
        for name, item in LISTS.items():
            variables = {f"ONLY_{kind}": item for kind in ("CONTAINERS", "NETWORKS", "VOLUMES")}  # fmt: skip
            owner = {"ONLY_OWNER": "shown"} if item == "@own" else {}
            policy = {"ALLOW_OPERATIONS": everything, **variables, **owner}
            stage.proxies[name] = f"{folder}/{name}.sock"
            listen = f"unix://{stage.proxies[name]}"
            stack.enter_context(enforcing(scratch, listen=listen, variables=policy))
        stage.fill()
        yield stage


@pytest.fixture(params=["docker_py", "aiodocker", "dockerode"])
def program(request: pytest.FixtureRequest) -> list[str]:
    """A client that takes questions."""
    name: str = request.param
    if name == "dockerode":
        modules: Path = request.getfixturevalue("modules")
        return ["node", str(modules / "asks_dockerode.js")]
    return [sys.executable, str(PROGRAMS / f"asks_{name}.py")]


def ask(
    engine: ScratchEngine, command: list[str], path: str, asked: list[Question]
) -> list[Any]:
    """Have a client ask, and give what it was told."""
    ran = subprocess.run(
        command,
        input="".join(json.dumps(one) + "\n" for one in asked),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=engine.environment(f"unix://{path}"),
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_lists_events_and_what_is_in_them(
    scratch: ScratchEngine, stage: Stage, program: list[str]
) -> None:
    """By each list each client sees of each list, inspection and event what the raw socket shows,
    without strangers; of these it hears that they are not for it."""
    kinds = {"0": "container", "net": "network", "vol": "volume"}
    of = [(kind, {"id": stage.ids[f"in-{name}"]}) for name, kind in kinds.items()]
    past = {"since": stage.since, "until": int(stage.filled) + 1, "filters": {"type": ["container", "network"]}}  # fmt: skip
    asked = [*questions(), *of, ("events", past)]
    plain = ask(scratch, program, stage.raw, asked)
    # docker-py asks a limit of the Engine, which counts the newest of all.
    limited = ("summaries", {"limit": 2})
    strangers = [(kind, {"id": stage.ids[f"out-{name}"]}) for name, kind in kinds.items()]  # fmt: skip
    expected = [stage.narrowed(one[0], told) for one, told in zip(asked, plain, strict=True)]  # fmt: skip
    assert sum(map(len, expected[:14])) > 20
    assert len(expected[-1]) > 4
    newest = expected[0][:2]
    for name, path in stage.proxies.items():
        found = ask(scratch, program, path, [*asked, limited, *strangers])
        for one, told, wanted in zip(asked, found, expected, strict=False):
            assert stage.narrowed(one[0], told) == wanted, (name, one)
            is_list = isinstance(told, list)
            assert not is_list or len(told) == len(wanted), (name, one)
        assert still(found[len(asked)]) == newest
        assert found[len(asked) + 1 :] == [{"status": 403}] * 3


def test_prunes(scratch: ScratchEngine, stage: Stage, program: list[str]) -> None:
    """A prune removes of what is stopped what is listed, and says so; a stranger stays."""
    for path in stage.proxies.values():
        made = {}
        for who, labels in (("in", INSIDE), ("out", OUTSIDE)):
            body = {"Image": "busybox", "Labels": {**labels, "prune": "me"}}
            made[who] = stage.post(f"/containers/create?name={who}-stopped", **body)["Id"]  # fmt: skip
        filters = {"filters": {"label": ["prune=me"]}}
        (told,) = ask(scratch, program, path, [("prune", filters)])
        assert told["ContainersDeleted"] == [made["in"]]
        target = f"/containers/{made['out']}"
        assert send(stage.raw, "DELETE", target)[0] == 204


def lines_of(engine: ScratchEngine, path: str, *command: str) -> list[dict[str, Any]]:
    """What the docker command shows, as JSON; Compose writes one list of it, or lines."""
    ran = subprocess.run(
        ["docker", *command],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=engine.environment(f"unix://{path}"),
        check=False,
    )
    assert ran.returncode == 0, (command, ran.stderr)
    found: list[dict[str, Any]] = []
    for line in ran.stdout.splitlines():
        value = json.loads(line)
        found += value if isinstance(value, list) else [value]
    return [steady(one) for one in found]


VARYING = {"RunningFor", "Status", "Mounts", "LocalVolumes", "Size"}
"""How long something runs, and what is cut where a map is written in another order."""
UNORDERED = {"Labels", "Networks"}


def steady(one: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in one.items() if name not in VARYING}
    of = UNORDERED & kept.keys()
    return kept | {name: sorted(str(kept[name]).split(",")) for name in of}


def commands(stage: Stage) -> Iterator[tuple[str, ...]]:
    """Lists of the docker command and of Compose, with filters."""
    formats = ("--format", "{{json .}}")
    for filters in (NONE, *FILTERS):
        pairs = [f"--filter={key}={one}" for key, values in filters.items() for one in values]  # fmt: skip
        yield ("ps", "-a", "--no-trunc", *formats, *pairs)
    yield ("ps", "--no-trunc", *formats)
    yield ("network", "ls", "--no-trunc", *formats)
    yield ("network", "ls", "--no-trunc", *formats, "--filter=label=app=y")
    yield ("volume", "ls", *formats)
    yield ("volume", "ls", *formats, "--filter=dangling=false")
    until = f"--until={stage.filled:.6f}"
    yield ("events", f"--since={stage.since}", until, *formats, "--filter=type=container")  # fmt: skip
    for project in ("a", "b"):
        yield ("compose", "-p", project, "ps", "-a", "--format=json")
    yield ("compose", "ls", "-a", "--format=json")


def test_docker_and_compose(scratch: ScratchEngine, stage: Stage) -> None:
    """The docker command and Compose list what the raw socket shows, without strangers."""
    shown = stage.inside | {name for name in stage.ids if name.startswith("in-")} | {"a"}  # fmt: skip

    def is_inside(one: Mapping[str, Any]) -> bool:
        return one.get("ID", one.get("id", one.get("Name"))) in shown or (
            "Actor" in one and one["Actor"]["ID"] in shown
        )

    for command in commands(stage):
        plain = lines_of(scratch, stage.raw, *command)
        expected = list(filter(is_inside, plain))
        for name, path in stage.proxies.items():
            found = lines_of(scratch, path, *command)
            assert found == expected, (name, command)
    for path in stage.proxies.values():
        (newest,) = lines_of(scratch, path, "ps", "-l", "--no-trunc", "--format={{json .}}")  # fmt: skip
        assert newest["Names"] == "in-2"
