"""Idle connections: each end that they have, and whom they make room for."""

import os

import pytest
from trio.testing import MockClock

from tests.fakes import Client, request, settle
from tests.proxy.conftest import Proxy, Start
from trioproxy.proxy import server as server_module
from trioproxy.proxy.server import IDLE_SECONDS, REAP_EVERY


async def ask(client: Client) -> None:
    """Ask, and have the answer."""
    await client.ask()
    assert (await client.read_response()).status == 200


@pytest.mark.parametrize("spoke", [False, True], ids=["silent", "spoke"])
@pytest.mark.parametrize(
    "end", ["leaves", "half-closes", "reset", "idle", "drain", "cancel", "reload"]
)
async def test_who_is_idle_ends(
    proxy: Proxy, mock_clock: MockClock, end: str, spoke: bool
) -> None:
    """A client that leaves is forgotten; ten minutes, a drain, a cancelled server and the loss of
    its policy close its socket."""
    await proxy.serve()
    client = await proxy.connect(tcp=True)
    if spoke:
        await ask(client)
    await settle()
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


@pytest.mark.parametrize("end", ["idle", "drain"])
async def test_whose_next_request_is_here_is_idle_no_more(
    proxy: Proxy, mock_clock: MockClock, end: str
) -> None:
    """Whoever asks in the moment in which idle connections end is answered: else it would not know
    whether its request ran."""
    await proxy.serve()
    client = await proxy.connect(tcp=True)
    await ask(client)
    await settle()
    if end == "drain":
        proxy.nursery.start_soon(proxy.server.drain)
        await settle()
    else:
        for _ in range(int(IDLE_SECONDS / REAP_EVERY)):
            mock_clock.jump(REAP_EVERY)
            await settle()
    os.write(client.sock.fileno(), request())
    mock_clock.jump(REAP_EVERY if end == "idle" else 1)
    assert (await client.read_response()).status == 200


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


async def test_who_is_idle_makes_room(start: Start) -> None:
    """The longest idle one goes for a newcomer."""
    proxy = await start(max_connections=4)
    await proxy.serve()
    first, second = await proxy.connect(), await proxy.connect()
    await ask(first)
    await ask(second)
    third = await proxy.connect()
    await ask(third)
    assert await first.read_gone() == "end"
    await ask(second)
    await proxy.assert_clean()
