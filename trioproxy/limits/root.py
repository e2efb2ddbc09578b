"""Root on the host: which values of a list give it, and why.

A value is told as root-equivalent where a client that may use it can become root on the
host by it, alone or with what every container may do. Where it depends on things not
seen here (what another container has, what a plugin does), it is told as well.
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from trioproxy.api import normal
from trioproxy.api.families import LIMITS, OBJECTS
from trioproxy.limits import places
from trioproxy.limits.languages import TAG, expression, others, with_stars

ANYTHING: Final = "lists anything"


def _places(*paths: str) -> Mapping[str, places.Place]:
    """Read a table of places: a star is part of any name; a row stands by its one name."""
    found = {path: places.place(with_stars(path, others("/"))) for path in paths}
    if other := [one for one, at in found.items() if len(places.names(at)) > 1]:
        raise AssertionError(f"{other}: written by another name than places has")
    return MappingProxyType(found)


_IN_RUN: Final = (
    "NetworkManager", "balena-engine.sock", "balena.sock", "buildkit", "containerd",
    "credentials", "crio", "dbus", "docker", "fail2ban", "incus", "initramfs", "k3s",
    "libvirt", "lxd", "modprobe.d", "nri", "openvswitch", "podman", "screen",
    "snapd.socket", "sudo", "sysctl.d", "systemd", "tmpfiles.d", "udev", "user",
)  # fmt: skip
_IN_VAR: Final = (
    "lib/NetworkManager", "lib/amazon", "lib/buildkit", "lib/cloud", "lib/containerd",
    "lib/containers", "lib/dkms", "lib/docker", "lib/dpkg", "lib/etcd", "lib/incus",
    "lib/kubelet", "lib/libvirt", "lib/lxd", "lib/machines", "lib/polkit-1",
    "lib/portables", "lib/rancher", "lib/snapd", "lib/systemd", "lib/waagent",
    "snap/docker", "snap/lxd", "snap/microk8s", "spool/anacron", "spool/at",
    "spool/cron",
)  # fmt: skip
_IN_HOMES: Final = (
    ".bash_aliases", ".bash_login", ".bash_profile", ".bashrc", ".colima",
    ".config/autostart", ".config/systemd", ".docker/cli-plugins",
    ".docker/config.json", ".docker/desktop", ".docker/run", ".gitconfig", ".kube",
    ".lima", ".local/bin", ".orbstack", ".profile", ".rd", ".ssh", ".vscode-server",
    ".zprofile", ".zshenv", ".zshrc", "bin",
)  # fmt: skip
_IN_TMP: Final = ("/tmp/screens", "/tmp/ssh-*", "/tmp/tmux-*")  # noqa: S108  names
"""Sockets by which another user's shells and keys are reached, root's too. So `/tmp` as a
whole is root, and what a client makes for itself in there is not."""

_TREES: Final[Mapping[str, places.Place]] = _places(
    *("/etc", "/boot", "/dev", "/efi", "/gnu/store", "/initrd.img", "/nix"),
    *("/opt/cni", "/opt/containerd", "/ostree", "/overlay", "/proc", "/root"),
    *("/.snapshots", "/swapfile", "/sys", "/sysroot", "/usr"),
    *(f"/run/{name}" for name in _IN_RUN),
    *(f"/var/{name}" for name in _IN_VAR),
    *(f"/home/*/{name}" for name in _IN_HOMES),
    *_IN_TMP,
)  # fmt: skip
"""Where whoever may write, or read keys, is root, or soon; by the names of `places`.

