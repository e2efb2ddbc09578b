"""The lists of many files as those of one."""

import random
from collections.abc import Mapping
from dataclasses import replace

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.judge import within
from tests.limits.listing import files, values
from trioproxy.api.families import FAMILIES, LIMITS, OBJECTS, Family, Hides
from trioproxy.api.fields import ARGUED
from trioproxy.file.permissions import parse_policy
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import parse_limits
from trioproxy.review.unite import Member, United, unite


def part(
    name: str, operations: str = "ContainerCreate", *listed: str, **variables: str
) -> Member:
    """An env file; `listed`: what learning once wrote into it."""
    return Member(
        name=name,
        operations=frozenset(operations.split(",")),
        limits=parse_limits(variables, source=name),
        once_listed=frozenset(map(Grant.parse, listed)),
    )


def united(*parts: Member) -> United:
    """The union, which the order of its parts does not change."""
    found = unite(parts)
    assert unite(parts[::-1]) == found
    return found


CREATE = "ContainerCreate"
UNIONS: list[tuple[Member, Member, dict[str, str], str]] = [
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", CREATE, CREATE_BINDS="/b,/a"),
     {"CREATE_BINDS": "/a,/b"}, ""),
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", CREATE, CREATE_CAPS="KILL"),
     {"CREATE_BINDS": "/a", "CREATE_CAPS": "KILL"}, ""),
    (part("a", CREATE, CREATE_BINDS="*"), part("b", CREATE, CREATE_BINDS="/b"),
     {"CREATE_BINDS": "*"}, ""),
    (part("a", CREATE, CREATE_PRIVILEGED="0"), part("b", CREATE, CREATE_PRIVILEGED="1"),
     {"CREATE_PRIVILEGED": "1"}, ""),
    (part("a", CREATE, CREATE_PRIVILEGED="0"), part("b", CREATE, CREATE_PRIVILEGED="0"),
     {"CREATE_PRIVILEGED": "0"}, ""),
    (part("a", CREATE, CREATE_BINDS=""), part("b", CREATE, CREATE_BINDS=""),
     {"CREATE_BINDS": ""}, ""),
    # What was open in one is open.
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", CREATE), {},
     "CREATE_* is open, because b grants ContainerCreate and limits nothing of it: what a lists is not in the result"),
    (part("a", "VolumeCreate", CREATE_BINDS="/a"), part("b", "VolumeCreate,ContainerCreate"), {},
     "CREATE_* is open, because b grants ContainerCreate and VolumeCreate and limits nothing of it: what a lists is not in the result"),
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", CREATE, EXEC_USERS="a"), {"EXEC_USERS": "a"},
     "CREATE_* is open, because b grants ContainerCreate and limits nothing of it: what a lists is not in the result"),
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", "ContainerList"), {"CREATE_BINDS": "/a"}, ""),
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", "ImageBuild", BUILD_OPTIONS=""),
     {"CREATE_BINDS": "/a", "CREATE_TAGS": "*", "BUILD_OPTIONS": ""}, "CREATE_TAGS is *, because b limits nothing of it"),
    # So is what counts only when it is set.
    (part("a", CREATE, CREATE_IMAGES="a"), part("b", CREATE, CREATE_BINDS="/b"),
     {"CREATE_BINDS": "/b"}, "CREATE_IMAGES is not set, because b does not set it: what a lists is not in the result"),
    (part("a", "ContainerExec", EXEC_COMMANDS="ls"), part("b", "ContainerExec", EXEC_USERS="a"),
     {"EXEC_OPTIONS": ""}, "EXEC_COMMANDS is not set, because b does not set it: what a lists is not in the result"),
    (part("a", f"{CREATE},ContainerExec", CREATE_BINDS="/a", EXEC_COMMANDS="ls"), part("b", "ContainerExec", EXEC_USERS="a"),
     {"CREATE_BINDS": "/a", "EXEC_OPTIONS": ""}, "EXEC_COMMANDS is not set, because b does not set it: what a lists is not in the result"),
    # A list counts for what its own file grants.
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", "ContainerList", CREATE_BINDS="/etc"),
     {"CREATE_BINDS": "/a"}, "CREATE_BINDS=/etc of b is left out: nothing that it grants can ask for it"),
    (part("a", "VolumeCreate", CREATE_BINDS="/a", CREATE_CAPS="ALL"), part("b", CREATE, CREATE_BINDS="/b"),
     {"CREATE_BINDS": "/a,/b"}, "CREATE_CAPS=ALL of a is left out: nothing that it grants can ask for it"),
    (part("a", "ContainerList", CREATE_BINDS="/a"), part("b", "ContainerList", CREATE_BINDS="/b"),
     {"CREATE_BINDS": "/a,/b"}, ""),
    (part("a", CREATE, CREATE_BINDS="/a"), part("b", "ContainerList", CREATE_PRIVILEGED="0"),
     {"CREATE_BINDS": "/a"}, ""),
    # Bases.
    (part("a", CREATE, CREATE_BASE="/x", CREATE_BINDS="{base}/d", CREATE_CAPS="KILL"), part("b", CREATE, CREATE_BINDS=""),
     {"CREATE_BINDS": "{base}/d", "CREATE_CAPS": "KILL", "CREATE_BASE": "/x"}, ""),
    (part("a", CREATE, CREATE_BASE="/x", CREATE_BINDS="{base}/d"), part("b", CREATE, CREATE_BASE="/x", CREATE_BINDS="{base}"),
     {"CREATE_BINDS": "{base},{base}/d", "CREATE_BASE": "/x"}, ""),
    (part("a", CREATE, CREATE_BASE="/x", CREATE_BINDS="{base}/d"), part("b", CREATE, CREATE_BASE="/y", CREATE_BINDS="{base}/d"),
     {"CREATE_BINDS": "/y/d,{base}/d", "CREATE_BASE": "/x"}, "CREATE_BASE is /x: where it differs, what {base} stood for is written out"),
    (part("a", CREATE, CREATE_BASE="/x", CREATE_BINDS="{base}/d"), part("b", CREATE, CREATE_BASE="/y", CREATE_BINDS="/b"),
     {"CREATE_BINDS": "/b,{base}/d", "CREATE_BASE": "/x"}, ""),
    (part("a", CREATE, CREATE_TMP="/t", CREATE_BINDS="{tmp}/d"), part("b", CREATE, CREATE_BINDS="/t/d,/t/e"),
     {"CREATE_BINDS": "/t/e,{tmp}/d", "CREATE_TMP": "/t"}, ""),
    (part("a", CREATE, CREATE_PROJECT="shop", CREATE_IMAGES="{project}-web:1"), part("b", CREATE, CREATE_PROJECT="blog", CREATE_IMAGES="{project}-web:1"),
     {"CREATE_IMAGES": "shop-web:1,{project}-web:1", "CREATE_PROJECT": "blog"}, "CREATE_PROJECT is blog: where it differs, what {project} stood for is written out"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "values", "note"),
    UNIONS,
    ids=[f"{n}-{list(row[2])}"[:60] for n, row in enumerate(UNIONS)],
)
def test_lists_unite(
    one: Member, other: Member, values: dict[str, str], note: str
) -> None:
    """A union lists what its parts list, and is open where one of them is."""
    found = united(one, other)
    assert dict(found.values) == values
    assert (note in found.notes) if note else found.notes == ()
    opened = {text.partition(" is not set")[0] for text in found.notes}
    assert found.open >= opened & LIMITS


