"""What `make coverage` measures of the tests."""

import pytest

from tests import measured
from tests.measured import CASES, first_cases, measuring


def test_of_each_test_the_first_cases_are_measured(
    request: pytest.FixtureRequest,
) -> None:
    """As many of one test as of another, of all that run; one of a slow one, and no search."""
    seen: list[pytest.Item] = []
    for name in ("one", "another", "slow", "hypothesis"):
        for case in range(CASES + 2):
            item = pytest.Function.from_parent(
                request.node.parent, name=f"{name}[{case}]", callobj=lambda: None
            )
            if name in {"slow", "hypothesis"}:
                item.add_marker(name)
            seen.append(item)
    found = [one.rpartition("::")[2] for one in first_cases(seen)]
    assert found == [
        *(f"one[{case}]" for case in range(CASES)),
        *(f"another[{case}]" for case in range(CASES)),
        "slow[0]",
    ]


def test_of_each_kind_of_process_the_first_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next with such words and variables is not, whatever their values are; nor is a copy."""
    ours = {"COVERAGE_PROCESS_CONFIG": "x"}
    monkeypatch.setattr(measured, "MEASURING", ours)
    monkeypatch.setattr(measured, "_RUN", set())
    enforce = ("enforce", "--listen", "tcp://a", "--drain", "1")
    assert measuring(enforce, {"PYTHONPATH": "site"}) == {}
    assert measuring(enforce, {"PING": "1"}) == ours
    other = ("enforce", "--drain", "2", "--listen", "tcp://b")
    assert measuring(other, {"PING": "0"}) == {}
    assert measuring(other, {}) == measuring(other[:-2], {}) == ours
    assert measuring((*other, "--", "docker", "ps"), {}) == ours
    assert measuring((*other, "--", "docker", "ps"), {}) == {}
