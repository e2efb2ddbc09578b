"""The clients of a soak. Each function is one session of one kind, and says how it ended."""

import io
import random
import struct
import tarfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

import h11
import trio

from tests.fakes import Client, EndOfData, Message, connect, request
from tests.soak.account import Account, Outcome

BOX = "soak"
"""The container that all clients use; it comes back with the Engine."""

JSON = "Content-Type: application/json"
UPGRADE = ("Connection: Upgrade", "Upgrade: tcp")
LOST = (OSError, EndOfData, h11.RemoteProtocolError, trio.ClosedResourceError)


class Wrong(Exception):
    """The client saw what no outage excuses."""


class Told(Exception):
    """The proxy answered for an Engine that is away."""


@dataclass(kw_only=True)
class Place:
    """Where clients find the proxy, and what they share."""

    addresses: list[str]
    environ: dict[str, str]
    account: Account
    random: random.Random
    numbers: "count[int]" = field(default_factory=count)

    async def connect(self) -> Client:
        """A client on one of the listeners."""
        return await connect(self.random.choice(self.addresses))

    def payload(self, most: int) -> bytes:
        """Random bytes, of a random length."""
        return self.random.randbytes(self.random.randrange(most))

    def leave(self, client: Client) -> Outcome:
        """Go away in one of the ways in which clients do."""
        self.random.choice([Client.close, Client.reset])(client)
        return Outcome.LEFT


async def answer(client: Client, method: str = "GET") -> Message:
    """An answer of the Engine; raises `Told` for one of ours that says it is away."""
    message = await client.read_response(method)
    if message.all("server") == [b"trioproxy"] and message.status >= 500:
        raise Told(message.body.decode())
    return message


async def poll(client: Client, place: Place) -> Outcome:
    """Ask the same again and again over one connection, sometimes ahead of the answers."""
    for _ in range(place.random.randrange(1, 20)):
        ahead = place.random.choice([1, 1, 3])
        await client.send(request(target="/containers/json") * ahead)
        for _ in range(ahead):
            if (await answer(client)).status != 200:
                raise Wrong("no 200 for a list")
    return Outcome.DONE


async def probe(client: Client, place: Place) -> Outcome:
    """Ask for what is not there, once, by a path of its own."""
    path = f"/containers/none-{next(place.numbers)}/json"
    await client.ask(target=path)
    if (await answer(client)).status != 404:
        raise Wrong(f"no 404 for {path}")
    place.account.probes.add(path)
    return Outcome.DONE


async def events(client: Client, place: Place) -> Outcome:
    """Follow the events for a while."""
    await client.ask(target="/events")
    head = await client.read_head()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise Told(head.decode())
    with trio.move_on_after(place.random.uniform(0, 20)):
        while await client.fill():
            client.take()
        return Outcome.CUT
    return place.leave(client)


async def logs(client: Client, place: Place) -> Outcome:
    """Follow the log of the container, which says a line every second."""
    await client.ask(target=f"/containers/{BOX}/logs?follow=1&stdout=1&tail=1")
    head = await client.read_head()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise Told(head.decode())
    with trio.move_on_after(place.random.uniform(0, 10)):
        while await client.fill():
            client.take()
        return Outcome.CUT  # the container goes with its Engine only
    return place.leave(client)


async def echo(client: Client, place: Place) -> Outcome:
    """`docker exec -i soak cat`: what goes in comes out, to the last byte."""
    body = b'{"AttachStdin":true,"AttachStdout":true,"Cmd":["cat"]}'
    await client.ask("POST", f"/containers/{BOX}/exec", JSON, body=body)
    made = await answer(client, "POST")
    if made.status != 201:
        return Outcome.TOLD  # the container is not back yet
    name = made.body.split(b'"')[3].decode()
    upgrade = UPGRADE if place.random.random() < 0.7 else ()
    await client.ask("POST", f"/exec/{name}/start", *upgrade, JSON, body=b"{}")
    if b" 404 " in (head := await client.read_head()) or b" 50" in head:
        return Outcome.TOLD
    sent = place.payload(3_000_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send_and_end, client, sent)
        heard = await _read_frames(client)
        nursery.cancel_scope.cancel()
    if heard != sent:
        return Outcome.CUT
    place.account.bytes_moved += 2 * len(sent)
    return Outcome.DONE


async def _send_and_end(client: Client, data: bytes) -> None:
    with suppress(OSError):  # reading will say so
        await client.send(data)
        client.half_close()


async def _read_frames(client: Client) -> bytes:
    """The payloads of a multiplexed stream, up to its end or its loss."""
    heard = b""
    with suppress(*LOST):
        while client.has_unread() or await client.fill():
            _, length = struct.unpack(">BxxxL", await client.read(8))
            heard += await client.read(length)
    return heard


