"""The env file that learning writes, as text: what is granted, why, and what for others.

    text = render(Learned(name="traefik", runs=3, ..., operations=[...]), old=text_or_empty)

Lines are made of table text, of names that the tables know, and of escaped values: nothing
that a client gave can end a line. The order is stable, and only the first line tells of runs
and dates. The last line grants, and what limits it stands above: a file that is torn behind
any other line has no grant in it. From an older file all lines stay that are not ours, in
their order and above ours: comments of others, settings, `COMPAT`, variables that we do not
know. Nothing here opens a file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trioproxy import __version__
from trioproxy.api.families import (
    BASE_VARIABLE,
    LIMITS,
    OBJECTS,
    OPERATIONS_VARIABLE,
    PROXY_VARIABLE,
    Family,
)
from trioproxy.api.routes import OPERATIONS
from trioproxy.apiversion import too_old
from trioproxy.file.envfile import format_value
from trioproxy.file.incumbents import TECNATIVA
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import SWITCHES, VERBS
from trioproxy.judge.meaning import limits_power_of
from trioproxy.learning.lists import NO_LISTS, Lists
from trioproxy.learning.minimize import (
    opened_operations,
    price_of,
    smallest_sections,
    unopenable,
)
from trioproxy.learning.only import (
    NO_OBJECT_LISTS,
    OBJECT_VARIABLES,
    ObjectLists,
)
from trioproxy.learning.wording import count, root_note, some
from trioproxy.limits.grant import Grant
from trioproxy.limits.sorts import why_root

_NAME_LIMIT = 64
_MOST_NAMED = 4

_FAILED = "# only ever failed, so not granted (a 403 from now on); --include-failed grants them:"
_OUTDATED = "# not granted, for the client is too old for the Engine:"
_UNPROVEN = "# in logs that do not say how they ended, so not granted; --include-failed grants them:"
_DECLINED = "# declined, so not granted; --restore NAME grants one again:"
_UNSEEN = "# not granted, but usual in states that were never seen (learn with such a state, or add them):"
_BY_HAND = "added by hand"
_AS_LISTED = ", as listed below"
_ASKED = "# what requests may ask for beyond what is harmless:"
_NOTHING = "nothing"
_NOT_LISTED = "# asked for, and not listed:"
_OPEN = "# left open:"
_NAMED = "# which containers, networks and volumes they may name:"
_ANY_NAMED = "# which containers, networks and volumes they name is left open:"
_FROM_LOGS = "from logs, routes only"
_UNKNOWN = "# routes that this version does not know, not granted:"

_OUR_VARIABLES = frozenset(
    {
        # Switches have no effect beside a list, so none of an older file stays.
        *(*SWITCHES, *VERBS, OPERATIONS_VARIABLE, *LIMITS, BASE_VARIABLE),
        *OBJECT_VARIABLES,
    }
)
# Columns do not follow what stands in them: one more line changes one line of a diff.
_NAME_WIDTH, _METHOD_WIDTH, _ROUTE_WIDTH = 24, 6, 28
_LIST_WIDTH, _ITEM_WIDTH = max(map(len, LIMITS)), 28
_OUR_LINE = re.compile(rf"[ \t]*(?:{'|'.join(sorted(_OUR_VARIABLES))})=.*")
_OUR_FIRST_COMMENT = re.compile(r'# trioproxy \S+ learned ".*')
_OUR_COMMENT = re.compile(
    "|".join(
        [
            "#",
            "# tecnativa: .*",
            # How earlier files say that, and what opens nothing there.
            "# price: .*",
            r"# [0-9]+ operations? used; in .* the same file would open .*",
            "# no section variable opens these:",
            *map(re.escape, (_FAILED, _OUTDATED, _UNPROVEN, _DECLINED, _UNSEEN)),
            *map(re.escape, (_ASKED, _NOT_LISTED, _OPEN, _NAMED, _ANY_NAMED)),
            r"#   ONLY_[A-Z*]+ .*",
            r"#   (?:CREATE|EXEC|PULL|BUILD)_[A-Z*]+ .*",
            r"# fails without a proxy too: .*",
            f"{re.escape(_UNKNOWN)}.*",
            r"#   [A-Za-z]+ +[A-Z]+ +/.*",
            r"#   [A-Z]+:/\S*( +.*)?",
        ]
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What is to be written down."""

    name: str
    runs: int
    first: str
    """The day of the first observation, `2026-11-24`; `last` likewise."""
    last: str
    watched: str
    """The time that was watched, for people: `3 h 20 min`."""
    last_new_run: int
    """In which run the last new operation was used."""
    failed_runs: int = 0
    """Runs whose COMMAND failed, which prove nothing."""
    log_runs: int = 0
    """Runs that were read from logs, which show routes only."""
    groups: Sequence[str] = ()
    """Of evidence that was merged: each file, and the run in which something was new."""
    operations: Iterable[str]
    """All that is granted: operations, and what a person wrote as `METHOD:/template`."""
    failed: Iterable[str] = ()
    """Operations that never worked."""
    outdated: Iterable[str] = ()
    """Operations that never worked because the client is too old for the Engine."""
    oldest_api: str = ""
    """The oldest version of its API that the Engine takes, where that is known."""
    unproven: Iterable[str] = ()
    """Operations of which only logs speak that do not say how they ended."""
    declined: Iterable[str] = ()
    """Operations that a person took out."""
    by_hand: Iterable[str] = ()
    """What of the operations a person wrote into the file."""
    unseen: Iterable[tuple[str, str]] = ()
    """Operations that go with states that were never seen, and the states."""
    unknown: Iterable[tuple[str, str]] = ()
    """Method and section (or empty) of routes that the table does not have."""
    lists: Lists = NO_LISTS
    """What requests may ask for."""
    objects: ObjectLists = NO_OBJECT_LISTS
    """Which objects they may name."""


