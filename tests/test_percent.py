"""Percent-encoding agrees with the standard library's."""

import sys
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from trioproxy import percent

KEEP = frozenset(b"abcABC012/-._~")


@given(st.binary() | st.text("%0aFz/").map(str.encode))
def test_decoding_is_the_standard_one(raw: bytes) -> None:
    """Whole escapes are undone once; broken ones stay as they are."""
    assert percent.decode(raw) == unquote_to_bytes(raw)


def test_broken_escapes_are_told() -> None:
    """A percent sign is whole with two hex digits behind it, and only so."""
    assert percent.is_whole(b"a%2Fb%2f%00")
    for broken in (b"%", b"a%2", b"%2g", b"%%41", b"%zz"):
        assert not percent.is_whole(broken)


@given(st.binary())
def test_encoding_comes_back(raw: bytes) -> None:
    """What is encoded is decoded to the same bytes, and reads as the standard library's."""
    encoded = percent.encode(raw, KEEP)
    assert percent.decode(encoded.encode()) == raw
    assert unquote_to_bytes(encoded) == raw
    assert percent.encode(raw, frozenset()).replace("%", "") == raw.hex().upper()


@given(st.text("abc/-._~ %").map(str.encode))
def test_encoding_is_the_standard_one(raw: bytes) -> None:
    """On the characters both keep, the standard library writes the same."""
    assert percent.encode(raw, KEEP) == quote_from_bytes(raw, safe="/")


def test_an_escape_is_no_call() -> None:
    """However many there are, C reads and writes them: a query of 40,000 keeps nobody waiting."""
    called = list[str]()
    percent.encode(b"", KEEP)  # which makes its table
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: called.append(event))
    try:
        raw = percent.decode(b"%41=%2f" * 20_000)
        text = percent.encode(raw, KEEP)
    finally:
        sys.setprofile(before)
    assert (raw, text) == (b"A=/" * 20_000, "A%3D/" * 20_000)
    assert len(called) < 100
