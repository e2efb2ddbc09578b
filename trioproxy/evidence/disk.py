"""Files that are whole at any moment: locked, appended to, replaced at once.

All calls block; `evidence.journal` has them made in a worker thread. What the files say is
not known here, and reading them is `trioproxy.files`.
"""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from trioproxy.errors import ConfigError
from trioproxy.files import cannot, check_regular, symbolic_link
from trioproxy.hostpath import is_mount, read_mounts

LOCK_SECONDS: Final = 30.0
"""How long to wait for another learner, which holds a lock for one write at a time."""

LOCK_PAUSE: Final = 0.02
NEW_MODE: Final = 0o644
"""Less what umask takes: a policy is to be read, by reviewers and by who enforces it."""

ALL_MODE: Final = 0o777
OTHERS_WRITE: Final = 0o022


def check_target(path: Path) -> None:
    """Refuse what cannot be replaced safely, before any work is done for it."""
    if not hasattr(os, "O_NOFOLLOW"):
        raise ConfigError(
            f"cannot write {path}: files are not locked on Windows",
            hint="write it in WSL, or by the image; reading works everywhere",
        )
    try:
        with suppress(FileNotFoundError):
            _new_beside(path).lstat()  # its name may be longer than names may be
        mode = path.lstat().st_mode
    except FileNotFoundError:
        folder = next((one for one in path.parents if one.exists()), path.parent)
        if not folder.is_dir():
            raise ConfigError(f"cannot write {path}: {folder} is no folder") from None
        _check_writable(path, folder)
        return
    except OSError as error:
        raise cannot("write", path, error) from error
    if stat.S_ISLNK(mode):
        raise symbolic_link(path)
    if not stat.S_ISREG(mode):
        raise ConfigError(f"{path} is no regular file")
    if is_mount(read_mounts(), str(path)):
        raise ConfigError(
            f"{path} is mounted by itself: no new file can take its place",
            hint="mount its folder",
        )
    _check_writable(path, path.parent)


def _check_writable(path: Path, folder: Path) -> None:
    try:
        # A file without a name, where there is such a thing. access(2) is no answer: it
        # tells root yes even where the file system itself takes no file, as in /proc.
        with TemporaryFile(dir=folder):
            pass
    except PermissionError as error:
        raise ConfigError(
            f"no right to write in {folder}",
            hint="a file is replaced by a new one next to it, so its folder must be writable",
        ) from error
    except OSError as error:
        raise cannot("write", path, error) from error


def check_ours(path: Path) -> None:
    """Refuse a file that cannot be locked, and so not be added to, before any work is done."""
    try:
        os.close(_open(path))
    except FileNotFoundError:
        pass  # it is made when there is something to write
    except OSError as error:
        raise cannot("write", path, error) from error


class LockedFile:
    """A file that no other learner reads or writes meanwhile.

    The lock belongs to the file that has the name now. A replacement is locked before it
    takes the name, so the lock holds on; whoever waited for the old file begins again.
    """

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    def stamp(self) -> tuple[int, int, int]:
        """What changes whenever somebody writes to the file: inode, size and date."""
        found = os.fstat(self._fd)
        return found.st_ino, found.st_size, found.st_mtime_ns

    def append(self, data: bytes) -> None:
        """Append and sync; a write that fails half-way is taken back."""
        size = os.fstat(self._fd).st_size
        try:
            _write_all(self._fd, data)
            os.fsync(self._fd)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, size)
            raise cannot("write", self.path, error) from error

    def replace(self, data: bytes) -> None:
        """Replace the file by another one, which is locked from the beginning."""
        old, self._fd = self._fd, _replace(self.path, data)
        os.close(old)

    def close(self) -> None:
        """Let others have it; a file that was only made to be locked does not stay."""
        if os.fstat(self._fd).st_size == 0 and _is_named(self._fd, self.path):
            self.path.unlink()
        os.close(self._fd)


@contextmanager
def locked(path: Path) -> Iterator[LockedFile]:
    """Hold the lock of a file, which is made if there is none."""
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = LockedFile(path, _open_locked(path, deadline))
    except OSError as error:
        raise cannot("write", path, error) from error
    try:
        yield file
    finally:
        file.close()


def replace(path: Path, data: bytes) -> None:
    """Put a new file in the place of the old one, at once.

    Whoever may do so at the same time must hold a lock. After a crash there is the old
    file or the new one, never anything between.
    """
    os.close(_replace(path, data))


def _open_locked(path: Path, deadline: float) -> int:
    while True:
        fd = _open_or_make(path)
        try:
            check_regular(fd, path)
            _lock(fd, path, deadline)
            if _is_named(fd, path):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _open_or_make(path: Path) -> int:
    while True:
        with suppress(FileNotFoundError):
            return _open(path)
        try:
            fd = _open(path, os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            continue  # another learner was quicker
        _give_to_owner_of_folder(fd, path.parent)
        return fd


def _open(path: Path, more: int = 0) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags | more, NEW_MODE)


def _give_to_owner_of_folder(fd: int, folder: Path) -> None:
    """Root, as in a container, writes in folders of others: the new file is theirs."""
    found = folder.stat()
    if found.st_uid != os.geteuid():
        with suppress(PermissionError):
            os.fchown(fd, found.st_uid, found.st_gid)


def _lock(fd: int, path: Path, deadline: float) -> None:
    while True:
        try:
            _flock(fd)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"{path} is locked by another program",
                    hint="another trioproxy holds the lock: wait, or end it if it hangs",
                ) from None
            time.sleep(LOCK_PAUSE)
        else:
            return


def _flock(fd: int) -> None:
    """Take the lock, or raise `BlockingIOError`."""
    import fcntl  # Windows has none, and reading must work there

    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_named(fd: int, path: Path) -> bool:
    try:
        named = path.lstat()
    except FileNotFoundError:
        return False
    held = os.fstat(fd)
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)


def _new_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def _replace(path: Path, data: bytes) -> int:
    temporary = _new_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Left by a crash: under the lock nobody else has one.
        temporary.unlink(missing_ok=True)
        fd = _open(temporary, os.O_CREAT | os.O_EXCL)
        try:
            _flock(fd)  # nobody else has it: it has no name yet
            _take_over_owner(fd, path)
            _write_all(fd, data)
            os.fsync(fd)
            temporary.rename(path)
            _sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            os.close(fd)
            raise
    except OSError as error:
        raise cannot("write", path, error) from error
    return fd


def _take_over_owner(fd: int, path: Path) -> None:
    try:
        old = path.lstat()
    except FileNotFoundError:
        _give_to_owner_of_folder(fd, path.parent)
        return
    if not stat.S_ISREG(old.st_mode):
        return  # of a link, say, which is 0777 whatever it leads to
    mode = old.st_mode & ALL_MODE
    # First, for whoever has given a file away may need one more capability to do it. It
    # is for us alone to write as long as it is ours.
    os.fchmod(fd, mode & ~OTHERS_WRITE)
    # Only root may give a file away; without, it is ours, as any editor's would be.
    with suppress(PermissionError):
        os.fchown(fd, old.st_uid, old.st_gid)
        if mode & OTHERS_WRITE:
            os.fchmod(fd, mode)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
