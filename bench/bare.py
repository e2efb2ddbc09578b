"""The least that a Trio program can do: copy bytes both ways and decide nothing.

What trioproxy takes longer than this is its own; the rest is Trio's, Python's and the
kernel's. Usage: `python -m bench.bare PORT SOCKET`.
"""

import socket
import sys

import trio
from trio.lowlevel import wait_readable, wait_writable

READ = 256 * 1024
BACKLOG = 4096


async def _copy(source: socket.socket, sink: socket.socket) -> None:
    while True:
        await wait_readable(source)
        data = source.recv(READ)
        if not data:
            sink.shutdown(socket.SHUT_WR)
            return
        rest = memoryview(data)[sink.send(data) :]
        while rest:
            await wait_writable(sink)
            rest = rest[sink.send(rest) :]


async def _serve(client: socket.socket, path: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as upstream:
        upstream.connect(path)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        upstream.setblocking(False)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_copy, client, upstream)
                nursery.start_soon(_copy, upstream, client)
        except* OSError:
            # Either side left: a benchmark's clients do.
            pass
        trio.lowlevel.notify_closing(client)
        trio.lowlevel.notify_closing(upstream)


async def main(port: int, path: str) -> None:
    """Accept for ever."""
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            while True:
                await wait_readable(listener)
                client, _ = listener.accept()
                nursery.start_soon(_serve, client, path)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), sys.argv[2])
