"""Log lines: one event a line, safe for a terminal, and never in anybody's way."""

import errno
import json
import os
import re
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from tests.judge.judging import judged
from tests.patience import PATIENCE
from tests.proxy.conftest import flush
from trioproxy.config import Level, LogFormat
from trioproxy.errors import Nobody
from trioproxy.file.permissions import parse_policy
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Moment, Outcome
from trioproxy.proxy.log import (
    MAX_KNOWN,
    MAX_PENDING,
    MAX_REFUSALS,
    MOST_ENTRIES,
    PIPE_ATOM,
    REPEATS_EVERY,
    Log,
)

POLICY = parse_policy({"CONTAINERS": "1"})[0]
GATE = Gate.enforcing(POLICY)


_pipes: list[int] = []


def close_pipes() -> None:
    while _pipes:
        os.close(_pipes.pop())


@pytest.fixture(autouse=True)
def pipes() -> Iterator[None]:
    """Close what a test logged into."""
    yield
    close_pipes()


def pipe_log(level: Level, form: LogFormat = LogFormat.TEXT) -> tuple[Log, int]:
    reader, writer = os.pipe()
    _pipes.extend((reader, writer))
    os.set_blocking(reader, False)
    return Log(level, writer, form), reader


def written(log: Log, reader: int) -> list[str]:
    """All lines, without their times."""
    text = ""
    while log._entries:
        flush(log)
        with suppress(BlockingIOError):
            text += os.read(reader, 1 << 20).decode()
    return [line.partition(" ")[2] for line in text.splitlines()]


def outcome(
    target: bytes = b"/containers/json",
    *,
    peer: str = "10.0.0.1:5",
    gate: Gate = GATE,
    moment: Moment = Moment.WHOLE,
    **more: Any,  # noqa: ANN401  fields of Outcome
) -> Outcome:
    """What became of a GET: refused by the policy, or answered by the Engine."""
    verdict = judged(gate, "GET", target, "agent/1")
    is_ours = not verdict.decision.allowed
    status = 403 if is_ours else 200
    fields = {"status": status, "is_ours": is_ours, "serial": 0xABC} | more
    return Outcome(moment=moment, peer=peer, verdict=verdict, **fields)


def test_only_the_wanted_levels_are_written() -> None:
    """A line graver than the level is written, a lighter one is not."""
    log, reader = pipe_log(Level.WARNING)
    log.line(Level.NOTICE, "start")
    log.line(Level.ERR, "crash", client="a b")
    flush(log)
    assert os.read(reader, 4096).decode().split(" ", 1)[1] == 'err crash client="a b"\n'
    assert not log.shows_requests


def test_values_are_no_templates() -> None:
    """A percent sign in a value is text, and a letter that is not ASCII stays one."""
    log, reader = pipe_log(Level.INFO)
    verdict = judged(Gate.learning(), "GET", b"/a%20b")
    log.line(Level.INFO, "line", value="100%s")
    log.request(Outcome(Moment.WHOLE, "1.2.3.4:5", verdict, 200, is_ours=False))
    log.line(Level.INFO, "x" * 2000 + "\u20ac" * 2000)
    flush(log)
    lines = os.read(reader, 1 << 20).splitlines()
    assert lines[0].endswith(b"info line value=100%s")
    assert b"notice request method=GET path=/a%20b status=200 by=engine" in lines[1]
    assert lines[1].endswith(
        b" ms=0.0 operation=unknown decision=allowed reason=learning client=1.2.3.4:5"
    )
    assert lines[2].endswith(b"x" * 2000 + "\u20ac".encode() * 2000)


def test_full_pipe_is_not_waited_for() -> None:
    """A log nobody reads costs lines, which are counted and said, and never time."""
    log, reader = pipe_log(Level.INFO)
    for number in range(3 * MAX_PENDING):
        log.line(Level.INFO, "line", number=number, filler="x" * 100)
        flush(log)
    assert log.dropped > 0
    while log.dropped or log._entries:
        os.read(reader, 1 << 20)
        flush(log)
    assert b"log-lines-dropped count=" in os.read(reader, 1 << 20)


