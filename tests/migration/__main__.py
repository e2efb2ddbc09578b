"""`python -m tests.migration` writes the tables of docs/migration.md anew."""

from tests.migration.tables import PAGE, page

PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
