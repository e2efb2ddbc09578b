"""What `learn` tells while it learns: each new operation, and what a person should know.

All of it goes to stderr and is table text and counts; nothing here decides anything. The
table at the end is `commands.closing`.
"""

import select
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, ParamSpec

import click

from trioproxy.api.families import Places
from trioproxy.api.matched import with_segments
from trioproxy.api.routes import Risk, row_of
from trioproxy.commands.shown import risk_text
from trioproxy.commands.terminal import prepared, width_of
from trioproxy.errors import TrioProxyError
from trioproxy.evidence.evidencefile import Loaded
from trioproxy.evidence.sight import REFUSED, UNKNOWN, UNPROVEN, Sight
from trioproxy.hostpath import is_in_container
from trioproxy.judge.power import Power, Powers
from trioproxy.learning.learnedfile import policy_of
from trioproxy.learning.proposal import Proposal
from trioproxy.learning.store import Written
from trioproxy.learning.wording import count, some, span
from trioproxy.limits.grant import Grant
from trioproxy.limits.sorts import why_root
from trioproxy.quoting import visible

_Args = ParamSpec("_Args")

NAMES_SHOWN: Final = 5
REASON_SHOWN: Final = 160


def say(line: str, *, is_whole: bool = False) -> None:
    """Write a line to stderr; on a terminal as several, where it is too long.

    `is_whole`: it is there to be copied, and stays one.
    """
    try:
        is_terminal = width_of(sys.stderr) is not None
        for part in [visible(line)] if is_whole else prepared([line], sys.stderr):
            # A command that made it raw (`docker run -it`) has taken the CR from line ends.
            # None in front: it would write over what a command has not ended with a line end.
            click.echo(f"{part}\r" if is_terminal else part, err=True)
    except OSError:
        # Whoever read it is gone: learning goes on, and the file says the same.
        return


def say_command(text: str, command: str) -> None:
    """Say something and, behind it or below it, a command to be copied."""
    width = width_of(sys.stderr)
    if width is None or len(f"{text} {command}") <= width:
        say(f"{text} {command}")
    else:
        say(text)
        say(f"  {command}", is_whole=True)


def warn(text: str) -> None:
    """Say what a person should know, as one line."""
    say(f"trioproxy: {text}")


def complain(error: TrioProxyError, warn: Callable[[str], None] = warn) -> None:
    """Say what went wrong while learning goes on."""
    warn(str(error))
    if error.hint:
        say(f"hint: {error.hint}")


def unwaited(function: Callable[_Args, None]) -> Callable[_Args, None]:
    """Make of a function that says some lines one that leaves them out where whoever reads
    stderr has stopped: nobody is served while a full pipe is waited for, and the table at the
    end has it all."""

    def call(*args: _Args.args, **options: _Args.kwargs) -> None:
        poll = select.poll()
        try:
            poll.register(sys.stderr.fileno(), select.POLLOUT)
        except (AttributeError, OSError, ValueError):  # it is no file, or closed
            return function(*args, **options)
        # As in `proxy.log`: what is called writable takes `PIPE_BUF` bytes at once.
        return function(*args, **options) if poll.poll(0) else None

    return call


def where(addresses: Sequence[str], seconds: int = 0, *, private: str) -> None:
    """Say where clients are waited for, and until when; `seconds`: without anything new, or 0;
    in a container nobody else reaches what is private."""
    end = f"Ctrl-C, or {span(seconds)} without news" if seconds else "Ctrl-C"
    if private:
        others = " (none outside of this container: --listen tcp://:2375 is for those)"
        warn(
            f"learning until {end}; point the client here{others * is_in_container()}:"
        )
        say(f"export DOCKER_HOST={private}", is_whole=True)
    else:
        warn(f"learning until {end}; listening on {', '.join(addresses)}")


def nothing_seen(
    file: str,
    *,
    has_command: bool,
    unread: Mapping[str, int],
    unanswered: int = 0,
    was_shut: bool,
) -> None:
    """Say that there was nothing to learn from, and where to look; `was_shut`: clients were
    turned away."""
    if unread:
        ask = "no request could be read, and each got an error of ours;"
    elif unanswered:
        ask = f"the Engine answered none of {count(unanswered, 'request')};"
    elif has_command:
        ask = "did the command use -H, --context or a socket of its own (learn --capture)?"
    elif was_shut:
        ask = "clients were turned away;"
    else:
        ask = "no request to learn from came;"
    warn(f"nothing seen: {ask} nothing is written to {file}")
    for line in unread_lines(unread):
        say(line)


def unread_lines(unread: Mapping[str, int]) -> list[str]:
    """Say what was answered with 400 and the like, most frequent first."""
    return [
        f"not understood, and refused: {count(number, 'request')}: {plain(reason)}"
        for reason, number in sorted(unread.items(), key=lambda item: (-item[1], item))
    ]


def plain(reason: str) -> str:
    """A reason that may hold what a client sent, safe for a terminal, and not too long."""
    shown = visible(reason[:REASON_SHOWN])
    return shown if len(reason) <= REASON_SHOWN else f"{shown}..."


