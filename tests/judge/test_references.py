"""References: which fields, keys and routes name something that the Engine has."""

import pytest

from tests.api.test_fields import DOCUMENTED
from tests.judge.judging import of_endpoint
from trioproxy.api import routes
from trioproxy.api.arguments import Argument, Given
from trioproxy.api.decoding import Json
from trioproxy.api.edits import Sent
from trioproxy.api.families import Kind
from trioproxy.api.fields import ARGUED, STRUCTS, rows
from trioproxy.api.reading import Asked, ask
from trioproxy.errors import BadBody, BodyTooLarge
from trioproxy.judge.references import (
    FINDERS,
    MOST_REFERENCES,
    Named,
    Reference,
    find,
)
from trioproxy.limits.objects import own_alone
from trioproxy.limits.things import ENGINE, Known, Missing, Thing

NAMES_OF_FIELDS = {
    ("ContainerCreate", path)
    for path in (
        "Image",
        "Volumes",
        "HostConfig.Binds",
        "HostConfig.Cgroup",
        "HostConfig.CgroupnsMode",
        "HostConfig.IpcMode",
        "HostConfig.Links",
        "HostConfig.Mounts",
        "HostConfig.NetworkMode",
        "HostConfig.PidMode",
        "HostConfig.UTSMode",
        "HostConfig.UsernsMode",
        "HostConfig.VolumesFrom",
        "NetworkingConfig.EndpointsConfig",
        "NetworkingConfig.EndpointsConfig.Links",
        "NetworkingConfig.EndpointsConfig.NetworkID",
    )
} | {
    ("NetworkConnect", "Container"),
    ("NetworkConnect", "EndpointConfig.Links"),
    ("NetworkConnect", "EndpointConfig.NetworkID"),
    ("NetworkCreate", "ConfigFrom.Network"),
    ("NetworkDisconnect", "Container"),
    ("VolumeCreate", "Name"),
    ("ImageCommit", "Volumes"),
    ("ImageCommit", "container"),
    ("ImageBuild", "networkmode"),
}
"""Where the Engine's document has a name, an id or a mode that may hold one."""

MAY_NAME = (
    "container", "from", "id", "link", "mode", "mounts", "name", "network", "source",
    "volume", "binds", "image", "endpoint", "cgroup",
)  # fmt: skip
"""Words in the name of a field that may name something."""


def marked() -> set[tuple[str, str]]:
    found = set[tuple[str, str]]()
    for name, operation in ARGUED.items():
        found |= {(name, path) for path, field in rows(operation) if field.finder}
        found |= {(name, key) for key in operation.finders}
    return found


def test_the_marks_are_where_the_engine_reads_names() -> None:
    """Each field and key that names an object is marked, and no other one."""
    assert marked() == NAMES_OF_FIELDS
    documented = {(operation, path) for operation, _, path in DOCUMENTED}
    assert documented >= marked()


NO_NAMES = {
    "BlkioDeviceReadBps.Path", "BlkioWeightDevice.Path", "Capabilities", "CgroupParent",
    "CgroupnsMode", "ClusterVolumeSpec", "ConfigFrom", "ConsoleSize", "ContainerIDFile",
    "Device", "DeviceIDs", "DeviceRequests", "DomainName", "Domainname", "Driver", "EndpointConfig",
    "EndpointID", "EndpointsConfig.Aliases", "Hostname", "IPAMConfig", "ImageOptions", "LinkLocalIPs",
    "MacAddress", "Mode", "Name", "NetworkDisabled", "NetworkingConfig", "Platform", "UTSMode",
    "UsernsMode", "VolumeDriver", "VolumeOptions", "Volumes", "cachefrom", "fromImage", "fromSrc",
    "name", "remote", "repo", "session", "buildid", "cgroupparent", "AccessMode", "CgroupPermissions",
    "DNSNames", "DeviceCgroupRules", "IOMaximumBandwidth", "Image", "MountVolume", "PathInContainer", "PidsLimit",
}  # fmt: skip
"""Last parts of what sounds like a name, and names no object: looked at one by one."""


