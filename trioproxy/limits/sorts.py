"""Sorts: what variables list, each sort of values in one place.

All that is known of a sort is one value, a `Sort`: how an item is written, which items are
root on the host, what may be kept of a value, what a value is for people. None of it can be
left out, and what is not known of a value is never taken for harmless.

An item is told as root-equivalent where a client that may use it can become root on the
host by it, alone or with what every container may do. Where it depends on things not
seen here (what another container has, what a plugin does), it is told as well.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, auto
from functools import cache
from typing import Final, NamedTuple

from trioproxy.api import fields, normal
from trioproxy.api.arguments import DEFAULT_USER, PROGRAM, told_option
from trioproxy.api.families import (
    ANYWHERE,
    BASE,
    BUILT,
    MOVING,
    NOWHERE,
    PROJECT,
    PROXY,
    TMP,
    VARIABLES,
    Family,
    Places,
)
from trioproxy.api.readers import HARMLESS_CAPS, WITHOUT_DEVICES
from trioproxy.errors import ConfigError
from trioproxy.limits import root
from trioproxy.limits.languages import REST, TAG, expression, is_literal
from trioproxy.limits.patterns import (
    READ_ONLY,
    Bad,
    Pattern,
    Ports,
    Words,
    check_escapes,
    check_holes,
    check_quoted,
    image_of,
    path_of,
    port_of,
)
from trioproxy.limits.varying import HOLE, joined, with_holes


class Varies(Enum):
    """Where in a value stands what differs from run to run, and so may stand a hole."""

    PATH = auto()
    """In any of its segments but the first."""
    IMAGE = auto()
    """In its tag, or in its name."""
    VALUE = auto()
    """Behind its `=`."""
    USER = auto()
    """In its number."""
    PORT = auto()
    NEVER = auto()

    @property
    def holes(self) -> frozenset[str]:
        """The kinds of holes that may stand there, beside a `*`."""
        if self in {Varies.PATH, Varies.IMAGE, Varies.VALUE}:
            return frozenset({"num", "hex", "rand", "uuid", "date", "uid"})
        return frozenset({"uid"} if self is Varies.USER else ())


class Sort(NamedTuple):
    """A sort of values: all that is known of it."""

    item: Callable[[str, str, Family], Words | Ports]
    """Parses an item, by what `@proxy` stands for and the family that lists it.
    Raises `Bad` for what can never fit."""
    root: Callable[[str], str]
    """Says why an item other than `*` is root; `nothing` is the one that knows no way by any."""
    kept: Callable[[str], str]
    """Gives the item that lists a value and may be written down, or `NOT_KEPT`; `str`: all of it."""
    says: Callable[[str], str]
    """Says what an item is, for people; empty where that is no more than its variable says."""
    varies: Varies


def parse_pattern(
    variable: str, text: str, *, places: Places = NOWHERE, proxy: str = ""
) -> Pattern:
    """Parse an item; `proxy`: what `@proxy` stands for. Raises `ConfigError` for what can
    never fit, with a hint."""
    try:
        check_escapes(text)
        meant = _put_in(variable, text, places)
        check_holes(meant, sort_of(variable).varies.holes)
        means = sort_of(variable).item(meant, proxy, VARIABLES[variable].family)
    except Bad as error:
        raise ConfigError(
            f"{text[:64]!r} in {variable}: {error}", hint=error.hint
        ) from None
    return Pattern(text, means)


def is_listable(variable: str, item: str) -> bool:
    """Whether an item can stand in a list of this variable, wherever that is."""
    try:
        parse_pattern(variable, item, places=ANYWHERE, proxy="/any")
    except ConfigError:
        return False
    return True


def listable(variable: str, value: str) -> str:
    """The item that lists a value, in normal form, and may be written down, or `NOT_KEPT`."""
    item = sort_of(variable).kept(value)
    # More than that nothing reads, be it to refuse it.
    is_short = len(item) <= normal.LONGEST
    return item if is_short and is_listable(variable, item) else NOT_KEPT


_FOLDER: Final = re.compile(rf"^(?:{BASE}|{TMP})(?=[/:]|$)")


def _put_in(variable: str, text: str, places: Places) -> str:
    """Put what is meant in the place of what moves, before anything else is read: so it is
    judged like any other item. Raises `Bad` where it cannot stand, or stands for nothing."""
    varies = sort_of(variable).varies
    rest = _FOLDER.sub("", text, count=1) if variable == "CREATE_BINDS" else text
    if variable == "CREATE_BINDS" or varies is Varies.IMAGE:
        rest = rest.replace(PROJECT, "")
    if any(hole in rest for hole in MOVING):
        raise Bad("it begins no path and is no name", f"write {BASE}/..., or its value")
    meant = places.meant(text)
    for hole, name in MOVING.items():
        if hole in meant:
            example = "shop" if hole == PROJECT else "/a/folder"
            raise Bad(f"{hole} stands for nothing", f"set {name}={example}")
    return meant


def why_root(variable: str, item: str, *, places: Places = NOWHERE) -> str:
    """Say why an item of a list is root on the host, where an operation of its family is
    one without a list; empty if no way is known."""
    root = sort_of(variable).root
    if item == "*":
        return "" if root is nothing else "lists anything"
    return root(places.meant(item))


def line_of(variable: str, value: str = "") -> str:
    """Say what a variable limits; with a value, what each of its items is."""
    line, says = VARIABLES[variable].line, sort_of(variable).says
    words = [says(item) or line for item in value.split(",") if value]
    return ", ".join(dict.fromkeys(words)) or line


# --- What sorts have in common ------------------------------------------------------

NOT_KEPT: Final = ""
"""In place of a value of which nothing may be kept."""


def nothing(_: str) -> str:
    """Say nothing of any item: none is root, or is more than its variable says."""
    return ""


def _only(pattern: re.Pattern[str]) -> Callable[[str], str]:
    """Keep what is of a pattern as a whole, and of all else nothing."""
    return lambda value: value if pattern.fullmatch(value) else NOT_KEPT


class KnownValue(NamedTuple):
    """A value that is known, or many that begin alike and with a colon."""

    line: str
    """What it is."""
    root: str
    """Why it is root; empty if no way is known."""


def _known(table: str) -> Mapping[str, KnownValue]:
    """Read a table: how values begin, what they are, and if they are root, why."""
    rows = (map(str.strip, row.split("|")) for row in table.splitlines())
    return {value: KnownValue(line, "".join(root)) for value, line, *root in rows}


def _rooted(known: Mapping[str, KnownValue]) -> Callable[[str], str]:
    rows = [(begin, row.root) for begin, row in known.items() if row.root]
    return lambda item: next((why for begin, why in rows if _may_be(item, begin)), "")


def _said(known: Mapping[str, KnownValue]) -> Callable[[str], str]:
    return lambda item: next(
        (row.line for begin, row in known.items() if item.startswith(begin)), ""
    )


def _may_be(item: str, value: str) -> bool:
    """Whether an item, with a `*` in it or without, fits a value, or any that begin so."""
    if value.endswith(":"):
        return item.startswith(value)
    # The item against the value that is known, for it is the item that may hold a star: `pid:*` lists `pid:host`.
    return bool(re.fullmatch(expression(with_holes(item, TAG)), value))


def _exactly(text: str) -> Words:
    return Words((text,))


def _word(text: str, *_: object) -> Words:
    check_quoted(text)
    return Words(*with_holes(text, TAG))


def _among(
    known: Iterable[str], what: str, hint: str, form: Callable[[str], str] = str
) -> Callable[[str, str, Family], Words]:
    """Parse one of these words, which has one form."""
    names = frozenset(known)

    def parse(text: str, *_: object) -> Words:
        if form(text) not in names:
            raise Bad(f"no {what}", hint)
        if form(text) != text:
            raise Bad("not written in the one way", f"write {form(text)}")
        return _exactly(text)

    return parse


def _behind(
    known: Iterable[str], what: str, hint: str
) -> Callable[[str, str, Family], Words]:
    """Parse `kind:name`, with stars in the name."""
    kinds = frozenset(begin.partition(":")[0] for begin in known)

    def parse(text: str, *_: object) -> Words:
        kind, _colon, name = text.partition(":")
        if kind not in kinds or not name:
            raise Bad(f"no {what}", hint)
        check_quoted(name)
        return Words(*with_holes(text, TAG))

    return parse


# --- Binds --------------------------------------------------------------------------


def _bind(text: str, proxy: str, _: Family) -> Words:
    if text == PROXY:
        if not proxy:
            hint = "set PROXY_SOCKET to the path of a listener of this proxy there"
            raise Bad("stands for nothing", hint)
        own = normal.quote(proxy)
        return Words((own,), (own, READ_ONLY))
    if text.startswith("@"):
        raise Bad("stands for nothing", f"write a path, or {PROXY}")
    path, mark, mode = text.partition(":")
    if mark and mode != "ro":
        raise Bad("no mode but :ro", f"write {path} or {path}:ro")
    words = path_of(path, mode=mark + mode)
    read_only = joined(words, ((READ_ONLY,),))
    # What stands for several paths leaves sockets of engines out: who writes `/run/app/*` means files, and a socket
    # that turns up there later would be the Engine itself. Written out it is listed, and told as root.
    is_one = all(map(is_literal, words))
    return Words(*(() if mark else words), *read_only, spares_sockets=not is_one)


# --- Capabilities -------------------------------------------------------------------

_POWERFUL: Final = """
    ALL BPF CHECKPOINT_RESTORE DAC_READ_SEARCH MAC_ADMIN MAC_OVERRIDE PERFMON SYS_ADMIN SYS_BOOT
    SYS_MODULE SYS_PTRACE SYS_RAWIO SYSLOG
