"""The README is short, and names what there is; its session is run by test_docs.py."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_is_short() -> None:
    """The README has 120 lines at most: whatever else there is to say stands in docs."""
    assert len(README.splitlines()) <= 120


def test_first_screen() -> None:
    """It begins with what it is, then what `make run` shows, Compose, and `--from-log`."""
    marks = ("**A Docker", "](docs/make-run.svg)", "```yaml", "--from-log -", "\n## ")
    places = [README.index(mark) for mark in marks]
    assert places == sorted(places)
    (alt,) = re.findall(r"\[!\[([^\]]+)\]", README)
    assert "add ImageList to ALLOW_OPERATIONS" in alt  # for those who do not see it


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README))))
def test_make_targets_exist(target: str) -> None:
    """Each `make` command of the README is one of the Makefile's."""
    command = ["make", "--question", "--file", str(ROOT / "Makefile"), target]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert "No rule" not in done.stderr


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^):#]+)", README))))
def test_links_lead_somewhere(path: str) -> None:
    """Each file that the README links to is there."""
    assert (ROOT / path).exists()
