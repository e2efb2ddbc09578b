"""A process that serves by policies: from the bound listeners to the end, and what it reads again.

`commands.enforce` says what is served. `Serving` is the process, with all of its policies, each
of which is a `ServedPolicy`. What was read of them is in force only when it is settled that no
other policy has its owner, and for all at once.
"""

import itertools
import os
import signal
import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import trio

from trioproxy.apiversion import oldest_of
from trioproxy.commands import start, supervisor
from trioproxy.commands.folder import names_in, policies_in
from trioproxy.commands.servedpolicy import ServedPolicy, check_mount, look
from trioproxy.commands.versions import data_root, versions
from trioproxy.config import Level, UnixAddress
from trioproxy.errors import ConfigError
from trioproxy.judge.escapes import ADVICE, old_components
from trioproxy.judge.more import more
from trioproxy.judge.rules import Policy
from trioproxy.proxy.harden import Use, harden
from trioproxy.proxy.memory import give_back_what_lies_between
from trioproxy.proxy.server import Server
from trioproxy.threads import APART, in_thread

OBEYED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

WATCH_EVERY: Final = 0.5
"""Seconds between two looks at a policy file."""

TURN: Final = 0.0005
"""Seconds that one thread computes while another one waits: Python's own 5 ms would come
with each call of the system that a request needs."""

AT_ONCE: Final = 2
"""Policies that are read again at a time: each computes in a thread, and who is served waits for a
turn of each of these after each call of the system. More of them would not be done any sooner."""

LONGEST_TURN: Final = 10.0
"""Seconds after which nobody waits for a turn any more: a file on a share that is away holds its
own until that is there again, and shall hold no other policy up."""

MOST_NAMES: Final = 8
"""Names of what changed that a line of the log shows."""

EXPOSED: Final = (
    "reachable from other machines: keep it on an internal network"
    " and never publish the port"
)

Add = Callable[[str, str], ServedPolicy]
"""Begins a policy that was not there, by its name and file."""


