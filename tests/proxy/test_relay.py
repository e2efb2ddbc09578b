"""Streams and bodies: passed on at once, ended by their framing, held back when nobody reads."""

import itertools
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    CHUNK_END,
    Client,
    EngineConnection,
    Peer,
    chunk,
    is_whole,
    request,
    resident_bytes,
    response,
    settle,
)
from tests.proxy.conftest import Proxy
from tests.proxy.heads import feed_all
from trioproxy.errors import BadRequest
from trioproxy.http.framing import Chunked, Dechunked, left_of_one_chunk, one_chunk

Ends = tuple[Client, EngineConnection]
CHUNKED = "Transfer-Encoding: chunked"
MULTIPLEXED = "Content-Type: application/vnd.docker.multiplexed-stream"
STREAM = response("200 OK", "Content-Type: application/json", CHUNKED)

STREAMS = {
    "events": request(target="/v1.45/events?filters=%7B%7D"),
    "logs": request(target="/containers/x/logs?follow=1&stdout=1"),
    "stats": request(target="/containers/x/stats?stream=1"),
    "wait": request("POST", "/containers/x/wait?condition=next-exit"),
    "pull": request("POST", "/images/create?fromImage=busybox&tag=latest"),
    "push": request("POST", "/images/busybox/push", "X-Registry-Auth: e30="),
    "build": request(
        "POST", "/build?t=x", "Content-Type: application/x-tar", body=b"tar"
    ),
    "export": request(target="/containers/x/export"),
    "save": request(target="/images/busybox/get"),
    "service logs": request(target="/services/x/logs?follow=1"),
    "monitored info": request(target="/info"),
}
every_stream = pytest.mark.parametrize("asked", STREAMS.values(), ids=STREAMS)


async def open_stream(
    proxy: Proxy, asked: bytes = STREAMS["events"], *, tcp: bool = False
) -> Ends:
    """A client and an Engine in the middle of a chunked answer."""
    client = await proxy.connect(tcp=tcp)
    await client.send(asked)
    engine = await proxy.fake.accept()
    await engine.read_request()
    await engine.send(STREAM)
    assert await client.read_head() == STREAM
    return client, engine


@pytest.fixture
async def ends(proxy: Proxy) -> Ends:
    """Client and Engine of an event stream."""
    return await open_stream(proxy)


# Streams


@every_stream
async def test_the_head_and_each_event_pass_at_once(proxy: Proxy, asked: bytes) -> None:
    """The client has read one event before the Engine says the next."""
    client, engine = await open_stream(proxy, asked)
    for event in (b'{"a":1}\n', b"x", bytes(1000)):
        await engine.send(chunk(event))
        assert await client.read(len(chunk(event))) == chunk(event)
    await engine.send(CHUNK_END)
    assert await client.read(5) == CHUNK_END


@every_stream
async def test_a_stream_may_be_silent_for_a_day(
    proxy: Proxy, asked: bytes, mock_clock: MockClock
) -> None:
    """No deadline fires while an answer is awaited or streams."""
    client = await proxy.connect()
    await client.send(asked)
    engine = await proxy.fake.accept()
    await engine.read_request()
    for part in (STREAM, chunk(b"{}"), CHUNK_END):
        mock_clock.jump(24 * 3600)
        assert await client.arrived() == b""
        await engine.send(part)
        assert await client.read(len(part)) == part


async def test_after_a_stream_the_connection_serves_on(ends: Ends) -> None:
    """The Engine ended a chunked stream properly: both connections are used again."""
    client, engine = ends
    await engine.send(chunk(b"last") + CHUNK_END)
    await client.read_until(CHUNK_END)
    await client.ask()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"


@pytest.mark.parametrize(
    "rest", [b"", b"5\r\nhal"], ids=["between chunks", "inside a chunk"]
)
async def test_a_stream_that_breaks_off_is_seen_to_break_off(
    proxy: Proxy, ends: Ends, rest: bytes
) -> None:
    """The Engine gone without a last chunk: the client gets no made-up end."""
    client, engine = ends
    await engine.send(chunk(b"{}") + rest)
    engine.close()
    assert await client.read_rest() == chunk(b"{}") + rest
    await proxy.assert_clean()


# A client that leaves


