"""A real docker command waits while a person is asked, and goes on as if nothing had been."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.proxies import enforcing
from tests.engine import ScratchEngine
from tests.patience import PATIENCE
from tests.registry import REGISTRY, serving

A = f"{REGISTRY}/asked:1"


@contextmanager
def saying(path: Path, said: str) -> Iterator[list[str]]:
    """Answer all questions in one way; the operations that were asked about."""
    asked = list[str]()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        lines = sock.makefile("rw", buffering=1)
        lines.write('{"asker": 1}\n')
        assert "ask" in lines.readline()
        assert "attached" in lines.readline()

        def answer() -> None:
            for line in lines:
                told = json.loads(line)
                if "question" in told:
                    asked.append(told["operation"])
                    words = {"answer": told["question"], "say": said, "word": "root"}
                    lines.write(json.dumps(words) + "\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield asked
        finally:
            sock.shutdown(socket.SHUT_RDWR)
            thread.join()
            lines.close()


def on_a_terminal(engine: ScratchEngine, url: str, script: str, *command: str) -> str:
    """What a command shows to a person who types at it."""
    program = [sys.executable, "-m", "tests.clients.on_a_pty", script, *command]
    done = subprocess.run(
        program,
        env={**engine.environment(url), "PYTHONPATH": os.getcwd()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.decode()


@pytest.mark.engine
def test_the_docker_command_waits_and_goes_on(
    scratch: ScratchEngine, tmp_path: Path
) -> None:
    """run, pull, exec -it and build, of a file that grants nothing but a build: all else that they
    need is asked about, each thing once, and what they print is what they always print."""
    file, ask = tmp_path / "app.env", tmp_path / "ask.sock"
    file.write_text("ALLOW_OPERATIONS=ImageBuild\n")
    (tmp_path / "Dockerfile").write_text("FROM busybox\nRUN true\n")
    folder = tmp_path / "registry"
    folder.mkdir()
    with serving(scratch, folder), enforcing(scratch, str(file), "--ask", f"unix://{ask}") as proxy:  # fmt: skip
        scratch.docker("tag", "busybox", A)
        scratch.docker("push", A)
        scratch.docker("rmi", A)
        refused = scratch.docker("run", "--rm", "busybox", host=proxy.url, check=False)
        assert "is not allowed" in refused.errors
        with saying(ask, "once") as asked:
            ran = scratch.docker("run", "--rm", "busybox", "echo", "hello", host=proxy.url)  # fmt: skip
            assert (ran.text, ran.errors) == ("hello", "")
            assert {"ContainerCreate", "ContainerAttach", "ContainerWait"} <= {*asked}
            asked.clear()
            assert "Downloaded newer" in scratch.docker("pull", A, host=proxy.url).text
            assert "ImageCreate" in asked
            scratch.docker("run", "-d", "--name=asked", "busybox", "sleep", "99")
            shown = on_a_terminal(scratch, proxy.url, "/ #>tty; exit\\n", "docker", "exec", "-it", "asked", "sh")  # fmt: skip
            assert "/dev/pts/0" in shown
            assert {"ContainerExec", "ExecStart"} <= {*asked}
            asked.clear()
            classic = {"DOCKER_BUILDKIT": "0"}
            built = scratch.docker("build", "-q", str(tmp_path), host=proxy.url, environ=classic)  # fmt: skip
            assert built.text.startswith("sha256:")
            assert asked
            assert "ImageBuild" not in asked
        with saying(ask, "no"):
            done = scratch.docker("rm", "-f", "asked", host=proxy.url, check=False)
            assert "who was asked said no" in done.errors
        scratch.docker("rm", "-f", "asked")
