"""Patterns: the items of a list, each parsed to what it fits.

An item is written in the normal form of what it allows, and a `*` in it stands for any
letters, digits, `_` and `-`: never for a slash, a dot in a name of a host, a colon; a
`*{8}` for eight of them. A path and a repository may end in `/*`: all that lies below. An
item that can never fit anything, because it is in no normal form, is an error and no item.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from trioproxy.api import normal
from trioproxy.api.arguments import DEFAULT_USER
from trioproxy.api.families import BASE, LIMITS, PROXY, Family
from trioproxy.api.fields import OPERATIONS, READERS, WITH_PARENT, rows
from trioproxy.errors import ConfigError
from trioproxy.limits import places, root
from trioproxy.limits.languages import (
    REST,
    TAG,
    Language,
    Some,
    Word,
    expression,
    others,
    with_stars,
)
from trioproxy.limits.languages import STAR as STAR


class Words:
    """What an item fits, as words."""

    __slots__ = ("_fullmatch", "language", "spares_sockets")

    def __init__(self, *language: Word, spares_sockets: bool = False) -> None:
        self.language: Language = language
        self.spares_sockets = spares_sockets
        """Whether sockets of engines are left out, which are doors of their own."""
        self._fullmatch = re.compile(expression(language)).fullmatch

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and (
            (self.language, self.spares_sockets)
            == (other.language, other.spares_sockets)
        )

    def __hash__(self) -> int:
        return hash((self.language, self.spares_sockets))

    def fits(self, value: str) -> bool:
        """Whether one of the words is this value."""
        if not self.language or self._fullmatch(value) is None:
            return False
        return not self.spares_sockets or not root.SOCKET.fullmatch(
            value.removesuffix(READ_ONLY)
        )


class Ports(NamedTuple):
    """Host ports in normal form."""

    address: str
    """Empty: all addresses."""
    first: int
    last: int
    """0 for both: one that the Engine chooses."""
    protocol: str

    def fits(self, value: str) -> bool:
        """Whether these are all the ports that a value asks for, or more."""
        asked = parse_ports(value)
        return asked is not None and self.includes(asked)

    def includes(self, other: "Ports") -> bool:
        """Whether all that others are is within these."""
        return (
            self.address in {"", other.address}
            and self.protocol == other.protocol
            and (
                self.first <= other.first <= other.last <= self.last
                or (not self.first and other.is_ephemeral)
            )
        )

    @property
    def is_ephemeral(self) -> bool:
        """Whether Linux may have handed them out."""
        return self.first in EPHEMERAL and self.last in EPHEMERAL


READ_ONLY: Final = ":ro"
"""The end of a bind that may be read and not written."""


def places_of(bind: "Pattern") -> Iterator[tuple[places.Place, bool]]:
    """What a bind is, and whether it is read and not written."""
    for word in bind.means.language if isinstance(bind.means, Words) else ():
        is_read_only = word[-1] == READ_ONLY
        yield places.place(word[: len(word) - is_read_only]), is_read_only


@dataclass(frozen=True, slots=True)
class Pattern:
    """An item of a list."""

    text: str
    """As it is written."""
    means: Words | Ports = field(compare=False, repr=False)
    """All that it fits."""

    def fits(self, value: str) -> bool:
        """Whether it fits a value in normal form."""
        return self.means.fits(value)


class _Bad(Exception):
    """An item that is none: what is wrong, and what to write."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


def parse_pattern(variable: str, text: str, *, base: str = "") -> Pattern:
    """Parse an item. Raises `ConfigError` for what can never fit, with a hint."""
    try:
        _check_escapes(text)
        return Pattern(text, _PARSERS[variable](variable, text, base))
    except _Bad as error:
        raise ConfigError(
            f"{text[:64]!r} in {variable}: {error}", hint=error.hint
        ) from None


def _check_escapes(text: str) -> None:
    if re.search(r"%(?![0-9A-F]{2})", text):
        raise _Bad("a % without two capital hex digits", "write %25 for a percent sign")