LEAVE = {
    "closed": (Client.close, False),
    "closed tcp": (Client.close, True),
    "reset": (Client.reset, True),
}
every_leave = pytest.mark.parametrize(("leave", "tcp"), LEAVE.values(), ids=LEAVE)
Leave = Callable[[Client], None]


@every_leave
async def test_left_while_awaited(proxy: Proxy, leave: Leave, tcp: bool) -> None:
    """A client that goes before the answer's head takes the upstream request with it at once."""
    client = await proxy.connect(tcp=tcp)
    await client.ask("POST", "/containers/x/wait")
    engine = await proxy.fake.accept()
    await engine.read_request()
    await settle()
    leave(client)
    assert await engine.read_gone() in {"end", "reset"}
    engine.close()
    await proxy.assert_clean()


@every_leave
async def test_left_while_streaming(proxy: Proxy, leave: Leave, tcp: bool) -> None:
    """A client that goes in the middle of a silent stream is noticed at once, not at the next event."""
    client, engine = await open_stream(proxy, tcp=tcp)
    await engine.send(chunk(b"{}"))
    await client.read(7)
    await settle()
    leave(client)
    assert await engine.read_gone() in {"end", "reset"}
    engine.close()
    await proxy.assert_clean()


@every_leave
async def test_left_while_uploading(proxy: Proxy, leave: Leave, tcp: bool) -> None:
    """A client that goes in the middle of its body: the Engine sees a broken request, never a whole one."""
    client = await proxy.connect(tcp=tcp)
    await client.send(
        request("POST", "/images/load", "Content-Length: 1000") + bytes(400)
    )
    engine = await proxy.fake.accept()
    await engine.read_head()
    await engine.read(400)
    leave(client)
    assert await engine.read_gone() in {"end", "reset"}
    assert engine.take() == b""
    engine.close()
    await proxy.assert_clean()


@every_leave
async def test_left_while_the_answer_is_held_back(
    proxy: Proxy, leave: Leave, tcp: bool
) -> None:
    """A client that stopped reading and then goes is noticed although the proxy waits to write."""
    client, engine = await open_stream(proxy, tcp=tcp)
    await engine.send_while_taken(chunk(bytes(65536)))
    leave(client)
    assert await engine.read_gone() in {"end", "reset"}
    engine.close()
    await proxy.assert_clean()


async def test_an_end_of_data_is_passed_on(proxy: Proxy, ends: Ends) -> None:
    """As on the raw socket: a client that half-closes ends a stream, and gets what the Engine still says."""
    client, engine = ends
    client.half_close()
    assert await engine.read_rest() == b""
    await engine.send(chunk(b"goodbye") + CHUNK_END)
    engine.close()
    assert await client.read_rest() == chunk(b"goodbye") + CHUNK_END
    await proxy.assert_clean()


async def test_an_end_of_data_while_awaited_is_passed_on(proxy: Proxy) -> None:
    """`printf 'GET ...' | nc -N`: the answer still arrives."""
    client, engine = await proxy.ask("POST", "/containers/x/wait")
    await engine.read_request()
    await settle()
    client.half_close()
    assert await engine.read_rest() == b""
    cancelled = b'{"Error":{"Message":"context canceled"},"StatusCode":-1}'
    await engine.send(response(body=cancelled))
    assert (await client.read_response()).body == cancelled
    assert await client.read_rest() == b""


async def test_an_end_of_data_that_comes_with_the_request(proxy: Proxy) -> None:
    """The same when request and end are there before the proxy reads either."""
    client = await proxy.connect()
    await client.ask(target="/containers/json")
    client.half_close()
    engine = await proxy.fake.accept()
    await engine.answer(body=b"[]")
    assert (await client.read_response()).body == b"[]"
    assert await client.read_rest() == b""


async def test_an_engine_that_ignores_the_end_is_closed(
    proxy: Proxy, ends: Ends, mock_clock: MockClock
) -> None:
    """Five seconds after the client's end a stream that goes on is closed on both sides."""
    client, engine = ends
    client.half_close()
    await engine.read_rest()
    mock_clock.jump(4.9)
    await engine.send(chunk(b"still here"))
    assert await client.read(len(chunk(b"still here"))) == chunk(b"still here")
    mock_clock.jump(0.2)
    assert await client.read_gone() == "end"
    await proxy.assert_clean()


