"""What one client may cost all others: counts of work, bytes held, and who goes first.

Times are measured by `make flood`; here nothing depends on the machine. Work is counted
in calls that the interpreter makes between two turns of other tasks (`Turns`), memory in
bytes that Python holds (`tracemalloc`).
"""

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import pytest
import trio
from trio.testing import MockClock

from tests.api.test_steps import WORST
from tests.fakes import (
    HEADS,
    Client,
    EngineConnection,
    FakeEngine,
    Peer,
    chunk,
    connect,
    request,
    response,
    settle,
)
from tests.proxy.conftest import OPEN, LogAt, Proxy, Start
from trioproxy.config import Config, TcpAddress, UnixAddress
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import name_of_client
from trioproxy.proxy import listeners
from trioproxy.proxy.server import Server

CHUNKED: Final = "Transfer-Encoding: chunked"
MIB: Final = 1 << 20

HEAD_LINES: Final = 256
UNFINISHED_BYTES: Final = 16 * MIB
"""Of all unfinished heads together."""

EARLY_BYTES: Final = 16 * MIB
"""Of all that clients sent ahead of what is done with it."""

SLOW_READER_BYTES: Final = 100 * 1024
MOST_CALLS: Final = 20_000
"""In one turn: a few milliseconds. An ordinary request takes hundreds."""

Launch = Callable[..., Awaitable[Proxy]]


@pytest.fixture
async def launch(
    fake: FakeEngine,
    nursery: trio.Nursery,
    log_at: LogAt,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Launch]:
    """Start a proxy with any field of `Config`: `await launch(max_connections=4)`.

    Each address is a client of its own, where all of loopback would be one.
    """
    monkeypatch.setattr(listeners, "group_of", name_of_client)
    proxies: list[Proxy] = []

    async def start(**settings: int) -> Proxy:
        config = Config(
            listen=(
                TcpAddress(host="127.0.0.1", port=0),
                UnixAddress(path=str(tmp_path / "proxy.sock")),
            ),
            upstream=UnixAddress(path=str(fake.path)),
            **settings,  # type: ignore[arg-type]  # the test names fields that are counts
        )
        log_file = tmp_path / "proxy.log"
        log = log_at(log_file)
        server = Server(
            config=config,
            gates={"": Gate.enforcing(parse_policy(OPEN)[0])},
            log=log,
        )
        await nursery.start(server.run)
        proxies.append(
            Proxy(
                server=server,
                scope=nursery.cancel_scope,
                log_file=log_file,
                log=log,
                fake=fake,
                nursery=nursery,
            )
        )
        return proxies[-1]

    yield start
    nursery.cancel_scope.cancel()
    for proxy in proxies:
        for client in proxy.clients:
            client.close()


class Turns(trio.abc.Instrument):
    """Counts the calls of each turn that a task has, until it lets others run."""

    def __init__(self) -> None:
        self.longest = 0
        self.total = 0
        self._calls = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task's turn begins."""
        self._calls = 0
        sys.setprofile(self._count)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """It ends."""
        sys.setprofile(None)
        self.longest = max(self.longest, self._calls)
        self.total += self._calls

    def _count(self, frame: FrameType, event: str, arg: object) -> None:
        self._calls += event in {"call", "c_call"}


@contextmanager
def turns() -> Iterator[Turns]:
    """Count while the block runs."""
    counted = Turns()
    trio.lowlevel.add_instrument(counted)
    try:
        yield counted
    finally:
        trio.lowlevel.remove_instrument(counted)
        sys.setprofile(None)


@contextmanager
def traced() -> Iterator[None]:
    """Know what Python holds, while the block runs."""
    tracemalloc.start()
    try:
        yield
    finally:
        tracemalloc.stop()


def held() -> int:
    """Bytes that Python holds now, as far as they were taken while it was traced."""
    return tracemalloc.get_traced_memory()[0]


