"""Long work in steps, between which others may have their turn.

One task at a time runs here, and whoever works for long keeps all others waiting. A
generator that yields `None` between its steps can be driven by a task, which lets others
run at each, or to its end at once where nobody waits. It knows of neither.
"""

from collections.abc import Generator
from typing import TypeVar

Result = TypeVar("Result")

Steps = Generator[None, None, Result]
"""Work that yields between two steps, and returns what came of it."""


def finish(steps: Steps[Result]) -> Result:
    """Do all of it now."""
    try:
        while True:
            next(steps)
    except StopIteration as done:
        result: Result = done.value
        return result
