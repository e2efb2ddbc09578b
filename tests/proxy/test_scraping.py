"""The listener for metrics: one route, and bounds on whoever comes there."""

import socket
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.answering_engine import answer
from tests.fakes import FakeEngine, connect, request, settle
from tests.proxy.conftest import Proxy, Start
from trioproxy.config import Entry, TcpAddress, UnixAddress
from trioproxy.http.hosts import Reach, Site
from trioproxy.proxy import listeners
from trioproxy.proxy.scraping import (
    ALL_SCRAPES,
    MOST_SCRAPES,
    SCRAPE_HEAD,
    SCRAPE_PAUSE,
    SCRAPES,
    Scraping,
)
from trioproxy.proxy.server import ACCEPTS

METRICS = request("GET", "/metrics", "Accept: application/openmetrics-text")


@pytest.fixture
async def place(start: Start, tmp_path: Path) -> str:
    proxy = await start(metrics=UnixAddress(path=str(tmp_path / "m.sock")))
    proxy.nursery.start_soon(proxy.fake.serve, answer)
    return proxy.server.metrics_address


async def told(place: str, raw: bytes) -> tuple[int, bytes]:
    client = await connect(place)
    await client.send(raw)
    found = await client.read_response()
    assert await client.read_rest() == b""
    client.close()
    return found.status, found.body


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(METRICS, 200, id="what-Prometheus-sends"),
        pytest.param(request("GET", "/metrics?name[]=up"), 200, id="a-query"),
        pytest.param(request("GET", "/"), 404, id="another-path"),
        pytest.param(request("GET", "/metrics/"), 404, id="a-longer-path"),
        pytest.param(request("GET", "/containers/json"), 404, id="the-Engine"),
        pytest.param(request("HEAD", "/metrics"), 404, id="HEAD"),
        pytest.param(request("POST", "/metrics", body=b"x"), 404, id="POST"),
        pytest.param(b"GET /metrics HTTP/1.1\r\n\r\n", 400, id="no-Host"),
        pytest.param(b"\0\r\n\r\n", 400, id="no-HTTP"),
        pytest.param(b"x" * (SCRAPE_HEAD + 1), 431, id="too-long"),
        pytest.param(METRICS + METRICS, 200, id="two-at-once"),
    ],
)
async def test_metrics_alone_are_answered(place: str, raw: bytes, status: int) -> None:
    """Nothing but `GET /metrics`, and the connection is closed behind each answer."""
    found, body = await told(place, raw)
    assert found == status
    assert (b"trioproxy_engine_up 1.0" in body) == (status == 200)


async def test_a_drain_makes_room_for_a_successor(start: Start, tmp_path: Path) -> None:
    """While a request still waits for its answer, another proxy can have its metrics read here."""
    address = UnixAddress(path=str(tmp_path / "m.sock"))
    proxy = await start(metrics=address)
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    proxy.nursery.start_soon(proxy.server.drain)
    await settle()
    [successor] = listeners.bind(address)
    with successor.sock:
        await engine.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ninfo")
        assert (await client.read_response()).body == b"info"
        assert await client.read_rest() == b""
        await settle()
        assert await trio.Path(address.path).exists()


async def test_a_page_of_a_stranger_reads_nothing(start: Start) -> None:
    """A browser that was pointed here is refused, as by the proxy; so is who may not come in."""
    proxy = await start(metrics=TcpAddress(host="127.0.0.1", port=0))
    proxy.nursery.start_soon(proxy.fake.serve, answer)
    place = proxy.server.metrics_address
    page = b"GET /metrics HTTP/1.1\r\nHost: example.com\r\nOrigin: http://example.com\r\n\r\n"
    assert (await told(place, page))[0] == 403
    assert (await told(place, METRICS))[0] == 200


async def test_who_may_not_come_in_is_not_heard(start: Start, tmp_path: Path) -> None:
    """`uids=` and `allow=` count here too."""
    entry = Entry(uids=frozenset({12345}))
    proxy = await start(metrics=UnixAddress(path=str(tmp_path / "m.sock"), entry=entry))
    client = await connect(proxy.server.metrics_address)
    assert await client.read_gone() in {"end", "reset"}
    client.close()


