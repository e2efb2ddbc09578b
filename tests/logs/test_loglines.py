"""Lines of logs: what programs really wrote is read, and what clients made up is not."""

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.judge.judging import judged
from trioproxy.config import Level, LogFormat
from trioproxy.evidence.sight import REFUSED
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Moment, Outcome
from trioproxy.logs.logformats import FORMATS, LogEntry
from trioproxy.logs.loglines import read_line
from trioproxy.proxy.log import Log

LOGS = Path(__file__).parents[1] / "data" / "logs"
HAPROXY, WOLLOMATIC, SOCKGUARD, DOCKERD, OURS = (one.name for one in FORMATS)

GET = "GET /v1.45/containers/json"
WRITTEN = {
    "haproxy.log": [
        f"{GET} 200 127.0.0.11",
        "GET /v1.45/containers/a%20b%22c/json 200 127.0.0.1",
        'GET /v1.45/containers/a"b{c|d}e~f/json 200 127.0.0.1',
        "unread",  # bytes of UTF-8
        "unread",  # a #
        "unread",  # a space
        "POST /v1.45/containers/create refused 127.0.0.1",
        "GET /info - 127.0.0.1",  # the Engine was away
        "unread",  # no HTTP
        "HEAD /_ping 200 127.0.0.1",
        "unread",  # another host than `Host` says
        f"{GET} 200 unix",
        f"{GET} 200 ::1",
        "cut",
        f"{GET} 200 127.0.0.1",  # cut in its query
    ],
    "wollomatic.log": [
        f"{GET} unproven 127.0.0.1",
        f"{GET} unproven 127.0.0.1",
        "GET /v1.45/containers/a%20b%2Fc%22/json unproven 127.0.0.1",
        "GET /v1.45/containers/a%20b%22/json unproven 127.0.0.1",
        "GET /v1.45/images/a/b:c@x=y/json unproven 127.0.0.1",
        "POST /v1.45/containers/create refused 127.0.0.1",
        "GET /info refused 127.0.0.1",
        "GET http://docker/v1.45/version unproven 127.0.0.1",
        f"{GET} refused 127.0.0.12",
    ],
    "dockerd.log": [
        "HEAD /_ping unproven -",
        "POST /v1.45/images/create unproven -",
        "HEAD /_ping unproven -",
        "POST /v1.45/containers/create unproven -",
        "POST /v1.45/containers/ID/attach unproven -",
        "HEAD /_ping unproven -",
        f"{GET} unproven -",
        "HEAD /_ping unproven -",
        f"{GET} unproven -",
        "HEAD /_ping unproven -",
        "POST /v1.45/containers/create unproven -",
        "POST /v1.45/containers/ID/attach unproven -",
        "HEAD /_ping unproven -",
        "GET /v1.45/containers/nosuch/json unproven -",
        "GET /v1.45/images/nosuch/json unproven -",
        "GET /v1.45/networks/nosuch unproven -",
        "GET /v1.45/volumes/nosuch unproven -",
        "GET /v1.45/info unproven -",
        "GET /v1.45/plugins/nosuch/json unproven -",
        "HEAD /_ping unproven -",
        "DELETE /v1.45/containers/xx unproven -",
    ],
    "dockerd-29.log": [
        "GET /v1.52/containers/json unproven -",
        "GET /v1.52/containers/json unproven -",
        "POST /v1.52/containers/create unproven -",
        "GET /v1.52/networks/nosuch unproven -",
        "GET /v1.52/networks/nosuch 404 -",
    ],
    "sockguard.log": [
        f"{GET} 200 172.18.0.5",
        "GET /v1.45/containers/a%20b%22/json 404 172.18.0.5",
        "POST /v1.45/containers/create refused 172.18.0.5",
        "POST /v1.45/containers/a/restart 204 ::1",  # it would have been refused
        "GET /info - 172.18.0.5",  # the Engine was away
        "GET /v1.45/images/json 200 unix",
        "GET /health - 172.18.0.5",  # its own
    ],
}
"""What each log tells of. Most were written by the programs themselves, which were asked
for such things; `dockerd-29.log` has the form of moby's `daemon/server/middleware`, and
sockguard's three that of its `internal/logging`."""
WRITTEN["wollomatic-json.log"] = [
    line.replace("http://docker", "") for line in WRITTEN["wollomatic.log"]
]
WRITTEN["sockguard-audit.log"] = WRITTEN["sockguard-json.log"] = WRITTEN[
    "sockguard.log"
]
WRITTEN["dockerd-json.log"] = WRITTEN["dockerd.log"][5:]


