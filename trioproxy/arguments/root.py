"""Root on the host: which values of a list give it, and why.

A value is told as root-equivalent where a client that may use it can become root on the
host by it, alone or with what every container may do. Where it depends on things not
seen here (what another container has, what a plugin does), it is told as well.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from trioproxy.arguments import normal

ANYTHING: Final = "lists anything"

_TREES: Final = ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr", "/run/containerd", "/run/docker", "/run/systemd", "/run/user", "/var/run/containerd", "/var/run/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/docker", "/var/lib/kubelet", "/var/spool/cron", "/home/*/.ssh"]  # fmt: skip
"""Where whoever may write, or read keys, is root, or soon."""

_READABLE: Final = frozenset(
    {
        "/etc/group", "/etc/hostname", "/etc/hosts", "/etc/localtime", "/etc/machine-id",
        "/etc/os-release", "/etc/passwd", "/etc/resolv.conf", "/etc/ssl/certs",
        "/etc/timezone", "/lib/modules", "/usr/lib/os-release", "/usr/share/zoneinfo",
    }
)  # fmt: skip
"""What may be read there, and no more."""

SOCKET: Final = re.compile(
    r".*/(?:docker|containerd|podman|buildkitd|crio|dockershim|cri-dockerd|frakti)"
    r"\.sock(?:\.[A-Za-z]+)?"
)
"""Sockets of engines."""

_CAPS: Final = frozenset(
    {
        "ALL", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "MAC_ADMIN",
        "MAC_OVERRIDE", "PERFMON", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_PTRACE",
        "SYS_RAWIO", "SYSLOG",
    }
)  # fmt: skip
_DEVICES: Final = re.compile(
    r"gpu|/dev/(?:fuse|kvm|net/tun|null|zero|full|random|urandom|dri(?:/.*)?|snd(?:/.*)?"
    r"|video[0-9]+|tty(?:USB|ACM|AMA|S)[0-9]+|serial/.*|i2c-[0-9]+|gpiochip[0-9]+"
    r"|hidraw[0-9]+|bus/usb(?:/.*)?|nvidia.*|ppp|rtc[0-9]*|watchdog[0-9]*)"
)
"""Devices that are no way to the host's memory or disks."""
_RUNTIMES: Final = frozenset(
    {"crun", "io.containerd.runsc.v1", "kata", "kata-runtime", "nvidia", "runsc"}
    | {"sysbox-runc", "youki"}
)
_NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "net:host": "reaches what listens on the host for itself",
        "pid:container": "reaches into another container",
        "pid:host": "reaches the host's processes",
        "volumes:container": "takes over what another container mounts",
    }
)
_SECURITY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "paths:writable": "writes the kernel's settings",
        "writable-cgroups:true": "writes control groups",
    }
)
_HARMLESS_OPTIONS: Final = re.compile(
    r"(?:ContainerCreate:HostConfig\.(?:CgroupParent|Cgroup|LogConfig\..*|Tmpfs|StorageOpt\..*)"
    r"|ContainerCreate:NetworkingConfig\..*"
    r"|.*DriverOpts\.type=(?:nfs4?|cifs|smb3|tmpfs)|.*DriverOpts\.o|.*DriverOpts\.o=.*"
    r"|.*DriverConfig\.Options\.type=(?:nfs4?|cifs|smb3|tmpfs)|.*DriverConfig\.Options\.o"
    r"|.*\.device(?:=.*)?|ContainerExec:.*|Network(?:Create|Connect):.*|ImageCreate:.*"
    r"|ImageBuild:(?:remote|cgroupparent|outputs|buildid)(?:=.*)?)"
)
"""Options that give no root by themselves; all others are taken to."""


def of_item(variable: str, item: str, *, base: str = "") -> str:
    """Say why an item of a list is root on the host; empty if no way is known."""
    if item == "*":
        return "" if variable in _HARMLESS_AT_ANY else ANYTHING
    match variable:
        case "CREATE_BINDS":
            return _of_bind(item.replace("{base}", base))
        case "CREATE_PRIVILEGED" | "EXEC_PRIVILEGED":
            return "is privileged" if item == "1" else ""
        case "CREATE_NAMESPACES":
            return _NAMESPACES.get(item, "")
        case "CREATE_SECURITY":
            return _SECURITY.get(item, "")
        case _:
            return _of_word(variable, item)


_HARMLESS_AT_ANY: Final = frozenset(
    {
        "CREATE_IMAGES", "CREATE_PORTS", "CREATE_TAGS", "EXEC_COMMANDS", "EXEC_USERS",
        "PULL_IMAGES",
    }
)  # fmt: skip


def _of_word(variable: str, item: str) -> str:
    match variable:
        case "CREATE_CAPS" if item in _CAPS:
            return "is power over the kernel"
        case "CREATE_DEVICES" if not _DEVICES.fullmatch(normal.unquote(item)):
            return "may be the host's disks or memory"
        case "CREATE_DRIVERS" if item.startswith("volume:"):
            return "is a plugin, which may mount anything"
        case "CREATE_RUNTIMES" if item not in _RUNTIMES:
            return "is a program that runs as root"
        case "BUILD_OPTIONS" | "CREATE_OPTIONS" if not _HARMLESS_OPTIONS.fullmatch(
            item
        ):
            return "may give anything, nothing is known of it"
        case _:
            return ""


def _of_bind(item: str) -> str:
    path, _, mode = item.partition(":")
    is_tree = path.endswith("/*")
    path = normal.unquote(path.removesuffix("/*") or "/")
    if mode == "ro" and path in _READABLE and not is_tree:
        return ""
    return of_path(path)


def of_path(path: str) -> str:
    """Say why a folder or file of the host gives root; empty if no way is known."""
    if SOCKET.fullmatch(path):
        return "is an engine, and whoever reaches it is root"
    for tree in _TREES:
        pattern = tree.split("/")
        given = path.rstrip("/").split("/")
        both = zip(pattern, given, strict=False)
        if all(p in {"*", g} or g == "*" for p, g in both):
            if len(given) >= len(pattern):
                return f"is {tree}" if len(given) == len(pattern) else f"lies in {tree}"
            return f"holds {tree}"
    return ""


def is_reached(fits: Callable[[str], bool]) -> bool:
    """Whether a pattern of paths fits a folder that is root on the host, or holds one."""
    return any(fits(path) or fits(f"{path}:ro") for path in _ROOTS)


_ROOTS: Final = frozenset(
    normal.quote("/".join(parts[:end]) or "/")
    for parts in (tree.split("/") for tree in _TREES)
    for end in range(1, len(parts) + 1)
)
