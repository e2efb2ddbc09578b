"""Streams and tunnels of the real Engine, through the proxy on TCP and Unix sockets."""

import hashlib
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4

import pytest

from tests.end_to_end.proxies import Proxy
from tests.engine import Engine

pytestmark = pytest.mark.engine

MUCH = random.Random(2).randbytes(20_000_000)


@contextmanager
def following(engine: Engine, proxy: Proxy, *args: str) -> Iterator[IO[str]]:
    """The output of a docker command that does not end, while the block runs."""
    process = subprocess.Popen(
        ["docker", *args],
        stdout=subprocess.PIPE,
        text=True,
        env=engine.environment(proxy.url),
    )
    assert process.stdout is not None
    with process:
        yield process.stdout
        process.terminate()


def test_run_sends_20_mb_through_cat(engine: Engine, proxy: Proxy) -> None:
    """20 MB come back from `docker run -i busybox cat` as they went in."""
    command = ("run", "--rm", "-i", "busybox", "cat")
    ran = engine.docker(*command, host=proxy.url, input=MUCH)
    assert hashlib.sha256(ran.output).digest() == hashlib.sha256(MUCH).digest()


def test_run_ends_with_the_containers_status(engine: Engine, proxy: Proxy) -> None:
    """Exit status, stdout and stderr of the container are the command's."""
    script = "echo out; echo err >&2; exit 3"
    ran = engine.docker(
        "run", "--rm", "busybox", "sh", "-c", script, host=proxy.url, check=False
    )
    assert (ran.status, ran.text, ran.errors) == (3, "out", "err\n")


def test_exec_with_stdin(engine: Engine, proxy: Proxy, container: str) -> None:
    """`docker exec -i` passes stdin in, its end too, and the answer out."""
    ran = engine.docker(
        "exec", "-i", container, "sha256sum", host=proxy.url, input=MUCH
    )
    assert ran.text.split()[0] == hashlib.sha256(MUCH).hexdigest()


def test_exec_without_stdin(engine: Engine, proxy: Proxy, container: str) -> None:
    """`docker exec` without -i has all of its output, and the status."""
    script = "yes | head -c 1000000; exit 4"
    ran = engine.docker(
        "exec", container, "sh", "-c", script, host=proxy.url, check=False
    )
    assert (ran.status, len(ran.output)) == (4, 1_000_000)


def test_logs_follow(engine: Engine, proxy: Proxy) -> None:
    """`docker logs -f` shows a line before the container may write the next one."""
    script = "mkfifo go; echo first; read _ <go; echo second; read _ <go"
    started = engine.docker("run", "-d", "busybox", "sh", "-c", script).text
    with following(engine, proxy, "logs", "-f", started) as lines:
        assert lines.readline() == "first\n"
        engine.docker("exec", started, "sh", "-c", "echo >go")
        assert lines.readline() == "second\n"
    engine.docker("rm", "-f", started)


def test_logs_follow_ends_with_the_container(engine: Engine, proxy: Proxy) -> None:
    """`docker logs -f` ends by itself when the container does."""
    script = "echo all; sleep 600"
    started = engine.docker("run", "-d", "busybox", "sh", "-c", script).text
    with following(engine, proxy, "logs", "-f", started) as lines:
        assert lines.readline() == "all\n"
        engine.docker("kill", started)
        assert lines.read() == ""
    engine.docker("rm", started)


def test_event_arrives_before_the_next_is_sent(engine: Engine, proxy: Proxy) -> None:
    """Each event is there before the next thing happens."""
    command = ("events", "--since", "1m", "--filter", "type=volume")
    shown = ("--filter", "event=create", "--format", "{{.Actor.ID}}")
    names = [f"event-{number}-{uuid4()}" for number in range(3)]
    engine.docker("volume", "create", names[0])
    with following(engine, proxy, *command, *shown) as lines:
        seen = iter(line.strip() for line in lines)
        assert names[0] in seen
        for name in names[1:]:
            engine.docker("volume", "create", name)
            assert next(seen) == name
    engine.docker("volume", "rm", *names)


@pytest.mark.parametrize("buildkit", ["0", "1"], ids=["classic", "buildkit"])
def test_build(engine: Engine, proxy: Proxy, tmp_path: Path, buildkit: str) -> None:
    """`docker build` sends its context and gets an image that holds it."""
    (tmp_path / "Dockerfile").write_text(
        "FROM busybox\nCOPY data /data\nRUN sha256sum /data >/sum\n"
    )
    (tmp_path / "data").write_bytes(MUCH)
    engine.docker(
        "build", "-t", "built", str(tmp_path),
        host=proxy.url, environ={"DOCKER_BUILDKIT": buildkit},
    )  # fmt: skip
    # Copied: of a program that ends at once a busy Engine loses the output at times.
    made = engine.docker("create", "built", host=proxy.url).text
    engine.docker("cp", f"{made}:/sum", str(tmp_path / "sum"), host=proxy.url)
    told = (tmp_path / "sum").read_text()
    assert told.split()[0] == hashlib.sha256(MUCH).hexdigest()
    engine.docker("rm", made)
    engine.docker("rmi", "built")


def test_cp_both_ways(
    engine: Engine, proxy: Proxy, container: str, tmp_path: Path
) -> None:
    """What `docker cp` brought into a container it brings out again."""
    (tmp_path / "in").write_bytes(MUCH)
    engine.docker("cp", str(tmp_path / "in"), f"{container}:/copied", host=proxy.url)
    engine.docker("cp", f"{container}:/copied", str(tmp_path / "out"), host=proxy.url)
    assert (tmp_path / "out").read_bytes() == MUCH


def test_save_to_load(engine: Engine, proxy: Proxy) -> None:
    """`docker save | docker load` makes the image again, each half through the proxy."""
    image = engine.docker("commit", engine.docker("create", "busybox").text, "kept:1")
    saved = engine.docker("save", "kept:1", host=proxy.url)
    engine.docker("rmi", "kept:1")
    engine.docker("load", host=proxy.url, input=saved.output)
    loaded = engine.docker("image", "inspect", "--format", "{{.Id}}", "kept:1").text
    assert loaded == image.text
    engine.docker("rmi", "kept:1")