"""
_OTHERS: Final = """
    AUDIT_CONTROL AUDIT_READ BLOCK_SUSPEND IPC_LOCK IPC_OWNER LEASE LINUX_IMMUTABLE NET_ADMIN
    NET_BROADCAST SYS_NICE SYS_PACCT SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM
"""
_CAPS: Final[Mapping[str, str]] = {
    **dict.fromkeys(_POWERFUL.split(), "is power over the kernel"),
    # See `nodes`: every container has it unasked.
    "MKNOD": "makes nodes of the host's disks, which the Engine opens as it packs",
    **dict.fromkeys((*HARMLESS_CAPS, *_OTHERS.split()), ""),
}
"""All of capability.h of Linux 6.12, and why they are root."""

# --- Devices ------------------------------------------------------------------------

_HARMLESS_DEVICES: Final = re.compile(
    r"gpu|/dev/(?:fuse|kvm|net/tun|null|zero|full|random|urandom|dri(?:/.*)?|snd(?:/.*)?"
    r"|video[0-9]+|tty(?:USB|ACM|AMA|S)[0-9]+|serial/.*|i2c-[0-9]+|gpiochip[0-9]+"
    r"|hidraw[0-9]+|nvidia.*|ppp|rtc[0-9]*|watchdog[0-9]*)"
)
"""Devices that are no way to the host's memory or disks."""
# A serial port is the console of many a host: who has it reads what is typed there, and by `TIOCM_LOOP`, for which nobody
# needs a capability, types himself. So does a keyboard that has new firmware, by its `hidraw`. Most are neither.
MAYBE_CONSOLES: Final = re.compile(r"/dev/(?:hidraw|tty(?:AMA|S))[0-9]+")
"""Devices by which somebody may type on the host, where they are that."""
_CONSOLES: Final = re.compile(r"/dev/(?:console|hidraw|input|tty|uinput).*")
DEVICES: Final = _known("""\
gpu     | GPUs
rule    | rules for devices
driver: | devices of a driver
""")


