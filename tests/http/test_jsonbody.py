import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.errors import BadBody, BadRequest, BodyTooLarge
from trioproxy.http import jsonbody
from trioproxy.http.jsonbody import Json, parse, render, rewritten


def nested(levels: int) -> Json:
    return {"a": nested(levels - 1)} if levels else 1


BAD = [
    (b"", "not JSON"),
    (b" ", "not JSON"),
    (b"\xef\xbb\xbf{}", "not JSON"),
    ("{}".encode("utf-16"), "not UTF-8"),
    (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
    (b'{"a":1}x', "not JSON"),
    (b'{"a":1}}', "not JSON"),
    (b'{"a":1}]{"b":2}', "not JSON"),
    (b'{"a":1}\x00', "not JSON"),
    (b'{"a":1}{"b":2}', "not JSON"),
    (b'{"a":1,"a":2}', "'a' is given twice"),
    (b'{"a":1,"\\u0061":2}', "'a' is given twice"),
    (b'{"x":{"a":1,"b":2,"a":3}}', "'a' is given twice"),
    (b'[{"a":null,"a":null}]', "'a' is given twice"),
    (b'{"a":NaN}', "NaN is no JSON"),
    (b'{"a":-Infinity}', "Infinity is no JSON"),
    (b'{"a":1e400}', "the number 1e400 is too large"),
    (b'{"a":' + b"9" * 99 + b"}", "is too large"),
    (b'{"a":"\\ud800"}', "surrogate"),
    (b'{"\\udfff":1}', "surrogate"),
    (b'{"a":1,}', "not JSON"),
    (b"{'a':1}", "not JSON"),
    (b'{"a":"\n"}', "not JSON"),
    (b'{"a":01}', "not JSON"),
    (b"/**/{}", "not JSON"),
    (b"\x0b{}", "not JSON"),
    ("\u00a0{}".encode(), "not JSON"),
    (b"[" * 5_000 + b"]" * 5_000, "nested deeper than 100"),
    (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested deeper than 100"),
    (b"[" * 101 + b"]" * 101, "nested deeper than 100"),
    (b'{"a":[' * 51 + b"]}" * 51, "nested deeper than 100"),
    # Brackets in texts make it look half as deep.
    (
        b'%b"%b",%b1%b,"%b"%b'
        % (b"[" * 60, b"]" * 60, b"[" * 41, b"]" * 41, b"[" * 60, b"]" * 60),
        "nested deeper than 100",
    ),
]


@pytest.mark.parametrize(
    ("raw", "message"), BAD, ids=[f"{n}-{r[0][:20]!r}" for n, r in enumerate(BAD)]
)
def test_what_is_not_strictly_json_is_refused(raw: bytes, message: str) -> None:
    """What the Engine refuses, or takes in a way of its own, is refused and named."""
    with pytest.raises(BadBody) as caught:
        parse(raw)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b" \t\r\n{} \n", {}),
        (b"null", None),
        (b'{"a":-0,"b":1e1,"c":1.5}', {"a": 0, "b": 10.0, "c": 1.5}),
        (b'{"\\u0061":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b'{"a":{"b":1},"c":{"b":2}}', {"a": {"b": 1}, "c": {"b": 2}}),
        (
            b'{"a":' * 100 + b"1" + b"}" * 100,
            nested(100),
        ),
        (b"[" + b"[]," * 200 + b"1]", [*[[]] * 200, 1]),
    ],
    ids=["space", "null", "numbers", "escapes", "same-name-elsewhere", "deep", "wide"],
)
def test_json_is_read(raw: bytes, value: Json) -> None:
    """JSON is read as it says."""
    assert parse(raw) == value


def numbers(count: int) -> bytes:
    return b"[" + b",".join([b"1"] * count) + b"]"


