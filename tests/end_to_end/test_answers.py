"""Lists, networks and events through a proxy: what the raw socket shows, without strangers."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_races import send
from tests.engine import Engine
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
            host = {"Binds": [f"{who}-vol:/v", "/anonymous"]}
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

    def clean(self) -> None:
        """Leave nothing."""
        names = {**self.own, **self.strangers}
        for name, one in sorted(names.items()):
            if name[-1].isdigit():
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