def _device(text: str, *_: object) -> Words:
    if text in {"gpu", "rule"}:
        return _exactly(text)
    if text.startswith("driver:"):
        check_quoted(text.partition(":")[2])
        return Words(*with_holes(text, TAG))
    if not text.startswith("/"):
        raise Bad("no device", "write /dev/NAME, gpu, rule or driver:NAME")
    if found := re.fullmatch(r"(.+?):(?:/.*|[rwm]+)", text):
        raise Bad("no device", f"write {found[1]}, which is listed for any mode")
    return Words(*path_of(text))


def _root_of_device(item: str) -> str:
    path = normal.unquote(item)
    if _HARMLESS_DEVICES.fullmatch(path):
        return ""
    if path.startswith("/dev/bus/usb"):
        return "may be a disk of the host, as all that is plugged in"
    if _CONSOLES.fullmatch(path):
        return "may be the host's console, or a keyboard of it"
    return "may be the host's disks or memory"


# --- Drivers, namespaces, runtimes, protections -------------------------------------

DRIVERS: Final = _known("""\
ipam:    | drivers of addresses
log:     | drivers of logs
network: | drivers of networks
volume:  | drivers of volumes | is a plugin, which may mount anything
""")

NAMESPACES: Final = _known("""\
cgroup:host       | the host's control groups
ipc:container     | another container's shared memory | takes over another container's memory, which may be the host's
ipc:host          | the host's shared memory | reaches the memory that the host's processes share
ipc:shareable     | shared memory that others may join
links             | another container's environment
net:container     | another container's network | takes over another container's network, which may be the host's
net:host          | the host's network | reaches what listens on the host for itself
pid:container     | another container's processes | reaches into another container
pid:host          | the host's processes | reaches the host's processes
userns:host       | the host's users
uts:host          | the host's name
volumes:container | another container's mounts | takes over what another container mounts
""")

