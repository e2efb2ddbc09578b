"""Elements: cut out of an answer wherever it is cut itself, and read strictly."""

import json
import re
from codecs import utf_8_decode
from collections.abc import Iterator
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trioproxy.errors import TooMuch, UpstreamError
from trioproxy.http.elements import (
    AHEAD,
    CLOSE,
    ELEMENT,
    LONG,
    MOST_OF_AN_ELEMENT,
    OPEN,
    TURN,
    VALUE,
    Elements,
    Piece,
    parse,
)
from trioproxy.http.jsonbody import DEEPEST, MOST_VALUES

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=4,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
SPACES = st.sampled_from(["", " ", "\n", "\r\n\t "])


def cut(shape: str, raw: bytes, *at: int) -> list[Piece]:
    """All pieces of an answer that comes in pieces; it must be whole."""
    elements = Elements(shape)
    bounds = [0, *sorted({one for one in at if one < len(raw)}), len(raw)]
    found = [
        piece
        for begin, end in pairwise(bounds)
        for piece in elements.feed(raw[begin:end])
    ]
    if not elements.is_whole:
        raise UpstreamError("cut off")
    return [piece for piece in found if piece.mark is not TURN]


def values(pieces: list[Piece]) -> Iterator[object]:
    return (json.loads(piece.raw) for piece in pieces if piece.raw)


@given(st.lists(JSON, max_size=4), st.lists(st.integers(0, 400), max_size=4), SPACES)
def test_a_list(items: list[object], at: list[int], space: str) -> None:
    """Its elements as they came, whatever they are, and wherever the bytes are cut."""
    text = f",{space}".join(json.dumps(one) for one in items)
    raw = f"{space}[{space}{text}{space}]\n".encode()
    for each in (at, range(len(raw))):
        found = cut("list", raw, *each)
        assert [found[0].mark, found[-1].mark] == [OPEN, CLOSE]
        assert {piece.mark for piece in found[1:-1]} <= {ELEMENT}
        assert list(values(found)) == items


@given(
    st.lists(OBJECTS, max_size=6),
    st.lists(st.integers(0, 400), max_size=2),
    st.booleans(),
)
def test_a_list_as_the_engine_writes_it(
    items: list[object], at: list[int], is_ascii: bool
) -> None:
    """Objects with a comma alone between them are read ahead: the very bytes, and their values."""
    raw = json.dumps(items, separators=(",", ":"), ensure_ascii=is_ascii).encode()
    found = cut("list", raw, *at)[1:-1]
    assert b"[" + b",".join(piece.raw for piece in found) + b"]" == raw
    assert [piece.value or parse(piece.raw) for piece in found] == items


