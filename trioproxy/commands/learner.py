"""A run of `trioproxy learn`: the server, the command or a signal, the files.

What was asked for is a `Plan`, made in `commands.learn`; what is granted is decided in
`learning.proposal`, and written by `evidence.journal`.
"""

import math
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from trioproxy.api.families import NOWHERE, Places
from trioproxy.apiversion import oldest_of
from trioproxy.commands import capture, child, start, supervisor, tell
from trioproxy.commands.asked import Call, Scope
from trioproxy.commands.closing import Closing, say_beyond
from trioproxy.commands.terminal import width_of
from trioproxy.config import Config
from trioproxy.errors import TrioProxyError
from trioproxy.evidence.clients import Origins
from trioproxy.evidence.evidencefile import Loaded
from trioproxy.evidence.journal import Journal
from trioproxy.evidence.recorder import Recorder
from trioproxy.evidence.seen import Evidence
from trioproxy.evidence.sight import BAD_REQUEST
from trioproxy.evidence.unknown import UnknownRoutes
from trioproxy.hostpath import find_own
from trioproxy.judge.gate import Gate
from trioproxy.learning.store import Store, Written
from trioproxy.limits.objects import NO_OBJECTS
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server
from trioproxy.threads import in_thread
from trioproxy.values import value_class

if TYPE_CHECKING:
    from trioproxy.commands.block import Block

END_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AFTER_COMMAND: Final = 2.0
"""Seconds for what is still open when the command has ended, or a signal came."""

LINGER = 60
"""Seconds for what the command left behind, from the last request on."""

QUIET_EVERY: Final = 1.0
"""Seconds between two looks whether it has been quiet for long."""

LOOK_EVERY: Final = 0.1
"""Seconds between two looks at the processes that the command left behind."""

UNSEEN: Final = 1
"""The status of a run that saw nothing and should have."""

UNWRITTEN: Final = 2
"""The status of a run that worked but could not be written down."""


@value_class
class Plan:
    """What a call asks for."""

    asked: Call
    config: Config
    store: Store
    known: Loaded
    """What earlier runs saw; this one adds to it."""
    docker_host: str = ""
    captured: Sequence[str] = ()
    """Paths at which the command finds our socket in place of the Engine's."""
    clients: Origins | None = None
    proxy_socket: str = ""
    """What goes on in place of an Engine's socket in binds; empty: nothing does."""
    places: Places = NOWHERE
    """What `{base}` and the like stand for in what is learned."""


@dataclass(slots=True)
class Stopping:
    """Signals that ended the learning."""

    event: trio.Event = field(default_factory=trio.Event)
    number: int = signal.SIGTERM
    """The first of them."""


async def learn(plan: Plan) -> int:
    """Learn until the command ends or a signal comes, and write it down; the status."""
    block = _block(plan)
    with block or nullcontext():
        return await _learn(plan, block)


def _block(plan: Plan) -> "Block | None":
    """What to draw on, where a person watches.

    There is none beside a COMMAND: it has our terminal too, and writes to it at any time
    and anywhere, so what is drawn there would end up within its output.
    """
    if plan.asked.argv or plan.asked.quiet or width_of(sys.stderr) is None:
        return None
    # Imported here: whoever serves without a terminal does not carry what draws on one.
    from trioproxy.commands.block import Block

    return Block.on(sys.stderr.fileno())


@value_class
class Lesson:
    """What one client is learned with."""

    plan: Plan
    journal: Journal[Written]
    recorder: Recorder
    gate: Gate
    """What lets pass and looks at what comes."""


def begin(
    plan: Plan,
    warn: Callable[[str], None],
    complain: Callable[[TrioProxyError], None],
) -> Lesson:
    """Begin a run of one client's."""
    evidence, store = plan.known.evidence, plan.store
    gate = Gate.learning(
        store.wish.ceiling,
        learns_arguments=store.wish.arguments,
        objects=store.objects(evidence) if store.wish.objects else NO_OBJECTS,
        proxy_socket=plan.proxy_socket,
        is_alone=plan.asked.scope is Scope.OWN,
    )
    unknown = UnknownRoutes()
    teller = tell.Teller(plan.known, quiet=plan.asked.quiet, unknown=unknown, warn=warn)
    name = start.new_run(evidence.runs)
    evidence.begin(name, start.now(), has_command=bool(plan.asked.argv))
    evidence.runs[name].never = plan.asked.never
    journal = Journal(store, evidence, tell=teller.tell, complain=complain)
    recorder = Recorder(
        evidence,
        now=time.time,
        wake=journal.wake,
        only=plan.clients.includes if plan.clients else None,
        places=plan.places,
        proxy_socket=plan.proxy_socket,
        unknown=unknown,
    )
    return Lesson(plan=plan, journal=journal, recorder=recorder, gate=gate)


