"""The logs of other programs, one row of a table each: from a line to a request.

Logs are written by programs that many versions have changed, and hold what clients chose.
So a line is taken only where all of it has the form that is known, and is passed over
otherwise: a request that was not recognised is one grant too few, one that was made up
would be one too many. What a program writes of a client's text it escapes, in its own
way, so that no client can end a line, or a word of it; each reader undoes just that.

A line may be torn, or cut: HAProxy cuts its own at 1,023 bytes. A target counts as whole
where something follows it in the line, and where it was cut behind its `?`, for of a
query nothing is kept.
"""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from trioproxy import percent
from trioproxy.evidence.sight import REFUSED, UNPROVEN
from trioproxy.judge.outcome import host_of_client
from trioproxy.logs.logdates import httplog_date, rfc3339
from trioproxy.values import ordered_class


class LogEntry(NamedTuple):
    """A request, as a log tells of it."""

    date: float | None
    """Seconds since the epoch, if the line has a date."""
    client: str
    """Who asked, as evidence names it; empty if the log does not say."""
    method: str
    """Empty where the request could not be read, or its line was torn."""
    target: bytes = b""
    """As it was received."""
    result: str = ""
    """The Engine's status, `refused` or `unproven`; empty if the Engine did not answer."""
    is_whole: bool = True
    """Whether the target's path is all there."""
    agent: str = ""
    form: str = ""
    """Who wrote the line; `read_line` fills it in."""


@ordered_class
class Format:
    """How one program writes its log."""

    name: str
    text: Callable[[bytes], LogEntry | None]
    """Reads a line; None: it tells of no request, or is not this program's."""
    json: Callable[[dict[str, Any]], LogEntry | None] = lambda _: None
    hint: str = ""
    """What to do where such a log shows less than it could."""


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
_BEFORE_THE_ANSWER: Final = frozenset(b"RQCH")
"""Where a session was that ended early: request, queue, connect, head of the answer."""


