"""`trioproxy diff`: what one file grants more or less than another, or than was needed."""

from collections.abc import Iterator
from pathlib import Path

import click

from trioproxy.commands.beside import Drifted, Flipped
from trioproxy.commands.observed import is_evidence, read_evidence, read_policy_file
from trioproxy.commands.sheetlines import line_data, line_text, way_data
from trioproxy.commands.shown import as_code, fenced, risk_text
from trioproxy.commands.terminal import show, write, write_data
from trioproxy.commands.views import View, refuse_output, viewed, write_page
from trioproxy.file.policyfile import PolicyFile
from trioproxy.judge.meaning import meaning_of
from trioproxy.learning.proposal import env_text, propose
from trioproxy.learning.wish import Wish
from trioproxy.learning.wording import count
from trioproxy.review.compare import Comparison, compare
from trioproxy.review.sheet import UNUSED_DAYS, Line

MORE = 1
"""Exit status where the new file grants more: a gate for CI."""

EPILOG = """\b
Examples:
  trioproxy diff learned/app.env candidate.env
  trioproxy diff learned/app.env live.jsonl

Exit status: 0 no, 1 NEW grants more, or the file refuses what was needed, 2 bad input.
"""


@click.command(name="diff", epilog=EPILOG)
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@viewed
@click.option(
    "--days",
    default=UNUSED_DAYS,
    show_default=True,
    type=click.IntRange(min=0, max=36_500),
    metavar="N",
    help="Beside evidence: tell of what is granted and was not used for so long.",
)
def command(*, old: str, new: str, form: View, output: str | None, days: int) -> int:
    """Show what the policy file NEW grants more and less than OLD.

    The two are compared by what they decide, so a list can be compared with section
    variables. Use it as a gate: the exit status is 1 when NEW grants more. With evidence
    next to one of them it is said what of that NEW decides otherwise.

    Where one of them is evidence, NAME.jsonl: what the file refuses of it, with the line
    that would allow it, and what it grants and nobody uses. Two of evidence are compared
    by what would be learned from each.
    """
    refuse_output(form, output)
    if is_evidence(old) is not is_evidence(new):
        file, evidence = (new, old) if is_evidence(old) else (old, new)
        return _beside(file, evidence, form, output, days)
    if form is View.HTML:
        if is_evidence(new):
            raise click.UsageError("a page is about a policy file: name one")
        write_page(new, output, old=old)
    files = _file(old), _file(new)
    policies = files[0].policy, files[1].policy
    found = compare(*policies)
    flipped = None
    if form is not View.HTML and (found.more or found.less):
        flipped = Flipped.of((old, new), policies, days)
    told = list(flipped.lines(old, new)) if flipped else []
    if form is View.JSON:
        data = _data(old, new, found)
        data |= {"observed": flipped.data()} if flipped else {}
        write_data(data)
    elif form is View.MARKDOWN:
        more = ["", *fenced(told)] if told else []
        write((*_markdown(files, found), *more))
    elif form is View.TEXT:
        show(*_text(old, new, found), *told)
    return MORE if found.more or found.is_root_new else 0


def _beside(file: str, evidence: str, form: View, output: str | None, days: int) -> int:
    """Compare a file with evidence; the exit status."""
    found = Drifted(read_policy_file(file), evidence, days)
    match form:
        case View.TEXT:
            show(*found.lines())
        case View.MARKDOWN:
            write(found.markdown())
        case View.JSON:
            write_data(found.data())
        case View.HTML:
            write_page(file, output, live=evidence)
    return MORE if found.refused else 0


def _file(name: str) -> PolicyFile:
    """A policy file; of evidence the one that would be learned from it."""
    if not is_evidence(name):
        return read_policy_file(name)
    evidence, wish = read_evidence(Path(name)), Wish(name=Path(name).stem, file=name)
    text = env_text(evidence, propose(evidence, "", wish), "", wish)
    return PolicyFile.of(text, name)


def _data(old: str, new: str, found: Comparison) -> dict[str, object]:
    return {
        "old": old,
        "new": new,
        "root": {
            "before": found.was_root,
            "after": found.is_root,
            "new": found.is_root_new,
            "new_ways": list(map(way_data, found.ways)),
        },
        "more": list(map(line_data, found.more)),
        "less": list(map(line_data, found.less)),
    }


def _text(old: str, new: str, found: Comparison) -> Iterator[str]:
    if not found.more and not found.less:
        yield f"{new} grants what {old} grants"
        return
    yield f"{new} grants {found.extent} than {old}; root on the host: {found.root}"
    for way in found.ways:
        yield f"  ! {way.where}: {way.why}"
    for sign, lines in (("+", found.more), ("-", found.less)):
        for line in lines:
            yield f"  {sign} {line_text(line)}"


def _markdown(files: tuple[PolicyFile, PolicyFile], found: Comparison) -> Iterator[str]:
    old, new = (as_code(one.path) for one in files)
    if not found.more and not found.less:
        yield f"**{new} grants what {old} grants.**"
        return
    yield f"**{new} grants {found.extent} than {old}; root on the host: {found.root}**"
    yield ""
    if found.ways:
        for way in found.ways:
            yield f"- {as_code(way.where)}: {way.why}"
        yield ""
    yield from _worth(files)
    yield "| | operation | route | risk | |"
    yield "|---|---|---|---|---|"
    for sign, lines in (("**+**", found.more), ("\u2212", found.less)):
        for line in lines:
            yield f"| {sign} | {' | '.join(_cells(line))} |"
    if found.more:
        yield ""
        yield f"{count(len(found.more), 'grant')} to review before this is merged."


def _worth(files: tuple[PolicyFile, PolicyFile]) -> Iterator[str]:
    """The verdicts before and after, how many of the known attacks are shut, and which no longer."""
    from trioproxy.review.attacking import try_all

    tried = [try_all(one.variables, one.policy) for one in files]
    yield "| | verdict | attacks |"
    yield "|---|---|---|"
    for one, trials in zip(files, tried, strict=True):
        answer = as_code(meaning_of(one.policy).answer)
        yield f"| {as_code(one.path)} | {answer} | {trials} |"
    yield ""
    before, now = ({one.attack.name for one in trials.opened} for trials in tried)
    for title, names in (("Open now", now - before), ("Shut now", before - now)):
        worst_first = [one.attack.name for one in tried[0].tried]
        if names:
            yield f"{title}: {'; '.join(one for one in worst_first if one in names)}."
            yield ""


def _cells(line: Line) -> list[str]:
    power, risk = line.power, risk_text(line.power, line.endpoint)
    route = as_code(line.route) if line.route else ""
    shown = f"**{risk}**" if power.shown.isupper() else risk
    return [as_code(line.grant.name), route, shown, power.why]
