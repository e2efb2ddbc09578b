"""The least that a program can do: copy bytes both ways and decide nothing.

By Trio, a task each way; or by threads, a blocking one for each connection, which copies
a request, then its answer. What trioproxy takes longer than these is its own; the rest is
Trio's, Python's and the kernel's. Usage: `python -m bench.bare trio|threads PORT SOCKET`.
"""

import socket
import sys
import threading
from contextlib import suppress

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


def _take_turns(client: socket.socket, path: str) -> None:
    """Copy a request and its answer, again and again; both must fit in one read."""
    with client, socket.socket(socket.AF_UNIX) as upstream, suppress(OSError):
        upstream.connect(path)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := client.recv(READ):
            upstream.sendall(data)
            client.sendall(upstream.recv(READ))


def by_threads(port: int, path: str) -> None:
    """Accept for ever."""
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as listener:
        while True:
            client, _ = listener.accept()
            arguments = client, path
            threading.Thread(target=_take_turns, args=arguments, daemon=True).start()


async def by_trio(port: int, path: str) -> None:
    """Accept for ever."""
    with socket.create_server(("127.0.0.1", port), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        async with trio.open_nursery() as nursery:
            while True:
                await wait_readable(listener)
                client, _ = listener.accept()
                nursery.start_soon(_serve, client, path)


if __name__ == "__main__":
    if sys.argv[1] == "trio":
        trio.run(by_trio, int(sys.argv[2]), sys.argv[3])
    else:
        by_threads(int(sys.argv[2]), sys.argv[3])
