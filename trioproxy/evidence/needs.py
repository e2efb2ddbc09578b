"""Which answers of the Engine show that a client needs an operation: a table.

An answer depends on two things: on the request, and on the state in which the Engine was.
`docker rm -f web` is 404 on a clean machine and 204 on the next day; a client that is
refused it fails on both. So what counts is not that a request *succeeded* but that it
was *understood*: its answer says that things are so, and another state would have given
success. What the Engine could not do (500), would not read (400) or did not find for a
write (404 of a start) shows no need: the next run of the same client shows it.
"""

from typing import Final

from trioproxy.api.routes import OPERATIONS
from trioproxy.evidence.sight import UNKNOWN, Sight
from trioproxy.values import value_class

READS: Final = frozenset({"GET", "HEAD"})

_CREATES: Final = frozenset(
    {
        "ConfigCreate",
        "ContainerCreate",
        "NetworkCreate",
        "SecretCreate",
        "ServiceCreate",
        "VolumeCreate",
    }
)


@value_class
class Need:
    """Answers that show a need, for some methods or some operations."""

    status: str
    methods: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    why: str

    def fits(self, operation: str, method: str, result: str) -> bool:
        """Whether this rule speaks of such an answer to such a request."""
        return result == self.status and (
            method in self.methods or operation in self.operations
        )


NEEDS: Final = (
    Need(
        status="404",
        methods=READS,
        why="who asks whether a thing is there has got the answer",
    ),
    Need(
        status="404",
        methods=frozenset({"DELETE"}),
        why="what is to be gone is gone: `docker rm -f` before a create",
    ),
    Need(
        status="404",
        operations=frozenset({"ContainerKill", "ContainerStop"}),
        why="what is to end is not there: a stop before an `rm`, twice",
    ),
    Need(
        status="409",
        methods=READS,
        why="the thing is in a state in which it has no logs, processes or statistics",
    ),
    Need(
        status="409",
        methods=frozenset({"DELETE"}),
        why="it is in use, or is being removed at this moment",
    ),
    Need(
        status="409",
        operations=_CREATES | {"ContainerRename"},
        why="the name is taken: there is one of before, or another was faster",
    ),
    *(
        Need(
            status=status,
            operations=frozenset({"ContainerResize", "ExecResize"}),
            why="a race: the process was over before its terminal had a size",
        )
        for status in ("404", "409")
    ),
    Need(
        status="409",
        operations=frozenset(
            f"{what}{verb}"
            for what in ("Container", "LibpodContainer", "LibpodPod")
            for verb in ("Kill", "Pause", "Start", "Stop", "Unpause")
        ),
        why="the container is in the wanted state already, or in none that has it",
    ),
    Need(
        status="403",
        operations=frozenset({"NetworkConnect", "NetworkDelete"}),
        why="connected already, or others are connected still; the 403 is the Engine's",
    ),
    Need(
        status="503",
        methods=READS,
        why="this node is no manager of a swarm, which the client wanted to know",
    ),
    Need(
        status="503",
        operations=frozenset({"SwarmInit", "SwarmJoin", "SwarmLeave"}),
        why="this node is part of a swarm already, or of none",
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
    return any(need.fits(operation, method, result) for need in NEEDS)
