"""The variables that limit what requests ask for: one row each, and what they limit.

The rows alone, for whoever reads an env file or says what it leaves open. What their values
are is in `limits.sorts`, and what asks for them in `api.fields`, which are many times as
large.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Family(StrEnum):
    """Variables that limit together: as soon as one is set, all of them do."""

    CREATE = "CREATE"
    EXEC = "EXEC"
    PULL = "PULL"
    BUILD = "BUILD"

    @property
    def options(self) -> str:
        """The variable for all that has none of its own."""
        return f"{self}_OPTIONS"


class Kind(StrEnum):
    """What the Engine keeps and requests name, and the Engine."""

    CONTAINER = "container"
    ENGINE = "engine"
    """The Engine itself: what it gives to a container that asks for nothing."""
    EXEC = "exec"
    IMAGE = "image"
    NETWORK = "network"
    VOLUME = "volume"


OBJECTS: Final[Mapping[str, Kind]] = {
    "ONLY_CONTAINERS": Kind.CONTAINER,
    "ONLY_NETWORKS": Kind.NETWORK,
    "ONLY_VOLUMES": Kind.VOLUME,
}
"""The variables that say which containers, networks and volumes requests may name."""

OPERATIONS_VARIABLE: Final = "ALLOW_OPERATIONS"
"""The list of operations and routes: where it is set, it alone grants."""

OWNER_VARIABLE: Final = "ONLY_OWNER"
"""The value of the label by which what was made through a policy is known as its own."""


# A variable a row: when it limits (`family`: as soon as any of its family is set; `alone`:
# once it is set itself, for any value is harmless), what sort of values it lists, and what
# it limits, for people. All that is known of a sort is one value in `limits.sorts`, which
# does not import where a row names a sort that it does not have.
_VARIABLES: Final = """\
CREATE_BINDS       family bind       folders and files of the host
CREATE_CAPS        family capability capabilities of the kernel
CREATE_DEVICES     family device     devices of the host
CREATE_DRIVERS     family driver     drivers of logs, volumes, networks and addresses
CREATE_IMAGES      alone  image      images of containers
CREATE_NAMESPACES  family namespace  what is the host's or another container's
CREATE_OPTIONS     family option     what has no variable of its own
CREATE_PORTS       family port       ports of the host
CREATE_PRIVILEGED  family privilege  all devices and capabilities
CREATE_RUNTIMES    family runtime    programs that run containers
CREATE_SECURITY    family security   protections that are changed or taken off
CREATE_TAGS        family tag        names of images that are written or pushed
EXEC_COMMANDS      alone  command    commands, by their first word
EXEC_OPTIONS       family option     what has no variable of its own
EXEC_PRIVILEGED    family privilege  all capabilities
EXEC_USERS         alone  user       users that commands run as
PULL_IMAGES        family pull       images that are pulled or imported
PULL_OPTIONS       family option     what has no variable of its own
BUILD_OPTIONS      family option     options of builds
"""


class Variable(NamedTuple):
    """A variable that limits what requests ask for."""

    name: str
    family: Family
    only_when_set: bool
    """Whether the others of its family leave it open."""
    sort: str
    """What it lists, by its name in `limits.sorts`."""
    line: str
    """What it limits, for people."""


def _parse(row: str) -> Variable:
    name, when, sort, line = row.split(maxsplit=3)
    if when not in {"alone", "family"}:
        raise AssertionError(f"{name}: say when it limits")
    family = Family(name.partition("_")[0])
    return Variable(name, family, when == "alone", sort, line)


VARIABLES: Final[Mapping[str, Variable]] = {
    one.name: one for one in map(_parse, _VARIABLES.splitlines())
}
"""All variables that limit, by name."""

LIMITS: Final = frozenset(VARIABLES)
"""Their names."""

FAMILIES: Final[Mapping[Family, tuple[str, ...]]] = {
    family: tuple(one.name for one in VARIABLES.values() if one.family is family)
    for family in Family
}
"""Their names, by family."""

CONDITIONS: Final[Mapping[tuple[str, str], str]] = {
    ("EXEC_OPTIONS", "ContainerExec:Env."): "EXEC_COMMANDS"
}
"""How values of a variable begin that are limited only where another one lists something."""

BASE, TMP, PROJECT = "{base}", "{tmp}", "{project}"

MOVING: Final[Mapping[str, str]] = {
    BASE: "CREATE_BASE",
    TMP: "CREATE_TMP",
    PROJECT: "CREATE_PROJECT",
}
"""What stands in an item for a place that is another one elsewhere, and the variable that says
which: the folder that paths of `CREATE_BINDS` begin with, that of temporary files, and the
Compose project in names of images and in paths. They limit nothing."""


class Places(NamedTuple):
    """Where a client runs: what `MOVING` stands for, as lists write it; empty: not said."""

    base: str = ""
    tmp: str = ""
    project: str = ""

    def meant(self, item: str) -> str:
        """What an item means, with all that is known put in."""
        for hole, value in zip(MOVING, self, strict=True):
            if value:
                item = item.replace(hole, value)
        return item

    def used_in(self, items: Iterable[str]) -> dict[str, str]:
        """The variables that these items need, with what they are set to."""
        used = {hole for item in items for hole in MOVING if hole in item}
        values = zip(MOVING.items(), self, strict=True)
        return {name: value for (hole, name), value in values if hole in used}

    @classmethod
    def of(cls, variables: Mapping[str, str], more: "Places | None" = None) -> "Places":
        """What variables say; where they say nothing, what `more` does."""
        values = zip(MOVING.values(), more or cls(), strict=True)
        return cls(*(variables.get(name) or other for name, other in values))


NOWHERE: Final = Places()
ANYWHERE: Final = Places("/any", "/any", "any")
"""For items that are looked at for what they are, wherever that is."""

PROXY_VARIABLE: Final = "PROXY_SOCKET"
"""The path, on the Engine's host, of a Unix listener of this proxy: what `@proxy` binds."""

PROXY: Final = "@proxy"
"""The item of `CREATE_BINDS` that gives this proxy in place of the Engine's socket."""

BUILT: Final = "@built"
"""The item of `CREATE_IMAGES` for images without a name that the client made itself: known by
the ids in the answers of builds and commits through its policy, and by nothing in an image."""

NETWORK_VARIABLE: Final = "CREATE_NETWORK"
"""The network that a creation joins which names none, or the bridge that each Engine has."""

REDACT_VARIABLE: Final = "REDACT"
"""The variable that says what answers do not tell."""


class Hides(StrEnum):
    """What is hidden in answers: the words of `REDACT`. Where it stands is in `api.redaction`."""

    ENV = "env"
    """Environments, and what is made of them."""
    COMMANDS = "commands"
    LABELS = "labels"

    @property
    def shown(self) -> str:
        """What is hidden, for people."""
        return "environments" if self is Hides.ENV else self.value


NONE: Final = "none"
"""The value of `REDACT` that says that nothing is hidden any more, and that this is meant."""