async def test_no_ordinary_request_is_half_closed_by_us(proxy: Proxy) -> None:
    """An end of data would cancel the request in the Engine: it gets none while the client stays."""
    client, engine = await proxy.ask("POST", "/containers/x/wait")
    await engine.read_request()
    assert await engine.is_open()
    await engine.send(response(body=b"{}"))
    await client.read_response()
    assert await engine.is_open()


# Bodies, byte for byte


ANSWERS = {
    "sized": response(body=b"hello"),
    "empty": response(body=b""),
    "204": response("204 No Content", "Connection: close").replace(
        b"Connection: close\r\n", b""
    ),
    "304": response("304 Not Modified", "Content-Length: 5"),
    "chunked": response("200 OK", CHUNKED) + chunk(b"hel") + chunk(b"lo") + CHUNK_END,
    "chunked, empty": response("200 OK", CHUNKED) + CHUNK_END,
    "chunked, trailers": response("200 OK", "Trailer: X-Sum", CHUNKED)
    + chunk(b"a")
    + b"0\r\nX-Sum: 1\r\nB: 2\r\n\r\n",
    "chunked, odd sizes": response("200 OK", CHUNKED)
    + b"0005\r\nhello\r\nA\r\n0123456789\r\n00\r\n\r\n",
    "odd header case": response("200 OK", "x-A: b", "CONTENT-length: 2").replace(
        b"x-A: b", b"x-A:   b "
    )
    + b"ok",
    "odd reason": response("299 Such  a Reason"),
    "no reason": response("200 "),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "byte by byte"])
async def test_an_answer_arrives_as_written(
    proxy: Proxy, answer: bytes, whole: bool
) -> None:
    """However it is framed and split; the connection then carries the next one."""
    client, engine = await proxy.ask(target="/containers/json")
    await engine.read_request()
    await (engine.send if whole else engine.send_each)(answer)
    expected = answer.replace(b"x-A:   b ", b"x-A: b")
    assert await client.read(len(expected)) == expected
    await client.ask()
    await engine.answer(body=b"next")
    assert (await client.read_response()).body == b"next"


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "byte by byte"])
async def test_an_answer_that_ends_with_its_connection(
    proxy: Proxy, whole: bool
) -> None:
    """Close-delimited: the end of the Engine's data is the end of the client's."""
    client, engine = await proxy.ask(target="/containers/json")
    await engine.read_request()
    answer = response("200 OK", "Connection: close") + b"all there is"
    await (engine.send if whole else engine.send_each)(answer)
    engine.close()
    assert await client.read_rest() == answer
    await proxy.assert_clean()


BODIES = {
    "sized": ("Content-Length: 5", b"hello"),
    "empty": ("Content-Length: 0", b""),
    "chunked": (CHUNKED, chunk(b"hel") + chunk(b"lo") + CHUNK_END),
    "chunked, empty": (CHUNKED, CHUNK_END),
    "chunked, trailers": (CHUNKED, chunk(b"hello") + b"0\r\nX-Sum: 1\r\n\r\n"),
    "chunked, odd sizes": (CHUNKED, b"05\r\nhello\r\nA\r\n0123456789\r\n000\r\n\r\n"),
}


@pytest.mark.parametrize(("field", "body"), BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "byte by byte"])
async def test_a_body_arrives_as_written(
    proxy: Proxy, field: str, body: bytes, whole: bool
) -> None:
    """However it is framed and split, and with the next request right behind it."""
    client = await proxy.connect()
    asked = (
        request(
            "POST", "/images/load?quiet=1", "Content-Type: application/x-tar", field
        )
        + body
    )
    following = request(target="/info")
    await (client.send if whole else client.send_each)(asked + following)
    engine = await proxy.fake.accept()
    first = await engine.answer(body=b"loaded")
    assert first.raw.partition(b"\r\n\r\n")[2] == body
    assert (await engine.answer(body=b"info")).raw.partition(b"\r\n\r\n")[2] == b""
    assert [(await client.read_response()).body for _ in range(2)] == [
        b"loaded",
        b"info",
    ]


