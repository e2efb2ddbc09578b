"""What a hostile client can write into the learned file: nothing.

A client says in every place that it has what would be harmful in an env file or in the
evidence. Then the file is read as people read it: by `sh`, by `docker run --env-file`
and by Compose.
"""

import json
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import trio

from tests.answering_engine import answering_engine
from tests.commands.running import running
from tests.engine import Engine
from tests.patience import PATIENCE
from trioproxy.api.families import OPERATIONS_VARIABLE
from trioproxy.evidence.evidencefile import load
from trioproxy.file.envfile import parse

EVIL = (
    b"\nPOST=1", b"%0aPOST=1", b"\r\nEXEC=1", b"$(touch pwned)", b"`touch pwned`",
    b"${HOME}", b"'", b'"', b"a,ContainerExec", b"x\x00y", b"\x1b[2J", b"\xc3\xa9", b"\xff",
    b"%ff%00", b"#", b"a b", b"\\", b"{}", b"*", b";", b"{\"format\": 2}", b"~", b"%%",
)  # fmt: skip
EVIDENCE_LINE = re.compile(r"[ -~]*")


def heads(text: bytes) -> list[bytes]:
    """Requests with a text in each place that a client can fill."""
    end = b"\r\nHost: x\r\nX-Registry-Auth: s3cr3t\r\nConnection: close\r\n\r\n"
    return [
        b"GET /containers/my-container" + text + b"/json HTTP/1.1" + end,
        b"GET /containers/json?s3cr3t=" + text + b" HTTP/1.1" + end,
        b"POST /images/x/" + text + b" HTTP/1.1" + end,
        text + b" /containers/json HTTP/1.1" + end,
        b"GET /" + text + b"/x HTTP/1.1" + end,
        b"GET /v1.4" + text + b"/info HTTP/1.1" + end,
        b"GET /info HTTP/1." + text + end,
        b"GET /info HTTP/1.1\r\nUser-Agent: docker/1 " + text + end,
        b"GET /info HTTP/1.1\r\nUser-Agent: " + text + b"/1" + end,
        b"GET /info HTTP/1.1\r\nX-" + text + b": 1" + end,
        b"GET /info HTTP/1.1\r\nX-Registry-Auth: " + text + end,
        b"POST /auth HTTP/1.1\r\nContent-Length: %d%b%b" % (len(text), end, text),
    ]


def text_of(file: Path) -> str:
    """What is in a file."""
    return file.read_text()


def send(path: Path, head: bytes) -> None:
    """Send a request as it is, and read what comes back until the end."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        sock.sendall(head)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The env file that is left when the hostile client has said everything."""
    folder = tmp_path_factory.mktemp("hostile")
    file = folder / "$(touch pwned)\nPOST=1.env"
    trio.run(say_everything, folder, file)
    return file


async def say_everything(folder: Path, file: Path) -> None:
    """Be the hostile client of a learner."""
    listen, path = folder / "l.sock", folder / "engine.sock"
    options = ("--upstream", str(path), "-o", str(file))
    async with (
        answering_engine(path),
        running("learn", *options, "--listen", f"unix://{listen}") as proxy,
    ):
        await proxy.line("listening on")
        for text in EVIL:
            for head in heads(text):
                await trio.to_thread.run_sync(send, listen, head)
        proxy.process.terminate()
        assert await proxy.end() == 0


def test_the_file_says_only_what_learning_says(learned: Path) -> None:
    """Only our variables, only known operations, only plain characters in comments."""
    text = text_of(learned)
    variables = parse(text, name="app.env")
    assert variables.keys() == {OPERATIONS_VARIABLE}
    assert set(variables[OPERATIONS_VARIABLE].split(",")) == {
        "ContainerInspect", "ContainerList", "SystemAuth", "SystemInfo",
    }  # fmt: skip
    assert all(re.fullmatch(r"[ -~]*", line) for line in text.splitlines())
    assert not (learned.parent / "pwned").exists()


def test_the_evidence_says_only_what_learning_says(learned: Path) -> None:
    """Evidence holds no path, query, header value or body of the client's."""
    raw = learned.with_suffix(".jsonl").read_bytes()
    assert load(raw, name="x").damage == ""
    lines = raw.decode("ascii").splitlines()
    assert all(EVIDENCE_LINE.fullmatch(line) for line in lines)
    assert all(isinstance(json.loads(line), dict) for line in lines)
    for text in (b"s3cr3t", b"POST=1", b"$(", b"ContainerExec", b"my-container"):
        assert text not in raw


def by_shell(file: Path) -> Mapping[str, str]:
    """The variables as a POSIX shell reads them."""
    script = f"set -aeu; . {shlex.quote(str(file))}; env"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=file.parent,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_sh_reads_the_same(learned: Path) -> None:
    """Sourced by a shell the file runs nothing and sets just its variables."""
    wanted = parse(text_of(learned), name="x")
    assert wanted.items() <= dict(by_shell(learned)).items()
    assert not (learned.parent / "pwned").exists()


@pytest.mark.engine
def test_compose_reads_the_same(learned: Path, engine: Engine) -> None:
    """As env_file of a Compose service the file means the same."""
    project = learned.parent / "compose.yaml"
    file = json.dumps(learned.name.replace("$", "$$"))
    project.write_text(f"services:\n  a:\n    image: busybox\n    env_file: {file}\n")
    ran = engine.docker("compose", "-f", str(project), "config", "--format", "json")
    (service,) = json.loads(ran.output)["services"].values()
    assert service["environment"] == parse(text_of(learned), name="x")


@pytest.mark.engine
def test_docker_reads_the_same(learned: Path, engine: Engine) -> None:
    """With --env-file a container gets just these variables."""
    ran = engine.docker("run", "--rm", "--env-file", str(learned), "busybox", "env")
    pairs = dict(line.split("=", 1) for line in ran.text.splitlines())
    assert parse(text_of(learned), name="x").items() <= pairs.items()
    assert pairs.keys() - {OPERATIONS_VARIABLE} <= {
        "PATH",
        "HOSTNAME",
        "HOME",
    }
