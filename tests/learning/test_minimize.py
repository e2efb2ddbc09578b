from functools import cache
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.routes import OPERATIONS
from trioproxy.file.incumbents import (
    INCUMBENTS,
    LINUXSERVER,
    TECNATIVA,
    VARIABLES,
    Incumbent,
)
from trioproxy.learning.minimize import (
    Price,
    opened_operations,
    price,
    price_of,
    smallest_sections,
    unopenable,
    uses_of,
)

each_incumbent = pytest.mark.parametrize(
    "incumbent", INCUMBENTS, ids=lambda one: one.name
)

# What a client uses, and the variables at 1: in tecnativa, and in linuxserver.
SMALLEST = [
    ("", "", ""),
    ("SystemPing", "PING", "PING"),
    ("SystemPingHead SystemVersion", "PING VERSION", "PING VERSION"),
    ("ContainerList SystemEvents", "CONTAINERS EVENTS", "CONTAINERS EVENTS"),
    ("ImageCreate", "IMAGES POST", "IMAGES POST"),
    ("SystemAuth", "AUTH POST", "AUTH POST"),
    ("ContainerStart", "ALLOW_START POST", "ALLOW_START"),
    ("ContainerRestart", "ALLOW_RESTARTS POST", "ALLOW_RESTARTS"),
    ("ContainerStop", "ALLOW_STOP POST", "ALLOW_STOP"),
    ("ContainerStop ContainerKill", "ALLOW_RESTARTS POST", "ALLOW_RESTARTS"),
    ("ContainerStop ContainerStart", "ALLOW_START ALLOW_STOP POST", "ALLOW_START ALLOW_STOP"),
    ("ContainerList ContainerRestart", "CONTAINERS POST", "ALLOW_RESTARTS CONTAINERS"),
    ("ContainerPause", "ALLOW_PAUSE POST", "ALLOW_PAUSE"),
    ("ContainerPause ContainerUnpause", "ALLOW_PAUSE ALLOW_UNPAUSE POST", "ALLOW_PAUSE ALLOW_UNPAUSE"),
    ("ContainerKill", "ALLOW_RESTARTS POST", "ALLOW_RESTARTS"),
    ("ContainerExec", "CONTAINERS POST", "CONTAINERS POST"),
    ("ContainerLogs", "CONTAINERS", "ALLOW_LOGS CONTAINERS"),
    ("PutContainerArchive", "CONTAINERS POST", "ALLOW_ARCHIVE CONTAINERS POST"),
    ("ContainerExec ExecStart", "CONTAINERS EXEC POST", "CONTAINERS EXEC POST"),
    ("GET:/images/{x}/frob", "IMAGES", "IMAGES"),
    ("POST:/containers/{x}/frob", "CONTAINERS POST", "CONTAINERS POST"),
    ("LibpodPodList", "", "LIBPOD_PODS"),
    ("DebugVars SystemOptions GET:/frob", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("granted", "tecnativa", "linuxserver"), SMALLEST, ids=lambda v: v or "nothing"
)
def test_smallest(granted: str, tecnativa: str, linuxserver: str) -> None:
    """The variables at 1 are the fewest that let the client pass; all others are told at 0."""
    for incumbent, ones in ((TECNATIVA, tecnativa), (LINUXSERVER, linuxserver)):
        values = smallest_sections(granted.split(), incumbent)
        assert {name for name, value in values.items() if value == "1"} == {
            *ones.split()
        }
        assert tuple(values) == incumbent.variables()
        assert set(values.values()) <= {"0", "1"}


def test_unopenable() -> None:
    """What no variable opens is named: routes without a section, and OPTIONS."""
    granted = ["GET:/frob", "SystemOptions", "DebugVars", "ContainerList", "NoSuch"]
    closed = ("DebugVars", "GET:/frob", "NoSuch", "SystemOptions")
    assert unopenable(granted, TECNATIVA) == closed
    assert unopenable(["LibpodPodList"], TECNATIVA) == ("LibpodPodList",)
    assert unopenable(["LibpodPodList"], LINUXSERVER) == ()


def test_price() -> None:
    """The price counts what the laxer incumbent opens: attach over a WebSocket is a write."""
    assert price({"EVENTS": "0", "PING": "1", "VERSION": "0"}, INCUMBENTS) == Price(
        operations=2, writes=0
    )
    values = {"CONTAINERS": "1", "EVENTS": "0", "PING": "0", "VERSION": "0"}
    opened = opened_operations(values, INCUMBENTS)
    assert "ContainerArchive" in opened  # in tecnativa
    assert {name for name in opened if OPERATIONS[name][0].effect == "write"} == {
        "ContainerAttachWebsocket"
    }
    assert (
        str(price(values, INCUMBENTS)) == f"{len(opened)} operations, 1 of them writes"
    )
    assert price_of(["ContainerList"], TECNATIVA) == price(values, [TECNATIVA])
    assert str(Price(operations=1, writes=0)) == "1 operation, 0 of them writes"


def passes(granted: list[str], ones: frozenset[str], incumbent: Incumbent) -> bool:
    values = {name: str(int(name in ones)) for name in VARIABLES}
    return all(
        incumbent.allows(values, *use)
        for item in granted
        for use in uses_of(item)
        if incumbent.can_allow(*use)
    )


def ones_of(granted: list[str], incumbent: Incumbent) -> frozenset[str]:
    values = smallest_sections(granted, incumbent)
    return frozenset(name for name, value in values.items() if value == "1")


@cache
def cost(ones: frozenset[str], incumbent: Incumbent) -> tuple[int, int, int, list[str]]:
    opened = price({name: str(int(name in ones)) for name in VARIABLES}, [incumbent])
    return opened.writes, opened.operations - opened.writes, len(ones), sorted(ones)


names = st.sampled_from(sorted(OPERATIONS))


@each_incumbent
@given(st.lists(names, max_size=12))
def test_each_variable_is_needed(incumbent: Incumbent, granted: list[str]) -> None:
    """What was granted passes, and with any 1 turned to 0 something of it is refused."""
    ones = ones_of(granted, incumbent)
    assert passes(granted, ones, incumbent)
    assert not any(passes(granted, ones - {one}, incumbent) for one in ones)


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


@each_incumbent
@given(st.lists(st.sampled_from(CONTAINER_NAMES), min_size=1, max_size=4))
def test_no_cheaper_set_exists(incumbent: Incumbent, granted: list[str]) -> None:
    """Of all sets of up to six variables, none that suffices is cheaper."""
    ones = ones_of(granted, incumbent)
    least = cost(ones, incumbent)
    rivals = [s for s in SETS if len(s) <= len(ones) and cost(s, incumbent) < least]
    assert not any(passes(granted, rival, incumbent) for rival in rivals)
