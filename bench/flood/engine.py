"""Behind the floods: `python -m bench.flood.engine SOCKET PORT`, an Engine for bytes.

One selector for all of it. On the port it answers the same, and there is a sink as well:
`python -m bench.flood.engine SOCKET PORT SINK_PORT` reads and drops what comes to the
third, so that a flood can be measured that hits nobody.
"""

import re
import select
import socket
import sys
import time
from dataclasses import dataclass
from typing import Final

from bench.flood.table import HUNDRED_KB
from bench.standin import EVENT, LIST, TUNNEL, ok
from bench.wire import tcp_listener, unix_listener

BODY_READ: Final = 256 * 1024
"""What Go's net/http reads of a body that its handler does not want, then it stops."""

HEAD_END: Final = b"\r\n\r\n"
STREAM: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
SHORT_CHUNKS: Final = b"1\r\na\r\n" * 10_000
LISTS: Final = STREAM + b'6\r\n{"X":[\r\n'
NUMBERS: Final = (b"1000\r\n" + b"1," * 2048 + b"\r\n") * 16
LONG_ELEMENTS: Final = STREAM + b'7\r\n[{"X":[\r\n'
BRACKETS: Final = (b"c00\r\n" + b"[]," * 1024 + b"\r\n") * 16
SMALL_ELEMENTS: Final = STREAM + b'c\r\n{"Volumes":[\r\n'
VOLUMES: Final = (b"d00\r\n" + b'{"Name":"a"},' * 256 + b"\r\n") * 16
"""Answers that are judged, of as little as can be, and without an end."""
LONG_CHUNKS: Final = (b"1000\r\n" + bytes(4096) + b"\r\n") * 64
"""Shorter than what goes through a pipe: such answers pass through memory."""
OUTPUT: Final = bytes(65536)
UNFINISHED: Final = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (HUNDRED_KB // 6)
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

READ_TO_THE_END: Final = frozenset(
    {b"/build", b"/containers/create", b"/containers/x/archive", b"/images/load"}
)
"""Answered never."""
NOT_FOUND: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
ENDLESS: Final = {
    b"/containers/x/attach": (TUNNEL, OUTPUT),
    b"/containers/x/export": (STREAM, LONG_CHUNKS),
    b"/images/json": (STREAM, SHORT_CHUNKS),
    b"/containers/json": (LONG_ELEMENTS, BRACKETS),
    b"/system/df": (LISTS, NUMBERS),
    b"/volumes": (SMALL_ELEMENTS, VOLUMES),
}
"""Heads, and what follows them for ever."""

BYTES_PER_SECOND: Final = 256 << 20
"""Of all endless answers together: the Engine is not what the flood is about."""

TICK: Final = 0.005
DRIPS_PER_TICK: Final = 25
READ_SIZE: Final = 65536
READS: Final = select.EPOLLIN
SENDS: Final = select.EPOLLOUT | select.EPOLLONESHOT


@dataclass(kw_only=True)
class Peer:
    """One connection of the stand-in."""

    sock: socket.socket
    early: bytes = b""
    endless: bytes = b""
    """Sent again and again, as fast as it is taken."""
    at: int = 0
    drips: bool = False
    body_left: int | None = None
    """Bytes that are read of a body, where heads are no longer looked for."""

    @property
    def is_in_body(self) -> bool:
        """Whether no head comes any more."""
        return self.body_left is not None


class Engine:
    """Serves until the process is ended."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._peers: dict[int, Peer] = {}
        self._listeners: dict[int, tuple[socket.socket, bool]] = {}
        self._dripping: list[Peer] = []
        self._waiting: list[Peer] = []
        """Peers with room for more, while the bytes of this moment are spent."""
        self._credit = 0.0
        self._refilled = time.monotonic()
        self.accepted = 0

    def listen(self, listener: socket.socket, *, is_sink: bool = False) -> None:
        """Take connections from a listener."""
        self._listeners[listener.fileno()] = listener, is_sink
        self._poll.register(listener, select.EPOLLIN)

    def serve(self) -> None:
        """Accept and answer, for ever."""
        while True:
            for fd, events in self._poll.poll(TICK):
                if fd in self._listeners:
                    self._accept(*self._listeners[fd])
                elif fd in self._peers:
                    self._serve(self._peers[fd], events)
            self._refill()
            self._drip()

    def _accept(self, listener: socket.socket, is_sink: bool) -> None:
        sock = listener.accept()[0]
        sock.setblocking(False)
        if listener.family == socket.AF_UNIX:
            self.accepted += 1
        peer = Peer(sock=sock, body_left=sys.maxsize if is_sink else None)
        self._peers[sock.fileno()] = peer
        self._poll.register(sock, select.EPOLLIN)

    def _drop(self, peer: Peer) -> None:
        self._poll.unregister(peer.sock)
        del self._peers[peer.sock.fileno()]
        peer.sock.close()
        for some in (self._dripping, self._waiting):
            if peer in some:
                some.remove(peer)

    def _serve(self, peer: Peer, events: int) -> None:
        try:
            left = events & (select.EPOLLHUP | select.EPOLLERR)
            if left or (events & select.EPOLLIN and not self._read(peer)):
                self._drop(peer)
            elif events & select.EPOLLOUT:
                self._send_more(peer)
            elif peer.endless and peer not in self._waiting:
                self._ask_for(peer, READS | SENDS)
        except BlockingIOError:
            return
        except OSError:
            self._drop(peer)

    def _read(self, peer: Peer) -> bool:
        data = peer.sock.recv(READ_SIZE)
        if not data:
            return False
        if peer.body_left is not None:
            peer.body_left -= len(data)
            if peer.body_left <= 0:
                self._ask_for(peer, 0)
            return True
        peer.early += data
        while HEAD_END in peer.early:
            head, _, peer.early = peer.early.partition(HEAD_END)
            if not self._answer(peer, head):
                return False
            if peer.is_in_body:
                peer.early = b""
        return True

    def _ask_for(self, peer: Peer, events: int) -> None:
        self._poll.modify(peer.sock, events)

    def _answer(self, peer: Peer, head: bytes) -> bool:
        """Answer, or begin to; says whether the connection stays."""
        line, _, fields = head.partition(b"\r\n")
        path = re.sub(rb"^/v[\d.]+", b"", line.split(b" ")[1].partition(b"?")[0])
        if b"100-continue" in fields:
            peer.sock.send(CONTINUE)
        if path == b"/events":
            peer.sock.send(STREAM + b"%x\r\n%s\r\n" % (len(EVENT), EVENT))
            peer.body_left = BODY_READ
        elif path in READ_TO_THE_END:
            peer.body_left = sys.maxsize
        elif path in ENDLESS:
            self._stream(peer, *ENDLESS[path])
        elif path == b"/containers/x/json":
            peer.sock.send(UNFINISHED)
            self._dripping.append(peer)
        else:
            self._answer_whole(peer, path)
            return b"connection: close" not in fields.lower()
        return True

    def _answer_whole(self, peer: Peer, path: bytes) -> None:
        if path == b"/volumes/v":
            peer.sock.send(NOT_FOUND)
            return
        known = {b"/_ping": b"OK", b"/_accepted": b"%d" % self.accepted}
        peer.sock.send(ok(known.get(path, LIST)))

    def _stream(self, peer: Peer, head: bytes, endless: bytes) -> None:
        sent = peer.sock.send(head + endless)
        peer.at = max(sent - len(head), 0) % len(endless)
        peer.body_left = sys.maxsize
        peer.endless = endless
        self._ask_for(peer, READS | SENDS)

    def _send_more(self, peer: Peer) -> None:
        """Send once; `SENDS` was used up by the event, and is renewed while bytes are left."""
        if self._credit <= 0:
            self._waiting.append(peer)
            return
        count = peer.sock.send(memoryview(peer.endless)[peer.at :])
        peer.at = (peer.at + count) % len(peer.endless)
        self._credit -= count
        self._ask_for(peer, READS | SENDS)

    def _refill(self) -> None:
        now = time.monotonic()
        gained = (now - self._refilled) * BYTES_PER_SECOND
        self._credit = min(self._credit + gained, BYTES_PER_SECOND * TICK * 4)
        self._refilled = now
        if self._credit > 0:
            for peer in self._waiting:
                self._ask_for(peer, READS | SENDS)
            self._waiting.clear()

    def _drip(self) -> None:
        for _ in range(min(DRIPS_PER_TICK, len(self._dripping))):
            peer = self._dripping.pop(0)
            try:
                peer.sock.send(b"c")
            except OSError:
                continue  # its reader hears of the end
            self._dripping.append(peer)


if __name__ == "__main__":
    path, port, *sinks = sys.argv[1:]
    engine = Engine()
    engine.listen(unix_listener(path))
    engine.listen(tcp_listener(int(port)))
    for sink in sinks:
        engine.listen(tcp_listener(int(sink)), is_sink=True)
    engine.serve()