def test_what_sounds_like_a_name_was_looked_at() -> None:
    """A documented field with such a word in its name is marked, or known to name nothing."""
    unseen = set[str]()
    for operation, _, path in DOCUMENTED:
        last = path.rpartition(".")[2]
        sounds = any(word in last.lower() for word in MAY_NAME)
        if (
            sounds
            and (operation, path) not in marked()
            and not is_part(operation, path)
        ):
            unseen.add(last)
    assert unseen <= NO_NAMES | WITHIN, unseen - NO_NAMES - WITHIN


WITHIN = {
    "Source",
    "VolumeOptions",
    "ImageOptions",
    "MaskedPaths",
    "ShmSize",
    "Isolation",
}
"""Told with what holds it."""


def is_part(operation: str, path: str) -> bool:
    """Whether it is within a field that is marked as a whole."""
    return any(o == operation and path.startswith(f"{p}.") for o, p in marked())


def test_each_mark_has_its_reader() -> None:
    """What is marked is read, and every reader is used."""
    used = {f.finder for s in STRUCTS.values() for f in s.fields.values() if f.finder}
    used |= {one for o in ARGUED.values() for one in o.finders.values()}
    assert used == FINDERS.keys()


KINDS = {
    "/containers/{": Kind.CONTAINER,
    "/exec/{": Kind.EXEC,
    "/networks/{": Kind.NETWORK,
    "/volumes/{": Kind.VOLUME,
}


NAMING = [one for one in routes.ENDPOINTS if one.touch is routes.Touch.NAMES]


def test_each_route_with_an_object_is_known() -> None:
    """A row says that it names an object just if one stands in its path."""
    found = {
        endpoint.operation: kind
        for endpoint in routes.ENDPOINTS
        for begin, kind in KINDS.items()
        if endpoint.template.startswith(begin)
    }
    assert found == {one.operation: one.kind for one in NAMING}
    assert {one.kind for one in NAMING} == set(KINDS.values())


@pytest.mark.parametrize("operation", sorted(one.operation for one in NAMING))
def test_the_name_in_a_path(operation: str) -> None:
    """The first parameter of a template is what the request names, and is replaced whole."""
    (endpoint,) = routes.OPERATIONS[operation]
    for request in of_endpoint(endpoint):
        assert request.parameter == "x"
        changed = request.with_parameter("y" * 64)
        assert changed == endpoint.template.replace("{checkpoint}", "x").replace(
            endpoint.template.partition("{")[2].partition("}")[0].join("{}"), "y" * 64
        )


def asked(operation: str, body: Json, query: bytes = b"") -> Asked:
    known = ARGUED[operation]
    return ask(Given(operation=known, path="", query=query, body=body))


def named(operation: str, body: Json, query: bytes = b"") -> list[tuple[Kind, str]]:
    made = asked(operation, body, query)
    (request, *_) = of_endpoint(routes.OPERATIONS[operation][0])
    found = find(request, made, own_alone("ci"))
    return [(one.kind, one.text) for one in found.candidates if one.place]


