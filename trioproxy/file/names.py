"""Names that are not known: which stop the start, which are warned about, which are others'.

A limit whose name was guessed limits nothing. In a policy file there is nothing but what is
ours, so there every unknown name stops the start that is in capitals, or begins as ours do in
any letters. A process environment that is the policy holds what others put there as well: of
the names that begin as ours do, those of a table pass. Where it has the incumbents' variables
alone, it may be one that services share, and a name stops only if it can be meant for us.

Beside that, in either, names that look like ours and do nothing: a warning each, with a
suggestion. Silent about everything else that an environment holds: where a name is also an
ordinary word (`SERVICE`, `LOGS`), its value must look like a switch.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from trioproxy.api.families import OPERATIONS_VARIABLE, REDACT_VARIABLE, Hides
from trioproxy.api.routes import OPERATIONS, SECTIONS
from trioproxy.errors import ConfigError
from trioproxy.file.incumbents import VARIABLES
from trioproxy.file.near import near
from trioproxy.file.variables import (
    COMPAT_VARIABLE,
    FAMILY_PREFIXES,
    METHOD_SWITCHES,
    PERMISSIONS,
    PREFIXES,
    RENAMED,
    SETTINGS,
    SWITCHES,
    VERBS,
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
    {name.rpartition("_")[2] for name in PERMISSIONS}
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
    for name in sorted(variables.keys() - PERMISSIONS):
        value = variables[name]
        if is_file and (name in SETTINGS or _IN_FILES.fullmatch(name)):
            # Elsewhere nor has TZ, and who enforces does not follow DOCKER_HOST.
            is_setting = name in SETTINGS - {"DOCKER_HOST", "TZ"}
            fix = ": set it in the environment" if is_setting else ""
            yield f"{name} has no effect in a policy file{fix}"
        elif _stops_in_file(name) if is_file else _stops(name, value, is_ours=is_ours):
            hint = _hint(name, variables)
            raise ConfigError(f"{_shown(name)} in {source} is not known", hint=hint)
        elif name.startswith(OUR_PREFIXES) and not is_foreign(name, value):
            yield f"{_shown(name)} in {source} is not known, and limits nothing"


def _stops_in_file(name: str) -> bool:
    # `create_mounts` was meant for us as CREATE_MOUNTS was.
    is_ours = (upper := name.upper()) in PERMISSIONS or upper.startswith(OUR_PREFIXES)
    return is_ours or _CAPITALS.fullmatch(name) is not None


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
        return bool(_suggest_limit(name))
    return name.startswith(REDACT_VARIABLE) or suggest(name, {}) != _NO_PERMISSION


def _hint(name: str, variables: Mapping[str, str]) -> str:
    if (upper := name.upper()) in PERMISSIONS:
        return f"did you mean {upper}? Names are in capitals"
    if upper.startswith(PREFIXES):
        return suggest(upper, variables)
    if upper.startswith(FAMILY_PREFIXES):
        return _suggest_limit(upper) or _names_of(upper)
    if upper.startswith(REDACT_VARIABLE):
        return f"did you mean {REDACT_VARIABLE}={Hides.ENV}?"
    return _advice_on_word(name) or (
        "remove it: a policy file holds what is granted and limited, and nothing else"
    )


def _names_of(name: str) -> str:
    prefix = name[: name.index("_") + 1]
    names = (one for one in sorted(PERMISSIONS) if one.startswith(prefix))
    return f"there are {', '.join(names)}"


def _shown(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else repr(name[:_SHOWN])


# --- What was meant -----------------------------------------------------------------

_SWITCH_WORDS = frozenset({"", "0", "1", "true", "false", "yes", "no", "on", "off"})
_ANY_WRITE = "POST=1 lets all writes of the open sections pass; an ALLOW_* verb opens a single one"

# What people set in the belief that one of these proxies reads it (public issues, 2019-2026),
# beside verbs without their ALLOW_.
_KNOWN_MISTAKES = {
    "BUILDKIT": "did you mean GRPC and SESSION?",
    "DF": "did you mean SYSTEM?",
    "LEARN": "learning is a command: trioproxy learn",
    "PORTS": "ports are part of CONTAINERS",
    "SHADOW": "shadowing is an option: trioproxy enforce --shadow",
    "WATCH": "watching is an option: trioproxy enforce --watch",
    **dict.fromkeys(("GET", "HEAD", "READ"), "reading needs only the section variable"),
    **dict.fromkeys(("INSPECT", "LIST", "STATS"), "did you mean CONTAINERS?"),
    **dict.fromkeys(("PATCH", "PRUNE", "WRITE"), _ANY_WRITE),
}

# The same, where the name alone is proof enough, whatever its value.
_UNMISTAKABLE = {
    "ALLOWED_OPERATIONS": "did you mean ALLOW_OPERATIONS?",
    "ALLOWED_PATHS": "paths go into ALLOW_OPERATIONS, as GET:/path/{template}",
    **dict.fromkeys(("DOCKER_SOCK", "DOCKER_SOCKET"), "did you mean SOCKET_PATH?"),
    "HAS_IPV6": "did you mean DISABLE_IPV6?",
}

# Dialects of forks: CONTAINERS_CREATE, IMAGES_READ, API_CONTAINERS.
_DIALECT = re.compile(
    rf"(?:API_)?({'|'.join(SECTIONS)})(?:_(?:ATTACH|(?:DIS)?CONNECT|CREATE|DELETE|EXEC"
    "|INSPECT|LIST|(?:UN)?PAUSE|PRUNE|READ|RENAME|RESIZE|START|STOP|UPDATE|WAIT|WRITE))?"
)
# Verbs by the names that forks and other proxies give them.
_OTHER_WORDS = {
    "ALLOW_POWER": "did you mean ALLOW_START and ALLOW_RESTARTS?",
    **{f"ALLOW_{one}": f"did you mean {one}?" for one in SWITCHES if one != "EXEC"},
    "ALLOW_RESTART": "did you mean ALLOW_RESTARTS?",
    **dict.fromkeys(("ALLOW_REMOVE", "ALLOW_RM"), "did you mean ALLOW_DELETE?"),
}

_SHORTEST = 4  # shorter names are near to too many words


def lint(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Warn about names that look like ours and are not."""
    advised = ((name, _advice(name, variables)) for name in sorted(variables))
    return tuple(f"{name} has no meaning here: {one}" for name, one in advised if one)


