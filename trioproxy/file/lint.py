"""The lint of the environment: names that look like ours and do nothing.

A warning each, with a suggestion. Silent about everything else that an environment holds:
where a name is also an ordinary word (`SERVICE`, `LOGS`), its value must look like a
switch. Names with our prefixes are no matter of taste: `names` stops the start with those.
"""

import re
from collections.abc import Mapping

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
    "GET": "reading needs only the section variable",
    "HEAD": "reading needs only the section variable",
    "INSPECT": "did you mean CONTAINERS?",
    "LEARN": "learning is a command: trioproxy learn",
    "LIST": "did you mean CONTAINERS?",
    "PATCH": _ANY_WRITE,
    "PORTS": "ports are part of CONTAINERS",
    "PRUNE": _ANY_WRITE,
    "READ": "reading needs only the section variable",
    "REMOVE": "did you mean ALLOW_DELETE?",
    "RESTART": "did you mean ALLOW_RESTARTS?",
    "SHADOW": "shadowing is an option: trioproxy enforce --shadow",
    "STATS": "did you mean CONTAINERS?",
    "WRITE": _ANY_WRITE,
}

# The same, where the name alone is proof enough, whatever its value.
_UNMISTAKABLE = {
    "ALLOWED_OPERATIONS": "did you mean ALLOW_OPERATIONS?",
    "ALLOWED_PATHS": "paths go into ALLOW_OPERATIONS, as GET:/path/{template}",
    "DOCKER_SOCK": "did you mean SOCKET_PATH?",
    "DOCKER_SOCKET": "did you mean SOCKET_PATH?",
    "HAS_IPV6": "did you mean DISABLE_IPV6?",
}

# Dialects of forks: CONTAINERS_CREATE, IMAGES_READ, API_CONTAINERS.
_DIALECT = re.compile(rf"(?:API_)?({'|'.join(SWITCHES)})(?:_([A-Z]+))?")
_ACTION = re.compile(
    "ATTACH|CONNECT|CREATE|DELETE|DISCONNECT|EXEC|INSPECT|LIST|PAUSE|PRUNE|READ|RENAME"
    "|RESIZE|START|STOP|UNPAUSE|UPDATE|WAIT|WRITE"
)
# Verbs by the names that forks and other proxies give them.
_OTHER_WORDS = {
    "ALLOW_POWER": "did you mean ALLOW_START and ALLOW_RESTARTS?",
    "ALLOW_RESTART": "did you mean ALLOW_RESTARTS?",
    "ALLOW_REMOVE": "did you mean ALLOW_DELETE?",
    "ALLOW_RM": "did you mean ALLOW_DELETE?",
}

_SHORTEST = 4  # shorter names are near to too many words


def lint(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Warn about names that look like ours and are not."""
    closes = opens_sections(variables)
    advised = (
        (name, _advice(name, value, list_closes=closes))
        for name, value in sorted(variables.items())
    )
    return tuple(f"{name} has no meaning here: {one}" for name, one in advised if one)


def lint_settings(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Warn about settings in a policy file, which cannot set them."""
    return tuple(
        f"{name} has no effect in a policy file"
        + ("" if name == "TZ" else ": set it in the environment")  # nor there has TZ
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
        return _advice_on_operation(operation, variables)
    if nearest := _nearest(name, is_switch=variables.get(name) == "1"):
        return f"did you mean {nearest}?"
    return "there is no such permission"


def _advice_on_operation(operation: str, variables: Mapping[str, str]) -> str:
    if not opens_sections(variables):
        return f"name {operation} in {OPERATIONS_VARIABLE}"
    endpoint = OPERATIONS[operation][0]
    section = f"{endpoint.section}=1"
    if endpoint.method in {"GET", "HEAD"}:
        return f"{section} opens {operation}"
    return f"{section} and POST=1 open {operation}"


def _nearest(name: str, *, is_switch: bool) -> str:
    """A permission with the same prefix: what they share proves nothing."""
    prefix = next((one for one in PREFIXES if name.startswith(one)), "")
    words = [
        permission.removeprefix(prefix)
        for permission in sorted(PERMISSIONS)
        if permission.startswith(prefix)
        and not (is_switch and permission == OPERATIONS_VARIABLE)
    ]
    found = near(name.removeprefix(prefix), words, cutoff=0.75)
    return f"{prefix}{found[0]}" if found else ""


def opens_sections(variables: Mapping[str, str]) -> bool:
    """Whether section variables or verbs are in use, which a list would close."""
    return OPERATIONS_VARIABLE not in variables and any(
        variables.get(name) == "1" for name in (*SWITCHES, *VERBS)
    )


def advice_on_word(name: str, variables: Mapping[str, str]) -> str:
    """Say what a name without a prefix of ours may have been meant to be."""
    return _advice_on_word(name, list_closes=opens_sections(variables))


def suggest_limit(name: str) -> str:
    """Say which limit a name is near to; empty: it is somebody else's."""
    if name in RENAMED:
        return f"did you mean {RENAMED[name]}?"
    family, _, rest = name.partition("_")
    ends = {
        one.partition("_")[2]: one
        for one in LIMITS | OBJECTS.keys() | {OWNER_VARIABLE}
        if one.startswith(f"{family}_")
    }
    found = near(rest, ends, cutoff=0.72)
    return f"did you mean {ends[found[0]]}?" if found else ""


def _advice(name: str, value: str, *, list_closes: bool) -> str:
    if name in PERMISSIONS or name in SETTINGS or name.startswith(PREFIXES):
        return ""
    if name in _UNMISTAKABLE or value.strip().lower() in _SWITCH_WORDS:
        return _advice_on_word(name, list_closes=list_closes)
    found = near(name, sorted(SETTINGS), cutoff=0.88)
    return f"did you mean {found[0]}?" if found else ""


def _advice_on_word(name: str, *, list_closes: bool) -> str:
    if mistake := _UNMISTAKABLE.get(name) or _KNOWN_MISTAKES.get(name):
        return mistake
    if name.upper() in PERMISSIONS:
        return f"did you mean {name.upper()}? Names are in capitals"
    if (verb := f"ALLOW_{name}") in VERBS:
        return f"did you mean {verb}?"
    if advice := _advice_on_dialect(name, list_closes=list_closes):
        return advice
    if len(name) < _SHORTEST:
        return ""
    known = sorted(PERMISSIONS | SETTINGS)
    found = near(name, known, cutoff=0.8)  # two letters of six that changed places
    return f"did you mean {found[0]}?" if found else ""


def _advice_on_dialect(name: str, *, list_closes: bool) -> str:
    found = _DIALECT.fullmatch(name)
    if found is None:
        return ""
    switch, action = found.groups()
    if action is None:
        return f"did you mean {switch}?"
    if not _ACTION.fullmatch(action) or switch not in SECTIONS:
        return ""
    if switch == "CONTAINERS" and (verb := f"ALLOW_{action}") in VERBS:
        return f"did you mean {verb}?"
    exact = f" {OPERATIONS_VARIABLE} names single operations"
    return f"did you mean {switch}?{'' if list_closes else exact}"