async def run(
    server: Server,
    policies: dict[str, ServedPolicy],
    add: Add,
    folder_seen: tuple[int, ...] | None,
    record: str,
) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends at once.

    `folder_seen`: what the folder of policies looked like before it was read; None: it is
    not watched. `record`: the evidence of each, with {client} in its name; empty: of none.
    """
    sys.setswitchinterval(TURN)
    # As they are again behind the receiver: who has ended has nothing to read again, and ends.
    for number in OBEYED:
        signal.signal(number, signal.SIG_IGN)
    with trio.open_signal_receiver(*OBEYED) as signals:
        async with trio.open_nursery() as nursery:
            serving = Serving(
                server=server,
                policies=policies,
                add=add,
                beside=nursery,
                record=record,
            )
            if server.asking is not None:
                server.asking.reread = serving.reread
            for one in policies.values():
                serving.begin(one)
            nursery.start_soon(serving.obey, signals)
            nursery.start_soon(supervisor.be_watched, server.log)
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


@dataclass(slots=True, eq=False)
class Look:
    """A look at files of one folder."""

    paths: set[str] = field(default_factory=set)
    seen: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    over: trio.Event = field(default_factory=trio.Event)


@dataclass(slots=True, kw_only=True, eq=False)
class Serving:
    """A process that serves: its server, and the policies that judge who comes."""

    server: Server
    policies: dict[str, ServedPolicy]
    """Those in force and those that are to be, by what their clients are called."""
    add: Add
    beside: trio.Nursery
    """What is nobody's to wait for at the end."""
    record: str = ""
    """The evidence of policies that come, with {client} in its name."""
    looking: trio.Lock = field(default_factory=trio.Lock)
    """Whose turn it is to look into the folder of policies."""
    looks: dict[str, Look] = field(default_factory=dict)
    """Those that are about to be taken, by the folder."""
    turns: trio.Semaphore = field(default_factory=partial(trio.Semaphore, AT_ONCE))
    """Whose turn it is to read a policy again."""
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

    async def _tell_ready(self) -> None:
        if not self.server.is_draining:
            await supervisor.tell(self.server.log, supervisor.READY)

    async def _look_around(self) -> None:
        """Say what the policies give and which Engine it is, while clients are served already.

        Each in a thread, which has a deadline of its own. Behind both of them nothing more is loaded.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_look_at_versions, self.server)
            nursery.start_soon(_look_at_data, self.server, [*self.policies.values()])
            for one in [*self.policies.values()]:
                await one.tell_verdict(self.server.log)
        give_back_what_lies_between()

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
        made += [self.server.asking.address.path] if self.server.asking else []
        made += [self.record] if config.policies and self.record else []
        for path in (one.recording.path for one in policies if one.recording):
            is_there = path.exists()
            place = str(path if is_there else path.parent)
            yield Use(path=place, access=os.R_OK, is_given_back=is_there)
            made.append(str(path))
        for name in made:
            # To remove a socket, or to put a new file in the place of an old one.
            yield Use(path=os.path.dirname(name) or ".", access=os.W_OK | os.X_OK)

    # --- Reading again ----------------------------------------------------------------

    def begin(self, one: ServedPolicy) -> None:
        """Write a policy's evidence, and read it again when it changes, until it ends."""
        if one.recording is not None and (text := one.recording.damage):
            self.server.log.line(Level.WARNING, "warning", **one.named, text=text)
        if one.recording is not None or one.watched:
            self.beside.start_soon(self._look_after, one)

    async def _look_after(self, one: ServedPolicy) -> None:
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
        """Call `read` whenever a file, or what a folder holds, has changed and is at rest.

        `known`: what it looked like before it was read.

        By looks at the file, which see what editors and Compose do: a new file in the place
        of the old one, and the old one written anew, as it is where the file is mounted. A
        file that is being written is left alone until two looks see the same.
        """
        latest = known
        while True:
            # All at one moment, whenever they have read: so a look is that of a whole folder.
            moment = round(trio.current_time() / WATCH_EVERY + 1) * WATCH_EVERY
            await trio.sleep_until(moment)
            before, latest = latest, await self._look(path)
            if latest == before != known:
                known = latest
                await read()

    async def _look(self, path: str) -> tuple[int, ...]:
        """Look at a file in a thread: on a share that is away that takes until it is there again.

        At those of one folder that are due together it is one thread that looks, for to wait for
        one costs ten times what a look does.
        """
        folder = os.path.dirname(path)
        if (one := self.looks.get(folder)) is None:
            one = self.looks[folder] = Look()
            self.beside.start_soon(self._look_into, folder, one)
        one.paths.add(path)
        await one.over.wait()
        return one.seen[path]

    async def _look_into(self, folder: str, one: Look) -> None:
        del self.looks[folder]  # who is due from now on needs another one
        one.seen = await in_thread(
            lambda: {path: look(path) for path in one.paths}, limiter=APART
        )
        one.over.set()

    async def obey(self, signals: AsyncIterator[int]) -> None:
        """Do what signals say, until cancelled."""
        async with trio.open_nursery() as nursery:
            async for number in signals:
                if number == signal.SIGHUP:
                    nursery.start_soon(self._reload_all)
                elif self.server.is_draining:
                    self.beside.cancel_scope.cancel()
                else:
                    log = self.server.log
                    nursery.start_soon(self.server.drain)
                    nursery.start_soon(supervisor.tell, log, supervisor.STOPPING)

    async def _reload_all(self) -> None:
        self.reloads += 1
        await supervisor.tell(self.server.log, supervisor.RELOADING)
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

    async def reload(self, *policies: ServedPolicy) -> None:
        """Read policies again; a bad file is logged and the old policy stays.

        So it does where reading crashes: who is served has no part in that, and those who
        have other policies have none in what becomes of this one. Whether one takes another's
        owner is said when all were read: that one may have another by then.
        """
        read = list[ServedPolicy]()
        async with trio.open_nursery() as nursery:
            for one in policies:
                nursery.start_soon(self._read, one, read)
        for one in read:
            is_gone = one.taken() and await one.is_gone()
            if (taken := one.taken()) and not is_gone:  # by now it may be in force
                self._refuse(one, taken)

    async def _read(self, one: ServedPolicy, read: list[ServedPolicy]) -> None:
        came, asking = one.reads, self.server.asking
        async with one.reading, self._turn():
            if one.reads > came:  # of many who waited the first has read it for all
                return
            one.reads += 1
            one.wanted = None
            try:
                found = await in_thread(one.read, os.environ, limiter=APART)
                if asking is not None:
                    await in_thread(asking.hours.survive, one.client, found.policy)
            except Exception as error:  # noqa: BLE001  see `reload`
                if not await one.is_gone():
                    self._refuse(one, error)
                return
            if await one.is_gone():  # nobody would end it again
                return
            one.wanted = found
            read.append(one)
            await self._settle()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        with trio.move_on_after(LONGEST_TURN) as waiting:
            await self.turns.acquire()
        try:
            yield
        finally:
            if not waiting.cancelled_caught:
                self.turns.release()

    def _refuse(self, one: ServedPolicy, error: Exception) -> None:
        log = self.server.log
        if isinstance(error, ConfigError):
            named = {**one.named, "error": error, "hint": error.hint}
            log.line(Level.ERR, "reload-failed", **named)
        else:
            log.crash("reload", error)
        one.tell_standing(self.server, is_stale=True)
        if one.is_containers and one.policy is None:
            self.server.expect(one.client)

    async def _settle(self) -> None:
        """Put in force what was read and may be, and say so.

        What comes in may leave an owner to another one, which comes in behind it then.
        """
        server, log = self.server, self.server.log
        policies, settled = self.policies.values(), []
        while one := next((one for one in policies if one.may_come()), None):
            settled.append((one, one.policy, one.put_in_force()))
        for one, _, found in settled:
            for warning in found.warnings:
                log.line(Level.WARNING, "warning", **one.named, text=warning)
            one.sum_up(log)
            server.reload(
                found.gate, one.observers(), one.client, is_containers=one.is_containers
            )
            one.tell_standing(server)
        for one, old, found in settled:
            more = await in_thread(_granted_more, old, found.policy)
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
        """The files of the folder, by their names; none where nobody new may come in."""
        folder, policies = self.server.config.policies, self.policies
        try:
            await in_thread(check_mount, folder)
            files = await in_thread(policies_in, folder)
            others = {name for name, one in policies.items() if not one.is_containers}
            if twice := sorted(others & files.keys()):
                raise ConfigError(f"two policies are called {twice[0]}")  # noqa: TRY301  told below
        except ConfigError as error:
            self._refuse_one({"error": error, "hint": error.hint})
            self.server.expect(*await in_thread(names_in, folder) - policies.keys())
            return {}
        self.server.forget(*self.server.unread - files.keys() - policies.keys())
        self.server.health.tell_folder(is_stale=False)
        return files

    def _refuse_one(self, told: Mapping[str, object]) -> None:
        """Say what of the folder was not taken in."""
        self.server.log.line(Level.ERR, "reload-failed", **told)
        self.server.health.tell_folder(is_stale=True)

    async def _put_out(self, files: Mapping[str, str]) -> None:
        policies = self.policies
        # A list may leave out whose file is replaced just then: of more than 32 KiB on tmpfs.
        missing = [client for client in policies if client not in files]
        ended = [name for name in missing if await policies[name].is_gone()]
        gone = [policies.pop(name) for name in ended]
        # All at once: to guard the names that are left after each takes seconds of 256.
        self.server.forget(*(one.client for one in gone))
        for one in gone:
            one.scope.cancel()
            self.server.log.line(Level.NOTICE, "policy-gone", **one.named)
            await self.server.have_told(one.client)
            await one.end_recording()
            await self._settle()

    async def _take_in(self, files: Mapping[str, str]) -> None:
        for client in files.keys() - self.policies.keys():
            try:
                # Its evidence may be long, or on a share that is away.
                one = await in_thread(self.add, client, files[client], limiter=APART)
            except ConfigError as error:  # its evidence cannot be kept
                self._refuse_one({"client": client, "error": error, "hint": error.hint})
                self.server.expect(client)
                continue
            self.policies[client] = one
            self.begin(one)
            await self.reload(one)


