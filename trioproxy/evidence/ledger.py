"""Evidence on disk: united with what others wrote, under a lock.

When to save is known in `evidence.journal`. All calls block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trioproxy import files
from trioproxy.errors import ConfigError
from trioproxy.evidence import disk, evidencefile
from trioproxy.evidence.seen import Argument, Evidence, New, Thing


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a save left on disk."""

    evidence: Evidence
    """With what others had written there."""
    damage: str
    """A torn last line that was found, and is now gone."""


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
        self, mine: Evidence, new: Sequence[New] = (), *, is_final: bool = False
    ) -> Saved:
        """Unite `mine` with what is on disk; of it, `new` is what is not there yet."""
        with disk.locked(self.path) as file:
            found = self._unite(file, mine, () if is_final else new)
            self._fresh = False
        return Saved(evidence=found.evidence, damage=found.damage)

    def _unite(
        self, file: disk.LockedFile, mine: Evidence, new: Sequence[New]
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


def _lines(whole: Evidence, run: str, new: Sequence[New]) -> bytes:
    lines = [evidencefile.run_line(run, whole.runs[run])]
    for one in new:
        if isinstance(one, Argument):
            lines.append(evidencefile.argument_line(one, whole.arguments[one]))
        elif isinstance(one, Thing):
            lines.append(evidencefile.object_line(one, whole.things[one]))
        else:
            lines.append(evidencefile.shape_line(one, whole.records[one]))
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
