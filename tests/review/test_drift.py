"""A policy beside what really happens."""

import pytest

from tests.learning.test_proposal import shape_of
from trioproxy.learning.evidence import Argument, Evidence, When
from trioproxy.learning.shape import UNKNOWN, Shape, Who
from trioproxy.policy.permissions import parse_policy
from trioproxy.review.drift import Drift, drift

DAY = 86_400


def evidence(*sightings: tuple[Shape, str, int]) -> Evidence:
    """Evidence of shapes with a result and a day."""
    found = Evidence()
    found.begin("r1", 0)
    for shape, result, day in sightings:
        found.observe(shape, result, When(day * DAY), Who())
    return found


def drift_of(live: Evidence, since: int = 0, **variables: str) -> Drift:
    """The drift of a policy of variables."""
    return drift(parse_policy(variables)[0], live, since=since * DAY)


def test_refused_requests_are_listed_with_the_line_that_allows_them() -> None:
    """What clients send and the policy refuses is counted, and the new line is shown."""
    live = evidence(
        (shape_of("ContainerList"), "200", 1),
        (shape_of("ImageList"), "refused", 1),
        (shape_of("ImageList"), "refused", 2),
    )
    found = drift_of(live, ALLOW_OPERATIONS="ContainerList,GET:/x/{y}")
    (one,) = found.refused
    assert (one.count, one.first, one.last) == (2, DAY, 2 * DAY)
    assert one.message.endswith("add ImageList to ALLOW_OPERATIONS")
    assert found.line == "ALLOW_OPERATIONS=ContainerList,GET:/x/{y},ImageList"


def test_what_a_shadow_let_pass_counts_as_refused() -> None:
    """A request that was served only because the policy was tried out is drift too."""
    live = evidence((shape_of("ImageList"), "200", 1))
    assert len(drift_of(live, ALLOW_OPERATIONS="ContainerList").refused) == 1


def test_what_is_allowed_by_now_is_no_drift() -> None:
    """Old refusals do not count against a policy that has learned from them."""
    live = evidence((shape_of("ImageList"), "refused", 1))
    found = drift_of(live, ALLOW_OPERATIONS="ImageList")
    assert (found.refused, found.line) == ((), "")


def test_unused_grants_are_reported() -> None:
    """Granted and not used since a day, or never: named with the last use."""
    live = evidence(
        (shape_of("ContainerList"), "200", 40),
        (shape_of("ImageList"), "200", 5),
        (shape_of("SystemInfo"), "500", 40),
    )
    operations = "ContainerList,ImageList,SystemInfo,VolumeList"
    found = drift_of(live, since=30, ALLOW_OPERATIONS=operations)
    unused = {one.operation: one.last for one in found.unused}
    assert unused == {"ImageList": 5 * DAY, "SystemInfo": 0, "VolumeList": 0}


def test_under_sections_the_message_names_the_variable() -> None:
    """Where variables decide there is no single line; each refusal says what opens it."""
    live = evidence((shape_of("ImageList"), "refused", 1))
    found = drift_of(live, CONTAINERS="1")
    assert "IMAGES=1" in found.refused[0].message
    assert found.line == ""


def test_unknown_routes_are_judged_by_section() -> None:
    """A route of a newer engine is drift where the policy would refuse it."""
    live = evidence(
        (Shape(UNKNOWN, "POST", "IMAGES"), "refused", 1),
        (Shape(UNKNOWN, "GET", "CONTAINERS"), "200", 1),
        (Shape(UNKNOWN, "GET", ""), "refused", 1),
        (Shape(UNKNOWN, "GET", "NETWORKS"), "refused", 1),
    )
    found = drift_of(live, CONTAINERS="1")
    assert [one.shape.section for one in found.refused] == ["", "IMAGES"]
    assert "POST:/path/{x}" in found.refused[1].message
    assert found.line == ""


def asking(*sightings: tuple[str, str, str, str, int], base: str = "") -> Evidence:
    """Evidence of values: variable, value, operation, result and a day."""
    found = Evidence()
    found.begin("r1", 0)
    found.runs["r1"].base = base
    for variable, value, operation, result, day in sightings:
        one = Argument(variable, value, operation)
        found.observe_argument(one, result, When(day * DAY))
    return found


