"""The recipes of docs/objects.md: examples whose clients reach their own objects alone.

Each is started as its README says and does its work. What is a stranger's, or a way to the
host, is then tried from within its client, and refused by our message.
"""

import importlib.metadata
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.engine import ScratchEngine
from tests.image.conftest import await_health
from tests.image.test_examples import EXAMPLES, Project, project
from tests.ryuk.image import import_reaper

pytestmark = [pytest.mark.engine, pytest.mark.slow]

RECIPES = EXAMPLES / "compose"
RYUK = "testcontainers/ryuk:0.8.1"
"""What testcontainers for Python starts by default."""
MARK = "@@"

STRANGERS = {
    "docker exec stranger true": "names container stranger ... which ONLY_CONTAINERS does not list",
    "docker restart --time 0 stranger": "names container stranger ... which ONLY_CONTAINERS does not list",
    "docker restart --time 0 {id}": "names container {id} ... which ONLY_CONTAINERS does not list",
    "docker logs stranger": "names container stranger ... which ONLY_CONTAINERS does not list",
    "docker rm --force stranger": "names container stranger ... which ONLY_CONTAINERS does not list",
    "docker network connect {network} stranger": "names container stranger ... which ONLY_CONTAINERS does not list",
    "docker create --network stranger busybox": "names network stranger ... which ONLY_NETWORKS does not list",
    "docker create --network {network} --volume stranger:/v busybox": "names volume stranger ... which ONLY_VOLUMES does not list",
    "docker create --network {network} --volumes-from stranger busybox": "asks for HostConfig.VolumesFrom",
    "docker create --network {network} --pid container:stranger busybox": "which CREATE_NAMESPACES does not list",
    "docker create --network {network} --volume /:/host busybox": "which CREATE_BINDS does not list",
    "docker create --network {network} --volume /var/run:/host busybox": "which CREATE_BINDS does not list",
    "docker create --network {network} --privileged busybox": "which CREATE_PRIVILEGED does not list",
    "docker create --network {network} stranger-image": "which CREATE_IMAGES does not list",
}
"""What a client that may create tries, and the parts of what it is told."""


@pytest.fixture
def stranger(scratch: ScratchEngine) -> Iterator[str]:
    """A container with a network and a volume, that others run; its id."""
    scratch.docker("network", "create", "stranger")
    options = (
        "--detach",
        "--name=stranger",
        "--network=stranger",
        "--volume=stranger:/v",
    )
    yield scratch.docker("run", *options, "busybox", "sleep", "600").text
    # What a client could have renamed, or brought to an end, is not there under its name.
    scratch.docker("rm", "--force", "--volumes", "stranger")
    scratch.docker("network", "rm", "stranger")
    scratch.docker("volume", "rm", "stranger")


def attempts(one: Project, client: str, commands: Mapping[str, str]) -> None:
    """Try each in the client's container, one after the other: it must be told so."""
    script = "".join(
        f"{command} </dev/null 2>&1; echo {MARK} $?\n" for command in commands
    )
    ran = one.compose("run", "--rm", "-T", client, "sh", "-c", script)
    told = ran.split(f"\n{MARK} ")
    texts = [told[0], *(text.partition("\n")[2] for text in told[1:-1])]
    statuses = [text.partition("\n")[0] for text in told[1:]]
    wrong = [
        f"{command}: {text}"
        for (command, wanted), status, text in zip(
            commands.items(), statuses, texts, strict=True
        )
        if status == "0" or not all(part in text for part in wanted.split(" ... "))
    ]
    assert not wrong, "\n".join(wrong)


def strangers(**words: str) -> dict[str, str]:
    """The attempts at a stranger's, with those words."""
    return {
        command.format(**words): told.format(**words)
        for command, told in STRANGERS.items()
    }


def check_proxy(one: Project) -> None:
    """It is healthy, knows its own container, and warns of nothing."""
    name = one.compose("ps", "--quiet", "socket-proxy")
    await_health(one.engine, name, "healthy")
    log = one.compose("logs", "--no-log-prefix", "socket-proxy").splitlines()
    assert any(" own-container id=" in line for line in log)
    warnings = {
        line.partition(" warning warning ")[2]
        for line in log
        if " warning warning " in line
    }
    assert not warnings


