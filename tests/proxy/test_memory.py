"""What bodies that are judged may cost in memory, all together; and that it is given back.

Resident memory of the program itself, in a process of its own, before a scripted Engine.
The limit is that of a small container, and the bodies are the longest that pass: each is
one text, once of ASCII and once with a letter for which all others take four bytes.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import pytest
import trio
import trio.testing

from tests.depth import IS_DEEP
from tests.fakes import (
    CHUNK_END,
    Arrival,
    Client,
    EngineConnection,
    FakeEngine,
    chunk,
    connect,
    is_served,
    request,
    response,
)
from tests.patience import PATIENCE
from tests.proxy.conftest import OPEN
from trioproxy.config import DEFAULT_MAX_BODY

MIB: Final = 1 << 20
MOST: Final = 96 * MIB
KEPT: Final = 16 * MIB
"""What may stay of it: Python's own pools, and modules that were loaded meanwhile."""

SAMPLES: Final = 0.01
PAGE: Final = os.sysconf("SC_PAGE_SIZE")

CREATE: Final = "/containers/create"
JSON: Final = "Content-Type: application/json"
LETTERS: Final = {"wide": "\N{GRINNING FACE}", **({"ascii": "x"} if IS_DEEP else {})}
"""The wide one takes more, and comes first."""


@cache
def longest(letter: str) -> bytes:
    """The longest body of a creation, but for its bind."""
    text = letter + "x" * (DEFAULT_MAX_BODY - 999)
    value = {"Env": [text], "HostConfig": {"Binds": ["BIND"]}}
    return json.dumps(value, ensure_ascii=False).encode()


def creation(bind: str, letter: str) -> bytes:
    """The longest body of a creation with such a bind."""
    before, after = longest(letter).rsplit(b"BIND", 1)
    body = b"%b%b%b" % (before, bind.encode(), after)
    assert DEFAULT_MAX_BODY - 999 < len(body) <= DEFAULT_MAX_BODY
    return request("POST", CREATE, JSON, body=body)


