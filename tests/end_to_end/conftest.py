"""A proxy with every section open, on each kind of listener."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.proxies import EVERY_SECTION, Proxy, enforcing
from tests.engine import Engine


@pytest.fixture(scope="module", params=["tcp", "unix"])
def proxy(
    engine: Engine,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """A proxy that lets everything through by its section variables."""
    path: Path = tmp_path_factory.mktemp("proxy") / "proxy.sock"
    listen = "tcp://127.0.0.1:0" if request.param == "tcp" else f"unix://{path}"
    with enforcing(engine, listen=listen, variables=EVERY_SECTION) as started:
        yield started


@pytest.fixture
def container(engine: Engine) -> Iterator[str]:
    """A running container that does nothing."""
    ran = engine.docker("run", "-d", "--init", "busybox", "sleep", "600", check=False)
    if ran.status:  # an Engine without docker-init
        ran = engine.docker("run", "-d", "busybox", "sleep", "600")
    yield ran.text
    engine.docker("rm", "-f", ran.text)
