"""Files as a page is given them."""

from pathlib import Path

from trioproxy.evidence.evidencefile import load
from trioproxy.file.policyfile import PolicyFile
from trioproxy.review.page import Record

LEARNED = Path(__file__).parents[2] / "learned"


def file(text: str, name: str = "app.env") -> PolicyFile:
    """A policy file of this text."""
    return PolicyFile.of(text, name)


def record(data: bytes, name: str = "app.jsonl") -> Record:
    """An evidence file of these bytes."""
    return Record(path=name, digest="11", evidence=load(data, name=name).evidence)
