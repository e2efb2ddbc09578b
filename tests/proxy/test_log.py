"""Log lines: one event a line, safe for a terminal, and never in anybody's way."""

import os
from contextlib import suppress

import trio

from trioproxy.config import Level
from trioproxy.policy.gate import LearnGate, judge
from trioproxy.policy.outcome import Moment, Outcome
from trioproxy.proxy.log import MAX_PENDING, PIPE_ATOM, Log


def pipe_log(level: Level) -> tuple[Log, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    return Log(level, writer), reader


def test_only_the_wanted_levels_are_written() -> None:
    """A line graver than the level is written, a lighter one is not."""
    log, reader = pipe_log(Level.WARNING)
    log.line(Level.NOTICE, "start")
    log.line(Level.ERR, "crash", client="a b")
    log.flush()
    assert os.read(reader, 4096).decode().split(" ", 1)[1] == 'err crash client="a b"\n'
    assert not log.shows_requests


def test_values_are_no_templates() -> None:
    """A percent sign in a value is text; what is not ASCII makes no line longer."""
    log, reader = pipe_log(Level.INFO)
    verdict = judge(LearnGate(), "GET", b"/a%20b")
    log.line(Level.INFO, "line", value="100%s")
    log.request(Outcome(Moment.WHOLE, "1.2.3.4:5", verdict, 200, is_ours=False))
    log.line(Level.INFO, "x" * 2000 + "\u20ac" * 2000)
    log.flush()
    lines = os.read(reader, 1 << 20).splitlines()
    assert lines[0].endswith(b"info line value=100%s")
    assert b"info request method=GET path=/a%20b operation=unknown" in lines[1]
    assert lines[1].endswith(b" status=200 by=engine ms=0.0 client=1.2.3.4:5")
    assert lines[2].endswith(b"x" * 2000 + b"?" * 2000)


def test_full_pipe_is_not_waited_for() -> None:
    """A log nobody reads costs lines, which are counted and said, and never time."""
    log, reader = pipe_log(Level.INFO)
    for number in range(3 * MAX_PENDING):
        log.line(Level.INFO, "line", number=number, filler="x" * 100)
        log.flush()
    assert log.dropped > 0
    while log.dropped or log._entries:
        os.read(reader, 1 << 20)
        log.flush()
    assert b"log-lines-dropped count=" in os.read(reader, 1 << 20)


def test_closed_reader_does_no_harm() -> None:
    """When the reader of the log is gone the lines are let go, without an error."""
    log, reader = pipe_log(Level.INFO)
    os.close(reader)
    log.line(Level.INFO, "line")
    log.flush()
    assert not log._entries


async def test_run_writes_what_is_gathered() -> None:
    """The task writes lines soon after they are added, again and again."""
    log, reader = pipe_log(Level.INFO)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(log.run)
        for event in ("one", "two"):
            log.line(Level.INFO, event)
            with trio.fail_after(10):
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
        with trio.fail_after(10):
            while log._entries:
                await trio.lowlevel.checkpoint()
                with suppress(BlockingIOError):
                    seen.append(len(os.read(reader, 1 << 20)))
        nursery.cancel_scope.cancel()
    # Trio runs what is ready in any order: between two turns of ours lie two at most.
    assert sum(seen) > 5 * PIPE_ATOM
    assert max(seen) <= 2 * PIPE_ATOM
