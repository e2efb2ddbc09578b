"""Files as a page is given them."""

from pathlib import Path

from trioproxy.evidence.evidencefile import load
from trioproxy.file import envfile
from trioproxy.file.permissions import parse_policy_file
from trioproxy.review.page import File, Record

LEARNED = Path(__file__).parents[2] / "learned"


def file(text: str, name: str = "app.env") -> File:
    """A policy file of this text."""
    policy, warnings = parse_policy_file(text, name=name)
    return File(
        name=name,
        digest="00",
        variables=envfile.parse(text, name=name),
        policy=policy,
        warnings=warnings,
    )


def record(data: bytes, name: str = "app.jsonl") -> Record:
    """An evidence file of these bytes."""
    return Record(name=name, digest="11", evidence=load(data, name=name).evidence)
