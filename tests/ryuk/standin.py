"""A stand-in for Ryuk, the reaper of testcontainers: its image cannot be pulled here.

It does what the real one does as seen from outside: who connects to port 8080 writes lines
of filters and reads an `ACK` for each; when nobody has been connected for a while, what
these filters find goes, by the same requests to the Engine, and the program ends. The
routes, the queries and the variables are those of moby-ryuk 0.14. It needs nothing but
Python, so that an image of it is made of what this machine has.
"""

import http.client
import json
import os
import re
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote

OURS = (1, 51)
"""The newest version of the API that it speaks."""
IS_REAPER = "org.testcontainers.ryuk"
NO_SUCH = 404
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Filters = Mapping[str, list[str]]


def say(text: str, **fields: object) -> None:
    """Log a line in the form of the real one: clients wait for `Started`."""
    more = "".join(f" {name}={value}" for name, value in fields.items())
    sys.stdout.write(f'level=INFO msg="{text}"{more}\n')
    sys.stdout.flush()


def duration(variable: str, default: str) -> float:
    """Seconds that a variable says as Go writes them: `1m30s`."""
    text = os.environ.get(variable) or default
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


class OnSocket(http.client.HTTPConnection):
    """A connection to the Engine's socket."""

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(duration("RYUK_REQUEST_TIMEOUT", "10s"))
        self.sock.connect("/var/run/docker.sock")


class Engine:
    """What is behind the socket."""

    def __init__(self) -> None:
        """Agree on a version, as the real one's client does."""
        self._prefix = ""
        self._connection = OnSocket("api.moby.localhost")
        """Kept, as Go's client keeps its own."""
        theirs = self._ask("HEAD", "/_ping")[1].get("Api-Version", "1.24")
        version = min(tuple(int(part) for part in theirs.split(".")), OURS)
        self._prefix = f"/v{'.'.join(map(str, version))}"
        status = self._ask("HEAD", "/_ping")[0]
        if status != http.client.OK:
            raise SystemExit(f"ping: {status}")

    def list(self, path: str, filters: Filters, query: str = "") -> Any:  # noqa: ANN401  JSON
        """What of a kind is found by filters."""
        sets = {kind: dict.fromkeys(values, True) for kind, values in filters.items()}
        target = f"{path}?{query}filters={quote(json.dumps(sets))}"
        status, _, raw = self._ask("GET", target)
        if status != http.client.OK:
            say("list", path=path, error=raw)
            return []
        return json.loads(raw)

    def remove(self, target: str) -> bool:
        """Whether it is gone."""
        status, _, raw = self._ask("DELETE", target)
        if status >= http.client.BAD_REQUEST and status != NO_SUCH:
            say("remove", target=target, error=raw)
            return False
        return True

    def _ask(self, method: str, target: str) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._connection
        try:
            connection.request(method, f"{self._prefix}{target}")
            answer = connection.getresponse()
        except (http.client.HTTPException, OSError):  # it was closed since
            connection.close()
            connection.request(method, f"{self._prefix}{target}")
            answer = connection.getresponse()
        raw = answer.read()
        return answer.status, {k.title(): v for k, v in answer.getheaders()}, raw


class Clients:
    """Those who are connected, and the filters that they have sent."""

    def __init__(self) -> None:
        self.filters: list[Filters] = []
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("", 8080))
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._lines = dict[socket.socket, bytes]()

    def serve(self) -> None:
        """Return when nobody has been connected for as long as the variables say."""
        quiet = duration("RYUK_CONNECTION_TIMEOUT", "60s")
        while ready := self._selector.select(None if self._lines else quiet):
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    assert isinstance(key.fileobj, socket.socket)
                    self._read(key.fileobj)
            quiet = duration("RYUK_RECONNECTION_TIMEOUT", "10s")

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self._lines[client] = b""
        self._selector.register(client, selectors.EVENT_READ)
        say("client connected", clients=len(self._lines))

    def _read(self, client: socket.socket) -> None:
        try:
            data = client.recv(4096)
        except OSError:
            data = b""
        *lines, rest = (self._lines[client] + data).split(b"\n")
        for line in lines if data else [rest]:
            if text := line.strip().decode():
                say("adding filter", filter=text)
                self.filters.append(parse_qs(text))
                self._acknowledge(client)
        self._lines[client] = rest
        if not data:
            self._selector.unregister(client)
            del self._lines[client]
            client.close()
            say("client disconnected", clients=len(self._lines))

    def _acknowledge(self, client: socket.socket) -> None:
        try:
            client.sendall(b"ACK\n")
        except OSError as error:  # it may be gone, but its filter counts
            say("ack write", error=error)


def found(engine: Engine, filters: Filters) -> Iterator[tuple[float, str]]:
    """When each thing that filters find was made, and by which request it goes."""
    for one in engine.list("/containers/json", filters, "all=1&"):
        if one["Labels"].get(IS_REAPER) != "true":
            yield float(one["Created"]), f"/containers/{one['Id']}?force=1&v=1"
    for one in engine.list("/networks", filters):
        yield when(one["Created"]), f"/networks/{one['Id']}"
    for one in engine.list("/volumes", filters)["Volumes"] or []:
        yield when(one["CreatedAt"]), f"/volumes/{one['Name']}?force=1"
    for one in engine.list("/images/json", filters):
        yield float(one["Created"]), f"/images/{one['Id']}"


def when(text: str) -> float:
    """Seconds since the epoch of a date as the Engine writes it."""
    return datetime.fromisoformat(text).timestamp()


def reap(engine: Engine, filters: list[Filters]) -> None:
    """Remove what was found, once nothing of it is newer than a second."""
    things = dict[str, float]()
    while True:
        for one in filters:
            things |= {target: made for made, target in found(engine, one)}
        newest = max(things.values(), default=0.0)
        if newest <= time.time() - 1:
            break
        time.sleep(1)  # as the real one
    left = list(things)
    for _ in range(int(os.environ.get("RYUK_REMOVE_RETRIES", "10"))):
        left = [target for target in left if not engine.remove(target)]
        if not left:
            break
        time.sleep(1)
    say("removed", count=len(things) - len(left), left=len(left))


def main() -> None:
    """Wait for clients, and for their end."""
    engine = Engine()
    clients = Clients()
    say("Started", address="[::]:8080")
    clients.serve()
    say("prune check", clients=0)
    reap(engine, clients.filters)
    say("done")


if __name__ == "__main__":
    main()
