"""The names of the variables that limit what requests ask for, and what they limit.

Names alone, for whoever reads an env file or says what it leaves open. What the variables
mean is in `api.fields`, which is many times as large: a process that limits nothing
never loads it. A test holds the two to each other.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


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


OBJECTS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "ONLY_CONTAINERS": Kind.CONTAINER,
        "ONLY_NETWORKS": Kind.NETWORK,
        "ONLY_VOLUMES": Kind.VOLUME,
    }
)
"""The variables that say which containers, networks and volumes requests may name."""

OWNER_VARIABLE: Final = "ONLY_OWNER"
"""The value of the label by which what was made through a policy is known as its own."""


FAMILIES: Final[Mapping[Family, tuple[str, ...]]] = MappingProxyType(
    {
        Family.CREATE: (
            "CREATE_BINDS",
            "CREATE_CAPS",
            "CREATE_DEVICES",
            "CREATE_DRIVERS",
            "CREATE_IMAGES",
            "CREATE_NAMESPACES",
            "CREATE_OPTIONS",
            "CREATE_PORTS",
            "CREATE_PRIVILEGED",
            "CREATE_RUNTIMES",
            "CREATE_SECURITY",
            "CREATE_TAGS",
        ),
        Family.EXEC: (
            "EXEC_COMMANDS",
            "EXEC_OPTIONS",
            "EXEC_PRIVILEGED",
            "EXEC_USERS",
        ),
        Family.PULL: ("PULL_IMAGES", "PULL_OPTIONS"),
        Family.BUILD: ("BUILD_OPTIONS",),
    }
)
"""The variables that limit, by family."""

LIMITS: Final = frozenset(name for names in FAMILIES.values() for name in names)
"""The names of all variables that limit."""

ONLY_WHEN_SET: Final = frozenset({"CREATE_IMAGES", "EXEC_COMMANDS", "EXEC_USERS"})
"""Not limited by the others of their family: any image, user and command is harmless."""

CONDITIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"ContainerExec:Env.": "EXEC_COMMANDS"}
)
"""How values begin that are limited only where another variable lists something."""

BASE_VARIABLE: Final = "CREATE_BASE"
"""The folder that `{base}` stands for in `CREATE_BINDS`; it limits nothing."""

BASE: Final = "{base}"
"""How such a path begins."""

PROXY_VARIABLE: Final = "PROXY_SOCKET"
"""The path, on the Engine's host, of a Unix listener of this proxy: what `@proxy` binds."""

PROXY: Final = "@proxy"
"""The item of `CREATE_BINDS` that gives this proxy in place of the Engine's socket."""

LIMITED: Final[Mapping[str, tuple[Family, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "ContainerCreate",
                "ContainerUpdate",
                "ImageCommit",
                "ImagePush",
                "ImageTag",
                "NetworkConnect",
                "NetworkCreate",
                "NetworkDisconnect",
                "VolumeCreate",
            ),
            (Family.CREATE,),
        ),
        **dict.fromkeys(("ContainerExec", "ExecStart"), (Family.EXEC,)),
        "ImageBuild": (Family.BUILD, Family.CREATE),
        "ImageCreate": (Family.PULL, Family.CREATE),
    }
)
"""The operations that are limited, each with its own family first; those behind it limit
the tags that it writes."""
