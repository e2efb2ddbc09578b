"""What one policy grants more or less than another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.judge.judging import REACHABLE, request
from tests.limits.listing import files
from trioproxy.api.routes import LIBPOD_SECTIONS, SECTIONS, unlisted
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.rules import Policy
from trioproxy.review.compare import compare
from trioproxy.review.sheet import Line

NAMES = REACHABLE


def policy(**variables: str) -> Policy:
    """A policy of variables."""
    return parse_policy(variables)[0]


def exact(*names: str) -> Policy:
    """A policy of a list."""
    return policy(ALLOW_OPERATIONS=",".join(names))


def names(lines: tuple[Line, ...]) -> set[str]:
    """What is granted, by name."""
    return {line.grant.name for line in lines}


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_lists_differ_by_their_names(old: set[str], new: set[str]) -> None:
    """Between two lists the difference is what one of them names alone."""
    # GET of these routes allows the HEAD that has a name of its own.
    heads = {
        "ContainerArchive": "ContainerArchiveInfo",
        "LibpodContainerArchive": "LibpodContainerArchiveInfo",
        "LibpodPing": "LibpodPingHead",
        "SystemPing": "SystemPingHead",
    }
    before = old | {heads[name] for name in old & heads.keys()}
    after = new | {heads[name] for name in new & heads.keys()}
    found = compare(exact(*old), exact(*new))
    assert names(found.more) == after - before
    assert names(found.less) == before - after


@pytest.mark.parametrize("section", [*SECTIONS, *LIBPOD_SECTIONS])
def test_a_section_is_more_than_its_operations(section: str) -> None:
    """A section opens the routes of newer engines too, and that is a difference."""
    opened = policy(**{section: "1", "POST": "1"})
    # A list allows OPTIONS on every path, a section below its own only.
    listed = opened.opened_operations - {"SystemOptions"}
    found = compare(exact(*listed), opened)
    kinds = {method for method in ("GET", "POST") if unlisted(method, section)}
    wanted = {"GET": "reading", "POST": "writing"}
    grants = {f"unknown {wanted[kind]} routes in {section}" for kind in kinds}
    assert grants <= names(found.more)
    assert found.less == ()


def test_routes_by_hand_are_compared_as_they_decide() -> None:
    """A named route is no difference where a section opens it anyway."""
    route = "GET:/images/{name}/sbom"
    assert names(compare(exact(), exact(route)).more) == {route}
    assert names(compare(exact(route), exact()).less) == {route}
    assert route not in names(compare(policy(IMAGES="1"), exact(route)).more)


WIDER = [
    ("GET:/x/{b}", "GET:/{a}/{b}"),
    ("GET:/x/x", "GET:/x/{b}"),
    ("GET:/x/xx", "GET:/{a}/xx"),
    ("GET:/xxx/x", "GET:/xxx/{x}"),
    ("HEAD:/x/{b}", "GET:/x/{b}"),
]


@pytest.mark.parametrize(("narrow", "wide"), WIDER, ids=lambda route: route)
def test_a_parameter_is_more_than_any_segment(narrow: str, wide: str) -> None:
    """A route with a parameter grants more than the same with a segment there, never equal."""
    assert names(compare(exact(narrow), exact(wide)).more) == {wide}
    assert names(compare(exact(wide), exact(narrow)).less) == {wide}
    assert compare(exact(narrow), exact(narrow, wide)).less == ()
    assert names(compare(exact(wide), exact(narrow)).more) == set()
    assert compare(exact(wide), exact(wide, narrow)).more == ()


def test_a_word_that_a_verb_refuses_is_more() -> None:
    """A parameter may be what a verb at 0 refuses in an open section."""
    route = "GET:/containers/{a}/{b}"
    found = compare(policy(CONTAINERS="1", ALLOW_LOGS="0"), exact(route))
    assert names(found.more) == {route}
    assert compare(policy(CONTAINERS="1"), exact(route)).more == ()


def test_a_route_is_not_all_newer_routes() -> None:
    """A named route that looks like a newer one is itself, and no section is open by it."""
    for route in ("GET:/containers/x/{b}", "GET:/containers/{a}/{b}"):
        assert names(compare(exact(), exact(route)).more) == {route}


segments = st.sampled_from(["x", "xx", "y", "{a}", "{b}"])
routes = st.lists(segments, min_size=1, max_size=3).map(
    lambda parts: "/".join(["GET:/q", *parts])
)


@given(
    st.sets(routes, max_size=3),
    st.sets(routes, max_size=3),
    st.lists(st.sampled_from(["x", "xx", "xxx", "y", "z"]), min_size=1, max_size=3),
)
def test_nothing_more_means_nothing_more(
    old: set[str], new: set[str], path: list[str]
) -> None:
    """Where `diff` says that nothing more is granted, no request shows the contrary."""
    before, after = exact(*sorted(old)), exact(*sorted(new))
    one = request("GET", "/".join(["/q", *path]))
    if after.decide(one).allowed and not before.decide(one).allowed:
        assert compare(before, after).more


@pytest.mark.parametrize(("caps", "is_told"), [("", True), ("MKNOD", False)])
def test_containers_that_make_nodes_are_less(caps: str, is_told: bool) -> None:
    """Beside what packs files they are refused, and a diff told of that operation alone."""
    lists = {"ONLY_CONTAINERS": "db", "CREATE_CAPS": caps, "ONLY_OWNER": "a"}
    names = ("ContainerStart", "ContainerExport,ContainerStart")
    old, new = (parse_policy({**lists, "ALLOW_OPERATIONS": n})[0] for n in names)
    found = compare(old, new)
    assert [one.grant.name for one in found.more] == ["ContainerExport"]
    words = "containers that can make device nodes, beside ContainerExport"
    assert [one.grant.name for one in found.less] == [words] * is_told
    # Where nothing is packed any more they may do no harm.
    assert not compare(new, old).more
    # Nor is it new for who had none, listed them, was free to name any, or packed before.
    free = parse_policy({"ALLOW_OPERATIONS": names[0], "CREATE_CAPS": caps})[0]
    nodes = parse_policy({**lists, "ALLOW_OPERATIONS": names[0], "CREATE_CAPS": "MKNOD"})[0]  # fmt: skip
    both = parse_policy({**lists, "ALLOW_OPERATIONS": f"ContainerArchive,{names[1]}"})[0]  # fmt: skip
    for before, after in ((free, new), (nodes, new), (new, both)):
        less = [one.grant.item for one in compare(before, after).less]
        assert not any("device nodes" in item for item in less)


def test_no_difference() -> None:
    """A policy grants what it grants."""
    some = policy(CONTAINERS="1", ALLOW_START="1")
    assert compare(some, some).more == compare(some, some).less == ()


def test_the_worst_is_first() -> None:
    """What is root, then items and routes of which nothing is known, then operations by what they can do."""
    lists = {"ONLY_OWNER": "x", "ONLY_CONTAINERS": "a", "CREATE_BINDS": ""}
    more = {
        "ALLOW_OPERATIONS": "ContainerCreate,ContainerExport,ContainerStart,GET:/x/{y},SystemPing",
        "CREATE_BINDS": "/etc,/srv",
        "ONLY_CONTAINERS": "a,b",
    }
    found = compare(policy(**lists, ALLOW_OPERATIONS=""), policy(**lists | more))
    assert [one.grant.name for one in found.more] == [
        *("CREATE_BINDS=/etc", "ContainerExport"),
        *("GET:/x/{y}", "CREATE_BINDS=/srv", "CREATE_IMAGES=*", "ONLY_CONTAINERS=b"),
        *("ContainerCreate", "ContainerStart", "SystemPing", "SystemPingHead"),
    ]


def test_a_grant_has_the_power_that_its_own_file_gives() -> None:
    """What is more has the power that it has in the new file, what is less that in the old."""
    bare, held = policy(**CREATE), policy(**CREATE, CREATE_BINDS="/etc")
    (free,) = compare(held, bare).more
    assert (free.grant.name, free.power.is_root) == ("CREATE_*=*", True)
    (bind,) = compare(policy(**CREATE, CREATE_BINDS=""), held).more
    assert (bind.power.why, bind.endpoint) == ("is root's own", None)
    more = compare(held, policy(**CREATE, CREATE_BINDS="/etc,/root"))
    assert (more.root, more.is_root_new) == ("yes, as before, and in 1 new way", False)
    (gone,) = compare(held, policy(**CREATE, CREATE_BINDS="")).less
    assert gone.power == bind.power
    made = compare(exact(), policy(**CREATE, CREATE_BINDS="")).more
    (create,) = (line for line in made if line.endpoint)
    assert (create.grant.item, create.power.level) == ("ContainerCreate", "limited")


CREATE = {"ALLOW_OPERATIONS": "ContainerCreate"}
LIMITED: list[tuple[dict[str, str], dict[str, str], set[str], set[str]]] = [
    ({"CREATE_BINDS": "/a"}, {"CREATE_BINDS": "/a,/b"}, {"CREATE_BINDS=/b"}, set()),
    ({"CREATE_BINDS": "/a"}, {"CREATE_BINDS": "/a:ro"}, set(), {"CREATE_BINDS=/a"}),
    ({"CREATE_BINDS": "/a/*"}, {"CREATE_BINDS": "/a/b"}, set(), {"CREATE_BINDS=/a/*"}),
    ({"CREATE_BINDS": "/a"}, {}, {"CREATE_*=*"}, set()),
    ({}, {"CREATE_BINDS": "/a"}, set(), {"CREATE_*=*"}),
    ({"CREATE_BINDS": "/a"}, {"CREATE_CAPS": "KILL"}, {"CREATE_CAPS=KILL"}, {"CREATE_BINDS=/a"}),
    ({"CREATE_IMAGES": "a:1"}, {"CREATE_BINDS": ""}, {"CREATE_IMAGES=*"}, set()),
    ({"CREATE_BINDS": "/a"}, {"CREATE_BINDS": "*"}, {"CREATE_BINDS=*"}, set()),
    ({"EXEC_USERS": "a"}, {}, set(), set()),
    ({"CREATE_BASE": "/x", "CREATE_BINDS": "{base}/a"}, {"CREATE_BASE": "/y", "CREATE_BINDS": "{base}/a"},
     {"CREATE_BINDS=/y/a"}, {"CREATE_BINDS=/x/a"}),
    ({"CREATE_BINDS": "/a/*"}, {"CREATE_BINDS": "/a/b*,/a/docker.sock"}, {"CREATE_BINDS=/a/docker.sock"}, {"CREATE_BINDS=/a/*"}),
    ({"CREATE_PORTS": "80"}, {"CREATE_PORTS": "127.0.0.1:80"}, set(), {"CREATE_PORTS=80"}),
    ({"CREATE_PRIVILEGED": "1"}, {"CREATE_PRIVILEGED": "0"}, set(), {"CREATE_PRIVILEGED=1"}),
    ({"CREATE_BINDS": "/a", "EXEC_USERS": "a"}, {"CREATE_BINDS": "/a", "EXEC_USERS": "b"}, set(), set()),
    ({"CREATE_BINDS": "", "CREATE_TAGS": "a"}, {"CREATE_BINDS": "", "CREATE_TAGS": "b"}, set(), set()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "more", "less"), LIMITED, ids=[f"{w[0]}-{w[1]}" for w in LIMITED]
)
def test_limits_are_compared(
    old: dict[str, str], new: dict[str, str], more: set[str], less: set[str]
) -> None:
    """A wider limit grants more, and one that is gone grants what it limited."""
    found = compare(policy(**CREATE, **old), policy(**CREATE, **new))
    assert names(found.more) == more
    assert names(found.less) == less


NEW: list[tuple[dict[str, str], dict[str, str], set[str]]] = [
    # What an operation that is new may ask for is new as well, whatever was limited.
    ({}, {**CREATE, "CREATE_BINDS": "/a", "CREATE_IMAGES": "a"}, {"ContainerCreate", "CREATE_BINDS=/a", "CREATE_IMAGES=a"}),
    ({"CREATE_BINDS": "/a"}, {**CREATE, "CREATE_BINDS": "/a", "CREATE_IMAGES": ""}, {"ContainerCreate", "CREATE_BINDS=/a"}),
    ({}, CREATE, {"ContainerCreate"}),
    ({"CREATE_BINDS": "/a"}, CREATE, {"ContainerCreate", "CREATE_*=*"}),
    # A variable counts for those operations that can ask for it.
    ({"ALLOW_OPERATIONS": "VolumeCreate", "CREATE_BINDS": "/a"}, {"ALLOW_OPERATIONS": "VolumeCreate", "CREATE_CAPS": "ALL", "CREATE_BINDS": "/a"}, set()),
    ({"ALLOW_OPERATIONS": "VolumeCreate", "CREATE_CAPS": "ALL"}, {"ALLOW_OPERATIONS": "ContainerCreate,VolumeCreate", "CREATE_CAPS": "ALL", "CREATE_IMAGES": ""}, {"ContainerCreate", "CREATE_CAPS=ALL"}),
    ({"ALLOW_OPERATIONS": "ImageBuild", "BUILD_OPTIONS": ""}, {"ALLOW_OPERATIONS": "ImageBuild", "CREATE_TAGS": "a"}, {"BUILD_*=*"}),
    ({"ALLOW_OPERATIONS": "ImageBuild", "CREATE_TAGS": "a"}, {"ALLOW_OPERATIONS": "ImageBuild", "BUILD_OPTIONS": ""}, {"CREATE_*=*"}),
    ({"ALLOW_OPERATIONS": "ContainerExec", "EXEC_COMMANDS": "ls", "EXEC_USERS": "a"}, {"ALLOW_OPERATIONS": "ContainerExec", "EXEC_USERS": "a"}, {"EXEC_COMMANDS=*"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "more"), NEW, ids=[f"{w[0]}-{w[1]}"[-70:] for w in NEW]
)
def test_what_can_be_asked_for_goes_with_what_is_granted(
    old: dict[str, str], new: dict[str, str], more: set[str]
) -> None:
    """A limit is compared for the operations that are granted beside it."""
    before = policy(**({"ALLOW_OPERATIONS": ""} | old))
    assert names(compare(before, policy(**new)).more) == more


_GRANTED = st.sets(
    st.sampled_from(["ContainerCreate", "ImageTag", "ImageBuild", "ContainerExec", "VolumeCreate", "ImageCreate", "ImageLoad"])
).map(lambda one: {"ALLOW_OPERATIONS": ",".join(sorted(one))})  # fmt: skip


@pytest.mark.slow
@settings(deadline=None)
@given(_GRANTED, _GRANTED, files(), files(), st.data())
def test_root_is_never_new_where_nothing_is_more(
    granted: dict[str, str],
    other: dict[str, str],
    limits: dict[str, str],
    changed: dict[str, str],
    data: st.DataObject,
) -> None:
    """Who trusts that a file grants no more may trust that it gives no root either."""
    old = policy(**granted, **limits)
    kept = data.draw(st.sets(st.sampled_from(sorted(limits))))
    new = policy(
        **data.draw(st.sampled_from([granted, other])),
        **(changed | {name: limits[name] for name in kept}),
    )
    found = compare(old, new)
    assert found.more or not found.is_root_new
    assert not compare(new, new).more
