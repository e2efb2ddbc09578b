"""What grants open is asked of the policy with all that was added before, item by item."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from tests.limits.listing import ITEMS, files
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import ways_of
from trioproxy.judge.rules import Policy
from trioproxy.limits.grant import Grant
from trioproxy.review.adding import Adding

OPERATIONS = (
    *("ContainerCreate", "ContainerStart", "ContainerExport", "ContainerExec"),
    *("ImageBuild", "ImageCommit", "ImageCreate", "PutContainerArchive"),
    *("VolumeCreate", "ContainerList"),
)
CONFINED = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "x", "CREATE_CAPS": ""}
NODES = "VolumeCreate:DriverOpts.type=nfs"


def policy(operations: str, limits: Mapping[str, str]) -> Policy:
    variables = {"ALLOW_OPERATIONS": operations, **limits}
    return parse_policy(variables, source="test")[0]


def with_items(limits: Mapping[str, str], added: list[Grant]) -> dict[str, str]:
    whole = dict(limits)
    for variable, item in added:
        listed = [one for one in whole.get(variable, "").split(",") if one]
        whole[variable] = ",".join([*listed, item])
    return whole


@st.composite
def grants(draw: st.DrawFn, limits: Mapping[str, str]) -> list[Grant]:
    names = sorted(name for name in ITEMS if limits.get(name, "") != "*")
    chosen = draw(
        st.lists(
            st.sampled_from(
                names + [one for one in names if one == "CREATE_BINDS"] * 9
            ),
            max_size=6,
        )
    )
    found = [Grant(name, draw(ITEMS[name])) for name in chosen]
    return draw(st.permutations([*found, Grant("CREATE_OPTIONS", NODES)]))


@given(
    st.sets(st.sampled_from(OPERATIONS), min_size=1), files(), st.booleans(), st.data()
)
def test_what_is_added_opens_what_the_whole_file_would(
    operations: set[str], limits: dict[str, str], is_confined: bool, data: st.DataObject
) -> None:
    """One after the other they open a way where the file that lists them all has one more."""
    limits = {**limits, **(CONFINED if is_confined else {})}
    if limits.get("CREATE_OPTIONS") == "*":
        del limits["CREATE_OPTIONS"]
    granted = ",".join(sorted(operations))
    adding, added = Adding(policy(granted, limits)), list[Grant]()
    for grant in data.draw(grants(limits)):
        before = ways_of(policy(granted, with_items(limits, added)))
        after = ways_of(policy(granted, with_items(limits, [*added, grant])))
        doors = {one.operation for one in before if one.grant is None}
        opened = [
            str(one)
            for one in after
            if one not in before and (one.grant or one.operation not in doors)
        ]
        assert adding.opens(grant) in (opened or [""])
        adding = adding.with_more(grant)
        added.append(grant)


@given(files(), st.sampled_from(OPERATIONS))
def test_an_operation_opens_what_it_is_with_all_that_was_added(
    limits: dict[str, str], operation: str
) -> None:
    """What was added item by item is there when an operation is asked about."""
    adding, bind = (
        Adding(policy("ContainerList", limits)),
        Grant("CREATE_BINDS", "/etc"),
    )
    adding = adding.with_more(bind)
    whole = limits if limits.get("CREATE_BINDS") == "*" else with_items(limits, [bind])
    wanted = ways_of(policy(f"ContainerList,{operation}", whole))
    told = adding.opens(Grant("ALLOW_OPERATIONS", operation))
    assert told == next(map(str, wanted), "")


def test_two_that_lead_to_each_other_open_a_way_together() -> None:
    """A folder that may be written, and one in it: the second of them opens it."""
    adding = Adding(policy("ContainerCreate", {"CREATE_BINDS": "/srv/x"}))
    outer, inner = Grant("CREATE_BINDS", "/data/a"), Grant("CREATE_BINDS", "/data/a/b")
    assert adding.opens(outer) == adding.opens(inner) == ""
    assert adding.opens(outer, inner) == f"ContainerCreate: {outer}"
    adding = adding.with_more(inner)
    assert adding.opens(outer) == f"ContainerCreate: {outer}"
    adding = adding.with_more(outer)
    assert adding.opens(Grant("CREATE_BINDS", "/data/c")) == ""


def test_what_opens_a_way_beside_others_is_root() -> None:
    """An item that is plain by itself is told with the way that it opens beside another one."""
    inner, other = Grant("CREATE_BINDS", "/srv/a/b"), Grant("CREATE_BINDS", "/srv/b")
    adding = Adding(policy("ContainerCreate", {"CREATE_BINDS": "/srv/a"}))
    assert adding.power(inner).is_root
    assert adding.power(inner).why == adding.opens(inner)
    assert not adding.power(other).is_root


def test_what_no_list_can_hold_opens_nothing() -> None:
    """An item that is none, and a list of objects, be one of them called like an operation."""
    adding = Adding(policy("ContainerCreate", {"CREATE_BINDS": ""}))
    for grant in (
        Grant("CREATE_BINDS", "etc"),
        Grant("ONLY_CONTAINERS", "ContainerExec"),
    ):
        assert adding.opens(grant) == ""
        adding = adding.with_more(grant)


def test_a_list_of_all_opens_what_any_item_of_it_would() -> None:
    """`*` is no item that a list can hold, and is told as the way that it is."""
    adding = Adding(policy("ContainerCreate", {"CREATE_CAPS": ""}))
    for variable in ("CREATE_BINDS", "CREATE_CAPS", "CREATE_DEVICES"):
        assert adding.opens(Grant(variable, "*")) == f"ContainerCreate: {variable}=*"
    assert not adding.opens(Grant("CREATE_IMAGES", "busybox:latest"))


def test_a_port_and_a_registry_there_open_a_way_together() -> None:
    """The second of them is told to open it, also where the first was added a moment ago."""
    packs = {**CONFINED, "CREATE_IMAGES": "busybox", "CREATE_PORTS": ""}
    both = (
        Grant("CREATE_PORTS", "5000"),
        Grant("PULL_IMAGES", "localhost:5000/app:1"),
    )
    for one, other in (both, both[::-1]):
        limits = {**packs, "PULL_IMAGES": ""}
        adding = Adding(policy("ContainerCreate,ContainerExport,ImageCreate", limits))
        assert adding.opens(one) == adding.opens(other) == ""
        adding = adding.with_more(one)
        assert "lets the client be that registry" in adding.opens(other)
