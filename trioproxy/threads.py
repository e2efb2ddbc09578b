"""Work in a thread, so that others are served meanwhile.

Where none can be begun, as where a client has used up the host's processes or there is a limit
for ours, it is done at once, and all others wait: what was learned must not be lost for that,
and nobody's connection.
"""

import math
from collections.abc import Callable
from typing import Final, TypeVar, TypeVarTuple

import trio

_Args = TypeVarTuple("_Args")
_Result = TypeVar("_Result")

NO_THREAD: Final = "can't start new thread"
"""Python's words for it: there is no other sign."""


APART: Final = trio.CapacityLimiter(math.inf)
"""For work that may have to wait until a share is there again: it keeps none of the 40 threads that
all others have. Who asks for it sees to it that there are not too many."""


async def in_thread(
    function: Callable[[*_Args], _Result],
    *args: *_Args,
    may_leave: bool = True,
    limiter: trio.CapacityLimiter | None = None,
) -> _Result:
    """Do long work in a thread. `may_leave`: who is cancelled does not wait for it.

    Whoever is served has to have Python's lock back after each call of the system, and what
    computes in another thread gives that up every `serving.TURN` seconds.
    """
    try:
        return await trio.to_thread.run_sync(
            function, *args, abandon_on_cancel=may_leave, limiter=limiter
        )
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
    return function(*args)
