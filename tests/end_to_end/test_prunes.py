"""Prunes on a real Engine: what is its own goes as on the raw socket, and no stranger does.

Each prune is made twice: on the raw socket, where nothing else is, and through the proxy, where
strangers are as well. Answer and what is left must be the same, but for ids; and the
strangers, one of which has the labels of all lists from its image, must all be there.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.depth import by_depth
from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_escapes import ask, get
from tests.engine import Engine

LABELS = {
    "trioproxy.owner": "app",
    "com.docker.compose.project": "mine",
    "com.docker.compose.container-number": "1",
    "team": "web",
}
"""What the client's own has: by each of the lists."""
GRANTS = {"ALLOW_OPERATIONS": "ContainerPrune,NetworkPrune,SystemPing,SystemPingHead,VolumePrune"}  # fmt: skip
ALL = ("ONLY_CONTAINERS", "ONLY_NETWORKS", "ONLY_VOLUMES")
POLICIES: Mapping[str, Mapping[str, str]] = {
    "own": {**GRANTS, "ONLY_OWNER": "app", **dict.fromkeys(ALL, "@own")},
    "project": {**GRANTS, **dict.fromkeys(ALL, "@project:mine")},
    "label": {**GRANTS, **dict.fromkeys(ALL, "@label:team=web")},
    "names": {**GRANTS, **dict.fromkeys(ALL, "web-*")},
}
ANONYMOUS = "com.docker.volume.anonymous"
VERSIONS = ("/v1.45", "/v1.41", "")
FILTERS: dict[str, Any] = {
    "none": None,
    "empty": {},
    "label": {"label": ["kind=a"]},
    "labels": {"label": ["kind", "team=web"]},
    "no such label": {"label": ["kind=c"]},
    "not": {"label!": ["kind=a"]},
    "not both": {"label!": ["kind=a", "nothing"]},
    "label and not": {"label": ["team"], "label!": ["kind=b"]},
    "no not": {"label!": []},
}
UNTIL: dict[str, Any] = {
    "until long ago": {"until": ["24h"]},
    "until now": {"until": ["-1h"]},
    "until a date": {"until": ["2020-01-01"], "label": ["kind"]},
    "until seconds": {"until": ["4000000000"]},
    "until a zone": {"until": ["2030-01-01T00:00:00.5+02:00"], "label!": ["kind=b"]},
}
EVERY: dict[str, Any] = {
    "all": {"all": ["true"]},
    "not all": {"all": ["0"]},
    "all and label": {"all": ["1"], "label": ["kind=b"]},
}
REFUSED: dict[str, Any] = {
    "another": {"name": ["web-a"]},
    "two times": {"until": ["1h", "2h"]},
    "no time": {"until": ["soon"]},
    "no list": [],
    "all twice": {"all": ["0", "1"]},
}


class Scene:
    """An Engine, and things on it that are made anew for each prune."""

    def __init__(self, engine: Engine) -> None:
        self.path = str(engine.socket)
        self.ids: dict[str, str] = {}
        """The names of what there is, by id."""

    def send(
        self, method: str, target: str, body: object = None, path: str = ""
    ) -> tuple[int, Any]:
        raw = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {target} HTTP/1.1", "Host: x", "Connection: close"]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(raw)}"]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        status, answer = ask(path or self.path, head + raw, method)
        return status, json.loads(answer) if answer.strip() else None

    def make(self, kind: str, name: str, labels: Mapping[str, str], image: str = "busybox") -> None:  # fmt: skip
        body: dict[str, Any] = {"Name": name, "Labels": labels}
        target = f"/{kind}/create"
        if kind == "containers":
            body = {"Image": image, "Labels": labels, "Cmd": ["true"]}
            target += f"?name={name}"
        status, made = self.send("POST", target, body)
        assert status == 201, made
        self.ids[made.get("Id", name)] = name

    def own(self, kind: str) -> None:
        """What the client made; a volume without the label of one that has no name as well."""
        anonymous = {ANONYMOUS: ""} if kind == "volumes" else {}
        for name in ("a", "b"):
            self.make(kind, f"web-{name}", {**LABELS, **anonymous, "kind": name})
        if kind == "volumes":
            self.make(kind, "web-named", {**LABELS, "kind": "b"})

    def strangers(self, kind: str) -> set[str]:
        """What others have."""
        anonymous = {ANONYMOUS: ""} if kind == "volumes" else {}
        self.make(kind, "db", {"kind": "a", **anonymous})
        self.make(kind, "db-other", {**LABELS, "trioproxy.owner": "other", "com.docker.compose.project": "theirs", "team": "db", "kind": "b", **anonymous})  # fmt: skip
        names = {"db", "db-other"}
        if kind == "containers":
            self.make(kind, "db-planted", {"kind": "a"}, "planted")
            names.add("db-planted")
        return names

    def there(self, kind: str) -> set[str]:
        """The names of all that was made and is there."""
        found = get(self.path, f"/{kind}/json?all=1" if kind == "containers" else f"/{kind}")  # fmt: skip
        found = found.get("Volumes") or [] if kind == "volumes" else found
        made = set(self.ids.values())
        names = {one["Names"][0][1:] if kind == "containers" else one["Name"] for one in found}  # fmt: skip
        return names & made

    def prune(self, kind: str, version: str, filters: object, path: str = "") -> Any:  # noqa: ANN401  JSON
        """The answer, with names for ids, in an order of its own."""
        query = "" if filters is None else f"?filters={quote(json.dumps(filters))}"
        status, answer = self.send("POST", f"{version}/{kind}/prune{query}", path=path)
        if status >= 400:
            return status
        for key, value in answer.items():
            if isinstance(value, list):
                answer[key] = sorted(self.ids.get(str(one), str(one)) for one in value)
        return status, list(answer), answer

    def clear(self, kind: str) -> None:
        for name in self.there(kind):
            assert self.send("DELETE", f"/{kind}/{name}")[0] == 204
        self.ids.clear()


