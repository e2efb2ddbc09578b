"""Who asks for what, drawn: programs, the operations they use, the sections these are in.

A picture is drawn twice, for a page that is wide and one that is a phone's; the style
shows one of them. The wide one has three columns. On a phone there is room for two, and
the sections are headings between the operations.

Evidence counts operations, and not who asked how often. So where several programs used
one, its width is shared by all of them alike, and the page says so. Counts differ by
orders of magnitude, so a width grows with the count's logarithm.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trioproxy.review.markup import Markup, element, joined

PROGRAMS_DRAWN: Final = 8
OTHERS: Final = "others"
THICKEST: Final = 26.0
_ROW_GAP: Final = 5.0
_LEAST_ROW: Final = 19.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """An operation that was used."""

    operation: str
    section: str
    level: str
    """Its colour."""
    count: int
    askers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Where things stand, in units of the picture."""

    width: float
    name: str
    """Tells the two pictures of a page apart."""
    program: float
    """The left edge of the programs' bars; their labels stand left of it, or above."""
    box: float
    box_width: float
    section: float
    """The left edge of the sections' bars; 0: sections are headings."""
    longest: int
    """Characters of a label in a box."""


WIDE: Final = _Frame(
    width=720, name="wide", program=134, box=258, box_width=216, section=588, longest=28
)
NARROW: Final = _Frame(
    width=336, name="narrow", program=0, box=134, box_width=201, section=0, longest=27
)
_BAR: Final = 9.0
_HEADING: Final = 24.0
_LABEL: Final = 38.0
"""Room for the label above a program's bar."""


@dataclass(slots=True, kw_only=True)
class _Row:
    """An operation as it is drawn."""

    use: Use
    thickness: float
    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def thickness(count: int) -> float:
    """How wide the band of so many uses is."""
    return min(2.0 + 1.9 * math.log2(1 + count), THICKEST)


def draw(uses: Sequence[Use], frame: _Frame) -> Markup:
    """Draw the uses, one operation a row, those of a section together."""
    uses = _few_askers(uses)
    rows, headings, height = _rows(uses, frame)
    sums = _sums(rows)
    if (room := sum(sums.values()) + _LABEL * (len(sums) + 1)) > height:
        # Many programs and few operations: these stand in the middle.
        down = (room - height) / 2
        for row in rows:
            row.y += down
        headings = [(name, y + down) for name, y in headings]
        height = room
    names = f"picture-{frame.name}"
    parts = [
        element("title", "Who asks for what", id=f"{names}-title"),
        element("desc", _description(uses), id=f"{names}-text"),
        *_programs(rows, sums, frame, height),
        *(_sections(rows, frame) if frame.section else ()),
        *(_text(frame.box, y, name, "sign") for name, y in headings),
        *(_box(row, frame) for row in rows),
    ]
    return element(
        "svg",
        parts,
        class_=f"picture {frame.name}",
        viewBox=f"0 0 {frame.width:g} {height:g}",
        role="img",
        aria_labelledby=f"{names}-title {names}-text",
    )


def _description(uses: Sequence[Use]) -> str:
    programs = {name for one in uses for name in one.askers}
    sections = {one.section for one in uses}
    most = max(uses, key=lambda one: one.count)
    return (
        f"{', '.join(sorted(programs))} used {len(uses)} operations in"
        f" {', '.join(sorted(sections))}; {most.operation} most often, {most.count} times."
        " The table below the picture has all of them."
    )


def _few_askers(uses: Sequence[Use]) -> list[Use]:
    """Put together the programs for which there is no room: those of the least use."""
    weights = dict[str, float]()
    for one in uses:
        for name in one.askers:
            share = thickness(one.count) / len(one.askers)
            weights[name] = weights.get(name, 0) + share
    kept = sorted(weights, key=lambda name: (-weights[name], name))[:PROGRAMS_DRAWN]
    return [
        Use(
            operation=one.operation,
            section=one.section,
            level=one.level,
            count=one.count,
            askers=tuple(dict.fromkeys(a if a in kept else OTHERS for a in one.askers)),
        )
        for one in uses
    ]


def _rows(
    uses: Sequence[Use], frame: _Frame
) -> tuple[list[_Row], list[tuple[str, float]], float]:
    """Lay the operations out; the headings between them; how high the picture is."""
    rows, headings, y, section = list[_Row](), list[tuple[str, float]](), 4.0, ""
    for one in sorted(uses, key=lambda one: (one.section, one.operation)):
        if one.section != section and not frame.section:
            headings.append((one.section, y + _HEADING - 9))
            y += _HEADING
        elif one.section != section and rows:
            y += 2 * _ROW_GAP
        section = one.section
        band = thickness(one.count)
        row = _Row(use=one, thickness=band, y=y, height=max(band, _LEAST_ROW))
        rows.append(row)
        y += row.height + _ROW_GAP
    return rows, headings, y + 2


