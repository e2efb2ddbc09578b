"""`trioproxy approve`: what was refused, one after the other, to be allowed or not."""

import difflib
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import click

from trioproxy.commands import ours, tell
from trioproxy.commands.catalogue import own
from trioproxy.commands.observed import read_evidence, read_policy_file
from trioproxy.commands.sheetlines import line_data, power_text
from trioproxy.commands.terminal import show, write_data
from trioproxy.errors import ConfigError
from trioproxy.evidence.seen import Evidence
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.power import ROOT_WORD
from trioproxy.judge.rules import Policy
from trioproxy.learning.proposal import is_beyond, listed_operations, refuse_excess
from trioproxy.learning.store import Store
from trioproxy.learning.wish import Wish
from trioproxy.learning.wording import count, days, some
from trioproxy.limits.grant import Grant
from trioproxy.quoting import argument
from trioproxy.review.adding import Adding
from trioproxy.review.sheet import (
    Line,
    Sheet,
    declined_of,
    grants_of,
    of_kind,
    sheet_of,
)
from trioproxy.review.varied import together

STILL_REFUSED: Final = 1
IN_FORCE: Final = (
    "it is in force where trioproxy health names that policy: a proxy with --watch reads"
    " the file by itself, any other one at SIGHUP; one that has the file mounted by"
    " itself has the old one until it is started anew: mount its folder"
)
SHOWN: Final = 6
"""Names of a kind that are shown."""

EPILOG = """\b
Examples:
  trioproxy approve app.env live.jsonl
  trioproxy approve app.env live.jsonl --yes VolumeList
  trioproxy approve app.env --live unix:///run/trioproxy/ask.sock

\b
Exit status: 0 all of it was allowed or declined for good, 1 some is left,
2 bad input.
"""


class Choice(StrEnum):
    """What a person says to a question."""

    YES = "y"
    NO = "n"
    ALWAYS_NO = "a"
    QUIT = "q"


@dataclass(slots=True, kw_only=True)
class Answers:
    """What was said, by the names of what was asked about."""

    allowed: list[str] = field(default_factory=list)
    declined: list[str] = field(default_factory=list)


