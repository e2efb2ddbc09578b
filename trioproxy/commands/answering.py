"""`approve --live`: one question after the other, in a terminal, while clients wait.

Lines that come one below the other, and answers that are typed and ended with Enter: so it
reads the same in a log. What a client said stands behind a `|` on each line, escaped and cut
by the proxy, so that no text of a client looks like one of ours. What was typed before a
question is on the screen is dropped.
"""

import json
import os
import select
import signal
import socket
import sys
import termios
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from unicodedata import east_asian_width

import click

from trioproxy.api.families import VARIABLES
from trioproxy.api.routes import LIMITED, Risk
from trioproxy.commands import start, tell
from trioproxy.commands.approve import Answers, changes, listed_policy, write_answers
from trioproxy.commands.dialing import connected
from trioproxy.commands.terminal import USUAL_WIDTH, show, width_of
from trioproxy.config import UnixAddress, parse_address
from trioproxy.errors import ConfigError, TrioProxyError
from trioproxy.evidence.keeping import as_moving
from trioproxy.evidence.seen import Evidence, When
from trioproxy.evidence.sight import REFUSED, Sight, route_of
from trioproxy.file.widening import widened
from trioproxy.files import names_of
from trioproxy.judge.power import ROOT_WORD, Power, weigh
from trioproxy.judge.rules import Policy
from trioproxy.learning.proposal import is_beyond, refuse_excess
from trioproxy.learning.store import Store
from trioproxy.limits.grant import Grant
from trioproxy.proxy.asking import NOES, PROTOCOL, Said
from trioproxy.quoting import visible

LONGEST: Final = 1024 * 1024
"""Bytes of a line of the proxy."""
LONGEST_WHY: Final = 1024
"""Characters of a failure that are told."""
SETTLES: Final = 0.3
"""Seconds between a question and its prompt: nobody has read it, and what is typed by then
was meant for something else."""
SETTLES_ANEW: Final = 2.0
"""The same where the question before it went away unanswered: whoever is about to answer that
one must see that it is gone, for its client chose the moment."""

SAYS: Final = {
    "o": Said.ONCE,
    "h": Said.HOUR,
    "a": Said.ALWAYS,
    "n": Said.NO,
    "x": Said.NO_HOUR,
}
PROMPT: Final = "[o]nce, [h]our, [a]lways, [n]o, no for an hour [x], [q]uit: "
WORD: Final = f"it gives root on the host: type {ROOT_WORD} to allow it, or Enter: "