async def _learn(plan: Plan, block: "Block | None") -> int:
    above = block.above if block else tell.unwaited
    lesson = begin(plan, above(tell.warn), above(tell.complain))
    recorder = lesson.recorder
    write = block.above(os.write) if block else os.write
    log = Log(plan.config.level, form=plan.config.log_format, write=write)
    server = Server(
        config=plan.config,
        gates={"": lesson.gate},
        log=log,
        observers={"": [recorder.note]},
        away=start.away(os.environ),
        own=find_own(),
    )
    with ending() as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lesson.journal.run)
            status = await _serve(lesson, server, signals, block)
            nursery.cancel_scope.cancel()
        tell.passed_over(recorder.passed_over)
        return await finish(lesson, status, was_shut=server.has_turned_away)


def ending() -> AbstractContextManager[AsyncIterator[int]]:
    """Receive what ends the learning, and from here on never the writing: who sends a signal to
    a whole group, or twice, has the files all the same, and the command's status."""
    return child.received(END_SIGNALS, is_last=True)


async def _serve(
    lesson: Lesson, server: Server, signals: AsyncIterator[int], block: "Block | None"
) -> int:
    """Serve until the command has ended or a signal came; a second one ends at once."""
    plan, recorder = lesson.plan, lesson.recorder
    stopping = Stopping()
    status: int | None = None if plan.asked.argv else 0
    given = resource.getrlimit(resource.RLIMIT_NOFILE)  # who serves has more
    async with serving(server, signals, stopping) as nursery:
        if plan.asked.argv:
            status = await _run_command(plan, stopping, given)
            await _outlast(plan, recorder, stopping, server)
        else:
            seconds, private = plan.asked.ends_after, plan.docker_host
            tell.where(server.addresses, seconds, private=private)
            if block:
                # Here, for most learners have no terminal of their own.
                from trioproxy.commands import live

                watching = live.Watching(recorder, plan.asked.until)
                file = plan.store.wish.file
                nursery.start_soon(live.draw, block, watching, file)
            await outwait(plan.asked, partial(_is_quiet, recorder), stopping)
    return child.KILLED_BY + stopping.number if status is None else status


@asynccontextmanager
async def serving(
    server: Server, signals: AsyncIterator[int], stopping: Stopping
) -> AsyncIterator[trio.Nursery]:
    """Serve from here on, with a word where others could reach that, and drain at the end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop, signals, stopping, nursery.cancel_scope)
        await nursery.start(server.run)
        nursery.start_soon(supervisor.be_watched, server.log)
        for url in start.exposed(server.config.listen, server.addresses):
            tell.warn(start.danger(url))
        await supervisor.tell(server.log, supervisor.READY)
        yield nursery
        await supervisor.tell(server.log, supervisor.STOPPING)
        await server.drain(finite=AFTER_COMMAND, streams=AFTER_COMMAND)
        nursery.cancel_scope.cancel()


async def outwait(
    asked: Call, is_quiet: Callable[[int], bool], stopping: Stopping
) -> None:
    """Wait for a signal, or until nothing new was seen for as long as was asked for."""
    seconds = asked.ends_after
    while not (stopping.event.is_set() or (seconds and is_quiet(seconds))):
        with trio.move_on_after(QUIET_EVERY if seconds else math.inf):
            await stopping.event.wait()


def _is_quiet(recorder: Recorder, seconds: int) -> bool:
    newest = recorder.evidence.last_birth()
    return newest is not None and recorder.elapsed() - newest >= seconds


async def stop(
    signals: AsyncIterator[int], stopping: Stopping, scope: trio.CancelScope
) -> None:
    """End the learning at a signal; a second one ends at once."""
    async for number in signals:
        if stopping.event.is_set():
            scope.cancel()
        else:
            stopping.number = number
        stopping.event.set()


async def _run_command(
    plan: Plan, stopping: Stopping, descriptors: tuple[int, int]
) -> int:
    if stopping.event.is_set():
        return child.KILLED_BY + stopping.number
    child.adopt_orphans()
    try:
        command: Sequence[str] = plan.asked.argv
        if plan.captured:
            ours = plan.docker_host.removeprefix("unix://")
            command = capture.wrap(command, ours, plan.captured)
        env = child.environment(os.environ, plan.docker_host)
        return await child.run(command, env, descriptors)
    except child.CommandError as error:
        tell.warn(str(error))
        return error.status


BEHIND: Final = "what it gave @proxy to"
"""How a client is called that is no process of the command's, but was started by it."""


