"""The other client: `python -m bench.flood.ping SOCKET SECONDS NEW_EVERY`, figures as JSON.

It comes by a Unix socket: all that come from loopback are one client.

It pings once, says "ready" and waits for a line: it was there before the flood. Then one
ping after the other, a hundred a second where nothing is in the way. Every so many come
on a new connection, for some floods shut only newcomers out; 0 is none.

A ping that takes a second is a hundred pings that were not sent: whoever had asked in its
middle would have waited for half a second. `with_those_not_sent` counts them.
"""

import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Final

PERIOD: Final = 0.01
TIMEOUT: Final = 5.0
PATIENCE: Final = 60.0
HEALTH_EVERY: Final = 0.3
PRIORITY: Final = -10

PING: Final = b"GET /_ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HEALTH: Final = (
    b"GET /_trioproxy/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
)


def connect(path: str) -> socket.socket:
    """A connection of this client."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(TIMEOUT)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def ask(sock: socket.socket, request: bytes) -> bool:
    """Whether the answer is a 200."""
    sock.sendall(request)
    return sock.recv(4096).startswith(b"HTTP/1.1 200")


class Pings:
    """The pings of a run: how long each took, and how many had no answer."""

    def __init__(self, path: str, new_every: int) -> None:
        self._path = path
        self._new_every = new_every
        self.seconds: list[float] = []
        self.lost = 0
        self._kept: socket.socket | None = None

    def be_there(self) -> None:
        """Ping once, on the connection that is kept; a long policy takes a while to start."""
        self._kept = connect(self._path)
        self._kept.settimeout(PATIENCE)
        if not self._once(is_new=False):
            raise SystemExit("the first ping had no answer")
        self._kept.settimeout(TIMEOUT)

    def run(self, end: float) -> None:
        """Ping until the time is over."""
        count = 0
        while (began := time.perf_counter()) < end:
            count += 1
            is_new = self._new_every > 0 and count % self._new_every == 0
            try:
                answered = self._once(is_new=is_new)
            except OSError:
                answered = False
                self._forget()
            took = time.perf_counter() - began
            if answered:
                self.seconds.append(took)
            else:
                self.lost += 1
            time.sleep(max(PERIOD - took, 0))

    def _once(self, *, is_new: bool) -> bool:
        if is_new:
            with connect(self._path) as sock:
                return ask(sock, PING)
        if self._kept is None:
            self._kept = connect(self._path)
        if ask(self._kept, PING):
            return True
        self._forget()
        return False

    def _forget(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def with_those_not_sent(seconds: list[float]) -> list[float]:
    """For each slow ping, what the pings that were due beside it would have taken."""
    found: list[float] = []
    for one in seconds:
        found += [one - PERIOD * step for step in range(int(one / PERIOD) + 1)]
    return found


def watch_health(path: str, end: float, answers: list[bool]) -> None:
    """Ask for health on new connections, as a health check does."""
    while time.perf_counter() < end:
        is_up = False
        with suppress(OSError), connect(path) as sock:
            is_up = ask(sock, HEALTH)
        answers.append(is_up)
        time.sleep(HEALTH_EVERY)


def main(path: str, seconds: float, new_every: int) -> None:
    """Ping and watch; print what came of it."""
    with suppress(OSError):  # only root may ask for more than its share
        os.nice(PRIORITY)
    pings = Pings(path, new_every)
    pings.be_there()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.perf_counter() + seconds
    health: list[bool] = []
    watcher = threading.Thread(target=watch_health, args=(path, end, health))
    watcher.start()
    pings.run(end)
    watcher.join()
    taken = with_those_not_sent(pings.seconds)
    print(json.dumps({"seconds": taken, "lost": pings.lost, "health": health}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
