"""Ways around a filter, from tests/data/evasions.tsv."""

import re
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parent.parent / "data" / "evasions.tsv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way around."""

    name: str
    request: bytes
    engine: tuple[str, ...]
    answer: tuple[str, ...]
    arrives: tuple[str, ...]


def expand(text: str) -> str:
    return re.sub(r"\{([^{}*]+)\*(\d+)\}", lambda m: m[1] * int(m[2]), text)


def cells(text: str) -> tuple[str, ...]:
    return () if text == "-" else tuple(expand(text).split(", "))


def read_row(line: str) -> Row:
    name, request, engine, answer, arrives = line.split("\t")
    raw = expand(request).encode("latin-1").decode("unicode_escape")
    return Row(
        name=name,
        request=raw.encode("latin-1"),
        engine=cells(engine),
        answer=cells(answer),
        arrives=cells(arrives),
    )


ROWS = [
    read_row(line)
    for line in TABLE.read_text().splitlines()
    if not line.startswith("# ")
]
