"""Pairs of files by chance, one of them made of the other, and requests that both judge."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import trio

from tests import corpus
from tests.corpus import ITEMS, Variables
from tests.deciding import Door, written
from trioproxy.api import nodes
from trioproxy.api.families import OPERATIONS_VARIABLE
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.more import more
from trioproxy.judge.rules import Policy


def pair(chance: random.Random) -> tuple[Variables, Variables]:
    """A boundary, and a file that was made of it: narrowed here and there, and now and
    then widened."""
    outer = corpus.by_chance(chance)
    if chance.random() < 0.1:
        return outer, corpus.by_chance(chance)
    inner = dict(outer)
    for name in sorted(outer):
        if chance.random() < 0.4:
            _narrow(chance, inner, name)
    for name in chance.sample(sorted(ITEMS), 2):
        if chance.random() < 0.3:
            inner[name] = ITEMS[name][chance.randrange(len(ITEMS[name]))]
            if name.startswith("ONLY_"):
                inner["ONLY_OWNER"] = outer.get("ONLY_OWNER", "app")
    return outer, inner


def exact(chance: random.Random) -> Variables:
    """A file with a list of operations, of which every other one makes no containers."""
    while OPERATIONS_VARIABLE not in (found := corpus.by_chance(chance)):
        pass
    if chance.random() < 0.5:
        some = set(found[OPERATIONS_VARIABLE].split(",")) - {"ContainerCreate"}
        found[OPERATIONS_VARIABLE] = ",".join(sorted(some))
    return found


def _narrow(chance: random.Random, inner: Variables, name: str) -> None:
    value = inner[name]
    if name in ITEMS or name == OPERATIONS_VARIABLE:
        items = value.split(",") if value not in {"", "*"} else []
        kept = [one for one in items if chance.random() < 0.7]
        inner[name] = ",".join(kept)
        if value == "*" and name in ITEMS:
            inner[name] = ITEMS[name][0]
    elif value == "1":
        inner[name] = "0"


@dataclass(kw_only=True)
class Seen:
    """What came of pairs."""

    within: int = 0
    judged: int = 0
    passed: int = 0
    contradicted: list[str] = field(default_factory=list)
    """Requests that pass a file, and not the boundary that it is proven to be within.

    A boundary that packs what containers have in them reaches into none that makes nodes;
    a file within it that packs nothing need not care.
    """


REQUESTS = {
    name: written(line, body)
    for name, line, body in corpus.requests()
    # Its own mark may be given to a policy, and no other; none of them is a grant.
    if "trioproxy." not in f"{line}{body}"
}


def policy_of(variables: Mapping[str, str]) -> Policy:
    """The policy of some variables."""
    return parse_policy(variables)[0]


async def compare(
    seen: Seen, outer: Variables, inner: Variables, names: list[str]
) -> None:
    """Judge requests by a file and what it is held to be within."""
    gates = [Gate.enforcing(policy_of(one)) for one in (outer, inner)]
    boundary, file = (Door(gate=gate, own=corpus.OWN) for gate in gates)
    for name in names:
        seen.judged += 1
        if not (await file.ask(REQUESTS[name], corpus.WORLD)).allowed:
            continue
        seen.passed += 1
        seen.judged += 1
        there = await boundary.ask(REQUESTS[name], corpus.WORLD)
        if not there.allowed and not there.message.endswith(nodes.MAKE_IT_ANEW):
            seen.contradicted.append(f"{name}: {there.message}\n  {outer}\n  {inner}")


def judge(pairs: int, requests: int, seed: int) -> Seen:
    """Judge requests by pairs of which one is proven to be within the other."""
    chance, seen = random.Random(seed), Seen()
    for outer, inner in _within(chance, pairs, seen):
        names = chance.sample(sorted(REQUESTS), min(requests, len(REQUESTS)))
        trio.run(compare, seen, outer, inner, names)
    return seen


def _within(
    chance: random.Random, pairs: int, seen: Seen
) -> Iterator[tuple[Variables, Variables]]:
    for _ in range(pairs):
        outer, inner = pair(chance)
        if next(more(policy_of(outer), policy_of(inner)), None) is None:
            seen.within += 1
            yield outer, inner
