"""Proofs that a file is within another, held against requests that both judge."""

import pytest

from tests.depth import by_depth
from tests.judge.within import judge, policy_of
from trioproxy.judge.more import more

PAIRS = by_depth(40, 500)
REQUESTS = by_depth(60, 300)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2))
def test_no_request_contradicts_a_proof(seed: int) -> None:
    """Where nothing is more, what passes the file passes the boundary: in a deep run
    500 pairs of files and 100,000 judged requests, here a share of that."""
    seen = judge(PAIRS // 2, REQUESTS, seed)
    assert seen.within > PAIRS // 4
    assert seen.passed
    assert seen.judged >= by_depth(500, 50_000)
    assert not seen.contradicted, seen.contradicted[0]


def test_reaching_is_compared_too() -> None:
    """Whoever reaches into containers has what they have, though nothing creates any."""
    execs = {"ALLOW_OPERATIONS": "ContainerExec,ExecStart"}
    own = {**execs, "ONLY_CONTAINERS": "*", "ONLY_OWNER": "us"}
    held = {**own, "CREATE_PRIVILEGED": ""}

    def beyond(inner: dict[str, str], outer: dict[str, str]) -> list[str]:
        return [str(one) for one in more(policy_of(outer), policy_of(inner))]

    assert beyond(held, own) == beyond(held, held) == []
    assert beyond(own, held) == ["CREATE_*=*"]
    assert beyond({**held, "CREATE_BINDS": "/etc"}, held) == ["CREATE_BINDS=/etc"]
    # Without lists of objects nobody looks at what a container has.
    assert beyond(execs, {**execs, "CREATE_PRIVILEGED": ""}) == []
