"""The proxy's mark on a real Engine: everything that is made has it, and nobody forges it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_escapes import ask
from tests.engine import Engine
from trioproxy.limits.objects import OWNER_LABEL

OPEN = dict.fromkeys(
    ("CONTAINERS", "IMAGES", "NETWORKS", "VOLUMES", "COMMIT", "POST", "PING"), "1"
)
OWN = {
    "ALLOW_OPERATIONS": "ContainerCreate,ContainerInspect,ContainerRename,ImageCreate,SystemPing,SystemPingHead",
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "app",
    "PULL_IMAGES": "registry.invalid/a:1",
}
HEX = "0123456789ab"


@pytest.fixture(scope="module")
def opened(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy whose policy limits nothing."""
    listen = f"unix://{tmp_path_factory.mktemp('marks')}/proxy.sock"
    with enforcing(engine, listen=listen, variables=OPEN):
        yield listen


@pytest.fixture(scope="module")
def own(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A proxy that lists what is the client's own."""
    listen = f"unix://{tmp_path_factory.mktemp('own')}/proxy.sock"
    with enforcing(engine, listen=listen, variables=OWN):
        yield listen


def inspect(engine: Engine, what: str) -> dict[str, Any]:
    (seen,) = json.loads(engine.docker("inspect", what).output)
    assert isinstance(seen, dict)
    return seen


def config_of(engine: Engine, made: str) -> dict[str, Any]:
    """What a container or image is of, without what no two have in common."""
    seen = inspect(engine, made)
    config = dict(seen["Config"])
    config.pop("Hostname")
    return {"Config": config, "HostConfig": seen.get("HostConfig")}


RUN = (
    "create", "--label=a=b", "-e", "A=b", "--stop-signal=QUIT", "-t", "-m", "64m",
    "--log-driver=none", "-v", "/anonymous", "--mount", "type=tmpfs,dst=/t", "busybox", "true",
)  # fmt: skip


@pytest.mark.engine
def test_what_is_made_differs_by_the_mark_alone(engine: Engine, opened: str) -> None:
    """A container and its commit are what they are without a proxy, and have one label more."""
    directly = engine.docker(*RUN).text
    through = engine.docker(*RUN, host=opened).text
    images = list[str]()
    for host in (engine.url, opened):
        commit = ("commit", directly, f"of:{len(images)}")
        images.append(engine.docker(*commit, host=host).text)
    try:
        for plain, marked in ((directly, through), tuple(images)):
            found = config_of(engine, marked)
            assert found["Config"]["Labels"].pop(OWNER_LABEL) == ""
            assert found == config_of(engine, plain)
    finally:
        engine.docker("rm", "-v", directly, through)
        engine.docker("rmi", "of:0", "of:1")


@pytest.mark.engine
def test_volumes_and_networks_are_marked(engine: Engine, opened: str) -> None:
    """Those that are created, and a volume that a container makes on its way by a mount."""
    engine.docker("network", "create", "marked", host=opened)
    engine.docker("volume", "create", "marked", host=opened)
    mount = "type=volume,src=made,dst=/v"
    made = engine.docker("create", "--mount", mount, "busybox", "true", host=opened).text  # fmt: skip
    try:
        for kind, name in (("network", "marked"), ("volume", "marked"), ("volume", "made")):  # fmt: skip
            (seen,) = json.loads(engine.docker(kind, "inspect", name).output)
            assert seen["Labels"] == {OWNER_LABEL: ""}
    finally:
        engine.docker("rm", made)
        engine.docker("network", "rm", "marked")
        engine.docker("volume", "rm", "marked", "made")


@pytest.mark.engine
def test_a_network_has_the_settings_of_another(engine: Engine, opened: str) -> None:
    """The Engine takes no label beside them, and gives it those of the other: the mark too."""
    engine.docker("network", "create", "--config-only", "settings", host=opened)
    made = engine.docker("network", "create", "--config-from", "settings", "has-them", host=opened, check=False)  # fmt: skip
    try:
        assert not made.status, made.errors
        (seen,) = json.loads(engine.docker("network", "inspect", "has-them").output)
        assert seen["Labels"] == {OWNER_LABEL: ""}
    finally:
        engine.docker("network", "rm", "has-them", check=False)
        engine.docker("network", "rm", "settings")


CHANGES = {
    "plain": "LABEL trioproxy.owner=forged",
    "cut": 'LABEL trio\\\n# a remark\npro"xy".owner=forged',
    "backtick": "# escape=`\nLA`\nBEL trioproxy.owner=forged",
    "variable": "ENV A=proxy\nLABEL trio${A}.owner=forged",
}


@pytest.mark.engine
@pytest.mark.parametrize("how", CHANGES)
def test_no_commit_gives_our_label(engine: Engine, opened: str, how: str) -> None:
    """What gives it without a proxy, by a change that wins over the body, is refused."""
    made = engine.docker("create", "busybox", "true").text
    change = f"--change={CHANGES[how]}"
    try:
        engine.docker("commit", change, made, "forged")
        labels = inspect(engine, "forged")["Config"]["Labels"]
        assert labels == {OWNER_LABEL: "forged"}
        ran = engine.docker("commit", change, made, "forged:2", host=opened, check=False)  # fmt: skip
        assert "labels that begin with trioproxy. are the proxy's" in ran.errors
        assert ran.status != 0
        engine.docker("commit", "--change=LABEL a=$A", made, "forged:3", host=opened)
        assert inspect(engine, "forged:3")["Config"]["Labels"] == {"a": "", OWNER_LABEL: ""}  # fmt: skip
    finally:
        engine.docker("rm", made)
        engine.docker("rmi", "forged", "forged:3")


@pytest.mark.engine
def test_no_creation_gives_our_label(engine: Engine, opened: str) -> None:
    """A copy of the own label passes, as updaters send it, and no other one does."""
    for label, passes in ((f"{OWNER_LABEL}=", True), (f"{OWNER_LABEL}=x", False), ("trioproxy.policy=x", False)):  # fmt: skip
        command = ("create", f"--label={label}", "busybox", "true")
        ran = engine.docker(*command, host=opened, check=False)
        assert (ran.status == 0) is passes
        if passes:
            engine.docker("rm", ran.text)
        else:
            assert "leave it out" in ran.errors


@pytest.mark.engine
def test_no_container_is_named_like_an_id(engine: Engine, own: str) -> None:
    """A name of hex digits is found before the id that begins so; through lists none is given."""
    other = engine.docker("create", "busybox", "true").text
    made = engine.docker("create", "--name=plain", "busybox", "true", host=own).text
    try:
        engine.docker("rename", "plain", other[:12])
        assert inspect(engine, other[:12])["Id"] == made
        engine.docker("rename", made, "plain")
        for command in (("create", f"--name={HEX}", "busybox", "true"), ("rename", "plain", other[:12])):  # fmt: skip
            ran = engine.docker(*command, host=own, check=False)
            assert "beginning of another one's id" in ran.errors
    finally:
        engine.docker("rm", other, made)


@pytest.mark.engine
def test_a_digest_beside_a_tag_is_judged_as_both(
    engine: Engine, own: str, tmp_path: Path
) -> None:
    """The Engine looks for the digest, whatever the tag says: a listed tag does not do."""
    name = f"registry.invalid/a@sha256:{'a' * 64}"
    head = f"POST /images/create?fromImage={name}&tag=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    status, answer = ask(own.removeprefix("unix://"), head.encode())
    assert status == 403
    assert f"a:1@sha256:{'a' * 12}" in answer.decode()
    status, _ = ask(own.removeprefix("unix://"), head.replace(name, "registry.invalid/a").encode())  # fmt: skip
    assert status not in {400, 403}  # the Engine's own, for there is no such registry
