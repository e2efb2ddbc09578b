"""Runs a client on the Engine directly and through the proxy, and compares what a person sees.

What no two runs have in common - ids, dates, durations - is replaced by the names in
`PATTERNS`, and by nothing else: whatever differs beyond them is a difference.
"""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from tests.engine import IMAGE, NOT_STARTED, Ran, ScratchEngine

PATTERNS: Mapping[str, str] = {
    "<digest>": r"sha256:[0-9a-f]{12,64}",
    "<id>": r"\b[0-9a-f]{64}\b",
    "<short id>": r"\b[0-9a-f]{12}\b",
    "<token>": r"\bSWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}\b",
    "<swarm id>": r"\b[0-9a-z]{25}\b",
    "<time>": r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d\d:?\d\d( UTC)?|Z)?( [A-Z]{3,4})?",
    "<unix time>": r"\b1[6-9]\d{8}(\d{9})?\b",
    "<ago>": r"(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour)s?)( ago)?",
    "<duration>": r"\b\d+(\.\d+)?(ms|s)\b",
    "<mac>": r"\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b",
    "<address>": r"\b(172|192|10)\.\d+\.\d+\.\d+\b",
    "<name>": r"\b[a-z]+_[a-z]+\d?\b(?=$| |\n|\")",
    "  ": r" {2,}",  # columns are as wide as their widest date
    "<port>": r"(?<=127\.0\.0\.1:)\d{4,5}\b|(?<=0\.0\.0\.0:)\d{5}\b",
}
"""What each name stands for; applied in this order."""

SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a client showed: exit status, stdout and stderr, with names for what varies."""

    status: int
    output: str
    errors: str


def named(text: str) -> str:
    """Put the names of `PATTERNS` in place of what they stand for."""
    for name, pattern in PATTERNS.items():
        text = re.sub(pattern, name, text)
    return text


def run(command: list[str], engine: ScratchEngine, host: str, folder: Path) -> Ran:
    """Run a client in that folder, with `host` as its Engine and nothing else of ours."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        cwd=folder,
        env=engine.environment(host) | {"PYTHONPATH": os.getcwd(), "HOST": host},
        check=False,
    )
    return Ran(status=done.returncode, output=done.stdout, errors=done.stderr.decode())


def seen(
    command: list[str], engine: ScratchEngine, host: str, files: Mapping[str, str]
) -> Seen:
    """Run a client on an Engine that holds the image of the tests and nothing else."""
    with TemporaryDirectory() as folder, emptied(engine):
        for name, content in files.items():
            Path(folder, name).write_text(content)
        ran = run(command, engine, host, Path(folder))
        output, errors = (
            named(text.replace(folder, "<folder>").replace(host, "<host>"))
            for text in (ran.output.decode("utf-8", "backslashreplace"), ran.errors)
        )
        return Seen(status=ran.status, output=output, errors=errors)


@contextmanager
def emptied(engine: ScratchEngine) -> Iterator[None]:
    """Remove afterwards what a client left in the Engine."""
    try:
        yield
    finally:
        while containers := engine.docker("ps", "-aq").text.split():
            ran = engine.docker("rm", "-f", "-v", *containers, check=False)
            # As a Swarm that is left is at it, too: then it is waited for.
            assert not ran.status or "is already in progress" in ran.errors, ran
        images = engine.docker("images", "-a", "--format", "{{.Repository}}:{{.Tag}}")
        left = set(images.text.split()) - {IMAGE, "<none>:<none>"}
        if left:
            engine.docker("rmi", "-f", *left)
        engine.docker("system", "prune", "-f", "--volumes")
        engine.docker("volume", "prune", "-af")
        engine.docker("builder", "prune", "-af")


def compare_clients(
    command: list[str],
    engine: ScratchEngine,
    proxy_url: str,
    files: Mapping[str, str] = MappingProxyType({}),
) -> Seen:
    """Run a client directly and through the proxy, among `files`; it must see the same."""

    def look() -> tuple[Seen, Seen]:
        try:
            directly = seen(command, engine, engine.url, files)
        except subprocess.TimeoutExpired:
            # Nothing of ours is there: it is the Engine that hangs, as a task of a Swarm may.
            engine.docker("swarm", "leave", "--force", check=False)
            directly = seen(command, engine, engine.url, files)
        return directly, seen(command, engine, proxy_url, files)

    directly, through = engine.unless_lost(
        look, lambda both: both[0] == both[1] or both[0].status in NOT_STARTED
    )
    assert through == directly
    return directly
