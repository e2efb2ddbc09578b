"""What is ours, and whether a client may write it.

A client that can write its policy has none; the same is true of the evidence, of the
sockets on both sides, and of the program: the interpreter, its prefix, the packages that it
loads. They are compared with each bind that is listed as writable: by all names that a place
has, as they are written and as links lead. In a container paths are translated by its
mounts, and what cannot be is warned about.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final

import trioproxy
from trioproxy.api import normal
from trioproxy.api.families import PROXY
from trioproxy.config import Address, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.hostpath import Mount, is_in_container, mount_of, read_mounts
from trioproxy.judge.rules import Policy
from trioproxy.limits import root
from trioproxy.limits.limit import BINDS, Limits, parse_limits
from trioproxy.limits.sorts import why_root
from trioproxy.limits.varying import end_of_literal
from trioproxy.quoting import argument, visible
from trioproxy.values import value_class

MOST_LINKS: Final = 40
"""Links on the way of one path that are looked at, as many as Linux follows."""


class OurKind(Enum):
    """What something of ours is."""

    FILE = "file"
    LISTENER = "listener"
    ENGINE = "the Engine's socket"
    ASKER = "the socket at which somebody is asked"
    PROGRAM = "program"


@value_class
class Ours:
    """Something of ours."""

    path: str
    kind: OurKind = OurKind.FILE
    is_loaded_from: bool = False
    """Whether it is a folder of which nothing may be written, what lies in it neither."""
    client: str | None = None
    """Whose policy judges at a listener, the process's own if empty; None: nobody's does."""

    @property
    def told(self) -> str:
        """Name it."""
        shown = visible(self.path)
        match self.kind:
            case OurKind.ENGINE | OurKind.ASKER:
                return f"{self.kind.value} {shown}"
            case OurKind.PROGRAM:
                return f"{shown}, which trioproxy runs from,"
            case _:
                return shown


def program() -> Iterator[Ours]:
    """The interpreter, its prefix, the package and all folders that modules come from."""
    is_venv = sys.prefix != sys.base_prefix
    yield Ours(path=sys.prefix, kind=OurKind.PROGRAM, is_loaded_from=is_venv)
    yield Ours(path=sys.executable, kind=OurKind.PROGRAM)
    for path in trioproxy.__path__:
        yield Ours(path=path, kind=OurKind.PROGRAM, is_loaded_from=True)
    for path in filter(os.path.isdir, sys.path):
        # One may be the folder that it was started in: what lies there is no module.
        holds_packages = path.endswith(("/site-packages", "/dist-packages"))
        yield Ours(path=path, kind=OurKind.PROGRAM, is_loaded_from=holds_packages)


def engine(upstream: Address | None) -> Iterator[Ours]:
    """The Engine's socket, if it is a file that is known."""
    if isinstance(upstream, UnixAddress):
        yield Ours(path=upstream.path, kind=OurKind.ENGINE)


def check_own(
    policy: Policy, own: Iterable[Ours], mounts: tuple[Mount, ...] | None = None
) -> str:
    """Look for what is ours and a client may write; a warning, or "".

    Raises `ConfigError` where that is sure. `mounts`: those of this process, where it is
    in a container; None where the Engine's paths are its own.
    """
    limits = policy.limits
    if not limits.by_variable.get("CREATE_BINDS"):
        return ""
    lists = (limits, *_followed(limits)) if mounts is None else (limits,)
    warning = ""
    proxys = {limits.proxy_socket} - {""}
    if mounts is None:
        proxys |= {os.path.realpath(path) for path in proxys}
    for one in own:
        for path in _ways(one.path):
            places = _on_host(mounts, path)
            if one.kind is OurKind.ENGINE and not proxys.isdisjoint(places):
                raise ConfigError(
                    f"PROXY_SOCKET={limits.proxy_socket} is the Engine's own socket, and no listener",
                    hint="write the path that the listener has on the Engine's host",
                )
            where = ""
            if any(_is_written(limits, one, at) for limits in lists for at in places):
                where = _WRITTEN
            elif _is_read_untold(policy, lists, one, places):
                where = "what CREATE_BINDS lets clients read, and so connect to"
            if where:
                hint = _advice(policy, one, in_container=mounts is not None)
                raise ConfigError(f"{one.told} lies in {where}", hint=hint)
            if mounts is not None and _may_be_written(limits, one, mounts, path):
                warning = f"{one.told} lies in {_WRITTEN}, if the host has it there too"
    return warning


_WRITTEN: Final = "a folder that CREATE_BINDS lets clients write"


def hindrances(policy: Policy, *own: Iterable[Ours]) -> Iterator[str]:
    """Say what keeps `enforce` from starting with a policy where these, and the program, are."""
    mounts = mounts_here()
    for one in (program(), *own):
        try:
            check_own(policy, one, mounts)
        except ConfigError as error:
            yield f"trioproxy enforce will not start so: {error}"
            yield f"hint: {error.hint}"


def check_listeners(
    policy: Policy, own: Iterable[Ours], client: str, mounts: tuple[Mount, ...] | None
) -> str:
    """Look for a listener of another policy to which what a client starts may connect, by a
    bind that is read-only, or as `@proxy`; a warning, or ""."""
    limits = policy.limits
    if not limits.by_variable.get("CREATE_BINDS"):
        return ""
    for one in own:
        if one.client in {None, client}:
            continue
        places = {at for path in _ways(one.path) for at in _on_host(mounts, path)}
        if limits.proxy_socket in places or any(_is_read(limits, at) for at in places):
            return f"what its clients start may connect to {one.told}, a listener of another policy, and has that"
    return ""


