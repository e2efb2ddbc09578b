"""A real Podman of our own.

`podman system service` runs in namespaces of its own, with storage that is copied (vfs).
Its networks and locks are its own too: they are in /etc and /dev/shm, where a second Podman
has the first one's networks, and frees its locks when it starts. Containers have no
network: there is none in there.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import ON_DISK, PREFIX, UNSHARE, first_child, held
from tests.patience import PATIENCE
from tests.podman.clients import REMOTE

SERVE = """
exec 3<&0 </dev/null
ip link set lo up
mount -t tmpfs none /run
mount -t tmpfs none /dev/shm
podman --root "$1/root" --runroot /run/pod --tmpdir /run/tmp --network-config-dir "$1/networks" --storage-driver vfs \
    --cgroup-manager cgroupfs --events-backend file system service --time 0 "unix://$1/podman.sock" &
podman=$!
(read -r _ <&3; kill -TERM $podman) &
exec 3<&-
wait $podman
"""


@pytest.fixture(scope="module")
def podman() -> Iterator[Path]:
    """The socket of a Podman of our own."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=ON_DISK))
    lock = held(folder)
    path = folder / "podman.sock"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*UNSHARE, "sh", "-c", SERVE, "podman", str(folder)],
            cwd="/",  # from where Podman reads a relative path: not from the checkout
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock],
        )
    deadline = time.monotonic() + PATIENCE
    while subprocess.run([*REMOTE, f"unix://{path}", "info"], capture_output=True, check=False).returncode:  # fmt: skip
        log_text = (folder / "log").read_text()
        assert process.poll() is None, log_text
        assert time.monotonic() < deadline, log_text
    yield path
    # Whose control groups are the machine's, and would stay: 89 had, after a day of runs.
    for kind in (["pod"], []):
        remove = [*REMOTE, f"unix://{path}", *kind, "rm", "--all", "--force", "--time=0"]  # fmt: skip
        subprocess.run(remove, capture_output=True, check=True)
    with process:
        os.kill(first_child(process.pid) or process.pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    os.close(lock)