async def pour(peer: Peer, data: bytes) -> int:
    """Send as much as the other side takes, once; says how much that was."""
    sent = 0
    while sent < len(data):
        await settle()
        try:
            sent += os.write(peer.sock.fileno(), memoryview(data)[sent:])
        except BlockingIOError:
            break
    return sent


async def stream(
    proxy: Proxy, client: Client, target: str = "/events"
) -> EngineConnection:
    """Let a client follow events, which makes it busy for ever."""
    await client.ask(target=target)
    engine = await proxy.fake.accept()
    await engine.read_request()
    await engine.send(HEADS["events"])
    await client.read_head()
    return engine


async def ping(proxy: Proxy, client: Client) -> int:
    """The status of a ping, which the Engine answers if it comes that far."""
    await client.ask()
    await settle()
    if await proxy.fake.is_called():
        await (await proxy.fake.accept()).answer(body=b"OK")
    return (await client.read_response()).status


async def connect_from(proxy: Proxy, address: str) -> Client:
    """A client on the TCP listener with an address of its own."""
    (url,) = [url for url in proxy.server.addresses if url.startswith("tcp")]
    client = await connect(url, proxy.fake.journal, source=address)
    proxy.clients.append(client)
    return client


# Heads


def head_of(lines: int) -> bytes:
    """A whole head with so many lines, the request line among them."""
    fields = [f"X-{number}: 1" for number in range(lines - 2)]
    return request("GET", "/_ping", *fields)


async def test_a_head_of_many_lines_passes(proxy: Proxy) -> None:
    """256 lines are a head."""
    client = await proxy.connect()
    await client.send(head_of(HEAD_LINES))
    await (await proxy.fake.accept()).answer(body=b"OK")
    assert (await client.read_response()).status == 200


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "unfinished"])
async def test_a_head_of_too_many_lines_is_refused(
    proxy: Proxy, is_whole: bool
) -> None:
    """The line after that gets 431, whether the head's end is there or not."""
    client = await proxy.connect()
    head = head_of(HEAD_LINES + 1)
    await client.send(head if is_whole else head[: -len(b"\r\n")])
    assert (await client.read_response()).status == 431
    assert not await proxy.fake.is_called()


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "unfinished"])
async def test_thirty_thousand_lines_are_not_read(proxy: Proxy, is_whole: bool) -> None:
    """Such a head is refused for its number of lines, not after each was parsed."""
    head = b"GET /_ping HTTP/1.1\r\nHost: d\r\n" + b"a:\r\n" * 30_000
    client = await proxy.connect()
    with turns() as counted:
        await client.send(head + (b"\r\n" if is_whole else b""))
        assert (await client.read_response()).status == 431
    assert counted.longest < MOST_CALLS


async def test_a_byte_costs_no_copy_of_the_head(proxy: Proxy) -> None:
    """Each byte that follows 120 KB of a head is looked at alone: the 120 KB stay where they are."""
    client = await proxy.connect()
    line = b"X-Filler: %s\r\n" % (b"f" * 4000)
    start = b"GET /_ping HTTP/1.1\r\nHost: d\r\n" + line * 30
    taken = []
    with traced():
        await client.send(start)
        await settle()
        for _ in range(51):
            tracemalloc.reset_peak()
            before = held()
            await client.send(b"f")
            await settle()
            taken.append(tracemalloc.get_traced_memory()[1] - before)
    # The median, for what grows by a byte is moved to a larger place now and then.
    assert statistics.median(taken) < len(start) * 2 // 3


async def stays(client: Client) -> bool:
    """Whether a client was told nothing, and is not closed."""
    try:
        return not client.received and not await client.arrived()
    except ConnectionResetError:
        return False


