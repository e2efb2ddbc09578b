"""Files that are whole at any moment."""

import fcntl
import os
import resource
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from trioproxy import files
from trioproxy.errors import ConfigError
from trioproxy.evidence import disk
from trioproxy.learning.store import Store
from trioproxy.learning.wish import Wish

UMASK = os.umask(0o022)
os.umask(UMASK)

HOLDS_THE_LOCK = """
import sys
from pathlib import Path
from trioproxy.evidence.disk import locked
with locked(Path(sys.argv[1])) as file:
    file.append(b"theirs\\n")
    print("locked", flush=True)
    sys.stdin.read()
    file.replace(b"replaced\\n")
"""


@contextmanager
def no_room_beyond(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_takes_the_place_is_locked_as_well(tmp_path: Path) -> None:
    """Whoever opens the name after a replacement waits for the lock as before."""
    path = tmp_path / "app.jsonl"
    with disk.locked(path) as file:
        for data in (b"one\n", b"two\n"):
            file.replace(data)
            with path.open() as other, pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_replace_keeps_the_mode(tmp_path: Path) -> None:
    """A new file is for all to read, as far as umask says no other; a replaced one has
    the mode that its owner gave it."""
    path = tmp_path / "deep" / "app.env"
    disk.replace(path, b"one\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 & ~UMASK
    path.chmod(0o640)
    disk.replace(path, b"two\n")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two\n", 0o640)
    assert os.listdir(path.parent) == ["app.env"]


def test_a_link_has_no_mode_to_keep(tmp_path: Path) -> None:
    """A link that is replaced leaves neither its 0777 nor what it led to."""
    path, other = tmp_path / "app.env", tmp_path / "other"
    other.write_bytes(b"precious")
    path.symlink_to(other)
    disk.replace(path, b"new")
    assert (path.is_symlink(), path.read_bytes()) == (False, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644 & ~UMASK
    assert other.read_bytes() == b"precious"


def test_no_other_bits_are_taken_over(tmp_path: Path) -> None:
    """Of a file that is replaced the rights stay, not what makes programs of it."""
    path = tmp_path / "app.env"
    path.write_bytes(b"old")
    path.chmod(0o6664)
    disk.replace(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_a_pipe_is_not_locked(tmp_path: Path) -> None:
    """A pipe in the place of a file of ours is an error, and nobody waits for it."""
    path = tmp_path / "app.jsonl"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match="is no regular file"), disk.locked(path):
        pass
    with pytest.raises(ConfigError, match="is no regular file"):
        files.read(path, is_output=True)


def test_replace_makes_another_file(tmp_path: Path) -> None:
    """Who reads the old file meanwhile reads it to its end."""
    path = tmp_path / "app.env"
    path.write_bytes(b"old\n")
    with path.open("rb") as reader:
        disk.replace(path, b"new\n")
        assert reader.read() == b"old\n"


def test_a_full_disk_damages_nothing(tmp_path: Path) -> None:
    """Where there is no room, the old file stays whole, and nothing is left beside it."""
    path = tmp_path / "app.jsonl"
    path.write_bytes(b"x" * 100 + b"\n")
    with no_room_beyond(128):
        with pytest.raises(
            ConfigError, match=r"cannot write .*app.jsonl: File too large"
        ):
            disk.replace(path, b"y" * 500)
        with disk.locked(path) as file:
            with pytest.raises(ConfigError, match="File too large"):
                file.append(b"z" * 500)
    assert path.read_bytes() == b"x" * 100 + b"\n"
    assert os.listdir(tmp_path) == ["app.jsonl"]


def test_what_a_crash_left_is_cleared(tmp_path: Path) -> None:
    """A half-written replacement of an earlier run is in nobody's way."""
    (tmp_path / ".app.env.new").write_bytes(b"half")
    disk.replace(tmp_path / "app.env", b"whole\n")
    assert os.listdir(tmp_path) == ["app.env"]


def test_a_lock_alone_leaves_no_file(tmp_path: Path) -> None:
    """Whoever locks and then writes nothing leaves nothing behind."""
    path = tmp_path / "app.jsonl"
    with disk.locked(path):
        assert path.exists()
    assert not path.exists()


def test_who_waits_gets_the_file_that_has_the_name(tmp_path: Path) -> None:
    """A lock holds across a replacement: the next one reads what was put there."""
    path = tmp_path / "app.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_THE_LOCK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        other.stdin.close()
        with disk.locked(path) as file:
            file.append(b"ours\n")
        other.wait(PATIENCE)
    assert path.read_bytes() in {b"replaced\nours\n", b"ours\nreplaced\n"}
    assert path.read_bytes() == b"replaced\nours\n"


def test_a_lock_that_is_never_released_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a program that hangs we say so instead of hanging too."""
    monkeypatch.setattr(disk, "LOCK_SECONDS", 0.05)
    path = tmp_path / "app.jsonl"
    with disk.locked(path):
        with pytest.raises(ConfigError, match="locked by another program"):
            with disk.locked(path):
                pass


def test_targets_that_can_be_replaced(tmp_path: Path) -> None:
    """A file, or one that is to be made in a folder that is to be made."""
    (tmp_path / "app.env").touch()
    disk.check_target(tmp_path / "app.env")
    disk.check_target(tmp_path / "not" / "yet" / "app.env")


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    """A link is not followed, and not quietly replaced by a file."""
    (tmp_path / "app.env").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match="is a symbolic link") as caught:
        disk.check_target(tmp_path / "app.env")
    assert "/etc/passwd" in caught.value.hint


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Neither a folder, nor a pipe, nor a place below a file can be written to."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "file" / "app.env"):
        with pytest.raises(ConfigError):
            disk.check_target(path)


def test_a_name_without_room_for_the_new_one(tmp_path: Path) -> None:
    """A name so long that no new file can stand beside it is refused before any work."""
    disk.check_target(tmp_path / ("x" * 250))
    for length in (251, 255, 300):
        with pytest.raises(ConfigError, match="File name too long"):
            disk.check_target(tmp_path / ("x" * length))


@contextmanager
def without_roots_rights() -> Iterator[None]:
    """Be another user for a while, if root: root may write everywhere."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


@pytest.mark.parametrize("is_there", [True, False], ids=["file", "no-file"])
def test_a_folder_without_the_right_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """A read-only folder is found before anything is learned."""
    # By relative names: the way to the folder is closed to the user that root becomes.
    monkeypatch.chdir(tmp_path)
    path = Path("app.env")
    if is_there:
        path.touch()
    tmp_path.chmod(0o555)
    with without_roots_rights():
        with pytest.raises(ConfigError, match="no right to write in") as caught:
            disk.check_target(path)
    assert "its folder must be writable" in caught.value.hint


def test_evidence_that_is_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence that may be read alone is found before anything is learned, and an env file no
    obstacle: that is replaced."""
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o777)
    store = Store(Path("app.env"), Wish(name="app", file="app.env"))
    with without_roots_rights():
        store.open()
    store.env.touch(0o444)
    store.path.touch(0o444)
    with without_roots_rights():
        with pytest.raises(ConfigError, match=r"cannot write app\.jsonl: Permission"):
            store.open()
        store.path.unlink()
        store.open()
    assert os.listdir(tmp_path) == ["app.env"]


def test_looking_leaves_nothing(tmp_path: Path) -> None:
    """Whether a folder takes a file is tried out, and the file is gone afterwards."""
    disk.check_target(tmp_path / "app.env")
    (tmp_path / "app.env").touch()
    disk.check_target(tmp_path / "app.env")
    assert os.listdir(tmp_path) == ["app.env"]


def test_a_file_system_that_takes_no_file() -> None:
    """Where the kernel makes no file for anybody, root included, that is found too."""
    with pytest.raises(ConfigError, match=r"cannot write /proc/app\.env: "):
        disk.check_target(Path("/proc/app.env"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where a folder should be is one clear line, not a traceback."""
    (tmp_path / "learned").touch()
    with pytest.raises(ConfigError, match="cannot write"):
        with disk.locked(tmp_path / "learned" / "app.jsonl"):
            pass
    with pytest.raises(ConfigError, match="cannot write"):
        disk.replace(tmp_path / "learned" / "app.env", b"")


def test_new_files_belong_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    """What root writes into somebody's folder is theirs; for others nothing changes."""
    owner = 4321 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path, owner, -1)
    disk.replace(tmp_path / "app.env", b"one\n")
    with disk.locked(tmp_path / "app.jsonl") as file:
        file.append(b"two\n")
    assert [one.stat().st_uid for one in tmp_path.iterdir()] == [owner, owner]
