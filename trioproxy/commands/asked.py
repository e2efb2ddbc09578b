"""What a call of `learn` asks for: its options as values, and what follows from them alone."""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

import click

from trioproxy.commands.catalogue import own
from trioproxy.commands.observed import read_policy_file
from trioproxy.config import CLIENT, file_name_of
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import Loaded
from trioproxy.evidence.ledger import evidence_path
from trioproxy.learning.proposal import Quiet
from trioproxy.learning.store import Store
from trioproxy.learning.wish import Strangers, Wish
from trioproxy.limits.grant import Grant
from trioproxy.values import value_class


class Scope(StrEnum):
    """How much is learned; each has what those before it have."""

    ROUTES = "routes"
    ARGUMENTS = "arguments"
    OBJECTS = "objects"
    NAMES = "names"
    PROJECTS = "projects"
    OWN = "own"
    """As if the client were alone: it is shown no others."""


STRANGERS: Final = {
    Scope.OBJECTS: Strangers.SAME,
    Scope.NAMES: Strangers.NAMES,
    Scope.PROJECTS: Strangers.PROJECTS,
    Scope.OWN: Strangers.SAME,
}
"""How objects are listed that are not the client's own; with no other scope any are."""


@value_class
class Call:
    """The options of one call, under the names that they have there."""

    output: str | None
    scope: Scope | None
    listen: Sequence[str]
    upstream: str | None
    within: str | None
    fresh: bool
    include_failed: bool
    restore: frozenset[Grant]
    only_from: Sequence[str]
    until: Quiet | None
    never: frozenset[str]
    """States of the Engine that do not come up for this client."""
    capture: bool
    logs: Sequence[str]
    """Files, or `-` for what is piped in; none: it is learned live."""
    require_seen: bool
    """Whether a run that saw nothing has failed."""
    quiet: bool
    argv: Sequence[str]
    """COMMAND; empty: clients come by themselves."""

    @property
    def ends_after(self) -> int:
        """The seconds without news that end the learning without COMMAND; 0: none do."""
        return self.until.seconds if self.until else 0

    @property
    def apart(self) -> bool:
        """Whether each client gets a file of its own."""
        return CLIENT in (self.output or "")

    @property
    def path(self) -> Path:
        """The env file; `ConfigError` where none is named."""
        if self.output:
            return own(self.output)
        if not self.argv:
            raise ConfigError("no output file", hint="name it with -o FILE")
        stem = Path(self.argv[0]).name
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", stem, re.ASCII):
            raise ConfigError(f"{stem!r:.80} cannot be a file name", hint="use -o FILE")
        return Path("learned", f"{stem}.env")

    def path_of(self, client: str) -> Path:
        """The file of a client, whose name may hold what no name of a file does, or be `..`."""
        named = re.sub(r"[^A-Za-z0-9._-]", "_", file_name_of(client))
        return Path(str(self.path).replace(CLIENT, named))

    def refuse_shared(self, clients: Iterable[str]) -> None:
        """Stop where two clients would have one file, or their evidence would."""
        named = dict[str, str]()
        for client in clients:
            # Of `a` and `a.env` the evidence is `a.jsonl`. And there are disks where two names that
            # differ by their case alone are one.
            path = evidence_path(self.path_of(client))
            other = named.setdefault(str(path).casefold(), client)
            if other != client:
                choose = "name one of them with --from; " if self.logs else ""
                raise ConfigError(
                    f"{other} and {client} would have one file: {path}",
                    hint=f"{choose}where FILE ends in {CLIENT}, write {CLIENT}.env",
                )

    def wish(self, path: Path) -> Wish:
        """What is asked of learning for one file."""
        scope = self.scope or (Scope.ARGUMENTS if self.only_from else Scope.OBJECTS)
        if self.only_from and scope in STRANGERS:
            raise click.UsageError(
                f"--learn {scope} has no place beside --from: of many clients on one"
                " listener nobody can tell who made what"
            )
        return Wish(
            name=path.stem,
            file=str(path),
            ceiling=read_policy_file(self.within).policy if self.within else None,
            within=self.within or "",
            include_failed=self.include_failed,
            arguments=scope is not Scope.ROUTES,
            objects=STRANGERS.get(scope),
            restore=self.restore,
        )

    def open(self, path: Path) -> tuple[Store, Loaded]:
        """Look at a file, and at the evidence beside it, before anything is learned for it.

        `ConfigError`: they cannot be extended as wished.
        """
        store = Store(path, self.wish(path), fresh=self.fresh)
        return store, store.begin()
