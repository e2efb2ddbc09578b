"""A policy beside what really happens."""

from tests.learning.test_proposal import shape_of
from trioproxy.learning.evidence import Evidence, When
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
