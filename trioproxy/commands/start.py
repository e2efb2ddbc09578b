"""What `enforce` and `learn` check before they serve."""

import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar, TypeVarTuple

import trio

from trioproxy.commands.dialing import connected
from trioproxy.config import (
    Address,
    FdAddress,
    Listened,
    TcpAddress,
    UnixAddress,
    parse_address,
    parse_flag,
)
from trioproxy.errors import ConfigError, TrioProxyError, leaf_of
from trioproxy.files import is_one_file
from trioproxy.hostpath import Own, is_in_container
from trioproxy.judge.rules import Policy
from trioproxy.proxy import listeners
from trioproxy.proxy.upstream import explain
from trioproxy.proxy.watch import AWAY_SECONDS

_Args = TypeVarTuple("_Args")
_Result = TypeVar("_Result")

HAPROXY_CONFIGS: Final = (
    "/usr/local/etc/haproxy/haproxy.cfg",
    "/usr/local/etc/haproxy/haproxy.cfg.template",
)
"""Where the incumbent's image reads its configuration."""


def refuse_haproxy_config() -> None:
    """Stop where somebody mounted a configuration that would have no effect."""
    for path in HAPROXY_CONFIGS:
        if Path(path).exists():
            raise ConfigError(
                f"{path} is mounted, but this is trioproxy: it has no effect here",
                hint="remove the mount; say what may pass in the environment"
                " or in an env file",
            )


def check_upstream(upstream: Address, environ: Mapping[str, str]) -> str:
    """Look at the Engine's address before serving; a warning, or "" if all is well.

    Raises `ConfigError` for what is no socket or missing, and for a socket that refuses
    this user. An Engine that is only down is waited for: it may come back.
    """
    try:
        if isinstance(upstream, UnixAddress):
            _refuse_what_is_no_socket(upstream)
        connected(upstream, PROBE_SECONDS).close()
    except OSError as error:
        text = f"the Docker Engine at {upstream} does not answer yet"
        if isinstance(upstream, TcpAddress):
            is_late = isinstance(error, TimeoutError)
            why = "it takes too long" if is_late else error.strerror or error
            return f"{text}: {why}"
        # Here, for it is a start that goes wrong which asks.
        from trioproxy.commands import engines

        elsewhere = engines.hint(upstream, environ)
        if isinstance(error, DOWN):
            return f"{text}; {elsewhere}" if elsewhere else text
        hint = "" if isinstance(error, PermissionError) else SOCKET_HINT
        raise ConfigError(explain(upstream, error), hint=elsewhere or hint) from error
    return ""


def check_addresses(upstream: Address, listen: tuple[Listened, ...]) -> None:
    """Refuse addresses that are one: of two listeners, or of one and the Engine."""
    if any(_is_same(upstream, own) for own in listen):
        raise ConfigError(
            f"the upstream {upstream} is one of our own listeners",
            hint="name the Engine's socket with --upstream or SOCKET_PATH",
        )
    for one, other in itertools.combinations(listen, 2):
        # With `ReusePort=` one address goes before all interfaces, and each has its clients.
        ours = not isinstance(one, FdAddress)
        if _is_same(one, other, is_here=ours) or _is_same(other, one, is_here=ours):
            raise ConfigError(
                f"{one} and {other} are one address: each listener needs its own",
                hint="METRICS counts as one: METRICS=tcp://127.0.0.1:9375",
            )


DOWN: Final = (BlockingIOError, ConnectionRefusedError, TimeoutError)
"""How an Engine looks that is stopped, or a container with it that is not up yet."""

SOCKET_HINT: Final = "name the socket with --upstream unix:///path or SOCKET_PATH=/path"


PROBE_SECONDS: Final = 1.0


def _refuse_what_is_no_socket(upstream: UnixAddress) -> None:
    """Name a folder: connect(2) calls it a socket on which nobody listens."""
    path = Path(upstream.path)
    if path.is_dir():
        raise ConfigError(
            f"cannot reach the Docker Engine at {upstream}: it is a folder:"
            " Docker makes one where the mounted path is missing",
            hint="remove the folder if it is empty, and name or mount the Engine's own"
            " socket",
        )
    if path.is_file():
        raise ConfigError(
            f"cannot reach the Docker Engine at {upstream}: it is a file, no socket",
            hint=SOCKET_HINT,
        )


def check_time_zone(environ: Mapping[str, str]) -> str:
    """Warn about a time zone: the incumbents' images write their log in it."""
    zone = environ.get("TZ", "")
    if not zone or zone.upper().removeprefix("ETC/") in {"UTC", "UTC0", "GMT", "ZULU"}:
        return ""
    return f"TZ={zone[:64]!r} changes nothing: times in the log are UTC"


def _is_same(upstream: Listened, own: Listened, *, is_here: bool = False) -> bool:
    """Whether two are one address, be they handed over: systemd binds one twice with
    `ReusePort=`, and who comes there would be given to either.

    `is_here`: the first is an address of this machine too, whatever it is.
    """
    if isinstance(upstream, FdAddress) and str(upstream) == str(own):
        return True
    both = listeners.addresses_of(upstream), listeners.addresses_of(own)
    return any(_is_one(*pair, is_here) for pair in itertools.product(*both))


