"""Raw bytes both ways after a hijack, half-close per direction, and no deadline."""

import trio

from trioproxy.errors import ClientLost, UpstreamLost
from trioproxy.proxy.relay import Buffer, UntilClose, relay
from trioproxy.proxy.wire import Wire


async def tunnel(client: Wire, upstream: Wire, early: bytes, buffer: Buffer) -> None:
    """Copy both ways until both have ended, or one side breaks.

    `early` are client bytes that came before the Engine's head: it loses what reaches
    it together with the request, so they were held. Closing: by the owner of the wires.
    """
    async with trio.open_nursery() as nursery:
        client.watch.expect()
        nursery.start_soon(_copy_back, upstream, client, buffer, nursery.cancel_scope)
        if await _send_early(upstream, early):
            await _copy_or_cancel(client, upstream, buffer, nursery.cancel_scope)
        else:
            nursery.cancel_scope.cancel()


async def _send_early(upstream: Wire, early: bytes) -> bool:
    try:
        await upstream.send_all(early)
    except UpstreamLost:
        return False
    return True


async def _copy_back(
    source: Wire, sink: Wire, buffer: Buffer, scope: trio.CancelScope
) -> None:
    sink.watch.begin()
    await _copy_or_cancel(source, sink, buffer, scope)


async def _copy_or_cancel(
    source: Wire, sink: Wire, buffer: Buffer, scope: trio.CancelScope
) -> None:
    """Copy until the end of data, which becomes a half-close; a break ends both ways."""
    try:
        await relay(source, sink, UntilClose(), buffer)
    except (ClientLost, UpstreamLost):
        scope.cancel()
    else:
        source.ended = True
        if source.gone:
            scope.cancel()
        else:
            sink.send_eof()
