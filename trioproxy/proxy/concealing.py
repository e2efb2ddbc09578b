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
    sides: Sides, response: ResponseHead, content: Content, asked: bytes
) -> bytes:
    """Read an error, and give what may be shown of it; `asked`: what the client named.

    The Engine is asked on a connection of our own: it may answer with an error before it has read
    the request, and what is still to come of that goes on beside this, on the other. A question
    there would be a part of a body, and a body on a connection that was opened for a question a
    request that nobody judged. Raises `UpstreamError`.
    """
    if is_packed(response.client):
        raise unreadable("it comes packed")
    message = await content.whole(MOST_OF_A_MESSAGE)
    if message is None:
        raise UpstreamError("the Docker Engine's error is too long to be read")
    names, engine = told(message, asked), sides.another_engine()
    gate, strangers = sides.admission.gate, set(names[MOST:])
    # One, so that all of them are asked about by one deadline.
    resolver = Resolver(engine, gate, sides.shared.remembered)
    try:
        for name in names[:MOST]:
            try:
                if not await _is_shown(resolver, gate.narrows, name):
                    strangers.add(name)
            except UpstreamError:
                strangers.add(name)  # nobody knows whose it is
    finally:
        engine.drop()
    return without(message, strangers)


async def _is_shown(resolver: Resolver, objects: Objects, name: str) -> bool:
    """Whether it is listed, or nothing that a list could hold."""
    for kind in (Kind.CONTAINER, Kind.NETWORK):
        if objects.limits(kind):
            thing = await resolver.find(kind, name)
            if thing is not None:
                return objects.shows(thing)
    return True
