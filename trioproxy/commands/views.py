"""What `explain` and `diff` share: the form in which they say it, and the page.

The page is one HTML file that loads nothing and runs nothing: it opens from a mail or a CI
artifact, and prints.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import click

from trioproxy.commands import observed
from trioproxy.commands.terminal import width_of, write_whole
from trioproxy.errors import ConfigError
from trioproxy.files import cannot, read

_Command = TypeVar("_Command", bound=Callable[..., object])


class View(StrEnum):
    """How an answer is given."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


def viewed(command: _Command) -> _Command:
    """Give a command the options by which a form is chosen."""
    forms = click.Choice([form.value for form in View])
    command = click.option(
        "-o",
        "--output",
        metavar="PAGE",
        help="With --as html: the file to write; - is stdout.",
    )(command)
    return click.option(
        "--as",
        "form",
        type=forms,
        default=View.TEXT.value,
        callback=lambda _context, _option, given: View(given),
        help="For a terminal, a pull request, a program or a browser.",
    )(command)


def refuse_output(form: View, output: str | None) -> None:
    """Stop where a file is named that no page would go to."""
    if output is not None and form is not View.HTML:
        raise click.UsageError("-o is for the page: --as html")


def write_page(
    file: str, output: str | None, *, old: str | None = None, live: str | None = None
) -> None:
    """Write what a policy file means, to a file or to stdout.

    `old`: a policy file to compare it with; `live`: evidence of what really happens.
    """
    if output is None and width_of(sys.stdout) is not None:
        raise ConfigError(
            "this is a page for a browser, and no text for a terminal",
            hint="name a file, -o report.html",
        )
    from trioproxy.review.page import BEGINNING, Record, page

    def record(path: Path) -> Record:
        digest = hashlib.sha256(read(path)).hexdigest()
        evidence = observed.read_evidence(path)
        return Record(path=str(path), digest=digest, evidence=evidence)

    learned = observed.evidence_next_to(file)
    text = page(
        observed.read_policy_file(file),
        record(learned) if learned else None,
        old=observed.read_policy_file(old) if old is not None else None,
        live=record(Path(live)) if live is not None else None,
    )
    if output in {None, "-"}:
        write_whole(text)
    else:
        _write(Path(output), text.encode(), BEGINNING.encode())


def _write(path: Path, data: bytes, beginning: bytes) -> None:
    """Replace a report, or make one, whole; a file that is none is left alone."""
    # Windows has no way to leave a link alone; there the page takes its place.
    can_refuse_links = hasattr(os, "O_NOFOLLOW")
    old = read(path, may_be_missing=True, is_output=can_refuse_links)
    if old and not old.startswith(beginning):
        raise ConfigError(
            f"{path} exists and is no report: it would be lost",
            hint="name another file with -o",
        )
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with new.open("xb") as file:
                file.write(data)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        raise cannot("write", path, error) from error
