"""`python -m bench.beside TREE...`: CPU time of a request, in this tree and in others.

For a machine that is busy with something else, where rates are noise. All trees run at the same
time, each in an interpreter of its own (`TREE/.venv/bin/python`), and take turns in short bursts of
the same requests, a few hundred at once; what is compared is the CPU time that the kernel counts for
the process (`schedstat`, in ns). What disturbs one burst disturbs its neighbours as well, so ratios within
a turn are steadier than any time; and of many short bursts the quietest tenth had a core to itself.
Name a tree twice to see by how much it differs from itself; `--with METRICS=tcp://127.0.0.1:0 .` compares
this tree without a setting and with it.
"""

import argparse
import socket
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import count
from pathlib import Path
from types import MappingProxyType

from bench.contenders import GRANTED, OPERATIONS
from bench.processes import REPOSITORY, BenchError, Child, family
from bench.upstreams import start_fast
from bench.wire import free_port

numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is asked, and of which policy."""

    name: str
    request: Callable[[], bytes]
    connections: int = 32
    closes: bool = False
    """Whether each request has a connection of its own."""
    policy: str = "sections"
    status: bytes = b"200"


def _get(target: str, *fields: str) -> bytes:
    lines = (f"GET {target} HTTP/1.1", "Host: 127.0.0.1", *fields)
    return "\r\n".join((*lines, "", "")).encode()


def _unique() -> bytes:
    return _get(f"/containers/{next(numbers):012x}/json")


def _post(target: str, body: bytes) -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


CREATE = (
    b'{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,'
    b'"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=1","B=2","PATH=/usr/bin:/bin"],"Cmd":["sleep","60"],'
    b'"Image":"busybox:latest","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,'
    b'"Labels":{"com.docker.compose.project":"project","com.docker.compose.service":"service"},'
    b'"HostConfig":{"Binds":["/srv/app/data:/data:ro","/srv/app/logs:/logs"],"ContainerIDFile":"",'
    b'"LogConfig":{"Type":"","Config":{}},"NetworkMode":"default","PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]},'
    b'"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":true,"VolumeDriver":"","VolumesFrom":null,'
    b'"ConsoleSize":[0,0],"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],'
    b'"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"",'
    b'"Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"",'
    b'"ShmSize":0,"Isolation":"","CpuShares":0,"Memory":67108864,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,'
    b'"Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"Ulimits":[],"MaskedPaths":null,"ReadonlyPaths":null},'
    b'"NetworkingConfig":{"EndpointsConfig":{}}}\n'
)
"""As `docker run` sends it."""

LIMITED = (
    "ALLOW_OPERATIONS=ContainerCreate,ContainerList\nCREATE_BINDS=/srv/app/data:ro,/srv/app/logs,/srv/other\n"
    "CREATE_IMAGES=busybox:latest,alpine:*\nCREATE_PORTS=127.0.0.1:8080,127.0.0.1:8443\n"
)
POLICIES = {
    "sections": "".join(f"{name}=1\n" for name in GRANTED),
    "exact": f"ALLOW_OPERATIONS={','.join(OPERATIONS)}\n",
    "limited": LIMITED,
}

LIST = _get("/containers/json")
ROWS = (
    Row(name="list-32", request=lambda: LIST),
    Row(name="list-1", request=lambda: LIST, connections=1),
    Row(name="unique-32", request=_unique),
    Row(name="unique-32-exact", request=_unique, policy="exact"),
    Row(name="refused-32", request=lambda: _get("/secrets"), status=b"403"),
    Row(
        name="close-32",
        request=lambda: _get("/containers/json", "Connection: close"),
        closes=True,
    ),
    Row(name="many-1000", request=lambda: LIST, connections=1000),
    Row(
        name="create-4",
        request=lambda: _post("/v1.45/containers/create", CREATE),
        connections=4,
        policy="limited",
        status=b"201",
    ),
)


class Tree:
    """A checkout with its own `.venv`, and its proxies that run."""

    settings: Mapping[str, str] = MappingProxyType({})
    """Of its environment, beside what all have."""

    def __init__(self, folder: Path, name: str, engine: Path, work: Path) -> None:
        self.name = name
        self._folder, self._engine, self._work = folder, engine, work
        self._stack = ExitStack()
        self._running: dict[str, tuple[Child, int]] = {}
        self._open: dict[str, list[socket.socket]] = {}

    def _proxy(self, policy: str) -> tuple[Child, int]:
        if policy not in self._running:
            port, stem = free_port(), f"{self.name}-{policy}"
            file = self._work / f"{stem}.env"
            file.write_text(POLICIES[policy])
            # Not `python -m`, which would find what is in this tree's own folder.
            program = self._folder / ".venv/bin/trioproxy"
            command = [
                *(str(program), "enforce", "--env-file", str(file)),
                *("--listen", f"tcp://127.0.0.1:{port}"),
                *("--upstream", f"unix://{self._engine}"),
            ]
            environment = {
                "PATH": "/usr/bin:/bin",
                "PYTHONHASHSEED": "0",
                "LOG_LEVEL": "info",
                "MAX_CONNECTIONS_PER_CLIENT": "4000",
                **self.settings,
            }
            child = Child(stem, command, self._work / f"{stem}.log", environment)
            self._stack.callback(child.stop)
            child.wait_listening(port)
            self._running[policy] = child, port
        return self._running[policy]

    def burst(self, row: Row, requests: int) -> float:
        """Ask so often; CPU microseconds of a request."""
        child, port = self._proxy(row.policy)
        if row.name not in self._open and not row.closes:
            self._open[row.name] = [_connect(port) for _ in range(row.connections)]
        before = _cpu(child.pid)
        for _ in range(max(1, requests // row.connections)):
            socks = (
                [_connect(port) for _ in range(row.connections)]
                if row.closes
                else self._open[row.name]
            )
            for one in socks:
                one.sendall(row.request())
            for one in socks:
                _read_answer(one, row)
                if row.closes:
                    one.close()
        done = max(1, requests // row.connections) * row.connections
        return (_cpu(child.pid) - before) / done / 1000

    def stop(self) -> None:
        """End all that runs."""
        for socks in self._open.values():
            for one in socks:
                one.close()
        self._stack.close()


def _connect(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=60)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _read_answer(sock: socket.socket, row: Row) -> None:
    data = sock.recv(65536)
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise BenchError(f"{row.name}: no whole answer: {data!r}")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    if head[9:12] != row.status:
        raise BenchError(f"{row.name}: {head!r} {body!r}")
    lines = head.lower().split(b"\r\n")
    length = next(int(one[15:]) for one in lines if one.startswith(b"content-length:"))
    left = length - len(body)
    while left > 0:
        more = sock.recv(65536)
        if not more:
            raise BenchError(f"{row.name}: no whole answer")
        left -= len(more)


def _cpu(pid: int) -> int:
    """CPU time of a process and its threads so far, in ns."""
    return sum(
        int(one.read_text().split()[0])
        for each in family(pid)
        for one in Path(f"/proc/{each}/task").glob("*/schedstat")
    )


def turns(
    trees: Sequence[Tree], row: Row, times: int, requests: int
) -> Iterator[list[float]]:
    """Let all trees have a turn, so many times, each time another one first."""
    for tree in trees:
        tree.burst(row, 2 * requests)
    for number in range(times):
        first = number % len(trees)
        order = [*range(first, len(trees)), *range(first)]
        taken = {one: trees[one].burst(row, requests) for one in order}
        yield [taken[one] for one in range(len(trees))]


def told(row: Row, trees: Sequence[Tree], samples: Sequence[Sequence[float]]) -> str:
    """One line: microseconds of each tree in its quietest tenth, and ratios to the first:
    of that, and the median within a turn with its quartiles."""
    words = [f"{row.name:16}"]
    quiet = [
        statistics.quantiles((one[number] for one in samples), n=10)[0]
        for number in range(len(trees))
    ]
    for number, tree in enumerate(trees):
        text = f"{tree.name} {quiet[number]:6.1f} us"
        if number:
            ratios = [one[number] / one[0] for one in samples]
            low, middle, high = statistics.quantiles(ratios, n=4)
            text += (
                f" x{quiet[number] / quiet[0]:.3f}, {middle:.3f} [{low:.2f} {high:.2f}]"
            )
        words.append(text)
    return "   ".join(words)


def main(arguments: Sequence[str]) -> int:
    """Start all, let them take turns, tell of each row."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.beside", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "trees", nargs="*", type=Path, help="checkouts; the first is the measure"
    )
    parser.add_argument(
        "--with",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="a setting of this tree alone; may be repeated",
    )
    parser.add_argument("--only", default="*", help="rows, as patterns with commas (*)")
    parser.add_argument("--turns", type=int, default=60, help="bursts of each (60)")
    parser.add_argument("--requests", type=int, default=640, help="of a burst (640)")
    options = parser.parse_args(arguments)
    for folder in options.trees:
        if not (folder / "trioproxy").is_dir():
            parser.error(f"{folder} is no checkout: it has no trioproxy/")
    patterns = options.only.split(",")
    rows = [one for one in ROWS if any(fnmatch(one.name, p) for p in patterns)]
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        work = Path(temporary)
        stop, reach = start_fast(work)
        stack.callback(stop)
        trees = list[Tree]()
        for number, folder in enumerate([*options.trees, REPOSITORY]):
            name = f"{folder.resolve().name}"
            if name in {one.name for one in trees}:
                name += f".{number}"
            trees.append(Tree(folder.resolve(), name, reach.socket, work))
            stack.callback(trees[-1].stop)
        trees[-1].settings = dict(one.split("=", 1) for one in options.settings)
        for row in rows:
            samples = list(turns(trees, row, options.turns, options.requests))
            print(told(row, trees, samples), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
