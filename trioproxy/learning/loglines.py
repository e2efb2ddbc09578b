"""A line of a log to the request that it tells of: one row of a table for each program.

Logs are written by programs that many versions have changed, sent on by others that put
something in front of each line, and hold what clients chose. So a line is taken only
where all of it has the form that is known, and is passed over otherwise: a request that
was not recognised is one grant too few, one that was made up would be one too many. What
a program writes of a client's text it escapes, in its own way, so that no client can end
a line, or a word of it; each reader undoes just that.

A line may be torn, or cut: HAProxy cuts its own at 1,023 bytes. A target counts as whole
where something follows it in the line, and where it was cut behind its `?`, for of a
query nothing is kept. Nothing here opens a file or knows a clock.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from trioproxy import percent
from trioproxy.learning.shape import REFUSED, UNPROVEN
from trioproxy.learning.strictjson import parse
from trioproxy.policy.outcome import name_of_client

LINE_LIMIT: Final = 64 * 1024
"""Bytes of a line that are looked at; HAProxy writes no longer ones."""

PREFIXES_READ: Final = 4
"""How many things may stand in front of a line: Compose, `docker logs -t`, syslog."""


class Entry(NamedTuple):
    """A request, as a log tells of it."""

    date: float | None
    """Seconds since the epoch, if the line has a date."""
    client: str
    """Who asked, as evidence names it; empty if the log does not say."""
    method: str
    """Empty where the request could not be read."""
    target: bytes = b""
    """As it was received."""
    result: str = ""
    """The Engine's status, `refused` or `unproven`; empty if the Engine did not answer."""
    is_whole: bool = True
    """Whether the target's path is all there."""
    agent: str = ""
    form: str = ""
    """Who wrote the line; `read_line` fills it in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one program writes its log."""

    name: str
    text: Callable[[bytes], Entry | None]
    """Reads a line; None: it tells of no request, or is not this program's."""
    json: Callable[[dict[str, Any]], Entry | None] = lambda _: None
    hint: str = ""
    """What to do where such a log shows less than it could."""


def read_line(line: bytes) -> Entry | None:
    """Read a line, without its end; None if it tells of no request in a known form."""
    date, line = _without_prefixes(line)
    if line.startswith(b"{"):
        return _read_json(line, date)
    for one in FORMATS:
        if entry := one.text(line):
            return entry._replace(
                date=date if entry.date is None else entry.date, form=one.name
            )
    return None


def _read_json(line: bytes, date: float | None) -> Entry | None:
    try:
        data = parse(line)
    except ValueError:
        return None
    inner = data.get("log")
    if isinstance(inner, str) and "stream" in data:
        # The file of Docker's `json-file` driver: each line is a line of another log.
        stamped = _rfc3339(_bytes(data.get("time")))
        entry = read_line(_bytes(inner).rstrip(b"\r\n"))
        return entry and entry._replace(
            date=stamped if entry.date is None else entry.date
        )
    for one in FORMATS:
        if entry := one.json(data):
            return entry._replace(
                date=date if entry.date is None else entry.date, form=one.name
            )
    return None


# -- what stands in front of a line --------------------------------------------------------

