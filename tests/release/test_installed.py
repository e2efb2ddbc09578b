"""On a bare Debian, which has Python and no pip, the one file and the package do the main job."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine import NoEngine
from tests.markdown import ROOT

ENTER = 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"'


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its root folder, which takes most of a minute."""
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        raise NoEngine("a bare Debian needs root and mmdebstrap")
    folder = tmp_path_factory.mktemp("debian")
    archive = folder / "root.tar"
    words = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3"]
    words += ["--dpkgopt=force-unsafe-io", "trixie", str(archive)]
    subprocess.run(words, check=True)
    root = folder / "root"
    root.mkdir()
    subprocess.run(["tar", "-C", root, "-xf", archive, "--exclude=./dev/*"], check=True)
    shutil.copytree(ROOT / "demo", root / "opt" / "demo")
    return root


def inside(root: Path, *command: str, **variables: str) -> str:
    """Run a program there, as root, in mounts of its own; what it writes."""
    environment = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root"} | variables
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", ENTER, root, *command],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def session(root: Path, program: str) -> str:
    """The session of `make run`, with a program that is installed there."""
    path = f"{program}:/opt"
    return inside(root, "python3", "-m", "demo", PYTHONPATH=path, DEMO_OF=program)


def test_one_file(debian: Path, pyz: Path) -> None:
    """`trioproxy.pyz` learns and enforces where nothing is installed but Python."""
    shutil.copy(pyz, debian / "opt")
    assert "pip" not in inside(
        debian, "ls", "/usr/bin", "/usr/lib/python3/dist-packages"
    )
    story = session(debian, "/opt/trioproxy.pyz")
    assert "add ImageList to ALLOW_OPERATIONS" in story.replace("\n       ", " ")


def test_package(debian: Path, release: Path) -> None:
    """The package installs with dpkg alone, does the same, brings its manuals, and leaves
    nothing when it is removed."""
    (package,) = release.glob("*.deb")
    shutil.copy(package, debian / "opt")
    before = inside(debian, "find", "/usr")
    inside(debian, "dpkg", "--install", f"/opt/{package.name}")
    story = session(debian, "/usr/bin/trioproxy")
    assert "add ImageList to ALLOW_OPERATIONS" in story.replace("\n       ", " ")
    installed = inside(debian, "dpkg", "--listfiles", "trioproxy")
    for name in (
        "man/man1/trioproxy-learn.1.gz",
        "bash-completion/completions/trioproxy",
    ):
        assert f"/usr/share/{name}" in installed
    unit = inside(debian, "cat", "/usr/lib/systemd/system/trioproxy.service")
    assert "ExecStart=/usr/bin/trioproxy enforce" in unit
    # Nobody booted this Debian: its systemctl is one that tells what it was asked.
    asked = debian / "opt" / "bin" / "systemctl"
    asked.parent.mkdir()
    asked.write_text('#!/bin/sh\necho "asked: $*"\n')
    asked.chmod(0o755)
    path = "/opt/bin:/usr/sbin:/usr/bin"
    told = inside(debian, "dpkg", "--purge", "trioproxy", PATH=path)
    assert "asked: --quiet disable trioproxy.socket trioproxy.service" in told
    assert inside(debian, "find", "/usr") == before
