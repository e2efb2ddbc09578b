"""docs/walk.md by the image, typed as it stands."""

from pathlib import Path

import pytest

from tests.engine import ScratchEngine
from tests.shell import Shell
from tests.walk import BY_THE_IMAGE, check_file, walk


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.usefixtures("image")
def test_walk(scratch: ScratchEngine, tmp_path: Path) -> None:
    """A newcomer learns the client beside a learning proxy, and holds it to the file by another
    one: it does its work, and one call more is refused with what would allow it."""
    try:
        written = walk(Shell(folder=tmp_path, engine=scratch), BY_THE_IMAGE)
    finally:
        scratch.docker("rm", "-f", "learn", "socket-proxy", check=False)
        scratch.docker("network", "rm", "socket", check=False)
    check_file(tmp_path / "policies" / "traefik.env")
    assert written.count("/socket-proxy\n") == 2
