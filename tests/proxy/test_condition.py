"""The reserved health route: our own round trip to the Engine, and no more."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock

from tests.answering_engine import answer
from tests.fakes import FakeEngine, response, settle
from tests.patience import PATIENCE
from tests.proxy.conftest import Proxy
from tests.proxy.test_reload_crash import nobody
from trioproxy import hostpath
from trioproxy.commands.serving import Serving
from trioproxy.hostpath import Mount
from trioproxy.proxy import server as server_module

HEALTH = "/_trioproxy/health"


async def test_an_engine_that_answers_is_up(proxy: Proxy) -> None:
    """200 after a ping of our own; the client's request itself goes nowhere."""
    client, engine = await proxy.ask("GET", HEALTH, "X-Secret: 1")
    asked = await engine.read_request()
    assert (
        asked.raw == b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
    )
    await engine.send(response("200 OK", "Connection: close") + b"OK")
    engine.close()
    answer = await client.read_response()
    assert (answer.status, answer.body) == (200, b'{"engine":"up"}\n')
    await proxy.assert_clean()


@pytest.mark.parametrize("field", ["Connection: close", "Content-Length: 1"])
async def test_who_is_answered_no_more_is_told_so(
    proxy: Proxy, fake: FakeEngine, field: str
) -> None:
    """Whoever asks for the end, and whose body nobody reads, hears that the connection closes."""
    fake.stop()
    client = await proxy.connect()
    await client.ask("GET", HEALTH, field)
    assert (await client.read_response()).all("connection") == [b"close"]


async def test_it_names_the_policy_in_force(proxy: Proxy, fake: FakeEngine) -> None:
    """Its hash, and in a word that a newer one was refused: until one is read."""
    fake.stop()
    client = await proxy.connect()
    for is_stale, newer in ((False, ""), (True, ',"newer":"refused"'), (False, "")):
        proxy.server.health.tell_policy("1a2b3c4d", is_stale=is_stale)
        await client.ask(target=HEALTH)
        told = f'{{"engine":"down","policy":"1a2b3c4d"{newer}}}\n'
        assert (await client.read_response()).body == told.encode()


