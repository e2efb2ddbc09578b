"""Policy files that come with the program: `learned:glances` names one of them, and
`documented:traefik` one that was read in a client's source and never seen at work.

They are the files of the folder `learned`, which the wheel has inside of the package and
a checkout beside it; in `trioproxy.pyz` they are a part of that one file. A name is looked up
in their catalogue, and never made a path of.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from trioproxy.api.routes import row_of
from trioproxy.errors import ConfigError
from trioproxy.files import is_there, read_text

PREFIX: Final = "learned:"
READ: Final = "documented:"
_BELOW: Final = {PREFIX: ".", READ: "documented"}
"""In which folder below `learned` the files of a prefix are."""

LIST: Final = "catalogue.json"
"""In each of them: what each file was learned from, or read in. `make learned` and
`make derived` write them."""

DOCUMENTED: Final = "documented.json"
"""What docs/clients.md knows of clients of which there is no file; `make derived` writes it."""

_PACKAGE: Final = Path(__file__).resolve().parents[1]
PLACES: Final = (_PACKAGE / "learned", _PACKAGE.parent / "learned")


def is_shipped(name: str) -> bool:
    """Whether a name is one of what comes with the program, and no path."""
    return name.startswith(tuple(_BELOW))


def own(name: str) -> Path:
    """The path of a file that is to be written. `ConfigError`: it comes with the program."""
    if is_shipped(name):
        raise ConfigError(
            f"{name[:80]} comes with the program and is not written",
            hint="write a file of your own; trioproxy merge takes both",
        )
    return Path(name)


def locate(name: str) -> Path:
    """Where a policy file is: one of ours if it is named so, else the path that is given.

    `ConfigError`: there is none of that name.
    """
    if is_shipped(name):
        prefix, mark, wanted = name.partition(":")
        prefix += mark
        if any(one["name"] == wanted for one in rows(prefix)):
            return folder_of(prefix) / f"{wanted}.env"
        what = f"there is no {name[:80]!r}"
        raise ConfigError(what, hint=_guess(what, wanted, prefix) or NOWHERE)
    is_bare = not ("/" in name or "." in name or os.path.exists(name))
    if is_bare and any(is_there(place / LIST) for place in PLACES):
        _refuse_bare(name)
    return Path(name)


def _refuse_bare(name: str) -> None:
    """Stop where what is no file has an operation in mind, or a file of another name."""
    if row := row_of(name):
        raise ConfigError(
            f"there is no file {name!r}: it is an operation, {row.method} {row.template}",
            hint="trioproxy explain tells of each; trioproxy check FILE METHOD TARGET says"
            " whether a file lets it pass",
        )
    what, yours = f"there is no file {name[:80]!r}", f"{name}.env"
    is_yours = os.path.exists(yours)
    hint = f"did you mean {yours}?" if is_yours else _guess(what, name)
    if hint:
        raise ConfigError(what, hint=hint)


def _guess(what: str, wanted: str, prefix: str = "") -> str:
    """Which of ours somebody has in mind, those of a prefix first; empty: none is known.

    `ConfigError`: it is a client that is known and has no file.
    """
    # Here, for a name that is right needs no guess.
    from difflib import get_close_matches

    wanted = wanted.lower()
    clients = {one: {row["name"]: row["client"] for row in rows(one)} for one in _BELOW}
    names = {stem: client for one in clients.values() for stem, client in one.items()}
    # `docker` is like none of the names, and the beginning of many; `gitea` is no name.
    having = [
        stem
        for stem, client in sorted(names.items())
        if len(wanted) > 1 and (wanted in stem or wanted in _words(client))
    ]
    known = [] if having or len(wanted) == 1 else _documented_as(wanted)
    if known:
        raise ConfigError(
            f"{what}: that client has no file yet",
            hint=f"{WITHOUT_FILE}{'; '.join(known)}",
        )
    near = get_close_matches(wanted, sorted(names), n=MOST_NAMED, cutoff=LIKE) + having
    meant = [
        f"{one}{stem}"
        for stem in ([wanted] if wanted in near else dict.fromkeys(near))
        for one in sorted(clients, key=lambda one: one != prefix)
        if stem in clients[one]
    ]
    return f"did you mean {' or '.join(meant[:MOST_NAMED])}?" if meant else ""


def rows(prefix: str) -> list[dict[str, Any]]:
    """The catalogue of the files that a prefix names; none where they are not installed."""
    path = folder_of(prefix) / LIST
    return list(json.loads(read_text(path))) if is_there(path) else []


def folder_of(prefix: str) -> Path:
    """The folder of the files that a prefix names."""
    return folder() / _BELOW[prefix]


def folder() -> Path:
    """The folder that they are in."""
    for place in PLACES:
        if is_there(place / LIST):
            return place
    raise ConfigError(
        "this installation has no learned files",
        hint="install the wheel or the image, or name a file of your own",
    )


MOST_NAMED: Final = 3
LIKE: Final = 0.7
"""How like, to 1, a name is that was meant: any less, and `nofile` is `ansible`."""

WITHOUT_FILE: Final = "docs/clients.md has, to begin with, "
NOWHERE: Final = "trioproxy explain lists those there are"


def documented() -> dict[str, str]:
    """What docs/clients.md knows of clients without a file, by their names there."""
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
