"""What people see of a line: nothing hidden, broken between words, risks in colour.

A line shows whatever has no glyph by its code, a line end too: names of files and all that
is told of clients are texts of others, and a line that is ours is one that we wrote.

Only a terminal gets lines broken, and colours. A pipe gets each line as it is, for a program reads it, or a
person on a screen of another width.
"""

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final, TextIO

import click

from trioproxy.errors import ConfigError
from trioproxy.quoting import visible

USUAL_WIDTH: Final = 80
"""Of a terminal that does not know its own."""

COLOURS: Final = {
    "DANGER": "1;31",
    "HOST-ROOT": "1;31",
    "root on the host: yes": "1;31",
    "DESTRUCTIVE": "31",
    "secret-leak": "33",
}
"""Words that say a risk, and how a terminal shows them. The words alone say it all."""

_RISK: Final = re.compile("|".join(map(re.escape, COLOURS)))


def width_of(stream: TextIO | None) -> int | None:
    """The columns of the terminal that a stream goes to; None where it is none, or closed."""
    try:
        if stream is None or not stream.isatty():
            return None
        return os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH
    except (OSError, ValueError):  # it was closed, or hung up
        return None


def has_colours(environ: Mapping[str, str]) -> bool:
    """Whether a terminal may be sent colours: see no-color.org."""
    return not environ.get("NO_COLOR") and environ.get("TERM", "dumb") != "dumb"


def painted(line: str) -> str:
    """Colour the words that say a risk."""
    return _RISK.sub(lambda found: f"\x1b[{COLOURS[found[0]]}m{found[0]}\x1b[0m", line)


def fitted(line: str, width: int | None) -> list[str]:
    """Break a line between words; a word that is longer than the width stays whole, and what is
    behind a # stays there: a person pastes it."""
    if width is None or len(line) <= width:
        return [line]
    text = line.lstrip(" ")
    indent = line[: -len(text)] + ("# " if text.startswith("#") else "  ")
    return textwrap.wrap(
        line,
        width=width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def prepared(lines: Iterable[str], stream: TextIO | None) -> Iterator[str]:
    """Make lines as the stream gets them; each is one line, whatever is in it."""
    width = width_of(stream)
    is_coloured = width is not None and has_colours(os.environ)
    for line in lines:
        for part in fitted(visible(line), width):
            yield painted(part) if is_coloured else part


def show(*lines: str, err: bool = False) -> None:
    """Write lines to stdout, or to stderr."""
    stream = sys.stderr if err else sys.stdout
    _put("\n".join(prepared(lines, stream)), err=err)


def write_data(data: object) -> None:
    """Write JSON to stdout."""
    _put(json.dumps(data, indent=2))


def write(lines: Iterable[str]) -> None:
    """Write lines to stdout that are there to be kept: never broken, without colours."""
    _put("\n".join(map(visible, lines)))


def write_whole(text: str) -> None:
    """Write a text to stdout as it is, byte for byte."""
    _put(text.encode(), nl=False)


def _put(text: str | bytes, *, err: bool = False, nl: bool = True) -> None:
    try:
        click.echo(text, err=err, nl=nl)
    except BrokenPipeError:  # who read it has seen enough
        raise
    except UnicodeEncodeError:  # of an old locale: by its code, as on stderr
        assert isinstance(text, str)  # noqa: S101  bytes are not encoded
        _put(text.encode(sys.stdout.encoding, "backslashreplace"), nl=nl)
    except OSError as error:
        if err:
            return  # there is nobody to tell
        raise unwritten(error) from error


def unwritten(error: OSError) -> ConfigError:
    """Say that stdout takes nothing, and try what is left no more, as the end would."""
    with suppress(OSError):
        sys.stdout.close()
    return ConfigError(f"cannot write to stdout: {error.strerror}")
