"""What `enforce --ask` checks before it asks anybody, and what it asks with."""

import os
import stat
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from trioproxy.commands import ours
from trioproxy.config import Listened, TcpAddress, UnixAddress, parse_address
from trioproxy.errors import ConfigError
from trioproxy.file.widening import widened
from trioproxy.judge.rules import Mode, Policy
from trioproxy.limits.grant import Grant
from trioproxy.proxy import holding  # noqa: F401  loaded before the first request
from trioproxy.proxy.asking import Asking
from trioproxy.proxy.hours import Hours
from trioproxy.proxy.log import Log

if TYPE_CHECKING:
    from trioproxy.commands.servedpolicy import ServedPolicy

MODE: Final = 0o600


def read_address(url: str, listen: Iterable[Listened]) -> UnixAddress:
    """Read where somebody is asked.

    Raises `ConfigError` for what is no Unix socket of one user, and where a client of a
    Unix listener may have that user's id: it could answer its own questions.
    """
    address = parse_address(url) if url.startswith("unix://") else None
    if not isinstance(address, UnixAddress):
        raise ConfigError(
            f"--ask {url!r:.80} is no Unix socket", hint="write unix:///path/ask.sock"
        )
    if address.mode != MODE or address.gid >= 0:
        raise ConfigError(
            f"--ask {url!r:.80} is for one user: its socket has mode 0600",
            hint="leave out mode= and gid=; uid=NUMBER says whose it is",
        )
    uid = asker_of(address)
    for one in listen:
        if isinstance(one, UnixAddress) and one.path == address.path:
            raise ConfigError(
                f"--ask {address} is a listener for clients as well",
                hint="choose another path",
            )
        if _admits(one, uid):
            raise ConfigError(
                f"{one} may admit clients with uid {uid}, who could answer what they ask"
                f" for themselves: --ask {address} is for that user",
                hint="say whose the listener is, without that user: ?mode=0666+uids=NUMBER;"
                " or give the asker a user of its own: --ask unix:///path?uid=NUMBER",
            )
    return address


def asker_of(address: UnixAddress) -> int:
    """Who is asked: the owner of the socket."""
    return address.uid if address.uid >= 0 else os.geteuid()


def _admits(listener: Listened, uid: int) -> bool:
    """Whether a user may come in by a Unix listener; what is not sure counts as yes.

    Groups are not looked up: who is in one is not known for a container.
    """
    if isinstance(listener, TcpAddress) or listener.entry.allow:
        return False
    if listener.entry.uids:
        return uid in listener.entry.uids
    if not isinstance(listener, UnixAddress) or uid == 0:
        return True
    mode = listener.mode
    owner = listener.uid if listener.uid >= 0 else os.geteuid()
    if owner == uid:
        return bool(mode & stat.S_IWUSR)
    return bool(mode & (stat.S_IWGRP | stat.S_IWOTH))


def begin(
    address: UnixAddress,
    policies: "Mapping[str, ServedPolicy]",
    log: Log,
    seconds: int,
) -> Asking:
    """Ask about what these policies refuse. Raises `ConfigError` where no name in a file
    would allow it."""
    modes = {one.policy.mode for one in policies.values() if one.policy is not None}
    if Mode.EXACT not in modes:
        raise ConfigError(
            "--ask asks what a list of operations shall have, and no policy here is one",
            hint="learn a file with ALLOW_OPERATIONS: trioproxy learn -o FILE -- COMMAND",
        )
    own = next(iter(policies.values())).own_files
    mounts = ours.mounts_here()

    def widen(policy: Policy, grants: Iterable[Grant]) -> Policy:
        wide = widened(policy, grants)
        ours.check_own(wide, own, mounts)
        return wide

    return Asking(
        address=address,
        uid=asker_of(address),
        log=log,
        hours=Hours(widen, log),
        files=lambda: {client: one.env_file for client, one in policies.items()},
        seconds=float(seconds),
    )
