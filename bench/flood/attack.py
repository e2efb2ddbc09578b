"""The hostile client: `python -m bench.flood.attack NAME PORT SECONDS`.

One process, one selector, a low priority. It is bounded three times: by the number
of connections, by its own clock, and by an alarm that ends it if the clock is not read.
"""

import os
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import Final

from bench.flood.table import FLOODS, Flood

MOST_OPENED: Final = 60_000
"""Connections in the life of an attack, closed ones included."""

READ_SIZE: Final = 256 * 1024
SMALL_WINDOW: Final = 4096
SMALL_SEGMENT: Final = 536
RESTLESS_SECONDS: Final = 0.3
BURST_SECONDS: Final = 1.1
SOURCES: Final = 4
TICK: Final = 0.01
GRACE: Final = 10


@dataclass(kw_only=True)
class Line:
    """One connection of the attack."""

    sock: socket.socket
    left: memoryview
    """What is to be sent before the flood's `then`."""
    moved: float
    at: int = 0
    """Where in `then` it is."""


@dataclass(kw_only=True)
class Attack:
    """A flood under way."""

    flood: Flood
    port: int
    end: float
    lines: dict[int, Line] = field(default_factory=dict)
    opened: int = 0
    sent: float = 0.0
    """Sends of `then` so far, and openings: what the rates are counted by."""

    def __post_init__(self) -> None:
        """Begin the clocks."""
        self.began = time.monotonic()
        self.poll = select.epoll()
        self.burst_at = self.began

    def run(self) -> None:
        """Flood until the time is over."""
        while (now := time.monotonic()) < self.end:
            self._open(now)
            self._burst(now)
            self._drip(now)
            for fd, events in self.poll.poll(TICK):
                line = self.lines.get(fd)
                if line is not None:
                    self._serve(line, events, now)
            if self.flood.restless:
                self._renew(now)

    # -- opening and closing -------------------------------------------------------

    def _open(self, now: float) -> None:
        due = min((now - self.began + TICK) * self.flood.openings, MOST_OPENED)
        stop = now + 5 * TICK
        while len(self.lines) < self.flood.connections and self.opened < due:
            self.opened += 1
            sock = self._connect()
            if sock is not None:
                self._add(sock)
            if time.monotonic() > stop:
                return

    def _connect(self) -> socket.socket | None:
        sock = socket.socket()
        try:
            sock.settimeout(0.05)
            if not self.flood.reads:
                # Small segments too: by their size the kernel of the sender chooses how
                # much it keeps for us, up to 4 MB, and it is the proxy's memory we want.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SMALL_SEGMENT)
            # For their ports: to the proxy all of loopback is one client.
            sock.bind((f"127.0.0.{2 + self.opened % SOURCES}", 0))
            sock.connect(("127.0.0.1", self.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
        except OSError:
            sock.close()
            return None
        return sock

    def _add(self, sock: socket.socket) -> None:
        first = b"" if self.flood.bursts else self.flood.first
        line = Line(sock=sock, left=memoryview(first), moved=time.monotonic())
        self.lines[sock.fileno()] = line
        self.poll.register(sock, self._wanted(line))

    def _drop(self, line: Line) -> None:
        self.poll.unregister(line.sock)
        del self.lines[line.sock.fileno()]
        line.sock.close()

    def _wanted(self, line: Line) -> int:
        """What to be told of; who reads nothing still hears that the other side left."""
        sends = bool(line.left) or (bool(self.flood.then) and not self.flood.rate)
        reads = select.EPOLLIN if self.flood.reads else select.EPOLLRDHUP
        return reads | (select.EPOLLOUT if sends else 0)

    def _renew(self, now: float) -> None:
        for line in list(self.lines.values()):
            if now - line.moved > RESTLESS_SECONDS:
                self._drop(line)

    # -- sending and reading -------------------------------------------------------

    def _serve(self, line: Line, events: int, now: float) -> None:
        left = events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR)
        try:
            if left or (events & select.EPOLLIN and not self._read(line)):
                self._drop(line)
            elif events & select.EPOLLOUT:
                self._send(line, now)
        except BlockingIOError:
            return
        except OSError:
            self._drop(line)

    def _read(self, line: Line) -> bool:
        data = line.sock.recv(READ_SIZE)
        if data and self.flood.again and not line.left:
            line.left = memoryview(self.flood.first)
            self.poll.modify(line.sock, self._wanted(line))
        return bool(data)

    def _send(self, line: Line, now: float) -> None:
        if line.left:
            line.left = line.left[line.sock.send(line.left) :]
        elif self.flood.then and not self.flood.rate:
            self._send_then(line)
        line.moved = now
        if not line.left:
            self.poll.modify(line.sock, self._wanted(line))

    def _send_then(self, line: Line) -> None:
        then = self.flood.then
        count = line.sock.send(then[line.at : line.at + self.flood.piece])
        line.at = (line.at + count) % len(then)

    def _drip(self, now: float) -> None:
        """Send a piece on one connection after the other, as many as are due."""
        if not self.flood.rate:
            return
        due = (now - self.began) * self.flood.rate
        ready = [line for line in self.lines.values() if not line.left]
        if not ready:
            self.sent = due
            return
        for _ in range(int(min(due - self.sent, 2 * len(ready)))):
            self.sent += 1
            line = ready[int(self.sent) % len(ready)]
            try:
                self._send_then(line)
            except BlockingIOError:
                continue
            except OSError:
                if line.sock.fileno() in self.lines:
                    self._drop(line)

    def _burst(self, now: float) -> None:
        if not self.flood.bursts or now < self.burst_at:
            return
        if len(self.lines) < self.flood.connections:
            return
        self.burst_at = now + BURST_SECONDS
        for line in list(self.lines.values()):
            try:
                line.sock.send(self.flood.first)
            except OSError:
                self._drop(line)


def main(name: str, port: int, seconds: float) -> None:
    """Run one flood against a port of loopback."""
    signal.alarm(int(seconds) + GRACE)
    os.nice(10)
    flood = next(one for one in FLOODS if one.name == name)
    attack = Attack(flood=flood, port=port, end=time.monotonic() + seconds)
    attack.run()
    print(attack.opened, len(attack.lines))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
