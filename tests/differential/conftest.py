"""A HAProxy for the tests; where there is none they are left out, but never in CI."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.differential.haproxy_rules import Front, configuration

LEFT_OUT = pytest.StashKey[str]()

Start = Callable[[Sequence[Front]], Path]


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a path short enough for sockets."""
    with TemporaryDirectory(prefix="trioproxy-") as folder:
        yield Path(folder)


@pytest.fixture
def haproxy(sockets: Path) -> Iterator[Start]:
    """Start a HAProxy that plays all fronts and the Engine; gives the Engine's socket."""
    with ExitStack() as stack:
        yield lambda fronts: stack.enter_context(_running(fronts, sockets / "engine"))


@contextmanager
def _running(fronts: Sequence[Front], engine: Path) -> Iterator[Path]:
    file = engine.with_name("haproxy.cfg")
    file.write_text(configuration(fronts, engine))
    variables = {k: v for front in fronts for k, v in front.environment().items()}
    process = subprocess.Popen(
        ["haproxy", "-W", "-db", "-f", str(file)],
        env={"PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        assert process.stdout is not None
        try:
            seen = []
            # It says so once, when all its sockets take connections.
            for line in process.stdout:
                seen.append(line)
                if "Loading success" in line:
                    break
            else:
                raise AssertionError("".join(seen))
            yield engine
        finally:
            process.terminate()
            process.stdout.read()


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Deselect the tests that start HAProxy."""
    if os.environ.get("CI") == "true" or shutil.which("haproxy"):
        return
    needs = {"haproxy", "logging_haproxy"}
    out = [item for item in items if needs & {*getattr(item, "fixturenames", ())}]
    if out:
        config.stash[LEFT_OUT] = f"{len(out)} HAProxy tests left out: no haproxy here"
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line what was left out."""
    if line := config.stash.get(LEFT_OUT, ""):
        terminalreporter.write_line(line, yellow=True)
