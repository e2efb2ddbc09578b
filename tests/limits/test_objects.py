"""Lists of objects: what they hold, and what can never fit."""

from cProfile import Profile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.arguments import Given
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.api.fields import ARGUED
from trioproxy.api.reading import Asked, ask
from trioproxy.errors import ConfigError, Untold
from trioproxy.file.permissions import parse_policy
from trioproxy.limits.grant import Grant
from trioproxy.limits.inspected import arguments_of_exec
from trioproxy.limits.marks import mark
from trioproxy.limits.objects import (
    NO_OBJECTS,
    OWNER_LABEL,
    Objects,
    is_listed,
    parse_objects,
)
from trioproxy.limits.things import ANONYMOUS, Thing, describe, users_of

OWNED = {OWNER_LABEL: "app"}


def objects(**variables: str) -> Objects:
    return parse_objects(variables, source="a file")


def container(
    name: str, labels: dict[str, str] | None = None, inherited: dict[str, str] | None = None
) -> Thing:  # fmt: skip
    return Thing(Kind.CONTAINER, "f" * 64, (name,), labels or {}, inherited=inherited)


def refuses(limits: Objects, thing: Thing) -> bool:
    return limits.refuses("ContainerStop", thing, "x", "") is not None


def test_what_was_taken_out_is_what_its_list_has_no_more() -> None:
    """A star has all; and what is no list of objects was none."""
    once = "ONLY_CONTAINERS=db,ONLY_CONTAINERS=web,ONLY_CONTAINERS=,ONLY_NETWORKS=n,X=y"
    now = objects(ONLY_CONTAINERS="web", ONLY_NETWORKS="*", ONLY_VOLUMES="*")
    gone = now.taken_out(map(Grant.parse, once.split(",")))
    assert [str(one) for one in gone] == ["ONLY_CONTAINERS=db"]


def test_what_is_kept_of_a_thing() -> None:
    """Once it was judged: what it has, and when it was made; nothing that nobody asks of it."""
    value: dict[str, Json] = {"HostConfig": {"Binds": ["/x:/x"]}, "Created": "2026"}
    thing = container("db")._replace(value={**value, "State": {}, "Name": "/db"})
    assert thing.in_words().value == value


@pytest.mark.parametrize(("user", "told"), [("0", []), ("7", ["7"]), ("", [])])
def test_whose_an_exec_is_is_kept_with_it(user: str, told: list[str]) -> None:
    """The Engine gives it its container's user: who learns, or reloads, knows it for that later."""
    value: dict[str, Json] = {"Config": {"User": "0", "Env": []}}
    run: dict[str, Json] = {"entrypoint": "sh", "user": user}
    thing = container("db")._replace(value=value).running(run)
    for one in (thing, thing.in_words()):
        users = [u.value for u in arguments_of_exec(one) if u.variable == "EXEC_USERS"]
        assert users == told
    assert "Config" not in thing.in_words().value


