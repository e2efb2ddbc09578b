"""Programs that use an SDK see the same through the proxy as on the raw socket."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.clients.comparison import compare_clients
from tests.end_to_end.proxies import Proxy, enforcing
from tests.engine import ScratchEngine
from trioproxy.api.routes import OPERATIONS

PROGRAMS = Path(__file__).parent / "programs"
pytestmark = [pytest.mark.engine, pytest.mark.clients]
on_each = pytest.mark.parametrize("listener", ["unix", "tcp"])


@on_each
@pytest.mark.parametrize("name", ["docker_py", "aiodocker", "testcontainers"])
def test_python(
    scratch: ScratchEngine, proxies: Mapping[str, Proxy], name: str, listener: str
) -> None:
    """docker-py, aiodocker, testcontainers: runs, streams, hijacks, archives, builds."""
    program = str(PROGRAMS / f"with_{name}.py")
    seen = compare_clients([sys.executable, program], scratch, proxies[listener].url)
    assert (seen.status, seen.errors) == (0, "")


@on_each
def test_node(
    scratch: ScratchEngine, proxies: Mapping[str, Proxy], modules: Path, listener: str
) -> None:
    """dockerode: exec and attach with its own way to hijack, events, errors."""
    program = str(modules / "with_dockerode.js")
    seen = compare_clients(["node", program], scratch, proxies[listener].url)
    assert (seen.status, seen.errors) == (0, "")


LIMITED = {
    "ALLOW_OPERATIONS": ",".join(
        sorted(OPERATIONS.keys() - {"BuildKitGrpc", "ServiceCreate", "Session"})
    ),
    "CREATE_BINDS": "",
    "CREATE_PORTS": "random",
    "CREATE_TAGS": "*",
    "EXEC_PRIVILEGED": "0",
    "PULL_IMAGES": "src:-",
    "BUILD_OPTIONS": "",
}
"""What these programs ask for, written by hand."""


@pytest.fixture(scope="module")
def limited(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A proxy that limits what requests may ask for."""
    listen = f"unix://{tmp_path_factory.mktemp('limited')}/proxy.sock"
    with enforcing(scratch, listen=listen, variables=LIMITED):
        yield listen


@pytest.mark.parametrize("name", ["docker_py", "aiodocker", "testcontainers"])
def test_python_behind_limits(scratch: ScratchEngine, limited: str, name: str) -> None:
    """The same programs see the same where what they ask for is read and judged."""
    program = str(PROGRAMS / f"with_{name}.py")
    seen = compare_clients([sys.executable, program], scratch, limited)
    assert (seen.status, seen.errors) == (0, "")


def test_node_behind_limits(
    scratch: ScratchEngine, limited: str, modules: Path
) -> None:
    """dockerode, which repeats its bodies in the query, sees the same behind limits."""
    program = str(modules / "with_dockerode.js")
    seen = compare_clients(["node", program], scratch, limited)
    assert (seen.status, seen.errors) == (0, "")
