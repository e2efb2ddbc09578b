"""Whether one file lets requests ask for more than another: proofs, and no samples."""

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.depth import by_depth
from tests.limits.arguing import Variables, limits
from tests.limits.listing import ITEMS, files, lists, values
from trioproxy.api.families import FAMILIES, LIMITS, VARIABLES
from trioproxy.limits import automata
from trioproxy.limits.automata import have_common, is_included
from trioproxy.limits.grant import Grant
from trioproxy.limits.inclusion import (
    ListItems,
    beyond,
    taken_out,
)
from trioproxy.limits.languages import Language, Some, expression, others
from trioproxy.limits.limit import ANY, Limits
from trioproxy.limits.patterns import Pattern, Words

A64 = "a" * 64
LIMIT_NAMES = sorted(LIMITS)


def is_within(inner: Limits, outer: Limits) -> bool:
    """Whether all that one allows is proven to be allowed by the other."""
    names = [name for family in outer.families for name in FAMILIES[family]]
    return outer.families <= inner.families and not any(beyond(outer, inner, names))


def more(narrow: Variables, wide: Variables) -> list[str]:
    found = beyond(limits(narrow), limits(wide), LIMITS)
    return [f"{one.variable}={one.item}" for one in found]


# Variable, two lists, and what the second lists beyond the first.
LISTED: list[tuple[str, str, str, list[str]]] = [
    ("CREATE_BINDS", "/a", "/a:ro", []),
    ("CREATE_BINDS", "/a:ro", "/a", ["/a"]),
    ("CREATE_BINDS", "/a/*", "/a/b,/a/b*,/a/b/*,/a/b/c/d:ro", []),
    ("CREATE_BINDS", "/a/*", "/a", ["/a"]),
    ("CREATE_BINDS", "/a/b", "/a/*", ["/a/*"]),
    ("CREATE_BINDS", "/a/*:ro", "/a/b", ["/a/b"]),
    ("CREATE_BINDS", "/a/*", "/a/docker.sock", ["/a/docker.sock"]),
    ("CREATE_BINDS", "/a/*", "/a/x/docker.sock.raw:ro", ["/a/x/docker.sock.raw:ro"]),
    ("CREATE_BINDS", "/a/*,/a/docker.sock", "/a/docker.sock,/a/b*", []),
    ("CREATE_BINDS", "/run-*", "/run-a*,/run-a", []),
    ("CREATE_BINDS", "/run-a*", "/run-*", ["/run-*"]),
    ("CREATE_BINDS", "/run-*", "/run-a.b", ["/run-a.b"]),
    ("CREATE_BINDS", "/a,/b", "/b,/a", []),
    ("CREATE_BINDS", "*", "/a", []),
    ("CREATE_BINDS", "/*", "*", ["*"]),
    ("CREATE_BINDS", "", "/a", ["/a"]),
    ("CREATE_BINDS", "/a", "", []),
    ("CREATE_PORTS", "8000-8100", "8000,8050-8100,127.0.0.1:8000", []),
    ("CREATE_PORTS", "8000-8100", "8000-8101", ["8000-8101"]),
    ("CREATE_PORTS", "8000,8001", "8000-8001", ["8000-8001"]),
    ("CREATE_PORTS", "127.0.0.1:80", "80", ["80"]),
    ("CREATE_PORTS", "80", "80/udp,random", ["80/udp", "random"]),
    ("CREATE_PORTS", "random", "127.0.0.1:random,40000,32768-60999", []),
    ("CREATE_PORTS", "random", "32767-32768", ["32767-32768"]),
    ("CREATE_PORTS", "32768-60999", "random", ["random"]),
    ("CREATE_BINDS", "/run-*", "/run-a*{4}", []),
    ("CREATE_BINDS", "/run-a*{4}", "/run-*{5},/run-ab*{3}", ["/run-*{5}"]),
    ("CREATE_BINDS", "/run-a*{4}", "/run-a*{3},/run-abcde", ["/run-a*{3}"]),
    ("CREATE_IMAGES", "nginx:*", f"nginx,nginx:1.*,nginx@sha256:{A64},nginx@*", []),
    ("CREATE_IMAGES", "nginx:1.*", "nginx:1.2*,nginx:*", ["nginx:*"]),
    ("CREATE_IMAGES", "x.io/*:*", "x.io/a/*:*,x.io/a/b:1", []),
    ("CREATE_IMAGES", "x.io/a/*:*", "x.io/*:*", ["x.io/*:*"]),
    ("CREATE_IMAGES", f"a@sha256:{A64}", f"a:1@sha256:{A64}", [f"a:1@sha256:{A64}"]),
    ("CREATE_IMAGES", "a:*", f"a:1@sha256:{A64}", []),
    ("CREATE_IMAGES", f"a:1@sha256:{A64}", f"a@sha256:{A64}", [f"a@sha256:{A64}"]),
    ("CREATE_PRIVILEGED", "0", "1", ["1"]),
    ("CREATE_PRIVILEGED", "", "0", []),
    ("CREATE_PRIVILEGED", "1", "0", []),
    ("CREATE_SECURITY", "label:*", "label:a%3Ab,label:ab*", ["label:a%3Ab"]),
    ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type", "VolumeCreate:DriverOpts.type=nfs*", []),
    ("CREATE_OPTIONS", "VolumeCreate:DriverOpts.type=nfs", "VolumeCreate:DriverOpts.type", ["VolumeCreate:DriverOpts.type"]),
    ("EXEC_USERS", "*", "@default", []),
    ("CREATE_IMAGES", "*", "@built", []),
    ("CREATE_IMAGES", "*:*,a/*", "@built", ["@built"]),
    ("CREATE_IMAGES", "@built", "@built,a:1", ["a:1"]),
    ("EXEC_USERS", "a*", "@default", ["@default"]),
    ("PULL_IMAGES", "a:*", "src:-", ["src:-"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "narrow", "wide", "items"),
    LISTED,
    ids=[str(r[:3])[:70] for r in LISTED],
)
def test_lists_are_compared_by_all_their_values(
    variable: str, narrow: str, wide: str, items: list[str]
) -> None:
    """An item is beyond a list if a single value of it is, however it is written."""
    found = more({variable: narrow}, {variable: wide})
    assert found == [f"{variable}={item}" for item in items]


def test_a_union_covers_what_none_of_its_parts_does() -> None:
    """Two items together may fit all that one does."""
    halves = {"CREATE_RUNTIMES": "a,a*"}
    assert more(halves, {"CREATE_RUNTIMES": "a*,a,aa*"}) == []
    listed = ((Some(frozenset("a")),), (others("a"),), (others("a"), "a"))
    assert not is_included(((Some(frozenset("ab")),),), listed)
    assert is_included((("a",), ("b",)), listed)


def test_what_was_taken_out_is_what_no_item_fits_now() -> None:
    """Only lists that still stand there count, and only names that we know."""
    kept = {
        "CREATE_BINDS=",
        "CREATE_BINDS=/a/b",
        "CREATE_ULTRA=/x",
        "PULL_IMAGES=busybox",
    }
    gone = {"CREATE_BINDS=/etc", "CREATE_BINDS={base}/src"}
    now = limits({"CREATE_BINDS": "/a/*", "CREATE_IMAGES": "*"})
    once = kept | gone | {"CREATE_IMAGES=alpine"}
    found = taken_out(now, map(Grant.parse, once))
    assert list(map(str, found)) == sorted(gone)


def test_what_counts_only_when_it_is_set_is_open_when_it_is_gone() -> None:
    """Images, commands and users that are no longer listed are all allowed."""
    for name, row in VARIABLES.items():
        if not row.only_when_set:
            continue
        other = row.family.options
        assert more({name: "a", other: ""}, {other: ""}) == [f"{name}=*"]
        assert more({other: ""}, {name: "a", other: ""}) == []


def test_what_stands_for_all_others_is_named_nowhere() -> None:
    """A value of any character is not within words that name the first of them all."""
    anything, nul = ((others(""),),), (("\0",), ("a",))
    assert not is_included(anything, nul)
    assert is_included(nul, anything)
    assert not have_common(((others("\0"),),), (("\0",),))


def test_of_characters_that_are_alike_one_is_tried() -> None:
    """A proof takes as many steps as there are characters to try at each star."""
    word = "ab", Some(frozenset("abcdef")), "-", others("cd")
    found = automata.alphabet_of(automata.Automaton((word,)))
    # Those of texts; of "cd" one, of "ef" one, and one of all others.
    assert found == ["-", "a", "b", "d", "f", "\0"]


def test_a_base_is_what_it_stands_for() -> None:
    """The same text with another base is another folder, and a folder has many texts."""
    old = {"CREATE_BASE": "/srv/a", "CREATE_BINDS": "{base}/x"}
    assert more(old, {**old, "CREATE_BASE": "/srv/b"}) == ["CREATE_BINDS=/srv/b/x"]
    assert more(old, {"CREATE_BINDS": "/srv/a/x"}) == []
    assert more({"CREATE_BINDS": "/srv/a/*"}, old) == []


def test_a_family_that_is_open_is_within_nothing() -> None:
    """Without a variable of it set, a family allows anything."""
    one, none = limits({"CREATE_BINDS": "*"}), limits({})
    assert is_within(one, none)
    assert not is_within(none, one)
    both = limits({"CREATE_BINDS": "", "EXEC_USERS": "a"})
    assert is_within(both, limits({"CREATE_BINDS": ""}))
    assert not is_within(limits({"CREATE_BINDS": ""}), both)


@given(files())
def test_every_file_is_within_itself(variables: dict[str, str]) -> None:
    """A file never allows more than it does."""
    found = limits(variables)
    assert is_within(found, found)
    assert list(beyond(found, found, LIMITS)) == []


@pytest.mark.deep
@settings(max_examples=by_depth(75, 300), deadline=None)
@given(st.data(), st.sampled_from(LIMIT_NAMES))
def test_what_is_claimed_holds_for_every_value(data: st.DataObject, name: str) -> None:
    """No value of an item that is not beyond a list is refused by that list."""
    narrow = limits({name: data.draw(lists(name)), "CREATE_BASE": "/srv/one"})
    wide = limits({name: data.draw(lists(name)), "CREATE_BASE": "/srv"})
    limit, allowed = narrow.limit_of(name), wide.limit_of(name)
    assert limit is not None
    assert allowed is not None
    told = {one.item for one in beyond(narrow, wide, [name])}
    for item in allowed.patterns if ANY not in told else ():
        if wide.places.meant(item.text) not in told and item.text != "0":
            value = data.draw(values(item))
            assert limit.allows(value) or not item.fits(value), (item.text, limit.value)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_is_within_asks_for_nothing_more(data: st.DataObject) -> None:
    """Where one file is within another, whatever its lists allow, the other allows too."""
    outer = data.draw(files())
    changed = data.draw(files())
    kept = {name: value for name, value in outer.items() if name not in changed}
    inner = {**kept, **changed}
    one, other = limits(inner), limits(outer)
    if not is_within(one, other):
        return
    for name, limit in one.by_variable.items():
        there = other.limit_of(name)
        for item in limit.patterns:
            if there is not None and item.text != "0":
                value = data.draw(values(item))
                assert there.allows(value) or not limit.allows(value)


_PARTS = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        Some(frozenset("a")),
        Some(frozenset("ab")),
        others("a"),
        Some(frozenset("ab"), number=2),
    ]
)
_LANGUAGES = st.lists(
    st.lists(_PARTS, min_size=1, max_size=3).map(tuple), min_size=1, max_size=3
).map(tuple)
_TEXTS = ["".join(t) for n in range(9) for t in itertools.product("abc", repeat=n)]
"""Long enough for what two of these have in common: a beginning of one, an end of the other."""


