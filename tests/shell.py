"""The commands of the documents, and the shell in which they are run as they stand."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from tests.engine import UNSHARE, ScratchEngine
from tests.markdown import ROOT, Document, Step, documents, fits, lines, steps

SECONDS = 300
"""When a session is taken as hung: others may have the machine, and on a quiet one the longest takes ten."""
MARK = "@@ next"
HOST = "172.20.0.7"
"""An address of the shell's machine besides loopback: the documents name it."""


class Runner(StrEnum):
    """Where a command is run."""

    SHELL = "tests/test_docs.py::test_transcripts, test_commands_run"
    IMAGE = "tests/image/test_documents.py"
    MAKE_RUN = "tests/test_docs.py::test_make_run"
    MAKE_BENCH = "tests/test_docs.py::test_make_bench"
    VERIFY = "tests/test_releasing.py::test_verify_image"
    WALK = "tests/image/test_walk.py and tests/release/test_walk.py"
    MAKE_TEST = "the run of the tests that this is part of; test_make_test looks at it"


WALK = Document(ROOT / "docs" / "walk.md")
RUNNERS: Mapping[str, Runner] = {
    r"docker .*\b(trioproxy|socket-proxy)\b": Runner.IMAGE,
    r"(trioproxy|pytest) ": Runner.SHELL,
    r"(cosign|gh attestation) verify ": Runner.VERIFY,
    r"make run\b": Runner.MAKE_RUN,
    r"(?:taskset -c 0 )?make bench\b": Runner.MAKE_BENCH,
    r"make (?:test|quick)\b(?!-)": Runner.MAKE_TEST,
}
"""Who runs which command of a block of kind `sh`: nobody else's may be in one."""


def runner(command: str) -> Runner | None:
    """Who runs it."""
    found = [
        one for start, one in RUNNERS.items() if re.match(start, command, re.DOTALL)
    ]
    return found[0] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a document, as it stands there."""

    document: Document
    line: int
    text: str

    @property
    def runner(self) -> Runner | None:
        """Who runs it: the walk is one session, and not a command after the other."""
        return Runner.WALK if self.document == WALK else runner(self.text)

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def commands(document: Document) -> Iterator[Command]:
    """The commands of its blocks of kind `sh`."""
    for block in document.of_kind("sh"):
        for number, text in lines(block):
            yield Command(document=document, line=number, text=text)


def transcript(document: Document) -> list[Step]:
    """The steps of its transcripts, which are one session."""
    return [step for block in document.of_kind("console") for step in steps(block)]


def parameters(who: Runner) -> list[Any]:
    """The commands that are this runner's, as parameters."""
    return [
        pytest.param(one, id=str(one))
        for document in documents()
        for one in commands(document)
        if one.runner is who
    ]


def transcripts(who: Runner) -> list[Any]:
    """The documents whose transcripts are: the image's speak of its containers."""
    return [
        pytest.param(document, id=str(document))
        for document in documents()
        if (told := {runner(step.command) for step in transcript(document)})
        and (Runner.IMAGE in told) is (who is Runner.IMAGE)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a command wrote, to stdout and stderr alike, and its exit status."""

    lines: list[str]
    status: int

    def __str__(self) -> str:
        return "\n".join([*self.lines, f"exit status {self.status}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A folder, an Engine, and programs on the PATH."""

    folder: Path
    engine: ScratchEngine

    def __post_init__(self) -> None:
        self.program("trioproxy", f'exec {sys.executable} -m trioproxy "$@"')
        self.program("pytest", f'exec {sys.executable} -m pytest "$@"')

    def program(self, name: str, text: str) -> None:
        """Put a shell program on the PATH."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, commands: Sequence[str]) -> list[Written]:
        """Run commands in one shell, in a network of its own: port 2375 is free there.

        One that ends in `&` is waited for until the listener that it names serves.
        """
        script = "".join(_run_and_mark(command) for command in commands)
        (self.folder / "script").write_text(f"printf '\\n'\n{script}kill $(jobs -p)\n")
        parts = self._write("script").split(f"\n{MARK} ")
        assert len(parts) == len(commands) + 1, parts[-1]
        return [
            Written(
                lines=parts[number].partition("\n")[2].rstrip("\n").split("\n"),
                status=int(parts[number + 1].partition("\n")[0]),
            )
            for number in range(len(commands))
        ]

    def _write(self, script: str) -> str:
        command = ["sh", script]
        if self.engine.alone:
            network = f"ip link set lo up; ip address add {HOST}/32 dev lo"
            command = [*UNSHARE, "sh", "-c", f"{network}; sh {script}"]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            timeout=SECONDS,
            check=False,
            env=self.environment(),
        )
        return done.stdout.decode()

    def environment(self) -> dict[str, str]:
        """The variables that the commands find."""
        kept = {"LANG": os.environ["LANG"]} if "LANG" in os.environ else {}
        return kept | {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder / "client"),
            "DOCKER_HOST": self.engine.url,
            "SOCKET_PATH": str(self.engine.socket),
        }


def _run_and_mark(command: str) -> str:
    if command.endswith("&"):
        # What runs beside the others writes elsewhere, unless it says where.
        found = re.search(r"--listen (\S+)", command)
        health = f"trioproxy health {found[1] if found else ''}"
        command = (
            f">>beside.log 2>&1 {command}\n"
            f"until {health} >>beside.log; do kill -0 $! || break; done"
        )
    return f"{command}\nprintf '\\n{MARK} %s\\n' $?\n"


def check_transcript(document: Document, shell: Shell) -> None:
    """Run its session, and compare what is written with what is shown."""
    told = transcript(document)
    for step, written in zip(
        told, shell.run([step.command for step in told]), strict=True
    ):
        right = fits(step.shown, written.lines) if step.shown else written.status == 0
        assert right, f"{document}: $ {step.command}\n{written}"
