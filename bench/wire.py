"""Raw sockets for the benchmark's client and stand-in: large buffers, blocking calls."""

import socket

BLOCK = bytes(1024 * 1024)
"""1 MiB of zeros: no run of it can look like the end of a chunked body."""

_CHUNK = (
    32 * 1024
)  # io.Copy in Go writes 32 KiB at a time, and each write becomes a chunk

CHUNKED_BLOCK = (b"%x\r\n%s\r\n" % (_CHUNK, bytes(_CHUNK))) * (len(BLOCK) // _CHUNK)
"""The same 1 MiB in the chunks that the Engine and the docker CLI write."""

CHUNKED_END = b"0\r\n\r\n"
"""The last chunk, without trailers."""

BACKLOG = 4096


def unix_listener(path: str) -> socket.socket:
    """A listening Unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen(BACKLOG)
    return sock


def tcp_listener(port: int) -> socket.socket:
    """A listening socket on loopback."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(BACKLOG)
    return sock


_HELD: list[socket.socket] = []


def free_port() -> int:
    """A loopback port that nothing listens on. We hold it until we end: it is given to nobody who
    asks for any port, and who names it, with SO_REUSEADDR as servers do, may listen there."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    _HELD.append(sock)
    port: int = sock.getsockname()[1]
    return port


def send_bulk(sock: socket.socket, block: bytes, times: int, end: bytes = b"") -> None:
    """Send a block again and again."""
    for _ in range(times):
        sock.sendall(block)
    if end:
        sock.sendall(end)


class Sink:
    """Reads a body as fast as Python can, counts it and keeps no more than its tail."""

    def __init__(self, sock: socket.socket, early: bytes = b"") -> None:
        self._sock = sock
        self._buffer = memoryview(bytearray(256 * 1024))
        self._tail = early[-len(CHUNKED_END) :]
        self.count = len(early)
        """Bytes so far, chunk framing included."""

    def read_sized(self, length: int) -> bool:
        """Read a body of known length; False when the peer ended before."""
        while self.count < length:
            got = self._sock.recv_into(self._buffer)
            if not got:
                return False
            self.count += got
        return self.count == length

    def read_chunked(self) -> bool:
        """Read to the last chunk; False when the peer ended before."""
        while self._tail != CHUNKED_END:
            got = self._sock.recv_into(self._buffer)
            if not got:
                return False
            self.count += got
            fresh = self._buffer[max(0, got - len(CHUNKED_END)) : got]
            self._tail = (self._tail + fresh)[-len(CHUNKED_END) :]
        return True

    def read_all(self) -> None:
        """Read until the peer ends."""
        while got := self._sock.recv_into(self._buffer):
            self.count += got
