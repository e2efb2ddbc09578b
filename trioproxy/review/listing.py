"""What a file lists that requests may ask for, item by item: seen, granted, explained."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trioproxy.arguments import root
from trioproxy.arguments.families import BASE
from trioproxy.arguments.patterns import READ_ONLY, Pattern
from trioproxy.learning.evidence import Evidence
from trioproxy.policy.rules import Policy
from trioproxy.review.meaning import Limited
from trioproxy.review.sightings import Sighting, of_item, runs_of_item

VALUES_SHOWN: Final = 4
"""Of the values that one item fits."""

HOLE: Final = re.compile(r"(/\*\Z|\*(?:\{[0-9]+\})?)")
"""What stands for more than itself in an item: all below a path, or letters."""


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
    evidence: Evidence | None,
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
                _item(policy, one.variable, pattern, evidence, runs)
                for pattern in patterns
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectListing:
    """A variable that says which objects requests may name."""

    variable: str
    line: str
    items: tuple[str, ...]
    """Empty: none."""
    is_set: bool
    """Whether it stands in the file, and is not closed by another one that does."""
    seen: tuple[str, ...]
    """Objects of the kind that were touched."""


def object_listings(
    objects: tuple[Limited, ...], evidence: Evidence | None
) -> Iterator[ObjectListing]:
    """Show each list of objects."""
    things = evidence.things if evidence else {}
    for one in objects:
        kind = one.variable.removeprefix("ONLY_").removesuffix("S").lower()
        names = {thing.name for thing in things if thing.kind == kind}
        yield ObjectListing(
            variable=one.variable,
            line=one.line,
            items=tuple(item for item in one.value.split(",") if item),
            is_set=one.is_set,
            seen=tuple(sorted(names)),
        )


def _item(
    policy: Policy,
    variable: str,
    pattern: Pattern,
    evidence: Evidence | None,
    runs: tuple[str, ...],
) -> Item:
    base = policy.limits.base
    values = _values(evidence, variable, pattern, base) if evidence else []
    used = runs_of_item(evidence, variable, pattern, base) if evidence else {}
    return Item(
        variable=variable,
        text=pattern.text,
        reading=tuple(_reading(variable, pattern.text, base)),
        root=root.of_item(variable, pattern.text, base=base),
        seen=of_item(evidence, variable, pattern, base) if evidence else None,
        uses=tuple(used.get(run, 0) for run in runs),
        values=tuple(values[:VALUES_SHOWN]),
        more_values=max(0, len(values) - VALUES_SHOWN),
    )


def _values(evidence: Evidence, variable: str, item: Pattern, base: str) -> list[str]:
    """What was asked for and is fitted by an item, unless it is the item as it stands."""
    found = {
        one.value
        for one in evidence.used_arguments()
        if one.variable == variable
        and one.value
        and item.fits(one.value.replace(BASE, base))
    }
    return sorted(found - {item.text})


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
    letters = "letters, digits, _ or -"
    return f"exactly {hole[2:-1]} {letters}" if "{" in hole else f"any {letters}"
