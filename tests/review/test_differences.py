import re
from pathlib import Path

import pytest

from tests.policy.judging import request
from trioproxy.policy.permissions import parse_policy
from trioproxy.review.differences import (
    DIFFERENCES,
    EXACT_LIST,
    EXEC,
    PODMAN,
    PREFIXES,
    UNSET_READ_VERBS,
    VERB_BEGINNINGS,
    VERBS_AT_0,
    VERBS_GRANT,
    WRITE_LIKE_READS,
    Difference,
    Matter,
    as_markdown,
    classify,
    matters,
)

ROOT = Path(__file__).parents[2]


def test_the_page_shows_the_table() -> None:
    """The page on differences shows the table of the code, row for row."""
    page = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    shown = "".join(f"{line}\n" for line in page.splitlines() if line.startswith("|"))
    assert shown == as_markdown()


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.name)
def test_each_row_names_a_test(row: Difference) -> None:
    """The test that a row names exists."""
    file, _, function = row.test.partition("::")
    assert re.search(rf"def {function}\(", (ROOT / file).read_text(encoding="utf-8"))


def found(variables: dict[str, str]) -> dict[tuple[str, str], Matter]:
    policy, _ = parse_policy(variables)
    return {
        (matter.incumbent.name, matter.difference.name): matter
        for matter in matters(policy, variables)
    }


def test_nothing_matters_by_default() -> None:
    """The defaults mean the same here and there."""
    assert found({}) == {}


def test_what_matters_to_a_reader() -> None:
    """A reader of containers loses the archives, and keeps logs that linuxserver refuses."""
    rows = found({"CONTAINERS": "1"})
    assert rows["tecnativa", WRITE_LIKE_READS.name].operations == (
        "ContainerArchive",
        "ContainerArchiveInfo",
        "ContainerAttachWebsocket",
        "ContainerExport",
    )
    assert rows["linuxserver", UNSET_READ_VERBS.name].operations == (
        "ContainerChanges",
        "ContainerLogs",
        "ContainerTop",
    )


def test_what_matters_to_a_writer() -> None:
    """Exec and verbs are told where they are decided otherwise."""
    rows = found({"CONTAINERS": "1", "POST": "1", "ALLOW_STOP": "0"})
    assert rows["tecnativa", EXEC.name].operations == ("ContainerExec",)
    assert rows["tecnativa", VERBS_AT_0.name].operations == ("ContainerStop",)
    rows = found({"ALLOW_START": "1"})
    assert rows.keys() == {("tecnativa", VERBS_GRANT.name)}


def test_what_matters_to_an_exact_list() -> None:
    """Of an exact list only that is news what the section variables would not open."""
    assert found({"ALLOW_OPERATIONS": "ContainerList", "CONTAINERS": "1"}) == {}
    rows = found({"ALLOW_OPERATIONS": "DebugVars"})
    assert {matter.difference for matter in rows.values()} == {EXACT_LIST}


CLASSES = [
    ({}, "GET", "/libpod/_ping", PODMAN),
    ({}, "GET", "/versionX", PREFIXES),
    ({"ALLOW_START": "1"}, "GET", "/containers/x/start", VERB_BEGINNINGS),
    ({"ALLOW_START": "1"}, "POST", "/containers/x/start", VERBS_GRANT),
]


@pytest.mark.parametrize(("variables", "method", "raw", "row"), CLASSES)
def test_classify(
    variables: dict[str, str], method: str, raw: str, row: Difference
) -> None:
    """A request on which an incumbent decides otherwise finds its row."""
    one = request(method, raw)
    policy, _ = parse_policy(variables)
    assert classify(one, policy.decide(one)) is row
