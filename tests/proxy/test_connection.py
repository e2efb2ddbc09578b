"""The cycles of one client: heads, keep-alive, refusals, and who closes when."""

import json

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    HEADS,
    answer_always,
    chunk,
    request,
    response,
    settle,
)
from tests.proxy.conftest import Proxy, Start
from trioproxy.api.matched import Request
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Decision
from trioproxy.proxy import client as served
from trioproxy.proxy.admission import Admission
from trioproxy.proxy.client import DRAIN_SECONDS

JSON = "Content-Type: application/json"

# Keep-alive and pipelining


async def test_a_connection_is_used_again_on_both_sides(proxy: Proxy) -> None:
    """Requests of one client go one after the other over one upstream connection."""
    client, engine = await proxy.ask(target="/info")
    for number in range(5):
        await engine.answer(body=b"%d" % number)
        assert (await client.read_response()).body == b"%d" % number
        await client.ask(target="/info")
    assert len(proxy.fake.connections) == 1
    assert not await proxy.fake.is_called()


async def test_two_clients_share_no_upstream_connection(proxy: Proxy) -> None:
    """What one client leaves on its upstream connection can reach no other client."""
    first, one = await proxy.ask()
    await one.answer(body=b"1")
    await first.read_response()
    second, two = await proxy.ask()
    await two.answer(body=b"2")
    assert (await second.read_response()).body == b"2"


async def test_pipelined_requests_are_answered_in_order(proxy: Proxy) -> None:
    """The second goes upstream only when the first is answered."""
    client = await proxy.connect()
    await client.send(
        request(target="/info") + request("HEAD") + request(target="/version")
    )
    engine = await proxy.fake.accept()
    asked = []
    for _ in range(3):
        asked.append((await engine.read_request()).line)
        assert await engine.arrived() == b""
        await engine.send(
            response(body=b"x")
            if b"HEAD" not in asked[-1]
            else response("200 OK", "Content-Length: 2")
        )
    assert asked == [
        b"GET /info HTTP/1.1",
        b"HEAD /_ping HTTP/1.1",
        b"GET /version HTTP/1.1",
    ]
    for method in ("GET", "HEAD", "GET"):
        assert (await client.read_response(method)).status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [("/info", 200), ("/nothing", 403)],
    ids=["answers", "refusals"],
)
async def test_answers_that_nobody_reads_yet(
    target: str, status: int, proxy: Proxy, nursery: trio.Nursery
) -> None:
    """What does not fit between the two waits for who sends on and reads later, and comes whole."""
    client = await proxy.connect()
    nursery.start_soon(proxy.fake.serve, answer_always)
    many = [request(target=f"{target}?a={number:02000}") for number in range(300)]
    nursery.start_soon(client.send, b"".join(many))
    await settle()
    for _ in many:
        assert (await client.read_response()).status == status


