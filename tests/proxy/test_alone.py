"""A proxy whose run of Trio serves nobody else: its waits on the spot keep nobody waiting.

It runs in a thread of its own and may stay away from Trio's loop for ten minutes, so
whatever such a wait overlooked would not happen here in time: everything below is done by
order, never by a clock.
"""

import os
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.fakes import (
    CHUNK_END,
    HEADS,
    Client,
    EngineConnection,
    FakeEngine,
    chunk,
    connect,
    request,
    response,
)
from tests.patience import PATIENCE
from tests.proxy.conftest import OPEN
from tests.proxy.test_watch import Passes
from trioproxy.config import Config, Level, TcpAddress, UnixAddress
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.log import FLUSH_EVERY, Log
from trioproxy.proxy.server import Server

AWAY = 600.0
ATTACH = "/containers/x/attach?stream=1&stdin=1&stdout=1"
UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")
CHUNKED = "Transfer-Encoding: chunked"


@dataclass(kw_only=True)
class Alone:
    """The proxy in its thread."""

    fake: FakeEngine
    addresses: tuple[str, ...]
    passes: Passes
    """Of the loop of the proxy's own run of Trio."""
    log: Path
    clients: list[Client] = field(default_factory=list)

    async def connect(self, *, tcp: bool = False) -> Client:
        """A new client."""
        self.clients.append(await connect(self.addresses[0 if tcp else 1]))
        return self.clients[-1]

    async def ask(self, method: str = "GET", target: str = "/_ping") -> Client:
        """A new client that has asked."""
        client = await self.connect()
        await client.ask(method, target)
        return client

    async def exchange(self, client: Client, engine: EngineConnection) -> None:
        """One more request and its answer on connections that are open."""
        await client.ask(target="/info")
        await engine.answer(body=b"again")
        assert (await client.read_response()).body == b"again"


@pytest.fixture
async def alone(fake: FakeEngine, tmp_path: Path) -> AsyncIterator[Alone]:
    """A proxy before the fake."""
    unix = UnixAddress(path=str(tmp_path / "alone.sock"))
    listen = (TcpAddress(host="127.0.0.1", port=0), unix)
    log = tmp_path / "log"
    log_file = os.open(log, os.O_CREAT | os.O_WRONLY)
    server = Server(
        config=Config(listen=listen, upstream=UnixAddress(path=str(fake.path))),
        gates={"": Gate.enforcing(parse_policy(OPEN)[0])},
        log=Log(Level.INFO, log_file),
        away=AWAY,
    )
    scope = trio.CancelScope()
    listening = threading.Event()
    tokens: list[trio.lowlevel.TrioToken] = []

    async def run() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        async with trio.open_nursery() as nursery:
            with scope:
                await nursery.start(server.run)
                listening.set()
                await trio.sleep_forever()
            nursery.cancel_scope.cancel()

    passes = Passes()
    thread = threading.Thread(
        target=partial(trio.run, run, instruments=[passes]), daemon=True
    )
    thread.start()
    assert listening.wait(PATIENCE)
    proxy = Alone(fake=fake, addresses=server.addresses, passes=passes, log=log)
    yield proxy
    # Their ends are events, which bring everybody home.
    for end in (*proxy.clients, *fake.connections):
        end.close()
    tokens[0].run_sync_soon(scope.cancel)
    await trio.to_thread.run_sync(thread.join, PATIENCE)
    assert not thread.is_alive()
    assert not server.connections
    os.close(log_file)


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
async def test_request_after_request(alone: Alone, tcp: bool) -> None:
    """A client that asks again and again is answered each time, on one connection of each side."""
    client = await alone.connect(tcp=tcp)
    await client.ask()
    engine = await alone.fake.accept()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"
    for _ in range(100):
        await alone.exchange(client, engine)


async def test_a_lone_client_needs_no_pass_of_the_loop(alone: Alone) -> None:
    """Staying happens: a hundred requests of one client, others being silent, pass Trio's
    loop a few times at most, which is for what came before."""
    silent = await alone.connect()
    client = await alone.ask()
    engine = await alone.fake.accept()
    await engine.answer(body=b"OK")
    await client.read_response()
    await alone.exchange(client, engine)
    before = alone.passes.count
    for _ in range(100):
        await alone.exchange(client, engine)
    assert alone.passes.count - before <= 3
    silent.close()


async def test_the_log_is_written_in_one_go(alone: Alone) -> None:
    """Where its writer has a pass it has the next ones too, until all is written: else each
    piece would wait for a pass that somebody else needs."""
    client = await alone.ask()
    engine = await alone.fake.accept()
    await engine.answer(body=b"OK")
    await client.read_response()
    await alone.exchange(client, engine)
    await alone.connect()  # needs a pass, in which the writer wakes and sleeps again
    count = 1
    for _ in range(2):  # by the first pass it may only have begun to sleep
        begun, most = trio.current_time(), count + 300
        while count < most or trio.current_time() - begun < 2 * FLUSH_EVERY:
            await alone.exchange(client, engine)
            count += 1
        await alone.connect()  # needs a pass, in which it wakes
        asked = count
        while count < asked + 200:
            if alone.log.read_bytes().count(b"path=/info") >= asked:
                return
            await alone.exchange(client, engine)
            count += 1
    pytest.fail("the log is behind")


