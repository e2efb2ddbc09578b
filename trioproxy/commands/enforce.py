"""`trioproxy enforce`: serve by a policy until told to stop."""

import os
import signal
from collections.abc import AsyncIterator, Mapping

import click
import trio

from trioproxy.commands import start
from trioproxy.config import (
    DEFAULT_MAX_CONNECTIONS,
    Config,
    Level,
    listen_addresses,
    parse_level,
    parse_max_connections,
    upstream_address,
)
from trioproxy.errors import ConfigError
from trioproxy.policy.gate import EnforceGate
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

EPILOG = """\b
Examples:
  trioproxy enforce --env-file learned/app.env
  CONTAINERS=1 trioproxy enforce --listen unix:///run/app.sock?mode=0660
"""


@click.command(name="enforce", epilog=EPILOG)
@click.option(
    "--env-file",
    metavar="FILE",
    help="The policy. Without: ENV_FILE, or the process environment.",
)
@click.option(
    "--listen",
    multiple=True,
    metavar="URL",
    help="tcp://HOST:PORT or unix:///path?mode=0660. May be repeated."
    "  [default: LISTEN, BIND_CONFIG, tcp://127.0.0.1:2375]",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="The Engine.  [default: SOCKET_PATH, /var/run/docker.sock]",
)
@click.option("--log-level", metavar="LEVEL", help="A syslog level.  [default: info]")
def command(
    env_file: str | None,
    listen: tuple[str, ...],
    upstream: str | None,
    log_level: str | None,
) -> None:
    """Let pass what a policy allows, and nothing else.

    A refused request gets the Engine's own JSON with the variable that would allow it.
    SIGHUP reads FILE again; SIGTERM lets finite requests finish.
    """
    start.refuse_haproxy_config()
    config = read_config(listen, upstream, log_level, os.environ)
    log = Log(config.level)
    gate, warnings = read_gate(env_file, os.environ)
    for warning in (*warnings, start.check_upstream(config.upstream, config.listen)):
        if warning:
            log.line(Level.WARNING, "warning", text=warning)
    try:
        start.run(run, config, gate, log, env_file)
    finally:
        log.flush()


def read_config(
    listen: tuple[str, ...],
    upstream: str | None,
    log_level: str | None,
    environ: Mapping[str, str],
) -> Config:
    """Options, then the environment, to one frozen value."""
    limit = environ.get("MAX_CONNECTIONS", "")
    return Config(
        listen=listen_addresses(listen, environ),
        upstream=upstream_address(upstream, environ),
        level=parse_level(log_level or environ.get("LOG_LEVEL") or "info"),
        max_connections=parse_max_connections(limit)
        if limit
        else DEFAULT_MAX_CONNECTIONS,
    )


def read_gate(
    env_file: str | None, environ: Mapping[str, str]
) -> tuple[EnforceGate, tuple[str, ...]]:
    """Read the policy afresh, and what is to be warned about."""
    policy, warnings, source = start.read_policy(env_file, environ)
    return EnforceGate(policy, source=source), warnings


async def run(
    config: Config, gate: EnforceGate, log: Log, env_file: str | None
) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once."""
    server = Server(config=config, gate=gate, log=log)
    with trio.open_signal_receiver(
        signal.SIGTERM, signal.SIGINT, signal.SIGHUP
    ) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_obey, signals, server, nursery.cancel_scope, env_file)
            await _serve(server, gate, log)
            nursery.cancel_scope.cancel()
    log.line(Level.NOTICE, "stop")


async def _serve(server: Server, gate: EnforceGate, log: Log) -> None:
    """Serve; the start line comes when the listeners are bound."""
    config = server.config
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        log.line(
            Level.NOTICE,
            "start",
            listen=",".join(server.addresses),
            upstream=config.upstream,
            policy=gate.describe(),
        )
        if open_to_all := start.exposed(config.listen):
            log.line(
                Level.WARNING,
                "exposed",
                listen=",".join(open_to_all),
                text="reachable from other machines: keep it on an internal network"
                " and never publish the port",
            )


async def _obey(
    signals: AsyncIterator[int],
    server: Server,
    scope: trio.CancelScope,
    env_file: str | None,
) -> None:
    async with trio.open_nursery() as nursery:
        async for number in signals:
            if number == signal.SIGHUP:
                _reload(server, env_file)
            elif server.shared.is_draining:
                scope.cancel()
            else:
                nursery.start_soon(server.drain)


def _reload(server: Server, env_file: str | None) -> None:
    """Read the policy again; a bad file is logged and the old policy stays."""
    log = server.shared.log
    try:
        gate, warnings = read_gate(env_file, os.environ)
    except ConfigError as error:
        log.line(Level.ERR, "reload-failed", error=error, hint=error.hint)
        return
    for warning in warnings:
        log.line(Level.WARNING, "warning", text=warning)
    server.shared.use_gate(gate)
    log.line(Level.NOTICE, "reload", policy=gate.describe())