BAD_CHUNKS = {
    "no hex": b"xyz\r\n",
    "extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "bare LF": b"5\nhello\n0\n\n",
    "sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "space": b"5 \r\nhello\r\n0\r\n\r\n",
    "empty size": b"\r\nhello\r\n",
    "0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "17 digits": b"00000000000000005\r\nhello\r\n",
    "no CRLF after data": b"5\r\nhelloXX0\r\n\r\n",
    "CR before the next chunk": b"5\r\nhello\r\r\n5\r\nhel",
    "LF before the next chunk": b"5\r\nhello\n5\r\nhello\r\n0\r\n\r\n",
    "extension of the next chunk": b"5\r\nhello\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
    "17 digits of the next chunk": b"5\r\nhello\r\n00000000000000005\r\nhello\r\n",
    "bad trailer": b"0\r\nno colon\r\n\r\n",
    "folded trailer": b"0\r\nA: b\r\n c\r\n\r\n",
    "endless size": b"0" * 20_000,
    "endless trailers": b"0\r\n" + b"A: b\r\n" * 20_000,
}


every_bad_chunk = pytest.mark.parametrize("body", BAD_CHUNKS.values(), ids=BAD_CHUNKS)


@every_bad_chunk
async def test_a_bad_chunk_is_refused(proxy: Proxy, body: bytes) -> None:
    """A body that readers may read in two ways: 400, and the Engine sees a broken request."""
    client, engine = await proxy.ask("POST", "/images/load", CHUNKED)
    await client.send(chunk(b"good"))
    await engine.read_head()
    assert await engine.read(9) == chunk(b"good")
    await client.send(body)
    assert await engine.read_gone() in {"end", "reset"}
    assert not is_whole(bytes(engine.received))
    assert (await client.read_response()).status == 400
    assert await client.read_rest() == b""


@every_bad_chunk
async def test_a_bad_chunk_that_comes_with_the_head(proxy: Proxy, body: bytes) -> None:
    """The same where all of it is there before anything went upstream."""
    client = await proxy.connect()
    await client.send(request("POST", "/images/load", CHUNKED) + chunk(b"good") + body)
    if await proxy.fake.is_called():
        engine = await proxy.fake.accept()
        assert await engine.read_gone() in {"end", "reset"}
        assert not is_whole(bytes(engine.received))
    assert (await client.read_response()).status == 400
    assert await client.read_rest() == b""


@pytest.mark.parametrize("begin", [b"", b"1\r\nx", b"0\r\n"])
def test_what_is_no_chunk_is_told_to_nobody(begin: bytes) -> None:
    """Behind a wrong size any line of a body follows, and none of it stands in the log."""
    with pytest.raises(BadRequest) as caught:
        scan(begin + b"TOKEN=hunter2\r\n", 1 << 20)
    assert "hunter2" not in str(caught.value)


def scan(body: bytes, step: int) -> None:
    """Look at a body so many bytes at a time."""
    scanner = Chunked(BadRequest)
    for at in range(0, len(body), step):
        piece = body[at : at + step]
        feed_all(scanner, piece)


@every_bad_chunk
def test_a_bad_chunk_is_found_at_every_split(body: bytes) -> None:
    """Whole, byte by byte or cut anywhere, the scanner stops at the same bodies."""
    for step in (len(body), 1):
        with pytest.raises(BadRequest):
            scan(body, step)
    for cut in range(1, min(len(body), 100)):
        scanner = Chunked(BadRequest)
        with pytest.raises(BadRequest):  # noqa: PT012  either piece may show it
            feed_all(scanner, body[:cut])
            feed_all(scanner, body[cut:])


def test_any_split_finds_the_same_end() -> None:
    """A chunked body cut at random ends at the same byte; what lies behind the cut is not looked at."""
    body = chunk(bytes(300)) + chunk(b"\r\n0\r\n\r\n") + b"0\r\nA: b\r\n\r\n"
    rest = b"GET /next"
    for seed in range(200):
        scanner, used, data = Chunked(BadRequest), 0, body + rest
        cut = random.Random(seed)
        while not scanner.done:
            here = min(cut.randint(1, 40), len(data) - used)
            seen = scanner.feed(data[used:], 0, here)
            assert seen <= here
            used += seen
        assert used == len(body)