def _is_one(upstream: Address, own: Address, is_here: bool) -> bool:
    if isinstance(upstream, UnixAddress) and isinstance(own, UnixAddress):
        return is_one_file(upstream.path, own.path)
    if isinstance(upstream, TcpAddress) and isinstance(own, TcpAddress):
        is_here = is_here or upstream.is_loopback or upstream.host in ALL_INTERFACES
        is_within = is_here and own.host in ALL_INTERFACES
        meets = is_within and _families(upstream) & _families(own)
        is_same_host = bool(meets or _hosts(upstream) & _hosts(own))
        return upstream.port == own.port != 0 and is_same_host
    return False


def _families(one: TcpAddress) -> set[int]:
    """By which versions of IP somebody may come; by a name it may be both."""
    host = _plain(one)
    if ":" in host:
        return {4, 6} if host == "::" and one.dual_stack else {6}
    return {4} if "." in host else {4, 6}


def _hosts(one: TcpAddress) -> set[str]:
    host = _plain(one)
    if host == "localhost":
        return {"127.0.0.1", "::1"}
    return {"::1" if one.is_loopback and ":" in host else host}


def _plain(one: TcpAddress) -> str:
    return one.host.lower().removeprefix("::ffff:")


ALL_INTERFACES: Final = frozenset({"", "::", "0.0.0.0"})  # noqa: S104  names, not a bind


def run(function: Callable[[*_Args], Awaitable[_Result]], *args: *_Args) -> _Result:
    """Run Trio; an error of ours, or a Ctrl-C, that nurseries wrapped comes out as itself."""
    try:
        return trio.run(function, *args)
    except BaseExceptionGroup as group:
        leaf = leaf_of(group)
        if not isinstance(leaf, TrioProxyError | KeyboardInterrupt):
            raise
        raise leaf from leaf.__cause__


def away(environ: Mapping[str, str]) -> float:
    """Seconds for which tasks may stay off Trio's loop: 0 with `TRIOPROXY_STAY=0`."""
    stay = parse_flag("TRIOPROXY_STAY", environ.get("TRIOPROXY_STAY", "1"))
    return AWAY_SECONDS if stay else 0.0


def now() -> int:
    """Seconds since the epoch."""
    return int(time.time())


RUN_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def new_run(known: Iterable[str]) -> str:
    """Name a run of learning; names sort by the time the runs began.

    It sorts behind all that are known, even if the clock was set back since then: else
    what is new in it would look older than they are.
    """
    begun = datetime.now(UTC).strftime(RUN_TIME)
    newest = max(known, default="")
    if newest[: len(begun)] >= begun:
        try:
            at = datetime.strptime(newest[: len(begun)], RUN_TIME)
            begun = (at + timedelta(microseconds=1)).strftime(RUN_TIME)
        except (ValueError, OverflowError):
            begun = f"{newest[:40]}-"  # a name that is none of ours
    return f"{begun}-{os.urandom(4).hex()}"


def danger(listener: str) -> str:
    """Say what it means that everything passes, for a listener that others can reach."""
    return f"DANGER: whoever can reach {listener} is root on this host now"


def check_own_container(policy: Policy, own: Own) -> str:
    """Warn where objects are limited and this container cannot be told from others."""
    if not policy.objects or own.id or not is_in_container():
        return ""
    return "this container cannot tell which one it is: name none by ONLY_* that it could be"


def exposed(listen: tuple[Listened, ...], bound: tuple[str, ...]) -> list[str]:
    """Name the listeners that other machines can reach; `bound`: what they came to."""
    if any(isinstance(one, FdAddress) for one in listen):
        urls = (url for url in bound if url.startswith("tcp:"))
        listen = tuple(map(parse_address, urls))
    tcp = (one for one in listen if isinstance(one, TcpAddress))
    return [str(one) for one in tcp if not one.is_loopback]


SYS_ADMIN: Final = 21
NEITHER_NEEDED: Final = (
    "this container is privileged, or has SYS_ADMIN: it needs neither, remove that"
)


def is_on_internal_network(root: Path = Path("/")) -> bool:
    """Whether this is a container whose networks all have no way out.

    There it is right to listen on all interfaces, and no port is published: Docker gives
    an internal network no default route. What cannot be read counts as a way out.
    """
    if not is_in_container(root):
        return False
    try:
        routes = (root / "proc/net/route").read_text().splitlines()[1:]
        has_way_out = any(line.split()[1] == "00000000" for line in routes)
        routes_6 = root / "proc/net/ipv6_route"
        lines = routes_6.read_text().splitlines() if routes_6.exists() else []
    except (OSError, IndexError):
        return False
    # Of IPv6 the kernel lists a default route that refuses, on lo.
    return not has_way_out and not any(
        line.startswith(f"{'0' * 32} 00 ") and line.split()[-1] != "lo"
        for line in lines
    )


def check_privileges(root: Path = Path("/")) -> str:
    """Warn about a privileged container: guides give the other proxies that."""
    if not is_in_container(root):
        return ""
    try:
        status = (root / "proc/self/status").read_text()
    except OSError:
        return ""
    # The bounding set, which a user other than root has too.
    bounds = int(status.partition("CapBnd:")[2].split()[0], 16)
    return NEITHER_NEEDED if bounds >> SYS_ADMIN & 1 else ""