async def test_it_names_a_folder_of_policies_that_cannot_be_read_again(
    proxy: Proxy, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """A newer state of it was refused as well, until it is in order again."""
    folder = trio.Path(tmp_path, "policies")
    proxy.server.config = replace(proxy.server.config, policies=str(folder))
    proxy.fake.stop()
    client = await proxy.connect()
    serving = Serving(server=proxy.server, policies={}, add=nobody, beside=nursery)
    for newer in (',"newer":"refused"', ""):
        await serving.look_for_policies()
        await client.ask(target=HEALTH)
        told = f'{{"engine":"down"{newer}}}\n'
        assert (await client.read_response()).body == told.encode()
        await folder.mkdir(exist_ok=True)


async def test_a_mounted_folder_of_policies_that_was_replaced_is_stale(
    proxy: Proxy,
    nursery: trio.Nursery,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing can come into it any more, whatever is written where it was: that is told, and not
    that it is empty."""
    proxy.server.config = replace(proxy.server.config, policies=str(tmp_path))
    mount = Mount(root="/srv/policies//deleted", place=str(tmp_path), kind="ext4")
    monkeypatch.setattr(hostpath, "read_mounts", lambda: (mount,))
    serving = Serving(server=proxy.server, policies={}, add=nobody, beside=nursery)
    await serving.look_for_policies()
    assert proxy.server.health.is_folder_stale
    (line,) = proxy.lines_of(" reload-failed ")
    assert f"{tmp_path} was replaced on the host" in line


async def test_an_engine_that_is_away_is_down(proxy: Proxy, fake: FakeEngine) -> None:
    """503, and the connection serves on."""
    fake.stop()
    client = await proxy.connect()
    await client.ask(target=HEALTH)
    answer = await client.read_response()
    assert (answer.status, answer.body) == (503, b'{"engine":"down"}\n')
    assert await client.is_open()


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 500 Oh\r\n\r\n", b"garbage"],
    ids=["nothing", "500", "garbage"],
)
async def test_an_engine_that_says_anything_else_is_down(
    proxy: Proxy, said: bytes
) -> None:
    """Only a 200 counts."""
    client, engine = await proxy.ask("GET", HEALTH)
    await engine.read_request()
    await engine.send(said)
    engine.close()
    assert (await client.read_response()).status == 503


async def test_an_engine_that_hangs_is_down(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """After three seconds, before a health check of a container gives up."""
    client, engine = await proxy.ask("GET", HEALTH)
    await engine.read_request()
    mock_clock.jump(2.9)
    assert await client.arrived() == b""
    mock_clock.jump(0.2)
    assert (await client.read_response()).status == 503
    assert await engine.read_gone() in {"end", "reset"}


async def test_an_answer_serves_for_a_second(
    proxy: Proxy, mock_clock: MockClock
) -> None:
    """Many who ask cost the Engine one ping a second."""
    client, engine = await proxy.ask("GET", HEALTH)
    await engine.answer("200 OK", "Connection: close", body=b"OK")
    engine.close()
    assert (await client.read_response()).status == 200
    await client.ask(target=HEALTH)
    assert (await client.read_response()).status == 200
    assert not await proxy.fake.is_called()
    mock_clock.jump(1)
    await client.ask(target=HEALTH)
    await settle()
    assert await proxy.fake.is_called()


@pytest.mark.parametrize(
    ("method", "target"),
    [("POST", HEALTH), ("GET", HEALTH + "/x"), ("GET", HEALTH + "?a=b")],
    ids=["POST", "below", "with a query"],
)
async def test_nothing_else_is_the_health_route(
    proxy: Proxy, method: str, target: str
) -> None:
    """What only looks like it is judged as any request: it is no route of the Engine."""
    client = await proxy.connect()
    await client.ask(method, target)
    assert (await client.read_response(method)).status in {400, 403}
    assert not await proxy.fake.is_called()


async def test_alive_without_an_engine(proxy: Proxy, fake: FakeEngine) -> None:
    """`live` is 200 whatever the Engine does, and asks it nothing; `ready` is not."""
    fake.stop()
    client = await proxy.connect()
    await client.ask(target="/_trioproxy/live")
    answer = await client.read_response()
    assert (answer.status, answer.body) == (200, b'{"proxy":"up"}\n')
    await client.ask(target="/_trioproxy/ready")
    answer = await client.read_response()
    assert (answer.status, json.loads(answer.body)["engine"]) == (503, "down")


async def test_who_ends_is_not_ready(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it drains, a client that is here still is told so; the Engine is well."""
    monkeypatch.setattr(server_module, "ABOUT_TO_ASK", PATIENCE)
    # The Engine is asked again where its answer is a second old by then.
    proxy.nursery.start_soon(proxy.fake.serve, answer)
    client = await proxy.connect()
    await client.ask(target="/_trioproxy/ready")
    assert (await client.read_response()).status == 200
    async with trio.open_nursery() as nursery:
        nursery.start_soon(proxy.server.drain)
        while not proxy.server.is_draining:
            await trio.lowlevel.checkpoint()
        await client.ask(target="/_trioproxy/ready")
        found = await client.read_response()
        client.close()
    said = json.loads(found.body)
    assert (found.status, said["engine"], said["hindrance"]) == (503, "up", "draining")


async def test_it_is_not_logged_as_a_request(proxy: Proxy, fake: FakeEngine) -> None:
    """A check every few seconds does not fill the log."""
    fake.stop()
    client = await proxy.connect()
    await client.ask(target=HEALTH)
    await client.read_response()
    await settle()
    assert [line for line in proxy.lines() if "health" in line] == []
