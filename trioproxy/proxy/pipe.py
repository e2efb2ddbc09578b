"""A way through the kernel for bytes that nobody needs to see: pages, not copies.

splice(2) moves what one socket has received into a pipe, and from there to another.
"""

import errno
import fcntl
import os
import socket
from contextlib import suppress
from typing import Final

PIPE_SIZE: Final = 1024 * 1024
"""Every user may ask for so much. With the kernel's default, 64 KiB, it works too."""

FLAGS: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK

UNABLE: Final = frozenset(
    {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES}
)
"""How a kernel says that it does not splice these, or a sandbox that nobody may."""


class CannotSplice(Exception):
    """Nothing was moved, and nothing would be the next time."""


class Pipe:
    """One for all connections of a server: whenever somebody awaits, it is empty.

    Bytes that stayed in it would be sent to the next client that uses it. So it knows
    how many it was filled with and not yet emptied of, and before it is filled again it
    is made anew if an exception, whichever, came in between.
    """

    __slots__ = ("_filled", "_inlet", "_outlet", "most", "works")

    takes_all = False
    """It has room for so many pages, full or not."""

    def __init__(self) -> None:
        self.most = PIPE_SIZE
        """Bytes that it takes at a time."""
        self.works = True
        """Until the kernel says that it does not."""
        self._open()

    def _open(self) -> None:
        self._outlet, self._inlet = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with suppress(OSError):
            fcntl.fcntl(self._inlet, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        self._filled = False

    def fill(self, sock: socket.socket, size: int) -> int:
        """Take up to `size` bytes from a socket; 0 is its end of data.

        Raises `CannotSplice`, and whatever a read of the socket raises.
        """
        if self._filled:
            old = self._inlet, self._outlet
            self._open()  # first, for it may fail, and a number that is closed be another's
            for one in old:
                os.close(one)
        self._filled = True
        try:
            count = os.splice(sock.fileno(), self._inlet, size, flags=FLAGS)
        except OSError as error:
            self._filled = False  # nothing was moved
            if error.errno not in UNABLE:
                raise
            self.works = False
            raise CannotSplice from error
        self._filled = count > 0
        return count

    def empty_into(self, sink: int, count: int) -> bytes:
        """Give the pipe's `count` bytes to a socket; what it does not take is returned.

        Raises whatever a write to the socket raises.
        """
        # What the sink does not take must leave the pipe all the same: it is shared.
        sent = 0
        try:
            sent = os.splice(self._outlet, sink, count, flags=FLAGS)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno not in UNABLE:
                self._read(count)
                self._filled = False
                raise
            self.works = False
        rest = self._read(count - sent)
        self._filled = False
        return rest

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += os.read(self._outlet, count - len(data))
        return data

    def close(self) -> None:
        """Close both ends."""
        os.close(self._inlet)
        os.close(self._outlet)