def test_what_a_full_disk_costs_is_said() -> None:
    """Lines that a full disk did not take are counted, all of them, and told of when there is room again: of 300 a scrape had 127, and the log said nothing."""
    errors, taken = [OSError(errno.ENOSPC, "full")] * 2, list[bytes]()

    def write(_fd: int, data: bytes) -> int:
        if errors:
            raise errors.pop()
        taken.append(data)
        return len(data)

    log = Log(Level.INFO, os.open(os.devnull, os.O_WRONLY), write=write)
    for _ in range(2):
        for _ in range(100):
            log.line(Level.INFO, "line", filler="x" * 100)
        flush(log)
    assert log.dropped == 200
    log.line(Level.INFO, "again")
    flush(log)
    first, second = b"".join(taken).splitlines()
    assert first.endswith(b" again")
    assert second.endswith(b" log-lines-dropped count=200")


def test_what_was_new_while_a_disk_was_full_is_told_later() -> None:
    """What a client did first is told when it does it again, where no line had told of it."""
    errors, taken = [OSError(errno.ENOSPC, "full")], list[bytes]()

    def write(_fd: int, data: bytes) -> int:
        if data and errors:
            raise errors.pop()
        taken.append(data)
        return len(data)

    log = Log(Level.NOTICE, os.open(os.devnull, os.O_WRONLY), write=write)
    for _ in range(3):
        log.request(outcome())
        flush(log)
    assert b"".join(taken).count(b" notice request ") == 1


@pytest.mark.parametrize("room", [0, 10, 62, 63, 64, 500])
def test_behind_a_full_disk_a_line_has_its_own(room: int) -> None:
    """Of the last line before a disk was full there was half, and the first one that had room again went on behind it: neither could be read."""
    disk, left = bytearray(), [room]

    def write(_fd: int, data: bytes) -> int:
        if data and not left[0]:
            raise OSError(errno.ENOSPC, "full")
        taken = data[: left[0]]
        disk.extend(taken)
        left[0] -= len(taken)
        return len(taken)

    log = Log(Level.INFO, os.open(os.devnull, os.O_WRONLY), write=write)
    for _ in range(10):
        log.line(Level.INFO, "line", filler="x" * 20)  # 63 bytes
        flush(log)
    left[0] = 10_000
    for _ in range(2):
        log.line(Level.INFO, "again")
        flush(log)
    assert disk.count(b"\n") == room // 63 + (room % 63 > 0) + 3
    assert len([one for one in disk.splitlines() if one.endswith(b"Z info again")]) == 2


def test_a_terminal_that_nobody_reads_is_not_waited_for() -> None:
    """A terminal polls writable with room for a byte: its lines wait, and come whole."""
    reader, terminal = os.openpty()
    log = Log(Level.INFO, terminal)
    for number in range(1_000):
        log.line(Level.INFO, "line", number=number, filler="x" * 100)
    flush(log)  # which waited for ever
    assert log._entries
    text = b""
    while log._entries:
        text += os.read(reader, 1 << 16)
        flush(log)
    while not text.endswith(b" number=999 filler=" + b"x" * 100 + b"\r\n"):
        text += os.read(reader, 1 << 16)
    assert [line.split()[2:] for line in text.splitlines()] == [
        [b"line", b"number=%d" % number, b"filler=" + b"x" * 100]
        for number in range(1_000)
    ]


def test_closed_reader_does_no_harm() -> None:
    """When the reader of the log is gone the lines are let go, without an error."""
    log, reader = pipe_log(Level.INFO)
    _pipes.remove(reader)
    os.close(reader)
    log.line(Level.INFO, "line")
    flush(log)
    assert not log._entries


async def test_run_writes_what_is_gathered() -> None:
    """The task writes lines soon after they are added, again and again."""
    log, reader = pipe_log(Level.INFO)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        for event in ("one", "two"):
            log.line(Level.INFO, event)
            with trio.fail_after(PATIENCE):
                await trio.lowlevel.wait_readable(reader)
            assert event in os.read(reader, 4096).decode()
        nursery.cancel_scope.cancel()


async def test_others_have_their_turn_between_two_writes() -> None:
    """A long backlog does not keep the clients waiting: each write is followed by a turn."""
    log, reader = pipe_log(Level.INFO)
    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            log.line(Level.INFO, "x" * 200)
        nursery.start_soon(log.run)
        with trio.fail_after(PATIENCE):
            while log._entries:
                await trio.lowlevel.checkpoint()
                with suppress(BlockingIOError):
                    seen.append(len(os.read(reader, 1 << 20)))
        nursery.cancel_scope.cancel()
    # Trio runs what is ready in any order: between two turns of ours lie two at most.
    assert sum(seen) > 5 * PIPE_ATOM
    assert max(seen) <= 2 * PIPE_ATOM


