"""Addresses, levels and limits: options and environment to one frozen `Config`.

Policy variables are not read here: see `file.permissions`. This module opens nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from trioproxy import percent
from trioproxy.errors import ConfigError
from trioproxy.values import value_class

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

_Default = TypeVar("_Default", int, None)

DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_LISTEN = "tcp://127.0.0.1:2375"
DEFAULT_PORT = 2375
METRICS_PORT = 9375
DEFAULT_MAX_CONNECTIONS = 4_000
LONGEST_HOLD = 30
DEFAULT_MAX_BODY = 4 * 1024 * 1024


class Level(IntEnum):
    """The syslog levels, by their syslog numbers: lower is graver."""

    EMERG = 0
    ALERT = 1
    CRIT = 2
    ERR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


class LogFormat(StrEnum):
    """How a log line is written."""

    TEXT = "text"
    JSON = "json"


LOG_DESCRIPTORS = {"stderr": 2, "stdout": 1}

LEVEL_ALIASES = {"error": Level.ERR, "warn": Level.WARNING, "panic": Level.EMERG}


# Addresses as they are written, and the one name: all others are the resolver's to say.
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
_LOOPBACK = re.compile(
    rf"localhost|(?:::ffff:)?127(?:\.{_OCTET}){{3}}|(?:::|(?:0{{1,4}}:){{7}})0{{0,3}}1",
    re.ASCII | re.IGNORECASE,
)


CLIENT = "{client}"
"""In the name of a file: there is one for each client."""


@value_class
class Entry:
    """Who may come in by a listener, and which policy judges them there."""

    policy: str = ""
    """Its file; empty: the policy of the process."""
    allow: "tuple[IPv4Network | IPv6Network, ...]" = ()
    """From where clients may come; empty: from everywhere."""
    uids: frozenset[int] = frozenset()
    """Whose a Unix socket is to use; empty: whoever may open it."""

    @property
    def client(self) -> str:
        """What its clients are called; empty: by their addresses alone."""
        return client_of(self.policy)

    def admits(self, client: str) -> bool:
        """Whether somebody may come in; `client`: an address without a port, or a user."""
        if client.startswith(UID):
            return not self.uids or int(client.removeprefix(UID)) in self.uids
        if not self.allow:
            return True
        if "%" in client:  # by an interface where nobody has that address
            return False
        from ipaddress import IPv6Address, ip_address  # few have such a list

        host = ip_address(client.strip("[]"))
        if isinstance(host, IPv6Address):
            host = host.ipv4_mapped or host
        return any(host in one for one in self.allow)


UID = "unix:uid="
"""Before the number of who uses a Unix socket."""
USER = "uid-"
"""The same where nothing else is known, in the name of a file."""


def file_name_of(client: str) -> str:
    """Name a client by whose address alone it is known: `uid-1000`, `172.18.0.5`, `fe80--1`."""
    # As they are: of two interfaces that differ by case alone, one is refused its file.
    name = client.replace(UID, USER).replace("%", "_").replace(":", "-")
    return name if name[:1].isalnum() else f"ip{name}"


def client_of(policy: str) -> str:
    """What the clients of a policy are called: as its file, without its folder and ending."""
    return policy.rpartition("/")[2].rpartition(":")[2].removesuffix(".env")


ANYBODY = Entry()


@value_class
class TcpAddress:
    """A TCP address; an empty host means all interfaces."""

    host: str
    port: int
    dual_stack: bool = True
    """With `::`: take IPv4 as well."""
    entry: Entry = ANYBODY
    """Of listeners only."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return _LOOPBACK.fullmatch(self.host) is not None

    @property
    def dialed(self) -> bytes:
        """The host that a client connects to. As bytes: what is no name, as `a..b`, is a failed
        look-up then, and no `UnicodeError`."""
        return (self.host or "localhost").encode()


@value_class
class UnixAddress:
    """A Unix socket; all but its path counts for listeners only."""

    path: str
    mode: int = 0o600
    uid: int = -1
    gid: int = -1
    entry: Entry = ANYBODY

    def __str__(self) -> str:
        return f"unix://{self.path}"


@value_class
class FdAddress:
    """Sockets that whoever started us listens on already, by the name they were given."""

    name: str
    entry: Entry

    def __str__(self) -> str:
        return f"fd://{self.name}"


Address = TcpAddress | UnixAddress
Listened = Address | FdAddress