def told(entry: LogEntry) -> str:
    """An entry as one line."""
    if not entry.is_whole:
        return "cut"
    if not entry.method:
        return "unread"
    path = entry.target.partition(b"?")[0].decode()
    path = re.sub(r"[0-9a-f]{64}", "ID", path)
    return f"{entry.method} {path} {entry.result or '-'} {entry.client or '-'}"


def read(name: str) -> list[LogEntry]:
    """The entries of a log."""
    lines = (LOGS / name).read_bytes().splitlines()
    return [entry for line in lines if (entry := read_line(line))]


@pytest.mark.parametrize("name", WRITTEN, ids=str)
def test_logs_that_programs_wrote(name: str) -> None:
    """Each request in a log is read as it was made, with its result, its date and who asked."""
    entries = read(name)
    assert all(entry.date for entry in entries)
    assert [told(entry) for entry in entries] == WRITTEN[name]
    program = {
        "haproxy": HAPROXY,
        "wollomatic": WOLLOMATIC,
        "sockguard": SOCKGUARD,
        "dockerd": DOCKERD,
    }
    assert {entry.form for entry in entries} == {program[re.split("[.-]", name)[0]]}


def test_each_log_is_read() -> None:
    """No log is kept for the tests that none of them reads."""
    assert WRITTEN.keys() == {path.name for path in LOGS.iterdir()}


HTTPLOG = (
    b"10.0.0.1:5 [25/Nov/2026:19:38:27.747] proxy docker/socket 0/0/0/3/3 200 12"
    b' - - ---- 1/1/0/0/0 0/0 "GET /info HTTP/1.1"'
)
DATE = 1795635507.747

PREFIXES = {
    "none": b"",
    "compose": b"socket-proxy-1  | ",
    "compose-coloured": b"\x1b[36msocket-proxy-1  | \x1b[0m",
    "docker-logs-t": b"2026-11-25T19:38:28.123456789Z ",
    "compose-logs-t": b"proxy  | 2026-11-25T19:38:28.123456789Z ",
    "docker-service-logs": b"web_proxy.1.k2h7r@node-1    | ",
    "kubernetes": b"2026-11-25T19:38:28.123456789Z stdout F ",
    "syslog": b"Nov 25 19:38:28 host haproxy[8]: ",
    "syslog-with-priority": b"<134>Nov  5 19:38:28 host haproxy[8]: ",
    "journal-iso": b"2026-11-25T19:38:28+0000 host docker/proxy[12]: ",
    "rfc-5424": b"<134>1 2026-11-25T19:38:28.123Z host haproxy 8 - - ",
}


@pytest.mark.parametrize("prefix", PREFIXES.values(), ids=PREFIXES)
def test_what_others_put_in_front(prefix: bytes) -> None:
    """Compose, `docker logs -t`, syslog and the like change nothing of what a line says."""
    entry = read_line(prefix + HTTPLOG)
    assert entry is not None
    assert told(entry) == "GET /info 200 10.0.0.1"
    assert entry.date == pytest.approx(DATE)


def test_the_file_of_a_container() -> None:
    """The json-file driver's own file is read, each line of it a line of the log."""
    line = {"log": f"{HTTPLOG.decode()}\n", "stream": "stdout", "time": "x"}
    entry = read_line(json.dumps(line).encode())
    assert entry is not None
    assert told(entry) == "GET /info 200 10.0.0.1"


DATES = {
    "utc": (b"2026-11-25T19:38:27.747Z", DATE),
    "ahead": (b"2026-11-25T20:38:27.747+01:00", DATE),
    "behind": (b"2026-11-25T15:08:27.747-0430", DATE),
    "nanoseconds": (b"2026-11-25T19:38:27.747000000Z", DATE),
    "no-month": (b"2026-13-25T19:38:27Z", None),
    "no-hour": (b"2026-11-25T25:38:27Z", None),
    "never-set": (b"1970-01-01T00:00:00Z", None),
    "far-away": (b"9999-12-31T23:59:59Z", None),
}


@pytest.mark.parametrize(("text", "date"), DATES.values(), ids=DATES)
def test_dates(text: bytes, date: float | None) -> None:
    """A date is read in its zone; one that cannot be is none."""
    line = b'time=%s level=debug msg="Calling GET /info" spanID=1' % text
    entry = read_line(line)
    assert entry is not None
    assert entry.date == (None if date is None else pytest.approx(date))


def test_bytes_that_the_engine_escapes() -> None:
    """Of a path that is no text the Engine's log has each byte in hexadecimal, and it is read as it came."""
    line = rb'time=2026-11-25T19:38:27Z level=debug msg="handling GET request" method=GET request-url="/images/\xe9\"/json" vars="map[]"'
    entry = read_line(line)
    assert entry is not None
    assert entry.target == b'/images/\xe9"/json'


