"""Operations that belong together: one without the other breaks its client half-way."""

from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Two operations that belong together."""

    has: str
    lacks: str
    why: str


FLOWS = (
    Flow(
        has="ContainerCreate",
        lacks="ContainerStart",
        why="a container can be created but not started",
    ),
    Flow(
        has="ContainerExec",
        lacks="ExecStart",
        why="a command can be registered but not run",
    ),
    Flow(
        has="ContainerDelete",
        lacks="ContainerCreate",
        why="a container can be removed but not made again",
    ),
    Flow(
        has="ImageCreate",
        lacks="ImageInspect",
        why="an image can be pulled but not looked at",
    ),
)


def half_granted(granted: Container[str]) -> tuple[Flow, ...]:
    """The flows of which `granted` holds the first part only."""
    return tuple(
        flow for flow in FLOWS if flow.has in granted and flow.lacks not in granted
    )
