"""Every way around a filter that we know of, tried on the proxy (tests/data/evasions.tsv).

The judges are a strict reading of what arrives upstream and the Engine's own answers, never
the parsers of the proxy.
"""

import json
import re
from pathlib import Path

import pytest
import trio

from tests.depth import by_depth
from tests.engine import Engine
from tests.fakes import EngineConnection, FakeEngine, Message, response
from tests.patience import PATIENCE
from tests.proxy.evasions import ROWS, Row
from tests.proxy.raw_exchange import exchange, facts, proxy_before
from tests.strict import Read, Unclear, read_requests

UNPRIVILEGED = {
    "ALLOW_OPERATIONS": "SystemPing,ContainerList,ImageInspect,ContainerWait"
}

# The same in terms of the wire. No version of ours, no template: written by hand.
NAME = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+"
GRANTED = re.compile(
    rf"(?:(?:GET|HEAD) (?:/v1\.\d+)?(?:/_ping|/containers/json|/images/{NAME}/json)"
    rf"|POST (?:/v1\.\d+)?/containers/{NAME}/wait)(?:\?[!\"$-~]*)?"
)
# None of the paths that the Engine would read in another way than they are written.
UNCLEAN = re.compile(r"//|/\.\.?(?:/|$)|/$|%2F|%2E|%[01]|%7F|%[46]1")

# A key by which an answer of the Engine is known.
SERVED = {
    "SystemTime": "SystemInfo",
    "Names": "ContainerList",
    "RootFS": "ImageInspect",
    "RepoTags": "ImageList",
    "memstats": "DebugVars",
    "IPAM": "NetworkList",
}

ROUNDS = ("judged", "judged and kept", "remembered")
"""What becomes of a request that comes again and again."""

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


async def answer_whole_requests(connection: EngineConnection) -> None:
    """Play the Engine: one answer for each request, as the strict reading counts them."""
    answered = 0
    while await connection.has_more():
        connection.take()
        for read in whole_requests(bytes(connection.received))[answered:]:
            answered += 1
            body = b"" if read.method == b"HEAD" else b"served"
            await connection.send(response(body=body))
    connection.close()


def whole_requests(data: bytes) -> list[Read]:
    try:
        return [read for read in read_requests(data) if read.is_whole]
    except Unclear:
        return []  # a head that came in part; at the end it is judged


def test_every_row_is_told_apart() -> None:
    """Rows have names of their own, and there are not suddenly fewer of them."""
    assert len({row.name for row in ROWS}) == len(ROWS) > 200


@every_row
@pytest.mark.parametrize(
    "pieces",
    [1, pytest.param(500, marks=pytest.mark.deep)],
    ids=["whole", "in pieces"],
)
async def test_only_what_is_granted_arrives(
    row: Row, pieces: int, fake: FakeEngine, nursery: trio.Nursery, tmp_path: Path
) -> None:
    """Nothing reaches the Engine's socket but granted routes, each in one clear reading."""
    nursery.start_soon(fake.serve, answer_whole_requests)
    rounds = ROUNDS[: by_depth(1, 3)] if pieces > 1 else ROUNDS
    expected = [200 if answer == "=" else int(answer) for answer in row.answer]
    async with proxy_before(fake.path, UNPRIVILEGED, tmp_path) as url:
        for _ in rounds:
            answers = await exchange(url, row.request, len(expected), pieces=pieces)
            assert [answer.status for answer in answers] == expected
    arrived = [
        read
        for connection in fake.connections
        for read in read_requests(bytes(connection.received))
    ]
    for read in arrived:
        assert GRANTED.fullmatch(read.line)
        assert not UNCLEAN.search(read.line.partition("?")[0])
        assert read.is_whole or pieces > 1
    whole = [read.line for read in arrived if read.is_whole]
    assert whole == [*row.arrives] * len(rounds)
    nursery.cancel_scope.cancel()


def served(answer: Message) -> str:
    """Status and, where the answer shows it, the operation that was served."""
    if answer.status != 200 or not answer.body:
        return str(answer.status)
    if answer.body == b"OK":
        return "200 SystemPing"
    value = json.loads(answer.body)
    first = value if isinstance(value, dict) else [*value, {"Names": []}][0]
    (name, *_) = [name for key, name in SERVED.items() if key in first]
    return f"200 {name}"


@pytest.mark.engine
@every_row
async def test_the_engine_serves_only_what_is_granted(
    row: Row, engine: Engine, tmp_path: Path
) -> None:
    """The Engine reads each row as the table says, and we let through what it says."""
    # Other Engines read some rows in another way: older ones take a bare LF, later ones
    # speak HTTP/2 or drop old versions.
    is_known = engine.versions["Version"].startswith("26.")
    with trio.fail_after(PATIENCE):
        direct = await exchange(
            engine.url, row.request, len(row.engine), more=not is_known
        )
        async with proxy_before(engine.socket, UNPRIVILEGED, tmp_path) as url:
            answers = await exchange(url, row.request, len(row.answer))
    if is_known:
        assert tuple(map(served, direct)) == row.engine
    for place, answer in enumerate(answers):
        if row.answer[place] == "=":
            assert facts(answer) == facts(direct[place])
        else:
            assert answer.status == int(row.answer[place])
            assert answer.one("server") == b"trioproxy"
