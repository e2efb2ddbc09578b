"""The slimmest image: Debian's Python, one file, and no program beside."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine import ScratchEngine
from tests.image.conftest import inspect
from tests.image.test_image import ask, serve
from tests.markdown import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LIMIT = 50_000_000


def test_slim(
    scratch: ScratchEngine,
    client: str,
    network: str,
    release: Path,
    figure: Callable[[str], None],
) -> None:
    """It is half as large as an image with a shell, serves as the usual one does, is found healthy,
    and has neither a shell nor anything else to be run."""
    environment = scratch.environment() | {"PYTHON": sys.executable}
    packed = {"PYZ": str(release / "trioproxy.pyz")}
    subprocess.run(
        [ROOT / "scripts" / "build-slim", "trioproxy:slim"],
        check=True,
        cwd=ROOT,
        env=environment | packed,
    )
    size = inspect(scratch, "trioproxy:slim")["Size"]
    figure(f"the slim image: {size / 1e6:.0f} MB")
    assert size < LIMIT
    name = serve(scratch, "trioproxy:slim", network, "--env=CONTAINERS=1")
    assert ask(scratch, client, network, "ps").startswith("CONTAINER ID")
    with pytest.raises(AssertionError):
        scratch.docker("exec", name, "/bin/sh", "-c", "true")
