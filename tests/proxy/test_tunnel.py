"""Hijacked streams: raw bytes both ways, each direction closed on its own."""

from contextlib import suppress
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    HEADS,
    Client,
    EngineConnection,
    FakeEngine,
    Peer,
    request,
    response,
    settle,
)
from tests.proxy.conftest import Proxy
from trioproxy.proxy import client as client_module
from trioproxy.proxy import exchange as exchange_module

ATTACH = "/v1.45/containers/x/attach?stream=1&stdin=1&stdout=1"
UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")
H2C = ("Connection: Upgrade", "Upgrade: h2c")
WEBSOCKET = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
JSON = "Content-Type: application/json"
EXEC_BODY = b'{"Detach":false,"Tty":false}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Hijack:
    """One form of a hijack: the request, and the head that the Engine answers with."""

    request: bytes
    body: bytes = b""
    head: bytes


HIJACKS = {
    "attach, upgraded": Hijack(
        request=request("POST", ATTACH, *UPGRADE), head=HEADS["attach upgraded"]
    ),
    "attach, any Upgrade": Hijack(
        request=request("POST", ATTACH, "Upgrade: bogus"), head=HEADS["attach upgraded"]
    ),
    "attach, raw": Hijack(request=request("POST", ATTACH), head=HEADS["attach raw"]),
    "attach, HTTP/1.0": Hijack(
        request=request("POST", ATTACH, version="1.0"), head=HEADS["attach raw"]
    ),
    "exec, upgraded": Hijack(
        request=request("POST", "/exec/e/start", *UPGRADE, JSON, body=EXEC_BODY),
        body=EXEC_BODY,
        head=HEADS["exec upgraded"],
    ),
    "exec, raw": Hijack(
        request=request("POST", "/exec/e/start", JSON, body=EXEC_BODY),
        body=EXEC_BODY,
        head=HEADS["exec raw"],
    ),
    "session": Hijack(request=request("POST", "/session", *H2C), head=HEADS["h2c"]),
    "grpc": Hijack(request=request("POST", "/grpc", *H2C), head=HEADS["h2c"]),
    "websocket": Hijack(
        request=request("GET", "/containers/x/attach/ws?stream=1", *WEBSOCKET),
        head=HEADS["websocket"],
    ),
}

every_hijack = pytest.mark.parametrize("hijack", HIJACKS.values(), ids=HIJACKS)
Ends = tuple[Client, EngineConnection]


async def open_tunnel(
    proxy: Proxy, hijack: Hijack = HIJACKS["attach, upgraded"], *, tcp: bool = False
) -> Ends:
    """A client and an Engine after the hijack."""
    client = await proxy.connect(tcp=tcp)
    await client.send(hijack.request)
    engine = await proxy.fake.accept()
    await engine.read_head()
    assert await engine.read(len(hijack.body)) == hijack.body
    await engine.send(hijack.head)
    assert await client.read_head() == hijack.head
    return client, engine


@pytest.fixture
async def ends(proxy: Proxy) -> Ends:
    """Client and Engine of an attach, hijacked."""
    return await open_tunnel(proxy)


@every_hijack
async def test_raw_bytes_flow_both_ways(proxy: Proxy, hijack: Hijack) -> None:
    """After the Engine's own head, which passes as it is, either side speaks at any time."""
    client, engine = await open_tunnel(proxy, hijack)
    await engine.send(b"\x01\0\0\0\0\0\0\x02$ ")
    assert await client.read(10) == b"\x01\0\0\0\0\0\0\x02$ "
    await client.send(b"\0\r\n\r\n\xff")
    assert await engine.read(6) == b"\0\r\n\r\n\xff"


@every_hijack
async def test_early_bytes_wait_for_the_engines_head(
    proxy: Proxy, hijack: Hijack
) -> None:
    """The Engine loses what comes with the head, so stdin follows its answer, none of it lost."""
    client = await proxy.connect()
    await client.send(hijack.request + b"EARLY\n")
    engine = await proxy.fake.accept()
    await engine.read_head()
    assert await engine.read(len(hijack.body)) == hijack.body
    await client.send(b"more\n")
    assert await engine.arrived() == b""
    await engine.send(hijack.head)
    assert await engine.read(11) == b"EARLY\nmore\n"


