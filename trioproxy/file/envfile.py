"""Env files as text: `NAME=value` lines that `docker`, Compose and `sh` read alike.

Accepted are empty lines, comments on lines of their own (`#` first, spaces before it; no
backslash last, behind which old systemd reads on), and `NAME=value` where NAME is
`[A-Za-z_][A-Za-z0-9_]*`. The value of a permission holds only
`[A-Za-z0-9_./:@{}*+=[]-]`, commas and `%XX` escapes of other bytes. What the three
readers take differently is an error that names file and line: quotes, spaces around `=`
or behind the value, `export`, `$`, backticks, backslashes, a name without `=`, a name
given twice. In every line, comments included, so is what a reader does not see as it is:
control characters (CR among them), a byte order mark, characters that turn or end a line.

Other names keep their value as it stands: it may differ between the readers, since it
decides nothing here. But `sh` must find one assignment in the line and no more, for else
it would set or run what the others do not see: an open quote swallows the line below, a
space begins a command (`FOO=a POST=1` sets both), `$(` runs one, `${POST:=1}` sets one. So
such a value is one plain word, or all of it stands in one pair of quotes.
Only `&`, which URLs have between parameters, is let through and warned about.

Values stay escaped here: `decode_value` undoes `%XX`, once, where one is put to use, so
that a `*` which a client gave (`%2A`) is never taken for a wildcard that a person wrote.
The same then holds for a value that reached us through `docker run --env-file`.
This module opens no files.
"""

import re
from collections.abc import Mapping

from trioproxy import percent
from trioproxy.errors import ConfigError
from trioproxy.file.variables import PERMISSIONS, SETTINGS, is_ours

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VALUE = re.compile(r"(?:[A-Za-z0-9_./:@{}*+,=\[\]-]|%[0-9A-Fa-f]{2})*")
_LITERAL = percent.LETTERS | frozenset(b"_.-/:@+")
_ENDS_SH = frozenset(
    {"BASHOPTS", "BASH_VERSINFO", "EUID", "OPTIND", "PPID", "SHELLOPTS", "UID"}
)
"""Names that dash or `bash --posix` may refuse to set: there the rest is not read."""

_NEEDLESS = re.compile(
    r"%(?:2[BDEFbdef]|3[0-9]|4[1-9A-Fa-f]|5[0-9AFaf]|6[1-9A-Fa-f]|7[0-9Aa])"
)
"""Escapes of letters, digits and `_./+-`, which mean the same without: they hide names."""

# Control characters but for the tab; what ends a line for some; what turns its direction.
_UNSEEN = re.compile(r"[\0-\x08\n-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")

LONGEST_LINE = 32 * 1024
"""Bytes: `docker` reads no line of 64 KiB, and no variable is as long as half of that."""

_SHOWN = 64

_HINTS = (
    (re.compile(r"[\"']"), "write the value without quotes"),
    (re.compile(r"\s+\Z"), "remove the space at the end of the line"),
    (re.compile(r"\s#"), "put the comment on a line of its own"),
    (re.compile(r"[\s;][A-Z_]+="), "write each NAME=value on a line of its own"),
    (re.compile(r"\A\s"), "write no space behind ="),
    (re.compile(r",\s"), "write no space behind a comma"),
    (re.compile(r"[\s;]"), "a list has commas alone; a space in a value is %20"),
    (
        re.compile(r"[$`]|(?:^|,)~"),
        "nothing is substituted here: write the value itself",
    ),
    (re.compile(r"\\"), "a value is one line; a backslash in it is %5C"),
    (_NEEDLESS, "letters, digits and _./+- are written as they are, not as %XX"),
    (re.compile(r"%"), "write %25 for a percent sign"),
)
_LEFT = re.compile(r"\A[\"']|\s#")
_OTHER_HINT = "letters, digits, _./:@{}*+=[]- and commas; any other byte as %XX"


CUT = "the file may have been cut while it was written"


def check_end(text: str, *, name: str) -> None:
    """Refuse a text whose last line has no end: the rest of the file may be missing.

    What is missing at the end of a list, or below it, may be what limits the lines above,
    so a torn file can grant more than the whole one. Of one that was cut between two
    lines nothing tells, but for what `permissions` asks of a policy.
    """
    if text and not text.endswith("\n"):
        raise ConfigError(
            f"{name} does not end in a line end", hint=f"{CUT}: end the last line"
        )


def parse(text: str, *, name: str) -> dict[str, str]:
    """Read a file's text; `name` is the file's, for errors."""
    found, lines = dict[str, str](), dict[str, int]()
    for number, raw in enumerate(text.split("\n"), start=1):
        _check_characters(raw, number, name)
        line = raw.lstrip(" \t")
        if not line or line.startswith("#"):
            continue
        variable, value = _parse_line(line, number, name)
        if first := lines.get(variable):
            twice = f"{variable} is set twice, first in line {first}"
            raise _error(name, number, twice, "keep one of the two")
        found[variable], lines[variable] = value, number
    return found


