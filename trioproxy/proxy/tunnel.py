"""Raw bytes both ways after a hijack, half-close per direction, and no deadline."""

import trio

from trioproxy.errors import ClientLost, UpstreamLost
from trioproxy.http.framing import UntilClose
from trioproxy.proxy.relay import relay
from trioproxy.proxy.shared import Shared
from trioproxy.proxy.wire import Wire

Direction = tuple[Wire, UntilClose]
"""Where bytes come from, and the count of those that have passed."""


async def tunnel(
    client: Direction, upstream: Direction, early: bytes, shared: Shared
) -> None:
    """Copy both ways until both have ended, or one side breaks.

    `early` are client bytes that came before the Engine's head. They were held until
    now: the Engine discards what reaches it together with the request that it hijacks.
    Closing: by the owner of the wires, when this has returned.
    """
    async with trio.open_nursery() as nursery:
        scope = nursery.cancel_scope
        # This task copies one way, a second one the other: each can park on its own, and
        # each EOF is passed on while the other direction goes on.
        shared.watch.start_soon(nursery, _copy, upstream, client[0], shared, scope)
        try:
            await upstream[0].send_all(early)
        except UpstreamLost:
            scope.cancel()
        else:
            client[1].skip(len(early))
            await _copy(client, upstream[0], shared, scope)


async def _copy(
    source: Direction, sink: Wire, shared: Shared, scope: trio.CancelScope
) -> None:
    """Copy until the EOF, which becomes a half-close; a break ends both directions."""
    wire, boundary = source
    try:
        await relay(wire, sink, boundary, shared.buffer)
    except (ClientLost, UpstreamLost):
        scope.cancel()
    else:
        wire.ended = True
        # The client closed both ways: nobody is left to read what the Engine still says.
        if wire.gone:
            scope.cancel()
        else:
            sink.send_eof()
