"""The section variables that learned files take elsewhere, in a real HAProxy."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trio

from tests.differential.conftest import Start
from tests.differential.haproxy_rules import Front
from tests.differential.http_requests import HttpRequest, reaches_engine
from tests.learned.learning import LEARNED
from tests.patience import PATIENCE
from trioproxy.api.routes import OPERATIONS
from trioproxy.file import envfile
from trioproxy.file.incumbents import INCUMBENTS, TECNATIVA, Incumbent
from trioproxy.file.permissions import parse_operations
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
        requests = asked_of(granted, incumbent)
        values = smallest_sections(granted, incumbent)
        path = base / f"c{client}{incumbent.name[0]}"
        yield from with_each_1_at_0(values, incumbent, requests, path)


def asked_of(granted: Iterable[str], incumbent: Incumbent) -> tuple[HttpRequest, ...]:
    """A request for each route of what is granted that an incumbent can let pass."""
    return tuple(
        HttpRequest(method=method, target=path)
        for item in granted
        for method, path in uses_of(item)
        if incumbent.can_allow(method, path)
    )


def with_each_1_at_0(
    values: Mapping[str, str],
    incumbent: Incumbent,
    requests: tuple[HttpRequest, ...],
    path: Path,
) -> Iterator[Setting]:
    """Those variables as they are, and with each 1 among them turned to 0."""
    ones = [name for name, value in values.items() if value == "1"]
    for flipped in ("", *ones):
        variables = {**values, **({flipped: "0"} if flipped else {})}
        place = path.with_name(f"{path.name}{flipped}")
        yield Setting(
            variables=variables,
            front=Front(incumbent=incumbent, variables=variables, path=place),
            requests=requests,
            flipped=flipped,
        )


def pasted(file: Path) -> dict[str, str]:
    """The variables in the comment of a file, as a person pastes them."""
    (words,) = re.findall(
        r"(?m)^# tecnativa: (.*); opens \d+ operations", file.read_text()
    )
    return dict(word.split("=") for word in words.split())


def shipped(base: Path) -> Iterator[Setting]:
    """The comment of each learned file, in tecnativa; what it leaves out has its default."""
    for number, file in enumerate(sorted(LEARNED.glob("*.env"))):
        granted = parse_operations(
            envfile.parse(file.read_text(), name=file.name)["ALLOW_OPERATIONS"]
        )
        path = base / f"f{number}"
        yield from with_each_1_at_0(
            pasted(file), TECNATIVA, asked_of(granted, TECNATIVA), path
        )


@pytest.mark.slow
async def test_the_comment_of_a_file_in_haproxy(sockets: Path, haproxy: Start) -> None:
    """What stands in the comment of a shipped file, pasted, lets its whole session pass in
    tecnativa; and with any 1 of it turned to 0 it does not."""
    every = list(shipped(sockets))
    haproxy([setting.front for setting in every])
    with trio.fail_after(PATIENCE):
        for setting in every:
            passed = await setting.let_pass()
            assert passed == (not setting.flipped), setting
    assert sum(not setting.flipped for setting in every) == len(
        list(LEARNED.glob("*.env"))
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