@pytest.fixture
def scene(engine: Engine) -> Iterator[Scene]:
    """An Engine with an image that has all labels which anybody lists."""
    words = "\n".join(f"LABEL {key}={value}" for key, value in LABELS.items())
    engine.docker("build", "-t", "planted", "-", input=f"FROM busybox\n{words}\n".encode(), environ={"DOCKER_BUILDKIT": "0"})  # fmt: skip
    scene = Scene(engine)
    # What other tests left on this Engine would be in each answer.
    for kind in ("containers", "networks", "volumes"):
        scene.prune(kind, "", {"all": ["true"]} if kind == "volumes" else None)
    try:
        yield scene
    finally:
        for kind in ("containers", "networks", "volumes"):
            scene.clear(kind)
        engine.docker("rmi", "-f", "planted")


CASES = [
    pytest.param(kind, version, filters, id=f"{kind}, {version or 'no version'}, {name}")
    for kind in ("containers", "networks", "volumes")
    for version in (VERSIONS if kind == "volumes" else VERSIONS[:1])
    for name, filters in (FILTERS | (EVERY if kind == "volumes" else UNTIL) | REFUSED).items()
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.deep
def test_prunes(scene: Scene, engine: Engine, tmp_path: Path) -> None:
    """Whatever it filters by, of its own the same goes as on the raw socket, and no stranger."""
    cases = CASES[:: by_depth(4, 1)]
    expected = list[tuple[Any, set[str]]]()
    for case in cases:
        kind, version, filters = case.values
        scene.own(str(kind))
        answer = scene.prune(str(kind), str(version), filters)
        expected.append((answer, scene.there(str(kind))))
        scene.clear(str(kind))
    assert 2 * len(expected) >= by_depth(40, 100)
    assert sum(isinstance(answer, int) for answer, _ in expected) >= by_depth(3, 15)
    for number, (name, variables) in enumerate(POLICIES.items()):
        # All of them by `@own`, and a third by each of the others.
        these = slice(number - 1 if number else None, None, 3 if number else None)
        path = f"{tmp_path}/{name}.sock"
        with enforcing(engine, listen=f"unix://{path}", variables=variables):
            for case, wanted in list(zip(cases, expected, strict=True))[these]:
                kind, version = map(str, case.values[:2])
                scene.own(kind)
                strangers = scene.strangers(kind)
                answer = scene.prune(kind, version, case.values[2], path)
                left = scene.there(kind)
                assert (case.id, answer, left - strangers) == (case.id, *wanted)
                assert left >= strangers, (name, case.id)
                scene.clear(kind)


@pytest.mark.engine
def test_what_a_label_on_a_prune_removes(scene: Scene, engine: Engine, tmp_path: Path) -> None:  # fmt: skip
    """A label as a filter holds no prune: the container of an image that has it goes as well."""
    path = f"{tmp_path}/own.sock"
    with enforcing(engine, listen=f"unix://{path}", variables=POLICIES["own"]):
        scene.own("containers")
        strangers = scene.strangers("containers")
        owned = {"label": ["trioproxy.owner=app"]}
        _, _, answer = scene.prune("containers", "", owned, path)
        assert answer["ContainersDeleted"] == ["web-a", "web-b"]
        assert scene.there("containers") == strangers
        _, _, answer = scene.prune("containers", "", owned)
        assert answer["ContainersDeleted"] == ["db-planted"]


@pytest.mark.engine
def test_what_is_used_stays(engine: Engine, tmp_path: Path) -> None:
    """What runs, its network and its volume stay; what is freed is counted as there."""
    path = f"{tmp_path}/own.sock"
    own = ["--label", "trioproxy.owner=app"]
    engine.docker("network", "create", *own, "net")
    engine.docker("volume", "create", *own, "used")
    engine.docker("volume", "create", *own, "full")
    try:
        engine.docker("run", "-d", "--name", "on", *own, "--network", "net", "-v", "used:/x", "busybox", "sleep", "900")  # fmt: skip
        engine.docker("run", "--rm", "-v", "full:/x", "busybox", "sh", "-c", "head -c 50000 /dev/zero >/x/f")  # fmt: skip
        engine.docker("run", "--name", "off", *own, "busybox", "sh", "-c", "head -c 70000 /dev/zero >/f")  # fmt: skip
        sizes = engine.docker("inspect", "-s", "--format", "{{.SizeRw}}", "off").text
        with enforcing(engine, listen=f"unix://{path}", variables=POLICIES["own"]):
            url = f"unix://{path}"
            told = engine.docker("container", "prune", "-f", host=url).text
            assert told.count("\n") == 3, told
            assert f"space: {int(sizes) // 1000}" in told
            assert "net" not in engine.docker("network", "prune", "-f", host=url).text
            told = engine.docker("volume", "prune", "-af", host=url).text
            assert "full" in told
            assert "used" not in told
            assert "space: 5" in told
        there = engine.docker("ps", "-a", "--format", "{{.Names}}").text.split()
        assert {"on", "off"} & {*there} == {"on"}
        assert "used" in engine.docker("volume", "ls", "-q").text
    finally:
        engine.docker("rm", "-f", "on", "off", check=False)
        engine.docker("network", "rm", "net", check=False)
        engine.docker("volume", "rm", "-f", "used", "full")
