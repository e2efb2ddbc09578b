"""`python -m bench`: measure, print the tables, keep every sample with `--json FILE`."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from bench.contenders import Contender, contenders, peer
from bench.processes import BenchError
from bench.report import (
    Results,
    as_json,
    figures_tables,
    floors_table,
    machine,
    verdicts,
)
from bench.rounds import Run
from bench.scenarios import Options, Scenario, most_streams, scenarios

EPILOG = """examples:
  python -m bench                                    everything; about half an hour
  python -m bench --only 'list-*' --rounds 3
  python -m bench --only 'download-*,upload-*' --who direct,haproxy,trio-sections --size 256
  python -m bench --peer 'other=some-proxy --listen 127.0.0.1:{port} --socket {socket}'
"""


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure trioproxy beside HAProxy and no proxy.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds", type=int, default=9, help="rounds to take medians over (9)"
    )
    parser.add_argument(
        "--seconds",
        type=int,
        default=1,
        help="seconds of load in each measurement (1): many short rounds beat few long"
        " ones, for the scheduler places the processes anew each time",
    )
    parser.add_argument(
        "--size",
        type=int,
        default=1024,
        metavar="MIB",
        help="size of a transfer (1024)",
    )
    parser.add_argument(
        "--only",
        default="*",
        metavar="PATTERNS",
        help="scenarios, comma-separated; * and ? match",
    )
    parser.add_argument(
        "--who", default="*", metavar="PATTERNS", help="contenders, likewise"
    )
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PORT|NAME=COMMAND",
        help="another proxy: one that listens on PORT in front of FOLDER/fast.sock,"
        " or a command with {port} and {socket} in it",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write every sample there"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where sockets and configurations go (a temporary folder)",
    )
    parser.add_argument(
        "--list", action="store_true", help="list scenarios and contenders, and end"
    )
    return parser.parse_args(arguments)


def matches(name: str, patterns: str) -> bool:
    """Whether a name is meant by comma-separated patterns."""
    return any(fnmatch(name, pattern) for pattern in patterns.split(","))


def check(who: Sequence[Contender], what: Sequence[Scenario]) -> None:
    """Say at once what is missing, rather than in the middle of the run."""
    if not (who and what):
        raise BenchError("nothing chosen: --list shows the names")
    needed = {
        "wrk",
        "nginx",
        *("haproxy" for one in who if one.name.startswith("haproxy")),
    }
    if missing := sorted(
        program for program in needed if shutil.which(program) is None
    ):
        raise BenchError(
            f"not on the PATH: {', '.join(missing)} (Debian: apt install wrk nginx-light haproxy)"
        )


def measure(
    options: argparse.Namespace,
    who: Sequence[Contender],
    what: Sequence[Scenario],
    folder: Path,
) -> int:
    """Run and print the tables; the exit status says whether all could be measured."""
    settings = Options(seconds=options.seconds, size=options.size << 20, folder=folder)
    with Run(who, settings) as run:
        try:
            run.rounds(what, options.rounds)
        except KeyboardInterrupt:
            print("interrupted: these are the figures so far", file=sys.stderr)
    results = Results(run.samples)
    judged = verdicts(results)
    print("\n".join(f"{name}: {value}" for name, value in machine().items()))
    print(
        f"\nMedians over {options.rounds} rounds; in brackets the median of the ratios to haproxy in the same round.\n"
    )
    print(figures_tables(results, what))
    if judged:
        print(f"\n{floors_table(judged)}")
    for failure in run.failures:
        print(
            f"\nFAILED: {failure.scenario}, {failure.contender},"
            f" round {failure.round + 1}: {failure.error.strip().splitlines()[-1]}"
        )
    if options.json:
        said = {name: str(value) for name, value in vars(options).items()} | {
            "streams": most_streams()
        }
        data = as_json(run.samples, run.failures, judged, said)
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    return 1 if run.failures else 0


def main(arguments: Sequence[str]) -> int:
    """Choose, check, measure."""
    options = parse_arguments(arguments)
    try:
        who = [one for one in contenders() if matches(one.name, options.who)]
        who += [peer(text) for text in options.peer]
        what = [one for one in scenarios() if matches(one.name, options.only)]
        if options.list:
            print("\n".join(f"{one.name:18} {one.title}" for one in what))
            print("\n".join(one.name for one in who))
            return 0
        check(who, what)
        with tempfile.TemporaryDirectory(
            prefix="bench-", ignore_cleanup_errors=True
        ) as temporary:
            folder = options.folder or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            return measure(options, who, what, folder)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
