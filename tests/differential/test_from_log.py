"""A real HAProxy under the incumbents' rules, its log, and what is learned from that."""

import os
import random
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.running import run
from tests.differential.haproxy_rules import Front, rules
from tests.engine import Engine
from tests.patience import PATIENCE
from trioproxy.evidence.evidencefile import load
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.learning.proposal import listed_operations
from trioproxy.logs.loglines import read_line

VARIABLES = {"CONTAINERS": "1", "IMAGES": "1", "POST": "1", "ALLOW_LOGS": "1"}
"""Not for volumes, nor for networks: of those the log has refusals."""

SEED = 20261125

SESSIONS = {
    "127.0.0.11": "docker ps -q; docker images -q; docker inspect nosuch; docker rm -f nosuch",
    "127.0.0.12": "docker run --name job busybox echo hi; docker logs job; docker rm job",
    "127.0.0.13": "docker restart nosuch; docker volume ls; docker version; docker stop nosuch",
}
"""What each client does, by the address from which HAProxy sees it come."""

CONFIGURATION = """\
global
    log stdout format raw daemon info
    maxconn 200
    nbthread 1
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-server-close
    option redispatch
    retries 3
    timeout connect 10s
    timeout client 1m
    timeout server 1m
backend docker
    server socket unix@{engine}
frontend proxy
    bind fd@{listener}
{rules}
    default_backend docker
defaults
    mode tcp
    timeout connect 10s
    timeout client 1m
    timeout server 1m
"""
"""The settings of both images that have to do with their log, word for word; and one
thread, which writes its lines in the order of the requests."""

CLIENT = """\
listen {name}
    bind unix@{path}
    source {address}
    server proxy 127.0.0.1:{port}
"""
"""Leads a Unix socket to the proxy, from an address of its own."""

ANSWER = "return status 200"
"""A rule that lets HAProxy play the Engine."""

Start = Callable[[Sequence[str], Mapping[str, str]], "Logging"]


@dataclass(kw_only=True)
class Logging:
    """A HAProxy whose log is kept."""

    folder: Path
    process: subprocess.Popen[bytes]

    def host(self, address: str) -> str:
        """Where a client finds it that is to be seen as coming from there."""
        return f"unix://{self.folder}/{address}"

    def stop(self) -> bytes:
        """Let it end what it has begun; all that it logged."""
        for _ in range(int(PATIENCE)):
            # One that comes while the master is about to watch its worker is lost.
            self.process.send_signal(signal.SIGUSR1)
            with suppress(subprocess.TimeoutExpired):
                return self.process.communicate(timeout=1)[0]
        raise AssertionError("HAProxy does not end")


@pytest.fixture
def logging_haproxy(sockets: Path) -> Iterator[Start]:
    """Start a HAProxy with rules and an environment in front of an Engine, if any."""
    with ExitStack() as stack:
        yield lambda rules, environment: stack.enter_context(
            _logging(rules, environment, sockets)
        )


