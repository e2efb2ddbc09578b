"""A grant: what a reviewer can strike out of a file, an item of one of its lists."""

from typing import NamedTuple, Self


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

    def __str__(self) -> str:
        return f"{self.variable}={self.item}"