PARTS = (
    b"5\r\n",
    b"05\r\n",
    b"hello",
    b"\r\n",
    b"0\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b"A: b\r\n",
    b";x\r\n",
)


def test_a_body_in_one_chunk_is_read_as_its_lines_are() -> None:
    """What is taken at one look is what a walk over its lines takes, to the last byte; and nearly all
    else is walked over."""
    taken = 0
    for parts in itertools.product((b"", *PARTS), repeat=4):
        data = b"".join(parts)
        if (content := one_chunk(data)) is not None:
            walked = Dechunked()
            assert feed_all(walked, data) == len(data)
            assert (walked.done, walked.take()) == (True, content)
            taken += 1
        walked = Dechunked()
        with suppress(BadRequest):
            whole = feed_all(walked, data)
            for at in range(whole if walked.done else 0):
                assert left_of_one_chunk(data[:at]) <= whole - at
    assert taken
    for content in (b"x", bytes(5000), b"\r\n0\r\n\r\n"):
        assert one_chunk(chunk(content) + CHUNK_END) == content
        assert one_chunk(chunk(content) + chunk(content) + CHUNK_END) is None
        assert one_chunk(chunk(content) + CHUNK_END + b"0") is None
    assert one_chunk(CHUNK_END) is None


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
def test_what_is_in_chunks_of_any_size_is_kept(step: int) -> None:
    """Of a body whose content is kept no byte is passed over, however short its chunks are."""
    pieces = [bytes([65 + n % 26]) * (n % 40 + 1) for n in range(600)]
    pieces += [b"a"] * 5_000
    data, walked = b"".join(map(chunk, pieces)) + b"0\r\n\r\n", Dechunked()
    at = 0
    while not walked.done:
        at = walked.feed(data, at, min(len(data), at + step))
    assert (at, walked.take()) == (len(data), b"".join(pieces))


async def test_a_body_shorter_than_declared(proxy: Proxy) -> None:
    """The client ends in the middle: the Engine is told by an end, and may still answer."""
    client, engine = await proxy.ask(
        "POST", "/images/load", "Content-Length: 10", body=b"four"
    )
    await engine.read_head()
    await engine.read(4)
    client.half_close()
    assert await engine.read_rest() == b""
    await engine.send(
        response("400 Bad Request", "Connection: close") + b"unexpected EOF"
    )
    engine.close()
    assert b"unexpected EOF" in await client.read_rest()
    await proxy.assert_clean()


async def test_a_body_longer_than_declared_is_a_bad_next_request(proxy: Proxy) -> None:
    """What follows the declared length is read as a request of its own, and refused as none."""
    client, engine = await proxy.ask(
        "POST", "/images/load", "Content-Length: 4", body=b"four and more\r\n\r\n"
    )
    asked = await engine.answer(body=b"loaded")
    assert asked.body == b"four"
    assert (await client.read_response()).body == b"loaded"
    assert (await client.read_response()).status == 400
    assert await client.read_gone() in {"end", "reset"}
    assert await engine.arrived() == b""


async def test_an_answer_longer_than_declared(proxy: Proxy) -> None:
    """The surplus reaches no client: not now, and not as the answer to the next request."""
    client, engine = await proxy.ask()
    await engine.read_request()
    await engine.send(
        response("200 OK", "Content-Length: 2") + b"OK" + response(body=b"poison")
    )
    assert (await client.read_response()).body == b"OK"
    assert await engine.read_gone() in {"end", "reset"}
    await client.ask()
    await (await proxy.fake.accept()).answer(body=b"clean")
    assert (await client.read_response()).body == b"clean"


async def test_an_answer_shorter_than_declared(proxy: Proxy) -> None:
    """The Engine breaks off inside a sized body: the client's connection ends there too."""
    client, engine = await proxy.ask()
    await engine.read_request()
    answer = response("200 OK", "Content-Length: 10") + b"four"
    await engine.send(answer)
    engine.close()
    assert await client.read_rest() == answer
    await proxy.assert_clean()


# Size and speed of the other side


async def pour(end: Peer, data: bytes, times: int) -> None:
    """Send the same bytes again and again."""
    for _ in range(times):
        await end.send(data)


