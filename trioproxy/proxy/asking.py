"""Questions to a person about what a policy refuses: who is asked, and what was said.

    a request is refused      `holding` says what would let it pass, and waits for the end of
    a `Question`              which every asker is told, as a line of JSON (docs/asking.md)
    an answer                 once, for an hour, always, no, no for an hour
    the request again         judged once more, with what was allowed (`holding`)

What was said for an hour is kept in `hours`. Whether something is root is asked of the file, of
all that is allowed for an hour, and of what is asked about, together; when the question is put,
and again when it is answered, for others may have been answered meanwhile.

Nobody here writes a file: an answer that is to last is written by the asker, between our
`write` and its `written`, and read again as at SIGHUP.
"""

import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

import trio

from trioproxy.config import Level, UnixAddress
from trioproxy.errors import BadRequest, leaf_of
from trioproxy.files import names_of
from trioproxy.http import jsonbody
from trioproxy.judge.gate import Gate
from trioproxy.judge.power import ROOT_WORD, Power, weigh
from trioproxy.limits.grant import Grant
from trioproxy.proxy import listeners
from trioproxy.proxy.capacity import wait_for_room
from trioproxy.proxy.hours import MOST_KEPT, Hours, Whose, names, policy_of
from trioproxy.proxy.log import Log
from trioproxy.threads import in_thread

PROTOCOL: Final = 1
"""The version of the lines that askers and we send."""

MOST_HELD: Final = 16
"""Requests that are held at once, whoever sent them."""

MOST_OF_CLIENT: Final = 4
"""Requests of one client that are held at once."""

MOST_ASKERS: Final = 8
LONGEST_SAID: Final = 64 * 1024
"""Bytes of a line of an asker."""

MOST_UNREAD: Final = 4 * 1024 * 1024
"""Bytes that an asker has not read: one that reads none is let go."""

HELLO_SECONDS: Final = 5.0
"""From a connection of an asker until it says what it is."""

REREAD_SECONDS: Final = 20.0
"""Until a file that an asker wrote is read again; then it is as if it had said once."""


class Said(StrEnum):
    """What a person says to a question."""

    ONCE = "once"
    HOUR = "hour"
    ALWAYS = "always"
    NO = "no"
    NO_HOUR = "no-hour"


NOES: Final = {
    Said.NO: "who was asked said no",
    Said.NO_HOUR: "who was asked said no, for an hour",
}
"""By what a request stays refused, and what its client is told."""


class Outlined(NamedTuple):
    """A request as it would go on."""

    grants: tuple[Grant, ...]
    told: dict[str, object]
    """What a person reads of it."""
    form: bytes
    """All that would go to the Engine, as a digest."""
    content: bytes
    """The same without its header fields."""


@dataclass(slots=True, eq=False)
class Question:
    """What a person is asked: one for all requests that are equal."""

    key: tuple[object, ...]
    who: Whose
    gate: Gate
    """By which the request is refused."""
    grants: tuple[Grant, ...]
    """What the file would have to list."""
    told: dict[str, object]
    deadline: float
    id: str = field(default_factory=lambda: os.urandom(6).hex())
    powers: tuple[Power, ...] = ()
    root: str = ""
    """Why they give root on the host, beside what is allowed already; empty: no known way."""
    waiting: int = 0
    """Requests that are held for it."""
    writer: "Asker | None" = None
    """Who writes the file, between its answer and the end."""
    said: Said | None = None
    why: str = ""
    """Why it ended without an answer."""
    is_withdrawn: bool = False
    """Whether it ended because another policy, or an answer for an hour, counts now: what is
    held is judged anew."""
    over: trio.Event = field(default_factory=trio.Event)

    @property
    def file(self) -> str:
        """By which name of its policy's file it was asked: that may be gone by now."""
        return str(self.told["file"])

    def line(self) -> dict[str, object]:
        """As askers are told."""
        left = max(0.0, self.deadline - trio.current_time())
        grants = [
            {"name": one.name, **one._asdict(), "power": power.level, "why": power.why}
            for one, power in zip(self.grants, self.powers, strict=True)
        ]
        return {
            "question": self.id,
            **self.told,
            "grants": grants,
            "root": self.root,
            "seconds": round(left, 1),
        }


