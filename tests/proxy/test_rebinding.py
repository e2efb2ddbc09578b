"""Which sites may ask on which listener: the table of `http/hosts.py`, through the proxy.

A page at http://evil.example whose name was pointed at the proxy sends a Host and an
Origin that agree. `test_hosts.py` has the long table; here each kind of row goes over a
real socket, to a listener on loopback, to one on all interfaces, and to a Unix socket.
"""

import base64
import hashlib
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from tests.fakes import Client, FakeEngine, Message, connect
from tests.proxy.conftest import OPEN, LogAt, Proxy, Start
from trioproxy.config import Config, TcpAddress, UnixAddress
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.server import Server

PYTHON = sys.executable
PLAIN = {"PATH": os.environ["PATH"], "NO_PROXY": "*", "HOME": "/nonexistent"}
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What RFC 6455 puts behind a key."""

LISTENERS = ("loopback", "network", "unix")
EVIL = "evil.example:2375"
ALLOWED = frozenset({"proxy.example.org"})


@dataclass(kw_only=True)
class Place:
    """A proxy with a listener of each kind."""

    proxy: Proxy

    async def connect(self, listener: str) -> Client:
        """A new client of one of the `LISTENERS`."""
        address = self.proxy.server.addresses[LISTENERS.index(listener)]
        client = await connect(address, self.proxy.fake.journal)
        self.proxy.clients.append(client)
        return client

    async def ask(
        self, listener: str, *fields: str, line: str = "GET /containers/json HTTP/1.1"
    ) -> Message:
        """Send a head of just these lines, and read the answer."""
        client = await self.connect(listener)
        await client.send("\r\n".join([line, *fields, "", ""]).encode())
        return await client.read_response()


@pytest.fixture
async def place(
    fake: FakeEngine, nursery: trio.Nursery, log_at: LogAt, tmp_path: Path
) -> AsyncIterator[Callable[..., Awaitable[Place]]]:
    """Start one, in front of an Engine that answers everything: `await place()`."""

    places: list[Place] = []

    async def start() -> Place:
        config = Config(
            listen=(
                TcpAddress(host="127.0.0.1", port=0),
                TcpAddress(host="0.0.0.0", port=0),
                UnixAddress(path=str(tmp_path / "proxy.sock")),
            ),
            upstream=UnixAddress(path=str(fake.path)),
            allowed_hosts=ALLOWED,
        )
        log_file = tmp_path / "proxy.log"
        log = log_at(log_file)
        gate = Gate.enforcing(parse_policy(OPEN)[0])
        server = Server(config=config, gates={"": gate}, log=log)
        await nursery.start(server.run)
        proxy = Proxy(
            server=server,
            scope=nursery.cancel_scope,
            log_file=log_file,
            log=log,
            fake=fake,
            nursery=nursery,
        )
        await proxy.serve()
        places.append(Place(proxy=proxy))
        return places[-1]

    yield start
    nursery.cancel_scope.cancel()
    for each in places:
        for client in each.proxy.clients:
            client.close()


Started = Callable[..., Awaitable[Place]]
LANGUAGE = "Accept-Language: en"


def same_origin(host: str, *marks: str) -> tuple[str, ...]:
    """What a browser sends for a page of that host to the host itself."""
    return (f"Host: {host}", f"Origin: http://{host}", *marks)


ROWS: Mapping[str, tuple[tuple[str, ...], int, int]] = {
    # name: the fields, the status on loopback, the status on all interfaces
    "ipv4": (("Host: 127.0.0.1:2375",), 200, 200),
    "ipv4-page": (same_origin("127.0.0.1:2375", LANGUAGE), 200, 200),
    "ipv4-other-origin": (("Host: 127.0.0.1:2375", f"Origin: http://{EVIL}"), 403, 403),
    "ipv4-null-origin": (("Host: 127.0.0.1:2375", "Origin: null"), 403, 403),
    "ipv4-other-referer": (
        ("Host: 127.0.0.1:2375", f"Referer: http://{EVIL}/"),
        403,
        403,
    ),
    "ipv4-cross-site": (("Host: 127.0.0.1", "Sec-Fetch-Site: cross-site"), 403, 403),
    "ipv4-same-site": (("Host: 127.0.0.1", "Sec-Fetch-Site: same-site"), 403, 403),
    "ipv4-typed": (("Host: 127.0.0.1", "Sec-Fetch-Site: none", LANGUAGE), 200, 200),
    "ipv6": (("Host: [::1]",), 200, 200),
    "ipv6-port": (same_origin("[::1]:2375"), 200, 200),
    "localhost": (("Host: localhost:2375",), 200, 200),
    "localhost-page": (same_origin("localhost:2375", LANGUAGE), 200, 200),
    "localhost-upper-dot": (("Host: LOCALHOST.:2375", LANGUAGE), 200, 200),
    "under-localhost": (("Host: api.moby.localhost",), 200, 200),
    "service": (("Host: dockerproxy:2375",), 200, 200),
    "service-page": (same_origin("dockerproxy:2375"), 403, 403),
    "service-language": (("Host: dockerproxy:2375", LANGUAGE), 403, 403),
    "service-fetch": (("Host: dockerproxy", "Sec-Fetch-Mode: cors"), 403, 403),
    "allowed": (("Host: proxy.example.org:2375",), 200, 200),
    "allowed-page": (same_origin("Proxy.Example.ORG.:2375", LANGUAGE), 200, 200),
    "allowed-other-origin": (
        ("Host: proxy.example.org", f"Origin: http://{EVIL}"),
        403,
        403,
    ),
    "under-allowed": (("Host: evil.proxy.example.org", LANGUAGE), 403, 403),
    "foreign": ((f"Host: {EVIL}",), 403, 200),
    "foreign-page": (same_origin(EVIL), 403, 403),
    "foreign-language": ((f"Host: {EVIL}", LANGUAGE), 403, 403),
    "foreign-no-language": ((f"Host: {EVIL}", "Accept-Language:"), 403, 403),
    "foreign-referer": ((f"Host: {EVIL}", f"Referer: http://{EVIL}/"), 403, 403),
    "foreign-fetch": ((f"Host: {EVIL}", "Sec-Fetch-Dest: image"), 403, 403),
    "foreign-upper-dot": (same_origin("EVIL.Example.:2375"), 403, 403),
    "behind-localhost": (same_origin("localhost.evil.example"), 403, 403),
    "behind-address": (same_origin("127.0.0.1.evil.example"), 403, 403),
    "empty": (("Host:",), 200, 200),
    "empty-language": (("Host:", LANGUAGE), 403, 403),
}
"""Statuses on the two TCP listeners; on the Unix socket all of them pass."""


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("row", ROWS)
async def test_who_may_ask(place: Started, row: str, listener: str) -> None:
    """Allowed or 403 by Host, marks of a browser and kind of listener; refused sites reach no Engine."""
    fields, *statuses = ROWS[row]
    asked = await place()
    expected = dict(zip(LISTENERS, [*statuses, 200], strict=True))[listener]
    answer = await asked.ask(listener, *fields)
    assert answer.status == expected
    assert bool(asked.proxy.fake.connections) == (expected == 200)


@pytest.mark.parametrize("listener", LISTENERS)
async def test_http_1_0_without_a_host(place: Started, listener: str) -> None:
    """An old health check has no Host and no mark; with one it is no client of ours."""
    asked = await place()
    line = "GET /_ping HTTP/1.0"
    assert (await asked.ask(listener, line=line)).status == 200
    status = (await asked.ask(listener, LANGUAGE, line=line)).status
    assert status == (200 if listener == "unix" else 403)


async def test_what_one_listener_learned_is_not_believed_on_another(
    place: Started,
) -> None:
    """A head that the memo knows from the Unix socket is judged again on TCP, and the reverse."""
    asked = await place()
    for _ in range(3):
        assert (await asked.ask("unix", *same_origin(EVIL))).status == 200
        assert (await asked.ask("network", f"Host: {EVIL}")).status == 200
    for _ in range(3):
        assert (await asked.ask("loopback", *same_origin(EVIL))).status == 403
        assert (await asked.ask("loopback", f"Host: {EVIL}")).status == 403
    assert (await asked.ask("unix", *same_origin(EVIL))).status == 200
    assert (await asked.ask("network", f"Host: {EVIL}")).status == 200


async def test_known_fields_are_judged_by_the_listener_too(place: Started) -> None:
    """Header fields that were seen before, under another request line, are no shortcut."""
    asked = await place()
    for number in range(3):
        line = f"GET /containers/c{number}/json HTTP/1.1"
        assert (await asked.ask("unix", *same_origin(EVIL), line=line)).status == 200
    for number in range(3):
        line = f"GET /containers/d{number}/json HTTP/1.1"
        answer = await asked.ask("loopback", *same_origin(EVIL), line=line)
        assert answer.status == 403


async def test_the_refusal_names_the_setting(place: Started) -> None:
    """In the answer and in the log stands what to write if the name is one's own."""
    asked = await place()
    answer = await asked.ask("loopback", "Host: nas.home.example:2375")
    assert answer.status == 403
    assert b"ALLOWED_HOSTS=nas.home.example" in answer.body
    assert any(
        "status=403" in line and "ALLOWED_HOSTS=nas.home.example" in line
        for line in asked.proxy.lines()
    )


