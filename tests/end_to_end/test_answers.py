"""Lists, networks and events through a proxy: what the raw socket shows, without strangers."""

import json
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_races import send
from tests.engine import Engine
from tests.patience import PATIENCE
from trioproxy.api.routes import OPERATIONS

POLICY = {
    "ALLOW_OPERATIONS": ",".join(OPERATIONS.keys() - {"BuildKitGrpc"}),
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "answers",
}


@dataclass(kw_only=True)
class Stage:
    """An Engine on which a client and strangers have something."""

    raw: str
    """The Engine's socket."""
    proxied: str
    own: dict[str, str] = field(default_factory=dict)
    """Ids of what the client made, and names of its volumes, by what they are called here."""
    strangers: dict[str, str] = field(default_factory=dict)

    def make(self, kind: str, name: str, *, is_own: bool, **body: Any) -> str:  # noqa: ANN401  JSON
        """Make something through the proxy or behind it."""
        path = self.proxied if is_own else self.raw
        given = {"Name": name, **body}
        target = f"/{kind}/create"
        if kind == "containers":
            given = {"Image": "busybox", "Cmd": ["sleep", "900"], **body}
            target += f"?name={name}"
        status, made = send(path, "POST", target, given)
        assert status == 201, made
        one = str(made.get("Id") or made["Name"])
        (self.own if is_own else self.strangers)[name] = one
        return one

    def start(self, one: str) -> None:
        """Let a container run."""
        assert send(self.raw, "POST", f"/containers/{one}/start")[0] == 204

    def fill(self) -> None:
        """Make some of everything."""
        label = {"Labels": {"app": "x"}}
        for is_own, who in ((True, "own"), (False, "other")):
            self.make("networks", f"{who}-net", is_own=is_own, **label)
            self.make("volumes", f"{who}-vol", is_own=is_own, **label)
            mounts = [
                {"Type": "volume", "Source": f"{who}-vol", "Target": "/v"},
                {"Type": "volume", "Target": "/anonymous"},
            ]
            host = {"Mounts": mounts}
            for number in range(3):
                more: dict[str, Any] = {"HostConfig": host, **label} if number else {}
                name = f"{who}-{number}"
                one = self.make("containers", name, is_own=is_own, **more)
                if number != 1:
                    self.start(one)
        both = [self.own["own-2"], self.strangers["other-2"]]
        for one in both:
            body = {"Container": one}
            for network in ("own-net", "other-net"):
                found = send(self.raw, "POST", f"/networks/{network}/connect", body)
                assert found[0] == 200, found

    def anonymous(self) -> set[str]:
        """The volumes without names that its own containers alone have."""
        return {
            mount["Name"]
            for one in send(self.raw, "GET", "/containers/json?all=1")[1]
            if one["Id"] in self.own.values()
            for mount in one["Mounts"]
            if mount["Destination"] == "/anonymous"
        }

    def clean(self) -> None:
        """Leave nothing."""
        names = {**self.own, **self.strangers}
        for name, one in sorted(names.items()):
            if name[-4:] not in {"-net", "-vol"}:
                send(self.raw, "DELETE", f"/containers/{one}?force=1&v=1")
        for name, one in names.items():
            kind = {"net": "networks", "vol": "volumes"}.get(name[-3:])
            if kind:
                send(self.raw, "DELETE", f"/{kind}/{one}")


