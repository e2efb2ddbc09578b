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

_SETS: Final = {
    "creates": [
        f"{what}Create"
        for what in ("Config", "Container", "Network", "Secret", "Service", "Volume")
    ],
    "sets-state": [
        f"{what}{verb}"
        for what in ("Container", "LibpodContainer", "LibpodPod")
        for verb in ("Kill", "Pause", "Start", "Stop", "Unpause")
    ],
}
"""Operations that the table names together."""

_ROWS: Final = """
404 GET HEAD: who asks whether a thing is there has got the answer
404 DELETE: what is to be gone is gone: `docker rm -f` before a create
404 ContainerKill ContainerStop: what is to end is not there: a stop before an `rm`, twice
409 GET HEAD: the thing is in a state in which it has no logs, processes or statistics
409 DELETE: it is in use, or is being removed at this moment
409 creates ContainerRename: the name is taken: there is one of before, or another was faster
404 ContainerResize ExecResize: a race: the process was over before its terminal had a size
409 ContainerResize ExecResize: a race: the process was over before its terminal had a size
409 sets-state: the container is in the wanted state already, or in none that has it
403 NetworkConnect NetworkDelete: connected already, or others are connected still; the 403 is the Engine's
503 GET HEAD: this node is no manager of a swarm, which the client wanted to know
503 SwarmInit SwarmJoin SwarmLeave: this node is part of a swarm already, or of none
"""


class Need(NamedTuple):
    """An answer that shows a need, for some methods or some operations."""

    status: str
    of: AbstractSet[str]
    why: str


def _need(row: str) -> Need:
    answer, _, why = row.partition(": ")
    status, *of = answer.split()
    return Need(status, {one for name in of for one in _SETS.get(name, (name,))}, why)


NEEDS: Final = tuple(map(_need, _ROWS.strip().splitlines()))


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
