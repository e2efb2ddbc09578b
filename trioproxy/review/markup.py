"""Markup that cannot be broken out of: text becomes markup in one place, and is escaped.

There are two types. `str` is text of anybody, and is never markup. `Markup` is what
`element` returns; but for the page's own style nothing else makes one. `element` puts
`Markup` children in as they are and escapes all others, attributes too: whoever adds to
the page cannot forget it, because mypy and the type itself tell the two apart.

Characters without a glyph are shown by their code (`trioproxy.quoting`).
"""

import html
from collections.abc import Iterable
from typing import Final

from trioproxy.quoting import visible

VOID: Final = frozenset({"meta"})
"""Elements without an end."""


class Markup:
    """Markup that is known to be whole; a value of its own, so that no text passes for it."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


Child = Markup | str | int
Children = Child | Iterable["Children"] | None


def escaped(text: str) -> str:
    """Make text safe between tags and within quotes."""
    return html.escape(visible(text), quote=True)


def element(tag: str, *children: Children, **attributes: str | None) -> Markup:
    """Make an element.

    An attribute's name is written with `_` for `-`, and with one behind it where Python
    has the word: `class_`. None leaves it out.
    """
    written = "".join(
        f' {name.removesuffix("_").replace("_", "-")}="{escaped(value)}"'
        for name, value in attributes.items()
        if value is not None
    )
    if tag in VOID:
        return Markup(f"<{tag}{written}/>")
    return Markup(f"<{tag}{written}>{joined(*children).text}</{tag}>")


def joined(*children: Children) -> Markup:
    """Put children one behind the other."""
    return Markup("".join(_text_of(child) for child in children))


def _text_of(child: Children) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child.text
    if isinstance(child, str | int):
        return escaped(str(child))
    return "".join(map(_text_of, child))