def _programs(
    rows: list[_Row], sums: Mapping[str, float], frame: _Frame, height: float
) -> Iterator[Markup]:
    """Draw the programs' bars from top to bottom, and the bands to their operations."""
    gap = max(_LABEL, (height - sum(sums.values())) / (len(sums) + 8))
    y = (height - sum(sums.values()) - gap * (len(sums) - 1)) / 2
    arrived = {id(row): row.middle - row.thickness / 2 for row in rows}
    for name, whole in sums.items():
        at = y
        for row in rows:
            if name in row.use.askers:
                share = row.thickness / len(row.use.askers)
                start = (frame.program + _BAR, at + share / 2)
                end = (frame.box, arrived[id(row)] + share / 2)
                yield _band(start, end, share, row.use.level)
                at += share
                arrived[id(row)] += share
        yield _bar(frame.program, y, whole)
        if frame.program:
            yield from _label(name, frame.program - 7, y + whole / 2 + 4, "end")
        else:
            yield from _label(name, 0, y - 13, "over")
        y += whole + gap


def _label(program: str, x: float, y: float, kind: str) -> Iterator[Markup]:
    """Write a program's name, and its version below."""
    name, _, version = program.partition("/")
    lines = [line for line in (name, version) if line]
    for at, line in enumerate(lines):
        above = y - 7 * (len(lines) - 1)
        yield _text(x, above + 14 * at, _cut(line, 20), f"{kind} quiet" if at else kind)


def _sums(rows: list[_Row]) -> dict[str, float]:
    """How high each program's bar is; in the order in which their operations stand."""
    sums, places = dict[str, float](), dict[str, list[float]]()
    for row in rows:
        for name in row.use.askers:
            share = row.thickness / len(row.use.askers)
            sums[name] = sums.get(name, 0) + share
            places.setdefault(name, []).append(row.middle)
    middle = {name: sum(ys) / len(ys) for name, ys in places.items()}
    return {name: sums[name] for name in sorted(sums, key=lambda n: (middle[n], n))}


def _sections(rows: list[_Row], frame: _Frame) -> Iterator[Markup]:
    for section in dict.fromkeys(row.use.section for row in rows):
        members = [row for row in rows if row.use.section == section]
        whole = sum(row.thickness for row in members)
        top = (members[0].y + members[-1].y + members[-1].height - whole) / 2
        at = top
        for row in members:
            start = (frame.box + frame.box_width, row.middle)
            end = (frame.section, at + row.thickness / 2)
            yield _band(start, end, row.thickness, row.use.level)
            at += row.thickness
        yield _bar(frame.section, top, whole)
        yield _text(frame.section + _BAR + 7, top + whole / 2 + 4, section, "sign")


def _box(row: _Row, frame: _Frame) -> Markup:
    rect = element(
        "rect",
        x=frame.box,
        y=round(row.y, 1),
        width=frame.box_width,
        height=round(row.height, 1),
        rx=3,
    )
    inside = frame.box + 8
    baseline = row.middle + 4
    return element(
        "g",
        rect,
        _text(inside, baseline, _cut(row.use.operation, frame.longest), "name"),
        _text(frame.box + frame.box_width - 8, baseline, str(row.use.count), "end"),
        class_=f"box k-{row.use.level}",
    )


def _bar(x: float, y: float, height: float) -> Markup:
    return element(
        *("rect",),
        class_="bar",
        x=x,
        y=round(y, 1),
        width=_BAR,
        height=round(height, 1),
        rx=2,
    )


def _band(
    start: tuple[float, float], end: tuple[float, float], width: float, level: str
) -> Markup:
    bend = (start[0] + end[0]) / 2
    line = (
        f"M{start[0]:g} {start[1]:.1f}C{bend:g} {start[1]:.1f}"
        f" {bend:g} {end[1]:.1f} {end[0]:g} {end[1]:.1f}"
    )
    band = round(width, 1)
    return element("path", class_=f"band k-{level}", d=line, stroke_width=band)


def _text(x: float, y: float, text: str, kind: str) -> Markup:
    return element("text", text, x=x, y=round(y, 1), class_=kind)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def dots(uses: Sequence[int], failed: Sequence[bool]) -> Markup:
    """Draw a strip of runs: full where something was used, a ring where not."""
    step, radius = 11.0, 3.5
    marks = [
        _dot(step * at + step / 2, radius, use > 0, is_failed)
        for at, (use, is_failed) in enumerate(zip(uses, failed, strict=True))
    ]
    width = step * len(marks)
    used = sum(use > 0 for use in uses)
    label = (
        f"in {used} of the newest {len(uses)} runs"
        if len(uses) > 1
        else ("in the one run" if used else "not in the one run")
    )
    return element(
        *("svg", marks),
        class_="dots",
        viewBox=f"0 0 {width:g} {step:g}",
        width=width,
        height=step,
        role="img",
        aria_label=label,
    )


def _dot(x: float, radius: float, is_used: bool, is_failed: bool) -> Markup:
    kind = "full" if is_used else "ring"
    if is_failed:
        side = 2 * radius - 1
        at = {"x": x - side / 2, "y": 5.5 - side / 2, "width": side, "height": side}
        return element("rect", class_=kind, **at)
    return element("circle", class_=kind, cx=x, cy=5.5, r=radius)


def bar(parts: Iterable[tuple[str, int]]) -> Markup:
    """Draw numbers side by side as one bar; each has a class. Beside it stands the text."""
    parts = list(parts)
    whole = sum(number for _, number in parts) or 1
    drawn, at = list[Markup](), 0.0
    for kind, number in parts:
        width = 100 * number / whole
        drawn.append(
            element(
                *("rect",),
                class_=f"part {kind}",
                x=f"{at:.2f}%",
                y=0,
                width=f"{width:.2f}%",
                height=22,
            )
        )
        at += width
    return element("svg", joined(drawn), class_="price", height=22, aria_hidden="true")