@dataclass(kw_only=True)
class Program:
    """The proxy as a program, and what it takes of memory."""

    pid: int
    listen: Path
    fake: FakeEngine
    peak: int = 0
    clients: list[Client] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    """Of the answers to a flood."""

    def resident(self) -> int:
        """Bytes of memory that it has now."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * PAGE

    async def sample(self) -> None:
        """Look for its peak until cancelled."""
        while True:
            self.peak = max(self.peak, self.resident())
            await trio.sleep(SAMPLES)

    async def connect(self) -> Client:
        """A new client."""
        self.clients.append(await connect(f"unix://{self.listen}"))
        return self.clients[-1]

    async def ask(self, raw: bytes) -> None:
        """Send a request as a client of its own, and count the answer, if one comes."""
        client = await self.connect()
        with suppress(trio.BrokenResourceError, OSError):
            await client.send(raw)
        self.statuses[(await client.read_response("POST")).status] += 1

    async def given_back(self, before: int) -> None:
        """Return as soon as it has no more than before, and a little."""
        while True:
            await trio.sleep(SAMPLES)
            if self.resident() <= before + KEPT:
                return


@pytest.fixture
async def program(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Program]:
    """Limits the binds of creations, before an Engine that the test plays."""
    limits = {"CREATE_BINDS": "/srv/app", "CREATE_OPTIONS": "*"}
    async with started(tmp_path, nursery, {**OPEN, **limits}) as program:
        yield program


@asynccontextmanager
async def started(
    tmp_path: Path, nursery: trio.Nursery, variables: Mapping[str, str]
) -> AsyncIterator[Program]:
    """A proxy with these variables, before an Engine that the test plays."""
    fake, listen = FakeEngine(path=tmp_path / "engine.sock"), tmp_path / "proxy.sock"
    fake.listen()
    environ = {**variables, "LISTEN": f"unix://{listen}", "SOCKET_PATH": str(fake.path)}
    environ |= {name: os.environ[name] for name in ("PATH", "HOME")}
    with (tmp_path / "log").open("wb") as log:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "trioproxy", "enforce"],
            env=environ,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        with trio.fail_after(PATIENCE):
            while not is_served(listen):
                await trio.testing.wait_all_tasks_blocked(SAMPLES)
        program = Program(pid=process.pid, listen=listen, fake=fake)
        with trio.fail_after(2 * PATIENCE):
            yield program
    finally:
        nursery.cancel_scope.cancel()
        for client in program.clients:
            client.close()
        fake.die()
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


Script = Callable[[EngineConnection], Awaitable[None]]
PIECE: Final = chunk(b"tar" * 1000)
BUILT: Final = response(body=b"built")


async def take_upload(engine: EngineConnection) -> None:
    """Read an upload to its end, and answer it."""
    await engine.read_until(CHUNK_END)
    await engine.send(BUILT)


async def upload(program: Program, over: trio.Event) -> None:
    """Send a build until the flood is over: all of it arrives, and its answer comes."""
    client, sent = await program.connect(), bytearray()
    await client.send(
        request("POST", "/build?dockerfile=D", "Transfer-Encoding: chunked")
    )
    while not over.is_set():
        sent += PIECE
        await client.send(PIECE)
        await trio.sleep(SAMPLES)
    await client.send(CHUNK_END)
    assert (await client.read_response("POST")).body == b"built"
    assert any(
        one.received.endswith(bytes(sent) + CHUNK_END)
        for one in program.fake.connections
    )


async def answer_questions(engine: EngineConnection) -> None:
    """Play an Engine that says what there is, and answers nothing that does something."""
    with suppress(AssertionError, OSError):
        while True:
            head = await engine.read_head()
            if head.startswith(b"POST /build"):
                await take_upload(engine)
                return
            if not head.startswith(b"GET /"):
                await engine.count_rest()
                return
            if head.startswith(b"GET /volumes?"):  # which are in use
                await engine.send(response(body=b'{"Volumes":[]}'))
            else:
                none = b'{"message":"no such volume"}'
                await engine.send(response("404 Not Found", body=none))


async def reads_nothing(engine: EngineConnection) -> None:
    """Play an Engine that is too busy to read what it is sent, but for its version."""
    try:
        head = await engine.read_head()
    except AssertionError:
        return
    if head.startswith(b"GET /"):
        await engine.send(response("404 Not Found"))
    elif head.startswith(b"POST /build"):
        await take_upload(engine)
    else:
        await trio.sleep_forever()


@dataclass(frozen=True, kw_only=True)
class Flood:
    """Creations that come at once, and what the Engine does with them."""

    count: int
    bind: str
    engine: Script
    statuses: frozenset[int]
    """Of the answers that come at once; who gets none waits."""
    is_answered: bool = False
    """Whether each is answered at once."""


FLOODS: Final = {
    "refused": Flood(
        count=100,
        bind="/etc/{}:/e",
        engine=answer_questions,
        statuses=frozenset({403, 503}),
        is_answered=True,
    ),
    "wait-for-a-name": Flood(
        count=60,
        bind="v:/v{}",
        engine=answer_questions,
        statuses=frozenset({503}),
    ),
    "slow-engine": Flood(
        count=80,
        bind="/srv/app:/a{}",
        engine=answer_questions,
        statuses=frozenset({503}),
    ),
    "engine-that-reads-nothing": Flood(
        count=80,
        bind="/srv/app:/a{}",
        engine=reads_nothing,
        statuses=frozenset({503}),
    ),
}
SHOWN: Final = {
    name: one for name, one in FLOODS.items() if IS_DEEP or name in {"refused", "slow-engine"}
}  # fmt: skip
"""One that is answered and one that is not; all of them in a deep run."""


async def quiet(program: Program) -> None:
    """Return when neither memory nor answers have changed for a while."""
    seen: list[tuple[int, int]] = []
    while len(seen) < 100 or len(set(seen[-100:])) > 1:
        await trio.sleep(SAMPLES)
        seen.append((program.resident(), program.statuses.total()))


@pytest.mark.slow
@pytest.mark.deep
@pytest.mark.parametrize("letter", LETTERS.values(), ids=LETTERS)
@pytest.mark.parametrize("flood", SHOWN.values(), ids=SHOWN)
async def test_a_flood_of_bodies(
    program: Program, nursery: trio.Nursery, flood: Flood, letter: str
) -> None:
    """It takes 96 MiB at most, another client's upload goes on meanwhile, and all is given back."""
    nursery.start_soon(program.fake.serve, flood.engine)
    await program.ask(creation("/warm:/w", letter))
    await quiet(program)
    before = program.resident()
    program.statuses.clear()
    nursery.start_soon(program.sample)
    if flood.bind.startswith("v:"):
        small = b'{"HostConfig":{"Binds":["v:/v"]}}'
        await (await program.connect()).send(request("POST", CREATE, JSON, body=small))
    over = trio.Event()
    async with trio.open_nursery() as beside:
        beside.start_soon(upload, program, over)
        async with trio.open_nursery() as asking:
            for number in range(flood.count):
                raw = creation(flood.bind.format(number), letter)
                asking.start_soon(program.ask, raw)
            if not flood.is_answered:
                await quiet(program)
                asking.cancel_scope.cancel()
        over.set()
    assert set(program.statuses) <= flood.statuses
    assert program.peak - before <= MOST
    for client in program.clients:
        client.close()
    program.fake.die()  # what goes on without its client is over then as well
    with trio.fail_after(PATIENCE):
        await program.given_back(before)
    refused = program.statuses[403]
    await program.ask(creation("/etc:/e", letter))
    assert program.statuses[403] == refused + 1


GROWTH: Final = 64 * MIB
CONTAINERS: Final = 20_000


async def list_containers(engine: EngineConnection) -> None:
    """Play an Engine that lists 47 MB, and knows the one image of it."""
    image = "sha256:" + "c" * 64
    with suppress(AssertionError, OSError):
        while True:
            if b"/images/" in await engine.read_head():
                body = json.dumps({"Id": image, "Config": {"Labels": None}}).encode()
                await engine.send(response(body=body))
                continue
            await engine.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(CONTAINERS):
                labels = {"trioproxy.owner": "app"} if number % 2 else {}
                one = {
                    "Id": f"{number:064x}",
                    "Names": [f"/c{number}"],
                    "ImageID": image,
                    "Labels": {**labels, "text": "x" * 2_200},
                }
                comma = b"," if number else b"["
                await engine.send(chunk(comma + json.dumps(one).encode()))
            engine.journal.append(Arrival(name="all is sent", data=b""))
            await engine.send(chunk(b"]") + CHUNK_END)


@pytest.mark.slow
async def test_a_list_of_any_length(tmp_path: Path, nursery: trio.Nursery) -> None:
    """A list of 20,000 containers is judged in the memory of a few, and begun before it ends."""
    objects = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "app"}
    async with started(tmp_path, nursery, {**OPEN, **objects}) as program:
        nursery.start_soon(program.fake.serve, list_containers)
        before = program.peak = program.resident()
        nursery.start_soon(program.sample)
        client = await program.connect()
        await client.send(request("GET", "/containers/json?all=1", "Connection: close"))
        await client.read_until(b'"/c1"')
        assert "all is sent" not in {one.name for one in program.fake.journal}
        assert await client.count_rest() > CONTAINERS // 2 * 2_200
        assert program.peak - before < GROWTH