def test_what_was_taken_out_stays_out() -> None:
    """A value that one reviewer took out does not come back through another file."""
    mark = "CREATE_BINDS=/etc"
    one = part("a", CREATE, mark, CREATE_BINDS="/a")
    two = part("b", CREATE, mark, CREATE_BINDS="/b,/etc")
    found = united(one, two)
    assert dict(found.values) == {"CREATE_BINDS": "/a,/b"}
    assert found.declined == {Grant.parse(mark)}
    output = Member(
        name="c", operations=two.operations, limits=two.limits, is_output=True
    )
    assert united(one, output).values == {"CREATE_BINDS": "/a,/b,/etc"}
    assert united(one, output).declined == frozenset()


def test_what_a_wider_item_covers_was_not_taken_out() -> None:
    """Whoever replaces values by one that fits them all has declined nothing."""
    one = part("a", CREATE, "CREATE_BINDS=/a/x", "CREATE_BINDS=/b", CREATE_BINDS="/a/*")
    assert united(one, one).declined == {Grant("CREATE_BINDS", "/b")}
    assert not united(part("a", CREATE, "CREATE_BINDS=/b", CREATE_BINDS="*")).declined


def test_evidence_alone_opens_what_it_did_not_read() -> None:
    """Where nobody looked at what was asked for, nothing may be closed."""
    seen = Member(
        name="x.jsonl",
        operations=frozenset({CREATE}),
        unread=frozenset({Family.CREATE}),
        is_env=False,
    )
    found = united(part("a", CREATE, CREATE_BINDS="/a"), seen)
    assert not found.values
    assert found.open == {"CREATE", *OBJECTS}
    read = Member(name="x.jsonl", operations=frozenset({CREATE}), is_env=False)
    assert dict(united(part("a", CREATE, CREATE_BINDS="/a"), read).values) == {
        "CREATE_BINDS": "/a"
    }
    assert not united(read, read).values  # nothing is hidden either


