"""A process that serves by policies: from the bound listeners to the end, and what it reads again.

`commands.enforce` says what is served. A `Gates` is one policy, which is read at the start, at
each SIGHUP and when its file changes; `Serving` is the process, with all of them. What was read
is in force only when it is settled that no other policy has its owner, and for all at once.
"""

import itertools
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

import trio

from trioproxy.commands import ours, start
from trioproxy.commands.catalogue import is_shipped, locate
from trioproxy.config import Level, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.file.variables import PERMISSIONS
from trioproxy.files import read_text
from trioproxy.hostpath import is_mount, read_mounts
from trioproxy.judge.gate import Gate
from trioproxy.judge.outcome import Observer
from trioproxy.judge.rules import Mode, Policy
from trioproxy.judge.shadow import ShadowTally
from trioproxy.proxy.harden import Use, harden
from trioproxy.proxy.log import Log
from trioproxy.proxy.memory import give_back_what_loading_took
from trioproxy.proxy.own import Own
from trioproxy.proxy.server import Server
from trioproxy.values import value_class

if TYPE_CHECKING:
    from trioproxy.commands.recording import Recording

_Args = TypeVarTuple("_Args")
_Result = TypeVar("_Result")

WATCH_EVERY: Final = 0.5
"""Seconds between two looks at a policy file."""

TURN: Final = 0.0005
"""Seconds that one thread computes while another one waits: Python's own 5 ms would come
with each call of the system that a request needs."""

MOST_NAMES: Final = 8
"""Names of what changed that a line of the log shows."""

