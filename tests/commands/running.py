"""trioproxy as a process of its own, for tests: started, read, signalled, ended."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import trio

LIMIT = 20.0
"""Real seconds after which a process that should have spoken has failed."""


@dataclass(kw_only=True)
class Running:
    """A process whose log is read line by line."""

    process: trio.Process
    stream: trio.abc.ReceiveStream
    """Where it writes its log."""
    text: str = ""

    async def line(self, word: str) -> str:
        """Wait for the line of its log that holds `word`."""
        with trio.fail_after(LIMIT):
            while True:
                head, found, rest = self.text.partition(word)
                if found and "\n" in rest:
                    line = head.rpartition("\n")[2] + found + rest.partition("\n")[0]
                    self.text = rest.partition("\n")[2]
                    return line
                more = await self.stream.receive_some()
                assert more, f"no line with {word!r} in {self.text!r}"
                self.text += more.decode()

    async def listen(self) -> str:
        """Wait for the start line; the URL of the first listener."""
        line = await self.line(" start ")
        return line.partition("listen=")[2].split()[0].split(",")[0]

    async def end(self) -> int:
        """Wait for the end; the exit status."""
        with trio.fail_after(LIMIT):
            return await self.process.wait()


def environment(
    variables: Mapping[str, str], *, measured: bool = True
) -> dict[str, str]:
    """An environment of our own: nothing of whoever runs the tests decides."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in {"PATH", "PYTHONPATH"} or (measured and name.startswith("COVERAGE_"))
    }
    return kept | {"PYTHONWARNINGS": "error"} | dict(variables)


def unmeasured() -> dict[str, str]:
    """This process's environment without coverage, which imports much into a child."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COVERAGE_")
    }


@asynccontextmanager
async def running(
    *args: str,
    variables: Mapping[str, str] | None = None,
    log: Literal["stdout", "stderr"] = "stderr",
    measured: bool = True,
    inside: Sequence[str] = (),
) -> AsyncIterator[Running]:
    """Run `trioproxy ARGS` until the block ends; `log` is where it writes that.

    `inside`: words of a command that becomes it, as in a namespace.
    """
    process = await trio.lowlevel.open_process(
        [*inside, sys.executable, "-m", "trioproxy", *args],
        env=environment(variables or {}, measured=measured),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        stream = process.stdout if log == "stdout" else process.stderr
        assert stream is not None
        yield Running(process=process, stream=stream)
    finally:
        with trio.CancelScope(shield=True):
            await _stop(process)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                await stream.aclose()


async def _stop(process: trio.Process) -> None:
    """Ask it to end, in order; then make it."""
    if process.returncode is None:
        process.terminate()
    with trio.move_on_after(LIMIT / 2):
        await process.wait()
        return
    process.kill()
    with trio.fail_after(LIMIT):
        await process.wait()


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a run that came to its end has said."""

    status: int
    out: str
    err: str


def run(
    *args: str, variables: Mapping[str, str] | None = None, measured: bool = True
) -> Finished:
    """Run `trioproxy ARGS` to its end; not `measured`: without coverage, in half the time."""
    done = subprocess.run(
        [sys.executable, "-m", "trioproxy", *args],
        env=environment(variables or {}, measured=measured),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return Finished(status=done.returncode, out=done.stdout, err=done.stderr)
