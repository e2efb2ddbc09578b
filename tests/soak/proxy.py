"""The proxy of a soak: `trioproxy enforce` in all but its command line, and it can be asked.

Each line on stdin is answered on stdout with what it holds now, as JSON.
"""

import json
import os
import sys

import trio

from tests.fakes import open_descriptors, resident_bytes
from trioproxy.config import Config, Level, UnixAddress, parse_address
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server
from trioproxy.proxy.watch import AWAY_SECONDS

POLICY = dict.fromkeys(
    ("CONTAINERS", "EXEC", "EVENTS", "IMAGES", "PING", "VERSION", "INFO", "POST"), "1"
)
"""All that the clients of a soak do, but for what they do to be refused."""


def held(server: Server) -> bytes:
    """What the proxy holds now, as a line of JSON."""
    figures = {
        "connections": len(server.connections),
        "tasks": trio.lowlevel.current_statistics().tasks_living,
        "descriptors": open_descriptors(),
        "rss": resident_bytes(),
    }
    return json.dumps(figures).encode() + b"\n"


async def answer(server: Server) -> None:
    """Say what the proxy holds, whenever somebody asks, until stdin ends."""
    asked = trio.lowlevel.FdStream(os.dup(0))
    async with asked:
        async for _ in asked:
            os.write(1, held(server))


async def main(upstream: str, listen: list[str], log_file: str) -> None:
    """Serve until stdin ends."""
    config = Config(
        listen=tuple(parse_address(url) for url in listen),
        upstream=UnixAddress(path=upstream),
    )
    descriptor = os.open(log_file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    server = Server(
        config=config,
        gates={"": Gate.enforcing(parse_policy(POLICY)[0])},
        log=Log(Level.INFO, descriptor),
        away=AWAY_SECONDS,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        os.write(1, json.dumps(server.addresses).encode() + b"\n")
        await answer(server)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[3:], sys.argv[2])
