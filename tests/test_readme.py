"""The README's commands do what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine import Engine
from tests.patience import PATIENCE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(start: str) -> list[str]:
    """The code blocks of the README whose first line starts so."""
    found = re.findall(r"^```\w*\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [text for text in found if text.startswith(start)]


def test_is_short() -> None:
    """The README has 120 lines at most: whatever else there is to say stands in docs."""
    assert len(README.splitlines()) <= 120


def test_first_screen() -> None:
    """It begins with what it is, then what `make run` shows, Compose, and `--from-log`."""
    marks = ("**A Docker", "](docs/make-run.svg)", "```yaml", "--from-log -", "\n## ")
    places = [README.index(mark) for mark in marks]
    assert places == sorted(places)
    (alt,) = re.findall(r"\[!\[([^\]]+)\]", README)
    assert "add ImageList to ALLOW_OPERATIONS" in alt  # for those who do not see it


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README))))
def test_make_targets_exist(target: str) -> None:
    """Each `make` command of the README is one of the Makefile's."""
    command = ["make", "--question", "--file", str(ROOT / "Makefile"), target]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert "No rule" not in done.stderr


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^):#]+)", README))))
def test_links_lead_somewhere(path: str) -> None:
    """Each file that the README links to is there."""
    assert (ROOT / path).exists()


@pytest.mark.engine
def test_thirty_seconds(engine: Engine, tmp_path: Path) -> None:
    """The session that the README shows comes out as it is shown, line for line."""
    (session,) = blocks("$ trioproxy learn")
    commands = [line[2:] for line in session.splitlines() if line.startswith("$ ")]
    shown = [line for line in session.splitlines() if not line.startswith("$ ")]
    program = tmp_path / "bin" / "trioproxy"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m trioproxy "$@"\n')
    program.chmod(0o755)
    learn, enforce, *rest = commands
    script = "\n".join(
        [
            f"{learn} || exit",
            "mkfifo log",
            enforce.replace(" &", " 2>log &").replace(":2375", ":23750"),
            "exec 3<log; until read -r line <&3 && [ -z ${line##* start *} ]; do :; done",
            "cat <&3 >/dev/null &",
            *(line.replace(":2375", ":23750") for line in rest),
            "kill -TERM %1 && wait %1",
        ]
    )
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        cwd=tmp_path,
        env=engine.environment()
        | {
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "SOCKET_PATH": engine.url,
        },
    )
    output = done.stdout.splitlines() + done.stderr.splitlines()
    assert all(line in output for line in shown), output
