"""What a person allowed for an hour, or refused: it is kept here and nowhere else.

It belongs to one client of one policy (`Whose`), and ends with this process, with the hour, and
at a reload that touches it. A gate with what was allowed in its lists is made once and kept.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, NamedTuple

import trio

from trioproxy.config import Level
from trioproxy.errors import ConfigError
from trioproxy.judge.gate import Gate
from trioproxy.judge.meaning import ways_of
from trioproxy.judge.outcome import name_of_client
from trioproxy.judge.power import Powers
from trioproxy.judge.rules import Mode, Policy
from trioproxy.limits.grant import Grant
from trioproxy.proxy.client import Client
from trioproxy.proxy.listeners import name_of
from trioproxy.proxy.log import Log
from trioproxy.threads import in_thread

HOUR: Final = 3_600.0
"""Seconds for which an answer holds that is for an hour."""

MOST_KEPT: Final = 256
"""Answers for an hour, of each kind; one more is refused, or pushes the oldest no out."""

MOST_GATES: Final = 64

Widen = Callable[[Policy, Iterable[Grant]], Policy]
"""Adds grants to a policy; raises `ConfigError` for what can be in no file."""


class Whose(NamedTuple):
    """One client: to whom an answer for an hour belongs.

    A container by its id, where clients are known by that; else a user of one Unix socket,
    or an address. Of two processes with one user, or behind one address, nobody can tell
    which is which.
    """

    policy: str
    """What the clients of its policy are called; empty: those of the process's own."""
    listener: str
    """The path of the Unix socket, or its name behind an `@`; of TCP the port."""
    name: str

    @classmethod
    def of(cls, policy: str, client: Client) -> "Whose":
        """Tell it of a connection."""
        sock = client.wire.sock
        at = sock.getsockname()
        # Of a socket without a file the address is bytes, and no name.
        is_port = isinstance(at, tuple)
        listener = f"port {at[1]}" if is_port else name_of(sock).removeprefix("unix://")
        peer = client.peer.rpartition("@")[2]
        return cls(policy, listener, client.container or name_of_client(peer))

    @property
    def logged(self) -> dict[str, str]:
        """As a line of the log has it."""
        policy = {"policy": self.policy} if self.policy else {}
        return {**policy, "client": self.name}


class Allowed(NamedTuple):
    """By what a request goes on that the policy refuses."""

    once: tuple[Grant, ...]
    hours: tuple[Grant, ...]
    who: Whose


class End(NamedTuple):
    """When an hour is over: by whichever clock is there first.

    The monotonic one stands still while the machine sleeps, and anybody may set the other.
    """

    monotonic: float
    wall: float

    @classmethod
    def after(cls, seconds: float) -> "End":
        """Say when so many seconds from now are over."""
        return cls(trio.current_time() + seconds, time.time() + seconds)

    @property
    def is_past(self) -> bool:
        """Whether it is over."""
        return self.monotonic <= trio.current_time() or self.wall <= time.time()


class Hour(NamedTuple):
    """What a person allowed for an hour."""

    who: Whose
    grants: tuple[Grant, ...]
    end: End
    is_root: bool
    """Whether the word was typed."""


