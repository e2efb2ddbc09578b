"""The pytest plugin, in a pytest of its own."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

import trioproxy
from tests.answering_engine import answering_engine
from tests.commands.running import Finished, environment
from tests.commands.screen import on_pty
from tests.fakes import FakeEngine
from tests.patience import PATIENCE
from trioproxy.evidence.evidencefile import load
from trioproxy.learning.proposal import listed_operations

TESTS = """
import os, socket

def ask(line):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
        sock.sendall(f"{line} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n".encode())
        return sock.recv(4096)

def test_list():
    assert "DOCKER_TLS_VERIFY" not in os.environ
    assert b" 200 " in ask("GET /containers/json")

def test_info():
    assert b" 200 " in ask("GET /info")
"""

NO_OTHERS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""The plugins of our own tests take longer to load than this one takes to learn."""


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeEngine]:
    """An Engine that answers everything."""
    async with answering_engine(tmp_path / "engine.sock") as engine:
        yield engine


async def run_suite(
    folder: Path, *options: str, host: str = "", named: bool = True
) -> Finished:
    """Run pytest with the plugin on a small suite."""
    (folder / "test_suite.py").write_text(TESTS)
    variables = {
        "DOCKER_HOST": host or f"unix://{folder}/engine.sock",
        "PYTHONPATH": str(Path(trioproxy.__file__).parents[1]),
        **NO_OTHERS,
    }
    plugin = ["-p", "trioproxy.pytest_plugin"] if named else []
    plugin += ["-p", "xdist"] if "-n" in options else []
    command = [sys.executable, "-m", "pytest", *plugin]
    done = await trio.to_thread.run_sync(
        lambda: subprocess.run(
            [*command, "-p", "no:cacheprovider", *options],
            cwd=folder,
            env=environment(variables) | {"PYTHONWARNINGS": ""},
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE,
            check=False,
        )
    )
    return Finished(status=done.returncode, out=done.stdout, err=done.stderr)


