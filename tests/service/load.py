"""Clients of different kinds that ask without a pause, and note each answer that is missing."""

import json
import socket
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass, field

import h11
import trio

from tests.fakes import Client, EndOfData, EngineConnection, request, response
from tests.patience import PATIENCE

POLICY = "ALLOW_OPERATIONS=ContainerList,ImageList,SystemPing,VolumeCreate"
SLOW = 0.2
"""Seconds that the Engine takes for what is slow."""
BODY = json.dumps({"Name": "x" * 1000}).encode()
KINDS = 4
"""Of requests: each on a connection of its own, many on one, slow ones, and with a body."""
PIECES = 20
"""In which it comes."""


async def answer(connection: EngineConnection) -> None:
    """Play the Engine: what lists images is slow, all else is answered at once."""
    # At the end of a test clients leave in the middle of what they say.
    with suppress(h11.RemoteProtocolError, ConnectionError):
        while await connection.has_more():
            asked = await connection.read_request()
            if b"/images/json" in asked.line:
                await trio.sleep(SLOW)
            await connection.send(response(body=b"{}"))
    connection.close()


@dataclass(kw_only=True)
class Load:
    """What asks at an address."""

    address: str
    answered: Counter[str] = field(default_factory=Counter)
    _one_more: trio.Event = field(default_factory=trio.Event)

    async def run(self) -> None:
        """Ask for ever. Raises where a connection is refused, or a request has no answer."""
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(self._anew)
            nursery.start_soon(self._keeping)
            nursery.start_soon(self._slow)
            nursery.start_soon(self._with_body)

    async def until(self, each: int) -> None:
        """Wait until each kind has had so many answers."""
        with trio.fail_after(PATIENCE):
            while len(self.answered) < KINDS or min(self.answered.values()) < each:
                self._one_more = trio.Event()
                await self._one_more.wait()

    def _asking(self, method: str, target: str, *fields: str) -> Client:
        """Who asks as it comes: whoever says nothing for a moment is let go by one that ends."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.address.removeprefix("unix://"))
        sock.send(request(method, target, *fields))
        return Client(trio.socket.from_stdlib_socket(sock), "client")

    async def _read(self, client: Client, kind: str) -> bool:
        """Read an answer; whether the connection is for another request."""
        with trio.fail_after(PATIENCE):
            answer = await client.read_response()
        assert answer.status == 200, answer
        self.answered[kind] += 1
        self._one_more.set()
        return b"close" not in b"".join(answer.all("connection")).lower()

    async def _anew(self) -> None:
        while True:
            with closing(self._asking("GET", "/containers/json")) as client:
                await self._read(client, "anew")

    async def _keeping(self) -> None:
        while True:
            with closing(self._asking("GET", "/containers/json")) as client:
                goes_on = await self._read(client, "keeping")
                # A connection that was kept may end while it is idle, and then no byte of an
                # answer comes: as every client of HTTP does, it asks on another one.
                with suppress(EndOfData):
                    while goes_on:
                        goes_on = await self._keep_asking(client)

    async def _keep_asking(self, client: Client) -> bool:
        before = len(client.received)
        try:
            await client.ask("GET", "/containers/json")
            return await self._read(client, "keeping")
        except (ConnectionError, h11.RemoteProtocolError) as error:
            assert len(client.received) == before, "an answer was cut"
            raise EndOfData(str(error)) from error

    async def _slow(self) -> None:
        while True:
            with closing(self._asking("GET", "/images/json")) as client:
                await self._read(client, "slow")

    async def _with_body(self) -> None:
        size = len(BODY) // PIECES + 1
        fields = ("Content-Type: application/json", f"Content-Length: {len(BODY)}")
        while True:
            with closing(self._asking("POST", "/volumes/create", *fields)) as client:
                for at in range(0, len(BODY), size):
                    await client.send(BODY[at : at + size])
                    await trio.sleep(SLOW / PIECES)
                await self._read(client, "with a body")
