"""What is remembered of heads, and within which bounds."""

import pytest

from trioproxy.http.memo import Memo
from trioproxy.http.request import parse_request


def fill(memo: Memo[bytes, int], *heads: bytes, times: int = 2) -> None:
    """Let each head come so many times."""
    for head in heads:
        for _ in range(times):
            memo.keep(head, head, len(head))


def test_second_time_is_kept() -> None:
    """A head is kept when it comes for the second time, and found from then on."""
    memo: Memo[bytes, int] = Memo()
    fill(memo, b"head", times=1)
    assert memo.get(b"head") is None
    fill(memo, b"head", times=1)
    assert memo.get(b"head") == len(b"head")


def test_heads_that_never_come_again_push_none_out() -> None:
    """A client that never says the same twice leaves what others say in its place."""
    memo: Memo[bytes, int] = Memo()
    fill(memo, b"polled")
    fill(memo, *(b"%d" % number for number in range(5 * Memo.MAX_ENTRIES)), times=1)
    assert memo.get(b"polled") is not None
    assert len(memo._values) == 1


def test_oldest_makes_room() -> None:
    """There are never more heads than the bound, and the newest are those kept."""
    memo: Memo[bytes, int] = Memo()
    heads = [b"%d" % number for number in range(Memo.MAX_ENTRIES + 10)]
    fill(memo, *heads)
    assert len(memo._values) == Memo.MAX_ENTRIES
    assert [memo.get(head) is None for head in heads] == [
        *[True] * 10,
        *[False] * Memo.MAX_ENTRIES,
    ]


def test_marks_are_bounded() -> None:
    """What came once is forgotten in time: ever new heads fill no memory."""
    memo: Memo[bytes, int] = Memo()
    fill(memo, *(b"%d" % number for number in range(3 * Memo.MAX_ENTRIES)), times=1)
    fill(memo, b"0", times=1)
    assert memo.get(b"0") is None
    assert len(memo._came_once) <= Memo.MAX_ENTRIES


def test_long_head_is_never_kept() -> None:
    """A head over the bound is judged each time it comes."""
    memo: Memo[bytes, int] = Memo()
    fill(memo, b"x" * (Memo.MAX_HEAD + 1), times=3)
    assert len(memo._values) == 0


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Registry-Auth"])
def test_credentials_are_not_remembered(name: str) -> None:
    """A head with credentials says that it must not be kept."""
    raw = f"GET /_ping HTTP/1.1\r\nHost: d\r\n{name}: secret\r\n\r\n".encode()
    assert parse_request(raw).fields.has_credentials
    other = raw.replace(name.encode(), b"X-Other")
    assert not parse_request(other).fields.has_credentials
