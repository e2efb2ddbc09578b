"""One proxy for a whole stack, in a container of a real Engine: each client has the policy of its container."""

import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest

import trioproxy
from tests.depth import by_depth
from tests.end_to_end.late_events import LateEvents
from tests.engine import Ran, ScratchEngine
from tests.fakes import is_served
from tests.patience import PATIENCE

NETWORK, OTHER, PROXY = "tp-stack", "tp-other", "tp-proxy"
PLACES, PLACE = "10.213.8.0/24", "10.213.8.77"
"""The addresses of the network, and one that somebody has after somebody else."""
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
    for network, words in ((NETWORK, ["--subnet", PLACES]), (OTHER, [])):
        scratch.docker("network", "create", "--internal", *words, network)
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
    names = ("ps", "--all", "--format", "{{.Names}}")
    before = stack.engine.docker(*names).text  # with what other tests have left
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
        (
            "/containers/create?name=x1",
            '{"Image": "busybox", "HostConfig": {"NetworkMode": "container:ps"}}',
        ),
        ("/containers/maker/rename?name=ps", ""),
        ("/containers/maker/rename?name=tomorrow", ""),
    ):
        said = stack.run("maker", post(target, body)).output.decode()
        assert "403" in said
    assert stack.engine.docker(*names).text == before


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


def test_what_was_sent_from_an_address_is_not_its_next_owners(stack: Stack) -> None:
    """A client asks while the proxy has no time, and goes; another one, that runs for long, is moved to its address: it has no part in what was asked."""
    docker = stack.engine.docker
    for name, network in {"images": (NETWORK, "--ip", PLACE), "ps": (OTHER,)}.items():
        words = ("--detach", "--name", name, "--network", *network)
        docker("run", *words, "busybox", "sleep", "600")
    docker("pause", PROXY)
    head = "GET /containers/json HTTP/1.0\\r\\n\\r\\n"
    script = f"(printf '{head}'; sleep 600) | nc {PROXY} 2375"
    docker("exec", "--detach", "images", "sh", "-c", script)
    until = time.monotonic() + PATIENCE
    while "ESTABLISHED" not in docker("exec", "images", "netstat", "-nt").text:
        assert time.monotonic() < until
        time.sleep(0.1)
    docker("network", "disconnect", NETWORK, "images")
    docker("network", "connect", "--ip", PLACE, NETWORK, "ps")
    docker("unpause", PROXY)
    stack.wait_for(f"{PLACE}:")
    docker("rm", "--force", "images", "ps")
    assert f"the container ps came to {PLACE} after this connection" in stack.log()


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


@pytest.mark.slow
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
        fetch = "wget -q -O /dev/null http://socket-proxy:2375$target && echo $target"
        ask = f"for target in {' '.join(ASKS.values())}; do {fetch}; done; true"
        for name, target in ASKS.items():
            ran = scratch.docker(*options, "exec", "-T", name, "sh", "-c", ask)
            assert ran.text.split() == [target], (name, ran)
    finally:
        scratch.docker(*options, "down", "--timeout=0")


BUSY = {"ps": "/containers/json", "images": "/images/json", "volumes": "/volumes"}
USED = {"ps": "ContainerList", "images": "ImageList", "volumes": "VolumeList"}
MOVING_IN, MOVING = "10.213.7.0/24", "10.213.7.77"
"""The network of a crowd, and an address in it that one client has after the other."""
CROWD = "tp-busy"
"""The network of the crowd, and what the proxy there is called."""
ASK = f"wget -q -S -O /dev/null http://{CROWD}:2375$target 2>&1"
WORK = f"""
for at in 1 2 3 4 5; do
    for target in {" ".join(BUSY.values())}; do
        {ASK} | sed -n "s|.*HTTP/1.1 \\([0-9]*\\).*|$target \\1|p" | head -1
    done
done
"""
RELOAD = """
cd /policies
for at in $(seq 1 {}); do
    cp ps.env /tmp/ps.env
    sed 's/$/,SystemVersion/' ps.env > ps.env.new
    mv ps.env.new ps.env; kill -HUP 1; usleep 30000
    cp /tmp/ps.env ps.env.new
    mv ps.env.new ps.env; kill -HUP 1; usleep 30000
done
"""