@every_hijack
async def test_the_client_ends_first(proxy: Proxy, hijack: Hijack) -> None:
    """End of stdin is passed on; the output that follows still arrives; then all is closed."""
    client, engine = await open_tunnel(proxy, hijack)
    await client.send(b"last words")
    client.half_close()
    assert await engine.read_rest() == b"last words"
    await engine.send(b"and the answer")
    assert await client.read(14) == b"and the answer"
    engine.half_close()
    assert await client.read_rest() == b""
    assert not await engine.is_open()
    await proxy.assert_clean()


@every_hijack
async def test_the_engine_ends_first(proxy: Proxy, hijack: Hijack) -> None:
    """The Engine ends with a half-close only: the client sees it, and may still send."""
    client, engine = await open_tunnel(proxy, hijack)
    await engine.send(b"bye")
    engine.half_close()
    assert await client.read_rest() == b"bye"
    await client.send(b"still here")
    assert await engine.read(10) == b"still here"
    client.half_close()
    assert await engine.read_rest() == b""
    await proxy.assert_clean()


async def test_stdin_and_its_end_may_come_before_the_answer(proxy: Proxy) -> None:
    """`echo hi | docker run -i`: head, data and end arrive at once; the Engine gets all, in order."""
    client = await proxy.connect()
    await client.send(request("POST", ATTACH, *UPGRADE) + b"hi\n")
    client.half_close()
    engine = await proxy.fake.accept()
    assert await engine.hijack(HEADS["attach upgraded"]) == b""
    assert await engine.read_rest() == b"hi\n"
    await engine.send(b"hi\n")
    engine.close()
    assert await client.read_rest() == HEADS["attach upgraded"] + b"hi\n"
    await proxy.assert_clean()


async def test_output_may_come_with_the_head(proxy: Proxy) -> None:
    """What the Engine sends in one write with its head reaches the client at once."""
    client, engine = await proxy.ask("POST", ATTACH)
    await engine.hijack(HEADS["attach raw"] + b"prompt$ ")
    assert (
        await client.read(len(HEADS["attach raw"]) + 8)
        == HEADS["attach raw"] + b"prompt$ "
    )


async def test_one_byte_at_a_time(proxy: Proxy) -> None:
    """No split of the head, of the answer or of the stream changes what arrives."""
    client = await proxy.connect()
    await client.send_each(request("POST", ATTACH, *UPGRADE) + b"in")
    engine = await proxy.fake.accept()
    await engine.read_head()
    await engine.send_each(HEADS["attach upgraded"] + b"out")
    assert await client.read_head() == HEADS["attach upgraded"]
    assert await client.read(3) == b"out"
    await client.send_each(b"put")
    assert await engine.read(5) == b"input"


async def test_a_tunnel_never_times_out(ends: Ends, mock_clock: MockClock) -> None:
    """A day without a byte changes nothing, nor does a day after one side ended."""
    client, engine = ends
    mock_clock.jump(24 * 3600)
    await client.send(b"good morning")
    assert await engine.read(12) == b"good morning"
    client.half_close()
    assert await engine.read_rest() == b""
    mock_clock.jump(24 * 3600)
    await engine.send(b"exit 0")
    assert await client.read(6) == b"exit 0"


async def test_a_reset_client_takes_the_upstream_with_it(proxy: Proxy) -> None:
    """A client that resets a tunnel closes the Engine's side at once."""
    client, engine = await open_tunnel(proxy, tcp=True)
    client.reset()
    assert await engine.read_gone() in {"end", "reset"}
    await settle()
    assert proxy.open_connections() == 0
    await proxy.assert_clean()


@pytest.mark.parametrize("tcp", [False, True], ids=["unix", "tcp"])
async def test_a_client_that_closed_is_found_out_at_the_next_output(
    proxy: Proxy, tcp: bool
) -> None:
    """The Engine sees the end of stdin at once; what it says next finds nobody, and all is closed."""
    client, engine = await open_tunnel(proxy, tcp=tcp)
    client.close()
    assert await engine.read_gone() in {"end", "reset"}
    with suppress(BrokenPipeError):
        await engine.send(b"output that nobody reads")
    await settle()
    assert proxy.open_connections() == 0
    await proxy.assert_clean()


async def test_an_engine_that_dies_ends_the_tunnel(proxy: Proxy) -> None:
    """With unread input in its buffer the Engine's close is a reset; the client still gets what was sent."""
    client, engine = await open_tunnel(proxy)
    await engine.send(b"half a wo")
    await client.send(b"never read")
    await settle()
    engine.close()
    await client.read_gone()
    assert bytes(client.received).endswith(b"half a wo")
    await proxy.assert_clean()


