"""The workflows: pinned, with few rights, off until they are switched on, and without
steps of their own. That they are valid is checked by `test_actionlint` of
`tests/test_action.py`."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine import Engine
from tests.markdown import ROOT
from tests.yamlfile import read_yaml

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PINNED = [
    *WORKFLOWS,
    ROOT / "action.yml",
    *sorted((ROOT / "examples" / "github-actions").glob("*.yml")),
]
every_file = pytest.mark.parametrize(
    "file", [pytest.param(one, id=str(one.relative_to(ROOT))) for one in PINNED]
)
every_workflow = pytest.mark.parametrize(
    "file", [pytest.param(one, id=one.stem) for one in WORKFLOWS]
)

MAY_WRITE = {
    ("release", "pypi"): {"id-token"},
    ("release", "image"): {"packages", "id-token", "attestations"},
    ("release", "announce"): {"contents", "id-token", "attestations"},
    ("image", "publish"): {"packages", "id-token", "attestations"},
    ("rebuild", "image"): {"packages", "id-token", "attestations"},
    ("relearn", "propose"): {"contents", "pull-requests"},
}
"""The jobs that may write anything, by workflow, and what."""
SWITCHES = {"release": "RELEASE_", "rebuild": "RELEASE_IMAGE", "relearn": "RELEARN"}
"""The workflows that run nothing before the owner has set such a variable."""
PROGRAMS = re.compile(
    r"make [a-z\"$]|scripts/[a-z-]+ |apt-get update |chown "
    r"|(?:git tag --list \| )?python3 scripts/release.py |git diff >|gh release create "
)
"""How a step begins: with what is tested here, or one command of a program."""


def zizmor(*files: Path) -> subprocess.CompletedProcess[str]:
    """Run zizmor at its strictest but for what it calls auditor, without a network."""
    program = Path(sys.executable).with_name("zizmor")
    options = ("--offline", "--persona=pedantic", "--no-progress", "--format=json")
    return subprocess.run(
        [program, *options, *files],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def test_zizmor(tmp_path: Path) -> None:
    """zizmor finds nothing in workflows, action and examples, and finds a mistake that is
    put there."""
    done = zizmor(*PINNED, ROOT / ".github" / "dependabot.yml")
    found = [
        f"{one['ident']}: {one['locations'][0]['symbolic']['key']}"
        for one in json.loads(done.stdout)
    ]
    assert not found
    assert done.returncode == 0, done.stderr
    wrong = tmp_path / "wrong.yml"
    text = (FOLDER / "ci.yml").read_text()
    wrong.write_text(text.replace('make "$TARGET"', "make ${{ github.head_ref }}"))
    assert "template-injection" in zizmor(wrong).stdout


USES = re.compile(r"^ *(?:- )?uses: +(\S+)(?: +# (\S+)(?: # .+)?)?", re.MULTILINE)


def uses(file: Path) -> Iterator[tuple[str, str, str]]:
    """What a file uses: the name, the revision, and the version in the comment."""
    for one in USES.finditer(file.read_text()):
        name, _, revision = one[1].partition("@")
        yield name, revision, one[2] or ""


@every_file
def test_pinned(file: Path) -> None:
    """Each action of others is pinned by its commit, and a comment says which version that
    is; the same action is the same commit everywhere."""
    everywhere = {one[0]: one for path in PINNED for one in uses(path)}
    for name, revision, comment in uses(file):
        if name.startswith("./"):
            assert (ROOT / name).exists(), name
        elif name != "OWNER/trioproxy":
            assert re.fullmatch(r"[0-9a-f]{40}", revision), name
            assert re.fullmatch(r"v\d+\.\d+\.\d+", comment), name
            assert everywhere[name] == (name, revision, comment)


@pytest.fixture(scope="module")
def read(engine: Engine) -> dict[str, dict[str, Any]]:
    """The workflows, by name."""
    return {one.stem: read_yaml(engine, one.read_text()) for one in WORKFLOWS}


def jobs(workflow: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Its jobs, by name."""
    yield from workflow["jobs"].items()


