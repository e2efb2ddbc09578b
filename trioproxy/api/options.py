"""Readers of what has no variable of its own: it is told by its name.

The value goes with the name where it is short and can be no secret.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from trioproxy.api import normal
from trioproxy.api.arguments import (
    Argument,
    Given,
    Reader,
    entries,
    few,
    list_of,
    option,
    text_of,
    texts_of,
)
from trioproxy.api.decoding import Finding, Spot, is_empty, show
from trioproxy.api.fields import HOST_CONFIG

PRIVATE: Final = frozenset({"private", "rprivate"})
"""Propagations by which no mount leaves the container."""

# What these ask for the Engine makes in its own memory: a list of so many files when a log is read, lines that are not
# written yet, what a tag spells out (`pad`, templates that call others). One too large ends it, and all containers.
_FEW: Final = re.compile(r"[0-9]{1,3}")
_SHORT: Final = re.compile(r"(?s:[^{\\]|\\[^pP]){0,99}")
"""An expression that is matched soon: repeats and classes of letters make millions of steps of a
few bytes, for each letter of a name, and nobody ends the Engine's match."""
_ANYTHING: Final = re.compile(r"(?s:.*)")
_HARMLESS_LOG_OPTIONS: Final[Mapping[str, re.Pattern[str]]] = {
    **dict.fromkeys((
        "cache-compress", "cache-disabled", "cache-max-size", "compress", "env", "labels",
        "max-size", "mode",
    ), _ANYTHING),
    "cache-max-file": _FEW,
    "max-buffer-size": re.compile(r"[0-9]{1,9}|[0-9]{1,3}[kKmM][bB]?"),
    "max-file": _FEW,
    "env-regex": _SHORT,
    "labels-regex": _SHORT,
    "tag": re.compile(
        r"(?s:(?!\{\{).|\{\{ *\.(?:(?:Full|Image|ImageFull)?ID|(?:Daemon|Image)?Name) *\}\}){0,999}"
    ),
}  # fmt: skip
"""What harmless options are within."""
_NO_FIELD: Final = re.compile(r"(?sia:(?!(?:.*,)?[^a-z0-9,]*container[^a-z0-9,]).*)")
"""Names of which none becomes `CONTAINER_...`, the Engine's own fields of the journal."""
# There a label or variable of such a name takes the place of the field: the Engine reads the log back by
# `CONTAINER_ID_FULL`, so that a client has any container's told as its own, and its own as that one's. What a text
# fits nobody tells, and an image has labels too: of `labels` and `env` the names count, and expressions are listed.
_OF_JOURNAL: Final[Mapping[str, re.Pattern[str]]] = {
    **_HARMLESS_LOG_OPTIONS,
    **dict.fromkeys(("env", "labels"), _NO_FIELD),
    **dict.fromkeys(("env-regex", "labels-regex"), re.compile("")),
}
"""The same where the driver is journald, or may be by default."""
_ADDRESSES: Final = frozenset(
    {"awslogs-endpoint", "fluentd-address", "splunk-url", "syslog-address"}
)
"""Options of logs by which the Engine connects: to one address that is listed, or to any."""
HARMLESS_NETWORK_OPTIONS: Final = frozenset(
    f"com.docker.network.{one}" for one in ("driver.mtu", "enable_ipv4", "enable_ipv6")
)
MOUNT_OPTION = re.compile(
    r"(?:|rw|ro|(?:no)?(?:suid|dev|exec|(?:dir)?atime)|sync|async|relatime|strictatime"
    r"|(?:size|mode|uid|gid|nr_inodes|nr_blocks|mpol)=[A-Za-z0-9%:,-]*)"
)
"""Options of a file system in memory that stay within it."""
# The kernel keeps these for each namespace: with a network and shared memory of its own, a container sets its own.
# Where it shares them with the host or with another container, the same names set theirs.
_NET_SYSCTL = re.compile(r"net\.[A-Za-z0-9_.-]+")
_IPC_SYSCTL = re.compile(
    r"kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)"
    r"|fs\.mqueue\.[a-z_]+"
)


