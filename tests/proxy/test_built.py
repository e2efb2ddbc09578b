"""Images without a name that a client built: known by the Engine's answers, and to nobody else."""

import json

import pytest

from tests.fakes import Client, EngineConnection, chunk, request, response, settle
from tests.proxy.conftest import OPEN, Proxy, Start
from trioproxy.file.permissions import parse_policy
from trioproxy.http.hearing import MOST_BUILT, Built
from trioproxy.judge.gate import Gate
from trioproxy.limits.limit import NOT_BUILT

ID = f"sha256:{'a1' * 32}"
POLICY = {**OPEN, "CREATE_IMAGES": "@built", "CREATE_BINDS": "/srv/app"}
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
TOLD = chunk(json.dumps({"aux": {"ID": ID}}).encode() + b"\r\n")


@pytest.fixture
async def proxy(start: Start) -> Proxy:
    """A proxy that lists what its client builds."""
    return await start(POLICY)


async def build(proxy: Proxy) -> tuple[Client, EngineConnection]:
    """A build whose answer has begun."""
    client, engine = await proxy.ask("POST", "/v1.45/build", body=b"tar")
    await engine.read_request()
    await engine.send(STREAM)
    await client.read_head()
    return client, engine


async def asking(
    proxy: Proxy, image: str, *names: str
) -> tuple[Client, EngineConnection]:
    """A client that creates by an id, of which the Engine has said what it is."""
    client = await proxy.connect()
    body = json.dumps({"Image": image, "HostConfig": {}}).encode()
    await client.send(request("POST", "/v1.45/containers/create", body=body))
    engine = await proxy.fake.accept()
    await engine.read_request()
    described = {"Id": ID, "RepoTags": list(names)}
    await engine.send(response(body=json.dumps(described).encode()))
    return client, engine


async def passes(proxy: Proxy, image: str = ID) -> None:
    """A creation goes on by the full id."""
    _, engine = await asking(proxy, image)
    assert json.loads((await engine.read_request()).body)["Image"] == ID


async def refused(proxy: Proxy, *names: str) -> str:
    """What a creation is refused with."""
    client, _ = await asking(proxy, ID, *names)
    answer = await client.read_response("POST")
    assert answer.status == 403
    message = json.loads(answer.body)["message"]
    assert isinstance(message, str)
    return message


@pytest.mark.parametrize("image", [ID, ID[7:19], "a1"])
async def test_known_before_the_client_has_it(proxy: Proxy, image: str) -> None:
    """Who reads an id in the middle of a build creates from it at once, short or in full."""
    assert NOT_BUILT in await refused(proxy)
    client, engine = await build(proxy)
    await engine.send_each(TOLD)
    await client.read(len(TOLD))
    await passes(proxy, image)


async def test_a_commit(proxy: Proxy) -> None:
    """What a commit answers is known as well."""
    client, engine = await proxy.ask("POST", "/v1.45/commit?container=c")
    await engine.read_request()
    await engine.send(response("201 Created", body=json.dumps({"Id": ID}).encode()))
    assert (await client.read_response("POST")).status == 201
    await passes(proxy)


async def test_bytes_behind_its_answer_are_not_the_next_one(proxy: Proxy) -> None:
    """A connection on which more came than was asked for serves no other request."""
    client, engine = await build(proxy)
    await engine.send(chunk(b"{}") + b"0\r\n\r\n" + response(body=b"stale"))
    await client.read_until(b"0\r\n\r\n")
    assert await engine.read_gone()
    await client.ask(target="/info")
    other = await proxy.fake.accept()
    await other.answer(body=b"fresh")
    assert (await client.read_response()).body == b"fresh"


async def test_who_leaves_early(proxy: Proxy) -> None:
    """A client that leaves in mid-build cancels it, and has what it was told of."""
    client, engine = await build(proxy)
    await engine.send(TOLD)
    await client.read(len(TOLD))
    client.close()
    assert await engine.read_gone()
    await passes(proxy)


async def test_a_reload_keeps_it(proxy: Proxy) -> None:
    """A reload does not forget what was built; a policy that lists no such image refuses it."""
    _, engine = await build(proxy)
    await engine.send(TOLD)
    await settle()
    other, _ = parse_policy({**POLICY, "CREATE_IMAGES": "busybox"})
    proxy.server.reload(Gate.enforcing(other))
    assert "which CREATE_IMAGES does not list" in await refused(proxy)
    proxy.server.reload(Gate.enforcing(parse_policy(POLICY)[0]))
    await passes(proxy)


@pytest.mark.parametrize("images", ["busybox", "*", ""])
async def test_who_does_not_list_it(start: Start, images: str) -> None:
    """Where no list says so no answer is read, and nothing is known."""
    gate = Gate.enforcing(parse_policy({**POLICY, "CREATE_IMAGES": images})[0])
    assert not gate.knows_built
    proxy = await start(gate=gate)
    client, engine = await build(proxy)
    await engine.send(TOLD)
    await client.read(len(TOLD))
    proxy.server.reload(Gate.enforcing(parse_policy(POLICY)[0]))
    assert NOT_BUILT in await refused(proxy)


async def test_a_stranger_has_a_name(proxy: Proxy) -> None:
    """What has a name is not said to be built anew."""
    assert await refused(proxy, "evil:1") == (
        f"trioproxy: ContainerCreate asks for Image={ID[:64]}... (evil:1),"
        " which CREATE_IMAGES does not list"
    )


def test_a_bound() -> None:
    """Of more images than are known the oldest is forgotten, and what came again is young."""
    built = Built()
    ids = [f"{number:064x}" for number in range(MOST_BUILT + 1)]
    for one in (*ids[:-1], ids[0], ids[-1]):
        built.add(one)
    assert [built.has(f"sha256:{one}") for one in (*ids[:2], ids[-1])] == [
        True,
        False,
        True,
    ]
