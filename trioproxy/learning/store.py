"""Evidence and env file on disk: united with what others wrote, under a lock.

What the env file says is decided in `learning.proposal`; when to save, in
`evidence.journal`. All calls block.

The order within a save: evidence, then the env file, then the note in the evidence of
what the env file grants. A crash between any two of them loses nothing, and never makes
an operation look as if a person had taken it out.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from trioproxy import files
from trioproxy.api.families import OPERATIONS_VARIABLE, OWNER_VARIABLE, PROXY_VARIABLE
from trioproxy.errors import ConfigError
from trioproxy.evidence import disk, evidencefile
from trioproxy.evidence.ledger import Ledger, Saved, belongs, evidence_path
from trioproxy.evidence.seen import Evidence
from trioproxy.evidence.sight import Sight
from trioproxy.file import envfile
from trioproxy.learning.learnedfile import keep_foreign
from trioproxy.learning.proposal import (
    Proposal,
    env_text,
    excess,
    listed_in,
    listed_operations,
    propose,
    refuse_cut,
    refuse_excess,
    refuse_restore,
)
from trioproxy.learning.wish import Wish, new_owner
from trioproxy.limits.grant import Grant
from trioproxy.limits.objects import Objects, own_alone
from trioproxy.values import value_class

OWNER_BYTES: Final = 4
"""How many letters the random end of an owner has."""


@value_class
class Written(Saved):
    """What a save left on disk, of evidence and env file."""

    proposal: Proposal


class Store(Ledger):
    """An env file and the evidence beside it."""

    def __init__(self, env: Path, wish: Wish, *, fresh: bool = False) -> None:
        super().__init__(evidence_path(env), fresh=fresh)
        self.env = env
        self.wish = wish
        self.listed = frozenset[Grant]()
        """What the env file granted and listed when learning began: all else is new."""

    def open(self) -> evidencefile.Loaded:
        """Look at both files before anything is learned; what is known so far."""
        disk.check_target(self.env)
        other, is_other = self.path.with_suffix(".env"), False
        if other != self.env:
            is_other = other.exists()
        elif self.path.exists() and not other.exists():
            # It may be what `app` was learned from; a program or folder may be called so, too.
            other = self.path.with_suffix("")
            with suppress(ConfigError):
                is_other = f"{OPERATIONS_VARIABLE}=" in files.read_text(other)
        if is_other:
            raise belongs(self.path, other)
        return super().open()

    def begin(self) -> evidencefile.Loaded:
        """Open both for learning; what is known so far.

        `ConfigError`: they cannot be extended as wished, which is said before any work.
        """
        loaded, text = self.open(), self.read_env()
        refuse_excess(text, self.wish)
        listed = listed_operations(text, self.wish.file)
        refuse_cut(loaded.evidence, text, self.wish.file, listed)
        refuse_restore(loaded.evidence, text, self.wish)
        self.listed = listed_in(text, self.wish.file)
        return loaded

    def beyond(self) -> list[str]:
        """What the env file grants that its ceiling, if it has one, is not proven to."""
        return excess(self.read_env(), self.wish)

    def objects(self, known: Evidence) -> Objects:
        """How objects are looked at while they are learned for the env file.

        Nobody else owns what is made from now on: a new owner has a random end. An old one
        stays, also where all else is started over, for what it made is still there.
        """
        found = re.search(
            rf"(?m)^{OWNER_VARIABLE}=([A-Za-z0-9_.-]{{1,128}})$", self._text()
        )
        new = found[1] if found else new_owner(self.wish.name, os.urandom(OWNER_BYTES))
        self.wish = replace(self.wish, owner=new)
        return own_alone(self.wish.owner_for(known, self._variables()))

    def has_proxy_socket(self) -> bool:
        """Whether the env file says where this proxy listens for what clients start."""
        return bool(self._variables().get(PROXY_VARIABLE))

    def _variables(self) -> dict[str, str]:
        return envfile.parse(self.read_env(), name=self.wish.file)

    def read_env(self) -> str:
        """The env file's text as it counts: what is started over has no lines of ours."""
        return keep_foreign(self._text()) if self._fresh else self._text()

    def _text(self) -> str:
        return files.read_text(self.env, may_be_missing=True, is_output=True)

    def save(
        self, mine: Evidence, new: Sequence[Sight] = (), *, is_final: bool = False
    ) -> Written:
        """Unite `mine` with what is on disk; of it, `new` is what is not there yet.

        The env file is written where it would grant more, and at the end.
        """
        with disk.locked(self.path) as file:
            found = self._unite(file, mine, () if is_final else new)
            whole = self._whole
            old = self.read_env()
            going_on = "" if is_final else mine.run
            proposal = propose(whole, old, self.wish, going_on=going_on)
            if is_final or proposal.has_news:
                self._write(env_text(whole, proposal, old, self.wish))
            marks = proposal.grants
            if not marks <= whole.granted:
                if proposal.has_news and (run := whole.runs.get(mine.run)):
                    run.news = run.seconds
                whole.granted |= marks
                if is_final:
                    # In stable order, for those who keep it in version control.
                    file.replace(evidencefile.dump(whole).encode())
                else:
                    lines = [evidencefile.granted_line(whole)]
                    if run := whole.runs.get(mine.run):
                        lines.append(evidencefile.run_line(mine.run, run))
                    file.append("".join(f"{one}\n" for one in lines).encode())
            self._leave(file)
        return Written(
            evidence=whole,
            others=found.evidence,
            damage=found.damage,
            proposal=proposal,
        )

    def _write(self, text: str) -> None:
        """Replace the env file, unless it says that already: then nobody need look."""
        if text != self._text():
            disk.replace(self.env, text.encode())

    def preview(self, whole: Evidence) -> Proposal:
        """What the env file would grant, where it could not be written."""
        try:
            return propose(whole, self.read_env(), self.wish)
        except ConfigError:  # what is there cannot be read; it is left as it is
            return propose(whole, "", self.wish)
