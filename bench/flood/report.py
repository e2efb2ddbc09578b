"""The figures of a run: 80 columns for a terminal, Markdown for a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.flood.measure import GOAL_P95_MS, LIMIT_MIB, LIMIT_P95_MS, Pings, Result
from bench.report import machine

BEGIN: Final = "<!-- made by `make flood FLOOD=--write`: begin -->\n"
END: Final = "<!-- made by `make flood FLOOD=--write`: end -->\n"

ROW: Final = "{:16.16} {:6.6} {:>5} {:>5} {:>5} {:>5} {:>4} {:>4} {:>8} {:>5}  {}"


def number(milliseconds: float) -> str:
    """Milliseconds in up to five characters."""
    if milliseconds == float("inf"):
        return "never"
    return (
        f"{milliseconds:.1f}"
        if milliseconds < 100
        else f"{min(milliseconds, 99999):.0f}"
    )


def line(result: Result) -> str:
    """A row for the terminal."""
    pings = result.pings
    times = [number(one) for one in (pings.median, pings.p95, pings.p99, pings.worst)]
    return ROW.format(
        result.flood.name,
        result.tree,
        *times,
        str(pings.lost),
        f"{100 * result.cpu:.0f}%",
        f"{result.before:.0f}+{result.peak - result.before:.0f}",
        f"{result.after:.0f}",
        health(pings),
    )


HEADINGS_LINE: Final = ROW.format(
    "flood",
    "tree",
    "p50",
    "p95",
    "p99",
    "worst",
    "lost",
    "CPU",
    "MiB",
    "after",
    "health",
)


def floor_line(name: str, pings: Pings) -> str:
    """The row of a flood that hits nobody."""
    times = [number(one) for one in (pings.median, pings.p95, pings.p99, pings.worst)]
    return ROW.format(name, "floor", *times, str(pings.lost), "", "", "", "").rstrip()


def health(pings: Pings) -> str:
    """How many of all health checks were answered, where not all were."""
    answered = sum(pings.health)
    return "yes" if pings.is_healthy else f"{answered}/{len(pings.health)}"


def introduction(seconds: float) -> str:
    """What was measured, where, and what the columns mean."""
    found = machine()
    return (
        f"{found['cores']} cores ({found['cpu']}), {found['memory']}, kernel"
        f" {found['kernel']}, Python {found['python']}; {seconds:g} s for each flood,"
        " all on loopback. Ping: of another client, 100 a second, every tenth on a new"
        " connection; median/95th/99th percentile/worst in ms, with those counted that a slow one"
        " kept from being sent, and health checks where not all were answered. CPU is a share of"
        " one core. Floor: the same flood at a sink, the ping at the stand-in Engine."
        f" Limits: the 95th percentile {LIMIT_P95_MS:.0f} ms (the goal is"
        f" {GOAL_P95_MS:.0f}), memory +{LIMIT_MIB:.0f} MiB, every ping and check answered."
    )


def markdown(
    results: Sequence[Result], floors: Mapping[str, Pings], seconds: float
) -> str:
    """A table with a row a flood, and columns for each tree."""
    trees = list(dict.fromkeys(result.tree for result in results))
    names = [f"ping, {tree}" for tree in trees]
    for what in ("CPU", "MiB"):
        names += [f"{what}, {tree}" for tree in trees]
    rows = [["flood", "floor", *names], ["---", *("--:" for _ in ["", *names])]]
    for name in dict.fromkeys(result.flood.name for result in results):
        mine = [result for result in results if result.flood.name == name]
        rows.append([mine[0].flood.title, _times(floors.get(name)), *_cells(mine)])
    table = "\n".join(f"|{'|'.join(row)}|" for row in rows)
    return f"{introduction(seconds)}\n\n{table}\n"


def _cells(results: Sequence[Result]) -> list[str]:
    cells = []
    for result in results:
        lost = f", {result.pings.lost} lost" if result.pings.lost else ""
        if not result.pings.is_healthy:
            lost += f", health {health(result.pings)}"
        cells.append(_times(result.pings) + lost)
    cells += [f"{100 * result.cpu:.0f}%" for result in results]
    cells += [f"+{result.peak - result.before:.0f}" for result in results]
    return cells


def _times(pings: Pings | None) -> str:
    if pings is None:
        return ""
    return "/".join(
        number(one) for one in (pings.median, pings.p95, pings.p99, pings.worst)
    )


def write(page: Path, table: str) -> None:
    """Put the table between its marks; without marks nothing is written."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(
            f"{page} has no place for the table: put these two lines in\n{BEGIN}{END}"
        )
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
