"""A prune beside lists of objects: which of all that the Engine has may be removed by it.

A prune names nothing, and the Engine removes by it what is anybody's. A label that is added to
its filters does not hold it: whoever builds gives an image any label, and the containers of it
have that as well. So what is a prune to the client is a list to the Engine; each of what is
listed is judged as if it had been named; and what may be removed is, by its id, one after the
other (`proxy.removing`). What the client filters by keeps the meaning that it has there: what
is not quite clear is refused, for a filter that is not understood would remove more.

What is started, used or removed meanwhile stays: without force the Engine removes nothing that is used.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from trioproxy.api import query
from trioproxy.api.arguments import map_of, minor
from trioproxy.api.decoding import Json, show
from trioproxy.api.families import Kind
from trioproxy.api.timestamps import SECOND, Instant, parse, read
from trioproxy.errors import BadTarget, Untold
from trioproxy.limits.objects import Objects
from trioproxy.limits.things import BUILT_IN, Thing, listed

FILTERS: Final[Mapping[Kind, frozenset[str]]] = {
    Kind.CONTAINER: frozenset({"label", "label!", "until"}),
    Kind.NETWORK: frozenset({"label", "label!", "until"}),
    Kind.VOLUME: frozenset({"label", "label!", "all"}),
}
"""What the Engine takes for each kind; for all others it answers 400."""

REMOVES_NAMED: Final = 42
"""The version of the API from which on a prune of volumes leaves those alone that have a name."""

_ONCE: Final = frozenset({"all", "until"})
_STOPPED: Final = frozenset({"created", "exited", "dead", "stopped", "configured"})
"""States in which a container is pruned, Podman's two as well; all others stay."""


class Removal(NamedTuple):
    """Something that a prune removes."""

    id: str
    """By which it is: a container's and a network's id, a volume's name."""
    told: str
    """What the answer has of it: that, but of a network its name."""


class Prune(NamedTuple):
    """What a prune asks for, against what is listed."""

    kind: Kind
    version: str
    """That the client names, as it stands in front of a path."""
    filters: Mapping[str, frozenset[str]]
    until: Instant | None
    objects: Objects
    before: int | None = None
    """Nothing goes that was made later, in nanoseconds since 1970 (`at`)."""

    def at(self, now: Json) -> "Prune":
        """Know the Engine's clock, as `/info` has it. Raises `Untold`."""
        told = read(now) if isinstance(now, str) else None
        if told is None or self.until is None:
            raise Untold("the Docker Engine does not say what time it is (GET /info)")
        return self._replace(before=self.until.at(*told))

    def takes(self, value: Json) -> Thing | None:
        """Describe an element of a list, if the filters take it and it may be listed."""
        thing = listed(self.kind, value)
        if not self._is_pruned(thing, map_of(value)) or not self._fits(thing.labels):
            return None
        if not self.objects.may_show(thing):
            return None
        return self.objects.remembered(thing)

    def is_older(self, created: Json) -> bool:
        """Whether something was not made later than the filter says.

        `created`: as the Engine writes it. What it does not say is not old. A list of containers
        has whole seconds, cut off: of these each is asked about once more before it goes.
        """
        if self.before is None:
            return self.until is None
        if isinstance(created, int):
            return created * SECOND <= self.before
        told = read(created) if isinstance(created, str) else None
        return told is not None and told[0].nanoseconds <= self.before

    def _is_pruned(self, thing: Thing, value: Mapping[str, Json]) -> bool:
        if self.kind is Kind.VOLUME:
            takes_named = not query.TRUE.isdisjoint(self.filters.get("all", ()))
            return thing.is_plain and (thing.is_anonymous or takes_named)
        if self.kind is Kind.CONTAINER:
            stays = value.get("State") not in _STOPPED
        else:
            # No prune of the Engine takes these, but a delete by name does, and that is what goes on in its place.
            is_special = value.get("ConfigOnly") or value.get("Ingress")
            stays = bool(is_special) or thing.names[0] in BUILT_IN
        return not stays and self.is_older(value.get("Created"))

    def _fits(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels are those that the filters want.

        As the Engine has it: all of `label`; and not all of `label!`, so that of two of them one may be there.
        """
        wanted, without = map(self.filters.get, ("label", "label!"))
        has_wanted = wanted is None or _has_all(labels, wanted)
        return has_wanted and (without is None or not _has_all(labels, without))

    def removal(self, thing: Thing) -> Removal:
        """How something is removed."""
        is_network = self.kind is Kind.NETWORK
        return Removal(thing.id, thing.names[0] if is_network else thing.id)


class Listed(NamedTuple):
    """What the Engine has of a kind."""

    prune: Prune
    """With the Engine's clock, where that counts."""
    things: tuple[Thing, ...] = ()
    """What its filters take and may be listed (`Prune.takes`)."""


class Removals(NamedTuple):
    """What goes, in place of the request."""

    prune: Prune
    each: tuple[Removal, ...]

    @property
    def size(self) -> int:
        """Bytes that the names take, and rather more."""
        return sum(512 + 4 * (len(one.id) + len(one.told)) for one in self.each)


def prune_of(kind: Kind, version: str, raw_query: bytes, objects: Objects) -> Prune:
    """Read what a prune asks for. Raises `BadTarget` for what the Engine refuses, or may read otherwise."""
    filters = query.filters(raw_query)
    # To a client that speaks an older API the Engine still gives the older prune, which takes volumes with names, too;
    # who names no version speaks the newest.
    if kind is Kind.VOLUME and (minor(version) or REMOVES_NAMED) < REMOVES_NAMED:
        filters["all"] = filters.get("all", frozenset()) | {"true"}
    for name, values in filters.items():
        if name not in FILTERS[kind]:
            raise BadTarget(f"invalid filter {show(name)}")
        if name in _ONCE and len(values) > 1:
            raise BadTarget(f"invalid filter {show(name)}: it takes one value")
    if not filters.get("all", frozenset()) <= query.TRUE | query.FALSE:
        raise BadTarget("invalid filter all: it takes true or false")
    until = [parse(text) for text in filters.get("until", ())]
    return Prune(kind, version, filters, until[0] if until else None, objects)


def _has_all(labels: Mapping[str, str], wanted: frozenset[str]) -> bool:
    return all(
        key in labels and (not has_value or labels[key] == value)
        for key, has_value, value in (one.partition("=") for one in wanted)
    )
