"""Showing: what of an answer is shown, without an Engine."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from trioproxy.api.answers import ANSWERS, NARROWED
from trioproxy.api.families import Hides, Kind
from trioproxy.errors import BadTarget, UpstreamError
from trioproxy.judge.references import MOST_REFERENCES, Named
from trioproxy.judge.showing import (
    HIDDEN,
    NeedContainers,
    NeedKnown,
    NeedSum,
    NeedUsers,
    NeedWhole,
    Showing,
    Shown,
    showings,
)
from trioproxy.limits.objects import NO_OBJECTS, OWN, parse_objects
from trioproxy.limits.things import Thing

MINE = {"trioproxy.owner": "me"}
A, B, N = "a1" * 32, "b2" * 32, "c3" * 32
IMAGE = "sha256:" + "d4" * 32

THERE = {
    (Kind.CONTAINER, A): Thing(Kind.CONTAINER, A, ("mine",), MINE, inherited={}),
    (Kind.CONTAINER, B): Thing(Kind.CONTAINER, B, ("theirs",), {}, inherited={}),
    (Kind.NETWORK, N): Thing(Kind.NETWORK, N, ("net",), MINE),
    (Kind.VOLUME, "vol"): Thing(Kind.VOLUME, "vol", ("vol",), MINE),
}
"""What an Engine has."""


def showing_of(operation: str, **lists: str) -> Showing:
    variables = {"ONLY_CONTAINERS": OWN, "ONLY_OWNER": "me", **lists}
    return showings(parse_objects(variables, source="test"), frozenset())[operation]


def look(
    showing: Showing,
    value: Any,  # noqa: ANN401  JSON
    key: str = "",
    inherited: Mapping[str, str] | None = None,
) -> Shown:
    """Judge an element, and answer what it needs as an Engine would."""
    looking = showing.element(key, value)
    answer: object = None
    try:
        need = next(looking)
        while True:
            match need:
                case NeedWhole():
                    answer = need.thing._replace(inherited=inherited or {})
                case NeedContainers():
                    kept = (THERE.get((Kind.CONTAINER, one)) for one in need.ids)
                    answer = {one.id: one for one in kept if one is not None}
                case NeedUsers():
                    answer = 1
                case NeedKnown():
                    answer = THERE.get((need.kind, need.id))
                case NeedSum():
                    answer = None
            need = looking.send(answer)
    except StopIteration as over:
        shown: Shown = over.value
        return shown


def container(labels: object, name: str = "web") -> dict[str, Any]:
    return {"Id": A, "Names": [f"/{name}"], "ImageID": IMAGE, "Labels": labels}


def test_a_label_of_an_image_is_nobodys() -> None:
    """The same list that says what may be named says what is shown."""
    showing = showing_of("ContainerList")
    value = container(MINE)
    assert look(showing, value).value is value
    assert look(showing, value, inherited=MINE) == (HIDDEN, 1)
    assert look(showing, container({})).value is HIDDEN


def network(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401  JSON
    return {"Id": N, "Name": name, "Labels": {}, "Containers": {}, **more}


LISTS_OF_NETWORKS = ["", "net", "none", "host", "bridge", "default", "*", "@own"]


@pytest.mark.parametrize("listed", [None, *LISTS_OF_NETWORKS])
@pytest.mark.parametrize("name", ["bridge", "none", "host", "net"])
def test_a_network_that_is_listed_can_be_inspected(
    name: str, listed: str | None
) -> None:
    """A list of networks shows what may be inspected, and the other way around, by each list; an
    unset one shows those that every Engine has."""
    lists = {} if listed is None else {"ONLY_NETWORKS": listed}
    showing = showing_of("NetworkList", **lists)
    is_shown = look(showing, network(name)).value is not HIDDEN
    if listed is None:
        assert is_shown == (name != "net")
    elif listed in {name, "*"}:
        assert is_shown
    thing = Thing(Kind.NETWORK, N, (name,))
    refusal = showing.objects.refuses("NetworkInspect", thing, name, "")
    assert (refusal is None) == is_shown
    joined = event("network", B, "connect", name=name, container=A)
    shown = look(showing_of("SystemEvents", **lists), joined)
    assert (shown.value is not HIDDEN) == is_shown


def test_the_hosts_network_is_shown_and_no_more() -> None:
    """Where `none` is listed, the host's network can be looked at; to name it otherwise is for
    whoever lists it."""
    objects = showing_of("NetworkList").objects
    host = Thing(Kind.NETWORK, N, ("host",))
    for operation in ("NetworkConnect", "NetworkDelete", "NetworkDisconnect"):
        assert objects.refuses(operation, host, "host", "") is not None
    assert objects.refuses("NetworkInspect", host, "host", "") is None


@pytest.mark.parametrize("operation", ["NetworkInspect", "NetworkList"])
def test_members_and_what_no_list_holds(operation: str) -> None:
    """Of a network its listed members are shown, and neither services nor nodes, nor how many
    addresses all have (API 1.52)."""
    members = {A: {"Name": "mine"}, B: {"Name": "theirs"}, "lb-net": {"Name": "lb"}}
    more = {"Services": {"theirs": {}}, "Peers": [{"IP": "192.0.2.1"}]}
    more |= {"Status": {"IPAM": {"Subnets": {"192.0.2.0/24": {"IPsInUse": 6}}}}}
    value = network("bridge", Containers=members, **more)
    shown = look(showing_of(operation), value)
    assert shown.value == network("bridge", Containers={A: {"Name": "mine"}})
    assert shown.hidden == 2
    for alone in (network("bridge"), network("bridge", Containers={A: {}})):
        assert look(showing_of(operation), alone).value is alone


@pytest.mark.parametrize("operation", ["ImageInspect", "ImageList"])
def test_who_uses_an_image(operation: str) -> None:
    """Of each of its platforms the containers that are listed, and of no other one the id."""

    def image(*users: str) -> dict[str, Any]:
        manifests = [{"ID": IMAGE, "ImageData": {"Containers": list(users)}}, {"ID": N}]
        return {"Id": IMAGE, "Config": {}, "Manifests": manifests}

    shown = look(showing_of(operation), image(B, A))
    assert shown == (image(A), 1)
    alone = image(A)
    assert look(showing_of(operation), alone).value is alone


def event(kind: str, one: str, action: str = "x", **attributes: str) -> dict[str, Any]:
    return {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": one, "Attributes": attributes},
    }


EVENTS = {
    "own container": (event("container", A, name="mine"), True),
    "stranger": (event("container", B, name="theirs"), False),
    "gone": (event("container", N, name="gone", **MINE), False),
    "odd id": (event("container", "mine", name="mine"), False),
    "prune": (event("container", "", "prune", reclaimed="1"), False),
    "own network": (event("network", N, name="net"), True),
    "joins": (event("network", N, "connect", name="net", container=A), True),
    "stranger joins": (event("network", N, "connect", container=B), False),
    "joins a stranger's": (event("network", B, "connect", container=A), False),
    "joins the bridge": (event("network", B, name="bridge", container=A), True),
    "own volume": (event("volume", "vol", driver="local"), True),
    "mounted by a stranger": (event("volume", "vol", "mount", container=B), False),
    "unknown volume": (event("volume", "other"), False),
    "image": (event("image", IMAGE, name="busybox"), True),
    "secret": (event("secret", "x", name="s"), False),
    "service": (event("service", "x", name="s"), False),
    "of a newer Engine": (event("vault", "x"), False),
    "of no type": ({"Action": "x", "Actor": {"ID": A}}, False),
}


@pytest.mark.parametrize(("value", "is_shown"), EVENTS.values(), ids=EVENTS)
def test_events(value: dict[str, Any], *, is_shown: bool) -> None:
    """An event is shown if all that it tells of is listed; what is not known is not."""
    shown = look(showing_of("SystemEvents"), value)
    assert shown == ((value, 0) if is_shown else (HIDDEN, 1))


def test_in_an_event_a_container_has_the_name_that_it_had_then() -> None:
    """What was renamed to a listed name is not told of by what it was called before."""
    showing = showing_of("SystemEvents", ONLY_CONTAINERS="mine")
    before, now = event("container", A, name="before"), event("container", A)
    assert look(showing, before) == (HIDDEN, 1)
    assert look(showing, now).value is now


def test_what_filters_name_counts_where_strangers_are_hidden() -> None:
    """The Engine is asked about no name by which nothing is decided."""
    query = b"filters=%7B%22before%22%3A%7B%22web%22%3Atrue%7D%7D"
    named = showing_of("ContainerList").names(query)
    assert named is not None
    assert [(one.text, one.is_filter) for one in named.references] == [("web", True)]
    # Podman reads this one, too.
    assert showing_of("ContainerList").names(query.replace(b"f", b"F", 1)) == named
    listed = parse_objects({"ONLY_CONTAINERS": "*", "ONLY_OWNER": "me"}, source="test")
    hiding = showings(listed, frozenset({Hides.ENV}))["ContainerList"]
    assert hiding.names(query) is None
    assert showing_of("NetworkList").names(query) is None
    assert showing_of("ContainerList").names(b"") is None


def test_as_many_are_looked_up_at_once_as_a_creation_may_name() -> None:
    """A filter that names more is refused before the Engine is asked of any."""

    def names(count: int) -> Named | None:
        named = json.dumps({"since": [f"c{number}" for number in range(count)]})
        query = f"filters={quote(named)}".encode()
        return showing_of("ContainerList").names(query)

    named = names(MOST_REFERENCES)
    assert named is not None
    assert len(named.references) == MOST_REFERENCES
    with pytest.raises(BadTarget, match="more than is looked up at once"):
        names(MOST_REFERENCES + 1)


def test_a_limit_is_taken_out_in_any_case() -> None:
    """Podman reads it so, and would count what is hidden."""
    asked, query = showing_of("ContainerList").asked(b"Limit=2&ALL=0&x=1")
    assert (asked.limit, query) == (2, b"all=1&x=1")


GUESSES = [
    ('{"event":["exec_start","exec_create: sh -c PASS=h"]}', True),
    ('{"event":{"exec_start: sh":true}}', True),
    ('{"event":["exec_create","exec_start:","health_status: healthy"]}', False),
    ('{"label":["a: b"],"type":["container"]}', False),
    ("", False),
]


@pytest.mark.parametrize("word", Hides)
@pytest.mark.parametrize(("filters", "is_guess"), GUESSES)
def test_what_is_hidden_of_events_is_not_guessed_at(
    word: Hides, filters: str, *, is_guess: bool
) -> None:
    """Beside `exec_start` the Engine shows each event that begins with any text of the filter: so a
    command line that is hidden was found out letter by letter."""
    showing = showings(NO_OBJECTS, frozenset({word}))["SystemEvents"]
    query = f"filters={quote(filters)}".encode()
    if is_guess and word is not Hides.LABELS:
        with pytest.raises(BadTarget, match="guess at a command line"):
            showing.asked(query)
    else:
        assert showing.asked(query) == (showing, query)


NEEDS = {
    "start": (False, False), "create": (False, True), "destroy": (True, False),
    "remove": (True, False), "die": (False, False), "Create": (False, False),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["container", "network", "volume"])
@pytest.mark.parametrize(("action", "flags"), NEEDS.items(), ids=NEEDS)
def test_what_an_event_says_of_what_is_known(
    kind: str, action: str, flags: tuple[bool, bool]
) -> None:
    """Of what is gone nothing is heard any more; what is new is not what had its name before."""
    showing = showing_of("SystemEvents")
    need = next(showing.element("", event(kind, N, action, name="net")))
    assert isinstance(need, NeedKnown)
    assert (need.kind, need.id) == (Kind(kind), N)
    assert (need.is_over, need.is_new) == flags


def test_both_that_an_event_tells_of_count() -> None:
    """Who joins a network is looked up behind it: it runs on, and was there before."""
    looking = showing_of("SystemEvents").element("", event("network", N, "create", name="x", container=A))  # fmt: skip
    assert next(looking) == NeedKnown(Kind.NETWORK, N, is_over=False, is_new=True)
    other = looking.send(THERE[Kind.NETWORK, N])
    assert other == NeedKnown(Kind.CONTAINER, A, is_over=False, is_new=False)


def test_an_event_of_what_is_gone() -> None:
    """A list of names needs nothing but the name, as it was then."""
    showing = showing_of("SystemEvents", ONLY_CONTAINERS="gone")
    value = event("container", N, "destroy", name="gone")
    assert look(showing, value).value is value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just(A),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Id",
                    "ID",
                    "Name",
                    "Names",
                    "Labels",
                    "Actor",
                    "Type",
                    "Attributes",
                    "Containers",
                    "ImageID",
                    "Action",
                    "container",
                    "Mounts",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("operation", sorted(NARROWED))
@pytest.mark.deep
@settings(max_examples=by_depth(30, 100))
@given(value=JSON)
def test_whatever_an_element_is(operation: str, value: object) -> None:
    """It is shown, or not, or no element: nothing else ever comes of it."""
    (key, *_) = ANSWERS[operation].parts
    with suppress(UpstreamError):
        shown = look(showing_of(operation), value, key)
        assert shown.hidden >= 0
        if operation in {"ContainerList", "VolumeList", "SystemEvents"}:
            assert shown.value is HIDDEN or shown.value is value