class Hours:
    """All that was said for an hour."""

    def __init__(self, widen: Widen, log: Log, seconds: float = HOUR) -> None:
        self.widen = widen
        self.seconds = seconds
        """How long an hour is."""
        self.turn = trio.CapacityLimiter(1)
        """Who makes lists anew in a thread, and weighs them: more than one at a time would be
        done no sooner, and who is served waits for each after each call of the system."""
        self._log = log
        self._kept: list[Hour] = []
        self._declined: dict[tuple[Whose, frozenset[Grant]], End] = {}
        self._gates: dict[tuple[int, tuple[Grant, ...]], tuple[Gate, Gate]] = {}
        """Gates with more in their lists, by the gate's identity; it is kept with them."""
        self._survivors: dict[str, tuple[Policy, list[Hour]]] = {}

    def of(self, who: Whose) -> tuple[Grant, ...]:
        """What a client has, and still has."""
        mine = (one for one in self._of_policy(who.policy) if one.who == who)
        return tuple(dict.fromkeys(grant for one in mine for grant in one.grants))

    def of_all(self, policy: str) -> list[Grant]:
        """What all clients of a policy have."""
        return [grant for one in self._of_policy(policy) for grant in one.grants]

    def _of_policy(self, policy: str) -> list[Hour]:
        self._kept = [one for one in self._kept if not one.end.is_past]
        return [one for one in self._kept if one.who.policy == policy]

    def allow(self, who: Whose, grants: tuple[Grant, ...], *, is_root: bool) -> bool:
        """Keep a yes; False: there is no room for one more."""
        if len(self._kept) >= MOST_KEPT:
            return False
        self._kept.append(Hour(who, grants, End.after(self.seconds), is_root))
        return True

    def decline(self, who: Whose, grants: Iterable[Grant]) -> None:
        """Keep a no."""
        while len(self._declined) >= MOST_KEPT:
            del self._declined[next(iter(self._declined))]
        self._declined[who, frozenset(grants)] = End.after(self.seconds)

    def is_declined(self, who: Whose, grants: Iterable[Grant]) -> bool:
        """Whether a person said no to something that is needed."""
        wanted = frozenset(grants)
        self._declined = {k: e for k, e in self._declined.items() if not e.is_past}
        return any(one == who and said <= wanted for one, said in self._declined)

    # -- what judges by it ---------------------------------------------------------

    async def gate_made(self, gate: Gate, grants: tuple[Grant, ...]) -> Gate:
        """The same gate with more in its lists. A new one is made in a thread, for all lists are,
        and they may be long. Raises `ConfigError` where that cannot be."""
        if known := self._known(gate, grants):
            return known
        wide = await in_thread(self._wide, gate, grants, limiter=self.turn)
        return self._keep(gate, grants, wide)

    def _known(self, gate: Gate, grants: tuple[Grant, ...]) -> Gate | None:
        if not grants:
            return gate
        known = self._gates.get((id(gate), grants))
        return known and known[1]

    def _wide(self, gate: Gate, grants: tuple[Grant, ...]) -> Gate:
        policy = self.widen(policy_of(gate), grants)
        policy.limits.make_ready()
        return replace(gate, policy=policy, objects=policy.objects, ending="")

    def _keep(self, gate: Gate, grants: tuple[Grant, ...], wide: Gate) -> Gate:
        if len(self._gates) >= MOST_GATES:
            self._gates.clear()
        self._gates[id(gate), grants] = gate, wide
        return wide

    def gate_of(self, gate: Gate, allowed: Allowed) -> Gate:
        """What judges what goes on already, by a gate of now."""
        still = self.of(allowed.who)
        hours = tuple(one for one in allowed.hours if one in still)
        more = tuple(dict.fromkeys((*allowed.once, *hours)))
        try:
            return self._known(gate, more) or self._keep(
                gate, more, self._wide(gate, more)
            )
        except ConfigError:
            return gate

    # -- another policy ------------------------------------------------------------

    def survive(self, client: str, policy: Policy) -> None:
        """Say what of what is allowed for an hour outlives a reload to a policy.

        Long work, in a thread: it counts when that policy does (`reloaded`). What the new
        file touches is gone: an item that it lists itself, or of whose list it took anything;
        and all of it, but for what was root when it was said, if it gives root beside it.
        """
        hours = [one for one in list(self._kept) if one.who.policy == client]
        kept = [
            one
            for one in hours
            if not any(_is_granted(grant, policy) for grant in one.grants)
        ]
        root = [g for one in kept if one.is_root for g in one.grants]
        rest = [g for one in kept if not one.is_root for g in one.grants]
        if rest:
            try:
                base = self.widen(policy, root)
                if any(Powers(base).new_of(ways_of(self.widen(base, rest)))):
                    kept = [one for one in kept if one.is_root]
            except ConfigError:
                kept = []
        self._survivors[client] = (policy, kept)

    def reloaded(self, client: str, gate: Gate, old: Gate | None) -> bool:
        """Know that a policy was read again; whether it is another one."""
        policy, kept = self._survivors.pop(client, (None, []))
        if old is not None and policy_of(old).said == policy_of(gate).said:
            return False
        before = old.policy if old else None
        for one in list(self._kept):
            stays = policy is gate.policy and one in kept
            if one.who.policy != client or (
                stays and not any(_lost(g, before, gate.policy) for g in one.grants)
            ):
                continue
            self._kept.remove(one)
            who, allowed = one.who.logged, names(one.grants)
            text = "by a reload"
            self._log.line(Level.NOTICE, "hour-over", **who, allowed=allowed, text=text)
        self._gates.clear()
        return True

    def forget(self, client: str) -> None:
        """Know that a policy is gone."""
        self._kept = [one for one in self._kept if one.who.policy != client]
        self._gates.clear()


def names(grants: Iterable[Grant]) -> str:
    """Write grants as a line of the log has them."""
    return ",".join(one.name for one in grants)


def policy_of(gate: Gate) -> Policy:
    """The policy of a gate that enforces one."""
    assert gate.policy is not None  # noqa: S101  what enforces has one
    return gate.policy


def _is_granted(grant: Grant, policy: Policy) -> bool:
    """Whether a file lists it by now, or lists nothing by name any more."""
    if policy.mode is not Mode.EXACT:
        return True
    if grant.is_operation:
        return grant.item in policy.opened_operations
    return grant.item in (policy.items_of(grant.variable) or ())


def _lost(grant: Grant, old: Policy | None, new: Policy | None) -> bool:
    """Whether the list that a grant stands beside lost anything."""
    if grant.is_operation:
        return False
    before, after = (one and one.items_of(grant.variable) for one in (old, new))
    return not set(before or ()) <= set(after or ()) or (before is None) != (
        after is None
    )