@pytest.mark.parametrize(
    ("raw", "passes"),
    [
        (numbers(jsonbody.MOST_VALUES - 1), True),
        (numbers(jsonbody.MOST_VALUES + 1), False),
        (b"{" + b",".join(b'"%d":{}' % n for n in range(12_000)) + b"}", False),
        (b'["' + b"," * 100_000 + b'"]', True),
        (b'["' + b'[\\"{' * 20_000 + b'"]', True),
        (b'["' + b"\\n" * jsonbody.MOST_ESCAPES + b'"]', True),
        (b'["\\\\"' + b",1" * jsonbody.MOST_VALUES + b"]", False),
        (b'["\\\\\\""' + b",1" * jsonbody.MOST_VALUES + b"]", False),
        (b'["\\\\\\"' + b"," * 100_000 + b'"]', True),
        (b"[" + b'"",' * 15_000 + b"1]", True),
        (b'",' * 100_000, False),
        (b'["' + b"\\n" * (jsonbody.MOST_ESCAPES + 1) + b'"]', False),
        (b'"' + b"," * 100_000, None),
    ],
    ids=[
        "most",
        "more",
        "objects",
        "commas",
        "quotes",
        "most-escapes",
        "escaped-backslash",
        "escaped-quote",
        "quote-in-text",
        "texts",
        "only-quotes",
        "more-escapes",
        "open",
    ],
)
def test_values_are_bounded(raw: bytes, passes: bool | None) -> None:
    """Values and escapes have a bound, and what only looks like values has not."""
    if passes:
        assert parse(raw)
        return
    with pytest.raises(BadBody if passes is None else BodyTooLarge):
        parse(raw)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(VALUES)
def test_what_is_rendered_is_read_again(value: Json) -> None:
    """A value goes on as bytes that mean it."""
    assert parse(render(value)) == value


@given(VALUES, st.booleans())
def test_any_writing_is_read(value: Json, ascii_only: bool) -> None:
    """However a client writes a value, it is read as that."""
    assert parse(json.dumps(value, ensure_ascii=ascii_only, indent=1).encode()) == value


@given(st.binary())
def test_bytes_are_read_or_refused(raw: bytes) -> None:
    """No bytes make it fail in another way than by a refusal."""
    try:
        value = parse(raw)
    except BadRequest:
        return
    assert parse(render(value)) == value


NAMES = st.sampled_from(
    ["Labels", "Env", "a.b/c-d", "a", "e\u0301", '"a', "a\\", "", "/"]
)
ANY = st.recursive(
    st.none() | st.integers(0, 9) | NAMES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner),
    max_leaves=8,
)


@given(st.data(), ANY, ANY, st.booleans(), st.sampled_from([":", ": ", " :"]))
def test_what_differs_alone_is_written_anew(
    data: st.DataObject, value: Json, new: Json, is_ascii: bool, colon: str
) -> None:
    """Whatever was put where in a value that was read, and however that was written: it is what is
    read then, and what the Engine writes stays as it came."""
    raw = json.dumps(value, ensure_ascii=is_ascii, separators=(",", colon)).encode()

    def changed(one: Json) -> Json:
        if isinstance(one, dict) and one and data.draw(st.booleans()):
            kept = dict(one)
            for name in data.draw(st.lists(st.sampled_from([*one]), max_size=2)):
                kept[name] = changed(one[name])
            return kept
        return new

    read = parse(raw)
    other = changed(read)
    written = rewritten(raw, read, other)
    assert parse(written) == other
    if raw == render(value):
        assert written == render(other)


@pytest.mark.parametrize(
    "raw",
    [
        # A name that is spelled otherwise, and what would be taken for it then.
        b'{"\\u0045nv":"x","a":{"Env":"y"}}',
        b'{"a":{"Env":"y"},"E\\u006ev":"x"}',
        b'{"a":"\\"Env","Env":"x"}',
        b'{"a":["Env"],"Env":"x"}',
        b'{"Env" :"x","a":{"Env":"y"}}',
        b'{"a":"Env","Env": "x"}',
        b'{"a":{"Env":"y"},"Env" :"x"}',
        b'{"Env": "x"}',
        b'{"Env":"Env"}',
        b'{"Env":"x","n":1.0,"m":1e3,"t":"\\u2028"}',
    ],
)
def test_no_other_text_is_taken_for_a_name(raw: bytes) -> None:
    """The one of the very object is found, or all of it is written anew."""
    value = parse(raw)
    assert isinstance(value, dict)
    assert parse(rewritten(raw, value, {**value, "Env": "?"})) == {**value, "Env": "?"}


def test_numbers_and_escapes_beside_it_stay_as_they_came() -> None:
    """So what is told of a container is the Engine's own, but for what is hidden."""
    raw = b'{"a":1.50,"b":{"Env":["x"],"c":"\\t\\u2028"},"d":1E3}'
    value: Any = parse(raw)
    other = {**value, "b": {**value["b"], "Env": ["?"]}}
    assert rewritten(raw, value, other) == raw.replace(b"x", b"?")
