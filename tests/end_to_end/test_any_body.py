"""Random bodies of a create, and a real Engine as the judge of how they were read.

Whatever a client writes - names in any case or with letters that fold, names given twice,
nulls, fields in old places and unknown ones - is either refused, or it is read as the
Engine reads it: the container made of the client's bytes and the one made of ours are
alike, and nothing limited is in them that was not found to be asked for.
"""

import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.end_to_end.test_escapes import ask as send
from tests.engine import Engine
from trioproxy.api.arguments import Given
from trioproxy.api.fields import ARGUED
from trioproxy.api.reading import Asked, ask
from trioproxy.errors import BadRequest
from trioproxy.http import jsonbody
from trioproxy.limits.marks import OWNER_LABEL, mark
from trioproxy.limits.marks import read as mark_only

EXAMPLES = 60
"""Each makes two containers and looks at them: some 100 ms."""

MIB = 1 << 20
DEVICE = {"PathOnHost": "/dev/null", "PathInContainer": "/dev/x"}
BY_BIND = {"type": "none", "o": "bind", "device": "/srv"}
PROC = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
HOST: dict[str, list[Any]] = {
    "Privileged": [True, False],
    "Binds": [["/srv/app:/h"], ["/srv/./app/:/h:ro"], ["/tmp/../etc:/e", "named:/n"], ["/anonymous"], []],
    "Mounts": [
        [{"Type": "bind", "Source": "/etc", "Target": "/m", "BindOptions": {"CreateMountpoint": True}}],
        [{"Type": "tmpfs", "Target": "/m", "TmpfsOptions": {"SizeBytes": MIB}}],
        [{"Type": "volume", "Target": "/m", "VolumeOptions": {"DriverConfig": {"Options": BY_BIND}}}],
        [{"Type": "volume", "Source": "named", "Target": "/m", "VolumeOptions": {"NoCopy": True}}, {}],
    ],
    "CapAdd": [["chown"], ["SYS_ADMIN"], ["\u017fys_admin"], ["cap_net_admin", "KILL"], ["ALL"]],
    "CapDrop": [["ALL"], ["net_raw"]],
    "SecurityOpt": [["no-new-privileges"], ["seccomp=unconfined"], ["seccomp:unconfined"], ["label=disable"], ["disable"]],
    "PidMode": ["", "host", "Host"],
    "IpcMode": ["", "none", "private", "shareable", "host"],
    "NetworkMode": ["", "default", "bridge", "none", "host"],
    "UTSMode": ["", "host"],
    "UsernsMode": ["", "host"],
    "CgroupnsMode": ["", "private", "host"],
    "Devices": [[DEVICE], [{**DEVICE, "CgroupPermissions": "r"}], [{"PathOnHost": "/dev/../dev/null"}], []],
    "DeviceCgroupRules": [["c 1:3 r"], []],
    "DeviceRequests": [[{"Count": -1, "Capabilities": [["gpu"]]}], [{"Driver": "cdi", "DeviceIDs": ["a.com/b=c"]}], []],
    "PortBindings": [{"80/tcp": [{"HostPort": "8080"}]}, {"80": [{"HostIp": "127.0.0.1", "HostPort": ""}]}, {"53/udp": []}, {}],
    "PublishAllPorts": [True, False],
    "LogConfig": [{"Type": "none"}, {"Type": "json-file", "Config": {"max-size": "1m"}}, {"Type": "syslog", "Config": {"syslog-address": "udp://127.0.0.1:1"}}, {}],
    "Sysctls": [{"net.core.somaxconn": "9"}, {"kernel.shmmax": "9"}, {"kernel.domainname": "x"}],
    "Tmpfs": [{"/t": "size=1m"}, {"/t": ""}],
    "Annotations": [{"a.b": "c"}, {}],
    "MaskedPaths": [[], ["/proc/kcore"]],
    "ReadonlyPaths": [[], PROC, ["/proc/bus"]],
    "CgroupParent": ["", "x"],
    "VolumeDriver": ["", "local"],
    "Runtime": ["", "runc"],
    "StorageOpt": [{}],
    "ContainerIDFile": ["/x"],
    "Memory": [64 * MIB, 0],
    "NanoCpus": [500_000_000],
    "PidsLimit": [50, 0, -1],
    "OomScoreAdj": [100],
    "ShmSize": [MIB, 0],
    "ConsoleSize": [[0, 0]],
    "Init": [True, False],
    "ReadonlyRootfs": [True],
    "RestartPolicy": [{"Name": "always"}, {"Name": "on-failure", "MaximumRetryCount": 2}, {"Name": ""}],
    "GroupAdd": [["audio"]],
    "ExtraHosts": [["a:1.2.3.4"]],
    "Ulimits": [[{"Name": "nofile", "Soft": 9, "Hard": 10}]],
    "Links": [[]],
    "VolumesFrom": [[]],
    "Frob": [0, 1, {"Privileged": True}],
}  # fmt: skip
TOP: dict[str, list[Any]] = {
    "Env": [["A=b", "C"], []],
    "Labels": [{"a": "b"}, {"A": "b", "a": "c"}, {"trioproxy.owner": "forged"}],
    "User": ["", "0:0"],
    "Tty": [True],
    "WorkingDir": ["/w"],
    "Entrypoint": [["true"], "true", []],
    "Volumes": [{"/v": {}}, {"/v": {"x": 1}}, {"/etc:/x": {}}],
    "ExposedPorts": [{"80/tcp": {}}],
    "Healthcheck": [{"Test": ["NONE"]}, {}],
    "StopSignal": ["TERM"],
    "StopTimeout": [3],
    "NetworkingConfig": [{"EndpointsConfig": {"bridge": {}}}, {"EndpointsConfig": {"host": None}}, {}],
    "Privileged": [True, False],
    "Binds": [["/:/h"]],
    "Memory": [64 * MIB],
    "Name": ["x"],
    "Config": [{}],
    "Frob": [None, [], 1],
}  # fmt: skip
"""Fields, and values that say something there; some that the Engine refuses, too."""

