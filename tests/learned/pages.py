"""The tables of learned/README.md and docs/clients.md, and the catalogue that the program
lists, made of the profiles and files.

Each table stands between two marks; what is around them is written by hand.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from tests.learned import documented as read
from tests.learned.install import ROOT
from tests.learned.learning import env_file
from tests.learned.profiles import PROFILES, Profile
from trioproxy.commands.catalogue import DOCUMENTED, LIST
from trioproxy.evidence import evidencefile
from trioproxy.evidence.ledger import evidence_path
from trioproxy.evidence.strictjson import iso
from trioproxy.file.permissions import parse_policy_file
from trioproxy.learning.proposal import listed_operations

README = ROOT / "learned" / "README.md"
CATALOGUE = ROOT / "learned" / LIST
CLIENTS = ROOT / "docs" / "clients.md"
KNOWN = ROOT / "learned" / DOCUMENTED
BEGIN = "<!-- made by `make learned` -->"
READ = "<!-- made by `make derived` -->"
END = "<!-- end -->"
MANY = 12
"""More operations than these are a list that nobody reads in a table."""


def write() -> None:
    """Write both tables and the catalogue anew."""
    for page, table in ((README, readme_table()), (CLIENTS, clients_table())):
        page.write_text(with_table(page.read_text(), table))
    CATALOGUE.write_text(catalogue())


def catalogue() -> str:
    """What `trioproxy explain` knows of each file that is not in the file."""
    entries = [
        {
            "name": profile.name,
            "client": profile.client,
            "version": profile.version,
            "learned": learned_on(env_file(profile)),
            "missing": profile.missing,
            "point": profile.point,
        }
        for profile in learned()
    ]
    return json.dumps(entries, indent=2) + "\n"


SOURCES = {
    "S": "read in its source",
    "D": "read in its documentation",
    "P": "from a published profile of another proxy",
    "T": "told in an issue or a log",
}
"""The letters of the page on clients."""


def documented() -> str:
    """What the page on clients knows of those that have no file, for the program."""
    below = CLIENTS.read_text().partition("\n## Documented\n")[2].partition(END)[2]
    known = dict[str, str]()
    for line in below.splitlines():
        if line.startswith("| ") and not line.startswith("| client "):
            cells = [
                cell.strip().replace("`", "") for cell in line.strip("|").split("|")
            ]
            client, operations, *limits, option, source = cells
            told = " ".join(filter(None, (f"ALLOW_OPERATIONS={operations}", *limits)))
            by_option = f", by option {option}" if option else ""
            if not re.match(r"([A-Z][a-z]+){2}", operations):
                told, by_option = operations, f"; {option}" if option else ""
            why = " and ".join(SOURCES[letter] for letter in source.split())
            known[client] = f"{told}{by_option}" + (f" ({why})" if why else "")
    return json.dumps(known, indent=2) + "\n"


def with_table(text: str, table: str, mark: str = BEGIN) -> str:
    """That page with this table between its marks."""
    above, begin, rest = text.partition(mark)
    _, end, below = rest.partition(END)
    return f"{above}{begin}\n{table}{end}{below}"


def readme_table() -> str:
    """What was learned when, from which version, doing what."""
    head = ("file", "client", "version", "learned", "exercised", "not exercised")
    return table_of(head, map(_readme_row, learned()))


def clients_table() -> str:
    """What each client needs and how it is pointed here."""
    head = ("client", "`ALLOW_OPERATIONS`", "how it gets here")
    return table_of(head, map(_clients_row, learned()))


def read_table() -> str:
    """What each client asks for whose source was read."""
    head = ("client", "`ALLOW_OPERATIONS`", "not granted", "how it gets here")
    return table_of(head, map(_read_row, read.CLIENTS))


def learned() -> list[Profile]:
    """The profiles that have a file: a new one has none until it is learned."""
    return [profile for profile in PROFILES if env_file(profile).exists()]


def table_of(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    cells = [tuple(head), *rows]
    cells.insert(1, ("---",) * len(cells[0]))
    return "".join(f"|{'|'.join(row)}|\n" for row in cells)


def operations(profile: Profile) -> list[str]:
    """What its file grants, sorted."""
    file = env_file(profile)
    return sorted(listed_operations(file.read_text(), file.name) or ())


def learned_on(file: Path) -> str:
    """The last day of learning, as the evidence says."""
    path = evidence_path(file)
    evidence = evidencefile.load(path.read_bytes(), name=path.name).evidence
    return iso(evidence.completeness().last)[:10]


def _readme_row(profile: Profile) -> tuple[str, ...]:
    file = env_file(profile)
    link = f"[{file.name}]({file.name})"
    missing = f"*partial:* {profile.missing}" if profile.missing else ""
    return (
        link,
        profile.client,
        profile.version,
        learned_on(file),
        profile.exercised,
        missing,
    )


def _clients_row(profile: Profile) -> tuple[str, ...]:
    file = env_file(profile)
    granted = operations(profile)
    policy, _ = parse_policy_file(file.read_text(), name=file.name)
    has_lists = bool(policy.limits or policy.objects)
    shown = _shown(granted, has_lists or len(granted) > MANY)
    partial = " *(partial)*" if profile.missing else ""
    client = f"[{profile.client}](../learned/{file.name}) {profile.version}{partial}"
    return client, shown, profile.point


def _read_row(one: read.Client) -> tuple[str, ...]:
    granted = sorted({call.operation for call in read.calls(one)})
    link = f"[{one.client}](../learned/documented/{one.name}.env)"
    template = " *(template)*" if one.limits else ""
    client = f"{link} {one.version}{template}"
    return client, _shown(granted, bool(one.limits)), one.missing, one.point


def _shown(granted: list[str], is_in_the_file: bool) -> str:
    """A list to copy, or how long it is: nobody shall copy it without the limits beside it."""
    return f"{len(granted)}" if is_in_the_file else f"`{','.join(granted)}`"
