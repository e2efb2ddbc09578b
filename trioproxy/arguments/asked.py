"""What a request asks for, as values; and what readers of arguments share.

See `asking` for the whole of it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from trioproxy.arguments import normal
from trioproxy.arguments.bodies import Found, Json, Place, show
from trioproxy.arguments.table import Operation

DEFAULT_USER: Final = "@default"
"""The user of an exec that names none: the one that its container runs as."""

# The version from which a read-only bind is read-only in what is mounted below it, too.
RECURSIVE_READ_ONLY: Final = 44
# Below these, a default is none of those that are safe, and we write the safe one out.
PRIVATE_IPC: Final = 40
PRIVATE_CGROUP: Final = 41

LONGEST_OPTION: Final = 256
"""Characters of an option's value; of what is longer, only the name is told."""

_SECRET = re.compile(r"pass|secret|token|key|cred|auth|user[^.]*\Z", re.IGNORECASE)
_URL = re.compile(r"(://)(?:[^/?#]*@)?([^?#]*).*", re.DOTALL)


class Argument(NamedTuple):
    """One thing that a request asks for."""

    variable: str
    value: str
    """In normal form, escaped as in an env file: what a list holds to allow it."""
    place: str
    """Where it stands, for people: `HostConfig.Binds[0]`."""
    shown: str = ""
    """The value for people; empty where it may be a secret, or is the place alone."""
    condition: str = ""
    """A variable that must list values for this to be limited at all."""


class Request(NamedTuple):
    """What is read: an operation with its query, its body, and what else counts."""

    operation: Operation
    path: str
    query: bytes = b""
    body: Json = None
    """Parsed; None where there is none, or where it is content."""
    version: int | None = None
    """The 45 of `/v1.45`; None: unversioned, which is the newest that the Engine has."""

    def is_below(self, version: int) -> bool:
        """Whether the client speaks an older API than this."""
        return self.version is not None and self.version < version


def minor(version: str) -> int | None:
    """Read the 45 of `/v1.45`, as targets are written here."""
    return int(version.removeprefix("/v1.")) if version else None


Reader = Callable[[Request, Found], Iterator[Argument]]


def option(
    request: Request, place: Place, value: str = "", *, variable: str = ""
) -> Argument:
    """Ask for a place by its name, with what stands there unless it may be a secret."""
    """An argument whose value is its place, and what stands there unless it is a secret."""
    item = f"{request.operation.name}:{place.path}"
    is_told = len(value) <= LONGEST_OPTION and not _SECRET.search(place.path)
    if value and is_told:
        item, shown = f"{item}={normal.quote(value)}", show(without_secrets(value))
    else:
        shown = ""
    return Argument(
        variable or request.operation.family.options, item, place.shown, shown
    )


def unknown_option(request: Request, place: Place) -> Argument:
    """Ask for what the table does not know: by its name, whatever the value."""
    path = ".".join(map(normal.quote, place.path.split(".")))
    return option(request, Place(path, place.shown))


def without_secrets(text: str) -> str:
    """Leave out what a URL may hold besides where it leads: user, password and query."""
    if "://" not in text:
        return text
    return _URL.sub(r"\1\2", text)


def text_of(value: Json) -> str:
    """A text, or an empty one."""
    return value if isinstance(value, str) else ""


def texts_of(value: Json) -> list[str]:
    """The texts of a list."""
    return (
        [one for one in value if isinstance(one, str)]
        if isinstance(value, list)
        else []
    )


def structs_of(value: Json) -> list[Mapping[str, Json]]:
    """The structs of a list."""
    if not isinstance(value, list):
        return []
    return [one for one in value if isinstance(one, Mapping)]


def entries(value: Json) -> Iterator[tuple[str, str]]:
    """The entries of a map of texts."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield key, text_of(one)