class _Row(NamedTuple):
    name: str
    method: str
    template: str
    note: str = ""


def render(learned: Learned, old: str = "") -> str:
    """Write the file; of `old` the lines stay that are not ours."""
    granted = sorted(set(learned.operations))
    notes = reviewers_notes(old)
    lines = [
        *foreign_lines(old),
        _provenance(learned),
        *_table("", _granted_rows(granted, learned), notes),
        *_table(_FAILED, map(_row, sorted(set(learned.failed))), notes),
        *_outdated(learned, notes),
        *_table(_UNPROVEN, map(_row, sorted(set(learned.unproven))), notes),
        *_table(_DECLINED, map(_row, sorted(set(learned.declined))), notes),
        *_table(_UNSEEN, (_row(*one) for one in sorted(set(learned.unseen)))),
        *_unknown(learned.unknown),
        *_lists(learned.lists, notes),
        *_objects(learned.objects, notes),
        "#",
        f"# {in_tecnativa(granted)}",
        *(f"{name}={value}" for name, value in learned.lists.values.items()),
        *(f"{name}={value}" for name, value in learned.objects.values.items()),
        f"{OPERATIONS_VARIABLE}={','.join(granted)}",
    ]
    return "".join(f"{line}\n" for line in lines)


def in_tecnativa(granted: Iterable[str]) -> str:
    """Say which variables let the same pass in tecnativa, and how much they open there.

    What is not said has the default there.
    """
    granted = sorted(granted)
    values = smallest_sections(granted, TECNATIVA)
    words = [
        f"{name}={value}"
        for name, value in sorted(values.items(), key=lambda one: (one[1] == "0", one))
        if value != TECNATIVA.defaults.get(name, "0")
    ]
    opened = count(len(opened_operations(values, [TECNATIVA])), "operation")
    closed = some(unopenable(granted, TECNATIVA), _MOST_NAMED)
    none = closed and f", and none of its variables opens {closed}"
    return f"{TECNATIVA.name}: {' '.join(words) or 'as it is'}; opens {opened}{none}"


def elsewhere(granted: Iterable[str]) -> str:
    """Say what a client would have where section variables alone count."""
    opened = price_of(granted, TECNATIVA)
    return f"in {TECNATIVA.image} the same client would have {opened}"


def foreign_lines(old: str) -> list[str]:
    """The lines of a file that are not ours."""
    lines, in_our_comments = list[str](), False
    for line in old.removesuffix("\n").split("\n") if old else ():
        if _OUR_FIRST_COMMENT.fullmatch(line):
            in_our_comments = True
        elif not line.startswith("#"):
            in_our_comments = False
        if not (
            _OUR_FIRST_COMMENT.fullmatch(line)
            or _OUR_LINE.fullmatch(line)
            or (in_our_comments and _OUR_COMMENT.fullmatch(line))
        ):
            lines.append(line)
    return lines