FOLDED = {"s": "\u017f", "S": "\u017f", "k": "\u212a", "K": "\u212a"}


class Pairs(NamedTuple):
    """An object as it is written: names may come twice."""

    items: tuple[tuple[str, Any], ...]


@st.composite
def names(draw: st.DrawFn, name: str) -> str:
    """A name as the Engine takes it: exactly, in another case, or with letters that fold."""
    how = draw(st.sampled_from(["", "", "", "lower", "upper", "swapcase", "fold"]))
    if how == "fold":
        if draw(st.integers(0, 5)):
            return name
        return "".join(FOLDED.get(letter, letter) for letter in name)
    return str(getattr(name, how)()) if how else name


@st.composite
def objects(draw: st.DrawFn, fields: dict[str, list[Any]], most: int) -> Pairs:
    """An object of some of these fields, seldom with one of them twice."""
    chosen = draw(st.lists(st.sampled_from(list(fields)), max_size=most, unique=True))
    if chosen and draw(st.integers(0, 9)) == 0:
        chosen.append(draw(st.sampled_from(chosen)))
    items = [
        (draw(names(one)), draw(st.none() | st.sampled_from(fields[one])))
        for one in chosen
    ]
    return Pairs(tuple(items))


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A body, written by no client of this world."""
    top = draw(objects(TOP, 3)).items
    host = draw(objects(HOST, 4))
    inner = draw(st.sampled_from([host, host, host, host, None, Pairs(())]))
    items = [("Image", "busybox"), ("Cmd", ["true"]), *top]
    if draw(st.integers(0, 9)):
        items.append((draw(names("HostConfig")), inner))
    if draw(st.integers(0, 19)) == 0:
        items.append((draw(names("HostConfig")), draw(st.sampled_from([None, host]))))
    items = draw(st.permutations(items))
    behind = draw(st.sampled_from([""] * 20 + ["}", "{}", " x"]))
    ascii_only = draw(st.booleans())
    return (written(Pairs(tuple(items)), ascii_only=ascii_only) + behind).encode()


def written(value: object, *, ascii_only: bool) -> str:
    """Write a value as JSON, with names as often as they come."""
    if not isinstance(value, Pairs):
        return json.dumps(value, ensure_ascii=ascii_only)
    members = (
        f"{json.dumps(name, ensure_ascii=ascii_only)}:{written(one, ascii_only=ascii_only)}"
        for name, one in value.items
    )
    return f"{{{', '.join(members)}}}"


def read(raw: bytes, operation: str = "ContainerCreate") -> Asked | None:
    """What a body asks for, and how it goes on; None if it never does."""
    try:
        value = jsonbody.parse(raw)
        if value is None:
            return None
        asked = ask(Given(operation=ARGUED[operation], path="", body=value))
    except BadRequest:
        return None
    return None if asked.never else asked


def talk(path: str, method: str, target: str, body: bytes = b"") -> tuple[int, Any]:
    """Ask the Engine."""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    status, answer = send(path, head.encode() + body)
    return status, json.loads(answer) if answer else None


def make(path: str, body: bytes) -> tuple[int, Any]:
    """Create a container of that body; what the Engine says that it is."""
    status, made = talk(path, "POST", "/containers/create", body)
    if status != 201:
        return status, None
    _, seen = talk(path, "GET", f"/containers/{made['Id']}/json")
    talk(path, "DELETE", f"/containers/{made['Id']}?force=1&v=1")
    return status, seen


def told(seen: dict[str, Any]) -> str:
    """What was made, without what no two containers have in common."""
    kept = {name: seen[name] for name in ("Config", "HostConfig", "Mounts")}
    kept["Networks"] = sorted(seen["NetworkSettings"]["Networks"])
    kept["HostConfig"].pop("ContainerIDFile")
    kept["Mounts"].sort(key=lambda mount: str(mount["Destination"]))
    text = json.dumps(kept, sort_keys=True)
    return re.sub(r"[0-9a-f]{64}", "<id>", text.replace(seen["Id"][:12], "<host>"))


def take_marks(seen: dict[str, Any]) -> None:
    """Take the mark from a container and from each volume that it brings into being."""
    assert seen["Config"]["Labels"].pop(OWNER_LABEL) == ""
    for mount in seen["HostConfig"].get("Mounts") or []:
        if mount["Type"] != "volume":
            continue
        options = mount["VolumeOptions"]
        assert options["Labels"].pop(OWNER_LABEL) == ""
        if not options["Labels"]:
            del options["Labels"]
        if not options:
            del mount["VolumeOptions"]


DEFAULT_CAPS = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE"  # noqa: SIM905
    " NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
)
MODES = {
    "PidMode": {""},
    "IpcMode": {"", "none", "private"},
    "UTSMode": {""},
    "UsernsMode": {""},
    "CgroupnsMode": {"", "private"},
}


def powers(host: dict[str, Any], given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a container has that gives power: variables and, where that is told, values.

    Read off the Engine's own words, by nothing that the proxy reads bodies with.
    """
    yield from (("CREATE_BINDS", source) for source in sources(host))
    for one in host["CapAdd"] or []:
        yield "CREATE_CAPS", one.upper().removeprefix("CAP_")
    for name, harmless in MODES.items():
        if host[name] not in harmless | {given[name]}:
            yield "CREATE_NAMESPACES", ""
    if host["NetworkMode"] == "host":
        yield "CREATE_NAMESPACES", "net:host"
    if host["Privileged"]:  # then the Engine shows no more of the rest
        yield "CREATE_PRIVILEGED", "1"
        return
    yield from ((variable, "") for variable, has in others(host).items() if has)


