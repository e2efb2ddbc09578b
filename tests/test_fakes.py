import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trio

from tests.engine import Engine
from tests.fakes import (
    HEADS,
    PAGE_NOT_FOUND,
    Arrival,
    Client,
    EngineConnection,
    FakeEngine,
    answer_always,
    chunk,
    connect,
    request,
    response,
    settle,
)


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    fake = FakeEngine(path=tmp_path / "engine.sock")
    fake.listen()
    yield fake
    fake.die()


@pytest.fixture
async def ends(fake: FakeEngine) -> AsyncIterator[tuple[Client, EngineConnection]]:
    """A client that is connected to the fake without a proxy."""
    client = await connect(f"unix://{fake.path}")
    yield client, await fake.accept()
    client.close()


Ends = tuple[Client, EngineConnection]


async def test_a_read_keeps_what_it_did_not_ask_for(ends: Ends) -> None:
    """What arrives together is read piece by piece, and `received` has all of it."""
    client, engine = ends
    await client.send(request("POST", "/a") + b"12345rest")
    assert (await engine.read_head()).startswith(b"POST /a HTTP/1.1\r\n")
    assert await engine.read(5) == b"12345"
    assert engine.take() == b"rest"
    assert bytes(engine.received).endswith(b"\r\n\r\n12345rest")


async def test_pipelined_requests_are_read_one_by_one(ends: Ends) -> None:
    """A message ends where h11 says so; what follows is the next one."""
    client, engine = ends
    await client.send(request("POST", "/a", body=b"one") + request(target="/b"))
    first, second = await engine.read_request(), await engine.read_request()
    assert (first.line, first.body) == (b"POST /a HTTP/1.1", b"one")
    assert second.raw == request(target="/b")


async def test_a_response_is_read_with_its_trailers_and_interim_answers(
    ends: Ends,
) -> None:
    """1xx answers are counted, a chunked body is joined, trailers are kept."""
    client, engine = ends
    await engine.send(
        response("100 Continue", "Transfer-Encoding: none").replace(
            b"Transfer-Encoding: none\r\n", b""
        )
    )
    await engine.send(response("200 OK", "Transfer-Encoding: chunked"))
    await engine.send(chunk(b"ab") + chunk(b"c") + b"0\r\nX-End: 1\r\n\r\nnext")
    answer = await client.read_response()
    assert (answer.body, answer.trailers, answer.informational) == (
        b"abc",
        [(b"x-end", b"1")],
        (100,),
    )
    assert client.take() == b"next"


async def test_a_request_that_no_engine_would_take_fails_the_test(ends: Ends) -> None:
    """The Engine's side is an h11 server, so a broken head does not go unseen."""
    client, engine = ends
    await client.send(b"GET /a HTTP/1.1\r\nNo colon\r\n\r\n")
    with pytest.raises(Exception, match="illegal header line"):
        await engine.read_request()


async def test_a_hijack_loses_what_came_with_the_head(ends: Ends) -> None:
    """As on the Engine, stdin that reaches it in the same read as the head is gone."""
    client, engine = ends
    await client.send(request("POST", "/containers/x/attach") + b"EARLY\n")
    assert await engine.hijack(HEADS["attach raw"]) == b"EARLY\n"
    await client.send(b"late\n")
    assert await engine.read(5) == b"late\n"


async def test_a_half_closed_engine_still_reads(ends: Ends) -> None:
    """As on the Engine, which ends a stream with CloseWrite only."""
    client, engine = ends
    engine.half_close()
    assert await client.read_rest() == b""
    await client.send(b"still here")
    assert await engine.read(10) == b"still here"


async def test_it_comes_back_on_a_new_inode(fake: FakeEngine) -> None:
    """As a restarted Engine; in between nobody is there."""
    before = fake.path.stat().st_ino
    (fake.path.parent / "holds-the-inode").hardlink_to(fake.path)
    fake.stop()
    with pytest.raises(FileNotFoundError):
        await connect(f"unix://{fake.path}")
    fake.listen()
    assert fake.path.stat().st_ino != before


async def test_the_journal_tells_the_order_across_connections(fake: FakeEngine) -> None:
    """Every read of every connection is one entry, in order, the end included."""
    one, two = [await connect(f"unix://{fake.path}") for _ in range(2)]
    first, second = await fake.accept(), await fake.accept()
    for client, engine, data in ((two, second, b"a"), (one, first, b"b")):
        await client.send(data)
        await engine.read(1)
    one.close()
    assert await first.read_gone() == "end"
    assert fake.journal == [
        Arrival(name="engine 1", data=b"a"),
        Arrival(name="engine 0", data=b"b"),
        Arrival(name="engine 0", data=b""),
    ]
    two.close()


async def test_sending_while_taken_stops_when_nobody_reads(ends: Ends) -> None:
    """What fits into the kernel's buffers goes out, and not a byte more."""
    _, engine = ends
    sent = await engine.send_while_taken(bytes(65536))
    assert 65536 <= sent < 4 << 20


async def test_one_byte_at_a_time_is_one_read_each(
    ends: Ends, nursery: trio.Nursery
) -> None:
    """A reader that waits sees each byte alone."""
    client, engine = ends
    nursery.start_soon(engine.read_rest)
    await client.send_each(b"abc")
    client.half_close()
    await settle()
    assert [entry.data for entry in engine.journal] == [b"a", b"b", b"c", b""]


