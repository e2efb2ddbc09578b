"""Which container this process is in, so that no client may reach it.

By the mount table: Docker mounts a file of the container's own folder as /etc/hostname,
and volumes from folders that have their names.
"""

import re
from pathlib import Path
from typing import Final

from trioproxy.hostpath import read_mounts
from trioproxy.values import value_class

_FOLDER: Final = re.compile(
    r"/([0-9a-f]{64})/(?:userdata/)?(?:hostname|hosts|resolv\.conf)\Z"
)
_VOLUME: Final = re.compile(r"/volumes/([^/]+)/_data\Z")
_FILES: Final = frozenset({"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"})


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