@click.command(name="approve", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.argument("evidence", metavar="[LIVE.jsonl]", required=False)
@click.option(
    "--live",
    metavar="URL",
    help="Be asked while clients wait: attach to the socket of enforce --ask URL.",
)
@click.option(
    "--yes",
    "names",
    multiple=True,
    metavar="NAME",
    help="Allow this without a question: an operation, or VARIABLE=item. May be repeated.",
)
@click.option(
    "--yes-root",
    "root_names",
    multiple=True,
    metavar="NAME",
    help="The same for what gives root on the host, which --yes does not allow.",
)
@click.option(
    "--within",
    metavar="FILE",
    help="A ceiling: allow nothing that this policy does not.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the questions as JSON, and ask none."
)
def command(
    *,
    file: str,
    evidence: str | None,
    live: str | None,
    names: tuple[str, ...],
    root_names: tuple[str, ...],
    within: str | None,
    as_json: bool,
) -> int:
    """Go through what FILE refuses and clients ask for, and allow it or not.

    LIVE.jsonl is what enforce --record or --shadow --record kept. Each question shows what
    it does at worst, who asked and how often, what FILE grants of the kind already, and the
    change. Answers: yes, no (asked again next time), always no (remembered in the evidence
    next to FILE), quit. What gives root on the host is asked last, and its yes is the word
    root. FILE is written as learn writes it, and each line that changes is shown. It is in
    force when the proxy has read it.

    With --live the clients wait meanwhile, some seconds each: what they ask for passes
    once, for an hour, or always; or not, for now or for an hour.
    """
    if (evidence is None) == (live is None):
        raise click.UsageError("give LIVE.jsonl, or --live URL")
    path = own(file)
    ceiling = None if within is None else read_policy_file(within).policy
    wish = Wish(name=path.stem, file=file, ceiling=ceiling, within=within or "")
    store = Store(path, wish)
    if live is not None:
        if names or root_names or as_json:
            raise click.UsageError(
                "--live asks a person: --yes and --json have no place"
            )
        # Here, for it is somebody else who waits.
        from trioproxy.commands.answering import Answering

        return Answering.attach(store, live).run()
    return _approve(store, Path(evidence or ""), names, root_names, as_json)


def _approve(
    store: Store,
    path: Path,
    names: tuple[str, ...],
    root_names: tuple[str, ...],
    as_json: bool,
) -> int:
    file, ceiling, live = store.wish.file, store.wish.ceiling, read_evidence(path)
    known = store.open()
    tell.damaged(known.damage)
    refuse_excess(store.read_env(), store.wish)
    policy = listed_policy(store)
    declined = {one.name for one in declined_of(policy, known.evidence)}
    said = dict.fromkeys((*names, *root_names))
    there = said.keys() & {one.name for one in grants_of(policy)}
    if there:
        show(f"{file} allows already: {', '.join(sorted(there))}", err=True)
    named = said.keys() - there
    found = questions(sheet_of(policy, live), declined - named, named)
    asked = [one for one in found if not is_beyond(_whole(policy, one.grant), ceiling)]
    beyond = [one.grant.name for one in found if one not in asked]
    if beyond:
        show(
            f"{store.wish.within} does not allow, and nobody is asked: {', '.join(beyond)}",
            err=True,
        )
    _check_names(named, asked)
    _check_roots(policy, asked, names, root_names)
    if as_json and not said:
        write_data(list(map(line_data, asked)))
        return STILL_REFUSED if found else 0
    if said:
        answers = Answers(allowed=[one for one in said if one in named])
    else:
        answers = _ask_all(file, policy, asked)
    if answers.allowed or answers.declined:
        before = store.read_env()
        write_answers(store, live, answers)
        after = store.read_env()
        show(*changes(before, after), err=True)
        policy, _ = parse_policy_file(after, name=file)
        lost = [*_without_room(policy, answers.allowed)]
        answers.allowed = [one for one in answers.allowed if one not in lost]
        told = _summary(file, answers, lost, policy.fingerprint)
        here = [ours.Ours(path=one) for one in (file, str(path))]
        show(*told, *ours.hindrances(policy, here), err=True)
    answered = {*answers.allowed, *answers.declined}
    left = [one.grant.name for one in found if one.grant.name not in answered]
    if as_json:
        write_data({"allowed": answers.allowed, "left": left})
    return STILL_REFUSED if left else 0


def questions(
    sheet: Sheet, declined: Container[str] = (), named: Container[str] = ()
) -> list[Line]:
    """What was refused and one name would allow; the worst first, but root comes last.

    `declined`: what a person said no to for good, and is not asked again. What varies by a
    rule is one question, but for what is `named`.
    """
    asked = [one for one in sheet.refused if one.is_nameable]
    left = [one for one in asked if one.grant.name not in declined]
    alone = [one for one in left if one.grant.name in named]
    others = [one for one in left if one.grant.name not in named]
    return sorted(
        [*alone, *together(others, sheet.policy)],
        key=lambda one: (
            one.power.is_root,
            one.power.rank,
            not one.grant.is_operation,
            one.grant,
        ),
    )


def listed_policy(store: Store) -> Policy:
    """What the file grants, which must be a list."""
    file, text = store.wish.file, store.read_env()
    if listed_operations(text, file) is None:
        raise ConfigError(
            f"{file} is not there, or has no ALLOW_OPERATIONS to be added to",
            hint=f"learn it first: trioproxy learn -o {argument(file)} -- COMMAND",
        )
    return parse_policy_file(text, name=file)[0]


def _check_names(names: Iterable[str], asked: Sequence[Line]) -> None:
    known = {one.grant.name for one in asked}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"{name!r:.80} is not among what can be allowed",
                hint=f"that can be: {', '.join(sorted(known)) or 'nothing'}",
            )


def _check_roots(
    policy: Policy,
    asked: Sequence[Line],
    names: tuple[str, ...],
    root_names: tuple[str, ...],
) -> None:
    """Refuse a yes that gives root, alone or with the others."""
    given = [one.grant for one in asked if one.grant.name in root_names]
    more = [one.grant for one in asked if one.grant.name in {*names} - {*root_names}]
    adding = Adding(policy).with_more(*given)
    # All at once first: each is another policy, and of a thousand these take minutes. What is
    # no way to root beside all of the others is none beside some.
    powers = map(adding.with_more(*more).power, more)
    if not (adding.opens(*more) or any(power.is_root for power in powers)):
        return
    for grant in more:
        power = adding.power(grant)
        if power.is_root:
            raise ConfigError(
                f"{grant.name} gives root on the host: {power.why}",
                hint=f"review it; --yes-root {grant.name} allows it all the same",
            )
        adding = adding.with_more(grant)


