"""A body at its bounds is read in steps, and none of them is long.

What is counted is work and not time: every call of a function, Python's or C's, between
two points at which others have their turn. What C does in one call is bounded by bytes.
"""

import json
import sys
from types import FrameType
from typing import Any, Final

import pytest

from tests.limits.arguing import limits
from trioproxy.api.arguments import MOST_ITEMS, Given
from trioproxy.api.fields import ARGUED
from trioproxy.api.reading import MOST_ARGUMENTS, Asked, asking
from trioproxy.config import DEFAULT_MAX_BODY
from trioproxy.errors import BadRequest
from trioproxy.http import jsonbody
from trioproxy.http.jsonbody import MOST_VALUES
from trioproxy.limits.limit import Limits
from trioproxy.steps import Result, Steps

CALLS: Final = 45_000
"""Of one step: on the machine that this was written on some 3 ms."""
CALLS_A_VALUE: Final = 5
"""Of the one step that cannot be divided: C decodes, and looks at each object and number."""

LONG = "x" * (DEFAULT_MAX_BODY // MOST_VALUES - 16)


def host(**fields: object) -> dict[str, Any]:
    return {"HostConfig": fields}


def named(count: int, value: object) -> dict[str, Any]:
    return {f"n{number}": value for number in range(count)}


WORST: dict[str, dict[str, Any]] = {
    "environment": {"Env": [f"A={LONG}"] * (MOST_VALUES - 9)},
    "stars": {"Env": ["A"] * (MOST_VALUES - 9)},
    "labels": {"Labels": named(MOST_VALUES - 9, "")},
    "volumes": {"Volumes": named(MOST_VALUES // 2 - 9, {})},
    "volumes with colons": {"Volumes": {f"n{at}:/x": {} for at in range(MOST_ITEMS)}},
    "named volumes": host(Binds=[f"n{at}:/x" for at in range(MOST_ITEMS)]),
    "shared volumes": host(Binds=["n:/x:ro,z"] * MOST_ITEMS),
    "binds": host(Binds=["/srv/app/:/x:ro"] * MOST_ITEMS),
    "mounts": host(Mounts=[{"Type": "volume", "Source": "a", "Target": "/x", "BindOptions": {}}] * MOST_ITEMS),
    "structs": host(Ulimits=[{}] * (MOST_VALUES // 2 - 9)),
    "names": host(Ulimits=[{"Name": "a", "Soft": 1}] * (MOST_VALUES // 3 - 9)),
    "volume drivers": host(Mounts=[{"VolumeOptions": {"DriverConfig": {"Options": {"size": ""}}}}] * 1_000),
    "endpoints": {"NetworkingConfig": {"EndpointsConfig": named(MOST_VALUES // 8, {"Links": [], "Aliases": ["a"], "DriverOpts": {}})}},
    "ports": host(PortBindings={f"{port}/tcp": [{"HostPort": "80"}] for port in range(3_000)}),
    "unknown names": host(**named(1_800, 1)),
    "unknown empty names": host(**named(MOST_VALUES - 9, 0)),
    "an unknown field": {"New": {"x": named(MOST_VALUES // 2 - 9, {})}},
    "capabilities": host(CapAdd=["chown"] * MOST_ITEMS),
    "settings": host(Sysctls={f"net.a{at}": "1" for at in range(MOST_ITEMS)}),
    "file systems in memory": host(Tmpfs={f"/a{at}": "rw,noexec" for at in range(MOST_ITEMS)}),
    "one text": {"Env": ["x" * (DEFAULT_MAX_BODY - 999)]},
    "commas in one text": host(Tmpfs={"/a": "," * (DEFAULT_MAX_BODY - 999)}),
    "slashes in one text": host(Mounts=[{"Type": "bind", "Source": "/a" * (DEFAULT_MAX_BODY // 3)}]),
    "colons in one text": host(Binds=[":" * (DEFAULT_MAX_BODY - 999)]),
    "too many": host(Binds=["n:/x"] * (MOST_VALUES - 9)),
    "too much": host(Binds=[f"/{'a' * 200}{at}:/x" for at in range(MOST_ARGUMENTS // 100)]),
}  # fmt: skip
"""Bodies that hold as much as may be, of what is looked at one by one."""

LIMITS = limits(
    {"CREATE_BINDS": ",".join(f"/srv/app{at}" for at in range(200)) + ",/srv/app:ro,/srv/app"}
    | {"CREATE_PORTS": "1-65535", "CREATE_OPTIONS": "*", "CREATE_IMAGES": "*"}
)  # fmt: skip


class Counter:
    """Counts calls while it is set as the profiler."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, _: FrameType, event: str, __: object) -> None:
        self.calls += event in {"call", "c_call"}

    def each(self, steps: Steps[Result]) -> tuple[list[int], Result | None]:
        """Run steps to their end, or up to a refusal; the calls of each, and the result."""
        counts = list[int]()
        before = sys.getprofile()
        sys.setprofile(self)
        try:
            while True:
                self.calls = 0
                try:
                    next(steps)
                except StopIteration as done:
                    return [*counts, self.calls], done.value
                except BadRequest:
                    return [*counts, self.calls], None
                counts.append(self.calls)
        finally:
            sys.setprofile(before)


def deciding(own: Limits, asked: Asked) -> Steps[object]:
    """The one step in which what is asked for is compared with lists."""
    yield from ()
    return own.refuses("ContainerCreate", asked)


@pytest.mark.parametrize("body", WORST.values(), ids=WORST)
def test_no_step_is_long(body: dict[str, Any]) -> None:
    """Whatever a body is full of: parsing, reading, judging and comparing give way."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    assert len(raw) <= DEFAULT_MAX_BODY
    counter = Counter()
    counts, value = counter.each(jsonbody.parsing(raw))
    assert len(counts) >= 5
    decoding = max(counts)
    assert decoding <= CALLS_A_VALUE * MOST_VALUES
    assert sum(counts) - decoding <= CALLS
    request = Given(operation=ARGUED["ContainerCreate"], path="", body=value)
    counts, asked = counter.each(asking(request))
    assert max(counts) <= CALLS, counts
    if asked is not None:
        counts, _ = counter.each(deciding(LIMITS, asked))
        assert max(counts) <= CALLS


TURNS: dict[str, tuple[dict[str, Any], int]] = {
    "a few": (host(Binds=["/srv/app:/x"], Ulimits=[{"Name": "a"}]), 0),
    "structs": (host(Ulimits=[{}] * 5_120), 10),
    "names": (host(**named(5_120, 0)), 10),
    "arguments": ({"Env": ["A*"] * 2_560}, 5),
}


@pytest.mark.parametrize(("body", "turns"), TURNS.values(), ids=TURNS)
def test_how_often_others_have_their_turn(body: dict[str, Any], turns: int) -> None:
    """After 512 structs and names, or arguments: no later, and no sooner, for a turn is work."""
    request = Given(operation=ARGUED["ContainerCreate"], path="", body=body)
    assert sum(1 for _ in asking(request)) == turns


def test_work_is_seen() -> None:
    """The counter counts: more work has more calls, and work in steps has them apart."""
    few, _ = Counter().each(jsonbody.parsing(b'{"a":[{},{}]}'))
    many, _ = Counter().each(jsonbody.parsing(b'{"a":[' + b"{}," * 999 + b"{}]}"))
    assert max(many) > 100 * max(few) / 10
    assert len(many) == len(few) + 1
