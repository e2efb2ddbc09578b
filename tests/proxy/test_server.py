"""Listeners, limits, many clients, and the way to an orderly end."""

import errno
import gc
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    HEADS,
    Client,
    FakeEngine,
    open_descriptors,
    resident_bytes,
    settle,
)
from tests.proxy.conftest import Proxy, Start
from trioproxy.config import Config, Entry, Level, TcpAddress, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy import listeners
from trioproxy.proxy.capacity import connection_limit
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server
from trioproxy.proxy.upstream import open_upstream
from trioproxy.proxy.watch import Watch, Watched

# Many clients


@pytest.mark.slow
async def test_three_thousand_connections_in_turn(
    proxy: Proxy, fake: FakeEngine, nursery: trio.Nursery
) -> None:
    """Each is served and forgotten: no descriptor, task or memory stays behind."""
    await proxy.serve()

    async def once() -> None:
        client = await proxy.connect()
        await client.ask()
        assert (await client.read_head()).startswith(b"HTTP/1.1 200 OK\r\n")
        client.close()
        proxy.clients.clear()
        fake.connections.clear()
        fake.journal.clear()

    for _ in range(500):
        await once()
    before = resident_bytes()
    for _ in range(2_500):
        await once()
    assert resident_bytes() - before < 1 << 20
    await proxy.assert_clean()


async def test_the_limit_turns_clients_away_at_once(
    start: Start, fake: FakeEngine, mock_clock: MockClock
) -> None:
    """500 clients that ask at once, with room for 200: each is served or told 503, none waits."""
    proxy = await start(max_connections=200, max_connections_per_client=200)
    clients = []
    for _ in range(500):
        clients.append(await proxy.connect())
        with suppress(OSError):  # so many are told before they ask
            await clients[-1].ask()
        if (
            len(clients) <= 200
        ):  # while it has not asked it is idle, and would make room
            await settle()
    await settle()
    turned_away = [client for client in clients if await client.arrived()]
    assert len(turned_away) == 300
    for client in turned_away:
        assert bytes(client.received).startswith(
            b"HTTP/1.1 503 Service Unavailable\r\n"
        )
        assert b"MAX_CONNECTIONS" in client.received
        assert not await client.is_open()
    for _ in range(200):
        await (await fake.accept()).answer(body=b"OK")
    for client in [client for client in clients if not client.received]:
        assert (await client.read_response()).body == b"OK"
    await proxy.assert_clean()


async def test_a_client_that_leaves_makes_room(start: Start, fake: FakeEngine) -> None:
    """The limit counts who is here now."""
    proxy = await start(max_connections=1)
    first, _ = await proxy.ask("POST", "/containers/x/wait")
    second = await proxy.connect()
    await second.ask()
    assert (await second.read_response()).status == 503
    first.close()
    await settle()
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"


@pytest.mark.parametrize(
    ("peer", "status"), [("127.0.0.1:5", 200), ("10.0.0.5:5", 403)]
)
async def test_who_may_not_come_in_is_told_of_health_on_this_machine_alone(
    start: Start, monkeypatch: pytest.MonkeyPatch, peer: str, status: int
) -> None:
    """A stranger's health check is answered as all that he asks, and told of."""
    proxy = await start(beside=Gate.enforcing(parse_policy({})[0]))
    monkeypatch.setattr(Entry, "admits", lambda *_: False)
    monkeypatch.setattr(listeners, "peer_of", lambda *_: peer)
    client = await proxy.connect(tcp=True)
    await client.ask(target="/_trioproxy/live")
    assert (await client.read_response()).status == status
    assert len(proxy.lines_of(" kept-out ")) == (status == 403)


async def test_a_turned_away_client_that_never_reads_is_not_kept(
    start: Start, mock_clock: MockClock
) -> None:
    """Some seconds after its 503 its descriptor is free again."""
    proxy = await start(max_connections=1)
    await proxy.connect()
    await settle()
    before = open_descriptors()
    client = await proxy.connect()
    await settle()
    mock_clock.jump(5)
    await settle()
    assert open_descriptors() == before + 1
    client.close()


