"""The lint of the environment: names that look like ours and do nothing.

A warning each, with a suggestion. Silent about everything else that an environment holds:
where a name is also an ordinary word (`SERVICE`, `LOGS`), its value must look like a
switch. Names with our prefixes are no matter of taste: `names` stops the start with those.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from trioproxy.api.families import LIMITS, OBJECTS, OPERATIONS_VARIABLE, OWNER_VARIABLE
from trioproxy.api.routes import OPERATIONS, SECTIONS
from trioproxy.file.near import near
from trioproxy.file.variables import (
    PERMISSIONS,
    PREFIXES,
    RENAMED,
    SETTINGS,
    SWITCHES,
    VERBS,
)

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


def lint_settings(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Warn about settings in a policy file, which cannot set them."""
    return tuple(
        f"{name} has no effect in a policy file"
        # Nor there has TZ, and who enforces does not follow DOCKER_HOST.
        + ("" if name in {"DOCKER_HOST", "TZ"} else ": set it in the environment")
        for name in sorted(SETTINGS & variables.keys())
    )


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
    return _nearest(name, prefix, known, cutoff=0.75) or NO_PERMISSION


NO_PERMISSION: Final = "there is no such permission"


def _nearest(name: str, prefix: str, known: Iterable[str], *, cutoff: float) -> str:
    """Ask for a name with the same prefix: what they share proves nothing."""
    ends = [one.removeprefix(prefix) for one in sorted(known) if one.startswith(prefix)]
    found = near(name.removeprefix(prefix), ends, cutoff=cutoff)
    return f"did you mean {prefix}{found}?" if found else ""


def suggest_limit(name: str) -> str:
    """Say which limit a name is near to; empty: it is somebody else's."""
    if name in RENAMED:
        return f"did you mean {RENAMED[name]}?"
    known = LIMITS | OBJECTS.keys() | {OWNER_VARIABLE}
    return _nearest(name, f"{name.partition('_')[0]}_", known, cutoff=0.72)


def _advice(name: str, variables: Mapping[str, str]) -> str:
    if name in PERMISSIONS or name in SETTINGS or name.startswith(PREFIXES):
        return ""
    if name in _UNMISTAKABLE or variables[name].strip().lower() in _SWITCH_WORDS:
        return advice_on_word(name)
    return _nearest(name, "", SETTINGS, cutoff=0.88)


def advice_on_word(name: str) -> str:
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
