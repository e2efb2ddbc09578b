"""`trioproxy explain --as html`: one page from files, and what becomes of bad ones."""

import os
import re
import shlex
import shutil
import sys
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.commands.running import run
from tests.commands.screen import on_pty
from tests.reports import LEARNED, write_reports
from trioproxy.commands.explain import command
from trioproxy.errors import ConfigError
from trioproxy.evidence.evidencefile import load
from trioproxy.file.permissions import parse_policy
from trioproxy.review.page import BEGINNING
from trioproxy.review.sheet import sheet_of

PAGE = ("explain", "--as", "html")


def report(*args: str | Path) -> Result:
    words = ["--as", "html", *map(str, args)]
    result = CliRunner().invoke(command, words, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A learned file with its evidence."""
    for suffix in (".env", ".jsonl"):
        shutil.copy(LEARNED / f"docker-compose{suffix}", tmp_path / f"app{suffix}")
    return tmp_path / "app.env"


def test_a_page_is_written(file: Path, tmp_path: Path) -> None:
    """The page holds what the file opens and what its evidence knows; nothing is said."""
    page = tmp_path / "new" / "report.html"
    done = report(file, "-o", page)
    assert done.output == ""
    text = page.read_text()
    assert text.startswith(BEGINNING)
    evidence = load((file.parent / "app.jsonl").read_bytes(), name="app").evidence
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerInspect"})
    (line,) = sheet_of(policy, evidence).granted
    assert line.seen is not None
    assert f"{line.seen.count}\u00d7" in text
    assert "app.jsonl" in text
    assert page.stat().st_mode & 0o044 == 0o044 & ~_umask()
    assert [one.name for one in page.parent.iterdir()] == ["report.html"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("output", [(), ("-o", "-")], ids=["none", "dash"])
def test_a_page_goes_to_stdout(
    file: Path, tmp_path: Path, output: tuple[str, ...]
) -> None:
    """Without -o, or to -, the page is the output, the same as in a file."""
    report(file, "-o", tmp_path / "report.html")
    done = run("explain", "--as", "html", str(file), *output)
    assert (done.status, done.err) == (0, "")
    assert done.out == (tmp_path / "report.html").read_text()


def test_a_report_is_replaced_and_nothing_else(file: Path, tmp_path: Path) -> None:
    """A second report takes the first one's place; a file that is none is left alone."""
    page = tmp_path / "report.html"
    report(file, "-o", page)
    first = page.read_text()
    run("diff", str(file), str(file), "--as", "html", "-o", str(page))
    assert page.read_text() != first
    other = tmp_path / "index.html"
    for path, text in ((file, file.read_text()), (other, "<!doctype html>\n")):
        path.write_text(text)
        with pytest.raises(ConfigError, match="exists and is no report"):
            report(file, "-o", path)
        assert path.read_text() == text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(
            [*PAGE, "no.env", "-o", "x.html"], "cannot read no.env", id="file"
        ),
        pytest.param(
            ["diff", "no.env", "app.env", "--as", "html"],
            "cannot read no.env",
            id="old",
        ),
        pytest.param(
            [*PAGE, "app.env", "--evidence", "no"], "cannot read no:", id="evidence"
        ),
        pytest.param(
            [*PAGE, "app.env", "--evidence", "app.env"], "app.env:1", id="none"
        ),
        pytest.param([*PAGE, "app.env", "-o", "link.html"], "symbolic link", id="link"),
        pytest.param(
            [*PAGE, "app.env", "-o", "."],
            ". is no regular file: it is a folder",
            id="folder",
        ),
        pytest.param(
            [*PAGE, "app.env", "-o", "app.env/x"], "Not a directory", id="no folder"
        ),
    ],
)
def test_bad_input(
    file: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    """What cannot be read or written is one line that names it, and no page is left."""
    monkeypatch.chdir(file.parent)
    (file.parent / "link.html").symlink_to("app.env")
    before = sorted(file.parent.iterdir())
    done = run(*args)
    assert (done.status, done.out) == (2, "")
    assert message in done.err
    assert sorted(file.parent.iterdir()) == before


def test_how_to_compare(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of one file says how it is told what is new, and that command writes such a page."""
    monkeypatch.chdir(file.parent)
    odd = file.rename("a b.env")
    text = unescape(run(*PAGE, odd.name).out)
    found = re.search(r"what is new since an older file shows <code>(.*?)</code>", text)
    assert found
    odd.with_name("OLD.env").write_text("ALLOW_OPERATIONS=\n")
    name, *words = shlex.split(found[1])
    assert (name, run(*words).status) == ("trioproxy", 1)
    made = odd.with_name("PAGE.html").read_text()
    assert "What changed" in made
    assert "an older file shows" not in made


async def test_a_terminal_gets_no_page(file: Path) -> None:
    """A person at a terminal is told to name a file."""
    said = await on_pty(sys.executable, "-m", "trioproxy", *PAGE, str(file))
    text = " ".join(said.decode().split())
    assert text == (
        "trioproxy: this is a page for a browser, and no text for a terminal"
        " hint: name a file, -o report.html"
    )


def test_a_learned_name(tmp_path: Path) -> None:
    """A file that comes with the program is reported by its name."""
    report("learned:glances", "-o", tmp_path / "report.html")
    assert "learned:glances" in (tmp_path / "report.html").read_text()


def test_the_examples(tmp_path: Path) -> None:
    """`make reports` writes three, without a path of this machine in them, and again."""
    write_reports(tmp_path)
    made = write_reports(tmp_path)
    assert [one.stem for one in made] == [
        *("docker-cli-readonly", "docker-compose", "grown")
    ]
    assert not any(str(tmp_path) in one.read_text() for one in made)
