"""Items of lists are looked up, and not tried one by one."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.limits.listing import ITEMS, values
from trioproxy.api.families import Places
from trioproxy.limits.ends import FEW, Ends
from trioproxy.limits.lookup import Lookup
from trioproxy.limits.patterns import Ports
from trioproxy.limits.sorts import parse_pattern

MANY = 1_000


@pytest.mark.deep
@pytest.mark.parametrize("variable", sorted(ITEMS))
@settings(max_examples=by_depth(25, 100))
@given(data=st.data())
def test_a_lookup_says_what_the_items_say(variable: str, data: st.DataObject) -> None:
    """A value is found if one of the items fits it, whatever else is listed."""
    items = data.draw(st.lists(ITEMS[variable], min_size=1, max_size=6, unique=True))
    patterns = [
        parse_pattern(variable, one, places=Places("/base"), proxy="/base")
        for one in items
    ]
    lookup = Lookup(patterns)
    for pattern in [
        *patterns,
        parse_pattern(
            variable, data.draw(ITEMS[variable]), places=Places("/base"), proxy="/base"
        ),
    ]:
        if getattr(pattern.means, "language", True):
            value = data.draw(values(pattern))
            fitting = {one.text for one in patterns if one.fits(value)}
            assert {one.text for one in lookup.fitting(value)} == fitting
            assert lookup.fits(value) is bool(fitting)


@pytest.mark.parametrize(
    ("variable", "item", "value"),
    [
        ("CREATE_BINDS", "/srv/{}", "/srv/999"),
        ("CREATE_BINDS", "/srv/{}/*:ro", "/srv/999/x:ro"),
        ("CREATE_BINDS", "/srv/{}/job-*", "/srv/999/job-1"),
        ("CREATE_IMAGES", "app{}:*", "app999:1"),
        ("CREATE_PORTS", "127.0.0.1:{}", "127.0.0.1:999"),
    ],
    ids=["literal", "below", "starred", "images", "ports"],
)
def test_a_long_list_is_not_tried_through(variable: str, item: str, value: str) -> None:
    """Of 1,000 items those that begin as the value does are tried, and no other."""
    lookup = Lookup(
        parse_pattern(variable, item.format(number)) for number in range(1, MANY)
    )
    assert lookup.fits(value)
    assert not lookup.fits(f"{value}!")
    assert len(list(lookup.candidates(value))) <= 5


@pytest.mark.parametrize("wide", ["random", "1-65535"])
def test_ports_are_not_tried_through(
    wide: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,000 ports beside one that includes many, or what the Engine chooses, hardly one is tried."""
    own = [str(number) for number in range(2_000, 2_000 + MANY)]
    lookup = Lookup(parse_pattern("CREATE_PORTS", one) for one in [wide, *own])
    tried, includes = list[Ports](), Ports.includes

    def count(self: Ports, other: Ports) -> bool:
        tried.append(self)
        return includes(self, other)

    monkeypatch.setattr(Ports, "includes", count)
    assert lookup.fits("40000")
    assert lookup.fits("40000-40010")
    assert lookup.fits("65000") is (wide != "random")
    assert len(tried) <= 3


TEXTS = st.text("ab", max_size=4)


@given(
    several=st.lists(st.tuples(TEXTS, TEXTS), max_size=40),
    begins=TEXTS,
    ends=TEXTS,
    is_whole=st.booleans(),
)
@example(several=[("ab", "ba")] * (FEW + 1), begins="ab", ends="ba", is_whole=True)
@example(
    several=[*[("ab", "b")] * FEW, ("ab", "aa")], begins="ab", ends="aa", is_whole=True
)
def test_nothing_that_may_fit_is_left_out(
    several: list[tuple[str, str]], begins: str, ends: str, *, is_whole: bool
) -> None:
    """However many begin alike: what may begin and end as it is found once, and nothing that begins otherwise."""

    def is_alike(one: str, other: str) -> bool:
        return other.startswith(one) or (not is_whole and one.startswith(other))

    numbered = [(*one, number) for number, one in enumerate(several)]
    found = Ends(numbered).near(begins, ends, is_whole=is_whole)
    begun = {n for first, _, n in numbered if is_alike(first, begins)}
    both = {n for _, last, n in numbered if is_alike(last[::-1], ends[::-1])} & begun
    assert both <= set(found) <= begun
    assert len(found) == len(set(found))
    if len(begun) > FEW:
        assert set(found) == both
