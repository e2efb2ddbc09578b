"""Requests of every route in many dresses, and how they are sent and understood."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import trio

from tests.differential.haproxy_rules import MARK
from trioproxy.api.routes import ENDPOINTS, LIBPOD_SECTIONS, Endpoint, section_prefix
from trioproxy.file.variables import (
    LIBPOD_VARIABLES,
    METHOD_SWITCHES,
    SWITCHES,
    VERBS,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get")
IDS = ("x", "a.b-c_d", "my%20name", "a%2Fb", "a/b", "logs", "json", "%C3%A9", "x:1@y")
FORM = "Content-Type: application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request."""

    method: str
    target: str
    fields: tuple[str, ...] = ()
    body: bytes = b""

    @property
    def raw(self) -> bytes:
        """As it goes over the wire, for a connection of its own."""
        length = (f"Content-Length: {len(self.body)}",) if self.body else ()
        fields = ("Host: docker", *self.fields, *length, "Connection: close")
        head = "\r\n".join((f"{self.method} {self.target} HTTP/1.1", *fields, "", ""))
        return head.encode("ascii") + self.body

    def __str__(self) -> str:
        return " ".join((self.method, self.target, *self.fields))


# Ways to write a path that a filter and the Engine, or two filters, may read differently.
TRICKS: tuple[Callable[[str], str], ...] = (
    lambda path: f"/v1.45{path}",
    lambda path: f"/v1.24{path}?all=1&x=/../y",
    lambda path: f"/v1.12{path}",
    lambda path: f"/v4.9.3{path}",
    lambda path: f"/v1.45.0{path}",
    lambda path: f"/v1.045{path}",
    lambda path: f"/V1.45{path}",
    lambda path: f"/v2{path}",
    lambda path: f"{path}?",
    lambda path: f"{path}?x=%2F&y",
    lambda path: f"{path}/",
    lambda path: f"{path}/more",
    lambda path: f"{path}X",
    lambda path: f"{path};x=1",
    lambda path: f"{path}%00",
    lambda path: f"{path}%0a",
    lambda path: f"/{path}",
    lambda path: f"/.{path}",
    lambda path: f"/x/..{path}",
    lambda path: f"/x%2f..{path}",
    lambda path: f"/%2e%2e{path}",
    lambda path: f"http://docker{path}",
    lambda path: f"http://other{path}",
    str.upper,
    str.title,
    lambda path: re.sub(r"^/[a-z]", lambda found: found[0].upper(), path),
    lambda path: re.sub(r"^/([a-z_]+)", r"/\1s", path),
    lambda path: re.sub(r"[a-z]", lambda found: f"%{ord(found[0]):02x}", path, count=3),
    lambda path: path.replace("/", "%2F", 1) if path.count("/") == 1 else path[:1] + path[1:].replace("/", "%2f", 1),
    lambda path: path.replace("/", "//", 2),
)  # fmt: skip

