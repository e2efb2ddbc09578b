"""Faults at both sides at once, drawn by chance: an Engine that answers early, late, in part, or not at
all, and clients that send ahead and leave, while bodies are under way and the Engine is asked in between.

Bodies are made of bytes that read as requests: at the place of a request each of them would be one.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import h11
import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.depth import by_depth
from tests.fakes import (
    CHUNK_END,
    Client,
    EndOfData,
    EngineConnection,
    FakeEngine,
    chunk,
    connect,
    open_descriptors,
    request,
    response,
    settle,
)
from tests.proxy.conftest import OPEN, flush
from tests.proxy.test_objects import LISTED, OWN
from tests.strict import Read, read_requests
from trioproxy.config import Config, Level, UnixAddress
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy import engine
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

CANARY = b"POST /canary HTTP/1.1\r\nHost: docker\r\n\r\n"
OURS, STRANGER = f"{1:064x}", f"{9:064x}"
KNOWN = re.compile(
    r"(GET|DELETE) /(containers|networks|images|volumes)\b.*|POST /volumes/create"
)
"""What the proxy asks by itself."""
POLICIES: Mapping[str, Mapping[str, str]] = {
    "open": OPEN,
    "named": {**LISTED, "ONLY_CONTAINERS": "c1", "ONLY_NETWORKS": "@own"},
    "own": {**LISTED, "ONLY_NETWORKS": "@own"},
    "limited": {
        **LISTED,
        "CREATE_IMAGES": "busybox:latest",
        "CREATE_BINDS": "/srv/a",
    },
}
GATES = {
    **{name: Gate.enforcing(parse_policy(one)[0]) for name, one in POLICIES.items()},
    "tried": Gate.trying(parse_policy(POLICIES["own"])[0]),
}
OFTEN = [*GATES, "own", "named"]
WITH_BODY = [
    f"POST /containers/c1/attach?stream=1&detachKeys={STRANGER}",
    f"POST /containers/c1/attach?stream=1&detachKeys={STRANGER}",
    "PUT /containers/c1/archive?path=/",
    "POST /build?t=a",
    "POST /images/load",
    "POST /containers/c1/start",
]
WITHOUT = [
    "GET /containers/json",
    "GET /networks",
    "GET /events?since=1",
    "GET /containers/c1/json",
    "GET /containers/c1/logs?stdout=1",
    "POST /containers/c1/attach?stream=1",
    "POST /containers/prune",
    "POST /networks/prune",
    "DELETE /containers/c1",
]
CREATION = "POST /containers/create"


@dataclass(kw_only=True)
class Asked:
    """One request of a client."""

    number: int
    line: str
    content: bytes
    raw: bytes
    behind: bytes = b""
    """What its client sends behind it."""


@dataclass(kw_only=True)
class World:
    """What one seed makes of both sides."""

    seed: int
    asked: dict[int, Asked] = field(default_factory=dict)
    tunnels: dict[EngineConnection, tuple[int, int]] = field(default_factory=dict)
    """What was taken over: the number of that request, and where it ends."""
    faults: list[str] = field(default_factory=list)


def a_request(rng: Random, number: int) -> Asked:
    line = rng.choice(rng.choice([WITH_BODY, WITH_BODY, WITHOUT, [CREATION]]))
    content, framing = b"", [f"X-Number: {number}"]
    if line == CREATION:
        content = json.dumps({"Image": "busybox", "Cmd": [CANARY.decode()]}).encode()
        framing.append("Content-Type: application/json")
    elif line in WITH_BODY:
        content = CANARY * rng.choice([1, 40, 500, 8_000])
    body = content
    if content and rng.random() < 0.5:
        framing.append("Transfer-Encoding: chunked")
        size = rng.choice([len(content) // 20 + 1, len(CANARY), 100_000])
        size = max(size, len(content) // 200)
        pieces = [content[at : at + size] for at in range(0, len(content), size)]
        body = b"".join(map(chunk, pieces)) + CHUNK_END
    raw = request(*line.split(" "), *framing, body=body)
    return Asked(number=number, line=line, content=content, raw=raw)


# -- the client --------------------------------------------------------------------


async def be_client(world: World, rng: Random, path: str, first: int) -> None:
    """Send some requests, in pieces and maybe ahead; read the answers; leave at any moment."""
    asked = [a_request(rng, first + at) for at in range(rng.choice([1, 2, 3]))]
    for at, one in enumerate(asked):
        one.behind = b"".join(other.raw for other in asked[at + 1 :])
        world.asked[one.number] = one
    data = b"".join(one.raw for one in asked)
    client = await connect(f"unix://{path}")
    with trio.move_on_after(rng.choice([0.5, 20, 200])):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_some, rng, client, data)
            with suppress(EndOfData, OSError):
                for one in asked:
                    await read_answer(world, client, one)
            nursery.cancel_scope.cancel()
    client.close()


async def send_some(rng: Random, client: Client, data: bytes) -> None:
    """Send it in some pieces; one may end with a head, or anywhere."""
    ends = [found.end() for found in re.finditer(rb"\r\n\r\n(?!POST /canary)", data)]
    cuts = [
        rng.choice([*ends, rng.randint(0, len(data))]) for _ in range(rng.randint(0, 5))
    ]
    with suppress(OSError):
        for begin, end in pairwise(sorted([0, *cuts, len(data)])):
            await client.send(data[begin:end])
            await trio.sleep(rng.choice([0, 0.01, 0.1, 2]))
        if rng.random() < 0.3:
            client.half_close()


async def read_answer(world: World, client: Client, one: Asked) -> None:
    """An answer is the Engine's to this request, or ours."""
    try:
        answer = await client.read_response(one.line.split(" ")[0])
    except h11.RemoteProtocolError as error:
        # One that is cut off by the end is none.
        if client.journal[-1].data:
            world.faults.append(f"no answer to {one.line}: {error}")
        raise EndOfData from error
    numbers = answer.all("X-Number") or [b"%d" % one.number]
    if numbers != [b"%d" % one.number] or answer.all("X-Question"):
        world.faults.append(f"another's answer to {one.line}: {answer.raw[:200]!r}")