@pytest.fixture(scope="module")
def stage(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The stage, and a proxy on it."""
    folder: Path = tmp_path_factory.mktemp("answers")
    listen = str(folder / "proxy.sock")
    with enforcing(engine, listen=f"unix://{listen}", variables=POLICY):
        stage = Stage(raw=str(engine.socket), proxied=listen)
        try:
            stage.fill()
            yield stage
        finally:
            stage.clean()


def target(path: str, **query: str) -> str:
    pairs = "&".join(f"{key}={quote(value)}" for key, value in query.items())
    return f"{path}?{pairs}" if pairs else path


def still(containers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same without how long they have been running, and in which order Go walks a map."""
    return [
        {
            **one,
            "Status": one["Status"].split()[0],
            "Mounts": sorted(
                one["Mounts"], key=lambda mount: str(mount["Destination"])
            ),
        }
        for one in containers
    ]


def some(random_: random.Random, choices: dict[str, list[str]]) -> dict[str, str]:
    """A query of some of these."""
    keys = [key for key in choices if random_.random() < 0.4]
    return {key: random_.choice(choices[key]) for key in keys}


FILTERS = [
    json.dumps(one)
    for one in (
        {"label": ["app"]},
        {"label": ["app=x"], "status": ["running"]},
        {"name": ["own"]},
        {"name": ["other"]},
        {"status": ["created", "exited"]},
        {"volume": ["own-vol"]},
        {"volume": ["other-vol"]},
        {"network": ["own-net"]},
        {"network": ["other-net", "bridge"]},
        {"ancestor": ["busybox"]},
    )
]


def test_lists_of_containers(stage: Stage) -> None:
    """A hundred queries: what is the client's own, in the Engine's own order and words."""
    choices = {
        "all": ["1", "0", "true"],
        "size": ["1"],
        "filters": FILTERS,
        "limit": ["1", "2", "3", "9", "-1", "0"],
    }
    own, chance = set(stage.own.values()), random.Random(29)
    for _ in range(100):
        asked = some(chance, choices)
        # The limit is applied behind the Engine, to what is left; it shows all states.
        plain = {k: v for k, v in asked.items() if k != "limit"}
        limit = int(asked.get("limit", 0))
        plain |= {"all": "1"} if limit > 0 else {}
        status, expected = send(stage.raw, "GET", target("/containers/json", **plain))
        assert status == 200
        expected = [one for one in expected if one["Id"] in own]
        expected = expected[:limit] if limit > 0 else expected
        status, found = send(stage.proxied, "GET", target("/containers/json", **asked))
        assert (status, still(found)) == (200, still(expected)), asked


def with_members(network: dict[str, Any], own: set[str]) -> dict[str, Any]:
    """A network as a client is shown it that owns these; lists of newer Engines have no members."""
    shown = {k: v for k, v in network.items() if k not in {"Services", "Status"}}
    if members := shown.get("Containers"):
        shown["Containers"] = {one: members[one] for one in members if one in own}
    return shown


BUILT_IN = {"bridge", "host", "none"}
"""Networks that an unset `ONLY_NETWORKS` lists."""


@pytest.mark.parametrize("version", ["", "/v1.27"], ids=["now", "with members"])
def test_lists_of_networks(stage: Stage, version: str) -> None:
    """Those that are listed, with those members that are; an old client is shown members."""
    own = set(stage.own.values())
    for filters in ({}, {"label": ["app"]}, {"driver": ["bridge"]}, {"name": ["net"]}):
        asked = target(f"{version}/networks", filters=json.dumps(filters))
        status, expected = send(stage.raw, "GET", asked)
        if status == 400:  # newer Engines do not speak that any more
            assert send(stage.proxied, "GET", asked) == (status, expected)
            continue
        assert status == 200
        expected = [
            with_members(one, own)
            for one in expected
            if one["Id"] in own or one["Name"] in BUILT_IN
        ]
        status, found = send(stage.proxied, "GET", asked)
        by_name = {one["Name"]: one for one in found}
        assert (status, by_name) == (200, {one["Name"]: one for one in expected})


@pytest.mark.parametrize("query", ["", "?verbose=true", "?scope=local"])
@pytest.mark.parametrize("name", ["own-net", "bridge"])
def test_a_network_and_who_is_on_it(stage: Stage, name: str, query: str) -> None:
    """An inspected network shows of its members those that are the client's own."""
    own, asked = set(stage.own.values()), f"/networks/{name}{query}"
    status, expected = send(stage.raw, "GET", asked)
    assert status == 200
    shown = with_members(expected, own)
    assert len(expected["Containers"]) > len(shown["Containers"]) > 0
    assert send(stage.proxied, "GET", asked) == (200, shown)


def test_lists_of_volumes(stage: Stage) -> None:
    """Its own, and the volumes without names that its own containers alone have."""
    own = set(stage.own.values())
    used = stage.anonymous()
    assert len(used) == 2
    for filters in (
        {},
        {"label": ["app"]},
        {"dangling": ["false"]},
        {"name": ["-vol"]},
    ):
        asked = target("/volumes", filters=json.dumps(filters))
        status, expected = send(stage.raw, "GET", asked)
        assert status == 200
        expected["Volumes"] = [
            one for one in expected["Volumes"] if one["Name"] in own | used
        ]
        status, found = send(stage.proxied, "GET", asked)
        for one in (found, expected):
            one["Volumes"].sort(key=lambda volume: str(volume["Name"]))
        assert (status, found) == (200, expected)


@dataclass
class Events:
    """A stream of events."""

    reader: BinaryIO

    def next(self) -> dict[str, Any]:
        """Wait for one."""
        found: dict[str, Any] = json.loads(self.reader.readline())
        return found


@contextmanager
def events(path: str, **query: str) -> Iterator[Events]:
    """Watch what happens, as HTTP/1.0, so that nothing frames the lines."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        asked = target("/events", **query)
        sock.sendall(f"GET {asked} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        with sock.makefile("rb") as reader:
            assert b" 200 " in reader.readline()
            while reader.readline() != b"\r\n":
                pass
            yield Events(reader)


def container_of(event: dict[str, Any]) -> str | None:
    """The container that a volume or network got or lost."""
    found: str | None = event["Actor"]["Attributes"].get("container")
    return found


def is_nobodys(event: dict[str, Any]) -> bool:
    """Of what no list holds, and everybody may ask for."""
    return event["Type"] in {"builder", "daemon", "image", "plugin"}


def is_own(event: dict[str, Any], own: set[str]) -> bool:
    if is_nobodys(event):
        return True
    actor = event["Actor"]
    ids = [actor["ID"], container_of(event)]
    named = actor["Attributes"].get("name")  # a prune of everybody's has none
    is_listed = event["Type"] == "network" and named in BUILT_IN
    return all(one in own for one in ids[is_listed:] if one is not None)


@pytest.mark.slow
def test_events_as_they_happen(stage: Stage) -> None:
    """Each event of its own is there before the next is caused; strangers' never are."""
    # These go with one event, and were there before anybody watched.
    mounts = [{"Type": "volume", "Target": "/anonymous"}]
    since = f"{time.time():.6f}"
    going = [
        stage.make("containers", name, is_own=is_mine, HostConfig={"Mounts": mounts})
        for name, is_mine in (("other-going", False), ("own-going", True))
    ]
    own = set(stage.own.values()) | stage.anonymous()
    with (
        events(stage.raw, since=since) as all_events,
        events(stage.proxied, since=since) as shown,
    ):
        # The Engine sends the head before it listens itself: it does when it tells of this.
        for stream in (all_events, shown):
            while stream.next()["Actor"]["ID"] != going[-1]:
                pass
        for one in going:
            assert send(stage.raw, "DELETE", f"/containers/{one}?v=1")[0] == 204
        for step in range(6):
            for is_mine in (False, True, False):
                name = f"late{step}{is_mine}"
                host = {"NetworkMode": "own-net", "Binds": ["own-vol:/v"]}
                host = host if is_mine else {}
                made = stage.make("containers", name, is_own=is_mine, HostConfig=host)
                own |= {made} if is_mine else set()
                stage.start(made)
                send(stage.raw, "POST", f"/containers/{made}/rename?name={name}x")
                send(stage.raw, "DELETE", f"/containers/{made}?force=1")
                while True:
                    event = all_events.next()
                    if is_own(event, own):
                        assert shown.next() == event
                    if event["Action"] == "destroy" and event["Actor"]["ID"] == made:
                        break


def test_events_of_before(stage: Stage) -> None:
    """What happened is told of what is still there; of what is gone, where a name says all."""
    own = set(stage.own.values()) | stage.anonymous()
    nothing = json.dumps({"label": ["that=nothing-has"]})
    for kind in ("containers", "networks", "volumes", "images", "build"):
        pruned = target(f"/{kind}/prune", filters=nothing)
        assert send(stage.raw, "POST", pruned)[0] == 200  # an event of no object
    until = str(int(time.time()) + 1)
    with events(stage.raw, since="0", until=until) as stream:
        status, found = send(stage.raw, "GET", "/containers/json?all=1")
        assert status == 200
        there = {one["Id"] for one in found} | stage.anonymous()
        there |= {stage.own["own-net"], stage.own["own-vol"]}
        expected = [json.loads(line) for line in stream.reader]
    expected = [
        event
        for event in expected
        if is_nobodys(event)
        or (
            is_own(event, own)
            and (container_of(event) or event["Actor"]["ID"]) in there
        )
    ]
    with events(stage.proxied, since="0", until=until) as stream:
        assert [json.loads(line) for line in stream.reader] == expected
    assert len(expected) > 10


def test_events_where_nothing_has_happened(stage: Stage) -> None:
    """What has no event at all ends as the Engine ends it, and is no broken answer."""
    asked = target("/events", since="1", until="2")
    for path in (stage.raw, stage.proxied):
        assert send(path, "GET", asked) == (200, None)


def test_filters_that_name_a_container(stage: Stage) -> None:
    """Of a stranger there is none: status and words are those of a name that is nobody's."""
    for key in ("before", "since"):
        asked = target(
            "/containers/json", all="1", filters=json.dumps({key: ["own-2"]})
        )
        expected = send(stage.raw, "GET", asked)[1]
        own = set(stage.own.values())
        expected = [one for one in expected if one["Id"] in own]
        assert still(send(stage.proxied, "GET", asked)[1]) == still(expected)
        for name in ("other-2", "nobody"):
            asked = target("/containers/json", filters=json.dumps({key: [name]}))
            found = send(stage.proxied, "GET", asked)
            assert found == (404, {"message": f"No such container: {name}"})


def without_strangers(stage: Stage, disk: dict[str, Any]) -> dict[str, Any]:
    """What `/system/df` would say if there were no strangers."""
    own = {*stage.own.values(), *stage.anonymous()}
    containers = [one for one in disk["Containers"] if one["Id"] in own]
    used = [one["ImageID"] for one in containers]
    return {
        **disk,
        "Images": [
            {**one, "Containers": used.count(one["Id"])} for one in disk["Images"]
        ],
        "Containers": still(containers),
        "Volumes": [one for one in disk["Volumes"] if one["Name"] in own],
    }


ACTIVE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Container": lambda one: one["State"] == "running",
    "Image": lambda one: one["Containers"] > 0,
    "Volume": lambda one: one["UsageData"]["RefCount"] > 0,
}
"""What the Engine counts as active."""
KINDS = ("", "?type=container", "?type=image", "?type=volume", "?type=image&type=volume", "?type=build-cache")  # fmt: skip