C, N, V = Kind.CONTAINER, Kind.NETWORK, Kind.VOLUME
CREATES: list[tuple[dict[str, Json], list[tuple[Kind, str]]]] = [
    ({}, [(N, "default")]),
    ({"NetworkMode": "host"}, []),
    ({"NetworkMode": "none"}, []),
    ({"NetworkMode": "bridge"}, [(N, "bridge")]),
    ({"NetworkMode": "n1"}, [(N, "n1")]),
    ({"NetworkMode": "container:a"}, [(C, "a")]),
    ({"NetworkMode": "none", "PidMode": "container:a", "IpcMode": "container:b"}, [(C, "a"), (C, "b")]),
    ({"NetworkMode": "none", "PidMode": "host", "IpcMode": "shareable"}, []),
    ({"NetworkMode": "none", "Cgroup": "container:a"}, [(C, "a")]),
    ({"NetworkMode": "none", "VolumesFrom": ["a", "b:ro"]}, [(C, "a"), (C, "b")]),
    ({"NetworkMode": "none", "Links": ["a", "b:x", "/c:/d/e"]}, [(C, "a"), (C, "b"), (C, "/c")]),
    ({"NetworkMode": "none", "Binds": ["v:/a", "/h:/b", "/c", "w:/d:ro"]}, [(V, "v"), (V, "w")]),
    ({"NetworkMode": "none", "Mounts": [{"Type": "volume", "Source": "v"}, {"Type": "volume"},
      {"Type": "bind", "Source": "/x"}, {"Type": "tmpfs"}, {"Type": "cluster", "Source": "c"}]}, [(V, "v"), (V, "c")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("host", "found"), CREATES, ids=[str(c[0])[:50] for c in CREATES]
)
def test_what_a_creation_names(
    host: dict[str, Json], found: list[tuple[Kind, str]]
) -> None:
    """Each place and form is told, and what names nothing is not."""
    names = named("ContainerCreate", {"HostConfig": host})
    assert sorted(names) == sorted(found)


def test_what_others_name() -> None:
    """Bodies of networks and volumes, and keys of queries."""
    assert named("NetworkConnect", {"Container": "a"}) == [(C, "a")]
    assert named("NetworkDisconnect", {"container": "/a"}) == [(C, "/a")]
    assert named("NetworkCreate", {"ConfigFrom": {"Network": "n"}}) == [(N, "n")]
    assert named("VolumeCreate", {"Name": "v"}) == [(V, "v")]
    assert named("VolumeCreate", {}) == []
    assert named("ImageCommit", {}, b"container=a") == [(C, "a")]
    assert named("ImageBuild", None, b"networkmode=container%3Aa") == [(C, "a")]
    assert named("ImageBuild", None, b"networkmode=n") == [(N, "n")]
    assert named("ImageBuild", None, b"networkmode=host") == []
    assert named("ImageBuild", None) == [(N, "default")]
    body: Json = {
        "HostConfig": {"NetworkMode": "none"},
        "Volumes": {"/a": {}, "v:/b": {}},
    }
    assert named("ContainerCreate", body) == [(V, "v")]
    assert [k for k, _ in named("ImageBuild", None, b"networkmode=default")] == [N]


def pinned(operation: str, body: Json, query: bytes = b"") -> Sent:
    made = asked(operation, body, query)
    (request, *_) = of_endpoint(routes.OPERATIONS[operation][0])
    found = find(request, made, own_alone("ci"))
    known = {
        (one.kind, one.text): Thing(one.kind, f"id-of-{one.text.strip('/')}", ("n1",))
        for one in found.candidates
    }
    named = found._replace(references=found.candidates, known=known)
    return made.sent(named.pinned())


def test_ids_go_on() -> None:
    """What was judged goes on: ids of containers, and of networks beside their names."""
    host: dict[str, Json] = {
        "NetworkMode": "n1",
        "PidMode": "container:p",
        "VolumesFrom": ["a:ro"],
        "Links": ["/b:/c/d", "e"],
    }
    made = pinned("ContainerCreate", {"HostConfig": host})
    assert made.body is not None
    assert made.body["HostConfig"] == {
        "NetworkMode": "n1",
        "PidMode": "container:id-of-p",
        "VolumesFrom": ["id-of-a:ro"],
        "Links": ["id-of-b:d", "id-of-e:e"],
    }
    assert made.body["NetworkingConfig"] == {
        "EndpointsConfig": {"n1": {"NetworkID": "id-of-n1"}}
    }


def test_an_endpoint_is_pinned_whatever_it_says() -> None:
    """A `NetworkID` of the client's never goes on: the Engine would join that network."""
    endpoints: dict[str, Json] = {
        "n2": {"NetworkID": "evil", "Aliases": ["x"]},
        "bridge": {"NetworkID": "evil"},
        "host": {"networkid": "evil"},
        "n3": None,
    }
    body: Json = {
        "HostConfig": {"NetworkMode": "n1"},
        "NetworkingConfig": {"EndpointsConfig": endpoints},
    }
    made = pinned("ContainerCreate", body)
    assert made.body is not None
    assert made.body["NetworkingConfig"] == {
        "EndpointsConfig": {
            "n2": {"Aliases": ["x"], "NetworkID": "id-of-n2"},
            "bridge": {},
            "host": {},
            "n3": {"NetworkID": "id-of-n3"},
        }
    }
    made = pinned("NetworkConnect", {"Container": "a", "EndpointConfig": {"NetworkID": "evil"}})  # fmt: skip
    assert made.parameter == "id-of-x"
    assert made.body == {
        "Container": "id-of-a",
        "EndpointConfig": {"NetworkID": "id-of-x"},
    }


def test_a_query_is_pinned() -> None:
    """Keys of the query get the id; the others stay as they were."""
    made = pinned("ImageCommit", {}, b"container=a&repo=x%2Fy&changes=A&changes=B")
    assert made.query == (b"container=id-of-a&repo=x%2Fy&changes=A&changes=B")
    made = pinned("ImageBuild", None, b"t=a&networkmode=container:b")
    assert made.query == b"t=a&networkmode=container%3Aid-of-b"
    # As Podman reads it: in the query too, and not in the body, where it means nothing.
    made = pinned("ImageCommit", {}, b"Container=a")
    assert (made.query, made.body) == (b"Container=id-of-a", {})


def test_a_reference_that_has_no_pin_stays() -> None:
    """A volume has no id, and what is known without asking needs none."""
    thing = Thing(Kind.VOLUME, "v")
    assert not list(Named((), (Reference(Kind.VOLUME, "v", "", thing=thing),)).pinned())


@pytest.mark.parametrize(
    "text", ["b:../web", "b:x/../../web", "b:a/b", "b:..", "/b:/c/.."]
)
def test_a_link_names_nothing_for_all(text: str) -> None:
    """By `../web` the Engine calls what is linked so, whatever names the lists have: also as a
    stranger's id begins, who is not found by that any more."""
    host: dict[str, Json] = {"NetworkMode": "none", "Links": ["a", text]}
    with pytest.raises(
        BadBody, match=r"^HostConfig.Links\[1\] gives another container a name: "
    ):
        named("ContainerCreate", {"HostConfig": host})


def test_names_are_bounded() -> None:
    """Each name may be a question to the Engine: a request has so many and no more."""
    links: Json = [f"c{number}:x" for number in range(MOST_REFERENCES)]
    host: dict[str, Json] = {"NetworkMode": "none", "Links": links}
    assert len(named("ContainerCreate", {"HostConfig": host})) == MOST_REFERENCES
    host["VolumesFrom"] = ["one-more"]
    with pytest.raises(BodyTooLarge, match="names more than is looked up at once"):
        named("ContainerCreate", {"HostConfig": host})


def test_what_is_known_of_what_is_named() -> None:
    """What is missing, or was not asked about, is no thing; and a name alone no argument."""
    image = Argument("CREATE_IMAGES", "a1", "Image")
    runtime = Argument("CREATE_RUNTIMES", "runc", "Runtime", unless_default=True)
    references = (
        Reference(Kind.IMAGE, "a1", "Image", argument=image),
        Reference(Kind.IMAGE, "b2", "Image", argument=image._replace(value="b2")),
        Reference(*ENGINE, "Runtime", argument=runtime),
        Reference(Kind.VOLUME, "v", "Binds"),
        Reference(Kind.NETWORK, "bridge", "", thing=Thing(Kind.NETWORK, "bridge")),
    )
    there = Thing(Kind.IMAGE, "sha256:a1", ("x:1",))
    engine = Thing(Kind.ENGINE, "", ("CREATE_RUNTIMES=runc",))
    known: Known = {
        (Kind.IMAGE, "a1"): there,
        (Kind.IMAGE, "b2"): Missing(404, ""),
        ENGINE: engine,
        (Kind.VOLUME, "v"): Thing(Kind.VOLUME, "v"),
    }
    named = Named(references, references, known)
    assert list(named.things()) == [(image, there), (runtime, engine)]
    assert named.defaults == {runtime}
    assert all(named.thing_of(one) is not None for one in references)
    assert len(named.arguments) == 3
    some = {key: one for key, one in known.items() if key != ENGINE}
    assert named._replace(known=some).thing_of(references[2]) is None
    assert not named._replace(known=some).defaults
