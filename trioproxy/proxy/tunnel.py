"""Raw bytes both ways after a hijack, half-close per direction, and no deadline."""

import trio

from trioproxy.errors import ClientLost, UpstreamLost
from trioproxy.http.framing import Sized
from trioproxy.proxy.relay import SMALL_SIZE, relay
from trioproxy.proxy.shared import Shared
from trioproxy.proxy.watch import READABLE
from trioproxy.proxy.wire import Wire

Direction = tuple[Wire, Sized]
"""Where bytes come from, and the count of those that have passed."""


async def tunnel(
    client: Direction, upstream: Direction, early: bytes, shared: Shared
) -> None:
    """Copy both ways until both have ended, or one side breaks.

    `early` are client bytes that came before the Engine's head. They were held until
    now: the Engine discards what reaches it together with the request that it hijacks.
    Closing: by the owner of the wires, when this has returned.
    """
    held = b""
    if not early:
        try:
            early, held = await _while_little_moves(client, upstream)
        except (ClientLost, UpstreamLost):
            return
    async with trio.open_nursery() as nursery:
        scope = nursery.cancel_scope
        # This task copies one way, a second one the other: each can park on its own, and
        # each EOF is passed on while the other direction goes on.
        shared.watch.start_soon(
            nursery, _copy, upstream, client[0], held, shared, scope
        )
        await _copy(client, upstream[0], early, shared, scope)
        # The client closed both ways: nobody is left to read what the Engine still says.
        if client[0].gone:
            scope.cancel()


async def _while_little_moves(
    client: Direction, upstream: Direction
) -> tuple[bytes, bytes]:
    """Copy both ways in this task alone: most tunnels are a terminal that says nothing
    for hours, and a second task is half of what one holds.

    Until a side ends, sends much at once, or finds no room: from then on neither way may
    wait for the other. Returns what was read of each side and not passed on.
    """
    one, other = client[0], upstream[0]
    while True:
        if one.heard & READABLE:
            held = _pass_little(client, other)
            if held is not None:
                return held, b""
        if other.heard & READABLE:
            held = _pass_little(upstream, one)
            if held is not None:
                return b"", held
        # Each read has emptied its socket, so all others have their turn here.
        if not (
            (one.heard | other.heard) & READABLE
            or one.watch.stay(one, READABLE)
            or other.heard & READABLE
        ):
            await one.watch.park_between(one, other)


def _pass_little(source: Direction, sink: Wire) -> bytes | None:
    """Pass on what is there, if that is not much; else return what was not passed on."""
    wire, boundary = source
    data = wire.recv_now(SMALL_SIZE)
    if data is None:
        return None
    sent = sink.send_now(data) if data else 0
    boundary.skip(sent)
    return None if 0 < len(data) == sent < SMALL_SIZE else data[sent:]


async def _copy(
    source: Direction, sink: Wire, early: bytes, shared: Shared, scope: trio.CancelScope
) -> None:
    """Copy until the EOF, which becomes a half-close; a break ends both directions."""
    wire, boundary = source
    try:
        await relay(wire, sink, boundary, shared.buffer, early)
    except (ClientLost, UpstreamLost):
        scope.cancel()
    else:
        wire.ended = True
        sink.send_eof()
