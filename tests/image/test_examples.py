"""The examples, started as they are, with stand-ins for clients that are not to be had."""

import json
import os
import shutil
import stat
import subprocess
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Engine, ScratchEngine
from tests.markdown import Document
from tests.yamlfile import read_yaml

pytestmark = [pytest.mark.engine, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
CHECK_OFTEN = {"healthcheck": {"interval": "1s"}}

READS = "docker ps && docker inspect $(docker ps -q) >/dev/null"
STAND_INS: Mapping[str, str] = {
    # What these clients ask the Engine for, said with the docker command. Each then
    # tries what its proxy must not allow.
    "traefik:v3": f"""
        for word; do case $word in *endpoint=*) export DOCKER_HOST="${{word#*=}}" ;; esac; done
        docker version && {READS} && ! docker stop "$(docker ps -q | head -1)"
    """,
    "crazymax/diun:latest": """
        docker version && docker ps && docker image inspect docker:cli >/dev/null
        ! docker restart "$(docker ps -q | head -1)"
    """,
    "willfarrell/autoheal:latest": """
        export DOCKER_HOST=$DOCKER_SOCK
        docker ps && docker restart --time 0 "$(docker ps -q --filter label=autoheal)"
        ! docker stop "$(docker ps -q | head -1)"
    """,
    "amir20/dozzle:latest": f"""
        {READS} && docker info >/dev/null && docker logs "$(docker ps -q | head -1)"
        docker stats --no-stream && docker events --since 1m --until 0s
        ! docker cp "$(docker ps -q | head -1)":/etc/passwd - && ! docker images
    """,
}
DONE = "stand-in: done"
OWNER = 4321
"""Of a folder that is not root's."""
PATIENCE = ("timeout", "300")
"""Ends a log that is followed in vain."""


@pytest.fixture(scope="module")
def images(
    scratch: ScratchEngine,
    image: str,
    client: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """The image, the docker command's, and the stand-ins under their real names."""
    assert image
    for name, script in STAND_INS.items():
        folder = tmp_path_factory.mktemp("stand-in")
        (folder / "stand-in").write_text(
            f"#!/bin/sh\nset -ex\n{script}\necho {DONE}\nexec sleep 2147483647\n"
        )
        (folder / "Dockerfile").write_text(
            f'FROM {client}\nCOPY --chmod=755 stand-in /\nENTRYPOINT ["/stand-in"]\n'
        )
        scratch.docker("build", "-q", "-t", name, str(folder))


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A compose file in a folder of its own, and the options to run it with."""

    engine: Engine
    folder: Path
    options: tuple[str, ...] = ()

    def compose(self, *args: str, check: bool = True) -> str:
        """Run `docker compose ARGS`; return what it wrote to stdout."""
        command = ("compose", f"--project-directory={self.folder}", *self.files())
        ran = self.engine.docker(*command, *self.options, *args, check=check)
        return ran.text

    def files(self) -> Iterator[str]:
        """The files, and one more that has health looked at often."""
        yield f"--file={self.folder / 'compose.yaml'}"
        if (self.folder / "quick.json").exists():
            yield f"--file={self.folder / 'quick.json'}"

    def with_profile(self, profile: str) -> "Project":
        """The same, with a profile switched on."""
        options = (f"--profile={profile}",)
        return Project(engine=self.engine, folder=self.folder, options=options)

    def await_line(self, service: str, wanted: str) -> None:
        """Follow a service's log up to a line; fail where the log ends before."""
        seen = []
        with subprocess.Popen(
            [*PATIENCE, "docker", "compose", f"--project-directory={self.folder}", *self.files(),
             *self.options, "logs", "--follow", "--no-log-prefix", service],
            stdout=subprocess.PIPE,
            text=True,
            env=self.engine.environment(),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                seen.append(line)
                if wanted in line:
                    break
            process.terminate()
        assert any(wanted in line for line in seen), "".join(seen)


@contextmanager
def project(engine: Engine, source: Path, folder: Path) -> Iterator[Project]:
    """A copy of an example; what it started is removed."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    found = Project(engine=engine, folder=folder)
    every = ("--profile=*", "config", "--format=json")
    services: dict[str, Any] = json.loads(found.compose(*every))["services"]
    ours = [name for name, one in services.items() if one["image"] == "trioproxy"]
    (folder / "quick.json").write_text(
        json.dumps({"services": dict.fromkeys(ours, CHECK_OFTEN)})
    )
    try:
        yield found
    finally:
        found.compose("--profile=*", "down", "--volumes", "--timeout=0")


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize(
    ("example", "clients"),
    [
        pytest.param("drop-in", ("traefik",), id="drop-in"),
        pytest.param("separate-proxies", ("diun", "autoheal"), id="separate-proxies"),
        pytest.param("readonly-monitoring", ("dozzle",), id="readonly-monitoring"),
    ],
)
def test_compose(
    scratch: ScratchEngine, tmp_path: Path, example: str, clients: tuple[str, ...]
) -> None:
    """The clients do their work through the proxy, and are refused what is not theirs."""
    sick = ("run", "-d", "--rm", "--label=autoheal", "busybox", "sleep", "600")
    labelled = scratch.docker(*sick).text
    with project(scratch, EXAMPLES / "compose" / example, tmp_path) as started:
        started.compose("up", "--detach")
        for name in clients:
            started.await_line(name, DONE)
    scratch.docker("rm", "-f", labelled)


@pytest.mark.usefixtures("images")
def test_readme(scratch: ScratchEngine, tmp_path: Path) -> None:
    """The README's compose file runs as it is: its client works, and stops nothing."""
    source = tmp_path / "readme"
    source.mkdir()
    (block,) = Document(EXAMPLES.parent / "README.md").of_kind("yaml")
    (source / "compose.yaml").write_text(block.text)
    with project(scratch, source, tmp_path) as started:
        started.compose("up", "--detach")
        started.await_line("traefik", DONE)


JOBS = "docker run --rm --network none"


@pytest.mark.usefixtures("images")
def test_limited_jobs(scratch: ScratchEngine, tmp_path: Path) -> None:
    """The runner's job runs, no other job has another image, folder or privilege, and nobody else's is reached."""
    other = scratch.docker("run", "-d", "--rm", "busybox", "sleep", "600").text
    with project(scratch, EXAMPLES / "compose" / "limited-jobs", tmp_path) as jobs:
        # Its own command, as it stands: it shows the folder.
        assert ".." in jobs.compose("run", "--rm", "runner").split()
        for asked, variable in {
            "--privileged busybox": "CREATE_PRIVILEGED",
            "--volume /:/host busybox": "CREATE_BINDS",
            "--volume /srv/jobs/..:/host busybox": "CREATE_BINDS",
            "--pid host busybox": "CREATE_NAMESPACES",
            "--publish 80 busybox": "CREATE_PORTS",
            "docker:cli": "CREATE_IMAGES",
        }.items():
            job = ("run", "--rm", "runner", "sh", "-c", f"{JOBS} {asked} true")
            with pytest.raises(AssertionError, match=f"{variable} does not list"):
                jobs.compose(*job)
        pull = ("run", "--rm", "runner", "docker", "pull", "docker:cli")
        with pytest.raises(AssertionError, match="PULL_IMAGES does not list"):
            jobs.compose(*pull)
        attach = ("run", "--rm", "runner", "docker", "attach", other)
        with pytest.raises(AssertionError, match="ONLY_CONTAINERS does not list"):
            jobs.compose(*attach)
    scratch.docker("rm", "-f", other)


@pytest.mark.usefixtures("images")
def test_learn_then_enforce(scratch: ScratchEngine, tmp_path: Path) -> None:
    """The profile `learn` writes the file, `enforce` allows what it learned, no more."""
    source = EXAMPLES / "compose" / "learn-then-enforce"
    with project(scratch, source, tmp_path) as both:
        os.chown(tmp_path / "learned", OWNER, OWNER)
        learning = both.with_profile("learn")
        learning.compose("up", "--exit-code-from=app", "--abort-on-container-exit")
        learned = (tmp_path / "learned" / "app.env").read_text()
        for file in (tmp_path / "learned").glob("app.*"):
            found = file.stat()
            assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (OWNER, 0o644)
        assert "ALLOW_OPERATIONS=ContainerList,SystemPingHead\n" in learned
        learning.compose("down")
        enforcing = both.with_profile("enforce")
        enforcing.compose("up", "--detach", "enforce")
        run = ("run", "--rm", "app", "docker")
        assert "CONTAINER ID" in enforcing.compose(*run, "ps")
        with pytest.raises(AssertionError, match="add ImageList to ALLOW_OPERATIONS"):
            enforcing.compose(*run, "images")


@pytest.mark.usefixtures("images")
def test_stack(scratch: ScratchEngine) -> None:
    """The stack runs on a swarm of one node, and its agent reads through the proxy."""
    scratch.docker("swarm", "init", "--advertise-addr=127.0.0.1")
    try:
        file = EXAMPLES / "swarm" / "stack.yml"
        scratch.docker(
            "stack", "deploy", f"--compose-file={file}", "--resolve-image=never", "p"
        )
        command = [
            *PATIENCE,
            "docker",
            "service",
            "logs",
            "--follow",
            "--raw",
            "p_agent",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=scratch.environment()
        ) as logs:
            assert logs.stdout is not None
            assert any("p_socket-proxy" in line for line in logs.stdout)
            logs.terminate()
    finally:
        scratch.docker("swarm", "leave", "--force")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The job of the workflow, in a checkout whose tests are `run-tests`."""

    engine: Engine
    folder: Path

    def run_tests(self, script: str) -> None:
        """Write the tests."""
        (self.folder / "run-tests").write_text(f"#!/bin/sh\n{script}\n")
        (self.folder / "run-tests").chmod(0o755)

    def git(self, *args: str) -> None:
        """Run git in the checkout."""
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *who, *args], cwd=self.folder, check=True)

    def merge(self) -> None:
        """Have what the checkout has learned on the base branch."""
        self.git("add", "learned")
        self.git("commit", "--quiet", "--message=Learned")
        self.git("push", "--quiet", "origin", "HEAD:main")

    def run(self, package: Path | str) -> tuple[str, str]:
        """Run its steps as GitHub does; which one failed, if any, and its messages."""
        file = EXAMPLES / "github-actions" / "docker-permissions.yml"
        (job,) = read_yaml(self.engine, file.read_text())["jobs"].values()
        assert job["env"] == {"TRIOPROXY": "${{ vars.TRIOPROXY }}"}
        environ = self.engine.environment() | {
            "PATH": f"{self.folder / 'python' / 'bin'}:{os.environ['PATH']}",
            "TRIOPROXY": str(package),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            # As everywhere in these tests, what pip installs was fetched before.
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(EXAMPLES.parent / "wheelhouse"),
        }
        for step in job["steps"]:
            if command := step.get("run"):
                given = step.get("env", {})
                assert given in ({}, {"BASE": "${{ github.base_ref }}"})
                ran = subprocess.run(
                    ["bash", "-e", "-c", command],
                    cwd=self.folder,
                    env=environ | dict.fromkeys(given, "main"),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if ran.returncode:
                    return step["name"], ran.stdout + ran.stderr
        return "", ""


INSTALLED = "trioproxy"
"""What is to be installed, where a runner has it from the job before: nothing is built anew."""


@pytest.fixture
def job(scratch: ScratchEngine, image: str, tmp_path: Path) -> Job:
    """A checkout in which nothing was learned yet, and a Python of its own."""
    assert image  # what it installs, with all that is needed for that, was fetched
    venv.create(tmp_path / "python", with_pip=True)
    (tmp_path / "learned").mkdir()
    (tmp_path / "learned" / "app.env").write_text("ALLOW_OPERATIONS=\n")
    found = Job(engine=scratch, folder=tmp_path)
    found.git("init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    found.git("init", "--quiet", "--initial-branch=main")
    found.git("remote", "add", "origin", "origin.git")
    found.merge()
    return found


def test_github_actions(job: Job) -> None:
    """The job passes while the tests need what was reviewed, and fails when they grew."""
    job.run_tests("docker ps")
    step, messages = job.run(EXAMPLES.parent)
    assert step == "Fail if the tests need more", messages
    assert "ContainerList" in (job.folder / "summary").read_text()
    # The file that the pull request brings along grants it: the base branch does not.
    step, messages = job.run(INSTALLED)
    assert step == "Fail if the tests need more", messages
    job.merge()
    step, messages = job.run(INSTALLED)
    assert step == "", messages
    job.run_tests("docker ps && docker images")
    step, messages = job.run(INSTALLED)
    assert step == "Fail if the tests need more", messages
    assert "ImageList" in (job.folder / "summary").read_text()


def test_github_actions_without_a_package(job: Job) -> None:
    """A repository that does not say what to install is told so."""
    step, messages = job.run("")
    assert step == "Install trioproxy"
    assert "TRIOPROXY: say what to install" in messages
