"""The sheet: what a file grants and does not, beside what was seen; and all views of it agree."""

import pytest

from tests.learning.test_proposal import seen_route
from trioproxy.api.families import Places
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import UNKNOWN, Sight, Who, route
from trioproxy.file.permissions import parse_policy
from trioproxy.review.sheet import Sheet, additions, sheet_of

DAY = 86_400


def evidence(*sightings: tuple[Sight, str, int]) -> Evidence:
    """Evidence of shapes with a result and a day."""
    found = Evidence()
    found.begin("r1", 0)
    for shape, result, day in sightings:
        found.observe(shape, result, When(day * DAY), Who())
    return found


def sheet(live: Evidence, **variables: str) -> Sheet:
    """The sheet of a policy of variables."""
    return sheet_of(parse_policy(variables)[0], live)


def lines_of(found: Sheet) -> list[str]:
    """The lines that would allow what is refused."""
    return [str(one.grant) for one in additions(found)]


def unused(found: Sheet, since: int) -> dict[str, int]:
    """What was not used since a day, and when it was last."""
    return {
        one.grant.name: one.seen.last for one in found.unused(since * DAY) if one.seen
    }


def test_refused_requests_are_listed_with_the_line_that_allows_them() -> None:
    """What clients send and the policy refuses is counted, and the new line is shown."""
    live = evidence(
        (seen_route("ContainerList"), "200", 1),
        (seen_route("ImageList"), "refused", 1),
        (seen_route("ImageList"), "refused", 2),
    )
    found = sheet(live, ALLOW_OPERATIONS="ContainerList,GET:/x/{y}")
    (one,) = found.refused
    assert one.seen is not None
    assert (one.seen.count, one.seen.first, one.seen.last) == (2, DAY, 2 * DAY)
    assert one.told.endswith("add ImageList to ALLOW_OPERATIONS")
    assert lines_of(found) == ["ALLOW_OPERATIONS=ContainerList,GET:/x/{y},ImageList"]


def test_of_what_is_granted_its_uses_count_alone() -> None:
    """Who only failed with it is no user of it, nor is that run one; of what is refused all count."""
    live = evidence((seen_route("ImageList"), "500", 1))
    for run, result, agent in (
        ("r3", "200", "a"),
        ("r2", "200", "b"),
        ("r2", "500", "c"),
    ):
        live.begin(run, 0)
        live.observe(seen_route("ImageList"), result, When(2 * DAY), Who(agent))
    for operations, runs, programs in (
        ("ImageList", ("r2", "r3"), ("a", "b")),
        ("SystemInfo", ("r1", "r2", "r3"), ("a", "b", "c")),
    ):
        found = sheet(live, ALLOW_OPERATIONS=operations).lines
        seen = next(one.seen for one in found if one.grant.item == "ImageList")
        assert seen is not None
        assert (tuple(seen.runs), seen.of_runs, seen.programs) == (runs, 3, programs)


def test_who_asked_for_a_value_is_who_asked_in_the_same_runs() -> None:
    """Of a value that is refused; of an item that is granted nobody is told of."""
    for run, programs in (("r1", ("a",)), ("r2", ())):
        live = asking(
            ("CREATE_BINDS", "/b", *CREATED), ("CREATE_BINDS", "/a", *CREATED)
        )
        live.begin(run, 0)
        live.observe(seen_route("ContainerCreate"), "201", When(DAY), Who("a"))
        operations = {"ALLOW_OPERATIONS": "ContainerCreate"}
        found = sheet(live, CREATE_BINDS="/a", **operations).lines
        told = {one.grant.item: one.seen.programs for one in found if one.seen}
        assert (told["/a"], told["/b"]) == ((), programs)


def test_an_item_is_told_with_the_values_that_it_fits() -> None:
    """In order, from the first to the last of them; of one that is the item itself nothing is said."""
    days = {"/a/c": 3, "/a/b": 1, "/d": 2}
    made = [
        ("CREATE_BINDS", one, "ContainerCreate", "201", at) for one, at in days.items()
    ]
    found = sheet(
        asking(*made), CREATE_BINDS="/a/*,/d,/e", ALLOW_OPERATIONS="ContainerCreate"
    )
    told = {one.grant.item: one.seen for one in found.lines if one.seen}
    assert [told[one].values for one in ("/a/*", "/d", "/e")] == [
        ("/a/b", "/a/c"),
        (),
        (),
    ]
    assert (told["/a/*"].first, told["/a/*"].last) == (DAY, 3 * DAY)
    assert (told["/e"].first, told["/e"].last) == (0, 0)


