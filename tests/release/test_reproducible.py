"""Whoever builds a commit gets the files that were published, byte for byte."""

import os
import subprocess
import sys
from pathlib import Path

from tests.markdown import ROOT

YEARS = "+3y"


def build(folder: Path, *before: str, umask: int) -> dict[str, bytes]:
    """Clone this commit into a folder and build it there, with the clock as `before` sets
    it; what the files are."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True, umask=umask)
    subprocess.run(
        [*before, "scripts/build-dist"],
        check=True,
        cwd=folder,
        umask=umask,
        env=os.environ | {"PYTHON": sys.executable},
    )
    files = [*(folder / "dist").iterdir(), *(folder / "release").iterdir()]
    return {one.name: one.read_bytes() for one in files}


def git(*command: str) -> str:
    """What git says of this checkout."""
    return subprocess.check_output(["git", *command], cwd=ROOT, text=True)


def test_reproducible(tmp_path: Path) -> None:
    """Two clones in folders of other names, built by users with another umask, years
    apart, give the same sdist, wheel, bill of materials and sums."""
    one = build(tmp_path / "one", umask=0o022)
    far = tmp_path / "another" / "folder"
    assert build(far, "faketime", "-f", YEARS, umask=0o077) == one
    assert len(one) == 4
    if not git("status", "--porcelain"):
        # `make package` has built this commit too: what it left is what is published.
        left = [*(ROOT / "dist").iterdir(), *(ROOT / "release").glob("*[!.md]")]
        assert {path.name: path.read_bytes() for path in left} == one