def test_evidence_alone_opens_no_list_of_objects_and_shows_nothing() -> None:
    """What was only seen has no lists of objects, is told of all, and hides nothing: of a file none of that takes anything."""
    lists = {"ALLOW_OPERATIONS": "ContainerStart", **OWN}
    file = replace(lists_of("a", lists), hides=frozenset(Hides))
    for name in ("ContainerStart", "ContainerList"):
        seen = Member(name="x.jsonl", operations=frozenset({name}), is_env=False)
        assert united(file, seen) == united(file)
    assert united(file).values == {
        "REDACT": ",".join(Hides),
        **united(lists_of("a", lists)).values,
    }


REACHING = [one for one in within.REQUESTS if one.startswith("exec-in-")]
OWN = {"ONLY_CONTAINERS": "@own,web", "ONLY_OWNER": "app"}


def lists_of(name: str, variables: Mapping[str, str]) -> Member:
    """A file with lists of objects."""
    policy = parse_policy(variables)[0]
    return Member(
        name=name,
        operations=policy.opened_operations,
        limits=policy.limits,
        objects=policy.objects,
        proxy_socket=variables.get("PROXY_SOCKET", ""),
    )


def test_what_is_reached_into_is_listed() -> None:
    """Who reaches into containers is limited by what these have, and loses none of that."""
    make = {"ALLOW_OPERATIONS": CREATE, "CREATE_BINDS": "/a", **OWN}
    reach = {"ALLOW_OPERATIONS": "ContainerExec", **OWN}
    found = united(
        lists_of("a", make), lists_of("b", {**reach, "CREATE_DEVICES": "gpu"})
    )
    assert found.values.items() >= {"CREATE_BINDS": "/a", "CREATE_DEVICES": "gpu"}.items()  # fmt: skip
    assert found.notes == ()
    free = united(lists_of("a", make), lists_of("b", reach))
    assert free.values["CREATE_BINDS"] == "/a"
    (note,) = free.notes
    assert note.startswith("CREATE_* now limits what b reaches into")


