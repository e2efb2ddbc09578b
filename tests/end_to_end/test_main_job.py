"""The main job as the README shows it: learn a run on the real Engine, enforce it."""

import re
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing, learn
from tests.engine import Engine
from trioproxy.file import envfile

pytestmark = pytest.mark.engine

RUN = "docker ps && echo hi | docker run --rm -i busybox cat"
NEEDED = {
    "ContainerAttach", "ContainerCreate", "ContainerList", "ContainerStart",
    "ContainerWait", "SystemPingHead",
}  # fmt: skip
REFUSAL = (
    "Error response from daemon: trioproxy: ImageList (GET /images/json) is not"
    " allowed: add ImageList to ALLOW_OPERATIONS\n"
)


@pytest.fixture(scope="module")
def learned(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The env file that the run leaves behind."""
    file = tmp_path_factory.mktemp("learned") / "app.env"
    ran = learn(engine, file, "sh", "-c", RUN)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout.decode().endswith("hi\n")
    return file


def test_what_the_run_needs_is_learned(learned: Path) -> None:
    """The operations that the run needs are among those learned."""
    variables = envfile.parse(learned.read_text(), name=str(learned))
    assert set(variables["ALLOW_OPERATIONS"].split(",")) >= NEEDED


def test_what_was_learned_passes(engine: Engine, learned: Path) -> None:
    """Enforcing the file, the same run comes out the same."""
    with enforcing(engine, "--env-file", str(learned)) as proxy:
        assert engine.docker("ps", host=proxy.url).status == 0
        command = ("run", "--rm", "-i", "busybox", "cat")
        assert engine.docker(*command, host=proxy.url, input=b"hi\n").text == "hi"


def test_anything_else_is_refused(engine: Engine, learned: Path) -> None:
    """What was not learned is refused, with the answer that says what would allow it."""
    with enforcing(engine, "--env-file", str(learned)) as proxy:
        ran = engine.docker("images", host=proxy.url, check=False)
        assert (ran.status, ran.errors) == (1, REFUSAL)


def test_the_variables_for_tecnativa_serve(engine: Engine, learned: Path) -> None:
    """The section variables of the comment, pasted, allow the run too."""
    said = re.search(r"(?m)^# tecnativa: (.*);", learned.read_text())
    assert said
    variables = dict(word.split("=") for word in said[1].split())
    with enforcing(engine, variables=variables) as proxy:
        command = ("run", "--rm", "-i", "busybox", "cat")
        assert engine.docker(*command, host=proxy.url, input=b"hi\n").text == "hi"


def test_status_is_the_commands(engine: Engine, tmp_path: Path) -> None:
    """`learn` ends as its command does, and has learned what that used."""
    file = tmp_path / "app.env"
    script = "docker exec nonexistent true; exit 5"
    ran = learn(engine, file, "sh", "-c", script)
    assert ran.returncode == 5
    assert "SystemPingHead" in file.read_text()
