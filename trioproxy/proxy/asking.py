"""Questions to a person about what a policy refuses: who is asked, and what was said.

    a request is refused      `holding` says what would let it pass, and waits for the end of
    a `Question`              which every asker is told, as a line of JSON (docs/asking.md)
    an answer                 once, for an hour, always, no, no for an hour
    the request again         judged once more, with what was allowed (`holding`)

What was said for an hour is kept here and nowhere else: it ends with this process, with the
hour, and at a reload that touches it. It belongs to one client of one policy (`Whose`). Whether
something is root is asked of the file, of all that is allowed for an hour, and of what is
asked about, together; when the question is put, and again when it is answered, for others
may have been answered meanwhile.

Nobody here writes a file: an answer that is to last is written by the asker, between our
`write` and its `written`, and read again as at SIGHUP.
"""

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Final, NamedTuple

import trio

from trioproxy.api.families import OBJECTS
from trioproxy.config import Level, UnixAddress
from trioproxy.errors import ConfigError, leaf_of
from trioproxy.files import names_of
from trioproxy.judge.gate import Gate
from trioproxy.judge.meaning import ways_of
from trioproxy.judge.outcome import name_of_client
from trioproxy.judge.power import Power, new_ways, weigh
from trioproxy.judge.rules import Mode, Policy
from trioproxy.limits.grant import Grant
from trioproxy.proxy import listeners
from trioproxy.proxy.client import Client
from trioproxy.proxy.log import Log

PROTOCOL: Final = 1
"""The version of the lines that askers and we send."""

MOST_HELD: Final = 16
"""Requests that are held at once, whoever sent them."""

MOST_OF_CLIENT: Final = 4
"""Requests of one client that are held at once."""

HOUR: Final = 3_600.0
"""Seconds for which an answer holds that is for an hour."""

MOST_KEPT: Final = 256
"""Answers for an hour, of each kind; one more is refused, or pushes the oldest no out."""

MOST_ASKERS: Final = 8
LONGEST_LINE: Final = 64 * 1024
"""Bytes of a line of an asker."""

MOST_UNREAD: Final = 4 * 1024 * 1024
"""Bytes that an asker has not read: one that reads none is let go."""

HELLO_SECONDS: Final = 5.0
"""From a connection of an asker until it says what it is."""

REREAD_SECONDS: Final = 20.0
"""Until a file that an asker wrote is read again; then it is as if it had said once."""

MOST_GATES: Final = 64
ROOT: Final = "root"
"""The word that an answer has which lets something pass that gives root on the host."""


class Said(StrEnum):
    """What a person says to a question."""

    ONCE = "once"
    HOUR = "hour"
    ALWAYS = "always"
    NO = "no"
    NO_HOUR = "no-hour"

    @property
    def is_yes(self) -> bool:
        """Whether the request may pass by it."""
        return self not in {Said.NO, Said.NO_HOUR}


class Whose(NamedTuple):
    """One client: to whom an answer for an hour belongs.

    A container by its id, where clients are known by that; else a user of one Unix socket,
    or an address. Of two processes with one user, or behind one address, nobody can tell
    which is which.
    """

    policy: str
    """What the clients of its policy are called; empty: those of the process's own."""
    listener: str
    """The path of the Unix socket; of TCP the port."""
    name: str

    @classmethod
    def of(cls, policy: str, client: Client) -> "Whose":
        """Tell it of a connection."""
        at = client.wire.sock.getsockname()
        listener = at if isinstance(at, str) else f"port {at[1]}"
        peer = client.peer.rpartition("@")[2]
        return cls(policy, listener, client.container or name_of_client(peer))


class Allowed(NamedTuple):
    """By what a request goes on that the policy refuses."""

    once: tuple[Grant, ...]
    hours: tuple[Grant, ...]
    who: Whose


