"""Frozen values that are made anew for each request head.

`@dataclass(frozen=True)` sets every field by a function call: for the five values that
follow from a head, a fifth of all the work it makes. These are frozen for the type
checker alone, which reads all code and all tests.
"""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value_class(cls: type[Value]) -> type[Value]:
    """Make a class of values: slots, keywords only, equal and hashed by their fields."""
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(cls)


@dataclass_transform(frozen_default=True)
def ordered_class(cls: type[Value]) -> type[Value]:
    """The same, for values whose fields may be given in their order.

    A call of a class with keywords costs two and a half times as much as one without.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
