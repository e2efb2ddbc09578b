"""Telling whoever supervises this process how it stands: sd_notify(3), without its library.

Nothing is said where nobody asks for it, by NOTIFY_SOCKET: systemd does with `Type=notify`,
and Podman, which hands on what its container says.
"""

import os
import socket
import time
from contextlib import suppress
from typing import Final

import trio

from trioproxy.config import Level
from trioproxy.proxy.log import Log

READY: Final = "READY=1"
RELOADING: Final = "RELOADING=1"
STOPPING: Final = "STOPPING=1"

TOLD_WITHIN: Final = 5.0
"""Seconds until it is given up: whoever supervises does not read."""

DOES_NOT_READ: Final = "it does not read what it is told"


async def tell(log: Log, state: str) -> None:
    """Send a state; what goes wrong is in the log."""
    words = state
    if state == RELOADING:
        # By this systemd knows which of several signals is answered.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        words = f"{state}\nMONOTONIC_USEC={now}"
    await _send(log, words)


async def be_watched(log: Log) -> None:
    """Say again and again that Trio's loop turns, where `WatchdogSec=` asks for it."""
    wanted = os.environ.get("WATCHDOG_USEC", "")
    is_ours = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    seconds = int(wanted[:20]) / 1e6 if wanted.isdecimal() else 0.0
    while seconds and is_ours:
        await _send(log, "WATCHDOG=1")
        await trio.sleep(seconds / 2)


async def _send(log: Log, words: str) -> None:
    if not (name := os.environ.get("NOTIFY_SOCKET")):
        return
    # An abstract name is written with an @ in the place of its zero byte.
    address = f"\0{name[1:]}" if name.startswith("@") else name
    error: object = DOES_NOT_READ
    with (
        trio.move_on_after(TOLD_WITHIN),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
    ):
        try:
            if not name.startswith(("@", "/")):
                raise OSError(f"{name!r:.80} is neither a path nor @NAME")  # noqa: TRY301  told below
            sock.connect(address)
            # That it is ready it has to hear, and nobody waits for that here. All else is said
            # once: a reload, which may take something from a client, waits for no reader.
            while True:
                with suppress(BlockingIOError):
                    sock.send(words.encode())
                    return
                if not words.startswith(READY):
                    break
                await trio.lowlevel.wait_writable(sock)
        except OSError as found:
            error = found.strerror or found
    log.line(Level.WARNING, "supervisor-lost", error=error)
