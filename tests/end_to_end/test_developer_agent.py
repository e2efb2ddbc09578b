"""examples/developer-agent: an agent's day with Docker, through the policy of the recipe."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_asked import saying
from tests.engine import Ran, ScratchEngine
from tests.markdown import ROOT
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.meaning import meaning_of

POLICY = ROOT / "examples" / "developer-agent" / "policy" / "agent.env"
CLASSIC = {"DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
COMPOSE = """
name: shop
services:
  web:
    image: agent/web
    build: .
    command: sh -c "echo up >/data/file; sleep 600"
    volumes: ["data:/data", "./:/here"]
volumes: {data: {}}
"""
Docker = Callable[..., Ran]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one folder of the host."""
    folder = tmp_path_factory.mktemp("agent")
    (folder / "Dockerfile").write_text("FROM busybox\nRUN ip -o addr >/addresses\n")
    (folder / "compose.yaml").write_text(COMPOSE)
    return folder


@pytest.fixture(scope="module")
def docker(
    scratch: ScratchEngine, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Docker]:
    """The docker command of the agent, in its folder."""
    file = tmp_path_factory.mktemp("policy") / "agent.env"
    file.write_text(POLICY.read_text().replace("/srv/agent", str(folder)))
    scratch.docker("network", "create", "agent")

    def docker(*args: str, check: bool = True) -> Ran:
        return scratch.docker(*args, host=proxy.url, check=check, environ=CLASSIC)

    ask, live = file.with_name("ask.sock"), file.with_name("live.jsonl")
    more = ("--watch", "--record", str(live), "--ask", f"unix://{ask}")
    with enforcing(scratch, str(file), *more) as proxy:
        with saying(ask, "once") as questions:
            docker("tag", "busybox", "agent/asked")
            docker("rmi", "agent/asked")
            assert questions == ["ImageDelete"]
        yield docker
        for name in scratch.docker("ps", "-aq").text.split():
            scratch.docker("rm", "-f", name)
        scratch.docker("network", "rm", "agent")
    assert not [line for line in proxy.log if " crash " in line]


@pytest.mark.engine
def test_a_container_joins_the_listed_network(
    docker: Docker, scratch: ScratchEngine
) -> None:
    """The first `docker run busybox` passes, whichever name the bridge is given: on the one network
    that is listed, by its id; what names another one of somebody else stays refused."""
    for options in ((), ("--network=bridge",), ("--network=default",)):
        docker("run", "-d", "--name=one", *options, "busybox", "sleep", "600")
        inspected = json.loads(scratch.docker("inspect", "one").output)[0]
        assert list(inspected["NetworkSettings"]["Networks"]) == ["agent"]
        docker("rm", "-f", "one")
    assert docker("run", "--rm", "--network=none", "busybox", "true").status == 0
    done = docker("run", "--network=host", "busybox", check=False)
    assert "which CREATE_NAMESPACES does not list" in done.errors


@pytest.mark.engine
def test_the_commands_of_a_day(docker: Docker, folder: Path) -> None:
    """version, info, ps, images, run, exec, cp and logs."""
    assert "Server" in docker("version").text
    assert "Server Version" in docker("info").text
    script = "echo said; until [ -e /copied ]; do sleep 0.1; done"
    docker("run", "-d", "--name=day", f"-v{folder}:/work", "busybox", "sh", "-c", script)  # fmt: skip
    assert docker("ps", "--format={{.Names}}").text == "day"
    assert "busybox" in docker("images").text
    assert docker("exec", "day", "ls", "/work/Dockerfile").text == "/work/Dockerfile"
    docker("cp", str(folder / "Dockerfile"), "day:/copied")
    docker("cp", "day:/copied", str(folder / "back"))
    assert docker("logs", "--follow", "day").text == "said"
    docker("rm", "-f", "day")
    done = docker("run", "-v/etc:/etc", "busybox", check=False)
    assert "which CREATE_BINDS does not list" in done.errors


@pytest.mark.engine
def test_a_build_and_what_it_built(docker: Docker, folder: Path) -> None:
    """The classic builder, on the listed network; of the listed tags, and nothing beyond."""
    docker("build", "-t", "agent/built", str(folder))
    ran = docker("run", "--rm", "agent/built", "cat", "/addresses")
    assert "eth0" in ran.text
    for more in (("-t", "busybox"), ("--network=host",), ("--security-opt", "x")):
        done = docker("build", *more, str(folder), check=False)
        assert "does not list" in done.errors, more


@pytest.mark.engine
def test_compose(docker: Docker, folder: Path) -> None:
    """A project comes up with its own network and volume, is looked at, and goes."""
    compose = ("compose", "-f", str(folder / "compose.yaml"))
    docker(*compose, "up", "-d", "--build")
    assert "shop-web-1" in docker(*compose, "ps").text
    look = ("sh", "-c", "until grep up /data/file; do :; done")
    assert docker(*compose, "exec", "-T", "web", *look).text == "up"
    docker(*compose, "logs")
    docker(*compose, "down", "-v", "-t", "0")
    assert docker("ps", "-aq").text == ""


@pytest.mark.parametrize("copies", [True, False])
def test_its_one_way_to_root(copies: bool) -> None:
    """It is what its page says: without copying none is known."""
    text = POLICY.read_text()
    if not copies:
        text = re.sub(r"\b(Put)?ContainerArchive,", "", text)
    meaning = meaning_of(parse_policy_file(text, name="agent.env")[0])
    assert meaning.is_root is copies
