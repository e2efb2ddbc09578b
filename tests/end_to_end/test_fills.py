"""Volumes that a real Engine fills, through a proxy that limits what is created."""

import io
import json
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.end_to_end.proxies import enforcing
from tests.end_to_end.test_escapes import get
from tests.end_to_end.test_races import send
from tests.engine import Engine, busybox_archive

pytestmark = pytest.mark.engine

IMAGE = "fills:latest"
OWNER = 1234
FILES = {"one": b"1\n", "two": b"2\n"}


@pytest.fixture(scope="module")
def image(engine: Engine) -> Iterator[str]:
    """An image whose folder /data belongs to the user that it runs as, and is not empty."""
    raw = io.BytesIO(busybox_archive())
    with tarfile.open(fileobj=raw, mode="a") as tar:
        for name in ("data", "empty"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode, folder.uid = tarfile.DIRTYPE, 0o750, OWNER
            tar.addfile(folder)
        for name, content in FILES.items():
            file = tarfile.TarInfo(f"data/{name}")
            file.size, file.uid = len(content), OWNER
            tar.addfile(file, io.BytesIO(content))
    engine.docker("import", "-c", f"USER {OWNER}", "-", IMAGE, input=raw.getvalue())
    yield IMAGE
    engine.docker("rmi", "-f", IMAGE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the host that is listed."""
    listed = tmp_path / "app"
    listed.mkdir()
    return listed


@pytest.fixture
def proxy(engine: Engine, image: str, folder: Path, tmp_path: Path) -> Iterator[str]:
    """A proxy that lists one folder, and lets volumes of it be made."""
    variables = {
        "ALLOW_OPERATIONS": "ContainerCreate,VolumeCreate",
        "CREATE_BINDS": str(folder),
        "CREATE_OPTIONS": "ContainerCreate:HostConfig.Mounts.VolumeOptions.Subpath=a",
    }
    path = tmp_path / "proxy.sock"
    before = names(engine)
    with enforcing(engine, listen=f"unix://{path}", variables=variables):
        yield str(path)
    containers = get(str(engine.socket), "/containers/json?all=1")
    for one in containers:
        if one["Image"] == image:
            engine.docker("rm", "-f", "-v", one["Id"])
    for name in names(engine) - before:
        engine.docker("volume", "rm", "-f", name)


def names(engine: Engine) -> set[str]:
    """The names of all volumes."""
    found = get(str(engine.socket), "/volumes")["Volumes"] or []
    return {one["Name"] for one in found}


def create(path: str, **body: Any) -> str:  # noqa: ANN401  JSON
    """Create a container that sleeps; its id."""
    sleeping = {"Image": IMAGE, "Cmd": ["sleep", "900"], **body}
    status, made = send(path, "POST", "/v1.45/containers/create", sleeping)
    assert status == 201, made
    return str(made["Id"])


def by_bind(volume: str, target: str = "/data") -> dict[str, Any]:
    return {"HostConfig": {"Binds": [f"{volume}:{target}"]}}


def by_mount(volume: str, **options: object) -> dict[str, Any]:
    mount = {"Type": "volume", "Source": volume, "Target": "/data"}
    return {"HostConfig": {"Mounts": [mount | {"VolumeOptions": options}]}}


def content(engine: Engine, volume: str) -> list[str]:
    """What is in a volume, with the owner of each, and of the volume itself as `.`."""
    listed = engine.docker(
        "run", "--rm", "-v", f"{volume}:/v:nocopy", "busybox", "stat", "-c", "%n %u",
        "/v", "/v/one", "/v/two", check=False,
    )  # fmt: skip
    return listed.text.split("\n")


FILLED = [f"/v {OWNER}", f"/v/one {OWNER}", f"/v/two {OWNER}"]
EMPTY = ["/v 0"]


@pytest.mark.parametrize("how", [by_bind, by_mount])
def test_a_first_use(engine: Engine, proxy: str, how: Any) -> None:  # noqa: ANN401
    """An image that runs as a user gets a volume that is filled, and belongs to that user."""
    create(proxy, **how("first"))
    assert content(engine, "first") == FILLED


def test_a_volume_that_is_there(engine: Engine, proxy: str) -> None:
    """One that was made before, and that no container has, is filled as well."""
    assert send(proxy, "POST", "/volumes/create", {"Name": "there"})[0] == 201
    create(proxy, **by_bind("there"))
    assert content(engine, "there") == FILLED


def test_anonymous_volumes(engine: Engine, proxy: str) -> None:
    """Those of `Volumes` and of mounts without a source are filled as ever."""
    bodies: list[dict[str, Any]] = [{"Volumes": {"/data": {}}}, by_mount("")]
    for body in bodies:
        made = create(proxy, **body)
        (mount,) = get(str(engine.socket), f"/containers/{made}/json")["Mounts"]
        assert content(engine, mount["Name"]) == FILLED


@pytest.mark.parametrize("how", [by_bind, by_mount])
def test_a_second_use(engine: Engine, proxy: str, how: Any) -> None:  # noqa: ANN401
    """A volume that is empty still, and that some container has, stays empty."""
    for path, volume, seen in ((proxy, "kept", EMPTY), (str(engine.socket), "open", FILLED)):  # fmt: skip
        create(path, **by_bind(volume, "/new"))
        create(path, **how(volume))
        assert content(engine, volume) == seen


def test_a_folder_of_the_host(engine: Engine, proxy: str, folder: Path) -> None:
    """A volume that is a listed folder is never filled; by the Engine alone it is."""
    options = {"type": "none", "o": "bind", "device": str(folder)}
    body = {"Name": "bound", "Driver": "local", "DriverOpts": options}
    driver = {"Name": "local", "Options": options}
    for path, files in ((proxy, []), (str(engine.socket), sorted(FILES))):
        create(path, **by_mount(f"own-{len(files)}", DriverConfig=driver))
        assert sorted(one.name for one in folder.iterdir()) == files
    for one in folder.iterdir():
        one.unlink()
    assert send(proxy, "POST", "/volumes/create", body)[0] == 201
    for how in (by_bind, by_mount):
        create(proxy, **how("bound"))
    assert not list(folder.iterdir())


def test_a_part_of_a_volume(engine: Engine, proxy: str) -> None:
    """With a Subpath the Engine fills what is in use; through the proxy it does not."""
    engine.docker("run", "--rm", "-v", "parts:/v", "busybox", "mkdir", "/v/a", "/v/b")
    make = "ls /v/a /v/b"
    create(proxy, **by_mount("parts", Subpath="a"))
    create(str(engine.socket), **by_mount("parts", Subpath="b"))
    listed = engine.docker("run", "--rm", "-v", "parts:/v:nocopy", "busybox", "sh", "-c", make)  # fmt: skip
    assert listed.text.split() == ["/v/a:", "/v/b:", *sorted(FILES)]


@pytest.mark.slow
def test_two_at_once(engine: Engine, proxy: str) -> None:
    """Compose creates all replicas of a service at once: one of them fills the volume."""
    for count in range(5):
        made = list[str]()

        def one(volume: str, made: list[str] = made) -> None:
            made.append(create(proxy, **by_bind(volume)))

        racers = [threading.Thread(target=one, args=[f"fresh{count}"]) for _ in range(3)]  # fmt: skip
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        binds = [
            get(str(engine.socket), f"/containers/{made}/json")["HostConfig"]["Binds"]
            for made in made
        ]
        plain = f"fresh{count}:/data"
        assert sorted(binds) == [[plain], [f"{plain}:nocopy"], [f"{plain}:nocopy"]]
        assert content(engine, f"fresh{count}") == FILLED


def test_a_client_that_hangs_up(engine: Engine, proxy: str) -> None:
    """Whoever comes after a client that did not wait finds the volume used, and filled."""
    body = json.dumps({"Image": IMAGE, **by_bind("left")}).encode()
    head = f"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(proxy)
        sock.sendall(head.encode() + body)
    made = create(proxy, **by_bind("left"))
    found = get(str(engine.socket), f"/containers/{made}/json")["HostConfig"]["Binds"]
    assert found in (["left:/data:nocopy"], ["left:/data"])
    assert content(engine, "left") == FILLED


def test_a_creation_of_a_proxy_before(engine: Engine, proxy: str) -> None:
    """A creation that a proxy sent before it ended fills a volume still: who would run in that by the
    proxy that took its place waits until the container is there."""
    raw, slow = str(engine.socket), io.BytesIO(busybox_archive())
    with tarfile.open(fileobj=slow, mode="a") as tar:
        for count in range(20_000):
            tar.addfile(tarfile.TarInfo(f"data/{count}"))
    engine.docker("import", "-", "slow:latest", input=slow.getvalue())
    made = list[str]()
    filling = threading.Thread(
        target=lambda: made.append(create(raw, Image="slow", **by_bind("before")))
    )
    filling.start()
    in_use = f"/volumes?filters={quote(json.dumps({'dangling': ['false']}))}"
    while "before" not in json.dumps(send(raw, "GET", in_use)[1]):
        assert made or filling.is_alive()
    later = create(proxy, **by_bind("before"))
    there = {one["Id"] for one in get(raw, "/containers/json?all=1")}
    filling.join()
    try:
        assert {later, *made} <= there
    finally:
        engine.docker("rm", "-f", "-v", *made)
        engine.docker("rmi", "-f", "slow")
