"""Percent-encoding (RFC 3986 section 2.1) of bytes, one way each.

`urllib.parse` does the same and weighs half a megabyte in a serving process.
"""

import re
from collections.abc import Container

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def is_whole(raw: bytes) -> bool:
    """Whether each `%` is followed by two hex digits."""
    return _BROKEN.search(raw) is None


def decode(raw: bytes) -> bytes:
    """Undo each `%XX` once; a `%` without two hex digits stays as it is."""
    if b"%" not in raw:
        return raw
    return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), raw)


def encode(raw: bytes, keep: Container[int]) -> str:
    """Write as `%XX` each byte that is not in `keep`."""
    return "".join(chr(byte) if byte in keep else f"%{byte:02X}" for byte in raw)