@pytest.mark.engine
@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("version", ["", "/v1.45", "/v1.41"])
def test_disk_usage(stage: Stage, version: str, kinds: str) -> None:
    """Containers and volumes of strangers are left out, and of images what they use of them."""
    path = f"{version}/system/df{kinds}"
    status, disk = send(stage.raw, "GET", path)
    if status == 400:  # newer Engines do not speak the oldest
        assert send(stage.proxied, "GET", path) == (status, disk)
        return
    assert status == 200
    every = {"Images", "Containers", "Volumes"} & disk.keys()
    containers = send(stage.raw, "GET", "/containers/json?all=1")[1]
    full = {name: disk.get(name) or [] for name in ("Images", "Containers", "Volumes")}
    wanted = without_strangers(stage, full)
    if not full["Containers"]:  # who uses images is told all the same
        wanted["Images"] = without_strangers(stage, {**full, "Containers": containers})["Images"]  # fmt: skip
    status, shown = send(stage.proxied, "GET", path)
    assert status == 200
    assert list(shown) == list(disk)
    told = json.dumps(shown)
    assert not [one for name, one in stage.strangers.items() if one in told and name != "other-net"]  # fmt: skip
    for kind, counted in ACTIVE.items():  # newer Engines sum it up beside
        shown_sum, whole = (one.pop(f"{kind}Usage", {}) for one in (shown, disk))
        assert bool(shown_sum) == bool(whole)
        items = wanted[f"{kind}s"] if whole else []
        assert shown_sum.get("TotalCount", 0) == len(items)
        assert shown_sum.get("ActiveCount", 0) == sum(map(counted, items))
    for found in (shown, disk):  # the Engine walks a map of its build cache, too
        if found.get("BuildCache"):
            found["BuildCache"].sort(key=str)
    assert {k: v for k, v in shown.items() if k not in every} == {k: v for k, v in disk.items() if k not in every}  # fmt: skip
    for name in every:
        elements, found = wanted[name], shown[name]
        assert (found is None) == (disk[name] is None)
        if name == "Containers":
            found = still(found or [])
        # Go walks a map of volumes in another order each time.
        assert sorted(found or [], key=str) == sorted(elements, key=str), name


