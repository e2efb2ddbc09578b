"""What a person asked of learning, and all that the lists of one file are made of."""

import re
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Final

from trioproxy.api.families import OPERATIONS_VARIABLE, OWNER_VARIABLE
from trioproxy.api.routes import packing
from trioproxy.evidence.seen import Evidence
from trioproxy.evidence.sight import BY_NODES, NODES, Sight
from trioproxy.judge.rules import Policy
from trioproxy.limits.grant import Grant
from trioproxy.limits.limit import NO_LIMITS, Limits
from trioproxy.limits.objects import NO_OBJECTS, Objects
from trioproxy.values import value_class


class Strangers(StrEnum):
    """How objects are listed that are not the client's own."""

    SAME = "same"
    """By their names where those are the same in all runs; else by `*`."""
    NAMES = "names"
    """By their names, also where those vary."""
    PROJECTS = "projects"
    """By their Compose projects; by their names where they have none."""


@value_class
class Wish:
    """What a person asked of learning."""

    name: str
    """Whose file it is, where the file does not say so already."""
    owner: str = ""
    """Of what it makes, where nobody said so before; empty: the name."""
    file: str
    """How the file is called, for errors."""
    ceiling: Policy | None = None
    """What it refuses is not granted."""
    within: str = ""
    """How the file of that is called."""
    include_failed: bool = False
    arguments: bool = True
    """Whether what requests ask for is learned too, and limited."""
    objects: Strangers | None = Strangers.SAME
    """How objects are listed that are not the client's own; None: none are learned."""
    restore: frozenset[Grant] = frozenset()
    """What was declined, and is to be granted and listed again."""
    extra: frozenset[str] = frozenset()
    """What other files grant that are merged into this one."""
    declined: frozenset[str] = frozenset()
    """What a person took out of one of those files."""

    @property
    def restored(self) -> frozenset[str]:
        """The operations among what is to be granted again."""
        return frozenset(one.item for one in self.restore if one.is_operation)

    @property
    def limits(self) -> Limits:
        """What requests may ask for at most."""
        return self.ceiling.limits if self.ceiling else NO_LIMITS

    @property
    def nameable(self) -> Objects:
        """Which objects they may name at most."""
        return self.ceiling.objects if self.ceiling else NO_OBJECTS

    def owner_for(self, evidence: Evidence, old: Mapping[str, str]) -> str:
        """The owner that a file names, or is to name."""
        given = old.get(OWNER_VARIABLE) or self.nameable.owner or owner_in(evidence)
        return given or self.owner or new_owner(self.name)


@value_class
class Basis:
    """What the lists of a file are made of."""

    evidence: Evidence
    variables: Mapping[str, str]
    """Those of the existing file."""
    granted: frozenset[str]
    """The operations that the file will grant."""
    wish: Wish
    going_on: str
    """The run that is not over: what it did not ask for or name, it may still."""
    is_taken_out: bool
    """Whether a person took the lists of objects out of the existing file."""

    def had(self) -> Iterator[tuple[Sight, Grant]]:
        """What was reached into, and the items that this needs beside lists of objects."""
        used = self.evidence.used_objects(include_failed=self.wish.include_failed)
        for one in sorted(used):
            if one.has and one.operation in self.granted:
                has = Grant.parse(one.has)
                if has != NODES:
                    yield one, has
                elif packing(self.granted):
                    yield one, BY_NODES

    def old(self, lists: Collection[str]) -> Mapping[str, str] | None:
        """The variables of the existing file; None if it is begun anew: it lists no
        operations, and nothing in these lists."""
        is_old = not self.variables.keys().isdisjoint((OPERATIONS_VARIABLE, *lists))
        return self.variables if is_old else None

    def listed(self, lists: Collection[str]) -> dict[str, list[str]]:
        """What the existing file lists in those of these lists that it has."""
        return {
            name: [item for item in value.split(",") if item]
            for name, value in self.variables.items()
            if name in lists
        }


def owner_in(evidence: Evidence) -> str:
    """The owner that a file once named; empty: none. What was made is labelled with it, so
    that it never changes once it was given, even where the lists are left out."""
    given = (item for name, item in sorted(evidence.granted) if name == OWNER_VARIABLE)
    return next(given, "")


def new_owner(name: str, end: bytes = b"") -> str:
    """An owner for a file of this name: letters, digits, dots, - and _, and a few random
    ones that `end` gives. Without those, two projects whose files have one name would own
    each other's containers."""
    stem = re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:120] or "client"
    ends = "".join(_OF_OWNERS[byte % len(_OF_OWNERS)] for byte in end)
    return f"{stem}-{ends}" if ends else stem


_OF_OWNERS: Final = "23456789abcdefghijkmnpqrstuvwxyz"
"""Letters that nobody takes for others."""