What root runs or reads as its own; sockets by which root does what it is told (a
container's root is root to D-Bus, libvirt and LXD as well); what a user's shell runs,
for who may ask the Engine is root; other roots of this system, as snapshots are.
"""


@cache
def _tree() -> places.Tree:
    """The same, with all that lies in them, for look-ups."""
    both = (one for place in _TREES.values() for one in (place, place.inside))
    return places.Tree(both)


_READABLE: Final = frozenset(
    _places(
        "/etc/ca-certificates", "/etc/group", "/etc/hostname", "/etc/hosts",
        "/etc/localtime", "/etc/machine-id", "/etc/os-release", "/etc/passwd",
        "/etc/resolv.conf", "/etc/ssl/certs", "/etc/timezone", "/run/udev",
        "/usr/lib/modules", "/usr/lib/os-release", "/usr/share/ca-certificates",
        "/usr/share/zoneinfo",
    ).values()
)  # fmt: skip
"""What may be read there, and no more."""

SOCKET: Final = re.compile(
    r".*/(?:docker(?:\.raw)?|containerd|podman|buildkitd|crio|dockershim|cri-dockerd|frakti)"
    r"\.sock(?:\.[A-Za-z]+)?"
)
"""Sockets of engines."""

_CAPS: Final = dict.fromkeys(
    (
        "ALL", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "MAC_ADMIN",
        "MAC_OVERRIDE", "PERFMON", "SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_PTRACE",
        "SYS_RAWIO", "SYSLOG",
    ),
    "is power over the kernel",
) | {"MKNOD": "makes nodes of the host's disks, which the Engine opens as it packs"}  # fmt: skip
"""Capabilities, and why; see `nodes` for the last one, which every container has unasked."""
_DEVICES: Final = re.compile(
    r"gpu|/dev/(?:fuse|kvm|net/tun|null|zero|full|random|urandom|dri(?:/.*)?|snd(?:/.*)?"
    r"|video[0-9]+|tty(?:USB|ACM|AMA|S)[0-9]+|serial/.*|i2c-[0-9]+|gpiochip[0-9]+"
    r"|hidraw[0-9]+|nvidia.*|ppp|rtc[0-9]*|watchdog[0-9]*)"
)
"""Devices that are no way to the host's memory or disks."""
_RUNTIMES: Final = frozenset(
    {"crun", "io.containerd.runc.v2", "io.containerd.runsc.v1", "kata", "kata-runtime"}
    | {"nvidia", "runc", "runsc", "sysbox-runc", "youki"}
)
_NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ipc:container": "takes over another container's memory, which may be the host's",
        "ipc:host": "reaches the memory that the host's processes share",
        "net:container": "takes over another container's network, which may be the host's",
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
    r"(?:ContainerCreate:HostConfig\.(?:CgroupParent|Cgroup|LogConfig\.Config\..*|Tmpfs"
    r"|StorageOpt\..*)"
    r"|ContainerUpdate:CgroupParent"
    r"|ContainerCreate:NetworkingConfig\.EndpointsConfig\.DriverOpts\..*"
    r"|NetworkConnect:EndpointConfig\.DriverOpts\..*"
    r"|NetworkCreate:(?:Attachable|ConfigFrom|ConfigOnly|IPAM\.Config\.Subnet"
    r"|IPAM\.Options\..*|Ingress|Options\..*|Scope)"
    # Of the driver `local`, for others are plugins. A bind is CREATE_BINDS'.
    r"|(?:VolumeCreate:DriverOpts"
    r"|ContainerCreate:HostConfig\.Mounts\.VolumeOptions\.DriverConfig\.Options)"
    r"\.(?:device|o|type=(?:nfs4?|cifs|smb3|tmpfs)\Z)"
    r"|ContainerExec:Env\..*"
    r"|ImageBuild:(?:remote|cgroupparent|outputs|buildid))(?:=.*)?"
)
"""Options that give no root by themselves; all others are taken to."""


def of_item(variable: str, item: str, *, base: str = "") -> str:
    """Say why an item of a list is root on the host; empty if no way is known."""
    rule = _RULES[variable]
    if item == "*":
        return ANYTHING if rule.counts_any else ""
    return rule.why(item.replace("{base}", base))


def _of_bind(item: str) -> str:
    path, _, mode = item.partition(":")
    return _of_pattern(path.removesuffix("/*") or "/", is_read_only=mode == "ro")


def _of_cap(item: str) -> str:
    return _CAPS.get(item, "")


def _of_device(item: str) -> str:
    is_known = _DEVICES.fullmatch(normal.unquote(item))
    return "" if is_known else "may be the host's disks or memory"


