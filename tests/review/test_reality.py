"""A policy beside what really happens."""

import pytest

from tests.learning.test_proposal import shape_of
from trioproxy.evidence.seen import Argument, Evidence, Thing, When
from trioproxy.evidence.shape import UNKNOWN, Shape, Who
from trioproxy.file.permissions import parse_policy
from trioproxy.review.reality import Drift, drift

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


def named(*sightings: tuple[str, str, str, int], has: str = "") -> Evidence:
    """Evidence of objects: name, operation, result and day."""
    found = Evidence()
    found.begin("r1", 0)
    for name, operation, result, day in sightings:
        thing = Thing("container", name, "", operation)
        found.observe_thing(thing, result, When(day * DAY))
        if has:
            found.observe_thing(thing._replace(has=has), result, When(day * DAY))
    return found


OBJECTS = {
    "ALLOW_OPERATIONS": "ContainerExec,ContainerInspect",
    "ONLY_CONTAINERS": "@own,web-*",
    "ONLY_OWNER": "app",
}


def drift_of_objects(live: Evidence, since: int = 0, **more: str) -> Drift:
    """The drift of a policy that lists objects."""
    return drift(parse_policy({**OBJECTS, **more})[0], live, since=since * DAY)


def test_objects_that_are_not_listed_are_drift() -> None:
    """What is named and not listed is told, as the refusal tells it, with the new line."""
    live = named(
        ("@own", "ContainerInspect", "200", 1),
        ("web-1", "ContainerInspect", "200", 1),
        ("db", "ContainerInspect", "refused", 2),
        ("old", "ContainerDelete", "refused", 2),  # not granted at all
    )
    found = drift_of_objects(live)
    (one,) = found.refused_values
    assert one.message == "ContainerInspect names container db, which ONLY_CONTAINERS does not list"  # fmt: skip
    assert found.lines == {"ONLY_CONTAINERS": "@own,web-*,db"}
    assert not drift_of(live, ALLOW_OPERATIONS="ContainerInspect").refused_values


def test_reaching_into_what_others_made_is_root_where_nothing_limits_it() -> None:
    """Without limits on creations, a stranger's container may have anything."""
    live = named(("db", "ContainerExec", "refused", 1))
    (one,) = drift_of_objects(live).refused_values
    assert one.root == "reaches into it, whatever it was given"
    (one,) = drift_of_objects(live, CREATE_BINDS="").refused_values
    assert one.root == ""


def test_what_is_inside_is_drift_too() -> None:
    """A listed container that has more than creations may ask for is refused for that."""
    live = named(("web-1", "ContainerExec", "refused", 1), has="CREATE_BINDS=/etc")
    (one,) = drift_of_objects(live, CREATE_BINDS="/srv").refused_values
    assert one.message == "ContainerExec reaches into container web-1, which has /etc, and CREATE_BINDS does not list that"  # fmt: skip
    assert one.root
    assert not drift_of_objects(live, CREATE_BINDS="/etc").refused_values


def test_by_a_label_nobody_can_tell_but_by_the_refusal() -> None:
    """Evidence has no labels: what was refused is drift, what passed is none."""
    live = named(("a", "ContainerInspect", "200", 1), ("b", "ContainerInspect", "refused", 1))  # fmt: skip
    found = drift_of_objects(live, ONLY_CONTAINERS="@own,@label:a=b")
    assert [one.argument.value for one in found.refused_values] == ["b"]


def test_items_that_nobody_named_are_unused() -> None:
    """Items of lists of objects that were not named lately are told, as others are."""
    live = named(("web-1", "ContainerInspect", "200", 40), ("@own", "ContainerInspect", "200", 2))  # fmt: skip
    unused = drift_of_objects(live, since=30).unused_values
    assert [(one.variable, one.item) for one in unused] == [("ONLY_CONTAINERS", "@own")]


def test_a_prune_has_no_line_that_would_allow_it() -> None:
    """What names none of a kind is told, and no name is proposed for it."""
    live = Evidence()
    live.begin("r1", 0)
    live.observe_thing(Thing("volume", "*", "", "VolumePrune"), "refused", When(DAY))
    found = drift_of(live, ALLOW_OPERATIONS="VolumePrune", ONLY_VOLUMES="@own", ONLY_OWNER="a")  # fmt: skip
    assert len(found.refused_values) == 1
    assert not found.lines
