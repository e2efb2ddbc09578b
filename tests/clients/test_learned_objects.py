"""Clients that name what they made are learned with `@own`, and notice nothing of the file."""

import sys
from pathlib import Path

import pytest

from tests.clients.comparison import compare_clients, emptied, run
from tests.clients.test_compose import PROJECT
from tests.clients.test_compose import SCENARIOS as OF_COMPOSE
from tests.clients.test_docker_cli import ALL, QUICK
from tests.clients.test_own_objects import PROGRAMS, SIDE
from tests.end_to_end.proxies import TRIOPROXY, enforcing, object_lists
from tests.engine import ScratchEngine

pytestmark = [pytest.mark.engine, pytest.mark.clients]

NAMES = (
    *("exec", "attach", "create and start -a", "cp in and out", "commit", "port"),
    *("rename and update", "volumes", "networks", "build, classic", "wait"),
)
OF_CLI = {name: script for name, script in {**QUICK, **ALL}.items() if name in NAMES}
COMPOSING = ("up and ps", "exec", "run", "restart and scale", "cp and top", "down")


def learn(
    engine: ScratchEngine,
    file: Path,
    command: list[str],
    files: dict[str, str] | None = None,
) -> dict[str, str]:
    """Learn a client in two runs; the lists of objects in its file."""
    learner = [*TRIOPROXY, "learn", "-o", str(file), "--", *command]
    for _ in range(2):
        with emptied(engine):
            folder = file.parent / "work"
            folder.mkdir(exist_ok=True)
            for name, content in (files or {}).items():
                (folder / name).write_text(content)
            run(learner, engine, engine.url, folder)
    return object_lists(file)


def check(
    engine: ScratchEngine,
    folder: Path,
    command: list[str],
    files: dict[str, str] | None = None,
) -> None:
    """Learn a client; the file has `@own`, and behind it the client sees the same."""
    file = folder / "app.env"
    lists = learn(engine, file, command, files)
    assert lists["ONLY_CONTAINERS"] == "@own"
    assert lists["ONLY_VOLUMES"] == "@own"
    assert set(lists["ONLY_NETWORKS"].split(",")) - {"bridge", "host", "none"} == {"@own"}  # fmt: skip
    listen = f"unix://{folder}/app.sock"
    with enforcing(engine, "--env-file", str(file), listen=listen) as proxy:
        compare_clients(command, engine, listen, files or {})
    # Not before its end: until then lines of it may be unread.
    assert not [line for line in proxy.log if "decision=refused" in line]


@pytest.mark.parametrize("name", ["docker_py", "aiodocker", "testcontainers"])
def test_python(scratch: ScratchEngine, tmp_path: Path, name: str) -> None:
    """docker-py, aiodocker and testcontainers."""
    check(scratch, tmp_path, [sys.executable, str(PROGRAMS / f"with_{name}.py")])


@pytest.mark.parametrize("name", ["dockerode", "testcontainers"])
def test_node(scratch: ScratchEngine, tmp_path: Path, modules: Path, name: str) -> None:
    """dockerode and testcontainers."""
    program = scratch.inside("node", str(modules / f"with_{name}.js"))
    check(scratch, tmp_path, program)


@pytest.mark.parametrize("script", OF_CLI.values(), ids=OF_CLI)
def test_docker_cli(scratch: ScratchEngine, tmp_path: Path, script: str) -> None:
    """The docker command."""
    check(scratch, tmp_path, ["sh", "-c", script])


@pytest.mark.parametrize("name", COMPOSING)
def test_compose(scratch: ScratchEngine, tmp_path: Path, name: str) -> None:
    """Compose."""
    check(scratch, tmp_path, ["sh", "-c", OF_COMPOSE[name]], PROJECT)


def started(engine: ScratchEngine, which: str) -> list[str]:
    """When each of some containers that run was started last."""
    names = engine.docker("ps", "-q", which).text.split()
    assert names
    return [
        engine.docker("inspect", "-f", "{{.State.StartedAt}}", one).text
        for one in names
    ]


def test_two_projects(scratch: ScratchEngine, tmp_path: Path) -> None:
    """Two Compose projects side by side, each learned by itself and behind a file of its
    own: each is made and removed, and neither can touch the other."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "compose.yaml").write_text(SIDE)
    files = {name: tmp_path / f"{name}.env" for name in ("one", "two")}

    def composed(project: str, *args: str) -> list[str]:
        return ["docker", "compose", "-p", project, *args]

    for name, file in files.items():
        steps = (
            ["up", "-d"],
            ["exec", "-T", "web", "true"],
            ["restart"],
            ["down", "-v"],
        )
        script = " && ".join(" ".join(composed(name, *step)) for step in steps)
        lists = learn(scratch, file, ["sh", "-c", script], {"compose.yaml": SIDE})
        assert lists["ONLY_CONTAINERS"] == "@own"
        assert lists["ONLY_OWNER"].startswith(f"{name}-")
    hosts = {name: f"unix://{tmp_path}/{name}.sock" for name in files}
    with (
        emptied(scratch),
        enforcing(scratch, "--env-file", str(files["one"]), listen=hosts["one"]),
        enforcing(scratch, "--env-file", str(files["two"]), listen=hosts["two"]),
    ):

        def compose(behind: str, project: str, *args: str) -> str:
            command = composed(project, *args)
            ran = run(command, scratch, hosts[behind], tmp_path / "work")
            return "" if ran.status == 0 else ran.errors

        for name in files:
            assert compose(name, name, "up", "-d") == ""
        for name, other in (("one", "two"), ("two", "one")):
            theirs = f"--filter=label=com.docker.compose.project={other}"
            began = started(scratch, theirs)
            assert compose(name, other, "exec", "-T", "web", "true")
            compose(name, other, "restart")  # of what it sees, nothing is theirs
            compose(name, other, "down", "-v")
            assert started(scratch, theirs) == began
        for name in files:
            assert compose(name, name, "exec", "-T", "web", "true") == ""
            assert compose(name, name, "down", "-v") == ""
        assert scratch.docker("ps", "-aq").text == ""
