"""Log lines: an event and its fields, as text or JSON, without ever stalling the proxy.

Entries are gathered, and made lines and written by a task of their own a few times a
second: a request does not wait for its line. A full pipe is never waited for: entries
beyond the bound are dropped, counted, and the count is said.

A request is one line, at the level that its end has: `warning` for a refusal and for an
answer that only we could give, `notice` where a client does something for the first time,
else `info`. A refusal that comes again is `info` too, and counted: once a minute a line
says how often. At `warning` and `notice` a busy proxy so writes what a person reads.
"""

import json
import os
import select
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

import trio

from trioproxy.config import Level, LogFormat
from trioproxy.judge.outcome import (
    CLOSED,
    LONGEST_WORD,
    OPENED,
    WHOLE,
    Outcome,
    Verdict,
    name_of_client,
)
from trioproxy.judge.rules import Reason
from trioproxy.quoting import quote

PIPE_ATOM: Final = 4096
"""A pipe that poll(2) calls writable takes this much without blocking (PIPE_BUF)."""

MAX_PENDING: Final = 16 * 1024
"""Entries kept while the reader of the log does not read."""

MOST_ENTRIES: Final = 512
"""Entries looked at before others have their turn: many of them may make no line."""

FLUSH_EVERY: Final = 0.05
"""Seconds between writes: cheap under load, and soon enough for a person."""

FIRST_RETRY: Final = 0.001
"""Seconds until a full pipe is tried again, doubled up to `FLUSH_EVERY`."""

LAST_SECONDS: Final = 0.5
"""Seconds for which the end waits while a full pipe is not read: what is lost then nobody counts."""

REPEATS_EVERY: Final = 60.0
"""Seconds between two lines about one refusal that comes again and again."""

MAX_REFUSALS: Final = 1_000
"""Different refusals that are counted by name in that time; all others have one line."""

MAX_KNOWN: Final = 10_000
"""Pairs of client and operation that are known; beyond that all are forgotten."""

MOST_ASKED: Final = 2_048
"""Bytes of what a request asks for, in its line: that stays shorter than `PIPE_ATOM`."""

MOST_LOOKED_AT: Final = 128
"""Arguments of one request that are looked at for that; the others are counted."""

TEXT_LIMIT: Final = 512
"""Characters of a refusal: a path of 256 must not hide what would allow it."""

NOTHING: Final[Mapping[str, object]] = MappingProxyType({})

EVENTS: Final = {WHOLE: "request", OPENED: "opened", CLOSED: "closed"}
WORDS: Final = {level: level.name.lower() for level in Level}


TENTH: Final = 0.0001
HALF: Final = TENTH / 2
"""Of a tenth of a millisecond, in seconds: times are shown in tenths, rounded."""

SHOWN_TENTHS: Final = {float(count): f"{count / 10:.1f}" for count in range(256)}
ANSWERED: Final = {
    status: f" status={status} by=engine ms="
    for status in (200, 201, 204, 304, 400, 404, 409, 500)
}
"""What most lines have, written once: to write a number costs more than to find it."""

FORBIDDEN: Final = 403
REFUSED: Final = f" status={FORBIDDEN} by=trioproxy ms="
"""What nearly all refusals have."""


@dataclass(slots=True)
class Repeats:
    """A refusal that has been told, and how often it has come since then."""

    asked: Mapping[str, object]
    count: int = 0


Render = Callable[[float, Any], str]
"""Makes a line of a time and what happened then, its end included; "" for no line."""

Usual = tuple[str, str, str, float, str, str, int, Verdict | None]
"""The operation, words of the request and of the answer, seconds, words of the decision,
the client; of a refusal its serial number and the verdict.

Without that, strings and numbers alone: of a tuple of such the garbage collector knows after
one look that it needs no other. A verdict that waited here for its line, with all that is
judged, would be looked at again and again."""


def _rendered(_when: float, line: str) -> str:
    """Render a line that was made before, and had no room."""
    return line


def opened_anew(fd: int) -> int | None:
    """Open a terminal anew, so that it blocks nobody; None where that cannot be.

    One that polls writable may have room for a byte alone, and waits with the others while
    nobody reads. The flag against that is of the open file, and ours is shared with others.
    """
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:  # no terminal, or another user's
        return None


