"""Asking with a socket of our own, in one go: neither a start nor a probe needs more."""

import socket
import time
from contextlib import ExitStack
from typing import Any, Final

from trioproxy.config import Address, UnixAddress

MOST: Final = 256 * 1024
"""Bytes of an answer."""


def connected(address: Address, seconds: float | None) -> socket.socket:
    """Connect within so many seconds; None: for as long as it takes. Raises `OSError`."""
    if not isinstance(address, UnixAddress):
        host: Any = address.dialed  # the library's stubs know texts alone
        return socket.create_connection((host, address.port), seconds)
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        sock.settimeout(seconds)
        sock.connect(address.path)
        undo.pop_all()
    return sock


def answer_of(address: Address, question: bytes, seconds: float) -> bytes:
    """Ask, and read all that is said until the end. Raises `OSError`, also where that takes
    longer, however it comes, or is too much."""
    until = time.monotonic() + seconds
    answer = bytearray()
    with connected(address, seconds) as sock:
        sock.sendall(question)
        while len(answer) <= MOST:
            if (left := until - time.monotonic()) <= 0:
                raise TimeoutError("timed out")
            sock.settimeout(left)
            data = sock.recv(64 * 1024)
            if not data:
                return bytes(answer)
            answer += data
    raise OSError("an answer without an end")
