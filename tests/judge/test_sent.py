"""What goes on: a request as it was read, with the edits that were noted while it was judged."""

from typing import Any

import pytest
import trio
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests import corpus
from tests.corpus import CONTAINERS, NETWORKS, TAGGED, WORLD
from tests.deciding import Door, asked, written
from tests.depth import by_depth
from trioproxy.api import normal
from trioproxy.api.arguments import Given, minor
from trioproxy.api.edits import Json
from trioproxy.api.fields import ARGUED
from trioproxy.api.matched import Request
from trioproxy.api.reading import ask
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.references import find
from trioproxy.limits.objects import own_alone

SOCKET = "/run/us/docker.sock"
GRANTED = {
    "ALLOW_OPERATIONS": "ContainerCreate,ContainerExport,ImageBuild,NetworkConnect,NetworkCreate,VolumeCreate"
}
LISTS = {
    "CREATE_BINDS": "/srv/app,@proxy", "CREATE_IMAGES": "app:1", "CREATE_NAMESPACES": "*",
    "CREATE_OPTIONS": "*", "CREATE_DRIVERS": "*", "PROXY_SOCKET": SOCKET,
}  # fmt: skip
OWN = {"ONLY_CONTAINERS": "@own,web", "ONLY_VOLUMES": "*", "ONLY_OWNER": "app"}
POLICIES = [
    parse_policy(one)[0]
    for one in (GRANTED, GRANTED | LISTS, GRANTED | OWN, GRANTED | LISTS | OWN)
]
BY_ID: dict[str, Any] = {
    **WORLD,
    **{
        f"/containers/{one['Id']}/json": {"Name": f"/{name}", **one}
        for name, one in CONTAINERS.items()
    },
    **{
        f"/networks/{one['Id']}": one
        for one in (WORLD[f"/networks/{name}"] for name in NETWORKS)
    },
}
"""The Engine of the corpus, which has its things under their ids, too."""


def test_nothing_that_was_read_is_changed_while_it_is_judged() -> None:
    """Whatever a gate makes of a request, its parsed body and its reading stay as they were: `Door` looks."""
    policy, passed = POLICIES[-1], 0
    gates: list[Gate] = [
        Gate.enforcing(policy),
        Gate.trying(policy),
        Gate.learning(policy),
        Gate.learning(),
    ]
    for gate in gates:
        at = Door(gate=gate, own=corpus.OWN)
        for _, line, body in corpus.requests():
            passed += body is not None and asked(at, line, body, WORLD).allowed
    assert passed > 100


# --- What goes on, asked again ----------------------------------------------------

