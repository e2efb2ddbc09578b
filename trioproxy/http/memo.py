"""What followed from heads seen before.

Clients poll: the same head, byte for byte, all day long. A memo maps raw bytes to what
was made of them, so that a hit skips parsing, judging and rendering and nothing else.
"""

from typing import Final, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Memo(Generic[Key, Value]):
    """Values by the raw bytes they were made of, bounded in entries and bytes.

    A head is kept when it comes for the second time. A client that never says the same
    twice pushes no other's heads out, and does not pay for keeping its own.
    """

    MAX_ENTRIES: Final = 512
    MAX_HEAD: Final = 4 * 1024

    def __init__(self) -> None:
        self._values: dict[Key, Value] = {}
        self._came_once: set[int] = set()
        self.get = self._values.get

    def keep(self, key: Key, raw: bytes, value: Value) -> None:
        """Remember a value from the second time on; the oldest one makes room.

        Over 4 KiB of raw bytes none is kept.
        """
        if len(raw) > self.MAX_HEAD or self._is_new(key):
            return
        # First in, first out: an order by use would cost a write for each hit.
        if len(self._values) >= self.MAX_ENTRIES:
            del self._values[next(iter(self._values))]
        self._values[key] = value

    def _is_new(self, key: Key) -> bool:
        """Whether this key did not come lately, as far as a hash tells keys apart."""
        # By its hash alone: keys that come once are not worth their bytes. A collision
        # keeps a head one time too early, which harms nobody.
        mark = hash(key)
        if mark in self._came_once:
            return False
        if len(self._came_once) >= self.MAX_ENTRIES:
            self._came_once.clear()
        self._came_once.add(mark)
        return True