async def test_an_end_behind_another_request_is_not_passed_on(proxy: Proxy) -> None:
    """While that one is unread the Engine sees no end, on which nothing more could be sent."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    await client.ask("POST", "/containers/x/start")
    client.half_close()
    await settle()
    await engine.send(response(body=b"1"))
    assert (await client.read_response()).body == b"1"
    await engine.answer(body=b"2")
    assert (await client.read_response("POST")).body == b"2"


async def test_a_client_that_ends_after_its_last_request_is_answered(
    proxy: Proxy,
) -> None:
    """Pipelined requests and the end at once: each is answered, then both sides close."""
    client = await proxy.connect()
    await client.send(request(target="/info") + request(target="/version"))
    client.half_close()
    engine = await proxy.fake.accept()
    for body in (b"info", b"version"):
        await engine.answer(body=body)
        assert (await client.read_response()).body == body
    assert await client.read_rest() == b""
    await proxy.assert_clean()


@pytest.mark.parametrize(
    ("version", "fields", "stays"),
    [
        ("1.1", (), True),
        ("1.1", ("Connection: close",), False),
        ("1.1", ("Connection: Close, x",), False),
        ("1.0", (), False),
        ("1.0", ("Connection: keep-alive",), True),
    ],
    ids=["1.1", "1.1 close", "1.1 Close in a list", "1.0", "1.0 keep-alive"],
)
async def test_who_keeps_the_connection(
    proxy: Proxy, version: str, fields: tuple[str, ...], stays: bool
) -> None:
    """As the client asks, in its version; the Engine is told the same."""
    client = await proxy.connect()
    await client.send(request("GET", "/info", *fields, version=version))
    engine = await proxy.fake.accept()
    asked = await engine.read_request()
    assert asked.line == f"GET /info HTTP/{version}".encode()
    mark = (
        ()
        if stays == (version == "1.1")
        else ("Connection: keep-alive" if stays else "Connection: close",)
    )
    told = [line for line in asked.raw.splitlines() if line.startswith(b"Connection:")]
    assert told == [one.encode() for one in mark]
    await engine.send(response("200 OK", *mark, "Content-Length: 2") + b"OK")
    assert (await client.read_response()).body == b"OK"
    assert await client.is_open() is stays


async def test_an_engine_that_closes_after_its_answer_closes_the_client(
    proxy: Proxy,
) -> None:
    """`Connection: close` of the Engine reaches the client, which then sees the end."""
    client, engine = await proxy.ask()
    await engine.read_request()
    await engine.send(
        response("200 OK", "Connection: close", "Content-Length: 2") + b"OK"
    )
    engine.close()
    answer = await client.read_response()
    assert (answer.body, answer.one("connection")) == (b"OK", b"close")
    assert await client.read_rest() == b""
    await proxy.assert_clean()


async def test_http_1_0_gets_a_body_until_the_close(proxy: Proxy) -> None:
    """An answer without a length in HTTP/1.0 ends with the connection."""
    client = await proxy.connect()
    await client.send(request("GET", "/events", version="1.0"))
    engine = await proxy.fake.accept()
    await engine.read_request()
    answer = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"
    await engine.send(answer + b"{}\n")
    assert await client.read(len(answer) + 3) == answer + b"{}\n"
    engine.close()
    assert await client.read_rest() == b""


# Heads as they go upstream


async def test_a_head_goes_upstream_rebuilt(proxy: Proxy) -> None:
    """Judged target, the client's fields in their order; hop-by-hop fields and those that `Connection` names are gone."""
    client, engine = await proxy.ask(
        "GET",
        "/v1.45/containers/js%6fn?all=1&x=%2F",
        "User-Agent: Docker-Client/26",
        "Connection: keep-alive, X-Private",
        "X-Private: 1",
        "Keep-Alive: 5",
        "TE: trailers",
        "Proxy-Authorization: secret",
        "Upgrade: h2c",
        "X-Meta-a:  b ",
    )
    assert (await engine.read_request()).raw == (
        b"GET /v1.45/containers/json?all=1&x=%2F HTTP/1.1\r\nHost: docker\r\n"
        b"User-Agent: Docker-Client/26\r\nX-Meta-a: b\r\n\r\n"
    )
    client.close()


