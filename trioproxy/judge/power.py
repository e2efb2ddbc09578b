"""The power of a grant: whether an item of a list is root on the host, and why.

Computed here for all who tell it: the file's comments, `explain`, a diff, a report, the
questions of `approve`.
"""

from typing import Final

from trioproxy.api.families import BASE, OBJECTS
from trioproxy.limits.sorts import never, sort_of

ANYTHING: Final = "lists anything"


def of_item(variable: str, item: str, *, base: str = "") -> str:
    """Say why an item of a list is root on the host; empty if no way is known."""
    if variable in OBJECTS:
        return ANYTHING if item == "*" else ""
    root = sort_of(variable).root
    if item == "*":
        return "" if root is never else ANYTHING
    return root(item.replace(BASE, base))
