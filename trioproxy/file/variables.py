"""The names of all variables: what each is for, and what it is set to when unset.

Tables only; `rules` reads the permissions, `config` the settings, `lint` all of them.
"""

from collections.abc import Mapping

from trioproxy.api.families import (
    LIMITS,
    MOVING,
    NETWORK_VARIABLE,
    OBJECTS,
    OPERATIONS_VARIABLE,
    OWNER_VARIABLE,
    PROXY_VARIABLE,
    REDACT_VARIABLE,
    Family,
)
from trioproxy.api.routes import LIBPOD_SECTIONS, SECTIONS

COMPAT_VARIABLE = "COMPAT"

ON_BY_DEFAULT = frozenset({"EVENTS", "PING", "VERSION"})
"""The section variables that are 1 when unset; all others, and `POST`, are 0."""

SWITCHES = tuple(sorted({*SECTIONS, "POST"}))
"""The section variables and `POST`: all that the incumbents have in common."""

METHOD_SWITCHES = ("DELETE", "PUT")
"""At 0 they take a method out of what `POST=1` opens; 1, the default, changes nothing.

The incumbents read neither. People set them to 0 and believe in it, so it is true here.
"""

WORDS_OF_VERBS = {
    "PAUSE": ("Pause",),
    "RESTARTS": ("Kill", "Restart", "Stop"),
    "START": ("Start",),
    "STOP": ("Stop",),
    "UNPAUSE": ("Unpause",),
}
"""The incumbents' verbs: how the names of their operations end, and how the segment behind a
name begins that they open, in small letters."""


def _operations(thing: str, *words: str) -> frozenset[str]:
    return frozenset(f"{thing}{word}" for word in words)


READ_VERBS = {
    "ALLOW_ARCHIVE": _operations("Container", "Archive", "ArchiveInfo"),
    **{
        f"ALLOW_{word.upper()}": _operations("Container", word)
        for word in ("Changes", "Export", "Logs", "Top")
    },
}
"""Verbs that name a read, with the operations they name."""

WRITE_VERBS = {
    "ALLOW_ATTACH": _operations("ContainerAttach", "", "Websocket"),
    # All of `docker exec`: a session that is prepared and cannot be started helps nobody.
    "ALLOW_EXEC": _operations("Exec", "Inspect", "Resize", "Start") | {"ContainerExec"},
    "ALLOW_PULL": frozenset({"ImageCreate"}),
    **{
        f"ALLOW_{word.upper()}": _operations("Container", word)
        for word in ("Create", "Delete", "Kill", "Rename", "Update", "Wait")
    },
    **{
        f"ALLOW_{verb}": _operations("Container", *words)
        for verb, words in WORDS_OF_VERBS.items()
    },
}
"""Verbs for what needs `POST=1` otherwise, with the operations they name.

PAUSE, RESTARTS, START, STOP and UNPAUSE are the incumbents'; the others are asked for
there and in no release.
"""

VERBS = {**READ_VERBS, **WRITE_VERBS}

RENAMED = {
    "BUILD_PRIVILEGED": "BUILD_OPTIONS",
    "CREATE_FOLDERS": "CREATE_BINDS",
    "CREATE_LOG_DRIVERS": "CREATE_DRIVERS=log:NAME",
    "CREATE_MOUNTS": "CREATE_BINDS",
    "CREATE_NETWORKS": "CREATE_NAMESPACES for a network of others",
    "CREATE_SECURITY_OPTS": "CREATE_SECURITY",
    "CREATE_VOLUMES": "CREATE_BINDS for folders of the host, ONLY_VOLUMES for volumes of others",
    "CREATE_VOLUME_DRIVERS": "CREATE_DRIVERS=volume:NAME",
    "ONLY_IMAGES": "CREATE_IMAGES and PULL_IMAGES",
}
"""What people write who guess the name of a limit, and what they mean."""

LIBPOD_VERBS = {
    f"LIBPOD_ALLOW_{pod}{verb}": _operations(f"Libpod{thing}", *words)
    for pod, thing in (("", "Container"), ("POD_", "Pod"))
    for verb, words in WORDS_OF_VERBS.items()
}
"""Older names of linuxserver's verbs for these routes, which it still reads."""

VERBS_OF_PODMAN = LIBPOD_VERBS | {
    f"ALLOW_{verb}": _operations("LibpodContainer", *words)
    | _operations("LibpodPod", *words)
    for verb, words in WORDS_OF_VERBS.items()
}
"""All verbs that open routes of Podman's own: five of them have Docker's routes too."""

LIBPOD_VARIABLES = frozenset({*LIBPOD_SECTIONS, *LIBPOD_VERBS})
"""All 25. Unless one of them is 1, all of Podman's own routes are closed."""

LIBPOD_ON_BY_DEFAULT = frozenset({"LIBPOD_PING", "LIBPOD_VERSION"})
"""1 when unset, once another of them is 1."""

LISTS = frozenset({*LIMITS, *OBJECTS, *MOVING.values()}) | {
    NETWORK_VARIABLE,
    OWNER_VARIABLE,
    PROXY_VARIABLE,
    REDACT_VARIABLE,
}
"""All that says how far what is granted goes: lists, and what they are read by."""

PERMISSIONS = frozenset(
    {*SWITCHES, *METHOD_SWITCHES, *VERBS, OPERATIONS_VARIABLE, COMPAT_VARIABLE}
).union(LIBPOD_VARIABLES, LISTS)
"""All that this version reads as a permission."""

PREFIXES = ("ALLOW_", "LIBPOD_")
"""A name that begins so is meant for us: with an unknown one the program refuses to start."""

FAMILY_PREFIXES = (*(f"{family}_" for family in Family), "ONLY_")
"""The same for limits; others' names that begin so stand in `file.names`."""

_SETTINGS = """
    ALLOWED_HOSTS ASK_SECONDS BIND_CONFIG DISABLE_IPV6 DOCKER_HOST ENV_FILE LISTEN LOG_FORMAT
    LOG_LEVEL LOG_TO MAX_BODY MAX_CONNECTIONS MAX_CONNECTIONS_PER_CLIENT METRICS POLICIES
    SOCKET_PATH TZ
"""
SETTINGS = frozenset(_SETTINGS.split())
"""Read from options and the environment, never from a policy file."""


def speaks_of_podman(variables: Mapping[str, str]) -> bool:
    """Whether one of the `LIBPOD_*` is 1: without it none of Podman's routes is open."""
    return any(variables.get(name) == "1" for name in LIBPOD_VARIABLES)


def is_ours(name: str) -> bool:
    """Whether a name is a permission, or looks so much like one that it must be."""
    return name in PERMISSIONS or name.startswith(PREFIXES)
