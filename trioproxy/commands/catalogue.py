"""Policy files that come with the program: `learned:glances` names one of them.

They are the files of the folder `learned`, which the wheel has inside of the package and
a checkout beside it. A name is looked up among those there are, and never made a path of.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trioproxy.errors import ConfigError

PREFIX: Final = "learned:"
LIST: Final = "catalogue.json"
"""What each file was learned from; `make learned` writes it."""

DOCUMENTED: Final = "documented.json"
"""What docs/clients.md knows of clients that nobody learned; `make derived` writes it."""

SOURCES: Final = {
    "S": "read in its source",
    "D": "read in its documentation",
    "P": "from a published profile of another proxy",
    "T": "told in an issue or a log",
}
"""The letters of that page."""

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
    near, known = _near(wanted, found), _documented_as(wanted)
    if known and not near:
        raise ConfigError(
            f"there is no {name[:80]!r}: it was not learned yet",
            hint=f"docs/clients.md has, to begin with, {'; '.join(map(str, known))}",
        )
    hint = f"did you mean {' or '.join(near)}?" if near else NOWHERE
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """What is known of a client that was not learned."""

    client: str
    operations: str
    limits: str
    by_option: str
    """Markdown: what it needs besides, with which option."""
    source: str
    """Letters, see `SOURCES`."""

    def __str__(self) -> str:
        """Say it in one line."""
        limits = f" {self.limits}" if self.limits else ""
        option = f", by option {self.by_option}" if self.by_option else ""
        why = " and ".join(SOURCES[letter] for letter in self.source.split())
        return (
            f"{self.client}: ALLOW_OPERATIONS={self.operations}{limits}{option} ({why})"
        )


def documented() -> list[Documented]:
    """All clients that the page knows and nobody learned."""
    rows = json.loads((folder() / DOCUMENTED).read_text(encoding="utf-8"))
    return [Documented(**row) for row in rows]


MOST_NAMED: Final = 3
NOWHERE: Final = "trioproxy explain lists those there are"


def _documented_as(wanted: str) -> list[Documented]:
    """The clients of the page that a name may mean: it begins one of their words."""
    words = _words(wanted)
    found = [
        one
        for one in documented()
        if words
        and all(
            any(known.startswith(word) for known in _words(one.client))
            for word in words
        )
    ]
    return found[:MOST_NAMED]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _near(wanted: str, names: dict[str, Path]) -> list[str]:
    """The names that one may have been meant for."""
    # Here, for a name that is right needs no guess.
    from difflib import get_close_matches

    near = get_close_matches(wanted, names, n=MOST_NAMED)
    # `docker` is like none of the names, and the beginning of many.
    near += [name for name in sorted(names) if wanted and wanted in name]
    return [f"{PREFIX}{one}" for one in dict.fromkeys(near)][:MOST_NAMED]
