import re
from pathlib import Path

import pytest

from trioproxy.file.incumbents import (
    INCUMBENTS,
    LINUXSERVER,
    TECNATIVA,
    VARIABLES,
    Incumbent,
    is_true,
)
from trioproxy.file.variables import (
    LIBPOD_VARIABLES,
    READ_VERBS,
    SWITCHES,
    VERBS,
)

T, L = TECNATIVA, LINUXSERVER
C = {"CONTAINERS": "1"}
CP = {"CONTAINERS": "1", "POST": "1"}

ROWS = [
    # One section, by the beginning of the decoded path, in any case.
    (T, {}, "GET", "/_ping", True),
    (T, {"PING": "0"}, "GET", "/_ping", False),
    (T, {}, "HEAD", "/v1.45/version", True),
    (T, {}, "GET", "/versionX", True),
    (T, {}, "GET", "/VERSION", True),
    (T, {}, "GET", "/v1.4.5./version", True),
    (T, {}, "GET", "/V1.45/events", True),
    (T, {}, "GET", "/v1.45", False),
    (T, {}, "GET", "/images/json", False),
    (T, {"IMAGES": "1"}, "GET", "/images/json", True),
    (T, {"SYSTEM": "1"}, "GET", "/system/df", True),
    (T, C, "GET", "/x/containers", False),
    # Writes need POST, whatever the section.
    (T, C, "POST", "/containers/create", False),
    (T, CP, "POST", "/containers/create", True),
    (T, CP, "DELETE", "/containers/x", True),
    (T, CP, "OPTIONS", "/containers/x", True),
    (T, C, "get", "/containers/json", False),
    *((L, {**C, f"ALLOW_{verb}": value}, "GET", f"/containers/x/{word}", value == "1")
      for verb, word in (("ARCHIVE", "archive"), ("CHANGES", "changes"), ("EXPORT", "export"), ("LOGS", "logs"), ("TOP", "top")) for value in ("0", "1")),
    *((one, {"POST": "1", f"ALLOW_{verb}": "1"}, "POST", f"/containers/x/{word}", word in words)
      for one in (T, L) for word in ("kill", "pause", "restart", "start", "stop", "unpause")
      for verb, words in (("RESTARTS", {"kill", "restart", "stop"}), ("START", {"start"}), ("STOP", {"stop"}), ("PAUSE", {"pause"}), ("UNPAUSE", {"unpause"}))),
    (T, C, "GET", "/containers/x/archive", True),
    (T, C, "GET", "/containers/x/attach/ws", True),
    (T, CP, "POST", "/containers/x/exec", True),
    # Verbs: dead without POST in tecnativa, and it has five.
    (T, {"ALLOW_START": "1"}, "POST", "/containers/x/start", False),
    (T, {"ALLOW_START": "1", "POST": "1"}, "POST", "/containers/x/start", True),
    (T, {"ALLOW_START": "1", "POST": "1"}, "POST", "/containers/x/startled", True),
    (T, {"ALLOW_START": "1"}, "GET", "/containers/x/start", True),
    (T, {"ALLOW_START": "1", "POST": "1"}, "POST", "/containers/a/b/start", False),
    (T, {"ALLOW_RESTARTS": "1", "POST": "1"}, "POST", "/containers/x/kill", True),
    (T, {"ALLOW_STOP": "1", "POST": "1"}, "POST", "/containers/x/restart", False),
    (T, {"ALLOW_PAUSE": "1", "POST": "1"}, "POST", "/containers/x/pause", True),
    (T, {"ALLOW_PAUSE": "1", "POST": "1"}, "POST", "/containers/x/unpause", False),
    (T, {"ALLOW_UNPAUSE": "1", "POST": "1"}, "POST", "/v1.45/containers/x/unpause", True),
    (T, {"ALLOW_UNPAUSE": "1"}, "POST", "/containers/x/unpause", False),
    (T, {**CP, "DELETE": "0", "ALLOW_DELETE": "0"}, "DELETE", "/containers/x", True),
    (T, {"ALLOW_KILL": "1", "POST": "1"}, "POST", "/containers/x/kill", False),
    (T, {**C, "ALLOW_LOGS": "0"}, "GET", "/containers/x/logs", True),
    # linuxserver: verbs before POST, five more refuse reads unless they are 1.
    (L, {"ALLOW_START": "1"}, "POST", "/containers/x/start", True),
    (L, {"ALLOW_UNPAUSE": "1"}, "POST", "/v1.45/containers/x/unpause", True),
    (L, {"ALLOW_STOP": "1"}, "POST", "/containers/x/STOP", True),
    (L, C, "GET", "/containers/x/logs", False),
    (L, {**C, "ALLOW_LOGS": "1"}, "GET", "/containers/x/logs", True),
    (L, {"ALLOW_LOGS": "1"}, "GET", "/containers/x/logs", False),
    (L, CP, "PUT", "/containers/x/archive", False),
    (L, C, "GET", "/containers/x/toplevel", False),
    (L, C, "GET", "/containers/a/b/logs", True),
    (L, C, "GET", "/containers/json", True),
    (L, C, "POST", "/containers/create", False),
    (L, {}, "GET", "/libpod/_ping", True),
    (L, {"ALLOW_STOP": "1"}, "POST", "/v5.0.0/libpod/pods/x/stop", True),
    (L, {"LIBPOD_PING": "0"}, "GET", "/libpod/_ping", False),
    (L, {}, "GET", "/v4.9.3/libpod/version", True),
    (L, {}, "GET", "/libpod/containers/json", False),
    (L, {"LIBPOD_CONTAINERS": "1"}, "GET", "/v4.9.3/libpod/containers/json", True),
    (L, {"LIBPOD_CONTAINERS": "1"}, "POST", "/libpod/containers/create", False),
    (L, {"LIBPOD_CONTAINERS": "1", "POST": "1"}, "POST", "/libpod/containers/create", True),
    (L, {"LIBPOD_CONTAINERS": "1"}, "GET", "/libpod/containers/x/logs", False),
    (L, {"LIBPOD_CONTAINERS": "1"}, "GET", "/containers/json", False),
    (L, C, "GET", "/libpod/containers/json", False),
    (L, {"LIBPOD_ALLOW_STOP": "1"}, "POST", "/libpod/containers/x/stop", True),
    (L, {"LIBPOD_ALLOW_STOP": "1"}, "POST", "/libpod/pods/x/stop", False),
    (L, {"LIBPOD_ALLOW_STOP": "1"}, "POST", "/containers/x/stop", False),
    (L, {"LIBPOD_ALLOW_POD_RESTARTS": "1"}, "POST", "/libpod/pods/x/kill", True),
    (L, {"LIBPOD_PLAY": "1", "POST": "1"}, "POST", "/libpod/play/kube", True),
    (T, {}, "GET", "/libpod/_ping", False),
    # Neither has a variable for these.
    (T, dict.fromkeys(VARIABLES, "1"), "GET", "/debug/vars", False),
    (L, dict.fromkeys(VARIABLES, "1"), "GET", "/frob", False),
    (T, dict.fromkeys(VARIABLES, "1"), "GET", "//containers/json", False),
]  # fmt: skip


