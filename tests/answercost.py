"""`python -m tests.answercost`: what narrowed and redacted answers cost, and for how long at once.

The proxy runs in one thread, the Engine and the client in others, so that what that thread takes
is the proxy's, in CPU time: however busy the machine is, that stays. A turn is what a task does
until others may go on, and so what another client waits for at least; the longest is shown, of
ordinary answers and of those that a hostile Engine might make up.
"""

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, Final

import trio

from bench.standin import ok
from trioproxy.config import Config, Level, UnixAddress
from trioproxy.file.permissions import parse_policy
from trioproxy.http.elements import MOST_OF_AN_ELEMENT
from trioproxy.http.jsonbody import MOST_VALUES
from trioproxy.judge.gate import Gate
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

LISTED: Final = 5.0
"""Milliseconds that a list of 100 containers may cost, narrowed and redacted."""
INSPECTED: Final = 1.0
"""What an inspected container of 20 KB may cost, redacted."""
TURN: Final = 12.5
"""What a turn may take: half of what another client may wait for."""
ROUNDS: Final = 40

IMAGE: Final = "sha256:" + "cd" * 32
OWN: Final = {"ONLY_CONTAINERS": "@own", "ONLY_OWNER": "me"}
READS: Final = {"ALLOW_OPERATIONS": "ContainerList,ContainerInspect,VolumeList"}
REDACT: Final = {"REDACT": "env"}


