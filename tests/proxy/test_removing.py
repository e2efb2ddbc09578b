"""Prunes on the way: asked as a list, removed one by one, answered by us."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import trio

from tests.fakes import Client, EngineConnection, request, response, settle
from tests.judge.test_pruning import ID, OTHER, OWN, PRUNES, container, network, volume
from tests.proxy.conftest import Proxy, Start
from trioproxy.proxy import removing
from trioproxy.proxy.exchange import HALF_CLOSE_SECONDS

LIST = b"GET /v1.45/containers/json?all=1&filters=%7B%22label%22:%5B%22trioproxy.owner%3Dapp%22%5D%7D HTTP/1.1"
GONE = response("204 No Content")
IN_USE = response("409 Conflict", body=b'{"message":"in use"}')
ANONYMOUS = {**OWN, "com.docker.volume.anonymous": ""}


@pytest.fixture
async def own(start: Start) -> Proxy:
    """A proxy whose client may prune what it made."""
    return await start(PRUNES)


def told(value: object) -> bytes:
    return response(body=json.dumps(value).encode())


async def asking(
    proxy: Proxy, target: str, *fields: str
) -> tuple[Client, EngineConnection, bytes]:
    client = await proxy.connect()
    await client.send(request("POST", target, *fields))
    engine = await proxy.fake.accept()
    return client, engine, (await engine.read_request()).line


async def answering(engine: EngineConnection, *turns: tuple[bytes, bytes]) -> None:
    for line, answer in turns:
        assert (await engine.read_request()).line == line + b" HTTP/1.1"
        await engine.send(answer)


def image(ref: str = "sha256:x") -> tuple[bytes, bytes]:
    return f"GET /images/{ref}/json".encode(), told({"Id": ref, "Config": {"Labels": None}})  # fmt: skip


def inspected(size: Any, ref: str = ID) -> tuple[bytes, bytes]:  # noqa: ANN401  JSON
    value = {"Id": ref, "Created": "2026-01-01T10:00:00.5Z", "SizeRw": size}
    return f"GET /containers/{ref}/json?size=1".encode(), told(value)


def removed(path: str, answer: bytes = GONE) -> tuple[bytes, bytes]:
    return f"DELETE /{path}".encode(), answer


async def test_containers(own: Proxy) -> None:
    """What was listed and is its own goes by its id without force; the answer is the Engine's."""
    client, engine, question = await asking(own, "/v1.45/containers/prune")
    assert question == LIST
    others = [container({}, Id="c3" * 32), container(Id=OTHER, State="running")]
    await engine.send(told([container(), *others]))
    await answering(engine, image(), inspected(5), removed(f"containers/{ID}"))
    answer = await client.read_response("POST")
    assert answer.status == 200
    assert answer.one("Content-Type") == b"application/json"
    assert answer.body == b'{"ContainersDeleted":["%b"],"SpaceReclaimed":5}\n' % ID.encode()  # fmt: skip
    assert f" sent={len(answer.body)} " in own.lines()[-1]
    await client.send(request("POST", "/v1.45/containers/prune"))
    assert (await engine.read_request()).line == LIST
    assert "status=200" in own.lines()[-1]


async def test_what_the_engine_does_not_remove(own: Proxy) -> None:
    """Passed over, as in a prune of its own: what is used, gone, or fails for any reason."""
    client, engine, _ = await asking(own, "/v1.45/containers/prune")
    every = [f"{number:x}" * 64 for number in range(1, 6)]
    await engine.send(told([container(Id=one) for one in every]))
    missing = response("404 Not Found", body=b'{"message":"no such container"}')
    failed = response("500 Internal Server Error", body=b'{"message":"busy"}')
    await answering(
        engine,
        image(),
        (inspected(1, every[0])[0], missing),
        *(inspected(1, every[1]), removed(f"containers/{every[1]}", IN_USE)),
        *(inspected(1, every[2]), removed(f"containers/{every[2]}", missing)),
        *(inspected(1, every[3]), removed(f"containers/{every[3]}", failed)),
        *(inspected(None, every[4]), removed(f"containers/{every[4]}")),
    )
    answer = json.loads((await client.read_response("POST")).body)
    assert answer == {"ContainersDeleted": [every[4]], "SpaceReclaimed": 0}


@pytest.mark.parametrize("size", [1, 300], ids=["values", "bytes"])
async def test_a_container_of_which_more_is_told_than_is_read(
    own: Proxy, size: int
) -> None:
    """Whoever makes one says how long its description is: it stays, and the others go."""
    client, engine, _ = await asking(own, "/v1.45/containers/prune")
    await engine.send(told([container(), container(Id=OTHER)]))
    await answering(engine, image())
    await engine.read_request()
    with suppress(BrokenPipeError):  # it is read no further
        await engine.send(told({"Id": ID, "Config": {"Env": ["x" * size] * 20_001}}))
    if size > 1:
        await engine.read_gone()
        engine = await own.fake.accept()
    await answering(engine, inspected(7, OTHER), removed(f"containers/{OTHER}"))
    answer = json.loads((await client.read_response("POST")).body)
    assert answer == {"ContainersDeleted": [OTHER], "SpaceReclaimed": 7}


