"""Policy files that come with the program: `learned:glances` names one of them.

They are the files of the folder `learned`, which the wheel has inside of the package and
a checkout beside it. A name is looked up among those there are, and never made a path of.
"""

import json
import re
from pathlib import Path
from typing import Final

from trioproxy.errors import ConfigError
from trioproxy.files import read_text

PREFIX: Final = "learned:"
LIST: Final = "catalogue.json"
"""What each file was learned from; `make learned` writes it."""

DOCUMENTED: Final = "documented.json"
"""What docs/clients.md knows of clients that nobody learned; `make derived` writes it."""

_PACKAGE: Final = Path(__file__).resolve().parents[1]
PLACES: Final = (_PACKAGE / "learned", _PACKAGE.parent / "learned")


def locate(name: str) -> Path:
    """Where a policy file is: one of ours if it is named so, else the path that is given.

    `ConfigError`: there is none of that name.
    """
    if not name.startswith(PREFIX):
        return Path(name)
    wanted = name.removeprefix(PREFIX)
    found = {path.stem: path for path in folder().glob("*.env")}
    if wanted in found:
        return found[wanted]
    # Here, for a name that is right needs no guess.
    from difflib import get_close_matches

    # `docker` is like none of the names, and the beginning of many.
    having = [one for one in sorted(found) if wanted and wanted in one]
    known = [] if having else _documented_as(wanted)
    if known:
        raise ConfigError(
            f"there is no {name[:80]!r}: it was not learned yet",
            hint=f"docs/clients.md has, to begin with, {'; '.join(known)}",
        )
    near = [*get_close_matches(wanted, found, n=MOST_NAMED), *having]
    meant = [f"{PREFIX}{one}" for one in dict.fromkeys(near)][:MOST_NAMED]
    hint = f"did you mean {' or '.join(meant)}?" if meant else NOWHERE
    raise ConfigError(f"there is no {name[:80]!r}", hint=hint)


def folder() -> Path:
    """The folder that they are in."""
    for place in PLACES:
        if (place / LIST).is_file():
            return place
    raise ConfigError(
        "this installation has no learned files",
        hint="install the wheel or the image, or name a file of your own",
    )


MOST_NAMED: Final = 3
NOWHERE: Final = "trioproxy explain lists those there are"


def documented() -> dict[str, str]:
    """What docs/clients.md knows of clients that nobody learned, by their names there."""
    return dict(json.loads(read_text(folder() / DOCUMENTED)))


def _documented_as(wanted: str) -> list[str]:
    """What is known of the clients that a name may mean: each of its words begins one of
    theirs."""
    words = _words(wanted)
    return [
        f"{client}: {told}"
        for client, told in documented().items()
        if words and all(f" {word}" in f" {' '.join(_words(client))}" for word in words)
    ][:MOST_NAMED]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())
