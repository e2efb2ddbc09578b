"""The env file that learning writes, as text: what it means, what it grants, what for others.

    text = render(Learned(name="ci", file="ci.env", operations=[...], ...), old=text_or_empty)

The comments follow from what the file grants, and are of nobody's clock: no day, no count
and no version stands in them, for those are evidence, which `explain` shows. So a run that
brings nothing new leaves the file as it is, byte for byte. The verdict comes first, then the
operations by what they risk, worst first, as `judge` says both; then the lines that decide.
The last of them grants, and what limits it stands above: a file that is torn behind any
other line has no grant in it.

Of an older text all lines stay that are not ours, each block of them above the line that it
stood above. Which lines are ours is told by their form alone, so that what a line says may
change from one version to the next: a title, a row (three spaces and a name), or the rest of
a line that was too long (five spaces). Comments are made of table text, of names that the
tables know, and of escaped values: nothing that a client gave can end a line. Nothing here
opens a file.
"""

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Final

from trioproxy.api.families import (
    LIMITS,
    MOVING,
    OPERATIONS_VARIABLE,
    PROXY_VARIABLE,
    REDACT_VARIABLE,
    VARIABLES,
)
from trioproxy.api.routes import LIMITED as ASKING
from trioproxy.api.routes import Risk, kinds_of, row_of
from trioproxy.file.envfile import format_value
from trioproxy.file.exact import passing
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import SWITCHES, VERBS
from trioproxy.judge.meaning import listed, meaning_of
from trioproxy.judge.power import LIMITED, WORDS, Powers
from trioproxy.judge.rules import Policy
from trioproxy.learning.minimize import opened_operations, smallest_sections, unopenable
from trioproxy.learning.only import OBJECT_VARIABLES
from trioproxy.learning.wording import count, some
from trioproxy.limits.grant import Grant
from trioproxy.quoting import argument, visible
from trioproxy.values import value_class

_NAME_LIMIT = 64
_MOST_NAMED = 4
_WIDTH, _ROW_WIDTH = 88, 22

_VERDICT, _LEARNED, _READ = "Root on the host:", "Learned for", "Read, not seen:"
TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{level: f"{words}:" for level, words in WORDS.items()},
        Risk.HOST_ROOT: f"{WORDS[Risk.HOST_ROOT]} until struck out:",
        LIMITED: f"{LIMITED} {WORDS[LIMITED]}:",
        "": "not known to this version:",
    }
)
"""What stands above the operations of each level, the worst first."""
_OPEN, _NEVER = "not limited:", "never asked for, so refused:"
_FORMER: Final = (
    "gives root on the host:",
    "limited by the lists below:",
    "stops or disturbs what runs:",
)
"""Titles of operations in files that version 0.2.0 wrote."""
_FORMER_WORDS: Final = ("open: what", "open: which", "never asked for:")
"""And of other lines there."""
_TECNATIVA = f"{TECNATIVA.name}:"

_SPECIAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CREATE_BINDS": "binds",
        "CREATE_CAPS": "capabilities",
        "CREATE_DEVICES": "devices",
        "CREATE_NAMESPACES": "host namespaces",
        "CREATE_PORTS": "ports",
        "CREATE_PRIVILEGED": "privileged",
        "EXEC_PRIVILEGED": "privileged commands",
    }
)
"""What a reviewer looks for, and is told that it is not there."""

