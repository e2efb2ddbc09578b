"""Saving while learning: new sights at once, counts now and then.

A task of its own (`Journal.run`) waits for the recorder to wake it; all disk work is done
in a worker thread, by what it is given to save with: a `Ledger` or, with an env file,
a `learning.store.Store`. What is new is
announced only when it is safely on disk.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

import trio

from trioproxy.errors import TrioProxyError
from trioproxy.evidence.ledger import Saved
from trioproxy.evidence.seen import Evidence
from trioproxy.evidence.sight import Sight
from trioproxy.threads import in_thread

COUNTS_EVERY: Final = 5.0
"""Seconds between writes of mere counts, which are all that a kill may lose."""

SPACED: Final = 4
"""How many times as long as a save took the next one waits, but no longer than counts do.

In CPU time: a slow disk is no reason to put off what it has to be told. The lists of an env file are made anew in each save, which takes the longer the more is
known. A client that asks for new values all the time would else have us do nothing but
save, and the one that ends would wait for it."""

_NO_MEMORY: Final = TrioProxyError("no memory is left to write what was learned")

_Saved = TypeVar("_Saved", bound=Saved, covariant=True)


class Saves(Protocol[_Saved]):
    """Something that puts evidence on disk."""

    def save(
        self, mine: Evidence, new: Sequence[Sight] = (), *, is_final: bool = False
    ) -> _Saved:
        """Unite `mine` with what is on disk; of it, `new` is what is not there yet."""
        ...


@dataclass(slots=True, eq=False)
class Journal(Generic[_Saved]):
    """Keeps a file up with the evidence that is being gathered."""

    _store: Saves[_Saved]
    _evidence: Evidence
    tell: Callable[[Sequence[Sight], _Saved], None] = field(kw_only=True)
    complain: Callable[[TrioProxyError], None] = field(kw_only=True)
    _pending: dict[Sight, None] = field(default_factory=dict)
    """What is new and was not told, for it is on no disk."""
    _woken: trio.Event = field(default_factory=trio.Event)
    _trouble: str = ""
    _took: float = 0.0
    """CPU seconds of the last save."""

    def wake(self) -> None:
        """Say that there is something new; called by the gate."""
        self._woken.set()

    async def run(self) -> None:
        """Save what is new at once, and counts now and then, until cancelled."""
        while True:
            with trio.move_on_after(COUNTS_EVERY):
                await self._woken.wait()
            self._woken = trio.Event()
            if self._evidence.unsaved:
                await self.save()
                await trio.sleep(min(SPACED * self._took, COUNTS_EVERY))

    async def save(self, *, is_final: bool = False) -> _Saved | None:
        """Save once; None where that failed, which was complained about."""
        self._pending |= dict.fromkeys(self._evidence.take_new())
        new, mine = tuple(self._pending), self._evidence.part()
        # After a failure the evidence is written whole: part of it may be there already.
        unwritten = () if self._trouble else new
        save = partial(self._store.save, mine, unwritten, is_final=is_final)
        saved = None
        try:
            saved = await in_thread(self._timed, save, may_leave=False)
        except (TrioProxyError, MemoryError) as error:
            told = error if isinstance(error, TrioProxyError) else _NO_MEMORY
            if str(told) != self._trouble:
                self._trouble = str(told)
                self.complain(told)
        finally:
            if saved is None:
                self._evidence.unsaved |= mine.facts.keys()
        if saved is None:
            return None
        self._trouble = ""
        self._pending.clear()
        self._evidence.merge(saved.others)
        if run := saved.evidence.runs.get(self._evidence.run):
            self._evidence.runs[self._evidence.run].news = run.news
        self.tell(new, saved)
        return saved

    def _timed(self, save: Callable[[], _Saved]) -> _Saved:
        begun = time.thread_time()
        try:
            return save()
        finally:
            self._took = time.thread_time() - begun
