"""Fuzz the bodies that are judged: JSON of strangers, and what goes on from it.

`make fuzz` runs it for 60 s. What must hold is in tests/proxy/bodies_that_hold.py; the
known ways to the host are the seeds.
"""

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["trioproxy"]):
    from tests.proxy.bodies_that_hold import check_body

FOLDER = Path(__file__).parent
CORPUS = FOLDER / "corpus-bodies"
SEEDS = FOLDER.parent / "tests" / "data" / "escapes.jsonl"
DEFAULTS = (
    "-max_total_time=60",
    "-max_len=4096",
    "-timeout=10",
    "-print_final_stats=1",
    f"-artifact_prefix={FOLDER}/found-",
    str(CORPUS),
)


def main() -> None:
    """Run until the time is over, or until something fails."""
    CORPUS.mkdir(exist_ok=True)
    for number, line in enumerate(SEEDS.read_text().splitlines()):
        attempt = json.loads(line)
        raw = attempt.get("body", "").encode() or bytes.fromhex(attempt.get("hex", ""))
        (CORPUS / f"seed-{number}").write_bytes(raw)
    atheris.Setup([sys.argv[0], *(sys.argv[1:] or DEFAULTS)], check_body)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