async def test_health_is_no_way_around(place: Started) -> None:
    """Whether an Engine runs here is nothing for a web page of another site."""
    asked = await place()
    line = "GET /_trioproxy/health HTTP/1.1"
    assert (await asked.ask("loopback", *same_origin(EVIL), line=line)).status == 403


async def test_curl(place: Started) -> None:
    """curl asks by address, by localhost and by the name of a service, as it is told."""
    asked = await place()
    for listener in ("loopback", "network"):
        url = asked.proxy.server.addresses[LISTENERS.index(listener)]
        port = re.sub(r".*:", "", url)
        for name in ("127.0.0.1", "localhost", "dockerproxy", "a.localhost"):
            done = await trio.run_process(
                [
                    *("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}"),
                    *("--connect-to", f"::127.0.0.1:{port}", "--noproxy", "*"),
                    f"http://{name}:{port}/containers/json",
                ],
                capture_stdout=True,
            )
            assert done.stdout == b"200", (listener, name)


async def test_docker_py(place: Started) -> None:
    """docker-py asks by localhost and through the Unix socket."""
    asked = await place()
    urls = asked.proxy.server.addresses
    port = re.sub(r".*:", "", urls[0])
    program = (
        "import docker, sys\n"
        "with docker.APIClient(sys.argv[1], version='1.45') as client:\n"
        "    print(client.get(client.base_url + '/v1.45/_ping').status_code)\n"
    )
    for url in (f"tcp://localhost:{port}", f"tcp://127.0.0.1:{port}", urls[2]):
        done = await trio.run_process(
            [PYTHON, "-c", program, url], capture_stdout=True, env=PLAIN
        )
        assert done.stdout == b"200\n", url


