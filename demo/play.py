"""Who plays in the demonstration: this machine's Engine and client, or stand-ins."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_ENGINE: Final = "unix:///var/run/docker.sock"
CREATE: Final = "docker create --pull never -v {}:/work busybox"
ECHO: Final = "echo hi | docker run --rm --pull never -i busybox cat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Who plays in the demonstration, and what they do."""

    engine: str
    """The Engine's URL."""
    introduction: str
    learned: str
    """The run of a client that is learned."""
    passes: str
    refused: str
    job: str = ""
    """A run that binds a folder, another one each time; empty: there is no image for it."""
    is_standin: bool = False


def real_play() -> Play | None:
    """The play with this machine's Engine and docker command, if both are there."""
    url = engine_url()
    if not url or not shutil.which("docker"):
        return None
    version = docker(url, "version", "--format", "{{.Server.Version}}")
    if version is None:
        return None
    has_image = docker(url, "image", "inspect", "busybox") is not None
    return Play(
        engine=url,
        introduction=f"Docker {version} at {url}, with its own command.",
        learned=f"sh -c 'docker ps && {ECHO}'" if has_image else "docker ps",
        passes="docker ps",
        refused="docker images",
        job=f"sh -c 'docker rm $({CREATE})'" if has_image else "",
    )


def standin_play(folder: Path) -> Play:
    """The play for a machine without Docker."""
    return Play(
        engine=f"unix://{folder}/engine.sock",
        introduction="There is none to be reached on this machine with a docker "
        "command, so a small stand-in plays it. It knows one container, `web`; "
        "a bundled `client` plays the docker command.",
        learned="sh -c 'client ps logs && echo hi | client exec'",
        passes="client ps",
        refused="client images",
        job="client create {}",
        is_standin=True,
    )


def engine_url() -> str:
    """Where this machine's Engine would be; empty if we could not talk to it."""
    url = os.environ.get("DOCKER_HOST") or DEFAULT_ENGINE
    is_plain = url.startswith(("unix://", "tcp://"))
    return url if is_plain and not os.environ.get("DOCKER_TLS_VERIFY") else ""


def docker(url: str, *arguments: str) -> str | None:
    """Run the docker command; None where it fails or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603  no shell, and the words are ours
            ["docker", "--host", url, *arguments],  # noqa: S607  whichever people use
            capture_output=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode().strip()
