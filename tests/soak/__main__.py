"""A soak: mixed clients on a real Engine that restarts, for as long as one likes.

    python -m tests.soak [--minutes 10] [--clients 40] [--seed 1]

Ends with status 0 if nothing leaked, memory stayed flat and every session is accounted
for; prints its figures as Markdown.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

import trio

from tests.engine import scratch_engine
from tests.soak.run import Plan, soak


def main() -> int:
    """Run it, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=40)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    options = parser.parse_args()
    plan = Plan(
        seconds=options.minutes * 60, clients=options.clients, seed=options.seed
    )
    with scratch_engine() as engine, tempfile.TemporaryDirectory() as folder:
        result = trio.run(soak, engine, Path(folder), plan)
    sys.stdout.write(result.report() + "\n")
    for fault in result.faults():
        sys.stderr.write(f"FAULT: {fault}\n")
    return 1 if result.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
