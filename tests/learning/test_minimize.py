from functools import cache
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.learning.minimize import (
    Price,
    is_openable,
    opened_operations,
    price,
    smallest_sections,
    unopenable,
    uses_of,
)
from trioproxy.policy.endpoints import OPERATIONS
from trioproxy.policy.incumbents import INCUMBENTS, VARIABLES
from trioproxy.policy.variables import SWITCHES

# What a client uses, and the variables at 1.
SMALLEST = [
    ("", ""),
    ("SystemPing", "PING"),
    ("SystemPingHead SystemVersion", "PING VERSION"),
    ("ContainerList SystemEvents", "CONTAINERS EVENTS"),
    ("ImageCreate", "IMAGES POST"),
    ("SystemAuth", "AUTH POST"),
    ("ContainerStart", "ALLOW_START POST"),
    ("ContainerRestart", "ALLOW_RESTARTS POST"),
    ("ContainerStop", "ALLOW_STOP POST"),
    ("ContainerStop ContainerKill", "ALLOW_RESTARTS POST"),
    ("ContainerStop ContainerStart", "ALLOW_START ALLOW_STOP POST"),
    ("ContainerList ContainerRestart", "CONTAINERS POST"),
    ("ContainerPause", "ALLOW_PAUSE POST"),
    ("ContainerPause ContainerUnpause", "ALLOW_PAUSE ALLOW_UNPAUSE POST"),
    ("ContainerKill", "ALLOW_RESTARTS POST"),
    ("ContainerExec", "CONTAINERS POST"),
    ("ContainerLogs", "ALLOW_LOGS CONTAINERS"),
    ("PutContainerArchive", "ALLOW_ARCHIVE CONTAINERS POST"),
    ("ContainerExec ExecStart", "CONTAINERS EXEC POST"),
    ("GET:/images/{x}/frob", "IMAGES"),
    ("POST:/containers/{x}/frob", "CONTAINERS POST"),
    ("DebugVars SystemOptions GET:/frob", ""),
]


@pytest.mark.parametrize(("granted", "ones"), SMALLEST, ids=lambda v: v or "nothing")
def test_smallest(granted: str, ones: str) -> None:
    """The variables at 1 are the fewest that let the client pass in both incumbents."""
    values = smallest_sections(granted.split())
    assert {name for name, value in values.items() if value == "1"} == {*ones.split()}
    assert values.keys() >= {*SWITCHES}
    assert set(values.values()) <= {"0", "1"}


def test_unopenable() -> None:
    """What no variable opens is named: routes without a section, and OPTIONS."""
    granted = ["GET:/frob", "SystemOptions", "DebugVars", "ContainerList", "NoSuch"]
    assert unopenable(granted) == ("DebugVars", "GET:/frob", "NoSuch", "SystemOptions")


def test_price() -> None:
    """The price counts what the laxer incumbent opens: attach over a WebSocket is a write."""
    assert price({"EVENTS": "0", "PING": "1", "VERSION": "0"}) == Price(
        operations=2, writes=0
    )
    values = {"CONTAINERS": "1", "EVENTS": "0", "PING": "0", "VERSION": "0"}
    opened = opened_operations(values)
    assert "ContainerArchive" in opened  # in tecnativa
    assert {name for name in opened if OPERATIONS[name][0].effect == "write"} == {
        "ContainerAttachWebsocket"
    }
    assert str(price(values)) == f"{len(opened)} operations, 1 of them writes"
    assert str(Price(operations=1, writes=0)) == "1 operation, 0 of them writes"


def passes(granted: list[str], ones: frozenset[str]) -> bool:
    values = {name: str(int(name in ones)) for name in VARIABLES}
    return all(
        one.allows(values, *use)
        for one in INCUMBENTS
        for item in granted
        for use in uses_of(item)
        if is_openable(use)
    )


@cache
def cost(ones: frozenset[str]) -> tuple[int, int, int, list[str]]:
    opened = price({name: str(int(name in ones)) for name in VARIABLES})
    return opened.writes, opened.operations - opened.writes, len(ones), sorted(ones)


names = st.sampled_from(sorted(OPERATIONS))


@given(st.lists(names, max_size=12))
def test_each_variable_is_needed(granted: list[str]) -> None:
    """What was granted passes in both, and with any 1 turned to 0 something is refused."""
    ones = frozenset(k for k, v in smallest_sections(granted).items() if v == "1")
    assert passes(granted, ones)
    assert not any(passes(granted, ones - {one}) for one in ones)


CONTAINER_NAMES = sorted(
    name for name, rows in OPERATIONS.items() if rows[0].section == "CONTAINERS"
)
SOME = [
    "CONTAINERS",
    "POST",
    *(name for name in VARIABLES if name.startswith("ALLOW_")),
]
SETS = [
    frozenset(c) for c in chain.from_iterable(combinations(SOME, n) for n in range(7))
]


@given(st.lists(st.sampled_from(CONTAINER_NAMES), min_size=1, max_size=4))
def test_no_cheaper_set_exists(granted: list[str]) -> None:
    """Of all sets of up to six variables, none that suffices is cheaper."""
    ones = frozenset(k for k, v in smallest_sections(granted).items() if v == "1")
    rivals = [s for s in SETS if len(s) <= len(ones) and cost(s) < cost(ones)]
    assert not any(passes(granted, rival) for rival in rivals)
