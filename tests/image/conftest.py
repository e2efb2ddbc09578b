"""The image, built on the real Engine on a base image made here: nothing is pulled."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.alone import alone, shared_by_workers
from tests.engine import Engine, NoEngine, ScratchEngine
from tests.patience import PATIENCE
from tests.release.conftest import build_dist

ROOT = Path(__file__).parents[2]
BASE = "python:3.13-slim"
"""The name under which the base is imported: that of the Dockerfile's default."""
WITH_PIP = "python:with-pip"
IMAGE = "trioproxy"
CLIENT = "docker:cli"
"""A client of the Engine: what the examples call by this name."""
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


@pytest.fixture(scope="session")
def base(scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small Debian with Python, as the base image of ours."""
    if not shutil.which("mmdebstrap"):
        raise NoEngine("the image tests need mmdebstrap")
    archive = shared_by_workers(tmp_path_factory) / "base" / "base.tar"
    with alone(archive.parent):
        if not archive.exists():
            make_base(archive)
    scratch.docker("import", str(archive), BASE)
    return BASE


def make_base(archive: Path) -> None:
    """Write its root file system, which takes most of a minute."""
    command = ["mmdebstrap", "--quiet", "--variant=minbase"]
    command += ["--dpkgopt=force-unsafe-io"]  # it need not survive a power cut
    command += ["--include=python3,python3-venv,ca-certificates"]
    if CA_BUNDLE.exists():  # the machine's own authorities, should a build ask outside
        command += [f"--customize-hook=upload {CA_BUNDLE} {CA_BUNDLE}"]
    new = archive.with_name("new.tar")
    subprocess.run([*command, "trixie", str(new)], check=True)
    new.rename(archive)


@pytest.fixture(scope="session")
def base_with_pip(
    scratch: ScratchEngine, base: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The same with pip in it, as the images called `python` have it."""
    folder = tmp_path_factory.mktemp("base-with-pip")
    (folder / "Dockerfile").write_text(
        f"FROM {base}\n"
        "RUN set -- /usr/share/python-wheels/pip-*.whl"
        " && python3 $1/pip install --no-index --break-system-packages $1"
        " && pip --version && python3 -m pip --version\n"
    )
    scratch.docker("build", "-q", "-t", WITH_PIP, str(folder))
    return WITH_PIP


def build(engine: Engine, name: str, *options: str, base: str = BASE) -> str:
    """Build the image as `make image` does."""
    done = subprocess.run(
        [ROOT / "scripts" / "build-image", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
        env=engine.environment()
        | {"PYTHON": sys.executable, "IMAGE": name, "BASE_IMAGE": base},
    )
    assert done.returncode == 0, done.stderr
    return name


def made_once(
    engine: Engine, name: str, folder: Path, make: Callable[[], object]
) -> str:
    """An image that one process of the run makes, and the others load."""
    archive = folder / "image.tar"
    with alone(folder):
        if not archive.exists():
            make()
            new = archive.with_name("new.tar")
            engine.docker("save", f"--output={new}", name)
            new.rename(archive)
            return name
    engine.docker("load", "--quiet", f"--input={archive}")
    return name


@pytest.fixture(scope="session")
def image(
    scratch: ScratchEngine, base: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The image of this checkout; with it is fetched what all are made of."""
    assert base
    folder = shared_by_workers(tmp_path_factory) / "image"
    return made_once(scratch, IMAGE, folder, partial(build, scratch, IMAGE))


@pytest.fixture(scope="session")
def client(
    scratch: ScratchEngine, base: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An image with this machine's docker command, and Compose."""
    folder = tmp_path_factory.mktemp("client")
    program = shutil.which("docker")
    assert program is not None
    shutil.copy(program, folder / "docker")
    listed = scratch.docker("info", "--format={{json .ClientInfo.Plugins}}").output
    plugins = {one["Name"]: one["Path"] for one in json.loads(listed)}
    shutil.copy(plugins["compose"], folder / "docker-compose")
    (folder / "Dockerfile").write_text(
        f"FROM {base}\nCOPY docker /usr/local/bin/\n"
        "COPY docker-compose /usr/local/lib/docker/cli-plugins/\n"
    )
    scratch.docker("build", "-q", "-t", CLIENT, str(folder))
    return CLIENT


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `scripts/build-dist` makes beside the wheel, made once in a run."""
    folder = shared_by_workers(tmp_path_factory) / "built"
    with alone(folder):
        if not (folder / "release" / "SHA256SUMS").exists():  # it is written last
            build_dist(folder)
    return folder / "release"


def inspect(engine: Engine, name: str) -> dict[str, Any]:
    """What the Engine knows of an image or a container."""
    found: list[dict[str, Any]] = json.loads(engine.docker("inspect", name).output)
    return found[0]


def await_health(engine: Engine, name: str, wanted: str) -> None:
    """Read the container's events, from its start on, up to the one that says so."""
    if inspect(engine, name)["State"].get("Health", {}).get("Status") == wanted:
        return
    until = f"--until={time.time() + PATIENCE}"
    watch = ("events", "--since=1m", until, f"--filter=container={name}")
    with subprocess.Popen(
        ["docker", *watch, "--format={{.Action}}"],
        stdout=subprocess.PIPE,
        text=True,
        env=engine.environment(),
    ) as process:
        assert process.stdout is not None
        if not any(line == f"health_status: {wanted}\n" for line in process.stdout):
            raise AssertionError(engine.docker("logs", name).errors)
        process.terminate()


@pytest.fixture
def network(scratch: ScratchEngine) -> Iterator[str]:
    """A network without a way out; what is on it is removed with it."""
    name = scratch.docker(
        "network", "create", "--internal", f"net-{os.urandom(4).hex()}"
    )
    yield name.text
    listed = scratch.docker("ps", "-aq", "--filter", f"network={name.text}").text
    if listed:
        scratch.docker("rm", "-f", *listed.split())
    scratch.docker("network", "rm", name.text)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a line that is to be read at the end of the run."""
    return partial(record_property, "figure")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that the tests took, in whichever process."""
    for report in chain.from_iterable(terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport) and report.when == "call":
            for name, line in report.user_properties:
                if name == "figure":
                    terminalreporter.write_line(str(line))