def all_of(language: Language) -> set[str]:
    fits = re.compile(expression(language)).fullmatch
    return {text for text in _TEXTS if fits(text)}


@pytest.mark.deep
@settings(max_examples=by_depth(75, 300), deadline=None)
@given(_LANGUAGES, _LANGUAGES)
def test_proofs_and_disproofs_are_those_of_all_values(
    inner: Language, outer: Language
) -> None:
    """Tried out on all short values, an answer is right, and yes and no both occur."""
    one, other = all_of(inner), all_of(outer)
    assert is_included(inner, outer) is (one <= other)
    assert have_common(inner, outer) is bool(one & other)


def test_a_proof_that_takes_too_long_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound nothing is proven, and two languages are taken to have values in common."""
    narrow, wide = {"CREATE_RUNTIMES": "a*b*"}, {"CREATE_RUNTIMES": "ab*b*"}
    assert more(narrow, wide) == []
    monkeypatch.setattr(automata, "MOST_STEPS", 1)
    assert more(narrow, wide) == ["CREATE_RUNTIMES=ab*b*"]
    assert have_common((("abc",),), (("abd",),))


def test_every_variable_is_tried() -> None:
    """The made-up lists above have items of every variable."""
    assert set(ITEMS) == LIMITS == {n for names in FAMILIES.values() for n in names}


_STARRED = st.lists(
    st.lists(
        st.sampled_from(["a", "b", "ab", "*", "c", "*{2}"]), min_size=1, max_size=4
    )
    .map("".join)
    # With more of them a proof may take too long, and be none.
    .filter(lambda text: "**" not in text and text != "*" and text.count("*") < 3),
    min_size=1,
    max_size=6,
    unique=True,
)


@pytest.mark.deep
@settings(max_examples=by_depth(75, 300), deadline=None)
@given(_STARRED, _STARRED)
def test_what_is_looked_up_is_what_would_be_proven(
    inner: list[str], outer: list[str]
) -> None:
    """A list is compared by look-ups and few words as it would be by all its words."""
    narrow = limits({"CREATE_RUNTIMES": ",".join(outer)}).limit_of("CREATE_RUNTIMES")
    wide = limits({"CREATE_RUNTIMES": ",".join(inner)}).limit_of("CREATE_RUNTIMES")
    assert narrow is not None
    assert wide is not None
    every = tuple(w for one in narrow.patterns for w in language_of(one))
    listed = ListItems(narrow)
    for item in wide.patterns:
        is_proven = is_included(language_of(item), every)
        assert listed.fit_all_of(item) is (is_proven or item.text in outer)


def language_of(item: Pattern) -> Language:
    assert isinstance(item.means, Words)
    return item.means.language


@pytest.mark.parametrize("end", ["data", "d*"], ids=["literal", "starred"])
def test_long_lists(end: str) -> None:
    """A thousand items are compared with a thousand in seconds: no item with each other."""
    narrow = ",".join(f"/srv/{number}/{end}" for number in range(1_000))
    wide = ",".join(f"/srv/{number}/{end}:ro" for number in range(1_000))
    begun = time.process_time()
    assert more({"CREATE_BINDS": narrow}, {"CREATE_BINDS": f"{wide},/etc"}) == [
        "CREATE_BINDS=/etc"
    ]
    assert time.process_time() - begun < 20
