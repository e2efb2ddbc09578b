"""Listening sockets: bound, with their owner and mode, before anybody can connect."""

import errno
import os
import socket
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from trioproxy.config import (
    UID,
    Address,
    Entry,
    FdAddress,
    Listened,
    TcpAddress,
    UnixAddress,
    file_name_of,
)
from trioproxy.errors import ConfigError
from trioproxy.http.hosts import Reach
from trioproxy.judge.outcome import host_of_client
from trioproxy.proxy.wire import find_unplugged
from trioproxy.values import settle, value_class

if TYPE_CHECKING:
    from trio.socket import SocketType

BACKLOG = 1024
ALL_BITS: Final = 0o777

MOMENT: Final = 0.05
"""Seconds in which whoever has bound a socket listens on it."""

YOUNG: Final = 1.0
"""Seconds for which a socket file may be that of who has just bound it."""

PACING: Final = frozenset({b"bbr"})
"""Congestion controls that pace what they send, by their names in the kernel."""

UNPACED: Final = b"reno"
"""Every kernel has it, and lets everybody choose it."""


@value_class
class Listener:
    """A listening socket; whoever holds it removes and closes it."""

    sock: socket.socket
    path: str = ""
    """Of a Unix socket's file."""
    file: tuple[int, ...] = ()
    """That file, as it was bound: device, inode, and when it was made, for inodes are
    used again."""
    entry: Entry
    """Who may come in by it."""
    is_lent: bool = False
    """Whether who started us listens on it too: then those who wait there are not lost
    when it is closed, for the next one serves them."""
    reach: Reach = field(init=False)
    """Who can connect: known also when it is closed."""

    def __post_init__(self) -> None:
        settle(self, reach=_reach_of(self.sock))

    @property
    def name(self) -> str:
        """Its address as a URL."""
        return name_of(self.sock)

    def remove(self) -> None:
        """Remove the file of a Unix socket, if it is still the one that was bound.

        A successor may have taken the path meanwhile, and its clients would find nothing.
        """
        with suppress(OSError):  # removed before us, which is what we want
            if self.path and _file_at(self.path) == self.file:
                os.unlink(self.path)


def _file_at(path: str, folder_fd: int | None = None) -> tuple[int, ...]:
    return _told_by(os.lstat(path, dir_fd=folder_fd))


def _told_by(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_mtime_ns


def bind(address: Listened) -> list[Listener]:
    """Bind and listen. Raises `ConfigError` where the address is taken or forbidden."""
    entry = address.entry
    if entry.uids:
        check_uids(address)
    try:
        if isinstance(address, FdAddress):
            socks = _take_over(address)
            return [Listener(sock=sock, entry=entry, is_lent=True) for sock in socks]
        if isinstance(address, UnixAddress):
            return [_bind_unix(address)]
        return [Listener(sock=sock, entry=entry) for sock in _bind_tcp(address)]
    except OSError as error:
        hints = _HINTS.get(type(address), {})
        raise ConfigError(
            f"cannot listen on {address}: {error.strerror or error}",
            hint=hints.get(error.errno or 0, ""),
        ) from error


UID_MAP: Final = Path("/proc/self/uid_map")
OVERFLOW: Final = Path("/proc/sys/kernel/overflowuid")
"""By this number, 65534 as it comes, the kernel tells of all users who have none in a user namespace:
of a container that has one that is most of the host (user_namespaces(7))."""


def check_uids(address: Listened) -> None:
    """Refuse that number, but where nobody is left out."""
    if (no_number := no_number_of()) in address.entry.uids:
        raise ConfigError(
            f"cannot listen on {address}: uids={no_number} is also whoever has no number in this user"
            " namespace",
            hint="have that client run as another user",
        )


def no_number_of() -> int:
    """That number; -1 where nobody is left out."""
    try:
        is_all = UID_MAP.read_text().split() == ["0", "0", str(2**32 - 1)]
        return -1 if is_all else int(OVERFLOW.read_text())
    except OSError:
        return 65534


MOST_LENT: Final = 1024
FIRST_LENT: Final = 3
"""The number of the first descriptor that a service manager gives (sd_listen_fds(3))."""


def _take_over(address: FdAddress) -> list[socket.socket]:
    """Take the sockets of a name that the service manager listens on for us."""
    numbers = _numbers_of(address)
    if not numbers:
        there = ", ".join(map(repr, _lent_names())) or "none"
        raise ConfigError(
            f"no socket called {address.name!r} was handed to this process: there are {there}",
            hint="FileDescriptorName= of the socket unit names them",
        )
    with ExitStack() as undo:
        socks = [undo.enter_context(_copy_of(number)) for number in numbers]
        for sock in socks:
            _check_lent(sock, address)
        undo.pop_all()
    return socks


def addresses_of(address: Listened) -> Iterator[Address]:
    """What an address stands for: of sockets that were handed over, as far as that is known."""
    if not isinstance(address, FdAddress):
        yield address
        return
    for number in _numbers_of(address):
        with suppress(OSError), _copy_of(number) as sock:
            at = sock.getsockname()
            if isinstance(at, tuple):
                is_apart = sock.family == socket.AF_INET6 and sock.getsockopt(
                    socket.IPPROTO_IPV6, socket.IPV6_V6ONLY
                )
                yield TcpAddress(host=str(at[0]), port=at[1], dual_stack=not is_apart)
            elif isinstance(at, str):  # else it is a name without a file
                yield UnixAddress(path=at)


def left_over(addresses: Iterable[Listened]) -> list[str]:
    """The names of sockets that were handed to this process, and that no address takes."""
    taken = {one.name for one in addresses if isinstance(one, FdAddress)}
    return [name for name in dict.fromkeys(_lent_names()) if name not in taken]


def _numbers_of(address: FdAddress) -> list[int]:
    """The descriptors that were handed over by a name."""
    names = enumerate(_lent_names(), FIRST_LENT)
    return [number for number, name in names if name == address.name]


def _copy_of(number: int) -> socket.socket:
    """A copy, so that a name may be taken over again by another start in here."""
    return socket.socket(fileno=os.dup(number))


def _lent_names() -> list[str]:
    """The names of what was handed to this very process, in the order of descriptors."""
    environ = os.environ
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdecimal():
        return []
    told = environ.get("LISTEN_FDNAMES", "")
    # Who tells no names, as systemd-socket-activate, hands over what is "unknown".
    names, most = told.split(":") if told else [], min(int(count[:9]), MOST_LENT)
    return [*names, *["unknown"] * most][:most]


def _check_lent(sock: socket.socket, address: FdAddress) -> None:
    families = {socket.AF_UNIX, socket.AF_INET, socket.AF_INET6}
    is_stream = sock.type == socket.SOCK_STREAM and sock.family in families
    if not (is_stream and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)):
        raise ConfigError(
            f"{address} is no listening stream socket",
            hint="write ListenStream= and Accept=no in the socket unit",
        )
    is_unix = sock.family == socket.AF_UNIX
    if address.entry.allow if is_unix else address.entry.uids:
        wrong = "allow= means nothing" if is_unix else "uids= means nothing"
        raise ConfigError(f"{address} is {name_of(sock)}: {wrong} there")
    if not is_unix:
        _set_options(sock)


