"""The Engine's faults: what each becomes for the client, and how the proxy comes back."""

import errno
import json
import os
import socket
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.fakes import (
    HEADS,
    Client,
    EngineConnection,
    FakeEngine,
    chunk,
    request,
    response,
    settle,
)
from tests.proxy.conftest import Proxy, Start
from trioproxy import hostpath
from trioproxy.config import TcpAddress, UnixAddress, parse_address
from trioproxy.hostpath import Mount
from trioproxy.proxy.upstream import explain


async def failed(client: Client, method: str = "GET") -> tuple[int, str]:
    """Status and message of an answer of ours."""
    answer = await client.read_response(method)
    assert answer.one("server") == b"trioproxy"
    message = json.loads(answer.body)["message"]
    assert message.startswith("trioproxy: ")
    return answer.status, message


async def served(proxy: Proxy) -> bool:
    """Whether a new client gets an answer of the Engine."""
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    return (await client.read_response()).body == b"OK"


# Not there


async def test_an_engine_that_is_not_there(proxy: Proxy, fake: FakeEngine) -> None:
    """502 that names the socket and what to look at; when the Engine comes, it serves."""
    fake.stop()
    client = await proxy.connect()
    await client.ask(target="/info")
    status, message = await failed(client)
    assert status == 502
    assert str(fake.path) in message
    assert "no such socket" in message
    fake.listen()
    assert await served(proxy)


async def test_a_socket_that_nobody_listens_on(proxy: Proxy, fake: FakeEngine) -> None:
    """The stale socket of an Engine that was killed: 502 that says so."""
    fake.stop()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(fake.path))
    client = await proxy.connect()
    await client.ask(target="/info")
    status, message = await failed(client)
    assert (status, "nobody listens" in message) == (502, True)
    fake.path.unlink()


async def test_a_full_backlog_is_a_504(
    proxy: Proxy, fake: FakeEngine, mock_clock: MockClock
) -> None:
    """An Engine that accepts nobody is tried again until the connect deadline, then named."""
    fake.stop()
    fake.listen(backlog=0)
    waiting = await proxy.connect()
    await waiting.ask()
    await settle()
    client = await proxy.connect()
    await client.ask(target="/info")
    await settle()
    for _ in range(49):
        mock_clock.jump(0.1)
        assert await client.arrived() == b""
    mock_clock.jump(0.2)
    status, message = await failed(client)
    assert status == 504
    assert str(fake.path) in message


async def test_a_full_backlog_that_empties_in_time(
    proxy: Proxy, fake: FakeEngine, mock_clock: MockClock
) -> None:
    """A busy Engine that accepts within the deadline serves everybody."""
    fake.stop()
    fake.listen(backlog=0)
    clients = [await proxy.connect() for _ in range(3)]
    for client in clients:
        await client.ask()
        await settle()
    for _ in clients:
        await settle()
        mock_clock.jump(0.5)
        await (await fake.accept()).answer(body=b"OK")
    for client in clients:
        assert (await client.read_response()).body == b"OK"


async def test_no_engine_does_not_hurt_the_clients_upload(
    proxy: Proxy, fake: FakeEngine, mock_clock: MockClock
) -> None:
    """The 502 reaches a client that is sending 10 MB."""
    fake.stop()
    client = await proxy.connect(tcp=True)
    await client.ask("POST", "/images/load", body=bytes(10 << 20))
    assert (await failed(client))[0] == 502


# Gone


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_gone_while_idle(proxy: Proxy, fake: FakeEngine, method: str) -> None:
    """A kept connection that the Engine closed is seen before use: the request goes over a new one, on a new inode."""
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    await client.read_response()
    fake.die()
    fake.listen()
    await client.ask(
        method, "/containers/x/json" if method == "GET" else "/containers/x/start"
    )
    await (await fake.accept()).answer(body=b"back")
    assert (await client.read_response(method)).body == b"back"


async def test_an_idle_connection_that_talks_is_not_used(
    proxy: Proxy, fake: FakeEngine
) -> None:
    """Bytes that nobody asked for must not become the next request's answer."""
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    await client.read_response()
    await engine.send(response("408 Request Timeout", body=b"poison"))
    await client.ask(target="/info")
    await (await fake.accept()).answer(body=b"clean")
    assert (await client.read_response()).body == b"clean"


async def use_once(proxy: Proxy) -> tuple[Client, EngineConnection]:
    """A client whose upstream connection has served a request."""
    client, engine = await proxy.ask()
    await engine.answer(body=b"OK")
    await client.read_response()
    return client, engine


async def test_a_plain_read_on_a_reused_connection_is_tried_once_more(
    proxy: Proxy, fake: FakeEngine
) -> None:
    """The Engine closes a kept connection just as it is used: a GET goes again, over a new one."""
    client, engine = await use_once(proxy)
    await client.ask(target="/containers/json")
    await engine.read_request()
    engine.close()
    await (await fake.accept()).answer(body=b"[]")
    assert (await client.read_response()).body == b"[]"