CREATED = ("ContainerCreate", "201", 1)
REFUSALS: list[tuple[dict[str, str], tuple[str, str, str, str, int], str]] = [
    ({"CREATE_BINDS": "/a"}, ("CREATE_BINDS", "/b", "ContainerCreate", "refused", 1), "CREATE_BINDS=/a,/b"),
    ({"CREATE_BINDS": "/a"}, ("CREATE_BINDS", "/b", *CREATED), "CREATE_BINDS=/a,/b"),
    ({"CREATE_BINDS": "/a/*"}, ("CREATE_BINDS", "/a/b", *CREATED), ""),
    ({"CREATE_BINDS": "/a"}, ("CREATE_CAPS", "SYS_ADMIN", *CREATED), "CREATE_CAPS=SYS_ADMIN"),
    ({"CREATE_BINDS": "/a", "CREATE_PRIVILEGED": "0"}, ("CREATE_PRIVILEGED", "1", *CREATED), "CREATE_PRIVILEGED=1"),
    ({"CREATE_BINDS": "/a"}, ("CREATE_IMAGES", "nginx:latest", *CREATED), ""),
    ({"CREATE_BASE": "/srv/x", "CREATE_BINDS": "{base}"}, ("CREATE_BINDS", "{base}/b", *CREATED), "CREATE_BINDS={base},/srv/x/b"),
    ({"CREATE_BINDS": "/srv/x"}, ("CREATE_BINDS", "{base}", *CREATED), "CREATE_BINDS=/srv/x,/srv/run"),
    ({"CREATE_BINDS": "/srv/run"}, ("CREATE_BINDS", "{base}", *CREATED), ""),
    ({"CREATE_BINDS": ""}, ("CREATE", "", *CREATED), ""),
    ({"CREATE_BINDS": ""}, ("CREATE_OPTIONS", "", *CREATED), ""),
    ({"CREATE_OPTIONS": "VolumeCreate:DriverOpts.o=a"}, ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.o", "VolumeCreate", "201", 1), ""),
    ({"CREATE_BINDS": ""}, ("CREATE_BINDS", "/b", "ImageList", "200", 1), ""),
    ({"EXEC_USERS": "a"}, ("CREATE_BINDS", "/b", *CREATED), ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "sighting", "line"),
    REFUSALS,
    ids=[str(r[:2])[-70:] for r in REFUSALS],
)
def test_values_that_are_refused_come_with_the_line_that_lists_them(
    variables: dict[str, str], sighting: tuple[str, str, str, str, int], line: str
) -> None:
    """What requests ask for and a list does not have is drift; the line is one to review."""
    live = asking(sighting, base="/srv/run")
    operations = {"ALLOW_OPERATIONS": "ContainerCreate,VolumeCreate"}
    policy, _ = parse_policy({**operations, **variables})
    found = drift(policy, live, since=0)
    lines = [f"{name}={value}" for name, value in found.lines.items()]
    assert lines == ([line] if line else [])
    assert bool(found.refused_values) is bool(line)


def test_a_refused_value_says_whether_it_is_root() -> None:
    """Nobody adds a line that gives root on the host without having been told."""
    live = asking(("CREATE_BINDS", "/etc", "ContainerCreate", "refused", 1))
    found = drift_of(live, ALLOW_OPERATIONS="ContainerCreate", CREATE_BINDS="/a")
    (one,) = found.refused_values
    assert (
        one.message == "ContainerCreate asks for /etc, which CREATE_BINDS does not list"
    )
    assert one.root == "is /etc"


def test_listed_values_that_nobody_asks_for_are_reported() -> None:
    """An item is used as long as any value that it fits is asked for, and works."""
    live = asking(
        ("CREATE_BINDS", "/a/x", "ContainerCreate", "201", 40),
        ("CREATE_BINDS", "/b", "ContainerCreate", "201", 5),
        ("CREATE_BINDS", "/c", "ContainerCreate", "refused", 40),
    )
    found = drift_of(
        live,
        since=30,
        ALLOW_OPERATIONS="ContainerCreate",
        CREATE_BINDS="/a/*,/b,/c",
        CREATE_PRIVILEGED="0",
        CREATE_CAPS="NET_ADMIN",
    )
    unused = {(one.variable, one.item): one.last for one in found.unused_values}
    assert unused == {
        ("CREATE_BINDS", "/b"): 5 * DAY,
        ("CREATE_BINDS", "/c"): 0,
        ("CREATE_CAPS", "NET_ADMIN"): 0,
    }
    assert found.has_values


def test_without_values_in_the_evidence_none_is_unused() -> None:
    """Evidence of routes alone proves nothing about what was asked for."""
    live = evidence((shape_of("ContainerCreate"), "201", 1))
    found = drift_of(live, ALLOW_OPERATIONS="ContainerCreate", CREATE_BINDS="/a")
    assert (found.unused_values, found.has_values) == ((), False)
