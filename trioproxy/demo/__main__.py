"""The main job, shown end to end: learn a client, then enforce what was learned.

Every command that is printed is run, word for word, in a scratch folder; its output
is what follows. Nothing on the machine is changed.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import trio

import trioproxy
from trioproxy.demo import standin

WIDTH: Final = 80
INDENT: Final = "   "
DEFAULT_ENGINE: Final = "unix:///var/run/docker.sock"
KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "DOCKER_CONFIG")
"""What the commands get of our environment: no setting of trioproxy is among it."""
START_SECONDS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Who plays in the demonstration, and what they do."""

    engine: str
    """The Engine's URL."""
    introduction: str
    learned: str
    """The run of a client that is learned."""
    passes: str
    refused: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where commands run: a scratch folder in which their words are programs."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @classmethod
    def build(cls, folder: Path, engine: str) -> "Stage":
        """Put `trioproxy` and the bundled `client` on the PATH of the commands."""
        for name, module in (
            ("trioproxy", "trioproxy"),
            ("client", "trioproxy.demo.client"),
        ):
            program = folder / "bin" / name
            program.parent.mkdir(exist_ok=True)
            words = shlex.join([sys.executable, "-m", module])
            program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            program.chmod(0o755)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        kept["PATH"] = f"{folder / 'bin'}:{kept.get('PATH', os.defpath)}"
        kept["PYTHONPATH"] = str(Path(trioproxy.__file__).parents[1])
        kept["SOCKET_PATH"] = engine
        return cls(folder=folder, environment=kept)

    async def run(self, command: str, *, check: bool = True, **variables: str) -> str:
        """Print a command, run it, print and return what it writes."""
        show(f"$ {command}")
        done = await trio.run_process(
            ["sh", "-c", command],
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=self.folder,
            env=self.environment | variables,
        )
        text = done.stdout.decode(errors="replace")
        show(text)
        if (done.returncode == 0) != check:
            raise Failed(f"{command!r} ended with status {done.returncode}")
        return text


class Failed(Exception):
    """The demonstration did not show what it should."""


def say(text: str) -> None:
    """Print a paragraph of the story."""
    print(textwrap.fill(text, WIDTH, subsequent_indent=INDENT), end="\n\n")


def show(text: str) -> None:
    """Print what a command is or wrote, within the width of a terminal."""
    for line in text.splitlines():
        continued = INDENT + "    "
        print(
            textwrap.fill(
                line.expandtabs(),
                WIDTH,
                initial_indent=INDENT,
                subsequent_indent=continued,
                break_on_hyphens=False,
            )
        )


def show_env_file(text: str) -> None:
    """Print an env file, the long row of variables at 0 cut short."""
    lines = text.splitlines()
    closed = [line for line in lines if re.fullmatch(r"[A-Z_]+=0", line)]
    show("\n".join(line for line in lines if line not in closed))
    show(f"... and {len(closed)} variables that are 0: {closed[0]} to {closed[-1]}")
    print()


def engine_url() -> str:
    """Where this machine's Engine would be; empty if we could not talk to it."""
    url = os.environ.get("DOCKER_HOST") or DEFAULT_ENGINE
    is_plain = url.startswith(("unix://", "tcp://"))
    return url if is_plain and not os.environ.get("DOCKER_TLS_VERIFY") else ""


def docker(url: str, *arguments: str) -> str | None:
    """Run the docker command; None where it fails or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603  no shell, and the words are ours
            ["docker", "--host", url, *arguments],  # noqa: S607  whichever people use
            capture_output=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode().strip()


def real_play() -> Play | None:
    """The play with this machine's Engine and docker command, if both are there."""
    url = engine_url()
    if not url or not shutil.which("docker"):
        return None
    version = docker(url, "version", "--format", "{{.Server.Version}}")
    if version is None:
        return None
    learned = "docker ps"
    if docker(url, "image", "inspect", "busybox") is not None:
        learned = (
            "sh -c 'docker ps && echo hi | docker run --rm --pull never -i busybox cat'"
        )
    return Play(
        engine=url,
        introduction=f"Docker {version} at {url}, and its own command.",
        learned=learned,
        passes="docker ps",
        refused="docker images",
    )