def sources(host: dict[str, Any]) -> Iterator[str]:
    """The folders of the host that it mounts, whichever way."""
    for one in host["Binds"] or []:
        if one.startswith("/") and ":" in one:
            yield posixpath.normpath(one.split(":")[0])
    for one in host.get("Mounts") or []:
        driver = one.get("VolumeOptions", {}).get("DriverConfig", {})
        if one["Type"] == "bind":
            yield one["Source"]
        elif options := driver.get("Options"):
            yield options["device"]


def others(host: dict[str, Any]) -> dict[str, object]:
    """What has a value where nothing was asked for, by variable."""
    devices = ("Devices", "DeviceCgroupRules", "DeviceRequests")
    options = ("CgroupParent", "Annotations")
    # The Engine adds a label to those that share the host's processes or memory.
    shares = "host" in {host["PidMode"], host["IpcMode"]}
    by_itself = {"no-new-privileges", *(["label=disable"] if shares else [])}
    return {
        "CREATE_DEVICES": any(host[name] for name in devices),
        "CREATE_SECURITY": {*(host["SecurityOpt"] or ())} - by_itself
        or not {*PROC} <= {*host["ReadonlyPaths"]}
        or "/sys/firmware" not in host["MaskedPaths"],
        "CREATE_PORTS": host["PublishAllPorts"] or host["PortBindings"],
        "CREATE_DRIVERS": host["LogConfig"]["Type"] == "syslog",
        "CREATE_OPTIONS": any(host.get(name) for name in options)
        or "kernel.domainname" in host.get("Sysctls", {}),
    }


