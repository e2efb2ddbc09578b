"""The section variables that learned files take elsewhere, in a real HAProxy."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from tests.differential.conftest import Start
from tests.differential.haproxy_rules import Front
from tests.differential.http_requests import HttpRequest, reaches_engine
from tests.patience import PATIENCE
from trioproxy.api.routes import OPERATIONS
from trioproxy.file.incumbents import INCUMBENTS
from trioproxy.learning.minimize import smallest_sections, uses_of

SEED = 20261124
CLIENTS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Variables in an incumbent, and what a client asks for there."""

    variables: Mapping[str, str]
    front: Front
    requests: tuple[HttpRequest, ...]
    flipped: str
    """The variable that was 1 and is 0 now; empty for the file as it is."""

    async def let_pass(self) -> bool:
        """Whether everything passes."""
        verdicts = [
            await reaches_engine(str(self.front.path), sent) for sent in self.requests
        ]
        return all(verdicts)


def settings(base: Path) -> Iterator[Setting]:
    """Clients that use a few operations each, by their file, and with each 1 turned to 0."""
    rng = random.Random(SEED)
    for client in range(CLIENTS):
        granted = rng.sample(sorted(OPERATIONS), rng.randint(1, 8))
        if client % 2:
            granted = [name for name in granted if name.startswith("Container")]
        incumbent = INCUMBENTS[client // 2 % 2]
        requests = tuple(
            HttpRequest(method=use.method, target=use.path)
            for item in granted
            for use in uses_of(item)
            if incumbent.can_allow(*use)
        )
        values = smallest_sections(granted, incumbent)
        ones = [name for name, value in values.items() if value == "1"]
        for flipped in ("", *ones):
            variables = {**values, **({flipped: "0"} if flipped else {})}
            yield Setting(
                variables=variables,
                front=Front(
                    incumbent=incumbent,
                    variables=variables,
                    path=base / f"c{client}{incumbent.name[0]}{flipped}",
                ),
                requests=requests,
                flipped=flipped,
            )


@pytest.mark.slow
async def test_smallest_in_haproxy(sockets: Path, haproxy: Start) -> None:
    """An incumbent lets pass what was learned, and with any 1 turned to 0 it does not."""
    every = list(settings(sockets))
    haproxy([setting.front for setting in every])
    with trio.fail_after(PATIENCE):
        for setting in every:
            passed = await setting.let_pass()
            assert passed == (not setting.flipped), setting
    assert sum(bool(setting.flipped) for setting in every) > CLIENTS
