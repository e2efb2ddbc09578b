"""A request beside its answer: whoever ends first, the client reads the whole answer."""

from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path

import pytest
import trio

from tests.engine import Engine
from tests.fakes import Client, connect, request, response, settle
from tests.proxy.conftest import Proxy, Start
from tests.proxy.raw_exchange import proxy_before
from trioproxy.api.matched import Request
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Decision, Reason
from trioproxy.proxy import exchange as exchange_module
from trioproxy.proxy.connection import Connection

MIB = 1 << 20
LONG = b"no tar " * 40_000
"""Longer than what the kernel holds between two sockets."""


@pytest.mark.parametrize("body", [b"never", LONG], ids=["short", "long"])
@pytest.mark.parametrize("framing", ["sized", "chunked"])
@pytest.mark.parametrize("buffer", ["empty", "full"])
@pytest.mark.parametrize("ends", ["keep-alive", "close", "closed at once"])
async def test_an_early_answer_is_read_whole(
    proxy: Proxy, ends: str, buffer: str, framing: str, body: bytes
) -> None:
    """Whether the upload is parked in a full buffer or not, and however the Engine ends."""
    length = f"Content-Length: {1 << 30}"
    field = "Transfer-Encoding: chunked" if framing == "chunked" else length
    client, engine = await proxy.ask("POST", "/images/load", field)
    await engine.read_head()
    if framing == "chunked":
        await client.send(b"%x\r\n" % (1 << 30))
    if buffer == "full":
        await client.send_while_taken(bytes(65536))
    else:
        await client.send(bytes(1000))
        await engine.read(1000)
    await settle()
    says = () if ends == "keep-alive" else ("Connection: close",)
    answer = response(
        "400 Bad Request", *says, f"Content-Length: {len(body)}", body=body
    )
    async with trio.open_nursery() as nursery:

        async def speak() -> None:
            with suppress(OSError):  # a proxy that hung up is what the client sees
                await engine.send(answer)
            if ends == "closed at once":
                engine.close()
            elif ends == "close":
                engine.half_close()

        nursery.start_soon(speak)
        assert (await client.read_response("POST")).body == body
    client.close()
    await settle()
    assert [line for line in proxy.lines() if " crash " in line] == []
    await proxy.assert_clean()


