"""`trioproxy.pyz` does what the package does, and knows that it is one file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.markdown import ROOT
from tests.patience import PATIENCE


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program; what it writes."""
    return subprocess.run(
        [str(one) for one in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=ROOT,
        env=os.environ | variables,
    )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("explain", id="lists"),
        pytest.param("explain learned:docker-compose", id="file-with-evidence"),
        pytest.param("explain learned:kind --as json", id="data"),
        pytest.param("check documented:portainer-buttons", id="attacks"),
        pytest.param("explain learned:nothing-like-it", id="no-such-file"),
        pytest.param("learn --help", id="help"),
    ],
)
def test_says_the_same(pyz: Path, words: str) -> None:
    """What comes with the program is read from within the archive, by a name from anywhere: a
    command writes what that of a checkout does, and ends as it does."""
    ours = run(sys.executable, "-m", "trioproxy", *words.split())
    other = run(sys.executable, os.path.relpath(pyz, ROOT), *words.split())
    assert (other.stdout, other.stderr, other.returncode) == (
        ours.stdout,
        ours.stderr,
        ours.returncode,
    )


def test_writes_the_page(pyz: Path, tmp_path: Path) -> None:
    """The page for a reviewer has its style, which is read from within the archive too."""
    page = tmp_path / "page.html"
    done = run(sys.executable, pyz, "explain", "learned:kind", "--as=html", "-o", page)
    assert done.returncode == 0, done.stderr
    style = (ROOT / "trioproxy" / "review" / "page.css").read_text()
    assert style.strip() in page.read_text()


def test_captures(pyz: Path, tmp_path: Path) -> None:
    """`learn --capture` runs a part of the program by itself: it needs no path of its own."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("ours")
    theirs.write_text("theirs")
    program = (
        "import os, sys; from trioproxy.commands import capture;"
        "words = capture.wrap(['cat', sys.argv[2]], sys.argv[1], [sys.argv[2]]);"
        "os.execv(words[0], words)"
    )
    done = run(sys.executable, "-c", program, ours, theirs, PYTHONPATH=str(pyz))
    assert (done.stdout, done.stderr) == ("ours", "")


def test_knows_itself(pyz: Path, tmp_path: Path) -> None:
    """The file that the program is belongs to what no client may write, by the name of a link
    too; the command that is advised puts it where it can be started."""
    folder = tmp_path / "listed"
    folder.mkdir()
    (folder / "real.pyz").write_bytes(pyz.read_bytes())
    (folder / "trioproxy.pyz").symlink_to("real.pyz")
    policy = tmp_path / "app.env"
    policy.write_text(
        f"CREATE_BINDS={folder}\nALLOW_OPERATIONS=ContainerCreate,ContainerStart\n"
    )
    upstream = ("--upstream", f"unix://{tmp_path}/engine.sock")
    home = {"HOME": str(tmp_path / "home")}
    words = ("enforce", policy, *upstream)
    by_name = run(sys.executable, folder / "real.pyz", *words, **home)
    assert "which trioproxy runs from" in by_name.stderr
    done = run(sys.executable, folder / "trioproxy.pyz", *words, **home)
    assert "which trioproxy runs from" in done.stderr
    assert "hint: install it outside of these folders" in done.stderr
    elsewhere = shutil.copy(folder / "real.pyz", tmp_path / "elsewhere.pyz")
    moved = run(sys.executable, elsewhere, *words, **home)
    assert "cannot reach the Docker Engine" in moved.stderr


@pytest.mark.parametrize(
    ("version", "status"),
    [pytest.param((3, 10), 1, id="too-old"), pytest.param((3, 11), 0, id="enough")],
)
def test_an_older_python(pyz: Path, version: tuple[int, int], status: int) -> None:
    """A Python that is too old is told so in one line, before anything else is imported."""
    program = (
        f"import runpy, sys; sys.version_info = {version}; sys.argv = ['x', '--version'];"
        f"runpy.run_path({str(pyz)!r}, run_name='__main__')"
    )
    done = run(sys.executable, "-c", program)
    assert done.returncode == status
    assert ("Python 3.11 or newer is needed" in done.stderr) is bool(status)