NUMBERED = {
    "com.docker.compose.project": "shop",
    "com.docker.compose.container-number": "1",
}
HELD: list[tuple[str, list[Thing], list[Thing]]] = [
    ("db", [container("db")], [container("db2"), container("d"), container("a/db")]),
    ("web-*,db", [container("web-1"), container("web-a_b"), container("db")], [container("web-"), container("web-1.2"), container("aweb-1")]),
    ("*", [container("anything")], []),
    ("", [], [container("db"), container("")]),
    ("@own", [container("x", OWNED, {})], [container("x", OWNED), container("x", OWNED, OWNED), container("app"), container("x", {OWNER_LABEL: "other"}, {})]),
    ("@own", [container("x", OWNED, {OWNER_LABEL: ""})], [container("x", {OWNER_LABEL: ""}, {})]),
    ("@label:a=b", [container("x", {"a": "b"}, {})], [container("x", {"a": "b"}, {"a": "b"}), container("x", {"a": "c"}, {}), container("x", {}, {})]),
    ("@label:a.b/c=d%20e", [container("x", {"a.b/c": "d e"}, {})], [container("x", {"a.b/c": "d"}, {})]),
    ("@label:a=", [container("x", {"a": ""}, {})], [container("x", {}, {})]),
    ("@project:shop", [container("x", NUMBERED, {}), container("x", NUMBERED, {"com.docker.compose.project": "shop"})],
     [container("x", NUMBERED, NUMBERED), container("x", NUMBERED), container("x", {"com.docker.compose.project": "shop"}, {}), container("shop")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "held", "others"), HELD, ids=[f"{n} {h[0]}" for n, h in enumerate(HELD)]
)
def test_a_list_holds_what_it_lists(
    value: str, held: list[Thing], others: list[Thing]
) -> None:
    """Names, patterns, labels that are not an image's, projects, and what is own."""
    limits = objects(ONLY_CONTAINERS=value, ONLY_OWNER="app")
    assert [one for one in held if refuses(limits, one)] == []
    assert [one for one in others if not refuses(limits, one)] == []


@pytest.mark.parametrize(
    "form", ["app-{}", "app-{}-*", "app-{}*z", "@project:{}", "@label:a={}"]
)
def test_a_name_is_looked_up_and_not_tried_with_each_item(form: str) -> None:
    """So a list of a thousand names, with stars or without, or labels holds a container, or not, as quickly as one of a hundred."""
    counts = list[int]()
    for count in (100, 1_000):
        names = ",".join([*map(form.format, range(count)), "app-3-z", "db-*"])
        held = objects(ONLY_CONTAINERS=names, ONLY_OWNER="app")
        counting = Profile(builtins=True)
        counting.runcall(held.holds, container("app-x", {**NUMBERED, "a": "b"}, {}))
        counts.append(sum(one.callcount for one in counting.getstats()))
        assert held.holds(container("app-3-z"))
        assert held.holds(container("db-3"))
    assert counts[1] - counts[0] <= ("*" in form)


@given(
    items=st.lists(
        st.text("ab*", min_size=2, max_size=5), min_size=1, max_size=20, unique=True
    ),
    name=st.text("ab.", max_size=5),
)
def test_many_names_hold_what_each_holds(items: list[str], name: str) -> None:
    """What is looked up by how it begins and ends is what the items one by one hold."""
    held = objects(ONLY_CONTAINERS=",".join(items), ONLY_OWNER="app").holds
    each = [objects(ONLY_CONTAINERS=one, ONLY_OWNER="app").holds for one in items]
    assert held(container(name)) == any(one(container(name)) for one in each)


def test_an_unset_variable_is_own() -> None:
    """Once one is set, the others allow what is own; of networks those of every Engine too."""
    limits = objects(ONLY_CONTAINERS="*", ONLY_OWNER="app")
    assert not refuses(limits, container("x"))
    own = Thing(Kind.VOLUME, "v", ("v",), OWNED)
    assert not refuses(limits, own)
    assert refuses(limits, own._replace(labels={}))
    for name in ("bridge", "default", "none"):
        assert not refuses(limits, Thing(Kind.NETWORK, "", (name,)))
    assert refuses(limits, Thing(Kind.NETWORK, "", ("host",)))
    explicit = objects(ONLY_NETWORKS="@own", ONLY_OWNER="app")
    assert refuses(explicit, Thing(Kind.NETWORK, "", ("bridge",)))


@pytest.mark.parametrize("listed", ["bridge", "default"])
def test_the_bridge_of_every_engine_has_two_names(listed: str) -> None:
    """Whichever of them is listed holds it as the Engine describes it, and nothing else."""
    limits = objects(ONLY_NETWORKS=listed, ONLY_CONTAINERS=listed, ONLY_OWNER="app")
    for name in ("bridge", "web", "host"):
        described = describe(Kind.NETWORK, {"Id": "0" * 64, "Name": name})
        assert bool(refuses(limits, described)) == (name != "bridge")
        assert bool(refuses(limits, container(name))) == (name != listed)


def test_the_proxys_own_is_outside_whatever_is_listed() -> None:
    """Nobody reaches the proxy's own container, by no list."""
    limits = objects(ONLY_CONTAINERS="*", ONLY_OWNER="app")
    assert refuses(limits, container("x")._replace(is_proxys=True))


def test_what_nobody_named_belongs_to_its_container() -> None:
    """An anonymous volume is listed where all containers are that use it."""
    limits = objects(ONLY_CONTAINERS="@own", ONLY_OWNER="app")
    volume = Thing(Kind.VOLUME, "v", ("v",), {ANONYMOUS: ""})
    own, other = container("x", OWNED, {}), container("y")
    assert refuses(limits, volume)
    assert not refuses(limits, volume._replace(users=(own,)))
    assert refuses(limits, volume._replace(users=(own, other)))
    assert refuses(limits, volume._replace(labels={}, users=(own,)))


def test_whose_an_object_is() -> None:
    """It is the client's by its own label, listed or not, or as what nobody named by all that use it."""
    limits = objects(ONLY_CONTAINERS="web", ONLY_OWNER="app")
    own, other = container("x", OWNED, {}), container("y", {OWNER_LABEL: "b"}, {})
    volume = Thing(Kind.VOLUME, "v", ("v",), {ANONYMOUS: ""})
    yes = [own, volume._replace(users=(own, own))]
    no = [other, volume, volume._replace(users=(own, other))]
    no.append(volume._replace(labels={}, users=(own,)))
    assert [*map(limits.is_own, yes)] == [True, True]
    assert not any(map(limits.is_own, no))
    assert not any(map(NO_OBJECTS.is_own, [*yes, *no]))


BAD = [
    ({"ONLY_CONTAINERS": "@own"}, "needs a name"),
    ({"ONLY_CONTAINERS": "db"}, "needs a name"),
    ({"ONLY_OWNER": "app"}, "limits nothing"),
    ({"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "a b"}, "is no name"),
    ({"ONLY_CONTAINERS": "a,,b", "ONLY_OWNER": "a"}, "empty"),
    ({"ONLY_CONTAINERS": "a,*", "ONLY_OWNER": "a"}, "is *"),
    ({"ONLY_CONTAINERS": "a b", "ONLY_OWNER": "a"}, "no name"),
    ({"ONLY_CONTAINERS": "/a", "ONLY_OWNER": "a"}, "no name"),
    ({"ONLY_CONTAINERS": "@mine", "ONLY_OWNER": "a"}, "nothing that is known"),
    ({"ONLY_CONTAINERS": "@project:", "ONLY_OWNER": "a"}, "names no project"),
    ({"ONLY_CONTAINERS": "@label:a", "ONLY_OWNER": "a"}, "no label"),
    ({"ONLY_CONTAINERS": "@label:=a", "ONLY_OWNER": "a"}, "no label"),
    ({"ONLY_CONTAINERS": "@label:a=b c", "ONLY_OWNER": "a"}, "one way"),
    ({"ONLY_CONTAINERS": f"@label:{OWNER_LABEL}=x", "ONLY_OWNER": "a"}, "own label"),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "words"), BAD, ids=[str(b[0]) for b in BAD])
def test_what_can_never_fit(variables: dict[str, str], words: str) -> None:
    """A value that means nothing stops the start, and says what to write."""
    with pytest.raises(ConfigError, match=words.replace("*", r"\*")) as caught:
        parse_policy({"ALLOW_OPERATIONS": "ContainerStop", **variables})
    assert caught.value.hint


@pytest.mark.parametrize(
    "name", ["ONLY_CONTAINER", "ONLY_NETWORK", "ONLY_OWNERS", "ONLY_ON_TUESDAYS"]
)
def test_unknown_names(name: str) -> None:
    """A name that begins as ours do and is none limits nothing, so it refuses to start."""
    with pytest.raises(ConfigError, match=name):
        parse_policy({"ALLOW_OPERATIONS": "ContainerStop", name: "x"})


def test_without_variables_nothing_is_limited() -> None:
    """No variable: no operation is looked at, nothing is read."""
    assert objects() == NO_OBJECTS
    assert not NO_OBJECTS
    assert NO_OBJECTS.operations == NO_OBJECTS.reads == frozenset()


def made(operation: str, body: Json, query: bytes = b"") -> Asked:
    known = ARGUED[operation]
    return ask(Given(operation=known, path="", query=query, body=body))


def test_what_is_made_is_labelled() -> None:
    """Containers, networks, volumes, volumes within containers; an image never."""
    for operation in ("ContainerCreate", "NetworkCreate", "VolumeCreate"):
        body = (
            mark(operation, made(operation, {"Labels": {"a": "b"}}), "app").sent().body
        )
        assert body is not None
        assert body["Labels"] == {"a": "b", **OWNED}
    mounts: Json = [{"Type": "volume", "Target": "/a"}, {"Type": "bind"}]
    asked = made("ContainerCreate", {"HostConfig": {"Mounts": mounts}})
    body = mark("ContainerCreate", asked, "app").sent().body
    assert body is not None
    assert body["HostConfig"] == {
        "Mounts": [
            {"Type": "volume", "Target": "/a", "VolumeOptions": {"Labels": OWNED}},
            {"Type": "bind"},
        ]
    }
    commits: list[Json] = [None, {"Labels": {"a": "b", **OWNED}}]
    for sent in commits:
        asked = mark("ImageCommit", made("ImageCommit", sent), "app")
        assert (asked.sent().body, asked.claims) == (sent, "")
        assert asked.sent().query == b"changes=LABEL%20trioproxy.owner%3D"
    assert mark("VolumeCreate", made("VolumeCreate", None), "app").sent().body == {
        "Labels": OWNED
    }


def test_what_is_made_must_be_listed() -> None:
    """A creation makes nothing that its client could not name afterwards."""
    limits = objects(ONLY_CONTAINERS="web-*", ONLY_NETWORKS="", ONLY_VOLUMES="data")
    create = "ContainerCreate"
    assert limits.refuses_making(create, made(create, {}, b"name=web-1")) is None
    assert limits.refuses_making(create, made(create, {}, b"name=/web-1")) is None
    assert limits.refuses_making(create, made(create, {}, b"name=db"))
    assert limits.refuses_making(create, made(create, {}))
    assert limits.refuses_making("NetworkCreate", made("NetworkCreate", {"Name": "n"}))
    volume = "VolumeCreate"
    assert limits.refuses_making(volume, made(volume, {"Name": "data"})) is None
    assert limits.refuses_making(volume, made(volume, {"Name": "other"}))


@pytest.mark.parametrize(
    ("item", "kind", "name", "project", "holds"),
    [
        ("default", Kind.NETWORK, "bridge", "", True),
        ("bridge", Kind.NETWORK, "default", "", True),
        ("default", Kind.CONTAINER, "bridge", "", False),
        ("host", Kind.NETWORK, "bridge", "", False),
        ("@project:shop", Kind.CONTAINER, "web", "shop", True),
        ("@project:shop", Kind.CONTAINER, "web", "shop2", False),
        ("db", Kind.CONTAINER, "web", "shop", False),
    ],
)
def test_a_name_that_was_written_down(
    item: str, kind: Kind, name: str, project: str, holds: bool
) -> None:
    """An item holds it by the name, the network that has two names, or the project of the same name."""
    assert is_listed([item], kind, name, project) is holds


def test_who_uses_a_volume_is_a_list_or_is_not_told() -> None:
    """An Engine that answers null has not said that nobody does."""
    assert users_of([]) == ()
    with pytest.raises(Untold, match="description of a container is not complete"):
        users_of(None)


def test_what_is_remembered_is_judged_alike() -> None:
    """By the project of Compose, too, of which the list of judged labels says nothing."""
    variables = {"ONLY_CONTAINERS": "@project:shop", "ONLY_OWNER": "app"}
    listed = parse_objects(variables, source="test")
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.container-number": "1",
    }
    one = Thing(Kind.CONTAINER, "a1" * 32, ("web",), labels, inherited={})
    assert listed.holds(one)
    assert listed.holds(listed.remembered(one))
