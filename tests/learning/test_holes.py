"""Values to items: what stays literal, what gets a hole, and what never does."""

import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.learning.shapes import CHOSEN, SHAPES, WORDS, Shape
from trioproxy.api.families import Places
from trioproxy.learning.holes import Item, Value, items_of
from trioproxy.limits.sorts import parse_pattern

BASE = "/home/me/app"
PAIRS = by_depth(1_000, 5_000)


def seen_in(runs: Iterable[Iterable[str]]) -> list[Value]:
    """What the evidence of such runs says of each value."""
    sets = [frozenset(run) for run in runs]
    return [
        Value(
            value,
            frozenset(str(number) for number, run in enumerate(sets) if value in run),
            missed=any(value not in run for run in sets),
        )
        for value in sorted(frozenset[str]().union(*sets))
    ]


def items(variable: str, *runs: Iterable[str]) -> list[Item]:
    return items_of(variable, seen_in(runs), places=Places(BASE))


# Variable, what was asked for in each run, and the items.
CASES: list[tuple[str, list[list[str]], list[str]]] = [
    # What is the same in all runs, or was asked for in one alone, stays as it is.
    ("CREATE_BINDS", [["/srv/a", "/srv/b"], ["/srv/a", "/srv/b"]], ["/srv/a", "/srv/b"]),
    ("CREATE_BINDS", [["/srv/x1", "/srv/x2"], ["/srv/x1", "/srv/x2"]], ["/srv/x1", "/srv/x2"]),
    ("CREATE_BINDS", [["/tmp/tmpab12cd34", "/tmp/tmpzz99yy88"]], ["/tmp/tmpab12cd34", "/tmp/tmpzz99yy88"]),
    ("CREATE_BINDS", [["/srv/app-x1"], []], ["/srv/app-x1"]),
    # What else was asked for has a part in it where the item fits it.
    ("CREATE_BINDS", [["/srv/x1", "/srv/x2"], ["/srv/x1", "/srv/x3"]], ["/srv/x{num}"]),
    # Two kinds in one folder, two folders of one kind, and words beside them.
    ("CREATE_BINDS", [["/tmp/tmpab12cd34", "/tmp/test-17"], ["/tmp/tmpa9_81kq0", "/tmp/test-9"]], ["/tmp/test-{num}", "/tmp/tmp{rand8}"]),
    ("CREATE_BINDS", [["/tmp/p-1/a", "/tmp/p-1/b"], ["/tmp/p-2/a", "/tmp/p-2/b"]], ["/tmp/p-{num}/a", "/tmp/p-{num}/b"]),
    ("CREATE_BINDS", [["/tmp/p1/x-7", "/tmp/p2/x-7"], ["/tmp/p1/x-8", "/tmp/p2/x-8"]], ["/tmp/p1/x-{num}", "/tmp/p2/x-{num}"]),
    ("CREATE_BINDS", [["/tmp/a-1:ro"], ["/tmp/a-2"]], ["/tmp/a-1:ro", "/tmp/a-2"]),
    ("CREATE_BINDS", [["/srv/j/17/in", "/srv/j/17/out"], ["/srv/j/18/in"]], ["/srv/j/17/out", "/srv/j/{num}/in"]),
    ("CREATE_BINDS", [["/tmp/s-31.sock", "/tmp/s-32.log"], ["/tmp/s-33.sock"]], ["/tmp/s-32.log", "/tmp/s-{num}.sock"]),
    # Hex digits and letters of one length, by what all of them are.
    ("CREATE_BINDS", [["/tmp/x-ab12cd34"], ["/tmp/x-zz99yy88"]], ["/tmp/x-{rand8}"]),
    ("CREATE_BINDS", [["/tmp/x-ab12cd34"], ["/tmp/x-ef99aa88"]], ["/tmp/x-{hex8}"]),
    ("CREATE_BINDS", [["/tmp/x-ab12c"], ["/tmp/x-zz99y"]], ["/tmp/x-ab12c", "/tmp/x-zz99y"]),
    ("CREATE_BINDS", [["/tmp/x-ab12cd34"], ["/tmp/x-zz99yy8"]], ["/tmp/x-ab12cd34", "/tmp/x-zz99yy8"]),
    # A name that two runs have was not made up for one.
    ("CREATE_BINDS", [["/tmp/x-zz12cd34"], ["/tmp/x-zz12cd34", "/tmp/x-zz99yy88"], []], ["/tmp/x-zz12cd34", "/tmp/x-zz99yy88"]),
    # Where nothing stands in front of it, in any segment but the first.
    ("CREATE_BINDS", [["/tmp/ab12cd34"], ["/tmp/zb98yx76"]], ["/tmp/{rand8}"]),
    ("CREATE_BINDS", [["/a-1"], ["/a-2"]], ["/a-1", "/a-2"]),
    ("CREATE_BINDS", [["/a-1/x"], ["/a-2/x"]], ["/a-1/x", "/a-2/x"]),
    # Two runs of one day: what varies tells that the date, and the hour, will tomorrow.
    ("CREATE_BINDS", [["/tmp/d20261127-4711-k3w9xq"], ["/tmp/d20261127-4900-8d2m7z"]], ["/tmp/d{date}-{num}-{rand6}"]),
    ("CREATE_BINDS", [["/srv/b/2026-11-27T11-02-05Z"], ["/srv/b/2026-11-27T11-02-59Z"]], ["/srv/b/{date}T{num}-{num}-{num}Z"]),
    ("CREATE_BINDS", [["/srv/b/2026-11-27/run-17"], ["/srv/b/2026-11-27/run-18"]], ["/srv/b/{date}/run-{num}"]),
    ("CREATE_TAGS", [["acme/app:20261127.1"], ["acme/app:20261127.2"]], ["acme/app:{date}.{num}"]),
    ("CREATE_BINDS", [["/srv/v-20261127/x-17"], ["/srv/v-20261127/x-18"]], ["/srv/v-20261127/x-{num}"]),
    ("CREATE_BINDS", [["/srv/x-17/2026-11-27"], ["/srv/x-18/2026-11-27"]], ["/srv/x-{num}/2026-11-27"]),
    ("CREATE_BINDS", [["/srv/2026-11-27-prod/x"], ["/srv/2026-11-27-test/x"]], ["/srv/2026-11-27-prod/x", "/srv/2026-11-27-test/x"]),
    # Never where root is.
    ("CREATE_BINDS", [["/root/tmp-1"], ["/root/tmp-2"]], ["/root/tmp-1", "/root/tmp-2"]),
    ("CREATE_BINDS", [["/var/ab12c9"], ["/var/xy99z1"]], ["/var/{rand6}"]),
    ("CREATE_BINDS", [["/var/lib/ab12c9"], ["/var/lib/xy99z1"]], ["/var/lib/ab12c9", "/var/lib/xy99z1"]),
    ("CREATE_BINDS", [["/home/user1"], ["/home/user2"]], ["/home/user1", "/home/user2"]),
    ("CREATE_BINDS", [["/var/run/ab12c9"], ["/var/run/xy99z1"]], ["/var/run/ab12c9", "/var/run/xy99z1"]),
    # Nor an Engine's socket, of which each is a line of its own.
    ("CREATE_BINDS", [["/tmp/ab12cd/docker.sock"], ["/tmp/xy99z1/docker.sock"]], ["/tmp/ab12cd/docker.sock", "/tmp/xy99z1/docker.sock"]),
    ("CREATE_BINDS", [["/srv/p12/docker.sock:ro", "/srv/p12/x"], ["/srv/p13/docker.sock:ro", "/srv/p13/x"]], ["/srv/p12/docker.sock:ro", "/srv/p13/docker.sock:ro", "/srv/p{num}/x"]),
    # Of what is not pulled the registry stays, and of what is, whose it is.
    ("CREATE_TAGS", [["reg/run-1723/app:x"], ["reg/run-1844/app:x"]], ["reg/run-{num}/app:x"]),
    ("PULL_IMAGES", [["reg/run-1723/app:x"], ["reg/run-1844/app:x"]], ["reg/run-1723/app:x", "reg/run-1844/app:x"]),
    # An image that Compose named by its project is another's with another project.
    ("CREATE_IMAGES", [["{project}-web:3fa8b21c"], ["{project}-web:9ab12cd3"]], ["{project}-web:{hex8}"]),
    ("CREATE_IMAGES", [["{project}-3fa8b21c:x"], ["{project}-9ab12cd3:x"]], ["{project}-{hex8}:x"]),
    # Ports that a client found free, and those of a range that it goes through.
    ("CREATE_PORTS", [["127.0.0.1:40001"], ["127.0.0.1:50002"]], ["127.0.0.1:random"]),
    ("CREATE_PORTS", [["40001/udp", "8080"], ["50002/udp", "8081"]], ["8080-8081", "random/udp"]),
    ("CREATE_PORTS", [["8000", "9000"], ["8050", "9000"]], ["8000-8050", "9000"]),
    ("CREATE_PORTS", [["8000", "9000"], ["8001", "9001"]], ["8000-8001", "9000-9001"]),
    ("CREATE_PORTS", [["8000"], ["8100"]], ["8000", "8100"]),
    ("CREATE_PORTS", [["80"], ["81"]], ["80", "81"]),
    ("CREATE_PORTS", [["[::1]:40001"], ["[::1]:50002"]], ["[::1]:random"]),
    ("CREATE_PORTS", [["40001"], ["127.0.0.1:50002"]], ["127.0.0.1:50002", "40001"]),
    # Subnets that were free.
    ("CREATE_OPTIONS", [["NetworkCreate:IPAM.Config.Subnet=172.20.0.0/16"], ["NetworkCreate:IPAM.Config.Subnet=172.21.0.0/16"]], ["NetworkCreate:IPAM.Config.Subnet=172.*.*.*/16"]),
    ("CREATE_OPTIONS", [["NetworkCreate:IPAM.Config.Subnet=fd12%3A3%3A%3A/64"], ["NetworkCreate:IPAM.Config.Subnet=fd12%3Ac4%3A%3A/64"]], ["NetworkCreate:IPAM.Config.Subnet=fd12%3A*%3A%3A/64"]),
    ("CREATE_OPTIONS", [["NetworkCreate:IPAM.Config.Subnet=169.254.1.0/24"], ["NetworkCreate:IPAM.Config.Subnet=169.254.2.0/24"]], ["NetworkCreate:IPAM.Config.Subnet=169.254.1.0/24", "NetworkCreate:IPAM.Config.Subnet=169.254.2.0/24"]),
    ("CREATE_OPTIONS", [["NetworkCreate:IPAM.Config.Subnet=172.20.0.0/16"]], ["NetworkCreate:IPAM.Config.Subnet=172.20.0.0/16"]),
]  # fmt: skip


