"""Reading evidence for the commands that only look at it."""

from pathlib import Path

from trioproxy.commands import tell
from trioproxy.files import read
from trioproxy.learning.evidence import Evidence
from trioproxy.learning.evidencefile import load


def read_evidence(path: Path) -> Evidence:
    """Read a file, and tell of a torn last line; `ConfigError` if it cannot be read."""
    loaded = load(read(path), name=str(path))
    if loaded.damage:
        tell.warn(f"{loaded.damage}: it is ignored, the lines before it are kept")
    return loaded.evidence