def _provenance(learned: Learned) -> str:
    name = format_value(learned.name[:_NAME_LIMIT])
    watched = " ".join(map(format_value, learned.watched.split()))
    days = " to ".join(map(format_value, dict.fromkeys([learned.first, learned.last])))
    return (
        f'# trioproxy {__version__} learned "{name}" {_runs(learned)}, {days},'
        f" watched for {watched}, last new operation in {_newest(learned)}"
    )


def _runs(learned: Learned) -> str:
    runs = f"in {count(learned.runs, 'run')}"
    kinds = [f"{learned.failed_runs} failed"] if learned.failed_runs else []
    if learned.log_runs and learned.log_runs == learned.runs:
        runs = f"{_FROM_LOGS}, {runs}"
    elif learned.log_runs:
        kinds.append(f"{learned.log_runs} {_FROM_LOGS}")
    return f"{runs} ({', '.join(kinds)})" if kinds else runs


def _newest(learned: Learned) -> str:
    if not learned.groups:
        return f"run {learned.last_new_run}"
    # A name of a file may hold anything; what is escaped stays on its line.
    return "; ".join(
        " ".join(map(format_value, group.split(" "))) for group in learned.groups
    )


def reviewers_notes(old: str) -> dict[str, str]:
    """What reviewers wrote on the comment lines of operations, by the operation.

    Our own text on such a line changes from version to version, so a note begins with
    a `#`; one without, directly behind our text of today, gets it.
    """
    notes = dict[str, str]()
    in_our_comments = False
    for line in old.split("\n"):
        if _OUR_FIRST_COMMENT.fullmatch(line):
            in_our_comments = True
        elif not line.startswith("#"):
            in_our_comments = False
        elif in_our_comments and (found := _LIST_LINE.fullmatch(line)):
            variable, item, note = found.groups()
            notes.setdefault(f"{variable}={item}", note.strip())
        elif in_our_comments and (found := _OPERATION_LINE.fullmatch(line)):
            item, rest = found.groups()
            if note := _note_in(item, rest):
                notes.setdefault(item, note)
    return notes


_LIST_LINE = re.compile(r"#   ([A-Z]+_[A-Z]+) +(\S+) .*?# (.*\S)[ \t]*")
_OPERATION_LINE = re.compile(r"#   ([A-Za-z]+(?= +[A-Z]+ +/)|[A-Z]+:/\S*)(.*)")


def _note_in(item: str, rest: str) -> str:
    _, mark, note = rest.partition("# ")
    if mark:
        return note.strip()
    row = _row(item)
    words = rest.split()
    ours = [row.method, row.template] if row.method else []
    if words[: len(ours)] != ours:
        return ""
    words = words[len(ours) :]
    risk = _risk_note(item)
    ours = [f"{risk}{_AS_LISTED}", risk] if risk else []
    for known in (*(f"{_BY_HAND}: {one}" for one in ours), _BY_HAND, *ours):
        if words[: len(known.split())] == known.split():
            return " ".join(words[len(known.split()) :])
    return ""


def _granted_rows(granted: Iterable[str], learned: Learned) -> Iterator[_Row]:
    by_hand = frozenset(learned.by_hand)
    # The file says where its own listener is; for what is limited any place will do.
    lists = {PROXY_VARIABLE: "/proxy.sock", **learned.lists.values}
    lists |= learned.objects.values
    rows = {item: OPERATIONS[item][0] for item in granted if item in OPERATIONS}
    known = [item for item, row in rows.items() if row.is_reachable]
    policy, _ = parse_policy({OPERATIONS_VARIABLE: ",".join(known), **lists})
    for item in granted:
        note = _risk_note(item)
        if note and limits_power_of(policy, item):
            note = f"{note}{_AS_LISTED}"
        if item in by_hand:
            note = f"{_BY_HAND}: {note}" if note else _BY_HAND
        yield _row(item, note)