@pytest.mark.parametrize("caps", ["", "MKNOD"])
def test_what_makes_nodes_is_reached_into_no_more(caps: str) -> None:
    """Nothing said that beside what packs files in the one file the other's containers are refused that can make nodes."""
    one = {"CREATE_CAPS": caps, **OWN}
    copies = {**one, "ALLOW_OPERATIONS": "ContainerArchive"}
    starts = {**one, "ALLOW_OPERATIONS": "ContainerStart"}
    found = united(lists_of("a", copies), lists_of("b", starts))
    notes = [
        "what can make device nodes is refused where b reaches into it, because a packs files:"
        " make it anew through this file, which takes that away"
    ]
    assert list(found.notes) == ([] if caps else notes)
    assert united(lists_of("a", copies), lists_of("b", copies)).notes == ()


def test_what_makes_nodes_is_told_of_where_it_was_reached_into() -> None:
    """Whose containers nobody limits, or who reaches into none, loses nothing by what packs files."""
    one = {"CREATE_CAPS": "", "EXEC_OPTIONS": "", **OWN}
    copies = lists_of("a", {**one, "ALLOW_OPERATIONS": "ContainerArchive"})
    starts = lists_of("b", {**one, "ALLOW_OPERATIONS": "ContainerStart"})
    lists = lists_of("c", {**one, "ALLOW_OPERATIONS": "ContainerList"})
    free = lists_of("d", {"ALLOW_OPERATIONS": "ContainerStart", **OWN, "ONLY_CONTAINERS": "*", "CREATE_CAPS": ""})  # fmt: skip
    told = united(copies, starts).notes
    assert len(told) == 1
    assert united(copies, starts, lists).notes == told
    assert united(copies, lists).notes == united(copies, starts, free).notes == ()


@pytest.mark.parametrize("listed", ["db", "*"])
def test_who_is_told_of_all_is_told_of_less(listed: str) -> None:
    """A file that only lists containers has no lists of them, and nothing said that those of the other narrow its answers."""
    starts = {"ALLOW_OPERATIONS": "ContainerStart", "ONLY_CONTAINERS": listed, "ONLY_OWNER": "o"}  # fmt: skip
    lists = {"ALLOW_OPERATIONS": "ContainerList,SystemPing"}
    found = united(lists_of("a", starts), lists_of("b", lists))
    assert found.values["ONLY_CONTAINERS"] == listed
    note = (
        "ONLY_* now narrows what answers tell b: give it a file of its own, or list what it"
        " looks for"
    )
    assert list(found.notes) == ([note] if listed == "db" else [])


def test_what_execs_are_started_in_one_file_are_in_the_union() -> None:
    """Who starts what others made to be run, whatever it is, was refused that by the list of who makes it."""
    makes = {"ALLOW_OPERATIONS": "ContainerExec,ExecStart", "EXEC_COMMANDS": "echo"}
    starts = {"ALLOW_OPERATIONS": "ExecStart", "EXEC_PRIVILEGED": ""}
    found = united(lists_of("a", {**makes, **OWN}), lists_of("b", {**starts, **OWN}))
    assert "EXEC_COMMANDS" not in found.values
    (note,) = found.notes
    assert note.startswith("EXEC_COMMANDS is not set, because b does not set it")


def test_what_joins_the_bridge_in_one_file_joins_it() -> None:
    """A network in its place stands in the union where no file has anything made on it."""
    networks = {"ONLY_NETWORKS": "bridge,web", **OWN}
    instead = {"ALLOW_OPERATIONS": CREATE, "CREATE_NETWORK": "web", **networks}
    as_ever = {"ALLOW_OPERATIONS": CREATE, **networks}
    found = united(lists_of("a", instead), lists_of("b", as_ever))
    assert "CREATE_NETWORK" not in found.values
    assert found.notes == (
        "CREATE_NETWORK is not set, because b does not set it: what a lists is not in the result",
    )
    for other in (
        {**as_ever, "ALLOW_OPERATIONS": "NetworkConnect"},
        {**as_ever, "ONLY_NETWORKS": "web"},
    ):
        found = united(lists_of("a", instead), lists_of("b", other))
        assert (found.values["CREATE_NETWORK"], found.notes) == ("web", ())