@pytest.mark.engine
def test_images_and_who_uses_them(stage: Stage) -> None:
    """A list of images is as on the raw socket, but for whose containers use them."""
    containers = send(stage.raw, "GET", "/containers/json?all=1")[1]
    for query in ("", "?all=1", "?shared-size=1", "?manifests=1"):
        status, images = send(stage.raw, "GET", f"/images/json{query}")
        full = {"Containers": containers, "Images": images, "Volumes": []}
        counted = without_strangers(stage, full)["Images"]
        own = set(stage.own.values())
        for one, narrowed in zip(images, counted, strict=True):
            if one["Containers"] >= 0:  # older Engines count none here
                one["Containers"] = narrowed["Containers"]
            for part in one.get("Manifests") or ():
                data = part.get("ImageData", {})
                if users := data.get("Containers"):
                    data["Containers"] = [one for one in users if one in own]
        # Of two that were made in one second the Engine tells in any order.
        shown = send(stage.proxied, "GET", f"/images/json{query}")
        assert (shown[0], sorted(shown[1], key=str)) == (status, sorted(images, key=str))  # fmt: skip


NAMES_OF_OTHERS = {"own-0", "own-1", "own-2", "own-p", "other-1"}

BY_OTHERS: dict[str, tuple[str, Callable[[dict[str, Any]], bool]]] = {
    "names": ("own-*,other-1", lambda one: one["Names"][0][1:] in NAMES_OF_OTHERS),
    "a label": ("@label:app=x", lambda one: one["Labels"].get("app") == "x"),
    "a project": (
        "@project:p",
        lambda one: one["Labels"].get("com.docker.compose.project") == "p",
    ),
    "all": ("*", lambda _: True),
}


