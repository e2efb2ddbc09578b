"""Which answers show a need."""

import pytest

from trioproxy.api.routes import OPERATIONS
from trioproxy.evidence.needs import NEEDS, is_need
from trioproxy.evidence.sight import UNKNOWN, route, route_of

CASES = [
    ("ContainerDelete", "404", True, "nothing-to-remove"),
    ("VolumeDelete", "404", True, "no-volume-to-remove"),
    ("ContainerStop", "404", True, "nothing-to-stop"),
    ("ContainerKill", "404", True, "nothing-to-kill"),
    ("ContainerStart", "404", False, "nothing-to-start"),
    ("ContainerRestart", "404", False, "nothing-to-restart"),
    ("ContainerCreate", "404", False, "no-such-image"),
    ("ContainerCreate", "409", True, "name-taken"),
    ("NetworkCreate", "409", True, "network-exists"),
    ("ContainerRename", "409", True, "new-name-taken"),
    ("ContainerResize", "409", True, "resize-too-late"),
    ("ExecResize", "409", True, "exec-resize-too-late"),
    ("ExecResize", "404", True, "exec-gone"),
    ("ContainerExec", "409", False, "exec-in-a-stopped-container"),
    ("ContainerLogs", "409", True, "no-logs-now"),
    ("NetworkConnect", "403", True, "connected-already"),
    ("ContainerCreate", "403", False, "forbidden-by-something-else"),
    ("NodeList", "503", True, "no-swarm-here"),
    ("ContainerCreate", "503", False, "not-available"),
    ("SwarmLeave", "503", True, "left-already"),
    ("ContainerCreate", "400", False, "bad-request"),
    ("ImageCreate", "500", False, "pull-failed"),
]


@pytest.mark.parametrize(
    ("operation", "result", "needed"),
    [pytest.param(*case[:3], id=case[3]) for case in CASES],
)
def test_needs(operation: str, result: str, needed: bool) -> None:
    """An answer that another state would have turned into success shows a need."""
    assert is_need(route_of(operation), result) is needed


def test_no_answer_makes_an_unknown_route_needed() -> None:
    """What the table does not have is never granted by what it was answered."""
    for status in ("200", *(need.status for need in NEEDS)):
        assert not is_need(route(UNKNOWN, "GET", "IMAGES"), status)


@pytest.mark.parametrize(
    "need", NEEDS, ids=lambda need: f"{need.status}-{need.why[:20]}"
)
def test_each_rule_speaks_of_something(need: object) -> None:
    """A rule's operations are in the table, and each has a reason."""
    assert isinstance(need, type(NEEDS[0]))
    assert need.why
    assert need.of
    assert need.of <= OPERATIONS.keys() | {"GET", "HEAD", "DELETE"}