# -- the Engine --------------------------------------------------------------------


async def be_engine(world: World, rng: Random, connection: EngineConnection) -> None:
    with suppress(EndOfData, OSError):
        while await connection.has_more():
            head = await connection.read_head()
            if not await answer_one(world, rng, connection, head):
                await trio.sleep(rng.choice([0, 0, 1]))
                break
    connection.close()


async def answer_one(
    world: World, rng: Random, connection: EngineConnection, head: bytes
) -> bool:
    """Answer before its body, behind that, or not; True if the connection goes on."""
    number = re.search(rb"X-Number: (\d+)", head)
    is_early = number is not None and rng.random() < 0.5
    if not is_early:
        await read_body(connection, head)
    await trio.sleep(rng.choice([0, 0.01, 0.1, 3]))
    if rng.random() < 0.05:
        return False
    if number and b"/attach" in head and rng.random() < 0.4:
        place = connection.place
        world.tunnels[connection] = int(number[1]), place
        await connection.send(b"HTTP/1.1 200 OK\r\nX-Number: %b\r\n\r\nout" % number[1])
        await trio.sleep(rng.choice([0.01, 1]))
        connection.half_close()
        await connection.read_rest()
        return False
    mark = f"X-Number: {number[1].decode()}" if number else "X-Question: 1"
    answer, is_kept = an_answer(rng, head, mark, is_early=is_early)
    if rng.random() < 0.05:
        answer, is_kept = answer[: rng.randrange(len(answer))], False
    elif is_kept and rng.random() < 0.1:
        answer += response("200 OK", "X-Number: 0")  # to nobody
    await connection.send(answer)
    if is_kept and is_early:
        await read_body(connection, head)
    return is_kept


async def read_body(connection: EngineConnection, head: bytes) -> None:
    if length := re.search(rb"Content-Length: (\d+)", head):
        await connection.read(int(length[1]))
    elif b"Transfer-Encoding" in head:
        await connection.read_until(b"\r\n" + CHUNK_END)


def an_answer(
    rng: Random, head: bytes, mark: str, *, is_early: bool
) -> tuple[bytes, bool]:
    """An answer in some form, and whether more may follow; an early one is mostly an error."""
    usual = 1 if is_early else 3 if "Number" in mark else 12
    errors = ["404 Not Found", "409 Conflict", "400 Bad Request"]
    status = rng.choice([*["200 OK"] * usual, "204 No Content", *errors])
    value: Any = {"message": f"in use by {rng.choice([OURS, STRANGER])}"}
    if status == "200 OK":
        value = a_value(rng, head.split(b" ")[1].decode())
    body = json.dumps(value).encode()
    if status == "204 No Content":
        return f"HTTP/1.1 {status}\r\n{mark}\r\n\r\n".encode(), True
    match rng.choice(["length", "length", "chunked", "last", "close"]):
        case "length":
            return response(status, mark, body=body), True
        case "chunked":
            framed = chunk(body) + CHUNK_END
            return response(status, mark, "Transfer-Encoding: chunked", body=framed), True  # fmt: skip
        case "last":
            length = f"Content-Length: {len(body)}"
            return response(status, mark, "Connection: close", length, body=body), False  # fmt: skip
        case _:
            return response(status, mark, "Connection: close", body=body), False