async def attach(client: Client, place: Place) -> Outcome:
    """Attach, and go away without a word."""
    await client.ask("POST", f"/containers/{BOX}/attach?stream=1&stdout=1", *UPGRADE)
    await client.read_head()
    await trio.sleep(place.random.uniform(0, 3))
    return place.leave(client)


async def upload(client: Client, place: Place) -> Outcome:
    """Put an archive into the container, and sometimes break off in the middle."""
    archive = io.BytesIO()
    content = place.payload(5_000_000)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        info = tarfile.TarInfo("upload")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    body = archive.getvalue()
    target = f"/containers/{BOX}/archive?path=/tmp"
    await client.ask("PUT", target, f"Content-Length: {len(body)}")
    if place.random.random() < 0.3:
        await client.send(body[: place.random.randrange(len(body))])
        return place.leave(client)
    await client.send(body)
    if (await answer(client, "PUT")).status == 200:
        place.account.bytes_moved += len(body)
        return Outcome.DONE
    return Outcome.TOLD


async def download(client: Client, place: Place) -> Outcome:
    """Get busybox out of the container, slowly now and then, or break off."""
    await client.ask(target=f"/containers/{BOX}/archive?path=/bin/busybox")
    if place.random.random() < 0.3:
        await client.fill(place.random.randrange(1, 65536))
        return place.leave(client)
    if place.random.random() < 0.2:
        await trio.sleep(1)
    message = await answer(client)
    if message.status != 200:
        return Outcome.TOLD
    with tarfile.open(fileobj=io.BytesIO(message.body)) as tar:
        if tar.getmember("busybox").size < 1_000_000:
            raise Wrong("a short archive")
    place.account.bytes_moved += len(message.body)
    return Outcome.DONE


async def refused(client: Client, place: Place) -> Outcome:
    """Ask for what the policy does not give, and then for what it does."""
    body = place.payload(200_000) if place.random.random() < 0.5 else b""
    await client.ask("POST", "/volumes/create", JSON, body=body)
    if (await client.read_response("POST")).status != 403:
        raise Wrong("no 403")
    if not body:
        await client.ask()
        await answer(client)
    return Outcome.REFUSED


async def garbage(client: Client, place: Place) -> Outcome:
    """Say what is no request."""
    await client.send(b"\x16\x03" + place.payload(2000) + b"\r\n\r\n")
    if (await client.read_response()).status != 400:
        raise Wrong("no 400")
    return Outcome.REFUSED


async def idle(client: Client, place: Place) -> Outcome:
    """Connect, say half a head or nothing, and go."""
    await client.send(request()[: place.random.randrange(20)])
    await trio.sleep(place.random.uniform(0, 5))
    return place.leave(client)


async def cli(client: Client, place: Place) -> Outcome:
    """The docker CLI itself: `docker exec -i soak cat`."""
    client.close()
    sent = place.payload(1_000_000)
    host = place.random.choice(place.addresses)
    ran = await trio.run_process(
        ["docker", "exec", "-i", BOX, "cat"],
        stdin=sent,
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        env=place.environ | {"DOCKER_HOST": host},
    )
    if ran.returncode == 0 and ran.stdout == sent:
        place.account.bytes_moved += 2 * len(sent)
        return Outcome.DONE
    return Outcome.CUT


Play = Callable[[Client, Place], Awaitable[Outcome]]
KINDS: dict[Play, int] = {
    poll: 20,
    probe: 20,
    events: 6,
    logs: 6,
    echo: 10,
    attach: 5,
    upload: 5,
    download: 5,
    refused: 5,
    garbage: 3,
    idle: 5,
    cli: 2,
}
"""Every kind, with its weight."""


async def play(kind: Play, place: Place) -> None:
    """One session: play it, close it, enter it."""
    began = trio.current_time()
    client: Client | None = None
    why = ""
    try:
        client = await place.connect()
        outcome = await kind(client, place)
    except LOST as error:
        outcome, why = Outcome.CUT, repr(error)
    except Told as error:
        outcome, why = Outcome.TOLD, str(error)
    except Wrong as error:
        outcome, why = Outcome.WRONG, str(error)
    finally:
        if client is not None:
            client.close()
    place.account.settle(kind.__name__, outcome, began=began, why=why)


async def keep_playing(place: Place) -> None:
    """Play sessions of random kinds, one after the other, for ever."""
    kinds, weights = list(KINDS), list(KINDS.values())
    while True:
        (kind,) = place.random.choices(kinds, weights)
        await play(kind, place)
