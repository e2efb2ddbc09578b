"""What the scripts of the Makefile do to a machine, on one whose programs are ours."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A PATH of small programs that write down how they were called."""

    folder: Path

    def program(self, name: str, text: str) -> None:
        """Put a shell program on the PATH."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(
        self, script: str, packages: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script in a checkout with that list of packages."""
        (self.folder / "tests").mkdir()
        (self.folder / "tests" / "packages.txt").write_text(packages)
        return subprocess.run(
            [ROOT / "scripts" / script],
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            cwd=self.folder,
            env={
                "PATH": f"{self.folder / 'bin'}:{os.defpath}",
                "POLICY_RC_D": str(self.policy),
                "CALLS": str(self.calls),
                **variables,
            },
        )

    @property
    def policy(self) -> Path:
        """Where this machine keeps its policy-rc.d."""
        return self.folder / "policy-rc.d"

    @property
    def calls(self) -> Path:
        """What apt-get was called with, and whether services could start then."""
        return self.folder / "calls"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A Debian on which we are root; its apt-get knows the package `known`."""
    machine = Machine(folder=tmp_path)
    machine.program("id", "echo 0")
    machine.program("apt-cache", '[ "$2" = known ]')
    machine.program(
        "apt-get", 'echo "$@" >>"$CALLS"; cat "$POLICY_RC_D" >>"$CALLS" 2>/dev/null'
    )
    return machine


def test_installs_what_is_missing(machine: Machine) -> None:
    """Only what is missing is installed, nothing is removed, and it is said."""
    ran = machine.run("install-packages", "# a comment\nknown false\nthere true\n")
    assert ran.returncode == 0
    assert ran.stdout == "Installing for the tests: known\n"
    calls = machine.calls.read_text()
    assert (
        "install -q -y --no-install-recommends --no-remove known\n#!/bin/sh\nexit 101"
        in calls
    )
    assert not machine.policy.exists()


def test_takes_the_alternative_that_the_release_has(machine: Machine) -> None:
    """Of `a|b` the first that the release knows is installed; the rest is said."""
    ran = machine.run("install-packages", "unknown|known false\nnever false\n")
    assert ran.returncode == 0
    assert "left out: never\n" in ran.stdout
    assert "Installing for the tests: known" in ran.stdout


def test_nothing_missing_asks_nobody(machine: Machine) -> None:
    """With everything there, apt-get is not even called."""
    assert machine.run("install-packages", "there true\n").stdout == ""
    assert not machine.calls.exists()


def test_failure_leaves_no_policy(machine: Machine) -> None:
    """Where apt-get fails, so do we, and services may start again."""
    machine.program("apt-get", "echo broken; exit 7")
    ran = machine.run("install-packages", "known false\n")
    assert ran.returncode == 7
    assert "broken" in ran.stderr
    assert not machine.policy.exists()


def test_keeps_the_policy_of_the_machine(machine: Machine) -> None:
    """A policy-rc.d that was there stays as it was."""
    machine.policy.write_text("theirs")
    assert machine.run("install-packages", "known false\n").returncode == 0
    assert machine.policy.read_text() == "theirs"


def test_installs_nothing_unless_root(machine: Machine) -> None:
    """Who is not root gets no packages and no error."""
    machine.program("id", "echo 1000")
    assert machine.run("install-packages", "known false\n").returncode == 0
    assert not machine.calls.exists()


OLD = "exit 1"
NO_ENSUREPIP = 'case "$2" in *ensurepip*) exit 1 ;; esac'


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        pytest.param(OLD, "Python 3.11 or newer is needed", id="too-old"),
        pytest.param(NO_ENSUREPIP, "as root: apt-get install python3-venv", id="bare"),
    ],
)
def test_venv_says_what_is_needed(machine: Machine, python: str, expected: str) -> None:
    """Without what makes a venv, one line says what to do, and the status is 2."""
    machine.program("id", "echo 1000")
    for version in ("3", "3.11", "3.12", "3.13", "3.14", "3.15"):
        machine.program(f"python{version}", python)
    ran = machine.run("make-venv", "")
    assert ran.returncode == 2
    assert expected in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_venv_takes_the_python_that_is_named(machine: Machine) -> None:
    """BASE_PYTHON alone is tried: another Python is not put in its place."""
    machine.program("id", "echo 1000")
    machine.program("python3.13", NO_ENSUREPIP)
    ran = machine.run("make-venv", "", BASE_PYTHON="python3.13")
    assert ran.returncode == 2
    assert "apt-get install python3.13-venv" in ran.stderr


def test_venv_says_that_the_named_python_is_not_there(machine: Machine) -> None:
    """A BASE_PYTHON that does not exist, or is too old, is named in the error."""
    ran = machine.run("make-venv", "", BASE_PYTHON="python3.none")
    assert ran.returncode == 2
    assert ran.stderr == (
        "trioproxy: Python 3.11 or newer is needed, and python3.none is not\n"
    )


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_what_is_measured_against_is_a_checkout(tmp_path: Path, name: str) -> None:
    """A folder that is not there, or is none of this program's, is told of in a line before anything is started."""
    (tmp_path / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "bench.beside", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=ROOT,
    )
    told = f"{tmp_path / name} is no checkout: it has no trioproxy/"
    assert (done.returncode, done.stderr.splitlines()[-1].endswith(told)) == (2, True)
