import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.proxy.evasions import ROWS, Row
from tests.proxy.heads import check_chunks, check_request, check_response

LINES = [
    b"Host: d", b"host:e", b"Content-Length: 2", b"Content-Length:2,2", b"Content-Length: 0",
    b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED", b"Transfer-Encoding: gzip",
    b"Connection: close", b"Connection: keep-alive, a", b"Connection: Upgrade", b"A: b",
    b"Connection: content-length", b"Upgrade: tcp", b"Upgrade: h2c", b"TE: trailers",
    b"Expect: 100-continue", b"Content-Type: application/json", b" folded", b"A : b", b"",
    b"Content-Type: multipart/form-data; boundary=x", b"Origin: http://d", b"A: \xe9\xff",
    b"User-Agent: docker/26.1 (linux)", b"X-Registry-Auth: e30=", b"Trailer: A", b"A:",
]  # fmt: skip
METHODS = [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"get", b"PRI"]
TARGETS = [
    b"/_ping", b"/v1.45/containers/json?all=1", b"/containers/a%2Fb/json", b"/%69nfo?",
    b"/containers/a/attach?stdin=1", b"/exec/a/start", b"/session", b"/a/../b", b"/networks/",
    b"/containers/%C3%A9/logs?follow=1", b"/images/a:b/json", b"http://x/info", b"*", b"//a",
]  # fmt: skip
STATUS_LINES = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 101 UPGRADED", b"HTTP/1.0 404 Not Found", b"HTTP/1.1 100 ",
    b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 ", b"HTTP/1.1 999 \xe9", b"HTTP/2.0 200 OK",
]  # fmt: skip
CHUNK_PARTS = [
    b"0\r\n", b"1\r\n", b"2\r\n", b"A\r\n", b"0002\r\n", b"\r\n", b"\n", b"a", b"ab\r\n",
    b"0123456789\r\n", b"A: b\r\n", b";x", b"0x1\r\n", b"0\r\n\r\n", b"\r", b"GET / HTTP/1.1\r\n",
]  # fmt: skip

LINE_END = st.sampled_from([b"\r\n"] * 20 + [b"\n", b"\r"])


@st.composite
def changed(draw: st.DrawFn, base: st.SearchStrategy[bytes]) -> bytes:
    """Some bytes, as they are or with a few of them replaced."""
    data = bytearray(draw(base))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(data)


@st.composite
def heads(draw: st.DrawFn, first_lines: st.SearchStrategy[bytes]) -> bytes:
    """A head of lines that mean something, and a few bytes after it."""
    lines = st.sampled_from(LINES)
    data = draw(first_lines) + draw(LINE_END)
    for line in [b"Host: d", *draw(st.lists(lines, max_size=5))]:
        data += line + draw(LINE_END)
    return data + b"\r\n" + draw(st.binary(max_size=4))


REQUEST_LINES = st.builds(
    b"%s %s HTTP/%s".__mod__,
    st.tuples(
        st.sampled_from(METHODS),
        st.sampled_from(TARGETS),
        st.sampled_from([b"1.1", b"1.1", b"1.0", b"1.2", b"2.0"]),
    ),
)
SHORT_ROWS = [row.request for row in ROWS if len(row.request) < 2000]
REQUESTS = changed(heads(REQUEST_LINES) | st.sampled_from(SHORT_ROWS))
RESPONSES = changed(heads(st.sampled_from(STATUS_LINES)))
CHUNKS = changed(st.lists(st.sampled_from(CHUNK_PARTS), max_size=8).map(b"".join))
CUTS = st.lists(st.integers(0, 400), max_size=6)


@given(REQUESTS, CUTS)
def test_request_heads(data: bytes, cuts: list[int]) -> None:
    """A request head is refused or read, in one way, and what is sent on means the same."""
    check_request(data, cuts)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_request_heads_of_the_table(row: Row) -> None:
    """The same holds for every known evasion, cut anywhere that matters."""
    size = len(row.request)
    end = row.request.find(b"\r\n\r\n") % size
    for cut in {0, 1, size // 2, end, end + 1, end + 2, end + 3, end + 4, size - 1}:
        check_request(row.request, [cut])


@given(RESPONSES, CUTS)
@example(b"HTTP/1.1 101 \r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nabc", [3, 40])
def test_response_heads(data: bytes, cuts: list[int]) -> None:
    """A response head is refused or read, in one way, and opens a tunnel only if asked."""
    check_response(data, cuts)


@given(CHUNKS, CUTS)
@example(b"1\r\na\r\n0\r\nA: b\r\n\r\nGET", [1, 2, 3, 4, 5, 6, 7])
def test_chunked_bodies(data: bytes, cuts: list[int]) -> None:
    """A chunked body ends where a strict reader sees its end, wherever it is cut."""
    check_chunks(data, cuts)


@given(st.binary(max_size=200), CUTS)
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    """Nothing crashes whatever comes."""
    check_request(data, cuts)
    check_response(data, cuts)
    check_chunks(data, cuts)
