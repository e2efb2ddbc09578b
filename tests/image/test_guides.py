"""Compose files as READMEs and guides print them, with our image's name.

The settings are word for word those that people copy (`tests/data/examples.tsv`); only
the image is another one.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine, NoEngine, ScratchEngine
from tests.image.conftest import CLIENT, IMAGE, await_health
from tests.migration.clients import CLIENTS, LIMITS, WRITERS
from tests.migration.tables import Command, Example, examples, guide_commands
from tests.patience import PATIENCE
from trioproxy.file.incumbents import LINUXSERVER

pytestmark = [pytest.mark.engine, pytest.mark.slow]

EXAMPLES = {one.name: one for one in examples()}
SOCKET = "/var/run/docker.sock"
PROJECT = "--project-name=guide"


def compose(example: Example) -> dict[str, dict[str, dict[str, object]]]:
    """The example's service, its client, and the isolated network between them."""
    socket = example.variables.get("SOCKET_PATH", SOCKET)
    proxy: dict[str, object] = {
        "image": IMAGE,
        "restart": "unless-stopped",
        "networks": ["docker-proxy-network"],
        "volumes": [f"{SOCKET}:{socket}:ro"],
        "environment": example.settings,
        "healthcheck": {"interval": "1s"},
    }
    if example.incumbent is LINUXSERVER:
        proxy |= {"read_only": True, "tmpfs": ["/run"]}
    client: dict[str, object] = {
        "image": CLIENT,
        "networks": ["docker-proxy-network"],
        "environment": ["DOCKER_HOST=tcp://docker-proxy:2375"],
        "depends_on": {"docker-proxy": {"condition": "service_healthy"}},
    }
    return {
        "services": {"docker-proxy": proxy, "client": client},
        "networks": {"docker-proxy-network": {"internal": True}},
    }


def run(engine: Engine, file: Path, script: str) -> str:
    """Run a script in the guide's client, which starts the proxy first."""
    options = ("compose", f"--file={file}", PROJECT)
    client = ("run", "--rm", "client", "sh", "-ec", script)
    return engine.docker(*options, *client).text


@pytest.mark.usefixtures("image", "client")
@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES)
def test_guide_works(scratch: ScratchEngine, tmp_path: Path, example: Example) -> None:
    """With only the image's name changed, the client works and its limits hold."""
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(compose(example)))
    client = CLIENTS[example.name]
    try:
        run(scratch, file, client.allowed)
        with pytest.raises(AssertionError, match=r"trioproxy: .* is not allowed"):
            run(scratch, file, client.refused)
    finally:
        scratch.docker("compose", f"--file={file}", PROJECT, "down", "--timeout=0")


def test_writers() -> None:
    """The examples that open a create by sections are those that get limits below."""
    opened = {
        name
        for name, one in EXAMPLES.items()
        if {"CONTAINERS", "POST"} <= {k for k, v in one.variables.items() if v == "1"}
    }
    assert opened == set(WRITERS)


@pytest.mark.usefixtures("image", "client")
@pytest.mark.parametrize("name", WRITERS)
def test_guide_works_within_limits(
    scratch: ScratchEngine, tmp_path: Path, name: str
) -> None:
    """With limits beside its settings the client still works, and gets no way to the host."""
    definition = compose(EXAMPLES[name])
    limits = [f"{variable}={value}" for variable, value in LIMITS.items()]
    definition["services"]["docker-proxy"]["environment"] = [
        *EXAMPLES[name].settings,
        *limits,
    ]
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(definition))
    try:
        run(scratch, file, CLIENTS[name].allowed)
        for asked, variable in BEYOND.items():
            with pytest.raises(AssertionError, match=f"{variable} does not list"):
                run(scratch, file, f"docker create {asked} true")
    finally:
        scratch.docker("compose", f"--file={file}", PROJECT, "down", "--timeout=0")


BEYOND = {
    "--privileged busybox": "CREATE_PRIVILEGED",
    "--volume /:/host busybox": "CREATE_BINDS",
    "docker:cli": "CREATE_IMAGES",
}
"""What a client creates that wants the host, and what refuses it."""


