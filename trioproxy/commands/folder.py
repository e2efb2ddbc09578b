"""`POLICIES`: a folder of policies, each of the containers that are called as its file is."""

import os
from collections.abc import Iterator
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


def read_unlinked(path: str) -> str:
    """Read a policy of the folder; a link is followed nowhere, for it would choose."""
    if os.path.islink(path):
        raise ConfigError(
            f"{path} is a symbolic link: which policy a container has, it may not say",
            hint="put the file itself there",
        )
    # Which opens no link either, if it became one meanwhile.
    return read_text(Path(path), is_output=True)