@contextmanager
def descriptor_limit(count: int) -> Iterator[None]:
    """Leave this process only so many descriptors, and give them back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_out_of_descriptors(proxy: Proxy, mock_clock: MockClock) -> None:
    """Open streams go on, newcomers wait, the log says so once; with descriptors again they are served."""
    client, engine = await proxy.ask("POST", "/containers/x/attach")
    await engine.hijack(HEADS["attach raw"])
    await client.read_head()
    newcomer = Client(trio.socket.socket(socket.AF_UNIX), "newcomer")
    proxy.clients.append(newcomer)
    with descriptor_limit(3):
        await newcomer.sock.connect(proxy.unix_path)
        await newcomer.ask()
        for _ in range(20):
            assert await newcomer.arrived() == b""
            mock_clock.jump(0.2)
        await engine.send(b"still here")
        assert await client.read(10) == b"still here"
    mock_clock.jump(0.2)
    await (await proxy.fake.accept()).answer(body=b"OK")
    assert (await newcomer.read_response()).body == b"OK"
    assert sum("out-of-descriptors" in line for line in proxy.lines()) == 1


async def test_a_listener_that_accepts_nobody(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """Who shares a listener may shut it down: that is said once, and all others are served."""
    (url,) = [one for one in proxy.server.addresses if one.startswith("tcp")]
    (listener,) = [
        one
        for one in gc.get_objects()
        if isinstance(one, socket.socket)
        and one.fileno() >= 0
        and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        and listeners.name_of(one) == url
    ]
    listener.shutdown(socket.SHUT_RDWR)
    for _ in range(3):
        client, engine = await proxy.ask()
        await engine.answer(body=b"OK")
        assert (await client.read_response()).body == b"OK"
        mock_clock.jump(0.2)
    assert sum("cannot-accept" in line for line in proxy.lines()) == 1


async def test_a_socket_that_cannot_be_watched(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel watches no more sockets: that client is let go, the next one is served."""
    add = Watch.add

    def no_space(_watch: Watch, watched: Watched) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Watch, "add", no_space)
    client = await proxy.connect()
    assert await client.read_gone() in {"end", "reset"}
    monkeypatch.setattr(Watch, "add", add)
    client = await proxy.connect()
    await settle()
    monkeypatch.setattr(Watch, "add", no_space)
    await client.ask()
    assert (await client.read_response()).status == 502
    (await proxy.fake.accept()).close()
    monkeypatch.setattr(Watch, "add", add)
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"
    assert sum("cannot-watch" in line for line in proxy.lines()) == 1
    await proxy.assert_clean()


async def test_an_engine_that_no_descriptor_is_left_for(proxy: Proxy) -> None:
    """A client that is in when the descriptors run out hears 502 and why; the next one is served."""
    client = await proxy.connect()
    await settle()
    with descriptor_limit(3):
        await client.ask()
        answer = await client.read_response()
    assert answer.status == 502
    assert b"descriptors" in answer.body
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"


@pytest.mark.parametrize(
    ("wanted", "descriptors", "listening", "limit"),
    [
        (4000, 20_000, 1, 4000),
        (4000, 1024, 1, 463),
        (4000, 1024, 250, 339),
        (200, resource.RLIM_INFINITY, 250, 200),
        (4000, 64, 1, 1),
        (4000, 1 << 30, 1, 4000),
    ],
    ids=[
        "plenty",
        "1024",
        "listeners",
        "unlimited",
        "hardly any",
        "a thousand million",
    ],
)
def test_two_descriptors_a_client(
    wanted: int, descriptors: int, listening: int, limit: int
) -> None:
    """The limit of connections leaves room for the Engine's side of each, for all listeners, and some spare: beside 200 listeners new ones waited, and a health check was told that the Engine does not answer."""
    assert connection_limit(wanted, descriptors, listening) == limit


# Listeners


async def test_it_serves_on_all_its_listeners(proxy: Proxy) -> None:
    """A Unix socket and a TCP port at the same time."""
    for tcp in (False, True):
        client = await proxy.connect(tcp=tcp)
        await client.ask()
        await (await proxy.fake.accept()).answer(body=b"OK")
        assert (await client.read_response()).body == b"OK"


def found_after(sock: socket.socket) -> int:
    """Seconds of silence after which a TCP peer that was unplugged is found."""
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT
    idle, pause, probes = (sock.getsockopt(socket.IPPROTO_TCP, n) for n in options)
    return idle + probes * pause


def test_dead_peers_are_found_by_keepalive() -> None:
    """What a listener accepts has TCP keepalive on: an unplugged client is found within two minutes."""
    [listener] = listeners.bind(TcpAddress(host="127.0.0.1", port=0))
    sock = listener.sock
    with sock, socket.create_connection(sock.getsockname()):
        accepted, _ = sock.accept()
        with accepted:
            assert found_after(accepted) <= 120


