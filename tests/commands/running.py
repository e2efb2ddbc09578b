"""trioproxy as a process of its own, for tests: started, read, signalled, ended."""

import io
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Literal

import trio

from tests.measured import MEASURING, measuring
from tests.patience import PATIENCE
from trioproxy.cli import COMMANDS, SERVING, main


@dataclass(kw_only=True)
class Running:
    """A process whose log is read line by line."""

    process: trio.Process
    stream: trio.abc.ReceiveStream
    """Where it writes its log."""
    text: str = ""

    async def line(self, word: str) -> str:
        """Wait for the line of its log that holds `word`."""
        with trio.fail_after(PATIENCE):
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
        with trio.fail_after(PATIENCE):
            return await self.process.wait()


def environment(
    variables: Mapping[str, str], *, ours: dict[str, str] = MEASURING
) -> dict[str, str]:
    """An environment of our own: nothing of whoever runs the tests decides."""
    kept = {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ
    }
    return kept | ours | {"PYTHONWARNINGS": "error"} | dict(variables)


@asynccontextmanager
async def running(
    *args: str,
    variables: Mapping[str, str] | None = None,
    log: Literal["stdout", "stderr"] = "stderr",
    inside: Sequence[str] = (),
    program: Sequence[str] = ("-m", "trioproxy"),
) -> AsyncIterator[Running]:
    """Run `trioproxy ARGS` until the block ends; `log` is where it writes that.

    `inside`: words of a command that becomes it, as in a namespace. `program`: as of `run`.
    """
    process = await trio.lowlevel.open_process(
        [*inside, sys.executable, *program, *args],
        env=environment(variables or {}, ours=measuring(args, variables or {})),
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
    with trio.move_on_after(PATIENCE / 2):
        await process.wait()
        return
    process.kill()
    with trio.fail_after(PATIENCE):
        await process.wait()


@dataclass(frozen=True, kw_only=True)
class Finished:
    """What a run that came to its end has said."""

    status: int
    out: str
    err: str


LOOKING = COMMANDS.keys() - SERVING - {"health"}
"""Commands that read files and say something, wherever they run."""


def run(
    *args: str,
    variables: Mapping[str, str] | None = None,
    program: Sequence[str] = ("-m", "trioproxy"),
) -> Finished:
    """Run `trioproxy ARGS` to its end; `program`: what Python runs.

    One that looks at files alone does so in this process, which is ten times as fast.
    """
    looks = (args and args[0] in LOOKING) or "--from-log" in args
    if looks and not variables and "--upstream" not in args:
        return called(*args)
    done = subprocess.run(
        [sys.executable, *program, *args],
        env=environment(variables or {}, ours=measuring(args, variables or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Finished(status=done.returncode, out=done.stdout, err=done.stderr)


def called(*args: str, piped: bytes = b"") -> Finished:
    """Run `trioproxy ARGS` to its end in this process, as a program without a terminal."""
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        for _ in range(2)
    )
    before, status = (sys.argv, sys.stdin, dict(os.environ)), 0
    with redirect_stdout(out), redirect_stderr(err):
        _set_variables(environment({}))
        sys.argv = ["trioproxy", *args]
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.BytesIO(piped)))
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            sys.argv, sys.stdin, variables = before
            _set_variables(variables)
    said, told = (one.buffer.getvalue().decode() for one in (out, err))
    return Finished(status=status, out=said, err=told)


def _set_variables(variables: Mapping[str, str]) -> None:
    """Have these in the environment, and no others."""
    os.environ.clear()
    os.environ.update(variables)
