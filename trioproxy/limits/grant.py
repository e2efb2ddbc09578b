"""A grant: what a reviewer can strike out of a file, an operation or an item of a list."""

from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple, Self

from trioproxy.api.families import OPERATIONS_VARIABLE


class Grant(NamedTuple):
    """An item that a variable lists."""

    variable: str
    item: str
    """As in the file. Empty: the variable was there, whatever it listed."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` writes: the item is all behind the first `=`."""
        variable, _, item = text.partition("=")
        return cls(variable, item)

    @classmethod
    def named(cls, name: str) -> Self:
        """Read what `name` says."""
        return cls.parse(name) if "=" in name else cls.of_operation(name)

    @classmethod
    def of_operation(cls, name: str) -> Self:
        """The grant of an operation, or of a route that was written by hand."""
        return cls(OPERATIONS_VARIABLE, name)

    def __str__(self) -> str:
        return f"{self.variable}={self.item}"

    @property
    def is_operation(self) -> bool:
        """Whether it is one of the list of operations: one of the table, or a route."""
        return self.variable == OPERATIONS_VARIABLE

    @property
    def name(self) -> str:
        """How people name it: an operation, or `VARIABLE=item`."""
        return self.item if self.is_operation else str(self)


def grants_in(values: Mapping[str, str], variables: Container[str]) -> Iterator[Grant]:
    """All items of some variables, whose values are lists as a file has them."""
    for variable, value in values.items():
        if variable in variables:
            for item in filter(None, value.split(",")):
                yield Grant(variable, item)
