"""Child processes: output in a pipe, watched through /proc, ended by their id."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

REPOSITORY = Path(__file__).resolve().parent.parent

START_DEADLINE = 30.0
STOP_DEADLINE = 10.0
CLIENT_DEADLINE = 300.0

_TICKS = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """Something the benchmark needs did not work; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a process and its children, in MiB."""

    rss: float
    pss: float


class Child:
    """A running program whose output goes through a pipe, as a container's does.

    `tail` at the other end reads all of it and keeps the last lines, for the message
    when something breaks; `cat` keeps all of it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        whole_log: bool = False,
    ) -> None:
        self.log = log
        self.name = name
        reader = ["cat"] if whole_log else ["tail", "-c", "4096"]
        with log.open("wb") as file:
            self._reader = subprocess.Popen(reader, stdin=subprocess.PIPE, stdout=file)
        assert self._reader.stdin is not None
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=self._reader.stdin,
            stderr=self._reader.stdin,
            start_new_session=True,  # a Ctrl-C ends the benchmark, which then ends its children in order
        )
        self._reader.stdin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process id of the program."""
        return self._process.pid

    def wait_listening(self, port: int) -> float:
        """Wait until the port answers; the seconds since the program was started."""
        while True:
            if can_connect(port):
                return time.perf_counter() - self.started
            self.check_alive()
            if time.perf_counter() - self.started > START_DEADLINE:
                raise BenchError(
                    f"{self.name} does not listen on port {port} after {START_DEADLINE:.0f} s"
                )
            time.sleep(0.0005)

    def check_alive(self) -> None:
        """Raise with its last words if the program ended."""
        if self._process.poll() is not None:
            self._reader.wait(STOP_DEADLINE)
            raise BenchError(
                f"{self.name} ended with {self._process.returncode}:\n{self.log.read_text(errors='replace')}"
            )

    def stop(self) -> None:
        """End the program: politely, then not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.wait(STOP_DEADLINE)


def can_connect(port: int) -> bool:
    """Whether somebody listens on this port of loopback."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def python_program(module: str, *arguments: str) -> list[str]:
    """The command line of one of our own modules under this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def run_client(task: str, port: int, amount: int) -> dict[str, float]:
    """Run the benchmark's client for one task and read its figures."""
    command = python_program("bench.client", task, str(port), str(amount))
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=CLIENT_DEADLINE,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{task}: {done.stderr.strip()[-500:]}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


class LastingClient:
    """The benchmark's client doing something until the block ends."""

    def __init__(self, task: str, port: int, amount: int) -> None:
        self._process = subprocess.Popen(
            python_program("bench.client", task, str(port), str(amount)),
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            _out, errors = self._process.communicate()
            raise BenchError(f"the client failed: {errors.strip()[-500:]}")
        return self

    def check_alive(self) -> None:
        """Raise if the client gave up before its time."""
        if self._process.poll() is not None:
            _out, errors = self._process.communicate()
            raise BenchError(f"the client failed: {errors.strip()[-500:]}")

    def __exit__(self, *_exc: object) -> None:
        self._process.kill()
        self._process.communicate()


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its threads and its living descendants."""
    return sum(_ticks(one) for one in family(pid)) / _TICKS


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def memory(pid: int) -> Memory:
    """What the kernel accounts to a process and its descendants now.

    Of a process that cannot be dumped, as our proxy is, it tells root alone.
    """
    try:
        rollups = [Path(f"/proc/{one}/smaps_rollup").read_text() for one in family(pid)]
    except PermissionError:
        sys.exit("bench: no right to read the memory of the proxy: run it as root")
    return Memory(rss=_mebibytes(rollups, "Rss"), pss=_mebibytes(rollups, "Pss"))


def _mebibytes(rollups: Iterable[str], field: str) -> float:
    lines = (line for rollup in rollups for line in rollup.splitlines())
    return (
        sum(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
        / 1024
    )
