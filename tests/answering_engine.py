"""A fake Engine that answers by itself, for tests of whole programs."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from tests.fakes import EngineConnection, FakeEngine, response

MARK = "Api-Version: 1.45"
"""What the Engine's own answers carry, and its router's "page not found" does not."""


async def answer(connection: EngineConnection) -> None:
    """Answer as the Engine does, until the other side ends or is killed.

    It has no route with `nowhere` in its name and nothing that is called `missing`;
    a stream of events goes on until the client leaves. `status-409` anywhere in the
    target is answered with that status.
    """
    with suppress(ConnectionError):
        while await connection.has_more():
            asked = await connection.read_request()
            if b"/nowhere" in asked.line:
                await connection.send(response("404 Not Found"))
            elif b"/missing" in asked.line:
                await connection.send(response("404 Not Found", MARK))
            elif found := re.search(rb"status-([0-9]{3})", asked.line):
                await connection.send(response(f"{found[1].decode()} Said", MARK))
            elif b"/events" in asked.line:
                await connection.send(response("200 OK", MARK, "Connection: close"))
                await connection.has_more()
            else:
                await connection.send(response("200 OK", MARK, body=b"OK"))
            if asked.all("connection") == [b"close"]:
                break
    connection.close()


@asynccontextmanager
async def answering_engine(path: Path) -> AsyncIterator[FakeEngine]:
    """Run such an Engine on a Unix socket."""
    fake = FakeEngine(path=path)
    fake.listen()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fake.serve, answer)
        yield fake
        fake.die()
        nursery.cancel_scope.cancel()
