"""A client that is too old for a real Engine is told so by whoever is asked about it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.running import run
from tests.end_to_end.proxies import enforcing, learn
from tests.engine import ScratchEngine, scratch_engine
from tests.patience import PATIENCE

pytestmark = pytest.mark.engine

TOLD = (
    "fails without a proxy too: the Engine takes 1.44 and newer; set DOCKER_API_VERSION"
)
OLD = "DOCKER_API_VERSION=1.41 docker ps; docker version >/dev/null"


@pytest.fixture(scope="module")
def strict(may_start_engines: None) -> Iterator[ScratchEngine]:
    """An Engine that takes what Docker 29's takes, and nothing older."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_MIN_API_VERSION", "1.44")
        with scratch_engine() as engine:
            yield engine


@pytest.fixture(scope="module")
def learned(strict: ScratchEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an old client's run, and what was said at its end beside it."""
    file = tmp_path_factory.mktemp("old") / "app.env"
    ran = learn(strict, file, "sh", "-c", OLD)
    assert ran.returncode == 0, ran.stderr.decode()
    file.with_suffix(".said").write_bytes(ran.stderr)
    return file


def test_learning_says_it(learned: Path) -> None:
    """The closing table says why it failed, and not that it would be granted."""
    said = learned.with_suffix(".said").read_text()
    assert f"\n{TOLD}: ContainerList\n" in said
    assert "only ever failed" not in said


def test_whoever_asks_is_told(strict: ScratchEngine, learned: Path) -> None:
    """`explain`, and `check` with the evidence or with the Engine, say it too."""
    explained = " ".join(run("explain", str(learned)).out.split())
    assert f"ContainerList: {TOLD}" in explained
    request = ("GET", "/v1.41/containers/json")
    assert run("check", str(learned), *request).out == f"refused: {TOLD}\n"
    other = learned.with_name("other.env")
    other.write_text("ALLOW_OPERATIONS=ContainerList\n")
    asked = run("check", str(other), *request, "--upstream", strict.url)
    assert asked.out.splitlines()[1] == TOLD
    newer = run("check", str(learned), "GET", "/v1.44/containers/json")
    assert "add ContainerList" in newer.out


def test_the_refusal_says_it(strict: ScratchEngine, learned: Path) -> None:
    """Whoever is refused and too old hears what helps, since nothing else would."""
    deadline = time.monotonic() + PATIENCE
    with enforcing(strict, "--env-file", str(learned)) as proxy:
        errors = ""
        while TOLD not in errors and time.monotonic() < deadline:  # it is asked beside
            environ = {"DOCKER_API_VERSION": "1.41"}
            ran = strict.docker("ps", host=proxy.url, check=False, environ=environ)
            errors = ran.errors
        assert errors == f"Error response from daemon: trioproxy: {TOLD}\n"
        newer = strict.docker("ps", host=proxy.url, check=False).errors
        assert "add ContainerList to ALLOW_OPERATIONS" in newer