@pytest.mark.usefixtures("image", "client")
def test_agent_sandbox(scratch: ScratchEngine, tmp_path: Path, stranger: str) -> None:
    """An agent runs its own containers in its one network, and what they start is limited alike."""
    with project(scratch, RECIPES / "agent-sandbox", tmp_path) as sandbox:
        # Its own command, as it stands: it shows the folder.
        assert ".." in sandbox.compose("run", "--rm", "agent").split()
        asks = "docker run --rm --network agent-sandbox"
        socket = "--volume /var/run/docker.sock:/var/run/docker.sock"
        own = (
            f"{asks} --detach --name mine --volume data:/data busybox sleep 600\n"
            "test \"$(docker ps --all --format '{{.Names}}')\" = mine\n"
            "docker exec mine touch /data/file && docker cp mine:/data/file /srv/agent/\n"
            "docker cp /srv/agent/file mine:/copied && docker restart --time 0 mine\n"
            f"{asks} {socket} docker:cli docker exec mine stat /copied\n"
            f"! {asks} {socket} docker:cli docker exec stranger true\n"
            "docker rm --force mine && docker volume rm data\n"
        )
        sandbox.compose("run", "--rm", "-T", "agent", "sh", "-ec", own)
        attempts(
            sandbox,
            "agent",
            strangers(id=stranger, network="agent-sandbox")
            | {
                "docker cp stranger:/etc/passwd -": "names container stranger ... which ONLY_CONTAINERS does not list",
                "docker rename stranger mine": "names container stranger ... which ONLY_CONTAINERS does not list",
                "docker create busybox": "names network default ... which ONLY_NETWORKS does not list",
                f"{asks} {socket} docker:cli docker exec stranger true": "names container stranger ... which ONLY_CONTAINERS does not list",
                "docker network create another": "add NetworkCreate to ALLOW_OPERATIONS",
            },
        )
        check_proxy(sandbox)


RECORD = "/record/live.jsonl"
APPROVE = f"trioproxy approve /policy/policy.env {RECORD} --yes VolumeList"


@pytest.mark.usefixtures("image", "client")
@pytest.mark.parametrize("by_itself", [True, False], ids=["file", "folder"])
def test_agent_sandbox_with_a_mounted_policy(
    scratch: ScratchEngine, tmp_path: Path, by_itself: bool
) -> None:
    """Its policy mounted by itself is told, cannot be approved in its container, and stays the
    old one when it is replaced, which health says; in a mounted folder approve's answer counts."""
    with project(scratch, RECIPES / "agent-sandbox", tmp_path) as sandbox:
        for name in ("policy", "record"):
            (tmp_path / name).mkdir()
        policy = (tmp_path / "policy.env").rename(tmp_path / "policy" / "policy.env")
        mounted = ("policy/policy.env", "policy")[not by_itself]
        volumes = "".join(f"      - ./{one}:/{one}\n" for one in (mounted, "record"))
        compose = tmp_path / "compose.yaml"
        enforce = f"enforce /policy/policy.env --watch --record {RECORD} "
        compose.write_text(
            compose.read_text()
            .replace("    env_file: policy.env\n", "")
            .replace("enforce ", enforce, 1)
            .replace("    volumes:\n", f"    volumes:\n{volumes}", 1)
        )

        def agent(command: str) -> str:
            tried = f"{command} 2>&1; echo status=$?"
            return sandbox.compose("run", "--rm", "-T", "agent", "sh", "-c", tried)

        def proxy(command: str) -> str:
            tried = f"{command} 2>&1; echo status=$?"
            return sandbox.compose("exec", "-T", "socket-proxy", "sh", "-c", tried)

        assert "add VolumeList to ALLOW_OPERATIONS" in agent("docker volume ls")
        sandbox.await_line("socket-proxy", " recorded ")
        log = sandbox.compose("logs", "--no-log-prefix", "socket-proxy")
        assert ("policy.env is mounted by itself" in log) is by_itself
        said = proxy(APPROVE)
        if by_itself:
            assert "no new file can take its place" in said
            assert said.endswith("status=2")
            text = policy.read_text()
            new = policy.with_suffix(".new")
            new.write_text(text.replace("VolumeCreate", "VolumeCreate,VolumeList"))
            new.rename(policy)
            sandbox.await_line("socket-proxy", " reload-failed ")
            told = proxy("trioproxy health --fail-stale")
            assert "and a newer policy was refused" in told
            assert told.endswith("status=1")
            assert "add VolumeList to ALLOW_OPERATIONS" in agent("docker volume ls")
            return
        (written,) = re.findall(r"its policy is ([0-9a-f]{8})", said)
        sandbox.await_line("socket-proxy", f" hash={written} ")
        assert f"; policy {written}\n" in proxy("trioproxy health --fail-stale")
        assert agent("docker volume ls").endswith("status=0")


