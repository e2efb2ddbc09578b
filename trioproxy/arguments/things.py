"""Things of the Engine, as its answers to our questions describe them.

What a request names is judged by what the Engine has under that name, and by nothing
that the client says of it. An answer of which a part that counts is missing describes
nothing: it raises, and the request is refused.
"""

from collections.abc import Mapping
from typing import NamedTuple

from trioproxy.arguments import normal
from trioproxy.arguments.asked import text_of, texts_of
from trioproxy.arguments.bodies import Json
from trioproxy.arguments.families import Kind
from trioproxy.errors import UpstreamError


class Thing(NamedTuple):
    """What the Engine has under a name."""

    kind: Kind
    id: str
    """In full; the name of a volume, which has no id."""
    names: tuple[str, ...] = ()
    """Of an image in normal form."""


class Missing(NamedTuple):
    """What the Engine answers where it has nothing under a name, or more than one."""

    status: int
    message: str


Known = Mapping[tuple[Kind, str], Thing | Missing]
"""What the Engine has under the names of a request, by kind and what the client wrote."""


def describe(kind: Kind, value: Json) -> Thing:
    """Read the Engine's description of a thing. Raises `UpstreamError` for none."""
    if not isinstance(value, Mapping):
        raise _incomplete(kind)
    return _DESCRIBERS[kind](value)


def _incomplete(kind: Kind) -> UpstreamError:
    return UpstreamError(f"the Engine's description of a {kind} is not complete")


def _image(value: Mapping[str, Json]) -> Thing:
    full = text_of(value.get("Id"))
    if not full.startswith("sha256:"):
        raise _incomplete(Kind.IMAGE)
    written = (*texts_of(value.get("RepoTags")), *texts_of(value.get("RepoDigests")))
    return Thing(Kind.IMAGE, full, tuple(map(normal.image, written)))


_DESCRIBERS = {Kind.IMAGE: _image}
