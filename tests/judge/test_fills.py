"""Volumes that the Engine fills: which, and what keeps it from the others."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.limits.arguing import create, values
from trioproxy.api.decoding import Json
from trioproxy.api.families import Kind
from trioproxy.judge.fills import filled, keep_unfilled, mounted, reserved
from trioproxy.limits.things import Known, Missing, Thing

V = Kind.VOLUME
PLAIN = Thing(V, "p", value={"Driver": "local", "Options": None}, is_unused=True)
KNOWN: Known = {
    (V, "new"): Missing(404, "no such volume"),
    (V, "untold"): Missing(502, "another proxy says no"),
    (V, "plain"): PLAIN,
    (V, "made"): PLAIN._replace(value={"Driver": ""}, is_unused=False, makes={}),
    (V, "used"): PLAIN._replace(is_unused=False),
    (V, "bound"): PLAIN._replace(value={"Driver": "local", "Options": {"o": "bind"}}),
    (V, "foreign"): PLAIN._replace(value={"Driver": "nfs", "Options": {}}),
    (V, "odd"): PLAIN._replace(value={}),
}
FREE = {"new", "plain", "made"}


def kept(host: Json, known: Known = KNOWN, volumes: Json = None) -> dict[str, Any]:
    """A creation as it goes on."""
    asked = create(host, Volumes=volumes)
    body = asked.sent(keep_unfilled(asked.body, known)).body
    assert body is not None
    return body


BINDS = [
    ("/srv/a:/a", "/srv/a:/a"),
    ("/a", "/a"),
    ("new:/a", "new:/a"),
    ("new:/a:ro", "new:/a:ro"),
    ("plain:/a", "plain:/a"),
    ("made:/a:z", "made:/a:z"),
    ("used:/a", "used:/a:nocopy"),
    ("used:/a:", "used:/a:nocopy"),
    ("used:/a:ro", "used:/a:ro,nocopy"),
    ("used:/a:ro,Z", "used:/a:ro,Z,nocopy"),
    ("used:/a:nocopy", "used:/a:nocopy"),
    ("used:/a:nocopy,ro", "used:/a:nocopy,ro"),
    ("bound:/a", "bound:/a:nocopy"),
    ("foreign:/a", "foreign:/a:nocopy"),
    ("odd:/a", "odd:/a:nocopy"),
    ("untold:/a", "untold:/a:nocopy"),
    ("unasked:/a", "unasked:/a:nocopy"),
]


@pytest.mark.parametrize(("given", "sent"), BINDS, ids=[b[0] for b in BINDS])
def test_a_bind(given: str, sent: str) -> None:
    """Only a plain volume that nobody has goes on as it came."""
    assert kept({"Binds": [given]})["HostConfig"]["Binds"] == [sent]
    # Podman reads names of `Volumes` as it reads binds.
    volumes = kept({}, volumes={given: {}, "/x": {}})["Volumes"]
    assert volumes == {sent: {}, "/x": {}}


NOCOPY: dict[str, Json] = {"VolumeOptions": {"NoCopy": True}}
BY_NAME: list[tuple[dict[str, Json], dict[str, Json]]] = [
    ({"Source": "new"}, {}),
    ({"Source": "plain", "VolumeOptions": {"Labels": {"a": "b"}}}, {}),
    ({"Source": "new", "VolumeOptions": {"DriverConfig": {"Name": "local"}}}, {}),
    ({"Source": "used"}, NOCOPY),
    ({"Source": "used", "VolumeOptions": None}, NOCOPY),
    ({"Source": "used", "VolumeOptions": {"NoCopy": False}}, NOCOPY),
    ({"Source": "used", "VolumeOptions": {"Labels": {"a": "b"}}},
     {"VolumeOptions": {"Labels": {"a": "b"}, "NoCopy": True}}),
    ({}, {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mount", "more"), BY_NAME, ids=[str(m[0])[:60] for m in BY_NAME]
)
def test_a_mount(mount: dict[str, Json], more: dict[str, Json]) -> None:
    """The same by `Mounts`; an anonymous local one is filled."""
    given: dict[str, Json] = {"Type": "volume", "Target": "/a", **mount}
    sent = kept({"Mounts": [deepcopy(given)]})["HostConfig"]["Mounts"]
    assert sent == [given | more]


OPTIONS: dict[str, Json] = {"type": "none", "o": "bind", "device": "/srv/app"}
BY_ITSELF: dict[str, dict[str, Json]] = {
    "options": {"DriverConfig": {"Options": OPTIONS}},
    "in memory": {"DriverConfig": {"Name": "local", "Options": {"type": "tmpfs"}}},
    "driver": {"DriverConfig": {"Name": "nfs"}},
    "part of it": {"Subpath": "a"},
}


@pytest.mark.parametrize("source", ["", "new", "plain"])
@pytest.mark.parametrize("options", BY_ITSELF.values(), ids=BY_ITSELF)
def test_what_a_mount_says_of_a_volume(options: dict[str, Json], source: str) -> None:
    """Options, another driver or a part of it: known before the Engine is asked."""
    mount: Json = {"Type": "volume", "Source": source, "VolumeOptions": options}
    sent = kept({"Mounts": [mount]})["HostConfig"]["Mounts"]
    assert sent[0]["VolumeOptions"] == options | {"NoCopy": True}


def test_a_driver_for_all() -> None:
    """`VolumeDriver` is that of binds, and of mounts that have none of their own."""
    mounts: Json = [
        {"Type": "volume"},
        {"Type": "volume", "VolumeOptions": {"DriverConfig": {"Name": "local"}}},
    ]
    sent = kept({"VolumeDriver": "nfs", "Binds": ["new:/a", "/b"], "Mounts": mounts})  # fmt: skip
    assert sent["HostConfig"]["Binds"] == ["new:/a:nocopy", "/b"]
    assert sent["HostConfig"]["Mounts"][0] == {"Type": "volume", **NOCOPY}
    assert "NoCopy" not in sent["HostConfig"]["Mounts"][1]["VolumeOptions"]


def test_one_volume_twice() -> None:
    """What makes a volume of the host's folder counts for its plain mention as well."""
    options: Json = {"DriverConfig": {"Options": OPTIONS}}
    mount: Json = {"Type": "volume", "Source": "new", "VolumeOptions": options}
    sent = kept({"Binds": ["new:/a"], "Mounts": [mount]})["HostConfig"]
    assert sent["Binds"] == ["new:/a:nocopy"]


