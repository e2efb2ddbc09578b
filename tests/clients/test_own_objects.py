"""Clients that may name only what they made see the same as on the raw socket.

Their files are written by hand: every operation, and `ONLY_CONTAINERS=@own`.
"""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.clients.comparison import compare_clients, emptied, named, run
from tests.clients.test_compose import PROJECT
from tests.clients.test_compose import SCENARIOS as OF_COMPOSE
from tests.clients.test_docker_cli import ALL, QUICK
from tests.end_to_end.proxies import enforcing
from tests.engine import ScratchEngine
from trioproxy.api.routes import OPERATIONS

PROGRAMS = Path(__file__).parent / "programs"
pytestmark = [pytest.mark.engine, pytest.mark.clients]

EVERYTHING = ",".join(sorted(OPERATIONS.keys() - {"BuildKitGrpc"}))


def own(owner: str) -> Mapping[str, str]:
    return {
        "ALLOW_OPERATIONS": EVERYTHING,
        "ONLY_CONTAINERS": "@own",
        "ONLY_OWNER": owner,
    }


@pytest.fixture(scope="module")
def proxies(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Two proxies, each with an owner of its own."""
    folder = tmp_path_factory.mktemp("own")
    one, two = f"unix://{folder}/one.sock", f"unix://{folder}/two.sock"
    with (
        enforcing(scratch, listen=one, variables=own("one")),
        enforcing(scratch, listen=two, variables=own("two")),
    ):
        yield one, two


@pytest.mark.parametrize("name", ["docker_py", "aiodocker", "testcontainers"])
def test_programs(scratch: ScratchEngine, proxies: tuple[str, str], name: str) -> None:
    """docker-py, aiodocker and testcontainers use what they made, and notice nothing."""
    program = str(PROGRAMS / f"with_{name}.py")
    seen = compare_clients([sys.executable, program], scratch, proxies[0])
    assert (seen.status, seen.errors) == (0, "")


@pytest.mark.parametrize("name", ["dockerode", "testcontainers"])
def test_node(
    scratch: ScratchEngine,
    proxies: tuple[str, str],
    modules: Path,
    name: str,
) -> None:
    """dockerode and testcontainers use what they made, and notice nothing."""
    # In the Engine's network: what waits for a published port finds it there.
    program = scratch.inside("node", str(modules / f"with_{name}.js"))
    seen = compare_clients(program, scratch, proxies[0])
    assert (seen.status, seen.errors) == (0, "")


@pytest.mark.parametrize("script", OF_COMPOSE.values(), ids=OF_COMPOSE)
def test_compose(scratch: ScratchEngine, proxies: tuple[str, str], script: str) -> None:
    """Compose ups, scales, restarts, runs and downs its own project as on the raw socket."""
    compare_clients(["sh", "-c", script], scratch, proxies[0], files=PROJECT)


SEEN_OTHERWISE = {
    "context and format",  # shows the labels of a container
    "cp errors",  # the Engine repeats the name it was given, which is an id then
}
OF_CLI = {
    name: script
    for name, script in {**QUICK, **ALL}.items()
    if name not in SEEN_OTHERWISE
}


@pytest.mark.parametrize("script", OF_CLI.values(), ids=OF_CLI)
def test_docker_cli(
    scratch: ScratchEngine, proxies: tuple[str, str], script: str
) -> None:
    """The docker command on its own containers, networks and volumes."""
    compare_clients(["sh", "-c", script], scratch, proxies[0])


AMONG_STRANGERS = {
    "docker": """
docker create --name mine busybox true >/dev/null
docker network create mine-net >/dev/null
docker volume create mine-vol
docker ps -a --format '{{.Names}} {{.Image}} {{.State}}'
docker network ls --filter type=custom --format '{{.Name}} {{.Driver}}'
docker volume ls
docker system df
docker container prune -f
docker network prune -f
docker volume prune -af
docker ps -aq
docker volume ls -q
""",
    "docker-py": f"""
{sys.executable} - <<'END'
import docker
client = docker.from_env()
client.containers.create("busybox", "true", name="mine")
client.networks.create("mine-net")
client.volumes.create("mine-vol")
print([one.name for one in client.containers.list(all=True)])
print([one.name for one in client.containers.list(all=True, limit=1)])
print(sorted(one.name for one in client.networks.list() if one.attrs["Driver"] == "bridge"))
print([one.name for one in client.volumes.list()])
disk = client.df()
print(len(disk["Containers"]), len(disk["Volumes"]), [one["Containers"] for one in disk["Images"]])
print(client.containers.prune(filters={{"until": "1h"}}))
print(client.containers.prune(filters={{"label!": ["x"]}}))
print(client.networks.prune())
print(client.volumes.prune(filters={{"all": "true"}}))
print(client.containers.list(all=True), client.volumes.list())
END
""",
}


@pytest.mark.parametrize("script", AMONG_STRANGERS.values(), ids=AMONG_STRANGERS)
def test_among_strangers(
    scratch: ScratchEngine,
    proxies: tuple[str, str],
    tmp_path: Path,
    script: str,
) -> None:
    """Lists, disk and prunes are as on the raw socket where nobody else is; strangers stay."""
    command = ["sh", "-c", script]
    with emptied(scratch):
        alone = run(command, scratch, scratch.url, tmp_path)
    assert (alone.status, alone.errors) == (0, "")
    with emptied(scratch):
        scratch.docker("create", "--name", "theirs", "busybox", "true")
        scratch.docker("network", "create", "their-net")
        scratch.docker("volume", "create", "their-vol")
        beside = run(command, scratch, proxies[0], tmp_path)
        assert beside.errors == ""
        assert named(beside.output.decode()) == named(alone.output.decode())
        assert scratch.docker("ps", "-a", "--format", "{{.Names}}").text == "theirs"
        assert "their-net" in scratch.docker("network", "ls").text
        assert scratch.docker("volume", "ls", "-q").text == "their-vol"


SIDE = """
services:
  web:
    image: busybox
    command: sleep 600
    volumes: [data:/data, /scratch]
    networks: [front]
    stop_grace_period: 0s
volumes: {data: {}}
networks: {front: {}}
"""


def test_two_projects(
    scratch: ScratchEngine, proxies: tuple[str, str], tmp_path: Path
) -> None:
    """Side by side, each through a proxy of its own: neither can touch the other."""
    (tmp_path / "compose.yaml").write_text(SIDE)

    def compose(
        which: int, project: str, *args: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "compose", "-p", project, *args],
            cwd=tmp_path,
            env=scratch.environment(proxies[which]),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    with emptied(scratch):
        for which, project in enumerate(("one", "two")):
            for args in (["up", "-d"], ["up", "-d", "--force-recreate"]):
                ran = compose(which, project, *args)
                assert ran.returncode == 0, ran.stderr
        # Compose finds what it looks for by lists, which show nothing of the other project.
        running = scratch.docker("ps", "-q").text.split()
        assert len(running) == 2
        for which, project in ((0, "two"), (1, "one")):
            for args in (["stop"], ["exec", "-T", "web", "true"], ["down", "-v"]):
                ran = compose(which, project, *args)
                assert "one-web" not in ran.stderr
                assert "two-web" not in ran.stderr
                assert (
                    ran.returncode == 0 or 'service "web" is not running' in ran.stderr
                )
        assert scratch.docker("ps", "-q").text.split() == running
        for which, project in enumerate(("one", "two")):
            ran = compose(which, project, "exec", "-T", "web", "true")
            assert ran.returncode == 0, ran.stderr
            ran = compose(which, project, "down", "-v", "-t", "0")
            assert ran.returncode == 0, ran.stderr
        assert scratch.docker("ps", "-aq").text == ""
        # As on the raw socket: what nobody named outlives a container made anew.
        left = scratch.docker("volume", "ls", "-q").text.split()
        assert len(left) == 2
