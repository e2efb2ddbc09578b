"""A stand-in Engine for bytes: downloads, uploads, tunnels and event streams.

Started by the benchmark as a program of its own, so that it shares no interpreter with
what is measured. It knows no more of HTTP than the benchmark's own client and the
proxies between them need. What moves in bulk gets a thread with blocking calls and
large buffers; everything else - thousands of silent event streams - waits in one
selector.
"""

import re
import selectors
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass

from bench.wire import (
    BLOCK,
    CHUNKED_BLOCK,
    CHUNKED_END,
    Sink,
    send_bulk,
    tcp_listener,
    unix_listener,
)

EVENT = b'{"Type":"container","Action":"start","id":"4b1c9f","time":1767225600}\n'
LIST = b"[]\n"
TUNNEL = (
    b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
    b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the stand-in reads from a head."""

    method: str
    path: str
    size: int
    """The `size` of the query: how many bytes to send."""
    sized: bool
    """Whether the query asks for a sized body rather than a chunked one."""
    length: int | None
    """The request's `Content-Length`."""

    @classmethod
    def parse(cls, head: bytes) -> "Request":
        """Read the request line and the few fields that matter here."""
        line, _, fields = head.decode("latin-1").partition("\r\n")
        method, target, _version = line.split(" ")
        path, _, query = target.partition("?")
        length = re.search(r"(?im)^content-length: *(\d+)", fields)
        size = re.search(r"size=(\d+)", query)
        return cls(
            method=method,
            path=re.sub(r"^/v[\d.]+", "", path),
            size=int(size[1]) if size else 0,
            sized="sized=1" in query,
            length=int(length[1]) if length else None,
        )


def ok(body: bytes) -> bytes:
    """A small answer with its length."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        % (
            len(body),
            body,
        )
    )


class Standin:
    """Serves every connection of its listeners until the process is ended."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._early: dict[socket.socket, bytes] = {}

    def serve(self, listeners: list[socket.socket]) -> None:
        """Accept and answer, for ever."""
        for listener in listeners:
            self._selector.register(listener, selectors.EVENT_READ, "listener")
        while True:
            for key, _events in self._selector.select():
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                if key.data == "listener":
                    self._watch(sock.accept()[0])
                else:
                    self._readable(sock)

    def _watch(self, sock: socket.socket) -> None:
        self._selector.register(sock, selectors.EVENT_READ)

    def _drop(self, sock: socket.socket) -> None:
        self._selector.unregister(sock)
        self._early.pop(sock, None)
        sock.close()

    def _readable(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._drop(sock)
            return
        head, end, rest = (self._early.pop(sock, b"") + data).partition(b"\r\n\r\n")
        if not end:
            self._early[sock] = head
            return
        request = Request.parse(head)
        if not self._answer_small(sock, request):
            self._selector.unregister(sock)
            threading.Thread(
                target=self._bulk, args=(sock, request, rest), daemon=True
            ).start()

    def _answer_small(self, sock: socket.socket, request: Request) -> bool:
        if request.path == "/events":
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            answer = head + b"%x\r\n%s\r\n" % (len(EVENT), EVENT)
        elif request.path == "/containers/held/attach":
            answer = TUNNEL
        elif request.path == "/_ping":
            answer = ok(b"OK")
        elif request.path == "/containers/json":
            answer = ok(LIST)
        else:
            return False
        with suppress(ConnectionError):  # the next read finds the end and drops it
            sock.sendall(answer)
        return True

    def _bulk(self, sock: socket.socket, request: Request, rest: bytes) -> None:
        keep = False
        with suppress(ConnectionError):
            if request.path.endswith("/attach"):
                self._tunnel(sock, request)
            elif request.path.endswith("/load"):
                keep = self._upload(sock, request, rest)
            elif request.path.endswith("/export"):
                keep = self._download(sock, request)
        if keep:
            self._watch(sock)
        else:
            sock.close()

    def _download(self, sock: socket.socket, request: Request) -> bool:
        kind = (
            b"Content-Length: %d" % request.size
            if request.sized
            else b"Transfer-Encoding: chunked"
        )
        sock.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\n"
            + kind
            + b"\r\n\r\n"
        )
        if request.sized:
            send_bulk(sock, BLOCK, request.size // len(BLOCK))
        else:
            send_bulk(sock, CHUNKED_BLOCK, request.size // len(BLOCK), CHUNKED_END)
        return True

    def _upload(self, sock: socket.socket, request: Request, rest: bytes) -> bool:
        sink = Sink(sock, rest)
        whole = (
            sink.read_chunked()
            if request.length is None
            else sink.read_sized(request.length)
        )
        if whole:
            sock.sendall(ok(b'{"bytes": %d}' % sink.count))
        return whole

    def _tunnel(self, sock: socket.socket, request: Request) -> None:
        sock.sendall(TUNNEL)
        send_bulk(sock, BLOCK, request.size // len(BLOCK))
        if request.size:
            sock.shutdown(socket.SHUT_WR)
        sink = Sink(sock)
        sink.read_all()
        if not request.size:
            sock.sendall(b"%d\n" % sink.count)


if __name__ == "__main__":
    path, port = sys.argv[1:]
    Standin().serve([unix_listener(path), tcp_listener(int(port))])