def bare_option(given: Given, found: Finding) -> Iterator[Argument]:
    """Ask by name if there is anything."""
    if not is_empty(found.value):
        yield option(given, found.place)


def present(given: Given, found: Finding) -> Iterator[Argument]:
    """Ask by name, for what acts even if it is empty."""
    yield option(given, found.place)


def text_option(*harmless: str) -> "Reader":
    """Ask by name and value for a text that is neither empty nor harmless."""

    def read(given: Given, found: Finding) -> Iterator[Argument]:
        text = text_of(found.value)
        if text and text not in harmless:
            yield option(given, found.place, text)

    return read


def keyed(given: Given, found: Finding, key: str, value: str) -> Argument:
    """Ask for one entry of a map."""
    place = Spot(f"{found.place.path}.{key}", found.place.below(show(key)).shown)
    return option(given, place, value)


def options_beside(harmless: frozenset[str]) -> "Reader":
    """Ask for each entry of a map but the harmless ones."""

    def read(given: Given, found: Finding) -> Iterator[Argument]:
        for key, value in entries(found.value):
            if key not in harmless:
                yield keyed(given, found, key, value)

    return read


keyed_options: Final = options_beside(frozenset())
"""Ask for each entry of a map."""


def log_options(given: Given, found: Finding) -> Iterator[Argument]:
    """Options of a log driver."""
    # Without most values: they are tokens, and files that the Engine reads as root.
    is_journal = text_of(found.parent.get("Type")) in {"", "journald"}
    harmless = _OF_JOURNAL if is_journal else _HARMLESS_LOG_OPTIONS
    for key, value in entries(found.value):
        within = harmless.get(key)
        if within is None or not within.fullmatch(value):
            yield keyed(given, found, key, value if key in _ADDRESSES else "")


def tmpfs(given: Given, found: Finding) -> Iterator[Argument]:
    """Options of file systems in memory that reach beyond these."""
    for key, value in entries(few(found)):
        # Podman takes what stands behind a colon for options, wherever it came from.
        if ":" in key or not is_memory_option(value):
            yield option(given, found.place.at(key))


def memory_options(given: Given, found: Finding) -> Iterator[Argument]:
    """The same as lists of a name and a value."""
    for words in list_of(found.value):
        if not is_memory_option("=".join(texts_of(words))):
            yield option(given, found.place)


def is_memory_option(text: str) -> bool:
    """Whether options of a file system in memory stay within it."""
    # What is longer than any list of options is work for nothing.
    return len(text) <= normal.LONGEST and all(
        map(MOUNT_OPTION.fullmatch, text.split(","))
    )


def sysctls(given: Given, found: Finding) -> Iterator[Argument]:
    """Settings of a namespace of the container's own are harmless, others are not."""
    network, ipc = (text_of(found.parent.get(k)) for k in ("NetworkMode", "IpcMode"))
    own_network = network != "host" and ":" not in network
    own_ipc = ipc in {"", "none", "private", "shareable"}
    for key, value in entries(few(found)):
        if own_network and _NET_SYSCTL.fullmatch(key):
            continue
        if own_ipc and _IPC_SYSCTL.fullmatch(key):
            continue
        yield keyed(given, found, key, value)


def propagation(given: Given, found: Finding) -> Iterator[Argument]:
    """How mounts travel between container and host."""
    if found.value and found.value not in PRIVATE:
        yield shared(given, found.place, text_of(found.value))


def shared(given: Given, place: Spot, value: str) -> Argument:
    """Ask for a propagation: one value for both ways to write it, `Binds` has it as a mode."""
    path = f"{HOST_CONFIG.name}.Mounts.BindOptions.Propagation"
    return option(given, Spot(path, place.shown), value)
