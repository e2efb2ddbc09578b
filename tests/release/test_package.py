"""The sdist and the wheel: what is in them, and that they install."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib.metadata import metadata
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.markdown import ROOT
from trioproxy import __version__

NAME = f"trioproxy-{__version__}"


def run(*command: str | Path, **variables: str) -> str:
    """Run a program from a folder that is not ours; what it writes."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd="/",
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def dist(built: Path) -> Path:
    """A folder with the sdist, and the wheel that is built from it."""
    return built / "dist"


def test_the_index_would_take_them(dist: Path) -> None:
    """Metadata and description are such that a package index shows them."""
    run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir())


def test_sdist(dist: Path) -> None:
    """The sdist has the source, its tests, the documents and the licence; no litter."""
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    wanted = {
        "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "CONTRIBUTING.md",
        "pyproject.toml", "Makefile", "Dockerfile", "requirements.lock",
        "trioproxy/py.typed", "trioproxy/proxy/connection.py", "tests/release/test_package.py",
        "docs/security.md", "examples/README.md", "learned/README.md", "scripts/make-venv",
    }  # fmt: skip
    assert not wanted - names
    assert not [name for name in names if "__pycache__" in name or ".venv" in name]


def test_wheel(dist: Path) -> None:
    """The wheel has the package, the learned files, types and licence, and nothing else."""
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "trioproxy/py.typed" in names
    shipped = {path for path in (ROOT / "learned").rglob("*") if path.is_file()}
    assert {f"trioproxy/{path.relative_to(ROOT)}" for path in shipped} <= names
    assert f"{NAME}.dist-info/licenses/LICENSE" in names
    assert {name.split("/")[0] for name in names} == {"trioproxy", f"{NAME}.dist-info"}


def test_sums(built: Path) -> None:
    """The list of sums has each file that is published, and what its bytes are."""
    published = [*(built / "dist").iterdir(), *(built / "release").iterdir()]
    published.remove(built / "release" / "SHA256SUMS")
    sums = {one.name: hashlib.sha256(one.read_bytes()).hexdigest() for one in published}
    listed = (built / "release" / "SHA256SUMS").read_text().split()
    assert dict(zip(listed[1::2], listed[::2], strict=True)) == sums
    assert len(sums) == 6


def test_bill_of_materials(built: Path) -> None:
    """The bill of materials is one by its schema, and lists what is locked, no more and no
    less: names, versions, hashes, and the licences that the packages give."""
    (file,) = (built / "release").glob("*.json")
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    locked = {
        one[1]: (one[2], set(re.findall(r"sha256:([0-9a-f]{64})", one[3])))
        for one in re.finditer(
            r"(?m)^([a-z0-9-]+)==(\S+)((?:.*\n +--hash.*)+)",
            (ROOT / "requirements.lock").read_text(),
        )
    }
    assert {"click", "h11", "trio"} <= locked.keys()
    assert {
        one["name"]: (
            one["version"],
            {
                found["content"]
                for reference in one["externalReferences"]
                for found in reference["hashes"]
            },
        )
        for one in bill["components"]
    } == locked
    told = {
        one["name"]: one["licenses"][0]
        for one in (*bill["components"], bill["metadata"]["component"])
    }
    for name, licence in told.items():
        assert licence != {"license": {"name": "unknown"}}, name
        if metadata(name)["Version"] == (locked.get(name) or [__version__])[0]:
            given = metadata(name).get_all("License-Expression")
            given = given or metadata(name).get_all("License")
            assert given, name
            assert given[0] in json.dumps(licence), name
    assert told["trioproxy"] == {"expression": "Apache-2.0"}


@pytest.mark.parametrize(
    ("tool", "home", "programs"),
    [
        pytest.param(("pipx", "install"), "PIPX_HOME", "PIPX_BIN_DIR", id="pipx"),
        pytest.param(
            ("uv", "tool", "install"), "UV_TOOL_DIR", "UV_TOOL_BIN_DIR", id="uv"
        ),
    ],
)
def test_install_as_a_tool(
    dist: Path, tmp_path: Path, tool: tuple[str, ...], home: str, programs: str
) -> None:
    """What keeps each program in an environment of its own installs it, ready to run."""
    (wheel,) = dist.glob("*.whl")
    python = ("--python", sys.executable)
    folders = {home: str(tmp_path / "home"), programs: str(tmp_path / "bin")}
    run(sys.executable, "-m", *tool, *python, wheel, **folders)
    version = run(tmp_path / "bin" / "trioproxy", "--version")
    assert version == f"trioproxy {__version__}\n"


def test_install(dist: Path, tmp_path: Path) -> None:
    """The wheel installs into a fresh environment, runs there and shows its types."""
    venv.create(tmp_path, with_pip=True)
    (wheel,) = dist.glob("*.whl")
    run(tmp_path / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    version = run(tmp_path / "bin" / "trioproxy", "--version")
    assert version == f"trioproxy {__version__}\n"
    listed = run(tmp_path / "bin" / "trioproxy", "explain")
    assert "SystemPing " in listed
    explained = run(tmp_path / "bin" / "trioproxy", "explain", "learned:glances")
    assert "opens 5 of" in explained
    use = tmp_path / "use.py"
    use.write_text("from trioproxy.api.target import Target\nTarget.parse('text')\n")
    python = f"--python-executable={tmp_path / 'bin' / 'python'}"
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir=/dev/null", python, str(use)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert 'expected "bytes"' in checked.stdout
