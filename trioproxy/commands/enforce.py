"""`trioproxy enforce`: serve by a policy until told to stop."""

import itertools
import os
import signal
import sys
from collections import Counter
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

import click
import trio

from trioproxy.commands import ours, start
from trioproxy.commands.catalogue import is_ours, locate
from trioproxy.config import (
    CLIENT,
    Config,
    Level,
    LogFormat,
    TcpAddress,
    UnixAddress,
    listen_addresses,
    upstream_address,
)
from trioproxy.errors import ConfigError
from trioproxy.hostpath import is_mount, read_mounts
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Observer
from trioproxy.judge.rules import Mode, Policy
from trioproxy.judge.shadow import ShadowTally
from trioproxy.proxy import listeners
from trioproxy.proxy.harden import Use, harden
from trioproxy.proxy.log import Log
from trioproxy.proxy.memory import give_back_what_loading_took
from trioproxy.proxy.own import Own, find_own
from trioproxy.proxy.server import Server
from trioproxy.values import value_class

if TYPE_CHECKING:
    from trioproxy.commands.recording import Recording
    from trioproxy.proxy.asking import Asking

_Args = TypeVarTuple("_Args")
_Result = TypeVar("_Result")

Observers = tuple[Observer, ...]

WATCH_EVERY: Final = 0.5
"""Seconds between two looks at a policy file."""

TURN: Final = 0.0005
"""Seconds that one thread computes while another one waits: Python's own 5 ms would come
with each call of the system that a request needs."""

MOST_NAMES: Final = 8
"""Names of what changed that a line of the log shows."""

EPILOG = """\b
Examples:
  trioproxy enforce learned/app.env
  trioproxy enforce learned/app.env --shadow --record live.jsonl
  CONTAINERS=1 trioproxy enforce --listen unix:///run/app.sock?mode=0660
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
    folder_seen = _look(config.policies) if watch and config.policies else None
    folder = _read_folder(config, files, own)
    asked_at = _read_ask(ask, config, shadow=shadow)
    own_files = tuple(_own_files(files | folder, record, config, asked_at))
    record = _check_record(record, len(files) + (MANY if config.policies else 0))
    kept = None if print_config else record
    policies = dict[str, Gates]()

    def add(client: str, path: str) -> Gates:
        policies[client] = one = Gates(
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
        return one

    warnings, gates, observers = list[str](), dict[str, Gate](), dict[str, Observers]()
    for client, path in (files | folder).items():
        one = add(client, path)
        found = one.read_first(os.environ)
        gates[client], observers[client] = found.gate, tuple(one.observers())
        warnings += (*found.warnings, _check_mounted(one.watched))
    if print_config:
        from trioproxy.commands import configured  # a start does not print

        options = click.get_current_context().params
        configured.tell(config, gates, folder, options, warnings)
        return
    for warning in (
        *dict.fromkeys(warnings),
        start.check_time_zone(os.environ),
        start.check_privileges(),
        start.check_upstream(config.upstream, config.all_listened, os.environ),
    ):
        if warning:
            log.line(Level.WARNING, "warning", text=warning)
    if own.id and any(one.policy and one.policy.objects for one in policies.values()):
        text = "this container, its networks and its volumes are outside of every list"
        log.line(Level.NOTICE, "own-container", id=own.id[:12], text=text)
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
            asking=_asking(asked_at, policies, log),
        )
        start.run(run, server, policies, add, folder_seen)
    finally:
        log.flush()


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
            f"{file} judges nobody: each listener names a policy of its own",
            hint=f"leave it out, or ?policy= of the listener that {file} is for",
        )
    for one in entries:
        if one.policy and found.setdefault(one.client, one.policy) != one.policy:
            raise _called_alike(one.client, found[one.client], one.policy)
    return found


def _called_alike(client: str, one: str, other: str) -> ConfigError:
    return ConfigError(
        f"two policies are called {client}: {one} and {other}",
        hint="their clients are known by that name: rename one of the files",
    )


MANY: Final = 2
"""More policies than one, however many there are now."""


def _read_folder(config: Config, files: Mapping[str, str], own: Own) -> dict[str, str]:
    """The files of `POLICIES`. Raises `ConfigError` where they could be nobody's."""
    if not config.policies:
        return {}
    # Here, for most proxies have no such folder.
    from trioproxy.commands.folder import policies_in

    if not own.id:
        raise ConfigError(
            "POLICIES tells clients by their containers, and this process is in none that it"
            " can tell",
            hint="run it in a container, on a network with its clients; elsewhere give each"
            " a listener: --listen 'unix:///path?policy=FILE'",
        )
    found = policies_in(config.policies)
    if twice := sorted(found.keys() & files.keys()):
        one, other = files[twice[0]], found[twice[0]]
        if os.path.realpath(one) != os.path.realpath(other):
            raise _called_alike(twice[0], one, other)
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
    address: UnixAddress | None, policies: "Mapping[str, Gates]", log: Log
) -> "Asking | None":
    if address is None:
        return None
    from trioproxy.commands.ask import begin

    return begin(address, policies, log, os.environ)


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
        for path in listeners.paths_of(one):
            yield ours.Ours(path=path, kind=ours.OurKind.LISTENER)
    if asked_at is not None:
        yield ours.Ours(path=asked_at.path, kind=ours.OurKind.ASKER)
    if isinstance(config.upstream, UnixAddress):
        yield ours.Ours(path=config.upstream.path, kind=ours.OurKind.ENGINE)
    yield from ours.program()


