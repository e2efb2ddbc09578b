from pathlib import Path

import pytest

from trioproxy.api import routes
from trioproxy.api.families import FAMILIES, LIMITS
from trioproxy.api.fields import ARGUED, SOURCES, WITH_PARENT, JsonKind, rows
from trioproxy.api.readers import READERS

DATA = Path(__file__).parent.parent / "data" / "arguments.tsv"
DOCUMENTED = [
    tuple(line.split("\t"))
    for line in DATA.read_text().splitlines()
    if not line.startswith("#")
]


def test_every_documented_field_is_classified() -> None:
    """Each field and key of the Engine's own document is in the table, none by default."""
    missing = [row for row in DOCUMENTED if not is_known(*row)]
    assert missing == []
    assert len(DOCUMENTED) > 300


def is_known(operation: str, place: str, path: str) -> bool:
    known = ARGUED[operation]
    if place == "query":
        return path in known.query
    fields = dict(rows(known))
    if path in fields:
        return True
    return any(
        field.kind is JsonKind.ANY and path.startswith(f"{name}.")
        for name, field in fields.items()
    )


def test_names_are_the_documents() -> None:
    """A body goes on with the names of the Engine's document, letter for letter."""
    for operation, place, path in DOCUMENTED:
        if place == "body" and path in (known := dict(rows(ARGUED[operation]))):
            assert known[path].name == path.rpartition(".")[2]


def test_every_reader_is_known_to_table_and_code() -> None:
    """A row that names a reader finds its variable and its function, and none is idle."""
    used = {
        field.reader
        for operation in ARGUED.values()
        for _, field in rows(operation)
        if field.reader
    }
    for operation in ARGUED.values():
        used |= {reader for reader in operation.query.values() if reader}
    assert used - {WITH_PARENT} == READERS.keys()
    assert used == SOURCES.keys()


def test_variables_belong_to_families() -> None:
    """Every variable has the name of its one family, and each family its options."""
    for family, names in FAMILIES.items():
        assert family.options in names
        assert all(name.startswith(f"{family}_") for name in names)
    assert len(LIMITS) == sum(map(len, FAMILIES.values()))
    assert {one.variable for one in SOURCES.values()} <= {*LIMITS, ""}


@pytest.mark.parametrize("name", sorted(ARGUED))
def test_operations_are_the_engines(name: str) -> None:
    """A row of the table is an operation that writes, and none that has no limit."""
    for endpoint in routes.OPERATIONS[name]:
        assert endpoint.effect is routes.Effect.WRITE
        assert not endpoint.is_unlimitable
