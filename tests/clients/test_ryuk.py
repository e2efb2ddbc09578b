"""The reaper of testcontainers reaps through the proxy that started it, and no strangers.

Its image is a stand-in (`tests/ryuk`) under the names by which the clients start it; the
policy is that of the example for CI runners.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.clients.comparison import emptied
from tests.clients.test_programs import PROGRAMS
from tests.end_to_end.proxies import TRIOPROXY, Proxy, enforcing
from tests.end_to_end.test_escapes import ask
from tests.engine import ScratchEngine
from tests.ryuk.image import import_reaper
from trioproxy.file import envfile

pytestmark = [pytest.mark.engine, pytest.mark.clients]

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "examples" / "compose" / "testcontainers" / "policy.env"
RYUKS = ("testcontainers/ryuk:0.8.1", "testcontainers/ryuk:0.14.0")
"""What testcontainers for Python and for Node.js start by default."""
SESSION = "org.testcontainers.session-id"


@pytest.fixture
def proxy(scratch: ScratchEngine, tmp_path: Path) -> Iterator[Proxy]:
    """One with the example's policy, on an Engine that has the reaper's image."""
    socket = tmp_path / "docker.sock"
    policy = envfile.parse(POLICY.read_text(), name="policy.env")
    variables = policy | {"PROXY_SOCKET": str(socket)}
    listen = f"unix://{socket}?mode=0666"
    with emptied(scratch), enforcing(scratch, listen=listen, variables=variables) as up:
        import_reaper(scratch, *RYUKS)
        yield up


@contextmanager
def killed(
    command: list[str], engine: ScratchEngine, host: str, *, kill: bool = True
) -> Iterator[IO[str]]:
    """A client in the Engine's network, where it reaches its reaper; killed at the end.

    `kill`: else its input ends, and it is waited for.
    """
    gateway = "{{(index .IPAM.Config 0).Gateway}}"
    asked = engine.docker("network", "inspect", f"--format={gateway}", "bridge")
    ours = {
        # How long a client may be gone, as Python's and Node's say it.
        "RYUK_RECONNECTION_TIMEOUT": "1s",
        "TESTCONTAINERS_RYUK_RECONNECTION_TIMEOUT": "1s",
        # Python's does not wait until its reaper listens. Behind `localhost` is Docker's
        # own proxy, which takes connections before that, and loses them.
        "TESTCONTAINERS_HOST_OVERRIDE": asked.text,
    }
    with subprocess.Popen(
        engine.inside(*command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=engine.environment(host) | ours,
    ) as process:
        assert process.stdout is not None
        yield process.stdout
        if kill:
            process.kill()


def await_removal(engine: ScratchEngine, container: str) -> None:
    """Wait until a container is gone that goes by itself."""
    target = f"/containers/{container}/wait?condition=removed"
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert ask(str(engine.socket), head.encode(), "POST")[0] in {200, 404}


def names(engine: ScratchEngine, *listed: str) -> list[str]:
    """The names that the docker command lists."""
    return engine.docker(*listed, "--format={{.Name}}").text.split()


@pytest.mark.parametrize("language", ["python", "node"])
def test_it_reaps_its_own(
    scratch: ScratchEngine, proxy: Proxy, modules: Path, language: str
) -> None:
    """What the client made goes when it is killed; a stranger's with its label stays."""
    command = {
        "python": [sys.executable, str(PROGRAMS / "reaped_testcontainers.py")],
        "node": ["node", str(modules / "reaped_testcontainers.js")],
    }[language]
    host = proxy.url.partition("?")[0]
    with killed(command, scratch, host) as said:
        session = said.readline().strip()
        assert session, proxy.log
        label = f"--label={SESSION}={session}"
        scratch.docker("network", "create", label, "strangers")
        scratch.docker("volume", "create", label, "strangers")
        stranger = ("--name=stranger", "--network=none", "busybox", "sleep", "600")
        scratch.docker("run", "--detach", label, *stranger)
        ryuk = scratch.docker("ps", "-q", "--filter=name=testcontainers-ryuk").text
        sources = "--format={{range .Mounts}}{{.Source}}{{end}}"
        bound = scratch.docker("inspect", sources, ryuk).text
        assert bound == host.removeprefix("unix://")
        assert len(scratch.docker("ps", "-q").text.split()) == 3
    await_removal(scratch, ryuk)
    assert scratch.docker("ps", "-a", "--format={{.Names}}").text == "stranger"
    mine = f"--filter=label={SESSION}"
    assert names(scratch, "network", "ls", mine) == ["strangers"]
    assert names(scratch, "volume", "ls", mine) == ["strangers"]
    assert not [line for line in proxy.log if "decision=refused" in line]
    for operation in LISTED:  # it was not told of them
        assert [
            one for one in proxy.log if f"={operation} " in one and " hidden=" in one
        ]


def test_it_needs_no_privileges(scratch: ScratchEngine, proxy: Proxy) -> None:
    """Where a client wants its reaper privileged, it reads which variable it would need."""
    host = proxy.url.partition("?")[0]
    ran = subprocess.run(
        scratch.inside(sys.executable, str(PROGRAMS / "reaped_testcontainers.py")),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=scratch.environment(host) | {"TESTCONTAINERS_RYUK_PRIVILEGED": "true"},
        check=False,
    )
    wanted = "HostConfig.Privileged=true, which CREATE_PRIVILEGED does not list"
    assert wanted in ran.stderr
    assert scratch.docker("ps", "-aq").text == ""


LISTED = ("ContainerList", "NetworkList", "VolumeList")
"""What the reaper asks for, and the client does not."""


@pytest.mark.parametrize("language", ["python", "node"])
def test_it_is_learned_with_its_client(
    scratch: ScratchEngine, tmp_path: Path, modules: Path, language: str
) -> None:
    """Learned with PROXY_SOCKET in the file: what the reaper does is learned too, all of it
    is `@own`, and behind the file it reaps again."""
    command = {
        "python": [sys.executable, str(PROGRAMS / "reaped_testcontainers.py")],
        "node": ["node", str(modules / "reaped_testcontainers.js")],
    }[language]
    file, socket = tmp_path / "ci.env", tmp_path / "docker.sock"
    file.write_text(f"PROXY_SOCKET={socket}\n")
    with emptied(scratch):
        import_reaper(scratch, *RYUKS)
        kills = [sys.executable, str(PROGRAMS / "kills.py"), *command]
        learner = [*TRIOPROXY, "learn", "-o", str(file), "--", *kills]
        with killed(learner, scratch, scratch.url, kill=False) as said:
            assert said.readline().strip()
        for container in scratch.docker("ps", "-aq").text.split():
            await_removal(scratch, container)  # the reaper removes itself, in the end
        variables = envfile.parse(file.read_text(), name="ci.env")
        assert variables["CREATE_BINDS"] == "@proxy"
        assert variables["ONLY_CONTAINERS"] == "@own"
        assert variables["ONLY_NETWORKS"] == "@own,bridge"
        reaps = {*LISTED, "ContainerDelete", "NetworkDelete"}
        assert reaps <= set(variables["ALLOW_OPERATIONS"].split(","))
        url = f"unix://{socket}"
        with enforcing(scratch, "--env-file", str(file), listen=f"{url}?mode=0666"):
            with killed(command, scratch, url) as said:
                assert said.readline().strip()
                ryuk = scratch.docker(
                    "ps", "-q", "--filter=name=testcontainers-ryuk"
                ).text
            await_removal(scratch, ryuk)
        assert scratch.docker("ps", "-aq").text == ""