def test_what_a_shadow_let_pass_counts_as_refused() -> None:
    """A request that was served only because the policy was tried out is drift too."""
    live = evidence((seen_route("ImageList"), "200", 1))
    assert len(sheet(live, ALLOW_OPERATIONS="ContainerList").refused) == 1


def test_what_is_allowed_by_now_is_no_drift() -> None:
    """Old refusals do not count against a policy that has learned from them."""
    live = evidence((seen_route("ImageList"), "refused", 1))
    found = sheet(live, ALLOW_OPERATIONS="ImageList")
    assert (found.refused, lines_of(found)) == ((), [])


def test_unused_grants_are_reported() -> None:
    """Granted and not used since a day, or never: named with the last use."""
    live = evidence(
        (seen_route("ContainerList"), "200", 40),
        (seen_route("ImageList"), "200", 5),
        (seen_route("SystemInfo"), "500", 40),
    )
    operations = "ContainerList,ImageList,SystemInfo,VolumeList"
    found = unused(sheet(live, ALLOW_OPERATIONS=operations), 30)
    assert found == {"ImageList": 5 * DAY, "SystemInfo": 0, "VolumeList": 0}


def test_under_sections_the_message_names_the_variable() -> None:
    """Where variables decide there is no single line; each refusal says what opens it."""
    live = evidence((seen_route("ImageList"), "refused", 1))
    found = sheet(live, CONTAINERS="1")
    assert "IMAGES=1" in found.refused[0].told
    assert lines_of(found) == []


def test_unknown_routes_are_judged_by_section() -> None:
    """A route of a newer engine is drift where the policy would refuse it."""
    live = evidence(
        (route(UNKNOWN, "POST", "IMAGES"), "refused", 1),
        (route(UNKNOWN, "GET", "CONTAINERS"), "200", 1),
        (route(UNKNOWN, "GET", ""), "refused", 1),
        (route(UNKNOWN, "GET", "NETWORKS"), "refused", 1),
    )
    found = sheet(live, CONTAINERS="1")
    assert [one.grant.item for one in found.refused] == [
        "GET in no section",
        "POST in IMAGES",
    ]
    assert found.refused[1].told.endswith(": set IMAGES=1 and POST=1")
    assert lines_of(found) == []
    told = [one.told for one in sheet(live, ALLOW_OPERATIONS="").refused]
    assert any("name it as POST:/path/{x}" in one for one in told)


def asking(*sightings: tuple[str, str, str, str, int], base: str = "") -> Evidence:
    """Evidence of values: variable, value, operation, result and a day."""
    found = Evidence()
    found.begin("r1", 0)
    found.runs["r1"].places = Places(base)
    for variable, value, operation, result, day in sightings:
        one = Sight(variable, value, operation)
        found.observe(one, result, When(day * DAY))
    return found


