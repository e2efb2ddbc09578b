"""What is allowed is answered as if there were no proxy, and read as the Engine reads it."""

import re
import socket
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.engine import Engine
from tests.fakes import request
from tests.patience import PATIENCE
from tests.proxy.raw_exchange import exchange, facts, proxy_before
from trioproxy.api.routes import (
    ENDPOINTS,
    OPERATIONS,
    Effect,
    Endpoint,
    Stream,
    match,
)
from trioproxy.api.target import Target
from trioproxy.errors import BadTarget

# Over HTTP/2 alone, which is never passed on.
NO_ROUTE = "BuildKitGrpc"
EVERYTHING = {"ALLOW_OPERATIONS": ",".join(OPERATIONS.keys() - {NO_ROUTE})}
NOBODY = "no-such-thing"

# Those that name a thing do nothing where there is none. A registry's name is looked up.
NAMING = [
    endpoint
    for endpoint in ENDPOINTS
    if "{" in endpoint.template
    and endpoint.operation not in {"DistributionInspect", NO_ROUTE}
]
READS = [
    endpoint
    for endpoint in ENDPOINTS
    if "{" not in endpoint.template
    and endpoint.method in {"GET", "HEAD"}
    and (endpoint.effect, endpoint.stream) == (Effect.READ, Stream.NONE)
]


def name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.template}"


def is_podmans(endpoint: Endpoint) -> bool:
    """Whether it is a route that Podman has and Docker's Engine has not."""
    return endpoint.template.startswith("/libpod/")


def written(endpoint: Endpoint, version: str) -> bytes:
    if version and is_podmans(endpoint):
        version = "/v5.4.2"  # they have versions of their own
    target = version + re.sub(r"\{[^}]*\}", NOBODY, endpoint.template)
    return request(endpoint.method, target)


@pytest.mark.engine
@pytest.mark.parametrize("version", ["", "/v1.44"], ids=["bare", "versioned"])
@pytest.mark.parametrize("endpoint", NAMING, ids=name)
async def test_same_answer(
    endpoint: Endpoint, version: str, engine: Engine, tmp_path: Path
) -> None:
    """Status, headers and body of each route are the Engine's own."""
    raw = written(endpoint, version)
    with trio.fail_after(PATIENCE):
        (direct,) = await exchange(engine.url, raw)
        async with proxy_before(engine.socket, EVERYTHING, tmp_path) as url:
            (through,) = await exchange(url, raw)
    assert facts(through) == facts(direct)


@pytest.mark.engine
@pytest.mark.parametrize("endpoint", READS, ids=name)
async def test_same_kind_of_answer(
    endpoint: Endpoint, engine: Engine, tmp_path: Path
) -> None:
    """What changes from one moment to the next has the same status and the same headers."""
    raw = written(endpoint, "")
    with trio.fail_after(PATIENCE):
        (direct,) = await exchange(engine.url, raw)
        async with proxy_before(engine.socket, EVERYTHING, tmp_path) as url:
            (through,) = await exchange(url, raw)
    assert through.status == direct.status
    assert through.all("content-type") == direct.all("content-type")
    assert through.all("api-version") == direct.all("api-version")


class Reading(NamedTuple):
    """What an answer tells about how the Engine read a request."""

    status: int
    is_routed: bool
    """It knows such a route."""
    complaint: bytes


def ask(path: Path, method: str, target: bytes) -> Reading:
    """Ask the Engine itself, in a form whose answer ends with the connection."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        sock.sendall(b"%s %s HTTP/1.0\r\n\r\n" % (method.encode(), target))
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return Reading(status, b"\nApi-Version:" in head, body if status >= 400 else b"")


SLOW = {"DistributionInspect", "GetPluginPrivileges", "ImageSearch", "SystemDataUsage"}
NEWER = {"ImageAttestations", "PluginInspectLegacy"}
"""Not in every Engine, as /debug with a version is not."""

DEBUG = {endpoint.operation for endpoint in ENDPOINTS if endpoint.section == "DEBUG"}

TEMPLATES = [
    endpoint.template
    for endpoint in ENDPOINTS
    if endpoint.method == "GET"
    and endpoint.stream is Stream.NONE
    and endpoint.operation not in SLOW
] + ["/{x}", "/{x}/json", "/containers/{x}/unheard-of"]
NAMES = [
    "busybox",
    "busybox:latest",
    NOBODY,
    "json",
    "a/b",
    "a/json",
    "..",
    "",
    "v1.45",
]
VERSIONS = [""] * 4 + ["/v1.45", "/v1.24", "/v1.045", "/v1", "/v1.45/v1.45", "/"]
ENDS = [""] * 20 + [
    "/",
    "?",
    "?all=1",
    "%20",
    "%",
    ";a",
    "%2F",
    "%3F",
    "#",
    "\\",
    "%0a",
]
SPELLINGS = ["%c"] * 3 + ["%%%02x", "%%%02X"]


@st.composite
def raw_targets(draw: st.DrawFn) -> bytes:
    """A target as of a route that reads and soon ends; a few letters escaped, or odd."""
    name, template = draw(st.sampled_from(NAMES)), draw(st.sampled_from(TEMPLATES))
    path = draw(st.sampled_from(VERSIONS)) + re.sub(r"\{[^}]*\}", name, template)
    spelling = draw(st.sampled_from(SPELLINGS))
    place = draw(st.integers(1, len(path)))
    spelt = "".join(spelling % ord(letter) for letter in path[place : place + 2])
    path = path[:place] + spelt + path[place + 2 :] + draw(st.sampled_from(ENDS))
    return path.encode()


@pytest.mark.slow
@pytest.mark.engine
@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(["GET", "GET", "GET", "HEAD", "PATCH", "get"]), raw_targets())
def test_same_reading(engine: Engine, method: str, raw: bytes) -> None:
    """What we take, the Engine reads alike in both forms, and knows a route if we do."""
    try:
        target = Target.parse(raw)
        endpoint = match(method, target)
    except BadTarget:
        event("refused")
        return
    event(endpoint.operation if endpoint else "unknown")
    reading = ask(engine.socket, method, raw)
    assert reading == ask(engine.socket, method, target.canonical)
    if endpoint is None or is_podmans(endpoint):
        assert (reading.status, reading.is_routed) == (404, False)
    elif endpoint.method == method and endpoint.operation not in NEWER | DEBUG:
        assert reading.is_routed
