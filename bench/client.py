"""The benchmark's own client, for what wrk cannot do: transfers, tunnels, streams.

A program of its own, one task a run: it prints one line of JSON and nothing else. Times
run from just before the request is sent to the last byte of the answer.
"""

import json
import resource
import socket
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from bench.wire import BLOCK, CHUNKED_BLOCK, CHUNKED_END, Sink, send_bulk

DEADLINE = 120.0


def connect(port: int) -> socket.socket:
    """A connection to whoever is measured."""
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)


def blocking(sock: socket.socket) -> None:
    """Let the kernel keep the deadline: a Python timeout costs a poll for each call."""
    wait = DEADLINE.__trunc__().to_bytes(8, sys.byteorder) + bytes(8)
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)


def request(method: str, target: str, *fields: str) -> bytes:
    """A request head as a client of the Engine writes it."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: localhost",
        "User-Agent: bench/1",
        *fields,
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def read_head(sock: socket.socket, status: int) -> bytes:
    """Read the response's head, insist on its status, return what came behind it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise SystemExit(f"the answer ended inside its head: {data!r}")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    if head.split(b" ")[1] != b"%d" % status:
        raise SystemExit(f"expected status {status}, got {data[:300]!r}")
    return rest


def insist(whole: bool, what: str) -> None:
    """A figure of a broken transfer is worth nothing: end instead."""
    if not whole:
        raise SystemExit(f"{what} is incomplete")


def download(port: int, size: int, *, sized: bool) -> None:
    """One body down."""
    with connect(port) as sock:
        blocking(sock)
        sock.sendall(
            request("GET", f"/containers/a/export?size={size}&sized={int(sized)}")
        )
        sink = Sink(sock, read_head(sock, 200))
        whole = sink.read_sized(size) if sized else sink.read_chunked()
        insist(whole and sink.count >= size, "the download")


def upload(port: int, size: int, *, sized: bool) -> None:
    """One body up; the stand-in answers with what it counted."""
    framing = f"Content-Length: {size}" if sized else "Transfer-Encoding: chunked"
    with connect(port) as sock:
        blocking(sock)
        sock.sendall(
            request("POST", "/images/load", "Content-Type: application/x-tar", framing)
        )
        if sized:
            send_bulk(sock, BLOCK, size // len(BLOCK))
        else:
            send_bulk(sock, CHUNKED_BLOCK, size // len(BLOCK), CHUNKED_END)
        answer = read_head(sock, 200) or sock.recv(4096)
        counted = json.loads(answer)["bytes"]
        insist(size <= counted <= size * 1.02, "the upload")


def tunnel(port: int, size: int, *, down: bool) -> None:
    """Bytes one way through a hijacked connection, ended by a half-close."""
    target = (
        f"/containers/a/attach?stream=1&stdin=1&stdout=1&size={size if down else 0}"
    )
    upgrade = ("Connection: Upgrade", "Upgrade: tcp", "Content-Length: 0")
    with connect(port) as sock:
        blocking(sock)
        sock.sendall(request("POST", target, *upgrade))
        early = read_head(sock, 101)
        if down:
            sink = Sink(sock, early)
            sink.read_all()
            insist(sink.count == size, "the tunnel's output")
        else:
            send_bulk(sock, BLOCK, size // len(BLOCK))
            sock.shutdown(socket.SHUT_WR)
            insist(int(sock.recv(100)) == size, "the tunnel's input")


def open_stream(port: int) -> socket.socket:
    """Ask for events."""
    sock = connect(port)
    sock.sendall(request("GET", "/events"))
    return sock


def read_event(sock: socket.socket) -> None:
    """Wait until the first event is whole."""
    data = read_head(sock, 200)
    while b"}\n" not in data:
        more = sock.recv(4096)
        insist(bool(more), "an event stream")
        data += more


def open_idle(port: int) -> socket.socket:
    """Ask for a ping, and for no more."""
    sock = connect(port)
    sock.sendall(request("GET", "/_ping"))
    return sock


def open_tunnel(port: int) -> socket.socket:
    """Ask for a tunnel in which nothing moves."""
    sock = connect(port)
    upgrade = ("Connection: Upgrade", "Upgrade: tcp", "Content-Length: 0")
    sock.sendall(request("POST", "/containers/held/attach?stream=1", *upgrade))
    return sock


HELD: dict[str, tuple[Callable[[int], socket.socket], Callable[..., object]]] = {
    "hold-streams": (open_stream, read_event),
    "hold-idle": (open_idle, partial(read_head, status=200)),
    "hold-tunnels": (open_tunnel, partial(read_head, status=101)),
}
"""What can be kept open in thousands: how it is asked for, and how it is known to be there."""


def hold(kind: str, port: int, count: int) -> None:
    """Keep connections open until standard input ends. They are opened some hundred at a time:
    one after the other would take too long, HAProxy holds a first event back for 200 ms."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ask, wait = HELD[kind]
    held: list[socket.socket] = []
    while len(held) < count:
        batch = [ask(port) for _ in range(min(count - len(held), 500))]
        for sock in batch:
            wait(sock)
        held += batch
    print(json.dumps({"open": len(held)}), flush=True)
    sys.stdin.read()


def first_events(port: int, times: int) -> None:
    """How long a client waits for the event that the Engine wrote at once."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        with open_stream(port) as sock:
            read_event(sock)
        taken.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(taken)}), flush=True)