def _bind_tcp(address: TcpAddress) -> list[socket.socket]:
    if not address.host:
        return [_all_interfaces(address.port)]
    found = socket.getaddrinfo(
        # As bytes: for a text Python loads all that IDNA needs, 130 KB.
        address.host.encode("ascii"),
        address.port,
        type=socket.SOCK_STREAM,
        flags=socket.AI_PASSIVE,
    )
    # Port 0 is chosen by the kernel, which would choose another for each family.
    found = found[:1] if address.port == 0 else found
    return [
        _listen_tcp(family, sockaddr, dual_stack=address.dual_stack)
        for family, sockaddr in dict.fromkeys((one[0], one[4]) for one in found)
    ]


_HINTS: Final[dict[type, dict[int, str]]] = {
    TcpAddress: {
        errno.EADDRINUSE: "another program listens there: stop it, or choose another port",
        errno.EACCES: "this user may not listen there: choose a port from 1024 up",
        errno.EADDRNOTAVAIL: "this machine does not have that address",
    },
    UnixAddress: {
        errno.EACCES: "its folder, or a socket that is there, is closed to this user: choose another path,"
        " or have who owns it remove it",
        errno.ENOENT: "make its folder first",
        errno.EADDRINUSE: "another program has just begun to listen there: stop it, or choose another path",
        errno.EPERM: "this user may not give a file to that uid= or gid=",
    },
}
"""By why an address of a kind cannot be listened on."""


def _all_interfaces(port: int) -> socket.socket:
    """Listen on IPv6 and IPv4, or on IPv4 alone where the machine has no IPv6."""
    try:
        return _listen_tcp(socket.AF_INET6, ("::", port), dual_stack=True)
    except OSError as error:
        if error.errno not in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EINVAL}:
            raise
        # All interfaces are what was asked for.
        return _listen_tcp(socket.AF_INET, ("0.0.0.0", port), dual_stack=True)  # noqa: S104


def _listen_tcp(
    family: int, sockaddr: tuple[object, ...], *, dual_stack: bool
) -> socket.socket:
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual_stack)
        _set_options(sock)
        sock.bind(sockaddr)
        sock.listen(BACKLOG)
        undo.pop_all()
    return sock


