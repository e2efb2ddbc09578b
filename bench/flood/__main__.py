"""`python -m bench.flood`: what each flood does to another client, and to memory."""

import argparse
import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from bench.flood import report
from bench.flood.measure import Pings, Result, Tree, floor, measure
from bench.flood.table import FLOODS, Flood
from bench.processes import REPOSITORY, BenchError

PAGE: Final = REPOSITORY / "docs" / "reliability.md"
DESCRIPTORS: Final = 10_000

EPILOG = """examples:
  python -m bench.flood                              all floods; about three minutes
  python -m bench.flood --only 'slots*,health' --check
  python -m bench.flood --tree ../old --write        another checkout beside this one
"""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.flood",
        description="Flood a proxy on loopback, and measure what another client notices.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only", default="*", metavar="PATTERNS", help="floods, with commas between"
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="how long each flood lasts (4)"
    )
    parser.add_argument(
        "--tree",
        type=Path,
        metavar="PATH",
        help="a checkout with a .venv, measured before this one",
    )
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/reliability.md"
    )
    parser.add_argument(
        "--check", action="store_true", help="status 1 where a limit is not kept"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep all figures here"
    )
    return parser.parse_args(arguments)


def chosen(patterns: str) -> list[Flood]:
    """The floods that were asked for."""
    found = [
        flood
        for flood in FLOODS
        if any(fnmatch(flood.name, one) for one in patterns.split(","))
    ]
    if not found:
        names = ", ".join(flood.name for flood in FLOODS)
        raise SystemExit(f"no flood is called {patterns}: there are {names}")
    return found


def raise_descriptors() -> None:
    """The hostile client has thousands of connections; it inherits this limit."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        raise SystemExit(f"{DESCRIPTORS} descriptors are needed, and {hard} allowed")


def run(
    floods: Sequence[Flood], trees: Sequence[Tree], seconds: float
) -> tuple[list[Result], dict[str, Pings]]:
    """Measure every flood, one after the other, and say so line by line."""
    results: list[Result] = []
    floors: dict[str, Pings] = {}
    with tempfile.TemporaryDirectory(prefix="flood-") as name:
        folder = Path(name)
        for flood in floods:
            floors[flood.name] = floor(flood, folder, seconds)
            print(report.floor_line(flood.name, floors[flood.name]), flush=True)
            for tree in trees:
                results.append(measure(flood, tree, folder, seconds))
                print(report.line(results[-1]), flush=True)
    return results, floors


def main(arguments: Sequence[str]) -> int:
    """Flood, print, write, judge."""
    options = parse_arguments(arguments)
    floods = chosen(options.only)
    raise_descriptors()
    trees = [Tree(name="now", path=REPOSITORY)]
    if options.tree is not None:
        trees = [
            Tree(name="before", path=options.tree.resolve()),
            Tree(name="after", path=REPOSITORY),
        ]
    print(report.HEADINGS_LINE)
    try:
        results, floors = run(floods, trees, options.seconds)
    except BenchError as error:
        raise SystemExit(str(error)) from error
    table = report.markdown(results, floors, options.seconds)
    print(f"\n{report.introduction(options.seconds)}")
    if options.write:
        report.write(PAGE, table)
    if options.json is not None:
        kept = [{**asdict(one), "flood": one.flood.name} for one in results]
        options.json.write_text(json.dumps(kept, indent=1))
    faults = [
        fault
        for result in results
        if result.tree == trees[-1].name
        for fault in result.faults()
    ]
    for fault in faults:
        print(f"OVER THE LIMIT: {fault}")
    return 1 if faults and options.check else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