def standin_play(folder: Path) -> Play:
    """The play for a machine without Docker."""
    return Play(
        engine=f"unix://{folder}/engine.sock",
        introduction="There is none to be reached on this machine with a docker "
        "command, so a small stand-in plays it. It knows one container, `web`; "
        "a bundled `client` plays the docker command.",
        learned="sh -c 'client ps logs && echo hi | client exec'",
        passes="client ps",
        refused="client images",
    )


async def tell(play: Play, stage: Stage) -> None:
    """Tell the story: learn, read, enforce."""
    say(f"1. The Engine. {play.introduction}")
    say(
        "2. Learn. A run of a client, with trioproxy between it and the Engine: "
        "everything passes, and trioproxy takes notes."
    )
    await stage.run(f"trioproxy learn -o app.env -- {play.learned}")
    say(
        "\n3. What it wrote. `ALLOW_OPERATIONS` is all that trioproxy will allow. The "
        "sections below it are the same, coarser, for proxies that know no better."
    )
    show_env_file((stage.folder / "app.env").read_text())
    say("4. Enforce. What was learned passes; everything else is refused.")
    async with enforcing(stage, free_port()) as proxy:
        show(f"$ export DOCKER_HOST={proxy.url}")
        await stage.run(play.passes, DOCKER_HOST=proxy.url)
        answer = await stage.run(play.refused, check=False, DOCKER_HOST=proxy.url)
    if "ALLOW_OPERATIONS" not in answer:
        raise Failed(f"{play.refused!r} was not refused as it should be")
    say("\n5. The proxy's log: one line a request.")
    show("\n".join(proxy.log))
    say(
        "\nNow yours: trioproxy learn -o learned/app.env -- COMMAND, with any command "
        "that talks to Docker. README.md goes on from here."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A running `trioproxy enforce`, and what it has logged."""

    url: str
    log: list[str] = field(default_factory=list)
    started: trio.Event = field(default_factory=trio.Event)

    async def read_log(self, stream: trio.abc.ReceiveStream) -> None:
        """Collect the log until it ends."""
        buffer = b""
        async for data in stream:
            *lines, buffer = (buffer + data).split(b"\n")
            self.log.extend(line.decode(errors="replace") for line in lines)
            if any("start" in line.split() for line in self.log):
                self.started.set()
        self.started.set()


@asynccontextmanager
async def enforcing(stage: Stage, port: int) -> AsyncIterator[Proxy]:
    """Run `trioproxy enforce` while the block runs; then end it politely."""
    proxy = Proxy(url=f"tcp://127.0.0.1:{port}")
    command = f"trioproxy enforce --env-file app.env --listen {proxy.url}"
    show(f"$ {command} &")
    async with trio.open_nursery() as nursery:
        program = partial(
            trio.run_process,
            ["sh", "-c", f"exec {command}"],
            stderr=subprocess.PIPE,
            check=False,
            cwd=stage.folder,
            env=stage.environment,
        )
        process: trio.Process = await nursery.start(program)
        assert process.stderr is not None  # noqa: S101  it was asked for above
        nursery.start_soon(proxy.read_log, process.stderr)
        with trio.fail_after(START_SECONDS):
            await proxy.started.wait()
        yield proxy
        process.terminate()


def free_port() -> int:
    """The proxy's usual port, or another one where that is taken."""
    for port in (2375, 0):
        with socket.socket() as sock, suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            return int(sock.getsockname()[1])
    raise Failed("no TCP port is free on 127.0.0.1")


async def main() -> int:
    """Choose the players and tell the story; 1 if it did not come out as it should."""
    with tempfile.TemporaryDirectory(prefix="trioproxy-demo-") as name:
        folder = Path(name)
        play = real_play() or standin_play(folder)
        stage = Stage.build(folder, play.engine)
        async with trio.open_nursery() as nursery:
            if play.engine.endswith("/engine.sock"):
                await nursery.start(standin.serve, folder / "engine.sock")
            try:
                await tell(play, stage)
            except Failed as failure:
                print(f"The demonstration failed: {failure}", file=sys.stderr)
                return 1
            finally:
                nursery.cancel_scope.cancel()
    return 0


if __name__ == "__main__":
    sys.exit(trio.run(main))