def granted(path: Path) -> set[str]:
    """What the learned file grants."""
    return set(listed_operations(path.read_text(), "x") or ())


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
async def test_a_suite_is_learned(
    fake: FakeEngine, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """What the tests did is in the file, and summed up at the end; in workers too."""
    file = tmp_path / "learned" / "tests.env"
    done = await run_suite(tmp_path, f"--docker-learn={file}", *options)
    assert done.status == 0, done.out + done.err
    assert granted(file) == {"ContainerList", "SystemInfo"}
    assert "Docker permissions learned" in done.out
    assert f"{file} lists 2 operations, 2 of them new" in done.out
    assert "2 passed" in done.out


async def test_a_ceiling_makes_tests_fail(fake: FakeEngine, tmp_path: Path) -> None:
    """With --docker-within the suite learns in CI whether the committed file suffices."""
    (tmp_path / "max.env").write_text("ALLOW_OPERATIONS=ContainerList\n")
    options = ("--docker-learn=tests.env", "--docker-within=max.env")
    done = await run_suite(tmp_path, *options)
    assert done.status == 1
    assert "1 failed, 1 passed" in done.out
    assert granted(tmp_path / "tests.env") == {"ContainerList"}


@pytest.mark.parametrize("option", ["--docker-within", "--docker-learn"])
async def test_given_twice(fake: FakeEngine, tmp_path: Path, option: str) -> None:
    """Two ceilings, or two files, are one clear line before any test."""
    options = ("--docker-learn=tests.env", f"{option}=a.env", f"{option}=b.env")
    done = await run_suite(tmp_path, *options)
    assert (done.status, done.out) == (4, "")
    assert f"{option} is given twice: keep one of the two" in done.err


async def test_a_ceiling_without_a_file_is_none(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Who names a ceiling alone would have tests pass that it refuses: they do not begin."""
    done = await run_suite(tmp_path, "--docker-within=max.env")
    assert (done.status, done.out) == (4, "")
    assert "--docker-within is about --docker-learn: write both" in done.err


async def test_without_the_option_nothing_happens(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """The plugin alone changes neither the tests nor their environment."""
    done = await run_suite(tmp_path)
    assert done.status == 0
    assert "learned" not in done.out


async def test_without_an_engine_the_tests_do_not_begin(tmp_path: Path) -> None:
    """A learner that cannot start is one clear line before any test."""
    done = await run_suite(tmp_path, "--docker-learn=x.env", host="unix:///no/s.sock")
    assert done.status == 4
    assert "--docker-learn: trioproxy: cannot reach the Docker Engine" in done.err
    assert "passed" not in done.out


async def test_a_file_that_cannot_be_written_fails_the_session(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Tests that pass without leaving their file behind are no success."""
    (tmp_path / "test_first.py").write_text("open('learned', 'w').close()")
    done = await run_suite(tmp_path, "--docker-learn=learned/x.env")
    assert done.status == 4
    assert "2 passed" in done.out
    assert "cannot write" in done.out


async def test_a_learner_that_is_killed_fails_the_session(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Where the learner was killed, as for want of memory, the table says so: it had no word itself."""
    (tmp_path / "test_then.py").write_text(
        "import os, signal\n"
        "def test_then():\n"
        '    with open(f"/proc/self/task/{os.getpid()}/children") as children:\n'
        "        for pid in children.read().split():\n"
        "            os.kill(int(pid), signal.SIGKILL)\n"
    )
    done = await run_suite(tmp_path, "--docker-learn=x.env")
    assert done.status == 4
    assert "3 passed" in done.out
    assert "killed by signal 9: what it learned last may be missing" in done.out


CONFTEST = """
import os, socket
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    sock.sendall(b"GET /version HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    sock.recv(4096)
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
async def test_a_client_that_conftest_makes_is_learned(
    fake: FakeEngine, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """What is asked while conftest.py is imported passes through the learner too."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    done = await run_suite(tmp_path, "--docker-learn=tests.env", *options)
    assert done.status == 0, done.out + done.err
    assert granted(tmp_path / "tests.env") >= {"SystemVersion", "ContainerList"}
    assert done.out.count("Docker permissions learned") == 1


async def test_named_in_conftest_the_plugin_learns_from_there_on(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """A suite may name the plugin itself; then what conftest.py does before is not seen."""
    (tmp_path / "conftest.py").write_text(
        "pytest_plugins = ['trioproxy.pytest_plugin']"
    )
    done = await run_suite(tmp_path, "--docker-learn=tests.env", named=False)
    assert done.status == 0, done.out + done.err
    assert granted(tmp_path / "tests.env") == {"ContainerList", "SystemInfo"}


async def test_failed_tests_are_no_proof(fake: FakeEngine, tmp_path: Path) -> None:
    """A session that failed is learned from, told, and does not count as a quiet run."""
    (tmp_path / "test_bad.py").write_text("def test_bad():\n    assert False\n")
    done = await run_suite(tmp_path, "--docker-learn=tests.env")
    assert done.status == 1
    assert "the command failed (status 1)" in done.out
    text = (tmp_path / "tests.jsonl").read_text()
    (run,) = load(text.encode(), name="x").evidence.runs.values()
    assert (run.status, run.is_proof) == (1, False)
    assert granted(tmp_path / "tests.env") == {"ContainerList", "SystemInfo"}


async def test_a_client_that_stays_is_not_waited_for_in_vain(
    fake: FakeEngine, tmp_path: Path
) -> None:
    """Where the file says what @proxy is, a connection that the tests leave open, as docker-py's are, costs no table and no status."""
    (tmp_path / "conftest.py").write_text(
        "import os, socket\n"
        "import trioproxy.pytest_plugin\n"
        "trioproxy.pytest_plugin.END_SECONDS = 2\n"
        "kept = socket.socket(socket.AF_UNIX)\n"
        'kept.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))\n'
    )
    file = tmp_path / "tests.env"
    file.write_text("PROXY_SOCKET=/run/app/proxy.sock\nALLOW_OPERATIONS=\n")
    done = await run_suite(tmp_path, f"--docker-learn={file}")
    assert done.status == 0, done.out
    assert "tests.env lists 2 operations, 2 of them new" in done.out
    assert granted(file) == {"ContainerList", "SystemInfo"}


async def test_the_table_fits_a_terminal(fake: FakeEngine, tmp_path: Path) -> None:
    """What the learner wrote into a file is broken between words where people see it."""
    (tmp_path / "test_suite.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    options = ("-p", "trioproxy.pytest_plugin", f"--docker-learn={tmp_path}/app.env")
    (others,) = (f"{name}={value}" for name, value in NO_OTHERS.items())
    suite = f"DOCKER_HOST=unix://{fake.path} {sys.executable} -m pytest -q {' '.join(options)}"
    shown = await on_pty(
        "sh", "-c", f"cd {tmp_path} && PYTHONWARNINGS= COLUMNS=80 {others} {suite}"
    )
    table = shown.decode().replace("\r\n", "\n").partition("permissions learned")[2]
    assert "ContainerList" in table, shown
    long = [line for line in table.split("\n") if len(line) > 80]
    assert all(len(line.split()) == 1 for line in long), long
