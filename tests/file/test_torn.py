"""Files that are cut while they are written: no beginning of a shipped file grants more.

A cut within a line does not load. One between two lines may, and is then judged with
requests that give root on the host, or reach what is a stranger's: whatever passes it,
passes the whole file.
"""

import json
from itertools import accumulate
from pathlib import Path

import pytest

from tests.judge.judging import found_of
from trioproxy.api.decoding import Json
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy_file
from trioproxy.judge.gate import Gate, NeedThings, Passes
from trioproxy.judge.rules import Policy

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*ROOT.glob("learned/*.env"), *ROOT.glob("examples/**/*.env")])

HOSTS: list[Json] = [
    {"Privileged": True},
    {"Binds": ["/:/host"]},
    {"Binds": ["/etc:/etc"]},
    {"Binds": ["/root/.ssh:/keys:ro"]},
    {"Binds": ["/var/run/docker.sock:/s"]},
    {"Binds": ["/run:/run"]},
    {"Binds": ["/proc:/p", "/sys:/y"]},
    {"Binds": ["/dev:/dev"]},
    {"Binds": ["/var/lib/docker:/d"]},
    {"Mounts": [{"Type": "bind", "Source": "/", "Target": "/host"}]},
    {"Mounts": [{"Type": "bind", "Source": "/etc/cron.d", "Target": "/c"}]},
    {
        "Mounts": [
            {
                "Type": "volume",
                "Target": "/v",
                "VolumeOptions": {
                    "DriverConfig": {
                        "Options": {"type": "none", "o": "bind", "device": "/"}
                    }
                },
            }
        ]
    },
    {"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/sda"}]},
    {"Devices": [{"PathOnHost": "/dev/mem", "PathInContainer": "/dev/mem"}]},
    {"DeviceCgroupRules": ["b *:* rwm"]},
    {"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}]},
    {"PidMode": "host"},
    {"NetworkMode": "host"},
    {"IpcMode": "host"},
    {"UTSMode": "host"},
    {"UsernsMode": "host"},
    {"CgroupnsMode": "host"},
    {"PidMode": "container:stranger"},
    {"NetworkMode": "container:stranger"},
    {"NetworkMode": "stranger"},
    {"VolumesFrom": ["stranger"]},
    {"Binds": ["stranger:/v"]},
    {"CapAdd": ["ALL"]},
    {"CapAdd": ["SYS_ADMIN"]},
    {"CapAdd": ["CAP_SYS_PTRACE", "SYS_MODULE"]},
    {"CapAdd": ["MKNOD"]},
    {"SecurityOpt": ["seccomp=unconfined"]},
    {"SecurityOpt": ["apparmor=unconfined"]},
    {"SecurityOpt": ["label=disable"]},
    {"MaskedPaths": [], "ReadonlyPaths": []},
    {"Runtime": "other"},
    {"CgroupParent": "/"},
    {"Sysctls": {"kernel.core_pattern": "|/x"}},
    {"PortBindings": {"22/tcp": [{"HostPort": "22"}]}},
]
"""What a container may be asked to have of its host, or of a stranger."""

VOLUME: dict[str, Json] = {"type": "none", "o": "bind", "device": "/"}

REQUESTS: list[tuple[str, str, Json]] = [
    *(
        ("POST", "/containers/create", {"Image": "busybox", "HostConfig": host})
        for host in HOSTS
    ),
    ("POST", "/containers/create", {"Image": "evil.example/x:1"}),
    ("POST", "/containers/x/update", {"DeviceCgroupRules": ["a *:* rwm"]}),
    ("POST", "/volumes/create", {"Name": "v", "DriverOpts": VOLUME}),
    ("POST", "/volumes/create", {"Name": "v", "Driver": "other"}),
    ("POST", "/containers/x/exec", {"Cmd": ["sh"], "Privileged": True}),
    ("POST", "/containers/x/exec", {"Cmd": ["sh"], "User": "root"}),
    ("POST", "/exec/x/start", {}),
    ("PUT", "/containers/x/archive?path=/", None),
    ("GET", "/containers/x/archive?path=/etc/shadow", None),
    ("GET", "/containers/x/export", None),
    ("POST", "/containers/x/attach?stream=1&stdin=1", None),
    ("POST", "/commit?container=x&repo=y", {}),
    ("POST", "/images/create?fromImage=evil.example/x&tag=1", None),
    ("POST", "/images/create?fromSrc=-&repo=busybox", None),
    ("POST", "/build?networkmode=host&t=busybox", None),
    ("POST", "/images/load", None),
    ("POST", "/networks/bridge/connect", {"Container": "x"}),
    ("POST", "/networks/create", {"Name": "n", "Driver": "macvlan"}),
    ("POST", "/plugins/pull?remote=x", []),
    ("POST", "/services/create", {}),
    ("DELETE", "/containers/x?force=1", None),
    ("POST", "/session", None),
    ("POST", "/grpc", None),
]

REFUSED, UNRESOLVED, ALLOWED = range(3)


def answers(policy: Policy) -> list[int]:
    """How far each request comes: up to a question of whose something is, or through."""
    gate, found = Gate.enforcing(policy), list[int]()
    for method, target, body in REQUESTS:
        one = found_of(gate, method, target.encode(), body=body, is_read=True)
        passed = ALLOWED if isinstance(one, Passes) else REFUSED
        found.append(UNRESOLVED if isinstance(one, NeedThings) else passed)
    return found


def beginnings(text: str) -> dict[str, Policy]:
    """The policies that a file may be cut down to, by hash; the whole one is the last."""
    found = dict[str, Policy]()
    for beginning in accumulate(text.splitlines(keepends=True)):
        if beginning.rpartition("\n")[0].rpartition("\n")[2].startswith("#"):
            continue  # a comment changes nothing
        try:
            policy, _ = parse_policy_file(beginning, name="cut.env")
        except ConfigError:
            continue
        found.pop(policy.fingerprint, None)
        found[policy.fingerprint] = policy
    return found


def test_there_are_fifty() -> None:
    """Fifty requests and more, all of them different, which a file without limits lets pass."""
    assert len({json.dumps(one) for one in REQUESTS}) >= 50
    create = "ALLOW_OPERATIONS=ContainerCreate,ContainerExec,PutContainerArchive\n"
    policy, _ = parse_policy_file(create, name="open.env")
    assert answers(policy).count(ALLOWED) >= 40


@pytest.mark.parametrize(
    "file", SHIPPED, ids=lambda one: f"{one.parent.name}/{one.name}"
)
def test_no_beginning_grants_more(file: Path) -> None:
    """Cut between any two lines, a shipped file lets pass no request that it refuses whole."""
    *torn, whole = beginnings(file.read_text()).values()
    known = answers(whole)
    for policy in torn:
        passed = [
            f"{method} {target} {body}"
            for (method, target, body), cut, is_in_whole in zip(
                REQUESTS, answers(policy), known, strict=True
            )
            if cut > is_in_whole
        ]
        assert not passed, "\n".join(passed)


@pytest.mark.parametrize(
    "file", SHIPPED, ids=lambda one: f"{one.parent.name}/{one.name}"
)
def test_no_beginning_of_a_line_counts(file: Path) -> None:
    """Cut anywhere within a line, a shipped file does not load."""
    text = file.read_text()
    for end in range(1, len(text)):
        if text[end - 1] != "\n":
            with pytest.raises(ConfigError, match="does not end in a line end"):
                parse_policy_file(text[:end], name="cut.env")
