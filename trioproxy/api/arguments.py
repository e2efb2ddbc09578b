"""What a request asks for, as values; and what readers of arguments share.

See `asking` for the whole of it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

from trioproxy.api import normal
from trioproxy.api.decoding import Finding, Json, Spot, show
from trioproxy.api.edits import Edit
from trioproxy.api.fields import SOURCES, Operation
from trioproxy.errors import BadBody, BodyTooLarge

DEFAULT_USER: Final = "@default"
"""The user of an exec that names none: the one that its container runs as."""

# The version from which a read-only bind is read-only in what is mounted below it, too.
RECURSIVE_READ_ONLY: Final = 44
# Below these, a default is none of those that are safe, and we write the safe one out.
PRIVATE_IPC: Final = 40
PRIVATE_CGROUP: Final = 41

_T = TypeVar("_T")

PROGRAM: Final = re.compile(r"[A-Za-z0-9_./+-]{1,128}")
"""The first word of a command as it is told: a program, and not a command line."""

MOST_ITEMS: Final = 1024
"""Binds, mounts, file systems in memory, capabilities, settings: of each, in one request."""

LONGEST_OPTION: Final = 256
"""Characters of an option's value; of what is longer, only the name is told."""

# By names, for nobody can tell by a value. One name too many costs a reader its value; one too few writes a password
# into a file that people share and into every refusal.
_SECRET = re.compile(r"pass|secret|token|key|cred|auth|user[^.]*\Z", re.IGNORECASE)


def may_be_secret(name: str) -> bool:
    """Whether what is called so may be a secret, which is told to nobody."""
    return _SECRET.search(name) is not None


# A request is a set of these to all who judge it, and a list is compared with nothing else. What a container of the
# Engine's defaults has anyway is no argument; what is more is one or several, of which each has to be listed. So all
# spellings of one power must become one value, by the Engine's own reading (`normal`). A spelling that becomes another
# value is refused for no reason that its client could see; one that becomes none is a hole in every policy.
class Argument(NamedTuple):
    """One thing that a request asks for."""

    variable: str
    value: str
    """In normal form, escaped as in an env file: what a list holds to allow it."""
    place: str
    """Where it stands, for people: `HostConfig.Binds[0]`."""
    shown: str = ""
    """The value for people; empty where it may be a secret, or is the place alone."""
    unless_default: bool = False
    """Whether it is harmless where it is what the Engine gives by default; see `things`."""


class Given(NamedTuple):
    """What is read: what a client gives, and what else counts."""

    operation: Operation
    path: str
    query: bytes = b""
    body: Json = None
    """Parsed; None where there is none, or where it is content."""
    proxy_socket: str = ""
    """What takes the place of the Engine's socket in binds; empty: nothing does."""
    drops_nodes: bool = False
    """Whether what it makes goes on without the capability for device nodes."""
    version: int | None = None
    """The 45 of `/v1.45`; None: unversioned, which is the newest that the Engine has."""
    is_there: bool = False
    """Whether the Engine has it already, and tells of it in its own words."""

    def is_below(self, version: int) -> bool:
        """Whether the client speaks an older API than this."""
        return self.version is not None and self.version < version


def minor(version: str) -> int | None:
    """Read the 45 of `/v1.45`, as targets are written here."""
    return int(version.removeprefix("/v1.")) if version else None


Reader = Callable[[Given, Finding], Iterator[Argument | Edit]]


def asked(
    found: Finding, value: str, text: str | None = None, place: Spot | None = None
) -> Argument:
    """Ask for a value of the variable that the reader's row names. `text`: for people."""
    shown = show(value if text is None else text)
    variable = SOURCES[found.reader].variable
    return Argument(variable, value, (place or found.place).shown, shown)


def option(given: Given, place: Spot, value: str = "") -> Argument:
    """Ask for a place by its name, with what stands there unless it may be a secret."""
    # By names and without indexes: the third mount of a body asks for the same as the first. A name may be a client's.
    item, shown = f"{given.operation.name}:{normal.quote(place.path)}", ""
    if value and len(value) <= LONGEST_OPTION and not may_be_secret(place.path):
        item = f"{item}={normal.quote(value)}"
        shown = show(value) if told_option(item) == item else ""
    return Argument(given.operation.family.options, item, place.shown, shown)


