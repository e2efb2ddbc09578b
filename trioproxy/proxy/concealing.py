"""An error of the Engine, read whole: what it tells of strangers is left out (`judge.conflicts`)."""

from typing import Final

from trioproxy.api.families import Kind
from trioproxy.errors import UpstreamError
from trioproxy.http.elements import unreadable
from trioproxy.http.response import ResponseHead, is_packed
from trioproxy.judge.conflicts import told, without
from trioproxy.limits.objects import Objects
from trioproxy.proxy.engine import Content
from trioproxy.proxy.resolve import Resolver
from trioproxy.proxy.shared import Sides

MOST_OF_A_MESSAGE: Final = 64 * 1024
"""Bytes of an error: 502. The Engine's have some hundred."""

MOST: Final = 32
"""Things in one message that are looked up; more are left out unseen."""


async def concealed(
    sides: Sides, response: ResponseHead, data: bytes, asked: bytes
) -> bytes:
    """Read an error, and give what may be shown of it.

    `data` came behind its head; `asked`: what the client named. Raises `UpstreamError`. Closing: the
    connection is dropped unless it is fit for another request.
    """
    if is_packed(response.client):
        raise unreadable("it comes packed")
    engine, gate = sides.engine, sides.admission.gate
    content = Content(engine.wire, response.framing, data)
    message = await content.whole(MOST_OF_A_MESSAGE)
    if message is None:
        raise UpstreamError("the Docker Engine's error is too long to be read")
    if content.surplus or not response.keep_alive:
        engine.drop()
    names = told(message, asked)
    strangers = set(names[MOST:])
    # One, so that all of them are asked about by one deadline.
    resolver = Resolver(engine, gate, sides.shared.remembered)
    for name in names[:MOST]:
        try:
            if not await _is_shown(resolver, gate.narrows, name):
                strangers.add(name)
        except UpstreamError:
            strangers.add(name)  # nobody knows whose it is
    return without(message, strangers)


async def _is_shown(resolver: Resolver, objects: Objects, name: str) -> bool:
    """Whether it is listed, or nothing that a list could hold."""
    for kind in (Kind.CONTAINER, Kind.NETWORK):
        if objects.limits(kind):
            thing = await resolver.find(kind, name)
            if thing is not None:
                return objects.shows(thing)
    return True
