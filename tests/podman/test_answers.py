"""Podman's Docker routes beside lists of objects: its own, and nobody else's."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_answers import BUILT_IN, events
from tests.end_to_end.test_races import send
from tests.engine import Engine
from tests.podman.clients import import_busybox
from trioproxy.api.routes import OPERATIONS

POLICY = {
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "answers",
    "ALLOW_OPERATIONS": ",".join(OPERATIONS.keys() - {"BuildKitGrpc"}),
}


@pytest.fixture
def clean(podman: Path) -> Iterator[Path]:
    """A Podman that keeps no network of ours: these are in /etc, whatever its storage is."""
    yield podman
    for who in ("own", "other"):
        send(str(podman), "DELETE", f"/networks/{who}-net")


def test_lists_and_events(clean: Path, tmp_path: Path) -> None:
    """What the raw socket shows, with the strangers taken out."""
    podman = clean
    import_busybox(podman, tmp_path)
    raw, proxied = str(podman), str(tmp_path / "proxy.sock")
    engine = Engine(f"unix://{podman}", tmp_path)
    with enforcing(engine, listen=f"unix://{proxied}", variables=POLICY):
        own = dict[str, str]()
        for path, who in ((proxied, "own"), (raw, "other")):
            volume = {"Name": f"{who}-vol"}
            assert send(path, "POST", "/volumes/create", volume)[0] == 201
            network = {"Name": f"{who}-net"}
            status, made = send(path, "POST", "/networks/create", network)
            assert status == 201, made
            body: dict[str, Any] = {"Image": "busybox", "Cmd": ["true"]}
            status, one = send(path, "POST", f"/containers/create?name={who}", body)
            assert status == 201, one
            if who == "own":
                own = {"net": made["Id"], "box": one["Id"], "vol": "own-vol"}
        for target in ("/containers/json?all=1", "/networks"):
            expected = send(raw, "GET", target)[1]
            assert len(expected) > 1
            expected = [one for one in expected if one["Id"] in own.values()]
            status, found = send(proxied, "GET", target)
            found = [one for one in found if one.get("Name") not in BUILT_IN]
            assert (status, found) == (200, expected)
        status, found = send(proxied, "GET", "/volumes")
        assert [one["Name"] for one in found["Volumes"]] == ["own-vol"]
        filters = quote(json.dumps({"since": ["other"]}))
        asked = f"/containers/json?all=1&filters={filters}"
        assert send(proxied, "GET", asked)[0] == 404
        with events(proxied) as shown:
            for one in ("other", "own"):
                assert send(raw, "DELETE", f"/containers/{one}?force=1")[0] == 204
            assert shown.next()["Actor"]["ID"] == own["box"]