@value_class
class Config:
    """All that the proxy needs to know before it starts."""

    listen: tuple[Listened, ...]
    upstream: Address
    policies: str = ""
    """The folder with the policies that containers have; empty: they have none."""
    level: Level = Level.INFO
    log_fd: int = 2
    """Where the log goes; of `enforce` alone, for what `learn` runs has its own stdout."""
    log_format: LogFormat = LogFormat.TEXT
    max_connections: int = DEFAULT_MAX_CONNECTIONS
    max_connections_per_client: int | None = None
    """Of one address or user; None: see `client_limit`."""
    allowed_hosts: frozenset[str] = frozenset()
    """Names of this proxy, in lower case, beside those that nobody else can have."""
    max_body: int = DEFAULT_MAX_BODY
    """Bytes of a body that is read to judge it."""
    ask_seconds: int = LONGEST_HOLD
    """How long a request is held while a person is asked about it."""
    metrics: Listened | None = None
    """Where metrics are read; None: nothing is counted for that."""

    @property
    def all_listened(self) -> tuple[Listened, ...]:
        """Where this process listens, for clients and for who reads metrics."""
        return (*self.listen, self.metrics) if self.metrics else self.listen

    @classmethod
    def read(
        cls,
        listen: tuple[Listened, ...],
        upstream: Address,
        environ: Mapping[str, str],
        *,
        level: str,
    ) -> "Config":
        """Add to the addresses what the environment says; `level` is the name of the usual one."""
        _check_names(listen)
        return cls(
            listen=listen,
            upstream=upstream,
            policies=environ.get("POLICIES", ""),
            level=parse_level(environ.get("LOG_LEVEL") or level),
            log_fd=LOG_DESCRIPTORS[_one_of("LOG_TO", environ, tuple(LOG_DESCRIPTORS))],
            log_format=LogFormat(_one_of("LOG_FORMAT", environ, tuple(LogFormat))),
            max_connections=_whole(
                "MAX_CONNECTIONS", environ, COUNTS, DEFAULT_MAX_CONNECTIONS
            ),
            max_connections_per_client=_whole(
                "MAX_CONNECTIONS_PER_CLIENT", environ, COUNTS, None
            ),
            allowed_hosts=parse_allowed_hosts(environ.get("ALLOWED_HOSTS", "")),
            max_body=_whole("MAX_BODY", environ, BODY_SIZES, DEFAULT_MAX_BODY),
            ask_seconds=_whole("ASK_SECONDS", environ, HOLDS, LONGEST_HOLD),
            metrics=_metrics_address(environ.get("METRICS", "").strip()),
        )


def _check_names(listen: tuple[Listened, ...]) -> None:
    files = dict[str, str]()
    for one in (each.entry for each in listen if each.entry.policy):
        if files.setdefault(one.client, one.policy) != one.policy:
            raise called_alike(one.client, files[one.client], one.policy)


def called_alike(client: str, one: str, other: str) -> ConfigError:
    """Say that nobody could tell the clients of two files apart."""
    return ConfigError(
        f"two policies are called {client}: {one} and {other}",
        hint="their clients are known by that name: rename one of the files",
    )


def parse_address(url: str, *, port: int | None = None) -> Address:
    """Read `tcp://HOST:PORT` or `unix:///path?mode=0660+uid=0+gid=999`.

    An `&` does between parameters too, but to `sh` it ends the value in an env file.
    `port` is taken where the URL names none; `ConfigError` says what is wrong.
    """
    scheme, _, rest = url.partition("://")
    try:
        if scheme == "unix":
            return _unix_address(rest)
        if scheme == "tcp":
            return _tcp_address(rest, port)
    except ValueError as error:
        hint = f"write {_FORMS[scheme]}"
        raise ConfigError(f"bad address {url!r}: {error}", hint=hint) from error
    hint = ADDRESS_HINT
    if scheme == "fd":
        hint = "fd:// is for listeners alone"
    elif scheme in {"https", "npipe"}:
        hint = f"{scheme}:// is not supported; {ADDRESS_HINT}"
    elif scheme == "ssh":
        hint = f"ssh:// is not supported: {tunnel(url)}"
    raise ConfigError(f"bad address {url!r}", hint=hint)


_NAME_OF_FD = re.compile(r"[!-~]{1,255}", re.ASCII)


