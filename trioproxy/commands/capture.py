"""`learn --capture`: COMMAND sees our socket where the Engine's is.

Some clients do not ask DOCKER_HOST: they have `/var/run/docker.sock` in their code, or a
context of their own that leads there. A mount namespace is a process's own view of the
file system; in one made for COMMAND our socket is mounted over the Engine's, so that who
opens that path connects to us. Everybody else, this proxy included, goes on to see the
Engine's socket there. Nothing has to be undone: the mount goes with its last process.
Where the Engine's socket is elsewhere and the usual path is missing, a file is needed to
mount over, which nobody else should see: its folder becomes one in memory, in which all
that was there is mounted again.

Root may make such a namespace. Other users need a user namespace around it, in which they
keep their own id; not every system gives them one.

This file is also the program that does it, run by itself (`python -I -c`): the
namespace must be made in the process that becomes COMMAND, and by one without threads.
"""

import ctypes
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUSER: Final = 0x10000000
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 1 << 18
"""From Linux' sched.h and mount.h."""

FAILED: Final = 125
"""The status where no namespace could be made; the reason is on stderr."""

USUAL: Final = "/var/run/docker.sock"
"""Where clients look that ask nobody."""

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126


def status_of(error: OSError) -> int:
    """The shell's where a command cannot be run."""
    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


def wrap(command: Sequence[str], ours: str, paths: Sequence[str]) -> list[str]:
    """The command line that runs a command with our socket at these paths."""
    targets = [part for path in paths for part in (ours, path)]
    return [*_ourselves(), *targets, "--", *command]


def why_not(paths: Sequence[str]) -> str:
    """Why COMMAND cannot have our socket at these paths; empty if it can."""
    # The same system calls, as our socket need not be there yet.
    try:
        tried = subprocess.run(  # noqa: S603  ourselves
            wrap(["true"], os.devnull, paths),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return tried.stderr.strip() if tried.returncode else ""


def _ourselves() -> list[str]:
    """This file as a program, by its text: in `trioproxy.pyz` it has no path of its own."""
    from importlib import resources  # here, for that program needs none

    text = resources.files(__package__).joinpath("capture.py").read_text("utf-8")
    return [sys.executable, "-I", "-c", text]


def paths_of_engine(upstream: str) -> list[str]:
    """Where clients look for this Engine: its own path, and the usual one.

    That need not be there: in the namespace it is made.
    """
    own = [upstream] if upstream and os.path.exists(upstream) else []
    return list(dict.fromkeys(map(os.path.realpath, [*own, USUAL])))


def main(args: Sequence[str]) -> None:
    """Make the namespace, and become the command: `FROM TO [FROM TO]... -- COMMAND`."""
    end = args.index("--")
    mounts, command = args[:end], args[end + 1 :]
    try:
        _enter_namespace()
        _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
        for source, target in zip(mounts[::2], mounts[1::2], strict=True):
            if not os.path.lexists(target):
                _make_room(os.path.dirname(target))
                _touch(target)
            _bind(source, target)
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        sys.exit(FAILED)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores these two
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(command[0], list(command))  # noqa: S606  that is what it is for
    except OSError as error:
        sys.stderr.write(f"trioproxy: cannot run {command[0]!r}: {error.strerror}\n")
        sys.exit(status_of(error))


def _enter_namespace() -> None:
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", CLONE_NEWNS)
    except OSError as error:
        if error.errno != errno.EPERM:
            raise
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        # The kernel takes a mapping of groups only from who gave up changing them.
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")


def _make_room(folder: str) -> None:
    """Put a folder in memory in the place of one, and all that was in that into it."""
    old = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    mode = b"mode=%o" % (os.stat(folder).st_mode & 0o7777)
    _call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", 0, mode)
    # By its descriptor what is covered now can still be reached.
    before = f"/proc/self/fd/{old}"
    for name in os.listdir(before):
        source, target = f"{before}/{name}", f"{folder}/{name}"
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
            continue
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            _touch(target)
        _bind(source, target)
    os.close(old)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def _bind(source: str, target: str) -> None:
    flags = MS_BIND | MS_REC
    _call("mount", os.fsencode(source), os.fsencode(target), None, flags, None)


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _call(name: str, *args: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*args):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)


if __name__ == "__main__":
    main(sys.argv[1:])