@contextmanager
def _logging(
    rules: Sequence[str], environment: Mapping[str, str], folder: Path
) -> Iterator[Logging]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        parts = [
            CONFIGURATION.format(
                engine=folder / "engine",
                listener=listener.fileno(),
                rules="\n".join(f"    http-request {line}" for line in rules),
            ),
            *(
                CLIENT.format(
                    name=f"client{number}",
                    path=folder / address,
                    address=address,
                    port=port,
                )
                for number, address in enumerate(SESSIONS)
            ),
        ]
        file = folder / "haproxy.cfg"
        file.write_text("".join(parts))
        process = subprocess.Popen(
            ["haproxy", "-W", "-db", "-f", str(file)],
            env={"PATH": os.environ["PATH"], **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[listener.fileno()],
        )
    with process:
        assert process.stdout is not None
        try:
            # It says so once, when all its sockets take connections.
            seen = iter(process.stdout.readline, b"")
            assert any(b"Loading success" in line for line in seen)
            yield Logging(folder=folder, process=process)
        finally:
            process.kill()


def session(engine: Engine, address: str, host: str) -> None:
    """Do what this client does; some of it fails, and is refused."""
    subprocess.run(
        ["sh", "-c", SESSIONS[address]],
        env=engine.environment(host),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )


def learned_live(engine: Engine, address: str, folder: Path) -> str:
    """What learning writes of such a session while it is watched, under the same rules."""
    ceiling = folder / "rules.env"
    ceiling.write_text("".join(f"{k}={v}\n" for k, v in VARIABLES.items()))
    file = folder / "live" / f"app-{address}.env"
    file.parent.mkdir(exist_ok=True)
    run(
        *("learn", "--quiet", "--learn", "routes", "-o", str(file)),
        *("--within", str(ceiling)),
        *("--upstream", engine.url, "--", "sh", "-c", SESSIONS[address]),
        variables={"DOCKER_CONFIG": engine.environment()["DOCKER_CONFIG"]},
    )
    return file.read_text()


def granted(file: Path) -> frozenset[str]:
    """What a file grants."""
    return listed_operations(file.read_text(), str(file)) or frozenset()


@pytest.mark.engine
@pytest.mark.slow
def test_a_log_teaches_what_watching_does(
    engine: Engine,
    logging_haproxy: Start,
    sockets: Path,
    tmp_path: Path,
) -> None:
    """Three clients in one log of a real HAProxy become three files, each the same as
    live learning of its session writes, but for the line that says so."""
    front = Front(incumbent=TECNATIVA, variables=VARIABLES, path=sockets / "proxy")
    (sockets / "engine").symlink_to(engine.socket)
    proxy = logging_haproxy([*rules(front)], front.environment())
    for address in SESSIONS:
        session(engine, address, proxy.host(address))
    log = tmp_path / "proxy.log"
    log.write_bytes(proxy.stop())

    options = ("-o", str(tmp_path / "app-{client}.env"), "--learn", "routes")
    done = run("learn", *options, "--from-log", str(log))
    assert done.status == 0, done.err
    written = sorted(tmp_path.glob("app*.env"))
    assert [path.stem for path in written] == [f"app-{one}" for one in SESSIONS]
    refused = set[str]()
    for path, address in zip(written, SESSIONS, strict=True):
        assert path.read_text() == learned_live(engine, address, tmp_path), address
        told = " ".join(run("explain", str(path)).out.split())
        assert "1 run from logs, which show routes only" in told
        evidence = load(path.with_suffix(".jsonl").read_bytes(), name="").evidence
        assert {run.source for run in evidence.runs.values()} == {"log"}
        refused |= {shape.operation for shape in evidence.ended("refused")}
    assert refused == {"NetworkInspect", "VolumeList"}

    before = [path.read_bytes() for path in sorted(tmp_path.glob("app*"))]
    assert run("learn", *options, "--from-log", str(log)).status == 0
    assert [path.read_bytes() for path in sorted(tmp_path.glob("app*"))] == before

    together = tmp_path / "together.env"
    assert run("learn", "-o", str(together), "--from-log", str(log)).status == 0
    assert granted(together) == {name for path in written for name in granted(path)}


def hostile_targets() -> Iterator[bytes]:
    """Paths as clients may write them, to break a line of the log or a word of it."""
    rng = random.Random(SEED)
    bytes_of_a_target = bytes(set(range(0x21, 0x7F)) - {ord("?")})
    for size in (1, 8, 64, 900, 1_000, 1_100, 3_000):
        for _ in range(12):
            yield b"/" + bytes(rng.choices(bytes_of_a_target, k=size))
    yield b'/x"HTTP/1.1"' + b"127.0.0.99:1[25/Nov/2026:19:38:27.747]"
    yield b"/%0a127.0.0.99:1%20[25/Nov/2026:19:38:27.747]%20proxy%20docker/socket"
    yield b"/v1.45/containers/json#22%22#0A"
    yield b"/containers/json?" + b"a" * 2_000


def test_a_log_says_what_was_asked(logging_haproxy: Start) -> None:
    """Whatever a client writes into its target is read from HAProxy's log as it was
    sent, as cut off, or as none at all; never as another path, client or request."""
    proxy = logging_haproxy([ANSWER], {})
    targets = list(hostile_targets())
    address = next(iter(SESSIONS))
    for target in targets:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(proxy.host(address).removeprefix("unix://"))
            client.sendall(
                b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % target
            )
            while client.recv(65_536):
                pass
    entries = [
        entry for line in proxy.stop().splitlines() if (entry := read_line(line))
    ]
    assert len(entries) == len(targets)
    whole = 0
    for entry, target in zip(entries, targets, strict=True):
        assert entry.client == address
        if entry.method and entry.is_whole:
            whole += 1
            assert entry.method == "GET"
            assert entry.target.partition(b"?")[0] == target.partition(b"?")[0]
        else:
            assert len(target) > 800 or b"#" in target
    assert whole > len(targets) / 3
