"""Percent-encoding (RFC 3986 section 2.1) of bytes, one way each.

`urllib.parse` does the same and weighs half a megabyte in a serving process.
"""

import re
from binascii import a2b_qp
from functools import cache
from typing import Final

LETTERS: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)
"""Letters and digits: nobody escapes these."""
UNRESERVED: Final = LETTERS | frozenset(b"-._~")
"""What stands for itself wherever it is (section 2.3)."""
IN_PATHS: Final = UNRESERVED | frozenset(b"/!$&'()*+,;=:@")
"""What stands for itself in a path (section 3.3)."""

_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
_KINDS: Final = bytes(
    ord("h") if byte in b"0123456789ABCDEFabcdef" else byte if byte == ord("%") else 0
    for byte in range(256)
)
"""To hex digits, all alike, what an escape begins with, and all else."""


def is_whole(raw: bytes) -> bool:
    """Whether each `%` is followed by two hex digits.

    By counts, which C makes: of a head that is full of escapes each one would be a match.
    """
    kinds = raw.translate(_KINDS)
    return kinds.count(b"%") == kinds.count(b"%hh")


def decode(raw: bytes) -> bytes:
    """Undo each `%XX` once; a `%` without two hex digits stays as it is."""
    if b"%" not in raw:
        return raw
    if not is_whole(raw):
        return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), raw)
    # Quoted-printable has the same escapes behind another sign, and is read in C.
    return a2b_qp(raw.replace(b"=", b"=3D").replace(b"%", b"="))


def encode(raw: bytes, keep: frozenset[int]) -> str:
    """Write as `%XX` each byte that is not in `keep`, one of a few constants."""
    return raw.decode("latin-1").translate(_escapes(keep))


@cache
def _escapes(keep: frozenset[int]) -> dict[int, str]:
    return {byte: f"%{byte:02X}" for byte in range(256) if byte not in keep}