def _check_quoted(text: str) -> None:
    """A value has one form: what needs an escape has one, and nothing else has."""
    for part in STAR.sub("*", text).split("*"):
        if not normal.is_quoted(part):
            hint = f"write {normal.quote(normal.unquote(part))} for {part}"
            raise _Bad("not written in the one way", hint)


# --- Paths ------------------------------------------------------------------------


_BELOW: Final = others(":\n")


def _path(text: str, base: str) -> Word:
    """Read a path, `/*` at its end and all."""
    if text == BASE or text.startswith(f"{BASE}/"):
        if not base:
            raise _Bad("{base} stands for nothing", "set CREATE_BASE=/a/folder")
        text = base + text.removeprefix(BASE)
    if not text.startswith("/"):
        hint = f"write {normal.path(f'/{text}')}, from the host's root"
        raise _Bad("not an absolute path", hint)
    _check_quoted(text)
    stem, below = (text[:-2], True) if text.endswith("/*") else (text, False)
    plain = STAR.sub("%2A", stem or "/")
    cleaned = normal.path(normal.unquote(plain))
    if normal.quote(cleaned) != plain:
        raise _Bad("not a clean path", f"write {normal.quote(cleaned)}{'/*' * below}")
    if "*" in stem.rpartition("/")[0]:
        raise _Bad("a * in front of the last segment", "list the paths one by one")
    return (*with_stars(stem), "/", _BELOW) if below else with_stars(stem)


def _bind(_: str, text: str, base: str) -> Words:
    if text == PROXY:
        if not base:
            hint = "set PROXY_SOCKET to the path of a listener of this proxy there"
            raise _Bad("stands for nothing", hint)
        own = normal.quote(base)
        return Words((own,), (own, READ_ONLY))
    path, mark, mode = text.partition(":")
    if mark and mode != "ro":
        raise _Bad("no mode but :ro", f"write {path} or {path}:ro")
    word = _path(path, base)
    read_only = (*word, READ_ONLY)
    words = (read_only,) if mark else (word, read_only)
    return Words(*words, spares_sockets="*" in path)


def _device(_: str, text: str, __: str) -> Words:
    if text in {"gpu", "rule"}:
        return _exactly(text)
    if text.startswith("driver:"):
        return _prefixed(text)
    if not text.startswith("/"):
        raise _Bad("no device", "write /dev/NAME, gpu, rule or driver:NAME")
    return Words(_path(text, ""))


# --- Words ------------------------------------------------------------------------


def _exactly(text: str) -> Words:
    return Words((text,))


def _flag(_: str, text: str, __: str) -> Words:
    if text not in {"0", "1"}:
        raise _Bad("neither 1 nor 0", "write 1 to allow it, 0 to refuse it")
    return _exactly("1") if text == "1" else Words()


def _word(_: str, text: str, __: str) -> Words:
    _check_quoted(text)
    return Words(with_stars(text, TAG))


def _prefixed(text: str) -> Words:
    _check_quoted(text.partition(":")[2])
    return Words(with_stars(text, TAG))


def _user(variable: str, text: str, base: str) -> Words:
    if text.startswith("@") and text != DEFAULT_USER:
        raise _Bad("no user", f"write {DEFAULT_USER} for a container's own")
    return _exactly(text) if text == DEFAULT_USER else _word(variable, text, base)


# From capability.h of Linux 6.12.
_CAPABILITIES: Final = frozenset(
    [
        "ALL", "AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF",
        "CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
        "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE",
        "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE",
        "NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
        "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT",
        "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG",
        "SYSLOG", "WAKE_ALARM",
    ]
)  # fmt: skip


def _capability(_: str, text: str, __: str) -> Words:
    name = normal.capability(text)
    if name not in _CAPABILITIES:
        raise _Bad("no capability", "write a name of capabilities(7), as NET_ADMIN")
    if name != text:
        raise _Bad("not written in the one way", f"write {name}")
    return _exactly(text)