class Log:
    """Gathers entries of the wanted level and writes them."""

    def __init__(
        self,
        level: Level,
        fd: int = 2,
        form: LogFormat = LogFormat.TEXT,
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        """`write` writes lines to the descriptor, and says how many bytes it took."""
        self.level = level
        self.shows_requests = level >= Level.INFO
        self._is_debug = level >= Level.DEBUG
        self._shows_new = level >= Level.NOTICE
        self._shows_refusals = level >= Level.WARNING
        self.dropped = 0
        """Entries that had no room, and were not told of yet."""
        self.dropped_before = 0
        """Those that were."""
        anew = opened_anew(fd)
        self._fd = fd if anew is None else anew
        self._write_out = write
        self._is_within = self._is_torn = False
        """Whether what was written ends within a line, and whether the rest of that is lost."""
        self._left = LAST_SECONDS
        """Seconds for which its end still waits: the server ends it, and then who runs that."""
        self._is_json = form is LogFormat.JSON
        self._is_usual = level == Level.INFO and not self._is_json
        """Whether most lines are of the one form that has a short way."""
        self._entries: deque[tuple[float, Render | None, Any]] = deque()
        """A time, and what makes a line of a value; None for the `Usual` line."""
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLOUT)
        self._filled = trio.Event()
        self._has_refusals = trio.Event()
        self._second = 0
        self._time = self._stamp = ""
        self._stamp_from = self._stamp_until = 0.0
        self._refusals: dict[tuple[str, int, str], Repeats] = {}
        self._other_refusals = 0
        self._known: dict[str, set[str]] = {}
        """What each client has done, by its address without the port."""
        self._known_pairs = 0
        self._known_of_peer: dict[str, set[str]] = {}
        """The same sets by whole addresses, which is what an outcome has."""

    def line(self, level: Level, event: str, **fields: object) -> None:
        """Log one event, if its level is wanted. Until it is written it is kept in words: an
        error has its frames with it, and in them all that was read."""
        if level <= self.level:
            self._add(partial(self._render_line, level, event), _short(fields))

    def request(self, outcome: Outcome) -> None:
        """Log what became of a request; its line is made, or left out, when others are
        written: here is decided no more than whether there may be one, and whether it is
        what nearly all are."""
        if self._is_usual and (usual := self._usual(outcome)):
            self._add(None, usual)
        elif self.shows_requests or self._is_told(outcome):
            asks = _asks(outcome) if self._is_json else None
            render = partial(self._render_request, asks=asks) if asks else None
            self._add(render or self._render_request, outcome.short())

    def refused(
        self, event: str, peer: str, status: int, why: str, **fields: object
    ) -> None:
        """Log that a client was refused before it had asked; if that comes again, as of a
        request it is counted."""
        is_first = self._is_first(peer, status, why[:LONGEST_WORD], None)
        level = Level.WARNING if is_first else Level.INFO
        self.line(level, event, client=peer, **fields)

    def crash(self, peer: str, error: BaseException) -> None:
        """Log a failure that is nobody's plan, with the innermost place of our code."""
        self.line(Level.ERR, "crash", client=peer, error=repr(error), at=_place(error))

    def _add(self, render: Render | None, value: object) -> None:
        """Add an entry, whatever its level; its line is made later."""
        if len(self._entries) >= MAX_PENDING:
            self.dropped += 1
            return
        if not self._entries:
            self._filled.set()
        self._entries.append((time.time(), render, value))

    # -- writing -------------------------------------------------------------------

    async def run(
        self,
        look: Callable[[], None] = lambda: None,
        at_work: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        """Write what is gathered until cancelled; others have their turn in between.

        `look` wakes those whose sockets are ready, so that they run in the next pass of
        Trio's loop and not in the one after that: a backlog has hundreds of writes.
        `at_work` is entered for as long as each pass has one.
        """
        while True:
            await self._filled.wait()
            await trio.sleep(FLUSH_EVERY)
            pause = FIRST_RETRY
            while self._entries:
                with at_work():
                    while self._entries and self._write_some():
                        pause = FIRST_RETRY
                        look()
                        await trio.lowlevel.checkpoint()
                if self._entries:
                    # A full pipe: its reader is at work, or has stopped.
                    await trio.sleep(pause)
                    pause = min(2 * pause, FLUSH_EVERY)
            # An event is set once: the next entry sets a new one.
            self._filled = trio.Event()

    def finish(self) -> None:
        """Say what has been counted and was not told, and write all there is.

        Repeats alone may be more than a pipe holds, and its reader has no turn in between.
        """
        self._write_all()
        self.tell_repeats()
        self._write_all()

    def _write_all(self) -> None:
        """Write all there is, as long as it is read, or there is time."""
        while self._entries:
            if self._write_some():
                continue
            if self._left <= 0:
                break
            began = time.monotonic()
            time.sleep(FIRST_RETRY)
            self._left -= time.monotonic() - began

    def _write_some(self) -> bool:
        """Write what fits in one write; says whether the reader takes any."""
        # The descriptor is shared with other processes, so it cannot be made non-blocking.
        # A pipe that polls writable takes PIPE_BUF bytes without blocking (pipe(7)).
        return bool(self._poll.poll(0)) and self._write(self._chunk())

    def _chunk(self) -> bytes:
        """Make lines of what fits in one write, at least one."""
        lines = ["\n"] if self._is_torn else []
        size = 0
        entries = self._entries
        for _ in range(min(MOST_ENTRIES, len(entries))):
            when, render, value = entries.popleft()
            line = render(when, value) if render else self._render_usual(when, value)
            size += len(line if line.isascii() else line.encode(errors="replace"))
            if lines and size > PIPE_ATOM:
                # Rendering counts what it sees, so nothing is rendered twice.
                entries.appendleft((when, _rendered, line))
                break
            if line:
                lines.append(line)
        # Values are quoted; whatever slipped through must not make it longer.
        return "".join(lines).encode(errors="replace")

    def _stamped(self, when: float, text: str) -> str:
        if not self._stamp_from <= when < self._stamp_until:
            self._set_stamp(when)
        if self._is_json:
            return f'{{"time": "{self._stamp}", {text}}}\n'
        return f"{self._stamp} {text}\n"

    def _set_stamp(self, when: float) -> None:
        """Write the time as lines have it; it holds until the next millisecond."""
        millisecond = int(when * 1000)
        self._stamp_from, self._stamp_until = when, (millisecond + 1) / 1000
        second, fraction = divmod(millisecond, 1000)
        if second != self._second:
            self._second = second
            self._time = datetime.fromtimestamp(second, UTC).strftime(
                "%Y-%m-%dT%H:%M:%S"
            )
        self._stamp = f"{self._time}.{fraction:03d}Z"

    def _write(self, chunk: bytes) -> bool:
        try:
            sent = self._write_out(self._fd, chunk)
        except BlockingIOError:  # a terminal, which has less room than a line
            sent = 0
        except OSError:
            # The reader of the log is gone, or its disk is full: the proxy serves on. If that ends,
            # how many lines it cost is said behind the first one that is taken again.
            # Half a line may stand there, from when there was room for no more.
            self.dropped += chunk.lstrip(b"\n").count(b"\n") + len(self._entries)
            self._entries.clear()
            self._forget_known()  # some of that was told in these lines alone
            self._is_torn = self._is_within
            return True
        self._is_torn = False
        if sent:
            self._is_within = chunk[sent - 1 : sent] != b"\n"
        if rest := chunk[sent:].decode(errors="replace"):
            self._entries.appendleft((0.0, _rendered, rest))
        elif self.dropped and not self._entries:
            count, self.dropped = self.dropped, 0
            self.dropped_before += count
            self.line(Level.WARNING, "log-lines-dropped", count=count)
        return sent > 0 or not chunk  # entries may make no line

    # -- what is new, and what comes again -----------------------------------------

    def _level_of(self, told: Outcome) -> Level:
        """At which level a request is told; what is told is remembered."""
        verdict = told.verdict
        if _is_refused(told):
            is_first = self._is_first(told.peer, told.status, _text_of(told), verdict)
            return Level.WARNING if is_first else Level.INFO
        if (
            verdict is None
            or told.moment is CLOSED
            or verdict.decision.reason is Reason.UNJUDGED  # it did nothing yet
        ):
            return Level.INFO
        is_new = self._is_first_time(told.peer, verdict.operation)
        return Level.NOTICE if is_new else Level.INFO

    def _is_first_time(self, peer: str, operation: str) -> bool:
        """Whether a client does something for the first time; from now on it has."""
        known = self._known_of(peer)
        if operation in known:
            return False
        if self._known_pairs >= MAX_KNOWN:
            self._forget_known()
            known = self._known_of(peer)
        known.add(operation)
        self._known_pairs += 1
        return True

    def _forget_known(self) -> None:
        self._known.clear()
        self._known_of_peer.clear()
        self._known_pairs = 0

    def _known_of(self, peer: str) -> set[str]:
        """What the client with this address has done."""
        known = self._known_of_peer.get(peer)
        if known is None:
            if len(self._known_of_peer) >= MAX_KNOWN:
                self._known_of_peer.clear()
            known = self._known.setdefault(name_of_client(peer), set())
            self._known_of_peer[peer] = known
        return known

    def _is_told(self, outcome: Outcome) -> bool:
        """Whether a request may have a line where not each has one."""
        return (self._shows_refusals and _is_refused(outcome)) or (
            self._shows_new and self._is_new(outcome)
        )

    def _is_new(self, outcome: Outcome) -> bool:
        """Whether this client may not have done this before; its line knows for sure."""
        verdict = outcome.verdict
        if verdict is None or outcome.moment is CLOSED:
            return False
        known = self._known_of_peer.get(outcome.peer)
        return known is None or verdict.operation not in known

    def _is_first(
        self, peer: str, status: int, text: str, verdict: Verdict | None
    ) -> bool:
        """Whether a refusal was not told lately; else it is counted."""
        key = name_of_client(peer), status, text
        repeats = self._refusals.get(key)
        if repeats is not None:
            repeats.count += 1
            return False
        if len(self._refusals) >= MAX_REFUSALS:
            self._other_refusals += 1
            return False
        self._refusals[key] = Repeats(_asked(verdict))
        self._has_refusals.set()
        return True

    async def run_counts(self) -> None:
        """Tell repeats once a minute until cancelled, as long as there are any."""
        while True:
            await self._has_refusals.wait()
            await trio.sleep(REPEATS_EVERY)
            self.tell_repeats()
            if not self._refusals:
                self._has_refusals = trio.Event()

    def tell_repeats(self) -> None:
        """Say how often each refusal came again; one that did not is forgotten."""
        for key, repeats in tuple(self._refusals.items()):
            if not repeats.count:
                del self._refusals[key]
                continue
            client, status, text = key
            what = {**repeats.asked, "status": status, "count": repeats.count}
            self.line(Level.WARNING, "refused-again", **what, client=client, text=text)
            repeats.count = 0
        if self._other_refusals:
            self.line(
                Level.WARNING,
                "refused-again",
                count=self._other_refusals,
                text=f"others than the {MAX_REFUSALS} that are counted one by one",
            )
            self._other_refusals = 0

    # -- an entry as text ----------------------------------------------------------

    def _render_line(
        self, level: Level, event: str, when: float, fields: Mapping[str, object]
    ) -> str:
        if self._is_json:
            return self._stamped(when, _as_json(level, event, fields))
        return self._stamped(when, _words(f"{WORDS[level]} {event}", fields))

    def _render_request(
        self, when: float, told: Outcome, asks: Mapping[str, object] = NOTHING
    ) -> str:
        """Write what was asked and decided, the answer and whose it was, how it ended;
        nothing for what is not to be told at this level. `asks`: beyond its route."""
        level = self._level_of(told)
        if level > self.level:
            return ""
        fields = {**_fields_of(told), **self._more(told), **asks}
        return self._render_line(level, EVENTS[told.moment], when, fields)

    def _usual(self, outcome: Outcome) -> Usual | None:
        """What the line of a request is made of that is as nearly all are: answered by
        the Engine, as planned, or refused. None for any other."""
        verdict = outcome.verdict
        if (
            verdict is None
            or outcome.ending
            or outcome.moment is not WHOLE
            or outcome.narrowed is not None
        ):
            return None
        answer, refused = ANSWERED.get(outcome.status), None
        if outcome.is_ours:
            is_long = not verdict.is_short(LONGEST_WORD)
            if outcome.status != FORBIDDEN or is_long or not outcome.serial:
                return None
            answer, refused = REFUSED, verdict
        elif answer is None or outcome.serial or verdict.decision.message:
            return None
        return (
            verdict.operation,
            verdict.words,
            answer,
            outcome.ended - outcome.began,
            verdict.decision.words,
            outcome.peer,
            outcome.serial,
            refused,
        )

    def _render_usual(self, when: float, usual: Usual) -> str:
        operation, asked, answer, seconds, decided, peer, serial, refused = usual
        level, more = "info", ""
        if refused is not None:
            text = refused.decision.message
            if self._is_first(peer, FORBIDDEN, text, refused):
                level = "warning"
            more = f" id={serial:012x} text={_quoted(text, TEXT_LIMIT)}"
        # Looked up here first: it nearly always is known, and a call costs more.
        elif operation not in self._known_of_peer.get(peer, ()):
            level = "notice" if self._is_first_time(peer, operation) else "info"
        if not self._stamp_from <= when < self._stamp_until:
            self._set_stamp(when)
        tenths = SHOWN_TENTHS.get((seconds + HALF) // TENTH)
        ms = tenths or f"{seconds * 1000:.1f}"
        if "=" in peer:  # a Unix socket's client
            peer = _quoted(peer, TEXT_LIMIT)
        return (
            f"{self._stamp} {level} request{asked}{answer}{ms}"
            f" operation={operation}{decided} client={peer}{more}\n"
        )

    def _more(self, told: Outcome) -> dict[str, object]:
        """What not every line has: the reason of a refusal, how it ended, bytes."""
        more: dict[str, object] = {}
        verdict = told.verdict
        if verdict is not None:
            if verdict.decision.message:
                more["text"] = verdict.decision.message
            if told.ending:
                more["end"] = told.ending
        else:
            more["reason"] = told.ending
        if told.narrowed is not None and told.moment is not OPENED:
            word = "would_hide" if told.narrowed.is_tried else "hidden"
            more[word] = told.narrowed.hidden
        if self._is_debug or told.moment is CLOSED:
            more["received"] = told.received
            more["sent"] = told.sent
        if self._is_debug and verdict is not None:
            more["api"] = verdict.request.target.named_version
            more["agent"] = verdict.agent
        return more


def _is_refused(one: Outcome) -> bool:
    """Whether the answer was ours, or would be if the policy were in force."""
    return one.is_ours or (
        one.verdict is not None
        and one.verdict.decision.would_refuse
        and one.moment is not CLOSED
    )


def _text_of(told: Outcome) -> str:
    """Why it was refused, and what would allow it."""
    if told.ending or told.verdict is None:
        return told.ending
    return told.verdict.decision.message


def _asked(verdict: Verdict | None) -> dict[str, object]:
    """What was asked, as fields; none of what could not be read."""
    if verdict is None:
        return {}
    request = verdict.request
    return {"method": request.method, "path": request.target.shown}


def _asks(outcome: Outcome) -> dict[str, object]:
    """What a request asks for beyond its route, as far as evidence may keep it, and how
    much more that is; of a stream, when it opens."""
    asked = outcome.verdict.asked if outcome.verdict is not None else None
    if asked is None or outcome.moment is CLOSED:
        return {}
    # Here, for most logs are text.
    from trioproxy.evidence.keeping import kept

    arguments, told, room = asked.arguments or asked.told, dict[str, None](), MOST_ASKED
    untold = len(arguments)
    for one in arguments[:MOST_LOOKED_AT]:
        if not (item := kept(one)):
            continue
        text = f"{one.variable}={item}"
        room -= 0 if text in told else len(json.dumps(text)) + 2
        if room < 0:
            break
        told[text] = None
        untold -= 1
    found: dict[str, object] = {"asks": list(told)} if told else {}
    return {**found, "asks_untold": untold} if untold else found


def _fields_of(told: Outcome) -> dict[str, object]:
    """The fields of each line, in the order of the text."""
    verdict, fields = told.verdict, _asked(told.verdict)
    fields["status"] = told.status or None
    fields["by"] = "trioproxy" if told.is_ours else "engine"
    fields["ms"] = round(told.seconds * 1000, 1)
    if verdict is not None:
        decision = verdict.decision
        fields["operation"] = verdict.operation
        fields["decision"] = decision.word
        fields["reason"] = str(decision.reason)
        if decision.reason in {Reason.ARGUMENT, Reason.OBJECT}:
            fields["variable"] = decision.rule or "none"
    else:
        fields["decision"] = "rejected"
    fields["client"] = told.peer
    if told.serial:
        fields["id"] = told.request_id
    return fields


# A client that is refused once is refused again, in the same words.
_quoted = lru_cache(maxsize=64)(quote)


def _words(line: str, fields: Mapping[str, object]) -> str:
    """A line of `name=value` words, each safe for a terminal."""
    words = [
        f"{name}={'-' if value is None else _quoted(str(value), TEXT_LIMIT)}"
        for name, value in fields.items()
    ]
    return " ".join([line, *words])


def _as_json(level: Level, event: str, fields: Mapping[str, object]) -> str:
    """The inside of a JSON object, in ASCII; control characters are escaped in it."""
    shown = {"level": WORDS[level], "event": event, **_short(fields)}
    return json.dumps(shown)[1:-1]


def _short(fields: Mapping[str, object]) -> dict[str, object]:
    """Fields as words, none of them longer than a line has it."""
    return {
        name: value
        if value is None or isinstance(value, int | float | list)
        else str(value)[:TEXT_LIMIT]
        for name, value in fields.items()
    }


def _place(error: BaseException) -> str:
    """Name file and line of the innermost frame that is ours, else of the innermost."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if one.filename.startswith(PACKAGE)] or frames
    return f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}" if ours else "?"


PACKAGE: Final = os.path.dirname(os.path.dirname(_place.__code__.co_filename)) + os.sep
"""Where our own code is, as its frames name it."""