async def test_it_is_not_tried_a_third_time(proxy: Proxy, fake: FakeEngine) -> None:
    """A new connection that breaks as well is a 502."""
    client, engine = await use_once(proxy)
    await client.ask(target="/containers/json")
    await engine.read_request()
    engine.close()
    again = await fake.accept()
    await again.read_request()
    again.close()
    assert (await failed(client))[0] == 502
    assert not await fake.is_called()


NOT_REPEATED = {
    "write": request("POST", "/containers/x/start"),
    "delete": request("DELETE", "/containers/x"),
    "read by POST": request("POST", "/containers/x/wait"),
    "stream": request(target="/events"),
    "read with a body": request("GET", "/info", body=b"{}"),
    "download": request(target="/containers/x/export"),
}


@pytest.mark.parametrize("asked", NOT_REPEATED.values(), ids=NOT_REPEATED)
async def test_nothing_else_is_tried_again(
    proxy: Proxy, fake: FakeEngine, asked: bytes
) -> None:
    """What may have happened is not sent twice: 502 that says it may have run."""
    client, engine = await use_once(proxy)
    await client.send(asked)
    await engine.read_request()
    engine.close()
    status, message = await failed(client)
    assert status == 502
    assert "may have" in message
    assert not await fake.is_called()


async def test_gone_while_awaited_on_a_new_connection(
    proxy: Proxy, fake: FakeEngine
) -> None:
    """A connection that never served is not tried again: 502."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    engine.close()
    assert (await failed(client))[0] == 502
    assert not await fake.is_called()


async def test_not_repeated_after_a_byte_of_an_answer(
    proxy: Proxy, fake: FakeEngine
) -> None:
    """Half a head on a reused connection: 502, once."""
    client, engine = await use_once(proxy)
    await client.ask(target="/info")
    await engine.read_request()
    await engine.send(b"HTTP/1.1 2")
    await settle()
    engine.close()
    assert (await failed(client))[0] == 502
    assert not await fake.is_called()


async def test_gone_while_the_body_goes_up(proxy: Proxy) -> None:
    """The Engine dies under an upload: 502, and the client can read it."""
    client, engine = await proxy.ask(
        "POST", "/images/load", f"Content-Length: {1 << 30}"
    )
    await engine.read_head()
    await client.send(bytes(100_000))
    await settle()
    engine.close()
    assert (await failed(client, "POST"))[0] == 502


# Silent, slow or speaking nonsense


async def test_an_engine_that_never_answers_is_waited_for(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """As long as the client stays; when it goes, the Engine sees the end."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    mock_clock.jump(24 * 3600)
    assert await client.arrived() == b""
    client.close()
    assert await engine.read_gone() in {"end", "reset"}
    await proxy.assert_clean()