NOTHING = {
    "containers": ([], b'{"ContainersDeleted":null,"SpaceReclaimed":0}\n'),
    "networks": ([], b'{"NetworksDeleted":null}\n'),
    "volumes": ({"Volumes": None}, b'{"VolumesDeleted":[],"SpaceReclaimed":0}\n'),
}


@pytest.mark.parametrize(("listed", "body"), NOTHING.values(), ids=NOTHING)
async def test_nothing_to_remove(
    own: Proxy, listed: object, body: bytes, request_of: Callable[[], str]
) -> None:
    """The Engine's own words where nothing went; one question, and no other."""
    client, engine, _ = await asking(own, f"/{request_of()}/prune")
    await engine.send(told(listed))
    assert (await client.read_response("POST")).body == body


@pytest.fixture
def request_of(request: pytest.FixtureRequest) -> Callable[[], str]:
    """The kind that a test's row is of."""
    return lambda: request.node.callspec.id


async def test_networks(own: Proxy) -> None:
    """Those that nobody is on are asked for; they go by their ids, and are told by name."""
    client, engine, question = await asking(own, "/networks/prune")
    assert (
        question
        == b"GET /networks?filters=%7B%22dangling%22:%5B%22true%22%5D%7D HTTP/1.1"
    )
    await engine.send(told([network(), network(Id=OTHER, Name="back")]))
    used = response("403 Forbidden", body=b'{"message":"has active endpoints"}')
    await answering(engine, removed(f"networks/{ID}"), removed(f"networks/{OTHER}", used))  # fmt: skip
    assert (await client.read_response("POST")).body == b'{"NetworksDeleted":["front"]}\n'  # fmt: skip


SIZES = {
    "as a list": told({"Volumes": [volume(UsageData={"Size": 7, "RefCount": 0})]}),
    "by what takes room": told({"VolumeUsage": {"Items": [volume(UsageData={"Size": 7})]}}),
}  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
async def test_volumes(own: Proxy, sizes: bytes) -> None:
    """What they take on the disk is asked for before they go, all at once."""
    client, engine, _ = await asking(own, "/volumes/prune")
    await engine.send(told({"Volumes": [volume(Labels=ANONYMOUS)], "Warnings": None}))
    await answering(engine, (b"GET /system/df?type=volume", sizes), removed("volumes/data"))  # fmt: skip
    assert (await client.read_response("POST")).body == b'{"VolumesDeleted":["data"],"SpaceReclaimed":7}\n'  # fmt: skip


UNTOLD = {
    "an error": response("500 Internal Server Error", body=b'{"message":"busy"}'),
    "another shape": told({"Volumes": {"data": 1}}),
    "no size": told({"Volumes": [volume(UsageData=None), 5, {"Name": 1}]}),
    "not known": told({"Volumes": [volume(UsageData={"Size": -1})]}),
}


@pytest.mark.parametrize("sizes", UNTOLD.values(), ids=UNTOLD)
async def test_volumes_of_which_nobody_knows_the_size(own: Proxy, sizes: bytes) -> None:
    """They go, and count as nothing: the Engine goes on there as well."""
    client, engine, _ = await asking(own, "/volumes/prune")
    await engine.send(told({"Volumes": [volume(Labels=ANONYMOUS)]}))
    await answering(engine, (b"GET /system/df?type=volume", sizes), removed("volumes/data"))  # fmt: skip
    assert json.loads((await client.read_response("POST")).body)["SpaceReclaimed"] == 0


async def test_sizes_that_cannot_be_read(own: Proxy) -> None:
    """Nothing behind such an answer is read; the volumes go by another connection."""
    client, engine, _ = await asking(own, "/volumes/prune")
    await engine.send(told({"Volumes": [volume(Labels=ANONYMOUS)]}))
    await engine.read_request()
    await engine.send(response(body=b"{"))
    await answering(await own.fake.accept(), removed("volumes/data"))
    assert json.loads((await client.read_response("POST")).body)["SpaceReclaimed"] == 0


