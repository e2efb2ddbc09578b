"""Which clients are too old for an Engine."""

import pytest

from trioproxy.apiversion import is_older, oldest_of

ANSWERS = {
    "docker": ({"MinAPIVersion": "1.44", "ApiVersion": "1.52"}, "1.44"),
    "does-not-say": ({"ApiVersion": "1.52"}, ""),
    "no-version": ({"MinAPIVersion": "1.44; set"}, ""),
    "no-text": ({"MinAPIVersion": 1.44}, ""),
    "no-object": ([], ""),
    "no-answer": (None, ""),
}


@pytest.mark.parametrize(("answer", "oldest"), ANSWERS.values(), ids=ANSWERS)
def test_what_an_engine_says(answer: object, oldest: str) -> None:
    """Its oldest version is what stands in `MinAPIVersion`, if that is one."""
    assert oldest_of(answer) == oldest


@pytest.mark.parametrize(
    ("version", "oldest", "expected"),
    [
        pytest.param("1.41", "1.44", True, id="older"),
        pytest.param("/v1.41", "1.44", True, id="as-a-target-has-it"),
        pytest.param("1.44", "1.44", False, id="the-oldest"),
        pytest.param("1.99", "1.100", True, id="as-numbers"),
        pytest.param("unversioned", "1.44", False, id="unversioned"),
        pytest.param("4.0.0", "1.44", False, id="libpod"),
        pytest.param("1.41", "", False, id="not-known"),
    ],
)
def test_who_is_too_old(version: str, oldest: str, expected: bool) -> None:
    """A client is too old if its version, as a number, is below what the Engine takes."""
    assert is_older(version, oldest) is expected
