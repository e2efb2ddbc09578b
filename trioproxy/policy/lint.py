"""The lint of the environment: names that look like ours and do nothing.

A warning each, with a suggestion. Silent about everything else that an environment holds:
where a name is also an ordinary word (`SERVICE`, `LOGS`), its value must look like a
switch. Names with our prefixes are no matter of taste; `permissions` refuses to start with those.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches

from trioproxy.policy.endpoints import OPERATIONS, SECTIONS
from trioproxy.policy.variables import (
    OPERATIONS_VARIABLE,
    PERMISSIONS,
    PREFIXES,
    SETTINGS,
    SWITCHES,
)

_SWITCH_WORDS = frozenset({"", "0", "1", "true", "false", "yes", "no", "on", "off"})
_ANY_WRITE = "POST=1 lets all writes of the open sections pass; ALLOW_OPERATIONS names single ones"

# What people set in the belief that one of these proxies reads it (public issues, 2019-2026).
_KNOWN_MISTAKES = {
    "ARCHIVE": "did you mean ALLOW_ARCHIVE?",
    "ATTACH": "name ContainerAttach in ALLOW_OPERATIONS",
    "BUILDKIT": "did you mean GRPC and SESSION?",
    "CHANGES": "did you mean ALLOW_CHANGES?",
    "CREATE": _ANY_WRITE,
    "DELETE": _ANY_WRITE,
    "DF": "did you mean SYSTEM?",
    "EXPORT": "did you mean ALLOW_EXPORT?",
    "GET": "reading needs only the section variable",
    "HEAD": "reading needs only the section variable",
    "INSPECT": "did you mean CONTAINERS?",
    "KILL": "did you mean ALLOW_RESTARTS?",
    "LEARN": "learning is a command: trioproxy learn",
    "LIST": "did you mean CONTAINERS?",
    "LOGS": "did you mean ALLOW_LOGS?",
    "PATCH": _ANY_WRITE,
    "PAUSE": "did you mean ALLOW_PAUSE?",
    "PORTS": "ports are part of CONTAINERS",
    "PRUNE": _ANY_WRITE,
    "PULL": "did you mean IMAGES and POST?",
    "PUT": _ANY_WRITE,
    "READ": "reading needs only the section variable",
    "REMOVE": _ANY_WRITE,
    "RENAME": "name ContainerRename in ALLOW_OPERATIONS",
    "RESTART": "did you mean ALLOW_RESTARTS?",
    "RESTARTS": "did you mean ALLOW_RESTARTS?",
    "SHADOW": "shadowing is an option: trioproxy enforce --shadow",
    "START": "did you mean ALLOW_START?",
    "STATS": "did you mean CONTAINERS?",
    "STOP": "did you mean ALLOW_STOP?",
    "TOP": "did you mean ALLOW_TOP?",
    "UNPAUSE": "did you mean ALLOW_UNPAUSE?",
    "WAIT": "name ContainerWait in ALLOW_OPERATIONS",
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
_SHORTEST = 4  # shorter names are near to too many words


def lint(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Warn about names that look like ours and are not."""
    found = {name: _advice(name, variables[name]) for name in sorted(variables)}
    return tuple(
        f"{name} has no meaning here: {advice}"
        for name, advice in found.items()
        if advice
    )


def lint_settings(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Warn about settings in a policy file, which cannot set them."""
    return tuple(
        f"{name} has no effect in a policy file: set it in the environment"
        for name in sorted(SETTINGS & variables.keys())
    )


def suggest(name: str) -> str:
    """Say what an unknown name with one of our prefixes may have been meant to be."""
    near = get_close_matches(name, sorted(PERMISSIONS), n=1, cutoff=0.8)
    if near:
        return f"did you mean {near[0]}?"
    operation = f"Container{name.removeprefix('ALLOW_').title()}"
    if operation in OPERATIONS:
        return f"name {operation} in {OPERATIONS_VARIABLE}"
    return "there is no such permission"


def _advice(name: str, value: str) -> str:
    if name in PERMISSIONS or name in SETTINGS or name.startswith(PREFIXES):
        return ""
    if name in _UNMISTAKABLE:
        return _UNMISTAKABLE[name]
    if value.strip().lower() in _SWITCH_WORDS:
        return _advice_on_switch(name)
    near = get_close_matches(name, sorted(SETTINGS), n=1, cutoff=0.88)
    return f"did you mean {near[0]}?" if near else ""


def _advice_on_switch(name: str) -> str:
    if name in _KNOWN_MISTAKES:
        return _KNOWN_MISTAKES[name]
    if name.upper() in PERMISSIONS:
        return f"did you mean {name.upper()}? Names are in capitals"
    if advice := _advice_on_dialect(name):
        return advice
    if len(name) < _SHORTEST:
        return ""
    known = sorted(PERMISSIONS | SETTINGS)
    near = get_close_matches(name, known, n=1, cutoff=0.85)
    return f"did you mean {near[0]}?" if near else ""


def _advice_on_dialect(name: str) -> str:
    found = _DIALECT.fullmatch(name)
    if found is None:
        return ""
    switch, action = found.groups()
    if action is None:
        return f"did you mean {switch}?"
    if _ACTION.fullmatch(action) and switch in SECTIONS:
        return f"did you mean {switch}? {OPERATIONS_VARIABLE} names single operations"
    return ""
