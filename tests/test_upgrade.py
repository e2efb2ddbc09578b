"""What docs/upgrade.md promises, with files of each released version."""

import json
from pathlib import Path

import pytest

from tests.decisions import requests
from tests.markdown import ROOT
from tests.upgrade import DATA, passed
from trioproxy import __version__
from trioproxy.evidence.evidencefile import load
from trioproxy.files import read

FILES = sorted(DATA.glob("*/*.env"))


@pytest.mark.parametrize(
    "file", FILES, ids=[f"{one.parent.name}-{one.stem}" for one in FILES]
)
async def test_never_means_more(file: Path) -> None:
    """A policy file of an older version still loads, opens no operation that it did not, and lets
    no request pass that it refused."""
    then = json.loads((file.parent / "passed.json").read_text())[file.name]
    now = await passed(file)
    assert {*now["operations"]} <= {*then["operations"]}
    assert {*now["requests"]} <= {*then["requests"]}


def test_a_release_keeps_its_files() -> None:
    """A version that has its section in the changelog is kept, by the command of the page on releasing."""
    page = (ROOT / "docs" / "releasing.md").read_text()
    assert "`python -m tests.upgrade`" in page
    if f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text():
        assert (DATA / __version__ / "passed.json").exists()


@pytest.mark.parametrize("folder", sorted(DATA.iterdir()), ids=lambda one: one.name)
def test_something_is_kept(folder: Path) -> None:
    """Each file that is kept has its record, in which something passes and something does not; the
    requests are still asked, and evidence that was written then is read whole."""
    told = json.loads((folder / "passed.json").read_text())
    assert told.keys() == {file.name for file in folder.glob("*.env")}
    asked = requests().keys()
    for name, then in told.items():
        assert {*then["requests"]} < asked, name
    assert sum(len(then["requests"]) for then in told.values()) > 1000
    for file in folder.glob("*.jsonl"):
        loaded = load(read(file), name=file.name)
        assert loaded.damage == ""
        assert loaded.evidence.runs
