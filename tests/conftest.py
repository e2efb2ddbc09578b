"""Fixtures that several folders of tests share."""

import gc
import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from typing import Any

import hypothesis
import pytest

from tests.engine import Engine, NoEngine, ScratchEngine, any_engine, why_no_engine
from tests.measured import MEASURING, FirstCases, leave_out_what_is_started

# A loaded machine is slow at random: what takes too long is seen in the whole run.
IN_ANY_TIME: Mapping[str, Any] = {
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
# As in CI each run looks at the same examples: it tells of what was changed. At others it looks
# with --hypothesis-profile=search, and at a fifth of them in `make quick`.
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "suite": {"derandomize": True},
    "search": {"derandomize": False},
    "quick": {"derandomize": True, "max_examples": 20},
}
for profile, its in PROFILES.items():
    hypothesis.settings.register_profile(profile, **its, **IN_ANY_TIME)
hypothesis.settings.load_profile("suite")

# Whoever starts the tests in the background ignores these, and programs inherit that:
# what a signal does is tested here.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

# What is made for a while is removed: a test would take an exit for its own failure.
signal.signal(signal.SIGTERM, signal.default_int_handler)

# So that a difference is shown; here, for whoever imports it may come before its folder.
pytest.register_assert_rewrite("tests.clients.comparison")

LEFT_OUT = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Where the tests themselves run, what they start is measured only if they say so."""
    if not config.getoption("numprocesses", None):
        leave_out_what_is_started()
    if MEASURING and "PYTEST_XDIST_WORKER" in os.environ:
        config.pluginmanager.register(FirstCases())


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


@pytest.fixture(scope="session")
def may_start_engines() -> None:
    """For who starts an Engine beside that of the session: without root its tests are left out."""


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out the tests whose Engine this machine cannot give, but never in CI.

    Beside other processes the files with slow tests come first: none is waited for at the end.
    """
    if os.environ.get("PYTEST_XDIST_WORKER"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)
    if os.environ.get("CI") == "true":
        return  # there they fail
    lines = []
    for fixture, why_not in WHY_NOT.items():
        out = [item for item in items if fixture in getattr(item, "fixturenames", ())]
        if out and (why := why_not()):
            lines.append(f"{len(out)} tests left out: {why}")
            config.hook.pytest_deselected(items=out)
            items[:] = [item for item in items if item not in out]
    config.stash[LEFT_OUT] = "\n".join(lines)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The tests stay until the end: no search for garbage looks at all of them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def why_no_podman() -> str:
    """Why there is no Podman of our own; empty if there can be one."""
    if os.geteuid() != 0:
        return "a Podman of our own needs root"
    return "" if shutil.which("podman") else "podman is not installed"


def why_no_browser() -> str:
    """Why there is no Chromium; empty if there is one."""
    return "" if shutil.which("chromium") else "chromium is not installed"


WHY_NOT: Mapping[str, Callable[[], str]] = {
    "engine": why_no_engine,
    **dict.fromkeys(("scratch", "may_start_engines"), partial(why_no_engine, own=True)),
    "podman": why_no_podman,
    "switch": why_no_browser,
}
"""By fixture: why this machine cannot give what it stands for."""


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line what was left out."""
    if line := config.stash.get(LEFT_OUT, ""):
        terminalreporter.write_line(line, yellow=True)
