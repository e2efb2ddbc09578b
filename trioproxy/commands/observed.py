"""Reading policies and evidence, for the commands that only look at them."""

from pathlib import Path

from trioproxy.commands import tell
from trioproxy.commands.catalogue import locate
from trioproxy.commands.terminal import show
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import load
from trioproxy.evidence.ledger import evidence_path
from trioproxy.evidence.seen import Evidence
from trioproxy.file.policyfile import PolicyFile
from trioproxy.files import is_there, read, read_text


def is_evidence(name: str) -> bool:
    """Whether a name is one of evidence, and of no policy file."""
    return name.endswith(".jsonl")


def read_policy_file(path: str) -> PolicyFile:
    """Read a file, and warn on stderr; `ConfigError` says what is wrong with it."""
    file = PolicyFile.of(read_text(locate(path)), path)
    for warning in file.warnings:
        show(f"trioproxy: {path}: {warning}", err=True)
    return file


def read_evidence(path: Path) -> Evidence:
    """Read a file, and tell of a torn last line; `ConfigError` if it cannot be read."""
    loaded = load(read(path), name=str(path))
    tell.damaged(loaded.damage)
    return loaded.evidence


def evidence_next_to(file: str) -> Path | None:
    """Find what was learned next to a policy file, if it was."""
    try:
        path = evidence_path(locate(file))
    except ConfigError:  # no name that an evidence file could have
        return None
    return path if is_there(path) else None
