"""Both ends of a conversation, played by the test: a scripted Engine and a raw client.

A test reads like a transcript: it sends as one side, reads as the other, and goes on. Nothing answers by
itself (unless a test says `serve`), so the order of the lines is the order on the wire. A read says what it
waits for and keeps the rest; `settle` shows that something did not happen. The heads that the Engine writes
by hand are in `HEADS`, byte for byte, and are compared with a real Engine in test_fakes.py.
"""

import os
import select
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import h11
import trio
import trio.testing

HEAD_END: Final = b"\r\n\r\n"
CHUNK_END: Final = b"0\r\n\r\n"
Fields = Sequence[tuple[bytes, bytes]]

MARKS: Final = (
    b"Api-Version: 1.45\r\nDocker-Experimental: false\r\nOstype: linux\r\n"
    b"Server: Docker/26.1.5+dfsg1 (linux)\r\n"
)
"""What the Engine's middleware puts on an answer; heads written by hand have it on exec only."""

HEADS: Final = MappingProxyType(
    {
        "attach upgraded": (
            b"HTTP/1.1 101 UPGRADED\r\n"
            b"Content-Type: application/vnd.docker.multiplexed-stream\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
        ),
        "attach raw": (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        ),
        "attach not found": (
            b"HTTP/1.1 404 Not Found\r\n"
            b"Content-Type: application/vnd.docker.raw-stream\r\n\r\n"
            b"No such container: nope\r\n"
        ),
        "exec upgraded": (
            b"HTTP/1.1 101 UPGRADED\r\n"
            b"Content-Type: application/vnd.docker.multiplexed-stream\r\n"
            b"Connection: Upgrade\r\nUpgrade: tcp\r\n" + MARKS + b"\r\n"
        ),
        "exec raw": (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n"
            + MARKS
            + b"\r\n"
        ),
        "h2c": (
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        ),
        "websocket": (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        ),
        "events": (
            b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Type: application/json\r\n"
            b"Docker-Experimental: false\r\nOstype: linux\r\n"
            b"Server: Docker/26.1.5+dfsg1 (linux)\r\nDate: Tue, 24 Nov 2026 16:02:04 GMT\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        ),
    }
)
"""Answers of Engine 26.1.5 that no HTTP library would write this way."""

PAGE_NOT_FOUND: Final = b'{"message":"page not found"}\n'
"""The body of the router's own 404, which carries none of `MARKS`."""


async def settle() -> None:
    """Wait until every task is parked: what has not happened by now, does not happen by itself."""
    await trio.testing.wait_all_tasks_blocked()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def request(
    method: str = "GET",
    target: str = "/_ping",
    *fields: str,
    body: bytes = b"",
    version: str = "1.1",
) -> bytes:
    """A request as a client writes it; a body gets its length, unless the fields say how it is framed."""
    lines = [f"{method} {target} HTTP/{version}", "Host: docker", *fields]
    framed = any(
        line.lower().startswith(("content-length:", "transfer-")) for line in fields
    )
    if body and not framed:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + HEAD_END + body


def response(status: str = "200 OK", *fields: str, body: bytes = b"") -> bytes:
    """An answer as the Engine writes it; it gets its length, unless the fields say how it is framed."""
    framed = any(
        line.lower().startswith(("content-length:", "transfer-", "connection: close"))
        for line in fields
    )
    length = () if framed else (f"Content-Length: {len(body)}",)
    return (
        "\r\n".join([f"HTTP/1.1 {status}", *fields, *length]).encode() + HEAD_END + body
    )


def is_whole(raw: bytes) -> bool:
    """Whether h11 reads a whole request, its body included, from these bytes."""
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    conn.receive_data(raw)
    try:
        while (event := conn.next_event()) is not h11.NEED_DATA:
            if isinstance(event, h11.EndOfMessage):
                return True
    except h11.RemoteProtocolError:
        return False
    return False


class EndOfData(AssertionError):
    """The other side ended before what was waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One entry of a journal: who read what; no data is the end of data."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request or response as h11 understood it, and its bytes as they came."""

    head: h11.Request | h11.Response
    body: bytes
    trailers: Fields = ()
    informational: tuple[int, ...] = ()
    raw: bytes = b""

    @property
    def status(self) -> int:
        """The status of a response."""
        assert isinstance(self.head, h11.Response)
        return self.head.status_code

    @property
    def line(self) -> bytes:
        """The first line, as it came."""
        return self.raw.split(b"\r\n", 1)[0]

    def all(self, name: str) -> list[bytes]:
        """Every value of a header."""
        return [
            value for key, value in self.head.headers if key == name.lower().encode()
        ]

    def one(self, name: str) -> bytes:
        """The only value of a header."""
        (value,) = self.all(name)
        return value


class Peer:
    """One end of a connection: raw bytes out, and reads that say what they wait for."""

    def __init__(
        self,
        sock: trio.socket.SocketType,
        name: str,
        journal: list[Arrival] | None = None,
    ) -> None:
        self.sock = sock
        self.name = name
        self.received = bytearray()
        """Everything that ever arrived."""
        self.journal: list[Arrival] = [] if journal is None else journal
        self._unread = bytearray()

    # Sending

    async def send(self, data: bytes) -> None:
        """Send everything, however long it takes."""
        with memoryview(data) as view:
            sent = 0
            while sent < len(view):
                sent += await self.sock.send(view[sent:])

    async def send_each(self, data: bytes) -> None:
        """Send byte by byte; each is read and dealt with before the next one goes out."""
        for byte in data:
            await self.send(bytes([byte]))
            await settle()

    async def send_while_taken(self, block: bytes) -> int:
        """Send until the other side takes no more; return how much went out (see back-pressure)."""
        sent = 0
        while True:
            await settle()
            try:
                sent += os.write(self.sock.fileno(), block)
            except BlockingIOError:
                return sent

    def half_close(self) -> None:
        """End of data; reading goes on."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close both directions (twice does no harm)."""
        self.sock.close()

    def reset(self) -> None:
        """Close with a reset in place of an end (on TCP; a Unix socket has no such thing)."""
        linger = b"\x01\0\0\0\0\0\0\0"
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()

    # Reading

    async def fill(self, most: int = 65536) -> bool:
        """Read once; False at the end of data."""
        data = await self.sock.recv(most)
        self._arrived(data)
        return bool(data)

    def _arrived(self, data: bytes) -> None:
        self.journal.append(Arrival(name=self.name, data=data))
        self.received += data
        self._unread += data

    @property
    def place(self) -> int:
        """How many bytes were asked for, of those that ever arrived."""
        return len(self.received) - len(self._unread)

    def has_unread(self) -> bool:
        """Whether something was read and not asked for."""
        return bool(self._unread)

    def take(self, count: int | None = None) -> bytes:
        """Take what was read but not asked for."""
        end = len(self._unread) if count is None else count
        data = bytes(self._unread[:end])
        del self._unread[:end]
        return data

    async def read(self, count: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._unread) < count:
            if not await self.fill():
                raise EndOfData(f"{bytes(self._unread)!r} for {count} bytes")
        return self.take(count)

    async def read_until(self, mark: bytes) -> bytes:
        """All up to the mark, and the mark."""
        while (at := self._unread.find(mark)) < 0:
            if not await self.fill():
                raise EndOfData(f"{bytes(self._unread)!r}, and no {mark!r}")
        return self.take(at + len(mark))

    async def read_head(self) -> bytes:
        """A head with its empty line."""
        return await self.read_until(HEAD_END)

    async def read_rest(self) -> bytes:
        """All up to the end of data, which must be a clean one."""
        while await self.fill():
            pass
        return self.take()

    async def count(self, total: int) -> int:
        """Read so many bytes without keeping them; return how many came before the end."""
        left = total - len(self.take())
        while left > 0 and (data := await self.sock.recv(min(left, 1 << 20))):
            left -= len(data)
        return total - left

    async def count_rest(self) -> int:
        """How many bytes come until the end of data; none of them is kept."""
        total = len(self.take())
        while data := await self.sock.recv(1 << 20):
            total += len(data)
        return total

    async def arrived(self) -> bytes:
        """What has come by itself; b"" shows that nothing did."""
        await settle()
        while True:
            try:
                data = os.read(self.sock.fileno(), 65536)
            except BlockingIOError:
                return self.take()
            self._arrived(data)
            if not data:
                return self.take()

    async def is_open(self) -> bool:
        """True if the other side has sent no end and no reset, now that everything is quiet."""
        await settle()
        raw = socket.socket(fileno=os.dup(self.sock.fileno()))
        with raw:
            raw.setblocking(False)
            try:
                return bool(raw.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                return True
            except OSError:
                return False

    async def read_gone(self) -> str:
        """Wait for the other side to go: "end" or "reset"; what comes before is in `received`."""
        try:
            while await self.fill():
                pass
        except OSError:
            return "reset"
        return "end"

    async def _read_message(self, conn: h11.Connection) -> Message:
        """One message by h11; what follows it stays unread."""
        start = len(self.received) - len(self._unread)
        if self._unread:  # h11 takes b"" for the end
            conn.receive_data(self.take())
        body, informational, trailers = bytearray(), [], list[tuple[bytes, bytes]]()
        head: h11.Request | h11.Response | None = None
        while True:
            event = conn.next_event()
            match event:
                case h11.NEED_DATA:
                    more = await self.fill()
                    conn.receive_data(self.take() if more else b"")
                case h11.InformationalResponse():
                    informational.append(event.status_code)
                case h11.Request() | h11.Response():
                    head = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage():
                    trailers = list(event.headers)
                    break
                case _:
                    raise AssertionError(f"{self.name} reads {event!r}")
        self._unread += conn.trailing_data[0]
        assert head is not None
        return Message(
            head=head,
            body=bytes(body),
            trailers=trailers,
            informational=tuple(informational),
            raw=bytes(self.received[start : len(self.received) - len(self._unread)]),
        )


class Client(Peer):
    """A client that says nothing but what the test writes."""

    async def ask(
        self,
        method: str = "GET",
        target: str = "/_ping",
        *fields: str,
        body: bytes = b"",
    ) -> None:
        """Send one request (see `request`)."""
        await self.send(request(method, target, *fields, body=body))

    async def read_response(self, method: str = "GET") -> Message:
        """The final response to a request of this method, and which 1xx came before it."""
        conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        conn.send(h11.Request(method=method, target="/", headers=[("Host", "docker")]))
        conn.send(h11.EndOfMessage())
        return await self._read_message(conn)


class EngineConnection(Peer):
    """The Engine's side of one connection."""

    async def read_request(self) -> Message:
        """A whole request; h11 must find nothing wrong with it."""
        return await self._read_message(
            h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        )

    async def has_more(self) -> bool:
        """False once the other side ended and nothing is left to read."""
        return self.has_unread() or await self.fill()

    async def hijack(self, answer: bytes) -> bytes:
        """Answer a request's head as the Engine hijacks: what came in the same read is lost and returned."""
        await self.read_head()
        lost = self.take()
        await self.send(answer)
        return lost

    async def answer(
        self, status: str = "200 OK", *fields: str, body: bytes = b""
    ) -> Message:
        """Read a request and send a response (see `response`)."""
        asked = await self.read_request()
        await self.send(response(status, *fields, body=body))
        return asked


Script = Callable[[EngineConnection], Awaitable[None]]


async def answer_always(connection: EngineConnection) -> None:
    """Answer every request with 200 and its own first line, until the other side ends."""
    while await connection.has_more():
        asked = await connection.read_request()
        await connection.send(response(body=asked.line))
    connection.close()


@dataclass(kw_only=True)
class FakeEngine:
    """A Unix socket on which the test plays the Engine."""

    path: Path
    journal: list[Arrival] = field(default_factory=list)
    """What came on any connection, in the order in which it was read."""
    connections: list[EngineConnection] = field(default_factory=list)
    """Every connection ever accepted."""
    _listener: trio.socket.SocketType | None = None

    def listen(self, *, backlog: int = 1024) -> None:
        """Start, on a new inode as a restarted Engine does."""
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.path))
        sock.listen(backlog)
        self._listener = trio.socket.from_stdlib_socket(sock)

    async def accept(self) -> EngineConnection:
        """The next connection that someone opens."""
        assert self._listener is not None
        sock, _ = await self._listener.accept()
        connection = EngineConnection(
            sock, f"engine {len(self.connections)}", self.journal
        )
        self.connections.append(connection)
        return connection

    async def is_called(self) -> bool:
        """True if a connection waits to be accepted, now that everything is quiet."""
        await settle()
        assert self._listener is not None
        poll = select.poll()
        poll.register(self._listener.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    async def serve(self, script: Script) -> None:
        """Let the script answer each connection until the fake stops; run it in a nursery."""
        async with trio.open_nursery() as nursery:
            with suppress(trio.ClosedResourceError):
                while True:
                    nursery.start_soon(self._play, script, await self.accept())

    async def _play(self, script: Script, connection: EngineConnection) -> None:
        with suppress(trio.ClosedResourceError):  # the test closed it meanwhile
            await script(connection)

    def stop(self) -> None:
        """Stop listening and remove the socket; open connections stay as they are."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self.path.unlink()

    def die(self) -> None:
        """Stop, and close every connection, as a process that was killed."""
        self.stop()
        for connection in self.connections:
            connection.close()


async def connect(
    address: str, journal: list[Arrival] | None = None, *, source: str = ""
) -> Client:
    """A client on `unix:///path` or `tcp://HOST:PORT`, there from an address of its own."""
    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    if scheme == "unix":
        sock = trio.socket.socket(socket.AF_UNIX)
    else:
        sock = trio.socket.socket(socket.AF_INET6 if "[" in host else socket.AF_INET)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if source:
            await sock.bind((source, 0))
        await sock.connect(place if scheme == "unix" else (host.strip("[]"), int(port)))
    except OSError:
        sock.close()
        raise
    return Client(sock, "client", journal)


def is_served(path: Path) -> bool:
    """Whether somebody listens on a Unix socket: that has its name a moment before."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def open_descriptors() -> int:
    """How many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))


def resident_bytes() -> int:
    """How much memory this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf(
        "SC_PAGESIZE"
    )