MIB = bytes(1 << 20)
FRAMES = {
    "sized": (f"Content-Length: {128 << 20}", MIB, b""),
    "chunked": (CHUNKED, chunk(MIB), CHUNK_END),
}
every_frame = pytest.mark.parametrize(
    ("field", "piece", "end"), FRAMES.values(), ids=FRAMES
)


@every_frame
async def test_a_large_answer(
    proxy: Proxy, field: str, piece: bytes, end: bytes
) -> None:
    """128 MiB from the Engine arrive whole, without being gathered in memory."""
    client, engine = await proxy.ask(target="/containers/x/export")
    await engine.read_request()
    await engine.send(response("200 OK", field))
    await client.read_head()
    before, total = resident_bytes(), len(piece) * 128
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pour, engine, piece, 128)
        assert await client.count(total) == total
    await engine.send(end)
    assert await client.read(len(end)) == end
    assert resident_bytes() - before < 32 << 20


@every_frame
async def test_a_large_body(proxy: Proxy, field: str, piece: bytes, end: bytes) -> None:
    """128 MiB from the client arrive whole, without being gathered in memory."""
    client, engine = await proxy.ask("POST", "/images/load", field)
    await engine.read_head()
    before, total = resident_bytes(), len(piece) * 128
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pour, client, piece, 128)
        assert await engine.count(total) == total
    await client.send(end)
    assert await engine.read(len(end)) == end
    await engine.send(response(body=b"loaded"))
    assert (await client.read_response()).body == b"loaded"
    assert resident_bytes() - before < 32 << 20


async def test_a_slow_reader_holds_the_engine_back(ends: Ends) -> None:
    """The Engine cannot send more than the buffers between it and a client that does not read."""
    client, engine = ends
    before = resident_bytes()
    sent = await engine.send_while_taken(chunk(bytes(0x4000)))
    assert sent < 4 << 20
    assert len(await client.read(sent)) == sent
    assert resident_bytes() - before < 16 << 20


async def test_a_slow_engine_holds_the_client_back(proxy: Proxy) -> None:
    """The client cannot send more than the buffers between it and an Engine that does not read."""
    client, engine = await proxy.ask(
        "POST", "/images/load", f"Content-Length: {1 << 30}"
    )
    await engine.read_head()
    assert await client.send_while_taken(bytes(65536)) < 4 << 20


# An answer before the body's end


async def test_an_early_answer_arrives_while_the_client_uploads(proxy: Proxy) -> None:
    """The Engine refuses and stops reading: a client that is stuck in its upload gets the answer, no reset."""
    client, engine = await proxy.ask(
        "POST", "/images/load", f"Content-Length: {1 << 30}"
    )
    await engine.read_head()
    await client.send_while_taken(bytes(65536))
    early = response(
        "400 Bad Request",
        "Content-Type: application/json",
        body=b'{"message":"no tar"}\n',
    )
    await engine.send(early)
    assert (await client.read_response("POST")).body == b'{"message":"no tar"}\n'


async def test_an_early_answer_and_an_engine_that_closes(proxy: Proxy) -> None:
    """The Engine answers and closes with the body unread: the answer still arrives, then the end."""
    client, engine = await proxy.ask(
        "POST", "/images/load", f"Content-Length: {1 << 30}"
    )
    await engine.read_head()
    await client.send(bytes(1000))
    await settle()
    await engine.send(
        response(
            "400 Bad Request", "Connection: close", "Content-Length: 5", body=b"never"
        )
    )
    engine.half_close()
    assert (await client.read_response("POST")).body == b"never"
    assert await client.read_gone() in {"end", "reset"}


async def test_an_early_stream_runs_beside_the_upload(proxy: Proxy) -> None:
    """`docker build`: progress streams back while the context still goes up, each at its own pace."""
    client, engine = await proxy.ask("POST", "/build", CHUNKED)
    await engine.read_head()
    await engine.send(STREAM)
    assert await client.read_head() == STREAM
    for step in (b"one", b"two"):
        await client.send(chunk(step))
        assert await engine.read(8) == chunk(step)
        await engine.send(chunk(step))
        assert await client.read(8) == chunk(step)
    await client.send(CHUNK_END)
    assert await engine.read(5) == CHUNK_END
    await engine.send(CHUNK_END)
    assert await client.read(5) == CHUNK_END
    await client.ask()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"
