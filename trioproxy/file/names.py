"""Names that are not known: which stop the start, which are warned about, which are others'.

A limit whose name was guessed limits nothing. In a policy file there is nothing but what is
ours, so there every unknown name in capitals stops the start. A process environment that is
the policy holds what others put there as well: of the names that begin as ours do, those of
a table pass. Where it has the incumbents' variables alone, it may be one that services share,
and a name stops only if it can be meant for us.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api.families import REDACT_VARIABLE, Hides
from trioproxy.errors import ConfigError
from trioproxy.file.incumbents import VARIABLES
from trioproxy.file.lint import NO_PERMISSION, advice_on_word, suggest, suggest_limit
from trioproxy.file.variables import (
    COMPAT_VARIABLE,
    FAMILY_PREFIXES,
    METHOD_SWITCHES,
    PERMISSIONS,
    PREFIXES,
    SETTINGS,
)

_SHOWN: Final = 64
_CAPITALS: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
OUR_PREFIXES: Final = (*PREFIXES, *FAMILY_PREFIXES, REDACT_VARIABLE)
"""A name that begins so is meant for us, unless it is somebody else's."""

_OWN: Final = PERMISSIONS - {*VARIABLES, *METHOD_SWITCHES, COMPAT_VARIABLE}
"""What neither incumbent has: who sets one of these writes a policy for this proxy."""

_IN_FILES: Final = re.compile(
    r"TZ|PUID|PGID|UMASK|(?:COMPOSE|DOCKER|TRIOPROXY)_[A-Z0-9_]*"
)
"""What Compose files and images of linuxserver have in every env file."""

_FOREIGN: Final = re.compile(
    # Jenkins and its plugins, TeamCity
    r"BUILD_(?:NUMBER|ID|URL|TAG|DISPLAY_NAME|TIMESTAMP|CAUSES?(?:_.*)?|USER(?:_.*)?"
    r"|VCS_NUMBER(?:_.*)?|IS_PERSONAL)"
    # Azure Pipelines
    r"|BUILD_(?:BUILDID|BUILDNUMBER|BUILDURI|SOURCE.*|REPOSITORY_.*|REASON|REQUESTEDFOR.*"
    r"|QUEUEDBY.*|DEFINITION.*|ARTIFACTSTAGINGDIRECTORY|BINARIESDIRECTORY"
    r"|STAGINGDIRECTORY|CONTAINERID|CRONSCHEDULE_.*|TRIGGEREDBY_.*)"
    # Prow, Netlify
    r"|PULL_(?:REFS|NUMBER|BASE_REF|BASE_SHA|PULL_SHA|HEAD_REF|TITLE|REQUEST(?:_.*)?)"
    # what images say of how they were built
    r"|BUILD_(?:DATE|VERSION|REF|REV|REVISION|ARCH|FROM|TYPE|ENV|COMMIT|SHA|BRANCH|TIME"
    r"|HASH|INFO|NAME|MODE|DIR)"
    # images of Bitnami
    r"|ALLOW_(?:EMPTY_PASSWORD|ANONYMOUS_LOGIN|PLAINTEXT_LISTENER)"
    # a service of Kubernetes, whatever its name
    r"|.*_SERVICE_(?:HOST|PORT(?:_.*)?)"
    r"|.*_PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?"
)
"""Names of others that begin as ours do."""

_LINK: Final = re.compile(r"(?:tcp|udp|sctp)://.*", re.DOTALL)
"""What Kubernetes and Docker's links set `NAME_PORT` to."""

_WORDS: Final = frozenset(
    {word for name in PERMISSIONS for word in name.split("_")[-1:]}
    | {
        "APPARMOR", "CAPABILITIES", "CAPS", "ENTRYPOINTS", "ENVS", "FOLDERS", "GPUS",
        "IPC", "LABELS", "MOUNTS", "PATHS", "PID", "REGISTRIES", "REPOSITORIES", "REPOS",
        "ROOT", "SECCOMP", "SOCKETS", "SYSCTLS", "TMPFS", "ULIMITS", "USERNS",
    }
)  # fmt: skip
"""Words of our names, and those of what they limit. One without its S is the same."""


def check_names(
    variables: Mapping[str, str], source: str, *, is_file: bool
) -> Iterator[str]:
    """Warn about names that are not known. Raises `ConfigError` for what may be meant."""
    is_ours = not _OWN.isdisjoint(variables)
    for name in sorted(variables.keys() - PERMISSIONS - SETTINGS):
        value = variables[name]
        if _stops_in_file(name) if is_file else _stops(name, value, is_ours=is_ours):
            hint = _advice(name, variables)
            raise ConfigError(f"{_shown(name)} in {source} is not known", hint=hint)
        if is_file and _IN_FILES.fullmatch(name):
            yield f"{name} has no effect in a policy file"
        elif name.startswith(OUR_PREFIXES) and not is_foreign(name, value):
            yield f"{_shown(name)} in {source} is not known, and limits nothing"


def _stops_in_file(name: str) -> bool:
    is_meant = _CAPITALS.fullmatch(name) or name.startswith(OUR_PREFIXES)
    is_others = not is_meant or _IN_FILES.fullmatch(name)
    return name.upper() in PERMISSIONS or not is_others


def _stops(name: str, value: str, *, is_ours: bool) -> bool:
    """Whether a name stops in an environment; `is_ours`: which has something of ours, and
    not the incumbents' variables at most."""
    if name.upper() in PERMISSIONS:  # and it is none of them itself
        # In an environment `version` and `post` are words of others.
        return name.upper().startswith(OUR_PREFIXES)
    if not name.startswith(OUR_PREFIXES) or is_foreign(name, value):
        return False
    return is_ours or _may_be_meant(name)


def is_foreign(name: str, value: str) -> bool:
    """Whether a name that begins as ours do is known to be somebody else's."""
    if _FOREIGN.fullmatch(name):
        return True
    return name.endswith("_PORT") and _LINK.fullmatch(value) is not None


def _may_be_meant(name: str) -> bool:
    """Whether it is near to a name of ours, or has a word of ours behind its family."""
    words = name.split("_")[1:]
    if any({word, f"{word}S", word.removesuffix("S")} & _WORDS for word in words):
        return True
    if name.startswith(FAMILY_PREFIXES):
        return bool(suggest_limit(name))
    return name.startswith(REDACT_VARIABLE) or suggest(name, {}) != NO_PERMISSION


def _advice(name: str, variables: Mapping[str, str]) -> str:
    if (upper := name.upper()) in PERMISSIONS:
        return f"did you mean {upper}? Names are in capitals"
    if name.startswith(PREFIXES):
        return suggest(name, variables)
    if name.startswith(FAMILY_PREFIXES):
        return suggest_limit(name) or _names_of(name)
    if name.startswith(REDACT_VARIABLE):
        return f"did you mean {REDACT_VARIABLE}={Hides.ENV}?"
    return advice_on_word(name) or (
        "remove it: a policy file holds what is granted and limited, and nothing else"
    )


def _names_of(name: str) -> str:
    prefix = name[: name.index("_") + 1]
    names = (one for one in sorted(PERMISSIONS) if one.startswith(prefix))
    return f"there are {', '.join(names)}"


def _shown(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else repr(name[:_SHOWN])
