"""A line of a log to the request that it tells of, whatever stands in front of it.

Compose, `docker logs -t`, syslog and the journal put something in front of each line, and
Docker's `json-file` driver puts each into an object of JSON. What programs write is
known in `logs.logformats`. Nothing here opens a file or knows a clock.
"""

import re
from typing import Final

from trioproxy.evidence.strictjson import parse
from trioproxy.logs.logdates import STAMP, rfc3339
from trioproxy.logs.logformats import FORMATS, LogEntry, text_bytes

LINE_LIMIT: Final = 64 * 1024
"""Bytes of a line that are looked at; HAProxy writes no longer ones."""

PREFIXES_READ: Final = 4
"""How many things may stand in front of a line: Compose, `docker logs -t`, syslog."""


def read_line(line: bytes) -> LogEntry | None:
    """Read a line, without its end; None if it tells of no request in a known form."""
    date, line = _without_prefixes(line)
    data = None
    if line.startswith(b"{"):
        try:
            data = parse(line)
        except ValueError:
            return None
        if isinstance(inner := data.get("log"), str) and "stream" in data:
            # The file of Docker's `json-file` driver: each line is a line of another log.
            stamped = rfc3339(text_bytes(data.get("time")))
            return _dated(read_line(text_bytes(inner).rstrip(b"\r\n")), stamped)
    for one in FORMATS:
        if entry := one.text(line) if data is None else one.json(data):
            return _dated(entry._replace(form=one.name), date)
    return None


def _dated(entry: LogEntry | None, date: float | None) -> LogEntry | None:
    """With a date that stood in front of the line, where it has none of its own."""
    return entry._replace(date=date) if entry and entry.date is None else entry


_COLOURS: Final = re.compile(rb"\x1b\[[0-9;]{0,16}m")
_PREFIX: Final = re.compile(
    rb"|".join(
        [
            # Compose, and Swarm's `docker service logs`: `socket-proxy-1  | `
            rb"[A-Za-z0-9][A-Za-z0-9_.@-]{0,200} *\| ?",
            # `docker logs -t`; Kubernetes' runtimes add `stdout F `
            STAMP + rb" (?:std(?:out|err) [FP] )?",
            # syslog of old, and journalctl: `Nov 25 19:38:27 host haproxy[8]: `
            rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
            rb"[A-Za-z0-9_.:-]{1,255} [A-Za-z0-9_./-]{1,64}(?:\[\d{1,10}\])?: ",
            # journalctl -o short-iso, and rsyslog: a stamp came before it
            rb"[A-Za-z0-9_.-]{1,255} [A-Za-z0-9_./-]{1,64}(?:\[\d{1,10}\])?: ",
            # syslog (RFC 5424)
            rb"<\d{1,3}>1 "
            + STAMP.replace(b"stamp", b"stamp5424")
            + rb" \S{1,255} \S{1,48}"
            rb" \S{1,128} \S{1,32} (?:-|\[[^\]]{0,200}\]) (?:\xef\xbb\xbf)?",
        ]
    )
)


def _without_prefixes(line: bytes) -> tuple[float | None, bytes]:
    """Take away what others put in front; the date that was among it, and the rest."""
    if b"\x1b" in line:
        line = _COLOURS.sub(b"", line)
    date: float | None = None
    for _ in range(PREFIXES_READ):
        found = _PREFIX.match(line)
        if not found:
            break
        if stamp := found["stamp"] or found["stamp5424"]:
            date = rfc3339(stamp)
        line = line[found.end() :]
    return date, line
