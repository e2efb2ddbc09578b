"""Podman's Docker routes beside lists of objects: its own, and nobody else's."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.clients.test_answers import PROGRAMS, steady
from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_answers import BUILT_IN, events, still
from tests.end_to_end.test_races import send
from tests.engine import Engine
from tests.podman.clients import call, import_busybox
from trioproxy.api.routes import OPERATIONS

POLICY = {
    "ONLY_CONTAINERS": "@own",
    "ONLY_NETWORKS": "@own",
    "ONLY_VOLUMES": "@own",
    "ONLY_OWNER": "answers",
    "ALLOW_OPERATIONS": ",".join(OPERATIONS.keys() - {"BuildKitGrpc"}),
}


class Stage(NamedTuple):
    """A Podman with some of a client's own and of others', and the client's way to it."""

    raw: str
    proxied: str
    own: Mapping[str, str]
    """Ids, by what it is; of volumes, names."""
    since: int

    def is_own(self, one: Mapping[str, Any]) -> bool:
        """Whether what a list or an event tells of is the client's."""
        told = one.get("Id") or one.get("ID") or one.get("id") or one.get("Name")
        return (told or one["Actor"]["ID"]) in self.own.values()


@pytest.fixture
def stage(podman: Path, tmp_path: Path) -> Iterator[Stage]:
    """The stage, of which nothing stays."""
    import_busybox(podman, tmp_path)
    raw, proxied = str(podman), str(tmp_path / "proxy.sock")
    own, since = dict[str, str](), int(time.time())
    engine = Engine(f"unix://{podman}", tmp_path)
    try:
        with enforcing(engine, listen=f"unix://{proxied}", variables=POLICY):
            for path, who in ((proxied, "own"), (raw, "other")):
                made = {
                    name: _made(path, target, body)
                    for name, target, body in (
                        ("net", "/networks/create", {"Name": f"{who}-net"}),
                        ("vol", "/volumes/create", {"Name": f"{who}-vol"}),
                        ("box", f"/containers/create?name={who}", BOX),
                        ("old", f"/containers/create?name={who}-old", BOX),
                    )
                }
                own = own or made
            yield Stage(raw, proxied, own, since)
    finally:
        for who in ("own", "other"):
            for name in (who, f"{who}-old"):
                send(raw, "DELETE", f"/containers/{name}?force=1")
            send(raw, "DELETE", f"/volumes/{who}-vol")
            send(raw, "DELETE", f"/networks/{who}-net")


BOX = {
    "Image": "busybox",
    "Cmd": ["true"],
    "Labels": {"app": "y"},
    "HostConfig": {"NetworkMode": "none"},
}


def _made(path: str, target: str, body: Mapping[str, Any]) -> str:
    status, made = send(path, "POST", target, body)
    assert status == 201, made
    found: str = made.get("Id") or made["Name"]
    return found


def test_lists_and_events(stage: Stage) -> None:
    """What the raw socket shows, with the strangers taken out."""
    raw, proxied, own, _ = stage
    for target in ("/containers/json?all=1", "/networks"):
        expected = send(raw, "GET", target)[1]
        assert len(expected) > 1
        expected = list(filter(stage.is_own, expected))
        status, found = send(proxied, "GET", target)
        found = [one for one in found if one.get("Name") not in BUILT_IN]
        assert (status, found) == (200, expected)
    status, found = send(proxied, "GET", "/volumes")
    assert [one["Name"] for one in found["Volumes"]] == ["own-vol"]
    filters = quote(json.dumps({"since": ["other"]}))
    asked = f"/containers/json?all=1&filters={filters}"
    assert send(proxied, "GET", asked)[0] == 404
    with events(proxied) as shown:
        for one in ("other", "own"):
            assert send(raw, "DELETE", f"/containers/{one}?force=1")[0] == 204
        assert shown.next()["Actor"]["ID"] == own["box"]


LABELLED = {"label": ["app=y"]}


@pytest.mark.slow
@pytest.mark.parametrize("client", ["docker_py", "aiodocker"])
def test_clients_of_docker(stage: Stage, client: str) -> None:
    """They are shown by Podman's Docker routes what the raw socket shows, without strangers."""
    asked: list[tuple[str, dict[str, Any]]] = [
        ("summaries", {"all": True, "filters": {}}),
        ("summaries", {"all": True, "filters": LABELLED}),
        ("containers", {"all": True}),
        ("networks", {"filters": {}}),
        ("volumes", {"filters": {}}),
        ("container", {"id": stage.own["box"]}),
        ("network", {"id": stage.own["net"]}),
        ("volume", {"id": "own-vol"}),
    ]
    program = (sys.executable, str(PROGRAMS / f"asks_{client}.py"))
    told = {}
    for path in (stage.raw, stage.proxied):
        text = "".join(json.dumps(one) + "\n" for one in asked)
        ran = subprocess.run(
            program,
            input=text,
            capture_output=True,
            text=True,
            env={"DOCKER_HOST": f"unix://{path}"},
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        told[path] = [json.loads(line) for line in ran.stdout.splitlines()]
    for one, plain, found in zip(asked, told[stage.raw], told[stage.proxied], strict=True):  # fmt: skip
        if isinstance(plain, list):
            assert len(plain) > len(found), one
            listed = filter(stage.is_own, plain)
            kept = (each for each in found if each.get("Name") not in BUILT_IN)
            compare = still if one[0] == "summaries" else list
            assert compare(list(kept)) == compare(list(listed)), one
        else:
            assert found == plain, one


@pytest.mark.slow
def test_the_docker_command(stage: Stage) -> None:
    """It lists, inspects and hears of its own, and its prune lets strangers be."""
    for command in (
        ("ps", "-a", "--no-trunc"),
        ("ps", "-a", "--no-trunc", "--filter=label=app=y"),
        ("network", "ls", "--no-trunc"),
        ("volume", "ls"),
        ("events", f"--since={stage.since}", "--filter=type=container"),
    ):
        plain, found = (lines_of(path, *command) for path in (stage.raw, stage.proxied))
        expected = list(filter(stage.is_own, plain))
        found = [one for one in found if one.get("Name") not in BUILT_IN]
        assert found == expected != plain, command
        assert expected, command
    inspected = [docker(path, "inspect", "own") for path in (stage.raw, stage.proxied)]
    assert json.loads(inspected[1]) == json.loads(inspected[0])
    docker(stage.proxied, "container", "prune", "-f")
    left = {one["Names"] for one in lines_of(stage.raw, "ps", "-a")}
    assert left == {"other", "other-old"}


def docker(path: str, *command: str) -> str:
    """What the docker command prints."""
    ran = call(("docker", *command), {"DOCKER_HOST": f"unix://{path}"})
    assert ran.returncode == 0, (path, command, ran.stderr)
    return ran.stdout


def lines_of(path: str, *command: str) -> list[dict[str, Any]]:
    """The same of a list, as values."""
    if command[0] == "events":  # Podman reads them wrongly where that is over
        command += (f"--until={int(time.time()) + 2}",)
    told = docker(path, *command, "--format={{json .}}")
    return [steady(json.loads(line)) for line in told.splitlines()]
