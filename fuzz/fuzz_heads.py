"""Fuzz what strangers send: targets, heads of both sides, chunked bodies.

`make fuzz` runs it for 60 s. What must hold is in tests/proxy/heads.py; the known ways
around a filter are the seeds; what else reaches new code is kept in fuzz/corpus. Options go
to libFuzzer in place of ours; the name of a file alone runs that input again.
"""

import sys
import zlib
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["trioproxy", "h11"]):
    from tests.proxy.evasions import ROWS
    from tests.proxy.heads import check_chunks, check_request, check_response

CORPUS = Path(__file__).parent / "corpus"
DEFAULTS = (
    "-max_total_time=60",
    "-max_len=1024",
    "-timeout=10",
    "-print_final_stats=1",
    f"-artifact_prefix={CORPUS.parent}/found-",
    str(CORPUS),
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK",
    b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
)
CHUNKS = (b"2\r\n{}\r\n0\r\n\r\n", b"A\r\n0123456789\r\n0\r\nA: b\r\n\r\nGET")


def check(data: bytes) -> None:
    """Whatever the bytes, and wherever they are cut, the properties hold."""
    cut = zlib.crc32(data) % (len(data) + 1)
    check_request(data, [cut])
    check_request(b"GET " + data + b" HTTP/1.1\r\nHost: d\r\n\r\n", [cut])
    check_response(data, [cut])
    check_chunks(data, [cut])


def main() -> None:
    """Run until the time is over, or until something fails."""
    CORPUS.mkdir(exist_ok=True)
    for number, seed in enumerate([*(row.request for row in ROWS), *ANSWERS, *CHUNKS]):
        (CORPUS / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *(sys.argv[1:] or DEFAULTS)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
