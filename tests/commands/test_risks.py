"""The words of risk: one set of them, wherever an operation is shown."""

import json
import re
from pathlib import Path

import pytest

from tests.commands.running import run
from tests.markdown import ROOT
from trioproxy.api.routes import MEANINGS, OPERATIONS, Endpoint, Risk
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.meaning import ways_of
from trioproxy.judge.power import Powers
from trioproxy.learning.learnedfile import TITLES, Learned, render
from trioproxy.limits.grant import Grant

SHOWN = {name: rows[0] for name, rows in OPERATIONS.items() if name != "BuildKitGrpc"}
WORDS = "|".join(re.escape(risk.shown) for risk in Risk)
MARKED = re.compile(rf"(?:{WORDS})(?:, connects)?")

LEAKS_SECRETS = {"SystemEvents", "ContainerList", "VolumeInspect", "ExecInspect"}
GIVES_ROOT = {"SwarmInit", "SwarmInspect", "SwarmUpdate", "SwarmJoin", "NodeUpdate"}
CONNECTS = {
    "DistributionInspect", "GetPluginPrivileges", "ImageBuild", "ImageCreate",
    "ImagePush", "ImageSearch", "LibpodArtifactPull", "LibpodArtifactPush", "LibpodImageImport",
    "LibpodImagePull", "LibpodImagePush", "LibpodImageScp", "LibpodImageSearch",
    "LibpodKubeApply", "LibpodManifestInspect", "LibpodManifestPush", "PluginPush",
    "SystemAuth",
}  # fmt: skip


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learned file with every operation."""
    learned = Learned(
        name="all",
        file="all.env",
        operations=SHOWN,
    )
    path = tmp_path_factory.mktemp("risks") / "all.env"
    path.write_text(render(learned))
    return path


def ways(file: Path) -> set[str]:
    """The operations that are known ways to root there."""
    policy, _ = parse_policy_file(file.read_text(), name=file.name)
    return {way.operation for way in ways_of(policy)}


def words(endpoint: Endpoint, line: str) -> str:
    """The words of risk in a line about an endpoint; its name and summary are left out."""
    found = MARKED.findall(line.replace(endpoint.summary, ""))
    return found[-1] if found else ""


def test_files(file: Path) -> None:
    """A file has each operation once, under the title of its power, the worst first, and
    says nothing more of what is harmless, unless the Engine connects."""
    policy, _ = parse_policy_file(file.read_text(), name="all")
    titles = list(dict.fromkeys(TITLES.values()))
    _, _, told = file.read_text().partition("\n#\n")
    found = re.findall(r"(?m)^# (.*?:)((?: .*)?(?:\n#   .*)*)", told)
    groups = {title: text for title, text in found if title in titles}
    assert list(groups) == [one for one in titles if one in groups]
    powers = Powers(policy)
    for name, endpoint in SHOWN.items():
        power = powers.of(Grant("ALLOW_OPERATIONS", name))
        titled = [
            one for one, text in groups.items() if name in re.findall(r"\w+", text)
        ]
        assert titled == [TITLES[power.level]], name
        is_silent = power.level in {Risk.LOW, Risk.INFO_LEAK} and not endpoint.connects
        row = re.search(rf"(?m)^#   {name} +(.*)$", told)
        assert (row[1] if row else "") == ("" if is_silent else power.why), name


def test_what_there_is() -> None:
    """`explain` without a file says them behind each summary."""
    lines = iter(run("explain").out.splitlines())
    for line in lines:
        name = (line.split() or [""])[0]
        if name in SHOWN and line.startswith("  ") and "/debug" not in line:
            assert words(SHOWN[name], next(lines)) == SHOWN[name].marks


def test_diff(file: Path) -> None:
    """`diff` says them of each grant, as text and in its table; a known way is root there."""
    (file.parent / "none.env").write_text("ALLOW_OPERATIONS=\n")
    for options in (
        (),
        (
            "--as",
            "markdown",
        ),
    ):
        shown = run("diff", *options, str(file.parent / "none.env"), str(file)).out
        rows = dict(re.findall(r"(?m)^.*[+].*?([A-Z]\w{3,})(.*)$", shown))
        assert rows.keys() == SHOWN.keys()
        for name, endpoint in SHOWN.items():
            worst = "HOST-ROOT" + ", connects" * endpoint.connects
            marks = worst if name in ways(file) else endpoint.marks
            assert words(endpoint, rows[name]) == marks


def test_explain(file: Path) -> None:
    """`explain` says them above each group, the worst first; a known way is root there."""
    shown = run("explain", str(file)).out
    titles = [f"{risk.shown}, {meaning}:" for risk, meaning in MEANINGS.items()]
    assert re.findall(rf"(?m)^(?:{WORDS}), .*:$", shown) == titles
    for title, group in zip(titles, re.split("|".join(titles), shown)[1:], strict=True):
        for name in re.findall(r"(?m)^  (\w+) +[A-Z]+ +/", group):
            risk = Risk.HOST_ROOT if name in ways(file) else SHOWN[name].risk
            assert title.startswith(risk.shown)


def test_json(file: Path) -> None:
    """Programs get the same words, and whether the Engine connects, from each command."""
    (file.parent / "none.env").write_text("ALLOW_OPERATIONS=\n")
    told = [
        json.loads(run("explain", "--as", "json").out)["operations"],
        [
            one
            for one in json.loads(run("explain", "--as", "json", str(file)).out)[
                "lines"
            ]
            if one["standing"] == "granted"
        ],
        json.loads(
            run("diff", "--as", "json", str(file.parent / "none.env"), str(file)).out
        )["more"],
    ]
    for data in told:
        for one in data:
            endpoint = OPERATIONS[one["operation"]][0]
            risk = one["risk"].upper() if endpoint.marks.isupper() else one["risk"]
            assert risk.lower() == endpoint.risk
            assert one["connects"] is endpoint.connects


def test_the_page_on_security() -> None:
    """docs/security.md has the words with their meanings, in the same order."""
    page = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"(?m)^\| `([A-Za-z-]+)` \| (.*?)[.:;|]", page)
    assert [(word, meaning.strip()) for word, meaning in rows[: len(Risk)]] == [
        (risk.shown, meaning) for risk, meaning in MEANINGS.items()
    ]
    assert rows[len(Risk)][0] == "connects"


def test_worst_known_uses() -> None:
    """What a review found to be worse than it was said to be."""
    assert {OPERATIONS[name][0].risk for name in GIVES_ROOT} == {Risk.HOST_ROOT}
    assert {OPERATIONS[name][0].risk for name in LEAKS_SECRETS} == {Risk.SECRET_LEAK}
    assert {name for name, one in SHOWN.items() if one.connects} == CONNECTS
