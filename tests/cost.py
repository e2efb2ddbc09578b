"""`python -m tests.cost`: what commands cost on long lists, and by what it grows.

A command that compares each item with each other is quick in every test, and takes minutes
on the file of a large fleet. So each command that reads lists is run on files of growing
length, as a process of its own, and its CPU time is held to what is promised: so many
seconds for so many items, and for twice the items not much more than twice the time.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Final

from trioproxy.api.families import OBJECTS, Places
from trioproxy.evidence import evidencefile
from trioproxy.evidence.keeping import as_moving
from trioproxy.evidence.seen import VALUES_KEPT, Evidence, When
from trioproxy.evidence.sight import Sight, Who, route_of
from trioproxy.file.envfile import LONGEST_LINE
from trioproxy.limits.grant import Grant

SIZES: Final = (500, 1_000, 2_000, 5_000)
"""Items of a list."""
SECONDS: Final = {1_000: 2.0, 5_000: 8.0}
"""What a command may take for so many of them, in CPU seconds."""
DOUBLED: Final = 2.4
"""How many times as long it may take for twice the items."""
ASKED: Final = 1_000
"""Values that one request asks for, at most."""
OPERATIONS: Final = "ContainerCreate,ContainerStart,ImageCreate"
_CREATE: Final = "ContainerCreate"
RUN: Final = "2026-01-01-000000-000001"
DATE: Final = 1_767_225_600
ITS_FAULT: Final = 2
"""The exit status of a command that had bad input, or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """A list of a file: nine items of ten are alike, and one is another way.

    In texts, `{0}` is the number of an item, and `{1}` one that is nine more.
    """

    variable: str
    items: tuple[str, str]
    """How they are written."""
    values: tuple[str, str]
    """What each of them fits, as requests ask for it."""
    narrow: tuple[str, str]
    """What to replace in an item, a regular expression, so that it fits less."""
    base: str = ""
    operation: str = "ContainerCreate"
    """Whose requests ask for the values."""

    def listed(self, numbers: Iterable[int]) -> list[str]:
        """The items with these numbers."""
        return [self._text(self.items, one) for one in numbers]

    def asked(self, numbers: Iterable[int]) -> list[str]:
        """A value for each of them."""
        return [self._text(self.values, one) for one in numbers]

    def _text(self, pair: tuple[str, str], number: int) -> str:
        text = pair[number % 10 == 0].format(number, number + 9)
        return text.replace("BASE", self.base)


_READ = (r"$", ":ro")
_BINDS = List(
    variable="CREATE_BINDS",
    items=("/srv/{0}/d", "/srv/{0}/j-*"),
    values=("/srv/{0}/d", "/srv/{0}/j-1"),
    narrow=_READ,
)
_IMAGES = List(
    variable="CREATE_IMAGES",
    items=("a{0}:1.{0}", "a{0}:*"),
    values=("a{0}:1.{0}", "a{0}:2"),
    narrow=(r"\*$", "1*"),
)
_PORTS = List(
    variable="CREATE_PORTS",
    items=("1{0:04}", "2{0:04}-2{1:04}"),
    values=("1{0:04}", "2{1:04}"),
    narrow=(r"^", "1.1.1.1:"),
)