def test_of_what_there_can_be_one_the_first_file_has_it() -> None:
    """The output's owner, network and socket are those of the result, else those of the first by name, and the others are told of."""
    files = [
        lists_of(name, {"ALLOW_OPERATIONS": CREATE, "ONLY_NETWORKS": "web", "ONLY_OWNER": f"of-{name}", "CREATE_NETWORK": "web", "CREATE_BINDS": binds, "PROXY_SOCKET": f"/run/{name}"})
        for name, binds in (("a", ""), ("b", "@proxy"), ("c", ""), ("d", "@proxy"))
    ]  # fmt: skip
    found = united(*files)
    assert (found.values["ONLY_OWNER"], found.values["PROXY_SOCKET"]) == ("of-a", "/run/b")  # fmt: skip
    assert found.notes == (
        "ONLY_OWNER is of-a, and in other files of-b, of-c, of-d",
        "what was made by of-b, of-c, of-d is not its own in the result",
        "PROXY_SOCKET is /run/b, and in other files /run/d",
    )
    found = united(*files[:2], replace(files[2], is_output=True), files[3])
    assert (found.values["ONLY_OWNER"], found.values["PROXY_SOCKET"]) == ("of-c", "/run/c")  # fmt: skip
    assert (
        found.notes[-1] == "PROXY_SOCKET is /run/c, and in other files /run/b, /run/d"
    )
    assert united(files[2], files[0]).values["PROXY_SOCKET"] == "/run/a"


def test_most_of_them_say_what_a_base_is() -> None:
    """Of many folders that `{base}` stood for it stands for that of most files."""
    files = [
        part(name, CREATE, CREATE_BASE=base, CREATE_BINDS="{base}/d")
        for name, base in (("a", "/x"), ("b", "/y"), ("c", "/y"))
    ]
    assert united(*files).values == {"CREATE_BASE": "/y", "CREATE_BINDS": "/x/d,{base}/d"}  # fmt: skip


STARTS = {"ALLOW_OPERATIONS": "ContainerStart", "ONLY_OWNER": "app"}


def test_an_object_that_was_taken_out_stays_out() -> None:
    """What one reviewer took out of a list of objects does not come back through another file, but for the output's own."""
    mark = Grant("ONLY_CONTAINERS", "db")
    one = lists_of("a", {**STARTS, "ONLY_CONTAINERS": "@own"})
    one = replace(one, once_listed=frozenset({mark}))
    two = lists_of("b", {**STARTS, "ONLY_CONTAINERS": "@own,db"})
    found = united(one, two)
    assert found.values["ONLY_CONTAINERS"] == "@own"
    assert found.declined == {mark}
    found = united(one, replace(two, is_output=True))
    assert found.values["ONLY_CONTAINERS"] == "@own,db"
    assert found.declined == frozenset()


def test_lists_of_objects_that_are_lost_are_told_of() -> None:
    """Files that name objects and have no lists open them for all, which is said; where learning left out all there are, it may begin some."""
    lists = lists_of("a", {**STARTS, "ONLY_CONTAINERS": "@own"})
    one, other = part("b", "ContainerStart,SystemPing"), part("c", "ContainerStart")
    found = united(lists, one, other)
    assert not found.values.keys() & OBJECTS.keys()
    assert found.notes == (
        "ONLY_* is open, because b and c does not say which objects may be named: what a lists is not in the result",
    )
    left = replace(one, is_left_open=True)
    for parts in ((lists, one), (lists, left), (one, other), (left, other)):
        assert united(*parts).open >= OBJECTS.keys()
    assert not united(left, replace(other, is_left_open=True)).open & OBJECTS.keys()


def test_any_object_of_one_file_is_any_of_the_union() -> None:
    """A kind that one file does not limit is not limited; else a list begins with what is its own."""
    one, other, free = (
        lists_of(name, {**STARTS, "ONLY_CONTAINERS": items})
        for name, items in (("a", "1db,@own"), ("b", "app"), ("c", "*"))
    )
    assert united(one, other).values["ONLY_CONTAINERS"] == "@own,1db,app"
    assert united(one, free).values["ONLY_CONTAINERS"] == "*"