def mounts_here() -> tuple[Mount, ...] | None:
    """The mounts of this process, if it is in a container."""
    return read_mounts() if is_in_container() else None


def _is_written(limits: Limits, one: Ours, path: str) -> bool:
    # The Engine's socket itself may be listed: who does that has been told what it is.
    path = os.path.dirname(path) if one.kind is OurKind.ENGINE else path
    # Who is asked is connected to, and by a bind that is read-only as well.
    is_asker, is_folder = one.kind is OurKind.ASKER, one.is_loaded_from
    return limits.lists_writable(path, also_inside=is_folder, also_read=is_asker)


def _is_read_untold(
    policy: Policy, lists: Iterable[Limits], one: Ours, places: Iterable[str]
) -> bool:
    """Whether a client may bind the Engine's socket, and be it read-only, by what nobody was
    told is root: it is enough to connect."""
    if one.kind is not OurKind.ENGINE:
        return False
    read = [(given, at) for given in lists for at in places if _is_read(given, at)]
    told, where = policy.limits.binds, policy.limits.places
    # By a usual name who lists it has been told what it is, and a star leaves it out.
    return any(
        not root.SOCKET.fullmatch(at) or _is_read(given, os.path.dirname(at))
        for given, at in read
    ) and not any(why_root(BINDS, item.text, places=where) for item in told)


def _is_read(limits: Limits, path: str) -> bool:
    return limits.lists_writable(path, also_read=True)


def _ways(path: str) -> Iterator[str]:
    """A path as it is written, each link on its way, and where that leads."""
    path = os.path.abspath(path)
    yield path
    for _ in range(MOST_LINKS):
        parts = path.split("/")
        prefixes = ("/".join(parts[:end]) for end in range(2, len(parts) + 1))
        link = next(filter(os.path.islink, prefixes), "")
        if not link:
            return
        yield link
        try:
            to = os.path.join(os.path.dirname(link), os.readlink(link))
        except OSError:  # it is gone
            return
        path = os.path.normpath(f"{to}{path.removeprefix(link)}")
        yield path


def _followed(limits: Limits) -> Iterator[Limits]:
    """The same binds, as links of this host lead; nothing where none does."""
    texts = (one.text for one in limits.binds)
    items = [
        f"{led}{mark}{mode}"
        for path, mark, mode in (one.partition(":") for one in texts if one != PROXY)
        if (led := _led(limits.meaning_of(path)))
    ]
    if items:
        variables = {"CREATE_BINDS": ",".join(items)}
        yield parse_limits(variables, source="CREATE_BINDS as links lead")


def _led(item: str) -> str:
    """An item with the links of what is literal in it followed; empty: there are none."""
    head, tail = item[: (at := end_of_literal(item))], item[at:]
    if tail:
        head, _, name = head.rpartition("/")
        tail = f"/{name}{tail}"
    try:
        led = normal.quote(os.path.realpath(normal.unquote(head or "/")))
    except OSError:
        # A link that may not be read, as /proc/1/root: nothing of ours is told.
        return ""
    return "" if led == (head or "/") else f"{led.rstrip('/')}{tail}"


def _on_host(mounts: tuple[Mount, ...] | None, path: str) -> tuple[str, ...]:
    """Where a path lies for the Engine; nothing: that cannot be told."""
    if mounts is None:
        return (path,)
    mount = mount_of(mounts, path)
    return mount.on_host(path) if mount else ()


def _may_be_written(
    limits: Limits, one: Ours, mounts: tuple[Mount, ...], path: str
) -> bool:
    """Whether a bind ends in what the mount table says of a path, wherever its file system
    is on the host; of what it does not say, whether the path itself is listed."""
    mount = mount_of(mounts, path)
    if mount is None or not mount.on_host(path):
        return _is_written(limits, one, path)
    if mount.kind == "overlay":
        return False
    rest = path.removeprefix(mount.place.rstrip("/"))
    below = f"{mount.root.rstrip('/')}{rest}"
    texts = (limits.meaning_of(one.text) for one in limits.binds)
    heads = (normal.unquote(text[: end_of_literal(text)]) for text in texts)
    fronts = {
        head[:at] for head in heads for at in range(1, len(head)) if head[at] == "/"
    }
    return any(_is_written(limits, one, f"{front}{below}") for front in fronts)


# --- Where to put it ------------------------------------------------------------------


def _advice(policy: Policy, one: Ours, *, in_container: bool) -> str:
    match one.kind:
        case OurKind.ASKER:
            return (
                "ask at a socket in a folder that no bind holds, read-only ones neither"
            )
        case OurKind.ENGINE:
            return "list folders that do not hold it, read-only ones neither"
        case _ if in_container:
            place = "mount it from a folder of the host that no bind holds"
        case OurKind.FILE:
            place = f"keep it {_place_for(policy)}"
        case OurKind.LISTENER:
            place = "listen in a folder that no bind holds"
        case _:  # the program
            place = "install it outside of these folders, as with pipx"
    return f"{place}, or list the folder as :ro"


def _place_for(policy: Policy) -> str:
    """Say where files of ours may lie: in a usual folder that no listed bind reaches."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    for folder in (f"{home}/trioproxy", "/etc/trioproxy"):
        try:
            check_own(policy, [Ours(path=f"{folder}/x", kind=OurKind.LISTENER)])
        except ConfigError:
            continue
        return f"in {argument(folder)}"
    return "elsewhere"
