"""What `make coverage` measures: of each test the beginning of its first cases, and what a process
runs that is given `MEASURING`. Whatever runs takes twice or three times as long that way.

A search for counter-examples (Hypothesis) is not measured: it runs the same lines hundreds of times.
"""

import importlib
import os
import pkgutil
import re
import signal
import sys
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from typing import Final

import pytest

import trioproxy

MEASURING: Final = dict[str, str]()
"""Variables by which a process is measured; none unless this one is."""
CASES: Final = 10
"""How many of a test's cases are measured, of a slow one a single one: the next ten thousand take
time, and add next to nothing."""
SECONDS: Final = 1.0
"""Of the processor, for which a case is measured: what it does for longer it does again and again."""


def leave_out_what_is_started() -> None:
    """From now on a process is measured only if its test says so."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        MEASURING[name] = os.environ.pop(name)


_RUN: Final = set[tuple[str, ...]]()
"""As what trioproxy was started: its plain words, those of a client too, its options and variables."""
_PLAIN: Final = re.compile(r"-{0,2}[a-z][a-z-]*")


def measuring(args: Iterable[str], variables: Iterable[str]) -> dict[str, str]:
    """`MEASURING` for the first process of such a kind: the next ones run the same lines.

    None for one with a `PYTHONPATH`: it runs a copy.
    """
    run = (*sorted(filter(_PLAIN.fullmatch, args)), "", *sorted(variables))
    if run in _RUN or "PYTHONPATH" in variables:
        return {}
    _RUN.add(run)
    return MEASURING


def first_cases(items: Iterable[pytest.Item]) -> Iterator[str]:
    """The ids of the first cases of each test that is no search, in their order."""
    cases = Counter[str]()
    for item in items:
        test = item.nodeid.partition("[")[0]
        cases[test] += 1
        most = 1 if item.get_closest_marker("slow") else CASES
        if cases[test] <= most and not item.get_closest_marker("hypothesis"):
            yield item.nodeid


class FirstCases:
    """A plugin of a process that runs tests: what is measured there is that the program is
    imported, and the first cases."""

    def __init__(self) -> None:
        for module in pkgutil.walk_packages(trioproxy.__path__, "trioproxy."):
            importlib.import_module(module.name)
        self.trace = sys.gettrace()
        self.first: frozenset[str] = frozenset()
        sys.settrace(None)
        signal.signal(signal.SIGVTALRM, lambda *_: sys.settrace(None))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Choose them."""
        self.first = frozenset(first_cases(session.items))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item
    ) -> Generator[None, object, object]:
        """Measure it, if it is one."""
        if item.nodeid in self.first:
            sys.settrace(self.trace)
            signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            sys.settrace(None)
