"""All views of the sheet say the same of one grant: of each shipped file, and of each with a
line struck out."""

import re
from collections.abc import Iterator
from functools import cached_property
from html import unescape
from pathlib import Path

import pytest

from tests.depth import IS_DEEP, by_depth
from tests.test_shipped_files import every_file
from trioproxy.api.families import LIMITS, MOVING, OPERATIONS_VARIABLE, REDACT_VARIABLE
from trioproxy.api.routes import OPERATIONS
from trioproxy.commands import explain
from trioproxy.commands.approve import questions
from trioproxy.commands.sheetlines import line_data, line_text, power_text, refused_text
from trioproxy.commands.tell import risk_of
from trioproxy.evidence.evidencefile import load
from trioproxy.evidence.seen import Evidence
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy
from trioproxy.file.policyfile import PolicyFile
from trioproxy.judge.power import LIMITED, Power, Powers
from trioproxy.judge.rules import Mode
from trioproxy.learning.learnedfile import TITLES, Learned, render
from trioproxy.learning.only import OBJECT_VARIABLES
from trioproxy.limits.grant import Grant
from trioproxy.review.compare import compare
from trioproxy.review.page import Record, page
from trioproxy.review.sheet import (
    Line,
    Sheet,
    Standing,
    grants_of,
    listed_items,
    sheet_of,
)

ROW = re.compile(
    r"<strong><code>(\w+)</code>.*?What that is</span><div>(.*?)</div>", re.DOTALL
)
STRUCK = 2
"""So many lines of a file are struck out at least, where not all are."""
PAGES = 4
"""One page in so many is looked at: it takes twice as long as all the other views."""


class Variant:
    """A file, or one of which a line was struck out."""

    def __init__(self, variables: dict[str, str], evidence: Evidence | None) -> None:
        policy, _ = parse_policy(variables)
        self.evidence = evidence
        self.file = PolicyFile(
            path="app.env", text="", variables=variables, policy=policy, warnings=()
        )
        self.sheet = sheet_of(policy, evidence)

    @cached_property
    def powers(self) -> dict[str, Power]:
        """What the sheet says of each grant of the file."""
        return {one.grant.name: one.power for one in self.sheet.granted}

    def without(self, grant: Grant) -> "Variant":
        """The file without one line."""
        items = [
            one
            for one in listed_items(self.file.policy, grant.variable)
            if one != grant.item
        ]
        variables = {**self.file.variables, grant.variable: ",".join(items)}
        return Variant(variables, self.evidence)


def read(path: Path) -> Variant:
    """A file that is shipped, with its evidence if it has any."""
    known = path.with_suffix(".jsonl")
    evidence = load(known.read_bytes(), name="app").evidence if known.exists() else None
    return Variant(dict(envfile.parse(path.read_text(), name="app.env")), evidence)


def in_data(one: Variant) -> dict[str, str]:
    lines = explain.data(one.file, one.sheet)["lines"]
    assert isinstance(lines, list)
    assert lines == list(map(line_data, one.sheet.lines))
    return {
        line["name"]: line["power"] for line in lines if line["standing"] == "granted"
    }


def in_text(one: Variant) -> Iterator[tuple[str, str]]:
    """Operations below the title of their level; of items, which are root."""
    titles = {f"{title}:": level for level, title in explain.titles().items()}
    level, variable = "", ""
    for line in explain.text_lines(one.file, one.sheet, one.evidence):
        level = titles.get(line, level if line else "")
        if level and (found := re.match(r"  (\w+) +[A-Z]+ +/", line)):
            yield found[1], level
        if found := re.match(r"  ([A-Z]+_[A-Z]+)=", line):
            variable = found[1]
        if found := re.match(r"    (\S+): HOST-ROOT", line):
            yield f"{variable}={found[1]}", "host-root"


def said_in_text(one: Variant) -> dict[str, str]:
    """What `explain` says that each operation does, and nothing of what was seen."""
    text = "\n".join(explain.text_lines(one.file, sheet_of(one.file.policy), None))
    told = re.findall(r"(?m)^  (\w+) +[A-Z]+ +/.*((?:\n      .*)*)", text)
    return {name: re.sub(r"\s+", " ", said).strip() for name, said in told}


def in_markdown(one: Variant) -> dict[str, str]:
    rows = [line.split(" | ") for line in explain.markdown_lines("app.env", one.sheet)]
    return {
        row[1].split("`")[1]: row[0].removeprefix("| ") for row in rows if len(row) == 4
    }


def on_page(one: Variant) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """The levels of operations, by the tables that they stand in, with what they do; what is
    not granted."""
    known = (
        Record(path="app.jsonl", digest="1", evidence=one.evidence)
        if one.evidence
        else None
    )
    text = unescape(page(one.file, known))
    operations, others = dict[str, tuple[str, str]](), dict[str, str]()
    parts = re.split(
        r'<h3><span class="badge k-([a-z-]+)">', text.partition('id="operations"')[2]
    )
    for level, part in zip(parts[1::2], parts[2::2], strict=True):
        table = part.partition("</table>")[0]
        operations |= {name: (level, does) for name, does in ROW.findall(table)}
    _, _, rest = text.partition('id="left-out"')
    for row in rest.partition("</table>")[0].split("<tr")[2:]:
        name = re.search(r"<code>(.*?)</code>", row)
        badge = re.search(r"badge k-([a-z-]+)", row)
        assert name
        others[name[1]] = badge[1] if badge else ""
    return operations, others


