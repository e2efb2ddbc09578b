"""What a client starts gets this proxy where it asks for the Engine."""

import os
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import Engine


@pytest.mark.engine
def test_a_containers_socket_is_ours(engine: Engine, tmp_path: Path) -> None:
    """A bind of the Engine's socket is the proxy's own, as seen from within the container."""
    socket = tmp_path / "proxy.sock"
    variables = {
        "ALLOW_OPERATIONS": "SystemPing,SystemPingHead,ContainerCreate,ContainerStart,ContainerAttach,ContainerWait,ContainerInspect",
        "CREATE_BINDS": "@proxy",
        "PROXY_SOCKET": str(socket),
    }
    with enforcing(
        engine, listen=f"unix://{socket}?mode=0666", variables=variables
    ) as proxy:
        bind = "-v/var/run/docker.sock:/var/run/docker.sock"
        look = ("stat", "-c", "%i", "/var/run/docker.sock")
        ran = engine.docker("run", "--rm", bind, "busybox", *look, host=proxy.url)
        assert int(ran.text) == os.stat(socket).st_ino
        ran = engine.docker("run", "-v/run:/r", "busybox", host=proxy.url, check=False)
        assert "which CREATE_BINDS does not list" in ran.errors
