"""What `make package` has built, or what this checkout gives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown import ROOT


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which `scripts/build-dist` has made its two."""
    if "JUST_BUILT" in os.environ:
        return ROOT
    return build_dist(tmp_path_factory.mktemp("built"))


def build_dist(folder: Path) -> Path:
    """Build into a folder what is published; that folder."""
    places = {"DIST": str(folder / "dist"), "RELEASE": str(folder / "release")}
    subprocess.run(
        [ROOT / "scripts" / "build-dist"],
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHON": sys.executable} | places,
    )
    return folder


@pytest.fixture(scope="session")
def release(built: Path) -> Path:
    """The folder with the program as one file, the package for Debian, and the manuals."""
    return built / "release"


@pytest.fixture(scope="session")
def pyz(release: Path) -> Path:
    """The program as one file."""
    return release / "trioproxy.pyz"


@pytest.fixture(scope="session")
def manuals(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The man pages and completions, unpacked."""
    folder = tmp_path_factory.mktemp("manuals")
    (packed,) = release.glob("*-manuals.tar.gz")
    subprocess.run(["tar", "-C", folder, "-xf", packed], check=True)
    return folder