async def test_an_engine_that_is_gone_is_an_end_of_data_to_the_client(
    ends: Ends, proxy: Proxy
) -> None:
    """It reads that at its own pace, with no reset behind what the Engine said last: it closes first."""
    client, engine = ends
    engine.close()
    assert await client.read_rest() == b""
    await settle()
    assert proxy.open_connections() == 1
    client.half_close()
    await settle()
    assert proxy.open_connections() == 0
    await proxy.assert_clean()


async def test_an_error_after_the_hijack_is_the_end(proxy: Proxy) -> None:
    """The Engine's hand-written 404 arrives as written; what the client sent meanwhile is no next request."""
    client = await proxy.connect()
    await client.send(request("POST", ATTACH) + request(target="/containers/json"))
    engine = await proxy.fake.accept()
    assert await engine.hijack(HEADS["attach not found"]) == b""
    engine.close()
    answer = await client.read_rest()
    assert answer.startswith(
        b"HTTP/1.1 404 Not Found\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    )
    assert answer.endswith(b"\r\n\r\nNo such container: nope\r\n")
    assert not await proxy.fake.is_called()
    await proxy.assert_clean()


async def test_a_detached_exec_is_an_ordinary_request(proxy: Proxy) -> None:
    """Answered with a length, exec start leaves the connection for the next request."""
    client, engine = await proxy.ask(
        "POST", "/exec/e/start", JSON, body=b'{"Detach":true}'
    )
    await engine.answer("200 OK")
    assert (await client.read_response()).status == 200
    await client.ask(target="/exec/e/json")
    assert (await engine.answer(body=b"{}")).line == b"GET /exec/e/json HTTP/1.1"
    assert (await client.read_response()).body == b"{}"


async def test_a_refused_exec_keeps_the_connection(proxy: Proxy) -> None:
    """The Engine's JSON 404 to an exec start with `Upgrade` is a plain answer."""
    client, engine = await proxy.ask(
        "POST", "/exec/e/start", *UPGRADE, JSON, body=EXEC_BODY
    )
    await engine.answer(
        "404 Not Found", JSON, body=b'{"message":"No such exec instance: e"}\n'
    )
    assert (
        await client.read_response("POST")
    ).body == b'{"message":"No such exec instance: e"}\n'
    await client.ask(target="/_ping")
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"


BODIES = {
    "sized": (("Content-Length: 5",), b"hello"),
    "chunked": (("Transfer-Encoding: chunked",), b"5\r\nhello\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize(("fields", "body"), BODIES.values(), ids=BODIES)
async def test_a_body_that_comes_with_an_attach_goes_with_it(
    proxy: Proxy, fields: tuple[str, ...], body: bytes
) -> None:
    """dockerode sends its options so: the Engine loses them, as on its socket; stdin behind them is kept."""
    client = await proxy.connect()
    await client.send(request("POST", ATTACH, *fields) + body + b"stdin")
    engine = await proxy.fake.accept()
    assert await engine.hijack(HEADS["attach raw"]) == body
    assert await engine.read(5) == b"stdin"


every_framing = pytest.mark.parametrize(("fields", "body"), BODIES.values(), ids=BODIES)
ROUTES = {
    "attach": ("POST", ATTACH),
    "exec": ("POST", "/exec/e/start"),
    "session": ("POST", "/session"),
    "websocket": ("GET", "/containers/x/attach/ws"),
}
every_route = pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
NO_SUCH = b'{"message":"No such container: x"}\n'


@every_route
@every_framing
@pytest.mark.parametrize("cut", ["with-the-head", "own-segment", "byte-by-byte"])
async def test_a_stream_that_is_refused_has_had_its_body(
    proxy: Proxy,
    route: tuple[str, str],
    fields: tuple[str, ...],
    body: bytes,
    cut: str,
) -> None:
    """The Engine reads what was announced before it answers with an error, however it comes."""
    head = request(*route, *fields)
    client = await proxy.connect()
    await client.send(head + body if cut == "with-the-head" else head)
    engine = await proxy.fake.accept()
    if cut == "own-segment":
        await settle()
        await client.send(body)
    elif cut == "byte-by-byte":
        await client.send_each(body)
    assert (await engine.answer("409 Conflict", JSON, body=NO_SUCH)).body == b"hello"
    assert (await client.read_response()).body == NO_SUCH
    await proxy.assert_clean()


@every_route
async def test_what_was_sent_ahead_of_a_stream_that_is_refused_is_no_request(
    proxy: Proxy, route: tuple[str, str]
) -> None:
    """It was meant for the stream, and is not read as anything else."""
    client = await proxy.connect()
    await client.send(request(*route, *UPGRADE) + request(target="/info"))
    engine = await proxy.fake.accept()
    await engine.answer("409 Conflict", JSON, body=NO_SUCH)
    assert (await client.read_response()).body == NO_SUCH
    assert await client.read_rest() == b""
    assert await engine.read_rest() == b""


async def test_an_end_before_the_stream_is_open_waits_for_it(proxy: Proxy) -> None:
    """Go would take it for a client that has gone: it is passed on when the stream is there."""
    client, engine = await proxy.ask("POST", ATTACH, *UPGRADE)
    await engine.read_head()
    client.half_close()
    await settle()
    assert await engine.is_open()
    await engine.send(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nhello")
    assert await engine.read_rest() == b""
    assert (await client.read_head()).startswith(b"HTTP/1.1 101 ")
    assert await client.read(5) == b"hello"


@pytest.fixture
def drains_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody wants is read for a moment: here nothing of it comes."""
    for module in (client_module, exchange_module):
        monkeypatch.setattr(module, "DRAIN_SECONDS", 0.1)


@every_route
@every_framing
@pytest.mark.usefixtures("drains_briefly")
async def test_an_answer_before_the_body_is_whole_goes_out(
    proxy: Proxy, route: tuple[str, str], fields: tuple[str, ...], body: bytes
) -> None:
    """The Engine waits for no more of it, and neither does the client."""
    client, engine = await proxy.ask(*route, *fields)
    await client.send(body[:4])
    await engine.read_head()
    assert await engine.read(4) == body[:4]
    await engine.send(response("404 Not Found", JSON, body=NO_SUCH))
    engine.half_close()
    assert (await client.read_response()).body == NO_SUCH
    assert await client.read_rest() == b""
    await proxy.assert_clean()


@every_framing
async def test_a_client_that_ends_within_such_a_body_is_answered(
    proxy: Proxy, fields: tuple[str, ...], body: bytes
) -> None:
    """The Engine sees the end where it is, and what it says of it goes out."""
    client, engine = await proxy.ask("POST", ATTACH, *fields)
    await client.send(body[:4])
    client.half_close()
    await engine.read_head()
    assert await engine.read_rest() == body[:4]
    await engine.send(response("400 Bad Request", body=b"no"))
    assert (await client.read_response()).body == b"no"


@every_framing
@pytest.mark.parametrize("at", range(0, 21, 4))
async def test_a_body_that_the_stream_overtakes_is_part_of_it(
    proxy: Proxy, fields: tuple[str, ...], body: bytes, at: int
) -> None:
    """What the Engine has not read when it opens the stream is stdin: not a byte is lost or told twice."""
    client, engine = await proxy.ask("POST", ATTACH, *fields)
    await engine.read_head()
    sent = body + b"stdin"
    await client.send(sent[:at])
    first = min(at, len(body))  # what is behind the body waits for the answer
    assert await engine.read(first) == sent[:first]
    assert await engine.arrived() == b""
    await engine.send(HEADS["attach raw"])
    await client.send(sent[at:])
    client.half_close()
    assert await engine.read_rest() == sent[first:]


async def test_a_long_body_that_the_stream_overtakes_is_whole(proxy: Proxy) -> None:
    """Bytes that wait for room at the Engine when it opens the stream come next, and in order."""
    much = bytes(range(251)) * 20_000
    client, engine = await proxy.ask("POST", ATTACH, "Content-Length: 4000000")
    await engine.read_head()
    async with trio.open_nursery() as sending:
        sending.start_soon(client.send, much)
        await settle()
        await engine.send(HEADS["attach raw"])
        assert await engine.read(len(much)) == much
    client.half_close()
    assert await engine.read_rest() == b""
    engine.close()
    await client.read_gone()
    await settle()
    assert proxy.lines_of(f" received={len(much)} ")


async def test_a_stream_waits_for_no_body(proxy: Proxy) -> None:
    """It opens where nothing of what was announced has come, which is part of it then."""
    client, engine = await proxy.ask("POST", ATTACH, "Content-Length: 9")
    await engine.read_head()
    await engine.send(HEADS["attach raw"])
    await client.read_head()
    await client.send(b"hello")
    assert await engine.read(5) == b"hello"


async def test_a_bad_chunk_before_a_stream_is_refused(proxy: Proxy) -> None:
    """Where readers differ about the end of the body, none of its answer is waited for."""
    client, engine = await proxy.ask("POST", ATTACH, "Transfer-Encoding: chunked")
    await engine.read_head()
    await client.send(b"5;x\r\nhello\r\n")
    assert (await client.read_response()).status == 400


@pytest.mark.parametrize(
    "asked",
    [
        request(target="/containers/json"),
        request("GET", "/info", *UPGRADE),
        request("POST", ATTACH),
        request("POST", "/exec/e/start", JSON, body=EXEC_BODY),
    ],
    ids=[
        "ordinary",
        "ordinary with Upgrade",
        "attach without Upgrade",
        "exec without Upgrade",
    ],
)
async def test_a_101_that_nobody_asked_for_is_a_502(proxy: Proxy, asked: bytes) -> None:
    """No stream opens where the request could not ask for one; both sides are closed."""
    client = await proxy.connect()
    await client.send(asked)
    engine = await proxy.fake.accept()
    await engine.read_request()
    await engine.send(HEADS["attach upgraded"] + b"secret")
    assert (await client.read_response()).status == 502
    assert await client.read_rest() == b""
    assert await engine.read_gone() in {"end", "reset"}
    await proxy.assert_clean()


async def test_a_raw_200_outside_a_hijack_is_no_tunnel(proxy: Proxy) -> None:
    """Without a length it ends with the connection, and what the client sends goes nowhere."""
    client, engine = await proxy.ask("GET", "/containers/json")
    await engine.hijack(HEADS["attach raw"] + b"body")
    await client.send(b"not stdin")
    assert await engine.arrived() == b""
    engine.close()
    await client.read_gone()
    assert bytes(client.received) == HEADS["attach raw"] + b"body"
    await proxy.assert_clean()


async def test_a_tunnel_holds_back_a_fast_engine(ends: Ends) -> None:
    """A client that does not read stops the Engine after what the buffers hold, and gets all of it later."""
    client, engine = ends
    sent = await engine.send_while_taken(bytes(65536))
    assert sent < 4 << 20
    engine.half_close()
    assert await client.count_rest() == sent


async def test_a_tunnel_holds_back_a_fast_client(ends: Ends) -> None:
    """A container that does not read its stdin stops the client."""
    client, engine = ends
    sent = await client.send_while_taken(bytes(65536))
    assert sent < 4 << 20
    client.half_close()
    assert await engine.count_rest() == sent


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("size", [16 * 1024 - 1, 16 * 1024])
async def test_a_tunnel_in_which_little_moves_is_one_task(
    proxy: Proxy, way: str, size: int
) -> None:
    """A second task begins with the first large piece, and no byte is lost on the way there."""
    client, engine = await open_tunnel(proxy)
    await settle()
    before = trio.lowlevel.current_statistics().tasks_living
    source, sink = (client, engine) if way == "up" else (engine, client)
    for _ in range(3):
        await source.send(b"l")
        assert await sink.read(1) == b"l"
        await sink.send(b"s")
        assert await source.read(1) == b"s"
    await source.send(bytes(size))
    assert await sink.read(size) == bytes(size)
    await settle()
    is_much = size == 16 * 1024
    assert trio.lowlevel.current_statistics().tasks_living == before + is_much
    await sink.send(b"and back")
    assert await source.read(8) == b"and back"
    source.half_close()
    assert await sink.read_rest() == b""
    sink.half_close()
    assert await source.read_rest() == b""
    await proxy.assert_clean()


@pytest.mark.slow
async def test_bytes_held_back_outlive_both_ends(proxy: Proxy) -> None:
    """The Engine has ended and reads slowly, then the client ends: all it sent still arrives."""
    client, engine = await open_tunnel(proxy)
    most = await client.send_while_taken(bytes(16384))
    for sent in range(16384, most, 16384):
        client, engine = await open_tunnel(proxy)
        engine.half_close()
        assert await client.read_rest() == b""
        for _ in range(sent // 16384):
            await client.send(bytes(16384))
            await settle()
        client.half_close()
        await settle()
        assert await engine.count_rest() == sent
    await proxy.assert_clean()


async def test_a_reset_behind_a_full_tunnel(proxy: Proxy) -> None:
    """The client resets while the proxy waits for the Engine to read: both sides are closed at once."""
    client, _ = await open_tunnel(proxy, tcp=True)
    await client.send_while_taken(bytes(65536))
    client.reset()
    await settle()
    assert proxy.open_connections() == 0
    await proxy.assert_clean()


async def test_a_client_that_ended_and_then_closes(proxy: Proxy) -> None:
    """After its end of data a client goes altogether: a silent Engine is closed at once."""
    client, engine = await open_tunnel(proxy)
    client.half_close()
    assert await engine.read_rest() == b""
    client.close()
    await settle()
    assert proxy.open_connections() == 0
    await proxy.assert_clean()


async def test_early_bytes_are_bounded(proxy: Proxy) -> None:
    """While the Engine has not answered, only so much stdin is taken from the client; none of it is lost."""
    client, engine = await proxy.ask("POST", ATTACH, *UPGRADE)
    await engine.read_head()
    sent = await client.send_while_taken(bytes(16384))
    assert sent < 1 << 20
    client.half_close()
    await engine.send(HEADS["attach upgraded"])
    assert await engine.count_rest() == sent


async def test_both_directions_at_once_do_not_block_each_other(ends: Ends) -> None:
    """50 MB each way, as through `cat`: a full direction never holds up the other."""
    counted: list[int] = []

    async def pour(end: Peer) -> None:
        for _ in range(50):
            await end.send(bytes(1 << 20))
        end.half_close()

    async def count(end: Peer) -> None:
        counted.append(await end.count_rest())

    async with trio.open_nursery() as pumps:
        for end in ends:
            pumps.start_soon(pour, end)
            pumps.start_soon(count, end)
    assert counted == [50 << 20, 50 << 20]


async def test_two_hundred_tunnels_survive_their_engine(
    proxy: Proxy, fake: FakeEngine, nursery: trio.Nursery
) -> None:
    """When the Engine dies all streams end; when it is back all clients are served, without a restart."""
    clients = [(await open_tunnel(proxy))[0] for _ in range(200)]
    fake.die()
    for client in clients:
        assert await client.read_gone() == "end"
    fake.listen()
    await proxy.serve()
    for _ in clients:
        client = await proxy.connect()
        await client.ask()
        assert (await client.read_response()).status == 200
    await proxy.assert_clean()


@pytest.mark.usefixtures("drains_briefly")
async def test_a_body_announced_to_a_stream_is_never_owed(proxy: Proxy) -> None:
    """A hijack that announced a body and got a plain answer ends both connections.

    The Engine would take the next request for the body that it was promised.
    """
    client, engine = await proxy.ask("POST", "/session", "Content-Length: 41")
    await engine.read_head()
    await engine.send(response("400 Bad Request", body=b"no"))
    assert (await client.read_response("POST")).status == 400
    assert await client.read_rest() == b""
    assert await engine.read_rest() == b""


async def test_the_log_tells_of_a_tunnel_when_it_opens_and_when_it_ends(
    proxy: Proxy,
) -> None:
    """A session that is killed with the proxy has left a line; one that ends has two."""
    client, _ = await open_tunnel(proxy, HIJACKS["exec, upgraded"])
    await settle()
    (line,) = proxy.lines_of("path=/exec/e/start")
    assert " notice opened method=POST path=/exec/e/start status=101 by=engine " in line
    client.close()
    await settle()
    _, line = proxy.lines_of("path=/exec/e/start")
    assert " info closed method=POST path=/exec/e/start status=101 by=engine " in line
    assert " received=" in line
    await proxy.assert_clean()


async def test_a_stream_that_the_engine_refuses_has_not_opened(proxy: Proxy) -> None:
    """An answer that says why there is no stream is one request with one line."""
    client, engine = await proxy.ask(target="/containers/nope/logs?stdout=1&follow=1")
    await engine.answer("404 Not Found", body=b"{}")
    assert (await client.read_response()).status == 404
    await settle()
    (line,) = proxy.lines_of("path=/containers/nope/logs")
    assert (
        " request method=GET path=/containers/nope/logs status=404 by=engine " in line
    )