def _lists(lists: Lists, notes: Mapping[str, str]) -> Iterator[str]:
    """A line for each item, so that one more changes one line."""
    if lists.values:
        yield "#"
        yield _ASKED
        for family in sorted(lists.closed):
            yield from _family(family, lists, notes)
    not_listed = [
        *(_list_row(item, "declined") for item in sorted(lists.declined)),
        *(_list_row(item, "beyond the ceiling") for item in sorted(lists.capped)),
        *(_list_row(item, "only ever failed") for item in sorted(lists.failed)),
        *(
            f"#   {name:<{_LIST_WIDTH}} what no list can hold, by {' and '.join(sorted(who))}"
            for name, who in sorted(lists.unlisted.items())
        ),
    ]
    for title, rows in (
        (_NOT_LISTED, not_listed),
        (_OPEN, [f"#   {one}_* {why}" for one, why in sorted(lists.open.items())]),
    ):
        if rows:
            yield "#"
            yield title
            yield from rows


def _objects(objects: ObjectLists, notes: Mapping[str, str]) -> Iterator[str]:
    """A line for each item of the lists of objects, or why there are none."""
    if not objects.values and not objects.open:
        return
    yield "#"
    yield _NAMED if objects.values else _ANY_NAMED
    said = dict(objects.notes)
    for variable in (name for name in objects.values if name in OBJECTS):
        note = said.pop(variable, "")
        for item in objects.values[variable].split(","):
            listed = f"{variable}={item}"
            yield _list_row(
                listed if item else f"{variable}={_NOTHING}",
                note,
                notes.get(listed, ""),
            )
            note = ""
    for why in filter(None, (objects.open, objects.refused)):
        yield f"#   {'ONLY_*':<{_LIST_WIDTH}} {why}"
    if objects.open:
        for variable, note in sorted(said.items()):
            yield f"#   {variable:<{_LIST_WIDTH}} {note}"
    for how, line in objects.proposed:
        variable, items = Grant.parse(line)
        yield f"#   {variable:<{_LIST_WIDTH}} {items} by --learn {how}"
    for mark in sorted(objects.declined):
        yield _list_row(mark, "declined")


def _family(family: Family, lists: Lists, notes: Mapping[str, str]) -> Iterator[str]:
    base = lists.values.get(BASE_VARIABLE, "")
    rows = [one for one in lists.items() if one[0].startswith(f"{family}_")]
    for variable, item in rows:
        listed = f"{variable}={item}"
        why = why_root(variable, item, base=base)
        words = [root_note(why)] if why else []
        if listed in lists.holes:
            values, runs = lists.holes[listed]
            words.append(f"varies: {count(values, 'value')} in {count(runs, 'run')}")
        if listed in lists.by_hand:
            words.append(_BY_HAND)
        yield _list_row(listed, ", ".join(words), notes.get(listed, ""))
    if not rows:
        yield f"#   {f'{family}_*':<{_LIST_WIDTH}} {_NOTHING}"


def _list_row(listed: str, words: str, note: str = "") -> str:
    variable, item = Grant.parse(listed)
    note = f"   # {note}" if note else ""
    return f"#   {variable:<{_LIST_WIDTH}} {item:<{_ITEM_WIDTH}} {words}{note}".rstrip()


def _table(
    title: str, rows: Iterable[_Row], notes: Mapping[str, str] | None = None
) -> Iterator[str]:
    listed = list(rows)
    if listed:
        yield "#"
    if listed and title:
        yield title
    for row in listed:
        note = (notes or {}).get(row.name, "")
        yield (
            f"#   {row.name:<{_NAME_WIDTH}} {row.method:<{_METHOD_WIDTH}}"
            f" {row.template:<{_ROUTE_WIDTH}} {row.note}{note and f'   # {note}'}"
        ).rstrip()


def _outdated(learned: Learned, notes: Mapping[str, str]) -> Iterator[str]:
    rows = list(_table(_OUTDATED, map(_row, sorted(set(learned.outdated))), notes))
    yield from rows
    if rows:
        yield f"# {too_old(learned.oldest_api)}"


def _row(item: str, note: str = "") -> _Row:
    if item not in OPERATIONS:
        return _Row(item, "", "", note)  # a METHOD:/template, which a person wrote
    endpoint = OPERATIONS[item][0]
    return _Row(item, endpoint.method, endpoint.template, note)


def _risk_note(item: str) -> str:
    return OPERATIONS[item][0].note if item in OPERATIONS else ""


def _unknown(routes: Iterable[tuple[str, str]]) -> Iterator[str]:
    known = {
        f"{format_value(method)} in {format_value(section) or 'no section'}"
        for method, section in routes
    }
    if known:
        yield "#"
        yield f"{_UNKNOWN} {', '.join(sorted(known))}"
