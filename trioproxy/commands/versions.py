"""What an Engine says of its versions.

Asked with a socket of its own, in one go: neither a start nor a probe needs more, and who
has no answer in time says nothing.
"""

import socket
import time
from typing import Final

from trioproxy.config import Address, UnixAddress
from trioproxy.errors import BadRequest
from trioproxy.http import jsonbody

SECONDS: Final = 2.0
"""From the question to the end of the answer."""

MOST: Final = 256 * 1024
"""Bytes of an answer."""

# Of HTTP/1.0, to which nobody answers in chunks; the end of the answer is that of the data.
QUESTION: Final = b"GET /version HTTP/1.0\r\nHost: docker\r\n\r\n"


def versions(upstream: Address) -> object:
    """Ask an Engine for its versions: what it answers, None where it does not."""
    try:
        answer = _ask(upstream)
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            return None
        return jsonbody.parse(body)
    except (OSError, BadRequest):
        return None


def _ask(upstream: Address) -> bytes:
    deadline = time.monotonic() + SECONDS
    answer = bytearray()
    with _connect(upstream) as sock:
        sock.sendall(QUESTION)
        while len(answer) <= MOST:
            if (left := deadline - time.monotonic()) <= 0:
                raise TimeoutError
            sock.settimeout(left)
            data = sock.recv(64 * 1024)
            if not data:
                return bytes(answer)
            answer += data
    raise OSError("an answer without an end")


def _connect(upstream: Address) -> socket.socket:
    if not isinstance(upstream, UnixAddress):
        return socket.create_connection((upstream.host, upstream.port), SECONDS)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(SECONDS)
        sock.connect(upstream.path)
    except BaseException:
        sock.close()
        raise
    return sock
