"""Policy files that come with the program: `learned:glances` names one of them.

They are the files of the folder `learned`, which the wheel has inside of the package and
a checkout beside it. A name is looked up among those there are, and never made a path of.
"""

from pathlib import Path
from typing import Final

from trioproxy.errors import ConfigError

PREFIX: Final = "learned:"
LIST: Final = "catalogue.json"
"""What each file was learned from; `make learned` writes it."""

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
    if wanted not in found:
        raise ConfigError(f"there is no {name[:80]!r}", hint=_hint(wanted, found))
    return found[wanted]


def folder() -> Path:
    """The folder that they are in."""
    for place in PLACES:
        if (place / LIST).is_file():
            return place
    raise ConfigError(
        "this installation has no learned files",
        hint="install the wheel or the image, or name a file of your own",
    )


def _hint(wanted: str, names: dict[str, Path]) -> str:
    # Here, for a name that is right needs no guess.
    from difflib import get_close_matches

    near = get_close_matches(wanted, names, n=3)
    # `docker` is like none of the names, and the beginning of many.
    near += [name for name in sorted(names) if wanted and wanted in name]
    if meant := list(dict.fromkeys(near))[:3]:
        return f"did you mean {' or '.join(PREFIX + one for one in meant)}?"
    return "trioproxy learned lists those there are"
