"""What a file lists that requests may ask for, item by item: seen, granted, explained."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trioproxy.api.families import BASE, OBJECTS, Kind
from trioproxy.judge.meaning import Limited
from trioproxy.judge.rules import Policy
from trioproxy.limits import varying
from trioproxy.limits.limit import ANY
from trioproxy.limits.objects import OF_LABEL, OF_PROJECT, OWN
from trioproxy.limits.patterns import READ_ONLY, Pattern
from trioproxy.limits.sorts import why_root
from trioproxy.review.sightings import Sighting, Uses

VALUES_SHOWN: Final = 4
"""Of the values that one item fits."""

HOLE: Final = re.compile(rf"(/\*\Z|{varying.HOLE.pattern})")
"""What stands for more than itself in an item: all below a path, or a hole."""

_KINDS: Final = MappingProxyType(
    {
        "num": "any digits",
        "uuid": "a UUID",
        "date": "a date, as 2026-11-20 or 20261120",
        "uid": "the number of a user, 1000 to 59999",
        "hex": "exactly {} of 0-9 and a-f",
        "rand": "exactly {} letters, digits or _",
        "": "exactly {} letters, digits, _ or -",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of a list."""

    variable: str
    text: str
    """As it is granted."""
    reading: tuple[tuple[str, str], ...]
    """Parts of it that are not plain, each with what it stands for."""
    root: str
    """Why it gives root on the host; empty: no way is known."""
    seen: Sighting | None
    uses: tuple[int, ...]
    """How often in each of the runs that are shown."""
    values: tuple[str, ...]
    """What was asked for and is fitted by it, where it is not the item itself."""
    more_values: int
    """How many of these are not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A variable that limits what requests may ask for."""

    variable: str
    line: str
    """What it limits."""
    is_any: bool
    items: tuple[Item, ...]
    """Empty, and not any: nothing but what is harmless."""


def listings(
    policy: Policy,
    limits: tuple[Limited, ...],
    uses: Uses | None,
    runs: tuple[str, ...],
) -> Iterator[Listing]:
    """Show each limit; `runs`: those of which the uses are wanted."""
    for one in limits:
        limit = policy.limits.limit_of(one.variable)
        patterns = limit.patterns if limit else ()
        yield Listing(
            variable=one.variable,
            line=one.line,
            is_any=bool(limit and limit.is_any),
            items=tuple(
                _item(policy, one.variable, pattern, uses, runs) for pattern in patterns
            ),
        )


def object_listings(
    objects: tuple[Limited, ...], uses: Uses | None, runs: tuple[str, ...]
) -> Iterator[Listing]:
    """Show each list of objects in the same way."""
    for one in objects:
        kind = OBJECTS[one.variable]
        items = [item for item in one.value.split(",") if item and item != ANY]
        unset = "" if one.is_set else ", as the variable is not set"
        yield Listing(
            variable=one.variable,
            line=f"{one.line}{unset}",
            is_any=one.value == ANY,
            items=tuple(_object(one.variable, kind, it, uses, runs) for it in items),
        )


def _object(
    variable: str,
    kind: Kind,
    item: str,
    uses: Uses | None,
    runs: tuple[str, ...],
) -> Item:
    things = uses.things(kind, item) if uses else []
    used = uses.runs(things) if uses else {}
    names = {one.item for one in things} - {item}
    return Item(
        variable=variable,
        text=item,
        reading=tuple(_object_reading(item)),
        root="",
        seen=uses.sighting(things) if uses else None,
        uses=tuple(used.get(run, 0) for run in runs),
        values=tuple(sorted(names)[:VALUES_SHOWN]),
        more_values=max(0, len(names) - VALUES_SHOWN),
    )


def _object_reading(item: str) -> Iterator[tuple[str, str]]:
    if item == OWN:
        yield item, "what was made through this policy"
    elif item.startswith(OF_PROJECT):
        yield item, "what Compose made for this project"
    elif item.startswith(OF_LABEL):
        yield item, "what has this label"
    elif ANY in item:
        yield ANY, _hole(ANY)


def _item(
    policy: Policy,
    variable: str,
    pattern: Pattern,
    uses: Uses | None,
    runs: tuple[str, ...],
) -> Item:
    base = policy.limits.base
    fitted = uses.values(variable, pattern) if uses else []
    values = {one.item for one in fitted} - {pattern.text}
    used = uses.runs(fitted) if uses else {}
    return Item(
        variable=variable,
        text=pattern.text,
        reading=tuple(_reading(variable, pattern.text, base)),
        root=why_root(variable, pattern.text, base=base),
        seen=uses.sighting(fitted) if uses else None,
        uses=tuple(used.get(run, 0) for run in runs),
        values=tuple(sorted(values)[:VALUES_SHOWN]),
        more_values=max(0, len(values) - VALUES_SHOWN),
    )


def _reading(variable: str, text: str, base: str) -> Iterator[tuple[str, str]]:
    for hole in dict.fromkeys(HOLE.findall(text)):
        yield hole, _hole(hole)
    if BASE in text:
        yield BASE, base or "the folder that CREATE_BASE names"
    if variable == "CREATE_BINDS" and text.endswith(READ_ONLY):
        yield READ_ONLY, "to be read, and not written"
    if variable == "CREATE_PORTS" and "random" in text:
        yield "random", "a port that the Engine chooses, or that the system had free"


def _hole(hole: str) -> str:
    if hole.startswith("/"):
        return "all that lies below"
    if hole == "*":
        return "any letters, digits, _ or -"
    return _KINDS[varying.kind_of(hole)].format(re.sub("[^0-9]", "", hole))
