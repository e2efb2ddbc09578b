"""A reload: all old until it happens, all new from then on, also for what is open."""

from collections.abc import Awaitable, Callable

import pytest

from tests.fakes import HEADS, Client, EngineConnection, request, response, settle
from tests.proxy.conftest import OPEN, Proxy, Start
from tests.proxy.test_resolve import JSON
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate

NOTHING = Gate.enforcing(parse_policy({"ALLOW_OPERATIONS": ""})[0])
EVENTS = Gate.enforcing(parse_policy({"ALLOW_OPERATIONS": "SystemEvents"})[0])
UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")
H2C = ("Connection: Upgrade", "Upgrade: h2c")

Pair = tuple[Client, EngineConnection]


async def exec_shell(proxy: Proxy) -> Pair:
    """A shell in a container, both ways open."""
    client, engine = await proxy.ask("POST", "/exec/e/start", *UPGRADE)
    await engine.hijack(HEADS["exec upgraded"])
    await client.read_head()
    return client, engine


async def events(proxy: Proxy) -> Pair:
    """A stream of events."""
    client, engine = await proxy.ask(target="/events")
    await engine.read_request()
    await engine.send(HEADS["events"])
    await client.read_head()
    return client, engine


async def buildkit(proxy: Proxy) -> Pair:
    """BuildKit's own protocol, in which every call is new."""
    client, engine = await proxy.ask("POST", "/grpc", *H2C)
    await engine.hijack(HEADS["h2c"])
    await client.read_head()
    return client, engine


async def upload(proxy: Proxy) -> Pair:
    """A body on its way."""
    client, engine = await proxy.ask("POST", "/images/load", "Content-Length: 9")
    await engine.read_head()
    return client, engine


async def wait(proxy: Proxy) -> Pair:
    """An answer that is awaited."""
    client, engine = await proxy.ask("POST", "/containers/x/wait")
    await engine.read_request()
    return client, engine


OPENED = [exec_shell, events, buildkit, upload, wait]


@pytest.mark.parametrize("opened", OPENED, ids=lambda one: one.__name__)
async def test_what_the_new_policy_refuses_is_cut(
    proxy: Proxy, opened: Callable[[Proxy], Awaitable[Pair]]
) -> None:
    """Both sides end at once, with a line in the log for it."""
    client, engine = await opened(proxy)
    proxy.server.reload(NOTHING)
    assert await client.read_gone() in {"end", "reset"}
    assert await engine.read_gone() in {"end", "reset"}
    (line,) = [line for line in proxy.lines() if " revoked " in line]
    assert all(f" {word}=" in line for word in ("client", "operation"))
    assert "is not allowed" in line
    assert sum("end=revoked" in line for line in proxy.lines()) == 1
    await proxy.assert_clean()


async def test_a_body_that_is_limited_meanwhile_never_comes_whole(proxy: Proxy) -> None:
    """A request that was begun before a tightening is cut: the rest of its body is judged by nobody."""
    body = b'{"Cmd": ["sh"], "Privileged": true}'
    length = f"Content-Length: {len(body)}"
    client, engine = await proxy.ask("POST", "/containers/x/exec", length)
    await client.send(body[:9])
    await engine.read_head()
    limits = {"ALLOW_OPERATIONS": "ContainerExec", "EXEC_PRIVILEGED": "0"}
    proxy.server.reload(Gate.enforcing(parse_policy(limits)[0]))
    assert await client.read_gone() in {"end", "reset"}
    assert body not in await engine.read_rest()
    assert sum("end=revoked" in line for line in proxy.lines()) == 1


@pytest.mark.parametrize(
    ("operation", "target", "limit"),
    [
        ("ContainerCreate", "/containers/create", "CREATE_BINDS"),
        ("ContainerExec", "/containers/x/exec", "EXEC_COMMANDS"),
    ],
    ids=["read for its labels", "not read"],
)
async def test_what_the_engine_has_whole_goes_on(
    start: Start, operation: str, target: str, limit: str
) -> None:
    """A creation of which nothing was limited has happened, whatever is limited since."""
    granted = {"ALLOW_OPERATIONS": operation}
    proxy = await start(granted)
    client, engine = await proxy.ask("POST", target, JSON, body=b"{}")
    await engine.read_request()
    proxy.server.reload(Gate.enforcing(parse_policy(granted | {limit: ""})[0]))
    await engine.send(response("201 Created", body=b"{}"))
    assert (await client.read_response("POST")).status == 201


async def test_what_the_engine_does_not_have_whole_is_cut(start: Start) -> None:
    """While a creation is still being sent it can be ended, and nothing of it happens."""
    granted = {"ALLOW_OPERATIONS": "ContainerCreate"}
    proxy = await start(granted)
    body = b'{"Labels":{"a":"%b"}}' % (b"a" * 4_000_000)
    client, engine = await proxy.ask("POST", "/containers/create", JSON, body=body)
    await engine.read_head()
    await settle()
    limits = granted | {"CREATE_BINDS": ""}
    proxy.server.reload(Gate.enforcing(parse_policy(limits)[0]))
    assert await client.read_gone() in {"end", "reset"}
    assert len(await engine.read_rest()) < len(body)


async def test_what_it_grants_goes_on(proxy: Proxy) -> None:
    """A stream that both policies grant does not notice, beside a tunnel that is cut."""
    shell, _ = await exec_shell(proxy)
    client, engine = await events(proxy)
    proxy.server.reload(EVENTS)
    assert await shell.read_gone() in {"end", "reset"}
    await engine.send(b"2\r\n{}\r\n")
    assert await client.read(7) == b"2\r\n{}\r\n"


async def test_half_a_head_meets_the_new_policy(proxy: Proxy) -> None:
    """A request is judged when its head is whole, by the policy of then."""
    whole = request(target="/info")
    client = await proxy.connect()
    await client.send(whole[:-2])
    await settle()
    proxy.server.reload(NOTHING)
    await client.send(whole[-2:])
    assert (await client.read_response()).status == 403
    assert not await proxy.fake.is_called()


async def test_what_was_sent_ahead_meets_the_new_policy(proxy: Proxy) -> None:
    """The second of two pipelined requests is judged after the first was answered."""
    client = await proxy.connect()
    await client.send(request(target="/events") + request(target="/info"))
    engine = await proxy.fake.accept()
    await engine.read_request()
    proxy.server.reload(EVENTS)
    await engine.send(response(body=b"{}"))
    assert (await client.read_response()).status == 200
    assert (await client.read_response()).status == 403


async def test_trying_out_cuts_nothing(proxy: Proxy) -> None:
    """A shadow refuses nothing, so it ends nothing."""
    client, engine = await exec_shell(proxy)
    proxy.server.reload(Gate.trying(parse_policy({})[0]))
    await engine.send(b"still here")
    assert await client.read(10) == b"still here"


async def test_an_idle_connection_serves_the_new_policy(proxy: Proxy) -> None:
    """Nobody has to connect anew; what was refused is allowed, on every kind of listener."""
    proxy.server.reload(NOTHING)
    for tcp in (False, True):
        client = await proxy.connect(tcp=tcp)
        await client.ask(target="/info")
        assert (await client.read_response()).status == 403
        proxy.server.reload(Gate.enforcing(parse_policy(OPEN)[0]))
        await client.ask(target="/info")
        await (await proxy.fake.accept()).answer(body=b"{}")
        assert (await client.read_response()).status == 200
        proxy.server.reload(NOTHING)
