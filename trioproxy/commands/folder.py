"""`POLICIES`: a folder of policies, each of the containers that are called as its file is.

Links are not followed, for where one leads would choose whose policy it is. But for what
the kubelet makes of a ConfigMap: `NAME.env` leads to `..data/NAME.env`, of the same name,
and `..data` to a folder right beside it, in whose place it puts a new one at once.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from trioproxy.errors import ConfigError
from trioproxy.files import cannot, read_text
from trioproxy.judge.identity import NAME

MOST_POLICIES: Final = 256
"""Files in the folder: each has a table of decisions, 20 to 100 KB of it."""

ENDING: Final = ".env"


def policies_in(folder: str) -> dict[str, str]:
    """The file of each policy, by its name. Raises `ConfigError` for what may be none."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise cannot("read", Path(folder), error) from error
    found = dict(_policies(folder, names))
    if len(found) > MOST_POLICIES:
        raise ConfigError(
            f"{folder} has {len(found)} policies, and there may be {MOST_POLICIES}",
            hint="take out those that no container has",
        )
    return found


def names_in(folder: str) -> set[str]:
    """How containers may be called that have a file there, whatever else there is."""
    with suppress(OSError):
        files = (one for one in os.listdir(folder) if one.endswith(ENDING))
        return set(filter(NAME.fullmatch, (one.removesuffix(ENDING) for one in files)))
    return set()


def _policies(folder: str, names: list[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        # What editors and `mv` leave for a while ends in something else, or is hidden.
        if name.startswith(".") or not name.endswith(ENDING):
            continue
        client = name.removesuffix(ENDING)
        if not NAME.fullmatch(client):
            raise ConfigError(
                f"{folder}/{name!r:.80} can be no container's policy",
                hint="call it NAME.env: lower case letters, digits and . _ - alone",
            )
        yield client, os.path.join(folder, name)


DATA: Final = "..data"
"""Within a ConfigMap: the link to the folder of now."""


def read_unlinked(path: str) -> str:
    """Read a policy of the folder; of links, those of a ConfigMap alone are followed."""
    folder, name = os.path.split(path)
    try:
        leads = os.readlink(path)
    except OSError:  # no link; or not there, which is told by who reads it
        leads = ""
    if leads == f"{DATA}/{name}":
        return read_text(Path(folder, _held(folder), name), is_output=True)
    if leads:
        raise _is_link(path)
    # Which opens no link either, if it became one meanwhile.
    return read_text(Path(path), is_output=True)


def _held(folder: str) -> str:
    """The name of the folder that a ConfigMap has its files in now."""
    data = os.path.join(folder, DATA)
    try:
        held = os.readlink(data)
    except OSError as error:
        raise cannot("read", Path(data), error) from error
    is_beside = held.startswith("..") and held != ".." and "/" not in held
    if not is_beside or os.path.islink(os.path.join(folder, held)):
        raise _is_link(data)
    return held


def _is_link(path: str) -> ConfigError:
    return ConfigError(
        f"{path} is a symbolic link: which policy a container has, it may not say",
        hint="put the file itself there",
    )
