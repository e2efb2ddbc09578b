import pytest

from tests.strict import Unclear, read_requests

HEAD = b"GET /a HTTP/1.1\r\nHost: d\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: d\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def test_requests_one_after_the_other() -> None:
    """Each request ends where its framing says; the next one begins there."""
    sized = POST + b"Content-Length: 2\r\n\r\n{}"
    chunked = CHUNKED + b"1\r\na\r\n0\r\nA: b\r\n\r\n"
    first, second, third = read_requests(sized + chunked + HEAD + b"\r\n")
    assert (first.line, first.body, first.is_whole) == ("POST /a", b"{}", True)
    assert (second.body, second.is_whole) == (b"a", True)
    assert (third.line, third.header("host"), third.body) == ("GET /a", b"d", b"")


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        b"1",
        b"1\r",
        b"1;x",
        b"1\r\n",
        b"1\r\na",
        b"1\r\na\r",
        b"0\r\n",
        b"0\r\nA: b",
    ],
)
def test_body_cut_short(tail: bytes) -> None:
    """A request whose body has not ended is known, and not whole."""
    (read,) = read_requests(CHUNKED + tail)
    assert not read.is_whole


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a HTTP/1.1\r\nHost: d\r\n",
        b"\r\n" + HEAD + b"\r\n",
        b"GET  /a HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET a HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /\xe9 HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /a HTTP/1.2\r\nHost: d\r\n\r\n",
        b"GET /a HTTP/1.1\r\n\r\n",
        HEAD + b"Host: e\r\n\r\n",
        HEAD + b"A: b\n\r\n\r\n",
        HEAD + b" A: b\r\n\r\n",
        HEAD + b"A:  b\r\n\r\n",
        HEAD + b"A : b\r\n\r\n",
        HEAD + b"TE: trailers\r\n\r\n",
        HEAD + b"Connection: host\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Content-Length: +1\r\n\r\na",
        POST + b"Transfer-Encoding: gzip\r\n\r\n",
        b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"1;x\r\na\r\n0\r\n\r\n",
        CHUNKED + b"1\na\r\n0\r\n\r\n",
        CHUNKED + b"1\r\nab\r\n0\r\n\r\n",
        CHUNKED + b"0\r\nA: b\n\r\n",
        CHUNKED + b"0\r\nA\r\n\r\n",
    ],
)
def test_unclear(data: bytes) -> None:
    """Whatever two readers might see in two ways is no request."""
    with pytest.raises(Unclear):
        read_requests(data)