@pytest.mark.usefixtures("image")
def test_guide_with_privileges_works(scratch: ScratchEngine, tmp_path: Path) -> None:
    """`privileged`, a published port and a name, as guides have them, still work."""
    definition = compose(EXAMPLES["full-definition"])
    proxy = definition["services"]["docker-proxy"]
    proxy |= {"privileged": True, "ports": ["2375:2375"]}
    proxy |= {"container_name": "docker-proxy"}
    file = tmp_path / "compose.json"
    file.write_text(json.dumps(definition))
    options = ("compose", f"--file={file}", PROJECT)
    try:
        scratch.docker(*options, "up", "--detach", "--wait", "docker-proxy")
        state = ("--format", "{{.HostConfig.Privileged}} {{.State.Health.Status}}")
        found = scratch.docker("inspect", *state, "docker-proxy").text
        assert found == "true healthy"
        lines = scratch.docker("logs", "docker-proxy").text.splitlines()
        warnings = [line for line in lines if " warning warning " in line]
        assert len(warnings) == 1, lines
        assert "privileged, or has SYS_ADMIN: it needs neither" in warnings[0]
    finally:
        scratch.docker(*options, "down", "--timeout=0")


@pytest.fixture(scope="module")
def guide(
    scratch: ScratchEngine,
    image: str,
    client: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """The guide's complete service and a container `traefik`, as it isolates them.

    The folder that it was started from.
    """
    assert image
    folder = tmp_path_factory.mktemp("guide")
    busybox = shutil.which("busybox")
    if busybox is None:
        raise NoEngine("no busybox on the PATH: install busybox-static")
    shutil.copy(busybox, folder / "wget")
    (folder / "Dockerfile").write_text(f"FROM {client}\nCOPY wget /usr/local/bin/\n")
    scratch.docker("build", "-q", "-t", "traefik", str(folder))
    definition = compose(EXAMPLES["full-definition"])
    services = definition["services"]
    services["docker-proxy"] |= {
        "privileged": True,
        "container_name": "docker-proxy",
        "ports": ["2375:2375"],
        "logging": {
            "driver": "json-file",
            "options": {"max-size": "10m", "max-file": "3"},
        },
    }
    # The guide gives the first address to Traefik and none to the proxy, which starts first.
    services["docker-proxy"]["networks"] = {
        "docker-proxy-network": {"ipv4_address": "172.25.0.9"}
    }
    traefik = services.pop("client")
    services["traefik"] = traefik | {
        "image": "traefik",
        "container_name": "traefik",
        "command": ["sleep", "infinity"],
        "networks": {"docker-proxy-network": {"ipv4_address": "172.25.0.2"}},
    }
    definition["networks"]["docker-proxy-network"] |= {
        "name": "docker-proxy-network",
        "driver": "bridge",
        "ipam": {"config": [{"subnet": "172.25.0.0/16"}]},
    }
    (folder / "compose.yaml").write_text(json.dumps(definition))
    options = ("compose", f"--project-directory={folder}")
    scratch.docker(*options, "up", "--detach", "--wait")
    # What the log shall show: one request that works, and one that is refused.
    ask = ("exec", "traefik", "docker")
    scratch.docker(*ask, "ps")
    with pytest.raises(AssertionError, match="set SECRETS=1"):
        scratch.docker(*ask, "secret", "ls")
    yield folder
    scratch.docker(*options, "down", "--timeout=0")


@pytest.mark.parametrize("command", guide_commands(), ids=range(len(guide_commands())))
def test_guide_command(scratch: ScratchEngine, guide: Path, command: Command) -> None:
    """Each command of the guide finds what it looks for, as it stands there."""
    await_health(scratch, "docker-proxy", "healthy")
    shell = ["sh", "-c", command.text]
    if command.where == "client":
        shell = ["docker", "exec", "traefik", *shell]
    with subprocess.Popen(
        shell,
        cwd=guide,
        env=scratch.environment(),
        # Not stderr with it: what a pipe does not carry must not pass for found.
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        written = list[str]()
        for line in process.stdout:
            written.append(line)
            if command.shown and command.shown in line:
                process.terminate()  # one that goes on for ever has shown it
                break
        else:
            assert process.wait(PATIENCE) == 0, written
            assert not command.shown, written
