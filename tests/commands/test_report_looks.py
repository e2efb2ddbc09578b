"""Reports in a real Chromium: both themes, three widths, on paper, and by axe."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.learned.install import Node, installed
from tests.reports import write_reports

LOOK = Path(__file__).parent / "look.js"
BROWSING = Node(("puppeteer-core@25.16.0", "axe-core@4.14.1"))
SECONDS = 300
WHITE = "rgb(255, 255, 255)"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.clients
@pytest.mark.slow
def test_how_reports_look(tmp_path: Path) -> None:
    """Each report is quiet, loads nothing, scrolls one way only, shows where the focus
    is, pleases axe, follows the theme, and prints; that of 19 operations on four pages."""
    chromium = shutil.which("chromium")
    assert chromium is not None, "install the packages of tests/packages.txt"
    variables = installed(BROWSING, "browsing")
    made = write_reports(tmp_path)
    looked = subprocess.run(
        ["node", str(LOOK), str(tmp_path), *map(str, made)],
        env={**os.environ, **variables, "CHROMIUM": chromium},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr
    seen = json.loads(looked.stdout)
    assert len(seen["found"]) == 6 * len(made)
    for one in seen["found"]:
        _check(one)
        assert (tmp_path / one["screenshot"]).read_bytes().startswith(PNG)
    for name in seen["printed"]:
        most = 4 if name.startswith("docker-cli-readonly") else 10
        assert 1 < pages_of((tmp_path / name).read_bytes()) <= most, name


def _check(one: dict[str, Any]) -> None:
    where = f"{one['file']}, {one['theme']}, {one['width']}"
    assert (one["told"], one["asked"]) == ([], []), where
    assert one["violations"] == [], where
    shown = one["shown"]
    assert shown["width"] <= one["width"], where
    assert (shown["pictures"], shown["scripts"]) == (0, 0), where
    assert (shown["ground"] == WHITE) is (one["theme"] == "light"), where
    assert one["focus"] == {"text": "Skip to the answer", "outline": "solid"}, where


def pages_of(data: bytes) -> int:
    """How many pages a PDF has."""
    assert data.startswith(b"%PDF-")
    return max(map(int, re.findall(rb"/Type\s*/Pages\b.*?/Count\s+(\d+)", data, re.DOTALL)))  # fmt: skip
