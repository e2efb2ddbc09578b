"""A stand-in Engine: one container, on a Unix socket, for machines without Docker.

It answers lists, follows logs in a stream and runs `cat` in a hijacked connection, so
that each kind of traffic is shown. It checks nothing: it is behind the proxy.
"""

import json
import re
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final

import h11
import trio

CONTAINER_ID: Final = "4b1c9f0d2e7a" + "0" * 52
EXEC_ID: Final = "e" * 64
API_VERSION: Final = "1.45"
LOG_LINES: Final = (b"listening on port 80\n", b"GET / 200\n", b"GET /health 200\n")

CONTAINERS: Final = [
    {
        "Id": CONTAINER_ID,
        "Names": ["/web"],
        "Image": "web:1",
        "Command": "serve",
        "State": "running",
        "Status": "Up 2 hours",
    }
]
IMAGES: Final = [{"Id": "sha256:" + "5" * 64, "RepoTags": ["web:1"], "Size": 4_200_000}]
VERSION: Final = {"Version": "stand-in", "ApiVersion": API_VERSION, "Os": "linux"}


class Exchange:
    """One connection, and the requests that come on it in turn."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.http = h11.Connection(h11.SERVER)
        self.is_head = False

    async def next_event(self) -> object:
        """Read what the client sends next, as an event of h11."""
        while (event := self.http.next_event()) is h11.NEED_DATA:
            self.http.receive_data(await self.stream.receive_some())
        return event

    async def next_request(self) -> h11.Request | None:
        """Read a whole request; None when the client has no more."""
        request = await self.next_event()
        if not isinstance(request, h11.Request):
            return None
        while isinstance(await self.next_event(), h11.Data):
            pass  # no operation here looks at a body
        self.is_head = request.method == b"HEAD"
        return request

    async def send(self, *events: h11.Event) -> None:
        """Write events to the client."""
        data = (self.http.send(event) for event in events)
        await self.stream.send_all(b"".join(part for part in data if part))

    async def answer(self, value: object, *, status: int = 200) -> None:
        """Answer with JSON, or with text as it is."""
        is_text = isinstance(value, str)
        body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        fields = [
            ("Api-Version", API_VERSION),
            ("Content-Type", "text/plain" if is_text else "application/json"),
            ("Content-Length", str(len(body))),
        ]
        await self.send(
            h11.Response(status_code=status, headers=fields),
            *([] if self.is_head else [h11.Data(data=body)]),
            h11.EndOfMessage(),
        )


async def follow_logs(exchange: Exchange) -> None:
    """Send the container's log line by line, as the Engine frames it."""
    fields = [
        ("Content-Type", "application/vnd.docker.multiplexed-stream"),
        ("Transfer-Encoding", "chunked"),
    ]
    await exchange.send(h11.Response(status_code=200, headers=fields))
    for line in LOG_LINES:
        await exchange.send(h11.Data(data=frame(line)))
        await trio.sleep(0.1)  # for the eye: they arrive one by one
    await exchange.send(h11.EndOfMessage())


async def run_cat(exchange: Exchange) -> None:
    """Take the connection over and send each byte back until the client has ended."""
    fields = [
        ("Content-Type", "application/vnd.docker.multiplexed-stream"),
        ("Connection", "Upgrade"),
        ("Upgrade", "tcp"),
    ]
    await exchange.send(h11.InformationalResponse(status_code=101, headers=fields))
    data, _ended = exchange.http.trailing_data
    while data := data or await exchange.stream.receive_some():
        await exchange.stream.send_all(frame(data))
        data = b""


def frame(data: bytes) -> bytes:
    """Mark bytes as stdout, as the Engine does where there is no terminal."""
    return b"\1\0\0\0" + len(data).to_bytes(4, "big") + data


Operation = Callable[[Exchange], Awaitable[None]]


def answer(value: object, *, status: int = 200) -> Operation:
    """An operation that answers the same each time."""
    return partial(Exchange.answer, value=value, status=status)


OPERATIONS: Final[tuple[tuple[str, str, Operation], ...]] = (
    ("(GET|HEAD)", "/_ping", answer("OK")),
    ("GET", "/version", answer(VERSION)),
    ("GET", "/containers/json", answer(CONTAINERS)),
    ("GET", "/images/json", answer(IMAGES)),
    ("POST", "/containers/create", answer({"Id": CONTAINER_ID}, status=201)),
    ("GET", "/containers/[^/]+/logs", follow_logs),
    ("POST", "/containers/[^/]+/exec", answer({"Id": EXEC_ID}, status=201)),
    ("POST", "/exec/[^/]+/start", run_cat),
)


def find(method: bytes, target: bytes) -> Operation:
    """The operation of a request; what is unknown is answered as the Engine does."""
    line = method.decode() + " " + target.partition(b"?")[0].decode()
    for methods, path, operation in OPERATIONS:
        if re.fullmatch(rf"{methods} (/v1\.\d+)?{path}", line):
            return operation
    return answer({"message": "page not found"}, status=404)


async def converse(stream: trio.SocketStream) -> None:
    """Answer the requests of one client until it has no more, or took the stream."""
    exchange = Exchange(stream)
    async with stream:
        while request := await exchange.next_request():
            await find(request.method, request.target)(exchange)
            if exchange.http.our_state is not h11.DONE:
                return
            exchange.http.start_next_cycle()


async def serve(
    path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve on a Unix socket until cancelled."""
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(str(path))
    sock.listen()
    async with trio.SocketListener(sock) as listener:
        task_status.started()
        await trio.serve_listeners(converse, [listener])