def staying(names: Sequence[str], seconds: int) -> None:
    """Say that we wait for what the command has left behind."""
    warn(
        f"the command has ended, but left {count(len(names), 'process', 'processes')}"
        f" ({_some(names)}): learning goes on until {seconds} s after the last request"
    )


def leaving(names: Sequence[str]) -> None:
    """Say that something outlives us."""
    warn(
        f"left without a Docker socket: {count(len(names), 'process', 'processes')} of"
        f" the command ({_some(names)}); what is done from now on is not learned"
    )


def _some(names: Sequence[str]) -> str:
    return some(sorted(map(visible, set(names))), NAMES_SHOWN)


def damaged(damage: str, warn: Callable[[str], None] = warn) -> None:
    """Say what of an evidence file was left out, if anything was."""
    if damage:
        warn(f"{damage}: it is ignored, the lines before it are kept")


def passed_over(number: int) -> None:
    """Say that others were served and not learned from."""
    if number:
        requests = count(number, "request")
        warn(f"{requests} of other clients passed and were not learned from")


def left_out(clients: Iterable[str], most: int) -> None:
    """Say who came when as many were learned from as can be."""
    if names := sorted(clients):
        warn(f"not learned from, as {most} others were: {some(names, NAMES_SHOWN)}")


class Teller:
    """Announces what is new, once."""

    def __init__(
        self,
        known: Loaded,
        *,
        quiet: bool,
        unknown: Iterable[str],
        warn: Callable[[str], None],
    ) -> None:
        """`unknown`: the routes that the table does not have, as they come."""
        self._quiet = quiet
        self._warn = warn
        self._unknown = unknown
        self._used = set(known.evidence.used_operations())
        self._told = {sight.operation for sight in known.evidence.routes}
        self._items = set[Grant]()
        self._damage = ""
        self._report_damage(known.damage)

    def tell(self, new: Sequence[Sight], saved: Written) -> None:
        """Announce what is on disk now."""
        self._report_damage(saved.damage)
        powers = powers_of(saved.proposal) if any(one.is_route for one in new) else None
        lines = [
            self._announcement(one, saved, powers)
            if powers and one.is_route
            else self._about_value(one, saved)
            for one in new
        ]
        for line in (*lines, *self._unknown_routes(saved)):
            if line and not self._quiet:
                self._warn(line)

    def _about_value(self, argument: Sight, saved: Written) -> str:
        """Say what was asked for, with what it may lead to in front of all else."""
        grant, lists = argument.grant, saved.proposal.lists
        if grant in self._items or grant not in lists.added:
            return ""
        self._items.add(grant)
        why = why_root(*grant, places=Places.of(lists.values))
        risk = f", {Power(Risk.HOST_ROOT, why).root_note}" if why else ""
        return f"new: {argument.operation} asks for {grant}{risk}"

    def _report_damage(self, damage: str) -> None:
        if damage and damage != self._damage:
            self._damage = damage
            damaged(damage, self._warn)

    def _announcement(self, sight: Sight, saved: Written, powers: Powers) -> str:
        if sight.operation in self._used:
            return ""
        if saved.evidence.is_used(sight):
            name, shown = sight.operation, _shown(sight.operation)
            self._used.add(name)
            if name in saved.proposal.declined:
                return f"{shown} is used, but declined: --restore {name} grants it"
            risk = f"risk {powers.of(sight.grant).level}"
            return f"new: {shown}, {risk_of(name, powers) or risk}"
        if sight.operation == UNKNOWN or sight.operation in self._told:
            return ""
        self._told.add(sight.operation)
        return _not_granted(sight, saved.evidence.facts[sight].results)

    def _unknown_routes(self, saved: Written) -> Iterator[str]:
        """Announce each route of this run; evidence of earlier ones knows none."""
        # Whatever their parameters are called.
        granted = {with_segments(one, "{}") for one in saved.proposal.granted}
        for route in self._unknown:
            if route not in self._told:
                self._told.add(route)
                if with_segments(route.replace(" ", ":"), "{}") not in granted:
                    yield f"not granted: an unknown route, {route}"


def _shown(name: str) -> str:
    return f"{name} ({route_text(name)})"


def route_text(name: str) -> str:
    """Method and template of an operation; empty for a route that has no name."""
    endpoint = row_of(name)
    return f"{endpoint.method} {endpoint.template}" if endpoint else ""


def powers_of(proposal: Proposal) -> Powers:
    """What the grants of a file give, behind the lists that it has."""
    return Powers(policy_of(proposal.granted, proposal.values))


def risk_of(name: str, powers: Powers) -> str:
    """What a reviewer should not read over: what an operation gives in this file."""
    power = powers.of(Grant.of_operation(name))
    endpoint = row_of(name)
    if not power.level or power.needs_no_word(endpoint):
        return ""
    return f"{risk_text(power, endpoint)}: {power.why}"


def _not_granted(sight: Sight, results: Iterable[str]) -> str:
    if set(results) <= {REFUSED, UNPROVEN}:
        return f"refused, and not granted: {_shown(sight.operation)}"
    statuses = ", ".join(sorted(set(results) - {REFUSED, UNPROVEN}))
    return f"not granted so far: {_shown(sight.operation)}, it failed with {statuses}"
