"""Fixtures that several folders of tests share."""

import os
import signal
from collections.abc import Iterator

import hypothesis
import pytest

from tests.engine import Engine, NoEngine, ScratchEngine, any_engine, why_no_engine

# A loaded machine is slow at random: what takes too long is seen in the whole run.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")

# Whoever starts the tests in the background ignores these, and programs inherit that:
# what a signal does is tested here.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

LEFT_OUT = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """A Docker Engine for the whole session, started by the first test that asks."""
    with any_engine() as started:
        yield started


@pytest.fixture(scope="session")
def scratch(engine: Engine) -> ScratchEngine:
    """The Engine, where it is our own and may be stopped and started."""
    if not isinstance(engine, ScratchEngine):
        raise NoEngine("this test needs an Engine of our own: root and dockerd")
    return engine


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the tests whose Engine this machine cannot give, but never in CI."""
    if os.environ.get("CI") == "true":
        return  # there they fail
    for fixture in ("engine", "scratch"):
        out = [item for item in items if fixture in getattr(item, "fixturenames", ())]
        if out and (why := why_no_engine(own=fixture == "scratch")):
            config.stash[LEFT_OUT] = f"{len(out)} Engine tests left out: {why}"
            config.hook.pytest_deselected(items=out)
            items[:] = [item for item in items if item not in out]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line what was left out."""
    if line := config.stash.get(LEFT_OUT, ""):
        terminalreporter.write_line(line, yellow=True)
