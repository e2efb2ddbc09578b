"""A real Podman behind the proxy: learned, enforced, replayed."""

import sys
from pathlib import Path

import pytest

from tests.commands.running import run, running
from tests.engine import busybox_archive
from tests.podman.clients import REMOTE, call, import_busybox
from tests.proxy.raw_exchange import exchange, proxy_before

SCRIPT = """
set -e
podman --remote --url "$DOCKER_HOST" import "$1" busybox:latest
podman --remote --url "$DOCKER_HOST" create --name one busybox:latest true
podman --remote --url "$DOCKER_HOST" inspect one
podman --remote --url "$DOCKER_HOST" ps --all
podman --remote --url "$DOCKER_HOST" rm one
"""
STREAMS = """
set -e
podman --remote --url "$DOCKER_HOST" import "$1" busybox:latest >/dev/null
podman --remote --url "$DOCKER_HOST" run --rm --network none busybox:latest echo said
echo typed | podman --remote --url "$DOCKER_HOST" run --rm -i --network none busybox:latest cat
podman --remote --url "$DOCKER_HOST" run -d --name two --network none busybox:latest sleep 60 >/dev/null
podman --remote --url "$DOCKER_HOST" exec two sh -c 'sleep 1; echo inside'
echo typed | podman --remote --url "$DOCKER_HOST" exec -i two cat
podman --remote --url "$DOCKER_HOST" rm -f -t 0 two >/dev/null
"""
"""Containers that run: attach and exec take the connection over.

What an exec says before its client is attached Podman loses itself, without a proxy too (3
times of 250): this one waits a little.
"""

DOCKER_PY = """
import docker, sys
client = docker.from_env()
client.ping()
client.images.list()
one = client.containers.create("busybox:latest", ["echo", "said"], network_mode="none")
one.start()
one.wait()
print(one.logs().decode().strip())
one.remove()
"""

USED = {
    "LibpodContainerCreate",
    "LibpodContainerDelete",
    "LibpodContainerList",
    "LibpodImageImport",
    "LibpodPing",
}


@pytest.mark.slow
async def test_podman_remote_is_learned_and_enforced(
    podman: Path, tmp_path: Path
) -> None:
    """`podman --remote` is learned by its own routes, and works again by just these."""
    archive = tmp_path / "busybox.tar"
    archive.write_bytes(busybox_archive())
    command = ("sh", "-c", SCRIPT, "sh", str(archive))
    operations, _ = await replayed(podman, tmp_path, command, same_output=False)
    assert operations >= USED


async def replayed(
    podman: Path,
    tmp_path: Path,
    command: tuple[str, ...],
    *,
    same_output: bool = True,
) -> tuple[frozenset[str], str]:
    """Learn a command and run it again by what was learned; operations and output."""
    file, home = tmp_path / "app.env", {"HOME": str(tmp_path)}
    options = ("--upstream", f"unix://{podman}")
    done = run("learn", *options, "-o", str(file), "--", *command, variables=home)
    assert done.status == 0, done.err
    lines = file.read_text().splitlines()
    (line,) = [one for one in lines if one.startswith("ALLOW_OPERATIONS=")]
    listen = f"unix://{tmp_path}/proxy.sock"
    async with running("enforce", str(file), *options, "--listen", listen) as proxy:
        await proxy.listen()
        again = call(command, home | {"DOCKER_HOST": listen})
    assert again.returncode == 0, again.stderr
    assert not same_output or again.stdout == done.out
    return frozenset(line.partition("=")[2].split(",")), again.stdout


@pytest.mark.slow
async def test_streams_that_podman_takes_over(podman: Path, tmp_path: Path) -> None:
    """Output and input of `run` and `exec` pass through attach and exec start, both ways."""
    archive = tmp_path / "busybox.tar"
    archive.write_bytes(busybox_archive())
    command = ("sh", "-c", STREAMS, "sh", str(archive))
    operations, said = await replayed(podman, tmp_path, command)
    assert said.split() == ["said", "typed", "inside", "typed"]
    assert operations >= {"LibpodContainerAttach", "LibpodExecStart"}


