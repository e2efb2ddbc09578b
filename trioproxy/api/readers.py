"""Readers: from a field's value to what it asks for beyond what is harmless.

Nothing is allowed or refused here; `limits` does that.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Final

from trioproxy.api import fields, mounts, normal, options
from trioproxy.api.arguments import (
    PROGRAM,
    Argument,
    Given,
    Reader,
    asked,
    few,
    list_of,
    map_of,
    option,
    structs_of,
    text_of,
    texts_of,
)
from trioproxy.api.decoding import Finding, Spot, show
from trioproxy.api.edits import Edit
from trioproxy.api.query import TRUE

HARMLESS_CAPS: Final = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE",
    "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
))  # fmt: skip
"""What every container has by default, but `MKNOD`: see `nodes`."""

# Others send what a container prints away: the Engine connects as root to addresses among their options, and reads
# files that these name; some use credentials of its own cloud.
HARMLESS_LOGS: Final = frozenset({"", "json-file", "local", "none", "journald"})
WITHOUT_DEVICES: Final = frozenset({"crun", "io.containerd.runc.v2", "runc"})
"""Runtimes that look at no name of an environment."""
MASKED: Final = frozenset((
    "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
))  # fmt: skip
"""What each Engine hides from containers."""
MASKED_NEWLY: Final = ("/proc/interrupts", "/sys/devices/virtual/powercap")
"""What newer ones hide as well, for it tells what others do on the same processor."""
READ_ONLY: Final = frozenset(
    ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
)
"""What each Engine protects from containers."""

# --- Images -------------------------------------------------------------------------


def _image(given: Given, found: Finding) -> Iterator[Argument]:
    text = text_of(found.value)
    if normal.is_of_host(text):
        yield option(given, found.place)
    if text:
        yield asked(found, normal.image(text))


def _tag(_: Given, found: Finding) -> Iterator[Argument]:
    tag = text_of(found.parent.get("tag"))
    yield asked(found, normal.tagged(text_of(found.value), tag))


def _import_tag(given: Given, found: Finding) -> Iterator[Argument]:
    # With `fromImage` it is a pull, and the Engine does not look at this.
    if not found.parent.get("fromImage"):
        yield from _tag(given, found)


def _build_tag(_: Given, found: Finding) -> Iterator[Argument]:
    yield asked(found, normal.tagged(text_of(found.value), ""))


def _pull(_: Given, found: Finding) -> Iterator[Argument]:
    text = text_of(found.value)
    # `-` is the body itself. All else is an address, to which the Engine connects by `http` where it has no scheme.
    if found.place.path == "fromSrc":
        url = normal.url(text)
        yield asked(found, f"src:{normal.quote(url)}", url)
    else:
        # Without a tag the Engine pulls all tags of the name; a colon at its end it cuts off.
        tag = text_of(found.parent.get("tag"))
        yield asked(found, normal.tagged(text.removesuffix(":"), tag, every=True))


def _build_file(given: Given, found: Finding) -> Iterator[Argument]:
    """A Dockerfile that is not in what is sent, or may take in what is not.

    Docker refuses it, and Podman reads it: a list as JSON, too, where `..` may be escaped, and
    what ends in `.in` as the C preprocessor does, with the host's files that it includes.
    """
    path = text_of(found.value)
    names = path.split("/")
    is_list = path.lstrip().startswith("[")
    if is_list or ".." in names or "://" in path or any(map(_INCLUDES, names)):
        yield option(given, found.place)


_INCLUDES: Final = re.compile(r".*\.in", re.DOTALL).fullmatch


def _build_remote(given: Given, found: Finding) -> Iterator[Argument]:
    if found.value:
        yield option(given, found.place, normal.url(text_of(found.value)))


# --- The rest -----------------------------------------------------------------------


def _flag(value: str, text: str, _: Given, found: Finding) -> Iterator[Argument]:
    if found.value:
        yield asked(found, value, text)


def _caps(_: Given, found: Finding) -> Iterator[Argument]:
    for index, text in enumerate(texts_of(few(found))):
        name = normal.capability(text)
        if name not in HARMLESS_CAPS:
            yield asked(found, name, text, found.place.at(index))


def _devices(name: str, _: Given, found: Finding) -> Iterator[Argument | Edit]:
    """Paths of devices: those of `Blkio*` give no device, but the Engine, as root, says
    of each path whether the host has it. It does not clean them."""
    for index, device in enumerate(structs_of(few(found))):
        place = found.place.at(index).below(name)
        written = text_of(device.get(name))
        path = normal.path(written)
        if path != written:
            yield Edit(place.keys, path)
        yield asked(found, normal.quote(path), place=place)


def _device_requests(_: Given, found: Finding) -> Iterator[Argument]:
    for index, wanted in enumerate(structs_of(found.value)):
        driver = text_of(wanted.get("Driver"))
        groups = list_of(wanted.get("Capabilities"))
        # CDI is a driver, too, whose devices are names of specs on the host, and a spec can bring mounts and hooks
        # along. So `gpu` is only what asks for nothing else, group by group, of NVIDIA's driver or of whichever the
        # Engine takes.
        is_gpu = (
            driver in {"", "nvidia"}
            and bool(groups)
            and all("gpu" in texts_of(one) for one in groups)
        )
        value = f"driver:{normal.quote(driver or 'any')}"
        value = _gpus(texts_of(wanted.get("DeviceIDs"))) if is_gpu else value
        yield asked(found, value, place=found.place.at(index))


def _gpus(names: Iterable[str]) -> str:
    """What asks for these by the driver of GPUs: CDI's, too, where one is no GPU's."""
    return "gpu" if all(map(_IS_GPU, names)) else "driver:cdi"


# As from Engine 29 on, and by NVIDIA's runtime, `VENDOR/CLASS=NAME` goes on as it is.
_IS_GPU: Final = re.compile(
    r"(?:(?:(?:runtime\.)?nvidia|amd)\.com/gpu=)?[^=]*", re.DOTALL
).fullmatch


def _device_rules(_: Given, found: Finding) -> Iterator[Argument]:
    for index in range(len(texts_of(found.value))):
        yield asked(found, "rule", place=found.place.at(index))


def _security(_: Given, found: Finding) -> Iterator[Argument]:
    for index, text in enumerate(texts_of(found.value)):
        if value := _security_value(text):
            asks = asked(found, value, place=found.place.at(index))
            yield asks._replace(unless_default=value == "seccomp:builtin")


_HARMLESS_SECURITY: Final = frozenset((
    "apparmor:", "apparmor:docker-default", "no-new-privileges:true", "seccomp:",
    "writable-cgroups:false",
))  # fmt: skip


def _security_value(text: str) -> str:
    """Write an option of security as `name:value`; empty if it is harmless."""
    # Three spellings: `name=value`, `name:value` of older clients, and bare words, of which `disable` is one of
    # SELinux. What is given by default can be taken back: `no-new-privileges=false` undoes what a daemon has set for
    # all.
    if text in {"no-new-privileges", "writable-cgroups"}:
        text = f"{text}=true"
    elif text == "disable":
        text = "label=disable"
    name, mark, value = text.partition("=")
    if not mark:
        name, mark, value = text.partition(":")
    if name == "seccomp":
        value = normal.profile(value)
    elif name in {"no-new-privileges", "writable-cgroups"}:
        value = "true" if value in TRUE else "false"
    else:
        value = normal.quote(value)
    item = f"{normal.quote(name)}:{value}"
    return "" if item in _HARMLESS_SECURITY else item


# Here an empty list is not the same as none. Null leaves the Engine's own lists in place; any list takes their place,
# so `[]`, which `--security-opt systempaths=unconfined` sends, hides and protects nothing. With `/proc/sys` not in it a
# container writes `core_pattern`: the program that the kernel of the host starts as root when a process crashes.
# A list of an older Engine is what clients send that make its containers anew: at a newer one what that would hide is
# hidden too. Where a path is not there nothing comes of it.
def _uncovered(
    paths: frozenset[str], newly: Iterable[str], word: str, _: Given, found: Finding
) -> Iterator[Argument | Edit]:
    texts = texts_of(found.value)
    if not paths.issubset(texts):
        yield asked(found, word)
    elif missing := [one for one in newly if one not in texts]:
        yield Edit(found.place.keys, [*texts, *missing])


def _word(kind: str, *harmless: str, joins: bool = False) -> "Reader":
    """A word of a kind that is neither empty nor harmless, as `kind:word`; without a kind
    as the word. What `joins` a container is `kind:container`, whichever it is."""
    prefix = f"{kind}:" if kind else ""

    def read(_: Given, found: Finding) -> Iterator[Argument]:
        text = text_of(found.value)
        if text and text not in harmless:
            is_join = joins and text.startswith("container:")
            value = "container" if is_join else normal.quote(text)
            yield asked(found, f"{prefix}{value}", text)

    return read


def _network_mode(_: Given, found: Finding) -> Iterator[Argument]:
    """Names of networks are objects; here counts whether a network is of its own."""
    text = text_of(found.value)
    mode = "container" if text.startswith("container:") else text
    # A name has no colon. What else has one joins others: Podman knows `ns:/proc/1/ns/net`.
    if mode in {"host", "container"} or ":" in mode:
        yield asked(found, f"net:{normal.quote(mode)}", text)


def _endpoints(_: Given, found: Finding) -> Iterator[Argument]:
    if "host" in map_of(found.value):
        yield asked(found, "net:host", "", found.place.at("host"))


def _each(value: str, _: Given, found: Finding) -> Iterator[Argument]:
    """The same for each text of a list, whatever it says."""
    for index, text in enumerate(texts_of(found.value)):
        yield asked(found, value, text, found.place.at(index))


def _runtime(_: Given, found: Finding) -> Iterator[Argument]:
    # One that the daemon has configured, or a program: `io.containerd.x.v1` starts `containerd-shim-x-v1` of its PATH.
    if name := text_of(found.value):
        yield asked(found, normal.quote(name), name)._replace(unless_default=True)


def _ports(_: Given, found: Finding) -> Iterator[Argument]:
    for port, bindings in map_of(found.value).items():
        place = found.place.at(port)
        protocol = port.partition("/")[2]
        # An empty list is filled by the Engine, with a port that it chooses.
        for binding in structs_of(bindings) or [{}]:
            address, number = (text_of(binding.get(k)) for k in ("HostIp", "HostPort"))
            value = normal.host_port(address, number, protocol)
            yield asked(found, value, place=place)


def _exec_command(_: Given, found: Finding) -> Iterator[Argument]:
    # What a program makes of its arguments no list can say: who lists a shell lists every command.
    for word in texts_of(found.value)[:1]:
        # One word may hold a whole command line, and that a token.
        value = normal.quote(word)
        text = word if PROGRAM.fullmatch(value) else ""
        yield asked(found, value, text, found.place.at(0))


def _environment(given: Given, found: Finding) -> Iterator[Argument]:
    """A name without a value: with Podman, what its own environment has of that name.

    And names by which runtimes give devices, as NVIDIA's does: those of a creation, for what
    an image has is its own. Both are harmless where the Engine is another one (`things`).
    """
    host = map_of(found.parent.get(fields.HOST_CONFIG.name))
    runtime = text_of(host.get("Runtime"))
    is_read = given.operation.name == "ContainerCreate"
    is_read = is_read and runtime not in WITHOUT_DEVICES
    for index, text in enumerate(texts_of(found.value)):
        # By slices, which are no calls: a body has room for 20,000 of them.
        if "=" not in text:
            yield option(given, found.place.at(index))._replace(unless_default=True)
        elif is_read and text[:4] in _MAKERS and _GIVES_DEVICES.match(text):
            name, _, value = text.partition("=")
            place, is_name = found.place.at(index).shown, "_REQUIRE_" not in name
            value = _gpus(value.split(",") if is_name else ())
            yield Argument(
                "CREATE_DEVICES", value, place, show(name), unless_default=not runtime
            )


# The runtimes of three makers take names in an environment as a request: for devices, and NVIDIA's for libraries and
# tools of the host as well. `none` and `void` ask for nothing; `CUDA_VERSION` is what images have that are older than
# such names, and for that they get all; `DOCKER_RESOURCE_GPU` is what a swarm gives. Whether the default runtime is one
# of these only the Engine can say (`things`): so without a runtime such a name is harmless where that is not.
_MAKERS: Final = frozenset({"AMD_", "CUDA", "DOCK", "HABA", "NVID"})
_GIVES_DEVICES: Final = re.compile(
    r"NVIDIA_(?!VISIBLE_DEVICES=(?:none|void)?\Z)|(?:AMD|HABANA)_VISIBLE_"
    r"|CUDA_VERSION=(?!\Z)|DOCKER_RESOURCE_"
)


def _health_command(given: Given, found: Finding) -> Iterator[Argument]:
    # A check that has no command ends Engines before 29.5 with all that they run, at each of their starts.
    if texts_of(found.value) == ["CMD"]:
        yield option(given, found.place)


def _exec_environment(given: Given, found: Finding) -> Iterator[Argument]:
    """Each name: what a shell (`BASH_ENV`, `BASH_FUNC_x%%`), the linker or an interpreter
    reads runs something else than the command that is listed, and nobody knows them all."""
    for index, text in enumerate(texts_of(few(found))):
        name = text.partition("=")[0]
        place = Spot(f"{found.place.path}.{name}", found.place.at(index).shown)
        yield option(given, place)._replace(shown=show(name))


READERS: Final[Mapping[str, Reader]] = {
    "binds": mounts.binds,
    "build-file": _build_file,
    "build-network": options.text_option("default", "none", "bridge"),
    "build-option": options.bare_option,
    "build-remote": _build_remote,
    "build-tag": _build_tag,
    "build-version": options.text_option("1"),
    "caps": _caps,
    "cgroup-mode": _word("cgroup", "private", joins=True),
    "device-paths": partial(_devices, "Path"),
    "device-requests": _device_requests,
    "device-rules": _device_rules,
    "devices": partial(_devices, "PathOnHost"),
    "driver-options": mounts.driver_options,
    "endpoints": _endpoints,
    "environment": _environment,
    "exec-command": _exec_command,
    "exec-environment": _exec_environment,
    "exec-privileged": partial(_flag, "1", "true"),
    "exec-user": _word(""),
    "health-command": _health_command,
    "image": _image,
    "import-tag": _import_tag,
    "ipam-driver": _word("ipam", "default"),
    "ipc-mode": _word("ipc", "none", "private", joins=True),
    "links": partial(_each, "links"),
    "log-driver": _word("log", *HARMLESS_LOGS),
    "log-options": options.log_options,
    "masked": partial(_uncovered, MASKED, MASKED_NEWLY, "paths:unmasked"),
    "memory-options": options.memory_options,
    "mounts": mounts.mounts,
    "network-driver": _word("network", "bridge"),
    "network-mode": _network_mode,
    "network-options": options.options_beside(options.HARMLESS_NETWORK_OPTIONS),
    "network-scope": options.text_option("local"),
    "option": options.bare_option,
    "option-keys": options.keyed_options,
    "option-value": options.text_option(),
    "pid-mode": _word("pid", "private", joins=True),
    "ports": _ports,
    "present": options.present,
    "privileged": partial(_flag, "1", "true"),
    "propagation": options.propagation,
    "publish-all": partial(_flag, "random", "random"),
    "pull-image": _pull,
    "push-tag": lambda *_: iter(()),  # told with the name in the path
    "readonly": partial(_uncovered, READ_ONLY, (), "paths:writable"),
    "runtime": _runtime,
    "security": _security,
    "storage-options": options.options_beside(frozenset({"size"})),
    "sysctls": options.sysctls,
    "tag": _tag,
    "tmpfs": options.tmpfs,
    "userns-mode": _word("userns", joins=True),
    "uts-mode": _word("uts", "private", joins=True),
    "volumes": mounts.volumes,
    "volume-driver": _word("volume", "local"),
    "volumes-from": partial(_each, "volumes:container"),
}
if missing := READERS.keys() ^ (fields.SOURCES.keys() - {fields.WITH_PARENT}):
    raise AssertionError(f"table or code does not know {sorted(missing)}")