async def _outlast(
    plan: Plan, recorder: Recorder, stopping: Stopping, server: Server
) -> None:
    """Stay while what the command left behind lives and asks for something.

    A test runner may leave a daemon that outlives it by hours and never asks again, so
    there is an end to it. A signal is one too. A reaper in a container is no process of
    the command's: it is there as long as it keeps its connection.
    """

    def left() -> list[str]:
        is_behind = plan.proxy_socket and server.connections
        return [*child.orphans(), *([BEHIND] if is_behind else [])]

    names = left()
    if names == [BEHIND]:
        await trio.sleep(LOOK_EVERY)  # it may be the command's own, and about to end
        names = left()
    if not names:
        return
    tell.staying(names, LINGER)
    asked, left_at = recorder.evidence.changes, trio.current_time() + LINGER
    while names and not stopping.event.is_set() and trio.current_time() < left_at:
        with trio.move_on_after(LOOK_EVERY):
            await stopping.event.wait()
        if recorder.evidence.changes != asked:
            asked = recorder.evidence.changes
            left_at = trio.current_time() + LINGER
        names = left()
    if names:
        tell.leaving(names)


async def _ask_how_old(plan: Plan, evidence: Evidence) -> None:
    """Ask the Engine how old a client may be, where it refused what one asked for."""
    run = evidence.run
    counts = [one.runs.get(run, {}) for one in evidence.routes.values()]
    if any(BAD_REQUEST in one for one in counts):
        from trioproxy.commands.versions import versions  # few ask

        answer = await in_thread(versions, plan.config.upstream, may_leave=False)
        evidence.runs[run].oldest_api = oldest_of(answer)


async def finish(lesson: Lesson, status: int, *, was_shut: bool) -> int:
    """Write everything down and show the closing table; the exit status.

    `was_shut`: clients were turned away, and this one may be one of them."""
    plan, journal, recorder = lesson.plan, lesson.journal, lesson.recorder
    evidence, wish = plan.known.evidence, plan.store.wish
    if evidence.saw_anything():
        await _ask_how_old(plan, evidence)
        recorder.end(status if plan.asked.argv else None)
    else:
        if plan.asked.require_seen:
            status = status or UNSEEN
        if not (wish.restore or wish.include_failed):
            if status not in {capture.NOT_FOUND, capture.NOT_EXECUTABLE}:
                tell.nothing_seen(
                    wish.file,
                    has_command=bool(plan.asked.argv),
                    unread=recorder.unread,
                    unanswered=recorder.unanswered,
                    was_shut=was_shut,
                )
            return status
        evidence.runs.pop(evidence.run, None)  # it proves nothing
    closing = Closing(
        store=plan.store,
        run=evidence.run,
        until=plan.asked.until,
        never=plan.asked.never,
        unread=recorder.unread,
        unknown=tuple(recorder.unknown or ()),
        asked_more=tuple(recorder.asked_more.values()),
        unfit=recorder.unfit,
        engine=plan.config.upstream,
    )
    saved = await journal.save(is_final=True)
    if saved is None:
        # What was learned must not be lost with the disk: it is shown, line and all.
        proposal = await in_thread(plan.store.preview, evidence, may_leave=False)
        shown = Written(
            evidence=evidence, others=Evidence(), damage="", proposal=proposal
        )
        closing.show(shown, is_written=False)
        return status or UNWRITTEN
    closing.show(saved)
    beyond = say_beyond(plan.store)
    return status or beyond