@pytest.mark.parametrize(("variable", "runs", "wanted"), CASES)
def test_values_become_items(
    variable: str, runs: list[list[str]], wanted: list[str]
) -> None:
    """What was equal in all runs is literal; what varied gets a hole where it is safe."""
    assert [one.text for one in items(variable, *runs)] == wanted


def test_the_page_shows_what_is_learned() -> None:
    """The table of docs/learning.md, read as it stands, comes out of these runs."""
    page = (Path(__file__).parents[2] / "docs" / "learning.md").read_text()
    table = page.partition("|first run|second run|")[2].partition("\n\n")[0]
    rows = [re.findall("`([^`]+)`", row) for row in table.splitlines()[2:]]
    assert len(rows) == 5
    for *made, wanted in rows[:4]:
        variable = "CREATE_BINDS" if made[0].startswith("/") else "CREATE_IMAGES"
        assert [one.text for one in items(variable, *([one] for one in made))] == [
            wanted
        ]
    one, tag, other, name = rows[4]
    assert not any(item.is_hole for item in items("CREATE_BINDS", [one], [other]))
    assert not any(item.is_hole for item in items("CREATE_IMAGES", [tag], [name]))


def test_there_are_shapes_enough() -> None:
    """The table has more than sixty rows, no two alike, and forty pairs of words."""
    assert len({one.maker for one in SHAPES}) == len(SHAPES) >= 60
    assert len(WORDS) >= 40


