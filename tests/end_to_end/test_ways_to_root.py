"""Ways to root that `explain` tells of, gone on a real Engine through a proxy that enforces."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import tars
from tests.end_to_end.proxies import enforcing
from tests.engine import Engine
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import meaning_of

SECRET = "what no list allows to be read"
CREATES = "ContainerCreate,ContainerInspect,ContainerStart,ContainerWait,SystemPing"


@contextmanager
def proxy(engine: Engine, folder: Path, **variables: str) -> Iterator[str]:
    """A proxy that enforces a file which is root by the only way that it has."""
    meaning = meaning_of(parse_policy(variables)[0])
    assert len(meaning.ways) == 1, meaning.ways
    listen = f"unix://{folder}/proxy.sock"
    with enforcing(engine, listen=listen, variables=variables):
        yield listen


def printed(engine: Engine, host: str, *options: str) -> str:
    """What a container printed that was made and started through a proxy."""

    def run() -> str:
        made = engine.docker("create", *options, host=host).text
        engine.docker("start", made, host=host)
        engine.docker("wait", made, host=host)
        ran = engine.docker("logs", made)
        engine.docker("rm", "-f", made)
        return ran.text + ran.errors

    return engine.unless_lost(run, bool)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A folder of the host that is on no list."""
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "secret").write_text(SECRET)
    (tmp_path / "app" / "data").mkdir(parents=True)
    return folder


PLANTED = [
    ("{}/app/*:ro,{}/app/data", "app/data", "app/data/link"),
    ("{}/a*,{}/app/data:ro", "app", "app/data"),
    ("{}/app,{}/app/data:ro", "app", "app/data"),
    ("{}/*:ro,{}/app/data", "app/data", "app/data/link"),
]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("binds", "written", "bound"), PLANTED, ids=[row[0] for row in PLANTED]
)
def test_a_planted_link_is_followed(
    binds: str,
    written: str,
    bound: str,
    engine: Engine,
    secret: Path,
    tmp_path: Path,
) -> None:
    """A container leaves a link where it may write, and the next one is bound to its target."""
    listed = binds.format(tmp_path, tmp_path)
    with proxy(engine, tmp_path, ALLOW_OPERATIONS=CREATES, CREATE_BINDS=listed) as host:
        link = Path(bound).name
        plant = f"rm -rf /w/{link}; ln -s {secret} /w/{link}"
        bind = f"--volume={tmp_path / written}:/w"
        printed(engine, host, bind, "busybox", "sh", "-c", plant)
        bind = f"--volume={tmp_path / bound}:/r:ro"
        assert SECRET in printed(engine, host, bind, "busybox", "cat", "/r/secret")


@pytest.mark.engine
def test_a_planted_link_is_followed_by_a_container_that_is_there(
    engine: Engine, secret: Path, tmp_path: Path
) -> None:
    """Who runs a command in it leaves a link in one of its binds, and as it starts again it is given the link's target."""
    app = tmp_path / "app"
    binds = (f"--volume={app}:/a", f"--volume={app}/data:/d")
    made = engine.docker("run", "-d", *binds, "busybox", "sleep", "99").text
    with proxy(
        engine,
        tmp_path,
        ALLOW_OPERATIONS="ContainerExec,ContainerInspect,ContainerRestart,ExecInspect,ExecStart,SystemPing",
        CREATE_BINDS=f"{app},{app}/data",
        EXEC_PRIVILEGED="0",
        ONLY_CONTAINERS=engine.docker("inspect", "-f", "{{.Name}}", made).text[1:],
        ONLY_NETWORKS="",
        ONLY_VOLUMES="",
    ) as host:
        plant = f"rmdir /a/data; ln -s {secret} /a/data"
        engine.docker("exec", made, "sh", "-c", plant, host=host)
        engine.docker("restart", "-t", "0", made, host=host)
        read = ("exec", made, "cat", "/d/secret")
        told = engine.unless_lost(lambda: engine.docker(*read, host=host).text, bool)
    assert told == SECRET
    engine.docker("rm", "-f", made)


@pytest.mark.engine
def test_a_star_reaches_what_it_may_be(engine: Engine, tmp_path: Path) -> None:
    """`/et*` is the host's `/etc`, and is told as such."""
    with proxy(
        engine, tmp_path, ALLOW_OPERATIONS=CREATES, CREATE_BINDS="/et*:ro"
    ) as host:
        words = ("--volume=/etc:/r:ro", "busybox", "cat", "/r/passwd")
        assert "root:" in printed(engine, host, *words)


@pytest.mark.engine
def test_a_container_is_read_with_what_the_host_shares(
    engine: Engine, secret: Path, tmp_path: Path
) -> None:
    """Copying out of a container that somebody else gave a host folder reads the host."""
    made = engine.docker("create", f"--volume={secret}:/host:ro", "busybox").text
    with proxy(engine, tmp_path, ALLOW_OPERATIONS="ContainerArchive,SystemPing") as url:
        copied = engine.docker("cp", f"{made}:/host/secret", "-", host=url)
    engine.docker("rm", made)
    assert SECRET.encode() in copied.output