# --- Asking -------------------------------------------------------------------------


def _ask_all(file: str, policy: Policy, asked: Sequence[Line]) -> Answers:
    answers = Answers()
    if not asked:
        show(f"nothing that {file} refuses is left to be asked about")
        return answers
    if not sys.stdin.isatty():
        raise ConfigError(
            "approve asks questions, and this is no terminal",
            hint="name what to allow with --yes NAME; --json lists what was refused",
        )
    adding, queue = Adding(policy), [*asked]
    for at, line in enumerate(queue):
        line = replace(line, power=adding.power(line.grant))
        if line.power.is_root and at < len(asked):
            # It is asked last; with what was allowed meanwhile, that may be more.
            queue.append(line)
            continue
        number = at + 1 - (len(queue) - len(asked))
        show("", *_lines(policy, line, f"{number} of {len(asked)}"))
        said = _ask(gives_root=line.power.is_root)
        if said is Choice.QUIT:
            break
        if said is Choice.YES:
            answers.allowed.append(line.grant.name)
            adding = adding.with_more(line.grant)
        elif said is Choice.ALWAYS_NO:
            answers.declined.append(line.grant.name)
    return answers


def _ask(*, gives_root: bool) -> Choice:
    yes = f"type {ROOT_WORD} for yes" if gives_root else "[y]es"
    while True:
        try:
            said = input(f"allow it? {yes}, [n]o, [a]lways no, [q]uit: ").strip()
        except EOFError:
            click.echo()
            return Choice.QUIT
        except UnicodeDecodeError:  # a terminal may erase half of a letter
            continue
        except KeyboardInterrupt:
            click.echo()
            raise ConfigError(
                "interrupted: nothing was written",
                hint="[q]uit writes what was said by then",
            ) from None
        if gives_root and said == ROOT_WORD:
            return Choice.YES
        for answer in Choice:
            needs_word = gives_root and answer is Choice.YES
            if said.lower().startswith(answer) and not needs_word:
                return answer


def _lines(policy: Policy, line: Line, position: str) -> Iterator[str]:
    yield f"{position}: {line.grant.name}"
    yield f"  {line.told}"
    yield f"  {power_text(line)}"
    if seen := line.seen:
        who = (*seen.clients, *seen.programs)
        by = f", by {some(who, SHOWN)}" if who else ""
        yield f"  asked for {seen.count}x, {days(seen.first, seen.last)}{by}"
    granted = some(of_kind(policy, line.grant), SHOWN) or "nothing"
    yield f"  the file grants of the kind: {granted}"
    yield f"  + {line.grant.item} in {line.grant.variable}"


# --- Writing ------------------------------------------------------------------------


def write_answers(store: Store, live: Evidence, answers: Answers) -> None:
    """Write the file as learning does, and remember what was said."""
    restore = frozenset(map(Grant.named, answers.allowed))
    declined = set(map(Grant.named, answers.declined))
    said = restore | declined
    # The part of the evidence that these come from goes to the file's own.
    evidence = live.about(
        one
        for one in live.facts
        if one.grant in said or (one.has and Grant.parse(one.has) in said)
    )
    evidence.granted = declined
    store.wish = replace(store.wish, restore=restore)
    store.save(evidence, is_final=True)


def changes(before: str, after: str) -> Iterator[str]:
    """Each line of the file that is not what it was."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
    # No space behind the sign: a terminal would break a long line there.
    yield from (line for line in list(lines)[2:] if not line.startswith("@@"))


def _without_room(policy: Policy, names: Iterable[str]) -> Iterator[str]:
    """What of all that was allowed is refused as before: its list had no room for it."""
    for name in names:
        grant = Grant.named(name)
        if is_beyond(grant, policy) and is_beyond(_whole(policy, grant), policy):
            yield name


def _whole(policy: Policy, grant: Grant) -> Grant:
    """The grant with what `{base}` and the like stand for in its place."""
    return grant._replace(item=policy.limits.meaning_of(grant.item))


def _summary(
    file: str, answers: Answers, lost: Sequence[str], fingerprint: str
) -> Iterator[str]:
    if lost:
        yield f"{file} has no room for {', '.join(lost)}: write a pattern for it"
    if answers.allowed:
        yield f"{file} lists {', '.join(answers.allowed)} now, and its policy is {fingerprint}"
        yield IN_FORCE
    if answers.declined:
        yield f"{count(len(answers.declined), 'answer')} remembered as a no: {', '.join(answers.declined)}"
