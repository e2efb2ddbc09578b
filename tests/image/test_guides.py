"""Compose files as guides print them for the incumbent's image, with our image's name.

The settings are word for word those that people copy; only the image is another one.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine import Engine, ScratchEngine
from tests.image.conftest import CLIENT, IMAGE

pytestmark = [pytest.mark.engine, pytest.mark.slow]

TRAEFIK = ("CONTAINERS=1", "SERVICES=1", "NETWORKS=1", "INFO=1", "EVENTS=1", "POST=0")
PORTAINER = (
    "CONTAINERS=1", "SERVICES=1", "TASKS=1", "NETWORKS=1", "VOLUMES=1", "IMAGES=1",
    "INFO=1", "EVENTS=1", "POST=1", "PING=1",
)  # fmt: skip
WATCHTOWER = ("CONTAINERS=1", "IMAGES=1", "INFO=1", "POST=1")
READ_ONLY = (
    "CONTAINERS=1", "SERVICES=1", "TASKS=1", "NETWORKS=1", "VOLUMES=1", "IMAGES=1",
    "INFO=1", "EVENTS=1", "POST=0", "BUILD=0", "COMMIT=0", "EXEC=0",
)  # fmt: skip
FULL = (
    "CONTAINERS=1", "SERVICES=1", "NETWORKS=1", "IMAGES=1", "INFO=1", "EVENTS=1",
    "PING=1", "POST=1", "BUILD=0", "COMMIT=0", "EXEC=0", "SECRETS=0", "LOG_LEVEL=info",
)  # fmt: skip
READERS = ("CONTAINERS=1", "IMAGES=1", "INFO=1", "POST=0")
WRITERS = ("CONTAINERS=1", "IMAGES=1", "NETWORKS=1", "VOLUMES=1", "POST=1")

READS = (
    "docker ps && docker inspect $(docker ps -q) >/dev/null && docker info >/dev/null"
)
RECREATES = (
    "docker images && docker create --name again busybox true && docker start again"
    " && docker rename again anew && docker rm --force anew"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What a guide says: the proxy's settings, and what its client does with them."""

    settings: Sequence[str]
    allowed: str
    refused: str

    def compose(self) -> Mapping[str, object]:
        """The guide's service, its client, and the isolated network between them."""
        proxy = {
            "image": IMAGE,
            "restart": "unless-stopped",
            "networks": ["docker-proxy-network"],
            "volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro"],
            "environment": list(self.settings),
            "healthcheck": {"interval": "1s"},
        }
        client = {
            "image": CLIENT,
            "networks": ["docker-proxy-network"],
            "environment": ["DOCKER_HOST=tcp://docker-proxy:2375"],
            "depends_on": {"docker-proxy": {"condition": "service_healthy"}},
        }
        return {
            "services": {"docker-proxy": proxy, "client": client},
            "networks": {"docker-proxy-network": {"internal": True}},
        }


GUIDES = {
    "full-definition": Guide(
        settings=FULL, allowed=f"{READS} && {RECREATES}", refused="docker volume ls"
    ),
    "traefik": Guide(
        settings=TRAEFIK,
        allowed=f"docker version && {READS} && docker events --since 1m --until 0s",
        refused="docker restart $(docker ps -q)",
    ),
    "portainer": Guide(
        settings=PORTAINER,
        allowed=f"{READS} && {RECREATES} && docker volume create vol && docker volume rm vol",
        refused="docker swarm init",
    ),
    "watchtower": Guide(
        settings=WATCHTOWER,
        allowed=f"{READS} && {RECREATES} && docker tag busybox kept && docker rmi kept",
        refused="docker network ls",
    ),
    "read-only": Guide(
        settings=READ_ONLY,
        allowed=f"{READS} && docker images && docker volume ls && docker network ls",
        refused="docker volume create vol",
    ),
    "instance-for-readers": Guide(
        settings=READERS,
        allowed=f"{READS} && docker images",
        refused="docker rm --force $(docker ps -q)",
    ),
    "instance-for-writers": Guide(
        settings=WRITERS,
        allowed=f"docker network create n && docker network rm n && {RECREATES}",
        refused="docker info",
    ),
}


def run(engine: Engine, file: Path, script: str) -> str:
    """Run a script in the guide's client, which starts the proxy first."""
    options = ("compose", f"--file={file}", "--project-name=guide")
    client = ("run", "--rm", "client", "sh", "-ec", script)
    return engine.docker(*options, *client).text


@pytest.mark.usefixtures("image", "client")
@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
def test_guide_works(scratch: ScratchEngine, tmp_path: Path, guide: Guide) -> None:
    """With only the image's name changed, the client works and its limits hold."""
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(guide.compose()))
    try:
        run(scratch, file, guide.allowed)
        with pytest.raises(AssertionError, match=r"trioproxy: .* is not allowed"):
            run(scratch, file, guide.refused)
    finally:
        down = ("--project-name=guide", "down", "--timeout=0")
        scratch.docker("compose", f"--file={file}", *down)


@pytest.mark.usefixtures("image")
def test_guide_with_privileges_works(scratch: ScratchEngine, tmp_path: Path) -> None:
    """`privileged`, a published port and a name, as guides have them, still work."""
    definition = json.loads(json.dumps(GUIDES["full-definition"].compose()))
    proxy = definition["services"]["docker-proxy"]
    proxy |= {"privileged": True, "ports": ["2375:2375"]}
    proxy |= {"container_name": "docker-proxy"}
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(definition))
    options = ("compose", f"--file={file}", "--project-name=guide")
    try:
        scratch.docker(*options, "up", "--detach", "--wait", "docker-proxy")
        state = ("--format", "{{.HostConfig.Privileged}} {{.State.Health.Status}}")
        found = scratch.docker("inspect", *state, "docker-proxy").text
        assert found == "true healthy"
    finally:
        scratch.docker(*options, "down", "--timeout=0")
