"""Which answers of the Engine show that a client needs an operation: a table.

An answer depends on two things: on the request, and on the state in which the Engine was.
`docker rm -f web` is 404 on a clean machine and 204 on the next day; a client that is
refused it fails on both. So what counts is not that a request *succeeded* but that it
was *understood*: its answer says that things are so, and another state would have given
success. What the Engine could not do (500), would not read (400) or did not find for a
write (404 of a start) shows no need: the next run of the same client shows it.
"""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from trioproxy.api.routes import OPERATIONS
from trioproxy.evidence.sight import UNKNOWN, Sight

READS: Final = frozenset({"GET", "HEAD"})
_REMOVES: Final = frozenset({"DELETE"})
_CREATES: Final = frozenset(
    f"{what}Create"
    for what in ("Config", "Container", "Network", "Secret", "Service", "Volume")
)
_RESIZES: Final = frozenset({"ContainerResize", "ExecResize"})
_LATE: Final = "a race: the process was over before its terminal had a size"
_SETS_STATE: Final = frozenset(
    f"{what}{verb}"
    for what in ("Container", "LibpodContainer", "LibpodPod")
    for verb in ("Kill", "Pause", "Start", "Stop", "Unpause")
)


class Need(NamedTuple):
    """An answer that shows a need, for some methods or some operations."""

    status: str
    of: AbstractSet[str]
    why: str


NEEDS: Final = (
    Need("404", READS, "who asks whether a thing is there has got the answer"),
    Need("404", _REMOVES, "what is to be gone is gone: `docker rm -f` before a create"),
    Need(
        "404",
        {"ContainerKill", "ContainerStop"},
        "what is to end is not there: a stop before an `rm`, twice",
    ),
    Need(
        "409",
        READS,
        "the thing is in a state in which it has no logs, processes or statistics",
    ),
    Need("409", _REMOVES, "it is in use, or is being removed at this moment"),
    Need(
        "409",
        _CREATES | {"ContainerRename"},
        "the name is taken: there is one of before, or another was faster",
    ),
    Need("404", _RESIZES, _LATE),
    Need("409", _RESIZES, _LATE),
    Need(
        "409",
        _SETS_STATE,
        "the container is in the wanted state already, or in none that has it",
    ),
    Need(
        "403",
        {"NetworkConnect", "NetworkDelete"},
        "connected already, or others are connected still; the 403 is the Engine's",
    ),
    Need(
        "503",
        READS,
        "this node is no manager of a swarm, which the client wanted to know",
    ),
    Need(
        "503",
        {"SwarmInit", "SwarmJoin", "SwarmLeave"},
        "this node is part of a swarm already, or of none",
    ),
)


def is_need(sight: Sight, result: str) -> bool:
    """Whether this result shows that the client needs what it asked for."""
    operation = sight.operation
    if operation == UNKNOWN:
        return False
    if result in {"101", "304"} or (len(result) == 3 and result[0] == "2"):
        return True
    # All operations whose arguments or objects are looked at have one method.
    method = sight.method or OPERATIONS[operation][0].method
    return any(
        status == result and (method in of or operation in of)
        for status, of, _ in NEEDS
    )
