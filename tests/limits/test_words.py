"""What people read about a variable and its values is about these, and no others."""

from collections.abc import Iterator

import pytest

from trioproxy.api.families import VARIABLES
from trioproxy.api.fields import ARGUED, SOURCES, rows
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.meaning import meaning_of
from trioproxy.limits.patterns import parse_ports
from trioproxy.limits.sorts import (
    DEVICES,
    DRIVERS,
    NAMESPACES,
    OPTIONS,
    PROTECTIONS,
    KnownValue,
    line_of,
)

ABOUT = {
    "BUILD_OPTIONS": "build",
    "CREATE_BINDS": "folders",
    "CREATE_CAPS": "capabilities",
    "CREATE_DEVICES": "devices",
    "CREATE_DRIVERS": "drivers",
    "CREATE_IMAGES": "images",
    "CREATE_NAMESPACES": "host's",
    "CREATE_OPTIONS": "no variable",
    "CREATE_PORTS": "ports",
    "CREATE_PRIVILEGED": "all devices and capabilities",
    "CREATE_RUNTIMES": "run containers",
    "CREATE_SECURITY": "protections",
    "CREATE_TAGS": "names of images",
    "EXEC_COMMANDS": "commands",
    "EXEC_OPTIONS": "no variable",
    "EXEC_PRIVILEGED": "capabilities",
    "EXEC_USERS": "users",
    "PULL_IMAGES": "pulled",
    "PULL_OPTIONS": "no variable",
}
KNOWN = {
    "CREATE_DEVICES": DEVICES,
    "CREATE_DRIVERS": DRIVERS,
    "CREATE_NAMESPACES": NAMESPACES,
    "CREATE_SECURITY": PROTECTIONS,
}
NOUNS = {
    "cgroup": "control groups",
    "ipc": "shared memory",
    "net": "network",
    "pid": "processes",
    "userns": "users",
    "uts": "name",
    "volumes": "mounts",
    "links": "environment",
    "apparmor": "AppArmor",
    "label": "SELinux",
    "seccomp": "seccomp",
    "paths": "/proc",
    "no-new-privileges": "privileges",
    "writable-cgroups": "control groups",
    "ipam": "addresses",
    "log": "logs",
    "network": "networks",
    "volume": "volumes",
    "driver": "driver",
    "gpu": "GPUs",
    "rule": "rules",
}
"""What a value is about, by the word it begins with."""

IN_FIELDS = {
    "Env": "environment",
    "Annotations": "annotations",
    "Cgroup": "control group",
    "DeviceRequests": "device drivers",
    "LogConfig": "log drivers",
    "Propagation": "travel",
    "VolumeOptions": "volume drivers",
    "StorageOpt": "storage",
    "Sysctls": "kernel",
    "Tmpfs": "mount",
    "EndpointsConfig.DriverOpts": "network drivers",
    "EndpointConfig.DriverOpts": "network drivers",
    "VolumeCreate:DriverOpts": "volume drivers",
    "NetworkCreate:Options": "network drivers",
    "Subnet": "addresses",
    "IPAM.Options": "address drivers",
    "cgroupparent": "control group",
    "dockerfile": "Dockerfile",
    "networkmode": "network",
    "securityopt": "protections",
    "ClusterVolumeSpec": "swarm",
    "Scope": "swarm",
}
"""What a field is about, by a part of its name."""


def option_fields() -> Iterator[str]:
    """The fields whose values are told by their names, `Operation:Field`."""
    for operation in ARGUED.values():
        readers = [(name, one.reader) for name, one in rows(operation)]
        for name, reader in (*readers, *operation.query.items()):
            # Options of drivers are told by name too, where they are no bind.
            variable = SOURCES[reader].variable if reader else ""
            if reader == "driver-options" or variable.endswith("_OPTIONS"):
                yield f"{operation.name}:{name}"


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_a_variable_is_told_as_what_it_is(variable: str) -> None:
    """Each of them has words, about all that it limits."""
    assert VARIABLES.keys() == ABOUT.keys()
    assert ABOUT[variable] in line_of(variable)


@pytest.mark.parametrize(
    ("variable", "begin", "known"),
    [(name, begin, one) for name, rows in KNOWN.items() for begin, one in rows.items()],
)
def test_a_value_is_told_as_what_it_is(
    variable: str, begin: str, known: KnownValue
) -> None:
    """Its words have the noun that belongs to it; what is the host's or another's is told so."""
    told = line_of(variable, begin + "x" * begin.endswith(":"))
    noun = NOUNS[begin.partition(":")[0]]
    assert noun in told
    assert told == known.line
    assert begin.endswith(":host") == told.startswith("the host's")
    assert begin.endswith(":container") == told.startswith("another container's") or (
        begin == "links"
    )


def test_every_field_is_told() -> None:
    """Words and table have the same fields, mounts aside, of which any field is one."""
    assert {*option_fields()} == OPTIONS.keys() - {"ContainerCreate:HostConfig.Mounts"}


@pytest.mark.parametrize("field", sorted(option_fields()))
def test_a_field_is_told_as_what_it_is(field: str) -> None:
    """Its words are its own, with an entry and a value behind it too."""
    variable = f"{ARGUED[field.partition(':')[0]].family.options}"
    for item in (field, f"{field}.entry", f"{field}.an.entry=a.value"):
        assert line_of(variable, item) == OPTIONS[field]
    for part, noun in IN_FIELDS.items():
        if part in field:
            assert noun in OPTIONS[field], part


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("CREATE_NAMESPACES=net:host", "the host's network"),
        (
            "CREATE_NAMESPACES=pid:host,net:host,links",
            "the host's processes, the host's network, another container's environment",
        ),
        (
            "CREATE_SECURITY=seccomp:unconfined",
            "the system calls that seccomp lets through",
        ),
        (
            "CREATE_OPTIONS=ContainerCreate:HostConfig.Sysctls.vm.max=1",
            "settings of the kernel",
        ),
        ("CREATE_OPTIONS=", "what has no variable of its own"),
        ("CREATE_OPTIONS=*", "what has no variable of its own"),
        (
            "CREATE_OPTIONS=ContainerCreate:NewField",
            "what has no variable of its own",
        ),
        ("CREATE_DEVICES=/dev/fuse,gpu", "devices of the host, GPUs"),
    ],
    ids=lambda text: text.partition(".")[0],
)
def test_a_list_is_told_item_by_item(line: str, told: str) -> None:
    """In a file's meaning stands what its own values are, each thing once."""
    variable, _, value = line.partition("=")
    policy, _ = parse_policy({"ALLOW_OPERATIONS": "ContainerCreate", variable: value})
    (found,) = (one for one in meaning_of(policy).limits if one.variable == variable)
    assert found.line == told


PORTS: dict[str, tuple[str, int, int, str] | None] = {
    "80": ("", 80, 80, "tcp"),
    "80/udp": ("", 80, 80, "udp"),
    "127.0.0.1:8000-8010/udp": ("127.0.0.1", 8000, 8010, "udp"),
    "[::1]:80": ("[::1]", 80, 80, "tcp"),
    "random": ("", 0, 0, "tcp"),
    "127.0.0.1:random/sctp": ("127.0.0.1", 0, 0, "sctp"),
    **dict.fromkeys(["", "0", "080", "80/", "80-", "-80", "x", "::1:80", "80/TCP", "%38"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "ports"), PORTS.items(), ids=PORTS)
def test_ports_in_normal_form(
    text: str, ports: tuple[str, int, int, str] | None
) -> None:
    """An address or all, a range, and a protocol: where none is said it is TCP."""
    assert parse_ports(text) == ports