async def test_who_has_uploaded_all_may_ask_again_at_once(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next request waits for the end of the body, and then for no time."""
    monkeypatch.setattr(exchange_module, "DRAIN_SECONDS", inf)
    client, engine = await proxy.ask("POST", "/images/load", "Content-Length: 4")
    await engine.read_head()
    await engine.send(response(body=b"{}"))
    assert (await client.read_response("POST")).status == 200
    await client.send(b"body" + request(target="/info"))
    assert await engine.read(4) == b"body"
    await engine.answer(body=b"{}")
    assert (await client.read_response()).status == 200


# On a real Engine: bodies that it does not read to their end

GARBAGE = bytes(range(256)) * (4 * MIB // 256)
REFUSED_EARLY = {
    "load": ("POST", "/images/load", "application/x-tar"),
    "build": ("POST", "/build?t=garbage", "application/x-tar"),
    "cp": ("PUT", "/containers/nobody/archive?path=/", "application/x-tar"),
    "plugin create": ("POST", "/plugins/create?name=garbage", "application/x-tar"),
}


@pytest.mark.engine
@pytest.mark.parametrize("chunked", [False, True], ids=["sized", "chunked"])
@pytest.mark.parametrize("what", REFUSED_EARLY)
async def test_a_real_engine_that_answers_early(
    engine: Engine, what: str, chunked: bool, tmp_path: Path
) -> None:
    """`docker load`, `build`, `cp` and `plugin create` of garbage say what the Engine says."""
    method, target, media = REFUSED_EARLY[what]
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(GARBAGE), GARBAGE) if chunked else GARBAGE
    framing = (
        "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(GARBAGE)}"
    )
    asked = request(method, target, f"Content-Type: {media}", framing) + body
    policy = dict.fromkeys(["IMAGES", "BUILD", "CONTAINERS", "PLUGINS", "POST"], "1")
    async with proxy_before(engine.socket, policy, tmp_path) as url:
        through = await _ask(url, asked, method)
    assert through == await _ask(f"unix://{engine.socket}", asked, method)
    assert "crash" not in (tmp_path / "log").read_text()


async def _ask(url: str, asked: bytes, method: str) -> tuple[int, bytes]:
    """Send and read at the same time, as the docker CLI does."""
    client = await connect(url)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send, client, asked)
            answer = await client.read_response(method)
            nursery.cancel_scope.cancel()
    finally:
        client.close()
    return answer.status, answer.body


async def _send(client: Client, asked: bytes) -> None:
    with suppress(OSError):  # who answers early need not read the rest
        await client.send(asked)


# What a policy says, and nothing else, lets through


class Mute(Gate):
    """A gate that refuses without a word."""

    def decide(self, request: Request) -> Decision:
        """Refuse."""
        return Decision(allowed=False, reason=Reason.SECTION, rule="")


async def test_a_refusal_without_words_is_a_refusal(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lets through is the decision, never the truth of an answer that was rendered."""
    monkeypatch.setattr("trioproxy.proxy.replies.message", lambda *_a, **_k: b"")
    proxy = await start(gate=Mute(policy=parse_policy({})[0]))
    client = await proxy.connect()
    await client.ask(target="/info")
    await settle()
    assert not await proxy.fake.is_called()


# Faults of our own


async def test_a_crash_beside_an_upload_names_its_place(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in the second task comes through its nursery: place, 500, and one end only."""

    async def broken(*_args: object) -> None:
        raise KeyError("upload")

    monkeypatch.setattr(exchange_module, "relay", broken)
    other = await proxy.connect()
    client, engine = await proxy.ask("POST", "/images/load", "Content-Length: 9")
    await engine.read_head()
    answer = await client.read_response("POST")
    assert answer.status == 500
    assert await client.read_gone() in {"end", "reset"}
    assert await other.is_open()
    (crash,) = [line for line in proxy.lines() if " err crash " in line]
    assert "KeyError" in crash
    assert " at=exchange.py:" in crash
    client.close()
    await settle()
    (line,) = [one for one in proxy.lines() if " status=500 by=trioproxy " in one]
    assert f" id={answer.one('x-request-id').decode()}" in line
    await proxy.assert_clean()


async def test_a_crash_within_an_answer_ends_it(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an answer that has begun no other one becomes a part: the break is all that is said."""

    async def broken(*_args: object) -> None:
        raise KeyError("answer")

    monkeypatch.setattr(exchange_module, "relay", broken)
    client, engine = await proxy.ask(target="/info")
    await engine.read_request()
    answer = response("200 OK", "Content-Length: 900") + b"begun"
    await engine.send(answer)
    assert await client.read_gone() in {"end", "reset"}
    assert client.received.endswith(b"begun")
    assert any("end=crash:KeyError" in line for line in proxy.lines())
    await proxy.assert_clean()


@pytest.mark.parametrize(
    "leave", [Client.half_close, Client.close], ids=["eof", "gone"]
)
async def test_a_crash_when_a_client_hangs_up_ends_that_connection(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, leave: Callable[[Client], None]
) -> None:
    """The task that happened to look at the events goes on, with its own request."""
    other, kept = await proxy.ask(target="/info")
    await kept.read_request()
    client, engine = await proxy.ask("POST", "/containers/x/wait")
    await engine.read_request()

    def broken(_self: Connection) -> None:
        raise KeyError("hang-up")

    monkeypatch.setattr(exchange_module.Exchange, "client_hung_up", broken)
    leave(client)
    assert await engine.read_gone() in {"end", "reset"}
    monkeypatch.undo()
    await kept.send(response(body=b"OK"))
    assert (await other.read_response()).body == b"OK"
    assert sum(" err crash " in line for line in proxy.lines()) == 1
    await proxy.assert_clean()
