"""What an Engine gives by default, asked of it on the way of a request."""

import json
from typing import Any

import pytest
from trio.testing import MockClock

from tests.fakes import Client, EngineConnection, Message, request, response
from tests.proxy.conftest import OPEN, Proxy, Start
from trioproxy.proxy.resolve import DEFAULTS_SECONDS

JSON = "Content-Type: application/json"
CREATE = "/v1.45/containers/create"
ID = "a1" * 32
LIMITED = {**OPEN, "CREATE_BINDS": "/srv/app", "CREATE_PRIVILEGED": "1"}
OWN = {
    "ALLOW_OPERATIONS": "ContainerCreate,ContainerStart",
    "CREATE_PRIVILEGED": "1",
    "ONLY_CONTAINERS": "web",
    "ONLY_NETWORKS": "*",
    "ONLY_VOLUMES": "*",
}
BUILTIN = ["name=seccomp,profile=builtin"]


def info(runtime: str = "runc") -> bytes:
    value = {"DefaultRuntime": runtime, "Runtimes": {}, "SecurityOptions": BUILTIN}
    return response(body=json.dumps(value).encode())


def container(**host: object) -> bytes:
    value = {
        "Id": ID,
        "Name": "/web",
        "Image": f"sha256:{ID}",
        "Config": {"Labels": None},
        "HostConfig": {"Runtime": "runc", **host},
    }
    return response(body=json.dumps(value).encode())


def told(answer: Message) -> str:
    text = json.loads(answer.body)["message"]
    assert isinstance(text, str)
    return text


async def creating(
    proxy: Proxy, **host: Any  # noqa: ANN401  JSON
) -> tuple[Client, EngineConnection]:  # fmt: skip
    """A client that creates, and the Engine that it comes to."""
    client = await proxy.connect()
    body = json.dumps({"Image": "busybox", "HostConfig": host}).encode()
    await client.send(request("POST", CREATE, JSON, body=body))
    return client, await proxy.fake.accept()


async def asks_for_defaults(engine: EngineConnection) -> bool:
    """Whether the next request that the Engine gets is that question."""
    return (await engine.read_request()).line == b"GET /info HTTP/1.1"


@pytest.mark.parametrize(
    "host",
    [{"Runtime": "runc"}, {"SecurityOpt": ["seccomp=builtin"]}],
    ids=["runtime", "profile"],
)
async def test_a_creation_that_names_a_default(
    start: Start, host: dict[str, object]
) -> None:
    """The Engine is asked for its defaults, and the creation goes on as it came."""
    _, engine = await creating(await start(LIMITED), **host)
    assert await asks_for_defaults(engine)
    await engine.send(info())
    asked = await engine.read_request()
    assert asked.line.startswith(b"POST /v1.45/containers/create ")
    assert json.loads(asked.body)["HostConfig"] == host


async def test_a_creation_that_leaves_the_default(start: Start) -> None:
    """The runtime that is harmless elsewhere is refused where it is not the default."""
    client, engine = await creating(await start(LIMITED), Runtime="runc")
    assert await asks_for_defaults(engine)
    await engine.send(info("runsc"))
    answer = await client.read_response("POST")
    assert answer.status == 403
    assert "and which is not this Engine's default" in told(answer)


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        pytest.param(LIMITED, {}, id="asks for none"),
        pytest.param({**LIMITED, "CREATE_RUNTIMES": "runc"}, {"Runtime": "runc"}, id="listed"),
        pytest.param(OPEN, {"Runtime": "runc"}, id="nothing is limited"),
    ],
)  # fmt: skip
async def test_an_engine_is_not_asked_for_nothing(
    start: Start, variables: dict[str, str], host: dict[str, object]
) -> None:
    """A creation costs no question where its answer would decide nothing."""
    _, engine = await creating(await start(variables), **host)
    assert (await engine.read_request()).line.startswith(b"POST ")


@pytest.mark.parametrize("status", ["403 Forbidden", "404 Not Found", "500 Oh"])
async def test_an_engine_that_does_not_say(start: Start, status: str) -> None:
    """What cannot be told to be the default is not harmless: the request is refused."""
    client, engine = await creating(await start(LIMITED), Runtime="runc")
    assert await asks_for_defaults(engine)
    await engine.send(response(status, body=b"{}"))
    answer = await client.read_response("POST")
    assert answer.status == 502
    assert told(answer) == (
        f"trioproxy: the Docker Engine answers {status[:3]} to the question"
        " what it gives by default (GET /info)"
    )


async def start_it(client: Client) -> None:
    await client.send(request("POST", "/v1.45/containers/web/start"))


async def test_what_a_container_has_by_default_is_remembered(
    start: Start, autojump_clock: MockClock
) -> None:
    """Reaching into containers asks for the defaults, and again after some seconds."""
    proxy = await start(OWN)
    client = await proxy.connect()
    await start_it(client)
    engine = await proxy.fake.accept()
    shown = container(Privileged=True, SecurityOpt=["label=disable"])
    for is_asked in (True, False, True):
        assert b"/containers/web/json" in (await engine.read_request()).line
        await engine.send(shown)
        if is_asked:
            assert await asks_for_defaults(engine)
            await engine.send(info())
        asked = await engine.read_request()
        assert asked.line == f"POST /v1.45/containers/{ID}/start HTTP/1.1".encode()
        await engine.send(response("204 No Content"))
        assert (await client.read_response("POST")).status == 204
        if not is_asked:
            autojump_clock.jump(DEFAULTS_SECONDS)
        await start_it(client)


async def test_a_creation_asks_anew(start: Start) -> None:
    """What is remembered of the defaults lets nobody ask for one."""
    proxy = await start(OWN)
    client = await proxy.connect()
    await start_it(client)
    engine = await proxy.fake.accept()
    await engine.read_request()
    await engine.send(container())
    assert await asks_for_defaults(engine)
    await engine.send(info())
    await engine.read_request()
    await engine.send(response("204 No Content"))
    await client.read_response("POST")
    body = json.dumps({"Image": "b", "HostConfig": {"Runtime": "runc"}}).encode()
    target = f"{CREATE}?name=web"
    await client.send(request("POST", target, JSON, body=body))
    assert await asks_for_defaults(engine)
    await engine.send(info("runsc"))
    assert (await client.read_response("POST")).status == 403
