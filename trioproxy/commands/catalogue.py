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
from typing import Final

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
    path = Path(name)
    is_bare = (
        not (is_shipped(name) or "/" in name or "." in name or os.path.exists(name))
        and any(is_there(place / LIST) for place in PLACES)
    )  # fmt: skip
    if not (is_shipped(name) or is_bare):
        return path
    if is_bare and (row := row_of(name)):
        raise ConfigError(
            f"there is no file {name!r}: it is an operation, {row.method} {row.template}",
            hint="trioproxy explain tells of each; trioproxy check FILE METHOD TARGET says"
            " whether a file lets it pass",
        )
    # What means none of ours, and is no file either, has one of them in mind.
    prefix, _, wanted = ("", "", name) if is_bare else name.partition(":")
    found = {one: _clients_in(folder_of(one)) for one in _BELOW}
    if not is_bare and wanted in found[f"{prefix}:"]:
        return folder_of(f"{prefix}:") / f"{wanted}.env"
    # Here, for a name that is right needs no guess.
    from difflib import get_close_matches

    what = f"no file {name[:80]!r}" if is_bare else f"no {name[:80]!r}"
    wanted = wanted.lower()
    clients = {stem: client for one in found.values() for stem, client in one.items()}
    all_of_them = sorted(clients)
    # `docker` is like none of the names, and the beginning of many; `gitea` is no name.
    having = [
        stem
        for stem in all_of_them
        if len(wanted) > 1 and (wanted in stem or wanted in _words(clients[stem]))
    ]
    known = [] if having else _documented_as(wanted)
    if known:
        raise ConfigError(
            f"there is {what}: that client has no file yet",
            hint=f"{WITHOUT_FILE}{'; '.join(known)}",
        )
    near = get_close_matches(wanted, all_of_them, n=MOST_NAMED, cutoff=LIKE) + having
    if wanted in near:
        near = [wanted]
    meant = [
        f"{one}{stem}"
        for stem in dict.fromkeys(near)
        for one in sorted(found, key=lambda one: one != f"{prefix}:")
        if stem in found[one]
    ][:MOST_NAMED]
    if is_bare and not meant:
        return path
    hint = f"did you mean {' or '.join(meant)}?" if meant else NOWHERE
    raise ConfigError(f"there is {what}", hint=hint)


def _clients_in(where: Path) -> dict[str, str]:
    """The names of the files there, and of which client each is."""
    has_some = is_there(where / LIST)
    listed = json.loads(read_text(where / LIST)) if has_some else ()
    return {one["name"]: one["client"] for one in listed}


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