async def test_docker_py_works_on_podman(podman: Path, tmp_path: Path) -> None:
    """A client that knows Docker's routes alone is learned on Podman's socket, and enforced."""
    import_busybox(podman, tmp_path)
    command = (sys.executable, "-c", DOCKER_PY)
    operations, said = await replayed(podman, tmp_path, command)
    assert said == "said\n"
    assert {"ContainerCreate", "ContainerLogs", "ContainerWait"} <= operations
    assert not any(name.startswith("Libpod") for name in operations)


DOCKER = """
set -e
docker run --rm --network none busybox:latest echo said
docker create --name three --network none busybox:latest true >/dev/null
docker ps --all --format '{{.Names}}'
docker rm three >/dev/null
"""


@pytest.mark.slow
async def test_the_docker_command_works_on_podman(podman: Path, tmp_path: Path) -> None:
    """`docker run`, with the attach that it takes over, is learned and works again."""
    import_busybox(podman, tmp_path)
    command = ("sh", "-c", DOCKER)
    operations, said = await replayed(podman, tmp_path, command)
    assert said == "said\nthree\n"
    assert operations >= {"ContainerAttach", "ContainerCreate", "ContainerDelete"}


async def test_enforced(podman: Path, tmp_path: Path) -> None:
    """What linuxserver's variables open passes, and what they do not is refused."""
    listen = f"unix://{tmp_path}/proxy.sock"
    variables = {"LIBPOD_IMAGES": "1", "SOCKET_PATH": str(podman), "LISTEN": listen}
    async with running("enforce", variables=variables) as proxy:
        await proxy.listen()
        assert call((*REMOTE, listen, "images"), {}).returncode == 0
        refused = call((*REMOTE, listen, "volume", "ls"), {})
    assert refused.returncode != 0
    assert "set LIBPOD_VOLUMES=1" in refused.stderr


async def test_docker_s_clients_work_by_docker_s_routes(
    podman: Path, tmp_path: Path
) -> None:
    """The docker command lists what Podman has, by sections of Docker's alone."""
    listen = f"unix://{tmp_path}/proxy.sock"
    variables = {"CONTAINERS": "1", "SOCKET_PATH": str(podman), "LISTEN": listen}
    host = {"DOCKER_HOST": listen, "DOCKER_CONFIG": str(tmp_path)}
    async with running("enforce", variables=variables) as proxy:
        await proxy.listen()
        listed = call(("docker", "ps", "--all"), host)
        refused = call(("docker", "images"), host)
        podmans = call((*REMOTE, listen, "ps"), {})
    assert listed.returncode == 0, listed.stderr
    assert "set IMAGES=1" in refused.stderr
    assert podmans.returncode != 0
    assert "ping response was 403" in podmans.stderr


FORMS = [
    ("GET", "/v5.4.2/libpod/images/a%2Fb/json", 404),
    ("GET", "/v5.4.2/libpod/images/a/b/json", 404),
    ("GET", "/v5.4.2/libpod/volumes/json", 403),
    ("GET", "/v5.4.2/%6cibpod/%76olumes/json", 403),
    ("GET", "/v5.4.2/libpod/images/../volumes/json", 400),
    ("GET", "/v5.4.2/libpod/images%2Fjson", 400),
    ("GET", "/v5.4.2//libpod/volumes/json", 400),
    ("GET", "/v05.4.2/libpod/volumes/json", 400),
    ("GET", "/v5.4.2-rc1/libpod/volumes/json", 403),
    ("POST", "/v3.4.4/libpod/manifests/x/push?destination=y", 400),
    ("POST", "/v5.4.2/libpod/images/scp/x/tag?repo=y", 403),
]


async def test_forms_of_a_path(podman: Path, tmp_path: Path) -> None:
    """Reading images alone: no other form of a path reaches another route of Podman's."""
    policy = {"LIBPOD_IMAGES": "1"}
    async with proxy_before(podman, policy, tmp_path) as url:
        for method, target, status in FORMS:
            head = f"{method} {target} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
            (answer,) = await exchange(url, head.encode())
            assert answer.status == status, (method, target)