def python_with(
    scratch: ScratchEngine, client: str, folder: Path, package: str
) -> None:
    """An image of Python, with what its `pip` would install."""
    for name in needed(package):
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                target = folder / "packages" / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), target)
    pip = f'#!/bin/sh\n[ "$*" = "install --quiet {package}" ]\n'
    (folder / "pip").write_text(pip)
    (folder / "Dockerfile").write_text(
        f"FROM {client}\nCOPY --chmod=755 pip /usr/local/bin/\n"
        "ENV PYTHONPATH=/packages\nCOPY packages /packages\n"
    )
    scratch.docker("build", "-q", "-t", "python:3.13", str(folder))


@pytest.fixture
def runner(
    scratch: ScratchEngine, client: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The image of the runner, with what its `pip` would install; and the reaper's."""
    python_with(scratch, client, tmp_path_factory.mktemp("runner"), "testcontainers")
    import_reaper(scratch, RYUK)


REAPER_IS_UP = """
from unittest import TestCase
from testcontainers.core.container import Reaper
from testcontainers.core.waiting_utils import wait_for_logs

class TestReaper(TestCase):
    def test_up(self) -> None:
        wait_for_logs(Reaper.get_instance()._container, "Started", timeout=60)
"""
"""One more test of the project: testcontainers itself may end before its reaper is up."""


def needed(name: str) -> set[str]:
    """A distribution and all that it needs, as it is installed here."""
    found, left = set[str](), {name}
    while left:
        found.add(one := left.pop())
        wants = map(Requirement, importlib.metadata.requires(one) or ())
        left |= {
            want.name
            for want in wants
            if want.marker is None or want.marker.evaluate({"extra": ""})
        }
        left -= found
    return found


@pytest.mark.usefixtures("image", "runner")
def test_testcontainers(scratch: ScratchEngine, tmp_path: Path, stranger: str) -> None:
    """The tests of a project run with their reaper, which speaks to the proxy as they do."""
    with project(scratch, RECIPES / "testcontainers", tmp_path) as ci:
        (tmp_path / "project" / "test_reaper.py").write_text(REAPER_IS_UP)
        ci.compose("up", "--exit-code-from=runner", "--abort-on-container-exit")
        said = ci.compose("logs", "--no-log-prefix", "runner")
        assert said.endswith("OK"), said
        log = ci.compose("logs", "--no-log-prefix", "socket-proxy")
        assert "decision=refused" not in log
        assert " method=HEAD path=/_ping " in log  # which the reaper alone asks
        ci.compose("up", "--detach", "socket-proxy")
        socket = "--volume /var/run/docker.sock:/var/run/docker.sock"
        attempts(
            ci,
            "runner",
            strangers(id=stranger, network="bridge")
            | {
                "docker cp stranger:/etc/passwd -": "names container stranger ... which ONLY_CONTAINERS does not list",
                "docker create --publish 80:80 busybox": "which CREATE_PORTS does not list",
                "docker volume rm stranger": "VolumeDelete names volume stranger ... which ONLY_VOLUMES does not list",
                "docker network rm stranger": "NetworkDelete names network stranger ... which ONLY_NETWORKS does not list",
                "ln -sf /var/run/docker.sock /run/trioproxy-ci/": "Read-only file system",
                f"docker create {socket} docker:cli": "which CREATE_IMAGES does not list",
                "docker rename stranger mine": "add ContainerRename to ALLOW_OPERATIONS",
            },
        )
        check_proxy(ci)


@pytest.mark.usefixtures("image", "client")
def test_own_project(scratch: ScratchEngine, tmp_path: Path, stranger: str) -> None:
    """Compose brings its project up, again, and down; another project is out of its reach."""
    other = ("--project-name=other", f"--file={tmp_path / 'project' / 'compose.yaml'}")
    with project(scratch, RECIPES / "own-project", tmp_path) as deploying:

        def run(*command: str) -> str:
            compose = ("docker", "compose", "--project-name", "shop")
            return deploying.compose("run", "--rm", "-T", "deploy", *compose, *command)

        for _ in range(2):  # its own command, as it stands
            deploying.compose("run", "--rm", "-T", "deploy")
        fetch = ("sh", "-c", "until wget -qO- localhost; do :; done")
        assert run("exec", "-T", "web", *fetch) == "hello"
        run("restart", "web")
        scratch.docker("compose", *other, "create", "writer")
        attempts(
            deploying,
            "deploy",
            strangers(id=stranger, network="shop_front")
            | {
                "docker compose --project-name other start": 'no container found for project "other"',
                "docker network connect stranger shop-web-1": "NetworkConnect names network stranger ... which ONLY_NETWORKS does not list",
                "docker rename stranger shop-web-2": "names container stranger ... which ONLY_CONTAINERS does not list",
                "docker volume rm other_content": "VolumeDelete names volume other_content ... which ONLY_VOLUMES does not list",
                "docker create --volume /var/run/docker.sock:/s busybox": "which CREATE_BINDS does not list",
            },
        )
        down = ("docker", "compose", "--project-name", "other", "down")
        deploying.compose("run", "--rm", "-T", "deploy", *down)  # it sees none
        theirs = "--filter=label=com.docker.compose.project=other"
        assert scratch.docker("ps", "-aq", theirs).text
        scratch.docker("compose", *other, "down", "--volumes")
        run("down", "--volumes")
        assert scratch.docker("ps", "-aq", "--filter=name=shop").text == ""
        check_proxy(deploying)


@pytest.mark.usefixtures("image")
def test_project_dashboard(
    scratch: ScratchEngine, client: str, tmp_path: Path, stranger: str
) -> None:
    """docker-py lists, measures and reads one project: no stranger is shown, and no value of an
    environment, but for what is no secret."""
    folder = tmp_path / "image"
    folder.mkdir()
    python_with(scratch, client, folder, "docker")
    labels = ("project=shop", "container-number=1", "config-hash=0123456789")
    marks = [f"--label=com.docker.compose.{one}" for one in labels]
    options = ("--detach", "--init", "--name=shop-web-1", "--env=TOKEN=s3cr3t", *marks)
    scratch.docker("run", *options, "busybox", "sh", "-c", "echo ready; sleep 600")
    try:
        with project(scratch, RECIPES / "project-dashboard", tmp_path) as showing:
            said = showing.compose("run", "--rm", "-T", "dashboard")
            (line,) = said.splitlines()
            assert line.startswith("shop-web-1 running ")
            assert "; ready; " in line
            assert "TOKEN=redacted-by-trioproxy" in line
            assert "PATH=/" in line
            told = "names container stranger ... which ONLY_CONTAINERS does not list"
            attempts(
                showing,
                "dashboard",
                {
                    "docker inspect --type container stranger": told,
                    "docker logs stranger": told,
                    "docker restart shop-web-1": "add ContainerRestart to ALLOW_OPERATIONS",
                    "docker exec shop-web-1 env": "is not allowed",
                    "docker top shop-web-1 auxe": "add ContainerTop to ALLOW_OPERATIONS",
                },
            )
            check_proxy(showing)
    finally:
        scratch.docker("rm", "--force", "shop-web-1")


@pytest.mark.usefixtures("image", "client")
def test_restarter(scratch: ScratchEngine, tmp_path: Path, stranger: str) -> None:
    """Both containers are restarted by their names, nobody else's is, by any name, and nothing else is done to them."""
    listed = ("web", "worker")
    for name in listed:
        scratch.docker(
            "run", "-d", "--init", f"--name={name}", "busybox", "sleep", "600"
        )

    def started() -> list[str]:
        asked = ("inspect", "--format={{.State.StartedAt}}", *listed, "stranger")
        return scratch.docker(*asked).text.split()

    before = started()
    with project(scratch, RECIPES / "restarter", tmp_path) as restarter:
        restarted = restarter.compose("run", "--rm", "-T", "restarter")
        assert restarted.split() == list(listed)
        assert [one != two for one, two in zip(before, started(), strict=True)] == [
            True,
            True,
            False,
        ]
        told = "names container {} ... which ONLY_CONTAINERS does not list"
        attempts(
            restarter,
            "restarter",
            {
                "docker restart stranger": told.format("stranger"),
                f"docker restart {stranger}": told.format(stranger),
                f"docker restart {stranger[:12]}": told.format(stranger[:12]),
                "docker inspect --type container web": "add ContainerInspect to ALLOW_OPERATIONS",
                "docker exec web true": "is not allowed",
                "docker stop web": "add ContainerStop to ALLOW_OPERATIONS",
                "docker rename stranger worker": "add ContainerRename to ALLOW_OPERATIONS",
                "docker cp web:/etc/passwd -": "add ContainerArchive to ALLOW_OPERATIONS",
                "docker network connect stranger web": "add NetworkConnect to ALLOW_OPERATIONS",
                "docker create --privileged busybox": "add ContainerCreate to ALLOW_OPERATIONS",
            },
        )
        check_proxy(restarter)
    scratch.docker("rm", "--force", *listed)