def test_other_mounts_stay() -> None:
    """Binds, memory, images and the cluster's volumes are not filled."""
    kinds = ("bind", "tmpfs", "image", "cluster")
    mounts: list[Json] = [{"Type": kind, "Source": "used"} for kind in kinds]
    host: Json = {"Mounts": deepcopy(mounts), "Binds": ["./used:/x"]}
    assert kept(host)["HostConfig"] == {"Mounts": mounts, "Binds": ["./used:/x"]}


def test_what_is_reserved() -> None:
    """All that a creation of a container names; of a volume, its name."""
    body: Json = {
        "HostConfig": {
            "Binds": ["a:/a", "b:/b:nocopy", "/c:/c", "/d"],
            "Mounts": [{"Type": "volume", "Source": "e"}, {"Type": "volume"}],
        },
        "Volumes": {"f:/f": {}, "/g": {}},
    }
    assert reserved("ContainerCreate", body) == frozenset("abef")
    assert filled(body) == {"a", "e", "f"}
    assert reserved("ContainerCreate", {}) == frozenset()
    assert reserved("VolumeCreate", {"Name": "a"}) == frozenset("a")
    assert reserved("VolumeCreate", {}) is None
    assert reserved("ContainerUpdate", {}) is None
    assert reserved("ContainerCreate", None) is None


NAMES = st.sampled_from(sorted(name for _, name in KNOWN))
MODES = st.sampled_from(["", ":", ":ro", ":rw,z", ":nocopy", ":ro,nocopy"])
TARGETS = st.sampled_from(["/a", "/b"])
BIND = st.builds("{}:{}{}".format, NAMES | st.just("/srv/app"), TARGETS, MODES)
VOLUME_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "NoCopy": st.booleans(),
        "Subpath": st.sampled_from(["", "s"]),
        "DriverConfig": st.fixed_dictionaries(
            {},
            optional={
                "Name": st.sampled_from(["", "local", "nfs"]),
                "Options": st.sampled_from([{}, {"type": "tmpfs"}]),
            },
        ),
    },
)
MOUNT = st.fixed_dictionaries(
    {"Type": st.sampled_from(["volume", "bind", "tmpfs"]), "Target": TARGETS},
    optional={
        "Source": NAMES | st.just("/srv/app"),
        "VolumeOptions": VOLUME_OPTIONS | st.none(),
    },
)
HOST = st.fixed_dictionaries(
    {},
    optional={
        "Binds": st.lists(BIND, max_size=4),
        "Mounts": st.lists(MOUNT, max_size=4),
        "VolumeDriver": st.sampled_from(["", "local", "nfs"]),
    },
)


@given(host=HOST, volumes=st.dictionaries(BIND, st.just({}), max_size=3))
def test_the_edit(host: dict[str, Json], volumes: dict[str, Json]) -> None:
    """What goes on asks for the same, is left alone a second time, and is filled only where free."""
    asked = create(host, Volumes=volumes)
    body = asked.sent(keep_unfilled(asked.body, KNOWN)).body
    assert body is not None
    again = create(body["HostConfig"], Volumes=body["Volumes"])
    assert sorted(set(values(again))) == sorted(set(values(asked)))
    assert not list(keep_unfilled(again.body, KNOWN))
    assert filled(body) <= FREE
    assert all(one.is_plain or not one.edits for one in mounted(body))
    assert reserved("ContainerCreate", body) == reserved("ContainerCreate", again.body)