def _record_of(path: str, client: str) -> str:
    return path.replace(CLIENT, client or "others")


def _check_record(path: str | None, count: int) -> str | None:
    """Refuse what can be no evidence of so many policies."""
    if path and not path.endswith(".jsonl"):
        raise ConfigError(
            f"--record {path!r:.80} is no evidence file",
            hint="give it a name that ends in .jsonl",
        )
    if path and count > 1 and CLIENT not in path:
        raise ConfigError(
            f"--record {path!r:.80} is one file, and there are {count} policies",
            hint=f"write {CLIENT} in its name: evidence of each is kept apart",
        )
    return path


def _open_record(
    record: str, client: str, log: Log, policies: "Mapping[str, Gates]"
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

    return open_record(path, log)


def _check_mounted(watched: str) -> str:
    """Warn of a watched file that is a mount of its own: it stays the file that it was."""
    if not watched or not is_mount(read_mounts(), watched):
        return ""
    return (
        f"{watched} is mounted by itself: a new file in its place on the host is not"
        " seen here, as editors and approve put one there: mount its folder"
    )


def _refuse_replaced(file: str) -> None:
    """Stop where a file has no name any more, and is here since it is mounted by itself:
    what was to be read has its name on the host now, and cannot be read here."""
    path = locate(file)
    try:
        is_there = not file or path.stat().st_nlink > 0
    except OSError:  # which is told by who reads it
        return
    if not is_there and is_mount(read_mounts(), str(path)):
        raise ConfigError(
            f"{file} was replaced on the host, and is mounted by itself: here it is the old one",
            hint="mount its folder, and start the proxy anew",
        )


@value_class
class NewPolicy:
    """What a policy that was read comes to."""

    policy: Policy
    gate: Gate
    warnings: tuple[str, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class Gates:
    """Where a gate comes from, at the start and at each SIGHUP, and who looks at ends."""

    client: str = ""
    """What its clients are called; empty: it is of all who have none of their own."""
    env_file: str
    """Empty: the environment."""
    is_containers: bool = False
    """Whether the containers that are called so have it: it is in `POLICIES`."""
    shadow: bool = False
    audits: bool = False
    """Whether the log tells what creations ask for."""
    watched: str = ""
    """The file that is read again when it changes; empty for none."""
    seen: tuple[int, ...] = field(init=False)
    """What that looked like before it was read."""
    recording: "Recording | None" = None
    own_files: tuple[ours.Ours, ...] = ()
    """What decides, remembers, listens and runs: none of it may be a client's to write."""
    own: Own
    """The container of this process: none of it may be a client's to name."""
    tally: ShadowTally | None = None
    """What the policy that is tried out now would have refused."""
    policy: Policy | None = None
    """What is in force."""
    wanted: NewPolicy | None = None
    """What was read and is not in force: another policy has its owner."""
    is_stale: bool = False
    """Whether a newer file was refused."""
    verdict: str = ""
    """What was said last of whether it gives root on the host."""
    policies: "Mapping[str, Gates]"
    """All that are in force, with this one."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    """Around what looks at its file; cancelled when it is gone."""
    reading: trio.Lock = field(default_factory=trio.Lock)
    """Who reads the policy again has it, until that is in force and told."""
    reads: int = 0
    """How often that was begun."""

    def __post_init__(self) -> None:
        self.seen = _look(self.watched)

    @property
    def named(self) -> dict[str, str]:
        """Whose it is, as a field of a log line."""
        return {"client": self.client} if self.client else {}

    def read(self, environ: Mapping[str, str]) -> NewPolicy:
        """Read the policy afresh, and tell what is to be warned about.

        Nothing is in force by that. Long lists may take seconds. Refused is also what
        opens without a word what is limited now.
        """
        if self.policy is not None:
            _refuse_replaced(self.env_file)
        # Beside the policies of listeners the environment may be one of its own.
        environ = {} if self.client else environ
        if self.is_containers:
            from trioproxy.commands.folder import read_unlinked

            read = start.read_policy(self.env_file, environ, read_unlinked)
        else:
            read = start.read_policy(self.env_file, environ)
        policy, warnings, source = read
        found = (
            ours.check_own(policy, self.own_files, ours.mounts_here()),
            start.check_own_container(policy, self.own),
        )
        if self.policy is not None:
            # Here, for most processes read their policy once.
            from trioproxy.file.opening import refuse_opening

            refuse_opening(self.policy, policy, source)
        return NewPolicy(
            policy=policy,
            gate=self._gate(policy, source),
            warnings=(*warnings, *filter(None, found)),
        )

    def read_first(self, environ: Mapping[str, str]) -> NewPolicy:
        """Read the policy, and hold to it. Raises `ConfigError`."""
        self.wanted = self.read(environ)
        if taken := self.taken():
            raise taken
        return self.put_in_force()

    def put_in_force(self) -> NewPolicy:
        """Hold to what was read."""
        assert self.wanted is not None  # noqa: S101  whoever calls has looked
        found, self.wanted = self.wanted, None
        self.policy = found.policy
        return found

    def owner(self, *, wanted: bool) -> str:
        """Whose its clients' containers are now, or by what was read; empty: nobody's."""
        policy = self.wanted.policy if wanted and self.wanted else self.policy
        return policy.objects.owner if policy else ""

    def taken(self) -> ConfigError | None:
        """Say why what was read is not in force: another policy has its owner, or wants it."""
        if self.wanted is None or not (owner := self.owner(wanted=True)):
            return None
        for other in self.policies.values():
            owners = (other.owner(wanted=wanted) for wanted in (False, True))
            if other is not self and owner in owners:
                return ConfigError(
                    f"two policies have one owner: ONLY_OWNER={owner} stands in"
                    f" {self.wanted.gate.source} and in {other.env_file or 'the environment'}",
                    hint="each would have what the other made: give one another owner",
                )
        return None

    def _gate(self, policy: Policy, source: str) -> Gate:
        if self.shadow:
            gate = Gate.trying(policy, source=source)
        else:
            approve = self._approve(self.env_file) if policy.mode is Mode.EXACT else ""
            gate = Gate.enforcing(policy, source=source, approve=approve)
        return replace(gate, audits=True) if self.audits else gate

    def _approve(self, file: str) -> str:
        """The command that asks a person about what is refused, as it can be pasted in
        whatever folder; empty where none can."""
        if self.recording is None or not file or is_ours(file):
            return ""
        import shlex  # for an advice alone

        files = [os.path.abspath(one) for one in (file, str(self.recording.path))]
        return f"trioproxy approve {shlex.join(files)}"

    def begin(self, server: Server, nursery: trio.Nursery) -> None:
        """Write its evidence, and read it again when it changes, until it ends."""
        if self.recording is not None or self.watched:
            nursery.start_soon(self._stay, server)

    async def _stay(self, server: Server) -> None:
        with self.scope:
            async with trio.open_nursery() as nursery:
                if self.recording is not None:
                    nursery.start_soon(self.recording.journal.run)
                if self.watched:
                    read = partial(_reload, server, self)
                    changed = partial(_read_again, server, self.policies, read)
                    nursery.start_soon(_watch, self.watched, changed, self.seen)

    @property
    def is_gone(self) -> bool:
        """Whether its file is in the folder no more: whoever looks at that ends it."""
        return self.scope.cancel_called or (
            self.is_containers and not os.path.lexists(self.env_file)
        )

    async def end_recording(self) -> None:
        """Write the last of its evidence."""
        if self.recording is not None:
            self.recording.recorder.end()
            await self.recording.journal.save(is_final=True)

    async def tell_verdict(self, log: Log) -> None:
        """Say whether the policy gives root on the host, unless that was said last."""
        if self.policy is None:
            return
        # Here, when the listeners are bound: nobody has to wait for what it loads.
        from trioproxy.judge.meaning import meaning_of

        policy = self.policy
        meaning = await _beside(meaning_of, policy)
        if policy is not self.policy:  # who read another one meanwhile will say it
            return
        if meaning.answer != self.verdict:
            level = Level.WARNING if meaning.is_root else Level.NOTICE
            log.line(level, "verdict", **self.named, text=meaning.answer)
        self.verdict = meaning.answer

    def tell_standing(self, server: Server, *, is_stale: bool = False) -> None:
        """Have health checks told what is in force, and whether a newer file was refused."""
        self.is_stale = is_stale
        server.health.tell_policy(
            self.fingerprint, is_stale=is_stale, client=self.client
        )

    @property
    def fingerprint(self) -> str:
        """Of the policy that was read last."""
        return self.policy.fingerprint if self.policy else ""

    def observers(self) -> Iterator[Observer]:
        """Who is told of the ends of requests under the policy that was just read."""
        if self.recording is not None:
            yield self.recording.recorder.note
        if self.shadow:
            self.tally = ShadowTally()
            yield self.tally.note


def read_config(
    listen: tuple[str, ...],
    upstream: str | None,
    environ: Mapping[str, str],
) -> Config:
    """Options, then the environment, to one frozen value."""
    config = Config.read(
        listen_addresses(listen, environ),
        upstream_address(upstream, environ),
        environ,
        level=environ.get("LOG_LEVEL") or "info",
    )
    start.check_addresses(config.upstream, config.all_listened)
    return config


async def _beside(function: Callable[[*_Args], _Result], *args: *_Args) -> _Result:
    """Do long work while others are served.

    In a thread. Whoever is served has to have Python's lock back after each call of the
    system, and what computes in another thread gives that up every `TURN` seconds.
    """
    return await trio.to_thread.run_sync(function, *args, abandon_on_cancel=True)


Add = Callable[[str, str], Gates]
"""Begins a policy that was not there, by its name and file."""


async def run(
    server: Server,
    policies: dict[str, Gates],
    add: Add,
    folder_seen: tuple[int, ...] | None,
) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once.

    `folder_seen`: what the folder of policies looked like before it was read; None: it is
    not watched.
    """
    log = server.log
    if server.asking is not None:
        server.asking.reread = partial(_reread, server, policies)
    sys.setswitchinterval(TURN)
    with trio.open_signal_receiver(
        signal.SIGTERM, signal.SIGINT, signal.SIGHUP
    ) as signals:
        async with trio.open_nursery() as nursery:
            for one in policies.values():
                one.begin(server, nursery)
            look = partial(
                _look_for_policies, server, policies, add, nursery, trio.Lock()
            )
            nursery.start_soon(
                _obey, signals, server, nursery.cancel_scope, policies, look
            )
            start.be_watched(log, nursery)
            if folder_seen is not None:
                changed = partial(_read_again, server, policies, look)
                nursery.start_soon(_watch, server.config.policies, changed, folder_seen)
            await _serve(server, policies, nursery)
            nursery.cancel_scope.cancel()
        for one in policies.values():
            await one.end_recording()
    for one in policies.values():
        _sum_up(one, log)
    log.line(Level.NOTICE, "stop")


async def _serve(
    server: Server, policies: Mapping[str, Gates], beside: trio.Nursery
) -> None:
    """Serve; the start line comes when the listeners are bound.

    `beside`: what is nobody's to wait for at the end.
    """
    config, log = server.config, server.log
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        asked_at = server.asking.path if server.asking else ""
        hardened = harden(_uses(config, policies, asked_at))
        bound = ",".join(server.addresses)
        first = {"listen": bound, "upstream": str(config.upstream)}
        if server.metrics_address:
            first["metrics"] = server.metrics_address
        if "" not in policies:
            log.line(Level.NOTICE, "start", **first)
        for client, one in policies.items():
            log.line(
                Level.NOTICE,
                "policy" if client else "start",
                **(one.named or first),
                policy=server.gates[client].describe(),
                hash=one.fingerprint,
            )
            one.tell_standing(server)
        beside.start_soon(_look_around, server, policies)
        if hardened.kept or hardened.failed:
            log.line(
                Level.NOTICE,
                "hardened",
                kept=",".join(hardened.kept) or "none",
                failed=",".join(hardened.failed) or "none",
            )
        open_to_all = start.exposed(config.listen, server.addresses)
        if open_to_all and any(one.shadow for one in policies.values()):
            # At the level that no LOG_LEVEL hides: learning says it as loudly.
            text = start.danger(" or ".join(open_to_all))
            log.line(Level.EMERG, "exposed", listen=",".join(open_to_all), text=text)
        elif open_to_all and not start.is_on_internal_network():
            log.line(
                Level.WARNING,
                "exposed",
                listen=",".join(open_to_all),
                text="reachable from other machines: keep it on an internal network"
                " and never publish the port",
            )
        await _tell_ready(server, policies)


async def _tell_ready(
    server: Server, policies: Mapping[str, Gates], state: str = "READY=1"
) -> None:
    if server.is_draining:
        return
    stale = [
        client or "the process" for client, one in policies.items() if one.is_stale
    ]
    whose = f"; refused was a newer policy of {', '.join(stale)}" if stale else ""
    text = f"serving on {' and '.join(server.addresses)}{whose}"
    await start.tell_supervisor(server.log, state, text)


async def _look_around(server: Server, policies: Mapping[str, Gates]) -> None:
    """Say what the policies give and which Engine it is, while clients are served already.

    Each in a thread, which has a deadline of its own. Behind both of them nothing more is loaded.
    """
    async with trio.open_nursery() as nursery:
        for one in policies.values():
            nursery.start_soon(one.tell_verdict, server.log)
        nursery.start_soon(_look_at_versions, server)
    give_back_what_loading_took()


async def _look_at_versions(server: Server) -> None:
    """Say which of the Engine's programs have known holes; know how old a client may be.

    Of an Engine that is down, nothing.
    """
    from trioproxy.apiversion import oldest_of
    from trioproxy.commands.versions import versions
    from trioproxy.judge.escapes import ADVICE, old_components

    answer = await _beside(versions, server.config.upstream)
    server.know_oldest(oldest_of(answer))
    for one in old_components(answer):
        server.log.line(
            Level.WARNING,
            "old-engine",
            component=one.component,
            version=one.version,
            fixed=",".join(one.fixed),
            cve=",".join(one.cves),
            text=ADVICE,
        )


def _uses(
    config: Config, policies: Mapping[str, Gates], asked_at: str
) -> Iterator[Use]:
    """What of the file system is needed from now on."""
    if isinstance(config.upstream, UnixAddress):
        yield Use(path=config.upstream.path, access=os.R_OK | os.W_OK)
    for file in (one.env_file for one in policies.values() if one.env_file):
        yield Use(path=file, access=os.R_OK)
    if config.policies:
        yield Use(path=config.policies, access=os.R_OK | os.X_OK)
    sockets = [one for one in config.all_listened if isinstance(one, UnixAddress)]
    folders = [one.path for one in sockets]
    folders += [asked_at] if asked_at else []
    for path in (one.recording.path for one in policies.values() if one.recording):
        yield Use(
            path=str(path if path.exists() else path.parent),
            access=os.R_OK,
            is_given_back=path.exists(),
        )
        folders.append(str(path))
    for name in folders:
        # To remove a socket, or to put a new file in the place of an old one.
        yield Use(path=os.path.dirname(name) or ".", access=os.W_OK | os.X_OK)


def _sum_up(gates: Gates, log: Log) -> None:
    """Say what a policy that was tried out would have refused."""
    tally = gates.tally
    if tally is None:
        return
    for message, count in sorted(tally.would_refuse.items()):
        log.line(Level.NOTICE, "would-refuse", **gates.named, count=count, text=message)
    for operation, count in sorted(tally.would_hide.items()):
        named = {**gates.named, "operation": operation}
        log.line(Level.NOTICE, "would-hide", **named, most=count)
    log.line(
        Level.NOTICE,
        "shadow-summary",
        **gates.named,
        allowed=tally.allowed,
        would_refuse=sum(tally.would_refuse.values()),
    )


async def _obey(
    signals: AsyncIterator[int],
    server: Server,
    scope: trio.CancelScope,
    policies: Mapping[str, Gates],
    look_for_policies: Callable[[], Awaitable[None]],
) -> None:
    reloads = 0

    async def reload_all() -> None:
        nonlocal reloads
        reloads += 1
        await start.tell_supervisor(server.log, "RELOADING=1", "reading the policies")
        async with trio.open_nursery() as reading:
            reading.start_soon(_reload, server, *policies.values())
            reading.start_soon(look_for_policies)
        reloads -= 1
        if not reloads:
            await _tell_ready(server, policies)

    async with trio.open_nursery() as nursery:
        async for number in signals:
            if number == signal.SIGHUP:
                nursery.start_soon(reload_all)
            elif server.is_draining:
                scope.cancel()
            else:
                nursery.start_soon(server.drain)
                text = "letting requests finish"
                nursery.start_soon(
                    start.tell_supervisor, server.log, "STOPPING=1", text
                )


async def _reread(server: Server, policies: Mapping[str, Gates], client: str) -> None:
    """Read the file of a policy again, which somebody who was asked has written."""
    if (one := policies.get(client)) is not None:
        await _reload(server, one)


async def _read_again(
    server: Server, policies: Mapping[str, Gates], read: Callable[[], Awaitable[None]]
) -> None:
    """Read what has changed, and say in words how it stands then."""
    await read()
    await _tell_ready(server, policies, "")


async def _reload(server: Server, *policies: Gates) -> None:
    """Read policies again; a bad file is logged and the old policy stays.

    So it does where reading crashes: who is served has no part in that, and those who
    have other policies have none in what becomes of this one. Whether one takes another's
    owner is said when all were read: that one may have another by then.
    """
    read = list[Gates]()
    async with trio.open_nursery() as nursery:
        for one in policies:
            nursery.start_soon(_read, server, one, read)
    for one in read:
        if taken := one.taken():
            _refuse(server, one, taken)


async def _read(server: Server, gates: Gates, read: list[Gates]) -> None:
    came = gates.reads
    async with gates.reading:
        if gates.reads > came:  # of many who waited the first has read it for all
            return
        gates.reads += 1
        gates.wanted = None
        try:
            found = await _beside(gates.read, os.environ)
            if server.asking is not None:
                await _beside(server.asking.survive, gates.client, found.policy)
        except Exception as error:  # noqa: BLE001  see `_reload`
            if not gates.is_gone:
                _refuse(server, gates, error)
            return
        gates.wanted = found
        read.append(gates)
        await _settle(server, gates.policies.values())


def _refuse(server: Server, gates: Gates, error: Exception) -> None:
    log, named = server.log, gates.named
    if isinstance(error, ConfigError):
        log.line(Level.ERR, "reload-failed", **named, error=error, hint=error.hint)
    else:
        log.crash("reload", error)
    gates.tell_standing(server, is_stale=True)


def _coming(policies: Collection[Gates]) -> list[Gates]:
    """Which of those that were read may be in force: each with an owner that no other will have.

    What is made is known by its owner alone: of two policies with one, each would have
    the other's containers. So two that swap owners come both, or neither.
    """
    # Of one that is gone nobody would end it again.
    coming = {one for one in policies if one.wanted is not None and not one.is_gone}
    while True:
        owners = Counter(one.owner(wanted=one in coming) for one in policies)
        # Who keeps its owner has it, whoever else wants that.
        new = {
            o for o in coming if o.owner(wanted=True) not in {"", o.owner(wanted=False)}
        }
        taken = {one for one in new if owners[one.owner(wanted=True)] > 1}
        if not taken:
            return [one for one in policies if one in coming]
        coming -= taken


async def _settle(server: Server, policies: Collection[Gates]) -> None:
    """Put in force what was read and may be, all at once, and say so."""
    log = server.log
    settled = [(one, one.policy, one.put_in_force()) for one in _coming(policies)]
    for one, _, found in settled:
        for warning in found.warnings:
            log.line(Level.WARNING, "warning", text=warning)
        _sum_up(one, log)
        containers = one.is_containers
        server.reload(found.gate, one.observers(), one.client, is_containers=containers)
        one.tell_standing(server)
    for one, old, found in settled:
        more = await _beside(_granted_more, old, found.policy)
        before, after = _named(old), _named(found.policy)
        log.line(
            Level.WARNING if more else Level.NOTICE,
            "reload",
            **one.named,
            policy=found.gate.describe(),
            hash=found.policy.fingerprint,
            added=_some(after - before),
            removed=_some(before - after),
            **({"text": more} if more else {}),
        )
        await one.tell_verdict(log)


def _granted_more(old: Policy | None, new: Policy) -> str:
    """Say in plain words what a policy grants more than the one before; "" for nothing."""
    if old is None:
        return ""
    from trioproxy.judge.more import more

    names = [one.name for one in itertools.islice(more(old, new), MOST_NAMES + 1)]
    rest = " and more" if len(names) > MOST_NAMES else ""
    told = f"grants more than before: {', '.join(names[:MOST_NAMES])}{rest}"
    return told if names else ""


def _named(policy: Policy | None) -> frozenset[str]:
    """All that a policy says by name: what it opens, and what that may ask for."""
    return policy.granted | policy.limits.lines if policy else frozenset()


def _some(names: frozenset[str]) -> str:
    """Name what changed: all of it, or the first of many."""
    listed = sorted(names)
    shown = ",".join(listed[:MOST_NAMES]) or "none"
    rest = len(listed) - MOST_NAMES
    return f"{shown},and {rest} more" if rest > 0 else shown


async def _look_for_policies(
    server: Server,
    policies: dict[str, Gates],
    add: Add,
    nursery: trio.Nursery,
    looking: trio.Lock,
) -> None:
    """Begin the policies that came into the folder, and end those that are gone from it.

    One that cannot be read is nobody's until it can. Those that were there are read again
    by themselves. One look at a time: `looking` is whose turn it is, for what one has
    listed may be gone when another is through.
    """
    if server.config.policies:
        async with looking:
            await _take_in(server, policies, add, nursery)


async def _take_in(
    server: Server, policies: dict[str, Gates], add: Add, nursery: trio.Nursery
) -> None:
    folder, log = server.config.policies, server.log
    from trioproxy.commands.folder import policies_in

    try:
        files = await _beside(policies_in, folder)
        if twice := sorted(
            name
            for name in files
            if name in policies and not policies[name].is_containers
        ):
            raise ConfigError(f"two policies are called {twice[0]}")  # noqa: TRY301  told below
    except ConfigError as error:
        log.line(Level.ERR, "reload-failed", error=error, hint=error.hint)
        server.health.tell_folder(is_stale=True)
        # Nobody new comes in; but whose file was taken out has none, whatever lies beside it.
        is_there = bool(_look(folder))
        files = {
            client: one.env_file
            for client, one in policies.items()
            if not (is_there and one.is_gone)
        }
    else:
        server.health.tell_folder(is_stale=False)
    for client, one in list(policies.items()):
        if one.is_containers and client not in files:
            del policies[client]
            server.forget(client)
            one.scope.cancel()
            log.line(Level.NOTICE, "policy-gone", **one.named)
            await one.end_recording()
            await _settle(server, policies.values())
    for client in files.keys() - policies.keys():
        if client in policies:  # another look has begun it meanwhile
            continue
        try:
            one = add(client, files[client])
        except ConfigError as error:  # its evidence cannot be kept
            named = {"client": client, "error": error, "hint": error.hint}
            log.line(Level.ERR, "reload-failed", **named)
            server.health.tell_folder(is_stale=True)
            continue
        one.begin(server, nursery)
        await _reload(server, one)


async def _watch(
    path: str, changed: Callable[[], Awaitable[None]], known: tuple[int, ...]
) -> None:
    """Call `changed` whenever a file, or what a folder holds, has changed and is at rest.

    `known`: what it looked like before it was read.

    By looks at the file, which see what editors and Compose do: a new file in the place
    of the old one, and the old one written anew, as it is where the file is mounted. A
    file that is being written is left alone until two looks see the same.
    """
    latest = known
    while True:
        await trio.sleep(WATCH_EVERY)
        before, latest = latest, _look(path)
        if latest == before != known:
            known = latest
            await changed()


def _look(path: str) -> tuple[int, ...]:
    """What changes with a file; nothing if it is not there."""
    try:
        seen = os.stat(path)
    except OSError:
        return ()
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
