"""An address that no other process of this machine listens at."""

import os


def own_loopback() -> str:
    """A loopback address by this process's id: a port that was free there a moment ago still is.

    On 127.0.0.1 another process may have been given it meanwhile.
    """
    pid = os.getpid()
    return f"127.{64 | pid >> 16}.{pid >> 8 & 255}.{pid & 255}"
