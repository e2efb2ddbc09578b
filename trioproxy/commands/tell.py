"""What `learn` tells: each new operation, and a table at the end.

All of it goes to stderr and is table text and counts; nothing here decides anything.
"""

from collections.abc import Iterable, Iterator, Sequence

import click

from trioproxy.errors import TrioProxyError
from trioproxy.learning.evidence import Evidence
from trioproxy.learning.evidencefile import Loaded
from trioproxy.learning.flows import half_granted
from trioproxy.learning.learnedfile import elsewhere
from trioproxy.learning.minimize import smallest_sections
from trioproxy.learning.proposal import Quiet
from trioproxy.learning.shape import REFUSED, UNKNOWN, Shape
from trioproxy.learning.store import Saved
from trioproxy.learning.wording import count, describe_watch
from trioproxy.policy.endpoints import OPERATIONS


def say(line: str) -> None:
    """Write a line to stderr."""
    try:
        click.echo(line, err=True)
    except OSError:
        # Whoever read it is gone: learning goes on, and the file says the same.
        return


def warn(text: str) -> None:
    """Say what a person should know, as one line."""
    say(f"trioproxy: {text}")


def complain(error: TrioProxyError) -> None:
    """Say what went wrong while learning goes on."""
    warn(str(error))
    if error.hint:
        say(f"hint: {error.hint}")


def where(addresses: Sequence[str], *, private: str) -> None:
    """Say where clients are waited for."""
    if private:
        warn("learning until Ctrl-C; point the client here:")
        say(f"export DOCKER_HOST={private}")
    else:
        warn(f"learning until Ctrl-C, listening on {', '.join(addresses)}")


def nothing_seen(file: str, *, has_command: bool) -> None:
    """Say that there was nothing to learn from, and where to look."""
    ask = (
        "did the command use -H or --context?"
        if has_command
        else "no client connected;"
    )
    warn(f"nothing seen: {ask} {file} is unchanged")


def passed_over(number: int) -> None:
    """Say that others were served and not learned from."""
    if number:
        warn(
            f"{count(number, 'request')} of other clients passed and were not learned from"
        )


class Teller:
    """Announces what is new, once, and sums up at the end."""

    def __init__(self, known: Loaded, *, quiet: bool) -> None:
        self._quiet = quiet
        self._used = set(known.evidence.used_operations())
        self._told = {_key(shape) for shape in known.evidence.records}
        self._new = set[str]()
        self._damage = ""
        self._report_damage(known.damage)

    def tell(self, shapes: Sequence[Shape], saved: Saved) -> None:
        """Announce what is on disk now."""
        self._report_damage(saved.damage)
        for shape in shapes:
            line = self._announcement(shape, saved)
            if line and not self._quiet:
                warn(line)

    def _report_damage(self, damage: str) -> None:
        if damage and damage != self._damage:
            self._damage = damage
            warn(f"{damage}: it is ignored, the lines before it are kept")

    def _announcement(self, shape: Shape, saved: Saved) -> str:
        if shape.operation in self._used:
            return ""
        if saved.evidence.is_used(shape):
            name = shape.operation
            self._used.add(name)
            if name in saved.proposal.declined:
                return (
                    f"{_shown(name)} is used, but declined: --restore {name} grants it"
                )
            self._new.add(name)
            risk = f"risk {OPERATIONS[name][0].risk}"
            return f"new: {_shown(name)}, {_note(name) or risk}"
        if _key(shape) in self._told:
            return ""
        self._told.add(_key(shape))
        return _not_granted(shape, saved.evidence.records[shape].results)

    def close(self, file: str, saved: Saved, until: Quiet | None = None) -> None:
        """Sum up what the file grants, what it does not, and how far to trust it."""
        for line in _closing(file, saved, frozenset(self._new)):
            say(line)
        if until is not None:
            say(until.describe(saved.evidence.completeness()))
        say(f"review {file} before you use it: trioproxy enforce --env-file {file}")


def _closing(file: str, saved: Saved, new: frozenset[str]) -> Iterator[str]:
    evidence, proposal = saved.evidence, saved.proposal
    granted = sorted(proposal.granted)
    records = evidence.records.values()
    yield f"trioproxy: {file} allows {count(len(granted), 'operation')}, {len(new)} of them new"
    yield from _table(granted, evidence, new)
    yield describe_watch(evidence.completeness())
    yield from _names("clients", _union(record.clients for record in records))
    yield from _names("programs", _union(record.agents for record in records))
    yield elsewhere(smallest_sections(granted))
    failed = evidence.failed_operations() - proposal.granted - proposal.declined
    yield from _names("only ever failed, not granted (--include-failed)", failed)
    yield from _names("declined, not granted (--restore NAME)", proposal.declined)
    refused = {shape.operation for shape in evidence.refused()} - proposal.granted
    yield from _names("refused, not granted", refused - {UNKNOWN})
    yield from _names("used before, but beyond the ceiling", proposal.capped)
    unknown = {
        f"{shape.method} in {shape.section or '?'}" for shape in evidence.unknown()
    }
    yield from _names("unknown routes, not granted", unknown)
    for flow in half_granted(proposal.granted):
        yield f"half granted: {flow.has} without {flow.lacks}: {flow.why}"
    if dropped := evidence.dropped():
        yield f"incomplete: {count(dropped, 'value')} had no room in the evidence"


def _table(
    granted: Sequence[str], evidence: Evidence, new: frozenset[str]
) -> Iterator[str]:
    counts = dict.fromkeys(granted, 0)
    for shape, record in evidence.records.items():
        if shape.operation in counts:
            counts[shape.operation] += record.count()
    rows = [
        (
            name,
            _route(name),
            f"{counts[name]}x",
            "new" if name in new else "",
            _note(name),
        )
        for name in granted
    ]
    columns = [max(map(len, column), default=0) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = zip(row, columns, strict=True)
        shown = "  ".join(cell.ljust(width) for cell, width in cells if width)
        yield f"  {shown}".rstrip()


def _names(title: str, names: Iterable[str]) -> Iterator[str]:
    if listed := ", ".join(sorted(names)):
        yield f"{title}: {listed}"


def _union(parts: Iterable[set[str]]) -> set[str]:
    return {name for part in parts for name in part}


def _key(shape: Shape) -> str:
    return str(shape[:3]) if shape.operation == UNKNOWN else shape.operation


def _shown(name: str) -> str:
    return f"{name} ({_route(name)})"


def _route(name: str) -> str:
    if name not in OPERATIONS:
        return ""
    endpoint = OPERATIONS[name][0]
    return f"{endpoint.method} {endpoint.template}"


def _note(name: str) -> str:
    return OPERATIONS[name][0].note if name in OPERATIONS else ""


def _not_granted(shape: Shape, results: Iterable[str]) -> str:
    if shape.operation == UNKNOWN:
        place = shape.section or "no section"
        return f"not granted: an unknown route, {shape.method} in {place}"
    if set(results) == {REFUSED}:
        return f"refused, and not granted: {_shown(shape.operation)}"
    statuses = ", ".join(sorted(set(results) - {REFUSED}))
    return f"not granted so far: {_shown(shape.operation)}, it failed with {statuses}"
