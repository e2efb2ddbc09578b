"""Errors of the Engine that tell of strangers: whose name is taken, who is in the way.

That a name, a port or a subnet is taken can be found out; by whom cannot. What looks like an id in
the message of an error is looked up, unless the client named it, and is left out where it is
of something that is not listed. Of a network that cannot go the Engine tells the names of
who is on it: these count in the same way, with their ids.
"""

import re
from collections.abc import Collection
from typing import Final

_NOT_LISTED: Final = b"(not listed)"
"""What stands there instead."""

# `Conflict. The container name "/web" is already in use by container "ID"` tells the id of who has a name, and `network
# n has active endpoints (name:"web" id:"ID")` who is on a network. What the client wrote itself it may read again.
# In JSON a quote in a text has a backslash. An image's id is nobody's.
_NAMED: Final = re.compile(
    rb'name:\\*"(?P<name>[A-Za-z0-9_.-]{1,255})\\*" id:\\*"[0-9a-f]{7,64}\\*"'
)
_ID: Final = re.compile(
    rb"(?<!sha256:)(?<!image )(?<![0-9A-Za-z_])(?P<name>[0-9a-f]{64}|[0-9a-f]{12})(?![0-9A-Za-z_])"
)


def told(message: bytes, asked: bytes) -> list[str]:
    """What a message may tell of, by name or id, and the client did not name in `asked`: the path,
    which has one object. Into a query he writes all that he guesses."""
    found = (one.finditer(message) for one in (_NAMED, _ID))
    names = dict.fromkeys(one["name"] for each in found for one in each)
    return [name.decode() for name in names if name not in asked]


def without(message: bytes, strangers: Collection[str]) -> bytes:
    """The same message without what is not listed."""

    def shown(one: re.Match[bytes]) -> bytes:
        return _NOT_LISTED if one["name"].decode() in strangers else one[0]

    return _ID.sub(shown, _NAMED.sub(shown, message))