_RUNTIMES: Final = WITHOUT_DEVICES | {
    "amd", "habana", "io.containerd.runsc.v1", "kata", "kata-runtime", "nvidia", "runsc",
    "sysbox-runc", "youki",
}  # fmt: skip


def _root_of_runtime(item: str) -> str:
    return "" if item in _RUNTIMES else "is a program that runs as root"


PROTECTIONS: Final = _known("""\
apparmor:             | the profile of AppArmor
label:                | the labels of SELinux
no-new-privileges:    | programs that gain privileges
paths:unmasked        | hidden parts of /proc and /sys
paths:writable        | protected parts of /proc | writes the kernel's settings
seccomp:              | the system calls that seccomp lets through
writable-cgroups:true | control groups that may be written | writes control groups
writable-cgroups:     | control groups that may be written
""")

# --- Privileges, users --------------------------------------------------------------


def _privilege(text: str, *_: object) -> Words:
    if text not in {"0", "1"}:
        raise Bad("neither 1 nor 0", "write 1 to allow it, 0 to refuse it")
    return _exactly("1") if text == "1" else Words()


def _root_of_privilege(item: str) -> str:
    return "is privileged" if item == "1" else ""


_USER: Final = re.compile(r"[A-Za-z0-9_.@-]{1,64}(?:%3A[A-Za-z0-9_.-]{1,64})?")


def _user(text: str, *_: object) -> Words:
    if text.startswith("@") and text != DEFAULT_USER:
        raise Bad("no user", f"write {DEFAULT_USER} for a container's own")
    return _exactly(text) if text == DEFAULT_USER else _word(text)


# --- Images, ports ------------------------------------------------------------------


OWN_IMAGES: Final = _known(f"""\
{BUILT} | images that it built or committed itself (BuildKit tells no ids) | is what it makes of them
""")
"""Items that list images by who made them, which no name does: all that begin with an `@`. By
each the client chooses what is in an image, and why is what `judge.meaning` goes by."""


