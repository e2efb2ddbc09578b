"""docs/walk.md by one file, typed as it stands, on a real Engine."""

from pathlib import Path

import pytest

from tests.engine import ScratchEngine
from tests.shell import Shell
from tests.walk import BY_ONE_FILE, check_file, said, walk


@pytest.mark.engine
def test_walk(scratch: ScratchEngine, pyz: Path, tmp_path: Path) -> None:
    """A newcomer learns the client, reads what the page says of the file, and holds the client to
    it: it does its work, and one call more is refused with what would allow it."""
    (tmp_path / "release").symlink_to(pyz.parent)
    scratch.docker("run", "-d", "--name=walked", "busybox", "sleep", "600")
    written = walk(Shell(folder=tmp_path, engine=scratch), BY_ONE_FILE)
    scratch.docker("rm", "-f", "walked")
    check_file(tmp_path / "traefik" / "traefik.env")
    assert said(r"\d+ of \d+ known attacks are shut") in written
    assert written.count("/walked\n") == 4