_COLOURS: Final = re.compile(rb"\x1b\[[0-9;]{0,16}m")
_STAMP: Final = (
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
)
_PREFIX: Final = re.compile(
    rb"|".join(
        [
            # Compose, and Swarm's `docker service logs`: `socket-proxy-1  | `
            rb"[A-Za-z0-9][A-Za-z0-9_.@-]{0,200} *\| ?",
            # `docker logs -t`; Kubernetes' runtimes add `stdout F `
            rb"(?P<stamp>" + _STAMP + rb") (?:std(?:out|err) [FP] )?",
            # syslog of old, and journalctl: `Nov 25 19:38:27 host haproxy[8]: `
            rb"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d "
            rb"[A-Za-z0-9_.:-]{1,255} [A-Za-z0-9_./-]{1,64}(?:\[\d{1,10}\])?: ",
            # journalctl -o short-iso, and rsyslog: a stamp came before it
            rb"[A-Za-z0-9_.-]{1,255} [A-Za-z0-9_./-]{1,64}(?:\[\d{1,10}\])?: ",
            # syslog (RFC 5424)
            rb"<\d{1,3}>1 (?P<stamp5424>" + _STAMP + rb") \S{1,255} \S{1,48}"
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
            date = _rfc3339(stamp)
        line = line[found.end() :]
    return date, line


# -- HAProxy, as tecnativa and linuxserver configure it: `option httplog` ------------------

_HTTPLOG: Final = re.compile(
    rb"(?P<client>[0-9A-Za-z:.%]{1,64}):\d{1,10}"
    rb" \[(?P<date>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\]"
    rb" \S{1,256} \S{1,256}/\S{1,256}"
    rb" \+?-?\d+(?:/\+?-?\d+){4} (?P<status>-1|\d{3}) \+?\d+"
    rb" \S{1,256} \S{1,256} (?P<state>[A-Za-z-]{2})[A-Za-z-]{2}"
    rb" \d+(?:/\+?\d+){4} \d+/\d+ (?:\{[^\"]*\} )?"
    rb"\"(?P<request>[^\"]*)\"?"
)
_REQUEST: Final = re.compile(rb"([!-~]{1,32}) (\S+)( .*)?")
_HASHED: Final = re.compile(rb"#([0-9A-F]{2})")
_MONTHS: Final = (
    b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # as HAProxy writes them
)
_BEFORE_THE_ANSWER: Final = frozenset(b"RQCH")
"""Where a session was that ended early: request, queue, connect, head of the answer."""


def _haproxy(line: bytes) -> Entry | None:
    found = _HTTPLOG.fullmatch(line)
    if not found:
        return None
    date = _httplog_date(found["date"])
    client = _client(found["client"])
    asked = _REQUEST.fullmatch(found["request"])
    if not asked:
        return Entry(date=date, client=client, method="")  # <BADREQ>
    method, target, ending = asked.groups()
    # `"`, `#` and what is not visible are written as `#22`.
    target = _HASHED.sub(lambda one: bytes((int(one[1], 16),)), target)
    return Entry(
        date=date,
        client=client,
        method=method.decode(),
        target=target,
        result=_haproxys_result(found["status"].decode(), found["state"]),
        # HAProxy keeps 1,023 bytes of a request line, and of a line of its log.
        is_whole=ending is not None or b"?" in target,
    )


def _haproxys_result(status: str, state: bytes) -> str:
    """Whose answer it was, by the termination state: `PR` is HAProxy's refusal."""
    if state == b"PR":
        return REFUSED if status == "403" else ""
    if status == "-1" or (state[:1] != b"-" and state[1] in _BEFORE_THE_ANSWER):
        return ""
    return status


def _httplog_date(text: bytes) -> float | None:
    minute = _httplog_minute(text[:17])
    return None if minute is None else minute + float(text[18:])


@lru_cache(maxsize=64)
def _httplog_minute(text: bytes) -> float | None:
    """25/Nov/2026:19:38, in the time of the container, which is UTC unless it is told."""
    if text[3:6] not in _MONTHS:
        return None
    month = _MONTHS.index(text[3:6]) + 1
    day, year, hour = int(text[:2]), int(text[7:11]), int(text[12:14])
    return _epoch(year, month, day, hour, int(text[15:]))


# -- programs that write name=value words --------------------------------------------------

_WORD: Final = re.compile(
    rb'([A-Za-z0-9_.-]{1,64})=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |\Z)'
)
_GO_ESCAPE: Final = re.compile(rb"\\(x[0-9a-f]{2}|[\"\\])")


def _words(line: bytes) -> dict[bytes, bytes]:
    """The words of a line of Go's slog or logrus; what is no word ends them.

    A name counts where it stands first: nothing behind it can take its place.
    """
    words = dict[bytes, bytes]()
    end = 0
    while found := _WORD.match(line, end):
        name, value = found.groups()
        if value.startswith(b'"'):
            value = _GO_ESCAPE.sub(_unescape, value[1:-1])
        words.setdefault(name, value)
        end = found.end()
    return words


def _unescape(found: re.Match[bytes]) -> bytes:
    text = found[1]
    return bytes((int(text[1:], 16),)) if text[:1] == b"x" else text


def _wollomatic(line: bytes) -> Entry | None:
    if not (line.startswith(b"time=") and b' request" ' in line):
        return None
    words = _words(line)
    if b"client" not in words:
        return None  # the line was torn, and maybe its URL
    return _wollomatic_request(
        message=words.get(b"msg", b""),
        date=words.get(b"time", b""),
        method=words.get(b"method", b""),
        target=words.get(b"URL", b""),
        client=words.get(b"client", b""),
    )


def _wollomatic_json(data: dict[str, Any]) -> Entry | None:
    url = data.get("URL")
    if not isinstance(url, dict):
        return None
    return _wollomatic_request(
        message=_bytes(data.get("msg")),
        date=_bytes(data.get("time")),
        method=_bytes(data.get("method")),
        target=_bytes(url.get("RawPath")) or _escaped(_bytes(url.get("Path"))),
        client=_bytes(data.get("client")),
    )


_IN_PATHS: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/!$&'()*+,;=:@"
)


def _escaped(path: bytes) -> bytes:
    return percent.encode(path, _IN_PATHS).encode()


def _wollomatic_request(
    *, message: bytes, date: bytes, method: bytes, target: bytes, client: bytes
) -> Entry | None:
    # It writes a line before it asks the Engine, and none behind it.
    results = {b"allowed request": UNPROVEN, b"blocked request": REFUSED}
    if message not in results or not target:
        return None
    return Entry(
        date=_rfc3339(date),
        client=_client_of(client.decode("ascii", "replace")),
        method=method.decode("ascii", "replace"),
        target=target,
        result=results[message],
    )


# -- the Engine itself, with -D --------------------------------------------------------------

_CALLING: Final = re.compile(rb"Calling ([A-Z]{1,32}) (/\S*)")
_HANDLING: Final = re.compile(rb"(handling|error response for) ([A-Z]{1,32}) request")


def _dockerd(line: bytes) -> Entry | None:
    if not (line.startswith(b"time=") and b"level=debug" in line):
        return None
    words = _words(line)
    return _dockerd_request(
        date=words.get(b"time", b""),
        message=words.get(b"msg", b""),
        # Without a word behind it the line was torn, and maybe the URL.
        target=words.get(b"request-url", b"") if b"vars" in words else b"",
        status=words.get(b"status", b""),
    )


def _dockerd_json(data: dict[str, Any]) -> Entry | None:
    return _dockerd_request(
        date=_bytes(data.get("time")),
        message=_bytes(data.get("msg")),
        target=_bytes(data.get("request-url")),
        status=str(data.get("status", "")).encode("ascii", "replace"),
    )


def _dockerd_request(
    *, date: bytes, message: bytes, target: bytes = b"", status: bytes = b""
) -> Entry | None:
    """Up to 28 it says what it is called for; since then also when that fails."""
    result = UNPROVEN
    if found := _CALLING.fullmatch(message):
        method, target = found.groups()
    elif found := _HANDLING.fullmatch(message):
        method = found[2]
        if found[1] != b"handling":
            result = status.decode("ascii", "replace")
    else:
        return None
    if not target.startswith(b"/"):
        return None
    return Entry(
        date=_rfc3339(date),
        client="",
        method=method.decode(),
        target=target,
        result=result,
    )


# -- our own ---------------------------------------------------------------------------------

_OUR_LINE: Final = re.compile(rb"[a-z]{3,10} (?:request|opened) (.*)")
_OUR_WORD: Final = re.compile(rb'([a-z]{1,16})=("[^"]*"|[^\s"]*)(?: |\Z)')
_SHOWN_LIMIT: Final = 256
"""Our log shows so much of a path (`Target.shown`)."""


def _own(line: bytes) -> Entry | None:
    found = _OUR_LINE.fullmatch(line)
    if not found:
        return None
    words = dict[str, str]()
    for name, value in _our_words(found[1]):
        words.setdefault(name, value)
    return _our_request(words)


def _our_words(text: bytes) -> Iterator[tuple[str, str]]:
    end = 0
    while found := _OUR_WORD.match(text, end):
        yield found[1].decode(), found[2].strip(b'"').decode("ascii", "replace")
        end = found.end()


def _own_json(data: dict[str, Any]) -> Entry | None:
    if data.get("event") not in {"request", "opened"}:
        return None
    words = {name: str(value) for name, value in data.items() if value is not None}
    entry = _our_request(words)
    return entry and entry._replace(date=_rfc3339(_bytes(data.get("time"))))


def _our_request(words: dict[str, str]) -> Entry | None:
    if not {"decision", "by", "client"} <= words.keys():
        return None
    path = words.get("path", "")
    result = words.get("status", "")
    if words["by"] != "engine":
        result = REFUSED if words["decision"] == "refused" else ""
    return Entry(
        date=None,
        client=_client_of(words["client"]),
        method=words.get("method", ""),
        target=path.encode("ascii", "replace"),
        result=result if result != "-" else "",
        is_whole=len(path) < _SHOWN_LIMIT,
        agent=words.get("agent", ""),
    )


# -- what they share -------------------------------------------------------------------------

_RFC3339: Final = re.compile(
    rb"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)"
)


def _rfc3339(text: bytes) -> float | None:
    found = _RFC3339.fullmatch(text)
    if not found:
        return None
    day, minute, second, fraction, zone = found.groups()
    begun = _rfc3339_minute(day, minute, zone)
    if begun is None:
        return None
    return begun + int(second) + float(b"0." + (fraction or b"0"))


@lru_cache(maxsize=64)
def _rfc3339_minute(day: bytes, minute: bytes, zone: bytes) -> float | None:
    begun = _epoch(*map(int, [*day.split(b"-"), *minute.split(b":")]))
    if begun is None or zone == b"Z":
        return begun
    digits = zone[1:].replace(b":", b"")
    ahead = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return begun - ahead if zone[:1] == b"+" else begun + ahead


def _epoch(year: int, month: int, day: int, hour: int, minute: int) -> float | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    try:
        return datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()
    except ValueError:
        return None


FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 9000
"""A date outside of these is none: a clock that was never set says 1970."""


def _client(text: bytes) -> str:
    return text.decode("ascii", "replace").removeprefix("::ffff:")


def _client_of(peer: str) -> str:
    """The client without its port, as the recorder has it."""
    return name_of_client(peer).strip("[]").removeprefix("::ffff:")


def _bytes(value: object) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


FORMATS: Final = (
    Format(name="HAProxy (tecnativa, linuxserver)", text=_haproxy),
    Format(
        name="wollomatic",
        text=_wollomatic,
        json=_wollomatic_json,
        hint="wollomatic logs what it lets pass at -loglevel debug only",
    ),
    Format(name="dockerd -D", text=_dockerd, json=_dockerd_json),
    Format(name="trioproxy", text=_own, json=_own_json),
)
"""The logs that are read. All but HAProxy's and ours leave out the Engine's answer."""
