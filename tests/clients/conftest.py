"""Proxies with every section open, before an Engine of our own; modules of Node.js."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.alone import alone, shared_by_workers
from tests.end_to_end.proxies import EVERY_SECTION, Proxy, enforcing
from tests.engine import ScratchEngine


@pytest.fixture(scope="package")
def proxies(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Proxy]]:
    """One on a Unix socket, one on TCP, as users run them."""
    unix = f"unix://{tmp_path_factory.mktemp('proxy')}/proxy.sock"
    with (
        enforcing(scratch, listen=unix, variables=EVERY_SECTION) as on_unix,
        enforcing(scratch, variables=EVERY_SECTION) as on_tcp,
    ):
        yield {"unix": on_unix, "tcp": on_tcp}


PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="package")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs for Node.js, and what they use: installed once in a run."""
    folder = shared_by_workers(tmp_path_factory) / "node"
    with alone(folder):
        done = folder / "installed"
        if not done.exists():
            for file in PROGRAMS.glob("*.js*"):
                shutil.copy(file, folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            done.touch()
    return folder