def test_what_each_of_them_hides_is_hidden() -> None:
    """What one of the files shows the result shows, and says so."""
    both = replace(part("a", "ContainerList"), hides=frozenset(Hides))
    one = replace(part("b", "ContainerList"), hides=frozenset({Hides.ENV}))
    found = united(both, both)
    assert (found.values["REDACT"], found.notes) == (",".join(Hides), ())
    found = united(both, one)
    assert found.values["REDACT"] == "env"
    assert found.notes == tuple(
        f"REDACT={word} is in a alone: the result shows what the others do"
        for word in Hides
        if word is not Hides.ENV
    )


@pytest.mark.deep
def test_no_request_is_lost() -> None:
    """What passes one of two files passes their union, where no file reaches freely."""
    chance, passed = random.Random(1), 0
    for _ in range(by_depth(30, 600)):
        files = [within.exact(chance) for _ in range(2)]
        both = [lists_of(name, one) for name, one in zip("ab", files, strict=True)]
        found = united(*both)
        if any(note.startswith("CREATE_* now") for note in found.notes):
            continue
        granted = ",".join(sorted(both[0].operations | both[1].operations))
        union = {**found.values, "ALLOW_OPERATIONS": granted}
        names = [*REACHING, *chance.sample(sorted(within.REQUESTS), 20)]
        for one in files:
            seen = within.Seen()
            trio.run(within.compare, seen, union, one, names)
            passed += seen.passed
            assert not seen.contradicted, seen.contradicted[0]
    assert passed > 40


_GRANTED = st.sets(st.sampled_from(sorted(ARGUED)), max_size=4)


@st.composite
def parts(draw: st.DrawFn, name: str) -> Member:
    """A file with its lists."""
    return Member(
        name=name,
        operations=frozenset(draw(_GRANTED)),
        limits=parse_limits(draw(files()), source=name),
    )


@pytest.mark.deep
@settings(max_examples=by_depth(50, 200), deadline=None)
@given(parts("a"), parts("b"), st.data())
def test_nothing_is_lost(one: Member, other: Member, data: st.DataObject) -> None:
    """Whatever one of the files lets its operations ask for, the union lets them."""
    found = united(one, other)
    limits = parse_limits(found.values, source="union")
    for whole in (one, other):
        for name in LIMITS:
            limit, there = whole.limits.limit_of(name), limits.limit_of(name)
            if not whole.can_ask(name) or there is None or there.is_any:
                continue
            assert limit is not None, name
            assert not limit.is_any, name
            for item in limit.patterns:
                if item.text != "0":
                    value = data.draw(values(item))
                    assert there.allows(value) or not limit.allows(value)


@pytest.mark.deep
@settings(max_examples=by_depth(50, 200), deadline=None)
@given(parts("a"), parts("b"))
def test_nothing_widens_in_silence(one: Member, other: Member) -> None:
    """What is closed in both files is closed in the union, and what was open is told of."""
    found = united(one, other)
    limits = parse_limits(found.values, source="union")
    for family in one.limits.families & other.limits.families:
        assert family in limits.families
    for name in LIMITS & found.values.keys():
        items = {
            each.limits.places.meant(one_item.text)
            for each in (one, other)
            if (limit := each.limits.limit_of(name)) is not None
            for one_item in limit.patterns
        }
        written = parse_limits(found.values, source="union").limit_of(name)
        assert written is not None
        if not written.is_any:
            texts = {limits.places.meant(o.text) for o in written.patterns}
            assert texts <= items
    for family in Family:
        lost = {n for n in FAMILIES[family] if family in found.open}
        if lost and family in one.limits.families | other.limits.families:
            assert any(f"{family}_* is open" in note for note in found.notes)