EXPOSED: Final = (
    "reachable from other machines: keep it on an internal network"
    " and never publish the port"
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
        self.seen = look(self.watched)

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
        policy, warnings = self._policy(environ)
        source = self.env_file or "environment"
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

    def _policy(self, environ: Mapping[str, str]) -> tuple[Policy, tuple[str, ...]]:
        """What the file means, alone, or the environment; and what to warn about."""
        file = self.env_file
        if not file:
            return parse_policy(environ)
        if self.is_containers:
            from trioproxy.commands.folder import read_unlinked

            text = read_unlinked(file)
        else:
            text = read_text(locate(file))
        policy, warnings = parse_policy_file(text, name=file)
        if self.client:  # beside it the environment may be a policy of its own
            return policy, warnings
        ignored = (
            f"{name} in the environment is ignored: the policy is {file} alone"
            for name in sorted(PERMISSIONS & environ.keys())
        )
        return policy, (*warnings, *ignored)

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
            approve = self._approve() if policy.mode is Mode.EXACT else ""
            gate = Gate.enforcing(policy, source=source, approve=approve)
        return replace(gate, audits=True) if self.audits else gate

    def _approve(self) -> str:
        """The command that asks a person about what is refused, as it can be pasted in
        whatever folder; empty where none can."""
        file = self.env_file
        if self.recording is None or not file or is_shipped(file):
            return ""
        import shlex  # for an advice alone

        files = [os.path.abspath(one) for one in (file, str(self.recording.path))]
        return f"trioproxy approve {shlex.join(files)}"

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

    def sum_up(self, log: Log) -> None:
        """Say what the policy would have refused, where it is only tried out."""
        tally = self.tally
        if tally is None:
            return
        for message, count in sorted(tally.would_refuse.items()):
            named = {**self.named, "count": count}
            log.line(Level.NOTICE, "would-refuse", **named, text=message)
        for operation, count in sorted(tally.would_hide.items()):
            named = {**self.named, "operation": operation}
            log.line(Level.NOTICE, "would-hide", **named, most=count)
        log.line(
            Level.NOTICE,
            "shadow-summary",
            **self.named,
            allowed=tally.allowed,
            would_refuse=sum(tally.would_refuse.values()),
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
    sys.setswitchinterval(TURN)
    with trio.open_signal_receiver(
        signal.SIGTERM, signal.SIGINT, signal.SIGHUP
    ) as signals:
        async with trio.open_nursery() as nursery:
            serving = Serving(server=server, policies=policies, add=add, beside=nursery)
            if server.asking is not None:
                server.asking.reread = serving.reread
            for one in policies.values():
                serving.begin(one)
            nursery.start_soon(serving.obey, signals)
            start.be_watched(server.log, nursery)
            if folder_seen is not None:
                look_again = serving.look_for_policies
                folder = server.config.policies
                nursery.start_soon(serving.watch, folder, look_again, folder_seen)
            await serving.serve()
            nursery.cancel_scope.cancel()
        for one in policies.values():
            await one.end_recording()
    for one in policies.values():
        one.sum_up(server.log)
    server.log.line(Level.NOTICE, "stop")


@dataclass(slots=True, kw_only=True, eq=False)
class Serving:
    """A process that serves: its server, and the policies that judge who comes."""

    server: Server
    policies: dict[str, Gates]
    """Those in force and those that are to be, by what their clients are called."""
    add: Add
    beside: trio.Nursery
    """What is nobody's to wait for at the end."""
    looking: trio.Lock = field(default_factory=trio.Lock)
    """Whose turn it is to look into the folder of policies."""
    reloads: int = 0
    """How many SIGHUPs are being obeyed."""

    async def serve(self) -> None:
        """Serve; the start line comes when the listeners are bound."""
        server, log = self.server, self.server.log
        async with trio.open_nursery() as nursery:
            await nursery.start(server.run)
            hardened = harden(self._uses())
            self._tell_start()
            self.beside.start_soon(self._look_around)
            if hardened.kept or hardened.failed:
                log.line(
                    Level.NOTICE,
                    "hardened",
                    kept=",".join(hardened.kept) or "none",
                    failed=",".join(hardened.failed) or "none",
                )
            self._tell_exposed()
            await self._tell_ready()

    def _tell_start(self) -> None:
        server, log = self.server, self.server.log
        bound = ",".join(server.addresses)
        first = {"listen": bound, "upstream": str(server.config.upstream)}
        if server.metrics_address:
            first["metrics"] = server.metrics_address
        if "" not in self.policies:
            log.line(Level.NOTICE, "start", **first)
        for client, one in self.policies.items():
            log.line(
                Level.NOTICE,
                "policy" if client else "start",
                **(one.named or first),
                policy=server.gates[client].describe(),
                hash=one.fingerprint,
            )
            one.tell_standing(server)

    def _tell_exposed(self) -> None:
        server = self.server
        open_to_all = start.exposed(server.config.listen, server.addresses)
        if not open_to_all:
            return
        level, text = Level.WARNING, EXPOSED
        if any(one.shadow for one in self.policies.values()):
            # At the level that no LOG_LEVEL hides: learning says it as loudly.
            level, text = Level.EMERG, start.danger(" or ".join(open_to_all))
        elif start.is_on_internal_network():
            return
        server.log.line(level, "exposed", listen=",".join(open_to_all), text=text)

    async def _tell_ready(self, state: str = "READY=1") -> None:
        server = self.server
        if server.is_draining:
            return
        stale = [
            client or "the process"
            for client, one in self.policies.items()
            if one.is_stale
        ]
        whose = f"; refused was a newer policy of {', '.join(stale)}" if stale else ""
        text = f"serving on {' and '.join(server.addresses)}{whose}"
        await start.tell_supervisor(server.log, state, text)

    async def _look_around(self) -> None:
        """Say what the policies give and which Engine it is, while clients are served already.

        Each in a thread, which has a deadline of its own. Behind both of them nothing more is loaded.
        """
        async with trio.open_nursery() as nursery:
            for one in self.policies.values():
                nursery.start_soon(one.tell_verdict, self.server.log)
            nursery.start_soon(_look_at_versions, self.server)
        give_back_what_loading_took()

    def _uses(self) -> Iterator[Use]:
        """What of the file system is needed from now on."""
        config, policies = self.server.config, self.policies.values()
        if isinstance(config.upstream, UnixAddress):
            yield Use(path=config.upstream.path, access=os.R_OK | os.W_OK)
        for file in (one.env_file for one in policies if one.env_file):
            yield Use(path=file, access=os.R_OK)
        if config.policies:
            yield Use(path=config.policies, access=os.R_OK | os.X_OK)
        sockets = [one for one in config.all_listened if isinstance(one, UnixAddress)]
        made = [one.path for one in sockets]
        made += [self.server.asking.path] if self.server.asking else []
        for path in (one.recording.path for one in policies if one.recording):
            yield Use(
                path=str(path if path.exists() else path.parent),
                access=os.R_OK,
                is_given_back=path.exists(),
            )
            made.append(str(path))
        for name in made:
            # To remove a socket, or to put a new file in the place of an old one.
            yield Use(path=os.path.dirname(name) or ".", access=os.W_OK | os.X_OK)

    # --- Reading again ----------------------------------------------------------------

    def begin(self, one: Gates) -> None:
        """Write a policy's evidence, and read it again when it changes, until it ends."""
        if one.recording is not None or one.watched:
            self.beside.start_soon(self._look_after, one)

    async def _look_after(self, one: Gates) -> None:
        with one.scope:
            async with trio.open_nursery() as nursery:
                if one.recording is not None:
                    nursery.start_soon(one.recording.journal.run)
                if one.watched:
                    read = partial(self.reload, one)
                    nursery.start_soon(self.watch, one.watched, read, one.seen)

    async def watch(
        self, path: str, read: Callable[[], Awaitable[None]], known: tuple[int, ...]
    ) -> None:
        """Call `read` whenever a file, or what a folder holds, has changed and is at rest, and
        say in words how it stands then.

        `known`: what it looked like before it was read.

        By looks at the file, which see what editors and Compose do: a new file in the place
        of the old one, and the old one written anew, as it is where the file is mounted. A
        file that is being written is left alone until two looks see the same.
        """
        latest = known
        while True:
            await trio.sleep(WATCH_EVERY)
            before, latest = latest, look(path)
            if latest == before != known:
                known = latest
                await read()
                await self._tell_ready("")

    async def obey(self, signals: AsyncIterator[int]) -> None:
        """Do what signals say, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for number in signals:
                if number == signal.SIGHUP:
                    nursery.start_soon(self._reload_all)
                elif self.server.is_draining:
                    self.beside.cancel_scope.cancel()
                else:
                    nursery.start_soon(self.server.drain)
                    said = "STOPPING=1", "letting requests finish"
                    nursery.start_soon(start.tell_supervisor, self.server.log, *said)

    async def _reload_all(self) -> None:
        self.reloads += 1
        log = self.server.log
        await start.tell_supervisor(log, "RELOADING=1", "reading the policies")
        async with trio.open_nursery() as reading:
            reading.start_soon(self.reload, *self.policies.values())
            reading.start_soon(self.look_for_policies)
        self.reloads -= 1
        if not self.reloads:
            await self._tell_ready()

    async def reread(self, client: str) -> None:
        """Read the file of a policy again, which somebody who was asked has written."""
        if (one := self.policies.get(client)) is not None:
            await self.reload(one)

    async def reload(self, *policies: Gates) -> None:
        """Read policies again; a bad file is logged and the old policy stays.

        So it does where reading crashes: who is served has no part in that, and those who
        have other policies have none in what becomes of this one. Whether one takes another's
        owner is said when all were read: that one may have another by then.
        """
        read = list[Gates]()
        async with trio.open_nursery() as nursery:
            for one in policies:
                nursery.start_soon(self._read, one, read)
        for one in read:
            if taken := one.taken():
                self._refuse(one, taken)

    async def _read(self, one: Gates, read: list[Gates]) -> None:
        came, asking = one.reads, self.server.asking
        async with one.reading:
            if one.reads > came:  # of many who waited the first has read it for all
                return
            one.reads += 1
            one.wanted = None
            try:
                found = await _beside(one.read, os.environ)
                if asking is not None:
                    await _beside(asking.hours.survive, one.client, found.policy)
            except Exception as error:  # noqa: BLE001  see `reload`
                if not one.is_gone:
                    self._refuse(one, error)
                return
            one.wanted = found
            read.append(one)
            await self._settle()

    def _refuse(self, one: Gates, error: Exception) -> None:
        log = self.server.log
        if isinstance(error, ConfigError):
            named = {**one.named, "error": error, "hint": error.hint}
            log.line(Level.ERR, "reload-failed", **named)
        else:
            log.crash("reload", error)
        one.tell_standing(self.server, is_stale=True)

    def _coming(self) -> list[Gates]:
        """Which of those that were read may be in force: each with an owner that no other will have.

        What is made is known by its owner alone: of two policies with one, each would have
        the other's containers. So two that swap owners come both, or neither.
        """
        policies = self.policies.values()
        # Of one that is gone nobody would end it again.
        coming = {one for one in policies if one.wanted is not None and not one.is_gone}
        while True:
            owners = Counter(one.owner(wanted=one in coming) for one in policies)
            # Who keeps its owner has it, whoever else wants that.
            new = {
                one
                for one in coming
                if one.owner(wanted=True) not in {"", one.owner(wanted=False)}
            }
            taken = {one for one in new if owners[one.owner(wanted=True)] > 1}
            if not taken:
                return [one for one in policies if one in coming]
            coming -= taken

    async def _settle(self) -> None:
        """Put in force what was read and may be, all at once, and say so."""
        server, log = self.server, self.server.log
        settled = [(one, one.policy, one.put_in_force()) for one in self._coming()]
        for one, _, found in settled:
            for warning in found.warnings:
                log.line(Level.WARNING, "warning", text=warning)
            one.sum_up(log)
            server.reload(
                found.gate,
                one.observers(),
                one.client,
                is_containers=one.is_containers,
            )
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

    # --- POLICIES ---------------------------------------------------------------------

    async def look_for_policies(self) -> None:
        """Begin the policies that came into the folder, and end those that are gone from it.

        One that cannot be read is nobody's until it can. Those that were there are read again
        by themselves. One look at a time, for what one has listed may be gone when another is
        through.
        """
        if self.server.config.policies:
            async with self.looking:
                files = await self._files_there()
                await self._put_out(files)
                await self._take_in(files)

    async def _files_there(self) -> Mapping[str, str]:
        """The files of the folder, by their names; where nobody new may come in, of those who
        were there the ones that still are."""
        folder, policies = self.server.config.policies, self.policies
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
            self._refuse_one({"error": error, "hint": error.hint})
            # Whose file was taken out has none, whatever lies beside it.
            is_there = bool(look(folder))
            return {
                client: one.env_file
                for client, one in policies.items()
                if not (is_there and one.is_gone)
            }
        self.server.health.tell_folder(is_stale=False)
        return files

    def _refuse_one(self, told: Mapping[str, object]) -> None:
        """Say what of the folder was not taken in."""
        self.server.log.line(Level.ERR, "reload-failed", **told)
        self.server.health.tell_folder(is_stale=True)

    async def _put_out(self, files: Mapping[str, str]) -> None:
        for client, one in list(self.policies.items()):
            if one.is_containers and client not in files:
                del self.policies[client]
                self.server.forget(client)
                one.scope.cancel()
                self.server.log.line(Level.NOTICE, "policy-gone", **one.named)
                await one.end_recording()
                await self._settle()

    async def _take_in(self, files: Mapping[str, str]) -> None:
        for client in files.keys() - self.policies.keys():
            try:
                one = self.add(client, files[client])
            except ConfigError as error:  # its evidence cannot be kept
                self._refuse_one({"client": client, "error": error, "hint": error.hint})
                continue
            self.begin(one)
            await self.reload(one)


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


def look(path: str) -> tuple[int, ...]:
    """What changes with a file; nothing if it is not there."""
    try:
        seen = os.stat(path)
    except OSError:
        return ()
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
