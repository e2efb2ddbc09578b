import random
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.differential.differences import (
    DIFFERENCES,
    EXEC,
    METHODS_AT_0,
    PODMAN,
    PODMAN_AT_1,
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
from tests.differential.http_requests import HttpRequest, http_requests
from tests.judge.judging import request
from trioproxy.errors import BadTarget
from trioproxy.file.incumbents import LINUXSERVER, TECNATIVA, Incumbent
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import (
    LIBPOD_VARIABLES,
    METHOD_SWITCHES,
    SWITCHES,
    VERBS,
    speaks_of_podman,
)
from trioproxy.judge.rules import Reason

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


def test_nothing_matters_to_an_exact_list() -> None:
    """Of an exact list nothing is news: there it is not known, whatever stands beside it."""
    assert found({"ALLOW_OPERATIONS": "ContainerList"}) == {}
    assert found({"ALLOW_OPERATIONS": "DebugVars", "CONTAINERS": "1"}) == {}


CLASSES = [
    ({}, "GET", "/libpod/_ping", PODMAN),
    ({"LIBPOD_PODS": "1"}, "GET", "/libpod/podsX/json", PODMAN),
    ({"LIBPOD_PODS": "1"}, "GET", "/libpod/pods/json", PODMAN_AT_1),
    ({"LIBPOD_PODS": "1"}, "GET", "/libpod/version", PODMAN_AT_1),
    ({"LIBPOD_ALLOW_STOP": "1"}, "POST", "/libpod/containers/x/stop", VERBS_GRANT),
    ({}, "GET", "/versionX", PREFIXES),
    ({"POST": "1", "DELETE": "0"}, "DELETE", "/volumes/x", METHODS_AT_0),
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
    assert classify(one.target.path, policy.decide(one)) is row


FLAGS = [*SWITCHES, *METHOD_SWITCHES, *VERBS, *sorted(LIBPOD_VARIABLES)]
VALUES = ["0", "1", ""]


def many(seed: int) -> dict[str, str]:
    """Of all flags so many: what two of them do together is seldom met among few."""
    chosen = random.Random(seed)
    names = chosen.sample(FLAGS, chosen.randrange(len(FLAGS)))
    return {name: chosen.choice(VALUES) for name in names}


environments = st.one_of(
    st.dictionaries(
        st.sampled_from(FLAGS), st.sampled_from(VALUES), max_size=len(FLAGS)
    ),
    st.integers(0, 10_000).map(many),
)
DRESSED = [list(http_requests(random.Random(seed))) for seed in range(20)]
"""All requests of the table, dressed twenty times."""
dressed = st.sampled_from([ask for asks in DRESSED for ask in asks])
parsed = cache(request)


def is_podmans(ask: HttpRequest) -> bool:
    """Whether it asks for one of Podman's own routes."""
    return parsed(ask.method, ask.target).target.path.startswith("/libpod/")


@pytest.mark.deep
@pytest.mark.parametrize(
    ("incumbent", "compat"),
    [
        pytest.param(TECNATIVA, "", id="tecnativa"),
        pytest.param(TECNATIVA, "linuxserver", id="tecnativa-compat"),
        pytest.param(LINUXSERVER, "linuxserver", id="linuxserver"),
    ],
)
@settings(max_examples=by_depth(75, 400), deadline=None)
@given(variables=environments, dress=st.integers(0, len(DRESSED) - 1))
def test_never_wider_but_for_verbs(
    incumbent: Incumbent,
    compat: str,
    variables: dict[str, str],
    dress: int,
) -> None:
    """What passes here passes there by the same file, or by a verb that the file sets to 1."""
    policy, _ = parse_policy({**variables, "COMPAT": compat})
    # To make a policy takes as long as to ask it three hundred times.
    for ask in DRESSED[dress]:
        try:
            decision = policy.decide(parsed(ask.method, ask.target))
        except BadTarget:
            continue  # refused here, whatever the policy
        if decision.allowed and decision.reason is Reason.VERB:
            assert variables[decision.rule] == "1"
        elif decision.allowed and incumbent is TECNATIVA and is_podmans(ask):
            assert speaks_of_podman(variables)
        elif decision.allowed:
            path = unquote(ask.target.partition("?")[0], "latin-1")
            assert incumbent.allows(variables, ask.method, path), ask


@pytest.mark.deep
@settings(max_examples=by_depth(30, 100))
@given(variables=environments, more=st.sampled_from(METHOD_SWITCHES), asked=dressed)
def test_a_method_at_1_changes_nothing(
    variables: dict[str, str], more: str, asked: HttpRequest
) -> None:
    """`DELETE=1` and `PUT=1` decide every request as if they were not there."""
    without = {name: value for name, value in variables.items() if name != more}
    unset, _ = parse_policy(without)
    one, _ = parse_policy({**without, more: "1"})
    assert one == unset
    zero, _ = parse_policy({**without, more: "0"})
    try:
        asked_for = request(asked.method, asked.target)
    except BadTarget:
        return
    before, after = unset.decide(asked_for), zero.decide(asked_for)
    lost = before.allowed and not after.allowed
    assert after.allowed <= before.allowed
    assert not lost or asked.method == more
    if asked.method == more and after.allowed:
        assert after.reason is Reason.VERB