_OPERATION = r"(?:[A-Z][a-z0-9]*){2,}|Session"
_NAMED = rf"(?:{_OPERATION}|[A-Z]+:/\S*|[A-Z]+_[A-Z]+=\S*)"
_ROW = re.compile(rf"#   ({_NAMED})(?: +(.*))?")
_NOTE = re.compile(r" {2,}(?:# )?|(?:^| )# ")
"""What parts a row from what a reviewer wrote behind it; in our own words stands none."""
_BEGINS = re.compile(rf"# (?:{_VERDICT} |{_READ} |{_LEARNED} \")")
_WORDED = (_VERDICT, _LEARNED, _READ, _OPEN, _NEVER, _TECNATIVA, *_FORMER_WORDS)
_GROUPS, _LINES = (
    "|".join(map(re.escape, titles))
    for titles in ((*TITLES.values(), *_FORMER), _WORDED)
)
_TITLE = re.compile(
    f"# (?:({_GROUPS})(?: {_NAMED}(?:, {_NAMED})*,?)?|({_LINES})(?: .*)?)"
)
"""Behind a title of operations stand names alone, and a note may begin as it does."""
_REST = "#     "
_HOSTILE: Final = frozenset("$`\\\"'")
"""What is read by a shell, or by whoever reads env files otherwise than we do."""
LEFT_OPEN: Final = "which containers, networks and volumes may be named"
TAKEN_OUT: Final = ", as their lists are not wanted"
_OUR_VARIABLES: Final = frozenset(
    {OPERATIONS_VARIABLE, *LIMITS, *MOVING.values(), *OBJECT_VARIABLES, REDACT_VARIABLE}
)
_SWITCHES: Final = frozenset({*SWITCHES, *VERBS})
_ASSIGNMENT = re.compile(r"[ \t]*([A-Z_]+)=")


def says_no_root(text: str) -> bool:
    """Whether a file says that there is no known way to root; a note may stand above that."""
    return f"\n# {_VERDICT} no known way" in f"\n{text}"


@value_class
class Learned:
    """What is to be written down."""

    name: str
    """Whose file it is."""
    file: str
    """How the file is called, without a folder."""
    operations: Iterable[str]
    """All that is granted: operations, and what a person wrote as `METHOD:/template`."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """What requests may ask for, which objects they may name, and what answers do not tell,
    by variable, in the order in which it is written."""
    is_taken_out: bool = False
    """Whether a person took the lists of objects out of the file."""
    asked: frozenset[str] = frozenset()
    """Variables of which anything was ever asked for, in vain too, and families of which
    it is known what was asked for."""
    source: str = ""
    """Of a file that nobody learned: in which files of which versions it was read."""


# --- The file -----------------------------------------------------------------------


def render(learned: Learned, old: str = "") -> str:
    """Write the file; of `old` the lines stay that are not ours."""
    granted = sorted(set(learned.operations))
    values = {**learned.lists, OPERATIONS_VARIABLE: ",".join(granted)}
    policy = policy_of(granted, learned.lists)
    before = _Old(old)
    lines = [*_comments(learned, policy, granted, before), *before.lines_for(values)]
    return "".join(f"{line}\n" for line in before.woven_into(lines))


def policy_of(granted: Iterable[str], lists: Mapping[str, str]) -> Policy:
    """What a file means that grants these operations behind these lists."""
    can_pass = [
        one for one in granted if (row := row_of(one)) is None or row.is_reachable
    ]
    # The file says where its own listener is; for what is limited any place will do.
    policy, _ = parse_policy(
        {
            PROXY_VARIABLE: "/proxy.sock",
            **lists,
            OPERATIONS_VARIABLE: ",".join(can_pass),
        }
    )
    return policy


def _comments(
    learned: Learned, policy: Policy, granted: Sequence[str], before: "_Old"
) -> Iterator[str]:
    meaning = meaning_of(policy)
    yield from _wrapped(f"{visible(meaning.answer[0].upper() + meaning.answer[1:])}.")
    name = before.name or format_value(learned.name[:_NAME_LIMIT])
    file = learned.file
    is_plain = visible(file) == file and not set(file) & _HOSTILE
    command = f"trioproxy explain {argument(file) if is_plain else 'FILE'}"
    text = (
        f"{_READ} {visible(learned.source)}."
        if learned.source
        else f'{_LEARNED} "{name}"; {command} says when, and if it is ready.'
    )
    # It is pasted, so it is in one line, however long that is.
    lines = _wrapped(text)
    is_whole = any(command in one for one in lines) or command not in text
    yield from lines if is_whole else [f"# {text}"]
    yield "#"
    rows = list(_rows(Powers(policy, meaning.ways), granted))
    for level, title in TITLES.items():
        yield from _group(title, [row for of, *row in rows if of == level], before)
    yield from _names(_OPEN, _left_open(policy, granted, learned), "; ")
    yield from _names(_NEVER, _never_asked(policy, learned.asked))
    yield f"# {in_tecnativa(granted)}"


def _rows(powers: Powers, granted: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Each operation with its level and why, and each value by which a way to root goes."""
    for name in granted:
        power = powers.of(Grant(OPERATIONS_VARIABLE, name))
        why = "" if power.needs_no_word(row_of(name)) else power.why
        yield power.level, name, why
    for grant in dict.fromkeys(way.grant for way in powers.ways if way.grant):
        yield Risk.HOST_ROOT, str(grant), powers.of(grant).why


