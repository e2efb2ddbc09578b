"""Real clients on a real Engine: learned once, enforced, and nothing else gets through.

Compose is learned in test_learned_arguments.py, and many more clients in tests/learned.
"""

import http.client
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.proxies import enforcing, environment, learn
from tests.engine import Engine
from tests.judge.judging import of_table
from tests.patience import PATIENCE
from trioproxy.api.matched import Request
from trioproxy.commands.versions import QUESTION
from trioproxy.file.permissions import parse_policy_file
from trioproxy.learning.proposal import listed_operations

pytestmark = pytest.mark.engine

CLI = """
set -eu
docker version >/dev/null
docker run -d --name learned-cli busybox sleep 60 >/dev/null
trap 'docker rm -f learned-cli >/dev/null' EXIT
docker ps --filter name=learned-cli --format '{{.Names}}'
docker exec learned-cli echo inside
docker cp learned-cli:/etc - >/dev/null
docker logs learned-cli
docker inspect learned-cli >/dev/null
docker volume create learned-cli >/dev/null
docker volume rm learned-cli >/dev/null
docker network create learned-cli >/dev/null
docker network rm learned-cli >/dev/null
docker images --format '{{.Repository}}' busybox
"""

DOCKER_PY = """
import docker
client = docker.from_env()
print(client.ping(), [image.tags for image in client.images.list("busybox")])
container = client.containers.run("busybox", ["sleep", "60"], detach=True)
try:
    print(container.exec_run(["echo", "inside"]).output)
    container.reload()
    print(container.status, container.logs())
finally:
    container.remove(force=True)
"""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A program that uses Docker, and operations that it cannot do without."""

    command: tuple[str, ...]
    needs: frozenset[str]


RUN = frozenset({"ContainerCreate", "ContainerStart", "ContainerDelete"})
CLIENTS = {
    "cli": Client(
        command=("sh", "-c", CLI),
        needs=RUN | {"ContainerExec", "ContainerLogs", "ExecStart", "NetworkCreate"},
    ),
    "docker-py": Client(
        command=(sys.executable, "-c", DOCKER_PY),
        needs=RUN | {"SystemPing", "SystemVersion", "ExecStart"},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A client, and the file that was learned from it."""

    client: Client
    file: Path

    @property
    def granted(self) -> frozenset[str]:
        """What the file grants."""
        return listed_operations(self.file.read_text(), "x") or frozenset()

    def run(self, engine: Engine, host: str) -> subprocess.CompletedProcess[str]:
        """Run the client again, with the proxy in front of the Engine."""
        return subprocess.run(
            self.client.command,
            env=environment(engine.environment(host)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module", params=CLIENTS, ids=list(CLIENTS))
def learned(
    engine: Engine,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Learned:
    """The client has run once under `learn`."""
    client = CLIENTS[request.param]
    file = tmp_path_factory.mktemp("client") / "learned" / "app.env"
    ran = learn(engine, file, *client.command)
    assert ran.returncode == 0, ran.stderr.decode() + ran.stdout.decode()
    return Learned(client=client, file=file)


def test_what_a_client_needs_is_learned(learned: Learned) -> None:
    """The operations without which the client cannot work are in its file."""
    assert learned.granted >= learned.client.needs


def test_the_same_run_passes(engine: Engine, learned: Learned) -> None:
    """Enforcing the file, the client works as before, and nothing is refused."""
    with enforcing(engine, "--env-file", str(learned.file)) as proxy:
        ran = learned.run(engine, proxy.url)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert not [line for line in proxy.log if "decision=refused" in line]
    assert [line for line in proxy.log if "decision=allowed" in line]


def test_learning_again_finds_nothing_new(engine: Engine, learned: Learned) -> None:
    """A second run of the same adds nothing, and says so."""
    before = learned.granted
    ran = learn(engine, learned.file, *learned.client.command)
    assert ran.returncode == 0, ran.stderr.decode()
    assert learned.granted == before
    assert "0 of them new" in ran.stderr.decode()


class Recorder(socketserver.ThreadingUnixStreamServer):
    """An upstream that writes down what reaches it, and answers."""

    daemon_threads = True
    arrived: list[bytes]


ITS_OWN = QUESTION.splitlines(keepends=True)[0].partition(b"%b")[2]
"""What the first line of a question of the proxy's own ends in; clients speak HTTP/1.1."""


class Arrival(socketserver.StreamRequestHandler):
    """One connection to the upstream; what the proxy itself asks comes when it will."""

    def handle(self) -> None:
        line = self.rfile.readline()
        if line and not line.endswith(ITS_OWN):
            assert isinstance(self.server, Recorder)
            self.server.arrived.append(line)
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n")
            self.wfile.write(b"Connection: close\r\n\r\n")


@contextmanager
def recording(folder: Path) -> Iterator[Recorder]:
    """Run a recording upstream."""
    with Recorder(str(folder / "r.sock"), Arrival) as recorder:
        recorder.arrived = []
        thread = threading.Thread(target=recorder.serve_forever, args=(0.05,))
        thread.start()
        yield recorder
        recorder.shutdown()
        thread.join()


def send(url: str, request: Request) -> int:
    """Send a request in a valid shape; its status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port, timeout=PATIENCE
    )
    body = b"{}" if request.method in {"POST", "PUT"} else None
    if request.operation == "ContainerCreate":
        body = b'{"Image":"busybox"}'
    headers = {"Content-Type": "application/json"} if body else {}
    try:
        connection.request(request.method, request.target.path, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_nothing_else_arrives(
    learned: Learned, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every other operation of the table is refused, and never reaches the Engine."""
    folder = tmp_path_factory.mktemp("r")
    # Of the routes alone: what names objects is looked up at an Engine first.
    lines = learned.file.read_text().splitlines(keepends=True)
    routes = folder / "routes.env"
    routes.write_text("".join(line for line in lines if not line.startswith("ONLY_")))
    policy, _ = parse_policy_file(routes.read_text(), name="x")
    with recording(folder) as recorder:
        upstream = Engine(f"unix://{folder}/r.sock", folder)
        with enforcing(upstream, "--env-file", str(routes)) as proxy:
            for request in of_table():
                before = len(recorder.arrived)
                status = send(proxy.url, request)
                if policy.decide(request).allowed:
                    assert (status, len(recorder.arrived)) == (200, before + 1), request
                else:
                    assert (status, len(recorder.arrived)) == (403, before), request
    assert len(recorder.arrived) >= len(learned.granted)
