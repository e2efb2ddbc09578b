"""A line of a sheet as text and as data: in the same words, whichever command shows it."""

from collections.abc import Iterator
from typing import Final

from trioproxy.commands.shown import as_data, risk_text
from trioproxy.evidence.strictjson import iso
from trioproxy.judge.meaning import Way
from trioproxy.learning.wording import day, some
from trioproxy.review.sheet import NO_WAY, Line

ASKERS_SHOWN: Final = 5


def refused_text(line: Line) -> Iterator[str]:
    """Say what is refused, how often, and whether it would give root."""
    seen = line.seen
    assert seen is not None  # noqa: S101  what clients asked for was seen
    by = f", by {line.among(seen.clients)}{some(seen.clients, ASKERS_SHOWN)}"
    who = by if seen.clients else ""
    yield f"  {seen.count}x {line.told}, last {day(seen.last)}{who}"
    if line.note:
        yield f"     {line.note}"
    if line.power.is_root:
        yield f"     that gives root on the host: {line.power.why}"


def power_text(line: Line) -> str:
    """Say what it gives at worst, and why."""
    power = line.power
    risk = risk_text(power, line.endpoint)
    return f"{risk}: {power.why}" if power.level else NO_WAY


def line_text(line: Line) -> str:
    """Say what it is, and what it gives."""
    name = line.grant.name
    if line.route:
        return f"{name:<24} {line.route}  {power_text(line)}"
    return f"{name}  {power_text(line)}" if line.power.level else name


def way_data(way: Way) -> dict[str, str]:
    """Show a way to root to a program."""
    return {
        "operation": way.operation,
        "argument": str(way.grant or ""),
        "why": way.why,
    }


def line_data(line: Line) -> dict[str, object]:
    """Show a line to a program."""
    seen = line.seen
    return {
        "name": line.grant.name,
        "variable": line.grant.variable,
        "item": line.grant.item,
        "standing": line.standing.name.lower(),
        "power": line.power.level,
        "root": line.power.is_root,
        "why": line.power.why,
        "told": line.told,
        "note": line.note,
        "seen": seen
        and {
            "count": seen.count,
            "runs": len(seen.runs),
            "of_runs": seen.of_runs,
            "first": iso(seen.first) if seen.last else None,
            "last": iso(seen.last) if seen.last else None,
            "clients": seen.clients,
            "programs": seen.programs,
        },
        **(as_data(line.endpoint) if line.endpoint else {}),
    }