@dataclass(slots=True, eq=False)
class Asker:
    """Somebody who is attached."""

    outbox: "trio.MemorySendChannel[bytes]"
    scope: trio.CancelScope
    unread: int = 0
    """Bytes in its outbox."""
    files: frozenset[str] | None = None
    """Of which policies it takes questions, by the names of their files; None: of all."""
    is_ready: bool = False
    """Whether it has said what it is."""
    writes: dict[str, str] = field(default_factory=dict)
    """The policies whose files it writes, by the id of the question."""

    def takes(self, file: str) -> bool:
        """Whether it is asked about what a file refuses."""
        return self.is_ready and (self.files is None or file in self.files)

    def tell(self, **line: object) -> None:
        """Send a line; who has not read megabytes is let go."""
        told = json.dumps(line).encode() + b"\n"
        self.unread += len(told)
        self.outbox.send_nowait(told)
        if self.unread > MOST_UNREAD:
            self.scope.cancel()


class _BadLine(Exception):
    """A line of an asker that says nothing; the text says why."""

    def __init__(self, why: str, again: Question | None = None) -> None:
        """`again`: the question that is asked once more."""
        super().__init__(why)
        self.again = again


@dataclass(slots=True, eq=False, kw_only=True)
class Asking:
    """All questions of a server, its askers, and what they said for an hour."""

    address: UnixAddress
    """Of the socket at which askers attach."""
    uid: int
    """Who may ask."""
    log: Log
    hours: Hours
    files: Callable[[], Mapping[str, str]]
    """Those of all policies, by what their clients are called."""
    seconds: float
    reread: Callable[[str], Awaitable[None]] | None = None
    """Reads the file of a policy again."""
    _askers: dict[Asker, None] = field(default_factory=dict)
    _open: dict[str, Question] = field(default_factory=dict)
    _by_key: dict[tuple[object, ...], Question] = field(default_factory=dict)
    _held: list[str] = field(default_factory=list)
    """The client of each request that is held."""
    _turn: trio.Lock = field(default_factory=trio.Lock)
    """Who weighs an answer has it, until that counts."""
    _listener: listeners.Listener | None = None
    _scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    _is_over: bool = False

    def is_attached(self, policy: str) -> bool:
        """Whether somebody would be asked."""
        file = self._file(policy)
        return not self._is_over and any(one.takes(file) for one in self._askers)

    def _file(self, policy: str) -> str:
        """What the file of a policy is called: the shortest name that no other has too."""
        files = self.files()
        if not (path := files.get(policy)):
            return ""
        # Asked of each refusal: few of them are looked at, and hardly ever is one called so.
        name, whole = os.path.basename(path), os.path.abspath(path)
        others = (one for one in files.values() if one.endswith(name))
        taken = {n for o in others if os.path.abspath(o) != whole for n in names_of(o)}
        return next(one for one in names_of(path) if one not in taken)

    # -- what is held --------------------------------------------------------------

    @contextmanager
    def place(self, group: str) -> Iterator[bool]:
        """Hold a request of a client; False: there is no room for one more."""
        mine = self._held.count(group)
        if len(self._held) >= MOST_HELD or mine >= MOST_OF_CLIENT:
            yield False
            return
        self._held.append(group)
        try:
            yield True
        finally:
            self._held.remove(group)

    async def put(
        self, who: Whose, gate: Gate, outlined: Outlined, deadline: float
    ) -> Question:
        """Ask, or find the question that is asked already. Raises `ConfigError`."""
        grants, key = outlined.grants, (who, outlined.content, outlined.grants)
        if question := self._by_key.get(key):
            return question
        told = {"policy": who.policy, "file": self._file(who.policy), **outlined.told}
        question = Question(key, who, gate, grants, told, deadline)
        # Known before it is weighed: an equal request finds it. Told when it was.
        self._by_key[key] = question
        try:
            await self._weigh(question)
        except BaseException:
            # Its client left, or no list can hold it: equal ones find that out themselves.
            self.end(question, "", is_withdrawn=True)
            raise
        if question.over.is_set():
            return question
        if not self.is_attached(who.policy):
            self.end(question, NOBODY)
            return question
        self._open[question.id] = question
        what = {**who.logged, "operation": told["operation"], "adds": names(grants)}
        self.log.line(Level.NOTICE, "asked", question=question.id, **what)
        self._tell(question.file, question.line())
        return question

    async def wait(self, question: Question) -> None:
        """Wait for the end of a question."""
        question.waiting += 1
        try:
            with trio.move_on_at(question.deadline):
                await question.over.wait()
        finally:
            question.waiting -= 1
            if not question.over.is_set():
                if trio.current_time() >= question.deadline:
                    self.end(question, f"nobody answered within {self.seconds:.0f} s")
                # Until it is put whoever asked first is here, and not among those.
                elif not question.waiting and question.id in self._open:
                    self.end(question, "its client left")

    def done(self, question: Question, *, passed: bool, why: str = "") -> None:
        """Tell askers what became of a request that they answered."""
        more = {"why": why} if why else {}
        self._tell(question.file, {"done": question.id, "passed": passed, **more})

    def end(self, question: Question, why: str, *, is_withdrawn: bool = False) -> None:
        """End a question without an answer."""
        if question.over.is_set():
            return
        question.why, question.is_withdrawn = why, is_withdrawn
        self._close(question)

    def _close(self, question: Question) -> None:
        was_open = self._open.pop(question.id, None)
        if self._by_key.get(question.key) is question:
            del self._by_key[question.key]
        question.over.set()
        if was_open is not None:
            line = {"closed": question.id, "said": question.said, "why": question.why}
            self._tell(question.file, line)

    def _tell(self, file: str, line: Mapping[str, object]) -> None:
        for one in list(self._askers):
            if one.takes(file):
                one.tell(**line)

    async def _weigh(self, question: Question) -> None:
        """Say what it gives, beside the file and all that is allowed for an hour."""
        policy, widen = policy_of(question.gate), self.hours.widen
        hours, grants = self.hours.of_all(question.who.policy), question.grants

        def compute() -> tuple[tuple[Power, ...], str]:
            old = widen(policy, hours)
            return weigh(old, widen(old, grants), grants)

        turn = self.hours.turn
        question.powers, question.root = await in_thread(compute, limiter=turn)

    # -- another policy ------------------------------------------------------------

    def reloaded(self, client: str, gate: Gate, old: Gate | None) -> None:
        """Know that a policy was read again: what is held is judged anew by another one."""
        if self.hours.reloaded(client, gate, old):
            self._withdraw(client)

    def forget(self, client: str) -> None:
        """Know that a policy is gone."""
        self.hours.forget(client)
        self._withdraw(client)

    def _withdraw(self, client: str) -> None:
        for question in list(self._by_key.values()):
            if question.who.policy == client and question.writer is None:
                self.end(question, "the policy is another one now", is_withdrawn=True)

    # -- askers --------------------------------------------------------------------

    def bind(self) -> None:
        """Listen for askers. Raises `ConfigError`."""
        (self._listener,) = listeners.bind(self.address)
        self.log.line(Level.NOTICE, "asking", at=self.address, uid=self.uid)

    def stop(self) -> None:
        """Ask nobody any more: what is held is refused, and the socket is gone."""
        self._is_over = True
        for question in list(self._by_key.values()):
            self.end(question, "the proxy is about to end")
        self._scope.cancel()

    def close(self) -> None:
        """Remove and close the socket."""
        if self._listener is not None:
            self._listener.remove()
            self._listener.sock.close()
            self._listener = None

    async def run(self) -> None:
        """Listen to askers until stopped."""
        assert self._listener is not None  # noqa: S101  it is bound first
        sock = self._listener.sock.dup()
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        try:
            with self._scope:
                async with listener, trio.open_nursery() as nursery:
                    await self._accept_from(listener, nursery)
        finally:
            self.close()

    async def _accept_from(
        self, listener: trio.SocketListener, nursery: trio.Nursery
    ) -> None:
        """Accept askers until cancelled. Not `trio.serve_listeners`, which tells by Python's
        own log what goes wrong: that writes to stderr, and waits for whoever reads it."""
        is_exhausted = False
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                await wait_for_room(self.log, error, is_told=is_exhausted)
                is_exhausted = True
            else:
                is_exhausted = False
                nursery.start_soon(self._attend, stream)

    async def _attend(self, stream: trio.SocketStream) -> None:
        """Listen to one asker until it leaves; its failures are its own."""
        uid = listeners.uid_of(stream.socket)
        try:
            async with stream:
                if uid != self.uid:
                    self.log.line(Level.WARNING, "asker-kept-out", uid=uid)
                    text = f"uid {uid} is not asked here: --ask is for uid {self.uid}"
                    await _say(stream, error=text)
                elif len(self._askers) >= MOST_ASKERS:
                    await _say(stream, error=f"{MOST_ASKERS} are attached already")
                else:
                    await self._converse(stream)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it is gone
        except* Exception as error:  # noqa: BLE001  the edge: it ends one asker
            self.log.crash(f"asker uid={uid}", leaf_of(error))

    async def _converse(self, stream: trio.SocketStream) -> None:
        send, outbox = trio.open_memory_channel[bytes](inf)
        asker = Asker(send, trio.CancelScope())
        self._askers[asker] = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_write, stream, asker, outbox)
                with asker.scope:
                    asker.tell(trioproxy="ask", version=PROTOCOL, seconds=self.seconds)
                    await self._listen(stream, asker)
                nursery.cancel_scope.cancel()
        finally:
            self._leave(asker)

    def _leave(self, asker: Asker) -> None:
        del self._askers[asker]
        if asker.is_ready:
            self.log.line(Level.NOTICE, "asker-left", uid=self.uid)
        for question in list(self._by_key.values()):
            if question.writer is asker:
                question.writer = None
            if not self.is_attached(question.who.policy):
                self.end(question, NOBODY)

    async def _listen(self, stream: trio.SocketStream, asker: Asker) -> None:
        pending, deadline = b"", trio.current_time() + HELLO_SECONDS
        while True:
            line, mark, rest = pending.partition(b"\n")
            if mark:
                pending = rest
                await trio.lowlevel.checkpoint()  # who says a lot holds nobody else
                await self._hear(asker, line)
                continue
            if len(pending) > LONGEST_SAID:
                return
            more = b""
            with trio.move_on_at(inf if asker.is_ready else deadline):
                more = await stream.receive_some(16_384)
            if not more:
                return
            pending += more

    async def _hear(self, asker: Asker, line: bytes) -> None:
        try:
            data = _parse(line)
            if not asker.is_ready:
                self._greet(asker, data)
            elif "written" in data:
                await self._written(asker, data)
            else:
                await self._answer(asker, data)
        except _BadLine as error:
            asker.tell(error=str(error))
            if error.again is not None:
                asker.tell(**error.again.line())

    def _greet(self, asker: Asker, data: Mapping[str, object]) -> None:
        if data.get("asker") != PROTOCOL:
            raise _BadLine(f'begin with {{"asker": {PROTOCOL}}}')
        files = data.get("files")
        if files is not None:
            if not isinstance(files, list) or {*map(type, files)} - {str}:
                raise _BadLine("files is a list of names")
            asker.files = frozenset(files)
        asker.is_ready = True
        there = sorted(set(map(self._file, self.files())))
        asker.tell(attached=list(filter(asker.takes, there)), files=there)
        self.log.line(Level.NOTICE, "asker", uid=self.uid)
        for question in self._open.values():
            if asker.takes(question.file):
                asker.tell(**question.line())

    def _find(self, asker: Asker, name: object) -> Question:
        question = self._open.get(name) if isinstance(name, str) else None
        if question is None or not asker.takes(question.file):
            raise _BadLine("that question is over, or was never asked")
        return question

    async def _answer(self, asker: Asker, data: Mapping[str, object]) -> None:
        if "answer" not in data:
            raise _BadLine("a line needs answer or written")
        question = self._find(asker, data["answer"])
        try:
            said = Said(str(data.get("say")))
        except ValueError:
            raise _BadLine(f"say is one of {', '.join(Said)}") from None
        _refuse_second(question)
        if said in NOES:
            self._conclude(question, said)
            return
        async with self._turn:
            await self._weigh(question)
            self._find(asker, question.id)
            _refuse_second(question)
            if question.root and data.get("word") != ROOT_WORD:
                raise _BadLine(
                    f'it gives root on the host ({question.root}): answer with "word": "{ROOT_WORD}"',
                    question,
                )
            if said is Said.ALWAYS:
                if not self._file(question.who.policy):
                    raise _BadLine("this policy has no file: say once, or hour")
                question.writer = asker
                asker.writes[question.id] = question.who.policy
                asker.tell(write=question.id)
                return
            if said is Said.HOUR and not self.hours.allow(
                question.who, question.grants, is_root=bool(question.root)
            ):
                raise _BadLine(f"{MOST_KEPT} answers for an hour are kept already")
            self._conclude(question, said)

    async def _written(self, asker: Asker, data: Mapping[str, object]) -> None:
        name = str(data["written"])
        if name not in asker.writes:
            raise _BadLine("say always first")
        policy, question = asker.writes.pop(name), self._open.get(name)
        if why := data.get("failed"):
            if question is not None:
                question.writer = None
            raise _BadLine(f"it was not written: {why!s:.1024}", question)
        try:
            # Also where the question is over by now: the file is another one.
            if self.reread is not None:
                with trio.move_on_after(REREAD_SECONDS):
                    await self.reread(policy)
        finally:
            if question is not None and not question.over.is_set():
                self._conclude(question, Said.ALWAYS)

    def _conclude(self, question: Question, said: Said) -> None:
        question.said = said
        if said is Said.NO_HOUR:
            self.hours.decline(question.who, question.grants)
        holds = said in {Said.HOUR, Said.NO_HOUR}
        end = time.gmtime(time.time() + self.hours.seconds)
        until = {"until": time.strftime("%Y-%m-%dT%H:%M:%SZ", end)} if holds else {}
        what = {"question": question.id, "said": said, **until, **question.who.logged}
        adds, root = names(question.grants), question.root or "no"
        by = f"uid={self.uid}"
        self.log.line(Level.NOTICE, "answered", **what, adds=adds, root=root, by=by)
        self._close(question)
        if holds:
            self._withdraw_beside(question)

    def _withdraw_beside(self, answered: Question) -> None:
        """Have judged anew what waits of a client and needs what was just said for an hour."""
        for other in list(self._by_key.values()):
            is_same = not set(answered.grants).isdisjoint(other.grants)
            if other.who == answered.who and is_same and other.writer is None:
                self.end(other, "it was said for an hour", is_withdrawn=True)


def _refuse_second(question: Question) -> None:
    """The first answer counts, from when the file is written by it."""
    if question.writer is not None:
        raise _BadLine("somebody writes the file for it")


NOBODY: Final = "nobody is there to be asked"


def _parse(line: bytes) -> Mapping[str, object]:
    try:
        data = jsonbody.parse(line)
    except BadRequest:
        raise _BadLine("that is no JSON, or has a name twice in it") from None
    if not isinstance(data, dict):
        raise _BadLine("a line is a JSON object")
    return data


async def _say(stream: trio.SocketStream, **line: object) -> None:
    with trio.move_on_after(HELLO_SECONDS):
        await stream.send_all(json.dumps(line).encode() + b"\n")


async def _write(
    stream: trio.SocketStream, asker: Asker, outbox: "trio.MemoryReceiveChannel[bytes]"
) -> None:
    async for line in outbox:
        await stream.send_all(line)
        asker.unread -= len(line)
