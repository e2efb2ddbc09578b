"""What follows from the tables, and the recipe of CONTRIBUTING for adding an operation."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.derived import Text, derived, read, with_counts
from tests.markdown import ROOT
from trioproxy.api import routes

ROW = "POST    /containers/{id}/freeze                    ContainerFreeze          write  none           -       names  -   -            -------- availability  stops a container's clock\n"
"""An operation that no Engine has, in the section that most learned files open."""
BELOW = "POST    /containers/{id}/kill "

NOT_COPIED = (
    ".*cache*",
    ".coverage*",
    ".git",
    ".hypothesis",
    ".venv",
    "dist",
    "wheelhouse",
)
SECONDS = 600
"""When a run in a copy is taken as hung; on a quiet machine it needs 20."""

CHECKS = (
    "tests/api/test_routes.py",
    "tests/file/test_incumbents.py",
    "tests/file/test_lint.py",
    "tests/file/test_permissions.py",
    "tests/judge/test_rules.py",
    "tests/review/test_page.py",
    "tests/review/test_sheet.py",
    "tests/review/test_views.py",
    "tests/evidence/test_seen.py",
    "tests/learning/test_learnedfile.py",
    "tests/learning/test_minimize.py",
    "tests/learning/test_proposal.py",
    "tests/commands/test_check.py",
    "tests/commands/test_explain.py",
    "tests/learned/test_files.py",
    "tests/test_derived.py::test_each_file_is_as_it_follows",
)
"""The tests that look at rows and at what is made of them; they need no Engine."""


@pytest.mark.parametrize(
    ("path", "text"),
    [pytest.param(*one, id=str(one[0].relative_to(ROOT))) for one in derived()],
)
def test_each_file_is_as_it_follows(path: Path, text: Text) -> None:
    """Nothing is left to be written: `make derived` was run."""
    assert text(path) == read(path)


def test_only_numbers_are_corrected() -> None:
    """A line is replaced where its numbers differ, and left where a word does."""
    text = "1 of 2\n1 in 2\n\n... 7\n"
    assert with_counts(text, ["30 of 40", "none"]) == "30 of 40\n1 in 2\n\n... 7\n"


def test_the_recipe_names_what_a_row_needs() -> None:
    """The recipe names what says what the letters mean, and each table whose row another one may not import without."""
    _, _, text = read(ROOT / "CONTRIBUTING.md").partition("\n## Adding an operation\n")
    recipe = text.partition("\n## ")[0]
    meanings = re.search(r"((?:`\w+`[, and\n]+)+)above the table say", recipe)
    assert meanings
    for name in re.findall(r"`(\w+)`", meanings[1]):
        assert hasattr(routes, name), name
    for path in (ROOT / "trioproxy" / "api").glob("*.py"):
        if {"ENDPOINTS", "AssertionError"} <= set(re.findall(r"\w+", read(path))):
            assert f"api/{path.name}`" in recipe, path


def ran(folder: Path, *args: str) -> str:
    """Run Python in a copy of the tree, whose modules come before the installed ones."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTEST"))  # what runs in a copy is not measured
    }
    done = subprocess.run(
        [sys.executable, *args],
        cwd=folder,
        env=kept,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_adding_an_operation(tmp_path: Path) -> None:
    """A row and `make derived`: then the tests of the table and of what follows pass."""
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    table = copy / "trioproxy" / "api" / "routes.py"
    text = read(table)
    assert text.count(BELOW) == 1
    table.write_text(text.replace(BELOW, ROW + BELOW))
    written = ran(copy, "-m", "tests.derived").splitlines()
    assert "tests/data/routes.tsv" in written
    assert "docs/migration.md" in written
    assert len([name for name in written if name.startswith("learned/")]) > 10
    assert "ContainerFreeze" in read(copy / "tests" / "data" / "routes.tsv")
    # What searches knows no row by name, and is run where it stands.
    searches = "not slow and not deep and not hypothesis"
    options = ("-q", "-p", "no:cacheprovider", "-m", searches)
    ran(copy, "-m", "pytest", *options, *CHECKS)