def _set_options(sock: socket.socket) -> None:
    """Accepted sockets inherit these."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    find_unplugged(sock)
    _do_not_pace(sock)


def _do_not_pace(sock: socket.socket) -> None:
    """Choose a congestion control without pacing where the host's default paces.

    To a client on this host or beside it, BBR sets a timer for every 64 KB: a third of
    all the CPU time of a download. Where the default is another one, it stays.
    """
    with suppress(OSError):  # a kernel that does not tell, or has no other: as it is
        default = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        if default.rstrip(b"\0") in PACING:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, UNPACED)


def _bind_unix(address: UnixAddress) -> Listener:
    path, entry = address.path, address.entry
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        _make_room(path)
        # A new socket file has all the bits that the umask leaves it.
        before = os.umask(ALL_BITS & ~address.mode)
        try:
            sock.bind(path)
        finally:
            os.umask(before)
        listener = Listener(sock=sock, path=path, file=_file_at(path), entry=entry)
        undo.callback(listener.remove)
        _set_owner(address)
        sock.listen(BACKLOG)
        undo.pop_all()
    return listener


def _set_owner(address: UnixAddress) -> None:
    """Set owner and mode of the socket file, before `listen` lets anybody connect.

    bind(2) takes a name and gives no descriptor of the file. Whoever may write the folder
    can put a link in its place at once, and chmod(2) and chown(2) by name would change
    what that leads to. A descriptor opened with O_PATH stays with one file: that is
    looked at, and then changed through /proc, which leads to it and nowhere else.
    """
    fd = os.open(address.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        is_given = address.uid >= 0 or address.gid >= 0
        is_other_mode = stat.S_IMODE(found.st_mode) != address.mode  # by a default ACL
        is_ours = found.st_uid == os.geteuid() and found.st_nlink == 1
        if not stat.S_ISSOCK(found.st_mode) or (
            (is_given or is_other_mode) and not is_ours
        ):
            raise ConfigError(
                f"cannot listen on {address.path}: somebody replaced the new socket",
                hint="choose a folder that no other user may write",
            )
        if is_given:
            os.chown(f"/proc/self/fd/{fd}", address.uid, address.gid)
        if is_other_mode:
            os.chmod(f"/proc/self/fd/{fd}", address.mode)
    finally:
        os.close(fd)


def _make_room(path: str) -> None:
    """Remove a socket that nobody answers on; anything else stays and is an error.

    It is looked at and removed in one folder, opened once: the name of that may come to
    mean another one meanwhile. Of two that start at once one has bound and does not listen
    yet, or has just removed the dead one: what goes is dead twice, and is looked at once it
    has no name that anybody knows.
    """
    folder, name = os.path.split(path)
    folder_fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    with ExitStack() as leave:
        leave.callback(os.close, folder_fd)
        leave.enter_context(suppress(FileNotFoundError))
        found = os.lstat(name, dir_fd=folder_fd)
        if not stat.S_ISSOCK(found.st_mode):
            raise ConfigError(
                f"cannot listen on {path}: the path exists and is no socket"
            )
        if _is_dead(path):
            if time.time() - found.st_mtime < YOUNG:
                time.sleep(MOMENT)
            if _is_dead(path) and _file_at(name, folder_fd) == _told_by(found):
                aside, here = f".{os.urandom(8).hex()}", folder_fd
                os.rename(name, aside, src_dir_fd=here, dst_dir_fd=here)
                if _file_at(aside, here) == _told_by(found):
                    os.unlink(aside, dir_fd=here)
                    return
                os.rename(aside, name, src_dir_fd=here, dst_dir_fd=here)
        raise ConfigError(
            f"cannot listen on {path}: another program listens there",
            hint="stop it, or choose another path",
        )


def _is_dead(path: str) -> bool:
    """Whether nobody answers on a socket. Raises `OSError`."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with probe, suppress(BlockingIOError):  # its queue is full: somebody has made that
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
    return False


def name_of(sock: socket.socket) -> str:
    """The address of a listening socket as a URL."""
    if sock.family == socket.AF_UNIX:  # a zero byte is in front of what is no file
        return f"unix://{os.fsdecode(sock.getsockname())}".replace("\0", "@")
    host, port = sock.getsockname()[:2]
    return str(TcpAddress(host=host, port=port))


TICK: Final = 0.01
"""Seconds of the longest tick that a kernel counts by (`CONFIG_HZ=100`)."""


def age_of(sock: socket.socket) -> float:
    """Seconds since a TCP connection was made, be that long before it was accepted.

    tcp(7): until something was sent, the time since it was is that since the beginning. The
    kernel counts ticks, and may have begun one just before: so it is one more at most.
    """
    with suppress(OSError):  # a kernel that does not tell: since it was accepted
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 48)
        return int.from_bytes(info[44:48], sys.byteorder) / 1000 + TICK
    return 0.0


