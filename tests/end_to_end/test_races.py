"""A client that races: names that mean something else a moment later, on a real Engine."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_escapes import ask, get
from tests.end_to_end.test_strangers import POLICIES
from tests.engine import Engine

pytestmark = [pytest.mark.engine, pytest.mark.slow]
TRIES = 150


@pytest.fixture
def proxy(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """A proxy whose client may name what it made."""
    with enforcing(
        engine, listen=f"unix://{tmp_path}/proxy.sock", variables=POLICIES["own"]
    ):
        yield f"{tmp_path}/proxy.sock"


def send(path: str, method: str, target: str, body: object = None) -> tuple[int, Any]:
    raw = b"" if body is None else json.dumps(body).encode()
    fields = "Content-Type: application/json\r\n" if raw else ""
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}Content-Length: {len(raw)}\r\n\r\n"
    status, answer = ask(path, head.encode() + raw, method)
    return status, json.loads(answer or b"null")


def sleeper(path: str, name: str, **more: Any) -> str:  # noqa: ANN401  JSON
    body = {"Image": "busybox", "Cmd": ["sleep", "900"], **more}
    status, made = send(path, "POST", f"/containers/create?name={name}", body)
    assert status == 201, made
    return str(made["Id"])


def test_a_name_that_is_given_on(engine: Engine, proxy: str) -> None:
    """Two containers swap names all the time: what is done is done to the own one, or to none."""
    raw = str(engine.socket)
    own, other = sleeper(proxy, "mine"), sleeper(raw, "theirs")
    for one in (own, other):
        assert send(raw, "POST", f"/containers/{one}/start")[0] == 204
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for one, name in ((own, "away"), (other, "mine"), (other, "theirs"), (own, "mine")):  # fmt: skip
                send(raw, "POST", f"/containers/{one}/rename?name={name}")

    racer = threading.Thread(target=swap)
    racer.start()
    statuses = []
    try:
        for _ in range(TRIES):
            target = "/containers/mine/exec"
            status, _ = send(proxy, "POST", target, {"Cmd": ["sleep", "900"]})
            statuses.append(status)
    finally:
        over.set()
        racer.join()
    execs = get(raw, f"/containers/{other}/json")["ExecIDs"]
    ours = get(raw, f"/containers/{own}/json")["ExecIDs"] or []
    for one in (own, other):
        send(raw, "DELETE", f"/containers/{one}?force=1")
    assert execs is None
    assert {201, 403} <= set(statuses)
    assert len(ours) == statuses.count(201)


def test_a_network_that_appears_is_not_joined(engine: Engine, proxy: str) -> None:
    """Between create and start an own network goes and another's comes under its name."""
    raw = str(engine.socket)
    assert send(proxy, "POST", "/networks/create", {"Name": "swapped"})[0] == 201
    made = sleeper(proxy, "joins", HostConfig={"NetworkMode": "swapped"})
    later = sleeper(proxy, "later")
    body = {"Container": later}
    assert send(proxy, "POST", "/networks/swapped/connect", body)[0] == 200
    assert send(proxy, "DELETE", "/networks/swapped")[0] == 204
    status, theirs = send(raw, "POST", "/networks/create", {"Name": "swapped"})
    assert status == 201
    try:
        for one in (made, later):
            for action in ("start", "restart?t=0"):
                assert send(proxy, "POST", f"/containers/{one}/{action}")[0] >= 400
            seen = get(raw, f"/containers/{one}/json")
            networks = seen["NetworkSettings"]["Networks"].values()
            assert theirs["Id"] not in {one["NetworkID"] for one in networks}
            assert not seen["State"]["Running"]
    finally:
        for one in (made, later):
            send(raw, "DELETE", f"/containers/{one}?force=1")
        send(raw, "DELETE", "/networks/swapped")


def test_a_container_made_elsewhere_joins_by_name(engine: Engine, proxy: str) -> None:
    """What was made without us has no id for its network: it is looked up before a start."""
    raw = str(engine.socket)
    own = {"trioproxy.owner": "app"}
    assert send(raw, "POST", "/networks/create", {"Name": "named"})[0] == 201
    # Without what a file takes from all that it creates, where it packs what they hold.
    host = {"NetworkMode": "named", "CapDrop": ["MKNOD"]}
    made = sleeper(raw, "unpinned", Labels=own, HostConfig=host)
    try:
        status, answer = send(proxy, "POST", f"/containers/{made}/start")
        assert (status, answer["message"]) == (
            403,
            "trioproxy: ContainerStart names network named in container"
            f" {made}, which ONLY_NETWORKS does not list",
        )
        assert send(raw, "DELETE", "/networks/named")[0] == 204
        body = {"Name": "named", "Labels": own}
        assert send(raw, "POST", "/networks/create", body)[0] == 201
        assert send(proxy, "POST", f"/containers/{made}/start")[0] == 204
    finally:
        send(raw, "DELETE", f"/containers/{made}?force=1")
        send(raw, "DELETE", "/networks/named")


def test_a_volume_that_somebody_else_makes(engine: Engine, proxy: str) -> None:
    """A volume has no id: a container that got somebody else's is never started."""
    raw = str(engine.socket)
    over = threading.Event()
    theirs = {"Name": "raced", "Labels": {"of": "others"}}

    def make() -> None:
        while not over.is_set():
            send(raw, "POST", "/volumes/create", theirs)
            send(raw, "DELETE", "/volumes/raced")

    racer = threading.Thread(target=make)
    racer.start()
    statuses = []
    body = {"Image": "busybox", "HostConfig": {"Binds": ["raced:/v"]}}
    used = []
    try:
        for _ in range(TRIES // 3):
            status, made = send(proxy, "POST", "/containers/create", body)
            statuses.append(status)
            if status == 201:
                # In use, so neither side can take it away now.
                labels = get(raw, "/volumes/raced")["Labels"]
                own = labels == {"trioproxy.owner": "app"}
                started, _ = send(proxy, "POST", f"/containers/{made['Id']}/start")
                used.append((own, started))
                send(raw, "DELETE", f"/containers/{made['Id']}?force=1")
                send(raw, "DELETE", "/volumes/raced")
    finally:
        over.set()
        racer.join()
        send(raw, "DELETE", "/volumes/raced")
    assert used
    assert set(used) <= {(True, 204), (False, 403)}
