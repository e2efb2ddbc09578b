"""How learning says numbers to people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from trioproxy.evidence.seen import OWN, Completeness, Evidence
from trioproxy.evidence.strictjson import iso

FAILED_SHOWN: Final = 5
GROUPS_SHOWN: Final = 8
"""Files that are told apart where evidence is merged from many."""


def describe_watch(facts: Completeness) -> str:
    """Say how long was watched and in which run something last was new."""
    newest = (
        f"last new in run {facts.newest_run}" if facts.newest_run else "nothing new"
    )
    return f"{describe_runs(facts)}, watched for {span(facts.seconds)}, {newest}"


def describe_learning(evidence: Evidence) -> Iterator[str]:
    """Say from what a file was learned, and how far that can be trusted."""
    facts = evidence.completeness()
    if not facts.runs:
        return
    told = f"{describe_watch(facts)}, {days(facts.first, facts.last)}"
    yield f"learned in {told}{from_logs(evidence)}"
    if groups := list(describe_groups(evidence)):
        yield f"last new: {'; '.join(groups)}"
    yield from describe_hidden(evidence.hidden)


def from_logs(evidence: Evidence) -> str:
    """Say how many runs only logs tell of, to stand behind how many there were."""
    logs = sum(run.source == "log" for run in evidence.runs.values())
    return f"; {count(logs, 'run')} from logs, which show routes only" if logs else ""


def describe_hidden(hidden: Mapping[str, int]) -> Iterator[str]:
    """Say how many strangers answers left out, or would have, by operation."""
    if hidden:
        told = ", ".join(f"{name} {number}" for name, number in sorted(hidden.items()))
        yield f"strangers that lists of objects leave out, in one answer at most: {told}"


def describe_runs(facts: Completeness) -> str:
    """Say how many runs there were, and which of them prove nothing."""
    told = [
        f"{'run' if len(runs) == 1 else 'runs'} {some(list(map(str, runs)), FAILED_SHOWN)} {what}"
        for runs, what in (
            (facts.failed_runs, "failed"),
            (facts.open_runs, "without an end so far"),
        )
        if runs
    ]
    return count(facts.runs, "run") + (f" ({'; '.join(told)})" if told else "")


def describe_groups(evidence: Evidence) -> Iterator[str]:
    """Say of each file that was merged in which of its runs something last was new.

    Runs of several clients have no common order: what is new for one was known from
    another, and the last of all runs says nothing about the others.
    """
    groups = evidence.groups()
    if groups == [OWN] or not groups:
        return
    for group in groups[:GROUPS_SHOWN]:
        facts = evidence.completeness(group)
        newest = f"run {facts.newest_run} of {facts.runs}"
        yield f"{group or 'learned here'}: {newest if facts.newest_run else 'nothing'}"
    if len(groups) > GROUPS_SHOWN:
        yield count(len(groups) - GROUPS_SHOWN, "more file")


def count(number: int, noun: str, plural: str = "") -> str:
    """Write a number of things: `1 run`, `2 runs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def some(names: Sequence[str], most: int) -> str:
    """Write the first names of a list, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def day(seconds: int) -> str:
    """The day of a time, as `2026-11-24`."""
    return iso(seconds)[:10]


def days(first: int, last: int) -> str:
    """Write when something began and ended: `2026-11-20 to 2026-11-25`, or one day."""
    begin, end = day(first), day(last)
    return begin if begin == end else f"{begin} to {end}"


def span(seconds: int) -> str:
    """Write a time span for people: `40 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"
