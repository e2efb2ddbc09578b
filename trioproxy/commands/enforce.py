"""`trioproxy enforce`: serve by a policy until told to stop."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from trioproxy.commands import ours, start
from trioproxy.commands.catalogue import locate
from trioproxy.commands.servedpolicy import ServedPolicy, ignored_of, look, named
from trioproxy.commands.serving import run
from trioproxy.config import (
    CLIENT,
    Config,
    Level,
    LogFormat,
    TcpAddress,
    UnixAddress,
    called_alike,
    listen_addresses,
    upstream_address,
)
from trioproxy.errors import ConfigError
from trioproxy.files import is_one_file
from trioproxy.hostpath import Own, find_own, is_mount, read_mounts
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Observer
from trioproxy.proxy import listeners
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server

if TYPE_CHECKING:
    from trioproxy.commands.recording import Recording
    from trioproxy.proxy.asking import Asking

OUTSIDE = "this container, its networks and its volumes are outside of every list"

EPILOG = """\b
Examples:
  trioproxy enforce learned/app.env
  trioproxy enforce learned/app.env --shadow --record live.jsonl
  CONTAINERS=1 trioproxy enforce --listen 'unix:///run/app.sock?mode=0660'
"""


@click.command(name="enforce", epilog=EPILOG)
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--listen",
    multiple=True,
    metavar="URL",
    help="tcp://HOST:PORT, unix:///path?mode=0660 or fd://NAME; policy=FILE&allow=NETWORK"
    " or uids=NUMBER behind a ?. May be repeated."
    "  [default: LISTEN, BIND_CONFIG, tcp://127.0.0.1:2375]",
)
@click.option(
    "--upstream",
    metavar="URL",
    help="The Engine.  [default: SOCKET_PATH, /var/run/docker.sock]",
)
@click.option(
    "--shadow",
    is_flag=True,
    help="Try the policy out: let everything pass, log what it would refuse.",
)
@click.option(
    "--watch", is_flag=True, help="Read FILE again whenever it changes, as at SIGHUP."
)
@click.option(
    "--ask",
    metavar="URL",
    help="Hold what is refused while somebody at this Unix socket is asked about it:"
    " trioproxy approve FILE --live URL.",
)
@click.option(
    "--record",
    metavar="FILE.jsonl",
    help="Keep evidence of what passes and what is refused, for diff and approve.",
)
@click.option(
    "--print-config",
    is_flag=True,
    help="Say what each setting is, and where that comes from; serve nobody.",
)
@click.option("--json", "as_json", is_flag=True, help="Print that as JSON.")
def command(
    *,
    file: str | None,
    listen: tuple[str, ...],
    upstream: str | None,
    shadow: bool,
    watch: bool,
    ask: str | None,
    record: str | None,
    print_config: bool,
    as_json: bool,
) -> None:
    """Let pass what a policy allows, and nothing else.

    FILE is the policy, with or without --env-file in front of it. No FILE: ENV_FILE, or
    the process environment.

    Clients of a listener with ?policy=FILE are judged by that file, and by none else. With
    POLICIES=FOLDER those of TCP listeners are judged by NAME.env for what their container
    is called.

    A refused request gets the Engine's own JSON with the variable that would allow it.
    SIGHUP reads FILE again, and so does --watch when it changes: requests, streams and
    tunnels that the new policy refuses are cut. SIGTERM lets finite requests finish.
    """
    if as_json and not print_config:
        raise click.UsageError("--json is the form of --print-config: write both")
    start.refuse_haproxy_config()
    config = read_config(listen, upstream, os.environ)
    log = Log(config.level, config.log_fd, config.log_format)
    own = find_own()
    files = _policies(file or os.environ.get("ENV_FILE", ""), config)
    if watch and not (any(files.values()) or config.policies):
        raise click.UsageError("--watch needs FILE: the environment never changes")
    # Looked at before it is read: what changes from here on is seen.
    folder_seen = look(config.policies) if watch and config.policies else None
    folder = _read_folder(config, files, None if print_config else own)
    asked_at = _read_ask(ask, config, shadow=shadow)
    own_files = tuple(_own_files(files | folder, record, config, asked_at))
    record = _check_record(record, is_of_many=len(files) > 1 or bool(config.policies))
    kept = None if print_config else record
    policies = dict[str, ServedPolicy]()

    def add(client: str, path: str) -> ServedPolicy:
        return ServedPolicy(
            client=client,
            env_file=path,
            is_containers=client not in files,
            shadow=shadow,
            audits=config.log_format is LogFormat.JSON,
            watched=str(locate(path)) if watch and path else "",
            recording=_open_record(kept, client, log, policies) if kept else None,
            own_files=own_files,
            own=own,
            policies=policies,
        )

    why = "each client has a policy of its own"
    warnings = [("", one) for one in ignored_of(os.environ, why) if "" not in files]
    gates, observers = dict[str, Gate](), dict[str, tuple[Observer, ...]]()
    for client, path in (files | folder).items():
        one = policies[client] = add(client, path)
        found = one.read_first(os.environ)
        gates[client], observers[client] = found.gate, tuple(one.observers())
        warnings += [
            (client, text) for text in (*found.warnings, _check_mounted(one.watched))
        ]
    asking = _asking(asked_at, policies, log, config)
    if print_config:
        from trioproxy.commands import configured  # a start does not print

        options = click.get_current_context().params
        return configured.print_config(config, gates, folder, options, warnings)
    of_all = (
        start.check_time_zone(os.environ),
        start.check_privileges(),
        start.check_upstream(config.upstream, os.environ),
    )
    _warn(log, [*warnings, *(("", text) for text in of_all)])
    if own.id and any(one.policy and one.policy.objects for one in policies.values()):
        log.line(Level.NOTICE, "own-container", id=own.id[:12], text=OUTSIDE)
    try:
        server = Server(
            config=config,
            gates=gates,
            of_containers=tuple(folder),
            containers=bool(config.policies),
            log=log,
            observers=observers,
            away=start.away(os.environ),
            own=own,
            asking=asking,
        )
        start.run(run, server, policies, add, folder_seen, record or "")
    finally:
        log.finish()


def _warn(log: Log, warnings: Iterable[tuple[str, str]]) -> None:
    """Log each warning once, by what the clients are called whose policy it is about."""
    for client, text in dict.fromkeys(warnings):
        if text:
            log.line(Level.WARNING, "warning", **named(client), text=text)


def _policies(file: str, config: Config) -> dict[str, str]:
    """The file of each policy, by what its clients are called; "" is the process's own.

    Of that an empty name of a file is the environment. It is there for listeners that
    name none.
    """
    entries = [one.entry for one in config.listen]
    # Who comes by TCP is known by the container, where there is such a folder.
    plain = [one for one in config.listen if not one.entry.policy]
    if config.policies:
        if all(isinstance(one, UnixAddress) for one in plain):
            raise ConfigError(
                "POLICIES tells clients by their containers, and no listener asks for that",
                hint="--listen tcp://:2375, without policy=",
            )
        plain = [one for one in plain if not isinstance(one, TcpAddress)]
    found = {"": file} if plain else {}
    if file and not found:
        raise ConfigError(
            f"{file} judges nobody: each listener names a policy of its own, or asks POLICIES",
            hint=f"leave it out, or ?policy= of the listener that {file} is for",
        )
    return found | {one.client: one.policy for one in entries if one.policy}


def _read_folder(
    config: Config, files: Mapping[str, str], own: Own | None
) -> dict[str, str]:
    """The files of `POLICIES`. Raises `ConfigError` where they could be nobody's; without
    `own` it does not matter where we run."""
    if not config.policies:
        return {}
    # Here, for most proxies have no such folder.
    from trioproxy.commands.folder import policies_in

    if own is not None and not own.id:
        raise ConfigError(
            "POLICIES tells clients by their containers, and this process is in none that it"
            " can tell",
            hint="run it in a container, on a network with its clients; elsewhere give each"
            " a listener: --listen 'unix:///path?policy=FILE'",
        )
    found = policies_in(config.policies)
    if twice := sorted(found.keys() & files.keys()):
        one, other = files[twice[0]], found[twice[0]]
        if not is_one_file(one, other):
            raise called_alike(twice[0], one, other)
        raise ConfigError(
            f"{one} is the policy of a listener, and in POLICIES that of a container",
            hint="keep it in another folder: it is for who comes by the listener",
        )
    return found


def _read_ask(url: str | None, config: Config, *, shadow: bool) -> UnixAddress | None:
    """Read where somebody is asked. Raises `ConfigError` where a client could answer itself."""
    if not url:
        return None
    if shadow:
        raise click.UsageError("--shadow refuses nothing that --ask could ask about")
    # Here, for most ask nobody.
    from trioproxy.commands.ask import read_address

    return read_address(url, config.listen)


def _asking(
    address: UnixAddress | None,
    policies: "Mapping[str, ServedPolicy]",
    log: Log,
    config: Config,
) -> "Asking | None":
    if address is None:
        return None
    from trioproxy.commands.ask import begin

    return begin(address, policies, log, config.ask_seconds)


def _own_files(
    files: Mapping[str, str],
    record: str | None,
    config: Config,
    asked_at: UnixAddress | None,
) -> Iterator[ours.Ours]:
    """The files that decide and remember, the sockets, and the program."""
    for file in filter(None, files.values()):
        yield ours.Ours(path=str(locate(file)))
    if config.policies:
        yield ours.Ours(path=config.policies, is_loaded_from=True)
    # With those of POLICIES that are to come: "" stands for them.
    for client in (*files, *([""] if config.policies else [])) if record else ():
        yield ours.Ours(path=_record_of(record or "", client))
    for one in config.all_listened:
        for each in listeners.addresses_of(one):
            if isinstance(each, UnixAddress):
                whose = None if one is config.metrics else one.entry.client
                kind = ours.OurKind.LISTENER
                yield ours.Ours(path=each.path, kind=kind, client=whose)
    if asked_at is not None:
        yield ours.Ours(path=asked_at.path, kind=ours.OurKind.ASKER)
    yield from ours.engine(config.upstream)
    yield from ours.program()


def _record_of(path: str, client: str) -> str:
    return path.replace(CLIENT, client or "others")


def _check_record(path: str | None, *, is_of_many: bool) -> str | None:
    """Refuse what can be no evidence of these policies."""
    if path and not path.endswith(".jsonl"):
        raise ConfigError(
            f"--record {path!r:.80} is no evidence file",
            hint="give it a name that ends in .jsonl",
        )
    if path and is_of_many and CLIENT not in path:
        raise ConfigError(
            f"--record {path!r:.80} is one file, and there are more policies",
            hint=f"write {CLIENT} in its name: evidence of each is kept apart",
        )
    return path


def _open_record(
    record: str, client: str, log: Log, policies: "Mapping[str, ServedPolicy]"
) -> "Recording":
    path = _record_of(record, client)
    if any(_record_of(record, one) == path for one in policies):
        raise ConfigError(
            f"two policies would record into {path}",
            hint="the process's own policy is called others there: give the file that is"
            " called so another name",
        )
    # Imported here: whoever keeps no evidence does not carry what writes it.
    from trioproxy.commands.recording import open_record

    return open_record(path, log, named(client))


def _check_mounted(watched: str) -> str:
    """Warn of a watched file that is a mount of its own: it stays the file that it was."""
    if not watched or not is_mount(read_mounts(), watched):
        return ""
    return (
        f"{watched} is mounted by itself: a new file in its place on the host is not"
        " seen here, as editors and approve put one there: mount its folder"
    )


def read_config(
    listen: tuple[str, ...], upstream: str | None, environ: Mapping[str, str]
) -> Config:
    """Options, then the environment, to one frozen value."""
    addresses = listen_addresses(listen, environ)
    engine = upstream_address(upstream, environ)
    config = Config.read(addresses, engine, environ, level="info")
    start.check_addresses(config.upstream, config.all_listened)
    return config