@pytest.mark.parametrize("shape", SHAPES, ids=lambda one: one.tool)
def test_a_shape_is_learned_from_two_runs(shape: Shape) -> None:
    """What a tool made up twice passes as it makes it up the third and the tenth time."""
    chance = random.Random(shape.tool)
    first, second, third, *more = (shape.name(chance) for _ in range(10))
    (found,) = items(shape.variable, [first], [second])
    assert found.text == shape.item
    fits = parse_pattern(shape.variable, found.text, places=Places(BASE)).fits
    assert fits(third.replace("{base}", BASE))
    assert fits(more[-1].replace("{base}", BASE))


HOLE = re.compile(r"\{(?!base)[a-z]+([0-9]*)\}")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda one: one.tool)
def test_nothing_else_passes_through_it(shape: Shape) -> None:
    """Another length, a folder above or below, and what has other marks are refused."""
    fits = parse_pattern(shape.variable, shape.item, places=Places(BASE)).fits
    for hole in HOLE.finditer(shape.item):
        size = int(hole[1] or 0)
        others = [
            "",
            ".",
            "..",
            "a-b",
            "x/y",
            "x%20y",
            "a" * (size + 1),
            "a" * (size - 1),
        ]
        for other in others if size else [*others[:6], "prod", "x"]:
            value = shape.item[: hole.start()] + other + shape.item[hole.end() :]
            value = HOLE.sub("1" * 8, value).replace("{base}", BASE)
            assert not fits(value), value


