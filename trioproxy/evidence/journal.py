"""Saving while learning: new shapes at once, counts now and then.

A task of its own (`Journal.run`) waits for the recorder to wake it; all disk work is done
in a worker thread, by what it is given to save with: a `Ledger` or, with an env file,
a `learning.store.Store`. What is new is
announced only when it is safely on disk.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

import trio

from trioproxy.errors import TrioProxyError
from trioproxy.evidence.ledger import Saved
from trioproxy.evidence.seen import Evidence, New

COUNTS_EVERY: Final = 5.0
"""Seconds between writes of mere counts, which are all that a kill may lose."""


_Saved = TypeVar("_Saved", bound=Saved, covariant=True)


class Saves(Protocol[_Saved]):
    """Something that puts evidence on disk."""

    def save(
        self, mine: Evidence, new: Sequence[New] = (), *, is_final: bool = False
    ) -> _Saved:
        """Unite `mine` with what is on disk; of it, `new` is what is not there yet."""
        ...


class Journal(Generic[_Saved]):
    """Keeps a file up with the evidence that is being gathered."""

    def __init__(
        self,
        store: Saves[_Saved],
        evidence: Evidence,
        *,
        tell: Callable[[Sequence[New], _Saved], None],
        complain: Callable[[TrioProxyError], None],
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._tell = tell
        self._complain = complain
        self._pending: list[New] = []
        self._written = evidence.changes
        self._woken = trio.Event()
        self._trouble = ""

    def wake(self) -> None:
        """Say that there is something new; called by the gate."""
        self._woken.set()

    def has_news(self) -> bool:
        """Whether something was observed that is not on disk."""
        return self._evidence.changes != self._written

    async def run(self) -> None:
        """Save what is new at once, and counts now and then, until cancelled."""
        while True:
            with trio.move_on_after(COUNTS_EVERY):
                await self._woken.wait()
            self._woken = trio.Event()
            if self.has_news():
                await self.save()

    async def save(self, *, is_final: bool = False) -> _Saved | None:
        """Save once; None where that failed, which was complained about."""
        self._pending += self._evidence.take_new()
        new = tuple(dict.fromkeys(self._pending))
        changes = self._evidence.changes
        # After a failure the evidence is written whole: part of it may be there already.
        unwritten = () if self._trouble else new
        save = partial(
            self._store.save, self._evidence.copy(), unwritten, is_final=is_final
        )
        try:
            saved = await trio.to_thread.run_sync(save)
        except TrioProxyError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._complain(error)
            return None
        self._trouble = ""
        del self._pending[:]
        # What was observed meanwhile is not written yet; the merge adds one change.
        self._evidence.merge(saved.evidence)
        self._written = changes + 1
        self._tell(new, saved)
        return saved