def _check_characters(raw: str, number: int, file: str) -> None:
    is_comment = raw.lstrip(" \t").startswith("#")
    if is_comment and raw.endswith("\\"):
        raise _error(file, number, "a comment that ends in a backslash", _NO_END)
    if len(raw.encode("utf-8", "surrogatepass")) > LONGEST_LINE:
        hint = "split it" if is_comment else "shorten it: of values a * stands for many"
        raise _error(file, number, f"longer than {LONGEST_LINE} bytes", hint)
    if found := _UNSEEN.search(raw):
        hides = "remove it: it hides what the line says"
        what, hint = {
            "\r": ("a CR", "save the file with Unix line ends"),
            "\0": ("a NUL byte", hides),
            "\ufeff": ("a byte order mark", "save the file as plain UTF-8"),
        }.get(found[0], (f"the character U+{ord(found[0]):04X}", hides))
        raise _error(file, number, what, hint)


def _parse_line(text: str, number: int, file: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    shown = repr(name[:_SHOWN])
    if not mark:
        hint = _JSON_HINT if text.startswith("{") else "write NAME=value"
        raise _error(file, number, f"{shown} has no value", hint)
    if re.match(r"export\s", name):
        raise _error(file, number, shown, "write NAME=value without export")
    if not _NAME.fullmatch(name):
        hint = "write no space before =" if name != name.rstrip() else _NAME_HINT
        raise _error(file, number, f"{shown} is no name of a variable", hint)
    if name in _ENDS_SH:
        hint = "take it out: what stands below would not be read"
        raise _error(file, number, f"sh may stop at {name}", hint)
    if is_ours(name):
        _check_value(name, value, number, file)
    elif not _is_one_value(value):
        raise _error(file, number, f"the value of {name} {_NO_VALUE}", _SH_HINT)
    return name, value


_NAME_HINT = "letters, digits and _, no digit first"
_NO_END = "take that out: to systemd before 254 the next line is comment, too"
_JSON_HINT = "this is JSON, as evidence is: name the env file next to it"


def _check_value(name: str, value: str, number: int, file: str) -> None:
    if _VALUE.fullmatch(value) and not _NEEDLESS.search(value):
        return
    hint = next((hint for bad, hint in _HINTS if bad.search(value)), _OTHER_HINT)
    if found := _VALUE.match(value):  # of a long one from the item on that is wrong
        value = value[value.rfind(",", 0, max(found.end() - _SHOWN // 2, 0)) + 1 :]
    raise _error(file, number, f"{name} has the value {value[:_SHOWN]!r}", hint)


def hint_of_left(message: str, environ: Mapping[str, str]) -> str:
    """Advise on a value of the environment that a message is about, where quotes or a comment
    are left in it, as `docker run --env-file` leaves them; "" if there are none."""
    for name in sorted((PERMISSIONS | SETTINGS) & environ.keys()):
        value = environ[name]
        # Not the name, which stands in messages about files, nor what any message may hold.
        items = [one for one in value.split(",") if re.search("[\"'#]", one)]
        if _LEFT.search(value) and any(one in message for one in items):
            hint = next(hint for bad, hint in _HINTS if bad.search(value))
            return f"{hint}: {name} has all that stands behind its ="
    return ""


_NO_VALUE = "is neither one plain word nor quoted as a whole"
_SH_HINT = (
    "sh might set or run more, or swallow the next line: quote all of it, or write none of"
    " ; | < > ( ) ` ${ and no space, quote or backslash in it, and nothing of ours behind &"
)

# One word of `sh`, or all of it in one pair of quotes. `$NAME` is left to sh; `$(`, `${` and
# `$[` run or assign, and not every sh takes `$'` as the beginning of a quote. A backslash takes
# the next character along, and to Compose hides the end of single quotes as well.
_PLAIN = re.compile(
    r"""(?:[^ \t\\'"`$;|&<>()]|\$(?![({\['"])|&(?=[A-Za-z_][A-Za-z0-9_]*=))*[ \t]*"""
)
_QUOTED = re.compile(r"""(?:'[^'\\]*'|"(?:[^"\\`$]|\$(?![({\[]))*")[ \t]*""")
_BEHIND_AMPERSAND = re.compile("&([A-Za-z0-9_]+)=")


def _is_one_value(value: str) -> bool:
    """Whether `sh` and Compose find a value of others in a line, and nothing beyond.

    Behind an `&`, a URL's `name=value` is one more assignment in `sh`: of no variable of
    ours, and of none at which it stops. Spaces at the end of the line mean nothing there.
    """
    if _QUOTED.fullmatch(value):
        return True
    behind = _BEHIND_AMPERSAND.findall(value)
    is_harmless = not any(is_ours(one) or one in _ENDS_SH for one in behind)
    return is_harmless and _PLAIN.fullmatch(value) is not None


def split_by_sh(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Warn about values that `sh` cuts at an `&`, and so does not set."""
    return tuple(
        f"{name} holds an &, where sh ends the value: docker and Compose take it whole, but do not source this file"
        for name, value in variables.items()
        if not is_ours(name) and "&" in value and not _QUOTED.fullmatch(value)
    )


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


def needless_escape(value: str) -> str:
    """Name an escape of what needs none, which hides a name from `grep`; "" if none."""
    found = _NEEDLESS.search(value)
    return found[0] if found else ""
