"""`trioproxy learn`: let a client work, and write down what it needs."""

import os
import re
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import trio

from trioproxy.commands import report, start
from trioproxy.config import (
    DEFAULT_MAX_CONNECTIONS,
    DEFAULT_PORT,
    Config,
    parse_address,
    parse_level,
    parse_max_connections,
    upstream_address,
)
from trioproxy.errors import ConfigError
from trioproxy.policy.clients import Clients
from trioproxy.policy.gate import LearnGate, Recorder
from trioproxy.policy.learning import Quiet, Wish, refuse_excess, refuse_restore
from trioproxy.policy.observe import Evidence
from trioproxy.policy.permissions import parse_policy_file
from trioproxy.policy.rules import Policy
from trioproxy.proxy import child
from trioproxy.proxy.journal import Journal, Store
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

END_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AFTER_COMMAND: Final = 2.0
"""Seconds for what is still open when the command has ended, or a signal came."""

SOCKET_PATH_LIMIT: Final = 100
"""A Unix socket's path holds 107 bytes; this leaves some for its name."""

UNWRITTEN: Final = 2
"""The status of a run that worked but could not be written down."""

EPILOG = """\b
Examples:
  trioproxy learn -o learned/app.env -- pytest
  trioproxy learn -o learned/app.env --listen tcp://127.0.0.1:2375
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a call asks for."""

    config: Config
    store: Store
    evidence: Evidence
    ceiling: Policy | None
    command: tuple[str, ...]
    docker_host: str
    clients: Clients | None
    until: Quiet | None
    quiet: bool


@click.command(
    name="learn",
    epilog=EPILOG,
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The env file; its evidence lies beside it.  [default: learned/NAME.env]",
)
@click.option("--name", help="Whose file it is.  [default: FILE's or COMMAND's name]")
@click.option(
    "--listen",
    multiple=True,
    metavar="URL",
    help="tcp://HOST:PORT or unix:///path?mode=0660. May be repeated."
    "  [default: a private Unix socket]",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="The Engine.  [default: SOCKET_PATH, DOCKER_HOST, /var/run/docker.sock]",
)
@click.option(
    "--within",
    metavar="FILE",
    help="A ceiling: what this env file refuses is refused and not learned.",
)
@click.option("--fresh", is_flag=True, help="Start over: forget what FILE holds.")
@click.option(
    "--include-failed", is_flag=True, help="Grant also what was tried and never worked."
)
@click.option(
    "--restore",
    multiple=True,
    metavar="NAME",
    help="Grant a declined operation again. May be repeated.",
)
@click.option(
    "--from",
    "only_from",
    multiple=True,
    metavar="CLIENT",
    help="On a shared listener learn from this address, network or uid:N alone;"
    " others are served. May be repeated.",
)
@click.option(
    "--until-quiet",
    metavar="30m|3runs",
    help="Say when nothing new was seen for so long; without COMMAND, end then.",
)
@click.option("--quiet", is_flag=True, help="Show the closing table only.")
@click.option(
    "--log-level", metavar="LEVEL", help="A syslog level.  [default: warning]"
)
@click.argument(
    "argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND [ARGUMENT]...]"
)
def command(
    *,
    output: str | None,
    name: str | None,
    listen: tuple[str, ...],
    upstream: str | None,
    within: str | None,
    fresh: bool,
    include_failed: bool,
    restore: tuple[str, ...],
    only_from: tuple[str, ...],
    until_quiet: str | None,
    quiet: bool,
    log_level: str | None,
    argv: tuple[str, ...],
) -> int:
    """Record what a client uses, and write the env file that allows just that.

    With COMMAND: run it with DOCKER_HOST set to a private socket, and exit as it does.
    Without: until SIGINT, SIGTERM or SIGHUP.

    While it learns, everything passes: whoever reaches the listener has what the
    Engine gives. Review the file before you use it.
    """
    start.refuse_haproxy_config()
    ceiling = _read_ceiling(within)
    path = _output_path(output, name, argv)
    wish = Wish(
        name=name or path.stem,
        file=str(path),
        ceiling=ceiling,
        include_failed=include_failed,
        restore=frozenset(restore),
    )
    clients = _read_clients(only_from, listen, has_command=bool(argv))
    store = Store(path, wish, fresh=fresh)
    evidence = _open(store, within)
    with _private_socket(needed=bool(argv) or not listen) as private:
        plan = Plan(
            config=_read_config(listen, upstream, log_level, private),
            store=store,
            evidence=evidence,
            ceiling=ceiling,
            command=argv,
            docker_host=private,
            clients=clients,
            until=Quiet.parse(until_quiet) if until_quiet else None,
            quiet=quiet,
        )
        warning = start.check_upstream(plan.config.upstream, plan.config.listen)
        if warning:
            report.warn(warning)
        return start.run(learn, plan)


