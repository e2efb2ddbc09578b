"""The one door to all that decides: a request goes in, and what becomes of it comes out.

It walks the way of a connection (`proxy.connection`) between a client that sends a whole
request and an Engine that is scripted: a table of its answers by the path of a question.
No socket, no thread, no waiting; who moves a part of that way changes this file alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

import trio

from tests.fakes import request
from trioproxy.errors import BadRequest, UpstreamError
from trioproxy.file.permissions import parse_policy
from trioproxy.hostpath import Own
from trioproxy.http import jsonbody
from trioproxy.http.response import Expectation, ResponseHead, parse_response
from trioproxy.judge.gate import (
    Found,
    Gate,
    Need,
    NeedBody,
    NeedListed,
    NeedMade,
    NeedRaw,
    NeedReserved,
    NeedThings,
    ParsedBody,
    Passes,
    Refused,
    go_on,
)
from trioproxy.judge.outcome import Verdict
from trioproxy.proxy.admission import Admission, Admitted
from trioproxy.proxy.engine import Engine
from trioproxy.proxy.resolve import Resolver
from trioproxy.proxy.shared import Remembered
from trioproxy.proxy.wire import Wire

JSON = "Content-Type: application/json"
World = Mapping[str, Any]
"""What the Engine answers, by the path of the question: JSON, `(status, JSON)`, or bytes.

What is not here is answered with 404, but for a volume that is made, which is as asked for,
and who has a volume, which is nobody.
"""


_LIST = re.compile(r"(/v[0-9.]+)?/(containers/json|networks|volumes)(\?|$)")


class _Wire(Wire):
    """Of which nothing more is read: an answer comes whole with its head."""

    def __init__(self) -> None:
        """No socket."""

    async def let_others(self) -> None:
        """There are none."""


class ScriptedEngine(Engine):
    """Answers out of a table, and notes what it is asked."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.questions: list[str] = []
        self.is_reused = False
        self.has_answered = False
        self._answer: tuple[int, bytes] = 0, b""
        self._wire = _Wire()

    async def send_request(self, data: bytes) -> None:
        """Find the answer."""
        head, _, body = data.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split()
        self.questions.append(target if method == "GET" else f"{method} {target}")
        missing = 404, {"message": f"no such thing: {target}"}
        found = self.world.get(self.questions[-1], missing)
        if found is missing and method == "POST":
            found = 201, json.loads(body)
        elif found is missing and _LIST.match(target):
            found = {"Volumes": []} if "/volumes" in target else []
        status, value = found if isinstance(found, tuple) else (200, found)
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        self._answer = status, raw

    async def read_head(
        self, expected: Expectation, data: bytes = b"", size: int = 0
    ) -> tuple[ResponseHead, bytes]:
        """Give it whole."""
        status, raw = self._answer
        head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(raw))
        return parse_response(head, expected), raw

    def drop(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of a request."""

    allowed: bool
    status: int = 0
    """Of our answer; 0: it passed."""
    message: str = ""
    """Of our answer, or what would have been answered."""
    word: str = ""
    """How the log calls it."""
    rule: str = ""
    """The variable that decided."""
    sent: bytes = b""
    """What goes on to the Engine, and of the body that which was read."""
    questions: Sequence[str] = ()
    """What the Engine was asked, in order; with the method where that is not GET."""
    reserved: frozenset[str] | None = None
    """The volumes that are reserved while it is under way."""
    unpacks: bool = False

    @property
    def line(self) -> str:
        """Method and target that go on."""
        return self.sent.partition(b" HTTP/")[0].decode()

    @property
    def body(self) -> Any:  # noqa: ANN401  JSON
        """The body that goes on."""
        return json.loads(self.sent.partition(b"\r\n\r\n")[2])


@dataclass(kw_only=True)
class Door:
    """A policy at work, and all that a server remembers beside it."""

    gate: Gate
    own: Own = field(default_factory=Own)
    unused: frozenset[str] = frozenset()
    """The volumes that no container ever had, as a server knows it of those that it saw made."""

    def __post_init__(self) -> None:
        self._read = list[tuple[object, str]]()
        self.admission = Admission(self.gate)
        self.verdict: Verdict | None = None
        """Of the last request that could be read."""
        self.remembered = Remembered(own=self.own)

    async def ask(self, raw: bytes, world: World) -> Answer:
        """Have a request judged: its head, and the body behind that."""
        engine, self.verdict = ScriptedEngine(world), None
        head, end, body = raw.partition(b"\r\n\r\n")
        try:
            admitted, volumes = await self._admit(head + end, body, engine)
        except (BadRequest, UpstreamError) as error:
            return Answer(
                allowed=False,
                status=error.status,
                message=str(error),
                word=type(error).__name__,
                questions=engine.questions,
            )
        finally:
            # Every test proves this by the way: nothing changes what was read.
            while self._read:
                value, before = self._read.pop()
                assert repr(value) == before
        self.verdict = verdict = admitted.verdict
        decision = verdict.decision
        return Answer(
            allowed=decision.allowed,
            status=0 if decision.allowed else decision.status,
            message=decision.message,
            word=decision.word,
            rule=decision.rule,
            sent=admitted.upstream,
            questions=engine.questions,
            reserved=volumes,
            unpacks=verdict.unpacks,
        )

    async def _admit(
        self, head: bytes, body: bytes, engine: Engine
    ) -> tuple[Admitted, frozenset[str] | None]:
        """What is admitted, and the volumes that are reserved for it."""
        pending = self.admission.admit(head)
        if isinstance(pending, Admitted):
            return pending, None
        unused = set(self.unused)
        resolver = Resolver(engine, self.gate, self.remembered, unused=unused)
        found: Need | Found | None = pending.need
        volumes: frozenset[str] | None = None
        answer: Any = None
        raw: bytes | None = None
        while True:
            match found:
                case NeedBody():
                    raw = body
                    answer = ParsedBody(jsonbody.parse(body)) if body else None
                    self._read.append((answer, repr(answer)))
                case NeedRaw():
                    raw = answer = body
                case NeedThings() | NeedListed():
                    answer = await resolver.answer(found)
                case NeedMade():
                    answer = await resolver.make()
                case NeedReserved():
                    answer, volumes = None, found.volumes
                case None:
                    answer = None
                case Passes() | Refused():
                    return self.admission.render(pending.parsed, found, raw), volumes
                case _:
                    assert_never(found)
            found = go_on(pending.judging, answer)


def written(line: str, body: object = None) -> bytes:
    """A request as a client writes it: `METHOD target`, and bytes, JSON or no body."""
    method, _, target = line.partition(" ")
    if body is None:
        return request(method, target)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(method, target, JSON, body=raw)


def door(variables: Mapping[str, str], own: Own | None = None) -> Door:
    """A policy that is enforced."""
    return Door(gate=Gate.enforcing(parse_policy(variables)[0]), own=own or Own())


def decide(
    variables: Mapping[str, str],
    line: str,
    body: object = None,
    world: World | None = None,
    own: Own | None = None,
) -> Answer:
    """What becomes of one request: `line` is `METHOD target`."""
    return asked(door(variables, own), line, body, world)


def asked(
    at: Door, line: str, body: object = None, world: World | None = None
) -> Answer:
    """The same at a door that is open already."""
    raw = written(line, body)
    return trio.run(at.ask, raw, world or {})
