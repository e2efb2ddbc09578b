"""What a file is worth, for `check FILE`: its verdict, the known attacks, and a boundary.

The attacks are judged offline (`review.attacking`). Of what is open the worst comes first,
and what one change of the file would shut stands together, since that is what a reviewer
decides on. What is not granted or does not apply is a number.
"""

from collections.abc import Iterator
from typing import Final

from trioproxy.commands.sheetlines import line_data, line_text
from trioproxy.file.policyfile import PolicyFile
from trioproxy.judge.meaning import meaning_of
from trioproxy.learning.learnedfile import says_no_root
from trioproxy.learning.wording import count
from trioproxy.review.attacking import try_all
from trioproxy.review.compare import compare

NO_CHANGE: Final = "no line"


class Worth:
    """A file, and what became of the known attacks on it."""

    def __init__(self, file: PolicyFile, boundary: PolicyFile | None) -> None:
        """Try all attacks on a file; `boundary`: the one that it shall be within."""
        self.meaning = meaning_of(file.policy)
        self.trials = try_all(file.variables, file.policy)
        self.is_told_safe = says_no_root(file.text)
        """Whether it says that there is no known way to root."""
        self.boundary = boundary.path if boundary else ""
        self.beyond = compare(boundary.policy, file.policy).more if boundary else ()
        """What goes beyond that."""

    @property
    def is_untrue(self) -> bool:
        """Whether an attack is open that gives root, and the verdict is that there is none."""
        is_told_safe = self.is_told_safe or not self.meaning.is_root
        return is_told_safe and self.trials.gives_root

    def lines(self) -> Iterator[str]:
        """Say it to a person."""
        yield self.meaning.answer
        yield str(self.trials)
        for alike in self.trials.groups:
            gives, remedy = alike[0].attack.gives.shown, alike[0].remedy or NO_CHANGE
            yield f"  {gives}: {remedy} would shut {len(alike)}"
            yield f"    {'; '.join(one.attack.name for one in alike)}"
        if self.is_untrue:
            yield "the file is said to give no known way to root, and such an attack is open"
        yield from self._boundary()

    def _boundary(self) -> Iterator[str]:
        if self.beyond:
            number = count(len(self.beyond), "grant")
            yield f"it goes beyond {self.boundary} by {number}:"
            yield from (f"  + {line_text(one)}" for one in self.beyond)
        elif self.boundary:
            yield f"it grants nothing beyond {self.boundary}"

    def data(self) -> dict[str, object]:
        """Say it to a program."""
        within = {"within": self.boundary, "beyond": list(map(line_data, self.beyond))}
        return {
            "root": self.meaning.is_root,
            "verdict": self.meaning.answer,
            "untrue": self.is_untrue,
            "attacks": [
                {
                    "name": one.attack.name,
                    "gives": str(one.attack.gives),
                    "source": one.attack.source,
                    "standing": str(one.standing),
                    "why": one.why,
                    "remedy": one.remedy,
                }
                for one in self.trials.tried
            ],
            **(within if self.boundary else {}),
        }
