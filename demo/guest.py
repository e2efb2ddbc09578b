"""A tiny client of the Engine, for machines without the docker command.

It finds the Engine by `DOCKER_HOST`, as every client does, and says what went wrong in
the docker command's own words.
"""

import json
import os
import socket
import sys
from typing import Any
from urllib.parse import urlsplit

import h11


class Refused(Exception):
    """The Engine, or who stands before it, said no."""


class Client:
    """One connection to the Engine."""

    def __init__(self, url: str) -> None:
        self.sock = connect(url)
        self.http = h11.Connection(h11.CLIENT)

    def ask(self, method: str, target: str, body: bytes = b"") -> bytes:
        """Send a request, and return the body of its answer."""
        self.send(method, target, body)
        content = self.content()
        self.http.start_next_cycle()
        return content

    def hijack(self, target: str, body: bytes, stdin: bytes) -> bytes:
        """Have the connection taken over: send `stdin`, return what comes back."""
        self.send("POST", target, body, ("Connection", "Upgrade"), ("Upgrade", "tcp"))
        self.content()
        self.sock.sendall(stdin)
        self.sock.shutdown(socket.SHUT_WR)
        content, _ended = self.http.trailing_data
        while data := self.sock.recv(65536):
            content += data
        return content

    def send(
        self, method: str, target: str, body: bytes, *fields: tuple[str, str]
    ) -> None:
        """Write one request."""
        sized = [("Content-Length", str(len(body)))] if body else []
        kind = [("Content-Type", "application/json")] if body else []
        headers = [("Host", "docker"), ("User-Agent", "demo/1"), *sized, *kind, *fields]
        request = h11.Request(method=method, target=f"/v1.45{target}", headers=headers)
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            self.sock.sendall(self.http.send(event) or b"")

    def content(self) -> bytes:
        """Read an answer to its end; after a 101 that is where its head ends."""
        status, content = 0, b""
        while isinstance(
            event := self.next_event(),
            h11.InformationalResponse | h11.Response | h11.Data,
        ):
            if isinstance(event, h11.Data):
                content += event.data
            else:
                status = event.status_code
        if status >= 400:
            raise Refused(json.loads(content)["message"] if content else status)
        return content

    def next_event(self) -> object:
        """Read what comes next, as an event of h11."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(self.sock.recv(65536))
        return event


def connect(url: str) -> socket.socket:
    """Connect to `unix:///path` or `tcp://HOST:PORT`."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(parts.path)
        return sock
    return socket.create_connection((parts.hostname, parts.port or 2375))


def unframe(data: bytes) -> bytes:
    """Take the Engine's frames off a stream."""
    content = b""
    while data:
        end = 8 + int.from_bytes(data[4:8], "big")
        content, data = content + data[8:end], data[end:]
    return content


def ps(client: Client) -> None:
    """List containers."""
    containers: list[dict[str, Any]] = json.loads(client.ask("GET", "/containers/json"))
    print(f"{'CONTAINER ID':<15}{'IMAGE':<9}{'STATUS':<13}NAMES")
    for one in containers:
        name = one["Names"][0].lstrip("/")
        print(f"{one['Id'][:12]:<15}{one['Image']:<9}{one['Status']:<13}{name}")


def logs(client: Client) -> None:
    """Follow a container's log."""
    stream = client.ask("GET", "/containers/web/logs?stdout=1&follow=1")
    print(unframe(stream).decode(), end="")


def execute(client: Client) -> None:
    """Send stdin through `cat` in a container."""
    wanted = {"AttachStdin": True, "AttachStdout": True, "Cmd": ["cat"]}
    made = client.ask("POST", "/containers/web/exec", json.dumps(wanted).encode())
    start = f"/exec/{json.loads(made)['Id']}/start"
    stream = client.hijack(start, b'{"Detach":false}', sys.stdin.buffer.read())
    print(unframe(stream).decode(), end="")


def images(client: Client) -> None:
    """List images."""
    for image in json.loads(client.ask("GET", "/images/json")):
        print(image["RepoTags"][0])


def create(client: Client, folder: str) -> None:
    """Make a container that has a folder of the host."""
    wanted = {"Image": "web:1", "HostConfig": {"Binds": [f"{folder}:/work"]}}
    made = client.ask("POST", "/containers/create", json.dumps(wanted).encode())
    print(json.loads(made)["Id"][:12])


COMMANDS = {"ps": ps, "logs": logs, "exec": execute, "images": images}


def main(arguments: list[str]) -> int:
    """Run the commands named, in turn, on one connection."""
    client = Client(os.environ["DOCKER_HOST"])
    with client.sock:
        try:
            client.ask("HEAD", "/_ping")
            if arguments[:1] == ["create"]:
                create(client, arguments[1])
                return 0
            for name in arguments:
                COMMANDS[name](client)
        except Refused as refusal:
            print(f"Error response from daemon: {refusal}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
