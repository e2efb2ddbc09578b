"""A proxy of a given policy before a given socket, and one exchange with raw bytes."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import trio

from tests.fakes import Client, Message, connect, settle
from trioproxy.config import Config, Level, TcpAddress, UnixAddress
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Policy
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

CHANGING = frozenset({b"date", b"connection"})
"""Headers that differ from one answer to the next, or from one hop to the next."""


@cache
def _read(policy: frozenset[tuple[str, str]]) -> Policy:
    """Read a policy once: hundreds of proxies have the same one."""
    return parse_policy(dict(policy))[0]


@asynccontextmanager
async def proxy_before(
    upstream: Path, policy: Mapping[str, str], folder: Path
) -> AsyncIterator[str]:
    """A proxy while the block runs; gives the URL of its listener.

    It listens on loopback, where all is checked that is checked anywhere.
    """
    address = TcpAddress(host="127.0.0.1", port=0)
    log_file = os.open(folder / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    server = Server(
        config=Config(listen=(address,), upstream=UnixAddress(path=str(upstream))),
        gates={"": Gate.enforcing(_read(frozenset(policy.items())))},
        log=Log(Level.INFO, log_file),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server.addresses[0]
        nursery.cancel_scope.cancel()
    os.close(log_file)


async def exchange(
    url: str, request: bytes, count: int = 1, *, pieces: int = 1, more: bool = False
) -> list[Message]:
    """Send bytes, whole or in pieces; read so many answers, and then the end.

    `more`: what comes behind the answers is nobody's fault.
    """
    client = await connect(url)
    try:
        await _send(client, request, pieces)
        method = "HEAD" if request.startswith(b"HEAD ") else "GET"
        answers = [await client.read_response(method) for _ in range(count)]
        rest = await _rest_of(client)
        # Who waits for the rest of a request may well complain about its end.
        assert more or not (count and rest)
    finally:
        client.close()
    return answers


async def _send(client: Client, request: bytes, pieces: int) -> None:
    step = -(-len(request) // pieces)
    try:
        for start in range(0, len(request), step):
            await client.send(request[start : start + step])
            if pieces > 1:
                await settle()
    except OSError:
        return  # whoever refuses early need not wait for the rest


async def _rest_of(client: Client) -> bytes:
    """What comes until the end, now that the client has no more to say."""
    try:
        client.half_close()
        return await client.read_rest()
    except OSError:
        return client.take()  # closed on us, with bytes of ours unread


def facts(answer: Message) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """What of an answer must not depend on the way that it came."""
    return answer.status, lasting_headers(answer.head.headers), answer.body


def lasting_headers(
    headers: Iterable[tuple[bytes, bytes]],
) -> list[tuple[bytes, bytes]]:
    """Headers without those that change anyway."""
    return [(name, value) for name, value in headers if name not in CHANGING]
