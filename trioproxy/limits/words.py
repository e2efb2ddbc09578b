"""What a variable limits and what a value of it is, in words for people.

One variable is about many things: `net:host` is the host's network, and `pid:host` its
processes. So a value has words of its own wherever those of its variable say less; a test
holds these tables to the table of all fields.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from trioproxy.api.families import LIMITS

VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "BUILD_OPTIONS": "options of builds",
        "CREATE_BINDS": "folders and files of the host",
        "CREATE_CAPS": "capabilities of the kernel",
        "CREATE_DEVICES": "devices of the host",
        "CREATE_DRIVERS": "drivers of logs, volumes, networks and addresses",
        "CREATE_IMAGES": "images of containers",
        "CREATE_NAMESPACES": "what is the host's or another container's",
        "CREATE_OPTIONS": "what has no variable of its own",
        "CREATE_PORTS": "ports of the host",
        "CREATE_PRIVILEGED": "all devices and capabilities",
        "CREATE_RUNTIMES": "programs that run containers",
        "CREATE_SECURITY": "protections that are changed or taken off",
        "CREATE_TAGS": "names of images that are written or pushed",
        "EXEC_COMMANDS": "commands, by their first word",
        "EXEC_OPTIONS": "what has no variable of its own",
        "EXEC_PRIVILEGED": "all capabilities",
        "EXEC_USERS": "users that commands run as",
        "PULL_IMAGES": "images that are pulled or imported",
        "PULL_OPTIONS": "what has no variable of its own",
    }
)

if missing := VARIABLES.keys() ^ LIMITS:
    raise AssertionError(f"say what {sorted(missing)} limits")

VALUES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "CREATE_DEVICES": {
            "gpu": "GPUs",
            "rule": "rules for devices",
            "driver:": "devices of a driver",
        },
        "CREATE_DRIVERS": {
            "ipam:": "drivers of addresses",
            "log:": "drivers of logs",
            "network:": "drivers of networks",
            "volume:": "drivers of volumes",
        },
        "CREATE_NAMESPACES": {
            "cgroup:host": "the host's control groups",
            "cgroup:": "control groups of others",
            "ipc:host": "the host's shared memory",
            "ipc:container": "another container's shared memory",
            "ipc:": "shared memory that others may join",
            "links": "another container's environment",
            "net:host": "the host's network",
            "net:container": "another container's network",
            "net:": "a network of others",
            "pid:host": "the host's processes",
            "pid:container": "another container's processes",
            "pid:": "processes of others",
            "userns:host": "the host's users",
            "userns:": "users of others",
            "uts:host": "the host's name",
            "uts:": "names of others",
            "volumes:container": "another container's mounts",
        },
        "CREATE_SECURITY": {
            "apparmor:": "the profile of AppArmor",
            "label:": "the labels of SELinux",
            "no-new-privileges:": "programs that gain privileges",
            "paths:unmasked": "hidden parts of /proc and /sys",
            "paths:writable": "protected parts of /proc",
            "seccomp:": "the system calls that seccomp lets through",
            "writable-cgroups:": "control groups that may be written",
        },
    }
)
"""By variable: how values begin, and what such a value is."""

OPTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ContainerCreate:Env": "the environment of Podman",
        "ContainerCreate:HostConfig.Annotations": "annotations for the runtime",
        "ContainerCreate:HostConfig.Cgroup": "a control group of others",
        "ContainerCreate:HostConfig.CgroupParent": "the control group above",
        "ContainerCreate:HostConfig.DeviceRequests.Options": "options of device drivers",
        "ContainerCreate:HostConfig.LogConfig.Config": "options of log drivers",
        "ContainerCreate:HostConfig.Mounts": "mount options",
        "ContainerCreate:HostConfig.Mounts.BindOptions.Propagation": (
            "mounts that travel between host and container"
        ),
        "ContainerCreate:HostConfig.Mounts.TmpfsOptions.Options": "mount options",
        "ContainerCreate:HostConfig.Mounts.VolumeOptions.DriverConfig.Options": (
            "options of volume drivers"
        ),
        "ContainerCreate:HostConfig.StorageOpt": "options of the storage driver",
        "ContainerCreate:HostConfig.Sysctls": "settings of the kernel",
        "ContainerCreate:HostConfig.Tmpfs": "mount options",
        "ContainerCreate:NetworkingConfig.EndpointsConfig.DriverOpts": (
            "options of network drivers"
        ),
        "ContainerExec:Env": "names in the environment of commands",
        "ContainerUpdate:CgroupParent": "the control group above",
        "ContainerUpdate:DeviceRequests.Options": "options of device drivers",
        "ImageBuild:buildid": "builds that can be cancelled",
        "ImageBuild:cgroupparent": "the control group above build steps",
        "ImageBuild:dockerfile": "a Dockerfile from elsewhere",
        "ImageBuild:networkmode": "the network of build steps",
        "ImageBuild:outputs": "where the result of a build goes",
        "ImageBuild:remote": "addresses to build from",
        "ImageBuild:securityopt": "protections of build steps",
        "ImageBuild:session": "files and secrets of the client for build steps",
        "ImageBuild:version": "BuildKit in place of the builder",
        "ImageCommit:Env": "the environment of Podman",
        "NetworkConnect:EndpointConfig.DriverOpts": "options of network drivers",
        "NetworkCreate:Attachable": "networks of the swarm that any container may join",
        "NetworkCreate:ConfigFrom": "settings of another network",
        "NetworkCreate:ConfigOnly": "networks that are settings for others",
        "NetworkCreate:IPAM.Config.Subnet": "addresses of networks",
        "NetworkCreate:IPAM.Options": "options of address drivers",
        "NetworkCreate:Ingress": "the network of the swarm's ports",
        "NetworkCreate:Options": "options of network drivers",
        "NetworkCreate:Scope": "networks of the swarm",
        "VolumeCreate:ClusterVolumeSpec": "volumes of the swarm",
        "VolumeCreate:DriverOpts": "options of volume drivers",
    }
)
"""By field, what a value of a variable `*_OPTIONS` is, which begins with it."""


def line_of(variable: str, value: str = "") -> str:
    """Say what a variable limits; with a value, what each of its items is."""
    words = [_of_item(variable, item) for item in value.split(",") if value]
    return ", ".join(dict.fromkeys(words)) or VARIABLES[variable]


def _of_item(variable: str, item: str) -> str:
    if variable.endswith("_OPTIONS"):
        field = item.partition("=")[0]
        while field:
            if field in OPTIONS:
                return OPTIONS[field]
            field = field.rpartition(".")[0]
    rows = VALUES.get(variable, {}).items()
    found = (line for begin, line in rows if item.startswith(begin))
    return next(found, VARIABLES[variable])
