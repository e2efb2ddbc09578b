"""Limits for the clients of `learned/` that write, as a person would write them by hand.

They list what the session of each client does and no more: the image it starts, the names
it writes, the ports it publishes, the commands it executes. What is not listed for it is
closed, as every family that its file grants has a variable. `{base}` is the folder in which
the session runs.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tests.learned.pages import operations
from tests.learned.profiles import PROFILES, Profile
from trioproxy.api.families import Family
from trioproxy.api.routes import LIMITED

Limits = Mapping[str, str]

WEB = "127.0.0.1:5000/learned/web:1"
PUSHED = "127.0.0.1:5000/learned/busybox:1"
SESSION = "VSCODE_REMOTE_CONTAINERS_SESSION"
RUNS: Limits = MappingProxyType({"CREATE_IMAGES": "busybox"})
ECHOES: Limits = MappingProxyType({"EXEC_COMMANDS": "echo", "EXEC_USERS": "@default"})

BY_HAND: Mapping[str, Limits] = MappingProxyType(
    {
        "aiodocker": {**RUNS, **ECHOES, "CREATE_TAGS": "tagged:1"},
        "ansible": {
            **RUNS,
            "CREATE_TAGS": "tagged:1",
            "EXEC_COMMANDS": "echo,/bin/sh",
        },
        "devcontainers": {
            **RUNS,
            "CREATE_BINDS": "{base}/*",
            "EXEC_COMMANDS": "/bin/sh,cat",
            "EXEC_OPTIONS": ",".join(
                f"ContainerExec:Env.{name}"
                for name in ("A", "HOME", "HOSTNAME", "PATH", "SHLVL", SESSION)
            ),
        },
        "docker-api-ruby": {
            "CREATE_IMAGES": "busybox,built:1",
            "CREATE_PORTS": "127.0.0.1:random",
            "CREATE_TAGS": "tagged:1,built:1,committed:1",
            "EXEC_COMMANDS": "echo,cat",
            "EXEC_USERS": "@default",
            "BUILD_OPTIONS": "",
        },
        "docker-cli-run": {**RUNS, "EXEC_COMMANDS": "echo,cat"},
        "docker-compose": {**RUNS, **ECHOES, "CREATE_PORTS": "127.0.0.1:8766"},
        "docker-compose-build": {
            "CREATE_IMAGES": WEB,
            "CREATE_TAGS": WEB,
            "PULL_IMAGES": WEB,
        },
        "docker-push-pull": {"CREATE_TAGS": PUSHED, "PULL_IMAGES": PUSHED},
        "docker-py": {
            **RUNS,
            "EXEC_COMMANDS": "echo,cat",
            "CREATE_TAGS": "tagged:1,built:1,committed:1",
            "BUILD_OPTIONS": "",
        },
        "docker-swarm": {
            "CREATE_DRIVERS": "network:overlay",
            "CREATE_OPTIONS": "NetworkCreate:Scope=swarm",
        },
        "dockerode": {
            **RUNS,
            **ECHOES,
            "CREATE_TAGS": "tagged:1,built:1",
            "BUILD_OPTIONS": "",
        },
        "dockerspawner": {**RUNS, **ECHOES},
        "gitlab-ci-local": RUNS,
        "node-docker-api": {**RUNS, **ECHOES, "CREATE_TAGS": "tagged:1"},
        "pytest-docker": {
            "CREATE_IMAGES": "busybox,built:1",
            "CREATE_PORTS": "127.0.0.1:random",
        },
        "python-on-whales": {
            **RUNS,
            **ECHOES,
            "CREATE_PORTS": "127.0.0.1:8766",
            "CREATE_TAGS": "tagged:1",
        },
        "testcontainers-node": {
            **RUNS,
            "CREATE_PORTS": "random",
            "EXEC_COMMANDS": "cat,/bin/sh,/bin/bash",
        },
        "testcontainers-python": {
            **RUNS,
            "CREATE_PORTS": "random",
            "EXEC_COMMANDS": "wget",
        },
        # Images have no limit: what it builds has no name that a list could hold.
        "tox-docker": {
            "CREATE_BINDS": "{base}/shared:ro",
            "CREATE_NAMESPACES": "links",
            "CREATE_PORTS": "random",
            "BUILD_OPTIONS": "",
        },
    }
)


def with_limits() -> list[Profile]:
    """The profiles that have limits."""
    return [one for one in PROFILES if one.name in BY_HAND]


def families(profile: Profile) -> frozenset[Family]:
    """The families of what its file grants, each of which is to be limited."""
    return frozenset(
        LIMITED[name][0] for name in operations(profile) if name in LIMITED
    )
