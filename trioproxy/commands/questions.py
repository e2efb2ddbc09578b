"""What an Engine has under the names in one request, for `check --upstream`."""

import os

import trio

from trioproxy.commands import start
from trioproxy.config import Address, upstream_address
from trioproxy.errors import ConfigError, UpstreamError
from trioproxy.http.memo import Memo
from trioproxy.judge.gate import Gate
from trioproxy.judge.references import Reference
from trioproxy.limits.things import Known
from trioproxy.proxy.engine import Engine
from trioproxy.proxy.resolve import Resolver
from trioproxy.proxy.shared import Remembered
from trioproxy.proxy.watch import Watch


def known(gate: Gate, references: tuple[Reference, ...], upstream: str) -> Known:
    """Ask the Engine at `upstream` what it has under some names.

    Nothing is made and nothing is sent but questions. `ConfigError`: it does not say;
    `BadRequest`: what is named can be no name.
    """
    address = upstream_address(upstream, os.environ)
    try:
        return start.run(_ask, gate, references, address)
    except UpstreamError as error:
        raise ConfigError(
            f"cannot ask the Docker Engine at {address}: {error}",
            hint="name the Engine's own socket with --upstream unix:///path",
        ) from error


async def _ask(
    gate: Gate, references: tuple[Reference, ...], address: Address
) -> Known:
    watch = Watch()
    engine = Engine(address, Memo(), watch)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.run)
            resolver = Resolver(engine, gate, Remembered())
            found = await resolver.resolve(references)
            nursery.cancel_scope.cancel()
    finally:
        engine.drop()
        watch.close()
    return found