@pytest.mark.parametrize("items", BY_OTHERS)
def test_lists_by_other_items(
    stage: Stage, engine: Engine, tmp_path: Path, items: str
) -> None:
    """By names, labels and projects, whoever made them: containers, and who is on a network."""
    listed, fits = BY_OTHERS[items]
    labels = {
        "com.docker.compose.project": "p",
        "com.docker.compose.container-number": "1",
    }
    for name in ("own-p", "other-p"):
        if name not in stage.strangers:
            stage.make("containers", name, is_own=False, Labels=labels)
            stage.start(stage.strangers[name])
    listen = str(tmp_path / "proxy.sock")
    variables = {**POLICY, "ONLY_CONTAINERS": listed}
    with enforcing(engine, listen=f"unix://{listen}", variables=variables):
        expected = send(stage.raw, "GET", "/containers/json?all=1")[1]
        inside = {one["Id"] for one in expected if fits(one)}
        assert inside
        found = send(listen, "GET", "/containers/json?all=1")[1]
        assert still(found) == still([one for one in expected if one["Id"] in inside])
        expected = send(stage.raw, "GET", "/networks/bridge")[1]
        found = send(listen, "GET", "/networks/bridge")[1]
        assert found == with_members(expected, inside)


@pytest.mark.engine
def test_conflicts_do_not_tell_with_whom(stage: Stage) -> None:
    """That a name is taken is told, and by whom if that is its own."""
    body = {"Image": "busybox"}
    for name, one, is_told in (
        ("own-1", stage.own["own-1"], True),
        ("other-1", stage.strangers["other-1"], False),
    ):
        path = f"/containers/create?name={name}"
        status, raw = send(stage.raw, "POST", path, body)
        assert (status, one in str(raw)) == (409, True)
        status, told = send(stage.proxied, "POST", path, body)
        assert status == 409
        kept = one if is_told else "(not listed)"
        assert told == {"message": raw["message"].replace(one, kept)}
        path = f"/containers/{stage.own['own-0']}/rename?name={name}"
        status, told = send(stage.proxied, "POST", path)
        assert (status, one in told["message"]) == (409, is_told)


@pytest.mark.engine
def test_a_volume_that_a_stranger_uses(stage: Stage) -> None:
    """Who is in the way of a removal is not told."""
    mount = {"Mounts": [{"Type": "volume", "Source": "own-vol", "Target": "/v"}]}
    one = stage.make("containers", "other-9", is_own=False, HostConfig=mount)
    status, told = send(stage.proxied, "DELETE", "/volumes/own-vol")
    assert status == 409
    assert one not in told["message"]
    assert "(not listed)" in told["message"]
    assert stage.own["own-1"] in told["message"]
    status, told = send(stage.proxied, "DELETE", "/networks/own-net")
    assert status == 403
    assert not [one for one in stage.strangers.values() if one in told["message"]]
