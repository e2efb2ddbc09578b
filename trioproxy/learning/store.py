"""Evidence and env file on disk: united with what others wrote, under a lock.

What the env file says is decided in `learning.proposal`; when to save, in
`learning.journal`. All calls block.

The order within a save: evidence, then the env file, then the note in the evidence of
what the env file grants. A crash between any two of them loses nothing, and never makes
an operation look as if a person had taken it out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trioproxy import files
from trioproxy.api.families import OWNER_VARIABLE, PROXY_VARIABLE
from trioproxy.errors import ConfigError
from trioproxy.file import envfile
from trioproxy.learning import disk, evidencefile
from trioproxy.learning.evidence import Argument, Evidence, New, Thing
from trioproxy.learning.only import owner_of
from trioproxy.learning.proposal import (
    Proposal,
    Wish,
    keep_foreign,
    listed_items,
    listed_operations,
    propose,
    refuse_cut,
    refuse_excess,
    refuse_restore,
    write,
)
from trioproxy.limits.objects import Objects, own_alone

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

    def begin(
        self, ceiling_name: str = ""
    ) -> tuple[evidencefile.Loaded, frozenset[str]]:
        """Open both for learning: what is known so far, and what the env file grants
        and lists.

        `ConfigError`: they cannot be extended as wished, which is said before any work.
        """
        loaded, text = self.open(), self.read_env()
        if self.wish.ceiling is not None:
            refuse_excess(text, self.wish.file, self.wish.ceiling, ceiling_name)
        refuse_cut(loaded.evidence, text, self.wish.file)
        refuse_restore(loaded.evidence, text, self.wish)
        listed = listed_operations(text, self.wish.file) or frozenset()
        return loaded, listed | listed_items(text, self.wish.file)

    def objects(self) -> Objects:
        """How objects are looked at while they are learned for the env file."""
        variables = envfile.parse(self.read_env(), name=self.wish.file)
        return own_alone(variables.get(OWNER_VARIABLE) or owner_of(self.wish.name))

    def has_proxy_socket(self) -> bool:
        """Whether the env file says where this proxy listens for what clients start."""
        variables = envfile.parse(self.read_env(), name=self.wish.file)
        return bool(variables.get(PROXY_VARIABLE))

    def read_env(self) -> str:
        """The env file's text as it counts: what is started over has no lines of ours."""
        text = files.read_text(self.env, may_be_missing=True, is_output=True)
        return keep_foreign(text) if self._fresh else text

    def save(
        self, mine: Evidence, new: Sequence[New] = (), *, is_final: bool = False
    ) -> Saved:
        """Unite `mine` with what is on disk; of it, `new` is what is not there yet.

        The env file is written where it would grant more, and at the end.
        """
        with disk.locked(self.path) as file:
            found = self._unite(file, mine, () if is_final else new)
            whole = found.evidence
            old = self.read_env()
            going_on = "" if is_final else mine.run
            proposal = propose(whole, old, self.wish, going_on=going_on)
            if is_final or proposal.news:
                text = write(whole, proposal, old, self.wish)
                disk.replace(self.env, text.encode())
            self._fresh = False
            listed = proposal.lists.marks | proposal.objects.added
            if not (proposal.marks <= whole.granted and listed <= whole.listed):
                whole.granted |= proposal.marks
                whole.listed |= listed
                if is_final:
                    # In stable order, for those who keep it in version control.
                    file.replace(evidencefile.dump(whole).encode())
                else:
                    line = evidencefile.granted_line(whole)
                    file.append(f"{line}\n".encode())
        return Saved(evidence=whole, damage=found.damage, proposal=proposal)

    def preview(self, whole: Evidence) -> Proposal:
        """What the env file would grant, where it could not be written."""
        try:
            return propose(whole, self.read_env(), self.wish)
        except ConfigError:  # what is there cannot be read; it is left as it is
            return propose(whole, "", self.wish)


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
