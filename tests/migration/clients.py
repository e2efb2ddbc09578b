"""What a client does behind each example, and what it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass

READS = (
    "docker ps && docker inspect $(docker ps -q) >/dev/null && docker info >/dev/null"
)
RECREATES = (
    "docker images && docker create --name again busybox true && docker start again"
    " && docker rename again anew && docker rm --force anew"
)
VOLUMES = "docker volume create vol && docker volume rm vol"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Shell commands of a client."""

    allowed: str
    refused: str


LIMITS: Mapping[str, str] = {
    "CREATE_IMAGES": "busybox",
    "CREATE_TAGS": "kept",
    "PULL_IMAGES": "busybox",
}
"""Beside the settings of those clients that write: what they create, and no more."""
WRITERS = (
    "variables",
    "full-definition",
    "portainer",
    "watchtower",
    "instance-for-writers",
    "portainer-cannot-connect",
    "watchtower-updates-nothing",
)
"""The examples that let a client create containers."""

CLIENTS: Mapping[str, Client] = {
    "tecnativa-run": Client(allowed="docker version", refused="docker container ls"),
    "tecnativa-socket": Client(allowed="docker version", refused="docker ps"),
    "linuxserver-compose": Client(allowed="docker version", refused="docker ps"),
    "linuxserver-exporter": Client(allowed="docker version", refused="docker ps"),
    "linuxserver-rootless": Client(
        allowed="docker inspect $(docker ps -q) >/dev/null",
        refused="docker restart $(docker ps -q)",
    ),
    "first": Client(allowed="docker ps", refused="docker images"),
    "variables": Client(
        allowed=f"{READS} && {RECREATES} && {VOLUMES}", refused="docker swarm init"
    ),
    "full-definition": Client(
        allowed=f"{READS} && {RECREATES}", refused="docker volume ls"
    ),
    "traefik": Client(
        allowed=f"docker version && {READS} && docker events --since 1m --until 0s",
        refused="docker restart $(docker ps -q)",
    ),
    "portainer": Client(
        allowed=f"{READS} && {RECREATES} && {VOLUMES}", refused="docker swarm init"
    ),
    "watchtower": Client(
        allowed=f"{READS} && {RECREATES} && docker tag busybox kept && docker rmi kept",
        refused="docker network ls",
    ),
    "read-only": Client(
        allowed=f"{READS} && docker images && docker volume ls && docker network ls",
        refused="docker volume create vol",
    ),
    "instance-for-readers": Client(
        allowed=f"{READS} && docker images", refused="docker rm --force $(docker ps -q)"
    ),
    "instance-for-writers": Client(
        allowed=f"docker network create n && docker network rm n && {RECREATES}",
        refused="docker info",
    ),
    "logging": Client(allowed="docker version", refused="docker ps"),
    "traefik-finds-nothing": Client(
        allowed="docker ps && docker events --since 1m --until 0s",
        refused="docker network ls",
    ),
    "portainer-cannot-connect": Client(
        allowed=f"docker ps && {RECREATES} && {VOLUMES}", refused="docker info"
    ),
    "watchtower-updates-nothing": Client(allowed=RECREATES, refused="docker info"),
    "converted": Client(
        allowed="docker ps && docker network ls", refused="docker images"
    ),
}
"""By the name of the example."""
