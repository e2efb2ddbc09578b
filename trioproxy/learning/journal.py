"""Evidence and env file on disk while learning: new shapes at once, counts now and then.

A task of its own (`Journal.run`) waits for the gate to wake it; all disk work is done in a
worker thread, by `Ledger.save` or, with an env file, `Store.save`. What is new is announced only when it is safely on disk.
What the env file says is decided in `learning.proposal`.

The order within a save: evidence, then the env file, then the note in the evidence of
what the env file grants. A crash between any two of them loses nothing, and never makes
an operation look as if a person had taken it out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import trio

from trioproxy import files
from trioproxy.errors import ConfigError, TrioProxyError
from trioproxy.learning import disk, evidencefile
from trioproxy.learning.evidence import Evidence
from trioproxy.learning.proposal import Proposal, Wish, keep_foreign, propose, write
from trioproxy.learning.shape import Shape

COUNTS_EVERY: Final = 5.0
"""Seconds between writes of mere counts, which are all that a kill may lose."""


NO_PROPOSAL: Final = Proposal()
"""Where evidence is kept without an env file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a save left on disk."""

    evidence: Evidence
    """With what others had written there."""
    damage: str
    """A torn last line that was found, and is now gone."""
    proposal: Proposal = NO_PROPOSAL


class Ledger:
    """An evidence file, and nothing beside it. All methods block."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self.path = path
        self._fresh = fresh

    def open(self) -> evidencefile.Loaded:
        """Look at the file before anything is learned; what is known so far."""
        disk.check_target(self.path)
        return self._known()

    def save(
        self, mine: Evidence, new: Sequence[Shape] = (), *, is_final: bool = False
    ) -> Saved:
        """Unite `mine` with what is on disk; of it, `new` is what is not there yet."""
        with disk.locked(self.path) as file:
            found = self._unite(file, mine, () if is_final else new)
            self._fresh = False
        return Saved(evidence=found.evidence, damage=found.damage)

    def _unite(
        self, file: disk.LockedFile, mine: Evidence, new: Sequence[Shape]
    ) -> evidencefile.Loaded:
        """Append what is new, or write everything where nothing is, or where it cannot."""
        found = self._known()
        found.evidence.merge(mine)
        if new and found.can_append:
            file.append(_lines(found.evidence, mine.run, new))
        else:
            file.replace(evidencefile.dump(found.evidence).encode())
        return found

    def _known(self) -> evidencefile.Loaded:
        if self._fresh:
            return evidencefile.Loaded()
        return evidencefile.load(
            files.read(self.path, may_be_missing=True, is_output=True),
            name=str(self.path),
        )


class Store(Ledger):
    """An env file and the evidence beside it."""

    def __init__(self, env: Path, wish: Wish, *, fresh: bool = False) -> None:
        super().__init__(evidence_path(env), fresh=fresh)
        self.env = env
        self.wish = wish

    def open(self) -> evidencefile.Loaded:
        """Look at both files before anything is learned; what is known so far."""
        disk.check_target(self.env)
        return super().open()

    def read_env(self) -> str:
        """The env file's text as it counts: what is started over has no lines of ours."""
        text = files.read_text(self.env, may_be_missing=True, is_output=True)
        return keep_foreign(text) if self._fresh else text

    def save(
        self, mine: Evidence, new: Sequence[Shape] = (), *, is_final: bool = False
    ) -> Saved:
        """Unite `mine` with what is on disk; of it, `new` is what is not there yet.

        The env file is written where it would grant more, and at the end.
        """
        with disk.locked(self.path) as file:
            found = self._unite(file, mine, () if is_final else new)
            whole = found.evidence
            old = self.read_env()
            proposal = propose(whole, old, self.wish)
            if is_final or proposal.added:
                text = write(whole, proposal, old, self.wish)
                disk.replace(self.env, text.encode())
            self._fresh = False
            if not proposal.marks <= whole.granted:
                whole.granted |= proposal.marks
                if is_final:
                    # In stable order, for those who keep it in version control.
                    file.replace(evidencefile.dump(whole).encode())
                else:
                    line = evidencefile.granted_line(whole.granted)
                    file.append(f"{line}\n".encode())
        return Saved(evidence=whole, damage=found.damage, proposal=proposal)


class Journal:
    """Keeps a file up with the evidence that is being gathered."""

    def __init__(
        self,
        store: Ledger,
        evidence: Evidence,
        *,
        tell: Callable[[Sequence[Shape], Saved], None],
        complain: Callable[[TrioProxyError], None],
    ) -> None:
        self._store = store
        self._evidence = evidence
        self._tell = tell
        self._complain = complain
        self._pending: list[Shape] = []
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

    async def save(self, *, is_final: bool = False) -> Saved | None:
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


def _lines(whole: Evidence, run: str, new: Sequence[Shape]) -> bytes:
    lines = [evidencefile.run_line(run, whole.runs[run])]
    lines += [evidencefile.shape_line(shape, whole.records[shape]) for shape in new]
    return "".join(f"{line}\n" for line in lines).encode()


def evidence_path(env: Path) -> Path:
    """Where the evidence of an env file is stored: `app.jsonl` next to `app.env`."""
    if env.suffix == ".jsonl":
        raise ConfigError(
            f"{env} is the name of an evidence file",
            hint=f"name the env file: {env.with_suffix('.env')}",
        )
    if not env.name:
        raise ConfigError(f"{str(env)!r} is no file name")
    return env.with_suffix(".jsonl") if env.suffix == ".env" else Path(f"{env}.jsonl")
