"""Brings clients here at pinned versions, each into a folder of its own below `.cache`.

Nothing is installed on the machine and no service is started: Python packages go into a
virtual environment, npm packages into a node_modules, Debian packages are only unpacked.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.alone import alone

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "clients"
MINUTES = 10 * 60


class NotInstalled(Exception):
    """A client cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A Debian package of tests/packages.txt: what the machine has."""

    package: str

    def install(self, folder: Path) -> Mapping[str, str]:
        """Nothing is to be done."""
        del folder
        return {}

    def version(self) -> str:
        """The version that is installed; empty where Debian does not know it."""
        asked = ["dpkg-query", "-W", "-f", "${Version}", self.package]
        return run_quietly(asked, check=False)


@dataclass(frozen=True, slots=True)
class Python:
    """Packages of PyPI, as pip's requirements."""

    requirements: tuple[str, ...]

    def install(self, folder: Path) -> Mapping[str, str]:
        """Make a virtual environment with them, once."""
        if not is_made(folder, self.requirements):
            run_quietly([sys.executable, "-m", "venv", "--without-pip", str(folder)])
            # By our own pip; of what it brings little is imported, and that is compiled then.
            pip = [sys.executable, "-m", "pip", "--python", f"{folder}/bin/python"]
            options = ("--quiet", "--disable-pip-version-check", "--no-compile")
            run_quietly([*pip, "install", *options, *self.requirements])
            note_made(folder, self.requirements)
        return {"PATH": f"{folder}/bin:{os.environ['PATH']}"}


@dataclass(frozen=True, slots=True)
class Node:
    """Packages of npm, as name@version."""

    packages: tuple[str, ...]

    def install(self, folder: Path) -> Mapping[str, str]:
        """Put them into a node_modules, once; their own install scripts do not run."""
        if shutil.which("npm") is None:
            raise NotInstalled("no npm on the PATH")
        if not is_made(folder, self.packages):
            npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
            run_quietly([*npm, "--prefix", str(folder), *self.packages])
            note_made(folder, self.packages)
        modules = folder / "node_modules"
        path = f"{modules}/.bin:{os.environ['PATH']}"
        return {"PATH": path, "NODE_PATH": str(modules)}


@dataclass(frozen=True, slots=True)
class Debian:
    """A Debian package as name=version, unpacked and not installed."""

    package: str

    def install(self, folder: Path) -> Mapping[str, str]:
        """Download and unpack it, once."""
        if not is_made(folder, (self.package,)):
            for old in folder.glob("*.deb"):
                old.unlink()
            download = ["apt-get", "download", "-q", self.package]
            try:
                run_quietly(download, cwd=folder)
            except NotInstalled:  # the machine's lists may be old, or not there yet
                run_quietly(["apt-get", "update", "-q"])
                run_quietly(download, cwd=folder)
            for archive in folder.glob("*.deb"):
                run_quietly(["dpkg-deb", "-x", str(archive), str(folder)])
            note_made(folder, (self.package,))
        return {"PATH": f"{folder}/usr/bin:{folder}/usr/sbin:{os.environ['PATH']}"}


Source = Machine | Python | Node | Debian


def installed(source: Source, name: str) -> Mapping[str, str]:
    """Bring a client here, whoever asks first; the variables by which it is found."""
    with alone(CACHE / ".alone" / name):
        return source.install(CACHE / name)


def is_made(folder: Path, packages: tuple[str, ...]) -> bool:
    """Whether the folder holds exactly these; made empty if it does not."""
    note = folder / "packages.txt"
    if note.exists() and note.read_text().split() == list(packages):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return False


def note_made(folder: Path, packages: tuple[str, ...]) -> None:
    """Write down what the folder holds, when it holds all of it."""
    (folder / "packages.txt").write_text("\n".join(packages))


def run_quietly(
    command: list[str], *, cwd: Path | None = None, check: bool = True
) -> str:
    """Run a command and return its stdout; what it wrote is shown only if it fails."""
    ran = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MINUTES,
        check=False,
    )
    if check and ran.returncode:
        raise NotInstalled(f"{' '.join(command)}\n{ran.stdout}{ran.stderr}")
    return ran.stdout if not ran.returncode else ""