STATES = {
    "done": (b"200", b"----", "200"),
    "client-gone-later": (b"200", b"CD--", "200"),
    "engine-gone-later": (b"101", b"SD--", "101"),
    "timeout-later": (b"200", b"cD--", "200"),
    "refused": (b"403", b"PR--", REFUSED),
    "engines-own-403": (b"403", b"----", "403"),
    "bad-request": (b"400", b"PR--", ""),
    "engine-away": (b"503", b"SC--", ""),
    "engine-silent": (b"504", b"sH--", ""),
    "engine-broken": (b"502", b"SH--", ""),
    "client-gone": (b"-1", b"CH--", ""),
    "made-by-haproxy": (b"200", b"LR--", ""),
}


@pytest.mark.parametrize(("status", "state", "result"), STATES.values(), ids=STATES)
def test_whose_answer_it_was(status: bytes, state: bytes, result: str) -> None:
    """HAProxy's termination state tells its own answers and refusals from the Engine's."""
    entry = read_line(
        HTTPLOG.replace(b" 200 ", b" %s " % status).replace(b"----", state)
    )
    assert entry is not None
    assert entry.result == result


POLICY = parse_policy({"CONTAINERS": "1"})[0]
GATE = Gate.enforcing(POLICY)
MOMENTS = {
    "engine": ({}, "GET /v1.45/containers/a/json 404 10.0.0.1"),
    "ours": (
        {"is_ours": True, "status": 502},
        "GET /v1.45/containers/a/json - 10.0.0.1",
    ),
    "no-answer": ({"status": 0}, "GET /v1.45/containers/a/json - 10.0.0.1"),
    "opened": ({"moment": Moment.OPENED}, "GET /v1.45/containers/a/json 404 10.0.0.1"),
    "ipv6": ({"peer": "[::1]:5"}, "GET /v1.45/containers/a/json 404 ::1"),
    "unix": ({"peer": "unix:uid=7"}, "GET /v1.45/containers/a/json 404 unix:uid=7"),
    "named": ({"peer": "web@10.0.0.1:5"}, "GET /v1.45/containers/a/json 404 web"),
    "named-unix": ({"peer": "web@unix:uid=7"}, "GET /v1.45/containers/a/json 404 web"),
}


def our_line(outcome: Outcome, form: LogFormat, level: Level = Level.DEBUG) -> bytes:
    """The line that our log has of it."""
    reader, writer = os.pipe()
    with open(reader, "rb") as stream:
        log = Log(level, writer, form)
        log.request(outcome)
        log.finish()
        os.close(writer)
        return stream.read().splitlines()[0]


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize(("more", "expected"), MOMENTS.values(), ids=MOMENTS)
def test_our_own_log(form: LogFormat, more: dict[str, object], expected: str) -> None:
    """What our log writes of a request is what is read from it, in both its formats."""
    verdict = judged(GATE, "GET", b"/v1.45/containers/a/json?x=1", "agent/1")
    fields = {
        "moment": Moment.WHOLE,
        "peer": "10.0.0.1:5",
        "verdict": verdict,
        "status": 404,
        "is_ours": False,
    }
    entry = read_line(our_line(Outcome(**(fields | more)), form))  # type: ignore[arg-type]
    assert entry is not None
    assert told(entry) == expected
    assert (entry.agent, entry.form) == ("agent/1", OURS)
    assert entry.date is not None


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize(
    ("gate", "is_ours", "result"),
    [
        pytest.param(GATE, True, REFUSED, id="enforced"),
        pytest.param(Gate.trying(POLICY), False, "200", id="shadow"),
        pytest.param(Gate.learning(), False, "200", id="learning"),
    ],
)
def test_our_own_refusals(
    form: LogFormat,
    gate: Gate,
    is_ours: bool,
    result: str,
) -> None:
    """What our policy refused is refused; what it would have refused was answered."""
    outcome = Outcome(
        moment=Moment.WHOLE,
        peer="10.0.0.1:5",
        verdict=judged(gate, "GET", b"/images/json"),
        status=403 if is_ours else 200,
        is_ours=is_ours,
    )
    entry = read_line(our_line(outcome, form, Level.INFO))
    assert entry is not None
    assert entry.result == result