class Kind(tuple[List, ...]):
    """The lists of a file, which share its items among them."""

    __slots__ = ()

    def file(self, numbers: Sequence[int], *, narrow: bool = False) -> str:
        """An env file that lists them; `narrow`: each so that it fits less."""
        lines = [f"ALLOW_OPERATIONS={OPERATIONS}"]
        for one, own in self._shares(numbers):
            items = one.listed(own)
            if narrow:
                items = [re.sub(*one.narrow, item) for item in items]
            lines.append(f"{one.variable}={','.join(items)}")
            lines += [f"CREATE_BASE={one.base}"] * bool(one.base)
            lines += ["ONLY_OWNER=me"] * (one.variable in OBJECTS)
        return "".join(f"{line}\n" for line in lines)

    def evidence(self, numbers: Sequence[int]) -> Evidence:
        """What is known where a value was asked for each of them, as far as it is kept."""
        known, when = Evidence(), When(DATE)
        known.begin(RUN, DATE)
        known.observe(route_of(_CREATE), "201", when, Who())
        known.observe(Sight("CREATE", "", _CREATE), "201", when)
        known.granted = set(map(Grant.of_operation, OPERATIONS.split(",")))
        for one, own in self._shares(numbers):
            known.runs[RUN].places = Places(one.base)
            known.granted |= {Grant(one.variable, item) for item in one.listed(own)}
            for value in one.asked(own[:VALUES_KEPT]):
                kept = as_moving(one.variable, value, Places(one.base))
                argument = Sight(one.variable, kept, one.operation)
                known.observe(argument, "201", when)
        return known

    def body(self, numbers: Sequence[int]) -> Mapping[str, object]:
        """A create that asks for what they fit, but for one image."""
        values = {one.variable: one.asked(own) for one, own in self._shares(numbers)}
        binds = enumerate(values.get("CREATE_BINDS", ()))
        ports = enumerate(values.get("CREATE_PORTS", ()), start=1)
        return {
            "Image": values.get("CREATE_IMAGES", ["app"])[-1],
            "HostConfig": {
                "Binds": [f"{one}:/x{n}" for n, one in binds],
                "PortBindings": {f"{n}/tcp": [{"HostPort": one}] for n, one in ports},
            },
        }

    def _shares(self, numbers: Sequence[int]) -> Iterator[tuple[List, Sequence[int]]]:
        for at, one in enumerate(self):
            yield one, numbers[at :: len(self)]


KINDS: Final[Mapping[str, Kind]] = {
    "all": Kind((_BINDS, _IMAGES, _PORTS)),
    "binds": Kind((_BINDS,)),
    "one-folder": Kind(
        (
            List(
                variable="CREATE_BINDS",
                items=("/srv/{0}-d", "/srv/*-d{0}"),
                values=("/srv/{0}-d", "/srv/x-d{0}"),
                narrow=_READ,
            ),
        )
    ),
    "nested": Kind(
        (
            List(
                variable="CREATE_BINDS",
                items=("/s/x/{0}/y", "/s/x/{0}/*"),
                values=("/s/x/{0}/y", "/s/x/{0}/z"),
                narrow=_READ,
            ),
        )
    ),
    "base": Kind(
        (
            List(
                variable="CREATE_BINDS",
                items=("{{base}}/{0}", "{{base}}/{0}-*"),
                values=("BASE/{0}", "BASE/{0}-1"),
                narrow=_READ,
                base="/home/me/work",
            ),
        )
    ),
    "images": Kind((_IMAGES,)),
    "tags": Kind(
        (
            List(
                variable="CREATE_IMAGES",
                items=("a{0}:*", "b/a{0}:*"),
                values=("a{0}:1", "b/a{0}:2"),
                narrow=(r"\*$", "1*"),
            ),
        )
    ),
    "one-image": Kind(
        (
            List(
                variable="CREATE_IMAGES",
                items=("app:*-{0}", "app:{0}-*-{0}"),
                values=("app:1-{0}", "app:{0}-2-{0}"),
                narrow=(r"\*", "1*"),
            ),
        )
    ),
    "ports": Kind((_PORTS,)),
    "options": Kind(
        (
            List(
                variable="CREATE_OPTIONS",
                items=("ContainerCreate:a{0}", "ContainerCreate:Labels.a{0}=1"),
                values=("ContainerCreate:a{0}", "ContainerCreate:Labels.a{0}=1"),
                narrow=(r"^([^=]+)$", r"\1=1"),
            ),
        )
    ),
    **{
        name: Kind(
            (
                List(
                    variable="ONLY_CONTAINERS",
                    items=(item, "app-{0}-*"),
                    values=("app-{0}", "app-{0}-1"),
                    narrow=(r"\*$", "1*"),
                    operation="ContainerStart",
                ),
            )
        )
        for name, item in {"names": "app-{0}", "labels": "@label:key{0}=x"}.items()
    },
}