async def test_all_unfinished_heads_have_one_budget(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """Beyond 16 MiB together the longest-waiting goes first, though it goes on to send."""
    unfinished = (
        b"GET /_ping HTTP/1.1\r\nHost: d\r\n"
        + (b"X-Filler: %s\r\n" % (b"f" * 4000)) * 31
    )
    clients = [await proxy.connect() for _ in range(170)]
    for client in clients:
        await client.send(unfinished)
        await settle()
        if await stays(clients[0]):
            await clients[0].send(b"f")
    stayed = [await stays(client) for client in clients]
    for client in clients:
        assert not client.received or b" 503 " in client.received
    most = UNFINISHED_BYTES // len(unfinished)
    assert most * 3 // 4 <= sum(stayed) <= most
    assert stayed == sorted(stayed), "who waited longest goes first"
    assert await ping(proxy, await proxy.connect()) == 200


@pytest.mark.slow
async def test_a_finished_head_gives_its_bytes_back(proxy: Proxy) -> None:
    """The budget is of heads that are unfinished now: 400 large ones in turn all pass."""
    await proxy.serve()
    filler = "X-Filler: " + "f" * 120_000
    client = await proxy.connect()
    for _ in range(400):
        await client.ask("GET", "/_ping", filler)
        assert (await client.read_response()).status == 200


async def test_who_leaves_gives_its_bytes_back(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """400 clients that leave in the middle of a head are no reason to end another's."""
    waiting = await proxy.connect()
    await waiting.send(b"GET /_ping HT")
    await settle()
    for _ in range(400):
        client = await proxy.connect()
        await client.send(b"GET /_ping HTTP/1.1\r\nX: " + b"f" * 120_000)
        await settle()
        client.close()
        await settle()
    await waiting.send(b"TP/1.1\r\nHost: d\r\n\r\n")
    await (await proxy.fake.accept()).answer(body=b"OK")
    assert (await waiting.read_response()).status == 200


async def test_long_heads_have_room_while_they_are_served(proxy: Proxy) -> None:
    """Of streams whose heads are long one client has so many at most; who is refused holds
    nothing, a short head is served beside them, and who ends makes room."""
    long, streams = "/events?filters=" + "%7B" * 40_000, list[Client]()
    await stream(proxy, await proxy.connect())
    newcomer = await proxy.connect()
    await newcomer.ask(target=long)
    while await proxy.fake.is_called() and len(streams) < 60:
        engine = await proxy.fake.accept()
        await engine.read_request()
        await engine.send(HEADS["events"])
        await newcomer.read_head()
        streams.append(newcomer)
        newcomer = await proxy.connect()
        await newcomer.ask(target=long)
        await settle()
    assert 8 <= len(streams) < 40
    answer = await newcomer.read_response()
    assert (answer.status, b"no room for this request" in answer.body) == (503, True)
    with traced():
        before = held()
        for _ in range(60):
            client = await proxy.connect()
            await client.ask(target=long)
            assert (await client.read_response()).status == 503
        assert held() - before < 3 * MIB
    await stream(proxy, await proxy.connect())
    for client in streams[:2]:
        client.close()
    await settle()
    await stream(proxy, await proxy.connect(), long)


async def test_what_is_dropped_is_held_by_nobody(
    start: Start, mock_clock: MockClock
) -> None:
    """Of bodies that nobody wants, 100 clients in the middle of them make us hold nothing."""
    proxy = await start(policy={"IMAGES": "0"})
    with traced():
        clients = [await proxy.connect() for _ in range(100)]
        for client in clients:
            await client.ask("POST", "/images/load", f"Content-Length: {1 << 40}")
            assert (await client.read_response()).status == 403
        before = held()
        for client in clients:
            await pour(client, b"f" * 100_000)
        await settle()
        assert proxy.open_connections() == len(clients)
        assert held() - before < MIB


async def test_bytes_sent_ahead_have_one_budget(proxy: Proxy) -> None:
    """What 300 clients send behind a body, while its answer is awaited, is not all held: who sent
    first has to go."""
    with traced():
        clients = []
        for _ in range(300):
            client, engine = await proxy.ask("POST", "/build?t=x", CHUNKED)
            await engine.read_head()
            clients.append(client)
        before = held()
        for client in clients:
            await pour(client, b"0\r\n\r\n" + b"f" * 200_000)
        await settle()
        assert held() - before < EARLY_BYTES + 2 * MIB
    assert await clients[0].read_gone() in {"end", "reset"}
    assert 200 < proxy.open_connections() < len(clients)
    assert any("end=evicted" in line for line in proxy.lines())


async def test_slow_readers_of_chunked_answers(proxy: Proxy) -> None:
    """A client that reads nothing of a long answer holds little here; the Engine waits."""
    count = 100
    with traced():
        pairs = [await proxy.ask(target="/containers/x/logs") for _ in range(count)]
        for _client, engine in pairs:
            await engine.read_request()
        before = held()
        for _client, engine in pairs:
            await engine.send(response("200 OK", CHUNKED))
            await pour(engine, chunk(b"x" * 4096) * 1000)
        await settle()
        assert (held() - before) / count < SLOW_READER_BYTES


async def test_slow_readers_of_one_burst(proxy: Proxy) -> None:
    """What waits for clients that read nothing is bounded for all together, also where all answers go
    on in the same moment: how much is read is not settled before it comes."""
    count = 100
    with traced():
        pairs = [await proxy.ask(target="/containers/x/logs") for _ in range(count)]
        for _client, engine in pairs:
            await engine.read_request()
            await engine.send(response("200 OK", "Content-Length: 999999999"))
        await settle()
        before = held()
        for _ in range(4):  # the first fill what the kernel has room for
            for _client, engine in pairs:
                with suppress(BlockingIOError):
                    while True:
                        os.write(engine.sock.fileno(), bytes(32 * 1024))
            await settle()
        assert held() - before < 6 * MIB + count * 24 * 1024


# Bodies of many short chunks

SHORT: Final = chunk(b"a") * 40_000


async def test_an_ordinary_request_is_short_work(proxy: Proxy) -> None:
    """The measure of this file: a request and its answer are far below what a turn may take."""
    with turns() as counted:
        client, engine = await proxy.ask()
        await engine.answer(body=b"OK")
        await client.read_response()
    assert 0 < counted.longest < MOST_CALLS // 10


@pytest.mark.parametrize(
    ("method", "target"),
    [
        pytest.param("POST", "/build?t=x", id="wanted"),
        pytest.param("GET", "/events", id="unwanted"),
    ],
)
async def test_a_request_body_of_short_chunks_gives_way(
    proxy: Proxy, method: str, target: str
) -> None:
    """One read of such a body is scanned in several turns."""
    client, engine = await proxy.ask(method, target, CHUNKED)
    await engine.read_head()
    with turns() as counted:
        await pour(client, SHORT)
        await settle()
    assert counted.longest < MOST_CALLS


async def test_short_chunks_are_little_work(proxy: Proxy) -> None:
    """40,000 chunks of one byte are hundreds of calls, and not one for each."""
    client, engine = await proxy.ask("POST", "/build?t=x", CHUNKED)
    await engine.read_head()
    with turns() as counted:
        proxy.nursery.start_soon(client.send, SHORT)
        assert await engine.count(len(SHORT)) == len(SHORT)
    assert counted.total < 40_000 // 4


async def test_a_body_that_came_with_its_head_gives_way(proxy: Proxy) -> None:
    """The same where body and head are one read."""
    client = await proxy.connect()
    with turns() as counted:
        await pour(client, request("GET", "/events", CHUNKED) + SHORT)
        await settle()
    assert counted.longest < MOST_CALLS


async def test_an_answer_of_short_chunks_gives_way(proxy: Proxy) -> None:
    """So is an answer, and it arrives whole."""
    client, engine = await proxy.ask(target="/images/json")
    await engine.read_request()
    body = SHORT + b"0\r\n\r\n"
    with turns() as counted:
        proxy.nursery.start_soon(engine.send, response("200 OK", CHUNKED) + body)
        await client.read_head()
        assert await client.count(len(body)) == len(body)
    assert counted.longest < MOST_CALLS


async def test_trailers_of_many_lines_give_way(proxy: Proxy) -> None:
    """The lines behind the last chunk are work too."""
    client, engine = await proxy.ask("POST", "/build?t=x", CHUNKED)
    await engine.read_head()
    with turns() as counted:
        await pour(client, b"0\r\n" + b"a:\r\n" * 15_000 + b"\r\n")
        await settle()
    assert counted.longest < MOST_CALLS


@pytest.mark.parametrize("name", ["names", "structs", "ports", "endpoints"])
async def test_a_body_that_is_judged_gives_way(start: Start, name: str) -> None:
    """Reading it takes hundreds of thousands of calls, and no turn has all of them."""
    proxy = await start({**OPEN, "CREATE_PORTS": "80"})
    client = await proxy.connect()
    body = json.dumps(WORST[name], separators=(",", ":")).encode()
    fields = ("Content-Type: application/json",)
    with turns() as counted:
        await client.ask("POST", "/containers/create", *fields, body=body)
        engine = await proxy.fake.accept()
        assert len((await engine.read_request()).body) > len(body) // 2
    assert counted.total > 1.5 * DECODING
    assert counted.longest < DECODING


DECODING: Final = 60_000
"""Calls of the one turn in which C decodes such a body: less than three a value."""


# Who is let in


async def test_the_longest_idle_makes_room(
    launch: Launch, mock_clock: MockClock
) -> None:
    """At the limit a newcomer takes the place of who has been idle longest, and of nobody else."""
    proxy = await launch(max_connections=4, max_connections_per_client=4)
    clients = []
    for _ in range(4):
        clients.append(await proxy.connect())
        assert await ping(proxy, clients[-1]) == 200
        mock_clock.jump(1)
    await clients[0].ask()
    await proxy.fake.connections[0].answer(body=b"OK")
    await clients[0].read_response()
    mock_clock.jump(1)
    assert await ping(proxy, await proxy.connect()) == 200
    assert [await client.is_open() for client in clients] == [True, False, True, True]


async def test_who_has_just_asked_makes_no_room(launch: Launch) -> None:
    """A connection whose request came in the same moment as newcomers is served, and these get 503:
    none finds a reset."""
    proxy = await launch(max_connections=8, max_connections_per_client=8)
    for _ in range(8):  # whose turn comes first is Trio's to choose
        clients = [await proxy.connect() for _ in range(8)]
        await settle()
        newcomers = []
        for client in clients:  # with no turn of the proxy's in between
            newcomers.append(sock := socket.socket(socket.AF_UNIX))
            sock.connect(proxy.unix_path)
            sock.sendall(request())
            os.write(client.sock.fileno(), request())
        for _ in clients:
            await (await proxy.fake.accept()).answer(body=b"OK")
        for client in clients:
            assert (await client.read_response()).status == 200
            client.close()
        await settle()
        for sock in newcomers:
            assert sock.recv(12) == b"HTTP/1.1 503"
            sock.close()


async def test_who_never_spoke_is_idle(launch: Launch, mock_clock: MockClock) -> None:
    """Silent connections, opened one after the other, go in that order."""
    proxy = await launch(max_connections=3, max_connections_per_client=3)
    clients = []
    for _ in range(5):
        clients.append(await proxy.connect())
        await settle()
        mock_clock.jump(1)
    opened = [await client.is_open() for client in clients]
    assert opened == [False, False, True, True, True]
    assert not any(client.received for client in clients)


async def test_the_busy_make_no_room(launch: Launch) -> None:
    """Streams and requests that wait for their answer or for a body go on; the newcomer gets 503."""
    proxy = await launch(max_connections=3, max_connections_per_client=3)
    clients = [await proxy.connect() for _ in range(3)]
    await stream(proxy, clients[0])
    await clients[1].ask()
    await (await proxy.fake.accept()).read_request()
    await clients[2].send(
        b"POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n"
    )
    await (await proxy.fake.accept()).read_head()
    newcomer = await proxy.connect()
    await newcomer.ask()
    answer = await newcomer.read_response()
    assert (answer.status, b"MAX_CONNECTIONS" in answer.body) == (503, True)
    assert all([await client.is_open() for client in clients])


async def test_half_a_head_makes_room(launch: Launch) -> None:
    """Who has sent a part of a head goes where a newcomer needs its place, behind all who are idle."""
    proxy = await launch(max_connections=2, max_connections_per_client=2)
    half = await proxy.connect()
    await half.send(b"GET /_pi")
    idle = await proxy.connect()
    await settle()
    for gone in (idle, half):
        newcomer = await proxy.connect()
        await stream(proxy, newcomer)
        assert await gone.read_gone() == "end"


async def test_all_of_loopback_is_one_client(fake: FakeEngine, start: Start) -> None:
    """Its addresses are free to choose, so what one of them has taken the others have not."""
    proxy = await start(max_connections=20, max_connections_per_client=2)
    for address in ("127.0.0.2", "127.0.0.3"):
        await stream(proxy, await connect_from(proxy, address))
    one_more = await connect_from(proxy, "127.9.9.9")
    await one_more.ask()
    answer = await one_more.read_response()
    assert answer.status == 503
    assert b"MAX_CONNECTIONS_PER_CLIENT" in answer.body
    await stream(proxy, await proxy.connect())


async def test_a_client_has_a_limit_of_its_own(launch: Launch) -> None:
    """By address, or by user on a Unix socket: others are let in, and the answer names the setting."""
    proxy = await launch(max_connections=20, max_connections_per_client=3)
    opens: list[Callable[[], Awaitable[Client]]] = [
        proxy.connect,
        lambda: connect_from(proxy, "127.0.0.2"),
        lambda: connect_from(proxy, "127.0.0.3"),
    ]
    for open_one in opens:
        for _ in range(3):
            await stream(proxy, await open_one())
        one_more = await open_one()
        await one_more.ask()
        answer = await one_more.read_response()
        assert answer.status == 503
        assert b"MAX_CONNECTIONS_PER_CLIENT" in answer.body


async def test_who_leaves_gives_its_place_back(launch: Launch) -> None:
    """The limit of a client counts who is here now, and ends with the last of them."""
    proxy = await launch(max_connections=20, max_connections_per_client=1)
    for _ in range(5):
        client = await connect_from(proxy, "127.0.0.2")
        engine = await stream(proxy, client)
        client.close()
        assert await engine.read_rest() == b""
        engine.close()
        await settle()
    await stream(proxy, await connect_from(proxy, "127.0.0.2"))


async def test_at_its_limit_a_client_makes_room_for_itself(
    launch: Launch, mock_clock: MockClock
) -> None:
    """Its own longest idle connection goes, not an older one of somebody else."""
    proxy = await launch(max_connections=20, max_connections_per_client=2)
    other = await connect_from(proxy, "127.0.0.3")
    await settle()
    clients = []
    for _ in range(3):
        mock_clock.jump(1)
        clients.append(await connect_from(proxy, "127.0.0.2"))
        await settle()
    assert [await client.is_open() for client in clients] == [False, True, True]
    assert await other.is_open()
    assert await ping(proxy, clients[2]) == 200


async def test_half_of_all_is_the_default(launch: Launch) -> None:
    """One client with endless streams leaves the other half to the others."""
    proxy = await launch(max_connections=6)
    for _ in range(3):
        await stream(proxy, await connect_from(proxy, "127.0.0.2"))
    refused = await connect_from(proxy, "127.0.0.2")
    await refused.ask()
    assert (await refused.read_response()).status == 503
    assert await ping(proxy, await connect_from(proxy, "127.0.0.3")) == 200


HEALTH: Final = "/_trioproxy/health"


async def answer_health(proxy: Proxy) -> None:
    """Play the Engine for one round trip of the health route.

    By the real clock a busy machine may let it take longer than the proxy waits for it.
    """
    engine = await proxy.fake.accept()
    await engine.read_request()
    await engine.send(response("200 OK", "Connection: close") + b"OK")
    engine.close()


async def test_a_slot_is_kept_for_health(launch: Launch, mock_clock: MockClock) -> None:
    """With every slot taken by streams a health check is answered, and nothing else is."""
    proxy = await launch(max_connections=3, max_connections_per_client=3)
    for _ in range(3):
        await stream(proxy, await proxy.connect())
    for _ in range(3):
        checker = await connect_from(proxy, "127.0.0.2")
        await checker.ask(target=HEALTH)
        await settle()
        if await proxy.fake.is_called():
            await answer_health(proxy)
        assert (await checker.read_response()).status == 200
        checker.close()
        await settle()
    other = await connect_from(proxy, "127.0.0.2")
    await other.ask()
    assert (await other.read_response()).status == 503
    assert not await proxy.fake.is_called()


async def test_the_slot_for_health_is_for_health_alone(
    launch: Launch, mock_clock: MockClock
) -> None:
    """Who came in by it and then asks for something else is turned away."""
    proxy = await launch(max_connections=1, max_connections_per_client=1)
    await stream(proxy, await proxy.connect())
    checker = await connect_from(proxy, "127.0.0.2")
    await checker.ask(target=HEALTH)
    await answer_health(proxy)
    assert (await checker.read_response()).status == 200
    if await checker.is_open():
        await checker.ask()
        assert (await checker.read_response()).status == 503
    assert not await proxy.fake.is_called()


async def test_health_requests_share_a_round_trip(
    launch: Launch, mock_clock: MockClock
) -> None:
    """400 at once ask the Engine once, and all hear its answer."""
    proxy = await launch(max_connections=1000, max_connections_per_client=1000)
    clients = [await proxy.connect() for _ in range(400)]
    for client in clients:
        await client.ask(target=HEALTH)
    await settle()
    await answer_health(proxy)
    for client in clients:
        assert (await client.read_response()).status == 200
    assert len(proxy.fake.connections) == 1
    assert not await proxy.fake.is_called()


async def test_a_health_check_that_leaves_takes_no_round_trip_along(
    launch: Launch, mock_clock: MockClock
) -> None:
    """Who asked first and is gone leaves the others with an answer."""
    proxy = await launch()
    first, second = [await proxy.connect() for _ in range(2)]
    await first.ask(target=HEALTH)
    await settle()
    await second.ask(target=HEALTH)
    await settle()
    first.close()
    await settle()
    await answer_health(proxy)
    assert (await second.read_response()).status == 200


class Descriptors(trio.abc.Instrument):
    """Counts the descriptors of this process, whenever a task lets others run."""

    def __init__(self) -> None:
        self.most = 0

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """A task's turn ends."""
        self.most = max(self.most, len(os.listdir("/proc/self/fd")))


@pytest.mark.parametrize("is_over", [False, True], ids=["served", "at the end"])
async def test_who_is_turned_away_takes_no_more_than_the_spare_descriptors(
    launch: Launch, mock_clock: MockClock, is_over: bool
) -> None:
    """300 who are here at once, and find every slot taken, have 48 descriptors at a time: before
    their first bytes are waited for, and until they are closed, too; also where the listener is
    about to close, and takes those who have asked."""
    proxy = await launch(max_connections=1, max_connections_per_client=1)
    await stream(proxy, await proxy.connect())
    (url,) = [url for url in proxy.server.addresses if url.startswith("tcp")]
    at = "127.0.0.1", int(url.rpartition(":")[2])
    clients = [socket.create_connection(at) for _ in range(300)]
    if is_over:
        for client in clients:
            client.send(b"GET /_ping HTTP/1.1\r\n\r\n")
        proxy.server._accepting.cancel()
    before, counted = len(os.listdir("/proc/self/fd")), Descriptors()
    trio.lowlevel.add_instrument(counted)
    await settle()
    trio.lowlevel.remove_instrument(counted)
    assert 0 < counted.most - before <= 48
    mock_clock.jump(1.1)
    await settle()
    for client in clients:
        with client:
            assert b" 503 " in client.recv(4096)


async def test_the_log_counts_who_is_turned_away(
    launch: Launch, mock_clock: MockClock
) -> None:
    """One line a second at most, which together name every client that was turned away."""
    proxy = await launch(max_connections=1, max_connections_per_client=1)
    await stream(proxy, await proxy.connect())
    for seconds in range(3):
        for _ in range(30):
            client = await proxy.connect()
            await client.ask()
            assert (await client.read_response()).status == 503
        lines = [line for line in proxy.lines() if "turned-away" in line]
        assert len(lines) <= seconds + 1
        mock_clock.jump(1.1)
        await settle()
    said = [
        int(found[1])
        for line in proxy.lines()
        if (found := re.search(r"turned-away.* clients=(\d+)", line))
    ]
    assert sum(said) == 90
    assert 1 <= len(said) <= 4


# Descriptors

FEW_DESCRIPTORS: Final = 256


async def enforce(
    listen: Path,
    upstream: Path,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run the program itself with few descriptors; started when it listens."""
    environ = {
        name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ
    }
    environ |= {"MAX_CONNECTIONS_PER_CLIENT": "4000", "LISTEN": f"unix://{listen}"}
    environ |= {"SOCKET_PATH": str(upstream), "EVENTS": "1", "PING": "1"}
    environ |= {"POST": "1", "CONTAINERS": "1", "CREATE_BINDS": ""}
    limited = f'ulimit -n {FEW_DESCRIPTORS}; exec "$@"'
    process = await trio.lowlevel.open_process(
        ["sh", "-c", limited, "sh", sys.executable, "-m", "trioproxy", "enforce"],
        env=environ,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = b""
    try:
        async with process.stderr:
            async for data in process.stderr:
                said += data
                if b" start " in said:
                    task_status.started()
                    said = b""
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


async def accept_asked(fake: FakeEngine) -> EngineConnection:
    """The next connection on which a client asks something, and not the start."""
    while True:
        engine = await fake.accept()
        asks = await engine.has_more()
        if asks and not engine.received.startswith(b"GET /version"):
            return engine
        engine.close()


async def answer_events(fake: FakeEngine) -> None:
    """Begin a stream of events, on a new connection."""
    engine = await accept_asked(fake)
    await engine.read_request()
    await engine.send(HEADS["events"])


async def answer_one(fake: FakeEngine) -> None:
    """Answer one request, on a new connection."""
    await (await accept_asked(fake)).answer(body=b"OK")


async def take_every_slot(
    fake: FakeEngine, newcomer: Callable[[], Awaitable[Client]]
) -> None:
    """Open streams until one is told 503."""
    head = b""
    while b" 503 " not in head:
        client = await newcomer()
        await client.ask(target="/events")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer_events, fake)
            head = await client.read_head()
            nursery.cancel_scope.cancel()


async def test_the_turned_away_take_no_descriptor_of_the_served(
    guard: None, fake: FakeEngine, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """With `ulimit -n 256` a client that is served gets its connection to the Engine, beside 300 who got 503."""
    listen = tmp_path / "proxy.sock"
    await nursery.start(enforce, listen, fake.path)
    opened: list[Client] = []

    async def newcomer() -> Client:
        opened.append(await connect(f"unix://{listen}", fake.journal))
        return opened[-1]

    served = await newcomer()
    # It has a slot, and needs its second descriptor only when its body is read and judged.
    await served.send(
        b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Length: 14\r\n\r\n"
    )
    await take_every_slot(fake, newcomer)
    for _ in range(300):
        await newcomer()
    nursery.start_soon(answer_one, fake)
    await served.send(b'{"Image": "a"}')
    status = (await served.read_response()).status
    for client in opened:
        client.close()
    assert status == 200
    nursery.cancel_scope.cancel()