@pytest.mark.parametrize("form", LogFormat)
def test_a_path_that_our_log_has_cut(form: LogFormat) -> None:
    """Our log shows 256 characters of a path; one that may be longer is not whole."""
    for length, is_whole in ((250, True), (251, False), (400, False)):
        verdict = judged(GATE, "GET", b"/info/" + b"a" * (length - 1))
        outcome = Outcome(Moment.WHOLE, "10.0.0.1:5", verdict, 200, is_ours=False)
        entry = read_line(our_line(outcome, form))
        assert entry is not None
        assert entry.is_whole is is_whole


@pytest.mark.parametrize("form", LogFormat)
def test_what_our_log_could_not_read(form: LogFormat) -> None:
    """A request that we could not read is one that nobody could."""
    outcome = Outcome(Moment.WHOLE, "10.0.0.1:5", None, 400, is_ours=True, ending="bad")
    entry = read_line(our_line(outcome, form))
    assert entry is not None
    assert told(entry) == "unread"


def test_what_is_told_twice_is_read_once() -> None:
    """The end of a stream, and the count of refusals that came again, are no requests."""
    verdict = judged(GATE, "GET", b"/events")
    closed = Outcome(Moment.CLOSED, "10.0.0.1:5", verdict, 200, is_ours=False)
    assert read_line(our_line(closed, LogFormat.TEXT)) is None
    assert read_line(our_line(closed, LogFormat.JSON)) is None
    again = (
        b"warning refused-again method=GET path=/info status=403 client=10.0.0.1 by=x"
    )
    assert read_line(again) is None


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize("word", ["decision", "by", "client"])
def test_a_line_of_ours_says_who_decided_what_of_whom(
    form: LogFormat, word: str
) -> None:
    """One that lacks any of that is another program's, or was torn."""
    verdict = judged(GATE, "GET", b"/containers/json")
    outcome = Outcome(Moment.WHOLE, "10.0.0.1:5", verdict, 200, is_ours=False)
    line = our_line(outcome, form)
    assert read_line(line) is not None
    assert read_line(line.replace(word.encode(), b"other")) is None


EVERY_LINE = [
    line for path in sorted(LOGS.iterdir()) for line in path.read_bytes().splitlines()
]


@settings(max_examples=300)
@given(st.sampled_from(EVERY_LINE), st.data())
def test_a_torn_line(line: bytes, data: st.DataObject) -> None:
    """What is left of a line that was torn tells of the same path, or of no whole one."""
    whole = read_line(line)
    torn = read_line(line[: data.draw(st.integers(0, len(line)))])
    if torn is not None and torn.is_whole:
        assert whole is not None
        assert torn.method == whole.method
        assert torn.target.partition(b"?")[0] == whole.target.partition(b"?")[0]


PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E))


@given(PRINTABLE)
@example(' request" level=debug')
@example('" URL=/secrets client=10.0.0.2:1 x="')
@example("\\")
def test_words_of_a_client_in_go(text: str) -> None:
    """What Go's loggers quote of a client is one word, whatever it holds."""
    quoted = json.dumps(f"/x?{text}")
    line = (
        f'time=2026-11-25T19:39:08.757Z level=DEBUG msg="allowed request" method=GET'
        f" URL={quoted} client=10.0.0.1:5"
    )
    entry = read_line(line.encode())
    assert entry is not None
    assert entry.target == f"/x?{text}".encode()
    assert entry.client == "10.0.0.1"


@given(st.binary(max_size=300))
@example(b"")
@example(b'{"log":"{}","stream":"stdout"}')
@example(b"[" * 5000)
@example(b'{"a":' * 5000)
@example(b"{" + b'"time":' + b"9" * 5000 + b"}")
@example(b'{"msg":"Calling GET /x","time":"2026-11-25T19:38:27Z","status":{}}')
@example(b'{"event":"request","decision":1,"by":[],"client":{}}')
@example(
    b'{"event_type":"http_request","decision":[],"actor_remote_addr":{},"raw_path":1}'
)
@example(b'{"msg":{},"decision":{"a":[]}}')
@example(b'{"msg":"allowed request","URL":{"Path":"\\ud800"},"time":"\\ud800"}')
def test_nothing_in_a_line_is_too_much(line: bytes) -> None:
    """Any bytes are a line, and none of them stops the reading."""
    for prefix in (b"", HTTPLOG[:60], b"info request ", b"time=x level=debug "):
        read_line(prefix + line)
        read_line(line + prefix)


@given(st.sampled_from(EVERY_LINE), st.data())
def test_a_line_with_other_bytes_in_it(line: bytes, data: st.DataObject) -> None:
    """A line in which bytes were changed is read, or passed over, and never stops it."""
    at = data.draw(st.integers(0, len(line)))
    read_line(line[:at] + data.draw(st.binary(max_size=4)) + line[at:])