def _image(text: str, *_: object) -> Words:
    if text.startswith("@"):
        if text not in OWN_IMAGES:
            raise Bad("no image", f"write repository:tag, or {BUILT}")
        return _exactly(text)
    return image_of(text)


def _pull(text: str, *_: object) -> Words:
    if text.startswith("src:"):
        check_holes(text, ())
        check_quoted(text.removeprefix("src:"))
        return Words(*with_holes(text, TAG))
    return image_of(text, is_pulled=True)


def _kept_of_image(value: str) -> str:
    # An id is another one on each machine, and after each build.
    return NOT_KEPT if normal.is_image_id(value) else value


# --- Options ------------------------------------------------------------------------

# A field a row: whether options of it may be root, and what they are. `!` may give anything,
# for nothing is known of it, as any that has no row; `-` gives no root at any value, nor
# does, where entries have names, any entry of what has a `.`.
_OPTIONS: Final = """\
! ContainerCreate:Env the environment of Podman
- ContainerCreate:Healthcheck.Test checks without a command
! ContainerCreate:HostConfig.Annotations annotations for the runtime
- ContainerCreate:HostConfig.Cgroup a control group of others
- ContainerCreate:HostConfig.CgroupParent the control group above
! ContainerCreate:HostConfig.DeviceRequests.Options options of device drivers
. ContainerCreate:HostConfig.LogConfig.Config options of log drivers
! ContainerCreate:HostConfig.Mounts mount options
! ContainerCreate:HostConfig.Mounts.BindOptions.Propagation mounts that travel between host and container
! ContainerCreate:HostConfig.Mounts.TmpfsOptions.Options mount options
! ContainerCreate:HostConfig.Mounts.VolumeOptions.DriverConfig.Options options of volume drivers
. ContainerCreate:HostConfig.StorageOpt options of the storage driver
! ContainerCreate:HostConfig.Sysctls settings of the kernel
! ContainerCreate:HostConfig.Tmpfs mount options
. ContainerCreate:NetworkingConfig.EndpointsConfig.DriverOpts options of network drivers
. ContainerExec:Env names in the environment of commands
- ContainerUpdate:CgroupParent the control group above
! ContainerUpdate:DeviceRequests.Options options of device drivers
- ImageBuild:buildid builds that can be cancelled
- ImageBuild:cgroupparent the control group above build steps
! ImageBuild:dockerfile a Dockerfile from elsewhere
! ImageBuild:networkmode the network of build steps
- ImageBuild:outputs where the result of a build goes
- ImageBuild:remote addresses to build from
! ImageBuild:securityopt protections of build steps
! ImageBuild:session files and secrets of the client for build steps
! ImageBuild:version BuildKit in place of the builder
! ImageCommit:Env the environment of Podman
- ImageCommit:Healthcheck.Test checks without a command
. NetworkConnect:EndpointConfig.DriverOpts options of network drivers
- NetworkCreate:Attachable networks of the swarm that any container may join
- NetworkCreate:ConfigFrom settings of another network
- NetworkCreate:ConfigOnly networks that are settings for others
! NetworkCreate:IPAM.Config.Subnet addresses of networks
. NetworkCreate:IPAM.Options options of address drivers
- NetworkCreate:Ingress the network of the swarm's ports
. NetworkCreate:Options options of network drivers
- NetworkCreate:Scope networks of the swarm
! VolumeCreate:ClusterVolumeSpec volumes of the swarm
! VolumeCreate:DriverOpts options of volume drivers
"""
_ROWS: Final = tuple(row.split(maxsplit=2) for row in _OPTIONS.splitlines())

OPTIONS: Final[Mapping[str, str]] = {field: line for _, field, line in _ROWS}
"""By field, what a value is that begins with it."""

