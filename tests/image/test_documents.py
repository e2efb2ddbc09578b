"""The documents' commands for our image and its containers, run as they stand there."""

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.engine import Ran, ScratchEngine
from tests.image.conftest import CLIENT, IMAGE, await_health, inspect
from tests.markdown import ROOT, Document
from tests.shell import (
    Command,
    Runner,
    Shell,
    check_transcript,
    parameters,
    transcripts,
)

pytestmark = [pytest.mark.engine, pytest.mark.slow]

COMMANDS = parameters(Runner.IMAGE)
STARTING = [one for one in COMMANDS if one.values[0].text.startswith("docker run ")]
LOOKING = [one for one in COMMANDS if one not in STARTING]
POLICY = "ALLOW_OPERATIONS=ContainerList,SystemPingHead\n"
"""What the README's client learned."""


@pytest.fixture(scope="module")
def shell(
    scratch: ScratchEngine,
    image: str,
    client: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shell]:
    """A folder with learned files, and the networks that the documents name."""
    assert image
    assert client
    folder = tmp_path_factory.mktemp("documents")
    shutil.copytree(ROOT / "learned", folder / "learned")
    (folder / "learned" / "app.env").write_text(POLICY)
    texts = "".join(one.values[0].text for one in STARTING)
    networks = set(re.findall(r"--network (\S+)", texts))
    for name in networks:
        scratch.docker("network", "create", "--internal", name)
    yield Shell(folder=folder, engine=scratch)
    started = scratch.docker("ps", "-aq", f"--filter=ancestor={IMAGE}").text
    scratch.docker("rm", "--force", *started.split())
    scratch.docker("network", "rm", *networks)


@pytest.fixture(scope="module")
def started(shell: Shell) -> dict[str, str]:
    """What all the `docker run` have started, by the command; each has become healthy."""
    texts = [one.values[0].text for one in STARTING]
    written = shell.run(texts)
    for one in written:
        assert one.status == 0, one
    ids = [one.lines[-1] for one in written]
    for proxy in ids:
        await_health(shell.engine, proxy, "healthy")
    return dict(zip(texts, ids, strict=True))


def ask(shell: Shell, proxy: str, *command: str) -> Ran:
    """Run the docker command in a container beside the proxy, by way of it."""
    networks = inspect(shell.engine, proxy)["NetworkSettings"]["Networks"]
    ((network, found),) = networks.items()
    host = f"DOCKER_HOST=tcp://{found['IPAddress']}:2375"
    run = ("run", "--rm", f"--network={network}", "-e", host, CLIENT, "docker")
    return shell.engine.docker(*run, *command, check=False)


@pytest.mark.parametrize("command", STARTING)
def test_starting(shell: Shell, started: dict[str, str], command: Command) -> None:
    """Each `docker run` starts a proxy that lists containers, and refuses images."""
    proxy = started[command.text]
    assert proxy[:12] in ask(shell, proxy, "ps").text
    refused = r"trioproxy: .* is not allowed: add \w+ to ALLOW_OPERATIONS"
    assert re.search(refused, ask(shell, proxy, "images").errors)


@pytest.fixture(scope="module")
def used(shell: Shell, started: dict[str, str]) -> Shell:
    """The container `socket-proxy`, after a client that was served and refused."""
    assert started
    ask(shell, "socket-proxy", "ps")
    ask(shell, "socket-proxy", "images")
    return shell


@pytest.mark.parametrize("command", LOOKING)
def test_looking(used: Shell, command: Command) -> None:
    """Each command that looks at the running proxy finds something."""
    (written,) = used.run([command.text])
    assert written.status == 0, written


@pytest.mark.parametrize("document", transcripts(Runner.IMAGE))
def test_transcripts(used: Shell, document: Document) -> None:
    """Each command of a transcript writes what is shown below it."""
    check_transcript(document, used)