async def test_nothing_arrived_is_seen_without_waiting(ends: Ends) -> None:
    """`arrived` and `is_open` look, and never wait for the other side."""
    client, engine = ends
    assert await client.arrived() == b""
    assert await client.is_open()
    engine.close()
    assert not await client.is_open()


async def test_a_reset_is_told_from_an_end() -> None:
    """Over TCP the other side learns of a reset as such."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    ends: list[tuple[Callable[[Client], None], str]] = [
        (Client.reset, "reset"),
        (Client.close, "end"),
    ]
    async with listener:
        for leave, expected in ends:
            client = await connect(
                f"tcp://127.0.0.1:{listener.socket.getsockname()[1]}"
            )
            other = EngineConnection((await listener.accept()).socket, "other")
            leave(client)
            assert await other.read_gone() == expected
            other.close()


async def test_a_served_engine_answers_each_request(
    fake: FakeEngine, nursery: trio.Nursery
) -> None:
    """`answer_always` answers with the request's first line and keeps the connection."""
    nursery.start_soon(fake.serve, answer_always)
    client = await connect(f"unix://{fake.path}")
    for target in ("/a", "/b"):
        await client.ask(target=target)
        assert (await client.read_response()).body == f"GET {target} HTTP/1.1".encode()
    client.close()
    await settle()
    nursery.cancel_scope.cancel()


# The heads of the fake against those of a real Engine


@pytest.fixture(scope="module")
def container(engine: Engine) -> Iterator[str]:
    started = engine.docker("run", "-d", "busybox", "sleep", "600").text
    yield started
    engine.docker("rm", "-f", started)


UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")
H2C = ("Connection: Upgrade", "Upgrade: h2c")
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
JSON = "Content-Type: application/json"
ASKED = {
    "attach upgraded": ("POST", "/containers/{}/attach?stream=1&stdout=1", *UPGRADE),
    "attach raw": ("POST", "/containers/{}/attach?stream=1&stdout=1"),
    "attach not found": ("POST", "/containers/nope/attach?stream=1&stdout=1"),
    "exec upgraded": ("POST", "/exec/{}/start", *UPGRADE, JSON),
    "exec raw": ("POST", "/exec/{}/start", JSON),
    "h2c": ("POST", "/grpc", *H2C),
    "websocket": ("GET", "/containers/{}/attach/ws?stream=1", *WEBSOCKET),
    "events": ("GET", "/events"),
}
VARYING = re.compile(rb"(?m)^((?:Date|Server|Api-Version): )[^\r]*")
"""Values that another Engine or another day has."""


async def ask_engine(
    engine: Engine, method: str, target: str, *fields: str, body: bytes = b""
) -> Client:
    client = await connect(engine.url)
    await client.ask(method, target, *fields, body=body)
    return client


async def make_exec(engine: Engine, container: str) -> str:
    """A prepared `cat` in the container."""
    body = b'{"AttachStdin":true,"AttachStdout":true,"Cmd":["cat"]}'
    client = await ask_engine(
        engine, "POST", f"/containers/{container}/exec", JSON, body=body
    )
    made = json.loads((await client.read_response("POST")).body)
    client.close()
    return str(made["Id"])


@pytest.mark.engine
@pytest.mark.parametrize("name", HEADS)
async def test_a_head_is_what_the_engine_writes(
    engine: Engine, container: str, name: str
) -> None:
    """Line by line and byte by byte, but for dates and versions."""
    method, target, *fields = ASKED[name]
    is_exec = name.startswith("exec")
    subject = await make_exec(engine, container) if is_exec else container
    client = await ask_engine(
        engine, method, target.format(subject), *fields, body=b"{}" if is_exec else b""
    )
    answer = await client.read_head()
    if name == "attach not found":
        answer += await client.read_rest()
    assert VARYING.sub(rb"\1", answer) == VARYING.sub(rb"\1", HEADS[name])
    client.close()


@pytest.mark.engine
async def test_an_unknown_route_carries_no_marks(engine: Engine) -> None:
    """By this the proxy tells an unknown route from an unknown container."""
    client = await ask_engine(engine, "GET", "/nothing")
    answer = await client.read_response()
    assert (answer.status, answer.body, answer.all("api-version")) == (
        404,
        PAGE_NOT_FOUND,
        [],
    )
    client.close()


@pytest.mark.engine
@pytest.mark.parametrize("name", ["exec raw", "exec upgraded"])
async def test_the_engine_loses_early_bytes(
    engine: Engine, container: str, name: str
) -> None:
    """What the fake's `hijack` imitates: stdin in one write with the request never reaches the container."""
    method, target, *fields = ASKED[name]
    client = await connect(engine.url)
    body = request(
        method, target.format(await make_exec(engine, container)), *fields, body=b"{}"
    )
    await client.send(body + b"EARLY\n")
    await client.read_head()
    await client.send(b"late\n")
    client.half_close()
    output = await client.read_rest()
    assert (b"late" in output, b"EARLY" in output) == (True, False)
    client.close()