# Of the driver `local`, for others are plugins. A bind is CREATE_BINDS'.
_OF_LOCAL: Final = (
    r"(?:VolumeCreate:DriverOpts"
    r"|ContainerCreate:HostConfig\.Mounts\.VolumeOptions\.DriverConfig\.Options)"
    r"\.(?:device|o|type=(?:nfs4?|cifs|smb3|tmpfs)\Z)"
    r"|ContainerCreate:HostConfig\.Mounts\.(?:Volume|Image)Options\.Subpath=[\w./+-]+\Z"
)
# The host itself goes by a network's bridge to the addresses that this has. Agents of clouds, which are root, take keys
# and commands from their metadata server: 169.254.169.254, 168.63.129.16, 100.100.100.200,
# fd00:ec2::254, fd20:ce::254. So the first number and the length of a harmless one stand there.
_SUBNET: Final = "NetworkCreate:IPAM.Config.Subnet"
_NO_METADATA: Final = (
    rf"{re.escape(_SUBNET)}=(?:(?!0\.|100\.|16[89]\.)\d+\.[^/]*/(?:[89]|[1-3]\d)"
    r"|(?!fd[02]0)f[cd][\da-f]{2}%3A[^/]*/(?:1[6-9]|[2-9]\d|1\d\d))"
)
_ENDS: Final[Mapping[str, str]] = {"-": "", ".": r"\..*"}
_HARMLESS: Final = "|".join(
    re.escape(field) + _ENDS[sign] for sign, field, _ in _ROWS if sign != "!"
)
# Any file of the host, to which Podman writes what a container prints; any socket, to which the Engine connects as root,
# and sends whole lines of the client's: a `tag` may have them. By a URL it asks any server on the loopback, with any
# path, and tells the answer: Splunk's may send it there. One address of another machine is none of these.
_ELSEWHERE: Final = (
    r"=(?:(?:tcp|tcp\+tls|udp|https?)%3A//)?(?!(?i:(?:ip6-)?localhost)|127\.|0\.)"
    r"[A-Za-z0-9][A-Za-z0-9.-]*(?:%3A\d+)?\Z"
)
_LOG_ANYWHERE: Final = (
    r"ContainerCreate:HostConfig\.LogConfig\.Config\.(?:path|awslogs-credentials-endpoint"
    rf"|(?:(?:fluentd|syslog)-address|splunk-url|awslogs-endpoint)(?!{_ELSEWHERE}))(?:=|\Z)"
)
# Any but the host's, which is four letters, as those of a hole may be.
_NAMED_NETWORK: Final = (
    r"ImageBuild:networkmode=(?!(?:host|\{rand4\})\Z)[A-Za-z0-9_.{}-]+"
)
_HARMLESS_OPTIONS: Final = re.compile(
    f"(?!{_LOG_ANYWHERE})(?:{_HARMLESS}|{_OF_LOCAL})(?:=.*)?|{_NO_METADATA}|{_NAMED_NETWORK}"
)
"""Options that give no root by themselves; all others are taken to."""
_BY_ENTRY: Final = frozenset(
    {"log-options", "network-options", "option-keys", "storage-options", "sysctls"}
)
"""Readers that ask for each entry of a map by its name."""


def _option(text: str, _: str, family: Family) -> Words:
    """Fit a field by its name, at any value unless one is given."""
    item, mark, value = text.partition("=")
    operation, _colon, path = item.partition(":")
    _check_field(family, operation, path)
    check_quoted(value)
    check_quoted(path)
    if HOLE.search(item):
        raise Bad("a * in a name", "list the fields one by one")
    if mark:
        return Words(*joined(((f"{item}=",),), with_holes(value, TAG)))
    # By its name alone an option is listed at any value: asked for without one, with an empty one, with one.
    return Words((item,), (f"{item}=",), (f"{item}=", REST))


