"""Which objects a request named or made, as evidence has them: whose they are.

An object is `@own` if the Engine says that it has the client's label and not from its
image. Of all others the name is kept, and the Compose project, so that a person can list
them. What it made in an earlier run and left there is told apart by its date. What was
reached into is kept with what it has beyond the harmless, for that counts later as if it
were asked for (`judge.naming`).
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Final, NamedTuple

from trioproxy.api import timestamps
from trioproxy.api.families import Family, Kind
from trioproxy.api.nodes import HAD_BY_DEFAULT
from trioproxy.api.routes import Touch, row_of
from trioproxy.errors import BadRequest
from trioproxy.evidence.keeping import kept
from trioproxy.evidence.sight import NODES, Sight
from trioproxy.judge.references import Named
from trioproxy.limits.inspected import arguments_of, arguments_of_exec
from trioproxy.limits.objects import (
    LISTED_BY,
    NAME,
    OWN,
    OWNER_LABEL,
    Objects,
    project_of,
)
from trioproxy.limits.sorts import NOT_KEPT
from trioproxy.limits.things import ENGINE, Thing

ALL: Final = "*"
"""In place of a name: all of a kind, or one that no list can hold."""

_PROJECT: Final = re.compile(r"[ -~]{1,255}", re.ASCII)


class Touched(NamedTuple):
    """An object that a request named or made."""

    sight: Sight
    own_id: str = ""
    """Its id, if it is the client's own."""
    made: float = 0.0
    """When it was made, by the Engine's clock, in seconds since the epoch; 0: unknown."""
    is_marked: bool = True
    """Whether it has a proxy's label, as all has that goes through one and is not refused."""
    has: tuple[tuple[str, str], ...] = ()
    """What it has beyond the harmless, if it was reached into: variables and items."""
    is_judged: bool = True
    """Whether lists must hold it. Of what another's container leads to it counts what it has."""


def touched(operation: str, named: Named, objects: Objects) -> Iterator[Touched]:
    """Tell which objects a request named or made; `objects`: by which they were looked for."""
    row = row_of(operation)
    if row is None or not row.kinds:
        return
    kind = row.kinds[0]
    # A prune names none: beside lists it removes what is listed, and needs no item for that.
    yield Touched(Sight(LISTED_BY[kind], "", operation))
    if row.touch is Touch.MAKES and objects.owner:
        yield Touched(Sight(LISTED_BY[kind], OWN, operation))
    for reference, thing in named.pairs():
        if (
            reference.argument is not None
            or not isinstance(thing, Thing)
            or thing.is_proxys  # outside of every list
        ):
            continue
        is_named = reference.text.removeprefix("/") in thing.names
        one = _touched(operation, objects, thing, is_named=is_named)
        if reference.reaches or thing.kind is Kind.VOLUME:
            one = one._replace(has=tuple(_has(thing, named, objects)))
        yield one
        if reference.renamed is not None:  # which must be listed by that, too
            renamed = thing._replace(names=(reference.renamed,))
            yield _touched(operation, objects, renamed, is_named=True)
        for by, of, name in reference.leads_to(thing, named.known):
            if isinstance(other := named.known.get((of, name)), Thing):
                yield _touched(operation, objects, other, is_named=is_named)._replace(
                    has=tuple(_has(other, named, objects)),
                    is_judged=of is Kind.NETWORK or objects.owns(by),
                )


def _touched(
    operation: str, objects: Objects, thing: Thing, *, is_named: bool
) -> Touched:
    by = LISTED_BY[thing.kind]
    if objects.is_own(thing):
        return Touched(Sight(by, OWN, operation), thing.id, _made(thing))
    name = thing.names[0] if thing.names else ""
    project = project_of(thing)
    sight = Sight(
        by,
        name if NAME.fullmatch(name) else ALL,
        operation,
        project=project if _PROJECT.fullmatch(project) else "",
        is_named=is_named,
    )
    return Touched(sight, made=_made(thing), is_marked=OWNER_LABEL in thing.labels)


def _made(thing: Thing) -> float:
    said = thing.value.get("Created") or thing.value.get("CreatedAt")
    told = timestamps.read(str(said))
    return told[0].nanoseconds / timestamps.SECOND if told else 0.0


def _has(thing: Thing, named: Named, objects: Objects) -> Iterator[tuple[str, str]]:
    """What it has. Where the Engine does not tell its defaults, what may be one is none."""
    # The client's own are made without nodes where that counts. Podman does not tell that
    # it took them away.
    engine = named.known.get(ENGINE)
    is_bare = objects.is_own(thing) and not thing.is_podmans
    try:
        execs = arguments_of_exec(thing)
        for one in chain(execs, arguments_of(thing, with_nodes=not is_bare)):
            if one is HAD_BY_DEFAULT:
                yield NODES
            elif not one.unless_default or (
                isinstance(engine, Thing) and not engine.gives(one)
            ):
                yield one.variable, kept(one)
    except BadRequest:
        # What cannot be read as if it were asked for is refused, whatever is listed.
        yield Family.CREATE.options, NOT_KEPT