def in_file(one: Variant) -> dict[str, tuple[str, str]]:
    """The titles below which operations stand in the comments of a file, and what is said."""
    policy, variables = one.file.policy, one.file.variables
    names = (*LIMITS, *OBJECT_VARIABLES, *MOVING.values(), REDACT_VARIABLE)
    text = render(
        Learned(
            name="app",
            file="app.env",
            operations=listed_items(policy, OPERATIONS_VARIABLE),
            lists={name: variables[name] for name in names if name in variables},
        )
    )
    title, found = "", dict[str, tuple[str, str]]()
    for line in text.splitlines():
        said = ""
        begin, mark, rest = line.removeprefix("# ").partition(":")
        if f"{begin}:" in TITLES.values() and mark:
            title = f"{begin}:"
        elif title and line.startswith("#     "):
            rest = line.removeprefix("#     ")
        elif title and line.startswith("#   "):
            rest, said = [*line.split(maxsplit=2), ""][1:3]
        else:
            title, rest = "", ""
        found |= {
            name: (title, said) for name in rest.replace(" ", "").split(",") if name
        }
    return found


def check(one: Variant) -> None:
    """Each view says of each grant what the sheet says, and the verdict is theirs."""
    policy, sheet, powers = one.file.policy, one.sheet, one.powers
    levels = {name: power.level for name, power in powers.items()}
    operations = {name: level for name, level in levels.items() if name in OPERATIONS}
    roots = {name for name, power in powers.items() if power.is_root}
    assert sheet.meaning.is_root is bool(roots)
    assert Powers(policy).worst(grants_of(policy)).is_root is bool(roots)
    assert in_data(one) == levels
    told = dict(in_text(one))
    assert {name: told[name] for name in operations} == operations
    assert {name for name, level in told.items() if level == "host-root"} == roots
    titles = {name: TITLES[level] for name, level in levels.items()}
    written = in_file(one)
    assert written.keys() >= one.file.policy.operations
    for name, (title, said) in written.items():
        assert title == titles[name]
        assert said in {powers[name].why, ""}
    said_of = {name: f"{powers[name].why}{' [connects]' * OPERATIONS[name][0].connects}" for name in operations}  # fmt: skip
    assert said_in_text(one) == said_of
    for name in operations:
        shown = risk_of(name, Powers(policy))
        is_named = powers[name].is_root or powers[name].level == LIMITED
        assert shown.startswith(powers[name].shown) or not (is_named or shown)
    assert in_markdown(one) == {name: power.shown for name, power in powers.items()}


def check_page(one: Variant) -> None:
    """The page says the same, of what is granted and of what is not."""
    shown, others = on_page(one)
    assert shown == {
        name: (power.level, power.why)
        for name, power in one.powers.items()
        if name in OPERATIONS
    }
    assert others == {
        line.grant.name: line.power.level
        for line in one.sheet.lines
        if line.standing is not Standing.GRANTED
    }


def check_root_goes(one: Variant) -> None:
    """Without what a file says gives root until it is struck out, there is none."""
    if one.file.policy.mode is Mode.EXACT:
        for line in one.sheet.granted:
            one = one.without(line.grant) if line.power.is_root else one
        assert not one.sheet.meaning.is_root


def opened(line: Line, whole: Sheet) -> set[Power]:
    """The powers that a line which is added may have: its own, or a way that needs it and another line."""
    (was,) = (one for one in whole.granted if one.grant == line.grant)
    others = (one for one in whole.granted if one.power.is_root)
    why = {f"{one.grant.name}: {one.power.why}" for one in others}
    return {was.power, *([line.power] if line.power.why in why else [])}


def check_struck(one: Variant, grant: Grant, whole: Sheet) -> None:
    """What was struck out is more in the whole file, and asked about, with one power."""
    more = [
        line
        for line in compare(one.file.policy, whole.policy).more
        if line.grant == grant
    ]
    for line in more:
        assert line.power in opened(line, whole)
        assert grant.name in line_text(line)
    for line in one.sheet.lines:
        if (
            line.grant == grant
            and line.standing is not Standing.UNSEEN
            and line.endpoint
        ):
            assert line.power in opened(line, whole)
    asked = {line.grant: line for line in questions(one.sheet)}
    for line in one.sheet.refused:
        text = " ".join(refused_text(line))
        assert ("gives root on the host" in text) is line.power.is_root
        assert line.is_nameable is (line.grant in asked)
        assert power_text(line).startswith(line.power.shown or "no known way")


@pytest.mark.slow
@every_file
def test_all_views_agree(file: Path) -> None:
    """explain as text, data and Markdown, the page, drift, approve, diff and the catalogue
    say the same of each line."""
    whole = read(file)
    check(whole)
    check_page(whole)
    check_root_goes(whole)


@pytest.mark.slow
@pytest.mark.deep
@every_file
def test_all_views_agree_without_a_line(file: Path) -> None:
    """So they do of the others, whichever line of the file is struck out."""
    whole = read(file)
    grants = list(grants_of(whole.file.policy))
    for number, grant in enumerate(grants[:: by_depth(len(grants) // STRUCK + 1, 1)]):
        one = whole.without(grant)
        if grant.name in one.powers:
            continue  # another one brings it along
        check(one)
        if IS_DEEP and number % PAGES == 0:  # what a page takes is the attacks on it
            check_page(one)
        check_struck(one, grant, whole.sheet)