def write(folder: Path, kind: Kind, count: int) -> bool:
    """Write the files of a kind that the commands read; whether they hold so many items."""
    own, part = range(count), count // 10
    # A twin lacks a tenth of the items and has as many others. In `narrow.env` no item is
    # as it was, and each is within one of the first.
    twins = range(part, count + part)
    live = [*own[:part], *twins[::-1]]
    for name, numbers in (("app", own), ("twin", twins), ("live", live)):
        (folder / f"{name}.env").write_text(kind.file(numbers))
        known = evidencefile.dump(kind.evidence(numbers))
        (folder / f"{name}.jsonl").write_text(known)
    (folder / "narrow.env").write_text(kind.file(own, narrow=True))
    (folder / "body.json").write_text(json.dumps(kind.body(own[:ASKED])))
    lines = (folder / "narrow.env").read_text().splitlines()
    return max(map(len, lines)) <= LONGEST_LINE


COMMANDS: Final[Mapping[str, str]] = {
    "explain": "explain app.env",
    "explain-markdown": "explain app.env --as markdown",
    "page": "explain app.env --evidence live.jsonl --as html -o page.html",
    "diff": "diff app.env twin.env",
    "diff-narrow": "diff app.env narrow.env",
    "check-request": "check app.env POST /containers/create --body body.json",
    "diff-evidence": "diff app.env live.jsonl",
    "approve": "approve app.env live.jsonl --json",
    "merge": "merge app.env twin.env -o merged/app.env",
}


def _seconds(folder: Path, words: Sequence[str], timeout: float) -> float:
    """The CPU time of a command, in seconds; the most there is if it takes longer."""
    errors = folder / "stderr"
    with errors.open("wb") as stderr:
        child = subprocess.Popen(
            [sys.executable, "-m", "trioproxy", *words],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            preexec_fn=lambda: _bound(timeout),
        )
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode < 0:
        return float("inf")
    said = errors.read_text()
    if child.returncode >= ITS_FAULT or "Traceback" in said:
        raise SystemExit(f"{' '.join(words)}: {said[-2000:]}")
    return used.ru_utime + used.ru_stime


def _bound(seconds: float) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))


def _missed(times: Mapping[int, float]) -> Iterator[str]:
    """Which promises are not kept."""
    for count, most in SECONDS.items():
        if times.get(count, 0) > most:
            yield f"{times[count]:.1f} s for {count} items, and not {most:g}"
    counts = sorted(times)
    for fewer, more in pairwise(counts):
        grown, most = times[more] / times[fewer], DOUBLED ** log2(more / fewer)
        if grown > most:
            yield f"{grown:.2f} times as long for {more} items as for {fewer}"


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.cost",
        description="Measure what commands cost on long lists; exit 1 if it is too much.",
    )
    parser.add_argument("--kinds", default="*", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--only", default="*", help=f"of {', '.join(COMMANDS)}")
    sizes = ",".join(map(str, SIZES))
    parser.add_argument("--sizes", default=sizes, help=f"items ({sizes})")
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many (1)")
    parser.add_argument(
        "--timeout", type=float, default=60, help="CPU seconds of one run (60)"
    )
    return parser.parse_args(words)


def _chosen(names: Mapping[str, object], patterns: str) -> list[str]:
    wanted = patterns.split(",")
    return [n for n in names if any(fnmatch(n, pattern) for pattern in wanted)]


def main(words: Sequence[str]) -> int:
    """Measure, print a table, and say what is missed."""
    options = _arguments(words)
    sizes = sorted(map(int, options.sizes.split(",")))
    print(f"| command | list | {' | '.join(f'{n:,} items' for n in sizes)} | |")
    print(f"|---|---|{'--:|' * len(sizes)}---|")
    is_missed = False
    for name in _chosen(KINDS, options.kinds):
        with tempfile.TemporaryDirectory() as folder:
            there = dict[int, Path]()
            for count in sizes:
                path = Path(folder, str(count))
                path.mkdir()
                if write(path, KINDS[name], count):
                    there[count] = path
            for command in _chosen(COMMANDS, options.only):
                arguments = COMMANDS[command].split()
                times = {
                    count: min(
                        _seconds(path, arguments, options.timeout)
                        for _ in range(options.rounds)
                    )
                    for count, path in there.items()
                }
                missed = "; ".join(_missed(times))
                is_missed |= bool(missed)
                cells = " | ".join(
                    f"{times[count]:.2f} s" if count in times else "" for count in sizes
                )
                print(f"| {command} | {name} | {cells} | {missed} |", flush=True)
    return int(is_missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
