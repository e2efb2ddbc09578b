"""Values to items: what stays literal, what gets a hole, and what never does."""

import random
import uuid
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.learning.holes import Item, Seen, items_of
from trioproxy.limits.sorts import parse_pattern

BASE = "/home/me/app"
UUIDS = [str(uuid.UUID(int=number * 0x1234_5678_9ABC_DEF0_1357)) for number in (3, 5)]


def seen_in(runs: Iterable[Iterable[str]]) -> list[Seen]:
    """What the evidence of such runs says of each value."""
    sets = [frozenset(run) for run in runs]
    return [
        Seen(
            value,
            frozenset(str(number) for number, run in enumerate(sets) if value in run),
            missed=any(value not in run for run in sets),
        )
        for value in sorted(frozenset[str]().union(*sets))
    ]


def items(variable: str, *runs: Iterable[str]) -> list[Item]:
    return items_of(variable, seen_in(runs), base=BASE)


# Variable, what was asked for in each run, and the items.
CASES: list[tuple[str, list[list[str]], list[str]]] = [
    # What is the same in all runs, or was asked for in one alone, stays as it is.
    ("CREATE_BINDS", [["/srv/a", "/srv/b"], ["/srv/a", "/srv/b"]], ["/srv/a", "/srv/b"]),
    ("CREATE_BINDS", [["/tmp/tmpab12cd34", "/tmp/tmpzz99yy88"]], ["/tmp/tmpab12cd34", "/tmp/tmpzz99yy88"]),
    ("CREATE_BINDS", [["/srv/app-x1"], []], ["/srv/app-x1"]),
    # Temporary folders.
    ("CREATE_BINDS", [["/tmp/tmpab12cd34"], ["/tmp/tmpa9_81kq0"]], ["/tmp/tmp*{8}"]),
    ("CREATE_BINDS", [["/tmp/tmp.Ab12Cd34Ef"], ["/tmp/tmp.Axx2Cd34Eg"]], ["/tmp/tmp.*{10}"]),
    ("CREATE_BINDS", [["/tmp/tc-abcdef:ro"], ["/tmp/tc-abzzzz:ro"]], ["/tmp/tc-*{6}:ro"]),
    ("CREATE_BINDS", [["/tmp/a-1:ro"], ["/tmp/a-2"]], ["/tmp/a-1:ro", "/tmp/a-2"]),
    ("CREATE_BINDS", [["{base}/run-a7"], ["{base}/run-b9"]], ["{base}/run-*{2}"]),
    ("CREATE_BINDS", [["/tmp/s-ab.sock", "/tmp/s-cd.log"], ["/tmp/s-ef.sock"]], ["/tmp/s-*{2}.sock", "/tmp/s-cd.log"]),
    # A counter may have a digit more next time.
    ("CREATE_BINDS", [["/run/job-98"], ["/run/job-99"]], ["/run/job-*"]),
    ("CREATE_BINDS", [["/run/job1299"], ["/run/job1204"]], ["/run/job*"]),
    # Two kinds in one folder.
    ("CREATE_BINDS", [["/tmp/tmpab12cd34", "/tmp/test-1a"], ["/tmp/tmpa9_81kq0", "/tmp/test-2b"]], ["/tmp/test-*{2}", "/tmp/tmp*{8}"]),
    # Only the last segment, with something in front of it, and four characters in all.
    ("CREATE_BINDS", [["/tmp/tmpab12cd34/x"], ["/tmp/tmpa9_81kq0/x"]], ["/tmp/tmpa9_81kq0/x", "/tmp/tmpab12cd34/x"]),
    ("CREATE_BINDS", [["/tmp/ab12cd34"], ["/tmp/zb12cd34"]], ["/tmp/ab12cd34", "/tmp/zb12cd34"]),
    ("CREATE_BINDS", [["/a-1"], ["/a-2"]], ["/a-1", "/a-2"]),
    ("CREATE_BINDS", [["/tmp/x%20ab1"], ["/tmp/x%20ab2"]], ["/tmp/x%20ab*"]),
    ("CREATE_BINDS", [["/tmp/run-a%20b"], ["/tmp/run-c%20d"]], ["/tmp/run-a%20b", "/tmp/run-c%20d"]),
    # Never where root is.
    ("CREATE_BINDS", [["/root/tmp-a"], ["/root/tmp-b"]], ["/root/tmp-a", "/root/tmp-b"]),
    ("CREATE_BINDS", [["/var/lib/doc1"], ["/var/lib/doc2"]], ["/var/lib/doc1", "/var/lib/doc2"]),
    ("CREATE_BINDS", [["/home/user1"], ["/home/user2"]], ["/home/user1", "/home/user2"]),
    ("CREATE_BINDS", [["/var/run/dock1"], ["/var/run/dock2"]], ["/var/run/dock1", "/var/run/dock2"]),
    # Images, and their tags.
    ("CREATE_TAGS", [["app:3fa8b21"], ["app:9fa8b2c"]], ["app:*{7}"]),
    ("CREATE_TAGS", [[f"app-{UUIDS[0]}:latest"], [f"app-{UUIDS[1]}:latest"]], ["app-*{36}:latest"]),
    ("CREATE_IMAGES", [["acme/test_ab1:1"], ["acme/test_cd2:1"]], ["acme/test_*{3}:1"]),
    ("CREATE_IMAGES", [["ab:1a"], ["ab:2b"]], ["ab:1a", "ab:2b"]),
    ("PULL_IMAGES", [["src:http%3A//h/a1"], ["src:http%3A//h/a2"]], ["src:http%3A//h/a1", "src:http%3A//h/a2"]),
    # Ports that a client found free; others are its own choice.
    ("CREATE_PORTS", [["127.0.0.1:40001"], ["127.0.0.1:50002"]], ["127.0.0.1:random"]),
    ("CREATE_PORTS", [["40001/udp", "8080"], ["50002/udp", "8081"]], ["8080", "8081", "random/udp"]),
    ("CREATE_PORTS", [["[::1]:40001"], ["[::1]:50002"]], ["[::1]:random"]),
    ("CREATE_PORTS", [["40001"], ["127.0.0.1:50002"]], ["127.0.0.1:50002", "40001"]),
    # Words are words.
    ("CREATE_CAPS", [["NET_ADMIN"], ["NET_RAW"]], ["NET_ADMIN", "NET_RAW"]),
    ("EXEC_COMMANDS", [["/tmp/job-ab.sh", "sh"], ["/tmp/job-cd.sh", "sh"]], ["/tmp/job-*{2}.sh", "sh"]),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "runs", "wanted"), CASES)