@dataclass(slots=True, eq=False, kw_only=True)
class Question:
    """What a person is asked: one for all requests that are equal."""

    id: str
    key: tuple[object, ...]
    who: Whose
    gate: Gate
    """By which the request is refused."""
    grants: tuple[Grant, ...]
    """What the file would have to list."""
    told: dict[str, object]
    powers: tuple[Power, ...] = ()
    root: str = ""
    """Why they give root on the host, beside what is allowed already; empty: no known way."""
    deadline: float
    waiting: int = 0
    """Requests that are held for it."""
    writer: "Asker | None" = None
    """Who writes the file, between its answer and the end."""
    said: Said | None = None
    why: str = ""
    """Why it ended without an answer."""
    is_withdrawn: bool = False
    """Whether it ended because the policy is another one now: what is held is judged anew."""
    over: trio.Event = field(default_factory=trio.Event)

    def line(self) -> dict[str, object]:
        """As askers are told."""
        left = max(0.0, self.deadline - trio.current_time())
        grants = [
            {
                "name": grant.name,
                **grant._asdict(),
                "power": power.level,
                "why": power.why,
            }
            for grant, power in zip(self.grants, self.powers, strict=True)
        ]
        return {
            "question": self.id,
            **self.told,
            "grants": grants,
            "root": self.root,
            "seconds": round(left, 1),
        }


class End(NamedTuple):
    """When an hour is over: by whichever clock is there first.

    The monotonic one stands still while the machine sleeps, and anybody may set the other.
    """

    monotonic: float
    wall: float

    @classmethod
    def after(cls, seconds: float) -> "End":
        """Say when so many seconds from now are over."""
        return cls(trio.current_time() + seconds, time.time() + seconds)

    @property
    def is_past(self) -> bool:
        """Whether it is over."""
        return self.monotonic <= trio.current_time() or self.wall <= time.time()


class Hour(NamedTuple):
    """What a person allowed for an hour."""

    who: Whose
    grants: tuple[Grant, ...]
    end: End
    is_root: bool
    """Whether the word was typed."""


@dataclass(slots=True, eq=False)
class Asker:
    """Somebody who is attached."""

    uid: int
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
        try:
            self.outbox.send_nowait(told)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.scope.cancel()
        if self.unread > MOST_UNREAD:
            self.scope.cancel()


class _BadLine(Exception):
    """A line of an asker that says nothing; the text says why."""

    def __init__(self, why: str, again: Question | None = None) -> None:
        """`again`: the question that is asked once more."""
        super().__init__(why)
        self.again = again


