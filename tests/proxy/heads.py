"""What must hold for any bytes whatever: run by hypothesis here, and by `make fuzz`."""

from collections.abc import Iterator, Sequence
from typing import Final

from tests.strict import Unclear, read_chunks, read_requests
from trioproxy.errors import BadRequest, UpstreamError
from trioproxy.http.framing import NO_BODY, Chunked
from trioproxy.http.request import UnfinishedHead, resume_at
from trioproxy.http.response import ResponseHead, find_response_end, parse_response
from trioproxy.judge.gate import Gate
from trioproxy.proxy.admission import Admission, Admitted, Parsed, Pending

GATE: Final = Gate.learning(learns_arguments=False)
"""Lets everything pass, so that each head is written anew."""

REFUSED: Final = "refused"
INCOMPLETE: Final = "incomplete"

ASKED: Final = [
    Admission(GATE).admit(head)
    for head in (
        b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n",
        b"HEAD /_ping HTTP/1.0\r\n\r\n",
        b"POST /exec/a/start HTTP/1.1\r\nHost: d\r\n\r\n",
        b"POST /exec/a/start HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\n\r\n",
    )
]
"""Requests whose answers are read in different ways."""


def check_request(data: bytes, cuts: Sequence[int]) -> None:
    """A head is read in one way however it comes, and its forwarded form means the same."""
    head = _request_of(_pieces(data))
    assert _request_of(_pieces(data, *cuts)) == head
    assert _request_of(_pieces(data), _seen_before(data)) == head
    if isinstance(head, Admitted):
        _check_forwarded(head)


def check_response(data: bytes, cuts: Sequence[int]) -> None:
    """An answer is read in one way however it comes, or is no answer."""
    for request in ASKED:
        assert isinstance(request, Admitted)
        response = _response_of(_pieces(data), request)
        assert _response_of(_pieces(data, *cuts), request) == response
        if isinstance(response, ResponseHead):
            assert 100 <= response.status <= 999
            assert response.switches <= request.traits.is_tunnel


def check_chunks(data: bytes, cuts: Sequence[int]) -> None:
    """A chunked body ends where a strict reader sees its end, however it comes."""
    outcome = _scan(_pieces(data))
    assert _scan(_pieces(data, *cuts)) == outcome
    try:
        _, is_whole, rest = read_chunks(data)
    except Unclear:
        assert outcome == REFUSED
    else:
        assert outcome == (len(data) - len(rest) if is_whole else INCOMPLETE)


def _pieces(data: bytes, *cuts: int) -> Iterator[bytes]:
    ends = [*sorted(cuts), len(data)]
    start = 0
    for end in ends:
        yield data[start:end]
        start = end


def _seen_before(data: bytes) -> Admission:
    """Read the same header fields under another request line: they are known then."""
    admission = Admission(GATE)
    block = data.partition(b"\r\n")[2]
    for _ in ("judged", "judged and kept"):
        _request_of(_pieces(b"GET /_ping HTTP/1.1\r\n" + block), admission)
    return admission


def _request_of(
    pieces: Iterator[bytes], admission: Admission | None = None
) -> Admitted | Parsed | str:
    head = UnfinishedHead()
    try:
        for piece in pieces:
            end = head.feed(piece)
            if end >= 0:
                raw = bytes(head.data)[:end]
                admitted = (admission or Admission(GATE)).admit(raw)
                return admitted.parsed if isinstance(admitted, Pending) else admitted
    except BadRequest:
        return REFUSED
    return INCOMPLETE


def _response_of(pieces: Iterator[bytes], request: Admitted) -> ResponseHead | str:
    data = b""
    try:
        for piece in pieces:
            start = resume_at(data)
            data += piece
            end = find_response_end(data, start)
            if end >= 0:
                return parse_response(data[:end], request.expected)
    except UpstreamError:
        return REFUSED
    return INCOMPLETE


def _scan(pieces: Iterator[bytes]) -> int | str:
    scanner = Chunked(BadRequest)
    used = 0
    try:
        for piece in pieces:
            used += feed_all(scanner, piece)
            assert scanner.passed == used
            if scanner.done:
                return used
    except BadRequest:
        return REFUSED
    return INCOMPLETE


def feed_all(scanner: Chunked, piece: bytes) -> int:
    """Feed one piece in as many steps as it takes; how much of it is body."""
    at = 0
    while at < len(piece) and not scanner.done:
        at = scanner.feed(piece, at, len(piece))
    return at


def _check_forwarded(head: Admitted) -> None:
    again = Admission(GATE).admit(head.upstream)
    assert isinstance(again, Admitted)
    first, second = head.verdict.request, again.verdict.request
    assert again.upstream == head.upstream
    assert second.endpoint is first.endpoint
    assert second.target.path == first.target.path
    assert second.target.query == first.target.query
    assert (again.framing, again.expected) == (head.framing, head.expected)
    assert again.traits is head.traits
    if not head.expected.upgrades:
        (read,) = read_requests(head.upstream)
        assert read.line == f"{first.method} {first.target.canonical.decode()}"
        assert read.is_whole == (head.framing == NO_BODY)