def test_values_become_items(
    variable: str, runs: list[list[str]], wanted: list[str]
) -> None:
    """What was equal in all runs is literal; what varied gets a hole where it is safe."""
    assert [one.text for one in items(variable, *runs)] == wanted


def test_an_item_knows_its_values() -> None:
    """A hole is told by the values that it stands for."""
    (found,) = items("CREATE_BINDS", ["/tmp/tmpab12cd34"], ["/tmp/tmpa9_81kq0"])
    assert found.is_hole
    assert found.values == {"/tmp/tmpab12cd34", "/tmp/tmpa9_81kq0"}
    (found,) = items("CREATE_BINDS", ["/srv"])
    assert not found.is_hole


NAMES = st.text("ab1-_.", min_size=1, max_size=5).filter(lambda name: name.strip("."))
PATHS = st.builds("/{}/{}{}".format, st.sampled_from(["tmp", "srv/x"]), NAMES, st.sampled_from(["", ":ro"]))  # fmt: skip
TAGS = st.builds("acme/{}:{}".format, st.text("ab1", min_size=1, max_size=4), st.text("ab1", min_size=1, max_size=4))  # fmt: skip
PORTS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "127.0.0.1:"]),
    st.sampled_from([80, 40_000, 40_001, 50_000]),
)
KINDS = {"CREATE_BINDS": PATHS, "CREATE_TAGS": TAGS, "CREATE_PORTS": PORTS}
RUNS = st.sampled_from(sorted(KINDS)).flatmap(
    lambda variable: st.tuples(
        st.just(variable),
        st.lists(st.frozensets(KINDS[variable], max_size=4), max_size=5),
    )
)


def allowed(variable: str, runs: Iterable[Iterable[str]], values: Iterable[str]) -> set[str]:  # fmt: skip
    found = items_of(variable, seen_in(runs), base=BASE)
    patterns = [parse_pattern(variable, one.text, base=BASE) for one in found]
    return {one for one in values if any(each.fits(one) for each in patterns)}


@given(RUNS)
def test_what_was_asked_for_is_listed(case: tuple[str, list[frozenset[str]]]) -> None:
    """The items of a variable fit every value that they were made of."""
    variable, runs = case
    values = frozenset[str]().union(*runs)
    assert allowed(variable, runs, values) == values


@given(RUNS, st.integers(0, 2**32))
def test_one_more_run_never_lists_less(
    case: tuple[str, list[frozenset[str]]], seed: int
) -> None:
    """Whatever some runs list, they list with one more run beside them."""
    variable, runs = case
    chance = random.Random(seed)
    tries = {_like(value, chance) for run in runs for value in run for _ in range(20)}
    fewer = allowed(variable, runs[:-1], tries)
    assert fewer <= allowed(variable, runs, tries)


def _like(value: str, chance: random.Random) -> str:
    """Another value that looks like this one: some characters are others, or more."""
    letters = [chance.choice("ab1x-_") if one in "ab1-_" and chance.random() < 0.5 else one for one in value]  # fmt: skip
    if chance.random() < 0.3 and not value.endswith(":ro"):
        letters.append(chance.choice("ab1"))
    return "".join(letters)