@pytest.mark.parametrize(
    ("variable", "one", "other"), WORDS, ids=[" ".join(row) for row in WORDS]
)
def test_words_stay_words(variable: str, one: str, other: str) -> None:
    """Two values that a person chose are two items, in either order."""
    assert [item.text for item in items(variable, [one], [other])] == sorted([one, other])  # fmt: skip
    assert [item.text for item in items(variable, [other], [one])] == sorted([one, other])  # fmt: skip


def _chosen(chance: random.Random) -> Iterator[tuple[str, str, str]]:
    """Pairs of names in one place of which each is made of words."""
    places = [
        ("CREATE_BINDS", "/srv/{}"), ("CREATE_BINDS", "/srv/{}/data"), ("CREATE_BINDS", "/home/me/app-{}:ro"),
        ("CREATE_BINDS", "{{base}}/{}"), ("CREATE_TAGS", "acme/{}:1"), ("CREATE_IMAGES", "acme/app:{}"),
        ("CREATE_BINDS", "/tmp/customer_{}"), ("EXEC_COMMANDS", "/opt/{}"), ("PULL_IMAGES", "app:{}-slim"),
    ]  # fmt: skip
    forms = [
        *("{0}", "{0}-{1}", "{0}_{1}", "{0}.{1}", "{0}{1}", "{0}2", "{0}_{1}3"),
        *(
            "{0}_a",
            "{0}A",
            "{0}_v1",
            "{0}2{1}",
            "k8s{0}",
            "3{0}",
            "_{0}",
            "{0}_1b",
            "x_{0}",
        ),
    ]
    while True:
        variable, place = chance.choice(places)
        form = chance.choice(forms)
        one, other = (form.format(*pair) for pair in (chance.sample(CHOSEN, 2), chance.sample(CHOSEN, 2)))  # fmt: skip
        if one != other:
            yield variable, place.format(one), place.format(other)


@pytest.mark.deep
def test_of_many_words_none_opens() -> None:
    """Of many pairs of words not one becomes a hole."""
    pairs = _chosen(random.Random(5000))
    opened = [
        found[0].text
        for variable, one, other in (next(pairs) for _ in range(PAIRS))
        if len(found := items(variable, [one], [other])) == 1
    ]
    assert opened == []


@pytest.mark.deep
def test_of_many_made_names_few_are_missed() -> None:
    """Of many pairs of made names at most 2 in 100 are listed one by one."""
    chance = random.Random(5001)
    missed = 0
    for _ in range(PAIRS):
        shape = chance.choice(SHAPES)
        one, other = shape.name(chance), shape.name(chance)
        third = shape.name(chance).replace("{base}", BASE)
        found = items(shape.variable, [one], [other])
        fit = (parse_pattern(shape.variable, item.text, places=Places(BASE)).fits for item in found)  # fmt: skip
        missed += one != other and not any(fits(third) for fits in fit)
    assert missed <= PAIRS // 50


