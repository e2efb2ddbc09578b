"""One policy of a process that serves: where it is read, what of it is in force, who is told.

It is read at the start, at each SIGHUP and when its file changes. What was read is wanted, and
in force only when whoever has all policies (`commands.serving`) says so.
"""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import trio

from trioproxy.commands import ours, start
from trioproxy.commands.catalogue import is_shipped, locate
from trioproxy.commands.folder import ENDING, MOST_POLICIES, read_unlinked
from trioproxy.config import Level
from trioproxy.errors import ConfigError
from trioproxy.file.opening import refuse_opening
from trioproxy.file.permissions import parse_policy, parse_policy_file
from trioproxy.file.variables import PERMISSIONS
from trioproxy.files import read_text
from trioproxy.hostpath import Own, replaced
from trioproxy.judge.gate import Gate
from trioproxy.judge.meaning import meaning_of
from trioproxy.judge.outcome import Observer
from trioproxy.judge.rules import Mode, Policy
from trioproxy.judge.shadow import ShadowTally
from trioproxy.proxy.log import Log
from trioproxy.proxy.server import Server
from trioproxy.quoting import argument
from trioproxy.threads import APART, in_thread
from trioproxy.values import value_class

if TYPE_CHECKING:
    from trioproxy.commands.recording import Recording


@value_class
class NewPolicy:
    """What a policy that was read comes to."""

    policy: Policy
    gate: Gate
    warnings: tuple[str, ...]


@dataclass(slots=True, kw_only=True, eq=False)
class ServedPolicy:
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
    verdict: str = ""
    """What was said last of whether it gives root on the host."""
    policies: "Mapping[str, ServedPolicy]"
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
        return named(self.client)

    def read(self, environ: Mapping[str, str]) -> NewPolicy:
        """Read the policy afresh, and tell what is to be warned about.

        Nothing is in force by that. Long lists may take seconds. Refused is also what
        opens without a word what is limited now.
        """
        if self.policy is not None and self.env_file:
            check_mount(str(locate(self.env_file)))
        policy, warnings = self._policy(environ)
        policy.limits.make_ready()  # here, where nobody waits for it
        source = self.env_file or "environment"
        mounts = ours.mounts_here()
        found = (
            ours.check_own(policy, self.own_files, mounts),
            ours.check_listeners(policy, self.own_files, self.client, mounts),
            start.check_own_container(policy, self.own),
        )
        if self.policy is not None:
            refuse_opening(self.policy, policy, source)
        gate, warnings = self._gate(policy, source), (*warnings, *filter(None, found))
        return NewPolicy(policy=policy, gate=gate, warnings=warnings)

    def _policy(self, environ: Mapping[str, str]) -> tuple[Policy, tuple[str, ...]]:
        """What the file means, alone, or the environment; and what to warn about."""
        file = self.env_file
        if not file:
            return parse_policy(environ)
        text = read_unlinked(file) if self.is_containers else read_text(locate(file))
        policy, warnings = parse_policy_file(text, name=file)
        if self.client:  # beside it the environment may be a policy of its own
            return policy, warnings
        ignored = ignored_of(environ, f"the policy is {file} alone")
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

    def may_come(self) -> bool:
        """Whether what was read may be in force."""
        return self.wanted is not None and not self.taken()

    def taken(self) -> ConfigError | None:
        """Say why what was read is not in force: another policy has its owner."""
        if self.wanted is None or not (owner := self.wanted.policy.objects.owner):
            return None
        for other in self.policies.values():
            policy = other.policy if other is not self else None
            if policy and policy.objects.owner == owner:
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
        files = [os.path.abspath(one) for one in (file, str(self.recording.path))]
        return f"trioproxy approve {' '.join(map(argument, files))}"

    async def is_gone(self) -> bool:
        """Whether its file is in the folder no more: whoever looks at that ends it."""
        if self.scope.cancel_called or not self.is_containers:
            return self.scope.cancel_called
        return await in_thread(_is_missing, self.env_file, limiter=APART)

    async def end_recording(self) -> None:
        """Write the last of its evidence."""
        if self.recording is not None:
            self.recording.recorder.end()
            await self.recording.journal.save(is_final=True)

    async def tell_verdict(self, log: Log) -> None:
        """Say whether the policy gives root on the host, unless that was said last."""
        if self.policy is None:
            return
        policy = self.policy
        meaning = await in_thread(meaning_of, policy)
        if policy is not self.policy:  # who read another one meanwhile will say it
            return
        if meaning.answer != self.verdict:
            level = Level.WARNING if meaning.is_root else Level.NOTICE
            log.line(level, "verdict", **self.named, text=meaning.answer)
        self.verdict = meaning.answer

    def tell_standing(self, server: Server, *, is_stale: bool = False) -> None:
        """Have health checks told what is in force, and whether a newer file was refused."""
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
        if (tally := self.tally) is None:
            return
        named = self.named
        for message, count in sorted(tally.would_refuse.items()):
            log.line(Level.NOTICE, "would-refuse", **named, count=count, text=message)
        for hides, most in sorted(tally.would_hide.items()):
            log.line(Level.NOTICE, "would-hide", **named, operation=hides, most=most)
        would_refuse = sum(tally.would_refuse.values())
        numbers = {"allowed": tally.allowed, "would_refuse": would_refuse}
        log.line(Level.NOTICE, "shadow-summary", **named, **numbers)


def _is_missing(path: str) -> bool:
    """Whether a folder has a file no more; on a share that is away that takes until it is there."""
    try:
        os.lstat(path)
    except OSError as error:
        # By all else it cannot be told: who may not look (`chmod -R 644`), a share that is away.
        return error.errno == errno.ENOENT and os.path.isdir(os.path.dirname(path))
    return False


def named(client: str) -> dict[str, str]:
    """Whose policy it is, as a field of a log line."""
    return {"client": client} if client else {}


def ignored_of(environ: Mapping[str, str], why: str) -> Iterator[str]:
    """Warn of what would be a policy in the environment, and is none."""
    for name in sorted(PERMISSIONS & environ.keys()):
        yield f"{name} in the environment is ignored: {why}"


def check_mount(path: str) -> None:
    """Stop where what a path lies in is here since it is mounted, and has no name any more:
    what was to be read has that on the host now, and cannot be read here."""
    if place := replaced(path):
        raise ConfigError(
            f"{place} was replaced on the host, and is mounted by itself: here it is the old one",
            hint="mount the folder that it lies in, and start the proxy anew",
        )


def look(path: str) -> tuple[int, ...]:
    """What changes with a file, or with a folder and its policies; nothing if it is not there."""
    paths, seen = [path], list[int]()
    with suppress(OSError):  # it is a file
        names = sorted(os.listdir(path))
        # What just came may not be whole yet. What else lies there may never be at rest.
        policies = [f"{path}/{one}" for one in names if one.endswith(ENDING)]
        paths += policies[:MOST_POLICIES]
    for one in paths:
        with suppress(OSError):
            at = os.stat(one)
            seen += at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns
    return tuple(seen)