def _group(title: str, rows: Sequence[Sequence[str]], before: "_Old") -> Iterator[str]:
    """A title and a row for each; what needs no word stands behind the title, together."""
    notes = before.notes
    plain = [name for name, why in rows if not why and not notes.get(name)]
    yield from _names(title, plain) if plain or not rows else [f"# {title}"]
    for name, why in rows:
        if name not in plain:
            note = f"   # {notes[name]}" if notes.get(name) else ""
            yield f"#   {name:<{_ROW_WIDTH}} {why}".rstrip() + note


def says_left_open(text: str) -> bool:
    """Whether a file says that learning itself wrote no lists of objects.

    Lists that are gone without a word of it were taken out, and stay out.
    """
    return any(
        LEFT_OPEN in line and TAKEN_OUT not in line
        for line in text.replace(f"\n{_REST}", " ").split("\n")
    )


def _left_open(
    policy: Policy, granted: Iterable[str], learned: Learned
) -> Iterator[str]:
    """What no list of the file limits, though a variable could."""
    families = policy.limits.families
    asking = [n for n in granted if n in ASKING and ASKING[n][0] not in families]
    if asking:
        yield f"what {listed(asking)} may ask for"
    if not policy.objects and any(map(kinds_of, granted)):
        yield f"{LEFT_OPEN}{TAKEN_OUT * learned.is_taken_out}"
    for kind, only in policy.objects.by_kind.items():
        if only.is_any:
            yield f"which {kind}s may be named"


def _never_asked(policy: Policy, asked: frozenset[str]) -> list[str]:
    return [
        words
        for variable, words in _SPECIAL.items()
        if VARIABLES[variable].family in policy.limits.families & asked
        and variable not in asked
        and not getattr(policy.limits.limit_of(variable), "value", "")
    ]


def _names(title: str, names: Iterable[str], separator: str = ", ") -> Iterator[str]:
    if shown := separator.join(names):
        yield from _wrapped(f"{title} {shown}")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        width=_WIDTH,
        initial_indent="# ",
        subsequent_indent=_REST,
        break_long_words=False,
        break_on_hyphens=False,
    )


# --- What others wrote ----------------------------------------------------------------


