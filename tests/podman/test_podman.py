"""A real Podman behind the proxy: learned, enforced, replayed.

`podman system service` runs in namespaces of its own, with storage that is copied (vfs).
A container is created and removed; none is run: a sandbox may have no cgroups for it.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.commands.running import run, running
from tests.engine import UNSHARE, busybox_archive, first_child
from tests.proxy.raw_exchange import exchange, proxy_before

START_SECONDS = 30
SERVE = """
exec 3<&0 </dev/null
ip link set lo up
mount -t tmpfs none /run
podman --root "$1/root" --runroot /run/pod --tmpdir /run/tmp --storage-driver vfs \
    --cgroup-manager cgroupfs --events-backend file system service --time 0 "unix://$1/podman.sock" &
podman=$!
(read -r _ <&3; kill -TERM $podman) &
exec 3<&-
wait $podman
"""
REMOTE = ("podman", "--remote", "--url")


@pytest.fixture(scope="module")
def podman() -> Iterator[Path]:
    """The socket of a Podman of our own."""
    folder = Path(tempfile.mkdtemp(prefix="trioproxy-", dir="/var/tmp"))
    path = folder / "podman.sock"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*UNSHARE, "sh", "-c", SERVE, "podman", str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run([*REMOTE, f"unix://{path}", "info"], capture_output=True, check=False).returncode:  # fmt: skip
        log_text = (folder / "log").read_text()
        assert process.poll() is None, log_text
        assert time.monotonic() < deadline, log_text
    yield path
    with process:
        os.kill(first_child(process.pid) or process.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


SCRIPT = """
set -e
podman --remote --url "$DOCKER_HOST" import "$1" busybox:latest
podman --remote --url "$DOCKER_HOST" create --name one busybox:latest true
podman --remote --url "$DOCKER_HOST" inspect one
podman --remote --url "$DOCKER_HOST" ps --all
podman --remote --url "$DOCKER_HOST" rm one
"""
USED = {
    "LibpodContainerCreate",
    "LibpodContainerDelete",
    "LibpodContainerList",
    "LibpodImageImport",
    "LibpodPing",
}


def call(
    command: tuple[str, ...], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a client to its end."""
    return subprocess.run(
        command,
        env=os.environ | dict(variables),
        capture_output=True,
        text=True,
        check=False,
    )


async def test_podman_remote_is_learned_and_enforced(
    podman: Path, tmp_path: Path
) -> None:
    """`podman --remote` is learned by its own routes, and works again by just these."""
    archive, file = tmp_path / "busybox.tar", tmp_path / "app.env"
    archive.write_bytes(busybox_archive())
    command = ("sh", "-c", SCRIPT, "sh", str(archive))
    options = ("--upstream", f"unix://{podman}")
    home = {"HOME": str(tmp_path)}
    done = run("learn", *options, "-o", str(file), "--", *command, variables=home)
    assert done.status == 0, done.err
    lines = file.read_text().splitlines()
    (line,) = [one for one in lines if one.startswith("ALLOW_OPERATIONS=")]
    assert set(line.partition("=")[2].split(",")) >= USED
    listen = f"unix://{tmp_path}/proxy.sock"
    enforcing = ("enforce", str(file), *options, "--listen", listen)
    async with running(*enforcing) as proxy:
        await proxy.listen()
        again = call(command, home | {"DOCKER_HOST": listen})
    assert again.returncode == 0, again.stderr


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