def is_told(power: tuple[str, str], asked: Asked) -> bool:
    """Whether that was found to be asked for."""
    variable, value = power
    return value in DEFAULT_CAPS or any(
        one.variable == variable and value in {"", one.value, one.value[:-3]}
        for one in asked.arguments
    )


@pytest.fixture(scope="module")
def judge(engine: Engine) -> Iterator[tuple[str, dict[str, Any]]]:
    """The Engine's socket, and what it gives a container that asks for nothing."""
    path = str(engine.socket)
    _, seen = make(path, b'{"Image":"busybox","Cmd":["true"]}')
    engine.docker("run", "-d", "--name=judged", "busybox", "sleep", "900")
    yield path, seen["HostConfig"]
    engine.docker("rm", "-f", "judged")
    engine.docker("volume", "prune", "-af")


@pytest.mark.engine
@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(raw=bodies())
def test_a_body_is_read_as_the_engine_reads_it(
    raw: bytes, judge: tuple[str, dict[str, Any]]
) -> None:
    """What passes makes the container that the client's bytes make, with powers that were told."""
    path, given_host = judge
    asked = read(raw)
    if asked is None:
        event("refused")
        return
    status, made = make(path, jsonbody.render(asked.sent().body))
    event(f"the Engine answers {status}")
    directly, seen = make(path, raw)
    assert status == directly
    if made is None:
        return
    missed = [
        power
        for power in powers(made["HostConfig"], given_host)
        if not is_told(power, asked)
    ]
    assert missed == [], asked.arguments
    assert told(made) == told(seen)


@pytest.mark.engine
@pytest.mark.slow
@settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(raw=bodies())
def test_a_body_that_nothing_limits_is_the_same_but_for_the_mark(
    raw: bytes, judge: tuple[str, dict[str, Any]]
) -> None:
    """What is read for its labels alone makes what the client's bytes make, and is marked."""
    path, _ = judge
    try:
        asked = mark("ContainerCreate", mark_only(b"", jsonbody.parse(raw)), "")
    except BadRequest:
        event("refused")
        return
    if asked.body is None or asked.claims:
        event("claims" if asked.claims else "nothing")
        return
    status, made = make(path, jsonbody.render(asked.sent().body))
    event(f"the Engine answers {status}")
    directly, seen = make(path, raw)
    assert status == directly
    if made is None or seen is None:
        return
    take_marks(made)
    assert OWNER_LABEL not in json.dumps(seen)
    assert told(made) == told(seen)


class Kind(NamedTuple):
    """Another operation whose bodies are judged: where it is sent, and what it makes."""

    target: str
    made: str
    """Where the Engine shows it, with the name that it was given."""
    name: str
    """The field of the answer that holds that name."""
    fields: dict[str, list[Any]]
    powers: dict[str, str]
    """Words in what is shown, and the variable that must have been asked for."""