REFUSED = outcome(b"/images/json")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        pytest.param(Level.ERR, [], id="err"),
        pytest.param(Level.WARNING, ["warning"], id="warning"),
        pytest.param(Level.NOTICE, ["notice", "warning"], id="notice"),
        pytest.param(
            Level.INFO, ["notice", "info", "warning", "info", "info"], id="info"
        ),
    ],
)
def test_each_level_has_its_requests(level: Level, expected: list[str]) -> None:
    """Warning has refusals, notice what is new for a client, info a line a request."""
    log, reader = pipe_log(level)
    same_client = outcome(peer="10.0.0.1:6")
    for one in (outcome(), same_client, REFUSED, REFUSED, same_client):
        log.request(one)
    assert [line.split()[0] for line in written(log, reader)] == expected


def test_grep_finds_what_people_grep_for() -> None:
    """`grep 403` and `grep -E "GET|POST"` find the line, and in it what would allow it."""
    log, reader = pipe_log(Level.WARNING)
    log.request(REFUSED)
    (line,) = written(log, reader)
    assert line == (
        "warning request method=GET path=/images/json status=403 by=trioproxy ms=0.0"
        " operation=ImageList decision=refused reason=section"
        " client=10.0.0.1:5 id=000000000abc"
        ' text="ImageList (GET /images/json) is not allowed: set IMAGES 1"'
    ).replace("IMAGES 1", "IMAGES=1")


def test_a_long_path_hides_no_advice() -> None:
    """The end of a refusal, which says what would allow it, is never cut off."""
    log, reader = pipe_log(Level.WARNING)
    log.request(outcome(b"/images/" + b"x" * 1000))
    (line,) = written(log, reader)
    assert line.endswith('set IMAGES=1"')


def test_what_a_shadow_would_refuse_is_a_warning() -> None:
    """A policy that is tried out is heard of at the level of its refusals."""
    log, reader = pipe_log(Level.WARNING)
    for _ in range(2):
        log.request(outcome(b"/images/json", gate=Gate.trying(POLICY)))
    (line,) = written(log, reader)
    assert "status=200 by=engine" in line
    assert "decision=would-refuse" in line
    assert "set IMAGES=1" in line


def test_a_stream_has_two_lines() -> None:
    """One when it opens, which may be all there is, and one when it ends; one identity."""
    log, reader = pipe_log(Level.INFO)
    log.request(outcome(moment=Moment.OPENED, sent=1))
    log.request(outcome(moment=Moment.CLOSED, sent=7, ending="client-left"))
    opened, closed = written(log, reader)
    assert opened.startswith(
        "notice opened method=GET path=/containers/json status=200"
    )
    assert closed.startswith("info closed method=GET path=/containers/json status=200")
    assert closed.endswith(" id=000000000abc end=client-left received=0 sent=7")


def test_the_usual_line_is_like_any_other() -> None:
    """What is written for a request that is nothing new is its first line at `info`."""
    log, reader = pipe_log(Level.INFO)
    for _ in range(3):
        log.request(outcome(began=1.0, ended=1.25, sent=7, serial=0))
    first, *others = written(log, reader)
    assert " ms=250.0 " in first
    assert others == [first.replace("notice", "info")] * 2


@pytest.mark.parametrize("peer", ["10.0.0.1:5", "unix:uid=0"])
def test_the_line_of_a_refusal_is_made_in_two_ways(peer: str) -> None:
    """The short way writes what the long one does, the first time and again; and so what is
    counted."""
    found = []
    for is_usual in (True, False):
        log, reader = pipe_log(Level.INFO)
        log._is_usual = is_usual
        for _ in range(2):
            log.request(outcome(b"/images/%22%20b", began=1.0, ended=1.25, peer=peer))
        lines = written(log, reader)
        log.tell_repeats()
        found.append([*lines, *written(log, reader)])
    assert found[0] == found[1]
    assert [line.split()[0] for line in found[0]] == ["warning", "info", "warning"]
    assert found[0][0].count("text=") == found[0][2].count("text=") == 1


