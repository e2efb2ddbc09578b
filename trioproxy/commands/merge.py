"""`trioproxy merge`: what many learners saw, in one file."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from trioproxy.api.families import OBJECTS, OPERATIONS_VARIABLE, PROXY_VARIABLE, Family
from trioproxy.api.routes import LIMITED
from trioproxy.commands import tell
from trioproxy.commands.catalogue import locate, own
from trioproxy.commands.closing import Closing
from trioproxy.commands.observed import read_evidence
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import Loaded
from trioproxy.evidence.ledger import Ledger, belongs, evidence_path
from trioproxy.evidence.seen import Evidence
from trioproxy.file.policyfile import PolicyFile
from trioproxy.file.variables import LISTS
from trioproxy.files import is_one_file, read_text
from trioproxy.learning.learnedfile import says_left_open
from trioproxy.learning.proposal import listed_in, listed_operations
from trioproxy.learning.store import Store
from trioproxy.learning.wish import Wish
from trioproxy.learning.wording import count
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import ANY
from trioproxy.quoting import visible
from trioproxy.review.unite import Member, United, unite

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
    listed: frozenset[str] = frozenset()
    """What the env files among them grant."""
    declined: frozenset[str] = frozenset()
    """What was taken out of one of them."""

    lists: list[Member] = field(default_factory=list)
    """What each of them says of what requests may ask for."""

    output: Path
    """Where all of it goes; what comes from there has no other file to be named."""

    def is_output(self, path: Path) -> bool:
        """Whether a file is the output, however its path is spelt."""
        return is_one_file(path, self.output)

    def add_evidence(self, path: Path, named: Path) -> Evidence:
        """Unite with an evidence file, whose part the result goes on to know by name."""
        evidence = read_evidence(path)
        if not self.is_output(named):
            # Where the file is stored on this machine is nobody's business; in which
            # folder of many, `host-a/app.env`, is what tells it apart.
            name = "/".join(named.parts[-2:]).removeprefix("//")
            evidence.come_from(visible(name)[-NAME_LIMIT:])
        self.evidence.merge(evidence)
        return evidence

    def add_evidence_alone(self, path: Path) -> None:
        """Unite with an evidence file that has no env file."""
        evidence = self.add_evidence(path, path)
        used = evidence.used_operations()
        arguments = evidence.used_arguments()
        read = {one.operation for one in arguments if one.variable in set(Family)}
        unread = frozenset(LIMITED[name][0] for name in (used & LIMITED.keys()) - read)
        one = Member(name=str(path), operations=used, unread=unread, is_env=False)
        self.lists.append(one)

    def add_env(self, path: Path) -> None:
        """Unite with an env file and the evidence beside it, if there is any."""
        text, beside, evidence = read_text(path), evidence_path(path), Evidence()
        listed = listed_operations(text, str(path))
        if os.path.exists(beside):
            evidence = self.add_evidence(beside, path)
        elif listed is None:
            raise ConfigError(
                f"{path} has neither {OPERATIONS_VARIABLE} nor evidence beside it",
                hint="put the evidence of its learning beside it, or name its operations",
            )
        else:
            tell.warn(f"{path} has no evidence beside it: a person wrote what it lists")
        if listed is not None:
            self.listed |= listed
            self.declined |= evidence.granted_operations - listed
        self.lists.append(self.part_of(path, text, evidence))

    def part_of(self, path: Path, text: str, evidence: Evidence) -> Member:
        """What an env file says of what requests may ask for."""
        file = PolicyFile.of(text, str(path))
        policy = file.policy
        return Member(
            name=file.path,
            operations=policy.opened_operations,
            limits=policy.limits,
            objects=policy.objects,
            proxy_socket=file.variables.get(PROXY_VARIABLE, ""),
            hides=policy.hides or frozenset(),
            once_listed=evidence.listed,
            is_output=self.is_output(path),
            # Whatever it named, the union's evidence has it then.
            is_left_open=bool(evidence.facts) and says_left_open(text),
        )


class _Output(Store):
    """An output that has the lists of all inputs before it is learned on.

    They have to be there when it is decided what the file should list, and not before
    under its name: a crash must leave no file that allows more.
    """

    def __init__(self, wish: Wish, parts: Parts) -> None:
        super().__init__(parts.output, wish)
        self._parts = parts
        self._there = Evidence()
        self._by_hand = set[Grant]()

    def open(self) -> Loaded:
        """Look at what is there, and remember what learning once listed there."""
        known = super().open()
        self._there.merge(known.evidence)
        return known

    def keep_open(self, mine: Evidence, united: United) -> None:
        """Leave `*` as if a person had written it where learning would list less by now: of
        clients that make things and others that make none, it goes by those that do."""
        found = self.preview(mine).objects.values
        is_any = [name for name in OBJECTS if united.values.get(name) == ANY]
        self._by_hand = {Grant(n, ANY) for n in is_any if found.get(n, ANY) != ANY}
        mine.granted -= self._by_hand

    def _known(self) -> Loaded:
        known = super()._known()
        known.evidence.granted -= self._by_hand
        return known

    def unite_with(self, text: str) -> United:
        """Unite the lists of all inputs with those of the output."""
        parts = [part for part in self._parts.lists if not part.is_output]
        if text:
            parts.append(self._parts.part_of(self.env, text, self._there))
        return unite(parts)

    def read_env(self) -> str:
        """The text of the output as if its lists were the union."""
        text = super().read_env()
        united = self.unite_with(text)
        if not united.values and not united.open:
            return text
        # What a person wrote above a list stands above it then, too.
        kept, values = list[str](), dict(united.values)
        for line in text.splitlines():
            name, _, _ = line.strip().partition("=")
            if name in values:
                kept.append(f"{name}={values.pop(name)}")
            elif name not in LISTS:
                kept.append(line)
        empty = f"{OPERATIONS_VARIABLE}="
        if not any(line.lstrip().startswith(empty) for line in kept):
            kept.append(empty)
        kept += [f"{name}={value}" for name, value in values.items()]
        return "".join(f"{line}\n" for line in kept)


def _marks(united: United, once_listed: Iterable[Grant]) -> set[Grant]:
    """What the union's lists have from learning, and what must not come back into them.

    A mark of a variable that is not there says that a person left it out.
    """
    kept = {
        one
        for one in once_listed
        if one.variable in united.values
        and one.item in united.values[one.variable].split(",")
    }
    left_open = {
        Grant(Family(one).options if one in set(Family) else one, "")
        for one in united.open
    }
    return kept | united.declined | left_open


@click.command(name="merge", epilog=EPILOG)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    help="An env file, written with its evidence; or NAME.jsonl for evidence alone.",
)
def command(*, files: tuple[str, ...], output: str) -> None:
    """Unite what was learned in many runs, on many hosts, by many replicas.

    FILE is an env file, with the evidence of its learning next to it if there is any, or
    NAME.jsonl alone. The order does not matter, and nothing is counted twice. What a
    reviewer took out of one of the env files stays out; an existing output is united too.

    Lists of what requests may ask for are united as well. What one of the files leaves
    open is open in the result, and that is said.
    """
    path = own(output)
    parts = Parts(output=path)
    for file in map(locate, files):
        if file.suffix == ".jsonl":
            parts.add_evidence_alone(file)
        else:
            parts.add_env(file)
    if path.suffix == ".jsonl":
        if os.path.exists(env := path.with_suffix(".env")):
            raise belongs(path, env)
        ledger = Ledger(path)
        tell.damaged(ledger.open().damage)
        whole = ledger.save(parts.evidence, is_final=True).evidence
        runs, facts = whole.completeness().runs, len(whole.facts)
        tell.warn(f"{path} holds {count(runs, 'run')}, {count(facts, 'fact')}")
        return
    # What the inputs once granted is their own history; what was taken out is ours too.
    once_listed = parts.evidence.listed
    declined = set(map(Grant.of_operation, parts.declined))
    parts.evidence.granted = declined
    wish = Wish(
        name=path.stem, file=str(path), extra=parts.listed, declined=parts.declined
    )
    store = _Output(wish, parts)
    tell.damaged(store.open().damage)
    text = Store.read_env(store)
    store.listed = listed_in(text, str(path))
    united = store.unite_with(text)
    for note in united.notes:
        tell.warn(note)
    parts.evidence.granted = declined | _marks(united, once_listed)
    store.keep_open(parts.evidence, united)
    saved = store.save(parts.evidence, is_final=True)
    Closing(store=store).show(saved)
