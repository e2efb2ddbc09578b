"""Where a file of this container lies on the Engine's host, by the mount table, and which one it is.

For each mount the kernel says which folder of its file system is mounted, and not where
the host has that file system. So what is told is where it lies if that is at `/` (or at
`/run`, where a tmpfs is), and whether another place may be it.

Docker mounts a file of the container's own folder as /etc/hostname, and volumes from folders
that have their names: by that no client may reach the container of this process.
"""

import os
import re
from pathlib import Path
from typing import Final

from trioproxy.values import value_class

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
_UPPER: Final = re.compile(r"(?:^|,)upperdir=([^,]*)")

_FOLDER: Final = re.compile(
    r"/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf)\Z"
)
_VOLUME: Final = re.compile(r"/volumes/([^/]+)/_data\Z")
_FILES: Final = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})

CONTAINER_MARKS: Final = (".dockerenv", "run/.containerenv")
"""Files that Docker and Podman put into a container."""


def is_in_container(root: Path = Path("/")) -> bool:
    """Whether this process is in a container of Docker's or Podman's."""
    return any((root / mark).exists() for mark in CONTAINER_MARKS)


@value_class
class Mount:
    """A line of the mount table (proc_pid_mountinfo(5))."""

    root: str
    """The folder, within its file system."""
    place: str
    """Where this process sees it."""
    kind: str
    options: str = ""

    def on_host(self, path: str) -> tuple[str, ...]:
        """Where a path below `place` lies on the host; nothing: that cannot be told."""
        rest = path.removeprefix(self.place.rstrip("/"))
        whole = f"{self.root.rstrip('/')}{rest}"
        if self.kind == "overlay":
            upper = _UPPER.search(self.options)
            return (f"{upper[1]}{whole}",) if upper else ()
        if self.kind == "tmpfs":
            return (f"/run{whole}",) if self.root != "/" else ()
        if self.kind == "btrfs" and self.root.count("/") > 1:
            # `/@/srv`, `/@home/me`, `/root/srv`: a subvolume is in front.
            _, volume, inner = whole.split("/", 2)
            return (whole, f"/{inner}", f"/{volume.lstrip('@')}/{inner}")
        return (whole,)


def read_mounts(table: Path = Path("/proc/self/mountinfo")) -> tuple[Mount, ...]:
    """Read the mount table; nothing where there is none."""
    try:
        text = table.read_bytes().decode(errors="replace")
    except OSError:
        return ()
    # A name may have any other space and line end that Unicode knows: those stand as they are.
    return tuple(_read(line) for line in text.split("\n") if line)


def _read(line: str) -> Mount:
    before, _, behind = line.partition(" - ")
    root, place = map(_plain, before.split(" ")[3:5])
    kind, _, options = (*behind.split(" ", 2), "", "")[:3]
    return Mount(root=root, place=place, kind=kind, options=_plain(options))


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)


def is_mount(mounts: tuple[Mount, ...], path: str) -> bool:
    """Whether a path, or what its links lead to, is mounted by itself."""
    return os.path.realpath(path) in {one.place for one in mounts}


def replaced(path: str) -> str:
    """Where what a path lies in is mounted, if that was removed since, or replaced; else empty."""
    mount = mount_of(read_mounts(), os.path.realpath(path))
    return mount.place if mount and mount.root.endswith("//deleted") else ""


def mount_of(mounts: tuple[Mount, ...], path: str) -> Mount | None:
    """The mount that a path lies in: the deepest, and of those the last."""
    path += "/"
    found = [one for one in mounts if path.startswith(f"{one.place.rstrip('/')}/")]
    return max(reversed(found), key=lambda one: len(one.place), default=None)


@value_class
class Own:
    """The container of this process, as the Engine knows it."""

    id: str = ""
    """Empty: it is in none, or cannot tell."""
    volumes: frozenset[str] = frozenset()


def find_own(table: Path = Path("/proc/self/mountinfo")) -> Own:
    """Read it off the mount table (proc_pid_mountinfo(5))."""
    ids, volumes = dict[str, str](), set[str]()
    for one in read_mounts(table):
        if one.place in _FILES and (seen := _FOLDER.search(one.root)):
            ids[one.place] = seen[1]
        if seen := _VOLUME.search(one.root):
            volumes.add(seen[1])
    # Who joins another's network has that one's /etc/hosts and /etc/resolv.conf, in a pod of
    # Podman's too. With Docker its /etc/hostname as well: then it takes itself for that one.
    found = ids.get("/etc/hostname", next(iter(ids.values()), ""))
    return Own(id=found, volumes=frozenset(volumes) if found else frozenset())