def parse_listener(url: str, port: int = DEFAULT_PORT) -> Listened:
    """Read an address with who may come in there: `ADDRESS?policy=FILE&allow=10.0.0.0/8`.

    `allow=` is for TCP, `uids=` for Unix sockets; `fd://NAME` is a socket that is here.
    `port` is taken where the URL names none.
    """
    try:
        return _listener(url, port)
    except ValueError as error:
        raise ConfigError(f"bad address {url!r}: {error}", hint=ENTRY_HINT) from error


def _listener(url: str, port: int) -> Listened:
    address, _, query = url.partition("?")
    scheme, _, name = address.partition("://")
    values = _parameters(query)
    known = ("policy", "allow", "uids")
    entries = {one: values.pop(one) for one in known if one in values}
    if "," in address + entries.get("policy", "") and scheme != "fd":
        raise ValueError("there is no scheme behind a comma; one in a path is %2C")
    entry = _entry(scheme, entries)
    if scheme != "unix":
        for one in values:
            raise ValueError(f"the parameter {one!r} is not supported there")
    if scheme == "fd":
        if not _NAME_OF_FD.fullmatch(name):
            raise ValueError("its name is missing, or no word of ASCII")
        return FdAddress(name=name, entry=entry)
    others = "&".join(f"{one}={text}" for one, text in values.items())
    plain = "?".join(filter(None, (address, others)))
    return replace(parse_address(plain, port=port), entry=entry)


_BETWEEN_PARAMETERS = re.compile(r"&|\+(?=[a-z]+=)")


def _parameters(query: str) -> dict[str, str]:
    """Read what stands behind the ? of an address. Raises `ValueError`."""
    values = dict[str, str]()
    for pair in _BETWEEN_PARAMETERS.split(query) if query else ():
        name, _, text = pair.partition("=")
        if name in values or not text:
            why = "is given twice" if name in values else "is empty"
            raise ValueError(f"the parameter {name!r} {why}")
        values[name] = text
    return values


ENTRY_HINT = (
    "write tcp://HOST:PORT, unix:///absolute/path or fd://NAME, and behind a ?"
    " policy=FILE, allow=NETWORK,... (TCP), uids=NUMBER,... (Unix)"
)


def _entry(scheme: str, values: Mapping[str, str]) -> Entry:
    """Read who may come in. Raises `ValueError`."""
    for name, other in (("allow", "unix"), ("uids", "tcp")):
        if name in values and scheme == other:
            raise ValueError(f"{name}= means nothing for {scheme}://")
    if policy := _decoded(values.get("policy", "")):
        # Here, for few listeners have a policy of their own.
        from trioproxy.judge.identity import NAME

        if not NAME.fullmatch(client_of(policy)):
            raise ValueError(
                f"the policy {policy!r} names its clients, in the log and for health:"
                " call it NAME.env, NAME in lower case"
            )
    # Nothing is left out: an empty list would let in everybody.
    allow, uids = (
        values[name].split(",") if name in values else [] for name in ("allow", "uids")
    )
    networks = tuple(map(_network, allow))
    numbers = frozenset(_number("uids", one) for one in uids)
    return Entry(policy=policy, allow=networks, uids=numbers)


def _decoded(text: str) -> str:
    """A path without its `%XX`. Raises `ValueError`."""
    if not percent.is_whole(text.encode()):
        raise ValueError("a % without two hex digits behind it")
    plain = percent.decode(text.encode()).decode()
    if "\0" in plain:
        raise ValueError("no path has a zero byte in it")
    return plain


def _network(text: str) -> "IPv4Network | IPv6Network":
    """Read an address or a network; an IPv4 one within IPv6 as what it is."""
    from ipaddress import IPv4Network, IPv6Network, ip_network

    if "%" in text:  # of which it makes the same address on any of them
        raise ValueError(f"{text!r} names an interface, which allow= does not go by")
    found = ip_network(text)
    mapped = IPv6Network("::ffff:0:0/96")
    if isinstance(found, IPv6Network) and found.subnet_of(mapped):
        address = found.network_address.ipv4_mapped
        return IPv4Network((int(address or 0), found.prefixlen - mapped.prefixlen))
    return found


_SSH = re.compile(
    r"ssh://((?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*)"
    r"(?::([0-9]{1,5}))?(/[A-Za-z0-9._/-]*)?",
    re.ASCII,
)