def _haproxy(line: bytes) -> LogEntry | None:
    found = _HTTPLOG.fullmatch(line)
    if not found:
        return None
    date = httplog_date(found["date"])
    client = _client(found["client"])
    asked = _REQUEST.fullmatch(found["request"])
    if not asked:
        is_whole = found["request"] == b"<BADREQ>"  # else the line was torn
        return LogEntry(date=date, client=client, method="", is_whole=is_whole)
    method, target, ending = asked.groups()
    # `"`, `#` and what is not visible are written as `#22`.
    target = _HASHED.sub(lambda one: bytes((int(one[1], 16),)), target)
    return LogEntry(
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


# -- programs that write name=value words --------------------------------------------------

_WORD: Final = re.compile(
    rb'([A-Za-z0-9_.-]{1,64})=("(?:[^"\\]|\\.)*"|[^\s"]*)(?: |\Z)'
)
_GO_ESCAPE: Final = re.compile(rb"\\(x[0-9a-f]{2}|[\"\\])")


Words = dict[str, bytes]
"""What a line says, by name, whether it was written as words or as JSON."""


def _words(
    line: bytes,
    word: re.Pattern[bytes] = _WORD,
    escape: re.Pattern[bytes] = _GO_ESCAPE,
) -> Words:
    """The words that a line of Go's slog or logrus begins with; what is no word ends them.

    A name counts where it stands first: nothing behind it can take its place.
    """
    words, end = Words(), 0
    while found := word.match(line, end):
        name, value = found.groups()
        if value.startswith(b'"'):
            value = escape.sub(_unescape, value[1:-1])
        words.setdefault(name.decode(), value)
        end = found.end()
    return words


def _unescape(found: re.Match[bytes]) -> bytes:
    text = found[1]
    return bytes((int(text[1:], 16),)) if text[:1] == b"x" else text


def _words_of(data: dict[str, Any]) -> Words:
    """The same of a line of JSON, with `URL.Path` for a part of one."""
    words = Words()
    for name, value in data.items():
        words[name] = _said(value)
        if isinstance(value, dict):
            words |= {f"{name}.{part}": _said(one) for part, one in value.items()}
    return words


def _said(value: object) -> bytes:
    return text_bytes(str(value)) if isinstance(value, str | int) else b""


def _slog(
    name: str,
    mark: bytes,
    last: str,
    read: Callable[[Words], LogEntry | None],
    hint: str = "",
) -> Format:
    """A format whose lines have a mark; those without their last word were torn."""

    def text(line: bytes) -> LogEntry | None:
        if not (line.startswith(b"time=") and mark in line):
            return None
        words = _words(line)
        return read(words) if last in words else None

    return Format(name, text, lambda data: read(_words_of(data)), hint)


def _text(words: Words, name: str) -> str:
    return words.get(name, b"").decode("ascii", "replace")


def _escaped(path: bytes) -> bytes:
    return percent.encode(path, percent.IN_PATHS).encode()


def _wollomatic_request(words: Words) -> LogEntry | None:
    # It writes a line before it asks the Engine, and none behind it.
    results = {"allowed request": UNPROVEN, "blocked request": REFUSED}
    result = results.get(_text(words, "msg"))
    target = (
        words.get("URL")
        or words.get("URL.RawPath")
        or _escaped(words.get("URL.Path", b""))
    )
    if result is None or not target:
        return None
    return LogEntry(
        date=rfc3339(words.get("time", b"")),
        client=host_of_client(_text(words, "client")),
        method=_text(words, "method"),
        target=target,
        result=result,
    )


# -- sockguard: its audit log, and its access log ------------------------------------------

_OF_ACCESS: Final = frozenset({"request", "request_denied", "request_would_deny"})
_PASSED_ON: Final = frozenset({"allow", "would_deny"})
"""Decisions after which the Engine is asked; without one it was not."""
_IN_ITS_PLACE: Final = frozenset({"502", "504"})
"""What sockguard answers for want of the Engine, and the Engine never does."""


def _sockguard_request(words: Words) -> LogEntry | None:
    if _text(words, "event_type") == "http_request":
        date, path, client = "timestamp", "raw_path", "actor_remote_addr"
    elif _text(words, "msg") in _OF_ACCESS and "decision" in words:
        date, path, client = "time", "path", "client"
    else:
        return None
    decision, result = _text(words, "decision"), _text(words, "status")
    if decision == "deny":
        result = REFUSED
    elif decision not in _PASSED_ON or result in _IN_ITS_PLACE:
        result = ""
    peer = _text(words, client)
    return LogEntry(
        date=rfc3339(words.get(date, b"")),
        # Go calls a client without a name of its own `@`.
        client="unix" if peer in {"", "@", "unix"} else host_of_client(peer),
        method=_text(words, "method"),
        # "Raw" is said of its version: what was escaped in it is decoded, as it is where
        # the Engine chooses a route.
        target=_escaped(words.get(path, b"")),
        result=result,
    )


# -- the Engine itself, with -D --------------------------------------------------------------

_CALLING: Final = re.compile(rb"Calling ([A-Z]{1,32}) (/\S*)")
_HANDLING: Final = re.compile(rb"(handling|error response for) ([A-Z]{1,32}) request")


def _dockerd_request(words: Words) -> LogEntry | None:
    """Up to 28 it says what it is called for; since then also when that fails."""
    message, result = words.get("msg", b""), UNPROVEN
    # What stands behind the URL is missing where that was torn, maybe.
    target = words.get("request-url", b"") if "vars" in words else b""
    if found := _CALLING.fullmatch(message):
        method, target = found.groups()
    elif found := _HANDLING.fullmatch(message):
        method = found[2]
        if found[1] != b"handling":
            result = _text(words, "status")
    else:
        return None
    if not target.startswith(b"/"):
        return None
    return LogEntry(
        date=rfc3339(words.get("time", b"")),
        client="",
        method=method.decode(),
        target=target,
        result=result,
    )


# -- our own ---------------------------------------------------------------------------------

_OUR_LINE: Final = re.compile(rb"[a-z]{3,10} (?:request|opened) (.*)")
_OUR_WORD: Final = re.compile(rb'([a-z]{1,16})=("[^"]*"|[^\s"]*)(?: |\Z)')
_NO_ESCAPE: Final = re.compile(rb"(?!)")
_SHOWN_LIMIT: Final = 256
"""Our log shows so much of a path (`Target.shown`)."""


def _own(line: bytes) -> LogEntry | None:
    found = _OUR_LINE.fullmatch(line)
    return found and _our_request(_words(found[1], _OUR_WORD, _NO_ESCAPE))


def _own_json(data: dict[str, Any]) -> LogEntry | None:
    is_told = data.get("event") in {"request", "opened"}
    return _our_request(_words_of(data)) if is_told else None


def _our_request(words: Words) -> LogEntry | None:
    if not {"decision", "by", "client"} <= words.keys():
        return None
    path, result = words.get("path", b""), _text(words, "status")
    if _text(words, "by") != "engine":
        result = REFUSED if _text(words, "decision") == "refused" else ""
    # Who has a policy is known by its name, from whatever address it comes.
    named, at, _ = _text(words, "client").partition("@")
    return LogEntry(
        date=rfc3339(words.get("time", b"")),
        client=named if at else host_of_client(named),
        method=_text(words, "method"),
        target=path,
        result=result if result != "-" else "",
        is_whole=len(path) < _SHOWN_LIMIT,
        agent=_text(words, "agent"),
    )


# -- what they share ----------------------------------------------------------------------


def _client(text: bytes) -> str:
    return text.decode("ascii", "replace").removeprefix("::ffff:")


def text_bytes(value: object) -> bytes:
    """A text of JSON as bytes; nothing where it is no text."""
    return value.encode("utf-8", "replace") if isinstance(value, str) else b""


FORMATS: Final = (
    Format("HAProxy (tecnativa, linuxserver)", _haproxy),
    _slog(
        "wollomatic",
        b' request" ',
        "client",
        _wollomatic_request,
        hint="wollomatic logs what it lets pass at -loglevel debug only",
    ),
    _slog("sockguard", b" msg=request", "client", _sockguard_request),
    _slog("dockerd -D", b"level=debug", "msg", _dockerd_request),
    Format("trioproxy", _own, _own_json),
)
"""The logs that are read. wollomatic and most of dockerd leave out the Engine's answer."""

PROGRAMS: Final = ", ".join(one.name for one in FORMATS)
"""Who wrote them, in words."""
