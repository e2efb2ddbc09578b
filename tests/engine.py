"""A Docker Engine for tests, benchmarks and soak runs.

`scratch_engine()` starts one of our own: own data, own socket, and own network, mount
and process namespaces, so that the machine's iptables, bridges and containers stay as
they are and nothing outlives it. `any_engine()` takes the one found where we are not
root. Both hold an image `busybox:latest`, made here: nothing is pulled.
"""

import fcntl
import io
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TypeVar

IMAGE = "busybox:latest"
# Not TMPDIR: a socket's path has room for 108 bytes.
IN_MEMORY, ON_DISK = FOLDERS = Path("/dev/shm"), Path("/var/tmp")
PREFIX = "trioproxy-"
ROOM = 6 << 30
"""How much memory has to be free for an Engine's folder to be there, in bytes: those of two
processes that test images held 1.6 GiB."""
SHUT = os.ST_NODEV | os.ST_NOEXEC | os.ST_NOSUID
"""How a folder may be mounted that containers cannot use as they use a disk's."""
LOCK = "lock"
START_SECONDS = 120
STOP_SECONDS = 3  # a container that ignores its signal would hold it for 15
OPERATED_BY_CLI = (
    "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH",
)  # fmt: skip
"""Variables that would send the docker CLI somewhere else than where we say."""

LOST = b"stream copy error: reading from a closed fifo"
"""What an Engine says, from 24.0 on, that removes a container's task before it has opened what
it reads the program's output from. Being kept from that for 0.1 s is enough (26.1.5). The
output is nowhere then, in the container's log neither, and the program has ended well."""
NOT_STARTED = range(125, 128)
"""How the docker command ends where no program ran: an Engine says the same of that."""
T = TypeVar("T")

RUN_ALONE = """
exec 3<&0 </dev/null
ip link set lo up
# A /run of its own: an Engine that finds the machine's containerd there would run its
# containers out there; and its containers find its socket where they expect one.
mount -t tmpfs none /run
dockerd "$@" --host=unix:///run/docker.sock &
engine=$!
# Our end of the pipe closes when we stop or die: so does the Engine.
(read -r _ <&3; kill -TERM $engine) &
exec 3<&-
wait $engine
"""


class NoEngine(Exception):
    """There is no Docker Engine to test with; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A program that has run: its exit status and what it wrote."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """What it wrote to stdout, without the last newline."""
        return self.output.decode().rstrip("\n")


class Engine:
    """A running Engine at `url`; `docker()` runs the docker CLI against it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    @property
    def socket(self) -> Path:
        """The Engine's Unix socket."""
        if not self.url.startswith("unix://"):
            raise NoEngine(f"{self.url} is no Unix socket")
        return Path(self.url.removeprefix("unix://"))

    def environment(self, host: str | None = None) -> dict[str, str]:
        """The environment in which a client finds `host`, else this Engine."""
        kept = {k: v for k, v in os.environ.items() if k not in OPERATED_BY_CLI}
        return kept | {
            "DOCKER_HOST": host or self.url,
            "DOCKER_CONFIG": str(self.folder / "client"),
        }

    def docker(
        self,
        *args: str,
        host: str | None = None,
        input: bytes = b"",  # noqa: A002  as subprocess calls it
        check: bool = True,
        timeout: float = 120,
        environ: Mapping[str, str] | None = None,
    ) -> Ran:
        """Run `docker ARGS`; with `check`, anything but status 0 fails the test."""

        def run() -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                ["docker", *args],
                input=input,
                capture_output=True,
                timeout=timeout,
                env=self.environment(host) | dict(environ or {}),
                check=False,
            )

        def is_whole(done: subprocess.CompletedProcess[bytes]) -> bool:
            leaves_something = "--rm" not in args
            has_both = bool(done.stdout and done.stderr)
            return leaves_something or has_both or done.returncode in NOT_STARTED

        done = self.unless_lost(run, is_whole)
        ran = Ran(
            status=done.returncode, output=done.stdout, errors=done.stderr.decode()
        )
        if check and ran.status:
            raise AssertionError(f"docker {' '.join(args)}: {ran}")
        return ran

    def unless_lost(self, run: Callable[[], T], is_whole: Callable[[T], bool]) -> T:
        """What `run` returns; of a second one, if the first is not whole by the Engine's doing.

        By its own word alone, and once: what anybody else loses is lost.
        """
        log = self.folder / "engine.log"
        before = log.stat().st_size if log.exists() else 0
        done = run()
        if is_whole(done) or not log.exists():
            return done
        with log.open("rb") as file:
            file.seek(before)
            return run() if LOST in file.read() else done

    @cached_property
    def versions(self) -> dict[str, str]:
        """The Engine's own answer to `docker version`."""
        answer = json.loads(self.docker("version", "--format", "json").output)
        return {k: v for k, v in answer["Server"].items() if isinstance(v, str)}

    def has_image(self) -> bool:
        """Whether the image of the tests is there."""
        return self.docker("image", "inspect", IMAGE, check=False).status == 0

    def import_image(self) -> None:
        """Make `busybox:latest` from this machine's static busybox."""
        changes = ["-c", 'CMD ["sh"]', "-c", "ENV PATH=/bin", "-c", "WORKDIR /"]
        self.docker("import", *changes, "-", IMAGE, input=busybox_archive())
        run = ["run", "--rm", IMAGE, "true"]
        ran = self.docker(*run, check=False)
        if "read init-p: connection reset" in ran.errors:
            # The first start of a new Engine failed so once of some hundred: runc lost what it
            # had begun. By that alone, and once: whatever else does not run is told at once.
            ran = self.docker(*run, check=False)
        if ran.status:
            raise NoEngine(f"the image {IMAGE} does not run: {ran.errors.strip()}")