@pytest.mark.engine
def test_the_network_of_another_may_be_the_hosts(
    engine: Engine, tmp_path: Path
) -> None:
    """Who may join another container's network joins the host's by one that has it."""
    run = ("run", "-d", "--network=host", "busybox", "sleep", "600")
    other = engine.docker(*run).text
    wanted = engine.docker("exec", other, "readlink", "/proc/self/ns/net").text
    with proxy(
        engine, tmp_path, ALLOW_OPERATIONS=CREATES, CREATE_NAMESPACES="net:container"
    ) as host:
        join = (f"--network=container:{other}", "busybox")
        found = printed(engine, host, *join, "readlink", "/proc/self/ns/net")
    engine.docker("rm", "-f", other)
    assert found.strip() == wanted.strip()


@pytest.mark.engine
def test_options_of_memory_make_a_bind_writable(engine: Engine, tmp_path: Path) -> None:
    """By a link of its image a container names a bind again, and mounts it anew: `/run` is in memory,
    and what may be read there is written."""
    linked = "readonly-again"
    engine.docker("run", "--name", linked, "busybox", "ln", "-s", "/run", "/var/run")
    engine.docker("commit", linked, linked)
    bind, write = "--volume=/run/udev:/run:ro", ("sh", "-c", "echo a > /run/a; ls /run")
    with proxy(
        engine,
        tmp_path,
        ALLOW_OPERATIONS=CREATES,
        CREATE_BINDS="/run/udev:ro",
        CREATE_OPTIONS="ContainerCreate:HostConfig.Tmpfs",
    ) as host:
        assert "Read-only" in printed(engine, host, bind, linked, *write)
        again = "--tmpfs=/var/run:remount,rw"
        assert printed(engine, host, bind, again, linked, *write).strip() == "a"
    engine.docker("rm", linked)
    engine.docker("rmi", linked)


REGISTRY = r"""
mkdir /blobs
for one; do echo "$one" | base64 -d > /new; mv /new /blobs/$(sha256sum < /new | cut -c-64); done
echo "$1" | base64 -d > /manifest
cat > /answer <<'END'
#!/bin/sh
read method path _
while read line; do [ ${#line} -lt 2 ] && break; done
file=/dev/null
case $path in */manifests/*) file=/manifest ;; */blobs/*) file=/blobs/${path##*:} ;; esac
kind=application/vnd.docker.distribution.manifest.v2+json
printf 'HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %s\r\nConnection: close\r\n\r\n' $kind $(wc -c < $file)
[ $method = HEAD ] || cat $file
END
chmod +x /answer; exec nc -ll -p 5000 -e /answer
"""
"""A registry of one image: of its manifest and what that names, each in base64."""
ANSWERS = r"until printf 'GET / HTTP/1.1\r\n\r\n' | nc 127.0.0.1 5000; do :; done"
"""Ends when it does."""
FROM_OWN = {
    "ALLOW_OPERATIONS": "ContainerArchive,ContainerCreate,ContainerStart,ImageCreate,SystemPing",
    "CREATE_IMAGES": "busybox,localhost:5000/app:1",
    "CREATE_PORTS": "127.0.0.1:5000",
    "PULL_IMAGES": "localhost:5000/app:1",
    "ONLY_CONTAINERS": "@own",
    "ONLY_OWNER": "ci",
}


def image_with_a_node() -> list[str]:
    """The manifest, the configuration and the layer of an image that is a node of a disk."""
    numbers = (329, b"0000007\0"), (337, b"0000000\0")
    layer = tars.header(b"disk", b"3", patches=numbers) + tars.END
    packed = gzip.compress(layer)

    def digest(data: bytes) -> str:
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    def named(kind: str, data: bytes) -> dict[str, object]:
        kind = f"application/vnd.docker.{kind}"
        return {"mediaType": kind, "size": len(data), "digest": digest(data)}

    roots = {"type": "layers", "diff_ids": [digest(layer)]}
    config = json.dumps({"os": "linux", "config": {}, "rootfs": roots}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": named("container.image.v1+json", config),
        "layers": [named("image.rootfs.diff.tar.gzip", packed)],
    }
    parts = (json.dumps(manifest).encode(), config, packed)
    return [base64.b64encode(one).decode() for one in parts]


@pytest.mark.engine
def test_a_registry_on_the_host_may_be_a_container_of_the_client(
    engine: Engine, tmp_path: Path
) -> None:
    """Who publishes the port of a listed image's registry says what is in that: a node of a disk."""
    with proxy(engine, tmp_path, **FROM_OWN) as host:
        serve = ("sh", "-c", REGISTRY, "sh", *image_with_a_node())
        port = "--publish=127.0.0.1:5000:5000"
        registry = engine.docker("create", port, "busybox", *serve, host=host).text
        engine.docker("start", registry, host=host)
        engine.docker("exec", registry, "sh", "-c", ANSWERS)
        engine.docker("pull", "localhost:5000/app:1", host=host)
        made = engine.docker("create", "localhost:5000/app:1", "x", host=host).text
        copied = engine.docker("cp", f"{made}:/disk", "-", host=host).output
    engine.docker("rm", "-f", registry, made)
    engine.docker("rmi", "localhost:5000/app:1")
    with tarfile.open(fileobj=io.BytesIO(copied)) as archive:
        assert archive.getmember("disk").isdev()