def poll_until_stopped(port: int, _amount: int) -> None:
    """Ask for a ping over and over on one connection."""
    asked = request("GET", "/_ping")
    with connect(port) as sock:
        blocking(sock)
        print(json.dumps({"started": 1}), flush=True)
        while True:
            sock.sendall(asked)
            read_head(sock, 200)


def late_bodies(port: int, times: int) -> None:
    """How long a request takes whose body follows its head by a millisecond."""
    head = request("POST", "/images/load", "Content-Length: 2")
    with connect(port) as sock:
        blocking(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print_quantiles(times, lambda: _late_body(sock, head))


def _late_body(sock: socket.socket, head: bytes) -> float:
    sock.sendall(head)
    time.sleep(0.001)
    begun = time.perf_counter()
    sock.sendall(b"{}")
    read_head(sock, 200)
    return time.perf_counter() - begun


def fresh_connections(port: int, times: int) -> None:
    """How long a request takes for which both sides open a connection."""
    print_quantiles(times, lambda: _fresh_connection(port))


def _fresh_connection(port: int) -> float:
    begun = time.perf_counter()
    with connect(port) as sock:
        sock.sendall(request("GET", "/_ping"))
        read_head(sock, 200)
    return time.perf_counter() - begun


def print_quantiles(times: int, measure: Callable[[], float]) -> None:
    """Measure so often; print the median and the 99th percentile, in ms."""
    taken = sorted(measure() * 1000 for _ in range(times))
    figures = {"p50": statistics.median(taken), "p99": taken[len(taken) * 99 // 100]}
    print(json.dumps(figures), flush=True)


def download_until_stopped(port: int, size: int) -> None:
    """Download over and over: the busy neighbour of a polling client."""
    print(json.dumps({"started": 1}), flush=True)
    while True:
        download(port, size, sized=True)


TRANSFERS: dict[str, Callable[[int, int], None]] = {
    "download-sized": lambda port, size: download(port, size, sized=True),
    "download-chunked": lambda port, size: download(port, size, sized=False),
    "upload-sized": lambda port, size: upload(port, size, sized=True),
    "upload-chunked": lambda port, size: upload(port, size, sized=False),
    "tunnel-down": lambda port, size: tunnel(port, size, down=True),
    "tunnel-up": lambda port, size: tunnel(port, size, down=False),
}
"""What can be timed, by the name of its scenario."""

OTHERS: dict[str, Callable[[int, int], None]] = {
    **{kind: partial(hold, kind) for kind in HELD},
    "busy": download_until_stopped,
    "first-events": first_events,
    "poll": poll_until_stopped,
    "late-bodies": late_bodies,
    "fresh-connections": fresh_connections,
}
"""What prints its own figures, or lasts until the benchmark ends it."""


def main(task: str, port: int, amount: int) -> None:
    """Do one task; time it if it is a transfer."""
    if task in OTHERS:
        OTHERS[task](port, amount)
        return
    start = time.perf_counter()
    TRANSFERS[task](port, amount)
    print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
