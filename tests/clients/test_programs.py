"""Programs that use an SDK see the same through the proxy as on the raw socket."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.comparison import compare_clients
from tests.end_to_end.proxies import Proxy
from tests.engine import ScratchEngine

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


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program for Node.js, and what it uses."""
    folder = tmp_path_factory.mktemp("node")
    for file in PROGRAMS.glob("*.js*"):
        shutil.copy(file, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@on_each
def test_node(
    scratch: ScratchEngine, proxies: Mapping[str, Proxy], modules: Path, listener: str
) -> None:
    """dockerode: exec and attach with its own way to hijack, events, errors."""
    program = str(modules / "with_dockerode.js")
    seen = compare_clients(["node", program], scratch, proxies[listener].url)
    assert (seen.status, seen.errors) == (0, "")
