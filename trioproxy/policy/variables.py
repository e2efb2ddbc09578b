"""The names of all variables: what each is for, and what it is set to when unset.

Tables only; `rules` reads the permissions, `config` the settings, `lint` all of them.
"""

from trioproxy.policy.endpoints import SECTIONS

OPERATIONS_VARIABLE = "ALLOW_OPERATIONS"
COMPAT_VARIABLE = "COMPAT"

ON_BY_DEFAULT = frozenset({"EVENTS", "PING", "VERSION"})
"""The section variables that are 1 when unset; all others, and `POST`, are 0."""

SWITCHES = tuple(sorted({*SECTIONS, "POST"}))
"""The section variables and `POST`: all that the incumbents have in common."""

READ_VERBS = {
    "ALLOW_ARCHIVE": frozenset({"ContainerArchive", "ContainerArchiveInfo"}),
    "ALLOW_CHANGES": frozenset({"ContainerChanges"}),
    "ALLOW_EXPORT": frozenset({"ContainerExport"}),
    "ALLOW_LOGS": frozenset({"ContainerLogs"}),
    "ALLOW_TOP": frozenset({"ContainerTop"}),
}
"""Verbs that name a read, with the operations they name."""

WRITE_VERBS = {
    "ALLOW_PAUSE": frozenset({"ContainerPause"}),
    "ALLOW_RESTARTS": frozenset({"ContainerKill", "ContainerRestart", "ContainerStop"}),
    "ALLOW_START": frozenset({"ContainerStart"}),
    "ALLOW_STOP": frozenset({"ContainerStop"}),
    "ALLOW_UNPAUSE": frozenset({"ContainerUnpause"}),
}
"""Verbs that name a write, with the operations they name."""

VERBS = {**READ_VERBS, **WRITE_VERBS}

GUARDS = frozenset(
    {
        "CREATE_BINDS",
        "CREATE_CAPS",
        "CREATE_DEVICES",
        "CREATE_IMAGES",
        "CREATE_LOG_DRIVERS",
        "CREATE_NAMESPACES",
        "CREATE_NETWORKS",
        "CREATE_PORTS",
        "CREATE_PRIVILEGED",
        "CREATE_RUNTIMES",
        "CREATE_SECURITY_OPTS",
        "CREATE_VOLUME_DRIVERS",
        "EXEC_COMMANDS",
        "EXEC_PRIVILEGED",
        "EXEC_USERS",
        "PULL_IMAGES",
    }
)
"""What will restrict the bodies of requests. Not supported yet, so none may be set."""

PERMISSIONS = frozenset({*SWITCHES, *VERBS, OPERATIONS_VARIABLE, COMPAT_VARIABLE})
"""All that this version reads as a permission."""

PREFIXES = ("ALLOW_", "CREATE_", "EXEC_", "PULL_", "LIBPOD_")
"""A name that begins so is meant for us: with an unknown one the program refuses to start."""

SETTINGS = frozenset(
    {
        "ALLOWED_HOSTS",
        "BIND_CONFIG",
        "DISABLE_IPV6",
        "DOCKER_HOST",
        "ENV_FILE",
        "LISTEN",
        "LOG_LEVEL",
        "MAX_CONNECTIONS",
        "MAX_CONNECTIONS_PER_CLIENT",
        "SOCKET_PATH",
    }
)
"""Read from options and the environment, never from a policy file."""


def section_prefix(section: str) -> str:
    """Where the paths of a section begin."""
    return "/_ping" if section == "PING" else f"/{section.lower()}"


def is_ours(name: str) -> bool:
    """Whether a name is a permission, or looks so much like one that it must be."""
    return name in PERMISSIONS or name.startswith(PREFIXES)
