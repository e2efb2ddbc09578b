"""What an edit flips, for `diff OLD NEW`: beside the evidence that lies next to one of them.

Of all that was observed it is said what the two decide otherwise, and of the new file, as a
suggestion, what nobody used for long in a time that was watched.
"""

from collections.abc import Iterator

from trioproxy.commands.observed import evidence_next_to, is_evidence, read_evidence
from trioproxy.commands.sheetlines import line_data, refused_text
from trioproxy.evidence.strictjson import iso
from trioproxy.judge.rules import Policy
from trioproxy.learning.wording import count
from trioproxy.review.sheet import DAY, Flips, Line, flips_of, sheet_of
from trioproxy.values import value_class


@value_class
class Flipped:
    """Two files, beside what was observed."""

    evidence: str
    flips: Flips
    unused: tuple[Line, ...]
    """What the new file grants and nobody used for so many days of those watched."""
    days: int

    @classmethod
    def of(
        cls, names: tuple[str, str], policies: tuple[Policy, Policy], days: int
    ) -> "Flipped | None":
        """Read the evidence next to the new file, else that of the old one; None: there is
        none."""
        files = [one for one in reversed(names) if not is_evidence(one)]
        path = next(filter(None, map(evidence_next_to, files)), None)
        if path is None:
            return None
        evidence = read_evidence(path)
        watched = evidence.completeness()
        # In a time that is shorter than that, being unused says nothing.
        is_long = watched.seconds >= days * DAY
        sheet = sheet_of(policies[1], evidence) if is_long else None
        return cls(
            evidence=str(path),
            flips=flips_of(*policies, evidence),
            unused=sheet.unused(watched.last - days * DAY) if sheet else (),
            days=days,
        )

    def lines(self, old: str, new: str) -> Iterator[str]:
        """Say it to a person."""
        flips = self.flips
        if not flips.number:
            yield f"it decides all {flips.recorded} recorded in {self.evidence} as before"
        else:
            yield (
                f"it decides {flips.number} of {flips.recorded} recorded in"
                f" {self.evidence} otherwise, the last of {iso(flips.last)[:10]}"
            )
        for name, lines in ((new, flips.refused), (old, flips.allowed)):
            if lines:
                yield f"{name} alone refuses:"
            for line in lines:
                yield from refused_text(line)
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