async def _look_at_versions(server: Server) -> None:
    """Say which of the Engine's programs have known holes; know how old a client may be.

    Of an Engine that is down, nothing.
    """
    answer = await in_thread(versions, server.config.upstream)
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


async def _look_at_data(server: Server, policies: Sequence[ServedPolicy]) -> None:
    """Say which files let clients bind what the Engine keeps of all containers: that is root.

    Its usual place is so by its name; where it was moved to, the Engine alone can tell.
    """
    limits = [(one, one.policy.limits) for one in policies if one.policy]
    binding = [(one, its) for one, its in limits if its.binds]
    if not binding:
        return
    path = await in_thread(data_root, server.config.upstream)
    for one, its in binding:
        if path and its.lists_writable(path, also_inside=True, also_read=True):
            text = (
                f"CREATE_BINDS lets clients bind {path}, or what lies in it, where the"
                " Engine keeps all that containers have: that is root on the host"
            )
            server.log.line(Level.WARNING, "data-bound", **one.named, text=text)


def _granted_more(old: Policy | None, new: Policy) -> str:
    """Say in plain words what a policy grants more than the one before; "" for nothing."""
    if old is None:
        return ""
    names = [one.name for one in itertools.islice(more(old, new), MOST_NAMES + 1)]
    rest = " and more" if len(names) > MOST_NAMES else ""
    told = f"grants more than before: {', '.join(names[:MOST_NAMES])}{rest}"
    return told if names else ""


def _named(policy: Policy | None) -> frozenset[str]:
    """All that a policy says by name: what it opens, and how far that goes."""
    return policy.granted | policy.limiting if policy else frozenset()


def _some(names: frozenset[str]) -> str:
    """Name what changed: all of it, or the first of many."""
    listed = sorted(names)
    shown = ",".join(listed[:MOST_NAMES]) or "none"
    rest = len(listed) - MOST_NAMES
    return f"{shown},and {rest} more" if rest > 0 else shown