async def test_silent_ones_keep_nobody_out(place: str) -> None:
    """Of more than there are places the longest ends, and who asks is answered; none of them for ever."""
    silent = [await connect(place) for _ in range(3 * SCRAPES)]
    for one in silent[-SCRAPES // 2 :]:
        await one.send(METRICS[:20])
    assert (await told(place, METRICS))[0] == 200
    for one in silent[: 2 * SCRAPES]:
        assert await one.read_gone() in {"end", "reset"}
    for one in silent:
        one.close()


async def test_who_floods_pushes_out_himself(proxy: Proxy) -> None:
    """One address that comes again and again ends its own connections, and not one of somebody who has one."""
    pairs = [socket.socketpair() for _ in range(2 * SCRAPES)]
    for one in (sock for pair in pairs for sock in pair):
        one.setblocking(False)

    async def text() -> bytes:
        await trio.Event().wait()
        return b""

    shared, site = proxy.server._shared, Site(reach=Reach.NETWORK)
    scraping = Scraping(shared, text, Entry(), site, proxy.nursery)
    scraping.take(pairs[0][0], ("10.0.0.1", 1))
    pairs[0][1].send(METRICS)
    for port, (ours, _) in enumerate(pairs[1:]):
        scraping.take(ours, ("10.0.0.2", port))
    await settle()
    with pytest.raises(BlockingIOError):  # it waits for its answer still
        pairs[0][1].recv(1)
    assert pairs[1][1].recv(1) == b""
    for _, theirs in pairs:
        theirs.close()


async def test_they_take_none_of_the_places(start: Start, tmp_path: Path) -> None:
    """A proxy that has a place for one client has it while its metrics are overrun, and counts none of them."""
    metrics = UnixAddress(path=str(tmp_path / "m.sock"))
    proxy = await start(metrics=metrics, max_connections=1)
    proxy.nursery.start_soon(proxy.fake.serve, answer)
    silent = [await connect(str(metrics)) for _ in range(2 * SCRAPES)]
    client = await proxy.connect()
    await client.ask("GET", "/containers/json")
    assert (await client.read_response()).status == 200
    assert b"trioproxy_accepted_total 1.0" in (await told(str(metrics), METRICS))[1]
    for one in silent:
        one.close()


async def test_nobody_is_waited_for_long(
    start: Start, tmp_path: Path, mock_clock: MockClock
) -> None:
    """Whoever says nothing has ten seconds for all of it."""
    metrics = UnixAddress(path=str(tmp_path / "m.sock"))
    await start(metrics=metrics)
    client = await connect(str(metrics))
    await client.send(METRICS[:20])
    await settle()
    mock_clock.jump(9.9)
    assert await client.is_open()
    mock_clock.jump(0.2)
    assert await client.read_gone() in {"end", "reset"}
    client.close()


async def test_one_text_serves_for_a_second(
    start: Start, tmp_path: Path, fake: FakeEngine, mock_clock: MockClock
) -> None:
    """Many who ask at once cost the Engine one ping, and us one text."""
    metrics = UnixAddress(path=str(tmp_path / "m.sock"))
    proxy = await start(metrics=metrics)
    proxy.nursery.start_soon(proxy.fake.serve, answer)
    texts = set[bytes]()

    async def ask() -> None:
        texts.add((await told(str(metrics), METRICS))[1])

    for _ in range(SCRAPES):
        await ask()
    assert (len(texts), len(fake.connections)) == (1, 1)
    mock_clock.jump(1.1)
    await ask()
    assert len(fake.connections) == 2


async def test_who_hammers_keeps_nobody_waiting(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """Who comes too often in a second is gone at once, of whatever number there are; who comes now and then is answered."""
    shared, site = proxy.server._shared, Site(reach=Reach.NETWORK)

    async def text() -> bytes:
        return b""

    scraping = Scraping(shared, text, Entry(), site, proxy.nursery)

    async def is_heard(address: str) -> bool:
        ours, theirs = socket.socketpair()
        with theirs, suppress(ConnectionResetError):
            ours.setblocking(False)
            theirs.send(METRICS)
            scraping.take(ours, (address, 1))
            await settle()
            return theirs.recv(1) == b"H"
        return False

    heard = [await is_heard("10.0.0.1") for _ in range(2 * MOST_SCRAPES)]
    assert heard == [True] * MOST_SCRAPES + [False] * MOST_SCRAPES
    assert await is_heard("10.0.0.2")
    for one in range(ALL_SCRAPES):  # and each of many once, for that is no flood
        assert await is_heard(f"10.0.1.{one}")
    assert not await is_heard("10.0.0.2")
    mock_clock.jump(1.1)
    assert await is_heard("10.0.0.1")


async def test_a_flood_leaves_the_queue_of_the_kernel(
    start: Start, tmp_path: Path, mock_clock: MockClock
) -> None:
    """Sixteen are taken at a time, with a pause behind them, and who is behind them all is not far: with a hundred a second it was ten seconds."""
    metrics = UnixAddress(path=str(tmp_path / "m.sock"))
    await start(metrics=metrics)
    many = [socket.socket(socket.AF_UNIX) for _ in range(20 * ACCEPTS)]
    for one in many:
        one.setblocking(False)
        one.connect(metrics.path)
    for _ in range(20):
        await settle()
        mock_clock.jump(SCRAPE_PAUSE)
    await settle()
    gone = 0
    for one in many:
        with one, suppress(BlockingIOError):
            gone += one.recv(1) == b""
    assert gone == len(many) - SCRAPES


async def test_a_bug_of_metrics_ends_no_client(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a line in the log, and the next scrape, and the proxy, go on."""
    metrics = UnixAddress(path=str(tmp_path / "m.sock"))
    proxy = await start(metrics=metrics)
    proxy.nursery.start_soon(proxy.fake.serve, answer)
    with monkeypatch.context() as patched:
        patched.setattr(proxy.server._metrics, "_look", lambda: 1 / 0)
        client = await connect(str(metrics))
        await client.send(METRICS)
        assert await client.read_gone() in {"end", "reset"}
        client.close()
    assert proxy.lines_of("ZeroDivisionError")
    assert (await told(str(metrics), METRICS))[0] == 200


async def test_it_is_a_listener_of_its_own(proxy: Proxy) -> None:
    """Without METRICS there is none."""
    assert proxy.server.metrics_address == ""
    assert proxy.server._metrics is None