@pytest.mark.parametrize(("incumbent", "variables", "method", "path", "allowed"), ROWS)
def test_allows(
    incumbent: Incumbent,
    variables: dict[str, str],
    method: str,
    path: str,
    allowed: bool,
) -> None:
    """The tables say what the configurations of the two proxies say."""
    assert incumbent.allows(variables, method, path) is allowed


@pytest.mark.parametrize(
    ("value", "granted"),
    [("1", True), ("01", True), ("2", True), ("-1", True), ("1x", True), ("1 ", True)]
    + [(v, False) for v in ("", "0", "00", "true", "yes", "on", " 1", "0x1", "False")],
)
def test_is_true(value: str, granted: bool) -> None:
    """A variable counts by the number that its text begins with, as in HAProxy."""
    assert is_true(value) is granted


def test_variables() -> None:
    """The two read no variable that we do not know."""
    known = {*SWITCHES, *VERBS, *LIBPOD_VARIABLES}
    assert set(LINUXSERVER.variables()) <= known
    assert set(LINUXSERVER.variables()) >= {*SWITCHES, *READ_VERBS, *LIBPOD_VARIABLES}
    assert len(LIBPOD_VARIABLES) == 25
    assert set(TECNATIVA.variables()) - {*SWITCHES} == {
        "ALLOW_PAUSE", "ALLOW_RESTARTS", "ALLOW_START", "ALLOW_STOP", "ALLOW_UNPAUSE",
    }  # fmt: skip
    assert set(VARIABLES) == {*TECNATIVA.variables(), *LINUXSERVER.variables()}


def test_each_is_pinned_to_the_version_that_runs_beside_ours() -> None:
    """The page that compares the proxies says of which version these rules are."""
    page = (Path(__file__).parents[2] / "docs" / "differences.md").read_text()
    for one in INCUMBENTS:
        assert re.search(rf"\[{re.escape(one.image)}\]\([^)]*\) {re.escape(one.version)}[,\s]", page, re.IGNORECASE)  # fmt: skip
