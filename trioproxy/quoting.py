"""Text of unknown origin as one word of a line of `name=value` words."""

import re
from typing import Final

SHOWN_LIMIT: Final = 256
"""Characters of a value that are shown."""

UNPRINTABLE: Final = str.maketrans(
    {code: f"\\x{code:02x}" for code in (*range(32), 127)}
)
PLAIN: Final = re.compile(r"[!#-<>-~]+")
"""Visible ASCII without what quoting is for: most values."""


def quote(text: str, limit: int = SHOWN_LIMIT) -> str:
    """Make a value safe for one line of `name=value` words; cut at 256 characters."""
    if len(text) <= limit and PLAIN.fullmatch(text):
        return text
    shown = text[:limit]
    if not shown.isprintable():
        shown = shown.translate(UNPRINTABLE)
    if shown and " " not in shown and '"' not in shown and "=" not in shown:
        return shown
    return '"' + shown.replace('"', "'") + '"'
