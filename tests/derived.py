"""`python -m tests.derived` (`make derived`) writes anew what follows from the tables.

A row of the table of operations shows in many places: as a line of `tests/data/routes.tsv`,
in the comments and variables of each learned file, in tables and counts of the documents.
All of that is made here, from the tables and from what is stored; nothing is learned anew.
What changed is named, for a person to read before it is committed.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner

from tests import messages
from tests.differential.differences import as_markdown
from tests.learned import documented, pages
from tests.learned.install import ROOT
from tests.learned.learning import env_file
from tests.learned.profiles import Profile
from tests.migration import tables
from trioproxy.api.routes import ENDPOINTS, Endpoint
from trioproxy.cli import group
from trioproxy.commands.catalogue import LIST
from trioproxy.evidence import evidencefile
from trioproxy.evidence.ledger import evidence_path
from trioproxy.learning.learnedfile import in_tecnativa
from trioproxy.learning.proposal import env_text, propose
from trioproxy.learning.wish import Wish

ROUTES = ROOT / "tests" / "data" / "routes.tsv"
ROUTES_HEAD = "# method, template, operation, section, effect, stream, files, touch, names, bound, powers, risk of each route that the Engine has or had"

Text = Callable[[Path], str]


def derived() -> Iterator[tuple[Path, Text]]:
    """Each file with derived text in it, and how it is made of the tables and itself."""
    yield ROUTES, lambda _: routes()
    for profile in pages.learned():
        yield env_file(profile), learned_text(profile)
    for one in documented.CLIENTS:
        yield documented.FOLDER / f"{one.name}.env", partial(_documented_text, one)
    yield documented.FOLDER / LIST, lambda _: documented.catalogue()
    yield pages.README, lambda page: pages.with_table(read(page), pages.readme_table())
    yield pages.CLIENTS, clients_page
    yield pages.KNOWN, lambda _: pages.documented()
    yield ROOT / "docs" / "learning.md", page_with_a_file
    yield ROOT / "docs" / "running.md", page_with_a_file
    yield messages.PAGE, lambda page: messages.page(read(page))
    yield tables.PAGE, migration_page
    yield ROOT / "docs" / "differences.md", differences_page


def read(path: Path) -> str:
    """A file of ours."""
    return path.read_text(encoding="utf-8")


def routes() -> str:
    """Every route of the table, a line each, sorted."""
    rows = sorted(
        map(columns, ENDPOINTS), key=lambda row: (row[3] == "ANY", row[1], row[0])
    )
    return "\n".join([ROUTES_HEAD, *map("\t".join, rows), ""])


def columns(one: Endpoint) -> tuple[str, ...]:
    """What a row says, but for its summary."""
    return (
        *(one.method, one.template, one.operation, one.section),
        *(one.effect, one.stream, one.files, one.touch),
        "".join(kind[0] for kind in one.names) or "-",
        *(one.bound, "".join(one.powers), one.risk),
    )


def learned_text(profile: Profile) -> Text:
    """A learned file as its evidence gives it; what a person added to it stays."""

    def text(file: Path) -> str:
        stored = evidence_path(file)
        seen = evidencefile.load(stored.read_bytes(), name=stored.name).evidence
        wish = Wish(name=profile.name, file=file.name)
        old = read(file)
        return env_text(seen, propose(seen, old, wish), old, wish)

    return text


def _documented_text(one: documented.Client, _: Path) -> str:
    return documented.text(one)


def clients_page(page: Path) -> str:
    """The page on clients: the tables of those that were learned, and of those that were read."""
    text = pages.with_table(read(page), pages.clients_table())
    return pages.with_table(text, pages.read_table(), pages.READ)


def page_with_a_file(page: Path) -> str:
    """A page that shows a learned file, and what `learn` says of it."""
    text = read(page)
    found = re.search(r"(?m)^ALLOW_OPERATIONS=(.+)$", text)
    assert found, f"{page} shows no learned file"
    granted = found[1].split(",")
    return with_counts(text, [in_tecnativa(granted), f"# {in_tecnativa(granted)}"])


def migration_page(page: Path) -> str:
    """The page on migration: its tables, and its file that `printf` makes, explained."""
    text = tables.page(read(page))
    found = re.search(r"(?m)^\$ printf '%s\\n' (.+) > (\S+)$", text)
    assert found, "docs/migration.md makes no file"
    with TemporaryDirectory() as folder:
        file = Path(folder, found[2])
        file.write_text("".join(f"{line}\n" for line in found[1].split()))
        said = [
            CliRunner()
            .invoke(group, [command, str(file)])
            .stdout.replace(str(file), found[2])
            for command in ("check", "explain")
        ]
    return with_counts(text, "".join(said).splitlines())


def differences_page(page: Path) -> str:
    """The page on differences: the one table in it is the code's."""
    above, begin, rest = read(page).partition("|difference|")
    assert begin, "docs/differences.md shows no table"
    _, _, below = rest.partition("\n\n")
    return f"{above}{as_markdown()}" + (f"\n{below}" if below else "")


def with_counts(text: str, said: Iterable[str]) -> str:
    """That text, where a line that differs from what is said in its numbers alone is as said."""
    lines = {re.sub(r"\d+", "#", line): line for line in said if re.search(r"\d", line)}
    return "".join(
        lines.get(re.sub(r"\d+", "#", line), line) + "\n" for line in text.splitlines()
    )


def main() -> None:
    """Write what is not as it follows, and name it on stdout."""
    for path, text in derived():
        new = text(path)
        if not path.exists() or read(path) != new:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
