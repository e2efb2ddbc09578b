"""Evidence on disk: united with what others wrote, under a lock.

When to save is known in `evidence.journal`. All calls block.
"""

from collections.abc import Sequence
from pathlib import Path

from trioproxy import files
from trioproxy.errors import ConfigError
from trioproxy.evidence import disk, evidencefile
from trioproxy.evidence.seen import Evidence
from trioproxy.evidence.sight import Sight
from trioproxy.quoting import argument
from trioproxy.values import value_class


@value_class
class Saved:
    """What a save left on disk."""

    evidence: Evidence
    """All of it. It is the ledger's, which goes on with it: look at it before the next save."""
    others: Evidence
    """What was found there that this ledger had not written."""
    damage: str
    """A torn last line that was found, and is now gone."""


class Ledger:
    """An evidence file, and nothing beside it. All methods block.

    It keeps the union of all that it has read and been given. As long as the file is the one
    that it left there, by its stamp under the lock, nobody else has written and it is not
    read: a save costs what is new in it, and not what is known.
    """

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        self.path = path
        self._fresh = fresh
        self._whole = Evidence()
        self._stamp: tuple[int, int, int] | None = None
        """Of the file as we left it; None: nobody knows what is in it."""

    def open(self) -> evidencefile.Loaded:
        """Look at the file before anything is learned; what is known so far."""
        disk.check_target(self.path)
        disk.check_ours(self.path)
        known = self._known()
        self._whole.merge(known.evidence)
        return known

    def save(
        self, mine: Evidence, new: Sequence[Sight] = (), *, is_final: bool = False
    ) -> Saved:
        """Unite `mine` with what is on disk and with what was saved before; of it, `new` is
        what is not there yet."""
        with disk.locked(self.path) as file:
            found = self._unite(file, mine, () if is_final else new)
            self._leave(file)
        return Saved(evidence=self._whole, others=found.evidence, damage=found.damage)

    def _unite(
        self, file: disk.LockedFile, mine: Evidence, new: Sequence[Sight]
    ) -> evidencefile.Loaded:
        """Append what is new, or write everything where nothing is, or where it cannot; what
        others had written."""
        is_ours = self._stamp is not None and file.stamp() == self._stamp
        found = evidencefile.Loaded(can_append=True) if is_ours else self._known()
        self._stamp = None  # until all of it is written
        if found.evidence.runs:
            # Another learner may have started over: what it has not granted, nobody took out.
            self._whole.granted.clear()
        self._whole.run = mine.run  # which stays, however many newer ones others add
        self._whole.merge(found.evidence)
        self._whole.merge(mine)
        if new and found.can_append:
            file.append(_lines(self._whole, mine.run, new))
        else:
            file.replace(evidencefile.dump(self._whole).encode())
        return found

    def _leave(self, file: disk.LockedFile) -> None:
        """Remember the file as it is now."""
        self._fresh = False
        self._stamp = file.stamp()

    def _known(self) -> evidencefile.Loaded:
        if self._fresh:
            return evidencefile.Loaded()
        raw = files.read(self.path, may_be_missing=True, is_output=True)
        return evidencefile.load(raw, name=str(self.path))


def _lines(whole: Evidence, run: str, new: Sequence[Sight]) -> bytes:
    lines = [evidencefile.run_line(run, whole.runs[run])]
    # Where others have filled a list meanwhile, some of it has no room.
    kept = (one for one in new if one in whole.facts)
    lines += [evidencefile.fact_line(one, whole.facts[one]) for one in kept]
    return "".join(f"{line}\n" for line in lines).encode()


def belongs(path: Path, env: Path) -> ConfigError:
    """Say whose an evidence file is: what grew there would look declined in another's."""
    return ConfigError(
        f"{path} belongs to {env}", hint=f"write -o {argument(str(env))}"
    )


def evidence_path(env: Path) -> Path:
    """Where the evidence of an env file is stored: `app.jsonl` next to `app.env`."""
    if env.suffix == ".jsonl":
        raise ConfigError(
            f"{env} is the name of an evidence file",
            hint=f"name the env file: {env.with_suffix('.env')}",
        )
    if env.name in {"", "-"}:  # nor is the second one stdout
        raise ConfigError(f"{str(env)!r} is no file name")
    return env.with_suffix(".jsonl") if env.suffix == ".env" else Path(f"{env}.jsonl")
