"""What people copy, in a real HAProxy with the rules of its image, next to this proxy."""

import random
from pathlib import Path

import pytest
import trio

from tests.differential.conftest import Start
from tests.differential.differences import DIFFERENCES
from tests.differential.haproxy_rules import Front
from tests.differential.http_requests import HttpRequest, http_requests
from tests.differential.test_differential import Outcome, Place, serve, work
from tests.judge.judging import of_table
from tests.migration.tables import Example, examples
from tests.patience import PATIENCE
from trioproxy.file.permissions import parse_policy

SEED = 20261125
WIDER = {row.name for row in DIFFERENCES if row.is_wider}


@pytest.mark.slow
@pytest.mark.parametrize("example", examples(), ids=lambda one: one.name)
async def test_example(sockets: Path, haproxy: Start, example: Example) -> None:
    """Each request is answered as there, or as a row of the table of differences says."""
    front = Front(
        incumbent=example.incumbent,
        variables=example.variables,
        path=sockets / example.incumbent.name,
    )
    policies = {"": parse_policy(example.variables)[0]}
    place = Place(variables=example.variables, fronts=(front,), policies=policies)
    engine = haproxy([front])
    plain = [
        HttpRequest(method=one.method, target=one.target.path) for one in of_table()
    ]
    outcome = Outcome()
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            proxies = await serve(place, engine, nursery)
            todo = [*plain, *http_requests(random.Random(SEED))]
            await work(place, proxies, todo, outcome)
            nursery.cancel_scope.cancel()
    assert outcome.requests > 2 * len(plain)
    assert (outcome.wider, outcome.unexplained) == ([], [])
    rows = {row for row, _ in outcome.rows}
    if example.incumbent.name == "tecnativa":
        assert not rows & WIDER