def _of_driver(item: str) -> str:
    is_volumes = item.startswith("volume:")
    return "is a plugin, which may mount anything" if is_volumes else ""


def _of_namespace(item: str) -> str:
    return _NAMESPACES.get(item, "")


def _of_option(item: str) -> str:
    if _HARMLESS_OPTIONS.fullmatch(item):
        return ""
    return "may give anything, nothing is known of it"


def _of_privileged(item: str) -> str:
    return "is privileged" if item == "1" else ""


def _of_runtime(item: str) -> str:
    return "" if item in _RUNTIMES else "is a program that runs as root"


def _of_security(item: str) -> str:
    return next((why for v, why in _SECURITY.items() if _may_be(item, v)), "")


def _harmless(_: str) -> str:
    return ""


class _Rule(NamedTuple):
    """Which items of a variable give root."""

    why: Callable[[str], str]
    """Says it of one item, but for `*`."""
    counts_any: bool = True
    """Whether listing anything gives root."""


_RULES: Final[Mapping[str, _Rule]] = MappingProxyType(
    {
        "BUILD_OPTIONS": _Rule(_of_option),
        "CREATE_BINDS": _Rule(_of_bind),
        "CREATE_CAPS": _Rule(_of_cap),
        "CREATE_DEVICES": _Rule(_of_device),
        "CREATE_DRIVERS": _Rule(_of_driver),
        "CREATE_IMAGES": _Rule(_harmless, counts_any=False),
        "CREATE_NAMESPACES": _Rule(_of_namespace),
        "CREATE_OPTIONS": _Rule(_of_option),
        "CREATE_PORTS": _Rule(_harmless, counts_any=False),
        "CREATE_PRIVILEGED": _Rule(_of_privileged),
        "CREATE_RUNTIMES": _Rule(_of_runtime),
        "CREATE_SECURITY": _Rule(_of_security),
        "CREATE_TAGS": _Rule(_harmless, counts_any=False),
        "EXEC_COMMANDS": _Rule(_harmless, counts_any=False),
        "EXEC_OPTIONS": _Rule(_of_option),
        "EXEC_PRIVILEGED": _Rule(_of_privileged),
        "EXEC_USERS": _Rule(_harmless, counts_any=False),
        "PULL_IMAGES": _Rule(_harmless, counts_any=False),
        "PULL_OPTIONS": _Rule(_of_option),
        **dict.fromkeys(OBJECTS, _Rule(_harmless)),
    }
)
if missing := _RULES.keys() ^ {*LIMITS, *OBJECTS}:
    raise AssertionError(f"say when {sorted(missing)} gives root")


def of_path(path: str) -> str:
    """Say why a folder or file of the host gives root; empty if no way is known."""
    return _of_pattern(normal.quote(path))


@lru_cache(maxsize=1024)  # the same values come in one list after another
def _of_pattern(path: str, *, is_read_only: bool = False) -> str:
    """The same for a path as a list has it: any segment may hold a `*`."""
    if "*" not in path and SOCKET.fullmatch(normal.unquote(path)):
        return "is an engine, and whoever reaches it is root"
    given = places.place(with_stars(path, TAG))
    # Its own name first: that is what a person wrote.
    for links in (places.NO_LINKS, places.SAME, places.EVERY):
        itself = [
            name
            for name in places.names(given, links)
            if not (is_read_only and name in _READABLE)
        ]
        if _ROOT in itself and given != _ROOT:
            return "may be the root of a system"
        inside = places.names(given.inside, links) if itself else ()
        if not any(map(_tree().meets, (*itself, *inside))):
            continue  # nearly always, and none of them need be tried
        for tree, place in _TREES.items():
            if any(place.meets(name) for name in itself):
                return f"is {tree}"
            if any(place.inside.meets(name) for name in itself):
                return f"lies in {tree}"
            if any(place.meets(name) for name in inside):
                return f"holds {tree}"
    return ""


_ROOT: Final = places.Place(())


def _may_be(item: str, value: str) -> bool:
    """Whether an item with a `*` in it, or without, fits a value."""
    if "*" not in item:
        return item == value
    return bool(re.fullmatch(expression([with_stars(item, TAG)]), value))
