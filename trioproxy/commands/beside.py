"""Files beside what was observed: one, what of it is refused, and what is granted and unused;
and two, what an edit flips, by the evidence that lies next to one of them."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from trioproxy.commands.observed import evidence_next_to, is_evidence, read_evidence
from trioproxy.commands.sheetlines import line_data, refused_text
from trioproxy.commands.shown import as_code, fenced
from trioproxy.evidence.strictjson import iso
from trioproxy.file.policyfile import PolicyFile
from trioproxy.judge.rules import Policy
from trioproxy.learning.wording import count, day, describe_hidden, span
from trioproxy.review.sheet import (
    DAY,
    UNUSED_DAYS,
    Line,
    Standing,
    additions,
    flips_of,
    sheet_of,
    unused_for,
)


class Drifted:
    """What a file refuses of evidence, and grants without need."""

    def __init__(
        self, file: PolicyFile, evidence: str, days: int = UNUSED_DAYS
    ) -> None:
        """Compare a file with an evidence file."""
        self.file, self.evidence, self.days = file.path, evidence, days
        self.live = read_evidence(Path(evidence))
        self.sheet = sheet_of(file.policy, self.live)

    @property
    def failed(self) -> tuple[Line, ...]:
        """What the file refuses and the Engine itself never let succeed: no need."""
        return tuple(o for o in self.sheet.refused if o.standing is Standing.FAILED)

    @property
    def refused(self) -> tuple[Line, ...]:
        """All else that it refuses."""
        return tuple(o for o in self.sheet.refused if o.standing is not Standing.FAILED)

    @property
    def unused(self) -> tuple[Line, ...]:
        """What was not used in the last days that were watched."""
        return self.sheet.unused(self.live.completeness().last - self.days * DAY)

    def lines(self) -> Iterator[str]:
        """Say it to a person."""
        facts = self.live.completeness()
        watched = f"{count(facts.runs, 'run')}, watched for {span(facts.seconds)}"
        if not self.live.facts:
            yield f"nothing is recorded in {self.evidence}: {watched}"
            yield from self._unused_lines(facts.seconds)
            return
        yield f"{self.evidence}: {watched}, until {iso(facts.last)}"
        yield from describe_hidden(self.live.hidden)
        if self.refused:
            yield f"{self.file} refuses:"
        else:
            yield f"{self.file} refuses nothing that was needed"
        yield from _told(self.refused)
        if self.failed:
            yield "and what only ever failed:"
        yield from _told(self.failed)
        # A line that is pasted without a look allows nothing that gives root.
        lines = [f"{'# root: ' * bool(o.root)}{o.grant}" for o in additions(self.sheet)]
        if lines:
            what = "this line" if len(lines) == 1 else "these lines"
            yield f"{what} would allow it (review it first):"
            yield from (f"  {line}" for line in lines)
        yield from self._unused_lines(facts.seconds)

    def _unused_lines(self, watched: int) -> Iterator[str]:
        unused = self.unused
        if unused:
            when = unused_for(watched, self.days)
            yield f"granted, and not used {when}:"
        yield from (f"  {one.grant.name}{one.last_used}" for one in unused)

    def markdown(self) -> Iterator[str]:
        """Say it beside a change: as it is on a terminal."""
        yield f"**{as_code(self.file)} beside {as_code(self.evidence)}**"
        yield ""
        yield from fenced(self.lines())

    def data(self) -> dict[str, object]:
        """Say it to a program."""
        return {
            "file": self.file,
            "evidence": self.evidence,
            "watched_seconds": self.live.completeness().seconds,
            "refused": list(map(line_data, self.sheet.refused)),
            "lines": [
                {"line": str(one.grant), "root": one.root}
                for one in additions(self.sheet)
            ],
            "unused": list(map(line_data, self.unused)),
            "values_watched": self.sheet.knows_values,
            "hidden": self.live.hidden,
        }


def _told(lines: Iterable[Line]) -> Iterator[str]:
    for one in lines:
        yield from refused_text(one)


class Flipped:
    """Two files, beside what was observed: what they decide otherwise, and of the new one, as
    a suggestion, what nobody used for long in a time that was watched."""

    def __init__(self, path: Path, policies: tuple[Policy, Policy], days: int) -> None:
        """Judge what is recorded there by the old policy and by the new one."""
        evidence = read_evidence(path)
        watched = evidence.completeness()
        self.evidence, self.days = str(path), days
        self.flips = flips_of(*policies, evidence)
        self.unused: tuple[Line, ...] = ()
        # In a time that is shorter than that, being unused says nothing.
        if watched.seconds >= days * DAY:
            sheet = sheet_of(policies[1], evidence)
            self.unused = sheet.unused(watched.last - days * DAY)

    @classmethod
    def of(
        cls, names: tuple[str, str], policies: tuple[Policy, Policy], days: int
    ) -> "Flipped | None":
        """Read the evidence next to the new file, else that of the old one; None: there is
        none."""
        files = [one for one in reversed(names) if not is_evidence(one)]
        path = next(filter(None, map(evidence_next_to, files)), None)
        return None if path is None else cls(path, policies, days)

    def lines(self, old: str, new: str) -> Iterator[str]:
        """Say it to a person."""
        flips = self.flips
        if not flips.recorded:
            yield f"nothing is recorded in {self.evidence}"
        elif not flips.number:
            yield f"it decides all {flips.recorded} recorded in {self.evidence} as before"
        else:
            yield (
                f"it decides {flips.number} of {flips.recorded} recorded in"
                f" {self.evidence} otherwise, the last of {day(flips.last)}"
            )
        for name, lines in ((new, flips.refused), (old, flips.allowed)):
            if lines:
                yield f"{name} alone refuses:"
            yield from _told(lines)
        if self.unused:
            names = ", ".join(one.grant.name for one in self.unused)
            yield f"not used in the last {count(self.days, 'day')} of it, to be struck out perhaps: {names}"

    def data(self) -> dict[str, object]:
        """Say it to a program."""
        return {
            "evidence": self.evidence,
            "recorded": self.flips.recorded,
            "refused": list(map(line_data, self.flips.refused)),
            "allowed": list(map(line_data, self.flips.allowed)),
            "unused": list(map(line_data, self.unused)),
        }
