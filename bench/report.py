"""Medians, ratios by round and the verdict on the floors, as Markdown and as JSON."""

import os
import platform
import re
import statistics
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.contenders import INCUMBENT, LEARNING, SECTIONS
from bench.rounds import Failure, Sample
from bench.scenarios import HIGHER_IS_BETTER, MANY, Scenario

CONGESTION_CONTROL: Final = Path("/proc/sys/net/ipv4/tcp_congestion_control")
"""What TCP does where nobody chose: one that paces slows transfers on loopback."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A promised ratio: the floor makes the claim true, the aim is what we want."""

    title: str
    scenario: str
    figure: str
    floor: float
    aim: float
    base: str | None = INCUMBENT
    """Whom the ratio is to; None when the figure is a ratio already."""
    who: str = SECTIONS


def _requests(
    title: str, scenario: str, floor: float, aim: float, figure: str = "rate"
) -> Floor:
    return Floor(title=title, scenario=scenario, figure=figure, floor=floor, aim=aim)


FLOORS = (
    _requests("p50, 1 connection, 2 KB list", "list-1", 0.85, 0.75, "p50"),
    _requests("req/s, 1 connection", "list-1", 1.15, 1.4),
    _requests("req/s, 32 connections", "list-32", 1.0, 1.35),
    _requests("req/s, 128 connections", "list-128", 1.0, 1.3),
    _requests("req/s, 1,000 connections", "list-1000", 0.9, 1.1),
    _requests("req/s, every head different, 32 connections", "unique-32", 0.6, 0.9),
    _requests("req/s, a new connection each, 32 at once", "close-32", 0.7, 1.0),
    _requests("refusals, req/s", "refused-32", 1.0, 1.3),
    _requests("1 GiB download, sized", "download-sized", 1.3, 1.7, "throughput"),
    _requests("1 GiB download, chunked", "download-chunked", 1.3, 1.7, "throughput"),
    _requests("1 GiB upload, sized", "upload-sized", 1.2, 1.7, "throughput"),
    _requests("1 GiB upload, chunked", "upload-chunked", 1.2, 1.7, "throughput"),
    _requests("RSS idle", "idle", 1.5, 1.4, "rss"),
    _requests("RSS, 1,000 event streams", "streams-1000", 1.5, 1.2, "rss"),
    _requests("RSS, N event streams", "streams-most", 1.5, 1.0, "rss"),
    _requests("RSS, 5,000 event streams", f"streams-{MANY}", 1.5, 1.15, "rss"),
    _requests("RSS, 5,000 idle connections", f"idle-{MANY}", 2.0, 1.3, "rss"),
    _requests("RSS, 5,000 tunnels", f"tunnels-{MANY}", 2.0, 1.3, "rss"),
    Floor(
        title="learning against enforcing, req/s, 1 connection",
        scenario="list-1",
        figure="rate",
        floor=0.9,
        aim=0.97,
        base=SECTIONS,
        who=LEARNING,
    ),
    Floor(
        title="learning against enforcing, req/s, 32 connections",
        scenario="list-32",
        figure="rate",
        floor=0.9,
        aim=0.97,
        base=SECTIONS,
        who=LEARNING,
    ),
    Floor(
        title="exec to listening, to importing trio, h11, click",
        scenario="start",
        figure="times",
        floor=1.8,
        aim=1.15,
        base=None,
    ),
)


class Results:
    """The samples of a run, by scenario, contender and figure."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._values: dict[tuple[str, str, str], dict[int, float]] = {}
        for sample in samples:
            for figure, value in sample.figures.items():
                by_round = self._values.setdefault(
                    (sample.scenario, sample.contender, figure), {}
                )
                by_round[sample.round] = value

    def median(self, scenario: str, who: str, figure: str) -> float | None:
        """The median over the rounds."""
        values = self._values.get((scenario, who, figure))
        return statistics.median(values.values()) if values else None

    def ratios(
        self, scenario: str, figure: str, who: str, base: str | None
    ) -> list[float]:
        """The ratio of two contenders in each round that has both."""
        mine = self._values.get((scenario, who, figure), {})
        if base is None:
            return list(mine.values())
        theirs = self._values.get((scenario, base, figure), {})
        return [
            value / theirs[number]
            for number, value in mine.items()
            if theirs.get(number)
        ]

    def has(self, scenario: str, figure: str) -> bool:
        """Whether anybody has this figure."""
        return any(
            (name, what) == (scenario, figure) for name, _who, what in self._values
        )

    def contenders(self) -> list[str]:
        """Who has any figure, in the order of appearance."""
        return list(dict.fromkeys(who for _scenario, who, _figure in self._values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A floor beside what was measured."""

    floor: Floor
    ratio: float
    spread: tuple[float, float]
    """The lowest and the highest ratio of a round."""
    met: str