def a_value(rng: Random, target: str) -> object:
    """Something that the Engine may have there."""
    one: dict[str, Any] = {
        "Id": rng.choice([OURS, STRANGER]),
        "Names": ["/c1"],
        "Name": "/c1",
    }
    one |= {"ImageID": "sha256:" + OURS, "Image": "sha256:" + OURS}
    one |= {"Created": 1, "HostConfig": {}}
    labels = rng.choice([OWN, OWN, {}])
    if target.startswith("/events"):
        return {"Type": "container", "Action": "start", "Actor": {"ID": one["Id"]}}
    if target.startswith(("/containers/json", "/networks?")) or target == "/networks":
        return [{**one, "Labels": labels}] * rng.choice([0, 1, 3])
    return {**one, "Config": {"Labels": labels}, "Labels": labels}


# -- what is true of all of them ---------------------------------------------------


def check_arrived(world: World, connection: EngineConnection) -> None:
    """What came on a connection are requests that were judged, or our questions, and nothing else."""
    data = bytes(connection.received)
    number, end = world.tunnels.get(connection, (0, len(data)))
    for read in read_requests(data[:end]):
        check_request(world, read)
    if number:
        one, stream = world.asked[number], data[end:]
        sent = one.raw.partition(b"\r\n\r\n")[2] + one.behind
        assert sent.startswith(stream) or one.behind.startswith(stream)


def check_request(world: World, read: Read) -> None:
    number = read.header("x-number")
    if number is None:
        assert KNOWN.fullmatch(read.line), f"nobody judged {read.line}"
        return
    one = world.asked[int(number)]
    assert read.line.split("/")[:2] == one.line.split("/")[:2]
    if one.line != CREATION:
        assert one.content.startswith(read.body), f"a body that nobody sent: {one.line}"


def check_over(server: Server, descriptors: int) -> None:
    """Nothing is held for anybody."""
    shared = server._shared
    assert not server.connections
    assert not [*shared.clients.idle, *shared.clients.in_head]
    assert shared.clients.early.held == shared.clients.unfinished.held == 0
    assert shared.bodies.held.held == 0
    assert not shared.bodies.kept_of
    assert not shared.bodies.turn.locked()
    assert not shared.reservations.held
    assert not shared.reservations.under_way
    assert open_descriptors() == descriptors


@contextmanager
def log_at(path: Path) -> Iterator[Log]:
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    yield Log(Level.DEBUG, file)
    os.close(file)


async def run(world: World, folder: Path, log: Log) -> None:
    rng = Random(world.seed)
    fake = FakeEngine(path=folder / "engine.sock")
    fake.listen()
    path = str(folder / "proxy.sock")
    server = Server(
        config=Config(
            listen=(UnixAddress(path=path),), upstream=UnixAddress(path=str(fake.path))
        ),
        gates={"": GATES[rng.choice(OFTEN)]},
        log=log,
    )
    server._shared.reservations._others = frozenset()

    async def script(connection: EngineConnection) -> None:
        at = fake.connections.index(connection)
        await be_engine(world, Random(f"{world.seed} {at}"), connection)

    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        nursery.start_soon(fake.serve, script)
        await settle()
        descriptors = open_descriptors()
        async with trio.open_nursery() as clients:
            for at in range(rng.choice([1, 1, 2])):
                its = Random(f"{world.seed} client {at}")
                clients.start_soon(be_client, world, its, path, 1 + 10 * at)
        for connection in fake.connections:
            connection.close()  # what is reserved outlasts its client
        await trio.sleep(60)
        check_over(server, descriptors)
        nursery.cancel_scope.cancel()
    fake.die()
    flush(log)
    for connection in fake.connections:
        check_arrived(world, connection)


@settings(max_examples=by_depth(100, 3_000))
@given(st.integers(0, 2**32))
@example(98)
@example(188)
@example(238)
@example(283)
def test_nothing_arrives_that_was_not_judged(seed: int) -> None:
    """Whatever happens to whom and when: on each connection the Engine finds requests that were judged,
    with their own bodies, and our questions; a client finds its own answers, in order; nothing crashes,
    and in the end nothing is held."""
    world = World(seed=seed)
    with (
        tempfile.TemporaryDirectory() as name,
        log_at(Path(name) / "log") as log,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Where little is taken ahead, a short body waits for the Engine as a long one does.
        patch.setattr(engine, "SEND_BUFFER", 4_096 << seed % 2 * 8)
        clock = MockClock(autojump_threshold=0)
        trio.run(run, world, Path(name), log, clock=clock)
        text = (Path(name) / "log").read_text()
    assert "crash" not in text
    assert not world.faults