@dataclass(kw_only=True)
class Crowd:
    """Six clients at once: three by listeners and three by containers."""

    engine: ScratchEngine
    sockets: Path
    late: LateEvents
    place: threading.Lock = field(default_factory=threading.Lock)
    """Who has it has the one address."""
    over: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[str, str, int]] = field(default_factory=list)
    """Who asked for what, and the status."""
    ran: list[str] = field(default_factory=list)
    """Whose containers came and went."""

    def by_socket(self, name: str) -> None:
        """Ask for all three, again and again, by the listener of one of them."""
        while not self.over.is_set():
            for target in BUSY.values():
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.connect(str(self.sockets / f"{name}.sock"))
                    sock.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
                    said = b"".join(iter(lambda: sock.recv(65536), b""))
                self.answers.append((name, target, int(said.split()[1])))

    def by_container(self, name: str) -> None:
        """The same from a container, each time from another one: in turns at whatever address is free, and at the one that another client has just left."""
        words = ("run", "--rm", "--name", name, "--network", CROWD)
        places: Iterator[tuple[str, ...]] = cycle([(), ("--ip", MOVING)])
        for number, place in enumerate(places):
            if self.over.is_set() and number > 1:  # it was at both
                return
            with self.place if place else nullcontext():
                ran = self.engine.docker(*words, *place, "busybox", "sh", "-c", WORK)
            lines = ran.text.splitlines()
            assert len(lines) == 5 * len(BUSY), lines
            found = (one.split() for one in lines)
            self.answers.extend((name, one, int(status)) for one, status in found)
            self.ran.append(name)

    def wrong(self) -> list[tuple[str, str, int]]:
        """The answers that are another policy's."""
        return [
            (name, target, status)
            for name, target, status in self.answers
            if status != (200 if BUSY[name] == target else 403)
        ]


@pytest.fixture
def crowd(scratch: ScratchEngine, tmp_path: Path) -> Iterator[Crowd]:
    """A proxy with three listeners that have policies, and three policies of containers. It hears of what goes a second late."""
    engine = tmp_path / "late.sock"
    late = LateEvents(engine, str(scratch.socket), 1.0)
    one = Crowd(engine=scratch, sockets=tmp_path / "sockets", late=late)
    policies = tmp_path / "policies"
    one.sockets.mkdir()
    policies.mkdir()
    for name, operation in USED.items():
        for file in (policies / f"{name}.env", one.sockets / f"u-{name}.env"):
            file.write_text(f"ALLOW_OPERATIONS={operation}\n")
    places = [
        f"unix:///sockets/{name}.sock?policy=/sockets/u-{name}.env" for name in BUSY
    ]
    variables = {
        "LISTEN": ",".join([*places, "tcp://:2375"]),
        "POLICIES": "/policies",
        "PYTHONPATH": str(PACKAGE),
    }
    scratch.docker("network", "create", "--internal", "--subnet", MOVING_IN, CROWD)
    try:
        scratch.docker(
            *("run", "--detach", "--name", CROWD, "--network", CROWD, *program()),
            f"--volume={engine}:/var/run/docker.sock",
            *(f"--volume={one.sockets}:/sockets", f"--volume={policies}:/policies"),
            *(f"--env={name}={value}" for name, value in variables.items()),
            *("busybox", sys.executable, "-m", "trioproxy", "enforce"),
        )
        until = time.monotonic() + PATIENCE
        while not all(is_served(one.sockets / f"{name}.sock") for name in BUSY):
            assert time.monotonic() < until
            time.sleep(0.1)
        yield one
    finally:
        one.over.set()
        scratch.docker("rm", "--force", CROWD, *BUSY, check=False)
        scratch.docker("network", "rm", CROWD, check=False)
        late.close()


@pytest.mark.slow
@pytest.mark.deep
def test_each_has_its_own_policy_whatever_is_reloaded(crowd: Crowd) -> None:
    """Six clients at once, containers that come and go, addresses that move from one to the other, events that come a second late: each answer is by the client's own policy, and none is missing."""
    with ThreadPoolExecutor(2 * len(BUSY)) as pool:
        ways = (crowd.by_socket, crowd.by_container)
        working = [pool.submit(way, name) for way in ways for name in BUSY]
        script = RELOAD.format(by_depth(50, 500))
        try:
            crowd.engine.docker("exec", CROWD, "sh", "-c", script, timeout=600)
        finally:  # or the pool would wait for them for ever
            crowd.over.set()
        for one in working:
            one.result()
    crowd.engine.docker("stop", f"--time={PATIENCE:.0f}", CROWD)
    log = crowd.engine.docker("logs", CROWD).errors  # with its last lines
    assert len(crowd.answers) > 10 * len(BUSY)
    assert log.count(" reload client=") > by_depth(50, 500)
    assert "reload-failed" not in log
    unknown = [one for one in log.splitlines() if " nobody " in one]
    assert not crowd.wrong(), unknown
    assert crowd.late.held > len(crowd.ran) // 2 >= len(BUSY)
    at_one_address = set(re.findall(rf" client=(\w+)@{MOVING}:", log))
    assert at_one_address == BUSY.keys()