class Asking:
    """All questions of a server, its askers, and what they said for an hour."""

    def __init__(  # noqa: PLR0913  settings, each by its name
        self,
        *,
        address: UnixAddress,
        uid: int,
        log: Log,
        widen: Callable[[Policy, Iterable[Grant]], Policy],
        files: Callable[[], Mapping[str, str]],
        seconds: float = 30.0,
        hour: float = HOUR,
    ) -> None:
        """`uid`: who may ask. `widen`: adds grants to a policy; raises `ConfigError` for
        what can be in no file. `files`: those of all policies, by what their clients are called.
        """
        self.path = address.path
        """Of the socket at which askers attach."""
        self.seconds = seconds
        self.reread: Callable[[str], Awaitable[None]] | None = None
        """Reads the file of a policy again."""
        self._address = address
        self._uid = uid
        self._log = log
        self._widen = widen
        self._files = files
        self._hour = hour
        self._askers: dict[Asker, None] = {}
        self._open: dict[str, Question] = {}
        self._by_key: dict[tuple[object, ...], Question] = {}
        self._held = Counter[str]()
        self._hours: list[Hour] = []
        self._declined: dict[tuple[Whose, frozenset[Grant]], End] = {}
        self._gates: dict[tuple[int, tuple[Grant, ...]], tuple[Gate, Gate]] = {}
        """Gates with more in their lists, by the gate's identity; it is kept with them."""
        self._survivors: dict[str, tuple[Policy, list[Hour]]] = {}
        self._turn = trio.Lock()
        """Who weighs an answer has it, until that counts."""
        self._listener: listeners.Listener | None = None
        self._scope = trio.CancelScope()
        self._is_over = False

    # -- what is allowed -----------------------------------------------------------

    def is_attached(self, policy: str) -> bool:
        """Whether somebody would be asked."""
        file = self._file(policy)
        return not self._is_over and any(one.takes(file) for one in self._askers)

    def _file(self, policy: str) -> str:
        """What the file of a policy is called: the shortest name that no other has too."""
        files = self._files()
        if not (path := files.get(policy)):
            return ""
        # Asked of each refusal: few of them are looked at, and hardly ever is one called so.
        name, whole = os.path.basename(path), os.path.abspath(path)
        others = (one for one in files.values() if one.endswith(name))
        taken = {n for o in others if os.path.abspath(o) != whole for n in names_of(o)}
        return next(one for one in names_of(path) if one not in taken)

    def hours(self, who: Whose) -> tuple[Grant, ...]:
        """What a client has for an hour, and still has."""
        mine = (one for one in self._hours_of(who.policy) if one.who == who)
        return tuple(dict.fromkeys(grant for one in mine for grant in one.grants))

    def _hours_of(self, policy: str) -> list[Hour]:
        self._hours = [one for one in self._hours if not one.end.is_past]
        return [one for one in self._hours if one.who.policy == policy]

    def gate(self, gate: Gate, grants: tuple[Grant, ...]) -> Gate:
        """The same gate with more in its lists. Raises `ConfigError` where that cannot be."""
        if not grants:
            return gate
        key = (id(gate), grants)
        known = self._gates.get(key)
        if known is None:
            policy = self._widen(_policy_of(gate), grants)
            wide = replace(gate, policy=policy, objects=policy.objects, approve="")
            if len(self._gates) >= MOST_GATES:
                self._gates.clear()
            known = self._gates[key] = (gate, wide)
        return known[1]

    def gate_of(self, gate: Gate, allowed: Allowed) -> Gate:
        """What judges what goes on already, by a gate of now."""
        still = self.hours(allowed.who)
        hours = tuple(one for one in allowed.hours if one in still)
        try:
            return self.gate(gate, tuple(dict.fromkeys((*allowed.once, *hours))))
        except ConfigError:
            return gate

    def is_declined(self, who: Whose, grants: Iterable[Grant]) -> bool:
        """Whether a person said no for an hour to something that is needed."""
        wanted = frozenset(grants)
        self._declined = {k: e for k, e in self._declined.items() if not e.is_past}
        return any(one == who and said <= wanted for one, said in self._declined)

    # -- what is held --------------------------------------------------------------

    @contextmanager
    def place(self, group: str) -> Iterator[bool]:
        """Hold a request of a client; False: there is no room for one more."""
        has_room = self._held.total() < MOST_HELD and self._held[group] < MOST_OF_CLIENT
        if not has_room:
            yield False
            return
        self._held[group] += 1
        try:
            yield True
        finally:
            self._held[group] -= 1
            if not self._held[group]:
                del self._held[group]

    async def put(
        self,
        key: tuple[object, ...],
        who: Whose,
        gate: Gate,
        grants: tuple[Grant, ...],
        told: Mapping[str, object],
        deadline: float,
    ) -> Question:
        """Ask, or find the question that is asked already. Raises `ConfigError`."""
        if question := self._by_key.get(key):
            return question
        question = Question(
            id=os.urandom(6).hex(),
            key=key,
            who=who,
            gate=gate,
            grants=grants,
            told={
                "policy": who.policy,
                "file": self._file(who.policy),
                **told,
            },
            deadline=deadline,
        )
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
        self._log.line(
            Level.NOTICE,
            "asked",
            question=question.id,
            **_named(who),
            client=who.name,
            operation=told["operation"],
            adds=_names(grants),
        )
        self._tell(who.policy, question.line())
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
                elif not question.waiting:
                    self.end(question, "its client left")

    def done(self, question: Question, *, passed: bool, why: str = "") -> None:
        """Tell askers what became of a request that they answered."""
        more = {"why": why} if why else {}
        self._tell(question.who.policy, {"done": question.id, "passed": passed, **more})

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
            self._tell(question.who.policy, line)

    def _tell(self, policy: str, line: Mapping[str, object]) -> None:
        file = self._file(policy)
        for one in list(self._askers):
            if one.takes(file):
                one.tell(**line)

    async def _weigh(self, question: Question) -> None:
        """Say what it gives, beside the file and all that is allowed for an hour."""
        policy = _policy_of(question.gate)
        hours = [g for one in self._hours_of(question.who.policy) for g in one.grants]
        grants = question.grants

        def compute() -> tuple[tuple[Power, ...], str]:
            old = self._widen(policy, hours)
            return weigh(old, self._widen(old, grants), grants)

        question.powers, question.root = await trio.to_thread.run_sync(
            compute, abandon_on_cancel=True
        )

    # -- another policy ------------------------------------------------------------

    def survive(self, client: str, policy: Policy) -> None:
        """Say what of what is allowed for an hour outlives a reload to a policy.

        Long work, in a thread: it counts when that policy does (`reloaded`). What the new
        file touches is gone: an item that it lists itself, or of whose list it took anything;
        and all of it, but for what was root when it was said, if it gives root beside it.
        """
        hours = [one for one in list(self._hours) if one.who.policy == client]
        kept = [
            one
            for one in hours
            if not any(_is_granted(grant, policy) for grant in one.grants)
        ]
        root = [g for one in kept if one.is_root for g in one.grants]
        rest = [g for one in kept if not one.is_root for g in one.grants]
        if rest:
            try:
                base = self._widen(policy, root)
                before, after = ways_of(base), ways_of(self._widen(base, rest))
                doors = {one.operation for one in before if one.grant is None}
                if any(new_ways(after, before, doors)):
                    kept = [one for one in kept if one.is_root]
            except ConfigError:
                kept = []
        self._survivors[client] = (policy, kept)

    def reloaded(self, client: str, gate: Gate, old: Gate | None) -> None:
        """Know that a policy is another one: what is held is judged anew by that."""
        policy, kept = self._survivors.pop(client, (None, []))
        if old is not None and _says(old) == _says(gate):
            return
        others = [one for one in self._hours if one.who.policy != client]
        mine = [one for one in self._hours if one.who.policy == client]
        if policy is not gate.policy:
            kept = []
        before = old.policy if old else None
        kept = [
            one
            for one in kept
            if one in mine
            and not any(_lost(g, before, gate.policy) for g in one.grants)
        ]
        self._hours = [*others, *kept]
        for one in mine:
            if one not in kept:
                self._log.line(
                    Level.NOTICE,
                    "hour-over",
                    **_named(one.who),
                    client=one.who.name,
                    allowed=_names(one.grants),
                    text="by a reload",
                )
        self._gates.clear()
        self._withdraw(client)

    def forget(self, client: str) -> None:
        """Know that a policy is gone."""
        self._hours = [one for one in self._hours if one.who.policy != client]
        self._gates.clear()
        self._withdraw(client)

    def _withdraw(self, client: str) -> None:
        for question in list(self._by_key.values()):
            if question.who.policy == client and question.writer is None:
                self.end(question, "the policy is another one now", is_withdrawn=True)

    # -- askers --------------------------------------------------------------------

    def bind(self) -> None:
        """Listen for askers. Raises `ConfigError`."""
        (self._listener,) = listeners.bind(self._address)

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
        sock = self._listener.sock
        sock.setblocking(False)
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock.dup()))
        try:
            with self._scope:
                await trio.serve_listeners(self._attend, [listener])
        finally:
            self.close()

    async def _attend(self, stream: trio.SocketStream) -> None:
        """Listen to one asker until it leaves; its failures are its own."""
        uid = _uid_of(stream)
        try:
            async with stream:
                if uid != self._uid:
                    self._log.line(Level.WARNING, "asker-kept-out", uid=uid)
                    text = f"uid {uid} is not asked here: --ask is for uid {self._uid}"
                    await _say(stream, error=text)
                elif len(self._askers) >= MOST_ASKERS:
                    await _say(stream, error=f"{MOST_ASKERS} are attached already")
                else:
                    await self._converse(stream, uid)
        except* (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # it is gone
        except* Exception as error:  # noqa: BLE001  the edge: it ends one asker
            self._log.crash(f"asker uid={uid}", leaf_of(error))

    async def _converse(self, stream: trio.SocketStream, uid: int) -> None:
        send, outbox = trio.open_memory_channel[bytes](inf)
        asker = Asker(uid, send, trio.CancelScope())
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
            self._log.line(Level.NOTICE, "asker-left", uid=asker.uid)
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
                await self._hear(asker, line)
                continue
            if len(pending) > LONGEST_LINE:
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
        there = sorted(set(map(self._file, self._files())))
        asker.tell(attached=list(filter(asker.takes, there)), files=there)
        self._log.line(Level.NOTICE, "asker", uid=asker.uid)
        for question in self._open.values():
            if asker.takes(self._file(question.who.policy)):
                asker.tell(**question.line())

    def _find(self, asker: Asker, name: object) -> Question:
        question = self._open.get(name) if isinstance(name, str) else None
        if question is None or not asker.takes(self._file(question.who.policy)):
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
        if not said.is_yes:
            self._conclude(question, said, asker)
            return
        async with self._turn:
            await self._weigh(question)
            self._find(asker, question.id)
            _refuse_second(question)
            if question.root and data.get("word") != ROOT:
                raise _BadLine(
                    f'it gives root on the host ({question.root}): answer with "word": "{ROOT}"',
                    question,
                )
            if said is Said.ALWAYS:
                if not self._file(question.who.policy):
                    raise _BadLine("this policy has no file: say once, or hour")
                question.writer = asker
                asker.writes[question.id] = question.who.policy
                asker.tell(write=question.id)
                return
            if said is Said.HOUR:
                self._allow(question)
            self._conclude(question, said, asker)

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
                self._conclude(question, Said.ALWAYS, asker)

    def _allow(self, question: Question) -> None:
        if len(self._hours) >= MOST_KEPT:
            raise _BadLine(f"{MOST_KEPT} answers for an hour are kept already")
        hour = Hour(
            question.who, question.grants, End.after(self._hour), bool(question.root)
        )
        self._hours.append(hour)

    def _conclude(self, question: Question, said: Said, asker: Asker) -> None:
        question.said = said
        if said is Said.NO_HOUR:
            while len(self._declined) >= MOST_KEPT:
                del self._declined[next(iter(self._declined))]
            declined = question.who, frozenset(question.grants)
            self._declined[declined] = End.after(self._hour)
        holds = said in {Said.HOUR, Said.NO_HOUR}
        end = time.gmtime(time.time() + self._hour)
        self._log.line(
            Level.NOTICE,
            "answered",
            question=question.id,
            said=said,
            **({"until": time.strftime("%Y-%m-%dT%H:%M:%SZ", end)} if holds else {}),
            **_named(question.who),
            client=question.who.name,
            adds=_names(question.grants),
            root=question.root or "no",
            by=f"uid={asker.uid}",
        )
        self._close(question)


def _refuse_second(question: Question) -> None:
    """The first answer counts, from when the file is written by it."""
    if question.writer is not None:
        raise _BadLine("somebody writes the file for it")


NOBODY: Final = "nobody is there to be asked"


def _policy_of(gate: Gate) -> Policy:
    assert gate.policy is not None  # noqa: S101  what enforces has one
    return gate.policy


def _says(gate: Gate) -> object:
    policy = _policy_of(gate)
    return (
        policy.mode,
        policy.lines,
        policy.limits.lines,
        policy.objects.lines,
        policy.hiding,
    )


def _listed(policy: Policy | None, variable: str) -> tuple[str, ...] | None:
    """The items of a list; None: the file has no such line."""
    if policy is None:
        return None
    if limit := policy.limits.by_variable.get(variable):
        return tuple(limit.value.split(","))
    kind = OBJECTS.get(variable)
    return policy.objects.by_kind[kind].items if kind and policy.objects else None


def _is_granted(grant: Grant, policy: Policy) -> bool:
    """Whether a file lists it by now, or lists nothing by name any more."""
    if policy.mode is not Mode.EXACT:
        return True
    if grant.is_operation:
        return grant.item in policy.opened_operations
    return grant.item in (_listed(policy, grant.variable) or ())


def _lost(grant: Grant, old: Policy | None, new: Policy | None) -> bool:
    """Whether the list that a grant stands beside lost anything."""
    if grant.is_operation:
        return False
    before, after = _listed(old, grant.variable), _listed(new, grant.variable)
    return not set(before or ()) <= set(after or ()) or (before is None) != (
        after is None
    )


def _named(who: Whose) -> dict[str, str]:
    return {"policy": who.policy} if who.policy else {}


def _names(grants: Iterable[Grant]) -> str:
    return ",".join(one.name for one in grants)


def _uid_of(stream: trio.SocketStream) -> int:
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], "little")


def _parse(line: bytes) -> dict[str, object]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise _BadLine("that is no JSON") from None
    if not isinstance(data, dict):
        raise _BadLine("a line is a JSON object")
    return data


async def _say(stream: trio.SocketStream, **line: object) -> None:
    with trio.move_on_after(HELLO_SECONDS):
        await stream.send_all(json.dumps(line).encode() + b"\n")


async def _write(
    stream: trio.SocketStream,
    asker: Asker,
    outbox: "trio.MemoryReceiveChannel[bytes]",
) -> None:
    async for line in outbox:
        await stream.send_all(line)
        asker.unread -= len(line)
