"""Text of unknown origin in our lines, and as one word of a line of `name=value` words.

Quoting alone is not enough for text that a person judges by eye. A right-to-left override
in a name makes `/srv/exe.gpj` of another path; a zero width space makes two names look
like one, and so does a filler that Unicode has among the letters; an escape character moves
the cursor, and a line end makes a line of ours. So whatever has no glyph of its own is shown
by its code, in everything that people read.
"""

import re
from typing import Final

SHOWN_LIMIT: Final = 256
"""Characters of a value that are shown."""

PLAIN: Final = re.compile(r"[!#-<>-~]+")
"""Visible ASCII without what quoting is for: most values."""

_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Letters, marks and a symbol that are printable to Python and that nobody sees: of those that
Unicode calls default-ignorable the ones that are neither control nor format characters, and
the Braille pattern without a dot."""


def visible(text: str) -> str:
    """Show what has no glyph, or looks like a space, by its code: `\\x1b`, `\\u202e`."""
    if text.isprintable() and (text.isascii() or not _BLANK.search(text)):
        return text
    return "".join(one if _has_glyph(one) else _code(ord(one)) for one in text)


def in_quotes(data: bytes, limit: int = 64) -> str:
    """Show bytes of others as words in quotes; each that is no visible ASCII by its code."""
    return repr(data[:limit])[1:]


def argument(path: str) -> str:
    """A file name as a shell takes it, and a command of ours for no option."""
    import shlex  # for an advice alone

    path = f"./{path}" if path.startswith("-") else path
    if "'" in path:
        # shlex has a `"` for that, which a line of the log shows by its code.
        return "'" + path.replace("'", r"'\''") + "'"
    return shlex.quote(path)


def _has_glyph(one: str) -> bool:
    return one.isprintable() and not _BLANK.match(one)


def _code(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00  # a byte of a file name that is no UTF-8 (PEP 383)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quote(text: str, limit: int = SHOWN_LIMIT) -> str:
    """Make a value safe for one line of `name=value` words; cut at 256 characters."""
    if len(text) <= limit and PLAIN.fullmatch(text):
        return text
    shown = visible(text[:limit]).replace('"', _code(ord('"')))
    if shown and " " not in shown and "=" not in shown:
        return shown
    return f'"{shown}"'