def _reach_of(sock: socket.socket) -> Reach:
    """Who can connect to a listening socket."""
    if sock.family == socket.AF_UNIX:
        return Reach.UNIX
    return Reach.LOOPBACK if is_loopback(str(sock.getsockname()[0])) else Reach.NETWORK


def is_loopback(host: str) -> bool:
    """Whether an address, in the kernel's words, is this machine's alone."""
    return host == "::1" or host.removeprefix("::ffff:").startswith("127.")


LOOPBACK: Final = "127.0.0.0/8"


def group_of(peer: str) -> str:
    """Name those who count as one client: a machine has many addresses, all of them free.

    All of 127.0.0.0/8, and `::1`, are this machine; of IPv6 whoever has one address has
    the 2**64 beside it. `peer`: as `peer_of` names it, an IPv4 in an IPv6 as that IPv4.
    """
    host = host_of_client(peer)
    if is_loopback(host):
        return LOOPBACK
    if ":" not in host or peer.startswith("unix:"):
        return host
    network = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8] + bytes(8)
    return f"{socket.inet_ntop(socket.AF_INET6, network)}/64"


def client_name_of(peer: str) -> str:
    """Name a client for whom nothing else is known.

    Raises `ConfigError` for a number that is of many users.
    """
    if peer.startswith(UID) and int(peer.removeprefix(UID)) == no_number_of():
        raise ConfigError(
            f"{peer} is also whoever has no number in this user namespace: give that client"
            " a listener with policy="
        )
    return file_name_of(host_of_client(peer))


def peer_of(sock: socket.socket, address: object) -> str:
    """Name a client: `host:port`, or the user id behind a Unix socket. With an interface
    behind the host it is not who has that address."""
    if isinstance(address, tuple):
        host = str(address[0])
        if "." in host:  # others that begin so are none of IPv4, as ::ffff:0:a:b is
            host = host.removeprefix("::ffff:")
        if ":" not in host:
            return f"{host}:{address[1]}"
        return f"[{host}{_astray(sock, host)}]:{address[1]}"
    return f"{UID}{uid_of(sock)}"


def uid_of(sock: "socket.socket | SocketType") -> int:
    """The user behind a Unix socket (unix(7))."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], sys.byteorder)


ADDRESSES: Final = Path("/proc/net/if_inet6")
"""Of each address of ours a line, with all numbers in hex: its interface, prefix and flags."""
PERMANENT: Final = 0x80
"""The flag of an address that nobody out there gave us."""

LOOPBACK_INDEX: Final = 1
IPV6_RECVPKTINFO: Final = 49
IPV6_PKTOPTIONS: Final = 6
SO_BINDTOIFINDEX: Final = 62
"""Python has no names for these three (ipv6(7), RFC 2292, socket(7))."""


def _astray(sock: socket.socket, host: str) -> str:
    """Name the interface by which an IPv6 connection came (`%eth0`), if its address is of a
    network that another interface is on.

    Who may send raw packets on one network can have our kernel look there for an address of
    another one, by a router advertisement, and answer as that. By which interface a packet
    came the kernel alone says. One that came as it should is held to its interface: else its
    answers would go where an advertisement says, and who reads them could ask in its place.
    """
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        told = sock.getsockopt(socket.IPPROTO_IPV6, IPV6_PKTOPTIONS, 64)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 0)
    except OSError:  # a kernel that does not tell: as it is
        return ""
    at = socket.CMSG_LEN(16)  # behind the address
    came = int.from_bytes(told[at : at + 4], sys.byteorder)
    if came <= LOOPBACK_INDEX:
        return ""
    if (near := _near(host)) == {came}:
        with suppress(OSError):  # before Linux 5.7 that takes a capability
            sock.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, came)
    if not near or came in near:
        return ""
    # Of a socket that was handed over from another network namespace it is none of ours.
    return f"%{dict(socket.if_nameindex()).get(came, came)}"


def is_near(peer: str) -> bool:
    """Whether a client's address is of a network that we are on, as one of IPv4 may be."""
    return peer[0] != "[" or bool(_near(host_of_client(peer)))


def _near(host: str) -> set[int]:
    """The interfaces on whose networks an IPv6 address is."""
    peer = int.from_bytes(socket.inet_pton(socket.AF_INET6, host.partition("%")[0]))
    known = _networks(ADDRESSES.read_bytes())
    return {index for network, bits, index in known if peer >> bits == network}


@lru_cache(maxsize=1)
def _networks(table: bytes) -> list[tuple[int, int, int]]:
    """The networks that we are on, in the kernel's table, which seldom changes: the bits that all
    their addresses begin with, how many follow, and the interface."""
    rows = [[int(one, 16) for one in row.split()[:5]] for row in table.splitlines()]
    return [
        (address >> 128 - prefix, 128 - prefix, index)
        for address, index, prefix, _, flags in rows
        if flags & PERMANENT
    ]
