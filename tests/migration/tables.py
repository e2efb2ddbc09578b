"""What the incumbents' images and guides for them say, as facts, and the page made of it.

`tests/data/variables.tsv` has every variable of both images, `examples.tsv` the settings
that their READMEs and a guide print, `commands.tsv` the guide's commands.
docs/migration.md shows the three between marks: `make derived` writes them.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.markdown import ROOT
from trioproxy.file.incumbents import LINUXSERVER, TECNATIVA, Incumbent
from trioproxy.file.variables import PERMISSIONS

PAGE = ROOT / "docs" / "migration.md"
DATA = ROOT / "tests" / "data"

UNSET, UNKNOWN = "unset", "-"
"""Read but not set by an image; not read by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable, what each image sets it to, and what it means there and here."""

    name: str
    tecnativa: str
    linuxserver: str
    there: str
    here: str
    difference: str
    """The row of `review.differences` that says why it means something else, or `-`."""

    @property
    def is_permission(self) -> bool:
        """Whether it says what may pass."""
        return self.name in PERMISSIONS

    def value(self, incumbent: Incumbent) -> str:
        """What that image sets it to."""
        return self.tecnativa if incumbent is TECNATIVA else self.linuxserver


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Settings for an image, as somebody prints them."""

    name: str
    incumbent: Incumbent
    source: str
    variables: Mapping[str, str]

    @property
    def settings(self) -> list[str]:
        """As Compose takes them."""
        return [f"{name}={value}" for name, value in self.variables.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that a guide prints, where it is run, and a word of what it writes."""

    text: str
    where: str
    """`host`, or `client` for a container on the proxy's network."""
    shown: str


def variables() -> list[Variable]:
    """Every variable of both images."""
    return [
        Variable(
            name=row["variable"],
            tecnativa=row["tecnativa"],
            linuxserver=row["linuxserver"],
            there=row["there"],
            here=row["here"],
            difference=row["difference"],
        )
        for row in _rows("variables.tsv")
    ]


def examples() -> list[Example]:
    """The settings that people copy."""
    images = {one.name: one for one in (TECNATIVA, LINUXSERVER)}
    return [
        Example(
            name=row["name"],
            incumbent=images[row["image"]],
            source=row["from"],
            variables=dict(pair.split("=", 1) for pair in row["variables"].split()),
        )
        for row in _rows("examples.tsv")
    ]


def guide_commands() -> list[Command]:
    """The commands that a guide prints."""
    return [
        Command(text=row["command"], where=row["where"], shown=row["shown"])
        for row in _rows("commands.tsv")
    ]


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def page(text: str) -> str:
    """That page with the tables between their marks."""
    tables = {
        "variables": variables_table(),
        "examples": examples_table(),
        "commands": commands_list(),
    }
    for name, table in tables.items():
        above, begin, rest = text.partition(f"<!-- {name}: tests/data/{name}.tsv -->\n")
        _, end, below = rest.partition("<!-- end -->")
        assert begin, name
        assert end, name
        text = f"{above}{begin}{table}{end}{below}"
    return text


def variables_table() -> str:
    """Each variable with its value and meaning there, and its meaning here: a row for those alike."""
    return _table(
        ("variables", "tecnativa", "linuxserver", "there", "here"),
        (
            ((one.tecnativa, one.linuxserver, one.there, one.here), one.name)
            for one in variables()
        ),
    )


def examples_table() -> str:
    """Of each image and source the examples, by the names that their tests have as well."""
    return _table(
        ("NAME", "image", "from"),
        (
            ((one.incumbent.name, one.source.partition(":")[0]), one.name)
            for one in examples()
        ),
    )


def commands_list() -> str:
    """The commands, in the order of their tests."""
    return "".join(f"- `{one.text}`\n" for one in guide_commands())


def _table(head: tuple[str, ...], rows: Iterable[tuple[tuple[str, ...], str]]) -> str:
    """A table in which what says the same of several names is one row, the names first."""
    alike = dict[tuple[str, ...], list[str]]()
    for told, name in rows:
        alike.setdefault(told, []).append(f"`{name}`")
    cells = [head, *((" ".join(names), *told) for told, names in alike.items())]
    cells.insert(1, ("---",) * len(cells[0]))
    return "".join(f"|{'|'.join(row)}|\n" for row in cells)