NAMES = st.sampled_from(["mine", "web", "/web", CONTAINERS["mine"]["Id"], "theirs"])
NETWORK = st.sampled_from(
    ["mine", "web", "theirs", "bridge", "default", "none", "host"]
)
VOLUME = st.sampled_from(["mine", "theirs", "web", "new", "folder", "anonymous"])
SOURCE = VOLUME | st.sampled_from(["/srv/app", "/var/run/docker.sock", SOCKET])
MODES = st.sampled_from(["", ":ro", ":nocopy", ":ro,z"])
BINDS = st.builds("{}:/x{}".format, SOURCE, MODES) | st.just("/anonymous")
MODE = st.sampled_from(["", "host", "private"]) | st.builds(
    "container:{}".format, NAMES
)
LABELS = st.none() | st.fixed_dictionaries(
    {}, optional={"a": st.just("b"), "trioproxy.owner": st.sampled_from(["", "app"])}
)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A struct with some of these."""
    return st.fixed_dictionaries({}, optional=fields)


def few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """A short list."""
    return st.lists(values, max_size=3)


OPTIONS = some(
    Labels=LABELS,
    NoCopy=st.booleans(),
    Subpath=st.sampled_from(["", "s"]),
    DriverConfig=some(Name=st.sampled_from(["", "local", "nfs"])),
)
MOUNT = st.one_of(
    some(Source=SOURCE, Target=st.just("/x")).map({"Type": "bind"}.__or__),
    some(Source=VOLUME, VolumeOptions=OPTIONS).map({"Type": "volume"}.__or__),
    st.just({"Type": "image", "Source": "dddd"}),
)
LINKS = st.builds("{}{}".format, NAMES, st.sampled_from(["", ":a", ":/me/b"]))
ENDPOINTS = st.dictionaries(
    NETWORK,
    st.none() | some(Links=few(LINKS), NetworkID=st.just("b" * 64), Aliases=few(NAMES)),
    max_size=2,
)
HOST = some(
    Binds=few(BINDS), Mounts=few(MOUNT), VolumeDriver=st.sampled_from(["", "local", "nfs"]),
    NetworkMode=NETWORK | MODE, PidMode=MODE, IpcMode=MODE, Cgroup=MODE, Links=few(LINKS),
    VolumesFrom=few(st.builds("{}{}".format, NAMES, st.sampled_from(["", ":ro"]))),
    CapAdd=few(st.just("KILL")), CapDrop=few(st.sampled_from(["ALL", "NET_RAW"])),
)  # fmt: skip
CREATION = some(
    Image=st.sampled_from(["app:1", "dddd", TAGGED]), Labels=LABELS, HostConfig=HOST,
    Volumes=st.dictionaries(BINDS, st.just({}), max_size=2),
    NetworkingConfig=some(EndpointsConfig=ENDPOINTS),
)  # fmt: skip
VERSION = st.sampled_from(["", "/v1.39", "/v1.40", "/v1.45"])
CONNECTING = some(
    Container=NAMES, EndpointConfig=some(NetworkID=st.just("x")) | st.none()
)
REQUESTS = st.one_of(
    st.tuples(st.just("ContainerCreate"), st.builds("POST {}/containers/create".format, VERSION), CREATION),
    st.tuples(st.just("NetworkConnect"), st.builds("POST /networks/{}/connect".format, NETWORK), CONNECTING),
    st.tuples(st.just("NetworkCreate"), st.just("POST /networks/create"), some(Labels=LABELS, ConfigFrom=some(Network=NETWORK))),
    st.tuples(st.just("VolumeCreate"), st.just("POST /volumes/create"), some(Labels=LABELS, Name=VOLUME)),
    st.tuples(st.just("ImageBuild"), st.builds("POST /build?t=a&networkmode={}".format, NETWORK | MODE), st.none()),
)  # fmt: skip


@pytest.mark.deep
@settings(max_examples=by_depth(60, 1_000), deadline=None)
@given(request=REQUESTS)
def test_what_goes_on_is_judged_alike_and_goes_on_as_it_is(
    request: tuple[str, str, Json],
) -> None:
    """It asks for what was judged, but for images whose name became an id; and judged
    again it passes, and no byte of it is changed."""
    # To make a request takes longer than to have it judged: all policies judge each.
    trio.run(_goes_on_alike, *request)


async def _goes_on_alike(operation: str, line: str, body: Json) -> None:
    for policy in POLICIES:
        at = Door(gate=Gate.enforcing(policy), own=corpus.OWN)
        first = await at.ask(written(line, body), BY_ID)
        event(f"{operation} {'passes' if first.allowed else first.word}")
        is_read = first.sent.endswith(b"}")
        if not first.allowed or (body is not None and not is_read):
            continue
        sent = written(first.line, first.body if is_read else None)
        again = await at.ask(sent, BY_ID)
        assert (again.allowed, again.sent) == (True, first.sent)
        assert again.reserved == first.reserved
        if is_read:
            assert arguments(operation, first.line, first.body) == arguments(
                operation, line, body
            )


def arguments(operation: str, line: str, body: Json) -> set[tuple[str, str]]:
    """What a request asks for, but for images by their ids."""
    version = line.split("/")[1]
    known = Given(
        operation=ARGUED[operation],
        path="",
        body=body,
        proxy_socket=SOCKET,
        version=minor(f"/{version}") if version.startswith("v1.") else None,
    )
    return {
        (one.variable, one.value)
        for one in ask(known).arguments
        if not (one.variable == "CREATE_IMAGES" and normal.is_image_id(one.value))
    }


UP = "/srv/app/link/.."


def _by_paths(path: str) -> dict[str, Any]:
    """A creation with a path in each place where the Engine cleans none."""
    options = {"type": "none", "o": "bind", "device": path}
    driver = {"DriverConfig": {"Options": options}}
    mount = {"Type": "volume", "Source": "new", "Target": "/h", "VolumeOptions": driver}
    host: dict[str, Any] = {"Mounts": [mount], "Devices": [{"PathOnHost": path}]}
    host["BlkioDeviceReadBps"] = [{"Path": path, "Rate": 1}]
    return {"Image": "app:1", "HostConfig": host}


def test_a_path_goes_on_as_it_was_judged() -> None:
    """Behind a link that a container plants `..` leads anywhere: where the Engine does not clean a path, it goes on cleaned."""
    policy = parse_policy(GRANTED | LISTS | {"CREATE_DEVICES": "/srv/app"})[0]
    at = Door(gate=Gate.enforcing(policy), own=corpus.OWN)
    plain, up = (
        asked(at, "POST /containers/create", _by_paths(path), WORLD)
        for path in ("/srv/app", UP)
    )
    assert plain.allowed, plain.message
    assert up.sent == plain.sent
    body = {"Name": "new", "DriverOpts": {"type": "none", "o": "bind", "device": UP}}
    made = asked(at, "POST /volumes/create", body, WORLD)
    assert made.body["DriverOpts"]["device"] == "/srv/app"
    # Where objects are limited the proxy makes the volume itself, in the same form.
    read = ask(
        Given(ARGUED["ContainerCreate"], "/containers/create", b"", _by_paths(UP))
    )
    found = find(
        Request.parse("POST", b"/containers/create"), read, own_alone("ci")
    ).candidates
    (makes,) = (one.makes["DriverOpts"] for one in found if one.makes)
    assert makes == {"type": "none", "o": "bind", "device": "/srv/app"}


def test_what_is_listed_as_a_whole_goes_on_whole() -> None:
    """Of a field that nobody reads further nothing is left out."""
    listed = {"CREATE_OPTIONS": "VolumeCreate:ClusterVolumeSpec"}
    policy = parse_policy({**GRANTED, **LISTS, **listed})[0]
    spec: dict[str, Any] = {"Group": "x", "AccessMode": {"Scope": ["single", 1, None]}}
    body = {"Name": "new", "ClusterVolumeSpec": spec}
    answer = asked(
        Door(gate=Gate.enforcing(policy)), "POST /volumes/create", body, WORLD
    )
    assert answer.allowed, answer.message
    assert answer.body["ClusterVolumeSpec"] == spec