def container(number: int) -> dict[str, Any]:
    """A container of a Compose project, as a list shows it."""
    words = "project service version oneoff image depends_on project.working_dir"
    labels = {f"com.docker.compose.{one}": f"{one}-{number}" for one in words.split()}
    labels |= {"com.docker.compose.config-hash": "ab" * 32, "trioproxy.owner": "me"}
    port = {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"}
    joined: dict[str, Any] = dict.fromkeys(
        ("IPAMConfig", "Links", "Aliases", "MacAddress", "DriverOpts", "DNSNames")
    )
    joined |= {"NetworkID": "ef" * 32, "EndpointID": "12" * 32, "IPPrefixLen": 16}
    joined |= {"Gateway": "172.18.0.1", "IPAddress": "172.18.0.5", "IPv6Gateway": ""}
    mount = {"Type": "volume", "Name": "data", "Destination": "/data", "RW": True}
    return {
        "Id": f"{number:064x}",
        "Names": [f"/app-{number}"],
        "Image": "registry.example.com/team/app:1.2.3",
        "ImageID": IMAGE,
        "Command": "/docker-entrypoint.sh nginx -g 'daemon off;'",
        "Created": 1_700_000_000 + number,
        "Ports": [port, {**port, "IP": "::"}, {"PrivatePort": 443, "Type": "tcp"}],
        "Labels": labels,
        "State": "running",
        "Status": "Up 3 hours",
        "HostConfig": {"NetworkMode": "app_default"},
        "NetworkSettings": {"Networks": {"app_default": joined}},
        "Mounts": [{**mount, "Source": "/var/lib/docker/volumes/data/_data"}],
    }


def inspected() -> dict[str, Any]:
    """What an inspection tells of one, some 20 KB."""
    environment = [f"VARIABLE_{at}=" + "value" * 30 for at in range(100)]
    config = {"Env": environment, "Labels": container(1)["Labels"], "Cmd": ["app"]}
    host = {f"Option{at}": ["a", {"b": at}] for at in range(100)}
    found = {"Config": config, "HostConfig": host, "Args": ["x"] * 20}
    return {"Id": "1" * 64, "Name": "/app", "Image": IMAGE, **found}


def written(value: object) -> bytes:
    """As the Engine writes it."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def of_one(inner: bytes) -> bytes:
    """A list of one container with that in it."""
    return written([container(1)])[:-3] + b',"X":' + inner + b"}]\n"


LONG: Final = MOST_OF_AN_ELEMENT - 4096
HOSTILE: Final[Mapping[str, bytes]] = {
    "one text": of_one(b'"' + b"x" * LONG + b'"'),
    "one text of quotes": of_one(b'"' + b'\\"' * 49_000 + b'"'),
    "one text that is not ASCII": of_one('"{}"'.format("ж" * (LONG // 2)).encode()),
    "values": of_one(b"[" + b"1," * (MOST_VALUES - 100) + b"1]"),
    "objects": of_one(b"[" + b'{"a":1},' * (MOST_VALUES // 3) + b"1]"),
    "environments": of_one(b"[" + b'{"Env":["a=b"]},' * (MOST_VALUES // 4) + b"1]"),
    "names": of_one(written({f"n{at}": at for at in range(MOST_VALUES - 100)})),
    "labels": of_one(
        b'{"Labels":%b}' % written({f"n{at}": "x" * 180 for at in range(19_000)})
    ),
    "brackets": b"[" + b"[]," * 500_000 + b"[]]",
    "brackets in one": of_one(b"[" + b"[]," * 1_300_000 + b"[]]"),
    "numbers": b"[" + b"1," * 500_000 + b"1]",
    "deep": of_one(b"[" * 200_000),
    "20,000 containers": written([container(at) for at in range(20_000)]),
}
"""What is a list of containers, or begins like one."""
VOLUMES: Final[Mapping[str, bytes]] = {
    "small volumes": b'{"Volumes":[' + b'{"Name":"a"},' * 200_000 + b'{"Name":"a"}]}',
    "warnings": b'{"Warnings":[' + b'"",' * 300_000 + b'""]}',
    "lists": b"{" + b",".join(b'"n%d":1' % at for at in range(300_000)) + b"}",
    "lists of nothing": b'{"X":[' + b"1," * 500_000 + b"1]}",
    "chunks of a byte": b'{"Volumes":[' + b'{"Name":"a"},' * 2_000 + b'{"Name":"a"}]}',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An answer, and what it may cost."""

    name: str
    body: bytes = field(repr=False)
    target: str = "/containers/json"
    variables: Mapping[str, str]
    most: float = 0.0
    """Milliseconds; 0: whatever it costs, but for the turns."""
    rounds: int = ROUNDS
    is_chunked: bool = False
    """In chunks of one byte."""

    @property
    def answer(self) -> bytes:
        """With its head."""
        if not self.is_chunked:
            return ok(self.body)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        pieces = (b"1\r\n%c\r\n" % byte for byte in self.body)
        return head + b"".join(pieces) + b"0\r\n\r\n"


def cases() -> Iterator[Case]:
    """All that is measured."""
    hundred = written([container(number) for number in range(100)])
    yield Case(name="100 containers as they come", body=hundred, variables=READS)
    for name, variables, most in (
        ("100 containers, narrowed", {**READS, **OWN}, LISTED),
        ("100 containers, redacted", {**READS, **REDACT}, LISTED),
        ("100 containers, both", {**READS, **OWN, **REDACT}, LISTED),
    ):
        yield Case(name=name, body=hundred, variables=variables, most=most)
    one, target = written(inspected()), "/containers/app/json"
    yield Case(
        name=f"{len(one)} bytes inspected", body=one, target=target, variables=READS
    )
    yield Case(
        name="the same, redacted",
        body=one,
        target=target,
        variables={**READS, **REDACT},
        most=INSPECTED,
    )
    both = {**READS, **OWN, **REDACT}
    for name, body in HOSTILE.items():
        yield Case(name=name, body=body, variables=both, rounds=2)
    for name, body in VOLUMES.items():
        yield Case(
            name=name,
            body=body,
            target="/volumes",
            variables=both,
            rounds=2,
            is_chunked="chunks" in name,
        )


class Turns(trio.abc.Instrument):
    """What this thread takes in turns of tasks, in seconds: of several rounds the least, for
    what else the machine does adds to it."""

    def __init__(self) -> None:
        self.least = self.longest = inf
        self._total = self._longest = self._began = 0.0

    def begin(self) -> None:
        """Begin a round."""
        self._total = self._longest = 0.0
        self._began = time.thread_time()

    def end(self) -> None:
        """End it."""
        self.least = min(self.least, self._total)
        self.longest = min(self.longest, self._longest)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """A turn begins."""
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        """It ends."""
        took = time.thread_time() - self._began
        self._total += took
        self._longest = max(self._longest, took)


def serve(listener: socket.socket, answer: bytes) -> None:
    """Answer everything with the one thing, and what is asked about images."""
    while True:
        try:
            sock = listener.accept()[0]
        except OSError:
            return
        threading.Thread(target=_serve, args=(sock, answer), daemon=True).start()


def _serve(sock: socket.socket, answer: bytes) -> None:
    heads = b""
    with sock, suppress(OSError):
        while data := sock.recv(65536):
            heads += data
            while b"\r\n\r\n" in heads:
                head, _, heads = heads.partition(b"\r\n\r\n")
                is_image = b"/images/" in head
                sock.sendall(
                    ok(written({"Id": IMAGE, "Config": {}})) if is_image else answer
                )


def ask(path: str, target: str) -> None:
    """Ask for it, and drop what comes."""
    with socket.socket(socket.AF_UNIX) as sock, suppress(ConnectionError):
        sock.settimeout(600)
        sock.connect(path)
        head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        while sock.recv(1 << 20):
            pass


async def measure(case: Case, folder: Path) -> Turns:
    """Serve a client, and say what that took."""
    listen, upstream = folder / "proxy.sock", folder / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        upstream.unlink(missing_ok=True)
        listener.bind(str(upstream))
        listener.listen()
        args = listener, case.answer
        threading.Thread(target=serve, args=args, daemon=True).start()
        config = Config(
            listen=(UnixAddress(path=str(listen)),),
            upstream=UnixAddress(path=str(upstream)),
        )
        log = Log(Level.WARNING, os.open(os.devnull, os.O_WRONLY))
        gate, turns = Gate.enforcing(parse_policy(case.variables)[0]), Turns()
        async with trio.open_nursery() as nursery:
            await nursery.start(Server(config=config, gates={"": gate}, log=log).run)
            for _ in range(case.rounds):
                turns.begin()
                trio.lowlevel.add_instrument(turns)
                await trio.to_thread.run_sync(ask, str(listen), case.target)
                trio.lowlevel.remove_instrument(turns)
                turns.end()
            nursery.cancel_scope.cancel()
        listener.shutdown(socket.SHUT_RDWR)
    return turns


def main(*wanted: str) -> int:
    """Measure; 1 if anything is more than is promised."""
    too_much = 0
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'milliseconds of CPU':34}{'each':>8}{'a turn':>8}")
        for case in cases():
            if wanted and not any(one in case.name for one in wanted):
                continue
            turns = trio.run(measure, case, Path(folder))
            each, longest = turns.least * 1e3, turns.longest * 1e3
            is_more = (0 < case.most < each) or longest > TURN
            too_much += is_more
            print(f"{case.name:34}{each:8.2f}{longest:8.2f}{'  too much' * is_more}")
    return min(too_much, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