ALWAYS = (
    HttpRequest(method="GET", target="/frob"),
    HttpRequest(method="GET", target="/versionX"),
    HttpRequest(method="GET", target="/INFO"),
    HttpRequest(method="GET", target="/debug/vars"),
    HttpRequest(method="OPTIONS", target="/containers/json"),
    HttpRequest(method="OPTIONS", target="/frob"),
    HttpRequest(method="GET", target="/containers/x/frob"),
    HttpRequest(method="PATCH", target="/containers/x"),
    HttpRequest(method="GET", target="/containers/x/logs/json"),
    HttpRequest(method="GET", target="/containers/x/toplevel/json"),
    HttpRequest(method="GET", target="/containers/x/start"),
    HttpRequest(method="POST", target="/containers/x/startled"),
    HttpRequest(method="POST", target="/containers/x/start?checkpoint=x"),
    HttpRequest(method="PUT", target="/containers/parent/alias/archive?path=/"),
    HttpRequest(method="PATCH", target="/containers/parent/alias/logs"),
    HttpRequest(method="POST", target="/v1.45/containers/x/stop?t=1"),
    HttpRequest(method="POST", target="/containers/x/exec"),
    HttpRequest(method="GET", target="/containers/x/attach/ws"),
    HttpRequest(method="POST", target="/pods/x/stop"),
    HttpRequest(method="DELETE", target="/containers/x"),
    HttpRequest(method="DELETE", target="/volumes/x"),
    HttpRequest(method="PUT", target="/containers/x/archive"),
    HttpRequest(method="GET", target="/libpod/_ping"),
    HttpRequest(method="GET", target="/v4.9.3/libpod/version"),
    HttpRequest(method="GET", target="/libpod/containers/x/logs"),
    HttpRequest(method="GET", target="/v4.9.3/libpod/containers/json"),
    HttpRequest(method="GET", target="/v5.4.2/libpod/images/a%2Fb/json"),
    HttpRequest(method="PUT", target="/v5.4.2/libpod/containers/x/archive?path=/"),
    HttpRequest(method="POST", target="/v5.4.2/libpod/containers/x:1@y/stop"),
    HttpRequest(method="POST", target="/v3.4.4/libpod/manifests/x/add"),
    HttpRequest(method="GET", target="/v5.0.0-rc1/libpod/info"),
    HttpRequest(method="GET", target="/libpod/INFO"),
    HttpRequest(method="GET", target="/libpod/podsX/json"),
    HttpRequest(method="TRACE", target="/containers/x"),
    HttpRequest(method="POST", target="/containers/x/start", fields=(FORM,), body=b"x=1"),
    HttpRequest(
        method="POST",
        target="/build",
        fields=("Content-Type: multipart/form-data; boundary=x",),
        body=b"--x--",
    ),
    HttpRequest(method="POST", target="/images/create", fields=("Content-Type: application/grpc+proto",), body=b"x"),
    HttpRequest(method="GET", target="/version", fields=("Origin: http://evil.example",)),
    HttpRequest(method="GET", target="/_ping", fields=("Sec-Fetch-Site: cross-site",)),
)  # fmt: skip


def http_requests(rng: random.Random) -> Iterator[HttpRequest]:
    """Every route once, most of them in a dress of their own, and what is always asked."""
    yield from ALWAYS
    for section in LIBPOD_SECTIONS:
        method = rng.choice(("GET", "POST", "DELETE"))
        yield HttpRequest(method=method, target=f"{section_prefix(section)}/x/json")
    for base in ("/libpod/containers", "/v5.0.0/libpod/pods"):
        word = rng.choice(("pause", "kill", "restart", "start", "stop", "unpause"))
        yield HttpRequest(method="POST", target=f"{base}/x/{word}")
    for endpoint in ENDPOINTS:
        method = "POST" if endpoint.method == "ANY" else endpoint.method
        if rng.random() < 0.2:
            method = rng.choice(METHODS)
        path = _path(endpoint, rng)
        if rng.random() < 0.6:
            path = rng.choice(TRICKS)(path)
        yield HttpRequest(method=method, target=path)


def _path(endpoint: Endpoint, rng: random.Random) -> str:
    return re.sub(r"\{[^}]*\}", lambda _: rng.choice(IDS), endpoint.template)


def environment(rng: random.Random) -> dict[str, str]:
    """Make up an environment: switches 1, 0, empty or unset, all others 1, 0 or unset."""
    ones = rng.choice((0.3, 0.6, 0.9))
    values = dict[str, str]()
    for name in SWITCHES:
        if rng.random() < ones:
            values[name] = "1"
        elif rng.random() < 0.8:
            values[name] = rng.choice(("0", ""))
    for name in VERBS:
        if rng.random() < 0.6:
            values[name] = rng.choice(("0", "1"))
    for name in (*METHOD_SWITCHES, *sorted(LIBPOD_VARIABLES)):
        if rng.random() < 0.4:
            values[name] = rng.choice(("0", "1"))
    return values


async def reaches_engine(address: str, sent: HttpRequest) -> bool:
    """Send a request to a socket's path or a TCP URL; whether the Engine answered it."""
    async with await _connect(address) as stream:
        await stream.send_all(sent.raw)
        answer = bytearray()
        async for chunk in stream:
            answer += chunk
    head, mark, _ = bytes(answer).partition(b"\r\n\r\n")
    if not (mark and head.startswith(b"HTTP/1.")):
        raise AssertionError(
            f"{sent} at {address}: no answer but {bytes(answer[:80])!r}"
        )
    return f"\r\n{MARK}: ".lower().encode("ascii") in head.lower()


async def _connect(address: str) -> trio.SocketStream:
    host, mark, port = address.removeprefix("tcp://").rpartition(":")
    if mark:
        return await trio.open_tcp_stream(host, int(port))
    return await trio.open_unix_socket(address)
