"""What a file that is read again opens without a word."""

from collections.abc import Mapping

import pytest

from trioproxy.errors import ConfigError
from trioproxy.file.opening import refuse_opening
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.rules import Policy

OWN = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "a"}
ANY = {"ONLY_CONTAINERS": "*", "ONLY_OWNER": "a"}
CLOSED = {"CREATE_BINDS": ""}

ALL = "ONLY_CONTAINERS=* and ONLY_NETWORKS=* and ONLY_VOLUMES"

# An operation, what limited it, what does later, what is opened by that, and what to write.
OPENING = [
    ("ContainerCreate", {"CREATE_BINDS": "/srv"}, {}, "CREATE_*", "CREATE_BINDS"),
    ("ContainerCreate", {"CREATE_CAPS": ""}, {}, "CREATE_*", "CREATE_CAPS"),
    ("ContainerCreate", {"CREATE_IMAGES": "a"} | CLOSED, {}, "CREATE_*", "CREATE_BINDS=* and CREATE_IMAGES"),
    ("NetworkCreate", CLOSED, {}, "CREATE_*", "CREATE_DRIVERS"),
    ("ContainerCreate", {"CREATE_IMAGES": "a"} | CLOSED, CLOSED, "CREATE_IMAGES", "CREATE_IMAGES"),
    ("ContainerExec", {"EXEC_PRIVILEGED": "0"}, {}, "EXEC_*", "EXEC_PRIVILEGED"),
    ("ContainerExec", {"EXEC_COMMANDS": "sh"}, {"EXEC_USERS": "1"}, "EXEC_COMMANDS", "EXEC_COMMANDS"),
    ("ImageCreate", {"PULL_IMAGES": "a"}, {}, "PULL_*", "PULL_IMAGES"),
    ("ImageBuild", {"BUILD_OPTIONS": ""}, {}, "BUILD_*", "BUILD_OPTIONS"),
    ("ContainerStart", OWN, {}, "ONLY_*", ALL),
    ("ContainerList", OWN, {}, "ONLY_*", ALL),
    ("ContainerPrune", {"ONLY_VOLUMES": "x", "ONLY_OWNER": "a"}, {}, "ONLY_*", ALL),
]  # fmt: skip

KEPT = [
    pytest.param("ContainerCreate", CLOSED, {"CREATE_BINDS": "*"}, id="a star"),
    pytest.param("ContainerCreate", {"CREATE_IMAGES": "a"}, CLOSED | {"CREATE_IMAGES": "*"}, id="a star of its own"),
    pytest.param("ContainerCreate", CLOSED, {"CREATE_CAPS": "ALL"}, id="another list"),
    pytest.param("ContainerCreate", {"CREATE_IMAGES": "*"}, CLOSED, id="it was open"),
    pytest.param("ContainerCreate", {}, {}, id="nothing was limited"),
    pytest.param("ContainerList", CLOSED, {}, id="nothing asks for it"),
    pytest.param("SystemPing", OWN, {}, id="nothing names them"),
    pytest.param("ContainerStart", OWN, ANY, id="a star for objects"),
]  # fmt: skip


def policy(operation: str, variables: Mapping[str, str]) -> Policy:
    return parse_policy({"ALLOW_OPERATIONS": operation, **variables})[0]


@pytest.mark.parametrize(
    ("operation", "before", "after", "opened", "written"),
    OPENING,
    ids=[f"{one[3]} of {one[0]}, {one[4]}" for one in OPENING],
)
def test_what_is_opened_without_a_word(
    operation: str,
    before: Mapping[str, str],
    after: Mapping[str, str],
    opened: str,
    written: str,
) -> None:
    """A line that is gone is an error that names what it limited, and what to write; with
    that written there is none."""
    old = policy(operation, before)
    with pytest.raises(ConfigError) as caught:
        refuse_opening(old, policy(operation, after), "app.env")
    assert str(caught.value).startswith(f"{opened}: no line of app.env limits this")
    assert caught.value.hint.endswith(f"write {written}=*: each opens itself alone")
    lines = (one.split("=") for one in f"{written}=*".split(" and "))
    said = policy(operation, {**after, **dict(lines)})
    refuse_opening(old, said, "app.env")


@pytest.mark.parametrize(("operation", "before", "after"), KEPT)
def test_what_is_not(
    operation: str, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """A list that is written anew, a `*`, and what nothing granted can ask for are none."""
    old, new = policy(operation, before), policy(operation, after)
    refuse_opening(old, new, "app.env")