def told_option(item: str) -> str:
    """Give an option as it may be told and kept: without a value that may be a secret.

    The password of a CIFS share and the token of a log server are options of drivers;
    only where values are known words, numbers, addresses or interfaces, they are told.
    """
    place, mark, value = item.partition("=")
    plain = normal.unquote(value)
    is_told = mark and any(
        places.fullmatch(place) and values.fullmatch(plain)
        for places, values in _TOLD_OPTIONS
    )
    return item if is_told else place


_TOLD_OPTIONS: Final = tuple(
    (re.compile(place), re.compile(value))
    for place, value in (
        (r".*\.type", r"none|tmpfs|nfs4?|cifs|smb3|ext[234]|xfs|btrfs"),
        (r".*\.Subnet", r"[0-9a-fA-F.:]{2,39}/[0-9]{1,3}"),
        (r".*\.BindOptions\.Propagation", r"r?(?:shared|slave)"),
        (r".*\.Mounts\..*\.Subpath", r"[A-Za-z0-9_./+-]*"),
        (r".*\.Sysctls\..*", r"[0-9]{1,10}(?:[ \t][0-9]{1,10})*"),
        # By a bridge that it names, a network lies on somebody else's; the address of a log
        # driver may be any socket of the host.
        (
            r"NetworkCreate:Options\.(?:parent|com\.docker\.network\.bridge\.name)",
            r"[A-Za-z0-9_.-]{1,15}",
        ),
        (
            r"ContainerCreate:HostConfig\.LogConfig\.Config\.(?:(?:fluentd|syslog)-address|splunk-url|awslogs-endpoint)",
            r"(?:tcp|tcp\+tls|udp|https?)://[A-Za-z0-9.-]+(?::[0-9]{1,5})?|[A-Za-z0-9.-]+:[0-9]{1,5}",
        ),
        (r"ImageBuild:networkmode", r"[A-Za-z0-9][A-Za-z0-9_.-]*"),  # `host`, or a name
        (r"ImageBuild:remote", r".*"),  # without user and query, as it is judged
        (r"ImageBuild:version", r"[0-9]"),
        (r"NetworkCreate:Scope", r"swarm|global"),
    )
)


def few(found: Finding) -> Json:
    """Give a list or a map back whose items all have to be looked at.

    Raises `BodyTooLarge` for more than any container has: what they ask for has a bound of
    its own, and those that ask for nothing are work too.
    """
    if isinstance(found.value, list | Mapping) and len(found.value) > MOST_ITEMS:
        raise BodyTooLarge(f"{found.place.shown} has more than {MOST_ITEMS:,} items")
    return found.value


# A field is of the kind that the table says, or it is not there: what is neither was
# looked at by nobody, and asks for nothing that anyone could tell.


def text_of(value: Json) -> str:
    """A text; empty where there is none. Raises `BadBody` for anything else."""
    if value is None or isinstance(value, str):
        return value or ""
    raise _other("text")


def list_of(value: Json) -> list[Json]:
    """A list; empty where there is none. Raises `BadBody` for anything else."""
    if value is None or isinstance(value, list):
        return value or []
    raise _other("list")


def map_of(value: Json) -> dict[str, Json]:
    """A struct or a map; empty where there is none. Raises `BadBody` for anything else."""
    if value is None or isinstance(value, dict):
        return value or {}
    raise _other("object")


def texts_of(value: Json) -> list[str]:
    """The texts of a list. Raises `BadBody` for anything else."""
    return _all(str, value, "text")


def structs_of(value: Json) -> list[dict[str, Json]]:
    """The structs of a list. Raises `BadBody` for anything else."""
    return _all(dict, value, "object")


def _all(kind: type[_T], value: Json, wanted: str) -> list[_T]:
    items = list_of(value)
    found = [one for one in items if isinstance(one, kind)]
    if len(found) < len(items):
        raise _other(wanted)
    return found


def _other(wanted: str) -> BadBody:
    return BadBody(f"what should be {wanted} is something else")


def entries(value: Json) -> Iterator[tuple[str, str]]:
    """The entries of a map of texts. Raises `BadBody` for anything else."""
    for key, one in map_of(value).items():
        yield key, text_of(one)
