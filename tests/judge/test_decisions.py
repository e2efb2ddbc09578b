"""The record of decisions: what each policy says of each request is what it said before."""

import re
from functools import cache

import pytest

from tests import corpus, decisions
from trioproxy.api.families import LIMITS, OBJECTS

NAMES = list(decisions.sources())
PARTS = {
    part: [one for one in NAMES if re.match(pattern, one)]
    for part, pattern in {
        "learned a-d": "learned/[a-d]",
        "learned e-z and examples": "learned/[e-z]|examples",
        "a limit": "one/|empty/",
        "lists of objects": "only/",
        "sections": "sections/|verbs/|podman/",
        "random 0-29": "random/[0-2]",
        "random 30-59": "random/[3-5]",
    }.items()
}

recorded = cache(decisions.recorded)


def test_each_policy_is_in_one_part() -> None:
    """No policy is left out, and what is recorded is what there is."""
    assert sorted(name for part in PARTS.values() for name in part) == sorted(NAMES)
    names = {
        re.sub("@(shadow|ceiling)$", "", one)
        for found in recorded().values()
        for one in found
    }
    assert names == set(NAMES), "python -m tests.decisions --write records new files"


SHARES = [
    pytest.param(part, marks=pytest.mark.deep if "random" in part else ())
    for part in PARTS
]
"""What is made up is left to `make test`."""


@pytest.mark.parametrize("part", SHARES)
def test_decisions(part: str) -> None:
    """Nothing that a file means has changed: decision, message, status, and what goes on.

    What is meant to change is recorded anew by `python -m tests.decisions --write`.
    """
    differ = [
        f"{policy}, {request}: {old} became {new}"
        for request, answers in decisions.decisions(PARTS[part]).items()
        for policy, new in answers.items()
        if (old := recorded()[request].get(policy)) != new
    ]
    assert not differ, "\n".join([f"{len(differ)} differ", *differ[:20]])


def test_the_record_has_each_operation() -> None:
    """Each row of the table is asked for, and passes somewhere and is refused elsewhere."""
    for method, template, operation, *_ in corpus.rows():
        found = [
            what
            for request, answers in recorded().items()
            if request.startswith(f"{template} ") and f" {operation} " in request
            for what, _ in answers.values()
        ]
        words = {what.partition(" ")[0] for what in found}
        never = template.startswith("/libpod/") or operation == "BuildKitGrpc"
        assert {"refused"} <= words, (method, template)
        assert never or "allowed" in words, (method, template)


@pytest.mark.parametrize("variable", sorted(LIMITS))
def test_the_record_has_each_limit_from_both_sides(variable: str) -> None:
    """A value that a list holds passes, which no empty list lets pass; another does not."""
    refused = f"refused 403 {variable}"
    listed, none = f"one/{variable}", f"empty/{variable}"
    pairs = [
        (one.get(listed, ("",))[0], one.get(none, ("",))[0])
        for one in recorded().values()
    ]
    assert any(b.startswith(refused) and a.startswith("allowed") for a, b in pairs)
    if not variable.endswith("_PRIVILEGED"):  # which has nothing beyond its one value
        assert any(a.startswith(refused) for a, _ in pairs)


FILES = dict(zip(sorted(OBJECTS), ("@own", "networks", "volumes"), strict=True))


@pytest.mark.parametrize(("variable", "file"), FILES.items(), ids=FILES)
def test_the_record_has_each_list_of_objects_from_both_sides(
    variable: str, file: str
) -> None:
    """What is listed passes, and what is not is refused by its variable."""
    answers = [one[f"only/{file}"][0] for one in recorded().values()]
    assert any(one.startswith(f"refused 403 {variable} asks=") for one in answers)
    assert any(one.startswith("allowed ") and "asks=" in one for one in answers)
