"""What an item of a list stands for, where it is more than itself."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api.arguments import DEFAULT_USER
from trioproxy.api.families import MOVING, OBJECTS, OWNER_VARIABLE
from trioproxy.judge.rules import Policy
from trioproxy.limits import varying
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY
from trioproxy.limits.objects import OF_LABEL, OF_PROJECT, OWN
from trioproxy.limits.patterns import EPHEMERAL, READ_ONLY
from trioproxy.limits.sorts import OWN_IMAGES

HOLE: Final = re.compile(rf"(/\*\Z|{varying.HOLE.pattern})")
"""What stands for more than itself in an item: all below a path, or a hole."""

_KINDS: Final[Mapping[str, str]] = {
    "num": "any digits",
    "uuid": "a UUID",
    "date": "a date, as 2026-11-20 or 20261120",
    "uid": "the number of a user, 1000 to 59999",
    "hex": "exactly {} of 0-9 and a-f",
    "rand": "exactly {} letters, digits or _",
    "": "exactly {} letters, digits, _ or -",
}

_BUILT: Final = "what was built or committed through this policy since the proxy began, by its id; BuildKit tells none"


def reading(grant: Grant, policy: Policy) -> Iterator[tuple[str, str]]:
    """Parts of an item of a policy that are not plain, each with what it stands for."""
    variable, item = grant
    if variable in OBJECTS and item.startswith("@"):
        owner = f"{OWNER_VARIABLE}={policy.objects.owner}"
        told = {
            OWN: f"what was made through a file with {owner}",
            OF_PROJECT: "what Compose made for this project",
            OF_LABEL: "what has this label",
        }
        yield from ((item, told[one]) for one in told if item.startswith(one))
        return
    if variable == "CREATE_IMAGES" and item in OWN_IMAGES:
        yield item, _BUILT
    for hole in dict.fromkeys(HOLE.findall(item)) if item != ANY else ():
        yield hole, _hole(hole)
    for (hole, name), place in zip(MOVING.items(), policy.limits.places, strict=True):
        if hole in item:
            yield hole, place or f"what {name} names"
    if variable == "CREATE_BINDS" and item.endswith(READ_ONLY):
        yield READ_ONLY, "to be read, and not written"
    if variable == "CREATE_PORTS" and "random" in item:
        first, last = EPHEMERAL[0], EPHEMERAL[-1]
        yield "random", f"any of {first} to {last}, or what the Engine chooses"
    if variable == "EXEC_COMMANDS" and item != ANY:
        yield item, "with any arguments"
    if item == DEFAULT_USER:
        yield item, "the container's own user, root where nothing else is said"


def _hole(hole: str) -> str:
    if hole.startswith("/"):
        return "all that lies below"
    if hole == ANY:
        return "any letters, digits, _ or -"
    return _KINDS[varying.kind_of(hole)].format(re.sub("[^0-9]", "", hole))
