"""`trioproxy merge`: what many learners saw, in one file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from trioproxy.commands import tell
from trioproxy.commands.catalogue import locate
from trioproxy.commands.closing import Closing
from trioproxy.commands.evidence import read_evidence
from trioproxy.errors import ConfigError
from trioproxy.files import read_text
from trioproxy.learning.evidence import Evidence
from trioproxy.learning.proposal import Wish, listed_items, listed_operations
from trioproxy.learning.store import Ledger, Saved, Store, evidence_path
from trioproxy.quoting import UNPRINTABLE

NAME_LIMIT: Final = 256

EPILOG = """\b
Examples:
  trioproxy merge host-a/app.env host-b/app.env -o learned/app.env
  trioproxy merge runs/*.jsonl -o all.jsonl
"""


@dataclass(slots=True, kw_only=True)
class Parts:
    """What the files hold together."""

    evidence: Evidence = field(default_factory=Evidence)
    listed: set[str] = field(default_factory=set)
    """What the env files among them grant."""
    declined: set[str] = field(default_factory=set)
    """What was taken out of one of them."""

    output: Path
    """Where all of it goes; what comes from there has no other file to be named."""

    def add_evidence(self, path: Path, named: Path) -> Evidence:
        """Unite with an evidence file, whose part the result goes on to know by name."""
        evidence = read_evidence(path)
        if named != self.output:
            # Where the file is stored on this machine is nobody's business; in which
            # folder of many, `host-a/app.env`, is what tells it apart.
            name = "/".join(named.parts[-2:]).removeprefix("//")
            evidence.come_from(name.translate(UNPRINTABLE)[-NAME_LIMIT:])
        self.evidence.merge(evidence)
        return evidence

    def add_env(self, path: Path) -> None:
        """Unite with an env file and the evidence beside it."""
        evidence = self.add_evidence(evidence_path(path), path)
        listed = listed_operations(read_text(path), str(path))
        if listed is not None:
            self.listed |= listed
            self.declined |= evidence.granted - listed


@click.command(name="merge", epilog=EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="An env file, written with its evidence; or NAME.jsonl for evidence alone.",
)
@click.option("--name", help="Whose env file it is.  [default: FILE's name]")
def command(*, files: tuple[str, ...], output: str, name: str | None) -> None:
    """Unite what was learned in many runs, on many hosts, by many replicas.

    FILE is an env file with its evidence next to it, or NAME.jsonl alone. The order
    does not matter, and nothing is counted twice. What a reviewer took out of one of
    the env files stays out; an existing output is united too.
    """
    path = Path(output)
    parts = Parts(output=path)
    for file in map(locate, files):
        if file.suffix == ".jsonl":
            parts.add_evidence(file, file)
        else:
            parts.add_env(file)
    if path.suffix == ".jsonl":
        saved = _write_evidence(path, parts)
        facts = saved.evidence.completeness()
        tell.warn(
            f"{path} holds {facts.runs} runs, {len(saved.evidence.records)} shapes"
        )
        return
    # What the inputs once granted is their own history; what was taken out is ours too.
    parts.evidence.granted = set(parts.declined)
    wish = Wish(
        name=name or path.stem,
        file=str(path),
        extra=frozenset(parts.listed),
        declined=frozenset(parts.declined),
    )
    store = Store(path, wish)
    if damage := store.open().damage:
        tell.damaged(damage)
    text = store.read_env()
    listed = listed_operations(text, str(path)) or frozenset()
    listed |= listed_items(text, str(path))
    saved = store.save(parts.evidence, is_final=True)
    Closing(file=str(path), listed=listed).show(saved)


def _write_evidence(path: Path, parts: Parts) -> Saved:
    env = path.with_suffix(".env")
    if env.exists():
        # Evidence that grew behind its env file would look declined there.
        raise ConfigError(
            f"{path} belongs to {env}", hint=f"write both: trioproxy merge ... -o {env}"
        )
    ledger = Ledger(path)
    ledger.open()
    return ledger.save(parts.evidence, is_final=True)