_SECURITY = ("apparmor", "label", "no-new-privileges", "paths", "seccomp")
_NAMESPACES = frozenset(
    {
        "cgroup:host", "ipc:container", "ipc:host", "ipc:shareable", "links",
        "net:container", "net:host", "pid:container", "pid:host", "userns:host",
        "uts:host", "volumes:container",
    }
)  # fmt: skip
_DRIVERS = ("ipam", "log", "network", "volume")


def _security(_: str, text: str, __: str) -> Words:
    name, _, value = text.partition(":")
    if name not in {*_SECURITY, "writable-cgroups"} or not value:
        hint = "write seccomp:unconfined, apparmor:NAME, label:disable, paths:unmasked"
        raise _Bad("no option of security", hint)
    return _prefixed(text)


def _namespace(_: str, text: str, __: str) -> Words:
    if text not in _NAMESPACES:
        raise _Bad("no namespace", f"write one of {', '.join(sorted(_NAMESPACES))}")
    return _exactly(text)


def _driver(_: str, text: str, __: str) -> Words:
    kind, _, name = text.partition(":")
    if kind not in _DRIVERS or not name:
        raise _Bad(
            "no driver", "write log:NAME, network:NAME, volume:NAME or ipam:NAME"
        )
    return _prefixed(text)


# --- Images -----------------------------------------------------------------------

_IMAGE = re.compile(
    r"(?P<repo>[^:@]*(?::[0-9]+/[^:@]*)?)(?::(?P<tag>[^:@/]*))?(?:@(?P<digest>[^@]*))?"
)
_ID = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{12,64}")
_DIGEST_STAR: Final = Some(TAG.chars | frozenset(":+"))


def _image(_: str, text: str, __: str) -> Words:
    """Fit `repo:tag`, `repo@digest`, or one that has both."""
    if _ID.fullmatch(text):
        return _exactly(text)
    found = _IMAGE.fullmatch(text)
    if found is None or not found["repo"]:
        raise _Bad("no image", "write repository:tag, as nginx:1.27")
    repo, tag, digest = found["repo"], found["tag"], found["digest"]
    _check_repository(repo)
    name = with_stars(repo.removesuffix("/*"))
    if repo.endswith("/*"):
        name = (*name, "/", others(":@"))
    tagged: Word = (*name, ":", *with_stars(tag or "latest", TAG))
    if digest:
        hashed: Word = ("@", *with_stars(digest, _DIGEST_STAR))
        return Words((*tagged, *hashed) if tag else (*name, *hashed))
    if tag == "*":
        names: Language = (name, tagged, (*name, ":*"))
        return Words(*names, *((*one, "@", others("@")) for one in names))
    return Words(tagged)


def lists_repositories(item: str) -> bool:
    """Whether an item of images lists whole repositories, for a `*` is in that part."""
    found = _IMAGE.fullmatch(item)
    return found is not None and "*" in found["repo"]


def _check_repository(repo: str) -> None:
    plain = STAR.sub("x", repo.removesuffix("/*"))
    if normal.repository(plain) != plain:
        hint = f"write {normal.repository(repo)}, as the docker CLI shows it"
        raise _Bad("not the short form of a name", hint)
    if normal.image(f"{plain}:x") != f"{plain}:x":
        raise _Bad("no image", "write repository:tag in lower case, as nginx:1.27")


def _pull(variable: str, text: str, base: str) -> Words:
    if text.startswith("src:"):
        return _prefixed(text)
    return _image(variable, text, base)


# --- Ports ------------------------------------------------------------------------

_PORT = re.compile(
    r"(?:(?P<address>[0-9.]+|\[[0-9a-f:.]+\]):)?"
    r"(?P<ports>random|[1-9][0-9]{0,4}(?:-[1-9][0-9]{0,4})?)"
    r"(?:/(?P<protocol>[a-z]+))?"
)
_LAST_PORT = 65_535
EPHEMERAL: Final = range(32_768, 61_000)
"""What `random` stands for besides the Engine's own choice: the ports that Linux hands
out by itself. Clients ask it for a free one, and then the Engine for that one."""
_PORT_HINT = (
    "write 8080, 8000-8100, 127.0.0.1:8080, [::1]:8080 or random, /udp behind it"
)


