"""`python -m tests.learningcost`: what it costs to learn from a client that makes up values.

Such a client asks for new ones with each request, and everything that is known has to be
written again and again: the lists of the env file are made anew by each save. So evidence
of growing length is gathered as a learner does it, through a journal, and held to what is
promised, in CPU seconds: for all of it, for the last save, which SIGTERM waits for, and for
reading what is there.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import trio

from trioproxy.evidence.evidencefile import load
from trioproxy.evidence.journal import Journal
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import Sight, Who, looked_at, route_of
from trioproxy.learning.store import Store, Written
from trioproxy.learning.wish import Wish

LEARNED: Final = {1_000: 1.5, 4_000: 6.0}
"""By how many values there are, what learning them may take."""
ENDED: Final = 2.0
READ: Final = 0.33
"""What the end, and reading all of it, may take of as many values as there are at most."""
PAUSE: Final = 0.005
"""Seconds between two requests."""
CREATE: Final = "ContainerCreate"
DATE: Final = 1_767_225_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one client cost, in CPU seconds."""

    values: int
    learned: float
    ended: float
    read: float

    @property
    def too_much(self) -> Iterator[str]:
        """What of it is more than is promised."""
        for name, took, most in (
            ("learned", self.learned, LEARNED[self.values]),
            ("ended", self.ended, ENDED),
            ("read", self.read, READ),
        ):
            if took > most:
                yield f"{self.values} values {name} in {took:.2f} s, at most {most} s"


def created(number: int) -> Iterator[Sight]:
    """What a creation shows that asks for four values that nobody asked for before."""
    yield looked_at(CREATE)
    yield Sight("CREATE_BINDS", f"/srv/x{number}/d", CREATE)
    yield Sight("CREATE_IMAGES", f"a{number}:1.{number}", CREATE)
    yield Sight("CREATE_PORTS", f"{10_000 + number}", CREATE)
    yield Sight("CREATE_TAGS", f"t{number}:1", CREATE)


async def learn(values: int, folder: Path) -> Cost:
    """Learn from one client as `learn` does."""
    store = Store(folder / "app.env", Wish(name="app", file="app.env"))
    evidence = Evidence()
    evidence.begin("2026-01-01T00:00:00.000000Z-1", DATE)

    def tell(new: Sequence[Sight], saved: Written) -> None:
        """Nobody listens."""

    journal = Journal(store, evidence, tell=tell, complain=lambda error: None)
    begun = time.process_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(journal.run)
        for number in range(values // 4):
            when = When(DATE + number, number)
            evidence.observe(route_of(CREATE), "201", when, Who("app/1", "10.0.0.5"))
            for sight in created(number):
                evidence.observe(sight, "201", when)
            journal.wake()
            await trio.sleep(PAUSE)
        nursery.cancel_scope.cancel()
    last = time.process_time()
    assert await journal.save(is_final=True) is not None
    ended = time.process_time()
    data = (folder / "app.jsonl").read_bytes()
    again = time.process_time()
    load(data, name="app.jsonl")
    read = time.process_time() - again
    return Cost(values=values, learned=ended - begun, ended=ended - last, read=read)


def main() -> int:
    """Print what each length costs; the exit status: 1 where it is too much."""
    wrong = list[str]()
    for values in LEARNED:
        with tempfile.TemporaryDirectory() as folder:
            cost = trio.run(learn, values, Path(folder))
        print(
            f"{values} values: learned {cost.learned:.2f} s, the last save of it"
            f" {cost.ended:.2f} s, read {cost.read:.2f} s"
        )
        wrong += cost.too_much
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