@given(st.floats(0, 0.05))
def test_the_usual_line_has_the_same_time(seconds: float) -> None:
    """The time of a usual line is what any other would have, rounded to tenths."""
    log, reader = pipe_log(Level.INFO)
    log.request(outcome())
    flush(log)
    log.request(outcome(began=1.0, ended=1.0 + seconds, serial=0, is_ours=False))
    line = written(log, reader)[-1]
    close_pipes()
    shown = float(line.partition(" ms=")[2].partition(" ")[0])
    assert line.startswith("info ")
    assert abs(shown - seconds * 1000) < 0.0501


async def test_nobody_stays_only_while_the_log_is_written() -> None:
    """Who writes the log has each pass while it writes; not while it waits for its reader."""
    log, reader = pipe_log(Level.INFO)
    inside: list[int] = []

    @contextmanager
    def at_work() -> Iterator[None]:
        inside.append(1)
        yield
        inside.append(-1)

    async with trio.open_nursery() as nursery:
        for _ in range(1000):
            log.line(Level.INFO, "x" * 200)
        nursery.start_soon(log.run, lambda: None, at_work)
        with trio.fail_after(PATIENCE):
            while sum(inside) or not inside:
                await trio.lowlevel.checkpoint()
            assert log._entries  # the pipe is full
            while log._entries:
                await trio.lowlevel.checkpoint()
                with suppress(BlockingIOError):
                    os.read(reader, 1 << 20)
            while sum(inside):
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()


def test_debug_says_more() -> None:
    """Debug adds the client's words of itself, its API version and the bytes moved."""
    log, reader = pipe_log(Level.DEBUG)
    log.request(outcome(b"/v1.44/containers/json", sent=7))
    (line,) = written(log, reader)
    assert line.endswith(" received=0 sent=7 api=1.44 agent=agent/1")


async def test_repeats_are_counted(autojump_clock: trio.testing.MockClock) -> None:
    """A refusal is told at once, its repeats once a minute, and when they end it is new."""
    assert autojump_clock.autojump_threshold == 0
    log, reader = pipe_log(Level.WARNING)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        nursery.start_soon(log.run_counts)
        for _ in range(1000):
            log.request(REFUSED)
        log.request(outcome(b"/images/json", peer="10.0.0.2:5"))
        await trio.sleep(REPEATS_EVERY + 1)
        first, other, again = os.read(reader, 9999).decode().splitlines()
        assert " client=10.0.0.1:5 " in first
        assert " client=10.0.0.2:5 " in other
        assert again.endswith(
            " warning refused-again method=GET path=/images/json status=403 count=999"
            ' client=10.0.0.1 text="ImageList (GET /images/json) is not allowed:'
            ' set IMAGES=1"'
        )
        await trio.sleep(2 * REPEATS_EVERY)
        log.request(REFUSED)
        await trio.sleep(1)
        assert " warning request " in os.read(reader, 9999).decode()
        nursery.cancel_scope.cancel()


def test_who_is_kept_out_again_and_again_is_counted() -> None:
    """A client without a policy that comes back each second has a line of a person's, and then a count."""
    log, reader = pipe_log(Level.WARNING)
    for port in range(1000):
        log.refused("nobody", f"10.0.0.1:{port}", 403, "no policy", error="no policy")
    log.refused("nobody", "10.0.0.2:1", 403, "no policy", error="no policy")
    log.finish()
    first, other, again = os.read(reader, 9999).decode().splitlines()
    assert first.endswith(' warning nobody client=10.0.0.1:0 error="no policy"')
    assert " client=10.0.0.2:1 " in other
    said = (
        ' warning refused-again status=403 count=999 client=10.0.0.1 text="no policy"'
    )
    assert again.endswith(said)


def test_what_waits_for_its_line_is_words() -> None:
    """Until a line about a failure is written, which may be never, nothing is kept of what was read when it failed, and of what is told of it no more than a line has."""
    log, _ = pipe_log(Level.INFO)

    def judge(number: int) -> None:
        read = f"{number} " * 50_000
        raise Nobody(f"the container {read} was made through a proxy")

    tracemalloc.start()
    for number in range(500):
        try:
            judge(number)
        except Nobody as error:
            log.refused("nobody", "10.0.0.1:5", 403, str(error), error=error)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(log._entries) == 500
    assert kept < 4_000_000