def suggest(name: str, variables: Mapping[str, str]) -> str:
    """Say what an unknown name with one of our prefixes may have been meant to be.

    Beside section variables never a list: it alone would grant, and close them.
    """
    if name in _OTHER_WORDS:
        return _OTHER_WORDS[name]
    operation = f"Container{name.removeprefix('ALLOW_').title()}"
    if operation in OPERATIONS:
        section = OPERATIONS[operation][0].section
        return f"no verb names {operation}, which is one of {section}"
    prefix = next((one for one in PREFIXES if name.startswith(one)), "")
    is_switch = variables.get(name) == "1"
    known = PERMISSIONS - {OPERATIONS_VARIABLE} if is_switch else PERMISSIONS
    return _nearest(name, prefix, known, cutoff=0.75) or _NO_PERMISSION


_NO_PERMISSION: Final = "there is no such permission"


def _nearest(name: str, prefix: str, known: Iterable[str], *, cutoff: float) -> str:
    """Ask for a name with the same prefix: what they share proves nothing."""
    ends = [one.removeprefix(prefix) for one in sorted(known) if one.startswith(prefix)]
    found = near(name.removeprefix(prefix), ends, cutoff=cutoff)
    return f"did you mean {prefix}{found}?" if found else ""


def _suggest_limit(name: str) -> str:
    """Say which limit a name is near to; empty: it is somebody else's."""
    if name in RENAMED:
        return f"did you mean {RENAMED[name]}?"
    return _nearest(name, f"{name.partition('_')[0]}_", PERMISSIONS, cutoff=0.72)


def _advice(name: str, variables: Mapping[str, str]) -> str:
    if name in PERMISSIONS or name in SETTINGS or name.startswith(PREFIXES):
        return ""
    if name in _UNMISTAKABLE or variables[name].strip().lower() in _SWITCH_WORDS:
        return _advice_on_word(name)
    return _nearest(name, "", SETTINGS, cutoff=0.88)


def _advice_on_word(name: str) -> str:
    """Say what a name without a prefix of ours may have been meant to be."""
    known = _UNMISTAKABLE.get(name) or _KNOWN_MISTAKES.get(name)
    if mistake := known or _OTHER_WORDS.get(f"ALLOW_{name}"):
        return mistake
    if name.upper() in PERMISSIONS:
        return f"did you mean {name.upper()}? Names are in capitals"
    if (verb := f"ALLOW_{name}") in VERBS:
        return f"did you mean {verb}?"
    if found := _DIALECT.fullmatch(name):
        return f"did you mean {found[1]}?"
    if len(name) < _SHORTEST:
        return ""
    # Two letters of six that changed places.
    return _nearest(name, "", PERMISSIONS | SETTINGS, cutoff=0.8)
