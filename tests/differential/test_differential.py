"""The incumbents' rules in a real HAProxy, next to this proxy: who lets what pass?"""

import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

import pytest
import trio

from tests.depth import IS_DEEP, by_depth
from tests.differential import differences
from tests.differential.conftest import Start
from tests.differential.differences import DIFFERENCES, Difference, classify
from tests.differential.haproxy_rules import Front, configuration
from tests.differential.http_requests import (
    HttpRequest,
    environment,
    http_requests,
    reaches_engine,
)
from tests.patience import PATIENCE
from trioproxy.api.matched import Request
from trioproxy.api.routes import match
from trioproxy.api.target import Target
from trioproxy.config import Config, Level, TcpAddress, UnixAddress
from trioproxy.errors import BadTarget
from trioproxy.file.incumbents import INCUMBENTS, LINUXSERVER, TECNATIVA, Incumbent
from trioproxy.file.permissions import parse_policy
from trioproxy.file.variables import READ_VERBS, speaks_of_podman
from trioproxy.judge.gate import Gate
from trioproxy.judge.rules import Decision, Policy, Reason
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

SEED = 20261124
ENVIRONMENTS = by_depth(3, 30)
AT_ONCE = 8
NOT_FROM_REQUESTS = {"exact list", "values"}
"""Rows about files: no request shows them, tests of their own do."""


@dataclass(kw_only=True)
class Outcome:
    """What a run found."""

    requests: int = 0
    judgements: int = 0
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each row was the reason, by incumbent."""
    unexplained: list[str] = field(default_factory=list)
    wider: list[str] = field(default_factory=list)
    misread: list[str] = field(default_factory=list)
    """Where `file.incumbents` says otherwise than HAProxy."""

    def __str__(self) -> str:
        lines = [
            f"{self.requests} requests, {self.judgements} comparisons:"
            f" {len(self.wider)} wider, {len(self.unexplained)} unexplained"
        ]
        for (row, incumbent), count in sorted(self.rows.items()):
            lines.append(f"{count:6} {incumbent:12} {row}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An environment, and who judges by it."""

    variables: Mapping[str, str]
    fronts: tuple[Front, ...]
    policies: Mapping[str, Policy]
    """How this proxy judges, by the value of `COMPAT`."""


def place_all(base: Path) -> list[Place]:
    """Make up the environments, and the paths of their sockets."""
    rng = random.Random(SEED)
    places = list[Place]()
    for number in range(ENVIRONMENTS):
        variables = environment(rng)
        fronts = (
            Front(
                incumbent=incumbent,
                variables=variables,
                path=base / f"{incumbent.name}{number}",
            )
            for incumbent in INCUMBENTS
        )
        policies = {
            compat: parse_policy({**variables, "COMPAT": compat})[0]
            for compat in ("", LINUXSERVER.name)
        }
        places.append(
            Place(variables=variables, fronts=tuple(fronts), policies=policies)
        )
    return places


async def serve(place: Place, engine: Path, nursery: trio.Nursery) -> Mapping[str, str]:
    """Start this proxy for each value of `COMPAT`; the addresses, by that value.

    It listens on TCP, as in its image: what a browser sends is judged there alone.
    """
    log = Log(Level.EMERG)
    addresses = dict[str, str]()
    for compat, policy in place.policies.items():
        config = Config(
            listen=(TcpAddress(host="127.0.0.1", port=0),),
            upstream=UnixAddress(path=str(engine)),
        )
        server = Server(config=config, gates={"": Gate.enforcing(policy)}, log=log)
        await nursery.start(server.run)
        (addresses[compat],) = server.addresses
    return addresses


async def run_all(places: list[Place], engine: Path) -> Outcome:
    """Send everything everywhere, and compare."""
    outcome = Outcome()
    rng = random.Random(SEED)
    for place in places:
        async with trio.open_nursery() as servers:
            proxies = await serve(place, engine, servers)
            todo = list(http_requests(rng))
            async with trio.open_nursery() as nursery:
                for number in range(AT_ONCE):
                    part = todo[number::AT_ONCE]
                    nursery.start_soon(work, place, proxies, part, outcome)
            servers.cancel_scope.cancel()
    return outcome


async def work(
    place: Place,
    proxies: Mapping[str, str],
    todo: list[HttpRequest],
    outcome: Outcome,
) -> None:
    """Have a few requests judged by all, and note what differs."""
    for sent in todo:
        outcome.requests += 1
        there = {
            one.incumbent.name: await reaches_engine(str(one.path), sent)
            for one in place.fronts
        }
        asked = [one.incumbent for one in place.fronts]
        for incumbent in asked:
            note_reading(outcome, place, incumbent, sent, there[incumbent.name])
        for compat, address in proxies.items():
            here = await reaches_engine(address, sent)
            # COMPAT is there to read a file for linuxserver as linuxserver does.
            for incumbent in (LINUXSERVER,) if compat else asked:
                outcome.judgements += 1
                if here != there[incumbent.name]:
                    note(outcome, place, compat, incumbent, sent, here=here)


