"""Reading files whole."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from trioproxy import files
from trioproxy.errors import ConfigError


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is an error, unless it may be missing: then it is empty."""
    path = tmp_path / "none"
    with pytest.raises(ConfigError, match=r"cannot read .*none: No such file"):
        files.read_text(path)
    assert files.read_text(path, may_be_missing=True) == ""


def pipe(path: Path) -> None:
    """Make a pipe that nobody writes to: to open it as a file would wait for ever."""
    os.mkfifo(path)


def listener(path: Path) -> None:
    """Make the file of a socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        pytest.param(pipe, "it is a pipe", id="pipe"),
        pytest.param(Path.mkdir, "it is a folder", id="folder"),
        pytest.param(listener, "it is a socket", id="socket"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "", id="device"),
    ],
)
def test_what_is_no_regular_file(
    tmp_path: Path, make: Callable[[Path], object], what: str
) -> None:
    """A text is in a regular file: all else is told apart, and waited for by nobody."""
    path = tmp_path / "app.env"
    make(path)
    with pytest.raises(ConfigError, match=f"app.env is no regular file.*{what}$"):
        files.read_text(path)


@pytest.mark.parametrize("may_be_missing", [True, False], ids=["may-miss", "must-be"])
def test_what_cannot_be_read(tmp_path: Path, may_be_missing: bool) -> None:
    """A folder is an error for everybody, and so is what is no text."""
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        files.read(tmp_path, may_be_missing=may_be_missing)
    path = tmp_path / "latin"
    path.write_bytes(b"A=1\nB=\xe9\n")
    with pytest.raises(
        ConfigError, match=r"read .*latin: it is not UTF-8 text in line 2"
    ):
        files.read_text(path, may_be_missing=may_be_missing)


def test_a_huge_file_is_none_of_ours(tmp_path: Path) -> None:
    """A file beyond all measure is not read into memory, and a text not beyond what a policy is."""
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(files.SIZE_LIMIT + 2)
    with pytest.raises(ConfigError, match="larger than 64 MiB"):
        files.read(path)
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        files.read_text(path)


def test_a_link_in_a_circle(tmp_path: Path) -> None:
    """Nothing is said of what it would be replaced by: there is no file to name."""
    one, other = tmp_path / "one.env", tmp_path / "other.env"
    one.symlink_to(other)
    other.symlink_to(one)
    for is_output in (False, True):
        with pytest.raises(ConfigError, match=r"one.env is .* in a circle$") as caught:
            files.read_text(one, is_output=is_output)
        assert caught.value.hint == "remove it"


def test_line_ends_stay(tmp_path: Path) -> None:
    """What is read is what is there: a CR is not turned into the end of a line."""
    path = tmp_path / "text"
    path.write_bytes(b"a\r\nb\rc\n")
    assert files.read_text(path) == "a\r\nb\rc\n"


def test_a_file_that_grows_is_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written between the look at a file's size and the reading is not left out, nor the file of a kernel that tells no size."""
    path = tmp_path / "grows.env"
    path.write_text("PING=1\n")

    def grow(fd: int) -> os.stat_result:
        seen = os.stat(fd)
        with path.open("a") as file:
            file.write("EXEC_COMMANDS=ls\n")
        return seen

    monkeypatch.setattr(os, "fstat", grow)
    assert files.read(path) == b"PING=1\nEXEC_COMMANDS=ls\n"
    monkeypatch.undo()
    assert files.read(Path("/proc/self/mountinfo")).endswith(b"\n")