Data = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Answering:
    """A person at a terminal, and the questions that wait for an answer."""

    store: Store
    sock: socket.socket
    questions: dict[str, Data] = field(default_factory=dict)
    """By id, the oldest first: that one is on the screen."""
    shown: str = ""
    """The id of the question that is on the screen; empty: none is."""
    said: str = ""
    """What was said to it, where the word is still to be typed."""
    prompt: str = ""
    """What stands behind the question, and waits for an answer; empty: nothing does."""
    typed: bytes = b""
    pending: bytes = b""
    number: int = 0
    numbers: dict[str, int] = field(default_factory=dict)
    """Of the questions that were shown, by id."""
    answered: str = ""
    """The id of the question that was answered last."""
    settles: float = SETTLES
    """Seconds between the next question and its prompt."""

    @classmethod
    def attach(cls, store: Store, url: str) -> "Answering":
        """Attach to a proxy. Raises `ConfigError`."""
        if not sys.stdin.isatty():
            raise ConfigError(
                "approve --live asks questions, and this is no terminal",
                hint="docs/asking.md has the lines that another program can speak",
            )
        address = parse_address(url)
        if not isinstance(address, UnixAddress):
            raise ConfigError(
                f"--live {url!r:.80} is no Unix socket", hint="write unix:///path"
            )
        tell.damaged(store.open().damage)
        listed_policy(store)
        refuse_excess(store.read_env(), store.wish)
        try:
            owner = os.stat(address.path).st_uid
            sock = connected(address, None)
        except OSError as error:
            raise ConfigError(
                f"nobody asks at {address}: {error.strerror or error}",
                hint=f"start the proxy with --ask {address}, as this user",
            ) from error
        if owner != os.geteuid():
            sock.close()
            raise ConfigError(
                f"{address} is of uid {owner}, and a proxy gives it to whom it asks",
                hint=f"--ask {address}?uid={os.geteuid()}, in a folder that nobody else writes",
            )
        return cls(store=store, sock=sock)

    def run(self) -> int:
        """Ask until the person leaves or the proxy does; 0, or 1 where the proxy left."""
        signal.signal(signal.SIGCONT, self._continue)
        with self.sock:
            try:
                self._send(asker=PROTOCOL, files=list(names_of(str(self.store.env))))
                return self._converse()
            except KeyboardInterrupt:
                click.echo()
                return 0
            except (BrokenPipeError, ConnectionResetError):
                show("", "the proxy has left", err=True)
                return 1
            except OSError:  # the terminal is gone, and nobody reads why
                return 0

    def _converse(self) -> int:
        terminal = sys.stdin.fileno()
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        poll.register(terminal, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self.sock.fileno() in ready:
                self._hear()
            elif terminal in ready and not self._type(os.read(terminal, 4_096)):
                return 0
            while self.questions and not self.shown:
                self._ask_next()

    def _hear(self) -> None:
        """Take what the proxy says. Raises `BrokenPipeError` once it is gone."""
        more = self.sock.recv(65_536)
        if not more or len(self.pending) > LONGEST:
            raise BrokenPipeError
        self._receive(more)

    # -- what the proxy says -------------------------------------------------------

    def _receive(self, more: bytes) -> None:
        *lines, self.pending = (self.pending + more).split(b"\n")
        for line in lines:
            try:
                data = json.loads(line)
            except ValueError:
                raise ConfigError(
                    "what answers there does not ask",
                    hint="name the socket of enforce --ask, and no listener",
                ) from None
            for name, hear in (
                ("question", self._hear_question),
                ("attached", self._hear_attached),
                ("closed", self._hear_closed),
                ("write", self._hear_write),
                ("done", self._hear_done),
                ("error", lambda data: self._tell(f"trioproxy: {data['error']}")),
            ):
                if name in data:
                    hear(data)
                    break

    def _hear_attached(self, data: Data) -> None:
        if not data["attached"]:
            there = ", ".join(filter(None, data["files"])) or "none"
            raise ConfigError(
                f"that proxy has no policy file called {self.store.env.name}: it has {there}",
                hint="name the file as the proxy does",
            )
        names = ", ".join(data["attached"])
        show(f"asked about what {names} refuses; nothing waits so far")

    def _hear_question(self, data: Data) -> None:
        wish = self.store.wish
        grants = list(map(_grant, data["grants"]))
        if beyond := [one.name for one in grants if is_beyond(one, wish.ceiling)]:
            self._tell(f"{wish.within} does not allow {', '.join(beyond)}: no is said")
            self._send(answer=data["question"], say=Said.NO)
            return
        self.questions[data["question"]] = data
        if data["question"] == self.shown:  # what it gives is more by now
            self.settles = SETTLES_ANEW
            self._clear()

    def _hear_closed(self, data: Data) -> None:
        self.questions.pop(data["closed"], None)
        if data["closed"] == self.shown:
            said = data["said"] and f"somebody else said {data['said']}"
            if not said or data["closed"] != self.answered:
                show("", f"  {said or 'over: ' + data['why']}")
                self.settles = SETTLES_ANEW
            self._clear()

    def _hear_done(self, data: Data) -> None:
        number = self.numbers.pop(data["done"], 0)
        which = f"question {number}" if number else "another question"
        told = "went on" if data["passed"] else f"stays refused: {data['why']}"
        self._tell(f"  {which} {told}")

    def _tell(self, line: str) -> None:
        """Say what is not of the question on the screen, and draw its prompt anew."""
        show(*[""] * bool(self.prompt), line)
        click.echo(self.prompt, nl=False)

    def _hear_write(self, data: Data) -> None:
        name = data["write"]
        question = self.questions.get(name)
        if question is None:
            return
        try:
            self._write(question)
        except (TrioProxyError, OSError) as error:
            hint = getattr(error, "hint", "")
            told = f"{error} ({hint})" if hint else str(error)
            self._send(written=name, failed=told[:LONGEST_WHY])  # and is told so
        else:
            self._send(written=name)

    def _write(self, question: Data) -> None:
        """Write the file as `approve` does."""
        policy, evidence = listed_policy(self.store), Evidence()
        now = start.now()
        evidence.begin(start.new_run(self.store.open().evidence.runs), now)
        grants = tuple(map(_grant, question["grants"]))
        if not question["root"]:
            self._refuse_root(policy, grants)
        allowed = list[str]()
        for grant in grants:
            variable, item = grant
            evidence.observe(sight_of(grant, question["operation"]), REFUSED, When(now))
            moved = as_moving(variable, item, policy.limits.places)
            allowed.append(Grant(variable, moved).name)
        before = self.store.read_env()
        write_answers(self.store, evidence, Answers(allowed=allowed))
        changed = changes(before, self.store.read_env())
        told = (one for one in changed if not one.startswith(("+#", "-#")))
        show(*(line for one in told for line in _clients(one, "  ")))

    def _refuse_root(self, policy: Policy, grants: tuple[Grant, ...]) -> None:
        """Write nothing that is root beside the file as it is now, where no word was asked for.

        The proxy weighed it beside the file that it has read, which may be an older one.
        """
        if why := weigh(policy, widened(policy, grants), grants)[1]:
            raise ConfigError(
                f"beside {self.store.env.name} as it is now that gives root on the host: {why}",
                hint="have the proxy read it, which asks anew: SIGHUP",
            )

    # -- what the person says ------------------------------------------------------

    def _type(self, more: bytes) -> bool:
        """Take what was typed; False: the person leaves."""
        if not more:
            click.echo()
            return False
        *lines, self.typed = (self.typed + more).split(b"\n")
        return all(self._say(line.decode(errors="replace").strip()) for line in lines)

    def _say(self, text: str) -> bool:
        if text.lower() in {"q", "quit"}:
            return False
        if not self.shown:
            return True
        question = self.questions[self.shown]
        if self.said:
            said, self.said = self.said, ""
            if text == ROOT_WORD:
                self._answer(said, word=ROOT_WORD)
            else:
                self._prompt(PROMPT)
            return True
        said = SAYS.get(text.lower(), text.lower())
        if said not in SAYS.values():
            self._prompt(PROMPT)
        elif question["root"] and said not in NOES:
            self.said = said
            self._prompt(WORD)
        else:
            self._answer(said)
        return True

    def _answer(self, said: str, **word: str) -> None:
        self.answered, self.prompt = self.shown, ""
        self._send(answer=self.shown, say=said, **word)

    def _send(self, **line: object) -> None:
        self.sock.sendall(json.dumps(line).encode() + b"\n")

    # -- what is on the screen -----------------------------------------------------

    def _clear(self) -> None:
        self.shown = self.said = self.prompt = ""

    def _ask_next(self) -> None:
        self.shown, question = next(iter(self.questions.items()))
        self.number += 1
        self.numbers[self.shown] = self.number
        lines = list(_lines(question, self.number, len(self.questions)))
        show("", *lines)
        if len(lines) >= os.get_terminal_size(sys.stdin.fileno()).lines:
            show(f"  that is {len(lines)} lines: scroll up, for each of them counts")
        seconds, self.settles = self.settles, SETTLES
        self._settle(time.monotonic() + seconds)
        self.typed = b""
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        if self.shown:
            self._prompt(PROMPT)

    def _settle(self, until: float) -> None:
        """Take nothing that is typed; the proxy is heard, for who reads nothing is let go."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        while self.shown and (left := until - time.monotonic()) > 0:
            if poll.poll(left * 1_000):
                self._hear()

    def _continue(self, *_: object) -> None:
        """Draw the prompt anew: behind Ctrl-Z and `fg` the shell has written to where it was.

        Not by Python's stream, in the middle of whose write the signal may come.
        """
        os.write(sys.stdout.fileno(), self.prompt.encode())

    def _prompt(self, text: str) -> None:
        self.prompt = text
        click.echo(text, nl=False)


def sight_of(grant: Grant, operation: str) -> Sight:
    """What evidence keeps of a grant: by who can ask for it, where an operation reached into what has it."""
    if grant.is_operation:
        return route_of(grant.item)
    known = VARIABLES.get(grant.variable)
    if known and known.family not in LIMITED.get(operation, ()):
        operation = next(one for one, of in LIMITED.items() if of[0] is known.family)
    return Sight(*grant, operation)


def _grant(data: Data) -> Grant:
    return Grant(data["variable"], data["item"])


def _lines(question: Data, number: int, waiting: int) -> Iterator[str]:
    """A question as lines: ours, and behind a `|` the client's."""
    more = f", {waiting - 1} more wait" if waiting > 1 else ""
    yield f"question {number}, {question['seconds']:.0f} s{more}: {question['operation']}"
    yield f"  from {question['client']}, which {question['file'] or 'the policy'} refuses"
    yield f"  what it does: {question['does']}"
    yield "  what the client says:"
    yield from _clients(question["request"])
    for name in ("agent", "body"):
        if name in question:
            yield from _clients(f"{name} {question[name]}")
    for one in question.get("names", ()):
        called = f" ({', '.join(one['names'])})" if one["names"] else ""
        said = f"{one['kind']} {one['text']} is {one['id']}{called}"
        yield from _clients(said, "  = ")
    if left := question.get("more"):
        yield f"  and {left} more like these"
    yield "  why it is refused:"
    yield from _clients(question["refused"])
    yield f"  what {question['file'] or 'a file'} would have to list:"
    for one in question["grants"]:
        yield from _clients(one["name"], "  + ")
        power = Power(one["power"], one["why"])
        if power.level and not power.is_root:
            yield f"      {power.shown}: {power.why}"
    if question["root"]:
        yield f"  {Risk.HOST_ROOT.shown}: {question['root']}"
    elif not any(one["power"] for one in question["grants"]):
        yield "      no known way to root"


def _clients(text: str, mark: str = "  | ") -> Iterator[str]:
    """A text of the client, each of its lines marked as such.

    What is broken goes on further in: no client chooses how a line begins that looks like one
    of ours. A letter that may take two columns counts as two, or the terminal would break the
    line, and go on without a mark.
    """
    width = (width_of(sys.stdout) or USUAL_WIDTH) - len(_FURTHER) - 1
    spaced = "".join(
        one + _SECOND * (east_asian_width(one) in "AFW") for one in visible(text)
    )
    lines = textwrap.wrap(spaced, max(width, 8), break_on_hyphens=False) or [""]
    for at, line in enumerate(lines):
        yield f"{_FURTHER if at else mark}{line.replace(_SECOND, '')}"


_FURTHER: Final = "  |   "
_SECOND: Final = "\0"
"""Stands for the second column of a letter: `visible` leaves none in a text."""