def _port(_: str, text: str, __: str) -> Ports:
    listed = parse_ports(text)
    if listed is None or not listed.first <= listed.last <= _LAST_PORT:
        raise _Bad("no port", _PORT_HINT)
    address, protocol = listed.address.strip("[]"), listed.protocol
    ports = f"{listed.first}-{listed.last}"
    written = normal.host_port(address, ports, protocol)
    if written != text:
        raise _Bad("not written in the one way", f"write {written}")
    return listed


@lru_cache(maxsize=16)
def parse_ports(text: str) -> Ports | None:
    """Read host ports in normal form; None for what is none."""
    # One value is compared with each item of a list, one after the other.
    found = _PORT.fullmatch(text)
    if found is None:
        return None
    first, _, last = found["ports"].replace("random", "0").partition("-")
    return Ports(
        address=found["address"] or "",
        first=int(first),
        last=int(last or first),
        protocol=found["protocol"] or "tcp",
    )


# --- Options ----------------------------------------------------------------------


def _option(variable: str, text: str, _: str) -> Words:
    """Fit a field by its name, at any value unless one is given."""
    item, mark, value = text.partition("=")
    operation, _colon, path = item.partition(":")
    _check_option(Family(variable.partition("_")[0]), operation, path)
    _check_quoted(value)
    _check_quoted(path)
    if "*" in item:
        raise _Bad("a * in a name", "list the fields one by one")
    if mark:
        return Words((f"{item}=", *with_stars(value, TAG)))
    return Words((item,), (f"{item}=",), (f"{item}=", REST))


def _check_option(family: Family, operation: str, path: str) -> None:
    known = OPERATIONS.get(operation)
    if known is None or known.family is not family or not path:
        names = ", ".join(n for n, one in OPERATIONS.items() if one.family is family)
        hint = f"write OPERATION:FIELD, with one of {names}"
        raise _Bad("no field of an operation that this limits", hint)
    readers = {**{name: one.reader for name, one in rows(known)}, **known.query}
    reader = readers.get(path)
    if reader is None or reader == WITH_PARENT:
        return
    if not reader:
        raise _Bad("a field that is harmless at any value", "remove it")
    own = READERS[reader].variable
    if own != family.options:
        raise _Bad("a field that has a variable of its own", f"list its value in {own}")
    if reader in _BY_ENTRY:
        raise _Bad("no entry of it", f"write {operation}:{path}.NAME")


_BY_ENTRY = frozenset(
    {"log-options", "network-options", "option-keys", "storage-options", "sysctls"}
)
"""Readers that ask for each entry of a map by its name."""

_Parser = Callable[[str, str, str], Words | Ports]

_PARSERS: Final[Mapping[str, _Parser]] = {
    "BUILD_OPTIONS": _option,
    "CREATE_BINDS": _bind,
    "CREATE_CAPS": _capability,
    "CREATE_DEVICES": _device,
    "CREATE_DRIVERS": _driver,
    "CREATE_IMAGES": _image,
    "CREATE_NAMESPACES": _namespace,
    "CREATE_OPTIONS": _option,
    "CREATE_PORTS": _port,
    "CREATE_PRIVILEGED": _flag,
    "CREATE_RUNTIMES": _word,
    "CREATE_SECURITY": _security,
    "CREATE_TAGS": _image,
    "EXEC_COMMANDS": _word,
    "EXEC_OPTIONS": _option,
    "EXEC_PRIVILEGED": _flag,
    "EXEC_USERS": _user,
    "PULL_IMAGES": _pull,
    "PULL_OPTIONS": _option,
}
if missing := _PARSERS.keys() ^ LIMITS:
    raise AssertionError(f"say how items of {sorted(missing)} are written")