class _Old:
    """An older text: what in it is not ours, and where that stands."""

    def __init__(self, text: str) -> None:
        self.notes = dict[str, str]()
        """What reviewers wrote behind a row, by what the row is of."""
        self.name = ""
        """Whose file it says it is, as it is written there."""
        self._values = dict[str, str]()
        self._head = list[str]()
        """What heads the file: down to the last empty line above all of ours, and what
        stands below them."""
        self._blocks = list[tuple[str, list[str]]]()
        """Lines of others, behind the key of the line of ours below them."""
        block = list[str]()
        for line, key in _walk(text):
            if key is None:
                block.append(line)
                if not line and not self._blocks:
                    self._head, block = [*self._head, *block], []
            elif key:
                self._take(line, key)
                self._blocks.append((key, block))
                block = []
        self._head += block

    def _take(self, line: str, key: str) -> None:
        if found := re.match(r'# Learned for "(\S+?)";', line):
            self.name = found[1]
        elif key in _OUR_VARIABLES:
            self._values[key] = line
        elif (found := _ROW.fullmatch(line)) and (said := found[2]):
            for note in _NOTE.split(said.rstrip(), maxsplit=1)[1:]:
                self.notes.setdefault(key, note)

    def lines_for(self, values: Mapping[str, str]) -> Iterator[str]:
        """A line for each variable, in the order that a person gave them, the list that
        grants last; one that lists the same as before stays as it was written."""
        names = [name for name in self._values if name in values]
        at = 0
        for name in values:
            if name not in names:
                names.insert(at, name)
            at = names.index(name) + 1
        names.sort(key=lambda name: name == OPERATIONS_VARIABLE)
        for name in names:
            line = f"{name}={values[name]}"
            written = self._values.get(name, line)
            yield written if items_in(written) == items_in(line) else line

    def woven_into(self, lines: Sequence[str]) -> Iterator[str]:
        """Those lines of ours, with each block of others above what it stood above.

        What stood above a line that is gone goes to the next one that is left. What ends
        in an empty line heads the file, and so does what stood above nothing.
        """
        keyed = [*_walk("\n".join(lines))]
        there = {key for _, key in keyed}
        gone = {name: [f"# {name}: {note}"] for name, note in self.notes.items()}
        above, below = dict[str, list[str]](), ""
        for key, block in reversed(self._blocks):
            below = key if key in there else below
            note = [] if key in there else gone.pop(key, [])
            above[below] = [*block, *note, *above.get(below, ())]
        yield from self._head
        yield from above.pop("", ())
        for line, of in keyed:
            yield from above.pop(of, ()) if of else ()
            yield line


def _walk(text: str) -> Iterator[tuple[str, str | None]]:
    """Each line, and of those that are ours the key: empty, where nothing stands above it."""
    is_told, is_bare, above = False, False, ""
    for line in text.removesuffix("\n").split("\n") if text else ():
        is_told = is_told or bool(_BEGINS.match(line))
        is_comment = line.startswith("#")
        key = _key(line) if is_told or not is_comment else None
        if is_told and _is_rest(line, above):
            key = ""
        elif is_told and line == "#" and not is_bare:
            key, is_bare = line, True
        if key is not None:
            is_told, above = is_comment, line
        yield line, key


def _is_rest(line: str, above: str) -> bool:
    """Whether a line goes on with one of ours that had no more room."""
    found = re.match(rf"{_REST}(\S+)", line)
    return found is not None and len(above) + 1 + len(found[1]) > _WIDTH


def items_in(line: str) -> tuple[str, frozenset[str]]:
    """The variable of a line, and what it lists, in whatever order."""
    name, _, value = line.strip().partition("=")
    return name, frozenset(value.split(","))


def _key(line: str) -> str | None:
    """What a line is of: a variable, a title or a row; None: it is none of ours."""
    if found := _ASSIGNMENT.match(line):
        return found[1] if found[1] in _OUR_VARIABLES else None
    if found := _ROW.fullmatch(line):
        return found[1]
    found = _TITLE.fullmatch(line)
    return found[1] or found[2] if found else None


def keep_foreign(old: str) -> str:
    """Drop from a file all that learning wrote, and what grants in its place; what it hides
    stays, whoever wrote that."""
    return "".join(
        f"{line}\n"
        for line, key in _walk(old)
        if key in {None, REDACT_VARIABLE}
        and not ((found := _ASSIGNMENT.match(line)) and found[1] in _SWITCHES)
    )


# --- For others -----------------------------------------------------------------------


def in_tecnativa(granted: Collection[str]) -> str:
    """Say which variables let the same pass in tecnativa, and how much they open there.

    What is not said has the default there.
    """
    values = smallest_sections(granted, TECNATIVA)
    words = [
        f"{name}={value}"
        for name, value in sorted(values.items(), key=lambda one: (one[1] == "0", one))
        if value != TECNATIVA.defaults.get(name, "0")
    ]
    opened = count(len(opened_operations(values, [TECNATIVA])), "operation")
    mine = {row.operation for row in passing(frozenset(granted))}
    opened += f" instead of {len(mine)}"
    closed = some(unopenable(granted, TECNATIVA), _MOST_NAMED)
    none = closed and f", and none of its variables opens {closed}"
    return f"{_TECNATIVA} {' '.join(words) or 'as it is'}; opens {opened}{none}"
