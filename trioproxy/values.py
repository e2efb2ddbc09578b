"""Values: what the rooms hand to one another.

`@dataclass(frozen=True)` sets every field by a function call: for the five values that follow from a
head, a fifth of all the work it makes. And it compiles seven functions for each class, which for all of
ours together is 4 ms of a start and a quarter of a megabyte for good. Values here have an `__init__` of their own and
share all else. They are frozen for the type checker alone, which reads all code and all tests.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

Value = TypeVar("Value")


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(field,)
)
def value_class(cls: type[Value]) -> type[Value]:
    """Make a class of values: slots, keywords only, equal and hashed by their fields."""
    made: type[Value] = _shared(
        dataclass(slots=True, kw_only=True, eq=False, repr=False)(cls)
    )
    return made


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def ordered_class(cls: type[Value]) -> type[Value]:
    """The same, for values whose fields may be given in their order.

    A call of a class with keywords costs two and a half times as much as one without.
    """
    made: type[Value] = _shared(dataclass(slots=True, eq=False, repr=False)(cls))
    return made


def settle(value: object, **derived: object) -> None:
    """Give a value the fields that follow from its others, as its `__post_init__` ends."""
    for name, one in derived.items():
        object.__setattr__(value, name, one)


class _Shared:
    """What all values do alike; each class has it as its own, and inherits nothing."""

    __compared__: "attrgetter[Any]"
    __hashed__: "attrgetter[Any]"

    def __repr__(self) -> str:
        shown = (each.name for each in fields(self) if each.repr)  # type: ignore[arg-type]
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self.__compared__(self) == self.__compared__(other))

    def __hash__(self) -> int:
        return hash(self.__hashed__(self))


def _shared(made: Any) -> Any:  # noqa: ANN401 - a class, to which more is given than it says
    """Give a class what values share, but for what it has written itself."""
    for name in ("__repr__", "__eq__", "__hash__"):
        if name not in vars(made):
            setattr(made, name, vars(_Shared)[name])
    of = fields(made)
    made.__compared__ = _getter(each.name for each in of if each.compare)
    made.__hashed__ = _getter(
        each.name for each in of if (each.compare if each.hash is None else each.hash)
    )
    return made


def _getter(names: Iterable[str]) -> "attrgetter[Any]":
    """What takes these of a value, all at once; of a value without any, its class."""
    return attrgetter(*([*names] or ["__class__"]))