OTHERS: dict[str, Kind] = {
    "VolumeCreate": Kind(
        "/volumes/create", "/volumes/{}", "Name",
        {
            "Driver": ["", "local"],
            "DriverOpts": [
                {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, BY_BIND, {"type": "tmpfs", "o": "rbind,ro", "device": "/"},
                {"type": "nfs", "o": "addr=1.2.3.4", "device": ":/x"}, {"Type": "none"}, {"size": "1m"}, {"type": None}, {},
            ],
            "Labels": [{"a": "b"}, {"a": None}],
            "ClusterVolumeSpec": [{}, {"Group": "x"}],
            "Frob": [1],
        },
        {"bind": "CREATE_BINDS", "nfs": "CREATE_OPTIONS"},
    ),
    "NetworkCreate": Kind(
        "/networks/create", "/networks/{}", "Id",
        {
            "Name": ["judged"],
            "Driver": ["", "bridge", "macvlan", "host"],
            "Internal": [True, False],
            "Attachable": [True, False],
            "ConfigOnly": [True, False],
            "CheckDuplicate": [True],
            "Scope": ["", "local", "swarm"],
            "Options": [{}, {"com.docker.network.driver.mtu": "1400"}, {"com.docker.network.bridge.enable_icc": "false"}],
            "IPAM": [{}, {"Driver": "default"}, {"Config": [{"Subnet": "10.97.1.0/24"}]}, {"Config": [{}]}, {"Options": {"a": "b"}}],
            "ConfigFrom": [{"Network": ""}, {"Network": "none such"}],
            "Labels": [{"a": "b"}],
            "Frob": [1],
        },
        {"macvlan": "CREATE_DRIVERS", "10.97": "CREATE_OPTIONS", "icc": "CREATE_OPTIONS", '"ConfigOnly": true': "CREATE_OPTIONS", '"Attachable": true': "CREATE_OPTIONS"},
    ),
    "ContainerExec": Kind(
        "/containers/judged/exec", "/exec/{}/json", "Id",
        {
            "Cmd": [["id"], []],
            "User": ["", "0"],
            "Privileged": [True, False],
            "Env": [["A=b"], ["PATH=/x"]],
            "WorkingDir": ["/"],
            "Tty": [True],
            "AttachStdout": [True],
            "ConsoleSize": [[1, 2]],
            "Container": ["x"],
            "Frob": [1],
        },
        {'"privileged": true': "EXEC_PRIVILEGED"},
    ),
}  # fmt: skip
VARYING = re.compile(
    r"[0-9a-f]{64}|\d{4}-\d\d-\d\dT[^\"]*|(?:172|192)\.\d+\.\d+\.\d+(?:/\d+)?|\"Pid\": \d+"
)


def made_of(path: str, kind: Kind, body: bytes) -> tuple[int, str]:
    """Send a body; status, and what the Engine then shows, without what always differs."""
    status, made = talk(path, "POST", kind.target, body)
    if status != 201:
        return status, ""
    where = kind.made.format(made[kind.name])
    _, seen = talk(path, "GET", where)
    if not where.startswith("/exec/"):
        talk(path, "DELETE", where)
    return status, VARYING.sub("<>", json.dumps(seen, sort_keys=True))


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("operation", OTHERS)
@settings(
    max_examples=EXAMPLES // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_other_bodies_are_read_as_the_engine_reads_them(
    operation: str, judge: tuple[str, dict[str, Any]], data: st.DataObject
) -> None:
    """The same for volumes, networks and execs."""
    path, _ = judge
    kind = OTHERS[operation]
    pairs = data.draw(objects(kind.fields, 4))
    raw = written(pairs, ascii_only=data.draw(st.booleans())).encode()
    asked = read(raw, operation)
    if asked is None:
        return
    made = made_of(path, kind, jsonbody.render(asked.sent().body))
    assert made == made_of(path, kind, raw)
    told = {one.variable for one in asked.arguments}
    assert {v for word, v in kind.powers.items() if word in made[1]} <= told
