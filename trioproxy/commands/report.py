"""`trioproxy report`: a page on which a reviewer sees what a file means."""

import hashlib
import os
import sys
from pathlib import Path

import click

from trioproxy.commands.catalogue import locate
from trioproxy.commands.observed import evidence_next_to, read_evidence
from trioproxy.commands.policyfile import PolicyFile
from trioproxy.commands.terminal import width_of
from trioproxy.errors import ConfigError
from trioproxy.files import cannot, read
from trioproxy.review.facts import File, Record, report_of
from trioproxy.review.page import BEGINNING, page

STDOUT = "-"

EPILOG = """\b
Examples:
  trioproxy report learned/app.env -o report.html
  trioproxy report app.env --against reviewed.env -o report.html
  trioproxy report app.env --evidence live.jsonl -o report.html
"""


@click.command(name="report", epilog=EPILOG)
@click.argument("file", metavar="FILE")
@click.option(
    "--against", metavar="OLD", help="Show what FILE grants more or less than OLD."
)
@click.option(
    "--evidence",
    metavar="LIVE.jsonl",
    help="Show what FILE refuses of this, and what it grants without need.",
)
@click.option(
    "-o",
    "--output",
    default=STDOUT,
    metavar="REPORT.html",
    help="Where to write the page; stdout if not given.",
)
def command(
    *, file: str, against: str | None, evidence: str | None, output: str
) -> None:
    """Write a page on which a reviewer sees what the policy file FILE means.

    Whether it gives root on the host comes first; then what it opens, by risk, and who
    used it when, where its evidence is next to it. The page is one HTML file that loads
    nothing and runs nothing: it opens from a mail or a CI artifact, and prints.
    """
    if output == STDOUT and width_of(sys.stdout) is not None:
        raise ConfigError(
            "this is a page for a browser, and no text for a terminal",
            hint="name a file, -o report.html, or use trioproxy explain",
        )
    learned = evidence_next_to(file)
    text = page(
        report_of(
            _file(file),
            _record(learned) if learned else None,
            old=_file(against) if against is not None else None,
            live=_record(Path(evidence)) if evidence is not None else None,
        )
    )
    if output == STDOUT:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
    else:
        _write(Path(output), text.encode())


def _file(name: str) -> File:
    known = PolicyFile.read(name)
    return File(
        name=name,
        digest=_digest(locate(name)),
        variables=known.variables,
        policy=known.policy,
        warnings=known.warnings,
    )


def _record(path: Path) -> Record:
    return Record(name=str(path), digest=_digest(path), evidence=read_evidence(path))


def _digest(path: Path) -> str:
    return hashlib.sha256(read(path)).hexdigest()


def _write(path: Path, data: bytes) -> None:
    """Replace a report, or make one, whole; a file that is none is left alone."""
    # Windows has no way to leave a link alone; there the page takes its place.
    can_refuse_links = hasattr(os, "O_NOFOLLOW")
    old = read(path, may_be_missing=True, is_output=can_refuse_links)
    if old and not old.startswith(BEGINNING.encode()):
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