async def test_an_engine_that_accepts_and_reads_nothing(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """A hung Engine holds no task or descriptor once its clients have left."""
    client, _ = await proxy.ask("POST", "/images/load", "Content-Length: 9000000")
    await client.send_while_taken(bytes(65536))
    mock_clock.jump(24 * 3600)
    await settle()
    client.close()
    await proxy.assert_clean()


BAD_ANSWERS = {
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "nothing": b"",
    "garbage": b"\x15\x03\x01\0\x02\x02\x46\r\n\r\n",
    "garbage without an end": b"SSH-2.0-OpenSSH_9.9\r\n",
    "HTTP/2": b"HTTP/2 200\r\n\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "bad status": b"HTTP/1.1 2x0 OK\r\n\r\n",
    "bad field": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "both framings": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "odd coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    "too long": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 131_072 + b"\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30_000,
    "endless interim": b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
async def test_an_answer_that_is_none_is_a_502(
    proxy: Proxy, answer: bytes, nursery: trio.Nursery
) -> None:
    """A head that is broken, foreign, ambiguous or too long reaches no client; both sides are closed."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()

    async def say() -> None:
        try:
            await engine.send(answer)
        except OSError:
            return
        engine.half_close()

    nursery.start_soon(say)
    assert (await failed(client))[0] == 502
    assert await client.read_rest() == b""
    assert await engine.read_gone() in {"end", "reset"}
    await proxy.assert_clean()


async def test_a_bad_chunk_of_the_engine_breaks_the_answer_off(proxy: Proxy) -> None:
    """After the head there is no 502 any more: the client's connection ends without a last chunk."""
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    head = response("200 OK", "Transfer-Encoding: chunked")
    await engine.send(head + chunk(b"good"))
    assert await client.read(len(head) + 9) == head + chunk(b"good")
    await engine.send(b"xyz\r\n\r\n0\r\n\r\n")
    assert b"0\r\n\r\n" not in await client.read_rest()
    assert await engine.read_gone() in {"end", "reset"}


# What the log says


async def test_the_log_tells_ours_from_the_engines(
    proxy: Proxy, fake: FakeEngine
) -> None:
    """One line a request: who answered, and for a 502 of ours, why."""
    client, engine = await proxy.ask(target="/containers/x/json?secret=1")
    await engine.answer("502 Bad Gateway", body=b"the Engine's own")
    await client.read_response()
    fake.die()
    await client.ask(target="/containers/y/json")
    await failed(client)
    await settle()
    theirs, ours = [line for line in proxy.lines() if "status=502" in line]
    assert "operation=ContainerInspect" in theirs
    assert "trioproxy" not in theirs
    assert "trioproxy" in ours
    assert "no such socket" in ours
    assert "secret" not in theirs + ours


async def test_the_engine_restarts_under_every_kind_of_client(
    proxy: Proxy, fake: FakeEngine, nursery: trio.Nursery
) -> None:
    """Idle, awaited, streaming, tunnelling, uploading: all end or are told, and new requests work at once."""
    idle, _ = await use_once(proxy)
    awaited, _ = await proxy.ask("POST", "/containers/x/wait")
    streaming, engine = await proxy.ask(target="/events")
    await engine.hijack(HEADS["events"])
    await streaming.read_head()
    tunnelling, engine = await proxy.ask("POST", "/containers/x/attach")
    await engine.hijack(HEADS["attach raw"])
    await tunnelling.read_head()
    uploading, _ = await proxy.ask(
        "POST", "/images/load", "Content-Length: 9", body=b"1"
    )
    await settle()
    fake.die()
    for told in (awaited, uploading):
        assert (await failed(told, "POST"))[0] == 502
    for cut in (streaming, tunnelling):
        assert await cut.read_gone() in {"end", "reset"}
    fake.listen()
    await proxy.serve()
    for client in (idle, await proxy.connect()):
        await client.ask()
        assert (await client.read_response()).body == b"GET /_ping HTTP/1.1"
    await proxy.assert_clean()


# An Engine on TCP, and other ways not to reach one


async def test_an_engine_on_tcp(proxy: Proxy, start: Start) -> None:
    """Requests, streams and ends pass over TCP as over a Unix socket (here: a proxy behind a proxy)."""
    (url,) = [url for url in proxy.server.addresses if url.startswith("tcp")]
    front = await start(upstream=parse_address(url))
    client, engine = await front.ask("POST", "/containers/x/attach")
    await engine.hijack(HEADS["attach raw"] + b"out")
    head = HEADS["attach raw"]
    assert await client.read(len(head) + 3) == head + b"out"
    client.half_close()
    assert await engine.read_rest() == b""
    engine.half_close()
    assert await client.read_rest() == b""


async def test_nobody_on_that_port(start: Start) -> None:
    """502 that names the address."""
    # It is bound, so that nobody else is given it, the proxy's own listener neither.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        proxy = await start(upstream=TcpAddress(host="127.0.0.1", port=port))
        client = await proxy.connect()
        await client.ask()
        status, message = await failed(client)
    assert (status, f"tcp://127.0.0.1:{port}" in message) == (502, True)


async def test_a_host_that_is_no_name(start: Start) -> None:
    """502 that names the address, as for a name that nobody knows."""
    proxy = await start(upstream=TcpAddress(host="a..b", port=2375))
    client = await proxy.connect()
    await client.ask()
    status, message = await failed(client)
    assert (status, "tcp://a..b:2375" in message) == (502, True)


UNREACHABLE = {
    errno.ENOENT: "there is no such socket",
    errno.ECONNREFUSED: "nobody listens",
    errno.EMFILE: "out of file descriptors",
    errno.EPROTOTYPE: "no stream socket",
    errno.EIO: os.strerror(errno.EIO),
}


@pytest.mark.parametrize("number", UNREACHABLE, ids=errno.errorcode.get)
def test_why_the_engine_cannot_be_reached(number: int) -> None:
    """Each cause is named in words, with what to look at."""
    told = explain(UnixAddress(path="/e.sock"), OSError(number, os.strerror(number)))
    assert told.startswith("cannot reach the Docker Engine at unix:///e.sock: ")
    assert UNREACHABLE[number] in told


def test_a_mounted_socket_that_is_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an Engine that was restarted, and runs, nobody is asked whether it does."""
    mount = Mount(root="/docker.sock//deleted", place="/e.sock", kind="tmpfs")
    monkeypatch.setattr(hostpath, "read_mounts", lambda: (mount,))
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "no")
    for path, said in (
        ("/e.sock", "has another socket by now"),
        ("/f", "nobody listens"),
    ):
        assert said in explain(UnixAddress(path=path), refused)


def test_a_socket_that_is_closed_to_us(tmp_path: Path) -> None:
    """Its owner, its group and its mode are named, and how to get in."""
    path = tmp_path / "e.sock"
    path.touch()
    path.chmod(0o660)
    os.chown(path, -1, group := os.getgid())
    told = explain(UnixAddress(path=str(path)), PermissionError(errno.EACCES, "no"))
    assert f"run with group {group} (in Compose: group_add: [{group}])" in told
    path.chmod(0o600)
    told = explain(UnixAddress(path=str(path)), PermissionError(errno.EACCES, "no"))
    assert f"run as user {os.getuid()} (in Compose: user: '{os.getuid()}')" in told
    gone = explain(
        UnixAddress(path="/nope/e.sock"), PermissionError(errno.EACCES, "no")
    )
    assert "its folder is closed to this user" in gone
