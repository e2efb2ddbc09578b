"""One proxy for a whole stack, in a container of a real Engine: each client has the policy of its container."""

import json
import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import trioproxy
from tests.engine import Ran, ScratchEngine
from tests.patience import PATIENCE

NETWORK, OTHER, PROXY = "tp-stack", "tp-other", "tp-proxy"
PACKAGE = Path(trioproxy.__path__[0]).parent
LISTS = {"ps": "ContainerList", "images": "ImageList"}
MAKER = "ContainerCreate,ContainerStart,ContainerDelete,ContainerRename,NetworkConnect,ContainerWait"


def program() -> list[str]:
    """Options that show a container of this machine's files what Python and we need, and no more."""
    places = {"/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix, str(PACKAGE)}
    found = sorted(one for one in places if os.path.exists(one))
    return [f"--volume={os.path.realpath(one)}:{one}:ro" for one in found]


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The proxy in its container, and the folder of policies."""

    engine: ScratchEngine
    policies: Path

    def log(self) -> str:
        """What the proxy said so far."""
        return self.engine.docker("logs", PROXY).errors

    def wait_for(self, text: str) -> None:
        """Wait until the proxy has said something."""
        until = time.monotonic() + PATIENCE
        while text not in self.log():
            assert time.monotonic() < until, self.log()
            time.sleep(0.1)

    def get(self, name: str, target: str, *options: str) -> int:
        """Ask from a new container; the status."""
        ran = self.run(name, f"wget -q -S -O - http://{PROXY}:2375{target}", *options)
        found = [
            line.split()[1] for line in ran.errors.splitlines() if "HTTP/1.1" in line
        ]
        assert found, ran
        return int(found[0])

    def run(self, name: str, script: str, *options: str) -> Ran:
        """Run a script in a new container on the network of the proxy."""
        words = ("run", "--rm", "--name", name, "--network", NETWORK, *options)
        return self.engine.docker(*words, "busybox", "sh", "-c", script, check=False)


@pytest.fixture(scope="module")
def stack(
    scratch: ScratchEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A proxy on a network of its own, with a policy for each of three clients."""
    policies = tmp_path_factory.mktemp("policies")
    for name, operations in {**LISTS, "maker": MAKER}.items():
        (policies / f"{name}.env").write_text(f"ALLOW_OPERATIONS={operations}\n")
    for network in (NETWORK, OTHER):
        scratch.docker("network", "create", "--internal", network)
    scratch.docker(
        *("run", "--detach", "--name", PROXY, "--network", NETWORK, *program()),
        *("--volume", f"{scratch.socket}:/var/run/docker.sock"),
        *("--volume", f"{policies}:/policies:ro", "--env", "POLICIES=/policies"),
        *("--env", "LISTEN=tcp://:2375", "--env", f"PYTHONPATH={PACKAGE}"),
        *("busybox", sys.executable, "-m", "trioproxy", "enforce", "--watch"),
    )
    one = Stack(engine=scratch, policies=policies)
    try:
        one.wait_for(" start ")
        yield one
    finally:
        scratch.docker("rm", "--force", PROXY)
        for network in (NETWORK, OTHER):
            scratch.docker("network", "rm", network, check=False)


def test_addresses_move_and_policies_do_not(stack: Stack) -> None:
    """Clients come one after the other, from one address: each has its own policy, and who has none has none."""
    for name, statuses in {
        "ps": (200, 403),
        "images": (403, 200),
        "zz": (403, 403),
    }.items():
        found = [stack.get(name, one) for one in ("/containers/json", "/images/json")]
        assert tuple(found) == statuses
    assert stack.get("zz", "/containers/json", "--label", "trioproxy.policy=ps") == 200
    assert stack.get("ps", "/containers/json", "--label", "trioproxy.policy=zz") == 403


def test_no_image_chooses(stack: Stack) -> None:
    """A label that is its image's gives a container nothing."""
    label = 'LABEL "trioproxy.policy"="ps"'
    stack.engine.docker("create", "--name", "tp-base", "busybox")
    stack.engine.docker("commit", "--change", label, "tp-base", "tp-labelled")
    stack.engine.docker("rm", "tp-base")
    words = ("run", "--rm", "--name", "zz", "--network", NETWORK, "tp-labelled")
    script = f"wget -q -S -O - http://{PROXY}:2375/containers/json"
    ran = stack.engine.docker(*words, "sh", "-c", script, check=False)
    assert "403" in ran.errors


def post(target: str, body: str = "{}") -> str:
    """A script that asks the proxy for something, and says what came."""
    head = "--header 'Content-Type: application/json'"
    return f"wget -q -S -O - {head} --post-data '{body}' http://{PROXY}:2375{target} 2>&1; true"


def test_a_client_that_makes_containers_makes_itself_nobody_else(stack: Stack) -> None:
    """What it makes is marked and has no policy, whatever it is called; and no way leads to the proxy's network."""
    made = stack.run(
        "maker",
        post(
            "/containers/create?name=ps", '{"Image": "busybox", "Cmd": ["sleep", "60"]}'
        ),
    )
    assert "201" in made.output.decode()
    stack.engine.docker(
        "network", "connect", NETWORK, "ps"
    )  # a person puts it there by mistake
    stack.engine.docker("start", "ps")
    script = f"wget -q -S -O - http://{PROXY}:2375/containers/json"
    assert (
        "403"
        in stack.engine.docker("exec", "ps", "sh", "-c", script, check=False).errors
    )
    stack.wait_for("the container ps was made through a proxy")
    stack.engine.docker("rm", "--force", "ps")
    for target, body in (
        (
            "/containers/create?name=x1",
            f'{{"Image": "busybox", "HostConfig": {{"NetworkMode": "{NETWORK}"}}}}',
        ),
        (f"/networks/{NETWORK}/connect", '{"Container": "maker"}'),
        ("/containers/maker/rename?name=ps", ""),
    ):
        said = stack.run("maker", post(target, body)).output.decode()
        assert "403" in said
    assert stack.engine.docker("ps", "--all", "--format", "{{.Names}}").text == PROXY


def test_policies_come_and_go(stack: Stack) -> None:
    """A file that comes into the folder is its container's at once; one that goes is nobody's; links are none."""
    file = stack.policies / "volumes.env"
    assert stack.get("volumes", "/volumes") == 403
    file.write_text("ALLOW_OPERATIONS=VolumeList\n")
    stack.wait_for(" reload client=volumes ")
    assert stack.get("volumes", "/volumes") == 200
    file.unlink()
    stack.wait_for(" policy-gone client=volumes")
    assert stack.get("volumes", "/volumes") == 403
    (stack.policies / "volumes.env").symlink_to("ps.env")
    stack.wait_for("is a symbolic link")
    assert stack.get("volumes", "/containers/json") == 403
    file.unlink()


def test_a_client_is_cut_when_its_container_goes(stack: Stack) -> None:
    """Whoever takes its address later is somebody else."""
    script = f"wget -q -O - http://{PROXY}:2375/containers/json; sleep 600"
    stack.engine.docker(
        "run",
        "--detach",
        "--name",
        "ps",
        "--network",
        NETWORK,
        "busybox",
        "sh",
        "-c",
        script,
    )
    stack.engine.docker("rm", "--force", "ps")
    assert stack.get("images", "/containers/json") == 403
    assert stack.get("images", "/images/json") == 200


EXAMPLE = PACKAGE / "examples" / "compose" / "stack" / "compose.yaml"
ASKS = {
    "traefik": "/containers/json",
    "dozzle": "/info",
    "diun": "/images/json",
    "autoheal": "/networks",
    "glances": "/version",
    "homepage": "/volumes",
}
"""What each client of the example asks for here, where its image cannot be had."""
FETCH = "for at in 1 2 3 4 5; do wget -q -O /dev/null http://socket-proxy:2375{} && break; sleep 1; done; sleep 600"


def stand_ins(engine: ScratchEngine, command: str) -> dict[str, object]:
    """In place of the images that nobody can pull: ours from this machine's files, and busybox."""
    health = [sys.executable, "-m", "trioproxy", "health", "tcp://127.0.0.1:2375"]
    ours = {
        "image": "busybox",
        "command": [sys.executable, "-m", "trioproxy", *command.split()],
        "environment": {"PYTHONPATH": str(PACKAGE)},
        "volumes": [
            *(one.removeprefix("--volume=") for one in program()),
            f"{engine.socket}:/var/run/docker.sock",
        ],
        "healthcheck": {
            "test": ["CMD", *health],
            "interval": "1s",
            "start_period": "30s",
        },
    }
    clients = {
        name: {"image": "busybox", "command": ["sh", "-c", FETCH.format(target)]}
        for name, target in ASKS.items()
    }
    return {"services": {"socket-proxy": ours, **clients}}


def test_six_services_are_learned_and_held_to_it(
    scratch: ScratchEngine, tmp_path: Path
) -> None:
    """The example, as it is: six clients behind one learner, and by one line changed behind one `enforce`."""
    text = EXAMPLE.read_text()
    (tmp_path / "policies").mkdir()
    said = re.search(r"#   (command: enforce .*\S)  +in place of", text)
    assert said
    enforcing = re.sub(r"(?m)^    command: learn .*$", f"    {said[1]}", text)
    assert (
        sum(
            a != b
            for a, b in zip(text.splitlines(), enforcing.splitlines(), strict=True)
        )
        == 1
    )
    options = (
        "compose",
        f"--project-directory={tmp_path}",
        f"--file={tmp_path}/compose.yaml",
        f"--file={tmp_path}/more.json",
    )

    def up(text: str) -> None:
        (tmp_path / "compose.yaml").write_text(text)
        line = next(
            one
            for one in text.splitlines()
            if one.startswith("    command: ") and "--listen" in one
        )
        more = stand_ins(scratch, line.removeprefix("    command: "))
        (tmp_path / "more.json").write_text(json.dumps(more))
        scratch.docker(*options, "up", "--detach", "--quiet-pull")

    def log() -> str:
        ran = scratch.docker(*options, "logs", "--no-log-prefix", "socket-proxy")
        return ran.text + ran.errors

    try:
        up(text)
        until = time.monotonic() + PATIENCE
        while not all(f"stack.{name}: new:" in log() for name in ASKS):
            assert time.monotonic() < until, log()
            time.sleep(0.2)
        scratch.docker(*options, "stop", "socket-proxy")
        files = sorted((tmp_path / "policies").glob("*.env"))
        assert [one.name for one in files] == sorted(
            f"stack.{name}.env" for name in ASKS
        )
        up(enforcing)
        for name in ASKS:
            for other, target in ASKS.items():
                fetch = f"wget -q -O /dev/null http://socket-proxy:2375{target}"
                ran = scratch.docker(
                    *options, "exec", "-T", name, "sh", "-c", fetch, check=False
                )
                assert (ran.status == 0) == (name == other), (name, target, ran)
    finally:
        scratch.docker(*options, "down", "--timeout=0")
