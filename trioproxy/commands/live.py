"""What `learn` shows while it waits: a block on a terminal.

The tasks here serve no client: they look at the evidence some times a second.
"""

import signal
from typing import TYPE_CHECKING, Final

import trio

from trioproxy.commands.status import Watching

if TYPE_CHECKING:
    from trioproxy.commands.block import Block

DRAW_EVERY: Final = 0.25
"""Seconds; what has not changed is not drawn again."""

LEAVING: Final = (signal.SIGTSTP, signal.SIGQUIT)
"""Ctrl-Z and Ctrl-\\, by which a process leaves the terminal at once, to a shell."""


async def draw(block: "Block", watching: Watching, file: str) -> None:
    """Draw how learning goes on until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_leave, block)
        try:
            while True:
                block.draw(watching.rows(file))
                await trio.sleep(DRAW_EVERY)
        finally:
            block.put_away()


async def _leave(block: "Block") -> None:
    """Put the block away before a signal does what it does to any process."""
    heeded = [one for one in LEAVING if signal.getsignal(one) == signal.SIG_DFL]
    if not heeded:
        return  # whoever started us wants them ignored
    with trio.open_signal_receiver(*heeded) as leaving:
        async for number in leaving:
            block.put_away()
            ours = signal.signal(number, signal.SIG_DFL)
            # To this very thread: when it returns, a stop has happened and is over.
            signal.raise_signal(number)
            signal.signal(number, ours)
