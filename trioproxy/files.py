"""Reading a file whole: bounded, and with one clear error for each way to fail.

What the files say is not known here. Writing them is `learning.disk`.
"""

from pathlib import Path
from typing import Final

from trioproxy.errors import ConfigError

SIZE_LIMIT: Final = 64 * 1024 * 1024
"""Beyond this a file is none of ours."""


def read(path: Path, *, may_be_missing: bool = False) -> bytes:
    """Read a file; one that may be missing, and is, reads as empty."""
    try:
        with path.open("rb") as file:
            data = file.read(SIZE_LIMIT + 1)
    except FileNotFoundError as error:
        if may_be_missing:
            return b""
        raise cannot("read", path, error) from error
    except OSError as error:
        raise cannot("read", path, error) from error
    if len(data) > SIZE_LIMIT:
        raise ConfigError(f"{path} is larger than {SIZE_LIMIT >> 20} MiB")
    return data


def read_text(path: Path, *, may_be_missing: bool = False) -> str:
    """Read a file as UTF-8."""
    try:
        return read(path, may_be_missing=may_be_missing).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot read {path}: it is not UTF-8 text") from error


def cannot(verb: str, path: Path, error: OSError) -> ConfigError:
    """Say in one line which file could not be read or written, and why."""
    return ConfigError(f"cannot {verb} {path}: {error.strerror or error}")
