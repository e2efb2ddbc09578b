"""Reading a file whole: bounded, and with one clear error for each way to fail.

What the files say is not known here. Writing them is `evidence.disk`.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trioproxy.errors import ConfigError

SIZE_LIMIT: Final = 64 * 1024 * 1024
"""Beyond this a file is none of ours."""
TEXT_LIMIT: Final = 4 * 1024 * 1024
"""The same of a text, three times as long as all the lines that a policy can have; its
lines take ten times that in memory, beside those who are served."""


_LOADER: Final[Any] = __spec__.loader
_LOADED_FROM: Final[str] = getattr(_LOADER, "archive", "")
ARCHIVE: Final = os.path.realpath(_LOADED_FROM) if _LOADED_FROM else ""
"""The one file that the program is, if it is one (`trioproxy.pyz`), else empty. What comes with
it has paths below that, as if it were a folder, and is read by who has loaded this module."""

PIPE_HINT: Final = (
    "write it to a file: it is read more than once, and <(COMMAND) is a pipe"
)
READ_ONLY_HINT: Final = "it is read-only here: do this where it is not, as on the host of a container, or mount a folder that can be written"
FOLDER_HINT: Final = "name the file in it; Docker makes a folder where the mounted path is missing: remove that, and mount the file that is there"


def names_of(path: str) -> Iterator[str]:
    """By which a file may be known, the shortest first: its name, with ever more folders."""
    parts = os.path.abspath(path).split("/")
    yield from ("/".join(parts[at:]) for at in range(len(parts) - 1, -1, -1))


def read(
    path: Path,
    *,
    may_be_missing: bool = False,
    is_output: bool = False,
    is_regular: bool = False,
    most: int = SIZE_LIMIT,
) -> bytes:
    """Read a file of at most `most` bytes; one that may be missing, and is, reads as empty.

    `is_output`: it will be replaced by what comes of it. In a folder of another user its
    name may be a link to a file that only we may read, so none is followed.
    `is_regular`: what is none, as a pipe that nobody writes to, is an error, and is never
    waited for. An output is one, too.
    """
    if (packed := _packed(path)) is not None:
        return packed
    is_regular |= is_output
    # Windows has neither these two nor files that we write, and translates line ends.
    flags = os.O_NOFOLLOW if is_output else 0
    flags |= getattr(os, "O_NONBLOCK", 0) if is_regular else 0
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | flags)
        try:
            if is_regular:
                check_regular(fd, path)
            with open(fd, "rb", closefd=False) as file:
                # What is asked for is asked of the system, too, which may not have 64 MiB.
                size = os.fstat(fd).st_size
                data = file.read(min(size, most) + 1)
                if (
                    len(data) > size
                ):  # it grows, or has no size, as what the kernel tells
                    data += file.read(most)
        finally:
            os.close(fd)
    except FileNotFoundError as error:
        if may_be_missing:
            return b""
        raise cannot("read", path, error) from error
    except OSError as error:
        raise cannot("read", path, error) from error
    if len(data) > most:
        raise ConfigError(f"{path} is larger than {most >> 20} MiB")
    return data


def is_there(path: Path) -> bool:
    """Whether there is such a file, be it in our archive."""
    # Not `Path.is_file`, which raises where that cannot be told, as of too long a name.
    return os.path.isfile(path) or _packed(path) is not None


def _packed(path: Path) -> bytes | None:
    if not ARCHIVE or not path.is_relative_to(ARCHIVE):
        return None
    try:
        data: bytes = _LOADER.get_data(str(path.relative_to(ARCHIVE)))
    except OSError:
        return None
    return data


def read_text(
    path: Path, *, may_be_missing: bool = False, is_output: bool = False
) -> str:
    """Read a regular file as UTF-8: a policy, most of the time."""
    data = read(
        path,
        may_be_missing=may_be_missing,
        is_output=is_output,
        is_regular=True,
        most=TEXT_LIMIT,
    )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"cannot read {path}: it is not UTF-8 text in line {line}"
        ) from error


def cannot(verb: str, path: Path, error: OSError) -> ConfigError:
    """Say in one line which file could not be read or written, and why."""
    if error.errno == errno.ELOOP:
        return symbolic_link(path)
    if error.errno == errno.ENXIO:  # which open(2) says of a socket
        return ConfigError(f"{path} is no regular file: it is a socket")
    hint = READ_ONLY_HINT if error.errno == errno.EROFS else ""
    return ConfigError(f"cannot {verb} {path}: {error.strerror or error}", hint=hint)


def check_regular(fd: int, path: Path) -> None:
    """Refuse a pipe, a device and the like, of which an open descriptor is at hand."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return
    what = f"{path} is no regular file"
    if stat.S_ISFIFO(mode):
        raise ConfigError(f"{what}: it is a pipe", hint=PIPE_HINT)
    if stat.S_ISDIR(mode):
        raise ConfigError(f"{what}: it is a folder", hint=FOLDER_HINT)
    raise ConfigError(what)


def is_one_file(one: str | Path, other: str | Path) -> bool:
    """Whether two paths are those of one file, however they are spelt."""
    try:
        return os.path.realpath(one) == os.path.realpath(other)
    except OSError:  # the working folder is gone: who reads or writes there says so
        return one == other


def symbolic_link(path: Path) -> ConfigError:
    """Say that a file of ours is a link, which is never followed, or which leads nowhere."""
    leads = os.path.realpath(path)
    if os.path.islink(leads):
        return ConfigError(
            f"{path} is a symbolic link that leads in a circle", hint="remove it"
        )
    return ConfigError(
        f"{path} is a symbolic link: it would be replaced, not followed",
        hint=f"name the file itself: {leads}",
    )