def _read_ceiling(within: str | None) -> Policy | None:
    if within is None:
        return None
    policy, warnings = parse_policy_file(start.read_text(within), name=within)
    for warning in warnings:
        report.warn(warning)
    return policy


def _read_clients(
    texts: Sequence[str], listen: Sequence[str], *, has_command: bool
) -> Clients | None:
    if not texts:
        return None
    if not listen:
        raise ConfigError(
            "--from restricts who is learned from on a shared listener",
            hint="name the listener with --listen",
        )
    # The command comes by its own socket, as the user that we are.
    return Clients.parse([*texts, *([f"uid:{os.geteuid()}"] if has_command else [])])


def _output_path(output: str | None, name: str | None, command: Sequence[str]) -> Path:
    if output:
        return Path(output)
    stem = name or (Path(command[0]).name if command else "")
    if not stem:
        raise ConfigError(
            "no output file", hint="name it with -o FILE, or the client with --name"
        )
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", stem, re.ASCII):
        raise ConfigError(f"{stem!r:.80} makes no file name", hint="use -o FILE")
    return Path("learned", f"{stem}.env")


def _open(store: Store, within: str | None) -> Evidence:
    """Load what is known so far; stop before any work where it cannot go on."""
    loaded = store.open()
    if loaded.damage:
        report.warn(f"{loaded.damage}: it is left out, all before it is kept")
    text = store.read_env()
    if within is not None and store.wish.ceiling is not None:
        refuse_excess(text, store.wish.file, store.wish.ceiling, within)
    refuse_restore(loaded.evidence, text, store.wish)
    return loaded.evidence


@contextmanager
def _private_socket(*, needed: bool) -> Iterator[str]:
    """Make a folder that only we may enter, for a socket nobody else may find."""
    if not needed:
        yield ""
        return
    base = tempfile.gettempdir()
    if len(os.fsencode(base)) > SOCKET_PATH_LIMIT - len("/trioproxy-xxxxxxxx/docker"):
        base = "/tmp"  # noqa: S108  mkdtemp makes a folder of its own in it, mode 0700
    with tempfile.TemporaryDirectory(prefix="trioproxy-", dir=base) as folder:
        yield f"unix://{folder}/docker.sock"


def _read_config(
    listen: Sequence[str], upstream: str | None, log_level: str | None, private: str
) -> Config:
    limit = os.environ.get("MAX_CONNECTIONS", "")
    urls = (*([private] if private else []), *listen)
    return Config(
        listen=tuple(parse_address(url, port=DEFAULT_PORT) for url in urls),
        upstream=upstream_address(upstream, os.environ, docker_host=True),
        level=parse_level(log_level or os.environ.get("LOG_LEVEL") or "warning"),
        max_connections=parse_max_connections(limit)
        if limit
        else DEFAULT_MAX_CONNECTIONS,
    )


async def learn(plan: Plan) -> int:
    """Learn until the command ends or a signal comes, and write it down; the status."""
    evidence = plan.evidence
    teller = report.Teller(evidence, quiet=plan.quiet)
    evidence.begin(start.new_run(), start.now())
    journal = Journal(plan.store, evidence, tell=teller.tell, complain=report.complain)
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
    recorder = Recorder(plan.evidence, now=start.now, wake=journal.wake, only=only)
    gate = LearnGate(recorder, plan.ceiling)
    server = Server(config=plan.config, gate=gate, log=Log(plan.config.level))
    stopped = trio.Event()
    status = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_stop, signals, stopped, nursery.cancel_scope)
        await nursery.start(server.run)
        for url in start.exposed(plan.config.listen):
            report.warn(f"DANGER: whoever can reach {url} is root on this host now")
        if plan.command:
            status = await _run_command(plan, stopped)
        else:
            report.where(server.addresses, private=plan.docker_host)
            if plan.until is not None and plan.until.seconds:
                nursery.start_soon(_stop_when_quiet, plan, plan.until, stopped)
            await stopped.wait()
        await server.drain(finite=AFTER_COMMAND, streams=AFTER_COMMAND)
        nursery.cancel_scope.cancel()
    report.passed_over(recorder.passed_over)
    return status


async def _stop_when_quiet(plan: Plan, until: Quiet, stopped: trio.Event) -> None:
    """End a learning without COMMAND when this run has seen nothing new for long."""
    evidence = plan.evidence
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
        report.warn(str(error))
        return error.status


async def _finish(
    plan: Plan, journal: Journal, teller: report.Teller, status: int
) -> int:
    """Write everything down and show the closing table; the exit status."""
    wish = plan.store.wish
    if not plan.evidence.saw_anything():
        if status not in {child.NOT_FOUND, child.NOT_EXECUTABLE}:
            report.nothing_seen(wish.file, has_command=bool(plan.command))
        if not (wish.restore or wish.include_failed):
            return status
    plan.evidence.end(start.now())
    saved = await journal.save(is_final=True)
    if saved is None:
        return status or UNWRITTEN
    teller.close(wish.file, saved, plan.until)
    return status
