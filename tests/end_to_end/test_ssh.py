"""A remote Engine by ssh: `docker -H ssh://` to a user whose shell has the proxy's socket alone.

The sshd is a real one on loopback, with the lines that docs/engines.md advises.
"""

import getpass
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import Engine, NoEngine
from tests.loopback import own_loopback
from tests.markdown import ROOT
from tests.patience import PATIENCE

pytestmark = pytest.mark.engine

SSHD = "/usr/sbin/sshd"
ADVICE = (ROOT / "docs" / "engines.md").read_text()


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this side."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env=os.environ | variables,
    )


@pytest.fixture
def host(engine: Engine, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A host with sshd and a proxy that grants two reads; how its docker command is reached."""
    if not os.access(SSHD, os.X_OK) or os.geteuid() != 0:
        raise NoEngine("a host to log in to needs root and openssh-server")
    user = getpass.getuser()
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name)
    proxied = tmp_path / "app.sock"
    found = re.search(r"```text\n(Match User.+?)```", ADVICE, re.DOTALL)
    assert found is not None
    advised = found[1].replace("Match User app", f"Match User {user}")
    advised = advised.replace("/run/trioproxy/app.sock", str(proxied))
    address = own_loopback()
    with socket.socket() as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    # Where sshd keeps its unprivileged half; Debian's service makes it.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress {address}:{port}\nHostKey {tmp_path}/host\n"
        f"AuthorizedKeysFile {tmp_path}/user.pub\nPidFile none\n"
        f"StrictModes no\nUsePAM no\nPermitRootLogin yes\n{advised}"
    )
    (tmp_path / "ssh_config").write_text(
        f"IdentityFile {tmp_path}/user\nUserKnownHostsFile /dev/null\n"
        "StrictHostKeyChecking no\nLogLevel ERROR\n"
    )
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    real = shutil.which("ssh")
    program.write_text(f'#!/bin/sh\nexec {real} -F {tmp_path}/ssh_config "$@"\n')
    program.chmod(0o755)
    policy = tmp_path / "app.env"
    policy.write_text("ALLOW_OPERATIONS=ContainerList,SystemPing,SystemPingHead\n")
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", tmp_path / "sshd_config"],
                              stderr=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert server.stderr is not None
        assert "listening on" in server.stderr.readline()
        with enforcing(engine, str(policy), listen=f"unix://{proxied}"):
            yield {
                "DOCKER_HOST": f"ssh://{user}@{address}:{port}",
                "PATH": f"{program.parent}:{os.environ['PATH']}",
            }
    finally:
        server.terminate()
        server.communicate()


def test_only_what_the_proxy_grants(host: dict[str, str]) -> None:
    """From elsewhere the docker command reaches the Engine by ssh as far as the policy goes, and is
    told what would allow the rest."""
    listed = run("docker", "ps", **host)
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.startswith("CONTAINER ID")
    refused = run("docker", "images", **host)
    assert "add ImageList to ALLOW_OPERATIONS" in refused.stderr


def test_no_way_around(engine: Engine, host: dict[str, str], tmp_path: Path) -> None:
    """Whoever has the key gets no command of his own, and no forwarding to the Engine's socket."""
    name, _, port = host["DOCKER_HOST"].removeprefix("ssh://").rpartition(":")
    ssh = ("ssh", "-p", port)
    told = run(*ssh, name, "echo", "a shell", **host)
    assert "a shell" not in told.stdout
    forwarded = tmp_path / "forwarded.sock"
    with subprocess.Popen(
        [*ssh, "-v", "-N", "-L", f"{forwarded}:{engine.socket}", name],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | host,
    ) as process:
        assert process.stderr is not None
        # This side listens, whatever the other side will say to that.
        assert any("Entering interactive session" in line for line in process.stderr)
        done = run("docker", "-H", f"unix://{forwarded}", "version", DOCKER_HOST="")
        process.terminate()
    assert done.returncode != 0, done.stdout
