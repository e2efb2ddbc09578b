"""`docker cp` where creations are limited: as on the raw socket, and no node goes in."""

import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import docker  # type: ignore[import-untyped]  # it has no types
import pytest

from tests.end_to_end.proxies import Proxy, enforcing
from tests.engine import Engine

LIMITS = {
    "ALLOW_OPERATIONS": (
        "ContainerArchive,ContainerArchiveInfo,ContainerCreate,ContainerDelete,ContainerInspect,"
        "ContainerStart,PutContainerArchive,SystemPing,SystemPingHead,SystemVersion"
    ),
    "CREATE_BINDS": "",
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "copies",
}
LOOK = (
    "cd /in && find . -mindepth 1 | sort | while read -r f; do"
    ' stat -c \'%n %F %a %u %g %Y %N\' "$f"; test -f "$f" && md5sum <"$f"; done; true'
)
"""All that a container has below /in: names, kinds, modes, owners, times, links, contents."""


@pytest.fixture(scope="module")
def limited(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    """A proxy that limits what is created, and lets its own containers be copied to."""
    folder: Path = tmp_path_factory.mktemp("limited")
    listen = f"unix://{folder}/proxy.sock"
    with enforcing(engine, listen=listen, variables=LIMITS) as proxy:
        yield proxy


@pytest.fixture
def containers(engine: Engine, limited: Proxy) -> Iterator[tuple[str, str]]:
    """Two running containers of the client: one for the proxy, one for the raw socket."""
    made = []
    for _ in range(2):
        ran = engine.docker("create", "busybox", "sleep", "600", host=limited.url)
        engine.docker("start", ran.text, host=limited.url)
        engine.docker("exec", ran.text, "mkdir", "/in")
        made.append(ran.text)
    yield made[0], made[1]
    engine.docker("rm", "-f", *made)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What people copy."""
    tree: Path = tmp_path_factory.mktemp("copied") / "tree"
    deep = tree / ("d" * 120) / ("e" * 120) / ("f" * 120)
    deep.mkdir(parents=True)
    (deep / ("n" * 150)).write_text("long")
    (tree / "käse 日本").write_text("unicode")
    (tree / "empty").write_bytes(b"")
    (tree / "large").write_bytes(os.urandom(1 << 20) * 50)
    (tree / "soft").symlink_to("empty")
    (tree / "far").symlink_to("/" + "t" * 200)
    os.link(tree / "empty", tree / "hard")
    os.mkfifo(tree / "fifo")
    (tree / "empty").chmod(0o4711)
    os.chown(tree / "empty", 1000, 70_000)
    os.utime(deep, (1_000_000_000, 1_000_000_000))
    return tree


COPIES = {
    "a file": ("cp", "{tree}/käse 日本", "{container}:/in/x"),
    "a folder": ("cp", "{tree}", "{container}:/in"),
    "what is in a folder": ("cp", "{tree}/.", "{container}:/in"),
    "a link": ("cp", "{tree}/far", "{container}:/in/"),
    "where a link leads": ("cp", "-L", "{tree}/soft", "{container}:/in/y"),
}  # fmt: skip


@pytest.mark.engine
@pytest.mark.parametrize("what", COPIES)
def test_what_is_copied_in_is_as_on_the_raw_socket(
    engine: Engine, limited: Proxy, containers: tuple[str, str], tree: Path, what: str
) -> None:
    """Names, kinds, modes, owners, times, links and contents."""
    looks = []
    for container, host in zip(containers, (limited.url, None), strict=True):
        words = (one.format(tree=tree, container=container) for one in COPIES[what])
        engine.docker(*words, host=host)
        looks.append(engine.docker("exec", container, "sh", "-c", LOOK).text)
    assert looks[0] == looks[1]
    assert looks[0]


@pytest.mark.engine
def test_what_is_copied_out_is_as_on_the_raw_socket(
    engine: Engine, limited: Proxy, containers: tuple[str, str], tree: Path
) -> None:
    """The tar of a folder that was copied in, byte for byte."""
    engine.docker("cp", str(tree), f"{containers[0]}:/in", host=limited.url)
    through, raw = (
        engine.docker("cp", "-a", f"{containers[0]}:/in", "-", host=host).output
        for host in (limited.url, None)
    )
    assert through == raw
    assert len(raw) > 50 << 20


@pytest.mark.engine
@pytest.mark.parametrize("form", ["gnu", "posix", "ustar", "oldgnu"])
def test_a_tar_from_stdin_is_unpacked_as_on_the_raw_socket(
    engine: Engine, limited: Proxy, containers: tuple[str, str], tree: Path, form: str
) -> None:
    """`tar -c | docker cp - CONTAINER:/in`, in each form that GNU tar writes."""
    # The far link and the deep folder do not fit into a ustar header.
    skipped = (
        "--exclude=large",
        *(["--exclude=./d*", "--exclude=far"] if form == "ustar" else []),
    )
    packing = ["tar", f"--format={form}", *skipped, "-C", str(tree), "-cf", "-", "."]
    data = subprocess.run(packing, check=True, capture_output=True).stdout
    looks = []
    for container, host in zip(containers, (limited.url, None), strict=True):
        engine.docker("cp", "-", f"{container}:/in", input=data, host=host)
        looks.append(engine.docker("exec", container, "sh", "-c", LOOK).text)
    assert looks[0] == looks[1]
    assert len(looks[0].splitlines()) > 5


@pytest.mark.engine
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_docker_py_puts_an_archive(
    engine: Engine,
    limited: Proxy,
    containers: tuple[str, str],
    mode: Literal["w", "w:gz"],
) -> None:
    """`put_archive` and `get_archive` of docker-py, with the tar that Python writes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        info = tarfile.TarInfo("hello")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"world"))
    client = docker.DockerClient(limited.url, version="auto")
    try:
        container = client.containers.get(containers[0])
        assert container.put_archive("/in", out.getvalue())
        pieces, _ = container.get_archive("/in/hello")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
            content = tar.extractfile("hello")
            assert content is not None
            assert content.read() == b"world"
    finally:
        client.close()


def with_node(before: bytes) -> bytes:
    """A tar with a file and a node of the memory behind it, that holds nothing."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("before")
        info.size = len(before)
        tar.addfile(info, io.BytesIO(before))
        node = tarfile.TarInfo("node")
        node.type, node.devmajor, node.devminor = tarfile.CHRTYPE, 1, 7
        tar.addfile(node)
    return out.getvalue()


@pytest.mark.engine
@pytest.mark.parametrize("size", [5, 5 << 20], ids=["at once", "in mid-body"])
def test_no_node_goes_in(
    engine: Engine, limited: Proxy, containers: tuple[str, str], size: int
) -> None:
    """On the raw socket the Engine makes a node of it; through limits it is refused."""
    data = with_node(bytes(size))
    mine, raw = containers
    engine.docker("cp", "-", f"{raw}:/in", input=data)
    look = ("stat", "-c", "%F", "/in/node")
    assert engine.docker("exec", raw, *look).text == "character special file"
    ran = engine.docker("cp", "-", f"{mine}:/in", input=data, host=limited.url, check=False)  # fmt: skip
    assert ran.status
    assert "entry node of the tar is a character device" in ran.errors
    assert engine.docker("exec", mine, *look, check=False).status
