"""What `make coverage` measures of the tests."""

import pytest

from tests.measured import CASES, first_cases


def test_of_each_test_the_first_cases_are_measured(
    request: pytest.FixtureRequest,
) -> None:
    """As many of one test as of another, of all that run; and no search for counter-examples."""
    seen: list[pytest.Item] = []
    for name in ("one", "another"):
        for case in range(CASES + 2):
            item = pytest.Function.from_parent(
                request.node.parent, name=f"{name}[{case}]", callobj=lambda: None
            )
            seen.append(item)
    search = pytest.Function.from_parent(
        request.node.parent, name="search", callobj=lambda: None
    )
    search.add_marker("hypothesis")
    found = [one.rpartition("::")[2] for one in first_cases([search, *seen])]
    assert found == [
        *(f"one[{case}]" for case in range(CASES)),
        *(f"another[{case}]" for case in range(CASES)),
    ]
