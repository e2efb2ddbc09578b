"""Whoever builds a commit gets the files that were published, byte for byte."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown import ROOT


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """The locked packages. Years from now no certificate of an index is valid."""
    folder = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    for name in ("requirements.lock", "requirements-build.lock"):
        options = ["--require-hashes", f"--requirement={name}", f"--dest={folder}"]
        subprocess.run([*pip, *options], check=True, cwd=ROOT)
    return folder


def build(
    folder: Path, wheels: Path, *before: str, umask: int, zone: str
) -> dict[str, bytes]:
    """Clone this commit into a folder and build it there, with the clock as `before` sets
    it; what the files are."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True, umask=umask)
    subprocess.run(
        [*before, "scripts/build-dist"],
        check=True,
        cwd=folder,
        umask=umask,
        env=os.environ
        | {
            "PYTHON": sys.executable,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
            "TZ": zone,
        },
    )
    files = [*(folder / "dist").iterdir(), *(folder / "release").iterdir()]
    return {one.name: one.read_bytes() for one in files}


def test_reproducible(tmp_path: Path, wheels: Path) -> None:
    """Two clones in folders of other names, built by users with another umask and time
    zone, years apart, give the same sdist, wheel, one-file program, package for Debian, manuals, bill of
    materials and sums."""
    one = build(tmp_path / "one", wheels, umask=0o022, zone="UTC")
    far = tmp_path / "another" / "folder"
    later = ("faketime", "-f", "+3y")
    other = build(far, wheels, *later, umask=0o077, zone="Asia/Tokyo")
    assert {name for name in one if one[name] != other[name]} == set()
    assert one.keys() == other.keys()
    assert len(one) == 7
    # Where `make package` has built just this commit, that is what it left.
    changed = subprocess.check_output(["git", "status", "--porcelain"], cwd=ROOT)
    if "JUST_BUILT" in os.environ and not changed:
        left = [*(ROOT / "dist").iterdir(), *(ROOT / "release").iterdir()]
        assert {path.name: path.read_bytes() for path in left} == one
