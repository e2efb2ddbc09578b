"""Giving up what a serving proxy does not need, once it is bound.

Whoever takes over this process has the Engine's socket, and with it root on the host:
nothing here changes that. What changes is that the way leads through the socket, where a
log or an Engine's own rules may see it, and not through the kernel of a root process with
a dozen capabilities, through a program with the setuid bit, or through a core file with
the credentials that passed by.

prctl(2) and capset(2) are in no module of Python's but ctypes, which Trio has loaded
already to name its threads: this costs no memory. Both act on the calling thread and on
the threads that it starts, so they come before Trio has started any.
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from trioproxy.values import value_class

PR_SET_DUMPABLE: Final = 4
PR_SET_NO_NEW_PRIVS: Final = 38
CAPABILITY_VERSION_3: Final = 0x20080522

CHOWN: Final = 0
DAC_OVERRIDE: Final = 1
FOWNER: Final = 3
NAMES: Final = {CHOWN: "chown", DAC_OVERRIDE: "dac_override", FOWNER: "fowner"}
"""What may be kept, by the kernel's numbers."""


@value_class
class Use:
    """A file or folder that is needed later on."""

    path: str
    access: int
    """`os.R_OK`, `os.W_OK` and `os.X_OK`, as access(2) takes them."""
    is_given_back: bool = False
    """Whether a new file there shall get the owner of the old one."""


@value_class
class Hardened:
    """What is true now."""

    kept: tuple[str, ...]
    """Capabilities that later uses of files need, by name."""
    failed: tuple[str, ...]
    """What the kernel, or a sandbox around us, refused to do."""


def harden(uses: Iterable[Use]) -> Hardened:
    """Give up privileges for good: all that come by programs, dumps, and capabilities."""
    libc = ctypes.CDLL(None, use_errno=True)
    failed = [
        name
        for name, option, value in (
            ("no-new-privileges", PR_SET_NO_NEW_PRIVS, 1),
            ("not-dumpable", PR_SET_DUMPABLE, 0),
        )
        if libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0)))
    ]
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    held = ctypes.create_string_buffer(24)
    if libc.capget(header, held):
        return Hardened(kept=(), failed=(*failed, "capabilities"))
    # Effective, permitted, inheritable: of the lower 32 capabilities, then of the upper.
    permitted = struct.unpack("=6I", held.raw)[1]
    kept = {number for number in needed(uses) if permitted >> number & 1}
    bits = sum(1 << number for number in kept)
    # Without new privileges no program brings them back, whatever the bounding set has.
    if libc.capset(header, struct.pack("=6I", bits, bits, 0, 0, 0, 0)):
        failed.append("capabilities")
    return Hardened(
        kept=tuple(NAMES[number] for number in sorted(kept)), failed=tuple(failed)
    )


def needed(
    uses: Iterable[Use], uid: int | None = None, groups: Iterable[int] | None = None
) -> set[int]:
    """The capabilities without which this user cannot use these files.

    Judged by owners and modes alone: where an ACL would do, or a file is not there yet,
    a capability is kept that may not be needed.
    """
    uid = os.geteuid() if uid is None else uid
    ids = {os.getegid(), *os.getgroups()} if groups is None else set(groups)
    found = set[int]()
    for use in uses:
        try:
            path = Path(use.path).resolve(strict=True)
            looked_at = [path.stat(), *(parent.stat() for parent in path.parents)]
        except OSError:
            found.add(DAC_OVERRIDE)
            continue
        wanted = (use.access, *(os.X_OK for _ in path.parents))
        if not all(
            _allows(one, access, uid, ids)
            for one, access in zip(looked_at, wanted, strict=True)
        ):
            found.add(DAC_OVERRIDE)
        if use.is_given_back and looked_at[0].st_uid != uid:
            found |= {CHOWN, DAC_OVERRIDE, FOWNER}
    return found


def _allows(found: os.stat_result, wanted: int, uid: int, groups: set[int]) -> bool:
    """Whether the mode of a file lets a user do this, without any capability."""
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid == uid:
        mode >>= 6
    elif found.st_gid in groups:
        mode >>= 3
    return mode & wanted == wanted
