"""Which images were made through a policy: what `@built` stands for.

The answers of builds and commits tell it (`http.hearing`), and the policy keeps it, as long as the
process runs: a reload forgets nothing of it, and another policy knows nothing of it.
"""

from typing import Final

MOST_BUILT: Final = 2_048
"""Images that were built through one policy and are known: half a megabyte of ids."""

SHORT_ID: Final = 12


class Built:
    """The images that were made through one policy, by the ids that the Engine's answers had.

    Never by what is in an image: labels are inherited, pulled and loaded, and anybody can write
    one. So nothing is known of what was built before this process began.
    """

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, digits: str) -> None:
        """Know one more, in full or by its short id; the oldest is forgotten."""
        self._ids.pop(digits, None)
        self._ids[digits] = None
        if len(self._ids) > MOST_BUILT:
            del self._ids[next(iter(self._ids))]

    def has(self, full_id: str) -> bool:
        """Whether an image is one of them."""
        digits = full_id.removeprefix("sha256:")
        return digits in self._ids or digits[:SHORT_ID] in self._ids