@pytest.mark.parametrize(
    "asked",
    [
        request(target="/info", version="1.1"),
        request("POST", "/images/load", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    ],
    ids=["get", "chunked post"],
)
async def test_a_request_byte_by_byte(proxy: Proxy, asked: bytes) -> None:
    """No split of a request changes what goes upstream."""
    client = await proxy.connect()
    await client.send_each(asked)
    assert (await (await proxy.fake.accept()).read_request()).raw == asked
    client.close()


async def test_a_long_head_passes(proxy: Proxy) -> None:
    """The docker CLI sends 60 KB of X-Registry-Config."""
    config = "X-Registry-Config: " + "e" * 100_000
    client, engine = await proxy.ask("POST", "/build", config)
    assert (await engine.answer()).one("x-registry-config") == b"e" * 100_000
    assert (await client.read_response()).status == 200


BAD_HEADS = {
    "garbage": (b"\x16\x03\x01\x02\0\x01\0\r\n\r\n", 400),
    "no version": (b"GET /info\r\n\r\n", 400),
    "HTTP/2.0": (request(version="2.0"), 400),
    "preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "connect": (request("CONNECT", "/info"), 400),
    "trace": (request("TRACE", "/info"), 400),
    "absolute form": (request(target="http://other/info"), 400),
    "two hosts": (request("GET", "/info", "Host: b"), 400),
    "no host": (b"GET /info HTTP/1.1\r\n\r\n", 400),
    "bad host": (b"GET /info HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "both framings": (
        request("POST", "/build", "Content-Length: 5", "Transfer-Encoding: chunked"),
        400,
    ),
    "chunked 1.0": (
        request("POST", "/build", "Transfer-Encoding: chunked", version="1.0"),
        400,
    ),
    "length list": (request("POST", "/build", "Content-Length: 0, 0"), 400),
    "signed length": (request("POST", "/build", "Content-Length: +0"), 400),
    "bare LF": (b"GET /info HTTP/1.1\nHost: a\n\n", 400),
    "folded": (b"GET /info HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400),
    "connection names host": (request("GET", "/info", "Connection: host"), 400),
    "form body": (
        request(
            "POST",
            "/build",
            "Content-Type: application/x-www-form-urlencoded",
            body=b"remote=x",
        ),
        400,
    ),
    "grpc": (request("POST", "/info", "Content-Type: application/grpc"), 400),
    "dot segments": (request(target="/containers/../info"), 400),
    "too long": (request("GET", "/info", "X: " + "y" * 131_072), 431),
    "endless": (b"GET /info HTTP/1.1\r\n" + b"X: y\r\n" * 30_000, 431),
    "cross-site": (request("POST", "/build", "Origin: http://evil.example"), 403),
}


@pytest.mark.parametrize(("asked", "status"), BAD_HEADS.values(), ids=BAD_HEADS)
async def test_a_bad_head_is_answered_and_closed(
    proxy: Proxy, asked: bytes, status: int
) -> None:
    """The Engine never hears of it; the answer is the Engine's JSON and reaches the client, then the end."""
    client = await proxy.connect(tcp=True)  # by a Unix socket no web page comes
    await client.send(asked)
    answer = await client.read_response()
    assert answer.status == status
    assert json.loads(answer.body)["message"].startswith("trioproxy: ")
    assert await client.read_rest() == b""
    assert not await proxy.fake.is_called()
    await proxy.assert_clean()


# Deadlines of the client's side


async def test_half_a_head_is_given_ten_seconds(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """A client that stops in the middle of a head is answered 408 and closed after 10 s, not before."""
    client = await proxy.connect()
    await client.send(b"GET /info HT")
    await settle()
    mock_clock.jump(9.9)
    assert await client.arrived() == b""
    mock_clock.jump(0.2)
    assert (await client.read_response()).status == 408
    await proxy.assert_clean()


async def test_a_dripped_head_is_given_ten_seconds_in_all(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """A byte a second buys no time."""
    client = await proxy.connect()
    for byte in request(target="/info")[:11]:
        await client.send(bytes([byte]))
        await settle()
        mock_clock.jump(1)
    assert (await client.read_response()).status == 408
    await proxy.assert_clean()


async def test_a_slow_body_has_all_the_time(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """Only the head has a deadline: an upload may pause for a day."""
    client, engine = await proxy.ask("POST", "/images/load", "Content-Length: 2")
    mock_clock.jump(24 * 3600)
    await client.send(b"a")
    await settle()
    mock_clock.jump(24 * 3600)
    await client.send(b"b")
    assert (await engine.answer(body=b"loaded")).body == b"ab"
    assert (await client.read_response()).body == b"loaded"


# Refusals


async def test_a_refusal_names_what_would_allow_it(start: Start) -> None:
    """403 in the Engine's JSON; the Engine never hears of the request; the connection serves on."""
    proxy = await start(policy={"IMAGES": "0", "PING": "1"})
    client = await proxy.connect()
    await client.ask(target="/v1.45/images/json")
    answer = await client.read_response()
    assert answer.status == 403
    assert json.loads(answer.body)["message"].startswith(
        "trioproxy: ImageList (GET /images/json) is not allowed"
    )
    assert not await proxy.fake.is_called()
    await client.ask(target="/_ping")
    await (await proxy.fake.accept()).answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"


async def test_a_refused_upload_hears_so_before_its_body(start: Start) -> None:
    """`Expect: 100-continue`: the 403 comes in place of the 100."""
    proxy = await start(policy={"IMAGES": "0"})
    client = await proxy.connect()
    await client.ask(
        "POST", "/images/load", "Expect: 100-continue", f"Content-Length: {1 << 30}"
    )
    answer = await client.read_response()
    assert (answer.status, answer.informational) == (403, ())


async def test_a_refused_upload_reads_its_answer(
    start: Start, mock_clock: MockClock
) -> None:
    """10 MB are on their way when the 403 comes: they are drained, so that no reset takes it away."""
    proxy = await start(policy={"IMAGES": "0"})
    for tcp in (False, True):
        client = await proxy.connect(tcp=tcp)
        await client.ask("POST", "/images/load", body=bytes(10 << 20))
        assert (await client.read_response()).status == 403
        assert await client.read_rest() == b""
    await proxy.assert_clean()


async def test_a_refused_upload_is_not_drained_for_ever(
    start: Start, mock_clock: MockClock
) -> None:
    """A client that goes on sending after its 403 is cut off after some seconds."""
    proxy = await start(policy={"IMAGES": "0"})
    client = await proxy.connect()
    await client.ask("POST", "/images/load", f"Content-Length: {1 << 40}")
    assert (await client.read_response()).status == 403
    await settle()
    mock_clock.jump(60)
    await settle()
    assert proxy.open_connections() == 0


async def test_a_refused_head_request_gets_no_body(start: Start) -> None:
    """An answer of ours to HEAD ends with its head, so that the next answer is read right."""
    proxy = await start(policy={"IMAGES": "0", "PING": "1"})
    client = await proxy.connect()
    await client.ask("HEAD", "/images/json")
    assert (await client.read_response("HEAD")).status == 403
    await client.ask("HEAD")
    await (await proxy.fake.accept()).answer("200 OK", "Content-Length: 0")
    assert (await client.read_response("HEAD")).status == 200


# Interim answers


async def test_the_engines_own_100_is_relayed(proxy: Proxy) -> None:
    """`Expect` goes upstream; the client sends its body when the Engine asks for it."""
    client, engine = await proxy.ask(
        "POST", "/images/load", "Expect: 100-continue", "Content-Length: 3"
    )
    assert b"Expect: 100-continue" in await engine.read_head()
    assert await client.arrived() == b""
    await engine.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert await client.read_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"tar")
    assert await engine.read(3) == b"tar"
    await engine.send(response(body=b"loaded"))
    assert (await client.read_response()).body == b"loaded"


async def test_an_engine_that_refuses_instead_of_100(proxy: Proxy) -> None:
    """The final answer comes while the client still waits to send; then the connection closes."""
    client, engine = await proxy.ask(
        "POST", "/images/load", "Expect: 100-continue", "Content-Length: 3"
    )
    await engine.read_head()
    await engine.send(
        response("400 Bad Request", "Connection: close", "Content-Length: 2") + b"no"
    )
    assert (await client.read_response("POST")).body == b"no"
    client.close()
    assert await engine.read_gone() in {"end", "reset"}
    await proxy.assert_clean()


async def test_any_interim_answer_is_relayed(proxy: Proxy) -> None:
    """Several 1xx answers pass as written, before the final one."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    interim = (
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    )
    await engine.send(interim + response(body=b"info"))
    assert await client.read(len(interim)) == interim
    assert (await client.read_response()).body == b"info"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "200 OK"])
async def test_an_answer_to_head_has_no_body(proxy: Proxy, status: str) -> None:
    """Whatever length it names, the next answer follows its head."""
    client, engine = await proxy.ask("HEAD", "/containers/x/archive?path=/")
    await engine.read_request()
    await engine.send(
        response(status, "Content-Length: 1000", "X-Docker-Container-Path-Stat: e30=")
    )
    assert (await client.read_response("HEAD")).one("content-length") == b"1000"
    await client.ask()
    await engine.answer(body=b"OK")
    assert (await client.read_response()).body == b"OK"


# Resets


async def test_a_reset_at_every_point_of_a_request(proxy: Proxy) -> None:
    """After every byte of a request a client may reset: no connection, descriptor or task stays behind."""
    asked = (
        request("POST", "/images/load", "Transfer-Encoding: chunked")
        + chunk(b"tar")
        + b"0\r\n\r\n"
    )
    for end in range(len(asked)):
        client = await proxy.connect(tcp=True)
        await client.send(asked[:end])
        await settle()
        client.reset()
    while await proxy.fake.is_called():
        engine = await proxy.fake.accept()
        assert await engine.read_gone() in {"end", "reset"}
        assert not bytes(engine.received).endswith(b"0\r\n\r\n")
    await proxy.assert_clean()


async def test_a_reset_at_every_point_of_an_answer(proxy: Proxy) -> None:
    """After every byte of an answer a client may reset: the Engine's connection ends each time."""
    answer = (
        response("200 OK", "Transfer-Encoding: chunked") + chunk(b"{}") + b"0\r\n\r\n"
    )
    for end in range(len(answer)):
        client = await proxy.connect(tcp=True)
        await client.ask(target="/events")
        engine = await proxy.fake.accept()
        await engine.read_request()
        await engine.send(answer[:end])
        await settle()
        client.reset()
        assert await engine.read_gone() in {"end", "reset"}
    await proxy.assert_clean()


# Faults of our own


class BrokenGate(Gate):
    """A gate with a bug."""

    def decide(self, request: Request) -> Decision:
        """Fail as a bug fails."""
        raise KeyError(request.target.path)


async def test_a_bug_fails_closed(start: Start) -> None:
    """A crash in judging lets nothing through, is answered, ends that connection only, and is in the log."""
    proxy = await start(gate=BrokenGate(policy=parse_policy({})[0]))
    client, other = await proxy.connect(), await proxy.connect()
    await client.ask(target="/info")
    answer = await client.read_response()
    assert (answer.status, b"bug of the proxy" in answer.body) == (500, True)
    assert await client.read_gone() in {"end", "reset"}
    assert await other.is_open()
    assert not await proxy.fake.is_called()
    (crash,) = [line for line in proxy.lines() if " err crash " in line]
    assert "KeyError" in crash
    assert " at=gate.py:" in crash
    await proxy.assert_clean()


async def test_a_crash_and_who_does_not_read_hold_no_drain(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """The 500 waits for room no longer than any answer of ours: the proxy ends with everybody."""
    client = await proxy.connect()
    await settle()

    def crash(*_: object) -> None:
        (connection,) = proxy.server.connections
        while connection.client.wire.send_now(bytes(65536)):
            pass
        raise RuntimeError("a bug")

    monkeypatch.setattr(Admission, "admit", crash)
    await client.ask()
    await settle()
    await proxy.server.drain()
    await trio.sleep(DRAIN_SECONDS)
    assert not proxy.server.connections
    assert proxy.lines_of(" err crash ")


async def test_so_much_of_a_body_is_dropped_and_no_more(
    start: Start, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    """Who sends more of what nobody wants finds the connection closed, before its time is over."""
    monkeypatch.setattr(served, "DRAIN_BYTES", 2)
    proxy = await start({"IMAGES": "0"})
    client = await proxy.connect()
    await client.ask("POST", "/images/load", "Content-Length: 9")
    assert (await client.read_response()).status == 403
    for left in (1, 0):
        await client.send(b"x")
        await settle()
        assert proxy.open_connections() == left


async def test_a_changed_gate_counts_at_once(proxy: Proxy) -> None:
    """After a reload no head is let through because it was once."""
    client, engine = await proxy.ask(target="/info")
    await engine.answer(body=b"info")
    await client.read_response()
    proxy.server.reload(Gate.enforcing(parse_policy({})[0]))
    await client.ask(target="/info")
    assert (await client.read_response()).status == 403


async def test_a_stream_that_opens_before_its_request_is_whole(proxy: Proxy) -> None:
    """An exec that starts while its body is still on its way: 502, for whose bytes would follow?"""
    client, engine = await proxy.ask(
        "POST", "/exec/e/start", JSON, "Content-Length: 9", body=b"{"
    )
    await engine.read_head()
    await engine.send(HEADS["exec raw"])
    assert (await client.read_response("POST")).status == 502
    assert await engine.read_gone() in {"end", "reset"}


async def test_an_answer_of_ours_has_the_id_of_its_line(start: Start) -> None:
    """Each answer of ours, even of requests that are alike, is found in the log."""
    proxy = await start({"CONTAINERS": "1"})
    found = list[str]()
    for _ in ("judged", "judged and kept", "remembered"):
        client = await proxy.connect()
        for head in (request(target="/info"), b"nonsense\r\n\r\n"):
            await client.send(head)
            answer = await client.read_response()
            found.append(answer.one("x-request-id").decode())
    proxy.fake.die()
    client = await proxy.connect()
    await client.ask(target="/containers/json")
    answer = await client.read_response()
    assert answer.status == 502
    found.append(answer.one("x-request-id").decode())
    await settle()
    logged = [line.partition(" id=")[2][:12] for line in proxy.lines_of(" id=")]
    assert logged == found
    assert len(set(found)) == 7


async def test_a_bad_head_is_not_repeated(proxy: Proxy) -> None:
    """What is told of a head that is no HTTP holds nothing of it: not in answer or log."""
    for head in (
        b"GET /info?token=secret HTTP/1.1 x\r\nHost: d\r\n\r\n",
        b"GET /info HTTP/1.1\r\nHost: d\r\nX-Registry-Auth : secret\r\n\r\n",
        b"GET http://e/info?token=secret HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET info?token=secret HTTP/1.1\r\nHost: d\r\n\r\n",
    ):
        client = await proxy.connect()
        await client.send(head)
        answer = await client.read_response()
        assert answer.status == 400
        assert b"secret" not in answer.raw + answer.body
    await settle()
    assert len(proxy.lines_of("status=400")) == 4
    assert proxy.lines_of("secret") == []