async def test_one_waits_and_others_are_served(alone: Alone) -> None:
    """Behind a client whose answer never comes, old and new clients are served."""
    old = await alone.ask()
    engine = await alone.fake.accept()
    await engine.answer(body=b"OK")
    await old.read_response()
    await alone.exchange(old, engine)
    await alone.ask("POST", "/containers/x/wait")
    await (await alone.fake.accept()).read_request()
    for tcp in (True, False):
        new = await alone.connect(tcp=tcp)
        await new.ask()
        await (await alone.fake.accept()).answer(body=b"new")
        assert (await new.read_response()).body == b"new"
        await alone.exchange(old, engine)


async def test_events_pass_at_once(alone: Alone) -> None:
    """Each event of a stream is read before the next one is said, while others ask."""
    client = await alone.ask(target="/events")
    stream = await alone.fake.accept()
    await stream.read_request()
    await stream.send(response("200 OK", CHUNKED))
    await client.read_head()
    other = await alone.ask()
    engine = await alone.fake.accept()
    await engine.answer(body=b"OK")
    await other.read_response()
    for number in range(20):
        event = chunk(b"event %d" % number)
        await stream.send(event)
        assert await client.read(len(event)) == event
        await alone.exchange(other, engine)
    await stream.send(CHUNK_END)
    assert await client.read(len(CHUNK_END)) == CHUNK_END
    await alone.exchange(client, stream)


async def test_a_body_in_pieces(alone: Alone) -> None:
    """A body that follows its head piece by piece goes on piece by piece, then the answer."""
    client = await alone.connect()
    await client.send(
        request("POST", "/build?t=x", "Content-Type: application/x-tar", CHUNKED)
    )
    engine = await alone.fake.accept()
    await engine.read_head()
    for number in range(5):
        piece = chunk(b"piece %d" % number)
        await client.send(piece)
        assert await engine.read(len(piece)) == piece
    await client.send(CHUNK_END)
    await engine.read(len(CHUNK_END))
    await engine.send(response(body=b"built"))
    assert (await client.read_response("POST")).body == b"built"
    await alone.exchange(client, engine)


async def test_a_body_that_is_here_already(alone: Alone) -> None:
    """A body longer than one read goes on, though no event will tell of its rest."""
    body = os.urandom(16_000)  # one piece for the kernel
    client = await alone.ask()
    engine = await alone.fake.accept()
    await engine.answer(body=b"OK")
    await client.read_response()
    await client.ask("POST", "/images/load", body=body)
    assert (await engine.read_request()).body == body


async def test_output_that_is_here_already(alone: Alone) -> None:
    """Output behind a hijack's head, longer than one read, goes on though no event will tell."""
    output = os.urandom(100_000)
    client = await alone.connect()
    await client.send(request("POST", ATTACH, *UPGRADE))
    engine = await alone.fake.accept()
    await engine.read_head()
    await engine.send(HEADS["attach upgraded"] + output)
    await client.read_head()
    assert await client.read(len(output)) == output


async def test_a_tunnel_both_ways(alone: Alone) -> None:
    """An attach speaks either way at any time, and ends each way for itself."""
    client = await alone.connect()
    await client.send(request("POST", ATTACH, *UPGRADE) + b"early")
    engine = await alone.fake.accept()
    await engine.read_head()
    await engine.send(HEADS["attach upgraded"])
    await client.read_head()
    assert await engine.read(5) == b"early"
    for number in range(20):
        line = b"line %02d" % number
        await client.send(line)
        assert await engine.read(7) == line
        await engine.send(line)
        assert await client.read(7) == line
    client.half_close()
    assert await engine.read_rest() == b""
    await engine.send(b"rest")
    engine.half_close()
    assert await client.read_rest() == b"rest"


async def test_a_full_client_is_heard_of_when_it_reads(alone: Alone) -> None:
    """What a slow reader left waiting arrives whole, while another client asks."""
    client = await alone.ask(target="/containers/x/export")
    engine = await alone.fake.accept()
    await engine.read_request()
    size = 8 << 20
    other = await alone.ask()
    second = await alone.fake.accept()
    await second.answer(body=b"OK")
    await other.read_response()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.send, response(body=bytes(size)))
        await client.read_head()
        await alone.exchange(other, second)
        assert await client.count(size) == size


async def test_who_leaves_takes_the_upstream_along(alone: Alone) -> None:
    """A client that goes while its answer is awaited is noticed at once."""
    client = await alone.ask("POST", "/containers/x/wait")
    engine = await alone.fake.accept()
    await engine.read_request()
    client.close()
    assert await engine.read_gone() in {"end", "reset"}


@pytest.mark.parametrize("surplus", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["end", "bytes"])
async def test_an_upstream_unfit_for_the_next_request(
    alone: Alone, surplus: bytes
) -> None:
    """A kept connection that ended, or said more than its answer, is not used again."""
    client = await alone.ask()
    engine = await alone.fake.accept()
    await engine.answer(body=b"OK")
    await client.read_response()
    await alone.exchange(client, engine)
    if surplus:
        await engine.send(surplus)
    else:
        engine.close()
    await client.ask("POST", "/containers/x/start")
    fresh = await alone.fake.accept()
    assert (await fresh.answer("204 No Content")).line.startswith(b"POST ")
    assert (await client.read_response("POST")).status == 204


async def test_a_head_in_pieces(alone: Alone) -> None:
    """A head is one head however it is cut; three bytes are none."""
    whole = request(target="/info")
    for cut in (1, 3, 4, len(whole) - 1):
        client = await alone.connect()
        await client.send(whole[:cut])
        await (await alone.ask()).send(b"")  # another event, before the rest
        await (await alone.fake.accept()).answer(body=b"other")
        await client.send(whole[cut:])
        await (await alone.fake.accept()).answer(body=b"OK")
        assert (await client.read_response()).body == b"OK"