def note_reading(
    outcome: Outcome, place: Place, incumbent: Incumbent, sent: HttpRequest, there: bool
) -> None:
    """Compare what HAProxy did with what our tables say it does."""
    # HAProxy too refuses an authority that is not the Host.
    raw = sent.target.removeprefix("http://docker").partition("?")[0]
    path = unquote(raw, "latin-1") if raw.startswith("/") else ""
    expected = incumbent.allows(place.variables, sent.method, path)
    if expected != there:
        outcome.misread.append(
            f"{incumbent.name} {sent}: {there}, by the table {expected}"
        )


def note(
    outcome: Outcome,
    place: Place,
    compat: str,
    incumbent: Incumbent,
    sent: HttpRequest,
    *,
    here: bool,
) -> None:
    """File a difference under its row, or under what must not be."""
    found = row_of(place, compat, sent)
    line = f"{incumbent.name} compat={compat} {sent} {dict(place.variables)}: {found}"
    if incumbent.name not in found.against or found.is_wider != here:
        outcome.unexplained.append(line)
        return
    if found.is_wider and not may_be_wider(found, place, compat, incumbent, sent):
        outcome.wider.append(line)
    outcome.rows[found.name, incumbent.name] += 1


def row_of(place: Place, compat: str, sent: HttpRequest) -> Difference:
    """Find the row that the table gives for a request on which the two differ."""
    if sent.method == "TRACE":
        return differences.METHODS
    try:
        request, decision = judge(place, compat, sent)
    except BadTarget:
        return differences.TARGETS
    if decision.allowed and sent.fields:
        return differences.FORMS if sent.body else differences.BROWSERS
    return classify(request.target.path, decision)


def judge(place: Place, compat: str, sent: HttpRequest) -> tuple[Request, Decision]:
    # What parse_request does before: the Host here is docker.
    origin_form = re.sub("(?i)^http://docker", "", sent.target)
    target = Target.parse(origin_form.encode("ascii"))
    request = Request(
        method=sent.method, target=target, endpoint=match(sent.method, target)
    )
    return request, place.policies[compat].decide(request)


def may_be_wider(
    row: Difference, place: Place, compat: str, incumbent: Incumbent, sent: HttpRequest
) -> bool:
    """Whether the file itself asks for it: a verb or `LIBPOD_*` at 1, or no word to linuxserver's own verbs."""
    request, decision = judge(place, compat, sent)
    if decision.reason is Reason.VERB:
        return place.variables[decision.rule] == "1"
    if row is differences.PODMAN_AT_1:
        return incumbent is TECNATIVA and speaks_of_podman(place.variables)
    unset = READ_VERBS.keys() - place.variables.keys()
    lifted = {**place.variables, **dict.fromkeys(unset, "1")}
    return (
        row is differences.UNSET_READ_VERBS
        and not compat
        and bool(unset)
        and incumbent.allows(lifted, sent.method, request.target.path)
    )


def haproxy_version() -> str:
    """As in `HAProxy version 3.0.11-1 2026/11/18`."""
    return subprocess.check_output(["haproxy", "-v"], text=True).split()[2]


@pytest.mark.slow
@pytest.mark.deep
async def test_each_row_occurs(
    sockets: Path, haproxy: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """Next to a real HAProxy nothing is wider or unexplained, and each row is seen, by the last of many environments."""
    places = place_all(sockets)
    engine = haproxy([front for place in places for front in place.fronts])
    with trio.fail_after(5 * PATIENCE):
        outcome = await run_all(places, engine)
    with capsys.disabled():
        sys.stdout.write(f"\n{outcome}\n")
    assert outcome.wider == []
    assert outcome.unexplained == []
    misread = outcome.misread
    if haproxy_version().startswith("2."):
        # The images have 3: it reads a path up to a NUL, where 2.8 matches nothing.
        misread = [line for line in misread if "%00" not in line]
    assert misread == []
    assert outcome.requests >= 300 * ENVIRONMENTS
    expected = {
        (row.name, name)
        for row in DIFFERENCES
        for name in row.against
        if row.name not in NOT_FROM_REQUESTS
    }
    assert outcome.rows.keys() <= expected
    assert outcome.rows.keys() == expected or not IS_DEEP


def test_the_rules_are_told_apart_by_incumbent() -> None:
    """The two configurations differ in the order of POST and verbs."""
    front = Front(incumbent=TECNATIVA, variables={}, path=Path("/t"))
    other = Front(incumbent=LINUXSERVER, variables={}, path=Path("/l"))
    text = configuration([front, other], Path("/e")).splitlines()
    verb = next(i for i, line in enumerate(text) if "T_ALLOW_START" in line)
    post = next(i for i, line in enumerate(text) if "T_POST" in line)
    assert post < verb
    verb = next(i for i, line in enumerate(text) if "L_ALLOW_START" in line)
    post = next(i for i, line in enumerate(text) if "L_POST" in line)
    assert verb < post