@pytest.mark.parametrize("size", [AHEAD // 8, AHEAD + 1, LONG + 1], ids=str)
@pytest.mark.parametrize("letter", ["x", "ж"])
def test_a_list_that_is_longer_than_what_is_read_ahead(letter: str, size: int) -> None:
    """Objects that stand across the end of what is looked at are told like all others."""
    items = [{"number": at, "text": letter * (size + at)} for at in range(20)]
    raw = json.dumps(items, separators=(",", ":"), ensure_ascii=False).encode()
    for at in ((), range(0, len(raw), 64 * 1024)):
        assert list(values(cut("list", raw, *at)[1:-1])) == items


@pytest.mark.parametrize(
    ("shape", "begin", "between"), [("list", b"[", b","), ("lines", b"", b"\n")]
)
def test_what_comes_at_once_is_made_text_once(
    shape: str, begin: bytes, between: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the object at each end of what is looked at once more, however many there are."""
    made = list[int]()

    def decode(raw: memoryview, errors: str, is_end: bool) -> tuple[str, int]:
        made.append(len(raw))
        return utf_8_decode(raw, errors, is_end)

    monkeypatch.setattr("trioproxy.http.elements.utf_8_decode", decode)
    raw = begin + between.join([b'{"number":"%d"}' % at for at in range(4_000)])
    assert len([*Elements(shape).feed(raw[: LONG - 8])]) > 3_000
    assert len(made) <= LONG / AHEAD + 2
    assert max(made) == AHEAD  # each of them is held while others have their turn


@given(st.lists(OBJECTS, max_size=4), st.lists(st.integers(0, 400), max_size=4))
def test_lines(items: list[dict[str, object]], at: list[int]) -> None:
    """Elements one behind the other; each is told with its last byte."""
    raw = "\n".join(json.dumps(one) for one in items).encode()
    assert list(values(cut("lines", raw, *at))) == items
    for end, _ in enumerate(raw, 1):
        if json.dumps(items[-1]) == raw[:end].decode("latin-1"):
            assert len(cut("lines", raw[:end])) == 1


@given(
    st.dictionaries(TEXT, st.lists(OBJECTS, max_size=3) | JSON, max_size=3),
    st.integers(0, 400),
)
def test_lists_by_their_names(value: dict[str, object], at: int) -> None:
    """Each value with its name: a list as elements, anything else as it is."""
    found = cut("lists", json.dumps(value).encode(), at)
    seen = dict[str, object]()
    for piece, content in ((one, one.raw and json.loads(one.raw)) for one in found):
        if piece.mark is OPEN:
            seen[piece.key] = []
        elif piece.mark is ELEMENT:
            items = seen[piece.key]
            assert isinstance(items, list)
            items.append(content)
        elif piece.mark is VALUE:
            seen[piece.key] = content
    assert seen == value


@given(OBJECTS)
def test_byte_by_byte(value: dict[str, object]) -> None:
    """One object is the same, however it comes."""
    raw = json.dumps(value, ensure_ascii=False).encode()
    (found,) = cut("one", raw, *range(len(raw)))
    assert found == Piece(ELEMENT, "", raw)


def test_commas_in_a_text_are_no_values() -> None:
    """Where more of them stand than there may be values, that is found by looking closely."""
    raw = b'{"a":"%b"}' % (b"," * (MOST_VALUES + 1))
    assert [piece.raw for piece in cut("one", raw)] == [raw]


@pytest.mark.parametrize("shape", ["lines", "one"])
def test_nothing_at_all(shape: str) -> None:
    """Where nothing has happened, or nothing is said, an answer is whole without a byte."""
    assert Elements(shape).is_whole
    assert cut(shape, b"") == []


BAD = {
    "no comma behind one that is read ahead": ("list", b'[{"a":1},{"a":1}{"a":1}]'),
    "nothing": ("list", b""),
    "no end": ("list", b'[{"a":1}'),
    "no end of a text": ("one", b'{"a":"b'),
    "no end behind an escape": ("one", b'{"a":"b\\'),
    "an end too many": ("list", b"[{}]]"),
    "two answers": ("one", b"{}{}"),
    "a byte behind lists": ("lists", b'{"a":[]}x'),
    "no comma": ("list", b"[{}{}]"),
    "another mark for a comma": ("list", b"[{};{}]"),
    "two commas": ("list", b"[{},,{}]"),
    "a comma at the end": ("list", b"[{},]"),
    "a comma at the begin": ("list", b"[,{}]"),
    "a list of another shape": ("lists", b'["a":[]}'),
    "a name twice": ("lists", b'{"a":[],"\\u0061":[]}'),
    "a name that is none": ("lists", b"{1:[]}"),
    "a name without value": ("lists", b'{"a"}'),
    "a name without colon": ("lists", b'{"a"=[]}'),
    "a comma behind all": ("lists", b'{"a":[],}'),
    "a number alone": ("one", b"1"),
    "a text among lines": ("lines", b'{} "x" {}'),
    "half a line": ("lines", b'{}\n{"a":'),
    "no JSON": ("list", b"<html>"),
    "lists without end": (
        "lists",
        b"{%b}" % b",".join(b'"%d":1' % n for n in range(300)),
    ),
    "too deep": ("one", b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1)),
}


def test_as_deep_as_may_be() -> None:
    """The last level that is read passes, also where its end is looked for byte by byte."""
    raw = b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST
    for at in ((), range(len(raw))):
        assert [piece.raw for piece in cut("one", raw, *at)] == [raw]


@pytest.mark.parametrize(("shape", "raw"), BAD.values(), ids=BAD)
def test_what_is_no_answer(shape: str, raw: bytes) -> None:
    """What has not this shape raises, or is not whole, however it comes."""
    for at in ((), range(len(raw))):
        with pytest.raises(UpstreamError):
            cut(shape, raw, *at)


@pytest.mark.parametrize(
    "second",
    [
        b'{"a":1,"\\u0061":2}',
        b'{"a":"\\ud800"}',
        b'{"a":%b}' % (b"1" * 33),
        b'{"a":"\xff"}',
        b'{"a":NaN}',
        b'{"a":%b1%b}' % (b"[" * DEEPEST, b"]" * DEEPEST),
    ],
    ids=["a name twice", "half a pair", "a long number", "no UTF-8", "NaN", "deep"],
)
@pytest.mark.parametrize(
    ("shape", "around"),
    [("list", b'[{"a":1},%b,{"a":1}]'), ("one", b"%b"), ("lines", b'{"a":1}\n%b\n{}')],
)
def test_what_is_read_ahead_is_read_as_strictly(
    shape: str, around: bytes, second: bytes
) -> None:
    """What only the strict reader refuses is refused in any place of an answer."""
    raw = around % second
    with pytest.raises(UpstreamError):
        [piece.value or parse(piece.raw) for piece in cut(shape, raw) if piece.raw]


LONG_ONES = {"text": (b'{"a":"', b'\\"1' * 300, b'"}'), "list": (b'{"a":[', b"1," * 500, b"1]}")}  # fmt: skip


@pytest.mark.parametrize(("begin", "more", "end"), LONG_ONES.values(), ids=LONG_ONES)
def test_an_element_has_a_bound(begin: bytes, more: bytes, end: bytes) -> None:
    """4 MiB of an answer that is one element end it, whether its own end comes or not."""
    elements = Elements("one")
    list(elements.feed(begin))
    pieces = (elements.feed(more) for _ in range(MOST_OF_AN_ELEMENT // 400))
    with pytest.raises(UpstreamError, match="longer than 4194304 bytes"):
        list(chain(*pieces, elements.feed(end)))


@pytest.mark.parametrize("shape", ["list", "lists", "lines"])
@pytest.mark.parametrize(("begin", "more", "end"), LONG_ONES.values(), ids=LONG_ONES)
def test_one_of_many_that_is_too_long_ends_nothing(
    shape: str, begin: bytes, more: bytes, end: bytes
) -> None:
    """It is told without its bytes, of which no more than the bound is ever held; those around it are
    read, and what is told of it is not."""
    before, between, behind = {"list": (b"[", b",", b"]"), "lists": (b'{"a":[', b",", b"]}"), "lines": (b"", b"\n", b"")}[shape]  # fmt: skip
    elements, found = Elements(shape), list[Piece]()
    found += elements.feed(before + b'{"a":1}' + between + begin)
    for _ in range(3 * MOST_OF_AN_ELEMENT // len(more)):
        found += elements.feed(more)
        assert len(elements._data) <= MOST_OF_AN_ELEMENT + 2 * len(more)
    for byte in end + between + b'{"a":2}' + behind:
        found += elements.feed(bytes([byte]))
    assert elements.is_whole
    told = [piece for piece in found if piece.mark is ELEMENT]
    assert [piece.raw for piece in told] == [b'{"a":1}', b"", b'{"a":2}']
    with pytest.raises(TooMuch):
        parse(told[1].raw)


def test_a_list_has_no_bound() -> None:
    """Much more than one element may have passes, and nothing of it is kept."""
    elements, one = Elements("list"), b'{"a":"%b"},' % (b"x" * 1000)
    list(elements.feed(b"["))
    for _ in range(2 * MOST_OF_AN_ELEMENT // len(one)):
        assert len(list(elements.feed(one))) == 1
        assert len(elements._data) <= 2 * len(one)


def test_spaces_are_not_held() -> None:
    """An Engine that sends nothing else for hours takes no memory, and each is looked at once."""
    elements = Elements("list")
    for piece in (b"[", b" " * 1000, b"\n" * 1000):
        list(elements.feed(piece))
        assert elements.held == 0


ODD = {
    "a name twice": b'{"Id":"secret","Id":"secret"}',
    "a name twice below": b'{"a":{"secret":1,"s\\u0065cret":2}}',
    "no UTF-8": b'{"secret":"\xff"}',
    "half a letter": b'{"secret":"\\ud800"}',
    "no number": b'{"secret":NaN}',
    "a long number": b'{"secret":%b}' % (b"1" * 40),
    "a large number": b'{"secret":1e999}',
    "crossed": b'{"secret":[}]',
    "many values": b'{"secret":[%b1]}' % (b"1," * 30_000),
}


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD)
def test_elements_are_read_strictly(raw: bytes) -> None:
    """What two readers may read otherwise is refused, in words that are not its own."""
    with pytest.raises(UpstreamError) as caught:
        parse(raw)
    assert not re.search("secret", str(caught.value))
    assert caught.value.status == 502