async def test_sizes_that_do_not_come(
    own: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the volumes go without, on another connection."""
    monkeypatch.setattr(removing, "SIZES_SECONDS", 0.01)
    client, engine, _ = await asking(own, "/volumes/prune")
    await engine.send(told({"Volumes": [volume(Labels=ANONYMOUS)]}))
    await engine.read_request()
    other = await own.fake.accept()
    await answering(other, removed("volumes/data"))
    assert json.loads((await client.read_response("POST")).body)["VolumesDeleted"] == ["data"]  # fmt: skip


async def test_until_is_by_the_engines_clock(own: Proxy) -> None:
    """A list has whole seconds; before one goes it is asked when it was made exactly."""
    filters = "%7B%22until%22%3A%5B%222026-01-01T10:00:00.5Z%22%5D%7D"
    client, engine, question = await asking(own, f"/v1.45/containers/prune?filters={filters}")  # fmt: skip
    assert question == b"GET /info HTTP/1.1"
    await engine.send(told({"DefaultRuntime": "runc", "SystemTime": "2026-01-02T00:00:00Z"}))  # fmt: skip
    assert (await engine.read_request()).line == LIST
    at = 1_767_261_600
    listed = [container(Created=at), container(Id=OTHER, Created=at), container(Id="c3" * 32, Created=at + 1)]  # fmt: skip
    await engine.send(told(listed))
    later = {"Id": OTHER, "Created": "2026-01-01T10:00:00.500000001Z", "SizeRw": 1}
    await answering(
        engine,
        image(),
        *(inspected(0), removed(f"containers/{ID}")),
        (inspected(0, OTHER)[0], told(later)),
    )
    assert json.loads((await client.read_response("POST")).body)["ContainersDeleted"] == [ID]  # fmt: skip


async def test_a_client_that_leaves_ends_it(own: Proxy) -> None:
    """What is being removed goes, and nothing after it."""
    client, engine, _ = await asking(own, "/v1.45/containers/prune")
    await engine.send(told([container(), container(Id=OTHER)]))
    await answering(engine, image(), inspected(1))
    await engine.read_request()
    client.close()
    assert await engine.read_gone() == "end"
    await settle()
    assert "client-left" in own.lines()[-1]


@pytest.mark.parametrize("is_early", [False, True])
async def test_a_client_that_only_reads_on(
    own: Proxy, autojump_clock: trio.testing.MockClock, *, is_early: bool
) -> None:
    """An end of data does not go to the Engine, which has more to do; in a while it ends."""
    client, engine, _ = await asking(own, "/v1.45/containers/prune")
    if is_early:
        client.half_close()
        await settle()
    await engine.send(told([container()]))
    await answering(engine, image(), inspected(1))
    await engine.read_request()
    began = trio.current_time()
    client.half_close()
    assert await client.read_rest() == b""
    assert trio.current_time() - began == HALF_CLOSE_SECONDS


async def test_an_engine_that_goes_away(own: Proxy) -> None:
    """Some may be gone, and nobody knows which: 502, and a close."""
    client, engine, _ = await asking(own, "/v1.45/containers/prune")
    await engine.send(told([container()]))
    await answering(engine, image(), inspected(1))
    await engine.read_request()
    engine.close()
    other = await own.fake.accept()  # twice is as good as once
    await other.read_request()
    other.close()
    answer = await client.read_response("POST")
    assert answer.status == 502
    assert b"may have run" in answer.body


LAST = {"a body": ("Content-Type: application/json", b"{}"), "a long one": ("Content-Type: application/json", b"x" * 100_000), "its word": ("Connection: close", b"")}  # fmt: skip


@pytest.mark.parametrize(("field", "body"), LAST.values(), ids=LAST)
async def test_the_last_on_a_connection(own: Proxy, field: str, body: bytes) -> None:
    """The Engine reads no body for a prune: it is dropped, and the connection closed, as it is for
    who asks for that."""
    client = await own.connect()
    await client.send(request("POST", "/networks/prune", field, body=body))
    engine = await own.fake.accept()
    await engine.read_request()
    await engine.send(told([]))
    answer = await client.read_response("POST")
    assert (answer.status, answer.one("Connection")) == (200, b"close")
    assert await client.read_rest() == b""


LISTS = {
    "no list": told({}),
    "no JSON": response(body=b"["),
    "no container": told([{}]),
    "an error": response("500 Internal Server Error", body=b'{"message":"busy"}'),
    "labels that are none": told([container(5)]),
}


@pytest.mark.parametrize("answer", LISTS.values(), ids=LISTS)
async def test_a_list_that_cannot_be_read(own: Proxy, answer: bytes) -> None:
    """502, and nothing is removed."""
    client, engine, _ = await asking(own, "/v1.45/containers/prune")
    await engine.send(answer)
    assert (await client.read_response("POST")).status == 502
    assert b"DELETE" not in engine.received


async def test_a_list_that_does_not_come(
    own: Proxy, autojump_clock: trio.testing.MockClock
) -> None:
    """504, as for any other question."""
    client, _, _ = await asking(own, "/v1.45/containers/prune")
    assert (await client.read_response("POST")).status == 504


async def test_a_list_of_any_length(own: Proxy) -> None:
    """A list is read element by element: of 3,000 containers each is looked at."""
    client, engine, _ = await asking(own, "/v1.45/containers/prune")
    words = {f"label-{number}": "x" for number in range(20)}
    others = [container({**words, "trioproxy.owner": "b"}, Id=f"{n:064x}") for n in range(3_000)]  # fmt: skip
    await engine.send(told([*others, container()]))
    await answering(engine, image(), inspected(5), removed(f"containers/{ID}"))
    answer = json.loads((await client.read_response("POST")).body)
    assert answer["ContainersDeleted"] == [ID]