def tunnel(url: str) -> str:
    """Say how a socket behind `ssh://` becomes one here; Podman's URLs name its path."""
    found = _SSH.fullmatch(url)
    host, port, path = found.groups() if found else ("USER@HOST", None, None)
    socket = path if path and path != "/" else DEFAULT_SOCKET
    option = f"-p {port} " if port else ""
    return (
        f"open a tunnel: ssh -nNT {option}-L /tmp/engine.sock:{socket} {host}"
        " and name unix:///tmp/engine.sock"
    )


_FORMS = {"tcp": "tcp://HOST:PORT", "unix": "unix:///absolute/path"}
ADDRESS_HINT = f"write {' or '.join(_FORMS.values())}"

_HOST_AND_PORT = re.compile(
    r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]*|\*))(?::([0-9]{1,5}))?/?", re.ASCII
)


def _tcp_address(rest: str, port: int | None) -> TcpAddress:
    found = _HOST_AND_PORT.fullmatch(rest)
    if found is None:
        raise ValueError("it is not HOST:PORT, with nothing behind the port")
    number = int(found[3]) if found[3] else port
    if number is None:
        raise ValueError("the port is missing")
    if number > LAST_PORT:
        raise ValueError("the port is out of range")
    host = found[1] or found[2]
    return TcpAddress(host="" if host == "*" else host, port=number)


LAST_PORT = 65535


def _unix_address(rest: str) -> UnixAddress:
    path, _, query = rest.partition("?")
    if not path.startswith("/") or "#" in rest:
        raise ValueError("the path must be absolute, with %23 for a #")
    plain, values = _decoded(path), _parameters(query)
    for name in values.keys() - {"mode", "uid", "gid"}:
        raise ValueError(f"there is no parameter {name!r}, but mode, uid and gid")
    numbers: dict[str, Any] = {
        name: _number(name, text) for name, text in values.items()
    }
    return UnixAddress(path=plain, **numbers)


def _number(name: str, text: str) -> int:
    octal = name == "mode"
    if not re.fullmatch(r"0?[0-7]{3}" if octal else r"[0-9]{1,99}", text, re.ASCII):
        wanted = "an octal mode such as 0660" if octal else "a number"
        raise ValueError(f"{name}={text!r} is not {wanted}")
    if (number := int(text, 8 if octal else 10)) > LAST_ID:
        raise ValueError(
            f"{name}={text!r} is no user's or group's: {LAST_ID} is the last"
        )
    return number


LAST_ID = 2**32 - 2
"""Directories hand out numbers of ten digits; the one behind this says "leave it"."""


def parse_level(text: str) -> Level:
    """Read a syslog level name, in either case."""
    levels = {level.name.lower(): level for level in Level}
    found = {**levels, **LEVEL_ALIASES}.get(text.strip().lower())
    if found is not None:
        return found
    raise ConfigError(f"bad LOG_LEVEL {text!r}", hint=f"one of {', '.join(levels)}")


def _one_of(name: str, environ: Mapping[str, str], words: tuple[str, ...]) -> str:
    """Read a setting that is one of a few words; unset, it is the first of them."""
    text = environ.get(name, "")
    word = text.strip().lower() or words[0]
    if word not in words:
        raise ConfigError(f"bad {name} {text!r}", hint=f"one of {', '.join(words)}")
    return word


def parse_bind_config(text: str, *, disable_ipv6: bool = False) -> TcpAddress:
    """Read the incumbent's `BIND_CONFIG`: `[ADDR]:PORT`, then `v4v6` or `v6only`."""
    words = text.split()
    found = re.fullmatch(r"([^,@]*):([0-9]{1,5})", words[0]) if words else None
    options = frozenset(words[1:])
    if found is None or int(found[2]) > LAST_PORT or not options <= {"v4v6", "v6only"}:
        raise ConfigError(
            f"bad BIND_CONFIG {text!r}",
            hint="write [ADDRESS]:PORT [v4v6|v6only]; LISTEN takes several addresses",
        )
    host = found[1].strip("[]")
    host = "" if host == "*" else host
    if disable_ipv6 and not host:
        host = "0.0.0.0"  # noqa: S104  the variable asks for all IPv4 interfaces
    if not host and options:
        host = "::"
    return TcpAddress(host=host, port=int(found[2]), dual_stack="v6only" not in options)