@pytest.mark.engine
@every_workflow
def test_rights(read: dict[str, dict[str, Any]], file: Path) -> None:
    """A workflow has no right, and each of its jobs those that it needs: who may write
    what is listed here."""
    workflow = read[file.stem]
    assert workflow["permissions"] == {}
    for name, job in jobs(workflow):
        rights: dict[str, str] = job["permissions"]
        writes = {one for one, right in rights.items() if right != "read"}
        assert writes == MAY_WRITE.get((file.stem, name), set()), name


@pytest.mark.engine
@every_workflow
def test_jobs_end(read: dict[str, dict[str, Any]], file: Path) -> None:
    """Each job that runs steps ends in time, on a machine that is named by its version,
    and leaves no credentials in the checkout."""
    for name, job in jobs(read[file.stem]):
        if "steps" not in job:
            continue
        assert 0 < job["timeout-minutes"] <= 90, name
        assert "latest" not in job["runs-on"], name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


@pytest.mark.engine
@pytest.mark.parametrize("name", SWITCHES)
def test_switched_off(read: dict[str, dict[str, Any]], name: str) -> None:
    """Where nothing was switched on, as in a fork, no job runs: those that wait for no
    other ask for a variable, and the others wait for them."""
    for job_name, job in jobs(read[name]):
        if "needs" not in job:
            assert f"vars.{SWITCHES[name]}" in job["if"], job_name
        elif "if" in job and "!failure()" in job["if"]:
            assert "needs.test.result == 'success'" in job["if"], job_name


@pytest.mark.engine
@every_workflow
def test_steps_are_tested_elsewhere(
    read: dict[str, dict[str, Any]], file: Path
) -> None:
    """A step runs a target of the Makefile, or a script with tests, and has no logic."""
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    for _, job in jobs(read[file.stem]):
        for step in job.get("steps", ()):
            text = step.get("run", "make nothing")
            assert PROGRAMS.match(text), text
            assert "\n" not in text.strip(), text
            assert "${{" not in text, text
            for script in re.findall(r"scripts/([\w.-]+)", text):
                assert script.endswith(".py") or is_executable(script), script
                assert re.search(rf'\b{re.escape(script)}"', tests), script


def is_executable(script: str) -> bool:
    """Whether a script may be run by its name."""
    return (ROOT / "scripts" / script).stat().st_mode & 0o111 == 0o111


def test_a_candidate_is_announced_as_one(read: dict[str, dict[str, Any]]) -> None:
    """GitHub shows no release candidate as the latest release: it is told what the tag is."""
    jobs = read["release"]["jobs"]
    (step,) = [one for one in jobs["announce"]["steps"] if "gh release" in str(one)]
    said = step["env"]["PRERELEASE"]
    assert said == "${{ needs.build.outputs.prerelease }}"
    assert ' --prerelease="$PRERELEASE" ' in " ".join(step["run"].split())
    output = jobs["build"]["outputs"]["prerelease"]
    assert output == "${{ steps.release.outputs.prerelease }}"


@pytest.mark.engine
def test_ci_is_make_ci(read: dict[str, dict[str, Any]]) -> None:
    """The parts that run side by side are all of `make ci`, where the clients are in test-deep."""
    (line,) = re.findall(r"(?m)^ci: (.*?) ##", (ROOT / "Makefile").read_text())
    targets = read["ci"]["jobs"]["make"]["strategy"]["matrix"]["target"]
    assert sorted(targets) == sorted([*line.split(), "test-clients"])


@pytest.mark.engine
def test_all_that_runs_was_tested(read: dict[str, dict[str, Any]]) -> None:
    """What publishes waits for the tests, and publishes the files that were built once."""
    release = read["release"]["jobs"]
    for name in ("pypi", "image", "announce"):
        assert {"build", "test"} <= set(release[name]["needs"])
    builds = [
        (workflow, name)
        for workflow in read
        for name, job in jobs(read[workflow])
        for step in job.get("steps", ())
        if re.search(r"make package|build-archive", step.get("run", ""))
    ]
    assert builds == [("image", "build"), ("release", "build")]
    image = read["image"]["jobs"]
    assert image["try"]["needs"] == "build"
    assert image["publish"]["needs"] == "try"
