"""Idle connections that rest: no task, nothing at the Engine, and no byte or end is lost."""

import pytest
from trio.lowlevel import current_statistics
from trio.testing import MockClock

from tests.fakes import Client, FakeEngine, settle
from tests.proxy.conftest import Proxy, Start
from trioproxy.proxy import client as client_module
from trioproxy.proxy import server as server_module
from trioproxy.proxy.client import HEAD_SECONDS, REST_SECONDS
from trioproxy.proxy.server import IDLE_SECONDS, REAP_EVERY, REST_EVERY


@pytest.fixture(autouse=True)
def all_may_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is among those that stay awake."""
    keep_awake(monkeypatch, 0)


def keep_awake(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let so many be idle with a task."""
    for module in (client_module, server_module):
        monkeypatch.setattr(module, "AWAKE", count)


async def rest(clock: MockClock) -> None:
    """Let all rest that are idle now."""
    for _ in range(2):
        await settle()
        clock.jump(REST_SECONDS + REST_EVERY)
    await settle()


async def ask(client: Client) -> None:
    """Ask, and have the answer."""
    await client.ask()
    assert (await client.read_response()).status == 200


async def test_only_many_idle_connections_rest(
    start: Start, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were idle last keep their tasks and the Engine's connection; the others have
    neither, and all are served as before."""
    keep_awake(monkeypatch, 2)
    proxy = await start()
    await proxy.serve()
    clients = [await proxy.connect() for _ in range(5)]
    for client in clients:
        await ask(client)
    await rest(mock_clock)
    # Each of two has a task here and one in the fake, whose connections are as many.
    assert proxy.count()[1] == proxy._idle[1] + 2 * 2
    assert len(proxy.server.connections) == 5
    for client in clients * 2:
        await ask(client)
    await proxy.assert_clean()


async def test_of_many_who_has_not_asked_has_no_task(
    start: Start, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few have one from the start. It begins with the first byte; a head that does not come whole
    ends it in time."""
    keep_awake(monkeypatch, 1)
    proxy = await start()
    await proxy.serve()
    await proxy.connect()
    await settle()
    tasks = proxy._idle[1] + 1
    assert proxy.count()[1] == tasks
    client = await proxy.connect()
    await settle()
    assert proxy.open_connections() == 2
    assert proxy.count()[1] == tasks
    await client.send(b"GET /_ping HTTP/1.1\r\n")
    await settle()
    assert proxy.count()[1] == tasks + 1
    await client.send(b"Host: docker\r\n\r\n")
    assert (await client.read_response()).status == 200
    other = await proxy.connect()
    await settle()
    await other.send(b"GET /_ping HTTP/1.1\r\n")
    await settle()
    mock_clock.jump(HEAD_SECONDS)
    assert (await other.read_response()).status == 408
    await proxy.assert_clean()


async def test_who_asks_seldom_rests_at_once_and_who_asks_often_does_not(
    start: Start, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where enough others wait, an answer is the end of the task: else thousands that come within
    a second would all have one. Who asks again soon keeps it from then on."""
    keep_awake(monkeypatch, 64)
    monkeypatch.setattr(client_module, "AWAKE", 1)
    proxy = await start()
    await proxy.serve()
    other = await proxy.connect()
    await ask(other)
    # Who comes before this one waits again would keep a task in its place.
    await settle()
    client = await proxy.connect()
    tasks = proxy._idle[1] + 2  # that of the other, and the fake's for it
    for _ in range(2):
        await ask(client)
        await settle()
        assert proxy.count()[1] == tasks
        mock_clock.jump(REST_SECONDS)
    await ask(client)
    await settle()
    mock_clock.jump(REST_SECONDS / 2)
    for _ in range(2):
        await ask(client)
        await settle()
        assert proxy.count()[1] == tasks + 2
    await proxy.assert_clean()


async def test_what_was_asked_ahead_is_served_before_the_rest(proxy: Proxy) -> None:
    """Two requests in one piece: the second has been read, and no event would tell of it."""
    await proxy.serve()
    client = await proxy.connect()
    await client.send(b"GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n" * 2)
    for _ in range(2):
        assert (await client.read_response()).status == 200
    await settle()
    assert proxy.count()[1] == proxy._idle[1]
    await proxy.assert_clean()


@pytest.mark.parametrize("spoke", [False, True], ids=["silent", "spoke"])
@pytest.mark.parametrize(
    "end", ["leaves", "half-closes", "reset", "idle", "drain", "cancel", "reload"]
)
async def test_who_rests_ends_as_all_others_do(
    proxy: Proxy, mock_clock: MockClock, end: str, spoke: bool
) -> None:
    """A client that leaves is forgotten; ten minutes, a drain, a cancelled server and the loss of
    its policy close its socket."""
    await proxy.serve()
    client = await proxy.connect(tcp=True)
    if spoke:
        await ask(client)
    await rest(mock_clock)
    assert proxy.count()[1] == proxy._idle[1]
    match end:
        case "leaves":
            client.close()
        case "half-closes":
            client.half_close()
        case "reset":
            client.reset()
        case "idle":
            for _ in range(int(IDLE_SECONDS / REAP_EVERY) + 2):
                mock_clock.jump(REAP_EVERY)
                await settle()
        case "drain":
            proxy.nursery.start_soon(proxy.server.drain)
            await settle()
            mock_clock.jump(1)
        case "cancel":
            proxy.scope.cancel()
        case _:
            proxy.server.forget("")
    await settle()
    assert proxy.open_connections() == 0
    if end not in {"leaves", "reset"}:
        assert await client.read_gone() == "end"


async def test_memory_goes_back_while_clients_are_served(
    proxy: Proxy, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What many took at once lies in the heap, and is given back now and then."""
    given = list[None]()
    monkeypatch.setattr(
        server_module, "give_back_what_lies_between", lambda: given.append(None)
    )
    await proxy.serve()
    await ask(await proxy.connect(tcp=True))
    for _ in range(3):
        mock_clock.jump(REAP_EVERY)
        await settle()
    assert len(given) == 3


async def test_what_is_asked_as_it_goes_to_rest_is_served(
    proxy: Proxy, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that come between the end of the task and the rest begin the next one at once."""
    keep_awake(monkeypatch, 64)
    await proxy.serve()
    client = await proxy.connect()
    await ask(client)
    (connection,) = proxy.server.connections
    await settle()
    watch = connection.client.wire.watch
    watch.dismiss_reader(connection.client.wire)
    await client.ask()
    watch.look()
    assert (await client.read_response()).status == 200
    await proxy.assert_clean()


async def test_what_is_asked_as_it_goes_to_rest_in_a_drain_is_served(
    proxy: Proxy, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain waits for whoever is about to ask, and that its task was told to rest does not
    end it."""
    keep_awake(monkeypatch, 64)
    await proxy.serve()
    client = await proxy.connect()
    await ask(client)
    (connection,) = proxy.server.connections
    await settle()
    proxy.nursery.start_soon(proxy.server.drain)
    await settle()
    connection.client.wire.watch.dismiss_reader(connection.client.wire)
    await settle()
    await ask(client)
    mock_clock.jump(1)
    assert await client.read_gone() == "end"
    assert proxy.open_connections() == 0


async def test_nothing_is_looked_at_while_all_rest(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """When all rest, the proxy sleeps on; who asks again is looked at again."""
    await proxy.serve()
    client = await proxy.connect()
    for _ in range(2):
        await ask(client)
        assert current_statistics().seconds_to_next_deadline <= REST_EVERY
        await rest(mock_clock)
        assert current_statistics().seconds_to_next_deadline > REST_EVERY
        assert proxy.count()[1] == proxy._idle[1]
    await proxy.assert_clean()


async def test_one_that_shall_end_as_it_goes_to_rest_ends(
    proxy: Proxy, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scope is cancelled when its task has been told to rest: the end is not lost."""
    keep_awake(monkeypatch, 64)
    await proxy.serve()
    client = await proxy.connect()
    await ask(client)
    (connection,) = proxy.server.connections
    connection.client.wire.watch.dismiss_reader(connection.client.wire)
    connection.client.end()
    assert await client.read_gone() == "end"
    await proxy.assert_clean()


async def test_who_rests_makes_room(
    start: Start, fake: FakeEngine, mock_clock: MockClock
) -> None:
    """The longest idle one goes for a newcomer, although it has no task."""
    proxy = await start(max_connections=4)
    await proxy.serve()
    first, second = await proxy.connect(), await proxy.connect()
    await ask(first)
    await ask(second)
    await rest(mock_clock)
    third = await proxy.connect()
    await ask(third)
    assert await first.read_gone() == "end"
    await ask(second)
    await proxy.assert_clean()