async def test_a_dead_engine_is_found_by_keepalive() -> None:
    """One on TCP as well: who follows events, or waits for a container, has an end as without us."""
    watch = Watch()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        wire = await open_upstream(TcpAddress(host="127.0.0.1", port=port), watch)
        assert found_after(wire.sock) <= 120
        wire.close()
    watch.close()


async def test_a_listener_that_cannot_be_takes_the_others_along(
    tmp_path: Path, fake: FakeEngine
) -> None:
    """All or none: an address that is taken stops the start, and leaves no socket behind, nor a descriptor."""
    before = open_descriptors()
    path = tmp_path / "first.sock"
    listen = (UnixAddress(path=str(path)), UnixAddress(path=str(fake.path)))
    config = Config(listen=listen, upstream=UnixAddress(path=str(fake.path)))
    log = Log(Level.EMERG)
    server = Server(
        config=config, gates={"": Gate.enforcing(parse_policy({})[0])}, log=log
    )
    with pytest.raises(ConfigError, match="another program listens there"):
        await server.run()
    assert not await trio.Path(path).exists()
    assert open_descriptors() == before


# The end


async def test_an_idle_connection_is_closed_in_time(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """Ten minutes without a request end a kept connection, on both sides."""
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    await client.read_response()
    for _ in range(19):
        mock_clock.jump(30)
        await settle()
    assert await client.is_open()
    for _ in range(3):
        mock_clock.jump(30)
        await settle()
    assert await client.read_gone() == "end"
    assert await engine.read_gone() == "end"
    await proxy.assert_clean()


async def test_drain_lets_a_request_finish(proxy: Proxy, nursery: trio.Nursery) -> None:
    """No newcomer gets in; who waits for an answer gets it, with `Connection: close`; idle clients are let go."""
    idle = await proxy.connect()
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    await settle()
    nursery.start_soon(proxy.server.drain)
    assert await idle.read_gone() == "end"
    await engine.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ninfo")
    answer = await client.read_response()
    assert (answer.body, answer.all("connection")) == (b"info", [b"close"])
    assert await client.read_rest() == b""


async def test_a_drain_makes_room_for_a_successor(
    proxy: Proxy, nursery: trio.Nursery
) -> None:
    """While a request still waits for its answer, a newcomer is refused at once, and another proxy can bind."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    path = proxy.unix_path
    nursery.start_soon(proxy.server.drain)
    await settle()
    with pytest.raises(FileNotFoundError):
        await proxy.connect()
    with pytest.raises(ConnectionRefusedError):
        await proxy.connect(tcp=True)
    [successor] = listeners.bind(UnixAddress(path=path))
    with successor.sock:
        await engine.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ninfo")
        assert (await client.read_response()).body == b"info"
        assert await client.read_rest() == b""
        await settle()
        assert await trio.Path(path).exists()
        successor.remove()


async def test_who_asked_before_a_drain_is_answered(
    proxy: Proxy, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    """Who is connected and has asked, but is not accepted yet, gets its answer; who has not asked, an end."""
    await proxy.serve()
    silent = await proxy.connect()
    asking = await proxy.connect()
    await asking.ask("GET", "/info")
    nursery.start_soon(proxy.server.drain)  # before the server could accept them
    assert (await asking.read_response()).status == 200
    assert await asking.read_rest() == b""
    mock_clock.jump(1)
    assert await silent.read_gone() == "end"


async def test_drain_ends_streams(proxy: Proxy, nursery: trio.Nursery) -> None:
    """What may never end is cut at once, so that a restart does not wait for `logs -f`."""
    client, engine = await proxy.ask(target="/events")
    await engine.hijack(HEADS["events"])
    await client.read_head()
    nursery.start_soon(proxy.server.drain)
    assert await client.read_gone() == "end"
    assert await engine.read_gone() == "end"


async def test_a_request_that_does_not_finish_is_cut(
    proxy: Proxy, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    """A drain has an end."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    nursery.start_soon(proxy.server.drain)
    await settle()
    assert await client.is_open()
    mock_clock.jump(8.1)
    assert await client.read_gone() == "end"
    assert any("end=shutdown" in line for line in proxy.lines())


async def test_cancelling_closes_everything(proxy: Proxy) -> None:
    """A server that is cancelled leaves no socket file, and its clients and the Engine see the end."""
    clients: list[Client] = []
    path = proxy.unix_path
    for target in ("/events", "/info"):
        client, _ = await proxy.ask(target=target)
        clients.append(client)
    proxy.scope.cancel()
    for end in (*clients, *proxy.fake.connections):
        assert await end.read_gone() in {"end", "reset"}
    assert not await trio.Path(path).exists()