def verdicts(results: Results) -> list[Verdict]:
    """Judge every floor that this run has figures for."""
    found = []
    for floor in FLOORS:
        ratios = results.ratios(floor.scenario, floor.figure, floor.who, floor.base)
        if ratios:
            ratio = statistics.median(ratios)
            found.append(
                Verdict(
                    floor=floor,
                    ratio=ratio,
                    spread=(min(ratios), max(ratios)),
                    met=_judge(floor, ratio),
                )
            )
    return found


def _judge(floor: Floor, ratio: float) -> str:
    sign = 1 if floor.figure in HIGHER_IS_BETTER else -1
    if sign * ratio >= sign * floor.aim:
        return "aim met"
    return "floor met" if sign * ratio >= sign * floor.floor else "MISSED"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    marks = ["---", *("--:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *body))


def _number(value: float | None) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


HEADINGS = {
    "rate": "Requests per second",
    "p50": "Latency, median, ms",
    "p99": "Latency, 99th percentile, ms",
    "throughput": "Transfers, MB/s",
    "cpu": "CPU seconds of the proxy for 10,000 requests, or for 1 GiB",
    "rss": "Resident memory (RSS), MiB",
    "pss": "Proportional memory (PSS), MiB",
    "ms": "Times, ms",
    "imports": "Importing trio, h11 and click alone, ms",
    "kept": "Log lines that arrive under load, %",
}
"""The tables of a report, by figure, in order."""


def figures_tables(results: Results, scenarios: Sequence[Scenario]) -> str:
    """Medians: a table a figure, a column a contender; in brackets, ratios to HAProxy."""
    tables = []
    for figure, heading in HEADINGS.items():
        found = [one for one in scenarios if results.has(one.name, figure)]
        if found:
            tables.append(f"### {heading}\n\n{_figure_table(results, found, figure)}\n")
    return "\n".join(tables)


def _figure_table(results: Results, scenarios: Sequence[Scenario], figure: str) -> str:
    names = results.contenders()
    rows = [["", *names]]
    for scenario in scenarios:
        cells = [_cell(results, scenario.name, figure, who) for who in names]
        rows.append([scenario.title, *cells])
    return _table(rows)


def _cell(results: Results, scenario: str, figure: str, who: str) -> str:
    value = results.median(scenario, who, figure)
    ratios = results.ratios(scenario, figure, who, INCUMBENT)
    if value is None or who == INCUMBENT or not ratios or figure == "imports":
        return _number(value)
    return f"{_number(value)} ({statistics.median(ratios):.2f})"


def floors_table(judged: Sequence[Verdict]) -> str:
    """Floors and aims beside the ratios."""
    rows = [["figure", "ratio", "over the rounds", "floor", "aim", ""]]
    for verdict in judged:
        sign = ">=" if verdict.floor.figure in HIGHER_IS_BETTER else "<="
        low, high = verdict.spread
        rows.append(
            [
                verdict.floor.title,
                f"{verdict.ratio:.2f}",
                f"{low:.2f}-{high:.2f}",
                f"{sign} {verdict.floor.floor}",
                f"{sign} {verdict.floor.aim}",
                verdict.met,
            ]
        )
    return _table(rows)


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "tcp": CONGESTION_CONTROL.read_text().strip(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("trio", "h11")},
        "haproxy": _program("haproxy", "-v"),
        "nginx": _program("nginx", "-v"),
        "wrk": _program("wrk", "-v"),
    }


def _program(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=False
        )
    except FileNotFoundError:
        return "not installed"
    found = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return found[0] if found else "?"


def as_json(
    samples: Sequence[Sample],
    failures: Sequence[Failure],
    judged: Sequence[Verdict],
    options: Mapping[str, object],
) -> dict[str, object]:
    """All of a run, for programs and for later comparison."""
    return {
        "machine": machine(),
        "options": options,
        "verdicts": [asdict(verdict) for verdict in judged],
        "failures": [asdict(failure) for failure in failures],
        "samples": [asdict(sample) for sample in samples],
    }
