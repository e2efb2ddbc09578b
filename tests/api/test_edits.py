"""Edits: what is applied to a copy of what was read."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.api.edits import GONE, Edit, Gone, Json, Keys, Part, apply

BODY: dict[str, Json] = {"a": [{"b": 1}, "x"], "c": None, "d": {"e": {}}}
EDITS: list[tuple[Keys, Json | Gone, Json]] = [
    (("a", 1), "y", {**BODY, "a": [{"b": 1}, "y"]}),
    (("a", 0, "b"), 2, {**BODY, "a": [{"b": 2}, "x"]}),
    (("c", "new", "er"), "y", {**BODY, "c": {"new": {"er": "y"}}}),
    (("n", "o"), [], {**BODY, "n": {"o": []}}),
    (("d", "e"), GONE, {**BODY, "d": {}}),
    (("d", "none"), GONE, BODY),
]


@pytest.mark.parametrize(
    ("keys", "value", "sent"), EDITS, ids=[str(e[0]) for e in EDITS]
)
def test_an_edit_of_a_body(keys: Keys, value: Json | Gone, sent: Json) -> None:
    """What shall stand at a place stands there, and what holds it is made."""
    assert apply([Edit(keys, value)], b"", BODY).body == sent


def test_a_body_that_is_not_there() -> None:
    """An edit makes one; without edits there is none."""
    assert apply([Edit(("a", "b"), 1)], b"", None).body == {"a": {"b": 1}}
    assert apply([], b"", None).body is None


def test_the_later_of_two_edits_counts() -> None:
    """What is taken away may be put there again."""
    edits = [Edit(("d", "e"), GONE), Edit(("d", "e"), "id")]
    assert apply(edits, b"", BODY).body == {**BODY, "d": {"e": "id"}}
    assert apply(edits[::-1], b"", BODY).body == {**BODY, "d": {}}


def test_edits_of_a_target() -> None:
    """Values of keys that are there, a pair in front, and the id for the path."""
    edits = [
        Edit(("k",), "a b", Part.QUERY),
        Edit(("none",), "x", Part.QUERY),
        Edit(("f",), "=", Part.FRONT),
        Edit((), "id", Part.PATH),
    ]
    assert apply(edits, b"k=1&l=%41&k=2", None) == (
        "id",
        b"f=%3D&k=a%20b&l=A&k=a%20b",
        None,
    )
    assert apply(edits[2:3], b"", None) == ("", b"f=%3D", None)
    assert apply(edits[2:3], b"l=%41", None) == ("", b"f=%3D&l=%41", None)


LEAVES = st.integers(0, 3) | st.none() | st.just("x")
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner), max_leaves=6
)  # fmt: skip


@given(body=st.dictionaries(st.sampled_from("ab"), VALUES), data=st.data())
def test_what_was_read_stays_as_it_was(
    body: dict[str, Json], data: st.DataObject
) -> None:
    """Whatever is edited, in whatever order of places: in a copy, and nowhere else."""
    keys = data.draw(st.permutations(list(_places(body))))
    before = deepcopy(body)
    sent = apply([Edit(one, "new") for one in keys], b"", body).body
    assert body == before
    for one in keys:
        assert _at(sent, one) == "new"


def _places(value: Json, keys: Keys = ()) -> list[Keys]:
    """Where something stands that holds nothing."""
    if isinstance(value, dict) and value:
        return [one for k, v in value.items() for one in _places(v, (*keys, k))]
    if isinstance(value, list) and value:
        return [one for k, v in enumerate(value) for one in _places(v, (*keys, k))]
    return [keys] if keys else []


def _at(value: Json, keys: Keys) -> Json:
    for key in keys:
        if isinstance(value, list):
            value = value[int(key)]
        else:
            assert isinstance(value, dict)
            value = value[str(key)]
    return value
