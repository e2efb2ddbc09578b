"""Heads of the Engine's: read in one way, or not at all."""

import pytest

from trioproxy.errors import UpstreamError
from trioproxy.http.request import HEAD_LIMIT
from trioproxy.http.response import Expectation, find_response_end, parse_response

NO_ANSWERS = {
    "an upgrade that nobody asked for": (
        b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n",
        "without a pending proposal",
    ),
    "a length of 19 digits": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n",
        "bad Content-Length",
    ),
    "two framings": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "a framing that is ambiguous",
    ),
    "another version": (b"HTTP/1.2 200 OK\r\n\r\n", "is not HTTP/1: 'HTTP/1.2"),
    "a line that goes on": (b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "odd line ends"),
    "the same with a tab": (b"HTTP/1.1 200 OK\r\nA: b\r\n\tc\r\n\r\n", "odd line ends"),
    "half a line end": (b"HTTP/1.1 200 OK\nA: b\r\n\r\n", "odd line ends"),
}


@pytest.mark.parametrize(("raw", "why"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer(raw: bytes, why: str) -> None:
    """What readers differ about is refused, and an upgrade where none was asked for."""
    assert find_response_end(raw, 0) == len(raw)
    asked = Expectation(is_head=False, version=b"1.1", upgrades=False, may_hijack=True)
    with pytest.raises(UpstreamError, match=why):
        parse_response(raw, asked)


@pytest.mark.parametrize(
    "raw", [b"HTTP/1.1 200 OK\r\n".ljust(HEAD_LIMIT, b"a"), b"SSH-2.0"]
)
def test_what_will_be_no_answer(raw: bytes) -> None:
    """No end is waited for behind too many bytes, or where another protocol begins."""
    with pytest.raises(UpstreamError):
        find_response_end(raw, 0)
    assert find_response_end(b"HTTP/1.1 200", 0) == -1
