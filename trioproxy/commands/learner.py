"""A run of `trioproxy learn`: the server, the command or a signal, the files.

What was asked for is a `Plan`, made in `commands.learn`; what is granted is decided in
`learning.proposal`, and written by `learning.journal`.
"""

import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import trio

from trioproxy.commands import child, start, tell
from trioproxy.config import Config
from trioproxy.learning.clients import Clients
from trioproxy.learning.evidencefile import Loaded
from trioproxy.learning.journal import Journal
from trioproxy.learning.proposal import Quiet
from trioproxy.learning.recorder import Recorder
from trioproxy.learning.store import Store
from trioproxy.policy.gate import LearnGate
from trioproxy.policy.rules import Policy
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

END_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AFTER_COMMAND: Final = 2.0
"""Seconds for what is still open when the command has ended, or a signal came."""

UNWRITTEN: Final = 2
"""The status of a run that worked but could not be written down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a call asks for."""

    config: Config
    store: Store
    known: Loaded
    """What earlier runs saw; this one adds to it."""
    ceiling: Policy | None
    command: tuple[str, ...]
    docker_host: str
    clients: Clients | None
    until: Quiet | None
    quiet: bool


async def learn(plan: Plan) -> int:
    """Learn until the command ends or a signal comes, and write it down; the status."""
    evidence = plan.known.evidence
    teller = tell.Teller(plan.known, quiet=plan.quiet)
    evidence.begin(start.new_run(), start.now())
    journal = Journal(plan.store, evidence, tell=teller.tell, complain=tell.complain)
    heeded = [one for one in END_SIGNALS if signal.getsignal(one) != signal.SIG_IGN]
    # From here on a signal ends the learning, never the writing.
    with trio.open_signal_receiver(*heeded) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.run)
            status = await _serve(plan, journal, signals)
            nursery.cancel_scope.cancel()
        return await _finish(plan, journal, teller, status)


async def _serve(plan: Plan, journal: Journal, signals: AsyncIterator[int]) -> int:
    """Serve until the command has ended or a signal came; a second one ends at once."""
    only = plan.clients.includes if plan.clients else None
    recorder = Recorder(
        plan.known.evidence, now=time.time, wake=journal.wake, only=only
    )
    server = Server(
        config=plan.config,
        gate=LearnGate(plan.ceiling),
        log=Log(plan.config.level),
        observers=[recorder.note],
        away=start.away(os.environ),
    )
    stopped = trio.Event()
    status = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop, signals, stopped, nursery.cancel_scope)
        await nursery.start(server.run)
        for url in start.exposed(plan.config.listen):
            tell.warn(start.danger(url))
        if plan.command:
            status = await _run_command(plan, stopped)
        else:
            tell.where(server.addresses, private=plan.docker_host)
            if plan.until is not None and plan.until.seconds:
                nursery.start_soon(_stop_when_quiet, plan, plan.until, stopped)
            await stopped.wait()
        await server.drain(finite=AFTER_COMMAND, streams=AFTER_COMMAND)
        nursery.cancel_scope.cancel()
    tell.passed_over(recorder.passed_over)
    return status


async def _stop_when_quiet(plan: Plan, until: Quiet, stopped: trio.Event) -> None:
    """End a learning without COMMAND when this run has seen nothing new for long."""
    evidence = plan.known.evidence
    begun = start.now()
    while True:
        newest = evidence.completeness().newest_at
        left = until.seconds - (start.now() - max(newest, begun))
        if left <= 0 and newest:
            break
        await trio.sleep(max(left, 1))
    stopped.set()


async def _stop(
    signals: AsyncIterator[int], stopped: trio.Event, scope: trio.CancelScope
) -> None:
    async for _ in signals:
        if stopped.is_set():
            scope.cancel()
        stopped.set()


async def _run_command(plan: Plan, stopped: trio.Event) -> int:
    if stopped.is_set():
        return child.KILLED_BY + signal.SIGTERM
    try:
        env = child.environment(os.environ, plan.docker_host)
        return await child.run(plan.command, env)
    except child.CommandError as error:
        tell.warn(str(error))
        return error.status


async def _finish(
    plan: Plan, journal: Journal, teller: tell.Teller, status: int
) -> int:
    """Write everything down and show the closing table; the exit status."""
    wish = plan.store.wish
    if plan.known.evidence.saw_anything():
        plan.known.evidence.end(start.now())
    elif wish.restore or wish.include_failed:
        plan.known.evidence.forget_run()
    else:
        if status not in {child.NOT_FOUND, child.NOT_EXECUTABLE}:
            tell.nothing_seen(wish.file, has_command=bool(plan.command))
        return status
    saved = await journal.save(is_final=True)
    if saved is None:
        return status or UNWRITTEN
    teller.close(wish.file, saved, plan.until)
    return status
