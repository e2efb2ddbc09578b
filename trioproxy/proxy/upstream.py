"""Opens the Engine's socket, and says clearly why it cannot."""

import errno
import os
import socket
import stat
from typing import Final

import trio

from trioproxy.config import Address, TcpAddress, UnixAddress
from trioproxy.errors import ConnectTimeout, UpstreamError, UpstreamLost
from trioproxy.hostpath import replaced
from trioproxy.proxy.watch import Watch
from trioproxy.proxy.wire import Wire, find_unplugged

CONNECT_TIMEOUT: Final = 5.0
"""Seconds until an Engine that does not accept becomes a 504."""

FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.25


async def open_upstream(address: Address, watch: Watch) -> Wire:
    """Connect to the Engine. Raises `UpstreamError` (502) or `ConnectTimeout` (504)."""
    wire = _try_unix(address, watch) if isinstance(address, UnixAddress) else None
    if wire is not None:
        return wire
    with trio.move_on_after(CONNECT_TIMEOUT):
        if isinstance(address, UnixAddress):
            return await _retry_unix(address, watch)
        return await _open_tcp(address, watch)
    raise ConnectTimeout(
        f"the Docker Engine at {address} does not accept connections"
        f" ({CONNECT_TIMEOUT:.0f} s): is it overloaded or hung?"
    )


def _try_unix(address: UnixAddress, watch: Watch) -> Wire | None:
    """Connect at once, or return None where the Engine's backlog is full."""
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            sock.connect(address.path)
            return Wire(sock, UpstreamLost, watch)
        except OSError:
            sock.close()
            raise
    except BlockingIOError:
        # EAGAIN on a Unix socket is a full backlog, not a connection in progress.
        return None
    except OSError as error:
        raise UpstreamError(explain(address, error)) from error


async def _retry_unix(address: UnixAddress, watch: Watch) -> Wire:
    # No event tells when a full backlog has room again, so it is tried at growing
    # intervals; the caller's scope is the deadline.
    pause = FIRST_PAUSE
    while (wire := _try_unix(address, watch)) is None:
        await trio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return wire


async def _open_tcp(address: TcpAddress, watch: Watch) -> Wire:
    try:
        # Trio resolves names in a thread and tries addresses side by side (RFC 8305); the
        # socket it found is ours from then on, and the watch's.
        stream = await trio.open_tcp_stream(address.dialed, address.port)
        sock = socket.socket(fileno=stream.socket.detach())
        try:
            find_unplugged(sock)
            return Wire(sock, UpstreamLost, watch)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise UpstreamError(explain(address, error)) from error


CAUSES: Final = {
    errno.ENOENT: "there is no such socket: is the Engine running, and its socket mounted?",
    errno.ECONNREFUSED: "nobody listens on it: is the Engine running?",
    errno.EMFILE: "out of file descriptors: raise the limit (ulimit -n)",
    errno.ENFILE: "the machine is out of file descriptors",
    errno.EPROTOTYPE: "it is no stream socket",
}


def explain(address: Address, error: OSError) -> str:
    """Say why the Engine cannot be reached and what to do about it."""
    number = error.errno or errno.EIO
    if isinstance(address, UnixAddress) and number in {errno.EACCES, errno.EPERM}:
        cause = f"permission denied: {_owner(address.path)}"
    elif isinstance(address, UnixAddress) and replaced(address.path):
        cause = (
            "it has another socket by now: mount its folder, and start the proxy anew"
        )
    else:
        cause = CAUSES.get(number) or error.strerror or str(error)
    return f"cannot reach the Docker Engine at {address}: {cause}"


def _owner(path: str) -> str:
    """Tell owner and group of a socket that refuses us, by their numbers: a container has names
    of its own for these; and how to get in."""
    try:
        found = os.stat(path)
    except OSError:
        return "its folder is closed to this user: run as another user"
    user, group, mode = found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)
    way = f"as user {user} (in Compose: user: '{user}')"
    if mode & stat.S_IWGRP:
        way = f"with group {group} (in Compose: group_add: [{group}])"
    return f"it belongs to user {user} and group {group} (mode {mode:04o}): run {way}"
