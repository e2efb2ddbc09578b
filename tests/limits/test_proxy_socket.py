"""`CREATE_BINDS=@proxy`: this proxy in place of the Engine's socket."""

import json

import pytest

from tests.judge import judging
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate, Passes, Refused
from trioproxy.judge.rules import Policy

SOCKET = "/run/app/proxy.sock"
FILE = {
    "ALLOW_OPERATIONS": "ContainerCreate",
    "CREATE_BINDS": "/srv/app,@proxy",
    "PROXY_SOCKET": SOCKET,
}


def policy(**variables: str) -> Policy:
    return parse_policy({**FILE, **variables})[0]


def judged(host: object, **variables: str) -> Passes | Refused:
    body = json.loads(json.dumps({"Image": "x", "HostConfig": host}))
    gate = Gate.enforcing(policy(**variables))
    target = b"/containers/create"
    found = judging.found_of(gate, "POST", target, body=body, is_read=True)
    assert isinstance(found, Passes | Refused)
    return found


ENGINES = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run//x/../docker.sock/",
    "/run/user/1000/podman/podman.sock",
]


@pytest.mark.parametrize("source", ENGINES)
def test_an_engines_socket_becomes_ours(source: str) -> None:
    """However it is bound, what goes on is this proxy's own socket."""
    verdict = judged({"Binds": [f"{source}:/var/run/docker.sock:ro", "/srv/app:/a"]})
    assert isinstance(verdict, Passes)
    assert verdict.sent is not None
    assert verdict.sent.body is not None
    assert verdict.sent.body["HostConfig"] == {
        "Binds": [f"{SOCKET}:/var/run/docker.sock:ro", "/srv/app:/a"]
    }
    mount = {"Type": "bind", "Source": source, "Target": "/s"}
    verdict = judged({"Mounts": [mount]})
    assert isinstance(verdict, Passes)
    assert verdict.sent is not None
    assert verdict.sent.body is not None
    assert verdict.sent.body["HostConfig"] == {"Mounts": [{**mount, "Source": SOCKET}]}


OTHERS = [
    {"Binds": ["./docker.sock:/s"]},
    {"Binds": ["/run/containerd/containerd.sock:/s"]},
    {"Binds": ["/run:/s"]},
    {"Binds": ["/run/app:/s"]},
    {"Binds": ["/etc:/s"]},
    {"Mounts": [{"Type": "volume", "Target": "/s", "VolumeOptions": {"DriverConfig": {"Options": {"type": "none", "o": "bind", "device": "/run/docker.sock"}}}}]},
]  # fmt: skip


@pytest.mark.parametrize("host", OTHERS, ids=[str(h)[:40] for h in OTHERS])
def test_nothing_else_passes(host: object) -> None:
    """Other sockets, folders and volumes that are a socket are what they were."""
    assert not judged(host).decision.allowed


def test_what_is_no_path_is_no_socket() -> None:
    """A volume whose name ends as a socket's is judged as that, and goes on as that."""
    host = {"VolumeDriver": "nfs", "Binds": ["x/docker.sock:/s:ro"]}
    found = judged(host, CREATE_DRIVERS="volume:nfs")
    assert isinstance(found, Passes)
    assert found.sent is not None
    assert found.sent.body is not None
    sent = {**host, "Binds": ["x/docker.sock:/s:ro,nocopy"]}
    assert found.sent.body["HostConfig"] == sent


def test_without_it_a_socket_stays_what_it_is() -> None:
    """Only where it is listed itself does the Engine's own socket pass."""
    binds = {"Binds": ["/var/run/docker.sock:/s"]}
    assert not judged(binds, CREATE_BINDS="/srv/app").decision.allowed
    verdict = judged(binds, CREATE_BINDS="/var/run/docker.sock")
    assert isinstance(verdict, Passes)
    assert verdict.sent is not None
    assert verdict.sent.body is not None
    assert verdict.sent.body["HostConfig"] == binds


@pytest.mark.parametrize("path", ["", "run/x.sock", "/run/../x.sock", "/a%3Ab", "/a b"])
def test_a_path_that_is_none(path: str) -> None:
    """`@proxy` needs a path that can stand in a bind."""
    with pytest.raises(ConfigError):
        policy(PROXY_SOCKET=path)


def test_our_own_socket_may_lie_there() -> None:
    """A socket that is mounted is no file that a client writes: the start is not refused."""
    limits = policy().limits
    assert not limits.lists_writable(SOCKET)
    assert limits.lists_writable("/srv/app/x")
