"""A strict reading of the requests that reach the Engine's socket (RFC 9112).

Written to be a judge of what the proxy sends on, so it shares nothing with it: no h11, none
of its tables. There is one way to write a request here; `Unclear` is raised for all others.
"""

import re
from dataclasses import dataclass

REQUEST_LINE = re.compile(rb"([!#-'*+.0-9A-Z^_`a-z|~-]+) (/[!-~]*) HTTP/1\.([01])")
FIELD = re.compile(rb"([!#-'*+.0-9A-Z^_`a-z|~-]+): ([ -~\t\x80-\xff]*)")
TRAILER = re.compile(rb"[!#-'*+.0-9A-Z^_`a-z|~-]+:[ -~\t\x80-\xff]*")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")
ONLY_ONCE = (
    "host",
    "content-length",
    "transfer-encoding",
    "content-type",
    "connection",
)
ONE_HOP_ONLY = ("keep-alive", "proxy-connection", "te", "upgrade", "http2-settings")


class Unclear(Exception):
    """Two readers might see two things in this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One request as it arrived."""

    method: bytes
    target: bytes
    headers: tuple[tuple[str, bytes], ...]
    """Names in lower case."""
    body: bytes
    is_whole: bool

    @property
    def line(self) -> str:
        """Method and target."""
        return f"{self.method.decode()} {self.target.decode()}"

    def header(self, name: str) -> bytes | None:
        """The only value of a header."""
        return dict(self.headers).get(name)


def read_requests(data: bytes) -> list[Read]:
    """Read all requests of a connection; only the last may lack a part of its body."""
    requests = list[Read]()
    while data:
        request, data = _read_request(data)
        requests.append(request)
    return requests


def _read_request(data: bytes) -> tuple[Read, bytes]:
    head, end, rest = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    first = REQUEST_LINE.fullmatch(lines[0])
    if not end or not first:
        raise Unclear(f"no request: {data[:200]!r}")
    headers = tuple(_read_field(line) for line in lines[1:])
    _check(headers, is_1_0=first[3] == b"0")
    body, is_whole, rest = _read_body(dict(headers), rest)
    request = Read(
        method=first[1], target=first[2], headers=headers, body=body, is_whole=is_whole
    )
    return request, rest


def _read_field(line: bytes) -> tuple[str, bytes]:
    field = FIELD.fullmatch(line)
    if not field or field[2] != field[2].strip():
        raise Unclear(f"no header line: {line!r}")
    return field[1].decode().lower(), field[2]


def _check(headers: tuple[tuple[str, bytes], ...], *, is_1_0: bool) -> None:
    names = [name for name, _ in headers]
    for name in ONLY_ONCE:
        if names.count(name) > 1:
            raise Unclear(f"{name} comes twice")
    if set(names) & set(ONE_HOP_ONLY):
        raise Unclear(f"a header of one hop arrives: {names}")
    if "transfer-encoding" in names and ("content-length" in names or is_1_0):
        raise Unclear("two framings")
    if "host" not in names and not is_1_0:
        raise Unclear("no host")
    if dict(headers).get("connection", b"close").lower() not in {
        b"close",
        b"keep-alive",
    }:
        raise Unclear("Connection names a header")


def _read_body(headers: dict[str, bytes], rest: bytes) -> tuple[bytes, bool, bytes]:
    coding = headers.get("transfer-encoding")
    length = headers.get("content-length", b"0")
    if coding is not None:
        if coding.lower() != b"chunked":
            raise Unclear(f"a coding: {coding!r}")
        return read_chunks(rest)
    if not re.fullmatch(rb"[0-9]{1,18}", length):
        raise Unclear(f"a length: {length!r}")
    count = int(length)
    return rest[:count], len(rest) >= count, rest[count:]


def read_chunks(rest: bytes) -> tuple[bytes, bool, bytes]:
    """Read a chunked body: what it carries, whether it is whole, and what follows it."""
    body = b""
    while True:
        line, rest = _cut_line(rest)
        if not line:
            return body, False, b""
        size = CHUNK_SIZE.fullmatch(line)
        if not size:
            raise Unclear(f"no chunk size: {line!r}")
        count = int(size[1], 16)
        if not count:
            return _read_trailers(body, rest)
        body += rest[:count]
        line, rest = _cut_line(rest[count:])
        if line not in {b"", b"\r\n"}:
            raise Unclear(f"no end of a chunk: {line!r}")


def _cut_line(rest: bytes) -> tuple[bytes, bytes]:
    """One line and the rest; a line that has not ended yet says nothing to anybody."""
    end = rest.find(b"\n") + 1
    return rest[:end], rest[end:] if end else b""


def _read_trailers(body: bytes, rest: bytes) -> tuple[bytes, bool, bytes]:
    line, rest = _cut_line(rest)
    while line not in {b"", b"\r\n"}:
        if not line.endswith(b"\r\n"):
            raise Unclear(f"a trailer ends in LF: {line!r}")
        if not TRAILER.fullmatch(line[:-2]):
            raise Unclear(f"no trailer: {line!r}")
        line, rest = _cut_line(rest)
    return body, bool(line), rest