def _check_field(family: Family, operation: str, path: str) -> None:
    known = fields.ARGUED.get(operation)
    if known is None or known.family is not family or not path:
        names = (n for n, one in fields.ARGUED.items() if one.family is family)
        hint = f"write OPERATION:FIELD, with one of {', '.join(names)}"
        raise Bad("no field of an operation that this limits", hint)
    reader = _readers(operation).get(path)
    if reader is None or reader == fields.WITH_PARENT:
        return
    if not reader:
        raise Bad("a field that is harmless at any value", "remove it")
    own = fields.SOURCES[reader].variable
    if own != family.options:
        raise Bad("a field that has a variable of its own", f"list its value in {own}")
    if reader in _BY_ENTRY:
        raise Bad("no entry of it", f"write {operation}:{path}.NAME")


@cache  # of a list each item asks
def _readers(operation: str) -> Mapping[str, str]:
    """Who tells what is asked for by each field of an operation, by its path."""
    known = fields.ARGUED[operation]
    body = {name: one.reader for name, one in fields.rows(known)}
    return {**body, **known.query}


def _root_of_option(item: str) -> str:
    if _HARMLESS_OPTIONS.fullmatch(item):
        return ""
    if item.startswith(_SUBNET):
        return "may take addresses that the host trusts, as of a cloud's metadata"
    if re.match(_LOG_ANYWHERE, item):
        return "reaches any socket or file of the host, as root"
    return "may give anything, nothing is known of it"


def _option_says(item: str) -> str:
    field = item.partition("=")[0]
    while field and field not in OPTIONS:
        field = field.rpartition(".")[0]
    return OPTIONS.get(field, "")


# --- All of them --------------------------------------------------------------------


def _tabled(
    known: Mapping[str, KnownValue],
    parser: Callable[[Iterable[str], str, str], Callable[[str, str, Family], Words]],
    what: str,
    hint: str,
) -> Sort:
    """What a table says all of."""
    parse = parser(known, what, hint)
    return Sort(parse, _rooted(known), str, _said(known), Varies.NEVER)


SORTS: Final[Mapping[str, Sort]] = {
    "bind": Sort(_bind, root.of_bind, str, nothing, Varies.PATH),
    "capability": Sort(
        _among(
            _CAPS,
            "capability",
            "write a name of capabilities(7), as NET_ADMIN",
            normal.capability,
        ),
        lambda item: _CAPS.get(item, ""),
        str,
        nothing,
        Varies.NEVER,
    ),
    "command": Sort(_word, nothing, _only(PROGRAM), nothing, Varies.PATH),
    "device": Sort(_device, _root_of_device, str, _said(DEVICES), Varies.NEVER),
    "driver": _tabled(
        DRIVERS,
        _behind,
        "driver",
        "write log:NAME, network:NAME, volume:NAME or ipam:NAME",
    ),
    "image": Sort(_image, nothing, _kept_of_image, _said(OWN_IMAGES), Varies.IMAGE),
    "namespace": _tabled(
        NAMESPACES, _among, "namespace", f"write one of {', '.join(sorted(NAMESPACES))}"
    ),
    "option": Sort(_option, _root_of_option, told_option, _option_says, Varies.VALUE),
    "port": Sort(lambda text, *_: port_of(text), nothing, str, nothing, Varies.PORT),
    "privilege": Sort(_privilege, _root_of_privilege, str, nothing, Varies.NEVER),
    "pull": Sort(_pull, nothing, str, nothing, Varies.IMAGE),
    "runtime": Sort(_word, _root_of_runtime, str, nothing, Varies.NEVER),
    "security": _tabled(
        PROTECTIONS,
        _behind,
        "option of security",
        "write seccomp:unconfined, apparmor:NAME, label:disable, paths:unmasked",
    ),
    "tag": Sort(lambda text, *_: image_of(text), nothing, str, nothing, Varies.IMAGE),
    "user": Sort(_user, nothing, _only(_USER), nothing, Varies.USER),
}
"""All sorts, by the names that the rows of variables have for them."""

if missing := SORTS.keys() ^ {one.sort for one in VARIABLES.values()}:
    raise AssertionError(f"say what {sorted(missing)} is, and which variable lists it")


def sort_of(variable: str) -> Sort:
    """What a variable lists."""
    return SORTS[VARIABLES[variable].sort]