def test_one_long_run_is_many_creations() -> None:
    """In one run what was made up is told by its shape, and a counter by eight of it."""

    def found(*values: str) -> list[str]:
        seen = [Value(one, frozenset({"1"}), missed=True) for one in values]
        return [one.text for one in items_of("CREATE_BINDS", seen, is_one_run=True)]

    assert found("/tmp/tmpab12cd34", "/tmp/tmpzz99yy88") == ["/tmp/tmp{rand8}"]
    nodes = [f"/srv/node{number}" for number in range(1, 4)]
    assert found(*nodes) == nodes
    assert found(*(f"/srv/job/{number}" for number in range(8, 16))) == ["/srv/job/{num}"]  # fmt: skip
    assert found("/srv/config-prod", "/srv/config-dev") == ["/srv/config-dev", "/srv/config-prod"]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        *("a" * 60 + "1a{}", "aB" * 30 + "{}_", "A" * 62 + "{}a", "_" * 250 + "{}"),
        *("{0}." * 90 + "{0}", "ab_" * 80 + "{}"),
        *(pytest.param(one, marks=pytest.mark.deep) for one in ("1_" * 2000 + "{}", "{0}-" * 1300 + "{0}")),
    ],
    ids=lambda name: f"{name[:6]} x{len(name)}",
)  # fmt: skip
def test_a_name_that_is_made_to_be_hard_is_compared_at_once(name: str) -> None:
    """Whatever a client calls a thing, learning comes to an end, and lists what was used."""
    made = [f"/srv/{name.format(number)}" for number in range(10, 60)]
    found = items("CREATE_BINDS", made[:25], made[25:])
    patterns = [parse_pattern("CREATE_BINDS", one.text) for one in found]
    assert all(any(each.fits(value) for each in patterns) for value in made)


def test_many_makers_of_one_place_are_told_apart_together() -> None:
    """Three hundred counters side by side are as many items."""
    runs = [[f"/srv/{word}{n}-{run}" for n in range(15) for word in CHOSEN[:20]] for run in (7, 8)]  # fmt: skip
    found = items("CREATE_BINDS", *runs)
    assert {one.text for one in found} == {f"/srv/{word}{n}-{{num}}" for n in range(15) for word in CHOSEN[:20]}  # fmt: skip


def test_an_item_knows_its_values() -> None:
    """A hole is told by the values that it stands for."""
    (found,) = items("CREATE_BINDS", ["/tmp/tmpab12cd34"], ["/tmp/tmpa9_81kq0"])
    assert found.is_hole
    assert found.values == {"/tmp/tmpab12cd34", "/tmp/tmpa9_81kq0"}
    (found,) = items("CREATE_BINDS", ["/srv"])
    assert not found.is_hole


_MADE = st.sampled_from(["1", "22", "333", "ab12cd34", "zz99yy88", "3fa8b21", "9fa8b2c", "config", "prod", "v1", "2026-11-20", "2026-11-21", "a_b", "%40", "%20x"])  # fmt: skip
_NAMES = st.lists(_MADE, min_size=1, max_size=3).flatmap(lambda parts: st.sampled_from(["-", "_", ".", ""]).map(lambda mark: mark.join(parts)))  # fmt: skip
PATHS = st.builds("/{}/{}{}".format, st.sampled_from(["tmp", "srv/x", "var/lib"]), _NAMES, st.sampled_from(["", ":ro", "/y"]))  # fmt: skip
_PLAIN = _NAMES.filter(lambda name: "%" not in name and name[0].isalnum())
TAGS = st.builds("acme/{}:{}".format, st.sampled_from(["a", "b-1", "b-2"]), _PLAIN)
PORTS = st.builds("{}{}".format, st.sampled_from(["", "127.0.0.1:"]), st.sampled_from([80, 8080, 8081, 40_000, 40_001, 50_000]))  # fmt: skip
USERS = st.sampled_from(["0", "1000", "1001", "1000%3A1000", "1001%3A1001", "app"])
KINDS = {"CREATE_BINDS": PATHS, "CREATE_TAGS": TAGS, "CREATE_PORTS": PORTS, "EXEC_USERS": USERS}  # fmt: skip
RUNS = st.sampled_from(sorted(KINDS)).flatmap(
    lambda variable: st.tuples(
        st.just(variable),
        st.lists(st.frozensets(KINDS[variable], max_size=4), max_size=5),
    )
)


@given(RUNS, st.booleans())
def test_what_was_asked_for_is_listed(
    case: tuple[str, list[frozenset[str]]], is_one_run: bool
) -> None:
    """The items can be read, and fit every value that they were made of."""
    variable, runs = case
    seen = [one._replace(missed=one.missed or is_one_run) for one in seen_in(runs)]
    found = items_of(variable, seen, places=Places(BASE), is_one_run=is_one_run)
    patterns = [parse_pattern(variable, one.text, places=Places(BASE)) for one in found]
    for value in frozenset[str]().union(*runs):
        assert any(each.fits(value) for each in patterns), value