def parse_flag(name: str, text: str) -> bool:
    """Read an on/off setting that is no permission (`DISABLE_IPV6`)."""
    lowered = text.strip().lower()
    if lowered in {"1", "true", "yes", "on"}:
        return True
    if lowered in {"", "0", "false", "no", "off"}:
        return False
    raise ConfigError(f"bad value {name}={text!r}", hint=f"write {name}=1 or {name}=0")


_BETWEEN_LISTENERS = re.compile(r",(?:\s*,)*(?=\s*[a-z]+://)")
"""A list within one, as of `allow=`, has commas too, and no scheme behind them."""


def listen_addresses(
    options: tuple[str, ...], environ: Mapping[str, str]
) -> tuple[Listened, ...]:
    """Where to listen: `--listen`, else `LISTEN`, else `BIND_CONFIG`, else loopback."""
    given = environ.get("LISTEN", "").strip(" ,")
    urls = options or (_BETWEEN_LISTENERS.split(given) if given else ())
    if urls:
        return tuple(parse_listener(url.strip()) for url in urls)
    disable_ipv6 = parse_flag("DISABLE_IPV6", environ.get("DISABLE_IPV6", ""))
    if bind := environ.get("BIND_CONFIG", "").strip():
        return (parse_bind_config(bind, disable_ipv6=disable_ipv6),)
    return (parse_address(DEFAULT_LISTEN),)


def _metrics_address(url: str) -> Listened | None:
    """Read `METRICS`, a listener of its own."""
    if not url:
        return None
    hint = "write METRICS=tcp://127.0.0.1:9375 or METRICS=unix:///absolute/path"
    address = parse_listener(url, METRICS_PORT) if "://" in url else None
    if address is None or address.entry.policy:
        why = "policy= means nothing there" if address else "it is no address"
        raise ConfigError(f"bad METRICS {url!r}: {why}", hint=hint)
    return address


def upstream_address(
    option: str | None, environ: Mapping[str, str], *, docker_host: bool = False
) -> Address:
    """Where the Engine is: `--upstream`, `SOCKET_PATH`, `DOCKER_HOST` (learn), default."""
    if given := option or environ.get("SOCKET_PATH", ""):
        return parse_address(given if "://" in given else f"unix://{given}")
    if docker_host and (url := environ.get("DOCKER_HOST", "")):
        if environ.get("DOCKER_TLS_VERIFY"):
            raise ConfigError(
                "DOCKER_TLS_VERIFY is set: an Engine behind TLS is not supported yet",
                hint="name the Engine's socket with --upstream unix:///path",
            )
        return parse_address(url, port=DEFAULT_PORT)
    return UnixAddress(path=DEFAULT_SOCKET)


def client_limit(wanted: int | None, connections: int) -> int:
    """How many of all connections one client may have, at least one.

    Unless said otherwise it is half: a host with one busy client is not hindered, and
    no client leaves nothing to the others.
    """
    return max(1, min(connections // 2 if wanted is None else wanted, connections))


_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def parse_allowed_hosts(text: str) -> frozenset[str]:
    """Read `ALLOWED_HOSTS`: names of this proxy, with commas or spaces between them."""
    names = set[str]()
    for name in filter(None, re.split(r"[,\s]+", text)):
        plain = name.removesuffix(".")
        # Before it is in lower case: that makes ASCII of a few letters that are not.
        if not _HOST_NAME.fullmatch(plain):
            raise ConfigError(
                f"bad name {name!r} in ALLOWED_HOSTS",
                hint="write names in full, without *, http:// and port: proxy.example.org",
            )
        names.add(plain.lower())
    return frozenset(names)


COUNTS = range(1, 10_000_000)
"""What `MAX_CONNECTIONS` and `MAX_CONNECTIONS_PER_CLIENT` may be."""
BODY_SIZES = range(4 * 1024, 64 * 1024 * 1024 + 1)
"""What `MAX_BODY` may be."""
HOLDS = range(1, LONGEST_HOLD + 1)
"""What `ASK_SECONDS` may be, of `--ask` alone."""


def _whole(
    name: str, environ: Mapping[str, str], known: range, default: _Default
) -> int | _Default:
    """Read a setting that is a whole number of a range."""
    if not (text := environ.get(name, "")):
        return default
    if re.fullmatch(r"[1-9][0-9]{0,8}", text.strip(), re.ASCII) and int(text) in known:
        return int(text)
    hint = f"write a number from {known[0]} to {known[-1]}"
    raise ConfigError(f"bad {name} {text!r:.80}", hint=hint)