AIODOCKER = """
import asyncio, aiodocker, sys
async def main():
    async with aiodocker.Docker(sys.argv[1], api_version='v1.45') as client:
        box = client.containers.container('x')
        socket = await box.websocket(stdin=True, stdout=True, stream=True)
        print((await socket.receive()).data)
        await socket.close()
asyncio.run(main())
"""
DOCKER_PY = """
import docker, sys
with docker.APIClient(sys.argv[1], version='1.45') as client:
    socket = client.attach_socket('x', {'stream': 1, 'stdout': 1}, ws=True)
    print(socket.recv())
    socket.close()
"""


async def play_websocket(fake: FakeEngine) -> None:
    """Open one, say hello, and close."""
    engine = await fake.accept()
    head = await engine.read_head()
    found = re.search(rb"(?i)sec-websocket-key: *(\S+)", head)
    assert found is not None
    digest = hashlib.sha1(found[1] + WEBSOCKET).digest()
    accept = base64.b64encode(digest).decode()
    await engine.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept.encode()
    )
    await engine.send(b"\x82\x05hello")
    await engine.read_until(b"\x88")  # the client closes, and waits for the same
    await engine.send(b"\x88\x00")
    await engine.read_gone()


@pytest.mark.parametrize(
    ("program", "name"),
    [
        pytest.param(AIODOCKER, "unix", id="aiodocker-unix"),
        pytest.param(AIODOCKER, "127.0.0.1", id="aiodocker-address"),
        pytest.param(AIODOCKER, "localhost", id="aiodocker-localhost"),
        pytest.param(DOCKER_PY, "127.0.0.1", id="docker-py-address"),
        pytest.param(DOCKER_PY, "localhost", id="docker-py-localhost"),
    ],
)
async def test_a_websocket_of_a_client(start: Start, program: str, name: str) -> None:
    """Its own way to attach gets a websocket, by socket, address and localhost."""
    proxy = await start()
    (tcp,) = (url for url in proxy.server.addresses if url.startswith("tcp"))
    url = f"unix://{proxy.unix_path}"
    if name != "unix":
        url = re.sub(r".*:", f"tcp://{name}:", tcp)
    proxy.nursery.start_soon(play_websocket, proxy.fake)
    done = await trio.run_process(
        [PYTHON, "-c", program, url], capture_stdout=True, env=PLAIN
    )
    assert done.stdout == b"b'hello'\n"