def test_repeats_are_told_at_the_end() -> None:
    """What was counted and not told yet is told when the proxy stops."""
    log, reader = pipe_log(Level.WARNING)
    log.request(REFUSED)
    log.request(REFUSED)
    log.finish()
    assert " count=1 " in os.read(reader, 9999).decode().splitlines()[1]


def test_the_last_lines_wait_for_who_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a pipe holds is written whole at the end: of 900 repeats half were lost, and the stop behind them. Who reads no more is waited for a moment, once for all who end it: a stop took 1 s."""
    log, reader = pipe_log(Level.WARNING)
    for number in range(MAX_REFUSALS):
        log.request(outcome(b"/images/x%d" % number))
        log.request(outcome(b"/images/x%d" % number))
    written(log, reader)
    with monkeypatch.context() as patched:
        text = list[bytes]()
        read = partial(os.read, reader, 1 << 20)
        patched.setattr(time, "sleep", lambda _: text.append(read()))
        log.finish()
        text.append(read())
    assert b"".join(text).count(b" refused-again ") == MAX_REFUSALS
    for _ in range(MAX_REFUSALS):
        log.line(Level.ERR, "crash", filler="x" * 100)
    log.finish()
    assert log._entries
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it is waited for anew"))
    log.finish()


def test_entries_without_a_line_are_no_full_pipe() -> None:
    """However many entries in a row make no line, what stands behind them is written at once."""
    log, reader = pipe_log(Level.WARNING)
    for _ in range(2 * MOST_ENTRIES):
        log.request(REFUSED)
    log.line(Level.ERR, "crash")
    flush(log)
    assert os.read(reader, 9999).decode().splitlines()[1].endswith(" err crash")


def test_what_is_remembered_is_bounded() -> None:
    """However many refusals and clients there are, memory does not grow; none is lost."""
    log, reader = pipe_log(Level.NOTICE)
    for number in range(MAX_REFUSALS + 10):
        log.request(outcome(b"/images/x%d" % number))
    for number in range(MAX_KNOWN + 10):
        log.request(outcome(peer=f"10.0.{number >> 8}.{number & 255}:5"))
    lines = written(log, reader)
    assert sum(" status=403 " in line for line in lines) == MAX_REFUSALS
    assert sum(" status=200 " in line for line in lines) == MAX_KNOWN + 10
    assert len(log._refusals) == MAX_REFUSALS
    assert len(log._known) == len(log._known_of_peer) == log._known_pairs == 10
    log.tell_repeats()
    assert "refused-again count=10 " in written(log, reader)[0]
    assert not log._refusals


JSON_OUTCOMES = [
    pytest.param(outcome(), id="allowed"),
    pytest.param(REFUSED, id="refused"),
    pytest.param(outcome(moment=Moment.CLOSED, ending="x"), id="closed"),
    pytest.param(
        Outcome(Moment.WHOLE, "unix:uid=1", None, 400, is_ours=True, ending="a b"),
        id="rejected",
    ),
]


@pytest.mark.parametrize("what", JSON_OUTCOMES)
@pytest.mark.parametrize("level", [Level.INFO, Level.DEBUG], ids=["info", "debug"])
def test_json_has_the_fields_of_the_text(what: Outcome, level: Level) -> None:
    """Both formats say the same, under the same names, in the same order."""
    log, reader = pipe_log(level)
    log.request(what)
    (line,) = written(log, reader)
    log, reader = pipe_log(level, LogFormat.JSON)
    log.request(what)
    flush(log)
    found = json.loads(os.read(reader, 9999))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert line.split()[:2] == [found.pop("level"), found.pop("event")]
    assert re.findall(r' (\w+)=(?:"[^"]*"|\S*)', line) == list(found)
    assert found["status"] == what.status


@pytest.mark.parametrize("form", LogFormat)
def test_nothing_of_a_client_reaches_a_terminal(form: LogFormat) -> None:
    """Control characters are escaped in both formats, and a query is in neither."""
    log, reader = pipe_log(Level.DEBUG, form)
    log.request(outcome(b"/images/%C2%9B/json?token=secret"))
    nasty = "\x1b[2J\x07\x7f\x9b\u2028\n\u202e"
    log.request(outcome(ending=nasty))
    log.line(Level.INFO, "line", value=nasty)
    flush(log)
    data = os.read(reader, 9999)
    assert data.count(b"\n") == 3
    assert re.fullmatch(rb"[ -~\n]*", data)
    assert b"secret" not in data
