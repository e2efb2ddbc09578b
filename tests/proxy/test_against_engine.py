"""What is allowed is answered as if there were no proxy."""

import re
from pathlib import Path

import pytest
import trio

from tests.engine import Engine
from tests.fakes import request
from tests.proxy.between import exchange, facts, proxy_before
from trioproxy.policy.endpoints import ENDPOINTS, OPERATIONS, Effect, Endpoint, Stream

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


def written(endpoint: Endpoint, version: str) -> bytes:
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
    with trio.fail_after(10):
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
    with trio.fail_after(30):
        (direct,) = await exchange(engine.url, raw)
        async with proxy_before(engine.socket, EVERYTHING, tmp_path) as url:
            (through,) = await exchange(url, raw)
    assert through.status == direct.status
    assert through.all("content-type") == direct.all("content-type")
    assert through.all("api-version") == direct.all("api-version")
