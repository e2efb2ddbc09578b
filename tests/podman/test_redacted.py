"""Secrets planted in a real Podman, and each of its own read operations that may be granted beside
`REDACT` asked through a proxy: nothing of them arrives."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_redacted import ask, secrets_in
from tests.engine import Engine
from tests.patience import PATIENCE
from tests.podman.clients import import_busybox
from trioproxy.api.matched import with_segments
from trioproxy.api.redaction import MARKER
from trioproxy.api.routes import ENDPOINTS, Effect, Endpoint, Stream

READS = [
    one
    for one in ENDPOINTS
    if one.is_podmans
    and one.is_reachable
    and one.effect is Effect.READ
    and one.method in {"GET", "HEAD"}
    and not one.shows_what_is_hidden
    and not one.is_untellable
]
"""What is asked: all but what passes as it is, which `explain` names, and what is never granted."""
FINITE = {"LibpodEvents": "?stream=false&since=1"}
SHOWING = {
    *("LibpodContainerInspect", "LibpodContainerList", "LibpodEvents"),
    *("LibpodImageInspect", "LibpodImageList", "LibpodPodInspect", "LibpodPodList"),
    *("LibpodSecretInspect", "LibpodVolumeInspect", "LibpodVolumeList"),
}
"""What shows a secret on the raw socket: otherwise nothing would be shown here."""


class Planted:
    """A Podman with a secret wherever it keeps one."""

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self.names = dict[str, list[str]]()

    def make(self, section: str, target: str, body: object = None) -> str:
        status, told = ask(self.raw, "POST", target, body)
        assert status < 300, (target, status, told)
        made = json.loads(told) if told[:1] == b"{" else {}
        name = str(made.get("Id") or made.get("ID") or made.get("Name") or "")
        self.names.setdefault(section, []).append(name)
        return name

    def plant(self) -> None:
        """By its own routes, which take an environment as a map, and by Docker's."""
        labels = {"plain": "x", "com.docker.compose.config-hash": "env-1-secret"}
        own = {
            "name": "planted",
            "image": "busybox",
            "command": ["sleep", "900"],
            "env": {"TOKEN": "env-2-secret"},
            "labels": labels,
            "annotations": labels,
            "netns": {"nsmode": "none"},
        }
        one = self.make("containers", "/v5.0.0/libpod/containers/create", own)
        run = {"Cmd": ["true", "event"], "Env": ["A=env-3-secret"]}
        if ask(self.raw, "POST", f"/v5.0.0/libpod/containers/{one}/start")[0] == 204:
            exec_ = f"/v5.0.0/libpod/containers/{one}/exec"
            self.make("exec", exec_, run)
        body = {"Image": "busybox", "Env": ["TOKEN=env-4-secret"], "Labels": labels}
        other = self.make("containers", "/containers/create?name=docker", body)
        changes = "&changes=" + quote("ENV BUILT=env-5-secret")
        target = f"/v5.0.0/libpod/commit?container={other}&repo=planted{changes}"
        self.make("images", target)
        self.names["images"].append("busybox")
        self.make("pods", "/v5.0.0/libpod/pods/create", {"name": "p", "labels": labels, "no_infra": True})  # fmt: skip
        self.make("volumes", "/v5.0.0/libpod/volumes/create", {"Name": "v", "Label": labels})  # fmt: skip
        status, told = ask(self.raw, "POST", "/v5.0.0/libpod/secrets/create?name=s", b"env-6-secret")  # fmt: skip
        assert status == 200, told
        self.names["secrets"] = ["s"]

    def targets(self, endpoint: Endpoint) -> Iterator[str]:
        """Every target of an operation that tells of anything that is there."""
        query = FINITE.get(endpoint.operation, "?showsecret=true&all=true&stream=false")
        if "{" not in endpoint.template:
            yield f"/v5.0.0{endpoint.template}{query}"
            return
        section = endpoint.template.split("/")[2]
        for name in self.names.get(section, ["x"]):
            yield f"/v5.0.0{with_segments(endpoint.template, quote(name, safe=''))}{query}"


@pytest.mark.slow
def test_no_secret_arrives_by_any_read_of_podmans_own(
    podman: Path, tmp_path: Path
) -> None:
    """Of each thing that there is each of them is asked, on the raw socket and through the proxy:
    no value of an environment is on the second, and names of variables are on both."""
    import_busybox(podman, tmp_path)
    planted = Planted(str(podman))
    planted.plant()
    listen, showing = str(tmp_path / "p.sock"), set[str]()
    granted = sorted({one.operation for one in ENDPOINTS if one in READS})
    variables = {"ALLOW_OPERATIONS": ",".join(granted), "REDACT": "env"}
    engine = Engine(f"unix://{podman}", tmp_path)
    hidden = base64.b64encode(b"env-6-secret")
    with enforcing(engine, listen=f"unix://{listen}", variables=variables):
        for endpoint in READS:
            if endpoint.stream is not Stream.NONE and endpoint.operation not in FINITE:
                continue
            for target in planted.targets(endpoint):
                began = time.monotonic()
                status, raw = ask(planted.raw, endpoint.method, target)
                again, told = ask(listen, endpoint.method, target)
                assert again == status, (target, raw, told)
                assert not secrets_in(told, "env-"), (endpoint.operation, target)
                assert hidden not in told
                if secrets_in(raw, "env-"):
                    showing.add(endpoint.operation)
                    assert MARKER.encode() in told
                assert time.monotonic() - began < PATIENCE, target
    assert showing >= SHOWING, SHOWING - showing
