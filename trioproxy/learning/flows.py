"""Operations that belong together: one without the other breaks its client half-way.

And states of the Engine in which a client does something else: what was learned while the
image was always there does not hold the pull of a machine that is new.
"""

from collections.abc import Collection, Container
from typing import Final

from trioproxy.api.families import OPERATIONS_VARIABLE
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import Evidence
from trioproxy.values import value_class


@value_class
class Flow:
    """Two operations that belong together."""

    has: str
    lacks: str
    why: str

    def __str__(self) -> str:
        return f"half granted: {self.has} without {self.lacks}: {self.why}"


_HALVES: Final = """
ContainerCreate ContainerStart: a container can be created but not started
LibpodContainerCreate LibpodContainerStart: a container can be created but not started
ContainerExec ExecStart: a command can be registered but not run
LibpodContainerExec LibpodExecStart: a command can be registered but not run
ContainerDelete ContainerCreate: a container can be removed but not made again
ImageCreate ImageInspect: an image can be pulled but not looked at
LibpodPodCreate LibpodPodStart: a pod can be created but not started
"""
"""Operations that go together, and what there is a half of without the second one."""


def _flow(row: str) -> Flow:
    operations, why = row.split(": ")
    has, lacks = operations.split()
    return Flow(has=has, lacks=lacks, why=why)


FLOWS: Final = tuple(map(_flow, _HALVES.strip().splitlines()))


def half_granted(granted: Container[str]) -> tuple[Flow, ...]:
    """The flows of which `granted` holds the first part only."""
    return tuple(
        flow for flow in FLOWS if flow.has in granted and flow.lacks not in granted
    )


@value_class
class State:
    """A state of the Engine that a client may meet some day."""

    name: str
    """What `--never` calls it."""
    concerns: tuple[str, ...]
    """It may come up for a client that uses all of these operations."""
    seen_by: tuple[tuple[str, str], ...]
    """Operations and results each of which shows that the client has met it."""
    goes_with: tuple[str, ...]
    """What a client usually does in it. Who is granted all of that is prepared."""

    @property
    def shown(self) -> str:
        """What was never seen, for people."""
        return self.name.replace("-", " ")


_STATES: Final = """
missing-image | ContainerCreate | ContainerCreate 404, ImageInspect 404, ImageCreate 200, ImageBuild 200, ImageLoad 200, Session 101 | ImageCreate
taken-name | ContainerCreate | ContainerCreate 409 | ContainerDelete ContainerInspect
missing-network | ContainerCreate NetworkInspect | NetworkInspect 404, NetworkCreate 201 | NetworkCreate
missing-volume | ContainerCreate VolumeInspect | VolumeInspect 404, VolumeCreate 201 | VolumeCreate
"""
"""The fields of each, as they stand above."""


def _state(row: str) -> State:
    name, concerns, seen_by, goes_with = row.split(" | ")
    return State(
        name=name,
        concerns=tuple(concerns.split()),
        seen_by=tuple((one.split()[0], one.split()[1]) for one in seen_by.split(", ")),
        goes_with=tuple(goes_with.split()),
    )


STATES: Final = tuple(map(_state, _STATES.strip().splitlines()))


@value_class
class Unseen:
    """A state that was never seen, and what of it the client may not do."""

    state: State
    lacks: tuple[str, ...]

    def __str__(self) -> str:
        lacks = " and ".join(self.lacks)
        return (
            f"never seen: a {self.state.shown}; {lacks} would go with it: learn a run"
            f" with one, add {lacks} to {OPERATIONS_VARIABLE},"
            f" or learn with --never {self.state.name}, which counts for that run alone"
        )


def unseen_states(
    evidence: Evidence, opened: Collection[str], never: Collection[str] = ()
) -> tuple[Unseen, ...]:
    """The states that the client may meet and has not met.

    `opened`: operations that are granted. Of others it meets no state, and there is nothing
    to be found out about those that a person declined. `never`: states that do not come up,
    beside those of which that was said of the newest run.
    """
    used = evidence.used_operations().intersection(opened)
    decided = {*opened, *evidence.granted_operations}
    found = list[Unseen]()
    for state in STATES:
        lacks = tuple(name for name in state.goes_with if name not in decided)
        is_met = any(
            operation == one.operation
            for operation, result in state.seen_by
            for one in evidence.ended(result)
        )
        if lacks and used.issuperset(state.concerns) and not is_met:
            found.append(Unseen(state=state, lacks=lacks))
    left_out = {*never, *evidence.never}
    return tuple(one for one in found if one.state.name not in left_out)


def parse_states(names: Collection[str]) -> frozenset[str]:
    """Read the names of states; `ConfigError` lists those there are."""
    known = {state.name for state in STATES}
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(
            f"there is no state {unknown[0]!r:.80}",
            hint=f"states are {', '.join(sorted(known))}",
        )
    return frozenset(names)
