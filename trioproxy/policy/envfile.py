"""Env files as text: `NAME=value` lines that `docker`, Compose and `sh` read alike.

Accepted are empty lines, comments on lines of their own (`#` first, spaces before it),
and `NAME=value` where NAME is `[A-Za-z_][A-Za-z0-9_]*`. The value of a permission holds
only `[A-Za-z0-9_./:@{}*+-]`, commas and `%XX` escapes. What the three readers take
differently is an error that names file and line: quotes, spaces around `=` or behind the
value, `export`, `$`, backticks, backslashes, a name without `=`, CR LF, a byte order mark,
a name given twice. Other names keep any value, as it stands, unless it would swallow the
line below (an open quote, a backslash at the end).

Values stay escaped here: `decode_value` undoes `%XX`, once, where one is put to use, so
that a `*` which a client gave (`%2A`) is never taken for a wildcard that a person wrote.
The same then holds for a value that reached us through `docker run --env-file`.
This module opens no files.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from trioproxy.errors import ConfigError
from trioproxy.policy import percent
from trioproxy.policy.variables import is_ours

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"(?:[A-Za-z0-9_./:@{}*+,-]|%[0-9A-Fa-f]{2})*")
_LITERAL = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/:@+"
)
_SHOWN = 64

_HINTS = (
    (re.compile(r"[\"']"), "write the value without quotes"),
    (re.compile(r"\s+\Z"), "remove the space at the end of the line"),
    (re.compile(r"\s#"), "put the comment on a line of its own"),
    (re.compile(r"\s"), "write no spaces"),
    (re.compile(r"[$`\\]"), "nothing is substituted here: write the value itself"),
    (re.compile(r"%"), "write %25 for a percent sign"),
)
_OTHER_HINT = "letters, digits, _./:@{}*+- and commas; any other byte as %XX"


class Line(NamedTuple):
    """One `NAME=value` line."""

    number: int
    name: str
    value: str


def parse(text: str, *, name: str) -> dict[str, str]:
    """Read a file's text; `name` is the file's, for errors."""
    lines = dict[str, Line]()
    for line in parse_lines(text, name=name):
        if line.name in lines:
            raise _error(
                name,
                line.number,
                f"{line.name} is set twice, first in line {lines[line.name].number}",
                "keep one of the two",
            )
        lines[line.name] = line
    return {line.name: line.value for line in lines.values()}


def parse_lines(text: str, *, name: str) -> Iterator[Line]:
    """Read the `NAME=value` lines one by one, with their numbers."""
    if text.startswith("\ufeff"):
        raise _error(name, 1, "a byte order mark", "save the file as plain UTF-8")
    for number, raw in enumerate(text.split("\n"), start=1):
        if "\r" in raw:
            raise _error(name, number, "a CR", "save the file with Unix line ends")
        if "\0" in raw:
            raise _error(name, number, "a NUL byte", "no reader can pass one on")
        stripped = raw.lstrip(" \t")
        if stripped and not stripped.startswith("#"):
            yield _parse_line(stripped, number, name)


def _parse_line(text: str, number: int, file: str) -> Line:
    name, mark, value = text.partition("=")
    shown = repr(name[:_SHOWN])
    if not mark:
        raise _error(file, number, f"{shown} has no value", "write NAME=value")
    if re.match(r"export\s", name):
        raise _error(file, number, shown, "write NAME=value without export")
    if not _NAME.fullmatch(name):
        hint = "write no space before =" if name != name.strip() else _NAME_HINT
        raise _error(file, number, f"{shown} is no name of a variable", hint)
    if is_ours(name):
        _check_value(name, value, number, file)
    elif value.endswith("\\") or _opens_a_quote(value):
        hint = "close the quote or remove the backslash in this line"
        raise _error(file, number, f"the value of {name} swallows the next line", hint)
    return Line(number, name, value)


_NAME_HINT = "letters, digits and _, no digit first"


def _check_value(name: str, value: str, number: int, file: str) -> None:
    if _VALUE.fullmatch(value):
        return
    hint = next((hint for bad, hint in _HINTS if bad.search(value)), _OTHER_HINT)
    raise _error(file, number, f"{name} has the value {value[:_SHOWN]!r}", hint)


def _opens_a_quote(value: str) -> bool:
    quote = ""
    for character in value:
        if character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote = character
    return bool(quote)


def _error(file: str, number: int, what: str, hint: str) -> ConfigError:
    return ConfigError(f"{file}, line {number}: {what}", hint=hint)


def format_value(value: str) -> str:
    """Write text that someone else gave, so that it can only be read as itself."""
    raw = value.encode("utf-8", "surrogateescape")
    return percent.encode(raw, _LITERAL)


def decode_value(value: str) -> str:
    """Undo the `%XX` of a value, once."""
    return percent.decode(value.encode("utf-8", "surrogateescape")).decode(
        "utf-8", "surrogateescape"
    )
