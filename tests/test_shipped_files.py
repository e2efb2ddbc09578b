"""Every policy file that is shipped, and its last line; what refusals by it advise is in test_advice.py."""

from pathlib import Path

import pytest

from tests.markdown import ROOT
from trioproxy.file.permissions import parse_policy_file

FILES = sorted(
    file
    for folder in ("learned", "examples")
    for file in (ROOT / folder).rglob("*.env")
)
every_file = pytest.mark.parametrize(
    "file", [pytest.param(file, id=str(file.relative_to(ROOT))) for file in FILES]
)


@every_file
def test_the_last_line_grants(file: Path) -> None:
    """All that limits stands above the one line that grants, which is the last of all."""
    lines = file.read_text(encoding="utf-8").splitlines()
    granting = [one for one in lines if one.startswith("ALLOW_OPERATIONS=")]
    assert granting == lines[-1:]
    _, warnings = parse_policy_file("\n".join([*lines, ""]), name=file.name)
    assert not [one for one in warnings if "ALLOW_OPERATIONS" in one]