class ScratchEngine(Engine):
    """An Engine of our own in `folder`, which may be stopped and started."""

    def __init__(
        self, folder: Path, settings: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(f"unix://{folder}/run/docker.sock", folder)
        (folder / "run").mkdir()
        self.settings = dict(settings or {})
        self.alone = may_unshare()
        self._lock = held(folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        (self.folder / "daemon.json").write_text(json.dumps(self.settings))
        # As after a reboot; process ids in old pid files are others by now.
        shutil.rmtree(self.folder / "exec", ignore_errors=True)
        (self.folder / "docker.pid").unlink(missing_ok=True)
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = self.folder / "ready"
        address.unlink(missing_ok=True)
        ready.bind(str(address))
        with ready, (self.folder / "engine.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # What it is killed over would stay among the machine's temporary files.
                env={
                    **os.environ,
                    "NOTIFY_SOCKET": str(address),
                    "TMPDIR": str(self.folder),
                },
                start_new_session=True,
                pass_fds=[self._lock],
            )
            self._await_ready(ready, self._process)

    def stop(self) -> None:
        """Stop it as a machine does that shuts down, its containers with it."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        if not self.alone:
            process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._end(process)

    def kill(self) -> None:
        """End it without a goodbye: its connections break, its socket file stays."""
        process, self._process = self._process, None
        if process is not None:
            self._end(process)

    def restart(self) -> None:
        """Stop and start it; the socket is then another file."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and leave nothing behind: no process, mount, cgroup or file."""
        self.stop()
        remove(self.folder)
        os.close(self._lock)

    def inside_path(self, path: str) -> Path:
        """A file as the Engine sees it."""
        if not self.alone:
            return Path(path)
        assert self._process is not None
        return Path(f"/proc/{first_child(self._process.pid)}/root{path}")

    def inside(self, *command: str) -> list[str]:
        """That command, in the Engine's network: there are its published ports."""
        if not self.alone:
            return list(command)
        assert self._process is not None
        first = first_child(self._process.pid)
        return ["nsenter", f"--target={first}", "--net", *command]

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        # With the first process of its namespace the kernel ends all of them, and
        # `unshare` returns when they are gone.
        first = first_child(process.pid) if self.alone else None
        with process:  # closes our end of its pipe, and waits
            with suppress(ProcessLookupError):  # it ends by itself just now
                os.kill(first or process.pid, signal.SIGKILL)

    def _command(self) -> list[str]:
        folder = self.folder
        options = [
            f"--config-file={folder}/daemon.json",
            f"--data-root={folder}/data",
            f"--exec-root={folder}/exec",
            f"--pidfile={folder}/docker.pid",
            f"--host={self.url}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--cgroup-parent=/{folder.name}",
        ]
        if not self.alone:
            return [
                "dockerd", *options, "--bridge=none", "--iptables=false", "--ip6tables=false",
            ]  # fmt: skip
        return [*UNSHARE, "sh", "-c", RUN_ALONE, "engine", *options]

    def _await_ready(
        self, ready: socket.socket, process: subprocess.Popen[bytes]
    ) -> None:
        deadline = time.monotonic() + START_SECONDS
        ready.settimeout(0.5)  # between two looks at whether it still runs
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(TimeoutError):
                if b"READY=1" in ready.recv(4096):
                    return
        self.kill()
        log = (self.folder / "engine.log").read_text(errors="replace")
        raise NoEngine(f"the scratch Engine does not start:\n{log[-2000:]}")


UNSHARE = (
    "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip


def first_child(pid: int) -> int | None:
    """The process that `pid` started."""
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None
    return None


def may_unshare() -> bool:
    """Whether this machine gives us namespaces of our own."""
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    return tried.returncode == 0


def why_no_engine(*, own: bool = False) -> str:
    """Why there is no Engine to test with, or no scratch one; empty if there is."""
    if not shutil.which("docker"):
        return "no docker command on the PATH"
    if os.geteuid() == 0 and shutil.which("dockerd"):
        return ""
    if own:
        return "a scratch Engine needs root and dockerd"
    ran = Engine(found_url(), Path("/nonexistent")).docker(
        "version", check=False, timeout=20
    )
    return ran.errors.strip() if ran.status else ""


def found_url() -> str:
    """Where an Engine that is not ours would be."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def has_room() -> bool:
    """Whether an Engine's files may be in memory: on a disk they cost the kernel half as much again.

    As systemd mounts it no container could use a node in its volume there.
    """
    if not IN_MEMORY.is_dir() or os.statvfs(IN_MEMORY).f_flag & SHUT:
        return False
    (free,) = re.findall(r"MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text())
    return min(int(free) << 10, shutil.disk_usage(IN_MEMORY).free) > ROOM


@contextmanager
def scratch_engine(
    settings: Mapping[str, object] | None = None,
) -> Iterator[ScratchEngine]:
    """An Engine of our own with the image of the tests; needs root and `dockerd`.

    The settings are those of its `daemon.json`.
    """
    if why := why_no_engine(own=True):
        raise NoEngine(why)
    remove_left_behind()
    where = IN_MEMORY if has_room() else ON_DISK
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=where))
    engine = ScratchEngine(folder, settings)
    try:
        engine.start()
        engine.import_image()
        yield engine
    finally:
        engine.close()


@contextmanager
def any_engine() -> Iterator[Engine]:
    """A scratch Engine where we may start one, else the Engine found."""
    if not why_no_engine(own=True):
        with scratch_engine() as ours:
            yield ours
        return
    if why := why_no_engine():
        raise NoEngine(why)
    with tempfile.TemporaryDirectory(prefix="trioproxy-") as folder:
        found = Engine(found_url(), Path(folder))
        if not found.has_image():
            found.import_image()
        yield found


def busybox_archive() -> bytes:
    """A root file system of this machine's busybox alone, as a tar archive."""
    program = shutil.which("busybox")
    if program is None:
        raise NoEngine("no busybox on the PATH: install busybox-static")
    listed = subprocess.run([program, "--list"], capture_output=True, check=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"):
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            folder.mode = 0o1777 if name == "tmp" else 0o755
            archive.addfile(folder)
        with Path(program).open("rb") as file:
            add_file(archive, "bin/busybox", file, 0o755)
        for name in set(listed.stdout.decode().split()) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        users = b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
        add_file(archive, "etc/passwd", io.BytesIO(users), 0o644)
    return buffer.getvalue()


def add_file(
    archive: tarfile.TarFile, name: str, content: IO[bytes], mode: int
) -> None:
    """Add one file to an archive."""
    info = tarfile.TarInfo(name)
    info.mode = mode
    info.size = content.seek(0, os.SEEK_END)
    content.seek(0)
    archive.addfile(info, content)


def held(folder: Path) -> int:
    """Hold that folder: its lock, as a descriptor.

    The Engine's processes have it too. So it is free when the last of them has ended, in
    whichever way: then the next run may remove what was left.
    """
    new = folder / "unlocked"
    lock = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    new.rename(folder / LOCK)  # there is none that is not held yet
    return lock


def remove_left_behind() -> None:
    """Remove what runs of ours that were killed left: the folders that none holds any more."""
    for path in (one for where in FOLDERS for one in where.glob(f"{PREFIX}*/{LOCK}")):
        with suppress(OSError):  # it is held, or was removed meanwhile
            found = path.parent.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
                with path.open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(path.parent)


def remove(folder: Path) -> None:
    """Remove the folder of an Engine that has ended, with its mounts and control groups."""
    for line in Path("/proc/self/mounts").read_text().splitlines()[::-1]:
        if line.split()[1].startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", line.split()[1]], check=False)
    # Which others' Engines leave meanwhile: what goes is passed over.
    for found, names, _ in os.walk("/sys/fs/cgroup"):
        if folder.name in names:
            remove_cgroup(Path(found, folder.name))
    shutil.rmtree(folder, ignore_errors=True)


def remove_cgroup(group: Path) -> None:
    """Remove an empty control group and those below it."""
    for child in [path for path in group.iterdir() if path.is_dir()]:
        remove_cgroup(child)
    with suppress(OSError):  # one still in use stays; it holds nothing of ours
        group.rmdir()


if __name__ == "__main__":  # an Engine to try things on, until Enter is pressed
    with scratch_engine() as started:
        sys.stderr.write(f"export DOCKER_HOST={started.url}\n")
        sys.stdin.readline()