CREATED = ("ContainerCreate", "201", 1)
REFUSALS: list[tuple[dict[str, str], tuple[str, str, str, str, int], str]] = [
    ({"CREATE_BINDS": "/a"}, ("CREATE_BINDS", "/b", "ContainerCreate", "refused", 1), "CREATE_BINDS=/a,/b"),
    ({"CREATE_BINDS": "/a"}, ("CREATE_BINDS", "/b", *CREATED), "CREATE_BINDS=/a,/b"),
    ({"CREATE_BINDS": "/a/*"}, ("CREATE_BINDS", "/a/b", *CREATED), ""),
    ({"CREATE_BINDS": "/a"}, ("CREATE_CAPS", "SYS_ADMIN", *CREATED), "CREATE_CAPS=SYS_ADMIN"),
    ({"CREATE_BINDS": "/a", "CREATE_PRIVILEGED": "0"}, ("CREATE_PRIVILEGED", "1", *CREATED), "CREATE_PRIVILEGED=1"),
    ({"CREATE_BINDS": "/a"}, ("CREATE_IMAGES", "nginx:latest", *CREATED), ""),
    ({"CREATE_BASE": "/srv/x", "CREATE_BINDS": "{base}"}, ("CREATE_BINDS", "{base}/b", *CREATED), "CREATE_BINDS={base},{base}/b"),
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
    found = sheet_of(policy, live)
    assert lines_of(found) == ([line] if line else [])
    assert bool(found.refused) is bool(line)


def test_a_refused_value_says_whether_it_is_root() -> None:
    """Nobody adds a line that gives root on the host without having been told."""
    live = asking(("CREATE_BINDS", "/etc", "ContainerCreate", "refused", 1))
    found = sheet(live, ALLOW_OPERATIONS="ContainerCreate", CREATE_BINDS="/a")
    (one,) = found.refused
    assert one.told == "ContainerCreate asks for /etc, which CREATE_BINDS does not list"
    assert (one.power.is_root, one.power.why) == (True, "is root's own")
    assert [one.root for one in additions(found)] == ["is root's own"]


def test_listed_values_that_nobody_asks_for_are_reported() -> None:
    """An item is used as long as any value that it fits is asked for, and works."""
    live = asking(
        ("CREATE_BINDS", "/a/x", "ContainerCreate", "201", 40),
        ("CREATE_BINDS", "/b", "ContainerCreate", "201", 5),
        ("CREATE_BINDS", "/c", "ContainerCreate", "refused", 40),
    )
    found = sheet(
        live,
        ALLOW_OPERATIONS="ContainerCreate",
        CREATE_BINDS="/a/*,/b,/c",
        CREATE_PRIVILEGED="0",
        CREATE_CAPS="NET_ADMIN",
    )
    assert unused(found, 30) == {
        "ContainerCreate": 0,
        "CREATE_BINDS=/b": 5 * DAY,
        "CREATE_BINDS=/c": 0,
        "CREATE_CAPS=NET_ADMIN": 0,
    }
    assert found.knows_values


def test_without_values_in_the_evidence_none_is_unused() -> None:
    """Evidence of routes alone proves nothing about what was asked for."""
    live = evidence((seen_route("ContainerCreate"), "201", 1))
    found = sheet(live, ALLOW_OPERATIONS="ContainerCreate", CREATE_BINDS="/a")
    assert (unused(found, 2), found.knows_values) == ({"ContainerCreate": DAY}, False)
    assert not unused(found, 1)


def named(*sightings: tuple[str, str, str, int], has: str = "") -> Evidence:
    """Evidence of objects: name, operation, result and day."""
    found = Evidence()
    found.begin("r1", 0)
    for name, operation, result, day in sightings:
        thing = Sight("ONLY_CONTAINERS", name, operation)
        found.observe(thing, result, When(day * DAY))
        if has:
            found.observe(thing._replace(has=has), result, When(day * DAY))
    return found


OBJECTS = {
    "ALLOW_OPERATIONS": "ContainerExec,ContainerInspect",
    "ONLY_CONTAINERS": "@own,web-*",
    "ONLY_OWNER": "app",
}


def sheet_of_objects(live: Evidence, **more: str) -> Sheet:
    """The sheet of a policy that lists objects."""
    return sheet_of(parse_policy({**OBJECTS, **more})[0], live)


def test_all_that_can_be_struck_out_is_a_line() -> None:
    """Operations and routes by name, then each item; what only says that nothing is listed is none, though a container may be called so."""
    file = {
        "ALLOW_OPERATIONS": "ContainerStart,GET:/x/{y},ContainerInspect",
        "CREATE_PRIVILEGED": "0",
        "ONLY_CONTAINERS": "0,@own",
        "ONLY_NETWORKS": "",
        "ONLY_VOLUMES": "v",
        "ONLY_OWNER": "app",
    }
    live = named(("0", "ContainerInspect", "200", 1))
    live.observe(seen_route("ContainerInspect"), "200", When(DAY))
    found = sheet(live, **file)
    assert [one.grant.name for one in found.granted] == [
        *("ContainerInspect", "ContainerStart", "GET:/x/{y}"),
        *("ONLY_CONTAINERS=0", "ONLY_CONTAINERS=@own", "ONLY_VOLUMES=v"),
    ]
    assert found.knows_values


def test_objects_that_are_not_listed_are_drift() -> None:
    """What is named and not listed is told, as the refusal tells it, with the new line."""
    live = named(
        ("@own", "ContainerInspect", "200", 1),
        ("web-1", "ContainerInspect", "200", 1),
        ("db", "ContainerInspect", "refused", 2),
        ("old", "ContainerDelete", "refused", 2),  # not granted at all
    )
    found = sheet_of_objects(live)
    (one,) = found.refused
    assert one.told == "ContainerInspect names container db, which ONLY_CONTAINERS does not list"  # fmt: skip
    assert lines_of(found) == ["ONLY_CONTAINERS=@own,web-*,db"]
    assert not sheet(live, ALLOW_OPERATIONS="ContainerInspect").refused


def test_what_several_operations_were_refused_names_them_all() -> None:
    """One line has the uses of all operations, and does not give them all to the first."""
    live = named(
        ("db", "ContainerExec", "refused", 1), ("db", "ContainerInspect", "refused", 1)
    )
    (one,) = sheet_of_objects(live).refused
    assert one.told == "ContainerExec, like ContainerInspect, names container db, which ONLY_CONTAINERS does not list"  # fmt: skip
    assert one.seen is not None
    assert one.seen.count == 2


def test_reaching_into_what_others_made_is_root_where_nothing_limits_it() -> None:
    """Without limits on creations, a stranger's container may have anything."""
    live = named(("db", "ContainerExec", "refused", 1))
    (one,) = sheet_of_objects(live).refused
    assert one.power.why == "is reached into, whatever it was given"
    (one,) = sheet_of_objects(live, CREATE_BINDS="").refused
    assert not one.power.is_root


def test_what_is_inside_is_drift_too() -> None:
    """A listed container that has more than creations may ask for is refused for that."""
    live = named(("web-1", "ContainerExec", "refused", 1), has="CREATE_BINDS=/etc")
    (one,) = sheet_of_objects(live, CREATE_BINDS="/srv").refused
    assert one.told == "ContainerExec reaches into container web-1, which has /etc, and CREATE_BINDS does not list that"  # fmt: skip
    assert one.power.is_root
    assert not sheet_of_objects(live, CREATE_BINDS="/etc").refused
    live = named(("web-1", "ContainerExec", "201", 1), has="CREATE_BINDS=/etc")
    no_lists = {"CREATE_BINDS": "/srv", "ALLOW_OPERATIONS": "ContainerExec"}
    assert not sheet(live, **no_lists).refused  # diff of a learned file said so


def test_what_can_make_nodes_is_drift_beside_what_packs_files() -> None:
    """A listed container that can make device nodes is refused there, and not to be listed for that."""
    live = named(("web-1", "ContainerExec", "201", 1), has="CREATE_NODES=")
    packs = {"ALLOW_OPERATIONS": "ContainerArchive,ContainerExec", "CREATE_BINDS": ""}
    found = sheet_of_objects(live, **packs)
    (one,) = found.refused
    assert one.told == "ContainerExec reaches into container web-1, which has MKNOD, and CREATE_CAPS does not list that: make it anew through this file, which takes that away"  # fmt: skip
    assert not lines_of(found)
    assert not sheet_of_objects(live, CREATE_BINDS="").refused
    live.observe(Sight("EXEC_COMMANDS", "true", "ContainerExec"), "201", When(DAY))
    lists = sheet_of_objects(live, **packs, CREATE_CAPS="MKNOD")
    assert not lists.refused
    (caps,) = lists.items("CREATE_CAPS")
    assert caps.seen is not None
    assert caps.seen.count == 1


def test_by_a_label_nobody_can_tell_but_by_the_refusal() -> None:
    """Evidence has no labels: what was refused is drift, what passed is none."""
    live = named(("a", "ContainerInspect", "200", 1), ("b", "ContainerInspect", "refused", 1))  # fmt: skip
    found = sheet_of_objects(live, ONLY_CONTAINERS="@own,@label:a=b")
    assert [one.grant.item for one in found.refused] == ["b"]


def test_items_that_nobody_named_are_unused() -> None:
    """Items of lists of objects that were not named lately are told, as others are."""
    live = named(("web-1", "ContainerInspect", "200", 40), ("@own", "ContainerInspect", "200", 2))  # fmt: skip
    found = unused(sheet_of_objects(live), 30)
    assert found["ONLY_CONTAINERS=@own"] == 2 * DAY
    assert "ONLY_CONTAINERS=web-*" not in found


def test_a_value_that_no_list_can_hold_has_no_line_that_would_allow_it() -> None:
    """It is told of, and nobody is told to write what would be refused at the start."""
    found = sheet(
        asking(("CREATE_BINDS", "a/b", *CREATED)),
        CREATE_BINDS="/a",
        ALLOW_OPERATIONS="ContainerCreate",
    )
    assert [one.grant.item for one in found.refused] == ["a/b"]
    assert list(additions(found)) == []


def test_a_prune_has_no_line_that_would_allow_it() -> None:
    """What names none of a kind is told, and no name is proposed for it."""
    live = Evidence()
    live.begin("r1", 0)
    live.observe(Sight("ONLY_VOLUMES", "*", "VolumePrune"), "refused", When(DAY))
    found = sheet(live, ALLOW_OPERATIONS="VolumePrune", ONLY_VOLUMES="@own", ONLY_OWNER="a")  # fmt: skip
    assert len(found.refused) == 1
    assert not lines_of(found)
